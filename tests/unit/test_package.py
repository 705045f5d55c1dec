# SPDX-License-Identifier: Apache-2.0

import subprocess
import sys

from tests.unit import base
import trove_backup_schedule


class TestPackage(base.TestCase):
    def test_every_public_name_is_there(self) -> None:
        for name in trove_backup_schedule.__all__:
            with self.case(name):
                found = getattr(trove_backup_schedule, name)
                self.assertEqual(name, found.__name__)

    def test_other_names_are_not(self) -> None:
        exc = self.assertRaises(
            AttributeError, getattr, trove_backup_schedule, 'Nothing'
        )
        self.assertIn("no attribute 'Nothing'", str(exc))

    def test_importing_it_imports_nothing_of_it(self) -> None:
        code = (
            'import sys, trove_backup_schedule\n'
            'print([n for n in sys.modules if n.startswith("trove_b")])'
        )
        done = subprocess.run(
            [sys.executable, '-c', code],
            capture_output=True,
            check=True,
            text=True,
        )
        self.assertEqual("['trove_backup_schedule']", done.stdout.strip())
