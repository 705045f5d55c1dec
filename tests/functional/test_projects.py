# SPDX-License-Identifier: Apache-2.0

"""Whose schedules are whose, and ways to log in."""

import contextlib
import json
import pathlib
import sqlite3
from typing import Any

import fixtures

from sandbox import seed
from tests.functional import base
from trove_backup_schedule import models


class ProjectTestCase(base.FunctionalTestCase):
    """Tests with a schedule in a project."""

    def setUp(self) -> None:
        super().setUp()
        self.install_workbook()
        self.name = base.unique('mine')
        self.mine = self.make(self.name)

    def make(
        self, name: str, instance: str = 'm', cloud: str = 'demo'
    ) -> models.Schedule:
        """Make a schedule, faster than through the shell."""
        made = base.schedules(cloud).schedule_create(
            instance, base.ONCE_A_YEAR, name
        )
        self.addCleanup(base.remove, made.id, cloud)
        return made

    def refuse(self, commands: list[tuple[str, ...]], cloud: str) -> list[str]:
        """Check that commands fail, and that the schedule is still there."""
        messages = [
            outcome.failed()
            for outcome in self.shell.at_once(commands, cloud=cloud)
        ]
        self.assertEqual(
            self.mine, base.schedules().schedule_show(self.mine.id)
        )
        return messages

    def ids(
        self, *options: str, cloud: str, what: tuple[str, ...] = base.SCHEDULE
    ) -> list[str]:
        """Give the IDs in a list."""
        listed = self.json(*what, 'list', *options, cloud=cloud)
        return [row['ID'] for row in listed]


class IsolationTests(ProjectTestCase):
    """A schedule is its project's, whoever looks."""

    def test_other_project(self) -> None:
        """Another project neither sees nor deletes it."""
        self.install_workbook('other')
        for message in self.refuse(
            [
                (*base.SCHEDULE, 'show', self.mine.id),
                (*base.SCHEDULE, 'show', self.name),
                (*base.SCHEDULE, 'delete', self.mine.id),
                (*base.SCHEDULE, 'delete', self.mine.trigger_id),
                (*base.EXECUTION, 'list', self.mine.id),
            ],
            'other',
        ):
            self.assertIn('in this project', message)
        # A name may be the same in two projects.
        theirs = self.make(self.name, 'theirs', 'other')
        self.assertEqual([theirs.id], self.ids(cloud='other'))
        shown = self.json(*base.SCHEDULE, 'show', self.name, cloud='other')
        self.assertEqual(theirs.id, shown['id'])
        self.openstack(*base.SCHEDULE, 'delete', self.name, cloud='other')
        self.assertEqual(self.mine, base.schedules().schedule_show(self.name))

    def test_admin(self) -> None:
        """An admin sees all if asked for, and changes none."""
        run = self.execution()
        self.assertNotIn(self.mine.id, self.ids(cloud='admin'))
        rows = {
            row['ID']: row
            for row in self.json(
                *base.SCHEDULE,
                'list',
                '--all-projects',
                '--long',
                cloud='admin',
            )
        }
        self.assertEqual(
            self.mine.project_id, rows[self.mine.id]['Project ID']
        )
        self.assertNotIn(run, self.ids(cloud='admin', what=base.EXECUTION))
        self.refuse(
            [
                (*base.SCHEDULE, 'show', self.mine.id),
                (*base.SCHEDULE, 'show', self.name),
                (*base.SCHEDULE, 'show', self.mine.trigger_id),
                (*base.SCHEDULE, 'delete', self.mine.id),
                (*base.SCHEDULE, 'delete', self.name),
                (*base.SCHEDULE, 'delete', self.mine.trigger_name),
                (*base.EXECUTION, 'show', run),
                (*base.EXECUTION, 'delete', run),
            ],
            'admin',
        )
        self.assertEqual(run, base.schedules().execution_show(run).id)
        (message,) = self.refuse(
            [
                (
                    *(*base.SCHEDULE, 'create', 'x', '--pattern', '@daily'),
                    *('--instance', self.mine.instance),
                )
            ],
            'admin',
        )
        self.assertIn(str(self.mine.project_id), message)

    def execution(self) -> str:
        """Start the workflow by hand, with an instance that isn't there."""
        client = base.mistral()
        run = client.executions.create(
            models.WORKFLOW, workflow_input={'instance': 'x', 'name': 'x'}
        )
        self.addCleanup(self.delete_execution, run.id)
        base.wait_until(lambda: client.executions.get(run.id).state == 'ERROR')
        key: str = run.id
        return key

    def delete_execution(self, key: str) -> None:
        """Delete an execution, if it is there."""
        with contextlib.suppress(LookupError):
            base.schedules().execution_delete(key)

    def test_public(self) -> None:
        """What another project has made public isn't one's own."""
        database = base.cloud().directory / 'mistral.sqlite'
        with contextlib.closing(sqlite3.connect(database, 30)) as connection:
            connection.execute(
                "update cron_triggers_v2 set scope = 'public' where id = ?",
                (self.mine.trigger_id,),
            )
            connection.commit()
        # Mistral shows it to everybody indeed.
        names = {
            each.id for each in base.mistral('other').cron_triggers.list()
        }
        self.assertIn(self.mine.trigger_id, names)
        self.assertNotIn(self.mine.id, self.ids(cloud='other'))
        self.refuse(
            [
                (*base.SCHEDULE, 'show', self.mine.id),
                (*base.SCHEDULE, 'show', self.mine.trigger_id),
                (*base.SCHEDULE, 'delete', self.mine.trigger_id),
            ],
            'other',
        )

    def test_domain(self) -> None:
        """A project in another domain, of the same name."""
        self.install_workbook('demo-domain')
        made = self.create_schedule(
            instance='elsewhere', name=self.name, cloud='demo-domain'
        )
        self.assertEqual(
            seed.project_id('demo', seed.SECOND_DOMAIN), made['project_id']
        )
        listed = self.ids('--instance', 'elsewhere', cloud='demo-domain')
        self.assertEqual([made['id']], listed)
        shown = self.json(
            *base.SCHEDULE, 'show', self.name, cloud='demo-domain'
        )
        self.assertEqual(made, shown)
        self.refuse(
            [
                (*base.SCHEDULE, 'list', '--instance', 'm'),
                (*base.SCHEDULE, 'show', self.mine.id),
            ],
            'demo-domain',
        )
        self.openstack(
            *base.SCHEDULE, 'delete', self.name, cloud='demo-domain'
        )
        self.assertEqual(
            self.mine, base.schedules().schedule_show(self.mine.id)
        )


class LoginTests(ProjectTestCase):
    """Other ways to log in than a user's password."""

    def log_in_by(self, auth_type: str, **auth: str) -> base.Shell:
        """Give a shell with a cloud of its own."""
        clouds = json.loads(base.cloud().clouds_yaml.read_text('utf-8'))
        mine: dict[str, Any] = clouds['clouds']['demo']
        if auth:
            mine['auth'] = {'auth_url': mine['auth']['auth_url'], **auth}
        mine['auth_type'] = auth_type
        directory = self.useFixture(fixtures.TempDir()).path
        path = pathlib.Path(directory, 'clouds.yaml')
        path.write_text(json.dumps({'clouds': {'mine': mine}}), 'utf-8')
        return base.Shell(
            environment=self.env
            | {'OS_CLIENT_CONFIG_FILE': str(path), 'OS_CLOUD': 'mine'}
        )

    def look(self, shell: base.Shell) -> None:
        """Check that everything that only looks can be done."""
        listed, shown, runs = (
            json.loads(outcome.succeeded())
            for outcome in shell.at_once(
                (*command, '-f', 'json')
                for command in (
                    (*base.SCHEDULE, 'list', '--instance', 'm'),
                    (*base.SCHEDULE, 'show', self.name),
                    (*base.EXECUTION, 'list', self.mine.id),
                )
            )
        )
        self.assertIn(self.mine.id, [row['ID'] for row in listed])
        self.assertEqual(self.mine.id, shown['id'])
        self.assertEqual([], runs)

    def create(self, name: str) -> tuple[str, ...]:
        """Give the command that creates a schedule."""
        return (
            *(*base.SCHEDULE, 'create', name, '--instance', 'm'),
            *('--pattern', base.ONCE_A_YEAR),
        )

    def create_and_delete(self, shell: base.Shell) -> None:
        """Check that schedules can be made and deleted, too."""
        name = base.unique('logged-in')
        made = shell.json(*self.create(name))
        self.addCleanup(base.remove, made['id'])
        self.assertEqual(self.mine.project_id, made['project_id'])
        shell.output(*base.SCHEDULE, 'delete', name)
        self.assertRaises(
            LookupError, base.schedules().schedule_show, made['id']
        )

    def test_application_credential(self) -> None:
        """It can look; Keystone lets it make no schedule."""
        credential = self.json(
            'application', 'credential', 'create', base.unique('credential')
        )
        self.addCleanup(
            base.logged_in().delete,
            f'{base.cloud().urls["identity"]}/users/'
            f'{base.logged_in().get_user_id()}/application_credentials/'
            f'{credential["ID"]}',
        )
        shell = self.log_in_by(
            'v3applicationcredential',
            application_credential_id=credential['ID'],
            application_credential_secret=credential['Secret'],
        )
        self.look(shell)
        name = base.unique('refused')
        message = shell.run(*self.create(name)).failed()
        self.assertIn('application credential', message)
        self.assertIn('password', message)
        self.assertNotIn('\n', message.strip())
        self.assertRaises(LookupError, base.schedules().schedule_show, name)

    def test_token(self) -> None:
        """A token, with which a schedule can be made."""
        shell = self.log_in_by(
            'v3token',
            token=str(base.logged_in().get_token()),
            project_name='demo',
            project_domain_name='Default',
        )
        self.look(shell)
        self.create_and_delete(shell)

    def test_v3password(self) -> None:
        """The plugin for version 3 alone, which has no such attributes."""
        self.create_and_delete(self.log_in_by('v3password'))
