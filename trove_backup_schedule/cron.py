# SPDX-License-Identifier: Apache-2.0

"""Rules for cron patterns, as Mistral understands them. No I/O.

Mistral evaluates a pattern with croniter, in UTC, and accepts more than is
good for a backup: six fields mean *every second*, and a random field is
drawn again after each run. What is refused here would be accepted there, or
answered with HTTP 500.
"""

from collections.abc import Iterator
import datetime
import re

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

#: Mistral wants ``first_execution_time`` at least this far ahead.
FIRST_TIME_LEAD = datetime.timedelta(minutes=1)

_RANDOM_FIELD = re.compile(r'[RH](\(|/|$)', re.IGNORECASE)


def next_times(
    pattern: str, after: datetime.datetime
) -> Iterator[datetime.datetime]:
    """Give the times at which a pattern fires, without end.

    :param pattern: a pattern that :func:`validate` has accepted.
    :param after: aware; the first time given is later than this.
    :returns: aware UTC times, in order.
    """
    # Imported at first use: it costs every start of the shell 60 ms.
    from croniter import croniter

    times: Iterator[datetime.datetime] = croniter(
        pattern, after.astimezone(datetime.UTC), ret_type=datetime.datetime
    )
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
