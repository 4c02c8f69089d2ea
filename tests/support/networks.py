"""A network of a test's own: a namespace with nothing but loopback, and rules for it."""

from __future__ import annotations

import ctypes
import itertools
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from support.disks import need, run

_numbers = itertools.count(1)


class Network:
    """``Station(home, prefix=network.prefix)`` runs in it. Servers there need :meth:`inside`."""

    def __init__(self) -> None:
        need("ip", "nft")
        self.name = f"bgdl-{os.getpid()}-{next(_numbers)}"
        self.prefix = ["ip", "netns", "exec", self.name]

    def __enter__(self) -> Network:
        try:
            run("ip", "netns", "add", self.name)
        except OSError as error:
            pytest.skip(f"cannot make a network: {error}")
        self.up()
        self.nft("add table inet faults")
        self.nft("add chain inet faults in { type filter hook input priority 0 ; }")
        return self

    def __exit__(self, *exc: object) -> None:
        run("ip", "netns", "delete", self.name)

    def run(self, *command: str) -> None:
        """Run a program of the system in it."""
        run(*self.prefix, *command)

    def up(self) -> None:
        run(*self.prefix, "ip", "link", "set", "lo", "up")

    def down(self) -> None:
        """The cable is out: no address answers, no route is there."""
        run(*self.prefix, "ip", "link", "set", "lo", "down")

    def nft(self, command: str) -> None:
        run(*self.prefix, "nft", command)

    def drop(self, port: int) -> None:
        """A black hole: packets to and from this port vanish, and nobody says so."""
        for side in ("dport", "sport"):
            self.nft(f"add rule inet faults in tcp {side} {port} drop")

    def heal(self) -> None:
        self.nft("flush chain inet faults in")

    @contextmanager
    def inside(self) -> Iterator[None]:
        """The calling thread makes its sockets in there."""
        libc = ctypes.CDLL(None, use_errno=True)
        with Path("/proc/thread-self/ns/net").open() as home, self.path.open() as there:
            assert libc.setns(there.fileno(), 0) == 0, os.strerror(ctypes.get_errno())
            try:
                yield
            finally:
                assert libc.setns(home.fileno(), 0) == 0

    @property
    def path(self) -> Path:
        """For ``setns``."""
        return Path("/run/netns") / self.name
