# SPDX-License-Identifier: Apache-2.0

"""How the packaged workbook gets into Mistral, harming nothing there."""

from collections.abc import Iterator
import contextlib
import http

from trove_backup_schedule import exceptions
from trove_backup_schedule import mistral
from trove_backup_schedule import models
from trove_backup_schedule import workbook
from trove_backup_schedule.i18n import _


def show(mistral_: mistral.Mistral) -> models.Workbook:
    """Tell what Mistral has under the workbook's name.

    :raises NotFoundError: if nothing is loaded.
    """
    row = _loaded_workbook(mistral_)
    if row is None:
        raise exceptions.NotFoundError(
            _(
                'The workbook "%s" is not loaded in Mistral. Load it '
                'with: openstack database backup workbook install'
            )
            % workbook.NAME
        )
    return _workbook(mistral_, row)


def install(
    mistral_: mistral.Mistral, *, public: bool, force: bool
) -> tuple[models.Workbook, bool]:
    """Load the packaged workbook, or put it in place of one that differs.

    :returns: the workbook as it is now, and whether anything was changed.
    :raises RefusedError: if that would change what is not the project's own,
        or, without force, if it would lose or silence anything.
    """
    row = _loaded_workbook(mistral_)
    if row is None:
        _check_neighbours(mistral_)
        if not force and mistral_.workflows(models.WORKFLOW):
            # Somebody has loaded it without a workbook, or left it behind.
            _check_overwrite(mistral_, '')
        try:
            row = mistral_.workbook_create(
                workbook.definition(), 'public' if public else 'private'
            )
            return _workbook(mistral_, row), True
        except exceptions.ConflictError:
            # Somebody else has loaded one in the meantime.
            row = _loaded_workbook(mistral_)
            if row is None:
                raise
    loaded = _workbook(mistral_, row)
    scope = 'public' if public else loaded.scope
    if loaded.current and loaded.scope == scope:
        return loaded, False
    if not mistral_.owns(row):
        raise exceptions.RefusedError(
            _(
                'The workbook "%(name)s" belongs to project %(project)s, '
                'which has made it public. Ask its owners to update it.'
            )
            % {'name': loaded.name, 'project': loaded.project_id}
        )
    _check_neighbours(mistral_)
    if not force:
        _check_overwrite(mistral_, row['definition'])
    row = mistral_.workbook_update(workbook.definition(), scope)
    return _workbook(mistral_, row), True


@contextlib.contextmanager
def workflow_needed() -> Iterator[None]:
    """Say how to load the workflow, if Mistral has none or an older one.

    :raises NotFoundError: if it has none.
    :raises OutdatedError: if it has one that takes less.
    """
    try:
        yield
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
            raise exceptions.OutdatedError(
                _(
                    'The workflow "%(workflow)s" in Mistral is older than '
                    'this client, or another one. Update it with: openstack '
                    'database backup workbook install. (%(reason)s)'
                )
                % {'workflow': models.WORKFLOW, 'reason': exc}
            ) from exc
        raise


def _loaded_workbook(mistral_: mistral.Mistral) -> mistral.Row | None:
    """Give the project's own workbook, or else a public one.

    By its name alone Mistral would give any of those that the caller may see,
    an admin even the private one of another project.
    """
    rows = mistral_.workbooks(workbook.NAME)
    own = [row for row in rows if mistral_.owns(row)]
    public = [row for row in rows if row.get('scope') == 'public']
    return next(iter(own + public), None)


def _check_neighbours(mistral_: mistral.Mistral) -> None:
    """Refuse to save a workbook where Mistral may hit another project's.

    It looks for the workbook and the workflow to change by their names, for
    an admin among those of all projects (mistral/db/v2/sqlalchemy/api.py).

    :raises RefusedError: if the caller is an admin and there are others.
    """
    if not mistral_.sees_other_projects():
        return
    others = {
        str(row.get('project_id'))
        for row in (
            *mistral_.workbooks(workbook.NAME),
            *mistral_.workflows(models.WORKFLOW),
        )
        if not mistral_.owns(row)
    }
    if others:
        raise exceptions.RefusedError(
            _(
                'Other projects have a workbook "%(name)s" (%(projects)s), '
                'and Mistral lets an admin overwrite theirs in place of the '
                'own. Load it as a user without the admin role; a public one '
                'has to be loaded before theirs.'
            )
            % {'name': workbook.NAME, 'projects': ', '.join(sorted(others))}
        )


def _workbook(mistral_: mistral.Mistral, row: mistral.Row) -> models.Workbook:
    text = row.get('definition') or ''
    # The workflow may have been deleted or changed without the workbook.
    workflows = [
        each
        for each in mistral_.workflows(models.WORKFLOW)
        if each.get('scope') == 'public' or mistral_.owns(each)
    ]
    return models.Workbook(
        name=str(row['name']),
        scope=str(row['scope']),
        project_id=row.get('project_id'),
        workflows=workbook.workflows(text),
        current=text.strip() == workbook.definition().strip()
        and bool(workflows)
        and all(
            workbook.is_packaged(each.get('definition') or '')
            for each in workflows
        ),
        created_at=models.parse_time(row.get('created_at')),
        updated_at=models.parse_time(row.get('updated_at')),
    )


def _check_overwrite(mistral_: mistral.Mistral, text: str) -> None:
    """Refuse to lose what is in a loaded workbook's text.

    :raises RefusedError: if there are other workflows in it, or a schedule
        whose input the packaged workflow would not take.
    """
    others = workbook.foreign_parts(text)
    if others:
        raise exceptions.RefusedError(
            _(
                'The workbook "%(name)s" in Mistral also defines %(others)s. '
                'Move them to another workbook, or overwrite it with --force.'
            )
            % {'name': workbook.NAME, 'others': ', '.join(others)}
        )
    takes = workbook.inputs(workbook.definition())
    # Every trigger on the workflow counts, not only those that are schedules.
    silenced = []
    for trigger in mistral_.triggers(
        workflow_name=models.WORKFLOW,
        all_projects=mistral_.sees_other_projects(),
    ):
        values = models.json_object(trigger.get('workflow_input'))
        if values is None or not takes.accept(values):
            silenced.append(str(trigger.get('name')))
    if silenced:
        raise exceptions.RefusedError(
            _(
                'The packaged workflow would not take the input of %(count)d '
                'existing cron triggers, and Mistral would silently stop '
                'running them: %(names)s. Replace them first, or overwrite '
                'the workflow with --force.'
            )
            % {'count': len(silenced), 'names': ', '.join(silenced[:10])}
        )
