# SPDX-License-Identifier: Apache-2.0

"""Services that answer wrongly, or not at all."""

import functools
import json
import socket

from tests.functional import base
from tests.functional import proxy

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


class Proxy:
    """Passes requests on to Mistral, and loses the answer to a creation.

    :param before: lose the request too.
    :param status: the answer in place of Mistral's, or none.
    """

    def __init__(self, *, before: bool = False, status: int = 0) -> None:
        self._before = before
        self._status = status
        self.creations = 0

    def __call__(self, handler: proxy.Handler, body: bytes) -> None:
        creation = handler.command == 'POST'
        self.creations += creation
        if creation and self._before:
            handler.hang_up()
            return
        response = proxy.forward(handler, body)
        if not creation:
            proxy.answer(handler, response)
        elif self._status:
            handler.send(self._status, HTML.encode(), 'text/html')
        else:
            handler.hang_up()


class AnswerTests(proxy.ProxyTestCase):
    """Each fault is told in a sentence or two, with the service's name."""

    def check(
        self, service: str, option: str, path: str, *command: str
    ) -> None:
        """Run a command with every fault of a service."""
        with socket.create_server(('127.0.0.1', 0)) as closed:
            unused = f'http://127.0.0.1:{closed.getsockname()[1]}'
        faults = {
            'HTTP 500': self.serve(proxy.say(500, HTML)),
            'HTTP 403': self.serve(proxy.say(403, HTML)),
            'HTTP 401': self.serve(
                proxy.say(401, UNAUTHORIZED, 'application/json')
            ),
            "can't be understood": self.serve(proxy.say(200, HTML)),
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


class LostAnswerTests(proxy.ProxyTestCase):
    """The connection breaks while a schedule is being created."""

    def setUp(self) -> None:
        super().setUp()
        self.install_workbook()
        self.name = base.unique('lost')

    def create(self, loser: Proxy) -> base.Outcome:
        """Create a schedule through a proxy."""
        self.add_cloud(
            'proxy', workflowv2_endpoint_override=self.serve(loser) + '/v2'
        )
        outcome = self.run_openstack(
            *(*base.SCHEDULE, 'create', self.name, '--instance', 'm'),
            *('--pattern', base.ONCE_A_YEAR, '-f', 'json'),
            cloud='proxy',
        )
        for each in self.made():
            self.addCleanup(base.remove, each)
        self.assertEqual(1, loser.creations)
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
