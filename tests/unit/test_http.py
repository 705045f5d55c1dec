# SPDX-License-Identifier: Apache-2.0

import ssl
from typing import Any

from keystoneauth1 import exceptions as ksa
from keystoneauth1 import session as ksa_session
from keystoneauth1.identity import v3
import requests
from urllib3 import exceptions as urllib3_exceptions

from tests.unit import base
from trove_backup_schedule import exceptions
from trove_backup_schedule import http

URL = 'http://service.example/'
HTML = '<!DOCTYPE html>\n<html><body><h1>Oh no</h1></body></html>'


class TestRequestsTo(base.TestCase):
    """What a real keystoneauth session makes of real answers."""

    def _request(self, **answer: Any) -> None:
        self.http.get(URL, **answer)
        with http.requests_to('Mistral', URL):
            ksa_session.Session().get(URL, authenticated=False)

    def test_each_status_has_its_class(self) -> None:
        said = {'faultstring': 'So it is'}
        for status, expected, message in (
            (401, exceptions.AuthorizationError, 'refused the credentials'),
            (403, exceptions.AuthorizationError, '(HTTP 403): So it is.'),
            (404, exceptions.NotFoundError, '(HTTP 404): So it is.'),
            (409, exceptions.ConflictError, '(HTTP 409): So it is.'),
            (400, exceptions.ServiceError, 'refused this (HTTP 400): So it'),
            (413, exceptions.ServiceError, 'refused this (HTTP 413): So it'),
            (500, exceptions.ServiceError, 'failed (HTTP 500): So it is. Try'),
            (503, exceptions.ServiceError, 'failed (HTTP 503): So it is. Try'),
        ):
            with self.case(status):
                exc = self.assertRaises(
                    expected, self._request, status_code=status, json=said
                )
                self.assertIs(expected, type(exc))
                self.assertIn(message, str(exc))
                self.assertTrue(str(exc).startswith('Mistral '))
                if isinstance(exc, exceptions.ServiceError):
                    self.assertEqual(status, exc.status)

    def test_the_words_of_the_service_are_found_in_any_body(self) -> None:
        for answer, words in (
            ({'json': {'faultstring': 'So it is'}}, 'So it is.'),
            ({'json': {'message': 'So it is'}}, 'So it is.'),
            ({'json': {'badRequest': {'message': 'No!'}}}, 'No!'),
            ({'json': {'faultstring': 'So\n  it is.'}}, 'So it is.'),
            ({'json': {'faultstring': ''}}, 'Bad Request.'),
            ({'json': {'faultstring': HTML}}, 'Bad Request.'),
            ({'json': {'faultstring': {'a': 1}}}, 'Bad Request.'),
            ({'json': {'error': 'text'}}, 'Bad Request.'),
            ({'json': ['So it is']}, 'Bad Request.'),
            ({'json': None}, 'Bad Request.'),
            ({'text': HTML}, 'Bad Request.'),
            ({'text': ''}, 'Bad Request.'),
            ({'content': b'\xff\xfe\x00'}, 'Bad Request.'),
        ):
            with self.case(answer):
                exc = self.assertRaises(
                    exceptions.ServiceError,
                    self._request,
                    status_code=400,
                    **answer,
                )
                self.assertEqual(
                    f'Mistral refused this (HTTP 400): {words}', str(exc)
                )

    def test_a_status_without_a_name(self) -> None:
        exc = self.assertRaises(
            exceptions.ServiceError, self._request, status_code=599
        )
        self.assertIn('(HTTP 599): no reason given.', str(exc))

    def test_html_is_not_shown(self) -> None:
        for status in (401, 403, 404, 409, 500, 502):
            with self.case(status):
                exc = self.assertRaises(
                    exceptions.ScheduleError,
                    self._request,
                    status_code=status,
                    text=HTML,
                    headers={'Content-Type': 'text/html'},
                )
                self.assertNotIn('<', str(exc))

    def test_an_application_credential_is_told_from_other_403(self) -> None:
        words = 'Forbidden: Delegated tokens cannot manage trusts. (HTTP 403)'
        for status in (403, 500):
            with self.case(status):
                exc = self.assertRaises(
                    exceptions.AuthorizationError,
                    self._request,
                    status_code=status,
                    json={'faultstring': words},
                )
                self.assertIn('no application credential', str(exc))
                self.assertIn('only commands that create or ch', str(exc))

    def test_a_service_that_nobody_reaches_has_done_nothing(self) -> None:
        timeout = requests.exceptions.ConnectTimeout('timed out')
        timeout.__context__ = urllib3_exceptions.ConnectTimeoutError()
        for failure, reason in (
            (base.refused(), 'Connection refused'),
            (timeout, 'ConnectTimeoutError'),
        ):
            with self.case(failure):
                exc = self.assertRaises(
                    exceptions.ServiceUnavailableError,
                    self._request,
                    exc=failure,
                )
                self.assertIn(
                    "Mistral can't be reached at http://service.example: "
                    f'{reason}.',
                    str(exc),
                )

    def test_a_bad_certificate_means_that_nothing_was_done(self) -> None:
        failure = requests.exceptions.SSLError('certificate verify failed')
        failure.__context__ = ssl.SSLCertVerificationError(
            1, 'certificate verify failed'
        )
        exc = self.assertRaises(
            exceptions.ServiceUnavailableError, self._request, exc=failure
        )
        self.assertIn('certificate verify failed', str(exc))

    def test_a_lost_answer_may_have_done_something(self) -> None:
        for failure, reason in (
            (base.dropped(), 'RemoteDisconnected'),
            (requests.exceptions.ReadTimeout('timed out'), 'ReadTimeout'),
            (requests.exceptions.ChunkedEncodingError('cut'), 'ChunkedEnc'),
        ):
            with self.case(failure):
                exc = self.assertRaises(
                    exceptions.ServiceError, self._request, exc=failure
                )
                self.assertIsNone(exc.status)
                self.assertIn('broke before it answered', str(exc))
                self.assertIn(reason, str(exc))

    def test_no_json_where_requests_itself_reads_it_is_nonsense(self) -> None:
        self.http.get(URL, text=HTML)

        def read() -> None:
            with http.requests_to('Trove'):
                requests.get(URL, timeout=1).json()

        exc = self.assertRaises(exceptions.ServiceError, read)
        self.assertIsNone(exc.status)
        self.assertIn("answer of Trove can't be understood", str(exc))

    def test_our_own_errors_and_bugs_pass_through(self) -> None:
        for failure in (exceptions.RefusedError('no'), ZeroDivisionError()):
            with self.case(failure):

                def fail(failure: Exception = failure) -> None:
                    with http.requests_to('Mistral'):
                        raise failure

                self.assertIs(failure, self.assertRaises(type(failure), fail))


class TestLogin(base.TestCase):
    """What goes wrong before the service is asked."""

    def _log_in(self, **answer: Any) -> None:
        self.http.post(f'{base.KEYSTONE}/auth/tokens', **answer)
        auth = v3.Password(
            base.KEYSTONE,
            username='alice',
            password='wrong',
            user_domain_id='default',
            project_id=base.PROJECT,
        )
        with http.requests_to('Mistral', URL):
            ksa_session.Session(auth).get_token()

    def test_what_keystone_answers_is_not_put_down_to_the_service(
        self,
    ) -> None:
        for status, expected, words in (
            (401, exceptions.AuthorizationError, 'Check the user'),
            (403, exceptions.AuthorizationError, 'HTTP 403'),
            # The address is wrong, and no schedule or workflow is missing.
            (404, exceptions.AuthorizationError, 'HTTP 404'),
            (500, exceptions.ServiceError, 'HTTP 500'),
        ):
            with self.case(status):
                exc = self.assertRaises(
                    expected, self._log_in, status_code=status
                )
                self.assertIn(words, str(exc))
                self.assertNotIn('Mistral', str(exc))

    def test_keystone_cannot_be_reached(self) -> None:
        self.assertRaises(
            exceptions.ServiceUnavailableError,
            self._log_in,
            exc=base.refused(),
        )

    def test_keystone_answers_nonsense(self) -> None:
        exc = self.assertRaises(
            exceptions.AuthorizationError, self._log_in, text=HTML
        )
        self.assertIn('Logging in to the cloud failed', str(exc))

    def test_no_plugin_to_log_in_with(self) -> None:
        def get() -> None:
            with http.requests_to('Mistral'):
                ksa_session.Session().get(URL, authenticated=True)

        exc = self.assertRaises(exceptions.AuthorizationError, get)
        self.assertIn('Logging in to the cloud failed', str(exc))


class TestErrors(base.TestCase):
    def test_no_endpoint(self) -> None:
        def find() -> None:
            with http.requests_to('Mistral'):
                raise ksa.EndpointNotFound

        exc = self.assertRaises(exceptions.ServiceUnavailableError, find)
        self.assertIn('not in the service catalogue', str(exc))

    def test_a_failure_without_a_response_has_no_words(self) -> None:
        self.assertIsNone(http.reason_in(ksa.BadRequest()))

    def test_the_classes_are_also_what_python_programmers_catch(self) -> None:
        for kind, also in (
            (exceptions.InvalidValueError, ValueError),
            (exceptions.NotFoundError, LookupError),
            (exceptions.NotUniqueError, exceptions.NotFoundError),
        ):
            with self.case(kind):
                self.assertTrue(issubclass(kind, also))
