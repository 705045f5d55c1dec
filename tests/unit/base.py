# SPDX-License-Identifier: Apache-2.0

"""What the unit tests share: a cloud that exists on the wire only."""

from collections.abc import Iterable, Iterator
import contextlib
import http.client
import logging
from typing import Any
from urllib import parse

import fixtures
import hypothesis
from keystoneauth1 import fixture as ksa_fixture
from keystoneauth1 import plugin
from keystoneauth1 import session as ksa_session
from keystoneauth1.identity import v3
import requests
import requests_mock
import testtools
from urllib3 import connection
from urllib3 import exceptions as urllib3_exceptions

KEYSTONE = 'http://keystone.example/v3'
MISTRAL = 'http://mistral.example/v2'
TROVE = 'http://trove.example/v1.0/project'

PROJECT = '0a' * 16
OTHER_PROJECT = '0b' * 16

#: The public endpoint of each service type, in the region ``RegionOne``.
CATALOGUE = {'workflowv2': MISTRAL, 'database': TROVE}

#: The same examples at every run, and nothing kept on the disk.
STEADY = hypothesis.settings(
    derandomize=True,
    database=None,
    deadline=None,
    max_examples=100,
    # How fast a machine is, with whatever else it does, is no fault of a test.
    suppress_health_check=(hypothesis.HealthCheck.too_slow,),
)


def uid(number: int) -> str:
    """Give the UUID of a number, so that tests can name their objects."""
    return f'00000000-0000-4000-8000-{number:012x}'


def query(request: Any) -> dict[str, str]:
    """Give the query of a request that was sent, decoded."""
    return dict(
        parse.parse_qsl(
            parse.urlsplit(request.url).query, keep_blank_values=True
        )
    )


def refused() -> requests.ConnectionError:
    """Give what requests raises when nobody listens at an address."""
    never = urllib3_exceptions.NewConnectionError(
        connection.HTTPConnection('service.example'), 'Failed to connect'
    )
    never.__cause__ = ConnectionRefusedError(111, 'Connection refused')
    failure = requests.ConnectionError(never)
    failure.__context__ = never
    return failure


def dropped() -> requests.ConnectionError:
    """Give what requests raises when a connection breaks after it was up."""
    broken = urllib3_exceptions.ProtocolError('Connection aborted.')
    broken.__context__ = http.client.RemoteDisconnected('No response')
    failure = requests.ConnectionError(broken)
    failure.__context__ = broken
    return failure


class TestCase(testtools.TestCase):
    """No test may reach a network, wait for long or fill the log."""

    def setUp(self) -> None:
        super().setUp()
        self.useFixture(fixtures.Timeout(30, gentle=True))
        self.log = self.useFixture(fixtures.FakeLogger(level=logging.WARNING))
        self.http = requests_mock.Mocker()
        self.http.start()
        self.addCleanup(self.http.stop)

    @contextlib.contextmanager
    def case(self, *what: object) -> Iterator[None]:
        """Name the line of a table in the report of a failure."""
        try:
            yield
        except Exception as exc:
            exc.add_note(f'Case: {what!r}')
            raise

    def sent(self, service: str) -> list[Any]:
        """Give the requests that were sent to a service's URL, in order."""
        return [
            request
            for request in self.http.request_history
            if request.url.startswith(service)
        ]


class CloudTestCase(TestCase):
    """A Keystone that answers every login with one token."""

    def setUp(self) -> None:
        super().setUp()
        self.log_in()

    def log_in(
        self,
        roles: Iterable[str] = ('member',),
        services: Iterable[str] = tuple(CATALOGUE),
    ) -> ksa_fixture.V3Token:
        """Choose what the token of every login from now on says."""
        token = ksa_fixture.V3Token(project_id=PROJECT)
        token.set_project_scope(id=PROJECT)
        for role in roles:
            token.add_role(role)
        for service_type in services:
            token.add_service(service_type).add_standard_endpoints(
                public=CATALOGUE[service_type],
                internal=CATALOGUE[service_type].replace(
                    '.example', '.internal'
                ),
                region='RegionOne',
            )
        self.http.post(
            f'{KEYSTONE}/auth/tokens',
            json=token,
            headers={'X-Subject-Token': 'token-of-login'},
        )
        return token

    def session(
        self, auth: plugin.BaseAuthPlugin | None = None
    ) -> ksa_session.Session:
        """Make a session, by default with a password and domains."""
        return ksa_session.Session(
            auth
            or v3.Password(
                KEYSTONE,
                username='alice',
                password='secret',
                user_domain_name='Users',
                project_name='shop',
                project_domain_name='Projects',
            )
        )
