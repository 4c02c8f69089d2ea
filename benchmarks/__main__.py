"""Run the figures that were asked for, print a table, write ``results/latest.json``."""

from __future__ import annotations

import asyncio
import signal
import sys
from argparse import ArgumentParser
from collections.abc import Awaitable, Callable

from benchmarks import (
    bar_latency,
    checksum,
    cpu_per_gb,
    handler_latency,
    kernel_import,
    large_session,
    one_file_http,
    one_file_http_engine,
    one_file_https,
    page_load,
    results,
    segments,
    small_files,
    upload,
    worker_memory,
)
from benchmarks.bench import Bench
from benchmarks.figure import Figure

Measure = Callable[[Bench], Awaitable[list[Figure]]]

FIGURES: dict[str, Measure] = {
    one_file_http_engine.NAME: one_file_http_engine.measure,
    "one-file-http": one_file_http.measure_disk,
    "one-file-http-tmpfs": one_file_http.measure_memory,
    one_file_https.NAME: one_file_https.measure,
    segments.NAME: segments.measure,
    "small-files": small_files.measure_product,
    "small-files-engine": small_files.measure_engine,
    upload.NAME: upload.measure,
    checksum.NAME: checksum.measure,
    cpu_per_gb.NAME: cpu_per_gb.measure,
    worker_memory.NAME: worker_memory.measure,
    "handler-latency-p50": handler_latency.measure,
    "handler-latency-p99": handler_latency.measure,
    kernel_import.NAME: kernel_import.measure,
    **dict.fromkeys(large_session.NAMES, large_session.measure),
    bar_latency.NAME: bar_latency.measure,
    **dict.fromkeys(page_load.NAMES, page_load.measure),
}
"""By name. Figures with the same function are measured in the same run."""


async def measure(bench: Bench, names: list[str]) -> list[Figure]:
    figures: list[Figure] = []
    for function in dict.fromkeys(FIGURES[name] for name in names):
        bench.say(", ".join(name for name in names if FIGURES[name] is function))
        figures += [figure for figure in await function(bench) if figure.name in names]
    return figures


def main() -> None:
    parser = ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="figure", help=", ".join(FIGURES))
    parser.add_argument("--quick", action="store_true", help="smaller files, fewer rounds")
    arguments = parser.parse_args()
    if unknown := set(arguments.names) - set(FIGURES):
        parser.error(f"no such figure: {', '.join(sorted(unknown))}")
    # Stopped by whoever runs us, we still stop what we started.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    bench = Bench.quick() if arguments.quick else Bench.thorough()
    try:
        figures = asyncio.run(measure(bench, arguments.names or list(FIGURES)))
    except RuntimeError as error:
        sys.exit(f"benchmarks: {error}")
    except KeyboardInterrupt:
        sys.exit("benchmarks: stopped")
    results.write(figures)
    print(results.table(figures))
    print(f"written to {results.LATEST}")


if __name__ == "__main__":
    main()
