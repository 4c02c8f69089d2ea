"""Where transfers may not connect to, in a network that has what they must not find: a metadata
service, and a name server that changes its mind."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support.fileserver import FileServer, content
from support.identical import assert_identical
from support.names import NameServer
from support.networks import Network
from support.station import Station, StationError
from support.uploads import Exchange, UploadServer

from jupyter_bgdl.engine.network_policy import Gate
from jupyter_bgdl.engine.outcomes import Abort
from jupyter_bgdl.engine.protocol import NetworkPolicy

METADATA = ("169.254.169.254", "100.100.100.200", "fd00:ec2::254")
BODY = content(24_000_000)


class Trap:
    """Listens where nobody must connect to."""

    def __init__(self, network: Network, address: str, port: int) -> None:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        with network.inside():
            self.listener = socket.socket(family, socket.SOCK_STREAM)
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind((address, port))
        self.listener.listen()
        self.listener.setblocking(False)

    @property
    def is_empty(self) -> bool:
        try:
            self.listener.accept()[0].close()
        except BlockingIOError:
            return True
        return False


@pytest.fixture
def network() -> Iterator[Network]:
    with Network() as network:
        for address in METADATA:
            more = ("nodad",) if ":" in address else ()
            network.run("ip", "address", "add", address, "dev", "lo", *more)
        yield network


@pytest.fixture
def names(network: Network) -> Iterator[NameServer]:
    with NameServer(network) as names:
        yield names


@pytest.fixture
def traps(network: Network) -> Iterator[list[Trap]]:
    """At the addresses of metadata services. Nobody was there when the test ends."""
    traps = [Trap(network, address, 80) for address in METADATA]
    yield traps
    found = [trap.is_empty for trap in traps]
    for trap in traps:
        trap.listener.close()
    assert all(found), "somebody connected to where nobody may"


@pytest.fixture
def there(network: Network) -> Iterator[FileServer]:
    """A file server at 127.0.0.1 of that network."""
    with network.inside():
        server = FileServer()
    with server:
        yield server


@pytest.fixture
def make_station(network: Network, tmp_path: Path) -> Iterator[Callable[..., Station]]:
    stations: list[Station] = []

    def make(mode: str = "owner", allowed: tuple[str, ...] = (), **fields: Any) -> Station:
        limits = {"policy": {"mode": mode, "allowed": allowed}}
        station = Station(tmp_path / "home", prefix=network.prefix, limits=limits, **fields)
        stations.append(station.start())
        return station

    yield make
    for station in stations:
        station.stop()


def refused(view: dict[str, Any], *words: str) -> None:
    error = view["error"]
    assert error is not None, "it was fetched"
    assert error["code"] == "address_not_allowed", error
    assert view["attempts"] == 1, "it was tried again"
    assert view["received"] == 0
    assert all(word in error["message"] for word in words), error


SPELLINGS = {
    "169.254.169.254": "169.254.169.254",
    "0xa9fea9fe": "169.254.169.254",
    "0xa9.0xfe.43518": "169.254.169.254",
    "2852039166": "169.254.169.254",
    "[::ffff:169.254.169.254]": "::ffff:169.254.169.254",
    "[::ffff:a9fe:a9fe]": "::ffff:169.254.169.254",
    "[64:ff9b::a9fe:a9fe]": "64:ff9b::a9fe:a9fe",
    "[fd00:ec2::254]": "fd00:ec2::254",
    "[fe80::1]": "fe80::1",
    "100.100.100.200": "100.100.100.200",
    "metadata.test": "169.254.169.254",
    "METADATA.test.": "169.254.169.254",
    "mapped.test": "::ffff:169.254.169.254",
    "six.test": "fd00:ec2::254",
}


def test_T9_metadata_services_are_refused_however_they_are_spelled(
    names: NameServer, traps: list[Trap], make_station: Callable[..., Station], tmp_path: Path
) -> None:
    names["metadata.test"] = [["169.254.169.254"]]
    names["mapped.test"] = [["::ffff:169.254.169.254"]]
    names["six.test"] = [["fd00:ec2::254"]]
    station = make_station()
    for number, spelling in enumerate(SPELLINGS):
        station.submit(f"http://{spelling}/latest/", tmp_path / f"{number}.bin")
    for number, (spelling, address) in enumerate(SPELLINGS.items(), 1):
        view = station.wait(number)
        refused(view, 'network_policy = "owner"', address)
        host = spelling.strip("[]").rstrip(".").lower()
        assert host in view["error"]["message"].lower()


@pytest.mark.parametrize("digits", ["１６９.254.169.254", "169。254。169。254", "①⑥⑨.254.169.254"])
def test_T9_digits_of_other_scripts_lead_to_no_metadata_service(
    traps: list[Trap], make_station: Callable[..., Station], tmp_path: Path, digits: str
) -> None:
    station = make_station()
    try:
        station.submit(f"http://{digits}/latest/", tmp_path / "a.bin")
    except StationError:
        return  # It is no address, or none of its parts is a host.
    assert station.wait()["error"]["code"] in ("address_not_allowed", "transfer_error")


def test_T9_a_redirect_and_a_mirror_lead_to_no_metadata_service(
    there: FileServer,
    names: NameServer,
    traps: list[Trap],
    make_station: Callable[..., Station],
    tmp_path: Path,
) -> None:
    names["metadata.test"] = [["169.254.169.254"]]
    for status in (302, 307):
        leads = {"Location": "http://metadata.test/latest/"}
        there.add(f"{status}.bin", b"", status=status, headers=leads)
    there.add("good.bin", BODY, rate=8e6)
    station = make_station(options={"maximum_connections_per_host": 4})
    station.submit(there.url("302.bin"), tmp_path / "a.bin")
    mirrors = ["http://169.254.169.254/good.bin", "http://metadata.test/good.bin"]
    station.submit(there.url("good.bin"), tmp_path / "b.bin", mirrors=mirrors)
    station.submit(there.url("307.bin"), tmp_path / "c.bin")
    refused(station.wait(1), "metadata.test, which is 169.254.169.254")
    assert station.wait(2)["error"] is None
    assert_identical(tmp_path / "b.bin", BODY)
    refused(station.wait(3), "169.254.169.254")


def test_T9_an_upload_is_led_to_no_metadata_service(
    network: Network, traps: list[Trap], make_station: Callable[..., Station], tmp_path: Path
) -> None:
    """By a redirect, and by the address of the upload resource that a tus server makes."""
    source = tmp_path / "source.bin"
    source.write_bytes(b"x" * 1000)
    inside = {"Location": "http://169.254.169.254/up"}

    def answer(x: Exchange) -> None:
        if x.method == "OPTIONS":
            offer = {"Tus_Resumable": "1.0.0", "Tus_Version": "1.0.0", "Tus_Extension": "creation"}
            x.reply("204 No Content", **(offer if x.target == "/tus" else {}))
        elif x.target == "/tus":
            x.reply("201 Created", Tus_Resumable="1.0.0", **inside)
        else:
            x.reply("307 Temporary Redirect", **inside)

    with network.inside():
        server = UploadServer()
    with server:
        server.answer = answer
        station = make_station()
        for method, path in (("PUT", "/redirects"), ("POST", "/tus")):
            request = {"url": f"http://127.0.0.1:{server.port}{path}", "method": method}
            station.call("submit", spec={"request": request, "from_file": str(source)})
        refused(station.wait(1), "169.254.169.254")
        refused(station.wait(2), "169.254.169.254")
        assert {x.target for x in server.of("POST")} == {"/tus"}


def test_T9_what_was_judged_is_what_is_connected_to(
    network: Network,
    there: FileServer,
    names: NameServer,
    traps: list[Trap],
    make_station: Callable[..., Station],
    tmp_path: Path,
) -> None:
    # With a cookie it is nothing for a lane, which has no name to look up.
    there.add("good.bin", BODY, rate=8e6, headers={"Set-Cookie": "a=1"})
    there.add("small.bin", BODY[:1000])
    traps.append(Trap(network, "127.0.0.2", there.port))
    # Whoever looks the name up a second time, be it for a segment, gets the inner address.
    names["first.test"] = [["127.0.0.1"], ["127.0.0.2"]]
    names["second.test"] = [["127.0.0.2"], ["127.0.0.1"]]
    names["both.test"] = [["127.0.0.2", "127.0.0.1"]]
    station = make_station(
        "allowlist", ("127.0.0.1/32",), options={"maximum_connections_per_host": 4}
    )

    def submit(host: str, name: str) -> Path:
        path = tmp_path / f"{host}-{name}"
        station.submit(f"http://{host}:{there.port}/{name}", path)
        return path

    large = submit("first.test", "good.bin")
    assert station.wait(1)["error"] is None
    assert_identical(large, BODY)
    assert names.asked.count("first.test") > 1, "no second connection was tried"
    submit("second.test", "small.bin")
    refused(station.wait(2), "second.test, which is 127.0.0.2", 'network_policy = "allowlist"')
    either = submit("both.test", "small.bin")
    assert station.wait(3)["error"] is None, "an address that is allowed was not taken"
    assert_identical(either, BODY[:1000])


def test_T9_a_proxy_is_not_asked_for_what_may_not_be_reached(
    there: FileServer,
    names: NameServer,
    traps: list[Trap],
    make_station: Callable[..., Station],
    tmp_path: Path,
) -> None:
    """The environment's proxy may be anywhere; it is asked for the names that only it knows."""
    there.add("a.bin", BODY[:1000])
    names["inside.test"] = [["10.1.2.3"]]
    names["own.test"] = [["127.0.0.1"]]
    proxy = there.url("")
    station = make_station(
        "public_only",
        environment={"http_proxy": proxy, "no_proxy": "own.test"},
    )
    asked = [
        "http://far.invalid/a.bin",
        "http://169.254.169.254/a.bin",
        "http://0x7f.1/a.bin",
        "http://metadata.google.internal/a.bin",
        "http://inside.test/a.bin",
        f"http://own.test:{there.port}/a.bin",
    ]
    for number, url in enumerate(asked):
        station.submit(url, tmp_path / f"{number}.bin")
    views = [station.wait(number) for number in range(1, len(asked) + 1)]
    assert views[0]["error"] is None, "the environment's proxy was not asked"
    refused(views[1], "169.254.169.254")
    refused(views[2], "0x7f.1, which is 127.0.0.1")
    refused(views[3], "metadata.google.internal")
    refused(views[4], "10.1.2.3")
    refused(views[5], "own.test, which is 127.0.0.1")  # Asked directly, as no_proxy says.
    assert len(there["a.bin"].requests) == 1


def test_T9_a_sessions_own_proxy_is_an_address_as_any_other(
    there: FileServer, traps: list[Trap], make_station: Callable[..., Station], tmp_path: Path
) -> None:
    there.add("a.bin", BODY[:1000])
    station = make_station(options={"proxy": "http://169.254.169.254:80"})
    station.submit(there.url("a.bin"), tmp_path / "a.bin")
    refused(station.wait(), "169.254.169.254")
    station.stop()
    station.options, station.limits = {"proxy": there.url("")}, {"policy": {"mode": "public_only"}}
    station.start()
    station.submit("http://far.invalid/a.bin", tmp_path / "b.bin")
    refused(station.wait(2), "127.0.0.1")
    station.stop()
    station.limits = {"policy": {"mode": "allowlist", "allowed": ["127.0.0.0/8", "*.invalid"]}}
    station.start()
    station.submit("http://near.invalid/a.bin", tmp_path / "c.bin")
    assert station.wait(3)["error"] is None
    station.submit("http://elsewhere.test/a.bin", tmp_path / "d.bin")
    refused(station.wait(4), "elsewhere.test")


def test_T9_without_a_namespace_the_policy_holds_as_well(tmp_path: Path) -> None:
    """Where tests are not root: the flipping of names is not tried, the refusal is."""
    with FileServer() as files:
        files.add("a.bin", b"canary")
        with Station(tmp_path / "home", limits={"policy": {"mode": "public_only"}}) as station:
            for number, host in enumerate(["localhost", "0x7f.1", "2130706433", "127.0.0.1"], 1):
                station.submit(f"http://{host}:{files.port}/a.bin", tmp_path / f"{number}.bin")
                refused(station.wait(number), 'network_policy = "public_only"')
        assert not files["a.bin"].requests


ALLOWED = (
    "data.test",
    "*.archive.test",
    "BÜCHER.test",
    "10.1.0.0/16",
    "2001:db8::/32",
    "192.0.2.7",
)


@pytest.mark.parametrize(
    ("mode", "host", "address", "is_allowed"),
    [
        ("owner", "a.test", "127.0.0.1", True),
        ("owner", "a.test", "10.0.0.1", True),
        ("owner", "a.test", "fd00::1", True),
        ("owner", "a.test", "fe80::1%lo", False),
        ("owner", "a.test", "2002:a9fe:a9fe::", False),
        ("owner", "a.test", "::169.254.1.1", False),
        ("owner", "a.test", "168.63.129.16", False),
        ("owner", "a.test", "fd20:ce::254", False),
        ("public_only", "a.test", "93.184.215.14", True),
        ("public_only", "a.test", "2606:2800:21f:cb07::1", True),
        ("public_only", "a.test", "64:ff9b::5db8:d70e", True),
        *(
            ("public_only", "a.test", address, False)
            for address in (
                "0.0.0.0",
                "10.0.0.1",
                "100.64.0.1",
                "127.0.0.1",
                "172.16.0.1",
                "192.168.0.1",
                "192.0.2.1",
                "198.18.0.1",
                "224.0.0.1",
                "240.0.0.1",
                "255.255.255.255",
                "::",
                "::1",
                "::ffff:10.0.0.1",
                "64:ff9b::a00:1",
                "2002:a00:1::",
                "2001:db8::1",
                "2001::1",
                "fc00::1",
                "fec0::1",
                "ff02::1",
                "4000::1",
            )
        ),
        ("allowlist", "data.test", "192.168.7.7", True),
        ("allowlist", "DATA.test.", "192.168.7.7", True),
        ("allowlist", "data.test", "169.254.169.254", False),
        ("allowlist", "x.data.test", "192.168.7.7", False),
        ("allowlist", "data.test.evil.test", "192.168.7.7", False),
        ("allowlist", "evildata.test", "192.168.7.7", False),
        ("allowlist", "a.b.archive.test", "1.2.3.4", True),
        ("allowlist", "archive.test", "1.2.3.4", False),
        ("allowlist", "evilarchive.test", "1.2.3.4", False),
        ("allowlist", "xn--bcher-kva.test", "1.2.3.4", True),
        ("allowlist", "any.test", "10.1.255.255", True),
        ("allowlist", "any.test", "::ffff:10.1.2.3", True),
        ("allowlist", "any.test", "10.2.0.1", False),
        ("allowlist", "any.test", "2001:db8::7", True),
        ("allowlist", "192.0.2.7", "192.0.2.7", True),
        ("allowlist", "192.0.2.8", "192.0.2.8", False),
    ],
)
def test_T9_which_addresses_a_policy_allows(
    mode: Any, host: str, address: str, is_allowed: bool
) -> None:
    gate = Gate(NetworkPolicy(mode, ALLOWED))
    if is_allowed:
        assert gate.permitted(host, ["169.254.0.1", address]) == [address]
    else:
        with pytest.raises(Abort) as refusal:
            gate.permitted(host, [address])
        assert refusal.value.code == "address_not_allowed"
        assert address in refusal.value.message


@pytest.mark.parametrize("entry", ["https://a.test", "a.test:80", "10.1.2.3/8", "a b", "", "*"])
def test_T9_an_entry_that_says_nothing_is_refused(entry: str) -> None:
    with pytest.raises(ValueError, match="host"):
        Gate(NetworkPolicy("allowlist", (entry,)))
