# SPDX-License-Identifier: Apache-2.0

"""Rules for cron patterns, as Mistral understands them. No I/O.

Mistral evaluates a pattern with croniter, in UTC, and accepts more than is
good for a backup: six fields mean *every second*, and a random field is
drawn again after each run. What is refused here would be accepted there, or
answered with HTTP 500.
"""

from collections.abc import Iterator, Mapping, Sequence
import contextlib
import datetime
import hashlib
import itertools
import re
from typing import Any

from trove_backup_schedule import exceptions
from trove_backup_schedule.i18n import _

#: Width of the column that Mistral keeps a pattern in.
MAX_LENGTH = 100

#: What croniter takes in place of five fields.
ALIASES = frozenset(
    {
        '@annually',
        '@daily',
        '@hourly',
        '@midnight',
        '@monthly',
        '@weekly',
        '@yearly',
    }
)

#: Years between two times of a pattern after which croniter, and with it
#: Mistral, looks no further.
LONGEST_GAP = 50

#: Mistral wants ``first_execution_time`` at least this far ahead.
FIRST_TIME_LEAD = datetime.timedelta(minutes=1)

# What each alias becomes once a key has its own time in it.
_SPREAD = {
    '@daily': '{minute} {hour} * * *',
    '@hourly': '{minute} * * * *',
    '@midnight': '{minute} {hour} * * *',
    '@weekly': '{minute} {hour} * * {weekday}',
}

# Python's own names are in the language that the process is set to.
_WEEKDAYS = (
    'Sunday',
    'Monday',
    'Tuesday',
    'Wednesday',
    'Thursday',
    'Friday',
    'Saturday',
)
_MONTHS = (
    '',
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

# As croniter numbers them: "5#2" is the second Friday, "L5" the last.
_WEEKS = {
    1: 'first',
    2: 'second',
    3: 'third',
    4: 'fourth',
    5: 'fifth',
    'l': 'last',
}

# The working day next to a day of the month. croniter doesn't say that it
# has read one.
_WORKING_DAY = re.compile(r'[0-9]W|W[0-9]', re.IGNORECASE)

_RANDOM_FIELD = re.compile(r'[RH](\(|/|$)', re.IGNORECASE)


def next_times(
    pattern: str, after: datetime.datetime
) -> Iterator[datetime.datetime]:
    """Give the times at which a pattern fires, to the end of the calendar.

    :param pattern: a pattern that :func:`validate` has accepted.
    :param after: aware; the first time given is later than this.
    :returns: aware UTC times, in order.
    """
    # Imported at first use: it costs every start of the shell 60 ms.
    from croniter import croniter

    return _within_calendar(
        croniter(
            pattern, after.astimezone(datetime.UTC), ret_type=datetime.datetime
        )
    )


def _within_calendar(
    times: Iterator[datetime.datetime],
) -> Iterator[datetime.datetime]:
    with contextlib.suppress(OverflowError):
        yield from times


def known_times(
    pattern: str | None, after: datetime.datetime
) -> Iterator[datetime.datetime]:
    """Give the times at which any pattern that Mistral has taken fires.

    :param pattern: None, and what the croniter here does not understand, have
        no times that are known.
    :param after: aware; the first time given is later than this.
    :returns: aware UTC times, in order.
    """
    with contextlib.suppress(ValueError, KeyError):
        yield from next_times(pattern or '', after)


def previous_times(
    pattern: str, before: datetime.datetime
) -> Iterator[datetime.datetime]:
    """Give the times at which a pattern should have fired, latest first.

    They end before a gap of more than :data:`LONGEST_GAP` years.

    :param pattern: a pattern that :func:`validate` has accepted.
    :param before: aware; the first time given is earlier than this.
    :returns: aware UTC times, in falling order.
    """
    from croniter import croniter

    times: Iterator[datetime.datetime] = croniter(
        pattern,
        before.astimezone(datetime.UTC),
        ret_type=datetime.datetime,
        max_years_between_matches=LONGEST_GAP,
    ).all_prev()
    return times


def validate(pattern: str) -> str:
    """Check a pattern and give it in its normal form.

    :param pattern: five fields separated by white space, or an alias such as
        ``@daily``. It is read in UTC.
    :returns: the pattern with single spaces.
    :raises InvalidValueError: if Mistral would refuse the pattern, would
        never fire it, or would fire it at other times than it seems to say.
    """
    fields = pattern.split()
    normal = ' '.join(fields)
    if len(normal) > MAX_LENGTH:
        raise exceptions.InvalidValueError(
            _(
                'The pattern has %(length)d characters; at most %(most)d '
                'are possible.'
            )
            % {'length': len(normal), 'most': MAX_LENGTH}
        )
    if not fields:
        raise _refusal(normal, _('it is empty'))
    if 'TZ=' in normal.upper():
        raise _refusal(
            normal,
            _(
                "a time zone can't be set in it; Mistral reads every "
                'pattern in UTC'
            ),
        )
    if normal.startswith('@'):
        if normal.lower() not in ALIASES:
            raise _refusal(
                normal,
                _('only these aliases are known: %s')
                % ', '.join(sorted(ALIASES)),
            )
        return normal.lower()
    if len(fields) != 5:
        raise _refusal(
            normal,
            _(
                'it has %d fields in place of five: minute, hour, day of '
                'month, month, day of week'
            )
            % len(fields),
        )
    if any(_RANDOM_FIELD.match(field) for field in fields):
        raise _refusal(
            normal,
            _('random and hashed fields (R, H) are drawn anew at every run'),
        )
    try:
        times = next_times(normal, datetime.datetime.now(datetime.UTC))
    except (ValueError, KeyError) as exc:
        raise _refusal(normal, str(exc)) from exc
    try:
        next(times)
    except ValueError as exc:
        raise _refusal(normal, _('no date fits it')) from exc
    return normal


def _refusal(pattern: str, reason: str) -> exceptions.InvalidValueError:
    return exceptions.InvalidValueError(
        _(
            'The pattern "%(pattern)s" can\'t be used: %(reason)s. Example: '
            '"0 3 * * *" is every day at 03:00 UTC.'
        )
        % {'pattern': pattern, 'reason': reason.strip().rstrip('.')}
    )


def spread(pattern: str, key: str) -> str:
    """Give a pattern as often as an alias, at a time of the key's own.

    So the backups of many instances don't all start at once. The same alias
    and key always give the same time. Two aliases give times that have
    nothing to do with each other, because one instance may have both.

    :param pattern: ``@hourly``, ``@daily``, ``@midnight`` or ``@weekly``.
    :param key: what has a time of its own: the ID of an instance.
    :returns: a pattern of five fields; the minute, the hour and the weekday
        that it has are each as likely as any other.
    :raises InvalidValueError: if the pattern is another one.
    """
    normal = validate(pattern)
    form = _SPREAD.get(normal)
    if form is None:
        raise exceptions.InvalidValueError(
            _(
                'The pattern "%(pattern)s" can\'t be spread, as its time is '
                'fixed. These can be: %(aliases)s.'
            )
            % {'pattern': normal, 'aliases': ', '.join(_SPREAD)}
        )
    digest = hashlib.sha256(f'{normal} {key}'.encode()).digest()
    rest, minute = divmod(int.from_bytes(digest), 60)
    rest, hour = divmod(rest, 24)
    return form.format(minute=minute, hour=hour, weekday=rest % 7)


def describe(pattern: str) -> str | None:
    """Say in English when a pattern fires.

    The words are for what croniter makes of the pattern. So where both a day
    of the month and a weekday are given, they say that it fires on either.

    :param pattern: five fields or an alias.
    :returns: such as ``At 03:00, every day, UTC``; always ends in ``UTC``.
        None for a pattern that :func:`validate` refuses, and for rare ones
        that no words are sure to be right for: the working day next to a day
        (``15W``), the last day of the month among others (``15,L``), several
        counted weekdays (``1#1,1#3``), and one with a day of the month.
    """
    # Imported at first use: they cost every start of the shell 80 ms.
    from cron_descriptor import ExpressionDescriptor
    from cron_descriptor import Options
    from croniter import croniter

    try:
        normal = validate(pattern)
    except exceptions.InvalidValueError:
        return None
    expanded, counted = croniter.expand(normal)
    minutes, hours, days, months, weekdays = expanded
    every_day = '*' in days
    on_weekday = _on_weekday(weekdays, counted)
    if (
        _WORKING_DAY.search(normal)
        or ('l' in days and len(days) > 1)
        or on_weekday is None
        or (counted and not every_day)
    ):
        return None
    # Weekdays and months are put into words here: cron-descriptor's depend on
    # its version and on the language that the process is set to.
    simple = (
        _minute_field(minutes),
        _hour_field(hours, together=len(minutes) > 1 or '*' in minutes),
        '*' if every_day else ','.join(str(day).upper() for day in days),
        '*',
        '*',
    )
    text: str = ExpressionDescriptor(
        ' '.join(simple),
        Options(
            locale_code='en_US', use_24hour_time_format=True, verbose=True
        ),
    ).get_description()
    # Where it fires all the time, that says enough.
    if text.startswith('Every '):
        text = text.removesuffix(', every hour, every day')
    if text == 'Every hour, every day':
        text = 'Every hour'
    if on_weekday and every_day:
        text = f'{text.removesuffix(", every day")}, {on_weekday}'
    elif on_weekday:
        text = f'{text} and also {on_weekday}'
    if '*' not in months:
        text = f'{text}, only in {_names(months, _MONTHS)}'
    return f'{text}, UTC'


def _on_weekday(
    weekdays: Sequence[Any], counted: Mapping[Any, set[Any]]
) -> str | None:
    """Put weekdays into words; empty for any, None if it can't be done."""
    if not counted:
        if '*' in weekdays:
            return ''
        return f'every {_names(weekdays, _WEEKDAYS)}'
    weeks = counted.get(weekdays[0], set())
    if len(weekdays) > 1 or len(weeks) != 1:
        return None
    [week] = weeks
    return f'on the {_WEEKS[week]} {_WEEKDAYS[weekdays[0]]} of the month'


def _minute_field(minutes: Sequence[Any]) -> str:
    if '*' in minutes:
        return '*'
    step = 60 // len(minutes)
    if step < 60 and minutes == list(range(0, 60, step)):
        return f'*/{step}'
    return ','.join(str(minute) for minute in minutes)


def _hour_field(hours: Sequence[Any], *, together: bool) -> str:
    """Give the hours, each by itself or with those next to it."""
    if '*' in hours:
        return '*'
    if together:
        return ','.join(f'{first}-{last}' for first, last in _runs(hours))
    return ','.join(str(hour) for hour in hours)


def _names(values: Sequence[int], names: Sequence[str]) -> str:
    words: list[str] = []
    for first, last in _runs(values):
        if last - first > 1:
            words.append(f'{names[first]} through {names[last]}')
        else:
            words.extend(names[first : last + 1])
    *most, final = words
    return f'{", ".join(most)} and {final}' if most else final


def _runs(values: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Give the first and the last of values that follow each other."""
    for _gap, pairs in itertools.groupby(
        enumerate(values), lambda pair: pair[1] - pair[0]
    ):
        run = [value for _index, value in pairs]
        yield run[0], run[-1]


def parse_time(text: str) -> datetime.datetime:
    """Read an ISO 8601 time; one without an offset is in UTC.

    :raises InvalidValueError: if the text is no ISO 8601 date and time.
    """
    try:
        moment = datetime.datetime.fromisoformat(text)
        if moment.tzinfo is None:
            return moment.replace(tzinfo=datetime.UTC)
        return moment.astimezone(datetime.UTC)
    except (ValueError, OverflowError) as exc:
        raise exceptions.InvalidValueError(
            _('"%s" is not an ISO 8601 time. Example: 2030-01-31T03:00:00Z')
            % text
        ) from exc


def validate_first_time(
    first_time: datetime.datetime, now: datetime.datetime
) -> datetime.datetime:
    """Check a first execution time and round it up to Mistral's minutes.

    :param first_time: aware.
    :param now: aware; the present.
    :returns: aware UTC, in whole minutes, never earlier than asked.
    :raises InvalidValueError: if it is naive, past, or less than
        :data:`FIRST_TIME_LEAD` ahead, which Mistral refuses.
    """
    if first_time.tzinfo is None:
        raise exceptions.InvalidValueError(
            _('The first execution time %s has no time zone.') % first_time
        )
    moment = first_time.astimezone(datetime.UTC)
    if moment - now < FIRST_TIME_LEAD:
        raise exceptions.InvalidValueError(
            _(
                'The first execution time %(first)s is not at least one '
                'minute ahead; it is %(now)s now.'
            )
            % {
                'first': moment.isoformat(timespec='seconds'),
                'now': now.astimezone(datetime.UTC).isoformat(
                    timespec='seconds'
                ),
            }
        )
    whole = moment.replace(second=0, microsecond=0)
    if whole == moment:
        return whole
    try:
        return whole + datetime.timedelta(minutes=1)
    except OverflowError as exc:
        raise exceptions.InvalidValueError(
            _('The first execution time %s is beyond the calendar.')
            % moment.isoformat(timespec='seconds')
        ) from exc
