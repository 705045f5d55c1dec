# SPDX-License-Identifier: Apache-2.0
"""The rows in Trove's database that a real cloud would have gathered."""

from collections.abc import Callable
import math
import time

from trove.backup.models import DBBackup
from trove.backup.state import BackupState
from trove.common import exception
from trove.common import timeutils
from trove.datastore import models as datastores
from trove.instance.models import DBInstance
from trove.instance.models import InstanceServiceStatus
from trove.instance.service_status import ServiceStatuses
from trove.instance.tasks import InstanceTasks
from trove.quota.quota import QUOTAS

from sandbox import seed
from sandbox import settings
from sandbox.servers import guest

VERSIONS = {'mysql': '8.4', 'postgresql': '17'}
HEARTBEAT_SECONDS = 20
"""Well below Trove's limit for a silent guest, 90 s."""


def fail_interrupted_backups() -> None:
    """End the backups that were running when the sandbox was stopped.

    Their guests are gone, so nobody else would ever do it, and Trove
    refuses new backups of an instance that has one running.
    """
    with DBBackup.query() as query:
        running = query.filter(
            DBBackup.state.in_(BackupState.RUNNING_STATES),
            DBBackup.deleted == 0,
        ).all()
    for backup in running:
        backup.state = BackupState.FAILED
        backup.save()


def seed_instances(layout: settings.Layout) -> None:
    """Add the instances that the sandbox lists and Trove does not have."""
    wanted = seed.with_ids(seed.load(layout.instances))
    guest.know(wanted)
    with DBInstance.query() as query:
        known = {row.id for row in query.all()}
    missing = {key: i for key, i in wanted.items() if key not in known}
    if not missing:
        return
    versions = {name: _version(name) for name in seed.DATASTORES}
    for key, instance in missing.items():
        _create(key, instance, versions[instance.datastore])
    # Two first backups at once would both insert the project's usage
    # row, and one of them would be answered with 500.
    for project in {_project(i) for i in missing.values()}:
        QUOTAS.get_all_quota_usages_by_tenant(project)


def keep_up(layout: settings.Layout, sleep: Callable[[float], object]) -> None:
    """Send heartbeats, and add instances when their list changes."""
    seen = layout.instances.stat().st_mtime_ns
    beaten = -math.inf
    while True:
        if time.monotonic() - beaten > HEARTBEAT_SECONDS:
            beaten = time.monotonic()
            _beat()
        changed = layout.instances.stat().st_mtime_ns
        if changed != seen:
            seen = changed
            seed_instances(layout)
        sleep(1)


def _beat() -> None:
    # One statement for all instead of a message from each guest: Trove
    # sees the same, and thousands of guests cost no more than one.
    with InstanceServiceStatus.query() as query:
        query.update(
            {'updated_at': timeutils.utcnow()}, synchronize_session=False
        )


def _create(key: str, instance: seed.Instance, version: str) -> None:
    DBInstance.create(
        id=key,
        name=instance.name,
        tenant_id=_project(instance),
        compute_instance_id=key,
        datastore_version_id=version,
        flavor_id='1',
        hostname=instance.name,
        region_id=seed.REGION,
        task_status=InstanceTasks.NONE,
        volume_size=5,
    )
    InstanceServiceStatus.create(
        instance_id=key, status=ServiceStatuses.HEALTHY
    )


def _project(instance: seed.Instance) -> str:
    return seed.project_id(instance.project, instance.domain)


def _version(name: str) -> str:
    """Return the id of a datastore's version, created when missing."""
    version = VERSIONS[name]
    try:
        datastore = datastores.Datastore.load(name)
    except exception.DatastoreNotFound:
        datastores.update_datastore(name, None)
        datastore = datastores.Datastore.load(name)
    try:
        found = datastores.DatastoreVersion.load(datastore, version)
    except exception.DatastoreVersionNotFound:
        datastores.update_datastore_version(
            name, version, name, None, ['trove', name], '', 1
        )
        datastores.update_datastore(name, version)
        found = datastores.DatastoreVersion.load(datastore, version)
    return str(found.id)
