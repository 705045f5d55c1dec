# SPDX-License-Identifier: Apache-2.0

"""What is known of schedules' runs and backups, had with few requests."""

from collections.abc import Iterable, Sequence
import datetime
import logging

from trove_backup_schedule import exceptions
from trove_backup_schedule import health
from trove_backup_schedule import lookup
from trove_backup_schedule import mistral
from trove_backup_schedule import models
from trove_backup_schedule import trove
from trove_backup_schedule.i18n import _

LOG = logging.getLogger(__name__)

# From so many on, one long list takes less time than a short one for each.
_MANY = 10

#: How far back a list of the runs of all schedules goes. What goes back
#: further, as with monthly patterns, is asked for alone.
_SPAN = datetime.timedelta(days=8)


def judge_all(
    mistral_: mistral.Mistral,
    trove_: trove.Trove,
    schedules: Sequence[models.Schedule],
    now: datetime.datetime,
    *,
    unscheduled: Iterable[models.Instance] = (),
    max_age: datetime.timedelta | None = None,
) -> list[health.Health]:
    """Judge schedules, and instances that have none.

    :param now: aware; the present.
    :param max_age: the age from which on a last good backup is too old.
    """
    instances = {each.instance: None for each in schedules}
    bare = list(unscheduled)
    # The runs first: a run that ends meanwhile must not look as if its backup
    # were missing.
    runs = _runs(mistral_, schedules, now)
    backups = _backups(trove_, [*instances, *(each.id for each in bare)])
    return [
        health.judge(
            each,
            runs[each.trigger_id],
            backups[each.instance],
            now,
            max_age=max_age,
        )
        for each in schedules
    ] + [
        health.judge_unscheduled(each, backups[each.id], now, max_age=max_age)
        for each in bare
    ]


def with_backups(
    trove_: trove.Trove, runs: Sequence[models.ScheduleExecution]
) -> list[models.ScheduleExecution]:
    """Add to runs the present status of their backups, if Trove tells it."""
    try:
        return with_present_backups(trove_, runs)
    except exceptions.ScheduleError as exc:
        LOG.warning(
            _('The present state of the backups is not known: %s'), exc
        )
        return [run.with_backup(None) if run.instance else run for run in runs]


def with_present_backups(
    trove_: trove.Trove, runs: Sequence[models.ScheduleExecution]
) -> list[models.ScheduleExecution]:
    """Add to runs the present status of their backups.

    :raises ScheduleError: if Trove doesn't tell it.
    """
    instances = list({run.instance for run in runs if run.instance})
    backups = _backups(trove_, instances) if instances else {}
    return [
        run.with_backup(backups[run.instance]) if run.instance else run
        for run in runs
    ]


def _backups(
    trove_: trove.Trove, instances: Sequence[str]
) -> dict[str | None, list[models.Backup]]:
    """Give the backups of instances, by instance."""
    found: dict[str | None, list[models.Backup]] = {
        each: [] for each in instances
    }
    lists = (
        [trove_.backups()]
        if len(found) > _MANY
        else [trove_.backups(each) for each in instances]
    )
    for rows in lists:
        for backup in rows:
            if backup.instance_id in found:
                found[backup.instance_id].append(backup)
    return found


def _runs(
    mistral_: mistral.Mistral,
    schedules: Sequence[models.Schedule],
    now: datetime.datetime,
) -> dict[str, list[models.ScheduleExecution]]:
    """Give the runs that count for the health of schedules, by trigger."""
    starts = {
        each.trigger_id: health.window_start(each, now) for each in schedules
    }
    recent = {
        each.trigger_id: each
        for each in schedules
        if now - starts[each.trigger_id] < _SPAN
    }
    if len(recent) <= _MANY:
        recent = {}
    found = {
        each.trigger_id: list(
            lookup.executions_of(mistral_, each, since=starts[each.trigger_id])
        )
        for each in schedules
        if each.trigger_id not in recent
    }
    if recent:
        # A schedule has its own ID in its runs, or that of its trigger.
        known = {
            key: found.setdefault(each.trigger_id, [])
            for each in recent.values()
            for key in (each.id, each.trigger_id, each.origin)
            if key
        }
        since = min(starts[key] for key in recent)
        for run in lookup.executions(mistral_, since=since):
            if run.schedule_id in known:
                known[run.schedule_id].append(run)
    return found
