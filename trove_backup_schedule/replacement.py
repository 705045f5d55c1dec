# SPDX-License-Identifier: Apache-2.0

"""How another trigger is put in place of a schedule's, losing no run.

Mistral can't update a cron trigger. So a new one is created, of the next
generation, and then the old one is deleted. Whoever is stopped in between
leaves both: the schedule is what the newer one says, both fire, and the older
one goes with the next command on the schedule, or at the end of the next run
of either (task ``tidy`` of the workflow).
"""

import contextlib
import datetime
import logging
import time
from typing import Any

from trove_backup_schedule import cron
from trove_backup_schedule import exceptions
from trove_backup_schedule import health
from trove_backup_schedule import installation
from trove_backup_schedule import lookup
from trove_backup_schedule import mistral
from trove_backup_schedule import models
from trove_backup_schedule.i18n import _

LOG = logging.getLogger(__name__)

#: Seconds to wait for a run that is due before its trigger goes. Mistral looks
#: once in a second for what is due.
PATIENCE = 10.0

#: How long Mistral may take to log in and start a run that it counts as done.
STARTING = datetime.timedelta(minutes=1)

#: How early Mistral starts runs, with what clocks may differ by.
EARLY = datetime.timedelta(seconds=3)

_PAUSE = 0.5

# How often triggers are looked for that somebody else creates meanwhile.
_ROUNDS = 5


def let_tick_pass(schedule: models.Schedule, now: datetime.datetime) -> bool:
    """Wait, if Mistral is about to start a run of a schedule or just has.

    It is up to two seconds early. A trigger that is created between the run
    and the time that it was for would start another one.

    :param now: aware; the present.
    :returns: whether it was waited for.
    """
    if not schedule.enabled:
        return False
    for tick in cron.known_times(schedule.pattern, now):
        if tick - now < EARLY:
            time.sleep((tick - now).total_seconds())
            return True
        break
    return False


def replace(
    mistral_: mistral.Mistral,
    current: models.Schedule,
    values: dict[str, Any],
) -> models.Schedule:
    """Put a new trigger in place of the one that carries a schedule.

    :param current: the schedule as the newest of its triggers has it.
    :param values: the new trigger, of the next generation.
    :returns: the schedule as it is now.
    :raises ConflictError: if somebody else changes it at the same time; then
        nothing is changed by this call.
    """
    try:
        with installation.workflow_needed():
            row = mistral_.trigger_create(values)
    except exceptions.ConflictError as exc:
        raise _changed_by_others(current) from exc
    made = models.Schedule.from_trigger(row)
    # The name of a trigger is unique, but two who also change the schedule's
    # name to different ones don't get into each other's way there. Then one
    # gives way, and never both, or others who tidy up meanwhile might leave
    # nothing.
    newest, *others = lookup.carriers(mistral_, made) or [made]
    if newest.trigger_id != made.trigger_id:
        _delete(mistral_, made)
        raise _changed_by_others(current)
    _tidy(mistral_, made, others)
    return made


def repair(
    mistral_: mistral.Mistral, schedule: models.Schedule
) -> models.Schedule | None:
    """Remove what a change that was stopped half-way has left of a schedule.

    :returns: the schedule as the newest of its triggers has it; None if it is
        gone.
    """
    found = lookup.carriers(mistral_, schedule)
    if not found:
        return None
    newest, *older = found
    if older:
        _tidy(mistral_, newest, older, level=logging.DEBUG)
    return newest


def delete(mistral_: mistral.Mistral, schedule: models.Schedule) -> None:
    """Delete every trigger that carries a schedule, the newest last.

    It is looked for more: somebody may just be changing the schedule.

    :raises ConflictError: if there are more and more; then some are left.
    """
    for _round in range(_ROUNDS):
        found = lookup.carriers(mistral_, schedule)
        if not found:
            return
        for each in reversed(found):
            runs = _runs(mistral_, each)
            _delete(mistral_, each)
            for run in runs:
                LOG.warning(
                    _(
                        'The run %(run)s of the deleted schedule '
                        "%(schedule)s was going on, and can't tell any more "
                        'how it ends. If its backup has begun, that goes on '
                        'in Trove.'
                    ),
                    {'run': run.id, 'schedule': schedule.id},
                )
    if lookup.carriers(mistral_, schedule):
        raise exceptions.ConflictError(
            _(
                'Somebody else keeps changing the schedule %s, so it is still '
                'there. Try again to delete it.'
            )
            % schedule.id
        )


def _tidy(
    mistral_: mistral.Mistral,
    newest: models.Schedule,
    older: list[models.Schedule],
    *,
    level: int = logging.WARNING,
) -> None:
    """Delete the triggers that another one has been put in place of.

    The schedule is what the newest says, whether this succeeds or not.

    :param level: how loud it is said that one is left to its run.
    """
    try:
        row = mistral_.trigger(newest.trigger_id)
        since = models.parse_time(row.get('created_at'))
        _retire(mistral_, older, since, level)
    except exceptions.ScheduleError as exc:
        LOG.warning(
            _(
                'The schedule %(schedule)s still has a cron trigger that was '
                'replaced, and may run twice until that is deleted, after its '
                'next run or by the next command on it: %(reason)s'
            ),
            {'schedule': newest.id, 'reason': exc},
        )


def _retire(
    mistral_: mistral.Mistral,
    replaced: list[models.Schedule],
    since: datetime.datetime | None,
    level: int,
) -> None:
    """Delete triggers, but not while they are needed.

    One whose run is due is left until that has begun, for the new one fires
    only from its creation on. One with a run that goes on is left to that
    run, which needs the trigger's trust until it ends.

    :param since: aware; when the new trigger was created.
    """
    deadline = time.monotonic() + PATIENCE
    for each in replaced:
        while _is_awaited(mistral_, each, since):
            if time.monotonic() > deadline:
                LOG.warning(
                    _(
                        'A run of the schedule %(schedule)s is due, and '
                        'Mistral has not started it. The cron trigger '
                        '%(trigger)s that was replaced is left to that run.'
                    ),
                    {'schedule': each.id, 'trigger': each.trigger_id},
                )
                break
            time.sleep(_PAUSE)
        else:
            if not _runs(mistral_, each):
                _delete(mistral_, each)
                continue
            LOG.log(
                level,
                _(
                    'A run of the schedule %(schedule)s is going on. The '
                    'cron trigger %(trigger)s that was replaced goes when '
                    'that run ends, and may start another until then.'
                ),
                {'schedule': each.id, 'trigger': each.trigger_id},
            )


def _is_awaited(
    mistral_: mistral.Mistral,
    schedule: models.Schedule,
    since: datetime.datetime | None,
) -> bool:
    """Tell whether a run of a replaced trigger is due or about to begin.

    Mistral sets a trigger to its next time first. Then it logs in with the
    trust, and starts the run of the time before.
    """
    try:
        row = mistral_.trigger(schedule.trigger_id)
    except exceptions.NotFoundError:
        return False
    if since is None:
        return False
    due = models.parse_time(row.get('next_execution_time'))
    if due is not None and due <= since:
        return True
    fired = models.parse_time(row.get('updated_at'))
    if fired is None or not since - STARTING <= fired <= since:
        return False
    return not lookup.has_begun(mistral_, schedule, since=fired - EARLY)


def _runs(
    mistral_: mistral.Mistral, schedule: models.Schedule
) -> list[models.ScheduleExecution]:
    """Give the runs that go on and need the trust of a trigger.

    One that is stuck needs none, for its token has expired.
    """
    now = datetime.datetime.now(datetime.UTC)
    return lookup.executions_by_trust(
        mistral_, schedule, since=now - health.RUN_TIME
    )


def _delete(mistral_: mistral.Mistral, schedule: models.Schedule) -> None:
    # Somebody else may have been quicker: gone is gone.
    with contextlib.suppress(exceptions.NotFoundError):
        mistral_.trigger_delete(schedule.trigger_id)


def _changed_by_others(
    schedule: models.Schedule,
) -> exceptions.ConflictError:
    return exceptions.ConflictError(
        _(
            'Somebody else has changed the schedule %s at the same time. '
            'Nothing was changed by you; look at it, and try again.'
        )
        % schedule.id
    )
