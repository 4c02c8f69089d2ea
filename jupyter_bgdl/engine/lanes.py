"""Kept-alive connections for many small files.

httpx makes the first contact with an origin, and asks for whatever is not plain. Once the origin
has answered in HTTP/1.1, the next plain requests on the same terms go over a lane: it takes a
third of the time that httpx does, and for small files that time is all there is.

An answer that a lane does not understand is not taken from here: the connection is dropped and
httpx asks again, so that there is one place that knows what to do. Each file would be asked for
twice where every answer is so; such an origin gets no lane for a while.
"""

from __future__ import annotations

import threading
import time

import httpx

from jupyter_bgdl.engine.lane import Lane, LaneAnswer, NotPlain, Origin, Trace, request
from jupyter_bgdl.engine.lifeline import Lifeline

_IDLE = 4.0
"""Seconds that a connection is kept; servers hang up after five at the earliest, as a rule."""
_MOST = 32
"""Idle connections kept in all."""
_VALID = 60.0
"""Seconds for which an address stands for its name, and after which an origin that did not answer
plainly may do so again."""
_PATIENCE = 5.0
"""Seconds at most that a connection may take: httpx has more, and other addresses to try."""


class Lanes:
    """What the transfers of a worker share. Any thread may call."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._addresses: dict[Origin, tuple[str, float]] = {}
        """With the time until which it is valid, by the monotonic clock."""
        self._odd: dict[Origin, float] = {}
        """Until when there is no lane to it."""
        self._idle: list[Lane] = []

    def learn(self, origin: Origin, address: str) -> None:
        """The origin gave a file, plainly and in HTTP/1.1, from this address."""
        with self._lock:
            if origin not in self._odd:
                self._addresses[origin] = (address, time.monotonic() + _VALID)

    def _forget(self, origin: Origin, *, is_odd: bool) -> None:
        """It does not answer now, or not plainly: httpx has to make contact again."""
        with self._lock:
            self._addresses.pop(origin, None)
            if is_odd:
                self._odd[origin] = time.monotonic() + _VALID

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
            asked = request(url, headers)
        except NotPlain:
            return None
        try:
            lane = self._take(origin, min(timeout, _PATIENCE), trace)
        except OSError:
            self._forget(origin, is_odd=False)
            return None
        if lane is None:
            return None
        lifeline.lend(lane.plain)
        try:
            answer = lane.get(url, asked, trace)
        except (OSError, NotPlain) as error:
            lifeline.give_back(lane.plain)
            lane.close()
            self._forget(origin, is_odd=isinstance(error, NotPlain))
            return None
        answer.on_close = lambda is_free: self._end(lane, lifeline, is_free)
        return answer

    def sweep(self) -> None:
        """Close what was not used for a while, and look at what is known of origins anew; to be
        called now and then."""
        now = time.monotonic()
        latest = now - _IDLE
        with self._lock:
            self._addresses = {o: known for o, known in self._addresses.items() if known[1] > now}
            self._odd = {o: until for o, until in self._odd.items() if until > now}
            old = [lane for lane in self._idle if lane.used < latest]
            self._idle = [lane for lane in self._idle if lane.used >= latest]
        for lane in old:
            lane.close()

    def _take(self, origin: Origin, timeout: float, trace: Trace) -> Lane | None:
        with self._lock:
            known = self._addresses.get(origin)
        if known is None:
            return None
        while (lane := self._idle_to(origin)) is not None:
            if lane.is_quiet:
                return lane
            lane.close()
        trace("connection.connect_tcp.started", {})
        lane = Lane(origin, known[0], timeout)
        trace("connection.connect_tcp.complete", {})
        return lane

    def _idle_to(self, origin: Origin) -> Lane | None:
        with self._lock:
            for lane in reversed(self._idle):
                if lane.origin == origin:
                    self._idle.remove(lane)
                    return lane
        return None

    def _end(self, lane: Lane, lifeline: Lifeline, is_free: bool) -> None:
        """Nobody cuts the connection off any more, and the next request may have it."""
        lifeline.give_back(lane.plain)
        lane.used = time.monotonic()
        with self._lock:
            if is_free and len(self._idle) < _MOST:
                self._idle.append(lane)
                return
        lane.close()
