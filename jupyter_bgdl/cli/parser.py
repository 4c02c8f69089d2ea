"""The command's words and options."""

from __future__ import annotations

import argparse
from typing import Any

from jupyter_bgdl import __version__
from jupyter_bgdl.cli import commands
from jupyter_bgdl.model import IfExists


def parser() -> argparse.ArgumentParser:
    """Its result has ``run``, the function of the command."""
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--json", action="store_true", help="print JSON, one document a line")
    common.add_argument("--server-url", metavar="URL", help="of the Jupyter server")
    common.add_argument("--token", help="of the Jupyter server, with --server-url")
    made = argparse.ArgumentParser(
        prog="jupyter bgdl", description="Background transfers of the running Jupyter server."
    )
    made.add_argument("--version", action="version", version=__version__)
    words = made.add_subparsers(metavar="COMMAND", required=True)

    def word(name: str, run: Any, help: str) -> argparse.ArgumentParser:
        one: argparse.ArgumentParser = words.add_parser(name, parents=[common], help=help)
        one.set_defaults(run=run)
        return one

    one = word("list", commands.show, "sessions, or the tasks of one")
    one.add_argument("session", nargs="?")
    one = word("add", commands.add, "download files; they belong to no kernel")
    one.add_argument("session")
    one.add_argument("url", nargs="+")
    one.add_argument("--to", default=".", help="file, or folder (default: this one)")
    one.add_argument("--checksum", help="algorithm:hex, of a single file")
    one.add_argument(
        "--if-exists", choices=[choice.value for choice in IfExists], default=IfExists.KEEP.value
    )
    one.add_argument("--paused", action="store_true", help="don't start yet")
    one = word("watch", commands.watch, "show progress until all is done")
    one.add_argument("session", nargs="?")
    for name, run, help in (
        ("pause", commands.pause, "pause transfers; they keep their bytes"),
        ("resume", commands.resume, "go on with paused transfers"),
        ("cancel", commands.cancel, "cancel transfers and delete what was fetched of them"),
        ("retry", commands.retry, "try failed transfers again"),
    ):
        one = word(name, run, help)
        one.add_argument("session")
        one.add_argument("task", nargs="*", type=int, help="numbers; none: all it applies to")
    one = word("log", commands.log, "what callbacks printed and what the server did")
    one.add_argument("session")
    one = word("clean", commands.clean, "forget completed tasks and delete their parts")
    one.add_argument("session", nargs="?")
    one = word("purge", commands.purge, "cancel and forget a session; finished files stay")
    one.add_argument("session")
    one = word("diagnose", commands.diagnose, "facts for who looks for a fault, without secrets")
    one.add_argument("--output", metavar="FILE", help="write them there")
    return made
