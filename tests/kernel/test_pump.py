"""Jobs reach the main thread between cells, or where the user waits, and never elsewhere."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from typing import Any

import pytest

Kernel = Any

SETUP = """
import asyncio, threading, time
from jupyter_bgdl.kernel.pump import get_pump
from jupyter_bgdl.kernel.kernel_pump import KernelPump
pump = get_pump()
assert isinstance(pump, KernelPump) and get_pump() is pump
log = []
def job(name):
    def run():
        assert threading.current_thread() is threading.main_thread()
        log.append(name)
        print(f"ran {name} end", flush=True)
    return run
def post(name):
    thread = threading.Thread(target=pump.post, args=(job(name),))
    thread.start()
    thread.join()
"""


def test_a_job_posted_in_the_first_cell_waits_for_its_end(kernel: Kernel) -> None:
    text = kernel.run(SETUP + "post('first'); time.sleep(0.3); print('during', log)")
    assert "during []" in text
    kernel.printed("ran first end")


def test_a_job_posted_in_the_first_cell_waits_while_it_awaits(kernel: Kernel) -> None:
    text = kernel.run(SETUP + "post('first'); await asyncio.sleep(0.5); print('during', log)")
    assert "during []" in text
    kernel.printed("ran first end")


def test_an_idle_kernel_runs_a_job_at_once_and_says_busy(kernel: Kernel) -> None:
    kernel.run(SETUP)
    kernel.run("threading.Timer(0.2, post, ['idle']).start()")
    before = len(kernel.messages)
    kernel.printed("ran idle end")
    kernel.expect(lambda: _states(kernel, before) == ["busy", "idle"])


def test_a_pump_made_outside_any_cell_runs_jobs(kernel: Kernel) -> None:
    kernel.run("import asyncio\nasync def later():\n    exec(SETUP, globals()); post('task')\n")
    kernel.run(f"SETUP = {SETUP!r}\nt = asyncio.create_task(later())")
    kernel.printed("ran task end")


def test_a_nested_run_cell_lets_no_job_into_the_outer_cell(kernel: Kernel) -> None:
    kernel.run(SETUP)
    text = kernel.run(
        "get_ipython().run_cell('post(1)'); get_ipython().run_cell('')\n"
        "await asyncio.sleep(0.5); print('during', log)"
    )
    assert "during []" in text
    kernel.printed("ran 1 end")


def test_a_subshell_lets_no_job_into_the_awaiting_cell(kernel7: Kernel) -> None:
    kernel7.run(SETUP)
    control = kernel7.client.session.msg("create_subshell_request")
    kernel7.client.control_channel.send(control)
    while (reply := kernel7.client.get_control_msg(timeout=20))["msg_type"] != (
        "create_subshell_reply"
    ):
        pass
    main = kernel7.send("print('started'); await asyncio.sleep(1.5); print('during', log)")
    kernel7.printed("started")
    message = kernel7.client.session.msg(
        "execute_request", {"code": "post('sub')", "silent": False, "store_history": False}
    )
    message["header"]["subshell_id"] = reply["content"]["subshell_id"]
    kernel7.client.shell_channel.send(message)
    kernel7.ended(message["header"]["msg_id"])
    assert "idle" not in kernel7.states(main)
    kernel7.ended(main)
    assert "during []" in kernel7.text(main)
    kernel7.printed("ran sub end")


def test_a_silent_cell_is_a_cell(kernel: Kernel) -> None:
    kernel.run(SETUP)
    kernel.run("post('silent'); await asyncio.sleep(0.5); during = list(log)", silent=True)
    kernel.printed("ran silent end")
    assert "[]" in kernel.run("print(during)")


def test_an_awaiting_cell_that_waits_for_something_else_gets_no_job(kernel: Kernel) -> None:
    kernel.run(SETUP)
    text = kernel.run(
        "threading.Timer(0.1, post, ['a']).start(); await asyncio.sleep(0.6); print('during', log)"
    )
    assert "during []" in text
    kernel.printed("ran a end")


def test_jobs_keep_their_order_behind_queued_cells(kernel: Kernel) -> None:
    kernel.run(SETUP)
    cells = [
        kernel.send(f"post({n}); await asyncio.sleep(0.1); late = list(log); time.sleep(0.05);"
                    "print('same', late == log)")
        for n in range(4)
    ]  # fmt: skip
    for cell in cells:
        kernel.ended(cell)
        assert "same True" in kernel.text(cell)
    kernel.printed("ran 3 end")
    assert "[0, 1, 2, 3]" in kernel.run("print(log)")


def test_a_cell_that_raises_ends_like_any_other(kernel: Kernel) -> None:
    kernel.run(SETUP)
    for code in ("post('r1'); 1 / 0", "post('r2'); await asyncio.sleep(0); 1 / 0", "post('r3'); ("):
        kernel.ended(kernel.send(code))
    kernel.run("post('r4')")
    kernel.printed("ran r4 end")
    assert "['r1', 'r2', 'r4']" in kernel.run("print(log)")


def test_stop_reaches_a_job_between_cells_and_later_jobs_run(kernel: Kernel) -> None:
    kernel.run(SETUP)
    kernel.run(
        "def long():\n"
        "    try: print('long began', flush=True); time.sleep(60)\n"
        "    except KeyboardInterrupt: print('long interrupted', flush=True)\n"
        "pump.post(long); post('later')"
    )
    before = len(kernel.messages)
    kernel.printed("long began")
    started = time.monotonic()
    kernel.interrupt()
    kernel.printed("ran later end")
    assert time.monotonic() - started < 5
    assert "long interrupted" in kernel.text()
    kernel.expect(lambda: _states(kernel, before)[:1] == ["busy"])


def test_a_job_that_raises_is_shown_and_the_next_runs(kernel: Kernel) -> None:
    kernel.run(SETUP)
    kernel.run(
        "def bad(): raise ValueError('bad job')\n"
        "def worse(): raise KeyboardInterrupt\n"
        "async def awful(): raise OSError('awful job')\n"
        "for j in (bad, worse, awful): pump.post(j)\n"
        "post('next')"
    )
    kernel.printed("ran next end")
    shown = [m["content"]["ename"] for m in kernel.of(None, "error")]
    assert shown == ["ValueError", "KeyboardInterrupt", "OSError"]


def test_wait_runs_jobs_inside_the_cell_and_times_out(kernel: Kernel) -> None:
    kernel.run(SETUP)
    text = kernel.run(
        "threading.Timer(0.2, post, ['w']).start()\n"
        "print('waited', pump.wait(lambda: log == ['w'], 20), pump.wait(lambda: False, 0.1))"
    )
    assert "waited True False" in text
    assert text.index("ran w end") < text.index("waited")


def test_wait_looks_again_when_notified(kernel: Kernel) -> None:
    kernel.run(SETUP)
    text = kernel.run(
        "flag = []\n"
        "def change(): flag.append(1); pump.notify()\n"
        "threading.Timer(0.2, change).start()\n"
        "print('waited', pump.wait(lambda: flag, None))"
    )
    assert "waited True" in text


ASYNC_JOBS = """
def slow(name):
    async def run():
        await asyncio.sleep(0.2); log.append(name); print('ran', name, 'end', flush=True)
    return run
"""


@pytest.mark.parametrize(
    "wait",
    ["pump.wait(lambda: len(log) == 3, 20)", "await pump.until(lambda: len(log) == 3, 20)", "None"],
    ids=["wait", "until", "between-cells"],
)
def test_the_next_job_waits_for_an_awaitable(kernel: Kernel, wait: str) -> None:
    kernel.run(SETUP + ASYNC_JOBS)
    kernel.run(f"pump.post(slow('x')); post('y'); pump.post(slow('z')); result = {wait}")
    kernel.printed("ran z end")
    assert "['x', 'y', 'z']" in kernel.run("print(log)")
    if wait != "None":
        assert "True" in kernel.run("print(result)")


@pytest.mark.parametrize(
    "inner",
    [
        "def outer():\n    print('inner', pump.wait(lambda: log, 20))",
        "async def outer():\n    print('inner', await pump.until(lambda: log, 20))",
        "async def outer():\n    print('inner', pump.wait(lambda: log, 20))",
    ],
    ids=["wait", "until", "wait-in-awaitable"],
)
@pytest.mark.parametrize("outside", ["None", "pump.wait(ok, 30)", "await pump.until(ok, 30)"])
def test_a_job_that_waits_is_overtaken(kernel: Kernel, inner: str, outside: str) -> None:
    kernel.run(SETUP + inner)
    kernel.run(
        "def ok(): return log == ['i', 'last']\n"
        f"pump.post(outer); post('i'); pump.post(job('last')); {outside}"
    )
    kernel.printed("inner True")
    kernel.printed("ran last end")


def test_wait_inside_a_nested_run_cell_runs_jobs(kernel: Kernel) -> None:
    kernel.run(SETUP)
    text = kernel.run("get_ipython().run_cell(\"post('n'); print('got', pump.wait(bool, 0) if 0 "
                      "else pump.wait(lambda: log, 20))\")")  # fmt: skip
    assert "got True" in text


def test_several_may_await_at_once_and_jobs_run_meanwhile(kernel: Kernel) -> None:
    kernel.run(SETUP)
    text = kernel.run(
        "for n in 'ab': threading.Timer(0.2, post, [n]).start()\n"
        "print('both', await asyncio.gather(pump.until(lambda: 'a' in log),"
        " pump.until(lambda: 'b' in log), pump.until(lambda: False, 0.4)))"
    )
    assert "both [True, True, False]" in text


def test_a_task_that_outlived_its_cell_lets_no_job_into_another(kernel: Kernel) -> None:
    kernel.run(SETUP)
    kernel.run("t = asyncio.create_task(pump.until(lambda: log, 60))")
    text = kernel.run("post('b'); await asyncio.sleep(0.7); print('during', log)")
    assert "during []" in text
    kernel.printed("ran b end")
    assert "task True" in kernel.run("print('task', await t)")


@pytest.mark.parametrize(
    "code",
    [
        "pump.wait(lambda: False, None)",
        "await asyncio.sleep(0); pump.wait(lambda: False, None)",
        "await pump.until(lambda: False)",
        "await asyncio.gather(pump.until(lambda: False), pump.until(lambda: False))",
    ],
    ids=["wait", "wait-in-awaiting-cell", "until", "gather"],
)
def test_stop_ends_waiting_promptly(kernel: Kernel, code: str) -> None:
    kernel.run(SETUP)
    cell = kernel.send("print('began', flush=True); " + code)
    kernel.printed("began")
    time.sleep(0.3)  # the cell says nothing once it stands in the wait
    started = time.monotonic()
    kernel.interrupt()
    kernel.ended(cell)
    assert time.monotonic() - started < 2
    assert kernel.of(cell, "error")
    kernel.run("post('after')")
    kernel.printed("ran after end")


@pytest.mark.parametrize("wait", ["pump.wait(ok, 20)", "await pump.until(ok, 20)"])
def test_stop_reaches_a_job_inside_a_waiting_cell(kernel: Kernel, wait: str) -> None:
    kernel.run(SETUP)
    cell = kernel.send(
        "def ok(): return len(log) == 2\n"
        "def long():\n"
        "    try: print('long began', flush=True); time.sleep(60)\n"
        "    except KeyboardInterrupt: log.append('stopped')\n"
        f"pump.post(long); post('later'); print('result', {wait})"
    )
    kernel.printed("long began")
    kernel.interrupt()
    kernel.ended(cell)
    assert "result True" in kernel.text(cell)


LATE = """
start = threading.Thread.start
def late(thread):
    start(thread)
    time.sleep(1)
threading.Thread.start = late
"""


@pytest.mark.parametrize("setup", [SETUP, SETUP + LATE], ids=["waiting", "starting"])
def test_stop_cancels_an_awaitable_that_wait_runs(kernel: Kernel, setup: str) -> None:
    kernel.run(setup)
    cell = kernel.send(
        "async def long():\n"
        "    print('long began', flush=True)\n"
        "    try: await asyncio.sleep(60)\n"
        "    finally: print('long cancelled', flush=True)\n"
        "pump.post(long); pump.wait(lambda: False, None)"
    )
    kernel.printed("long began")
    kernel.interrupt()
    kernel.printed("long cancelled")
    kernel.ended(cell)
    assert kernel.of(cell, "error")[0]["content"]["ename"] == "KeyboardInterrupt"


def test_cell_ends_are_told_once_per_cell(kernel: Kernel) -> None:
    kernel.run(SETUP + "ends = []; pump.on_cell_end(lambda: ends.append(1))")
    kernel.run("get_ipython().run_cell('1'); await asyncio.sleep(0)")
    kernel.run("post('m')")
    kernel.printed("ran m end")
    assert "ends 3" in kernel.run("print('ends', len(ends))")


SCRIPT = """
import asyncio, threading
from jupyter_bgdl.kernel.pump import get_pump
from jupyter_bgdl.kernel.script_pump import ScriptPump
pump = get_pump()
assert isinstance(pump, ScriptPump)
log = []
async def awaitable(): await asyncio.sleep(0.05); log.append("awaited")
"""


def _script(code: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", SCRIPT + code],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("wait", ["pump.wait(ok, 20)", "asyncio.run(pump.until(ok, 20))"])
def test_a_script_runs_jobs_only_while_it_waits(wait: str) -> None:
    process = _script(
        "pump.post(awaitable); pump.post(lambda: log.append(2)); print(log)\n"
        "threading.Timer(0.1, pump.post, [lambda: log.append(3)]).start()\n"
        f"ok = lambda: len(log) == 3\nprint({wait}, log)"
    )
    out, errors = process.communicate(timeout=30)
    assert (out, errors) == ("[]\nTrue ['awaited', 2, 3]\n", "")


def test_a_script_is_interrupted_in_wait() -> None:
    process = _script("print('began', flush=True)\npump.wait(lambda: False, None)")
    assert process.stdout is not None
    assert process.stdout.readline() == "began\n"
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=10)
    assert "KeyboardInterrupt" in errors
    assert process.returncode == -signal.SIGINT


def _states(kernel: Kernel, after: int) -> list[str]:
    """What the kernel said of itself around comm messages."""
    return [
        m["content"]["execution_state"]
        for m in kernel.messages[after:]
        if m["msg_type"] == "status"
        and m["parent_header"].get("msg_type") in ("comm_open", "comm_msg")
    ]
