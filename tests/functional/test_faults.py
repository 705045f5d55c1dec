# SPDX-License-Identifier: Apache-2.0

"""Services that answer wrongly, or not at all."""

from collections.abc import Callable
import functools
import http.server
import json
import pathlib
import socket
import threading
from typing import Any

import fixtures
import requests

from tests.functional import base

HTML = '<html><body><h1>A page of a proxy</h1></body></html>'

#: As Keystone's middleware has it.
UNAUTHORIZED = json.dumps(
    {
        'error': {
            'code': 401,
            'title': 'Unauthorized',
            'message': 'The request you have made requires authentication.',
        }
    }
)


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


def say(status: int, body: str, content_type: str = 'text/html') -> Respond:
    """Make a function that always gives the same answer."""
    return lambda handler, _: handler.send(status, body.encode(), content_type)


class Proxy:
    """Passes requests on to Mistral, and loses the answer to a creation.

    :param before: lose the request too.
    :param status: the answer in place of Mistral's, or none.
    """

    def __init__(self, *, before: bool = False, status: int = 0) -> None:
        self._before = before
        self._status = status
        self.creations = 0

    def __call__(self, handler: Handler, body: bytes) -> None:
        creation = handler.command == 'POST'
        self.creations += creation
        if creation and self._before:
            handler.hang_up()
            return
        mistral = base.cloud().urls['workflowv2'].removesuffix('/v2')
        kept = ('x-auth-token', 'content-type', 'accept')
        answer = requests.request(
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
        if not creation:
            handler.send(
                answer.status_code,
                answer.content,
                answer.headers['content-type'],
            )
        elif self._status:
            handler.send(self._status, HTML.encode(), 'text/html')
        else:
            handler.hang_up()


class FaultTestCase(base.FunctionalTestCase):
    """Tests with clouds of their own."""

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


class AnswerTests(FaultTestCase):
    """Each fault is told in a sentence or two, with the service's name."""

    def check(
        self, service: str, option: str, path: str, *command: str
    ) -> None:
        """Run a command with every fault of a service."""
        with socket.create_server(('127.0.0.1', 0)) as closed:
            unused = f'http://127.0.0.1:{closed.getsockname()[1]}'
        faults = {
            'HTTP 500': self.serve(say(500, HTML)),
            'HTTP 403': self.serve(say(403, HTML)),
            'HTTP 401': self.serve(say(401, UNAUTHORIZED, 'application/json')),
            "can't be understood": self.serve(say(200, HTML)),
            unused: unused,
        }
        for words, url in faults.items():
            self.add_cloud(words, **{option: url + path})
        outcomes = base.at_once(
            functools.partial(self.run_openstack, *command, cloud=words)
            for words in faults
        )
        for words, outcome in zip(faults, outcomes, strict=True):
            message = outcome.failed()
            self.assertIn(words, message)
            self.assertIn(service, message)
            self.assertNotIn('<', message)
            self.assertEqual(1, message.count('\n'), message)
            self.assertLess(len(message), 300, message)
            self.assertEqual('', outcome.stdout)

    def test_mistral(self) -> None:
        """Faults of Mistral."""
        self.check(
            'Mistral',
            'workflowv2_endpoint_override',
            '/v2',
            *(*base.SCHEDULE, 'list'),
        )

    def test_trove(self) -> None:
        """Faults of Trove."""
        self.check(
            'Trove',
            'database_endpoint_override',
            '/v1.0/x',
            *(*base.SCHEDULE, 'list', '--instance', 'm'),
        )

    def test_catalogue(self) -> None:
        """A region where there is no such service."""
        self.add_cloud('elsewhere', region_name='Nowhere')
        message = self.fail_openstack(
            *base.SCHEDULE, 'list', cloud='elsewhere'
        )
        self.assertIn('Mistral is not in the service catalogue', message)
        self.assertIn('region', message)


class LostAnswerTests(FaultTestCase):
    """The connection breaks while a schedule is being created."""

    def setUp(self) -> None:
        super().setUp()
        self.install_workbook()
        self.name = base.unique('lost')

    def create(self, proxy: Proxy) -> base.Outcome:
        """Create a schedule through a proxy."""
        self.add_cloud(
            'proxy', workflowv2_endpoint_override=self.serve(proxy) + '/v2'
        )
        outcome = self.run_openstack(
            *(*base.SCHEDULE, 'create', self.name, '--instance', 'm'),
            *('--pattern', base.ONCE_A_YEAR, '-f', 'json'),
            cloud='proxy',
        )
        for each in self.made():
            self.addCleanup(base.remove, each)
        self.assertEqual(1, proxy.creations)
        return outcome

    def made(self) -> list[str]:
        """Give the IDs of the schedules of this name."""
        return [
            each.id
            for each in base.schedules().schedule_list()
            if each.name == self.name
        ]

    def test_dropped(self) -> None:
        """Mistral has acted, and the answer is lost: that's a success."""
        outcome = self.create(Proxy())
        made = json.loads(outcome.succeeded())
        self.assertEqual([made['id']], self.made())

    def test_bad_gateway(self) -> None:
        """Mistral has acted, and a proxy says that it hasn't."""
        outcome = self.create(Proxy(status=502))
        made = json.loads(outcome.succeeded())
        self.assertEqual([made['id']], self.made())

    def test_not_acted(self) -> None:
        """The request was lost: the doubt is told, and nothing was made."""
        message = self.create(Proxy(before=True)).failed()
        warning, error = message.strip().splitlines()
        self.assertIn('It is not known whether Mistral has created', warning)
        self.assertIn('broke before it answered', error)
        self.assertEqual([], self.made())
