"""When which cable was cut towards whom, and when which machine had no power: from the faults of a timeline."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from netsim.model.action import Boot, Crash, Cut, Heal
from netsim.model.event import Fault
from netsim.model.network import Network

FOREVER_NS = 1 << 62


@dataclass(frozen=True, slots=True)
class Span:
    """A time in which something was so, and the events that began and ended it.

    It surely was so from `start_ns` to `end_ns`; a fault takes effect at some moment of the call that makes it.
    """

    start_ns: int
    end_ns: int
    began: int
    ended: int | None = None

    def holds(self, time_ns: int) -> bool:
        return self.start_ns <= time_ns < self.end_ns


@dataclass(slots=True)
class Outages:
    """All of them, by link and end, and by node."""

    cuts: dict[tuple[str, str], list[Span]] = field(default_factory=dict)
    """By link and the end where nothing arrives."""
    off: dict[str, list[Span]] = field(default_factory=dict)

    def is_cut(self, link: str, towards: str, time_ns: int) -> bool:
        return self.cut(link, towards, time_ns) is not None

    def cut(self, link: str, towards: str, time_ns: int) -> Span | None:
        """The cut that held at a moment; None where there was none."""
        return next((span for span in self.cuts.get((link, towards), ()) if span.holds(time_ns)), None)

    def is_off(self, node: str, time_ns: int) -> bool:
        return self.power_loss(node, time_ns) is not None

    def power_loss(self, node: str, time_ns: int) -> Span | None:
        """The time without power that a moment belongs to."""
        return next((span for span in self.off.get(node, ()) if span.holds(time_ns)), None)

    def crash_between(self, node: str, start_ns: int, end_ns: int) -> Span | None:
        """The last time that a node lost power after one moment and before another."""
        spans = [span for span in self.off.get(node, ()) if start_ns <= span.start_ns < end_ns]
        return spans[-1] if spans else None

    def booted(self, node: str, time_ns: int) -> int:
        """When the node had last come to life before a moment; far in the past where it has run all the time."""
        ends = [span.end_ns for span in self.off.get(node, ()) if span.end_ns <= time_ns]
        return ends[-1] if ends else -FOREVER_NS


def find_outages(faults: Iterable[tuple[int, Fault]], network: Network) -> Outages:
    """Follow cuts and power losses through the faults, which are in time order."""
    found = Outages()
    for index, fault in faults:
        match fault.action:
            case Cut(to=to):
                for end in [to] if to else network.links[fault.node]:
                    spans = found.cuts.setdefault((fault.node, end), [])
                    if not spans or spans[-1].ended is not None:
                        spans.append(Span(fault.end_ns, FOREVER_NS, index))
            case Heal():
                for end in network.links[fault.node]:
                    _end(found.cuts.get((fault.node, end), []), fault.time_ns, index)
            case Crash():
                found.off.setdefault(fault.node, []).append(Span(fault.time_ns, FOREVER_NS, index))
            case Boot():
                _end(found.off.get(fault.node, []), fault.end_ns, index)
    return found


def _end(spans: list[Span], time_ns: int, index: int) -> None:
    if spans and spans[-1].ended is None:
        spans[-1] = Span(spans[-1].start_ns, time_ns, spans[-1].began, index)
