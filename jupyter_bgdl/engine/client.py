"""Asks for a resource: redirects, credentials, cookies.

Redirects are followed here and not by httpx, because every header that the person gave has to
stay with the origin it was given for (httpx 0.28 forwards all but ``Authorization``), and because
each hop has credentials of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx

from jupyter_bgdl.engine import redirects
from jupyter_bgdl.engine.answer import Answer
from jupyter_bgdl.engine.credentials import login_for
from jupyter_bgdl.engine.lane import Origin, is_plain
from jupyter_bgdl.engine.lanes import Lanes
from jupyter_bgdl.engine.lifeline import Lifeline
from jupyter_bgdl.engine.metrics import Collector, Transaction
from jupyter_bgdl.engine.network import LIKE_ANY, Client, network_failure, proxy_name
from jupyter_bgdl.engine.network_policy import gate
from jupyter_bgdl.engine.outcomes import Abort
from jupyter_bgdl.engine.protocol import Fetch, Upload

Body = Callable[[], Iterable[bytes]]
"""Opens what is sent, anew for each address that it is sent to."""

_EXPIRED = (400, 401, 403, 410)
"""What a signed address answers when its time is over: S3, GCS and Azure 403 or 400, others the
rest."""

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


class Asker:
    """Sends the requests of one attempt, one at a time. Cookies that a host sets live as long as
    it, and go back to that host alone (RFC 6265)."""

    def __init__(
        self,
        unit: Fetch | Upload,
        lifeline: Lifeline,
        collector: Collector | None = None,
        lanes: Lanes | None = None,
    ) -> None:
        """What the requests take is added to ``collector``; plain ones go through ``lanes``.
        Raises Abort."""
        self._unit = unit
        self._lifeline = lifeline
        self._collector = collector or Collector()
        self._home, self._auth = redirects.split(unit.url)
        self._has_login = any(name.lower() == "authorization" for name in unit.headers)
        self._was_secure = False
        self._may_resolve_again = True
        self._lanes = lanes
        self._client: Client | None = None

    @contextmanager
    def get(self, extra: dict[str, str]) -> Iterator[Answer]:
        """The response to a fetch's request with ``extra`` headers, redirects followed.

        An address that a redirect led to may have expired when a range of its file is asked for:
        then it is resolved again from the original one, once in an attempt (fault R5).

        Raises Abort. The body is not read; it has to be before the context ends.
        """
        assert isinstance(self._unit, Fetch)
        method = self._unit.method
        response = self._follow(method, self._home, extra, None)
        try:
            if self._has_expired(response, extra):
                self._may_resolve_again = False
                response.close()
                response = self._follow(method, self._home, extra, None)
            yield response
        finally:
            response.close()

    @contextmanager
    def ask(
        self, method: str, address: str, extra: dict[str, str], body: Body | None = None
    ) -> Iterator[httpx.Response]:
        """The response to any request, redirects followed.

        What the person gave is sent only to the origin of the unit's own address. ``extra`` wins
        over it, and names the body's Content-Length. Raises Abort. The response's body is not
        read; it has to be before the context ends.
        """
        response = self._follow(method, redirects.split(address)[0], extra, body)
        assert isinstance(response, httpx.Response)  # lanes are for GET alone
        try:
            yield response
        finally:
            response.close()

    def close(self) -> None:
        if self._client is not None:
            self._client.close()

    def _follow(
        self, method: str, url: httpx.URL, extra: dict[str, str], body: Body | None
    ) -> Answer:
        """The last response of the way; the caller closes it."""
        for _ in range(redirects.MAXIMUM_HOPS + 1):
            response = self._send(method, url, extra, None if body is None else body())
            if not redirects.leads_on(response):
                return response
            response.close()
            following = redirects.method_after(response.status_code, method)
            if following != method:
                method, body = following, None
                extra = {k: v for k, v in extra.items() if not k.lower().startswith("content-")}
            url = redirects.target(url, response, self._unit.allow_downgrade)
        raise Abort("redirect_loop", f"more than {redirects.MAXIMUM_HOPS} redirects")

    def _send(
        self,
        method: str,
        url: httpx.URL,
        extra: dict[str, str],
        body: Iterable[bytes] | None = None,
    ) -> Answer:
        """One request and its response; the caller closes it."""
        is_home = redirects.same_origin(url, self._home)
        ours = _OURS | {name.lower() for name in extra}
        given = self._unit.headers if is_home else {}
        headers = {name: value for name, value in given.items() if name.lower() not in ours}
        login = self._login(url, is_home)
        if method == "GET" and body is None and login is None:
            response = self._by_lane(url, headers | extra)
            if response is not None:
                return response
        cookie = _take(headers, "cookie")
        headers |= extra
        client = self._httpx()
        is_proxied = client.is_proxied(url)
        if is_proxied:
            gate().check_proxied(url.raw_host.decode("ascii"))
        transaction = Transaction(url, method, client.network_to(url), is_proxied)
        self._collector.add(transaction)
        content = None if body is None else transaction.counted(body)
        with self._network_errors(url):
            request = client.build_request(
                method,
                url,
                headers=headers,
                content=content,
                extensions={"trace": self._tracing(transaction)},
            )
            if cookie is not None:
                kept = request.headers.get("cookie")
                request.headers["Cookie"] = f"{cookie}; {kept}" if kept else cookie
            response = client.send(request, stream=True, auth=login, follow_redirects=False)
        transaction.answered(response, is_redirect=redirects.leads_on(response))
        if not is_proxied:
            self._learn(url, response, transaction)
        return response

    def _httpx(self) -> Client:
        """Made when it is needed: it takes as long as a small file does."""
        if self._client is None:
            unit = self._unit
            self._client = Client(
                verify=unit.verify, ca_bundle=unit.ca_bundle, proxy=unit.proxy, timeout=unit.timeout
            )
        return self._client

    def _learn(self, url: httpx.URL, response: Answer, transaction: Transaction) -> None:
        address = transaction.remote_address
        if (
            self._lanes is not None
            and address is not None
            and response.status_code in (200, 206)
            and response.http_version == "HTTP/1.1"
            and is_plain(response.headers)
        ):
            self._lanes.learn(self._origin(url), address)

    def _by_lane(self, url: httpx.URL, headers: dict[str, str]) -> Answer | None:
        """The response to a plain request, if there is a lane to its origin."""
        if self._lanes is None or (self._client is not None and self._client.cookies):
            return None
        if self._proxy_name(url) is not None:
            return None
        given = {name.lower() for name in headers}
        ours = {name: value for name, value in LIKE_ANY.items() if name.lower() not in given}
        transaction = Transaction(url, "GET")
        answer = self._lanes.get(
            url,
            ours | headers,
            self._origin(url),
            self._unit.timeout,
            self._lifeline,
            transaction.trace,
        )
        if answer is not None:
            self._collector.add(transaction)
            transaction.answered(answer, is_redirect=redirects.leads_on(answer))
        return answer

    def _origin(self, url: httpx.URL) -> Origin:
        unit = self._unit
        host = url.raw_host.decode("ascii")
        return Origin(url.scheme, host, redirects.port(url), unit.verify, unit.ca_bundle)

    def _tracing(self, transaction: Transaction) -> Callable[[str, dict[str, Any]], None]:
        def trace(event: str, info: dict[str, Any]) -> None:
            if event == "connection.connect_tcp.complete":
                self._lifeline.hold(info["return_value"].get_extra_info("socket"))
            transaction.trace(event, info)

        return trace

    def _has_expired(self, response: Answer, extra: dict[str, str]) -> bool:
        return (
            self._may_resolve_again
            and response.status_code in _EXPIRED
            and "Range" in extra
            and response.url != self._home
        )

    def _login(self, url: httpx.URL, is_home: bool) -> httpx.Auth | None:
        """What the person gave wins at its origin; elsewhere the netrc file has the word, but no
        password of it goes over plain http once the way was secure."""
        if is_home and (self._auth is not None or self._has_login):
            return self._auth
        self._was_secure = self._was_secure or url.scheme == "https"
        if self._was_secure and url.scheme == "http" and not is_home:
            return None
        return login_for(url.host, is_home=is_home)

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
        except (httpx.TransportError, OSError) as error:
            raise network_failure(error, url.host) from error

    def _proxy_name(self, url: httpx.URL) -> str | None:
        return proxy_name(self._unit.proxy, url.scheme, url.host)


def _take(headers: dict[str, str], name: str) -> str | None:
    """Remove and return the header of this name, however it is spelled."""
    for spelled in headers:
        if spelled.lower() == name:
            return headers.pop(spelled)
    return None
