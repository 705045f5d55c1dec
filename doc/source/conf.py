# SPDX-License-Identifier: Apache-2.0

"""Configuration of Sphinx."""

import argparse
from collections.abc import Iterator

from cliff import sphinxext

project = 'trove-backup-schedule'
project_copyright = 'trove-backup-schedule contributors'

extensions = [
    'cliff.sphinxext',
    'openstackdocstheme',
    'reno.sphinxext',
    'sphinx.ext.autodoc',
]

# The repository's home is not known to the theme, so it shows no links to
# bug reports and to a page's source.
html_theme = 'openstackdocs'
html_theme_options = {
    'display_badge': False,
    'display_global_toc_section': True,
    'show_other_versions': False,
}
openstackdocs_auto_version = True
openstackdocs_pdf_link = False
pygments_style = 'native'

autoprogram_cliff_application = 'openstack'

autodoc_member_order = 'bysource'
autodoc_typehints = 'description'
autodoc_typehints_description_target = 'documented'


_format_parser = sphinxext._format_parser


def _format_plain_parser(parser: argparse.ArgumentParser) -> Iterator[str]:
    """Keep the asterisks of a cron pattern in a help text from meaning."""
    for action in parser._actions:
        if action.help:
            action.help = action.help.replace('*', r'\*')
    yield from _format_parser(parser)


sphinxext._format_parser = _format_plain_parser
