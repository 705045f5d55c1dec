# SPDX-License-Identifier: Apache-2.0

import collections
from collections.abc import Sequence
import datetime
import itertools
import math
import re

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


def _one_of(fields: str) -> st.SearchStrategy[str]:
    return st.sampled_from(fields.split())


def _has_words(pattern: str) -> bool:
    _minute, _hour, day, _month, weekday = pattern.split()
    return day in '*?' or not re.search('[#L]', weekday)


#: Patterns of every kind that there are words for.
PATTERNS = (
    st.tuples(
        _one_of('* 0 59 */15 0,30 7/20 */7 5-9 59/15 3,*'),
        _one_of('* 0 3 */6 9-17 22-1 0-5,12 */5 23/2 8,9'),
        _one_of('* ? 1 31 L */10 1-7 1,15 */1 20/5'),
        _one_of('* JAN */3 nov-feb 2,3 6-6 12/5 mar-MAY,10'),
        _one_of(
            '* ? MON 7 5-7 mon-FRI fri-mon */2 0-6 tue,thu '
            '1#1 5#5 L5 fri#2 7#3'
        ),
    )
    .map(' '.join)
    .filter(_has_words)
)
MOMENTS = st.datetimes(
    min_value=NOW.replace(tzinfo=None, year=1990),
    max_value=NOW.replace(tzinfo=None, year=2199),
    timezones=st.just(datetime.UTC),
)
DAY = datetime.timedelta(days=1)

WEEKDAYS = (
    'Sunday',
    'Monday',
    'Tuesday',
    'Wednesday',
    'Thursday',
    'Friday',
    'Saturday',
)
MONTHS = (
    'January',
    'February',
    'March',
    'April',
    'May',
    'June',
    'July',
    'August',
    'September',
    'October',
    'November',
    'December',
)
WEEKS = ('first', 'second', 'third', 'fourth', 'fifth')

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

    def test_they_end_with_the_calendar(self) -> None:
        after = datetime.datetime(9999, 12, 29, 12, 0, tzinfo=datetime.UTC)
        self.assertEqual(
            [30, 31],
            [time.day for time in cron.next_times('0 3 * * *', after)],
        )

    @base.STEADY
    @hypothesis.given(PATTERNS, MOMENTS)
    def test_they_are_later_than_any_moment(
        self, pattern: str, moment: datetime.datetime
    ) -> None:
        first, second = itertools.islice(cron.next_times(pattern, moment), 2)
        self.assertLess(moment, first)
        self.assertLess(first, second)


class TestPreviousTimes(base.TestCase):
    def test_times_are_utc_and_come_latest_first(self) -> None:
        before = datetime.datetime(2030, 1, 31, 8, 45, tzinfo=EAST)
        times = list(
            itertools.islice(cron.previous_times('0 3 * * *', before), 2)
        )
        self.assertEqual(
            [
                datetime.datetime(2030, 1, 30, 3, 0, tzinfo=datetime.UTC),
                datetime.datetime(2030, 1, 29, 3, 0, tzinfo=datetime.UTC),
            ],
            times,
        )
        self.assertEqual(datetime.UTC, times[0].tzinfo)

    def test_a_time_is_earlier_than_the_moment_by_any_bit(self) -> None:
        noon = NOW.replace(hour=12)
        for before, expected in (
            (noon, noon - DAY),
            (noon + datetime.timedelta(microseconds=1), noon),
            (noon + datetime.timedelta(seconds=59), noon),
            (noon - datetime.timedelta(microseconds=1), noon - DAY),
        ):
            with self.case(before):
                self.assertEqual(
                    expected, next(cron.previous_times('0 12 * * *', before))
                )

    def test_rare_dates_are_found(self) -> None:
        times = cron.previous_times('0 0 29 2 *', NOW.replace(year=2104))
        self.assertEqual(
            [2096, 2092],
            [time.year for time in itertools.islice(times, 2)],
        )

    def test_they_end_where_no_date_is_near(self) -> None:
        self.assertEqual([], list(cron.previous_times('0 0 31 2 *', NOW)))

    @base.STEADY
    @hypothesis.given(PATTERNS, MOMENTS)
    def test_they_are_the_next_times_backwards(
        self, pattern: str, moment: datetime.datetime
    ) -> None:
        times = list(itertools.islice(cron.next_times(pattern, moment), 5))
        end = times[-1] + datetime.timedelta(microseconds=1)
        self.assertEqual(
            times[::-1],
            list(itertools.islice(cron.previous_times(pattern, end), 5)),
        )
        self.assertLessEqual(
            next(cron.previous_times(pattern, times[0])), moment
        )


class TestSpread(base.TestCase):
    def test_a_key_has_the_same_time_for_ever(self) -> None:
        for pattern, number, expected in (
            ('@daily', 1, '22 20 * * *'),
            (' @Daily ', 1, '22 20 * * *'),
            ('@midnight', 1, '0 21 * * *'),
            ('@hourly', 1, '1 * * * *'),
            ('@weekly', 1, '30 10 * * 3'),
        ):
            with self.case(pattern, number):
                self.assertEqual(
                    expected, cron.spread(pattern, base.uid(number))
                )

    def test_what_has_a_time_of_its_own_is_refused(self) -> None:
        for pattern in ('0 3 * * *', '@monthly', '@yearly', '@annually'):
            with self.case(pattern):
                exc = self.assertRaises(
                    exceptions.InvalidValueError,
                    cron.spread,
                    pattern,
                    base.uid(1),
                )
                self.assertIn(f'"{pattern}" can\'t be spread', str(exc))
                self.assertIn('@daily, @hourly, @midnight, @weekly', str(exc))

    def test_no_pattern_is_refused_as_everywhere(self) -> None:
        exc = self.assertRaises(
            exceptions.InvalidValueError, cron.spread, '@often', base.uid(1)
        )
        self.assertIn('only these aliases are known', str(exc))

    @base.STEADY
    @hypothesis.given(
        st.sampled_from(('@hourly', '@daily', '@midnight', '@weekly')),
        st.uuids().map(str),
    )
    def test_it_fires_as_often_as_before(self, alias: str, key: str) -> None:
        pattern = cron.spread(alias, key)
        self.assertEqual(pattern, cron.validate(pattern))
        first, second = itertools.islice(cron.next_times(pattern, NOW), 2)
        apart = {'@hourly': DAY / 24, '@weekly': 7 * DAY}.get(alias, DAY)
        self.assertEqual(apart, second - first)

    def test_the_times_of_many_keys_are_even(self) -> None:
        keys = [base.uid(number) for number in range(10_000)]
        for alias, sizes in (
            ('@hourly', [60]),
            ('@daily', [60, 24]),
            ('@midnight', [60, 24]),
            ('@weekly', [60, 24, 7]),
        ):
            patterns = [cron.spread(alias, key) for key in keys]
            columns = [
                [field for field in column if field != '*']
                for column in zip(*map(str.split, patterns), strict=True)
            ]
            parts = [column for column in columns if column]
            self.assertEqual(len(sizes), len(parts))
            for values, size in zip(parts, sizes, strict=True):
                with self.case(alias, size):
                    self._even(values, size)
            with self.case(alias):
                self._even(patterns, math.prod(sizes))

    def _even(self, values: Sequence[str], size: int) -> None:
        """Check by chi-squared, whose mean is the size, nearly."""
        counts = collections.Counter(values)
        self.assertLessEqual(len(counts), size)
        fair = len(values) / size
        off = sum((count - fair) ** 2 / fair for count in counts.values())
        off += (size - len(counts)) * fair
        self.assertLess(off, size + 5 * math.sqrt(2 * size))

    def test_two_aliases_of_one_key_are_apart(self) -> None:
        same = [
            number
            for number in range(1000)
            if cron.spread('@weekly', base.uid(number)).split()[:2]
            == cron.spread('@daily', base.uid(number)).split()[:2]
        ]
        self.assertLess(len(same), 5)


class TestDescribe(base.TestCase):
    def test_words_for_the_patterns_that_people_use(self) -> None:
        for pattern, expected in (
            ('0 3 * * *', 'At 03:00, every day, UTC'),
            (' 0  3 * * * ', 'At 03:00, every day, UTC'),
            ('30 15 ? * ?', 'At 15:30, every day, UTC'),
            (
                '0 */6 * * *',
                'At 00:00, 06:00, 12:00 and 18:00, every day, UTC',
            ),
            (
                '0 9,17 * * 1-5',
                'At 09:00 and 17:00, every Monday through Friday, UTC',
            ),
            ('* * * * *', 'Every minute, UTC'),
            ('*/15 * * * *', 'Every 15 minutes, UTC'),
            (
                '*/20 1-3 * * *',
                'Every 20 minutes, between 01:00 and 03:59, every day, UTC',
            ),
            (
                '5,10 1,3 * * *',
                (
                    'At 5 and 10 minutes past the hour, at 01:00 through '
                    '01:59 and 03:00 through 03:59, every day, UTC'
                ),
            ),
            # Not "every 25 minutes": the third hour begins anew.
            (
                '*/25 3 * * *',
                (
                    'At 0, 25, and 50 minutes past the hour, between 03:00 '
                    'and 03:59, every day, UTC'
                ),
            ),
            # Not "every 20 days", and not on the 41st.
            ('0 3 */20 * *', 'At 03:00, on day 1 and 21 of the month, UTC'),
            ('0 3 L * *', 'At 03:00, on the last day of the month, UTC'),
            ('0 3 * * MON', 'At 03:00, every Monday, UTC'),
            ('0 3 * * 7', 'At 03:00, every Sunday, UTC'),
            ('0 3 * * 6-7', 'At 03:00, every Sunday and Saturday, UTC'),
            ('0 3 * * 0-6', 'At 03:00, every day, UTC'),
            ('0 3 * * 5#1', 'At 03:00, on the first Friday of the month, UTC'),
            ('0 3 * * L5', 'At 03:00, on the last Friday of the month, UTC'),
            ('0 3 * JAN *', 'At 03:00, every day, only in January, UTC'),
            (
                '0 3 1 nov-feb *',
                (
                    'At 03:00, on day 1 of the month, only in January, '
                    'February, November and December, UTC'
                ),
            ),
            # As croniter has it, an equal range is all of them.
            ('0 3 * 4-4 *', 'At 03:00, every day, UTC'),
        ):
            with self.case(pattern):
                self.assertEqual(expected, cron.describe(pattern))

    def test_a_day_and_a_weekday_are_joined_by_and_also(self) -> None:
        for pattern, expected in (
            (
                '0 2 1 * 1',
                'At 02:00, on day 1 of the month and also every Monday, UTC',
            ),
            (
                '0 2 L 2 5,6',
                (
                    'At 02:00, on the last day of the month and also every '
                    'Friday and Saturday, only in February, UTC'
                ),
            ),
        ):
            with self.case(pattern):
                self.assertEqual(expected, cron.describe(pattern))

    def test_every_alias_has_words(self) -> None:
        for alias, expected in (
            ('@hourly', 'Every hour, UTC'),
            ('@daily', 'At 00:00, every day, UTC'),
            ('@midnight', 'At 00:00, every day, UTC'),
            ('@Weekly', 'At 00:00, every Sunday, UTC'),
            ('@monthly', 'At 00:00, on day 1 of the month, UTC'),
            (
                '@yearly',
                'At 00:00, on day 1 of the month, only in January, UTC',
            ),
            (
                '@annually',
                'At 00:00, on day 1 of the month, only in January, UTC',
            ),
        ):
            with self.case(alias):
                self.assertEqual(expected, cron.describe(alias))

    def test_there_are_no_words_rather_than_wrong_ones(self) -> None:
        for pattern in (
            '0 3 15W * *',
            '0 3 w1 * *',
            '0 3 15,L * *',
            '0 3 * * 1#1,1#3',
            '0 3 * * 1#1,2#1',
            '0 3 * * 0-6,1#1',
            '0 3 * * *,1#1',
            '0 3 1 * 5#1',
            '0 3 */1 * L5',
        ):
            with self.case(pattern):
                cron.validate(pattern)
                self.assertIsNone(cron.describe(pattern))

    def test_there_are_none_for_what_is_refused(self) -> None:
        for pattern in ('', 'x', '0 0 2 * * *', 'R 3 * * *', '0 0 31 2 *'):
            with self.case(pattern):
                self.assertIsNone(cron.describe(pattern))

    @hypothesis.settings(base.STEADY, max_examples=300)
    @hypothesis.given(PATTERNS, MOMENTS)
    def test_the_words_mean_the_times_at_which_it_fires(
        self, pattern: str, moment: datetime.datetime
    ) -> None:
        words = cron.describe(pattern)
        assert words is not None
        meant = _Meaning(words)
        start = moment.replace(hour=0, minute=0, second=0, microsecond=0)
        end = start + 70 * DAY
        fires: list[datetime.date] = []
        time = next(cron.next_times(pattern, start - MINUTE))
        self.assertEqual(
            meant.minutes,
            [
                60 * each.hour + each.minute
                for each in itertools.takewhile(
                    lambda each: each.date() == time.date(),
                    cron.next_times(pattern, time - MINUTE),
                )
            ],
        )
        while time < end:
            fires.append(time.date())
            time = next(
                cron.next_times(pattern, time.replace(hour=23, minute=59))
            )
        days = [(start + number * DAY).date() for number in range(70)]
        self.assertEqual(
            [each for each in days if meant.fires_on(each)], fires
        )


class _Meaning:
    """What the words for a pattern say to who knows no pattern.

    :ivar minutes: the minutes of a day at which it fires.
    """

    def __init__(self, words: str) -> None:
        match = re.fullmatch(
            r'(?P<time>.+?)'
            r'(?P<day>, (?P<every>every day)?'
            r'(?:on day (?P<days>[0-9, and]+) of the month)?'
            r'(?P<last>on the last day of the month)?'
            r'(?: and also )?'
            r'(?:every (?P<weekdays>\w+day\b.*?))?'
            r'(?:on the (?P<week>\w+) (?P<counted>\w+day) of the month)?)?'
            r'(?:, only in (?P<months>.+))?'
            r', UTC',
            words,
        )
        assert match is not None, words
        self.minutes = _minutes(match['time'])
        # What fires all the time does so every day.
        self._every = match['every'] or not match['day']
        self._last = match['last']
        self._days = set(_numbers(match['days'] or ''))
        self._weekdays = _listed(match['weekdays'], WEEKDAYS)
        self._months = _listed(match['months'], MONTHS) or set(MONTHS)
        self._week, self._counted = match['week'], match['counted']

    def fires_on(self, day: datetime.date) -> bool:
        """Tell whether it fires on a day."""
        weekday = WEEKDAYS[day.isoweekday() % 7]
        weeks = {WEEKS[(day.day - 1) // 7]}
        if (day + 7 * DAY).month != day.month:
            weeks.add('last')
        return MONTHS[day.month - 1] in self._months and bool(
            self._every
            or (self._last and (day + DAY).day == 1)
            or day.day in self._days
            or weekday in self._weekdays
            or (weekday == self._counted and self._week in weeks)
        )


def _listed(text: str | None, names: Sequence[str]) -> set[str]:
    """Give the names that are listed, or in a listed range."""
    found: set[str] = set()
    for part in re.split(', | and ', text) if text else ():
        first, _through, last = part.partition(' through ')
        found.update(
            names[names.index(first) : names.index(last or first) + 1]
        )
    return found


def _numbers(text: str) -> list[int]:
    return [int(number) for number in re.findall('[0-9]+', text)]


def _minutes(text: str) -> list[int]:
    """Give the minutes of a day that words such as "At 03:00" mean."""
    clocks = [
        60 * int(hour) + int(minute)
        for hour, minute in re.findall('([0-9]{2}):([0-9]{2})', text)
    ]
    if re.fullmatch('At [0-9:, and]+', text):
        return clocks
    match = re.fullmatch(
        r'(?:Every (?P<step>minute|hour|[0-9]+ minutes)'
        r'|At (?P<listed>[0-9, and]+) minutes past the hour)'
        r'(?:, (?:every hour|between .+ and .+|at .+ through .+))?',
        text,
    )
    assert match is not None, text
    if match['listed']:
        within = set(_numbers(match['listed']))
    else:
        unit = {'minute': 1, 'hour': 60}
        step = unit.get(match['step']) or _numbers(match['step'])[0]
        within = set(range(0, 60, step))
    bounds = clocks or [0, 24 * 60 - 1]
    return [
        minute
        for first, last in zip(bounds[::2], bounds[1::2], strict=True)
        for minute in range(first, last + 1)
        if minute % 60 in within
    ]


class TestKnownTimes(base.TestCase):
    @staticmethod
    def _first(pattern: str | None) -> list[datetime.datetime]:
        return list(itertools.islice(cron.known_times(pattern, NOW), 3))

    def test_they_are_the_times_at_which_it_fires(self) -> None:
        for pattern in ('0 3 * * *', '@Daily', '0 0 29 2 *'):
            with self.case(pattern):
                self.assertEqual(
                    list(itertools.islice(cron.next_times(pattern, NOW), 3)),
                    self._first(pattern),
                )

    def test_those_of_patterns_that_are_refused_here_are_known_too(
        self,
    ) -> None:
        second = datetime.timedelta(seconds=1)
        self.assertEqual(
            [NOW + number * second for number in (1, 2, 3)],
            self._first('* * * * * *'),
        )

    def test_none_are_known_of_what_is_not_understood(self) -> None:
        for pattern in (None, '', 'x', '@reboot', '0 3 * *', '0 0 31 2 *'):
            with self.case(pattern):
                self.assertEqual([], self._first(pattern))

    @base.STEADY
    @hypothesis.given(st.text(max_size=20))
    def test_any_text_gives_times_to_come_or_none(self, text: str) -> None:
        times = self._first(text)
        self.assertEqual(sorted(times), times)
        for time in times:
            self.assertGreater(time, NOW)


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
