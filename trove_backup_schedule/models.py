# SPDX-License-Identifier: Apache-2.0

"""The objects of the Python API, and how Mistral's rows carry them. No I/O.

A schedule is a Mistral cron trigger on :data:`WORKFLOW`. Mistral can filter
triggers by their name, and cannot filter by their input, so the triggers made
here carry in their name whatever a schedule is looked up by::

    trovebackup1:<schedule name>:<instance ID>:<schedule ID>:<generation>

The schedule's ID is chosen here and not the trigger's own, which is lost when
a trigger has to be replaced: Mistral can't update one. The generation counts
the triggers that have carried the schedule, and as the name is unique in the
project, only one of two people who replace the same trigger can succeed.

Triggers on the workflow that were made by other means (python-troveclient,
``openstack cron trigger create``) are schedules too. They have no such name.
"""

from collections.abc import Iterable, Mapping, Sequence
import dataclasses
import datetime
import itertools
import json
import re
from typing import Any, Protocol, Self, TypeVar
import uuid

from trove_backup_schedule import cron
from trove_backup_schedule import exceptions
from trove_backup_schedule import reasons
from trove_backup_schedule.i18n import _

#: The workflow that makes one backup; see ``workbook/trove.yaml``.
WORKFLOW = 'trove.backup_create'

#: Starts the name of every trigger made here, and is reserved for them. It
#: ends in a digit, the version of the form, because databases agree on the
#: order of digits and not on that of punctuation.
NAME_PREFIX = 'trovebackup1'

#: Comes right after every name that starts with :data:`NAME_PREFIX`.
NAME_PREFIX_END = 'trovebackup2'

#: Width of the column that Mistral keeps a trigger's name in.
MAX_TRIGGER_NAME = 200

#: The other parts of a trigger's name take 88 characters and the generation's
#: digits.
MAX_NAME_LENGTH = 100

#: What a disabled schedule's trigger has as its first execution time: Mistral
#: has no other way to keep a trigger from firing.
NEVER = datetime.datetime(9999, 12, 31, 23, 59, tzinfo=datetime.UTC)

#: Status of a backup of Trove's that can be restored.
GOOD = 'COMPLETED'

#: States of Mistral's that an execution stays in: mistral/workflow/states.py.
ENDED = frozenset({'SUCCESS', 'ERROR', 'CANCELLED', 'SKIPPED'})

_UUID = r'[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}'

_TRIGGER_NAME = re.compile(
    rf'{NAME_PREFIX}:(?P<name>.*):(?P<instance>{_UUID}):(?P<id>{_UUID})'
    r':(?P<generation>[1-9][0-9]*)'
)

# How the workflow ends the name and the description of each backup.
_BACKUP_NAME = re.compile(r'-[0-9]{14}$')
_LABEL = re.compile(rf'\[schedule (?P<id>{_UUID})\]$')


class NotAScheduleError(ValueError):
    """A cron trigger is not a backup schedule."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class TriggerName:
    """The parts of the name of a trigger made here."""

    name: str
    instance: str
    schedule_id: str
    generation: int = 1

    def __str__(self) -> str:
        return ':'.join(
            (
                NAME_PREFIX,
                self.name,
                self.instance,
                self.schedule_id,
                str(self.generation),
            )
        )

    def is_possible(self) -> bool:
        """Tell whether a trigger of this name can be created and read."""
        text = str(self)
        return len(text) <= MAX_TRIGGER_NAME and self.parse(text) == self

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Take a trigger's name apart; None if it was not made here."""
        match = _TRIGGER_NAME.fullmatch(text)
        if match is None:
            return None
        return cls(
            name=match['name'],
            instance=match['instance'],
            schedule_id=match['id'],
            generation=int(match['generation']),
        )


@dataclasses.dataclass(frozen=True, kw_only=True)
class Schedule:
    """A backup schedule. All times are aware and in UTC.

    :ivar id: the schedule's own ID, or for a schedule made by other means the
        trigger's name if that is a UUID (as python-troveclient has it), else
        the trigger's ID.
    :ivar name: name for the backups.
    :ivar instance: ID of the Trove instance.
    :ivar pattern: cron pattern, read in UTC; None for a trigger that fires
        once.
    :ivar next_execution_time: when Mistral will fire next.
    :ivar remaining_executions: runs left before Mistral deletes the trigger;
        None for no end.
    :ivar enabled: whether it fires. One that is disabled has no
        ``next_execution_time``.
    :ivar created_at: when the schedule was created, which its trigger may have
        been later.
    :ivar active_since: since when it fires by this pattern.
    :ivar first_time: what was set for the first run, which need not fit the
        pattern; None if nothing was.
    :ivar parent_id: the backup that every run builds on, or None.
    :ivar incremental: whether each run builds on an earlier backup.
    :ivar full_every: number of incremental backups after which a full one is
        made; None for never. With it a run builds on the schedule's own
        backups only.
    :ivar keep: number of good backups to keep; None for all.
    :ivar input: the workflow's input as Mistral holds it.
    :ivar trigger_id: ID of the cron trigger that carries the schedule now.
    :ivar trigger_name: name of that trigger.
    :ivar generation: how many triggers have carried the schedule.
    :ivar origin: ID of the trigger that carried the schedule when it was made
        by other means, before it was changed; else None.
    :ivar leftovers: IDs of older triggers of the schedule that were found
        beside its newest and should be gone since it was changed; sorted.
    """

    id: str
    name: str
    instance: str
    pattern: str | None
    next_execution_time: datetime.datetime | None
    created_at: datetime.datetime | None
    updated_at: datetime.datetime | None
    description: str | None
    parent_id: str | None
    incremental: bool
    swift_container: str | None
    storage_driver: str | None
    remaining_executions: int | None
    project_id: str | None
    input: Mapping[str, Any]
    trigger_id: str
    trigger_name: str
    generation: int = 1
    enabled: bool = True
    active_since: datetime.datetime | None = None
    first_time: datetime.datetime | None = None
    keep: int | None = None
    full_every: int | None = None
    origin: str | None = None
    leftovers: tuple[str, ...] = ()

    @property
    def ours(self) -> bool:
        """Whether it was made here, or changed here since."""
        return TriggerName.parse(self.trigger_name) is not None

    def next_times(self, most: int) -> list[datetime.datetime]:
        """Give the next runs, as far as they are known now; aware, in UTC.

        :param most: how many at most.
        """
        if self.next_execution_time is None:
            return []
        times = [self.next_execution_time]
        later = cron.known_times(self.pattern, times[0])
        times += itertools.islice(later, most - 1)
        return times[: self.remaining_executions]

    @property
    def labels(self) -> frozenset[str]:
        """The IDs that its backups may be labelled with."""
        # The workflow of a trigger made by other means knows the trigger only.
        first = self.id if self.ours else self.trigger_id
        return frozenset({first, self.origin or first})

    @classmethod
    def from_trigger(cls, row: Mapping[str, Any]) -> Self:
        """Read a schedule from a row of ``/v2/cron_triggers``.

        :raises NotAScheduleError: if the trigger starts another workflow, or
            its input names no instance.
        """
        if row.get('workflow_name') != WORKFLOW:
            raise NotAScheduleError(
                _('it starts the workflow %s') % row.get('workflow_name')
            )
        values = json_object(row.get('workflow_input'))
        if values is None:
            raise NotAScheduleError(_('its input is not a JSON object'))
        name, instance = values.get('name'), values.get('instance')
        if not (isinstance(name, str) and isinstance(instance, str)):
            raise NotAScheduleError(_('its input names no instance'))
        trigger_id, trigger_name = str(row['id']), str(row['name'])
        ours = TriggerName.parse(trigger_name)
        generation = 1
        if ours is not None and ours.instance == instance:
            schedule_id, generation = ours.schedule_id, ours.generation
        elif is_uuid(trigger_name):
            schedule_id = trigger_name
        else:
            schedule_id = trigger_id
        next_time = parse_time(row.get('next_execution_time'))
        enabled = next_time is None or next_time < NEVER
        created_at = parse_time(row.get('created_at'))
        return cls(
            id=schedule_id,
            name=name,
            instance=instance,
            pattern=row.get('pattern'),
            next_execution_time=next_time if enabled else None,
            created_at=_time_in(values, 'created_at') or created_at,
            updated_at=parse_time(row.get('updated_at')),
            description=values.get('description'),
            parent_id=values.get('parent_id'),
            incremental=bool(values.get('incremental')),
            swift_container=values.get('swift_container'),
            storage_driver=values.get('storage_driver'),
            remaining_executions=row.get('remaining_executions'),
            project_id=row.get('project_id'),
            input=values,
            trigger_id=trigger_id,
            trigger_name=trigger_name,
            generation=generation,
            enabled=enabled,
            active_since=_time_in(values, 'active_since') or created_at,
            first_time=_time_in(values, 'first_time'),
            keep=_count_in(values, 'keep'),
            full_every=_count_in(values, 'full_every'),
            origin=values.get('origin'),
        )


@dataclasses.dataclass(frozen=True, kw_only=True)
class ScheduleExecution:
    """One run of a schedule. All times are aware and in UTC.

    :ivar state: Mistral's: RUNNING, SUCCESS, ERROR, PAUSED, CANCELLED...
    :ivar state_info: the reason of a failure, as
        :func:`~trove_backup_schedule.reasons.plain` gives it, or None.
    :ivar output: what of the workflow's output is set, empty before it ends.
    :ivar duration: time from its start to its end; None before it ends.
    :ivar backup_id: ID of its backup; None before it ends or without one.
    :ivar backup_name: name of that backup.
    :ivar backup_status: the backup's status when the run ended or, where the
        present one was asked for, that one; ``DELETED`` if the backup is gone.
    :ivar manual: whether a person started it, and not the trigger.
    :ivar instance: ID of the instance that was backed up.
    :ivar schedule_id: ID of the schedule; for a schedule made by other means
        the ID of its trigger; None if nothing says what started the run.
    :ivar trigger_id: ID of the trigger that started the run, or None.
    """

    id: str
    created_at: datetime.datetime | None
    updated_at: datetime.datetime | None
    state: str
    state_info: str | None
    output: Mapping[str, Any]
    name: str | None
    instance: str | None
    schedule_id: str | None
    trigger_id: str | None
    workflow_name: str
    input: Mapping[str, Any]
    project_id: str | None
    duration: datetime.timedelta | None = None
    backup_id: str | None = None
    backup_name: str | None = None
    backup_status: str | None = None
    manual: bool = False

    @property
    def ended(self) -> bool:
        """Whether it has ended, one way or another."""
        return self.state in ENDED

    @property
    def backup_goes_on(self) -> bool:
        """Whether Trove is still making its backup."""
        return self.backup_status in {'NEW', 'BUILDING', 'SAVING'}

    def with_backup(self, backups: 'Iterable[Backup] | None') -> Self:
        """Add what the backup is like at present.

        :param backups: those of the instance; None if they are not known.
        """
        if backups is None:
            return dataclasses.replace(self, backup_status=None)
        if not self.ended and self.created_at:
            # It does not tell its backup before it ends. Later ones may be of
            # later runs.
            found = min(
                (
                    each
                    for each in backups
                    if each.label
                    and each.label in {self.schedule_id, self.trigger_id}
                    and each.created_at
                    and each.created_at >= self.created_at
                ),
                key=lambda each: (each.created_at or NEVER, each.id),
                default=None,
            )
        elif self.backup_id is None:
            return self
        else:
            found = next(
                (each for each in backups if each.id == self.backup_id), None
            )
            if found is None:
                return dataclasses.replace(self, backup_status='DELETED')
        if found is None:
            return self
        return dataclasses.replace(
            self,
            backup_id=found.id,
            backup_name=found.name,
            backup_status=found.status,
        )

    @classmethod
    def from_execution(cls, row: Mapping[str, Any]) -> Self:
        """Read a run from a row of ``/v2/executions``."""
        values = json_object(row.get('input')) or {}
        output = {
            key: value
            for key, value in (json_object(row.get('output')) or {}).items()
            if value is not None
        }
        state = str(row.get('state'))
        reason = row.get('state_info')
        if state == 'ERROR':
            # Mistral puts the reason there too.
            reason = reason or output.get('result')
        origin = _origin(row.get('description'))
        trigger_id = triggered_by(row.get('description'))
        created_at = parse_time(row.get('created_at'))
        updated_at = parse_time(row.get('updated_at'))
        return cls(
            id=str(row['id']),
            created_at=created_at,
            updated_at=updated_at,
            state=state,
            state_info=reasons.plain(str(reason)) if reason else None,
            output=output,
            name=values.get('name'),
            instance=values.get('instance'),
            schedule_id=values.get('schedule_id') or trigger_id,
            trigger_id=trigger_id,
            workflow_name=str(row.get('workflow_name')),
            input=values,
            project_id=row.get('project_id'),
            duration=(
                updated_at - created_at
                if created_at and updated_at and state in ENDED
                else None
            ),
            backup_id=output.get('backup_id'),
            backup_name=output.get('backup_name'),
            backup_status=output.get('backup_status'),
            manual=bool(origin.get('manual')),
        )


@dataclasses.dataclass(frozen=True, kw_only=True)
class Instance:
    """A database instance.

    :ivar project_id: Trove tells it to admins only, else None.
    """

    id: str
    name: str
    status: str
    project_id: str | None

    @classmethod
    def from_trove(cls, values: Mapping[str, Any]) -> Self:
        """Read an instance from an object of ``/instances``."""
        return cls(
            id=values['id'],
            name=values['name'],
            status=values['status'],
            project_id=values.get('tenant_id'),
        )


@dataclasses.dataclass(frozen=True, kw_only=True)
class Backup:
    """A backup of an instance. All times are aware and in UTC.

    :ivar status: Trove's: NEW, BUILDING, SAVING, COMPLETED, FAILED,
        DELETE_FAILED, RESTORED.
    :ivar parent_id: the backup that it can't be restored without; None for a
        full one.
    """

    id: str
    name: str
    status: str
    instance_id: str
    description: str | None
    parent_id: str | None = None
    created_at: datetime.datetime | None = None

    @classmethod
    def from_trove(cls, values: Mapping[str, Any]) -> Self:
        """Read a backup from an object of ``/backups``."""
        return cls(
            id=values['id'],
            name=values['name'],
            status=values['status'],
            instance_id=values['instance_id'],
            description=values.get('description'),
            parent_id=values.get('parent_id'),
            created_at=parse_time(values.get('created')),
        )

    @property
    def label(self) -> str | None:
        """The ID of the schedule, or of its trigger, that has made it.

        Only what the workflow has both named and labelled counts. A person
        may have copied either, but hardly both.
        """
        label = _LABEL.search(self.description or '')
        named = _BACKUP_NAME.search(self.name)
        return label['id'] if label and named else None

    def is_of(self, schedule: Schedule) -> bool:
        """Tell whether a schedule has made it."""
        return (
            self.instance_id == schedule.instance
            and self.label in schedule.labels
        )


@dataclasses.dataclass(frozen=True, kw_only=True)
class Workbook:
    """The workbook in Mistral. All times are aware and in UTC.

    :ivar scope: ``private`` or ``public``.
    :ivar workflows: names of the workflows that its text defines.
    :ivar current: whether its text is the packaged one, and the workflow that
        it defines is there.
    """

    name: str
    scope: str
    project_id: str | None
    workflows: list[str]
    current: bool
    created_at: datetime.datetime | None
    updated_at: datetime.datetime | None


def triggered_by(description: object) -> str | None:
    """Give the ID of the cron trigger that an execution's description names.

    Mistral writes it there as JSON; a person may have written anything.
    """
    origin = _origin(description)
    trigger_id = origin.get('id')
    if origin.get('type') == 'cron_trigger' and isinstance(trigger_id, str):
        return trigger_id
    return None


def run_values(schedule: Schedule) -> dict[str, Any]:
    """Put together a run of a schedule that a person starts by hand.

    It is like one that the trigger starts, and names the trigger just so; no
    other ID may stand before it there.

    :returns: the body of a POST to ``/v2/executions``.
    """
    description = {
        'description': 'Run by hand.',
        'triggered_by': {
            'type': 'cron_trigger',
            'id': schedule.trigger_id,
            'manual': True,
        },
    }
    return {
        'id': new_id(),
        'workflow_name': WORKFLOW,
        'input': schedule.input,
        'params': workflow_params(schedule.id) if schedule.ours else {},
        'description': json.dumps(description),
    }


def _origin(description: object) -> dict[str, Any]:
    """Tell what an execution's description says of where it comes from."""
    origin = (json_object(description) or {}).get('triggered_by')
    return origin if isinstance(origin, dict) else {}


def is_uuid(text: str) -> bool:
    """Tell whether a text is a UUID in its usual form."""
    return re.fullmatch(_UUID, text) is not None


class _WithId(Protocol):
    @property
    def id(self) -> str: ...


_T = TypeVar('_T', bound=_WithId)

#: How many IDs an error about an ambiguous name spells out.
CANDIDATES = 10


def only(found: Sequence[_T], what: str, name_or_id: str) -> _T:
    """Give the one object that a name or an ID stands for.

    :param what: the kind of object, for the message.
    :raises NotFoundError: if there is none.
    :raises NotUniqueError: if there are several.
    """
    if not found:
        raise exceptions.NotFoundError(
            _('No %(what)s with the name or ID "%(text)s" in this project.')
            % {'what': what, 'text': name_or_id}
        )
    if len(found) > 1:
        ids = ', '.join(each.id for each in found[:CANDIDATES])
        if len(found) > CANDIDATES:
            ids += ', ...'
        raise exceptions.NotUniqueError(
            _(
                'More than one %(what)s has the name "%(text)s". Use an ID: '
                '%(ids)s'
            )
            % {'what': what, 'text': name_or_id, 'ids': ids}
        )
    return found[0]


def new_id() -> str:
    """Choose the ID of a new schedule."""
    return str(uuid.uuid4())


def workflow_params(schedule_id: str) -> dict[str, Any]:
    """Give the parameters of the workflow for a schedule.

    They are stored with the trigger and with each execution that it starts,
    and Mistral can filter both by equality with them. A trigger that has any
    was not made by python-troveclient.
    """
    return {'env': {'schedule_id': schedule_id}}


def json_object(value: object) -> dict[str, Any] | None:
    """Read a JSON object that may come as text, as anything or not at all."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            return None
    return value if isinstance(value, dict) else None


def _count_in(values: Mapping[str, Any], key: str) -> int | None:
    """Give a count from a workflow's input, in which may be anything."""
    value = values.get(key)
    return value if type(value) is int and value > 0 else None


def _time_in(values: Mapping[str, Any], key: str) -> datetime.datetime | None:
    """Give a time from a workflow's input, in which may be anything."""
    try:
        return parse_time(values.get(key))
    except ValueError:
        return None


def parse_time(text: object) -> datetime.datetime | None:
    """Read a time of Mistral's, which are in UTC without saying so."""
    if not isinstance(text, str):
        return None
    moment = datetime.datetime.fromisoformat(text)
    if moment.tzinfo is None:
        return moment.replace(tzinfo=datetime.UTC)
    return moment.astimezone(datetime.UTC)
