# SPDX-License-Identifier: Apache-2.0

"""Database backup execution action implementations."""

import argparse
from collections.abc import Iterable
from typing import Any

from trove_backup_schedule import models
from trove_backup_schedule.i18n import _
from trove_backup_schedule.osc import columns
from trove_backup_schedule.osc import command

_COLUMNS = (
    'id',
    'created_at',
    'state',
    'duration',
    'backup_id',
    'backup_name',
    'backup_status',
    'output',
)
_HEADERS = (
    'ID',
    'Execution Time',
    'State',
    'Duration',
    'Backup ID',
    'Backup Name',
    'Backup Status',
    'Output',
)

_LONG_COLUMNS = (
    *_COLUMNS,
    'name',
    'instance',
    'schedule_id',
    'manual',
    'updated_at',
    'state_info',
)
_LONG_HEADERS = (
    *_HEADERS,
    'Name',
    'Instance',
    'Schedule ID',
    'Manual',
    'Updated At',
    'State Info',
)

_DETAILS = (
    'backup_id',
    'backup_name',
    'backup_status',
    'created_at',
    'duration',
    'id',
    'input',
    'instance',
    'manual',
    'name',
    'output',
    'project_id',
    'schedule_id',
    'state',
    'state_info',
    'trigger_id',
    'updated_at',
    'workflow_name',
)


# What of the output has columns of its own.
_APART = frozenset({'backup_id', 'backup_name', 'backup_status'})


class _Output(columns.ShortJsonObject):
    """What a run gave; people see what is set and has no other column."""

    def human_readable(self) -> str:
        """Give the rest as JSON, cut off where it gets long."""
        rest = {
            key: value
            for key, value in self._value.items()
            if key not in _APART and value is not None
        }
        return columns.ShortJsonObject(rest).human_readable()


def _value(execution: models.ScheduleExecution, column: str) -> Any:
    value = getattr(execution, column)
    if column in {'created_at', 'updated_at'}:
        return columns.time(value)
    if column == 'duration':
        return columns.duration(value)
    if column in {'input', 'output'}:
        return columns.JsonObject(value)
    return value


def details(
    execution: models.ScheduleExecution,
) -> tuple[tuple[str, ...], tuple[Any, ...]]:
    """Give what is shown of one execution."""
    return _DETAILS, tuple(_value(execution, column) for column in _DETAILS)


def _list_value(execution: models.ScheduleExecution, column: str) -> Any:
    if column == 'output':
        return _Output(execution.output)
    if column == 'state_info' and execution.state_info is not None:
        return columns.ShortText(execution.state_info)
    return _value(execution, column)


class DeleteExecution(command.Command):
    _description = _('Delete execution(s) of schedules; their backups stay')

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        parser.add_argument(
            'executions',
            metavar='<execution>',
            nargs='+',
            help=_('Execution(s) to delete (ID)'),
        )
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> None:
        command.delete_each(
            parsed_args.executions,
            self.schedules.execution_delete,
            _('executions'),
        )


class ListExecution(command.Lister):
    _description = _('List executions of backup schedules, newest first')

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        parser.add_argument(
            'schedule',
            metavar='<schedule>',
            nargs='?',
            help=_(
                'List the executions of this schedule only (name or ID; '
                'default: those of all, with those that are gone)'
            ),
        )
        parser.add_argument(
            '--instance',
            metavar='<instance>',
            help=_(
                "List the executions of this instance's schedules only "
                '(name or ID)'
            ),
        )
        parser.add_argument(
            '--long',
            action='store_true',
            help=_('List additional fields'),
        )
        command.add_paging(parser, _('execution'))
        return parser

    def take_action(
        self, parsed_args: argparse.Namespace
    ) -> tuple[tuple[str, ...], Iterable[tuple[Any, ...]]]:
        found = self.schedules.execution_list(
            parsed_args.schedule,
            marker=parsed_args.marker,
            limit=parsed_args.limit,
            instance=parsed_args.instance,
            with_backups=True,
        )
        names = _LONG_COLUMNS if parsed_args.long else _COLUMNS
        return _LONG_HEADERS if parsed_args.long else _HEADERS, (
            tuple(_list_value(execution, column) for column in names)
            for execution in found
        )


class ShowExecution(command.ShowOne):
    _description = _('Show an execution of a backup schedule')

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        parser.add_argument(
            'execution',
            metavar='<execution>',
            help=_('Execution to show (ID)'),
        )
        return parser

    def take_action(
        self, parsed_args: argparse.Namespace
    ) -> tuple[tuple[str, ...], tuple[Any, ...]]:
        return details(
            self.schedules.execution_show(
                parsed_args.execution, with_backups=True
            )
        )
