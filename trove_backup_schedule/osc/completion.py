# SPDX-License-Identifier: Apache-2.0

"""What may come next on a half-typed command line.

The functions are pure: names of commands, an argparse parser and a source of
values go in, words come out. Each word carries a remark, which may be empty,
to show beside it. The classes fetch parsers from commands and values from the
cloud, and see to it that the prompt never waits long for them.
"""

import argparse
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
import copy
import dataclasses
import logging
import math
import re
import sys
import threading
import time
from typing import Any, Protocol

LOG = logging.getLogger(__name__)

# Arguments of "database ..." commands that name something in the cloud, by
# dest or metavar, and the method of BackupSchedules that lists such things.
_LISTED_BY: Mapping[str, str] = {
    'backup': 'backup_list',
    'execution': 'execution_list',
    'instance': 'instance_list',
    'instance_or_cluster': 'instance_list',
    'parent': 'backup_list',
    'schedule': 'schedule_list',
    'source_instance': 'instance_list',
}

# How many are asked for where there may be very many: a list that takes
# longer than people wait for helps nobody.
_MOST: Mapping[str, int] = {'execution_list': 100, 'schedule_list': 1000}

# A name cmd2 can put on the command line: it quotes spaces, but neither
# escapes quotes nor notices what would end or redirect the command. A
# leading dash would make an option of it.
_INSERTABLE = re.compile(r"""[^-\s'"\\;|>][^'"\\;|>\x00-\x1f\x7f]*""")

# Authentication that needs nobody at the keyboard once the secret is known.
# Others ask for a passcode, use one up, or open a browser.
_SECRET_OF: Mapping[str, str] = {
    'password': 'password',
    'v3password': 'password',
    'token': 'token',
    'v3token': 'token',
    'v3applicationcredential': 'application_credential_secret',
}

_WORKER = 'completion'


class Named(Protocol):
    """Something in the cloud that has an ID and a name."""

    @property
    def id(self) -> str:
        """What it is known by for certain."""

    @property
    def name(self) -> str | None:
        """What people call it, not always unique."""


Words = dict[str, str]
Values = Callable[[str], Iterable[Named]]


def next_words(names: Iterable[str], typed: Sequence[str]) -> set[str]:
    """Give the words that follow the typed ones in names of commands."""
    return {
        words[len(typed)]
        for words in map(str.split, names)
        if len(words) > len(typed) and words[: len(typed)] == [*typed]
    }


def find_command(
    names: Collection[str], typed: Sequence[str]
) -> tuple[str, Sequence[str]] | None:
    """Split the typed words into the name of a command and its arguments."""
    for count in range(len(typed), 0, -1):
        name = ' '.join(typed[:count])
        if name in names:
            return name, typed[count:]
    return None


def argument_words(
    parser: argparse.ArgumentParser,
    command: str,
    typed: Sequence[str],
    text: str,
    values: Values,
) -> Words:
    """Give the options and values that may follow the typed arguments.

    :param parser: the parser of the command
    :param command: the name of the command
    :param typed: the arguments before the one that is being completed
    :param text: what is typed of the argument that is being completed
    :param values: lists things in the cloud, by method of BackupSchedules
    """
    state = _State(parser)
    for word in typed:
        state.take(word)
    if state.open and text.startswith('--') and '=' in text:
        name, _, value = text.partition('=')
        action, _ = _option(parser, name)
        found = _values_of(action, command, value, values) if action else {}
        return {f'{name}={word}': hint for word, hint in found.items()}
    words: Words = {}
    dashed = state.open and text.startswith('-')
    expected = state.expected()
    if expected and not dashed:
        words = _values_of(expected, command, text, values)
        if state.takes_many(expected):
            words = {w: hint for w, hint in words.items() if w not in typed}
    # Where a value from the cloud belongs, options would only tell that the
    # cloud did not answer in time.
    free = not expected or not _has_values(expected, command)
    if not state.owing and state.open and (dashed or (free and not text)):
        words |= state.options(text)
    return words


class _State:
    """How far the arguments typed up to now have brought the parser."""

    def __init__(self, parser: argparse.ArgumentParser) -> None:
        self._parser = parser
        self._positionals = [
            action for action in parser._actions if not action.option_strings
        ]
        self._option: argparse.Action | None = None
        self._taken = 0
        self._given: set[argparse.Action] = set()
        self.open = True
        """Whether options may still come: there was no "--"."""

    def take(self, word: str) -> None:
        """Go past one argument."""
        if self.open and word == '--':
            self.open, self._option = False, None
            return
        option, has_value = (
            _option(self._parser, word) if self.open else (None, False)
        )
        if option:
            self._given.add(option)
            self._option = None if has_value else option
            self._taken = 0
        elif self._option and self._taken < _least_and_most(self._option)[1]:
            self._taken += 1
        elif self._positionals:
            self._option = None
            self._advance()

    def _advance(self) -> None:
        first = self._positionals[0]
        self._given.add(first)
        if not self.takes_many(first):
            self._positionals.pop(0)

    @property
    def owing(self) -> bool:
        """Whether an option still lacks a value, so only that may come."""
        return (
            self._option is not None
            and self._taken < _least_and_most(self._option)[0]
        )

    def expected(self) -> argparse.Action | None:
        """Give the option or positional argument the next value is for."""
        if self._option and self._taken < _least_and_most(self._option)[1]:
            return self._option
        return self._positionals[0] if self._positionals else None

    @staticmethod
    def takes_many(action: argparse.Action) -> bool:
        """Tell whether an action takes more than one value."""
        return _least_and_most(action)[1] > 1

    def options(self, text: str) -> Words:
        """Give the options that may still be given."""
        gone = {action for action in self._given if not _repeatable(action)}
        for group in self._parser._mutually_exclusive_groups:
            if self._given.intersection(group._group_actions):
                gone.update(group._group_actions)
        strings = (
            string
            for action in self._parser._actions
            if action not in gone and action.help != argparse.SUPPRESS
            for string in action.option_strings
            if string.startswith(text or '--')
        )
        return dict.fromkeys(sorted(strings), '')


def _least_and_most(action: argparse.Action) -> tuple[int, int]:
    """Give the number of values an action takes."""
    if action.nargs is None:
        return 1, 1
    if isinstance(action.nargs, int):
        return action.nargs, action.nargs
    least = 1 if action.nargs == argparse.ONE_OR_MORE else 0
    return least, 1 if action.nargs == argparse.OPTIONAL else sys.maxsize


def _repeatable(action: argparse.Action) -> bool:
    # Actions of other people's classes collect values as a rule.
    return not isinstance(
        action,
        argparse._StoreAction
        | argparse._StoreConstAction
        | argparse.BooleanOptionalAction,
    )


def _option(
    parser: argparse.ArgumentParser, word: str
) -> tuple[argparse.Action | None, bool]:
    """Find the option a word stands for, and whether its value is in it."""
    strings = parser._option_string_actions
    name, equals, _ = word.partition('=')
    if name in strings:
        return strings[name], bool(equals)
    if word.startswith('--'):
        meant = [s for s in strings if s.startswith(name)]
        return (strings[meant[0]] if len(meant) == 1 else None), bool(equals)
    return (strings.get(word[:2]) if word[:1] == '-' else None), True


def _listed_by(action: argparse.Action, command: str) -> str | None:
    """Name the method that lists what an argument may name."""
    if not command.startswith('database '):
        return None
    metavar = action.metavar if isinstance(action.metavar, str) else ''
    return _LISTED_BY.get(action.dest) or _LISTED_BY.get(metavar.strip('<>'))


def _has_values(action: argparse.Action, command: str) -> bool:
    return bool(action.choices or _listed_by(action, command))


def _values_of(
    action: argparse.Action, command: str, text: str, values: Values
) -> Words:
    """Give the values an action may take that begin with a text."""
    words: Words = {}
    if action.choices is not None:
        words = dict.fromkeys(map(str, action.choices), '')
    elif method := _listed_by(action, command):
        things = [*values(method)]
        # What carries the name of another thing, or is a place in a list,
        # goes by its ID. The cloud has put it in order: newest first.
        by_id = method == 'execution_list' or action.dest == 'marker'
        words = (
            {thing.id: thing.name or '' for thing in things}
            if by_id
            else _names_and_ids(things, text)
        )
    return {w: hint for w, hint in words.items() if w.startswith(text)}


def _names_and_ids(things: Sequence[Named], text: str) -> Words:
    """Give names, and IDs where a name will not do or an ID is begun."""
    words: Words = {}
    names = Counter(thing.name for thing in things)
    for thing in things:
        name = thing.name or ''
        if names[name] == 1 and _INSERTABLE.fullmatch(name):
            words[name] = ''
            if not text or not thing.id.startswith(text):
                continue
        words[thing.id] = name
    return dict(sorted(words.items(), key=lambda pair: pair[1] or pair[0]))


@dataclasses.dataclass
class _Question:
    """Something asked, and the answer to it if there is one yet."""

    since: float
    answer: tuple[Any, ...]
    answered: threading.Event = dataclasses.field(
        default_factory=threading.Event
    )

    def find(self, ask: Callable[[], Iterable[Any]]) -> None:
        try:
            self.answer = tuple(ask())
        except Exception:
            # Whatever goes wrong in a cloud or in another plugin, people are
            # typing: there is nothing to complete then, and that is all.
            LOG.debug('Nothing to complete', exc_info=True)
        self.answered.set()


class Answers:
    """Waits a short time for answers, and remembers them for a while.

    A late answer is not lost: it is there at the next Tab. One that is out of
    date does while a new one is on its way.

    :param deadline: seconds to wait for an answer
    :param keep: seconds to go without asking again
    :param patience: seconds to go without asking again while there is no
        answer at all, so that a hanging cloud does not pile up threads
    """

    def __init__(
        self,
        *,
        deadline: float = 1.5,
        keep: float = 10.0,
        patience: float = 60.0,
    ) -> None:
        self._deadline = deadline
        self._keep = keep
        self._patience = patience
        self._questions: dict[str, _Question] = {}

    def get(
        self, key: str, ask: Callable[[], Iterable[Any]]
    ) -> tuple[Any, ...]:
        """Give the answer to a question, or nothing if it takes too long."""
        now = time.monotonic()
        question = self._questions.get(key)
        if question is None or now - question.since > (
            self._keep if question.answered.is_set() else self._patience
        ):
            question = _Question(now, question.answer if question else ())
            self._questions[key] = question
            _be_silent()
            # Nobody waits for a daemon thread when the shell ends.
            threading.Thread(
                target=question.find, args=(ask,), name=_WORKER, daemon=True
            ).start()
        question.answered.wait(question.since + self._deadline - now)
        return question.answer


class CloudValues:
    """Lists things in the cloud an interactive shell works with.

    It works with a client manager of its own, so a login that hangs here is
    none of the next command's business. It logs in at most once by itself
    and only where that needs no answer from the user: a wrong password must
    not lock the account because someone pressed Tab.
    """

    def __init__(self, app: Any, answers: Answers | None = None) -> None:
        self._app = app
        self._answers = answers or Answers()
        self._tried = False
        self._own: Any = None

    def __call__(self, method: str) -> tuple[Named, ...]:
        """List things, or nothing if that is not possible at once."""
        return self._answers.get(method, lambda: self._list(method))

    def _list(self, method: str) -> Iterable[Named]:
        manager = self._manager()
        if manager is None:
            return ()
        options = {'limit': _MOST[method]} if method in _MOST else {}
        things: Iterable[Named] = getattr(
            manager.database_backup_schedule, method
        )(**options)
        return things

    def _manager(self) -> Any:
        theirs = self._app.client_manager
        if getattr(theirs, '_auth_ref', None):
            return self._copy(theirs)
        if not self._tried and self._has_secret():
            self._tried = True
            own = self._copy(theirs)
            if own.auth_ref:  # reading this logs in
                self._own = own
        return self._own

    def _has_secret(self) -> bool:
        config = self._app.cloud.config
        secret = _SECRET_OF.get(config.get('auth_type'))
        # From the environment it comes beside what a file has under "auth".
        both = {**config, **config.get('auth', {})}
        return bool(secret and both.get(secret))

    @staticmethod
    def _copy(manager: Any) -> Any:
        own = copy.copy(manager)
        # The shell clears this for a command like "help", and an adapter
        # made meanwhile would have no endpoint.
        own._auth_required = True
        return own


class Completer:
    """Knows the next words at the prompt of an interactive shell."""

    def __init__(self, app: Any) -> None:
        self._app = app
        self._values = CloudValues(app)
        self._parsers = Answers(keep=math.inf)

    def words(self, typed: Sequence[str], text: str) -> Words:
        """Give the words that may follow and begin with a text."""
        names = {name for name, _ in self._app.command_manager}
        helping = typed[:1] == ['help']
        words = next_words(names, typed[1:] if helping else typed)
        found = {word: '' for word in sorted(words) if word.startswith(text)}
        command = None if found or helping else find_command(names, typed)
        if command is None:
            return found
        name, arguments = command
        parsers = self._parsers.get(name, lambda: [self._parser(name)])
        for parser in parsers:
            found |= argument_words(
                parser, name, arguments, text, self._values
            )
        return found

    def _parser(self, name: str) -> argparse.ArgumentParser:
        factory, _, _ = self._app.command_manager.find_command(name.split())
        # No parser needs the cloud to be built, but one that believes it does
        # would log in, and ask for a password, because someone pressed Tab.
        app = copy.copy(self._app)
        app.client_manager = None
        parser: argparse.ArgumentParser = factory(app, None).get_parser(name)
        return parser


class _Silence(logging.Filter):
    """Lets nothing through that a worker thread logs."""

    def filter(self, record: logging.LogRecord) -> bool:
        return record.threadName != _WORKER


_SILENCE = _Silence()


def _be_silent() -> None:
    """Keep what the workers log off the screen, not out of a log file."""
    for handler in logging.getLogger().handlers:
        if not isinstance(handler, logging.FileHandler):
            handler.addFilter(_SILENCE)
