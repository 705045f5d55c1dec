# SPDX-License-Identifier: Apache-2.0

import json
from typing import Any

from keystoneauth1 import exceptions as ksa
from osc_lib import exceptions as osc_exceptions

from tests.unit import base
from tests.unit import fakes
from tests.unit.fakes import our_backup
from tests.unit.fakes import our_trigger
from tests.unit.fakes import run_of
from tests.unit.fakes import schedule_id
from tests.unit.osc import test_schedule
from trove_backup_schedule import exceptions
from trove_backup_schedule.osc import upkeep

BACKUP = base.uid(0xB001)
NAME = 'nightly-20300101000000'

#: What is seen at one look at a run: what its row has then, and what Trove
#: says of its backup: a status, nothing or a fault.
Look = tuple[fakes.Row, str | None]

RUNNING: fakes.Row = {'state': 'RUNNING'}
FAULT = 'HTTP 500'


def ended(state: str, status: str | None, **changes: Any) -> fakes.Row:
    """Give what the row of a run has when that has ended.

    :param status: that of its backup then; None if it has none.
    """
    output = {
        'backup_id': BACKUP,
        'backup_name': NAME,
        'backup_status': status,
    }
    return {
        'state': state,
        'output': json.dumps(output if status else {}),
        **changes,
    }


class TestRun(test_schedule.ScheduleTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.triggers.append(our_trigger(1))

    def _wait(self, *looks: Look) -> Any:
        """Wait for a run that goes on like this, a step with each look."""
        left = iter(looks)

        def before(request: Any) -> None:
            if request.method == 'GET' and '/executions/' in request.path:
                self._go_on(*next(left))

        self.mistral.before = before
        try:
            return self.run_json(upkeep.RunSchedule, 'nightly', '--wait')
        finally:
            self.assertEqual([], list(left))

    def _go_on(self, changes: fakes.Row, status: str | None) -> None:
        self.executions[-1].update(changes)
        made = our_backup(1, 1, status=status)
        made['created'] = f'{fakes.NOW:%FT%T}'
        self.backups(*([made] if status else []))
        if status == FAULT:
            self.http.get(f'{base.TROVE}/backups', status_code=500)

    def test_it_is_started_and_left_to_itself(self) -> None:
        shown = self.run_json(upkeep.RunSchedule, 'nightly')
        (row,) = self.executions
        self.assertEqual(
            (row['id'], 'RUNNING', schedule_id(1), True),
            tuple(
                shown[key] for key in ('id', 'state', 'schedule_id', 'manual')
            ),
        )
        self.assertEqual(self.triggers[0]['workflow_input'], shown['input'])
        self.assertEqual('', self.stderr.getvalue())

    def test_people_see_how_it_goes_on(self) -> None:
        shown = self._wait(
            (RUNNING, None),
            (RUNNING, 'NEW'),
            (RUNNING, 'BUILDING'),
            (RUNNING, 'BUILDING'),
            (RUNNING, 'COMPLETED'),
            (ended('SUCCESS', 'COMPLETED'), 'COMPLETED'),
        )
        run = f'The run {self.executions[0]["id"]} is'
        self.assertEqual(
            [
                f'{run} RUNNING.',
                f'{run} RUNNING; the backup {NAME} is NEW.',
                f'{run} RUNNING; the backup {NAME} is BUILDING.',
                f'{run} RUNNING; the backup {NAME} is COMPLETED.',
                f'{run} SUCCESS; the backup {NAME} is COMPLETED.',
            ],
            self.stderr.getvalue().splitlines(),
        )
        self.assertEqual(
            ('SUCCESS', BACKUP, 'COMPLETED'),
            tuple(
                shown[key] for key in ('state', 'backup_id', 'backup_status')
            ),
        )

    def test_a_complete_backup_is_a_success_whatever_the_run_says(
        self,
    ) -> None:
        for looks in (
            # The run gives up before the backup ends.
            [
                (ended('SUCCESS', 'BUILDING'), 'BUILDING'),
                (ended('SUCCESS', 'BUILDING'), 'SAVING'),
                (ended('SUCCESS', 'BUILDING'), 'COMPLETED'),
            ],
            # It has lost sight of the backup.
            [
                (ended('ERROR', 'BUILDING'), 'BUILDING'),
                (ended('ERROR', 'BUILDING'), 'COMPLETED'),
            ],
        ):
            with self.case(looks):
                shown = self._wait(*looks)
                self.assertEqual('COMPLETED', shown['backup_status'])

    def test_a_passing_fault_of_trove_is_no_end(self) -> None:
        done = ended('SUCCESS', 'COMPLETED')
        for looks in (
            [(RUNNING, FAULT), (done, 'COMPLETED')],
            [(done, FAULT), (done, 'COMPLETED')],
        ):
            with self.case(looks):
                shown = self._wait(*looks)
                self.assertEqual('COMPLETED', shown['backup_status'])

    def test_without_a_good_backup_it_fails_and_says_why(self) -> None:
        failed = ended('ERROR', 'FAILED', state_info='It ended as FAILED.')
        quota = "The project's quota of backups is used up."
        for looks, reason in (
            ([(RUNNING, 'BUILDING'), (failed, 'FAILED')], 'ended as FAILED.'),
            ([(ended('ERROR', None, state_info=quota), None)], quota),
            (
                [
                    (ended('SUCCESS', 'BUILDING'), 'BUILDING'),
                    (ended('SUCCESS', 'BUILDING'), 'FAILED'),
                ],
                'the backup is FAILED.',
            ),
            # Somebody has deleted it meanwhile.
            (
                [(ended('SUCCESS', 'COMPLETED'), None)],
                'the backup is DELETED.',
            ),
            ([(RUNNING, None), (ended('CANCELLED', None), None)], 'CANCELLED'),
            ([({'state': 'PAUSED'}, None)], 'it is PAUSED'),
        ):
            with self.case(looks):
                exc = self.assertRaises(
                    osc_exceptions.CommandError, self._wait, *looks
                )
                run = self.executions[-1]['id']
                self.assertIn(f'The run {run} has made no good', str(exc))
                self.assertIn(reason, str(exc))
                self.assertEqual('', self.stdout.getvalue())

    def test_a_backup_that_was_never_begun_has_no_state(self) -> None:
        output = {'backup_id': None, 'backup_name': NAME}
        row = {'state': 'ERROR', 'output': json.dumps(output)}
        self.assertRaises(osc_exceptions.CommandError, self._wait, (row, None))
        self.assertEqual(
            f'The run {self.executions[-1]["id"]} is ERROR.\n',
            self.stderr.getvalue(),
        )

    def test_what_is_not_there(self) -> None:
        self.assertRaises(
            exceptions.NotFoundError,
            self.run_command,
            upkeep.RunSchedule,
            'none',
        )
        self.assertEqual([], self.executions)

    def test_arguments_that_are_refused(self) -> None:
        for arguments in ([], ['nightly', 'weekly'], ['nightly', '--wait=1']):
            with self.case(arguments):
                self.refuse(upkeep.RunSchedule, *arguments)


class TestPrune(test_schedule.ScheduleTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.triggers.append(our_trigger(1))
        self.backups(
            *(our_backup(number, 1) for number in (1, 2, 3)),
            our_backup(4, 1, status='FAILED'),
            fakes.backup(base.uid(0xB)),
        )
        for number in (1, 2, 3, 4):
            self.http.delete(
                f'{base.TROVE}/backups/{base.uid(0xB000 + number)}',
                status_code=202,
            )

    def _deleted(self) -> list[int]:
        """Give the numbers of the backups that Trove was asked to delete."""
        return [
            int(each.path[-2:], 16)
            for each in self.sent(base.TROVE)
            if each.method == 'DELETE'
        ]

    def _rows(self, *arguments: str) -> list[tuple[int, str]]:
        """Prune, and give the number of each backup and the decision."""
        return [
            (int(row['Backup ID'][-2:], 16), row['Decision'])
            for row in self.run_json(
                upkeep.PruneSchedule, 'nightly', *arguments
            )
        ]

    def test_what_is_shown(self) -> None:
        self.triggers[0]['workflow_input']['keep'] = 1
        failed, good, *_ = self.run_json(
            upkeep.PruneSchedule, 'nightly', '--dry-run'
        )
        self.assertEqual(
            {
                'Backup ID': base.uid(0xB003),
                'Backup Name': NAME,
                'Created At': '2030-01-01T00:00:03+00:00',
                'Status': 'COMPLETED',
                'Decision': 'keep',
                'Reason': 'the newest',
            },
            good,
        )
        self.assertEqual(
            ('FAILED', 'delete', 'failed'),
            (failed['Status'], failed['Decision'], failed['Reason']),
        )
        header, *_, oldest = self.table(
            upkeep.PruneSchedule, 'nightly', '--dry-run'
        )
        self.assertEqual(list(good), header)
        self.assertEqual(
            [
                base.uid(0xB001),
                NAME,
                '2030-01-01 00:00:01 UTC',
                'COMPLETED',
                'delete',
                'there are enough newer ones',
            ],
            oldest,
        )

    def test_a_dry_run_deletes_nothing(self) -> None:
        self.assertEqual(
            [(4, 'delete'), (3, 'keep'), (2, 'keep'), (1, 'delete')],
            self._rows('--keep', '2', '--dry-run'),
        )
        self.assertEqual([], self.changed())

    def test_what_is_too_much_is_deleted(self) -> None:
        self.assertEqual(
            [(4, 'deleted'), (3, 'kept'), (2, 'kept'), (1, 'deleted')],
            self._rows('--keep', '2'),
        )
        self.assertEqual([1, 4], sorted(self._deleted()))

    def test_the_number_is_the_schedules_unless_another_is_given(self) -> None:
        self.triggers[0]['workflow_input']['keep'] = 2
        for arguments, kept in (([], [3, 2]), (['--keep', '1'], [3])):
            with self.case(arguments):
                rows = self._rows('--dry-run', *arguments)
                self.assertEqual(
                    kept, [number for number, word in rows if word == 'keep']
                )

    def test_without_a_number_nothing_is_deleted(self) -> None:
        exc = self.assertRaises(exceptions.InvalidValueError, self._rows)
        self.assertIn('keeps all its backups', str(exc))
        self.assertEqual([], self.changed())

    def test_at_least_one_is_kept(self) -> None:
        for number in ('0', '-1'):
            with self.case(number):
                self.assertRaises(
                    exceptions.InvalidValueError,
                    self._rows,
                    f'--keep={number}',
                )
        self.assertEqual([], self.sent(base.MISTRAL))

    def test_a_schedule_without_backups(self) -> None:
        self.backups()
        self.assertEqual([], self._rows('--keep', '1'))

    def test_arguments_that_are_refused(self) -> None:
        for arguments in ([], ['nightly', 'weekly'], ['a', '--keep', 'all']):
            with self.case(arguments):
                self.refuse(upkeep.PruneSchedule, *arguments)


class TestCheck(test_schedule.ScheduleTestCase):
    """A schedule that was to run at 03:00 today, nine hours ago."""

    def setUp(self) -> None:
        super().setUp()
        self.triggers.append(our_trigger(1))
        self.backups()

    def _be_good(self) -> None:
        """Have a run that has made a good backup."""
        self.executions.append(
            run_of(
                1,
                self.triggers[0],
                created_at='2030-01-01 03:00:00',
                updated_at='2030-01-01 03:02:00',
                **ended('SUCCESS', 'COMPLETED'),
            )
        )
        self.backups(our_backup(1, 1) | {'created': '2030-01-01T03:00:01'})

    def _be_bad(self, number: int = 1) -> None:
        """Have a schedule whose last two runs were missed."""
        row = our_trigger(number, 'bad', created_at='2029-12-30 12:00:00')
        self.triggers.append(row)

    def _reasons(self) -> list[str]:
        """Give all that the Python API says of each schedule."""
        schedules = self.app.client_manager.database_backup_schedule
        return [' '.join(each.reasons) for each in schedules.schedule_check()]

    def _check(self, *arguments: str) -> tuple[int, Any]:
        """Give the exit code and what is printed."""
        status = self._run(*arguments)
        return status, json.loads(self.stdout.getvalue())

    def _run(self, *arguments: str) -> int:
        """Give the exit code."""
        factory: Any = upkeep.CheckSchedule
        made = factory(self.app, None)
        # The shell does so before each command.
        self.app.prepare_to_run_command(made)
        parser = made.get_parser('openstack x')
        self.stdout.truncate(self.stdout.seek(0))
        status: int = made.run(parser.parse_args(['-f', 'json', *arguments]))
        return status

    def _fails(self, words: str, *arguments: str) -> None:
        """Check that it is told that nothing can be told."""
        self.assertEqual(3, self._run(*arguments))
        self.assertEqual('', self.stdout.getvalue())
        self.assertIn(words, self.log.output)

    def _verdicts(self, *arguments: str) -> tuple[int, list[str]]:
        """Give the exit code and the verdicts."""
        status, rows = self._check(*arguments)
        return status, [row['Verdict'] for row in rows]

    def test_all_is_well(self) -> None:
        self._be_good()
        status, (row,) = self._check()
        self.assertEqual(0, status)
        self.assertEqual(
            {
                'Schedule ID': schedule_id(1),
                'Name': 'nightly',
                'Instance': fakes.INSTANCE,
                'Verdict': 'OK',
                'Reason': self._reasons()[0],
                'Last Good Backup': '2030-01-01T03:00:01+00:00',
                'Age': 32399,
                'Last Run': '2030-01-01T03:00:00+00:00',
                'State': 'SUCCESS',
                'Missed Runs': [],
                'Next Run': '2030-01-02T03:00:00+00:00',
            },
            row,
        )

    def test_a_warning(self) -> None:
        status, (row,) = self._check()
        self.assertEqual((1, 'WARNING'), (status, row['Verdict']))
        self.assertEqual(['2030-01-01T03:00:00+00:00'], row['Missed Runs'])
        for column in ('Last Good Backup', 'Age', 'Last Run', 'State'):
            self.assertIs(None, row[column])

    def test_danger(self) -> None:
        self.triggers.clear()
        self._be_bad()
        status, (row,) = self._check()
        self.assertEqual((2, 'CRITICAL'), (status, row['Verdict']))
        self.assertEqual(
            ['2029-12-31T03:00:00+00:00', '2030-01-01T03:00:00+00:00'],
            row['Missed Runs'],
        )

    def test_what_people_see(self) -> None:
        self._be_good()
        self._be_bad(2)
        text = self.run_command(
            upkeep.CheckSchedule, '-f', 'table', '--max-width', '0'
        )
        for words in (
            '| OK ',
            '| CRITICAL ',
            '| 2029-12-31 03:00:00 UTC ',
            '| 2030-01-01 03:00:00 UTC ',
            '| 8 h 59 min ',
        ):
            with self.case(words):
                self.assertIn(words, text)

    def test_a_table_has_the_ids_if_they_are_asked_for(self) -> None:
        self._be_good()
        every = [*self._check()[1][0]]
        for arguments, expected in (
            (
                [],
                [
                    each
                    for each in every
                    if each not in ('Schedule ID', 'Instance')
                ],
            ),
            (['--long'], every),
            (['-c', 'Age', '-c', 'State'], ['Age', 'State']),
        ):
            with self.case(arguments):
                header, *_ = self.table(upkeep.CheckSchedule, *arguments)
                self.assertEqual(expected, header)

    def test_all_reasons_are_told(self) -> None:
        self._be_bad(2)
        _, rows = self._check()
        self.assertEqual(self._reasons(), [row['Reason'] for row in rows])

    def test_the_worst_verdict_is_the_exit_code(self) -> None:
        self._be_good()
        self.assertEqual((0, ['OK']), self._verdicts())
        self.triggers.append(our_trigger(2, 'w'))
        self.assertEqual((1, ['OK', 'WARNING']), self._verdicts())
        self._be_bad(3)
        self.assertEqual((2, ['CRITICAL', 'OK', 'WARNING']), self._verdicts())

    def test_the_exit_code_is_of_those_that_were_asked_for(self) -> None:
        self._be_good()
        self._be_bad(2)
        for arguments, expected in (
            (['nightly'], (0, ['OK'])),
            ([schedule_id(2)], (2, ['CRITICAL'])),
            (['nightly', 'bad'], (2, ['OK', 'CRITICAL'])),
            (['--instance', 'orders'], (2, ['CRITICAL', 'OK'])),
        ):
            with self.case(arguments):
                self.assertEqual(expected, self._verdicts(*arguments))

    def test_nothing_to_check(self) -> None:
        self.triggers.clear()
        self.assertEqual((1, []), self._check())
        self.assertIn('has no schedules', self.log.output)
        self.http.get(f'{base.TROVE}/instances', json={'instances': []})
        self.assertEqual((0, []), self._check('--all'))
        self.assertIn('no schedules and no instances', self.log.output)

    def test_instances_without_a_schedule(self) -> None:
        self._be_good()
        status, (_, row) = self._check('--all')
        self.assertEqual(
            (2, fakes.OTHER_INSTANCE, 'CRITICAL', None, None),
            (
                status,
                row['Instance'],
                row['Verdict'],
                row['Schedule ID'],
                row['Name'],
            ),
        )
        self.assertIn('"billing"', row['Reason'])

    def test_an_instance_that_is_named_is_not_safe_without_a_schedule(
        self,
    ) -> None:
        self._be_good()
        self.assertEqual(
            (2, ['CRITICAL']), self._verdicts('--instance', 'billing')
        )

    def test_an_age_from_which_on_a_backup_is_too_old(self) -> None:
        self._be_good()
        for age, expected in (
            ('1d', (0, ['OK'])),
            ('9h', (0, ['OK'])),
            ('8h', (2, ['CRITICAL'])),
            ('90m', (2, ['CRITICAL'])),
        ):
            with self.case(age):
                self.assertEqual(expected, self._verdicts('--max-age', age))

    def test_ages_that_are_refused(self) -> None:
        # A variable of a script that is not set gives the empty one.
        for age in ('0h', 'soon', '-1d', '1.5h', '36', ''):
            with self.case(age):
                self._fails("can't be used", f'--max-age={age}')
        self.assertEqual([], self.sent(base.MISTRAL))

    def test_schedules_and_an_instance_are_not_both_named(self) -> None:
        self._fails('not both', 'nightly', '--instance', 'orders')
        self.assertEqual([], self.sent(base.MISTRAL))

    def test_what_is_not_there(self) -> None:
        self._be_good()
        for arguments in (
            ['none'],
            ['nightly', 'none'],
            ['--instance', 'none'],
            ['--instance', ''],
            [''],
        ):
            with self.case(arguments):
                self._fails('No ', *arguments)

    def test_nothing_is_said_to_be_safe_that_cannot_be_looked_at(
        self,
    ) -> None:
        self._be_good()
        for url in (
            f'{base.TROVE}/backups',
            f'{base.MISTRAL}/executions',
            f'{base.MISTRAL}/cron_triggers',
        ):
            with self.case(url):
                self.http.get(url, status_code=500)
                self._fails('HTTP 500')

    def test_a_login_that_fails_is_no_verdict(self) -> None:
        self._be_good()
        self.login_fails = ksa.Unauthorized('Wrong password.')
        self._fails('Wrong password.')
        self.assertEqual([], self.sent(base.MISTRAL))

    def test_a_column_that_is_not_there_is_no_verdict(self) -> None:
        self._fails('No recognized column names', '-c', 'Nothing')

    def test_who_reads_or_stops_it_is_obeyed(self) -> None:
        for stop in (BrokenPipeError, KeyboardInterrupt):
            with self.case(stop):
                self.login_fails = stop()
                self.assertRaises(stop, self._run)

    def test_a_failure_has_no_traceback_unless_it_is_asked_for(self) -> None:
        for debug in (False, True):
            with self.case(debug):
                self.app.options.debug = debug
                self._fails('No ', 'none')
                self.assertEqual(debug, 'Traceback' in self.log.output)
