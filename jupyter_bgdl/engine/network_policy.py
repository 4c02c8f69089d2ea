"""Which addresses this process may connect to: judged by the address, never by how it is spelled.

    a name ─▶ its addresses ─▶ those that are allowed ─▶ a connection to one of these very addresses

The policy is one for the process, so that no way of connecting can do without it. Whoever owns a
Jupyter server can run code in it, so "owner" does not wall off private addresses; it refuses those
that hand a machine's own credentials to anybody who asks.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

import httpx

from jupyter_bgdl.engine.outcomes import Abort
from jupyter_bgdl.engine.protocol import NetworkPolicy

_NEVER = [
    ip_network(network)
    for network in (
        "169.254.0.0/16",  # link-local (RFC 3927): AWS, Azure, Google, OpenStack …
        "fe80::/10",  # link-local (RFC 4291)
        "100.100.100.200/32",  # Alibaba
        "168.63.129.16/32",  # Azure's host agent
        "192.0.0.192/32",  # Oracle
        "fd00:ec2::/32",  # AWS
        "fd20:ce::254/128",  # Google
        "fd00:c1::a9fe:a9fe/128",  # Oracle
        "fd00:42::42/128",  # Scaleway
    )
]
"""Refused under every policy."""
_NEVER_NAMES = frozenset(
    {"metadata.google.internal", "metadata.goog", "instance-data", "instance-data.ec2.internal"}
)
"""What these resolve to is refused anyway; a proxy would resolve them itself."""

_LAST_32 = [
    ip_network(network)
    for network in (
        "::ffff:0:0/96",  # mapped (RFC 4291, 2.5.5.2)
        "::ffff:0:0:0/96",  # translated (RFC 2765)
        "64:ff9b::/96",  # NAT64 (RFC 6052)
        "64:ff9b:1::/48",  # NAT64 of one's own (RFC 8215), as its longest prefix has it
        "::/96",  # compatible (RFC 4291, 2.5.5.1)
    )
]
"""IPv6 addresses that lead to the IPv4 address in their last 32 bits."""
_6TO4 = ip_network("2002::/16")
_UNICAST = ip_network("2000::/3")
"""All that is given out of IPv6 (RFC 4291, 2.4)."""

_NAME = re.compile(r"(\*\.)?[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*")

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network


class Gate:
    """A policy, ready to judge."""

    def __init__(self, policy: NetworkPolicy) -> None:
        """Raises ValueError for an entry that is neither a host nor a network."""
        self.mode = policy.mode
        self._networks: list[Network] = []
        self._names: set[str] = set()
        self._parents: tuple[str, ...] = ()
        for entry in policy.allowed:
            network = _network(entry)
            if network is not None:
                self._networks.append(network)
                continue
            name = _spelled(entry)
            if not _NAME.fullmatch(name):
                raise ValueError(f"{entry!r} is neither a host name nor a network")
            if name.startswith("*."):
                self._parents += (name[1:],)
            else:
                self._names.add(name)

    def permitted(self, host: str, addresses: Iterable[str]) -> list[str]:
        """Those of ``host``'s addresses that may be connected to, in their order.

        Raises Abort, with the first of them, if there is none.
        """
        addresses = list(addresses)
        found = [one for one in addresses if self._allows(host, one)]
        if addresses and not found:
            raise self._refusal(host, addresses[0])
        return found

    def reachable(self, host: str, addresses: Iterable[str]) -> list[str]:
        """As :meth:`permitted`, of a proxy that the administrator set: wherever it is, but for
        what is refused always."""
        addresses = list(addresses)
        found = [one for one in addresses if not _is_never(ip_address(one))]
        if addresses and not found:
            raise self._refusal(host, addresses[0])
        return found

    def check_proxied(self, host: str) -> None:
        """Raises Abort if a proxy must not be asked for this host, as far as it can be known here:
        what the proxy resolves a name to cannot. An address is judged as it is. A name is, but
        under "owner", looked up here, too; one that only the proxy knows passes, unless there is
        an allowlist."""
        literal = _lookup(host, socket.AI_NUMERICHOST)
        if literal:
            self._check_all(host, literal)
            return
        if _spelled(host) in _NEVER_NAMES:
            raise self._refusal(host, None)
        if self.mode == "owner" or self._lists(host):
            return
        found = _lookup(host)
        if not found and self.mode == "allowlist":
            raise self._refusal(host, None)
        self._check_all(host, found)

    def _check_all(self, host: str, addresses: Iterable[str]) -> None:
        """A proxy may take any of them."""
        for address in addresses:
            if not self._allows(host, address):
                raise self._refusal(host, address)

    def _allows(self, host: str, text: str) -> bool:
        address = ip_address(text)
        if _is_never(address):
            return False
        if self.mode == "owner":
            return True
        end = _embedded(address) or address
        if self.mode == "public_only":
            return _is_public(end)
        return self._lists(host) or any(
            one in network for network in self._networks for one in (address, end)
        )

    def _lists(self, host: str) -> bool:
        name = _spelled(host)
        return self.mode == "allowlist" and (
            name in self._names or (bool(self._parents) and name.endswith(self._parents))
        )

    def _refusal(self, host: str, address: str | None) -> Abort:
        what = host if address in (None, host) else f"{host}, which is {address},"
        rule = f'network_policy = "{self.mode}"'
        return Abort("address_not_allowed", f"{what} may not be connected to: {rule}.")


def _network(entry: str) -> Network | None:
    """Raises ValueError for one whose address has bits beyond its prefix."""
    text = entry.strip()
    try:
        return ip_network(text)
    except ValueError as error:
        if re.fullmatch(r"[0-9a-f:.]+/\d+", text):
            raise ValueError(f"{entry!r} is neither a host name nor a network: {error}") from error
        return None


def _spelled(name: str) -> str:
    """As names are compared: ASCII, in lower case, without the root's dot."""
    star, name = ("*.", name[2:]) if name.startswith("*.") else ("", name)
    try:
        ascii_name = httpx.URL(scheme="http", host=name.strip()).raw_host.decode("ascii")
    except (httpx.InvalidURL, UnicodeError, ValueError):
        return ""
    return star + ascii_name.lower().removesuffix(".")


def _is_never(address: Address) -> bool:
    inner = _embedded(address)
    return any(one in network for network in _NEVER for one in (address, inner) if one is not None)


def _embedded(address: Address) -> IPv4Address | None:
    """The IPv4 address that an IPv6 one stands for."""
    if isinstance(address, IPv4Address):
        return None
    value = int(address)
    if address in _6TO4:
        return IPv4Address(value >> 80 & 0xFFFFFFFF)
    # ``::`` and ``::1`` are addresses of their own.
    if value > 1 and any(address in network for network in _LAST_32):
        return IPv4Address(value & 0xFFFFFFFF)
    return None


def _is_public(address: Address) -> bool:
    """Whether the Internet has it (RFC 6890): not private, shared, reserved or for groups."""
    if isinstance(address, IPv6Address):
        return address in _UNICAST and address.is_global
    return address.is_global and not address.is_multicast and not address.is_reserved


def _lookup(host: str, flags: int = 0) -> list[str]:
    """The addresses; none for a name that does not resolve here. Blocks."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM, flags=flags)
    except (OSError, UnicodeError):
        return []
    return [str(address[0]) for _, _, _, _, address in found]


_gate = Gate(NetworkPolicy())


def impose(policy: NetworkPolicy) -> None:
    """From now on, in the whole process. Raises ValueError as :class:`Gate` does."""
    global _gate
    _gate = Gate(policy)


def gate() -> Gate:
    """The one that holds."""
    return _gate
