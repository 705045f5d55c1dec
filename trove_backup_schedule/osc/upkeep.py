# SPDX-License-Identifier: Apache-2.0

"""Running, pruning and checking database backup schedules."""

import argparse
from collections.abc import Iterable
import logging
from typing import Any

from osc_lib import exceptions as osc_exceptions

from trove_backup_schedule import health
from trove_backup_schedule import models
from trove_backup_schedule.i18n import _
from trove_backup_schedule.osc import columns
from trove_backup_schedule.osc import command
from trove_backup_schedule.osc import execution

LOG = logging.getLogger(__name__)

# The exit code by which monitoring systems know that nothing is known.
_UNKNOWN = 3

_PRUNE_HEADERS = (
    'Backup ID',
    'Backup Name',
    'Created At',
    'Status',
    'Decision',
    'Reason',
)

_CHECK_HEADERS = (
    'Schedule ID',
    'Name',
    'Instance',
    'Verdict',
    'Last Good Backup',
    'Age',
    'Last Run',
    'State',
    'Missed Runs',
    'Next Run',
    'Reason',
)

# What people do not look for. They have the names.
_CHECK_LONG = frozenset({'Schedule ID', 'Instance'})


class RunSchedule(command.ShowOne):
    _description = _('Make a backup by a schedule now')

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        parser.add_argument(
            'schedule',
            metavar='<schedule>',
            help=_('Schedule to run (name or ID)'),
        )
        parser.add_argument(
            '--wait',
            action='store_true',
            help=_(
                'Show how it goes on, and wait until the backup is complete '
                '(exit code 0) or it is known that it is not (exit code 1)'
            ),
        )
        return parser

    def take_action(
        self, parsed_args: argparse.Namespace
    ) -> tuple[tuple[str, ...], tuple[Any, ...]]:
        run = self.schedules.schedule_run(parsed_args.schedule)
        if parsed_args.wait:
            run = self._wait(run)
        return execution.details(run)

    def _wait(self, run: models.ScheduleExecution) -> models.ScheduleExecution:
        """Show how a run goes on until its backup has ended.

        :raises osc_lib.exceptions.CommandError: if there is no good backup.
        """
        said = ''
        for now in self.schedules.execution_follow(run):
            run = now
            words = _('The run %(id)s is %(state)s') % {
                'id': run.id,
                'state': run.state,
            }
            if run.backup_id:
                words += _('; the backup %(name)s is %(status)s') % {
                    'name': run.backup_name,
                    'status': run.backup_status,
                }
            if words != said:
                self.app.stderr.write(f'{words}.\n')
                said = words
        if run.state == 'PAUSED':
            LOG.warning(
                _(
                    'Somebody has paused the run. Let it go on with: '
                    'openstack workflow execution update --state RUNNING %s'
                ),
                run.id,
            )
        if run.backup_status != models.GOOD:
            raise osc_exceptions.CommandError(
                _('The run %(id)s has made no good backup: %(reason)s')
                % {
                    'id': run.id,
                    'reason': run.state_info
                    or _('it is %(run)s, and the backup is %(backup)s.')
                    % {
                        'run': run.state,
                        'backup': run.backup_status or _('unknown'),
                    },
                }
            )
        return run


class PruneSchedule(command.Lister):
    _description = _('Delete the backups that a schedule has too many of')

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        parser.add_argument(
            'schedule',
            metavar='<schedule>',
            help=_('Schedule whose backups to delete (name or ID)'),
        )
        parser.add_argument(
            '--keep',
            metavar='<number>',
            type=int,
            help=_(
                "Number of good backups to keep (default: the schedule's own)"
            ),
        )
        parser.add_argument(
            '--dry-run',
            action='store_true',
            help=_('Show what would be deleted and why, and delete nothing'),
        )
        return parser

    def take_action(
        self, parsed_args: argparse.Namespace
    ) -> tuple[tuple[str, ...], Iterable[tuple[Any, ...]]]:
        decisions = self.schedules.schedule_prune(
            parsed_args.schedule,
            keep=parsed_args.keep,
            dry_run=parsed_args.dry_run,
        )
        words = {
            True: _('delete') if parsed_args.dry_run else _('deleted'),
            False: _('keep') if parsed_args.dry_run else _('kept'),
        }
        return _PRUNE_HEADERS, (
            (
                each.backup.id,
                each.backup.name,
                columns.time(each.backup.created_at),
                each.backup.status,
                words[each.remove],
                each.reason,
            )
            for each in decisions
        )


class CheckSchedule(command.Lister):
    _description = _(
        'Tell whether the data that schedules back up is safe; the exit code '
        'is 0 if all is OK, 1 for a WARNING, 2 for anything CRITICAL, and 3 '
        'if it could not be told'
    )

    # The login is part of the check: run() sees to it.
    auth_required = False
    _status = 0

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        parser.add_argument(
            'schedules',
            metavar='<schedule>',
            nargs='*',
            help=_('Schedule(s) to check (name or ID; default: all)'),
        )
        parser.add_argument(
            '--instance',
            metavar='<instance>',
            help=_('Check the schedules of this instance only (name or ID)'),
        )
        parser.add_argument(
            '--all',
            action='store_true',
            help=_('Check the instances that have no schedule too'),
        )
        parser.add_argument(
            '--max-age',
            metavar='<duration>',
            help=_(
                'Age from which on a last good backup is too old, such as '
                '90m, 36h, 2d or 1w (default: what the pattern says)'
            ),
        )
        parser.add_argument(
            '--long',
            action='store_true',
            help=_(
                'List additional fields in the table (other formats have all)'
            ),
        )
        return parser

    def take_action(
        self, parsed_args: argparse.Namespace
    ) -> tuple[tuple[str, ...], Iterable[tuple[Any, ...]]]:
        if parsed_args.schedules and parsed_args.instance:
            raise osc_exceptions.CommandError(
                _('Name schedules or an instance, not both.')
            )
        max_age = parsed_args.max_age
        found = self.schedules.schedule_check(
            parsed_args.schedules,
            instance=parsed_args.instance,
            all_instances=parsed_args.all,
            max_age=(
                None if max_age is None else health.parse_duration(max_age)
            ),
        )
        if found:
            self._status = max(each.verdict for each in found)
        elif parsed_args.all:
            LOG.warning(_('This project has no schedules and no instances.'))
        else:
            self._status = health.Verdict.WARNING
            LOG.warning(
                _(
                    'This project has no schedules, so nothing is backed up. '
                    'See with --all which instances need one.'
                )
            )
        if parsed_args.formatter == 'table' and not (
            parsed_args.long or parsed_args.columns
        ):
            parsed_args.columns = [
                each for each in _CHECK_HEADERS if each not in _CHECK_LONG
            ]
        return _CHECK_HEADERS, map(_health, found)

    def run(self, parsed_args: argparse.Namespace) -> int:
        """Run the command and give the worst verdict as the exit code.

        A monitoring system must not take a failure for a verdict.
        """
        try:
            self.auth_required = True
            self.app.prepare_to_run_command(self)
            status: int = super().run(parsed_args)
        except BrokenPipeError:
            raise
        except Exception as exc:
            if self.app.options.debug:
                LOG.exception(_('Nothing can be told:'))
            else:
                LOG.error('%s', exc)
            return _UNKNOWN
        return status or self._status


def _health(judged: health.Health) -> tuple[Any, ...]:
    schedule, backup, run = (
        judged.schedule,
        judged.last_backup,
        judged.last_run,
    )
    return (
        schedule and schedule.id,
        schedule and schedule.name,
        judged.instance,
        judged.verdict.name,
        backup and columns.time(backup.created_at),
        columns.duration(judged.last_backup_age),
        run and columns.time(run.created_at),
        run and run.state,
        columns.Times(judged.missed),
        columns.time(judged.next_time),
        columns.Sentences(judged.reasons),
    )
