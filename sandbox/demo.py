# SPDX-License-Identifier: Apache-2.0
"""See a scheduled backup happen: the specification's session, for real.

A sandbox is started for it and stopped after it. What is shown is the output
of the real ``openstack`` command, and each step is checked.
"""

from collections.abc import Callable
import datetime
import json
import pathlib
import shlex
import subprocess
import sys
import tempfile
import time
from typing import Any

from sandbox.cloud import Sandbox
from sandbox.errors import SandboxError

OPENSTACK = str(pathlib.Path(sys.executable).with_name('openstack'))

#: Seconds in which the schedule must have made a backup. It fires every
#: minute, and the guest takes a few seconds.
PATIENCE = 120


_RUNS = ('database', 'backup', 'execution', 'list', 'myback')

# What is shown of a run, and of the health of a schedule.
_SHORT = (
    *('-c', 'Execution Time', '-c', 'State', '-c', 'Duration'),
    *('-c', 'Backup Name', '-c', 'Backup Status'),
)
_VERDICT = (
    *('-c', 'Name', '-c', 'Verdict', '-c', 'Reason', '-c', 'Missed Runs'),
    *('-c', 'Next Run'),
)


class DemoError(Exception):
    """A step did not give what it must."""


class Demo:
    """The session, as the user of one cloud of a sandbox."""

    def __init__(self, environment: dict[str, str]) -> None:
        self._environment = environment

    def run(self) -> None:
        """Take all steps.

        :raises DemoError: at the first that goes wrong.
        """
        self._say('Load the workflow that makes one backup')
        self._show('database', 'backup', 'workbook', 'install')

        self._say('Back up "m" every minute, and keep the newest backup only')
        schedule = ('database', 'backup', 'schedule')
        self._show(
            *schedule, 'create', 'myback', '--instance', 'm',
            '--pattern', '* * * * *', '--keep', '1',
        )  # fmt: skip
        listed = self._ask(*schedule, 'list', '--instance', 'm')
        if [each['Name'] for each in listed] != ['myback']:
            raise DemoError('The schedule is not in the list.')
        self._show(*schedule, 'list', '--instance', 'm')

        shown = self._ask(*schedule, 'show', 'myback')
        due = datetime.datetime.fromisoformat(shown['next_execution_time'])
        self._say('Wait for it: nobody is logged in, Mistral acts by a trust')
        self._wait(due)
        self._show(*_RUNS, *_SHORT)
        first = self._backups()

        self._say('From now on once a day; the schedule stays the same')
        self._show(
            *schedule, 'set', 'myback', '--pattern', '@daily', '--spread',
            '-c', 'id', '-c', 'pattern', '-c', 'pattern_meaning',
            '-c', 'next_runs',
        )  # fmt: skip

        self._say('Make one more now; then the first has had its time')
        self._show(
            *schedule, 'run', 'myback', '--wait',
            '-c', 'backup_name', '-c', 'backup_status', '-c', 'output',
        )  # fmt: skip
        self._show('database', 'backup', 'list', '--instance', 'm')
        second = self._backups()
        if not second or second & first:
            raise DemoError('The first backup is still there.')

        self._say('Is the data safe?')
        self._show(*schedule, 'check', 'myback', *_VERDICT)

        self._say('Delete the schedule; its backups stay')
        self._show(*schedule, 'delete', 'myback')
        if self._ask(*schedule, 'list'):
            raise DemoError('The schedule is still in the list.')
        if not second <= self._backups():
            raise DemoError('A backup went with the schedule.')

    def _backups(self) -> set[str]:
        """Give the IDs of the complete backups of the schedule."""
        backups = self._ask('database', 'backup', 'list', '--instance', 'm')
        found = {
            str(each['ID'])
            for each in backups
            if each['Name'].startswith('myback-')
            and each['Status'] == 'COMPLETED'
        }
        if not found:
            raise DemoError('There is no complete backup.')
        return found

    def _wait(self, due: datetime.datetime) -> None:
        def state() -> str:
            runs = self._ask(*_RUNS)
            return str(runs[-1]['State']) if runs else 'not started'

        progress = Progress(sys.stdout.isatty())
        # There is nothing to ask for before it is due.
        while (now := datetime.datetime.now(datetime.UTC)) < due:
            seconds = (due - now).total_seconds()
            progress(f'It is due at {due:%H:%M:%S} UTC, in {seconds:.0f} s.')
            time.sleep(min(1.0, seconds))
        until_success(state, progress)
        progress.end()

    def _show(self, *arguments: str) -> None:
        """Run a command and show it with its output."""
        print(f'$ openstack {shlex.join(arguments)}', flush=True)
        ended = self._call(arguments, subprocess.STDOUT)
        print(ended.stdout, end='', flush=True)
        if ended.returncode:
            raise DemoError(f'It ended with status {ended.returncode}.')

    def _ask(self, *arguments: str) -> Any:
        """Run a command for what it knows."""
        ended = self._call((*arguments, '-f', 'json'), subprocess.PIPE)
        if ended.returncode:
            raise DemoError(
                f'openstack {shlex.join(arguments)}: {ended.stderr}'
            )
        return json.loads(ended.stdout)

    def _call(
        self, arguments: tuple[str, ...], errors: int
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [OPENSTACK, *arguments],
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            timeout=PATIENCE,
            check=False,
        )

    def _say(self, text: str) -> None:
        print(f'\n# {text}', flush=True)


class Progress:
    """One line that changes on a terminal; some lines elsewhere."""

    EVERY = 15.0

    def __init__(self, terminal: bool) -> None:
        self._terminal = terminal
        self._next = 0.0

    def __call__(self, text: str) -> None:
        """Show what is going on."""
        if self._terminal:
            print(f'\r\033[K{text}', end='', flush=True)
        elif time.monotonic() >= self._next:
            print(text, flush=True)
            self._next = time.monotonic() + self.EVERY

    def end(self) -> None:
        """Leave the line."""
        if self._terminal:
            print('\r\033[K', end='', flush=True)


def until_success(state: Callable[[], str], progress: Progress) -> None:
    """Ask for the state of the first run until it is SUCCESS.

    :raises DemoError: if it ends otherwise, or not in time.
    """
    began = time.monotonic()
    while (now := state()) != 'SUCCESS':
        waited = time.monotonic() - began
        if now == 'ERROR' or waited > PATIENCE:
            raise DemoError(f'The run is {now} after {waited:.0f} s.')
        progress(f'The run is {now} ({waited:.0f} s).')


def main() -> int:
    """Run the demonstration and return its exit status."""
    began = time.monotonic()
    print('Starting Keystone, Mistral and Trove on 127.0.0.1 ...', flush=True)
    try:
        with (
            tempfile.TemporaryDirectory() as directory,
            Sandbox(pathlib.Path(directory), report=print) as sandbox,
        ):
            Demo(sandbox.environment()).run()
            print('\nStopping the sandbox ...', flush=True)
    except (DemoError, SandboxError, subprocess.TimeoutExpired) as exc:
        print(f'\nThe demonstration FAILED: {exc}', file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print('\nInterrupted.', file=sys.stderr)
        return 130
    print(
        f'The demonstration passed in {time.monotonic() - began:.0f} seconds.'
    )
    return 0


if __name__ == '__main__':
    sys.exit(main())
