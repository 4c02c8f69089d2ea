"""Logins and cookies on the way through several hosts. Rows R2, R5 and T10 of the fault table."""

from __future__ import annotations

import base64
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.identical import Arrived

from jupyter_bgdl.engine.credentials import login_for
from jupyter_bgdl.engine.protocol import Ready

DATA, LOGIN, STORE = "127.0.0.1", "127.0.0.2", "127.0.0.3"
EVERYWHERE = "0.0.0.0"


def basic(login: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{login}:{password}".encode()).decode()


def read(report) -> bytes:
    assert isinstance(report, Ready), report
    return Arrived(Path(report.part.path).read_bytes())


@pytest.fixture
def netrc(tmp_path, monkeypatch) -> Iterator[Path]:
    """The file that a worker started from now on finds; it may be written later."""
    path = tmp_path / "netrc"
    monkeypatch.setenv("NETRC", str(path))
    return path


@pytest.fixture
def bench(netrc, own_bench):
    """Its worker knows that file."""
    return own_bench


def at(server, host: str, path: str = "/data.bin") -> str:
    return server.at(path, host=host)


def test_R2_the_earthdata_way_through_the_login_and_back(bench, netrc, make_server, resource, body):
    data, login = make_server(None, EVERYWHERE), make_server(None, EVERYWHERE)
    netrc.write_text(f"machine {LOGIN} login me password hunter2\n")
    good = resource(body)

    def answer(x):
        if x.target.startswith("/callback?code=42"):
            x.reply("302 Found", Location=at(data, DATA), Set_Cookie="session=1; Path=/; HttpOnly")
        elif "session=1" in x.headers.get("cookie", ""):
            good(x)
        else:
            where = at(login, LOGIN, "/authorize?client=7")
            x.reply("302 Found", Location=where, Set_Cookie="state=abc; Path=/")

    def authorize(x):
        if x.headers.get("authorization") != basic("me", "hunter2"):
            x.reply("200 OK", b"<html>please log in", Content_Type="text/html")
            return
        where = at(data, DATA, "/callback?code=42")
        x.reply("302 Found", Location=where, Set_Cookie="remember=1; Path=/")

    data.answer, login.answer = answer, authorize
    assert read(bench.fetch(at(data, DATA))) == body
    assert [x.target for x in data.requests] == ["/data.bin", "/callback?code=42", "/data.bin"]
    assert data.requests[2].headers["cookie"] in (
        "state=abc; session=1",
        "session=1; state=abc",
    )
    assert "authorization" not in str([x.headers for x in data.requests])
    assert "cookie" not in login.requests[0].headers


def test_R2_T10_nothing_that_was_given_reaches_another_origin(
    bench, netrc, make_server, resource, body
):
    netrc.write_text(
        f"machine {DATA} login canary1 password canary2\n"
        f"machine {STORE} login store password right\n"
        "default login canary3 password canary4\n"
    )
    origin, hop, store = (make_server(None, EVERYWHERE) for _ in range(3))
    origin.answer = lambda x: x.reply(
        "302 Found", Location=at(hop, LOGIN), Set_Cookie="a=canary5", Refresh="canary6"
    )
    hop.answer = lambda x: x.reply("302 Found", Location=at(store, STORE))
    store.answer = resource(body)
    given = {"X-Api-Key": "canary7", "cookie": "c=canary8", "Referer": "http://canary9/"}
    url = at(origin, DATA).replace("://", "://user:canary0@")
    assert read(bench.fetch(url, headers=given)) == body
    [first], [second], [third] = origin.requests, hop.requests, store.requests
    assert first.headers["authorization"] == basic("user", "canary0")
    assert first.headers["cookie"] == "c=canary8"
    assert "canary" not in str(second.headers) + str(third.headers)
    assert "authorization" not in second.headers
    assert third.headers["authorization"] == basic("store", "right")
    assert "referer" not in second.headers | third.headers


def test_R2_a_given_cookie_and_those_of_the_host_go_together(bench, make_server, resource, body):
    server = make_server()
    good = resource(body)

    def answer(x):
        if x.number == 1:
            x.reply("302 Found", Location="/again", Set_Cookie="ticket=1")
        else:
            good(x)

    server.answer = answer
    assert read(bench.fetch(server.url, headers={"Cookie": "mine=2"})) == body
    assert server.requests[1].headers["cookie"] == "mine=2; ticket=1"


@pytest.mark.parametrize(
    ("userinfo", "headers", "sent"),
    [
        ("", {}, basic("me", "hunter2")),
        ("", {"authorization": "Bearer given"}, "Bearer given"),
        ("other:one@", {}, basic("other", "one")),
    ],
    ids=["netrc", "header", "userinfo"],
)
def test_what_was_given_wins_over_netrc(
    bench, netrc, server, resource, body, userinfo, headers, sent
):
    netrc.write_text("machine localhost login me password hunter2\n")
    server.answer = resource(body)
    url = server.url.replace("://", "://" + userinfo)
    assert read(bench.fetch(url, headers=headers)) == body
    assert server.requests[0].headers["authorization"] == sent


def test_R3_no_login_goes_over_plain_http_after_https(
    bench, netrc, make_server, authority, resource, body, tls_server, bundle
):
    netrc.write_text("machine localhost login me password hunter2\n")
    secure, plain = tls_server(), make_server()
    secure.answer = lambda x: x.reply("302 Found", Location=plain.url)
    plain.answer = resource(body)
    assert read(bench.fetch(secure.url, ca_bundle=bundle, allow_downgrade=True)) == body
    assert secure.requests[0].headers["authorization"] == basic("me", "hunter2")
    assert "authorization" not in plain.requests[0].headers


def test_a_netrc_file_with_an_error_is_told_of_and_not_quoted(
    bench, netrc, server, resource, body, caplog
):
    netrc.write_text("machine localhost login me password ok\nhunter2 hunter3\n")
    server.answer = resource(body)
    assert read(bench.fetch(server.url)) == body
    assert "authorization" not in server.requests[0].headers
    bench.engine.close(5)
    assert f"{netrc} is not a valid netrc file (line 2)" in caplog.text
    assert "hunter" not in caplog.text


def test_a_netrc_file_is_read_again_when_it_changed(netrc):
    netrc.write_text("machine a.example login one password 1\n")
    assert login_for("a.example", is_home=True) is not None
    assert login_for("b.example", is_home=True) is None
    netrc.write_text("machine b.example login two password 22\ndefault login x password y\n")
    assert login_for("b.example", is_home=False) is not None
    assert login_for("a.example", is_home=True) is not None
    assert login_for("a.example", is_home=False) is None
    netrc.unlink()
    assert login_for("b.example", is_home=True) is None


@pytest.mark.parametrize("status", ["400 Bad Request", "403 Forbidden", "410 Gone"])
def test_R5_a_signed_address_that_expired_is_resolved_again(
    bench, make_server, resource, body, status
):
    origin, store = make_server(), make_server()
    good = resource(body, stop_at=1_500_000)
    refused = threading.Event()

    def redirect(x):  # what it answers comes from a cache, until that has expired, too
        x.reply("302 Found", Location=store.at(f"/x?sig={'new' if refused.is_set() else 'old'}"))

    def answer(x):
        if x.number > 1 and x.target.endswith("sig=old"):
            refused.set()
            x.reply(status, b"<Error>Request has expired</Error>")
        else:
            good(x)

    origin.answer, store.answer = redirect, answer
    assert bench.fetch(origin.url).code == "truncated"
    assert read(bench.resume(origin.url)) == body
    assert store.requests[-1].target == "/x?sig=new"
    assert [x.begin for x in store.requests] == [0] + [1_500_000] * (len(store.requests) - 1)


def test_R5_resolved_again_once_and_not_for_ever(bench, make_server, resource, body):
    origin, store = make_server(), make_server()
    origin.answer = lambda x: x.reply("302 Found", Location=store.at("/x"))
    good = resource(body, stop_at=1_500_000)
    store.answer = lambda x: good(x) if x.number == 1 else x.reply("403 Forbidden")
    bench.fetch(origin.url)
    failed = bench.resume(origin.url)
    assert (failed.code, failed.status_code) == ("http_status", 403)
    assert failed.extents == [(0, 1_500_000)]
    assert len(store.requests) <= 5


def test_R5_another_file_at_the_new_address_is_not_mixed_in(bench, make_server, resource, body):
    origin, store = make_server(), make_server()
    origin.answer = lambda x: x.reply("302 Found", Location=store.at(f"/{x.number}"))
    old, new = resource(body, stop_at=1_500_000), resource(body[::-1], etag='"two"')

    def answer(x):
        if x.number == 1:
            old(x)
        elif x.number == 2:
            x.reply("403 Forbidden")
        else:
            new(x)

    store.answer = answer
    bench.fetch(origin.url)
    assert read(bench.resume(origin.url)) == body[::-1]
