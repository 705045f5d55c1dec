# SPDX-License-Identifier: Apache-2.0

"""Translation of the messages that a user reads."""

from collections.abc import Callable

import oslo_i18n

_translators = oslo_i18n.TranslatorFactory(domain='trove_backup_schedule')

_: Callable[[str], str] = _translators.primary
