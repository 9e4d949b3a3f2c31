"""Packets on their way: what one end of a link sent and what the other end got, put together."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace

from netsim.model.event import Packet
from netsim.model.sequence import Relative

_SKEW_NS = 1_000_000
"""Two taps may be read in the wrong order; an arrival this much before its departure is still its own."""


@dataclass(frozen=True, slots=True)
class Transit:
    """One packet that crossed one link, or was lost on it."""

    packet: Packet
    """As its sender sent it; as it came, where nobody saw it leave."""
    sender: str
    receiver: str
    index: int
    """The event's place in the timeline."""
    seq: int
    """Relative to the first of its direction, as tcpdump and Wireshark count."""
    ack: int
    resent: bool = False
    """The same bytes (or SYN, or FIN) had crossed this link before."""
    lost: bool = False


def transits(events: Iterable[tuple[int, Packet]], everywhere: bool = True) -> list[Transit]:
    """Match each departure with its arrival, in time order.

    A departure without arrival is lost, if somebody watched `everywhere`; so is one that ended at a cut
    cable's far tap. Where two packets are alike to the last bit, an arrival belongs to the latest that
    was sent before it: the earlier one is why it had to be sent again.
    """
    found: list[Transit] = []
    unmatched: dict[tuple[object, ...], list[int]] = defaultdict(list)
    relative = Relative()
    crossed: set[tuple[object, ...]] = set()
    for index, packet in events:
        sender, receiver = _ends(packet)
        alike = unmatched[packet.link, sender, *_identity(packet)]
        if alike and _belong(found[alike[-1]].packet, packet):
            place = alike.pop()
            known = found[place]
            if packet.direction == "in":
                found[place] = replace(known, lost=packet.lost)
            else:
                found[place] = replace(known, packet=packet, index=index)
            continue
        seq, ack = relative.numbers(packet)
        resent = False
        if packet.protocol == "tcp" and (packet.length or set(packet.flags) & set("SF")):
            begins = (packet.link, sender, packet.flow, packet.seq)
            resent = begins in crossed
            crossed.add(begins)
        alike.append(len(found))
        lost = packet.lost or (everywhere and packet.direction == "out" and sender != receiver)
        found.append(Transit(packet, sender, receiver, index, seq, ack, resent, lost))
    return sorted(found, key=lambda transit: (transit.packet.time_ns, transit.index))


def _belong(known: Packet, packet: Packet) -> bool:
    """Are they the two ends of one crossing?"""
    if packet.direction == "in":
        return known.direction == "out"
    return known.direction == "in" and packet.time_ns - known.time_ns < _SKEW_NS


def _identity(packet: Packet) -> tuple[object, ...]:
    """What stays the same from one end of a cable to the other."""
    numbers = (packet.seq, packet.ack, packet.flags, packet.length, packet.ident)
    return (packet.protocol, *packet.flow, *numbers, packet.detail)


def _ends(packet: Packet) -> tuple[str, str]:
    """Sender and receiver; a packet on no link (loopback) stays where it is."""
    a, separator, b = packet.link.partition(" -- ")
    here = packet.node
    there = here if not separator else b if here == a else a
    return (here, there) if packet.direction == "out" else (there, here)
