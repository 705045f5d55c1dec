# SPDX-License-Identifier: Apache-2.0
"""Wait until the servers of a sandbox work, and tell why they do not."""

from collections.abc import Callable, Mapping
import pathlib
import time

from keystoneauth1 import exceptions
from keystoneauth1 import identity
from keystoneauth1 import session
import requests

from sandbox import processes
from sandbox import seed
from sandbox import settings
from sandbox.errors import SandboxError

START_SECONDS = 180
"""How long a server may take to answer."""

LAST_LINES = 15
"""How many lines of the log of a server that died are shown."""


def log_in(layout: settings.Layout, cloud: str) -> session.Session:
    """Return a session of the user of a cloud."""
    user = seed.USERS[cloud]
    return session.Session(
        auth=identity.V3Password(
            settings.urls(settings.ports(layout))['identity'],
            username=user.name,
            password=settings.password(layout, user),
            project_name=user.project,
            user_domain_name=user.domain,
            project_domain_name=user.domain,
        ),
        session=_without_proxy(),
    )


def obituary(log: pathlib.Path, status: int | None = None) -> str:
    """Return a message about a server that has ended by itself."""
    lines = log.read_text('utf-8', 'replace').splitlines()
    last = '\n'.join(f'  {line}' for line in lines[-LAST_LINES:])
    how = '' if status is None else f' (exit status {status})'
    return f'{log.stem} has died{how}. The end of its log, {log}:\n{last}'


class Startup:
    """The time from the first process until everything works."""

    def __init__(
        self,
        layout: settings.Layout,
        children: processes.Children,
        report: Callable[[str], None],
    ) -> None:
        self._layout = layout
        self._children = children
        self._report = report
        self._began = time.monotonic()

    def wait(self) -> None:
        """Return when every service has done some work.

        :raises SandboxError: if one cannot.
        """
        self._wait_for_answers(settings.ports(self._layout))
        try:
            self._try_out()
        except (
            exceptions.ClientException,
            requests.RequestException,
        ) as exc:
            self._check()
            raise SandboxError(
                f'The servers run but do not work together ({exc}); their'
                f' logs are in {self._layout.log("").parent}.'
            ) from exc

    def _wait_for_answers(self, ports: Mapping[str, int]) -> None:
        pending = dict(ports)
        with _without_proxy() as http:
            while pending:
                for name, port in list(pending.items()):
                    if _answers(http, port):
                        del pending[name]
                        self._say(f'{name} answers')
                self._check()
                self._check_time(pending)
                time.sleep(0.1)

    def _check(self) -> None:
        for name, status in self._children.ended().items():
            raise SandboxError(obituary(self._layout.log(name), status))

    def _check_time(self, pending: Mapping[str, int]) -> None:
        late = time.monotonic() - self._began > START_SECONDS
        for name in pending if late else ():
            raise SandboxError(
                f'{name} does not answer after {START_SECONDS} s; its log'
                f' is {self._layout.log(name)}.'
            )

    def _try_out(self) -> None:
        # The first request to each makes it load much of its code.
        user = log_in(self._layout, 'demo')
        project = user.get_project_id()
        self._say('keystone logs users in')
        urls = settings.urls(settings.ports(self._layout))
        user.get(f'{urls["workflowv2"]}/cron_triggers')
        self._say('mistral lists cron triggers')
        user.get(f'{urls["database"]}/instances' % {'tenant_id': project})
        self._say('trove lists instances')

    def _say(self, text: str) -> None:
        self._report(f'{time.monotonic() - self._began:6.1f} s  {text}')


def _answers(http: requests.Session, port: int) -> bool:
    try:
        http.get(f'http://{settings.HOST}:{port}/', timeout=5)
    except requests.RequestException:
        return False
    # Refusing a request is an answer too.
    return True


def _without_proxy() -> requests.Session:
    """Return an HTTP session that heeds no variable of the environment."""
    http = requests.Session()
    http.trust_env = False
    return http
