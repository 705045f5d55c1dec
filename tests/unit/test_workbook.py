# SPDX-License-Identifier: Apache-2.0

from collections.abc import Callable, Iterator
import dataclasses
import datetime
import itertools
import json
import sys
import textwrap
from typing import Any

import hypothesis
from hypothesis import strategies as st
import yaml

from tests.unit import base
from tests.unit import expressions
from tests.unit import fakes
from tests.unit import test_retention
from trove_backup_schedule import models
from trove_backup_schedule import retention
from trove_backup_schedule import settings
from trove_backup_schedule import workbook

WORKBOOK = yaml.safe_load(workbook.definition())
WORKFLOW = WORKBOOK['workflows'][workbook.WORKFLOW]
TASKS = WORKFLOW['tasks']

START = datetime.datetime(2030, 1, 1, 3, tzinfo=datetime.UTC)

#: How long the token of a run lives.
LIFE = datetime.timedelta(hours=1)

SCHEDULE_ID = fakes.schedule_id(1)
EXECUTION = base.uid(0xE001)

#: A name and a description as the workflow gives them to backups.
NAME = 'nightly-20291231030000'
LABEL = f'[schedule {SCHEDULE_ID}]'

# What Trove says to those that ask in vain.
BUSY = "Instance 'x' is not currently available (BACKUP). (HTTP 422)"
DOWN = "Instance 'x' is not currently available (SHUTDOWN). (HTTP 422)"
QUOTA = "Quota exceeded for resources: ['backups']. (HTTP 413)"
LIMITED = 'This request was rate-limited. (HTTP 413)'
ERRED = 'The server has erred. (HTTP 500)'
REFUSED = 'Unable to establish connection to http://trove.example'
UNKNOWN = 'Resource cannot be found. (HTTP 404)'
FORBIDDEN = 'Policy does not allow it. (HTTP 403)'
NO_TRUST = 'Could not find trust: 0a. (HTTP 500)'
FAULTS = (
    BUSY,
    DOWN,
    QUOTA,
    LIMITED,
    ERRED,
    REFUSED,
    UNKNOWN,
    FORBIDDEN,
    NO_TRUST,
)


def fault(words: str) -> expressions.ActionError:
    """Give an action's failure as Mistral words it."""
    return expressions.ActionError(
        'The action raised an exception [action=<TroveAction object at 0x1>, '
        f"action_ex_id=7, msg='TroveAction.backups failed: {words}']"
    )


#: Later than any run here.
LATE = '2031-01-01T00:00:00'


def text(moment: datetime.datetime) -> str:
    return f'{moment:%Y-%m-%dT%H:%M:%S}'


def row(
    number: int, status: str = 'COMPLETED', parent: int = 0, **changes: Any
) -> fakes.Row:
    """Give a backup of the schedule; later numbers are newer."""
    moment = text(START - datetime.timedelta(minutes=100_000 - number))
    made = {
        'name': NAME,
        'status': status,
        'description': LABEL,
        'parent_id': base.uid(parent) if parent else None,
        'created': moment,
        'updated': moment,
    }
    return fakes.backup(base.uid(number), **made | changes)


class Cloud:
    """Trove and Mistral, as the actions of a run meet them.

    :ivar backups: Trove's rows.
    :ivar page: the most rows that Trove gives at once.
    :ivar statuses: what a backup's status is when it is asked for, time after
        time, before it is COMPLETED.
    :ivar triggers: Mistral's rows.
    :ivar executions: Mistral's rows.
    :ivar seconds: how long an action takes.
    :ivar before_page: changes the backups before each page of them.
    :ivar asked: the actions that were performed, each with its input.
    :ivar read: the rows of backups as they were read last, by ID.
    """

    def __init__(self, *backups: fakes.Row) -> None:
        self.backups = [*backups]
        self.page = 1000
        self.statuses: Iterator[str] = iter(())
        self.triggers: list[fakes.Row] = []
        # The run's own.
        self.executions = [fakes.execution(1, base.uid(1))]
        self.clock = expressions.Clock(START)
        self.seconds = 2.0
        self.before_page: Callable[[], None] = lambda: None
        self.asked: list[tuple[str, expressions.Values]] = []
        self.read: dict[str, fakes.Row] = {}
        self._outcomes: dict[str, Iterator[object]] = {}
        self._made = 0

    def expect(self, action: str, *outcomes: object) -> None:
        """Choose what an action's next calls end in, errors or results."""
        self._outcomes[action] = iter(outcomes)

    def inputs(self, action: str) -> list[expressions.Values]:
        """Give what an action was given, time after time."""
        return [values for name, values in self.asked if name == action]

    def deleted(self) -> list[str]:
        """Give the IDs of the backups that Trove was asked to delete."""
        return [
            values['backup'] for values in self.inputs('trove.backups_delete')
        ]

    def put(self, backup: fakes.Row, **changes: Any) -> fakes.Row:
        """Add a backup, or change one, which is in front of the list then."""
        put = {**backup, 'updated': text(self.clock.now), **changes}
        self.backups = [
            put,
            *(each for each in self.backups if each['id'] != put['id']),
        ]
        return put

    def act(self, action: str, values: expressions.Values) -> Any:
        """Perform an action."""
        self.clock.wait(self.seconds)
        self.asked.append((action, values))
        for outcome in self._outcomes.get(action, ()):
            if isinstance(outcome, Exception):
                raise outcome
            return outcome
        return getattr(self, '_' + action.partition('.')[2])(**values)

    def _backups_list(
        self, limit: int = 20, marker: str = '0', instance_id: str = ''
    ) -> list[fakes.Row]:
        self.before_page()
        rows = [
            each
            for each in self.backups
            if instance_id in ('', each['instance_id'])
        ]
        rows.sort(key=lambda each: str(each.get('updated')), reverse=True)
        start = int(marker)
        page = rows[start : start + min(limit, self.page)]
        self.read |= {each['id']: each for each in page}
        return page

    def _backups_create(
        self,
        instance: str,
        name: str,
        description: str | None = None,
        parent_id: str | None = None,
        **_others: object,
    ) -> fakes.Row:
        self._made += 1
        own = {
            'name': name,
            'instance_id': instance,
            'description': description,
            'parent_id': parent_id,
            'created': text(self.clock.now),
        }
        return self.put(row(0xBAC000 + self._made, 'NEW') | own)

    def _backups_get(self, backup: str) -> fakes.Row:
        for each in self.backups:
            if each['id'] == backup:
                return self.put(each, status=next(self.statuses, 'COMPLETED'))
        raise fault(UNKNOWN)

    def _backups_delete(self, backup: str) -> None:
        """Trove only begins with it."""

    def _executions_get(self, **values: str) -> fakes.Row:
        return next(
            each for each in self.executions if each['id'] == values['id']
        )

    def _executions_list(
        self,
        workflow_name: str,
        description: str,
        state: str,
        created_at: str,
    ) -> list[fakes.Row]:
        return [
            each
            for each in self.executions
            if each['workflow_name'] == workflow_name
            and description.removeprefix('has:') in each['description']
            and each['state'] in state.removeprefix('in:').split(',')
            and each['created_at'] >= created_at.removeprefix('gte:')
        ]

    def _cron_triggers_list(
        self, workflow_name: str, name: str
    ) -> list[fakes.Row]:
        return [
            each
            for each in self.triggers
            if each['workflow_name'] == workflow_name
            and name.removeprefix('has:') in each['name']
        ]

    def _cron_triggers_get(self, name: str) -> fakes.Row:
        for each in self.triggers:
            if name in (each['id'], each['name']):
                return each
        raise fault(UNKNOWN)

    def _cron_triggers_delete(self, name: str) -> None:
        self.triggers = [each for each in self.triggers if each['id'] != name]


def run(
    cloud: Cloud, act: expressions.Act | None = None, **values: Any
) -> expressions.Run:
    """Run the workflow as a schedule's trigger does.

    :param act: performs the actions, if not the cloud itself.
    """
    own = {
        'instance': fakes.INSTANCE,
        'name': 'nightly',
        'schedule_id': SCHEDULE_ID,
    }
    done = expressions.Run(
        WORKFLOW,
        own | values,
        act or cloud.act,
        cloud.clock,
        start='begin',
        execution_id=EXECUTION,
    )
    if done.ends != ['finish']:
        raise AssertionError(f'The run ended in {done.ends}.')
    return done


def published(
    name: str, variables: dict[str, Any], result: Any = None
) -> dict[str, Any]:
    """Give the variables as they are when a task has succeeded."""
    more: dict[str, Any] = expressions.evaluate(
        TASKS[name].get('publish', {}), variables, now=START, result=result
    )
    return variables | more


def followers(task: dict[str, Any], *events: str) -> set[str]:
    """Name what may follow a task, the command to fail besides."""
    return {
        name.partition('(')[0]
        for event in events or ('on-success', 'on-error', 'on-complete')
        for each in task.get(event, [])
        for name in ([each] if isinstance(each, str) else each)
    }


def reachable(start: str) -> set[str]:
    """Name the tasks that a run may come to from one."""
    found = {start}
    while True:
        more = {
            name for each in found for name in followers(TASKS[each])
        } & TASKS.keys()
        if more <= found:
            return found
        found |= more


class TestDefinition(base.TestCase):
    def test_it_is_the_workbook_that_schedules_start(self) -> None:
        definition = workbook.definition()
        self.assertEqual('2.0', WORKBOOK['version'])
        self.assertEqual(workbook.NAME, WORKBOOK['name'])
        self.assertEqual([workbook.WORKFLOW], workbook.workflows(definition))
        self.assertEqual([], workbook.foreign_parts(definition))
        self.assertEqual(
            models.WORKFLOW, f'{workbook.NAME}.{workbook.WORKFLOW}'
        )

    def test_every_task_that_is_named_is_there_and_comes_about(self) -> None:
        named = {name for task in TASKS.values() for name in followers(task)}
        self.assertEqual({'fail'}, named - TASKS.keys())
        self.assertEqual(TASKS.keys(), reachable('begin'))

    def test_nothing_begins_but_the_first_task(self) -> None:
        # Mistral begins with every task that no other names.
        named = {name for task in TASKS.values() for name in followers(task)}
        self.assertEqual({'begin'}, TASKS.keys() - named)

    def test_every_way_leads_to_the_last_task(self) -> None:
        for name, task in TASKS.items():
            with self.case(name):
                self.assertIn('finish', reachable(name))
                self.assertEqual(
                    name == 'finish',
                    not followers(task, 'on-success') & TASKS.keys(),
                )
                if task['action'] != 'std.noop':
                    # To Mistral what on-complete leads to is no answer to
                    # a failure.
                    self.assertTrue(followers(task, 'on-error'))

    def test_mistral_finds_and_parses_every_expression(self) -> None:
        for each in expressions.texts(WORKBOOK):
            with self.case(each):
                found = expressions.PATTERN.findall(each)
                self.assertEqual(len(found), each.count('<%'))
                self.assertIsNone(expressions.OTHER_LANGUAGE.search(each))
                for expression in found:
                    expressions.parse(expression)


def trigger_input(
    chosen: settings.Settings, moment: datetime.datetime | None = None
) -> dict[str, Any]:
    """Give the input that a trigger made here starts the workflow with."""
    values = settings.trigger_values(
        chosen,
        models.TriggerName(
            name=chosen.name,
            instance=fakes.INSTANCE,
            schedule_id=SCHEDULE_ID,
        ),
        fires_at=moment,
        first_time=moment,
        active_since=moment,
        created_at=moment,
        origin=base.uid(1) if moment else None,
    )
    found: dict[str, Any] = values['workflow_input']
    return found


class TestInputs(base.TestCase):
    def setUp(self) -> None:
        super().setUp()
        self.inputs = workbook.inputs(workbook.definition())

    def test_only_the_first_two_are_required(self) -> None:
        self.assertEqual({'instance', 'name'}, self.inputs.required)

    def test_all_known_triggers_are_accepted(self) -> None:
        least = settings.Settings(name='nightly', pattern='@daily')
        most = dataclasses.replace(
            least,
            description='d',
            parent_id='p',
            incremental=True,
            full_every=6,
            keep=3,
            swift_container='c',
            storage_driver='s',
        )
        everything = trigger_input(most, START)
        self.assertEqual(
            self.inputs.required | self.inputs.optional, everything.keys()
        )
        theirs = {'instance': 'i', 'name': 'n', 'description': None}
        for values in (
            trigger_input(least),
            everything,
            {**theirs, 'parent_id': None},
            {**theirs, 'incremental': None},
            {'instance': 'i', 'name': 'n'},
        ):
            with self.case(values):
                self.assertTrue(self.inputs.accept(values))

    def test_what_mistral_would_refuse(self) -> None:
        for values in (
            {},
            {'instance': 'i'},
            {'name': 'n', 'description': 'd'},
            {'instance': 'i', 'name': 'n', 'keep_all': True},
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
        for definition in (
            '',
            '---\n',
            'name: trove',
            'workflows:',
            'actions: {}',
        ):
            with self.case(definition):
                self.assertEqual([], workbook.workflows(definition))
                self.assertEqual([], workbook.foreign_parts(definition))


class TestName(base.TestCase):
    def test_it_ends_in_the_time_of_the_run(self) -> None:
        for name, whole in (
            ('nightly', 'nightly-20300101030000'),
            ('a' * 201, 'a' * 200 + '-20300101030000'),
            ('\N{CRESCENT MOON}', '\N{CRESCENT MOON}-20300101030000'),
            # Whoever made the trigger by other means had no quotes.
            (2030, '2030-20300101030000'),
        ):
            with self.case(name):
                cloud = Cloud()
                done = run(cloud, name=name)
                (given,) = cloud.inputs('trove.backups_create')
                self.assertEqual(whole, given['name'])
                self.assertEqual(whole, done.output['backup_name'])


class TestLabel(base.TestCase):
    def _description(self, origin: object, **values: Any) -> str | None:
        """Give a backup's description, for an execution's."""
        cloud = Cloud()
        cloud.executions = [fakes.execution(1, description=origin)]
        run(cloud, **values)
        (given,) = cloud.inputs('trove.backups_create')
        found: str | None = given.get('description')
        return found

    def test_what_the_client_made_has_its_own_id(self) -> None:
        triggered = fakes.execution(1, base.uid(7))['description']
        self.assertEqual(LABEL, self._description(triggered))

    def test_other_schedules_are_known_by_their_trigger(self) -> None:
        label = f'[schedule {base.uid(7)}]'
        # A trigger of python-troveclient has a UUID for a name as well.
        schedule = models.Schedule.from_trigger(
            fakes.trigger(7, name=base.uid(8))
        )
        by_hand = models.run_values(schedule)['description']
        triggered = fakes.execution(1, base.uid(7))['description']
        for origin in (triggered, by_hand):
            with self.case(origin):
                self.assertEqual(
                    label, self._description(origin, schedule_id=None)
                )
                self.assertEqual(
                    f'each night {label}',
                    self._description(
                        origin, schedule_id=None, description='each night'
                    ),
                )

    def test_a_run_that_nothing_tells_the_origin_of_has_none(self) -> None:
        for origin in (None, '', '{}', 'by hand', 7):
            with self.case(origin):
                self.assertIsNone(self._description(origin, schedule_id=None))

    def test_a_fault_of_mistral_is_no_hindrance(self) -> None:
        cloud = Cloud()
        cloud.expect('mistral.executions_get', fault(ERRED))
        done = run(cloud, schedule_id=None)
        self.assertEqual('Backup complete', done.output['status'])


class TestInput(base.TestCase):
    def _input(self, **values: Any) -> dict[str, Any]:
        cloud = Cloud()
        cloud.executions = [fakes.execution(1)]
        run(cloud, **values)
        (given,) = cloud.inputs('trove.backups_create')
        return given

    def test_only_what_is_set_is_sent(self) -> None:
        least = {
            'instance': fakes.INSTANCE,
            'name': 'nightly-20300101030000',
            'description': LABEL,
        }
        self.assertEqual(least, self._input())
        optional = workbook.inputs(workbook.definition()).optional
        nulls = dict.fromkeys(optional - {'schedule_id'})
        self.assertEqual(least, self._input(**nulls))
        for changes in (
            {'parent_id': base.uid(7)},
            {'incremental': True},
            {'incremental': False},
            {'swift_container': 'dumps'},
            {'storage_driver': 'swift'},
        ):
            with self.case(changes):
                self.assertEqual(least | changes, self._input(**changes))

    def test_a_description_leaves_room_for_the_label(self) -> None:
        for length in (0, 1, 206, 207, 208, 255, 1000):
            with self.case(length):
                given = self._input(description='d' * length)['description']
                self.assertEqual(
                    f'{"d" * min(length, 207)} {LABEL}'.strip(), given
                )
                self.assertLessEqual(len(given), 255)

    def test_mistral_and_trove_get_no_empty_description(self) -> None:
        for description in (None, '', ' '):
            with self.case(description):
                given = self._input(schedule_id=None, description=description)
                self.assertNotIn('description', given)


class TestBeginning(base.TestCase):
    """How a backup comes to be begun, once and for certain."""

    def setUp(self) -> None:
        super().setUp()
        self.cloud = Cloud()

    def _fails(self, *faults: str) -> str:
        """Run with these faults of Trove, and give the reason of failure."""
        self.cloud.expect('trove.backups_create', *map(fault, faults))
        done = run(self.cloud, keep=1)
        self.assertEqual(
            {
                'backup_id': None,
                'backup_name': 'nightly-20300101030000',
                'backup_status': None,
            },
            done.output,
        )
        self.assertEqual([], self.cloud.deleted())
        return str(done.failure)

    def test_a_busy_instance_is_waited_for(self) -> None:
        self.cloud.expect('trove.backups_create', *[fault(BUSY)] * 60)
        done = run(self.cloud)
        self.assertEqual('Backup complete', done.output['status'])
        self.assertEqual(61, len(self.cloud.inputs('trove.backups_create')))

    def test_one_that_stays_busy_is_not(self) -> None:
        self.assertEqual(
            f'The backup could not be started. {BUSY}',
            self._fails(*[BUSY] * 61),
        )
        self.assertLess(self.cloud.clock.now - START, LIFE)

    def test_what_will_not_pass_is_not_waited_for(self) -> None:
        for words in (DOWN, UNKNOWN, FORBIDDEN):
            with self.case(words):
                self.cloud = Cloud()
                self.assertEqual(
                    f'The backup could not be started. {words}',
                    self._fails(words),
                )
                self.assertEqual([], self.cloud.inputs('trove.backups_list'))

    def test_trove_limits_the_requests_of_a_minute_only(self) -> None:
        self.cloud.expect('trove.backups_create', *[fault(LIMITED)] * 20)
        done = run(self.cloud)
        self.assertEqual('Backup complete', done.output['status'])
        self.assertEqual([], self.cloud.inputs('trove.backups_list'))

    def test_a_parent_that_may_be_gone_is_named(self) -> None:
        self.cloud.expect('trove.backups_create', fault(UNKNOWN))
        done = run(self.cloud, parent_id=base.uid(7))
        self.assertEqual(
            'The backup could not be started; its parent '
            f'{base.uid(7)} may be gone. Trove says: {UNKNOWN}',
            done.failure,
        )

    def test_the_quota_is_told_in_plain_words(self) -> None:
        self.assertEqual(
            "The backup could not be started, for the project's quota of "
            'backups is used up. Delete backups that are not needed, let '
            'schedules keep fewer, or ask for a larger quota. Trove says: '
            + QUOTA,
            self._fails(QUOTA),
        )

    def test_what_passes_is_waited_for(self) -> None:
        for words in (ERRED, REFUSED):
            with self.case(words):
                cloud = Cloud()
                cloud.expect('trove.backups_create', *[fault(words)] * 9)
                done = run(cloud)
                self.assertEqual('Backup complete', done.output['status'])
                given = cloud.inputs('trove.backups_create')
                self.assertEqual([given[0]] * 10, given)

    def test_what_does_not_pass_after_all_is_told(self) -> None:
        self.assertEqual(
            f'The backup could not be started. {ERRED}',
            self._fails(*[ERRED] * 30),
        )
        self.assertEqual(30, len(self.cloud.inputs('trove.backups_create')))

    def test_the_same_without_a_list_of_backups(self) -> None:
        self.cloud.expect('trove.backups_list', *[fault(REFUSED)] * 120)
        self.assertEqual(
            f'The backup could not be started. {ERRED}',
            self._fails(*[ERRED] * 30),
        )
        self.assertLess(self.cloud.clock.now - START, LIFE)

    def test_one_that_was_begun_all_the_same_is_found(self) -> None:
        def act(action: str, values: expressions.Values) -> Any:
            result = self.cloud.act(action, values)
            if action == 'trove.backups_create':
                raise fault(ERRED)
            return result

        own = 'nightly-20300101030000'
        self.cloud.backups = [
            row(1),
            row(2, name='nightly-20300101030001'),
            # Another schedule may have the same name, and run just then.
            row(3, name=own, description='[schedule 7]', updated=LATE),
            row(4, name=own, description=None, updated=LATE),
        ]
        done = run(self.cloud, act)
        self.assertEqual('Backup complete', done.output['status'])
        self.assertEqual(1, len(self.cloud.inputs('trove.backups_create')))
        self.assertEqual(self.cloud.backups[0]['id'], done.output['backup_id'])

    def test_a_busy_instance_may_be_so_by_the_backup_itself(self) -> None:
        # The answer is lost, and the backup is in the list some time later.
        cloud = self.cloud
        made: list[fakes.Row] = []

        def act(action: str, values: expressions.Values) -> Any:
            if action == 'trove.backups_create':
                if made:
                    raise fault(BUSY)
                made.append(cloud.act(action, values))
                cloud.backups.clear()
                raise fault(ERRED)
            if made and (cloud.clock.now - START).total_seconds() > 60:
                cloud.backups = [*made]
            return cloud.act(action, values)

        done = run(cloud, act)
        self.assertEqual('Backup complete', done.output['status'])
        self.assertEqual(made[0]['id'], done.output['backup_id'])


class TestWaiting(base.TestCase):
    def setUp(self) -> None:
        super().setUp()
        self.cloud = Cloud()

    def test_it_ends_with_the_backup(self) -> None:
        self.cloud.statuses = iter(['NEW', 'BUILDING', 'SAVING'])
        done = run(self.cloud)
        (backup,) = self.cloud.backups
        self.assertEqual(
            {
                'status': 'Backup complete',
                'backup_id': backup['id'],
                'backup_name': 'nightly-20300101030000',
                'backup_status': 'COMPLETED',
                'removed': None,
                'retention': None,
            },
            done.output,
        )
        self.assertEqual(4, len(self.cloud.inputs('trove.backups_get')))

    def test_a_backup_that_fails_makes_the_run_fail(self) -> None:
        self.cloud.statuses = iter(['BUILDING', 'FAILED'])
        self.cloud.backups = [row(1), row(2)]
        done = run(self.cloud, keep=1)
        self.assertEqual('The backup ended as FAILED.', done.failure)
        self.assertEqual(
            {
                'backup_id': self.cloud.backups[0]['id'],
                'backup_name': 'nightly-20300101030000',
                'backup_status': 'FAILED',
            },
            done.output,
        )
        self.assertEqual([], self.cloud.deleted())

    def test_it_ends_before_a_token_does(self) -> None:
        for seconds, busy in ((0, 0), (0, 60), (1, 60), (30, 0)):
            with self.case(seconds, busy):
                cloud = Cloud(row(1), row(2))
                cloud.seconds = seconds
                cloud.statuses = itertools.repeat('BUILDING')
                cloud.expect('trove.backups_create', *[fault(BUSY)] * busy)
                done = run(cloud, keep=1)
                self.assertLess(cloud.clock.now - START, LIFE)
                self.assertEqual('Backup still running', done.output['status'])
                self.assertEqual('BUILDING', done.output['backup_status'])

    def test_earlier_ones_are_counted_while_one_is_running(self) -> None:
        self.cloud.statuses = itertools.repeat('BUILDING')
        self.cloud.backups = [row(1), row(2)]
        done = run(self.cloud, keep=1)
        self.assertEqual([base.uid(1)], done.output['removed'])

    def test_what_passes_is_waited_for(self) -> None:
        for words in (ERRED, REFUSED, BUSY, 'Rate limit (HTTP 429)'):
            with self.case(words):
                cloud = Cloud()
                cloud.expect('trove.backups_get', *[fault(words)] * 100)
                done = run(cloud)
                self.assertEqual('Backup complete', done.output['status'])

    def test_what_will_not_pass_is_told_at_once(self) -> None:
        for words in (UNKNOWN, FORBIDDEN, NO_TRUST, 'No. (HTTP 401)'):
            with self.case(words):
                cloud = Cloud()
                cloud.expect('trove.backups_get', fault(words))
                self._fails(cloud, words)
                self.assertEqual(1, len(cloud.inputs('trove.backups_get')))

    def test_what_does_not_pass_in_time_is_told(self) -> None:
        cloud = Cloud()
        cloud.expect('trove.backups_get', *[fault(ERRED)] * 301)
        self._fails(cloud, ERRED)
        self.assertLess(cloud.clock.now - START, LIFE)

    def _fails(self, cloud: Cloud, words: str) -> None:
        cloud.backups = [row(1), row(2)]
        done = run(cloud, keep=1)
        self.assertEqual(
            f'The backup {cloud.backups[0]["id"]} was started, but it is not '
            f'known how it ended. {words}',
            done.failure,
        )
        self.assertEqual([], cloud.deleted())


class TestParent(base.TestCase):
    def _parent(self, *backups: fakes.Row, full_every: int = 2) -> str | None:
        """Give what a run of an incremental schedule builds on."""
        cloud = Cloud(*backups)
        run(cloud, full_every=full_every, incremental=True)
        for asked in cloud.inputs('trove.backups_list'):
            self.assertEqual(fakes.INSTANCE, asked['instance_id'])
        (given,) = cloud.inputs('trove.backups_create')
        # Trove would take the newest backup, whosever it is.
        self.assertNotIn('incremental', given)
        found: str | None = given.get('parent_id')
        return found

    def test_a_full_one_is_made_every_so_often(self) -> None:
        for full_every, expected in (
            (1, 'FIFIFIFI'),
            (2, 'FIIFIIFI'),
            (6, 'FIIIIIIF'),
        ):
            with self.case(full_every):
                cloud = Cloud()
                for _ in expected:
                    run(cloud, full_every=full_every, incremental=True)
                    cloud.clock.wait(3600)
                given = cloud.inputs('trove.backups_create')
                self.assertEqual(
                    expected,
                    ''.join(
                        'I' if 'parent_id' in each else 'F' for each in given
                    ),
                )
                made = [each['id'] for each in reversed(cloud.backups)]
                for each, before in zip(given[1:], made, strict=False):
                    self.assertIn(each.get('parent_id'), (None, before))

    def test_the_first_is_a_full_one(self) -> None:
        self.assertIsNone(self._parent())

    def test_it_is_the_newest_good_one(self) -> None:
        good = row(5)
        for others in (
            [],
            [row(4)],
            [row(6, status) for status in ('FAILED', 'BUILDING', 'NEW')],
            [row(6, 'DELETE_FAILED', parent=5)],
            # What Trove has changed last need not be the newest.
            [row(4, updated=text(START))],
            [row(4, created=good['created'])],
        ):
            with self.case(others):
                self.assertEqual(good['id'], self._parent(*others, good))

    def test_those_that_are_not_the_schedules_do_not_count(self) -> None:
        for other in (
            row(1, 'FAILED'),
            row(1, 'BUILDING'),
            row(1, name='by-hand'),
            row(1, description=None),
            row(1, description=LABEL + ' copied'),
            row(1, description=f'[schedule {base.uid(7)}]'),
            row(1, instance_id=fakes.OTHER_INSTANCE),
        ):
            with self.case(other):
                self.assertIsNone(self._parent(other))

    def test_a_chain_that_can_not_be_restored_is_left(self) -> None:
        for status in ('FAILED', 'DELETE_FAILED', 'BUILDING'):
            with self.case(status):
                chain = (row(1), row(2, status, parent=1), row(3, parent=2))
                self.assertIsNone(self._parent(*chain, full_every=6))

    def test_a_chain_that_has_lost_its_beginning_is_left(self) -> None:
        self.assertIsNone(self._parent(row(3, parent=2), full_every=6))

    def test_links_of_others_are_links(self) -> None:
        chain = (
            row(1, name='by-hand'),
            row(2, parent=1, name='by-hand'),
            row(3, parent=2),
        )
        self.assertIsNone(self._parent(*chain, full_every=2))
        self.assertEqual(base.uid(3), self._parent(*chain, full_every=3))

    def test_what_a_changed_schedule_made_before_is_its_own(self) -> None:
        cloud = Cloud(row(1, description=f'[schedule {base.uid(7)}]'))
        run(cloud, full_every=2, origin=base.uid(7))
        (given,) = cloud.inputs('trove.backups_create')
        self.assertEqual(base.uid(1), given['parent_id'])

    def test_without_a_list_a_full_one_is_made(self) -> None:
        for words, most in (
            (FORBIDDEN, 1),
            (NO_TRUST, 1),
            (ERRED, 50),
            (REFUSED, 50),
            (LIMITED, 50),
        ):
            with self.case(words):
                cloud = Cloud(row(1))
                cloud.expect('trove.backups_list', *[fault(words)] * most)
                done = run(cloud, full_every=2)
                self.assertEqual('Backup complete', done.output['status'])
                (given,) = cloud.inputs('trove.backups_create')
                self.assertNotIn('parent_id', given)
                self.assertLess(
                    cloud.clock.now - START, datetime.timedelta(minutes=12)
                )

    def test_a_fault_that_passes_does_not_matter(self) -> None:
        # A backup that goes while Mistral stores a page is one.
        for words in (ERRED, LIMITED, UNKNOWN):
            with self.case(words):
                cloud = Cloud(row(1))
                cloud.expect('trove.backups_list', *[fault(words)] * 30)
                run(cloud, full_every=2)
                (given,) = cloud.inputs('trove.backups_create')
                self.assertEqual(base.uid(1), given['parent_id'])


#: The workflow up to where all backups are read or the reading has failed.
READING = {
    **WORKFLOW,
    'tasks': {
        **TASKS,
        'parent_choose': {'action': 'std.noop'},
        'backup_create': {'action': 'std.noop'},
    },
    'output': {},
}


def read(cloud: Cloud) -> dict[str, fakes.Row] | None:
    """Give all backups that the workflow reads; None if it gives up."""
    values = {'instance': fakes.INSTANCE, 'name': 'nightly'}
    done = expressions.Run(
        READING,
        {**values, 'schedule_id': SCHEDULE_ID, 'full_every': 1},
        cloud.act,
        cloud.clock,
        start='begin',
        execution_id=EXECUTION,
    )
    if done.ends != ['parent_choose']:
        return None
    return {each['id']: each for each in done.context['rows']}


#: What happens to the list of backups between two pages.
EVENTS = st.lists(
    st.tuples(
        st.sampled_from(('add', 'change', 'delete')), st.integers(0, 50)
    ),
    max_size=8,
)


#: How many backups a page has, and how many there are: three pages at most.
SIZES = st.integers(6, 25).flatmap(
    lambda page: st.tuples(st.just(page), st.integers(0, 3 * page - 10))
)


class TestPages(base.TestCase):
    def test_no_more_is_asked_for_than_needed(self) -> None:
        for backups, page, most in (
            (0, 1000, 1),
            (1, 1000, 2),
            (5, 1000, 2),
            (25, 1000, 2),
            (26, 1000, 3),
            (20, 20, 2),
            (21, 20, 3),
            (100, 20, 8),
            (1100, 1000, 56),
        ):
            with self.case(backups, page):
                cloud = Cloud(*map(row, range(1, backups + 1)))
                cloud.page = page
                self.assertEqual(backups, len(read(cloud) or {}))
                self.assertEqual(most, len(cloud.inputs('trove.backups_list')))

    def test_no_more_is_read_than_a_run_can_hold(self) -> None:
        largest = {
            'id': base.uid(1),
            'parent_id': base.uid(2),
            'status': 'DELETE_FAILED',
            'created': text(START),
            'own': False,
        }
        variables = {
            'schedule_id': SCHEDULE_ID,
            'origin': None,
            'began': START.timestamp(),
            'backup_id': None,
            'rows': [largest] * 4001,
            'page': [],
            'offset': 25,
            'newest': None,
            'since': None,
        }
        variables = published('backups_read', variables, [row(1)] * 25)
        self.assertEqual('late', variables['step'])
        self.assertLess(sys.getsizeof(str(variables)), 1024 * 1024)

    def test_a_page_is_never_too_large_for_mistral(self) -> None:
        cloud = Cloud()
        read(cloud)
        (asked,) = cloud.inputs('trove.backups_list')
        # In one wide character, all of a text takes four bytes for each.
        wide = '\N{CRESCENT MOON}' * 255
        largest = row(1, name=wide, description=wide, parent=1) | {
            'locationRef': 'https://' + 's' * 200,
            'size': 1000.01,
            'project_id': base.PROJECT,
            'datastore': {
                'type': 'd' * 40,
                'version': 'v' * 40,
                'version_id': base.uid(1),
            },
        }
        page = [largest] * asked['limit']
        self.assertLess(sys.getsizeof(str({'result': page})), 1024 * 1024)

    def test_what_changes_is_read_as_it_was_last(self) -> None:
        cloud = Cloud(*(row(number, 'BUILDING') for number in range(1, 60)))
        cloud.page = 20
        numbers = iter(range(1, 4))

        def change() -> None:
            for number in itertools.islice(numbers, 1):
                cloud.put(row(number))

        cloud.before_page = change
        found = read(cloud) or {}
        self.assertEqual(
            {base.uid(number) for number in range(1, 60)}, found.keys()
        )
        self.assertEqual(
            {base.uid(number) for number in range(1, 4)},
            {
                each['id']
                for each in found.values()
                if each['status'] == 'COMPLETED'
            },
        )

    def test_many_new_ones_are_not_taken_for_the_end(self) -> None:
        for page, new in ((6, 1), (10, 5), (20, 15)):
            with self.case(page, new):
                cloud = Cloud(*map(row, range(1, 31)))
                cloud.page = page
                more = iter(range(100, 100 + new))

                def add(cloud: Cloud = cloud, more: Any = more) -> None:
                    if cloud.inputs('trove.backups_list')[1:]:
                        for number in more:
                            cloud.put(row(number))

                cloud.before_page = add
                found = read(cloud) or {}
                self.assertLessEqual(
                    set(map(base.uid, range(1, 31))), {*found}
                )

    def test_none_is_missed_where_all_the_others_go(self) -> None:
        cloud = Cloud(*map(row, range(1, 22)))
        cloud.page = 20

        def delete() -> None:
            if len(cloud.inputs('trove.backups_list')) == 2:
                cloud.backups = [row(1)]

        cloud.before_page = delete
        self.assertEqual({base.uid(1)}, (read(cloud) or {}).keys())

    def test_a_list_that_keeps_changing_is_given_up(self) -> None:
        cloud = Cloud(*map(row, range(1, 500)))
        cloud.page = 20

        def delete() -> None:
            del cloud.backups[-10:]

        cloud.before_page = delete
        self.assertIsNone(read(cloud))
        self.assertEqual(8, len(cloud.inputs('trove.backups_list')))

    def test_a_list_that_takes_too_long_is_given_up(self) -> None:
        cloud = Cloud(*map(row, range(1, 500)))
        cloud.page = 20
        cloud.seconds = 200
        self.assertIsNone(read(cloud))
        self.assertEqual(2, len(cloud.inputs('trove.backups_list')))
        # Where the backup is there already, only the token sets an end.
        cloud = Cloud(*map(row, range(1, 500)))
        cloud.page = 20
        cloud.seconds = 200
        done = run(cloud, keep=1)
        self.assertEqual([], cloud.deleted())
        self.assertIn('too long', done.output['retention'])
        self.assertLess(cloud.clock.now - START, LIFE)

    def test_odd_rows_are_no_hindrance(self) -> None:
        odd = row(1, name=None, description=7)
        for key in ('parent_id', 'description', 'created', 'updated'):
            del odd[key]
        for backup in (
            odd,
            row(1, name=7, description=None, created=None, updated=None),
            row(1, instance_id=None, status='RESTORED'),
        ):
            with self.case(backup):
                cloud = Cloud(row(2), backup, row(3))
                found = read(cloud) or {}
                if backup['instance_id']:
                    self.assertFalse(found[base.uid(1)]['own'])
                self.assertTrue(found[base.uid(2)]['own'])

    @hypothesis.settings(base.STEADY, max_examples=50)
    @hypothesis.given(SIZES, st.lists(EVENTS, max_size=9))
    def test_all_that_is_there_all_the_time_is_read(
        self, sizes: tuple[int, int], changes: list[list[tuple[str, int]]]
    ) -> None:
        page, backups = sizes
        cloud = Cloud(*map(row, range(backups, 0, -1)))
        cloud.page = page
        fresh = itertools.count(100)
        due = iter(changes)

        def change() -> None:
            for what, index in next(due, ()):
                if what == 'add':
                    cloud.put(row(next(fresh)))
                elif cloud.backups:
                    found = cloud.backups[index % len(cloud.backups)]
                    cloud.backups.remove(found)
                    if what == 'change':
                        cloud.put(found, status='FAILED')

        cloud.before_page = change
        before = {each['id'] for each in cloud.backups}
        found = read(cloud)
        after = {each['id'] for each in cloud.backups}
        if found is None:
            # Only what goes away can make it give up.
            self.assertNotEqual(before, before & after)
            return
        for each in before & after:
            self.assertEqual(cloud.read[each]['status'], found[each]['status'])


def trove_row(backup: models.Backup) -> fakes.Row:
    """Give Trove's row of a backup."""
    created = text(backup.created_at) if backup.created_at else None
    values = dataclasses.asdict(backup)
    del values['created_at']
    return {**values, 'created': created, 'updated': text(START)}


def removal(
    backups: list[models.Backup], keep: int
) -> tuple[set[str], list[str]]:
    """Give what the workflow removes of these, and what it asks for."""
    variables: dict[str, Any] = {
        'instance': fakes.INSTANCE,
        'schedule_id': test_retention.SCHEDULE.id,
        'origin': None,
        'keep': keep,
        'began': START.timestamp(),
        'backup_id': base.uid(1),
    }
    variables = published('retention', variables)
    variables = published(
        'backups_read', variables, [trove_row(each) for each in backups]
    )
    variables = published('excess_choose', variables)
    _, _, items = TASKS['excess_remove']['with-items'].partition(' in ')
    return (
        {each['id'] for each in variables['excess']},
        expressions.evaluate(items, variables, now=START),
    )


class TestRetention(base.TestCase):
    def test_the_oldest_ones_are_removed(self) -> None:
        cloud = Cloud(*map(row, (1, 2, 3)))
        done = run(cloud, keep=2)
        # The newest of the two is the one just made.
        self.assertEqual({base.uid(1), base.uid(2)}, {*cloud.deleted()})
        self.assertEqual('Backup complete', done.output['status'])
        self.assertEqual({base.uid(1), base.uid(2)}, {*done.output['removed']})
        self.assertIsNone(done.output['retention'])

    def test_nothing_is_removed_unless_it_is_asked_for(self) -> None:
        for values in ({}, {'keep': None}, {'keep': 1, 'schedule_id': None}):
            with self.case(values):
                cloud = Cloud(*map(row, (1, 2, 3)))
                run(cloud, **values)
                self.assertEqual([], cloud.deleted())
                self.assertEqual([], cloud.inputs('trove.backups_list'))

    def test_only_those_of_the_instance_are_read(self) -> None:
        # Each that is listed costs Mistral a request of its own.
        cloud = Cloud(row(1), row(2, instance_id=fakes.OTHER_INSTANCE))
        done = run(cloud, keep=1)
        for asked in cloud.inputs('trove.backups_list'):
            self.assertEqual(fakes.INSTANCE, asked['instance_id'])
        self.assertEqual([base.uid(1)], done.output['removed'])

    def test_both_kinds_of_reading_go_together(self) -> None:
        cloud = Cloud(row(1), row(2), row(3, parent=2))
        done = run(cloud, keep=1, full_every=1)
        self.assertEqual(
            {base.uid(1), base.uid(2), base.uid(3)}, {*done.output['removed']}
        )

    def test_a_chain_is_asked_for_by_its_beginning(self) -> None:
        cloud = Cloud(row(1), row(2, parent=1), row(3, parent=2), row(4))
        done = run(cloud, keep=1)
        self.assertEqual({base.uid(1), base.uid(4)}, {*cloud.deleted()})
        self.assertEqual(4, len(done.output['removed']))

    RUNNING = 'Backup 1 cannot be deleted because it is running. (HTTP 422)'

    def test_what_is_gone_already_is_removed(self) -> None:
        cloud = Cloud(*map(row, (1, 2, 3)))
        cloud.expect(
            'trove.backups_delete', None, fault(UNKNOWN), fault(UNKNOWN)
        )
        done = run(cloud, keep=1)
        self.assertEqual(
            {base.uid(number) for number in (1, 2, 3)},
            {*done.output['removed']},
        )
        self.assertIsNone(done.output['retention'])

    def test_what_has_gone_is_told_where_something_has_not(self) -> None:
        cloud = Cloud(row(1), row(2, parent=1), row(3), row(4))

        def act(action: str, values: expressions.Values) -> Any:
            result = cloud.act(action, values)
            if values.get('backup') == base.uid(3):
                raise fault(self.RUNNING)
            if values.get('backup') == base.uid(4):
                raise fault(UNKNOWN)
            return result

        done = run(cloud, act, keep=1)
        self.assertEqual(
            {base.uid(number) for number in (1, 2, 4)},
            {*done.output['removed']},
        )
        self.assertEqual(
            f'Old backups could not be removed, or not all. {self.RUNNING}',
            done.output['retention'],
        )

    def test_what_goes_wrong_is_told_and_fails_nothing(self) -> None:
        for action, words in (
            ('trove.backups_list', FORBIDDEN),
            ('trove.backups_delete', self.RUNNING),
        ):
            with self.case(action):
                cloud = Cloud(*map(row, (1, 2, 3)))
                cloud.expect(action, fault(words))
                done = run(cloud, keep=1)
                self.assertIsNone(done.failure)
                self.assertEqual('Backup complete', done.output['status'])
                self.assertEqual(
                    f'Old backups could not be removed, or not all. {words}',
                    done.output['retention'],
                )

    def test_a_list_that_is_not_whole_removes_nothing(self) -> None:
        for words in (ERRED, REFUSED):
            with self.case(words):
                cloud = Cloud(*map(row, range(1, 60)))
                cloud.page = 20
                page = {'instance_id': fakes.INSTANCE}
                whole = cloud.act('trove.backups_list', page)
                faults = [fault(words)] * 50
                cloud.expect('trove.backups_list', whole, *faults)
                done = run(cloud, keep=1)
                self.assertEqual([], cloud.deleted())
                self.assertIn(words, done.output['retention'])

    def test_a_list_that_kept_changing_removes_nothing(self) -> None:
        cloud = Cloud(*map(row, range(1, 500)))
        cloud.page = 20

        def delete() -> None:
            del cloud.backups[-10:]

        cloud.before_page = delete
        done = run(cloud, keep=1)
        self.assertEqual([], cloud.deleted())
        self.assertEqual(
            'Old backups could not be removed, or not all. The list of '
            'backups kept changing, or was too long.',
            done.output['retention'],
        )

    @base.STEADY
    @hypothesis.given(test_retention.forests(), test_retention.KEEP)
    def test_the_rules_are_those_of_the_client(
        self, backups: list[models.Backup], keep: int
    ) -> None:
        # It reads those of the instance only.
        backups = [
            each for each in backups if each.instance_id == fakes.INSTANCE
        ]
        decisions = retention.decide(backups, test_retention.SCHEDULE, keep)
        removed = {each.backup.id for each in decisions if each.remove}
        roots = {each.id for each in retention.roots(decisions)}
        excess, asked = removal(backups, keep)
        self.assertEqual(removed, excess)
        self.assertEqual(sorted(roots), sorted(asked))


def carrier(
    number: int,
    generation: int,
    schedule_id: str = SCHEDULE_ID,
    **changes: Any,
) -> fakes.Row:
    """Give a trigger made here that carries the schedule, or another."""
    name = models.TriggerName(
        name=f'name-{generation}',
        instance=fakes.INSTANCE,
        schedule_id=schedule_id,
        generation=generation,
    )
    return fakes.trigger(number, name=str(name), **changes)


#: A time at which a disabled schedule fires.
NEVER = f'{models.NEVER:%Y-%m-%d %H:%M:%S}'


class TestReplaced(base.TestCase):
    """What a run does whose trigger was replaced."""

    def setUp(self) -> None:
        super().setUp()
        self.cloud = Cloud(*map(row, (1, 2, 3)))

    def _run(self, newer: fakes.Row | None, **values: Any) -> expressions.Run:
        self.cloud.triggers = [carrier(1, 1), *([newer] if newer else [])]
        return run(self.cloud, **values)

    def _stands_down(self, newer: fakes.Row | None, **values: Any) -> bool:
        done = self._run(newer, **values)
        begun = bool(self.cloud.inputs('trove.backups_create'))
        self.assertEqual(begun, done.failure is None)
        if not begun:
            self.assertEqual([], self.cloud.deleted())
            self.assertIn('Nothing was done', str(done.failure))
            self.assertNotIn('\n', str(done.failure))
        return not begun

    def test_it_does_nothing_long_after_the_change(self) -> None:
        for created_at, expected in (
            ('2029-12-31 02:59:59', True),
            ('2029-12-31 03:00:00', False),
            # It may be a late run, for a time before the change.
            ('2030-01-01 02:59:00', False),
            ('2030-01-01 03:00:01', False),
            (None, False),
        ):
            with self.case(created_at):
                self.cloud = Cloud()
                newer = carrier(2, 2, created_at=created_at)
                self.assertEqual(expected, self._stands_down(newer))

    def test_it_does_nothing_where_the_newest_fires(self) -> None:
        # Mistral notes when it has fired one.
        fired = {
            'created_at': '2030-01-01 02:50:00',
            'updated_at': '2030-01-01 02:55:00',
        }
        self.assertTrue(self._stands_down(carrier(2, 2, **fired)))
        self.assertEqual(
            [base.uid(2)], [each['id'] for each in self.cloud.triggers]
        )

    def test_only_the_newest_counts(self) -> None:
        self.cloud.triggers = [
            carrier(1, 1),
            carrier(2, 2, next_execution_time=NEVER),
            carrier(3, 3, created_at='2030-01-01 02:59:00'),
        ]
        self.assertIsNone(run(self.cloud).failure)

    def test_it_does_nothing_while_the_schedule_is_disabled(self) -> None:
        newer = carrier(
            2,
            2,
            next_execution_time=NEVER,
            created_at='2030-01-01 02:59:00',
        )
        self.assertTrue(self._stands_down(newer, full_every=2))
        # Its own trigger goes, that it may not do so again.
        self.assertEqual([newer], self.cloud.triggers)

    def test_it_removes_nothing(self) -> None:
        # What is to be kept may just have been changed.
        newer = carrier(2, 2, created_at='2030-01-01 02:59:00')
        done = self._run(newer, keep=1)
        self.assertEqual('Backup complete', done.output['status'])
        self.assertEqual([], self.cloud.deleted())
        self.assertIsNone(done.output['retention'])

    def test_a_change_during_the_run_counts_too(self) -> None:
        self.cloud.triggers = [carrier(1, 1)]

        def change() -> None:
            self.cloud.triggers = [carrier(1, 1), carrier(2, 2)]

        def act(action: str, values: expressions.Values) -> Any:
            if action == 'trove.backups_get':
                change()
            return self.cloud.act(action, values)

        done = run(self.cloud, act, keep=1)
        self.assertEqual('Backup complete', done.output['status'])
        self.assertEqual([], self.cloud.deleted())

    def test_a_run_of_the_newest_goes_on(self) -> None:
        for newer, number in (
            (None, 1),
            (carrier(2, 2), 2),
            # A person has started it.
            (carrier(2, 2, next_execution_time=NEVER), 2),
            (carrier(2, 2, fakes.schedule_id(2)), 1),
        ):
            with self.case(newer, number):
                self.cloud = Cloud(row(1))
                self.cloud.executions = [fakes.execution(1, base.uid(number))]
                self.assertFalse(self._stands_down(newer, keep=1))
                self.assertEqual([base.uid(1)], self.cloud.deleted())

    def test_a_run_that_tells_no_trigger_goes_on(self) -> None:
        self.cloud.executions = [fakes.execution(1)]
        newer = carrier(2, 2, next_execution_time=NEVER)
        self.assertFalse(self._stands_down(newer))

    def test_the_last_run_of_a_schedule_removes_what_is_too_much(self) -> None:
        done = run(self.cloud, keep=1)
        self.assertEqual(3, len(done.output['removed']))

    def test_one_whose_trigger_is_gone_removes_nothing(self) -> None:
        self.cloud.triggers = [carrier(2, 2)]
        done = run(self.cloud, keep=1)
        self.assertEqual('Backup complete', done.output['status'])
        self.assertEqual([], self.cloud.deleted())

    def test_what_was_made_by_other_means_is_replaced_too(self) -> None:
        # A schedule of python-troveclient has the name of its trigger as ID.
        values = {'instance': fakes.INSTANCE, 'origin': base.uid(1)}
        for schedule_id in (base.uid(1), base.uid(77)):
            for given in (values, json.dumps(values), str(values)):
                with self.case(schedule_id, given):
                    newer = carrier(
                        2,
                        2,
                        schedule_id,
                        next_execution_time=NEVER,
                        workflow_input=given,
                    )
                    other = carrier(
                        3,
                        2,
                        fakes.schedule_id(3),
                        next_execution_time=NEVER,
                        workflow_input={'origin': base.uid(4)},
                    )
                    cloud = Cloud()
                    cloud.triggers = [fakes.trigger(1), newer, other]
                    cloud.executions = [fakes.execution(1, base.uid(1))]
                    done = run(cloud, schedule_id=None)
                    self.assertIn('Nothing was done', str(done.failure))
                    self.assertEqual([newer, other], cloud.triggers)

    def test_what_was_made_by_other_means_and_not_replaced_goes_on(
        self,
    ) -> None:
        other = carrier(
            3,
            2,
            fakes.schedule_id(3),
            next_execution_time=NEVER,
            workflow_input={'origin': base.uid(4)},
        )
        for triggers in ([fakes.trigger(1)], [fakes.trigger(1), other]):
            with self.case(triggers):
                cloud = Cloud()
                cloud.triggers = [*triggers]
                cloud.executions = [fakes.execution(1, base.uid(1))]
                done = run(cloud, schedule_id=None)
                self.assertEqual('Backup complete', done.output['status'])
                self.assertEqual(triggers, cloud.triggers)

    def test_a_fault_of_mistral_loses_no_backup(self) -> None:
        newer = carrier(2, 2, next_execution_time=NEVER)
        self.cloud.expect('mistral.cron_triggers_list', fault(ERRED))
        self.assertFalse(self._stands_down(newer))

    def test_nothing_is_removed_if_a_change_can_not_be_ruled_out(
        self,
    ) -> None:
        self.cloud.expect(
            'mistral.cron_triggers_list', [carrier(1, 1)], fault(ERRED)
        )
        done = self._run(None, keep=1)
        self.assertEqual('Backup complete', done.output['status'])
        self.assertEqual([], self.cloud.deleted())
        self.assertEqual(
            'Old backups could not be removed, or not all. Mistral does not '
            'tell whether the schedule was changed.',
            done.output['retention'],
        )

    def test_nor_if_the_run_does_not_tell_its_trigger(self) -> None:
        self.cloud.triggers = [carrier(1, 1)]
        self.cloud.executions = [fakes.execution(1)]
        done = run(self.cloud, keep=1)
        self.assertEqual([], self.cloud.deleted())
        self.assertIn('does not tell', done.output['retention'])


class TestTidy(base.TestCase):
    def _gone(self, *triggers: fakes.Row, **values: Any) -> list[int]:
        """Give the numbers of the triggers that a run deletes."""
        cloud = Cloud()
        cloud.triggers = [*triggers]
        cloud.executions = [fakes.execution(1)]
        run(cloud, **values)
        left = [each['id'] for each in cloud.triggers]
        numbers = [int(each['id'][-12:], 16) for each in triggers]
        return [each for each in numbers if base.uid(each) not in left]

    def test_only_the_last_generation_stays(self) -> None:
        for generations, gone in (
            ((), []),
            ((1,), []),
            ((7,), []),
            ((1, 2), [1]),
            ((2, 1), [2]),
            ((9, 10), [1]),
            ((1, 2, 9, 10), [1, 2, 3]),
        ):
            with self.case(generations):
                triggers = itertools.starmap(
                    carrier, enumerate(generations, 1)
                )
                self.assertEqual(gone, self._gone(*triggers))

    def test_what_was_made_by_other_means_is_replaced_too(self) -> None:
        named = fakes.trigger(1, name=SCHEDULE_ID)
        origin = fakes.trigger(1)
        for values, other in (
            ({}, named),
            ({'origin': base.uid(1)}, named),
            ({'origin': base.uid(1)}, origin),
        ):
            with self.case(values, other):
                self.assertEqual([], self._gone(other, **values))
                self.assertEqual(
                    [1], self._gone(other, carrier(2, 2), **values)
                )

    def test_other_schedules_are_left_alone(self) -> None:
        for other in (
            fakes.trigger(1),
            carrier(1, 1, fakes.schedule_id(2)),
            # Each of these names the schedule somewhere.
            fakes.trigger(1, name=f'copy-of-{SCHEDULE_ID}'),
            fakes.trigger(1, name=f'{carrier(1, 1)["name"]}-copy'),
            fakes.trigger(1, name=f'x{carrier(1, 1)["name"]}'),
            fakes.trigger(1, name=SCHEDULE_ID + ':1'),
            fakes.our_trigger(1, instance=SCHEDULE_ID)
            | {'name': carrier(1, 1, fakes.schedule_id(2))['name']},
            carrier(1, 1) | {'workflow_name': 'mine'},
        ):
            with self.case(other):
                self.assertEqual([], self._gone(other, carrier(2, 2)))

    def test_an_origin_that_is_gone_is_no_hindrance(self) -> None:
        values = {'origin': base.uid(1)}
        self.assertEqual([], self._gone(carrier(2, 2), **values))

    def test_an_origin_of_another_workflow_is_left_alone(self) -> None:
        other = fakes.trigger(1, workflow_name='mine')
        values = {'origin': base.uid(1)}
        self.assertEqual([], self._gone(other, carrier(2, 2), **values))

    def test_a_deleted_schedule_leaves_its_origin_alone(self) -> None:
        origin = fakes.trigger(1)
        self.assertEqual([], self._gone(origin, origin=base.uid(1)))

    def test_a_run_of_something_else_removes_none(self) -> None:
        origin = fakes.trigger(1)
        values = {'schedule_id': None, 'origin': base.uid(1)}
        self.assertEqual([], self._gone(origin, carrier(2, 2), **values))

    def test_the_run_of_another_keeps_its_trigger(self) -> None:
        for number, state, kept in (
            # This very run, and one of the trigger that stays.
            (1, 'RUNNING', False),
            (2, 'SUCCESS', False),
            (2, 'ERROR', False),
            (2, 'CANCELLED', False),
            (2, 'RUNNING', True),
            (2, 'PAUSED', True),
            (2, 'IDLE', True),
            (2, 'DELAYED', True),
        ):
            with self.case(number, state):
                cloud = Cloud()
                cloud.triggers = [carrier(1, 1), carrier(2, 2), carrier(3, 3)]
                cloud.executions = [
                    fakes.execution(1, base.uid(1), state='RUNNING'),
                    fakes.execution(number, base.uid(1), state=state),
                    fakes.execution(3, base.uid(3), state='RUNNING'),
                ]
                for each in cloud.executions:
                    each['created_at'] = f'{START:%Y-%m-%d %H:%M:%S}'
                run(cloud)
                self.assertEqual(
                    [base.uid(1)] * kept + [base.uid(3)],
                    [each['id'] for each in cloud.triggers],
                )

    def test_a_run_that_is_older_than_its_token_needs_no_trust(self) -> None:
        cloud = Cloud()
        cloud.triggers = [carrier(1, 1), carrier(2, 2)]
        cloud.executions = [
            fakes.execution(
                1,
                base.uid(1),
                state='PAUSED',
                created_at='2030-01-01 01:59:00',
            )
        ]
        run(cloud)
        self.assertEqual([carrier(2, 2)], cloud.triggers)

    def test_it_comes_after_a_failure_as_well(self) -> None:
        cloud = Cloud()
        cloud.triggers = [carrier(1, 1), carrier(2, 2)]
        cloud.executions = [fakes.execution(1, base.uid(2))]
        cloud.expect('trove.backups_create', fault(QUOTA))
        done = run(cloud)
        self.assertIn('quota', str(done.failure))
        self.assertEqual([carrier(2, 2)], cloud.triggers)

    def test_a_fault_of_mistral_is_no_hindrance(self) -> None:
        for action in (
            'mistral.cron_triggers_list',
            'mistral.executions_list',
            'mistral.cron_triggers_delete',
        ):
            with self.case(action):
                cloud = Cloud()
                cloud.triggers = [carrier(1, 1), carrier(2, 2)]
                cloud.executions = [fakes.execution(1, base.uid(2))]
                cloud.expect(action, *[fault(ERRED)] * 2)
                done = run(cloud)
                self.assertEqual('Backup complete', done.output['status'])
                self.assertEqual(2, len(cloud.triggers))


#: The action is performed, and its answer gets lost.
LOST = 'lost'

#: The answer says no more than it must.
BARE = 'bare'


def bare(answer: Any) -> Any:
    if isinstance(answer, list):
        return [bare(each) for each in answer]
    if isinstance(answer, dict):
        needed = ('id', 'name', 'status', 'instance_id')
        return {
            'description': None,
            **{key: answer[key] for key in needed if key in answer},
        }
    return answer


class TestEveryWay(base.TestCase):
    @hypothesis.settings(base.STEADY, max_examples=50)
    @hypothesis.given(
        st.fixed_dictionaries(
            {
                'schedule_id': st.sampled_from((SCHEDULE_ID, None)),
                'full_every': st.sampled_from((None, 1)),
                'keep': st.sampled_from((None, 1)),
                'origin': st.sampled_from((None, base.uid(7))),
            }
        ),
        st.integers(1, 2),
        st.lists(st.sampled_from((None, LOST, BARE, *FAULTS)), max_size=20),
        st.lists(st.sampled_from(('BUILDING', 'FAILED')), max_size=3),
    )
    def test_a_run_ends_in_time_and_tells_the_truth(
        self,
        values: dict[str, Any],
        number: int,
        mishaps: list[str | None],
        statuses: list[str],
    ) -> None:
        cloud = Cloud(row(1), row(2, parent=1), row(3), row(4, 'FAILED'))
        cloud.triggers = [carrier(1, 1), carrier(2, 2)]
        cloud.executions = [fakes.execution(1, base.uid(number))]
        cloud.statuses = iter(statuses)
        due = iter(mishaps)

        def act(action: str, given: expressions.Values) -> Any:
            mishap = next(due, None)
            if mishap in FAULTS:
                raise fault(mishap)
            answer = cloud.act(action, given)
            if mishap == LOST:
                raise fault(ERRED)
            return bare(answer) if mishap == BARE else answer

        done = run(cloud, act, **values)
        self.assertLess(cloud.clock.now - START, LIFE)
        status = next(
            (
                each['status']
                for each in cloud.backups
                if each['id'] == done.output['backup_id']
            ),
            None,
        )
        if done.failure is None:
            self.assertEqual('Backup complete', done.output['status'])
            self.assertEqual('COMPLETED', status)
            return
        self.assertEqual([], cloud.deleted())
        if done.failure.startswith('Nothing was done'):
            self.assertIsNone(done.output['backup_id'])
        elif status is None:
            self.assertIn('could not be started', done.failure)
        elif done.output['backup_status'] is None:
            self.assertIn('it is not known how it ended', done.failure)
        else:
            self.assertIn('ended as FAILED', done.failure)
            self.assertEqual('FAILED', status)
