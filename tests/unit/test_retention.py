# SPDX-License-Identifier: Apache-2.0

from collections.abc import Iterable
import dataclasses
import datetime
from typing import Any

import hypothesis
from hypothesis import strategies as st

from tests.unit import base
from tests.unit import fakes
from trove_backup_schedule import exceptions
from trove_backup_schedule import models
from trove_backup_schedule import retention

START = datetime.datetime(2030, 1, 1, tzinfo=datetime.UTC)

SCHEDULE = models.Schedule.from_trigger(fakes.our_trigger(1))
OTHER_SCHEDULE = models.Schedule.from_trigger(fakes.our_trigger(2))

GOOD = 'COMPLETED'
FAILED = ('FAILED', 'DELETE_FAILED')
OTHERS = ('NEW', 'BUILDING', 'SAVING', 'RESTORED', 'HIBERNATING')


def backup(
    number: int,
    status: str = GOOD,
    parent: int | None = None,
    schedule: models.Schedule | None = SCHEDULE,
    **changes: Any,
) -> models.Backup:
    """Give a backup; later numbers are newer, and no schedule is a person."""
    made = models.Backup(
        id=base.uid(number),
        name='nightly-20300101030000' if schedule else 'by-hand',
        status=status,
        instance_id=fakes.INSTANCE,
        description=f'[schedule {schedule.id}]' if schedule else None,
        parent_id=base.uid(parent) if parent else None,
        created_at=START + datetime.timedelta(hours=number),
    )
    return dataclasses.replace(made, **changes)


def number_of(backup: models.Backup) -> int:
    return int(backup.id[-12:], 16)


def cascade(
    asked: Iterable[models.Backup], backups: Iterable[models.Backup]
) -> set[str]:
    """Give the IDs of what Trove deletes when it is asked for these."""
    gone = {each.id for each in asked}
    grown = True
    while grown:
        more = {each.id for each in backups if each.parent_id in gone}
        grown = not more <= gone
        gone |= more
    return gone


class TestDecide(base.TestCase):
    def _decide(
        self, *backups: models.Backup, keep: int = 2
    ) -> dict[int, tuple[bool, str]]:
        return {
            number_of(each.backup): (each.remove, each.reason)
            for each in retention.decide(backups, SCHEDULE, keep)
        }

    def _removed(self, *backups: models.Backup, keep: int = 2) -> list[int]:
        decided = self._decide(*backups, keep=keep)
        return [number for number, (remove, _) in decided.items() if remove]

    def test_the_newest_good_ones_stay(self) -> None:
        self.assertEqual(
            {
                4: (False, 'one of the 2 newest'),
                3: (False, 'one of the 2 newest'),
                2: (True, 'there are enough newer ones'),
                1: (True, 'there are enough newer ones'),
            },
            self._decide(*map(backup, (2, 4, 1, 3))),
        )

    def test_one_is_the_least_that_stays(self) -> None:
        self.assertEqual(
            {
                2: (False, 'the newest'),
                1: (True, 'there are enough newer ones'),
            },
            self._decide(backup(1), backup(2), keep=1),
        )
        for keep in (0, -1):
            with self.case(keep):
                exc = self.assertRaises(
                    exceptions.InvalidValueError,
                    retention.decide,
                    [backup(1)],
                    SCHEDULE,
                    keep,
                )
                self.assertEqual(
                    f'At least 1 backup must be kept, not {keep}.', str(exc)
                )

    def test_no_backups_need_no_decision(self) -> None:
        self.assertEqual({}, self._decide())
        self.assertEqual({}, self._decide(backup(1, schedule=None)))

    def test_fewer_than_may_stay_all_stay(self) -> None:
        self.assertEqual([], self._removed(*map(backup, (1, 2)), keep=3))

    def test_backups_of_others_are_neither_counted_nor_removed(self) -> None:
        mine = backup(1)
        for other in (
            backup(9, schedule=None),
            backup(9, 'FAILED', schedule=None),
            backup(9, schedule=OTHER_SCHEDULE),
            backup(9, instance_id=fakes.OTHER_INSTANCE),
            # A person has copied one half only.
            backup(9, name='by-hand'),
            backup(9, description=None),
        ):
            with self.case(other):
                self.assertEqual(
                    {1: (False, 'the newest')},
                    self._decide(mine, other, keep=1),
                )

    def test_failed_ones_go_and_are_not_counted(self) -> None:
        for status in FAILED:
            with self.case(status):
                self.assertEqual(
                    {
                        4: (True, 'failed'),
                        3: (False, 'one of the 2 newest'),
                        2: (True, 'failed'),
                        1: (False, 'one of the 2 newest'),
                    },
                    self._decide(
                        backup(1),
                        backup(2, status),
                        backup(3),
                        backup(4, status),
                    ),
                )

    def test_without_a_good_one_nothing_is_removed(self) -> None:
        self.assertEqual(
            {
                5: (False, 'is BUILDING'),
                4: (False, 'failed, and there is no good backup'),
                3: (False, 'builds on the FAILED backup ' + base.uid(2)),
                2: (False, 'failed, and there is no good backup'),
                1: (False, 'failed, and there is no good backup'),
            },
            self._decide(
                backup(1, 'FAILED'),
                backup(2, 'FAILED'),
                backup(3, parent=2),
                backup(4, 'DELETE_FAILED'),
                backup(5, 'BUILDING'),
                # A good one of another's is none of this schedule.
                backup(6, schedule=OTHER_SCHEDULE),
                keep=1,
            ),
        )

    def test_other_states_stay_and_are_not_counted(self) -> None:
        for status in OTHERS:
            with self.case(status):
                self.assertEqual(
                    {
                        3: (False, f'is {status}'),
                        2: (False, 'the newest'),
                        1: (False, f'is {status}'),
                    },
                    self._decide(
                        backup(1, status), backup(2), backup(3, status), keep=1
                    ),
                )

    def test_a_chain_stays_as_long_as_its_newest_link(self) -> None:
        needed = 'needed by the incremental backup ' + base.uid(4)
        self.assertEqual(
            {
                4: (False, 'the newest'),
                3: (False, needed),
                2: (False, needed),
                1: (True, 'there are enough newer ones'),
            },
            self._decide(
                backup(1),
                backup(2),
                backup(3, parent=2),
                backup(4, parent=3),
                keep=1,
            ),
        )

    def test_a_chain_goes_as_a_whole(self) -> None:
        chains = [
            backup(1),
            backup(2, parent=1),
            backup(3, parent=2),
            backup(4),
            backup(5, parent=4),
        ]
        self.assertEqual([3, 2, 1], self._removed(*chains))
        self.assertEqual([], self._removed(*chains, keep=3))

    def test_the_excess_end_of_a_chain_goes_without_its_beginning(
        self,
    ) -> None:
        self.assertEqual(
            [2],
            self._removed(
                backup(1), backup(2, parent=1), backup(3, parent=1), keep=1
            ),
        )

    def test_what_anyone_builds_on_stays(self) -> None:
        for child in (
            backup(9, parent=1, schedule=None),
            backup(9, 'BUILDING', parent=1, schedule=None),
            backup(9, 'FAILED', parent=1, schedule=None),
            backup(9, parent=1, schedule=OTHER_SCHEDULE),
            backup(9, parent=1, instance_id=fakes.OTHER_INSTANCE),
        ):
            with self.case(child):
                self.assertEqual(
                    {
                        3: (False, 'the newest'),
                        2: (True, 'there are enough newer ones'),
                        1: (
                            False,
                            'needed by the incremental backup ' + base.uid(9),
                        ),
                    },
                    self._decide(
                        child, backup(1), backup(2), backup(3), keep=1
                    ),
                )

    def test_a_running_one_keeps_what_it_builds_on(self) -> None:
        self.assertEqual(
            [],
            self._removed(
                backup(1),
                backup(2),
                backup(3, 'BUILDING', parent=1),
                keep=1,
            ),
        )

    def test_others_links_in_the_middle_keep_the_chain(self) -> None:
        chain = (
            backup(1),
            backup(2, parent=1, schedule=None),
            backup(3, parent=2),
            backup(4),
        )
        self.assertEqual([3], self._removed(*chain, keep=1))

    def test_a_failed_middle_spoils_what_builds_on_it(self) -> None:
        for status in (*FAILED, *OTHERS):
            for owner in (SCHEDULE, OTHER_SCHEDULE, None):
                with self.case(status, owner):
                    decided = self._decide(
                        backup(1),
                        backup(2),
                        backup(3, status, parent=2, schedule=owner),
                        backup(4, parent=3),
                        backup(5, parent=4),
                        keep=1,
                    )
                    spoiled = f'builds on the {status} backup ' + base.uid(3)
                    self.assertEqual((False, spoiled), decided[5])
                    self.assertEqual((False, spoiled), decided[4])
                    self.assertEqual((False, 'the newest'), decided[2])
                    self.assertTrue(decided[1][0])
                    if owner is SCHEDULE and status in FAILED:
                        needed = 'needed by the incremental backup '
                        self.assertEqual(
                            (False, needed + base.uid(5)), decided[3]
                        )

    def test_failed_chains_go_once_there_is_a_success(self) -> None:
        self.assertEqual(
            [2, 1],
            self._removed(
                backup(1, 'FAILED'),
                backup(2, 'FAILED', parent=1),
                backup(3),
                keep=1,
            ),
        )

    def test_what_has_lost_its_parent_does_not_count(self) -> None:
        words = f'builds on the backup {base.uid(99)}, which is gone'
        self.assertEqual(
            {
                4: (False, words),
                3: (False, words),
                2: (False, 'the newest'),
                1: (True, 'there are enough newer ones'),
            },
            self._decide(
                backup(1),
                backup(2),
                backup(3, parent=99),
                backup(4, parent=3),
                keep=1,
            ),
        )

    def test_circles_end_and_stay(self) -> None:
        for circle in (
            [backup(1, parent=1)],
            [backup(1, 'FAILED', parent=1)],
            [backup(1, parent=2), backup(2, parent=1)],
            [backup(1, 'FAILED', parent=2), backup(2, 'FAILED', parent=1)],
            [backup(1, parent=2), backup(2, 'FAILED', parent=1)],
        ):
            with self.case(circle):
                decided = self._decide(
                    *circle, backup(3, 'FAILED', parent=1), backup(4), keep=1
                )
                self.assertEqual((True, 'failed'), decided.pop(3))
                for remove, _ in decided.values():
                    self.assertFalse(remove)

    def test_rows_that_come_twice_count_once(self) -> None:
        for twice in (1, 2, 3):
            with self.case(twice):
                self.assertEqual(
                    {
                        3: (False, 'one of the 2 newest'),
                        2: (False, 'one of the 2 newest'),
                        1: (True, 'there are enough newer ones'),
                    },
                    self._decide(*map(backup, (twice, 1, 2, 3))),
                )

    def test_of_two_rows_of_a_backup_the_later_one_counts(self) -> None:
        self.assertEqual(
            [1],
            self._removed(backup(2, 'BUILDING'), backup(1), backup(2), keep=1),
        )

    def test_ids_order_those_of_the_same_time(self) -> None:
        numbers = (2, 3, 1)
        for time in (START, None):
            with self.case(time):
                decided = self._decide(
                    *(backup(number, created_at=time) for number in numbers),
                    keep=1,
                )
                self.assertEqual([3, 2, 1], list(decided))

    def test_those_without_a_time_are_the_oldest(self) -> None:
        self.assertEqual(
            [3, 2],
            self._removed(
                backup(1),
                backup(2, created_at=None),
                backup(3, created_at=None),
                keep=1,
            ),
        )


class TestRoots(base.TestCase):
    def test_only_the_first_of_each_removed_chain_is_asked_for(self) -> None:
        decisions = retention.decide(
            [
                backup(1),
                backup(2, parent=1),
                backup(3, parent=2),
                backup(4, parent=1),
                backup(5, 'FAILED'),
                backup(6),
                backup(7, parent=6),
                backup(8, parent=6),
            ],
            SCHEDULE,
            1,
        )
        self.assertEqual(
            [7, 5, 1], [number_of(each) for each in retention.roots(decisions)]
        )

    def test_nothing_to_remove_is_nothing_to_ask_for(self) -> None:
        decisions = retention.decide([backup(1)], SCHEDULE, 1)
        self.assertEqual([], retention.roots(decisions))


@st.composite
def forests(draw: st.DrawFn) -> list[models.Backup]:
    """Give backups of several owners and instances, in any order.

    Some build on others or on one that is not there, their times come in no
    order, and some rows come twice.
    """
    made = []
    for number in range(1, draw(st.integers(0, 12)) + 1):
        hours = draw(st.none() | st.integers(0, 9))
        made.append(
            backup(
                number,
                draw(st.sampled_from((GOOD, GOOD, *FAILED, *OTHERS))),
                draw(st.sampled_from((None, *range(1, number), 99))),
                draw(st.sampled_from((SCHEDULE, SCHEDULE, OTHER_SCHEDULE))),
                name=draw(
                    st.sampled_from(
                        ('nightly-20300101030000',) * 4 + ('by-hand',)
                    )
                ),
                instance_id=draw(
                    st.sampled_from(
                        (fakes.INSTANCE,) * 4 + (fakes.OTHER_INSTANCE,)
                    )
                ),
                created_at=(
                    None
                    if hours is None
                    else START + datetime.timedelta(hours=hours)
                ),
            )
        )
    twice = draw(st.lists(st.sampled_from(made))) if made else []
    return draw(st.permutations(made + twice))


KEEP = st.integers(1, 4)


def restorable(backups: list[models.Backup]) -> list[models.Backup]:
    """Give the schedule's good ones, newest first, without the module."""
    known = {each.id: each for each in backups}

    def good(each: models.Backup | None) -> bool:
        return each is not None and (
            each.status == GOOD
            and (each.parent_id is None or good(known.get(each.parent_id)))
        )

    never = START - datetime.timedelta(days=1)
    return sorted(
        (
            each
            for each in known.values()
            if each.is_of(SCHEDULE) and good(each)
        ),
        key=lambda each: (each.created_at or never, each.id),
        reverse=True,
    )


class TestProperties(base.TestCase):
    @base.STEADY
    @hypothesis.given(forests(), KEEP)
    def test_each_backup_of_the_schedule_gets_one_decision(
        self, backups: list[models.Backup], keep: int
    ) -> None:
        decided = [
            each.backup.id
            for each in retention.decide(backups, SCHEDULE, keep)
        ]
        own = {each.id for each in backups if each.is_of(SCHEDULE)}
        self.assertEqual(sorted(own), sorted(decided))

    @base.STEADY
    @hypothesis.given(forests(), KEEP)
    def test_trove_deletes_exactly_what_was_decided(
        self, backups: list[models.Backup], keep: int
    ) -> None:
        decisions = retention.decide(backups, SCHEDULE, keep)
        asked = retention.roots(decisions)
        removed = {each.backup.id for each in decisions if each.remove}
        self.assertEqual(removed, cascade(asked, backups))
        for root in asked:
            others = [each for each in asked if each is not root]
            self.assertNotIn(root.id, cascade(others, backups))

    @base.STEADY
    @hypothesis.given(forests(), KEEP)
    def test_nothing_that_stays_loses_what_it_builds_on(
        self, backups: list[models.Backup], keep: int
    ) -> None:
        removed = {
            each.backup.id
            for each in retention.decide(backups, SCHEDULE, keep)
            if each.remove
        }
        for each in backups:
            if each.id not in removed:
                self.assertNotIn(each.parent_id, removed)

    @base.STEADY
    @hypothesis.given(forests(), KEEP)
    def test_the_newest_good_ones_stay(
        self, backups: list[models.Backup], keep: int
    ) -> None:
        good = [each.id for each in restorable(backups)]
        decisions = retention.decide(backups, SCHEDULE, keep)
        stay = {each.backup.id for each in decisions if not each.remove}
        self.assertLessEqual(set(good[:keep]), stay)
        if not good:
            self.assertEqual(len(decisions), len(stay))

    @base.STEADY
    @hypothesis.given(forests(), KEEP)
    def test_no_more_stays_than_must(
        self, backups: list[models.Backup], keep: int
    ) -> None:
        good = [each.id for each in restorable(backups)]
        hypothesis.assume(good)
        for each in retention.decide(backups, SCHEDULE, keep):
            excess = each.backup.id in good[keep:]
            if not each.remove and (excess or each.backup.status in FAILED):
                self.assertIn('needed by', each.reason)
                needer = each.reason.rpartition(' ')[2]
                self.assertIn(needer, cascade([each.backup], backups))

    @base.STEADY
    @hypothesis.given(forests(), KEEP)
    def test_what_neither_is_good_nor_failed_stays(
        self, backups: list[models.Backup], keep: int
    ) -> None:
        for each in retention.decide(backups, SCHEDULE, keep):
            if each.backup.status in OTHERS:
                self.assertFalse(each.remove)

    @base.STEADY
    @hypothesis.given(forests(), KEEP)
    def test_a_second_time_nothing_more_is_removed(
        self, backups: list[models.Backup], keep: int
    ) -> None:
        first = retention.decide(backups, SCHEDULE, keep)
        gone = cascade(retention.roots(first), backups)
        left = [each for each in backups if each.id not in gone]
        self.assertEqual(
            [each for each in first if not each.remove],
            retention.decide(left, SCHEDULE, keep),
        )

    @base.STEADY
    @hypothesis.given(forests(), KEEP, st.randoms(use_true_random=False))
    def test_the_order_of_the_rows_does_not_matter(
        self, backups: list[models.Backup], keep: int, random: Any
    ) -> None:
        shuffled = backups.copy()
        random.shuffle(shuffled)
        self.assertEqual(
            retention.decide(backups, SCHEDULE, keep),
            retention.decide(shuffled, SCHEDULE, keep),
        )
