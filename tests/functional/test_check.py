# SPDX-License-Identifier: Apache-2.0

"""Whether the data is safe, as the real servers let it be known."""

import contextlib
import datetime
import json
import sqlite3
import time
from typing import Any

from sandbox import seed
from tests.functional import base
from trove_backup_schedule import models

HOURLY = '30 * * * *'

#: Seconds for which a schedule of every minute is changed all the time.
BUSY_SECONDS = 150


def make_older(instance: str, pattern: str, age: datetime.timedelta) -> str:
    """Create a schedule that says of itself that it was created before.

    :returns: its ID.
    """
    now = datetime.datetime.now(datetime.UTC)
    schedule_id = models.new_id()
    name = models.TriggerName(
        name=base.unique('older'), instance=instance, schedule_id=schedule_id
    )
    base.mistral().cron_triggers.create(
        str(name),
        models.WORKFLOW,
        pattern=pattern,
        workflow_params=models.workflow_params(schedule_id),
        workflow_input={
            'instance': instance,
            'name': name.name,
            'schedule_id': schedule_id,
            'created_at': (now - age).isoformat(),
            'active_since': (now - age).isoformat(),
        },
    )
    return schedule_id


class CheckTests(base.FunctionalTestCase):
    """Schedules in every state, one on each instance."""

    instances: dict[str, str]
    ids: dict[str, str]

    LABELS = ('fresh', 'paused', 'monthly', 'lost', 'good', 'bare', 'saved')

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        base.install_workbook()
        cls.instances = dict(
            zip(cls.LABELS, base.add_instances(*cls.LABELS), strict=True)
        )
        (cls.instances['faulty'],) = base.add_instances(
            'faulty', behaviour=seed.FAULTY
        )
        schedules = base.schedules()
        cls.ids = {
            label: schedules.schedule_create(
                cls.instances[label], base.ONCE_A_YEAR, label, enabled=enabled
            ).id
            for label, enabled in (
                ('fresh', True),
                ('paused', False),
                ('good', True),
                ('faulty', True),
            )
        }
        cls.ids['monthly'] = make_older(
            cls.instances['monthly'],
            '0 3 1 * *',
            datetime.timedelta(days=75),
        )
        cls.ids['lost'] = make_older(
            cls.instances['lost'], HOURLY, datetime.timedelta(hours=5)
        )
        cls.addClassCleanup(cls._clean_up)
        base.trove().backups.create('by hand', cls.instances['saved'])
        runs = [
            schedules.schedule_run(cls.ids[label])
            for label in ('good', 'faulty', 'paused')
        ]
        base.wait_until(
            lambda: all(schedules.execution_show(run.id).ended for run in runs)
        )

    @classmethod
    def _clean_up(cls) -> None:
        for each in cls.ids.values():
            base.remove(each)

    def check(self, *arguments: str) -> tuple[int, list[dict[str, Any]]]:
        """Run the command; give its exit code and what it says."""
        outcome = self.run_openstack(
            *(*base.SCHEDULE, 'check', *arguments, '-f', 'json')
        )
        self.assertNotIn('Traceback', outcome.stderr)
        return outcome.status, json.loads(outcome.stdout)

    def verdict(
        self, label: str, status: int, verdict: str, *options: str
    ) -> dict[str, Any]:
        """Check one schedule, and what comes of it."""
        found, (row,) = self.check(self.ids[label], *options)
        self.assertEqual((status, verdict), (found, row['Verdict']), str(row))
        self.assertEqual(self.ids[label], row['Schedule ID'])
        self.assertEqual(self.instances[label], row['Instance'])
        return row

    def test_not_fired_yet(self) -> None:
        """A schedule that has not fired yet is OK, and says when it will."""
        row = self.verdict('fresh', 0, 'OK')
        self.assertIn('has not run yet', row['Reason'])
        self.assertEqual([], row['Missed Runs'])
        self.assertIsNone(row['Last Good Backup'])
        year = datetime.datetime.now(datetime.UTC).year + 1
        self.assertEqual(f'{year}-01-01T00:00:00+00:00', row['Next Run'])

    def test_disabled(self) -> None:
        """A disabled one is a warning, misses nothing and has no next run."""
        row = self.verdict('paused', 1, 'WARNING')
        self.assertIn('disabled', row['Reason'])
        self.assertEqual([], row['Missed Runs'])
        self.assertIsNone(row['Next Run'])
        self.assertIsNotNone(row['Last Good Backup'])

    def test_good(self) -> None:
        """The last good backup is told with its age, the run, and its end."""
        row = self.verdict('good', 0, 'OK')
        self.assertLess(row['Age'], 3600)
        self.assertEqual('SUCCESS', row['State'])
        self.verdict('good', 0, 'OK', '--max-age', '1d')

    def test_failed(self) -> None:
        """A failed run by hand is told, and there is no backup."""
        row = self.verdict('faulty', 1, 'WARNING')
        self.assertIn('FAILED', row['Reason'])
        self.assertEqual('ERROR', row['State'])
        self.assertIsNone(row['Last Good Backup'])

    def test_missed(self) -> None:
        """Runs that Mistral never started are told one by one."""
        row = self.verdict('lost', 2, 'CRITICAL')
        self.assertIn(len(row['Missed Runs']), (4, 5))
        times = [
            datetime.datetime.fromisoformat(each)
            for each in row['Missed Runs']
        ]
        self.assertEqual({30}, {each.minute for each in times})
        self.assertEqual(times, sorted(times))

    def test_monthly(self) -> None:
        """A monthly pattern is looked back at for months, not for days."""
        row = self.verdict('monthly', 2, 'CRITICAL')
        self.assertIn(len(row['Missed Runs']), (2, 3))
        self.assertTrue(
            all('-01T03:00:00' in each for each in row['Missed Runs'])
        )

    def test_several(self) -> None:
        """The exit code is that of the worst."""
        status, rows = self.check(*self.ids.values())
        self.assertEqual(2, status)
        self.assertEqual(
            list(self.ids.values()), [row['Schedule ID'] for row in rows]
        )
        status, rows = self.check(self.ids['good'], self.ids['paused'])
        self.assertEqual(1, status)
        table = self.run_openstack(*base.SCHEDULE, 'check', self.ids['lost'])
        self.assertEqual(2, table.status)
        self.assertIn('CRITICAL', table.stdout)

    def test_by_instance(self) -> None:
        """The schedules of an instance are checked by its name."""
        status, (row,) = self.check('--instance', self.instances['good'])
        self.assertEqual((0, self.ids['good']), (status, row['Schedule ID']))

    def test_instances_without_a_schedule(self) -> None:
        """With --all they are told, whether or not they have a backup."""
        status, rows = self.check('--all')
        self.assertEqual(2, status)
        bare = {
            row['Instance']: row for row in rows if row['Schedule ID'] is None
        }
        self.assertEqual('CRITICAL', bare[self.instances['bare']]['Verdict'])
        self.assertEqual('WARNING', bare[self.instances['saved']]['Verdict'])
        for label in self.ids:
            self.assertNotIn(self.instances[label], bare)

    def test_refusals(self) -> None:
        """What can't be checked is an error, not a verdict."""
        for words, arguments in (
            ('No schedule', ('no-such-schedule',)),
            ('No instance', ('--instance', 'no-such-instance')),
            ('duration', ('--max-age', 'soon')),
            ('not both', (self.ids['good'], '--instance', 'm')),
            ('column', ('-c', 'No such column')),
        ):
            self.assertIn(
                words,
                self.run_openstack(*base.SCHEDULE, 'check', *arguments).failed(
                    3
                ),
            )

    def test_login(self) -> None:
        """Who can't log in learns nothing, and it is no verdict either."""
        for option, value, words in (
            ('--os-password', 'wrong', 'HTTP 401'),
            ('--os-auth-url', 'http://127.0.0.1:1/v3', 'connect'),
        ):
            outcome = self.run_openstack(
                option, value, *base.SCHEDULE, 'check', self.ids['good']
            )
            self.assertIn(words, outcome.failed(3))
            self.assertEqual('', outcome.stdout)


class MinuteTests(base.FunctionalTestCase):
    """Schedules of every minute, in real time.

    One is changed all the time. Of the other Keystone has lost the trust, so
    that Mistral loses its runs.
    """

    busy: str
    lost: str
    ended: float
    began: float
    changes = 0

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        base.install_workbook()
        instances = base.add_instances('busy', 'lost')
        schedules = base.schedules()
        cls.busy, cls.lost = (
            schedules.schedule_create(
                instance, base.EVERY_MINUTE, base.unique('minutes')
            ).id
            for instance in instances
        )
        cls.addClassCleanup(base.remove, cls.busy)
        cls.addClassCleanup(base.remove, cls.lost)
        cls._lose_trust()
        cls.began = time.time()
        while time.time() - cls.began < BUSY_SECONDS:
            cls.changes += 1
            schedules.schedule_set(
                cls.busy, description=f'change {cls.changes}'
            )
        cls.ended = time.time()
        schedules.schedule_set(cls.busy, enabled=False)

    @classmethod
    def _lose_trust(cls) -> None:
        """Delete the trust of a schedule, behind Mistral's back."""
        trigger = base.schedules().schedule_show(cls.lost).trigger_id
        path = base.cloud().directory / 'mistral.sqlite'
        with contextlib.closing(sqlite3.connect(path, timeout=30)) as rows:
            ((trust,),) = rows.execute(
                'SELECT trust_id FROM cron_triggers_v2 WHERE id = ?',
                (trigger,),
            )
        base.logged_in().delete(
            f'/OS-TRUST/trusts/{trust}',
            endpoint_filter={
                'service_type': 'identity',
                'interface': 'public',
            },
        )

    def test_no_tick_is_lost(self) -> None:
        """Each minute has a run of the one that was changed, at most two."""
        runs = [
            each.created_at.timestamp()
            for each in base.schedules().execution_list(self.busy)
            if each.created_at
        ]
        first = int(self.began // 60 + 1) * 60
        for tick in range(first, int(self.ended) - 2, 60):
            # Mistral may be two seconds early.
            found = [each for each in runs if -3 <= each - tick < 57]
            self.assertIn(len(found), (1, 2), f'{tick} {runs}')
        self.assertGreater(self.changes, BUSY_SECONDS / 5)

    def test_lost_runs(self) -> None:
        """Mistral says nothing of runs that it lost; the check does."""

        def missed() -> list[str]:
            outcome = self.run_openstack(
                *(*base.SCHEDULE, 'check', self.lost, '-f', 'json')
            )
            (row,) = json.loads(outcome.stdout)
            self.assertEqual('SUCCESS', row['State'] or 'SUCCESS')
            found: list[str] = row['Missed Runs']
            if found:
                self.assertIn(outcome.status, (1, 2))
                self.assertIn('missed', row['Reason'].lower())
            return found

        base.wait_until(missed)
        self.assertEqual(
            [],
            [
                run
                for run in base.schedules().execution_list(self.lost)
                if run.state == 'SUCCESS'
            ],
        )
