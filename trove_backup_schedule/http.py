# SPDX-License-Identifier: Apache-2.0

"""Where a service is, and what a failed request to it means, in words."""

from collections.abc import Iterator
import contextlib
import http
import re
import ssl

from keystoneauth1 import exceptions as ksa
from keystoneauth1 import session as ksa_session
import requests
from urllib3 import exceptions as urllib3_exceptions

from trove_backup_schedule import exceptions
from trove_backup_schedule.i18n import _

#: The status from which on a service may have acted though it failed.
INTERNAL_ERROR = int(http.HTTPStatus.INTERNAL_SERVER_ERROR)

#: What says that requests come too fast. Trove means its quota by the first of
#: them too, where it is asked to create something.
TOO_MANY = (
    http.HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    http.HTTPStatus.TOO_MANY_REQUESTS,
)

_ADDRESS = re.compile(r'https?://[^\s/?]+')

# What is raised before there is a connection: the first is the base of all
# that urllib3 has for that.
_NEVER_SENT = (
    urllib3_exceptions.ConnectTimeoutError,
    ssl.SSLCertVerificationError,
)

# Keystone's words for it: keystone/api/trusts.py.
_NO_TRUST = 'Delegated tokens cannot manage trusts'


@contextlib.contextmanager
def requests_to(service: str, address: str | None = None) -> Iterator[None]:
    """Give the failures of a request a class and a message of our own.

    :param service: the service that is asked, as a user knows it.
    :param address: how the URLs of its answers begin. An error that comes
        from elsewhere is Keystone's: a session may log in at any request.
    :raises ServiceUnavailableError: if it could not be reached, so that it
        has surely done nothing.
    :raises AuthorizationError: if Keystone refused to log the caller in.
    :raises ServiceError: with the status None, if the answer was lost or
        made no sense, so that it may have done what was asked; with a status,
        if that was the answer.
    """
    try:
        yield
    except requests.JSONDecodeError as exc:
        raise nonsense(service) from exc
    except (ksa.ConnectionError, requests.RequestException) as exc:
        raise _disconnected(service, exc) from exc
    except ksa.EndpointNotFound as exc:
        raise not_in_catalogue(service) from exc
    except ksa.ClientException as exc:
        if isinstance(exc, ksa.HttpError):
            if address is not None and str(exc.url).startswith(address):
                raise error_for(
                    service, exc.http_status, reason_in(exc)
                ) from exc
            if exc.http_status != http.HTTPStatus.NOT_FOUND:
                raise error_for(
                    'Keystone', exc.http_status, reason_in(exc)
                ) from exc
        raise exceptions.AuthorizationError(
            _('Logging in to the cloud failed: %s') % exc
        ) from exc


def error_for(
    service: str, status: int, reason: str | None = None
) -> exceptions.ScheduleError:
    """Choose the exception for an HTTP status.

    :param status: the HTTP status, 400 or more.
    :param reason: what the service says of it, or None.
    """
    said = _sentence(reason) or _phrase(status)
    if status == http.HTTPStatus.UNAUTHORIZED:
        return exceptions.AuthorizationError(
            _(
                '%s refused the credentials (HTTP 401). Check the user, the '
                'project and their domains, or get a new token.'
            )
            % service
        )
    if _NO_TRUST in said:
        # Keystone says it with 403; Mistral passes it on with 500.
        return exceptions.AuthorizationError(
            _(
                'A schedule acts for you by a Keystone trust, and Keystone '
                'lets no application credential manage one. Use a password '
                'or a token made with one for this command; only commands '
                'that create or change schedules need that.'
            )
        )
    if status == http.HTTPStatus.FORBIDDEN:
        return exceptions.AuthorizationError(
            _('%(service)s forbids this (HTTP 403): %(reason)s')
            % {'service': service, 'reason': said}
        )
    if status == http.HTTPStatus.NOT_FOUND and not _sentence(reason):
        # It was not the service that said so.
        return exceptions.ServiceError(
            _(
                '%s is not at its address (HTTP 404). Check its endpoint in '
                'the catalogue.'
            )
            % service,
            status,
        )
    if status == http.HTTPStatus.NOT_FOUND:
        return exceptions.NotFoundError(
            _('%(service)s found nothing (HTTP 404): %(reason)s')
            % {'service': service, 'reason': said}
        )
    if status == http.HTTPStatus.CONFLICT:
        return exceptions.ConflictError(
            _('%(service)s refused this (HTTP 409): %(reason)s')
            % {'service': service, 'reason': said}
        )
    if status < http.HTTPStatus.INTERNAL_SERVER_ERROR:
        return exceptions.ServiceError(
            _('%(service)s refused this (HTTP %(status)d): %(reason)s')
            % {'service': service, 'status': status, 'reason': said},
            status,
        )
    return exceptions.ServiceError(
        _(
            '%(service)s failed (HTTP %(status)d): %(reason)s Try again, or '
            "ask the cloud's operators."
        )
        % {'service': service, 'status': status, 'reason': said},
        status,
    )


def may_pass(failure: exceptions.ScheduleError) -> bool:
    """Tell whether what failed may be well a moment later."""
    if isinstance(failure, exceptions.ServiceUnavailableError):
        return True
    return isinstance(failure, exceptions.ServiceError) and (
        failure.status is None or failure.status >= INTERNAL_ERROR
    )


def endpoint_of(
    service: str,
    session: ksa_session.Session,
    *,
    service_type: str,
    region_name: str | None,
    interface: str | None,
) -> str:
    """Look a service up in the catalogue, without asking the service itself.

    :param interface: ``public`` by default.
    :raises ServiceUnavailableError: if it is not there.
    """
    with requests_to(service):
        found = session.get_endpoint(
            service_type=service_type,
            region_name=region_name,
            interface=interface or 'public',
            skip_discovery=True,
        )
    if not found:
        raise not_in_catalogue(service)
    return found


def not_in_catalogue(service: str) -> exceptions.ServiceUnavailableError:
    """Give the exception for a service that the cloud doesn't have."""
    return exceptions.ServiceUnavailableError(
        _(
            '%s is not in the service catalogue of this cloud and region. '
            "Check the region and the interface, or ask the cloud's "
            'operators.'
        )
        % service
    )


def nonsense(service: str) -> exceptions.ServiceError:
    """Give the exception for an answer that can't be understood."""
    return exceptions.ServiceError(
        _(
            "The answer of %s can't be understood. Check that its endpoint "
            'in the catalogue leads to it.'
        )
        % service
    )


def reason_in(exc: ksa.HttpError) -> str | None:
    """Find the words of the service in a failed response."""
    return None if exc.response is None else reason_of(exc.response)


def reason_of(response: requests.Response) -> str | None:
    """Find the words of the service in a response, whatever its form.

    OpenStack's services put them in ``faultstring``, or in ``message`` of the
    one object in the body. HTML, as proxies and Trove send it, has none worth
    showing.
    """
    try:
        body = response.json()
    except ValueError:
        return None
    if not isinstance(body, dict):
        return None
    for part in (body, *body.values()):
        if isinstance(part, dict):
            words = part.get('faultstring') or part.get('message')
            if isinstance(words, str):
                return words
    return None


def _phrase(status: int) -> str:
    try:
        return f'{http.HTTPStatus(status).phrase}.'
    except ValueError:
        return _('no reason given.')


def _sentence(reason: str | None) -> str | None:
    words = ' '.join((reason or '').split())
    if not words or words.startswith('<'):
        return None
    return words if words.endswith(('.', '!', '?')) else f'{words}.'


def _disconnected(service: str, exc: Exception) -> exceptions.ScheduleError:
    causes = [exc, *_causes(exc)]
    address = _ADDRESS.search(str(exc))
    words = {
        'service': service,
        'address': address[0] if address else _('its address'),
        'reason': getattr(causes[-1], 'strerror', None)
        or type(causes[-1]).__name__,
    }
    if any(isinstance(each, _NEVER_SENT) for each in causes):
        return exceptions.ServiceUnavailableError(
            _(
                "%(service)s can't be reached at %(address)s: %(reason)s. "
                "Check the network, or ask the cloud's operators."
            )
            % words
        )
    return exceptions.ServiceError(
        _(
            'The connection to %(service)s at %(address)s broke before it '
            'answered: %(reason)s. Check what it has done, and try again.'
        )
        % words
    )


def _causes(exc: BaseException) -> Iterator[BaseException]:
    """Follow the chain of exceptions to the one that began it."""
    while (earlier := exc.__cause__ or exc.__context__) is not None:
        yield earlier
        exc = earlier
