# SPDX-License-Identifier: Apache-2.0

"""Schedules are created, listed, shown and deleted."""

import csv
import datetime
import functools
import io
import itertools
import json
from typing import Any

import yaml

from tests.functional import base

LIST_COLUMNS = ['ID', 'Name', 'Pattern', 'Next Execution Time', 'Enabled']
LONG_COLUMNS = [
    *LIST_COLUMNS,
    'Instance',
    'Description',
    'Parent ID',
    'Incremental',
    'Full Every',
    'Keep',
    'Remaining Executions',
    'Created At',
    'Updated At',
    'Project ID',
]

#: Names that mean something to Mistral's filters, to SQL or to a URL.
NAMES = (
    'a space_and: 100%',
    'ä€\N{SNOWMAN} 1',
    '"quoted" \'1\'',
    'x' * 100,
    'a:b::c:',
    '100%',
    'under_score',
    'back\\slash',
    '?a=b&c#d',
    '-1',
)

#: How many of them, the first ones, are tried through the shell.
AT_SHELL = 3


class ScheduleTestCase(base.FunctionalTestCase):
    """Tests on an instance of their own."""

    def setUp(self) -> None:
        super().setUp()
        self.install_workbook()
        (self.instance,) = base.add_instances('schedules')
        self.schedules = base.schedules(self.cloud_name)

    def make(
        self, name: str, instance: str | None = None, **options: Any
    ) -> str:
        """Make a schedule, faster than through the shell; its ID."""
        made = self.schedules.schedule_create(
            instance or self.instance,
            options.pop('pattern', base.ONCE_A_YEAR),
            name,
            **options,
        )
        self.addCleanup(base.remove, made.id, self.cloud_name)
        return made.id

    def listed(self, *options: str) -> list[dict[str, Any]]:
        """Give the instance's schedules."""
        found: list[dict[str, Any]] = self.json(
            *base.SCHEDULE, 'list', '--instance', self.instance, *options
        )
        return found


class CreateTests(ScheduleTestCase):
    """``schedule create``, and ``schedule show`` of what it has made."""

    def test_every_option(self) -> None:
        """Each option is kept, and told by create, show and list."""
        first = datetime.datetime.now(datetime.UTC) + datetime.timedelta(
            days=2
        )
        first = first.replace(second=20, microsecond=0)
        offset = datetime.timezone(datetime.timedelta(hours=5, minutes=30))
        made = self.create_schedule(
            *('--description', 'kept for a year'),
            *('--swift-container', 'nightly'),
            *('--storage-driver', 'swift'),
            *('--count', '3'),
            *('--first-time', first.astimezone(offset).isoformat()),
            '--incremental',
            instance=self.instance,
            pattern='  30   3 * * 1-5 ',
            name='every option',
        )
        # Mistral counts in minutes.
        rounded = first.replace(second=0) + datetime.timedelta(minutes=1)
        expected = {
            'name': 'every option',
            'instance': self.instance,
            'description': 'kept for a year',
            'swift_container': 'nightly',
            'storage_driver': 'swift',
            'remaining_executions': 3,
            'next_execution_time': rounded.isoformat(),
            'incremental': True,
            'parent_id': None,
            'pattern': '30 3 * * 1-5',
            'pattern_meaning': 'At 03:30, every Monday through Friday, UTC',
            'enabled': True,
            'full_every': None,
            'keep': None,
            'updated_at': None,
            'project_id': base.logged_in().get_project_id(),
            'input': {
                'instance': self.instance,
                'name': 'every option',
                'description': 'kept for a year',
                'parent_id': None,
                'schedule_id': made['id'],
                'incremental': True,
                'swift_container': 'nightly',
                'storage_driver': 'swift',
                'active_since': rounded.isoformat(),
                'first_time': rounded.isoformat(),
            },
        }
        self.assertEqual(
            expected | only(made, 'id', 'created_at', 'next_runs'), made
        )
        self.assertEqual(
            [rounded],
            [
                datetime.datetime.fromisoformat(each['utc'])
                for each in made['next_runs'][:1]
            ],
        )
        created = datetime.datetime.fromisoformat(made['created_at'])
        age = datetime.datetime.now(datetime.UTC) - created
        self.assertLess(abs(age), datetime.timedelta(minutes=1))
        self.assertEqual(
            made, self.json(*base.SCHEDULE, 'show', 'every option')
        )

    def test_fewest_options(self) -> None:
        """The specification's example: what is not given is null."""
        made = self.create_schedule(
            instance=self.instance, pattern='@daily', name='myback'
        )
        following = datetime.datetime.fromisoformat(
            made['next_execution_time']
        )
        self.assertEqual(
            ('00:00:00', datetime.timedelta(0)),
            (f'{following:%H:%M:%S}', following.utcoffset()),
        )
        self.assertEqual(
            {
                'instance': self.instance,
                'name': 'myback',
                'description': None,
                'parent_id': None,
                'schedule_id': made['id'],
            },
            made['input'],
        )
        for key in (
            'description',
            'parent_id',
            'remaining_executions',
            'storage_driver',
            'swift_container',
        ):
            self.assertIsNone(made[key], key)
        self.assertFalse(made['incremental'])
        self.assertEqual(made, self.json(*base.SCHEDULE, 'show', made['id']))

    def test_instance_name(self) -> None:
        """An instance goes by its name, unless that is not enough."""
        made = self.create_schedule(instance='m')
        self.assertEqual(
            '5328f62a-d999-4be3-90bb-83cc6af4469c', made['instance']
        )
        create = (*base.SCHEDULE, 'create', 'x', '--pattern', '@daily')
        errors = self.fail_openstack(*create, '--instance', 'twin')
        for each in base.cloud().instance_ids('demo', 'twin'):
            self.assertIn(each, errors)
        name = base.unique('no-such')
        self.assertIn(name, self.fail_openstack(*create, '--instance', name))

    def test_names(self) -> None:
        """Whatever Mistral and Trove can keep will do as a name."""
        outcomes = base.at_once(
            functools.partial(
                self.create_schedule,
                instance=self.instance,
                name=name,
            )
            for name in NAMES[:AT_SHELL]
        )
        made = {each['name']: each['id'] for each in outcomes}
        made |= {name: self.make(name) for name in NAMES[AT_SHELL:]}
        self.assertEqual(set(NAMES), set(made))
        listed = {row['Name']: row['ID'] for row in self.listed()}
        self.assertEqual(made, listed)
        shown = base.at_once(
            functools.partial(self.json, *base.SCHEDULE, 'show', name)
            for name in NAMES[:AT_SHELL]
        )
        self.assertEqual(
            [made[name] for name in NAMES[:AT_SHELL]],
            [each['id'] for each in shown],
        )
        for name in NAMES:
            self.assertEqual(
                made[name], self.schedules.schedule_show(name).id, name
            )
        # Wildcards of the filter are none in a name.
        for name in ('under-score', '1000', 'x' * 99, 'a:b', '%', '_'):
            self.assertRaises(LookupError, self.schedules.schedule_show, name)


class ListTests(ScheduleTestCase):
    """``schedule list``."""

    def test_formats(self) -> None:
        """Each format tells the same, with times as machines read them."""
        key = self.make('one', description='two words', count=2)
        self.make('other', instance='m')
        listed = (*base.SCHEDULE, 'list', '--instance', self.instance)
        shown = self.schedules.schedule_show(key)
        assert shown.next_execution_time
        assert shown.created_at
        following = shown.next_execution_time.isoformat()
        formats = ('json', 'yaml', 'csv', 'value', 'table')
        short, long = (
            dict(
                zip(
                    some,
                    base.at_once(
                        functools.partial(
                            self.openstack, *listed, *more, '-f', each
                        )
                        for each in some
                    ),
                    strict=True,
                )
            )
            for some, more in (
                (formats, ()),
                (('json', 'csv'), ('--long',)),
            )
        )
        expected = dict(
            zip(
                LIST_COLUMNS,
                (key, 'one', base.ONCE_A_YEAR, following, True),
                strict=True,
            )
        )
        texts = {name: str(value) for name, value in expected.items()}
        self.assertEqual([expected], json.loads(short['json']))
        self.assertEqual([expected], yaml.safe_load(short['yaml']))
        self.assertEqual(
            [texts], list(csv.DictReader(io.StringIO(short['csv'])))
        )
        self.assertEqual(' '.join(texts.values()) + '\n', short['value'])
        self.assertIn(
            f'{shown.next_execution_time:%Y-%m-%d %H:%M:%S} UTC',
            short['table'],
        )
        expected_long = expected | {
            'Instance': self.instance,
            'Description': 'two words',
            'Parent ID': None,
            'Incremental': False,
            'Full Every': None,
            'Keep': None,
            'Remaining Executions': 2,
            'Created At': shown.created_at.isoformat(),
            'Updated At': None,
            'Project ID': shown.project_id,
        }
        self.assertEqual([expected_long], json.loads(long['json']))
        (row,) = csv.DictReader(io.StringIO(long['csv']))
        self.assertEqual(LONG_COLUMNS, list(row))
        for column in ('Next Execution Time', 'Created At'):
            moment = datetime.datetime.fromisoformat(row[column])
            self.assertEqual(datetime.timedelta(0), moment.utcoffset())

    def test_pages(self) -> None:
        """Pages of two over five lose none, and show none twice."""
        made = [self.make(f'paged {number}') for number in range(5)]
        self.assertEqual(
            sorted(made), sorted(row['ID'] for row in self.listed())
        )
        pages: list[list[str]] = []
        marker: tuple[str, ...] = ()
        while not pages or pages[-1]:
            page = self.listed('--limit', '2', *marker)
            pages.append([row['ID'] for row in page])
            if page:
                marker = ('--marker', page[-1]['ID'])
        self.assertEqual([2, 2, 1, 0], [len(page) for page in pages])
        self.assertEqual(
            sorted(made), sorted(itertools.chain.from_iterable(pages))
        )
        # The project's list, in which there may be others.
        for instance in (None, self.instance):
            found: list[str] = []
            while page_ := self.schedules.schedule_list(
                instance, limit=2, marker=found[-1] if found else ''
            ):
                found += [each.id for each in page_]
            self.assertEqual(len(set(found)), len(found))
            self.assertLessEqual(set(made), set(found))

    def test_limit_and_marker(self) -> None:
        """Nothing is nothing, and an unknown marker is an error."""
        self.make('only')
        self.assertEqual([], self.listed('--limit', '0'))
        listed = (*base.SCHEDULE, 'list')
        unknown = '00000000-0000-4000-8000-000000000000'
        outcomes = self.shell.at_once(
            [
                (*listed, '--marker', unknown),
                (*listed, '--marker', unknown, '--instance', self.instance),
            ]
        )
        for outcome in outcomes:
            self.assertIn(unknown, outcome.failed())
        self.fail_openstack(*listed, '--limit', '-1', status=2)

    def test_instance(self) -> None:
        """By name and by ID; a name that fits none or two is an error."""
        name = base.trove().instances.get(self.instance).name
        key = self.make('only')
        unknown = base.unique('no-such')
        gone = '00000000-0000-4000-8000-000000000001'
        listed = (*base.SCHEDULE, 'list', '-f', 'json', '--instance')
        by_name, ambiguous, no_name, no_id = self.shell.at_once(
            (*listed, each) for each in (name, 'twin', unknown, gone)
        )
        self.assertEqual(
            [key], [row['ID'] for row in json.loads(by_name.succeeded())]
        )
        for each in base.cloud().instance_ids('demo', 'twin'):
            self.assertIn(each, ambiguous.failed())
        self.assertIn(unknown, no_name.failed())
        self.assertIn(gone, no_id.failed())

    def test_deleted_instance(self) -> None:
        """The schedules of an instance that is gone are still found."""
        key = self.make('orphan')
        client = base.trove()
        client.instances.delete(self.instance)
        base.wait_until(lambda: not self.known(client), 60)
        (row,) = self.listed()
        self.assertEqual(key, row['ID'])
        self.openstack(*base.SCHEDULE, 'delete', key)
        self.assertRaises(
            LookupError, self.schedules.schedule_list, self.instance
        )

    def known(self, client: Any) -> bool:
        """Tell whether Trove still has the instance."""
        return self.instance in {
            each.id for each in client.instances.list(limit=100)
        }


class DeleteTests(ScheduleTestCase):
    """``schedule delete``, and how schedules are found."""

    def test_several(self) -> None:
        """All are deleted that can be, and the rest is told."""
        made = [self.make(f'deleted {number}') for number in range(2)]
        kept = self.make('kept')
        unknown = base.unique('no-such')
        outcome = self.run_openstack(
            *base.SCHEDULE, 'delete', made[0], unknown, made[1]
        )
        self.assertEqual('', outcome.stdout)
        lines = outcome.failed().splitlines()
        self.assertEqual(2, len(lines), str(lines))
        self.assertIn(unknown, lines[0])
        self.assertEqual('1 of 3 schedules failed to delete.', lines[1])
        self.assertEqual([kept], [row['ID'] for row in self.listed()])
        outcome = self.run_openstack(*base.SCHEDULE, 'delete', kept)
        self.assertEqual(
            (0, '', ''), (outcome.status, outcome.stdout, outcome.stderr)
        )

    def test_ambiguous(self) -> None:
        """A name that several have is refused, with their IDs."""
        name = base.unique('same')
        # Equal in all that a user gives, too.
        made = [self.make(name) for _ in range(2)]
        for action in ('show', 'delete'):
            errors = self.fail_openstack(*base.SCHEDULE, action, name)
            for each in made:
                self.assertIn(each, errors)
        self.assertEqual(set(made), {row['ID'] for row in self.listed()})
        self.openstack(*base.SCHEDULE, 'delete', made[0])
        shown = self.json(*base.SCHEDULE, 'show', name)
        self.assertEqual(made[1], shown['id'])

    def test_others(self) -> None:
        """Schedules that other clients have made are schedules too."""
        name = base.unique('theirs')
        theirs = base.trove().backups.schedule_create(
            self.instance,
            base.ONCE_A_YEAR,
            name,
            mistral_client=base.mistral(),
        )
        self.addCleanup(base.remove, theirs.id)
        plain = self.add_trigger(
            {
                'instance': self.instance,
                'name': base.unique('plain'),
                'description': None,
                'parent_id': None,
            }
        )
        self.assertEqual(
            {theirs.id, plain.id}, {row['ID'] for row in self.listed()}
        )
        shown = self.json(*base.SCHEDULE, 'show', name)
        self.assertEqual(theirs.id, shown['id'])
        shown = self.json(*base.SCHEDULE, 'show', plain.name)
        self.assertEqual(plain.id, shown['id'])
        self.openstack(*base.SCHEDULE, 'delete', theirs.id)
        self.assertEqual([plain.id], [row['ID'] for row in self.listed()])


def only(values: dict[str, Any], *keys: str) -> dict[str, Any]:
    """Give these keys only."""
    return {key: values[key] for key in keys}
