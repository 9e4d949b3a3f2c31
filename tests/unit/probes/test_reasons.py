"""Lines of /sys/kernel/tracing/instances/*/trace_pipe, as several kernels print them."""

from __future__ import annotations

import pytest

from netsim.model.event import Kernel
from netsim.probes.reasons import about, parse
from tests.unit.builders import THREE, packet

SEND_RESET_6_18 = (
    "          python-1234    [001] ..s1.  9041.123456: tcp_send_reset: skbaddr=00000000deadbeef "
    "skaddr=0000000000000000 src=10.0.1.2:60000 dest=10.0.0.1:41234 state=UNKNOWN reason=NO_SOCKET\n"
)
SEND_RESET_6_1 = (
    "          <idle>-0       [000] ..s2.  9041.123456: tcp_send_reset: skbaddr=00000000deadbeef "
    "skaddr=0000000012345678 family=AF_INET sport=60000 dport=41234 saddr=10.0.1.2 daddr=10.0.0.1 "
    "saddrv6=::ffff:10.0.1.2 daddrv6=::ffff:10.0.0.1 state=TCP_ESTABLISHED\n"
)
SEND_RESET_5_4 = (
    "          <idle>-0       [000] ..s2  9041.123456: tcp_send_reset: sport=60000 dport=41234 saddr=10.0.1.2 "
    "daddr=10.0.0.1 saddrv6=::ffff:10.0.1.2 daddrv6=::ffff:10.0.0.1 state=TCP_ESTABLISHED\n"
)
RECEIVE_RESET = (
    "          python-77      [001] ..s..  9041.123460: tcp_receive_reset: family=AF_INET sport=41234 dport=60000 "
    "saddr=10.0.0.1 daddr=10.0.1.2 saddrv6=::ffff:10.0.0.1 daddrv6=::ffff:10.0.1.2 sock_cookie=4001\n"
)
RETRANSMIT = (
    "          <idle>-0       [000] ..s2.  9042.000001: tcp_retransmit_skb: skbaddr=0000000012345678 "
    "skaddr=00000000abcdef01 family=AF_INET sport=41234 dport=60000 saddr=10.0.0.1 daddr=10.0.1.2 "
    "saddrv6=::ffff:10.0.0.1 daddrv6=::ffff:10.0.1.2 state=TCP_ESTABLISHED err=0\n"
)
SET_STATE = (
    "          python-77      [001] b....  9041.000009: inet_sock_set_state: family=AF_INET protocol=IPPROTO_TCP "
    "sport=41234 dport=60000 saddr=10.0.0.1 daddr=10.0.1.2 saddrv6=::ffff:10.0.0.1 daddrv6=::ffff:10.0.1.2 "
    "oldstate=TCP_SYN_SENT newstate=TCP_CLOSE\n"
)
ERROR_REPORT = (
    "          python-77      [001] ..s..  9041.123470: inet_sk_error_report: family=AF_INET protocol=IPPROTO_TCP "
    "sport=41234 dport=60000 saddr=10.0.0.1 daddr=10.0.1.2 saddrv6=::ffff:10.0.0.1 daddrv6=::ffff:10.0.1.2 error=111\n"
)
SERVER, CLIENT = "10.0.1.2:60000", "10.0.0.1:41234"
AT_NS = 9041_123456_000


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (SEND_RESET_6_18, Kernel(AT_NS, "server", "tcp_send_reset", SERVER, CLIENT, "NO_SOCKET", "UNKNOWN")),
        (SEND_RESET_6_1, Kernel(AT_NS, "server", "tcp_send_reset", SERVER, CLIENT, "", "ESTABLISHED")),
        (SEND_RESET_5_4, Kernel(AT_NS, "server", "tcp_send_reset", SERVER, CLIENT, "", "ESTABLISHED")),
        (RECEIVE_RESET, Kernel(AT_NS + 4_000, "client", "tcp_receive_reset", CLIENT, SERVER)),
        (
            RETRANSMIT,
            Kernel(9042_000001_000, "client", "tcp_retransmit_skb", CLIENT, SERVER, "", "ESTABLISHED"),
        ),
        (
            SET_STATE,
            Kernel(9041_000009_000, "client", "inet_sock_set_state", CLIENT, SERVER, "", "SYN_SENT -> CLOSE"),
        ),
        (
            ERROR_REPORT,
            Kernel(AT_NS + 14_000, "client", "inet_sk_error_report", CLIENT, SERVER, "ECONNREFUSED"),
        ),
    ],
    ids=["send 6.18", "send 6.1", "send 5.4", "receive", "retransmit", "state", "error"],
)
def test_a_line(line: str, expected: Kernel) -> None:
    assert [*parse(line, THREE)] == [expected]


def test_an_errno_without_a_name_stays_a_number() -> None:
    (found,) = parse(ERROR_REPORT.replace("error=111", "error=4095"), THREE)
    assert found.reason == "4095"


def test_ipv6_ends_are_written_in_brackets() -> None:
    line = SET_STATE.replace("AF_INET ", "AF_INET6 ").replace("::ffff:10.0.0.1", "fd00::1")
    line = line.replace("::ffff:10.0.1.2", "fd00::2").replace("saddr=10.0.0.1", "saddr=0.0.0.0")
    of_ipv6 = type(THREE)(THREE.topology, THREE.nodes, THREE.addresses, {"fd00::1": "client"}, True)
    (found,) = parse(line, of_ipv6)
    assert (found.node, found.src, found.dst) == ("client", "[fd00::1]:41234", "[fd00::2]:60000")


def test_an_ipv6_socket_that_speaks_ipv4_is_known_by_its_ipv4_address() -> None:
    (found,) = parse(SET_STATE.replace("AF_INET ", "AF_INET6 "), THREE)
    assert (found.node, found.src) == ("client", CLIENT)


@pytest.mark.parametrize(
    "line",
    [
        "",
        "CPU:0 [LOST 17 EVENTS]\n",
        SEND_RESET_6_18.replace("10.0.1.2", "192.0.2.1"),  # another machine's
        "# tracer: nop\n",
        SEND_RESET_6_18[:60],
    ],
    ids=["nothing", "lost", "another's", "a comment", "cut short"],
)
def test_what_is_none_of_ours(line: str) -> None:
    assert [*parse(line, THREE)] == []


def test_lines_keep_their_order() -> None:
    found = [*parse(SET_STATE + SEND_RESET_6_18 + RECEIVE_RESET, THREE)]
    assert [event.event for event in found] == ["inet_sock_set_state", "tcp_send_reset", "tcp_receive_reset"]


def test_only_connections_whose_packets_were_seen_are_ours() -> None:
    """Another lab may have the same addresses at the same time, never the same ports as well."""
    other = SET_STATE.replace("sport=41234", "sport=50000")
    events = [*parse(SET_STATE + SEND_RESET_6_18 + other, THREE)]
    seen = [*packet(0, "client > fw", "S")]
    assert [event.event for event in about(events, seen)] == ["inet_sock_set_state", "tcp_send_reset"]
    assert [*about(events, [])] == []
