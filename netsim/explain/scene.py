"""A timeline, looked at from the places where causes look: packets per journey, calls per socket, facts per node."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from netsim.model.event import Call, Counters, Fault, Kernel, Packet, ProcessEnd, RuleHit, end_text
from netsim.model.plan import Plan, make_plan
from netsim.model.timeline import Timeline
from netsim.model.transits import Transit, transits

End = tuple[str, int]
"""Address and port."""


@dataclass(frozen=True, slots=True)
class Journey:
    """One packet on its way, link after link."""

    hops: tuple[Transit, ...]

    @property
    def packet(self) -> Packet:
        return self.hops[0].packet

    @property
    def maker(self) -> str:
        """The node that it left first: whoever it claims to be from, it was made there."""
        return self.hops[0].sender

    @property
    def arrived_at(self) -> str | None:
        """The last node that got it; None where the first cable lost it."""
        got = [hop.receiver for hop in self.hops if not hop.lost]
        return got[-1] if got else None

    @property
    def events(self) -> tuple[int, ...]:
        return tuple(hop.index for hop in self.hops)

    @property
    def links(self) -> tuple[str, ...]:
        return tuple(hop.packet.link for hop in self.hops)


class Scene:
    """Everything that a cause may ask of one timeline. Each answer comes with the events' indexes."""

    def __init__(self, timeline: Timeline) -> None:
        self.timeline = timeline
        self.plan: Plan = make_plan(timeline.scenario.topology)
        self.calls: list[tuple[int, Call]] = []
        self.ends: list[tuple[int, ProcessEnd]] = []
        self.kernel: list[tuple[int, Kernel]] = []
        self.faults: list[tuple[int, Fault]] = []
        self.rules: list[tuple[int, RuleHit]] = []
        self.counters: dict[str, tuple[int, Counters]] = {}
        packets: list[tuple[int, Packet]] = []
        for index, event in enumerate(timeline.events):
            match event:
                case Packet():
                    packets.append((index, event))
                case Call():
                    self.calls.append((index, event))
                case ProcessEnd():
                    self.ends.append((index, event))
                case Kernel():
                    self.kernel.append((index, event))
                case Fault():
                    self.faults.append((index, event))
                case RuleHit():
                    self.rules.append((index, event))
                case Counters():
                    self.counters[event.node] = (index, event)
        self.transits = transits(packets)

    @cached_property
    def journeys(self) -> list[Journey]:
        """All TCP packets in time order, each with all its hops."""
        alike: dict[tuple[object, ...], list[list[Transit]]] = {}
        going: list[list[Transit]] = []
        for hop in self.transits:
            one = hop.packet
            if one.protocol != "tcp":
                continue
            same = alike.setdefault((one.flow, one.seq, one.ack, one.flags, one.length, one.ident), [])
            before = next((hops for hops in reversed(same) if _continues(hops[-1], hop)), None)
            if before is None:
                same.append([hop])
                going.append(same[-1])
            else:
                before.append(hop)
        return [Journey(tuple(hops)) for hops in going]

    @cached_property
    def listeners(self) -> set[tuple[str, str]]:
        """The sockets that listen, by process and own address: what is called on them is about no connection."""
        return {(call.process, call.local) for _, call in self.calls if call.call == "listen"}

    @cached_property
    def flows(self) -> dict[tuple[str, int, str, int], list[Journey]]:
        """The same, by what they say of source and destination."""
        found: dict[tuple[str, int, str, int], list[Journey]] = {}
        for journey in self.journeys:
            found.setdefault(journey.packet.flow, []).append(journey)
        return found

    def owner(self, address: str) -> str:
        """The node that has an address; the address itself where it is none of the lab's."""
        return self.plan.owners.get(address, address)

    def at(self, end: End) -> str:
        """An end as people say it: server:60000."""
        return f"{self.owner(end[0])}:{end[1]}"

    @property
    def kernel_release(self) -> tuple[int, ...]:
        """The kernel's version and patch level, as in (6, 18); nothing where it is not known."""
        found = re.match(r"(\d+)\.(\d+)", self.timeline.kernel)
        return tuple(map(int, found.groups())) if found else ()

    def traced(self, event: str) -> bool:
        """Was this tracepoint on? Only then does its silence mean anything."""
        return any(source.endswith(f"/{event}") for source in self.timeline.probes)

    def kernel_events(self, node: str, event: str, own: End, other: End) -> Iterator[tuple[int, Kernel]]:
        """What the kernel said of one socket on a node."""
        for index, said in self.kernel:
            ends = (said.src, said.dst)
            if said.node == node and said.event == event and ends == (end_text(*own), end_text(*other)):
                yield index, said

    def grew(self, node: str, counter: str) -> tuple[int, tuple[int, ...]] | None:
        """By how much a counter grew, and the event that says so; None where nobody counted."""
        found = self.counters.get(node)
        return None if found is None else (found[1].grew.get(counter, 0), (found[0],))

    def calls_of(self, own: End, other: End) -> list[tuple[int, Call]]:
        """The calls on one connected socket, in order of their begin."""
        node = self.owner(own[0])
        return [(i, call) for i, call in self.calls if call.node == node and self._is_of(call, own, other)]

    def _is_of(self, call: Call, own: End, other: End) -> bool:
        """The kernel forgets a dead socket's peer, and a refused one's own address: what is left must fit."""
        local, remote = self._known(call)
        if not local:  # strace knows a refused socket by its destination only
            return remote == end_text(*other)
        address, _, port = local.rpartition(":")
        if port != str(own[1]) or address.strip("[]") not in {own[0], "0.0.0.0", "::"}:  # noqa: S104 - compared only
            return False
        if not remote and (call.process, local) in self.listeners:
            return False
        return not remote or remote == end_text(*other)

    def _known(self, call: Call) -> tuple[str, str]:
        """A call's ends; those of the call before, where the process died in it and could not tell."""
        if call.local or not call.result.startswith(("signal", "exit")):
            return call.local, call.remote
        earlier = [c for _, c in self.calls if c.process == call.process and c.end_ns <= call.time_ns and c.local]
        return (earlier[-1].local, earlier[-1].remote) if earlier else ("", "")

    def listens(self, node: str, port: int, time_ns: int) -> tuple[int, ...]:
        """The listen() calls on a port that were done before a moment, on a node that has not rebooted since."""
        crashes = (f.end_ns for _, f in self.faults if f.node == node and f.fault == "crash")
        since = max((end_ns for end_ns in crashes if end_ns <= time_ns), default=0)
        return tuple(
            i
            for i, call in self.calls
            if call.node == node
            and call.call == "listen"
            and call.result == "ok"
            and call.local.endswith(f":{port}")
            and since <= call.time_ns <= time_ns
        )


def _continues(last: Transit, hop: Transit) -> bool:
    """Is this the next link of the same packet?"""
    came = not last.lost and last.receiver == hop.sender
    return came and last.packet.time_ns <= hop.packet.time_ns and hop.packet.ttl <= last.packet.ttl
