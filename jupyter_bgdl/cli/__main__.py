"""``python -m jupyter_bgdl.cli``, and the entry point of ``jupyter bgdl``.

Exit codes: 0 all is well · 1 something failed · 2 wrong usage · 3 no server · 130 interrupted.
"""

from __future__ import annotations

import os
import sys

from jupyter_bgdl import errors
from jupyter_bgdl.cli.finding import connection
from jupyter_bgdl.cli.output import Output
from jupyter_bgdl.cli.parser import parser

_NO_SERVER = (errors.ServerNotFound, errors.ServerUnavailable, errors.ExtensionMissing)


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    given = parser().parse_args(arguments)
    output = Output(is_json=given.json)
    try:
        done: int = given.run(connection(given.server_url, given.token), given, output)
        return done
    except _NO_SERVER as error:
        output.error(error)
        return 3
    except errors.NotAuthorized:
        output.error(
            errors.NotAuthorized(
                "The Jupyter server refused: say which token with --token, one that may do this."
            )
        )
        return 1
    except errors.BackgroundTransferError as error:
        output.error(error)
        return 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # Whoever read has what they wanted, as ``head``. Else the interpreter complains at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


if __name__ == "__main__":
    sys.exit(main())
