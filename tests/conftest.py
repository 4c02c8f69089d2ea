"""What every test run knows: ``--faults``, and a stop button that works."""

from __future__ import annotations

import signal

pytest_plugins = ["support.fault_table"]

# A shell has its background jobs ignore it, and so would every process that a test starts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
