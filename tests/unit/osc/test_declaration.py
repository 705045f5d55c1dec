# SPDX-License-Identifier: Apache-2.0

from collections.abc import Iterable
import io
import json
import pathlib
from typing import Any

import fixtures
from osc_lib import exceptions as osc_exceptions

from tests.unit import base
from tests.unit import fakes
from tests.unit.fakes import our_trigger
from tests.unit.fakes import schedule_id
from tests.unit.fakes import trigger
from tests.unit.osc import test_schedule
from trove_backup_schedule import cron
from trove_backup_schedule import declared
from trove_backup_schedule import exceptions
from trove_backup_schedule.osc import declaration
from trove_backup_schedule.osc import schedule

BACKUP = base.uid(0xB)

NIGHTLY = """\
- instance: orders
  name: nightly
  pattern: 0 3 * * *
"""
WEEKLY = """\
- instance: orders
  name: weekly
  pattern: '@weekly'
  spread: true
  description: Jede Woche \N{SNOWMAN}
  enabled: false
"""
BILLING = """\
- instance: billing
  name: nightly
  pattern: 0 4 * * *
  keep: 7
"""


class DeclarationTestCase(test_schedule.ScheduleTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.directory = pathlib.Path(self.useFixture(fixtures.TempDir()).path)
        self.file = str(self.directory / 'schedules.yaml')

    def write(self, *entries: str, top: str = '') -> str:
        """Write the file with these entries, and give its name."""
        listed = ''.join(entries) or '  []'
        text = f'{top}schedules:\n{listed}'
        pathlib.Path(self.file).write_text(text, 'utf-8')
        return self.file

    def apply(self, *arguments: str) -> list[tuple[str, str, str]]:
        """Apply a file; give what was done about each name, and the result."""
        return _done(self.run_json(declaration.ApplySchedule, *arguments))

    def summed_up(self) -> str:
        """Give what the last command that applied a file said at its end."""
        return self.stderr.getvalue().splitlines()[-1]

    def pipe(self, text: str) -> None:
        """Have a text come from standard input."""
        self.useFixture(
            fixtures.MonkeyPatch(
                'sys.stdin', io.TextIOWrapper(io.BytesIO(text.encode()))
            )
        )

    def there(self) -> list[fakes.Row]:
        """Give all schedules, as ``show`` does."""
        return [
            self.run_json(schedule.ShowSchedule, row['ID'])
            for row in self.run_json(schedule.ListSchedule)
        ]


def _done(rows: Iterable[fakes.Row]) -> list[tuple[str, str, str]]:
    return [(row['Name'], row['Action'], row['Result']) for row in rows]


class TestApply(DeclarationTestCase):
    def test_what_is_declared_is_made_so_and_stays_so(self) -> None:
        file = self.write(NIGHTLY, WEEKLY, BILLING)
        names = ('nightly', 'weekly', 'nightly')
        self.assertEqual(
            [(name, 'create', 'done') for name in names], self.apply(file)
        )
        before = self.there()
        self.assertEqual(
            {
                ('nightly', fakes.INSTANCE, '0 3 * * *', None, None, True),
                (
                    'weekly',
                    fakes.INSTANCE,
                    cron.spread('@weekly', fakes.INSTANCE),
                    'Jede Woche \N{SNOWMAN}',
                    None,
                    False,
                ),
                (
                    'nightly',
                    fakes.OTHER_INSTANCE,
                    '0 4 * * *',
                    None,
                    7,
                    True,
                ),
            },
            {
                tuple(
                    each[key]
                    for key in (
                        'name',
                        'instance',
                        'pattern',
                        'description',
                        'keep',
                        'enabled',
                    )
                )
                for each in before
            },
        )
        self.assertEqual([], self.apply(file, '--prune'))
        self.assertEqual(before, self.there())

    def test_what_is_shown(self) -> None:
        self.triggers += [our_trigger(1), our_trigger(2, 'more')]
        file = self.write(NIGHTLY + '  keep: 7\n  description: new\n', BILLING)
        changed, created = self.run_json(
            declaration.ApplySchedule, '--dry-run', file
        )
        self.assertEqual(
            {
                'Action': 'change',
                'Instance': 'orders',
                'Name': 'nightly',
                'Schedule ID': schedule_id(1),
                'Changes': {
                    'description': {'old': None, 'new': 'new'},
                    'keep': {'old': None, 'new': 7},
                },
                'Result': 'not done',
            },
            changed,
        )
        self.assertEqual(
            {
                'Action': 'create',
                'Instance': 'billing',
                'Name': 'nightly',
                'Schedule ID': None,
                'Changes': {},
                'Result': 'not done',
            },
            created,
        )
        header, *rows = self.table(
            declaration.ApplySchedule, '--dry-run', file
        )
        self.assertEqual(list(changed), header)
        self.assertEqual(
            ['description: None -> new', 'keep: None -> 7', ''],
            [row[4] for row in rows],
        )

    def test_it_is_summed_up(self) -> None:
        self.triggers += [our_trigger(1), our_trigger(2, 'more'), trigger(3)]
        file = self.write(NIGHTLY + '  keep: 7\n', BILLING)
        for options, done, others in (
            (('--dry-run',), '1 to create, 1 to change, 0 to delete', (0, 2)),
            (
                ('--dry-run', '--prune'),
                '1 to create, 1 to change, 1 to delete',
                (0, 1),
            ),
            ((), '1 created, 1 changed, 0 deleted, 0 failed', (0, 2)),
            ((), 'Nothing to change', (2, 2)),
            (('--dry-run',), 'Nothing to change', (2, 2)),
            (
                ('--prune',),
                '0 created, 0 changed, 1 deleted, 0 failed',
                (2, 1),
            ),
        ):
            with self.case(options):
                self.apply(file, *options)
                same, left = others
                self.assertEqual(
                    f'{done}; {same} as declared, {left} left alone.',
                    self.summed_up(),
                )

    def test_what_somebody_else_creates_too_is_created_once(self) -> None:
        def rival(request: Any) -> None:
            if request.method == 'POST':
                self.mistral.before = None
                self.triggers.append(our_trigger(1))

        self.mistral.before = rival
        file = self.write(NIGHTLY)
        self.assertEqual([('nightly', 'create', 'failed')], self.apply(file))
        self.assertIn('"nightly" of orders at the same time', self.log.output)
        self.assertEqual([], self.apply(file))
        self.assertEqual([base.uid(1)], [row['id'] for row in self.triggers])

    def test_a_dry_run_changes_nothing(self) -> None:
        self.triggers += [our_trigger(1), our_trigger(2, 'more')]
        self.assertEqual(
            [
                ('nightly', 'change', 'not done'),
                ('weekly', 'create', 'not done'),
                ('more', 'delete', 'not done'),
            ],
            self.apply(
                *('--dry-run', '--prune'),
                self.write(NIGHTLY + '  keep: 7\n', WEEKLY),
            ),
        )
        self.assertEqual([], self.changed())

    def test_a_change_leaves_the_id(self) -> None:
        self.triggers.append(our_trigger(1))
        self.assertEqual(
            [('nightly', 'change', 'done')],
            self.apply(self.write(NIGHTLY + '  keep: 7\n')),
        )
        (shown,) = self.there()
        self.assertEqual(
            (schedule_id(1), 7, '2030-01-01T00:00:01+00:00'),
            (shown['id'], shown['keep'], shown['created_at']),
        )

    def test_only_what_was_made_here_is_pruned(self) -> None:
        self.triggers += [our_trigger(1), our_trigger(2, 'more'), trigger(3)]
        file = self.write(NIGHTLY)
        self.assertEqual([], self.apply(file))
        self.assertEqual([], self.changed())
        self.assertEqual(
            [('more', 'delete', 'done')], self.apply(file, '--prune')
        )
        self.assertEqual(
            [base.uid(1), base.uid(3)], [row['id'] for row in self.triggers]
        )
        self.assertEqual(
            [('nightly', 'delete', 'done')],
            self.apply(self.write(), '--prune'),
        )

    def test_a_file_about_one_instance_leaves_the_others_alone(self) -> None:
        self.triggers += [
            our_trigger(1),
            our_trigger(2, instance=fakes.OTHER_INSTANCE),
        ]
        file = self.write(BILLING, top='instance: billing\n')
        self.assertEqual(
            [('nightly', 'change', 'done')], self.apply(file, '--prune')
        )
        self.assertEqual(
            {schedule_id(1), schedule_id(2)},
            {each['id'] for each in self.there()},
        )

    def test_what_others_made_is_taken_over_only_to_change_it(self) -> None:
        self.triggers.append(trigger(1))
        entry = NIGHTLY.replace('nightly', 'by-hand')
        self.assertEqual([], self.apply(self.write(entry)))
        self.assertEqual([], self.changed())
        self.assertEqual(
            [('by-hand', 'change', 'done')],
            self.apply(self.write(entry + '  keep: 7\n')),
        )
        (shown,) = self.there()
        self.assertEqual((base.uid(1), 7), (shown['id'], shown['keep']))

    def test_twins_are_two(self) -> None:
        file = self.write(NIGHTLY, NIGHTLY)
        self.assertEqual([('nightly', 'create', 'done')] * 2, self.apply(file))
        self.assertEqual([], self.apply(file, '--prune'))
        self.assertEqual(2, len(self.triggers))

    def test_standard_input_is_read_for_a_hyphen(self) -> None:
        self.pipe(f'schedules:\n{WEEKLY}')
        self.assertEqual([('weekly', 'create', 'done')], self.apply('-'))
        (shown,) = self.there()
        self.assertEqual('Jede Woche \N{SNOWMAN}', shown['description'])

    def test_while_anything_in_the_file_is_wrong_nothing_is_done(self) -> None:
        for entry, error, words in (
            ('- {', exceptions.InvalidValueError, 'line'),
            ('- name: x', exceptions.InvalidValueError, '"instance"'),
            (
                BILLING + '  colour: red\n',
                exceptions.InvalidValueError,
                'entry 2 (billing/nightly)',
            ),
            (
                BILLING + '  full_every: 3\n',
                exceptions.InvalidValueError,
                'incremental',
            ),
            (
                BILLING.replace('billing', 'none'),
                exceptions.NotFoundError,
                '"none"',
            ),
            (
                BILLING + '  parent: none\n',
                exceptions.NotFoundError,
                '"none"',
            ),
            # It is a backup of another instance.
            (
                BILLING + '  parent: base\n',
                exceptions.InvalidValueError,
                BACKUP,
            ),
        ):
            with self.case(entry):
                exc = self.assertRaises(
                    error, self.apply, self.write(NIGHTLY, entry), '--prune'
                )
                self.assertIn(words.lower(), str(exc).lower())
        self.assertEqual([], self.changed())

    def test_files_that_cannot_be_read(self) -> None:
        binary = self.directory / 'binary'
        binary.write_bytes(b'schedules: [] # \xff')
        for file, reason in (
            (self.directory / 'none', 'No such file'),
            (self.directory, 'Is a directory'),
            (binary, 'UTF-8'),
        ):
            with self.case(file):
                exc = self.assertRaises(
                    osc_exceptions.CommandError, self.apply, str(file)
                )
                self.assertIn(f"{file} can't be read: ", str(exc))
                self.assertIn(reason, str(exc))
        self.assertEqual([], self.http.request_history)

    def test_arguments_that_are_refused(self) -> None:
        for arguments in ([], ['a', 'b'], ['a', '--instance', 'orders']):
            with self.case(arguments):
                self.refuse(declaration.ApplySchedule, *arguments)


class TestPartialFailure(DeclarationTestCase):
    """A file of which the second of three changes fails."""

    def setUp(self) -> None:
        super().setUp()
        self.triggers += [our_trigger(1, 'more'), our_trigger(2, 'weekly')]
        self.http.post(
            f'{base.MISTRAL}/cron_triggers', json=self._create_but_weekly
        )
        self.write(NIGHTLY, WEEKLY)

    def _create_but_weekly(self, request: Any, context: Any) -> fakes.Row:
        if ':weekly:' in request.text:
            context.status_code = 403
            return {'faultstring': 'Not allowed'}
        context.status_code = 201
        return self.mistral.create(request, context)

    def _apply(self) -> tuple[int, list[tuple[str, str, str]]]:
        """Give the exit code and what was done."""
        factory: Any = declaration.ApplySchedule
        made = factory(self.app, None)
        parser = made.get_parser('openstack x')
        self.stdout.truncate(self.stdout.seek(0))
        arguments = [self.file, '--prune', '-f', 'json']
        status = made.run(parser.parse_args(arguments))
        return status, _done(json.loads(self.stdout.getvalue()))

    def test_the_others_are_done_and_it_is_shown_and_summed_up(self) -> None:
        self.assertEqual(
            (
                1,
                [
                    ('nightly', 'create', 'done'),
                    ('weekly', 'change', 'failed'),
                    ('more', 'delete', 'done'),
                ],
            ),
            self._apply(),
        )
        self.assertIn('Not allowed', self.log.output)
        self.assertEqual(
            '1 created, 0 changed, 1 deleted, 1 failed; 0 as declared, 0 left '
            'alone. Apply the file again when the reasons are gone.',
            self.summed_up(),
        )
        self.assertEqual(
            [('nightly', '0 3 * * *'), ('weekly', '0 3 * * *')],
            [(each['name'], each['pattern']) for each in self.there()],
        )

    def test_it_can_be_applied_again(self) -> None:
        self._apply()
        self.http.post(
            f'{base.MISTRAL}/cron_triggers', json=self.mistral.create
        )
        self.assertEqual((0, [('weekly', 'change', 'done')]), self._apply())


class TestExport(DeclarationTestCase):
    def export(self, *arguments: str) -> str:
        """Export, and give what is printed."""
        return self.run_command(declaration.ExportSchedule, *arguments)

    def full(self) -> None:
        """Have schedules of all kinds."""
        self.apply(
            self.write(NIGHTLY, NIGHTLY, WEEKLY, BILLING + '  parent: bill\n')
        )
        self.triggers.append(trigger(1))

    def setUp(self) -> None:
        super().setUp()
        self.backups(
            fakes.backup(BACKUP, name='bill', instance_id=fakes.OTHER_INSTANCE)
        )
        self.full()

    def test_what_is_written_is_there_already(self) -> None:
        before = self.there()
        self.pipe(self.export())
        self.assertEqual([], self.apply('-', '--prune'))
        self.assertEqual(
            'Nothing to change; 5 as declared, 0 left alone.',
            self.summed_up(),
        )
        self.assertEqual(before, self.there())

    def test_what_is_written_can_be_made_again(self) -> None:
        text = self.export()
        self.triggers.clear()
        self.pipe(text)
        self.assertEqual(
            {('create', 'done')},
            {(action, told) for _, action, told in self.apply('-')},
        )
        self.assertEqual(text, self.export())

    def test_people_can_read_it(self) -> None:
        text = self.export()
        self.assertIn('description: Jede Woche \N{SNOWMAN}\n', text)
        self.assertIn('- instance: billing\n  name: nightly\n', text)
        self.assertIn('# ', text.splitlines()[0])

    def test_it_is_written_to_a_file(self) -> None:
        text = self.export()
        self.assertEqual('', self.export('--file', self.file))
        self.assertEqual(text, pathlib.Path(self.file).read_text('utf-8'))

    def test_an_instance_alone(self) -> None:
        for instance in ('billing', fakes.OTHER_INSTANCE):
            with self.case(instance):
                content = declared.parse(self.export('--instance', instance))
                self.assertEqual('billing', content.instance)
                self.assertEqual(
                    ['nightly'], [each.name for each in content.schedules]
                )

    def test_nothing_to_write(self) -> None:
        self.triggers.clear()
        content = declared.parse(self.export())
        self.assertEqual([], content.schedules)

    def test_files_that_cannot_be_written(self) -> None:
        for file, reason in (
            (self.directory, 'Is a directory'),
            (self.directory / 'none' / 'file', 'No such file'),
        ):
            with self.case(file):
                exc = self.assertRaises(
                    osc_exceptions.CommandError,
                    self.export,
                    '--file',
                    str(file),
                )
                self.assertIn(f"{file} can't be written: ", str(exc))
                self.assertIn(reason, str(exc))

    def test_instances_that_are_not_there(self) -> None:
        for instance in ('none', base.uid(0x300), ''):
            with self.case(instance):
                self.http.get(
                    f'{base.TROVE}/instances/{instance}', status_code=404
                )
                self.assertRaises(
                    exceptions.NotFoundError,
                    self.export,
                    *('--instance', instance, '--file', self.file + '.new'),
                )
        self.assertFalse(pathlib.Path(self.file + '.new').exists())

    def test_arguments_that_are_refused(self) -> None:
        for arguments in (['file'], ['--prune'], ['-f', 'json']):
            with self.case(arguments):
                self.refuse(declaration.ExportSchedule, *arguments)


class TestLeftOut(DeclarationTestCase):
    """Schedules that no file can declare."""

    def setUp(self) -> None:
        super().setUp()
        self.triggers += [
            our_trigger(1),
            # A description could be as long as Trove takes it once.
            our_trigger(2, 'more'),
            trigger(3, pattern='* * * * * *'),
        ]
        self.triggers[1]['workflow_input']['description'] = 'x' * 255

    def test_they_are_told_and_the_others_written(self) -> None:
        text = self.run_command(declaration.ExportSchedule)
        self.assertEqual(
            ['nightly'], [each.name for each in declared.parse(text).schedules]
        )
        for left_out in (schedule_id(2), base.uid(3)):
            self.assertIn(left_out, self.log.output)

    def test_what_could_not_be_written_is_not_pruned(self) -> None:
        self.run_command(declaration.ExportSchedule, '--file', self.file)
        self.apply(self.file, '--prune')
        self.assertEqual(3, len(self.triggers))
