# SPDX-License-Identifier: Apache-2.0

"""Run everything that CI runs, and say in one line how it went.

Each check (style, types, coverage, documentation) counts as one test beside
the unit and functional tests. All of them are run, even if one fails.
"""

from collections.abc import Mapping, Sequence
import os
import pathlib
import subprocess
import sys
import tempfile
import time

import subunit
import testtools

from sandbox import cloud
from sandbox import errors

TOP = pathlib.Path(__file__).resolve().parent.parent
BIN = pathlib.Path(sys.executable).parent

# Where there is code, for the tools that want to be told.
CODE = ('trove_backup_schedule', 'sandbox', 'tests', 'tools', 'setup.py')


class Tally:
    """The count of what has passed and failed so far."""

    def __init__(self) -> None:
        self.passed = 0
        self.failed = 0
        self.skipped = 0
        self.failures: list[str] = []

    def count(self, name: str, *, passed: bool) -> None:
        """Count one check."""
        if passed:
            self.passed += 1
        else:
            self.failed += 1
            self.failures.append(name)

    def check(
        self, name: str, *command: str, env: Mapping[str, str] | None = None
    ) -> None:
        """Run a check, which counts as one."""
        announce(name)
        self.count(name, passed=run(*command, env=env) == 0)

    def stestr(
        self,
        name: str,
        path: str,
        *options: str,
        env: Mapping[str, str] | None = None,
    ) -> None:
        """Run the tests below a path, and count each of them."""
        announce(name)
        where = {'TEST_PATH': path, **(env or {})}
        # A repository of its own, that no earlier run can be taken for it.
        with tempfile.TemporaryDirectory() as directory:
            repository = ('--repo-url', directory)
            status = run(
                tool('stestr'), *repository, 'run', *options, env=where
            )
            last = subprocess.run(
                [tool('stestr'), *repository, 'last', '--subunit'],
                cwd=TOP,
                env=os.environ | where,
                stdout=subprocess.PIPE,
                check=False,
            )
        results = testtools.StreamSummary()
        results.startTestRun()
        with tempfile.TemporaryFile() as stream:
            stream.write(last.stdout)
            stream.seek(0)
            subunit.ByteStreamToStreamResult(stream).run(results)
        results.stopTestRun()
        failed = [test.id() for test, _ in results.failures + results.errors]
        failed += [test.id() for test in results.unexpectedSuccesses]
        self.skipped += len(results.skipped)
        self.passed += results.testsRun - len(failed) - len(results.skipped)
        self.failed += len(failed)
        self.failures += failed
        if not results.testsRun or (status and not failed):
            self.count(f'{name}: the run itself', passed=False)


def announce(name: str) -> None:
    """Print what comes next."""
    print(f'\n== {name}', flush=True)


def tool(name: str) -> str:
    """Give the path of a command of this environment."""
    return str(BIN / name)


def run(*command: str, env: Mapping[str, str] | None = None) -> int:
    """Run a command in the checkout, showing its output."""
    return subprocess.run(
        command, cwd=TOP, env=os.environ | dict(env or {}), check=False
    ).returncode


def unit(tally: Tally) -> None:
    """Run the unit tests, and check how much they cover."""
    with tempfile.TemporaryDirectory() as directory:
        data = {'COVERAGE_FILE': f'{directory}/coverage'}
        tally.stestr(
            'Unit tests',
            'tests/unit',
            env=data | {'PYTHON': f'{tool("coverage")} run --parallel-mode'},
        )
        run(tool('coverage'), 'combine', '--quiet', env=data)
        tally.check('Coverage', tool('coverage'), 'report', env=data)


def functional(tally: Tally) -> None:
    """Run the functional tests on a sandbox made for them."""
    announce('Sandbox')
    with tempfile.TemporaryDirectory() as directory:
        try:
            with cloud.Sandbox(
                pathlib.Path(directory), report=print
            ) as sandbox:
                tally.stestr(
                    'Functional tests',
                    'tests/functional',
                    '--concurrency',
                    '2',
                    env=sandbox.environment(),
                )
        except errors.SandboxError as exc:
            print(exc, file=sys.stderr)
            tally.count('Sandbox', passed=False)


def main(arguments: Sequence[str]) -> int:
    """Run what is named, or all of it."""
    stages = set(arguments) or {'lint', 'unit', 'functional', 'docs'}
    began = time.monotonic()
    tally = Tally()
    if 'lint' in stages:
        tally.check('Style', tool('ruff'), 'check', *CODE)
        tally.check('Layout', tool('ruff'), 'format', '--check', *CODE)
        tally.check('Types', tool('mypy'))
    if 'unit' in stages:
        unit(tally)
    if 'functional' in stages:
        functional(tally)
    if 'docs' in stages:
        with tempfile.TemporaryDirectory() as directory:
            tally.check(
                'Documentation',
                *(tool('sphinx-build'), '-q', '-W', '--keep-going'),
                *('-b', 'html', 'doc/source', directory),
            )
    for name in tally.failures:
        print(f'FAILED: {name}')
    print(f'\n{time.monotonic() - began:.0f} seconds.')
    print(
        f'{tally.passed} passed, {tally.failed} failed'
        + (f', {tally.skipped} skipped' if tally.skipped else '')
    )
    return 1 if tally.failed else 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
