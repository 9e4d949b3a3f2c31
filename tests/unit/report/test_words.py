"""What things are called."""

from __future__ import annotations

import pytest

from netsim.model.endpoint import Endpoint
from netsim.model.event import Arp, Call, Icmp, Kernel, Other, Segment, Tcp, Udp
from netsim.report import words
from tests.unit.builders import CLIENT, SERVER, call, fault, kernel, network

NETWORK = network("client -- fw", "fw -- server", fw="router")
FW = Endpoint("10.0.0.2", 0)
V6 = Endpoint("fe80::1", 0)


@pytest.mark.parametrize(
    ("end", "said"),
    [
        (SERVER, "server:60000"),
        (FW, "fw"),
        (Endpoint("192.0.2.1", 80), "192.0.2.1:80"),
        (Endpoint("2001:db8::1", 80), "[2001:db8::1]:80"),
        (Endpoint("2001:db8::1", 0), "2001:db8::1"),
    ],
)
def test_ends_bear_the_names_of_their_nodes(end: Endpoint, said: str) -> None:
    assert str(words.end(NETWORK, end)) == said


@pytest.mark.parametrize(
    ("src", "segment", "said"),
    [
        (CLIENT, Tcp("SA", 1, 2), "SYN ACK client:41234 > server:60000"),
        (CLIENT, Tcp("", 1, 2), "TCP client:41234 > server:60000"),
        (CLIENT, Udp(3), "UDP client:41234 > server:60000"),
        (CLIENT, Other("47"), "IP 47 client:41234 > server:60000"),
        (CLIENT, Other("sctp"), "SCTP client:41234 > server:60000"),
        (CLIENT, Other("icmp6"), "ICMP6 client:41234 > server:60000"),
        (FW, Arp("request"), "ARP fw > server:60000"),
        (FW, Icmp(8, 0), "ICMP fw > server:60000 (echo request)"),
        (
            FW,
            Icmp(3, 1, 40, "tcp", CLIENT, SERVER, 7),
            "ICMP fw > server:60000 (host unreachable: client:41234 > server:60000)",
        ),
        (FW, Icmp(3, 13), "ICMP fw > server:60000 (admin prohibited)"),
        (FW, Icmp(3, 77), "ICMP fw > server:60000 (unreachable, code 77)"),
        (FW, Icmp(11, 0), "ICMP fw > server:60000 (time exceeded)"),
        (FW, Icmp(40, 0), "ICMP fw > server:60000 (type 40)"),
        (V6, Icmp(1, 4), "ICMP fe80::1 > server:60000 (port unreachable)"),
        (V6, Icmp(135, 0), "ICMP fe80::1 > server:60000 (neighbour solicitation)"),
        (V6, Icmp(3, 0), "ICMP fe80::1 > server:60000 (time exceeded)"),
    ],
)
def test_packets_on_one_line(src: Endpoint, segment: Segment, said: str) -> None:
    assert words.packet(NETWORK, src, SERVER, segment) == said


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (call(1, "client", "connect server:60000 as b"), "connect(server:60000 as b)"),
        (call(1, "client", "connect 10.0.1.2:60000"), "connect(server:60000)"),
        (call(1, "client", "connect 192.0.2.1:80"), "connect(192.0.2.1:80)"),
        (call(1, "server", "accept as first"), "accept(as first)"),
        (call(1, "client", "set linger 0"), "setsockopt(linger 0)"),
        (call(1, "client", "error"), "getsockopt(SO_ERROR)"),
        (call(1, "client", "error on b"), "getsockopt(SO_ERROR on b)"),
        (call(1, "client", "signal SIGPIPE default"), "sigaction(SIGPIPE default)"),
        (call(1, "client", "recv"), "recv()"),
        (call(1, "client", "getpeername(3)"), "getpeername(3)"),
    ],
)
def test_calls_with_their_arguments(made: Call, said: str) -> None:
    assert words.call(NETWORK, made) == said


@pytest.mark.parametrize(
    ("node", "text"),
    [
        ("client -- fw", "cut to fw"),
        ("server", "crash"),
        ("fw", "reject tcp dport 80 with tcp-reset"),
        ("fw", "drop output tcp dport 80"),
        ("server", "sysctl net.ipv4.tcp_retries2=3"),
    ],
)
def test_faults_as_the_script_has_them(node: str, text: str) -> None:
    assert words.fault(fault(1, node, text)) == f"{node}: {text}"


@pytest.mark.parametrize(
    ("told", "said"),
    [
        (kernel(1, "server", "tcp_send_reset", reason="NO_SOCKET"), "tcp_send_reset NO_SOCKET"),
        (kernel(1, "server", "tcp_send_reset"), "tcp_send_reset"),
        (kernel(1, "client", "inet_sk_error_report", reason="EPIPE"), "socket error EPIPE"),
        (kernel(1, "client", "inet_sk_error_report"), ""),
        (kernel(1, "client", "inet_sock_set_state", old="CLOSE_WAIT", state="CLOSE"), "CLOSE_WAIT -> CLOSE"),
        (kernel(1, "client", "inet_sock_set_state", old="LAST_ACK", state="CLOSE"), ""),
        (kernel(1, "client", "inet_sock_set_state", old="SYN_SENT", state="ESTABLISHED"), ""),
        (kernel(1, "client", "tcp_retransmit_skb", state="ESTABLISHED"), ""),
    ],
)
def test_a_tracepoint_says_only_what_nothing_else_does(told: Kernel, said: str) -> None:
    assert words.kernel(told) == said
