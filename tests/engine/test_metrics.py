"""What the requests of an attempt took: named by what would be told wrong."""

from __future__ import annotations

import socket
import time

import httpx
import pytest

from jupyter_bgdl.engine.metrics import Collector, Transaction
from jupyter_bgdl.engine.network import Network
from jupyter_bgdl.engine.protocol import Failed, Metrics, Ready
from jupyter_bgdl.model import TransactionMetrics

HALF = 1_500_000

STEPS = (
    "fetch_start",
    "domain_lookup_start",
    "domain_lookup_end",
    "connect_start",
    "secure_connection_start",
    "secure_connection_end",
    "connect_end",
    "request_start",
    "request_end",
    "response_start",
    "response_end",
)


def moments(told: TransactionMetrics) -> list[float]:
    return [m for m in (getattr(told, name) for name in STEPS) if m is not None]


def metrics_of(bench, end) -> list[TransactionMetrics]:
    assert isinstance(end, Ready | Failed)
    [told] = bench.of(Metrics, end.attempt)
    assert bench.reports.index(told) == bench.reports.index(end) - 1
    return told.transactions


def test_a_fetch_tells_its_moments_in_order(bench, server, resource, body):
    server.answer = resource(body, rate=30e6)
    begun = time.time()
    [told] = metrics_of(bench, bench.fetch(server.url + "?token=1"))
    assert told.url == server.url + "?token=1"
    assert (told.method, told.status_code) == ("GET", 200)
    assert told.network_protocol_name == "http/1.1"
    assert (told.remote_address, told.remote_port) == ("127.0.0.1", server.port)
    assert told.count_of_response_body_bytes_received == len(body)
    assert told.segment is None
    assert not (told.is_redirect)
    assert not (told.is_reused_connection)
    assert not (told.is_proxy_connection)
    assert told.secure_connection_start is None
    assert len(moments(told)) == len(STEPS) - 2
    assert moments(told) == sorted(moments(told))
    assert begun - 0.1 < moments(told)[0]
    assert moments(told)[-1] < time.time() + 0.1
    assert told.response_end - told.response_start > 0.08


def test_tls_is_part_of_connecting(bench, tls_server, resource, body, bundle):
    server = tls_server()
    server.answer = resource(body)
    [told] = metrics_of(bench, bench.fetch(server.url, ca_bundle=bundle))
    assert len(moments(told)) == len(STEPS)
    assert moments(told) == sorted(moments(told))
    assert told.count_of_response_body_bytes_received == len(body)


def test_each_hop_and_each_range_is_one(bench, server, make_server, resource, body):
    store = make_server()
    server.answer = lambda x: x.reply("302 Found", Location=store.url)
    store.answer = resource(body, stop_at=HALF)
    hop, cut = metrics_of(bench, bench.fetch(server.url))
    assert hop.is_redirect
    assert hop.status_code == 302
    assert not cut.is_redirect
    assert cut.count_of_response_body_bytes_received == HALF
    _, rest = metrics_of(bench, bench.resume(server.url))
    assert rest.status_code == 206
    assert rest.segment == (HALF, len(body))


def test_a_name_that_is_not_found_took_its_time(bench):
    [told] = metrics_of(bench, bench.fetch("http://nothing.invalid/"))
    assert told.domain_lookup_start is not None
    assert told.connect_end is None
    assert told.status_code is None
    assert not told.is_reused_connection


def test_nobody_answers(bench):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    [told] = metrics_of(bench, bench.fetch(f"http://127.0.0.1:{port}/"))
    assert told.connect_start is not None
    assert (told.connect_end, told.request_start, told.response_end) == (None, None, None)


def test_through_a_proxy_it_says_so(bench, make_server, resource, body):
    proxy = make_server()
    proxy.answer = resource(body)
    end = bench.fetch("http://far.invalid/data.bin", proxy=proxy.at(""))
    [told] = metrics_of(bench, end)
    assert told.is_proxy_connection
    assert told.remote_port == proxy.port


def test_an_attempt_that_asked_nothing_tells_nothing(bench, server, resource, body):
    server.answer = resource(body)
    bench.fetch(server.url)
    again = bench.resume(server.url)
    assert isinstance(again, Ready)
    assert bench.of(Metrics, again.attempt) == []


def test_N7_the_second_address_is_tried_if_the_first_is_dead(server, monkeypatch):
    family = socket.AF_INET
    dead = (family, socket.SOCK_STREAM, 6, "", ("127.0.0.9", server.port))
    alive = (family, socket.SOCK_STREAM, 6, "", ("127.0.0.1", server.port))
    real = socket.getaddrinfo

    def two(host, *more, **options):
        return [dead, alive] if host == "two.invalid" else real(host, *more, **options)

    monkeypatch.setattr(socket, "getaddrinfo", two)
    stream = Network().connect_tcp("two.invalid", server.port, timeout=5)
    assert stream.get_extra_info("server_addr") == ("127.0.0.1", server.port)
    stream.close()


def test_only_the_newest_hundred_are_kept():
    collector, network = Collector(), Network()
    for number in range(1234):
        collector.add(Transaction(httpx.URL(f"http://h/{number}"), "GET", network, False))
    assert [t.url for t in collector] == [f"http://h/{n}" for n in range(1134, 1234)]


@pytest.mark.parametrize("stop", [0, HALF])
def test_what_was_received_before_a_cut_is_counted(bench, server, resource, body, stop):
    server.answer = resource(body, stop_at=stop)
    failed = bench.fetch(server.url)
    assert failed.code == "truncated"
    [told] = metrics_of(bench, failed)
    assert told.count_of_response_body_bytes_received == stop
