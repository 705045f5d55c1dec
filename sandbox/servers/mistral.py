# SPDX-License-Identifier: Apache-2.0
"""Mistral: API, engine and cron triggers in one process."""

import importlib
import threading
from typing import Any
from unittest import mock

from oslo_config import cfg
from oslo_log import log as logging

from sandbox import settings
from sandbox.servers import child


def lock_parser() -> None:
    """Let one thread at a time parse an expression.

    All of Mistral's share one parser, which yaql does not lock. So at times
    one that is right is refused, and ends the run that it is in.
    """
    from yaql.language import factory

    parse = factory.YaqlEngine.__call__
    lock = threading.Lock()

    def locked(*args: Any, **options: Any) -> Any:
        with lock:
            return parse(*args, **options)

    mock.patch.object(factory.YaqlEngine, '__call__', locked).start()


def main() -> None:
    """Prepare the database if need be, and serve."""
    layout = settings.Layout(child.begin())
    lock_parser()
    # Chooses oslo.service's threading back end, so it must come before
    # the rest: without it no timer runs, and no cron trigger ever fires.
    importlib.import_module('mistral.cmd')

    from mistral import config
    from mistral.api import service as api_service
    from mistral.db.v2 import api as db_api
    from mistral.engine import engine_server
    from mistral.rpc import base as rpc
    from mistral.services import actions
    from mistral.services import periodic_server

    cfg.CONF.register_cli_opts(config.CLI_OPTS)
    config.parse_args(
        [
            '--config-file',
            str(layout.config('mistral')),
            '--config-dir',
            str(layout.no_more_configuration),
        ]
    )
    logging.setup(cfg.CONF, 'Mistral')
    database = layout.database('mistral')
    new = child.new_database(database)
    # Creates the tables from the models: the migrations need a database
    # server.
    db_api.setup_db()
    if new:
        child.filled(database)
    rpc.get_transport()
    actions.get_system_action_provider()
    services = (
        engine_server.get_oslo_service(),
        periodic_server.get_oslo_service(),
        api_service.WSGIService('mistral_api'),
    )
    for service in services:
        service.start()
    threading.Event().wait()


if __name__ == '__main__':
    main()
