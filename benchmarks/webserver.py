"""A real nginx on loopback that serves a folder."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import trustme

CONFIGURATION = """
{user}
worker_processes auto;
pid {work}/nginx.pid;
error_log {work}/error.log;
events {{ worker_connections 1024; }}
http {{
  access_log off;
  sendfile on;
  tcp_nopush on;
  default_type application/octet-stream;
  client_max_body_size 0;
  client_body_temp_path {work}/body;
  proxy_temp_path {work}/proxy;
  fastcgi_temp_path {work}/fastcgi;
  uwsgi_temp_path {work}/uwsgi;
  scgi_temp_path {work}/scgi;
  server {{ listen 127.0.0.1:{port}{ssl}; root {root}; {directives} }}
}}
"""


@dataclass(frozen=True)
class Site:
    """What is served how. ``rate`` is in bytes a second on each connection; ``uploads`` lets
    ``PUT`` make files."""

    root: Path
    is_tls: bool = False
    rate: int | None = None
    uploads: bool = False


def find_nginx() -> str:
    """Its path; raises :class:`RuntimeError` where there is none."""
    path = shutil.which("nginx", path=os.environ["PATH"] + ":/usr/sbin:/sbin")
    if not path:
        raise RuntimeError("nginx is needed to serve the files; `make system` installs it")
    return path


def ca_bundle(work: Path) -> Path:
    """Where the certificate of the authority stands that a TLS site's own is signed with."""
    return work / "ca.pem"


@contextmanager
def nginx(root: Path | Site, work: Path) -> Iterator[str]:
    """Serve it; yields the base URL. ``work`` gets the configuration and the logs."""
    site = Site(root) if isinstance(root, Path) else root
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    directives = []
    if site.is_tls:
        directives += _certificate(work)
    if site.rate is not None:
        directives += [f"limit_rate {site.rate};"]
    if site.uploads:
        directives += ["dav_methods PUT;"]
    file = work / "nginx.conf"
    file.write_text(
        CONFIGURATION.format(
            # Started as root, its workers would run as somebody who may not read a private folder.
            user="user root;" if os.geteuid() == 0 else "",
            work=work,
            root=site.root,
            port=port,
            ssl=" ssl" if site.is_tls else "",
            directives=" ".join(directives),
        )
    )
    command = [find_nginx(), "-p", str(work), "-e", str(work / "error.log"), "-c", str(file)]
    # It goes into the background once it listens, so when this returns it is ready.
    subprocess.run(command, check=True)
    try:
        yield f"{'https' if site.is_tls else 'http'}://127.0.0.1:{port}/"
    finally:
        subprocess.run([*command, "-s", "stop"], check=True)


def _certificate(work: Path) -> list[str]:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(ca_bundle(work)))
    own = authority.issue_cert("127.0.0.1")
    own.private_key_and_cert_chain_pem.write_to_path(str(work / "own.pem"))
    return [f"ssl_certificate {work}/own.pem;", f"ssl_certificate_key {work}/own.pem;"]
