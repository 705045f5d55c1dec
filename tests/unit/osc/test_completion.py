# SPDX-License-Identifier: Apache-2.0

"""What may come next, without a terminal and without a cloud."""

import argparse
from collections.abc import Callable, Iterable, Mapping
import dataclasses
import io
import logging
import threading
from types import SimpleNamespace
from typing import Any
from unittest import mock

from cliff import commandmanager
import testtools

from trove_backup_schedule.osc import completion
from trove_backup_schedule.osc import declaration
from trove_backup_schedule.osc import schedule
from trove_backup_schedule.osc import upkeep

NAMES = {
    'database backup create',
    'database backup schedule create',
    'database backup schedule show',
    'database instance show',
    'help',
    'server show',
}


@dataclasses.dataclass
class Thing:
    """Something in the cloud."""

    id: str
    name: str | None


SCHEDULES = [
    Thing('1a', 'daily'),
    Thing('2b', 'daily at three'),
    Thing('3c', 'twin'),
    Thing('4d', 'twin'),
    Thing('5e', "it's"),
    Thing('6f', '-v'),
    Thing('7g', None),
]


def values(method: str) -> list[Thing]:
    """List what there is in the cloud."""
    return {
        'schedule_list': SCHEDULES,
        'instance_list': [Thing('i1', 'orders'), Thing('i2', 'customers')],
        'backup_list': [Thing('b1', 'monday')],
        'execution_list': [Thing('e2', 'weekly'), Thing('e1', 'daily')],
    }[method]


def no_values(method: str) -> list[Thing]:
    """Fail, for the cloud must not be asked."""
    raise AssertionError(method)


def make_parser() -> argparse.ArgumentParser:
    """Make a parser with all kinds of arguments."""
    parser = argparse.ArgumentParser()
    parser.add_argument('name', metavar='<name>')
    parser.add_argument('--instance', metavar='<instance>')
    parser.add_argument('--pattern', metavar='<pattern>')
    base = parser.add_mutually_exclusive_group()
    base.add_argument('--parent', metavar='<backup>')
    base.add_argument('--incremental', action='store_true')
    parser.add_argument('-f', '--format', choices=['json', 'yaml'])
    parser.add_argument('--property', action='append')
    parser.add_argument('--point', nargs=2)
    parser.add_argument('--tags', nargs='*')
    parser.add_argument('--marker', metavar='<schedule>')
    parser.add_argument('--secret', help=argparse.SUPPRESS)
    return parser


def positional(metavar: str, nargs: str | None) -> argparse.ArgumentParser:
    """Make a parser with one positional argument."""
    parser = argparse.ArgumentParser()
    parser.add_argument('what', metavar=metavar, nargs=nargs)
    return parser


class NextWordsTests(testtools.TestCase):
    """Words of commands."""

    def test_first_words(self) -> None:
        self.assertEqual(
            {'database', 'help', 'server'}, completion.next_words(NAMES, [])
        )

    def test_words_after_words(self) -> None:
        self.assertEqual(
            {'create', 'schedule'},
            completion.next_words(NAMES, ['database', 'backup']),
        )

    def test_half_a_word_leads_nowhere(self) -> None:
        self.assertEqual(set(), completion.next_words(NAMES, ['data']))

    def test_no_words_after_the_whole_name(self) -> None:
        self.assertEqual(set(), completion.next_words(NAMES, ['help']))

    def test_find_command(self) -> None:
        self.assertEqual(
            ('server show', ['a', '--b']),
            completion.find_command(NAMES, ['server', 'show', 'a', '--b']),
        )

    def test_find_no_command(self) -> None:
        self.assertIsNone(completion.find_command(NAMES, ['server', 'a']))


class ArgumentWordsTests(testtools.TestCase):
    """Options and values."""

    def words(
        self,
        *typed: str,
        text: str = '',
        parser: argparse.ArgumentParser | None = None,
        command: str = 'database backup schedule create',
        values: completion.Values = values,
    ) -> completion.Words:
        return completion.argument_words(
            parser or make_parser(), command, typed, text, values
        )

    def test_options_that_begin_with_the_text(self) -> None:
        self.assertEqual(
            {'--parent', '--pattern'},
            set(self.words('n', text='--pa', values=no_values)),
        )

    def test_short_options_only_where_asked_for(self) -> None:
        self.assertIn('-f', self.words(text='-'))
        self.assertNotIn('-f', self.words('n'))
        self.assertIn('--format', self.words('n'))

    def test_no_option_twice(self) -> None:
        self.assertNotIn('--pattern', self.words('n', '--pattern', 'p'))
        self.assertNotIn('--pattern', self.words('n', '--pattern=p'))
        self.assertNotIn('--pattern', self.words('n', '--patt', 'p'))
        self.assertNotIn('--format', self.words('n', '-fjson'))

    def test_repeatable_option(self) -> None:
        self.assertIn('--property', self.words('n', '--property', 'p'))

    def test_option_that_excludes_another(self) -> None:
        words = self.words('n', '--incremental')
        self.assertNotIn('--parent', words)
        self.assertNotIn('--incremental', words)
        self.assertIn('--pattern', words)

    def test_suppressed_option(self) -> None:
        self.assertEqual({}, self.words('n', text='--sec'))

    def test_no_options_after_two_dashes(self) -> None:
        self.assertEqual({}, self.words('--'))
        self.assertEqual({}, self.words('--', text='--pa'))
        self.assertEqual({}, self.words('--', 'n', text='-'))

    def test_only_a_value_after_an_option_that_wants_one(self) -> None:
        self.assertEqual({}, self.words('n', '--pattern'))
        self.assertEqual({}, self.words('n', '--point', '1'))
        self.assertEqual({}, self.words('n', '--pattern', text='--in'))

    def test_options_after_the_last_value(self) -> None:
        self.assertIn('--pattern', self.words('n', '--point', '1', '2'))
        self.assertIn('--pattern', self.words('n', '--tags', '1', '2'))

    def test_a_value_is_not_taken_for_the_name(self) -> None:
        parser = positional('<schedule>', None)
        parser.add_argument('--count')
        self.assertIn('daily', self.words('--count', '5', parser=parser))
        self.assertNotIn('daily', self.words('--count=5', 'd', parser=parser))
        self.assertNotIn(
            'daily', self.words('--count', '5', 'd', parser=parser)
        )
        self.assertNotIn('daily', self.words('-5', parser=parser))

    def test_choices(self) -> None:
        self.assertEqual({'json', 'yaml'}, set(self.words('-f')))
        self.assertEqual({'json'}, set(self.words('-f', text='j')))

    def test_value_after_equals(self) -> None:
        self.assertEqual(
            {'--instance=orders': ''}, self.words(text='--instance=o')
        )
        self.assertEqual(
            {'--format=json': '', '--format=yaml': ''},
            self.words(text='--format='),
        )
        self.assertEqual({}, self.words(text='--nonsense=o'))

    def test_names_of_instances(self) -> None:
        self.assertEqual(
            {'orders': '', 'customers': ''}, self.words('n', '--instance')
        )

    def test_names_of_backups(self) -> None:
        self.assertEqual({'monday': ''}, self.words('n', '--parent'))

    def test_ids_where_names_will_not_do(self) -> None:
        self.assertEqual(
            {
                'daily': '',
                'daily at three': '',
                '3c': 'twin',
                '4d': 'twin',
                '5e': "it's",
                '6f': '-v',
                '7g': '',
            },
            self.words(parser=positional('<schedule>', None)),
        )

    def test_values_are_in_order(self) -> None:
        self.assertEqual(
            ['customers', 'orders'], [*self.words('n', '--instance')]
        )

    def test_options_are_in_order(self) -> None:
        words = [*self.words('n')]
        self.assertEqual(sorted(words), words)

    def test_id_that_is_begun(self) -> None:
        self.assertEqual(
            {'1a': 'daily'},
            self.words(text='1', parser=positional('<schedule>', None)),
        )

    def test_each_name_once(self) -> None:
        words = self.words('x', 'daily', parser=positional('<schedule>', '+'))
        self.assertNotIn('daily', words)
        self.assertIn('daily at three', words)

    def test_executions_go_by_id(self) -> None:
        words = self.words(parser=positional('<execution>', None))
        self.assertEqual([('e2', 'weekly'), ('e1', 'daily')], [*words.items()])

    def test_marker_is_an_id(self) -> None:
        self.assertEqual({'1a': 'daily'}, self.words('--marker', text='1'))
        self.assertEqual({}, self.words('--marker', text='dai'))

    def test_other_services_have_other_instances(self) -> None:
        self.assertEqual(
            {},
            self.words('--instance', command='server show', values=no_values),
        )

    def test_no_options_in_place_of_values(self) -> None:
        self.assertEqual(
            {},
            self.words(
                parser=positional('<schedule>', None), values=lambda _: []
            ),
        )

    def test_metavar_of_several_words(self) -> None:
        parser = argparse.ArgumentParser()
        parser.add_argument('--pair', nargs=2, metavar=('<a>', '<b>'))
        self.assertEqual({}, self.words('--pair', parser=parser))


class ScheduleCommandsTests(testtools.TestCase):
    """The parsers that the commands on schedules really have."""

    COMMANDS: Mapping[str, Any] = {
        'apply': declaration.ApplySchedule,
        'check': upkeep.CheckSchedule,
        'create': schedule.CreateSchedule,
        'export': declaration.ExportSchedule,
        'prune': upkeep.PruneSchedule,
        'run': upkeep.RunSchedule,
        'set': schedule.SetSchedule,
    }

    def words(
        self,
        verb: str,
        *typed: str,
        text: str = '',
        values: completion.Values = values,
    ) -> completion.Words:
        name = f'database backup schedule {verb}'
        made = self.COMMANDS[verb](SimpleNamespace(), None)
        return completion.argument_words(
            made.get_parser(name), name, typed, text, values
        )

    def test_schedules(self) -> None:
        for verb in ('check', 'prune', 'run', 'set'):
            self.assertEqual(
                {'daily': '', 'daily at three': ''},
                self.words(verb, text='d'),
            )

    def test_schedules_to_check_once_each(self) -> None:
        self.assertEqual(
            {'daily at three': ''}, self.words('check', 'daily', text='d')
        )
        self.assertEqual({}, self.words('set', 'daily', text='d'))

    def test_instances_and_backups(self) -> None:
        for verb in ('check', 'create', 'export'):
            self.assertEqual(
                {'orders': '', 'customers': ''},
                self.words(verb, '--instance'),
            )
        for verb in ('create', 'set'):
            self.assertEqual({'monday': ''}, self.words(verb, '--parent'))

    def test_nothing_of_the_cloud_is_a_file_or_a_duration(self) -> None:
        for typed in (
            ('apply',),
            ('export', '--file'),
            ('check', '--max-age'),
            ('prune', 'daily', '--keep'),
        ):
            words = self.words(*typed, text='d', values=no_values)
            self.assertEqual({}, words)

    def test_new_options(self) -> None:
        for typed, options in (
            (('apply', 'file'), {'--dry-run', '--prune'}),
            (('prune', 'daily'), {'--dry-run', '--keep'}),
            (('run', 'daily'), {'--wait'}),
            (('check', '--all'), {'--instance', '--max-age'}),
            (('export',), {'--instance', '--file'}),
        ):
            words = self.words(*typed, text='--')
            self.assertEqual(set(), options - set(words))

    def test_what_sets_and_what_removes_exclude_each_other(self) -> None:
        for option, removal in (
            ('--keep', '--no-keep'),
            ('--full-every', '--no-full-every'),
            ('--description', '--no-description'),
            ('--count', '--no-count'),
        ):
            self.assertNotIn(
                removal, self.words('set', 'daily', option, '3', text='--no')
            )
            words = self.words('set', 'daily', removal, text='--')
            self.assertNotIn(option, words)
            self.assertIn('--pattern', words)

    def test_what_a_backup_builds_on_is_one_thing(self) -> None:
        ways = {
            '--incremental',
            '--no-incremental',
            '--no-parent',
            '--parent',
        }
        words = set(self.words('set', 'daily', text='--'))
        self.assertEqual(ways, ways & words)
        for way in ways - {'--parent'}:
            words = set(self.words('set', 'daily', way, text='--'))
            self.assertEqual(set(), ways & words)

    def test_what_is_new_has_nothing_to_remove(self) -> None:
        self.assertEqual({}, self.words('create', 'n', text='--no-'))


class AnswersTests(testtools.TestCase):
    """The prompt does not wait."""

    def setUp(self) -> None:
        super().setUp()
        self.now = 100.0
        clock = mock.patch('time.monotonic', self.clock)
        clock.start()
        self.addCleanup(clock.stop)
        self.go = threading.Event()
        self.addCleanup(self.go.set)
        self.asked = 0

    def clock(self) -> float:
        return self.now

    def late(self) -> Iterable[str]:
        self.asked += 1
        self.go.wait(10)
        return [f'late {self.asked}']

    def prompt(self) -> Iterable[str]:
        self.asked += 1
        return [f'prompt {self.asked}']

    def test_answer(self) -> None:
        answers = completion.Answers()
        self.assertEqual(('prompt 1',), answers.get('a', self.prompt))

    def test_answer_is_kept(self) -> None:
        answers = completion.Answers(keep=10)
        answers.get('a', self.prompt)
        self.now += 9
        self.assertEqual(('prompt 1',), answers.get('a', self.prompt))
        self.now += 2
        self.assertEqual(('prompt 2',), answers.get('a', self.prompt))

    def test_each_question_has_its_own_answer(self) -> None:
        answers = completion.Answers()
        answers.get('a', self.prompt)
        self.assertEqual(('prompt 2',), answers.get('b', self.prompt))

    def test_failure_is_no_answer(self) -> None:
        def fail() -> Iterable[str]:
            raise OSError('the cloud is down')

        self.assertEqual((), completion.Answers().get('a', fail))

    def test_late_answer_is_there_next_time(self) -> None:
        answers = completion.Answers(deadline=0.05)
        self.assertEqual((), answers.get('a', self.late))
        self.go.set()
        self.assertEqual(('late 1',), answers.get('a', self.late))
        self.assertEqual(1, self.asked)

    def test_deadline_is_not_granted_again(self) -> None:
        answers = completion.Answers(deadline=0.05)
        answers.get('a', self.late)
        self.now += 0.05
        with mock.patch.object(threading.Event, 'wait') as wait:
            answers.get('a', self.late)
        self.assertLessEqual(wait.call_args.args[0], 0)

    def test_threads_do_not_pile_up(self) -> None:
        answers = completion.Answers(deadline=0.01, keep=10, patience=60)
        for _ in range(5):
            answers.get('a', self.late)
            self.now += 11
        self.assertEqual(1, self.asked)
        self.now += 6
        answers.get('a', self.late)
        self.assertEqual(2, self.asked)

    def test_old_answer_does_meanwhile(self) -> None:
        answers = completion.Answers(deadline=0.05, keep=10)
        answers.get('a', self.prompt)
        self.now += 11
        self.assertEqual(('prompt 1',), answers.get('a', self.late))

    def test_nobody_waits_for_the_thread(self) -> None:
        daemons: list[bool] = []

        def ask() -> Iterable[str]:
            daemons.append(threading.current_thread().daemon)
            return []

        completion.Answers().get('a', ask)
        self.assertEqual([True], daemons)


class SilenceTests(testtools.TestCase):
    """Nothing that goes on behind the prompt is seen."""

    def setUp(self) -> None:
        super().setUp()
        self.screen = io.StringIO()
        handler = logging.StreamHandler(self.screen)
        logging.getLogger().addHandler(handler)
        self.addCleanup(logging.getLogger().removeHandler, handler)

    def test_workers_are_silent(self) -> None:
        def ask() -> Iterable[str]:
            logging.getLogger('keystoneauth').error('No luck')
            return ['done']

        self.assertEqual(('done',), completion.Answers().get('a', ask))
        self.assertEqual('', self.screen.getvalue())

    def test_others_are_not(self) -> None:
        completion.Answers().get('a', list)
        logging.getLogger('keystoneauth').error('No luck')
        self.assertEqual('No luck\n', self.screen.getvalue())


class Manager:
    """A client manager: `auth_ref` logs in, as OpenStackClient's does."""

    logins = 0

    def __init__(self, login: Callable[[], str | None]) -> None:
        self._auth_ref: str | None = None
        self._auth_required = False
        self._login = login

    @property
    def auth_ref(self) -> str | None:
        if not self._auth_required:
            return None
        if not self._auth_ref:
            self._auth_ref = self._login()
        return self._auth_ref

    @property
    def database_backup_schedule(self) -> Any:
        if not self.auth_ref:
            raise AssertionError('not logged in')
        return SimpleNamespace(schedule_list=lambda limit: SCHEDULES[:limit])


class CloudValuesTests(testtools.TestCase):
    """When the cloud is asked, and when it is let alone."""

    def setUp(self) -> None:
        super().setUp()
        self.logins = 0
        self.token: str | None = 'token'
        self.manager = Manager(self.login)
        self.config: dict[str, Any] = {
            'auth_type': 'password',
            'auth': {'password': 'secret'},
        }
        self.app = SimpleNamespace(
            client_manager=self.manager,
            cloud=SimpleNamespace(config=self.config),
        )
        self.values = completion.CloudValues(
            self.app, completion.Answers(keep=-1)
        )

    def login(self) -> str | None:
        self.logins += 1
        if self.token is None:
            raise OSError('wrong password')
        return self.token

    def test_login_of_its_own(self) -> None:
        self.assertEqual(tuple(SCHEDULES), self.values('schedule_list'))
        self.assertEqual(tuple(SCHEDULES), self.values('schedule_list'))
        self.assertEqual(1, self.logins)
        self.assertIsNone(self.manager._auth_ref)
        self.assertFalse(self.manager._auth_required)

    def test_password_from_the_environment(self) -> None:
        self.config.update(auth={}, password='secret')
        self.assertEqual(tuple(SCHEDULES), self.values('schedule_list'))

    def test_no_login_without_password(self) -> None:
        self.config['auth'] = {}
        self.assertEqual((), self.values('schedule_list'))
        self.assertEqual(0, self.logins)

    def test_no_login_that_needs_somebody(self) -> None:
        for auth_type in ('v3totp', 'v3oidcdeviceauthz', None):
            self.config['auth_type'] = auth_type
            self.assertEqual((), self.values('schedule_list'))
        self.assertEqual(0, self.logins)

    def test_failed_login_is_not_repeated(self) -> None:
        self.token = None
        self.assertEqual((), self.values('schedule_list'))
        self.assertEqual((), self.values('schedule_list'))
        self.assertEqual(1, self.logins)

    def test_login_of_the_shell(self) -> None:
        self.config['auth_type'] = 'v3totp'
        self.assertEqual((), self.values('schedule_list'))
        self.manager._auth_ref = 'by a command'
        self.assertEqual(tuple(SCHEDULES), self.values('schedule_list'))
        self.assertEqual(0, self.logins)


class ShowCommand:
    """A command that shows a schedule."""

    built = 0

    def __init__(self, app: Any, app_args: Any) -> None:
        self.app = app

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        if self.app.client_manager is not None:
            raise AssertionError('a parser might log in')
        type(self).built += 1
        return positional('<schedule>', None)


class BrokenCommand(ShowCommand):
    """A command that cannot even say what its arguments are."""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        raise KeyError(prog_name)


class CompleterTests(testtools.TestCase):
    """Commands, parsers and values together."""

    def setUp(self) -> None:
        super().setUp()
        manager = commandmanager.CommandManager('tests.none')
        commands: dict[str, Any] = {
            'help': ShowCommand,
            'database backup schedule broken': BrokenCommand,
            'database backup schedule show': ShowCommand,
            'server show': ShowCommand,
            'server': ShowCommand,
        }
        for name, command in commands.items():
            manager.add_command(name, command)
        client_manager = Manager(lambda: 'token')
        client_manager._auth_ref = 'token'
        app = SimpleNamespace(
            command_manager=manager, client_manager=client_manager
        )
        self.completer = completion.Completer(app)
        ShowCommand.built = 0

    def test_words(self) -> None:
        self.assertEqual(
            {'database': '', 'help': '', 'server': ''},
            self.completer.words([], ''),
        )
        self.assertEqual({'server': ''}, self.completer.words([], 'ser'))
        self.assertEqual({}, self.completer.words([], 'xyz'))

    def test_words_for_help(self) -> None:
        self.assertEqual(
            {'database': ''}, self.completer.words(['help'], 'da')
        )
        self.assertEqual(
            {}, self.completer.words(['help', 'server', 'show'], '')
        )

    def test_values(self) -> None:
        typed = ['database', 'backup', 'schedule', 'show']
        self.assertEqual(
            {'daily': '', 'daily at three': ''},
            self.completer.words(typed, 'd'),
        )

    def test_parser_is_built_once(self) -> None:
        for text in ('--', '--h'):
            self.assertEqual(
                {'--help': ''}, self.completer.words(['server', 'show'], text)
            )
        self.assertEqual(1, ShowCommand.built)

    def test_options_of_a_command_that_begins_others(self) -> None:
        self.assertEqual({'show': ''}, self.completer.words(['server'], ''))
        self.assertEqual(
            {'--help': ''}, self.completer.words(['server'], '--')
        )

    def test_broken_command(self) -> None:
        typed = ['database', 'backup', 'schedule', 'broken']
        self.assertEqual({}, self.completer.words(typed, ''))

    def test_unknown_command(self) -> None:
        self.assertEqual({}, self.completer.words(['xyz'], ''))
