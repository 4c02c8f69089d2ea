"""Servers that take uploads: one that does what a test says, one that speaks the IETF draft, and
the reference tus server in Node.js."""

from __future__ import annotations

import contextlib
import re
import shutil
import socket
import ssl
import struct
import subprocess
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

TUS = Path(__file__).with_name("tus")
"""Holds ``package.json`` and the script; ``make setup`` installs what it needs there."""


@dataclass
class Exchange:
    """One request, and the connection on which to answer it. Bodies need a Content-Length."""

    connection: socket.socket
    number: int
    method: str
    target: str
    headers: dict[str, str]
    ahead: bytes
    body: bytearray = field(default_factory=bytearray)

    @property
    def length(self) -> int:
        return int(self.headers.get("content-length", "0"))

    def read(self, count: int | None = None) -> bytes:
        """Read so many bytes of the body, or the rest of it; fewer if the client hangs up."""
        left = self.length - len(self.body) if count is None else count
        got = bytearray()
        while left > 0:
            piece, self.ahead = self.ahead[:left], self.ahead[left:]
            piece = piece or self.connection.recv(min(left, 1 << 16))
            if not piece:
                break
            got += piece
            left -= len(piece)
        self.body += got
        return bytes(got)

    def head(self, status: str, **headers: object) -> None:
        lines = [f"HTTP/1.1 {status}"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        self.connection.sendall("\r\n".join([*lines, "", ""]).encode("latin-1"))

    def reply(self, status: str = "200 OK", content: bytes = b"", **headers: object) -> None:
        self.head(status, Content_Length=len(content), **headers)
        if self.method != "HEAD":
            self.connection.sendall(content)

    def reset(self) -> None:
        """Close with RST."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()


class UploadServer:
    """Hands each request to ``answer``; a thread a connection, requests one after the other."""

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        self._context = context
        self.answer: Callable[[Exchange], None] = take
        self.requests: list[Exchange] = []
        self._changed = threading.Condition()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.url = self.at("/data")

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def at(self, path: str, host: str = "localhost") -> str:
        return f"{'https' if self._context else 'http'}://{host}:{self.port}{path}"

    def of(self, method: str) -> list[Exchange]:
        """The requests of one method."""
        return [x for x in self.requests if x.method == method]

    def wait_for(self, holds: Callable[[], bool], timeout: float = 20) -> None:
        """Looks again after each request and each :meth:`moved`."""
        with self._changed:
            assert self._changed.wait_for(holds, timeout), [
                (x.method, x.target) for x in self.requests
            ]

    def moved(self) -> None:
        with self._changed:
            self._changed.notify_all()

    def pause(self, seconds: float) -> None:
        """Let the client wait for so long."""
        threading.Event().wait(seconds)

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            # Else the end of an answer waits for an acknowledgement, and is lost with a reset.
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _secured(self, connection: socket.socket) -> socket.socket:
        if self._context is None:
            return connection
        return self._context.wrap_socket(connection, server_side=True)

    def _serve(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError), self._secured(connection) as connection:
            data = b""
            while connection.fileno() >= 0:
                while b"\r\n\r\n" not in data:
                    more = connection.recv(65536)
                    if not more:
                        return
                    data += more
                head, _, data = data.partition(b"\r\n\r\n")
                first, *lines = head.decode("latin-1").split("\r\n")
                pairs = (line.partition(":") for line in lines)
                headers = {name.lower(): value.strip() for name, _, value in pairs}
                method, target, _ = first.split(" ")
                with self._changed:
                    number = len(self.requests) + 1
                    x = Exchange(connection, number, method, target, headers, data)
                    self.requests.append(x)
                    self._changed.notify_all()
                self.answer(x)
                if connection.fileno() >= 0:
                    x.read()
                    data = x.ahead


def take(x: Exchange) -> None:
    """Takes any upload, and knows no protocol to resume it."""
    if x.method == "OPTIONS":
        x.reply("405 Method Not Allowed")
        return
    x.read()
    x.reply("201 Created", b"thanks", Content_Type="text/plain")


class Draft:
    """A server of draft-ietf-httpbis-resumable-upload (interop version 6) for one upload.

    Each entry of ``faults`` deals with one PATCH in its own way; those after them are dealt with
    as they should be.
    """

    def __init__(self, limit: str = "max-size=1000000000") -> None:
        self.limit = limit
        self.faults: list[Callable[[Exchange], None]] = []
        self.data = bytearray()
        self.is_complete = False
        self.made = 0

    @property
    def location(self) -> str:
        return f"/uploads/{self.made}"

    def __call__(self, x: Exchange) -> None:
        if x.method == "OPTIONS":
            x.reply("204 No Content", Upload_Limit=self.limit)
        elif x.method in ("POST", "PUT"):
            assert x.headers["upload-complete"] == "?0"
            assert x.headers["upload-draft-interop-version"] == "6"
            x.read()
            self.made += 1
            self.data.clear()
            self.is_complete = False
            x.reply("201 Created", Location=self.location, Upload_Limit=self.limit)
        elif x.target != self.location:
            x.reply("404 Not Found")
        elif x.method == "HEAD":
            x.reply("204 No Content", **self._state())
        elif x.method == "PATCH":
            (self.faults.pop(0) if self.faults else self.append)(x)
        elif x.method == "DELETE":
            self.made += 1
            x.reply("204 No Content")

    def append(self, x: Exchange) -> None:
        if int(x.headers["upload-offset"]) != len(self.data):
            x.reply("409 Conflict", **self._state())
            return
        assert x.headers["content-type"] == "application/partial-upload"
        self.data += x.read()
        if x.headers["upload-complete"] == "?1":
            self.is_complete = True
            x.reply("200 OK", b"stored", Upload_Complete="?1")
        else:
            x.reply("204 No Content", **self._state())

    def cut_after(self, count: int) -> Callable[[Exchange], None]:
        """Take so many bytes of a PATCH, then lose the connection."""

        def fault(x: Exchange) -> None:
            self.data += x.read(count)
            x.reset()

        return fault

    def lose_answer(self, x: Exchange) -> None:
        """Take all of a PATCH, and lose the connection before the answer."""
        self.data += x.read()
        self.is_complete = True
        x.reset()

    def _state(self) -> dict[str, object]:
        complete = "?1" if self.is_complete else "?0"
        return {"Upload_Offset": len(self.data), "Upload_Complete": complete}


class TusServer:
    """The reference tus server, storing into ``folder``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = 0

    @staticmethod
    def missing() -> str | None:
        """Why it can't run here."""
        if shutil.which("node") is None:
            return "there is no node"
        if not (TUS / "node_modules" / "@tus" / "server").is_dir():
            return "the tus server is not installed: make setup"
        return None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.kill()

    def start(self) -> None:
        self.process = subprocess.Popen(
            ["node", str(TUS / "server.mjs"), str(self.folder), str(self.port)],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        match = re.fullmatch(r"listening on (\d+)\n", line)
        assert match is not None, line
        self.port = int(match[1])

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()

    @property
    def url(self) -> str:
        return f"http://localhost:{self.port}/files"

    def files(self) -> list[Path]:
        """The uploads that are there, whole or not."""
        return [p for p in self.folder.iterdir() if p.suffix != ".json"]
