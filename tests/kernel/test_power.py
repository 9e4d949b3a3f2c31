"""A machine that loses power is silent, and nobody notices; it comes back behind all of its cables."""

from __future__ import annotations

import json
import os
import select
import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from ipaddress import ip_network
from typing import Any

import pytest

from netsim.engines.host import STATE
from netsim.errors import LabError
from netsim.linux import capture, channel
from netsim.linux.lab import Lab, up
from netsim.linux.netns_names import node_path
from netsim.model.plan import make_plan
from netsim.model.topology import Address, Link, Node, Topology

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="namespaces take root")

SILENCE_S = 5.0
"""Time for all that the kernel sends by itself once an interface is up: MLD reports, solicitations, DAD."""
PATIENCE_S = 1.5
"""A second try, where the first SYN is lost, comes after one second."""
VICTIMS = ("host", "router", "lan")
CABLES = {
    "p1": Link("p1", "host", ip_network("fd01::/64")),
    "p2": Link("host", "p2", ip_network("10.2.0.0/24")),
    "p3": Link("p3", "router", ip_network("fd03::/64")),
    "p4": Link("router", "p4", ip_network("fd04::/64")),
    "p5": Link("p5", "lan"),
    "p6": Link("lan", "p6"),
}
LAN = ip_network("fd05::/64")
SOMEBODY = make_plan(
    Topology(
        (*map(Node, CABLES), Node("host"), Node("router", "router"), Node("lan", "switch", subnet=LAN)),
        tuple(CABLES.values()),
    )
)


@pytest.fixture
def lab() -> Iterator[Lab]:
    with up(SOMEBODY, f"power-{os.getpid()}", STATE) as lab:
        yield lab


def said(lab: Lab, node: str, *argv: str) -> str:
    argv = ("nsenter", f"--net={node_path(lab.name, node)}", *argv)
    return subprocess.run(argv, capture_output=True, check=True, text=True).stdout


def reached(lab: Lab, *wanted: tuple[str, Address | None]) -> list[bool]:
    """Tell of each node whether an address refuses it a connection, as a machine that is there does."""
    children = [lab.fork(node, _try, str(address)) for node, address in wanted]
    answers: list[bool] = [channel.receive(child.sock)[0] for child in children]
    for child in children:
        child.close()
    return answers


def _try(sock: socket.socket, address: str) -> None:
    try:
        socket.create_connection((address, 7), PATIENCE_S)
    except ConnectionRefusedError:
        channel.send(sock, True)
    except OSError:
        channel.send(sock, False)


def partner(peer: str) -> Address:
    """Who answers a peer: the machine at the end of its cable, or behind the switch."""
    other = CABLES[peer].other(peer)
    if other == "lan":
        other = {"p5": "p6", "p6": "p5"}[peer]
    return next(i.address for i in SOMEBODY.node(other).interfaces if i.address and i.peer in {peer, "lan"})


def known(lab: Lab, peer: str) -> list[Any]:
    """A peer's neighbours by address, its routes, and which of its interfaces have a carrier."""
    neighbours = {one["dst"]: one.get("lladdr") for one in json.loads(said(lab, peer, "ip", "-json", "neighbour"))}
    routes = [said(lab, peer, "ip", family, "route") for family in ("-4", "-6")]
    links = json.loads(said(lab, peer, "ip", "-json", "link"))
    return [neighbours, routes, [link["ifname"] for link in links if "LOWER_UP" in link["flags"]]]


@contextmanager
def tapped(lab: Lab, *nodes: str) -> Iterator[list[socket.socket]]:
    """Captures on nodes."""
    _, fds = lab.keeper.ask_files(capture.open_captures, nodes)
    with ExitStack() as stack:
        yield [stack.enter_context(socket.socket(fileno=fd)) for fd in fds]


@contextmanager
def monitored(lab: Lab, node: str) -> Iterator[list[str]]:
    """What the kernel says of a node's interfaces meanwhile; it is there at the end."""
    command = ["nsenter", f"--net={node_path(lab.name, node)}", "ip", "-oneline", "monitor", "link"]
    said: list[str] = []
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        yield said
    finally:
        process.terminate()
        said.append(process.communicate()[0])


def arrived(sock: socket.socket, within_s: float = 0) -> list[bytes]:
    """The frames that others have sent, until none comes for so long."""
    found = []
    while select.select([sock], [], [], within_s)[0]:
        data, (_, _, kind, *_) = sock.recvfrom(256)
        if kind != socket.PACKET_OUTGOING:
            found.append(data)
    return found


def test_a_crash_is_silent(lab: Lab) -> None:
    assert reached(lab, *((peer, partner(peer)) for peer in CABLES)) == [True] * len(CABLES)
    before = {peer: known(lab, peer) for peer in CABLES}
    assert all(any(neighbours.values()) for neighbours, _, _ in before.values())
    with tapped(lab, *CABLES) as taps, monitored(lab, "p2") as news:
        for victim in VICTIMS:
            lab.power_off(victim)
        for tap in taps:
            arrived(tap)  # what was sent before
        assert {peer: known(lab, peer) for peer in CABLES} == before
        assert arrived(taps[0], SILENCE_S) == []
        assert [frame for tap in taps for frame in arrived(tap)] == []
        for peer in ("p1", "p2", "p3", "p4"):  # the others, behind a switch, ask for each other meanwhile
            assert known(lab, peer) == before[peer]
    assert "NO-CARRIER" not in "".join(news)


def test_it_comes_back(lab: Lab) -> None:
    for victim in VICTIMS * 2:
        lab.power_off(victim)
        with pytest.raises(LabError, match="it is switched off"):
            lab.power_off(victim)
        lab.power_on(victim)
        with pytest.raises(LabError, match="it is running"):
            lab.power_on(victim)
    assert reached(lab, *((peer, partner(peer)) for peer in CABLES)) == [True] * len(CABLES)


TWICE = make_plan(
    Topology(
        (Node("a"), Node("b", "router"), Node("lan", "switch")),
        (Link("a", "b"), Link("b", "a"), Link("a", "b"), Link("b", "lan"), Link("lan", "b"), Link("a", "lan")),
    )
)
FIRST, SECOND, THIRD = 0, 1, 2
"""The cables between a and b, by their place in the topology."""


def answers(lab: Lab) -> list[bool]:
    """By which of the cables between them a reaches b."""
    ends = {i.link: i.address for i in TWICE.node("b").interfaces}
    return reached(lab, *(("a", ends[cable]) for cable in (FIRST, SECOND, THIRD)))


def test_several_cables_between_the_same_two_nodes() -> None:
    with up(TWICE, f"twice-{os.getpid()}", STATE) as lab:
        assert answers(lab) == [True, True, True]
        lab.cut(SECOND)
        assert answers(lab) == [True, False, True]
        lab.cut(THIRD, "a")
        assert answers(lab) == [True, False, False]
        lab.heal(SECOND)
        assert answers(lab) == [True, True, False]
        lab.power_off("b")
        assert answers(lab) == [False, False, False]
        lab.power_on("b")
        assert answers(lab) == [True, True, False]
        lab.power_off("a")
        lab.power_off("b")
        lab.power_on("b")
        lab.power_on("a")
        assert answers(lab) == [True, True, True]
