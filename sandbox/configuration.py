# SPDX-License-Identifier: Apache-2.0
"""Write what the servers and the clients of a sandbox read."""

from collections.abc import Mapping
import configparser
import importlib.metadata
import json
import pathlib

from sandbox import seed
from sandbox.settings import HOST
from sandbox.settings import Layout
from sandbox.settings import read_passwords
from sandbox.settings import urls

_Ini = Mapping[str, Mapping[str, str | int]]


def write(layout: Layout, numbers: Mapping[str, int]) -> None:
    """Write all of it, for servers on these ports."""
    passwords = read_passwords(layout)
    _write_ini(layout.config('keystone'), _keystone(layout, numbers))
    _write_ini(layout.config('mistral'), _mistral(layout, numbers, passwords))
    _write_ini(layout.config('trove'), _trove(layout, numbers, passwords))
    seed.replace(layout.ports, json.dumps(dict(numbers)))
    seed.replace(layout.clouds_yaml, _clouds_yaml(numbers, passwords))
    if not layout.guest.exists():
        seed.replace(layout.guest, '{"seconds": 2, "fail": []}\n')


def _keystone(layout: Layout, numbers: Mapping[str, int]) -> _Ini:
    return {
        'DEFAULT': {
            **_logging(),
            'public_endpoint': f'http://{HOST}:{numbers["keystone"]}',
        },
        'database': _database(layout, 'keystone'),
        # bcrypt's least work factor. Every trust-scoped login of Mistral
        # and every application credential checks a hash; with the
        # default a trigger takes 0.6 s to fire, nearly all of it here.
        'identity': {'password_hash_rounds': 4},
        'fernet_tokens': {'key_repository': str(layout.keys('tokens'))},
        'fernet_receipts': {'key_repository': str(layout.keys('receipts'))},
        'credential': {'key_repository': str(layout.keys('credentials'))},
        'oslo_policy': _policy(layout),
    }


def _mistral(
    layout: Layout, numbers: Mapping[str, int], passwords: Mapping[str, str]
) -> _Ini:
    return {
        'DEFAULT': {
            **_logging(),
            # Engine, API and timers live in one process: no broker.
            'transport_url': 'fake:/',
            'openstack_actions_mapping_path': (
                'actions/openstack/mapping.json'
            ),
        },
        'api': {'host': HOST, 'port': numbers['mistral']},
        'cron_trigger': {'execution_interval': 1, 'run_in_api': 'false'},
        'database': _database(layout, 'mistral'),
        'executor': {'type': 'local'},
        'keystone_authtoken': _service_user('mistral', numbers, passwords),
        'notifier': {'type': 'local'},
        'openstack_actions': {'default_region': seed.REGION},
        'oslo_concurrency': {'lock_path': str(layout.temporary)},
        'oslo_policy': _policy(layout),
        'pecan': {'auth_enable': 'true'},
    }


def _trove(
    layout: Layout, numbers: Mapping[str, int], passwords: Mapping[str, str]
) -> _Ini:
    user = _service_user('trove', numbers, passwords)
    same = ('username', 'password', 'project_name')
    return {
        'DEFAULT': {
            **_logging(),
            'api_paste_config': str(_installed('trove', 'api-paste.ini')),
            'bind_host': HOST,
            'bind_port': numbers['trove'],
            'default_datastore': 'mysql',
            # Its keys protect a broker, and there is none.
            'enable_secure_rpc_messaging': 'false',
            'host': HOST,
            'http_delete_rate': 1000000,
            'http_get_rate': 1000000,
            'http_mgmt_post_rate': 1000000,
            'http_post_rate': 1000000,
            'http_put_rate': 1000000,
            'remote_guest_client': 'sandbox.servers.guest.client',
            # A reporting service waits for its timer instead of
            # returning from its start.
            'report_interval': 0,
            'transport_url': 'kombu+memory:////',
        },
        'database': _database(layout, 'trove'),
        'keystone_authtoken': user,
        'oslo_concurrency': {'lock_path': str(layout.temporary)},
        'oslo_messaging_notifications': {'driver': 'noop'},
        'oslo_policy': _policy(layout),
        'service_credentials': {
            **{name: user[name] for name in same},
            'auth_url': user['auth_url'],
            'project_domain_name': 'Default',
            'region_name': seed.REGION,
            'user_domain_name': 'Default',
        },
    }


def _logging() -> dict[str, str]:
    return {'use_stderr': 'true'}


def _policy(layout: Layout) -> dict[str, str]:
    # Naming a file that is not there keeps out the one of a real cloud
    # in /etc; the services' own defaults then hold.
    return {
        'policy_dirs': str(layout.no_more_configuration),
        'policy_file': str(layout.no_more_configuration / 'policy.yaml'),
    }


def _database(layout: Layout, server: str) -> dict[str, str]:
    path = layout.database(server)
    return {
        'connection': f'sqlite:///{path}?timeout=30',
        # A killed process loses nothing by it, only a power cut may.
        'sqlite_synchronous': 'false',
    }


def _service_user(
    name: str, numbers: Mapping[str, int], passwords: Mapping[str, str]
) -> dict[str, str]:
    url = urls(numbers)['identity']
    return {
        'auth_type': 'password',
        'auth_url': url,
        'www_authenticate_uri': url,
        'username': name,
        'password': passwords[f'Default/{name}'],
        'project_name': 'service',
        'user_domain_name': 'Default',
        'project_domain_name': 'Default',
        'region_name': seed.REGION,
        'service_token_roles_required': 'true',
    }


def _installed(package: str, name: str) -> pathlib.Path:
    for path in importlib.metadata.files(package) or ():
        if path.name == name:
            return pathlib.Path(str(path.locate())).resolve()
    raise FileNotFoundError(f'{name} is not among the files of {package}')


def _write_ini(path: pathlib.Path, sections: _Ini) -> None:
    # Not even 'DEFAULT' means anything to this parser.
    parser = configparser.RawConfigParser(default_section='')
    parser.read_dict(sections)
    with path.open('w', encoding='utf-8') as file:
        parser.write(file)


def _clouds_yaml(
    numbers: Mapping[str, int], passwords: Mapping[str, str]
) -> str:
    # JSON is YAML too, and saves a dependency.
    return json.dumps(
        {
            'clouds': {
                cloud: {
                    'auth': {
                        'auth_url': urls(numbers)['identity'],
                        'username': user.name,
                        'password': passwords[f'{user.domain}/{user.name}'],
                        'project_name': user.project,
                        'user_domain_name': user.domain,
                        'project_domain_name': user.domain,
                    },
                    'identity_api_version': '3',
                    'region_name': seed.REGION,
                }
                for cloud, user in seed.USERS.items()
            }
        },
        indent=2,
    )
