"""What a picture says, whoever draws it."""

from __future__ import annotations

import pytest

from netsim.model.event import Fault
from netsim.report.picture import picture_of
from tests.unit.builders import analysis, fault, network


@pytest.mark.parametrize(
    ("faults", "cut_to", "off"),
    [
        ([fault(1, "client -- fw", "cut")], {"client -- fw": ("client", "fw")}, set()),
        ([fault(1, "client -- fw", "cut to fw")], {"client -- fw": ("fw",)}, set()),
        ([fault(1, "client -- fw", "cut"), fault(900, "client -- fw", "heal")], {}, set()),
        (
            [fault(1, "client -- fw", "cut"), fault(9, "client -- fw", "heal"), fault(20, "client -- fw", "cut to fw")],
            {"client -- fw": ("fw",)},
            set(),
        ),
        ([fault(1, "server", "crash")], {}, {"server"}),
        ([fault(1, "server", "crash"), fault(900, "server", "boot")], {}, set()),
        ([fault(1, "server", "crash"), fault(900, "server", "boot"), fault(990, "server", "crash")], {}, {"server"}),
    ],
    ids=["cut", "cut one way", "healed", "cut again", "off", "booted", "off again"],
)
def test_what_is_broken_in_the_end(faults: list[Fault], cut_to: dict[str, tuple[str, ...]], off: set[str]) -> None:
    of = analysis(faults)
    machines = [machine for cluster in picture_of(of.network, of.outages).clusters for machine in cluster.machines]
    cables = [cable for machine in machines for cable in machine.cables]
    assert {cable.link: cable.cut_to for cable in cables if cable.cut_to} == cut_to
    assert {machine.name for machine in machines if machine.off} == off


def test_without_a_run_nothing_is_broken() -> None:
    (cluster,) = picture_of(network("a -- b")).clusters
    assert [machine.off for machine in cluster.machines] == [False, False]
    assert cluster.is_chain


def test_a_chain_is_in_order_however_it_was_written() -> None:
    (cluster,) = picture_of(network("b -- c", "a -- b", "c -- d")).clusters
    assert [machine.name for machine in cluster.machines] == ["a", "b", "c", "d"]
    (ring,) = picture_of(network("a -- b", "b -- c", "c -- a")).clusters
    assert not ring.is_chain


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ("reject tcp dport 60000 with tcp-reset", "forward rule 1: reject tcp dport 60000 with tcp-reset"),
        ("forward reject tcp dport 80", "forward rule 1: reject tcp dport 80"),
        ("output drop udp", "output rule 1: drop udp"),
    ],
)
def test_a_rule_is_told_once_with_its_chain(rule: str, said: str) -> None:
    (cluster,) = picture_of(network("client -- fw", fw="router", firewall={"fw": [rule]})).clusters
    assert [remark.text for machine in cluster.machines for remark in machine.remarks] == [said]
