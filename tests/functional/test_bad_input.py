# SPDX-License-Identifier: Apache-2.0

"""What can't be right is refused in a sentence, and nothing is done."""

import contextlib
import datetime
from typing import Any

from sandbox import seed
from tests.functional import base

#: Patterns, and what must be said of them.
PATTERNS = {
    '0 0 0 3 * *': '6 fields',
    '0 3 * *': '4 fields',
    '0 0 31 2 *': 'no date',
    '61 * * * *': '61',
    'a b c d e': 'a b c d e',
    '@every 6h': '@every 6h',
    'CRON_TZ=UTC 0 0 * * *': 'time zone',
    'R 2 * * *': 'R, H',
    ','.join(str(minute) for minute in range(60)) + ' * * * *': '100',
    '': 'empty',
}

#: Names, and what must be said of them.
NAMES = {
    '': 'empty',
    'x' * 101: '100',
    'a/b': '"/"',
    'a\nb': 'line break',
    '...': 'letter or digit',
}

UNKNOWN = '00000000-0000-4000-8000-000000000000'

#: A workflow of somebody else.
FOREIGN = """
version: '2.0'
{name}:
  input:
    - instance: null
    - name: null
  tasks:
    nothing:
      action: std.noop
"""


class BadInputTestCase(base.FunctionalTestCase):
    """Commands that must fail."""

    def setUp(self) -> None:
        super().setUp()
        self.install_workbook()

    def refuse(self, *cases: tuple[str, tuple[str, ...]]) -> None:
        """Check that commands are refused with these words.

        :param cases: the words and the command, of which each is one.
        """
        outcomes = self.shell.at_once(command for _, command in cases)
        for (words, _), outcome in zip(cases, outcomes, strict=True):
            message = outcome.failed()
            self.assertIn(words, message, str(outcome))
            self.assertEqual('', outcome.stdout, str(outcome))
            self.assertEqual(1, message.count('\n'), str(outcome))
            self.assertLess(len(message), 400, str(outcome))


class CreateTests(BadInputTestCase):
    """``schedule create``."""

    instance: str

    def setUp(self) -> None:
        super().setUp()
        (self.instance,) = base.add_instances('refusals')
        self.addCleanup(self.check_nothing_was_made)

    def check_nothing_was_made(self) -> None:
        """Check that no trigger has the instance in its name or input."""
        for each in base.mistral().cron_triggers.list():
            self.assertNotIn(self.instance, each.workflow_input)

    def create(
        self, *options: str, name: str = 'x', pattern: str = '@daily'
    ) -> tuple[str, ...]:
        """Give a command that creates a schedule."""
        instance = () if '--instance' in options else (self.instance,)
        return (
            *(*base.SCHEDULE, 'create', name, '--pattern', pattern),
            *(f'--instance={each}' for each in instance),
            *options,
        )

    def test_pattern(self) -> None:
        """Patterns that Mistral refuses, never fires or misreads."""
        self.refuse(
            *(
                (words, self.create(pattern=pattern))
                for pattern, words in PATTERNS.items()
            )
        )

    def test_name(self) -> None:
        """Names that Mistral can't find again, or that Trove refuses."""
        self.refuse(
            *((words, self.create(name=name)) for name, words in NAMES.items())
        )

    def test_other_values(self) -> None:
        """Counts, times and what becomes a part of each backup."""
        now = datetime.datetime.now(datetime.UTC)
        soon = now + datetime.timedelta(seconds=30)
        self.refuse(
            ('not 0', self.create('--count', '0')),
            ('not -1', self.create('--count=-1')),
            ('one minute ahead', self.create('--first-time', '2020-01-01')),
            (
                'one minute ahead',
                self.create('--first-time', soon.isoformat()),
            ),
            ('ISO 8601', self.create('--first-time', 'tomorrow')),
            ('207', self.create('--description', 'x' * 208)),
            ('ASCII', self.create('--swift-container', 'a b')),
            ('storage driver', self.create('--storage-driver', '')),
        )

    def test_usage(self) -> None:
        """What the parser refuses has the exit status 2."""
        outcomes = self.shell.at_once(
            (
                self.create('--parent', UNKNOWN, '--incremental'),
                self.create('--count', 'two'),
                (*base.SCHEDULE, 'create', 'x', '--instance', 'm'),
                (*base.SCHEDULE, 'create', 'x', '--pattern', '@daily'),
            )
        )
        for outcome, words in zip(
            outcomes,
            ('not allowed with', 'two', '--pattern', '--instance'),
            strict=True,
        ):
            self.assertIn(words, outcome.failed(2))

    def test_instance(self) -> None:
        """Instances that are not there, or not one's own."""
        (theirs,) = base.cloud().instance_ids('other', 'theirs')
        nameless = base.unique('no-such')
        self.refuse(
            (theirs, self.create('--instance', theirs)),
            ('theirs', self.create('--instance', 'theirs')),
            (UNKNOWN, self.create('--instance', UNKNOWN)),
            (nameless, self.create('--instance', nameless)),
        )

    def test_parent(self) -> None:
        """Backups that can't be the parent of another."""
        backups = base.trove().backups
        other, faulty = (
            base.add_instances(behaviour, behaviour=behaviour)[0]
            for behaviour in (seed.GOOD, seed.FAULTY)
        )
        made = [backups.create('parent', each) for each in (other, faulty)]
        self.addCleanup(self.delete_backups, [each.id for each in made])
        ended = {'COMPLETED', 'FAILED'}
        states = base.wait_until(
            lambda: (
                {
                    found.status: found.id
                    for each in made
                    if (found := backups.get(each.id)).status in ended
                }.items()
                >= {('COMPLETED', made[0].id), ('FAILED', made[1].id)}
            )
        )
        self.assertTrue(states)
        nameless = base.unique('no-such')
        self.refuse(
            (UNKNOWN, self.create('--parent', UNKNOWN)),
            (nameless, self.create('--parent', nameless)),
            (other, self.create('--parent', made[0].id)),
            (
                'FAILED',
                self.create('--parent', made[1].id, '--instance', faulty),
            ),
        )

    def delete_backups(self, ids: list[str]) -> None:
        """Delete backups."""
        for each in ids:
            base.trove().backups.delete(each)


class FindTests(BadInputTestCase):
    """``show``, ``delete`` and lists of what is not there, or no schedule."""

    def test_unknown(self) -> None:
        """What is not there is named."""
        name = base.unique('no-such')
        listed = (*base.EXECUTION, 'list')
        self.refuse(
            (UNKNOWN, (*base.SCHEDULE, 'show', UNKNOWN)),
            (name, (*base.SCHEDULE, 'show', name)),
            ('""', (*base.SCHEDULE, 'show', '')),
            (UNKNOWN, (*base.EXECUTION, 'show', UNKNOWN)),
            ('a/b', (*base.EXECUTION, 'show', 'a/b')),
            (name, (*listed, name)),
            (UNKNOWN, (*listed, '--instance', UNKNOWN)),
            (UNKNOWN, (*listed, '--marker', UNKNOWN)),
        )

    def test_foreign_trigger(self) -> None:
        """A trigger on another workflow is neither shown nor deleted."""
        client = base.mistral()
        workflow = self.foreign_workflow(client)
        key = self.create_schedule()['id']
        trigger = client.cron_triggers.create(
            # As near to a schedule as it can get.
            f'trovebackup1:x:{UNKNOWN}:{UNKNOWN}:1-{key[:8]}',
            workflow,
            pattern=base.ONCE_A_YEAR,
            workflow_input={'instance': UNKNOWN, 'name': 'x'},
        )
        self.addCleanup(client.cron_triggers.delete, trigger.id)
        self.refuse(
            (workflow, (*base.SCHEDULE, 'show', trigger.id)),
            (workflow, (*base.SCHEDULE, 'show', trigger.name)),
        )
        outcomes = self.shell.at_once(
            (
                (*base.SCHEDULE, 'delete', trigger.id),
                (*base.SCHEDULE, 'delete', trigger.name),
                (*base.EXECUTION, 'list', trigger.id),
            )
        )
        for outcome in outcomes:
            self.assertIn(workflow, outcome.failed())
        listed = self.json('cron', 'trigger', 'list')
        self.assertIn(trigger.name, [row['Name'] for row in listed])
        listed = self.json(*base.SCHEDULE, 'list')
        self.assertNotIn(trigger.id, [row['ID'] for row in listed])
        self.assertIn(key, [row['ID'] for row in listed])

    def test_foreign_execution(self) -> None:
        """An execution of another workflow is left alone, too."""
        client = base.mistral()
        workflow = self.foreign_workflow(client)
        run = client.executions.create(workflow)
        self.addCleanup(self.delete_execution, client, run.id)
        base.wait_until(
            lambda: client.executions.get(run.id).state == 'SUCCESS'
        )
        self.refuse((workflow, (*base.EXECUTION, 'show', run.id)))
        errors = self.fail_openstack(*base.EXECUTION, 'delete', run.id)
        self.assertIn(workflow, errors)
        shown = self.json('workflow', 'execution', 'show', run.id)
        self.assertEqual('SUCCESS', shown['State'])
        listed = self.json(*base.EXECUTION, 'list')
        self.assertNotIn(run.id, [row['ID'] for row in listed])

    def delete_execution(self, client: Any, key: str) -> None:
        """Delete an execution, if it is there."""
        with contextlib.suppress(Exception):
            client.executions.delete(key, force=True)

    def foreign_workflow(self, client: Any) -> str:
        """Make a workflow that has nothing to do with ours; its name."""
        name = base.unique('foreign')
        client.workflows.create(FOREIGN.format(name=name))
        self.addCleanup(client.workflows.delete, name)
        return name
