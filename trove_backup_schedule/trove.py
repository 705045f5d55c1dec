# SPDX-License-Identifier: Apache-2.0

"""All that is asked of Trove (database API v1.0)."""

from collections.abc import Callable, Iterator
import contextlib
import time
from typing import Any, TypeVar

from keystoneauth1 import exceptions as ksa
from keystoneauth1 import session as ksa_session
import requests

from trove_backup_schedule import exceptions
from trove_backup_schedule import http
from trove_backup_schedule import models
from trove_backup_schedule.i18n import _

SERVICE = 'Trove'
SERVICE_TYPE = 'database'

#: Rows asked for at once. Trove may be set to give fewer.
PAGE = 1000

# How often a list is read again that changes while it is read.
_READINGS = 5

# Seconds between two tries, and how many there are, while a project asks too
# often. Trove counts by the minute.
_PAUSE = 1.0
_PAUSES = 60

_T = TypeVar('_T', models.Instance, models.Backup)


def make_client(
    session: ksa_session.Session,
    *,
    endpoint: str | None = None,
    region_name: str | None = None,
    interface: str | None = None,
) -> Any:
    """Make a python-troveclient client on a session.

    :param endpoint: Trove's URL; without it the catalogue is asked.
    :raises ServiceUnavailableError: if Trove is not in the catalogue.
    """
    # Imported at first use: it takes up to 0.4 s.
    from troveclient.v1 import client

    endpoint = endpoint or http.endpoint_of(
        SERVICE,
        session,
        service_type=SERVICE_TYPE,
        region_name=region_name,
        interface=interface,
    )
    with http.requests_to(SERVICE):
        return client.Client(session=session, endpoint_override=endpoint)


class Trove:
    """Trove as one project sees it.

    :param client: a python-troveclient client.
    """

    def __init__(self, client: Any) -> None:
        self._client = client

    def instance(self, instance_id: str) -> models.Instance:
        """Give the instance of this ID.

        :raises NotFoundError: if the project has none.
        """
        return _instance(_ask(self._client.instances.get, instance_id))

    def instances(self) -> Iterator[models.Instance]:
        """Give all instances of the project."""
        return map(_instance, _pages(self._client.instances.list))

    def find_instance(self, name_or_id: str) -> models.Instance:
        """Give the instance of this ID or, if none has it, of this name.

        :raises NotFoundError: if there is none.
        :raises NotUniqueError: if several have the name.
        """
        return _find(_('instance'), name_or_id, self.instance, self.instances)

    def backup(self, backup_id: str) -> models.Backup:
        """Give the backup of this ID.

        :raises NotFoundError: if the project has none.
        """
        return _backup(_ask(self._client.backups.get, backup_id))

    def backups(
        self, instance_id: str | None = None
    ) -> Iterator[models.Backup]:
        """Give the backups of the project, or of one of its instances."""

        def page(**options: Any) -> Any:
            return self._client.backups.list(
                instance_id=instance_id, limit=PAGE, **options
            )

        return map(_backup, _pages(page))

    def settled_backups(self) -> list[models.Backup]:
        """Give all backups of the project as they are at one moment.

        Trove's pages are cut by offset, from a list that has in front what
        changed last, so one that changes meanwhile may be missed.

        :raises ConflictError: if the list keeps changing.
        """
        earlier = None
        for _reading in range(_READINGS):
            backups = {each.id: each for each in self.backups()}
            if backups == earlier:
                return list(backups.values())
            earlier = backups
        raise exceptions.ConflictError(
            _('The backups of the project keep changing. Try again later.')
        )

    def backup_delete(self, backup_id: str) -> None:
        """Delete a backup, and with it those that build on it.

        Trove goes on with it after this.
        """
        with contextlib.suppress(exceptions.NotFoundError):
            _ask(self._client.backups.delete, backup_id)

    def find_backup(self, name_or_id: str) -> models.Backup:
        """Give the backup of this ID or, if none has it, of this name.

        :raises NotFoundError: if there is none.
        :raises NotUniqueError: if several have the name.
        """
        return _find(_('backup'), name_or_id, self.backup, self.backups)


def _find(
    what: str,
    name_or_id: str,
    get: Callable[[str], _T],
    every: Callable[[], Iterator[_T]],
) -> _T:
    """Find the object of an ID or, if none has it, of a name."""
    if models.is_uuid(name_or_id):
        with contextlib.suppress(exceptions.NotFoundError):
            return get(name_or_id)
    found = [each for each in every() if each.name == name_or_id]
    return models.only(found, what, name_or_id)


def _pages(page: Callable[..., Any]) -> Iterator[Any]:
    marker = None
    while True:
        rows = _ask(page, marker=marker)
        yield from rows
        marker = rows.next
        if not marker:
            return


def _ask(request: Callable[..., Any], *args: Any, **options: Any) -> Any:
    """Make a request, and again while Trove says that there are too many."""
    pauses = _PAUSES
    while True:
        try:
            with _requests():
                return request(*args, **options)
        except exceptions.ServiceError as exc:
            if exc.status not in http.TOO_MANY or not pauses:
                raise
        pauses -= 1
        time.sleep(_PAUSE)


@contextlib.contextmanager
def _requests() -> Iterator[None]:
    """Give the failures of python-troveclient a class of our own."""
    from troveclient import exceptions as trove_exceptions

    with http.requests_to(SERVICE):
        try:
            yield
        except trove_exceptions.HttpError as exc:
            raise http.error_for(
                SERVICE, exc.http_status, exc.message
            ) from exc
        except trove_exceptions.EndpointNotFound as exc:
            raise http.not_in_catalogue(SERVICE) from exc
        except trove_exceptions.ClientException as exc:
            raise exceptions.ServiceError(
                _("%(service)s can't be asked: %(reason)s")
                % {'service': SERVICE, 'reason': exc}
            ) from exc
        except (ksa.ClientException, requests.RequestException):
            raise
        except Exception as exc:
            # python-troveclient takes the form of an answer for granted, and
            # raises a plain Exception where there is none.
            raise http.nonsense(SERVICE) from exc


def _instance(resource: Any) -> models.Instance:
    # Asked for an attribute that a list does not give, python-troveclient
    # would fetch each instance anew.
    return models.Instance.from_trove(resource.to_dict())


def _backup(resource: Any) -> models.Backup:
    return models.Backup.from_trove(resource.to_dict())
