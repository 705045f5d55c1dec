# SPDX-License-Identifier: Apache-2.0

import dataclasses
import datetime
from typing import Any

from tests.unit import base
from tests.unit import fakes
from tests.unit.fakes import execution
from tests.unit.fakes import our_trigger
from tests.unit.fakes import run_of
from tests.unit.fakes import successor
from tests.unit.fakes import trigger
from trove_backup_schedule import lookup
from trove_backup_schedule import mistral
from trove_backup_schedule import models


class LookupTestCase(base.CloudTestCase):
    def setUp(self) -> None:
        super().setUp()
        fake = fakes.Mistral(self.http)
        self.triggers = fake.rows['cron_triggers']
        self.executions = fake.rows['executions']
        self.mistral = mistral.Mistral(mistral.make_client(self.session()))

    def adopted(self, row: fakes.Row) -> models.Schedule:
        """Give a schedule made by others as it is when it was changed."""
        before = models.Schedule.from_trigger(row)
        return dataclasses.replace(
            before,
            trigger_id=base.uid(99),
            trigger_name=str(
                models.TriggerName(
                    name=before.name,
                    instance=before.instance,
                    schedule_id=before.id,
                    generation=2,
                )
            ),
            origin=before.trigger_id,
        )


class TestCarriers(LookupTestCase):
    def _carriers(self, schedule: models.Schedule) -> list[str]:
        found = lookup.carriers(self.mistral, schedule)
        return [each.trigger_id for each in found]

    def test_the_newest_comes_first(self) -> None:
        row = our_trigger(1)
        rows = [successor(row, number) for number in (9, 11, 10)]
        self.triggers += [our_trigger(2), row, *rows]
        self.assertEqual(
            [rows[1]['id'], rows[2]['id'], rows[0]['id'], row['id']],
            self._carriers(models.Schedule.from_trigger(row)),
        )

    def test_one_made_by_others_is_found_by_its_trigger(self) -> None:
        for name in (base.uid(11), 'by-hand'):
            with self.case(name):
                row = trigger(1, name=name)
                adopted = self.adopted(row)
                newer = row | {
                    'id': adopted.trigger_id,
                    'name': adopted.trigger_name,
                }
                for rows, expected in (
                    ([row], [base.uid(1)]),
                    ([row, newer], [base.uid(99), base.uid(1)]),
                    ([newer], [base.uid(99)]),
                    ([], []),
                ):
                    self.triggers[:] = rows
                    self.assertEqual(expected, self._carriers(adopted))

    def test_what_has_become_another_trigger_carries_it_not(self) -> None:
        row = trigger(1)
        self.triggers.append(row | {'workflow_name': 'report'})
        self.assertEqual([], self._carriers(models.Schedule.from_trigger(row)))


class TestExecutionsOf(LookupTestCase):
    def _numbers(self, schedule: models.Schedule, **options: Any) -> list[int]:
        found = lookup.executions_of(self.mistral, schedule, **options)
        return [int(run.id[-2:], 16) for run in found]

    def test_those_since_a_time_and_in_a_state(self) -> None:
        for row in (our_trigger(1), trigger(1)):
            schedule = models.Schedule.from_trigger(row)
            states = ('SUCCESS', 'RUNNING', 'PAUSED', 'ERROR')
            self.executions[:] = [
                run_of(number, row, state=state)
                for number, state in enumerate(states, 1)
            ]
            since = datetime.datetime(
                2030, 1, 1, 0, 0, 2, 500000, tzinfo=datetime.UTC
            )
            for options, expected in (
                ({}, [4, 3, 2, 1]),
                ({'since': since}, [4, 3, 2]),
                ({'state': 'RUNNING'}, [2]),
                ({'state': 'in:RUNNING,PAUSED'}, [3, 2]),
                ({'state': 'in:RUNNING,PAUSED', 'since': since}, [3, 2]),
                ({'state': 'IDLE'}, []),
            ):
                with self.case(row, options):
                    self.assertEqual(
                        expected, self._numbers(schedule, **options)
                    )

    def test_those_before_and_after_it_was_changed_here(self) -> None:
        for name in (base.uid(11), 'by-hand'):
            with self.case(name):
                row = trigger(1, name=name)
                schedule = self.adopted(row)
                values = models.json_object(row['workflow_input']) or {}
                newer = row | {
                    'id': schedule.trigger_id,
                    'workflow_input': values | {'schedule_id': schedule.id},
                    'workflow_params': models.workflow_params(schedule.id),
                }
                before, after = (
                    models.run_values(each)['description']
                    for each in (models.Schedule.from_trigger(row), schedule)
                )
                self.executions[:] = [
                    run_of(1, row),
                    run_of(2, row, description=before),
                    run_of(4, newer),
                    run_of(3, row, state='RUNNING'),
                    run_of(5, newer, description=after),
                    execution(6, base.uid(77)),
                ]
                runs = list(lookup.executions_of(self.mistral, schedule))
                self.assertEqual(
                    {schedule.id}, {run.schedule_id for run in runs}
                )
                self.assertEqual([5, 4, 3, 2, 1], self._numbers(schedule))
