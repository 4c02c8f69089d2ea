"""The websocket: snapshots and state for who watches, events for the owner."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.fileserver import FileServer, content

WINDOW = 64

Attach = Callable[..., dict[str, Any]]


@pytest.fixture
def download(server: Any, files: FileServer, tmp_path: Path) -> Callable[..., list[int]]:
    """``download("session", 3)`` → the identifiers of three tasks for small files."""

    def submit(session: str, number: int = 1, size: int = 100, **behaviour: Any) -> list[int]:
        specs = [
            {
                "request": {"url": files.add(f"{session}-{n}.bin", content(size), **behaviour)},
                "destination": f"{tmp_path}/{session}-{n}.bin",
            }
            for n in range(number)
        ]
        reply = server.post(f"bgdl/sessions/{session}/tasks", {"tasks": specs})
        return [submitted["task"]["task_identifier"] for submitted in reply["tasks"]]

    return submit


async def watched_until_done(socket: Any, session: str, number: int) -> None:
    await socket.until(
        "state",
        lambda m: any(
            s["identifier"] == session and s["counts"]["done"] == number for s in m["sessions"]
        ),
    )


async def test_a_snapshot_then_what_changes(
    server: Any, open_socket: Any, attach: Attach, download: Callable[..., list[int]]
) -> None:
    attach(server, "watched", "one")
    attach(server, "other", "one")
    socket = await open_socket(server)
    await socket.say("hello")
    await socket.say("watch", session="watched")
    snapshot = await socket.next()
    assert snapshot["type"] == "snapshot"
    assert snapshot["watch"] == "watched"
    assert [s["identifier"] for s in snapshot["sessions"]] == ["watched"]
    assert snapshot["tasks"] == []
    download("other")
    [number] = download("watched")
    state = await socket.until(
        "state", lambda m: any(t["state"] == "completed" for t in m["tasks"])
    )
    assert {t["session"] for t in state["tasks"]} == {"watched"}
    assert all(
        t["session"] == "watched" and t["task_identifier"] == number
        for message in socket.seen
        for t in message["tasks"]
    )


async def test_sessions_without_their_tasks(
    server: Any, open_socket: Any, attach: Attach, download: Callable[..., list[int]]
) -> None:
    attach(server, "counted", "one")
    socket = await open_socket(server)
    await socket.say("watch", session=None, tasks=False)
    snapshot = await socket.next()
    assert snapshot["tasks"] is None
    assert "counted" in {s["identifier"] for s in snapshot["sessions"]}
    download("counted", 3)
    await watched_until_done(socket, "counted", 3)
    told = [task["state"] for message in socket.seen[1:] for task in message["tasks"]]
    assert told == ["completed"] * 3


async def test_all_sessions_and_a_removed_task(
    server: Any, open_socket: Any, attach: Attach, download: Callable[..., list[int]]
) -> None:
    attach(server, "first", "one")
    attach(server, "second", "one")
    socket = await open_socket(server)
    await socket.say("watch", session=None)
    snapshot = await socket.next()
    assert {"first", "second"} <= {s["identifier"] for s in snapshot["sessions"]}
    [number] = download("first")
    await watched_until_done(socket, "first", 1)
    server.request("DELETE", f"bgdl/sessions/first/tasks/{number}")
    removed = await socket.until("removed")
    assert removed == {"type": "removed", "session": "first", "task_identifier": number}


async def test_what_is_not_watched_any_more_is_not_sent(
    server: Any, open_socket: Any, attach: Attach
) -> None:
    attach(server, "left", "one")
    socket = await open_socket(server)
    await socket.say("watch", session="left")
    await socket.next()
    await socket.say("unwatch", session="left")
    await socket.say("watch", session="marker")
    assert (await socket.next())["watch"] == "marker"
    attach(server, "left", "two", take_over=True)
    attach(server, "marker", "one")
    state = await socket.until("state")
    assert {s["identifier"] for s in state["sessions"]} == {"marker"}


async def test_progress_comes_at_most_five_times_a_second(
    server: Any, open_socket: Any, attach: Attach, download: Callable[..., list[int]]
) -> None:
    attach(server, "throttled", "one")
    socket = await open_socket(server)
    await socket.say("watch", session="throttled")
    await socket.next()
    download("throttled", 4, 3_000_000, rate=1_000_000)
    times, values = [], set()
    while True:
        message = await socket.until("state")
        times.append(time.monotonic())
        values |= {(t["task_identifier"], t["received"]) for t in message["tasks"]}
        if any(s["counts"]["done"] == 4 for s in message["sessions"]):
            break
    assert len(values) > 12
    seconds = times[-1] - times[0]
    assert seconds > 1.5
    assert len(times) <= seconds * 5 + 2


async def test_E5_events_come_in_order_and_not_too_far_ahead(
    server: Any, open_socket: Any, attach: Attach, download: Callable[..., list[int]]
) -> None:
    epoch = attach(server, "backlog", "one")["epoch"]
    watcher = await open_socket(server)
    await watcher.say("watch", session="backlog")
    numbers = download("backlog", 80)
    await watched_until_done(watcher, "backlog", 80)
    socket = await open_socket(server)
    await socket.say("hello", incarnation="one")
    await socket.say("deliver", session="backlog", epoch=epoch)
    events = [(await socket.until("event"))["event"] for _ in range(WINDOW)]
    await socket.say("watch", session="backlog")
    assert (await socket.next())["type"] == "snapshot", "more events than the window came"
    while events[-1]["kind"] != "session_finished":
        await socket.say(
            "acknowledge", session="backlog", epoch=epoch, sequence=events[-1]["sequence"]
        )
        events.append((await socket.until("event"))["event"])
    sequences = [event["sequence"] for event in events]
    assert sequences == sorted(set(sequences))
    assert not any(event["redelivered"] for event in events)
    for number in numbers:
        kinds = [
            event["kind"]
            for event in events
            if event["task"] and event["task"]["task_identifier"] == number
        ]
        assert kinds == ["finished_downloading", "completed"]


async def test_E1_E2_what_was_not_acknowledged_comes_again(
    server: Any, open_socket: Any, attach: Attach, download: Callable[..., list[int]]
) -> None:
    epoch = attach(server, "again", "one")["epoch"]
    first = await open_socket(server)
    await first.say("deliver", session="again", epoch=epoch)
    download("again")
    sent = [(await first.until("event"))["event"] for _ in range(3)]
    assert [event["kind"] for event in sent] == [
        "finished_downloading",
        "completed",
        "session_finished",
    ]
    await first.say("acknowledge", session="again", epoch=epoch, sequence=sent[0]["sequence"])
    await first.say("watch", session="again")
    await first.until("snapshot")
    first.close()
    second = await open_socket(server)
    await second.say("deliver", session="again", epoch=epoch)
    again = [(await second.until("event"))["event"] for _ in range(2)]
    assert [event["sequence"] for event in again] == [event["sequence"] for event in sent[1:]]
    assert all(event["redelivered"] for event in again)


async def test_E1_two_sockets_of_a_kernel_do_not_both_deliver(
    server: Any, open_socket: Any, attach: Attach, download: Callable[..., list[int]]
) -> None:
    epoch = attach(server, "half-open", "one")["epoch"]
    old, new = await open_socket(server), await open_socket(server)
    for socket in (old, new):
        await socket.say("deliver", session="half-open", epoch=epoch)
        await socket.say("watch", session="half-open")
        await socket.until("snapshot")
    download("half-open")
    assert (await new.until("event"))["event"]["sequence"] > 0
    await watched_until_done(old, "half-open", 1)
    assert not [message for message in old.seen if message["type"] == "event"]


async def test_E6_acknowledging_twice_late_or_wrongly_harms_nothing(
    server: Any, open_socket: Any, attach: Attach, download: Callable[..., list[int]]
) -> None:
    epoch = attach(server, "twice", "one")["epoch"]
    socket = await open_socket(server)
    await socket.say("deliver", session="twice", epoch=epoch)
    download("twice")
    last = [(await socket.until("event"))["event"]["sequence"] for _ in range(3)][-1]
    for sequence in (last - 1, last - 2, last - 1, 0):
        await socket.say("acknowledge", session="twice", epoch=epoch, sequence=sequence)
    await socket.say("acknowledge", session="twice", epoch=epoch - 1, sequence=last)
    refused = await socket.until("refused")
    assert refused["code"] == "session_invalidated"
    await socket.say("watch", session="twice")
    [session] = (await socket.until("snapshot"))["sessions"]
    assert session["undelivered"] == 1
    await socket.say("acknowledge", session="twice", epoch=epoch, sequence=last)
    await socket.say("watch", session="twice")
    [session] = (await socket.until("snapshot"))["sessions"]
    assert session["undelivered"] == 0


async def test_E3_a_parked_event_comes_when_it_is_asked_for(
    server: Any, open_socket: Any, attach: Attach, download: Callable[..., list[int]]
) -> None:
    epoch = attach(server, "parked", "one")["epoch"]
    socket = await open_socket(server)
    await socket.say("deliver", session="parked", epoch=epoch)
    download("parked")
    first, *rest = [(await socket.until("event"))["event"] for _ in range(3)]
    await socket.say(
        "acknowledge",
        session="parked",
        epoch=epoch,
        sequence=first["sequence"],
        parked="Traceback: it raised",
    )
    for event in rest:
        await socket.say("acknowledge", session="parked", epoch=epoch, sequence=event["sequence"])
    await socket.say("watch", session="parked")
    [session] = (await socket.until("snapshot"))["sessions"]
    assert (session["parked"], session["undelivered"]) == (1, 0)
    await socket.say("deliver", session="parked", epoch=epoch, parked=True)
    again = (await socket.until("event"))["event"]
    assert again["task"]["task_identifier"] == first["task"]["task_identifier"]
    assert again["kind"] == "finished_downloading"


@pytest.mark.parametrize("delivering", [True, False], ids=["delivering", "only-attached"])
async def test_E4_the_old_owner_is_told_once(
    server: Any, open_socket: Any, attach: Attach, delivering: bool
) -> None:
    name = f"contested-{delivering}"
    epoch = attach(server, name, "one")["epoch"]
    old = await open_socket(server)
    await old.say("hello", incarnation="one")
    if delivering:
        await old.say("deliver", session=name, epoch=epoch)
    await old.say("watch", session=name)
    await old.until("snapshot")
    taken = attach(server, name, "two", take_over=True)
    assert taken["epoch"] > epoch
    assert await old.until("fenced") == {"type": "fenced", "session": name, "owner": "two.py"}
    await old.say("deliver", session=name, epoch=epoch)
    assert (await old.until("refused"))["code"] == "session_invalidated"
    assert [m["type"] for m in old.seen].count("fenced") == 1


async def test_who_gives_up_a_session_is_not_told_so(
    server: Any, open_socket: Any, attach: Attach
) -> None:
    epoch = attach(server, "given-up", "one")["epoch"]
    socket = await open_socket(server)
    await socket.say("hello", incarnation="one")
    await socket.say("deliver", session="given-up", epoch=epoch)
    await socket.say("watch", session="given-up")
    await socket.until("snapshot")
    server.post("bgdl/sessions/given-up/detach", {"epoch": epoch})
    assert attach(server, "given-up", "two")["is_owner"]
    await socket.until(
        "state",
        lambda m: any((s["owner"] or {}).get("name") == "two.py" for s in m["sessions"]),
    )
    assert "fenced" not in [message["type"] for message in socket.seen]


@pytest.mark.parametrize(
    "text",
    [
        "no json",
        "[]",
        '{"type": "unknown"}',
        '{"type": "watch", "session": 5}',
        '{"type": "watch", "session": ""}',
        '{"type": "watch", "session": "a/b"}',
        '{"type": "deliver", "session": "s"}',
        '{"type": "acknowledge", "session": "s", "epoch": "1", "sequence": 1}',
    ],
)
async def test_a_bad_message_is_refused_and_the_socket_lives(
    server: Any, open_socket: Any, text: str
) -> None:
    socket = await open_socket(server)
    await socket.connection.write_message(text)
    refused = await socket.next()
    assert refused["type"] == "refused"
    assert refused["code"] == "invalid_request"
    await socket.say("watch", session="s")
    assert (await socket.next())["type"] == "snapshot"


async def test_what_does_not_exist_is_refused(server: Any, open_socket: Any) -> None:
    socket = await open_socket(server)
    await socket.say("deliver", session="never-made", epoch=1)
    assert (await socket.next())["code"] in ("not_found", "session_invalidated")


def test_the_channel_wants_a_websocket(server: Any) -> None:
    with server.client(X_BGDL_Token=server.credentials["token"]) as client:
        answer = client.get("bgdl/channel")
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "invalid_request"
