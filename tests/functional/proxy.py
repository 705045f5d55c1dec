# SPDX-License-Identifier: Apache-2.0

"""Servers that stand between a command and a service, or in its place."""

from collections.abc import Callable
import http.server
import json
import pathlib
import socket
import threading
from typing import Any

import fixtures
import requests

from tests.functional import base

Respond = Callable[['Handler', bytes], None]


class Handler(http.server.BaseHTTPRequestHandler):
    """Leaves each request to the server's function, and writes no log."""

    server: 'Server'

    def answer(self) -> None:
        """Answer any request."""
        length = int(self.headers.get('content-length', 0))
        self.server.respond(self, self.rfile.read(length))

    do_GET = do_POST = do_DELETE = answer

    def send(self, status: int, body: bytes, content_type: str) -> None:
        """Send an answer."""
        self.send_response(status)
        self.send_header('content-type', content_type)
        self.send_header('content-length', str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def hang_up(self) -> None:
        """Close the connection without an answer."""
        self.connection.shutdown(socket.SHUT_RDWR)
        self.close_connection = True

    def log_message(self, *args: Any) -> None:
        """Say nothing."""


class Server(http.server.ThreadingHTTPServer):
    """A server in a thread, that answers by a function."""

    def __init__(self, respond: Respond) -> None:
        super().__init__(('127.0.0.1', 0), Handler)
        self.respond = respond
        self._thread = threading.Thread(target=self.serve_forever)
        self._thread.start()

    def end(self) -> None:
        """Stop it."""
        self.shutdown()
        self._thread.join()
        self.server_close()


def say_to(
    status: int, body: str, content_type: str = 'text/html'
) -> Callable[[Handler], None]:
    """Make a function that gives one the same answer as everybody."""
    return lambda handler: handler.send(status, body.encode(), content_type)


def say(status: int, body: str, content_type: str = 'text/html') -> Respond:
    """Make a function that always gives the same answer."""
    return lambda handler, _: handler.send(status, body.encode(), content_type)


def forward(handler: Handler, body: bytes) -> requests.Response:
    """Pass a request on to Mistral, and give its answer."""
    mistral = base.cloud().urls['workflowv2'].removesuffix('/v2')
    kept = ('x-auth-token', 'content-type', 'accept')
    return requests.request(
        handler.command,
        mistral + handler.path,
        data=body,
        headers={
            name: handler.headers[name]
            for name in kept
            if name in handler.headers
        },
        timeout=30,
    )


def answer(handler: Handler, response: requests.Response) -> None:
    """Give an answer of Mistral to the one who asked."""
    handler.send(
        response.status_code,
        response.content,
        response.headers.get('content-type', 'text/plain'),
    )


class ProxyTestCase(base.FunctionalTestCase):
    """Tests with servers, and with clouds of their own that lead to them."""

    def setUp(self) -> None:
        super().setUp()
        clouds = json.loads(base.cloud().clouds_yaml.read_text('utf-8'))
        self.template: dict[str, Any] = clouds['clouds']['demo']
        self.path = pathlib.Path(
            self.useFixture(fixtures.TempDir()).path, 'clouds.yaml'
        )
        self.clouds: dict[str, dict[str, Any]] = {}
        self.shell.env['OS_CLIENT_CONFIG_FILE'] = str(self.path)

    def add_cloud(self, name: str, **settings: str) -> None:
        """Add a cloud that is like demo but for these settings."""
        self.clouds[name] = self.template | settings
        self.path.write_text(json.dumps({'clouds': self.clouds}), 'utf-8')

    def serve(self, respond: Respond) -> str:
        """Start a server, and give its URL."""
        server = Server(respond)
        self.addCleanup(server.end)
        return f'http://127.0.0.1:{server.server_port}'
