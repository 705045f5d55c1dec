# SPDX-License-Identifier: Apache-2.0

import datetime
import itertools

import hypothesis
from hypothesis import strategies as st

from tests.unit import base
from trove_backup_schedule import cron
from trove_backup_schedule import exceptions

NOW = datetime.datetime(2030, 1, 31, 12, 0, tzinfo=datetime.UTC)
MINUTE = datetime.timedelta(minutes=1)
EAST = datetime.timezone(datetime.timedelta(hours=5, minutes=45))

FIELDS = st.lists(
    st.sampled_from(['*', '1', '*/5', '1-5', '1,3', '*/2,1']),
    min_size=5,
    max_size=5,
)
BLANKS = st.sampled_from([' ', '  ', '\t', ' \n '])


class TestValidate(base.TestCase):
    def test_accepted_patterns_come_in_their_normal_form(self) -> None:
        for pattern, normal in (
            ('0 3 * * *', '0 3 * * *'),
            (' 0\t3  *\n* * ', '0 3 * * *'),
            ('*/15 0-5,22 1,15 */2 1-5', '*/15 0-5,22 1,15 */2 1-5'),
            ('0 0 L * *', '0 0 L * *'),
            ('0 0 * * 5#1', '0 0 * * 5#1'),
            ('0 0 * * L5', '0 0 * * L5'),
            ('0 0 29 2 *', '0 0 29 2 *'),
            ('@daily', '@daily'),
            (' @Daily ', '@daily'),
            ('@WEEKLY', '@weekly'),
            ('0 0 * MAR,apr thu-FRI', '0 0 * MAR,apr thu-FRI'),
            ('0 0 * march *', None),
        ):
            with self.case(pattern):
                if normal is None:
                    self.assertRaises(
                        exceptions.InvalidValueError, cron.validate, pattern
                    )
                else:
                    self.assertEqual(normal, cron.validate(pattern))

    def test_every_alias_fires(self) -> None:
        for alias in cron.ALIASES:
            with self.case(alias):
                times = cron.next_times(cron.validate(alias), NOW)
                self.assertGreater(next(times), NOW)

    def test_names_with_an_r_or_h_are_no_random_fields(self) -> None:
        for field in ('FRI', 'THU', 'fri-sat', 'THU,FRI'):
            with self.case(field):
                pattern = f'0 0 * * {field}'
                self.assertEqual(pattern, cron.validate(pattern))
        for field in ('MAR', 'APR', 'mar-apr', 'MAR,APR'):
            with self.case(field):
                pattern = f'0 0 * {field} *'
                self.assertEqual(pattern, cron.validate(pattern))

    def test_random_and_hashed_fields_are_refused_in_every_place(
        self,
    ) -> None:
        for place, field in itertools.product(
            range(5), ('R', 'H', 'r', 'h', 'R/2', 'h/3', 'R(1-5)', 'H(1-5)/2')
        ):
            fields = ['0', '3', '*', '*', '*']
            fields[place] = field
            pattern = ' '.join(fields)
            with self.case(pattern):
                self._refused(pattern, 'drawn anew at every run')

    def test_impossible_patterns_are_refused_with_the_reason(self) -> None:
        for pattern, reason in (
            ('', 'it is empty'),
            (' \t ', 'it is empty'),
            ('0 3 * *', 'it has 4 fields'),
            ('0 0 2 * * *', 'it has 6 fields'),
            ('0 30 2 * * * 2031', 'it has 7 fields'),
            ('60 3 * * *', 'out of range'),
            ('0 3 * * MOO', 'MOO'),
            ('0 3 R,5 * *', 'not acceptable'),
            ('0 0 31 2 *', 'no date fits it'),
            ('0 0 30 FEB *', 'no date fits it'),
            ('@every 6h', 'only these aliases'),
            ('@reboot', 'only these aliases'),
            ('@', 'only these aliases'),
            ('CRON_TZ=Europe/Berlin 0 3 * * *', 'in UTC'),
            ('TZ=UTC 0 3 * * *', 'in UTC'),
            ('tz=UTC @daily', 'in UTC'),
            ('@daily TZ=UTC', 'in UTC'),
        ):
            with self.case(pattern):
                self._refused(pattern, reason)

    def test_a_refusal_names_the_pattern_and_shows_a_right_one(self) -> None:
        message = self._refused('61 * * * *', '')
        self.assertIn('"61 * * * *"', message)
        self.assertIn('"0 3 * * *" is every day at 03:00 UTC', message)

    def test_the_length_is_that_of_the_normal_form(self) -> None:
        for length, accepted in ((100, True), (101, False)):
            pattern = ','.join(['1'] * 46) + ' * * * *'
            pattern = pattern.replace('1,', '11,', length - len(pattern))
            self.assertEqual(length, len(pattern))
            with self.case(length):
                if accepted:
                    spaced = pattern.replace(' ', '   ')
                    self.assertEqual(pattern, cron.validate(spaced))
                else:
                    self._refused_as_too_long(pattern)

    def _refused_as_too_long(self, pattern: str) -> None:
        exc = self.assertRaises(
            exceptions.InvalidValueError, cron.validate, pattern
        )
        self.assertEqual(
            'The pattern has 101 characters; at most 100 are possible.',
            str(exc),
        )

    def _refused(self, pattern: str, reason: str) -> str:
        exc = self.assertRaises(
            exceptions.InvalidValueError, cron.validate, pattern
        )
        self.assertIn(reason, str(exc))
        return str(exc)

    @base.STEADY
    @hypothesis.given(FIELDS, BLANKS)
    def test_validating_twice_changes_nothing(
        self, fields: list[str], blank: str
    ) -> None:
        normal = cron.validate(blank.join(fields))
        self.assertEqual(fields, normal.split(' '))
        self.assertEqual(normal, cron.validate(normal))

    @base.STEADY
    @hypothesis.given(
        st.text('0123456789*/-,#LRHW@?aTZ= \t\u3000é', max_size=30)
    )
    def test_any_text_is_accepted_or_refused(self, text: str) -> None:
        try:
            normal = cron.validate(text)
        except exceptions.InvalidValueError:
            return
        self.assertGreater(next(cron.next_times(normal, NOW)), NOW)


class TestNextTimes(base.TestCase):
    def test_times_are_utc_and_come_after_the_moment(self) -> None:
        after = datetime.datetime(2030, 1, 31, 8, 45, tzinfo=EAST)
        self.assertEqual(
            [
                datetime.datetime(2030, 2, 1, 3, 0, tzinfo=datetime.UTC),
                datetime.datetime(2030, 2, 2, 3, 0, tzinfo=datetime.UTC),
            ],
            list(itertools.islice(cron.next_times('0 3 * * *', after), 2)),
        )

    def test_the_last_day_of_a_month(self) -> None:
        times = cron.next_times('0 0 L * *', NOW)
        self.assertEqual(
            [(2, 28), (3, 31), (4, 30)],
            [(time.month, time.day) for time in itertools.islice(times, 3)],
        )


class TestParseTime(base.TestCase):
    def test_a_time_without_an_offset_is_in_utc(self) -> None:
        three = datetime.datetime(2030, 1, 31, 3, 0, tzinfo=datetime.UTC)
        for text in (
            '2030-01-31T03:00:00Z',
            '2030-01-31T03:00',
            '2030-01-31 03:00:00',
            '20300131T030000',
            '2030-01-31T08:45:00+05:45',
            '2030-01-30T22:00-05:00',
        ):
            with self.case(text):
                moment = cron.parse_time(text)
                self.assertEqual(three, moment)
                self.assertEqual(datetime.UTC, moment.tzinfo)

    def test_what_is_no_time_is_refused(self) -> None:
        for text in (
            '',
            'tomorrow',
            '03:00',
            '31.01.2030 03:00',
            '2030-02-30T03:00',
            '2030-01-31T25:00',
            # Beyond the years that there are, once it is in UTC.
            '9999-12-31T23:59-05:00',
            '0001-01-01T00:00+05:00',
        ):
            with self.case(text):
                exc = self.assertRaises(
                    exceptions.InvalidValueError, cron.parse_time, text
                )
                self.assertIn(f'"{text}"', str(exc))


class TestValidateFirstTime(base.TestCase):
    def test_seconds_are_rounded_up(self) -> None:
        for ahead, expected in (
            (MINUTE, MINUTE),
            (datetime.timedelta(seconds=61), 2 * MINUTE),
            (datetime.timedelta(seconds=60, microseconds=1), 2 * MINUTE),
            (datetime.timedelta(minutes=2), 2 * MINUTE),
        ):
            with self.case(ahead):
                self.assertEqual(
                    NOW + expected, cron.validate_first_time(NOW + ahead, NOW)
                )

    def test_other_time_zones_end_up_in_utc(self) -> None:
        moment = cron.validate_first_time(
            datetime.datetime(2030, 2, 1, 8, 45, tzinfo=EAST), NOW
        )
        self.assertEqual('2030-02-01T03:00:00+00:00', moment.isoformat())

    def test_less_than_a_minute_ahead_is_refused(self) -> None:
        for ahead in (
            datetime.timedelta(seconds=59, microseconds=999999),
            datetime.timedelta(0),
            datetime.timedelta(days=-1),
        ):
            with self.case(ahead):
                exc = self.assertRaises(
                    exceptions.InvalidValueError,
                    cron.validate_first_time,
                    NOW + ahead,
                    NOW,
                )
                self.assertIn('at least one minute ahead', str(exc))
                self.assertIn('2030-01-31T12:00:00+00:00 now', str(exc))

    def test_a_naive_time_is_refused(self) -> None:
        exc = self.assertRaises(
            exceptions.InvalidValueError,
            cron.validate_first_time,
            NOW.replace(year=2031, tzinfo=None),
            NOW,
        )
        self.assertIn('no time zone', str(exc))

    def test_a_time_that_cannot_be_rounded_up_is_refused(self) -> None:
        last = datetime.datetime.max.replace(tzinfo=datetime.UTC)
        self.assertRaises(
            exceptions.InvalidValueError, cron.validate_first_time, last, NOW
        )

    @base.STEADY
    @hypothesis.given(
        st.datetimes(
            min_value=NOW.replace(tzinfo=None) + datetime.timedelta(days=2),
            max_value=NOW.replace(tzinfo=None, year=2999),
            timezones=st.sampled_from([datetime.UTC, EAST]),
        )
    )
    def test_it_is_never_earlier_than_asked_and_in_whole_minutes(
        self, asked: datetime.datetime
    ) -> None:
        moment = cron.validate_first_time(asked, NOW)
        self.assertGreaterEqual(moment, asked)
        self.assertLess(moment - asked, MINUTE)
        self.assertEqual((0, 0), (moment.second, moment.microsecond))
        self.assertEqual(datetime.UTC, moment.tzinfo)
