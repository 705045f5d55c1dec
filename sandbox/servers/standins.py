# SPDX-License-Identifier: Apache-2.0
"""Stand-ins for Nova, Neutron, Cinder and Swift: just what Trove asks of them.

No token is checked here. Every instance has a server of the same id, so
Nova's part needs little memory; Swift's part keeps its objects as files.
"""

from collections.abc import Callable, Iterable
import dataclasses
import hashlib
import json
import pathlib
import shutil
from typing import Any
import urllib.parse

import waitress

from sandbox import seed
from sandbox import settings
from sandbox.servers import child

_TAG = 'trove_instance_id_'
_FLAVOR = {'id': '1', 'name': 'db.small', 'ram': 2048, 'vcpus': 1, 'disk': 10}
_Environ = dict[str, Any]
_StartResponse = Callable[[str, list[tuple[str, str]]], object]


@dataclasses.dataclass
class Answer:
    """A response."""

    status: str
    body: bytes = b''
    headers: dict[str, str] = dataclasses.field(default_factory=dict)


def _json(body: object, status: str = '200 OK') -> Answer:
    kind = {'Content-Type': 'application/json'}
    return Answer(status, json.dumps(body).encode(), kind)


def _not_found() -> Answer:
    return _json({'message': 'Not found, or not simulated.'}, '404 Not Found')


class StandIns:
    """The WSGI application."""

    def __init__(self, layout: settings.Layout) -> None:
        self._layout = layout
        self._stopped: set[str] = set()
        self._read = 0

    def __call__(
        self, environ: _Environ, start_response: _StartResponse
    ) -> Iterable[bytes]:
        """Answer a request."""
        path = environ['PATH_INFO'].encode('latin-1').decode()
        service, _, rest = path.lstrip('/').partition('/')
        method = environ['REQUEST_METHOD']
        if service == 'compute':
            query = urllib.parse.parse_qsl(environ.get('QUERY_STRING', ''))
            answer = self._compute(method, rest.split('/')[1:], dict(query))
        elif service == 'network':
            # v2.0/kind
            answer = _nothing(rest.split('/')[1:])
        elif service == 'volume':
            # v3/project/kind/detail
            answer = _nothing(rest.removesuffix('/detail').split('/')[2:])
        elif service == 'object-store':
            answer = self._object_store(method, rest, environ)
        else:
            answer = _not_found()
        headers = {'Content-Length': str(len(answer.body)), **answer.headers}
        start_response(answer.status, list(headers.items()))
        return [] if method == 'HEAD' else [answer.body]

    def _compute(
        self, method: str, parts: list[str], query: dict[str, str]
    ) -> Answer:
        match [method, *parts]:
            case ['GET', 'servers' | 'flavors' as kind, *_] if (
                'marker' in query
            ):
                # Everything was in the first page.
                return _json({kind: []})
            case ['GET', 'servers', 'detail']:
                tags = query.get('tags-any', '').split(',')
                keys = [tag.removeprefix(_TAG) for tag in tags if tag]
                found = [self._server(k) for k in keys if self._exists(k)]
                return _json({'servers': found})
            case ['GET', 'servers', key] if self._exists(key):
                return _json({'server': self._server(key)})
            case ['DELETE', 'servers', key]:
                self._tombstone(key).touch()
                return Answer('204 No Content')
            case ['GET', 'os-server-groups']:
                return _json({'server_groups': []})
            case ['GET', 'flavors', 'detail']:
                return _json({'flavors': [_FLAVOR]})
            case ['GET', 'flavors', _]:
                return _json({'flavor': _FLAVOR})
        return _not_found()

    def _exists(self, key: str) -> bool:
        return not self._tombstone(key).exists()

    def _tombstone(self, key: str) -> pathlib.Path:
        return self._layout.deleted_servers / _file_name(key)

    def _server(self, key: str) -> dict[str, object]:
        changed = self._layout.instances.stat().st_mtime_ns
        if changed != self._read:
            self._read = changed
            listed = seed.with_ids(seed.load(self._layout.instances))
            self._stopped = {
                name
                for name, instance in listed.items()
                if instance.behaviour == seed.STOPPED
            }
        return {
            'id': key,
            'name': key,
            # Trove's word, and what it shows for a server that is gone.
            'status': 'SHUTDOWN' if key in self._stopped else 'ACTIVE',
            'addresses': {},
            'flavor': {'id': '1'},
            'links': [],
            'metadata': {},
        }

    def _object_store(
        self, method: str, rest: str, environ: _Environ
    ) -> Answer:
        # v1/AUTH_project[/container[/object]]
        names = [name for name in rest.split('/', 3)[1:] if name]
        path = self._layout.objects.joinpath(*map(_file_name, names))
        match names:
            case [_] if method in ('GET', 'HEAD'):
                return _listing(path)
            case [_, _]:
                return _container(method, path)
            case [_, _, _]:
                # Also when it was sent in chunks: waitress has put the
                # pieces together, and the length is of the whole.
                length = int(environ.get('CONTENT_LENGTH') or 0)
                return _object(
                    method, path, environ['wsgi.input'].read(length)
                )
        return _not_found()


def _nothing(parts: list[str]) -> Answer:
    """Answer as a service that has nothing of any kind."""
    return _json({parts[0]: []}) if len(parts) == 1 else _not_found()


def _file_name(name: str) -> str:
    quoted = urllib.parse.quote(name, safe='')
    # Quoting leaves dots alone.
    return quoted.replace('.', '%2E') if quoted in ('.', '..') else quoted


def _listing(path: pathlib.Path) -> Answer:
    entries = sorted(path.iterdir()) if path.is_dir() else []
    return _json(
        [
            {
                'name': urllib.parse.unquote(entry.name),
                'bytes': entry.stat().st_size,
            }
            for entry in entries
        ]
    )


def _container(method: str, path: pathlib.Path) -> Answer:
    if method in ('PUT', 'POST'):
        path.mkdir(parents=True, exist_ok=True)
        return Answer('201 Created')
    if not path.is_dir():
        return _not_found()
    if method == 'DELETE':
        shutil.rmtree(path)
        return Answer('204 No Content')
    return _listing(path)


def _object(method: str, path: pathlib.Path, data: bytes) -> Answer:
    if method == 'PUT' and path.parent.is_dir():
        path.write_bytes(data)
        return Answer('201 Created', headers={'ETag': _checksum(data)})
    if not path.is_file():
        return _not_found()
    if method == 'DELETE':
        path.unlink()
        return Answer('204 No Content')
    stored = path.read_bytes()
    return Answer('200 OK', stored, {'ETag': _checksum(stored)})


def _checksum(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


def main() -> None:
    """Serve."""
    layout = settings.Layout(child.begin())
    waitress.serve(
        StandIns(layout),
        host=settings.HOST,
        port=settings.ports(layout)['standins'],
        threads=8,
        # Trove lists the tag of every instance of a project in one URL.
        max_request_header_size=16 * 1024 * 1024,
    )


if __name__ == '__main__':
    main()
