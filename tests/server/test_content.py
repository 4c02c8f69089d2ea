"""What a foreign server answered to an upload is handed out as bytes, and never shown."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from support.uploads import UploadServer, take

PAGE = b"<script>alert(1)</script>"


def test_T18_the_answer_to_an_upload_never_runs_in_this_origin(
    server: Any, identity: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    source = tmp_path / "result.bin"
    source.write_bytes(b"x")
    session = "bgdl/sessions/contents"
    token = server.credentials["token"]
    with UploadServer() as other, server.client(X_BGDL_Token=token) as client:
        other.answer = lambda x: (
            take(x) if x.method == "OPTIONS" else x.reply("200 OK", PAGE, Content_Type="text/html")
        )
        client.post(f"{session}/attach", json={"protocol": 1, "kernel": identity("contents")})
        spec = {"request": {"url": other.url, "method": "PUT"}, "from_file": str(source)}
        answer = client.post(f"{session}/tasks", json={"tasks": [spec]})
        assert answer.status_code == 200, answer.text
        deadline = time.monotonic() + 30
        while client.get(f"{session}/tasks/1").json()["state"] != "completed":
            assert time.monotonic() < deadline
            time.sleep(0.02)
        answer = client.get(f"{session}/tasks/1/content")
    assert (answer.status_code, answer.content) == (200, PAGE)
    assert answer.headers["Content-Type"] == "application/octet-stream"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Content-Disposition"].startswith("attachment")
    assert "sandbox" in answer.headers["Content-Security-Policy"]
