"""From what the kernel's tracepoints leave to events of a connection."""

from __future__ import annotations

import socket
from dataclasses import replace

import pytest

from netsim.linux.trace_program import TraceRecord
from netsim.model.endpoint import Endpoint
from netsim.model.event import Drop, Icmp, Kernel, Tcp, Udp
from netsim.probes.reasons import parse

NODES = {1: "client", 2: "server"}
SERVER, CLIENT = Endpoint("10.0.1.2", 60000), Endpoint("10.0.0.1", 41234)
SYN = bytes.fromhex("450000283039400040060000 0a000001 0a000102 a112ea60 000f4240 00000000 5002faf0 00000000")
SYN6 = (
    bytes.fromhex("6000000000140640") + bytes.fromhex("fd00" + "00" * 13 + "01" + "fd00" + "00" * 13 + "02") + SYN[20:]
)
SEGMENT = Tcp("S", 1_000_000, 0, 0, 64240)
OF_CLIENT = TraceRecord(
    5, 1, "tcp_receive_reset", (CLIENT.address, 41234), (SERVER.address, 60000), socket.IPPROTO_TCP, "SYN_SENT"
)
SENT = TraceRecord(5, 2, "tcp_send_reset", reason="NO_SOCKET", packet=SYN)
DROPPED = TraceRecord(5, 2, "kfree_skb", reason="NETFILTER_DROP", packet=SYN)
RESET = Kernel(5, "server", "tcp_send_reset", SERVER, CLIENT, "NO_SOCKET", answers=SEGMENT)


def told(record: TraceRecord) -> Kernel | Drop | None:
    return next(parse([record], NODES), None)


def test_a_socket() -> None:
    assert told(OF_CLIENT) == Kernel(5, "client", "tcp_receive_reset", CLIENT, SERVER, state="SYN_SENT")


def test_a_change_of_state() -> None:
    record = replace(OF_CLIENT, event="inet_sock_set_state", state="CLOSE", old="SYN_SENT", new="CLOSE")
    assert told(record) == Kernel(5, "client", "inet_sock_set_state", CLIENT, SERVER, "", "SYN_SENT", "CLOSE")


@pytest.mark.parametrize(("number", "name"), [(111, "ECONNREFUSED"), (4095, "4095"), (0, "")])
def test_an_error_by_its_name(number: int, name: str) -> None:
    found = told(replace(OF_CLIENT, event="inet_sk_error_report", error=number))
    assert isinstance(found, Kernel)
    assert found.reason == name


def test_a_reset_that_no_socket_sent_goes_to_whom_the_packet_came_from() -> None:
    assert told(SENT) == RESET


def test_a_listener_is_not_the_connection() -> None:
    listener = replace(SENT, local=("0.0.0.0", 60000), remote=("0.0.0.0", 0), protocol=6, state="LISTEN")
    assert told(listener) == replace(RESET, state="LISTEN")


def test_a_reset_that_answers_nothing_is_the_connections_own() -> None:
    record = replace(SENT, local=(SERVER.address, 60000), remote=(CLIENT.address, 41234), protocol=6, packet=b"")
    assert told(replace(record, reason="TCP_STATE")) == replace(RESET, reason="TCP_STATE", answers=None)


def test_a_connection_speaks_for_itself_where_its_packet_is_none() -> None:
    record = replace(SENT, local=(SERVER.address, 60000), remote=(CLIENT.address, 41234), protocol=6, packet=b"E" * 60)
    assert told(record) == replace(RESET, answers=None)


def test_ipv6() -> None:
    found = told(replace(SENT, packet=SYN6))
    assert found == replace(RESET, local=Endpoint("fd00::2", 60000), remote=Endpoint("fd00::1", 41234))


def test_a_dropped_packet() -> None:
    assert told(DROPPED) == Drop(5, "server", "NETFILTER_DROP", CLIENT, SERVER, SEGMENT, 0x3039)


@pytest.mark.parametrize(
    ("protocol", "transport", "segment"),
    [
        (17, bytes.fromhex("14e90035000c0000"), Udp(12)),
        (1, bytes.fromhex("0800000000010001"), Icmp(8, 0, 12)),
    ],
    ids=["UDP", "ping"],
)
def test_whatever_was_dropped_is_told(protocol: int, transport: bytes, segment: Udp | Icmp) -> None:
    packet = SYN[:9] + bytes([protocol]) + SYN[10:20] + transport
    found = told(replace(DROPPED, packet=packet))
    assert isinstance(found, Drop)
    assert (found.reason, found.segment) == ("NETFILTER_DROP", segment)


@pytest.mark.parametrize(
    "record",
    [
        replace(OF_CLIENT, local=(CLIENT.address, 0)),
        replace(OF_CLIENT, remote=(SERVER.address, 0)),
        replace(OF_CLIENT, event="inet_sk_error_report", error=111, protocol=socket.IPPROTO_UDP),
        replace(SENT, packet=b""),
        replace(SENT, packet=SYN[:21]),
        replace(DROPPED, packet=b""),
        replace(DROPPED, packet=SYN[:21]),
        replace(OF_CLIENT, netns=3),
        replace(DROPPED, netns=3),
    ],
    ids=[
        "no port yet", "no peer", "UDP", "a packet that was not read", "one cut short", "a drop that was not read",
        "a drop cut short", "another's socket", "another's packet",
    ],
)  # fmt: skip
def test_what_is_about_no_connection_of_the_lab(record: TraceRecord) -> None:
    assert told(record) is None


def test_each_has_its_node_and_its_place() -> None:
    found = [*parse([OF_CLIENT, SENT, replace(OF_CLIENT, netns=7), DROPPED], NODES)]
    assert [(event.node, event.source) for event in found] == [
        ("client", "kernel"), ("server", "kernel"), ("server", "drop")
    ]  # fmt: skip


def test_the_ends_of_a_packet_with_options() -> None:
    found = told(replace(SENT, packet=b"\x46" + SYN[1:20] + bytes(4) + SYN[20:]))
    assert isinstance(found, Kernel)
    assert (found.local, found.remote) == (SERVER, CLIENT)
