"""The sorted events of one run, and what was known when it was made."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from netsim.model.event import Event
from netsim.model.scenario import Scenario


@dataclass(frozen=True, slots=True)
class StepResult:
    """What came of one step; times in ns since the script began."""

    index: int
    observed: str
    start_ns: int
    end_ns: int
    ok: bool


@dataclass(frozen=True, slots=True)
class Timeline:
    """One run: `events` are sorted by time, and an event's index is its place among them."""

    scenario: Scenario
    events: tuple[Event, ...]
    steps: tuple[StepResult, ...] = ()
    engine: str = "host"
    kernel: str = ""
    probes: tuple[str, ...] = ()
    """The sources that were listening: what a missing event is worth depends on it."""
    lab_ns: int = 0
    """How long the script took on the lab's clock."""
    wall_ns: int = 0
    """How long everything took, building and tearing down included."""
    build_ns: int = 0
    """What building the network took of that, and `down_ns` taking it down. Not in recordings."""
    down_ns: int = 0

    def sorted(self, events: Iterable[Event]) -> Timeline:
        """This run with these events, put in order."""
        return replace(self, events=tuple(sorted(events, key=lambda event: event.time_ns)))
