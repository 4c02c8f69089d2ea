"""A slow file server on loopback: it stands in for a data archive, so that no internet is needed.

It answers ``GET`` and ``HEAD`` with ranges, a strong ETag and a length (RFC 9110, sections 8.8.3
and 14), and sends at most so many bytes a second on each connection.
"""

from __future__ import annotations

import hashlib
import random
import re
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType

BLOCK = 1 << 20
CHUNK = 1 << 16


class Content:
    """``size`` bytes that are the same each time and of which no two MiB are equal."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._noise = random.Random(size).randbytes(BLOCK)  # noqa: S311 (content, not a secret)

    def read(self, start: int, end: int) -> bytes:
        """The bytes ``[start, end)``, which lie within one block or across two."""
        out = bytearray()
        while start < end:
            index, offset = divmod(start, BLOCK)
            block = index.to_bytes(8, "big") + self._noise[8:]
            out += block[offset : offset + end - start]
            start = min(end, (index + 1) * BLOCK)
        return bytes(out)

    @property
    def sha256(self) -> str:
        digest = hashlib.sha256()
        for start in range(0, self.size, BLOCK):
            digest.update(self.read(start, min(self.size, start + BLOCK)))
        return digest.hexdigest()


class FileServer:
    """Serves one file under ``url`` for as long as the ``with`` block lasts.

    ``size`` is in bytes, ``rate`` in bytes a second.
    """

    def __init__(self, size: int, rate: float, name: str = "measurements.bin") -> None:
        self.content = Content(size)
        self.rate = rate
        self.name = name
        self.etag = f'"{self.content.sha256[:16]}"'
        self.closing = threading.Event()
        self._server = _Server(self)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/{self.name}"

    def __enter__(self) -> FileServer:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, files: FileServer) -> None:
        self.files = files
        super().__init__(("127.0.0.1", 0), _Handler)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def log_message(self, format: str, *args: object) -> None:
        """The demo's own lines are the log."""

    def do_HEAD(self) -> None:
        self._head()

    def do_GET(self) -> None:
        span = self._head()
        if span is not None:
            self._body(*span)

    def _head(self) -> tuple[int, int] | None:
        """Send the head; the bytes to send after it, or None if there are none."""
        files = self.server.files
        if self.path != f"/{files.name}":
            self.send_response(404)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return None
        size = files.content.size
        start, end = 0, size
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        # A changed validator means the whole file (RFC 9110, 13.1.5).
        if asked and self.headers.get("If-Range", files.etag) == files.etag:
            start = int(asked[1])
            end = min(size, int(asked[2]) + 1) if asked[2] else size
            if start >= end:
                self.send_response(416)
                self.send_header("Content-Range", f"bytes */{size}")
                self.send_header("Content-Length", "0")
                self.end_headers()
                return None
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{end - 1}/{size}")
        else:
            self.send_response(200)
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Type", "application/octet-stream")
        self.send_header("Content-Length", str(end - start))
        self.send_header("ETag", files.etag)
        self.send_header("Connection", "close")  # a body may be cut short
        self.end_headers()
        return start, end

    def _body(self, start: int, end: int) -> None:
        files, begun = self.server.files, time.monotonic()
        try:
            for position in range(start, end, CHUNK):
                self.wfile.write(files.content.read(position, min(end, position + CHUNK)))
                ahead = (position - start) / files.rate - (time.monotonic() - begun)
                if ahead > 0 and files.closing.wait(ahead):
                    break
        except ConnectionError:
            pass  # The client went away, as it may.
