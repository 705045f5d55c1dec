# SPDX-License-Identifier: Apache-2.0

"""Which backups of a schedule may be removed. No I/O.

Trove deletes a backup together with every incremental one that builds on it,
whoever made them. So what may be removed depends on all backups of the
project, and not on those of the schedule alone.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
import dataclasses
import datetime

from trove_backup_schedule import exceptions
from trove_backup_schedule import models
from trove_backup_schedule.i18n import _

#: What a backup that went wrong stays in. It can't be restored.
FAILED = frozenset({'FAILED', 'DELETE_FAILED'})

_OLDEST = datetime.datetime.min.replace(tzinfo=datetime.UTC)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Decision:
    """What is to become of one backup of a schedule.

    :ivar remove: whether it may be removed.
    :ivar reason: why, in a few words for people.
    """

    backup: models.Backup
    remove: bool
    reason: str


def decide(
    backups: Iterable[models.Backup], schedule: models.Schedule, keep: int
) -> list[Decision]:
    """Decide which backups of a schedule stay and which may be removed.

    :param backups: all backups that may build on those of the schedule, in any
        order. One that is left out would not protect those it builds on.
    :param keep: number of good backups that stay, at least 1. Those that
        others build on stay besides.
    :returns: a decision on each backup of the schedule, newest first; of two
        of the same time the one with the greater ID counts as newer, and one
        without a time as oldest.
    :raises InvalidValueError: if no backup would be kept.
    """
    if keep < 1:
        raise exceptions.InvalidValueError(
            _('At least 1 backup must be kept, not %(keep)d.') % {'keep': keep}
        )
    known = {backup.id: backup for backup in backups}
    newest_first = sorted(known.values(), key=_age, reverse=True)
    decisions = _by_themselves(
        [backup for backup in newest_first if backup.is_of(schedule)],
        known,
        keep,
    )
    removed = {each.backup.id for each in decisions if each.remove}
    needed: dict[str, str] = {}
    for backup in newest_first:
        lineage = list(_lineage(backup, known))
        # A backup that builds on itself is damaged, and Trove would not come
        # to an end with deleting it.
        if backup.id not in removed or backup in lineage:
            for ancestor in lineage:
                needed.setdefault(ancestor.id, backup.id)
    return [
        dataclasses.replace(
            each,
            remove=False,
            reason=_('needed by the incremental backup %(id)s')
            % {'id': needed[each.backup.id]},
        )
        if each.remove and each.backup.id in needed
        else each
        for each in decisions
    ]


def roots(decisions: Iterable[Decision]) -> list[models.Backup]:
    """Give the backups that Trove must be asked to delete.

    It deletes the others that are to be removed along with these. Asked for
    one of them too, it would take it off the project's quota twice.
    """
    removed = [each.backup for each in decisions if each.remove]
    ids = {backup.id for backup in removed}
    return [backup for backup in removed if backup.parent_id not in ids]


def _by_themselves(
    own: Sequence[models.Backup],
    known: Mapping[str, models.Backup],
    keep: int,
) -> list[Decision]:
    """Decide on each backup as if no other built on it."""
    broken = {
        backup.id: _('builds on the %(status)s backup %(id)s')
        % {'status': ancestor.status, 'id': ancestor.id}
        for backup in own
        for ancestor in _lineage(backup, known)
        if ancestor.status != models.GOOD
    } | {
        backup.id: _('builds on the backup %(id)s, which is gone')
        % {'id': first.parent_id}
        for backup in own
        for first in [[backup, *_lineage(backup, known)][-1]]
        if first.parent_id is not None
    }
    good = [
        backup.id
        for backup in own
        if backup.status == models.GOOD and backup.id not in broken
    ]
    kept = set(good[:keep])

    def judge(backup: models.Backup) -> tuple[bool, str]:
        if backup.id in kept:
            if keep == 1:
                return False, _('the newest')
            return False, _('one of the %(keep)d newest') % {'keep': keep}
        if backup.status in FAILED:
            # Until there is a success, they tell what goes wrong.
            if not good:
                return False, _('failed, and there is no good backup')
            return True, _('failed')
        if backup.status != models.GOOD:
            return False, _('is %(status)s') % {'status': backup.status}
        if backup.id in broken:
            return False, broken[backup.id]
        return True, _('there are enough newer ones')

    decisions = []
    for backup in own:
        remove, reason = judge(backup)
        decisions.append(Decision(backup=backup, remove=remove, reason=reason))
    return decisions


def _age(backup: models.Backup) -> tuple[datetime.datetime, str]:
    return backup.created_at or _OLDEST, backup.id


def _lineage(
    backup: models.Backup, known: Mapping[str, models.Backup]
) -> Iterator[models.Backup]:
    """Give the known backups that one builds on, each once, nearest first."""
    seen = set()
    parent = known.get(backup.parent_id or '')
    while parent is not None and parent.id not in seen:
        yield parent
        seen.add(parent.id)
        parent = known.get(parent.parent_id or '')
