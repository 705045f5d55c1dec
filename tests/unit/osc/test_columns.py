# SPDX-License-Identifier: Apache-2.0

import datetime
import functools
import json
import time

import fixtures

from tests.unit import base
from trove_backup_schedule.osc import columns

utc = functools.partial(datetime.datetime, tzinfo=datetime.UTC)

# Rules in place of names, which a machine without a time zone database lacks.
BERLIN = 'CET-1CEST,M3.5.0,M10.5.0/3'
LONDON = 'GMT0BST,M3.5.0/1,M10.5.0'
NEW_YORK = 'EST5EDT,M3.2.0,M11.1.0'
KOLKATA = 'IST-5:30'


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


class TestSentences(base.TestCase):
    def test_people_read_a_line_for_each_and_machines_one(self) -> None:
        column = columns.Sentences(('One two.', 'Three.'))
        self.assertEqual('One two.\nThree.', column.human_readable())
        self.assertEqual('One two. Three.', column.machine_readable())


class TestTimes(base.TestCase):
    def test_people_see_up_to_three_and_how_many_there_are(self) -> None:
        moments = [utc(2030, 1, day, 3) for day in range(1, 13)]
        first = [f'2030-01-0{day} 03:00:00 UTC' for day in (1, 2, 3)]
        for number, lines in (
            (0, []),
            (1, first[:1]),
            (3, first),
            (4, [*first, '... (4 in all)']),
            (12, [*first, '... (12 in all)']),
        ):
            with self.case(number):
                column = columns.Times(moments[:number])
                self.assertEqual('\n'.join(lines), column.human_readable())

    def test_machines_get_all(self) -> None:
        moments = [utc(2030, 1, day, 3) for day in range(1, 13)]
        self.assertEqual(
            [f'2030-01-{day:02}T03:00:00+00:00' for day in range(1, 13)],
            columns.Times(moments).machine_readable(),
        )
        self.assertEqual([], columns.Times(()).machine_readable())


class TestRuns(base.TestCase):
    def _live_in(self, zone: str) -> None:
        # Runs last, when the variable has its old value again.
        self.addCleanup(time.tzset)
        self.useFixture(fixtures.EnvironmentVariable('TZ', zone))
        time.tzset()

    def test_each_time_has_the_offset_that_holds_then(self) -> None:
        runs = columns.Runs([utc(2026, 10, 24, 3), utc(2026, 10, 25, 3)])
        for zone, first, second in (
            (
                BERLIN,
                '2026-10-24 05:00:00 CEST (+02:00)',
                '2026-10-25 04:00:00 CET (+01:00)',
            ),
            (
                LONDON,
                '2026-10-24 04:00:00 BST (+01:00)',
                '2026-10-25 03:00:00 GMT (+00:00)',
            ),
            (
                NEW_YORK,
                '2026-10-23 23:00:00 EDT (-04:00)',
                '2026-10-24 23:00:00 EDT (-04:00)',
            ),
            (
                KOLKATA,
                '2026-10-24 08:30:00 IST (+05:30)',
                '2026-10-25 08:30:00 IST (+05:30)',
            ),
        ):
            with self.case(zone):
                self._live_in(zone)
                self.assertEqual(
                    f'2026-10-24 03:00:00 UTC  =  {first}\n'
                    f'2026-10-25 03:00:00 UTC  =  {second}',
                    runs.human_readable(),
                )

    def test_the_hour_that_comes_twice_is_told_apart(self) -> None:
        self._live_in(BERLIN)
        runs = columns.Runs(
            [utc(2026, 10, 25, 0, 30), utc(2026, 10, 25, 1, 30)]
        )
        self.assertEqual(
            '2026-10-25 00:30:00 UTC  =  2026-10-25 02:30:00 CEST (+02:00)\n'
            '2026-10-25 01:30:00 UTC  =  2026-10-25 02:30:00 CET (+01:00)',
            runs.human_readable(),
        )

    def test_machines_get_both_with_their_offsets(self) -> None:
        self._live_in(NEW_YORK)
        runs = columns.Runs([utc(2026, 11, 1, 3), utc(2026, 11, 2, 3)])
        self.assertEqual(
            [
                {
                    'utc': '2026-11-01T03:00:00+00:00',
                    'local': '2026-10-31T23:00:00-04:00',
                },
                {
                    'utc': '2026-11-02T03:00:00+00:00',
                    'local': '2026-11-01T22:00:00-05:00',
                },
            ],
            runs.machine_readable(),
        )

    def test_utc_is_not_said_twice(self) -> None:
        self._live_in('UTC0')
        runs = columns.Runs([utc(2026, 10, 25, 3)])
        self.assertEqual('2026-10-25 03:00:00 UTC', runs.human_readable())
        self.assertEqual(
            [
                {
                    'utc': '2026-10-25T03:00:00+00:00',
                    'local': '2026-10-25T03:00:00+00:00',
                }
            ],
            runs.machine_readable(),
        )

    def test_a_time_that_is_beyond_the_calendar_here_is_in_utc(self) -> None:
        self._live_in(BERLIN)
        runs = columns.Runs([utc(9999, 12, 31, 23, 30)])
        self.assertEqual('9999-12-31 23:30:00 UTC', runs.human_readable())
        self.assertEqual(
            [
                {
                    'utc': '9999-12-31T23:30:00+00:00',
                    'local': '9999-12-31T23:30:00+00:00',
                }
            ],
            runs.machine_readable(),
        )

    def test_a_zone_that_is_only_called_utc_is_shown(self) -> None:
        self._live_in('UTC3')
        self.assertEqual(
            '2026-10-25 03:00:00 UTC  =  2026-10-25 00:00:00 UTC (-03:00)',
            columns.Runs([utc(2026, 10, 25, 3)]).human_readable(),
        )

    def test_no_times(self) -> None:
        self.assertEqual('', columns.Runs([]).human_readable())
        self.assertEqual([], columns.Runs([]).machine_readable())


class TestDuration(base.TestCase):
    def test_people_see_the_two_largest_units(self) -> None:
        for text, given in (
            ('0 s', {}),
            ('0 s', {'milliseconds': 999}),
            ('12 s', {'seconds': 12}),
            ('59 s', {'seconds': 59, 'milliseconds': 999}),
            ('1 min', {'seconds': 60}),
            ('3 min 20 s', {'minutes': 3, 'seconds': 20}),
            ('59 min 59 s', {'seconds': 3599}),
            ('1 h', {'seconds': 3659}),
            ('2 h 5 min', {'hours': 2, 'minutes': 5, 'seconds': 59}),
            ('1 d', {'days': 1, 'minutes': 59}),
            ('3 d 4 h', {'days': 3, 'hours': 4, 'minutes': 59}),
            ('400 d 23 h', {'days': 401, 'seconds': -1}),
            ('-5 s', {'seconds': -5}),
            ('0 s', {'milliseconds': -5}),
            ('-2 h 5 min', {'hours': -2, 'minutes': -5}),
        ):
            with self.case(text, given):
                column = columns.duration(datetime.timedelta(**given))
                assert column is not None
                self.assertEqual(text, column.human_readable())

    def test_machines_get_seconds(self) -> None:
        for given, text in (
            ({}, '0'),
            ({'minutes': 3, 'seconds': 20}, '200'),
            ({'days': 3}, '259200'),
            ({'seconds': 12, 'milliseconds': 250}, '12.25'),
            ({'seconds': -5}, '-5'),
        ):
            with self.case(given):
                column = columns.Duration(datetime.timedelta(**given))
                self.assertEqual(text, json.dumps(column.machine_readable()))

    def test_no_duration(self) -> None:
        self.assertIsNone(columns.duration(None))


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

    def test_durations_are_sorted_by_their_length(self) -> None:
        short = columns.Duration(datetime.timedelta(hours=2))
        long = columns.Duration(datetime.timedelta(days=1))
        self.assertEqual([short, long], sorted([long, short]))
