# SPDX-License-Identifier: Apache-2.0

"""Database backup schedule action implementations."""

import argparse
from collections.abc import Iterable
from typing import Any

from trove_backup_schedule import cron
from trove_backup_schedule import models
from trove_backup_schedule.i18n import _
from trove_backup_schedule.osc import columns
from trove_backup_schedule.osc import command

_COLUMNS = ('id', 'name', 'pattern', 'next_execution_time')
_HEADERS = ('ID', 'Name', 'Pattern', 'Next Execution Time')

_LONG_COLUMNS = (
    *_COLUMNS,
    'instance',
    'description',
    'parent_id',
    'incremental',
    'remaining_executions',
    'created_at',
    'updated_at',
    'project_id',
)
_LONG_HEADERS = (
    *_HEADERS,
    'Instance',
    'Description',
    'Parent ID',
    'Incremental',
    'Remaining Executions',
    'Created At',
    'Updated At',
    'Project ID',
)

# The specification's properties and those that were set.
_DETAILS = (
    'created_at',
    'description',
    'id',
    'incremental',
    'input',
    'instance',
    'name',
    'next_execution_time',
    'parent_id',
    'pattern',
    'project_id',
    'remaining_executions',
    'storage_driver',
    'swift_container',
    'updated_at',
)


def _value(schedule: models.Schedule, column: str) -> Any:
    value = getattr(schedule, column)
    if column in {'created_at', 'updated_at', 'next_execution_time'}:
        return columns.time(value)
    if column == 'input':
        return columns.JsonObject(value)
    return value


def _details(
    schedule: models.Schedule,
) -> tuple[tuple[str, ...], tuple[Any, ...]]:
    return _DETAILS, tuple(_value(schedule, column) for column in _DETAILS)


class CreateSchedule(command.ShowOne):
    _description = _('Create a backup schedule for a database instance')

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        parser.add_argument(
            'name',
            metavar='<name>',
            help=_('Name for the schedule and its backups'),
        )
        parser.add_argument(
            '--instance',
            metavar='<instance>',
            required=True,
            help=_('Instance to back up (name or ID)'),
        )
        parser.add_argument(
            '--pattern',
            metavar='<pattern>',
            required=True,
            help=_(
                'When to back up: a cron pattern of five fields, minute, '
                'hour, day of month, month and day of week, in UTC; or '
                '@hourly, @daily, @weekly, @monthly, @yearly. Example: '
                '"0 3 * * *" is every day at 03:00 UTC'
            ),
        )
        parser.add_argument(
            '--description',
            metavar='<description>',
            help=_('Description for the backups'),
        )
        base = parser.add_mutually_exclusive_group()
        base.add_argument(
            '--parent',
            metavar='<backup>',
            help=_(
                'Make every backup an incremental one on this completed '
                'backup (name or ID)'
            ),
        )
        base.add_argument(
            '--incremental',
            action='store_true',
            help=_(
                'Make every backup an incremental one on the newest completed '
                'backup of the instance'
            ),
        )
        parser.add_argument(
            '--swift-container',
            metavar='<swift-container>',
            help=_('Swift container for the backups'),
        )
        parser.add_argument(
            '--storage-driver',
            metavar='<storage-driver>',
            help=_('Storage driver for the backups'),
        )
        parser.add_argument(
            '--count',
            metavar='<count>',
            type=int,
            help=_(
                'Number of backups after which the schedule ends and is '
                'deleted (default: no end)'
            ),
        )
        parser.add_argument(
            '--first-time',
            metavar='<time>',
            help=_(
                'Time of the first backup, at least one minute ahead, in ISO '
                '8601 (default: when the pattern says so). It is in UTC if it '
                'has no offset; seconds are rounded up'
            ),
        )
        return parser

    def take_action(
        self, parsed_args: argparse.Namespace
    ) -> tuple[tuple[str, ...], tuple[Any, ...]]:
        return _details(
            self.schedules.schedule_create(
                parsed_args.instance,
                parsed_args.pattern,
                parsed_args.name,
                description=parsed_args.description,
                parent_id=parsed_args.parent,
                incremental=parsed_args.incremental,
                swift_container=parsed_args.swift_container,
                storage_driver=parsed_args.storage_driver,
                count=parsed_args.count,
                first_time=(
                    None
                    if parsed_args.first_time is None
                    else cron.parse_time(parsed_args.first_time)
                ),
            )
        )


class DeleteSchedule(command.Command):
    _description = _('Delete backup schedule(s); their backups stay')

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        parser.add_argument(
            'schedules',
            metavar='<schedule>',
            nargs='+',
            help=_('Schedule(s) to delete (name or ID)'),
        )
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> None:
        command.delete_each(
            parsed_args.schedules,
            self.schedules.schedule_delete,
            _('schedules'),
        )


class ListSchedule(command.Lister):
    _description = _('List backup schedules')

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        parser.add_argument(
            '--instance',
            metavar='<instance>',
            help=_(
                'List the schedules of this instance only (name or ID; the '
                'ID of an instance that is gone will do)'
            ),
        )
        parser.add_argument(
            '--long',
            action='store_true',
            help=_('List additional fields'),
        )
        command.add_paging(parser, _('schedule'))
        parser.add_argument(
            '--all-projects',
            action='store_true',
            help=_('List the schedules of all projects (admin only)'),
        )
        return parser

    def take_action(
        self, parsed_args: argparse.Namespace
    ) -> tuple[tuple[str, ...], Iterable[tuple[Any, ...]]]:
        found = self.schedules.schedule_list(
            parsed_args.instance,
            marker=parsed_args.marker,
            limit=parsed_args.limit,
            all_projects=parsed_args.all_projects,
        )
        names = _LONG_COLUMNS if parsed_args.long else _COLUMNS
        return _LONG_HEADERS if parsed_args.long else _HEADERS, (
            tuple(_value(schedule, column) for column in names)
            for schedule in found
        )


class ShowSchedule(command.ShowOne):
    _description = _('Show a backup schedule')

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        parser.add_argument(
            'schedule',
            metavar='<schedule>',
            help=_('Schedule to show (name or ID)'),
        )
        return parser

    def take_action(
        self, parsed_args: argparse.Namespace
    ) -> tuple[tuple[str, ...], tuple[Any, ...]]:
        return _details(self.schedules.schedule_show(parsed_args.schedule))
