# SPDX-License-Identifier: Apache-2.0

"""What becomes of schedules when their time comes."""

import contextlib
import datetime
import functools
import json
from typing import Any

from sandbox import seed
from tests.functional import base
from trove_backup_schedule import models

#: Time in which all schedules below must have been made.
PREPARATION = datetime.timedelta(seconds=35)

#: Those that end well.
GOOD = (
    'ours',
    'client',
    'plain',
    'incremental',
    'parent',
    'once',
    'gone',
    'spare',
)

#: Those that still run when the tests end, but for their schedules.
SLOW = ('slow', 'cut')

#: How long the backups of the slow instances take.
SLOW_SECONDS = 300


class FiringTests(base.FunctionalTestCase):
    """Schedules of every kind that all fire at the same time, once."""

    instances: dict[str, str]
    made: dict[str, models.Schedule]
    runs: dict[str, models.ScheduleExecution]
    full: dict[str, str]

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        base.install_workbook()
        cls.instances, cls.made = {}, {}
        cls.addClassCleanup(cls._clean_up)
        cls.instances = cls._add_instances()
        cls._slow_down()
        cls.full = cls._back_up('incremental', 'parent')
        cls._make_in_time()
        cls.runs = {}
        base.wait_until(cls._all_have_run)
        schedules = base.schedules()
        schedules.schedule_delete(cls.made['gone'])
        schedules.schedule_delete(cls.made['cut'])

    @classmethod
    def _add_instances(cls) -> dict[str, str]:
        good = [*GOOD, *SLOW, 'twin']
        keys = dict(zip(good, base.add_instances(*good), strict=True))
        for behaviour in (seed.FAULTY, seed.STOPPED):
            (keys[behaviour],) = base.add_instances(
                behaviour, behaviour=behaviour
            )
        return keys

    @classmethod
    def _slow_down(cls) -> None:
        """Let some backups run for longer than the tests."""
        path = base.cloud().directory / 'guest.json'
        with base.locked('guest'):
            known = json.loads(path.read_text('utf-8'))
            slow = known.get('seconds_by_instance', {})
            slow |= {cls.instances[label]: SLOW_SECONDS for label in SLOW}
            base.cloud().set_guest(seconds=1, seconds_by_instance=slow)

    @classmethod
    def _back_up(cls, *labels: str) -> dict[str, str]:
        """Make a full backup of some instances, and wait for it."""
        backups = base.trove().backups
        made = {
            label: backups.create('full', cls.instances[label]).id
            for label in labels
        }
        base.wait_until(
            lambda: all(
                backups.get(each).status == 'COMPLETED'
                for each in made.values()
            )
        )
        return made

    @classmethod
    def _make_in_time(cls) -> None:
        """Make all schedules before the minute in which they fire."""
        while True:
            now = datetime.datetime.now(datetime.UTC)
            moment = (now + PREPARATION).replace(second=0, microsecond=0)
            # In whole minutes, and no less than what was asked for.
            moment += datetime.timedelta(minutes=1)
            cls._make(f'{moment.minute} * * * *')
            # Mistral may fire two seconds early.
            done = datetime.datetime.now(datetime.UTC)
            if done < moment - datetime.timedelta(seconds=5):
                return
            cls._delete()

    @classmethod
    def _make(cls, pattern: str) -> None:
        shell = base.Shell()
        options: dict[str, tuple[str, ...]] = {
            'ours': ('--description', 'of every hour'),
            'incremental': ('--incremental',),
            'parent': ('--parent', cls.full['parent']),
            'once': ('--count', '1'),
            'faulty': (),
            'stopped': (),
        }
        outcomes = base.at_once(
            functools.partial(
                shell.json,
                *(*base.SCHEDULE, 'create', label, *given),
                *('--instance', cls.instances[label]),
                *('--pattern', pattern),
            )
            for label, given in options.items()
        )
        schedules = base.schedules()
        ids = dict(
            zip(options, (each['id'] for each in outcomes), strict=True)
        )
        for label in ('gone', 'spare', *SLOW):
            ids[label] = schedules.schedule_create(
                cls.instances[label], pattern, label
            ).id
        mistral = base.mistral()
        ids['client'] = (
            base.trove()
            .backups.schedule_create(
                cls.instances['client'],
                pattern,
                'client',
                mistral_client=mistral,
            )
            .id
        )
        for label, its_pattern, key in (
            ('plain', pattern, 'plain'),
            ('twin', pattern, 'twin'),
            # Mistral refuses a second trigger that is equal in all.
            ('other twin', pattern.replace(' * ', ' */1 ', 1), 'twin'),
        ):
            ids[label] = mistral.cron_triggers.create(
                base.unique('specification'),
                models.WORKFLOW,
                pattern=its_pattern,
                workflow_input={
                    'instance': cls.instances[key],
                    'name': key,
                    'description': None,
                    'parent_id': None,
                },
            ).id
        cls.made = {
            label: schedules.schedule_show(key) for label, key in ids.items()
        }

    @classmethod
    def _all_have_run(cls) -> bool:
        """Look whether each schedule has run, and the runs have ended."""
        found = {
            run.trigger_id: run
            for run in base.schedules().execution_list(limit=200)
        }
        cls.runs = {
            label: found[each.trigger_id]
            for label, each in cls.made.items()
            if each.trigger_id in found
        }
        return cls.runs.keys() == cls.made.keys() and all(
            run.state != 'RUNNING' or label in SLOW
            for label, run in cls.runs.items()
        )

    @classmethod
    def _delete(cls) -> None:
        for each in cls.made.values():
            base.remove(each.id)
        cls.made = {}

    @classmethod
    def _clean_up(cls) -> None:
        cls._delete()
        client = base.trove()
        for key in cls.instances.values():
            for backup in client.backups.list(instance_id=key):
                # One that is running can't be deleted, and a parent takes
                # its children with it.
                with contextlib.suppress(Exception):
                    client.backups.delete(backup.id)

    def by_id(self, *command: str) -> dict[str, dict[str, Any]]:
        """Give the rows of a list by their ID."""
        return {row['ID']: row for row in self.json(*command)}

    def test_own_schedule(self) -> None:
        """An execution is found under its own schedule, and only there."""
        schedules = base.schedules()
        for label, made in self.made.items():
            if label in {'once', 'gone', 'spare', *SLOW}:
                continue
            (run,) = schedules.execution_list(made.id)
            self.assertEqual(self.runs[label].id, run.id, label)
            self.assertEqual(made.id, run.schedule_id, label)
        labels = ('ours', 'client', 'plain', 'twin', 'other twin')
        for label, outcome in zip(
            labels,
            base.at_once(
                functools.partial(
                    self.by_id,
                    *(*base.EXECUTION, 'list', self.made[label].id, '--long'),
                )
                for label in labels
            ),
            strict=True,
        ):
            (row,) = outcome.values()
            self.assertEqual(self.runs[label].id, row['ID'], label)
            self.assertEqual(self.made[label].id, row['Schedule ID'], label)

    def test_success(self) -> None:
        """A run that has ended well tells the backup that it has made."""
        backups = self.by_id('database', 'backup', 'list', '--limit', '100')
        for label in GOOD:
            run = self.runs[label]
            self.assertEqual('SUCCESS', run.state, f'{label}: {run}')
            backup = str(run.output['backup_id'])
            self.assertEqual(
                {
                    'status': 'Backup complete',
                    'backup_id': backup,
                    'backup_name': backups[backup]['Name'],
                    'backup_status': 'COMPLETED',
                },
                run.output,
            )
            self.assertIsNone(run.state_info)
            self.assertEqual(label, run.name)
            self.assertEqual(self.instances[label], run.instance)
            self.assertEqual('COMPLETED', backups[backup]['Status'])
            self.assertRegex(backups[backup]['Name'], rf'^{label}-\d{{14}}$')
            self.assertEqual(
                self.instances[label], backups[backup]['Instance ID']
            )
            self.assertEqual(
                self.full.get(label), backups[backup]['Parent ID']
            )
        shown = self.json(*base.EXECUTION, 'show', self.runs['ours'].id)
        self.assertEqual('SUCCESS', shown['state'])
        self.assertEqual(self.made['ours'].id, shown['schedule_id'])
        self.assertEqual(self.made['ours'].trigger_id, shown['trigger_id'])
        self.assertEqual(self.runs['ours'].output, shown['output'])
        for time in ('created_at', 'updated_at'):
            moment = datetime.datetime.fromisoformat(shown[time])
            self.assertEqual(datetime.timedelta(0), moment.utcoffset())

    def test_failure(self) -> None:
        """A run that has failed says why, in full."""
        for label, reason in (
            ('faulty', 'The backup ended as FAILED.'),
            ('stopped', self.instances['stopped']),
        ):
            run = self.runs[label]
            self.assertEqual('ERROR', run.state)
            shown = self.json(*base.EXECUTION, 'show', run.id)
            self.assertEqual('ERROR', shown['state'])
            self.assertIn(reason, shown['state_info'])
            self.assertEqual(
                base.mistral().executions.get(run.id).state_info,
                shown['state_info'],
            )
        # The service's own words are there, not only that it failed.
        self.assertIn('422', shown['state_info'])
        (row,) = self.json(
            *base.EXECUTION, 'list', self.made['faulty'].id, '--long'
        )
        self.assertIn('FAILED', row['State Info'])

    def test_cut_off(self) -> None:
        """A run that can't go on without its schedule says so plainly."""
        # The trust that it acts by goes with the schedule.
        key = self.runs['cut'].id
        schedules = base.schedules()
        run = base.wait_until(
            lambda: (
                found
                if (found := schedules.execution_show(key)).state != 'RUNNING'
                else None
            )
        )
        assert run
        if run.state != 'SUCCESS':
            self.assertIn('trust', str(run.state_info))
            self.assertNotIn('YAQL', str(run.state_info))

    def test_count(self) -> None:
        """A schedule goes with its last run, and the run stays."""
        made = self.made['once']
        self.assertEqual(1, made.remaining_executions)
        self.assertIn(
            made.id, self.fail_openstack(*base.SCHEDULE, 'show', made.id)
        )
        shown = self.json(*base.EXECUTION, 'show', self.runs['once'].id)
        self.assertEqual(made.id, shown['schedule_id'])

    def test_unfiltered(self) -> None:
        """All runs are listed, newest first, page by page."""
        rows: list[dict[str, Any]] = []
        marker: tuple[str, ...] = ()
        # One of them is deleted by a test.
        wanted = {
            run.id for label, run in self.runs.items() if label != 'spare'
        }
        while not wanted <= {row['ID'] for row in rows}:
            page = self.json(
                *base.EXECUTION, 'list', '--long', '--limit', '6', *marker
            )
            self.assertIn(len(page), range(1, 7), 'no more, and some are lost')
            rows += page
            marker = ('--marker', page[-1]['ID'])
        times = [row['Execution Time'] for row in rows]
        self.assertEqual(sorted(times, reverse=True), times)
        ids = [row['ID'] for row in rows]
        self.assertEqual(len(set(ids)), len(ids))
        # Among them those of schedules that were deleted or have ended.
        known = {row['ID']: row for row in rows}
        for label in ('gone', 'once', 'ours'):
            self.assertEqual(
                self.made[label].id,
                known[self.runs[label].id]['Schedule ID'],
            )

    def test_instance(self) -> None:
        """The runs of an instance are those of all its schedules."""
        listed = (*base.EXECUTION, 'list', '--instance')
        pages = (('--limit', '1'), ('--limit', '5'))
        key = self.instances['twin']
        first, both = (self.json(*listed, key, *page) for page in pages)
        wanted = {self.runs[label].id for label in ('twin', 'other twin')}
        self.assertEqual(wanted, {row['ID'] for row in both})
        self.assertEqual(both[:1], first)
        rest = self.json(*listed, key, '--marker', first[0]['ID'])
        self.assertEqual(both[1:], rest)

    def test_delete(self) -> None:
        """An execution goes and its backup stays, unless it is running."""
        spare, slow = self.runs['spare'], self.runs['slow']
        errors = self.fail_openstack(
            *base.EXECUTION, 'delete', slow.id, spare.id, base.unique('none')
        )
        self.assertIn(slow.id, errors)
        self.assertIn('RUNNING', errors)
        self.assertIn('2 of 3 executions failed to delete.', errors)
        self.assertIn(
            spare.id, self.fail_openstack(*base.EXECUTION, 'show', spare.id)
        )
        shown = self.json(*base.EXECUTION, 'show', slow.id)
        self.assertEqual('RUNNING', shown['state'])
        backup = base.trove().backups.get(spare.output['backup_id'])
        self.assertEqual('COMPLETED', backup.status)


class DuplicateTests(base.FunctionalTestCase):
    """python-troveclient has a command of the same name."""

    def test_ours(self) -> None:
        """Whatever the order in which plugins are found, ours is run."""
        key = base.unique('no-such')
        for outcome in base.at_once(
            functools.partial(
                self.run_openstack,
                *base.EXECUTION,
                'delete',
                key,
                PYTHONHASHSEED=seed_,
            )
            for seed_ in ('0', '1', '2', '3')
        ):
            self.assertEqual(
                f'No execution with the ID "{key}" in this project. See: '
                'openstack database backup execution list\n'
                '1 of 1 executions failed to delete.\n',
                outcome.failed(),
            )
