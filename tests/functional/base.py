# SPDX-License-Identifier: Apache-2.0

"""What the functional tests share: the sandbox and the real shell."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent import futures
import contextlib
import dataclasses
import fcntl
import functools
import json
import pathlib
import subprocess
import sys
import tempfile
import time
from typing import Any, TypeVar
import uuid

from keystoneauth1 import session
from mistralclient.api.v2 import client as mistral_client
import testtools
from troveclient.apiclient import exceptions as trove_exceptions
from troveclient.v1 import client as trove_client

from sandbox import seed
from sandbox.cloud import Sandbox
import trove_backup_schedule

#: The shell, beside the interpreter that runs the tests.
OPENSTACK = str(pathlib.Path(sys.executable).with_name('openstack'))

#: A pattern that fires every minute, and one that fires in no test.
EVERY_MINUTE = '* * * * *'
ONCE_A_YEAR = '0 0 1 1 *'

#: Seconds in which a trigger of every minute must have fired, and its backup
#: have ended.
FIRING_SECONDS = 180.0

#: Seconds after which a command is given up.
COMMAND_SECONDS = 120.0

#: Commands that run at the same time.
AT_ONCE = 3

SCHEDULE = ('database', 'backup', 'schedule')
EXECUTION = ('database', 'backup', 'execution')
WORKBOOK = ('database', 'backup', 'workbook')

_T = TypeVar('_T')


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What a command left behind."""

    status: int
    stdout: str
    stderr: str
    command: str = 'openstack'

    def succeeded(self) -> str:
        """Give the output of a command that must have succeeded."""
        if self.status:
            raise AssertionError(f'status {self.status} of {self}')
        return self.stdout

    def failed(self, status: int = 1) -> str:
        """Give the errors of a command that must have failed as it should.

        A usage error apart, that is with a message of a sentence or two, and
        in no case with a traceback.
        """
        if self.status != status:
            raise AssertionError(
                f'status {self.status} in place of {status} of {self}'
            )
        if 'Traceback' in self.stderr or not self.stderr.strip():
            raise AssertionError(f'no message of {self}')
        return self.stderr

    def __str__(self) -> str:
        return f'{self.command}\n{self.stdout}{self.stderr}'


@functools.cache
def cloud() -> Sandbox:
    """Give the sandbox of the environment, or start one for this process."""
    found = Sandbox.of_environment()
    if found is not None:
        return found
    directory = tempfile.mkdtemp(prefix='trove-backup-schedule-')
    # It ends with this process.
    return contextlib.ExitStack().enter_context(
        Sandbox(pathlib.Path(directory))
    )


class Shell:
    """The real shell in an environment.

    :param environment: by default that of the user of a cloud.
    """

    def __init__(
        self,
        cloud_name: str = 'demo',
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.env = dict(
            cloud().environment(cloud_name)
            if environment is None
            else environment
        )

    def run(self, *args: str, cloud: str | None = None, **env: str) -> Outcome:
        """Run a command and give what it left behind."""
        environment = self.env | env
        if cloud is not None:
            environment['OS_CLOUD'] = cloud
        ended = subprocess.run(
            [OPENSTACK, *args],
            env=environment,
            cwd=tempfile.gettempdir(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS,
            check=False,
        )
        return Outcome(
            ended.returncode,
            ended.stdout,
            ended.stderr,
            f'openstack {" ".join(args)}',
        )

    def output(self, *args: str, cloud: str | None = None) -> str:
        """Run a command, which must succeed, and give its output."""
        return self.run(*args, cloud=cloud).succeeded()

    def json(self, *args: str, cloud: str | None = None) -> Any:
        """Run a command with ``-f json`` and give what it said."""
        return json.loads(self.output(*args, '-f', 'json', cloud=cloud))

    def at_once(
        self, commands: Iterable[Iterable[str]], cloud: str | None = None
    ) -> list[Outcome]:
        """Run several commands, some at the same time."""
        return at_once(
            [
                functools.partial(self.run, *command, cloud=cloud)
                for command in commands
            ]
        )


def at_once(calls: Iterable[Callable[[], _T]]) -> list[_T]:
    """Make several calls, some at the same time; what they give, in order."""
    with futures.ThreadPoolExecutor(AT_ONCE) as pool:
        started = [pool.submit(call) for call in calls]
    return [each.result() for each in started]


class FunctionalTestCase(testtools.TestCase):
    """A test on the sandbox, as the user of one of its clouds."""

    cloud_name = 'demo'

    def setUp(self) -> None:
        super().setUp()
        self.shell = Shell(self.cloud_name)
        self.env = self.shell.env

    def run_openstack(
        self, *args: str, cloud: str | None = None, **env: str
    ) -> Outcome:
        """Run the shell and give what it left behind."""
        return self.shell.run(*args, cloud=cloud, **env)

    def openstack(self, *args: str, cloud: str | None = None) -> str:
        """Run the shell, which must succeed, and give its output."""
        return self.shell.output(*args, cloud=cloud)

    def json(self, *args: str, cloud: str | None = None) -> Any:
        """Run the shell with ``-f json`` and give what it said."""
        return self.shell.json(*args, cloud=cloud)

    def fail_openstack(
        self, *args: str, cloud: str | None = None, status: int = 1
    ) -> str:
        """Run the shell, which must fail without a traceback; its errors."""
        return self.shell.run(*args, cloud=cloud).failed(status)

    def install_workbook(self, cloud: str | None = None) -> None:
        """Load the packaged workbook, if it is not loaded."""
        install_workbook(cloud or self.cloud_name)

    def create_schedule(
        self,
        *args: str,
        instance: str = 'm',
        pattern: str = ONCE_A_YEAR,
        name: str | None = None,
        cloud: str | None = None,
    ) -> dict[str, Any]:
        """Create a schedule that is deleted when the test ends."""
        made: dict[str, Any] = self.json(
            *SCHEDULE,
            'create',
            name or unique('schedule'),
            '--instance',
            instance,
            '--pattern',
            pattern,
            *args,
            cloud=cloud,
        )
        self.addCleanup(remove, made['id'], cloud or self.cloud_name)
        return made

    def add_trigger(
        self, values: Mapping[str, Any], cloud: str | None = None
    ) -> Any:
        """Have a plain Mistral client make a cron trigger, for this test.

        :param values: the workflow's input.
        """
        client = mistral(cloud or self.cloud_name)
        made = client.cron_triggers.create(
            unique('plain'),
            'trove.backup_create',
            pattern=ONCE_A_YEAR,
            workflow_input=dict(values),
        )
        self.addCleanup(client.cron_triggers.delete, made.id)
        return made


@functools.cache
def logged_in(cloud_name: str = 'demo') -> session.Session:
    """Give a session as the user of a cloud."""
    return cloud().session(cloud_name)


def schedules(
    cloud_name: str = 'demo',
) -> trove_backup_schedule.BackupSchedules:
    """Give the Python API, to prepare and to clean up with."""
    return trove_backup_schedule.BackupSchedules(logged_in(cloud_name))


def remove(schedule: str, cloud_name: str = 'demo') -> None:
    """Delete a schedule, if it is still there."""
    with contextlib.suppress(LookupError):
        schedules(cloud_name).schedule_delete(schedule)


def mistral(cloud_name: str = 'demo') -> Any:
    """Give a plain python-mistralclient client."""
    return mistral_client.Client(
        mistral_url=cloud().urls['workflowv2'],
        session=logged_in(cloud_name),
    )


def trove(cloud_name: str = 'demo') -> Any:
    """Give a plain python-troveclient client."""
    return trove_client.Client(
        session=logged_in(cloud_name), service_type='database'
    )


@functools.cache
def install_workbook(cloud_name: str = 'demo') -> None:
    """Load the packaged workbook in a cloud's project, once."""
    with locked('workbook'):
        schedules(cloud_name).workbook_install()


def add_instances(
    *prefixes: str,
    behaviour: str = seed.GOOD,
    cloud_name: str = 'demo',
) -> list[str]:
    """Add database instances that no other test has; their IDs."""
    user = seed.USERS[cloud_name]
    added = [
        seed.Instance(
            user.project, unique(each), behaviour, domain=user.domain
        )
        for each in prefixes
    ]
    with locked('instances'):
        cloud().add_instances(added)
    keys = [
        cloud().instance_ids(each.project, each.name, each.domain)[0]
        for each in added
    ]
    client = trove(cloud_name)

    def known(key: str) -> bool:
        try:
            return bool(client.instances.get(key))
        except trove_exceptions.NotFound:
            return False

    wait_until(lambda: all(map(known, keys)), 30)
    return keys


@contextlib.contextmanager
def locked(name: str) -> Iterator[None]:
    """Keep other processes of tests on the sandbox out meanwhile."""
    path = cloud().directory / f'tests-{name}.lock'
    with path.open('w') as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def unique(prefix: str) -> str:
    """Give a name that nothing else in the sandbox has."""
    return f'{prefix}-{uuid.uuid4().hex[:8]}'


def wait_until(
    condition: Callable[[], _T], seconds: float = FIRING_SECONDS
) -> _T:
    """Ask until the answer is true, and give it.

    :raises AssertionError: if it was not in time.
    """
    deadline = time.monotonic() + seconds
    while True:
        answer = condition()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(f'not within {seconds} s: {condition}')
        time.sleep(0.5)
