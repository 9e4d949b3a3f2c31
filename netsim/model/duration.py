"""Durations as people write them: 100ms, 2.5s, 1min."""

from __future__ import annotations

import re

from netsim.errors import InputError
from netsim.model.names import shown

_UNITS_S = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "min": 60.0, "h": 3600.0}
_DURATION = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)(us|ms|s|min|h)\Z", re.ASCII)


def parse_duration(text: str) -> float:
    """Read a duration in seconds; raises InputError."""
    found = _DURATION.match(text)
    if found is None:
        raise InputError(f"{shown(text)} is no duration; write a number and us, ms, s, min or h, as in 100ms")
    return float(found[1]) * _UNITS_S[found[2]]


def show_duration(time_ns: int) -> str:
    """Write a duration with three digits and the unit that fits: 312 µs, 4.21 ms, 6.60 s."""
    for limit, scale, unit in ((1e3, 1, "ns"), (1e6, 1e3, "µs"), (1e9, 1e6, "ms")):
        if abs(time_ns) < limit:
            return f"{time_ns / scale:.3g} {unit}"
    seconds = time_ns / 1e9
    return f"{seconds:.2f} s" if seconds < 120 else f"{seconds / 60:.1f} min"
