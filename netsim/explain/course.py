"""Where packets went that nobody answered: each as far as it was seen, and on from there by what is known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from netsim.analysis.connections import Connection, distance
from netsim.analysis.filters import Placed
from netsim.analysis.forwarding import Outcome
from netsim.analysis.outages import Span
from netsim.analysis.paths import Fate, PacketPath
from netsim.explain.failing import Failing
from netsim.explain.rst import SLACK_NS
from netsim.explain.words import Words, asked_in_vain, no_route, rule_place
from netsim.model.endpoint import Endpoint
from netsim.model.network import Way

Kind = Literal[
    "arrived", "cut", "off", "lost", "dropped", "rejected", "discarded", "no-route", "neighbour", "expired", "unsure"
]
BEFORE_TCP = (
    "IP_", "XFRM_", "UNHANDLED_PROTO", "PKT_TOO_SMALL", "PROTO_MEM", "NOMEM", "CPU_BACKLOG", "QDISC_", "TC_", "XDP",
    "DEV_", "SOCKET_FILTER", "SOCKET_BACKLOG", "TCP_CSUM", "TCP_MD5", "TCP_AO", "TCP_MINTTL", "BPF_",
)  # fmt: skip
"""How the kernel's reasons begin for dropping what no TCP has looked at. What TCP has done with a segment it drops too,
a probe that it has answered for one; a rule of a packet filter is told by its counter, ARP by its requests."""


_RESOLVING_NS = 3_000_000_000
"""A packet may wait for requests that were sent for another one before: three, a second apart (arp(7))."""


@dataclass(frozen=True, slots=True)
class Stop:
    """How far one packet came, and what stopped it."""

    path: PacketPath
    kind: Kind
    node: str
    link: str | None = None
    rule: Placed | None = None
    span: Span | None = None
    way: Way | None = None
    events: tuple[int, ...] = ()
    """What shows it: the fault, the ARP requests."""
    reason: str = ""
    """Of `discarded`: why the kernel dropped it, by its name for it."""
    predicted: bool = False
    """Nobody watched there: the routes, rules and faults say it."""

    def shown_by(self) -> str:
        """What its events are, in a sentence."""
        match self.kind:
            case "cut":
                return f"the cable {self.link} was cut"
            case "off":
                return f"{self.node} had lost its power"
            case "discarded":
                return f"the kernel of {self.node} says kfree_skb, reason {self.reason}"
        hop = (self.way.next_hop if self.way else None) or "its next hop"
        return asked_in_vain(self.node, hop, self.events)

    def place(self, words: Words) -> str:
        """`on fw -- server, which was cut`, `at fw: rule 1 of its FORWARD chain (drop tcp)`."""
        match self.kind:
            case "cut":
                return f"on {self.link}, which was cut"
            case "off":
                return f"at {self.node}, which had no power"
            case "lost":
                return f"on {self.link}"
            case "dropped" | "rejected":
                assert self.rule is not None
                return f"at {self.node}: {rule_place(self.rule)}"
            case "discarded":
                return f"at {self.node}, whose kernel dropped it with reason {self.reason}"
            case "no-route":
                kind = self.way.kind if self.way else "none"
                return f"at {self.node}, which has {no_route(kind, words.host(self.path.dst.address))}"
            case "neighbour":
                hop = words.host(self.way.next_hop or "") if self.way else "its next hop"
                return f"at {self.node}, whose ARP requests for {hop} got no answer"
            case "expired":
                return f"at {self.node}, where its TTL ended"
        return f"at {self.node}, which sent nothing on"


def stop_of(f: Failing, path: PacketPath) -> Stop:
    """Say how far a packet came on its way to where it is addressed."""
    target = path.packet.node if path.packet.link is None else f.a.network.owner(path.dst.address)
    if target is not None and (path.packet.link is None or path.arrival(target) is not None):
        return Stop(path, "arrived", target)
    last = path.last()
    if last.lost:
        return _lost(f, path)
    if last.fate is Fate.UNSEEN:
        return _left(f, path)
    return _stuck(f, path, last.receiver)


def _left(f: Failing, path: PacketPath) -> Stop:
    """It was seen to leave a node, and nobody watched on."""
    last = path.last()
    assert last.link is not None
    return _by(f, path, f.a.forwarder.leaving(last.sender, last.link, path.packet, last.time_ns), True)


def _lost(f: Failing, path: PacketPath) -> Stop:
    last = path.last()
    assert last.link is not None
    outcome = f.a.forwarder.lost_on(last.link, last.receiver, last.time_ns)
    return _by(f, path, outcome, False) if outcome else Stop(path, "lost", last.receiver, last.link)


def _stuck(f: Failing, path: PacketPath, node: str) -> Stop:
    """It came to a node that is not its target, and was not seen to leave it."""
    last = path.last()
    a = f.a
    if a.network.kind(node) == "switch" or not a.index.tapped(node, last.link):
        return _left(f, path)
    outcome = a.forwarder.arriving(node, path.packet, last.time_ns)
    told = a.dropped(node, path.packet, last.time_ns)
    if told is not None and outcome.end in {"dropped", "rejected", "unsure", "delivered"}:
        index, drop = told
        if drop.reason.startswith(BEFORE_TCP):
            return Stop(path, "discarded", node, events=(index,), reason=drop.reason)
    if outcome.node == node and outcome.end != "delivered":
        return _by(f, path, outcome, outcome.end == "unsure")
    way = f.way_of(node, path.dst)
    if way.next_hop is not None:
        asked = f.unanswered_arps(node, way.next_hop, _since(f, path), f.call.end_ns)
        if asked:
            return Stop(path, "neighbour", node, way=way, events=asked)
    return Stop(path, "unsure", node) if a.index.sees_links(node) else _by(f, path, outcome, True)


def _since(f: Failing, path: PacketPath) -> int:
    """Since when ARP requests may have been sent for a packet, or for one of its connection that waits with it."""
    begin_ns = f.connection.begin_ns - SLACK_NS if f.connection else path.time_ns - 1
    return min(path.time_ns - 1, max(path.time_ns - _RESOLVING_NS, begin_ns))


def _by(f: Failing, path: PacketPath, outcome: Outcome, predicted: bool) -> Stop:
    kind: Kind = "arrived" if outcome.end == "delivered" else outcome.end
    beyond = outcome.link != path.last().link
    if predicted and beyond and outcome.span is not None and not f.spoke_before(path.dst, outcome.span.start_ns):
        kind = "unsure"  # whether it left for the cable at all is a question of ARP, and nobody watched
    events = (outcome.span.began,) if outcome.span else ()
    return Stop(
        path, kind, outcome.node, outcome.link, outcome.rule, outcome.span, outcome.way, events, predicted=predicted
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Outstanding:
    """What one end of a connection had sent and nobody had acknowledged when a call ended."""

    connection: Connection
    end: Endpoint
    paths: list[PacketPath]
    """Each sending of each of these segments, in time order."""
    probes: list[PacketPath]
    """Keepalive and zero-window probes among them."""


def outstanding(f: Failing, connection: Connection, end: Endpoint, until_ns: int) -> Outstanding:
    """Find the segments of one end that were not acknowledged by a moment, as far as that end could know."""
    own = connection.side(end)
    acked, heard_ns = _acknowledged(f, connection, end, until_ns)
    waiting: list[PacketPath] = []
    probes: list[PacketPath] = []
    for path in own.before(until_ns):
        tcp = path.tcp
        if "R" in tcp.flags:
            continue
        carries = tcp.length or "S" in tcp.flags or "F" in tcp.flags
        ahead = own.relative(tcp.end) > acked if acked is not None else True
        if carries and ahead:
            waiting.append(path)
        elif acked is not None and path.time_ns > heard_ns and _is_probe(own.relative(tcp.seq), acked, tcp.length):
            probes.append(path)
    waiting, probes = _once(waiting), _once(probes)
    return Outstanding(connection, end, waiting + probes if waiting else probes, probes)


def _once(paths: list[PacketPath]) -> list[PacketPath]:
    """Each packet once: what routers send in a circle seems to be many, where not every link is watched."""
    last: dict[object, PacketPath] = {}
    for path in paths:
        packet = path.packet
        last[(packet.ident, packet.segment) if packet.ident else path.number] = path
    return list(last.values())


def _is_probe(seq: int, acked: int, length: int) -> bool:
    """A probe repeats the number before the first that is not acknowledged, so that the peer has to answer."""
    return seq == acked - 1 and length <= 1


def _acknowledged(f: Failing, connection: Connection, end: Endpoint, until_ns: int) -> tuple[int | None, int]:
    """The furthest number that was acknowledged and came to an end, relative to its first, and when it heard last."""
    own, peer = connection.side(end), connection.side(connection.other(end))
    node = f.a.network.owner(end.address)
    furthest: int | None = None
    heard_ns = connection.begin_ns
    for path in peer.before(until_ns):
        tcp = path.tcp
        if "A" not in tcp.flags or own.first is None or (node is not None and not _may_have_come(f, path, node)):
            continue
        if "R" in tcp.flags:
            continue
        reach, heard_ns = distance(own.first, tcp.ack), path.time_ns
        furthest = reach if furthest is None else max(furthest, reach)
    return furthest, heard_ns


def _may_have_come(f: Failing, path: PacketPath, node: str) -> bool:
    """Did an answer come to a node's TCP, or could it have, where nobody watched?"""
    if path.packet.link is None:
        return True
    stop = stop_of(f, path)
    if stop.kind != "arrived":
        return False
    hop = path.arrival(node)
    outcome = f.a.forwarder.arriving(node, path.packet, hop.time_ns if hop else path.time_ns)
    return outcome.end == "delivered"
