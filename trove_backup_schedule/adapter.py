# SPDX-License-Identifier: Apache-2.0

"""The Python API: backup schedules of Trove instances, kept by Mistral."""

import collections
from collections.abc import Callable, Collection, Iterable, Iterator
import contextlib
import dataclasses
import datetime
import heapq
import itertools
import logging
import operator
import time
from typing import Any, Unpack, cast

from keystoneauth1 import session as ksa_session

from trove_backup_schedule import cron
from trove_backup_schedule import declared
from trove_backup_schedule import exceptions
from trove_backup_schedule import health
from trove_backup_schedule import http
from trove_backup_schedule import inspection
from trove_backup_schedule import installation
from trove_backup_schedule import lookup
from trove_backup_schedule import mistral
from trove_backup_schedule import models
from trove_backup_schedule import replacement
from trove_backup_schedule import retention
from trove_backup_schedule import settings
from trove_backup_schedule import trove
from trove_backup_schedule.i18n import _

LOG = logging.getLogger(__name__)

# Seconds for which a run is followed though a service does not answer.
_PATIENCE = 300.0


class BackupSchedules:
    """Backup schedules and their executions, of one project.

    Made from a keystoneauth session::

        schedules = BackupSchedules(session)

    or from clients that are there already::

        schedules = BackupSchedules(
            mistral_client=mistral, trove_client=trove
        )

    Every method may raise the classes of
    :mod:`trove_backup_schedule.exceptions`:
    :exc:`~trove_backup_schedule.exceptions.AuthorizationError`,
    :exc:`~trove_backup_schedule.exceptions.ServiceUnavailableError` and
    :exc:`~trove_backup_schedule.exceptions.ServiceError` for what a cloud may
    answer to any request, and those that it names itself.

    Where a method takes a ``mistral_client``, it uses that one in place of
    the object's own.

    :param session: a keystoneauth session with any auth plugin.
    :param mistral_client: a python-mistralclient client.
    :param trove_client: a python-troveclient client.
    :param region_name: region to look for the services in.
    :param interface: interface to look for in the catalogue; ``public`` by
        default.
    :param project_id: ID of the project, where it can't be had from the
        session (as with a bare token and an endpoint). An admin sees the
        schedules of every project if nothing tells which is the own one.
    :param workflow_endpoint: Mistral's URL, in place of the catalogue's.
    :param database_endpoint: Trove's URL, in place of the catalogue's.
    """

    def __init__(
        self,
        session: ksa_session.Session | None = None,
        *,
        mistral_client: Any = None,
        trove_client: Any = None,
        region_name: str | None = None,
        interface: str | None = None,
        project_id: str | None = None,
        workflow_endpoint: str | None = None,
        database_endpoint: str | None = None,
    ) -> None:
        if session is None and mistral_client is None and trove_client is None:
            raise TypeError('either a session or clients must be given')
        self._session = session
        self._mistral_client = mistral_client
        self._trove_client = trove_client
        self._where = {'region_name': region_name, 'interface': interface}
        self._project_id = project_id
        self._workflow_endpoint = workflow_endpoint
        self._database_endpoint = database_endpoint

    # Schedules.

    def schedule_create(
        self,
        instance: Any,
        pattern: str,
        name: str,
        description: str | None = None,
        parent_id: str | None = None,
        mistral_client: Any = None,
        *,
        incremental: bool = False,
        full_every: int | None = None,
        keep: int | None = None,
        swift_container: str | None = None,
        storage_driver: str | None = None,
        count: int | None = None,
        first_time: datetime.datetime | None = None,
        enabled: bool = True,
        spread: bool = False,
    ) -> models.Schedule:
        """Create a new schedule to back up the given instance.

        :param instance: instance to back up: an object with an ``id``, an ID,
            or a name.
        :param pattern: cron pattern of five fields or an alias, in UTC.
        :param name: name of the schedule, at most
            :data:`~trove_backup_schedule.models.MAX_NAME_LENGTH` characters.
            Each backup is named after it and after the time of its run in
            UTC, ``<name>-YYYYMMDDhhmmss``.
        :param description: of each backup. The ID of the schedule is put
            behind it.
        :param parent_id: a completed backup of the instance, on which each
            run builds: an object with an ``id``, an ID, or a name.
        :param incremental: each run builds on the newest completed backup.
        :param full_every: after so many incremental backups make a full one.
            Then a run builds on the schedule's own newest good backup.
        :param keep: number of good backups to keep. After each run that has
            made one, older ones of the schedule are removed, if no backup
            that stays builds on them.
        :param swift_container: container for the backups.
        :param storage_driver: storage driver for the backups.
        :param count: number of runs after which the schedule ends.
        :param first_time: aware; the first run, at least one minute ahead.
            Mistral counts in minutes, so seconds are rounded up. The pattern
            tells the runs after it.
        :param enabled: False for a schedule that does not fire until it is
            enabled.
        :param spread: put a minute, hour and weekday that come from the
            instance's ID in the place of those of ``@hourly``, ``@daily`` or
            ``@weekly``.
        :raises InvalidValueError: if a value is impossible.
        :raises NotFoundError: if the instance, the parent or the workflow
            does not exist.
        :raises NotUniqueError: if several instances or backups have the name.
        """
        changes = settings.validated(
            {
                'name': name,
                'pattern': pattern,
                'description': description,
                'parent_id': None if parent_id is None else _id(parent_id),
                'incremental': incremental,
                'full_every': full_every,
                'keep': keep,
                'swift_container': swift_container,
                'storage_driver': storage_driver,
                'count': count,
                'first_time': first_time,
                'enabled': enabled,
            },
            _now(),
        )
        wanted = settings.Settings(**changes)
        settings.validate_together(wanted)
        mistral_ = self._mistral(mistral_client)
        found = self._find_instance(instance, mistral_)
        wanted = self._completed(wanted, found.id, spread=spread)
        trigger_name = models.TriggerName(
            name=name, instance=found.id, schedule_id=models.new_id()
        )
        with installation.workflow_needed():
            row = mistral_.trigger_create(
                settings.trigger_values(
                    wanted,
                    trigger_name,
                    fires_at=wanted.first_time,
                    first_time=wanted.first_time,
                    active_since=wanted.first_time,
                )
            )
        return models.Schedule.from_trigger(row)

    def schedule_list(
        self,
        instance: Any = None,
        mistral_client: Any = None,
        *,
        marker: str = '',
        limit: int | None = None,
        all_projects: bool = False,
    ) -> list[models.Schedule]:
        """Get the backup schedules of an instance or of the project.

        :param instance: an object with an ``id``, an ID, or a name; None for
            all instances. It may have been deleted, if it is given by its ID.
        :param marker: ID of the schedule after which to begin.
        :param limit: the most schedules to give.
        :param all_projects: those of all projects; for an admin.
        :returns: the schedules, by name. With a limit or a marker they come
            by ID, and those made by other means apart: so none is lost
            between two pages if some are changed meanwhile.
        :raises NotFoundError: if there is no such instance or marker.
        """
        mistral_ = self._mistral(mistral_client)
        after = (
            lookup.schedule(mistral_, marker, all_projects=all_projects)
            if marker
            else None
        )
        if instance is not None:
            found = self._of_instance(
                mistral_, instance, all_projects=all_projects
            )
            if after is None and limit is None:
                return found
            found.sort(key=operator.attrgetter('id'))
            rest = [each for each in found if not after or each.id > after.id]
            return rest[:limit]
        if after is None and limit is None:
            return lookup.schedules(mistral_, all_projects=all_projects)
        pages = lookup.schedules_in_pages(
            mistral_, after=after, page=limit, all_projects=all_projects
        )
        return list(itertools.islice(pages, limit))

    def schedule_show(
        self, schedule: Any, mistral_client: Any = None
    ) -> models.Schedule:
        """Get details of a backup schedule.

        :param schedule: a :class:`~trove_backup_schedule.models.Schedule`, an
            ID, or a name. The ID of its cron trigger will do too.
        :raises NotFoundError: if there is none.
        :raises NotUniqueError: if several schedules have the name.
        :raises RefusedError: if it is the ID or the name of a cron trigger
            that is no backup schedule.
        """
        mistral_ = self._mistral(mistral_client)
        found = lookup.schedule(mistral_, _id(schedule))
        return self._current(mistral_, found)

    def schedule_set(
        self,
        schedule: Any,
        mistral_client: Any = None,
        *,
        spread: bool = False,
        **changes: Unpack[settings.Changes],
    ) -> models.Schedule:
        """Change a schedule. Its ID and its history stay.

        Mistral can't update a trigger, so the schedule gets another one. If
        this is stopped at any point, the schedule is either as it was or as
        it should be, and it fires. A schedule made by other means becomes
        one made here. While a run goes on, the old trigger stays beside the
        new one, which is logged as a warning: the run needs its trust.

        :param schedule: as for :meth:`schedule_show`.
        :param changes: settings by the names that they have in
            :meth:`schedule_create`; those that are left out stay as they are.
            None removes one that need not be set. A new ``first_time`` is for
            the next run.
        :param spread: as for :meth:`schedule_create`.
        :returns: the schedule as it is now.
        :raises InvalidValueError: if a value is impossible.
        :raises NotFoundError: if there is no such schedule or parent.
        :raises NotUniqueError: if several have the name.
        :raises RefusedError: as for :meth:`schedule_show`.
        :raises ConflictError: if somebody else changes the schedule at the
            same time, or if a first run that was set for a certain time is
            about a minute ahead or less, and would be lost. Nothing was
            changed then.
        """
        changes = settings.validated(changes, _now())
        mistral_ = self._mistral(mistral_client)
        found = lookup.schedule(mistral_, _id(schedule))
        current = self._current(mistral_, found)
        if replacement.let_tick_pass(current, _now()):
            current = self._current(mistral_, current)
        before = settings.Settings.of(current)
        # One of these two takes the place of the other.
        if changes.get('parent_id') is not None:
            changes = {'incremental': False, 'full_every': None, **changes}
        elif changes.get('incremental'):
            changes = {'parent_id': None, **changes}
        wanted = dataclasses.replace(before, **changes)
        settings.validate_together(wanted)
        if wanted.parent_id != before.parent_id or spread:
            wanted = self._completed(wanted, current.instance, spread=spread)
        if wanted == before:
            return current
        return replacement.replace(
            mistral_, current, settings.successor(current, wanted, _now())
        )

    def schedule_run(
        self, schedule: Any, mistral_client: Any = None
    ) -> models.ScheduleExecution:
        """Start a run of a schedule now, with whatever is set for it.

        It is done with the caller's own rights and token, and not with those
        of the schedule's trust.

        :param schedule: as for :meth:`schedule_show`.
        :returns: the run, which goes on.
        :raises NotFoundError: if there is no such schedule or no workflow.
        :raises NotUniqueError: if several schedules have the name.
        :raises RefusedError: as for :meth:`schedule_show`.
        """
        mistral_ = self._mistral(mistral_client)
        found = lookup.schedule(mistral_, _id(schedule))
        current = self._current(mistral_, found)
        with installation.workflow_needed():
            row = mistral_.execution_create(models.run_values(current))
        return dataclasses.replace(
            models.ScheduleExecution.from_execution(row),
            schedule_id=current.id,
        )

    def schedule_prune(
        self,
        schedule: Any,
        mistral_client: Any = None,
        *,
        keep: int | None = None,
        dry_run: bool = False,
    ) -> list[retention.Decision]:
        """Remove the backups that a schedule has too many of.

        The workflow does the same after each run.

        :param schedule: as for :meth:`schedule_show`.
        :param keep: number of good backups to keep, if not the schedule's.
        :param dry_run: remove nothing.
        :returns: what becomes of each of its backups, and why, newest first.
        :raises InvalidValueError: if the schedule keeps all its backups.
        :raises NotFoundError: if there is no such schedule.
        :raises NotUniqueError: if several schedules have the name.
        :raises RefusedError: as for :meth:`schedule_show`.
        :raises ConflictError: if the project's backups keep changing.
        :raises ServiceError: if not all could be deleted; it was tried with
            each.
        """
        if keep is not None:
            settings.validate_keep(keep)
        mistral_ = self._mistral(mistral_client)
        found = lookup.schedule(mistral_, _id(schedule))
        keep = keep or found.keep
        if keep is None:
            raise exceptions.InvalidValueError(
                _(
                    'The schedule %s keeps all its backups. Say how many are '
                    'to be kept.'
                )
                % found.id
            )
        trove_ = self._trove()
        decisions = retention.decide(trove_.settled_backups(), found, keep)
        if not dry_run:
            failures = []
            for backup in retention.roots(decisions):
                try:
                    trove_.backup_delete(backup.id)
                except exceptions.ScheduleError as exc:
                    failures.append(f'{backup.id}: {exc}')
            if failures:
                raise exceptions.ServiceError(
                    _('Not all could be deleted. %s') % ' '.join(failures)
                )
        return decisions

    def schedule_check(
        self,
        schedules: Iterable[Any] = (),
        mistral_client: Any = None,
        *,
        instance: Any = None,
        all_instances: bool = False,
        max_age: datetime.timedelta | None = None,
    ) -> list[health.Health]:
        """Judge whether the data that schedules back up is safe.

        :param schedules: each as for :meth:`schedule_show`; without any,
            those of the instance or, without one, of the project.
        :param instance: an object with an ``id``, an ID, or a name. Without
            any schedule it is judged as such.
        :param all_instances: judge the project's instances without any
            schedule too.
        :param max_age: the age from which on a last good backup is too old,
            whatever the pattern says.
        :returns: a judgement of each schedule, and then of each instance
            without any.
        :raises NotFoundError: if there is no such schedule or instance.
        :raises NotUniqueError: if several have the name.
        :raises RefusedError: as for :meth:`schedule_show`.
        """
        mistral_ = self._mistral(mistral_client)
        named = [lookup.schedule(mistral_, _id(each)) for each in schedules]
        found = named or self._schedules(mistral_, instance)
        bare: list[models.Instance] = []
        if all_instances:
            every = (
                found
                if not (named or instance)
                else lookup.schedules(mistral_)
            )
            covered = {each.instance for each in every}
            bare = [
                each for each in self.instance_list() if each.id not in covered
            ]
        elif instance is not None and not found:
            bare.append(self._trove().find_instance(_id(instance)))
        return inspection.judge_all(
            mistral_,
            self._trove(),
            found,
            _now(),
            unscheduled=bare,
            max_age=max_age,
        )

    def schedule_difference(
        self,
        text: str,
        mistral_client: Any = None,
        *,
        prune: bool = False,
    ) -> list[declared.Change]:
        """Tell what it takes to have the schedules that a file declares.

        Nothing is changed. :meth:`schedule_apply` makes a change so.

        :param text: the file's, as :meth:`schedule_export` gives it.
        :param prune: the schedules that are not declared are to be deleted.
            Those made by other means stay.
        :raises InvalidValueError: if anything in the file is wrong, or it is
            about one instance and has an entry for another.
        :raises NotFoundError: if there is no such instance or parent.
        :raises NotUniqueError: if several instances or backups have a name.
        """
        mistral_ = self._mistral(mistral_client)
        content = declared.parse(text)
        existing = lookup.schedules(mistral_)
        names = self._instance_ids({each.instance for each in existing})
        used = {each.parent_id for each in existing}
        only = content.instance and names(content.instance)
        wanted = []
        for each in content.schedules:
            instance_id = names(each.instance)
            if only not in (None, instance_id):
                raise exceptions.InvalidValueError(
                    _(
                        'The entry %(instance)s/%(name)s is for another '
                        'instance than "%(only)s", which alone the file is '
                        'about. Take it out, or the key "instance" at the '
                        'top.'
                    )
                    % {
                        'instance': each.instance,
                        'name': each.name,
                        'only': content.instance,
                    }
                )
            # One that is used is left as it is, though it may be gone.
            if each.parent is not None and each.parent not in used:
                parent = self._find_parent(each.parent, instance_id)
                each = dataclasses.replace(each, parent=parent.id)
            wanted.append((instance_id, each))
        if only is not None:
            existing = [each for each in existing if each.instance == only]
        return declared.difference(wanted, existing, prune=prune)

    def schedule_apply(
        self, change: declared.Change, mistral_client: Any = None
    ) -> None:
        """Make a change so that :meth:`schedule_difference` has told of.

        :raises InvalidValueError: if it can't be.
        :raises NotFoundError: if the schedule is gone.
        :raises ConflictError: if somebody else creates the schedule too, or
            as for :meth:`schedule_set`.
        """
        if change.action == 'create' and change.declaration is not None:
            self._create_declared(change, change.declaration, mistral_client)
        elif change.action == 'change' and change.schedule is not None:
            changes = {key: new for key, (_old, new) in change.changes.items()}
            self.schedule_set(
                change.schedule,
                mistral_client,
                **cast('settings.Changes', changes),
            )
        elif change.action == 'delete' and change.schedule is not None:
            self.schedule_delete(change.schedule, mistral_client)

    def _create_declared(
        self,
        change: declared.Change,
        declaration: declared.Declaration,
        mistral_client: Any,
    ) -> None:
        """Create a schedule, unless somebody else does.

        Mistral takes two of the same instance and name. Whoever creates one
        looks when it is there. So at least one of two sees the other, and
        gives way.
        """
        wanted = vars(declaration.settings_for(change.instance))
        first_time = wanted['first_time']
        if first_time and first_time - _now() < cron.FIRST_TIME_LEAD:
            # It was for the cloud where the schedule was first.
            wanted['first_time'] = None
        mistral_ = self._mistral(mistral_client)
        made = self.schedule_create(
            change.instance, mistral_client=mistral_client, **wanted
        )
        what = {
            'name': made.name,
            'instance': declaration.instance,
            'id': made.id,
        }
        surplus = False
        try:
            surplus = len(lookup.namesakes(mistral_, made)) > change.twins
            if surplus:
                replacement.delete(mistral_, made)
        except exceptions.ScheduleError as exc:
            LOG.warning(
                _(
                    'Somebody else may have created the schedule "%(name)s" '
                    'of %(instance)s at the same time. If it is there twice, '
                    'delete %(id)s: %(reason)s'
                ),
                what | {'reason': exc},
            )
        if surplus:
            raise exceptions.ConflictError(
                _(
                    'Somebody else has created the schedule "%(name)s" of '
                    '%(instance)s at the same time. Apply the file again.'
                )
                % what
            )

    def schedule_export(
        self, mistral_client: Any = None, *, instance: Any = None
    ) -> tuple[str, list[exceptions.ScheduleError]]:
        """Write schedules as a file that :meth:`schedule_difference` takes.

        :param instance: an object with an ``id``, an ID, or a name; None for
            all instances.
        :returns: the file's text, and why some schedules are not in it.
        :raises NotFoundError: if there is no such instance.
        :raises NotUniqueError: if several instances have the name.
        """
        mistral_ = self._mistral(mistral_client)
        only = None if instance is None else _id(instance)
        if only and models.is_uuid(only):
            # Trove and the names of triggers have IDs in small letters.
            only = only.lower()
        found = self._schedules(mistral_, only)
        # A name means the same on another cloud, an ID doesn't.
        instances = self.instance_list()
        times = collections.Counter(each.name for each in instances)
        names = {
            each.id: each.name for each in instances if times[each.name] == 1
        }
        declarations = []
        left_out: list[exceptions.ScheduleError] = []
        for each in found:
            try:
                declarations.append(
                    declared.of_schedule(
                        each, names.get(each.instance, each.instance)
                    )
                )
            except exceptions.InvalidValueError as exc:
                left_out.append(exc)
        only = only and names.get(only, only)
        return declared.dump(declarations, only), left_out

    def schedule_delete(
        self, schedule: Any, mistral_client: Any = None
    ) -> models.Schedule:
        """Remove a given backup schedule. Its backups stay.

        A run that goes on loses its trust, and with it sight of its backup;
        that is logged as a warning.

        :param schedule: as for :meth:`schedule_show`.
        :returns: the schedule as it was.
        :raises NotFoundError: if there is none.
        :raises NotUniqueError: if several schedules have the name.
        :raises RefusedError: if it is the ID or the name of a cron trigger
            that is no backup schedule.
        :raises ConflictError: if somebody else keeps changing it; then it is
            still there.
        """
        mistral_ = self._mistral(mistral_client)
        found = lookup.schedule(mistral_, _id(schedule))
        replacement.delete(mistral_, found)
        return found

    # Executions.

    def execution_list(
        self,
        schedule: Any = None,
        mistral_client: Any = None,
        marker: str = '',
        limit: int | None = None,
        *,
        instance: Any = None,
        with_backups: bool = False,
    ) -> list[models.ScheduleExecution]:
        """Get the executions of scheduled backups, newest first.

        :param schedule: as for :meth:`schedule_show`, or the ID of one that
            is gone; None for those of the instance or, without one, of the
            project. The project's include those of schedules that are gone.
        :param marker: ID of the execution after which to begin.
        :param limit: the most executions to give.
        :param instance: an object with an ``id``, an ID, or a name: those of
            the instance's schedules.
        :param with_backups: ask Trove for the present state of their backups.
        :raises NotFoundError: if there is no such schedule, instance or
            marker.
        """
        found = self._executions(
            self._mistral(mistral_client), schedule, marker, limit, instance
        )
        if with_backups:
            return inspection.with_backups(self._trove(), found)
        return found

    def _executions(
        self,
        mistral_: mistral.Mistral,
        schedule: Any,
        marker: str,
        limit: int | None,
        instance: Any,
    ) -> list[models.ScheduleExecution]:
        runs: Iterable[models.ScheduleExecution]
        if schedule is not None:
            try:
                found = lookup.schedule(
                    mistral_, _id(schedule), thorough=False
                )
            except exceptions.NotUniqueError:
                raise
            except exceptions.NotFoundError:
                found_runs = self._runs_of_gone(
                    mistral_, _id(schedule), marker, limit
                )
                if not found_runs and not marker:
                    raise
                return found_runs
            if instance is not None:
                self._check_instance(mistral_, found, instance)
            runs = lookup.executions_of(
                mistral_, found, marker=marker, page=limit
            )
        elif instance is not None:
            runs = heapq.merge(
                *(
                    lookup.executions_of(
                        mistral_, each, marker=marker, page=limit
                    )
                    for each in self._of_instance(mistral_, instance)
                ),
                key=lookup.recency,
            )
        else:
            runs = lookup.executions(mistral_, marker=marker, page=limit)
        return list(itertools.islice(runs, limit))

    def execution_show(
        self,
        execution: Any,
        mistral_client: Any = None,
        *,
        with_backups: bool = False,
    ) -> models.ScheduleExecution:
        """Get details of an execution, with the reason of a failure in full.

        :param execution: a
            :class:`~trove_backup_schedule.models.ScheduleExecution` or an ID.
        :param with_backups: ask Trove for the present state of its backup.
        :raises NotFoundError: if there is none.
        :raises RefusedError: if it is an execution of another workflow.
        """
        found = lookup.execution(self._mistral(mistral_client), _id(execution))
        if with_backups:
            (found,) = inspection.with_backups(self._trove(), [found])
        return found

    def execution_follow(
        self,
        execution: Any,
        mistral_client: Any = None,
        *,
        interval: float = 2.0,
    ) -> Iterator[models.ScheduleExecution]:
        """Give an execution again and again, until its backup has ended.

        A fault of Mistral or Trove that passes within five minutes is waited
        out.

        :param execution: a
            :class:`~trove_backup_schedule.models.ScheduleExecution` or an ID.
        :param interval: seconds between two looks.
        :returns: it as it is at each look, with the state of its backup. The
            last may be ``PAUSED``, for that does not end by itself.
        :raises NotFoundError: if there is none.
        :raises RefusedError: if it is an execution of another workflow.
        :raises ServiceUnavailableError, ServiceError: if a fault lasts.
        """
        mistral_ = self._mistral(mistral_client)
        failing_since = None
        while True:
            try:
                (found,) = inspection.with_present_backups(
                    self._trove(), [lookup.execution(mistral_, _id(execution))]
                )
            except exceptions.ScheduleError as exc:
                now = time.monotonic()
                failing_since = failing_since or now
                if not http.may_pass(exc) or now - failing_since > _PATIENCE:
                    raise
                LOG.debug('Looking again for %s: %s', _id(execution), exc)
            else:
                failing_since = None
                yield found
                # The run gives up before its token does; the backup goes on.
                over = found.ended and not found.backup_goes_on
                if over or found.state == 'PAUSED':
                    return
            time.sleep(interval)

    def execution_delete(
        self, execution: Any, mistral_client: Any = None
    ) -> None:
        """Remove a given schedule execution. Its backup stays.

        :param execution: a
            :class:`~trove_backup_schedule.models.ScheduleExecution` or an ID.
        :raises NotFoundError: if there is none.
        :raises RefusedError: if it is an execution of another workflow.
        :raises ConflictError: if it has not ended.
        """
        mistral_ = self._mistral(mistral_client)
        found = lookup.execution(mistral_, _id(execution))
        if not found.ended:
            raise exceptions.ConflictError(
                _(
                    'The execution %(id)s is %(state)s. It can be deleted '
                    'when it has ended.'
                )
                % {'id': found.id, 'state': found.state}
            )
        with contextlib.suppress(exceptions.NotFoundError):
            mistral_.execution_delete(found.id)

    # What schedules are made for.

    def instance_list(self) -> list[models.Instance]:
        """Get the Trove instances of the project."""
        return list(self._trove().instances())

    def backup_list(self, instance: Any = None) -> list[models.Backup]:
        """Get the Trove backups of the project, or of an instance's ID."""
        return list(
            self._trove().backups(None if instance is None else _id(instance))
        )

    # The workbook.

    def workbook_show(self, mistral_client: Any = None) -> models.Workbook:
        """Get what Mistral has under the workbook's name.

        :raises NotFoundError: if nothing is loaded.
        """
        return installation.show(self._mistral(mistral_client))

    def workbook_install(
        self,
        mistral_client: Any = None,
        *,
        public: bool = False,
        force: bool = False,
    ) -> tuple[models.Workbook, bool]:
        """Load the packaged workbook, or put it in place of one that differs.

        :param public: let every project use it. One that is public stays so.
        :param force: overwrite even where it would be refused.
        :returns: the workbook as it is now, and whether anything was changed.
        :raises RefusedError: if the loaded workbook holds other workflows, or
            belongs to another project and differs, or if the new text would
            silence an existing schedule.
        """
        return installation.install(
            self._mistral(mistral_client), public=public, force=force
        )

    # How things are found.

    def _mistral(self, client: Any) -> mistral.Mistral:
        client = client or self._mistral_client
        if client is None:
            if self._session is None:
                raise TypeError('no Mistral client and no session was given')
            client = self._mistral_client = mistral.make_client(
                self._session, endpoint=self._workflow_endpoint, **self._where
            )
        return mistral.Mistral(client, self._project_id)

    def _trove(self) -> trove.Trove:
        if self._trove_client is None:
            if self._session is None:
                raise TypeError('no Trove client and no session was given')
            self._trove_client = trove.make_client(
                self._session, endpoint=self._database_endpoint, **self._where
            )
        return trove.Trove(self._trove_client)

    def _find_instance(
        self, instance: Any, mistral_: mistral.Mistral
    ) -> models.Instance:
        text = _id(instance)
        found = self._trove().find_instance(text)
        if (
            found.project_id
            and mistral_.project_id
            and found.project_id != mistral_.project_id
        ):
            # Only an admin is shown such a one. Its schedule would act in the
            # admin's project, where the instance is not.
            raise exceptions.NotFoundError(
                _(
                    'The instance "%(text)s" belongs to project %(project)s. '
                    'Log in to that project to schedule its backups.'
                )
                % {'text': text, 'project': found.project_id}
            )
        return found

    def _completed(
        self, wanted: settings.Settings, instance_id: str, *, spread: bool
    ) -> settings.Settings:
        """Give settings in which all is resolved that an instance resolves."""
        if spread and wanted.pattern is not None:
            pattern = cron.spread(wanted.pattern, instance_id)
            wanted = dataclasses.replace(wanted, pattern=pattern)
        if wanted.parent_id is not None:
            parent = self._find_parent(_id(wanted.parent_id), instance_id)
            wanted = dataclasses.replace(wanted, parent_id=parent.id)
        return wanted

    @staticmethod
    def _current(
        mistral_: mistral.Mistral, found: models.Schedule
    ) -> models.Schedule:
        """Give a schedule as it is, when no change of it is left half-way."""
        current = replacement.repair(mistral_, found)
        if current is None:
            raise exceptions.NotFoundError(
                _('The schedule %s has just been deleted.') % found.id
            )
        return current

    def _find_parent(self, parent: str, instance_id: str) -> models.Backup:
        found = self._trove().find_backup(parent)
        if found.instance_id != instance_id:
            raise exceptions.InvalidValueError(
                _(
                    'The backup %(backup)s is of the instance %(other)s, so '
                    "it can't be the parent of backups of %(instance)s."
                )
                % {
                    'backup': found.id,
                    'other': found.instance_id,
                    'instance': instance_id,
                }
            )
        if found.status != 'COMPLETED':
            raise exceptions.InvalidValueError(
                _(
                    'The backup %(backup)s is %(status)s. Only one that is '
                    'COMPLETED can be a parent.'
                )
                % {'backup': found.id, 'status': found.status}
            )
        return found

    def _schedules(
        self, mistral_: mistral.Mistral, instance: Any
    ) -> list[models.Schedule]:
        """Give the schedules of an instance or, without one, all."""
        if instance is None:
            return lookup.schedules(mistral_)
        return self._of_instance(mistral_, instance)

    def _instance_ids(self, known: Collection[str]) -> Callable[[str], str]:
        """Make the function that gives the ID of an instance.

        :param known: IDs that will do though the instance may be gone.
        """
        instances = self.instance_list()

        def instance_id(text: str) -> str:
            found = [
                each for each in instances if text in {each.id, each.name}
            ]
            if not found and text in known:
                return text
            return models.only(found, _('instance'), text).id

        return instance_id

    def _of_instance(
        self,
        mistral_: mistral.Mistral,
        instance: Any,
        *,
        all_projects: bool = False,
    ) -> list[models.Schedule]:
        """Give the schedules of an instance, which may be gone."""
        text = _id(instance)
        unknown = None
        try:
            instance_id = self._trove().find_instance(text).id
        except exceptions.NotUniqueError:
            raise
        except exceptions.NotFoundError as exc:
            # Schedules outlive the instance, and must be found to be deleted.
            if not models.is_uuid(text):
                raise
            instance_id, unknown = text, exc
        found = lookup.schedules_of(
            mistral_, instance_id, all_projects=all_projects
        )
        if unknown and not found:
            raise unknown
        return found

    @staticmethod
    def _runs_of_gone(
        mistral_: mistral.Mistral,
        schedule_id: str,
        marker: str,
        limit: int | None,
    ) -> list[models.ScheduleExecution]:
        if not models.is_uuid(schedule_id):
            return []
        runs = lookup.executions_of_gone(
            mistral_, schedule_id, marker=marker, page=limit
        )
        return list(itertools.islice(runs, limit))

    def _check_instance(
        self,
        mistral_: mistral.Mistral,
        schedule: models.Schedule,
        instance: Any,
    ) -> None:
        if schedule.instance == _id(instance):
            # Given by its ID, the instance may be gone.
            return
        found = self._find_instance(instance, mistral_)
        if schedule.instance != found.id:
            raise exceptions.InvalidValueError(
                _(
                    'The schedule %(schedule)s is not of the instance '
                    '%(instance)s.'
                )
                % {'schedule': schedule.id, 'instance': found.id}
            )


def _id(thing: Any) -> str:
    """Give the ID of an object, or the ID or name that stands for it."""
    return str(getattr(thing, 'id', thing))


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)
