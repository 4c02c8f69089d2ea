"""A name server of a test's own, in a network of its own, which changes its mind."""

from __future__ import annotations

import itertools
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from ipaddress import ip_address
from pathlib import Path

from support.networks import Network

_A, _AAAA = 1, 28


class NameServer:
    """``names["a.test"] = [["127.0.0.1"], ["127.0.0.2"]]``: the first question is answered with
    the first list, the next with the second, and so on in a circle (RFC 1035). An IPv6 address
    makes an AAAA record. Other names do not exist."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self._answers: dict[str, Iterator[list[str]]] = {}
        self._current: dict[str, list[str]] = {}
        self.asked: list[str] = []
        """Names, one for each question for an address of either kind."""

    def __setitem__(self, name: str, answers: list[list[str]]) -> None:
        self._answers[name] = itertools.cycle(answers)

    def __enter__(self) -> NameServer:
        with self._network.inside():
            self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self._socket.bind(("127.0.0.1", 53))
        self._home = Path("/etc/netns") / self._network.name
        self._home.mkdir(parents=True)
        (self._home / "resolv.conf").write_text("nameserver 127.0.0.1\noptions timeout:1\n")
        threading.Thread(target=self._serve, daemon=True).start()
        return self

    def __exit__(self, *exc: object) -> None:
        (self._home / "resolv.conf").unlink()
        self._home.rmdir()
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                query, client = self._socket.recvfrom(512)
                if not query:
                    return
                self._socket.sendto(self._answer(query), client)

    def _answer(self, query: bytes) -> bytes:
        labels, at = [], 12
        while query[at]:
            labels.append(query[at + 1 : at + 1 + query[at]].decode().lower())
            at += 1 + query[at]
        question = query[12 : at + 5]
        kind, name = int.from_bytes(query[at + 1 : at + 3], "big"), ".".join(labels)
        if name not in self._answers:
            return query[:2] + b"\x81\x83" + query[4:6] + bytes(6) + question
        if kind == _A:  # The resolver asks for both kinds, for this one first.
            self.asked.append(name)
            self._current[name] = next(self._answers[name])
        records = [
            ip_address(one)
            for one in self._current.get(name, [])
            if (":" in one) == (kind == _AAAA)
        ]
        body = b"".join(
            b"\xc0\x0c"
            + kind.to_bytes(2, "big")
            + b"\x00\x01"
            + bytes(4)
            + len(record.packed).to_bytes(2, "big")
            + record.packed
            for record in records
        )
        counts = b"\x00\x01" + len(records).to_bytes(2, "big") + bytes(4)
        return query[:2] + b"\x81\x80" + counts + question + body
