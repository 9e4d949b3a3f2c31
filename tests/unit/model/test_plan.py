"""Interfaces, routes and paths, worked out before anything is built."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address, ip_network

import pytest

from netsim.errors import InputError
from netsim.model.plan import Plan, make_plan
from netsim.model.topology import Link, Node, Route, Topology
from tests.unit.builders import plan, topology


def table(given: Plan, node: str) -> list[str]:
    """A routing table in words."""
    return [f"{route.destination} {route.via or route.kind}" for route in given.node(node).routes]


def with_routes(node: str, *routes: Route) -> Topology:
    given = topology("client -- fw", "fw -- server", fw="router")
    nodes = tuple(replace(one, routes=routes) if one.name == node else one for one in given.nodes)
    return replace(given, nodes=nodes)


ANYWHERE = ip_network("0.0.0.0/0")


def test_no_two_ends_of_cables_have_one_index() -> None:
    given = plan("a -- lan", "b -- lan", "lan -- gw", "gw -- c", "gw -- c", lan="switch", gw="router")
    indexes = [i.index for node in given.nodes for i in node.interfaces]
    assert len(set(indexes)) == len(indexes) == 10


def test_interfaces() -> None:
    given = plan("client -- fw", "fw -- server", fw="router")
    fw = given.node("fw")
    assert [(i.name, i.index, i.link, i.peer, str(i.address), i.prefixlen) for i in fw.interfaces] == [
        ("eth0", 3, 0, "client", "10.0.0.2", 24),
        ("eth1", 4, 1, "server", "10.0.1.1", 24),
    ]
    assert {name: str(address) for name, address in given.addresses.items()} == {
        "client": "10.0.0.1",
        "fw": "10.0.0.2",
        "server": "10.0.1.2",
    }
    assert given.owners["10.0.1.1"] == "fw"
    assert not given.uses_ipv6


def test_a_host_behind_one_router_has_a_default_route() -> None:
    given = plan("client -- fw", "fw -- server", "server -- other", fw="router")
    assert table(given, "client") == ["0.0.0.0/0 10.0.0.2"]
    assert table(given, "fw") == []
    assert table(given, "server") == ["0.0.0.0/0 10.0.1.1"]
    assert table(given, "other") == []


def test_a_host_between_two_routers_has_exact_routes() -> None:
    given = plan("a -- r", "r -- host", "host -- s", "s -- b", r="router", s="router")
    assert table(given, "host") == ["10.0.0.0/24 10.0.1.1", "10.0.3.0/24 10.0.2.2"]


def test_the_ports_of_a_switch_have_no_addresses() -> None:
    given = plan("a -- sw", "sw -- b", sw="switch")
    assert [interface.address for interface in given.node("sw").interfaces] == [None, None]
    assert given.path("a", "b") == ("a", "b")
    assert "sw" not in given.addresses


def test_parallel_links() -> None:
    given = plan("a -- b", "b -- a")
    assert [interface.name for interface in given.node("a").interfaces] == ["eth0", "eth1"]
    assert given.path("a", "b") == ("a", "b")


def test_paths() -> None:
    given = plan("client -- fw", "fw -- server", "x -- y", fw="router")
    assert given.path("client", "server") == ("client", "fw", "server")
    assert given.path("server", "client") == ("server", "fw", "client")
    assert given.path("client", "client") == ("client",)
    assert given.path("client", "x") is None
    assert given.path("client", "nobody") is None
    assert plan("a -- host", "host -- b").path("a", "b") is None


@pytest.mark.parametrize(
    ("route", "line"),
    [
        (Route(ANYWHERE, "fw"), "0.0.0.0/0 10.0.0.2"),
        (Route(ANYWHERE, ip_address("10.0.0.2")), "0.0.0.0/0 10.0.0.2"),
        (Route(ANYWHERE, None, "prohibit"), "0.0.0.0/0 prohibit"),
    ],
)
def test_a_route_by_hand_replaces_the_computed_one(route: Route, line: str) -> None:
    assert table(make_plan(with_routes("client", route)), "client") == [line]


def test_routes_by_hand_change_the_path() -> None:
    blocked = Route(ip_network("10.0.1.0/24"), None, "unreachable")
    assert make_plan(with_routes("client", blocked)).path("client", "server") is None
    back = Route(ip_network("10.0.1.0/24"), "client")
    looped = topology("client -- fw", "fw -- gw", "gw -- server", fw="router", gw="router")
    nodes = tuple(
        replace(n, routes=(replace(back, destination=ip_network("10.0.2.0/24")),)) if n.name == "fw" else n
        for n in looped.nodes
    )
    assert make_plan(replace(looped, nodes=nodes)).path("client", "server") is None


def test_a_route_via_a_stranger() -> None:
    route = Route(ANYWHERE, "server")
    with pytest.raises(InputError) as caught:
        make_plan(with_routes("client", route))
    assert str(caught.value) == (
        "the route of client goes via server, which is no neighbour's name or address; its neighbours are fw"
    )
    assert caught.value.subject is route


def test_hosts_are_resolved() -> None:
    given = plan("client -- fw", "fw -- server", fw="router")
    assert str(given.address("server")) == "10.0.1.2"
    assert str(given.address("10.0.1.1")) == "10.0.1.1"
    with pytest.raises(InputError) as caught:
        given.address("sever")
    assert str(caught.value) == "there is no node or address 'sever'; did you mean 'server'?"


def test_ipv6_by_hand() -> None:
    links = (Link("a", "r", ip_network("fd00:1::/64")), Link("r", "b", ip_network("fd00:2::/64")))
    given = make_plan(Topology((Node("a"), Node("r", "router"), Node("b")), links))
    assert given.uses_ipv6
    assert table(given, "a") == ["::/0 fd00:1::2"]
    assert given.path("a", "b") == ("a", "r", "b")
