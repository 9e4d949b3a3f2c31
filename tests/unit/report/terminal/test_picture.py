"""The topology's picture, as a person sees it."""

# ruff: noqa: RUF001 -- a drawing is compared with what a person sees

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Network
from textwrap import dedent

import pytest

from netsim.model.plan import Plan, make_plan
from netsim.model.topology import Node, Route, Topology
from netsim.report.picture import picture_of
from netsim.report.terminal.picture import draw_picture
from netsim.report.terminal.spans import plain
from tests.unit.builders import REJECTING, analysis, fault, plan


def drawn(of: Plan, width: int = 100, cut: tuple[str, ...] = (), off: tuple[str, ...] = ()) -> str:
    cuts = [fault(1, link, "cut") for link in cut]
    a = analysis(cuts, [fault(2, node, "crash") for node in off], of=of)
    return dedent("\n".join(plain(text) for text in draw_picture(picture_of(a.network, a.outages), width)) + "\n")


def test_a_chain_with_a_firewall() -> None:
    assert drawn(REJECTING) == dedent("""\
        client ───────────────────── fw ───────────────────── server
         host  eth0           eth0 router eth1           eth0  host
               10.0.0.1   10.0.0.2        10.0.1.1   10.0.1.2
                                      └ forward rule 1: reject tcp dport 60000 with tcp-reset
    """)


def test_a_cut_cable_and_a_node_without_power() -> None:
    assert drawn(REJECTING, cut=("client -- fw",), off=("server",)).splitlines()[:2] == [
        "client ──────────╳────────── fw ───────────────────── server",
        " host  eth0           eth0 router eth1           eth0   off",
    ]


def test_a_switch_has_no_addresses() -> None:
    assert drawn(plan("a -- sw", "b -- sw", sw="switch")) == dedent("""\
          a ────────────── sw ─────────────── b
        host eth0   eth0 switch eth1   eth0 host
             10.0.0.1              10.0.0.2
    """)


def test_what_was_set_by_hand_hangs_below_its_node() -> None:
    rules = {"a": ["input drop tcp dport 7"], "b": ["drop tcp dport 9", "output reject tcp dport 8 with tcp-reset"]}
    tuned = plan("a -- b", firewall=rules).topology
    a = replace(
        tuned.nodes[0], sysctls={"net.ipv4.tcp_retries2": "3"}, routes=(Route(IPv4Network("10.9.0.0/16"), "b"),)
    )
    assert drawn(make_plan(Topology((a, tuned.nodes[1]), tuned.links))) == dedent("""\
          a ────────────────────── b
        host eth0           eth0 host
             10.0.0.1   10.0.0.2
          │                        ├ input rule 1: drop tcp dport 9
          │                        └ output rule 1: reject tcp dport 8 with tcp-reset
          ├ input rule 1: drop tcp dport 7
          ├ tcp_retries2 = 3
          └ route to 10.9.0.0/16 via b
    """)


def test_a_chain_too_wide_goes_on_below() -> None:
    assert drawn(REJECTING, width=60) == dedent("""\
        client ───────────────────── fw
         host  eth0           eth0 router
               10.0.0.1   10.0.0.2
        fw: forward rule 1: reject tcp dport 60000 with tcp-reset

          fw ───────────────────── server
        router eth1           eth0  host
               10.0.1.1   10.0.1.2
    """)


def test_on_the_narrowest_terminals_a_chain_is_a_tree() -> None:
    assert drawn(plan("a -- b"), width=36) == dedent("""\
        a     host
        └─ b  host  eth0 10.0.0.2 ─── eth0
    """)


def test_a_tree_with_a_link_too_many() -> None:
    of = plan("a -- sw", "b -- sw", "sw -- r", "r -- x", "r -- y", "x -- y", sw="switch", r="router",
              firewall={"r": ["drop tcp dport 9"]})  # fmt: skip
    assert drawn(of, cut=("r -- y", "x -- y")) == dedent("""\
        sw       switch
        ├─ a     host    eth0 10.0.0.1 ─── eth0
        ├─ b     host    eth0 10.0.0.2 ─── eth1
        └─ r     router  eth0 10.0.0.3 ─── eth2
           │  forward rule 1: drop tcp dport 9
           ├─ x  host    eth0 10.0.1.2 ─── eth1 10.0.1.1
           └─ y  host    eth0 10.0.2.2 ─╳─ eth2 10.0.2.1
        and these links:
          x eth1 10.0.3.1 ─╳─ y eth1 10.0.3.2
    """)


def test_two_cables_between_the_same_two() -> None:
    assert drawn(plan("a -- b", "a -- b")) == dedent("""\
        a     host
        └─ b  host  eth0 10.0.0.2 ─── eth0 10.0.0.1
        and these links:
          a eth1 10.0.1.1 ─── b eth1 10.0.1.2
    """)


def test_parts_that_do_not_hang_together_are_drawn_apart() -> None:
    text = drawn(plan("a -- b", "c -- d"))
    assert [line.split()[::2] for line in text.splitlines() if "─" in line] == [["a", "b"], ["c", "d"]]
    assert "\n\n" in text


def test_a_node_alone() -> None:
    assert drawn(make_plan(Topology((Node("alone"),), ()))).split() == ["alone", "host"]


def test_a_chain_of_1000_is_summed_up_but_says_where_the_rule_and_the_cut_are() -> None:
    of = plan(*[f"r{i} -- r{i + 1}" for i in range(999)], firewall={"r500": ["drop tcp dport 9"]})
    text = drawn(of, cut=("r700 -- r701",))
    assert len(text.splitlines()) < 20
    assert [line.strip() for line in text.splitlines() if line.strip().startswith(("⋮", "r500", "r700"))] == [
        "⋮ 989 more nodes, r7 to r995",
        "r500  input rule 1: drop tcp dport 9",
        "r700 ─╳─ r701",
    ]


@pytest.mark.parametrize(
    ("links", "said"),
    [
        ([f"h{i} -- sw" for i in range(100)], "└─ ⋮ 90 more nodes, h10 to h99"),
        ([f"r{i} -- r{(i + 1) % 1000}" for i in range(1000)], "└─ ⋮ 492 more nodes"),
    ],
)
def test_big_stars_and_rings_are_summed_up(links: list[str], said: str) -> None:
    text = drawn(plan(*links, sw="switch"))
    assert said in text
    assert len(text.splitlines()) < 25


def test_many_remarks_on_a_long_chain_are_counted() -> None:
    rules = {f"r{i}": ["drop tcp dport 9"] for i in range(100, 120)}
    text = drawn(plan(*[f"r{i} -- r{i + 1}" for i in range(300)], firewall=rules), off=("r150",))
    assert "  and 11 more remarks\n" in text
    assert "r109  input rule 1: drop tcp dport 9" in text
    assert "r110" not in text


def test_a_remark_that_has_no_room_to_its_right_hangs_to_the_left() -> None:
    rules = {"server": ["output reject tcp dport 60000 with tcp-reset", "drop udp"]}
    text = drawn(plan("client -- fw", "fw -- server", fw="router", firewall=rules), width=80)
    assert [line.strip() for line in text.splitlines()[3:]] == [
        "output rule 1: reject tcp dport 60000 with tcp-reset ┤",
        "input rule 1: drop udp ┘",
    ]


def test_many_links_that_are_no_part_of_the_tree_are_counted() -> None:
    names = [f"n{i}" for i in range(8)]
    mesh = plan(*[f"{a} -- {b}" for i, a in enumerate(names) for b in names[i + 1 :]])
    assert drawn(mesh).splitlines()[-1].strip() == "and 9 more"


@pytest.mark.parametrize("width", [40, 60, 80, 100])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    wide = plan(*[f"r{i} -- r{i + 1}" for i in range(50)])
    assert max(map(len, drawn(wide, width).splitlines())) <= width
