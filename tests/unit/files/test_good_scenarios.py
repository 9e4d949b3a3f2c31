"""What a scenario file means once it is read."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

import pytest

from netsim.files.scenario import parse_scenario
from netsim.model.action import AddRule, Connect, Cut, Finish, Listen, Wait
from netsim.model.firewall import Rule
from netsim.model.result import TimedOut
from netsim.model.scenario import FailureExpected, NoReset, ResetExpected, Scenario
from netsim.model.topology import Link, Route

ALL_OF_IT = """\
title: "Everything: that a file can say"
about: |
  One line,

  and another.
nodes:
  client:
  sw: {kind: switch, subnet: 10.20.0.0/24}
  fw:
    kind: router
    firewall: [reject tcp from client dport 80 with tcp-reset, input drop]
    sysctls: {net/ipv4/tcp_retries2: 3, net.ipv4.tcp_rmem: 4096  131072 6291456, net.ipv4.ip_forward: off}
    routes: [default via server, 10.99.0.0/16 unreachable, 10.98.0.1 via 10.30.0.9]
  server: {}
links:
  - client -- sw
  - sw --  fw: {addresses: {fw: 10.20.0.7}}
  - fw -- server: {subnet: 10.30.0.0/24, addresses: {server: 10.30.0.9}}
  - client -- server:
script:
  - server: listen 80 backlog 1
  - client.b: "start   connect server:80 as first"
  - server -- fw: cut to fw
  - client.b: finish = timeout within 250ms
  - lab: wait 1s # and a comment
expect:
  - no reset
  - failure
  - failure: {who: client.b, call: connect, errno: ETIMEDOUT, cause: silent-drop}
  - failure:
"""


@pytest.fixture(scope="module")
def scenario() -> Scenario:
    return parse_scenario(ALL_OF_IT, "all-of-it", "all-of-it.yaml")


def test_its_own_words(scenario: Scenario) -> None:
    assert scenario.name == "all-of-it"
    assert scenario.title == "Everything: that a file can say"
    assert scenario.about == "One line,\n\nand another."
    assert scenario.text == ALL_OF_IT


def test_nodes(scenario: Scenario) -> None:
    client, sw, fw, _ = scenario.topology.nodes
    assert [node.name for node in scenario.topology.nodes] == ["client", "sw", "fw", "server"]
    assert (client.kind, sw.kind, fw.kind) == ("host", "switch", "router")
    assert sw.subnet == ip_network("10.20.0.0/24")
    assert fw.firewall == (
        Rule("reject", None, "tcp", "client", dport=80, answer="tcp-reset"),
        Rule("drop", "input"),
    )
    assert fw.sysctls == {
        "net.ipv4.tcp_retries2": "3",
        "net.ipv4.tcp_rmem": "4096 131072 6291456",
        "net.ipv4.ip_forward": "off",
    }
    assert fw.routes == (
        Route(ip_network("0.0.0.0/0"), "server"),
        Route(ip_network("10.99.0.0/16"), None, "unreachable"),
        Route(ip_network("10.98.0.1/32"), ip_address("10.30.0.9")),
    )


def test_links(scenario: Scenario) -> None:
    assert scenario.topology.links == (
        Link("client", "sw"),
        Link("sw", "fw", None, {"fw": ip_address("10.20.0.7")}),
        Link("fw", "server", ip_network("10.30.0.0/24"), {"server": ip_address("10.30.0.9")}),
        Link("client", "server"),
    )


def test_steps(scenario: Scenario) -> None:
    steps = scenario.script
    assert [step.index for step in steps] == [0, 1, 2, 3, 4]
    assert [step.who for step in steps] == ["server", "client.b", "fw -- server", "client.b", "lab"]
    assert [step.node for step in steps] == ["server", "client", "", "client", ""]
    assert [step.line for step in steps] == [21, 22, 23, 24, 25]
    assert [step.action for step in steps] == [
        Listen(80, 1),
        Connect("server", 80, "first"),
        Cut("fw"),
        Finish(),
        Wait(1.0),
    ]
    assert steps[1].text == "start connect server:80 as first"
    assert [step.start for step in steps] == [False, True, False, False, False]
    assert (steps[3].expected, steps[3].within_s) == (TimedOut(), 0.25)


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("reject output tcp dport 5 with tcp-reset", Rule("reject", "output", "tcp", dport=5, answer="tcp-reset")),
        ("drop forward", Rule("drop", "forward")),
        ("drop input udp from client", Rule("drop", "input", "udp", "client")),
        ("drop tcp to 10.20.0.7", Rule("drop", None, "tcp", None, "10.20.0.7")),
    ],
)
def test_a_rule_that_a_step_puts_in_place(text: str, rule: Rule) -> None:
    found = parse_scenario(ALL_OF_IT.replace("lab: wait 1s", f"fw: {text}"), "x", "f.yaml").script[-1]
    assert (found.who, found.action, found.text) == ("fw", AddRule(rule), text)


def test_expectations(scenario: Scenario) -> None:
    assert scenario.expect == (
        NoReset(),
        FailureExpected(),
        FailureExpected("client.b", "connect", "ETIMEDOUT", "silent-drop"),
        FailureExpected(),
    )


def test_reset_expectations() -> None:
    text = "title: T\nnodes: {a: {}}\nexpect: [reset, {reset: {sent by: a, felt by: a, cause: unread-data}}]\n"
    assert parse_scenario(text, "x", "f.yaml").expect == (
        ResetExpected(),
        ResetExpected(sent_by="a", felt_by="a", cause="unread-data"),
    )


def test_the_least_that_a_file_can_be() -> None:
    scenario = parse_scenario("title: T\nnodes:\n  a:\n", "x", "f.yaml")
    assert [node.name for node in scenario.topology.nodes] == ["a"]
    assert scenario.script == ()
