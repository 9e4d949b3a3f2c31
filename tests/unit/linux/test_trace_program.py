"""Records as the programs leave them, on kernels that have things in several places."""

from __future__ import annotations

import socket
import struct
from ipaddress import ip_address

import pytest

from netsim.linux.btf import Btf
from netsim.linux.trace_program import (
    _COMMON,
    PACKET_MAX,
    TRACEPOINTS,
    Layout,
    TraceRecord,
    decoded,
    read_layout,
)
from tests.unit.linux.test_btf import INT, Writer

ESTABLISHED, TIME_WAIT, CLOSE, LISTEN, NEW_SYN_RECV = 1, 6, 7, 10, 12
V4 = {"skc_daddr": 0, "skc_rcv_saddr": 4, "skc_dport": 12, "skc_num": 14, "skc_family": 16, "skc_state": 18}
REASONS = {"tcp_send_reset": {0: "NOT_SPECIFIED", 3: "NO_SOCKET"}, "kfree_skb": {8: "NETFILTER_DROP"}}
USUAL = Layout(V4 | {"skc_v6_daddr": 56, "skc_v6_rcv_saddr": 72}, 88, *[0] * 10, REASONS)
WITHOUT_IPV6 = Layout(V4, 24, *[0] * 10, REASONS)
ELSEWHERE = Layout({name: at + 8 for name, at in USUAL.common.items()}, 96, *[0] * 10, REASONS)

SYN = bytes.fromhex("450000283039400040060000 0a000001 0a000102 a112ea60 000f4240 00000000 5002faf0 00000000")


def sock(
    at: Layout, local: str, remote: str, *, state: int = ESTABLISHED, family: int = socket.AF_INET, number: int = 60000
) -> bytes:
    """The beginning of a struct sock, with port 41234 at the far end."""
    data = bytearray(at.common_bytes)
    own, far = (ip_address(text).packed for text in (local, remote))
    suffix = "v6_" if family == socket.AF_INET6 else ""
    values = {
        f"skc_{suffix}rcv_saddr": own,
        f"skc_{suffix}daddr": far,
        "skc_dport": struct.pack("!H", 41234),
        "skc_num": struct.pack("=H", number),
        "skc_family": struct.pack("=H", family),
        "skc_state": bytes([state]),
    }
    for name, value in values.items():
        assert len(value) == _COMMON[name]
        data[at.common[name] : at.common[name] + len(value)] = value
    return bytes(data)


def record(event: str, its: bytes, *values: int, packet: bytes = b"", error: int = 0, header: int = 64) -> bytes:
    first, second = (*values, 0, 0)[:2]
    number = [*TRACEPOINTS].index(event)
    sport, protocol = socket.htons(60000), socket.IPPROTO_TCP
    head = struct.pack("=QIIQQiHHH6x", 1_000, 4026531833, number, first, second, error, sport, protocol, header)
    return head + packet.ljust(PACKET_MAX, b"\xee") + its


def read(data: bytes, at: Layout = USUAL, *, reasoned: tuple[str, ...] = tuple(REASONS)) -> TraceRecord:
    return decoded(at, data, reasoned)


@pytest.mark.parametrize("at", [USUAL, WITHOUT_IPV6, ELSEWHERE], ids=["usual", "without IPv6", "elsewhere"])
def test_a_connection(at: Layout) -> None:
    found = read(record("tcp_receive_reset", sock(at, "10.0.1.2", "10.0.0.1")), at)
    ends = (("10.0.1.2", 60000), ("10.0.0.1", 41234))
    assert found == TraceRecord(1_000, 4026531833, "tcp_receive_reset", *ends, socket.IPPROTO_TCP, "ESTABLISHED")


@pytest.mark.parametrize(
    ("local", "remote", "expected"),
    [("fd00::2", "fd00::1", ("fd00::2", "fd00::1")), ("::ffff:10.0.1.2", "::ffff:10.0.0.1", ("10.0.1.2", "10.0.0.1"))],
)
def test_an_ipv6_socket(local: str, remote: str, expected: tuple[str, str]) -> None:
    found = read(record("tcp_receive_reset", sock(USUAL, local, remote, family=socket.AF_INET6)))
    assert (found.local[0], found.remote[0]) == expected


def test_a_change_of_state() -> None:
    found = read(record("inet_sock_set_state", sock(USUAL, "10.0.1.2", "10.0.0.1"), ESTABLISHED, CLOSE))
    assert (found.old, found.new, found.state) == ("ESTABLISHED", "CLOSE", "CLOSE")


def test_an_error() -> None:
    assert read(record("inet_sk_error_report", sock(USUAL, "10.0.1.2", "10.0.0.1"), error=111)).error == 111
    assert read(record("tcp_receive_reset", sock(USUAL, "10.0.1.2", "10.0.0.1"), error=111)).error == 0


@pytest.mark.parametrize("state", [TIME_WAIT, NEW_SYN_RECV])
def test_a_socket_of_which_only_the_beginning_is_there(state: int) -> None:
    """What was read behind it is somebody else's memory: its own port is in the beginning as well."""
    found = read(record("tcp_send_reset", sock(USUAL, "10.0.1.2", "10.0.0.1", state=state, number=80), 3, packet=SYN))
    assert (found.local, found.protocol) == (("10.0.1.2", 80), socket.IPPROTO_TCP)


def test_a_reset_without_a_socket() -> None:
    found = read(record("tcp_send_reset", bytes(88), 3, packet=SYN))
    expected = TraceRecord(1_000, 4026531833, "tcp_send_reset", reason="NO_SOCKET", packet=SYN)
    assert found == expected


def test_a_reason_that_has_no_name_stays_a_number() -> None:
    assert read(record("kfree_skb", bytes(88), 1 << 16 | 5, packet=SYN)).reason == "65541"
    assert read(record("kfree_skb", bytes(88), 0xFFFFFFFF_00000008, packet=SYN)).reason == "NETFILTER_DROP"


def test_a_kernel_that_gives_no_reasons() -> None:
    assert read(record("tcp_send_reset", bytes(88), packet=SYN), reasoned=()).reason == ""


@pytest.mark.parametrize(
    ("packet", "header"),
    [(SYN, 0), (SYN, 0xFFFF), (b"\x08\x00" + SYN, 64), (b"\x41" + SYN[1:], 64), (bytes(40), 64)],
    ids=["not set", "never set", "no IP", "a header too short", "zeros"],
)
def test_what_is_no_packet(packet: bytes, header: int) -> None:
    assert read(record("kfree_skb", bytes(88), 8, packet=packet, header=header)).packet == b""


def test_an_ipv6_packet() -> None:
    packet = b"\x60\0\0\0" + struct.pack("!HBB", 20, 6, 64) + bytes(32) + bytes(20)
    assert read(record("kfree_skb", bytes(88), 8, packet=packet)).packet == packet


def test_a_long_packet_is_cut_short() -> None:
    packet = b"\x45\0" + struct.pack("!H", 1500) + bytes(PACKET_MAX)
    assert len(read(record("kfree_skb", bytes(88), 8, packet=packet[:PACKET_MAX])).packet) == PACKET_MAX


def test_a_kernel_that_lacks_something_is_told_by_its_name() -> None:
    writer = Writer()
    writer.compound("sock_common", *((name, writer.add(INT, "int", 4, more=bytes(4)), 0) for name in [*V4][:3]))
    with pytest.raises(LookupError, match="this kernel has no skc_num in struct sock_common"):
        read_layout(Btf(writer.written()))
