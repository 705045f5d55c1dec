# SPDX-License-Identifier: Apache-2.0

"""Rows as Mistral and Trove send them, and the rules that Mistral has."""

from collections.abc import Callable
import dataclasses
import datetime
import json
import re
from typing import Any
from urllib import parse

import requests_mock

from tests.unit import base
from trove_backup_schedule import cron
from trove_backup_schedule import models

Row = dict[str, Any]

INSTANCE = base.uid(0x100)
OTHER_INSTANCE = base.uid(0x200)

#: The present by Mistral's clock, later than what the rows here tell of.
NOW = datetime.datetime(2030, 1, 1, 12, tzinfo=datetime.UTC)

_SECOND = datetime.timedelta(seconds=1)


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


def successor(row: Row, generation: int, **changes: Any) -> Row:
    """Give the trigger that has been put in place of one made here."""
    older = models.TriggerName.parse(row['name'])
    assert older is not None
    name = dataclasses.replace(older, generation=generation)
    return (
        row
        | {'id': base.uid(0xC000 + generation), 'name': str(name)}
        | changes
    )


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
        'params': '{"namespace": "", "env": {}}',
        **_times(number),
        **changes,
    }


def run_of(number: int, row: Row, **changes: Any) -> Row:
    """Give an execution as a trigger starts it."""
    params = models.json_object(row['workflow_params']) or {}
    own = {
        'input': row['workflow_input'],
        'params': json.dumps({**params, 'namespace': ''}),
    }
    return execution(number, row['id'], **own | changes)


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


def our_backup(number: int, schedule: int, **changes: Any) -> Row:
    """Give a backup as the workflow makes it; later numbers are newer.

    :param schedule: number of the trigger that carries the schedule.
    """
    own = {
        'name': 'nightly-20300101000000',
        'description': f'each night [schedule {schedule_id(schedule)}]',
        'created': _times(number)['created_at'].replace(' ', 'T'),
    }
    return backup(base.uid(0xB000 + number), **own | changes)


class Mistral:
    """Cron triggers, executions, workbooks and workflows behind Mistral's API.

    :ivar most: rows that a list is cut to, whatever is asked for.
    :ivar now: aware; the present by Mistral's clock, which stands still until
        :meth:`wait`.
    :ivar before: called with each request before it is acted on.
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
        self.now = NOW
        self.before: Callable[[Any], object] | None = None
        self._admin = admin
        self._made = 0
        for name in self.rows:
            url = f'{base.MISTRAL}/{name}'
            http.get(re.compile(rf'{url}\?'), json=self._acting(self._list))
            http.get(re.compile(f'{url}/'), json=self._acting(self._show))
            http.delete(
                re.compile(f'{url}/'),
                text=self._acting(self._delete),
                status_code=204,
            )
        for name, act in (
            ('cron_triggers', self.create),
            ('executions', self.start),
        ):
            http.post(
                f'{base.MISTRAL}/{name}',
                json=self._acting(act),
                status_code=201,
            )

    def _acting(
        self, act: Callable[[Any, Any], Any]
    ) -> Callable[[Any, Any], Any]:
        def answer(request: Any, context: Any) -> Any:
            if self.before is not None:
                self.before(request)
            return act(request, context)

        return answer

    def wait(self, seconds: float) -> None:
        """Let time pass, and the triggers fire that are due in it."""
        end = self.now + seconds * _SECOND
        while (moment := self._next_firing()) <= end:
            self.now = moment
            for row in [*self.rows['cron_triggers']]:
                self._fire(row)
        self.now = end

    def _next_firing(self) -> datetime.datetime:
        # Mistral looks once a second, for what is due in less than two.
        dues = [_due(row) for row in self.rows['cron_triggers']]
        next_look = self.now.replace(microsecond=0) + _SECOND
        return max(next_look, min(dues, default=models.NEVER) - _SECOND)

    def create(self, request: Any, context: Any) -> Row:
        """Answer to a POST of a cron trigger."""
        values = request.json()
        rows = self.rows['cron_triggers']
        taken = {row['name'] for row in rows if _own(row)}
        # Whatever else the database refuses is taken for that too.
        if values['name'] in taken or len(values['name']) > 200:
            context.status_code = 409
            return {'faultstring': f'Duplicate entry [{values["name"]}]'}
        first = models.parse_time(values.get('first_execution_time'))
        if first and first < self.now + 60 * _SECOND:
            context.status_code = 400
            return {'faultstring': 'first_execution_time must be later'}
        due = first or next(cron.next_times(values['pattern'], self.now))
        row = {
            'remaining_executions': None,
            **values,
            **self._new(),
            'workflow_input': json.dumps(values['workflow_input']),
            'workflow_params': json.dumps(values['workflow_params']),
            'first_execution_time': f'{first:%F %T}' if first else None,
            'next_execution_time': f'{due:%F %T}',
        }
        rows.append(row)
        return row

    def start(self, request: Any, context: Any) -> Row:
        """Answer to a POST of an execution."""
        values = request.json()
        rows = self.rows['executions']
        for row in rows:
            if row['id'] == values['id']:
                return row
        rows.append(self._run(**values))
        return rows[-1]

    def _fire(self, row: Row) -> None:
        if (due := _due(row)) >= self.now + 2 * _SECOND:
            return
        if row['remaining_executions']:
            row['remaining_executions'] -= 1
        if row['remaining_executions'] == 0:
            self.rows['cron_triggers'].remove(row)
        else:
            later = cron.next_times(row['pattern'], max(self.now, due))
            row['next_execution_time'] = f'{next(later):%F %T}'
            row['updated_at'] = f'{self.now:%F %T}'
        origin = {'type': 'cron_trigger', 'id': row['id']}
        self.rows['executions'].append(
            self._run(
                workflow_name=row['workflow_name'],
                description=json.dumps({'triggered_by': origin}),
                input=models.json_object(row['workflow_input']),
                params=models.json_object(row['workflow_params']),
            )
        )

    def _run(self, **values: Any) -> Row:
        return {
            'state': 'RUNNING',
            'state_info': None,
            'output': '{}',
            **self._new(),
            **values,
            'input': json.dumps(values['input']),
            'params': json.dumps({**values['params'], 'namespace': ''}),
        }

    def _new(self) -> Row:
        self._made += 1
        return {
            'id': base.uid(0xF000 + self._made),
            'created_at': f'{self.now:%F %T}',
            'updated_at': None,
            'project_id': base.PROJECT,
            'scope': 'private',
        }

    def _list(self, request: Any, context: Any) -> Row:
        asked = base.query(request)
        name = request.path.rpartition('/')[2]
        every = asked.pop('all_projects', None) or self._admin
        fields = asked.pop('fields', None)
        limit = min(int(asked.pop('limit', self.most)), self.most)
        marker = asked.pop('marker', None)
        newest_first = asked.pop('sort_dirs', 'asc') == 'desc'
        key = asked.pop('sort_keys', 'created_at')
        rows = sorted(self.rows[name], key=lambda row: str(row['id']))
        rows.sort(key=lambda row: _text(row[key]), reverse=newest_first)
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
            and all(_fits(row[key], asked[key]) for key in asked)
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


def _due(row: Row) -> datetime.datetime:
    return models.parse_time(row['next_execution_time']) or models.NEVER


def _own(row: Row) -> bool:
    return bool(row['project_id'] == base.PROJECT)


def _visible(row: Row) -> bool:
    return _own(row) or row['scope'] == 'public'


def _text(value: object) -> str:
    # Objects are kept and compared as text, in which the order counts.
    return json.dumps(value) if isinstance(value, dict) else str(value)


def _fits(value: object, condition: str) -> bool:
    text = _text(value)
    operator, colon, operand = condition.partition(':')
    if not colon or operator not in {'eq', 'gte', 'has', 'in', 'lt'}:
        operator, operand = 'eq', condition
    if operator == 'has':
        return _like(operand).fullmatch(text) is not None
    if operator == 'in':
        return text in operand.split(',')
    if operator == 'eq':
        return text == operand
    return text < operand if operator == 'lt' else text >= operand


def _like(text: str) -> re.Pattern[str]:
    r"""Give SQL's ``LIKE '%text%'`` with ``\`` as the escape character."""
    parts = re.findall(r'\\?.', text, re.DOTALL)
    signs = {'%': '.*', '_': '.'}
    inner = ''.join(signs.get(p, re.escape(p[-1])) for p in parts)
    return re.compile(f'.*{inner}.*', re.DOTALL | re.IGNORECASE)
