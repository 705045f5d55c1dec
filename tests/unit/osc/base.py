# SPDX-License-Identifier: Apache-2.0

"""Commands as the shell runs them, short of the shell itself."""

import contextlib
import io
import json
import types
from typing import Any

from tests.unit import base
from tests.unit import fakes
import trove_backup_schedule


class CommandTestCase(base.CloudTestCase):
    """Commands with their real parsers, on the real adapter.

    :ivar login_fails: what the shell's login raises, or None.
    """

    login_fails: BaseException | None = None

    def setUp(self) -> None:
        super().setUp()
        self.mistral = fakes.Mistral(self.http)
        self.triggers = self.mistral.rows['cron_triggers']
        self.executions = self.mistral.rows['executions']
        self.http.get(
            f'{base.TROVE}/instances', json={'instances': [fakes.instance()]}
        )
        schedules = trove_backup_schedule.BackupSchedules(self.session())
        self.stdout = io.StringIO()
        self.stderr = io.StringIO()
        self.app = types.SimpleNamespace(
            client_manager=types.SimpleNamespace(
                database_backup_schedule=schedules
            ),
            options=types.SimpleNamespace(debug=False),
            prepare_to_run_command=self._log_in,
            stdout=self.stdout,
            stderr=self.stderr,
        )

    def _log_in(self, command: Any) -> None:
        # As the shell does, which takes it that each command needs a login.
        if getattr(command, 'auth_required', True) and self.login_fails:
            raise self.login_fails

    def run_command(self, command: Any, *arguments: str) -> str:
        """Run a command and give what it prints."""
        self.stdout.truncate(self.stdout.seek(0))
        made = command(self.app, None)
        parser = made.get_parser('openstack x')
        made.run(parser.parse_args(list(arguments)))
        return self.stdout.getvalue()

    def run_json(self, command: Any, *arguments: str) -> Any:
        """Run a command and give what it prints for machines."""
        return json.loads(self.run_command(command, '-f', 'json', *arguments))

    def table(self, command: Any, *arguments: str) -> list[list[str]]:
        """Run a command and give the cells of what it prints for people."""
        text = self.run_command(
            command, '-f', 'table', '--max-width', '0', *arguments
        )
        return [
            [cell.strip() for cell in line.strip('|').split(' | ')]
            for line in text.splitlines()
            if line.startswith('|')
        ]

    def refuse(self, command: Any, *arguments: str) -> str:
        """Have the parser refuse arguments, and give its words."""
        said = io.StringIO()
        with contextlib.redirect_stderr(said):
            exc = self.assertRaises(
                SystemExit, self.run_command, command, *arguments
            )
        self.assertEqual(2, exc.code)
        return said.getvalue()
