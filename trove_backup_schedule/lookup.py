# SPDX-License-Identifier: Apache-2.0

"""How schedules and their executions are found among Mistral's rows."""

from collections.abc import Iterable, Iterator
import contextlib
import dataclasses
import datetime
import heapq
import itertools
import json
import logging
import operator

from trove_backup_schedule import exceptions
from trove_backup_schedule import mistral
from trove_backup_schedule import models
from trove_backup_schedule.i18n import _

LOG = logging.getLogger(__name__)


def schedule(
    mistral_: mistral.Mistral,
    name_or_id: str,
    *,
    thorough: bool = True,
    all_projects: bool = False,
) -> models.Schedule:
    """Find a schedule by its ID or name, or by those of its trigger.

    :param thorough: before a name is taken for unique, look through the rare
        triggers with workflow parameters of others too, which takes one more
        request.
    :raises NotFoundError: if there is none.
    :raises NotUniqueError: if several have the name.
    :raises RefusedError: if it is the ID or the name of a cron trigger that is
        no schedule.
    """
    if not name_or_id:
        raise _no_schedule(name_or_id)
    if models.is_uuid(name_or_id):
        found = [
            each
            for each in _named_like(
                mistral_, name_or_id, all_projects=all_projects
            )
            if each.id.lower() == name_or_id.lower()
        ]
        if found:
            return _newest(found)[0]
        with contextlib.suppress(exceptions.NotFoundError):
            return _carried_by(
                mistral_.trigger(name_or_id.lower(), all_projects=all_projects)
            )
    for others in (_foreign,) if thorough else (_plain, _foreign):
        ours = _named_like(
            mistral_,
            f':{name_or_id}:',
            page=models.CANDIDATES * 2,
            all_projects=all_projects,
        )
        named = (
            each
            for each in itertools.chain(ours, others(mistral_, all_projects))
            if each.name == name_or_id
        )
        # A trigger of others may be named as if it were made here. However
        # many there are, no more are read than an error would name.
        candidates: dict[str, models.Schedule] = {}
        for each in named:
            candidates[each.trigger_id] = each
            if len(candidates) > models.CANDIDATES:
                break
        if candidates:
            return models.only(
                _newest(candidates.values()), _('schedule'), name_or_id
            )
    try:
        row = mistral_.trigger(name_or_id, all_projects=all_projects)
    except exceptions.NotFoundError:
        raise _no_schedule(name_or_id) from None
    return _carried_by(row)


def carriers(
    mistral_: mistral.Mistral, schedule: models.Schedule
) -> list[models.Schedule]:
    """Give a schedule as each trigger that carries it has it, newest first.

    There is one, but for the moment in which it is replaced. Empty, if the
    schedule is gone.
    """
    found = {
        each.trigger_id: each
        for each in _named_like(mistral_, schedule.id)
        if each.id == schedule.id
    }
    # A trigger made by other means need not have the ID in its name.
    for trigger_id in {schedule.trigger_id, schedule.origin} - {None, *found}:
        with contextlib.suppress(
            exceptions.NotFoundError, models.NotAScheduleError
        ):
            row = mistral_.trigger(str(trigger_id))
            found[str(trigger_id)] = models.Schedule.from_trigger(row)
    return sorted(found.values(), key=_generation, reverse=True)


def schedules(
    mistral_: mistral.Mistral, *, all_projects: bool = False
) -> list[models.Schedule]:
    """Give all schedules, by name."""
    rows = mistral_.triggers(
        workflow_name=models.WORKFLOW, all_projects=all_projects
    )
    return sorted(_newest(_schedules(rows)), key=_name)


def schedules_in_pages(
    mistral_: mistral.Mistral,
    *,
    after: models.Schedule | None = None,
    page: int | None = None,
    all_projects: bool = False,
) -> Iterator[models.Schedule]:
    """Give all schedules, by ID, those made by other means apart.

    Whatever is changed between two pages, none is lost, and none made here
    comes twice: the workflow parameters, which have the ID, are all that its
    triggers surely have in common, and Mistral can sort by them. One made by
    other means has none in its first trigger. It comes twice, as it was and
    as it is, if that trigger is still there after a change.

    :param after: the schedule after which to begin.
    :param page: rows to ask for at once, for one who wants few.
    """
    rows = mistral_.triggers(
        workflow_name=models.WORKFLOW,
        all_projects=all_projects,
        marker=after.trigger_id if after else None,
        # One more shows that the last is not about to be replaced.
        page=page and page + 1,
        sort_keys='workflow_params',
    )
    for schedule_id, same in itertools.groupby(
        _schedules(rows), key=operator.attrgetter('id')
    ):
        if after is None or schedule_id != after.id:
            yield from _newest(same)


def schedules_of(
    mistral_: mistral.Mistral,
    instance_id: str,
    *,
    all_projects: bool = False,
) -> list[models.Schedule]:
    """Give the schedules of an instance, by name."""
    candidates = itertools.chain(
        _named_like(mistral_, instance_id, all_projects=all_projects),
        _foreign(mistral_, all_projects),
    )
    # A trigger of others may have the instance in its name too.
    return sorted(
        _newest(each for each in candidates if each.instance == instance_id),
        key=_name,
    )


def namesakes(
    mistral_: mistral.Mistral, schedule: models.Schedule
) -> set[str]:
    """Give the IDs of other schedules made here of its instance and name."""
    return {
        each.id
        for each in _named_like(
            mistral_, f':{schedule.name}:{schedule.instance}:'
        )
        if (each.instance, each.name) == (schedule.instance, schedule.name)
    } - {schedule.id}


def executions_of(
    mistral_: mistral.Mistral,
    schedule: models.Schedule,
    *,
    marker: str = '',
    page: int | None = None,
    since: datetime.datetime | None = None,
) -> Iterator[models.ScheduleExecution]:
    """Give the executions of a schedule, newest first.

    Those of all triggers that have carried it, and those started by hand.

    :param marker: ID of the execution after which to begin; it may be one of
        another schedule.
    :param page: rows to ask for at once, for one who wants few.
    :param since: aware; leave out those created before.
    """
    _check_marker(marker)
    # Each tells the trigger that it was started by, or for. Those of triggers
    # that are gone have the schedule's ID in their parameters, unless that
    # trigger was made by other means.
    triggers = [schedule.trigger_id]
    if schedule.origin:
        triggers.append(schedule.origin)
    ways = [{'description': _has(each)} for each in triggers]
    if schedule.generation > 1:
        ways.append({'params': _params(schedule.id)})
    for run in _merged(
        mistral_, ways, marker=marker, page=page, **_since(since)
    ):
        if run.schedule_id == schedule.id or run.trigger_id in triggers:
            yield dataclasses.replace(run, schedule_id=schedule.id)


def has_begun(
    mistral_: mistral.Mistral,
    schedule: models.Schedule,
    *,
    since: datetime.datetime,
) -> bool:
    """Tell whether a trigger has started a run.

    :param schedule: as the trigger has it.
    :param since: aware; when, or later.
    """
    runs = _executions(
        mistral_,
        marker='',
        page=None,
        description=_has(schedule.trigger_id),
        **_since(since),
    )
    return any(
        run.trigger_id == schedule.trigger_id and not run.manual
        for run in runs
    )


def executions_by_trust(
    mistral_: mistral.Mistral,
    schedule: models.Schedule,
    *,
    since: datetime.datetime,
) -> list[models.ScheduleExecution]:
    """Give the executions that need the trust of a trigger until they end.

    Those started by hand don't.

    :param schedule: as the trigger has it.
    :param since: aware; leave out those created before.
    """
    runs = _executions(
        mistral_,
        marker='',
        page=None,
        description=_has(schedule.trigger_id),
        state='in:RUNNING,PAUSED,IDLE,DELAYED',
        **_since(since),
    )
    return [
        run
        for run in runs
        if run.trigger_id == schedule.trigger_id and not run.manual
    ]


def executions_of_gone(
    mistral_: mistral.Mistral,
    schedule_id: str,
    *,
    marker: str = '',
    page: int | None = None,
) -> Iterator[models.ScheduleExecution]:
    """Give the executions of a schedule that has ended or was deleted.

    :param schedule_id: the schedule's ID, or that of its trigger.
    """
    _check_marker(marker)
    ways = (
        {'params': _params(schedule_id)},
        {'description': _has(schedule_id)},
    )
    for run in _merged(mistral_, ways, marker=marker, page=page):
        if run.schedule_id == schedule_id:
            yield run


def execution(
    mistral_: mistral.Mistral, execution_id: str
) -> models.ScheduleExecution:
    """Give the execution of this ID, in full.

    :raises NotFoundError: if there is none.
    :raises RefusedError: if it is one of another workflow.
    """
    if not models.is_uuid(execution_id):
        raise _no_execution(execution_id)
    try:
        row = mistral_.execution(execution_id)
    except exceptions.NotFoundError:
        raise _no_execution(execution_id) from None
    if row.get('workflow_name') != models.WORKFLOW:
        raise exceptions.RefusedError(
            _(
                'The execution %(id)s is no backup: it runs the workflow '
                '%(workflow)s. It is left alone.'
            )
            % {'id': execution_id, 'workflow': row.get('workflow_name')}
        )
    return models.ScheduleExecution.from_execution(row)


def executions(
    mistral_: mistral.Mistral,
    *,
    marker: str = '',
    page: int | None = None,
    since: datetime.datetime | None = None,
) -> Iterator[models.ScheduleExecution]:
    """Give all executions of the project, newest first.

    :param since: aware; leave out those created before.
    """
    _check_marker(marker)
    return _executions(mistral_, marker=marker, page=page, **_since(since))


def recency(run: models.ScheduleExecution) -> tuple[float, str]:
    """Give the key for Mistral's order of executions, newest first.

    Those of the same second come in the order of their IDs. It must be the
    same here, for a marker means a place in that order.
    """
    return (-run.created_at.timestamp() if run.created_at else 0.0, run.id)


def _has(text: str) -> str:
    r"""Make the filter for columns that contain a text.

    Mistral puts the text into an SQL LIKE as it is, where ``%`` and ``\`` have
    a meaning of their own and ``_`` stands for any character, for these too.
    What comes back is always compared exactly.
    """
    return f'has:{text}'.replace('\\', '_').replace('%', '_')


def _since(moment: datetime.datetime | None) -> dict[str, str]:
    """Make the filter for the executions created at a time or later."""
    if moment is None:
        return {}
    return {'created_at': f'gte:{moment:%Y-%m-%d %H:%M:%S}'}


def _params(schedule_id: str) -> str:
    """Make the filter for the executions of a schedule made here."""
    # Mistral adds the namespace to the parameters of the trigger.
    return json.dumps({**models.workflow_params(schedule_id), 'namespace': ''})


def _executions(
    mistral_: mistral.Mistral,
    *,
    marker: str,
    page: int | None,
    **filters: str,
) -> Iterator[models.ScheduleExecution]:
    return map(
        models.ScheduleExecution.from_execution,
        mistral_.executions(
            workflow_name=models.WORKFLOW, marker=marker, page=page, **filters
        ),
    )


def _merged(
    mistral_: mistral.Mistral,
    ways: Iterable[dict[str, str]],
    *,
    marker: str,
    page: int | None,
    **filters: str,
) -> Iterator[models.ScheduleExecution]:
    """Give the executions that fit any of several filters, each once."""
    runs = heapq.merge(
        *(
            _executions(mistral_, marker=marker, page=page, **way, **filters)
            for way in ways
        ),
        key=recency,
    )
    for _key, same in itertools.groupby(runs, key=recency):
        yield next(same)


def _name(schedule: models.Schedule) -> tuple[str, str]:
    """Give the key for the order in which people look for schedules."""
    return (schedule.name, schedule.id)


def _generation(schedule: models.Schedule) -> tuple[int, str]:
    """Give the key for the order of triggers that carry the same schedule."""
    return (schedule.generation, schedule.trigger_id)


def _newest(found: Iterable[models.Schedule]) -> list[models.Schedule]:
    """Leave each schedule once, as the newest of its triggers has it.

    :param found: by any triggers, which may be there several times.
    """
    carried: dict[tuple[str | None, str], dict[str, models.Schedule]] = {}
    for each in found:
        same = carried.setdefault((each.project_id, each.id), {})
        same[each.trigger_id] = each
    schedules_ = []
    for same in carried.values():
        *older, newest = sorted(same.values(), key=_generation)
        leftovers = tuple(sorted(each.trigger_id for each in older))
        schedules_.append(dataclasses.replace(newest, leftovers=leftovers))
    return schedules_


def _named_like(
    mistral_: mistral.Mistral,
    text: str,
    *,
    page: int | None = None,
    all_projects: bool = False,
) -> Iterator[models.Schedule]:
    """Give the schedules that have a text in the name of their trigger."""
    return _schedules(
        mistral_.triggers(
            workflow_name=models.WORKFLOW,
            name=_has(text),
            page=page,
            all_projects=all_projects,
        )
    )


def _schedules(rows: Iterable[mistral.Row]) -> Iterator[models.Schedule]:
    """Read schedules, leaving out the triggers that are none."""
    for row in rows:
        try:
            yield models.Schedule.from_trigger(row)
        except models.NotAScheduleError as exc:
            LOG.debug('Cron trigger %s is no schedule: %s', row.get('id'), exc)


def _plain(
    mistral_: mistral.Mistral, all_projects: bool
) -> Iterator[models.Schedule]:
    """Give the schedules whose triggers have no workflow parameters.

    Those are all that were made by python-troveclient or in its way, and none
    made here. Their name is in the workflow's input, which Mistral can't
    filter by, so all of them have to be read.
    """
    return _schedules(
        mistral_.triggers(
            workflow_name=models.WORKFLOW,
            workflow_params='{}',
            all_projects=all_projects,
        )
    )


def _foreign(
    mistral_: mistral.Mistral, all_projects: bool
) -> Iterator[models.Schedule]:
    """Give the schedules that were not made here, with parameters or without.

    It takes one request more than :func:`_plain`. Those made here, which may
    be far more, are left out by the order of the triggers' names.
    """
    for bound in (
        f'lt:{models.NAME_PREFIX}',
        f'gte:{models.NAME_PREFIX_END}',
    ):
        yield from _schedules(
            mistral_.triggers(
                workflow_name=models.WORKFLOW,
                name=bound,
                all_projects=all_projects,
            )
        )


def _carried_by(row: mistral.Row) -> models.Schedule:
    try:
        return models.Schedule.from_trigger(row)
    except models.NotAScheduleError as exc:
        raise exceptions.RefusedError(
            _(
                'The cron trigger "%(name)s" is no backup schedule: '
                '%(reason)s. It is left alone.'
            )
            % {'name': row.get('name'), 'reason': exc}
        ) from exc


def _check_marker(marker: str) -> None:
    if marker and not models.is_uuid(marker):
        raise _no_execution(marker)


def _no_schedule(text: str) -> exceptions.NotFoundError:
    return exceptions.NotFoundError(
        _(
            'No schedule with the name or ID "%s" in this project. See: '
            'openstack database backup schedule list'
        )
        % text
    )


def _no_execution(text: str) -> exceptions.NotFoundError:
    return exceptions.NotFoundError(
        _(
            'No execution with the ID "%s" in this project. See: openstack '
            'database backup execution list'
        )
        % text
    )
