# SPDX-License-Identifier: Apache-2.0

"""What a failed request to OpenStack means, in words. No I/O of its own."""

from collections.abc import Iterator
import contextlib
import http

from keystoneauth1 import exceptions as ksa
import requests

from trove_backup_schedule import exceptions
from trove_backup_schedule.i18n import _

# Keystone's words for it: keystone/api/trusts.py.
_NO_TRUST = 'Delegated tokens cannot manage trusts'


@contextlib.contextmanager
def requests_to(service: str) -> Iterator[None]:
    """Give the failures of a request a class and a message of our own.

    :param service: the service that is asked, as a user knows it.
    :raises ServiceUnavailableError: if it could not be reached.
    :raises AuthorizationError: if Keystone refused to log the caller in.
    :raises ServiceError: if anything else stopped the request, or the answer
        made no sense.
    """
    try:
        yield
    except (ksa.ConnectionError, ksa.DiscoveryFailure) as exc:
        raise _unreachable(service, exc) from exc
    except requests.JSONDecodeError as exc:
        raise nonsense(service) from exc
    except requests.RequestException as exc:
        raise _unreachable(service, exc) from exc
    except ksa.EndpointNotFound as exc:
        raise not_in_catalogue(service) from exc
    except ksa.HttpError as exc:
        raise error_for(service, exc.http_status, reason_in(exc)) from exc
    except ksa.ClientException as exc:
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
    if status == http.HTTPStatus.FORBIDDEN and _NO_TRUST in said:
        return exceptions.AuthorizationError(
            _(
                'A schedule acts for you by a Keystone trust, and Keystone '
                'lets no application credential manage one. Use a password '
                'or a token made with one for this command; an application '
                'credential is enough for list and show.'
            )
        )
    if status == http.HTTPStatus.FORBIDDEN:
        return exceptions.AuthorizationError(
            _('%(service)s forbids this (HTTP 403): %(reason)s')
            % {'service': service, 'reason': said}
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


def _unreachable(
    service: str, exc: Exception
) -> exceptions.ServiceUnavailableError:
    return exceptions.ServiceUnavailableError(
        _("%(service)s can't be reached: %(reason)s")
        % {'service': service, 'reason': _sentence(str(exc))}
    )
