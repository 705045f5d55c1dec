# SPDX-License-Identifier: Apache-2.0

"""Values as a person and as a machine read them."""

from collections.abc import Mapping
import datetime
import json
from typing import Any

from cliff import columns


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
