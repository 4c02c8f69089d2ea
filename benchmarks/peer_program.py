"""Fetches files with a Python downloader, in the environment that ``peers.txt`` describes.

``python peer_program.py NAME < LIST``: ``LIST`` is JSON, an array of ``[url, path]``. It prints
the seconds that it took. The start of the interpreter and the imports are left out, which a
program that is started anew for each file would have to pay.
"""

from __future__ import annotations

import json
import logging
import sys
import time
from collections.abc import Callable
from pathlib import Path

Files = list[tuple[str, Path]]

CONNECTIONS = 16


def parfive() -> Callable[[Files], None]:
    from parfive import Downloader, SessionConfig

    def fetch(files: Files) -> None:
        downloader = Downloader(
            max_conn=CONNECTIONS,
            max_splits=CONNECTIONS if len(files) == 1 else 1,
            progress=False,
            config=SessionConfig(file_progress=False),
        )
        for url, path in files:
            downloader.enqueue_file(url, path=path.parent, filename=path.name)
        errors = downloader.download().errors
        if errors:
            raise RuntimeError(str(errors[0]))

    return fetch


def pypdl() -> Callable[[Files], None]:
    from pypdl import Pypdl

    def fetch(files: Files) -> None:
        is_one = len(files) == 1
        logger = logging.getLogger("pypdl")
        logger.setLevel(logging.ERROR)
        downloader = Pypdl(max_concurrent=1 if is_one else CONNECTIONS, logger=logger)
        downloader.start(
            tasks=[{"url": url, "file_path": str(path)} for url, path in files],
            multisegment=is_one,
            segments=CONNECTIONS,
            display=False,
        )
        if downloader.failed:
            raise RuntimeError(str(downloader.failed[0]))

    return fetch


def pooch() -> Callable[[Files], None]:
    import pooch as library

    library.get_logger().setLevel("WARNING")

    def fetch(files: Files) -> None:
        for url, path in files:
            library.retrieve(url, known_hash=None, fname=path.name, path=path.parent)

    return fetch


def requests() -> Callable[[Files], None]:
    import requests as library

    def fetch(files: Files) -> None:
        with library.Session() as session:
            for url, path in files:
                with session.get(url, stream=True) as response, path.open("wb") as file:
                    response.raise_for_status()
                    for chunk in response.iter_content(1 << 20):
                        file.write(chunk)

    return fetch


PEERS = {"parfive": parfive, "pypdl": pypdl, "pooch": pooch, "requests": requests}


def main(name: str) -> None:
    files = [(url, Path(path)) for url, path in json.load(sys.stdin)]
    fetch = PEERS[name]()
    begun = time.perf_counter()
    fetch(files)
    print(time.perf_counter() - begun)


if __name__ == "__main__":
    main(sys.argv[1])
