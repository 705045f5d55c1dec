# SPDX-License-Identifier: Apache-2.0

"""Whether the data that a schedule backs up is safe. No I/O.

Mistral counts a run as done before it logs in to start it. If that fails, it
says so in its log only, and there is no execution to be found. After it was
down it makes one late run for all those that it could not make. So a run that
was missed shows only where the pattern is held against the executions.

The times at which a schedule fires are called ticks here.
"""

import bisect
from collections.abc import Iterable, Iterator, Mapping, Sequence
import dataclasses
import datetime
import enum
import heapq
import itertools
import re
import textwrap
from typing import TypeVar

from trove_backup_schedule import cron
from trove_backup_schedule import exceptions
from trove_backup_schedule import models
from trove_backup_schedule.i18n import _

#: Mistral fires up to two seconds before a tick.
EARLY = datetime.timedelta(seconds=5)

#: How late a run may be before it counts as missed.
GRACE = datetime.timedelta(minutes=2)

#: A run that goes on for longer is stuck: the workflow gives up before.
RUN_TIME = datetime.timedelta(hours=1)

#: What is looked back at: so many ticks, and a day at least.
TICKS = 7
DAY = datetime.timedelta(days=1)

#: Characters of a reason given by Mistral that are repeated at most.
MAX_REASON = 300

_GOOD = 'COMPLETED'
_NEVER = datetime.datetime.min.replace(tzinfo=datetime.UTC)
_HOUR = datetime.timedelta(hours=1)
_MINUTE = datetime.timedelta(minutes=1)

_DURATION = re.compile(
    r'(?=.)(?:(?P<weeks>[0-9]{1,9})w)?(?:(?P<days>[0-9]{1,9})d)?'
    r'(?:(?P<hours>[0-9]{1,9})h)?(?:(?P<minutes>[0-9]{1,9})m)?'
)

_Dated = TypeVar('_Dated', models.Backup, models.ScheduleExecution)


class Verdict(enum.IntEnum):
    """How safe the data is. The value is the exit code of the command."""

    OK = 0
    WARNING = 1
    CRITICAL = 2


_Finding = tuple[Verdict, str]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Health:
    """What there is to say of one schedule. All times are aware and in UTC.

    :ivar reasons: sentences for people, the most serious first; at least one.
    :ivar schedule: None for an instance without any schedule.
    :ivar instance: ID of the instance.
    :ivar last_backup: the newest that the data can be restored from, or None.
    :ivar last_backup_age: its age at the time of the judgement.
    :ivar last_run: the newest run, whoever started it, or None.
    :ivar missed: when Mistral should have started a run and did not, as far
        as it is looked back; oldest first.
    :ivar next_time: when Mistral will fire next; None if it will not.
    """

    verdict: Verdict
    reasons: tuple[str, ...]
    schedule: models.Schedule | None
    instance: str
    last_backup: models.Backup | None
    last_backup_age: datetime.timedelta | None
    last_run: models.ScheduleExecution | None
    missed: tuple[datetime.datetime, ...]
    next_time: datetime.datetime | None


def window_start(
    schedule: models.Schedule, now: datetime.datetime
) -> datetime.datetime:
    """Tell from when on :func:`judge` needs the runs of a schedule.

    :param now: aware; the present.
    :returns: aware UTC, at least a day ago.
    """
    return min([*_ticks(schedule, now)[:1], now - DAY]) - EARLY


def judge(
    schedule: models.Schedule,
    runs: Sequence[models.ScheduleExecution],
    backups: Sequence[models.Backup],
    now: datetime.datetime,
    *,
    max_age: datetime.timedelta | None = None,
) -> Health:
    """Judge a schedule by what has become of its runs.

    :param runs: those of the schedule since :func:`window_start`, and older
        ones or not, in any order.
    :param backups: all of the instance, in any order.
    :param now: aware; the present.
    :param max_age: the age over which the last good backup is too old,
        whatever the pattern says.
    """
    runs = [run for run in runs if run.created_at]
    known = {backup.id: backup for backup in backups}
    told = {run.backup_id for run in runs}
    good = {
        backup.id: backup
        for backup in _restorable(known)
        if backup.id in told or backup.is_of(schedule)
    }
    last_backup, last_run = _newest(good.values()), _newest(runs)
    # A backup is no older than its run, whatever the clock of Trove says.
    safe_at = max(
        _when(last_backup),
        *(_when(run) for run in runs if run.backup_id in good),
        _NEVER,
    )
    ticks = _compare(schedule, runs, backups, now)
    started = last_run is not None or bool(ticks.expected)
    next_time = schedule.next_execution_time
    return _health(
        [
            *_age_findings(last_backup, schedule.created_at, now, max_age),
            *_tick_findings(ticks, safe_at),
            *_trigger_findings(schedule, now),
            *_run_findings(last_run, known, now),
            _summary(last_backup, now, None if started else next_time),
        ],
        last_backup,
        now,
        schedule=schedule,
        instance=schedule.instance,
        last_run=last_run,
        missed=ticks.missed,
        next_time=next_time,
    )


def judge_unscheduled(
    instance: models.Instance,
    backups: Sequence[models.Backup],
    now: datetime.datetime,
    *,
    max_age: datetime.timedelta | None = None,
) -> Health:
    """Judge an instance that no schedule backs up.

    :param backups: all of the instance, in any order, whoever made them.
    :param now: aware; the present.
    :param max_age: the age over which the last good backup is too old.
    """
    last_backup = _newest(
        _restorable({backup.id: backup for backup in backups})
    )
    return _health(
        [
            *_age_findings(last_backup, None, now, max_age),
            (
                Verdict.WARNING if last_backup else Verdict.CRITICAL,
                _('The instance "%(name)s" has no backup schedule.')
                % {'name': instance.name},
            ),
            _summary(last_backup, now),
        ],
        last_backup,
        now,
        instance=instance.id,
    )


def parse_duration(text: str) -> datetime.timedelta:
    """Read a duration such as ``90m``, ``36h``, ``2d``, ``1w`` or ``1d12h``.

    :raises InvalidValueError: if the text is no duration, or one of nothing.
    """
    match = _DURATION.fullmatch(text)
    counts = match.groupdict('0') if match else {}
    try:
        duration = datetime.timedelta(
            **{unit: int(count) for unit, count in counts.items()}
        )
    except OverflowError:
        duration = datetime.timedelta(0)
    if not duration:
        raise exceptions.InvalidValueError(
            _(
                'The duration "%(text)s" can\'t be used. Give weeks, days, '
                'hours and minutes, as in 1w, 2d, 36h, 90m or 1d12h.'
            )
            % {'text': text}
        )
    return duration


# Which ticks there were, and what has become of them.


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Ticks:
    """Ticks, oldest first.

    :ivar earlier: those that the pattern would have had before the schedule
        was changed, if it has not had any since.
    :ivar expected: those at which Mistral should have started a run.
    :ivar missed: those of them at which it did not.
    :ivar due: those of them by whose run there should be a backup now.
    """

    earlier: tuple[datetime.datetime, ...] = ()
    expected: tuple[datetime.datetime, ...] = ()
    missed: tuple[datetime.datetime, ...] = ()
    due: tuple[datetime.datetime, ...] = ()


def _pattern(schedule: models.Schedule) -> str | None:
    """Give the pattern if it tells the ticks; other tools take any."""
    if not (schedule.enabled and schedule.pattern):
        return None
    try:
        return cron.validate(schedule.pattern)
    except exceptions.InvalidValueError:
        return None


def _first_time(schedule: models.Schedule) -> datetime.datetime | None:
    """Give the first time that was set, which need not fit the pattern.

    It alone is stored in whole minutes.
    """
    first = schedule.active_since
    if first is None or not schedule.input.get('active_since'):
        return None
    return first if first == first.replace(second=0, microsecond=0) else None


def _ticks(
    schedule: models.Schedule, now: datetime.datetime
) -> list[datetime.datetime]:
    """Give the ticks to look at, oldest first, for all of the schedule's life.

    The present pattern counts for the time before it was in force too.
    """
    pattern, first = _pattern(schedule), _first_time(schedule)
    if pattern is None:
        return []
    # One that is about to come may have its run already.
    soon = now + EARLY
    created_at = schedule.created_at or schedule.active_since or _NEVER
    found: list[datetime.datetime] = []
    for tick in heapq.merge(
        cron.previous_times(pattern, soon),
        [first] if first and first < soon else [],
        reverse=True,
    ):
        enough = len(found) >= TICKS and tick < now - DAY
        if enough or tick <= created_at:
            break
        if tick not in found[-1:]:
            found.append(tick)
    return found[::-1]


def _compare(
    schedule: models.Schedule,
    runs: Sequence[models.ScheduleExecution],
    backups: Sequence[models.Backup],
    now: datetime.datetime,
) -> _Ticks:
    """Hold the ticks against the runs that Mistral has started."""
    ticks = _ticks(schedule, now)
    begins = [tick - EARLY for tick in ticks]

    def tick_of(moment: datetime.datetime) -> int:
        return bisect.bisect(begins, moment) - 1

    fired = [run for run in runs if not run.manual]
    evidence = [*map(_when, fired), *_traces(schedule, runs, backups)]
    started = set(map(tick_of, evidence))
    going_on = {
        tick_of(_when(run))
        for run in fired
        if not run.ended and now - _when(run) <= RUN_TIME
    }
    since, first = schedule.active_since or _NEVER, _first_time(schedule)
    if since > now or _is_pending(schedule, evidence, now):
        return _Ticks()
    expected = {
        number: tick
        for number, tick in enumerate(ticks)
        if tick > since or tick == first
    }
    late = {
        number: tick
        for number, tick in expected.items()
        if number not in started and now > tick + GRACE
    }
    # Executions may have been purged, but hardly those of the last day.
    oldest = min(now - DAY, min(evidence, default=_NEVER))
    return _Ticks(
        earlier=() if expected else tuple(ticks),
        expected=tuple(expected.values()),
        missed=tuple(tick for tick in late.values() if tick >= oldest),
        due=tuple(
            tick
            for number, tick in expected.items()
            if number in late or number in started - going_on
        ),
    )


def _traces(
    schedule: models.Schedule,
    runs: Sequence[models.ScheduleExecution],
    backups: Sequence[models.Backup],
) -> list[datetime.datetime]:
    """Give the times of backups whose executions seem to be gone."""
    told = {run.backup_id for run in runs}
    # A run does not tell its backup before it ends, so from the start of one
    # by hand on a backup may be of that.
    by_hand = [_when(run) for run in runs if run.manual and not run.ended]
    return [
        backup.created_at
        for backup in backups
        if backup.created_at
        and backup.is_of(schedule)
        and backup.id not in told
        and all(backup.created_at < begun for begun in by_hand)
    ]


def _is_pending(
    schedule: models.Schedule,
    evidence: Iterable[datetime.datetime],
    now: datetime.datetime,
) -> bool:
    """Tell whether a trigger made by other means waits for its first time.

    It does not fire by its pattern before. Where a run was lost, the next
    time is that of the pattern.
    """
    pattern, due = _pattern(schedule), schedule.next_execution_time
    if pattern is None or due is None:
        return False
    since = schedule.active_since or _NEVER
    return not any(moment > since for moment in evidence) and due > next(
        cron.next_times(pattern, now + GRACE)
    )


def _interval(
    schedule: models.Schedule, now: datetime.datetime
) -> datetime.timedelta:
    """Give the time between the last two ticks of the pattern."""
    pattern = _pattern(schedule)
    if pattern is None:
        return DAY
    latest, *earlier = itertools.islice(cron.previous_times(pattern, now), 2)
    return latest - earlier[0] if earlier else DAY


# Which backups there are.


def _restorable(known: Mapping[str, models.Backup]) -> list[models.Backup]:
    return [
        backup
        for backup in known.values()
        if backup.created_at and _fault(backup.id, known) is None
    ]


def _fault(
    backup_id: str | None, known: Mapping[str, models.Backup]
) -> str | None:
    """Say why nothing can be restored from a run's backup; None if it can."""
    backup = known.get(backup_id or '')
    if backup_id is None:
        return _('it names no backup')
    if backup is None:
        return _('its backup %(id)s is gone') % {'id': backup_id}
    if backup.status != _GOOD:
        return _('its backup %(id)s is %(status)s') % {
            'id': backup_id,
            'status': backup.status,
        }
    seen = set()
    while backup is not None and backup.id not in seen:
        if backup.status != _GOOD:
            return _(
                'its backup %(id)s builds on %(parent)s, which is %(status)s'
            ) % {
                'id': backup_id,
                'parent': backup.id,
                'status': backup.status,
            }
        seen.add(backup.id)
        backup = known.get(backup.parent_id or '')
    return None


def _newest(rows: Iterable[_Dated]) -> _Dated | None:
    return max(rows, key=lambda row: (_when(row), row.id), default=None)


def _when(
    row: models.Backup | models.ScheduleExecution | None,
) -> datetime.datetime:
    return (row.created_at if row else None) or _NEVER


# What follows from it.


def _age_findings(
    last_backup: models.Backup | None,
    created_at: datetime.datetime | None,
    now: datetime.datetime,
    max_age: datetime.timedelta | None,
) -> Iterator[_Finding]:
    since = last_backup.created_at if last_backup else created_at
    if max_age is not None and (since is None or now - since > max_age):
        yield (
            Verdict.CRITICAL,
            _('There is no good backup from the last %(age)s.')
            % {'age': _words(max_age)},
        )


def _tick_findings(
    ticks: _Ticks, safe_at: datetime.datetime
) -> Iterator[_Finding]:
    vain = [tick for tick in ticks.due if tick - EARLY > safe_at]
    if len(vain) > 1:
        yield (
            Verdict.CRITICAL,
            _(
                'None of the last %(count)d expected runs has made a good '
                'backup, the first of them that of %(time)s.'
            )
            % {'count': len(vain), 'time': _time(vain[0])},
        )
    elif vain:
        yield (
            Verdict.WARNING,
            _('The run expected at %(time)s has made no good backup.')
            % {'time': _time(vain[0])},
        )
    elif sum(tick - EARLY > safe_at for tick in ticks.earlier) > 1:
        yield (
            Verdict.WARNING,
            _(
                'By its pattern there should be a newer good backup, but it '
                'has not run since it was changed. Start a run by hand.'
            ),
        )
    if len(ticks.missed) > 1:
        yield (
            Verdict.WARNING,
            _(
                'Mistral did not start %(count)d runs, the last of them that '
                'of %(time)s; the log of its engine may say why.'
            )
            % {'count': len(ticks.missed), 'time': _time(ticks.missed[-1])},
        )
    elif ticks.missed:
        yield (
            Verdict.WARNING,
            _(
                'Mistral did not start the run of %(time)s; the log of its '
                'engine may say why.'
            )
            % {'time': _time(ticks.missed[0])},
        )


def _trigger_findings(
    schedule: models.Schedule, now: datetime.datetime
) -> Iterator[_Finding]:
    due = schedule.next_execution_time
    if due is not None and now - due > GRACE:
        stuck = now - due > _interval(schedule, now)
        yield (
            Verdict.CRITICAL if stuck else Verdict.WARNING,
            _(
                'Mistral should have started a run at %(time)s and has not; '
                'its cron scheduler may be down.'
            )
            % {'time': _time(due)},
        )
    if not schedule.enabled:
        yield (
            Verdict.WARNING,
            _('It is disabled; no run is started until it is enabled.'),
        )
    elif schedule.pattern and _pattern(schedule) is None:
        yield (
            Verdict.WARNING,
            _(
                'Nobody can tell whether it misses runs, for the pattern '
                '"%(pattern)s" is not one to rely on. Set another.'
            )
            % {'pattern': schedule.pattern},
        )


def _run_findings(
    run: models.ScheduleExecution | None,
    known: Mapping[str, models.Backup],
    now: datetime.datetime,
) -> Iterator[_Finding]:
    if run is None:
        return
    values = {'time': _time(_when(run)), 'state': run.state}
    if not run.ended:
        age = now - _when(run)
        if age > RUN_TIME:
            yield (
                Verdict.WARNING,
                _(
                    'The run of %(time)s has been %(state)s for %(age)s; it '
                    'may be stuck.'
                )
                % {**values, 'age': _words(age)},
            )
    elif run.state != 'SUCCESS':
        reason = run.state_info or _('Mistral gives no reason')
        yield (
            Verdict.WARNING,
            _('The run of %(time)s ended as %(state)s: %(reason)s.')
            % {**values, 'reason': _short(reason)},
        )
    elif (fault := _fault(run.backup_id, known)) is not None:
        yield (
            Verdict.WARNING,
            _('The run of %(time)s has made no good backup: %(fault)s.')
            % {**values, 'fault': fault},
        )
    if retention := run.output.get('retention'):
        yield Verdict.WARNING, _short(str(retention)) + '.'


def _summary(
    last_backup: models.Backup | None,
    now: datetime.datetime,
    first_time: datetime.datetime | None = None,
) -> _Finding:
    if last_backup is not None:
        age = _words(_age(last_backup, now))
        text = _('The last good backup is %(age)s old.') % {'age': age}
    elif first_time is not None and first_time > now:
        text = _(
            'It has not run yet; the first run is due at %(time)s.'
        ) % {'time': _time(first_time)}
    else:
        text = _('There is no good backup yet.')
    return Verdict.OK, text
