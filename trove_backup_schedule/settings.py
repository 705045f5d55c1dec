# SPDX-License-Identifier: Apache-2.0

"""What is chosen about a schedule, its limits, and how a trigger holds it.

Nothing here talks to a service.
"""

from collections.abc import Iterable
import dataclasses
import datetime
import itertools
import re
from typing import Any, Self, TypedDict

from trove_backup_schedule import cron
from trove_backup_schedule import exceptions
from trove_backup_schedule import models
from trove_backup_schedule.i18n import _

#: Mistral counts in a 32-bit integer.
MAX_COUNT = 2**31 - 1

#: Trove's API takes 255 characters, and the label of the schedule that the
#: workflow puts behind them takes 48.
MAX_DESCRIPTION_LENGTH = 207

# Width of the columns that Trove keeps the other texts in.
_MAX_TEXT = 255

# Trove's API refuses a text without any of these (schema non_empty_string),
# but it would do so at each run, when nobody is there to see it.
_TROVE_TEXT = re.compile(r'[0-9a-zA-Z]')

# Trove refuses a container name that a shell would have to quote.
_CONTAINER = re.compile(r'[\w@%+=:,./-]+', re.ASCII)

# Mistral wants a first time one minute ahead, by its own clock.
_LEAD = cron.FIRST_TIME_LEAD + datetime.timedelta(seconds=5)

# The loop that fires triggers is up to two seconds early.
_EARLY = datetime.timedelta(seconds=5)


class Changes(TypedDict, total=False):
    """Settings to change; those that are left out stay as they are."""

    name: str
    pattern: str
    description: str | None
    parent_id: str | None
    incremental: bool
    full_every: int | None
    keep: int | None
    swift_container: str | None
    storage_driver: str | None
    count: int | None
    first_time: datetime.datetime | None
    enabled: bool


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings:
    """All that may be chosen about a schedule, but its instance.

    :ivar pattern: in its normal form; None for a trigger made by other means
        that fires once.
    :ivar count: number of runs left.
    :ivar first_time: aware; the time of the first run, where one was chosen.
    """

    name: str
    pattern: str | None
    description: str | None = None
    parent_id: str | None = None
    incremental: bool = False
    full_every: int | None = None
    keep: int | None = None
    swift_container: str | None = None
    storage_driver: str | None = None
    count: int | None = None
    first_time: datetime.datetime | None = None
    enabled: bool = True

    @classmethod
    def of(cls, schedule: models.Schedule) -> Self:
        """Give those of a schedule."""
        return cls(
            name=schedule.name,
            pattern=schedule.pattern,
            description=schedule.description,
            parent_id=schedule.parent_id,
            incremental=schedule.incremental,
            full_every=schedule.full_every,
            keep=schedule.keep,
            swift_container=schedule.swift_container,
            storage_driver=schedule.storage_driver,
            count=schedule.remaining_executions,
            enabled=schedule.enabled,
        )


def validated(changes: Changes, now: datetime.datetime) -> Changes:
    """Check settings, each for itself, and give them in their normal form.

    :param now: aware; the present.
    :raises InvalidValueError: if one can never be right.
    """
    normal = changes.copy()
    if 'name' in changes:
        validate_name(changes['name'])
    if 'pattern' in changes:
        normal['pattern'] = cron.validate(changes['pattern'])
    if (description := changes.get('description')) is not None:
        validate_description(description)
    if (container := changes.get('swift_container')) is not None:
        validate_swift_container(container)
    if (driver := changes.get('storage_driver')) is not None:
        validate_storage_driver(driver)
    if (count := changes.get('count')) is not None:
        validate_count(count)
    if (keep := changes.get('keep')) is not None:
        validate_keep(keep)
    if (full_every := changes.get('full_every')) is not None:
        validate_full_every(full_every)
    if (first_time := changes.get('first_time')) is not None:
        normal['first_time'] = cron.validate_first_time(first_time, now)
    return normal


def validate_together(settings: Settings) -> None:
    """Check what can be right only together.

    :raises InvalidValueError: if two settings stand against each other.
    """
    if settings.parent_id is not None and settings.incremental:
        raise exceptions.InvalidValueError(
            _(
                'A schedule builds on one parent or on the newest backup, '
                'not on both.'
            )
        )
    if settings.full_every is not None and not settings.incremental:
        raise exceptions.InvalidValueError(
            _(
                'Only an incremental schedule can make a full backup every '
                'so often. Make it incremental, or leave this out.'
            )
        )
    if (
        settings.keep is not None
        and settings.incremental
        and settings.full_every is None
    ):
        raise exceptions.InvalidValueError(
            _(
                'An incremental schedule that keeps only some backups has to '
                'make a full one every so often, or none could ever be '
                'removed: each depends on the one before. Say after how many '
                'incremental ones.'
            )
        )
    if settings.pattern is None and settings.enabled:
        raise exceptions.InvalidValueError(
            _('A schedule that fires once has to be given a pattern first.')
        )


def validate_name(name: str) -> str:
    """Check a schedule's name.

    :raises InvalidValueError: if Mistral could not keep it, or Trove would
        refuse it as a backup's name at each run.
    """
    return _validate_text(
        name, _('name'), models.MAX_NAME_LENGTH, forbidden='/'
    )


def validate_description(description: str) -> str:
    """Check a description, which becomes that of every backup.

    :raises InvalidValueError: if Trove would refuse it at each run.
    """
    return _validate_text(
        description, _('description'), MAX_DESCRIPTION_LENGTH
    )


def validate_swift_container(container: str) -> str:
    """Check the name of a Swift container.

    :raises InvalidValueError: if Trove would refuse it at each run.
    """
    _validate_text(container, _('Swift container'), _MAX_TEXT)
    if not _CONTAINER.fullmatch(container):
        raise exceptions.InvalidValueError(
            _(
                'The Swift container "%s" can\'t be used: Trove takes only '
                'ASCII letters, digits and @%%+=:,./-_ in it.'
            )
            % container
        )
    return container


def validate_storage_driver(driver: str) -> str:
    """Check the name of a storage driver.

    :raises InvalidValueError: if Trove could never know one of that name.
    """
    return _validate_text(driver, _('storage driver'), _MAX_TEXT)


def validate_count(count: int) -> int:
    """Check the number of runs after which a schedule ends.

    :raises InvalidValueError: if Mistral could not keep it.
    """
    return _validate_number(count, _('count'))


def validate_keep(keep: int) -> int:
    """Check the number of good backups that a schedule keeps.

    :raises InvalidValueError: if it is not at least one.
    """
    return _validate_number(keep, _('number of backups to keep'))


def validate_full_every(number: int) -> int:
    """Check the number of incremental backups between two full ones.

    :raises InvalidValueError: if it is not at least one.
    """
    return _validate_number(number, _('number of incremental backups'))


def _validate_number(number: int, what: str) -> int:
    if not 1 <= number <= MAX_COUNT:
        raise exceptions.InvalidValueError(
            _('The %(what)s must be between 1 and %(most)d, not %(number)d.')
            % {'what': what, 'most': MAX_COUNT, 'number': number}
        )
    return number


def _validate_text(
    text: str, what: str, most: int, forbidden: Iterable[str] = ()
) -> str:
    if not text:
        reason = _('it is empty')
    elif not _TROVE_TEXT.search(text):
        reason = _('Trove wants at least one ASCII letter or digit in it')
    elif text != text.strip():
        reason = _('it begins or ends with white space')
    elif len(text) > most:
        reason = _(
            'it has %(length)d characters, and %(most)d are the most'
        ) % {
            'length': len(text),
            'most': most,
        }
    elif not text.isprintable():
        reason = _('it contains a line break or another control character')
    elif any(mark in text for mark in forbidden):
        reason = _('"%s" is not possible in it') % ''.join(forbidden)
    else:
        return text
    raise exceptions.InvalidValueError(
        _("The %(what)s %(text)s can't be used: %(reason)s.")
        % {
            'what': what,
            'text': repr(text if len(text) <= most else text[:40] + '...'),
            'reason': reason,
        }
    )


def trigger_values(
    settings: Settings,
    trigger_name: models.TriggerName,
    *,
    fires_at: datetime.datetime | None,
    first_time: datetime.datetime | None,
    active_since: datetime.datetime | None,
    created_at: datetime.datetime | None = None,
    origin: str | None = None,
) -> dict[str, Any]:
    """Put together the cron trigger for a schedule.

    :param trigger_name: with the schedule's instance and ID.
    :param fires_at: aware; when it fires first, if not when its pattern says.
    :param first_time: aware; the time that was set for the first run of all.
    :param active_since: aware; since when it has its pattern, if not from now
        on.
    :param created_at: aware; when the schedule was created, if not now.
    :param origin: ID of the trigger that carried it, if that was made by
        other means.
    :returns: the body of a POST to ``/v2/cron_triggers``.
    """
    if not settings.enabled:
        fires_at = models.NEVER
    extras = {
        'incremental': settings.incremental,
        'full_every': settings.full_every,
        'keep': settings.keep,
        'swift_container': settings.swift_container,
        'storage_driver': settings.storage_driver,
        'created_at': _text(created_at),
        'active_since': _text(active_since),
        'first_time': _text(first_time),
        'origin': origin,
    }
    return {
        'name': str(trigger_name),
        'workflow_name': models.WORKFLOW,
        'workflow_params': models.workflow_params(trigger_name.schedule_id),
        'pattern': settings.pattern,
        'first_execution_time': (
            f'{fires_at:%Y-%m-%d %H:%M}' if fires_at else None
        ),
        'remaining_executions': settings.count,
        # The specification's four keys are always there; the others only when
        # they say something, so that the input is no longer than it must be.
        'workflow_input': {
            'instance': trigger_name.instance,
            'name': settings.name,
            'description': settings.description,
            'parent_id': settings.parent_id,
            'schedule_id': trigger_name.schedule_id,
        }
        | {key: value for key, value in extras.items() if value},
    }


def successor(
    current: models.Schedule, wanted: Settings, now: datetime.datetime
) -> dict[str, Any]:
    """Put together the trigger to be put in place of a schedule's.

    It fires next when the other one would have, unless just that is changed.

    :param wanted: the settings that the schedule is to have.
    :param now: aware; the present.
    :returns: the body of a POST to ``/v2/cron_triggers``.
    :raises ConflictError: as for :func:`pending_first_time`.
    :raises InvalidValueError: if no trigger made here can carry the schedule,
        which was made by other means.
    """
    trigger_name = models.TriggerName(
        name=wanted.name,
        instance=current.instance,
        schedule_id=current.id,
        generation=current.generation + 1,
    )
    if not trigger_name.is_possible():
        raise exceptions.InvalidValueError(
            _(
                'The schedule %(schedule)s was made by other means, and its '
                'name or its instance "%(instance)s" is none that can be '
                'kept here. Give it another name, or create it anew.'
            )
            % {'schedule': current.id, 'instance': current.instance}
        )
    fires_at = wanted.first_time or pending_first_time(
        current, wanted.pattern, now
    )
    same = wanted.pattern == current.pattern
    first_time = current.first_time if same else None
    active_since = current.active_since if same and current.enabled else None
    if wanted.first_time or (fires_at and fires_at == current.first_time):
        first_time = active_since = fires_at
    elif not wanted.enabled:
        # Mistral forgets it.
        first_time = first_time or fires_at
    return trigger_values(
        wanted,
        trigger_name,
        fires_at=fires_at,
        first_time=first_time,
        active_since=active_since,
        created_at=current.created_at,
        origin=current.origin if current.ours else current.trigger_id,
    )


def pending_first_time(
    schedule: models.Schedule, pattern: str | None, now: datetime.datetime
) -> datetime.datetime | None:
    """Tell for when the first run is set, if the pattern alone doesn't say.

    :param pattern: the one that the schedule is to have.
    :param now: aware; the present.
    :returns: aware UTC, far enough ahead to be set again; None if the
        schedule goes by its pattern.
    :raises ConflictError: if that time is too close to be set again, and not
        both patterns say it too.
    """
    due = schedule.next_execution_time
    if not schedule.enabled:
        due = schedule.first_time
    if due is None or due <= now:
        return None
    # The run for a time that has come may have begun already.
    ticks = cron.known_times(
        schedule.pattern,
        min(due - datetime.timedelta(seconds=1), now + _EARLY),
    )
    # One that was chosen stays, though the pattern may say the same by now.
    if due == next(ticks, None) and due != schedule.first_time:
        return None
    if due - now > _LEAD:
        return due
    # For a time of the old pattern its run is let begin before the change.
    if not schedule.enabled or all(
        due
        in itertools.takewhile(
            lambda tick: tick <= due, cron.known_times(each, now - _EARLY)
        )
        for each in (schedule.pattern, pattern)
    ):
        return None
    raise exceptions.ConflictError(
        _(
            'The schedule %(schedule)s is about to run for the first time, at '
            '%(time)s. Try again when it has.'
        )
        % {'schedule': schedule.id, 'time': due.isoformat(timespec='seconds')}
    )


def _text(moment: datetime.datetime | None) -> str | None:
    return moment.isoformat() if moment else None
