# SPDX-License-Identifier: Apache-2.0

"""Schedules declared in a file, and what it takes to have them. No I/O.

The file is YAML, with one entry for each schedule. What an entry leaves out
is not set, so that it says all there is to say about its schedule. All times
are in UTC.
"""

import collections
from collections.abc import Callable, Iterable, Mapping, Sequence
import contextlib
import dataclasses
import datetime
import itertools
import re
import sys
import textwrap
from typing import Any, Literal

import yaml

from trove_backup_schedule import cron
from trove_backup_schedule import exceptions
from trove_backup_schedule import models
from trove_backup_schedule import settings
from trove_backup_schedule.i18n import _

# Not translated: whoever exports it, the file stays the same.
_HEADER = """\
# Backup schedules of database instances. All times are in UTC. Written by
#     openstack database backup schedule export
# and brought into effect, after any change made here, by
#     openstack database backup schedule apply <this file>
"""

# What an entry can have: its type, and what checks a value and gives it in its
# normal form.
_KEYS: Mapping[str, tuple[type, Callable[[Any], Any]]] = {
    'instance': (str, str),
    'name': (str, settings.validate_name),
    'pattern': (str, cron.validate),
    'description': (str, settings.validate_description),
    'keep': (int, settings.validate_keep),
    'incremental': (bool, bool),
    'full_every': (int, settings.validate_full_every),
    'parent': (str, str),
    'swift_container': (str, settings.validate_swift_container),
    'storage_driver': (str, settings.validate_storage_driver),
    'enabled': (bool, bool),
    'spread': (bool, bool),
    'count': (int, settings.validate_count),
    'first_time': (str, cron.parse_time),
}

_REQUIRED = ('instance', 'name', 'pattern')

# What a schedule uses up as it runs, so that it says nothing once it is there.
_USED_UP = frozenset({'count', 'first_time'})

_TEXT = 'tag:yaml.org,2002:str'
_INT = 'tag:yaml.org,2002:int'
_TIMESTAMP = 'tag:yaml.org,2002:timestamp'


@dataclasses.dataclass(frozen=True, kw_only=True)
class Declaration:
    """A schedule as a file declares it. All times are aware and in UTC.

    :ivar instance: name or ID of the instance.
    :ivar name: name of the schedule, and for its backups.
    :ivar pattern: cron pattern in its normal form, read in UTC.
    :ivar parent: name or ID of the backup that every run builds on.
    :ivar spread: whether each instance has its own minute, hour and weekday
        in place of the pattern's.
    :ivar count: number of runs after which the schedule ends; only for one
        that is created.
    :ivar first_time: the first run; only for a schedule that is created. It
        may have passed.

    The others are as in :class:`~trove_backup_schedule.models.Schedule`.
    """

    instance: str
    name: str
    pattern: str
    description: str | None = None
    keep: int | None = None
    incremental: bool = False
    full_every: int | None = None
    parent: str | None = None
    swift_container: str | None = None
    storage_driver: str | None = None
    enabled: bool = True
    spread: bool = False
    count: int | None = None
    first_time: datetime.datetime | None = None

    def settings_for(self, instance_id: str) -> settings.Settings:
        """Give the settings that the schedule of an instance is to have.

        The parent is taken over as it is.
        """
        return settings.Settings(
            name=self.name,
            pattern=(
                cron.spread(self.pattern, instance_id)
                if self.spread
                else self.pattern
            ),
            description=self.description,
            parent_id=self.parent,
            incremental=self.incremental,
            full_every=self.full_every,
            keep=self.keep,
            swift_container=self.swift_container,
            storage_driver=self.storage_driver,
            count=self.count,
            first_time=self.first_time,
            enabled=self.enabled,
        )


@dataclasses.dataclass(frozen=True, kw_only=True)
class Content:
    """What a file holds.

    :ivar instance: name or ID of the only instance that it is about; None if
        it is about all of the project.
    """

    schedules: list[Declaration]
    instance: str | None = None


#: What is to be done: ``create`` what only the file has, ``change`` or leave
#: ``unchanged`` what both have, ``delete`` or leave (``left``) what only the
#: cloud has.
Action = Literal['create', 'change', 'unchanged', 'delete', 'left']


@dataclasses.dataclass(frozen=True, kw_only=True)
class Change:
    """What is to be done about one schedule.

    :ivar instance: ID of the instance.
    :ivar declaration: what the file says; None if it is not in the file.
    :ivar schedule: what is there; None if it is to be created.
    :ivar changes: for ``change`` the old and the new value of each attribute
        of :class:`~trove_backup_schedule.models.Schedule` that changes.
    :ivar twins: for ``create`` how many others made here there are by then of
        the same instance and name: those that are there, and those that the
        file has before it.
    """

    action: Action
    instance: str
    declaration: Declaration | None = None
    schedule: models.Schedule | None = None
    changes: Mapping[str, tuple[Any, Any]] = dataclasses.field(
        default_factory=dict
    )
    twins: int = 0


class _Loader(yaml.SafeLoader):
    """Refuses what YAML would read as something else than it seems to say."""

    # YAML fails on an impossible date, and reads 010 as eight and 1:30 as
    # ninety. Here a time is a text, as in a command, and so are those.
    yaml_implicit_resolvers = {
        first: [each for each in known if each[0] not in {_INT, _TIMESTAMP}]
        for first, known in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        # Later on the keys of a merged mapping (<<) would count as well.
        node = super().compose_mapping_node(anchor)
        seen = set()
        for key, _value in node.value:
            if isinstance(key, yaml.ScalarNode):
                if key.value in seen:
                    raise yaml.MarkedYAMLError(
                        problem=_('the key "%s" is there twice') % key.value,
                        problem_mark=key.start_mark,
                    )
                seen.add(key.value)
        return node

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        # A value with a tag (!!int) is converted without being looked at.
        try:
            return super().construct_object(node, deep)
        except (AttributeError, LookupError, ValueError) as exc:
            raise yaml.MarkedYAMLError(
                problem=_('the value does not fit its type'),
                problem_mark=node.start_mark,
            ) from exc


_Loader.add_implicit_resolver(
    _INT, re.compile(r'[-+]?(0|[1-9][0-9]*)$'), '-+0123456789'
)


class _Dumper(yaml.SafeDumper):
    """Keeps the one line break (U+0085) that PyYAML would read as a space."""

    def represent_str(self, data: str) -> yaml.ScalarNode:
        style = None if data.isprintable() else '"'
        return self.represent_scalar(_TEXT, data, style)


_Dumper.add_representer(str, _Dumper.represent_str)


def parse(text: str) -> Content:
    """Read a file's text and check all that can be checked without a cloud.

    :returns: the declarations in the order of the file. Several may have the
        same instance and name.
    :raises InvalidValueError: about the first fault, and where it is.
    """
    content = _load(text)
    if not isinstance(content, dict) or 'schedules' not in content:
        raise exceptions.InvalidValueError(
            _(
                'There is no key "schedules" at the top of the file. Its '
                'value is the list of schedules, or [] if there are none.'
            )
        )
    for key in content:
        if key not in {'schedules', 'instance'}:
            raise exceptions.InvalidValueError(
                _(
                    'The key "%s" at the top of the file is unknown. Only '
                    '"schedules" and "instance" can be there.'
                )
                % key
            )
    only = content.get('instance')
    if 'instance' in content:
        only = _value('instance', only)
    if not isinstance(content['schedules'], list):
        raise exceptions.InvalidValueError(
            _(
                'The value of "schedules" is not a list. Each schedule begins '
                'with a hyphen; without any, write [].'
            )
        )
    declarations = []
    for number, entry in enumerate(content['schedules'], 1):
        try:
            declarations.append(_read(entry))
        except exceptions.InvalidValueError as exc:
            raise exceptions.InvalidValueError(
                _('Entry %(entry)s: %(reason)s')
                % {'entry': _label(number, entry), 'reason': exc}
            ) from exc
    return Content(schedules=declarations, instance=only)


def dump(
    declarations: Iterable[Declaration], instance: str | None = None
) -> str:
    """Write declarations as a file's text, which :func:`parse` reads.

    The same declarations give the same text, in whatever order they come.

    :param instance: name or ID of the only instance that they are about.
    """
    ordered = sorted(
        declarations,
        key=lambda each: (each.instance, each.name, each.pattern, repr(each)),
    )
    only = {} if instance is None else {'instance': instance}
    text: str = yaml.dump(
        {**only, 'schedules': [_entry(each) for each in ordered]},
        Dumper=_Dumper,
        allow_unicode=True,
        sort_keys=False,
        width=sys.maxsize,
    )
    return _HEADER + text


def of_schedule(schedule: models.Schedule, instance: str) -> Declaration:
    """Give the declaration of a schedule that is there.

    :param instance: what to write for its instance: the name or the ID.
    :raises InvalidValueError: if no file can declare it, for it was made by
        other means and has a value that is refused here.
    """
    values = {'instance': instance, **_present(schedule)}
    values['parent'] = values.pop('parent_id')
    try:
        return _read(
            {key: each for key, each in values.items() if each is not None}
        )
    except exceptions.InvalidValueError as exc:
        raise exceptions.InvalidValueError(
            _("The schedule %(id)s can't be written to a file. %(reason)s")
            % {'id': schedule.id, 'reason': exc}
        ) from exc


def difference(
    declared: Sequence[tuple[str, Declaration]],
    existing: Iterable[models.Schedule],
    *,
    prune: bool,
) -> list[Change]:
    """Tell what is to be done to have the declared schedules.

    Schedules are matched by their instance and name. Of several that have
    both in common those are paired first that are alike in everything, and
    then the first of the file with the oldest that was made by this package.
    Those made by other means come last.

    :param declared: IDs of the instances and what is declared for them, with
        the ID of the backup as ``parent``.
    :param existing: the schedules that are there.
    :param prune: delete those that are not declared, were made by this
        package, and could be declared.
    :returns: a change for each declaration in their order, and one for each
        of the other schedules, those made by other means last.
    """
    # There are two of one ID while a trigger is being replaced. To delete the
    # older one as a surplus would delete the schedule.
    current = {
        each.id: each
        for each in sorted(existing, key=lambda each: each.generation)
    }
    unmatched = collections.defaultdict(list)
    for schedule in sorted(current.values(), key=_rank):
        unmatched[schedule.instance, schedule.name].append(schedule)
    partners: dict[int, models.Schedule] = {}
    for alike in (True, False):
        for number, (instance, declaration) in enumerate(declared):
            candidates = unmatched[instance, declaration.name]
            partner = next(
                (
                    each
                    for each in candidates
                    if not (alike and _changes(instance, declaration, each))
                ),
                None,
            )
            if partner is not None and number not in partners:
                partners[number] = partner
                candidates.remove(partner)
    changes = []
    there = collections.Counter(
        (each.instance, each.name) for each in current.values() if each.ours
    )
    for number, (instance, declaration) in enumerate(declared):
        twins = there[instance, declaration.name]
        change = _change(instance, declaration, partners.get(number), twins)
        there[instance, declaration.name] += change.action == 'create'
        changes.append(change)
    return changes + [
        Change(
            action='delete' if prune and _is_ours(schedule) else 'left',
            instance=schedule.instance,
            schedule=schedule,
        )
        for schedule in sorted(
            itertools.chain.from_iterable(unmatched.values()), key=_rank
        )
    ]


def _load(text: str) -> object:
    try:
        return _Loader(text).get_single_data()
    except (yaml.YAMLError, RecursionError) as exc:
        reason = str(exc).partition('\n')[0]
        if isinstance(exc, yaml.MarkedYAMLError) and exc.problem_mark:
            reason = _('line %(line)d: %(reason)s') % {
                'line': exc.problem_mark.line + 1,
                'reason': ', '.join(filter(None, (exc.context, exc.problem))),
            }
        raise exceptions.InvalidValueError(
            _(
                'The file is not valid YAML (%s). A text that begins with @ '
                'or *, as a pattern may do, must be in quotes.'
            )
            % reason
        ) from exc


def _label(number: int, entry: object) -> str:
    """Name an entry by its number and, if it has them, by its names."""
    if isinstance(entry, dict):
        names = [entry.get('instance'), entry.get('name')]
        if all(isinstance(each, str) for each in names):
            both = textwrap.shorten('/'.join(map(str, names)), 400)
            return f'{number} ({both})'
    return str(number)


def _read(entry: object) -> Declaration:
    """Check what an entry holds, and make a declaration of it."""
    if not isinstance(entry, dict):
        raise exceptions.InvalidValueError(
            _('It is not made of keys and values, such as "name: nightly".')
        )
    values = {key: _value(key, value) for key, value in entry.items()}
    for key in _REQUIRED:
        if key not in values:
            raise exceptions.InvalidValueError(
                _('The key "%s" is missing.') % key
            )
    declaration = Declaration(**values)
    # What can be wrong with it is the same for every instance.
    settings.validate_together(declaration.settings_for(declaration.instance))
    return declaration


def _value(key: str, value: object) -> Any:
    if key not in _KEYS:
        raise exceptions.InvalidValueError(
            _('The key "%(key)s" is unknown. Known are: %(known)s.')
            % {'key': key, 'known': ', '.join(_KEYS)}
        )
    if value is None or (isinstance(value, str) and not value.strip()):
        raise exceptions.InvalidValueError(
            _('The key "%s" has no value. Give it one or leave it out.') % key
        )
    kind, check = _KEYS[key]
    # A boolean is an instance of int.
    if type(value) is not kind:
        kinds = {
            str: _('a text; put it in quotes'),
            int: _('a whole number, without quotes'),
            bool: _('true or false, without quotes'),
        }
        raise exceptions.InvalidValueError(
            _('The value of "%(key)s" must be %(kind)s.')
            % {'key': key, 'kind': kinds[kind]}
        )
    return check(value)


def _entry(declaration: Declaration) -> dict[str, object]:
    """Give what of a declaration is set, in the order of its attributes."""
    entry = {
        field.name: getattr(declaration, field.name)
        for field in dataclasses.fields(declaration)
        if getattr(declaration, field.name) != field.default
    }
    if declaration.first_time is not None:
        entry['first_time'] = declaration.first_time.isoformat()
    return entry


def _is_ours(schedule: models.Schedule) -> bool:
    """Tell whether a schedule may be deleted if a file does not have it."""
    if not schedule.ours:
        return False
    try:
        of_schedule(schedule, schedule.instance)
    except exceptions.InvalidValueError:
        # No file can have it.
        return False
    return True


def _present(schedule: models.Schedule) -> dict[str, Any]:
    """Give the settings of a schedule in their normal form.

    In one that was made by other means can be anything.
    """
    values = {
        key: None if value == '' else value
        for key, value in vars(settings.Settings.of(schedule)).items()
    }
    if values['pattern'] is not None:
        with contextlib.suppress(exceptions.InvalidValueError):
            values['pattern'] = cron.validate(values['pattern'])
    return values


def _changes(
    instance: str, declaration: Declaration, schedule: models.Schedule
) -> dict[str, tuple[Any, Any]]:
    wanted = vars(declaration.settings_for(instance))
    return {
        key: (old, wanted[key])
        for key, old in _present(schedule).items()
        if key not in _USED_UP and old != wanted[key]
    }


def _rank(schedule: models.Schedule) -> tuple[bool, datetime.datetime, str]:
    """Give the key for the order in which schedules are taken."""
    never = datetime.datetime.min.replace(tzinfo=datetime.UTC)
    return not schedule.ours, schedule.created_at or never, schedule.id


def _change(
    instance: str,
    declaration: Declaration,
    schedule: models.Schedule | None,
    twins: int,
) -> Change:
    if schedule is None:
        return Change(
            action='create',
            instance=instance,
            declaration=declaration,
            twins=twins,
        )
    changes = _changes(instance, declaration, schedule)
    return Change(
        action='change' if changes else 'unchanged',
        instance=instance,
        declaration=declaration,
        schedule=schedule,
        changes=changes,
    )
