# SPDX-License-Identifier: Apache-2.0

"""What the commands share: their way to the adapter, and a loop to delete."""

import argparse
from collections.abc import Callable, Iterable
import logging
from typing import TYPE_CHECKING

from osc_lib import exceptions as osc_exceptions
from osc_lib.cli import parseractions
from osc_lib.command import command

from trove_backup_schedule import exceptions
from trove_backup_schedule.i18n import _

if TYPE_CHECKING:
    from trove_backup_schedule import adapter

LOG = logging.getLogger(__name__)


class Command(command.Command):
    """A command on backup schedules."""

    @property
    def schedules(self) -> 'adapter.BackupSchedules':
        """The adapter for the cloud that the shell is logged in to."""
        made: adapter.BackupSchedules = (
            self.app.client_manager.database_backup_schedule  # type: ignore[attr-defined]
        )
        return made


class Lister(Command, command.Lister):
    """A command that shows a list."""


class ShowOne(Command, command.ShowOne):
    """A command that shows one object."""


def delete_each(
    names: Iterable[str], delete: Callable[[str], object], what: str
) -> None:
    """Delete several objects, going on past failures.

    :param delete: deletes the object of a name or ID.
    :param what: the objects in the plural, for the message.
    :raises osc_lib.exceptions.CommandError: at the end, if any failed.
    """
    total = failed = 0
    for name in names:
        total += 1
        try:
            delete(name)
        except exceptions.ScheduleError as exc:
            failed += 1
            LOG.error('%s', exc)
    if failed:
        raise osc_exceptions.CommandError(
            _('%(failed)d of %(total)d %(what)s failed to delete.')
            % {'failed': failed, 'total': total, 'what': what}
        )


def add_paging(parser: argparse.ArgumentParser, what: str) -> None:
    """Add ``--limit`` and ``--marker``.

    :param what: the kind of object that is listed.
    """
    parser.add_argument(
        '--limit',
        metavar='<limit>',
        type=int,
        action=parseractions.NonNegativeAction,
        help=_('Maximum number of entries to list (default: all)'),
    )
    parser.add_argument(
        '--marker',
        metavar=f'<{what}>',
        default='',
        help=_('List what comes after this %s (ID)') % what,
    )
