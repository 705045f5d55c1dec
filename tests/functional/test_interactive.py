# SPDX-License-Identifier: Apache-2.0

"""The real ``openstack`` shell at a terminal, and fed from a pipe."""

import os
import socket
import subprocess
import time
from typing import Any

import pexpect

from tests.functional import base

SHOW = 'database backup schedule show '
# What cliff calls its prompt, and what cmd2 4 makes of it. Spaces are not
# to be relied on: the terminal may be told to move on instead.
PROMPT = r'\((openstack|Cmd)\)'
# A Tab waits 1.5 s for the cloud, and this machine may be busy.
SOON = 4


class InteractiveTestCase(base.FunctionalTestCase):
    """A shell at a terminal of 80 columns."""

    def start(self, **env: str) -> Any:
        """Start the shell."""
        env = {
            **(env or self.env),
            'TERM': 'xterm',
            # Nothing here would answer when it asks where the cursor is.
            'PROMPT_TOOLKIT_NO_CPR': '1',
            'NO_COLOR': '1',
        }
        shell = pexpect.spawn(
            base.OPENSTACK,
            env=env,
            encoding='utf-8',
            dimensions=(24, 80),
            timeout=30,
        )
        self.addCleanup(shell.close, force=True)
        shell.expect(PROMPT)
        return shell

    def leave(self, shell: Any) -> None:
        """End the shell."""
        shell.send('\x15quit\r')
        shell.expect(pexpect.EOF, timeout=SOON)

    def run_piped(self, lines: str) -> str:
        """Feed a shell from a pipe, and give its errors."""
        return subprocess.run(
            [base.OPENSTACK],
            input=lines,
            env=self.env,
            capture_output=True,
            check=False,
            text=True,
            timeout=120,
        ).stderr

    def create_line(self, name: str) -> str:
        """Give a line that creates a schedule which is deleted at the end."""
        self.install_workbook()
        self.addCleanup(
            self.run_openstack,
            *('database', 'backup', 'schedule', 'delete', name),
        )
        return (
            f'database backup schedule create "{name}" --instance m '
            f'--pattern "{base.ONCE_A_YEAR}"'
        )

    def assert_created(self, name: str) -> None:
        """Check that there is a schedule, and that it has its pattern."""
        self.assertIn(
            base.ONCE_A_YEAR, self.json(*SHOW.split(), name).values()
        )


class TerminalTests(InteractiveTestCase):
    """With a cloud that answers."""

    def test_quotes(self) -> None:
        name = base.unique('at three')
        shell = self.start()
        shell.sendline(self.create_line(name))
        shell.expect(r'\+\r\n')
        shell.expect(PROMPT)
        self.leave(shell)
        self.assert_created(name)

    def test_words(self) -> None:
        shell = self.start()
        for typed, rest in (
            ('datab', 'ase'),
            ('ba', 'ckup'),
            ('sch', 'edule'),
            ('li', 'st'),
            ('--form', 'at'),
            ('js', 'on'),
        ):
            shell.send(f'{typed}\t')
            shell.expect_exact(typed)
            shell.expect_exact(rest, timeout=SOON)
        shell.sendline()
        shell.expect_exact('[')
        shell.expect_exact(']')
        shell.expect(PROMPT)
        self.leave(shell)

    def test_menu(self) -> None:
        shell = self.start()
        shell.send('database backup schedule \t')
        # They stand in columns.
        words = {'apply', 'create', 'delete', 'list', 'set', 'show'}
        while words:
            asked = sorted(words)
            words.remove(asked[shell.expect_exact(asked, timeout=SOON)])
        self.leave(shell)

    def test_value_before_any_command(self) -> None:
        begin = base.unique('s')
        name = f'{begin} with a space'
        self.create_schedule(name=name)
        shell = self.start()
        shell.send(f'{SHOW}"{begin}\t')
        # Should the cloud be late for the first Tab, it is not for another.
        if shell.expect_exact(['space', pexpect.TIMEOUT], timeout=SOON):
            shell.send('\t')
            shell.expect_exact('space', timeout=SOON)
        shell.send('-f json\r')
        shell.expect_exact(f'"name": "{name}"')
        shell.expect(PROMPT)
        self.leave(shell)


class PipeTests(InteractiveTestCase):
    """Without a terminal."""

    def test_quotes(self) -> None:
        name = base.unique('at three')
        self.assertEqual('', self.run_piped(self.create_line(name)))
        self.assert_created(name)

    def test_quotation_mark(self) -> None:
        errors = self.run_piped(f'# a comment\n{SHOW} "it\'s  none"\n')
        self.assertIn('"it\'s  none"', errors)


class NoCloudTests(InteractiveTestCase):
    """With a cloud that does not answer."""

    def start_at(self, port: int) -> Any:
        """Start the shell with a Keystone that ought to be at a port."""
        env = {k: v for k, v in self.env.items() if not k.startswith('OS_')}
        return self.start(
            **env,
            OS_CLIENT_CONFIG_FILE=os.devnull,
            OS_IDENTITY_API_VERSION='3',
            OS_AUTH_URL=f'http://127.0.0.1:{port}/v3',
            OS_USERNAME='demo',
            OS_PASSWORD='secret',
            OS_PROJECT_NAME='demo',
            OS_USER_DOMAIN_ID='default',
            OS_PROJECT_DOMAIN_ID='default',
        )

    def listen(self) -> socket.socket:
        """Open a port at which nobody answers."""
        server = socket.create_server(('127.0.0.1', 0))
        self.addCleanup(server.close)
        server.settimeout(30)
        return server

    def assert_usable(self, shell: Any) -> None:
        """Check that the prompt is there, and nothing else was printed."""
        shell.send('\x03')
        shell.expect(PROMPT, timeout=SOON)
        for word in ('rror', 'ailed', 'arning', 'assword', 'Traceback'):
            self.assertNotIn(word, shell.before)
        shell.sendline('shell echo $((40 + 2))')
        shell.expect_exact('42\r\n', timeout=SOON)
        shell.expect(PROMPT)
        shell.send('datab\t')
        shell.expect_exact('ase', timeout=SOON)
        self.leave(shell)

    def test_hanging_cloud(self) -> None:
        server = self.listen()
        shell = self.start_at(server.getsockname()[1])
        shell.send(f'{SHOW}\t')
        connection, _ = server.accept()
        self.addCleanup(connection.close)
        # The login hangs now, and one can go on typing.
        shell.send('xyz')
        shell.expect_exact('xyz', timeout=1)
        self.assert_usable(shell)

    def test_interrupt_at_once(self) -> None:
        server = self.listen()
        shell = self.start_at(server.getsockname()[1])
        shell.send(f'{SHOW}\t')
        shell.expect_exact('show')
        self.assert_usable(shell)

    def test_no_cloud(self) -> None:
        server = self.listen()
        port = server.getsockname()[1]
        server.close()
        shell = self.start_at(port)
        shell.send(f'{SHOW}\t')
        shell.expect_exact('show')
        time.sleep(SOON)
        self.assert_usable(shell)
