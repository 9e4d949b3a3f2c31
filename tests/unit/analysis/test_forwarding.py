"""What the network must have done with a packet: routes, filters, cuts and power at that moment."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import ip_network

import pytest

from netsim.analysis.forwarding import Outcome
from netsim.model.endpoint import Endpoint
from netsim.model.event import Packet, Tcp
from netsim.model.plan import Plan
from netsim.model.topology import Route
from tests.unit.builders import CLIENT, SERVER, THREE, Part, analysis, fault, hit, plan

US = 1_000


def tcp(src: Endpoint = CLIENT, dst: Endpoint = SERVER, ttl: int = 64) -> Packet:
    return Packet(0, "client", "", None, "out", src, dst, Tcp("S", 1, 0), ttl)


def sent(
    *parts: Part, of: Plan = THREE, at_us: int = 100, packet: Packet | None = None, node: str = "client"
) -> Outcome:
    return analysis(*parts, of=of).forwarder.from_node(node, packet or tcp(), at_us * US)


def with_rules(**rules: Iterable[str]) -> Plan:
    return plan("client -- fw", "fw -- server", fw="router", firewall=rules)


def said(outcome: Outcome) -> tuple[str, str, str]:
    return outcome.end, outcome.node, outcome.chain


def test_it_arrives() -> None:
    outcome = sent()
    assert (said(outcome), outcome.came_by) == (("delivered", "server", ""), ("client", "fw", "server"))


@pytest.mark.parametrize(
    ("rules", "wanted"),
    [
        ({"fw": ["drop tcp dport 60000"]}, ("dropped", "fw", "FORWARD")),
        ({"fw": ["reject tcp with tcp-reset"]}, ("rejected", "fw", "FORWARD")),
        (
            {"fw": ["drop tcp dport 1", "drop udp", "drop tcp from server", "drop tcp sport 1"]},
            ("delivered", "server", ""),
        ),
        ({"fw": ["accept tcp dport 60000", "drop tcp"]}, ("delivered", "server", "")),
        ({"fw": ["input drop tcp", "output drop tcp"]}, ("delivered", "server", "")),
        ({"fw": ["drop tcp from client to server"]}, ("dropped", "fw", "FORWARD")),
        ({"server": ["drop tcp"]}, ("dropped", "server", "INPUT")),
        ({"server": ["output drop tcp", "forward drop tcp"]}, ("delivered", "server", "")),
        ({"client": ["output reject tcp"]}, ("rejected", "client", "OUTPUT")),
    ],
)
def test_the_first_rule_that_matches_decides(rules: dict[str, list[str]], wanted: tuple[str, str, str]) -> None:
    assert said(sent(of=with_rules(**rules))) == wanted


def test_rules_are_numbered_in_their_chain() -> None:
    outcome = sent(of=with_rules(fw=["input drop udp", "drop udp", "drop tcp"]))
    assert outcome.rule is not None
    assert (outcome.rule.chain, outcome.rule.number) == ("FORWARD", 2)


def test_a_rule_of_the_script_holds_from_its_step_on() -> None:
    placed = fault(500, "fw", "drop tcp", took_us=100)
    ends = [sent(placed, at_us=at_us).end for at_us in (400, 550, 700)]
    assert ends == ["delivered", "unsure", "dropped"]  # while it was being put in place nobody knows


def test_rules_of_the_script_go_with_the_power() -> None:
    parts = (fault(500, "fw", "drop tcp"), fault(900, "fw", "crash"), fault(1_500, "fw", "boot"))
    assert [sent(parts, at_us=at_us).end for at_us in (600, 1_000, 2_000)] == ["dropped", "off", "delivered"]


def test_what_is_counted_of_a_rule() -> None:
    a = analysis(hit("fw", "drop tcp", 3), of=with_rules(fw=["drop tcp"]))
    outcome = a.forwarder.from_node("client", tcp(), 0)
    assert outcome.rule is not None
    counted = a.filters.hit(outcome.rule)
    assert counted is not None
    assert counted[1].packets == 3


@pytest.mark.parametrize(
    ("cut", "wanted"),
    [
        ("cut", ("cut", "server", "")),
        ("cut to server", ("cut", "server", "")),
        ("cut to fw", ("delivered", "server", "")),
    ],
)
def test_a_cut_cable(cut: str, wanted: tuple[str, str, str]) -> None:
    assert said(sent(fault(0, "fw -- server", cut))) == wanted


def test_a_cable_that_was_mended() -> None:
    parts = (fault(0, "fw -- server", "cut"), fault(500, "fw -- server", "heal"))
    assert [sent(parts, at_us=at_us).end for at_us in (100, 600)] == ["cut", "delivered"]


def test_a_machine_without_power() -> None:
    outcome = sent(fault(0, "server", "crash"))
    assert (outcome.end, outcome.node, outcome.link) == ("off", "server", "fw -- server")


@pytest.mark.parametrize("kind", ["unreachable", "prohibit", "blackhole", "throw"])
def test_a_route_that_leads_nowhere(kind: str) -> None:
    to_server = {"fw": [Route(ip_network("10.0.1.0/30"), None, kind)]}
    of = plan("client -- fw", "fw -- server", fw="router", routes=to_server)
    outcome = sent(of=of)
    assert (outcome.end, outcome.node, outcome.way and outcome.way.kind) == ("no-route", "fw", kind)


def test_no_route_at_all() -> None:
    outcome = sent(packet=tcp(dst=Endpoint("192.0.2.1", 80)))
    assert (outcome.end, outcome.node, outcome.way and outcome.way.kind) == ("no-route", "fw", "none")


def test_a_ttl_that_ends() -> None:
    assert said(sent(packet=tcp(ttl=1))) == ("expired", "fw", "")


def test_a_host_sends_on_nothing() -> None:
    outcome = sent(of=plan("client -- fw", "fw -- server", routes={"client": [Route(ip_network("10.0.1.0/24"), "fw")]}))
    assert said(outcome) == ("unsure", "fw", "")


def test_to_itself_it_passes_output_and_input() -> None:
    own = tcp(SERVER, Endpoint(SERVER.address, 5))
    assert said(sent(packet=own, node="server")) == ("delivered", "server", "")
    assert said(sent(packet=own, node="server", of=with_rules(server=["drop tcp"]))) == ("dropped", "server", "INPUT")
    lo = tcp(Endpoint("127.0.0.1", 4), Endpoint("127.0.0.1", 5))
    assert said(sent(packet=lo, node="server", of=with_rules(server=["output drop tcp"]))) == (
        "dropped",
        "server",
        "OUTPUT",
    )


def test_through_switches() -> None:
    of = plan("client -- s1", "s1 -- s2", "s2 -- server", s1="switch", s2="switch")
    there = tcp(dst=Endpoint("10.0.0.2", 80))
    assert said(sent(packet=there, of=of)) == ("delivered", "server", "")
    assert said(sent(fault(0, "s1 -- s2", "cut"), packet=there, of=of)) == ("cut", "s2", "")
    assert said(sent(fault(0, "s2", "crash"), packet=there, of=of)) == ("off", "s2", "")


def test_a_sysctl_is_the_files_until_a_step_sets_it_and_after_a_boot() -> None:
    of = plan("client -- server", sysctls={"client": {"net.ipv4.tcp_retries2": "5"}})
    parts = (
        fault(100, "client", "sysctl net.ipv4.tcp_retries2=3"),
        fault(500, "client", "crash"),
        fault(900, "client", "boot"),
    )
    forwarder = analysis(parts, of=of).forwarder
    values = [forwarder.sysctl("client", "net.ipv4.tcp_retries2", at_us * US) for at_us in (50, 200, 1_000)]
    assert values == ["5", "3", "5"]
    assert forwarder.sysctl("server", "net.ipv4.tcp_retries2", 0) is None
