# SPDX-License-Identifier: Apache-2.0

"""The cures for cliff's interactive mode, on the real cliff and cmd2."""

import argparse
import io
import os
from types import SimpleNamespace
from typing import Any
import unittest
from unittest import mock

from cliff import commandmanager
from cliff import interactive as upstream
import cmd2
import testtools

from trove_backup_schedule.osc import interactive

NEW_CMD2 = hasattr(cmd2, 'Completions')
CREATE = 'database backup schedule create'


class Command:
    """A command with a name and an option."""

    def __init__(self, app: Any, app_args: Any) -> None:
        pass

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = argparse.ArgumentParser()
        parser.add_argument('name')
        parser.add_argument('--format', choices=['json', 'json five'])
        parser.add_argument('--pattern')
        return parser


class TestCase(testtools.TestCase):
    """A shell that notes what it is told to run."""

    def setUp(self) -> None:
        super().setUp()
        self.ran: list[list[str]] = []
        self.shell = interactive.InteractiveApp(
            self.make_app(), self.app.command_manager, None, io.StringIO()
        )

    def make_app(self) -> Any:
        manager = commandmanager.CommandManager('tests.none')
        command: Any = Command
        for name in (
            CREATE,
            'database backup schedule list',
            'help',
            'shell list',
            'server list',
        ):
            manager.add_command(name, command)
        self.app = SimpleNamespace(
            NAME='openstack',
            command_manager=manager,
            client_manager=None,
            run_subcommand=self.ran.append,
        )
        return self.app

    def run_line(self, line: str) -> list[str]:
        """Run a line and give the arguments the command got."""
        self.ran.clear()
        self.shell.onecmd_plus_hooks(line)
        ((command, *arguments),) = self.ran
        self.assertEqual(CREATE, command)
        return arguments


class QuotingTests(TestCase):
    """Arguments arrive as they were quoted."""

    def assert_arguments(self, expected: list[str], typed: str) -> None:
        self.assertEqual(expected, self.run_line(f'{CREATE} {typed}'))

    def test_double_quotes(self) -> None:
        self.assert_arguments(
            ['n', '--pattern', '0 3 * * *'], 'n --pattern "0 3 * * *"'
        )

    def test_single_quotes(self) -> None:
        self.assert_arguments(['a  b', 'c'], "'a  b' c")

    def test_backslash(self) -> None:
        self.assert_arguments(['a b', 'c\\d'], 'a\\ b c\\\\d')

    def test_empty(self) -> None:
        self.assert_arguments(['n', ''], "n ''")

    def test_quotation_marks(self) -> None:
        self.assert_arguments(["it's", 'a"b'], '"it\'s" \'a"b\'')
        self.assert_arguments(['a "b" c'], '"a \\"b\\" c"')

    def test_quotes_within_a_word(self) -> None:
        self.assert_arguments(
            ['--pattern=0 3  * * *'], '--pattern="0 3  * * *"'
        )

    def test_signs_with_a_meaning(self) -> None:
        for text in ('a#b', 'a;b', 'a > b', 'a | b', '#', '!x', '@daily'):
            self.assert_arguments([text], f'"{text}"')

    def test_signs_without_a_meaning_where_they_are(self) -> None:
        self.assert_arguments(['a#b', '@daily', '!x', '*'], 'a#b @daily !x *')

    def test_dashes(self) -> None:
        self.assert_arguments(['-5', '--', '-n'], '-5 -- -n')

    def test_no_arguments(self) -> None:
        self.assert_arguments([], '')

    def test_terminator(self) -> None:
        self.assert_arguments(['n', 'a b'], 'n "a b" ;')
        self.assert_arguments(['n', "it's"], 'n "it\'s";')

    def test_redirection(self) -> None:
        self.assert_arguments(["it's"], f'"it\'s" > {os.devnull}')

    def test_alias(self) -> None:
        self.shell.onecmd_plus_hooks(f'alias create c {CREATE}')
        self.ran.clear()
        self.shell.onecmd_plus_hooks('c "a  b"')
        self.assertEqual([[CREATE, 'a  b']], self.ran)

    def test_help(self) -> None:
        self.shell.onecmd_plus_hooks(f'help {CREATE}')
        self.assertEqual([['help', *CREATE.split()]], self.ran)

    def test_unknown_command(self) -> None:
        self.shell.onecmd_plus_hooks('nonsense "a b"')
        self.assertEqual([['nonsense', 'a b']], self.ran)

    def test_sound_cliff_is_left_alone(self) -> None:
        statement = self.shell.statement_parser.parse(f'{CREATE} "a  b"')
        sound = cmd2.Statement("'a  b'", raw=statement.raw, command=CREATE)
        with mock.patch.object(upstream_app(), 'precmd', return_value=sound):
            self.assertIs(sound, self.shell.precmd(statement))

    def test_line_that_is_not_parsed(self) -> None:
        line = 'a "b c"'
        self.assertEqual(
            upstream_app().precmd(self.shell, line), self.shell.precmd(line)
        )


@unittest.skipUnless(NEW_CMD2, 'cliff is right about a cmd2 this old')
class CompletionTests(TestCase):
    """What Tab gives."""

    def complete(self, line: str) -> list[str]:
        """Complete a line as prompt-toolkit asks cmd2 to."""
        begin = max(line.rfind(sign) for sign in ' "\'') + 1
        found = self.shell.complete(line[begin:], line, begin, len(line))
        self.assertEqual('', found.error)
        return list(found.to_strings())

    def test_first_word(self) -> None:
        self.assertEqual(['database'], self.complete('dat'))

    def test_first_words_besides_those_of_cmd2(self) -> None:
        words = self.complete('')
        self.assertIn('server', words)
        self.assertIn('quit', words)
        self.assertEqual(len(set(words)), len(words))

    def test_next_word(self) -> None:
        self.assertEqual(['schedule'], self.complete('database backup sch'))
        self.assertEqual(
            ['create', 'list'], self.complete('database backup schedule ')
        )

    def test_help(self) -> None:
        self.assertEqual(['database'], self.complete('help dat'))
        self.assertEqual(['?database'], self.complete('?dat'))

    def test_option(self) -> None:
        self.assertEqual(['--pattern'], self.complete(f'{CREATE} n --pa'))

    def test_word_before_is_quoted(self) -> None:
        self.assertEqual(
            ['--pattern'],
            self.complete(f'{CREATE} n --format "json five" --pa'),
        )

    def test_value_with_spaces(self) -> None:
        line = f'{CREATE} n --format json'
        found = self.shell.complete(
            'json', line, line.rindex(' ') + 1, len(line)
        )
        self.assertEqual(('json', 'json five'), found.to_strings())
        self.assertEqual('"', found._quote_char)

    def test_value_that_is_quoted_already(self) -> None:
        self.assertEqual(
            ['json', 'json five'], self.complete(f'{CREATE} --format "js')
        )
        self.assertEqual(['five'], self.complete(f'{CREATE} --format "json '))

    def test_word_that_is_quoted_in_the_middle(self) -> None:
        self.assertEqual([], self.complete(f'{CREATE} n --format="js'))
        self.assertEqual([], self.complete(f'{CREATE} a\\ --pa'))

    def test_redirection(self) -> None:
        self.assertEqual([], self.complete(f'{CREATE} n | no-such-program-'))

    def test_sound_cliff_is_left_alone(self) -> None:
        sound = cmd2.Completions.from_values(['sound'])
        with mock.patch.object(
            upstream_app(), 'completedefault', return_value=sound
        ):
            self.assertEqual(['sound'], self.complete('database '))

    def test_old_cmd2_is_left_alone(self) -> None:
        with mock.patch.object(interactive, 'cmd2', SimpleNamespace()):
            self.assertEqual(
                ['list'],
                self.shell.completedefault('l', 'server l', 7, 8),
            )


class InstallTests(testtools.TestCase):
    """How the cures get into the shell."""

    def setUp(self) -> None:
        super().setUp()
        patch = mock.patch.object(upstream, 'InteractiveApp', upstream_app())
        patch.start()
        self.addCleanup(patch.stop)

    def test_install(self) -> None:
        interactive.install()
        self.assertIs(interactive.InteractiveApp, upstream.InteractiveApp)

    def test_install_twice(self) -> None:
        class More(interactive.InteractiveApp):
            """What someone else adds afterwards."""

        interactive.install()
        with mock.patch.object(upstream, 'InteractiveApp', More):
            interactive.install()
            self.assertIs(More, upstream.InteractiveApp)


def upstream_app() -> Any:
    """Give cliff's own class, installed or not."""
    return interactive.InteractiveApp.__bases__[0]
