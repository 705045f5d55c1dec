# SPDX-License-Identifier: Apache-2.0

"""Database backup schedules that are declared in a file."""

import argparse
import collections
from collections.abc import Iterable, Mapping
import logging
import pathlib
import sys
from typing import Any

from cliff import columns as cliff_columns
from osc_lib import exceptions as osc_exceptions

from trove_backup_schedule import declared
from trove_backup_schedule import exceptions
from trove_backup_schedule.i18n import _
from trove_backup_schedule.osc import command

LOG = logging.getLogger(__name__)

_HEADERS = ('Action', 'Instance', 'Name', 'Schedule ID', 'Changes', 'Result')


class _Changes(cliff_columns.FormattableColumn[Any]):
    """Old and new values by setting."""

    _value: Mapping[str, tuple[Any, Any]]

    def human_readable(self) -> str:
        """Give a line for each: ``keep: None -> 7``."""
        return '\n'.join(
            f'{key}: {old} -> {new}' for key, (old, new) in self._value.items()
        )

    def machine_readable(self) -> dict[str, dict[str, Any]]:
        """Give ``{"keep": {"old": null, "new": 7}}``."""
        return {
            key: {'old': old, 'new': new}
            for key, (old, new) in self._value.items()
        }


class ApplySchedule(command.Lister):
    _description = _('Create and change schedules as a file declares them')

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        parser.add_argument(
            'file',
            metavar='<file>',
            help=_('YAML file, as export writes it; - for standard input'),
        )
        parser.add_argument(
            '--dry-run',
            action='store_true',
            help=_('Show the difference, and change nothing'),
        )
        parser.add_argument(
            '--prune',
            action='store_true',
            help=_(
                'Delete the schedules that are not in the file; those that '
                'were made by other means stay'
            ),
        )
        return parser

    def take_action(
        self, parsed_args: argparse.Namespace
    ) -> tuple[tuple[str, ...], Iterable[tuple[Any, ...]]]:
        changes = self.schedules.schedule_difference(
            _read(parsed_args.file), prune=parsed_args.prune
        )
        self._counts = collections.Counter[str]()
        rows = []
        for change in changes:
            outcome: str = change.action
            if change.action in {'unchanged', 'left'}:
                self._counts[outcome] += 1
                continue
            result = _('not done') if parsed_args.dry_run else _('done')
            if not parsed_args.dry_run:
                try:
                    self.schedules.schedule_apply(change)
                except exceptions.ScheduleError as exc:
                    LOG.error('%s', exc)
                    outcome, result = 'failed', _('failed')
            self._counts[outcome] += 1
            rows.append((*_change(change), result))
        return _HEADERS, rows

    def run(self, parsed_args: argparse.Namespace) -> int:
        """Run the command, and give an exit code of 1 if any change failed."""
        status: int = super().run(parsed_args)
        summary = _summary(self._counts, dry_run=parsed_args.dry_run)
        self.app.stderr.write(f'{summary}\n')
        return status or int(self._counts['failed'] > 0)


class ExportSchedule(command.Command):
    _description = _('Write schedules to a file that apply takes')

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        parser.add_argument(
            '--instance',
            metavar='<instance>',
            help=_('Write the schedules of this instance only (name or ID)'),
        )
        parser.add_argument(
            '--file',
            metavar='<file>',
            help=_('File to write (default: standard output)'),
        )
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> None:
        text, left_out = self.schedules.schedule_export(
            instance=parsed_args.instance
        )
        for exc in left_out:
            LOG.warning('%s', exc)
        if parsed_args.file is None:
            self.app.stdout.write(text)
            return
        try:
            pathlib.Path(parsed_args.file).write_text(text, 'utf-8')
        except OSError as exc:
            raise osc_exceptions.CommandError(
                _("%(file)s can't be written: %(reason)s")
                % {'file': parsed_args.file, 'reason': exc.strerror}
            ) from exc


def _read(file: str) -> str:
    """Give the text of a file, or of standard input."""
    try:
        if file == '-':
            # In the form that files have, whatever the terminal's is.
            return sys.stdin.buffer.read().decode('utf-8')
        return pathlib.Path(file).read_text('utf-8')
    except OSError as exc:
        raise osc_exceptions.CommandError(
            _("%(file)s can't be read: %(reason)s")
            % {'file': file, 'reason': exc.strerror}
        ) from exc
    except UnicodeDecodeError as exc:
        raise osc_exceptions.CommandError(
            _("%s can't be read: it is not a text in UTF-8.") % file
        ) from exc


def _summary(counts: collections.Counter[str], *, dry_run: bool) -> str:
    """Say what was done, or is to be done, about how many schedules."""
    if counts.keys() <= {'unchanged', 'left'}:
        words = _('Nothing to change')
    elif dry_run:
        words = _(
            '%(create)d to create, %(change)d to change, %(delete)d to delete'
        )
    else:
        words = _(
            '%(create)d created, %(change)d changed, %(delete)d deleted, '
            '%(failed)d failed'
        )
    words += _('; %(unchanged)d as declared, %(left)d left alone.')
    if 'failed' in counts:
        words += _(' Apply the file again when the reasons are gone.')
    return words % counts


def _change(change: declared.Change) -> tuple[Any, ...]:
    schedule, declaration = change.schedule, change.declaration
    return (
        change.action,
        declaration.instance if declaration else change.instance,
        declaration.name if declaration else schedule and schedule.name,
        schedule and schedule.id,
        _Changes(change.changes),
    )
