# SPDX-License-Identifier: Apache-2.0

import datetime
import re
import types
from typing import Any
from unittest import mock
import urllib.parse

import fixtures
from mistralclient.api.v2 import client as mistralclient
import requests
from troveclient.v1 import client as troveclient
import yaml

from tests.unit import base
from tests.unit import fakes
from tests.unit.fakes import execution
from tests.unit.fakes import our_trigger
from tests.unit.fakes import run_of
from tests.unit.fakes import schedule_id
from tests.unit.fakes import successor
from tests.unit.fakes import trigger
import trove_backup_schedule
from trove_backup_schedule import adapter
from trove_backup_schedule import cron
from trove_backup_schedule import declared
from trove_backup_schedule import exceptions
from trove_backup_schedule import health
from trove_backup_schedule import models
from trove_backup_schedule import settings
from trove_backup_schedule import workbook

TRIGGERS = f'{base.MISTRAL}/cron_triggers'
EXECUTIONS = f'{base.MISTRAL}/executions'
WORKBOOKS = f'{base.MISTRAL}/workbooks'

GONE = base.uid(0x300)
BACKUP = base.uid(0xB)

MISSING = {'faultstring': 'It was not found'}
HTML = '<html><body>Bad gateway</body></html>'

# What a LIKE of SQL takes for something else.
WILD_NAMES = ('100%', 'a_b', 'a\\b', '%a', 'a\\%b', 'a\\_b', 'a:b', 'a::b')


class AdapterTestCase(base.CloudTestCase):
    """A member's adapter on a session, with two instances in Trove.

    There is one clock, which stands still unless it is waited for.
    """

    ROLES = ['member']

    def setUp(self) -> None:
        super().setUp()
        self.log_in(self.ROLES)
        self.mistral = fakes.Mistral(self.http, admin='admin' in self.ROLES)
        self.triggers = self.mistral.rows['cron_triggers']
        self.executions = self.mistral.rows['executions']
        clock = types.SimpleNamespace(
            monotonic=lambda: self.mistral.now.timestamp(),
            sleep=self.mistral.wait,
        )
        present = types.SimpleNamespace(
            UTC=datetime.UTC,
            datetime=types.SimpleNamespace(now=lambda _zone: self.mistral.now),
        )
        for name, substitute in (
            ('adapter.time', clock),
            ('adapter.datetime', present),
            ('replacement.time', clock),
            ('replacement.datetime', present),
        ):
            self.useFixture(
                fixtures.MonkeyPatch(
                    f'trove_backup_schedule.{name}', substitute
                )
            )
        self.instances(
            fakes.instance(),
            fakes.instance(fakes.OTHER_INSTANCE, name='billing'),
        )
        self.http.get(f'{base.TROVE}/instances/{GONE}', status_code=404)
        self.schedules = trove_backup_schedule.BackupSchedules(self.session())

    def instances(self, *rows: fakes.Row) -> None:
        url = f'{base.TROVE}/instances'
        self.http.get(url, json={'instances': list(rows)})
        for row in rows:
            self.http.get(f'{url}/{row["id"]}', json={'instance': row})

    def backups(self, *rows: fakes.Row) -> None:
        url = f'{base.TROVE}/backups'
        self.http.get(url, json={'backups': list(rows)})
        for row in rows:
            self.http.get(f'{url}/{row["id"]}', json={'backup': row})

    def posted(self) -> list[fakes.Row]:
        return [
            each.json()
            for each in self.sent(base.MISTRAL)
            if each.method == 'POST'
        ]

    def methods(self) -> list[str]:
        """Give the requests to Mistral as ``GET cron_triggers``."""
        return [
            f'{each.method} {each.path.split("/")[2]}'
            for each in self.sent(base.MISTRAL)
        ]


class TestConstruction(AdapterTestCase):
    def test_something_must_be_given(self) -> None:
        self.assertRaises(TypeError, adapter.BackupSchedules)

    def test_nothing_is_asked_before_it_is_needed(self) -> None:
        self.assertEqual([], self.http.request_history)

    def test_one_login_does_for_all(self) -> None:
        for _ in range(2):
            self.schedules.schedule_list('orders')
            self.schedules.execution_list()
        self.assertEqual(1, len(self.sent(base.KEYSTONE)))

    def test_a_service_that_is_not_needed_may_be_missing(self) -> None:
        self.log_in(services=['workflowv2'])
        self.assertEqual([], self.schedules.schedule_list())
        exc = self.assertRaises(
            exceptions.ServiceUnavailableError,
            self.schedules.schedule_list,
            'orders',
        )
        self.assertIn('Trove is not in the service catalogue', str(exc))
        self.log_in(services=['database'])
        schedules = adapter.BackupSchedules(self.session())
        self.assertEqual(2, len(schedules.instance_list()))
        self.assertRaises(
            exceptions.ServiceUnavailableError, schedules.schedule_list
        )

    def test_endpoints_interface_and_region_are_honoured(self) -> None:
        empty: fakes.Row = {'cron_triggers': []}
        self.http.get('http://mistral.internal/v2/cron_triggers', json=empty)
        self.http.get('http://m.example/v2/cron_triggers', json=empty)
        self.http.get('http://t.example/v1/instances', json={'instances': []})
        session = self.session()
        for options, url in (
            ({'interface': 'internal'}, 'http://mistral.internal'),
            ({'workflow_endpoint': 'http://m.example'}, 'http://m.example'),
        ):
            with self.case(options):
                made = adapter.BackupSchedules(session, **options)
                made.schedule_list()
                self.assertTrue(
                    self.http.request_history[-1].url.startswith(url)
                )
        made = adapter.BackupSchedules(
            session, database_endpoint='http://t.example/v1'
        )
        self.assertEqual([], made.instance_list())
        self.assertRaises(
            exceptions.ServiceUnavailableError,
            adapter.BackupSchedules(session, region_name='East').instance_list,
        )

    def test_clients_that_are_there_already(self) -> None:
        session = self.session()
        self.triggers.append(our_trigger(1))
        made = adapter.BackupSchedules(
            mistral_client=mistralclient.Client(
                mistral_url=base.MISTRAL, session=session
            ),
            trove_client=troveclient.Client(session=session),
        )
        self.assertEqual(1, len(made.schedule_list('orders')))

    def test_a_client_that_was_not_given_is_missed_when_needed(self) -> None:
        session = self.session()
        only_mistral = adapter.BackupSchedules(
            mistral_client=mistralclient.Client(
                mistral_url=base.MISTRAL, session=session
            )
        )
        self.assertEqual([], only_mistral.schedule_list())
        self.assertRaises(TypeError, only_mistral.instance_list)
        only_trove = adapter.BackupSchedules(
            trove_client=troveclient.Client(session=session)
        )
        self.assertEqual(2, len(only_trove.instance_list()))
        self.assertRaises(TypeError, only_trove.schedule_list)

    def test_every_method_takes_another_mistral_client(self) -> None:
        url = 'http://other.example/v2'
        other = mistralclient.Client(mistral_url=url, session=self.session())
        self.triggers.append(our_trigger(1))
        missing = {'faultstring': 'It is not here'}
        for name in ('cron_triggers', 'executions', 'workbooks'):
            self.http.get(
                f'{url}/{name}',
                json={'cron_triggers': [], 'executions': [], 'workbooks': []},
            )
            self.http.get(
                f'{url}/{name}/{base.uid(1)}', status_code=404, json=missing
            )
        one = base.uid(1)
        make = self.schedules
        self.http.post(f'{url}/cron_triggers', status_code=404, json=missing)
        change = declared.Change(
            action='create',
            instance=fakes.INSTANCE,
            declaration=declared.Declaration(
                instance='orders', name='nightly', pattern='@daily'
            ),
        )
        self.assertEqual([], make.schedule_list(None, other))
        self.assertEqual([], make.execution_list(None, other))
        self.assertEqual([], make.schedule_check((), other))
        self.assertEqual([], make.schedule_difference('schedules: []', other))
        self.assertIn('schedules: []', make.schedule_export(other)[0])
        for ask in (
            lambda: make.schedule_create(
                'orders', '@daily', 'x', mistral_client=other
            ),
            lambda: make.schedule_show(one, other),
            lambda: make.schedule_set(one, other),
            lambda: make.schedule_run(one, other),
            lambda: make.schedule_prune(one, other),
            lambda: make.schedule_check([one], other),
            lambda: make.schedule_apply(change, other),
            lambda: make.schedule_delete(one, other),
            lambda: make.execution_show(one, other),
            lambda: next(make.execution_follow(one, other)),
            lambda: make.execution_delete(one, other),
            lambda: make.workbook_show(other),
        ):
            self.assertRaises(exceptions.NotFoundError, ask)
        self.assertEqual([], self.sent(base.MISTRAL))
        self.assertEqual(1, len(make.schedule_list()))

    def test_a_given_project_is_used(self) -> None:
        self.triggers.append(
            our_trigger(1, project_id=base.OTHER_PROJECT, scope='public')
        )
        self.assertEqual([], self.schedules.schedule_list())
        made = adapter.BackupSchedules(
            self.session(), project_id=base.OTHER_PROJECT
        )
        self.assertEqual(1, len(made.schedule_list()))

    def test_instances_and_backups(self) -> None:
        self.backups(fakes.backup(BACKUP))
        self.assertEqual(
            ['orders', 'billing'],
            [each.name for each in self.schedules.instance_list()],
        )
        instance = types.SimpleNamespace(id=fakes.INSTANCE)
        for given in (None, fakes.INSTANCE, instance):
            with self.case(given):
                (found,) = self.schedules.backup_list(given)
                self.assertEqual(BACKUP, found.id)
                asked = base.query(self.http.request_history[-1])
                self.assertEqual(
                    None if given is None else fakes.INSTANCE,
                    asked.get('instance_id'),
                )


class TestScheduleCreate(AdapterTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.backups(fakes.backup(BACKUP))

    def test_the_least_that_is_needed(self) -> None:
        made = self.schedules.schedule_create(
            'orders', ' 0  3 * * *', 'nightly'
        )
        (posted,) = self.posted()
        self.assertEqual(
            {
                'name': f'trovebackup1:nightly:{fakes.INSTANCE}:{made.id}:1',
                'workflow_name': 'trove.backup_create',
                'workflow_params': {'env': {'schedule_id': made.id}},
                'pattern': '0 3 * * *',
                'first_execution_time': None,
                'remaining_executions': None,
                'workflow_input': {
                    'instance': fakes.INSTANCE,
                    'name': 'nightly',
                    'description': None,
                    'parent_id': None,
                    'schedule_id': made.id,
                },
            },
            posted,
        )
        self.assertTrue(models.is_uuid(made.id))
        self.assertEqual('nightly', made.name)
        self.assertEqual('0 3 * * *', made.pattern)
        self.assertEqual(self.triggers[0]['id'], made.trigger_id)
        self.assertEqual(['POST cron_triggers'], self.methods())

    def test_all_that_is_possible(self) -> None:
        made = self.schedules.schedule_create(
            'orders',
            '@Daily',
            'nightly: 100 %',
            description='each night',
            incremental=True,
            full_every=6,
            keep=3,
            swift_container='dumps',
            storage_driver='swift',
            count=7,
            first_time=datetime.datetime(
                2999, 12, 31, 23, 58, 1, tzinfo=datetime.UTC
            ),
        )
        (posted,) = self.posted()
        self.assertEqual(
            ('@daily', '2999-12-31 23:59', 7),
            (
                posted['pattern'],
                posted['first_execution_time'],
                posted['remaining_executions'],
            ),
        )
        self.assertEqual(
            {
                'instance': fakes.INSTANCE,
                'name': 'nightly: 100 %',
                'description': 'each night',
                'parent_id': None,
                'schedule_id': made.id,
                'incremental': True,
                'full_every': 6,
                'keep': 3,
                'swift_container': 'dumps',
                'storage_driver': 'swift',
                'active_since': '2999-12-31T23:59:00+00:00',
                'first_time': '2999-12-31T23:59:00+00:00',
            },
            posted['workflow_input'],
        )
        self.assertEqual('nightly: 100 %', made.name)

    def test_one_that_is_disabled_does_not_fire(self) -> None:
        made = self.schedules.schedule_create(
            'orders', '* * * * *', 'nightly', enabled=False
        )
        self.assertFalse(made.enabled)
        self.assertIsNone(made.next_execution_time)
        self.mistral.wait(200)
        self.assertEqual([], self.executions)

    def test_a_pattern_is_spread_by_the_instance(self) -> None:
        made = self.schedules.schedule_create(
            'orders', '@daily', 'nightly', spread=True
        )
        self.assertEqual(cron.spread('@daily', fakes.INSTANCE), made.pattern)
        self.assertRaises(
            exceptions.InvalidValueError,
            self.schedules.schedule_create,
            'orders',
            '0 3 * * *',
            'nightly',
            spread=True,
        )

    def test_two_of_the_same_kind_are_two(self) -> None:
        first, second = (
            self.schedules.schedule_create('orders', '@daily', 'nightly')
            for _ in range(2)
        )
        self.assertNotEqual(first.id, second.id)

    def test_the_instance_may_be_an_object_an_id_or_a_name(self) -> None:
        thing = types.SimpleNamespace(id=fakes.INSTANCE)
        for instance in (thing, fakes.INSTANCE, 'orders'):
            with self.case(instance):
                made = self.schedules.schedule_create(
                    instance, '@daily', 'nightly'
                )
                self.assertEqual(fakes.INSTANCE, made.instance)

    def test_the_parent_may_be_an_id_or_a_name(self) -> None:
        for parent in (BACKUP, 'base'):
            with self.case(parent):
                made = self.schedules.schedule_create(
                    'orders', '@daily', 'nightly', parent_id=parent
                )
                self.assertEqual(BACKUP, made.parent_id)
                self.assertEqual(BACKUP, made.input['parent_id'])

    def test_parents_that_cannot_be_one(self) -> None:
        for changes, reason in (
            ({'status': 'FAILED'}, 'is FAILED. Only one that is COMPLETED'),
            ({'status': 'BUILDING'}, 'is BUILDING'),
            (
                {'instance_id': fakes.OTHER_INSTANCE},
                f'is of the instance {fakes.OTHER_INSTANCE}',
            ),
        ):
            with self.case(changes):
                self.backups(fakes.backup(BACKUP, **changes))
                exc = self.assertRaises(
                    exceptions.InvalidValueError,
                    self.schedules.schedule_create,
                    'orders',
                    '@daily',
                    'nightly',
                    parent_id=BACKUP,
                )
                self.assertIn(reason, str(exc))
        self.assertEqual([], self.posted())

    def test_impossible_values_are_refused_before_any_request(self) -> None:
        past = datetime.datetime(2001, 1, 1, tzinfo=datetime.UTC)
        for changes in (
            {'pattern': '0 0 31 2 *'},
            {'pattern': '* * * * * *'},
            {'name': ''},
            {'name': 'a/b'},
            {'description': 'a\nb'},
            {'swift_container': 'a b'},
            {'count': 0},
            {'keep': 0},
            {'full_every': 0},
            {'first_time': past},
            {'parent_id': BACKUP, 'incremental': True},
            {'full_every': 6},
            {'keep': 3, 'incremental': True},
        ):
            with self.case(changes):
                values: dict[str, Any] = {
                    'pattern': '@daily',
                    'name': 'nightly',
                    **changes,
                }
                self.assertRaises(
                    exceptions.InvalidValueError,
                    self.schedules.schedule_create,
                    'orders',
                    **values,
                )
        self.assertEqual([], self.http.request_history)

    def test_an_instance_that_is_not_there(self) -> None:
        for instance in ('none', GONE, '../backups'):
            with self.case(instance):
                exc = self.assertRaises(
                    exceptions.NotFoundError,
                    self.schedules.schedule_create,
                    instance,
                    '@daily',
                    'nightly',
                )
                self.assertIn(f'"{instance}"', str(exc))
        self.assertEqual([], self.posted())

    def test_an_instance_of_another_project(self) -> None:
        self.instances(fakes.instance(tenant_id=base.OTHER_PROJECT))
        exc = self.assertRaises(
            exceptions.NotFoundError,
            self.schedules.schedule_create,
            fakes.INSTANCE,
            '@daily',
            'nightly',
        )
        self.assertIn(f'belongs to project {base.OTHER_PROJECT}', str(exc))
        self.assertEqual([], self.posted())

    def test_an_admin_schedules_instances_of_the_own_project(self) -> None:
        self.instances(fakes.instance(tenant_id=base.PROJECT))
        made = self.schedules.schedule_create('orders', '@daily', 'nightly')
        self.assertEqual(fakes.INSTANCE, made.instance)


class TestRefusedCreate(AdapterTestCase):
    """What is made of Mistral's refusals: they are not tried again."""

    def _create(self, **answer: Any) -> Any:
        self.http.post(TRIGGERS, **answer)
        return self.schedules.schedule_create('orders', '@daily', 'nightly')

    def test_each_refusal_has_its_class_and_advice(self) -> None:
        for status, words, expected, advice in (
            (
                404,
                'Workflow not found [workflow_identifier=x]',
                exceptions.NotFoundError,
                'Load it with: openstack database backup workbook install',
            ),
            (
                400,
                'Invalid input [name=x, missing=[], unexpected=[y]]',
                exceptions.OutdatedError,
                'Update it with: openstack database backup workbook install',
            ),
            (400, 'Wrong pattern', exceptions.ServiceError, 'Wrong pattern.'),
            (409, 'Duplicate', exceptions.ConflictError, 'Duplicate.'),
            (
                403,
                'Delegated tokens cannot manage trusts.',
                exceptions.AuthorizationError,
                'no application credential',
            ),
            (
                500,
                'Delegated tokens cannot manage trusts.',
                exceptions.AuthorizationError,
                'no application credential',
            ),
            (
                403,
                'Policy says no',
                exceptions.AuthorizationError,
                'Policy says no.',
            ),
        ):
            with self.case(status, words):
                self.http.reset_mock()
                exc = self.assertRaises(
                    expected,
                    self._create,
                    status_code=status,
                    json={'faultstring': words},
                )
                self.assertIn(advice, str(exc))
                self.assertEqual(['POST cron_triggers'], self.methods())

    def test_a_refused_token_is_renewed_once(self) -> None:
        exc = self.assertRaises(
            exceptions.AuthorizationError, self._create, status_code=401
        )
        self.assertIn('HTTP 401', str(exc))
        self.assertEqual(['POST cron_triggers'] * 2, self.methods())

    def test_nobody_listens(self) -> None:
        self.assertRaises(
            exceptions.ServiceUnavailableError,
            self._create,
            exc=base.refused(),
        )
        self.assertEqual([], self.log.output.splitlines())


class TestLostAnswer(AdapterTestCase):
    """Mistral may have acted, though nobody was told."""

    LOST: tuple[dict[str, Any], ...] = (
        {'exc': base.dropped()},
        {'status_code': 500, 'text': HTML},
        {'status_code': 502, 'text': HTML},
        {'status_code': 500, 'json': {'faultstring': 'Lost'}},
        {'status_code': 504, 'text': ''},
        {'status_code': 200, 'text': HTML},
        {'status_code': 201, 'json': ['x']},
    )

    def setUp(self) -> None:
        super().setUp()
        self.useFixture(
            fixtures.MonkeyPatch(
                'trove_backup_schedule.mistral._SETTLING', (0.0,)
            )
        )

    def _create(self) -> models.Schedule:
        return self.schedules.schedule_create('orders', '@daily', 'nightly')

    def _act(self, request: Any) -> bool:
        """Do what is asked, and then let the answer be lost."""
        self.triggers.append(trigger(1, **request.json()))
        return True

    def test_a_schedule_that_was_created_is_found_by_its_name(self) -> None:
        for answer in self.LOST:
            with self.case(answer):
                self.triggers.clear()
                self.http.reset_mock()
                self.http.post(
                    TRIGGERS, additional_matcher=self._act, **answer
                )
                made = self._create()
                self.assertEqual(base.uid(1), made.trigger_id)
                post, check = self.sent(base.MISTRAL)
                self.assertEqual('GET', check.method)
                self.assertEqual(
                    post.json()['name'], base.query(check)['name']
                )
        self.assertEqual('', self.log.output)

    def test_nothing_was_created(self) -> None:
        self.triggers.append(our_trigger(1))
        for answer in self.LOST:
            # Only with 500 it is Mistral that says it has ended.
            looks = 1 if answer.get('status_code') == 500 else 2
            with self.case(answer):
                self.http.reset_mock()
                self.http.post(TRIGGERS, **answer)
                self.assertRaises(exceptions.ServiceError, self._create)
                self.assertEqual(
                    ['POST cron_triggers', *['GET cron_triggers'] * looks],
                    self.methods(),
                )
        unsure = [a for a in self.LOST if a.get('status_code') != 500]
        warnings = self.log.output.strip().splitlines()
        self.assertEqual(len(unsure), len(warnings))
        self.assertIn('or still will', warnings[0])

    def test_a_schedule_that_takes_its_time_is_found(self) -> None:
        late = {'cron_triggers': [our_trigger(1)]}
        self.http.post(TRIGGERS, status_code=504, text=HTML)
        self.http.get(
            TRIGGERS, [{'json': {'cron_triggers': []}}, {'json': late}]
        )
        self.assertEqual(schedule_id(1), self._create().id)
        self.assertEqual('', self.log.output)

    def test_it_cannot_be_told_whether_it_was_created(self) -> None:
        checks: tuple[dict[str, Any], ...] = (
            {'status_code': 500, 'text': HTML},
            {'status_code': 403, 'text': HTML},
            {'exc': base.refused()},
            {'text': HTML},
        )
        for check in checks:
            with self.case(check):
                self.http.post(TRIGGERS, status_code=504, text=HTML)
                self.http.get(TRIGGERS, **check)
                exc = self.assertRaises(exceptions.ServiceError, self._create)
                self.assertEqual(504, exc.status)
        warnings = self.log.output.strip().splitlines()
        self.assertEqual(len(checks), len(warnings))
        self.assertIn('It is not known whether', warnings[0])


class TestScheduleList(AdapterTestCase):
    def _ids(self, *args: Any, **options: Any) -> list[str]:
        found = self.schedules.schedule_list(*args, **options)
        return [each.id for each in found]

    def test_all_schedules_of_the_project_by_name(self) -> None:
        self.triggers += [
            our_trigger(3),
            our_trigger(1, 'nightly-2'),
            our_trigger(0, 'nightly-2'),
            trigger(2),
            trigger(4, workflow_name='report'),
            trigger(5, workflow_input='no JSON'),
            trigger(6, workflow_input='[]'),
            trigger(7, workflow_input='{"name": "x"}'),
            our_trigger(8, project_id=base.OTHER_PROJECT),
            our_trigger(9, project_id=base.OTHER_PROJECT, scope='public'),
        ]
        self.assertEqual(
            [base.uid(2), schedule_id(3), schedule_id(0), schedule_id(1)],
            self._ids(),
        )
        (asked,) = self.sent(base.MISTRAL)
        self.assertEqual(
            'trove.backup_create', base.query(asked)['workflow_name']
        )

    def test_schedules_of_an_instance(self) -> None:
        spec = {'instance': fakes.INSTANCE, 'name': 'x', 'parent_id': None}
        self.triggers += [
            our_trigger(1, instance=fakes.OTHER_INSTANCE),
            # By python-troveclient, as the specification has it, by hand.
            trigger(2, name=base.uid(22)),
            trigger(3, workflow_input=spec),
            our_trigger(4),
            # They only mention the instance.
            trigger(
                5,
                name=f'copy-of-{fakes.INSTANCE}',
                workflow_input={
                    'instance': fakes.OTHER_INSTANCE,
                    'name': fakes.INSTANCE,
                },
            ),
            trigger(6, workflow_name='x', name=f'a{fakes.INSTANCE}'),
            our_trigger(
                7,
                workflow_input={
                    'instance': fakes.OTHER_INSTANCE,
                    'name': 'stray',
                },
            ),
            # It has the instance in its own name too.
            trigger(8, name=f'a-{fakes.INSTANCE}'),
            trigger(9, name='zzz', workflow_input=spec),
        ]
        expected = [
            base.uid(8),
            base.uid(22),
            schedule_id(4),
            base.uid(3),
            base.uid(9),
        ]
        thing = types.SimpleNamespace(id=fakes.INSTANCE)
        for instance in ('orders', fakes.INSTANCE, thing):
            with self.case(instance):
                self.assertEqual(expected, self._ids(instance))

    def test_a_trigger_that_is_named_nearly_like_ours(self) -> None:
        self.triggers += [
            trigger(1, name='trovebackup-of-orders'),
            trigger(2, name='trovebackups'),
        ]
        expected = [base.uid(1), base.uid(2)]
        self.assertEqual(expected, self._ids())
        self.assertEqual(expected, self._ids('orders'))

    def test_a_deleted_instance_is_known_by_its_id(self) -> None:
        self.triggers.append(our_trigger(1, instance=GONE))
        self.assertEqual([schedule_id(1)], self._ids(GONE))

    def test_an_instance_that_never_was(self) -> None:
        self.triggers.append(our_trigger(1))
        for instance in (GONE, 'none', ''):
            with self.case(instance):
                exc = self.assertRaises(
                    exceptions.NotFoundError, self._ids, instance
                )
                self.assertIn('No instance', str(exc))

    def test_an_instance_without_schedules(self) -> None:
        self.assertEqual([], self._ids('orders'))

    def test_several_instances_of_the_name(self) -> None:
        self.instances(fakes.instance(), fakes.instance(fakes.OTHER_INSTANCE))
        self.assertRaises(exceptions.NotUniqueError, self._ids, 'orders')

    def test_lists_that_mistral_cuts_are_read_to_the_end(self) -> None:
        self.mistral.most = 3
        self.triggers += [
            trigger(n) if n % 3 else our_trigger(n) for n in range(1, 12)
        ]
        self.assertEqual(11, len(self._ids()))
        self.assertEqual(11, len(self._ids('orders')))

    def test_limit_and_marker(self) -> None:
        self.triggers += [
            our_trigger(1),
            trigger(2),
            trigger(3, workflow_input='no schedule'),
            our_trigger(4),
            our_trigger(5, created_at='2030-01-01 00:00:04'),
            our_trigger(6, instance=fakes.OTHER_INSTANCE),
        ]
        mine = [schedule_id(number) for number in (1, 4, 5, 6)]
        for instance, every in (
            (None, [*mine, base.uid(2)]),
            ('orders', [base.uid(2), *mine[:3]]),
        ):
            self.assertEqual(set(every), set(self._ids(instance)))
            for limit in (0, 1, 2, 3, 99):
                with self.case(instance, limit):
                    self.assertEqual(
                        every[:limit], self._ids(instance, limit=limit)
                    )
            for place, marker in enumerate(every, 1):
                with self.case(instance, marker):
                    self.assertEqual(
                        every[place:], self._ids(instance, marker=marker)
                    )
                    self.assertEqual(
                        every[place : place + 1],
                        self._ids(instance, marker=marker, limit=1),
                    )

    def test_few_are_asked_for_where_few_are_wanted(self) -> None:
        self.triggers += [our_trigger(n) for n in range(1, 10)]
        self._ids(limit=2)
        (asked,) = self.sent(base.MISTRAL)
        self.assertEqual('3', base.query(asked)['limit'])

    def test_a_marker_that_is_not_there(self) -> None:
        for marker in (base.uid(99), 'none', '../executions'):
            with self.case(marker):
                exc = self.assertRaises(
                    exceptions.NotFoundError, self._ids, marker=marker
                )
                self.assertIn(marker, str(exc))

    def test_thousands_cost_few_requests(self) -> None:
        self.triggers += [
            our_trigger(n, instance=fakes.OTHER_INSTANCE)
            for n in range(1, 2500)
        ]
        self.triggers.append(our_trigger(2501))
        self.assertEqual([schedule_id(2501)], self._ids('orders'))
        self.assertLessEqual(len(self.sent(base.MISTRAL)), 3)


class TestAdminList(AdapterTestCase):
    ROLES = ['member', 'admin']

    def setUp(self) -> None:
        super().setUp()
        other = base.OTHER_PROJECT
        self.triggers += [
            our_trigger(1),
            our_trigger(2, project_id=other),
            trigger(3, project_id=other, name=base.uid(33)),
            trigger(4, project_id=other),
            trigger(5),
        ]
        self.mine = [base.uid(5), schedule_id(1)]
        self.all = [
            base.uid(4),
            base.uid(5),
            base.uid(33),
            schedule_id(1),
            schedule_id(2),
        ]

    def _ids(self, *args: Any, **options: Any) -> list[str]:
        found = self.schedules.schedule_list(*args, **options)
        return [each.id for each in found]

    def test_an_admin_sees_the_own_project(self) -> None:
        self.assertEqual(self.mine, self._ids())
        self.assertEqual(self.mine, self._ids('orders'))

    def test_an_admin_may_ask_for_all_projects(self) -> None:
        self.assertEqual(self.all, self._ids(all_projects=True))
        self.assertEqual(self.all, self._ids('orders', all_projects=True))

    def test_all_projects_can_be_read_in_pages(self) -> None:
        # Those made by other means are by their triggers where they are apart.
        apart = [*self.all[3:], base.uid(33), *self.all[:2]]
        for instance, every in ((None, apart), ('orders', self.all)):
            for place, marker in enumerate(every, 1):
                with self.case(marker, instance):
                    self.assertEqual(
                        every[place:],
                        self._ids(instance, marker=marker, all_projects=True),
                    )

    def test_schedules_of_other_projects_are_left_alone(self) -> None:
        for identifier in (
            schedule_id(2),
            base.uid(2),
            base.uid(33),
            base.uid(4),
            'trigger-4',
        ):
            with self.case(identifier):
                self.assertRaises(
                    exceptions.NotFoundError,
                    self.schedules.schedule_delete,
                    identifier,
                )
        self.assertEqual(5, len(self.triggers))


class TestScheduleShow(AdapterTestCase):
    def test_by_object_id_name_or_trigger(self) -> None:
        self.triggers += [
            our_trigger(1, 'nightly'),
            our_trigger(2, 'weekly'),
            trigger(3, name=base.uid(33)),
            trigger(4, name='hand', workflow_input=our_input('mine')),
            our_trigger(5, base.uid(55)),
        ]
        for given, number in (
            (schedule_id(1), 1),
            ('nightly', 1),
            (base.uid(1), 1),
            (self.triggers[0]['name'], 1),
            (base.uid(33), 3),
            (base.uid(3), 3),
            ('by-hand', 3),
            ('mine', 4),
            ('hand', 4),
            (base.uid(4), 4),
            # A name that looks like an ID.
            (base.uid(55), 5),
            (models.Schedule.from_trigger(self.triggers[1]), 2),
        ):
            with self.case(given):
                found = self.schedules.schedule_show(given)
                self.assertEqual(base.uid(number), found.trigger_id)

    def test_names_with_wildcards_and_colons(self) -> None:
        self.triggers += [
            our_trigger(n, name) for n, name in enumerate(WILD_NAMES, 1)
        ]
        self.triggers += [
            trigger(n, workflow_input=our_input(f'{name}!'))
            for n, name in enumerate(WILD_NAMES, 20)
        ]
        self.triggers.append(our_trigger(50, 'A:B'))
        for n, name in enumerate(WILD_NAMES, 1):
            with self.case(name):
                found = self.schedules.schedule_show(name)
                self.assertEqual(base.uid(n), found.trigger_id)
                found = self.schedules.schedule_show(f'{name}!')
                self.assertEqual(base.uid(n + 19), found.trigger_id)

    def test_what_only_looks_alike_is_not_found(self) -> None:
        self.triggers += [
            our_trigger(1, 'nightly'),
            our_trigger(2, 'a:b'),
            trigger(3, project_id=base.OTHER_PROJECT),
        ]
        for text in (
            '',
            '%',
            '_ightly',
            'night',
            'Nightly',
            'a',
            'b',
            fakes.INSTANCE,
            base.uid(3),
            base.uid(99),
            'trigger-3',
            '../workbooks/trove',
            'nightly?x=y',
            'a b/c#d',
        ):
            with self.case(text):
                exc = self.assertRaises(
                    exceptions.NotFoundError,
                    self.schedules.schedule_show,
                    text,
                )
                self.assertNotIsInstance(exc, exceptions.NotUniqueError)
                self.assertIn(f'"{text}"', str(exc))

    def test_no_request_leads_to_another_place(self) -> None:
        for text in ('../workbooks/trove', 'a?b=c', 'a#b', 'a b', 'ä'):
            with self.case(text):
                self.http.reset_mock()
                self.assertRaises(
                    exceptions.NotFoundError,
                    self.schedules.schedule_show,
                    text,
                )
                paths = {
                    urllib.parse.urlsplit(each.url).path
                    for each in self.sent(base.MISTRAL)
                }
                one = urllib.parse.quote(text, safe='')
                self.assertEqual(
                    {'/v2/cron_triggers', f'/v2/cron_triggers/{one}'}, paths
                )

    def test_a_trigger_with_parameters_of_its_own(self) -> None:
        self.triggers.append(trigger(1, workflow_params='{"env": {}}'))
        found = self.schedules.schedule_show('by-hand')
        self.assertEqual(base.uid(1), found.trigger_id)

    def test_several_of_a_name_whatever_made_them(self) -> None:
        self.triggers.append(trigger(1, workflow_params='{"env": {}}'))
        for other in (our_trigger(2, 'by-hand'), trigger(2)):
            with self.case(other):
                self.triggers[1:] = [other]
                for method in (
                    self.schedules.schedule_show,
                    self.schedules.schedule_delete,
                ):
                    self.assertRaises(
                        exceptions.NotUniqueError, method, 'by-hand'
                    )
        self.assertEqual(2, len(self.triggers))

    def test_few_requests_lead_to_a_schedule(self) -> None:
        self.triggers += [our_trigger(n, f'other-{n}') for n in range(1, 2000)]
        self.triggers.append(our_trigger(2001))
        for given, most in ((schedule_id(2001), 2), ('nightly', 4)):
            with self.case(given):
                self.http.reset_mock()
                self.schedules.schedule_show(given)
                self.assertLessEqual(len(self.sent(base.MISTRAL)), most)

    def test_while_a_trigger_is_replaced_the_newer_one_counts(self) -> None:
        self.triggers += [successor(our_trigger(1), n) for n in (10, 9)]
        self.assertEqual(
            10, self.schedules.schedule_show(schedule_id(1)).generation
        )

    def test_an_id_in_capitals(self) -> None:
        self.triggers += [our_trigger(1), trigger(2)]
        for identifier in (schedule_id(1), base.uid(2)):
            found = self.schedules.schedule_show(identifier.upper())
            self.assertEqual(identifier, found.id)

    def test_very_many_of_a_name_are_not_all_read(self) -> None:
        self.triggers += [our_trigger(n) for n in range(1, 60)]
        exc = self.assertRaises(
            exceptions.NotUniqueError, self.schedules.schedule_show, 'nightly'
        )
        self.assertIn(schedule_id(10), str(exc))
        self.assertNotIn(schedule_id(11), str(exc))
        (only,) = self.sent(TRIGGERS)
        self.assertEqual('20', base.query(only)['limit'])

    def test_several_of_a_name(self) -> None:
        self.triggers += [
            our_trigger(1, 'by-hand'),
            trigger(2),
            trigger(3, name='zzz'),
        ]
        exc = self.assertRaises(
            exceptions.NotUniqueError,
            self.schedules.schedule_show,
            'by-hand',
        )
        for identifier in (schedule_id(1), base.uid(2), base.uid(3)):
            self.assertIn(identifier, str(exc))

    def test_a_name_in_the_input_goes_before_one_of_a_trigger(self) -> None:
        self.triggers += [
            our_trigger(1, 'trigger-2'),
            trigger(2),
        ]
        found = self.schedules.schedule_show('trigger-2')
        self.assertEqual(base.uid(1), found.trigger_id)

    def test_triggers_that_are_no_schedules_are_not_shown(self) -> None:
        self.triggers += [
            trigger(1, workflow_name='report'),
            trigger(2, workflow_input='no JSON'),
        ]
        for text, reason in (
            (base.uid(1), 'it starts the workflow report'),
            ('trigger-1', 'it starts the workflow report'),
            ('trigger-2', 'its input is not a JSON object'),
        ):
            for method in (
                self.schedules.schedule_show,
                self.schedules.schedule_delete,
            ):
                with self.case(text, method):
                    exc = self.assertRaises(
                        exceptions.RefusedError, method, text
                    )
                    self.assertIn(reason, str(exc))
                    self.assertIn('left alone', str(exc))
        self.assertEqual(2, len(self.triggers))

    def test_a_failure_is_no_missing_schedule(self) -> None:
        self.http.get(f'{TRIGGERS}/{base.uid(1)}', status_code=403, text=HTML)
        self.assertRaises(
            exceptions.AuthorizationError,
            self.schedules.schedule_show,
            base.uid(1),
        )


def our_input(name: str) -> fakes.Row:
    return {'instance': fakes.INSTANCE, 'name': name}


class TestScheduleDelete(AdapterTestCase):
    def test_the_trigger_is_deleted_and_nothing_else(self) -> None:
        self.triggers += [our_trigger(1), our_trigger(2, 'other')]
        self.executions.append(execution(1, base.uid(1)))
        gone = self.schedules.schedule_delete('nightly')
        self.assertEqual(schedule_id(1), gone.id)
        self.assertEqual([base.uid(2)], [row['id'] for row in self.triggers])
        self.assertEqual(1, len(self.executions))
        deletes = [
            each.url
            for each in self.sent(base.MISTRAL)
            if each.method == 'DELETE'
        ]
        self.assertEqual([f'{TRIGGERS}/{base.uid(1)}'], deletes)

    def _lose(self, request: Any) -> bool:
        """Have the trigger be gone before there is an answer."""
        self.triggers.clear()
        return True

    def test_somebody_else_was_quicker(self) -> None:
        self.triggers.append(our_trigger(1))
        self.http.delete(
            f'{TRIGGERS}/{base.uid(1)}',
            additional_matcher=self._lose,
            status_code=404,
            json=MISSING,
        )
        gone = self.schedules.schedule_delete('nightly')
        self.assertEqual(schedule_id(1), gone.id)

    def test_it_is_gone_though_the_answer_was_lost(self) -> None:
        for answer in ({'exc': base.dropped()}, {'status_code': 504}):
            with self.case(answer):
                self.triggers[:] = [our_trigger(1)]
                self.http.delete(
                    f'{TRIGGERS}/{base.uid(1)}',
                    additional_matcher=self._lose,
                    **answer,
                )
                gone = self.schedules.schedule_delete('nightly')
                self.assertEqual(schedule_id(1), gone.id)

    def test_it_cannot_be_told_whether_it_is_gone(self) -> None:
        self.triggers.append(our_trigger(1))
        url = f'{TRIGGERS}/{base.uid(1)}'
        self.http.delete(url, exc=base.dropped())
        self.http.get(url, status_code=503, text=HTML)
        exc = self.assertRaises(
            exceptions.ServiceError, self.schedules.schedule_delete, 'nightly'
        )
        self.assertIn('broke before it answered', str(exc))

    def test_a_failure_is_told(self) -> None:
        self.triggers.append(our_trigger(1))
        self.http.delete(f'{TRIGGERS}/{base.uid(1)}', status_code=500)
        self.assertRaises(
            exceptions.ServiceError, self.schedules.schedule_delete, 'nightly'
        )

    def test_an_ambiguous_name_deletes_nothing(self) -> None:
        self.triggers += [our_trigger(1), our_trigger(2)]
        self.assertRaises(
            exceptions.NotUniqueError,
            self.schedules.schedule_delete,
            'nightly',
        )
        self.assertEqual(2, len(self.triggers))


class TestScheduleSet(AdapterTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.backups(fakes.backup(BACKUP))

    def _made(self, **settings: Any) -> models.Schedule:
        """Have one schedule and no other, and let nothing have been asked."""
        self.triggers.clear()
        made = self.schedules.schedule_create(
            'orders', '0 3 * * *', 'nightly', **settings
        )
        self.http.reset_mock()
        return made

    def _refused(self, made: Any, *reasons: str, **changes: Any) -> None:
        exc = self.assertRaises(
            exceptions.InvalidValueError,
            self.schedules.schedule_set,
            made,
            **changes,
        )
        for reason in reasons:
            self.assertIn(reason, str(exc))
        self.assertEqual([], self.posted())

    def test_only_what_is_told_is_changed(self) -> None:
        changes: tuple[dict[str, Any], ...] = (
            {'name': 'another: 100 %'},
            {'pattern': '@hourly'},
            {'description': 'each hour'},
            {'full_every': 9},
            {'keep': 9},
            {'swift_container': 'others'},
            {'storage_driver': 'other'},
            {'count': 9},
            {'enabled': False},
            {'first_time': None},
            {'description': None},
            {'full_every': None, 'keep': None},
            {'keep': None},
            {'swift_container': None},
            {'storage_driver': None},
            {'count': None},
        )
        for change in changes:
            with self.case(change):
                made = self._made(
                    description='each night',
                    incremental=True,
                    full_every=6,
                    keep=3,
                    swift_container='dumps',
                    storage_driver='swift',
                    count=7,
                )
                changed = self.schedules.schedule_set(made, **change)
                self.assertEqual(made.id, changed.id)
                before = vars(settings.Settings.of(made))
                self.assertEqual(
                    before | change, vars(settings.Settings.of(changed))
                )
                self.assertEqual(1, len(self.triggers))

    def test_it_may_be_given_as_a_schedule_can_be_shown(self) -> None:
        made = self._made()
        for number, given in enumerate((made, made.id, 'nightly'), 1):
            with self.case(given):
                changed = self.schedules.schedule_set(given, keep=number)
                self.assertEqual((made.id, number), (changed.id, changed.keep))

    def test_what_is_so_already_is_left_alone(self) -> None:
        made = self._made(keep=3, count=7, parent_id='base')
        changes: tuple[dict[str, Any], ...] = (
            {},
            {'keep': 3},
            {'pattern': ' 0  3 * * *'},
            {'parent_id': 'base'},
            {'parent_id': BACKUP},
            {
                'name': 'nightly',
                'description': None,
                'count': 7,
                'enabled': True,
                'incremental': False,
            },
        )
        for change in changes:
            with self.case(change):
                self.assertEqual(
                    made, self.schedules.schedule_set(made, **change)
                )
        self.assertEqual({'GET cron_triggers'}, set(self.methods()))

    def test_a_parent_and_being_incremental_replace_each_other(self) -> None:
        for before, change, expected in (
            ({}, {'parent_id': 'base'}, (BACKUP, False, None)),
            (
                {'incremental': True, 'full_every': 6},
                {'parent_id': BACKUP},
                (BACKUP, False, None),
            ),
            (
                {'parent_id': BACKUP},
                {'incremental': True, 'full_every': 6},
                (None, True, 6),
            ),
            ({'parent_id': BACKUP}, {'parent_id': None}, (None, False, None)),
        ):
            with self.case(before, change):
                made = self._made(**before)
                changes: dict[str, Any] = change
                changed = self.schedules.schedule_set(made, **changes)
                self.assertEqual(
                    expected,
                    (
                        changed.parent_id,
                        changed.incremental,
                        changed.full_every,
                    ),
                )

    def test_a_parent_that_stays_may_be_gone(self) -> None:
        made = self._made(parent_id=BACKUP)
        self.http.get(f'{base.TROVE}/backups/{BACKUP}', status_code=404)
        changed = self.schedules.schedule_set(made, keep=3)
        self.assertEqual(BACKUP, changed.parent_id)
        self.assertEqual([], self.sent(base.TROVE))

    def test_a_new_parent_must_be_able_to_be_one(self) -> None:
        made = self._made()
        self.backups(fakes.backup(BACKUP, status='FAILED'))
        self._refused(made, 'is FAILED', parent_id=BACKUP)

    def test_values_that_stand_against_what_is_set(self) -> None:
        for before, changes, reason in (
            ({}, {'full_every': 6}, 'Only an incremental schedule'),
            ({'keep': 3}, {'incremental': True}, 'make a full one'),
            (
                {'incremental': True, 'full_every': 6},
                {'incremental': False},
                'Only an incremental schedule',
            ),
            ({}, {'parent_id': BACKUP, 'incremental': True}, 'not on both'),
        ):
            with self.case(before, changes):
                self._refused(self._made(**before), reason, **changes)

    def test_impossible_values_are_refused_before_any_request(self) -> None:
        for changes in (
            {'name': ''},
            {'pattern': 'never'},
            {'keep': 0},
            {'first_time': fakes.NOW},
        ):
            with self.case(changes):
                self._refused('nightly', **changes)
        self.assertEqual([], self.http.request_history)

    def test_its_pattern_is_spread(self) -> None:
        made = self._made()
        for pattern in ('@daily', '@hourly'):
            with self.case(pattern):
                changed = self.schedules.schedule_set(
                    made, spread=True, pattern=pattern
                )
                self.assertEqual(
                    cron.spread(pattern, fakes.INSTANCE), changed.pattern
                )
        self.http.reset_mock()
        self._refused(made, "can't be spread", spread=True)

    def test_a_new_first_time_is_for_the_next_run(self) -> None:
        moment = fakes.NOW + datetime.timedelta(days=9)
        changed = self.schedules.schedule_set(self._made(), first_time=moment)
        self.assertEqual(moment, changed.next_execution_time)
        self.assertEqual(moment, changed.active_since)

    def test_one_that_fires_once_is_given_a_pattern_first(self) -> None:
        self.triggers.append(trigger(1, pattern=None, remaining_executions=1))
        self._refused('by-hand', 'given a pattern first', keep=3)
        self._refused('by-hand', 'given a pattern first', spread=True)
        disabled = self.schedules.schedule_set('by-hand', enabled=False)
        self.assertIsNone(disabled.pattern)
        changed = self.schedules.schedule_set(
            'by-hand', pattern='@daily', count=None, enabled=True
        )
        self.assertEqual(base.uid(1), changed.id)
        self.assertEqual('@daily', changed.pattern)
        # The time that it had before is still to come.
        self.assertEqual(
            datetime.datetime(2030, 1, 2, 3, tzinfo=datetime.UTC),
            changed.next_execution_time,
        )

    def test_a_pattern_that_is_not_understood_here_can_be_replaced(
        self,
    ) -> None:
        self.triggers.append(trigger(1, pattern='0 3 * * * * 2030-2099 x'))
        changed = self.schedules.schedule_set(base.uid(1), pattern='@daily')
        self.assertEqual(
            (base.uid(1), '@daily'), (changed.id, changed.pattern)
        )

    def test_what_no_trigger_made_here_could_carry_is_refused(self) -> None:
        for values in (
            {'name': 'n' * 120},
            {'name': 'a\nb'},
            {'instance': 'orders'},
        ):
            with self.case(values):
                row = trigger(1, workflow_input=our_input('mine') | values)
                self.triggers[:] = [row]
                self._refused(base.uid(1), keep=3)
                self.assertEqual([row], self.triggers)

    def test_a_name_that_is_too_long_may_be_changed(self) -> None:
        self.triggers.append(trigger(1, workflow_input=our_input('n' * 120)))
        changed = self.schedules.schedule_set(base.uid(1), name='shorter')
        self.assertEqual(('shorter', base.uid(1)), (changed.name, changed.id))


class TestScheduleRun(AdapterTestCase):
    def test_it_runs_with_what_is_set_and_is_known_as_its_own(self) -> None:
        self.triggers += [
            our_trigger(1),
            trigger(2, name=base.uid(22)),
            trigger(3, workflow_input=our_input('mine')),
        ]
        self.schedules.schedule_set('mine', keep=3)
        for given, number in (
            (schedule_id(1), 1),
            (base.uid(22), 2),
            ('mine', 3),
        ):
            with self.case(given):
                shown = self.schedules.schedule_show(given)
                run = self.schedules.schedule_run(given)
                self.assertEqual(
                    ('RUNNING', True, shown.id, shown.trigger_id, shown.input),
                    (
                        run.state,
                        run.manual,
                        run.schedule_id,
                        run.trigger_id,
                        run.input,
                    ),
                )
                self.assertEqual([run], self.schedules.execution_list(given))
                self.assertEqual(
                    [run], self.schedules.execution_list(shown.id)
                )
                self.assertEqual(number, len(self.executions))

    def test_one_that_is_disabled_can_be_run(self) -> None:
        self.triggers.append(our_trigger(1))
        self.schedules.schedule_set('nightly', enabled=False)
        run = self.schedules.schedule_run('nightly')
        self.assertEqual(schedule_id(1), run.schedule_id)
        self.assertFalse(self.schedules.schedule_show('nightly').enabled)

    def test_the_answer_is_lost_and_it_is_run_once(self) -> None:
        self.triggers.append(our_trigger(1))
        for answer in TestLostAnswer.LOST:
            for acted in (False, True):
                with self.case(answer, acted):
                    self.executions.clear()
                    self.http.reset_mock()
                    lost = [answer]

                    def act(
                        request: Any,
                        lost: list[Any] = lost,
                        acted: bool = acted,
                    ) -> bool:
                        if not lost:
                            return False
                        lost.clear()
                        if acted:
                            self.mistral.start(request, None)
                        return True

                    self.http.post(
                        EXECUTIONS, additional_matcher=act, **answer
                    )
                    run = self.schedules.schedule_run('nightly')
                    self.assertEqual(
                        [run.id], [row['id'] for row in self.executions]
                    )
                    first, second = self.posted()
                    self.assertEqual(first, second)

    def test_what_is_refused(self) -> None:
        self.triggers.append(our_trigger(1))
        for status, words, expected in (
            (404, 'Workflow not found', exceptions.NotFoundError),
            (400, 'Invalid input [x]', exceptions.OutdatedError),
            (400, 'Something else', exceptions.ServiceError),
            (403, 'Policy', exceptions.AuthorizationError),
        ):
            with self.case(status, words):
                self.http.reset_mock()
                self.http.post(
                    EXECUTIONS, status_code=status, json={'faultstring': words}
                )
                self.assertRaises(
                    expected, self.schedules.schedule_run, 'nightly'
                )
                self.assertEqual(1, len(self.posted()))


class TestSchedulePrune(AdapterTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.triggers.append(our_trigger(1))
        self.backups(
            *(fakes.our_backup(number, 1) for number in (1, 3, 4, 5)),
            # It builds on the first, and goes with that one.
            fakes.our_backup(2, 1, parent_id=fakes.our_backup(1, 1)['id']),
            fakes.our_backup(6, 2),
            fakes.backup(BACKUP),
        )
        self.deleted: list[str] = []
        for number in range(1, 7):
            identifier = fakes.our_backup(number, 1)['id']
            self.http.delete(
                f'{base.TROVE}/backups/{identifier}',
                text=self._delete,
                status_code=202,
            )

    def _delete(self, request: Any, context: Any) -> str:
        self.deleted.append(request.path.rpartition('/')[2])
        return ''

    def _pruned(self, **options: Any) -> tuple[list[int], list[int]]:
        """Give the numbers of what is removed, and of what is asked for."""
        self.deleted.clear()
        decisions = self.schedules.schedule_prune('nightly', **options)
        self.assertEqual(
            [5, 4, 3, 2, 1],
            [int(each.backup.id[-3:], 16) for each in decisions],
        )
        return (
            [
                int(each.backup.id[-3:], 16)
                for each in decisions
                if each.remove
            ],
            [int(identifier[-3:], 16) for identifier in self.deleted],
        )

    def test_those_that_are_too_many_go(self) -> None:
        for keep, removed, asked_for in (
            (5, [], []),
            (4, [], []),
            (3, [2, 1], [1]),
            (1, [4, 3, 2, 1], [4, 3, 1]),
        ):
            with self.case(keep):
                self.assertEqual((removed, asked_for), self._pruned(keep=keep))
                self.assertEqual(
                    (removed, []), self._pruned(keep=keep, dry_run=True)
                )

    def test_how_many_may_be_set_for_the_schedule(self) -> None:
        self.schedules.schedule_set('nightly', keep=3)
        self.assertEqual(([2, 1], [1]), self._pruned())
        self.assertEqual(([3, 2, 1], [3, 1]), self._pruned(keep=2))

    def test_without_a_number_nothing_is_removed(self) -> None:
        for keep in (None, 0, -1):
            with self.case(keep):
                self.assertRaises(
                    exceptions.InvalidValueError,
                    self.schedules.schedule_prune,
                    'nightly',
                    keep=keep,
                )
        self.assertEqual([], self.sent(base.TROVE))

    def test_while_the_backups_keep_changing_nothing_is_removed(self) -> None:
        self.http.get(
            f'{base.TROVE}/backups',
            [
                {'json': {'backups': [fakes.our_backup(n, 1)]}}
                for n in range(1, 9)
            ],
        )
        self.assertRaises(
            exceptions.ConflictError,
            self.schedules.schedule_prune,
            'nightly',
            keep=1,
        )
        self.assertEqual([], self.deleted)

    def test_somebody_else_was_quicker(self) -> None:
        self.http.delete(
            f'{base.TROVE}/backups/{fakes.our_backup(1, 1)["id"]}',
            status_code=404,
        )
        self.assertEqual(([3, 2, 1], [3]), self._pruned(keep=2))

    def test_one_that_can_not_be_removed_keeps_no_other(self) -> None:
        stays = fakes.our_backup(3, 1)['id']
        self.http.delete(f'{base.TROVE}/backups/{stays}', status_code=403)
        exc = self.assertRaises(
            exceptions.ServiceError,
            self.schedules.schedule_prune,
            'nightly',
            keep=1,
        )
        self.assertIn(stays, str(exc))
        self.assertEqual(
            [fakes.our_backup(number, 1)['id'] for number in (4, 1)],
            self.deleted,
        )


class TestScheduleCheck(AdapterTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.backups()
        # It has just been created, and has not run.
        created = {'created_at': f'{fakes.NOW:%F %T}'}
        self.triggers += [
            our_trigger(1, **created),
            our_trigger(2, 'weekly', **created),
        ]

    def _checked(self, *args: Any, **options: Any) -> list[tuple[Any, ...]]:
        return [
            (each.schedule and each.schedule.name, each.verdict)
            for each in self.schedules.schedule_check(*args, **options)
        ]

    def test_all_or_those_that_are_named(self) -> None:
        nightly = ('nightly', health.Verdict.OK)
        weekly = ('weekly', health.Verdict.OK)
        self.assertEqual([nightly, weekly], self._checked())
        self.assertEqual([weekly], self._checked(['weekly']))
        self.assertEqual(
            [weekly, nightly], self._checked(['weekly', schedule_id(1)])
        )
        self.assertEqual([nightly, weekly], self._checked(instance='orders'))
        self.assertEqual(
            [(None, health.Verdict.CRITICAL)],
            self._checked(instance='billing'),
        )
        self.assertRaises(
            exceptions.NotFoundError, self._checked, ['weekly', 'none']
        )

    def test_instances_without_any(self) -> None:
        bare = (None, health.Verdict.CRITICAL)
        for names, options in (
            ([], {}),
            (['weekly'], {}),
            ([], {'instance': 'orders'}),
        ):
            with self.case(names, options):
                found = self._checked(names, all_instances=True, **options)
                self.assertEqual(
                    [*self._checked(names, **options), bare], found
                )
        self.assertEqual(
            [bare], self._checked(all_instances=True, instance='billing')
        )
        self.triggers.append(our_trigger(3, instance=fakes.OTHER_INSTANCE))
        self.assertNotIn(bare, self._checked(all_instances=True))

    def test_a_backup_that_is_too_old(self) -> None:
        self.backups(fakes.our_backup(1, 1), fakes.our_backup(2, 2))
        age = datetime.timedelta(hours=12)
        self.assertEqual(
            {health.Verdict.OK},
            {verdict for _name, verdict in self._checked(max_age=age)},
        )
        self.assertEqual(
            {health.Verdict.CRITICAL},
            {verdict for _name, verdict in self._checked(max_age=age / 2)},
        )

    def test_runs_that_were_missed(self) -> None:
        self.mistral.now += datetime.timedelta(days=2)
        (checked,) = self.schedules.schedule_check(['nightly'])
        self.assertEqual(health.Verdict.CRITICAL, checked.verdict)
        self.assertEqual(2, len(checked.missed))


class TestDeclared(AdapterTestCase):
    """Files in, files out."""

    def setUp(self) -> None:
        super().setUp()
        self.backups(fakes.backup(BACKUP))

    def _actions(self, text: str, **options: Any) -> list[tuple[str, Any]]:
        return [
            (
                each.action,
                each.schedule.id if each.schedule else each.instance,
            )
            for each in self.schedules.schedule_difference(text, **options)
        ]

    @staticmethod
    def _file(*entries: dict[str, Any], **top: Any) -> str:
        plain = {'name': 'nightly', 'pattern': '0 3 * * *'}
        text: str = yaml.safe_dump(
            {'schedules': [plain | entry for entry in entries], **top}
        )
        return text

    def test_what_is_exported_is_there_already(self) -> None:
        self.triggers += [
            our_trigger(1),
            our_trigger(2, 'another: 100 %', instance=fakes.OTHER_INSTANCE),
            our_trigger(3, instance=GONE),
            trigger(4),
        ]
        self.schedules.schedule_set(
            schedule_id(1), incremental=True, full_every=6, keep=3
        )
        self.schedules.schedule_set(
            schedule_id(2), parent_id=None, enabled=False
        )
        text, left_out = self.schedules.schedule_export()
        self.assertEqual([], left_out)
        for name in ('orders', 'billing', GONE):
            self.assertIn(f'instance: {name}\n', text)
        self.assertEqual(
            {'unchanged'}, {action for action, _ in self._actions(text)}
        )
        self.assertEqual(4, len(self._actions(text, prune=True)))

    def test_what_is_exported_can_be_made_again(self) -> None:
        self.triggers.append(our_trigger(1))
        self.schedules.schedule_set(
            'nightly', keep=3, count=5, description='each night'
        )
        before = self.schedules.schedule_show('nightly')
        text, _left_out = self.schedules.schedule_export()
        self.triggers.clear()
        for change in self.schedules.schedule_difference(text):
            self.schedules.schedule_apply(change)
        (after,) = self.schedules.schedule_list()
        self.assertEqual(
            settings.Settings.of(before), settings.Settings.of(after)
        )

    def test_an_instance_alone(self) -> None:
        self.triggers += [
            our_trigger(1),
            our_trigger(2, instance=fakes.OTHER_INSTANCE),
        ]
        for given, name in (
            ('orders', 'orders'),
            (fakes.INSTANCE, 'orders'),
        ):
            with self.case(given):
                text, _ = self.schedules.schedule_export(instance=given)
                self.assertEqual(name, yaml.safe_load(text)['instance'])
                self.assertEqual(
                    [('unchanged', schedule_id(1))],
                    self._actions(text, prune=True),
                )
        self.assertEqual(
            [('delete', schedule_id(1))],
            self._actions(self._file(instance='orders'), prune=True),
        )

    def test_an_instance_by_its_id_in_capitals(self) -> None:
        known, gone = base.uid(0xABC), base.uid(0xDEF)
        self.instances(fakes.instance(known))
        for each in (known.upper(), gone):
            self.http.get(f'{base.TROVE}/instances/{each}', status_code=404)
        self.triggers += [
            our_trigger(1, instance=known),
            our_trigger(2, instance=gone),
        ]
        for number, given, written in (
            (1, known, 'orders'),
            (2, gone, gone),
        ):
            with self.case(given):
                text, _ = self.schedules.schedule_export(
                    instance=given.upper()
                )
                self.assertEqual(written, yaml.safe_load(text)['instance'])
                self.assertEqual(
                    [('unchanged', schedule_id(number))],
                    self._actions(text, prune=True),
                )

    def test_a_file_about_one_instance_may_name_it_in_two_ways(self) -> None:
        self.triggers.append(our_trigger(1))
        for only, entry in (
            ('orders', fakes.INSTANCE),
            (fakes.INSTANCE, 'orders'),
        ):
            with self.case(only):
                text = self._file({'instance': entry}, instance=only)
                self.assertEqual(
                    [('unchanged', schedule_id(1))], self._actions(text)
                )

    def test_a_file_about_one_instance_has_no_other(self) -> None:
        for only, entry in (
            ('orders', 'billing'),
            ('orders', fakes.OTHER_INSTANCE),
            (fakes.INSTANCE, 'billing'),
        ):
            with self.case(only, entry):
                exc = self.assertRaises(
                    exceptions.InvalidValueError,
                    self._actions,
                    self._file({'instance': entry}, instance=only),
                )
                self.assertIn(f'{entry}/nightly', str(exc))
                self.assertIn(f'another instance than "{only}"', str(exc))

    def test_a_name_that_is_not_unique_is_not_written(self) -> None:
        self.instances(fakes.instance(), fakes.instance(fakes.OTHER_INSTANCE))
        self.triggers.append(our_trigger(1))
        text, _ = self.schedules.schedule_export(instance=fakes.INSTANCE)
        self.assertNotIn('orders', text)
        self.assertEqual([('unchanged', schedule_id(1))], self._actions(text))
        self.assertRaises(
            exceptions.NotUniqueError,
            self._actions,
            self._file({'instance': 'orders'}),
        )

    def test_what_no_file_can_declare_is_told(self) -> None:
        self.triggers += [
            our_trigger(1),
            trigger(2, pattern='* * * * * *'),
        ]
        text, left_out = self.schedules.schedule_export()
        self.assertEqual(1, len(yaml.safe_load(text)['schedules']))
        (reason,) = left_out
        self.assertIn(base.uid(2), str(reason))

    def test_what_is_to_be_done(self) -> None:
        self.triggers += [
            our_trigger(1),
            our_trigger(2, 'another'),
            our_trigger(3, 'more'),
            trigger(4),
        ]
        text = self._file(
            {'instance': 'orders', 'keep': 3},
            {'instance': fakes.INSTANCE, 'name': 'another'},
            {'instance': 'billing', 'name': 'new'},
        )
        done = [
            ('change', schedule_id(1)),
            ('unchanged', schedule_id(2)),
            ('create', fakes.OTHER_INSTANCE),
        ]
        self.assertEqual(
            [*done, ('left', schedule_id(3)), ('left', base.uid(4))],
            self._actions(text),
        )
        self.assertEqual(
            [*done, ('delete', schedule_id(3)), ('left', base.uid(4))],
            self._actions(text, prune=True),
        )
        self.assertEqual([], self.posted())
        for change in self.schedules.schedule_difference(text, prune=True):
            self.schedules.schedule_apply(change)
        self.assertEqual(
            [
                ('another', fakes.INSTANCE, None),
                ('by-hand', fakes.INSTANCE, None),
                ('new', fakes.OTHER_INSTANCE, None),
                ('nightly', fakes.INSTANCE, 3),
            ],
            [
                (each.name, each.instance, each.keep)
                for each in self.schedules.schedule_list()
            ],
        )

    def test_a_parent_is_looked_up(self) -> None:
        self.triggers.append(our_trigger(1))
        for parent in ('base', BACKUP):
            with self.case(parent):
                (change,) = self.schedules.schedule_difference(
                    self._file({'instance': 'orders', 'parent': parent})
                )
                self.assertEqual({'parent_id': (None, BACKUP)}, change.changes)
        self.schedules.schedule_apply(change)
        shown = self.schedules.schedule_show('nightly')
        self.assertEqual(BACKUP, shown.parent_id)
        self.assertRaises(
            exceptions.InvalidValueError,
            self._actions,
            self._file({'instance': 'billing', 'parent': 'base'}),
        )

    def test_a_first_time_counts_while_it_is_to_come(self) -> None:
        for minutes, expected in (
            (-5, datetime.datetime(2030, 1, 2, 3, tzinfo=datetime.UTC)),
            (0, datetime.datetime(2030, 1, 2, 3, tzinfo=datetime.UTC)),
            (5, fakes.NOW + datetime.timedelta(minutes=5)),
        ):
            with self.case(minutes):
                self.triggers.clear()
                moment = fakes.NOW + datetime.timedelta(minutes=minutes)
                (change,) = self.schedules.schedule_difference(
                    self._file(
                        {
                            'instance': 'orders',
                            'first_time': moment.isoformat(),
                        }
                    )
                )
                self.schedules.schedule_apply(change)
                shown = self.schedules.schedule_show('nightly')
                self.assertEqual(expected, shown.next_execution_time)

    def _planned(self, *entries: dict[str, Any]) -> list[declared.Change]:
        return self.schedules.schedule_difference(self._file(*entries))

    def _rival(self, *rows: fakes.Row) -> None:
        """Have somebody else create triggers just before we do."""

        def act(request: Any) -> None:
            if request.method == 'POST':
                self.mistral.before = None
                self.triggers.extend(rows)

        self.mistral.before = act

    def test_what_is_there_by_now_stays_alone(self) -> None:
        (change,) = self._planned({'instance': 'orders'})
        there = our_trigger(1)
        self.triggers[:] = [there]
        exc = self.assertRaises(
            exceptions.ConflictError, self.schedules.schedule_apply, change
        )
        self.assertIn('"nightly" of orders at the same', str(exc))
        self.assertEqual([there], self.triggers)

    def test_of_two_who_create_it_at_the_same_time_one_gives_way(self) -> None:
        (change,) = self._planned({'instance': 'orders'})
        rival = our_trigger(1)
        self._rival(rival)
        self.assertRaises(
            exceptions.ConflictError, self.schedules.schedule_apply, change
        )
        self.assertEqual(1, len(self.posted()))
        self.assertEqual([rival], self.triggers)
        self.assertEqual('', self.log.output)

    def test_others_of_the_instance_or_the_name_are_no_twins(self) -> None:
        (change,) = self._planned({'instance': 'orders'})
        self._rival(
            our_trigger(1, 'weekly'),
            our_trigger(2, instance=fakes.OTHER_INSTANCE),
        )
        self.schedules.schedule_apply(change)
        self.assertEqual(3, len(self.triggers))

    def test_as_many_as_are_declared_are_created(self) -> None:
        self.triggers.append(our_trigger(1))
        planned = self._planned(*[{'instance': 'orders'}] * 3)
        for change in planned:
            self.schedules.schedule_apply(change)
        self.assertEqual(3, len(self.triggers))
        for change in planned[1:]:
            self.assertRaises(
                exceptions.ConflictError, self.schedules.schedule_apply, change
            )
        self.assertEqual(3, len(self.triggers))

    def test_it_cannot_be_told_whether_it_is_the_only_one(self) -> None:
        (change,) = self._planned({'instance': 'orders'})

        def create(request: Any, context: Any) -> fakes.Row:
            self.http.get(
                TRIGGERS, status_code=500, json={'faultstring': 'Lost'}
            )
            return self.mistral.create(request, context)

        self.http.post(TRIGGERS, json=create, status_code=201)
        self.schedules.schedule_apply(change)
        (made,) = self.triggers
        self.assertIn('If it is there twice, delete ', self.log.output)
        self.assertIn(made['name'].split(':')[3], self.log.output)
        self.assertIn('Lost', self.log.output)

    def test_a_twin_that_stays_is_told(self) -> None:
        (change,) = self._planned({'instance': 'orders'})
        self._rival(our_trigger(1))
        self.http.delete(re.compile(TRIGGERS), status_code=403)
        self.assertRaises(
            exceptions.ConflictError, self.schedules.schedule_apply, change
        )
        _, made = self.triggers
        self.assertIn('If it is there twice, delete ', self.log.output)
        self.assertIn(made['name'].split(':')[3], self.log.output)

    def test_instances_that_are_not_there(self) -> None:
        for text in (
            self._file({'instance': 'none'}),
            self._file({'instance': GONE}),
            self._file(instance='none'),
        ):
            with self.case(text):
                self.assertRaises(
                    exceptions.NotFoundError, self._actions, text
                )
        # Without a schedule nothing is known of it.
        self.triggers.append(our_trigger(1, instance=GONE))
        self.assertEqual(
            [('unchanged', schedule_id(1))],
            self._actions(self._file({'instance': GONE})),
        )


class ExecutionTestCase(AdapterTestCase):
    def ids(self, *args: Any, **options: Any) -> list[str]:
        found = self.schedules.execution_list(*args, **options)
        return [each.id for each in found]

    def runs(self, *numbers: int) -> list[str]:
        return [base.uid(0xE000 + number) for number in numbers]


class TestExecutionList(ExecutionTestCase):
    def test_those_of_the_project_newest_first(self) -> None:
        self.executions += [
            execution(1, base.uid(77)),
            execution(3),
            execution(2, workflow_name='report'),
            execution(4, base.uid(1)),
            execution(5, project_id=base.OTHER_PROJECT),
        ]
        self.assertEqual(self.runs(4, 3, 1), self.ids())

    def test_twins_with_equal_input_keep_apart(self) -> None:
        self.triggers += [trigger(1, name='a'), trigger(2, name='b')]
        self.executions += [
            execution(1, base.uid(1)),
            execution(2, base.uid(2)),
            execution(3, base.uid(1)),
        ]
        self.assertEqual(self.runs(3, 1), self.ids('a'))
        self.assertEqual(self.runs(2), self.ids('b'))

    def test_only_what_the_trigger_started_counts(self) -> None:
        self.triggers.append(trigger(1))
        words: dict[str, Any] = {
            'plain': f'instead of {base.uid(1)}',
            'list': f'["{base.uid(1)}"]',
            'other': f'{{"triggered_by": {{"type": "x", "id": "{base.uid(1)}"'
            '}}',
            'nested': f'{{"description": "{base.uid(1)}"}}',
        }
        self.executions.append(execution(1, base.uid(1)))
        self.executions += [
            execution(n, description=text)
            for n, text in enumerate(words.values(), 2)
        ]
        self.executions += [
            execution(10, description=None),
            execution(11, description=''),
            execution(12, base.uid(1), workflow_name='report'),
        ]
        for schedule in ('by-hand', base.uid(1)):
            with self.case(schedule):
                self.assertEqual(self.runs(1), self.ids(schedule))

    def test_those_of_all_triggers_that_have_carried_it(self) -> None:
        first = our_trigger(1)
        third = successor(first, 3)
        self.triggers += [third, our_trigger(2, 'other')]
        self.executions += [
            run_of(1, first),
            run_of(2, successor(first, 2)),
            run_of(3, our_trigger(2)),
            run_of(4, third),
            run_of(5, first, description='by hand'),
            run_of(6, first, workflow_name='report'),
            # Whoever copies the input has not started the schedule's own.
            execution(7, input=first['workflow_input']),
        ]
        for schedule in ('nightly', schedule_id(1), third['id']):
            with self.case(schedule):
                self.assertEqual(self.runs(5, 4, 2, 1), self.ids(schedule))

    def test_those_from_before_others_schedules_were_changed_here(
        self,
    ) -> None:
        self.triggers += [trigger(1, name=base.uid(11)), trigger(2)]
        self.executions += [
            execution(1, base.uid(1)),
            execution(2, base.uid(2)),
        ]
        for schedule, number in ((base.uid(11), 1), (base.uid(2), 2)):
            with self.case(schedule):
                made = self.schedules.schedule_set(schedule, keep=3)
                self.assertEqual(schedule, made.id)
                self.executions.append(run_of(number + 10, self.triggers[-1]))
                for _ in range(2):
                    found = self.schedules.execution_list(schedule)
                    self.assertEqual(
                        self.runs(number + 10, number),
                        [each.id for each in found],
                    )
                    self.assertEqual(
                        {schedule}, {each.schedule_id for each in found}
                    )
                    self.schedules.schedule_set(schedule, keep=4)

    def test_the_schedule_is_told_for_triggers_of_others_too(self) -> None:
        self.triggers += [trigger(1, name=base.uid(11)), our_trigger(2)]
        self.executions += [
            execution(1, base.uid(1)),
            run_of(2, our_trigger(2)),
        ]
        for schedule in (base.uid(11), schedule_id(2)):
            with self.case(schedule):
                (run,) = self.schedules.execution_list(schedule)
                self.assertEqual(schedule, run.schedule_id)

    def test_those_of_an_instance_are_merged_newest_first(self) -> None:
        self.triggers += [
            our_trigger(1, 'a'),
            trigger(2),
            our_trigger(3, 'c', instance=fakes.OTHER_INSTANCE),
        ]
        at_once = {'created_at': '2030-01-01 00:00:05'}
        self.executions += [
            run_of(1, our_trigger(1)),
            execution(2, base.uid(2)),
            run_of(3, our_trigger(3)),
            run_of(4, our_trigger(1)),
            execution(6, base.uid(2), **at_once),
            run_of(5, our_trigger(1), **at_once),
            run_of(7, our_trigger(1), **at_once),
            execution(8, base.uid(2)),
            execution(9),
        ]
        expected = self.runs(8, 5, 6, 7, 4, 2, 1)
        self.assertEqual(expected, self.ids(instance='orders'))
        for limit in (0, 1, 3, 5, 99):
            with self.case(limit):
                self.assertEqual(
                    expected[:limit],
                    self.ids(instance='orders', limit=limit),
                )
        for place, marker in enumerate(expected, 1):
            with self.case(marker):
                self.assertEqual(
                    expected[place:],
                    self.ids(instance='orders', marker=marker),
                )

    def test_those_of_an_instance_that_is_gone(self) -> None:
        self.triggers.append(our_trigger(1, instance=GONE))
        self.executions.append(run_of(1, our_trigger(1)))
        self.assertEqual(self.runs(1), self.ids(instance=GONE))
        self.assertEqual(self.runs(1), self.ids('nightly', instance=GONE))

    def test_those_of_a_schedule_that_is_gone(self) -> None:
        gone = schedule_id(9)
        self.executions += [
            run_of(1, our_trigger(9)),
            execution(2, base.uid(2)),
            execution(3, description=f'like {base.uid(2)}'),
        ]
        self.assertEqual(self.runs(1), self.ids(gone))
        # The page after the last one is empty.
        (last,) = self.runs(1)
        self.assertEqual([], self.ids(gone, marker=last))
        # One that was made by other means is known by its trigger.
        self.assertEqual(self.runs(2), self.ids(base.uid(2)))
        for unknown in (base.uid(99), 'gone'):
            with self.case(unknown):
                self.assertRaises(exceptions.NotFoundError, self.ids, unknown)

    def test_each_of_one_that_is_gone_comes_once(self) -> None:
        self.triggers.append(trigger(1))
        self.executions.append(execution(1, base.uid(1)))
        changed = self.schedules.schedule_set('by-hand', keep=3)
        run = self.schedules.schedule_run(changed)
        self.schedules.schedule_delete(changed)
        self.assertEqual([run.id, *self.runs(1)], self.ids(base.uid(1)))

    def test_a_schedule_and_its_instance(self) -> None:
        self.triggers.append(our_trigger(1))
        self.executions.append(run_of(1, our_trigger(1)))
        self.assertEqual(self.runs(1), self.ids('nightly', instance='orders'))
        exc = self.assertRaises(
            exceptions.InvalidValueError,
            self.ids,
            'nightly',
            instance='billing',
        )
        self.assertIn('is not of the instance', str(exc))

    def test_limit_and_marker(self) -> None:
        self.triggers += [our_trigger(1), trigger(2)]
        made_here = [run_of(n, our_trigger(1)) for n in range(1, 6)]
        by_others = [execution(n, base.uid(2)) for n in range(1, 6)]
        # These match Mistral's filters, and are none of the schedules.
        alike = [
            execution(n, description=f'like {base.uid(2)}')
            for n in range(6, 9)
        ]
        expected = self.runs(5, 4, 3, 2, 1)
        for schedule, runs in (('nightly', made_here), ('by-hand', by_others)):
            self.executions[:] = runs + alike
            for most in (1000, 2):
                self.mistral.most = most
                for limit in (None, 0, 1, 2, 4, 99):
                    with self.case(schedule, most, limit):
                        self.assertEqual(
                            expected[:limit], self.ids(schedule, limit=limit)
                        )
                for place, marker in enumerate(expected, 1):
                    with self.case(schedule, most, marker):
                        self.assertEqual(
                            expected[place:], self.ids(schedule, marker=marker)
                        )

    def test_few_are_asked_for_where_few_are_wanted(self) -> None:
        self.executions += [execution(n) for n in range(1, 50)]
        self.assertEqual(self.runs(49, 48), self.ids(limit=2))
        (asked,) = self.sent(base.MISTRAL)
        self.assertEqual('2', base.query(asked)['limit'])

    def test_markers_that_are_not_there(self) -> None:
        self.triggers.append(our_trigger(1))
        for marker in ('none', '../x', base.uid(99)):
            for where in (
                {},
                {'schedule': 'nightly'},
                {'instance': 'orders'},
            ):
                with self.case(marker, where):
                    self.assertRaises(
                        exceptions.NotFoundError,
                        self.ids,
                        marker=marker,
                        **where,
                    )

    def test_schedules_and_instances_that_are_not_there(self) -> None:
        for where in ({'schedule': 'none'}, {'instance': 'none'}):
            with self.case(where):
                self.assertRaises(exceptions.NotFoundError, self.ids, **where)

    def test_several_schedules_of_the_name(self) -> None:
        self.triggers += [our_trigger(1), our_trigger(2)]
        self.executions.append(run_of(1, our_trigger(1)))
        self.assertRaises(exceptions.NotUniqueError, self.ids, 'nightly')


class TestAdminExecutionList(ExecutionTestCase):
    ROLES = ['admin']

    def test_an_admin_sees_the_own_project(self) -> None:
        self.executions += [
            execution(1),
            execution(2, project_id=base.OTHER_PROJECT),
        ]
        self.assertEqual(self.runs(1), self.ids())

    def test_those_of_other_projects_are_left_alone(self) -> None:
        self.executions.append(execution(1, project_id=base.OTHER_PROJECT))
        (run,) = self.runs(1)
        for method in (
            self.schedules.execution_show,
            self.schedules.execution_delete,
        ):
            with self.case(method):
                self.assertRaises(exceptions.NotFoundError, method, run)
        self.assertEqual(1, len(self.executions))


class TestExecutionShowAndDelete(ExecutionTestCase):
    def test_show(self) -> None:
        self.executions.append(
            execution(1, base.uid(1), state='ERROR', state_info='Reason')
        )
        (run,) = self.runs(1)
        found = self.schedules.execution_show(run)
        self.assertEqual(
            (run, 'ERROR', 'Reason', base.uid(1)),
            (found.id, found.state, found.state_info, found.trigger_id),
        )
        self.assertEqual(found, self.schedules.execution_show(found))

    def test_what_ended_can_be_deleted(self) -> None:
        for state in ('SUCCESS', 'ERROR', 'CANCELLED', 'SKIPPED'):
            with self.case(state):
                self.executions[:] = [execution(1, state=state), execution(2)]
                self.schedules.execution_delete(self.runs(1)[0])
                self.assertEqual(
                    self.runs(2), [row['id'] for row in self.executions]
                )

    def test_what_has_not_ended_cannot(self) -> None:
        for state in ('RUNNING', 'IDLE', 'PAUSED', 'RUNNING_DELAYED'):
            with self.case(state):
                self.executions[:] = [execution(1, state=state)]
                exc = self.assertRaises(
                    exceptions.ConflictError,
                    self.schedules.execution_delete,
                    self.runs(1)[0],
                )
                self.assertIn(f'is {state}', str(exc))
                self.assertEqual(1, len(self.executions))

    def test_executions_of_other_workflows_are_left_alone(self) -> None:
        self.executions.append(execution(1, workflow_name='report'))
        for method in (
            self.schedules.execution_show,
            self.schedules.execution_delete,
        ):
            with self.case(method):
                exc = self.assertRaises(
                    exceptions.RefusedError, method, self.runs(1)[0]
                )
                self.assertIn('it runs the workflow report', str(exc))
        self.assertEqual(1, len(self.executions))

    def test_what_is_not_there(self) -> None:
        for text in (base.uid(99), 'none', '', '../cron_triggers/x'):
            for method in (
                self.schedules.execution_show,
                self.schedules.execution_delete,
            ):
                with self.case(text, method):
                    exc = self.assertRaises(
                        exceptions.NotFoundError, method, text
                    )
                    self.assertIn(
                        f'No execution with the ID "{text}"', str(exc)
                    )

    def test_what_can_be_no_id_is_not_asked_for(self) -> None:
        self.assertRaises(
            exceptions.NotFoundError, self.schedules.execution_show, '../x'
        )
        self.assertEqual([], self.sent(base.MISTRAL))

    def test_somebody_else_was_quicker(self) -> None:
        self.executions.append(execution(1))
        (run,) = self.runs(1)
        self.http.delete(f'{EXECUTIONS}/{run}', status_code=404, json=MISSING)
        self.schedules.execution_delete(run)
        self.assertEqual(1, len(self.executions))

    def test_an_execution_is_gone_though_the_answer_was_lost(self) -> None:
        self.executions.append(execution(1))
        (run,) = self.runs(1)
        self.http.delete(f'{EXECUTIONS}/{run}', exc=base.dropped())
        self.http.get(
            f'{EXECUTIONS}/{run}',
            [
                {'json': self.executions[0]},
                {'status_code': 404, 'json': MISSING},
            ],
        )
        self.schedules.execution_delete(run)


class TestWithBackups(ExecutionTestCase):
    """The state of a run's backup at present."""

    def setUp(self) -> None:
        super().setUp()
        self.triggers.append(our_trigger(1))
        made = fakes.our_backup(1, 1, status='SAVING')
        self.backups(made)
        self.made = made['id']
        self.executions.append(
            run_of(
                1,
                our_trigger(1),
                output={'backup_id': self.made, 'backup_status': 'BUILDING'},
            )
        )

    def test_it_is_told_where_it_is_asked_for(self) -> None:
        for asked, status in ((False, 'BUILDING'), (True, 'SAVING')):
            with self.case(asked):
                (found,) = self.schedules.execution_list(
                    'nightly', with_backups=asked
                )
                self.assertEqual(
                    (self.made, status), (found.backup_id, found.backup_status)
                )
                self.assertEqual(
                    found,
                    self.schedules.execution_show(found, with_backups=asked),
                )

    def test_a_run_is_followed_until_its_backup_has_ended(self) -> None:
        (row,) = self.executions
        row.update(state='RUNNING', output={})
        seen = []
        (run,) = self.runs(1)
        for found in self.schedules.execution_follow(run, interval=5):
            seen.append((found.state, found.backup_status))
            if found.state == 'RUNNING':
                row.update(state='SUCCESS', output={'backup_id': self.made})
            else:
                self.backups(fakes.our_backup(1, 1))
        self.assertEqual(
            [
                ('RUNNING', 'SAVING'),
                ('SUCCESS', 'SAVING'),
                ('SUCCESS', 'COMPLETED'),
            ],
            seen,
        )
        waited = self.mistral.now - fakes.NOW
        self.assertEqual(datetime.timedelta(seconds=10), waited)

    def _fail_for(self, minutes: float, url: str, **answer: Any) -> None:
        """Have a service fail for a time, and the backup end meanwhile."""
        self.http.get(url, **answer)
        end = fakes.NOW + datetime.timedelta(minutes=minutes)

        def sleep(seconds: float) -> None:
            self.mistral.now += datetime.timedelta(seconds=seconds)
            if self.mistral.now > end:
                self.http.get(
                    f'{EXECUTIONS}/{self.runs(1)[0]}', json=self.executions[0]
                )
                self.backups(fakes.our_backup(1, 1))

        patched = mock.patch('trove_backup_schedule.adapter.time.sleep', sleep)
        self.addCleanup(patched.stop)
        patched.start()

    def test_a_fault_that_passes_is_waited_out(self) -> None:
        (run,) = self.runs(1)
        for url in (f'{base.TROVE}/backups', f'{EXECUTIONS}/{run}'):
            for answer in (
                {'status_code': 503},
                {'exc': base.dropped()},
                {'exc': requests.ConnectTimeout},
            ):
                with self.case(url, answer):
                    self.mistral.now = fakes.NOW
                    self._fail_for(4, url, **answer)
                    (found,) = self.schedules.execution_follow(run)
                    self.assertEqual('COMPLETED', found.backup_status)
                    self.assertEqual('', self.log.output)

    def test_a_fault_that_lasts_is_told(self) -> None:
        (run,) = self.runs(1)
        self._fail_for(6, f'{base.TROVE}/backups', status_code=500)
        follow = self.schedules.execution_follow(run)
        self.assertRaises(exceptions.ServiceError, list, follow)

    def test_what_will_not_pass_is_told_at_once(self) -> None:
        (run,) = self.runs(1)
        for status in (401, 403, 404):
            with self.case(status):
                self._fail_for(1, f'{base.TROVE}/backups', status_code=status)
                follow = self.schedules.execution_follow(run)
                self.assertRaises(exceptions.ScheduleError, list, follow)
                self.assertEqual(fakes.NOW, self.mistral.now)

    def test_one_that_is_paused_does_not_go_on_by_itself(self) -> None:
        (row,) = self.executions
        row.update(state='PAUSED', output={})
        (run,) = self.runs(1)
        (found,) = self.schedules.execution_follow(run)
        self.assertEqual('PAUSED', found.state)

    def test_a_run_that_ended_without_a_backup_is_not_followed(self) -> None:
        (row,) = self.executions
        row.update(state='ERROR', output={})
        (run,) = self.runs(1)
        (found,) = self.schedules.execution_follow(run)
        self.assertIsNone(found.backup_status)


class WorkbookTestCase(AdapterTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.loaded = self.mistral.rows['workbooks']
        self.http.post(WORKBOOKS, json=self._put, status_code=201)
        self.http.put(WORKBOOKS, json=self._put)

    def _put(self, request: Any, context: Any) -> fakes.Row:
        return self.load(
            request.text or request.body.decode(),
            scope=base.query(request)['scope'],
        )

    def load(self, text: str, **changes: Any) -> fakes.Row:
        row = {
            'id': base.uid(0xF0),
            'name': 'trove',
            'definition': text,
            'scope': 'private',
            'project_id': base.PROJECT,
            'created_at': '2030-01-01 00:00:00',
            'updated_at': None,
            **changes,
        }
        self.loaded[:] = [row]
        self.mistral.rows['workflows'][:] = [
            {
                'id': base.uid(0xF1),
                'name': f'trove.{name}',
                'created_at': '2030-01-01 00:00:00',
                'project_id': row['project_id'],
                'scope': row['scope'],
                'definition': yaml.safe_dump({name: workflow}),
            }
            for name, workflow in yaml.safe_load(text)['workflows'].items()
        ]
        return row

    def writes(self) -> list[Any]:
        return [
            each for each in self.sent(base.MISTRAL) if each.method != 'GET'
        ]


OLDER = """\
---
version: '2.0'
name: trove
workflows:
  backup_create:
    input: [instance, name, description, parent_id]
    tasks: {a: {action: std.noop}}
"""

WITH_OTHERS = f"""{OLDER}
  report:
    tasks: {{a: {{action: std.noop}}}}
actions:
  notify: {{base: std.echo}}
"""


class TestWorkbookShow(WorkbookTestCase):
    def test_nothing_is_loaded(self) -> None:
        exc = self.assertRaises(
            exceptions.NotFoundError, self.schedules.workbook_show
        )
        self.assertIn('openstack database backup workbook install', str(exc))

    def test_the_packaged_one(self) -> None:
        self.load(workbook.definition(), updated_at='2030-01-02 00:00:00')
        self.assertEqual(
            models.Workbook(
                name='trove',
                scope='private',
                project_id=base.PROJECT,
                workflows=['backup_create'],
                current=True,
                created_at=datetime.datetime(2030, 1, 1, tzinfo=datetime.UTC),
                updated_at=datetime.datetime(2030, 1, 2, tzinfo=datetime.UTC),
            ),
            self.schedules.workbook_show(),
        )

    def test_what_is_not_current(self) -> None:
        for text, workflows in (
            (OLDER, ['backup_create']),
            (WITH_OTHERS, ['backup_create', 'report']),
            (f'{workbook.definition()}\n# mine\n', ['backup_create']),
        ):
            with self.case(text):
                self.load(text)
                found = self.schedules.workbook_show()
                self.assertFalse(found.current)
                self.assertEqual(workflows, found.workflows)

    def test_white_space_at_the_end_makes_no_difference(self) -> None:
        self.load(f'{workbook.definition().rstrip()}\n\n')
        self.assertTrue(self.schedules.workbook_show().current)

    def test_without_its_workflow_it_is_not_current(self) -> None:
        self.load(workbook.definition())
        self.mistral.rows['workflows'].clear()
        self.assertFalse(self.schedules.workbook_show().current)


class TestWorkbookInstall(WorkbookTestCase):
    def test_a_fresh_one(self) -> None:
        for public, scope in ((False, 'private'), (True, 'public')):
            with self.case(public):
                self.loaded.clear()
                self.http.reset_mock()
                found, changed = self.schedules.workbook_install(public=public)
                self.assertTrue(changed)
                self.assertTrue(found.current)
                self.assertEqual(scope, found.scope)
                (sent,) = self.writes()
                self.assertEqual('POST', sent.method)
                self.assertEqual(workbook.definition(), sent.text)

    def test_the_same_again_changes_nothing(self) -> None:
        for scope, public in (
            ('private', False),
            ('public', False),
            ('public', True),
        ):
            with self.case(scope, public):
                self.load(workbook.definition(), scope=scope)
                found, changed = self.schedules.workbook_install(public=public)
                self.assertFalse(changed)
                self.assertEqual(scope, found.scope)
        self.assertEqual([], self.writes())

    def test_what_differs_is_updated_and_stays_public(self) -> None:
        for text, scope, public, expected in (
            (OLDER, 'private', False, 'private'),
            (OLDER, 'private', True, 'public'),
            (OLDER, 'public', False, 'public'),
            (workbook.definition(), 'private', True, 'public'),
        ):
            with self.case(text, scope, public):
                self.load(text, scope=scope)
                self.http.reset_mock()
                found, changed = self.schedules.workbook_install(public=public)
                self.assertTrue(changed)
                self.assertTrue(found.current)
                self.assertEqual(expected, found.scope)
                (sent,) = self.writes()
                self.assertEqual('PUT', sent.method)

    def test_a_workflow_that_was_deleted_is_brought_back(self) -> None:
        self.load(workbook.definition())
        self.mistral.rows['workflows'].clear()
        found, changed = self.schedules.workbook_install()
        self.assertTrue(changed)
        self.assertTrue(found.current)

    def test_a_public_one_of_another_project(self) -> None:
        owner = {'scope': 'public', 'project_id': base.OTHER_PROJECT}
        self.load(workbook.definition(), **owner)
        found, changed = self.schedules.workbook_install()
        self.assertFalse(changed)
        self.assertEqual(base.OTHER_PROJECT, found.project_id)
        self.load(OLDER, **owner)
        for force in (False, True):
            with self.case(force):
                exc = self.assertRaises(
                    exceptions.RefusedError,
                    self.schedules.workbook_install,
                    force=force,
                )
                self.assertIn(f'project {base.OTHER_PROJECT}', str(exc))
        self.assertEqual([], self.writes())

    def test_other_parts_are_kept_unless_forced(self) -> None:
        self.load(WITH_OTHERS)
        exc = self.assertRaises(
            exceptions.RefusedError, self.schedules.workbook_install
        )
        self.assertIn('also defines notify, report.', str(exc))
        self.assertIn('--force', str(exc))
        self.assertEqual([], self.writes())
        found, changed = self.schedules.workbook_install(force=True)
        self.assertTrue(changed)
        self.assertEqual(['backup_create'], found.workflows)

    def test_schedules_that_would_fall_silent_stop_it(self) -> None:
        self.load(OLDER)
        odd = {'instance': fakes.INSTANCE, 'name': 'x', 'retain': 3}
        self.triggers += [
            our_trigger(1),
            trigger(2),
            trigger(3, workflow_input=odd),
            trigger(4, workflow_input=odd, workflow_name='report'),
            trigger(5, workflow_input='no JSON'),
            trigger(6, workflow_input={'instance': 'i', 'backup_name': 'b'}),
        ]
        exc = self.assertRaises(
            exceptions.RefusedError, self.schedules.workbook_install
        )
        self.assertIn('input of 3 existing cron triggers', str(exc))
        self.assertIn('trigger-3, trigger-5, trigger-6', str(exc))
        self.assertEqual([], self.writes())
        _, changed = self.schedules.workbook_install(force=True)
        self.assertTrue(changed)

    def test_a_workflow_without_a_workbook_is_no_free_place(self) -> None:
        self.load(OLDER)
        self.loaded.clear()
        self.triggers.append(trigger(1, workflow_input='{"db": "x"}'))
        self.assertRaises(
            exceptions.RefusedError, self.schedules.workbook_install
        )
        self.assertEqual([], self.writes())
        self.triggers.clear()
        _, changed = self.schedules.workbook_install()
        self.assertTrue(changed)

    def test_a_workflow_that_was_changed_is_brought_back(self) -> None:
        self.load(workbook.definition())
        (row,) = self.mistral.rows['workflows']
        for text in ('backup_create: {input: [db]}', 'version: 2', ''):
            with self.case(text):
                row['definition'] = text
                self.assertFalse(self.schedules.workbook_show().current)
        _, changed = self.schedules.workbook_install()
        self.assertTrue(changed)

    def test_a_member_looks_at_the_own_project_only(self) -> None:
        self.load(OLDER)
        self.schedules.workbook_install()
        for each in self.sent(TRIGGERS):
            self.assertNotIn('all_projects', base.query(each))

    def test_somebody_else_has_loaded_it_in_between(self) -> None:
        for theirs, changed in ((workbook.definition(), False), (OLDER, True)):
            with self.case(theirs):
                self.loaded.clear()
                self.theirs = theirs
                self.http.post(WORKBOOKS, json=self._conflict, status_code=409)
                found = self.schedules.workbook_install()
                self.assertEqual(changed, found[1])
                self.assertTrue(found[0].current)

    def _conflict(self, request: Any, context: Any) -> fakes.Row:
        self.load(self.theirs)
        return {'faultstring': 'Duplicate entry'}

    def test_a_conflict_with_something_that_is_not_seen(self) -> None:
        self.http.post(
            WORKBOOKS, json={'faultstring': 'Duplicate'}, status_code=409
        )
        exc = self.assertRaises(
            exceptions.ConflictError, self.schedules.workbook_install
        )
        self.assertIn('Duplicate', str(exc))

    def test_what_the_cloud_forbids(self) -> None:
        self.http.post(WORKBOOKS, text=HTML, status_code=403)
        self.assertRaises(
            exceptions.AuthorizationError,
            self.schedules.workbook_install,
            public=True,
        )

    def test_where_the_project_is_not_known(self) -> None:
        client = mistralclient.Client(
            mistral_url=base.MISTRAL, auth_token='given'
        )
        self.load(OLDER, scope='public')
        _, changed = self.schedules.workbook_install(client)
        self.assertTrue(changed)


class TestAdminWorkbook(WorkbookTestCase):
    ROLES = ['admin']

    def test_a_private_one_of_others_is_not_shown(self) -> None:
        self.load(workbook.definition(), project_id=base.OTHER_PROJECT)
        self.assertRaises(
            exceptions.NotFoundError, self.schedules.workbook_show
        )

    def test_the_own_one_goes_before_those_of_others(self) -> None:
        theirs = self.load(OLDER, project_id=base.OTHER_PROJECT)
        public = {**theirs, 'id': base.uid(0xF2), 'scope': 'public'}
        own = self.load(workbook.definition(), id=base.uid(0xF3))
        self.loaded[:] = [theirs, public, own]
        self.assertEqual(
            base.PROJECT, self.schedules.workbook_show().project_id
        )
        self.loaded[:] = [theirs, public]
        self.assertEqual('public', self.schedules.workbook_show().scope)

    def test_none_is_saved_where_it_could_hit_that_of_others(self) -> None:
        theirs = self.load(OLDER, project_id=base.OTHER_PROJECT)
        their_workflows = [*self.mistral.rows['workflows']]
        own = self.load(OLDER, id=base.uid(0xF3))
        for workbooks, workflows in (
            ([theirs], their_workflows),
            ([], their_workflows),
            ([theirs, own], []),
        ):
            self.loaded[:] = workbooks
            self.mistral.rows['workflows'][:] = workflows
            for force in (False, True):
                with self.case(workbooks, force):
                    exc = self.assertRaises(
                        exceptions.RefusedError,
                        self.schedules.workbook_install,
                        force=force,
                    )
                    self.assertIn(base.OTHER_PROJECT, str(exc))
                    self.assertIn('without the admin role', str(exc))
        self.assertEqual([], self.writes())

    def test_silenced_schedules_of_all_projects_stop_it(self) -> None:
        self.load(OLDER, scope='public')
        self.triggers.append(
            trigger(
                1,
                project_id=base.OTHER_PROJECT,
                workflow_input={'instance': 'i', 'name': 'x', 'retain': 3},
            )
        )
        exc = self.assertRaises(
            exceptions.RefusedError, self.schedules.workbook_install
        )
        self.assertIn('trigger-1', str(exc))

    def test_a_private_workflow_of_others_does_not_count(self) -> None:
        self.load(workbook.definition())
        (row,) = self.mistral.rows['workflows']
        row['project_id'] = base.OTHER_PROJECT
        self.assertFalse(self.schedules.workbook_show().current)
