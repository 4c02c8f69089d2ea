"""The bundle for whoever looks for a fault: what it has, and what it must not have."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from support.fileserver import FileServer, content

CANARY = "canary-d1a6"


def test_it_has_the_facts_and_no_secret(
    server: Any, files: FileServer, attach: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    attach(
        server,
        "diagnosed",
        "one",
        configuration={
            "additional_headers": {"X-Key": f"{CANARY}-key", "X-Env": "env:KEY"},
            "discretionary": False,
        },
    )
    session = "bgdl/sessions/diagnosed"
    server.post(f"{session}/environment", {"values": {"KEY": f"{CANARY}-environment"}})
    server.post(f"{session}/log", {"text": f"a callback printed {CANARY}-printed"})
    files.add("login.bin", content(10), status=401)
    files.add("missing.bin", content(10), status=404)
    for name in ("login.bin", "missing.bin"):
        url = files.url(name).replace("//", f"//user:{CANARY}-userinfo@") + f"?sig={CANARY}-query"
        request = {"url": url, "headers": {"Authorization": f"Bearer {CANARY}-header"}}
        spec = {"request": request, "destination": f"{tmp_path}/{name}", "key": f"{CANARY}-key"}
        spec["key"] += name
        server.post(f"{session}/tasks", {"tasks": [spec]})

    def told() -> dict[str, Any]:
        document = server.get("bgdl/diagnose")
        return next(s for s in document["sessions"] if s["view"]["identifier"] == "diagnosed")

    server._until(lambda: told()["waiting"] and told()["failed"], "both were refused")
    document = server.get("bgdl/diagnose")
    text = json.dumps(document)
    assert CANARY not in text
    assert server.credentials["token"] not in text
    assert document["versions"]["jupyter_server"]
    assert document["ledger"]["owner"]["pid"] == server.pid
    assert document["limits"]["max_active_tasks"] == 8
    assert "on_battery" in document["conditions"]
    found = told()
    assert found["waiting"] == [
        {"waiting_for": "credentials", "reason": "Needs credentials", "tasks": 1, "first": 1}
    ]
    assert [kind["error_code"] for kind in found["failed"]] == ["http_status"]
    assert found["environment"] == ["KEY"]
    log = [line["text"] for line in found["log"]]
    assert "login.bin: Needs credentials" in log
    assert not any("printed" in line for line in log)


def test_a_task_explains_itself(
    server: Any, files: FileServer, attach: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    attach(server, "explained", "one")
    spec = {"request": {"url": files.url("x")}, "destination": f"{tmp_path}/x", "resume": False}
    server.post("bgdl/sessions/explained/tasks", {"tasks": [spec]})
    told = server.get("bgdl/sessions/explained/tasks/1/explain")
    assert (told["state"], told["help"]) == ("suspended", ["task.resume()"])
