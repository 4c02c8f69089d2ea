"""What every test run knows: ``--faults``."""

from __future__ import annotations

pytest_plugins = ["support.fault_table"]
