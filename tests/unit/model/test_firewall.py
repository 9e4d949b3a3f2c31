"""Firewall rules as a person writes them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from netsim.errors import InputError
from netsim.model.firewall import REJECT_WITH, USAGE, Rule, parse_rule, port, usual_chain


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("drop", Rule("drop")),
        ("input accept icmp", Rule("accept", "input", "icmp")),
        ("reject tcp dport 60000 with tcp-reset", Rule("reject", None, "tcp", dport=60000, answer="tcp-reset")),
        (
            "forward drop udp from client to 10.0.0.2 sport 53 dport 1024",
            Rule("drop", "forward", "udp", "client", "10.0.0.2", 53, 1024),
        ),
        ("output   reject  with   icmp-net-unreachable", Rule("reject", "output", answer="icmp-net-unreachable")),
    ],
)
def test_a_rule(text: str, rule: Rule) -> None:
    assert parse_rule(text) == rule
    assert str(rule) == " ".join(text.split())
    assert parse_rule(rule.body) == replace(rule, chain=None)


@pytest.mark.parametrize("kind", ["host", "router", "switch"])
def test_a_rule_without_a_chain_goes_where_its_node_makes_it_useful(kind: str) -> None:
    assert usual_chain(kind) == ("forward" if kind == "router" else "input")
    assert str(parse_rule("drop tcp").in_chain(usual_chain(kind))) == f"{usual_chain(kind)} drop tcp"


@pytest.mark.parametrize(
    ("text", "answer"),
    [("reject tcp with tcp-reset", "tcp-reset"), ("reject", "icmp-port-unreachable"), ("drop", ""), ("accept tcp", "")],
)
def test_what_it_answers_with(text: str, answer: str) -> None:
    assert parse_rule(text).answers_with == answer


@pytest.mark.parametrize(
    ("text", "fits"),
    [
        ("drop", True),
        ("drop tcp from 10.0.0.1 to 10.0.1.2 sport 5 dport 80", True),
        ("drop udp", False),
        ("drop from 10.0.1.2", False),
        ("drop to 10.0.0.1", False),
        ("drop tcp sport 80", False),
        ("drop tcp dport 5", False),
    ],
)
def test_what_it_matches(text: str, fits: bool) -> None:
    assert parse_rule(text).matches("tcp", "10.0.0.1", "10.0.1.2", 5, 80) is fits


@pytest.mark.parametrize("answer", [answer for answer in REJECT_WITH if answer != "tcp-reset"])
def test_every_icmp_answer(answer: str) -> None:
    assert parse_rule(f"reject with {answer}").answer == answer


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("drop tcp with tcp-reset", "'with tcp-reset' goes with reject, not with drop"),
        ("reject udp with tcp-reset", "'with tcp-reset' needs tcp: write 'reject tcp ... with tcp-reset'"),
        ("reject tcp with rst", f"reject cannot answer 'rst'; it can: {', '.join(REJECT_WITH)}"),
        ("drop icmp dport 80", "a port needs tcp or udp before it, in 'drop icmp dport 80'"),
        ("drop tcp dport 65536", "port '65536' is none: a port is a number from 1 to 65535"),
        ("drp tcp", f"firewall rule 'drp tcp' does not read as {USAGE}; did you mean 'drop'?"),
        ("drop dport 80 tcp", f"firewall rule 'drop dport 80 tcp' does not read as {USAGE}"),
        ("", f"firewall rule '' does not read as {USAGE}"),
    ],
)
def test_what_is_no_rule(text: str, sentence: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_rule(text)
    assert str(caught.value) == sentence


@pytest.mark.parametrize(("text", "number"), [("1", 1), ("65535", 65535), ("0080", 80)])
def test_a_port(text: str, number: int) -> None:
    assert port(text) == number


@pytest.mark.parametrize("text", ["0", "65536", "-1", "", "http", "\u0668\u0660", "9" * 5000])
def test_what_is_no_port(text: str) -> None:
    with pytest.raises(InputError, match="is none: a port is a number from 1 to 65535"):
        port(text)
