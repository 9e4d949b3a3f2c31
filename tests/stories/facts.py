"""What really happened in a story, by its raw events alone: no netsim.analysis, no netsim.explain.

Everything here is worked out a second time, by other ways, so that a mistake over there does not hide itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TypeVar

from netsim.model.action import AddRule, Boot, Close, Crash, Cut, Heal, Recv, SetOption, SetSysctl, Shutdown
from netsim.model.endpoint import WILDCARDS, Endpoint
from netsim.model.event import (
    Call,
    Counters,
    Event,
    Fault,
    Icmp,
    Kernel,
    Missed,
    Packet,
    ProcessEnd,
    RuleHit,
    Segment,
    Tcp,
    Udp,
)
from netsim.model.firewall import Rule, usual_chain
from netsim.model.result import Count, Ok
from netsim.model.timeline import Timeline

SLACK_NS = 1_000_000
"""Two clocks agree to less than this."""
READS = frozenset({"recv", "recvmsg", "recvmmsg", "read", "readv", "splice"})
_FOREVER = 1 << 62
_Kind = TypeVar("_Kind", bound=Event)


def closes(call: Call) -> bool:
    """close(), and what does the same to a descriptor."""
    return call.name == "close" or isinstance(call.action, Close)


@dataclass(slots=True)
class Journey:
    """One packet, from its maker on: everything that taps saw of it."""

    maker: str
    sights: list[tuple[int, Packet]] = field(default_factory=list)

    @property
    def packet(self) -> Packet:
        return self.sights[0][1]

    @property
    def src(self) -> Endpoint:
        return self.packet.src

    @property
    def dst(self) -> Endpoint:
        return self.packet.dst

    @property
    def segment(self) -> Segment:
        return self.packet.segment

    @property
    def tcp(self) -> Tcp:
        assert isinstance(self.segment, Tcp)
        return self.segment

    @property
    def made_ns(self) -> int:
        return self.packet.time_ns

    @property
    def links(self) -> set[str | None]:
        return {packet.link for _, packet in self.sights}

    def came_to(self, node: str) -> int | None:
        """When a node's machine took it in; None where it never did."""
        for _, packet in self.sights:
            if packet.node == node and packet.direction == "in" and not packet.lost and not packet.overheard:
                return packet.time_ns
        return None

    def passed(self, node: str) -> bool:
        """It came to a node, or was sent by it."""
        return self.maker == node or self.came_to(node) is not None

    @property
    def seen_last(self) -> Packet:
        """Where it got furthest, what a switch sent to the wrong machine left out."""
        return next((p for _, p in reversed(self.sights) if not p.overheard), self.sights[-1][1])


def same(one: Packet, other: Packet) -> bool:
    """Is it the same packet at the same tap, whatever the clock says?"""
    return replace(one, time_ns=0) == replace(other, time_ns=0)


def is_probe(tcp: Tcp, next_seq: int) -> bool:
    return tcp.length <= 1 and (tcp.seq + 1) % (1 << 32) == next_seq


class Facts:
    """Everything that one timeline tells, with all its taps and sources."""

    def __init__(self, timeline: Timeline) -> None:
        self.timeline = timeline
        self.network = timeline.network

    def of(self, kind: type[_Kind]) -> list[tuple[int, _Kind]]:
        return [(i, event) for i, event in enumerate(self.timeline.events) if isinstance(event, kind)]

    @cached_property
    def calls(self) -> list[Call]:
        return [call for _, call in self.of(Call)]

    @cached_property
    def kernels(self) -> list[Kernel]:
        return [event for _, event in self.of(Kernel)]

    @cached_property
    def ends(self) -> list[ProcessEnd]:
        return [end for _, end in self.of(ProcessEnd)]

    @cached_property
    def faults(self) -> list[Fault]:
        return [fault for _, fault in self.of(Fault)]

    @cached_property
    def hits(self) -> list[RuleHit]:
        return [hit for _, hit in self.of(RuleHit)]

    @cached_property
    def missed(self) -> list[Missed]:
        return [missed for _, missed in self.of(Missed)]

    def owner(self, end: Endpoint) -> str | None:
        return self.network.owners.get(end.address)

    def name(self, end: Endpoint) -> str:
        """As sentences call an end: `server:60000`."""
        owner = self.owner(end)
        return f"{owner}:{end.port}" if owner else str(end)

    # --- packets -----------------------------------------------------------------------------------------------------

    @cached_property
    def journeys(self) -> list[Journey]:
        found: list[Journey] = []
        alike: dict[tuple[object, ...], list[Journey]] = {}
        for index, packet in self.of(Packet):
            known = alike.setdefault((packet.src, packet.dst, packet.segment, packet.ident), [])
            journey = next((one for one in reversed(known) if self._goes_on(one, packet)), None)
            if journey is None:
                journey = Journey(self._first_sender(packet))
                known.append(journey)
                found.append(journey)
            journey.sights.append((index, packet))
        return found

    def _first_sender(self, packet: Packet) -> str:
        if packet.direction == "out" or packet.link is None:
            return packet.node
        return self.network.other_end(packet.link, packet.node)

    def _goes_on(self, journey: Journey, packet: Packet) -> bool:
        """Is this sight the next one of the same packet?"""
        if packet.link is None:
            return False
        here = [one for _, one in journey.sights if one.link == packet.link]
        if packet.direction == "in":
            left = any(one.direction == "out" and one.node != packet.node for one in here)
            return left and not any(one.direction == "in" and one.node == packet.node for one in here)
        if any(one.direction == "out" and one.node == packet.node for one in here):
            return False
        taken = 0 if self.network.kind(packet.node) == "switch" else 1
        return any(
            one.node == packet.node
            and one.direction == "in"
            and one.link != packet.link
            and not one.lost
            and not one.overheard
            and (one.ttl - packet.ttl == taken or not one.ttl)
            for _, one in journey.sights
        )

    @cached_property
    def _by_sight(self) -> dict[Packet, list[tuple[int, Journey]]]:
        found: dict[Packet, list[tuple[int, Journey]]] = {}
        for journey in self.journeys:
            for _, packet in journey.sights:
                found.setdefault(replace(packet, time_ns=0), []).append((packet.time_ns, journey))
        return found

    def journey(self, packet: Packet) -> Journey | None:
        """The journey that a packet of another timeline of the same run belongs to."""
        known = self._by_sight.get(replace(packet, time_ns=0), [])
        return min(known, key=lambda one: abs(one[0] - packet.time_ns))[1] if known else None

    @cached_property
    def _by_ends(self) -> dict[tuple[Endpoint, Endpoint], list[Journey]]:
        found: dict[tuple[Endpoint, Endpoint], list[Journey]] = {}
        for journey in self.journeys:
            if isinstance(journey.segment, Tcp):
                found.setdefault((journey.src, journey.dst), []).append(journey)
        return found

    def sent(self, src: Endpoint, dst: Endpoint) -> list[Journey]:
        """The TCP segments from one end to another, whoever made them."""
        return self._by_ends.get((src, dst), [])

    def answered_by(self, rst: Journey) -> Journey | None:
        """The latest segment that a RST may answer, by RFC 9293's numbers."""
        fitting = [
            journey
            for journey in self.sent(rst.dst, rst.src)
            if "R" not in journey.tcp.flags
            and (rst.tcp.seq == journey.tcp.ack if "A" in journey.tcp.flags else rst.tcp.ack == journey.tcp.end)
        ]
        had_come = [j for j in fitting if (j.came_to(rst.maker) or _FOREVER) <= rst.made_ns]
        near = [j for j in fitting if j.made_ns <= rst.made_ns + SLACK_NS]
        return next(iter([*had_come[::-1], *near[::-1]]), None)

    @cached_property
    def icmps(self) -> list[Journey]:
        return [journey for journey in self.journeys if isinstance(journey.segment, Icmp)]

    # --- the network -------------------------------------------------------------------------------------------------

    def cut(self, link: str, towards: str, time_ns: int) -> bool:
        """May a cable have been cut towards one of its ends at a moment?"""
        state = False
        for fault in self.faults:
            if fault.node != link or fault.time_ns > time_ns:
                continue
            if isinstance(fault.action, Cut) and fault.action.to in {None, towards}:
                state = True
            elif isinstance(fault.action, Heal) and fault.end_ns < time_ns:
                state = False
        return state

    def off(self, node: str, time_ns: int) -> bool:
        """May a machine have been without power at a moment?"""
        state = False
        for fault in self.faults:
            if fault.node != node or fault.time_ns > time_ns:
                continue
            if isinstance(fault.action, Crash):
                state = True
            elif isinstance(fault.action, Boot) and fault.end_ns < time_ns:
                state = False
        return state

    def crashes(self, node: str, start_ns: int, end_ns: int) -> list[Fault]:
        return [
            fault
            for fault in self.faults
            if fault.node == node and isinstance(fault.action, Crash) and start_ns <= fault.time_ns <= end_ns
        ]

    def rules(self, node: str, chain: str, time_ns: int) -> list[Rule]:
        """A chain as it surely or perhaps is at a moment, with its rules as they were written."""
        if node not in self.network.nodes:
            return []
        kind = self.network.kind(node)
        of_file = self.network.node(node).firewall
        found = list(of_file)
        for fault in self.faults:
            if fault.node != node or fault.time_ns > time_ns:
                continue
            if isinstance(fault.action, AddRule):
                found.append(fault.action.rule)
            elif isinstance(fault.action, Crash | Boot):
                found = list(of_file)
        return [rule for rule in found if (rule.chain or usual_chain(kind)).upper() == chain]

    def fits(self, rule: Rule, packet: Packet) -> bool:
        """Does a rule match a packet, by iptables(8)?"""
        kinds = {Tcp: "tcp", Udp: "udp", Icmp: "icmp"}
        src, dst = packet.src, packet.dst
        return (
            rule.protocol in {None, kinds.get(type(packet.segment), "")}
            and self.network.resolve(rule.source) in {None, src.address}
            and self.network.resolve(rule.destination) in {None, dst.address}
            and rule.sport in {None, src.port}
            and rule.dport in {None, dst.port}
        )

    def delivered(self, journey: Journey) -> bool:
        """Did a packet come to the machine that it is for, and past that machine's own filter?"""
        node = self.owner(journey.dst) or journey.maker
        came = journey.came_to(node)
        if came is None:
            return False
        decides = next((rule for rule in self.rules(node, "INPUT", came) if self.fits(rule, journey.packet)), None)
        return decides is None or decides.action == "accept"

    def sysctl(self, node: str, key: str, time_ns: int) -> str | None:
        if node not in self.network.nodes:
            return None
        value = of_file = self.network.node(node).sysctls.get(key)
        for fault in self.faults:
            if fault.node != node or fault.time_ns > time_ns:
                continue
            if isinstance(fault.action, Boot):
                value = of_file
            elif isinstance(fault.action, SetSysctl) and fault.action.key == key:
                value = fault.action.value
        return value

    def grew(self, node: str, counter: str) -> int | None:
        """By how much a counter grew; None where nobody counted."""
        told = [event.grew for _, event in self.of(Counters) if event.node == node]
        return sum(grew.get(counter, 0) for grew in told) if told else None

    # --- programs ----------------------------------------------------------------------------------------------------

    @cached_property
    def by_socket(self) -> dict[str, list[Call]]:
        """The calls on each socket; an accept() is the first one of the socket that it made."""
        found: dict[str, list[Call]] = {}
        for call in self.calls:
            if call.socket:
                found.setdefault(call.socket, []).append(call)
            if call.made:
                found.setdefault(call.made, []).append(call)
        return found

    def sockets(self, node: str, own: Endpoint, other: Endpoint, time_ns: int) -> list[str]:
        """The sockets of a node that had these two ends, the one that was opened last before a moment first."""
        opened: list[tuple[int, str]] = []
        for name, calls in self.by_socket.items():
            for call in calls:
                fresh = call.made == name or call.name == "connect"
                mine = call.node == node and call.remote == other and self._is_local(calls, call, name, own)
                if fresh and mine and call.time_ns <= time_ns:
                    opened.append((call.time_ns, name))
        return [name for _, name in sorted(opened, reverse=True)]

    def _is_local(self, calls: list[Call], opening: Call, name: str, own: Endpoint) -> bool:
        """Did a socket have this end of its own? What no call tells it may have."""
        if opening.local is not None:
            return opening.local.port == own.port
        told = {call.local for call in calls if call.local and (call.made in {"", name})}
        return own in told or not told

    def socket(self, node: str, own: Endpoint, other: Endpoint, time_ns: int) -> str | None:
        return next(iter(self.sockets(node, own, other, time_ns)), None)

    def death(self, socket: str) -> tuple[int, int, Call | ProcessEnd] | None:
        """When a program let go of a socket, and by what; a power loss is none."""
        calls = self.by_socket.get(socket, [])
        for call in calls:
            shut = isinstance(call.action, Shutdown) and call.action.how != "wr" and isinstance(call.result, Ok)
            listens = [one for one in calls if one.name == "listen"]
            again = any(one.time_ns >= call.end_ns and isinstance(one.result, Ok) for one in listens)
            over = (closes(call) and call.final) or (shut and listens and not again)
            if over and call.socket == socket and call.result is not None:
                return call.time_ns, call.end_ns, call
        for end in self.ends:
            whose = any(call.process == end.process and call.pid == end.pid for call in calls)
            if socket in end.closed or (not end.closed and whose):
                return end.began_ns if end.began_ns is not None else end.time_ns, end.time_ns, end
        return None

    def closers(self, socket: str) -> list[Call | ProcessEnd]:
        """Everything that may have ended a socket."""
        calls = self.by_socket.get(socket, [])
        closings = [
            call for call in calls if (closes(call) or isinstance(call.action, Shutdown)) and call.socket == socket
        ]
        ends = [
            end
            for end in self.ends
            if socket in end.closed or any(call.process == end.process and call.pid == end.pid for call in calls)
        ]
        return [*closings, *ends]

    def option(self, socket: str, option: str, time_ns: int) -> str | None:
        """What an option was set to, on the socket or on the listener that it came from."""
        calls = self.by_socket.get(socket, [])
        for call in reversed(calls):
            is_set = isinstance(call.action, SetOption) and call.action.option == option and call.socket == socket
            if is_set and call.time_ns <= time_ns and isinstance(call.result, Ok):
                assert isinstance(call.action, SetOption)
                return call.action.value
        parent = next((call for call in calls if call.made == socket), None)
        return self.option(parent.socket, option, parent.time_ns) if parent else None

    def listeners(self, node: str, port: int, time_ns: int) -> Iterator[tuple[str, Call, bool]]:
        """The sockets that listen, or did, on a port: name, the listen(), and whether it surely still does."""
        for name, calls in self.by_socket.items():
            first = next(
                (c for c in calls if c.name == "listen" and c.socket == name and isinstance(c.result, Ok)), None
            )
            if first is None or first.node != node or first.local is None or first.local.port != port:
                continue
            if first.end_ns > time_ns:
                continue
            death = self.death(name)
            shut = any(
                isinstance(c.action, Shutdown) and c.action.how != "wr" and first.end_ns <= c.time_ns <= time_ns
                for c in calls
            )
            lives = (death is None or death[0] > time_ns) and not shut
            alive = lives and not self.crashes(node, first.time_ns, time_ns)
            yield name, first, alive

    def listens(self, node: str, end: Endpoint, time_ns: int) -> list[Call]:
        """The listen() of each socket that takes what comes for an end."""
        return [
            call
            for _, call, alive in self.listeners(node, end.port, time_ns)
            if alive and call.local is not None and call.local.address in {end.address, *WILDCARDS}
        ]

    def bytes_read(self, socket: str, time_ns: int) -> int:
        return sum(
            call.result.number
            for call in self.by_socket.get(socket, [])
            if (call.name in READS or (call.name == "splice" and isinstance(call.action, Recv)))
            and isinstance(call.result, Count)
            and call.time_ns <= time_ns
            and "MSG_PEEK" not in call.detail
            and "MSG_ERRQUEUE" not in call.detail
        )

    def waiting(self, node: str, end: Endpoint, time_ns: int) -> int:
        """How many connections wait to be accepted: their handshake is over, and no accept() has taken them."""
        count = 0
        for src, dst in self._by_ends:
            if dst != end:
                continue
            begun = [j.made_ns for j in self.sent(src, dst) if "S" in j.tcp.flags and j.made_ns <= time_ns]
            acks = [j for j in self.sent(src, dst) if "A" in j.tcp.flags and (j.came_to(node) or _FOREVER) <= time_ns]
            if not begun or not any(j.made_ns >= begun[-1] for j in acks):
                continue
            taken = any(
                call.made and call.node == node and call.remote == src and begun[-1] <= call.end_ns <= time_ns
                for call in self.calls
            )
            count += not taken
        return count

    def received(self, src: Endpoint, dst: Endpoint, node: str, time_ns: int) -> int | None:
        """How many bytes had come to a node from an end without a gap; None where no SYN was seen."""
        syns = [j for j in self.sent(src, dst) if "S" in j.tcp.flags and j.made_ns <= time_ns]
        if not syns:
            return None
        isn = syns[-1].tcp.seq
        parts = []
        for journey in self.sent(src, dst):
            came = journey.came_to(node)
            if came is not None and syns[-1].made_ns <= came <= time_ns and journey.tcp.length:
                start = (journey.tcp.seq - isn - 1) % (1 << 32)
                parts.append((start, start + journey.tcp.length))
        reached = 0
        for start, end in sorted(parts):
            if start <= reached:
                reached = max(reached, end)
        return reached
