"""Who has which address, and where a node's routes send a packet."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

import pytest

from netsim.model.network import Network, Way, way_to
from netsim.model.timeline import Tap, all_taps
from netsim.model.topology import Route
from tests.unit.builders import network


@pytest.fixture
def three() -> Network:
    return network("client -- fw", "fw -- server", "fw -- server", fw="router")


def test_links_and_their_ends(three: Network) -> None:
    assert dict(three.links) == {
        "client -- fw": ("client", "fw"),
        "fw -- server": ("fw", "server"),
        "fw -- server (2)": ("fw", "server"),
    }
    assert three.ends("server") == ["fw -- server", "fw -- server (2)"]
    assert three.ends("nobody") == []
    assert three.other_end("fw -- server (2)", "server") == "fw"
    assert [interface.name for interface in three.interfaces("fw")] == ["eth0", "eth1", "eth2"]


def test_nodes_and_addresses(three: Network) -> None:
    assert (three.kind("fw"), three.kind("client"), three.kind("nobody")) == ("router", "host", "")
    assert three.node("fw").name == "fw"
    assert three.owner("10.0.2.2") == "server"
    assert three.owner("10.9.9.9") is None
    assert three.resolve("server") == "10.0.1.2"
    assert three.resolve("10.0.2.2") == "10.0.2.2"
    assert three.resolve(None) is None


@pytest.mark.parametrize(
    ("node", "address", "way"),
    [
        ("client", "10.0.0.1", Way("local")),
        ("client", "127.0.0.1", Way("local")),
        ("client", "10.0.0.2", Way("unicast", "client -- fw", "10.0.0.2")),
        ("client", "10.0.0.77", Way("unicast", "client -- fw", "10.0.0.77")),
        ("client", "10.0.2.2", Way("unicast", "client -- fw", "10.0.0.2")),
        ("client", "192.0.2.1", Way("unicast", "client -- fw", "10.0.0.2")),
        ("fw", "10.0.2.2", Way("unicast", "fw -- server (2)", "10.0.2.2")),
        ("fw", "192.0.2.1", Way("none")),
        ("client", "fd00::1", Way("none")),
    ],
)
def test_the_way(three: Network, node: str, address: str, way: Way) -> None:
    assert way_to(three, node, address) == way


@pytest.mark.parametrize(
    ("routes", "way"),
    [
        ([Route(ip_network("10.0.1.0/24"), None, "prohibit")], Way("prohibit")),
        (
            [Route(ip_network("10.0.1.2/32"), None, "blackhole"), Route(ip_network("10.0.1.0/24"), "fw")],
            Way("blackhole"),
        ),
        ([Route(ip_network("10.0.0.0/8"), None, "unreachable")], Way("unreachable")),
        ([Route(ip_network("0.0.0.0/0"), ip_address("10.0.0.2"))], Way("unicast", "client -- fw", "10.0.0.2")),
    ],
)
def test_the_longest_prefix_decides(routes: list[Route], way: Way) -> None:
    given = network("client -- fw", "fw -- server", fw="router", routes={"client": routes})
    assert way_to(given, "client", "10.0.1.2") == way


def test_through_a_switch_to_a_neighbour() -> None:
    given = network("a -- sw", "sw -- b", sw="switch")
    assert way_to(given, "a", "10.0.0.2") == Way("unicast", "a -- sw", "10.0.0.2")
    assert way_to(given, "sw", "10.0.0.2") == Way("none")


def test_taps_everywhere(three: Network) -> None:
    taps = all_taps(three)
    assert len(taps) == 2 * 3 + 3
    assert {Tap("server", "fw -- server (2)"), Tap("fw", None)} <= taps
