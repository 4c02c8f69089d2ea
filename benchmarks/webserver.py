"""A real nginx on loopback that serves a folder."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

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
  client_body_temp_path {work}/body;
  proxy_temp_path {work}/proxy;
  fastcgi_temp_path {work}/fastcgi;
  uwsgi_temp_path {work}/uwsgi;
  scgi_temp_path {work}/scgi;
  server {{ listen 127.0.0.1:{port}; root {root}; }}
}}
"""


def find_nginx() -> str:
    """Its path; raises :class:`RuntimeError` where there is none."""
    path = shutil.which("nginx", path=os.environ["PATH"] + ":/usr/sbin:/sbin")
    if not path:
        raise RuntimeError("nginx is needed to serve the files; `make system` installs it")
    return path


@contextmanager
def nginx(root: Path, work: Path) -> Iterator[str]:
    """Serve ``root``; yields the base URL. ``work`` gets the configuration and the logs."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    # Started as root, its workers would run as somebody who may not read a private folder.
    user = "user root;" if os.geteuid() == 0 else ""
    file = work / "nginx.conf"
    file.write_text(CONFIGURATION.format(user=user, work=work, root=root, port=port))
    command = [find_nginx(), "-p", str(work), "-e", str(work / "error.log"), "-c", str(file)]
    # It goes into the background once it listens, so when this returns it is ready.
    subprocess.run(command, check=True)
    try:
        yield f"http://127.0.0.1:{port}/"
    finally:
        subprocess.run([*command, "-s", "stop"], check=True)
