# SPDX-License-Identifier: Apache-2.0

"""All that is asked of Mistral (workflow API v2).

Rows are given as Mistral sends them: dicts, times as text. What they mean is
the business of :mod:`trove_backup_schedule.models`.

Requests are made with the HTTP client of a python-mistralclient client, not
with its managers: those hide the ``next`` link, without which a list that
Mistral has cut short (``[api] max_limit``, 1,000 rows) looks complete.
"""

from collections.abc import Iterator, Mapping
import json
import logging
import time
from typing import Any
import urllib.parse

from keystoneauth1 import session as ksa_session
import requests

from trove_backup_schedule import exceptions
from trove_backup_schedule import http
from trove_backup_schedule.i18n import _

LOG = logging.getLogger(__name__)

SERVICE = 'Mistral'
SERVICE_TYPE = 'workflowv2'

# Seconds to wait before looking again for what a lost answer was about: a
# cron trigger takes Mistral and Keystone about one to create.
_SETTLING = (3.0,)

#: Rows asked for at once. Mistral may be set to give fewer.
PAGE = 1000

Row = dict[str, Any]

_TRIGGER_FIELDS = (
    'id',
    'name',
    'workflow_name',
    'workflow_input',
    'pattern',
    'next_execution_time',
    'remaining_executions',
    'created_at',
    'updated_at',
    'project_id',
)

# Not state_info: that of a failed run is in its output too, and long.
_EXECUTION_FIELDS = (
    'id',
    'workflow_name',
    'description',
    'input',
    'output',
    'state',
    'created_at',
    'updated_at',
    'project_id',
)


def make_client(
    session: ksa_session.Session,
    *,
    endpoint: str | None = None,
    region_name: str | None = None,
    interface: str | None = None,
) -> Any:
    """Make a python-mistralclient client on a session.

    :param endpoint: Mistral's URL; without it the catalogue is asked. The
        client itself would try localhost if it were given none.
    :raises ServiceUnavailableError: if Mistral is not in the catalogue.
    """
    # Imported at first use, so that a shell that needs no Mistral starts
    # without it.
    from mistralclient.api.v2 import client

    endpoint = endpoint or http.endpoint_of(
        SERVICE,
        session,
        service_type=SERVICE_TYPE,
        region_name=region_name,
        interface=interface,
    )
    endpoint = endpoint.rstrip('/')
    if not endpoint.endswith('/v2'):
        endpoint += '/v2'
    return client.Client(mistral_url=endpoint, session=session)


class Mistral:
    """Mistral as one project sees it.

    :param client: a python-mistralclient client.
    :param project_id: ID of the project; by default that of the client's
        session. Where neither is known, as with a bare token, an admin sees
        the rows of all projects.
    """

    def __init__(self, client: Any, project_id: str | None = None) -> None:
        self._http = client.cron_triggers.http_client
        self._project_id = project_id

    @property
    def project_id(self) -> str | None:
        """ID of the caller's project, or None if it can't be known."""
        if self._project_id is None:
            session = self._http.session
            if isinstance(session, ksa_session.Session):
                with http.requests_to(SERVICE):
                    self._project_id = session.get_project_id()
        return self._project_id

    def sees_other_projects(self) -> bool:
        """Tell whether Mistral takes the caller for an admin."""
        auth = getattr(self._http.session, 'auth', None)
        get_access = getattr(auth, 'get_access', None)
        if get_access is None:
            return False
        with http.requests_to(SERVICE):
            access = get_access(self._http.session)
        # Mistral goes by the role's name too: mistral/context.py.
        return 'admin' in access.role_names

    # Cron triggers.

    def triggers(
        self,
        *,
        all_projects: bool = False,
        page: int | None = None,
        marker: str | None = None,
        **filters: str,
    ) -> Iterator[Row]:
        """Give the cron triggers that fit the filters.

        They come oldest first, or as the filter ``sort_keys`` says.

        :param page: rows to ask for at once, for one who wants few.
        :param marker: ID of the trigger after which to begin. It need not
            fit the filters.
        :param filters: as Mistral's API has them, ``name='has:x'`` and so on.
        """
        query = dict(filters)
        if all_projects:
            query['all_projects'] = 'true'
        elif self.project_id:
            # Without it an admin gets those of all projects, and everybody
            # the public ones of others.
            query['project_id'] = self.project_id
        return self._rows(
            'cron_triggers',
            query | {'fields': ','.join(_TRIGGER_FIELDS)},
            page,
            marker,
        )

    def trigger(self, identifier: str, *, all_projects: bool = False) -> Row:
        """Give the cron trigger of this ID or name.

        :param all_projects: take one of another project too.
        :raises NotFoundError: if there is none.
        """
        row = self._object('GET', f'/cron_triggers/{_quote(identifier)}')
        return row if all_projects else self._own(row)

    def trigger_create(self, values: Mapping[str, Any]) -> Row:
        """Create a cron trigger, and with it a Keystone trust.

        :param values: as Mistral's API has them. The name must be one that
            nobody else would choose: by it the trigger is found again if
            Mistral acts but its answer is lost.
        :raises NotFoundError: if the workflow doesn't exist.
        :raises ConflictError: if the name is taken.
        """
        try:
            return self._object('POST', '/cron_triggers', json.dumps(values))
        except exceptions.ServiceError as exc:
            if not _may_have_acted(exc):
                raise
            found = self._created(values['name'], exc.status)
            if found is None:
                raise
            return found

    def _created(self, name: str, status: int | None) -> Row | None:
        """Look for a trigger that may have been created unheard."""
        # Mistral itself answers with 500, when it has given up; what stands
        # before it gives up earlier than Mistral does.
        finished = status == http.INTERNAL_ERROR
        for pause in (0.0,) if finished else (0.0, *_SETTLING):
            time.sleep(pause)
            try:
                for row in self.triggers(name=name):
                    return row
            except exceptions.ScheduleError as exc:
                LOG.debug('Looking for the cron trigger failed: %s', exc)
                finished = False
        if not finished:
            LOG.warning(
                _(
                    'It is not known whether Mistral has created the cron '
                    'trigger "%s", or still will. Look for it before you try '
                    'again.'
                ),
                name,
            )
        return None

    def trigger_delete(self, trigger_id: str) -> None:
        """Delete a cron trigger, and with it its trust."""
        self._delete(f'/cron_triggers/{_quote(trigger_id)}')

    # Workflow executions.

    def executions(
        self,
        *,
        page: int | None = None,
        marker: str | None = None,
        **filters: str,
    ) -> Iterator[Row]:
        """Give the project's executions that fit the filters, newest first.

        The parameters are those of :meth:`triggers`.
        """
        query = filters | {
            'fields': ','.join(_EXECUTION_FIELDS),
            'sort_keys': 'created_at',
            'sort_dirs': 'desc',
        }
        if self.sees_other_projects() and self.project_id:
            # Mistral answers this filter with 403 for anybody else, and
            # shows them their own project only.
            query['project_id'] = self.project_id
        return self._rows('executions', query, page, marker)

    def execution(self, execution_id: str) -> Row:
        """Give the own project's execution of this ID, in full.

        :raises NotFoundError: if there is none.
        """
        return self._own(
            self._object('GET', f'/executions/{_quote(execution_id)}')
        )

    def execution_create(self, values: Mapping[str, Any]) -> Row:
        """Start a workflow.

        :param values: as Mistral's API has them. With an ``id`` of the
            caller's choice, a second request for the same one starts nothing,
            so it is made again if the answer to the first is lost.
        :raises NotFoundError: if the workflow doesn't exist.
        """
        body = json.dumps(values)
        try:
            return self._object('POST', '/executions', body)
        except exceptions.ServiceError as exc:
            if not _may_have_acted(exc):
                raise
            LOG.debug('Asking again to start %s: %s', values['id'], exc)
            return self._object('POST', '/executions', body)

    def execution_delete(self, execution_id: str) -> None:
        """Delete an execution that has ended.

        :raises AuthorizationError: if it has not.
        """
        self._delete(f'/executions/{_quote(execution_id)}')

    # Workbooks.

    def workbooks(self, name: str) -> list[Row]:
        """Give the workbooks of this name that the caller is shown.

        Those are the own project's and the public ones of others; for an
        admin, all.
        """
        return list(self._rows('workbooks', {'name': name}))

    def workbook_create(self, definition: str, scope: str) -> Row:
        """Load a workbook.

        :raises ConflictError: if there is one of that name.
        """
        return self._workbook('POST', definition, scope)

    def workbook_update(self, definition: str, scope: str) -> Row:
        """Put a new text in place of a workbook's. Its workflows stay."""
        return self._workbook('PUT', definition, scope)

    def _workbook(self, method: str, definition: str, scope: str) -> Row:
        return self._object(
            method,
            f'/workbooks?scope={_quote(scope)}',
            definition,
            content_type='text/plain',
        )

    def workflows(self, name: str) -> list[Row]:
        """Give the workflows of this name that the caller is shown."""
        return list(
            self._rows(
                'workflows',
                {
                    'name': name,
                    'fields': 'id,name,scope,project_id,definition',
                },
            )
        )

    def owns(self, row: Row) -> bool:
        """Tell whether a row is of the caller's project."""
        return self.project_id in (None, row.get('project_id'))

    # HTTP.

    def _delete(self, path: str) -> None:
        """Delete an object, and look whether it is gone if nobody says so."""
        try:
            self._request('DELETE', path)
        except exceptions.ServiceError as exc:
            if not _may_have_acted(exc):
                raise
            try:
                self._request('GET', path)
            except exceptions.NotFoundError:
                return
            except exceptions.ScheduleError as failure:
                LOG.debug('Looking for %s failed: %s', path, failure)
            raise

    def _own(self, row: Row) -> Row:
        """Give a row of the own project: an admin is shown all."""
        if not self.owns(row):
            raise exceptions.NotFoundError(
                _('%s belongs to another project.') % row.get('id')
            )
        return row

    def _rows(
        self,
        collection: str,
        query: Mapping[str, str],
        page: int | None = None,
        marker: str | None = None,
    ) -> Iterator[Row]:
        """Give the rows of a list, asking for a page when it is needed."""
        while True:
            asked = dict(query, limit=str(min(page or PAGE, PAGE)))
            if marker:
                asked['marker'] = marker
            answer = self._object(
                'GET', f'/{collection}?{urllib.parse.urlencode(asked)}'
            )
            rows = answer.get(collection)
            if not isinstance(rows, list):
                raise http.nonsense(SERVICE)
            yield from rows
            if not rows or not answer.get('next'):
                return
            # The link itself may lead to an address that only the service
            # knows, so it is not followed but built again.
            marker = str(rows[-1]['id'])

    def _object(
        self,
        method: str,
        path: str,
        body: str | None = None,
        *,
        content_type: str = 'application/json',
    ) -> Row:
        response = self._request(method, path, body, content_type=content_type)
        try:
            answer = response.json()
        except ValueError as exc:
            raise http.nonsense(SERVICE) from exc
        if not isinstance(answer, dict):
            raise http.nonsense(SERVICE)
        return answer

    def _request(
        self,
        method: str,
        path: str,
        body: str | None = None,
        *,
        content_type: str = 'application/json',
    ) -> requests.Response:
        send = getattr(self._http, method.lower())
        with http.requests_to(SERVICE, self._http.base_url):
            response: requests.Response
            if body is None:
                response = send(path)
            else:
                response = send(
                    path, body.encode(), {'content-type': content_type}
                )
        # A client on a plain requests session doesn't raise by itself.
        if not response.ok:
            raise http.error_for(
                SERVICE, response.status_code, http.reason_of(response)
            )
        return response


def _may_have_acted(failure: exceptions.ServiceError) -> bool:
    """Tell whether a request may have been carried out though it failed."""
    return failure.status is None or failure.status >= http.INTERNAL_ERROR


def _quote(text: str) -> str:
    return urllib.parse.quote(text, safe='')
