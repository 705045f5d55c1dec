# SPDX-License-Identifier: Apache-2.0

"""Schedules declared in a file, which is kept in git and moved about."""

import contextlib
import dataclasses
import datetime
import itertools
import pathlib
import sqlite3
import subprocess
import tempfile
import threading
from typing import Any

from keystoneauth1 import session
from keystoneauth1.identity import v3
from mistralclient.api.v2 import client as mistral_client
from troveclient.apiclient import exceptions as trove_exceptions
from troveclient.v1 import client as trove_client
import yaml

from tests.functional import base
from tests.functional import proxy
import trove_backup_schedule
from trove_backup_schedule import cron
from trove_backup_schedule import exceptions
from trove_backup_schedule import models
from trove_backup_schedule import settings

APPLY = (*base.SCHEDULE, 'apply')
EXPORT = (*base.SCHEDULE, 'export')

LATER = datetime.datetime(2040, 1, 31, 3, tzinfo=datetime.UTC)

Entry = dict[str, Any]

#: What is done about a schedule: the action, the name and the result.
Done = tuple[str, str, str]


class DeclaredTestCase(proxy.ProxyTestCase):
    """Tests with a file."""

    def setUp(self) -> None:
        super().setUp()
        self.add_cloud('demo')
        self.directory = self.path.parent
        self.file = str(self.directory / 'schedules.yaml')

    def write(self, *entries: Entry, **top: str) -> str:
        """Write the file, and give its name."""
        self.write_text(
            yaml.safe_dump(
                {**top, 'schedules': list(entries)}, allow_unicode=True
            )
        )
        return self.file

    def write_text(self, text: str) -> None:
        """Write the file as it is."""
        pathlib.Path(self.file).write_text(text, 'utf-8')

    def text(self) -> str:
        """Give what is in the file."""
        return pathlib.Path(self.file).read_text('utf-8')

    def apply(self, *options: str, cloud: str | None = None) -> list[Done]:
        """Apply the file, and give what was done."""
        return done(self.json(*APPLY, self.file, *options, cloud=cloud))

    def pipe(self, *options: str, cloud: str = 'demo') -> base.Outcome:
        """Have ``export`` write to ``apply -``."""
        common: dict[str, Any] = {
            'env': self.env | {'OS_CLOUD': cloud},
            'cwd': tempfile.gettempdir(),
        }
        with subprocess.Popen(
            [base.OPENSTACK, *EXPORT, *options],
            stdout=subprocess.PIPE,
            **common,
        ) as export:
            ended = subprocess.run(
                [base.OPENSTACK, *APPLY, '-', '-f', 'json'],
                stdin=export.stdout,
                capture_output=True,
                text=True,
                timeout=base.COMMAND_SECONDS,
                check=False,
                **common,
            )
        self.assertEqual(0, export.returncode)
        return base.Outcome(ended.returncode, ended.stdout, ended.stderr)


def done(rows: list[Entry]) -> list[Done]:
    """Give what was done about each schedule, as the command says it."""
    return [(row['Action'], row['Name'], row['Result']) for row in rows]


def state(
    schedules: list[models.Schedule],
) -> dict[str, tuple[str, settings.Settings]]:
    """Give what must stay of schedules that nobody changes, by ID."""
    return {
        each.id: (each.trigger_id, settings.Settings.of(each))
        for each in schedules
    }


class FileTests(DeclaredTestCase):
    """Files about one instance of the project."""

    def setUp(self) -> None:
        super().setUp()
        self.install_workbook()
        (self.instance,) = base.add_instances('declared')
        self.name = str(base.trove().instances.get(self.instance).name)
        self.schedules = base.schedules()
        self.addCleanup(self._remove_all)

    def _remove_all(self) -> None:
        with contextlib.suppress(LookupError):
            for each in self.there():
                base.remove(each.id)

    def entry(self, name: str, **values: Any) -> Entry:
        """Give an entry for the instance."""
        return {
            'instance': self.name,
            'name': name,
            'pattern': base.ONCE_A_YEAR,
            **values,
        }

    def declare(self, *entries: Entry) -> None:
        """Write a file that is about the instance only."""
        self.write(*entries, instance=self.name)

    def there(self) -> list[models.Schedule]:
        """Give the schedules of the instance, by name."""
        return self.schedules.schedule_list(self.instance)

    def left_to_do(self) -> set[str]:
        """Give what it takes to have what the file declares."""
        return {
            each.action
            for each in self.schedules.schedule_difference(
                self.text(), prune=True
            )
        }

    def back_up(self, name: str) -> str:
        """Make a backup by hand, and give its ID."""
        backups = base.trove().backups
        key = str(backups.create(name, self.instance).id)
        base.wait_until(lambda: backups.get(key).status == 'COMPLETED')
        return key

    def test_all_settings(self) -> None:
        """What is declared is so, stays so, and changes with the file."""
        parent = base.unique('parent')
        parent_id = self.back_up(parent)
        few = self.entry('few', count=5, first_time=LATER)
        full = self.entry('full', incremental=True, full_every=6, keep=7)
        off = self.entry('off', enabled=False, description='J\xe4hrlich')
        spread = self.entry('spread', pattern='@daily', spread=True)
        spread |= {'swift_container': 'dumps', 'storage_driver': 'swift'}
        child = self.entry('with-parent', parent=parent)
        self.declare(few, full, off, spread, child)
        names = ('few', 'full', 'off', 'spread', 'with-parent')

        self.assertEqual(
            [('create', name, 'done') for name in names], self.apply()
        )
        made = self.there()
        common: Entry = {'pattern': base.ONCE_A_YEAR}
        daily = cron.spread('@daily', self.instance)
        self.assertEqual(
            [
                settings.Settings(name='few', count=5, **common),
                settings.Settings(
                    name='full',
                    incremental=True,
                    full_every=6,
                    keep=7,
                    **common,
                ),
                settings.Settings(
                    name='off',
                    enabled=False,
                    description='J\xe4hrlich',
                    **common,
                ),
                settings.Settings(
                    name='spread',
                    pattern=daily,
                    swift_container='dumps',
                    storage_driver='swift',
                ),
                settings.Settings(
                    name='with-parent', parent_id=parent_id, **common
                ),
            ],
            [settings.Settings.of(each) for each in made],
        )
        self.assertEqual(LATER, made[0].next_execution_time)

        self.assertEqual([], self.apply('--prune'))
        outcome = self.pipe('--instance', self.name)
        self.assertEqual([], yaml.safe_load(outcome.succeeded()))
        self.assertIn(
            'Nothing to change; 5 as declared, 0 left alone.', outcome.stderr
        )
        self.assertEqual(state(made), state(self.there()))

        self.declare(
            few,
            full | {'keep': 3},
            self.entry('off'),
            spread,
            self.entry('with-parent'),
        )
        changed = ('full', 'off', 'with-parent')
        planned, applied = (
            self.json(*APPLY, self.file, *options)
            for options in (('--dry-run',), ())
        )
        self.assertEqual(
            [('change', name, 'not done') for name in changed], done(planned)
        )
        self.assertEqual(
            {
                'full': {'keep': {'old': 7, 'new': 3}},
                'off': {
                    'description': {'old': 'J\xe4hrlich', 'new': None},
                    'enabled': {'old': False, 'new': True},
                },
                'with-parent': {'parent_id': {'old': parent_id, 'new': None}},
            },
            {row['Name']: row['Changes'] for row in planned},
        )
        self.assertEqual(
            [{**row, 'Result': 'done'} for row in planned], applied
        )
        after = self.there()
        self.assertEqual(
            [(each.id, each.created_at) for each in made],
            [(each.id, each.created_at) for each in after],
        )
        self.assertEqual(
            [None, 3, None, None, None], [each.keep for each in after]
        )
        self.assertTrue(all(each.enabled for each in after))
        self.assertEqual(LATER, after[0].next_execution_time)
        self.assertEqual({'unchanged'}, self.left_to_do())

    def test_prune(self) -> None:
        """Only what was made here is deleted, and only if asked for."""
        mine = self.schedules.schedule_create(
            self.instance, base.ONCE_A_YEAR, 'mine'
        )
        more = self.schedules.schedule_create(
            self.instance, base.ONCE_A_YEAR, 'more'
        )
        theirs = base.trove().backups.schedule_create(
            self.instance,
            base.ONCE_A_YEAR,
            'theirs',
            mistral_client=base.mistral(),
        )
        before = state(self.there())
        self.declare(self.entry('mine'))
        outcome = self.run_openstack(*APPLY, self.file)
        self.assertEqual('', outcome.succeeded().strip())
        self.assertEqual(
            'Nothing to change; 1 as declared, 2 left alone.\n',
            outcome.stderr,
        )
        self.assertEqual(
            [('delete', 'more', 'not done')],
            self.apply('--prune', '--dry-run'),
        )
        self.assertEqual(before, state(self.there()))
        self.assertEqual([('delete', 'more', 'done')], self.apply('--prune'))
        del before[more.id]
        self.assertEqual(before, state(self.there()))

        # What others made is taken over only to change it.
        by_id = self.entry('mine') | {'instance': self.instance}
        self.declare(by_id, self.entry('theirs'))
        self.assertEqual([], self.apply('--prune'))
        self.assertEqual(before, state(self.there()))
        self.declare(self.entry('mine'), self.entry('theirs', keep=3))
        self.assertEqual([('change', 'theirs', 'done')], self.apply())
        self.assertEqual(
            [(mine.id, True, None), (theirs.id, True, 3)],
            [(each.id, each.ours, each.keep) for each in self.there()],
        )
        self.assertEqual({'unchanged'}, self.left_to_do())

    def test_twins(self) -> None:
        """Two of one name are two, and the older one stays the longer."""
        twin = self.entry('twin', keep=3)
        self.declare(twin, twin)
        self.assertEqual([('create', 'twin', 'done')] * 2, self.apply())
        before = self.there()
        outcome = self.pipe('--instance', self.instance)
        self.assertEqual([], yaml.safe_load(outcome.succeeded()))
        self.assertEqual(state(before), state(self.there()))
        # One of them is like the file, so the other is changed.
        self.schedules.schedule_set(before[0], keep=None)
        self.assertEqual([('change', 'twin', 'done')], self.apply())
        self.assertEqual(
            [(each.id, 3) for each in before],
            [(each.id, each.keep) for each in self.there()],
        )
        self.declare(twin)
        self.assertEqual([('delete', 'twin', 'done')], self.apply('--prune'))
        self.assertEqual(1, len(self.there()))

    def test_at_the_same_time(self) -> None:
        """Two who apply a file at once never create a schedule twice."""
        entries = [self.entry(f'night-{number}') for number in range(6)]
        self.declare(*entries)
        both = threading.Barrier(2)

        def apply() -> list[str]:
            failures = []
            schedules = base.schedules()
            for change in schedules.schedule_difference(self.text()):
                both.wait(60)
                try:
                    schedules.schedule_apply(change)
                except exceptions.ConflictError as exc:
                    failures.append(str(exc))
            return failures

        failures = list(itertools.chain(*base.at_once([apply] * 2)))
        # There is one who gives way for each of them, or there are two.
        self.assertLessEqual(6, len(failures))
        self.assertEqual(12 - len(failures), len(self.there()))
        self.check_names(entries)
        for words in failures:
            self.assertIn('at the same time', words)

        def clean() -> bool:
            outcomes = self.shell.at_once([(*APPLY, self.file)] * 2)
            self.check_names(entries)
            for each in outcomes:
                if each.status:
                    self.assertIn('at the same time', each.failed())
            return not any(each.status for each in outcomes)

        base.wait_until(clean)
        self.assertEqual([], self.apply('--prune'))
        self.assertEqual(6, len(self.there()))

    def check_names(self, entries: list[Entry]) -> None:
        """Check that no schedule is there twice, or was not declared."""
        names = [each.name for each in self.there()]
        self.assertEqual(sorted(set(names)), names)
        self.assertLessEqual(set(names), {each['name'] for each in entries})

    def test_faults(self) -> None:
        """While anything in a file is wrong, nothing is done at all."""
        mine = self.schedules.schedule_create(
            self.instance, base.ONCE_A_YEAR, 'mine'
        )
        before = state([mine])
        good = self.entry('new')
        unknown = base.unique('unknown')
        child = self.entry('x', parent=unknown)
        elsewhere = self.entry('x') | {'instance': unknown}
        files = {
            'line 3': b'schedules:\n- a: b\n- {',
            '"colour"': _file(good, self.entry('x', colour='red')),
            'incremental': _file(
                good, self.entry('x', incremental=True, keep=7)
            ),
            f'No instance with the name or ID "{unknown}"': _file(
                good, elsewhere
            ),
            f'No backup with the name or ID "{unknown}"': _file(good, child),
            f'another instance than "{self.name}"': _file(
                good,
                self.entry('x') | {'instance': 'm'},
                instance=self.name,
            ),
            'UTF-8': b'schedules: [] # \xff',
        }
        commands: dict[str, tuple[str, ...]] = {
            'No such file': (*APPLY, str(self.directory / 'none'))
        }
        for number, (words, content) in enumerate(files.items()):
            path = self.directory / f'{number}.yaml'
            path.write_bytes(content)
            commands[words] = (*APPLY, str(path), '--prune')
        outcomes = self.shell.at_once(commands.values())
        for words, outcome in zip(commands, outcomes, strict=True):
            message = outcome.failed()
            self.assertIn(words, message, str(outcome))
            self.assertEqual('', outcome.stdout, str(outcome))
            self.assertEqual(1, message.count('\n'), str(outcome))
        self.assertEqual(before, state(self.there()))

    def test_failures(self) -> None:
        """One change fails, and the others are done."""
        parent = self.back_up(base.unique('parent'))
        for name in ('changed', 'more'):
            self.schedules.schedule_create(
                self.instance, base.ONCE_A_YEAR, name
            )
        entries = [
            self.entry('first'),
            self.entry('failing', parent=parent),
            self.entry('changed', keep=3),
            self.entry('last'),
        ]
        self.declare(*entries)

        def respond(handler: proxy.Handler, body: bytes) -> None:
            # Once something is created, all has been looked at.
            if handler.command == 'POST':
                delete_backup(parent)
            proxy.answer(handler, proxy.forward(handler, body))

        self.add_cloud(
            'cut', workflowv2_endpoint_override=self.serve(respond) + '/v2'
        )
        outcome = self.run_openstack(
            *(*APPLY, self.file, '--prune', '-f', 'json'), cloud='cut'
        )
        message = outcome.failed()
        self.assertIn(parent, message)
        self.assertIn(
            '2 created, 1 changed, 1 deleted, 1 failed; 0 as declared, 0 left '
            'alone.',
            message,
        )
        self.assertEqual(
            [
                ('create', 'first', 'done'),
                ('create', 'failing', 'failed'),
                ('change', 'changed', 'done'),
                ('create', 'last', 'done'),
                ('delete', 'more', 'done'),
            ],
            done(yaml.safe_load(outcome.stdout)),
        )
        self.assertEqual(
            [('changed', 3), ('first', None), ('last', None)],
            [(each.name, each.keep) for each in self.there()],
        )
        before = state(self.there())

        # Now it is known before anything is done.
        self.assertIn(parent, self.fail_openstack(*APPLY, self.file))
        self.assertEqual(before, state(self.there()))
        del entries[1]['parent']
        self.declare(*entries)
        self.assertEqual(
            [('create', 'failing', 'done')], self.apply('--prune')
        )

    def test_deleted_instance(self) -> None:
        """The schedules of an instance that is gone can be declared."""
        made = self.schedules.schedule_create(
            self.instance, base.ONCE_A_YEAR, 'orphan'
        )
        client = base.trove()
        client.instances.delete(self.instance)
        base.wait_until(
            lambda: (
                self.instance
                not in {each.id for each in client.instances.list(limit=1000)}
            ),
            60,
        )
        self.openstack(
            *(*EXPORT, '--instance', self.instance.upper()),
            *('--file', self.file),
        )
        self.assertIn(f'instance: {self.instance}', self.text())
        self.assertEqual([], self.apply('--prune'))
        self.write(instance=self.instance)
        self.assertEqual([('delete', 'orphan', 'done')], self.apply('--prune'))
        self.assertRaises(LookupError, self.schedules.schedule_show, made.id)

    def test_files_to_write(self) -> None:
        """What can't be written is said, and what must stay out is told."""
        self.schedules.schedule_create(self.instance, '@daily', 'mine')
        client = base.mistral()
        odd = client.cron_triggers.create(
            base.unique('plain'),
            models.WORKFLOW,
            pattern='0 3 1 1 * 0',
            workflow_input={'instance': self.instance, 'name': 'odd'},
        )
        self.addCleanup(client.cron_triggers.delete, odd.id)
        export = (*EXPORT, '--instance', self.name)
        unknown = base.unique('unknown')
        nowhere = str(self.directory / 'none' / 'file')
        refused, unknown_one, printed, written = self.shell.at_once(
            (
                (*export, '--file', nowhere),
                (*EXPORT, '--instance', unknown),
                export,
                (*export, '--file', self.file),
            )
        )
        self.assertIn(nowhere, refused.failed())
        self.assertIn(unknown, unknown_one.failed())
        self.assertEqual('', written.succeeded())
        self.assertEqual(printed.succeeded(), self.text())
        for each in (printed, written):
            self.assertIn(odd.id, each.stderr)
        self.assertEqual(
            {
                'instance': self.name,
                'schedules': [self.entry('mine', pattern='@daily')],
            },
            yaml.safe_load(self.text()),
        )
        self.assertEqual([], self.apply('--prune'))
        self.assertEqual(['mine', 'odd'], [each.name for each in self.there()])


def _file(*entries: Entry, **top: str) -> bytes:
    content: bytes = yaml.safe_dump(
        {**top, 'schedules': list(entries)}, encoding='utf-8'
    )
    return content


def delete_backup(key: str) -> None:
    """Delete a backup, if it is there, and wait until it is gone."""
    backups = base.trove().backups

    def gone() -> bool:
        try:
            backups.get(key)
        except trove_exceptions.NotFound:
            return True
        return False

    if not gone():
        backups.delete(key)
        base.wait_until(gone, 60)


@dataclasses.dataclass(frozen=True)
class Project:
    """A project that no other test has.

    :ivar cloud: the cloud that leads to it.
    :ivar instances: IDs of its instances.
    """

    id: str
    cloud: str
    session: session.Session
    instances: list[str]

    @property
    def schedules(self) -> trove_backup_schedule.BackupSchedules:
        """The Python API."""
        return trove_backup_schedule.BackupSchedules(self.session)


class ProjectTests(DeclaredTestCase):
    """Files about whole projects."""

    def add_project(self, *names: str) -> Project:
        """Add a project of the user demo, with instances of these names."""
        identity = base.cloud().urls['identity']
        admin = base.logged_in('admin')
        made = admin.post(
            f'{identity}/projects',
            json={'project': {'name': base.unique('declared')}},
        ).json()['project']
        key = str(made['id'])
        self.addCleanup(admin.delete, f'{identity}/projects/{key}')
        roles = admin.get(f'{identity}/roles?name=member').json()['roles']
        user = base.logged_in().get_user_id()
        admin.put(
            f'{identity}/projects/{key}/users/{user}/roles/{roles[0]["id"]}'
        )
        auth = {
            name: value
            for name, value in self.template['auth'].items()
            if not name.startswith('project_')
        }
        auth['project_id'] = key
        self.clouds[made['name']] = self.template | {'auth': auth}
        self.add_cloud('demo')
        project = Project(
            id=key,
            cloud=made['name'],
            session=session.Session(v3.Password(**auth)),
            instances=base.add_instances(*names),
        )
        self._move(project, names)
        project.schedules.workbook_install()
        self.addCleanup(self._clear, project)
        return project

    def _move(self, project: Project, names: tuple[str, ...]) -> None:
        """Have instances in another project, by another name.

        Instances of equal names are in projects of their own only.
        """
        path = base.cloud().directory / 'trove.sqlite'
        rows = zip(names, project.instances, strict=True)
        with (
            contextlib.closing(sqlite3.connect(path, 30)) as connection,
            connection,
        ):
            connection.executemany(
                'update instances set tenant_id = ?, name = ? where id = ?',
                [(project.id, name, key) for name, key in rows],
            )
        self.assertEqual(
            sorted(names),
            sorted(each.name for each in project.schedules.instance_list()),
        )

    @staticmethod
    def _clear(project: Project) -> None:
        for each in project.schedules.schedule_list():
            with contextlib.suppress(LookupError):
                project.schedules.schedule_delete(each)

    def test_another_cloud(self) -> None:
        """All schedules of a project are moved to another one."""
        here = self.add_project('orders', 'billing')
        there = self.add_project('billing', 'orders')
        orders, billing = here.instances
        here.schedules.schedule_create(
            orders, '0 3 * * *', 'nightly', 'J\xe4hrlich', keep=7
        )
        here.schedules.schedule_create(
            orders, '@weekly', 'weekly', spread=True, enabled=False
        )
        here.schedules.schedule_create(
            billing, '@hourly', 'nightly', incremental=True, full_every=23
        )
        before = state(here.schedules.schedule_list())
        self.openstack(*EXPORT, '--file', self.file, cloud=here.cloud)
        text = self.text()

        self.assertEqual(
            [
                ('create', 'nightly', 'done'),
                ('create', 'nightly', 'done'),
                ('create', 'weekly', 'done'),
            ],
            self.apply('--prune', cloud=there.cloud),
        )
        self.assertEqual(text, self.openstack(*EXPORT, cloud=there.cloud))
        moved = there.schedules.schedule_list()
        self.assertEqual(set(), set(before) & {each.id for each in moved})
        billing_there, orders_there = there.instances
        self.assertEqual(
            [billing_there, orders_there, orders_there],
            sorted(
                (each.instance for each in moved), key=there.instances.index
            ),
        )
        # The minute and the weekday stay those of the first instance.
        self.assertEqual(
            cron.spread('@weekly', orders),
            there.schedules.schedule_show('weekly').pattern,
        )

        theirs = trove_client.Client(
            session=there.session, service_type='database'
        ).backups.schedule_create(
            there.instances[0],
            base.ONCE_A_YEAR,
            'theirs',
            mistral_client=mistral_client.Client(
                mistral_url=base.cloud().urls['workflowv2'],
                session=there.session,
            ),
        )
        outcome = self.pipe(cloud=there.cloud)
        self.assertEqual([], yaml.safe_load(outcome.succeeded()))
        self.assertIn('4 as declared, 0 left alone.', outcome.stderr)

        self.write()
        self.assertEqual(
            [('delete', name, 'done') for name in ('nightly', 'weekly')],
            sorted(set(self.apply('--prune', cloud=there.cloud))),
        )
        self.assertEqual(
            [theirs.id], [each.id for each in there.schedules.schedule_list()]
        )
        self.assertEqual(before, state(here.schedules.schedule_list()))

    def test_instances_of_one_name(self) -> None:
        """They go by their IDs, and their name is refused."""
        project = self.add_project('orders', 'orders')
        for each in project.instances:
            project.schedules.schedule_create(each, '@daily', 'nightly')
        before = state(project.schedules.schedule_list())
        self.openstack(*EXPORT, '--file', self.file, cloud=project.cloud)
        self.assertEqual(
            sorted(project.instances),
            [
                each['instance']
                for each in yaml.safe_load(self.text())['schedules']
            ],
        )
        self.assertEqual([], self.apply('--prune', cloud=project.cloud))
        self.write_text(self.text().replace(project.instances[1], 'orders'))
        message = self.fail_openstack(
            *(*APPLY, self.file, '--prune'), cloud=project.cloud
        )
        for each in project.instances:
            self.assertIn(each, message)
        self.assertEqual(before, state(project.schedules.schedule_list()))
