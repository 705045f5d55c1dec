# SPDX-License-Identifier: Apache-2.0

"""Values as a person and as a machine read them."""

from collections.abc import Mapping, Sequence
import datetime
import itertools
import json
from typing import Any

from cliff import columns

from trove_backup_schedule.i18n import _

_UNITS = (('d', 86400), ('h', 3600), ('min', 60), ('s', 1))


def time(value: datetime.datetime | None) -> 'Time | None':
    """Give the column for a time. None stays None, as in other columns."""
    return None if value is None else Time(value)


class Time(columns.FormattableColumn[Any]):
    """A time in UTC, to the second; ISO 8601 for machines."""

    _value: datetime.datetime

    def human_readable(self) -> str:
        """Give ``2030-01-31 03:00:00 UTC``."""
        return f'{self._value.astimezone(datetime.UTC):%Y-%m-%d %H:%M:%S} UTC'

    def machine_readable(self) -> str:
        """Give ``2030-01-31T03:00:00+00:00``."""
        return self._value.astimezone(datetime.UTC).isoformat(
            timespec='seconds'
        )


class Times(columns.FormattableColumn[Any]):
    """Times in UTC: the first few for people, all for machines."""

    _value: Sequence[datetime.datetime]

    def human_readable(self) -> str:
        """Give up to three times, a line each, and say how many there are."""
        lines = [Time(moment).human_readable() for moment in self._value[:3]]
        if len(self._value) > len(lines):
            lines.append(_('... (%d in all)') % len(self._value))
        return '\n'.join(lines)

    def machine_readable(self) -> list[str]:
        """Give each time as ISO 8601."""
        return [Time(moment).machine_readable() for moment in self._value]


class Sentences(columns.FormattableColumn[Any]):
    """Several sentences: a line each for people, one line for machines."""

    _value: Sequence[str]

    def human_readable(self) -> str:
        """Give a line for each."""
        return '\n'.join(self._value)

    def machine_readable(self) -> str:
        """Give them one after the other."""
        return ' '.join(self._value)


class Runs(columns.FormattableColumn[Any]):
    """Times to come, in UTC and as the clocks of this machine show them.

    The zone of the machine may change its offset from one of the times to
    the next, so each has its own.
    """

    _value: Sequence[datetime.datetime]

    def human_readable(self) -> str:
        """Give a line for each: ``<in UTC>  =  <local> CET (+01:00)``.

        Where UTC is what the clocks show, it is not said twice.
        """
        return '\n'.join(map(self._line, self._value))

    def machine_readable(self) -> list[dict[str, str]]:
        """Give each time in ISO 8601, in UTC and with the local offset."""
        return [
            {
                'utc': Time(moment).machine_readable(),
                'local': _local(moment).isoformat(timespec='seconds'),
            }
            for moment in self._value
        ]

    @staticmethod
    def _line(moment: datetime.datetime) -> str:
        utc = Time(moment).human_readable()
        local = _local(moment)
        if local.tzname() == 'UTC' and not local.utcoffset():
            return utc
        offset = local.isoformat(timespec='seconds')[-6:]
        return f'{utc}  =  {local:%Y-%m-%d %H:%M:%S %Z} ({offset})'


def _local(moment: datetime.datetime) -> datetime.datetime:
    try:
        return moment.astimezone()
    except OverflowError:
        # Past the last midnight of the calendar here, but not in UTC.
        return moment


def duration(value: datetime.timedelta | None) -> 'Duration | None':
    """Give the column for a duration. None stays None, as with times."""
    return None if value is None else Duration(value)


class Duration(columns.FormattableColumn[Any]):
    """A duration: its two largest units for people, seconds for machines."""

    _value: datetime.timedelta

    def human_readable(self) -> str:
        """Give ``12 s``, ``3 min 20 s`` or ``2 h``; the rest is cut off."""
        seconds = int(self._value.total_seconds())
        sign, rest = ('-', -seconds) if seconds < 0 else ('', seconds)
        for (unit, size), (next_unit, next_size) in itertools.pairwise(_UNITS):
            if rest >= size:
                count, rest = divmod(rest, size)
                text = f'{sign}{count} {unit}'
                less = rest // next_size
                return f'{text} {less} {next_unit}' if less else text
        return f'{sign}{rest} s'

    def machine_readable(self) -> int | float:
        """Give seconds, with decimals if they are not whole."""
        seconds = self._value.total_seconds()
        return int(seconds) if seconds.is_integer() else seconds


class JsonObject(columns.FormattableColumn[Mapping[str, Any]]):
    """A JSON object: one line of JSON for people, itself for machines."""

    def human_readable(self) -> str:
        """Give the object as JSON."""
        return json.dumps(dict(self._value), ensure_ascii=False)

    def machine_readable(self) -> dict[str, Any]:
        """Give the object."""
        return dict(self._value)

    def __lt__(self, other: object) -> bool:
        """Sort by what people see: objects have no order of their own."""
        if not isinstance(other, JsonObject):
            return NotImplemented
        return self.human_readable() < other.human_readable()


class ShortJsonObject(JsonObject):
    """A JSON object for a list: people see the beginning of a long one."""

    def human_readable(self) -> str:
        """Give the object as JSON, cut off where it gets long."""
        return _shorten(super().human_readable())


class ShortText(columns.FormattableColumn[Any]):
    """A text for a list: people see the beginning of a long one."""

    _value: str

    def human_readable(self) -> str:
        """Give the text on one line, cut off where it gets long."""
        return _shorten(' '.join(self._value.split()))


def _shorten(text: str, most: int = 100) -> str:
    return text if len(text) <= most else text[:most] + '...'
