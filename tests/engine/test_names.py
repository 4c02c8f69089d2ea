"""File names that strangers suggest. Rows T6 and D11."""

from __future__ import annotations

import pytest

from jupyter_bgdl.engine.names import MAXIMUM_BYTES, disposition_name, safe_name, suggested_name


@pytest.mark.parametrize(
    ("value", "name"),
    [
        ('attachment; filename="a b.txt"', "a b.txt"),
        ("attachment; filename=plain.txt", "plain.txt"),
        ('attachment; FILENAME="x.txt"', "x.txt"),
        ('attachment; filename="quo\\"te.txt"', 'quo"te.txt'),
        ("attachment; filename*=UTF-8''%e2%82%ac%20rates.csv", "€ rates.csv"),
        ("attachment; filename*=iso-8859-1'en'%A3.csv", "£.csv"),
        ("attachment; filename=\"fallback.csv\"; filename*=UTF-8''real.csv", "real.csv"),
        ("attachment; filename*=UTF-8''real.csv; filename=\"fallback.csv\"", "real.csv"),
        ("attachment; filename=\"fallback.csv\"; filename*=UTF-8''%ff", "fallback.csv"),
        ("attachment; filename=\"fallback.csv\"; filename*=klingon''x", "fallback.csv"),
        ('attachment; filename="a%20b.txt"', "a b.txt"),
        ('attachment; filename="a;b.txt"', "a;b.txt"),
        ("inline", None),
        ('attachment; filename=""', None),
    ],
)
def test_T6_content_disposition(value, name):
    assert disposition_name(value) == name


@pytest.mark.parametrize(
    ("given", "safe"),
    [
        ("plain.nc", "plain.nc"),
        ("../../etc/passwd", "passwd"),
        ("..\\..\\boot.ini", "boot.ini"),
        ("C:\\x\\y.txt", "y.txt"),
        (".bashrc", "bashrc"),
        (". .bashrc", "bashrc"),
        ("x\u3000. ", "x"),
        ("...", "download"),
        ("", "download"),
        (".", "download"),
        ("..", "download"),
        ("a/", "a"),
        ("nul\0byte.txt", "nulbyte.txt"),
        ("new\nline.txt", "newline.txt"),
        ("\u202egpj.exe", "gpj.exe"),
        ("trailing. . ", "trailing"),
        ("CON", "_CON"),
        ("con.txt", "_con.txt"),
        ("COM1.tar.gz", "_COM1.tar.gz"),
        ("console.txt", "console.txt"),
        ('a<b>:"|?*.txt', "a_b______.txt"),
        ("e\u0301.txt", "é.txt"),
        ("\ud800x", "x"),
        ("`id`.txt", "`id`.txt"),
    ],
)
def test_D11_safe_names(given, safe):
    assert safe_name(given) == safe
    assert safe_name(safe) == safe


@pytest.mark.parametrize("given", ["x" * 500 + ".tar", "é" * 300 + ".nc", "." * 3 + "y" * 400])
def test_D11_long_names_keep_their_extension(given):
    name = safe_name(given)
    assert len(name.encode()) <= MAXIMUM_BYTES
    assert name.rpartition(".")[2] == given.rpartition(".")[2] or "." not in name
    assert safe_name(name) == name


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://host/a/b.nc?token=secret#x", "b.nc"),
        ("https://host/a%20b.nc", "a b.nc"),
        ("https://host/a/..%2f..%2fb.nc", "b.nc"),
        ("https://host/folder/", "folder"),
        ("https://host/", "download"),
        ("https://host", "download"),
    ],
)
def test_names_from_urls(url, name):
    assert suggested_name(url) == name


def test_a_disposition_that_gives_no_name_leaves_it_to_the_url():
    assert suggested_name("https://host/b.nc", 'attachment; filename=".."') == "b.nc"
