"""Calls that failed by an ICMP error: by whom, and about which packet."""

from __future__ import annotations

from ipaddress import ip_network

import pytest

from netsim.model.endpoint import Endpoint
from netsim.model.plan import Plan
from netsim.model.topology import Route
from tests.unit.builders import CLIENT, SERVER, Part, arp, call, hit, icmp, plan, syn
from tests.unit.explain.cases import EVIDENCE, explained, failure

PROHIBIT = "reject tcp dport 60000 with icmp-admin-prohibited"
REFUSING = plan("client -- fw", "fw -- server", fw="router", firewall={"fw": [PROHIBIT]})
SENT = syn(0, "client > fw")
UNREACHABLE = call(-5, "client", "connect server:60000", "EHOSTUNREACH", took_us=300, step=0)


@pytest.mark.parametrize("sources", EVIDENCE)
def test_a_rule_that_answers_so(sources: frozenset[str]) -> None:
    found = failure(UNREACHABLE, SENT, icmp(20, code=13), hit("fw", PROHIBIT), of=REFUSING, sources=sources)
    assert found.cause == "firewall-reject"
    assert found.because == (
        "connect() of client was refused by fw's packet filter: rule 1 of its FORWARD chain (reject tcp dport 60000 "
        "with icmp-admin-prohibited) answered with an ICMP error, admin prohibited."
    )


@pytest.mark.parametrize(
    "rule", ["reject tcp dport 60001 with icmp-admin-prohibited", "reject tcp dport 60000 with icmp-host-unreachable"]
)
def test_a_rule_that_answers_otherwise_did_not_do_it(rule: str) -> None:
    of = plan("client -- fw", "fw -- server", fw="router", firewall={"fw": [rule]})
    assert failure(UNREACHABLE, SENT, icmp(20, code=13), of=of).cause == "unknown"


def test_a_rule_whose_counter_did_not_grow_did_not_do_it() -> None:
    found = failure(UNREACHABLE, SENT, icmp(20, code=13), hit("fw", PROHIBIT, 0), of=REFUSING)
    assert found.cause == "unknown"
    assert "fw answered with an ICMP error, admin prohibited" in found.because


def with_route(kind: str) -> Plan:
    route = Route(ip_network("10.0.1.2/32"), None, kind)
    return plan("client -- fw", "fw -- server", fw="router", routes={"fw": [route]})


@pytest.mark.parametrize(
    ("kind", "code", "errno"),
    [("unreachable", 1, "EHOSTUNREACH"), ("prohibit", 13, "EHOSTUNREACH"), ("throw", 0, "ENETUNREACH")],
)
def test_a_router_without_a_route(kind: str, code: int, errno: str) -> None:
    refused = call(-5, "client", "connect server:60000", errno, took_us=300, step=0)
    found = failure(refused, SENT, icmp(20, code=code), of=with_route(kind))
    assert found.cause == "router-route"
    assert "fw has" in found.because


def test_a_route_that_does_not_answer_so() -> None:
    assert failure(UNREACHABLE, SENT, icmp(20, code=1), of=with_route("prohibit")).cause == "unknown"


@pytest.mark.parametrize("sources", EVIDENCE)
def test_a_router_whose_neighbour_is_silent(sources: frozenset[str]) -> None:
    asked = [arp(at_us, "fw > server", "10.0.1.1", SERVER.address, arrives=False) for at_us in (20, 1_000_020)]
    late = call(-5, "client", "connect server:60000", "EHOSTUNREACH", took_us=3_100_000, step=0)
    found = failure(late, SENT, asked, icmp(3_000_000, code=1), sources=sources)
    assert found.cause == "neighbour-silent"
    assert "fw asked 2 times who has 10.0.1.2, and got no answer" in [one.text for one in found.evidence]


def other(port: int) -> tuple[Endpoint, Endpoint]:
    return (Endpoint(CLIENT.address, port), SERVER)


NOT_ABOUT_IT: dict[str, Part] = {
    "another socket's packet": icmp(20, code=13, quotes=other(5_555)),
    "a UDP packet of the same ports": icmp(20, code=13, protocol="udp"),
    "the other direction": icmp(20, code=13, quotes=(SERVER, CLIENT)),
    "it was lost": icmp(20, code=13, lost=True),
    "it came too late": icmp(400, code=13),
    "it means another errno": icmp(20, code=9),
    "an echo request": icmp(20, kind=8, code=0, quotes=None),
}


@pytest.mark.parametrize("what", NOT_ABOUT_IT)
def test_an_icmp_error_is_about_the_packet_that_it_quotes(what: str) -> None:
    found = failure(UNREACHABLE, SENT, NOT_ABOUT_IT[what], of=REFUSING)
    assert "ICMP error, admin prohibited" not in found.because


def test_each_socket_has_its_own() -> None:
    second = call(-3, "client.b", "connect server:60000", "ENETUNREACH", took_us=400, local=other(5_555)[0], step=1)
    both = explained(
        UNREACHABLE, SENT, icmp(20, code=13), second, syn(2, "client > fw", other(5_555)),
        icmp(30, code=0, quotes=other(5_555)), of=REFUSING,
    )  # fmt: skip
    assert [(one.who, one.cause) for one in both.failures] == [("client", "firewall-reject"), ("client.b", "unknown")]
