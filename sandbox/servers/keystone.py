# SPDX-License-Identifier: Apache-2.0
"""Keystone, filled with the sandbox's users and catalogue."""

from collections.abc import Callable
import sys
from typing import Any
import uuid

from keystone import exception
from keystone import server as keystone_server
from keystone.cmd.bootstrap import Bootstrapper
from keystone.common import driver_hints
from keystone.common import fernet_utils
from keystone.common.provider_api import ProviderAPIs
from keystone.common.sql import upgrades
import keystone.conf
from keystone.server.flask import application
from keystone.server.flask import core
import waitress

from sandbox import seed
from sandbox import settings
from sandbox.servers import child


def main() -> None:
    """Prepare the database if need be, and serve."""
    layout = settings.Layout(child.begin())
    ports = settings.ports(layout)
    # Keystone parses the command line on its own.
    sys.argv = [
        'keystone',
        '--config-dir',
        str(layout.no_more_configuration),
    ]
    keystone_server.configure(config_files=[str(layout.config('keystone'))])
    database = layout.database('keystone')
    if child.new_database(database):
        upgrades.offline_sync_database_to_version()
        for group in ('fernet_tokens', 'fernet_receipts', 'credential'):
            _make_keys(group)
        child.filled(database)
    _fill(settings.urls(ports), settings.read_passwords(layout))
    app = core.setup_app_middleware(application.application_factory('public'))
    # One thread: SQLite refuses a reader that turns writer while another
    # one has written ("database is locked"), however long it may wait.
    waitress.serve(app, host=settings.HOST, port=ports['keystone'], threads=1)


def _make_keys(group: str) -> None:
    section = getattr(keystone.conf.CONF, group)
    # The number of credential keys is fixed and so no option of theirs.
    active = getattr(section, 'max_active_keys', 3)
    keys = fernet_utils.FernetUtils(section.key_repository, active, group)
    keys.create_key_directory()
    keys.initialize_key_repository()


def _fill(urls: dict[str, str], passwords: dict[str, str]) -> None:
    """Create what is missing, and move the catalogue to today's ports."""
    # This loads Keystone's back ends too, which may be done only once.
    bootstrap = Bootstrapper()
    bootstrap.admin_username = bootstrap.project_name = 'admin'
    bootstrap.admin_role_name = 'admin'
    bootstrap.admin_password = passwords['Default/admin']
    bootstrap.service_name = 'keystone'
    bootstrap.region_id = seed.REGION
    bootstrap.public_url = bootstrap.internal_url = urls['identity']
    bootstrap.admin_url = urls['identity']
    bootstrap.immutable_roles = True
    bootstrap.bootstrap()
    domains = {
        'Default': bootstrap.default_domain_id,
        seed.SECOND_DOMAIN: seed.project_id('', seed.SECOND_DOMAIN),
    }
    _create(
        ProviderAPIs.resource_api.create_domain,
        domains[seed.SECOND_DOMAIN],
        name=seed.SECOND_DOMAIN,
        enabled=True,
    )
    roles = {
        'admin': bootstrap.admin_role_id,
        'member': bootstrap.member_role_id,
    }
    for user in (*seed.USERS.values(), *seed.SERVICE_USERS):
        if user.name == 'admin':
            continue
        project = seed.project_id(user.project, user.domain)
        _create(
            ProviderAPIs.resource_api.create_project,
            project,
            name=user.project,
            domain_id=domains[user.domain],
            enabled=True,
        )
        _ensure_user(
            user,
            domains[user.domain],
            passwords[f'{user.domain}/{user.name}'],
            project,
            roles[user.role],
        )
    for kind, url in urls.items():
        if kind != 'identity':
            _ensure_service(kind, url)


def _create(function: Callable[..., object], key: str, **values: Any) -> None:
    try:
        function(key, {'id': key, **values})
    except exception.Conflict:
        return


def _ensure_user(
    user: seed.User, domain: str, password: str, project: str, role: str
) -> None:
    identity = ProviderAPIs.identity_api
    try:
        user_id = identity.get_user_by_name(user.name, domain)['id']
    except exception.UserNotFound:
        user_id = identity.create_user(
            {
                'name': user.name,
                'domain_id': domain,
                'password': password,
                'enabled': True,
            }
        )['id']
    try:
        ProviderAPIs.assignment_api.add_role_to_user_and_project(
            user_id=user_id, project_id=project, role_id=role
        )
    except exception.Conflict:
        return


def _ensure_service(kind: str, url: str) -> None:
    catalog = ProviderAPIs.catalog_api
    service = uuid.uuid5(uuid.NAMESPACE_URL, kind).hex
    try:
        catalog.get_service(service)
    except exception.ServiceNotFound:
        _create(
            catalog.create_service,
            service,
            type=kind,
            name=_SERVICE_NAMES[kind],
            enabled=True,
        )
    hints = driver_hints.Hints()
    hints.add_filter('service_id', service)
    known = {
        endpoint['interface']: endpoint
        for endpoint in catalog.list_endpoints(hints)
    }
    for interface in ('public', 'internal', 'admin'):
        if interface not in known:
            _create(
                catalog.create_endpoint,
                uuid.uuid4().hex,
                interface=interface,
                service_id=service,
                region_id=seed.REGION,
                url=url,
                enabled=True,
            )
        elif known[interface]['url'] != url:
            catalog.update_endpoint(known[interface]['id'], {'url': url})


_SERVICE_NAMES = {
    'workflowv2': 'mistral',
    'database': 'trove',
    'compute': 'nova',
    'network': 'neutron',
    'object-store': 'swift',
    'volumev3': 'cinder',
}

if __name__ == '__main__':
    main()
