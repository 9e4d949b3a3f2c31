"""Firewall rules as a person writes them."""

from __future__ import annotations

import pytest

from netsim.errors import InputError
from netsim.model.firewall import REJECT_WITH, USAGE, Rule, parse_rule, port


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
    found = parse_rule(text)
    assert found.text == " ".join(text.split())
    assert found == Rule(**{name: getattr(rule, name) for name in Rule.__slots__} | {"text": found.text})


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
