"""From frames to Packet events: Ethernet, ARP, IPv4, IPv6, TCP, UDP and ICMP headers (RFC 791, 8200, 9293, 792)."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from socket import AF_INET6, inet_ntoa, inet_ntop

from netsim.model.endpoint import Endpoint
from netsim.model.event import Arp, Icmp, Other, Packet, Segment, Tcp, Udp
from netsim.model.network import Network
from netsim.probes.frame import Frame

_FLAGS = "FSRPAU"
_SHOWN_FLAGS = "SFRPAU"
_IPV4, _ARP, _IPV6 = 0x0800, 0x0806, 0x86DD
_TCP, _UDP, _ICMP, _ICMP6 = 6, 17, 1, 58
_NAMES = {_TCP: "tcp", _UDP: "udp", _ICMP: "icmp", _ICMP6: "icmp6"}
_QUOTING = {3, 4, 5, 11, 12}
"""ICMP types that quote the packet that they are about (RFC 792)."""
_tcp = struct.Struct("!HHIIBBH")
_ipv4 = struct.Struct("!BBHHHBBH4s4s")
_ipv6 = struct.Struct("!4xHBB16s16s")

FLAG_NAMES = tuple("".join(n for n in _SHOWN_FLAGS if bits >> _FLAGS.index(n) & 1) for bits in range(64))
"""The names of the TCP flags, by their bits."""


def parse(frames: Iterable[Frame], network: Network, is_cut: Callable[[str, str, int], bool]) -> Iterator[Packet]:
    """Turn frames into events; a switch's bridge is left out, since its ports show the same frames.

    `is_cut(link, node, time_ns)` says which cables were cut towards whom: the tap there is before the cut.
    """
    wires = {
        (name, interface.name): network.link_ids[interface.link]
        for name in network.nodes
        for interface in network.interfaces(name)
    }
    switches = {name for name in network.nodes if network.kind(name) == "switch"}
    for frame in frames:
        link = wires.get((frame.node, frame.interface))
        if link is None and (frame.interface != "lo" or frame.outgoing):
            continue  # over loopback both directions are shown; one is enough
        read = read_frame(frame.data)
        if read is None:
            continue
        src, dst, segment, ttl, ident = read
        lost = link is not None and not frame.outgoing and is_cut(link, frame.node, frame.time_ns)
        yield Packet(
            frame.time_ns, frame.node, frame.interface, link, "out" if frame.outgoing else "in", src, dst, segment, ttl,
            ident, lost, frame.overheard and frame.node not in switches,
        )  # fmt: skip


Read = tuple[Endpoint, Endpoint, Segment, int, int]
"""Source, destination, what it carries, TTL, identification."""


def read_frame(data: bytes) -> Read | None:
    """Read an Ethernet frame; None for one that carries neither ARP nor IP, or is cut short."""
    if len(data) < 34:
        return None
    kind = data[12] << 8 | data[13]
    try:
        if kind in {_IPV4, _IPV6}:
            return read_ip(data[14:])
        if kind == _ARP:
            return _read_arp(data[14:])
    except (struct.error, IndexError):  # cut short: nothing that we can read
        return None
    return None


def _read_arp(data: bytes) -> Read:
    operation, _, sender, _, target = struct.unpack_from("!6xH6s4s6s4s", data)
    return _end4(sender, 0), _end4(target, 0), Arp("request" if operation == 1 else "reply"), 0, 0


def read_ip(data: bytes) -> Read:
    """Read a packet from its IPv4 or IPv6 header on; raises struct.error or IndexError where it is cut short."""
    return _read_ipv6(data) if data[0] >> 4 == 6 else _read_ipv4(data)


def _read_ipv4(data: bytes) -> Read:
    first, _, total, ident, fragment, ttl, protocol, _, src, dst = _ipv4.unpack_from(data)
    header = (first & 0xF) * 4
    if fragment & 0x1FFF:  # what follows is from the middle of a packet, and no header
        return _end4(src, 0), _end4(dst, 0), Other(_NAMES.get(protocol, str(protocol)), total - header), ttl, ident
    sport, dport, segment = _transport(protocol, data[header:], total - header)
    return _end4(src, sport), _end4(dst, dport), segment, ttl, ident


def _read_ipv6(data: bytes) -> Read:
    size, protocol, ttl, src, dst = _ipv6.unpack_from(data)
    sport, dport, segment = _transport(protocol, data[_ipv6.size :], size)
    return _end6(src, sport), _end6(dst, dport), segment, ttl, 0


@lru_cache(1 << 16)
def _end4(address: bytes, port: int) -> Endpoint:
    return Endpoint(inet_ntoa(address), port)


@lru_cache(1 << 16)
def _end6(address: bytes, port: int) -> Endpoint:
    return Endpoint(inet_ntop(AF_INET6, address), port)


def _transport(protocol: int, data: bytes, size: int) -> tuple[int, int, Segment]:
    if protocol == _TCP:
        sport, dport, seq, ack, offset, bits, window = _tcp.unpack_from(data)
        flags = FLAG_NAMES[bits & 63]
        return sport, dport, Tcp(flags, seq, ack if bits & 16 else 0, size - (offset >> 4) * 4, window)
    if protocol == _UDP:
        sport, dport = struct.unpack_from("!HH", data)
        return sport, dport, Udp(size - 8)
    if protocol == _ICMP:
        return 0, 0, _icmp(data, size)
    return 0, 0, Other(_NAMES.get(protocol, str(protocol)), size)


def _icmp(data: bytes, size: int) -> Icmp:
    kind, code = data[0], data[1]
    if kind not in _QUOTING:
        return Icmp(kind, code, size - 8)
    quoted = data[8:]  # RFC 792: the IP header that it is about, and at least 8 bytes more
    first, _, _, _, _, _, protocol, _, src, dst = _ipv4.unpack_from(quoted)
    sport, dport, seq = struct.unpack_from("!HHI", quoted, (first & 0xF) * 4)
    name = _NAMES.get(protocol, str(protocol))
    if protocol not in {_TCP, _UDP}:
        sport = dport = seq = 0
    return Icmp(
        kind, code, size - 8, name, _end4(src, sport), _end4(dst, dport), seq if protocol == _TCP else 0
    )  # fmt: skip
