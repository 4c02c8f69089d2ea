"""The network goes away under service and worker, in a network namespace of their own."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.disks import need
from support.fileserver import FileServer, content
from support.identical import assert_identical
from support.networks import Network
from support.station import Station

BODY = content(6_000_000)
OPTIONS = {"timeout_for_request": 1.5}


@pytest.fixture
def network() -> Iterator[Network]:
    with Network() as network:
        yield network


@pytest.fixture
def there(network: Network) -> Iterator[FileServer]:
    """A file server in that network; its listener stays in it, whoever accepts."""
    with network.inside():
        server = FileServer()
    with server:
        yield server


def test_N11_the_cable_is_out_for_a_while(
    network: Network, there: FileServer, make_station: Callable[..., Station], tmp_path: Path
) -> None:
    there.add("a.bin", BODY, rate=4e6)
    station = make_station(prefix=network.prefix, options=OPTIONS)
    station.submit(there.url("a.bin"), tmp_path / "a.bin")
    station.until(lambda view: view["received"] > 1_000_000)
    network.down()
    waiting = station.until(lambda view: view["waiting_for"] in ("network", "retry"))
    assert waiting["received"] > 1_000_000
    network.up()
    assert station.wait()["error"] is None
    assert_identical(tmp_path / "a.bin", BODY)
    assert any("range" in request for request in there["a.bin"].requests), "it began anew"


def test_N6_a_black_hole_is_left_again(
    network: Network, there: FileServer, make_station: Callable[..., Station], tmp_path: Path
) -> None:
    there.add("a.bin", BODY)
    network.drop(there.port)
    station = make_station(prefix=network.prefix, options=OPTIONS)
    station.submit(there.url("a.bin"), tmp_path / "a.bin")
    station.until(lambda view: view["attempts"] >= 2)
    network.heal()
    assert station.wait()["error"] is None
    assert_identical(tmp_path / "a.bin", BODY)


def test_N6_a_black_hole_is_an_error_at_the_deadline(
    network: Network, there: FileServer, make_station: Callable[..., Station], tmp_path: Path
) -> None:
    there.add("a.bin", BODY)
    network.drop(there.port)
    station = make_station(
        prefix=network.prefix, options={"timeout_for_request": 1.0, "timeout_for_resource": 4.0}
    )
    station.submit(there.url("a.bin"), tmp_path / "a.bin")
    error = station.wait()["error"]
    assert error
    assert error["code"] == "transfer_timeout"
    assert not (tmp_path / "a.bin").exists()


def _name_server(network: Network, code: int) -> Callable[[], int]:
    """Answers every query with this response code (RFC 1035, section 4.1.1); returns how many."""
    with network.inside():
        listener = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        listener.bind(("127.0.0.1", 53))
    asked: list[bytes] = []

    def serve() -> None:
        while True:
            query, client = listener.recvfrom(512)
            asked.append(query)
            listener.sendto(query[:2] + bytes([0x81, 0x80 | code]) + query[4:], client)

    threading.Thread(target=serve, daemon=True).start()
    return lambda: len(asked)


@pytest.mark.parametrize(("answer", "code"), [("SERVFAIL", 2), ("NXDOMAIN", 3)])
def test_N6_what_a_name_server_says(
    network: Network, tmp_path: Path, answer: str, code: int
) -> None:
    need("mount")
    asked = _name_server(network, code)
    home = Path("/etc/netns") / network.name
    home.mkdir(parents=True)
    try:
        (home / "resolv.conf").write_text("nameserver 127.0.0.1\noptions timeout:1 attempts:1\n")
        options = {"timeout_for_request": 2.0, "timeout_for_resource": 6.0}
        with Station(tmp_path / "home", prefix=network.prefix, options=options) as station:
            station.submit("http://archive.test/a.bin", tmp_path / "a.bin")
            view = station.wait()
    finally:
        (home / "resolv.conf").unlink()
        home.rmdir()
    assert asked() > 0
    if answer == "NXDOMAIN":
        assert (view["error"]["code"], view["attempts"]) == ("transfer_error", 3)
        assert view["reason"] == "host name not found"
    else:
        assert view["error"]["code"] == "transfer_timeout"
        assert view["attempts"] > 3


def test_N7_one_ip_family_is_dead(
    network: Network, there: FileServer, make_station: Callable[..., Station], tmp_path: Path
) -> None:
    """The name has two addresses, and packets to the first vanish."""
    there.add("a.bin", BODY)
    network.nft("add rule inet faults in ip6 nexthdr tcp drop")
    hosts = tmp_path / "hosts"
    hosts.write_text("::1 twofold.test\n127.0.0.1 twofold.test\n")
    home = Path("/etc/netns") / network.name
    home.mkdir(parents=True)
    (home / "hosts").write_text(hosts.read_text())
    try:
        station = make_station(prefix=network.prefix, options=OPTIONS)
        url = f"http://twofold.test:{there.port}/a.bin"
        station.submit(url, tmp_path / "a.bin")
        assert station.wait()["error"] is None
    finally:
        (home / "hosts").unlink()
        home.rmdir()
    assert_identical(tmp_path / "a.bin", BODY)
