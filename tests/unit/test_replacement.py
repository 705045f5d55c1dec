# SPDX-License-Identifier: Apache-2.0

from collections.abc import Callable, Iterator
import contextlib
import dataclasses
import datetime
import functools
import itertools
import types
from typing import Any

import fixtures

from tests.unit import base
from tests.unit import fakes
from tests.unit import test_adapter
from tests.unit.fakes import our_trigger
from tests.unit.fakes import run_of
from tests.unit.fakes import schedule_id
from tests.unit.fakes import successor
from tests.unit.fakes import trigger
from trove_backup_schedule import exceptions
from trove_backup_schedule import models
from trove_backup_schedule import replacement
from trove_backup_schedule import settings

utc = functools.partial(datetime.datetime, tzinfo=datetime.UTC)

TRIGGERS = test_adapter.TRIGGERS
HTML = test_adapter.HTML

SECOND = datetime.timedelta(seconds=1)
DAY = datetime.timedelta(days=1)

#: When the triggers here fire next.
TICK = utc(2030, 1, 2, 3)

# What has made a schedule, its name and its ID.
MADE = {
    'here': ('nightly', schedule_id(1)),
    'by python-troveclient': ('by-hand', base.uid(11)),
    'by hand': ('by-hand', base.uid(1)),
}

CHANGES: tuple[dict[str, Any], ...] = (
    {'keep': 3},
    {'name': 'another'},
    {'pattern': '0 3,15 * * *'},
)


class StoppedError(BaseException):
    """The process is killed."""


def generation(number: int, name: str = 'nightly', **more: Any) -> fakes.Row:
    """Give a trigger that has been put in place of :func:`our_trigger`'s."""
    row = successor(
        our_trigger(1, name), number, created_at=f'{fakes.NOW:%F %T}'
    )
    row['workflow_input'] |= more
    return row


def going_on(number: int, row: fakes.Row, **changes: Any) -> fakes.Row:
    """Give a run that a trigger has just started."""
    just_now = {'state': 'RUNNING', 'created_at': f'{fakes.NOW:%F %T}'}
    return run_of(number, row, **just_now | changes)


class ReplacementTestCase(test_adapter.AdapterTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.useFixture(
            fixtures.MonkeyPatch(
                'trove_backup_schedule.mistral._SETTLING', (0.0,)
            )
        )

    def begin(self, maker: str = 'here') -> fakes.Row:
        """Have one schedule, at a moment when it does not run."""
        rows = {
            'here': our_trigger(1),
            'by python-troveclient': trigger(1, name=base.uid(11)),
            'by hand': trigger(1),
        }
        self.triggers[:] = [rows[maker]]
        self.executions.clear()
        self.mistral.now = fakes.NOW
        return self.triggers[0]

    def change(self, maker: str = 'here', **changes: Any) -> models.Schedule:
        return self.schedules.schedule_set(MADE[maker][1], **changes)

    def leave_both(self, maker: str = 'here', **changes: Any) -> None:
        """Be stopped before the trigger that was replaced goes."""
        self.begin(maker)
        with self.before('DELETE', self._stop):
            self.change(maker, **changes)

    @contextlib.contextmanager
    def before(self, method: str, act: Callable[[], object]) -> Iterator[None]:
        """Have something happen before the first request of a method."""

        def hook(request: Any) -> None:
            if request.method == method:
                self.mistral.before = None
                act()

        with self._hooked(hook):
            yield

    @contextlib.contextmanager
    def at(
        self, number: int, act: Callable[[], object]
    ) -> Iterator[Callable[[], bool]]:
        """Have something happen before the request of a number.

        Each request takes its time.

        :returns: what tells whether it has happened.
        """
        left = number

        def hook(_request: Any) -> None:
            nonlocal left
            self.mistral.wait(0.3)
            left -= 1
            if left == 0:
                act()

        with self._hooked(hook):
            yield lambda: left <= 0

    @contextlib.contextmanager
    def _hooked(self, hook: Callable[[Any], None]) -> Iterator[None]:
        self.mistral.before = hook
        try:
            with contextlib.suppress(StoppedError):
                yield
        finally:
            self.mistral.before = None

    def _stop(self) -> None:
        raise StoppedError

    def wait_until(self, moment: datetime.datetime) -> None:
        self.mistral.wait((moment - self.mistral.now).total_seconds())

    def end_runs(self) -> None:
        for row in self.executions:
            row['state'] = 'SUCCESS'

    def generations(self) -> list[int]:
        return sorted(
            models.Schedule.from_trigger(row).generation
            for row in self.triggers
        )

    def names(self) -> list[str]:
        return sorted(
            models.Schedule.from_trigger(row).name for row in self.triggers
        )

    def only(self) -> models.Schedule:
        """Give the instance's only schedule."""
        (found,) = self.schedules.schedule_list(fakes.INSTANCE)
        return found


class TestReplace(ReplacementTestCase):
    def test_there_is_one_trigger_before_and_after(self) -> None:
        for maker, (_name, identifier) in MADE.items():
            self.begin(maker)
            for number in (2, 3):
                with self.case(maker, number):
                    made = self.change(maker, keep=number)
                    self.assertEqual(
                        (identifier, number), (made.id, made.keep)
                    )
                    self.assertEqual([number], self.generations())
                    self.assertEqual(made, self.only())

    def test_it_fires_when_it_would_have_fired(self) -> None:
        for maker in MADE:
            for due in (TICK, TICK + 7200 * SECOND, TICK + 5 * DAY):
                with self.case(maker, due):
                    row = self.begin(maker)
                    row['next_execution_time'] = f'{due:%F %T}'
                    made = self.change(maker, keep=3)
                    self.assertEqual(due, made.next_execution_time)

    def test_the_new_one_is_there_before_the_old_one_goes(self) -> None:
        self.begin()
        self.change(keep=3)
        methods = [each.method for each in self.sent(TRIGGERS)]
        self.assertLess(methods.index('POST'), methods.index('DELETE'))

    def test_disabled_and_enabled_again(self) -> None:
        for maker in MADE:
            with self.case(maker):
                self.begin(maker)
                self.assertFalse(self.change(maker, enabled=False).enabled)
                self.wait_until(TICK + 60 * SECOND)
                self.assertEqual([], self.executions)
                made = self.change(maker, enabled=True)
                self.assertEqual(TICK + DAY, made.next_execution_time)
                self.assertEqual([3], self.generations())

    def test_a_pending_first_time_stays_while_it_is_disabled(self) -> None:
        first = TICK + 7200 * SECOND
        for maker in MADE:
            row = self.begin(maker)
            row['next_execution_time'] = f'{first:%F %T}'
            for changes in ({'enabled': False}, {'keep': 3}):
                self.assertIsNone(
                    self.change(maker, **changes).next_execution_time
                )
            made = self.change(maker, enabled=True)
            self.assertEqual(first, made.next_execution_time)

    def test_the_workflow_is_missing_or_too_old(self) -> None:
        for status, words, expected in (
            (404, 'Workflow not found', exceptions.NotFoundError),
            (400, 'Invalid input [x]', exceptions.OutdatedError),
        ):
            with self.case(status):
                row = self.begin()
                self.http.post(
                    TRIGGERS, status_code=status, json={'faultstring': words}
                )
                exc = self.assertRaises(expected, self.change, keep=3)
                self.assertIn('workbook install', str(exc))
                self.assertEqual([row], self.triggers)


class TestNearARun(ReplacementTestCase):
    def test_it_is_made_once(self) -> None:
        for maker in MADE:
            for tenths in range(-40, 41, 3):
                with self.case(maker, tenths):
                    self.begin(maker)
                    self.wait_until(TICK + tenths / 10 * SECOND)
                    self.change(maker, keep=3)
                    self.wait_until(TICK + 60 * SECOND)
                    self.assertEqual(1, len(self.executions))

    def test_it_is_one_of_those_that_are_left(self) -> None:
        for left, generations in ((5, [2]), (1, [])):
            with self.case(left):
                self.begin()['remaining_executions'] = left
                self.wait_until(TICK - 2 * SECOND)
                with contextlib.suppress(exceptions.ScheduleError):
                    self.change(keep=3)
                self.end_runs()
                for schedule in self.schedules.schedule_list():
                    self.schedules.schedule_show(schedule)
                self.assertEqual(generations, self.generations())
                self.wait_until(TICK + 9 * DAY)
                self.assertEqual(left, len(self.executions))

    def test_it_is_let_pass_only_where_it_is_to_come(self) -> None:
        near = TICK - 2 * SECOND
        for changes, waited in (
            ({}, True),
            ({'next_execution_time': '9999-12-31 23:59:00'}, False),
            ({'pattern': '0 4 * * *'}, False),
            ({'pattern': None, 'remaining_executions': 1}, False),
        ):
            with self.case(changes):
                schedule = models.Schedule.from_trigger(self.begin() | changes)
                self.mistral.now = near
                self.assertIs(
                    waited, replacement.let_tick_pass(schedule, near)
                )
                self.assertEqual(TICK if waited else near, self.mistral.now)


class TestConflicts(ReplacementTestCase):
    def _refused(self, **changes: Any) -> None:
        exc = self.assertRaises(
            exceptions.ConflictError, self.change, **changes
        )
        self.assertIn(schedule_id(1), str(exc))
        self.assertIn('Somebody else', str(exc))
        self.assertIn('try again', str(exc))

    def test_the_name_is_taken(self) -> None:
        row = self.begin()
        theirs = generation(2, keep=5)
        with self.before('POST', lambda: self.triggers.append(theirs)):
            self._refused(keep=3)
        self.assertEqual([row, theirs], self.triggers)

    def test_one_of_two_who_rename_it_gives_way(self) -> None:
        # Each finds the other, whose ID may be less or greater.
        row = self.begin()
        theirs = generation(2, 'theirs') | {'id': base.uid(0xF9000)}
        with self.before(
            'POST', functools.partial(self.triggers.append, theirs)
        ):
            self._refused(name='mine')
        self.assertEqual([row, theirs], self.triggers)
        self.begin()
        theirs = generation(2, 'theirs') | {'id': base.uid(2)}
        with self.before(
            'POST', functools.partial(self.triggers.append, theirs)
        ):
            self.change(name='mine')
        self.assertEqual('mine', self.only().name)
        self.assertEqual([2], self.generations())

    def test_somebody_else_changes_it_at_any_moment(self) -> None:
        def theirs() -> None:
            self.change(name='theirs')

        for number in itertools.count(1):
            with self.case(number):
                self.begin()
                last = 'mine'
                with self.at(number, theirs) as happened:
                    try:
                        self.change(name='mine')
                    except exceptions.ConflictError:
                        last = 'theirs'
                self.assertEqual(1, len(self.triggers))
                self.assertIn(self.names(), ([last], ['theirs']))
            if not happened():
                break
        self.assertLess(5, number)

    def test_somebody_else_deletes_it_at_any_moment(self) -> None:
        """It may stay as it was changed, for that is the later wish."""

        def theirs() -> None:
            self.schedules.schedule_delete(schedule_id(1))

        for number in itertools.count(1):
            with self.case(number):
                self.begin()
                with (
                    self.at(number, theirs) as happened,
                    contextlib.suppress(exceptions.NotFoundError),
                ):
                    self.change(name='mine')
                self.assertIn(self.names(), ([], ['mine']))
            if not happened():
                break
        self.assertLess(5, number)


class TestLostAnswers(ReplacementTestCase):
    def _act(self, request: Any) -> bool:
        self.mistral.create(request, types.SimpleNamespace())
        return True

    def test_it_was_created_though_nobody_said_so(self) -> None:
        for answer in test_adapter.TestLostAnswer.LOST:
            with self.case(answer):
                self.begin()
                self.http.post(
                    TRIGGERS, additional_matcher=self._act, **answer
                )
                self.assertEqual(3, self.change(keep=3).keep)
                self.assertEqual([2], self.generations())

    def test_it_was_not_created(self) -> None:
        for answer in test_adapter.TestLostAnswer.LOST:
            with self.case(answer):
                row = self.begin()
                self.http.post(TRIGGERS, **answer)
                self.assertRaises(exceptions.ServiceError, self.change, keep=3)
                self.assertEqual([row], self.triggers)

    def test_it_was_created_after_it_was_looked_for(self) -> None:
        self.begin()
        self.http.post(TRIGGERS, status_code=504, text=HTML)
        self.assertRaises(exceptions.ServiceError, self.change, keep=3)
        self.triggers.append(generation(2, keep=3))
        self.assertEqual(3, self.only().keep)
        self.schedules.schedule_show(schedule_id(1))
        self.assertEqual([2], self.generations())

    def test_the_old_one_was_not_deleted(self) -> None:
        for answer in (
            {'status_code': 500, 'text': HTML},
            {'exc': base.dropped()},
            {'status_code': 403, 'text': HTML},
        ):
            with self.case(answer):
                row = self.begin()
                url = f'{TRIGGERS}/{row["id"]}'
                self.http.delete(url, **answer)
                self.assertEqual(3, self.change(keep=3).keep)
                self.assertIn('may run twice', self.log.output)
                self.assertEqual([1, 2], self.generations())
                self.assertEqual(3, self.only().keep)

    def test_the_old_one_is_gone_though_nobody_said_so(self) -> None:
        row = self.begin()

        def act(_request: Any) -> bool:
            self.triggers.remove(row)
            return True

        self.http.delete(
            f'{TRIGGERS}/{row["id"]}',
            additional_matcher=act,
            exc=base.dropped(),
        )
        self.assertEqual(3, self.change(keep=3).keep)
        self.assertEqual([2], self.generations())


class TestRetire(ReplacementTestCase):
    def test_a_run_that_is_due_is_waited_for(self) -> None:
        for maker in MADE:
            with self.case(maker):
                self.begin(maker)
                self.mistral.now = TICK + 0.5 * SECOND
                made = self.change(maker, keep=3)
                self.assertEqual(TICK + DAY, made.next_execution_time)
                (run,) = self.executions
                self.assertIn(base.uid(1), run['description'])
                self.assertLess(
                    self.mistral.now, TICK + replacement.PATIENCE * SECOND
                )
                # It still needs the trust of its trigger.
                self.assertEqual([1, 2], self.generations())
                self.schedules.schedule_show(made)
                self.assertEqual([1, 2], self.generations())
                self.end_runs()
                self.schedules.schedule_show(made)
                self.assertEqual([2], self.generations())

    def test_a_run_that_mistral_is_about_to_start_is_waited_for(self) -> None:
        # It has set the trigger to its next time, and not logged in yet.
        for seconds in (0.5, 3, 9):
            with self.case(seconds):
                row = self.begin()
                self.mistral.now = TICK + SECOND
                row['next_execution_time'] = f'{TICK + DAY:%F %T}'
                row['updated_at'] = f'{TICK:%F %T}'
                started = TICK + (1 + seconds) * SECOND
                run = going_on(1, row, created_at=f'{started:%F %T}')
                self._start_at(started, run)
                self.change(keep=3)
                self.assertIn(run, self.executions)
                self.assertLess(self.mistral.now, started + 2 * SECOND)
                self.assertEqual([1, 2], self.generations())

    def _start_at(self, moment: datetime.datetime, run: fakes.Row) -> None:
        """Have a run begin at a time."""

        def pass_time(seconds: float) -> None:
            self.mistral.now += seconds * SECOND
            if self.mistral.now >= moment and run not in self.executions:
                self.executions.append(run)

        self.useFixture(
            fixtures.MonkeyPatch(
                'trove_backup_schedule.replacement.time.sleep', pass_time
            )
        )

    def test_one_that_was_started_long_ago_is_not_looked_for(self) -> None:
        for fired in (TICK - DAY, None):
            with self.case(fired):
                row = self.begin()
                row['updated_at'] = fired and f'{fired:%F %T}'
                self.change(keep=3)
                self.assertEqual([2], self.generations())

    def test_a_run_that_does_not_begin_keeps_its_trigger(self) -> None:
        def pass_time(seconds: float) -> None:
            self.mistral.now += seconds * SECOND

        self.useFixture(
            fixtures.MonkeyPatch(
                'trove_backup_schedule.replacement.time.sleep', pass_time
            )
        )
        self.begin()
        self.mistral.now = TICK
        self.change(keep=3)
        self.assertEqual([1, 2], self.generations())
        waited = self.mistral.now - TICK
        self.assertLess(replacement.PATIENCE * SECOND, waited)
        self.assertLess(waited, 2 * replacement.PATIENCE * SECOND)
        self.assertIn('is left to that run', self.log.output)
        self.assertIn(base.uid(1), self.log.output)

    def test_a_run_that_is_due_later_is_not_waited_for(self) -> None:
        self.begin()
        self.mistral.now = TICK - 4 * SECOND
        self.change(keep=3)
        self.assertEqual([2], self.generations())
        self.assertEqual(TICK - 4 * SECOND, self.mistral.now)
        self.wait_until(TICK)
        self.assertEqual(1, len(self.executions))

    def test_a_run_that_goes_on_keeps_its_trigger(self) -> None:
        for maker in MADE:
            for state in ('RUNNING', 'PAUSED', 'IDLE', 'DELAYED'):
                with self.case(maker, state):
                    row = self.begin(maker)
                    self.executions.append(going_on(1, row, state=state))
                    made = self.change(maker, keep=3)
                    self.assertEqual([1, 2], self.generations())
                    self.assertEqual(
                        dataclasses.replace(made, leftovers=(row['id'],)),
                        self.only(),
                    )
                    self.end_runs()
                    self.change(maker, keep=4)
                    self.assertEqual([3], self.generations())

    def test_it_is_told_that_a_trigger_stays_and_for_how_long(self) -> None:
        row = self.begin()
        self.executions.append(going_on(1, row))
        self.change(keep=3)
        self.schedules.schedule_show(schedule_id(1))
        # Who only looks is not bothered with it.
        told = self.log.output.splitlines()
        self.assertEqual(1, len(told))
        for words in (
            f'A run of the schedule {schedule_id(1)} is going on',
            f'trigger {row["id"]} that was replaced goes when that run',
        ):
            self.assertIn(words, told[0])
        self.end_runs()
        self.schedules.schedule_show(schedule_id(1))
        self.assertEqual(told, self.log.output.splitlines())

    def test_a_run_that_is_stuck_keeps_no_trigger(self) -> None:
        for minutes, generations in ((55, [1, 2]), (65, [2])):
            for state in ('RUNNING', 'PAUSED'):
                with self.case(minutes, state):
                    row = self.begin()
                    began = f'{fakes.NOW - minutes * 60 * SECOND:%F %T}'
                    self.executions.append(
                        going_on(1, row, state=state, created_at=began)
                    )
                    self.change(keep=3)
                    self.assertEqual(generations, self.generations())

    def test_runs_that_need_no_trust_of_it_keep_it_not(self) -> None:
        by_hand = models.run_values(
            models.Schedule.from_trigger(our_trigger(1))
        )
        runs: tuple[dict[str, Any], ...] = (
            {'state': 'SUCCESS'},
            {'state': 'ERROR'},
            {'state': 'CANCELLED'},
            {'description': by_hand['description']},
            {'description': None},
            {'workflow_name': 'report'},
        )
        for run in runs:
            with self.case(run):
                self.executions[:] = [going_on(1, self.begin(), **run)]
                self.change(keep=3)
                self.assertEqual([2], self.generations())

    def test_only_the_trigger_of_the_run_is_kept(self) -> None:
        self.begin()
        self.triggers.append(generation(2))
        self.executions.append(going_on(1, self.triggers[1]))
        self.change(keep=3)
        self.assertEqual([2, 3], self.generations())


class TestLeftHalfWay(ReplacementTestCase):
    """Somebody has been stopped when both triggers were there."""

    def test_the_newer_one_counts(self) -> None:
        for maker, (name, identifier) in MADE.items():
            self.leave_both(maker, keep=3)
            # While it runs, the older trigger stays.
            run = going_on(1, self.triggers[0])
            self.executions[:] = [run]
            for found in (
                *self.schedules.schedule_list('orders'),
                *self.schedules.schedule_list(),
                self.schedules.schedule_show(identifier),
                self.schedules.schedule_show(name),
                self.schedules.schedule_show(base.uid(1)),
            ):
                with self.case(maker, found):
                    self.assertEqual(
                        (identifier, 3, 2),
                        (found.id, found.keep, found.generation),
                    )
            self.assertEqual([1, 2], self.generations())
            (found_run,) = self.schedules.execution_list(identifier)
            self.assertEqual(run['id'], found_run.id)

    def test_it_is_listed_once(self) -> None:
        for maker in MADE:
            for changes in CHANGES:
                with self.case(maker, changes):
                    self.leave_both(maker, **changes)
                    for instance in (None, 'orders'):
                        (found,) = self.schedules.schedule_list(instance)
                        self.assertEqual(2, found.generation)

    def _check_pages(self, *expected: tuple[str, int]) -> None:
        """Check that each is in one page, by ID and generation."""
        for most, instance in itertools.product(
            (1, 2, 3, 1000), (None, 'orders')
        ):
            self.mistral.most = most
            for place in range(len(expected)):
                for limit in (1, 2, 3, 4, None):
                    with self.case(most, instance, place, limit):
                        found = self.schedules.schedule_list(
                            instance,
                            marker=expected[place - 1][0] if place else '',
                            limit=limit or 99,
                        )
                        self.assertEqual(
                            list(expected[place:][:limit]),
                            [(each.id, each.generation) for each in found],
                        )

    def test_it_is_in_one_page(self) -> None:
        # Either trigger may come first, for their IDs say nothing.
        for older, newer in ((1, 2), (2, 1)):
            self.triggers[:] = [
                our_trigger(0),
                generation(9) | {'id': base.uid(older)},
                generation(10) | {'id': base.uid(newer)},
                our_trigger(3),
            ]
            self._check_pages(
                (schedule_id(0), 1), (schedule_id(1), 10), (schedule_id(3), 1)
            )

    def test_the_schedule_of_the_marker_comes_not_again(self) -> None:
        for maker, (_name, identifier) in MADE.items():
            self.leave_both(maker, keep=3)
            self.triggers += [our_trigger(0), our_trigger(3)]
            for limit in (1, 99):
                with self.case(maker, limit):
                    found = self.schedules.schedule_list(
                        marker=identifier, limit=limit
                    )
                    self.assertNotIn(identifier, [each.id for each in found])

    def test_the_next_command_on_it_removes_the_older_one(self) -> None:
        for maker, (_name, identifier) in MADE.items():
            for act, known in (
                (self.schedules.schedule_show, identifier),
                (self.schedules.schedule_set, identifier),
                (self.schedules.schedule_run, identifier),
                # That is how the older trigger is known.
                (self.schedules.schedule_show, base.uid(1)),
            ):
                with self.case(maker, act):
                    self.leave_both(maker, keep=3)
                    act(known)
                    self.assertEqual([2], self.generations())
                    self.assertEqual(3, self.only().keep)

    def test_it_is_shown_though_the_older_one_can_not_be_removed(
        self,
    ) -> None:
        for status in (403, 500):
            with self.case(status):
                self.begin()
                self.triggers.append(generation(2, keep=3))
                self.http.delete(
                    f'{TRIGGERS}/{base.uid(1)}', status_code=status, text=HTML
                )
                shown = self.schedules.schedule_show(schedule_id(1))
                self.assertEqual(3, shown.keep)
                self.assertIn('may run twice', self.log.output)

    def test_of_two_of_the_same_generation_one_is_removed(self) -> None:
        for names in (('a', 'b'), ('b', 'a')):
            with self.case(names):
                self.triggers[:] = [our_trigger(1)] + [
                    {**generation(2, name), 'id': base.uid(0xC000 + number)}
                    for number, name in enumerate(names)
                ]
                shown = self.schedules.schedule_show(schedule_id(1))
                self.assertEqual([shown.name], self.names())

    def test_a_schedule_that_has_just_been_deleted(self) -> None:
        for act in (
            self.schedules.schedule_show,
            self.schedules.schedule_set,
            self.schedules.schedule_run,
        ):
            with self.case(act):
                self.begin()
                with self.at(2, self.triggers.clear):
                    exc = self.assertRaises(
                        exceptions.NotFoundError, act, schedule_id(1)
                    )
                self.assertIn('just been deleted', str(exc))


class TestDelete(ReplacementTestCase):
    def test_all_triggers_that_carry_it_go(self) -> None:
        for maker, (_name, identifier) in MADE.items():
            for known in (identifier, base.uid(1)):
                with self.case(maker, known):
                    self.leave_both(maker, name='another')
                    other = our_trigger(2)
                    self.triggers.append(other)
                    gone = self.schedules.schedule_delete(known)
                    self.assertEqual(identifier, gone.id)
                    self.assertEqual([other], self.triggers)

    def test_stopped_at_any_moment_it_does_not_become_what_it_was(
        self,
    ) -> None:
        for number in itertools.count(1):
            with self.case(number):
                self.leave_both(enabled=False)
                with self.at(number, self._stop) as stopped:
                    self.schedules.schedule_delete(schedule_id(1))
                self.assertIn(self.generations(), ([1, 2], [2], []))
            if not stopped():
                break

    def test_what_somebody_else_creates_meanwhile_goes_too(self) -> None:
        self.begin()
        theirs = generation(2, 'theirs')
        with self.before('DELETE', lambda: self.triggers.append(theirs)):
            self.schedules.schedule_delete(schedule_id(1))
        self.assertEqual([], self.triggers)

    def test_the_oldest_goes_first(self) -> None:
        newest = generation(3)
        self.triggers[:] = [newest, our_trigger(1), generation(2)]
        left: list[list[int]] = []

        def look(request: Any) -> None:
            if request.method == 'DELETE':
                left.append(self.generations())

        with self._hooked(look):
            self.schedules.schedule_delete(schedule_id(1))
        self.assertEqual([[1, 2, 3], [2, 3], [3]], left)

    def test_it_ends_though_somebody_creates_more_and_more(self) -> None:
        self.begin()
        numbers = itertools.count(2)

        def more(request: Any) -> None:
            if request.method == 'DELETE':
                self.triggers.append(generation(next(numbers)))

        with self._hooked(more):
            exc = self.assertRaises(
                exceptions.ConflictError,
                self.schedules.schedule_delete,
                schedule_id(1),
            )
        self.assertEqual(replacement._ROUNDS + 2, next(numbers))
        self.assertIn(f'{schedule_id(1)}, so it is still there', str(exc))
        self.assertIn('Try again', str(exc))

    def test_what_the_last_look_finds_gone_is_deleted(self) -> None:
        self.begin()
        numbers = iter(range(2, replacement._ROUNDS + 1))

        def more(request: Any) -> None:
            if request.method == 'DELETE':
                self.triggers.extend(
                    map(generation, itertools.islice(numbers, 1))
                )

        with self._hooked(more):
            self.schedules.schedule_delete(schedule_id(1))
        self.assertEqual([], self.triggers)

    def test_a_run_that_loses_its_trust_is_named(self) -> None:
        for maker, (_name, identifier) in MADE.items():
            with self.case(maker):
                row = self.begin(maker)
                run = going_on(1, row)
                self.executions.append(run)
                self.schedules.schedule_delete(identifier)
                self.assertEqual([], self.triggers)
                *_earlier, told = self.log.output.splitlines()
                self.assertIn(
                    f'run {run["id"]} of the deleted schedule {identifier} '
                    'was going on',
                    told,
                )
                self.assertIn('backup has begun, that goes on', told)

    def test_nothing_is_told_of_runs_that_go_on_all_the_same(self) -> None:
        by_hand = models.run_values(
            models.Schedule.from_trigger(our_trigger(1))
        )
        for changes in (
            {'state': 'SUCCESS'},
            {'description': by_hand['description']},
            # It is stuck.
            {'created_at': '2030-01-01 10:59:59'},
        ):
            with self.case(changes):
                self.executions[:] = [going_on(1, self.begin(), **changes)]
                self.schedules.schedule_delete(schedule_id(1))
                self.assertEqual('', self.log.output)

    def test_whether_a_run_goes_on_takes_one_request(self) -> None:
        self.begin()
        self.schedules.schedule_delete(schedule_id(1))
        self.assertEqual(1, self.methods().count('GET executions'))

    def test_nothing_is_told_of_a_run_whose_trigger_stays(self) -> None:
        row = self.begin()
        self.executions.append(going_on(1, row))
        self.http.delete(f'{TRIGGERS}/{row["id"]}', status_code=403)
        self.assertRaises(
            exceptions.AuthorizationError,
            self.schedules.schedule_delete,
            schedule_id(1),
        )
        self.assertEqual('', self.log.output)


class TestStoppedAtAnyMoment(ReplacementTestCase):
    """Whatever is stopped, and when, no run is lost."""

    def _change_and_stop(
        self, maker: str, start: datetime.datetime, **changes: Any
    ) -> None:
        for number in itertools.count(1):
            self.begin(maker)
            before = settings.Settings.of(self.only())
            after = dataclasses.replace(before, **changes)
            self.wait_until(start)
            with self.case(maker, start, changes, number):
                with self.at(number, self._stop) as stopped:
                    self.change(maker, **changes)
                found = settings.Settings.of(self.only())
                self.assertIn(found, (before, after))
                self._check_runs_at(TICK)
                self._check_runs_at(TICK + DAY)
                self.end_runs()
                if number % 2:
                    self.schedules.schedule_show(MADE[maker][1])
                else:
                    self.change(maker, description='x')
                self.assertEqual(1, len(self.triggers))
                self._check_runs_at(TICK + 2 * DAY)
            if not stopped():
                break
        self.assertEqual(after, found)
        self.assertLess(5, number)

    def _check_runs_at(self, tick: datetime.datetime) -> None:
        self.wait_until(tick + 60 * SECOND)
        times = [
            models.parse_time(run['created_at']) for run in self.executions
        ]
        self.assertTrue(
            any(time and abs(time - tick) <= 2 * SECOND for time in times),
            (tick, times),
        )

    def test_when_no_run_is_near(self) -> None:
        for maker in MADE:
            for changes in CHANGES:
                self._change_and_stop(maker, TICK - 600 * SECOND, **changes)

    def test_when_a_run_is_near(self) -> None:
        for maker in MADE:
            for seconds in (-3.2, -1.5, -0.7, 0.4):
                self._change_and_stop(maker, TICK + seconds * SECOND, keep=3)
