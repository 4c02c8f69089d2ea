"""An HTTP file server in a thread that counts what it sends and can be held, throttled or cut.

It stands where a data archive stands: real sockets, RFC 9110 ranges and validators. Content is
deterministic (:func:`content`), so that every byte can be checked without keeping a copy.
"""

from __future__ import annotations

import hashlib
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

_CHUNK = 64 * 1024


def content(size: int, seed: int = 0) -> bytes:
    """``size`` bytes that repeat nowhere within a MiB and differ by ``seed``."""
    block = b"".join(
        hashlib.sha256(f"{seed}/{index}".encode()).digest() for index in range(32 * 1024)
    )
    out = bytearray((block * (size // len(block) + 1))[:size])
    for start in range(0, size, len(block)):
        mark = start.to_bytes(8, "big")
        out[start : start + 8] = mark[: max(0, min(8, size - start))]
    return bytes(out)


@dataclass
class Resource:
    """One path of the server and how it behaves; change it while it is being served."""

    body: bytes
    etag: str | None = '"1"'
    content_type: str = "application/octet-stream"
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    ranges: bool = True
    rate: float | None = None
    """Bytes a second and connection; None: as fast as it goes."""
    before_headers: threading.Event | None = None
    """Nothing is answered until it is set."""
    hold_at: int | None = None
    """Absolute offset at which the body stops; move it with :meth:`FileServer.hold`."""
    requests: list[dict[str, str]] = field(default_factory=list)
    """Headers of the requests that came, lower-cased, in order."""
    sent: int = 0
    """Body bytes that were handed to the network, over all requests."""
    spans: list[list[int]] = field(default_factory=list)
    """``[start, end)`` of what was sent in each response with a body, in order."""
    reached: int = 0
    """Highest absolute offset that was sent."""

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.body).hexdigest()


class FileServer:
    """``with FileServer() as server: url = server.add("a.bin", content(10**6))``"""

    def __init__(self, interface: str = "127.0.0.1", port: int = 0) -> None:
        self.resources: dict[str, Resource] = {}
        self.changed = threading.Condition()
        self.interface = interface
        self._server = _Server(self, port)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self.port: int = self._server.server_address[1]

    def __enter__(self) -> FileServer:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        for name, resource in self.resources.items():
            self.hold(name[1:], None)
            if resource.before_headers:
                resource.before_headers.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def add(self, name: str, body: bytes, **behaviour: object) -> str:
        self.resources["/" + name] = Resource(body, **behaviour)  # type: ignore[arg-type]
        return self.url(name)

    def __getitem__(self, name: str) -> Resource:
        return self.resources["/" + name]

    def url(self, name: str) -> str:
        return f"http://{self.interface}:{self.port}/{name}"

    def wait_for(self, condition: Callable[[], bool], timeout: float = 30.0) -> None:
        """Until ``condition`` holds; it is looked at after every request and chunk."""
        with self.changed:
            assert self.changed.wait_for(condition, timeout), "the file server saw nothing of it"

    def hold(self, name: str, at: int | None) -> None:
        """Let the body of ``name`` go on as far as ``at``; None: to its end."""
        with self.noting():
            self[name].hold_at = at

    @contextmanager
    def noting(self) -> Iterator[None]:
        with self.changed:
            yield
            self.changed.notify_all()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, owner: FileServer, port: int) -> None:
        self.owner = owner
        super().__init__((owner.interface, port), _Handler)

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that goes away is what these tests are about."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def log_message(self, *args: object) -> None:
        """Quiet."""

    def do_GET(self) -> None:
        owner = self.server.owner
        resource = owner.resources.get(urlsplit(self.path).path)
        if resource is None:
            return self._answer(404, b"no such file")
        with owner.noting():
            resource.requests.append({k.lower(): v for k, v in self.headers.items()})
        if resource.before_headers:
            resource.before_headers.wait(60)
        if resource.status != 200:
            return self._answer(resource.status, resource.body, resource.headers)
        if resource.etag is not None and self.headers.get("If-None-Match") == resource.etag:
            self.send_response(304)
            self.send_header("ETag", resource.etag)
            return self.end_headers()
        self._send(resource)

    def _answer(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _send(self, resource: Resource) -> None:
        total, start = len(resource.body), 0
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        condition = self.headers.get("If-Range")
        end = total
        partial = bool(resource.ranges and asked and condition in (None, resource.etag))
        if partial:
            assert asked
            start = int(asked[1])
            end = min(total, int(asked[2]) + 1) if asked[2] else total
            if start >= total:
                return self._answer(416, b"", {"Content-Range": f"bytes */{total}"})
        self.send_response(206 if partial else 200)
        self.send_header("Content-Type", resource.content_type)
        self.send_header("Content-Length", str(end - start))
        if resource.ranges:
            self.send_header("Accept-Ranges", "bytes")
        if partial:
            self.send_header("Content-Range", f"bytes {start}-{end - 1}/{total}")
        if resource.etag:
            self.send_header("ETag", resource.etag)
        for name, value in resource.headers.items():
            self.send_header(name, value)
        self.end_headers()
        self._body(resource, start, end)

    def _body(self, resource: Resource, position: int, end: int) -> None:
        owner, begun = self.server.owner, time.monotonic()
        span = [position, position]
        with owner.noting():
            resource.spans.append(span)
        while position < end:
            chunk = min(_CHUNK, end - position)
            with owner.noting():
                while (held := resource.hold_at) is not None and held <= position:
                    owner.changed.wait(60)
            if held is not None:
                chunk = min(chunk, held - position)
            self.wfile.write(resource.body[position : position + chunk])
            position += chunk
            with owner.noting():
                span[1] = position
                resource.sent += chunk
                resource.reached = max(resource.reached, position)
            if resource.rate:
                ahead = (position - span[0]) / resource.rate - (time.monotonic() - begun)
                if ahead > 0:
                    time.sleep(ahead)
