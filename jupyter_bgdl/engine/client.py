"""Asks for a resource: TLS, proxy, redirects, and a way to cut the connection off.

Redirects are followed here and not by httpx, because every header that the person gave has to
stay with the origin it was given for (httpx 0.28 forwards all but ``Authorization``).
"""

from __future__ import annotations

import errno
import functools
import os
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.request import getproxies, proxy_bypass

import httpx

from jupyter_bgdl.engine.outcomes import Abort
from jupyter_bgdl.engine.protocol import Fetch

MAXIMUM_HOPS = 20
_REDIRECTS = (301, 302, 303, 307, 308)
_OURS = {
    "host",
    "range",
    "if-range",
    "accept-encoding",
    "connection",
    "content-length",
    "transfer-encoding",
    "te",
    "upgrade",
}
"""Headers that the engine decides."""


class Lifeline:
    """Duplicates of the sockets in use, through which another thread can cut them off.

    The shutdown goes to the plain socket. On an SSLSocket it would drop the TLS object, and the
    reader would take ciphertext for the body.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sockets: list[socket.socket] = []
        self._is_cut = False

    def trace(self, event: str, info: dict[str, Any]) -> None:
        """httpcore's ``trace`` extension: sees a connection before anything is sent on it."""
        if event.endswith("connect_tcp.complete"):
            connection = info["return_value"].get_extra_info("socket")
            with self._lock:
                self._sockets.append(socket.socket(fileno=os.dup(connection.fileno())))
                if self._is_cut:
                    self._shutdown()

    def cut(self) -> None:
        """End every read and write, now and later. May be called from any thread, repeatedly."""
        with self._lock:
            self._is_cut = True
            self._shutdown()

    def close(self) -> None:
        with self._lock:
            for connection in self._sockets:
                connection.close()
            self._sockets.clear()

    def _shutdown(self) -> None:
        for connection in self._sockets:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError as error:
                if error.errno != errno.ENOTCONN:
                    raise


@functools.lru_cache(maxsize=32)
def ssl_context(verify: bool, ca_bundle: str | None) -> ssl.SSLContext:
    """One context per setting for the whole process: making one costs 28 ms.

    Raises Abort if the bundle can't be read.
    """
    try:
        return httpx.create_ssl_context(
            verify=ssl.create_default_context(cafile=ca_bundle) if verify and ca_bundle else verify
        )
    except (OSError, ssl.SSLError) as error:
        raise Abort("tls", "the CA bundle can't be read") from error


class Asker:
    """Sends the requests of one attempt. Cookies that a host sets live as long as it."""

    def __init__(self, unit: Fetch, lifeline: Lifeline) -> None:
        self._unit = unit
        self._lifeline = lifeline
        self._origin, self._auth = _split(unit.url)
        try:
            self._client = httpx.Client(
                verify=ssl_context(unit.verify, unit.ca_bundle),
                proxy=unit.proxy,
                # The watch over the whole attempt ends what stalls; only connecting has its own.
                timeout=httpx.Timeout(None, connect=unit.timeout),
                headers={"User-Agent": "jupyter_bgdl", "Accept": "*/*"},
                event_hooks={"response": [_take_location]},
            )
        except ValueError as error:
            raise Abort("proxy", "the proxy's address is not valid") from error

    @contextmanager
    def get(self, extra: dict[str, str]) -> Iterator[httpx.Response]:
        """The response to the unit's request with ``extra`` headers, redirects followed.

        Raises Abort. The body is not read; it has to be before the context ends.
        """
        url, method = self._origin, self._unit.method
        for _ in range(MAXIMUM_HOPS + 1):
            response = self._send(url, method, extra)
            try:
                location = response.extensions.get("location")
                if response.status_code not in _REDIRECTS or location is None:
                    yield response
                    return
            finally:
                response.close()
            if response.status_code in (301, 302, 303) and method != "HEAD":
                method = "GET"
            url = self._target(url, location)
        raise Abort("redirect_loop", f"more than {MAXIMUM_HOPS} redirects")

    def close(self) -> None:
        self._client.close()

    def _send(self, url: httpx.URL, method: str, extra: dict[str, str]) -> httpx.Response:
        at_home = _same_origin(url, self._origin)
        given = self._unit.headers if at_home else {}
        headers = {name: value for name, value in given.items() if name.lower() not in _OURS}
        headers |= {"Accept-Encoding": "identity"} | extra
        with self._network_errors(url):
            request = self._client.build_request(
                method, url, headers=headers, extensions={"trace": self._lifeline.trace}
            )
            return self._client.send(
                request, stream=True, auth=self._auth if at_home else None, follow_redirects=False
            )

    def _target(self, url: httpx.URL, location: str) -> httpx.URL:
        try:
            target = url.join(location)
        except (httpx.InvalidURL, ValueError) as error:
            raise Abort("invalid_url", "redirected to an address that is not valid") from error
        if target.scheme not in ("http", "https"):
            raise Abort("redirect_scheme", f"redirected to {target.scheme[:20]}:")
        if not target.host:
            raise Abort("invalid_url", "redirected to an address without a host")
        if url.scheme == "https" and target.scheme == "http" and not self._unit.allow_downgrade:
            raise Abort("redirect_downgrade", f"redirected to plain http at {target.host}")
        return target.copy_with(username=None, password=None, fragment=None)

    @contextmanager
    def _network_errors(self, url: httpx.URL) -> Iterator[None]:
        try:
            yield
        except httpx.ProxyError as error:
            is_login = str(error).startswith("407")
            raise Abort(
                "proxy_authentication" if is_login else "proxy", self._proxy_name(url) or ""
            ) from error
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            abort = network_failure(error, url.host)
            proxy = self._proxy_name(url)
            if proxy and abort.code != "tls":
                abort = Abort("proxy", f"{proxy} does not answer")
            raise abort from error
        except (httpx.InvalidURL, UnicodeError, httpx.UnsupportedProtocol) as error:
            raise Abort("invalid_url") from error
        except httpx.TransportError as error:
            raise network_failure(error, url.host) from error

    def _proxy_name(self, url: httpx.URL) -> str | None:
        """Host and port of the proxy for this URL, without its credentials."""
        proxy = self._unit.proxy
        if proxy is None and not proxy_bypass(url.host):
            proxies = getproxies()
            proxy = proxies.get(url.scheme) or proxies.get("all")
        if proxy is None:
            return None
        address = httpx.URL(proxy)
        return f"proxy {address.host}:{address.port}" if address.port else f"proxy {address.host}"


def network_failure(error: BaseException, host: str = "") -> Abort:
    """What went wrong on the network, found in the chain of causes."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, socket.gaierror):
            away = cause.errno == socket.EAI_AGAIN
            return Abort("unreachable" if away else "name_not_resolved", host)
        if isinstance(cause, ssl.SSLCertVerificationError):
            return Abort("tls", f"{host}: {cause.verify_message}")
        if isinstance(cause, ssl.SSLEOFError | ssl.SSLZeroReturnError):
            return Abort("connection", host)
        if isinstance(cause, ssl.SSLError):
            return Abort("tls", f"{host}: {cause.reason or 'TLS failed'}")
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


def _take_location(response: httpx.Response) -> None:
    """Keep httpx from working the next request out: it fails on what is to be judged here."""
    if "location" in response.headers:
        response.extensions["location"] = response.headers.pop("location")


def _split(text: str) -> tuple[httpx.URL, httpx.Auth | None]:
    """The address without userinfo and fragment, and the userinfo as basic authentication."""
    try:
        url = httpx.URL(text)
    except (httpx.InvalidURL, ValueError) as error:
        raise Abort("invalid_url") from error
    if url.scheme not in ("http", "https") or not url.host:
        raise Abort("invalid_url", "only http and https addresses with a host can be fetched")
    auth = httpx.BasicAuth(url.username, url.password) if url.userinfo else None
    return url.copy_with(username=None, password=None, fragment=None), auth


def _same_origin(one: httpx.URL, other: httpx.URL) -> bool:
    return (one.scheme, one.host, _port(one)) == (other.scheme, other.host, _port(other))


def _port(url: httpx.URL) -> int:
    return url.port or (443 if url.scheme == "https" else 80)
