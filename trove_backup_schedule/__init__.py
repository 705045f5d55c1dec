# SPDX-License-Identifier: Apache-2.0

"""Scheduled backups for OpenStack Trove, run by Mistral cron triggers."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from trove_backup_schedule.adapter import BackupSchedules
    from trove_backup_schedule.models import Schedule
    from trove_backup_schedule.models import ScheduleExecution

__all__ = ['BackupSchedules', 'Schedule', 'ScheduleExecution']

_HOMES = {
    'BackupSchedules': 'adapter',
    'Schedule': 'models',
    'ScheduleExecution': 'models',
}


def __getattr__(name: str) -> Any:
    # The shell imports this package at each start, mostly for a command that
    # needs none of them.
    if name in _HOMES:
        home = importlib.import_module(f'{__name__}.{_HOMES[name]}')
        return getattr(home, name)
    raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
