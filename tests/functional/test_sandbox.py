# SPDX-License-Identifier: Apache-2.0
"""The sandbox itself: it starts, says what is wrong, and goes away."""

import os
import pathlib
import signal
import socket
import subprocess
import sys
import time

import fixtures
import testtools

from sandbox import cloud
from sandbox import errors
from sandbox import ports
from sandbox import seed

CHECKOUT = pathlib.Path(cloud.__file__).resolve().parent.parent
COMMAND = [sys.executable, '-m', 'sandbox']
PATIENCE_SECONDS = 60
WORKFLOW = """
version: '2.0'
back_up:
  input: [instance]
  tasks:
    back_up:
      action: trove.backups_create
      input:
        name: made by a trigger
        instance: <% $.instance %>
"""


def _heed_interrupts() -> None:
    """Let a command be as if a person had started it at a terminal.

    What a shell starts in the background ignores Ctrl-C, and so would all
    that is started by it in turn.
    """
    signal.signal(signal.SIGINT, signal.SIG_DFL)


class TestSandbox(testtools.TestCase):
    """Each test has a directory, and must leave no process behind."""

    def setUp(self) -> None:
        super().setUp()
        directory = self.useFixture(fixtures.TempDir()).path
        self.sandbox = cloud.Sandbox(pathlib.Path(directory, 'cloud'))
        self.addCleanup(self.sandbox.stop)

    def command(self, *arguments: str) -> subprocess.Popen[str]:
        """Run a command of the sandbox on our directory."""
        process = subprocess.Popen(
            [*COMMAND, *arguments, '--directory', self.sandbox.directory],
            cwd=CHECKOUT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=_heed_interrupts,
        )
        self.addCleanup(process.communicate)
        self.addCleanup(process.kill)
        return process

    def finish(self, process: subprocess.Popen[str]) -> tuple[int, str, str]:
        """Return the exit status, output and errors of a command."""
        out, err = process.communicate(timeout=PATIENCE_SECONDS)
        return process.returncode, out, err

    def assert_nothing_runs(self, seconds: float = 0) -> None:
        """Check that no server is there any more."""
        end = time.monotonic() + seconds
        while (alive := self.sandbox.alive()) and time.monotonic() < end:
            time.sleep(0.1)
        self.assertEqual({}, alive)

    def wait_for_servers(self) -> None:
        """Wait until all processes are there, not until they answer."""
        end = time.monotonic() + PATIENCE_SECONDS
        while not self.sandbox.is_running():
            self.assertLess(time.monotonic(), end)
            time.sleep(0.05)

    def test_life(self) -> None:
        """A start in the background, a look, and a stop."""
        status, out, err = self.finish(self.command('start', '--port', '0'))
        self.assertEqual((0, ''), (status, err))
        self.assertIn(f'{self.sandbox.clouds_yaml}', out)
        self.assertIn('keystone answers', out)

        status, out, _ = self.finish(self.command('status'))
        self.assertEqual(0, status)
        for name, pid in self.sandbox.alive().items():
            self.assertRegex(out, rf'{name} .*process {pid}\n')

        status, out, _ = self.finish(self.command('start'))
        self.assertEqual(0, status)
        self.assertIn('running', out)

        self.check_clouds()
        self.check_firing()
        chosen = self.sandbox.ports
        status, out, _ = self.finish(self.command('stop'))
        self.assertEqual((0, 'Stopped.\n'), (status, out))
        self.assert_nothing_runs()
        # Each of them would say so if it were not free.
        self.assertEqual(chosen, ports.choose(0, chosen))
        self.assertEqual(1, self.finish(self.command('status'))[0])

    def check_clouds(self) -> None:
        """Every user sees the instances of their own project."""
        for name, user in seed.USERS.items():
            session = self.sandbox.session(name)
            found = session.get(
                '/instances',
                endpoint_filter={'service_type': 'database'},
            ).json()['instances']
            expected = [
                one.name
                for one in seed.INSTANCES
                if (one.domain, one.project) == (user.domain, user.project)
            ]
            self.assertEqual(
                sorted(expected), sorted(one['name'] for one in found)
            )

    def check_firing(self) -> None:
        """A cron trigger fires, with its trust, and a backup is made."""
        session = self.sandbox.session()
        workflows = {'service_type': 'workflowv2'}
        session.post(
            '/workflows',
            endpoint_filter=workflows,
            headers={'Content-Type': 'text/plain'},
            data=WORKFLOW,
        )
        self.sandbox.set_guest(seconds=0)
        [instance] = self.sandbox.instance_ids('demo', 'm')
        session.post(
            '/cron_triggers',
            endpoint_filter=workflows,
            json={
                'name': 'soon',
                # The sixth field: no waiting for the next minute.
                'pattern': '* * * * * */2',
                'remaining_executions': 1,
                'workflow_name': 'back_up',
                'workflow_input': {'instance': instance},
            },
        )
        end = time.monotonic() + PATIENCE_SECONDS
        states = ['NEW']
        while states != ['COMPLETED']:
            self.assertLess(time.monotonic(), end, states)
            time.sleep(0.2)
            found = session.get(
                '/backups', endpoint_filter={'service_type': 'database'}
            ).json()['backups']
            states = [backup['status'] for backup in found]

    def test_busy_port(self) -> None:
        """One sentence names the port."""
        with socket.create_server(('127.0.0.1', 0)) as listening:
            port = listening.getsockname()[1]
            base = str(min(port, ports.HIGHEST))
            status, _, err = self.finish(self.command('start', '--port', base))
        self.assertEqual(1, status)
        self.assertEqual(1, err.count('\n'))
        self.assertIn(f'Port {port} ', err)
        self.assert_nothing_runs()

    def test_interrupted(self) -> None:
        """Ctrl-C while it starts, early and late, leaves nothing."""
        for number, answering in (
            (signal.SIGINT, 0),
            (signal.SIGTERM, 1),
            (signal.SIGINT, 2),
        ):
            process = self.command('start', '--port', '0')
            self.wait_for_servers()
            assert process.stdout is not None
            seen = 0
            while seen < answering:
                line = process.stdout.readline()
                self.assertNotEqual('', line)
                seen += 'answers' in line
            process.send_signal(number)
            status, _, err = self.finish(process)
            self.assertEqual((130, 'Interrupted.\n'), (status, err))
            self.assert_nothing_runs()

    def test_killed_while_starting(self) -> None:
        """Servers end with the process that was starting them."""
        process = self.command('start', '--port', '0')
        self.wait_for_servers()
        process.kill()
        self.finish(process)
        self.assert_nothing_runs(seconds=10)

    def test_run(self) -> None:
        """In the foreground: a death is told, a signal ends the rest."""
        process = self.command('run', '--port', '0')
        assert process.stdout is not None
        while 'Ctrl-C' not in process.stdout.readline():
            self.assertIsNone(process.poll())
        os.kill(self.sandbox.alive()['mistral'], signal.SIGKILL)
        status, _, err = self.finish(process)
        self.assertEqual(1, status)
        self.assertIn('mistral has died', err)
        self.assertIn(str(self.sandbox.log('mistral')), err)
        self.assert_nothing_runs()

    def test_server_cannot_start(self) -> None:
        """The message names the server and shows the end of its log."""
        self.sandbox.directory.mkdir()
        for name in ('mistral.sqlite', 'mistral.sqlite.complete'):
            (self.sandbox.directory / name).write_text('not a database')
        error = self.assertRaises(errors.SandboxError, self.sandbox.start)
        self.assertIn('mistral has died (exit status 1)', str(error))
        self.assertIn('file is not a database', str(error))
        self.assertIn(str(self.sandbox.log('mistral')), str(error))
        self.assert_nothing_runs()
