"""One call that failed, or was given up, as the causes see it: its socket, its connection, and what was sent for it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from netsim.analysis import Analysis
from netsim.analysis.connections import Connection
from netsim.analysis.filters import Placed
from netsim.analysis.sockets import Socket
from netsim.errors import InputError
from netsim.explain.felt import is_felt
from netsim.explain.rst import SLACK_NS, evidence
from netsim.explain.words import Words, plural
from netsim.model.duration import parse_duration
from netsim.model.endpoint import Endpoint
from netsim.model.event import Arp, Call, Icmp
from netsim.model.explanation import Evidence, Failure
from netsim.model.network import Way, way_to
from netsim.model.result import Errno, Signalled

EARLY = 0.9
"""A time-out that ends this much before its time is none: timers run late, not early."""
_ANSWERED_NS = 1_000_000_000
"""An answer that comes so late is another request's: they are sent a second apart (arp(7), retrans_time)."""


@dataclass(frozen=True)
class Failing:
    """A failed call. `connection` is the one that its socket had then; None where none of its packets was seen."""

    a: Analysis
    words: Words
    index: int
    call: Call

    @cached_property
    def socket(self) -> Socket | None:
        return self.a.sockets.by_name.get(self.call.socket)

    @cached_property
    def connection(self) -> Connection | None:
        return self.socket.connection_of(self.call) if self.socket else None

    @cached_property
    def errno(self) -> str:
        """The error by name; where poll() only said that there is one, the one that its socket told next."""
        if isinstance(self.call.result, Errno):
            return self.call.result.name
        if self.call.result == Signalled("SIGPIPE"):
            return "EPIPE"
        if not is_felt(self.call) or self.socket is None:
            return ""
        later = [call for index, call in self.socket.calls if index > self.index and isinstance(call.result, Errno)]
        same = [call for call in later if self.socket.connection_of(call) is self.connection]
        return next((call.result.name for call in same if isinstance(call.result, Errno)), "")

    def is_soft(self) -> bool:
        """May it be an error that ended nothing? getsockopt() tells ICMP's too, of a connection that stands on."""
        stood = self.connection is not None and self.connection.established(self.call.time_ns)
        return self.call.name == "getsockopt" and stood and self.errno not in {"ETIMEDOUT", "ECONNRESET", "EPIPE"}

    @property
    def end(self) -> Endpoint:
        """The socket's own end of its connection."""
        assert self.connection is not None
        mine = self.a.sockets.of_connection.get((self.connection.number, self.connection.client)) is self.socket
        return self.connection.client if mine else self.connection.server

    @property
    def target(self) -> Endpoint | None:
        """Where the call's packets go."""
        if self.connection is not None:
            return self.connection.other(self.end)
        opening = self.socket.opening(self.call) if self.socket else None
        return opening.call.remote if opening else self.call.remote

    def said(self) -> str:
        """`connect() of client`."""
        return f"{self.call.name}() of {self.call.process}"

    def way(self, node: str) -> Way:
        """What a node's routes say of the target."""
        target = self.target
        return way_to(self.a.network, node, target.address) if target is not None else Way("none")

    def way_of(self, node: str, target: Endpoint) -> Way:
        """What a node's routes say of another target."""
        return way_to(self.a.network, node, target.address) if node in self.a.network.nodes else Way("none")

    def unanswered_arps(self, node: str, hop: str, start_ns: int, end_ns: int) -> tuple[int, ...] | None:
        """A node's last ARP requests for a next hop, which nobody answered; None where one was answered, or none sent.

        None too where packets are missing: one of them may have been the answer.
        """
        if self.a.index.lost_any:
            return None
        requests: list[tuple[int, int]] = []
        for index, packet in self.a.index.arps.get(node, ()):
            if packet.time_ns < start_ns or not isinstance(packet.segment, Arp):
                continue
            asks = packet.segment.operation == "request" and packet.direction == "out" and packet.dst.address == hop
            told = packet.src.address == hop and packet.direction == "in" and not packet.lost and not packet.overheard
            if told and packet.time_ns <= end_ns:
                requests = []
            elif told and requests and packet.time_ns - requests[-1][1] < _ANSWERED_NS:
                return None
            elif asks and packet.time_ns <= end_ns:
                requests.append((index, packet.time_ns))
        return tuple(index for index, _ in requests) or None

    def spoke_before(self, end: Endpoint, time_ns: int) -> bool:
        """Had anything been exchanged with a machine by then? Then its neighbours know where it is."""
        known = (one for one in self.a.connections if end.address in {one.server.address, one.client.address})
        return any(one.begin_ns < time_ns and one.established(time_ns) for one in known)

    def sees_what_leaves(self, end: Endpoint) -> bool:
        """Would everything that an end of its connection sends have been seen?"""
        assert self.connection is not None
        node = self.connection.machine(end, self.a.network)
        return node is not None and self.a.index.sees_all(node)

    def faults_during(self) -> bool:
        """Was anything changed while the call went on? Then what was so when it began does not explain all of it."""
        return self.faults_since(self.call.time_ns)

    def faults_since(self, time_ns: int) -> bool:
        """Was anything changed between a moment and the call's end?"""
        return any(time_ns < fault.end_ns and fault.time_ns < self.call.end_ns for _, fault in self.a.index.faults)

    def matched(self, rule: Placed) -> Evidence | None:
        """How often a rule has matched; None where nobody counted."""
        hit = self.a.filters.hit(rule)
        if hit is None:
            return None
        where = f"rule {rule.number} of {rule.node}'s {rule.chain} chain"
        return Evidence(f"{where} matched {plural(hit[1].packets, 'packet')}", (hit[0],))

    def silent_neighbour(self, node: str, icmp: Icmp) -> tuple[str, tuple[int, ...]] | None:
        """The next hop that did not answer a router's ARP requests, so that it sent `host unreachable` (code 1)."""
        if icmp.code != 1 or node not in self.a.network.nodes or self.connection is None:
            return None
        hop = self.way(node).next_hop
        if hop is None:
            return None
        asked = self.unanswered_arps(node, hop, self.connection.begin_ns - SLACK_NS, self.call.end_ns)
        return (hop, asked) if asked else None


def limit_ns(text: str) -> float | None:
    """A limit of a socket's as its option has it; None where that is no duration."""
    try:
        return parse_duration(text) * 1e9
    except InputError:
        return None


def failure(f: Failing, cause: str, because: str, *proof: Evidence | None) -> Failure:
    """What a cause found out about a failed call."""
    assert f.call.result is not None
    return Failure(f.call.process, f.call.name, f.call.result, cause, because, evidence(*proof), f.call.step, f.index)
