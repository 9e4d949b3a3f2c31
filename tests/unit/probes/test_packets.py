"""Frames made by hand, as they are on the wire."""

from __future__ import annotations

import struct
from ipaddress import IPv4Address, IPv6Address

import pytest

from netsim.analysis.outages import Outages, find_outages
from netsim.model.endpoint import Endpoint
from netsim.model.event import Arp, Fault, Icmp, Other, Packet, Tcp, Udp
from netsim.model.network import network_of
from netsim.probes.frame import Frame
from netsim.probes.packets import parse
from tests.unit.builders import THREE, fault, network

CLIENT, SERVER = "10.0.0.1", "10.0.1.2"
NETWORK = network_of(THREE)


def ethernet(kind: int, payload: bytes) -> bytes:
    return bytes(12) + struct.pack("!H", kind) + payload


def ipv4(payload: bytes, protocol: int = 6, ttl: int = 64, options: bytes = b"", size: int | None = None) -> bytes:
    words = 5 + len(options) // 4
    total = words * 4 + len(payload) if size is None else size
    ends = IPv4Address(CLIENT).packed + IPv4Address(SERVER).packed
    header = struct.pack("!BBHHHBBH", 0x40 | words, 0, total, 77, 0, ttl, protocol, 0)
    return header + ends + options + payload


def tcp(flags: int, payload: bytes = b"", seq: int = 1000, ack: int = 2000, options: bytes = b"") -> bytes:
    words = 5 + len(options) // 4
    return struct.pack("!HHIIBBHHH", 41234, 60000, seq, ack, words << 4, flags, 502, 0, 0) + options + payload


def frame(
    data: bytes, node: str = "client", interface: str = "eth0", outgoing: bool = True, overheard: bool = False
) -> Frame:
    return Frame(node, 1_000, interface, outgoing, overheard, data)


def only(data: bytes) -> Packet:
    (found,) = parse([frame(data)], NETWORK, Outages().is_cut)
    return found


def only_tcp(data: bytes) -> Tcp:
    segment = only(data).segment
    assert isinstance(segment, Tcp)
    return segment


FIN, SYN, RST, PSH, ACK, URG = (1 << bit for bit in range(6))


def test_a_syn() -> None:
    found = only(ethernet(0x0800, ipv4(tcp(SYN, options=bytes(20)))))
    assert found == Packet(
        1_000, "client", "eth0", "client -- fw", "out", Endpoint(CLIENT, 41234), Endpoint(SERVER, 60000),
        Tcp("S", seq=1000, ack=0, length=0, window=502), ttl=64, ident=77,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("bits", "flags"),
    [
        (SYN | ACK, "SA"), (RST, "R"), (RST | ACK, "RA"), (FIN | ACK, "FA"), (PSH | ACK, "PA"),
        (FIN | SYN | RST | PSH | ACK | URG, "SFRPAU"), (0, ""), (0xC0 | ACK, "A"),
    ],
)  # fmt: skip
def test_flags(bits: int, flags: str) -> None:
    assert only_tcp(ethernet(0x0800, ipv4(tcp(bits)))).flags == flags


def test_an_acknowledgement_counts_only_with_its_flag() -> None:
    assert only_tcp(ethernet(0x0800, ipv4(tcp(RST)))).ack == 0
    assert only_tcp(ethernet(0x0800, ipv4(tcp(RST | ACK)))).ack == 2000


def test_length_is_what_the_header_says() -> None:
    """Not what was captured: a snapshot is cut off, and a short frame is padded."""
    whole = ipv4(tcp(PSH | ACK, bytes(1448), options=bytes(12)))
    assert only_tcp(ethernet(0x0800, whole)[:160]).length == 1448
    assert only_tcp(ethernet(0x0800, ipv4(tcp(ACK)) + bytes(6))).length == 0


def test_ip_options_are_stepped_over() -> None:
    found = only(ethernet(0x0800, ipv4(tcp(SYN), options=b"\x07\x27" + bytes(38))))
    assert (found.src.port, found.segment) == (41234, Tcp("S", 1000, 0, 0, 502))


def ipv6(payload: bytes, protocol: int = 6) -> bytes:
    ends = IPv6Address("fd00::1").packed + IPv6Address("fd00:1::2").packed
    return struct.pack("!IHBB", 6 << 28, len(payload), protocol, 63) + ends + payload


def test_ipv6() -> None:
    found = only(ethernet(0x86DD, ipv6(tcp(SYN | ACK, b"abc"))))
    assert (found.src, found.dst, found.ttl) == (Endpoint("fd00::1", 41234), Endpoint("fd00:1::2", 60000), 63)
    assert (found.segment, found.ident) == (Tcp("SA", 1000, 2000, 3, 502), 0)


def test_udp() -> None:
    found = only(ethernet(0x0800, ipv4(struct.pack("!HHHH", 5353, 53, 20, 0) + bytes(12), protocol=17)))
    assert (found.src.port, found.dst.port, found.segment) == (5353, 53, Udp(12))


@pytest.mark.parametrize(("number", "operation"), [(1, "request"), (2, "reply")])
def test_arp(number: int, operation: str) -> None:
    ends = bytes(6) + IPv4Address("10.0.0.1").packed, bytes(6) + IPv4Address("10.0.0.2").packed
    found = only(ethernet(0x0806, struct.pack("!HHBBH", 1, 0x0800, 6, 4, number) + ends[0] + ends[1]))
    assert (found.src, found.dst) == (Endpoint("10.0.0.1", 0), Endpoint("10.0.0.2", 0))
    assert found.segment == Arp("request" if operation == "request" else "reply")


@pytest.mark.parametrize(("kind", "code"), [(3, 0), (3, 1), (3, 3), (3, 13), (3, 77), (4, 0), (5, 1), (11, 0), (12, 0)])
def test_an_icmp_error_has_what_it_is_about(kind: int, code: int) -> None:
    """RFC 792: it quotes the header and eight bytes, here with options in the quoted header."""
    quoted = ipv4(tcp(SYN), options=bytes(4))[: 24 + 8]
    found = only(ethernet(0x0800, ipv4(struct.pack("!BBHI", kind, code, 0, 0) + quoted, protocol=1)))
    assert (found.src, found.dst) == (Endpoint(CLIENT, 0), Endpoint(SERVER, 0))
    assert found.segment == Icmp(
        kind, code, 32, "tcp", Endpoint(CLIENT, 41234), Endpoint(SERVER, 60000), quoted_seq=1000
    )


@pytest.mark.parametrize(
    ("protocol", "name", "sport", "dport"), [(17, "udp", 41234, 60000), (1, "icmp", 0, 0), (47, "47", 0, 0)]
)
def test_an_icmp_error_about_something_else_than_tcp(protocol: int, name: str, sport: int, dport: int) -> None:
    quoted = ipv4(tcp(SYN), protocol=protocol)[:28]
    found = only(ethernet(0x0800, ipv4(struct.pack("!BBHI", 3, 1, 0, 0) + quoted, protocol=1)))
    assert found.segment == Icmp(3, 1, 28, name, Endpoint(CLIENT, sport), Endpoint(SERVER, dport), quoted_seq=0)


def test_a_ping_quotes_nothing() -> None:
    found = only(ethernet(0x0800, ipv4(struct.pack("!BBHHH", 8, 0, 0, 1, 1) + bytes(56), protocol=1)))
    assert found.segment == Icmp(8, 0, 56)


@pytest.mark.parametrize(
    ("kind", "packet", "protocol"),
    [(0x0800, ipv4(bytes(8), protocol=47), "47"), (0x86DD, ipv6(bytes(8), protocol=58), "icmp6")],
    ids=["GRE", "ICMPv6"],
)
def test_another_protocol(kind: int, packet: bytes, protocol: str) -> None:
    assert only(ethernet(kind, packet)).segment == Other(protocol, 8)


@pytest.mark.parametrize(("protocol", "name"), [(6, "tcp"), (17, "udp"), (1, "icmp")])
def test_a_fragment_behind_the_first_has_no_header(protocol: int, name: str) -> None:
    """RFC 791, 3.1: what it begins with is data, even where it looks like a RST."""
    packet = bytearray(ipv4(tcp(RST, bytes(20)), protocol=protocol))
    packet[6:8] = struct.pack("!H", 185)
    found = only(ethernet(0x0800, bytes(packet)))
    assert (found.src, found.segment, found.ident) == (Endpoint(CLIENT, 0), Other(name, 40), 77)


def test_the_first_fragment_has_one() -> None:
    packet = bytearray(ipv4(tcp(PSH | ACK, bytes(20))))
    packet[6:8] = struct.pack("!H", 1 << 13)  # more fragments
    assert only_tcp(ethernet(0x0800, bytes(packet))).flags == "PA"


WHOLE = {
    "tcp": ethernet(0x0800, ipv4(tcp(SYN, options=bytes(20)))),
    "icmp": ethernet(0x0800, ipv4(struct.pack("!BBHI", 3, 1, 0, 0) + ipv4(tcp(SYN))[:28], protocol=1)),
    "udp": ethernet(0x0800, ipv4(struct.pack("!HHHH", 1, 2, 8, 0), protocol=17)),
    "arp": ethernet(0x0806, bytes(28)),
    "ipv6": ethernet(0x86DD, ipv6(tcp(SYN))),
}
NEEDED = {"tcp": 14 + 20 + 16, "icmp": 14 + 20 + 8 + 20 + 8, "udp": 14 + 20 + 4, "arp": 14 + 28, "ipv6": 14 + 40 + 16}
"""As many of its first bytes say everything."""


@pytest.mark.parametrize("kind", WHOLE)
def test_a_frame_that_is_cut_short_is_no_packet_and_no_error(kind: str) -> None:
    whole = only(WHOLE[kind])
    found = [[*parse([frame(WHOLE[kind][:size])], NETWORK, Outages().is_cut)] for size in range(len(WHOLE[kind]))]
    assert found[: NEEDED[kind]] == [[]] * NEEDED[kind]
    assert found[NEEDED[kind] :] == [[whole]] * (len(WHOLE[kind]) - NEEDED[kind])


def test_what_is_neither_ip_nor_arp_is_left_out() -> None:
    assert not [*parse([frame(ethernet(0x88CC, bytes(46)))], NETWORK, Outages().is_cut)]


SWITCHED = network("client -- lan", "lan -- server", lan="switch")


@pytest.mark.parametrize(("node", "interface"), [("lan", "br0"), ("stranger", "eth0"), ("client", "eth1")])
def test_only_links_are_listened_to(node: str, interface: str) -> None:
    """A bridge sees what its ports have seen already."""
    assert not [*parse([frame(WHOLE["tcp"], node, interface)], SWITCHED, Outages().is_cut)]
    (found,) = parse([frame(WHOLE["tcp"], "lan", "eth1", outgoing=False)], SWITCHED, Outages().is_cut)
    assert (found.link, found.direction) == ("lan -- server", "in")


def test_a_packet_over_loopback_is_told_once() -> None:
    both = [frame(WHOLE["tcp"], interface="lo", outgoing=outgoing) for outgoing in (True, False)]
    (found,) = parse(both, NETWORK, lambda *_: True)
    assert (found.interface, found.link, found.direction, found.lost) == ("lo", None, "in", False)


@pytest.mark.parametrize(("node", "interface", "overheard"), [("server", "eth0", True), ("lan", "eth0", False)])
def test_what_a_switch_sends_to_everybody_is_overheard(node: str, interface: str, overheard: bool) -> None:
    """By a machine, and not by the switch, to whom no frame is addressed."""
    one = frame(WHOLE["tcp"], node, interface, outgoing=False, overheard=True)
    (found,) = parse([one], SWITCHED, Outages().is_cut)
    assert found.overheard is overheard


def test_two_links_between_the_same_machines_are_told_apart() -> None:
    twice = network("client -- server", "client -- server")
    (one,) = parse([frame(WHOLE["tcp"], "client", "eth0")], twice, Outages().is_cut)
    (other,) = parse([frame(WHOLE["tcp"], "client", "eth1")], twice, Outages().is_cut)
    assert (one.link, other.link) == ("client -- server", "client -- server (2)")


CUT, OTHER = "client -- fw", "fw -- server"
MOMENTS_US = (0, 149, 150, 199, 200, 249, 250, 299, 300, 999)


def lost(faults: list[Fault]) -> dict[tuple[str, str], list[int]]:
    """By node and interface: at which moments a frame that comes in there is lost."""
    outages = find_outages(enumerate(faults), NETWORK)
    ends = [("client", "eth0"), ("fw", "eth0"), ("fw", "eth1"), ("server", "eth0")]
    frames = [
        Frame(node, at * 1000, interface, False, False, WHOLE["tcp"]) for node, interface in ends for at in MOMENTS_US
    ]
    found: dict[tuple[str, str], list[int]] = {}
    for packet in parse(frames, NETWORK, outages.is_cut):
        if packet.lost:
            found.setdefault((packet.node, packet.interface), []).append(packet.time_ns // 1000)
    return found


@pytest.mark.parametrize(
    ("faults", "expected"),
    [
        ([], {}),
        (
            [fault(100, CUT, "cut")],
            {("client", "eth0"): [150, 199, 200, 249, 250, 299, 300, 999],
             ("fw", "eth0"): [150, 199, 200, 249, 250, 299, 300, 999]},
        ),
        ([fault(100, CUT, "cut to fw")], {("fw", "eth0"): [150, 199, 200, 249, 250, 299, 300, 999]}),
        (
            [fault(100, CUT, "cut"), fault(300, CUT, "heal")],
            {("client", "eth0"): [150, 199, 200, 249, 250, 299], ("fw", "eth0"): [150, 199, 200, 249, 250, 299]},
        ),
        (
            [fault(100, CUT, "cut to fw"), fault(200, CUT, "cut"), fault(300, CUT, "heal")],
            {("client", "eth0"): [250, 299], ("fw", "eth0"): [150, 199, 200, 249, 250, 299]},
        ),
        (
            [fault(100, CUT, "cut to fw"), fault(200, OTHER, "cut to fw"), fault(300, CUT, "heal")],
            {("fw", "eth0"): [150, 199, 200, 249, 250, 299], ("fw", "eth1"): [250, 299, 300, 999]},
        ),
        ([fault(100, "server", "crash"), fault(100, "fw", "drop tcp dport 1")], {}),
    ],
    ids=["none", "both ways", "one way", "healed", "the second half later", "two cables", "other faults"],
)  # fmt: skip
def test_what_comes_to_a_cut_end_is_lost(faults: list[Fault], expected: dict[tuple[str, str], list[int]]) -> None:
    """The tap sits before the cut: it sees the frame, and the machine does not.

    A cable is surely cut once the call has returned, and surely mended only when the mending begins.
    """
    assert lost(faults) == expected


def test_what_leaves_a_cut_end_is_not_lost_there() -> None:
    outages = find_outages([(0, fault(0, CUT, "cut"))], NETWORK)
    (found,) = parse([Frame("fw", 200_000, "eth0", True, False, WHOLE["tcp"])], NETWORK, outages.is_cut)
    assert found.lost is False
