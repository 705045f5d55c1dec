# SPDX-License-Identifier: Apache-2.0

from collections.abc import Sequence
import datetime
from typing import Any

import fixtures

from tests.unit import base
from tests.unit import fakes
from tests.unit.fakes import execution
from tests.unit.fakes import our_backup
from tests.unit.fakes import our_trigger
from tests.unit.fakes import run_of
from tests.unit.fakes import successor
from tests.unit.fakes import trigger
from trove_backup_schedule import inspection
from trove_backup_schedule import lookup
from trove_backup_schedule import mistral
from trove_backup_schedule import models
from trove_backup_schedule import trove

BACKUPS = f'{base.TROVE}/backups'

NOW = datetime.datetime(2030, 1, 1, 0, 1, tzinfo=datetime.UTC)
DAY = datetime.timedelta(days=1)

_schedule = models.Schedule.from_trigger


class InspectionTestCase(base.CloudTestCase):
    def setUp(self) -> None:
        super().setUp()
        fake = fakes.Mistral(self.http)
        self.executions = fake.rows['executions']
        self.made: list[fakes.Row] = []
        self.http.get(BACKUPS, json=self._list)
        session = self.session()
        self.mistral = mistral.Mistral(mistral.make_client(session))
        self.trove = trove.Trove(trove.make_client(session))
        self.http.reset_mock()

    def _list(self, request: Any, context: Any) -> fakes.Row:
        instance = base.query(request).get('instance_id')
        return {
            'backups': [
                row
                for row in self.made
                if instance in (None, row['instance_id'])
            ]
        }


class TestJudgeAll(InspectionTestCase):
    """What is put before the judge, whatever it says."""

    def setUp(self) -> None:
        super().setUp()
        self.starts: dict[str, datetime.datetime] = {}
        for name, substitute in (
            ('judge', self._judge),
            ('judge_unscheduled', self._judge_unscheduled),
            ('window_start', self._window_start),
        ):
            self.useFixture(
                fixtures.MonkeyPatch(
                    f'trove_backup_schedule.health.{name}', substitute
                )
            )

    @staticmethod
    def _judge(
        schedule: models.Schedule,
        runs: Sequence[models.ScheduleExecution],
        backups: Sequence[models.Backup],
        now: datetime.datetime,
        *,
        max_age: datetime.timedelta | None,
    ) -> Any:
        return (
            schedule.id,
            [int(run.id[-3:], 16) for run in runs],
            [int(backup.id[-3:], 16) for backup in backups],
            now,
            max_age,
        )

    @staticmethod
    def _judge_unscheduled(
        instance: models.Instance,
        backups: Sequence[models.Backup],
        now: datetime.datetime,
        *,
        max_age: datetime.timedelta | None,
    ) -> Any:
        return (
            instance.id,
            [int(backup.id[-3:], 16) for backup in backups],
            now,
            max_age,
        )

    def _window_start(
        self, schedule: models.Schedule, now: datetime.datetime
    ) -> datetime.datetime:
        return self.starts.get(schedule.id, now - DAY)

    def _judged(
        self, schedules: Sequence[models.Schedule], **options: Any
    ) -> list[Any]:
        found: list[Any] = inspection.judge_all(
            self.mistral, self.trove, schedules, NOW, **options
        )
        return found

    def _runs(self, schedules: Sequence[models.Schedule]) -> list[list[int]]:
        return [runs for _id, runs, *_rest in self._judged(schedules)]

    def test_each_is_judged_by_what_is_its_own(self) -> None:
        rows = [our_trigger(1), our_trigger(2, instance=fakes.OTHER_INSTANCE)]
        self.executions += [run_of(1, rows[0]), run_of(2, rows[1])]
        self.made += [
            our_backup(1, 1),
            our_backup(2, 2, instance_id=fakes.OTHER_INSTANCE),
            our_backup(3, 9, instance_id=base.uid(0x300)),
            our_backup(4, 9, instance_id=base.uid(0x400)),
        ]
        bare = models.Instance.from_trove(fakes.instance(base.uid(0x300)))
        found = self._judged(
            [_schedule(rows[1]), _schedule(rows[0])],
            unscheduled=iter([bare]),
            max_age=DAY,
        )
        self.assertEqual(
            [
                (fakes.schedule_id(2), [2], [2], NOW, DAY),
                (fakes.schedule_id(1), [1], [1], NOW, DAY),
                (base.uid(0x300), [3], NOW, DAY),
            ],
            found,
        )

    def test_nothing_to_judge_takes_no_request(self) -> None:
        self.assertEqual([], self._judged([]))
        self.assertEqual([], self.http.request_history)

    def test_many_take_as_few_requests_as_one(self) -> None:
        for count, each_mistral, each_trove in (
            (1, 1, 1),
            (10, 10, 10),
            (11, 1, 1),
            (300, 1, 1),
        ):
            with self.case(count):
                self.http.reset_mock()
                rows = [
                    our_trigger(number, instance=base.uid(0x1000 + number))
                    for number in range(count)
                ]
                self.executions[:] = [
                    run_of(number, row) for number, row in enumerate(rows)
                ]
                self.made[:] = [
                    our_backup(
                        number, number, instance_id=base.uid(0x1000 + number)
                    )
                    for number in range(count)
                ]
                self.made.append(our_backup(999, 999))
                found = self._judged([_schedule(row) for row in rows])
                self.assertEqual(
                    [([number], [number]) for number in range(count)],
                    [(runs, backups) for _, runs, backups, *_ in found],
                )
                self.assertEqual(each_mistral, len(self.sent(base.MISTRAL)))
                self.assertEqual(each_trove, len(self.sent(base.TROVE)))

    def test_instances_are_asked_for_once(self) -> None:
        self._judged([_schedule(our_trigger(n)) for n in range(5)])
        self.assertEqual(1, len(self.sent(base.TROVE)))

    def test_runs_are_told_apart_whatever_made_the_schedule(self) -> None:
        by_hand, by_client = trigger(1), trigger(2, name=base.uid(22))
        before, older = trigger(3), successor(our_trigger(4), 2)
        older['workflow_input'] |= {'origin': before['id']}
        after = successor(older, 3)
        rows = [by_hand, by_client, after]
        rows += [our_trigger(number) for number in range(10, 20)]
        self.executions += [
            run_of(1, by_hand),
            run_of(2, by_client),
            run_of(3, before),
            run_of(4, after),
            run_of(5, older),
            run_of(6, rows[-1]),
            execution(7),
            run_of(8, our_trigger(99)),
        ]
        expected = [[1], [2], [5, 4, 3], *[[]] * 9, [6]]
        schedules = [_schedule(row) for row in rows]
        self.assertEqual(expected, self._runs(schedules))
        self.assertEqual(
            expected, [self._runs([each])[0] for each in schedules]
        )

    def _asked_since(self) -> list[str]:
        return [
            base.query(each)['created_at'] for each in self.sent(base.MISTRAL)
        ]

    def test_no_more_runs_are_asked_for_than_are_needed(self) -> None:
        days = (1, 400, 7, 30)
        schedules = [_schedule(our_trigger(number)) for number in days]
        self.starts = {
            each.id: NOW - number * DAY
            for each, number in zip(schedules, days, strict=True)
        }
        self._judged(schedules)
        self.assertEqual(
            [f'gte:{NOW - number * DAY:%F %T}' for number in days],
            self._asked_since(),
        )

    def test_what_goes_back_far_is_asked_for_alone(self) -> None:
        schedules = [_schedule(our_trigger(number)) for number in range(13)]
        self.starts = {
            schedules[3].id: NOW - 7 * DAY,
            schedules[5].id: NOW - 8 * DAY,
            schedules[7].id: NOW - 400 * DAY,
        }
        far = {f'gte:{NOW - number * DAY:%F %T}' for number in (8, 400)}
        self._judged(schedules)
        self.assertEqual(
            far | {f'gte:{NOW - 7 * DAY:%F %T}'}, set(self._asked_since())
        )
        self.assertEqual(3, len(self._asked_since()))
        # Without one of them no long list is worth it.
        self.http.reset_mock()
        self._judged(schedules[1:])
        self.assertEqual(12, len(self._asked_since()))


class TestWithBackups(InspectionTestCase):
    def _run(self, number: int, **changes: Any) -> models.ScheduleExecution:
        return models.ScheduleExecution.from_execution(
            run_of(
                number,
                our_trigger(1),
                output={
                    'backup_id': our_backup(number, 1)['id'],
                    'backup_status': 'COMPLETED',
                },
                **changes,
            )
        )

    def _statuses(
        self, *runs: models.ScheduleExecution
    ) -> list[tuple[str, str | None]]:
        found = inspection.with_backups(self.trove, runs)
        return [(run.id, run.backup_status) for run in found]

    def test_the_present_status_is_told(self) -> None:
        first, second, third = (self._run(number) for number in (1, 2, 3))
        self.made += [our_backup(1, 1), our_backup(3, 1, status='FAILED')]
        self.assertEqual(
            [
                (third.id, 'FAILED'),
                (second.id, 'DELETED'),
                (first.id, 'COMPLETED'),
            ],
            self._statuses(third, second, first),
        )
        self.assertEqual(1, len(self.sent(base.TROVE)))

    def test_nothing_is_asked_where_nothing_can_be_told(self) -> None:
        run = self._run(1, input={})
        self.assertEqual([], self._statuses())
        self.assertEqual([(run.id, 'COMPLETED')], self._statuses(run))
        self.assertEqual([], self.http.request_history)

    def test_of_an_unknown_instance_no_backup_is_said_to_be_gone(
        self,
    ) -> None:
        unknown, known = self._run(1, input={}), self._run(2)
        found = dict(self._statuses(unknown, known))
        self.assertEqual('DELETED', found[known.id])
        self.assertNotEqual('DELETED', found[unknown.id])

    def test_many_instances_take_one_request(self) -> None:
        runs = []
        for number in range(11):
            instance = {'instance': base.uid(0x1000 + number), 'name': 'x'}
            runs.append(self._run(number, input=instance))
            self.made.append(
                our_backup(
                    number,
                    1,
                    instance_id=instance['instance'],
                    status='SAVING',
                )
            )
        self.assertEqual(
            {'SAVING'}, {status for _id, status in self._statuses(*runs)}
        )
        self.assertEqual(1, len(self.sent(base.TROVE)))

    def test_where_trove_fails_the_status_is_not_known(self) -> None:
        answers: tuple[dict[str, Any], ...] = (
            {'status_code': 500},
            {'status_code': 403},
            {'exc': base.refused()},
            {'text': '<html>'},
        )
        run = self._run(1)
        for answer in answers:
            with self.case(answer):
                self.http.get(BACKUPS, **answer)
                self.assertEqual([(run.id, None)], self._statuses(run))
        warnings = self.log.output.strip().splitlines()
        self.assertEqual(len(answers), len(warnings))
        self.assertIn('present state of the backups', warnings[0])

    def test_a_run_of_others_that_goes_on_tells_its_backup(self) -> None:
        """The workflow labels its backup with the ID of the trigger."""
        row = trigger(1, name=base.uid(22))
        self.executions.append(run_of(1, row, state='RUNNING', output={}))
        made = our_backup(
            2,
            1,
            description=f'[schedule {base.uid(1)}]',
            status='BUILDING',
        )
        self.made.append(made)
        for runs in (
            lookup.executions_of(self.mistral, _schedule(row)),
            lookup.executions(self.mistral),
        ):
            ((_id, status),) = self._statuses(*runs)
            self.assertEqual('BUILDING', status)
