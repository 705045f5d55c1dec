# SPDX-License-Identifier: Apache-2.0

import dataclasses
import datetime
from typing import Any

from tests.unit import base
from tests.unit import fakes
from tests.unit.fakes import execution
from tests.unit.fakes import our_trigger
from tests.unit.fakes import run_of
from tests.unit.fakes import schedule_id
from tests.unit.fakes import successor
from tests.unit.fakes import trigger
from trove_backup_schedule import lookup
from trove_backup_schedule import mistral
from trove_backup_schedule import models

#: Mistral leaves out what is less than a second.
SINCE = datetime.datetime(2030, 1, 1, 0, 0, 2, 500000, tzinfo=datetime.UTC)


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

    def test_those_since_a_time(self) -> None:
        for row in (our_trigger(1), trigger(1)):
            schedule = models.Schedule.from_trigger(row)
            self.executions[:] = [run_of(number, row) for number in (1, 2, 3)]
            for since, expected in ((None, [3, 2, 1]), (SINCE, [3, 2])):
                with self.case(row, since):
                    self.assertEqual(
                        expected, self._numbers(schedule, since=since)
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


class TestExecutionsByTrust(LookupTestCase):
    def _numbers(self, row: fakes.Row) -> list[int]:
        found = lookup.executions_by_trust(
            self.mistral, models.Schedule.from_trigger(row), since=SINCE
        )
        return [int(run.id[-2:], 16) for run in found]

    def test_those_that_go_on(self) -> None:
        states = ('RUNNING', 'SUCCESS', 'RUNNING', 'PAUSED', 'ERROR', 'IDLE')
        for row in (our_trigger(1), trigger(1), successor(our_trigger(1), 2)):
            with self.case(row):
                self.executions[:] = [
                    run_of(number, row, state=state)
                    for number, state in enumerate(states, 1)
                ]
                before = len(self.sent(base.MISTRAL))
                self.assertEqual([6, 4, 3], self._numbers(row))
                self.assertEqual(before + 1, len(self.sent(base.MISTRAL)))

    def test_those_by_hand_and_of_other_triggers_need_it_not(self) -> None:
        row = our_trigger(1)
        by_hand = models.run_values(models.Schedule.from_trigger(row))
        self.executions += [
            run_of(3, row, state='RUNNING', description=each)
            for each in (by_hand['description'], f'see {row["id"]}', None)
        ]
        self.executions.append(run_of(4, successor(row, 2), state='RUNNING'))
        self.assertEqual([], self._numbers(row))


class TestLeftovers(LookupTestCase):
    """The triggers that should have gone when a schedule was changed."""

    def _found(self) -> list[list[models.Schedule]]:
        return [
            lookup.schedules(self.mistral),
            lookup.schedules_of(self.mistral, fakes.INSTANCE),
            list(lookup.schedules_in_pages(self.mistral)),
        ]

    def test_those_of_one_made_here(self) -> None:
        row = our_trigger(1)
        newer, newest = successor(row, 2), successor(row, 3)
        self.triggers += [newest, row, newer]
        single = [
            [lookup.schedule(self.mistral, each)]
            for each in (schedule_id(1), 'nightly')
        ]
        for found in (*self._found(), *single):
            with self.case(found):
                (schedule,) = found
                self.assertEqual(newest['id'], schedule.trigger_id)
                self.assertEqual((row['id'], newer['id']), schedule.leftovers)

    def test_one_that_has_just_one_trigger_has_none(self) -> None:
        # In the name of this one the instance is found too.
        foreign = trigger(2, name=f'of-{fakes.INSTANCE}')
        self.triggers += [our_trigger(1), foreign]
        for found in self._found():
            with self.case(found):
                self.assertEqual([(), ()], [each.leftovers for each in found])

    def test_the_first_of_one_made_by_others(self) -> None:
        row = trigger(1, name=base.uid(11))
        adopted = self.adopted(row)
        values = models.json_object(row['workflow_input']) or {}
        newer = row | {
            'id': adopted.trigger_id,
            'name': adopted.trigger_name,
            'workflow_input': values | {'origin': row['id']},
            'workflow_params': models.workflow_params(adopted.id),
        }
        self.triggers += [newer, row]
        for found in (
            *self._found(),
            [lookup.schedule(self.mistral, adopted.id)],
        ):
            with self.case(found):
                (schedule,) = found
                self.assertEqual((row['id'],), schedule.leftovers)
        # Another may stand between the two.
        self.triggers.append(trigger(0))
        pages = lookup.schedules_in_pages(self.mistral)
        self.assertEqual(
            [(adopted.id, 2, ()), (base.uid(0), 1, ()), (adopted.id, 1, ())],
            [(each.id, each.generation, each.leftovers) for each in pages],
        )

    def test_carriers_have_none(self) -> None:
        row = our_trigger(1)
        self.triggers += [row, successor(row, 2)]
        found = lookup.carriers(
            self.mistral, models.Schedule.from_trigger(row)
        )
        self.assertEqual([(), ()], [each.leftovers for each in found])
