"""Calls that failed although nobody sent an RST: where on the way out, or on the way back, everything ended."""

from __future__ import annotations

from ipaddress import ip_network
from typing import Any

import pytest

from netsim.model.endpoint import Endpoint
from netsim.model.plan import Plan
from netsim.model.topology import Route
from tests.unit.builders import (
    CLIENT,
    SERVER,
    THREE,
    Part,
    arp,
    call,
    fault,
    handshake,
    hit,
    icmp,
    plan,
    segment,
    syn,
    syn_ack,
)
from tests.unit.explain.cases import AT_CLIENT, AT_SERVER, CONNECTED, EVIDENCE, LISTENS, failure

THREE_SYNS = (0.0, 1_000_000.0, 3_000_000.0)
TIMED_OUT = call(-5, "client", "connect server:60000", "ETIMEDOUT", took_us=7_000_000, step=0)
OUT, BACK = "client > fw > server", "server > fw > client"


def with_rules(**firewall: list[str]) -> Plan:
    return plan("client -- fw", "fw -- server", fw="router", firewall=firewall)


def with_route(node: str, destination: str, kind: str) -> Plan:
    route = Route(ip_network(destination), None, kind)
    return plan("client -- fw", "fw -- server", fw="router", routes={node: [route]})


def syns(way: str, **more: Any) -> tuple[Part, ...]:
    return tuple(syn(at_us, way, **more) for at_us in THREE_SYNS)


def answers(way: str, **more: Any) -> tuple[Part, ...]:
    return tuple(syn_ack(at_us + 30, way, **more) for at_us in THREE_SYNS)


DROP = "drop tcp dport 60000"
DROP_BACK = "drop tcp sport 60000"
CUT = fault(-100, "fw -- server", "cut")
PLACES: dict[str, tuple[Plan, tuple[Part, ...], str, str]] = {
    "cut": (
        THREE, (CUT, syns(OUT, lost=True)), "silent-drop",
        "3 packets to server:60000 vanished on fw -- server, which was cut, and no reset or ICMP error came back.",
    ),
    "a router drops": (
        with_rules(fw=[DROP]), (syns("client > fw"), hit("fw", DROP, 3)), "silent-drop",
        f"vanished at fw: rule 1 of its FORWARD chain ({DROP})",
    ),
    "no power": (
        THREE, (fault(-100, "server", "crash"), syns(OUT, lost=True)), "silent-drop",
        "vanished at server, which had no power",
    ),
    "a router's blackhole": (
        with_route("fw", "10.0.1.2/32", "blackhole"), (syns("client > fw"),), "router-route",
        "vanished at fw, which has a route of type blackhole to server",
    ),
    "INPUT drops": (
        with_rules(server=[f"input {DROP}"]), (LISTENS, syns(OUT), hit("server", f"input {DROP}", 3, chain="INPUT")),
        "host-firewall-drop", "came to server and were dropped there: rule 1 of its INPUT chain",
    ),
    "OUTPUT drops": (
        with_rules(client=[f"output {DROP}"]), (hit("client", f"output {DROP}", 3, chain="OUTPUT"),),
        "host-firewall-drop", "nothing for server:60000 left client: rule 1 of its OUTPUT chain",
    ),
    "OUTPUT of the other drops its answers": (
        with_rules(server=[f"output {DROP_BACK}"]), (LISTENS, syns(OUT)), "host-firewall-drop",
        "rule 1 of its OUTPUT chain",
    ),
    "the answers are dropped on the way": (
        with_rules(fw=[DROP_BACK]), (LISTENS, syns(OUT), answers("server > fw")), "answer-lost",
        "3 packets came to server, which answered, and the answers were lost: 3 packets to client:41234 vanished at fw",
    ),
    "the answers are lost on a cut link": (
        THREE, (LISTENS, fault(-100, "client -- fw", "cut to client"), syns(OUT), answers(BACK, lost=True)),
        "answer-lost", "the answers were lost: 3 packets to client:41234 vanished on client -- fw, which was cut",
    ),
    "INPUT of the caller drops the answers": (
        with_rules(client=[f"input {DROP_BACK}"]), (LISTENS, syns(OUT), answers(BACK)), "host-firewall-drop",
        "the answers came back to client and were dropped there: rule 1 of its INPUT chain",
    ),
    "no way back": (
        with_route("server", "10.0.0.0/24", "blackhole"), (LISTENS, syns(OUT)), "no-way-back",
        "server got it, and has a route of type blackhole back to client",
    ),
    "no way back through a router": (
        with_route("fw", "10.0.0.1/32", "blackhole"), (LISTENS, syns(OUT), answers("server > fw")), "answer-lost",
        "vanished at fw, which has a route of type blackhole to client",
    ),
}  # fmt: skip


@pytest.mark.parametrize("sources", EVIDENCE)
@pytest.mark.parametrize("place", PLACES)
def test_where_it_ended(place: str, sources: frozenset[str]) -> None:
    of, parts, cause, because = PLACES[place]
    found = failure(TIMED_OUT, parts, of=of, sources=sources)
    assert found.cause == cause
    assert because in found.because
    assert found.because.startswith("connect() of client gave up: ")


@pytest.mark.parametrize("taps", [AT_CLIENT, AT_SERVER, []])
@pytest.mark.parametrize("place", PLACES)
def test_with_fewer_taps_it_is_the_same_or_unknown(place: str, taps: list[object]) -> None:
    of, parts, cause, _ = PLACES[place]
    found = failure(TIMED_OUT, parts, of=of, sources=EVIDENCE[2], taps=taps)
    assert found.cause in {cause, "unknown"}


@pytest.mark.parametrize("sources", EVIDENCE)
def test_a_name_is_no_rule(sources: frozenset[str]) -> None:
    """`drop` in a comment or an address is no rule that drops."""
    of = with_rules(fw=["accept tcp dport 60000", "drop tcp dport 1"])
    found = failure(TIMED_OUT, syns("client > fw"), of=of, sources=sources)
    assert found.cause == "unknown"


def test_a_rule_that_does_not_match_drops_nothing() -> None:
    of = with_rules(fw=["drop tcp from server dport 60000", "drop tcp dport 6000", "drop udp"])
    assert failure(TIMED_OUT, syns("client > fw"), of=of).cause == "unknown"


def test_a_cut_that_was_healed_before_is_not_the_cause() -> None:
    healed = (CUT, fault(-50, "fw -- server", "heal"))
    assert failure(TIMED_OUT, healed, syns("client > fw")).cause == "unknown"


def test_a_loss_that_was_repaired_is_not_the_cause() -> None:
    lost = segment(300, OUT, "PA", length=5, lost=True)
    again = segment(500_000, OUT, "PA", length=5)
    acked = segment(500_050, BACK, server=True, ack=6)
    vain = segment(2_000_000, OUT, "PA", seq=6, ack=1, length=7)
    recv = call(600_000, "client", "recv", "ETIMEDOUT", took_us=9_000_000, step=1)
    healed = (fault(200, "fw -- server", "cut"), fault(400, "fw -- server", "heal"))
    found = failure(*CONNECTED, healed, lost, again, acked, vain, recv)
    assert "cut" not in found.because
    assert found.cause == "unknown"


def test_only_what_was_not_acknowledged_is_counted() -> None:
    sent = segment(300, OUT, "PA", length=5)
    acked = segment(350, BACK, server=True, ack=6)
    vain = [segment(1_000 * 2**n, OUT, "PA", seq=6, length=7, lost=True) for n in range(4)]
    recv = call(600, "client", "recv", "ETIMEDOUT", took_us=9_000_000, step=1)
    found = failure(*CONNECTED, sent, acked, fault(800, "fw -- server", "cut"), vain, recv)
    assert found.cause == "silent-drop"
    assert "4 packets to server:60000 vanished on fw -- server, which was cut" in found.because


def test_a_retransmission_is_another_packet() -> None:
    found = failure(TIMED_OUT, CUT, syns(OUT, lost=True))
    assert [one.events for one in found.evidence if "went out" in one.text] == [(2, 6, 10)]


@pytest.mark.parametrize("taps", [None, AT_CLIENT])
def test_a_next_hop_that_answers_no_arp(taps: list[object] | None) -> None:
    asked = [arp(at_us) for at_us in (10, 1_000_010, 2_000_010)]
    unreachable = call(-5, "client", "connect server:60000", "EHOSTUNREACH", took_us=3_100_000, step=0)
    found = failure(unreachable, asked, taps=taps)
    assert found.cause == "neighbour-silent"
    assert "client's ARP requests for fw, its next hop, got no answer" in found.because
    assert "client asked 3 times who has 10.0.0.2, and got no answer" in [one.text for one in found.evidence]


def test_an_arp_reply_that_came_speaks_for_the_neighbour() -> None:
    unreachable = call(-5, "client", "connect server:60000", "EHOSTUNREACH", took_us=3_100_000, step=0)
    asked = (arp(10), arp(30, "fw > client", "10.0.0.2", CLIENT.address, "reply"))
    assert failure(unreachable, asked).cause == "unknown"


def test_an_arp_reply_that_a_cut_kept_away_does_not() -> None:
    unreachable = call(-5, "client", "connect server:60000", "EHOSTUNREACH", took_us=3_100_000, step=0)
    cut = fault(-100, "client -- fw", "cut to client")
    asked = (cut, arp(10), arp(30, "fw > client", "10.0.0.2", CLIENT.address, "reply", lost=True))
    found = failure(unreachable, asked)
    assert found.cause == "neighbour-silent"
    assert "client -- fw was cut" in found.because


def test_a_neighbour_on_the_way_back_that_answers_no_arp() -> None:
    asked = [arp(at_us, "server > fw", SERVER.address, "10.0.1.1") for at_us in (20, 1_000_020, 2_000_020)]
    found = failure(TIMED_OUT, LISTENS, syns(OUT), asked)
    assert found.cause == "neighbour-silent"
    assert "server got it, and its ARP requests for fw, its next hop on the way back, got no answer" in found.because


# --- queues -----------------------------------------------------------------------------------------------------------


def filled(count: int, backlog: int) -> tuple[Part, ...]:
    """A listener that never accepts, and as many connections as have finished their handshakes with it."""
    ends = [(Endpoint(CLIENT.address, 50_000 + n), SERVER) for n in range(count)]
    before = [handshake(-900_000 + 1_000 * n, between=between) for n, between in enumerate(ends)]
    return (call(-1_000_000, "server", f"listen 60000 backlog {backlog}"), before)


def test_an_accept_queue_that_is_full() -> None:
    found = failure(TIMED_OUT, filled(3, 2), syns(OUT), sources=EVIDENCE[0] - {"drop"})
    assert found.cause == "backlog-full"
    assert "server" in found.because


def test_an_accept_queue_with_room() -> None:
    found = failure(TIMED_OUT, filled(1, 2), syns(OUT))
    assert found.cause == "unknown"


# --- what must not be said --------------------------------------------------------------------------------------------


def test_that_no_icmp_came_is_said_only_where_none_did() -> None:
    came = icmp(50, kind=3, code=1)
    found = failure(TIMED_OUT, CUT, syns(OUT, lost=True), came)
    assert "no reset or ICMP error" not in found.because


def test_packets_of_another_connection_are_no_witness() -> None:
    other = (Endpoint(CLIENT.address, 50_001), SERVER)
    of_another = [syn(at_us, OUT, other, lost=True) for at_us in THREE_SYNS]
    own = syns("client > fw")
    found = failure(TIMED_OUT, own, of_another, fault(-100, "fw -- server", "cut"))
    assert found.cause != "silent-drop"


def test_what_a_switch_got_is_not_lost_at_the_switch() -> None:
    of = plan("client -- sw", "sw -- server", sw="switch")
    server = Endpoint("10.0.0.2", 60000)
    found = failure(
        call(-5, "client", "connect server:60000", "ETIMEDOUT", took_us=7_000_000, step=0, remote=server),
        fault(-100, "sw -- server", "cut"),
        [syn(at_us, "client > sw > server", (CLIENT, server), lost=True) for at_us in THREE_SYNS],
        of=of,
    )
    assert found.cause == "silent-drop"
    assert "on sw -- server, which was cut" in found.because
