# SPDX-License-Identifier: Apache-2.0

"""The packaged workbook, and the rules for putting it in another's place.

Nothing here talks to Mistral.
"""

from collections.abc import Mapping
import dataclasses
import functools
import importlib.resources
from typing import Any

import yaml

#: Name of the workbook in Mistral.
NAME = 'trove'

#: Name of its workflow, without the workbook's.
WORKFLOW = 'backup_create'


@dataclasses.dataclass(frozen=True)
class Inputs:
    """What a workflow takes."""

    required: frozenset[str]
    optional: frozenset[str]

    def accept(self, values: Mapping[str, Any]) -> bool:
        """Tell whether Mistral would start the workflow with these values.

        It wants each required input and refuses unknown ones. The run of a
        cron trigger that it refuses leaves no trace but in Mistral's log.
        """
        return self.required <= values.keys() <= self.required | self.optional


@functools.cache
def definition() -> str:
    """Give the text of the packaged workbook."""
    files = importlib.resources.files(__name__)
    return files.joinpath('trove.yaml').read_text(encoding='utf-8')


def workflows(text: str) -> list[str]:
    """Name the workflows that a workbook's text defines, sorted."""
    return sorted(_section(text, 'workflows'))


def foreign_parts(text: str) -> list[str]:
    """Name the parts of a workbook's text that are not this package's."""
    return sorted(
        {*_section(text, 'workflows'), *_section(text, 'actions')} - {WORKFLOW}
    )


def inputs(text: str) -> Inputs:
    """Tell what the backup workflow in a workbook's text takes."""
    declared = _section(text, 'workflows')[WORKFLOW].get('input', [])
    names = [each for each in declared if isinstance(each, str)]
    defaults = [
        name for each in declared if isinstance(each, dict) for name in each
    ]
    return Inputs(frozenset(names), frozenset(defaults))


def is_packaged(text: str) -> bool:
    """Tell whether a workflow's text, as Mistral keeps it, is the packaged.

    Mistral cuts it out of the workbook's text.
    """
    parsed = yaml.safe_load(text)
    packaged = _section(definition(), 'workflows')[WORKFLOW]
    return isinstance(parsed, dict) and bool(parsed.get(WORKFLOW) == packaged)


def _section(text: str, name: str) -> dict[str, Any]:
    """Give the parts of one kind by name; ``version`` may stand among them."""
    section = (yaml.safe_load(text) or {}).get(name) or {}
    return {
        key: value for key, value in section.items() if isinstance(value, dict)
    }
