# SPDX-License-Identifier: Apache-2.0
"""Messages inside Trove's process, without a broker and without polling.

oslo.messaging sets the polling interval of kombu's own in-memory
transport to zero, which keeps a processor busy for ever. Here a consumer
sleeps until a message for one of its queues arrives.
"""

import importlib
import queue
import threading
import time
from typing import Any

import kombu.transport

# Not by an import statement: kombu has types, but few and in part wrong.
memory: Any = importlib.import_module('kombu.transport.memory')

IDLE_SECONDS = 0.5
"""How long a consumer that would ask again at once may sleep."""

# oslo.messaging's own limit for this transport. It asks for less only
# while it has something else to do soon, such as acknowledging.
_ASKED_WHEN_IDLE = 0.05

_bells: dict[str, threading.Event] = {}


def install() -> None:
    """Make this the transport behind ``kombu+memory://``."""
    kombu.transport.TRANSPORT_ALIASES['memory'] = f'{__name__}:Transport'


class Channel(memory.Channel):
    """A channel that wakes up whoever consumes a queue."""

    def basic_consume(self, queue: str, *args: Any, **kwargs: Any) -> None:
        """Consume from a queue, and sleep on its bell from now on."""
        _bells[queue] = self.connection.bell
        super().basic_consume(queue, *args, **kwargs)
        # It may hold messages already.
        self.connection.bell.set()

    def _put(self, queue: str, message: Any, **kwargs: Any) -> None:
        super()._put(queue, message, **kwargs)
        _ring(queue)

    def _put_fanout(
        self,
        exchange: str,
        message: Any,
        routing_key: str | None = None,
        **kwargs: Any,
    ) -> None:
        super()._put_fanout(exchange, message, routing_key, **kwargs)
        for name in self._lookup(exchange, routing_key):
            _ring(name)


class Transport(memory.Transport):
    """A connection: in oslo.messaging each consumer has its own."""

    Channel = Channel

    def __init__(self, client: Any, **kwargs: Any) -> None:
        super().__init__(client, **kwargs)
        self.bell = threading.Event()

    def drain_events(
        self, connection: Any, timeout: float | None = None
    ) -> None:
        """Deliver one message, or raise TimeoutError."""
        if timeout is None or timeout >= _ASKED_WHEN_IDLE:
            timeout = IDLE_SECONDS
        end = time.monotonic() + timeout
        while True:
            # Before looking: what comes while we look rings it again.
            self.bell.clear()
            try:
                self.cycle.get(self._deliver, timeout=timeout)
            except queue.Empty:
                left = end - time.monotonic()
                if left <= 0:
                    raise TimeoutError from None
                self.bell.wait(left)
            else:
                # There may be more.
                self.bell.set()
                return


def _ring(name: str) -> None:
    bell = _bells.get(name)
    if bell:
        bell.set()
