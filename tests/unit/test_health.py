# SPDX-License-Identifier: Apache-2.0

from collections.abc import Sequence
import dataclasses
import datetime
import functools
import itertools
from typing import Any

import hypothesis
from hypothesis import strategies as st

from tests.unit import base
from tests.unit import fakes
from trove_backup_schedule import cron
from trove_backup_schedule import exceptions
from trove_backup_schedule import health
from trove_backup_schedule import models

OK, WARNING, CRITICAL = health.Verdict

utc = functools.partial(datetime.datetime, tzinfo=datetime.UTC)
january = functools.partial(utc, 2030, 1)

SECOND = datetime.timedelta(seconds=1)
MINUTE = datetime.timedelta(minutes=1)
HOUR = datetime.timedelta(hours=1)
DAY = datetime.timedelta(days=1)

#: A Thursday.
NOW = january(31, 12)

#: Every night at three, for a long time.
NIGHTLY = dataclasses.replace(
    models.Schedule.from_trigger(fakes.our_trigger(1)),
    created_at=utc(1990, 1, 1),
    active_since=utc(1990, 1, 1),
    next_execution_time=utc(2030, 2, 1, 3),
)
ONCE = dataclasses.replace(NIGHTLY, pattern=None, remaining_executions=1)
DISABLED = dataclasses.replace(
    NIGHTLY, enabled=False, next_execution_time=None
)

INSTANCE = models.Instance(
    id=fakes.INSTANCE, name='orders', status='ACTIVE', project_id=None
)


def with_pattern(
    pattern: str, now: datetime.datetime = NOW
) -> models.Schedule:
    """Give a schedule that fires by a pattern since long ago."""
    return dataclasses.replace(
        NIGHTLY,
        pattern=pattern,
        next_execution_time=next(cron.next_times(pattern, now)),
    )


Event = models.ScheduleExecution | models.Backup

LAST = 'The run of 2030-01-31 03:00 UTC'
VAIN = 'The run expected at 2030-01-31 03:00 UTC has made no good backup.'
VAIN_TWICE = (
    'None of the last 2 expected runs, the first of them at 2030-01-30 03:00 '
    'UTC, has made a good backup.'
)


def missed_text(count: int, day: str) -> str:
    return (
        f'Missed runs: {count}, the last at {day} 03:00 UTC. Mistral did not '
        'start them; its log may say why.'
    )


def new_text(time: str) -> str:
    return f'It has not run yet; the first run is due at {time} UTC.'


def number(moment: datetime.datetime) -> str:
    return base.uid(int(moment.timestamp()))


def backup(
    moment: datetime.datetime, status: str = 'COMPLETED', **changes: Any
) -> models.Backup:
    """Give a backup of the schedule, made right after a moment."""
    made = models.Backup(
        id=number(moment),
        name='nightly-20300101030000',
        status=status,
        instance_id=fakes.INSTANCE,
        description=f'[schedule {NIGHTLY.id}]',
        created_at=moment + SECOND,
    )
    return dataclasses.replace(made, **changes)


def run(
    moment: datetime.datetime, state: str = 'SUCCESS', **changes: Any
) -> models.ScheduleExecution:
    """Give a run of that moment; only a success tells of its backup."""
    made = models.ScheduleExecution.from_execution(
        fakes.execution(1, NIGHTLY.trigger_id, state=state)
    )
    return dataclasses.replace(
        made,
        id=number(moment),
        created_at=moment,
        backup_id=number(moment) if state == 'SUCCESS' else None,
        **changes,
    )


def by_hand(
    moment: datetime.datetime, state: str = 'SUCCESS'
) -> models.ScheduleExecution:
    return run(moment, state, manual=True)


def good(*moments: datetime.datetime) -> list[Event]:
    """Give runs and their backups."""
    made: list[Event] = []
    for moment in moments:
        made += [run(moment), backup(moment)]
    return made


def nights(*days: int) -> list[Event]:
    """Give the runs and backups of nights in January."""
    return good(*(january(day, 3) for day in days))


def judge(
    events: Sequence[Event],
    schedule: models.Schedule = NIGHTLY,
    now: datetime.datetime = NOW,
    **options: Any,
) -> health.Health:
    return health.judge(
        schedule,
        [
            each
            for each in events
            if isinstance(each, models.ScheduleExecution)
        ],
        [each for each in events if isinstance(each, models.Backup)],
        now,
        **options,
    )


class TestJudge(base.TestCase):
    def _check(
        self,
        verdict: health.Verdict,
        reasons: Sequence[str],
        events: Sequence[Event],
        **options: Any,
    ) -> health.Health:
        judged = judge(events, **options)
        self.assertEqual(
            (verdict, list(reasons)), (judged.verdict, list(judged.reasons))
        )
        return judged

    def test_all_is_well(self) -> None:
        judged = self._check(
            OK,
            ['The last good backup is 8 hours old.'],
            nights(*range(20, 32)),
        )
        self.assertEqual(
            health.Health(
                verdict=OK,
                reasons=judged.reasons,
                schedule=NIGHTLY,
                instance=fakes.INSTANCE,
                last_backup=backup(january(31, 3)),
                last_backup_age=9 * HOUR - SECOND,
                last_run=run(january(31, 3)),
                missed=(),
                next_time=utc(2030, 2, 1, 3),
            ),
            judged,
        )

    def test_the_verdict_is_the_exit_code(self) -> None:
        self.assertEqual([0, 1, 2], [int(each) for each in health.Verdict])

    def test_a_missed_run(self) -> None:
        judged = self._check(
            WARNING,
            [
                missed_text(1, '2030-01-29'),
                'The last good backup is 8 hours old.',
            ],
            nights(24, 25, 26, 27, 28, 30, 31),
        )
        self.assertEqual((january(29, 3),), judged.missed)

    def test_the_last_run_missed(self) -> None:
        judged = self._check(
            WARNING,
            [
                VAIN,
                missed_text(1, '2030-01-31'),
                'The last good backup is 32 hours old.',
            ],
            nights(*range(20, 31)),
        )
        self.assertEqual((january(31, 3),), judged.missed)

    def test_the_last_two_runs_missed(self) -> None:
        judged = self._check(
            CRITICAL,
            [
                VAIN_TWICE,
                missed_text(2, '2030-01-31'),
                'The last good backup is 2 days old.',
            ],
            nights(*range(20, 30)),
        )
        self.assertEqual((january(30, 3), january(31, 3)), judged.missed)

    def test_nothing_was_ever_started(self) -> None:
        judged = judge([])
        self.assertIs(CRITICAL, judged.verdict)
        self.assertIn('None of the last 7 expected runs', judged.reasons[0])
        self.assertEqual('There is no good backup yet.', judged.reasons[-1])
        self.assertEqual(
            tuple(january(day, 3) for day in range(25, 32)), judged.missed
        )
        self.assertIsNone(judged.last_backup)
        self.assertIsNone(judged.last_backup_age)
        self.assertIsNone(judged.last_run)

    def test_the_reason_of_a_failed_run(self) -> None:
        for state, info, expected in (
            (
                'ERROR',
                'It failed.',
                f'{LAST} ended as ERROR: It failed.',
            ),
            (
                'ERROR',
                'No quota.\n  Ask for\tmore',
                f'{LAST} ended as ERROR: No quota. Ask for more.',
            ),
            (
                'CANCELLED',
                None,
                f'{LAST} ended as CANCELLED: no reason is known.',
            ),
        ):
            with self.case(state, info):
                failed = run(january(31, 3), state, state_info=info)
                self._check(
                    WARNING,
                    [
                        VAIN,
                        expected,
                        'The last good backup is 32 hours old.',
                    ],
                    [*nights(*range(20, 31)), failed],
                )

    def test_a_long_reason_is_cut(self) -> None:
        failed = run(january(31, 3), 'ERROR', state_info='why ' * 1000)
        judged = judge([*nights(*range(20, 31)), failed])
        self.assertTrue(judged.reasons[1].endswith('why ...'))
        self.assertLess(len(judged.reasons[1]), health.MAX_REASON + 50)

    def test_a_failed_run_is_not_missed(self) -> None:
        judged = judge(
            [*nights(29), *(run(january(n, 3), 'ERROR') for n in (30, 31))]
        )
        self.assertIs(CRITICAL, judged.verdict)
        self.assertEqual((), judged.missed)

    def test_a_good_run_heals_those_before(self) -> None:
        failed = [run(january(day, 3), 'ERROR') for day in (28, 29, 30)]
        self._check(
            OK,
            ['The last good backup is 8 hours old.'],
            [*nights(25, 26, 27, 31), *failed],
        )

    def test_a_run_by_hand_heals_but_hides_no_missed_run(self) -> None:
        self._check(
            OK,
            ['The last good backup is 2 hours old.'],
            [
                *nights(*range(20, 30)),
                run(january(30, 3), 'ERROR'),
                run(january(31, 3), 'ERROR'),
                by_hand(january(31, 9)),
                backup(january(31, 9)),
            ],
        )
        judged = judge(
            [
                *nights(*range(20, 30)),
                by_hand(january(31, 9)),
                backup(january(31, 9)),
            ]
        )
        self.assertIs(WARNING, judged.verdict)
        self.assertEqual((january(30, 3), january(31, 3)), judged.missed)

    def test_a_run_by_hand_that_goes_on_hides_no_missed_run(self) -> None:
        for status, verdict in (
            ('BUILDING', CRITICAL),
            ('COMPLETED', WARNING),
        ):
            with self.case(status):
                judged = judge(
                    [
                        *nights(*range(20, 30)),
                        by_hand(january(31, 11, 50), 'RUNNING'),
                        backup(january(31, 11, 50), status),
                    ]
                )
                self.assertIs(verdict, judged.verdict)
                self.assertEqual(
                    (january(30, 3), january(31, 3)), judged.missed
                )

    def test_a_last_run_by_hand_that_failed_is_told(self) -> None:
        judged = judge(
            [*nights(*range(20, 32)), by_hand(january(31, 9), 'ERROR')]
        )
        self.assertIs(WARNING, judged.verdict)
        self.assertIn('The run of 2030-01-31 09:00', judged.reasons[0])

    def test_a_run_whose_backup_is_good_after_all(self) -> None:
        before = nights(*range(20, 31))
        for state, verdict in (
            ('SUCCESS', OK),
            ('RUNNING', WARNING),
            ('ERROR', WARNING),
        ):
            with self.case(state):
                judged = judge(
                    [
                        *before,
                        run(january(31, 3), state),
                        backup(january(31, 3)),
                    ]
                )
                self.assertIs(verdict, judged.verdict)
                self.assertEqual(9 * HOUR - SECOND, judged.last_backup_age)

    def test_a_run_that_ended_without_a_good_backup(self) -> None:
        moment = january(31, 3)
        parent = backup(january(20, 5), 'FAILED')
        for made, told, fault in (
            (
                [backup(moment, 'SAVING')],
                number(moment),
                f'the backup {number(moment)} is SAVING',
            ),
            ([], number(moment), f'the backup {number(moment)} is gone'),
            ([], None, 'it tells of none'),
            (
                [backup(moment, parent_id=parent.id), parent],
                number(moment),
                f'it needs the backup {parent.id}, which is FAILED',
            ),
        ):
            with self.case(fault):
                ended = dataclasses.replace(run(moment), backup_id=told)
                self._check(
                    WARNING,
                    [
                        VAIN,
                        f'{LAST} has made no good backup: {fault}.',
                        'The last good backup is 32 hours old.',
                    ],
                    [*nights(*range(20, 31)), ended, *made],
                )

    def test_removing_old_backups_went_wrong(self) -> None:
        output = {'retention': 'Old backups could not be removed. HTTP 403'}
        last = run(january(31, 3), output=output)
        self._check(
            WARNING,
            [
                'Old backups could not be removed. HTTP 403.',
                'The last good backup is 8 hours old.',
            ],
            [*nights(*range(20, 31)), last, backup(january(31, 3))],
        )
        earlier = run(january(30, 3), output=output)
        self.assertIs(
            OK,
            judge(
                [*nights(*range(20, 30), 31), earlier, backup(january(30, 3))]
            ).verdict,
        )

    def test_while_a_run_goes_on_the_state_before_counts(self) -> None:
        now = january(31, 3, 59)
        going_on = run(january(31, 3), 'RUNNING')
        for before, verdict in (
            (nights(*range(20, 31)), OK),
            (
                [*nights(*range(20, 30)), run(january(30, 3), 'ERROR')],
                WARNING,
            ),
            (nights(*range(20, 29)), CRITICAL),
        ):
            with self.case(verdict):
                self.assertIs(
                    verdict, judge([*before, going_on], now=now).verdict
                )

    def test_a_run_that_goes_on_for_too_long(self) -> None:
        for state in ('RUNNING', 'PAUSED'):
            stuck = f'{LAST} has been {state} for 9 hours; it may be stuck.'
            with self.case(state):
                self._check(
                    WARNING,
                    [
                        VAIN,
                        stuck,
                        'The last good backup is 32 hours old.',
                    ],
                    [*nights(*range(20, 31)), run(january(31, 3), state)],
                )

    def test_there_is_some_time_to_start_a_run(self) -> None:
        for late, verdict, missed in (
            (-SECOND, OK, 0),
            (0 * SECOND, OK, 0),
            (health.GRACE, OK, 0),
            (health.GRACE + SECOND, WARNING, 1),
        ):
            with self.case(late):
                judged = judge(
                    nights(*range(20, 31)), now=january(31, 3) + late
                )
                self.assertIs(verdict, judged.verdict)
                self.assertEqual(missed, len(judged.missed))

    def test_an_early_run_belongs_to_the_tick_to_come(self) -> None:
        early = january(31, 3) - 2 * SECOND
        self.assertIs(
            OK, judge([*nights(*range(20, 31)), *good(early)]).verdict
        )
        judged = judge(
            [*nights(*range(20, 30)), run(early, 'RUNNING')],
            now=early + SECOND,
        )
        self.assertEqual((january(30, 3),), judged.missed)

    def test_the_clock_of_trove_may_be_slow(self) -> None:
        moment = january(31, 3)
        slow = backup(moment, created_at=moment - MINUTE)
        self.assertIs(
            OK, judge([*nights(*range(20, 31)), run(moment), slow]).verdict
        )

    def test_a_backup_from_the_future_is_not_of_negative_age(self) -> None:
        moment = january(31, 3)
        judged = judge(
            [*nights(*range(20, 31)), *good(moment)], now=moment - SECOND
        )
        self.assertEqual(0 * SECOND, judged.last_backup_age)

    def test_only_the_schedules_own_good_backups_count(self) -> None:
        last = january(31, 3)
        for changes in (
            {'status': 'FAILED'},
            {'status': 'RESTORED'},
            {'description': None},
            {'name': 'by-hand'},
            {'description': f'[schedule {base.uid(7)}]'},
            {'instance_id': fakes.OTHER_INSTANCE},
            {'created_at': None},
        ):
            with self.case(changes):
                failed = run(last, 'ERROR')
                made = backup(last, **changes)
                judged = judge([*nights(*range(20, 31)), failed, made])
                self.assertIs(WARNING, judged.verdict)
                self.assertEqual(backup(january(30, 3)), judged.last_backup)

    def test_a_backup_without_a_label_is_known_by_its_run(self) -> None:
        last = january(31, 3)
        made = backup(last, description=None)
        judged = judge([*nights(*range(20, 31)), run(last), made])
        self.assertEqual((OK, made), (judged.verdict, judged.last_backup))

    def test_what_builds_on_a_backup_that_is_gone_is_not_good(self) -> None:
        last = january(31, 3)
        for parent, verdict in (
            (base.uid(7), WARNING),
            (number(last), OK),
            (number(january(30, 3)), OK),
        ):
            with self.case(parent):
                made = backup(last, parent_id=parent)
                judged = judge([*nights(*range(20, 31)), run(last), made])
                self.assertIs(verdict, judged.verdict)
        # A circle apart, of which Trove knows none.
        judged = judge([run(last), backup(last, parent_id=base.uid(7))])
        self.assertIn(f'needs the backup {base.uid(7)}', str(judged.reasons))

    def test_a_run_without_a_time_says_nothing(self) -> None:
        undated = dataclasses.replace(run(NOW, 'ERROR'), created_at=None)
        self.assertIs(OK, judge([*nights(*range(20, 32)), undated]).verdict)

    def test_a_maximal_age(self) -> None:
        events = nights(*range(20, 32))
        for max_age, verdict in (
            (9 * HOUR, OK),
            (9 * HOUR - SECOND, OK),
            (9 * HOUR - 2 * SECOND, CRITICAL),
        ):
            with self.case(max_age):
                self.assertIs(verdict, judge(events, max_age=max_age).verdict)
        self._check(
            CRITICAL,
            [
                'There is no good backup from the last 90 minutes.',
                'The last good backup is 8 hours old.',
            ],
            events,
            max_age=90 * MINUTE,
        )

    def test_a_maximal_age_of_a_schedule_without_backups(self) -> None:
        for created_at, verdict in (
            (NOW - 2 * HOUR, OK),
            (NOW - 3 * HOUR, CRITICAL),
            (None, CRITICAL),
        ):
            with self.case(created_at):
                schedule = dataclasses.replace(
                    NIGHTLY,
                    created_at=created_at,
                    active_since=NOW - 2 * HOUR,
                )
                judged = judge([], schedule, max_age=2 * HOUR)
                self.assertIs(verdict, judged.verdict)


class TestTrigger(base.TestCase):
    """What Mistral's cron trigger is like, and since when."""

    def test_a_new_schedule(self) -> None:
        created_at = january(30, 12)
        new = dataclasses.replace(
            NIGHTLY,
            created_at=created_at,
            active_since=created_at,
            next_execution_time=january(31, 3),
        )
        judged = judge([], new, now=january(30, 23))
        self.assertIs(OK, judged.verdict)
        self.assertEqual(
            (new_text('2030-01-31 03:00'),),
            judged.reasons,
        )
        going_on = run(january(31, 3), 'RUNNING')
        for events, now, verdict, missed in (
            ([], january(31, 3, 1), OK, 0),
            ([going_on], january(31, 3, 30), OK, 0),
            ([], january(31, 3, 10), WARNING, 1),
            ([run(january(31, 3), 'ERROR')], NOW, WARNING, 0),
            ([], NOW + DAY, CRITICAL, 2),
        ):
            with self.case(now):
                fired = dataclasses.replace(
                    new, next_execution_time=now + HOUR
                )
                judged = judge(events, fired, now=now)
                self.assertIs(verdict, judged.verdict)
                self.assertEqual(missed, len(judged.missed))
                self.assertEqual(
                    'There is no good backup yet.', judged.reasons[-1]
                )

    def test_nothing_is_missed_before_the_pattern_was_in_force(self) -> None:
        changed = dataclasses.replace(NIGHTLY, active_since=january(29, 12))
        judged = judge([], changed)
        self.assertEqual((january(30, 3), january(31, 3)), judged.missed)

    def test_a_change_makes_no_old_backup_good_enough(self) -> None:
        changed = dataclasses.replace(NIGHTLY, active_since=january(31, 11))
        for events, verdict in (
            (nights(31), OK),
            (nights(30), OK),
            (nights(29), WARNING),
            ([], WARNING),
        ):
            with self.case(events):
                judged = judge(events, changed)
                self.assertIs(verdict, judged.verdict)
                self.assertEqual((), judged.missed)
        self.assertEqual(
            'By its pattern there should be a newer good backup, but it has '
            'not run since it was changed. Start a run by hand.',
            judged.reasons[0],
        )

    def test_a_first_time_to_come(self) -> None:
        first = utc(2030, 2, 20, 4)
        waiting = dataclasses.replace(
            NIGHTLY,
            active_since=first,
            next_execution_time=first,
            input={'active_since': first.isoformat()},
        )
        judged = judge([], waiting)
        self.assertIs(OK, judged.verdict)
        self.assertEqual(
            (new_text('2030-02-20 04:00'),),
            judged.reasons,
        )

    def test_a_first_time_need_not_fit_the_pattern(self) -> None:
        for first, missed in (
            (january(31, 9), [january(31, 9)]),
            (january(31, 3), [january(31, 3)]),
            (january(30, 22), [january(30, 22), january(31, 3)]),
        ):
            with self.case(first):
                schedule = dataclasses.replace(
                    NIGHTLY, active_since=first, first_time=first
                )
                self.assertEqual(missed, list(judge([], schedule).missed))
                events = good(*missed)
                self.assertIs(OK, judge(events, schedule).verdict)

    def test_a_first_time_that_only_mistral_knows(self) -> None:
        created_at = january(20, 12)
        foreign = dataclasses.replace(
            NIGHTLY, created_at=created_at, active_since=created_at
        )
        for due, events, missed in (
            # It waits.
            (utc(2030, 2, 2, 3), [], 0),
            (utc(2030, 2, 2, 3), [by_hand(NOW)], 0),
            # A run was lost.
            (utc(2030, 2, 1, 3), [], 7),
            # It has fired, so it does not wait.
            (utc(2030, 2, 2, 3), [run(january(25, 3))], 6),
            (None, [], 7),
        ):
            with self.case(due, events):
                schedule = dataclasses.replace(
                    foreign, next_execution_time=due
                )
                self.assertEqual(missed, len(judge(events, schedule).missed))

    def test_mistral_does_not_fire(self) -> None:
        for late, verdict in (
            (health.GRACE, OK),
            (health.GRACE + SECOND, WARNING),
            (DAY, WARNING),
            (DAY + SECOND, CRITICAL),
        ):
            with self.case(late):
                stuck = dataclasses.replace(
                    NIGHTLY, next_execution_time=january(31, 3)
                )
                # Somebody has made good for it.
                now = january(31, 3) + late
                judged = judge(
                    [
                        *nights(*range(20, 31)),
                        by_hand(now - MINUTE),
                        backup(now - MINUTE),
                    ],
                    stuck,
                    now=now,
                )
                self.assertIs(verdict, judged.verdict)
                if verdict:
                    self.assertIn(
                        'Mistral should have started a run at 2030-01-31 '
                        '03:00 UTC and has not; its cron scheduler may be '
                        'down.',
                        judged.reasons,
                    )

    def test_the_only_run_of_a_trigger(self) -> None:
        for late, verdict in (
            (-DAY, OK),
            (MINUTE, OK),
            (HOUR, WARNING),
            (2 * DAY, CRITICAL),
        ):
            with self.case(late):
                schedule = dataclasses.replace(
                    ONCE, next_execution_time=NOW - late
                )
                judged = judge([], schedule)
                self.assertIs(verdict, judged.verdict)
                self.assertEqual((), judged.missed)

    def test_a_disabled_schedule(self) -> None:
        disabled = 'It is disabled; nothing is backed up until it is enabled.'
        for events, summary in (
            ([], 'There is no good backup yet.'),
            (nights(20), 'The last good backup is 11 days old.'),
        ):
            with self.case(events):
                judged = judge(events, DISABLED)
                self.assertIs(WARNING, judged.verdict)
                self.assertEqual((disabled, summary), judged.reasons)
                self.assertEqual((), judged.missed)
                self.assertIsNone(judged.next_time)
                old = judge(events, DISABLED, max_age=10 * DAY)
                self.assertIs(CRITICAL, old.verdict)

    def test_a_pattern_that_tells_no_ticks_is_never_ok(self) -> None:
        for pattern in ('R 3 * * *', '0 3 * * * 30', '@every'):
            with self.case(pattern):
                schedule = dataclasses.replace(NIGHTLY, pattern=pattern)
                judged = judge(nights(*range(20, 32)), schedule)
                self.assertIs(WARNING, judged.verdict)
                self.assertIn(f'"{pattern}"', judged.reasons[0])

    def test_an_alias_in_capitals(self) -> None:
        schedule = with_pattern('@Daily')
        self.assertEqual(7, len(judge([], schedule).missed))


class TestMissed(base.TestCase):
    def _missed(
        self, events: Sequence[Event], **options: Any
    ) -> list[datetime.datetime]:
        return list(judge(events, **options).missed)

    def test_a_late_run_makes_good_for_one_only(self) -> None:
        hourly = with_pattern('@hourly')
        hours = [january(31, hour) for hour in range(13)]
        before = good(*(january(30, hour) for hour in range(24)), *hours[:3])
        # Mistral was down from 02:30 until 11:30.
        late = good(january(31, 11, 30))
        self.assertEqual(
            hours[3:11],
            self._missed([*before, *late], schedule=hourly, now=hours[12]),
        )

    def test_executions_that_were_purged_are_not_missed(self) -> None:
        backups = [backup(january(day, 3)) for day in (28, 29, 30, 31)]
        last = run(january(31, 3))
        self.assertEqual([], self._missed([*backups, last]))
        # The oldest trace tells how far back they go.
        self.assertEqual(
            [january(29, 3)], self._missed([backups[0], *backups[2:], last])
        )
        self.assertEqual([], self._missed([last]))

    def test_what_was_missed_within_a_day_was_not_purged(self) -> None:
        hourly = with_pattern('@hourly')
        missed = self._missed(good(january(31, 12)), schedule=hourly)
        self.assertEqual(24, len(missed))
        self.assertEqual(january(30, 12), missed[0])

    def test_backups_by_hand_are_no_traces_of_runs(self) -> None:
        moment = january(31, 3, 30)
        events = [*nights(*range(20, 31)), backup(moment)]
        self.assertEqual([], self._missed(events))
        self.assertEqual(
            [january(31, 3)], self._missed([*events, by_hand(moment)])
        )

    def test_a_week_and_a_day_at_least_are_looked_at(self) -> None:
        for pattern, count, start in (
            ('0 3 * * *', 7, january(25, 3)),
            ('*/30 * * * *', 49, january(30, 12)),
            ('0 3 * * 1,2', 7, january(8, 3)),
            ('0 3 1 * *', 7, utc(2029, 7, 1, 3)),
            ('0 0 29 2 *', 7, utc(2004, 2, 29)),
        ):
            with self.case(pattern):
                schedule = with_pattern(pattern)
                self.assertEqual(
                    start - health.EARLY
                    if count == 7
                    else NOW - DAY - health.EARLY,
                    health.window_start(schedule, NOW),
                )
                missed = self._missed([], schedule=schedule)
                self.assertEqual(start, missed[0])


class TestWindowStart(base.TestCase):
    def test_it_is_a_day_ago_at_least(self) -> None:
        yesterday = NOW - DAY - health.EARLY
        for schedule in (
            ONCE,
            DISABLED,
            dataclasses.replace(NIGHTLY, pattern='R 3 * * *'),
            dataclasses.replace(NIGHTLY, pattern='* * * * *'),
            dataclasses.replace(NIGHTLY, created_at=NOW - HOUR),
        ):
            with self.case(schedule.pattern):
                self.assertEqual(yesterday, health.window_start(schedule, NOW))

    def test_the_runs_of_an_earlier_pattern_are_in_it(self) -> None:
        changed = dataclasses.replace(NIGHTLY, active_since=NOW - HOUR)
        self.assertEqual(
            january(25, 3) - health.EARLY, health.window_start(changed, NOW)
        )

    def test_a_schedule_without_times(self) -> None:
        unknown = dataclasses.replace(
            NIGHTLY, created_at=None, active_since=None
        )
        self.assertEqual(
            january(25, 3) - health.EARLY, health.window_start(unknown, NOW)
        )


#: Patterns, and a time in which each fires more often than is looked at.
PATTERNS = {
    '0 3 * * *': 12 * DAY,
    '30 2,14 * * *': 6 * DAY,
    '*/20 * * * *': 2 * DAY,
    '0 */5 * * *': 3 * DAY,
    '0 3 * * 1,2': 60 * DAY,
    '@weekly': 80 * DAY,
    '0 3 1 * *': 400 * DAY,
    '0 3 L * *': 400 * DAY,
    '15 4 1 * 1': 60 * DAY,
    '0 0 29 2 *': 14000 * DAY,
}

MOMENTS = st.datetimes(
    utc(2030, 1, 1).replace(tzinfo=None),
    utc(2035, 1, 1).replace(tzinfo=None),
    timezones=st.just(datetime.UTC),
)


@dataclasses.dataclass(frozen=True)
class Past:
    """A schedule, the present, and the ticks until then, oldest first.

    :ivar seen: the ticks that are looked at and old enough to be judged.
    """

    schedule: models.Schedule
    now: datetime.datetime
    ticks: list[datetime.datetime]

    @property
    def seen(self) -> list[datetime.datetime]:
        last = len(self.ticks) - health.TICKS
        return [
            tick
            for number, tick in enumerate(self.ticks)
            if (number >= last or tick >= self.now - DAY)
            and self.now - tick > health.GRACE
        ]

    def judge(self, events: Sequence[Event]) -> health.Health:
        return judge(events, self.schedule, self.now)


@st.composite
def pasts(draw: st.DrawFn) -> Past:
    pattern = draw(st.sampled_from(sorted(PATTERNS)))
    now = draw(MOMENTS)
    times = cron.next_times(pattern, now - PATTERNS[pattern])
    ticks = list(itertools.takewhile(lambda tick: tick <= now, times))
    return Past(with_pattern(pattern, now), now, ticks)


class TestProperties(base.TestCase):
    @base.STEADY
    @hypothesis.given(pasts(), st.randoms(use_true_random=False))
    def test_a_good_run_for_every_tick_is_ok(
        self, past: Past, random: Any
    ) -> None:
        events = good(
            *(
                tick + random.randint(-2, 100) * SECOND
                for tick in past.ticks
                if past.now - tick > 100 * SECOND
            )
        )
        random.shuffle(events)
        judged = past.judge(events)
        self.assertEqual((OK, ()), (judged.verdict, judged.missed))
        self.assertEqual(1, len(judged.reasons))

    @base.STEADY
    @hypothesis.given(pasts(), st.data())
    def test_one_without_a_run_is_missed_whatever_is_done_by_hand(
        self, past: Past, data: st.DataObject
    ) -> None:
        gone = data.draw(st.sampled_from(past.seen[:-1]))
        events = good(*(tick for tick in past.ticks if tick != gone))
        for state in data.draw(
            st.lists(st.sampled_from(['SUCCESS', 'RUNNING', 'ERROR']))
        ):
            seconds = (past.now - past.ticks[0]) // SECOND
            # Not in the same second as a run by the pattern.
            ago = data.draw(st.integers(0, seconds)) * SECOND
            moment = past.now - ago + SECOND / 2
            events += [by_hand(moment, state), backup(moment)]
        judged = past.judge(events)
        self.assertEqual((gone,), judged.missed)
        self.assertIsNot(OK, judged.verdict)

    @base.STEADY
    @hypothesis.given(pasts(), st.integers(2, 6))
    def test_a_late_run_makes_good_for_the_last_tick_only(
        self, past: Past, count: int
    ) -> None:
        last = past.ticks[-1]
        past = dataclasses.replace(past, now=last + 15 * MINUTE)
        late = good(last + 10 * MINUTE)
        judged = past.judge([*good(*past.ticks[:-count]), *late])
        self.assertEqual(past.ticks[-count:-1], list(judged.missed))
        self.assertIs(WARNING, judged.verdict)

    @base.STEADY
    @hypothesis.given(pasts(), st.data())
    def test_it_is_ok_only_with_a_new_backup(
        self, past: Past, data: st.DataObject
    ) -> None:
        outcomes = st.sampled_from(['good', 'failed', 'lost', 'missed'])
        events: list[Event] = []
        well = []
        for tick in past.ticks[-health.TICKS :]:
            outcome = data.draw(outcomes)
            if outcome == 'good':
                events += good(tick)
            elif outcome == 'failed':
                events += [run(tick), backup(tick, 'FAILED')]
            elif outcome == 'lost':
                events += [run(tick, 'ERROR')]
            well.append(outcome == 'good')
        judged = past.judge(events)
        if past.ticks[-1] in past.seen or well[-1]:
            last_two = well[-2:]
        else:
            last_two = well[-3:-1]
        if not any(last_two):
            self.assertIs(CRITICAL, judged.verdict)
        elif not last_two[-1]:
            self.assertIs(WARNING, judged.verdict)
        else:
            self.assertIsNot(CRITICAL, judged.verdict)

    @base.STEADY
    @hypothesis.given(pasts())
    def test_older_runs_than_asked_for_change_nothing(
        self, past: Past
    ) -> None:
        events = good(*past.ticks)
        start = health.window_start(past.schedule, past.now)
        asked = [
            each
            for each in events
            if isinstance(each, models.Backup)
            or (each.created_at and each.created_at >= start)
        ]
        self.assertEqual(past.judge(events), past.judge(asked))

    def test_every_minute(self) -> None:
        schedule = with_pattern('* * * * *')
        times = cron.next_times('* * * * *', NOW - 2 * DAY)
        ticks = list(itertools.takewhile(lambda tick: tick <= NOW, times))
        past = Past(schedule, NOW, ticks)
        self.assertIs(OK, past.judge(good(*ticks)).verdict)
        judged = past.judge(good(*ticks[:2000], *ticks[2001:]))
        self.assertEqual((ticks[2000],), judged.missed)


class TestLeftovers(base.TestCase):
    """Triggers that a change has left."""

    SCHEDULE = dataclasses.replace(NIGHTLY, leftovers=(base.uid(8),))
    NEWEST = good(january(31, 3))

    def test_one_that_is_left_is_told(self) -> None:
        judged = judge(self.NEWEST, self.SCHEDULE)
        self.assertEqual(WARNING, judged.verdict)
        self.assertIn(base.uid(8), judged.reasons[0])
        self.assertIn('"schedule show" deletes it', judged.reasons[0])

    def test_one_that_a_run_needs_is_as_it_should_be(self) -> None:
        for state, moment, expected in (
            ('RUNNING', NOW - 5 * MINUTE, OK),
            ('PAUSED', NOW - 5 * MINUTE, OK),
            ('SUCCESS', NOW - 5 * MINUTE, WARNING),
            ('RUNNING', NOW - 2 * HOUR, WARNING),
        ):
            with self.case(state, moment):
                needing = run(moment, state, trigger_id=base.uid(8))
                made = [backup(moment)] if state == 'SUCCESS' else []
                judged = judge([*self.NEWEST, needing, *made], self.SCHEDULE)
                self.assertEqual(expected, judged.verdict, str(judged.reasons))


class TestJudgeUnscheduled(base.TestCase):
    def test_there_is_always_something_to_say(self) -> None:
        unscheduled = 'No schedule backs up the instance "orders".'
        broken = backup(january(30), parent_id=number(january(1)))
        for backups, verdict, summary in (
            ([], CRITICAL, 'There is no good backup yet.'),
            (
                [backup(january(1), 'FAILED'), broken],
                CRITICAL,
                'There is no good backup yet.',
            ),
            (
                [
                    backup(january(2)),
                    backup(january(20), name='mine', description=None),
                    backup(january(30), 'BUILDING'),
                ],
                WARNING,
                'The last good backup is 11 days old.',
            ),
        ):
            with self.case(backups):
                judged = health.judge_unscheduled(INSTANCE, backups, NOW)
                self.assertIs(verdict, judged.verdict)
                self.assertEqual((unscheduled, summary), judged.reasons)
                self.assertEqual(fakes.INSTANCE, judged.instance)
                self.assertIsNone(judged.schedule)
                self.assertIsNone(judged.last_run)
                self.assertIsNone(judged.next_time)
                self.assertEqual((), judged.missed)

    def test_a_maximal_age(self) -> None:
        for day, verdict in ((30, WARNING), (29, CRITICAL)):
            with self.case(day):
                judged = health.judge_unscheduled(
                    INSTANCE, [backup(january(day))], NOW, max_age=2 * DAY
                )
                self.assertIs(verdict, judged.verdict)
        self.assertEqual(
            'There is no good backup from the last 2 days.', judged.reasons[0]
        )


class TestParseDuration(base.TestCase):
    def test_durations(self) -> None:
        for text, expected in (
            ('90m', 90 * MINUTE),
            ('36h', 36 * HOUR),
            ('2d', 2 * DAY),
            ('1w', 7 * DAY),
            ('1d12h', 36 * HOUR),
            ('1w2d3h4m', 9 * DAY + 3 * HOUR + 4 * MINUTE),
            ('0d1m', MINUTE),
            ('007d', 7 * DAY),
        ):
            with self.case(text):
                self.assertEqual(expected, health.parse_duration(text))

    def test_what_is_no_duration_is_refused(self) -> None:
        for text in (
            '',
            ' ',
            '0h',
            '0',
            '5',
            'd',
            '-1d',
            '1.5h',
            '12h1d',
            '1d 12h',
            '1d\n',
            '1D',
            '1M',
            '30s',
            '1y',
            '٣d',
            '999999999w',
            '1' * 5000 + 'm',
        ):
            with self.case(text):
                exc = self.assertRaises(
                    exceptions.InvalidValueError, health.parse_duration, text
                )
                self.assertIn(f'"{text}" can\'t be used', str(exc))


class TestWords(base.TestCase):
    def test_ages_are_told_in_the_unit_that_says_enough(self) -> None:
        for age, words in (
            (0 * SECOND, 'less than a minute'),
            (59 * SECOND, 'less than a minute'),
            (MINUTE, '1 minute'),
            (119 * SECOND, '1 minute'),
            (12 * MINUTE, '12 minutes'),
            (119 * MINUTE, '119 minutes'),
            (2 * HOUR, '2 hours'),
            (26 * HOUR, '26 hours'),
            (48 * HOUR - SECOND, '47 hours'),
            (2 * DAY, '2 days'),
            (400 * DAY, '400 days'),
        ):
            with self.case(age):
                judged = health.judge_unscheduled(
                    INSTANCE, [backup(NOW, created_at=NOW - age)], NOW
                )
                self.assertEqual(
                    f'The last good backup is {words} old.', judged.reasons[-1]
                )
