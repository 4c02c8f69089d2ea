"""What is downloaded: a file of ours from a slow server on loopback, or whatever URL is given."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from demo.fileserver import FileServer


@dataclass(frozen=True)
class Source:
    """A URL and, if it is known, the digest (hex) of what is there."""

    url: str
    sha256: str | None

    @property
    def environment(self) -> dict[str, str]:
        """Tells ``notebooks/quickstart.ipynb`` what to fetch."""
        checksum = {"QUICKSTART_CHECKSUM": f"sha256:{self.sha256}"} if self.sha256 else {}
        return {"QUICKSTART_URL": self.url, **checksum}


def parse_arguments(description: str) -> Namespace:
    parser = ArgumentParser(description=description)
    parser.add_argument("--url", help="download this (http or https) instead of a file of ours")
    parser.add_argument("--sha256", help="the digest that the file at --url must have")
    arguments = parser.parse_args()
    if arguments.sha256 and not arguments.url:
        parser.error("--sha256 goes with --url")
    return arguments


@contextmanager
def open_source(arguments: Namespace, *, size: int, rate: float) -> Iterator[Source]:
    """The source that was asked for; ours has ``size`` bytes and sends ``rate`` bytes a second."""
    if arguments.url:
        yield Source(arguments.url, arguments.sha256)
        return
    with FileServer(size, rate) as files:
        yield Source(files.url, files.content.sha256)
