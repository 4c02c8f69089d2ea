"""The end of a session in a notebook: told once, after all else, and then its name is free."""

from __future__ import annotations

from typing import Any

from support.fileserver import FileServer, content

Notebooks = Any
SESSION = """
import jupyter_bgdl as bgdl
class Delegate(bgdl.SessionDelegate):
    def download_task_did_finish_downloading(self, session, task, location):
        print("file", task.name)
    def task_did_complete(self, session, task, error):
        print("complete", type(error).__name__)
    def session_did_finish_events(self, session):
        print("all")
    def session_did_become_invalid(self, session):
        print("invalid", session.is_owner)
configuration = bgdl.SessionConfiguration.background({name!r})
session = bgdl.Session(configuration, delegate=Delegate())
"""


def test_finish_then_invalid_then_the_name_is_free(notebooks: Notebooks, files: FileServer) -> None:
    kernel = notebooks.open()
    url = files.add("last.bin", content(1000))
    shown = kernel.run(
        SESSION.format(name="ends")
        + f"""
task = session.download({url!r}, to="ends/")
session.finish_tasks_and_invalidate()
try:
    session.download({files.url("more")!r}, to="ends/")
except bgdl.SessionInvalidated as error:
    print(error)
print(session.wait(30))
print(task.result().name, session.is_owner)
for use in (session.all_tasks, session.log, session.wait, session.invalidate_and_cancel,
            task.retry, lambda: session.on_finish(print), lambda: session.download({url!r})):
    try:
        use()
    except bgdl.SessionInvalidated as error:
        words = str(error)
    else:
        print("not refused", use)
print(words)
again = bgdl.background_session("ends")
print(again is session, again.all_tasks(completed=True), again.is_owner)
"""
    )
    assert shown.splitlines() == [
        "The session 'ends' was invalidated and takes no more tasks. Its name is free once "
        "session_did_become_invalid has been called: make it again then, or use another name.",
        "file last.bin",
        "complete NoneType",
        "all",
        "invalid True",
        "1 done",
        "last.bin False",
        "Session 'ends' was invalidated: this object is of no more use. Its name is free: "
        "background_session('ends') makes it anew.",
        "False [] True",
    ]


def test_cancel_and_invalidate(notebooks: Notebooks, files: FileServer) -> None:
    kernel = notebooks.open()
    shown = kernel.run(
        SESSION.format(name="cut short")
        + f"""
session.download_task({files.url("never")!r}, to="cut/")
session.invalidate_and_cancel()
print(session.wait(30))
"""
    )
    assert shown.splitlines() == ["complete Cancelled", "all", "invalid True", "1 cancelled"]


def test_nobody_ever_listened(notebooks: Notebooks) -> None:
    kernel = notebooks.open()
    shown = kernel.run("""
import jupyter_bgdl as bgdl
session = bgdl.background_session("unheard")
session.finish_tasks_and_invalidate()
print(session.wait(30), session.is_invalid)
print(bgdl.background_session("unheard") is session)
""")
    assert shown == "nothing to do True\nFalse\n"


def test_the_end_is_told_to_the_kernel_that_comes_after_the_one_that_asked_for_it(
    notebooks: Notebooks, files: FileServer
) -> None:
    kernel = notebooks.open()
    url = files.add("later.bin", content(1000))
    kernel.run(f"""
import jupyter_bgdl as bgdl
session = bgdl.background_session("orphan")
task = session.download_task({url!r}, to="later/")
session.finish_tasks_and_invalidate()
""")
    notebooks.shut_down(kernel)
    kernel = notebooks.open()
    shown = kernel.run(
        SESSION.format(name="orphan") + "session.all_tasks()[0].resume()\nprint(session.wait(30))\n"
    )
    assert shown.splitlines() == [
        "file later.bin",
        "complete NoneType",
        "all",
        "invalid True",
        "1 done",
    ]


def test_a_watcher_may_not_end_it(notebooks: Notebooks) -> None:
    notebooks.open("owner").run("import jupyter_bgdl as b; s = b.background_session('not mine')")
    shown = notebooks.open("watcher").run("""
import jupyter_bgdl as bgdl
session = bgdl.background_session("not mine")
try:
    session.invalidate_and_cancel()
except bgdl.SessionOwnedElsewhere as error:
    print(error)
""")
    assert "take_over=True" in shown
