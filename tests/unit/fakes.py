# SPDX-License-Identifier: Apache-2.0

"""Rows as Mistral and Trove send them, and Mistral's rules for lists."""

import re
from typing import Any
from urllib import parse

import requests_mock

from tests.unit import base

Row = dict[str, Any]

INSTANCE = base.uid(0x100)
OTHER_INSTANCE = base.uid(0x200)


def schedule_id(number: int) -> str:
    """Give the ID of the schedule that the trigger of a number carries."""
    return base.uid(0xA000 + number)


def _times(number: int) -> Row:
    minutes, seconds = divmod(number, 60)
    return {
        'created_at': f'2030-01-01 00:{minutes:02}:{seconds:02}',
        'updated_at': None,
        'project_id': base.PROJECT,
        'scope': 'private',
    }


def trigger(number: int, **changes: Any) -> Row:
    """Give a cron trigger made by other means; later numbers are newer."""
    return {
        'id': base.uid(number),
        'name': f'trigger-{number}',
        'workflow_name': 'trove.backup_create',
        'workflow_input': f'{{"instance": "{INSTANCE}", "name": "by-hand"}}',
        'workflow_params': '{}',
        'pattern': '0 3 * * *',
        'next_execution_time': '2030-01-02 03:00:00',
        'remaining_executions': None,
        **_times(number),
        **changes,
    }


def our_trigger(
    number: int,
    name: str = 'nightly',
    instance: str = INSTANCE,
    **changes: Any,
) -> Row:
    """Give a cron trigger as this package makes them."""
    row = {
        'name': f'trovebackup1:{name}:{instance}:{schedule_id(number)}:1',
        'workflow_input': {
            'instance': instance,
            'name': name,
            'description': None,
            'parent_id': None,
            'schedule_id': schedule_id(number),
        },
        'workflow_params': {'env': {'schedule_id': schedule_id(number)}},
    }
    return trigger(number, **row | changes)


def execution(
    number: int, trigger_id: str | None = None, **changes: Any
) -> Row:
    """Give an execution, started by a trigger if one is told."""
    origin = f'{{"type": "cron_trigger", "id": "{trigger_id}"}}'
    return {
        'id': base.uid(0xE000 + number),
        'workflow_name': 'trove.backup_create',
        'description': (
            f'{{"description": "Workflow", "triggered_by": {origin}}}'
            if trigger_id
            else ''
        ),
        'input': f'{{"instance": "{INSTANCE}", "name": "nightly"}}',
        'output': '{"status": "Backup complete"}',
        'state': 'SUCCESS',
        'state_info': None,
        'params': '{"namespace": ""}',
        **_times(number),
        **changes,
    }


def instance(identifier: str = INSTANCE, **changes: Any) -> Row:
    """Give an instance as Trove shows it to its owner."""
    return {
        'id': identifier,
        'name': 'orders',
        'status': 'ACTIVE',
    } | changes


def backup(identifier: str, **changes: Any) -> Row:
    """Give a backup as Trove shows it."""
    return {
        'id': identifier,
        'name': 'base',
        'status': 'COMPLETED',
        'instance_id': INSTANCE,
        'description': None,
    } | changes


class Mistral:
    """Cron triggers, executions, workbooks and workflows behind Mistral's API.

    :ivar most: rows that a list is cut to, whatever is asked for.
    """

    def __init__(
        self, http: requests_mock.Mocker, *, admin: bool = False
    ) -> None:
        self.rows: dict[str, list[Row]] = {
            'cron_triggers': [],
            'executions': [],
            'workbooks': [],
            'workflows': [],
        }
        self.most = 1000
        self._admin = admin
        for name in self.rows:
            url = f'{base.MISTRAL}/{name}'
            http.get(re.compile(rf'{url}\?'), json=self._list)
            http.get(re.compile(f'{url}/'), json=self._show)
            http.delete(
                re.compile(f'{url}/'), text=self._delete, status_code=204
            )

    def _list(self, request: Any, context: Any) -> Row:
        asked = base.query(request)
        name = request.path.rpartition('/')[2]
        every = asked.pop('all_projects', None) or self._admin
        fields = asked.pop('fields', None)
        limit = min(int(asked.pop('limit', self.most)), self.most)
        marker = asked.pop('marker', None)
        newest_first = asked.pop('sort_dirs', 'asc') == 'desc'
        asked.pop('sort_keys', None)
        rows = sorted(self.rows[name], key=lambda row: str(row['id']))
        rows.sort(key=lambda row: row['created_at'], reverse=newest_first)
        if marker is not None:
            ids = [row['id'] for row in rows]
            if marker not in ids:
                context.status_code = 404
                return {'faultstring': f'Not found [id={marker}]'}
            rows = rows[ids.index(marker) + 1 :]
        found = [
            {key: row.get(key) for key in {*fields.split(','), 'id'}}
            if fields
            else row
            for row in rows
            if (every or _visible(row))
            and all(_fits(str(row[key]), asked[key]) for key in asked)
        ][:limit]
        answer: Row = {name: found}
        if found and len(found) == limit:
            answer['next'] = f'http://inside.example/{name}'
        return answer

    def _show(self, request: Any, context: Any) -> Row:
        row = self._find(request, context)
        return row or {'faultstring': 'It was not found'}

    def _delete(self, request: Any, context: Any) -> str:
        row = self._find(request, context)
        if row is None:
            return '{"faultstring": "It was not found"}'
        self.rows[request.path.split('/')[2]].remove(row)
        return ''

    def _find(self, request: Any, context: Any) -> Row | None:
        path = parse.urlsplit(request.url).path
        _, _, name, identifier = path.split('/')
        for row in self.rows[name]:
            names = (row['id'], row.get('name'))
            if parse.unquote(identifier) in names and (
                self._admin or _visible(row)
            ):
                return row
        context.status_code = 404
        return None


def _visible(row: Row) -> bool:
    return bool(row['project_id'] == base.PROJECT or row['scope'] == 'public')


def _fits(value: str, condition: str) -> bool:
    operator, colon, operand = condition.partition(':')
    if not colon or operator not in {'has', 'lt', 'gte'}:
        return value == condition
    if operator == 'has':
        return _like(operand).fullmatch(value) is not None
    return value < operand if operator == 'lt' else value >= operand


def _like(text: str) -> re.Pattern[str]:
    r"""Give SQL's ``LIKE '%text%'`` with ``\`` as the escape character."""
    parts = re.findall(r'\\?.', text, re.DOTALL)
    signs = {'%': '.*', '_': '.'}
    inner = ''.join(signs.get(p, re.escape(p[-1])) for p in parts)
    return re.compile(f'.*{inner}.*', re.DOTALL | re.IGNORECASE)
