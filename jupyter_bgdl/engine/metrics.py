"""Times what the requests of an attempt take, by httpcore's trace events.

A small file costs as little as its request, so nothing is computed until the attempt is over.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from typing import Any

import httpx

from jupyter_bgdl.engine.answer import Answer
from jupyter_bgdl.engine.network import Network
from jupyter_bgdl.engine.response import content_range
from jupyter_bgdl.model import TransactionMetrics

_MOST = 100
"""Transactions of an attempt that are kept, the newest."""

_MOMENTS = {
    "connection.connect_tcp.started": "connect_start",
    "connection.connect_tcp.complete": "connect_end",
    "connection.start_tls.started": "secure_connection_start",
    "connection.start_tls.complete": "secure_connection_end",
    "proxy.start_tls.started": "secure_connection_start",
    "proxy.start_tls.complete": "secure_connection_end",
    "http11.send_request_headers.started": "request_start",
    "http11.send_request_body.complete": "request_end",
    "http11.receive_response_headers.complete": "response_start",
    "http11.response_closed.started": "response_end",
}
"""Of a CONNECT and the request through it, the latter's come last and stay."""


_CONNECTED = ("connection.connect_tcp.complete", "connection.connect_tcp.failed")


class Transaction:
    """One request and its response, while they last."""

    def __init__(
        self,
        url: httpx.URL,
        method: str,
        network: Network | None = None,
        is_proxied: bool = False,
    ) -> None:
        """``network``: where names are resolved, if they are."""
        self._url = url
        self._method = method
        self._network = network
        self._is_proxied = is_proxied
        self._skew = time.time() - time.monotonic()
        self._moments = {"fetch_start": time.monotonic()}
        self._lookup: tuple[float, float] | None = None
        self._response: Answer | None = None
        self._remote: tuple[Any, ...] | None = None
        self._is_redirect = False
        self._sent = 0

    def trace(self, event: str, info: dict[str, Any]) -> None:
        """httpcore's ``trace`` extension."""
        moment = _MOMENTS.get(event)
        if moment is not None:
            self._moments[moment] = time.monotonic()
        if event in _CONNECTED and self._network is not None:
            self._lookup = self._network.lookup

    def counted(self, body: Iterable[bytes]) -> Iterator[bytes]:
        """The request's body, counted while it is sent."""
        for chunk in body:
            yield chunk
            self._sent += len(chunk)

    def answered(self, response: Answer, *, is_redirect: bool) -> None:
        """The head of the response is there, and its connection still open."""
        self._response = response
        self._is_redirect = is_redirect
        try:
            self._remote = response.extensions["network_stream"].get_extra_info("server_addr")
        except OSError:
            self._remote = None  # It is gone already.

    @property
    def remote_address(self) -> str | None:
        """The server's, or the proxy's, in numbers."""
        return self._remote[0] if self._remote else None

    def metrics(self) -> TransactionMetrics:
        moments = dict(self._moments)
        if self._lookup is not None:
            moments["domain_lookup_start"], moments["domain_lookup_end"] = self._lookup
            moments["connect_start"] = self._lookup[1]
        is_reused = "connect_start" not in moments and "request_start" in moments
        if "secure_connection_end" in moments:
            moments["connect_end"] = moments["secure_connection_end"]
        response, remote, found, version = self._response, self._remote or (None, None), None, None
        received = 0
        if response is not None:
            received = response.num_bytes_downloaded + response.extensions.get("drained", 0)
            version = "h2" if response.http_version == "HTTP/2" else response.http_version.lower()
            if response.status_code == 206:
                found = content_range(response.headers)
        return TransactionMetrics(
            url=str(self._url),
            method=self._method,
            status_code=response.status_code if response is not None else None,
            network_protocol_name=version,
            is_reused_connection=is_reused,
            is_proxy_connection=self._is_proxied,
            is_redirect=self._is_redirect,
            segment=(found.start, found.end) if found is not None else None,
            count_of_response_body_bytes_received=received,
            count_of_request_body_bytes_sent=self._sent,
            remote_address=remote[0],
            remote_port=remote[1],
            **{name: round(moment + self._skew, 6) for name, moment in moments.items()},
        )


class Collector:
    """The transactions of one attempt. May be added to from several threads."""

    def __init__(self) -> None:
        self._transactions: list[Transaction] = []

    def add(self, transaction: Transaction) -> None:
        self._transactions.append(transaction)
        if len(self._transactions) > 2 * _MOST:
            del self._transactions[:-_MOST]

    def __iter__(self) -> Iterator[TransactionMetrics]:
        """The newest, in the order in which they began."""
        for transaction in self._transactions[-_MOST:]:
            yield transaction.metrics()
