"""The served document, the handlers and the answers say the same."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate
from support.fileserver import FileServer, content
from tornado.web import RequestHandler

from jupyter_bgdl import errors
from jupyter_bgdl.server.extension import BackgroundTransfers

VERBS = ("get", "head", "post", "put", "patch", "delete")


@pytest.fixture(scope="module")
def document(server: Any) -> dict[str, Any]:
    return server.get("bgdl/openapi.json")  # type: ignore[no-any-return]


def test_it_is_valid(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1")
    validate(document)


def test_it_has_every_handler_and_no_other(document: dict[str, Any]) -> None:
    app = BackgroundTransfers()
    app.initialize_handlers()
    handled = set()
    for pattern, handler, *_ in app.handlers:
        if pattern.endswith(".*"):
            continue
        path = re.sub(r"\(\?P<(\w+)>.*?\)", r"{\1}", pattern).replace("\\", "")
        handled |= {
            (path, verb)
            for verb in VERBS
            if getattr(handler, verb) is not getattr(RequestHandler, verb)
        }
    documented = {(path, verb) for path, verbs in document["paths"].items() for verb in verbs}
    assert documented == handled


def test_every_code_it_names_is_an_error(document: dict[str, Any]) -> None:
    for verbs in document["paths"].values():
        for operation in verbs.values():
            for status, response in operation["responses"].items():
                if status not in ("101", "200", "204"):
                    for code in re.split(r" or |: .*", response["description"]):
                        assert not code or code in errors.by_code


class Checked:
    """Holds each answer of a server against the document."""

    def __init__(self, server: Any, document: dict[str, Any]) -> None:
        self.server = server
        self.document = document
        self.called: set[str] = set()

    def __call__(self, method: str, path: str, body: Any = None) -> Any:
        template, operation = self._find(method, path)
        with self.server.client(X_BGDL_Token=self.server.credentials["token"]) as client:
            answer = client.request(method, path.lstrip("/"), json=body)
        assert str(answer.status_code) in operation["responses"], (template, answer.text)
        self.called.add(operation["operationId"])
        described = operation["responses"][str(answer.status_code)]
        if "content" not in described:
            assert not answer.content
            return None
        assert answer.headers["Content-Type"] == "application/json"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        schema = described["content"]["application/json"]["schema"]
        schema = {**schema, "components": self.document["components"]}
        Draft202012Validator(schema).validate(answer.json())
        return answer.json()

    def _find(self, method: str, path: str) -> tuple[str, dict[str, Any]]:
        for template, verbs in self.document["paths"].items():
            pattern = re.sub(r"\\{\w+\\}", "[^/]+", re.escape(template))
            if re.fullmatch(pattern, path.partition("?")[0]) and method.lower() in verbs:
                return template, verbs[method.lower()]
        raise AssertionError(f"{method} {path} is not in the document")


def _call_launches(call: Checked, session: str) -> None:
    launch = f"{session}/launch"
    assert call("GET", launch)["error"]["code"] == "launch_error"
    body = {"path": "open api.ipynb", "name": "open api.ipynb", "type": "notebook"}
    started = call.server.post("api/sessions", {**body, "kernel": {"name": "python3"}})
    cell = {"kernel_id": started["kernel"]["id"], "source": "1 + 1"}
    assert call("POST", launch, {**cell, "target": "a:b"})["error"]["code"] == "invalid_request"
    assert call("POST", launch, {**cell, "kernel_id": "0"})["error"]["code"] == "launch_error"
    assert call("POST", launch, cell)["notebook"] == "open api.ipynb"
    assert call("GET", launch)["source"] == "1 + 1"
    assert call("GET", session)["launch"]["enabled"]
    assert call("POST", f"{launch}/check", cell) == {"status": "ok", "output": "2\n"}
    assert call("POST", f"{launch}/switch", {"enabled": False})["enabled"] is False
    call("POST", f"{launch}/run")
    call("POST", f"{launch}/completed")
    call("DELETE", launch)
    call.server.request("DELETE", f"api/sessions/{started['id']}")


def test_real_answers_are_as_it_says(
    server: Any,
    document: dict[str, Any],
    files: FileServer,
    identity: Callable[..., dict[str, Any]],
    tmp_path: Any,
) -> None:
    call = Checked(server, document)
    session = "/bgdl/sessions/open%20api"
    call("GET", "/bgdl")
    call("GET", "/bgdl/openapi.json")
    assert call("GET", session)["error"]["code"] == "not_found"
    attached = call("POST", f"{session}/attach", {"protocol": 1, "kernel": identity("a")})
    assert attached["created"]
    assert attached["is_owner"]
    call("POST", f"{session}/attach", {"protocol": 99, "kernel": identity("a")})
    call("GET", "/bgdl/sessions")
    assert call("GET", session)["identifier"] == "open api"
    url = files.add("a.bin", content(1000))
    spec = {"request": {"url": url}, "destination": f"{tmp_path}/a.bin", "resume": False}
    submitted = call("POST", f"{session}/tasks", {"tasks": [spec]})["tasks"][0]
    assert submitted["match"] == "created"
    task = f"{session}/tasks/{submitted['task']['task_identifier']}"
    assert call("GET", f"{session}/tasks?limit=1&completed=false")["tasks"]
    assert call("GET", f"{session}/tasks?limit=0")["error"]["code"] == "invalid_request"
    assert call("GET", task)["state"] == "suspended"
    assert call("GET", f"{session}/tasks/999")["error"]["code"] == "not_found"
    assert call("GET", f"{task}/metrics")["attempts"] == 0
    assert call("GET", f"{task}/content")["error"]["code"] == "invalid_request"
    call("POST", f"{task}/suspend")
    assert call("PATCH", task, {"priority": 0.9})["priority"] == 0.9
    assert call("PATCH", task, {"priority": 9})["error"]["code"] == "invalid_request"
    call("POST", f"{task}/resume")
    assert call("POST", f"{task}/answer", {"to": "challenge", "generation": 1})["generation"] == 1
    assert call("GET", f"{task}/explain")["why"]
    assert call("POST", f"{session}/suspend")["counts"]["waiting"] == 0
    call("POST", f"{session}/resume")
    assert call("POST", f"{session}/redeliver")["parked"] == 0
    assert call("GET", "/bgdl/diagnose")["sessions"]
    call("POST", f"{session}/environment", {"values": {"NAME": "value"}})
    call("POST", f"{task}/cancel")
    call("POST", f"{task}/retry")
    call("POST", f"{task}/moved", {"path": f"{tmp_path}/b.bin"})
    call("POST", f"{task}/cancel")
    assert call("POST", f"{task}/resume-data")["resume_data"] is None
    wrong = {"resume_data": "unknown"}
    assert call("POST", f"{session}/resumed", wrong)["error"]["code"] == "invalid_resume_data"
    call("DELETE", task)
    _call_launches(call, session)
    call("POST", f"{session}/log", {"text": "hello"})
    assert call("GET", f"{session}/log?after=0")["lines"]
    call("POST", f"{session}/invalidate", {"epoch": attached["epoch"], "cancel": True})
    assert call("POST", f"{session}/tasks", {"tasks": [spec]})["error"]["code"] == (
        "session_invalidated"
    )
    call("POST", f"{session}/detach", {"epoch": attached["epoch"]})
    assert "open api" in [one["session"] for one in call("GET", "/bgdl/usage")["sessions"]]
    assert call("POST", "/bgdl/clean", {"session": "open api"}) == {"tasks": 0, "freed": 0}
    call("DELETE", session)
    assert call("POST", "/bgdl/clean", {"session": "open api"})["error"]["code"] == "not_found"
    operations = {o["operationId"] for v in document["paths"].values() for o in v.values()}
    assert call.called == operations - {"channel"}


def test_nothing_generated_from_it_breaks_the_server(server: Any, tmp_path: Path) -> None:
    """Over 1,000 requests, right and wrong ones: no 5xx, and no status that is not documented."""
    done = subprocess.run(
        [
            *(Path(sys.executable).with_name("schemathesis"), "run"),
            server.url + "bgdl/openapi.json",
            *("--header", f"Authorization: token {server.token}"),
            *("--checks", "not_a_server_error,status_code_conformance"),
            *("--phases", "examples,coverage,fuzzing", "--max-examples", "5"),
            *("--seed", "1", "--generation-database", "none", "--no-color"),
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-5000:]
    generated = re.search(r"(\d+) generated, (\d+) passed", done.stdout)
    assert generated, done.stdout[-5000:]
    assert int(generated[1]) == int(generated[2]) > 1000
