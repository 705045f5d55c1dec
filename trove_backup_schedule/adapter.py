# SPDX-License-Identifier: Apache-2.0

"""The Python API: backup schedules of Trove instances, kept by Mistral."""

from collections.abc import Iterable
import contextlib
import datetime
import heapq
import http
import itertools
from typing import Any

from keystoneauth1 import session as ksa_session

from trove_backup_schedule import cron
from trove_backup_schedule import exceptions
from trove_backup_schedule import installation
from trove_backup_schedule import lookup
from trove_backup_schedule import mistral
from trove_backup_schedule import models
from trove_backup_schedule import trove
from trove_backup_schedule.i18n import _


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
        swift_container: str | None = None,
        storage_driver: str | None = None,
        count: int | None = None,
        first_time: datetime.datetime | None = None,
    ) -> models.Schedule:
        """Create a new schedule to back up the given instance.

        :param instance: instance to back up: an object with an ``id``, an ID,
            or a name.
        :param pattern: cron pattern of five fields or an alias, in UTC.
        :param name: name for the backups, at most
            :data:`~trove_backup_schedule.models.MAX_NAME_LENGTH` characters.
        :param description: of each backup.
        :param parent_id: a completed backup of the instance, on which each
            run builds: an object with an ``id``, an ID, or a name.
        :param incremental: each run builds on the newest completed backup.
        :param swift_container: container for the backups.
        :param storage_driver: storage driver for the backups.
        :param count: number of runs after which the schedule ends.
        :param first_time: aware; the first run, at least one minute ahead.
            Mistral counts in minutes, so seconds are rounded up. The pattern
            tells the runs after it.
        :raises InvalidValueError: if a value is impossible.
        :raises NotFoundError: if the instance, the parent or the workflow
            does not exist.
        :raises NotUniqueError: if several instances or backups have the name.
        """
        normal = cron.validate(pattern)
        models.validate_name(name)
        if description is not None:
            models.validate_description(description)
        if swift_container is not None:
            models.validate_swift_container(swift_container)
        if count is not None:
            models.validate_count(count)
        if parent_id is not None and incremental:
            raise exceptions.InvalidValueError(
                _(
                    'A schedule builds on one parent or on the newest backup, '
                    'not on both.'
                )
            )
        if first_time is not None:
            first_time = cron.validate_first_time(
                first_time, datetime.datetime.now(datetime.UTC)
            )
        mistral_ = self._mistral(mistral_client)
        found = self._find_instance(instance, mistral_)
        if parent_id is not None:
            parent_id = self._find_parent(_id(parent_id), found).id
        trigger_name = models.TriggerName(
            name=name, instance=found.id, schedule_id=models.new_id()
        )
        row = _create_trigger(
            mistral_,
            {
                'name': str(trigger_name),
                'workflow_name': models.WORKFLOW,
                'workflow_params': models.workflow_params(
                    trigger_name.schedule_id
                ),
                'pattern': normal,
                'first_execution_time': (
                    f'{first_time:%Y-%m-%d %H:%M}' if first_time else None
                ),
                'remaining_executions': count,
                'workflow_input': models.workflow_input(
                    instance=found.id,
                    name=name,
                    schedule_id=trigger_name.schedule_id,
                    description=description,
                    parent_id=parent_id,
                    incremental=incremental,
                    swift_container=swift_container,
                    storage_driver=storage_driver,
                ),
            },
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
        :returns: the schedules, oldest trigger first.
        :raises NotFoundError: if there is no such instance or marker.
        """
        mistral_ = self._mistral(mistral_client)
        after = (
            lookup.schedule(mistral_, marker, all_projects=all_projects)
            if marker
            else None
        )
        found: Iterable[models.Schedule]
        if instance is None:
            found = lookup.schedules(
                mistral_, after=after, page=limit, all_projects=all_projects
            )
        else:
            found = self._of_instance(mistral_, instance, after, all_projects)
        return list(itertools.islice(found, limit))

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
        return lookup.schedule(self._mistral(mistral_client), _id(schedule))

    def schedule_delete(
        self, schedule: Any, mistral_client: Any = None
    ) -> models.Schedule:
        """Remove a given backup schedule. Its backups stay.

        :param schedule: as for :meth:`schedule_show`.
        :returns: the schedule as it was.
        :raises NotFoundError: if there is none.
        :raises NotUniqueError: if several schedules have the name.
        :raises RefusedError: if it is the ID or the name of a cron trigger
            that is no backup schedule.
        """
        mistral_ = self._mistral(mistral_client)
        found = lookup.schedule(mistral_, _id(schedule))
        with contextlib.suppress(exceptions.NotFoundError):
            # Somebody else may have been quicker: gone is gone.
            mistral_.trigger_delete(found.trigger_id)
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
    ) -> list[models.ScheduleExecution]:
        """Get the executions of scheduled backups, newest first.

        :param schedule: as for :meth:`schedule_show`, or the ID of one that
            is gone; None for those of the instance or, without one, of the
            project. The project's include those of schedules that are gone.
        :param marker: ID of the execution after which to begin.
        :param limit: the most executions to give.
        :param instance: an object with an ``id``, an ID, or a name: those of
            the instance's schedules.
        :raises NotFoundError: if there is no such schedule, instance or
            marker.
        """
        mistral_ = self._mistral(mistral_client)
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
        self, execution: Any, mistral_client: Any = None
    ) -> models.ScheduleExecution:
        """Get details of an execution, with the reason of a failure in full.

        :param execution: a
            :class:`~trove_backup_schedule.models.ScheduleExecution` or an ID.
        :raises NotFoundError: if there is none.
        :raises RefusedError: if it is an execution of another workflow.
        """
        return lookup.execution(self._mistral(mistral_client), _id(execution))

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

    def _find_parent(
        self, parent: str, instance: models.Instance
    ) -> models.Backup:
        found = self._trove().find_backup(parent)
        if found.instance_id != instance.id:
            raise exceptions.InvalidValueError(
                _(
                    'The backup %(backup)s is of the instance %(other)s, so '
                    "it can't be the parent of backups of %(instance)s."
                )
                % {
                    'backup': found.id,
                    'other': found.instance_id,
                    'instance': instance.id,
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

    def _of_instance(
        self,
        mistral_: mistral.Mistral,
        instance: Any,
        after: models.Schedule | None = None,
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
            mistral_, instance_id, after=after, all_projects=all_projects
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


def _create_trigger(
    mistral_: mistral.Mistral, values: dict[str, Any]
) -> mistral.Row:
    try:
        return mistral_.trigger_create(values)
    except exceptions.NotFoundError as exc:
        raise exceptions.NotFoundError(
            _(
                'Mistral has no workflow "%s". Load it with: openstack '
                'database backup workbook install'
            )
            % models.WORKFLOW
        ) from exc
    except exceptions.ServiceError as exc:
        if (
            exc.status == http.HTTPStatus.BAD_REQUEST
            and 'Invalid input' in str(exc)
        ):
            raise exceptions.ConflictError(
                _(
                    'The workflow "%(workflow)s" in Mistral is older than '
                    'this client, or another one. Update it with: openstack '
                    'database backup workbook install. (%(reason)s)'
                )
                % {'workflow': models.WORKFLOW, 'reason': exc}
            ) from exc
        raise
