# SPDX-License-Identifier: Apache-2.0

import types
from typing import Any

import fixtures
from osc_lib import exceptions as osc_exceptions

from tests.unit import base
from tests.unit import fakes
from tests.unit.fakes import our_trigger
from tests.unit.fakes import schedule_id
from tests.unit.fakes import trigger
from tests.unit.osc import base as osc_base
from trove_backup_schedule import cron
from trove_backup_schedule import exceptions
from trove_backup_schedule import settings
from trove_backup_schedule.osc import schedule

BACKUP = base.uid(0xB)
OTHER_BACKUP = base.uid(0xC)

# Options that each stand against the next, in both commands that have them.
EXCLUSIVE: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...] = (
    (('--parent', 'base'), ('--incremental',)),
    (('--enable',), ('--disable',)),
)

# Values that can never be right.
IMPOSSIBLE = (
    ('--pattern', '@reboot'),
    ('--pattern', ''),
    ('--description', ''),
    ('--swift-container', 'a b'),
    ('--storage-driver', ''),
    ('--count', '0'),
    ('--keep', '0'),
    ('--incremental', '--full-every', '0'),
    ('--first-time', 'tomorrow'),
    ('--first-time', '2001-01-01T00:00'),
    ('--first-time', ''),
)


class ScheduleTestCase(osc_base.CommandTestCase):
    """Commands with instances and backups, where there is one clock.

    It stands still unless it is waited for.
    """

    def setUp(self) -> None:
        super().setUp()
        self.useFixture(
            fixtures.MonkeyPatch(
                'trove_backup_schedule.adapter._now', lambda: self.mistral.now
            )
        )
        clock = types.SimpleNamespace(
            monotonic=lambda: self.mistral.now.timestamp(),
            sleep=self.mistral.wait,
        )
        for module in ('adapter', 'replacement'):
            self.useFixture(
                fixtures.MonkeyPatch(
                    f'trove_backup_schedule.{module}.time', clock
                )
            )
        self.instances(
            fakes.instance(),
            fakes.instance(fakes.OTHER_INSTANCE, name='billing'),
        )
        self.backups(
            fakes.backup(BACKUP), fakes.backup(OTHER_BACKUP, name='newer')
        )

    def instances(self, *rows: fakes.Row) -> None:
        url = f'{base.TROVE}/instances'
        self.http.get(url, json={'instances': list(rows)})
        for row in rows:
            self.http.get(f'{url}/{row["id"]}', json={'instance': row})

    def backups(self, *rows: fakes.Row) -> None:
        url = f'{base.TROVE}/backups'
        self.http.get(url, json={'backups': list(rows)})
        for row in rows:
            self.http.get(f'{url}/{row["id"]}', json={'backup': row})

    def changed(self) -> list[str]:
        """Give the requests that were made to change something."""
        return [
            f'{each.method} {each.path}'
            for service in (base.MISTRAL, base.TROVE)
            for each in self.sent(service)
            if each.method != 'GET'
        ]


class TestCreate(ScheduleTestCase):
    NEEDED = ('nightly', '--instance', 'orders', '--pattern', '0 3 * * *')

    def _create(self, *arguments: str) -> tuple[Any, fakes.Row]:
        shown = self.run_json(
            schedule.CreateSchedule, *self.NEEDED, *arguments
        )
        return shown, self.sent(base.MISTRAL)[-1].json()

    def test_what_is_shown(self) -> None:
        shown, posted = self._create()
        runs = [each['utc'] for each in shown.pop('next_runs')]
        self.assertEqual(
            [f'2030-01-0{day}T03:00:00+00:00' for day in range(2, 7)], runs
        )
        self.assertEqual(
            {
                'created_at': '2030-01-01T12:00:00+00:00',
                'description': None,
                'enabled': True,
                'full_every': None,
                'id': posted['workflow_input']['schedule_id'],
                'incremental': False,
                'input': posted['workflow_input'],
                'instance': fakes.INSTANCE,
                'keep': None,
                'name': 'nightly',
                'next_execution_time': '2030-01-02T03:00:00+00:00',
                'parent_id': None,
                'pattern': '0 3 * * *',
                'pattern_meaning': cron.describe('0 3 * * *'),
                'project_id': base.PROJECT,
                'remaining_executions': None,
                'storage_driver': None,
                'swift_container': None,
                'updated_at': None,
            },
            shown,
        )

    def test_people_see_a_line_for_each_of_its_next_runs(self) -> None:
        rows = self.table(schedule.CreateSchedule, *self.NEEDED)
        names = [name for name, _ in rows]
        start = names.index('next_runs')
        # In a zone other than UTC the local time follows.
        self.assertEqual(
            [f'2030-01-0{day} 03:00:00 UTC' for day in range(2, 7)],
            [
                value.partition('  =  ')[0]
                for _, value in rows[start : names.index('parent_id')]
            ],
        )

    def test_each_option_arrives(self) -> None:
        for arguments, column, value in (
            (['--description', 'each night'], 'description', 'each night'),
            (['--parent', BACKUP], 'parent_id', BACKUP),
            (['--parent', 'newer'], 'parent_id', OTHER_BACKUP),
            (['--incremental'], 'incremental', True),
            (['--incremental', '--full-every', '6'], 'full_every', 6),
            (['--keep', '7'], 'keep', 7),
            (['--swift-container', 'dumps'], 'swift_container', 'dumps'),
            (['--storage-driver', 'swift'], 'storage_driver', 'swift'),
            (['--count', '3'], 'remaining_executions', 3),
            (['--disable'], 'enabled', False),
            (['--enable'], 'enabled', True),
        ):
            with self.case(arguments):
                shown, posted = self._create(*arguments)
                self.assertEqual(value, shown[column])
                sent = posted | posted['workflow_input']
                self.assertEqual(value, sent.get(column, value))

    def test_one_that_is_disabled_has_no_next_run(self) -> None:
        shown, posted = self._create('--disable')
        self.assertIs(None, shown['next_execution_time'])
        self.assertEqual([], shown['next_runs'])
        self.assertEqual('9999-12-31 23:59', posted['first_execution_time'])

    def test_the_first_time_is_read_as_iso_8601(self) -> None:
        for text in ('2030-01-31T03:00', '2030-01-31T08:44:30+05:45'):
            with self.case(text):
                shown, posted = self._create('--first-time', text)
                self.assertEqual(
                    '2030-01-31 03:00', posted['first_execution_time']
                )
                self.assertEqual(
                    '2030-01-31T03:00:00+00:00', shown['next_execution_time']
                )

    def test_the_pattern_that_a_spread_gives_is_shown(self) -> None:
        shown, posted = self._create('--pattern', '@daily', '--spread')
        pattern = cron.spread('@daily', fakes.INSTANCE)
        self.assertEqual(
            (pattern, pattern), (shown['pattern'], posted['pattern'])
        )
        shown, _ = self._create('--pattern', '@daily')
        self.assertEqual('@daily', shown['pattern'])

    def test_values_that_are_refused(self) -> None:
        for arguments in (
            *IMPOSSIBLE,
            ('--full-every', '6'),
            ('--incremental', '--keep', '7'),
        ):
            with self.case(arguments):
                self.assertRaises(
                    exceptions.InvalidValueError, self._create, *arguments
                )
        self.assertEqual([], self.sent(base.MISTRAL))

    def test_only_some_patterns_can_be_spread(self) -> None:
        exc = self.assertRaises(
            exceptions.InvalidValueError, self._create, '--spread'
        )
        self.assertIn('@daily', str(exc))
        self.assertEqual([], self.changed())

    def test_arguments_that_are_refused(self) -> None:
        needed = self.NEEDED
        for arguments, words in (
            (needed[1:], '<name>'),
            (needed[:3], '--pattern'),
            (needed[:1] + needed[3:], '--instance'),
            ((*needed, '--count', 'many'), 'invalid int'),
            ((*needed, '--keep', 'all'), 'invalid int'),
            ((*needed, '--full-every', '1.5'), 'invalid int'),
            ((*needed, 'other'), 'unrecognized arguments: other'),
            *(
                ((*needed, *one, *other), 'not allowed with')
                for one, other in EXCLUSIVE
            ),
            # There is nothing to remove yet.
            *(
                ((*needed, f'--no-{each}'), 'unrecognized arguments')
                for each in ('description', 'keep', 'count', 'parent')
            ),
        ):
            with self.case(arguments):
                said = self.refuse(schedule.CreateSchedule, *arguments)
                self.assertIn(words, said)

    def test_whatever_can_be_chosen_has_an_option(self) -> None:
        commands: tuple[Any, ...] = (
            schedule.CreateSchedule,
            schedule.SetSchedule,
        )
        for command in commands:
            with self.case(command):
                parser = command(self.app, None).get_parser('openstack x')
                self.assertEqual(
                    set(),
                    set(settings.Changes.__annotations__)
                    - {action.dest for action in parser._actions},
                )


class TestList(ScheduleTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.triggers += [
            our_trigger(1),
            trigger(2, pattern=None, remaining_executions=1),
            our_trigger(
                3,
                'other',
                instance=fakes.OTHER_INSTANCE,
                next_execution_time='9999-12-31 23:59:00',
            ),
        ]

    def test_columns_for_machines(self) -> None:
        rows = {row['ID']: row for row in self.run_json(schedule.ListSchedule)}
        self.assertEqual(
            {
                'ID': schedule_id(1),
                'Name': 'nightly',
                'Pattern': '0 3 * * *',
                'Next Execution Time': '2030-01-02T03:00:00+00:00',
                'Enabled': True,
            },
            rows[schedule_id(1)],
        )
        self.assertEqual(
            {
                'ID': schedule_id(3),
                'Name': 'other',
                'Pattern': '0 3 * * *',
                'Next Execution Time': None,
                'Enabled': False,
            },
            rows[schedule_id(3)],
        )

    def test_columns_for_people(self) -> None:
        header, first, second, _ = self.table(schedule.ListSchedule)
        self.assertEqual(
            ['ID', 'Name', 'Pattern', 'Next Execution Time', 'Enabled'],
            header,
        )
        self.assertEqual(base.uid(2), first[0])
        self.assertEqual(
            [
                schedule_id(1),
                'nightly',
                '0 3 * * *',
                '2030-01-02 03:00:00 UTC',
                'True',
            ],
            second,
        )

    def test_long(self) -> None:
        self.triggers[0]['workflow_input'] |= {
            'incremental': True,
            'full_every': 6,
            'keep': 7,
            'description': 'each night',
        }
        short = self.run_json(schedule.ListSchedule)
        long = self.run_json(schedule.ListSchedule, '--long')
        foreign, ours, _ = (
            {key: row[key] for key in row if key not in short[0]}
            for row in long
        )
        self.assertEqual(
            {
                'Instance': fakes.INSTANCE,
                'Description': None,
                'Parent ID': None,
                'Incremental': False,
                'Full Every': None,
                'Keep': None,
                'Remaining Executions': 1,
                'Created At': '2030-01-01T00:00:02+00:00',
                'Updated At': None,
                'Project ID': base.PROJECT,
            },
            foreign,
        )
        expected = {
            'Description': 'each night',
            'Incremental': True,
            'Full Every': 6,
            'Keep': 7,
            'Remaining Executions': None,
        }
        self.assertEqual(expected, {key: ours[key] for key in expected})

    def test_filters_and_pages(self) -> None:
        ours, foreign, other = schedule_id(1), base.uid(2), schedule_id(3)
        for arguments, expected in (
            ([], [foreign, ours, other]),
            (['--instance', 'orders'], [foreign, ours]),
            (['--instance', 'billing'], [other]),
            (['--limit', '1'], [ours]),
            (['--limit', '0'], []),
            (['--marker', ours], [other, foreign]),
            (['--marker', ours, '--limit', '1'], [other]),
        ):
            with self.case(arguments):
                shown = self.run_json(schedule.ListSchedule, *arguments)
                self.assertEqual(expected, [row['ID'] for row in shown])

    def test_nothing_to_list(self) -> None:
        self.triggers.clear()
        self.assertEqual([], self.run_json(schedule.ListSchedule))

    def test_all_projects_are_asked_for_by_an_option(self) -> None:
        for arguments, expected in (([], None), (['--all-projects'], 'true')):
            with self.case(arguments):
                self.run_json(schedule.ListSchedule, *arguments)
                asked = base.query(self.sent(base.MISTRAL)[-1])
                self.assertEqual(expected, asked.get('all_projects'))

    def test_arguments_that_are_refused(self) -> None:
        for arguments in (['--limit', '-1'], ['--limit', 'x'], ['orders']):
            with self.case(arguments):
                self.refuse(schedule.ListSchedule, *arguments)


class TestShow(ScheduleTestCase):
    def test_for_people_and_machines(self) -> None:
        self.triggers.append(trigger(1))
        shown = self.run_json(schedule.ShowSchedule, 'by-hand')
        self.assertEqual(base.uid(1), shown['id'])
        self.assertEqual(
            {'instance': fakes.INSTANCE, 'name': 'by-hand'}, shown['input']
        )
        people = {
            row[0]: row[1]
            for row in self.table(schedule.ShowSchedule, base.uid(1))
        }
        self.assertEqual(
            '2030-01-02 03:00:00 UTC', people['next_execution_time']
        )
        self.assertEqual('None', people['updated_at'])
        self.assertEqual(
            f'{{"instance": "{fakes.INSTANCE}", "name": "by-hand"}}',
            people['input'],
        )
        self.assertEqual(cron.describe('0 3 * * *'), people['pattern_meaning'])

    def test_one_that_fires_once_has_no_pattern(self) -> None:
        self.triggers.append(trigger(1, pattern=None, remaining_executions=1))
        shown = self.run_json(schedule.ShowSchedule, 'by-hand')
        self.assertIs(None, shown['pattern'])
        self.assertIs(None, shown['pattern_meaning'])
        self.assertEqual(
            ['2030-01-02T03:00:00+00:00'],
            [each['utc'] for each in shown['next_runs']],
        )

    def test_no_more_runs_are_shown_than_are_left(self) -> None:
        self.triggers.append(our_trigger(1, remaining_executions=2))
        shown = self.run_json(schedule.ShowSchedule, 'nightly')
        self.assertEqual(2, len(shown['next_runs']))

    def test_what_is_not_there(self) -> None:
        self.assertRaises(
            exceptions.NotFoundError,
            self.run_command,
            schedule.ShowSchedule,
            'none',
        )

    def test_a_schedule_must_be_named(self) -> None:
        self.assertIn('<schedule>', self.refuse(schedule.ShowSchedule))


class TestDelete(ScheduleTestCase):
    def test_several_by_name_and_id(self) -> None:
        self.triggers += [our_trigger(1), trigger(2), our_trigger(3, 'c')]
        printed = self.run_command(
            schedule.DeleteSchedule, schedule_id(1), 'by-hand'
        )
        self.assertEqual('', printed)
        self.assertEqual([base.uid(3)], [row['id'] for row in self.triggers])

    def test_the_others_are_deleted_past_a_failure(self) -> None:
        self.triggers += [our_trigger(1), our_trigger(3, 'c')]
        exc = self.assertRaises(
            osc_exceptions.CommandError,
            self.run_command,
            schedule.DeleteSchedule,
            'nightly',
            'none',
            'c',
        )
        self.assertEqual('1 of 3 schedules failed to delete.', str(exc))
        self.assertIn('"none"', self.log.output)
        self.assertEqual([], self.triggers)

    def test_at_least_one_must_be_named(self) -> None:
        self.assertIn('<schedule>', self.refuse(schedule.DeleteSchedule))


class TestSet(ScheduleTestCase):
    #: All that can be removed from a schedule.
    FULL: fakes.Row = {
        'description': 'each night',
        'incremental': True,
        'full_every': 6,
        'keep': 7,
        'swift_container': 'dumps',
        'storage_driver': 'swift',
    }

    def setUp(self) -> None:
        super().setUp()
        self._begin()

    def _begin(self, **values: Any) -> None:
        """Have one schedule, with these values in its input."""
        self.triggers[:] = [our_trigger(1, remaining_executions=9)]
        self.triggers[0]['workflow_input'] |= values

    def _set(self, *arguments: str) -> fakes.Row:
        """Change it, and give what is shown differently then."""
        known = schedule_id(1)
        before = self.run_json(schedule.ShowSchedule, known)
        shown = self.run_json(schedule.SetSchedule, known, *arguments)
        self.assertEqual(1, len(self.triggers))
        self.assertEqual(shown, self.run_json(schedule.ShowSchedule, known))
        return {
            key: shown[key]
            for key in shown
            if shown[key] != before[key] and key != 'input'
        }

    def test_each_option_changes_what_it_says_and_nothing_else(self) -> None:
        for arguments, changes in (
            (['--name', 'daily'], {'name': 'daily'}),
            (['--description', 'new'], {'description': 'new'}),
            (['--parent', BACKUP], {'parent_id': BACKUP}),
            (['--parent', 'newer'], {'parent_id': OTHER_BACKUP}),
            (['--incremental'], {'incremental': True}),
            (
                ['--incremental', '--full-every', '2', '--keep', '3'],
                {'incremental': True, 'full_every': 2, 'keep': 3},
            ),
            (['--keep', '3'], {'keep': 3}),
            (['--swift-container', 'x'], {'swift_container': 'x'}),
            (['--storage-driver', 'x'], {'storage_driver': 'x'}),
            (['--count', '6'], {'remaining_executions': 6}),
        ):
            with self.case(arguments):
                self._begin()
                self.assertEqual(changes, self._set(*arguments))

    def test_each_setting_can_be_removed(self) -> None:
        for arguments, changes in (
            (['--no-description'], {'description': None}),
            (['--no-keep'], {'keep': None}),
            (
                ['--no-keep', '--no-full-every'],
                {'keep': None, 'full_every': None},
            ),
            (['--no-swift-container'], {'swift_container': None}),
            (['--no-storage-driver'], {'storage_driver': None}),
            (['--no-count'], {'remaining_executions': None}),
        ):
            with self.case(arguments):
                self._begin(**self.FULL)
                self.assertEqual(changes, self._set(*arguments))
        self._begin(parent_id=BACKUP)
        self.assertEqual({'parent_id': None}, self._set('--no-parent'))

    def test_full_backups_only_need_no_full_ones_in_between(self) -> None:
        changes = {'incremental': False, 'full_every': None}
        for arguments in (
            ['--no-incremental'],
            ['--no-incremental', '--no-full-every'],
        ):
            with self.case(arguments):
                self._begin(**self.FULL)
                self.assertEqual(changes, self._set(*arguments))

    def test_a_parent_and_being_incremental_replace_each_other(self) -> None:
        self._begin(**self.FULL)
        self.assertEqual(
            {'incremental': False, 'full_every': None, 'parent_id': BACKUP},
            self._set('--parent', BACKUP),
        )
        self._begin(parent_id=BACKUP)
        self.assertEqual(
            {'incremental': True, 'parent_id': None},
            self._set('--incremental'),
        )

    def test_a_new_pattern_tells_the_next_runs(self) -> None:
        changes = self._set('--pattern', '0 18 * * *')
        runs = [each['utc'] for each in changes.pop('next_runs')]
        self.assertEqual('2030-01-01T18:00:00+00:00', runs[0])
        self.assertEqual(
            {
                'pattern': '0 18 * * *',
                'pattern_meaning': cron.describe('0 18 * * *'),
                'next_execution_time': runs[0],
            },
            changes,
        )

    def test_the_pattern_that_a_spread_gives_is_shown(self) -> None:
        spread = cron.spread('@daily', fakes.INSTANCE)
        for before, arguments in (
            ('0 3 * * *', ['--pattern', '@daily', '--spread']),
            ('@daily', ['--spread']),
        ):
            with self.case(before, arguments):
                self._begin()
                self.triggers[0]['pattern'] = before
                self.assertEqual(spread, self._set(*arguments)['pattern'])

    def test_a_first_time_is_for_the_next_run(self) -> None:
        moment = '2030-01-31T03:01:00+00:00'
        changes = self._set('--first-time', '2030-01-31T08:45:30+05:45')
        self.assertEqual(moment, changes['next_execution_time'])
        self.assertEqual(moment, changes['next_runs'][0]['utc'])

    def test_disabled_and_enabled(self) -> None:
        self.assertEqual(
            {'enabled': False, 'next_execution_time': None, 'next_runs': []},
            self._set('--disable'),
        )
        self.assertEqual({}, self._set('--disable'))
        changes = self._set('--enable')
        self.assertEqual(
            (True, '2030-01-02T03:00:00+00:00'),
            (changes['enabled'], changes['next_execution_time']),
        )

    def test_what_is_so_already_is_left_alone(self) -> None:
        self._begin(**self.FULL)
        self.assertEqual(
            {}, self._set('--keep', '7', '--incremental', '--enable')
        )
        self.assertEqual([], self.changed())

    def test_something_must_be_said(self) -> None:
        exc = self.assertRaises(
            osc_exceptions.CommandError,
            self.run_command,
            schedule.SetSchedule,
            'nightly',
        )
        self.assertIn('Nothing was changed', str(exc))
        self.assertEqual([], self.sent(base.MISTRAL))

    def test_values_that_are_refused(self) -> None:
        for arguments in (*IMPOSSIBLE, ('--name', ''), ('--name', 'a/b')):
            with self.case(arguments):
                self.assertRaises(
                    exceptions.InvalidValueError,
                    self.run_command,
                    schedule.SetSchedule,
                    'nightly',
                    *arguments,
                )
        self.assertEqual([], self.sent(base.MISTRAL))

    def test_what_stands_against_a_setting_is_refused(self) -> None:
        for before, arguments in (
            ({}, ['--full-every', '6']),
            ({'incremental': True}, ['--keep', '7']),
            (self.FULL, ['--no-full-every']),
            (self.FULL, ['--no-incremental', '--full-every', '3']),
            (self.FULL, ['--no-incremental', '--full-every', '0']),
            (self.FULL, ['--parent', BACKUP, '--full-every', '3']),
            ({}, ['--spread']),
        ):
            with self.case(before, arguments):
                self._begin(**before)
                self.assertRaises(
                    exceptions.InvalidValueError, self._set, *arguments
                )
        self.assertEqual([], self.changed())

    def test_arguments_that_are_refused(self) -> None:
        removable = {
            'description': 'x',
            'full-every': '2',
            'keep': '3',
            'swift-container': 'x',
            'storage-driver': 'x',
            'count': '2',
        }
        parent, incremental = ('--parent', 'base'), ('--incremental',)
        pairs = [
            *EXCLUSIVE,
            *(
                ((f'--{name}', value), (f'--no-{name}',))
                for name, value in removable.items()
            ),
            (parent, ('--no-parent',)),
            (parent, ('--no-incremental',)),
            (incremental, ('--no-parent',)),
            (incremental, ('--no-incremental',)),
        ]
        for one, other in pairs:
            with self.case(one, other):
                said = self.refuse(
                    schedule.SetSchedule, 'nightly', *one, *other
                )
                self.assertIn('not allowed with', said)
        for arguments, words in (
            ([], '<schedule>'),
            (['nightly', 'other'], 'unrecognized arguments: other'),
            # These every schedule has.
            (['nightly', '--no-pattern'], 'unrecognized arguments'),
            (['nightly', '--no-name'], 'unrecognized arguments'),
            (['nightly', '--keep', 'all'], 'invalid int'),
        ):
            with self.case(arguments):
                said = self.refuse(schedule.SetSchedule, *arguments)
                self.assertIn(words, said)

    def test_what_is_not_there(self) -> None:
        self.assertRaises(
            exceptions.NotFoundError,
            self.run_command,
            schedule.SetSchedule,
            'none',
            '--keep',
            '3',
        )
        self.assertEqual([], self.changed())
