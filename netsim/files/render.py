"""Writes a scenario that was built in Python as a scenario file, so that its recordings carry it too."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from typing import Any

from netsim.errors import InputError
from netsim.files.scenario import parse_scenario
from netsim.model.duration import write_duration
from netsim.model.names import checked_name
from netsim.model.scenario import Expectation, NoReset, ResetExpected, Scenario
from netsim.model.step import Step, parse_step
from netsim.model.topology import Link, Node, Route
from netsim.model.verbs import written


def text_of(scenario: Scenario) -> str:
    """The text that a scenario reads from: its file's, else one that is written for it.

    Raises InputError where no file can say what was built.
    """
    fault = ""
    for text in (scenario.text, render(scenario)):
        try:
            fault = _difference(scenario, text)
        except InputError as error:
            fault = str(error)
        if not fault:
            return text
    raise InputError(f"no scenario file can hold {scenario.name}: {fault}")


def check(scenario: Scenario) -> None:
    """Refuse what no scenario file may say, whoever built it; raises InputError."""
    if not isinstance(scenario, Scenario):
        raise InputError(f"a scenario is what load() gives, or Scenario(...); this is {type(scenario).__name__}")
    checked_name(scenario.name, "scenario")
    try:
        text_of(scenario)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise InputError(f"the scenario {scenario.name} holds what no file can: {error}") from error


def _difference(scenario: Scenario, text: str) -> str:
    """Say where a text means another scenario; '' where it means this one."""
    found = replace(parse_scenario(text, scenario.name, f"{scenario.name}.yaml"), text=scenario.text)
    for field in fields(Scenario):
        own, other = getattr(scenario, field.name), getattr(found, field.name)
        if field.name == "script":
            own, other = ([replace(step, line=0, text="") for step in script] for script in (own, other))
        if own != other:
            return f"its {field.name} would not read back the same"
    return ""


def render(scenario: Scenario) -> str:
    """Write a scenario in the part of YAML that is JSON; reading it gives the same scenario."""
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
        "firewall": list(map(str, node.firewall)),
        "sysctls": dict(node.sysctls),
        "routes": [_route(route) for route in node.routes],
        "subnet": str(node.subnet) if node.subnet else "",
    }
    return {key: value for key, value in found.items() if value}


def _route(route: Route) -> str:
    return f"{route.destination} via {route.via}" if route.via is not None else f"{route.destination} {route.kind}"


def _link(link: Link) -> str | dict[str, Any]:
    """Its number is not written: links are counted as they come."""
    name = f"{link.a} -- {link.b}"
    found = {
        "subnet": str(link.subnet) if link.subnet else "",
        "addresses": {end: str(address) for end, address in link.addresses.items()},
    }
    by_hand = {key: value for key, value in found.items() if value}
    return {name: by_hand} if by_hand else name


def _step(step: Step) -> str:
    outcome = "" if step.expected is None else f" = {step.expected}"
    limit = "" if step.within_s is None else f" within {write_duration(step.within_s)}"
    return f"{_doing(step)}{outcome}{limit}"


def _doing(step: Step) -> str:
    """What a step does: in its author's words, where they say what it does."""
    try:
        read = parse_step(step.index, step.who, step.text)
        same = (read.action, read.start) == (step.action, step.start)
    except InputError:
        same = False
    return step.text if same else f"{'start ' * step.start}{written(step.action)}"


def _expectation(expected: Expectation) -> str | dict[str, Any]:
    if isinstance(expected, NoReset):
        return "no reset"
    keys = ("sent_by", "felt_by", "cause") if isinstance(expected, ResetExpected) else ("who", "call", "errno", "cause")
    said = {key.replace("_", " "): getattr(expected, key) for key in keys}
    kind = "reset" if isinstance(expected, ResetExpected) else "failure"
    return {kind: {key: value for key, value in said.items() if value is not None}}
