"""Times in one unit for a whole report, so that digits stand in columns and rows are found again."""

from __future__ import annotations

from netsim.model.event import Call, Fault
from netsim.model.timeline import Timeline


class Clock:
    """Shows a time since the script began: in ms with µs behind the point, in s where a run is longer."""

    def __init__(self, longest_ns: int) -> None:
        self.unit, self._scale, self._digits = ("ms", 1e6, 3) if longest_ns < 1e9 else ("s", 1e9, 6)

    def show(self, time_ns: int) -> str:
        return f"{time_ns / self._scale:.{self._digits}f}"


def clock(timeline: Timeline) -> Clock:
    """The clock of a run's whole report."""
    ends = [event.end_ns if isinstance(event, (Call, Fault)) else event.time_ns for event in timeline.events]
    return Clock(max(map(abs, ends), default=0))
