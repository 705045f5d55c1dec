# SPDX-License-Identifier: Apache-2.0

import datetime
import json

from tests.unit import base
from trove_backup_schedule.osc import columns


class TestTime(base.TestCase):
    def test_both_forms_are_in_utc_and_to_the_second(self) -> None:
        east = datetime.timezone(datetime.timedelta(hours=5, minutes=45))
        for moment in (
            datetime.datetime(2030, 1, 31, 3, 0, tzinfo=datetime.UTC),
            datetime.datetime(2030, 1, 31, 3, 0, 0, 999, datetime.UTC),
            datetime.datetime(2030, 1, 31, 8, 45, tzinfo=east),
        ):
            with self.case(moment):
                column = columns.time(moment)
                assert column is not None
                self.assertEqual(
                    '2030-01-31 03:00:00 UTC', column.human_readable()
                )
                self.assertEqual(
                    '2030-01-31T03:00:00+00:00', column.machine_readable()
                )

    def test_no_time(self) -> None:
        self.assertIsNone(columns.time(None))


class TestJsonObject(base.TestCase):
    def test_people_read_json_and_machines_get_the_object(self) -> None:
        value = {'name': 'nächtlich', 'parent_id': None}
        for kind in (columns.JsonObject, columns.ShortJsonObject):
            with self.case(kind):
                column = kind(value)
                text = column.human_readable()
                self.assertIn('nächtlich', text)
                self.assertEqual(value, json.loads(text))
                self.assertEqual(value, column.machine_readable())

    def test_only_people_and_only_in_lists_see_it_cut(self) -> None:
        longest = {'a': 'x' * 91}
        longer = {'a': 'x' * 92}
        for value, cut in ((longest, False), (longer, True)):
            with self.case(value):
                column = columns.ShortJsonObject(value)
                text = json.dumps(value)
                self.assertEqual(
                    text[:100] + '...' if cut else text,
                    column.human_readable(),
                )
                self.assertEqual(value, column.machine_readable())
                self.assertEqual(
                    text, columns.JsonObject(value).human_readable()
                )


class TestShortText(base.TestCase):
    def test_people_see_one_line_and_its_beginning(self) -> None:
        for text, expected in (
            ('It failed.', 'It failed.'),
            ('It\n\n  failed.\n', 'It failed.'),
            ('x' * 100, 'x' * 100),
            ('x' * 101, 'x' * 100 + '...'),
        ):
            with self.case(text):
                column = columns.ShortText(text)
                self.assertEqual(expected, column.human_readable())
                self.assertEqual(text, column.machine_readable())


class TestOrder(base.TestCase):
    def test_objects_are_sorted_by_what_is_seen_of_them(self) -> None:
        first = columns.JsonObject({'status': 'a'})
        last = columns.ShortJsonObject({'status': 'b'})
        self.assertEqual([first, last], sorted([last, first]))
        self.assertRaises(TypeError, lambda: first < 1)
