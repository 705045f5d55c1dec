# SPDX-License-Identifier: Apache-2.0

"""What a schedule keeps of its backups, and what it removes."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
import contextlib
import dataclasses
import datetime
import functools
import itertools
import json
import pathlib
import sqlite3
import tempfile
from typing import Any
import uuid

from keystoneauth1 import session
from keystoneauth1.identity import v3
from mistralclient.api.v2 import client as mistral_client
from troveclient.v1 import client as trove_client

from sandbox import seed
from tests.functional import base
import trove_backup_schedule
from trove_backup_schedule import models
from trove_backup_schedule import settings
from trove_backup_schedule import trove

#: Seconds in which runs of all schedules of a project must have ended.
RUN_SECONDS = 240.0

#: Time in which all schedules that fire together must have been made.
PREPARATION = datetime.timedelta(seconds=15)

#: More backups than Trove lists at once, and far more than Mistral can hold.
MANY = 1100

#: The most backups that the projects here may have.
QUOTA = 5000

#: The longest description that a user may give, in characters that take four
#: bytes each.
LONG = '\N{FLOPPY DISK}' * settings.MAX_DESCRIPTION_LENGTH

FAILED = 'FAILED'

INSERT = """
insert into backups (
    id, name, description, location, backup_type, size, tenant_id, state,
    instance_id, deleted, created, updated, parent_id, storage_driver
) values (
    :id, :name, :description, :location, 'full', 0.5, :tenant_id, :state,
    :instance_id, 0, :created, :created, :parent_id, 'swift'
)
"""

DELETE = 'update backups set deleted = 1 where tenant_id = :tenant_id'

COUNT = """
update quota_usages set in_use = (
    select count(*) from backups where tenant_id = :tenant_id and not deleted
) where tenant_id = :tenant_id and resource = 'backups'
"""

MOVE = 'update instances set tenant_id = :tenant_id where id = :id'


class Project:
    """A project of the user demo in which nobody else makes backups."""

    def __init__(self) -> None:
        self.id = self._add()
        clouds = json.loads(base.cloud().clouds_yaml.read_text('utf-8'))
        auth = clouds['clouds']['demo']['auth']
        del auth['project_name'], auth['project_domain_name']
        auth['project_id'] = self.id
        self._directory = tempfile.TemporaryDirectory()
        path = pathlib.Path(self._directory.name, 'clouds.yaml')
        path.write_text(json.dumps(clouds), 'utf-8')
        self.shell = base.Shell(
            environment=base.cloud().environment()
            | {'OS_CLIENT_CONFIG_FILE': str(path)}
        )
        self.session = session.Session(auth=v3.Password(**auth))
        self.schedules = trove_backup_schedule.BackupSchedules(self.session)
        self.trove = trove_client.Client(
            session=self.session, service_type='database'
        )
        self.mistral = mistral_client.Client(
            mistral_url=base.cloud().urls['workflowv2'], session=self.session
        )
        self.schedules.workbook_install()
        base.trove('admin').quota.update(self.id, {'backups': QUOTA})
        # Trove adds the rows of the project's usage when it is first asked.
        self.quota()

    def _add(self) -> str:
        admin = base.logged_in('admin')
        url = base.cloud().urls['identity']
        made = admin.post(
            f'{url}/projects',
            json={'project': {'name': base.unique('retention')}},
        ).json()['project']
        roles = admin.get(f'{url}/roles?name=member').json()['roles']
        user = base.logged_in().get_user_id()
        admin.put(
            f'{url}/projects/{made["id"]}/users/{user}/roles/{roles[0]["id"]}'
        )
        return str(made['id'])

    def remove(self) -> None:
        """Remove all schedules and backups, and the project."""
        self.clear()
        base.logged_in('admin').delete(
            f'{base.cloud().urls["identity"]}/projects/{self.id}'
        )
        self._directory.cleanup()

    def clear(self) -> None:
        """Remove all schedules and backups."""
        for each in self.schedules.schedule_list():
            self.schedules.schedule_delete(each.id)
        self._execute(DELETE, [{}])

    def log_out(self) -> None:
        """Make the token invalid that all has been done with so far."""
        token = str(self.session.get_token())
        self.session.delete(
            f'{base.cloud().urls["identity"]}/auth/tokens',
            headers={'X-Subject-Token': token},
        )
        self.session.invalidate()

    def add_instances(
        self, labels: Sequence[str], behaviour: str = seed.GOOD
    ) -> dict[str, str]:
        """Add instances, and give the ID of each by its label."""
        # The sandbox knows its own projects only.
        keys = base.add_instances(
            *(label.replace(' ', '-') for label in labels),
            behaviour=behaviour,
        )
        self._execute(MOVE, [{'id': key} for key in keys])
        return dict(zip(labels, keys, strict=True))

    def add_backups(self, rows: Iterable[Mapping[str, str | None]]) -> None:
        """Put backups into Trove's database, as if Trove had made them."""
        self._execute(INSERT, rows)

    def _execute(
        self, statement: str, several: Iterable[Mapping[str, str | None]]
    ) -> None:
        path = base.cloud().directory / 'trove.sqlite'
        own = {'tenant_id': self.id}
        with (
            contextlib.closing(sqlite3.connect(path, 30)) as connection,
            connection,
        ):
            connection.executemany(
                statement, [{**each, **own} for each in several]
            )
            connection.execute(COUNT, own)

    def backups(self) -> dict[str, models.Backup]:
        """Give all backups by their ID."""
        listed = trove.Trove(self.trove).settled_backups()
        return {each.id: each for each in listed}

    def quota(self) -> Any:
        """Give what Trove says of the quota of backups."""
        (found,) = (
            each
            for each in self.trove.quota.show(self.id)
            if each.resource == 'backups'
        )
        return found

    def run(
        self, schedules: Mapping[str, str]
    ) -> dict[str, models.ScheduleExecution]:
        """Run schedules by hand, and give how each run has ended."""
        return self.ended(
            {
                label: self.schedules.schedule_run(key).id
                for label, key in schedules.items()
            }
        )

    def ended(
        self, runs: Mapping[str, str]
    ) -> dict[str, models.ScheduleExecution]:
        """Wait until runs have ended and what they remove is gone."""
        found: dict[str, models.ScheduleExecution] = {}

        def all_ended() -> bool:
            for label in runs.keys() - found.keys():
                run = self.schedules.execution_show(runs[label])
                if run.ended:
                    found[label] = run
            return found.keys() == runs.keys()

        base.wait_until(all_ended, RUN_SECONDS)
        removed = {
            key
            for run in found.values()
            for key in run.output.get('removed', ())
        }
        # Trove goes on with it when it has answered.
        base.wait_until(lambda: removed.isdisjoint(self.backups()))
        return found


class RetentionTestCase(base.FunctionalTestCase):
    """Tests on a project of their own."""

    project: Project

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cls.project = Project()
        cls.addClassCleanup(cls.project.remove)

    def setUp(self) -> None:
        super().setUp()
        self.shell = self.project.shell

    def check_quota(self) -> None:
        """Wait until Trove has counted each removed backup, once.

        It may lose count where several are made or deleted at the same time.
        """

        def counted() -> bool:
            quota = self.project.quota()
            left = len(self.project.backups())
            return (quota.in_use, quota.reserved) == (left, 0)

        base.wait_until(counted)


#: By whom a backup was made, or whose it looks like.
OWN = 'the schedule'
ORIGIN = 'the schedule, when another trigger carried it'
MANUAL = 'a person'
NAMED = 'a person, who has named it like the schedule'
LABELLED = 'a person, who has copied the description'
THEIRS = 'another schedule of the instance'
ELSEWHERE = 'a person, of another instance'
COPY = 'a schedule of the same label, of another instance'


@dataclasses.dataclass(frozen=True)
class Earlier:
    """A backup that was there before the run.

    :ivar parent: the label of the backup that it builds on.
    :ivar stays: whether it is there after it.
    """

    parent: str | None = None
    by: str = OWN
    status: str = models.GOOD
    stays: bool = True


stays = functools.partial(Earlier, stays=True)
goes = functools.partial(Earlier, stays=False)


@dataclasses.dataclass(frozen=True)
class Scenario:
    """A schedule that is going to run, and the backups that are there.

    :ivar backups: by a label, newest first.
    :ivar instance: label of the instance, if it is not the scenario's own.
    """

    keep: int
    backups: Mapping[str, Earlier]
    behaviour: str = seed.GOOD
    instance: str | None = None


SCENARIOS = {
    'everything': Scenario(
        3,
        {
            'failed': goes(status=FAILED),
            'newest': stays(),
            # A chain that is needed.
            'third': stays('second'),
            'second': stays('first'),
            'first': stays('full'),
            'full': stays(),
            # One that nobody needs any more.
            'old third': goes('old second'),
            'old second': goes('old first'),
            'old first': goes('old full'),
            'old full': goes(),
            'not deleted': goes(status='DELETE_FAILED'),
            # Others build on these.
            'manual child': stays('lent to a person', by=MANUAL),
            'own child': goes('lent to a person'),
            'lent to a person': stays(),
            'their child': stays('lent to another', by=THEIRS),
            'lent to another': stays(),
            # A chain that can't be restored.
            'broken': stays('failed parent'),
            'failed parent': stays('full of failed', status=FAILED),
            'full of failed': stays(),
            # Those of others.
            'manual': stays(by=MANUAL),
            'failed manual': stays(by=MANUAL, status=FAILED),
            'named': stays(by=NAMED),
            'labelled': stays(by=LABELLED),
            'theirs': stays(by=THEIRS),
            'failed theirs': stays(by=THEIRS, status=FAILED),
            'copy': stays(by=COPY),
            'oldest': goes(),
        },
    ),
    'few': Scenario(3, {'newest': stays(), 'oldest': stays()}),
    'failing': Scenario(
        1,
        {
            'failed': stays(status=FAILED),
            'newest': stays(),
            'child': stays('full'),
            'full': stays(),
        },
        behaviour=seed.FAULTY,
    ),
    'first': Scenario(
        1, {'newest': goes(), 'oldest': goes()}, instance='shared'
    ),
    'second': Scenario(
        3,
        {'newest': stays(), 'second': stays(), 'third': goes()},
        instance='shared',
    ),
    'adopted': Scenario(
        2,
        {
            'own': stays(),
            'of the trigger before': goes(by=ORIGIN),
            'oldest': goes(),
        },
    ),
}


def make_backups(
    schedule: models.Schedule,
    backups: Mapping[str, Earlier],
    elsewhere: str = '',
    hours: int = 1,
) -> Iterator[tuple[str, dict[str, str | None]]]:
    """Make rows for backups, with their labels.

    :param backups: newest first.
    :param elsewhere: ID of another instance.
    :param hours: age of the newest. Each of the others is an hour older than
        the one before it.
    """
    keys = {label: str(uuid.uuid4()) for label in backups}
    now = datetime.datetime.now(datetime.UTC)
    for number, (label, each) in enumerate(backups.items(), hours):
        moment = now - datetime.timedelta(hours=number)
        named, labelled = f'{schedule.name}-{moment:%Y%m%d%H%M%S}', schedule.id
        yield (
            label,
            {
                'id': keys[label],
                'name': (
                    f'by hand {label}'
                    if each.by in {MANUAL, LABELLED, ELSEWHERE}
                    else named
                ),
                'description': {
                    MANUAL: 'kept for ever',
                    NAMED: None,
                    THEIRS: f'[schedule {uuid.uuid4()}]',
                    ORIGIN: f'[schedule {schedule.origin}]',
                    ELSEWHERE: None,
                }.get(each.by, f'nightly [schedule {labelled}]'),
                'location': None,
                'state': each.status,
                'instance_id': (
                    elsewhere
                    if each.by in {ELSEWHERE, COPY}
                    else schedule.instance
                ),
                'created': f'{moment:%Y-%m-%d %H:%M:%S.%f}',
                'parent_id': each.parent and keys[each.parent],
            },
        )


class TickTests(RetentionTestCase):
    """Schedules that all fire at the same minute, with nobody logged in."""

    instances: dict[str, str]
    made: dict[str, models.Schedule]
    earlier: dict[str, dict[str, str]]
    runs: dict[str, models.ScheduleExecution]
    left: dict[str, models.Backup]

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cls.instances = {}
        for behaviour in (seed.GOOD, seed.FAULTY):
            labels = {
                each.instance or label
                for label, each in SCENARIOS.items()
                if each.behaviour == behaviour
            }
            cls.instances |= cls.project.add_instances(
                sorted(labels), behaviour
            )
        cls.instances |= cls.project.add_instances(['elsewhere'])
        cls._make_in_time()
        cls.project.log_out()
        base.wait_until(lambda: len(cls._started()) == len(SCENARIOS))
        cls.runs = cls.project.ended(cls._started())
        cls.left = cls.project.backups()

    @classmethod
    def _make_in_time(cls) -> None:
        """Make all schedules and backups before the schedules fire."""
        while True:
            now = datetime.datetime.now(datetime.UTC)
            moment = (now + PREPARATION).replace(second=0, microsecond=0)
            moment += datetime.timedelta(minutes=1)
            cls._make(f'{moment.minute} * * * *')
            # Mistral may fire two seconds early.
            done = datetime.datetime.now(datetime.UTC)
            if done < moment - datetime.timedelta(seconds=4):
                return
            cls.project.clear()

    @classmethod
    def _make(cls, pattern: str) -> None:
        schedules = cls.project.schedules
        cls.made, cls.earlier = {}, {}
        rows: list[dict[str, str | None]] = []
        for label, scenario in SCENARIOS.items():
            instance = cls.instances[scenario.instance or label]
            if label == 'adopted':
                trigger = cls.project.mistral.cron_triggers.create(
                    str(uuid.uuid4()),
                    models.WORKFLOW,
                    pattern=pattern,
                    workflow_input={'instance': instance, 'name': label},
                )
                made = schedules.schedule_set(trigger.id, keep=scenario.keep)
            else:
                made = schedules.schedule_create(
                    instance, pattern, label, keep=scenario.keep
                )
            its = dict(
                make_backups(
                    made, scenario.backups, cls.instances['elsewhere']
                )
            )
            rows += its.values()
            cls.made[label] = made
            cls.earlier[label] = {
                each: str(row['id']) for each, row in its.items()
            }
        cls.project.add_backups(rows)

    @classmethod
    def _started(cls) -> dict[str, str]:
        """Give the ID of the run of each schedule that has fired."""
        found = {
            run.schedule_id: run.id
            for run in cls.project.schedules.execution_list()
        }
        return {
            label: found[made.id]
            for label, made in cls.made.items()
            if made.id in found
        }

    def check(self, label: str, *backups: str) -> None:
        """Check what a run has left of backups that were there.

        :param backups: labels; without any, all of them.
        """
        earlier, wanted = self.earlier[label], SCENARIOS[label].backups
        for each in backups or wanted:
            self.assertEqual(
                wanted[each].stays, earlier[each] in self.left, each
            )

    def test_all_runs_succeed_and_say_what_they_removed(self) -> None:
        for label in SCENARIOS.keys() - {'failing'}:
            run, earlier = self.runs[label], self.earlier[label]
            self.assertEqual('SUCCESS', run.state, f'{label}: {run}')
            self.assertFalse(run.manual)
            self.assertEqual(
                {'status', 'backup_id', 'backup_name', 'backup_status'}
                | {'removed'},
                run.output.keys(),
                f'{label}: {run}',
            )
            self.assertEqual(
                sorted(
                    earlier[each]
                    for each, backup in SCENARIOS[label].backups.items()
                    if not backup.stays
                ),
                sorted(run.output['removed']),
            )
            self.assertEqual(models.GOOD, self.left[str(run.backup_id)].status)

    def test_the_oldest_beyond_the_number_go(self) -> None:
        self.check('everything', 'newest', 'third', 'oldest')
        self.check('first')
        self.check('second')

    def test_nothing_goes_before_there_are_enough(self) -> None:
        self.check('few')

    def test_failed_ones_do_not_count_and_go(self) -> None:
        self.check('everything', 'third', 'failed', 'not deleted')

    def test_a_failed_run_removes_nothing(self) -> None:
        run = self.runs['failing']
        self.assertEqual('ERROR', run.state)
        self.assertIn('ended as FAILED', str(run.state_info))
        self.assertNotIn('removed', run.output)
        self.check('failing')
        self.assertEqual(FAILED, self.left[str(run.backup_id)].status)

    def test_what_others_have_made_stays(self) -> None:
        self.check(
            'everything',
            *('manual', 'failed manual', 'named', 'labelled'),
            *('theirs', 'failed theirs', 'copy'),
        )

    def test_each_schedule_of_an_instance_keeps_its_own(self) -> None:
        self.check('first')
        self.check('second')
        for label in ('first', 'second'):
            self.assertIn(self.runs[label].backup_id, self.left)

    def test_a_chain_stays_while_its_end_is_kept(self) -> None:
        self.check('everything', 'third', 'second', 'first', 'full')

    def test_a_chain_goes_when_nobody_needs_it(self) -> None:
        self.check(
            'everything',
            *('old third', 'old second', 'old first', 'old full'),
        )

    def test_a_manual_incremental_backup_protects_its_parents(self) -> None:
        self.check(
            'everything', 'manual child', 'own child', 'lent to a person'
        )

    def test_a_backup_of_another_schedule_protects_its_parents(self) -> None:
        self.check('everything', 'their child', 'lent to another')

    def test_what_builds_on_a_failed_backup_stays_with_it(self) -> None:
        self.check('everything', 'broken', 'failed parent', 'full of failed')

    def test_those_of_the_trigger_before_are_the_schedules_own(self) -> None:
        self.check('adopted')


#: Full backups with two incremental ones between them.
CHAINS = '--incremental --full-every 2 --keep 2'


class RoundsTests(RetentionTestCase):
    """Schedules that are run by hand, one time after the other."""

    instances: dict[str, str]
    made: dict[str, models.Schedule]
    runs: list[dict[str, models.ScheduleExecution]]
    left: list[dict[str, models.Backup]]
    children: list[str]

    #: What each schedule is set to, and what it has made before.
    SCHEDULES: Mapping[str, tuple[str, Mapping[str, Earlier]]] = {
        'no chain': (CHAINS, {}),
        'one chain': (
            CHAINS,
            {
                'second': Earlier('first'),
                'first': Earlier('full'),
                'full': Earlier(),
            },
        ),
        'changed': (
            '--keep 3',
            {str(number): Earlier() for number in range(4)},
        ),
        'recovering': (
            '--keep 1',
            {
                'failed': Earlier(status=FAILED),
                'good': Earlier(),
                'older': Earlier(),
            },
        ),
        'lender': ('--keep 1', {}),
    }

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cls.runs, cls.left = [], []
        cls.instances = cls.project.add_instances(
            [*(cls.SCHEDULES.keys() - {'recovering'})]
        )
        cls.instances |= cls.project.add_instances(['recovering'], seed.FAULTY)
        cls._make()
        cls._run()
        cls._between_first_and_second()
        cls._run()
        cls._between_second_and_third()
        cls._run()

    @classmethod
    def _make(cls) -> None:
        """Make the schedules, and the backups that each has made before."""
        outcomes = cls.project.shell.at_once(
            (
                *(*base.SCHEDULE, 'create', label, *options.split()),
                *('--instance', cls.instances[label]),
                *('--pattern', base.ONCE_A_YEAR),
            )
            for label, (options, _backups) in cls.SCHEDULES.items()
        )
        for outcome in outcomes:
            outcome.succeeded()
        cls.made = {
            each.name: each for each in cls.project.schedules.schedule_list()
        }
        cls.project.add_backups(
            row
            for label, (_options, backups) in cls.SCHEDULES.items()
            for _label, row in make_backups(cls.made[label], backups)
        )

    @classmethod
    def _run(cls) -> None:
        """Run all schedules once."""
        cls.runs.append(
            cls.project.run({label: cls.made[label].id for label in cls.made})
        )
        cls.left.append(cls.project.backups())

    @classmethod
    def _between_first_and_second(cls) -> None:
        with base.locked('instances'):
            base.cloud().change_instance(
                cls.instances['recovering'], seed.GOOD
            )
        # When Trove has this one, it knows of the change too.
        base.add_instances('witness')
        cls.project.shell.output(
            *(*base.SCHEDULE, 'set', 'changed', '--keep', '1')
        )
        backups = cls.project.trove.backups
        cls.children = [
            backups.create(
                'by hand',
                cls.instances['lender'],
                parent_id=cls.runs[0]['lender'].backup_id,
            ).id
        ]
        base.wait_until(
            lambda: all(
                backups.get(each).status == models.GOOD
                for each in cls.children
            )
        )

    @classmethod
    def _between_second_and_third(cls) -> None:
        cls.project.shell.output(
            *(*base.SCHEDULE, 'set', 'changed', '--no-keep')
        )
        for each in cls.children:
            cls.project.trove.backups.delete(each)
        base.wait_until(
            lambda: cls.project.backups().keys().isdisjoint(cls.children)
        )

    def own(self, number: int, label: str) -> list[models.Backup]:
        """Give what a round has left of a schedule's backups, newest first."""
        return sorted(
            (
                each
                for each in self.left[number].values()
                if each.is_of(self.made[label])
            ),
            key=lambda each: str(each.created_at),
            reverse=True,
        )

    def depths(self, label: str) -> list[list[int]]:
        """Tell for each round on how many others each backup builds."""
        found: list[list[int]] = []
        for number, left in enumerate(self.left):
            found.append([])
            for each in self.own(number, label):
                depth = 0
                while each.parent_id:
                    each = left[each.parent_id]
                    depth += 1
                found[-1].append(depth)
        return found

    def test_all_runs_succeed(self) -> None:
        for number, label in itertools.product(range(3), self.made):
            if (number, label) == (0, 'recovering'):
                continue
            run = self.runs[number][label]
            self.assertEqual('SUCCESS', run.state, f'{number} {label}: {run}')
            self.assertNotIn('retention', run.output)

    def test_incremental_backups_build_on_the_newest(self) -> None:
        self.assertEqual([[0], [1, 0], [2, 1, 0]], self.depths('no chain'))

    def test_a_chain_ends_and_goes_when_nobody_needs_it(self) -> None:
        self.assertEqual(
            [[0, 2, 1, 0], [1, 0], [2, 1, 0]], self.depths('one chain')
        )

    def test_failed_backups_go_after_the_next_good_one(self) -> None:
        run = self.runs[0]['recovering']
        self.assertEqual('ERROR', run.state)
        self.assertEqual(
            [FAILED, FAILED, 'COMPLETED', 'COMPLETED'],
            [each.status for each in self.own(0, 'recovering')],
        )
        run = self.runs[1]['recovering']
        self.assertEqual(
            [run.backup_id],
            [each.id for each in self.own(1, 'recovering')],
        )
        self.assertEqual(4, len(run.output['removed']))

    def test_another_number_holds_from_the_next_run_on(self) -> None:
        self.assertEqual(
            [3, 1, 2],
            [len(self.own(number, 'changed')) for number in range(3)],
        )
        self.assertNotIn('removed', self.runs[2]['changed'].output)

    def test_what_others_build_on_goes_when_they_are_gone(self) -> None:
        first, second, third = (runs['lender'].backup_id for runs in self.runs)
        self.assertEqual(
            [[first], [second, first], [third]],
            [
                [each.id for each in self.own(number, 'lender')]
                for number in range(3)
            ],
        )
        self.assertLessEqual(set(self.children), self.left[1].keys())


class ManyTests(RetentionTestCase):
    """Instances with more backups than Trove lists at once."""

    made: dict[str, models.Schedule]
    earlier: dict[str, dict[str, str]]
    runs: dict[str, models.ScheduleExecution]
    left: dict[str, models.Backup]

    BACKUPS: Mapping[str, Mapping[str, Earlier]] = {
        'kept': {
            'newest': stays(),
            'older': goes(),
            'failed': goes(status=FAILED),
            'child': goes('full'),
            'full': stays(),
            'oldest': goes(),
        },
        'crowded': {'newest': stays('full'), 'full': stays()},
    }

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        instances = cls.project.add_instances(['kept', 'crowded', 'other'])
        schedules = cls.project.schedules
        cls.made = {
            'kept': schedules.schedule_create(
                instances['kept'], base.ONCE_A_YEAR, 'kept', keep=2
            ),
            'crowded': schedules.schedule_create(
                instances['crowded'],
                base.ONCE_A_YEAR,
                'crowded',
                incremental=True,
                full_every=2,
            ),
        }
        kept, crowded = (
            dict(make_backups(cls.made[label], backups, hours=hours))
            for (label, backups), hours in zip(
                cls.BACKUPS.items(), (1, 8), strict=True
            )
        )
        cls.project.add_backups([*kept.values(), *crowded.values()])
        cls.project.add_backups(cls._many(instances, str(kept['full']['id'])))
        cls.earlier = {
            label: {each: str(row['id']) for each, row in rows.items()}
            for label, rows in (('kept', kept), ('crowded', crowded))
        }
        cls.runs = cls.project.run(
            {label: each.id for label, each in cls.made.items()}
        )
        cls.left = cls.project.backups()

    @classmethod
    def _many(
        cls, instances: Mapping[str, str], parent: str
    ) -> Iterator[dict[str, str | None]]:
        """Make backups by hand among the others, newest first.

        :param parent: what the last of them, on Trove's last page, builds on.
        """
        keys = [str(uuid.uuid4()) for _ in range(MANY)]
        where = {0: 'crowded', 4: 'kept'}
        now = datetime.datetime.now(datetime.UTC)
        for number, (key, before) in enumerate(
            itertools.pairwise([*keys, parent])
        ):
            moment = now - datetime.timedelta(hours=9 * number / MANY)
            yield {
                'id': key,
                'name': 'n' * 255,
                'description': LONG,
                'location': f'http://swift.example/{"c" * 255}/{key}',
                'state': models.GOOD,
                'instance_id': instances[where.get(number % 5, 'other')],
                'created': f'{moment:%Y-%m-%d %H:%M:%S.%f}',
                # Chains of seven.
                'parent_id': None if number % 7 == 6 else before,
            }

    def test_only_the_oldest_of_the_schedule_go(self) -> None:
        run, earlier = self.runs['kept'], self.earlier['kept']
        self.assertEqual('SUCCESS', run.state, str(run))
        goes = {
            earlier[label]
            for label, each in self.BACKUPS['kept'].items()
            if not each.stays
        }
        self.assertEqual(goes, set(run.output['removed']))
        self.assertEqual(
            earlier.keys() - self.labels(goes), self.labels(self.left)
        )
        self.assertEqual(
            MANY, sum(each.name == 'n' * 255 for each in self.left.values())
        )

    def labels(self, keys: Iterable[str]) -> set[str]:
        """Give the labels of the backups of the schedule among others."""
        known = {key: label for label, key in self.earlier['kept'].items()}
        return {known[key] for key in keys if key in known}

    def test_each_is_counted_once(self) -> None:
        self.check_quota()

    def test_a_chain_goes_on(self) -> None:
        run = self.runs['crowded']
        self.assertEqual('SUCCESS', run.state, str(run))
        self.assertEqual(
            self.earlier['crowded']['newest'],
            self.left[str(run.backup_id)].parent_id,
        )

    def test_prune_finds_nothing_more(self) -> None:
        rows = self.json(*base.SCHEDULE, 'prune', 'kept', '--dry-run')
        self.assertEqual(
            [('keep', 'one of the 2 newest')] * 2
            + [
                (
                    'keep',
                    'needed by the incremental backup '
                    + next(
                        each.id
                        for each in self.left.values()
                        if each.parent_id == self.earlier['kept']['full']
                    ),
                )
            ],
            [(row['Decision'], row['Reason']) for row in rows],
        )


class PruneTests(RetentionTestCase):
    """What a schedule has too many of is removed from the client."""

    BACKUPS: Mapping[str, Earlier] = {
        'running': stays(status='BUILDING'),
        'newest': stays(),
        'failed': goes(status=FAILED),
        'second': stays('full'),
        'manual': stays(by=MANUAL),
        'theirs': stays(by=THEIRS),
        'full': stays(),
        'other child': goes('other full'),
        'other full': goes(),
        'broken': stays('failed parent'),
        'failed parent': stays(status=FAILED),
        'lent': stays(),
        'elsewhere': stays('lent', by=ELSEWHERE),
        'oldest': goes(),
    }

    ADVICE = 'keeps all its backups. Say how many are to be kept.'

    instances: dict[str, str]

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cls.instances = cls.project.add_instances(['pruned', 'elsewhere'])

    def setUp(self) -> None:
        super().setUp()
        self.addCleanup(self.project.clear)

    def create(self, **options: Any) -> tuple[str, dict[str, str]]:
        """Create a schedule with backups; its ID and theirs."""
        made = self.project.schedules.schedule_create(
            self.instances['pruned'],
            base.ONCE_A_YEAR,
            base.unique('pruned'),
            **options,
        )
        rows = dict(
            make_backups(made, self.BACKUPS, self.instances['elsewhere'])
        )
        self.project.add_backups(rows.values())
        return made.id, {label: str(row['id']) for label, row in rows.items()}

    def prune(self, *args: str) -> dict[str, tuple[str, str]]:
        """Prune; what is said of each backup by its ID."""
        return {
            row['Backup ID']: (row['Decision'], row['Reason'])
            for row in self.json(*base.SCHEDULE, 'prune', *args)
        }

    def check_left(self, wanted: Iterable[str]) -> None:
        """Wait until just these backups are there."""
        base.wait_until(lambda: self.project.backups().keys() == set(wanted))
        self.check_quota()

    def test_what_goes_and_why_is_shown_and_then_done(self) -> None:
        schedule, ids = self.create(keep=2)
        words = {
            'running': ('keep', 'is BUILDING'),
            'newest': ('keep', 'one of the 2 newest'),
            'failed': ('delete', 'failed'),
            'second': ('keep', 'one of the 2 newest'),
            'full': (
                'keep',
                f'needed by the incremental backup {ids["second"]}',
            ),
            'other child': ('delete', 'there are enough newer ones'),
            'other full': ('delete', 'there are enough newer ones'),
            'broken': (
                'keep',
                f'builds on the FAILED backup {ids["failed parent"]}',
            ),
            'failed parent': (
                'keep',
                f'needed by the incremental backup {ids["broken"]}',
            ),
            'lent': (
                'keep',
                f'needed by the incremental backup {ids["elsewhere"]}',
            ),
            'oldest': ('delete', 'there are enough newer ones'),
        }
        expected = {ids[label]: said for label, said in words.items()}
        shown = self.prune(schedule, '--dry-run')
        self.assertEqual(expected, shown)
        self.assertEqual(list(expected), list(shown))
        self.assertEqual(set(ids.values()), self.project.backups().keys())
        # And then it is done.
        done = {'keep': 'kept', 'delete': 'deleted'}
        self.assertEqual(
            {key: (done[what], why) for key, (what, why) in shown.items()},
            self.prune(schedule),
        )
        left = {ids[label] for label in ids if self.BACKUPS[label].stays}
        self.check_left(left)
        # There is nothing left to do.
        self.assertEqual(
            {what for what, _why in self.prune(schedule).values()}, {'kept'}
        )
        self.check_left(left)

    def test_another_number_for_once(self) -> None:
        schedule, ids = self.create(keep=7)
        self.prune(schedule, '--keep', '1')
        self.check_left(
            {ids[label] for label in ids if self.BACKUPS[label].stays}
            - {ids['second'], ids['full']}
        )
        shown = self.project.schedules.schedule_show(schedule)
        self.assertEqual(7, shown.keep)

    def test_refusals(self) -> None:
        schedule, ids = self.create()
        refused = {
            (schedule,): self.ADVICE,
            (schedule, '--dry-run'): self.ADVICE,
            (schedule, '--keep', '0'): 'must be between 1',
            (schedule, '--keep', '-1'): 'must be between 1',
            ('no-such-schedule', '--keep', '1'): 'No schedule',
        }
        outcomes = self.shell.at_once(
            (*base.SCHEDULE, 'prune', *args) for args in refused
        )
        for words, outcome in zip(refused.values(), outcomes, strict=True):
            self.assertIn(words, outcome.failed())
        created = self.shell.run(
            *(*base.SCHEDULE, 'create', 'none'),
            *('--instance', self.instances['pruned']),
            *('--pattern', base.ONCE_A_YEAR, '--keep', '0'),
        )
        self.assertIn('must be between 1', created.failed())
        self.assertEqual(set(ids.values()), self.project.backups().keys())
