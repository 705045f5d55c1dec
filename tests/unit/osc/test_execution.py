# SPDX-License-Identifier: Apache-2.0

import json

from osc_lib import exceptions as osc_exceptions

from tests.unit import base
from tests.unit import fakes
from tests.unit.osc import base as osc_base
from trove_backup_schedule import exceptions
from trove_backup_schedule.osc import execution

OUTPUT = {'status': 'Backup complete', 'backup_id': 'x' * 100}


class ExecutionTestCase(osc_base.CommandTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.triggers += [
            fakes.our_trigger(1),
            fakes.our_trigger(2, 'other', instance=fakes.OTHER_INSTANCE),
        ]
        self.executions += [
            fakes.execution(1, base.uid(1), output=OUTPUT),
            fakes.execution(
                2, base.uid(2), state='ERROR', output='{"result": "No disk"}'
            ),
            fakes.execution(3),
        ]
        self.ids = [row['id'] for row in self.executions]


class TestList(ExecutionTestCase):
    def test_columns_for_machines(self) -> None:
        self.assertEqual(
            {
                'ID': self.ids[0],
                'Execution Time': '2030-01-01T00:00:01+00:00',
                'State': 'SUCCESS',
                'Output': OUTPUT,
            },
            self.run_json(execution.ListExecution)[-1],
        )

    def test_people_see_the_beginning_of_a_long_output(self) -> None:
        header, *_, last = self.table(execution.ListExecution)
        self.assertEqual(['ID', 'Execution Time', 'State', 'Output'], header)
        self.assertEqual(
            [
                self.ids[0],
                '2030-01-01 00:00:01 UTC',
                'SUCCESS',
                json.dumps(OUTPUT)[:100] + '...',
            ],
            last,
        )

    def test_long(self) -> None:
        short = self.run_json(execution.ListExecution)[1]
        long = self.run_json(execution.ListExecution, '--long')[1]
        self.assertEqual(
            {
                'Name': 'nightly',
                'Instance': fakes.INSTANCE,
                'Schedule ID': base.uid(2),
                'Updated At': None,
                'State Info': 'No disk',
            },
            {key: long[key] for key in long if key not in short},
        )

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
                'created_at': '2030-01-01T00:00:02+00:00',
                'id': self.ids[1],
                'input': {'instance': fakes.INSTANCE, 'name': 'nightly'},
                'instance': fakes.INSTANCE,
                'name': 'nightly',
                'output': {'result': 'No disk'},
                'project_id': base.PROJECT,
                'schedule_id': base.uid(2),
                'state': 'ERROR',
                'state_info': 'No disk',
                'trigger_id': base.uid(2),
                'updated_at': None,
                'workflow_name': 'trove.backup_create',
            },
            self.run_json(execution.ShowExecution, self.ids[1]),
        )

    def test_people_see_a_long_output_in_full(self) -> None:
        shown = dict(self.table(execution.ShowExecution, self.ids[0]))
        self.assertEqual(json.dumps(OUTPUT), shown['output'])
        self.assertEqual('2030-01-01 00:00:01 UTC', shown['created_at'])

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
