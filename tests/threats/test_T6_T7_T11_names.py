"""Names and addresses that strangers choose: more than 100,000 of them, each really written.

What is written outside of the folder that was asked for is counted over all of them.
"""

from __future__ import annotations

import os
import random
import tempfile
import unicodedata
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote, urlsplit

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import figures

from jupyter_bgdl.engine import addresses
from jupyter_bgdl.engine.names import MAXIMUM_BYTES, safe_name, suggested_name

MANY, BATCH = 100_000, 4000

VECTORS = (
    "../../.ssh/authorized_keys",
    "..\\..\\.bashrc",
    "/etc/cron.d/x",
    "//server/share/x",
    "\\\\server\\share\\x",
    "C:\\Windows\\x.dll",
    "C:x",
    "x/../../../y",
    "..",
    ".",
    "",
    "~",
    "~root/.profile",
    "$HOME/x",
    "`id`",
    "$(id)",
    "; rm -rf ~",
    "-rf",
    "x\0.png",
    "x\r\nSet-Cookie: y",
    "%2e%2e%2fx",
    "%252e%252e%252fx",
    "..%c0%afx",
    "..;/x",
    "．．／x",
    "..∕x",
    "․․/x",
    "x\u202egpj.exe",
    "aux",
    "NUL.txt",
    "com¹.txt",
    "x:stream",
    "x::$DATA",
    "x. . .",
    ".git",
    ".ipynb_checkpoints",
    "a" * 5000,
    "é" * 300,
    "\ud800",
    "\U000e0001x",
)
PIECES = (
    *(
        "..",
        ".",
        "/",
        "\\",
        "%2e",
        "%2f",
        "%5c",
        "%00",
        "\0",
        "~",
        "-",
        " ",
        ":",
        "*",
        "?",
        '"',
        "'",
    ),
    *(
        "a",
        "b.txt",
        "CON",
        "nul",
        ".bashrc",
        "é",
        "e\u0301",
        "．",
        "／",
        "\u202e",
        "\u2028",
        "\r\n",
    ),
    *(";", "=", "`id`", "$(id)", "|", "&", "<", ">", "\ud800", "\x7f", "\t", "C:", "x" * 90),
)


def generated(count: int) -> Iterator[str]:
    """The vectors, then names put together from what is dangerous; the same ones each time."""
    yield from VECTORS
    dice = random.Random(6)
    for _ in range(count - len(VECTORS)):
        yield "".join(dice.choices(PIECES, k=dice.randint(1, 8)))


def quoted(name: str) -> str:
    return name.replace("\\", "\\\\").replace('"', '\\"')


WAYS: tuple[Callable[[str], str], ...] = (
    lambda name: suggested_name("http://h.test/" + name),
    lambda name: suggested_name("http://h.test/" + quote(name, safe="", errors="surrogatepass")),
    lambda name: suggested_name("http://h.test/a", f'attachment; filename="{quoted(name)}"'),
    lambda name: suggested_name("http://h.test/a", f"attachment; filename={name}"),
    lambda name: suggested_name(
        "http://h.test/a",
        f"attachment; filename*=UTF-8''{quote(name, safe='', errors='surrogatepass')}",
    ),
)
"""By which a stranger's name comes in."""


MEMORY = Path("/dev/shm")
"""A disk takes half a minute for the files of this module."""


@pytest.fixture
def top() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as made:
        yield Path(made)


@pytest.fixture
def folder(top: Path) -> Path:
    folder = top / "outside" / "inside"
    folder.mkdir(parents=True)
    return folder


def test_T6_no_name_leads_out_of_the_folder(folder: Path, top: Path) -> None:
    outside: list[object] = []
    names, written = generated(MANY), 0
    for _ in range(MANY // BATCH):
        safe = [
            WAYS[number % len(WAYS)](name)
            for number, name in zip(range(BATCH), names, strict=False)
        ]
        for name in safe:
            # As a download into a folder gets its path: nothing looks at the name again.
            os.close(os.open(f"{folder}/{name}", os.O_WRONLY | os.O_CREAT, 0o600))
        there = {path.name for path in folder.iterdir()}
        outside += there ^ set(safe)
        outside += [name for name in there if not is_visible(name)]
        for name in there:
            (folder / name).unlink()
        outside += [path for path in top.rglob("*") if path not in (folder, folder.parent)]
        written += len(safe)
    assert written == MANY
    figures.count(figures.WRITES, outside)
    assert outside == []


def is_visible(name: str) -> bool:
    hidden = {"Cc", "Cf", "Cs", "Zl", "Zp"}
    return not name.startswith(".") and all(unicodedata.category(c) not in hidden for c in name)


def test_T6_every_vector_by_every_way_is_one_visible_name(folder: Path) -> None:
    outside = []
    for vector in VECTORS:
        for way in WAYS:
            (folder / way(vector)).touch()
        outside += [path for path in folder.parent.rglob("*") if path.parent != folder]
        outside.remove(folder)
    figures.count(figures.WRITES, outside)
    assert outside == []


@given(st.text(st.characters(), max_size=300))
@settings(max_examples=400, deadline=None)
def test_T6_a_safe_name_is_safe_on_posix_and_windows(name: str) -> None:
    safe = safe_name(name)
    assert safe
    assert safe == safe_name(safe)
    assert not set(safe) & set('/\\<>:"|?*')
    assert is_visible(safe)
    assert safe == safe.strip().rstrip(".")
    assert len(safe.encode()) <= MAXIMUM_BYTES
    assert safe.partition(".")[0].strip().lower() not in {
        "con",
        "prn",
        "aux",
        "nul",
        "com1",
        "lpt1",
    }


HOSTS = (
    "http://a.test%2fb.test/",
    "http://a.test%2F@b.test%2f/",
    "http://a.test%40b.test/",
    "http://a.test%00.b.test/",
    "http://a.test\r\n.b.test/",
    "http://a.test\t.b.test/",
    "http://a.test。b.test/",
    "http://a.test．b.test/",
    "http://a.test｡b.test/",
    "http://b.test\\@a.test/",
    "http://a.test\\.b.test/",
    "http://a.test b.test/",
    "http://[::1]99999/",
    "http://[::1]a.test/",
    "http://[::1/",
    "http://a.test:80:81/",
    "http://a.test:8x/",
    "http://a.test:99999/",
    "http://xn--/",
    "http://a.tes＃t/",
    "http://a.test℀b/",
)


@pytest.mark.parametrize("url", HOSTS)
def test_T11_a_host_that_is_read_in_two_ways_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        addresses.parsed(url)
    with pytest.raises(ValueError, match=r"\w"):
        addresses.parsed(url.removeprefix("http:"), httpx.URL("http://home.test/x"))


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("http://user:p%40ss@a.test:81/%2f?%2f#x", "a.test"),
        ("http://bücher.test/é", "bücher.test"),
        ("http://xn--bcher-kva.test/", "bücher.test"),
        ("http://[::1]:80/x", "::1"),
        ("http://127.1/", "127.1"),
        ("http://A.Test:80/", "a.test"),
        ("http://a.test:/x", "a.test"),
    ],
)
def test_T11_other_hosts_are_taken(url: str, host: str) -> None:
    assert addresses.parsed(url).host == host


ATOMS = (
    *("a.test", "b.test", "127.0.0.1", "[::1]", "@", ":", "//", "/", "\\", "#", "?", "%2f", "%40"),
    *(
        "\t",
        "\r\n",
        " ",
        "。",
        "．",
        "｡",
        "ａ",
        "ß",
        "xn--",
        "..",
        ".",
        "user",
        "80",
        "99999",
        "[",
        "]",
    ),
    *(
        "℀",
        "%25eth0",
        "\u200d",
        "é",
        "＠",
        "／",
        "：",
        "？",
        "＃",
        ";",
        "&",
        "=",
        "-",
        "_",
        "*",
        "'",
    ),
)


def test_T11_what_was_taken_has_one_host_for_two_parsers() -> None:
    dice = random.Random(11)
    taken = 0
    for _ in range(40_000):
        start = dice.choice(("http:", "https:", "HTTP:")) + dice.choice(("//", "//", "/"))
        url = start + "".join(dice.choices(ATOMS, k=dice.randint(1, 6)))
        try:
            found = addresses.parsed(url)
        except ValueError:
            continue
        if not found.host:
            continue
        taken += 1
        again = urlsplit(str(found))
        assert again.hostname in (found.host, found.raw_host.decode()), url
        assert again.port == found.port, url
        given = urlsplit(url)
        if url.isascii():
            assert given.hostname in (found.host, found.raw_host.decode()), url
        assert (given.hostname or "").count(".") == found.host.count("."), url
    assert taken > 1000
