"""Writes a scenario that was built in Python as a scenario file, so that its recordings carry it too."""

from __future__ import annotations

import json
from typing import Any

from netsim.model.firewall import Rule
from netsim.model.scenario import Expectation, NoReset, ResetExpected, Scenario
from netsim.model.step import Step
from netsim.model.topology import Link, Node, Route


def render(scenario: Scenario) -> str:
    """The text of a scenario, in the part of YAML that is JSON; reading it gives the same scenario."""
    found = {
        "title": scenario.title,
        "about": scenario.about,
        "nodes": {node.name: _node(node) for node in scenario.topology.nodes},
        "links": [_link(link) for link in scenario.topology.links],
        "script": [{step.who: _step(step)} for step in scenario.script],
        "expect": [_expectation(expected) for expected in scenario.expect],
    }
    return json.dumps({key: value for key, value in found.items() if value}, ensure_ascii=False, indent=1) + "\n"


def _node(node: Node) -> dict[str, Any]:
    found = {
        "kind": node.kind,
        "firewall": [_rule(rule) for rule in node.firewall],
        "sysctls": dict(node.sysctls),
        "routes": [_route(route) for route in node.routes],
        "subnet": str(node.subnet) if node.subnet else "",
    }
    return {key: value for key, value in found.items() if value}


def _rule(rule: Rule) -> str:
    parts = (
        ("", rule.chain),
        ("", rule.action),
        ("", rule.protocol),
        ("from", rule.source),
        ("to", rule.destination),
        ("sport", rule.sport),
        ("dport", rule.dport),
        ("with", rule.answer if rule.action == "reject" else None),
    )
    return rule.text or " ".join(f"{word} {value}".strip() for word, value in parts if value is not None)


def _route(route: Route) -> str:
    return f"{route.destination} via {route.via}" if route.via is not None else f"{route.destination} {route.kind}"


def _link(link: Link) -> str | dict[str, Any]:
    found = {
        "subnet": str(link.subnet) if link.subnet else "",
        "addresses": {end: str(address) for end, address in link.addresses.items()},
    }
    by_hand = {key: value for key, value in found.items() if value}
    return {link.name: by_hand} if by_hand else link.name


def _step(step: Step) -> str:
    if step.expected is None:
        return step.text
    limit = "" if step.within_s is None else f" within {step.within_s:.9f}".rstrip("0").rstrip(".") + "s"
    return f"{step.text} = {step.expected}{limit}"


def _expectation(expected: Expectation) -> str | dict[str, Any]:
    if isinstance(expected, NoReset):
        return "no reset"
    keys = ("sent_by", "felt_by", "cause") if isinstance(expected, ResetExpected) else ("who", "call", "errno", "cause")
    said = {key.replace("_", " "): getattr(expected, key) for key in keys}
    kind = "reset" if isinstance(expected, ResetExpected) else "failure"
    return {kind: {key: value for key, value in said.items() if value is not None}}
