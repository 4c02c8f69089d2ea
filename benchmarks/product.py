"""The whole product as a client sees it: a Jupyter server, tasks by REST, events by the channel."""

from __future__ import annotations

import os
import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import msgspec

from demo.jupyter import Channel, JupyterServer, running_server
from jupyter_bgdl.messages import Delivery, Refused
from jupyter_bgdl.model import (
    PROTOCOL,
    AttachReply,
    AttachRequest,
    EventKind,
    KernelIdentity,
    Request,
    SubmitReply,
    SubmitRequest,
    TaskSpec,
)
from jupyter_bgdl.process import host, process_started

SESSION = "benchmark"


class Product:
    """Owns a session of a running server, as a script does; use :func:`running_product`."""

    def __init__(self, server: JupyterServer, channel: Channel, epoch: int) -> None:
        self.server = server
        self.channel = channel
        self.epoch = epoch

    async def fetch(self, url: str, target: Path) -> None:
        await self.fetch_all([(url, target)])

    async def fetch_all(self, files: Sequence[tuple[str, Path]]) -> None:
        """Submit all at once; until each is committed as done and its event was delivered."""
        specs = [TaskSpec(request=Request(url), destination=str(path)) for url, path in files]
        answer = await self.server.request(
            "POST",
            f"bgdl/sessions/{quote(SESSION)}/tasks",
            msgspec.to_builtins(SubmitRequest(specs)),
        )
        submitted = msgspec.convert(answer, SubmitReply).tasks
        missing = {(item.task.task_identifier, item.task.generation) for item in submitted}
        while missing:
            message = await self.channel.next()
            if isinstance(message, Refused):
                raise RuntimeError(f"{message.code}: {message.message}")
            if not isinstance(message, Delivery):
                continue
            event = message.event
            await self.channel.acknowledge(SESSION, self.epoch, event.sequence)
            if event.kind is EventKind.COMPLETED and event.task:
                if event.task.error:
                    raise RuntimeError(f"a download failed: {event.task.error.message}")
                missing.discard((event.task.task_identifier, event.task.generation))


def identify(directory: Path, incarnation: str) -> KernelIdentity:
    """This process, as a script that works in ``directory``."""
    return KernelIdentity(
        incarnation=incarnation,
        pid=os.getpid(),
        host=host(),
        started=process_started(os.getpid()) or 0.0,
        directory=str(directory),
        inode=directory.stat().st_ino,
        name="benchmarks",
    )


@asynccontextmanager
async def running_product(home: Path, **options: Any) -> AsyncIterator[Product]:
    """A server over ``home`` and a session of it, configured with ``options``. 16 connections, as
    the peers may have."""
    incarnation = secrets.token_hex(8)
    request = AttachRequest(
        protocol=PROTOCOL,
        kernel=identify(home, incarnation),
        configuration={"maximum_connections_per_host": 16, **options},
    )
    async with running_server(home) as server:
        answer = await server.request(
            "POST", f"bgdl/sessions/{quote(SESSION)}/attach", msgspec.to_builtins(request)
        )
        epoch = msgspec.convert(answer, AttachReply).epoch
        async with server.channel(SESSION, incarnation) as channel:
            await channel.deliver(SESSION, epoch)
            yield Product(server, channel, epoch)
