# SPDX-License-Identifier: Apache-2.0
"""What a sandbox holds when it starts: projects, users, instances.

Project and instance ids follow from the names. So Keystone and Trove can
be filled at the same time without asking each other, seeding twice does
no harm, and tests may rely on the ids.
"""

import collections
from collections.abc import Iterable, Sequence
import dataclasses
import json
import os
import pathlib
import uuid

REGION = 'RegionOne'
SECOND_DOMAIN = 'second'
"""Name of the domain that is not the default one."""

GOOD = 'good'
"""Behaviour: backups complete."""
FAULTY = 'faulty'
"""Behaviour: Trove accepts a backup, the guest makes it FAILED."""
STOPPED = 'stopped'
"""Behaviour: the server is down, Trove refuses backups with 422."""
BEHAVIOURS = (GOOD, FAULTY, STOPPED)
DATASTORES = ('mysql', 'postgresql')

_NAMESPACE = uuid.UUID('e4a6a9f8-3b0b-4f0e-9d6c-54a7e1a0c9d2')

# The id that the specification of scheduled backups shows for "m".
_WELL_KNOWN_IDS = {
    'demo/m/0': '5328f62a-d999-4be3-90bb-83cc6af4469c',
}


@dataclasses.dataclass(frozen=True)
class User:
    """A user with one role on one project."""

    name: str
    project: str
    role: str = 'member'
    domain: str = 'Default'


USERS = {
    'demo': User('demo', 'demo'),
    'other': User('other', 'other'),
    'admin': User('admin', 'admin', 'admin'),
    'demo-domain': User('demo', 'demo', domain=SECOND_DOMAIN),
}
"""The clouds of ``clouds.yaml``, by name."""

SERVICE_USERS = (
    User('mistral', 'service', 'admin'),
    User('trove', 'service', 'admin'),
)


@dataclasses.dataclass(frozen=True)
class Instance:
    """A database instance to seed."""

    project: str
    name: str
    behaviour: str = GOOD
    datastore: str = 'mysql'
    domain: str = 'Default'

    def __post_init__(self) -> None:
        if self.behaviour not in BEHAVIOURS:
            raise ValueError(f'no such behaviour: {self.behaviour}')
        if self.datastore not in DATASTORES:
            raise ValueError(f'no such datastore: {self.datastore}')
        owner = (self.domain, self.project)
        if owner not in {(u.domain, u.project) for u in USERS.values()}:
            raise ValueError(f'no such project: {"/".join(owner)}')


INSTANCES = (
    Instance('demo', 'm'),
    Instance('demo', 'orders'),
    Instance('demo', 'customers', datastore='postgresql'),
    Instance('demo', 'twin'),
    Instance('demo', 'twin'),
    Instance('demo', 'faulty', FAULTY),
    Instance('demo', 'stopped', STOPPED),
    Instance('other', 'theirs'),
    Instance('demo', 'elsewhere', domain=SECOND_DOMAIN),
)
"""The instances of a new sandbox."""


def project_id(name: str, domain: str = 'Default') -> str:
    """Return the id of a project."""
    return uuid.uuid5(_NAMESPACE, f'project/{domain}/{name}').hex


def with_ids(instances: Iterable[Instance]) -> dict[str, Instance]:
    """Give each instance its id; equal names are told apart by order."""
    found: dict[str, Instance] = {}
    seen: collections.Counter[str] = collections.Counter()
    for instance in instances:
        place = f'{instance.project}/{instance.name}'
        if instance.domain != 'Default':
            place = f'{instance.domain}/{place}'
        found[_instance_id(f'{place}/{seen[place]}')] = instance
        seen[place] += 1
    return found


def _instance_id(place: str) -> str:
    known = _WELL_KNOWN_IDS.get(place)
    return known or str(uuid.uuid5(_NAMESPACE, f'instance/{place}'))


def save(path: pathlib.Path, instances: Sequence[Instance]) -> None:
    """Write the list of instances that Trove is to have."""
    replace(path, json.dumps([dataclasses.asdict(i) for i in instances]))


def load(path: pathlib.Path) -> list[Instance]:
    """Read the list of instances that Trove is to have."""
    rows = json.loads(path.read_text(encoding='utf-8'))
    return [Instance(**row) for row in rows]


def replace(path: pathlib.Path, text: str) -> None:
    """Write a file that others may be reading: all of it or nothing."""
    partial = path.with_name(f'{path.name}.{os.getpid()}.partial')
    partial.write_text(text, encoding='utf-8')
    partial.replace(path)
