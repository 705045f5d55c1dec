# SPDX-License-Identifier: Apache-2.0

"""The workbook is loaded, updated and left alone.

What one project makes public changes what all others see, so these tests have
a sandbox of their own.
"""

import contextlib
import importlib.resources
import json
import pathlib
import tempfile
from typing import Any

from keystoneauth1 import session
from mistralclient.api.v2 import client as mistral_client
import yaml

from sandbox.cloud import Sandbox
from tests.functional import base
from trove_backup_schedule import workbook

HOW_TO_LOAD = 'openstack database backup workbook install'

#: The specification's.
OLD = """
version: '2.0'
name: trove
workflows:
  backup_create:
    input: [instance, name, description, parent_id]
    tasks:
      backup_create:
        action: trove.backups_create
        input:
          instance: <% $.instance %>
          name: <% $.name %>
"""

CREATE = (
    *(*base.SCHEDULE, 'create', 'x', '--instance', 'm'),
    *('--pattern', base.ONCE_A_YEAR),
)


class WorkbookTests(base.FunctionalTestCase):
    """``workbook install`` and ``workbook show``."""

    sandbox: Sandbox
    sessions: dict[str, session.Session]

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        with contextlib.ExitStack() as stack:
            directory = stack.enter_context(tempfile.TemporaryDirectory())
            cls.sandbox = stack.enter_context(Sandbox(pathlib.Path(directory)))
            cls.sessions = {
                each: cls.sandbox.session(each)
                for each in ('demo', 'other', 'admin')
            }
            cls.addClassCleanup(stack.pop_all().close)

    def setUp(self) -> None:
        super().setUp()
        self.shell = base.Shell(environment=self.sandbox.environment('demo'))
        self.addCleanup(self.remove_everything)

    def mistral(self, cloud: str = 'demo') -> Any:
        """Give a plain Mistral client."""
        return mistral_client.Client(
            mistral_url=self.sandbox.urls['workflowv2'],
            session=self.sessions[cloud],
        )

    def remove_everything(self) -> None:
        """Remove what each project has, and the admin's last."""
        for cloud, login in self.sessions.items():
            client = self.mistral(cloud)
            project = login.get_project_id()
            for each in client.cron_triggers.list():
                if each.project_id == project:
                    client.cron_triggers.delete(each.id)
            for each in client.workbooks.list():
                if each.project_id == project:
                    client.workbooks.delete(each.name)
            for each in client.workflows.list():
                if each.project_id == project:
                    client.workflows.delete(each.id)

    def workflow(self, cloud: str = 'demo') -> Any:
        """Give the project's own workflow."""
        project = self.sessions[cloud].get_project_id()
        (found,) = (
            each
            for each in self.mistral(cloud).workflows.list()
            if each.name == 'trove.backup_create'
            and each.project_id == project
        )
        return found

    def install(self, *options: str, cloud: str = 'demo') -> dict[str, Any]:
        """Install it, and check what is said."""
        done = self.run_openstack(
            *(*base.WORKBOOK, 'install', '-f', 'json', *options), cloud=cloud
        )
        shown: dict[str, Any] = json.loads(done.succeeded())
        self.assertEqual(
            'The workbook "trove" has been loaded.\n', done.stderr
        )
        self.assertTrue(shown['current'])
        self.assertEqual(['backup_create'], shown['workflows'])
        self.assertEqual('trove', shown['name'])
        return shown

    def show(self, cloud: str = 'demo') -> dict[str, Any]:
        """Show it."""
        shown: dict[str, Any] = self.json(*base.WORKBOOK, 'show', cloud=cloud)
        return shown

    def refuse(self, *words: str) -> None:
        """Check that it isn't installed, and what is there left alone."""
        client = self.mistral()
        before = client.workbooks.get('trove').definition
        message = self.fail_openstack(*base.WORKBOOK, 'install')
        for each in (*words, '--force'):
            self.assertIn(each, message)
        self.assertEqual(before, client.workbooks.get('trove').definition)
        self.assertTrue(self.install('--force')['current'])
        self.assertEqual(
            workbook.definition(), client.workbooks.get('trove').definition
        )

    def test_fresh(self) -> None:
        """Without it nothing can be scheduled; once is enough."""
        shown, created = self.shell.at_once(((*base.WORKBOOK, 'show'), CREATE))
        self.assertIn(HOW_TO_LOAD, shown.failed())
        self.assertIn(HOW_TO_LOAD, created.failed())
        self.assertEqual([], self.mistral().cron_triggers.list())
        installed = self.install()
        self.assertEqual('private', installed['scope'])
        self.assertEqual(
            self.sessions['demo'].get_project_id(), installed['project_id']
        )
        again = self.run_openstack(*base.WORKBOOK, 'install', '-f', 'json')
        self.assertEqual(installed, json.loads(again.succeeded()))
        self.assertEqual(
            'The workbook "trove" is loaded already; nothing was changed.\n',
            again.stderr,
        )
        self.assertEqual(installed, self.show())
        self.openstack(*CREATE)
        # No other project has got it.
        self.assertIn(
            HOW_TO_LOAD,
            self.fail_openstack(*base.WORKBOOK, 'show', cloud='other'),
        )

    def test_update(self) -> None:
        """An older text is told from the packaged one, and replaced."""
        self.mistral().workbooks.create(OLD)
        before = self.workflow().id
        self.assertFalse(self.show()['current'])
        message = self.fail_openstack(*CREATE)
        self.assertIn(HOW_TO_LOAD, message)
        self.assertEqual([], self.mistral().cron_triggers.list())
        self.install()
        # Schedules that are there go on.
        self.assertEqual(before, self.workflow().id)
        self.openstack(*CREATE)

    def test_other_workflows(self) -> None:
        """Somebody's own workflows are not lost unasked."""
        text = yaml.safe_load(workbook.definition())
        text['workflows']['my_own'] = {
            'tasks': {'nothing': {'action': 'std.noop'}}
        }
        self.mistral().workbooks.create(yaml.safe_dump(text))
        self.refuse('my_own')

    def test_silenced(self) -> None:
        """A schedule that would never run again holds the update up."""
        text = yaml.safe_load(OLD)
        text['workflows']['backup_create']['input'] = [
            'instance',
            'name',
            'retention',
        ]
        client = self.mistral()
        client.workbooks.create(yaml.safe_dump(text))
        client.cron_triggers.create(
            'kept-for-long',
            'trove.backup_create',
            pattern=base.ONCE_A_YEAR,
            workflow_input={'instance': 'x', 'name': 'x', 'retention': 7},
        )
        self.refuse('kept-for-long')

    def test_plain(self) -> None:
        """The packaged file can be loaded with Mistral's own command."""
        packaged = importlib.resources.files(workbook) / 'trove.yaml'
        with importlib.resources.as_file(packaged) as path:
            self.openstack('workbook', 'create', str(path))
        self.assertTrue(self.show()['current'])
        self.openstack(*CREATE)

    def test_deleted_workflow(self) -> None:
        """The workbook without its workflow is no use, and is mended."""
        self.install()
        self.openstack('workflow', 'delete', 'trove.backup_create')
        self.assertFalse(self.show()['current'])
        self.assertIn(HOW_TO_LOAD, self.fail_openstack(*CREATE))
        self.install()
        self.openstack(*CREATE)

    def test_public(self) -> None:
        """What the admin has made public serves all projects."""
        message = self.fail_openstack(*base.WORKBOOK, 'install', '--public')
        self.assertIn('403', message)
        installed = self.install('--public', cloud='admin')
        self.assertEqual('public', installed['scope'])
        for cloud in ('demo', 'other'):
            self.assertEqual(installed, self.show(cloud))
        again = self.run_openstack(*base.WORKBOOK, 'install')
        again.succeeded()
        self.assertIn('nothing was changed', again.stderr)
        self.openstack(*CREATE)
        (trigger,) = self.mistral().cron_triggers.list()
        self.assertEqual('trove.backup_create', trigger.workflow_name)

    def test_public_and_old(self) -> None:
        """A public one is its owner's to update."""
        self.mistral('admin').workbooks.create(OLD, scope='public')
        shown = self.show()
        self.assertFalse(shown['current'])
        message = self.fail_openstack(*base.WORKBOOK, 'install')
        self.assertIn(shown['project_id'], message)
        self.install(cloud='admin')
        self.assertEqual(
            (True, 'public'),
            tuple(self.show()[key] for key in ('current', 'scope')),
        )

    def test_private_of_others(self) -> None:
        """An admin neither takes nor changes what is another project's."""
        self.install()
        before = self.workflow()
        self.assertIn(
            HOW_TO_LOAD,
            self.fail_openstack(*base.WORKBOOK, 'show', cloud='admin'),
        )
        # Mistral itself would give the admin the other project's workflow.
        done = self.run_openstack(
            *base.WORKBOOK, 'install', '--public', cloud='admin'
        )
        after = self.workflow()
        self.assertEqual(before.id, after.id)
        self.assertEqual('private', after.scope)
        self.assertTrue(self.show()['current'])
        # Whether that is refused or not, nobody has made anything public.
        self.assertNotIn('has made it public', done.stderr)
        self.openstack(*CREATE)
