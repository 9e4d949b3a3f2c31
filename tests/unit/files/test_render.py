"""A scenario that was built in Python is written as a file that reads back as the same scenario."""

from __future__ import annotations

import random
from dataclasses import replace
from ipaddress import IPv4Network, ip_address, ip_network
from itertools import pairwise

import pytest

from netsim.errors import InputError
from netsim.files import library
from netsim.files.render import check, render, text_of
from netsim.files.scenario import parse_scenario
from netsim.model.action import AddRule, Cut, Finish, Listen, Recv, Run, SetSysctl, Wait
from netsim.model.firewall import Rule
from netsim.model.result import Count, Errno, Exited, Ready
from netsim.model.scenario import Scenario
from netsim.model.step import Step, parse_step
from netsim.model.topology import Link, Node, Route, Topology
from netsim.model.verbs import VERBS, Verb
from tests.unit.files.anything import any_rule
from tests.unit.files.test_good_scenarios import ALL_OF_IT

TEXTS = {"all-of-it": ALL_OF_IT} | {name: path.read_text() for name, path in library.names()}


def without_places(scenario: Scenario) -> Scenario:
    return replace(scenario, text="", script=tuple(replace(step, line=0) for step in scenario.script))


def read_back(scenario: Scenario) -> Scenario:
    return without_places(parse_scenario(render(scenario), scenario.name, "rendered.yaml"))


@pytest.mark.parametrize("name", TEXTS)
def test_what_is_rendered_reads_the_same(name: str) -> None:
    scenario = parse_scenario(TEXTS[name], name, "f.yaml")
    assert read_back(scenario) == without_places(scenario)


def built(*steps: Step, links: tuple[Link, ...] = (Link("a", "b"), Link("b", "c"))) -> Scenario:
    nodes = (Node("a"), Node("b", "router"), Node("c"))
    return Scenario("x", "X", Topology(nodes, links), script=steps)


def test_values_made_by_hand() -> None:
    rule = Rule("reject", "input", "tcp", "a", "10.9.0.2", None, 80, "tcp-reset")
    nodes = (Node("a", firewall=(rule,), routes=(Route(ip_network("10.8.0.0/16"), "b"),)), Node("b", "router"))
    link = Link("a", "b", ip_network("10.9.0.0/30"), {"a": ip_address("10.9.0.2")})
    scenario = Scenario("x", 'X: \u00e4 "y"', Topology(nodes, (link,)))
    assert read_back(scenario) == scenario


def test_links_are_counted_again() -> None:
    links = (Link("a", "b"), Link("b", "a", ip_network("10.9.0.0/24")), Link("b", "c"), Link("a", "b"))
    scenario = built(Step(0, "b -- a (2)", Cut("a"), "cut to a"), Step(1, "a -- b (3)", Cut(), "cut"), links=links)
    assert [link.id for link in scenario.topology.links] == ["a -- b", "b -- a (2)", "b -- c", "a -- b (3)"]
    assert read_back(scenario) == scenario


@pytest.mark.parametrize(
    ("step", "written"),
    [
        (Step(0, "a", Listen(80, 1), "whatever its author calls it"), "listen 80 backlog 1"),
        (Step(0, "a", Recv(), "recv 65536", Count(5), 0.035), "recv 65536 = 5 within 35ms"),
        (Step(0, "a", Recv(), "recv 5", Ready(("IN", "HUP"))), "recv = IN HUP"),
        (Step(0, "a", Recv(), "recv", Errno("ECONNRESET"), 1e-6), "recv = ECONNRESET within 1us"),
        (Step(0, "a", Recv(), "", start=True), "start recv"),
        (Step(0, "b", AddRule(Rule("reject", "output")), ""), "reject output"),
        (Step(0, "b", AddRule(Rule("drop")), "drop"), "drop"),
        (Step(0, "a", Run(("test", "1", "=", "1")), ""), "run test 1 '=' 1"),
        (Step(0, "a", Run(("sh", "-c", "x = 'a  b'")), "", Exited(3)), """run sh -c 'x '=' '"'"'a  b'"'"'' = exit 3"""),
        (Step(0, "lab", Wait(5400.0), ""), "wait 90min"),
    ],
)  # fmt: skip
def test_a_step_made_by_hand(step: Step, written: str) -> None:
    text = render(built(step))
    found = parse_scenario(text, "x", "f.yaml").script[0]
    assert parse_step(0, step.who, written) == replace(found, line=0)
    assert (found.action, found.expected, found.within_s) == (step.action, step.expected, step.within_s)


@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb.name)
def test_every_verb(verb: Verb) -> None:
    example = verb.example.replace("server", "c")
    who = {"link": "b -- c", "lab": "lab"}.get(verb.who, "c")
    before = {"finish": ("start recv",), "boot": ("crash",)}.get(verb.name, ())
    texts = (*before, example)
    scenario = built(*(parse_step(i, who, text) for i, text in enumerate(texts)))
    assert read_back(scenario) == scenario


def any_scenario(seed: int) -> Scenario:
    """A chain of nodes, some joined more than once, with rules, and with steps on all of it."""
    chance = random.Random(seed)
    count = chance.randint(2, 6)
    names = [f"n{i}" for i in range(count)]
    pairs = [chance.choice([(a, b), (b, a)]) for a, b in pairwise(names) for _ in range(chance.randint(1, 3))]
    chance.shuffle(pairs)
    subnet = IPv4Network("10.9.0.0/24")
    links = [Link(*pair) for pair in pairs]
    first = next(i for i, link in enumerate(links) if {link.a, link.b} == {"n0", "n1"})
    links[first] = replace(links[first], subnet=subnet, addresses={"n0": ip_address("10.9.0.1")})
    nodes = []
    for name in names:
        rules = tuple(any_rule(chance, "n0", "10.9.0.1") for _ in range(chance.randrange(3)))
        sysctls = {"net.ipv4.tcp_retries2": "3"} if chance.random() < 0.5 else {}
        nodes.append(Node(name, chance.choice(["host", "router"]), rules, sysctls))
    topology = Topology(tuple(nodes), tuple(links))
    steps: list[Step] = []
    for link in topology.links:
        steps.append(Step(len(steps), link.id, Cut(chance.choice([None, link.a, link.b])), "cut"))
    for name in names:
        rule = replace(any_rule(chance, "n0", "10.9.0.1"), action="drop", answer=None)
        steps.append(Step(len(steps), name, AddRule(rule), f"drop {rule.body}"))
        steps.append(Step(len(steps), f"{name}.p", Recv(chance.randint(1, 9)), "recv", None, None, start=True))
        expected = Count(5) if chance.random() < 0.5 else Errno("EPIPE")
        within_s = chance.randrange(1, 10**6) / 1000
        steps.append(Step(len(steps), f"{name}.p", Finish(), "finish", expected, within_s))
    return Scenario("x", f"Seed {seed}", topology, "About\n\n  it.", tuple(steps))


@pytest.mark.parametrize("seed", range(40))
def test_any_scenario(seed: int) -> None:
    scenario = any_scenario(seed)
    found = read_back(scenario)
    texts = tuple(replace(step, text=other.text) for step, other in zip(scenario.script, found.script, strict=True))
    assert found == replace(scenario, script=texts)


def test_a_text_that_says_the_same_is_kept() -> None:
    scenario = parse_scenario(ALL_OF_IT, "all-of-it", "f.yaml")
    assert text_of(scenario) == ALL_OF_IT
    changed = text_of(replace(scenario, title="Another"))
    assert changed != ALL_OF_IT
    assert parse_scenario(changed, "all-of-it", "f.yaml").title == "Another"


@pytest.mark.parametrize(
    ("scenario", "fault"),
    [
        (replace(built(), about=" x"), "its about would not read back the same"),
        (replace(built(), title="x" * 121), "x.yaml:2:11: 'title' is one line of at most 120 letters; put the rest"),
        (built(Step(0, "b", AddRule(Rule("accept")), "")), "its script would not read back the same"),
        (built(Step(0, "a -- b", Recv(), "recv")), "recv is done by a node"),
        (built(links=(Link("a", "b", ip_network("fd00::/64")),)), "'fd00::/64' is IPv6"),
    ],
)
def test_what_no_file_can_say(scenario: Scenario, fault: str) -> None:
    with pytest.raises(InputError) as caught:
        text_of(scenario)
    assert str(caught.value).startswith("no scenario file can hold x: ")
    assert fault in str(caught.value)


AB = (Node("a"), Node("b"))


@pytest.mark.parametrize(
    ("scenario", "says"),
    [
        (Scenario("x", "t", Topology((Node("a", sysctls={"kernel.hostname": "x"}), AB[1]), (Link("a", "b"),))), "net."),
        (Scenario("x", "t", Topology((Node("a", "hub"), AB[1]), (Link("a", "b"),))), "'hub'"),  # type: ignore[arg-type]
        (Scenario("x", "t", Topology(AB, (Link("a", "z"),))), "'z'"),
        (Scenario("../x", "t", Topology(AB, (Link("a", "b"),))), "name of a scenario"),
        (Scenario("x", "t", Topology(AB, (Link("a", "b", IPv4Network("10.0.0.0/24")), Link("a", "b", "x")))), "x"),  # type: ignore[arg-type]
        ("firewall-reset", "this is str"),
    ],
    ids=["sysctl of the host", "kind", "link", "name", "no subnet", "text"],
)
def test_what_no_file_may_say(scenario: Scenario, says: str) -> None:
    with pytest.raises(InputError, match=says):
        check(scenario)


def test_no_sysctl_of_the_host_in_a_step() -> None:
    step = replace(parse_step(0, "a", "sysctl net.ipv4.tcp_retries2=3"), action=SetSysctl("vm.swappiness", "62"))
    with pytest.raises(InputError, match="net"):
        check(Scenario("x", "t", Topology(AB, (Link("a", "b"),)), script=(step,)))
