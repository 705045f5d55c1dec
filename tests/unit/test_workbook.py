# SPDX-License-Identifier: Apache-2.0

import textwrap
from typing import Any

import yaml

from tests.unit import base
from trove_backup_schedule import models
from trove_backup_schedule import workbook


class TestDefinition(base.TestCase):
    def test_it_is_the_workbook_that_schedules_start(self) -> None:
        text = workbook.definition()
        parsed = yaml.safe_load(text)
        self.assertEqual('2.0', parsed['version'])
        self.assertEqual(workbook.NAME, parsed['name'])
        self.assertEqual([workbook.WORKFLOW], workbook.workflows(text))
        self.assertEqual([], workbook.foreign_parts(text))
        self.assertEqual(
            models.WORKFLOW, f'{workbook.NAME}.{workbook.WORKFLOW}'
        )

    def test_every_task_that_is_named_is_there(self) -> None:
        parsed = yaml.safe_load(workbook.definition())
        tasks = parsed['workflows'][workbook.WORKFLOW]['tasks']
        followers = {
            name.partition('(')[0]
            for task in tasks.values()
            for each in task.get('on-success', [])
            for name in ([each] if isinstance(each, str) else each)
        }
        self.assertEqual(set(), followers - {*tasks, 'fail'})
        self.assertEqual(set(tasks), followers & {*tasks} | {'backup_create'})

    def test_the_waiting_ends_before_a_token_does(self) -> None:
        parsed = yaml.safe_load(workbook.definition())
        tasks = parsed['workflows'][workbook.WORKFLOW]['tasks']
        retry = tasks['backup_wait']['retry']
        self.assertLess(retry['count'] * retry['delay'], 3600)


class TestInputs(base.TestCase):
    def setUp(self) -> None:
        super().setUp()
        self.inputs = workbook.inputs(workbook.definition())

    def test_all_known_triggers_are_accepted(self) -> None:
        everything: dict[str, Any] = {
            'incremental': True,
            'swift_container': 'c',
            'storage_driver': 's',
        }
        ours: dict[str, Any] = {
            'instance': 'i',
            'name': 'n',
            'schedule_id': 's',
        }
        both = {'instance': 'i', 'name': 'n', 'description': None}
        for values in (
            models.workflow_input(**ours),
            models.workflow_input(**ours, **everything),
            {**both, 'parent_id': None},
            {**both, 'incremental': None},
            {'instance': 'i', 'name': 'n'},
        ):
            with self.case(values):
                self.assertTrue(self.inputs.accept(values))

    def test_what_mistral_would_refuse(self) -> None:
        for values in (
            {},
            {'instance': 'i'},
            {'name': 'n', 'description': 'd'},
            {'instance': 'i', 'name': 'n', 'keep': 3},
        ):
            with self.case(values):
                self.assertFalse(self.inputs.accept(values))


class TestReading(base.TestCase):
    TEXT = textwrap.dedent("""\
        version: '2.0'
        name: trove
        actions:
          version: '2.0'
          notify: {base: std.echo}
        workflows:
          version: '2.0'
          report: {input: [a]}
          backup_create:
            input: [instance, name: x, other: null]
        """)

    def test_workflows_and_other_parts(self) -> None:
        self.assertEqual(
            ['backup_create', 'report'], workbook.workflows(self.TEXT)
        )
        self.assertEqual(
            ['notify', 'report'], workbook.foreign_parts(self.TEXT)
        )

    def test_inputs_with_a_default_are_optional(self) -> None:
        self.assertEqual(
            workbook.Inputs(
                frozenset({'instance'}), frozenset({'name', 'other'})
            ),
            workbook.inputs(self.TEXT),
        )

    def test_a_workflow_without_inputs(self) -> None:
        inputs = workbook.inputs('workflows: {backup_create: {tasks: {}}}')
        self.assertTrue(inputs.accept({}))
        self.assertFalse(inputs.accept({'a': 1}))

    def test_texts_with_nothing_in_them(self) -> None:
        for text in ('', '---\n', 'name: trove', 'workflows:', 'actions: {}'):
            with self.case(text):
                self.assertEqual([], workbook.workflows(text))
                self.assertEqual([], workbook.foreign_parts(text))
