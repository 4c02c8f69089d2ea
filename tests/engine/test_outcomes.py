"""The table of endings is whole, and the engine uses no code that is not in it."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from jupyter_bgdl import engine, errors
from jupyter_bgdl.engine.outcomes import OUTCOMES, Verdict, is_retryable, outcome_of

STATUSES = [401, 403, 404, 410, 418, 429, 500, 503]


def codes_in_the_engine() -> set[str]:
    """First arguments of ``Abort(…)`` and ``.end(…)``, and ``code=`` of ``Failed(…)``."""
    found = set()
    for path in Path(engine.__path__[0]).glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call):
                continue
            name = getattr(node.func, "id", getattr(node.func, "attr", ""))
            candidates = node.args[:1] if name in ("Abort", "end", "_mismatch") else []
            if name in ("Failed", "replace"):
                candidates = [k.value for k in node.keywords if k.arg == "code"]
            for candidate in candidates:
                found |= {n.value for n in ast.walk(candidate) if isinstance(n, ast.Constant)}
    return {code for code in found if isinstance(code, str)}


def test_every_code_of_the_engine_is_in_the_table():
    used = codes_in_the_engine()
    assert {"truncated", "stalled", "worker_died", "size_mismatch"} <= used
    assert used <= set(OUTCOMES), used - set(OUTCOMES)


@pytest.mark.parametrize(
    "outcome", [*OUTCOMES.values(), *(outcome_of("http_status", s) for s in STATUSES)]
)
def test_every_row_is_fit_for_a_person(outcome):
    assert outcome.error in errors.by_code
    assert 1 <= len(outcome.reason.split()) <= 5


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504, 599])
def test_S19_S20_statuses_that_pass(status):
    assert is_retryable(status)
    assert outcome_of("http_status", status).verdict == Verdict.RETRY
    assert outcome_of("http_status", status).tries == 5


@pytest.mark.parametrize("status", [200, 304, 400, 401, 403, 404, 410, 416])
def test_S21_statuses_that_stay(status):
    assert not is_retryable(status)
    assert not outcome_of("http_status", status).transient


def test_R6_a_401_waits_for_credentials():
    assert outcome_of("http_status", 401).verdict == Verdict.CREDENTIALS


def test_an_unknown_code_is_internal():
    assert outcome_of("nonsense").code == "internal"
