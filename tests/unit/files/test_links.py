"""Several cables between the same two nodes: each has an id of its own, everywhere."""

from __future__ import annotations

import json
from ipaddress import ip_network

import jsonschema
import pytest
import yaml

from netsim.files.scenario import parse_scenario
from netsim.files.schema import scenario_schema
from netsim.model.action import Cut
from netsim.model.plan import make_plan
from netsim.model.topology import Link
from tests.unit.files.texts import GOOD, refusal

TWO = GOOD.replace("client -- fw\n", "client -- fw\n  - fw -- client: {subnet: 10.9.0.0/24}\n")
"""GOOD, with a second cable between client and fw on line 8, written from the other side."""


def test_the_second_has_a_number() -> None:
    topology = parse_scenario(TWO, "x", "f.yaml").topology
    assert topology.links == (
        Link("client", "fw"),
        Link("fw", "client", ip_network("10.9.0.0/24"), number=2),
        Link("fw", "server"),
    )
    assert [link.id for link in topology.links] == ["client -- fw", "fw -- client (2)", "fw -- server"]


def test_each_has_interfaces_of_its_own() -> None:
    plan = make_plan(parse_scenario(TWO, "x", "f.yaml").topology)
    assert [(i.name, i.link, i.peer, str(i.address)) for i in plan.node("client").interfaces] == [
        ("eth0", 0, "fw", "10.0.0.1"),
        ("eth1", 1, "fw", "10.9.0.2"),
    ]


@pytest.mark.parametrize(
    ("step", "who", "to"),
    [
        ("client -- fw: cut", "client -- fw", None),
        ("fw -- client: cut to fw", "client -- fw", "fw"),
        ("client  --  fw (1): cut", "client -- fw", None),
        ("fw -- client (2): cut", "fw -- client (2)", None),
        ("client -- fw  (2): cut to client", "fw -- client (2)", "client"),
    ],
)
def test_a_step_on_one_of_them(step: str, who: str, to: str | None) -> None:
    text = f"{TWO}  - {step}\n"
    found = parse_scenario(text, "x", "f.yaml").script[1]
    assert (found.who, found.action, found.node) == (who, Cut(to), "")
    jsonschema.validate(yaml.safe_load(text.replace("client  --  fw", "client -- fw")), scenario_schema())


@pytest.mark.parametrize(
    ("step", "sentence"),
    [
        ("client -- fw (3): cut", "there is no link 'client -- fw (3)'; there are client -- fw, fw -- client (2)"),
        ("web -- nas: heal", "there is no link 'web -- nas'; there are client -- fw, fw -- client (2), fw -- server"),
        ("client -- fw (two): cut", "link 'client -- fw (two)' does not read as 'NODE -- NODE', or 'NODE -- NODE (2)'"),
        ("client -- fw (2): cut to server", "'server' is no end of fw -- client (2); write fw or client"),
        ("client -- fw (2): send 5", "send is done by a node, not by a link"),
        ("client: heal", "heal is done to a link; write 'client -- fw: heal'"),
    ],
)
def test_a_step_on_none_of_them(step: str, sentence: str) -> None:
    assert refusal(f"{TWO}  - {step}\n") == f"12:5: {sentence}"


def test_a_number_is_not_written_in_the_list() -> None:
    sentence = "links are counted as they come; write 'client -- fw' again for one more of them"
    assert refusal(GOOD.replace("client -- fw", "client -- fw (2)")) == f"7:5: {sentence}"


def test_what_is_wrong_with_the_second_stands_at_the_second() -> None:
    text = TWO.replace("10.9.0.0/24}", "10.9.0.0/32}")
    sentence = "subnet 10.9.0.0/32 is too small: it has room for 1, and 2 addresses are needed on fw -- client (2)"
    assert refusal(text) == f"8:5: {sentence}"


def test_twenty_of_them() -> None:
    text = GOOD.replace("  - client -- fw\n", "  - client -- fw\n" * 20) + "  - fw -- client (20): heal\n"
    scenario = parse_scenario(text, "x", "f.yaml")
    assert scenario.script[-1].who == "client -- fw (20)"
    assert len({link.id for link in scenario.topology.links}) == 21
    jsonschema.validate(json.loads(json.dumps(yaml.safe_load(text))), scenario_schema())
