"""The events of a timeline by their kind and by what they are about: every look-up that a cause makes is quick."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from netsim.model.action import Run
from netsim.model.endpoint import Endpoint
from netsim.model.event import Arp, Call, Counters, Drop, Fault, Icmp, Kernel, Missed, Packet, ProcessEnd, RuleHit, Tcp
from netsim.model.timeline import Tap, Timeline

TRACES_EVERY_RESET = (6, 10)
"""Before that Linux, tcp_send_reset told only of resets that a whole socket sent."""


@dataclass(slots=True)
class TimelineIndex:
    """Events, each with its place in the timeline, in time order."""

    timeline: Timeline
    packets: list[tuple[int, Packet]] = field(default_factory=list)
    arps: dict[str, list[tuple[int, Packet]]] = field(default_factory=dict)
    """By the node that saw them."""
    icmps: list[tuple[int, Packet]] = field(default_factory=list)
    calls: list[tuple[int, Call]] = field(default_factory=list)
    ends: list[tuple[int, ProcessEnd]] = field(default_factory=list)
    kernel: dict[tuple[str, str, Endpoint, Endpoint], list[tuple[int, Kernel]]] = field(default_factory=dict)
    """By node, tracepoint, and the two ends of the socket, its own first."""
    tells: set[tuple[str, str]] = field(default_factory=set)
    """The nodes, and the tracepoints that told anything there."""
    listening: dict[str, list[tuple[int, Kernel]]] = field(default_factory=dict)
    """What the kernel of a node said of listeners: each when it began, and when it ended."""
    blind: set[str] = field(default_factory=set)
    """The nodes where a program uses io_uring(7) or io_submit(2): what it does so, no tracer of calls sees."""
    drops: dict[tuple[object, ...], list[tuple[int, Drop]]] = field(default_factory=dict)
    """By the `identity` of the packet."""
    faults: list[tuple[int, Fault]] = field(default_factory=list)
    rules: list[tuple[int, RuleHit]] = field(default_factory=list)
    counters: dict[str, list[tuple[int, Counters]]] = field(default_factory=dict)
    missed: list[tuple[int, Missed]] = field(default_factory=list)
    raw: set[str] = field(default_factory=set)
    """The nodes where a program made a socket for whole packets: raw(7), packet(7)."""
    runs: frozenset[str] = frozenset()
    """The nodes that programs run on, besides the script's own processes."""

    def on(self, source: str) -> bool:
        """Was this source on? Only then does its silence mean anything."""
        return source in self.timeline.sources

    def tapped(self, node: str, link: str | None) -> bool:
        """Did anybody watch a node's end of a link, or (None) its loopback?"""
        return Tap(node, link) in self.timeline.taps

    def sees_links(self, node: str) -> bool:
        """Would every packet on the links of a node have been seen?"""
        return not self.lost_any and all(self.tapped(node, link) for link in self.timeline.network.ends(node))

    def sees_all(self, node: str) -> bool:
        """Would every packet at a node have been seen, those on its loopback too?"""
        return self.tapped(node, None) and self.sees_links(node)

    @property
    def lost_any(self) -> bool:
        """Some probe had to let packets or the kernel's events go: then nothing proves that one was not there."""
        return any(missed.of != "call" for _, missed in self.missed)

    @property
    def tells_every_reset(self) -> bool:
        """Is the kernel's silence about a reset a proof that its TCP sent none?"""
        return self.on("tcp_send_reset") and self.kernel_release >= TRACES_EVERY_RESET and not self.lost_any

    def sees_programs(self, node: str) -> bool:
        """Were the calls of all programs on a node seen? Those of `run` take strace; without a script nobody knows."""
        return (
            self.on("call")
            and bool(self.timeline.script)
            and (node not in self.runs or self.on("strace"))
            and node not in self.blind
            and not any(missed.of in {"call", "process"} for _, missed in self.missed)
        )

    def may_forge(self, node: str | None = None) -> bool:
        """Can a program on a node, or on any, have written packets itself, or did nobody look?"""
        nodes = [node] if node is not None else list(self.timeline.network.nodes)
        return any(one in self.raw or not self.sees_programs(one) for one in nodes)

    @property
    def kernel_release(self) -> tuple[int, ...]:
        """The kernel's version and patch level, as in (6, 18); nothing where it is not known."""
        found = re.match(r"(\d+)\.(\d+)", self.timeline.kernel)
        return tuple(map(int, found.groups())) if found else ()

    def said(self, node: str, event: str, own: Endpoint, other: Endpoint) -> list[tuple[int, Kernel]]:
        """What the kernel of a node said of one socket, or of packets for it."""
        return self.kernel.get((node, event, own, other), [])

    def grew(self, node: str, counter: str) -> tuple[int, tuple[int, ...]] | None:
        """By how much a counter grew in the whole run, and the events that say so; None where nobody counted."""
        found = self.counters.get(node)
        if not found:
            return None
        return sum(event.grew.get(counter, 0) for _, event in found), tuple(index for index, _ in found)


def index_events(timeline: Timeline) -> TimelineIndex:
    """Sort a timeline's events into their places."""
    runs = frozenset(step.node for step in timeline.script if isinstance(step.action, Run))
    found = TimelineIndex(timeline, runs=runs)
    for index, event in enumerate(timeline.events):
        match event:
            case Packet():
                found.packets.append((index, event))
                if isinstance(event.segment, Arp):
                    found.arps.setdefault(event.node, []).append((index, event))
                elif isinstance(event.segment, Icmp):
                    found.icmps.append((index, event))
            case Call():
                found.calls.append((index, event))
                if event.name == "socket" and ("SOCK_RAW" in event.detail or "AF_PACKET" in event.detail):
                    found.raw.add(event.node)
                if event.name in {"io_uring_setup", "io_setup"}:
                    found.blind.add(event.node)
            case Kernel():
                key = (event.node, event.event, event.local, event.remote)
                found.kernel.setdefault(key, []).append((index, event))
                found.tells.add(key[:2])
                if "LISTEN" in {event.old, event.state} and not event.remote.port:
                    found.listening.setdefault(event.node, []).append((index, event))
            case _:
                _rest(found, index, event)
    return found


def _rest(found: TimelineIndex, index: int, event: object) -> None:
    match event:
        case ProcessEnd():
            found.ends.append((index, event))
        case Drop():
            found.drops.setdefault(identity(event.node, event), []).append((index, event))
        case Fault():
            found.faults.append((index, event))
        case RuleHit():
            found.rules.append((index, event))
        case Counters():
            found.counters.setdefault(event.node, []).append((index, event))
        case Missed():
            found.missed.append((index, event))


def identity(node: str, found: Packet | Drop) -> tuple[object, ...]:
    """What tells a packet at a node from others, however much of it the kernel told."""
    segment = found.segment
    what = (segment.flags, segment.seq) if isinstance(segment, Tcp) else type(segment)
    return node, found.src, found.dst, what, found.ident


def events_of(found: Iterable[tuple[int, object]]) -> tuple[int, ...]:
    """The events' places alone."""
    return tuple(index for index, _ in found)
