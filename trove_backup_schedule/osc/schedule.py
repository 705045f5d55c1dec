# SPDX-License-Identifier: Apache-2.0

"""Database backup schedule action implementations."""

import argparse
from collections.abc import Iterable
import enum
from typing import Any, cast

from osc_lib import exceptions as osc_exceptions

from trove_backup_schedule import cron
from trove_backup_schedule import models
from trove_backup_schedule import settings
from trove_backup_schedule.i18n import _
from trove_backup_schedule.osc import columns
from trove_backup_schedule.osc import command

#: How many of the next runs are shown.
NEXT_RUNS = 5

_COLUMNS = ('id', 'name', 'pattern', 'next_execution_time', 'enabled')
_HEADERS = ('ID', 'Name', 'Pattern', 'Next Execution Time', 'Enabled')

_LONG_COLUMNS = (
    *_COLUMNS,
    'instance',
    'description',
    'parent_id',
    'incremental',
    'full_every',
    'keep',
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
    'Full Every',
    'Keep',
    'Remaining Executions',
    'Created At',
    'Updated At',
    'Project ID',
)

# The specification's properties and those that were set.
_DETAILS = (
    'created_at',
    'description',
    'enabled',
    'full_every',
    'id',
    'incremental',
    'input',
    'instance',
    'keep',
    'name',
    'next_execution_time',
    'next_runs',
    'parent_id',
    'pattern',
    'pattern_meaning',
    'project_id',
    'remaining_executions',
    'storage_driver',
    'swift_container',
    'updated_at',
)


def _value(schedule: models.Schedule, column: str) -> Any:
    if column == 'next_runs':
        return columns.Runs(schedule.next_times(NEXT_RUNS))
    if column == 'pattern_meaning':
        return schedule.pattern and cron.describe(schedule.pattern)
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


class _Nothing(enum.Enum):
    """What an option leaves behind that removes a setting."""

    NOTHING = enum.auto()


def _add_settings(parser: argparse.ArgumentParser, *, change: bool) -> None:
    """Add the options for what can be set when and after creating.

    :param change: add those that remove a setting too.
    """

    def add(option: str, removal: str, **details: Any) -> None:
        """Add an option and, for a change, the one that removes it."""
        if not change:
            parser.add_argument(option, **details)
            return
        pair = parser.add_mutually_exclusive_group()
        added = pair.add_argument(option, **details)
        if removal:
            _add_removal(pair, f'--no-{option[2:]}', added.dest, removal)

    add(
        '--pattern',
        '',
        metavar='<pattern>',
        required=not change,
        help=_(
            'When to back up: a cron pattern of five fields, minute, hour, '
            'day of month, month and day of week, in UTC; or @hourly, '
            '@daily, @weekly, @monthly, @yearly. Example: "0 3 * * *" is '
            'every day at 03:00 UTC'
        ),
    )
    add(
        '--spread',
        '',
        action='store_true',
        help=_(
            'Start @hourly, @daily or @weekly at a minute, hour and weekday '
            "that come from the instance's ID, so that not all instances "
            'start at once; the resulting pattern is shown'
        ),
    )
    add(
        '--description',
        _('Remove the description'),
        metavar='<description>',
        help=_('Description for the backups'),
    )
    base = parser.add_mutually_exclusive_group()
    base.add_argument(
        '--parent',
        dest='parent_id',
        metavar='<backup>',
        help=_(
            'Make every backup an incremental one on this completed backup '
            '(name or ID)'
        ),
    )
    base.add_argument(
        '--incremental',
        action='store_true',
        default=None,
        help=_(
            'Make every backup an incremental one on the newest completed '
            'backup of the instance'
        ),
    )
    if change:
        _add_removal(
            base, '--no-parent', 'parent_id', _('Build on no parent any more')
        )
        _add_removal(
            base,
            '--no-incremental',
            'incremental',
            _('Make full backups only; goes with --no-full-every'),
        )
    add(
        '--full-every',
        _('Make no full backups between the incremental ones'),
        metavar='<number>',
        type=int,
        help=_(
            'With --incremental: make a full backup after this many '
            "incremental ones, and build on the schedule's own backups only"
        ),
    )
    add(
        '--keep',
        _('Keep all backups'),
        metavar='<number>',
        type=int,
        help=_(
            'Keep this many good backups: after each run that has made one, '
            'the oldest of the schedule beyond them are deleted, if no backup '
            'that stays builds on them, and its failed ones (default: keep '
            'all)'
        ),
    )
    add(
        '--swift-container',
        _("Use the container of Trove's choice"),
        metavar='<swift-container>',
        help=_('Swift container for the backups'),
    )
    add(
        '--storage-driver',
        _("Use the storage driver of Trove's choice"),
        metavar='<storage-driver>',
        help=_('Storage driver for the backups'),
    )
    add(
        '--count',
        _('Let the schedule go on without end'),
        metavar='<count>',
        type=int,
        help=_(
            'Number of backups after which the schedule ends and is deleted '
            '(default: no end)'
        ),
    )
    add(
        '--first-time',
        '',
        metavar='<time>',
        help=_(
            'Time of the next backup, at least one minute ahead, in ISO 8601 '
            '(default: when the pattern says so). It is in UTC if it has no '
            'offset; seconds are rounded up'
        ),
    )
    fires = parser.add_mutually_exclusive_group()
    fires.add_argument(
        '--enable',
        dest='enabled',
        action='store_true',
        default=None,
        help=_('Let the schedule fire (default for a new one)'),
    )
    fires.add_argument(
        '--disable',
        dest='enabled',
        action='store_false',
        default=None,
        help=_('Keep the schedule, but let it not fire until it is enabled'),
    )


def _add_removal(
    group: argparse._ActionsContainer, option: str, key: str, text: str
) -> None:
    group.add_argument(
        option,
        dest=key,
        action='store_const',
        const=_Nothing.NOTHING,
        help=text,
    )


def _given(parsed_args: argparse.Namespace) -> settings.Changes:
    """Give the settings that the command line sets or removes."""
    values = {
        key: getattr(parsed_args, key, None)
        for key in settings.Changes.__annotations__
    }
    if values['first_time'] is not None:
        values['first_time'] = cron.parse_time(values['first_time'])
    if values['incremental'] is _Nothing.NOTHING:
        values['incremental'] = False
        if values['full_every'] is None:
            values['full_every'] = _Nothing.NOTHING
    given = {
        key: None if value is _Nothing.NOTHING else value
        for key, value in values.items()
        if value is not None
    }
    return cast('settings.Changes', given)


class CreateSchedule(command.ShowOne):
    _description = _('Create a backup schedule for a database instance')

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        parser.add_argument(
            'name',
            metavar='<name>',
            help=_(
                'Name for the schedule; each backup is named after it and '
                'after the time'
            ),
        )
        parser.add_argument(
            '--instance',
            metavar='<instance>',
            required=True,
            help=_('Instance to back up (name or ID)'),
        )
        _add_settings(parser, change=False)
        return parser

    def take_action(
        self, parsed_args: argparse.Namespace
    ) -> tuple[tuple[str, ...], tuple[Any, ...]]:
        return _details(
            self.schedules.schedule_create(
                parsed_args.instance,
                spread=parsed_args.spread,
                **_given(parsed_args),
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


class SetSchedule(command.ShowOne):
    _description = _('Change a backup schedule; its ID and history stay')

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        parser.add_argument(
            'schedule',
            metavar='<schedule>',
            help=_('Schedule to change (name or ID)'),
        )
        parser.add_argument(
            '--name',
            metavar='<name>',
            help=_('New name for the schedule and its backups to come'),
        )
        _add_settings(parser, change=True)
        return parser

    def take_action(
        self, parsed_args: argparse.Namespace
    ) -> tuple[tuple[str, ...], tuple[Any, ...]]:
        changes = _given(parsed_args)
        if not (changes or parsed_args.spread):
            raise osc_exceptions.CommandError(
                _('Nothing was changed: say what to set; see --help.')
            )
        return _details(
            self.schedules.schedule_set(
                parsed_args.schedule, spread=parsed_args.spread, **changes
            )
        )
