"""The benchmarks measure what they say and write the form that others read."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest

from benchmarks import (
    checksum,
    cpu_per_gb,
    large_session,
    one_file_http_engine,
    results,
    small_files,
    upload,
    worker_memory,
)
from benchmarks.__main__ import Measure
from benchmarks.bench import MIB, Bench
from benchmarks.figure import Figure, interleave, percentile

_PROGRAMS = ("nginx", "curl", "aria2c", "openssl")


@pytest.fixture
def tiny() -> Bench:
    """One round with files as small as they can be."""
    return Bench(
        rounds=1,
        file_size=4 * MIB,
        limited_size=4 * MIB,
        upload_size=2 * MIB,
        small_files=10,
        endurance=30 * MIB,
        large_session=200,
    )


@pytest.fixture
def programs() -> None:
    for program in _PROGRAMS:
        if not shutil.which(program):
            pytest.skip(f"there is no {program}: `make system` installs it")


def test_a_ratio_above_one_means_that_we_are_better() -> None:
    rate = Figure("rate", "MB/s", 200.0, {"curl": 100.0}, more_is_better=True)
    latency = Figure("latency", "ms", 1.0, {"curl": 2.0}, more_is_better=False)
    assert rate.ratios == {"curl": 2.0}
    assert latency.ratios == {"curl": 2.0}


async def test_the_warm_up_does_not_count_and_turns_are_taken() -> None:
    calls: list[str] = []

    def contestant(name: str) -> object:
        async def run() -> Mapping[str, float]:
            calls.append(name)
            return {"x": float(len(calls))}

        return run

    medians = await interleave(
        {"a": contestant("a"), "b": contestant("b")},  # type: ignore[dict-item]
        3,
        lambda line: None,
    )
    assert calls == ["a", "b", "b", "a", "a", "b", "b", "a"]
    assert medians == {"a": {"x": 5.0}, "b": {"x": 6.0}}


def test_percentiles_are_values_that_were_measured() -> None:
    values = [float(number) for number in range(100)]
    assert percentile(values, 0.5) == 50.0
    assert percentile(values, 0.99) == 99.0
    assert percentile([7.0], 0.99) == 7.0


def test_other_bytes_stop_the_benchmark(tiny: Bench, tmp_path: Path) -> None:
    bench = tiny
    bench.write_source(tmp_path / "source", MIB)
    body = bytearray((tmp_path / "source").read_bytes())
    body[MIB // 2] ^= 1
    (tmp_path / "copy").write_bytes(body)
    with pytest.raises(RuntimeError, match="other bytes"):
        bench.verify(tmp_path / "copy", MIB)


@pytest.mark.usefixtures("programs")
async def test_results_have_the_promised_form(
    tiny: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(results, "LATEST", tmp_path / "latest.json")
    figures = await one_file_http_engine.measure(tiny)
    results.write(figures)
    document = json.loads((tmp_path / "latest.json").read_text())
    assert set(document) == {"machine", "versions", "figures"}
    assert {"python", "nginx", "curl", "aria2", "jupyter_bgdl"} <= set(document["versions"])
    (figure,) = document["figures"]
    assert set(figure) == {"name", "unit", "ours", "peers", "ratios", "measured"}
    assert figure["name"] == "one-file-http-engine"
    assert set(figure["peers"]) == set(figure["ratios"]) >= {"curl", "splice", "aria2"}
    assert "one-file-http-engine" in results.table(figures)


def test_what_was_not_measured_now_stays_unless_it_is_from_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    latest = tmp_path / "latest.json"
    monkeypatch.setattr(results, "LATEST", latest)

    def write(name: str, ours: float) -> dict[str, float]:
        results.write([Figure(name, "s", ours, {"limit": 1.0}, more_is_better=False)])
        rows = json.loads(latest.read_text())["figures"]
        return {row["name"]: row["ours"] for row in rows}

    write("one", 1.0)
    write("other", 2.0)
    assert write("one", 3.0) == {"other": 2.0, "one": 3.0}
    monkeypatch.setattr(results, "machine", lambda: {"cores": 0})
    assert write("other", 4.0) == {"other": 4.0}


async def test_a_session_is_measured_from_its_creation_to_its_restart(tiny: Bench) -> None:
    figures = await large_session.measure(tiny)
    assert tuple(figure.name for figure in figures) == large_session.NAMES
    assert all(figure.ours > 0 and figure.peers["limit"] > 0 for figure in figures)


@pytest.mark.usefixtures("programs")
@pytest.mark.parametrize(
    ("measure", "name", "peer"),
    [
        (small_files.measure_engine, "small-files-engine", "curl"),
        (upload.measure, "upload", "curl"),
        (checksum.measure, "checksum", "bound"),
        (cpu_per_gb.measure, "cpu-per-gb", "splice"),
        (worker_memory.measure, "worker-memory", "limit"),
    ],
)
async def test_the_figures_of_the_engine_are_measured(
    measure: Measure, name: str, peer: str, tiny: Bench
) -> None:
    (figure,) = await measure(tiny)
    assert figure.name == name
    assert figure.ours >= 0
    assert peer in figure.peers
