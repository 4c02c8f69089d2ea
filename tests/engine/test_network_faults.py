"""What a network can do. N-rows and R-rows of the fault table."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from pathlib import Path

import pytest
from support.identical import Arrived

from jupyter_bgdl.engine import body as engine_body
from jupyter_bgdl.engine.local import LocalEngine
from jupyter_bgdl.engine.protocol import (
    Attempt,
    Checkpoint,
    Failed,
    Fetch,
    Headers,
    Progress,
    Ready,
)
from jupyter_bgdl.engine.transfer import Transfer

HALF = 1_500_000


def read(report) -> bytes:
    assert isinstance(report, Ready), report
    return Arrived(Path(report.part.path).read_bytes())


@pytest.mark.parametrize("at", [0, 1, HALF, -1], ids=["start", "first", "middle", "last"])
def test_N1_a_reset_and_then_the_rest(bench, server, resource, body, at):
    stop_at = at % len(body)
    server.answer = resource(body, stop_at=stop_at, cut=lambda x: x.reset())
    failed = bench.fetch(server.url)
    assert failed.code in ("connection", "truncated")
    assert read(bench.resume(server.url)) == body


def test_N2_tls_cut_without_close_notify(bench, tls_server, resource, body, bundle):
    server = tls_server()
    server.answer = resource(body, stop_at=HALF)
    failed = bench.fetch(server.url, ca_bundle=bundle)
    assert failed.code == "truncated"
    assert failed.extents == [(0, HALF)]
    assert read(bench.resume(server.url, ca_bundle=bundle)) == body


def test_N3_chunked_without_the_last_chunk(bench, server, body):
    def answer(x):
        x.head(Transfer_Encoding="chunked", ETag='"one"')
        x.send(b"%x\r\n%b\r\n" % (len(body), body))
        if x.number > 1:
            x.send(b"0\r\n\r\n")

    server.answer = answer
    assert bench.fetch(server.url).code == "truncated"
    assert read(bench.fetch(server.url)) == body


def test_N4_a_body_that_ends_with_the_connection(bench, server, body):
    server.answer = lambda x: (x.head(), x.send(body))
    assert read(bench.fetch(server.url, size=len(body))) == body
    assert bench.fetch(server.url, size=len(body) + 1).code == "size_mismatch"


@pytest.mark.parametrize("sent", [None, 0, 3000], ids=["before_headers", "before_body", "mid_body"])
def test_N5_a_stall_ends_at_the_time_out(bench, server, resource, body, sent):
    good = resource(body)
    released = threading.Event()

    def answer(x):
        if x.number > 1:
            good(x)
            return
        if sent is not None:
            x.head(Content_Length=len(body), ETag='"one"')
            x.send(body[:sent])
        released.wait(30)

    server.answer = answer
    begun = time.monotonic()
    failed = bench.fetch(server.url, timeout=1.0)
    assert failed.code == "stalled"
    assert 0.9 < time.monotonic() - begun < 4
    released.set()
    assert read(bench.resume(server.url)) == body


def test_N5_a_drip_is_a_stall(bench, server, body):
    def answer(x):
        x.head(Content_Length=len(body))
        for byte in body[:200]:
            x.send(bytes([byte]))
            time.sleep(0.05)

    server.answer = answer
    assert bench.fetch(server.url, timeout=1.0).code == "stalled"


def test_N6_refused(bench):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    assert bench.fetch(f"http://127.0.0.1:{port}/").code == "refused"


def test_N6_a_name_that_does_not_resolve(bench):
    assert bench.fetch("http://nothing.invalid/").code in ("name_not_resolved", "unreachable")


def test_N7_one_ip_family_is_dead(bench, server, resource, body):
    # "localhost" may resolve to ::1 first, where nobody listens
    server.answer = resource(body)
    assert read(bench.fetch(server.at("/x", host="localhost"))) == body


def test_N8_a_certificate_that_nobody_vouches_for(bench, tls_server, resource, body):
    server = tls_server()
    server.answer = resource(body)
    failed = bench.fetch(server.url)
    assert failed.code == "tls"
    assert server.requests == []
    assert read(bench.fetch(server.url, verify=False)) == body


def test_N8_a_certificate_of_another_host(bench, tls_server, bundle):
    server = tls_server("example.org")
    assert bench.fetch(server.url, ca_bundle=bundle).code == "tls"


def test_N9_stopped_in_the_middle_of_a_tls_body(bench, tls_server, resource, body, bundle):
    server = tls_server()
    server.answer = resource(body * 20, rate=30e6)
    for _ in range(8):
        unit = bench.submit(server.url, ca_bundle=bundle)
        bench.wait(
            lambda r, unit=unit: isinstance(r, Progress | Checkpoint) and r.attempt == unit.attempt
        )
        bench.engine.stop([unit.attempt])
        failed = bench.end_of(unit.attempt)
        assert failed.code == "stopped"
        [headers] = bench.of(Headers, unit.attempt)
        part = Path(headers.part.path).read_bytes()
        assert failed.extents == [(0, len(part))]
        assert part == (body * 20)[: len(part)]


@pytest.mark.usefixtures("_no_proxies")
@pytest.mark.parametrize("secure", [False, True])
def test_the_body_is_read_from_the_socket_itself(
    server, tls_server, resource, body, bundle, tmp_path, monkeypatch, secure
):
    drained = []

    def spy(connection, *more):
        drained.append(type(connection))
        drain(connection, *more)

    drain = engine_body._drain
    monkeypatch.setattr(engine_body, "_drain", spy)
    server = tls_server() if secure else server
    server.answer = resource(body)
    unit = Fetch(
        attempt=Attempt(1, 1), url=server.url, folder=str(tmp_path / "x"), ca_bundle=bundle
    )
    assert read(Transfer(unit, lambda report: None).run()) == body
    assert drained == [ssl.SSLSocket if secure else socket.socket]


def test_stopped_before_the_headers(bench, server):
    released = threading.Event()
    server.answer = lambda x: released.wait(30)
    unit = bench.submit(server.url)
    server.wait_for_requests(1)
    bench.engine.stop([unit.attempt])
    assert bench.end_of(unit.attempt, timeout=5).code == "stopped"
    released.set()
    assert bench.engine.running() == set()
    assert not bench.folder.exists()


def test_stopped_while_connecting(bench):
    with socket.socket() as listener:
        # A full backlog: the handshake of the next one is never answered.
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        fillers = []
        for _ in range(4):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
            fillers.append(filler)
        unit = bench.submit(f"http://127.0.0.1:{listener.getsockname()[1]}/")
        bench.engine.stop([unit.attempt])
        assert bench.end_of(unit.attempt, timeout=5).code == "stopped"
        for filler in fillers:
            filler.close()


def test_N10_a_dead_proxy_is_named_without_its_password(bench, server):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    failed = bench.fetch(server.url, proxy=f"http://user:hunter2@127.0.0.1:{port}")
    assert failed.code == "proxy"
    assert f"127.0.0.1:{port}" in failed.message
    assert "hunter2" not in failed.message


def test_N10_a_proxy_that_wants_a_login(bench, server, make_server):
    proxy = make_server()
    proxy.answer = lambda x: x.reply("407 Proxy Authentication Required")
    address = proxy.at("")
    assert bench.fetch(server.url, proxy=address).code == "proxy_authentication"
    secure = "https://localhost:1/x"
    assert bench.fetch(secure, proxy=address).code == "proxy_authentication"


def test_through_a_proxy(bench, make_server, resource, body):
    proxy = make_server()
    proxy.answer = resource(body)
    assert read(bench.fetch("http://far.invalid/data.bin", proxy=proxy.at(""))) == body
    assert proxy.requests[0].target == "http://far.invalid/data.bin"


def test_R1_a_redirect_loop(bench, server):
    server.answer = lambda x: x.reply("302 Found", Location="/again")
    assert bench.fetch(server.url).code == "redirect_loop"
    assert len(server.requests) == 21


def test_R1_twenty_hops_are_followed(bench, server, resource, body):
    good = resource(body)

    def answer(x):
        if x.number <= 20:
            x.reply("307 Temporary Redirect", Location=f"/{x.number}")
        else:
            good(x)

    server.answer = answer
    assert read(bench.fetch(server.url)) == body


def test_R2_what_the_user_gave_stays_at_its_origin(bench, server, make_server, resource, body):
    other = make_server()
    given = {"X-Api-Key": "canary", "Authorization": "Bearer canary", "Cookie": "a=canary"}
    server.answer = lambda x: x.reply("302 Found", Location=other.at("/b"))
    other.answer = resource(body)
    assert read(bench.fetch(server.url, headers=given)) == body
    assert server.requests[0].headers["x-api-key"] == "canary"
    assert "canary" not in str(other.requests[0].headers)
    assert "referer" not in other.requests[0].headers


def test_R2_a_cookie_that_a_host_sets_comes_back_to_it(bench, server, make_server, resource, body):
    login = make_server()
    good = resource(body)

    def data(x):
        if "cookie" in x.headers:
            assert x.headers["cookie"] == "ticket=1"
            assert x.headers["x-api-key"] == "key"
            good(x)
        elif x.target == "/back":
            x.reply("302 Found", Location="/data.bin", Set_Cookie="ticket=1")
        else:
            x.reply("302 Found", Location=login.at("/login", host="127.0.0.1"))

    server.answer = data
    login.answer = lambda x: x.reply("302 Found", Location=server.at("/back"))
    assert read(bench.fetch(server.url, headers={"X-Api-Key": "key"})) == body
    assert "cookie" not in login.requests[0].headers


@pytest.mark.parametrize("allowed", [False, True])
def test_R3_from_https_to_http(bench, tls_server, server, resource, body, bundle, allowed):
    secure = tls_server()
    secure.answer = lambda x: x.reply("302 Found", Location=server.url)
    server.answer = resource(body)
    end = bench.fetch(secure.url, ca_bundle=bundle, allow_downgrade=allowed)
    if allowed:
        assert read(end) == body
    else:
        assert end.code == "redirect_downgrade"
        assert server.requests == []


@pytest.mark.parametrize(
    "location", ["file:///etc/passwd", "ftp://localhost/x", "gopher://x/", "data:,x"]
)
def test_R4_off_the_web(bench, server, location):
    server.answer = lambda x: x.reply("302 Found", Location=location)
    assert bench.fetch(server.url).code == "redirect_scheme"


@pytest.mark.parametrize(
    "location", ["/with space", "data.bin?x=1#part", "http://[::1", "http:///"]
)
def test_R8_odd_locations(bench, server, resource, body, location):
    good = resource(body)

    def answer(x):
        if x.number == 1:
            x.reply("302 Found", Location=location)
        else:
            good(x)

    server.answer = answer
    end = bench.fetch(server.url)
    if location == "http://[::1":
        assert end.code == "invalid_url"
    else:
        assert read(end) == body


@pytest.mark.parametrize("url", ["ftp://localhost/x", "http://", "nonsense", "http://[::1"])
def test_addresses_that_cannot_be_fetched(bench, url):
    assert bench.fetch(url).code == "invalid_url"


def test_userinfo_is_sent_and_never_told(bench, server, resource, body):
    server.answer = resource(body)
    url = server.url.replace("://", "://me:hunter2@")
    assert read(bench.fetch(url)) == body
    assert server.requests[0].headers["authorization"].startswith("Basic ")
    assert "hunter2" not in str(bench.reports)


def test_a_fault_of_one_is_not_the_others(bench, server, make_server, resource, body):
    server.answer = resource(body, rate=3e6)
    slow = bench.submit(server.url)
    failed = bench.fetch("http://[::1")
    assert isinstance(failed, Failed)
    assert read(bench.end_of(slow.attempt)) == body


def test_P13_an_error_that_nobody_foresaw_is_one_tasks_own(bench, server, resource, body):
    server.answer = resource(body, rate=3e6)
    slow = bench.submit(server.url)
    assert bench.fetch(server.url, checksum="nonsense:00").code == "internal"
    assert read(bench.end_of(slow.attempt)) == body


def test_it_implements_the_protocol() -> None:
    from jupyter_bgdl.engine.protocol import Engine, Limits

    engine: Engine = LocalEngine()
    assert engine.capacity() == Limits().units


@pytest.fixture
def trusting(monkeypatch, bundle):
    """An environment that names the authority of a company."""
    monkeypatch.setenv("SSL_CERT_FILE", bundle)


def test_N8_the_environments_authority_is_trusted(trusting, own_bench, tls_server, resource, body):
    server = tls_server()
    server.answer = resource(body)
    assert read(own_bench.fetch(server.url)) == body


@pytest.fixture
def proxied(monkeypatch, make_server):
    """An environment with a proxy for everything but localhost."""
    proxy = make_server()
    monkeypatch.setenv("HTTP_PROXY", proxy.at(""))
    monkeypatch.setenv("http_proxy", proxy.at(""))
    monkeypatch.setenv("no_proxy", "localhost")
    return proxy


def test_the_environments_proxy_is_asked_but_where_it_says_not(
    proxied, own_bench, server, resource, body
):
    proxied.answer = resource(body)
    server.answer = resource(body[::-1])
    assert read(own_bench.fetch("http://far.invalid/data.bin")) == body
    assert proxied.requests[0].target == "http://far.invalid/data.bin"
    count = len(proxied.requests)
    assert read(own_bench.fetch(server.url)) == body[::-1]
    assert len(proxied.requests) == count
