"""A server that gives ranges, slowly, and can be told where to go wrong."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Ranged:
    """Answers one request after the other of each connection at ``rate`` bytes a second."""

    body: bytes
    etag: str | None = '"one"'
    rate: float = 4e6
    heeds_if_range: bool = True
    extra: dict[str, object] = field(default_factory=dict)
    """More headers."""
    open: int = 0
    most: int = 0
    """Connections at once."""
    spans: list[tuple[int, int]] = field(default_factory=list)
    """What was asked for."""
    lock: threading.Lock = field(default_factory=threading.Lock)

    def span(self, x: Any) -> tuple[int, int]:
        first, _, last = x.headers.get("range", "bytes=0-")[6:].partition("-")
        return int(first), min(int(last or len(self.body)) + 1, len(self.body))

    def is_ranged(self, x: Any) -> bool:
        fits = not self.heeds_if_range or x.headers.get("if-range", self.etag) == self.etag
        return "range" in x.headers and fits

    def __call__(self, x: Any) -> None:
        with self.counted():
            start, end = self.begin(x)
            self.stream(x, start, end)

    def begin(self, x: Any, **changes: object) -> tuple[int, int]:
        """Send the head. Returns what to send."""
        start, end = self.span(x)
        with self.lock:
            self.spans.append((start, end))
        headers: dict[str, object] = {"Accept_Ranges": "bytes"} | self.extra
        if self.etag:
            headers["ETag"] = self.etag
        if not self.is_ranged(x):
            x.head("200 OK", Content_Length=len(self.body), **(headers | changes))
            return 0, len(self.body)
        headers["Content_Range"] = f"bytes {start}-{end - 1}/{len(self.body)}"
        headers["Content_Length"] = end - start
        x.head("206 Partial Content", **(headers | changes))
        return start, end

    def stream(self, x: Any, start: int, end: int) -> None:
        step = max(1, int(self.rate / 50))
        begun, at = time.monotonic(), start
        while at < end:
            x.send(self.body[at : min(at + step, end)])
            at += step
            time.sleep(max(0.0, (at - start) / self.rate - (time.monotonic() - begun)))

    @contextmanager
    def counted(self) -> Iterator[int]:
        """How many connections there are, this one included."""
        with self.lock:
            self.open += 1
            self.most = max(self.most, self.open)
            count = self.open
        try:
            yield count
        finally:
            with self.lock:
                self.open -= 1


def on_segments(good: Ranged, bad: Callable[[Any], None]) -> Callable[[Any], None]:
    """``good`` answers the first request, ``bad`` those for a range."""

    def answer(x: Any) -> None:
        if "range" in x.headers:
            bad(x)
        else:
            good(x)

    return answer
