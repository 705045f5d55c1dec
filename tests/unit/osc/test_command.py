# SPDX-License-Identifier: Apache-2.0

import argparse

from osc_lib import exceptions as osc_exceptions

from tests.unit import base
from trove_backup_schedule import exceptions
from trove_backup_schedule.osc import command


class TestDeleteEach(base.TestCase):
    def setUp(self) -> None:
        super().setUp()
        self.deleted: list[str] = []

    def _delete(self, name: str) -> None:
        if name.startswith('bad'):
            raise exceptions.NotFoundError(f'No schedule {name}')
        self.deleted.append(name)

    def test_all_are_deleted_in_order(self) -> None:
        command.delete_each(['b', 'a', 'c'], self._delete, 'schedules')
        self.assertEqual(['b', 'a', 'c'], self.deleted)
        self.assertEqual('', self.log.output)

    def test_failures_do_not_stop_it_and_are_summed_up(self) -> None:
        for names, summary in (
            (['a', 'bad1', 'c'], '1 of 3 schedules failed to delete.'),
            (['bad1', 'bad2', 'c'], '2 of 3 schedules failed to delete.'),
            (['bad1'], '1 of 1 schedules failed to delete.'),
        ):
            with self.case(names):
                self.deleted.clear()
                exc = self.assertRaises(
                    osc_exceptions.CommandError,
                    command.delete_each,
                    names,
                    self._delete,
                    'schedules',
                )
                self.assertEqual(summary, str(exc))
                self.assertEqual(
                    [name for name in names if 'bad' not in name],
                    self.deleted,
                )
        self.assertEqual(4, self.log.output.count('No schedule bad'))

    def test_a_bug_is_not_hidden(self) -> None:
        def delete(name: str) -> None:
            raise ZeroDivisionError(name)

        self.assertRaises(
            ZeroDivisionError, command.delete_each, ['a'], delete, 'x'
        )


class TestPaging(base.TestCase):
    def setUp(self) -> None:
        super().setUp()
        self.parser = argparse.ArgumentParser(exit_on_error=False)
        command.add_paging(self.parser, 'schedule')

    def test_values(self) -> None:
        for arguments, limit, marker in (
            ([], None, ''),
            (['--limit', '0'], 0, ''),
            (['--limit', '10', '--marker', 'x'], 10, 'x'),
        ):
            with self.case(arguments):
                parsed = self.parser.parse_args(arguments)
                self.assertEqual(
                    (limit, marker), (parsed.limit, parsed.marker)
                )

    def test_what_is_no_number_or_negative_is_refused(self) -> None:
        for value in ('-1', 'many', '1.5', ''):
            with self.case(value):
                self.assertRaises(
                    argparse.ArgumentError,
                    self.parser.parse_args,
                    [f'--limit={value}'],
                )
