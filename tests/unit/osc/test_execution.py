# SPDX-License-Identifier: Apache-2.0

import json

from osc_lib import exceptions as osc_exceptions

from tests.unit import base
from tests.unit import fakes
from tests.unit.osc import test_schedule
from trove_backup_schedule import exceptions
from trove_backup_schedule.osc import execution

BACKUP = base.uid(0xB001)

#: What the workflow gives at the end of a good run.
OUTPUT = {
    'status': 'Backup complete',
    'backup_id': BACKUP,
    'backup_name': 'nightly-20300101000000',
    'backup_status': 'COMPLETED',
    'removed': None,
    'retention': 'Old backups could not be removed. ' + 'x' * 100,
}
REST = {key: OUTPUT[key] for key in ('status', 'retention')}


class ExecutionTestCase(test_schedule.ScheduleTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.triggers += [
            fakes.our_trigger(1),
            fakes.our_trigger(2, 'other', instance=fakes.OTHER_INSTANCE),
        ]
        mine, other = self.triggers
        self.executions += [
            fakes.run_of(
                1, mine, output=OUTPUT, updated_at='2030-01-01 00:03:21'
            ),
            fakes.run_of(
                2, other, state='ERROR', output='{"result": "No disk"}'
            ),
            fakes.execution(3),
        ]
        self.ids = [row['id'] for row in self.executions]
        self.backups(fakes.our_backup(1, 1))


class TestList(ExecutionTestCase):
    def test_columns_for_machines(self) -> None:
        *_, second, first = self.run_json(execution.ListExecution)
        self.assertEqual(
            {
                'ID': self.ids[0],
                'Execution Time': '2030-01-01T00:00:01+00:00',
                'State': 'SUCCESS',
                'Duration': 200,
                'Backup ID': BACKUP,
                'Backup Name': 'nightly-20300101000000',
                'Backup Status': 'COMPLETED',
                'Output': {
                    key: value for key, value in OUTPUT.items() if value
                },
            },
            first,
        )
        self.assertEqual(
            {
                'ID': self.ids[1],
                'Execution Time': '2030-01-01T00:00:02+00:00',
                'State': 'ERROR',
                'Duration': None,
                'Backup ID': None,
                'Backup Name': None,
                'Backup Status': None,
                'Output': {'result': 'No disk'},
            },
            second,
        )

    def test_people_see_what_else_a_long_output_begins_with(self) -> None:
        header, *_, last = self.table(execution.ListExecution)
        self.assertEqual(
            [
                'ID',
                'Execution Time',
                'State',
                'Duration',
                'Backup ID',
                'Backup Name',
                'Backup Status',
                'Output',
            ],
            header,
        )
        self.assertEqual(
            [
                self.ids[0],
                '2030-01-01 00:00:01 UTC',
                'SUCCESS',
                '3 min 20 s',
                BACKUP,
                'nightly-20300101000000',
                'COMPLETED',
                json.dumps(REST)[:100] + '...',
            ],
            last,
        )

    def test_the_state_of_a_backup_is_the_present_one(self) -> None:
        for row, expected in (
            (fakes.our_backup(1, 1, status='FAILED'), 'FAILED'),
            (fakes.our_backup(2, 1), 'DELETED'),
        ):
            with self.case(expected):
                self.backups(row)
                listed = self.run_json(execution.ListExecution, 'nightly')
                shown = self.run_json(execution.ShowExecution, self.ids[0])
                self.assertEqual(
                    (expected, expected),
                    (listed[0]['Backup Status'], shown['backup_status']),
                )

    def test_without_trove_the_runs_are_listed_all_the_same(self) -> None:
        self.http.get(f'{base.TROVE}/backups', status_code=500)
        first = self.run_json(execution.ListExecution)[-1]
        self.assertEqual(
            (BACKUP, None), (first['Backup ID'], first['Backup Status'])
        )
        self.assertIn(
            'The present state of the backups is not known', self.log.output
        )

    def test_long(self) -> None:
        self.executions[1]['output'] = json.dumps({'result': 'a\nb ' * 100})
        self.executions[1]['description'] = json.dumps(
            {
                'triggered_by': {
                    'type': 'cron_trigger',
                    'id': base.uid(2),
                    'manual': True,
                }
            }
        )
        short = self.run_json(execution.ListExecution)[1]
        long = self.run_json(execution.ListExecution, '--long')[1]
        self.assertEqual(
            {
                'Name': 'other',
                'Instance': fakes.OTHER_INSTANCE,
                'Schedule ID': fakes.schedule_id(2),
                'Manual': True,
                'Updated At': None,
                'State Info': ' '.join(['a b'] * 100),
            },
            {key: long[key] for key in long if key not in short},
        )
        _, _, row, first = self.table(execution.ListExecution, '--long')
        self.assertEqual(('a b ' * 25) + '...', row[-1])
        self.assertEqual('None', first[-1])

    def test_filters_and_pages(self) -> None:
        for arguments, numbers in (
            ([], [2, 1, 0]),
            (['nightly'], [0]),
            ([fakes.schedule_id(2)], [1]),
            (['--instance', 'orders'], [0]),
            (['nightly', '--instance', 'orders'], [0]),
            (['--limit', '2'], [2, 1]),
            (['--limit', '0'], []),
            (['--marker', self.ids[1]], [0]),
            (['--marker', self.ids[2], '--limit', '1'], [1]),
        ):
            with self.case(arguments):
                shown = self.run_json(execution.ListExecution, *arguments)
                self.assertEqual(
                    [self.ids[number] for number in numbers],
                    [row['ID'] for row in shown],
                )

    def test_arguments_that_are_refused(self) -> None:
        for arguments in (['--limit', '-1'], ['a', 'b']):
            with self.case(arguments):
                self.refuse(execution.ListExecution, *arguments)


class TestShow(ExecutionTestCase):
    def test_every_detail(self) -> None:
        self.assertEqual(
            {
                'backup_id': BACKUP,
                'backup_name': 'nightly-20300101000000',
                'backup_status': 'COMPLETED',
                'created_at': '2030-01-01T00:00:01+00:00',
                'duration': 200,
                'id': self.ids[0],
                'input': self.triggers[0]['workflow_input'],
                'instance': fakes.INSTANCE,
                'manual': False,
                'name': 'nightly',
                'output': {
                    key: value for key, value in OUTPUT.items() if value
                },
                'project_id': base.PROJECT,
                'schedule_id': fakes.schedule_id(1),
                'state': 'SUCCESS',
                'state_info': None,
                'trigger_id': base.uid(1),
                'updated_at': '2030-01-01T00:03:21+00:00',
                'workflow_name': 'trove.backup_create',
            },
            self.run_json(execution.ShowExecution, self.ids[0]),
        )

    def test_the_reason_of_a_failure(self) -> None:
        shown = self.run_json(execution.ShowExecution, self.ids[1])
        self.assertEqual('No disk', shown['state_info'])
        self.assertEqual({'result': 'No disk'}, shown['output'])
        self.assertIs(None, shown['backup_id'])

    def test_people_see_a_long_output_in_full(self) -> None:
        shown = dict(self.table(execution.ShowExecution, self.ids[0]))
        self.assertEqual(
            json.dumps({key: value for key, value in OUTPUT.items() if value}),
            shown['output'],
        )
        self.assertEqual('2030-01-01 00:00:01 UTC', shown['created_at'])
        self.assertEqual('3 min 20 s', shown['duration'])

    def test_what_is_not_there(self) -> None:
        self.assertRaises(
            exceptions.NotFoundError,
            self.run_command,
            execution.ShowExecution,
            base.uid(99),
        )

    def test_an_execution_must_be_named(self) -> None:
        self.assertIn('<execution>', self.refuse(execution.ShowExecution))


class TestDelete(ExecutionTestCase):
    def test_several(self) -> None:
        self.run_command(execution.DeleteExecution, *self.ids[:2])
        self.assertEqual(self.ids[2:], [row['id'] for row in self.executions])

    def test_the_others_are_deleted_past_failures(self) -> None:
        self.executions[0]['state'] = 'RUNNING'
        exc = self.assertRaises(
            osc_exceptions.CommandError,
            self.run_command,
            execution.DeleteExecution,
            self.ids[0],
            'none',
            self.ids[1],
        )
        self.assertEqual('2 of 3 executions failed to delete.', str(exc))
        self.assertIn('is RUNNING', self.log.output)
        self.assertIn('"none"', self.log.output)
        self.assertNotIn(self.ids[1], [row['id'] for row in self.executions])

    def test_at_least_one_must_be_named(self) -> None:
        self.assertIn('<execution>', self.refuse(execution.DeleteExecution))
