# SPDX-License-Identifier: Apache-2.0
"""Trove: API, task manager, conductor and the simulated guests.

One process, as SQLite wants only one writer and the in-memory transport
reaches no further.
"""

import importlib
import sys

from sandbox import settings
from sandbox.servers import child


def main() -> None:
    """Prepare the database if need be, and serve."""
    layout = settings.Layout(child.begin())
    sys.argv = [
        'trove',
        '--config-file',
        str(layout.config('trove')),
        '--config-dir',
        str(layout.no_more_configuration),
    ]
    # Patches the standard library for eventlet, so nothing else may be
    # loaded yet.
    importlib.import_module('trove.cmd')

    import eventlet
    from trove.cmd.common import initialize
    from trove.common import cfg
    from trove.common import notification
    from trove.common import pastedeploy
    from trove.common.base_wsgi import Service
    from trove.common.rpc import conductor_host_serializer
    from trove.common.rpc.service import RpcService
    from trove.conductor import api as conductor_api
    from trove.db import get_db_api
    from trove.instance import models
    from trove.taskmanager import api as task_api

    from sandbox.servers import guest
    from sandbox.servers import transport
    from sandbox.servers import trove_data

    database = layout.database('trove')
    if child.new_database(database):
        cfg.parse_args(sys.argv)
        get_db_api().db_sync(cfg.CONF)
        child.filled(database)
    transport.install()
    conf = initialize()
    trove_data.fail_interrupted_backups()
    guest.prepare(layout)
    trove_data.seed_instances(layout)

    notification.DBaaSAPINotification.register_notify_callback(
        models.persist_instance_fault
    )
    cfg.set_api_config_defaults()
    services = (
        RpcService(
            key=None,
            manager=conf.conductor_manager,
            topic=conf.conductor_queue,
            rpc_api_version=conductor_api.API.API_LATEST_VERSION,
            secure_serializer=(
                conductor_host_serializer.ConductorHostSerializer
            ),
        ),
        RpcService(
            key=None,
            manager=conf.taskmanager_manager,
            topic=conf.taskmanager_queue,
            rpc_api_version=task_api.API.API_LATEST_VERSION,
        ),
        Service(
            pastedeploy.paste_deploy_app(conf.api_paste_config, 'trove', {}),
            conf.bind_port,
            host=conf.bind_host,
        ),
    )
    for service in services:
        service.start()
    trove_data.keep_up(layout, eventlet.sleep)


if __name__ == '__main__':
    main()
