# SPDX-License-Identifier: Apache-2.0

"""Database backup workbook action implementations."""

import argparse
from typing import Any

from osc_lib.cli import format_columns

from trove_backup_schedule import models
from trove_backup_schedule.i18n import _
from trove_backup_schedule.osc import columns
from trove_backup_schedule.osc import command

_DETAILS = (
    'created_at',
    'current',
    'name',
    'project_id',
    'scope',
    'updated_at',
    'workflows',
)


def _details(
    workbook: models.Workbook,
) -> tuple[tuple[str, ...], tuple[Any, ...]]:
    return _DETAILS, (
        columns.time(workbook.created_at),
        workbook.current,
        workbook.name,
        workbook.project_id,
        workbook.scope,
        columns.time(workbook.updated_at),
        format_columns.ListColumn(workbook.workflows),
    )


class InstallWorkbook(command.ShowOne):
    _description = _(
        'Load the workbook that backup schedules run, or update it'
    )

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        parser.add_argument(
            '--public',
            action='store_true',
            help=_('Let all projects use it (admin only)'),
        )
        parser.add_argument(
            '--force',
            action='store_true',
            help=_(
                'Overwrite the workbook even if other workflows are in it, or '
                'if existing schedules would stop running; never that of '
                'another project'
            ),
        )
        return parser

    def take_action(
        self, parsed_args: argparse.Namespace
    ) -> tuple[tuple[str, ...], tuple[Any, ...]]:
        workbook, changed = self.schedules.workbook_install(
            public=parsed_args.public, force=parsed_args.force
        )
        message = (
            _('The workbook "%s" has been loaded.')
            if changed
            else _('The workbook "%s" is loaded already; nothing was changed.')
        )
        self.app.stderr.write(message % workbook.name + '\n')
        return _details(workbook)


class ShowWorkbook(command.ShowOne):
    _description = _('Show the workbook that backup schedules run')

    def take_action(
        self, parsed_args: argparse.Namespace
    ) -> tuple[tuple[str, ...], tuple[Any, ...]]:
        return _details(self.schedules.workbook_show())
