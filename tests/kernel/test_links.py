"""A lab is built when its last interface can send, however many there are and wherever a node stands in the file."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from netsim.engines.host import STATE
from netsim.errors import LabError
from netsim.linux import links
from netsim.linux.keeper_state import KeeperState
from netsim.linux.lab import Lab, up
from netsim.linux.netlink import Message, Netlink
from netsim.linux.netns_names import node_path
from netsim.model.plan import Interface, make_plan
from netsim.model.topology import Kind, Link, Node, Topology

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="namespaces take root")

PAIR = make_plan(Topology((Node("a"), Node("b")), (Link("a", "b"),)))


def star(kind: Kind, size: int, hub_first: bool, towards_hub: bool) -> Topology:
    """A hub and its neighbours, in the file's order."""
    hub, others = Node("hub", kind), [Node(f"h{i}") for i in range(size)]
    cables = (Link(h.name, "hub") if towards_hub else Link("hub", h.name) for h in others)
    return Topology((hub, *others) if hub_first else (*others, hub), tuple(cables))


def said(lab: Lab, node: str, *argv: str) -> list[dict[str, Any]]:
    done = subprocess.run(["nsenter", f"--net={node_path(lab.name, node)}", *argv], capture_output=True, check=True)
    return json.loads(done.stdout)  # type: ignore[no-any-return]


@pytest.mark.parametrize("towards_hub", [True, False])
@pytest.mark.parametrize("hub_first", [True, False])
@pytest.mark.parametrize(("kind", "size"), [("switch", 10), ("router", 50), ("switch", 300)])
def test_a_hub(kind: Kind, size: int, hub_first: bool, towards_hub: bool) -> None:
    """A group socket that hears of every interface overflows (ENOBUFS) at the tenth port that comes up."""
    with up(make_plan(star(kind, size, hub_first, towards_hub)), f"hub-{os.getpid()}", STATE) as lab:
        ends = [one for one in said(lab, "hub", "ip", "-json", "link") if one["ifname"].startswith("eth")]
        assert len(ends) == size
        assert all("LOWER_UP" in one["flags"] for one in ends)
        if kind == "switch":
            ports = said(lab, "hub", "bridge", "-json", "link")
            assert [port["state"] for port in ports] == ["forwarding"] * size


@pytest.fixture
def pair() -> Iterator[Lab]:
    with up(PAIR, f"pair-{os.getpid()}", STATE) as lab:
        yield lab


def _down(state: KeeperState) -> tuple[Interface, Message]:
    """Take b's end down; gives a's, and the request that brings both their carriers back."""
    interface = state.plan.node("b").interfaces[0]
    down = Message(19, 0, links._ifinfo.pack(0, 0, interface.index, 0, 1), "set", interface.name, "down")
    state.route["b"].transact([down])
    return state.plan.node("a").interfaces[0], links.up(interface.index, interface.name)


def _lose_all_news(state: KeeperState) -> list[str]:
    """Wait for an interface that comes up behind so much other news that these are lost: between question and wait."""
    end, bring_up = _down(state)
    flood = [Message(19, 0, links._ifinfo.pack(0, 0, 1, flag, 1), "toggle lo") for flag in (0, 1)]
    ask, history = links.are_up, []

    def ask_and_be_too_early(route: Netlink, interfaces: Sequence[Interface]) -> list[bool]:
        answer = ask(route, interfaces)
        history.append(str(answer))
        if len(history) == 2:  # the first is asked before anybody listens
            for _ in range(500):
                state.route["a"].transact(flood)
            state.route["b"].transact([bring_up])
        return answer

    links.are_up = ask_and_be_too_early
    links.wait_until_up(state, "a", [end])
    return history


def test_lost_news(pair: Lab) -> None:
    assert pair.keeper.ask(_lose_all_news) == ["[False]", "[False]", "[True]"]


def _wait_in_vain(state: KeeperState) -> None:
    end, _ = _down(state)
    links.LIMIT_S = 0.05
    links.wait_until_up(state, "a", [end])


def test_an_interface_that_never_comes_up_is_named(pair: Lab) -> None:
    with pytest.raises(LabError) as refused:
        pair.keeper.ask(_wait_in_vain)
    assert str(refused.value) == (
        "wait for the carrier of eth0 on a failed: ETIMEDOUT (nothing has come from b for 0 s)"
    )
