"""What happened in one run, in order, and what was known and watched when it was made."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from netsim.model.event import Event
from netsim.model.network import Network
from netsim.model.result import Result
from netsim.model.scenario import Expectation, Scenario
from netsim.model.step import Step


@dataclass(frozen=True, slots=True)
class StepResult:
    """What came of one step; times in ns since the script began."""

    index: int
    observed: Result | None
    """None for a call that was begun, and is finished by a later step."""
    start_ns: int
    end_ns: int
    ok: bool


@dataclass(frozen=True, slots=True, order=True)
class Tap:
    """A place where packets were seen: a node's end of a link, or (link None) its loopback."""

    node: str
    link: str | None


@dataclass(frozen=True, slots=True)
class Timeline:
    """One run: `events` are sorted by time, and an event's index is its place among them."""

    scenario: Scenario | None
    """None where nobody wrote a script: a capture, or a lab that stands."""
    network: Network
    events: tuple[Event, ...]
    steps: tuple[StepResult, ...] = ()
    taps: frozenset[Tap] = frozenset()
    """Where somebody watched: "never seen there" means something only of these."""
    sources: frozenset[str] = frozenset()
    """What was on: `call`, `strace` (the calls of programs), `process`, `fault`, `counters`, `rule`, `drop`, and
    the kernel's tracepoints by name; `reset reasons` where the kernel says why it sends a RST."""
    engine: str = "host"
    kernel: str = ""
    lab_ns: int = 0
    """How long the script took on the lab's clock."""
    wall_ns: int = 0
    """How long everything took, building and tearing down included."""
    build_ns: int = 0
    """What building the network took of that, and `down_ns` taking it down."""
    down_ns: int = 0

    @property
    def script(self) -> tuple[Step, ...]:
        return self.scenario.script if self.scenario else ()

    @property
    def expect(self) -> tuple[Expectation, ...]:
        return self.scenario.expect if self.scenario else ()

    def with_events(self, events: Iterable[Event]) -> Timeline:
        """This run with these events, put in order."""
        return replace(self, events=tuple(sorted(events, key=lambda event: event.time_ns)))


def all_taps(network: Network) -> frozenset[Tap]:
    """A tap at every end of every link, and on every loopback."""
    ends = {Tap(node, link) for link, pair in network.links.items() for node in pair}
    return frozenset(ends | {Tap(node, None) for node in network.nodes})
