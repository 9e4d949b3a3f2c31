"""From frames to Packet events: Ethernet, ARP, IPv4, IPv6, TCP, UDP and ICMP headers (RFC 791, 8200, 9293, 792)."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv6Address

from netsim.model.event import Fault, Packet
from netsim.model.plan import Plan
from netsim.probes.recorder import Frame

_FLAGS = "FSRPAU"
_SHOWN_FLAGS = "SFRPAU"
_IPV4, _ARP, _IPV6 = 0x0800, 0x0806, 0x86DD
_TCP, _UDP, _ICMP, _ICMP6 = 6, 17, 1, 58
_UNREACHABLE = {
    0: "net unreachable", 1: "host unreachable", 2: "protocol unreachable", 3: "port unreachable",
    4: "fragmentation needed", 9: "net prohibited", 10: "host prohibited", 13: "admin prohibited",
}  # fmt: skip
_ICMP_TYPES = {0: "echo reply", 8: "echo request", 11: "time exceeded"}
_tcp = struct.Struct("!HHIIBBHHH")
_ipv4 = struct.Struct("!BBHHHBBH4s4s")
_ipv6 = struct.Struct("!4xHBB16s16s")


@dataclass(frozen=True, slots=True)
class Cut:
    """A time in which what arrives at one end of a link is lost."""

    link: str
    node: str
    start_ns: int
    end_ns: int


def cuts(faults: Iterable[Fault], plan: Plan, end_ns: int) -> list[Cut]:
    """When was which end of which cable deaf: from the faults of a run that ended at `end_ns`."""
    ends = {link.name: (link.a, link.b) for link in plan.topology.links}
    open_since: dict[tuple[str, str], int] = {}
    found = []
    for fault in faults:
        if fault.fault == "cut":
            _, _, to = fault.text.partition(" to ")
            for node in [to] if to else ends[fault.node]:
                open_since.setdefault((fault.node, node), fault.end_ns)
        elif fault.fault == "heal":
            mended = [key for key in open_since if key[0] == fault.node]
            found += [Cut(*key, open_since.pop(key), fault.time_ns) for key in mended]
    return found + [Cut(*key, since, end_ns + 1) for key, since in open_since.items()]


def parse(frames: Iterable[Frame], plan: Plan, deaf: Iterable[Cut] = ()) -> Iterator[Packet]:
    """Turn the frames on the lab's links into events; lo and a switch's bridge are left out."""
    wires = {
        (node.node.name, interface.name): plan.topology.links[interface.link].name
        for node in plan.nodes
        for interface in node.interfaces
    }
    deaf = tuple(deaf)
    for frame in frames:
        link = wires.get((frame.node, frame.interface))
        packet = _frame(frame, link) if link else None
        if packet is not None:
            lost = packet.direction == "in" and any(
                c.link == link and c.node == frame.node and c.start_ns <= frame.time_ns < c.end_ns for c in deaf
            )
            yield replace(packet, lost=True) if lost else packet


def _frame(frame: Frame, link: str) -> Packet | None:
    data = frame.data
    if len(data) < 34:
        return None
    (kind,) = struct.unpack_from("!H", data, 12)
    blank = Packet(
        frame.time_ns, frame.node, frame.interface, link, "out" if frame.outgoing else "in", protocol="", src="", dst=""
    )
    try:
        if kind == _IPV4:
            return _over_ipv4(blank, data[14:])
        if kind == _IPV6:
            return _over_ipv6(blank, data[14:])
        if kind == _ARP:
            return _arp(blank, data[14:])
    except struct.error:  # cut short: nothing that we can read
        return None
    return None


def _arp(blank: Packet, data: bytes) -> Packet:
    operation, _, sender, _, target = struct.unpack_from("!6xH6s4s6s4s", data)
    src, dst = str(IPv4Address(sender)), str(IPv4Address(target))
    detail = f"who has {dst}? tell {src}" if operation == 1 else f"{src} is here"
    return replace(blank, protocol="arp", src=src, dst=dst, detail=detail)


def _over_ipv4(blank: Packet, data: bytes) -> Packet:
    first, _, total, ident, _, ttl, protocol, _, src, dst = _ipv4.unpack_from(data)
    header = (first & 0xF) * 4
    packet = replace(blank, src=str(IPv4Address(src)), dst=str(IPv4Address(dst)), ttl=ttl, ident=ident)
    return _transport(packet, protocol, data[header:], total - header)


def _over_ipv6(blank: Packet, data: bytes) -> Packet:
    size, protocol, ttl, src, dst = _ipv6.unpack_from(data)
    packet = replace(blank, src=str(IPv6Address(src)), dst=str(IPv6Address(dst)), ttl=ttl)
    return _transport(packet, protocol, data[_ipv6.size :], size)


def _transport(packet: Packet, protocol: int, data: bytes, size: int) -> Packet:
    if protocol == _TCP:
        sport, dport, seq, ack, offset, bits, window, _, _ = _tcp.unpack_from(data)
        found = {name for i, name in enumerate(_FLAGS) if bits >> i & 1}
        return replace(
            packet,
            protocol="tcp",
            sport=sport,
            dport=dport,
            seq=seq,
            ack=ack if "A" in found else 0,
            flags="".join(name for name in _SHOWN_FLAGS if name in found),
            length=size - (offset >> 4) * 4,
            window=window,
        )
    if protocol == _UDP:
        sport, dport = struct.unpack_from("!HH", data)
        return replace(packet, protocol="udp", sport=sport, dport=dport, length=size - 8)
    if protocol == _ICMP:
        return _icmp(packet, data, size)
    return replace(packet, protocol="icmp6" if protocol == _ICMP6 else str(protocol), length=size)


def _icmp(packet: Packet, data: bytes, size: int) -> Packet:
    kind, code = struct.unpack_from("!BB", data)
    said = _UNREACHABLE.get(code, f"unreachable, code {code}") if kind == 3 else _ICMP_TYPES.get(kind, f"type {kind}")
    packet = replace(packet, protocol="icmp", length=size - 8, detail=said)
    if kind not in {3, 11}:
        return packet
    quoted = data[8:]  # RFC 792: the IP header that it is about, and at least 8 bytes more
    first, _, _, _, _, _, _, _, src, dst = _ipv4.unpack_from(quoted)
    sport, dport = struct.unpack_from("!HH", quoted, (first & 0xF) * 4)
    return replace(packet, detail=f"{said}: {IPv4Address(src)}:{sport} > {IPv4Address(dst)}:{dport}")
