# SPDX-License-Identifier: Apache-2.0
"""The simulated guest agents.

Each listens where a real one does, on ``guestagent.<instance id>``, and
reports each backup to Trove's conductor. What a guest does is read anew
for every backup from ``guest.json`` in the sandbox's directory, so tests
can change it while everything runs::

    {"seconds": 2,
     "seconds_by_instance": {"orders": 30},
     "fail": ["customers", "<another instance's id>"],
     "silent": ["<id or name of an instance whose agent is dead>"]}
"""

from collections.abc import Mapping
import hashlib
import json
import logging
from typing import Any
import zlib

import eventlet
import oslo_messaging
from oslo_utils import timeutils
from swiftclient import client as swift
from trove import rpc
from trove.backup.state import BackupState
from trove.common import cfg
from trove.common import exception
from trove.common.notification import EndNotification
from trove.conductor import api as conductor_api
from trove.guestagent import api as guest_api

from sandbox import seed
from sandbox import settings

LOG = logging.getLogger(__name__)
CONF = cfg.CONF
BUILDING_SECONDS = 0.2
"""The least time between two reports; the conductor may swap closer ones."""

_servers: dict[str, Any] = {}
_instances: dict[str, seed.Instance] = {}
_layouts: list[settings.Layout] = []


def prepare(layout: settings.Layout) -> None:
    """Tell the guests where their sandbox is."""
    _layouts[:] = [layout]


def know(instances: Mapping[str, seed.Instance]) -> None:
    """Tell the guests which instances there are."""
    _instances.update(instances)


def client(context: Any, key: str) -> guest_api.API:
    """Return Trove's client of a guest, which listens from now on.

    Trove calls this (``remote_guest_client``). Guests that nobody ever
    talks to cost nothing, so there may be thousands.
    """
    if key not in _servers:
        server = rpc.get_server(
            oslo_messaging.Target(
                topic=f'guestagent.{key}',
                server=key,
                version=guest_api.API.API_LATEST_VERSION,
            ),
            [Guest(key)],
            key=None,
        )
        _servers[key] = server
        server.start()
    return guest_api.API(context, key)


class Guest:
    """The agent in one database instance. Its methods are called by RPC."""

    target = oslo_messaging.Target(version=guest_api.API.API_LATEST_VERSION)

    def __init__(self, key: str) -> None:
        self._key = key
        # Between 0.1 and 2 GB, and the same at each look.
        self._used = 0.1 + zlib.crc32(key.encode()) % 190 / 100

    def get_filesystem_stats(
        self, context: Any, fs_path: str | None
    ) -> dict[str, float]:
        """Return the size of the data directory in GB."""
        total = 4.8
        return {
            'total': total,
            'used': round(self._used, 2),
            'free': total - self._used,
        }

    def stop_db(
        self, context: Any, do_not_start_on_reboot: bool = False
    ) -> None:
        """Do nothing. Trove asks for it before it deletes an instance."""

    def create_backup(self, context: Any, backup_info: dict[str, Any]) -> None:
        """Pretend to make a backup, and report how it goes."""
        behaviour = _Behaviour(self._key)
        if behaviour.silent:
            return
        with EndNotification(context):
            self._back_up(context, backup_info, behaviour)

    def _back_up(
        self,
        context: Any,
        backup_info: dict[str, Any],
        behaviour: '_Behaviour',
    ) -> None:
        state = {
            'backup_id': backup_info['id'],
            'backup_type': (
                'incremental' if backup_info.get('parent') else 'full'
            ),
            'size': round(self._used, 2),
            'state': BackupState.BUILDING,
        }
        self._report(context, state)
        eventlet.sleep(max(behaviour.seconds, BUILDING_SECONDS))
        if behaviour.fails:
            self._report(context, {**state, 'state': BackupState.FAILED})
            raise exception.TroveError('The guest was told to fail.')
        try:
            stored = self._upload(context, backup_info)
        except swift.ClientException:
            self._report(context, {**state, 'state': BackupState.FAILED})
            raise
        self._report(
            context, {**state, **stored, 'state': BackupState.COMPLETED}
        )

    def _upload(
        self, context: Any, backup_info: dict[str, Any]
    ) -> dict[str, str]:
        container = (
            backup_info.get('swift_container') or CONF.backup_swift_container
        )
        suffix = (
            'xbstream.gz' if backup_info['datastore'] == 'mysql' else 'tar.gz'
        )
        name = f'{backup_info["id"]}.{suffix}'
        text = f'A simulated backup of {self._key}, no data.\n'.encode()
        url = backup_info['swift_url']
        swift.put_container(url, context.auth_token, container)
        swift.put_object(url, context.auth_token, container, name, text)
        return {
            'checksum': hashlib.md5(
                text + name.encode(), usedforsecurity=False
            ).hexdigest(),
            'location': f'{url}/{container}/{name}',
        }

    def _report(self, context: Any, state: dict[str, Any]) -> None:
        conductor_api.API(context).update_backup(
            self._key, sent=timeutils.utcnow_ts(microsecond=True), **state
        )


class _Behaviour:
    """What ``guest.json`` says about an instance at this moment."""

    def __init__(self, key: str) -> None:
        # Trove has no instance that was not seeded.
        instance = _instances[key]
        self._names = {key, instance.name}
        try:
            read = json.loads(_layouts[0].guest.read_text('utf-8'))
        except (OSError, ValueError):
            LOG.exception('guest.json is unreadable, using the defaults')
            read = {}
        self.seconds = float(read.get('seconds', 2))
        for name, seconds in read.get('seconds_by_instance', {}).items():
            if name in self._names:
                self.seconds = float(seconds)
        self.silent = self._is_among(read.get('silent', ()))
        self.fails = self._is_among(read.get('fail', ())) or (
            instance.behaviour == seed.FAULTY
        )

    def _is_among(self, listed: Any) -> bool:
        return not self._names.isdisjoint(listed)
