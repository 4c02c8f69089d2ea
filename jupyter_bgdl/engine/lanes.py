"""Kept-alive connections for many small files.

httpx makes the first contact with an origin, and asks for whatever is not plain. Once the origin
has answered in HTTP/1.1, the next plain requests on the same terms go over a lane: it takes a
third of the time that httpx does, and for small files that time is all there is.

An answer that a lane does not understand is not taken from here: the connection is dropped and
httpx asks again, so that there is one place that knows what to do.
"""

from __future__ import annotations

import threading
import time

import httpx

from jupyter_bgdl.engine.lane import Lane, LaneAnswer, NotPlain, Origin, Trace
from jupyter_bgdl.engine.lifeline import Lifeline

_IDLE = 4.0
"""Seconds that a connection is kept; servers hang up after five at the earliest, as a rule."""
_MOST = 32
"""Idle connections kept in all."""


class Lanes:
    """What the transfers of a worker share. Any thread may call."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._addresses: dict[Origin, str] = {}
        self._idle: list[Lane] = []

    def learn(self, origin: Origin, address: str) -> None:
        """The origin gave a file in HTTP/1.1 from this address."""
        with self._lock:
            self._addresses[origin] = address

    def _forget(self, origin: Origin) -> None:
        """It does not answer plainly, at least not now: httpx has to make contact again."""
        with self._lock:
            self._addresses.pop(origin, None)

    def get(
        self,
        url: httpx.URL,
        headers: dict[str, str],
        origin: Origin,
        timeout: float,
        lifeline: Lifeline,
        trace: Trace,
    ) -> LaneAnswer | None:
        """The answer to a GET; None: httpx has to ask. ``timeout`` is that of connecting."""
        try:
            lane = self._take(origin, timeout, trace)
        except OSError:
            return None
        if lane is None:
            return None
        lifeline.lend(lane.plain)
        try:
            answer = lane.get(url, headers, trace)
        except (OSError, NotPlain):
            lifeline.give_back(lane.plain)
            lane.close()
            self._forget(origin)
            return None
        answer.on_close = lambda is_free: self._end(lane, lifeline, is_free)
        return answer

    def sweep(self) -> None:
        """Close what was not used for a while; to be called now and then."""
        latest = time.monotonic() - _IDLE
        with self._lock:
            old = [lane for lane in self._idle if lane.used < latest]
            self._idle = [lane for lane in self._idle if lane.used >= latest]
        for lane in old:
            lane.close()

    def _take(self, origin: Origin, timeout: float, trace: Trace) -> Lane | None:
        with self._lock:
            address = self._addresses.get(origin)
            if address is None:
                return None
            for lane in reversed(self._idle):
                if lane.origin == origin:
                    self._idle.remove(lane)
                    return lane
        trace("connection.connect_tcp.started", {})
        lane = Lane(origin, address, timeout)
        trace("connection.connect_tcp.complete", {})
        return lane

    def _end(self, lane: Lane, lifeline: Lifeline, is_free: bool) -> None:
        """Nobody cuts the connection off any more, and the next request may have it."""
        lifeline.give_back(lane.plain)
        lane.used = time.monotonic()
        with self._lock:
            if is_free and len(self._idle) < _MOST:
                self._idle.append(lane)
                return
        lane.close()
