# SPDX-License-Identifier: Apache-2.0

"""A project with more schedules and executions than Mistral lists at once."""

from collections.abc import Iterable, Iterator, Mapping
import contextlib
import datetime
import hashlib
import json
import sqlite3
from typing import Any
import uuid

from keystoneauth1 import session
from keystoneauth1.identity import v3

from tests.functional import base
import trove_backup_schedule
from trove_backup_schedule import models

SCHEDULES = 2500
THEIRS = 300
EXECUTIONS = 6000
OF_AN_INSTANCE = 10

#: What a question about one schedule or one instance may cost. Before a name
#: is taken for that of one schedule, it is looked whether a change of it was
#: stopped half-way.
MOST_REQUESTS = 3
MOST_BY_NAME = 4
MOST_BYTES = 50_000

#: What each schedule of python-troveclient may add: its row.
BYTES_OF_THEIRS = 800

NOW = datetime.datetime(2030, 1, 1, tzinfo=datetime.UTC)


INSERT_TRIGGER = """
insert into cron_triggers_v2 (
    id, name, pattern, next_execution_time, workflow_name, workflow_params,
    workflow_params_hash, workflow_input, workflow_input_hash, scope,
    project_id, created_at
) values (
    :id, :name, :pattern, :next_execution_time, :workflow_name,
    :workflow_params, '', :workflow_input, :workflow_input_hash, 'private',
    :project_id, :created_at
)
"""

INSERT_EXECUTION = """
insert into workflow_executions_v2 (
    id, name, workflow_name, workflow_namespace, description, input, output,
    params, spec, context, state, accepted, scope, project_id, created_at,
    updated_at
) values (
    :id, :workflow_name, :workflow_name, '', :description, :input, :output,
    '{}', '{}', '{}', 'SUCCESS', 1, 'private', :project_id, :created_at,
    :created_at
)
"""

DELETE = (
    'delete from cron_triggers_v2 where project_id = :project_id',
    'delete from workflow_executions_v2 where project_id = :project_id',
)


class CountingSession(session.Session):
    """A session that counts what is asked of Mistral."""

    requests = 0
    received = 0

    def request(self, url: str, *args: Any, **kwargs: Any) -> Any:
        """Make a request and count it."""
        response = super().request(url, *args, **kwargs)
        if url.startswith(base.cloud().urls['workflowv2']):
            self.requests += 1
            self.received += len(response.content)
        return response


class ScaleTests(base.FunctionalTestCase):
    """What is listed is complete, and little is asked for it."""

    project: str
    instances: list[str]
    triggers: list[dict[str, Any]]

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cls.project = cls._add_project()
        cls.instances = [
            str(uuid.uuid4()) for _ in range(SCHEDULES // OF_AN_INSTANCE)
        ]
        cls.triggers = [cls._ours(number) for number in range(SCHEDULES)]
        for statement in DELETE:
            cls.addClassCleanup(
                _execute, statement, [{'project_id': cls.project}]
            )
        _execute(INSERT_TRIGGER, cls.triggers)
        _execute(INSERT_EXECUTION, map(cls._execution, range(EXECUTIONS)))

    @classmethod
    def _add_project(cls) -> str:
        """Add a project of the user demo, and remove it in the end."""
        admin = base.logged_in('admin')
        url = base.cloud().urls['identity'] + '/projects'
        made = admin.post(
            url, json={'project': {'name': base.unique('large')}}
        ).json()['project']
        key = str(made['id'])
        cls.addClassCleanup(admin.delete, f'{url}/{key}')
        roles = admin.get(
            base.cloud().urls['identity'] + '/roles?name=member'
        ).json()['roles']
        user = base.logged_in().get_user_id()
        admin.put(f'{url}/{key}/users/{user}/roles/{roles[0]["id"]}')
        return key

    @classmethod
    def _ours(cls, number: int) -> dict[str, Any]:
        instance = cls.instances[number % len(cls.instances)]
        key = str(uuid.uuid4())
        return cls._trigger(
            number,
            str(
                models.TriggerName(
                    name=f'nightly {number}',
                    instance=instance,
                    schedule_id=key,
                )
            ),
            {
                'instance': instance,
                'name': f'nightly {number}',
                'description': None,
                'parent_id': None,
                'schedule_id': key,
            },
            models.workflow_params(key),
        )

    @classmethod
    def _theirs(cls, number: int) -> dict[str, Any]:
        return cls._trigger(
            SCHEDULES + number,
            str(uuid.uuid4()),
            {
                'instance': cls.instances[number % len(cls.instances)],
                'name': f'theirs {number}',
                'description': None,
                'incremental': None,
            },
            {},
        )

    @classmethod
    def _trigger(
        cls,
        number: int,
        name: str,
        values: Mapping[str, Any],
        params: Mapping[str, Any],
    ) -> dict[str, Any]:
        return {
            'id': str(uuid.uuid4()),
            'name': name,
            'pattern': base.ONCE_A_YEAR,
            'next_execution_time': _sql_time(NOW),
            'workflow_name': models.WORKFLOW,
            'workflow_input': json.dumps(values),
            'workflow_params': json.dumps(params),
            'workflow_input_hash': hashlib.sha256(name.encode()).hexdigest(),
            'project_id': cls.project,
            'created_at': _sql_time(NOW + datetime.timedelta(seconds=number)),
        }

    @classmethod
    def _execution(cls, number: int) -> dict[str, Any]:
        trigger = cls.triggers[number % 100]
        created = NOW + datetime.timedelta(minutes=number)
        return {
            'id': str(uuid.uuid4()),
            'workflow_name': models.WORKFLOW,
            'description': json.dumps(
                {
                    'description': 'Workflow execution created by cron '
                    f"trigger '({trigger['id']})'.",
                    'triggered_by': {
                        'type': 'cron_trigger',
                        'id': trigger['id'],
                        'name': '',
                    },
                }
            ),
            'input': trigger['workflow_input'],
            'output': json.dumps(
                {'status': 'Backup complete', 'backup_id': str(uuid.uuid4())}
            ),
            'project_id': cls.project,
            'created_at': _sql_time(created),
        }

    def setUp(self) -> None:
        super().setUp()
        clouds = json.loads(base.cloud().clouds_yaml.read_text('utf-8'))
        auth = clouds['clouds']['demo']['auth']
        self.session = CountingSession(
            auth=v3.Password(
                auth_url=auth['auth_url'],
                username=auth['username'],
                password=auth['password'],
                user_domain_name=auth['user_domain_name'],
                project_id=self.project,
            )
        )
        self.schedules = trove_backup_schedule.BackupSchedules(self.session)

    @contextlib.contextmanager
    def at_most(
        self, theirs: int = 0, most: int = MOST_REQUESTS
    ) -> Iterator[None]:
        """Check what is asked meanwhile.

        :param theirs: how many schedules of python-troveclient there are.
        """
        requests, received = self.session.requests, self.session.received
        yield
        self.assertLessEqual(self.session.requests - requests, most)
        self.assertLess(
            self.session.received - received,
            MOST_BYTES + theirs * BYTES_OF_THEIRS,
        )

    def check(self, theirs: int) -> None:
        """Ask about an instance and about a schedule."""
        instance = self.instances[7]
        with self.at_most(theirs):
            found = self.schedules.schedule_list(instance)
        names = [f'nightly {n}' for n in range(7, SCHEDULES, 250)]
        if theirs:
            names += [f'theirs {n}' for n in range(7, theirs, 250)]
        self.assertEqual(sorted(names), [each.name for each in found])
        chosen = next(each for each in found if each.name == 'nightly 7')
        with self.at_most():
            runs = self.schedules.execution_list(chosen.id, limit=10)
        moments = [
            NOW + datetime.timedelta(minutes=EXECUTIONS - 93 - 100 * number)
            for number in range(10)
        ]
        self.assertEqual(moments, [run.created_at for run in runs])
        self.assertEqual({chosen.id}, {run.schedule_id for run in runs})
        with self.at_most(theirs, MOST_BY_NAME):
            shown = self.schedules.schedule_show('nightly 1234')
        self.assertEqual('nightly 1234', shown.name)

    def test_scale(self) -> None:
        """Few requests for one of many, and all of them when asked for."""
        self.check(0)
        _execute(INSERT_TRIGGER, map(self._theirs, range(THEIRS)))
        self.check(THEIRS)
        found = self.schedules.schedule_list()
        self.assertEqual(SCHEDULES + THEIRS, len({each.id for each in found}))
        self.assertEqual(SCHEDULES + THEIRS, len(found))
        # All pages together have each once.
        pages: list[models.Schedule] = []
        while page := self.schedules.schedule_list(
            marker=pages[-1].id if pages else '', limit=900
        ):
            pages += page
        self.assertEqual(
            sorted(each.id for each in found),
            sorted(each.id for each in pages),
        )
        runs = self.schedules.execution_list()
        self.assertEqual(EXECUTIONS, len({run.id for run in runs}))
        # One schedule has far fewer runs than fit a page.
        ours = next(each for each in found if each.name == 'nightly 3')
        runs = self.schedules.execution_list(ours.id)
        self.assertEqual(EXECUTIONS // 100, len(runs))


def _execute(statement: str, several: Iterable[Mapping[str, Any]]) -> None:
    """Execute an SQL statement in Mistral's database."""
    path = base.cloud().directory / 'mistral.sqlite'
    with (
        contextlib.closing(sqlite3.connect(path, 30)) as connection,
        connection,
    ):
        connection.executemany(statement, several)


def _sql_time(moment: datetime.datetime) -> str:
    return f'{moment:%Y-%m-%d %H:%M:%S.%f}'
