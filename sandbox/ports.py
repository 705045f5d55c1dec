# SPDX-License-Identifier: Apache-2.0
"""Choose the ports of the servers."""

from collections.abc import Mapping
import contextlib
import socket

from sandbox import settings
from sandbox.errors import SandboxError

LOWEST = 1024
HIGHEST = 65536 - len(settings.SERVERS)


def choose(base: int, last: Mapping[str, int]) -> dict[str, int]:
    """Return a free port for each server.

    :param base: the first of four in a row, or 0 for any free ones.
    :param last: the ports of the last run, if any, taken again when free.
    :raises SandboxError: if a port is in use.
    """
    if base:
        if not LOWEST <= base <= HIGHEST:
            raise SandboxError(
                f'--port {base} will not do: give 0 or a number from'
                f' {LOWEST} to {HIGHEST}.'
            )
        chosen = {
            name: base + number for number, name in enumerate(settings.SERVERS)
        }
        for name, port in chosen.items():
            if not _is_free(port):
                raise SandboxError(
                    f'Port {port} (for {name}) is in use: stop what is'
                    ' listening there, or give another --port, or --port 0'
                    ' for any free ones.'
                )
        return chosen
    if last and all(map(_is_free, last.values())):
        return dict(last)
    # All are held open at once, so no two are the same.
    with contextlib.ExitStack() as stack:
        sockets = [
            stack.enter_context(socket.socket()) for _ in settings.SERVERS
        ]
        for one in sockets:
            one.bind((settings.HOST, 0))
        return {
            name: int(one.getsockname()[1])
            for name, one in zip(settings.SERVERS, sockets, strict=True)
        }


def _is_free(port: int) -> bool:
    with socket.socket() as one:
        # As the servers do: what is left of old connections is no bar.
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            one.bind((settings.HOST, port))
        except OSError:
            return False
    return True
