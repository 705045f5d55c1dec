# SPDX-License-Identifier: Apache-2.0

from typing import Any

from osc_lib import exceptions as osc_exceptions

from tests.unit import base
from tests.unit import fakes
from tests.unit.fakes import our_trigger
from tests.unit.fakes import schedule_id
from tests.unit.fakes import trigger
from tests.unit.osc import base as osc_base
from trove_backup_schedule import exceptions
from trove_backup_schedule.osc import schedule

BACKUP = base.uid(0xB)


class TestCreate(osc_base.CommandTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.http.post(
            f'{base.MISTRAL}/cron_triggers',
            json=lambda request, _context: trigger(1, **request.json()),
            status_code=201,
        )
        self.http.get(
            f'{base.TROVE}/backups/{BACKUP}',
            json={'backup': fakes.backup(BACKUP)},
        )

    def _create(self, *arguments: str) -> tuple[Any, fakes.Row]:
        shown = self.run_json(
            schedule.CreateSchedule,
            'nightly',
            '--instance',
            'orders',
            '--pattern',
            '0 3 * * *',
            *arguments,
        )
        return shown, self.sent(base.MISTRAL)[-1].json()

    def test_what_is_shown(self) -> None:
        shown, posted = self._create()
        self.assertEqual(
            {
                'created_at': '2030-01-01T00:00:01+00:00',
                'description': None,
                'id': posted['workflow_input']['schedule_id'],
                'incremental': False,
                'input': posted['workflow_input'],
                'instance': fakes.INSTANCE,
                'name': 'nightly',
                'next_execution_time': '2030-01-02T03:00:00+00:00',
                'parent_id': None,
                'pattern': '0 3 * * *',
                'project_id': base.PROJECT,
                'remaining_executions': None,
                'storage_driver': None,
                'swift_container': None,
                'updated_at': None,
            },
            shown,
        )

    def test_each_option_arrives(self) -> None:
        for arguments, column, value in (
            (['--description', 'each night'], 'description', 'each night'),
            (['--parent', BACKUP], 'parent_id', BACKUP),
            (['--incremental'], 'incremental', True),
            (['--swift-container', 'dumps'], 'swift_container', 'dumps'),
            (['--storage-driver', 'swift'], 'storage_driver', 'swift'),
            (['--count', '3'], 'remaining_executions', 3),
        ):
            with self.case(arguments):
                shown, posted = self._create(*arguments)
                self.assertEqual(value, shown[column])
                self.assertEqual(value, (posted | shown['input']).get(column))

    def test_the_first_time_is_read_as_iso_8601(self) -> None:
        for text in ('2999-01-31T03:00', '2999-01-31T08:44:30+05:45'):
            with self.case(text):
                _, posted = self._create('--first-time', text)
                self.assertEqual(
                    '2999-01-31 03:00', posted['first_execution_time']
                )

    def test_values_that_are_refused(self) -> None:
        for arguments in (
            ['--count', '0'],
            ['--first-time', 'tomorrow'],
            ['--first-time', '2001-01-01T00:00'],
            ['--pattern', '@reboot'],
        ):
            with self.case(arguments):
                self.assertRaises(
                    exceptions.InvalidValueError, self._create, *arguments
                )
        self.assertEqual([], self.sent(base.MISTRAL))

    def test_arguments_that_are_refused(self) -> None:
        needed = ['nightly', '--instance', 'orders', '--pattern', '@daily']
        for arguments, words in (
            (needed[1:], '<name>'),
            (needed[:3], '--pattern'),
            (needed[:1] + needed[3:], '--instance'),
            ([*needed, '--parent', 'x', '--incremental'], 'not allowed with'),
            ([*needed, '--count', 'many'], 'invalid int'),
            ([*needed, 'other'], 'unrecognized arguments: other'),
        ):
            with self.case(arguments):
                said = self.refuse(schedule.CreateSchedule, *arguments)
                self.assertIn(words, said)


class TestList(osc_base.CommandTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.triggers += [
            our_trigger(1),
            trigger(2, pattern=None, remaining_executions=1),
            our_trigger(3, 'other', instance=fakes.OTHER_INSTANCE),
        ]

    def test_columns_for_machines(self) -> None:
        self.assertEqual(
            {
                'ID': schedule_id(1),
                'Name': 'nightly',
                'Pattern': '0 3 * * *',
                'Next Execution Time': '2030-01-02T03:00:00+00:00',
            },
            self.run_json(schedule.ListSchedule)[0],
        )

    def test_columns_for_people(self) -> None:
        header, first, second, _ = self.table(schedule.ListSchedule)
        self.assertEqual(
            ['ID', 'Name', 'Pattern', 'Next Execution Time'], header
        )
        self.assertEqual(
            [
                schedule_id(1),
                'nightly',
                '0 3 * * *',
                '2030-01-02 03:00:00 UTC',
            ],
            first,
        )
        self.assertEqual(base.uid(2), second[0])

    def test_long(self) -> None:
        short = self.run_json(schedule.ListSchedule)[1]
        long = self.run_json(schedule.ListSchedule, '--long')[1]
        self.assertEqual(
            {
                'Instance': fakes.INSTANCE,
                'Description': None,
                'Parent ID': None,
                'Incremental': False,
                'Remaining Executions': 1,
                'Created At': '2030-01-01T00:00:02+00:00',
                'Updated At': None,
                'Project ID': base.PROJECT,
            },
            {key: long[key] for key in long if key not in short},
        )

    def test_filters_and_pages(self) -> None:
        for arguments, numbers in (
            (['--instance', 'orders'], [0, 1]),
            (['--limit', '1'], [0]),
            (['--limit', '0'], []),
            (['--marker', schedule_id(1)], [1, 2]),
            (['--marker', schedule_id(1), '--limit', '1'], [1]),
        ):
            with self.case(arguments):
                ids = [schedule_id(1), base.uid(2), schedule_id(3)]
                shown = self.run_json(schedule.ListSchedule, *arguments)
                self.assertEqual(
                    [ids[number] for number in numbers],
                    [row['ID'] for row in shown],
                )

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


class TestShow(osc_base.CommandTestCase):
    def test_for_people_and_machines(self) -> None:
        self.triggers.append(trigger(1))
        shown = self.run_json(schedule.ShowSchedule, 'by-hand')
        self.assertEqual(base.uid(1), shown['id'])
        self.assertEqual(
            {'instance': fakes.INSTANCE, 'name': 'by-hand'}, shown['input']
        )
        people = dict(self.table(schedule.ShowSchedule, base.uid(1)))
        self.assertEqual(
            '2030-01-02 03:00:00 UTC', people['next_execution_time']
        )
        self.assertEqual('None', people['updated_at'])
        self.assertEqual(
            f'{{"instance": "{fakes.INSTANCE}", "name": "by-hand"}}',
            people['input'],
        )

    def test_what_is_not_there(self) -> None:
        self.assertRaises(
            exceptions.NotFoundError,
            self.run_command,
            schedule.ShowSchedule,
            'none',
        )

    def test_a_schedule_must_be_named(self) -> None:
        self.assertIn('<schedule>', self.refuse(schedule.ShowSchedule))


class TestDelete(osc_base.CommandTestCase):
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
