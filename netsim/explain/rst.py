"""One RST as the causes see it: who made it, what provoked it, which socket it was about."""

from __future__ import annotations

from dataclasses import dataclass

from netsim.explain.scene import End, Journey, Scene
from netsim.model.event import Call, Kernel
from netsim.model.explanation import Evidence

_SLACK_NS = 2_000_000
"""A trace line has microseconds, a packet nanoseconds, and softirqs may be late."""


@dataclass(frozen=True, slots=True)
class Rst:
    """A RST on its journey."""

    scene: Scene
    journey: Journey

    @property
    def time_ns(self) -> int:
        return self.journey.packet.time_ns

    @property
    def maker(self) -> str:
        return self.journey.maker

    @property
    def source(self) -> End:
        """What it claims to be from."""
        return self.journey.packet.src, self.journey.packet.sport

    @property
    def target(self) -> End:
        return self.journey.packet.dst, self.journey.packet.dport

    @property
    def claimed(self) -> str:
        """The node whose address it bears."""
        return self.scene.owner(self.source[0])

    @property
    def active(self) -> bool:
        """RST+ACK in the middle of a connection: its maker ends it, nothing provoked it."""
        return "A" in self.journey.packet.flags and not self.answers_syn

    @property
    def answers_syn(self) -> bool:
        found = self.trigger
        return found is not None and found.packet.flags == "S"

    @property
    def trigger(self) -> Journey | None:
        """The last packet of the other direction that its maker had got before."""
        found = None
        for journey in self.towards:
            if any(hop.receiver == self.maker and not hop.lost for hop in journey.hops):
                found = journey
        return found

    @property
    def towards(self) -> list[Journey]:
        """The packets of the other direction that were sent before it."""
        packet = self.journey.packet
        answered = self.scene.flows.get((packet.dst, packet.dport, packet.src, packet.sport), [])
        return [journey for journey in answered if journey.packet.time_ns <= packet.time_ns]

    def said(self) -> tuple[int, Kernel] | None:
        """The kernel's tcp_send_reset for it, at its maker."""
        for index, event in self.scene.kernel_events(self.maker, "tcp_send_reset", self.source, self.target):
            if abs(event.time_ns - self.time_ns) < _SLACK_NS:
                return index, event
        return None

    def reason(self) -> str:
        """The kernel's reason; '' where it gave none."""
        found = self.said()
        return found[1].reason if found else ""

    def own_calls(self) -> list[tuple[int, Call]]:
        """The calls of the program at its maker on the socket that it is about."""
        return self.scene.calls_of(self.source, self.target)

    def close(self) -> tuple[int, Call] | None:
        """The close() (or the kill) that was going on when it was made."""
        for index, call in self.own_calls():
            ends = call.call in {"close", "kill"} or call.result.startswith("signal")
            if ends and call.time_ns <= self.time_ns <= call.end_ns + _SLACK_NS:
                return index, call
        return None

    def closed_before(self) -> tuple[int, Call] | None:
        """The close() that had ended the program's side before."""
        done = [
            (i, call)
            for i, call in self.own_calls()
            if call.end_ns < self.time_ns and (call.call == "close" or call.result.startswith("signal"))
        ]
        return done[-1] if done else None

    def crash_before(self) -> int | None:
        """The event of a power loss of its maker, after the connection was made."""
        same = [*self.towards, *self.scene.flows[self.journey.packet.flow]]
        made = min(journey.packet.time_ns for journey in same)
        crashes = [i for i, f in self.scene.faults if f.fault == "crash" and f.node == self.maker]
        fitting = [i for i in crashes if made < self.scene.timeline.events[i].time_ns < self.time_ns]
        return fitting[-1] if fitting else None

    def tcp_made_it(self) -> Evidence | None:
        """That the maker's own TCP sent it: its tracepoint, or its counter."""
        found = self.said()
        if found is not None:
            return Evidence(f"the kernel of {self.maker} says tcp_send_reset, reason {found[1].reason}", (found[0],))
        grew = self.scene.grew(self.maker, "TcpOutRsts")
        if grew is not None and grew[0]:
            return Evidence(f"OutRsts of {self.maker} grew by {grew[0]}", grew[1])
        return None

    def left(self) -> Evidence:
        """That it was seen leaving its maker."""
        where = self.journey.links[0]
        return Evidence(f"the packet was first seen leaving {self.maker}, on {where}", self.journey.events[:1])


@dataclass(frozen=True, slots=True)
class Finding:
    """What a cause found out: its id, one sentence, and the reasons to believe it."""

    cause: str
    because: str
    evidence: tuple[Evidence, ...]


def evidence(*found: Evidence | None) -> tuple[Evidence, ...]:
    """Those that there are."""
    return tuple(one for one in found if one is not None)


def plural(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
