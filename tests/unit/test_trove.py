# SPDX-License-Identifier: Apache-2.0

import contextlib
import io
from typing import Any
from unittest import mock

from keystoneauth1 import fixture as ksa_fixture
from keystoneauth1 import noauth
import requests
from troveclient.v1 import client as troveclient

from tests.unit import base
from tests.unit import fakes
from trove_backup_schedule import exceptions
from trove_backup_schedule import models
from trove_backup_schedule import trove

INSTANCES = f'{base.TROVE}/instances'
BACKUPS = f'{base.TROVE}/backups'
BACKUP = base.uid(0xB)

# What Trove sends with 403.
FORBIDDEN = '<html><head><title>403 Forbidden</title></head></html>'


class TestMakeClient(base.CloudTestCase):
    def _url_for(self, **options: Any) -> str:
        client = trove.make_client(self.session(), **options)
        return str(client.client.management_url)

    def test_the_catalogue_is_asked(self) -> None:
        token = self.log_in()
        token.add_service('database').add_standard_endpoints(
            public='http://west.example/v1.0/x', region='West'
        )
        for options, expected in (
            ({}, base.TROVE),
            (
                {'interface': 'internal'},
                'http://trove.internal/v1.0/project',
            ),
            ({'region_name': 'West'}, 'http://west.example/v1.0/x'),
        ):
            with self.case(options):
                self.assertEqual(expected, self._url_for(**options))

    def test_a_given_url_wins(self) -> None:
        url = 'http://elsewhere.example/v1.0/x'
        self.assertEqual(url, self._url_for(endpoint=url))

    def test_not_in_the_catalogue_region_or_interface(self) -> None:
        for services, options in (
            (['workflowv2'], {}),
            (['workflowv2', 'database'], {'region_name': 'East'}),
            (['workflowv2', 'database'], {'interface': 'admin'}),
        ):
            with self.case(services, options):
                self.log_in(services=services)
                exc = self.assertRaises(
                    exceptions.ServiceUnavailableError,
                    self._url_for,
                    **options,
                )
                self.assertIn('Trove is not in the service', str(exc))

    def test_no_catalogue_and_no_url(self) -> None:
        session = self.session(noauth.NoAuth())
        self.assertRaises(
            exceptions.ServiceUnavailableError, trove.make_client, session
        )

    def test_a_refused_login(self) -> None:
        self.http.post(f'{base.KEYSTONE}/auth/tokens', status_code=401)
        self.assertRaises(exceptions.AuthorizationError, self._url_for)


class TroveTestCase(base.CloudTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.trove = trove.Trove(trove.make_client(self.session()))
        self.http.reset_mock()

    def _instances(self, *rows: fakes.Row) -> None:
        self.http.get(INSTANCES, json={'instances': list(rows)})
        for row in rows:
            self.http.get(f'{INSTANCES}/{row["id"]}', json={'instance': row})

    def _backups(self, *rows: fakes.Row) -> None:
        self.http.get(BACKUPS, json={'backups': list(rows)})
        for row in rows:
            self.http.get(f'{BACKUPS}/{row["id"]}', json={'backup': row})

    def _urls(self) -> list[str]:
        return [each.url.partition('?')[0] for each in self.sent(base.TROVE)]


class TestInstances(TroveTestCase):
    def test_an_instance_of_the_project(self) -> None:
        self._instances(fakes.instance())
        self.assertEqual(
            models.Instance(
                id=fakes.INSTANCE,
                name='orders',
                status='ACTIVE',
                project_id=None,
            ),
            self.trove.instance(fakes.INSTANCE),
        )

    def test_an_admin_is_told_the_project(self) -> None:
        self._instances(fakes.instance(tenant_id=base.PROJECT))
        found = self.trove.instance(fakes.INSTANCE)
        self.assertEqual(base.PROJECT, found.project_id)

    def test_all_pages_are_read_and_nothing_else(self) -> None:
        link = f'{INSTANCES}?limit=1&marker={fakes.INSTANCE}'
        self.http.get(
            INSTANCES,
            [
                {
                    'json': {
                        'instances': [fakes.instance()],
                        'links': [
                            {'rel': 'self', 'href': INSTANCES},
                            {'rel': 'next', 'href': link},
                        ],
                    }
                },
                {
                    'json': {
                        'instances': [fakes.instance(fakes.OTHER_INSTANCE)],
                        'links': [],
                    }
                },
            ],
        )
        self.assertEqual(
            [fakes.INSTANCE, fakes.OTHER_INSTANCE],
            [each.id for each in self.trove.instances()],
        )
        self.assertEqual(
            [None, fakes.INSTANCE],
            [base.query(each).get('marker') for each in self.sent(base.TROVE)],
        )

    def test_an_id_is_asked_for_directly(self) -> None:
        self._instances(fakes.instance())
        found = self.trove.find_instance(fakes.INSTANCE)
        self.assertEqual(fakes.INSTANCE, found.id)
        self.assertEqual([f'{INSTANCES}/{fakes.INSTANCE}'], self._urls())

    def test_a_name_is_looked_for_in_the_list(self) -> None:
        for name in ('orders', '../backups', 'a b', base.uid(77)):
            with self.case(name):
                self.http.get(f'{INSTANCES}/{base.uid(77)}', status_code=404)
                self._instances(
                    fakes.instance(name=name),
                    fakes.instance(fakes.OTHER_INSTANCE, name=f'{name}-2'),
                )
                found = self.trove.find_instance(name)
                self.assertEqual(fakes.INSTANCE, found.id)
                self.assertEqual(INSTANCES, self._urls()[-1])

    def test_none_or_several_of_a_name(self) -> None:
        self._instances(fakes.instance(), fakes.instance(fakes.OTHER_INSTANCE))
        exc = self.assertRaises(
            exceptions.NotUniqueError, self.trove.find_instance, 'orders'
        )
        self.assertIn('More than one instance', str(exc))
        self.assertIn(fakes.OTHER_INSTANCE, str(exc))
        for name in ('Orders', 'order', ''):
            with self.case(name):
                self.assertRaises(
                    exceptions.NotFoundError, self.trove.find_instance, name
                )

    def test_a_forbidden_id_is_not_looked_for_by_name(self) -> None:
        self.http.get(
            f'{INSTANCES}/{fakes.INSTANCE}', status_code=403, text=FORBIDDEN
        )
        self.assertRaises(
            exceptions.AuthorizationError,
            self.trove.find_instance,
            fakes.INSTANCE,
        )


class TestBackups(TroveTestCase):
    def test_a_backup(self) -> None:
        self._backups(fakes.backup(BACKUP, description='by hand'))
        self.assertEqual(
            models.Backup(
                id=BACKUP,
                name='base',
                status='COMPLETED',
                instance_id=fakes.INSTANCE,
                description='by hand',
            ),
            self.trove.backup(BACKUP),
        )

    def test_every_page_is_of_the_instance(self) -> None:
        link = f'{BACKUPS}?limit=1&marker={BACKUP}'
        links = [{'rel': 'next', 'href': link}]
        self.http.get(
            BACKUPS,
            [
                {'json': {'backups': [fakes.backup(BACKUP)], 'links': links}},
                {'json': {'backups': [fakes.backup(base.uid(0xC))]}},
            ],
        )
        found = list(self.trove.backups(fakes.INSTANCE))
        self.assertEqual([BACKUP, base.uid(0xC)], [each.id for each in found])
        self.assertEqual(
            [
                {'instance_id': fakes.INSTANCE, 'limit': '1000'},
                {
                    'instance_id': fakes.INSTANCE,
                    'limit': '1000',
                    'marker': BACKUP,
                },
            ],
            [base.query(each) for each in self.sent(base.TROVE)],
        )

    def test_a_backup_is_found_by_id_or_name(self) -> None:
        self._backups(
            fakes.backup(BACKUP), fakes.backup(base.uid(0xC), name='other')
        )
        for text in (BACKUP, 'base'):
            with self.case(text):
                self.assertEqual(BACKUP, self.trove.find_backup(text).id)

    def test_none_or_several_of_a_name(self) -> None:
        self._backups(fakes.backup(BACKUP), fakes.backup(base.uid(0xC)))
        self.assertRaises(
            exceptions.NotUniqueError, self.trove.find_backup, 'base'
        )
        self.http.get(f'{BACKUPS}/{base.uid(0xD)}', status_code=404)
        for text in ('none', base.uid(0xD)):
            with self.case(text):
                exc = self.assertRaises(
                    exceptions.NotFoundError, self.trove.find_backup, text
                )
                self.assertIn(
                    f'No backup with the name or ID "{text}"', str(exc)
                )

    def _readings(self, *readings: list[fakes.Row]) -> None:
        self.http.get(
            BACKUPS, [{'json': {'backups': rows}} for rows in readings]
        )

    def test_a_list_is_settled_when_it_is_read_twice_alike(self) -> None:
        first, second = fakes.backup(BACKUP), fakes.backup(base.uid(0xC))
        saving = {**second, 'status': 'SAVING'}
        for readings, expected in (
            ([[], []], []),
            ([[first], [first]], [first]),
            # What changes goes to the front.
            ([[first, second], [second, first]], [second, first]),
            (
                [[first, saving], [second, first], [second, first]],
                [first, second],
            ),
            ([[first], [second, first], [first], [first]], [first]),
        ):
            with self.case(readings):
                self.http.reset_mock()
                self._readings(*readings)
                found = self.trove.settled_backups()
                self.assertEqual(
                    sorted((each['id'], each['status']) for each in expected),
                    sorted((each.id, each.status) for each in found),
                )
                self.assertEqual(len(readings), len(self._urls()))

    def test_a_list_that_does_not_settle_is_not_given(self) -> None:
        rows = [fakes.backup(base.uid(number)) for number in range(9)]
        self._readings(*(rows[:number] for number in range(9)))
        exc = self.assertRaises(
            exceptions.ConflictError, self.trove.settled_backups
        )
        self.assertIn('keep changing', str(exc))
        self.assertEqual(5, len(self._urls()))

    def test_a_backup_is_deleted(self) -> None:
        for status in (202, 404):
            with self.case(status):
                self.http.reset_mock()
                self.http.delete(f'{BACKUPS}/{BACKUP}', status_code=status)
                self.trove.backup_delete(BACKUP)
                self.assertEqual([f'{BACKUPS}/{BACKUP}'], self._urls())

    def test_a_backup_that_cannot_be_deleted(self) -> None:
        for status, expected in (
            (403, exceptions.AuthorizationError),
            (422, exceptions.ServiceError),
            (500, exceptions.ServiceError),
        ):
            with self.case(status):
                self.http.delete(f'{BACKUPS}/{BACKUP}', status_code=status)
                self.assertRaises(expected, self.trove.backup_delete, BACKUP)


class TestFailures(TroveTestCase):
    def _get(self, **answer: Any) -> None:
        self.http.get(f'{INSTANCES}/{fakes.INSTANCE}', **answer)
        self.trove.instance(fakes.INSTANCE)

    def _list(self, **answer: Any) -> None:
        self.http.get(INSTANCES, **answer)
        list(self.trove.instances())

    def test_each_status_has_its_class(self) -> None:
        said = {'itemNotFound': {'code': 1, 'message': 'So it is'}}
        for status, expected in (
            (401, exceptions.AuthorizationError),
            (403, exceptions.AuthorizationError),
            (404, exceptions.NotFoundError),
            (400, exceptions.ServiceError),
            (422, exceptions.ServiceError),
            (500, exceptions.ServiceError),
        ):
            for ask in (self._get, self._list):
                with self.case(status, ask):
                    exc = self.assertRaises(
                        expected,
                        ask,
                        status_code=status,
                        json=said,
                        headers={'Content-Type': 'application/json'},
                    )
                    self.assertTrue(str(exc).startswith('Trove '))
                    if status != requests.codes.unauthorized:
                        self.assertIn('So it is.', str(exc))

    def test_too_many_requests_are_made_again(self) -> None:
        limited = {
            'overLimit': {
                'code': 413,
                'message': 'This request was rate-limited.',
            }
        }
        for status in (413, 429):
            with self.case(status), mock.patch('time.sleep') as sleep:
                self.http.get(
                    BACKUPS,
                    [
                        *[{'status_code': status, 'json': limited}] * 3,
                        {'json': {'backups': [fakes.backup(BACKUP)]}},
                    ],
                )
                (found,) = self.trove.backups()
                self.assertEqual(BACKUP, found.id)
                self.assertEqual(3, sleep.call_count)

    def test_too_many_requests_for_too_long(self) -> None:
        self.http.delete(
            f'{BACKUPS}/{BACKUP}',
            status_code=413,
            json={'overLimit': {'message': 'This request was rate-limited.'}},
        )
        with mock.patch('time.sleep') as sleep:
            exc = self.assertRaises(
                exceptions.ServiceError, self.trove.backup_delete, BACKUP
            )
        self.assertEqual(413, exc.status)
        self.assertEqual(60, sleep.call_count)

    def test_html_is_not_shown(self) -> None:
        for status in (403, 404, 500, 503):
            with self.case(status):
                exc = self.assertRaises(
                    exceptions.ScheduleError,
                    self._get,
                    status_code=status,
                    text=FORBIDDEN,
                    headers={'Content-Type': 'text/html'},
                )
                self.assertNotIn('<', str(exc))

    def test_json_of_another_form(self) -> None:
        for body in ({}, {'message': None}, {'error': 'text'}, ['x'], 'x'):
            with self.case(body):
                self.assertRaises(
                    exceptions.ServiceError,
                    self._get,
                    status_code=500,
                    json=body,
                    headers={'Content-Type': 'application/json'},
                )

    def test_answers_that_make_no_sense(self) -> None:
        answers: tuple[dict[str, Any], ...] = (
            {'text': FORBIDDEN},
            {'json': []},
            {'json': {'a': 1}},
        )
        for answer in answers:
            for ask in (self._get, self._list):
                with self.case(answer, ask):
                    exc = self.assertRaises(
                        exceptions.ServiceError, ask, **answer
                    )
                    self.assertIsNone(exc.status)

    def test_nobody_listens(self) -> None:
        for ask in (self._get, self._list):
            with self.case(ask):
                exc = self.assertRaises(
                    exceptions.ServiceUnavailableError,
                    ask,
                    exc=base.refused(),
                )
                self.assertIn("Trove can't be reached", str(exc))


class TestOwnClient(base.TestCase):
    """A python-troveclient client that logs in by itself."""

    def test_a_refused_login(self) -> None:
        url = 'http://keystone.example/v2.0'
        self.http.post(f'{url}/tokens', status_code=401)
        client = troveclient.Client('alice', 'wrong', 'shop', auth_url=url)
        self.assertRaises(
            exceptions.AuthorizationError,
            list,
            trove.Trove(client).instances(),
        )

    def test_no_trove_in_the_catalogue(self) -> None:
        url = 'http://keystone.example/v2.0'
        token = ksa_fixture.V2Token()
        token.set_scope()
        token.add_service('compute').add_endpoint('http://nova.example')
        self.http.post(f'{url}/tokens', json=token)
        client = troveclient.Client('alice', 'secret', 'shop', auth_url=url)
        self.assertRaises(
            exceptions.ScheduleError, list, trove.Trove(client).instances()
        )

    def test_several_troves_in_the_catalogue(self) -> None:
        url = 'http://keystone.example/v2.0'
        token = ksa_fixture.V2Token()
        token.set_scope()
        service = token.add_service('database')
        service.add_endpoint('http://east.example', region='East')
        service.add_endpoint('http://west.example', region='West')
        self.http.post(f'{url}/tokens', json=token)
        client = troveclient.Client('alice', 'secret', 'shop', auth_url=url)
        with contextlib.redirect_stdout(io.StringIO()):
            self.assertRaises(
                exceptions.ServiceError,
                list,
                trove.Trove(client).instances(),
            )
