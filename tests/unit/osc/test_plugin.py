# SPDX-License-Identifier: Apache-2.0

import argparse
from importlib import metadata
import subprocess
import sys
import types
from typing import Any

from openstack import config
from osc_lib import clientmanager
from osc_lib.command import command as osc_command

from tests.unit import base
from tests.unit import fakes
from trove_backup_schedule import exceptions
from trove_backup_schedule.osc import plugin

COMMANDS = {
    'database_backup_execution_delete',
    'database_backup_execution_list',
    'database_backup_execution_show',
    'database_backup_schedule_apply',
    'database_backup_schedule_check',
    'database_backup_schedule_create',
    'database_backup_schedule_delete',
    'database_backup_schedule_export',
    'database_backup_schedule_list',
    'database_backup_schedule_prune',
    'database_backup_schedule_run',
    'database_backup_schedule_set',
    'database_backup_schedule_show',
    'database_backup_workbook_install',
    'database_backup_workbook_show',
}

# Imports all that the shell may import before it runs a command.
IMPORTS = """
import importlib, pkgutil, sys
from trove_backup_schedule import osc
for module in pkgutil.iter_modules(osc.__path__):
    importlib.import_module(f'{osc.__name__}.{module.name}')
heavy = {'cron_descriptor', 'croniter', 'mistralclient', 'troveclient'}
print(sorted(heavy & {name.partition('.')[0] for name in sys.modules}))
"""


class TestEntryPoints(base.TestCase):
    def _entry_points(self, group: str) -> dict[str, Any]:
        distribution = metadata.distribution('trove-backup-schedule')
        found = distribution.entry_points.select(group=group)
        return {each.name: each.load() for each in found}

    def test_every_command_can_be_loaded(self) -> None:
        found = self._entry_points('openstack.extension')
        self.assertEqual(set(), COMMANDS - set(found))
        for name, command in found.items():
            with self.case(name):
                self.assertTrue(issubclass(command, osc_command.Command))
                made = command(types.SimpleNamespace(), None)
                self.assertTrue(made.get_description())
                self.assertTrue(made.get_parser('openstack x').format_help())

    def test_the_plugin_is_what_the_shell_wants(self) -> None:
        (found,) = self._entry_points('openstack.cli.extension').values()
        self.assertIs(plugin, found)
        self.assertIn(plugin.DEFAULT_API_VERSION, plugin.API_VERSIONS)
        self.assertTrue(plugin.API_VERSION_OPTION.startswith('os_'))
        parser = argparse.ArgumentParser()
        self.assertIs(parser, plugin.build_option_parser(parser))


class TestImports(base.TestCase):
    def test_nothing_heavy_is_imported_at_the_start(self) -> None:
        done = subprocess.run(
            [sys.executable, '-c', IMPORTS],
            capture_output=True,
            check=True,
            text=True,
        )
        self.assertEqual('[]', done.stdout.strip())


class TestMakeClient(base.CloudTestCase):
    """The plugin on osc-lib's own client manager."""

    def setUp(self) -> None:
        super().setUp()
        empty: fakes.Row = {'cron_triggers': [], 'instances': []}
        for url in (
            f'{base.MISTRAL}/cron_triggers',
            'http://mistral.internal/v2/cron_triggers',
            'http://override.example/v2/cron_triggers',
            f'{base.TROVE}/instances',
            'http://override.example/v1/instances',
        ):
            self.http.get(url, json=empty)

    def _make(self, **options: Any) -> Any:
        loader = config.OpenStackConfig(
            load_yaml_config=False, load_envvars=False
        )
        settings = {'region_name': 'RegionOne', **options}
        manager = clientmanager.ClientManager(
            cli_options=loader.get_one(
                auth_type='v3password',
                auth={
                    'auth_url': base.KEYSTONE,
                    'username': 'alice',
                    'password': 'secret',
                    'user_domain_name': 'Users',
                    'project_name': 'shop',
                    'project_domain_name': 'Projects',
                },
                **settings,
            ),
            api_version={},
        )
        # As the shell does for a command that needs to be logged in.
        manager._auth_required = True
        manager.setup_auth()
        return plugin.make_client(manager)

    def _last(self) -> str:
        url: str = self.http.request_history[-1].url
        return url.partition('?')[0]

    def test_interface_and_overrides_are_honoured(self) -> None:
        override = 'http://override.example'
        for options, expected in (
            ({}, base.MISTRAL),
            ({'interface': 'internal'}, 'http://mistral.internal/v2'),
            ({'interface': None}, base.MISTRAL),
            (
                {'workflowv2_endpoint_override': override},
                f'{override}/v2',
            ),
        ):
            with self.case(options):
                made = self._make(**options)
                self.assertEqual([], made.schedule_list())
                self.assertEqual(f'{expected}/cron_triggers', self._last())
        made = self._make(database_endpoint_override=f'{override}/v1')
        self.assertEqual([], made.instance_list())
        self.assertEqual(f'{override}/v1/instances', self._last())

    def test_a_missing_service_is_told_when_it_is_needed(self) -> None:
        for options, services in (
            ({}, ['database']),
            ({'region_name': 'East'}, ['database', 'workflowv2']),
            ({}, []),
        ):
            with self.case(options, services):
                self.log_in(services=services)
                made = self._make(**options)
                exc = self.assertRaises(
                    exceptions.ServiceUnavailableError, made.schedule_list
                )
                self.assertIn('Mistral is not in the service', str(exc))
