"""A scenario that was built in Python is written as a file that reads back as the same scenario."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address, ip_network

import pytest

from netsim.files import library
from netsim.files.render import render
from netsim.files.scenario import parse_scenario
from netsim.model.firewall import Rule
from netsim.model.scenario import Scenario
from netsim.model.topology import Link, Node, Route, Topology
from tests.unit.files.test_good_scenarios import ALL_OF_IT

TEXTS = {"all-of-it": ALL_OF_IT} | {name: path.read_text() for name, path in library.names()}


def without_places(scenario: Scenario) -> Scenario:
    return replace(scenario, text="", script=tuple(replace(step, line=0) for step in scenario.script))


@pytest.mark.parametrize("name", TEXTS)
def test_what_is_rendered_reads_the_same(name: str) -> None:
    scenario = parse_scenario(TEXTS[name], name, "f.yaml")
    again = parse_scenario(render(scenario), name, "rendered.yaml")
    assert without_places(again) == without_places(scenario)


def test_values_made_by_hand() -> None:
    rule = Rule("reject", "input", "tcp", "a", "10.9.0.2", None, 80, "tcp-reset")
    nodes = (Node("a", firewall=(rule,), routes=(Route(ip_network("10.8.0.0/16"), "b"),)), Node("b", "router"))
    link = Link("a", "b", ip_network("10.9.0.0/30"), {"a": ip_address("10.9.0.2")})
    found = parse_scenario(render(Scenario("x", 'X: \u00e4 "y"', Topology(nodes, (link,)))), "x", "f.yaml")
    text = "input reject tcp from a to 10.9.0.2 dport 80 with tcp-reset"
    assert found.topology == Topology((replace(nodes[0], firewall=(replace(rule, text=text),)), nodes[1]), (link,))
