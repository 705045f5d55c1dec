# SPDX-License-Identifier: Apache-2.0

import dataclasses
import datetime
import functools
import itertools
import json
from typing import Any

import hypothesis
from hypothesis import strategies as st

from tests.unit import base
from tests.unit import fakes
from trove_backup_schedule import exceptions
from trove_backup_schedule import models
from trove_backup_schedule import settings

utc = functools.partial(datetime.datetime, tzinfo=datetime.UTC)

NOW = utc(2030, 1, 1, 2)
LATER = utc(2030, 1, 20, 12)
TICK = utc(2030, 1, 1, 3)

NAME = models.TriggerName(
    name='nightly', instance=fakes.INSTANCE, schedule_id=fakes.schedule_id(1)
)


def chosen(**changes: Any) -> settings.Settings:
    """Give settings of which nothing but the necessary is chosen."""
    values = {'name': 'nightly', 'pattern': '0 3 * * *'}
    return settings.Settings(**values | changes)


def schedule(**changes: Any) -> models.Schedule:
    """Give a schedule made here that fires next at :data:`TICK`."""
    made = models.Schedule.from_trigger(fakes.our_trigger(1))
    return dataclasses.replace(made, **{'next_execution_time': TICK} | changes)


def stored(values: dict[str, Any]) -> models.Schedule:
    """Give the schedule that Mistral holds when it was sent a trigger."""
    first = values['first_execution_time']
    return models.Schedule.from_trigger(
        {
            **fakes.trigger(1),
            **values,
            'workflow_input': json.dumps(values['workflow_input']),
            'next_execution_time': first or f'{TICK:%F %T}',
        }
    )


class TestSettings(base.TestCase):
    def test_those_of_a_schedule(self) -> None:
        found = settings.Settings.of(
            schedule(
                description='each night',
                incremental=True,
                full_every=6,
                keep=3,
                swift_container='dumps',
                storage_driver='swift',
                remaining_executions=5,
                enabled=False,
            )
        )
        self.assertEqual(
            chosen(
                description='each night',
                incremental=True,
                full_every=6,
                keep=3,
                swift_container='dumps',
                storage_driver='swift',
                count=5,
                enabled=False,
            ),
            found,
        )
        parent = base.uid(9)
        found = settings.Settings.of(schedule(parent_id=parent))
        self.assertEqual(chosen(parent_id=parent), found)


class TestValidated(base.TestCase):
    def test_the_normal_form_of_each_is_given(self) -> None:
        for changes, normal in (
            ({}, {}),
            ({'pattern': ' 0  3 * * * '}, {'pattern': '0 3 * * *'}),
            ({'pattern': '@DAILY'}, {'pattern': '@daily'}),
            (
                {'first_time': LATER.replace(second=1)},
                {'first_time': LATER.replace(minute=1)},
            ),
        ):
            with self.case(changes):
                given: Any = {**changes}
                self.assertEqual(normal, settings.validated(given, NOW))
                # What was given is left as it is.
                self.assertEqual(changes, given)

    def test_what_is_right_or_not_set_is_left(self) -> None:
        rights: tuple[dict[str, Any], ...] = (
            {'name': 'a b'},
            {'description': 'a b'},
            {'swift_container': 'dumps'},
            {'count': 1},
            {'keep': 1},
            {'full_every': 1},
            {'parent_id': 'x'},
            {'incremental': True},
            {'storage_driver': 'swift'},
            {'enabled': False},
        )
        for right in rights:
            with self.case(right):
                changes: Any = right
                self.assertEqual(right, settings.validated(changes, NOW))
        for key in (
            'description',
            'parent_id',
            'full_every',
            'keep',
            'swift_container',
            'storage_driver',
            'count',
            'first_time',
        ):
            with self.case(key):
                changes = {key: None}
                self.assertEqual(changes, settings.validated(changes, NOW))

    def test_what_can_never_be_right(self) -> None:
        wrongs: tuple[dict[str, Any], ...] = (
            {'name': ''},
            {'name': 'a/b'},
            {'pattern': ''},
            {'pattern': '* * * * * *'},
            {'description': ''},
            {'swift_container': ''},
            {'storage_driver': ''},
            {'count': 0},
            {'keep': 0},
            {'full_every': 0},
            {'first_time': NOW},
            {'first_time': NOW + datetime.timedelta(seconds=59)},
        )
        for wrong in wrongs:
            with self.case(wrong):
                changes: Any = wrong
                self.assertRaises(
                    exceptions.InvalidValueError,
                    settings.validated,
                    changes,
                    NOW,
                )


class TestValidation(base.TestCase):
    def test_texts_that_trove_takes(self) -> None:
        for validate, text in (
            (settings.validate_name, 'a'),
            (settings.validate_name, '1'),
            (settings.validate_name, 'n' * 100),
            (settings.validate_name, 'nightly: 100 % of (ÄÖÜ) _ \\ "a" \'b\''),
            (settings.validate_name, '备份 1'),
            (settings.validate_description, 'd' * 207),
            (settings.validate_description, 'of orders/2030'),
            (settings.validate_swift_container, 'c' * 255),
            (settings.validate_swift_container, 'Az09@%+=:,./-_'),
            (settings.validate_storage_driver, 's' * 255),
            (settings.validate_storage_driver, 'my driver'),
        ):
            with self.case(text):
                self.assertEqual(text, validate(text))

    def test_texts_that_trove_would_refuse_at_each_run(self) -> None:
        for validate, text, reason in (
            (settings.validate_name, '', 'name'),
            (settings.validate_name, '---', 'one ASCII letter or digit'),
            (settings.validate_name, '备份', 'one ASCII letter or digit'),
            (settings.validate_name, ' a', 'white space'),
            (settings.validate_name, 'a\t', 'white space'),
            (settings.validate_name, 'a\nb', 'control character'),
            (settings.validate_name, 'a\x00b', 'control character'),
            (settings.validate_name, 'a\u2028b', 'control character'),
            (settings.validate_name, 'a/b', '"/" is not possible'),
            (settings.validate_name, 'n' * 101, '101 characters, and 100'),
            (settings.validate_description, '...', 'one ASCII letter'),
            (settings.validate_description, 'd' * 256, '256 characters'),
            (settings.validate_description, 'a\nb', 'line break'),
            (settings.validate_swift_container, 'a b', '"a b" can\'t be used'),
            (
                settings.validate_swift_container,
                'a?b',
                'ASCII letters, digits',
            ),
            (settings.validate_swift_container, 'aé', '@%+=:,./-_'),
            (settings.validate_swift_container, 'c' * 256, '256 characters'),
            (settings.validate_swift_container, '.', 'one ASCII letter'),
            (settings.validate_storage_driver, '', 'storage driver'),
            (settings.validate_storage_driver, ' swift', 'white space'),
            (settings.validate_storage_driver, 's' * 256, '256 characters'),
        ):
            with self.case(text):
                exc = self.assertRaises(
                    exceptions.InvalidValueError, validate, text
                )
                self.assertIn(reason, str(exc))

    def test_a_refusal_does_not_repeat_a_very_long_text(self) -> None:
        exc = self.assertRaises(
            exceptions.InvalidValueError, settings.validate_name, 'n' * 9999
        )
        self.assertLess(len(str(exc)), 200)

    def test_numbers(self) -> None:
        for validate, what in (
            (settings.validate_count, 'count'),
            (settings.validate_keep, 'backups to keep'),
            (settings.validate_full_every, 'incremental backups'),
        ):
            self.assertEqual(1, validate(1))
            self.assertEqual(2**31 - 1, validate(2**31 - 1))
            for number in (0, -1, 2**31):
                with self.case(what, number):
                    exc = self.assertRaises(
                        exceptions.InvalidValueError, validate, number
                    )
                    self.assertIn(f'not {number}.', str(exc))
                    self.assertIn(what, str(exc))


class TestValidateTogether(base.TestCase):
    def test_what_goes_together(self) -> None:
        for changes in (
            {},
            {'parent_id': 'x', 'keep': 3},
            {'incremental': True},
            {'incremental': True, 'full_every': 6, 'keep': 3},
            {'pattern': None, 'enabled': False},
        ):
            with self.case(changes):
                settings.validate_together(chosen(**changes))

    def test_what_stands_against_each_other(self) -> None:
        for changes, reason in (
            ({'parent_id': 'x', 'incremental': True}, 'not on both'),
            ({'full_every': 6}, 'Only an incremental schedule'),
            ({'incremental': True, 'keep': 3}, 'make a full one every'),
            ({'pattern': None}, 'has to be given a pattern first'),
        ):
            with self.case(changes):
                exc = self.assertRaises(
                    exceptions.InvalidValueError,
                    settings.validate_together,
                    chosen(**changes),
                )
                self.assertIn(reason, str(exc))

    def test_all_that_is_possible_is_held_against_the_rules(self) -> None:
        for parent, incremental, full_every, keep in itertools.product(
            (None, base.uid(9)), (False, True), (None, 6), (None, 3)
        ):
            refused = (
                (parent and incremental)
                or (full_every and not incremental)
                or (keep and incremental and not full_every)
            )
            with self.case(parent, incremental, full_every, keep):
                wanted = chosen(
                    parent_id=parent,
                    incremental=incremental,
                    full_every=full_every,
                    keep=keep,
                )
                try:
                    settings.validate_together(wanted)
                except exceptions.InvalidValueError:
                    self.assertTrue(refused)
                else:
                    self.assertFalse(refused)


def _values(
    wanted: settings.Settings, name: models.TriggerName = NAME, **given: Any
) -> dict[str, Any]:
    """Give the trigger of a schedule that is created."""
    first = wanted.first_time
    told = {'fires_at': first, 'first_time': first, 'active_since': first}
    return settings.trigger_values(wanted, name, **(told | given))


class TestTriggerValues(base.TestCase):
    def test_the_least_that_is_needed(self) -> None:
        self.assertEqual(
            {
                'name': str(NAME),
                'workflow_name': 'trove.backup_create',
                'workflow_params': {
                    'env': {'schedule_id': fakes.schedule_id(1)}
                },
                'pattern': '0 3 * * *',
                'first_execution_time': None,
                'remaining_executions': None,
                'workflow_input': {
                    'instance': fakes.INSTANCE,
                    'name': 'nightly',
                    'description': None,
                    'parent_id': None,
                    'schedule_id': fakes.schedule_id(1),
                },
            },
            _values(chosen()),
        )

    def test_the_input_has_the_others_when_they_say_something(self) -> None:
        least = _values(chosen())['workflow_input']
        extras: tuple[dict[str, Any], ...] = (
            {'incremental': True},
            {'full_every': 6},
            {'keep': 3},
            {'swift_container': 'dumps'},
            {'storage_driver': 'swift'},
        )
        for extra in extras:
            with self.case(extra):
                made = _values(chosen(**extra))
                self.assertEqual(least | extra, made['workflow_input'])
        created = NOW.replace(microsecond=5)
        made = _values(
            chosen(),
            created_at=created,
            active_since=NOW,
            origin=base.uid(1),
        )
        self.assertEqual(
            least
            | {
                'created_at': '2030-01-01T02:00:00.000005+00:00',
                'active_since': '2030-01-01T02:00:00+00:00',
                'origin': base.uid(1),
            },
            made['workflow_input'],
        )

    def test_it_is_active_from_its_first_time_on(self) -> None:
        for enabled, first in (
            (True, '2030-01-20 12:00'),
            # It keeps that time for when it is enabled.
            (False, '9999-12-31 23:59'),
        ):
            with self.case(enabled):
                made = _values(chosen(first_time=LATER, enabled=enabled))
                self.assertEqual(first, made['first_execution_time'])
                for key in ('active_since', 'first_time'):
                    self.assertEqual(
                        LATER.isoformat(), made['workflow_input'][key]
                    )

    @base.STEADY
    @hypothesis.given(
        st.builds(
            chosen,
            name=st.text(min_size=1, max_size=9).filter(str.isprintable),
            pattern=st.sampled_from(('0 3 * * *', '@weekly')),
            description=st.none() | st.text(min_size=1, max_size=9),
            parent_id=st.none() | st.just(base.uid(9)),
            incremental=st.booleans(),
            full_every=st.none() | st.integers(1, 9),
            keep=st.none() | st.integers(1, 9),
            swift_container=st.none() | st.just('dumps'),
            storage_driver=st.none() | st.just('swift'),
            count=st.none() | st.integers(1, 9),
            enabled=st.booleans(),
        )
    )
    def test_what_was_chosen_is_read_again(
        self, wanted: settings.Settings
    ) -> None:
        name = dataclasses.replace(NAME, name=wanted.name)
        found = stored(_values(wanted, name))
        self.assertEqual(wanted, settings.Settings.of(found))
        self.assertEqual(NAME.schedule_id, found.id)
        self.assertEqual(NAME.instance, found.instance)


class TestSuccessor(base.TestCase):
    @staticmethod
    def _changed(
        current: models.Schedule,
        now: datetime.datetime = NOW,
        **changes: Any,
    ) -> models.Schedule:
        """Give a schedule as it is after a change."""
        wanted = dataclasses.replace(settings.Settings.of(current), **changes)
        return stored(settings.successor(current, wanted, now))

    def test_only_what_is_wanted_changes(self) -> None:
        current = schedule(
            description='each night',
            incremental=True,
            full_every=6,
            keep=3,
            remaining_executions=5,
        )
        changed = self._changed(current, keep=4)
        self.assertEqual(
            dataclasses.replace(settings.Settings.of(current), keep=4),
            settings.Settings.of(changed),
        )
        for attribute in ('id', 'instance', 'created_at', 'active_since'):
            with self.case(attribute):
                self.assertEqual(
                    getattr(current, attribute), getattr(changed, attribute)
                )
        self.assertEqual(2, changed.generation)
        self.assertEqual(3, self._changed(changed, keep=5).generation)

    def test_a_new_name_is_in_the_name_of_the_trigger(self) -> None:
        changed = self._changed(schedule(), name='hourly')
        self.assertEqual(
            f'trovebackup1:hourly:{fakes.INSTANCE}:{fakes.schedule_id(1)}:2',
            changed.trigger_name,
        )

    def test_one_made_by_others_keeps_its_id_and_its_origin(self) -> None:
        for name, identifier in (
            (base.uid(11), base.uid(11)),
            ('by-hand', base.uid(1)),
        ):
            with self.case(name):
                current = models.Schedule.from_trigger(
                    fakes.trigger(1, name=name)
                )
                for generation in (2, 3):
                    current = self._changed(current, keep=generation)
                    self.assertEqual(identifier, current.id)
                    self.assertEqual(base.uid(1), current.origin)
                    self.assertEqual(generation, current.generation)
        self.assertIsNone(self._changed(schedule(), keep=3).origin)

    def test_since_when_it_is_active(self) -> None:
        since = utc(2029, 5, 6)
        pending = {'next_execution_time': LATER, 'first_time': LATER}
        asked: tuple[tuple[dict[str, Any], dict[str, Any], Any], ...] = (
            ({}, {'keep': 3}, since),
            ({}, {'name': 'x'}, since),
            # From the creation of the new trigger on.
            ({}, {'pattern': '@hourly'}, None),
            ({}, {'enabled': False}, since),
            ({'enabled': False}, {'enabled': True}, None),
            ({'enabled': False}, {'keep': 3}, None),
            ({}, {'first_time': LATER}, LATER),
            # A first time that was chosen is still to come.
            (pending, {'keep': 3}, LATER),
            (pending, {'pattern': '@hourly'}, LATER),
            # Of one made by others it is not known that it is one.
            ({'next_execution_time': LATER}, {'keep': 3}, since),
            ({'next_execution_time': LATER}, {'pattern': '@hourly'}, None),
        )
        for before, changes, expected in asked:
            with self.case(before, changes):
                current = schedule(active_since=since, **before)
                changed = self._changed(current, **changes)
                self.assertEqual(
                    expected or changed.created_at, changed.active_since
                )

    def test_the_first_time_is_kept_with_the_pattern(self) -> None:
        past = utc(2029, 5, 6)
        asked: tuple[tuple[dict[str, Any], dict[str, Any], Any], ...] = (
            ({'first_time': past}, {'keep': 3}, past),
            ({'first_time': past}, {'enabled': False}, past),
            ({'first_time': past, 'enabled': False}, {'enabled': True}, past),
            ({'first_time': past}, {'pattern': '@hourly'}, None),
            ({'first_time': past}, {'first_time': LATER}, LATER),
            ({}, {'keep': 3}, None),
            # Mistral forgets when one fires that is disabled.
            ({'next_execution_time': LATER}, {'enabled': False}, LATER),
        )
        for before, changes, expected in asked:
            with self.case(before, changes):
                changed = self._changed(schedule(**before), **changes)
                self.assertEqual(expected, changed.first_time)

    def test_a_pending_first_time_outlives_a_new_pattern(self) -> None:
        for first in (
            LATER,
            # The old pattern would fire just then.
            utc(2030, 1, 20, 3),
        ):
            with self.case(first):
                changed = self._changed(
                    schedule(
                        pattern='0 3 20 * *',
                        first_time=first,
                        active_since=first,
                        next_execution_time=first,
                    ),
                    pattern='0 3 1 * *',
                )
                self.assertEqual(first, changed.first_time)
                self.assertEqual(first, changed.next_execution_time)

    def test_a_first_time_about_to_come_is_not_lost(self) -> None:
        # The old pattern says that time too, the new one does not.
        for seconds in (4, 30, 65):
            now = TICK - datetime.timedelta(seconds=seconds)
            current = schedule(first_time=TICK, active_since=TICK)
            with self.case(seconds):
                exc = self.assertRaises(
                    exceptions.ConflictError,
                    self._changed,
                    current,
                    now,
                    pattern='0 4 * * *',
                )
                self.assertIn('at 2030-01-01T03:00:00', str(exc))
                # These make that run themselves.
                for changes in ({'keep': 3}, {'pattern': '0 3,15 * * *'}):
                    changed = self._changed(current, now, **changes)
                    self.assertEqual(TICK, changed.next_execution_time)

    def test_a_name_that_no_trigger_can_have_is_refused(self) -> None:
        for current, changes in (
            (schedule(), {'name': 'n' * 200}),
            (schedule(), {'name': 'a\nb'}),
            (schedule(instance='orders'), {'keep': 3}),
        ):
            with self.case(current, changes):
                exc = self.assertRaises(
                    exceptions.InvalidValueError,
                    self._changed,
                    current,
                    **changes,
                )
                self.assertIn(current.id, str(exc))
                self.assertIn(f'"{current.instance}"', str(exc))

    def test_a_change_right_after_a_run_has_begun_is_no_new_beginning(
        self,
    ) -> None:
        since = utc(2029, 5, 6)
        current = schedule(
            active_since=since, next_execution_time=utc(2030, 1, 2, 3)
        )
        # The run may begin early, and the clocks may differ.
        for seconds in (-2, 0, 3, 60):
            with self.case(seconds):
                changed = self._changed(
                    current,
                    TICK + datetime.timedelta(seconds=seconds),
                    keep=3,
                )
                self.assertEqual(since, changed.active_since)

    def test_a_pending_first_time_outlives_being_disabled(self) -> None:
        current = schedule(next_execution_time=LATER)
        disabled = self._changed(current, enabled=False)
        self.assertIsNone(disabled.next_execution_time)
        changed = self._changed(disabled, keep=3)
        enabled = self._changed(changed, enabled=True)
        self.assertEqual(LATER, enabled.next_execution_time)
        # When that time has passed, the pattern tells the next run.
        enabled = self._changed(changed, LATER, enabled=True)
        self.assertEqual(TICK, enabled.next_execution_time)

    def test_a_new_first_time_takes_the_place_of_a_pending_one(self) -> None:
        sooner = utc(2030, 1, 5)
        for due in (LATER, NOW + datetime.timedelta(seconds=30)):
            with self.case(due):
                changed = self._changed(
                    schedule(next_execution_time=due), first_time=sooner
                )
                self.assertEqual(sooner, changed.next_execution_time)


class TestPendingFirstTime(base.TestCase):
    def _pending(
        self, now: datetime.datetime = NOW, **changes: Any
    ) -> datetime.datetime | None:
        current = schedule(**changes)
        return settings.pending_first_time(current, current.pattern, now)

    def test_the_pattern_alone_says_it(self) -> None:
        second = datetime.timedelta(seconds=1)
        for now, due, pattern in (
            (NOW, TICK, '0 3 * * *'),
            (TICK - second, TICK, '0 3 * * *'),
            # It is due, and about to begin.
            (TICK, TICK, '0 3 * * *'),
            (TICK + second, TICK, '0 3 * * *'),
            (TICK + 900 * second, TICK, '0 3 * * *'),
            # One has begun early, and the next is close.
            (TICK - 2 * second, utc(2030, 1, 1, 3, 1), '* * * * *'),
            (TICK - 5 * second, utc(2030, 1, 1, 3, 1), '* * * * *'),
            # One has just begun, early or late.
            (TICK - 2 * second, utc(2030, 1, 2, 3), '0 3 * * *'),
            (TICK, utc(2030, 1, 2, 3), '0 3 * * *'),
            (TICK + second, utc(2030, 1, 2, 3), '0 3 * * *'),
            (TICK + 4 * second, utc(2030, 1, 2, 3), '0 3 * * *'),
            (TICK + 60 * second, utc(2030, 1, 2, 3), '0 3 * * *'),
            (NOW, utc(2030, 2, 1), '0 0 1 * *'),
            (NOW, utc(2032, 2, 29), '0 0 29 2 *'),
            (NOW, NOW - second, None),
        ):
            with self.case(now, due, pattern):
                self.assertIsNone(
                    self._pending(
                        now, next_execution_time=due, pattern=pattern
                    )
                )

    def test_a_time_that_was_chosen(self) -> None:
        for due, pattern in (
            (NOW + datetime.timedelta(seconds=66), '0 3 * * *'),
            (utc(2030, 1, 1, 2, 30), '0 3 * * *'),
            (LATER, '0 3 * * *'),
            # It is the pattern's, but not the next.
            (utc(2030, 1, 5, 3), '0 3 * * *'),
            (LATER, None),
        ):
            with self.case(due, pattern):
                self.assertEqual(
                    due,
                    self._pending(next_execution_time=due, pattern=pattern),
                )

    def test_a_time_that_is_too_close_to_be_set_again(self) -> None:
        for seconds in (1, 60, 65):
            for pattern in ('0 3 * * *', None):
                with self.case(seconds, pattern):
                    exc = self.assertRaises(
                        exceptions.ConflictError,
                        self._pending,
                        next_execution_time=NOW
                        + datetime.timedelta(seconds=seconds),
                        pattern=pattern,
                    )
                    self.assertIn(fakes.schedule_id(1), str(exc))
                    self.assertIn('at 2030-01-01T02:0', str(exc))
                    self.assertIn('Try again', str(exc))

    def test_a_time_that_is_close_is_that_of_both_patterns(self) -> None:
        for before, after, said_by_both in (
            ('0 3 * * *', '0 3 * * *', True),
            ('0 3 * * *', '0 3,15 * * *', True),
            ('0 3 * * *', '0 4 * * *', False),
            ('0 3 * * *', None, False),
            # A run that the old one starts early would be started twice.
            ('0 4 * * *', '0 3 * * *', False),
            (None, '0 3 * * *', False),
        ):
            with self.case(before, after):
                current = schedule(pattern=before, first_time=TICK)
                now = TICK - datetime.timedelta(seconds=30)
                if said_by_both:
                    self.assertIsNone(
                        settings.pending_first_time(current, after, now)
                    )
                else:
                    self.assertRaises(
                        exceptions.ConflictError,
                        settings.pending_first_time,
                        current,
                        after,
                        now,
                    )

    def test_one_that_is_disabled(self) -> None:
        for since, expected in (
            (LATER, LATER),
            (NOW, None),
            (utc(2029, 5, 6), None),
            (None, None),
            (TICK, TICK),
        ):
            with self.case(since):
                self.assertEqual(
                    expected,
                    self._pending(
                        enabled=False,
                        next_execution_time=None,
                        first_time=since,
                    ),
                )
