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
import functools
import heapq
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

#: The most characters that are repeated of what a run has said.
MAX_REASON = 300

_GOOD = 'COMPLETED'
_HOUR = datetime.timedelta(hours=1)
_MINUTE = datetime.timedelta(minutes=1)
_NEVER = datetime.datetime.min.replace(tzinfo=datetime.UTC)

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
    schedule: models.Schedule | None = None
    instance: str
    last_backup: models.Backup | None
    last_backup_age: datetime.timedelta | None
    last_run: models.ScheduleExecution | None = None
    missed: tuple[datetime.datetime, ...] = ()
    next_time: datetime.datetime | None = None


def window_start(
    schedule: models.Schedule, now: datetime.datetime
) -> datetime.datetime:
    """Tell from when on :func:`judge` needs the runs of a schedule.

    :param now: aware; the present.
    :returns: aware, at least a day ago.
    """
    return min([*_Case(schedule, now).ticks[:1], now - DAY]) - EARLY


def judge(
    schedule: models.Schedule,
    runs: Sequence[models.ScheduleExecution],
    backups: Sequence[models.Backup],
    now: datetime.datetime,
    *,
    max_age: datetime.timedelta | None = None,
) -> Health:
    """Judge a schedule by what has become of its runs.

    :param runs: those of the schedule since :func:`window_start`, and any
        older ones, in any order.
    :param backups: all of the instance, in any order.
    :param now: aware; the present.
    :param max_age: the age over which the last good backup is too old,
        whatever the pattern says.
    """
    case = _Case(schedule, now, runs, backups)
    last_backup, last_run = _newest(case.good), _newest(case.runs)
    is_new = last_run is None and not case.expected
    next_time = schedule.next_execution_time
    findings = [
        *_age_findings(last_backup, schedule.created_at, now, max_age),
        *case.tick_findings(),
        *case.trigger_findings(),
        *case.leftover_findings(),
        *case.run_findings(last_run),
        _summary(last_backup, now, next_time if is_new else None),
    ]
    return dataclasses.replace(
        _health(schedule.instance, findings, last_backup, now),
        schedule=schedule,
        last_run=last_run,
        missed=tuple(case.missed),
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
    known = {backup.id: backup for backup in backups}
    last_backup = _newest(_restorable(known))
    findings = [
        *_age_findings(last_backup, None, now, max_age),
        (
            Verdict.WARNING if last_backup else Verdict.CRITICAL,
            _('No schedule backs up the instance "%(name)s".')
            % {'name': instance.name},
        ),
        _summary(last_backup, now),
    ]
    return _health(instance.id, findings, last_backup, now)


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


class _Case:
    """A schedule, what is known of it, and what is wrong with it."""

    def __init__(
        self,
        schedule: models.Schedule,
        now: datetime.datetime,
        runs: Iterable[models.ScheduleExecution] = (),
        backups: Iterable[models.Backup] = (),
    ) -> None:
        self.runs = [run for run in runs if run.created_at]
        self._fired = [run for run in self.runs if not run.manual]
        self._told = {run.backup_id for run in self.runs}
        self._known = {backup.id: backup for backup in backups}
        self._schedule = schedule
        self._pattern = _pattern(schedule)
        self._since = schedule.active_since or _NEVER
        self._now = now

    @functools.cached_property
    def good(self) -> list[models.Backup]:
        """Its backups that the data can be restored from."""
        return [
            backup
            for backup in _restorable(self._known)
            if backup.id in self._told or backup.is_of(self._schedule)
        ]

    @functools.cached_property
    def ticks(self) -> list[datetime.datetime]:
        """The ticks to look at, oldest first.

        The pattern counts for the time before it was in force too.
        """
        if self._pattern is None:
            return []
        # One that is about to come may have its run already.
        soon = self._now + EARLY
        first = self._schedule.first_time
        created_at = self._schedule.created_at or self._since
        found: list[datetime.datetime] = []
        for tick in heapq.merge(
            cron.previous_times(self._pattern, soon),
            [first] if first and first < soon else [],
            reverse=True,
        ):
            enough = len(found) >= TICKS and tick < self._now - DAY
            if enough or tick <= created_at:
                break
            if tick not in found[-1:]:
                found.append(tick)
        return found[::-1]

    @functools.cached_property
    def _is_waiting(self) -> bool:
        """Whether it waits for a first time that was set.

        Of a trigger made by other means that time is not known, but until
        then the next time is not that of the pattern. After a run that was
        lost it would be.
        """
        due = self._schedule.next_execution_time
        if self._pattern is None or due is None:
            return False
        if self._since > self._now:
            return True
        soon = next(cron.next_times(self._pattern, self._now + GRACE))
        return (
            due > soon and max(self._evidence, default=_NEVER) <= self._since
        )

    @functools.cached_property
    def expected(self) -> dict[int, datetime.datetime]:
        """The ticks at which Mistral should start a run, by their number."""
        return {
            number: tick
            for number, tick in enumerate(self.ticks)
            if tick > self._since or tick == self._schedule.first_time
            if not self._is_waiting
        }

    @functools.cached_property
    def _evidence(self) -> list[datetime.datetime]:
        """When Mistral has started a run, as far as there is a trace of it."""
        # Executions may be gone, and their backups still there. Not every run
        # tells its backup, and none before it ends, so a backup may be that
        # of a run by hand.
        by_hand = [
            _when(run)
            for run in self.runs
            if run.manual and run.backup_id is None
        ]
        return [_when(run) for run in self._fired] + [
            backup.created_at
            for backup in self._known.values()
            if backup.created_at
            and backup.is_of(self._schedule)
            and backup.id not in self._told
            and not any(
                begun <= backup.created_at <= begun + RUN_TIME
                for begun in by_hand
            )
        ]

    def _numbers(self, moments: Iterable[datetime.datetime]) -> set[int]:
        """Give the numbers of the ticks that runs of these times are for."""
        return {
            bisect.bisect(self.ticks, each + EARLY) - 1 for each in moments
        }

    @functools.cached_property
    def _late(self) -> dict[int, datetime.datetime]:
        """The ticks for which there is no trace of a run, by their number."""
        started = self._numbers(self._evidence)
        return {
            number: tick
            for number, tick in self.expected.items()
            if number not in started and self._now - tick > GRACE
        }

    @functools.cached_property
    def missed(self) -> list[datetime.datetime]:
        """The ticks at which Mistral did not start a run."""
        # Older executions may have been purged, those of a day hardly.
        oldest = min(self._now - DAY, min(self._evidence, default=_NEVER))
        return [tick for tick in self._late.values() if tick >= oldest]

    def _vain(
        self, ticks: Iterable[datetime.datetime]
    ) -> list[datetime.datetime]:
        """Give the ticks since which no good backup was made."""
        # A backup is no older than its run, whatever the clock of Trove says.
        ids = {backup.id for backup in self.good}
        makers = [run for run in self.runs if run.backup_id in ids]
        made = [*map(_when, self.good), *map(_when, makers)]
        last = max(made, default=_NEVER)
        return [tick for tick in ticks if tick - EARLY > last]

    def tick_findings(self) -> Iterator[_Finding]:
        """Tell what is wrong with the latest ticks."""
        going_on = self._numbers(
            _when(run) for run in self._fired if self._goes_on(run)
        )
        closed = self._numbers(self._evidence) - going_on | self._late.keys()
        vain = self._vain(
            tick for number, tick in self.expected.items() if number in closed
        )
        if len(vain) > 1:
            text = _(
                'None of the last %(count)d expected runs, the first of them '
                'at %(time)s, has made a good backup.'
            )
            values = {'count': len(vain), 'time': _time(vain[0])}
            yield Verdict.CRITICAL, text % values
        elif vain:
            text = _('The run expected at %(time)s has made no good backup.')
            yield Verdict.WARNING, text % {'time': _time(vain[0])}
        elif (
            not self.expected
            and not self._is_waiting
            and len(self._vain(self.ticks)) > 1
        ):
            text = _(
                'By its pattern there should be a newer good backup, but it '
                'has not run since it was changed. Start a run by hand.'
            )
            yield Verdict.WARNING, text
        if self.missed:
            text = _(
                'Missed runs: %(count)d, the last at %(time)s. Mistral did '
                'not start them; its log may say why.'
            )
            values = {
                'count': len(self.missed),
                'time': _time(self.missed[-1]),
            }
            yield Verdict.WARNING, text % values

    def trigger_findings(self) -> Iterator[_Finding]:
        """Tell what is wrong with the cron trigger."""
        due = self._schedule.next_execution_time
        if due is not None and self._now - due > GRACE:
            text = _(
                'Mistral should have started a run at %(time)s and has not; '
                'its cron scheduler may be down.'
            )
            gap = self.ticks[-1] - self.ticks[-2] if self.ticks[1:] else DAY
            stuck = self._now - due > gap
            verdict = Verdict.CRITICAL if stuck else Verdict.WARNING
            yield verdict, text % {'time': _time(due)}
        if not self._schedule.enabled:
            text = _(
                'It is disabled; nothing is backed up until it is enabled.'
            )
            yield Verdict.WARNING, text
        elif self._schedule.pattern and self._pattern is None:
            text = _(
                'Missed runs can\'t be found by the pattern "%(pattern)s", '
                'which is not one to rely on. Set another.'
            )
            values = {'pattern': self._schedule.pattern}
            yield Verdict.WARNING, text % values

    def leftover_findings(self) -> Iterator[_Finding]:
        """Tell of older triggers that no run needs any more."""
        needed = {run.trigger_id for run in self._fired if self._goes_on(run)}
        left = [
            each for each in self._schedule.leftovers if each not in needed
        ]
        if left:
            text = _(
                'A cron trigger of it that was replaced is still there and '
                'may start runs: %(ids)s. "schedule show" deletes it.'
            )
            yield Verdict.WARNING, text % {'ids': ', '.join(left)}

    def _goes_on(self, run: models.ScheduleExecution) -> bool:
        return not run.ended and self._now - _when(run) <= RUN_TIME

    def run_findings(
        self, run: models.ScheduleExecution | None
    ) -> Iterator[_Finding]:
        """Tell what is wrong with the last run."""
        if run is None:
            return
        values = {'time': _time(_when(run)), 'state': run.state}
        fault = _fault(run.backup_id, self._known)
        if not run.ended and self._now - _when(run) > RUN_TIME:
            text = _(
                'The run of %(time)s has been %(state)s for %(age)s; it may '
                'be stuck.'
            )
            values['age'] = _words(self._now - _when(run))
            yield Verdict.WARNING, text % values
        elif run.ended and run.state != 'SUCCESS':
            text = _('The run of %(time)s ended as %(state)s: %(reason)s.')
            reason = run.state_info or _('no reason is known')
            values['reason'] = _short(reason)
            yield Verdict.WARNING, text % values
        elif run.ended and fault:
            text = _('The run of %(time)s has made no good backup: %(fault)s.')
            yield Verdict.WARNING, text % {**values, 'fault': fault}
        if retention := run.output.get('retention'):
            yield Verdict.WARNING, f'{_short(retention)}.'


def _pattern(schedule: models.Schedule) -> str | None:
    """Give the pattern, if it is one that ticks can be told by."""
    if not (schedule.enabled and schedule.pattern):
        return None
    try:
        return cron.validate(schedule.pattern)
    except exceptions.InvalidValueError:
        return None


def _restorable(known: Mapping[str, models.Backup]) -> list[models.Backup]:
    return [
        backup
        for backup in known.values()
        if backup.created_at and not _fault(backup.id, known)
    ]


def _fault(
    backup_id: str | None, known: Mapping[str, models.Backup]
) -> str | None:
    """Say why the data can't be restored from a backup; None if it can."""
    if backup_id is None:
        return _('it tells of none')
    seen: set[str] = set()
    backup = known.get(backup_id)
    if backup is None:
        return _('the backup %(id)s is gone') % {'id': backup_id}
    while backup is not None and backup.id not in seen:
        if backup.status != _GOOD:
            text = (
                _('it needs the backup %(id)s, which is %(status)s')
                if seen
                else _('the backup %(id)s is %(status)s')
            )
            return text % {'id': backup.id, 'status': backup.status}
        seen.add(backup.id)
        parent_id = backup.parent_id
        backup = known.get(parent_id or '')
        if parent_id is not None and backup is None:
            return _('it needs the backup %(id)s, which is gone') % {
                'id': parent_id
            }
    return None


def _age_findings(
    last_backup: models.Backup | None,
    created_at: datetime.datetime | None,
    now: datetime.datetime,
    max_age: datetime.timedelta | None,
) -> Iterator[_Finding]:
    since = _when(last_backup) if last_backup else created_at or _NEVER
    if max_age is not None and now - since > max_age:
        text = _('There is no good backup from the last %(age)s.')
        yield Verdict.CRITICAL, text % {'age': _words(max_age)}


def _summary(
    last_backup: models.Backup | None,
    now: datetime.datetime,
    first_time: datetime.datetime | None = None,
) -> _Finding:
    """Say what there is; this is all there is to say when nothing is wrong."""
    age = _age(last_backup, now)
    if age is not None:
        text = _('The last good backup is %(age)s old.') % {'age': _words(age)}
    elif first_time is not None and first_time > now:
        text = _('It has not run yet; the first run is due at %(time)s.')
        text %= {'time': _time(first_time)}
    else:
        text = _('There is no good backup yet.')
    return Verdict.OK, text


def _health(
    instance: str,
    findings: list[_Finding],
    last_backup: models.Backup | None,
    now: datetime.datetime,
) -> Health:
    return Health(
        verdict=max(verdict for verdict, text in findings),
        reasons=tuple(
            text
            for verdict, text in sorted(findings, key=lambda each: -each[0])
        ),
        instance=instance,
        last_backup=last_backup,
        last_backup_age=_age(last_backup, now),
    )


def _newest(rows: Iterable[_Dated]) -> _Dated | None:
    return max(rows, key=lambda row: (_when(row), row.id), default=None)


def _when(row: models.Backup | models.ScheduleExecution) -> datetime.datetime:
    return row.created_at or _NEVER


def _age(
    backup: models.Backup | None, now: datetime.datetime
) -> datetime.timedelta | None:
    """Give the age of a backup, never below 0 though clocks may differ."""
    return max(now - _when(backup), datetime.timedelta(0)) if backup else None


def _words(duration: datetime.timedelta) -> str:
    if duration >= 2 * DAY:
        return _('%(count)d days') % {'count': duration // DAY}
    if duration >= 2 * _HOUR:
        return _('%(count)d hours') % {'count': duration // _HOUR}
    if duration < _MINUTE:
        return _('less than a minute')
    if duration < 2 * _MINUTE:
        return _('1 minute')
    return _('%(count)d minutes') % {'count': duration // _MINUTE}


def _time(moment: datetime.datetime) -> str:
    return f'{moment:%Y-%m-%d %H:%M} UTC'


def _short(text: object) -> str:
    """Bring what a run has said into one line, without its full stop."""
    line = textwrap.shorten(str(text), MAX_REASON, placeholder=' ...')
    return line.removesuffix('.')
