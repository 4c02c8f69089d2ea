"""How connections are made: TLS, proxy, and names that are resolved where it can be timed and their
addresses judged."""

from __future__ import annotations

import errno
import functools
import socket
import ssl
import time
from collections.abc import Callable, Iterable
from typing import Any
from urllib.request import getproxies, proxy_bypass

import httpcore
import httpx

from jupyter_bgdl.engine.network_policy import gate
from jupyter_bgdl.engine.outcomes import Abort
from jupyter_bgdl.engine.platform import is_crowded

LIKE_ANY = {"User-Agent": "jupyter_bgdl", "Accept": "*/*", "Accept-Encoding": "identity"}
"""Headers of every request."""


Judge = Callable[[str, Iterable[str]], list[str]]
"""Those of a host's addresses that may be connected to. Raises Abort if there is none."""


class Network(httpcore.NetworkBackend):
    """httpcore's, but the name is resolved here, once a connection: it has no trace event for that,
    and what was judged has to be what is connected to, whatever the name resolves to next."""

    def __init__(self, judge: Judge | None = None) -> None:
        """By default the process's policy judges."""
        self._judge = judge or gate().permitted
        self._backend = httpcore.SyncBackend()
        self.lookup: tuple[float, float] | None = None
        """When the newest look-up began and ended, by the monotonic clock."""

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        """The first allowed address that answers, in the resolver's order (RFC 6724). Raises
        Abort if none is allowed."""
        failure: httpcore.ConnectError | httpcore.ConnectTimeout | None = None
        for address in self._judge(host, self._resolve(host, port)):
            try:
                return self._backend.connect_tcp(
                    address, port, timeout, local_address, socket_options
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = failure or error
        raise failure or httpcore.ConnectError("the name has no address")

    def _resolve(self, host: str, port: int) -> list[str]:
        begun = time.monotonic()
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except OSError as error:
            raise httpcore.ConnectError(str(error)) from error
        finally:
            self.lookup = (begun, time.monotonic())
        return [_literal(address) for _, _, _, _, address in found]


class Client(httpx.Client):
    """For one thread at a time. Raises Abort if the proxy or the CA bundle is no good."""

    def __init__(
        self, *, verify: bool, ca_bundle: str | None, proxy: str | None, timeout: float
    ) -> None:
        """``timeout`` is that of connecting; what stalls later is ended by the watch over the
        whole attempt."""
        try:
            super().__init__(
                verify=ssl_context(verify, ca_bundle),
                proxy=proxy,
                timeout=httpx.Timeout(None, connect=timeout),
                headers=LIKE_ANY,
                event_hooks={"response": [take_location]},
            )
        except ValueError as error:
            raise Abort("proxy", "the proxy's address is not valid") from error
        self._direct = Network()
        # Where the administrator's proxies are is nobody else's business; one that a session
        # brings is an address as any other.
        is_own = proxy is not None and proxy not in _environments_proxies()
        self._to_proxy = Network(None if is_own else gate().reachable)
        # httpx hands no backend on to httpcore, and with a transport of one's own it would not
        # look at the environment's proxies.
        for transport in (self._transport, *self._mounts.values()):
            if isinstance(transport, httpx.HTTPTransport):
                is_direct = transport is self._transport
                transport._pool._network_backend = self._direct if is_direct else self._to_proxy

    def is_proxied(self, url: httpx.URL) -> bool:
        """Whether a proxy is asked for it."""
        return self._transport_for_url(url) is not self._transport

    def network_to(self, url: httpx.URL) -> Network:
        """By which its connection is made."""
        return self._to_proxy if self.is_proxied(url) else self._direct


@functools.cache
def _environments_proxies() -> frozenset[str]:
    """Their addresses. The environment stays as it was when the process started."""
    return frozenset(one if "://" in one else f"http://{one}" for one in getproxies().values())


@functools.lru_cache(maxsize=32)
def ssl_context(verify: bool, ca_bundle: str | None) -> ssl.SSLContext:
    """One context per setting for the whole process: making one costs 28 ms.

    Raises Abort if the bundle can't be read.
    """
    try:
        return httpx.create_ssl_context(
            verify=ssl.create_default_context(cafile=ca_bundle) if verify and ca_bundle else verify
        )
    except OSError as error:  # ssl.SSLError is one
        if is_crowded(error):
            raise Abort("no_descriptors") from error
        raise Abort("tls", "the CA bundle can't be read") from error


@functools.lru_cache(maxsize=256)
def proxy_name(proxy: str | None, scheme: str, host: str) -> str | None:
    """Host and port of the proxy on the way to ``host``, without its credentials; None: none.

    ``proxy`` is the configured one; without it, the environment's counts, which stays as it was
    when the process started.
    """
    if proxy is None and not proxy_bypass(host):
        proxies = getproxies()
        proxy = proxies.get(scheme) or proxies.get("all")
    if proxy is None:
        return None
    address = httpx.URL(proxy)
    return f"proxy {address.host}:{address.port}" if address.port else f"proxy {address.host}"


def network_failure(error: BaseException, host: str = "") -> Abort:
    """What went wrong on the network, found in the chain of causes."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, socket.gaierror):
            away = cause.errno in (socket.EAI_AGAIN, socket.EAI_MEMORY, socket.EAI_SYSTEM)
            return Abort("unreachable" if away else "name_not_resolved", host)
        if isinstance(cause, ssl.SSLCertVerificationError):
            return Abort("tls", f"{host}: {cause.verify_message}")
        if isinstance(cause, ssl.SSLEOFError | ssl.SSLZeroReturnError):
            return Abort("connection", host)
        if isinstance(cause, ssl.SSLError):
            return Abort("tls", f"{host}: {cause.reason or 'TLS failed'}")
        if isinstance(cause, OSError) and is_crowded(cause):
            return Abort("no_descriptors")
        if isinstance(cause, ConnectionRefusedError):
            return Abort("refused", host)
        if isinstance(cause, OSError) and cause.errno in (
            errno.ENETUNREACH,
            errno.EHOSTUNREACH,
            errno.ENETDOWN,
        ):
            return Abort("unreachable", host)
        cause = cause.__cause__ or cause.__context__
    if isinstance(error, httpx.ProtocolError) and "disconnected" not in str(error):
        return Abort("protocol", host)
    return Abort("connection", host)


def _literal(address: tuple[Any, ...]) -> str:
    """The numeric form of a socket address, with the zone of a link-local one."""
    host: str = address[0]
    return f"{host}%{address[3]}" if len(address) == 4 and address[3] and "%" not in host else host


def take_location(response: httpx.Response) -> None:
    """Keep httpx from working the next request out: it fails on what is to be judged here."""
    if "location" in response.headers:
        response.extensions["location"] = response.headers.pop("location")
