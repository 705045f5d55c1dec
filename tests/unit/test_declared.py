# SPDX-License-Identifier: Apache-2.0

import collections
from collections.abc import Callable, Iterable, Sequence
import dataclasses
import datetime
import functools
import random
import textwrap
from typing import Any

import hypothesis
from hypothesis import strategies as st

from tests.unit import base
from tests.unit import fakes
from trove_backup_schedule import cron
from trove_backup_schedule import declared
from trove_backup_schedule import exceptions
from trove_backup_schedule import models
from trove_backup_schedule import settings

utc = functools.partial(datetime.datetime, tzinfo=datetime.UTC)

FULL = """\
schedules:
- instance: orders
  name: nightly
  pattern: 0 3 * * *
  description: Every night
  keep: 7
  incremental: true
  full_every: 6
  swift_container: dumps
  storage_driver: swift
  enabled: false
  count: 5
  first_time: 2030-01-31T03:00:00Z
- instance: orders
  name: weekly
  pattern: '@weekly'
  parent: base
  spread: true
"""

ENTRY = """\
schedules:
- instance: orders
  name: nightly
  pattern: 0 3 * * *
"""


def declaration(**changes: Any) -> declared.Declaration:
    """Give a declaration of which nothing but the necessary is set."""
    values = {'instance': 'orders', 'name': 'nightly', 'pattern': '0 3 * * *'}
    return declared.Declaration(**values | changes)


def schedule(number: int, **changes: Any) -> models.Schedule:
    """Give a schedule made here; later numbers are newer."""
    made = models.Schedule.from_trigger(fakes.our_trigger(number))
    return dataclasses.replace(made, **changes)


def foreign(number: int, **changes: Any) -> models.Schedule:
    """Give a schedule made by other means."""
    made = models.Schedule.from_trigger(fakes.trigger(number))
    return dataclasses.replace(made, **{'name': 'nightly'} | changes)


def difference(
    declarations: Iterable[declared.Declaration],
    existing: Iterable[models.Schedule],
    *,
    prune: bool = False,
) -> list[declared.Change]:
    """Compare declarations that are all of one instance."""
    return declared.difference(
        [(fakes.INSTANCE, each) for each in declarations],
        existing,
        prune=prune,
    )


def actions(changes: Iterable[declared.Change]) -> list[str]:
    return [each.action for each in changes]


def _accepted(check: Callable[[str], str]) -> Callable[[str], bool]:
    def accepts(text: str) -> bool:
        try:
            check(text)
        except exceptions.InvalidValueError:
            return False
        return True

    return accepts


# Texts that YAML could take for something else, and any other.
TEXTS = st.one_of(
    st.sampled_from(('1', '010', '1:30', '1.5', '2030-01-31', 'on', 'null')),
    st.sampled_from(('@a', '*a', '&a', '!a', '%a', '[a]', '{a}', '"a"')),
    st.sampled_from(
        ('a: b', 'a #b', '- a', '? a', '|', '<<', 'a ' * 45 + 'b')
    ),
    st.text(min_size=1, max_size=30),
)
SPREADABLE = ('@daily', '@hourly', '@weekly')
PATTERNS = (*SPREADABLE, '0 3 * * *', '*/15 * * * 1-5', '0 0 L * *')

NAMES = TEXTS.filter(_accepted(settings.validate_name))
ANY = TEXTS.filter(lambda text: bool(text.strip()))

PATTERN_OPTIONS = st.one_of(
    st.fixed_dictionaries({'pattern': st.sampled_from(PATTERNS)}),
    st.fixed_dictionaries(
        {'pattern': st.sampled_from(SPREADABLE), 'spread': st.just(True)}
    ),
)
NUMBERS = st.integers(1, settings.MAX_COUNT)
BASE_OPTIONS = st.one_of(
    st.fixed_dictionaries({}, optional={'parent': ANY, 'keep': NUMBERS}),
    st.fixed_dictionaries({'incremental': st.just(True)}),
    st.fixed_dictionaries(
        {'incremental': st.just(True), 'full_every': NUMBERS},
        optional={'keep': NUMBERS},
    ),
)
OTHER_OPTIONS = st.fixed_dictionaries(
    {'instance': ANY, 'name': NAMES},
    optional={
        'description': TEXTS.filter(_accepted(settings.validate_description)),
        'swift_container': st.from_regex(
            r'[a-z0-9@%+=:,./-]*[a-z]', fullmatch=True
        ),
        'storage_driver': TEXTS.filter(
            _accepted(settings.validate_storage_driver)
        ),
        'enabled': st.booleans(),
        'count': NUMBERS,
        'first_time': st.datetimes(timezones=st.just(datetime.UTC)),
    },
)


def _declarations(
    *options: st.SearchStrategy[dict[str, Any]],
) -> st.SearchStrategy[declared.Declaration]:
    return st.tuples(*options).map(
        lambda parts: declaration(**collections.ChainMap(*parts))
    )


DECLARATIONS = _declarations(PATTERN_OPTIONS, BASE_OPTIONS, OTHER_OPTIONS)

# Few values, so that many are alike in all or in some of them.
SIMILAR = _declarations(
    PATTERN_OPTIONS,
    st.fixed_dictionaries(
        {'name': st.sampled_from(('nightly', 'weekly'))},
        optional={'keep': st.sampled_from((7, 8)), 'enabled': st.booleans()},
    ),
)
Wanted = list[tuple[str, declared.Declaration]]

DECLARED: st.SearchStrategy[Wanted] = st.lists(
    st.tuples(
        st.sampled_from((fakes.INSTANCE, fakes.OTHER_INSTANCE)), SIMILAR
    ),
    max_size=6,
)


def parsed(text: str) -> list[declared.Declaration]:
    """Give the schedules that a file declares."""
    return declared.parse(text).schedules


class Cloud:
    """What is there, and what becomes of it by changes."""

    def __init__(
        self, wanted: Sequence[tuple[str, declared.Declaration]]
    ) -> None:
        self.schedules: list[models.Schedule] = []
        self._number = 0
        for instance, each in wanted:
            self._create(instance, each)

    def _create(self, instance: str, wanted: declared.Declaration) -> None:
        self._number += 1
        made = schedule(
            self._number,
            instance=instance,
            name=wanted.name,
            pattern=wanted.settings_for(instance).pattern,
            keep=wanted.keep,
            enabled=wanted.enabled,
        )
        self.schedules.append(made)

    def apply(self, changes: Iterable[declared.Change]) -> None:
        for each in changes:
            if each.action == 'create':
                assert each.declaration is not None
                key = (each.instance, each.declaration.name)
                there = [(one.instance, one.name) for one in self.schedules]
                assert each.twins == there.count(key)
                self._create(each.instance, each.declaration)
            elif each.action in {'change', 'delete'}:
                assert each.schedule is not None
                self.schedules.remove(each.schedule)
                if each.action == 'change':
                    values = {
                        key: new for key, (_, new) in each.changes.items()
                    }
                    self.schedules.append(
                        dataclasses.replace(each.schedule, **values)
                    )

    def state(self) -> collections.Counter[tuple[Any, ...]]:
        return collections.Counter(
            (each.instance, each.name, each.pattern, each.keep, each.enabled)
            for each in self.schedules
        )


class TestParse(base.TestCase):
    def test_a_file_with_all_there_can_be(self) -> None:
        self.assertEqual(
            [
                declaration(
                    description='Every night',
                    keep=7,
                    incremental=True,
                    full_every=6,
                    swift_container='dumps',
                    storage_driver='swift',
                    enabled=False,
                    count=5,
                    first_time=utc(2030, 1, 31, 3),
                ),
                declaration(
                    name='weekly',
                    pattern='@weekly',
                    parent='base',
                    spread=True,
                ),
            ],
            parsed(FULL),
        )

    def test_what_is_left_out_is_not_set(self) -> None:
        self.assertEqual([declaration()], parsed(ENTRY))

    def test_a_file_may_be_about_one_instance(self) -> None:
        text = f'instance: orders\n{ENTRY}'
        content = declared.parse(text)
        self.assertEqual('orders', content.instance)
        self.assertEqual([declaration()], content.schedules)
        self.assertIsNone(declared.parse(ENTRY).instance)
        again = declared.dump(content.schedules, content.instance)
        self.assertEqual(content, declared.parse(again))

    def test_that_instance_is_a_name_or_an_id(self) -> None:
        for value in ('', "' '", 'null', '7', '[]'):
            with self.case(value):
                self.assertRaises(
                    exceptions.InvalidValueError,
                    declared.parse,
                    f'instance: {value}\n{ENTRY}',
                )

    def test_no_schedules_are_a_valid_list(self) -> None:
        self.assertEqual([], parsed('schedules: []'))

    def test_the_same_schedule_may_be_there_twice(self) -> None:
        entry = ENTRY.removeprefix('schedules:\n')
        self.assertEqual([declaration()] * 2, parsed(ENTRY + entry))

    def test_patterns_come_in_their_normal_form(self) -> None:
        for written in ("' 0\t3  * * *'", '"0 3 *  * *"'):
            with self.case(written):
                found = parsed(ENTRY.replace('0 3 * * *', written))
                self.assertEqual([declaration()], found)

    def test_times_are_read_as_those_of_a_command_are(self) -> None:
        for written in (
            '2030-01-31T03:00:00Z',
            '2030-01-31T03:00Z',
            '2030-01-31 03:00:00',
            '"2030-01-31T03:00"',
            '2030-01-31T08:45:00+05:45',
        ):
            with self.case(written):
                (found,) = parsed(f'{ENTRY}  first_time: {written}\n')
                self.assertEqual(utc(2030, 1, 31, 3), found.first_time)

    def test_entries_can_be_merged(self) -> None:
        text = textwrap.dedent("""\
            schedules:
            - &orders {instance: orders, name: nightly, pattern: 0 3 * * *}
            - &weekly
              <<: *orders
              name: weekly
            - <<: *weekly
              keep: 7
            """)
        self.assertEqual(
            [
                declaration(),
                declaration(name='weekly'),
                declaration(name='weekly', keep=7),
            ],
            parsed(text),
        )

    def test_texts_that_only_look_like_numbers_are_texts(self) -> None:
        for name in ('010', '1:30', '0x10', '1_0', '2030-01-31', '2030-02-30'):
            with self.case(name):
                found = parsed(ENTRY.replace('nightly', name))
                self.assertEqual([declaration(name=name)], found)

    def test_what_is_no_yaml_is_refused_with_the_line(self) -> None:
        for text, line, reason in (
            ('schedules:\n- pattern: @daily', 2, 'cannot start any token'),
            ('schedules:\n- pattern: * * * * *', 2, 'scanning an alias'),
            ('schedules:\n\n- name: a: b', 3, 'not allowed here'),
            ('schedules: [\n', 2, 'expected the node content'),
            ('schedules: []\n---\nschedules: []', 2, 'another document'),
            ('schedules:\n- name: a\n  name: b', 3, 'the key "name" is there'),
            ('schedules: []\nschedules: []', 2, '"schedules" is there twice'),
            ('schedules: *a', 1, 'undefined alias'),
            ('schedules:\n- !!python/name:a.b x', 2, 'not determine a const'),
            ('schedules:\n- ? [a]\n  : b', 2, 'unhashable'),
            ('schedules:\n- keep: !!int a', 2, 'does not fit its type'),
            ('schedules:\n- keep: !!bool a', 2, 'does not fit its type'),
            ('schedules:\n- keep: !!timestamp a', 2, 'not fit its type'),
            (f'schedules:\n- keep: {"1" * 5000}', 2, 'not fit its type'),
        ):
            with self.case(text):
                message = self._refused(text)
                self.assertIn(f'not valid YAML (line {line}: ', message)
                self.assertIn(reason, message)
                self.assertNotIn('\n', message)

    def test_what_yaml_cannot_even_place_is_refused(self) -> None:
        for text, reason in (
            ('schedules: \x00', 'unacceptable character'),
            ('[' * 9999, 'recursion'),
        ):
            with self.case(text[:40]):
                message = self._refused(text)
                self.assertIn('not valid YAML (', message)
                self.assertIn(reason, message)
                self.assertNotIn('\n', message)

    def test_a_file_of_another_form_is_refused(self) -> None:
        for text, reason in (
            ('', 'no key "schedules"'),
            ('# nothing\n---\n', 'no key "schedules"'),
            ('- name: a', 'no key "schedules"'),
            ('schedules', 'no key "schedules"'),
            ('schedule: []', 'no key "schedules"'),
            ('schedules: []\nversion: 1', 'The key "version" at the top'),
            ('schedules:', 'is not a list'),
            ('schedules: {}', 'is not a list'),
            ('schedules: all', 'is not a list'),
        ):
            with self.case(text):
                self.assertIn(reason, self._refused(text))

    def test_keys_and_types_that_no_entry_has_are_refused(self) -> None:
        for line, reason in (
            ('keeps: 7', 'The key "keeps" is unknown. Known are: instance, '),
            ('7: keep', 'The key "7" is unknown.'),
            ('on: true', 'The key "True" is unknown.'),
            ('keep:', 'The key "keep" has no value. Give it one or leave it'),
            ('description: ""', 'The key "description" has no value.'),
            ('storage_driver: " "', 'The key "storage_driver" has no value.'),
            ('keep: "7"', 'The value of "keep" must be a whole number, with'),
            ('keep: true', 'The value of "keep" must be a whole number'),
            ('keep: 7.0', 'The value of "keep" must be a whole number'),
            ('keep: 010', 'The value of "keep" must be a whole number'),
            ('count: [5]', 'The value of "count" must be a whole number'),
            ('parent: 1', 'The value of "parent" must be a text; put it in'),
            ('description: on', 'The value of "description" must be a text'),
            ('enabled: "no"', 'The value of "enabled" must be true or false'),
            ('incremental: 1', 'The value of "incremental" must be true or'),
        ):
            with self.case(line):
                message = self._refused(self._with(line))
                self.assertIn(f'Entry 3 (crm/daily): {reason}', message)

    def test_impossible_values_are_refused(self) -> None:
        for line, reason in (
            ('keep: 0', 'between 1 and 2147483647, not 0.'),
            ('keep: -1', 'between 1 and 2147483647, not -1.'),
            ('full_every: 0', 'between 1 and 2147483647, not 0.'),
            ('count: 0', 'The count must be between 1 and 2147483647'),
            ('count: 2147483648', 'not 2147483648.'),
            ('description: "---"', 'at least one ASCII letter'),
            ('swift_container: a b', 'The Swift container'),
            ('first_time: tomorrow', '"tomorrow" is not an ISO 8601 time'),
            ('first_time: 2030-02-30', '"2030-02-30" is not an ISO 8601'),
            ('spread: true', "can't be spread"),
            ('incremental: true\n  parent: a', 'not on both'),
            ('full_every: 6', 'Only an incremental schedule'),
        ):
            with self.case(line):
                message = self._refused(self._with(line))
                self.assertIn('Entry 3 (crm/daily): ', message)
                self.assertIn(reason, message)

    def test_entries_without_what_is_necessary_are_refused(self) -> None:
        for entry, message in (
            ('{name: a, pattern: 0 3 * * *}', '1: The key "instance" is mis'),
            ('{instance: a, pattern: 0 3 * * *}', '1: The key "name" is mis'),
            ('{instance: a, name: b}', '1 (a/b): The key "pattern" is missi'),
            ('{instance: a, name: 1, pattern: ""}', '1: The value of "name"'),
            ('{instance: a, name: "/", pattern: a}', '1 (a//): The name'),
            ('{instance: a, name: b, pattern: 0 3 * *}', '1 (a/b): The patt'),
            ('{}', '1: The key "instance" is missing.'),
            ('', '1: It is not made of keys and values'),
            ('nightly', '1: It is not made of keys and values'),
            ('[nightly]', '1: It is not made of keys and values'),
        ):
            with self.case(entry):
                text = f'schedules:\n- {entry}\n'
                self.assertIn(f'Entry {message}', self._refused(text))

    def test_a_refusal_does_not_repeat_a_very_long_text(self) -> None:
        for old in ('orders', 'nightly', '0 3 * * *'):
            with self.case(old):
                text = ENTRY.replace(old, 'n' * 9999)
                text += '  keep: x\n'
                self.assertLess(len(self._refused(text)), 500)

    @base.STEADY
    @hypothesis.given(
        st.text('schedules: []{}-\n"\'@*&!#<>|%,?~0123456789e.', max_size=60)
    )
    def test_any_text_is_read_or_refused(self, text: str) -> None:
        for each in (text, f'schedules: {text}', f'{ENTRY}  keep: {text}'):
            try:
                parsed(each)
            except exceptions.InvalidValueError as exc:
                self.assertTrue(str(exc))

    def _with(self, line: str) -> str:
        return (
            f'{FULL}- instance: crm\n  name: daily\n  pattern: 0 3 * * *\n'
            f'  {line}\n'
        )

    def _refused(self, text: str) -> str:
        exc = self.assertRaises(
            exceptions.InvalidValueError, declared.parse, text
        )
        return str(exc)


class TestDump(base.TestCase):
    def test_only_what_is_set_is_written(self) -> None:
        text = declared.dump([declaration()])
        self.assertEqual(ENTRY, ''.join(_without_comment(text)))

    def test_the_keys_have_one_order(self) -> None:
        text = declared.dump(parsed(FULL))
        expected = FULL.replace(
            '2030-01-31T03:00:00Z', "'2030-01-31T03:00:00+00:00'"
        )
        self.assertEqual(expected, ''.join(_without_comment(text)))

    def test_the_comment_says_what_it_is_and_what_to_do_with_it(self) -> None:
        text = declared.dump([])
        self.assertIn('schedule export', text)
        self.assertIn('schedule apply', text)
        self.assertIn('All times are in UTC.', text)
        self.assertEqual(['schedules: []\n'], _without_comment(text))

    def test_texts_stay_readable(self) -> None:
        long = 'Überall 备份 ' * 15
        text = declared.dump([declaration(description=long.strip())])
        self.assertIn(f'  description: {long.strip()}\n', text)

    def test_equal_times_are_both_written(self) -> None:
        first = utc(2030, 1, 31, 3)
        text = declared.dump([declaration(first_time=first)] * 2)
        self.assertEqual(2, text.count('2030-01-31'))

    def test_every_kind_of_white_space_comes_back(self) -> None:
        for space in '\t\n\r\x85\xa0\u2028\u2029\u3000\ufeff':
            with self.case(space):
                made = declaration(instance=f'a{space}b', parent=f'a{space}')
                self.assertEqual([made], parsed(declared.dump([made])))

    @base.STEADY
    @hypothesis.given(st.lists(DECLARATIONS, max_size=4), st.randoms())
    def test_what_was_written_is_read_in_an_order_of_its_own(
        self, declarations: list[declared.Declaration], chance: random.Random
    ) -> None:
        text = declared.dump(declarations)
        found = parsed(text)
        self.assertCountEqual(declarations, found)
        self.assertEqual(
            sorted(found, key=lambda each: (each.instance, each.name)), found
        )
        chance.shuffle(declarations)
        self.assertEqual(text, declared.dump(declarations))


class TestOfSchedule(base.TestCase):
    def test_all_that_is_set_is_declared(self) -> None:
        made = schedule(
            1,
            pattern='0 4 * * *',
            description='Every night',
            keep=7,
            incremental=True,
            full_every=6,
            swift_container='dumps',
            storage_driver='swift',
            enabled=False,
            remaining_executions=3,
        )
        self.assertEqual(
            declaration(
                pattern='0 4 * * *',
                description='Every night',
                keep=7,
                incremental=True,
                full_every=6,
                swift_container='dumps',
                storage_driver='swift',
                enabled=False,
                count=3,
            ),
            declared.of_schedule(made, 'orders'),
        )

    def test_the_parent_is_declared_by_its_id(self) -> None:
        made = schedule(1, parent_id=base.uid(9))
        self.assertEqual(
            declaration(parent=base.uid(9)),
            declared.of_schedule(made, 'orders'),
        )

    def test_empty_values_of_others_are_not_set(self) -> None:
        made = foreign(
            1,
            description='',
            parent_id='',
            swift_container='',
            storage_driver='',
        )
        self.assertEqual(declaration(), declared.of_schedule(made, 'orders'))

    def test_what_no_file_can_declare_is_refused_by_its_id(self) -> None:
        values: tuple[tuple[str, Any, str], ...] = (
            ('name', 'a/b', '"/" is not possible'),
            ('name', 'n' * 300, '300 characters'),
            ('name', '', 'The key "name" is missing.'),
            ('pattern', None, 'The key "pattern" is missing.'),
            ('pattern', '0 0 3 * * *', 'it has 6 fields'),
            ('description', 5, 'The value of "description" must be a text'),
            ('description', 'd' * 300, '300 characters'),
            ('parent_id', ['a'], 'The value of "parent" must be a text'),
            ('remaining_executions', 0, 'The count must be between 1'),
        )
        for key, value, reason in values:
            with self.case(key, value):
                exc = self.assertRaises(
                    exceptions.InvalidValueError,
                    declared.of_schedule,
                    foreign(1, **{key: value}),
                    'orders',
                )
                self.assertIn(reason, str(exc))
                self.assertIn(
                    f"The schedule {base.uid(1)} can't be written to a file.",
                    str(exc),
                )


class TestDifference(base.TestCase):
    def test_what_is_not_there_is_created(self) -> None:
        self.assertEqual(
            [
                declared.Change(
                    action='create',
                    instance=fakes.INSTANCE,
                    declaration=declaration(),
                )
            ],
            difference([declaration()], []),
        )

    def test_what_differs_is_changed(self) -> None:
        there = schedule(1, description='old', keep=3)
        wanted = declaration(
            pattern='0 4 * * *', keep=7, parent=base.uid(9), enabled=False
        )
        (change,) = difference([wanted], [there])
        self.assertEqual(
            declared.Change(
                action='change',
                instance=fakes.INSTANCE,
                declaration=wanted,
                schedule=there,
                changes={
                    'pattern': ('0 3 * * *', '0 4 * * *'),
                    'description': ('old', None),
                    'keep': (3, 7),
                    'parent_id': (None, base.uid(9)),
                    'enabled': (True, False),
                },
            ),
            change,
        )

    def test_one_that_is_created_knows_how_many_others_there_are(
        self,
    ) -> None:
        wanted = [declaration(keep=keep) for keep in (1, 2, 3, 4)]
        wanted.append(declaration(name='weekly'))
        there = [schedule(1, keep=2), foreign(2), schedule(3, name='more')]
        changes = difference(wanted, there)
        self.assertEqual(
            ['change', 'unchanged', 'create', 'create', 'create', 'left'],
            actions(changes),
        )
        self.assertEqual([1, 2, 0], [each.twins for each in changes[2:5]])
        self.assertEqual(
            [('create', 1), ('unchanged', 0)],
            [
                (each.action, each.twins)
                for each in difference(wanted[:2], there[:1])
            ],
        )

    def test_every_setting_counts(self) -> None:
        values: tuple[tuple[str, Any], ...] = (
            ('pattern', '0 4 * * *'),
            ('description', 'Every night'),
            ('keep', 7),
            ('incremental', True),
            ('full_every', 6),
            ('parent_id', base.uid(9)),
            ('swift_container', 'dumps'),
            ('storage_driver', 'swift'),
            ('enabled', False),
        )
        for key, value in values:
            with self.case(key):
                there = schedule(1, **{key: value})
                (change,) = difference([declaration()], [there])
                self.assertEqual([key], list(change.changes))
                wanted = declaration(
                    **{'parent' if key == 'parent_id' else key: value}
                )
                self.assertEqual(
                    ['unchanged'], actions(difference([wanted], [there]))
                )

    def test_what_only_creation_uses_is_not_compared(self) -> None:
        there = schedule(1, remaining_executions=3)
        for wanted in (
            declaration(),
            declaration(count=5),
            declaration(first_time=utc(2020, 1, 31)),
        ):
            with self.case(wanted):
                self.assertEqual(
                    ['unchanged'], actions(difference([wanted], [there]))
                )

    def test_other_words_of_the_same_are_no_change(self) -> None:
        for changes in (
            {'pattern': '0 3  * * *'},
            {'description': ''},
            {'parent_id': ''},
            {'swift_container': '', 'storage_driver': ''},
        ):
            with self.case(changes):
                self.assertEqual(
                    ['unchanged'],
                    actions(
                        difference([declaration()], [foreign(1, **changes)])
                    ),
                )

    def test_any_value_of_others_can_be_changed(self) -> None:
        values: tuple[tuple[str, Any], ...] = (
            ('pattern', None),
            ('pattern', '0 0 3 * * *'),
            ('description', 5),
            ('storage_driver', ['swift']),
        )
        for key, value in values:
            with self.case(key, value):
                (change,) = difference(
                    [declaration()], [foreign(1, **{key: value})]
                )
                new = '0 3 * * *' if key == 'pattern' else None
                self.assertEqual({key: (value, new)}, change.changes)

    def test_a_spread_pattern_is_that_of_the_instance(self) -> None:
        wanted = declaration(pattern='@daily', spread=True)
        pattern = cron.spread('@daily', fakes.INSTANCE)
        self.assertEqual(
            ['unchanged'],
            actions(difference([wanted], [schedule(1, pattern=pattern)])),
        )
        (change,) = difference([wanted], [schedule(1, pattern='@daily')])
        self.assertEqual({'pattern': ('@daily', pattern)}, change.changes)

    def test_schedules_of_other_instances_or_names_do_not_match(self) -> None:
        for there in (
            schedule(1, instance=fakes.OTHER_INSTANCE),
            schedule(1, name='Nightly'),
        ):
            with self.case(there):
                self.assertEqual(
                    ['create', 'left'],
                    actions(difference([declaration()], [there])),
                )

    def test_only_pruning_deletes_and_only_what_was_made_here(self) -> None:
        existing = [schedule(2), schedule(3, name='weekly'), foreign(1)]
        for prune, expected in (
            (False, ['left', 'left', 'left']),
            (True, ['delete', 'delete', 'left']),
        ):
            with self.case(prune):
                changes = difference([], existing[::-1], prune=prune)
                self.assertEqual(expected, actions(changes))
                self.assertEqual(existing, [each.schedule for each in changes])

    def test_what_no_file_can_declare_is_never_deleted(self) -> None:
        there = schedule(1, pattern=None)
        (change,) = difference([], [there], prune=True)
        self.assertEqual(('left', there), (change.action, change.schedule))

    def test_twins_are_paired_with_their_like_and_then_by_age(self) -> None:
        wanted = [declaration(keep=keep) for keep in (1, 2, 3, 4)]
        existing = [schedule(1, keep=9), schedule(2, keep=3), schedule(3)]
        changes = difference(wanted, existing[::-1])
        self.assertEqual(
            ['change', 'change', 'unchanged', 'create'], actions(changes)
        )
        self.assertEqual(
            [existing[0], existing[2], existing[1], None],
            [each.schedule for each in changes],
        )

    def test_surplus_twins_are_the_newest(self) -> None:
        existing = [schedule(number, keep=number) for number in (1, 2, 3)]
        changes = difference([declaration(keep=9)], existing[::-1], prune=True)
        self.assertEqual(['change', 'delete', 'delete'], actions(changes))
        self.assertEqual(existing, [each.schedule for each in changes])

    def test_those_made_by_other_means_are_taken_last(self) -> None:
        existing = [schedule(2), foreign(1)]
        for wanted, expected in (
            (declaration(), ['unchanged', 'left']),
            (declaration(keep=9), ['change', 'left']),
        ):
            with self.case(wanted):
                changes = difference([wanted], existing[::-1], prune=True)
                self.assertEqual(expected, actions(changes))
                self.assertEqual(existing, [each.schedule for each in changes])

    def test_one_without_a_time_of_creation_is_the_oldest(self) -> None:
        existing = [schedule(2, created_at=None), schedule(1)]
        changes = difference([declaration(keep=9)], existing[::-1])
        self.assertEqual(existing, [each.schedule for each in changes])

    def test_a_schedule_whose_trigger_is_being_replaced_counts_once(
        self,
    ) -> None:
        old = schedule(1)
        new = dataclasses.replace(
            old, generation=2, trigger_id=base.uid(2), keep=7
        )
        for existing in ([old, new], [new, old]):
            with self.case(existing):
                (change,) = difference(
                    [declaration(keep=7)], existing, prune=True
                )
                self.assertEqual('unchanged', change.action)
                self.assertIs(new, change.schedule)

    def test_changes_come_in_the_order_of_the_file(self) -> None:
        wanted = [declaration(name=name) for name in ('c', 'a', 'b')]
        existing = [schedule(1, name='z'), schedule(2, name='a')]
        changes = difference(wanted, existing, prune=True)
        self.assertEqual(
            ['create', 'unchanged', 'create', 'delete'], actions(changes)
        )
        self.assertEqual(wanted, [each.declaration for each in changes[:3]])

    @base.STEADY
    @hypothesis.given(DECLARED, DECLARED)
    def test_pruning_gives_exactly_what_is_declared(
        self, before: Wanted, wanted: Wanted
    ) -> None:
        cloud = Cloud(before)
        cloud.apply(declared.difference(wanted, cloud.schedules, prune=True))
        self.assertEqual(Cloud(wanted).state(), cloud.state())
        again = declared.difference(wanted, cloud.schedules, prune=True)
        self.assertEqual(['unchanged'] * len(wanted), actions(again))

    @base.STEADY
    @hypothesis.given(DECLARED, DECLARED)
    def test_without_pruning_nothing_is_lost(
        self, before: Wanted, wanted: Wanted
    ) -> None:
        cloud = Cloud(before)
        ids = {each.id for each in cloud.schedules}
        cloud.apply(declared.difference(wanted, cloud.schedules, prune=False))
        self.assertLessEqual(Cloud(wanted).state(), cloud.state())
        self.assertLessEqual(ids, {each.id for each in cloud.schedules})
        again = declared.difference(wanted, cloud.schedules, prune=False)
        self.assertEqual({'left'}, {'left', *actions(again)} - {'unchanged'})

    @base.STEADY
    @hypothesis.given(DECLARED)
    def test_what_was_exported_changes_nothing(self, there: Wanted) -> None:
        cloud = Cloud(there)
        text = declared.dump(
            declared.of_schedule(each, each.instance)
            for each in cloud.schedules
        )
        wanted = [(each.instance, each) for each in parsed(text)]
        changes = declared.difference(wanted, cloud.schedules, prune=True)
        self.assertEqual(['unchanged'] * len(there), actions(changes))


def _without_comment(text: str) -> list[str]:
    return [
        line
        for line in text.splitlines(keepends=True)
        if not line.startswith('#')
    ]
