# SPDX-License-Identifier: Apache-2.0

from typing import Any

import yaml

from tests.unit import base
from tests.unit import fakes
from tests.unit.osc import base as osc_base
from trove_backup_schedule import exceptions
from trove_backup_schedule import workbook as packaged
from trove_backup_schedule.osc import workbook

URL = f'{base.MISTRAL}/workbooks'


class WorkbookTestCase(osc_base.CommandTestCase):
    def load(self, **changes: Any) -> fakes.Row:
        """Have a workbook that is as the packaged one but for changes."""
        row = {
            'id': base.uid(0xF0),
            'name': 'trove',
            'definition': packaged.definition(),
            'scope': 'private',
            'project_id': base.PROJECT,
            'created_at': '2030-01-01 00:00:00',
            'updated_at': None,
            **changes,
        }
        self.mistral.rows['workbooks'][:] = [row]
        self.mistral.rows['workflows'][:] = [
            fakes.trigger(
                1,
                name='trove.backup_create',
                definition=yaml.safe_dump(
                    yaml.safe_load(packaged.definition())['workflows']
                ),
            )
        ]
        return row


class TestShow(WorkbookTestCase):
    def test_for_machines(self) -> None:
        self.load()
        self.assertEqual(
            {
                'created_at': '2030-01-01T00:00:00+00:00',
                'current': True,
                'name': 'trove',
                'project_id': base.PROJECT,
                'scope': 'private',
                'updated_at': None,
                'workflows': ['backup_create'],
            },
            self.run_json(workbook.ShowWorkbook),
        )

    def test_for_people(self) -> None:
        self.load(definition='workflows: {b: {}, a: {}}')
        shown = dict(self.table(workbook.ShowWorkbook))
        self.assertEqual('a, b', shown['workflows'])
        self.assertEqual('False', shown['current'])
        self.assertEqual('2030-01-01 00:00:00 UTC', shown['created_at'])

    def test_nothing_is_loaded(self) -> None:
        self.assertRaises(
            exceptions.NotFoundError, self.run_command, workbook.ShowWorkbook
        )


class TestInstall(WorkbookTestCase):
    def _written(self) -> list[tuple[str, str]]:
        return [
            (each.method, base.query(each)['scope'])
            for each in self.sent(URL)
            if each.method != 'GET'
        ]

    def test_it_is_loaded(self) -> None:
        for arguments, scope in (([], 'private'), (['--public'], 'public')):
            with self.case(arguments):
                self.http.reset_mock()
                row = self.load(scope=scope)
                self.mistral.rows['workbooks'].clear()
                self.http.post(URL, json=row, status_code=201)
                shown = self.run_json(workbook.InstallWorkbook, *arguments)
                self.assertEqual([('POST', scope)], self._written())
                self.assertEqual(scope, shown['scope'])
                self.assertIs(True, shown['current'])
                self.assertIn(
                    'The workbook "trove" has been loaded.\n',
                    self.stderr.getvalue(),
                )

    def test_it_is_there_already(self) -> None:
        self.load()
        self.run_json(workbook.InstallWorkbook)
        self.assertEqual([], self._written())
        self.assertIn('nothing was changed', self.stderr.getvalue())

    def test_force_overwrites_what_is_refused_without(self) -> None:
        self.http.put(URL, json=self.load())
        self.load(definition='workflows: {report: {}}')
        self.assertRaises(
            exceptions.RefusedError,
            self.run_command,
            workbook.InstallWorkbook,
        )
        self.assertEqual([], self._written())
        shown = self.run_json(workbook.InstallWorkbook, '--force')
        self.assertEqual([('PUT', 'private')], self._written())
        self.assertIs(True, shown['current'])
