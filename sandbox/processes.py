# SPDX-License-Identifier: Apache-2.0
"""The server processes: start them, find them, end them.

There is no file of process ids that could point to a stranger. A server
is known by its command line, which names its module and its directory.
"""

from collections.abc import Iterator
import contextlib
import os
import pathlib
import signal
import site
import subprocess
import sys
import threading

import psutil

from sandbox import settings
from sandbox.servers import child

TERM_SECONDS = 3
"""How long a server has to follow SIGTERM before SIGKILL."""

_PACKAGE = pathlib.Path(__file__).resolve().parent


def find(directory: pathlib.Path) -> dict[str, psutil.Process]:
    """Return the running servers of the sandbox in a directory."""
    modules = {f'sandbox.servers.{name}': name for name in settings.SERVERS}
    found = {}
    for process in psutil.process_iter(['cmdline', 'uids', 'status']):
        match process.info['cmdline']:
            case [*_, '-m', module, place, _] if (
                module in modules
                and place == str(directory)
                and process.info['uids'].real == os.getuid()
                and process.info['status'] != psutil.STATUS_ZOMBIE
            ):
                found[modules[module]] = process
    return found


def end(directory: pathlib.Path) -> bool:
    """End the servers of a directory and return whether there were any."""
    any_found = False
    with _uninterrupted():
        while found := list(find(directory).values()):
            any_found = True
            for process in found:
                with contextlib.suppress(psutil.NoSuchProcess):
                    # psutil makes sure that the id is still the same
                    # process's.
                    process.terminate()
            _, alive = psutil.wait_procs(found, timeout=TERM_SECONDS)
            for process in alive:
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.kill()
            psutil.wait_procs(alive, timeout=TERM_SECONDS)
    return any_found


@contextlib.contextmanager
def _uninterrupted() -> Iterator[None]:
    """Let no second Ctrl-C leave the work of the first half done."""
    if threading.current_thread() is not threading.main_thread():
        # Signals never reach another thread, nor may it handle them.
        yield
        return
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, signal.SIG_IGN) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


class Children:
    """The servers, as long as the process that started them is there."""

    def __init__(self, layout: settings.Layout) -> None:
        self._layout = layout
        self._started: dict[str, subprocess.Popen[bytes]] = {}
        # The servers hold the read end: they die when the write end
        # closes, be it by our death.
        self._read_end, self._write_end = os.pipe()

    def start(self) -> None:
        """Start all servers."""
        for name in settings.SERVERS:
            with self._layout.log(name).open('ab') as log:
                self._started[name] = subprocess.Popen(
                    [
                        sys.executable,
                        '-m',
                        f'sandbox.servers.{name}',
                        str(self._layout.directory),
                        str(self._read_end),
                    ],
                    # Where "-m" finds this package.
                    cwd=_PACKAGE.parent,
                    env=self._environment(),
                    pass_fds=[self._read_end],
                    # Ctrl-C in the terminal is for us alone.
                    start_new_session=True,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                )

    def ended(self) -> dict[str, int]:
        """Return the exit status of each server that has ended."""
        return {
            name: status
            for name, process in self._started.items()
            if (status := process.poll()) is not None
        }

    def release(self) -> None:
        """Let the servers outlive this process."""
        os.write(self._write_end, child.KEEP * len(self._started))

    def reap(self) -> None:
        """Take leave of servers that have ended or are just about to.

        Closing the lifeline ends one that an interrupt has made us lose
        between its birth and its being found.
        """
        os.close(self._write_end)
        os.close(self._read_end)
        for process in self._started.values():
            process.wait()

    def _environment(self) -> dict[str, str]:
        """Return our environment without what could lead servers astray."""
        unwanted = ('OS_', 'PYTHON', 'EVENTLET_', 'NO_EVENTLET')
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(unwanted)
            and not name.lower().endswith('_proxy')
        }
        return {
            **kept,
            # Mistral can run SSH, and must not find the user's keys.
            'HOME': str(self._layout.directory),
            # Packages may be installed under the real home.
            'PYTHONUSERBASE': site.getuserbase(),
            'PYTHONUNBUFFERED': '1',
            'TMPDIR': str(self._layout.temporary),
            'TZ': 'UTC',
        }
