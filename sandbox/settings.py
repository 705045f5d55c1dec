# SPDX-License-Identifier: Apache-2.0
"""Where the files of a sandbox are, and what the other modules share."""

from collections.abc import Mapping
import dataclasses
import importlib.metadata
import json
import pathlib
import secrets

from sandbox import seed
from sandbox.errors import SandboxError

HOST = '127.0.0.1'
SERVERS = ('keystone', 'mistral', 'trove', 'standins')
"""The servers, in the order of their ports."""

HOW_TO_INSTALL = (
    'pip install -c sandbox/constraints.txt -r sandbox/requirements.txt'
)

# To oslo.config, to alembic, or in the URL of a database.
_SPECIAL = '$%?#'
_PACKAGES = ('keystone', 'mistral', 'mistral-extra', 'trove')


@dataclasses.dataclass(frozen=True)
class Layout:
    """The paths in the directory of a sandbox."""

    directory: pathlib.Path

    @property
    def clouds_yaml(self) -> pathlib.Path:
        """The clients' configuration."""
        return self.directory / 'clouds.yaml'

    @property
    def guest(self) -> pathlib.Path:
        """How the simulated guests behave, see the guests' module."""
        return self.directory / 'guest.json'

    @property
    def instances(self) -> pathlib.Path:
        """The instances that Trove is to have."""
        return self.directory / 'instances.json'

    @property
    def ports(self) -> pathlib.Path:
        """The port of each server."""
        return self.directory / 'ports.json'

    @property
    def passwords(self) -> pathlib.Path:
        """The password of each user."""
        return self.directory / 'passwords.json'

    @property
    def versions(self) -> pathlib.Path:
        """The releases of the servers that made the databases."""
        return self.directory / 'versions.json'

    @property
    def objects(self) -> pathlib.Path:
        """What the stand-in for Swift stores."""
        return self.directory / 'objects'

    @property
    def deleted_servers(self) -> pathlib.Path:
        """A file for each server that Trove had Nova's stand-in delete."""
        return self.directory / 'deleted-servers'

    @property
    def temporary(self) -> pathlib.Path:
        """Temporary files and locks of the servers."""
        return self.directory / 'tmp'

    @property
    def no_more_configuration(self) -> pathlib.Path:
        """An empty directory, given instead of ``/etc/<project>``."""
        return self.directory / 'etc' / 'empty'

    def config(self, server: str) -> pathlib.Path:
        """Return the path of a server's configuration."""
        return self.directory / 'etc' / f'{server}.conf'

    def database(self, server: str) -> pathlib.Path:
        """Return the path of a server's database."""
        return self.directory / f'{server}.sqlite'

    def log(self, server: str) -> pathlib.Path:
        """Return the path of a server's log."""
        return self.directory / 'logs' / f'{server}.log'

    def keys(self, kind: str) -> pathlib.Path:
        """Return the path of one of Keystone's key repositories."""
        return self.directory / 'keys' / kind

    def make(self) -> None:
        """Create the directories. Nobody else may look into them.

        :raises SandboxError: if the name of the directory will not do.
        """
        if set(_SPECIAL) & set(str(self.directory)):
            raise SandboxError(
                f'The servers could not read {self.directory} in their'
                f' configuration: give a --directory without {_SPECIAL}.'
            )
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        # The passwords in here open Mistral, which runs actions as the
        # user who started the sandbox.
        self.directory.chmod(0o700)
        for path in (
            self.temporary,
            self.objects,
            self.deleted_servers,
            self.no_more_configuration,
            self.log('').parent,
        ):
            path.mkdir(parents=True, exist_ok=True)


def urls(of_servers: Mapping[str, int]) -> dict[str, str]:
    """Return the URL of each service by its type in the catalogue."""
    base = {name: f'http://{HOST}:{port}' for name, port in of_servers.items()}
    return {
        'identity': f'{base["keystone"]}/v3',
        'workflowv2': f'{base["mistral"]}/v2',
        'database': f'{base["trove"]}/v1.0/%(tenant_id)s',
        'compute': f'{base["standins"]}/compute/v2.1',
        'network': f'{base["standins"]}/network',
        'volumev3': f'{base["standins"]}/volume/v3/%(tenant_id)s',
        'object-store': f'{base["standins"]}/object-store/v1'
        '/AUTH_%(tenant_id)s',
    }


def ports(layout: Layout) -> dict[str, int]:
    """Return the port of each server.

    :raises SandboxError: if no sandbox was ever in this directory.
    """
    try:
        known: dict[str, int] = json.loads(layout.ports.read_text('utf-8'))
    except FileNotFoundError:
        raise SandboxError(
            f'No sandbox was ever started in {layout.directory}.'
        ) from None
    return known


def read_passwords(layout: Layout) -> dict[str, str]:
    """Return each user's password by ``domain/name``, made only once."""
    users = (*seed.USERS.values(), *seed.SERVICE_USERS)
    try:
        known: dict[str, str] = json.loads(layout.passwords.read_text('utf-8'))
    except FileNotFoundError:
        known = {
            f'{user.domain}/{user.name}': secrets.token_urlsafe(12)
            for user in users
        }
        seed.replace(layout.passwords, json.dumps(known))
    return known


def password(layout: Layout, user: seed.User) -> str:
    """Return the password of a user."""
    return read_passwords(layout)[f'{user.domain}/{user.name}']


def check_versions(layout: Layout) -> None:
    """Raise unless the installed servers fit the databases.

    :raises SandboxError: if a package is missing or of another release.
    """
    try:
        installed = {
            name: importlib.metadata.version(name) for name in _PACKAGES
        }
    except importlib.metadata.PackageNotFoundError as exc:
        raise SandboxError(
            f'The package {exc.name} is not installed here: {HOW_TO_INSTALL}'
        ) from None
    if layout.versions.exists():
        made_by = json.loads(layout.versions.read_text('utf-8'))
        for name, version in installed.items():
            if made_by[name] != version:
                raise SandboxError(
                    f'{layout.directory} was made by {name} {made_by[name]}'
                    f' and {version} is installed: remove that directory,'
                    ' or give another --directory.'
                )
    else:
        seed.replace(layout.versions, json.dumps(installed))
