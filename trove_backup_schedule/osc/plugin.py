# SPDX-License-Identifier: Apache-2.0

"""OpenStackClient plugin: what the shell loads at each start.

Nothing heavy may be imported here, nor by what is imported here.
"""

import argparse
from typing import TYPE_CHECKING, Any

from trove_backup_schedule.osc import interactive

if TYPE_CHECKING:
    from trove_backup_schedule import adapter

API_NAME = 'database_backup_schedule'
API_VERSION_OPTION = 'os_database_backup_schedule_api_version'
API_VERSIONS = ('1',)
DEFAULT_API_VERSION = '1'

interactive.install()


def make_client(instance: Any) -> 'adapter.BackupSchedules':
    """Make the adapter on the shell's session.

    :param instance: the shell's client manager. Its endpoint overrides, region
        and interface are honoured.
    """
    from keystoneauth1 import exceptions as ksa

    from trove_backup_schedule import adapter
    from trove_backup_schedule import mistral
    from trove_backup_schedule import trove

    def endpoint(service_type: str) -> str | None:
        try:
            found: str | None = instance.get_endpoint_for_service_type(
                service_type,
                region_name=instance.region_name,
                interface=instance.interface,
            )
        except ksa.CatalogException:
            # The adapter says so when it needs the service, and not before.
            return None
        return found

    return adapter.BackupSchedules(
        instance.session,
        region_name=instance.region_name,
        interface=instance.interface,
        workflow_endpoint=endpoint(mistral.SERVICE_TYPE),
        database_endpoint=endpoint(trove.SERVICE_TYPE),
    )


def build_option_parser(
    parser: argparse.ArgumentParser,
) -> argparse.ArgumentParser:
    """Add global options: none are needed, but the shell asks for them."""
    return parser
