"""Kernels reach their server wherever it listens, and whatever it asks of a person."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest
import trustme
from jupyter_server.auth.security import passwd
from support.fileserver import FileServer, content
from support.jupyter import TOKEN, CellError, Kernel
from support.serving import ENABLED, Server

pytestmark = pytest.mark.slow

CELL = """
import jupyter_bgdl as bgdl
session = bgdl.background_session("reached")
task = session.download({url!r}, to={to!r})
print(task.result(timeout=60))
"""


class Elsewhere(Server):
    """Started without being asked anything: it may speak TLS, or not know the tests' token. Its
    kernels are started by a client of the test's own."""

    def __enter__(self) -> Elsewhere:
        self.start()
        return self

    def _answers(self, info: Path) -> bool:
        try:
            self.url = json.loads(info.read_text())["url"].replace("localhost", "127.0.0.1")
            return self.credentials_path.exists()
        except ValueError:
            return False


def works(kernel: Any, files: FileServer, folder: Path) -> None:
    """A session does its work from a cell."""
    url = files.add("reached.bin", content(200_000))
    kernel.run(CELL.format(url=url, to=f"{folder}/reached.bin"))
    assert (folder / "reached.bin").read_bytes() == content(200_000)


def hash_password(password: str) -> str:
    return str(passwd(password))  # type: ignore[no-untyped-call]


def start_kernel(server: Server, client: httpx.Client) -> Kernel:
    """Asked for with whatever ``client`` is logged in by."""
    if "_xsrf" in client.cookies:
        client.headers["X-XSRFToken"] = client.cookies["_xsrf"]
    answer = client.post(server.url + "api/kernels", json={"name": "python3"})
    assert answer.status_code == 201, answer.text
    return Kernel(server, answer.json()["id"])


def by_token(**options: Any) -> httpx.Client:
    headers = {"Authorization": f"token {TOKEN}"}
    return httpx.Client(headers=headers, trust_env=False, timeout=30, **options)


def test_a_server_bound_to_an_address_and_below_a_base_url(
    tmp_path: Path, files: FileServer
) -> None:
    arguments = (ENABLED, "--ServerApp.ip=127.0.0.2", "--ServerApp.base_url=/below/it/")
    with Elsewhere(tmp_path / "jupyter", arguments=arguments) as server:
        server.url = server.credentials["url"]
        with by_token() as client:
            kernel = start_kernel(server, client)
        with closing(kernel):
            works(kernel, files, tmp_path)


def test_a_server_with_a_password_and_no_token(tmp_path: Path, files: FileServer) -> None:
    hashed = f"--PasswordIdentityProvider.hashed_password={hash_password('a password')}"
    with Elsewhere(tmp_path / "jupyter", arguments=(ENABLED, hashed), token="") as server:
        with httpx.Client(trust_env=False, timeout=30) as client:
            client.get(server.url + "login")
            form = {"password": "a password", "_xsrf": client.cookies["_xsrf"]}
            assert client.post(server.url + "login", data=form).status_code == 302
            kernel = start_kernel(server, client)
        with closing(kernel):
            works(kernel, files, tmp_path)
        with httpx.Client(trust_env=False) as stranger:
            assert stranger.get(server.url + "bgdl/sessions").status_code == 403


@pytest.mark.parametrize("is_self_signed", [True, False], ids=["self-signed", "authority"])
def test_a_server_that_speaks_tls_is_known_by_its_very_certificate(
    tmp_path: Path, files: FileServer, is_self_signed: bool
) -> None:
    authority = trustme.CA()
    own, other = (authority.issue_cert("hub.example.org") for _ in range(2))
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    if is_self_signed:
        certificate.write_bytes(authority.cert_pem.bytes())
        key.write_bytes(authority.private_key_pem.bytes())
    else:  # As administrators do it: the chain, to its end.
        chain = [*own.cert_chain_pems, authority.cert_pem]
        certificate.write_bytes(b"".join(pem.bytes() for pem in chain))
        key.write_bytes(own.private_key_pem.bytes())
    arguments = (ENABLED, f"--ServerApp.certfile={certificate}", f"--ServerApp.keyfile={key}")
    with Elsewhere(tmp_path / "jupyter", arguments=arguments) as server:
        with by_token(verify=False) as client:
            kernel = start_kernel(server, client)
        with closing(kernel):
            works(kernel, files, tmp_path)
        # Another one, of the same authority: as if that one's holder stood in the server's place.
        chain = [*other.cert_chain_pems, authority.cert_pem]
        wrong = tmp_path / "wrong.pem"
        wrong.write_bytes(b"".join(pem.bytes() for pem in chain))
        credentials = {**server.credentials, "certificate": str(wrong)}
        server.credentials_path.write_text(json.dumps(credentials))
        with by_token(verify=False) as client:
            fooled = start_kernel(server, client)
        with closing(fooled), pytest.raises(CellError, match="certificate"):
            works(fooled, files, tmp_path)


def test_the_environments_proxy_is_for_transfers_and_not_for_the_server(
    tmp_path: Path, files: FileServer
) -> None:
    proxy = f"http://127.0.0.1:{files.port}"
    names = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
    environment = dict.fromkeys((*names, *(n.lower() for n in names)), proxy) | {"NO_PROXY": ""}
    server = Elsewhere(tmp_path / "jupyter", arguments=(ENABLED,), environment=environment)
    files.add("reached.bin", content(200_000))
    with server:
        with by_token() as client:
            kernel = start_kernel(server, client)
        with closing(kernel):
            to = tmp_path / "reached.bin"
            kernel.run(CELL.format(url="http://data.example.org/reached.bin", to=str(to)))
    assert to.read_bytes() == content(200_000)
    assert {r["host"] for r in files["reached.bin"].requests} == {"data.example.org"}


def test_a_server_on_a_unix_socket_says_that_kernels_cannot_reach_it(
    tmp_path_factory: pytest.TempPathFactory, files: FileServer
) -> None:
    home = tmp_path_factory.mktemp("s")
    sock = home / "s"  # Its path may have 107 bytes at most.
    arguments = (ENABLED, f"--ServerApp.sock={sock}")
    with Elsewhere(home / "j", arguments=arguments, port=None) as server:
        transport = httpx.HTTPTransport(uds=str(sock))
        server.url = "http://localhost/"
        with by_token(transport=transport) as client:
            kernel = start_kernel(server, client)
        with closing(kernel), pytest.raises(CellError, match=r"ServerNotFound: .*Unix socket"):
            works(kernel, files, home)
