"""Rates as administrators write them."""

from __future__ import annotations

import re

_RATE = re.compile(r"^(\d+(?:\.\d+)?)\s*([kmgt]?)(i?)b?(?:/s|ps)?$", re.IGNORECASE)
_POWERS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4}

FORM = 'a number of bytes a second, or text such as "20MB/s" or "1.5 GiB/s"; None: no limit'


def bandwidth(value: object) -> int | None:
    """Bytes a second. kB, MB … are powers of 1000, KiB, MiB … of 1024 (IEC 80000-13).

    Raises :class:`ValueError`, which says what is accepted.
    """
    if value is None:
        return None
    rate = 0.0
    if isinstance(value, int | float) and not isinstance(value, bool):
        rate = float(value)
    elif isinstance(value, str) and (match := _RATE.match(value.strip())):
        number, prefix, binary = match.groups()
        if binary and not prefix:
            raise ValueError(_refusal(value))
        rate = float(number) * (1024 if binary else 1000) ** _POWERS[prefix.lower()]
    if not 1 <= rate < 2**63:
        raise ValueError(_refusal(value))
    return int(rate)


def _refusal(value: object) -> str:
    return f"{value!r} is no rate; it is to be {FORM}."
