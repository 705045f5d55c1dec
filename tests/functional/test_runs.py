# SPDX-License-Identifier: Apache-2.0

"""What a run makes of its backup: SUCCESS means that there is one."""

import collections
from collections.abc import Callable, Iterable
import contextlib
import dataclasses
import datetime
import json
import pathlib
import re
import signal
import subprocess
import tempfile
import threading
import time
from typing import Any
from urllib import parse

from mistralclient.api.v2 import client as mistral_client
import requests
from troveclient.v1 import client as trove_client

from sandbox import seed
from sandbox.cloud import Sandbox
from tests.functional import base
from tests.functional import proxy
import trove_backup_schedule
from trove_backup_schedule import models
from trove_backup_schedule import workbook

HTML = '<html><body>A fault on the way</body></html>'

#: Seconds in which the runs of a class must have ended.
RUN_SECONDS = 120

#: How early Mistral fires, at most.
EARLY = datetime.timedelta(seconds=3)

#: The specification's workbook.
SPECIFIED = """
---
version: '2.0'

name: trove

description: Trove Workflows

workflows:

  backup_create:
    input: [instance, name, description, parent_id]
    output:
      status: <% $.message %>

    tasks:
      backup_create:
        action: >-
          trove.backups_create instance=<% $.instance %> name=<% $.name %>
          description=<% $.description %> parent_id=<% $.parent_id %>
        publish:
          message: <% 'Backup complete' %>
"""

#: What the workflow took when it knew python-troveclient's schedules, and
#: did not remove any backups yet.
EARLIER_INPUT = """
      - instance
      - name
      - description: null
      - parent_id: null
      - incremental: null
      - swift_container: null
      - storage_driver: null
      - schedule_id: null
"""


def make_in_time(
    make: Callable[[str], None], undo: Callable[[], None], seconds: int
) -> None:
    """Make what fires in a moment, and until tomorrow no more.

    :param make: gets the pattern.
    :param undo: removes it all, where that has taken too long.
    """
    while True:
        now = datetime.datetime.now(datetime.UTC)
        at = now + datetime.timedelta(seconds=seconds)
        # Mistral takes a sixth field for the second.
        make(f'{at.minute} {at.hour} * * * {at.second}')
        # It may fire two seconds early.
        if datetime.datetime.now(datetime.UTC) < at - EARLY:
            return
        undo()
        seconds *= 2


def heed_interrupts() -> None:
    """Let a command be as if a person had started it at a terminal."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def start(*command: str, shell: base.Shell) -> subprocess.Popen[str]:
    """Start a command of the shell, which goes on."""
    return subprocess.Popen(
        [base.OPENSTACK, *command],
        env=shell.env,
        cwd=tempfile.gettempdir(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=heed_interrupts,
    )


def end(process: subprocess.Popen[str]) -> None:
    """End a command, if it has not ended."""
    process.kill()
    process.communicate()


def finish(process: subprocess.Popen[str]) -> base.Outcome:
    """Give what a command has left behind that is about to end."""
    out, err = process.communicate(timeout=RUN_SECONDS)
    return base.Outcome(process.returncode, out, err)


def run_told(errors: str) -> str:
    """Give the ID of the run that a waiting command tells of."""
    found = re.match(r'The run (\S+) is ', errors)
    assert found, errors
    return found[1]


def first_run(
    schedules: trove_backup_schedule.BackupSchedules, of: models.Schedule
) -> str:
    """Give the ID of a schedule's one run, once it has begun."""
    (run,) = base.wait_until(lambda: schedules.execution_list(of.id), 60)
    return run.id


def wait_for_runs(
    schedules: trove_backup_schedule.BackupSchedules, runs: Iterable[str]
) -> None:
    """Wait until runs have ended, one way or another."""
    left = set(runs)

    def all_ended() -> bool:
        left.difference_update(
            [each for each in left if schedules.execution_show(each).ended]
        )
        return not left

    base.wait_until(all_ended, RUN_SECONDS)


def attempts(mistral: Any, run_id: str) -> int:
    """Tell how often a run has asked Trove to make a backup."""
    return sum(
        len(mistral.action_executions.list(each.id))
        for each in mistral.tasks.list(run_id)
        if each.name == 'backup_create'
    )


class RunTests(base.FunctionalTestCase):
    """Runs of every kind that all go on at the same time."""

    GOOD = (
        'plain',
        'busy',
        'paused',
        'stopping',
        'client',
        'long',
        'changed',
        'fired',
        'adopted',
        'disabled',
    )

    #: So many seconds a backup of theirs takes, in place of one.
    SECONDS = {
        'busy': 15,
        'stopping': 12,
        'fired': 12,
        'adopted': 12,
        'disabled': 12,
    }

    #: No name of a schedule made here is so long, and no description.
    LONG_NAME = 'long' * 60
    LONG_DESCRIPTION = 'of every night ' * 17

    schedules: trove_backup_schedule.BackupSchedules
    instances: dict[str, str]
    made: dict[str, models.Schedule]
    runs: dict[str, str]
    waiting: dict[str, subprocess.Popen[str]]
    before: Any
    interrupted: base.Outcome
    at_interrupt: models.ScheduleExecution

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        base.install_workbook()
        cls.schedules = base.schedules()
        cls.instances, cls.made, cls.runs, cls.waiting = {}, {}, {}, {}
        cls.addClassCleanup(cls._clean_up)
        cls.instances = dict(
            zip(cls.GOOD, base.add_instances(*cls.GOOD), strict=True)
        )
        for behaviour in (seed.FAULTY, seed.STOPPED):
            (cls.instances[behaviour],) = base.add_instances(
                behaviour, behaviour=behaviour
            )
        cls._make()
        cls._take_seconds(cls.SECONDS)
        backups = base.trove().backups
        key = backups.create('by hand', cls.instances['busy']).id
        base.wait_until(lambda: backups.get(key).status == 'BUILDING', 10)
        # Its guest knows by now how long it takes.
        cls._take_seconds({'busy': 1})
        cls.before = backups.get(key)
        cls.runs['busy'] = cls._run('busy')
        make_in_time(cls._make_firing, cls._remove_firing, 6)
        for label in ('stopping', 'paused', 'faulty'):
            cls.waiting[label] = start(
                *(*base.SCHEDULE, 'run', cls.made[label].id, '--wait'),
                *('-f', 'json'),
                shell=base.Shell(),
            )
        for label in ('plain', 'stopped', 'long', 'changed'):
            cls.runs[label] = cls._run(label)
        cls._change('changed')
        cls._interrupt('stopping')
        for label in ('fired', 'adopted'):
            cls.runs[label] = first_run(cls.schedules, cls.made[label])
            cls._change(label)
        # It fires again and again while its first run goes on.
        cls._make_own('disabled', '* * * * * */5')
        made = cls.made['disabled']
        cls.runs['disabled'] = first_run(cls.schedules, made)
        base.wait_until(
            lambda: base.trove().backups.list(
                instance_id=cls.instances['disabled']
            )
        )
        cls.made['disabled'] = cls.schedules.schedule_set(
            made.id, enabled=False
        )

    @classmethod
    def _make(cls) -> None:
        for label in (
            *('plain', 'busy', 'paused', 'stopping', 'changed'),
            *(seed.FAULTY, seed.STOPPED),
        ):
            cls.made[label] = cls.schedules.schedule_create(
                cls.instances[label],
                base.ONCE_A_YEAR,
                label,
                'of every night' if label == 'plain' else None,
                enabled=label != 'paused',
            )
        cls._make_foreign('client', base.ONCE_A_YEAR)
        trigger = base.mistral().cron_triggers.create(
            base.unique('specification'),
            models.WORKFLOW,
            pattern=base.ONCE_A_YEAR,
            workflow_input={
                'instance': cls.instances['long'],
                'name': cls.LONG_NAME,
                'description': cls.LONG_DESCRIPTION,
                'parent_id': None,
            },
        )
        cls.made['long'] = cls.schedules.schedule_show(trigger.id)

    @classmethod
    def _make_foreign(cls, label: str, pattern: str) -> None:
        """Have python-troveclient make a schedule."""
        made = base.trove().backups.schedule_create(
            cls.instances[label],
            pattern,
            label,
            mistral_client=base.mistral(),
        )
        cls.made[label] = cls.schedules.schedule_show(made.id)

    @classmethod
    def _make_firing(cls, pattern: str) -> None:
        cls._make_own('fired', pattern)
        cls._make_foreign('adopted', pattern)

    @classmethod
    def _make_own(cls, label: str, pattern: str) -> None:
        """Make a schedule of a pattern that the commands would not take."""
        schedule_id = models.new_id()
        name = models.TriggerName(
            name=label,
            instance=cls.instances[label],
            schedule_id=schedule_id,
        )
        base.mistral().cron_triggers.create(
            str(name),
            models.WORKFLOW,
            pattern=pattern,
            workflow_params=models.workflow_params(schedule_id),
            workflow_input={
                'instance': name.instance,
                'name': name.name,
                'schedule_id': schedule_id,
            },
        )
        cls.made[label] = cls.schedules.schedule_show(schedule_id)

    @classmethod
    def _remove_firing(cls) -> None:
        for label in ('fired', 'adopted'):
            base.remove(cls.made[label].id)

    @classmethod
    def _take_seconds(cls, seconds: dict[str, int]) -> None:
        """Say how long backups take, from the next one on."""
        path = base.cloud().directory / 'guest.json'
        with base.locked('guest'):
            known = json.loads(path.read_text('utf-8'))
            known['seconds_by_instance'] = known.get(
                'seconds_by_instance', {}
            ) | {cls.instances[label]: seconds[label] for label in seconds}
            base.cloud().set_guest(**known)

    @classmethod
    def _run(cls, label: str) -> str:
        return cls.schedules.schedule_run(cls.made[label].id).id

    @classmethod
    def _interrupt(cls, label: str) -> None:
        """Press Ctrl-C where somebody waits for a run."""
        process = cls.waiting[label]
        assert process.stderr is not None
        cls.runs[label] = run_told(process.stderr.readline())
        process.send_signal(signal.SIGINT)
        cls.interrupted = finish(process)
        cls.at_interrupt = cls.schedules.execution_show(cls.runs[label])

    @classmethod
    def _change(cls, label: str) -> None:
        cls.made[label] = cls.schedules.schedule_set(
            cls.made[label].id,
            name=f'{label}-later',
            pattern=base.ONCE_A_YEAR,
            description='changed',
        )

    @classmethod
    def _clean_up(cls) -> None:
        for process in cls.waiting.values():
            end(process)
        for made in cls.made.values():
            base.remove(made.id)
        wait_for_runs(cls.schedules, cls.runs.values())
        client = base.trove()
        for key in cls.instances.values():
            for backup in client.backups.list(instance_id=key):
                with contextlib.suppress(Exception):
                    client.backups.delete(backup.id)

    def ended(self, label: str) -> models.ScheduleExecution:
        """Give a run when it has ended, with the state of its backup."""
        wait_for_runs(self.schedules, [self.runs[label]])
        return self.schedules.execution_show(
            self.runs[label], with_backups=True
        )

    def succeeded(self, label: str) -> Any:
        """Give the backup of a run that has ended well, as Trove has it.

        It is named after the schedule, as that was, and after the time, and
        carries what the schedule is known by.
        """
        run = self.ended(label)
        self.assertEqual(('SUCCESS', None), (run.state, run.state_info))
        backup = base.trove().backups.get(run.backup_id)
        self.assertEqual(
            {
                'status': 'Backup complete',
                'backup_id': backup.id,
                'backup_name': backup.name,
                'backup_status': 'COMPLETED',
            },
            run.output,
        )
        self.assertEqual('COMPLETED', backup.status)
        known = run.input.get('schedule_id') or run.trigger_id
        self.assertEqual(
            f'[schedule {known}]', ' '.join(backup.description.split()[-2:])
        )
        name = str(run.input['name'])[:200]
        self.assertRegex(backup.name, rf'^{name}-\d{{14}}$')
        named = datetime.datetime.strptime(
            f'{backup.name[-14:]}+0000', '%Y%m%d%H%M%S%z'
        )
        assert run.created_at
        self.assertLess(
            abs(named - run.created_at), datetime.timedelta(seconds=20)
        )
        return backup

    def triggers(self, label: str) -> list[str]:
        """Give the IDs of all cron triggers that carry a schedule."""
        made = self.made[label]
        return [
            each.id
            for each in base.mistral().cron_triggers.list()
            if made.id in each.name or each.id in {made.id, made.origin}
        ]

    def test_success(self) -> None:
        """A good run tells its backup, as long as that is there and after."""
        backup = self.succeeded('plain')
        made = self.made['plain']
        self.assertEqual(
            f'of every night [schedule {made.id}]', backup.description
        )
        key = self.runs['plain']
        (row,), shown = (
            json.loads(each.succeeded())
            for each in self.shell.at_once(
                (
                    (*base.EXECUTION, 'list', made.id, '-f', 'json'),
                    (*base.EXECUTION, 'show', key, '-f', 'json'),
                )
            )
        )
        expected = {
            'Backup ID': backup.id,
            'Backup Name': backup.name,
            'Backup Status': 'COMPLETED',
            'State': 'SUCCESS',
        }
        self.assertEqual(expected, {each: row[each] for each in expected})
        expected = {
            'backup_id': backup.id,
            'backup_name': backup.name,
            'backup_status': 'COMPLETED',
            'schedule_id': made.id,
            'state': 'SUCCESS',
            'state_info': None,
            'manual': True,
        }
        self.assertEqual(expected, {each: shown[each] for each in expected})
        # The workflow looks once in ten seconds.
        self.assertIn(shown['duration'], range(10, 60))
        self.assertEqual(shown['duration'], row['Duration'])
        base.trove().backups.delete(backup.id)
        base.wait_until(
            lambda: (
                self.schedules.execution_show(
                    key, with_backups=True
                ).backup_status
                == 'DELETED'
            ),
            30,
        )
        (row,) = self.json(*base.EXECUTION, 'list', made.id)
        self.assertEqual(
            expected['backup_id'], row['Backup ID'], 'it is still told'
        )
        self.assertEqual(
            ('SUCCESS', 'DELETED'), (row['State'], row['Backup Status'])
        )

    def test_busy(self) -> None:
        """A run waits until its instance has ended another backup."""
        backup = self.succeeded('busy')
        before = base.trove().backups.get(self.before.id)
        self.assertEqual('COMPLETED', before.status)
        self.assertGreaterEqual(backup.created, before.updated)
        run = self.ended('busy')
        assert run.created_at
        self.assertLess(f'{run.created_at:%Y-%m-%dT%H:%M:%S}', before.updated)

    def test_stopped(self) -> None:
        """An instance that is down is not waited for, and is named."""
        run = self.ended('stopped')
        shown = self.json(*base.EXECUTION, 'show', run.id)
        self.assertEqual('ERROR', shown['state'])
        self.assertEqual(1, attempts(base.mistral(), run.id))
        for words in (
            'The backup could not be started.',
            self.instances['stopped'],
            'SHUTDOWN',
            'HTTP 422',
        ):
            self.assertIn(words, shown['state_info'])
        self.assertNotIn('YAQL', shown['state_info'])
        self.assertIsNone(shown['backup_id'])
        self.assertEqual(
            [],
            base.trove().backups.list(instance_id=self.instances['stopped']),
        )

    def test_faulty(self) -> None:
        """A backup that fails makes the run fail, and who waits for it."""
        outcome = finish(self.waiting['faulty'])
        errors = outcome.failed()
        self.assertEqual('', outcome.stdout)
        key = run_told(errors)
        self.assertIn(
            f'The run {key} has made no good backup: The backup ended as '
            'FAILED.',
            errors,
        )
        (row,) = self.json(
            *base.EXECUTION, 'list', self.made['faulty'].id, '--long'
        )
        self.assertEqual(
            (key, 'ERROR', 'FAILED', True, 'The backup ended as FAILED.'),
            (
                row['ID'],
                row['State'],
                row['Backup Status'],
                row['Manual'],
                row['State Info'],
            ),
        )
        (backup,) = base.trove().backups.list(
            instance_id=self.instances['faulty']
        )
        self.assertEqual(
            (backup.id, backup.name), (row['Backup ID'], row['Backup Name'])
        )

    def test_disabled(self) -> None:
        """A disabled schedule can be run, and is disabled after it."""
        outcome = finish(self.waiting['paused'])
        shown = json.loads(outcome.succeeded())
        self.runs['paused'] = shown['id']
        backup = self.succeeded('paused')
        made = self.made['paused']
        expected = {
            'id': run_told(outcome.stderr),
            'state': 'SUCCESS',
            'backup_id': backup.id,
            'backup_name': backup.name,
            'backup_status': 'COMPLETED',
            'manual': True,
            'schedule_id': made.id,
        }
        self.assertEqual(expected, {each: shown[each] for each in expected})
        lines = outcome.stderr.splitlines()
        self.assertEqual(
            f'The run {shown["id"]} is SUCCESS; the backup {backup.name} is '
            'COMPLETED.',
            lines[-1],
        )
        for line in lines[:-1]:
            self.assertRegex(
                line,
                rf'^The run {shown["id"]} is RUNNING'
                rf'(; the backup {backup.name} is [A-Z]+)?\.$',
            )
        self.assertEqual(len(set(lines)), len(lines), 'each is said once')
        found = self.schedules.schedule_show(made.id)
        self.assertFalse(found.enabled)
        self.assertEqual([made.trigger_id], self.triggers('paused'))

    def test_interrupted(self) -> None:
        """Ctrl-C ends the waiting, and not the run."""
        self.assertEqual(130, self.interrupted.status)
        self.assertNotIn('Traceback', self.interrupted.stderr)
        self.assertEqual('', self.interrupted.stdout)
        self.assertFalse(self.at_interrupt.ended)
        self.succeeded('stopping')

    def test_running(self) -> None:
        """A run that goes on tells its backup already."""
        key = self.runs['fired']
        run = base.wait_until(
            lambda: (
                found
                if (
                    found := self.schedules.execution_show(
                        key, with_backups=True
                    )
                ).backup_id
                else None
            ),
            30,
        )
        assert run
        self.assertRegex(str(run.backup_name), r'^fired-\d{14}$')
        backup = self.succeeded('fired')
        self.assertEqual(backup.id, run.backup_id)

    def test_client_schedule(self) -> None:
        """A python-troveclient schedule can be run, and keeps its history."""
        made = self.made['client']
        shown = self.json(*base.SCHEDULE, 'run', made.id)
        self.assertEqual(made.id, shown['schedule_id'])
        self.assertTrue(shown['manual'])
        self.runs['client'] = shown['id']
        (row,) = self.json(*base.EXECUTION, 'list', made.id, '--long')
        self.assertEqual(
            (shown['id'], made.id, True),
            (row['ID'], row['Schedule ID'], row['Manual']),
        )
        backup = self.succeeded('client')
        self.assertEqual(f'[schedule {made.trigger_id}]', backup.description)
        (row,) = self.json(*base.EXECUTION, 'list', made.id)
        self.assertEqual(backup.id, row['Backup ID'])

    def test_long(self) -> None:
        """A name and a description of any length do not stop a backup."""
        backup = self.succeeded('long')
        self.assertEqual(
            f'{self.LONG_DESCRIPTION[:207]} [schedule '
            f'{self.made["long"].trigger_id}]',
            backup.description,
        )

    def test_changed(self) -> None:
        """A run by hand goes on when the schedule is changed meanwhile."""
        backup = self.succeeded('changed')
        made = self.made['changed']
        self.assertEqual(f'[schedule {made.id}]', backup.description)
        self.assertEqual([made.trigger_id], self.triggers('changed'))
        (run,) = self.schedules.execution_list(made.id)
        self.assertEqual(self.runs['changed'], run.id)

    def test_changed_after_firing(self) -> None:
        """A run that was fired keeps its trigger, and takes it along."""
        self.succeeded('fired')
        made = self.made['fired']
        self.assertEqual([made.trigger_id], self.triggers('fired'))
        (run,) = self.schedules.execution_list(made.id)
        self.assertEqual(self.runs['fired'], run.id)
        self.assertFalse(run.manual)
        self.assertNotEqual(made.trigger_id, run.trigger_id)

    def test_changed_pattern(self) -> None:
        """Changed right after it has fired, it goes by the new pattern."""
        for label in ('fired', 'adopted'):
            due = self.made[label].next_execution_time
            assert due
            self.assertEqual(
                (1, 1, 0, 0), (due.month, due.day, due.hour, due.minute)
            )

    def test_disabled_while_running(self) -> None:
        """What the old trigger starts until it goes makes no backup."""
        backup = self.succeeded('disabled')
        made = self.made['disabled']
        base.wait_until(
            lambda: self.triggers('disabled') == [made.trigger_id], 60
        )
        runs = self.schedules.execution_list(made.id)
        wait_for_runs(self.schedules, [run.id for run in runs])
        others = [
            self.schedules.execution_show(run.id)
            for run in runs
            if run.id != self.runs['disabled']
        ]
        for run in others:
            self.assertEqual(('ERROR', None), (run.state, run.backup_id))
        # One may begin just when the trigger goes, and its trust.
        said = [str(run.state_info) for run in others]
        self.assertIn('Nothing was done', ' '.join(said))
        (found,) = base.trove().backups.list(
            instance_id=self.instances['disabled']
        )
        self.assertEqual(backup.id, found.id)

    def test_adopted(self) -> None:
        """A schedule made by other means is changed, and its run goes on."""
        backup = self.succeeded('adopted')
        made = self.made['adopted']
        self.assertEqual(f'[schedule {made.origin}]', backup.description)
        found = self.schedules.schedule_show(made.id)
        self.assertEqual('adopted-later', found.name)
        self.assertEqual([made.trigger_id], self.triggers('adopted'))
        (run,) = self.schedules.execution_list(made.id)
        self.assertEqual(
            (self.runs['adopted'], made.id), (run.id, run.schedule_id)
        )


@dataclasses.dataclass(frozen=True)
class Fault:
    """What becomes of a request.

    :ivar happen: what happens in place of Trove's answer.
    :ivar late: Trove has acted before.
    """

    happen: Callable[[proxy.Handler], object]
    late: bool = False


#: Trove answers; is down; is not ready; is too slow for a proxy before it;
#: says that there is no such thing.
NONE = None
DOWN = Fault(proxy.Handler.hang_up)
UNAVAILABLE = Fault(proxy.say_to(503, HTML))
LOST = Fault(proxy.Handler.hang_up, late=True)
TIMEOUT = Fault(proxy.say_to(504, HTML), late=True)
NOT_FOUND = Fault(proxy.say_to(404, HTML))


class Gate:
    """Passes requests on to Trove, but for those that meet a fault.

    :param url: Trove's.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._instances: dict[str, str] = {}
        self._lock = threading.Lock()
        #: What befalls the next requests of a kind about an instance.
        self.faults: dict[tuple[str, str], list[Fault | None]] = {}
        self.seen: collections.Counter[tuple[str, str]] = collections.Counter()

    def __call__(self, handler: proxy.Handler, body: bytes) -> None:
        about = self._about(handler, body)
        with self._lock:
            self.seen[about] += 1
            faults = self.faults.get(about)
            fault = faults.pop(0) if faults else None
        if fault is None or fault.late:
            response = self._pass_on(handler, body)
        if fault is None:
            proxy.answer(handler, response)
        else:
            fault.happen(handler)

    def _about(self, handler: proxy.Handler, body: bytes) -> tuple[str, str]:
        """Give the kind of a request, and the instance that it is about."""
        path, _, query = handler.path.partition('?')
        if not re.search(r'/backups(/[^/]+)?$', path):
            return 'other', ''
        if handler.command == 'POST':
            return 'create', json.loads(body)['backup']['instance']
        if path.endswith('/backups'):
            return 'list', dict(parse.parse_qsl(query)).get('instance_id', '')
        backup = path.rpartition('/')[2]
        return 'show', self._instances.get(backup, '')

    def _pass_on(
        self, handler: proxy.Handler, body: bytes
    ) -> requests.Response:
        kept = ('x-auth-token', 'content-type', 'accept')
        response = requests.request(
            handler.command,
            self._url + handler.path,
            data=body,
            headers={
                name: handler.headers[name]
                for name in kept
                if name in handler.headers
            },
            timeout=30,
        )
        if handler.command == 'POST' and response.ok:
            backup = response.json()['backup']
            self._instances[backup['id']] = backup['instance_id']
        return response


class FaultTests(base.FunctionalTestCase):
    """Trove is slow, full or away, and the workflow was an earlier one.

    Each needs a project with a workflow or a quota of its own, or a Trove that
    no other test uses, so there is a sandbox of their own.
    """

    #: By label, which is the instance's name: what befalls its requests.
    #: Mistral looks at a backup that it has made once more at once.
    FAULTS: dict[str, dict[str, list[Fault | None]]] = {
        'down': {'create': [DOWN], 'list': [DOWN]},
        'refused': {'create': [UNAVAILABLE]},
        'away': {'show': [NONE, DOWN, UNAVAILABLE]},
        'lost': {'create': [LOST]},
        'late': {'create': [TIMEOUT]},
        'lost-and-down': {'create': [LOST], 'list': [DOWN]},
        'made-and-down': {'show': [DOWN, DOWN]},
        'gone': {'show': [NONE, NOT_FOUND]},
        'never': {'create': [DOWN] * 100},
    }

    #: The clouds of the others.
    CLOUDS = {
        'slow': 'other',
        'never': 'other',
        'full': 'demo-domain',
        'specified': 'demo-domain',
        'client': 'demo-domain',
        'earlier': 'demo-domain',
    }

    EARLIER = ('specified', 'client', 'earlier')

    SLOW_SECONDS = 45

    sandbox: Sandbox
    gate: Gate
    apis: dict[str, trove_backup_schedule.BackupSchedules]
    troves: dict[str, Any]
    instances: dict[str, str]
    made: dict[str, models.Schedule]
    runs: dict[str, str]
    old: list[str]
    following: subprocess.Popen[str]
    listed_at_end: list[dict[str, Any]]

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        with contextlib.ExitStack() as stack:
            cls._start(stack)
            cls.made, cls.runs = {}, {}
            cls._run_full()
            make_in_time(cls._make_earlier, cls._remove_earlier, 20)
            cls._start_slow()
            stack.callback(end, cls.following)
            cls._start_faulty()
            cls._watch_slow()
            cls._wait_for_earlier()
            for label, key in cls.runs.items():
                wait_for_runs(cls.api(label), [key])
            cls.addClassCleanup(stack.pop_all().close)

    @classmethod
    def _start(cls, stack: contextlib.ExitStack) -> None:
        labels = {label: cls._cloud(label) for label in cls.FAULTS}
        labels |= cls.CLOUDS
        instances = {
            label: seed.Instance(
                seed.USERS[each].project,
                label,
                domain=seed.USERS[each].domain,
            )
            for label, each in labels.items()
        }
        directory = stack.enter_context(tempfile.TemporaryDirectory())
        cls.sandbox = stack.enter_context(
            Sandbox(
                pathlib.Path(directory), instances=list(instances.values())
            )
        )
        cls.sandbox.set_guest(seconds=1)
        cls.instances = {
            label: cls.sandbox.instance_ids(
                each.project, each.name, each.domain
            )[0]
            for label, each in instances.items()
        }
        trove = cls.sandbox.urls['database']
        cls.gate = Gate(trove.partition('/v1.0')[0])
        for label, faults in cls.FAULTS.items():
            for kind, each in faults.items():
                about = (kind, cls.instances[label])
                cls.gate.faults[about] = list(each)
        server = proxy.Server(cls.gate)
        stack.callback(server.end)
        # Before anybody logs in, for that is when the catalogue is given.
        cls._lead_to(f'http://127.0.0.1:{server.server_port}')
        cls.apis, cls.troves = {}, {}
        for cloud in seed.USERS:
            session = cls.sandbox.session(cloud)
            url = trove % {'tenant_id': session.get_project_id()}
            cls.apis[cloud] = trove_backup_schedule.BackupSchedules(
                session, database_endpoint=url
            )
            cls.troves[cloud] = trove_client.Client(
                session=session, endpoint_override=url
            )

    @classmethod
    def _lead_to(cls, url: str) -> None:
        """Change Trove's address in Keystone's catalogue."""
        admin = cls.sandbox.session('admin')
        identity = cls.sandbox.urls['identity']
        (service,) = admin.get(
            f'{identity}/services', params={'type': 'database'}
        ).json()['services']
        for each in admin.get(
            f'{identity}/endpoints', params={'service_id': service['id']}
        ).json()['endpoints']:
            admin.patch(
                f'{identity}/endpoints/{each["id"]}',
                json={'endpoint': {'url': f'{url}/v1.0/%(tenant_id)s'}},
            )

    @classmethod
    def _cloud(cls, label: str) -> str:
        return cls.CLOUDS.get(label, 'demo')

    @classmethod
    def api(cls, label: str) -> trove_backup_schedule.BackupSchedules:
        """Give the Python API for a label's project, past the faults."""
        return cls.apis[cls._cloud(label)]

    @classmethod
    def _mistral(cls, cloud: str) -> Any:
        return mistral_client.Client(
            mistral_url=cls.sandbox.urls['workflowv2'],
            session=cls.sandbox.session(cloud),
        )

    @classmethod
    def _schedule(cls, label: str, keep: int | None = None) -> models.Schedule:
        cls.made[label] = cls.api(label).schedule_create(
            cls.instances[label], base.ONCE_A_YEAR, label, keep=keep
        )
        return cls.made[label]

    @classmethod
    def _start_slow(cls) -> None:
        """Run what ends before its backup, for it waits a short time only."""
        text = workbook.definition()
        for old, new in (
            ('3000', '15'),
            ('attempts < 30', 'attempts < 2'),
            ('attempts >= 30', 'attempts >= 2'),
        ):
            assert text.count(old) == 2, old
            text = text.replace(old, new)
        cls._mistral('other').workbooks.create(text)
        made = cls._schedule('slow', keep=1)
        backups = cls.troves['other'].backups
        cls.old = []
        for day in ('01', '02'):
            backups.create(
                f'slow-203001{day}030000',
                cls.instances['slow'],
                f'[schedule {made.id}]',
            )
            base.wait_until(
                lambda: all(
                    each.status == 'COMPLETED' for each in backups.list()
                ),
                30,
            )
        newest, older = (each.id for each in backups.list())
        cls.old = [older, newest]
        cls.sandbox.set_guest(
            seconds=1,
            seconds_by_instance={cls.instances['slow']: cls.SLOW_SECONDS},
        )
        cls.following = start(
            *(*base.SCHEDULE, 'run', made.id, '--wait', '-f', 'json'),
            shell=base.Shell(environment=cls.sandbox.environment('other')),
        )

    @classmethod
    def _start_faulty(cls) -> None:
        cls.apis['demo'].workbook_install()
        for label in cls.FAULTS:
            run = cls.api(label).schedule_run(cls._schedule(label).id)
            cls.runs[label] = run.id

    @classmethod
    def _run_full(cls) -> None:
        """Run one where the project's quota is used up."""
        api = cls.api('full')
        api.workbook_install()
        quota = cls.troves['admin'].quota
        project = cls.sandbox.session('demo-domain').get_project_id()
        quota.update(project, {'backups': 0})
        cls.runs['full'] = api.schedule_run(cls._schedule('full').id).id
        wait_for_runs(api, [cls.runs['full']])
        quota.update(project, {'backups': 50})

    @classmethod
    def _make_earlier(cls, pattern: str) -> None:
        """Make schedules for earlier workflows, and install the present."""
        mistral = cls._mistral('demo-domain')
        mistral.workbooks.update(SPECIFIED)
        keys = [cls._make_specified(mistral, pattern)]
        # Mistral tells a workflow that was changed by its second.
        time.sleep(1)
        mistral.workbooks.update(
            SPECIFIED.replace(
                ' [instance, name, description, parent_id]\n', EARLIER_INPUT
            )
        )
        keys.append(
            cls.troves['demo-domain']
            .backups.schedule_create(
                cls.instances['client'],
                pattern,
                'client',
                mistral_client=mistral,
            )
            .id
        )
        keys.append(cls._make_earlier_own(mistral, pattern))
        api = cls.apis['demo-domain']
        time.sleep(1)
        _, changed = api.workbook_install()
        assert changed
        for label, key in zip(cls.EARLIER, keys, strict=True):
            cls.made[label] = api.schedule_show(key)

    @classmethod
    def _make_specified(cls, mistral: Any, pattern: str) -> str:
        """Make a schedule as the specification does; give its ID."""
        made = mistral.cron_triggers.create(
            'specified',
            models.WORKFLOW,
            pattern=pattern,
            workflow_input={
                'instance': cls.instances['specified'],
                'name': 'specified',
                'description': None,
                'parent_id': None,
            },
        )
        return str(made.id)

    @classmethod
    def _make_earlier_own(cls, mistral: Any, pattern: str) -> str:
        """Make a schedule as an earlier release here did; give its ID."""
        schedule_id = models.new_id()
        name = models.TriggerName(
            name='earlier',
            instance=cls.instances['earlier'],
            schedule_id=schedule_id,
        )
        mistral.cron_triggers.create(
            str(name),
            models.WORKFLOW,
            pattern=pattern,
            workflow_params=models.workflow_params(schedule_id),
            workflow_input={
                'instance': name.instance,
                'name': name.name,
                'description': 'of every night',
                'parent_id': None,
                'incremental': None,
                'swift_container': None,
                'storage_driver': None,
                'schedule_id': schedule_id,
            },
        )
        return schedule_id

    @classmethod
    def _remove_earlier(cls) -> None:
        for label in cls.EARLIER:
            cls.api(label).schedule_delete(cls.made[label].id)

    @classmethod
    def _watch_slow(cls) -> None:
        """Look at the slow run while its backup goes on without it."""
        shell = base.Shell(environment=cls.sandbox.environment('other'))
        api, made = cls.api('slow'), cls.made['slow']
        cls.runs['slow'] = first_run(api, made)
        wait_for_runs(api, [cls.runs['slow']])
        cls.listed_at_end = shell.json(*base.EXECUTION, 'list', made.id)

    @classmethod
    def _wait_for_earlier(cls) -> None:
        for label in cls.EARLIER:
            cls.runs[label] = first_run(cls.api(label), cls.made[label])

    def setUp(self) -> None:
        super().setUp()
        self.shell = base.Shell(environment=self.sandbox.environment('demo'))

    def run_of(self, label: str) -> models.ScheduleExecution:
        """Give a run, with the state of its backup."""
        return self.api(label).execution_show(
            self.runs[label], with_backups=True
        )

    def backups(self, label: str) -> list[Any]:
        """Give the backups of an instance, as Trove has them."""
        rows: list[Any] = self.troves[self._cloud(label)].backups.list(
            instance_id=self.instances[label]
        )
        return rows

    def check_success(self, label: str) -> Any:
        """Check that a run has ended well, and give its backup."""
        run = self.run_of(label)
        self.assertEqual(('SUCCESS', None), (run.state, run.state_info), label)
        (backup,) = (
            each for each in self.backups(label) if each.id == run.backup_id
        )
        self.assertEqual('COMPLETED', backup.status)
        self.assertEqual(
            {
                'status': 'Backup complete',
                'backup_id': backup.id,
                'backup_name': backup.name,
                'backup_status': 'COMPLETED',
            },
            run.output,
        )
        return backup

    def check_failure(
        self, label: str, *words: str
    ) -> models.ScheduleExecution:
        """Check that a run has failed, and says so in plain words."""
        run = self.run_of(label)
        self.assertEqual('ERROR', run.state)
        for each in words:
            self.assertIn(each, str(run.state_info))
        for each in ('YAQL', 'Traceback', 'Failed to', 'action'):
            self.assertNotIn(each, str(run.state_info))
        return run

    def seen(self, kind: str, label: str) -> int:
        """Tell how many requests of a kind there were about an instance."""
        return self.gate.seen[kind, self.instances[label]]

    def test_away_at_the_start(self) -> None:
        """A Trove that does not answer is asked again to make a backup."""
        for label in ('down', 'refused'):
            self.check_success(label)
            self.assertEqual(1, len(self.backups(label)), label)
            self.assertEqual(2, self.seen('create', label), label)

    def test_away_while_waiting(self) -> None:
        """A Trove that does not answer is asked again for the backup."""
        self.check_success('away')
        self.assertEqual(1, self.seen('create', 'away'))
        self.assertGreaterEqual(self.seen('show', 'away'), 3)

    def test_lost_answer(self) -> None:
        """No second backup is made where only the answer was lost."""
        for label in ('lost', 'late'):
            self.check_success(label)
            self.assertEqual(1, len(self.backups(label)), label)
            self.assertEqual(1, self.seen('create', label), label)

    def test_lost_answer_and_away(self) -> None:
        """Nor is it where Trove can't be asked at once what it has."""
        for label in ('lost-and-down', 'made-and-down'):
            self.check_success(label)
            self.assertEqual(1, len(self.backups(label)), label)
            self.assertEqual(1, self.seen('create', label), label)

    def test_away_for_long(self) -> None:
        """A Trove that stays away is given up, and that is told."""
        run = self.check_failure(
            'never', 'The backup could not be started.', 'Connection aborted'
        )
        self.assertIsNone(run.backup_id)
        self.assertEqual(2, self.seen('create', 'never'))
        self.assertEqual([], self.backups('never'))

    def test_gone(self) -> None:
        """A backup that can't be found is no success, nor is it waited for."""
        (backup,) = self.backups('gone')
        run = self.check_failure(
            'gone',
            f'The backup {backup.id} was started, but it is not known how it '
            'ended.',
            'HTTP 404',
        )
        self.assertLessEqual(self.seen('show', 'gone'), 2)
        self.assertEqual(
            (backup.id, 'COMPLETED'), (run.backup_id, run.backup_status)
        )

    def test_quota(self) -> None:
        """A quota that is used up is told in plain words, with what to do."""
        run = self.check_failure('full')
        shown = self.json(
            *base.EXECUTION, 'show', run.id, cloud=self._cloud('full')
        )
        self.assertEqual(
            "The backup could not be started, for the project's quota of "
            'backups is used up. Delete backups that are not needed, let '
            'schedules keep fewer, or ask for a larger quota. Trove says: '
            "Quota exceeded for resources: ['backups']. (HTTP 413)",
            shown['state_info'],
        )
        self.assertEqual(
            1, attempts(self._mistral(self._cloud('full')), run.id)
        )
        self.assertEqual([], self.backups('full'))

    def test_still_running(self) -> None:
        """A run that gives up waiting says so, and not that all is well."""
        run = self.run_of('slow')
        self.assertEqual(('SUCCESS', None), (run.state, run.state_info))
        self.assertEqual('Backup still running', run.output['status'])
        self.assertEqual('BUILDING', run.output['backup_status'])
        (row,) = self.listed_at_end
        self.assertEqual(
            ('SUCCESS', 'BUILDING', run.backup_id),
            (row['State'], row['Backup Status'], row['Backup ID']),
        )
        self.assertLess(row['Duration'], self.SLOW_SECONDS)

    def test_still_running_followed(self) -> None:
        """Who waits for a backup waits longer than the run does."""
        outcome = finish(self.following)
        shown = json.loads(outcome.succeeded())
        run = self.run_of('slow')
        self.assertEqual(
            (run.id, 'SUCCESS', run.backup_id, 'COMPLETED'),
            tuple(
                shown[each]
                for each in ('id', 'state', 'backup_id', 'backup_status')
            ),
        )
        self.assertEqual(
            [
                f'The run {run.id} is SUCCESS; the backup {run.backup_name} '
                f'is {each}.'
                for each in ('BUILDING', 'COMPLETED')
            ],
            outcome.stderr.splitlines()[-2:],
        )
        (row,) = self.json(
            *(*base.EXECUTION, 'list', self.made['slow'].id),
            cloud=self._cloud('slow'),
        )
        self.assertEqual('COMPLETED', row['Backup Status'])
        # What the run itself has said stays.
        self.assertEqual('Backup still running', row['Output']['status'])

    def test_still_running_retention(self) -> None:
        """A backup that is not complete yet does not push out a good one."""
        first, second = self.old
        run = self.run_of('slow')
        self.assertEqual([first], run.output['removed'])
        self.assertEqual(
            {second, run.backup_id},
            {each.id for each in self.backups('slow')},
        )

    def test_earlier_schedules(self) -> None:
        """What was made for an earlier workflow runs by the present one."""
        for label in self.EARLIER:
            backup = self.check_success(label)
            made = self.made[label]
            self.assertRegex(backup.name, rf'^{label}-\d{{14}}$')
            label_id = made.id if label == 'earlier' else made.trigger_id
            self.assertTrue(
                backup.description.endswith(f'[schedule {label_id}]'), label
            )
            run = self.run_of(label)
            self.assertFalse(run.manual)
            (found,) = self.api(label).execution_list(made.id)
            self.assertEqual(run.id, found.id)
        self.assertEqual(
            f'of every night [schedule {self.made["earlier"].id}]',
            backup.description,
        )
