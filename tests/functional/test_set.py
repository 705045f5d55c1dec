# SPDX-License-Identifier: Apache-2.0

"""A schedule is changed, and nothing is lost on the way."""

from collections.abc import Callable
import datetime
import signal
import subprocess
import tempfile
import threading
from typing import Any

from tests.functional import base
from tests.functional import proxy
import trove_backup_schedule
from trove_backup_schedule import exceptions

# Requests to Mistral that a change makes at most. The last of the steps below
# must be one that is not reached any more.
STEPS = 9

BEFORE = 'before'
AFTER = 'after'

HTML = '<html><body>A fault on the way</body></html>'


class Interruption:
    """Passes requests on to Mistral until something happens at one of them.

    :param step: the number of that request, beginning with 1.
    :param moment: before Mistral gets it, or after it has acted.
    :param happen: what happens then, in place of an answer.
    """

    def __init__(
        self,
        step: int,
        moment: str,
        happen: Callable[[proxy.Handler], object],
    ) -> None:
        self._step = step
        self._moment = moment
        self._happen = happen
        self._lock = threading.Lock()
        self.seen: list[str] = []

    def __call__(self, handler: proxy.Handler, body: bytes) -> None:
        with self._lock:
            self.seen.append(handler.command)
            number = len(self.seen)
        if number == self._step and self._moment == BEFORE:
            self._happen(handler)
            return
        response = proxy.forward(handler, body)
        if number == self._step:
            self._happen(handler)
            return
        proxy.answer(handler, response)


class InterruptedTests(proxy.ProxyTestCase):
    """Whatever happens in the middle of a change, the schedule is there."""

    def setUp(self) -> None:
        super().setUp()
        self.install_workbook()
        self.add_cloud('demo')
        self.schedules = base.schedules()
        self.mistral = base.mistral()

    def triggers(self, schedule_id: str) -> list[Any]:
        """Give all cron triggers that carry a schedule."""
        return [
            each
            for each in self.mistral.cron_triggers.list()
            if schedule_id in each.name
        ]

    def check(self, schedule_id: str) -> None:
        """Check that a schedule is there once, and fires at its next time."""
        listed = [
            each
            for each in self.schedules.schedule_list()
            if each.id == schedule_id
        ]
        self.assertEqual(1, len(listed))
        (schedule,) = listed
        self.assertIn(
            (schedule.pattern, schedule.description, schedule.keep),
            {('0 3 * * *', 'old', 7), ('30 4 * * *', 'new', None)},
        )
        self.assertEqual([schedule], self.schedules_of_instance(schedule_id))
        triggers = self.triggers(schedule_id)
        self.assertIn(len(triggers), (1, 2))
        self.assertIn(
            f'{schedule.next_execution_time:%Y-%m-%d %H:%M:%S}',
            [each.next_execution_time for each in triggers],
        )

    def schedules_of_instance(self, schedule_id: str) -> list[Any]:
        """Give the schedules of this ID that the instance has."""
        return [
            each
            for each in self.schedules.schedule_list('m')
            if each.id == schedule_id
        ]

    def repair(self, schedule_id: str, way: int) -> None:
        """Check that the next command, whichever it is, repairs it."""
        if way % 3 == 0:
            self.schedules.schedule_set(schedule_id, description='repaired')
        elif way % 3 == 1:
            self.schedules.schedule_show(schedule_id)
        else:
            self.schedules.schedule_delete(schedule_id)
            self.assertEqual([], self.triggers(schedule_id))
            return
        (trigger,) = self.triggers(schedule_id)
        self.assertEqual(
            trigger.id, self.schedules.schedule_show(schedule_id).trigger_id
        )

    def create(self) -> str:
        """Create a schedule to change."""
        made = self.schedules.schedule_create(
            'm', '0 3 * * *', base.unique('set'), 'old', keep=7
        )
        self.addCleanup(base.remove, made.id)
        return made.id

    def arguments(self, schedule_id: str) -> tuple[str, ...]:
        """Give the command that changes the schedule."""
        return (
            *(*base.SCHEDULE, 'set', schedule_id, '--name', 'changed'),
            *('--pattern', '30 4 * * *', '--description', 'new', '--no-keep'),
        )

    def test_killed_at_every_step(self) -> None:
        """The process is killed before and after each of its requests."""
        reached = [
            self._kill(step, moment)
            for step in range(1, STEPS + 1)
            for moment in (BEFORE, AFTER)
        ]
        self.assertTrue(all(reached[:12]), reached)
        self.assertFalse(any(reached[-2:]), reached)

    def _kill(self, step: int, moment: str) -> bool:
        """Kill a change at a step; tell whether it came so far."""
        schedule_id = self.create()
        processes: list[subprocess.Popen[bytes]] = []

        def kill(_handler: proxy.Handler) -> None:
            processes[0].send_signal(signal.SIGKILL)
            processes[0].wait()

        cut = Interruption(step, moment, kill)
        self.add_cloud(
            'cut', workflowv2_endpoint_override=self.serve(cut) + '/v2'
        )
        processes.append(
            subprocess.Popen(
                [base.OPENSTACK, *self.arguments(schedule_id)],
                env=self.shell.env | {'OS_CLOUD': 'cut'},
                cwd=tempfile.gettempdir(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
        )
        status = processes[0].wait(base.COMMAND_SECONDS)
        self.assertIn(status, (0, -signal.SIGKILL))
        self.check(schedule_id)
        if status == 0:
            self.assertEqual(1, len(self.triggers(schedule_id)))
        self.repair(schedule_id, step)
        return status != 0

    def test_faults_at_every_step(self) -> None:
        """The answer is lost or is a 500 at each of its requests."""
        for step in range(1, STEPS + 1):
            for moment in (BEFORE, AFTER):
                for happen in (
                    proxy.Handler.hang_up,
                    proxy.say_to(500, HTML),
                ):
                    self._disturb(step, moment, happen)

    def _disturb(
        self, step: int, moment: str, happen: Callable[[Any], object]
    ) -> None:
        schedule_id = self.create()
        cut = Interruption(step, moment, happen)
        url = self.serve(cut) + '/v2'
        disturbed = trove_backup_schedule.BackupSchedules(
            base.logged_in(), workflow_endpoint=url
        )
        failed = None
        try:
            disturbed.schedule_set(
                schedule_id,
                name='changed',
                pattern='30 4 * * *',
                description='new',
                keep=None,
            )
        except exceptions.ScheduleError as exc:
            failed = exc
        self.check(schedule_id)
        if failed is None:
            shown = self.schedules.schedule_show(schedule_id)
            self.assertEqual('new', shown.description)
        self.repair(schedule_id, step)


class ChangeTests(base.FunctionalTestCase):
    """Every setting can be changed, and is shown changed."""

    def setUp(self) -> None:
        super().setUp()
        self.install_workbook()

    def set(self, schedule: str, *options: str) -> Any:
        """Change a schedule, and give how it is shown."""
        return self.json(*base.SCHEDULE, 'set', schedule, *options)

    def test_all_settings(self) -> None:
        """Each is set and removed again; ID and creation time stay."""
        made = self.create_schedule('--description', 'first', '--keep', '3')
        key = made['id']
        name = base.unique('renamed')
        shown = self.set(
            *(key, '--name', name, '--pattern', '@weekly', '--incremental'),
            *('--no-description', '--full-every', '6', '--keep', '14'),
            *('--swift-container', 'dumps', '--storage-driver', 'swift'),
            *('--count', '5', '--first-time', '2040-01-31T03:00:30Z'),
        )
        expected = {
            'id': key,
            'name': name,
            'pattern': '@weekly',
            'incremental': True,
            'description': None,
            'full_every': 6,
            'keep': 14,
            'swift_container': 'dumps',
            'storage_driver': 'swift',
            'remaining_executions': 5,
            'next_execution_time': '2040-01-31T03:01:00+00:00',
            'created_at': made['created_at'],
        }
        self.assertEqual(expected, {key: shown[key] for key in expected})
        # The first time stays when something else is changed.
        shown = self.set(key, '--description', 'again')
        self.assertEqual(
            '2040-01-31T03:01:00+00:00', shown['next_execution_time']
        )
        shown = self.set(
            *(name, '--no-incremental', '--no-keep', '--no-swift-container'),
            *('--no-storage-driver', '--no-count', '--no-description'),
        )
        expected = {
            'id': key,
            'incremental': False,
            'full_every': None,
            'keep': None,
            'swift_container': None,
            'storage_driver': None,
            'remaining_executions': None,
            'description': None,
        }
        self.assertEqual(expected, {key: shown[key] for key in expected})
        self.assertEqual(
            [key],
            [
                each['ID']
                for each in self.json(*base.SCHEDULE, 'list')
                if each['Name'] == name
            ],
        )

    def test_disabled_and_enabled(self) -> None:
        """A disabled schedule is listed so, and keeps all that it has."""
        made = self.create_schedule(
            *('--description', 'kept', '--keep', '3', '--disable'),
            pattern=base.EVERY_MINUTE,
        )
        self.assertEqual(
            (False, None, []),
            (made['enabled'], made['next_execution_time'], made['next_runs']),
        )
        listed = {
            each['ID']: each for each in self.json(*base.SCHEDULE, 'list')
        }
        self.assertFalse(listed[made['id']]['Enabled'])
        self.assertEqual(base.EVERY_MINUTE, listed[made['id']]['Pattern'])
        now = datetime.datetime.now(datetime.UTC)
        shown = self.set(made['id'], '--enable', '--pattern', '0 3 * * *')
        self.assertEqual(
            (True, 'kept', 3),
            (shown['enabled'], shown['description'], shown['keep']),
        )
        due = datetime.datetime.fromisoformat(shown['next_execution_time'])
        self.assertEqual((3, 0), (due.hour, due.minute))
        self.assertGreater(due, now)

    def test_refusals(self) -> None:
        """What can't be set is refused, and nothing is changed."""
        made = self.create_schedule('--incremental')
        key = made['id']
        refused = {
            ('--keep', '3'): 'make a full one every so often',
            ('--keep', '0'): 'between 1',
            ('--pattern', '* * * * * *'): '6 fields',
            ('--name', 'a/b'): 'not possible',
            ('--storage-driver', ''): 'storage driver',
            ('--first-time', '2020-01-01'): 'not at least one minute',
            ('--parent', 'no-such-backup'): 'No backup',
            ('--spread', '--pattern', '0 3 * * *'): '@daily',
            (): 'Nothing was changed',
        }
        outcomes = self.shell.at_once(
            (*base.SCHEDULE, 'set', key, *options) for options in refused
        )
        for words, outcome in zip(refused.values(), outcomes, strict=True):
            self.assertIn(words, outcome.failed())
        for options in (
            ('--keep', '3', '--no-keep'),
            ('--enable', '--disable'),
            ('--parent', 'x', '--incremental'),
        ):
            self.fail_openstack(*base.SCHEDULE, 'set', key, *options, status=2)
        shown = self.json(*base.SCHEDULE, 'show', key)
        self.assertEqual(
            {**made, 'next_runs': None}, {**shown, 'next_runs': None}
        )
