# SPDX-License-Identifier: Apache-2.0
"""Start and stop a sandbox."""

from collections.abc import Callable, Iterator, Mapping, Sequence
import contextlib
import dataclasses
import fcntl
import json
import os
import pathlib
from types import TracebackType
from typing import Self

from keystoneauth1 import session

from sandbox import configuration
from sandbox import ports as sandbox_ports
from sandbox import processes
from sandbox import seed
from sandbox import settings
from sandbox import startup
from sandbox.errors import SandboxError

Report = Callable[[str], None]


def _say_nothing(_: str) -> None:
    return


class Sandbox:
    """A cloud in a directory.

    As a context manager it starts on entry and stops on exit, and its
    servers end when this process dies, even by SIGKILL::

        with Sandbox(pathlib.Path("/tmp/cloud")) as cloud:
            environment = cloud.environment("demo")

    :param directory: where everything is kept; may be there already.
    :param base_port: Keystone's port, followed by those of Mistral,
        Trove and the stand-ins; 0 chooses free ones.
    :param instances: the database instances, when they are not to be
        the usual ones. They are added to those the directory has.
    :param report: called with a line of text at each stage.
    """

    def __init__(
        self,
        directory: pathlib.Path,
        base_port: int = 0,
        *,
        instances: Sequence[seed.Instance] | None = None,
        report: Report = _say_nothing,
    ) -> None:
        self._layout = settings.Layout(directory.expanduser().resolve())
        self._base_port = base_port
        self._instances = instances
        self._report = report
        self._children: processes.Children | None = None
        self._entered = False

    @classmethod
    def of_environment(
        cls, environment: Mapping[str, str] | None = None
    ) -> 'Sandbox | None':
        """Return the running sandbox OS_CLIENT_CONFIG_FILE leads to."""
        source = os.environ if environment is None else environment
        clouds = source.get('OS_CLIENT_CONFIG_FILE')
        if not clouds:
            return None
        found = cls(pathlib.Path(clouds).parent)
        same = found.clouds_yaml == pathlib.Path(clouds).resolve()
        return found if same and found.is_running() else None

    @property
    def directory(self) -> pathlib.Path:
        """Where everything is kept."""
        return self._layout.directory

    @property
    def clouds_yaml(self) -> pathlib.Path:
        """The file for OS_CLIENT_CONFIG_FILE."""
        return self._layout.clouds_yaml

    @property
    def ports(self) -> dict[str, int]:
        """The port of each server."""
        return settings.ports(self._layout)

    @property
    def urls(self) -> dict[str, str]:
        """The URL of each service by its type, as in the catalogue."""
        return settings.urls(self.ports)

    def log(self, server: str) -> pathlib.Path:
        """Return the path of a server's log."""
        return self._layout.log(server)

    def environment(self, cloud: str = 'demo') -> dict[str, str]:
        """Return the environment for a client of this cloud."""
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith('OS_')
        }
        return {
            **kept,
            'OS_CLIENT_CONFIG_FILE': str(self.clouds_yaml),
            'OS_CLOUD': cloud,
        }

    def session(self, cloud: str = 'demo') -> session.Session:
        """Return a session that is logged in as the user of a cloud."""
        return startup.log_in(self._layout, cloud)

    def instance_ids(
        self, project: str, name: str, domain: str = 'Default'
    ) -> list[str]:
        """Return the ids of a project's instances of this name."""
        listed = seed.with_ids(seed.load(self._layout.instances))
        wanted = (domain, project, name)
        return [
            key
            for key, one in listed.items()
            if (one.domain, one.project, one.name) == wanted
        ]

    def add_instances(self, instances: Sequence[seed.Instance]) -> None:
        """Add database instances; a running Trove has them in a second."""
        listed = seed.load(self._layout.instances)
        seed.save(self._layout.instances, [*listed, *instances])

    def change_instance(self, key: str, behaviour: str) -> None:
        """Make an instance behave differently from the next second on."""
        listed = seed.with_ids(seed.load(self._layout.instances))
        listed[key] = dataclasses.replace(listed[key], behaviour=behaviour)
        seed.save(self._layout.instances, list(listed.values()))

    def set_guest(self, **behaviour: object) -> None:
        """Say how guests behave from the next backup on.

        The keywords are those of ``guest.json``, see
        :mod:`sandbox.servers.guest`; what is not given is at its default.
        A guest looks when it gets the order, a moment after Trove has
        answered the request for a backup.
        """
        seed.replace(self._layout.guest, json.dumps(behaviour))

    def alive(self) -> dict[str, int]:
        """Return the process id of each server that is running."""
        return {
            name: process.pid
            for name, process in processes.find(self.directory).items()
        }

    def is_running(self) -> bool:
        """Tell whether all servers are running."""
        return set(self.alive()) == set(settings.SERVERS)

    def start(self, *, detach: bool = False) -> bool:
        """Start the servers, and return once all of them answer.

        :param detach: let them outlive this process.
        :returns: False if they were running already.
        :raises SandboxError: if that is not possible.
        """
        self._layout.make()
        with self._locked():
            if self.is_running():
                return False
            settings.check_versions(self._layout)
            # What a crash has left would keep a port or a database.
            processes.end(self.directory)
            ports = sandbox_ports.choose(self._base_port, self._last_ports())
            self._prepare(ports)
            self._children = processes.Children(self._layout)
            try:
                self._children.start()
                startup.Startup(
                    self._layout, self._children, self._report
                ).wait()
                if detach:
                    self._children.release()
            except BaseException:
                # A KeyboardInterrupt above all.
                self._end()
                raise
        return True

    def stop(self) -> bool:
        """End all servers for certain.

        :returns: False if none was running.
        """
        if not self.directory.is_dir():
            return processes.end(self.directory)
        with self._locked():
            return self._end()

    def died(self) -> str | None:
        """Return a message if a server has ended since the start."""
        gone = sorted(set(settings.SERVERS) - set(self.alive()))
        return startup.obituary(self.log(gone[0])) if gone else None

    def __enter__(self) -> Self:
        self._entered = self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        # One that somebody else has started is theirs to stop.
        if self._entered:
            self.stop()

    def _end(self) -> bool:
        found = processes.end(self.directory)
        if self._children is not None:
            self._children.reap()
            self._children = None
        return found

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        with (self.directory / 'lock').open('w') as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise SandboxError(
                    f'Another command is starting or stopping the sandbox'
                    f' in {self.directory}; wait for it.'
                ) from None
            yield

    def _last_ports(self) -> dict[str, int]:
        return self.ports if self._layout.ports.exists() else {}

    def _prepare(self, ports: dict[str, int]) -> None:
        configuration.write(self._layout, ports)
        path = self._layout.instances
        wanted = self._instances
        if wanted is None:
            wanted = () if path.exists() else seed.INSTANCES
        listed = seed.load(path) if path.exists() else []
        known = seed.with_ids(listed)
        new = [
            instance
            for key, instance in seed.with_ids(wanted).items()
            if key not in known
        ]
        if new or not path.exists():
            seed.save(path, [*listed, *new])
