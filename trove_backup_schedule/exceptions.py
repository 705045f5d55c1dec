# SPDX-License-Identifier: Apache-2.0

"""What can go wrong, by what the caller can do about it.

Each message is complete: what went wrong, on what, and what to do next. A
command shows it as it is.
"""


class ScheduleError(Exception):
    """Base class of every error that this package raises on purpose."""


class InvalidValueError(ScheduleError, ValueError):
    """A value given by the caller can never be right. Nothing was done."""


class NotFoundError(ScheduleError, LookupError):
    """No such schedule, execution, instance, backup, workflow or workbook."""


class NotUniqueError(NotFoundError):
    """A name fits several objects; the message lists their IDs."""


class ConflictError(ScheduleError):
    """What is there already stands against the request."""


class OutdatedError(ScheduleError):
    """The workflow in Mistral is not the one that this package needs."""


class RefusedError(ScheduleError):
    """The object isn't this tool's to show or to change."""


class AuthorizationError(ScheduleError):
    """The cloud refused the credentials, or what they ask for (401, 403)."""


class ServiceUnavailableError(ScheduleError):
    """A service is not in the catalogue, or can't be reached."""


class ServiceError(ScheduleError):
    """A service answered with an error that has no better class here.

    :ivar status: the HTTP status, or None where the answer made no sense.
    """

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status
