from __future__ import annotations

import pytest

from netsim.report.lifelines import lifelines
from tests.unit.builders import topology

CHAIN = topology("client -- fw", "fw -- server")
STAR = topology("server -- sw", "a -- sw", "b -- sw", "sw -- r", "r -- far")


@pytest.mark.parametrize(
    ("talks", "expected"),
    [
        ([("client", "server")], ["client", "fw", "server"]),
        ([("server", "client")], ["server", "fw", "client"]),
        ([("client", "server"), ("server", "client")], ["client", "fw", "server"]),
        ([("client", "fw"), ("client", "server")], ["client", "fw", "server"]),
        ([("client", "10.9.9.9")], []),
        ([], []),
    ],
)
def test_who_began_stands_left(talks: list[tuple[str, str]], expected: list[str]) -> None:
    assert lifelines(CHAIN, talks, []) == expected


@pytest.mark.parametrize(
    ("talks", "expected"),
    [
        ([("a", "server"), ("b", "server")], ["a", "b", "sw", "server"]),
        ([("a", "server"), ("server", "b")], ["a", "b", "sw", "server"]),
        ([("a", "server"), ("a", "far")], ["a", "sw", "r", "far", "server"]),
    ],
)
def test_further_paths_are_woven_in(talks: list[tuple[str, str]], expected: list[str]) -> None:
    assert lifelines(STAR, talks, []) == expected


def test_nodes_without_packets_follow() -> None:
    assert lifelines(CHAIN, [("client", "fw")], ["server", "client", "stranger"]) == [
        "client",
        "fw",
        "server",
        "stranger",
    ]
