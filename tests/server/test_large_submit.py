"""A submit that is answered in pieces says the same as any other."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Attach = Callable[..., dict[str, Any]]
COUNT = 2500


def specs(folder: Path, count: int = COUNT) -> list[dict[str, Any]]:
    """Suspended, and long enough together to count as large."""
    return [
        {
            "request": {"url": f"http://host.test/{'a' * 80}/{number}"},
            "destination": f"{folder}/{number}.bin",
            "resume": False,
        }
        for number in range(count)
    ]


def test_all_are_answered_in_order_and_found_again(
    server: Any, attach: Attach, tmp_path: Path
) -> None:
    attach(server, "large", "one")
    wanted = specs(tmp_path)
    created = server.post("bgdl/sessions/large/tasks", {"tasks": wanted})["tasks"]
    assert [item["match"] for item in created] == ["created"] * COUNT
    assert [item["task"]["destination"] for item in created] == [
        spec["destination"] for spec in wanted
    ]
    again = server.post("bgdl/sessions/large/tasks", {"tasks": wanted[::-1]})["tasks"]
    assert [item["match"] for item in again] == ["found"] * COUNT
    assert [item["task"]["task_identifier"] for item in again] == list(range(COUNT, 0, -1))
    one = server.post("bgdl/sessions/large/tasks", {"tasks": wanted[:1]})["tasks"]
    assert one[0]["task"].keys() == again[0]["task"].keys()


@pytest.mark.parametrize(
    ("name", "status", "code"),
    [("0.bin", 409, "destination_exists"), ("x" * 300, 403, "destination_not_allowed")],
)
def test_one_that_cannot_be_refuses_all(
    server: Any, attach: Attach, tmp_path: Path, name: str, status: int, code: str
) -> None:
    session = f"refused-{status}"
    attach(server, session, "one")
    wanted = specs(tmp_path)
    wanted[-1]["destination"] = f"{tmp_path}/{name}"
    with server.client(X_BGDL_Token=server.credentials["token"]) as client:
        answer = client.post(f"bgdl/sessions/{session}/tasks", json={"tasks": wanted})
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert server.get(f"bgdl/sessions/{session}/tasks")["tasks"] == []
