"""Durations as people write them: 100ms, 2.5s, 1min."""

from __future__ import annotations

import re

from netsim.errors import InputError
from netsim.model.names import shown

_UNITS_S = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "min": 60.0, "h": 3600.0}
_DECIMALS = {"us": "e-6", "ms": "e-3", "s": ""}
_DURATION = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)(us|ms|s|min|h)\Z", re.ASCII)


def parse_duration(text: str) -> float:
    """Read a duration in seconds; raises InputError."""
    found = _DURATION.match(text)
    if found is None:
        raise InputError(f"{shown(text)} is no duration; write a number and us, ms, s, min or h, as in 100ms")
    if found[2] in _DECIMALS:  # one rounding only: 35ms is 0.035, and 35 * 1e-3 is a little more
        return float(found[1] + _DECIMALS[found[2]])
    return float(found[1]) * _UNITS_S[found[2]]


def write_duration(duration_s: float) -> str:
    """Write a duration as `parse_duration` reads it: 100ms, 2.5s, 2h."""
    for unit in ("h", "min", "s") if duration_s >= 1 else ("ms", "us"):
        if duration_s >= _UNITS_S[unit] and round(duration_s / _UNITS_S[unit], 9).is_integer():
            return f"{duration_s / _UNITS_S[unit]:.0f}{unit}"
    return f"{duration_s:.9f}".rstrip("0").rstrip(".") + "s"


def show_duration(time_ns: int) -> str:
    """Write a duration with three digits and the unit that fits: 312 µs, 4.21 ms, 6.60 s."""
    for limit, scale, unit in ((1e3, 1, "ns"), (1e6, 1e3, "µs"), (1e9, 1e6, "ms")):
        if abs(time_ns) < limit and (text := f"{time_ns / scale:.3g}").lstrip("-") != "1e+03":
            return f"{text} {unit}"
    seconds = time_ns / 1e9
    return f"{seconds:.2f} s" if seconds < 120 else f"{seconds / 60:.1f} min"
