"""Packets on their way: what one end of a link sent and the other end got, and link after link put together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import Enum
from itertools import islice

from netsim.analysis.outages import Outages
from netsim.model.endpoint import Endpoint
from netsim.model.event import Packet, Segment, Tcp
from netsim.model.network import Network, way_to
from netsim.model.timeline import Tap

_SKEW_NS = 1_000_000
"""Two taps may be read in the wrong order; an arrival this much before its departure is still its own."""
_UNSEEN_NS = 500_000_000
"""A packet that is seen again behind links that nobody watched is not older than this: one like it was sent again."""
_ALIKE = 16
"""No more packets that are alike to the last bit are on their way at one time, where links are not watched."""
_IN_FLIGHT_NS = 2_000_000
"""What left this shortly before the recording ended may have arrived after it."""


class Fate(Enum):
    """What became of a packet on one link."""

    ARRIVED = "arrived"
    LOST = "lost"
    UNSEEN = "unseen"
    """Nobody watched the far end."""


@dataclass(slots=True)
class Hop:
    """One packet on one link: a departure, an arrival, or both."""

    packet: Packet
    """As its sender sent it; as it came, where nobody saw it leave."""
    sender: str
    receiver: str
    left: int | None
    """The event of its departure; None where nobody saw that."""
    came: int | None
    """The event of its arrival."""
    fate: Fate
    overheard: bool = False
    """It came to a machine that it was not addressed to, and was ignored there."""
    resent: bool = False
    """The same bytes (or SYN, or FIN) had crossed this link before."""

    @property
    def index(self) -> int:
        """The event that stands for it: its departure where that was seen."""
        return self.came if self.left is None else self.left  # type: ignore[return-value]

    @property
    def link(self) -> str | None:
        return self.packet.link

    @property
    def time_ns(self) -> int:
        return self.packet.time_ns

    @property
    def lost(self) -> bool:
        return self.fate is Fate.LOST

    @property
    def got(self) -> bool:
        """The receiving machine took it in."""
        return self.fate is Fate.ARRIVED and not self.overheard


@dataclass(slots=True, eq=False)
class PacketPath:
    """One packet from its maker on. At a switch it may branch: the hops are all branches', in time order."""

    hops: list[Hop]
    maker: str | None
    """The node that made it, whatever it claims; None where what was watched does not tell."""
    number: int = 0
    """Its place among the paths, in time order."""

    @property
    def packet(self) -> Packet:
        return self.hops[0].packet

    @property
    def tcp(self) -> Tcp:
        segment = self.hops[0].packet.segment
        assert isinstance(segment, Tcp)
        return segment

    @property
    def time_ns(self) -> int:
        return self.hops[0].packet.time_ns

    @property
    def src(self) -> Endpoint:
        return self.hops[0].packet.src

    @property
    def dst(self) -> Endpoint:
        return self.hops[0].packet.dst

    @property
    def events(self) -> tuple[int, ...]:
        return tuple(hop.index for hop in self.hops)

    def arrival(self, node: str) -> Hop | None:
        """The hop by which a node took it in; None where it did not, or nobody saw it."""
        return next((hop for hop in self.hops if hop.receiver == node and hop.got), None)

    def departure(self, node: str) -> Hop | None:
        """The hop by which it left a node."""
        return next((hop for hop in self.hops if hop.sender == node), None)

    def last(self) -> Hop:
        """The hop that got furthest: the last one that was not merely overheard by somebody else."""
        return next((hop for hop in reversed(self.hops) if not hop.overheard), self.hops[-1])


@dataclass(slots=True)
class Paths:
    """All packets of a timeline: hop by hop, and put together."""

    hops: list[Hop] = field(default_factory=list)
    paths: list[PacketPath] = field(default_factory=list)


def find_paths(
    events: Iterable[tuple[int, Packet]],
    network: Network,
    taps: frozenset[Tap],
    outages: Outages,
    end_ns: int,
    stays: frozenset[str],
) -> Paths:
    """Match each departure with its arrival, and what a node sends on with what it got.

    `taps` are those where a packet that nobody saw was not there; none where packets had to be let go. `stays` are
    the nodes that surely send nothing on.

    Where two packets are alike to the last bit, an arrival belongs to the latest that was sent before it: the
    earlier one is why it had to be sent again.
    """
    hops = _match(events, network)
    for hop in hops:
        if hop.came is None and hop.link is not None:
            hop.fate = _fate_of_the_unarrived(hop, taps, outages, end_ns)
    return Paths(hops, _join(hops, network, taps, stays))


def _match(events: Iterable[tuple[int, Packet]], network: Network) -> list[Hop]:
    found: list[Hop] = []
    waiting: dict[tuple[object, ...], list[Hop]] = {}
    crossed: dict[tuple[object, ...], Packet] = {}
    links = network.links
    for index, packet in events:
        link, node = packet.link, packet.node
        if link is None:
            sender = receiver = node
        else:
            a, b = links[link]
            other = b if node == a else a
            sender, receiver = (node, other) if packet.direction == "out" else (other, node)
        key = (link, sender, packet.src, packet.dst, packet.segment, packet.ident)
        alike = waiting.get(key)
        if alike and link is not None and _belong(alike[-1], packet):
            _complete(alike.pop(), packet, index)
            continue
        segment = packet.segment
        resent = False
        if isinstance(segment, Tcp) and (segment.length or "S" in segment.flags or "F" in segment.flags):
            begins = (link, sender, packet.src, packet.dst, segment.seq, segment.length, "S" in segment.flags)
            before = crossed.get(begins)
            resent = before is not None and not _goes_round(before, packet)
            crossed[begins] = packet
        if packet.direction == "out":
            hop = Hop(packet, sender, receiver, index, None, Fate.UNSEEN, False, resent)
        else:
            fate = Fate.LOST if packet.lost else Fate.ARRIVED
            hop = Hop(packet, sender, receiver, None, index, fate, packet.overheard, resent)
        if alike is None:
            waiting[key] = [hop]
        else:
            alike.append(hop)
        found.append(hop)
    found.sort(key=lambda hop: hop.packet.time_ns)
    return found


def _goes_round(before: Packet, packet: Packet) -> bool:
    """Is this the very packet that crossed the link before, routers having sent it in a circle?"""
    return packet.ident == before.ident and packet.ttl < before.ttl


def _belong(known: Hop, packet: Packet) -> bool:
    """Are they the two ends of one crossing?"""
    if packet.direction == "in":
        return known.came is None
    return known.left is None and packet.time_ns - known.packet.time_ns < _SKEW_NS


def _complete(hop: Hop, packet: Packet, index: int) -> None:
    if packet.direction == "in":
        hop.came, hop.overheard = index, packet.overheard
        hop.fate = Fate.LOST if packet.lost else Fate.ARRIVED
    else:
        hop.left, hop.packet = index, packet


def _fate_of_the_unarrived(hop: Hop, taps: frozenset[Tap], outages: Outages, end_ns: int) -> Fate:
    """It left, and nobody saw it arrive: lost where somebody watched, or where it cannot have arrived."""
    assert hop.link is not None
    if outages.is_off(hop.receiver, hop.time_ns) or outages.is_cut(hop.link, hop.receiver, hop.time_ns):
        return Fate.LOST
    if Tap(hop.receiver, hop.link) in taps and hop.time_ns < end_ns - _IN_FLIGHT_NS:
        return Fate.LOST
    return Fate.UNSEEN


def _join(hops: list[Hop], network: Network, taps: frozenset[Tap], stays: frozenset[str]) -> list[PacketPath]:
    """Put hops together that are the same packet: in at a node, and out of it again."""
    found: list[PacketPath] = []
    going: dict[tuple[Endpoint, Endpoint, Segment, int], list[PacketPath]] = {}
    passing: dict[tuple[int, str], list[PacketPath]] = {}  # what a node that may send it on has taken in
    watched = {node for node in network.nodes if all(Tap(node, link) in taps for link in network.ends(node))}
    for hop in hops:
        packet = hop.packet
        same = going.setdefault((packet.src, packet.dst, packet.segment, packet.ident), [])
        before = after = None
        if same:
            at = (id(same), hop.sender)
            here = passing.get(at, [])
            before = next((path for path in reversed(here) if _continues(path, hop, network)), None)
            if before is not None and network.kind(hop.sender) != "switch":
                here.remove(before)
                if not here:
                    del passing[at]
            before = before or next((path for path in _latest(same) if _resumes(path, hop, network)), None)
            after = next((path for path in _latest(same) if _precedes(hop, path, network)), None)
        path = before or PacketPath([], _maker(hop, network, watched, stays))
        path.hops.append(hop)
        if hop.receiver not in stays and hop.fate is not Fate.LOST and not hop.overheard:
            passing.setdefault((id(same), hop.receiver), []).append(path)
        if after is not None:
            for other in after.hops:
                here = passing.get((id(same), other.receiver), [])
                here[:] = [path if one is after else one for one in here]
            path.hops += after.hops
            after.hops = []
            same.remove(after)
        path.hops.sort(key=lambda hop: -hop.packet.ttl)  # two clocks may have told the second link of it first
        if before is None:
            same.append(path)
            found.append(path)
    found = sorted((path for path in found if path.hops), key=lambda path: path.time_ns)
    for number, path in enumerate(found):
        path.number = number
    return found


def _latest(same: list[PacketPath]) -> Iterator[PacketPath]:
    """Of packets that are alike, the last ones; earlier ones have long gone where they went."""
    return islice(reversed(same), _ALIKE)


def _continues(path: PacketPath, hop: Hop, network: Network) -> bool:
    """Is this a further link of the same packet?"""
    switch = network.kind(hop.sender) == "switch"
    for before in reversed(path.hops):
        back = before.link == hop.link and switch  # a router may send a packet back to where it came from
        if before.receiver == hop.sender and not back and before.fate is not Fate.LOST:
            in_order = before.time_ns <= hop.time_ns + _SKEW_NS
            aged = hop.packet.ttl == before.packet.ttl - (not switch)
            gone = any(other.sender == hop.sender and (other.link == hop.link or not switch) for other in path.hops)
            return in_order and aged and not gone and not before.overheard
    return False


def _resumes(path: PacketPath, hop: Hop, network: Network) -> bool:
    """Is this the same packet again, behind links where nobody saw it? Its TTL and the routes must say so."""
    before = path.last()
    passed = before.packet.ttl - hop.packet.ttl
    at = _next_machine(network, before)
    unseen = before.fate is Fate.UNSEEN or (before.fate is Fate.ARRIVED and passed > 0)
    if at is None or passed < 0 or not unseen or not -_SKEW_NS <= hop.time_ns - before.time_ns < _UNSEEN_NS:
        return False
    if any(other.link == hop.link for other in path.hops):
        return False
    sender = None
    for _ in range(passed):
        way = way_to(network, at, hop.packet.dst.address)
        onward = network.owner(way.next_hop or "")
        if onward is None:
            return False
        sender, at = at, onward
    return hop.receiver == at or (sender is not None and hop.sender == sender)


def _next_machine(network: Network, hop: Hop) -> str | None:
    """Which machine gets what is on a hop, over switches too; None where nobody can tell."""
    if network.kind(hop.receiver) != "switch":
        return hop.receiver
    if network.kind(hop.sender) == "switch" or hop.sender not in network.nodes:
        return None
    return network.owner(way_to(network, hop.sender, hop.packet.dst.address).next_hop or "")


def _precedes(hop: Hop, path: PacketPath, network: Network) -> bool:
    """Is this a hop before a path's first, which seems to come after it by a little, where two clocks meet?"""
    near = 0 <= hop.time_ns - path.hops[0].time_ns < _SKEW_NS
    alone = PacketPath([hop], None)
    return near and (_continues(alone, path.hops[0], network) or _resumes(alone, path.hops[0], network))


def _maker(first: Hop, network: Network, watched: set[str], stays: frozenset[str]) -> str | None:
    """Who made a packet that was first seen on this hop.

    A host sends on nothing; a router may, and a switch makes nothing: there it takes taps on all other links to
    know that it did not come from there. A router's own address comes from nobody else: the kernel drops that as a
    martian (fib_validate_source()).
    """
    sender = first.sender
    if first.link is None:
        return sender
    kind = network.kind(sender)
    if kind == "switch":
        return None
    if sender in stays:
        return sender
    if network.owner(first.packet.src.address) == sender:
        return sender
    return sender if first.left is not None and sender in watched else None
