# SPDX-License-Identifier: Apache-2.0

"""The Python API, as the specification has it, without OpenStackClient."""

import datetime
import inspect
import json
import subprocess
import sys
from typing import Any

from tests.functional import base
import trove_backup_schedule
from trove_backup_schedule import models

#: The specification's parameters, in its order, with its defaults.
REQUIRED = inspect.Parameter.empty
METHODS: dict[str, dict[str, Any]] = {
    'schedule_create': {
        'instance': REQUIRED,
        'pattern': REQUIRED,
        'name': REQUIRED,
        'description': None,
        'parent_id': None,
        'mistral_client': None,
    },
    'schedule_list': {'instance': REQUIRED, 'mistral_client': None},
    'schedule_show': {'schedule': REQUIRED, 'mistral_client': None},
    'schedule_delete': {'schedule': REQUIRED, 'mistral_client': None},
    'execution_list': {
        'schedule': REQUIRED,
        'mistral_client': None,
        'marker': '',
        'limit': None,
    },
    'execution_delete': {'execution': REQUIRED, 'mistral_client': None},
}

#: What a program does that has keystoneauth and no shell.
PROGRAM = """
import json, sys
from keystoneauth1 import session
from keystoneauth1.identity import v3
from trove_backup_schedule import BackupSchedules

auth = json.load(sys.stdin)
schedules = BackupSchedules(session.Session(v3.Password(**auth)))
made = schedules.schedule_create('m', '@daily', sys.argv[1])
schedules.schedule_delete(made.id)
ours = [each for each in sys.modules if 'trove_backup_schedule.osc' in each]
print(json.dumps([made.id, ours]))
"""


class SignatureTests(base.FunctionalTestCase):
    """The methods are those of the specification."""

    def test_signatures(self) -> None:
        """Names, order and defaults of the parameters."""
        for name, expected in METHODS.items():
            method = getattr(trove_backup_schedule.BackupSchedules, name)
            parameters = inspect.signature(method).parameters
            positional = {
                key: each.default
                for key, each in parameters.items()
                if each.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD
            }
            self.assertEqual(['self', *expected], list(positional), name)
            for key, default in expected.items():
                # What is required may have a default, not the reverse.
                if default is not REQUIRED:
                    self.assertEqual(default, positional[key], name)
            for key in parameters.keys() - positional.keys():
                self.assertIsNot(
                    REQUIRED, parameters[key].default, f'{name} {key}'
                )


class LibraryTests(base.FunctionalTestCase):
    """The methods do what the specification says of them."""

    def setUp(self) -> None:
        super().setUp()
        self.install_workbook()
        (self.instance,) = base.add_instances('library')

    def go_through(
        self,
        schedules: trove_backup_schedule.BackupSchedules,
        instance: Any,
        mistral: Any = None,
    ) -> None:
        """Call each method, with all that it takes by position."""
        parent = base.trove().backups.create('parent', self.instance)
        backups = base.trove().backups
        self.addCleanup(backups.delete, parent.id)
        base.wait_until(lambda: backups.get(parent.id).status == 'COMPLETED')
        made = schedules.schedule_create(
            instance, '30 3 * * *', 'myback', 'kept', parent.id, mistral
        )
        self.addCleanup(base.remove, made.id)
        self.check_schedule(made, parent.id)
        self.assertEqual([made], schedules.schedule_list(instance, mistral))
        for key in (made, made.id, 'myback'):
            self.assertEqual(made, schedules.schedule_show(key, mistral))
        run = self.run_of(made)
        (found,) = schedules.execution_list(made, mistral, '', 5)
        self.check_execution(found, run, made)
        self.assertEqual([], schedules.execution_list(made, mistral, run, 5))
        schedules.execution_delete(found, mistral)
        self.assertEqual([], schedules.execution_list(made.id, mistral))
        self.assertRaises(
            LookupError, schedules.execution_delete, found.id, mistral
        )
        schedules.schedule_delete(made, mistral)
        self.assertEqual([], schedules.schedule_list(instance, mistral))
        self.assertRaises(
            LookupError, schedules.schedule_delete, made.id, mistral
        )

    def check_schedule(self, made: models.Schedule, parent: str) -> None:
        """Check the specification's properties of a schedule."""
        self.assertEqual('myback', made.name)
        self.assertEqual('30 3 * * *', made.pattern)
        self.assertEqual(self.instance, made.instance)
        self.assertEqual(parent, made.parent_id)
        self.assertEqual('kept', made.description)
        specified = {
            'instance': self.instance,
            'name': 'myback',
            'description': 'kept',
            'parent_id': parent,
        }
        self.assertLessEqual(specified.items(), made.input.items())
        for moment in (made.created_at, made.next_execution_time):
            assert moment
            self.assertEqual(datetime.timedelta(0), moment.utcoffset())
        assert made.next_execution_time
        self.assertEqual('03:30', f'{made.next_execution_time:%H:%M}')
        self.assertIsNone(made.updated_at)

    def run_of(self, made: models.Schedule) -> str:
        """Start the workflow as Mistral does for a trigger; the run's ID."""
        client = base.mistral()
        values = dict(made.input) | {'instance': 'not-an-instance'}
        run = client.executions.create(
            models.WORKFLOW,
            workflow_input=values,
            description=json.dumps(
                {
                    'description': 'Not by a trigger, but as if.',
                    'triggered_by': {
                        'type': 'cron_trigger',
                        'id': made.trigger_id,
                    },
                }
            ),
        )
        base.wait_until(lambda: client.executions.get(run.id).state == 'ERROR')
        key: str = run.id
        return key

    def check_execution(
        self,
        found: models.ScheduleExecution,
        run: str,
        made: models.Schedule,
    ) -> None:
        """Check the specification's properties of an execution."""
        self.assertEqual(run, found.id)
        self.assertEqual('ERROR', found.state)
        self.assertEqual(made.id, found.schedule_id)
        self.assertIsInstance(found.output, dict)
        assert found.created_at
        self.assertEqual(datetime.timedelta(0), found.created_at.utcoffset())

    def test_session(self) -> None:
        """From a session; the instance by its ID."""
        self.go_through(
            trove_backup_schedule.BackupSchedules(base.logged_in()),
            self.instance,
        )

    def test_clients(self) -> None:
        """From clients that are there; the instance as an object."""
        client = base.trove()
        self.go_through(
            trove_backup_schedule.BackupSchedules(
                mistral_client=base.mistral(), trove_client=client
            ),
            client.instances.get(self.instance),
        )

    def test_mistral_client(self) -> None:
        """A Mistral client given to a method is the one that is used."""
        client = base.trove()
        schedules = trove_backup_schedule.BackupSchedules(trove_client=client)
        self.go_through(
            schedules,
            client.instances.get(self.instance).name,
            base.mistral(),
        )
        self.assertRaises(TypeError, schedules.schedule_list, self.instance)

    def test_no_shell(self) -> None:
        """A program of one's own loads nothing of the plugin's."""
        clouds = json.loads(base.cloud().clouds_yaml.read_text('utf-8'))
        done = subprocess.run(
            [sys.executable, '-c', PROGRAM, base.unique('program')],
            input=json.dumps(clouds['clouds']['demo']['auth']),
            capture_output=True,
            text=True,
            timeout=base.COMMAND_SECONDS,
            check=False,
        )
        self.assertEqual(0, done.returncode, done.stderr)
        made, loaded = json.loads(done.stdout)
        # python-troveclient, for one, loads the shell.
        self.assertEqual([], loaded)
        self.assertRaises(LookupError, base.schedules().schedule_show, made)
