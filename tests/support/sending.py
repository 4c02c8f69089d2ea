"""Units of work that send a file, and what came of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jupyter_bgdl.engine.protocol import Attempt, Ending, Source, Upload


def source_of(path: Path) -> Source:
    """The file as it is now."""
    status = path.stat()
    return Source(
        path=str(path),
        device=status.st_dev,
        inode=status.st_ino,
        size=status.st_size,
        modified=status.st_mtime_ns,
    )


def begin(bench: Any, url: str, path: Path, method: str = "PUT", **fields: Any) -> Upload:
    """Hand an upload to the engine of a test bench."""
    bench.numbers += 1
    unit = Upload(
        attempt=Attempt(bench.task, bench.numbers),
        url=url,
        method=method,
        **{"source": source_of(path), **fields},
    )
    bench.engine.submit([unit])
    return unit


def ending(bench: Any, unit: Upload, timeout: float = 30) -> Any:
    """What the engine reported last of that upload."""
    return bench.wait(lambda r: r.attempt == unit.attempt and isinstance(r, Ending), timeout)


def send(bench: Any, url: str, path: Path, method: str = "PUT", **fields: Any) -> Any:
    """As :func:`begin`, to its end."""
    return ending(bench, begin(bench, url, path, method, **fields))
