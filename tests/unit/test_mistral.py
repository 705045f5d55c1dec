# SPDX-License-Identifier: Apache-2.0

import json
from typing import Any

import fixtures
from keystoneauth1 import fixture as ksa_fixture
from keystoneauth1 import identity
from keystoneauth1 import noauth
from keystoneauth1 import token_endpoint
from keystoneauth1.identity import v3
from mistralclient.api.v2 import client as mistralclient
import requests

from tests.unit import base
from tests.unit import fakes
from trove_backup_schedule import exceptions
from trove_backup_schedule import mistral

TRIGGERS = f'{base.MISTRAL}/cron_triggers'
EXECUTIONS = f'{base.MISTRAL}/executions'
WORKBOOKS = f'{base.MISTRAL}/workbooks'

HTML = '<html><body>Oh no</body></html>'

# Names that would lead somewhere else if they got into a path as they are.
AWKWARD = {
    '../workbooks': '..%2Fworkbooks',
    'a/b': 'a%2Fb',
    'a?b=c': 'a%3Fb%3Dc',
    'a#b': 'a%23b',
    'a b': 'a%20b',
    'a%2Fb': 'a%252Fb',
    'nächtlich': 'n%C3%A4chtlich',
    '备份': '%E5%A4%87%E4%BB%BD',
    'a:b': 'a%3Ab',
}


class TestMakeClient(base.CloudTestCase):
    def _url_for(self, **options: Any) -> str:
        client = mistral.make_client(self.session(), **options)
        return str(client.cron_triggers.http_client.base_url)

    def test_the_catalogue_is_asked(self) -> None:
        token = self.log_in()
        service = token.add_service('workflowv2')
        service.add_standard_endpoints(
            public='http://west.example/v2', region='West'
        )
        for options, expected in (
            ({}, base.MISTRAL),
            ({'interface': 'public'}, base.MISTRAL),
            ({'interface': 'internal'}, 'http://mistral.internal/v2'),
            ({'region_name': 'RegionOne'}, base.MISTRAL),
            ({'region_name': 'West'}, 'http://west.example/v2'),
        ):
            with self.case(options):
                self.assertEqual(expected, self._url_for(**options))

    def test_a_given_url_wins_and_saves_the_login(self) -> None:
        for url, expected in (
            ('http://m.example', 'http://m.example/v2'),
            ('http://m.example/', 'http://m.example/v2'),
            ('http://m.example/v2', 'http://m.example/v2'),
            ('http://m.example/v2/', 'http://m.example/v2'),
            ('http://m.example/workflow', 'http://m.example/workflow/v2'),
        ):
            with self.case(url):
                self.assertEqual(expected, self._url_for(endpoint=url))
        self.assertEqual([], self.http.request_history)

    def test_not_in_the_catalogue(self) -> None:
        self.log_in(services=['database'])
        for options in ({}, {'interface': 'internal'}):
            with self.case(options):
                exc = self.assertRaises(
                    exceptions.ServiceUnavailableError,
                    self._url_for,
                    **options,
                )
                self.assertIn('Mistral is not in the service', str(exc))

    def test_not_in_the_region_or_for_the_interface(self) -> None:
        for options in ({'region_name': 'East'}, {'interface': 'admin'}):
            with self.case(options):
                self.assertRaises(
                    exceptions.ServiceUnavailableError,
                    self._url_for,
                    **options,
                )

    def test_no_catalogue_and_no_url(self) -> None:
        session = self.session(noauth.NoAuth())
        self.assertRaises(
            exceptions.ServiceUnavailableError, mistral.make_client, session
        )

    def test_a_refused_login(self) -> None:
        self.http.post(f'{base.KEYSTONE}/auth/tokens', status_code=401)
        self.assertRaises(exceptions.AuthorizationError, self._url_for)

    def test_a_wrong_address_of_keystone_is_no_missing_object(self) -> None:
        self.http.post(f'{base.KEYSTONE}/auth/tokens', status_code=404)
        exc = self.assertRaises(exceptions.ScheduleError, self._url_for)
        self.assertNotIsInstance(exc, exceptions.NotFoundError)


class TestPlugins(base.CloudTestCase):
    """Every way to log in leads to the same requests."""

    def test_any_login_will_do(self) -> None:
        url = base.KEYSTONE
        self.http.get(url, json={'version': ksa_fixture.V3Discovery(href=url)})
        self.http.get(TRIGGERS, json={'cron_triggers': []})
        domains: dict[str, Any] = {
            'user_domain_name': 'Users',
            'project_domain_name': 'Projects',
        }
        user: dict[str, Any] = {'username': 'alice', 'password': 'secret'}
        for auth, method in (
            (v3.Password(url, **user, project_name='shop', **domains), 'pass'),
            (
                identity.Password(url, **user, project_name='shop', **domains),
                'password',
            ),
            (v3.Token(url, 'given', project_id=base.PROJECT), 'token'),
            (
                v3.ApplicationCredential(
                    url,
                    application_credential_id='id',
                    application_credential_secret='secret',
                ),
                'application_credential',
            ),
        ):
            with self.case(auth):
                self.http.reset_mock()
                client = mistral.make_client(self.session(auth))
                made = mistral.Mistral(client)
                self.assertEqual([], list(made.triggers()))
                self.assertEqual(base.PROJECT, made.project_id)
                self.assertFalse(made.sees_other_projects())
                login, *_ = self.sent(f'{url}/auth')
                methods = login.json()['auth']['identity']['methods']
                self.assertIn(method, methods[0])
                (asked,) = self.sent(base.MISTRAL)
                self.assertEqual(
                    'token-of-login', asked.headers['X-Auth-Token']
                )

    def test_domains_are_not_lost(self) -> None:
        mistral.make_client(self.session())
        (login,) = self.sent(base.KEYSTONE)
        auth = login.json()['auth']
        self.assertEqual(
            {'name': 'Users'},
            auth['identity']['password']['user']['domain'],
        )
        self.assertEqual(
            {'name': 'shop', 'domain': {'name': 'Projects'}},
            auth['scope']['project'],
        )

    def test_where_the_project_is_not_known_nothing_is_filtered(
        self,
    ) -> None:
        self.http.get(TRIGGERS, json={'cron_triggers': []})
        self.http.get(EXECUTIONS, json={'executions': []})
        for auth in (
            token_endpoint.Token(base.MISTRAL, 'given'),
            noauth.NoAuth(endpoint=base.MISTRAL),
        ):
            with self.case(auth):
                self.http.reset_mock()
                made = mistral.Mistral(mistral.make_client(self.session(auth)))
                self.assertIsNone(made.project_id)
                self.assertFalse(made.sees_other_projects())
                list(made.triggers())
                list(made.executions())
                for request in self.sent(base.MISTRAL):
                    self.assertNotIn('project_id', base.query(request))

    def test_a_given_project_is_filtered_by(self) -> None:
        self.http.get(TRIGGERS, json={'cron_triggers': []})
        auth = token_endpoint.Token(base.MISTRAL, 'given')
        client = mistral.make_client(self.session(auth))
        list(mistral.Mistral(client, base.OTHER_PROJECT).triggers())
        (asked,) = self.sent(base.MISTRAL)
        self.assertEqual(base.OTHER_PROJECT, base.query(asked)['project_id'])


class MistralTestCase(base.CloudTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.useFixture(
            fixtures.MonkeyPatch(
                'trove_backup_schedule.mistral._SETTLING', (0.0,)
            )
        )
        self.mistral = self._mistral()

    def _mistral(self) -> mistral.Mistral:
        return mistral.Mistral(mistral.make_client(self.session()))

    def _asked(self) -> list[dict[str, str]]:
        """Give the queries sent to Mistral, without the list of fields."""
        queries = [base.query(each) for each in self.sent(base.MISTRAL)]
        for each in queries:
            self.assertIn('id', each.pop('fields').split(','))
        return queries


class TestLists(MistralTestCase):
    def test_cron_triggers_are_asked_for_by_project(self) -> None:
        rows = [fakes.our_trigger(1)]
        self.http.get(TRIGGERS, json={'cron_triggers': rows})
        self.assertEqual(rows, list(self.mistral.triggers(name='has:x&y=z')))
        self.assertEqual(
            [
                {
                    'name': 'has:x&y=z',
                    'project_id': base.PROJECT,
                    'limit': '1000',
                }
            ],
            self._asked(),
        )

    def test_cron_triggers_of_all_projects(self) -> None:
        self.http.get(TRIGGERS, json={'cron_triggers': []})
        list(self.mistral.triggers(all_projects=True))
        self.assertEqual(
            [{'all_projects': 'true', 'limit': '1000'}], self._asked()
        )

    def test_cron_triggers_may_be_sorted(self) -> None:
        self.http.get(TRIGGERS, json={'cron_triggers': []})
        list(self.mistral.triggers(sort_keys='name'))
        (asked,) = self._asked()
        self.assertEqual('name', asked['sort_keys'])

    def test_executions_come_newest_first(self) -> None:
        rows = [fakes.execution(1)]
        self.http.get(EXECUTIONS, json={'executions': rows})
        found = list(self.mistral.executions(description='has:x'))
        self.assertEqual(rows, found)
        self.assertEqual(
            [
                {
                    'description': 'has:x',
                    'limit': '1000',
                    'sort_keys': 'created_at',
                    'sort_dirs': 'desc',
                }
            ],
            self._asked(),
        )

    def test_only_an_admin_filters_executions_by_project(self) -> None:
        self.http.get(EXECUTIONS, json={'executions': []})
        for roles, project in (
            (['member'], None),
            (['reader', 'administrator'], None),
            (['member', 'admin'], base.PROJECT),
        ):
            with self.case(roles):
                self.log_in(roles)
                self.http.reset_mock()
                list(self._mistral().executions())
                (asked,) = self._asked()
                self.assertEqual(project, asked.get('project_id'))

    def test_workflows(self) -> None:
        rows = [{'id': 'w1'}]
        self.http.get(f'{base.MISTRAL}/workflows', json={'workflows': rows})
        self.assertEqual(rows, self.mistral.workflows('a.b'))
        self.assertEqual([{'name': 'a.b', 'limit': '1000'}], self._asked())


class TestPaging(MistralTestCase):
    """Mistral may give fewer rows than asked for."""

    def _pages(self, *pages: tuple[list[int], bool]) -> None:
        self.http.get(
            TRIGGERS,
            [
                {
                    'json': {'cron_triggers': [{'id': n} for n in numbers]}
                    | ({'next': 'http://inside.example/x'} if more else {})
                }
                for numbers, more in pages
            ],
        )

    def test_pages_are_followed_by_marker_while_there_is_a_next(
        self,
    ) -> None:
        for pages, expected, markers in (
            ([([], False)], [], [None]),
            ([([1, 2], False)], [1, 2], [None]),
            ([([1, 2], True), ([], False)], [1, 2], [None, '2']),
            ([([1, 2], True), ([], True)], [1, 2], [None, '2']),
            ([([1], True), ([2], True), ([3], False)], [1, 2, 3], '-12'),
        ):
            with self.case(pages):
                self.http.reset_mock()
                self._pages(*pages)
                rows = list(self.mistral.triggers())
                self.assertEqual(expected, [row['id'] for row in rows])
                asked = self._asked()
                self.assertEqual(
                    [None if each == '-' else each for each in markers],
                    [each.get('marker') for each in asked],
                )
                self.assertEqual({'1000'}, {each['limit'] for each in asked})

    def test_the_next_page_is_fetched_when_it_is_needed(self) -> None:
        self._pages(([1, 2], True), ([3], False))
        rows = self.mistral.triggers(page=2)
        self.assertEqual([], self.sent(base.MISTRAL))
        self.assertEqual([1, 2], [next(rows)['id'], next(rows)['id']])
        self.assertEqual(1, len(self.sent(base.MISTRAL)))
        self.assertEqual(3, next(rows)['id'])
        self.assertEqual(2, len(self.sent(base.MISTRAL)))

    def test_the_size_of_a_page_and_the_first_marker(self) -> None:
        for page, limit in (
            (None, '1000'),
            (5, '5'),
            (1000, '1000'),
            (99999, '1000'),
        ):
            with self.case(page):
                self.http.reset_mock()
                self._pages(([3], False))
                list(self.mistral.triggers(page=page, marker='m2'))
                (asked,) = self._asked()
                self.assertEqual(
                    (limit, 'm2'), (asked['limit'], asked['marker'])
                )


class TestObjects(MistralTestCase):
    def test_identifiers_are_escaped_in_paths(self) -> None:
        for name, escaped in AWKWARD.items():
            with self.case(name):
                self.http.reset_mock()
                self.http.get(
                    f'{TRIGGERS}/{escaped}',
                    json={'project_id': base.PROJECT, 'name': name},
                )
                self.http.delete(f'{TRIGGERS}/{escaped}', status_code=204)
                self.http.get(
                    f'{EXECUTIONS}/{escaped}',
                    json={'project_id': base.PROJECT},
                )
                self.http.delete(f'{EXECUTIONS}/{escaped}', status_code=204)
                self.assertEqual(name, self.mistral.trigger(name)['name'])
                self.mistral.trigger_delete(name)
                self.mistral.execution(name)
                self.mistral.execution_delete(name)
                self.assertEqual(
                    [
                        ('GET', f'{TRIGGERS}/{escaped}'),
                        ('DELETE', f'{TRIGGERS}/{escaped}'),
                        ('GET', f'{EXECUTIONS}/{escaped}'),
                        ('DELETE', f'{EXECUTIONS}/{escaped}'),
                    ],
                    [
                        (each.method, each.url)
                        for each in self.sent(base.MISTRAL)
                    ],
                )

    def test_objects_of_other_projects_are_not_found(self) -> None:
        row = {'id': 'x', 'project_id': base.OTHER_PROJECT}
        self.http.get(f'{TRIGGERS}/x', json=row)
        self.http.get(f'{EXECUTIONS}/x', json=row)
        for get in (self.mistral.trigger, self.mistral.execution):
            with self.case(get):
                exc = self.assertRaises(exceptions.NotFoundError, get, 'x')
                self.assertIn('belongs to another project', str(exc))

    def test_a_cron_trigger_is_created(self) -> None:
        self.http.post(TRIGGERS, status_code=201, json={'id': 't1'})
        values = {'name': 'nächtlich', 'remaining_executions': None}
        self.assertEqual({'id': 't1'}, self.mistral.trigger_create(values))
        (sent,) = self.sent(base.MISTRAL)
        self.assertEqual(values, sent.json())
        self.assertEqual('application/json', sent.headers['Content-Type'])

    def test_an_execution_is_started(self) -> None:
        self.http.post(EXECUTIONS, status_code=201, json={'id': 'e1'})
        values = {'id': 'e1', 'description': 'nächtlich', 'input': {}}
        self.assertEqual({'id': 'e1'}, self.mistral.execution_create(values))
        (sent,) = self.sent(base.MISTRAL)
        self.assertEqual(values, sent.json())
        self.assertEqual('application/json', sent.headers['Content-Type'])

    def test_to_start_an_execution_is_asked_again_once(self) -> None:
        lost: tuple[dict[str, Any], ...] = (
            {'status_code': 500, 'text': HTML},
            {'status_code': 504, 'text': ''},
            {'status_code': 201, 'text': HTML},
            {'exc': base.dropped()},
        )
        for answer in lost:
            for answers, expected in (
                ([answer, {'json': {'id': 'e1'}}], None),
                ([answer, answer], exceptions.ServiceError),
                (
                    [answer, {'status_code': 403, 'text': HTML}],
                    exceptions.AuthorizationError,
                ),
            ):
                with self.case(answers):
                    self.http.reset_mock()
                    self.http.post(EXECUTIONS, answers)
                    values = {'id': 'e1'}
                    if expected is None:
                        self.mistral.execution_create(values)
                    else:
                        self.assertRaises(
                            expected, self.mistral.execution_create, values
                        )
                    self.assertEqual(
                        [values, values],
                        [each.json() for each in self.sent(base.MISTRAL)],
                    )

    def test_a_refusal_to_start_an_execution_is_final(self) -> None:
        for status, expected in (
            (400, exceptions.ServiceError),
            (403, exceptions.AuthorizationError),
            (404, exceptions.NotFoundError),
        ):
            with self.case(status):
                self.http.reset_mock()
                self.http.post(
                    EXECUTIONS, status_code=status, json={'faultstring': 'No'}
                )
                self.assertRaises(
                    expected, self.mistral.execution_create, {'id': 'e1'}
                )
                self.assertEqual(1, len(self.sent(base.MISTRAL)))

    def test_workbooks_are_sent_as_text(self) -> None:
        text = '---\n# nächtlich\nname: x\n'
        for method, send in (
            ('POST', self.mistral.workbook_create),
            ('PUT', self.mistral.workbook_update),
        ):
            with self.case(method):
                self.http.reset_mock()
                self.http.request(method, WORKBOOKS, json={'name': 'x'})
                self.assertEqual({'name': 'x'}, send(text, 'public'))
                (sent,) = self.sent(base.MISTRAL)
                self.assertEqual({'scope': 'public'}, base.query(sent))
                self.assertEqual(text.encode(), sent.body)
                self.assertEqual('text/plain', sent.headers['Content-Type'])


class TestWrongAddress(MistralTestCase):
    def test_a_404_without_words_is_not_mistrals(self) -> None:
        answers: tuple[dict[str, Any], ...] = ({'text': HTML}, {'json': {}})
        for answer in answers:
            with self.case(answer):
                self.http.get(f'{TRIGGERS}/x', status_code=404, **answer)
                exc = self.assertRaises(
                    exceptions.ServiceError, self.mistral.trigger, 'x'
                )
                self.assertIn('is not at its address', str(exc))

    def test_a_refusal_to_delete_is_final(self) -> None:
        self.http.delete(
            f'{TRIGGERS}/x', status_code=400, json={'faultstring': 'No'}
        )
        exc = self.assertRaises(
            exceptions.ServiceError, self.mistral.trigger_delete, 'x'
        )
        self.assertEqual(400, exc.status)
        self.assertEqual(1, len(self.sent(base.MISTRAL)))


class TestNonsense(MistralTestCase):
    def test_answers_that_make_no_sense(self) -> None:
        answers: tuple[dict[str, Any], ...] = (
            {'text': HTML},
            {'text': ''},
            {'json': []},
            {'json': None},
            {'json': {}},
            {'json': {'cron_triggers': None}},
            {'json': {'cron_triggers': {'id': 'x'}}},
            {'json': {'executions': []}},
        )
        for answer in answers:
            with self.case(answer):
                self.http.get(TRIGGERS, **answer)
                exc = self.assertRaises(
                    exceptions.ServiceError, list, self.mistral.triggers()
                )
                self.assertIsNone(exc.status)
                self.assertIn("can't be understood", str(exc))

    def test_an_object_that_is_none(self) -> None:
        answers: tuple[dict[str, Any], ...] = (
            {'text': HTML},
            {'json': ['x']},
            {'json': 'x'},
        )
        for answer in answers:
            with self.case(answer):
                self.http.post(TRIGGERS, **answer)
                self.http.get(TRIGGERS, json={'cron_triggers': []})
                self.assertRaises(
                    exceptions.ServiceError,
                    self.mistral.trigger_create,
                    {'name': 'x'},
                )


class TestPlainSession(base.TestCase):
    """A python-mistralclient client that keystoneauth is no part of."""

    def setUp(self) -> None:
        super().setUp()
        self.client = mistralclient.Client(
            mistral_url=base.MISTRAL,
            auth_token='given',
            project_id=base.PROJECT,
            user_id='alice',
        )
        self.mistral = mistral.Mistral(self.client)

    def test_requests_carry_the_clients_token(self) -> None:
        self.http.get(TRIGGERS, json={'cron_triggers': [{'id': 't1'}]})
        self.assertEqual([{'id': 't1'}], list(self.mistral.triggers()))
        (sent,) = self.sent(base.MISTRAL)
        self.assertEqual('given', sent.headers['X-Auth-Token'])
        self.assertIsInstance(
            self.client.cron_triggers.http_client.session, requests.Session
        )
        self.assertFalse(self.mistral.sees_other_projects())

    def test_failures_have_the_same_classes(self) -> None:
        self.http.get(TRIGGERS, json={'cron_triggers': []})
        for status, expected in (
            (401, exceptions.AuthorizationError),
            (403, exceptions.AuthorizationError),
            (404, exceptions.NotFoundError),
            (409, exceptions.ConflictError),
            (400, exceptions.ServiceError),
            (500, exceptions.ServiceError),
        ):
            with self.case(status):
                self.http.post(
                    TRIGGERS,
                    status_code=status,
                    text=json.dumps({'faultstring': 'So it is'}),
                )
                exc = self.assertRaises(
                    expected, self.mistral.trigger_create, {'name': 'x'}
                )
                if status != requests.codes.unauthorized:
                    self.assertIn('So it is.', str(exc))

    def test_nobody_listens(self) -> None:
        self.http.get(TRIGGERS, exc=base.refused())
        self.assertRaises(
            exceptions.ServiceUnavailableError, list, self.mistral.triggers()
        )
