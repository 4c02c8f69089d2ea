"""Where a request goes, and where a response sends it on to, judged without I/O.

Rules are those of RFC 9110, section 15.4; which origins are the same, of RFC 6454, section 5.
"""

from __future__ import annotations

import httpx

from jupyter_bgdl.engine import addresses
from jupyter_bgdl.engine.answer import Answer
from jupyter_bgdl.engine.outcomes import Abort

MAXIMUM_HOPS = 20

_REDIRECTS = (301, 302, 303, 307, 308)


def leads_on(response: Answer) -> bool:
    """Whether it names another address to ask."""
    return response.status_code in _REDIRECTS and "location" in response.extensions


def method_after(status: int, method: str) -> str:
    """How to ask the next address: 303 asks for another resource, 301 and 302 turn a POST into
    a GET as everybody does, the others keep method and body."""
    if status == 303 and method != "HEAD":
        return "GET"
    if status in (301, 302) and method == "POST":
        return "GET"
    return method


def target(url: httpx.URL, response: Answer, allow_downgrade: bool) -> httpx.URL:
    """The next address, without userinfo and fragment. Raises Abort for one that is refused."""
    try:
        found = addresses.parsed(response.extensions["location"], url)
    except ValueError as error:
        raise Abort("invalid_url", "redirected to an address that is not valid") from error
    if found.scheme not in ("http", "https"):
        raise Abort("redirect_scheme", f"redirected to {found.scheme[:20]}:")
    if not found.host:
        raise Abort("invalid_url", "redirected to an address without a host")
    if url.scheme == "https" and found.scheme == "http" and not allow_downgrade:
        raise Abort("redirect_downgrade", f"redirected to plain http at {found.host}")
    return found.copy_with(username=None, password=None, fragment=None)


def split(text: str) -> tuple[httpx.URL, httpx.BasicAuth | None]:
    """The address without userinfo and fragment, and the userinfo as basic authentication.

    Raises Abort.
    """
    try:
        url = addresses.parsed(text)
    except ValueError as error:
        raise Abort("invalid_url") from error
    if url.scheme not in ("http", "https") or not url.host:
        raise Abort("invalid_url", "only http and https addresses with a host can be fetched")
    auth = httpx.BasicAuth(url.username, url.password) if url.userinfo else None
    if auth or url.fragment:
        url = url.copy_with(username=None, password=None, fragment=None)
    return url, auth


def same_origin(one: httpx.URL, other: httpx.URL) -> bool:
    return (one.scheme, one.host, port(one)) == (other.scheme, other.host, port(other))


def port(url: httpx.URL) -> int:
    return url.port or (443 if url.scheme == "https" else 80)
