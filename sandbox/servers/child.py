# SPDX-License-Identifier: Apache-2.0
"""What every server process does first.

Only the standard library, and of it only what is harmless to load before
Trove's process patches it.
"""

import _thread
import os
import pathlib
import signal
import sqlite3
import sys

KEEP = b'k'
"""Sent to a server that is to outlive the process which started it."""


def begin() -> pathlib.Path:
    """Tie this process to its parent and return the sandbox's directory.

    The command line is ``DIRECTORY LIFELINE``. The lifeline is the read
    end of a pipe that the starting process holds open: when that process
    dies, however hard, the pipe ends and this process ends with it.
    """
    directory, lifeline = sys.argv[1:]
    # An inherited SIG_IGN (as under nohup) would make us hard to stop.
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    _thread.start_new_thread(_watch, (int(lifeline),))
    return pathlib.Path(directory)


def _watch(lifeline: int) -> None:
    # The call is made at once, before eventlet could replace it.
    if os.read(lifeline, 1) != KEEP:
        os.kill(os.getpid(), signal.SIGKILL)


def new_database(path: pathlib.Path) -> bool:
    """Tell whether a database still has to be filled.

    Whatever an interrupted start left behind is thrown away.
    """
    if _marker(path).exists():
        return False
    for name in (path.name, f'{path.name}-wal', f'{path.name}-shm'):
        path.with_name(name).unlink(missing_ok=True)
    connection = sqlite3.connect(path)
    # Readers and the writer then do not lock each other out. The mode is
    # kept in the file.
    connection.execute('PRAGMA journal_mode=WAL')
    connection.close()
    return True


def filled(path: pathlib.Path) -> None:
    """Note that a database is complete."""
    _marker(path).touch()


def _marker(path: pathlib.Path) -> pathlib.Path:
    return path.with_name(f'{path.name}.complete')
