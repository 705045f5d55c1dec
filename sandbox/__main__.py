# SPDX-License-Identifier: Apache-2.0
"""The command line of the sandbox."""

import argparse
import contextlib
import pathlib
import shlex
import shutil
import signal
import sys
import time

from sandbox import seed
from sandbox import settings
from sandbox.errors import SandboxError

try:
    from sandbox.cloud import Sandbox
except ModuleNotFoundError as exc:
    sys.exit(f'{exc}: {settings.HOW_TO_INSTALL}')
except KeyboardInterrupt:
    # Loading takes a moment. Nothing is running yet.
    sys.exit(130)

DEFAULT_PORT = 17500


def main(arguments: list[str] | None = None) -> int:
    """Run a command and return its exit status."""
    options = _parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        return int(options.run(options))
    except SandboxError as exc:
        print(exc, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print('Interrupted.', file=sys.stderr)
        return 130


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog='python -m sandbox',
        description='A small OpenStack cloud on 127.0.0.1: Keystone, Mistral'
        ' and Trove, with simulated database guests.',
    )
    directory = argparse.ArgumentParser(add_help=False)
    directory.add_argument(
        '--directory',
        type=pathlib.Path,
        default=pathlib.Path('.sandbox'),
        help='where everything is kept (default: %(default)s)',
    )
    port = argparse.ArgumentParser(add_help=False)
    port.add_argument(
        '--port',
        type=int,
        default=DEFAULT_PORT,
        help='first of four ports in a row, 0 for any free ones'
        ' (default: %(default)s)',
    )
    commands = parser.add_subparsers(required=True, metavar='COMMAND')
    for name, function, parents, text in (
        ('start', _start, [directory, port], 'start in the background'),
        ('run', _run, [directory, port], 'start, and stop at Ctrl-C'),
        ('stop', _stop, [directory], 'stop what runs in the background'),
        ('status', _status, [directory], 'tell what is running'),
        ('instance', _instance, [directory], 'add a database instance'),
    ):
        command = commands.add_parser(name, parents=parents, help=text)
        command.set_defaults(run=function)
    # The last one has more to say.
    command.add_argument('name', help='the name, which others may have too')
    command.add_argument(
        '--project',
        choices=sorted({user.project for user in seed.USERS.values()}),
        default='demo',
    )
    command.add_argument(
        '--behaviour', choices=seed.BEHAVIOURS, default=seed.GOOD
    )
    command.add_argument(
        '--datastore', choices=seed.DATASTORES, default=seed.DATASTORES[0]
    )
    return parser


def _say(text: str) -> None:
    # "start | head" must not take the servers down with it.
    with contextlib.suppress(BrokenPipeError):
        print(text, flush=True)


def _start(options: argparse.Namespace) -> int:
    sandbox = Sandbox(options.directory, options.port, report=_say)
    if sandbox.is_running():
        _say(f'A sandbox is running in {sandbox.directory} already.')
        _say(_what_to_type(sandbox))
        return 0
    _say(f'Starting a sandbox in {sandbox.directory}')
    try:
        sandbox.start(detach=True)
        _say(_what_to_type(sandbox))
    except KeyboardInterrupt:
        # It may have come when everything was up but not yet said.
        sandbox.stop()
        raise
    return 0


def _run(options: argparse.Namespace) -> int:
    sandbox = Sandbox(options.directory, options.port, report=_say)
    _say(f'Starting a sandbox in {sandbox.directory}')
    if not sandbox.start():
        raise SandboxError(
            'It is running in the background already; stop it first.'
        )
    try:
        _say(_what_to_type(sandbox))
        _say('\nCtrl-C stops the sandbox.')
        while not (message := sandbox.died()):
            time.sleep(1)
        raise SandboxError(message)
    except KeyboardInterrupt:
        return 0
    finally:
        sandbox.stop()
        _say('Stopped.')


def _stop(options: argparse.Namespace) -> int:
    stopped = Sandbox(options.directory).stop()
    _say('Stopped.' if stopped else 'Nothing was running.')
    return 0


def _status(options: argparse.Namespace) -> int:
    sandbox = Sandbox(options.directory)
    alive = sandbox.alive()
    if not alive:
        _say(f'No sandbox is running in {sandbox.directory}.')
        return 1
    ports = sandbox.ports
    for name in settings.SERVERS:
        state = (
            f'process {alive[name]}'
            if name in alive
            else f'not running, see {sandbox.log(name)}'
        )
        _say(f'{name:8}  port {ports[name]:5}  {state}')
    return 0 if sandbox.is_running() else 1


def _instance(options: argparse.Namespace) -> int:
    sandbox = Sandbox(options.directory)
    sandbox.add_instances(
        [
            seed.Instance(
                options.project,
                options.name,
                options.behaviour,
                options.datastore,
            )
        ]
    )
    _say(sandbox.instance_ids(options.project, options.name)[-1])
    return 0


def _what_to_type(sandbox: Sandbox) -> str:
    clouds = shlex.quote(str(sandbox.clouds_yaml))
    others = ', '.join(name for name in seed.USERS if name != 'demo')
    here = pathlib.Path(sys.executable).parent
    path = ''
    if shutil.which('openstack') != str(here / 'openstack'):
        # That of another environment would not have the plugin.
        path = f'  export PATH={shlex.quote(str(here))}:$PATH\n'
    return (
        '\nThe sandbox is ready. Type in another terminal:\n\n'
        f'{path}'
        f'  export OS_CLIENT_CONFIG_FILE={clouds}\n'
        '  export OS_CLOUD=demo\n'
        '  openstack database instance list\n'
        '  openstack database backup workbook install\n'
        '  openstack database backup schedule create nightly --instance m'
        ' --pattern "0 3 * * *"\n\n'
        f'Other clouds: {others}. Logs: {sandbox.log("").parent}'
    )


if __name__ == '__main__':
    sys.exit(main())
