"""Frames made by hand, as they are on the wire."""

from __future__ import annotations

import struct
from ipaddress import IPv4Address, IPv6Address

import pytest

from netsim.model.event import Fault, Packet
from netsim.probes.packets import Cut, cuts, parse
from netsim.probes.recorder import Frame
from tests.unit.builders import THREE, fault, plan

CLIENT, SERVER = "10.0.0.1", "10.0.1.2"


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


def frame(data: bytes, node: str = "client", interface: str = "eth0", outgoing: bool = True) -> Frame:
    return Frame(node, 1_000, interface, outgoing, data)


def only(data: bytes) -> Packet:
    (found,) = parse([frame(data)], THREE)
    return found


FIN, SYN, RST, PSH, ACK, URG = (1 << bit for bit in range(6))


def test_a_syn() -> None:
    found = only(ethernet(0x0800, ipv4(tcp(SYN, options=bytes(20)))))
    assert found == Packet(
        1_000, "client", "eth0", "client -- fw", "out", "tcp", CLIENT, SERVER, ttl=64, ident=77,
        sport=41234, dport=60000, seq=1000, ack=0, flags="S", length=0, window=502,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("bits", "flags"),
    [
        (SYN | ACK, "SA"), (RST, "R"), (RST | ACK, "RA"), (FIN | ACK, "FA"), (PSH | ACK, "PA"),
        (FIN | SYN | RST | PSH | ACK | URG, "SFRPAU"), (0, ""), (0xC0 | ACK, "A"),
    ],
)  # fmt: skip
def test_flags(bits: int, flags: str) -> None:
    assert only(ethernet(0x0800, ipv4(tcp(bits)))).flags == flags


def test_an_acknowledgement_counts_only_with_its_flag() -> None:
    assert only(ethernet(0x0800, ipv4(tcp(RST)))).ack == 0
    assert only(ethernet(0x0800, ipv4(tcp(RST | ACK)))).ack == 2000


def test_length_is_what_the_header_says() -> None:
    """Not what was captured: a snapshot is cut off, and a short frame is padded."""
    whole = ipv4(tcp(PSH | ACK, bytes(1448), options=bytes(12)))
    assert only(ethernet(0x0800, whole)[:160]).length == 1448
    assert only(ethernet(0x0800, ipv4(tcp(ACK)) + bytes(6))).length == 0


def test_ip_options_are_stepped_over() -> None:
    found = only(ethernet(0x0800, ipv4(tcp(SYN), options=b"\x07\x27" + bytes(38))))
    assert (found.sport, found.flags, found.length) == (41234, "S", 0)


def test_ipv6() -> None:
    payload = tcp(SYN | ACK, b"abc")
    ends = IPv6Address("fd00::1").packed + IPv6Address("fd00:1::2").packed
    header = struct.pack("!IHBB", 6 << 28, len(payload), 6, 63)
    found = only(ethernet(0x86DD, header + ends + payload))
    assert (found.protocol, found.src, found.dst, found.ttl) == ("tcp", "fd00::1", "fd00:1::2", 63)
    assert (found.flags, found.length, found.ident) == ("SA", 3, 0)


def test_udp() -> None:
    found = only(ethernet(0x0800, ipv4(struct.pack("!HHHH", 5353, 53, 20, 0) + bytes(12), protocol=17)))
    assert (found.protocol, found.sport, found.dport, found.length) == ("udp", 5353, 53, 12)


@pytest.mark.parametrize(
    ("operation", "detail"), [(1, "who has 10.0.0.2? tell 10.0.0.1"), (2, "10.0.0.1 is here")], ids=["request", "reply"]
)
def test_arp(operation: int, detail: str) -> None:
    ends = bytes(6) + IPv4Address("10.0.0.1").packed, bytes(6) + IPv4Address("10.0.0.2").packed
    found = only(ethernet(0x0806, struct.pack("!HHBBH", 1, 0x0800, 6, 4, operation) + ends[0] + ends[1]))
    assert (found.protocol, found.src, found.dst, found.detail) == ("arp", "10.0.0.1", "10.0.0.2", detail)


@pytest.mark.parametrize(
    ("kind", "code", "said"),
    [
        (3, 0, "net unreachable"), (3, 1, "host unreachable"), (3, 3, "port unreachable"), (3, 13, "admin prohibited"),
        (3, 77, "unreachable, code 77"), (11, 0, "time exceeded"),
    ],
)  # fmt: skip
def test_an_icmp_error_says_what_it_is_about(kind: int, code: int, said: str) -> None:
    """RFC 792: it quotes the header and eight bytes, here with options in the quoted header."""
    quoted = ipv4(tcp(SYN), options=bytes(4))[: 24 + 8]
    found = only(ethernet(0x0800, ipv4(struct.pack("!BBHI", kind, code, 0, 0) + quoted, protocol=1)))
    assert (found.protocol, found.detail) == ("icmp", f"{said}: {CLIENT}:41234 > {SERVER}:60000")


def test_a_ping_quotes_nothing() -> None:
    found = only(ethernet(0x0800, ipv4(struct.pack("!BBHHH", 8, 0, 0, 1, 1) + bytes(56), protocol=1)))
    assert (found.detail, found.length) == ("echo request", 56)


def test_another_protocol_goes_by_its_number() -> None:
    assert only(ethernet(0x0800, ipv4(bytes(8), protocol=47))).protocol == "47"


WHOLE = {
    "tcp": ethernet(0x0800, ipv4(tcp(SYN, options=bytes(20)))),
    "icmp": ethernet(0x0800, ipv4(struct.pack("!BBHI", 3, 1, 0, 0) + ipv4(tcp(SYN))[:28], protocol=1)),
    "udp": ethernet(0x0800, ipv4(struct.pack("!HHHH", 1, 2, 8, 0), protocol=17)),
    "arp": ethernet(0x0806, bytes(28)),
    "ipv6": ethernet(0x86DD, struct.pack("!IHBB", 6 << 28, 20, 6, 64) + bytes(32) + tcp(SYN)),
}


@pytest.mark.parametrize("kind", WHOLE)
def test_a_frame_that_is_cut_short_is_no_packet_and_no_error(kind: str) -> None:
    whole = WHOLE[kind]
    assert only(whole)
    for size in range(len(whole)):
        assert all(packet.protocol for packet in parse([frame(whole[:size])], THREE))
    assert not [*parse([frame(whole[:20])], THREE)]


def test_what_is_neither_ip_nor_arp_is_left_out() -> None:
    assert not [*parse([frame(ethernet(0x88CC, bytes(46)))], THREE)]


@pytest.mark.parametrize(("node", "interface"), [("client", "lo"), ("lan", "br0"), ("stranger", "eth0")])
def test_only_links_are_listened_to(node: str, interface: str) -> None:
    """A bridge sees what its ports have seen already."""
    switched = plan("client -- lan", "lan -- server", lan="switch")
    assert not [*parse([frame(WHOLE["tcp"], node, interface)], switched)]
    (found,) = parse([frame(WHOLE["tcp"], "lan", "eth1", outgoing=False)], switched)
    assert (found.link, found.direction) == ("lan -- server", "in")


CUT = "client -- fw"


@pytest.mark.parametrize(
    ("faults", "expected"),
    [
        ([], []),
        (
            [fault(100, CUT, "cut")],
            [Cut(CUT, "client", 150_000, 1_000_001), Cut(CUT, "fw", 150_000, 1_000_001)],
        ),
        ([fault(100, CUT, "cut to fw")], [Cut(CUT, "fw", 150_000, 1_000_001)]),
        (
            [fault(100, CUT, "cut"), fault(300, CUT, "heal")],
            [Cut(CUT, "client", 150_000, 300_000), Cut(CUT, "fw", 150_000, 300_000)],
        ),
        (
            [fault(100, CUT, "cut to fw"), fault(200, CUT, "cut"), fault(300, CUT, "heal")],
            [Cut(CUT, "fw", 150_000, 300_000), Cut(CUT, "client", 250_000, 300_000)],
        ),
        (
            [fault(100, CUT, "cut to fw"), fault(200, "fw -- server", "cut to fw"), fault(300, CUT, "heal")],
            [Cut(CUT, "fw", 150_000, 300_000), Cut("fw -- server", "fw", 250_000, 1_000_001)],
        ),
        ([fault(100, "server", "crash"), fault(100, "fw", "drop tcp dport 1")], []),
    ],
    ids=["none", "both ways", "one way", "healed", "the second half later", "two cables", "other faults"],
)
def test_when_a_cable_was_cut(faults: list[Fault], expected: list[Cut]) -> None:
    """It is surely cut once the call has returned, and surely mended only when the mending begins."""
    assert cuts(faults, THREE, 1_000_000) == expected


@pytest.mark.parametrize(
    ("time_ns", "outgoing", "node", "lost"),
    [
        (150_000, False, "fw", True), (299_999, False, "fw", True), (149_999, False, "fw", False),
        (300_000, False, "fw", False), (200_000, True, "fw", False), (200_000, False, "client", False),
    ],
)  # fmt: skip
def test_what_comes_to_the_cut_end_is_lost(time_ns: int, outgoing: bool, node: str, lost: bool) -> None:
    """The tap sits before the cut: it sees the frame, and the machine does not."""
    one = Frame(node, time_ns, "eth0", outgoing, WHOLE["tcp"])
    (found,) = parse([one], THREE, [Cut(CUT, "fw", 150_000, 300_000)])
    assert found.lost is lost
