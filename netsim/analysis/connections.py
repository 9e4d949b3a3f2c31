"""TCP connections as lifetimes: a pair of ends may have many, one after the other, and each has numbers of its own."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from netsim.analysis.outages import FOREVER_NS
from netsim.analysis.paths import PacketPath
from netsim.model.endpoint import Endpoint
from netsim.model.event import Tcp
from netsim.model.network import Network, way_to

_SPACE = 1 << 32
_HALF = 1 << 31
_SKEW_NS = 1_000_000
"""Clocks of packets and of the kernel's events agree to some microseconds; this is more."""


def distance(start: int, number: int) -> int:
    """How far a sequence number is behind another, in 32 bits; negative for one just before (RFC 9293, 3.4)."""
    apart = (number - start) % _SPACE
    return apart - _SPACE if apart >= _HALF else apart


def is_refusal(tcp: Tcp) -> bool:
    """Is it a RST whose own number is 0 and counts nothing, as it answers a segment without ACK?"""
    return "R" in tcp.flags and "A" in tcp.flags and not tcp.seq


@dataclass(slots=True)
class Side:
    """What one end of a connection sent."""

    paths: list[PacketPath] = field(default_factory=list)
    """In time order, RSTs included: whoever made them, they bear its address."""
    times: list[int] = field(default_factory=list)
    isn: int | None = None
    """The sequence number of its SYN; None where nobody saw one."""
    syn_ns: int | None = None
    """When it sent its SYN, or SYN ACK, last."""
    first: int | None = None
    """The first sequence number seen, of a SYN or not: relative numbers count from it."""
    top: int = 0
    """The furthest sequence number of anything but a RST, relative to `first`."""

    def before(self, time_ns: int) -> list[PacketPath]:
        """What had been sent until a moment, it included."""
        return self.paths[: bisect_right(self.times, time_ns)]

    def relative(self, number: int) -> int:
        return distance(self.first or 0, number)


@dataclass(slots=True)
class Connection:
    """One lifetime of a TCP connection, from its SYN on; from the first packet seen where there is no SYN."""

    number: int
    client: Endpoint
    """Who sent the SYN; where nobody saw one, who sent the first packet, or got it where that answers."""
    server: Endpoint
    node: str | None
    """The node that has both ends; None for one between machines."""
    sides: dict[Endpoint, Side]
    begin_ns: int
    first: bool = True
    """There was none of these ends before."""
    until_ns: int = FOREVER_NS
    """When the next lifetime of these ends begins."""
    syn: PacketPath | None = None

    @property
    def paths(self) -> list[PacketPath]:
        """Everything of both sides, in time order."""
        both = [*self.sides[self.client].paths, *self.sides[self.server].paths]
        return sorted(both, key=lambda path: (path.time_ns, path.number))

    @property
    def begins_ns(self) -> int:
        """When its SYN was sent; something that came late may have been seen before."""
        return self.syn.time_ns if self.syn else self.begin_ns

    def known_since(self, end: Endpoint) -> int:
        """When a machine last began to know of it: by its own SYN, or by the last SYN ACK that it answered one with.

        A SYN may be sent again for minutes; whoever answers it in the end may not have been there for the first one.
        """
        if end == self.client:
            return self.begins_ns
        answered_ns = self.sides[self.server].syn_ns
        return self.begins_ns if answered_ns is None else answered_ns

    def is_during(self, time_ns: int) -> bool:
        """Does a moment belong to this lifetime of its ends, and to no other?"""
        return (self.begin_ns - _SKEW_NS if self.first else self.begin_ns) <= time_ns < self.until_ns

    def machine(self, end: Endpoint, network: Network) -> str | None:
        """Whose machine one end is on; None where it is nobody's of the network."""
        return self.node or network.owner(end.address)

    def other(self, end: Endpoint) -> Endpoint:
        return self.server if end == self.client else self.client

    def side(self, end: Endpoint) -> Side:
        return self.sides[end]

    def relative(self, path: PacketPath) -> tuple[int, int]:
        """A packet's sequence and acknowledgement number as people count: a SYN's is 0, what acknowledges it 1."""
        tcp = path.tcp
        own, other = self.sides[path.src], self.sides[path.dst]
        seq = 0 if own.first is None or is_refusal(tcp) else distance(own.first, tcp.seq)
        if "A" not in tcp.flags:
            return seq, 0
        return seq, distance(other.first if other.first is not None else tcp.ack, tcp.ack)

    def completed(self, before_ns: int) -> bool:
        """Tell whether the handshake's last ACK, or anything after it, had come from the client by a moment."""
        return self.syn is None or any(True for _ in self.completing(before_ns))

    def completing(self, before_ns: int) -> Iterator[PacketPath]:
        """What had come from the client by a moment and finishes the handshake."""
        sent = self.sides[self.client].before(before_ns)
        return (path for path in sent if "A" in path.tcp.flags and not path.last().lost)

    def sent_fin(self, end: Endpoint, before_ns: int) -> PacketPath | None:
        """The first FIN of one end before a moment."""
        return next((p for p in self.sides[end].before(before_ns) if "F" in p.tcp.flags), None)

    def established(self, before_ns: int) -> bool:
        """Tell whether a SYN ACK of the server's was seen before a moment; without a SYN, whatever was is taken so."""
        if self.syn is None:
            return True
        return any("S" in path.tcp.flags for path in self.sides[self.server].before(before_ns))


Key = tuple[str | None, Endpoint, Endpoint]


def find_connections(paths: Iterable[PacketPath], network: Network) -> tuple[list[Connection], dict[int, Connection]]:
    """Sort TCP packets into lifetimes; also says by each path's number which one it belongs to.

    A SYN with another number begins a new one. What comes late belongs to the one whose numbers it has: in one
    direction they grow from lifetime to lifetime (RFC 9293, 3.4.1).
    """
    found: list[Connection] = []
    of: dict[int, Connection] = {}
    known: dict[Key, list[Connection]] = {}
    for path in paths:
        src, dst = path.src, path.dst
        node = path.packet.node if _both_ends_are_its_own(path, network) else None
        key = (node, src, dst) if src <= dst else (node, dst, src)
        lives = known.get(key)
        if lives is None:
            lives = known[key] = []
        connection = _fitting(lives, path)
        if connection is None:
            client, server = (dst, src) if _is_an_answer(path.tcp) else (src, dst)
            connection = Connection(len(found), client, server, node, {src: Side(), dst: Side()}, path.time_ns)
            found.append(connection)
            if lives:
                lives[-1].until_ns = path.time_ns
                connection.first = False
            lives.append(connection)
        _add(connection, path)
        of[path.number] = connection
    return found, of


def _both_ends_are_its_own(path: PacketPath, network: Network) -> bool:
    """Is it a node's talk with itself? What OUTPUT rejects is answered over the loopback too, in another's name."""
    if path.packet.link is not None:
        return False
    return all(way_to(network, path.packet.node, end.address).kind == "local" for end in (path.src, path.dst))


def _is_an_answer(tcp: Tcp) -> bool:
    """A SYN ACK, or the refusal of a SYN."""
    return is_refusal(tcp) or ("S" in tcp.flags and "A" in tcp.flags)


def _fitting(lives: list[Connection], path: PacketPath) -> Connection | None:
    """The lifetime that a packet belongs to; None where it begins a new one."""
    if not lives:
        return None
    tcp, latest = path.tcp, lives[-1]
    if "S" in tcp.flags and "A" not in tcp.flags:
        own = latest.sides[path.src]
        if own.isn == tcp.seq:
            return latest
        crossing = own.isn is None and own.first is None and latest.client != path.src  # simultaneous open
        return latest if crossing and not _has_answered(latest) else None
    if "S" in tcp.flags:
        return next((life for life in reversed(lives) if _answers_syn(life, path)), None)
    if len(lives) == 1:
        return latest
    return next((life for life in reversed(lives) if _numbers_fit(life, path)), latest)


def _answers_syn(life: Connection, path: PacketPath) -> bool:
    """Does a SYN ACK acknowledge the SYN of this lifetime, or data that came with it, as far as that was seen?"""
    other = life.sides[path.dst]
    return other.isn is None or 1 <= distance(other.isn, path.tcp.ack) <= max(1, other.top)


def _has_answered(connection: Connection) -> bool:
    return bool(connection.sides[connection.server].paths)


def _numbers_fit(life: Connection, path: PacketPath) -> bool:
    """Are a packet's numbers not from before this lifetime began?"""
    tcp = path.tcp
    own, other = life.sides[path.src], life.sides[path.dst]
    if not is_refusal(tcp):
        start = own.isn if own.isn is not None else own.first
        if start is not None and distance(start, tcp.seq) < 0:
            return False
    if "A" in tcp.flags:
        start = other.isn if other.isn is not None else other.first
        if start is not None and distance(start, tcp.ack) < 0:
            return False
    return True


def _add(connection: Connection, path: PacketPath) -> None:
    tcp = path.tcp
    own, other = connection.sides[path.src], connection.sides[path.dst]
    if "S" in tcp.flags:
        own.syn_ns = path.time_ns
        if own.isn is None:
            own.isn = own.first = tcp.seq
            own.top = 0
        if "A" not in tcp.flags and connection.syn is None and path.src == connection.client:
            connection.syn = path
    if own.first is None and not is_refusal(tcp):
        own.first = tcp.seq
    if other.first is None and "A" in tcp.flags:
        other.first = (tcp.ack - ("S" in tcp.flags)) % _SPACE
    if "R" not in tcp.flags and own.first is not None:
        own.top = max(own.top, distance(own.first, tcp.end))
    own.paths.append(path)
    own.times.append(path.time_ns)
