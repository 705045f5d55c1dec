# SPDX-License-Identifier: Apache-2.0

import dataclasses
import datetime
import functools
import itertools
import re
from typing import Any

import hypothesis
from hypothesis import strategies as st

from tests.unit import base
from tests.unit import fakes
from trove_backup_schedule import exceptions
from trove_backup_schedule import models
from trove_backup_schedule import settings

utc = functools.partial(datetime.datetime, tzinfo=datetime.UTC)


def _valid_name(text: str) -> bool:
    try:
        settings.validate_name(text)
    except exceptions.InvalidValueError:
        return False
    return True


NAMES = st.text(
    st.one_of(st.sampled_from('ab:19 -%_\\'), st.characters()),
    min_size=1,
    max_size=models.MAX_NAME_LENGTH,
).filter(_valid_name)
UUIDS = st.uuids().map(str)


class TestTriggerName(base.TestCase):
    @base.STEADY
    @hypothesis.given(NAMES, UUIDS, UUIDS, st.integers(1, 10**9))
    def test_every_valid_name_comes_back(
        self, name: str, instance: str, schedule_id: str, generation: int
    ) -> None:
        made = models.TriggerName(
            name=name,
            instance=instance,
            schedule_id=schedule_id,
            generation=generation,
        )
        self.assertEqual(made, models.TriggerName.parse(str(made)))

    def test_the_longest_name_fits_into_mistrals_column(self) -> None:
        made = models.TriggerName(
            name='n' * models.MAX_NAME_LENGTH,
            instance=base.uid(1),
            schedule_id=base.uid(2),
            generation=999,
        )
        self.assertLessEqual(len(str(made)), 200)

    def test_the_form_is_the_documented_one(self) -> None:
        made = models.TriggerName(
            name='a:b', instance=base.uid(1), schedule_id=base.uid(2)
        )
        self.assertEqual(
            f'trovebackup1:a:b:{base.uid(1)}:{base.uid(2)}:1', str(made)
        )

    def test_names_sort_between_the_bounds_of_the_prefix(self) -> None:
        for name in ('0', 'zzz', 'é', '\U0010ffff', ':'):
            with self.case(name):
                text = f'{models.NAME_PREFIX}:{name}'
                self.assertLess(models.NAME_PREFIX, text)
                self.assertLess(text, models.NAME_PREFIX_END)

    def test_names_of_others_are_not_taken_apart(self) -> None:
        instance, schedule = base.uid(1), base.uid(2)
        for text in (
            '',
            'nightly',
            base.uid(1),
            'trovebackup',
            f'trovebackup1:x:{instance}:{schedule}',
            f'trovebackup1:x:{instance}:{schedule}:',
            f'trovebackup1:x:{instance}:{schedule}:0',
            f'trovebackup1:x:{instance}:{schedule}:01',
            f'trovebackup1:x:{instance}:{schedule}:1 ',
            f'trovebackup1:x:{instance}:{schedule}:1\n',
            f' trovebackup1:x:{instance}:{schedule}:1',
            f'trovebackup-x:{instance}:{schedule}:1',
            f'trovebackup1:x:{instance}:y:1',
            f'trovebackup1:x:orders:{schedule}:1',
        ):
            with self.case(text):
                self.assertIsNone(models.TriggerName.parse(text))


class TestSchedule(base.TestCase):
    def test_a_trigger_made_here(self) -> None:
        row = fakes.our_trigger(
            1,
            'nightly:full',
            workflow_input={
                'instance': fakes.INSTANCE,
                'name': 'nightly:full',
                'description': 'each night',
                'parent_id': base.uid(9),
                'incremental': True,
                'swift_container': 'dumps',
                'storage_driver': 'swift',
                'schedule_id': fakes.schedule_id(1),
            },
            remaining_executions=3,
            updated_at='2030-01-01 00:00:02.500000',
        )
        schedule = models.Schedule.from_trigger(row)
        self.assertEqual(
            models.Schedule(
                id=fakes.schedule_id(1),
                name='nightly:full',
                instance=fakes.INSTANCE,
                pattern='0 3 * * *',
                next_execution_time=utc(2030, 1, 2, 3),
                created_at=utc(2030, 1, 1, 0, 0, 1),
                updated_at=utc(2030, 1, 1, 0, 0, 2, 500000),
                description='each night',
                parent_id=base.uid(9),
                incremental=True,
                swift_container='dumps',
                storage_driver='swift',
                remaining_executions=3,
                project_id=base.PROJECT,
                input=row['workflow_input'],
                trigger_id=base.uid(1),
                trigger_name=row['name'],
                active_since=utc(2030, 1, 1, 0, 0, 1),
            ),
            schedule,
        )

    def test_triggers_made_by_other_means(self) -> None:
        instance = fakes.INSTANCE
        spec = {
            'instance': instance,
            'name': 'myback',
            'description': None,
            'parent_id': base.uid(9),
        }
        troveclient = (
            f'{{"instance": "{instance}", "name": "myback",'
            ' "description": null, "incremental": null}'
        )
        ours = models.TriggerName(
            name='x', instance=fakes.OTHER_INSTANCE, schedule_id=base.uid(7)
        )
        for name, workflow_input, identifier, parent in (
            (base.uid(5), troveclient, base.uid(5), None),
            ('by-hand', troveclient, base.uid(1), None),
            ('by-hand', spec, base.uid(1), base.uid(9)),
            # It only looks as if it were made here.
            (str(ours), spec, base.uid(1), base.uid(9)),
        ):
            with self.case(name, workflow_input):
                schedule = models.Schedule.from_trigger(
                    fakes.trigger(1, name=name, workflow_input=workflow_input)
                )
                self.assertEqual(identifier, schedule.id)
                self.assertEqual('myback', schedule.name)
                self.assertEqual(instance, schedule.instance)
                self.assertEqual(parent, schedule.parent_id)
                self.assertIs(False, schedule.incremental)
                self.assertIsNone(schedule.swift_container)
                self.assertEqual(base.uid(1), schedule.trigger_id)
                self.assertEqual(name, schedule.trigger_name)

    def test_one_that_was_changed_is_as_old_as_it_was(self) -> None:
        row = fakes.our_trigger(1)
        row['workflow_input'] |= {
            'created_at': '2029-05-06T07:08:09.000001+00:00',
            'active_since': '2029-06-01T02:00:00+02:00',
            'origin': base.uid(9),
            'keep': 3,
            'incremental': True,
            'full_every': 6,
        }
        schedule = models.Schedule.from_trigger(row)
        self.assertEqual(
            (
                utc(2029, 5, 6, 7, 8, 9, 1),
                utc(2029, 6, 1),
                base.uid(9),
                3,
                6,
            ),
            (
                schedule.created_at,
                schedule.active_since,
                schedule.origin,
                schedule.keep,
                schedule.full_every,
            ),
        )

    def test_what_others_may_have_put_into_the_input_harms_nothing(
        self,
    ) -> None:
        made = utc(2030, 1, 1, 0, 0, 1)
        values: tuple[object, ...] = (
            None,
            '',
            'x',
            0,
            -1,
            True,
            1.5,
            [],
            {},
        )
        for value in values:
            with self.case(value):
                schedule = models.Schedule.from_trigger(
                    fakes.trigger(
                        1,
                        workflow_input={
                            'instance': fakes.INSTANCE,
                            'name': 'x',
                            'keep': value,
                            'full_every': value,
                            'created_at': value,
                            'active_since': value,
                        },
                    )
                )
                self.assertEqual(
                    (None, None, made, made),
                    (
                        schedule.keep,
                        schedule.full_every,
                        schedule.created_at,
                        schedule.active_since,
                    ),
                )

    def test_one_that_never_fires_is_disabled(self) -> None:
        for due, enabled in (
            ('9999-12-31 23:59:00', False),
            ('9999-12-31 23:58:00', True),
            ('2030-01-02 03:00:00', True),
            (None, True),
        ):
            with self.case(due):
                schedule = models.Schedule.from_trigger(
                    fakes.our_trigger(1, next_execution_time=due)
                )
                self.assertIs(enabled, schedule.enabled)
                self.assertEqual(
                    models.parse_time(due) if enabled else None,
                    schedule.next_execution_time,
                )

    def test_the_next_times(self) -> None:
        second, third = utc(2030, 1, 2, 3), utc(2030, 1, 3, 3)
        odd = utc(2030, 1, 2, 17, 30)
        for changes, most, expected in (
            ({}, 1, [second]),
            ({}, 2, [second, third]),
            ({'remaining_executions': 1}, 3, [second]),
            ({'remaining_executions': 2}, 3, [second, third]),
            # A first time that was chosen.
            ({'next_execution_time': odd}, 2, [odd, third]),
            ({'pattern': None}, 3, [second]),
            ({'pattern': 'of another croniter'}, 3, [second]),
            ({'next_execution_time': None}, 3, []),
        ):
            with self.case(changes, most):
                schedule = dataclasses.replace(
                    models.Schedule.from_trigger(fakes.our_trigger(1)),
                    **changes,
                )
                self.assertEqual(expected, schedule.next_times(most))

    def test_a_trigger_that_fires_once_has_no_pattern(self) -> None:
        row = fakes.trigger(1, pattern=None, remaining_executions=1)
        schedule = models.Schedule.from_trigger(row)
        self.assertIsNone(schedule.pattern)
        self.assertEqual(1, schedule.remaining_executions)

    def test_other_triggers_are_no_schedules(self) -> None:
        for changes, reason in (
            ({'workflow_name': 'report'}, 'it starts the workflow report'),
            ({'workflow_name': None}, 'it starts the workflow None'),
            ({'workflow_input': '{'}, 'its input is not a JSON object'),
            ({'workflow_input': '[1]'}, 'its input is not a JSON object'),
            ({'workflow_input': [1]}, 'its input is not a JSON object'),
            ({'workflow_input': None}, 'its input is not a JSON object'),
            ({'workflow_input': '"x"'}, 'its input is not a JSON object'),
            ({'workflow_input': {}}, 'its input names no instance'),
            ({'workflow_input': {'name': 'x'}}, 'names no instance'),
            ({'workflow_input': {'instance': 'x'}}, 'names no instance'),
            (
                {'workflow_input': {'instance': ['x'], 'name': 'x'}},
                'names no instance',
            ),
        ):
            with self.case(changes):
                exc = self.assertRaises(
                    models.NotAScheduleError,
                    models.Schedule.from_trigger,
                    fakes.trigger(1, **changes),
                )
                self.assertIn(reason, str(exc))


class TestScheduleExecution(base.TestCase):
    def test_a_run_of_a_trigger(self) -> None:
        row = fakes.execution(
            1,
            base.uid(3),
            input={
                'instance': fakes.INSTANCE,
                'name': 'nightly',
                'schedule_id': fakes.schedule_id(3),
            },
            output={'status': 'Backup complete', 'backup_id': 'b'},
            state='ERROR',
            state_info='It failed',
            updated_at='2030-01-01 00:10:00',
        )
        self.assertEqual(
            models.ScheduleExecution(
                id=row['id'],
                created_at=utc(2030, 1, 1, 0, 0, 1),
                updated_at=utc(2030, 1, 1, 0, 10),
                state='ERROR',
                state_info='It failed',
                output={'status': 'Backup complete', 'backup_id': 'b'},
                name='nightly',
                instance=fakes.INSTANCE,
                schedule_id=fakes.schedule_id(3),
                trigger_id=base.uid(3),
                workflow_name='trove.backup_create',
                input=row['input'],
                project_id=base.PROJECT,
                duration=datetime.timedelta(minutes=9, seconds=59),
                backup_id='b',
            ),
            models.ScheduleExecution.from_execution(row),
        )

    def test_the_schedule_is_the_trigger_where_nothing_else_says(
        self,
    ) -> None:
        run = models.ScheduleExecution.from_execution(
            fakes.execution(1, base.uid(3))
        )
        self.assertEqual(base.uid(3), run.schedule_id)

    def test_input_and_output_may_be_anything(self) -> None:
        values: tuple[object, ...] = (
            None,
            '',
            'plain text',
            '[]',
            '"x"',
            [],
            3,
        )
        for value in values:
            with self.case(value):
                run = models.ScheduleExecution.from_execution(
                    fakes.execution(1, input=value, output=value)
                )
                self.assertEqual({}, run.input)
                self.assertEqual({}, run.output)
                self.assertIsNone(run.name)
                self.assertIsNone(run.instance)
                self.assertIsNone(run.schedule_id)

    def test_the_reason_of_a_failure(self) -> None:
        wrapped = (
            'The action raised an exception [action=<TroveAction object at '
            "0x7f>, action_ex_id=7, msg='TroveAction.backups.create failed: "
            "Busy. (HTTP 422)']"
        )
        for state, info, output, expected in (
            ('ERROR', 'It failed', {}, 'It failed'),
            ('ERROR', 'It failed', {'result': 'other'}, 'It failed'),
            ('ERROR', None, {'result': 'It failed'}, 'It failed'),
            ('ERROR', '', {'result': ''}, None),
            ('ERROR', None, {}, None),
            ('SUCCESS', '', {'result': 'no failure'}, None),
            ('ERROR', f'{wrapped}\n', {}, 'Busy. (HTTP 422)'),
            ('ERROR', None, {'result': wrapped}, 'Busy. (HTTP 422)'),
            ('ERROR', None, {'result': {'code': 7}}, "{'code': 7}"),
            (
                'PAUSED',
                "Paused by\n'pause-before'",
                {},
                "Paused by 'pause-before'",
            ),
        ):
            with self.case(state, info, output):
                run = models.ScheduleExecution.from_execution(
                    fakes.execution(
                        1, state=state, state_info=info, output=output
                    )
                )
                self.assertEqual(expected, run.state_info)

    def test_only_a_run_by_hand_is_manual(self) -> None:
        origin = '"type": "cron_trigger", "id": "t1"'
        for more, expected in (('', False), (', "manual": true', True)):
            with self.case(more):
                run = models.ScheduleExecution.from_execution(
                    fakes.execution(
                        1,
                        description=f'{{"triggered_by": {{{origin}{more}}}}}',
                    )
                )
                self.assertIs(expected, run.manual)
                self.assertEqual('t1', run.trigger_id)


class TestWithBackup(base.TestCase):
    """The state of a run's backup at present."""

    @staticmethod
    def _backup(number: int, **changes: Any) -> models.Backup:
        return models.Backup.from_trove(fakes.our_backup(number, 1, **changes))

    @staticmethod
    def _run(**changes: Any) -> models.ScheduleExecution:
        return models.ScheduleExecution.from_execution(
            fakes.run_of(5, fakes.our_trigger(1), **changes)
        )

    def test_one_that_has_ended_tells_its_backup(self) -> None:
        made = self._backup(6, status='FAILED')
        output = {
            'backup_id': made.id,
            'backup_name': made.name,
            'backup_status': 'SAVING',
        }
        run = self._run(output=output)
        for backups, status in (
            ([self._backup(7), made], 'FAILED'),
            ([self._backup(7)], 'DELETED'),
            ([], 'DELETED'),
            (None, None),
        ):
            with self.case(backups):
                self.assertEqual(
                    dataclasses.replace(run, backup_status=status),
                    run.with_backup(backups),
                )

    def test_one_that_has_made_none_tells_none(self) -> None:
        run = self._run(state='ERROR', output={})
        self.assertEqual(run, run.with_backup([self._backup(6)]))

    def test_one_that_goes_on_is_known_by_the_label(self) -> None:
        run = self._run(state='RUNNING', output={})
        made = self._backup(6, status='BUILDING')
        for backups, expected in (
            ([made], made),
            ([self._backup(4), made], made),
            # Of the same second as the run.
            ([self._backup(5)], self._backup(5)),
            ([self._backup(4)], None),
            ([self._backup(6, name='by-hand')], None),
            (
                [models.Backup.from_trove(fakes.our_backup(6, 2))],
                None,
            ),
            ([], None),
        ):
            with self.case(backups):
                found = run.with_backup(backups)
                self.assertEqual(
                    expected and (expected.id, expected.status),
                    found.backup_id and (found.backup_id, found.backup_status),
                )

    def test_of_several_it_is_the_first_since_the_run_began(self) -> None:
        before, made, later = (self._backup(number) for number in (4, 6, 7))
        run = self._run(state='RUNNING', output={})
        for backups in itertools.permutations((before, made, later)):
            with self.case(backups):
                self.assertEqual(made.id, run.with_backup(backups).backup_id)
        twin = dataclasses.replace(made, id=base.uid(1))
        for backups in itertools.permutations((made, twin, later)):
            with self.case(backups):
                self.assertEqual(twin.id, run.with_backup(backups).backup_id)

    def test_the_label_may_have_the_id_of_the_trigger(self) -> None:
        for label, known in (
            (fakes.schedule_id(1), True),
            (base.uid(1), True),
            (fakes.schedule_id(2), False),
        ):
            with self.case(label):
                made = self._backup(6, description=f'[schedule {label}]')
                found = self._run(state='RUNNING', output={}).with_backup(
                    [made]
                )
                self.assertEqual(made.id if known else None, found.backup_id)

    def test_while_it_is_made_it_goes_on(self) -> None:
        for status, expected in (
            ('NEW', True),
            ('BUILDING', True),
            ('SAVING', True),
            ('COMPLETED', False),
            ('FAILED', False),
            ('DELETED', False),
            (None, False),
        ):
            with self.case(status):
                run = dataclasses.replace(self._run(), backup_status=status)
                self.assertIs(expected, run.backup_goes_on)


class TestBackup(base.TestCase):
    def test_it_is_the_schedules_that_has_named_and_labelled_it(self) -> None:
        schedule = models.Schedule.from_trigger(fakes.our_trigger(1))
        for changes, expected in (
            ({}, True),
            ({'description': f'[schedule {fakes.schedule_id(1)}]'}, True),
            ({'instance_id': fakes.OTHER_INSTANCE}, False),
            ({'name': 'nightly'}, False),
            ({'name': 'nightly-20300101000000 '}, False),
            ({'description': None}, False),
            ({'description': fakes.schedule_id(1)}, False),
            ({'description': f'[schedule {fakes.schedule_id(2)}]'}, False),
            (
                {'description': f'[schedule {fakes.schedule_id(1)}] copy'},
                False,
            ),
        ):
            with self.case(changes):
                row: fakes.Row = fakes.our_backup(1, 1) | changes
                found = models.Backup.from_trove(row)
                self.assertIs(expected, found.is_of(schedule))

    def test_one_by_a_trigger_of_others_has_the_triggers_id(self) -> None:
        schedule = models.Schedule.from_trigger(
            fakes.trigger(1, name=base.uid(11))
        )
        changed = dataclasses.replace(
            models.Schedule.from_trigger(fakes.our_trigger(2)),
            id=base.uid(11),
            origin=base.uid(1),
        )
        for label, before, after in (
            (base.uid(1), True, True),
            (base.uid(11), False, True),
            (base.uid(2), False, False),
        ):
            with self.case(label):
                made = dataclasses.replace(
                    models.Backup.from_trove(fakes.our_backup(1, 1)),
                    description=f'[schedule {label}]',
                )
                self.assertIs(before, made.is_of(schedule))
                self.assertIs(after, made.is_of(changed))

    def test_what_trove_tells(self) -> None:
        found = models.Backup.from_trove(
            fakes.our_backup(1, 1, parent_id=base.uid(9))
        )
        self.assertEqual(base.uid(9), found.parent_id)
        self.assertEqual(utc(2030, 1, 1, 0, 0, 1), found.created_at)
        self.assertIsNone(
            models.Backup.from_trove(fakes.backup(base.uid(1))).created_at
        )


class TestTriggeredBy(base.TestCase):
    def test_only_mistrals_own_words_count(self) -> None:
        mistrals = '{"triggered_by": {"type": "cron_trigger", "id": "t1"}}'
        descriptions: tuple[tuple[object, str | None], ...] = (
            (mistrals, 't1'),
            (
                {'triggered_by': {'type': 'cron_trigger', 'id': 't1'}},
                't1',
            ),
            (f'see {mistrals}', None),
            ('started by hand instead of t1', None),
            ('["t1"]', None),
            ('null', None),
            ('', None),
            (None, None),
            ('{"triggered_by": "t1"}', None),
            ('{"triggered_by": null}', None),
            ('{"triggered_by": {"type": "event", "id": "t1"}}', None),
            ('{"triggered_by": {"type": "cron_trigger"}}', None),
            ('{"description": "t1"}', None),
        )
        for description, expected in descriptions:
            with self.case(description):
                self.assertEqual(expected, models.triggered_by(description))


class TestIsUuid(base.TestCase):
    def test_only_the_usual_form_counts(self) -> None:
        for text, expected in (
            (base.uid(1), True),
            ('ABCDEFAB-0000-4000-8000-ABCDEFABCDEF', True),
            (base.uid(1).replace('-', ''), False),
            (f'{{{base.uid(1)}}}', False),
            (f'{base.uid(1)}\n', False),
            (f' {base.uid(1)}', False),
            (f'{base.uid(1)}0', False),
            ('', False),
            ('../instances', False),
            ('g0000000-0000-4000-8000-000000000001', False),
        ):
            with self.case(text):
                self.assertIs(expected, models.is_uuid(text))

    def test_new_ids_are_uuids_and_differ(self) -> None:
        first, second = models.new_id(), models.new_id()
        self.assertTrue(models.is_uuid(first))
        self.assertNotEqual(first, second)


class TestOnly(base.TestCase):
    @staticmethod
    def _schedules(count: int) -> list[models.Schedule]:
        return [
            models.Schedule.from_trigger(fakes.trigger(number))
            for number in range(1, count + 1)
        ]

    def test_one_is_given(self) -> None:
        found = self._schedules(1)
        self.assertIs(found[0], models.only(found, 'schedule', 'x'))

    def test_none_is_not_found(self) -> None:
        exc = self.assertRaises(
            exceptions.NotFoundError, models.only, [], 'schedule', 'x'
        )
        self.assertNotIsInstance(exc, exceptions.NotUniqueError)
        self.assertEqual(
            'No schedule with the name or ID "x" in this project.', str(exc)
        )

    def test_several_are_named_by_their_ids(self) -> None:
        exc = self.assertRaises(
            exceptions.NotUniqueError,
            models.only,
            self._schedules(2),
            'schedule',
            'x',
        )
        self.assertEqual(
            'More than one schedule has the name "x". Use an ID: '
            f'{base.uid(1)}, {base.uid(2)}',
            str(exc),
        )

    def test_very_many_are_not_all_named(self) -> None:
        for count, more in ((10, False), (11, True)):
            with self.case(count):
                exc = self.assertRaises(
                    exceptions.NotUniqueError,
                    models.only,
                    self._schedules(count),
                    'schedule',
                    'x',
                )
                self.assertEqual(10, str(exc).count('-4000-'))
                self.assertIs(more, str(exc).endswith(', ...'))


class TestRunValues(base.TestCase):
    def test_it_is_like_a_run_that_the_trigger_starts(self) -> None:
        for row, params in (
            (
                fakes.our_trigger(1),
                {'env': {'schedule_id': fakes.schedule_id(1)}},
            ),
            (fakes.trigger(1), {}),
        ):
            with self.case(row):
                schedule = models.Schedule.from_trigger(row)
                values = models.run_values(schedule)
                self.assertEqual(
                    ('trove.backup_create', schedule.input, params),
                    (
                        values['workflow_name'],
                        values['input'],
                        values['params'],
                    ),
                )
                run = models.ScheduleExecution.from_execution(
                    fakes.execution(1) | values
                )
                self.assertEqual(base.uid(1), run.trigger_id)
                self.assertTrue(run.manual)

    def test_each_has_an_id_of_its_own(self) -> None:
        schedule = models.Schedule.from_trigger(fakes.our_trigger(1))
        first, second = (models.run_values(schedule)['id'] for _ in range(2))
        self.assertTrue(models.is_uuid(first))
        self.assertNotEqual(first, second)

    def test_its_backup_is_the_schedules_own(self) -> None:
        """The workflow takes the first UUID in the words for the label."""
        for name in (base.uid(11), 'by-hand'):
            with self.case(name):
                schedule = models.Schedule.from_trigger(
                    fakes.trigger(1, name=name)
                )
                words = models.run_values(schedule)['description']
                found = re.findall(
                    '[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}', words
                )
                self.assertEqual([schedule.trigger_id], found)
                self.assertIn(found[0], schedule.labels)


class TestParseTime(base.TestCase):
    def test_mistrals_times_are_in_utc(self) -> None:
        for text, expected in (
            ('2030-01-02 03:04:05', utc(2030, 1, 2, 3, 4, 5)),
            ('2030-01-02T03:04:05', utc(2030, 1, 2, 3, 4, 5)),
            ('2030-01-02T03:04:05Z', utc(2030, 1, 2, 3, 4, 5)),
            ('2030-01-02 03:04:05.000006', utc(2030, 1, 2, 3, 4, 5, 6)),
            ('2030-01-02T05:04:05+02:00', utc(2030, 1, 2, 3, 4, 5)),
        ):
            with self.case(text):
                moment = models.parse_time(text)
                assert moment is not None
                self.assertEqual(expected, moment)
                self.assertEqual(datetime.UTC, moment.tzinfo)

    def test_no_time_is_none(self) -> None:
        self.assertIsNone(models.parse_time(None))
