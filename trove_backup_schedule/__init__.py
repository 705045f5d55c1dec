# SPDX-License-Identifier: Apache-2.0

"""Scheduled backups for OpenStack Trove, run by Mistral cron triggers."""

from trove_backup_schedule.adapter import BackupSchedules
from trove_backup_schedule.models import Schedule
from trove_backup_schedule.models import ScheduleExecution

__all__ = ['BackupSchedules', 'Schedule', 'ScheduleExecution']
