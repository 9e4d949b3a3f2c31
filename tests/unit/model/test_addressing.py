"""The same file gets the same addresses, and contradictions are told with the link they are about."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address, ip_network

import pytest

from netsim.errors import InputError
from netsim.model.addressing import segments
from netsim.model.topology import Link, Node, Topology
from tests.unit.builders import topology


def addresses(given: Topology) -> list[list[str]]:
    """The addresses of each segment, in the order of its links."""
    return [[str(address) for address in part.addresses.values()] for part in segments(given)]


def subnets(given: Topology) -> list[str]:
    return [str(part.subnet) for part in segments(given)]


def by_hand(*links: Link, **nodes: Node) -> Topology:
    names = dict.fromkeys(end for link in links for end in (link.a, link.b))
    return Topology(tuple(nodes.get(name, Node(name)) for name in names), links)


def link(a: str, b: str, subnet: str | None = None, /, **given: str) -> Link:
    chosen = ip_network(subnet) if subnet else None
    return Link(a, b, chosen, {end: ip_address(text) for end, text in given.items()})


def refusal(given: Topology) -> InputError:
    with pytest.raises(InputError) as caught:
        segments(given)
    return caught.value


def test_links_get_their_subnets_in_order() -> None:
    given = topology("client -- fw", "fw -- server", fw="router")
    assert subnets(given) == ["10.0.0.0/24", "10.0.1.0/24"]
    assert addresses(given) == [["10.0.0.1", "10.0.0.2"], ["10.0.1.1", "10.0.1.2"]]
    assert segments(given) == segments(given)


def test_links_of_a_switch_are_one_segment() -> None:
    given = topology("a -- sw", "x -- y", "sw -- b", "sw -- sx", "sx -- c", sw="switch", sx="switch")
    assert subnets(given) == ["10.0.0.0/24", "10.0.1.0/24"]
    assert addresses(given) == [["10.0.0.1", "10.0.0.2", "10.0.0.3"], ["10.0.1.1", "10.0.1.2"]]
    assert segments(given)[0].links == (0, 2, 3, 4)


def test_a_switch_without_hosts() -> None:
    assert addresses(topology("sw -- sx", sw="switch", sx="switch")) == [[]]


@pytest.mark.parametrize(("hosts", "prefix"), [(253, 24), (254, 24), (255, 23), (510, 23), (511, 22)])
def test_a_large_segment_gets_a_large_subnet(hosts: int, prefix: int) -> None:
    given = topology("x -- y", *(f"h{i} -- sw" for i in range(hosts)), "y -- z", sw="switch")
    one, large, after = segments(given)
    assert large.subnet.prefixlen == prefix
    assert len(set(large.addresses.values())) == hosts
    assert not any(large.subnet.overlaps(other.subnet) for other in (one, after))
    assert all(address in large.subnet for address in large.addresses.values())


def test_subnets_by_hand_are_left_out_of_the_pool() -> None:
    given = by_hand(link("a", "b"), link("b", "c", "10.0.1.0/24"), link("c", "d"), link("d", "e", "192.168.7.0/29"))
    assert subnets(given) == ["10.0.0.0/24", "10.0.1.0/24", "10.0.2.0/24", "192.168.7.0/29"]
    assert addresses(given)[3] == ["192.168.7.1", "192.168.7.2"]


def test_a_31_has_room_for_two() -> None:
    assert addresses(by_hand(link("a", "b", "10.9.0.0/31"))) == [["10.9.0.0", "10.9.0.1"]]


def test_addresses_by_hand_are_not_given_out_again() -> None:
    assert addresses(by_hand(link("a", "b", "10.9.0.0/29", b="10.9.0.1"))) == [["10.9.0.1", "10.9.0.2"]]


def test_an_address_alone_makes_its_subnet() -> None:
    assert subnets(by_hand(link("a", "b", b="10.9.0.200"))) == ["10.9.0.0/24"]
    assert subnets(by_hand(link("a", "b", b="fd00::7"))) == ["fd00::/64"]


def test_ipv6() -> None:
    assert addresses(by_hand(link("a", "b", "fd00:9::/64"))) == [["fd00:9::1", "fd00:9::2"]]
    assert addresses(by_hand(link("a", "b", "fd00:9::/127"))) == [["fd00:9::", "fd00:9::1"]]


@pytest.mark.parametrize(
    ("links", "sentence"),
    [
        (
            [link("a", "b", "10.9.0.0/24", a="10.9.0.5", b="10.9.0.5")],
            "address clash: a and b both have 10.9.0.5; change one of them",
        ),
        (
            [link("a", "b", "10.9.0.0/24", a="10.8.0.5")],
            "address 10.8.0.5 of a is none of 10.9.0.0/24's; take one from that subnet",
        ),
        (
            [link("a", "b", "10.9.0.0/24", a="10.9.0.0")],
            "address 10.9.0.0 of a is none of 10.9.0.0/24's; take one from that subnet",
        ),
        (
            [link("a", "b", "10.9.0.0/24", a="fd00::1")],
            "address fd00::1 of a is none of 10.9.0.0/24's; take one from that subnet",
        ),
        (
            [link("a", "b", "10.9.0.0/32")],
            "subnet 10.9.0.0/32 is too small: it has room for 1, and 2 addresses are needed on a -- b",
        ),
    ],
)
def test_contradictions(links: list[Link], sentence: str) -> None:
    error = refusal(by_hand(*links))
    assert str(error) == sentence
    assert error.subject is links[0]


def test_subnets_that_overlap() -> None:
    links = [link("a", "b", "10.9.0.0/16"), link("b", "c"), link("c", "d", "10.9.8.0/24")]
    error = refusal(by_hand(*links))
    sentence = "the subnets 10.9.0.0/16 and 10.9.8.0/24 overlap; give one of them another range"
    assert str(error) == f"address clash: {sentence}"
    assert error.subject is links[2]


def test_one_segment_with_two_subnets() -> None:
    switch = Node("sw", "switch", subnet=ip_network("10.9.0.0/24"))
    links = [link("a", "sw"), link("b", "sw", "10.8.0.0/24")]
    error = refusal(by_hand(*links, sw=switch))
    assert str(error) == (
        "switch sw says 10.9.0.0/24 and link b -- sw says 10.8.0.0/24, but they are one segment; keep one of them"
    )
    assert subnets(by_hand(links[0], link("b", "sw", "10.9.0.0/24"), sw=switch)) == ["10.9.0.0/24"]
    crowded = by_hand(
        *links[:1], *(link(f"h{i}", "sw") for i in range(2)), sw=replace(switch, subnet=ip_network("10.9.0.0/31"))
    )
    assert "room for 2, and 3 addresses are needed" in str(refusal(crowded))


def test_a_pool_that_is_used_up() -> None:
    taken = [link(f"a{i}", f"b{i}", f"10.{i * 64}.0.0/10") for i in range(4)]
    error = refusal(by_hand(*taken, link("x", "y")))
    assert str(error) == "10.0.0.0/8 has no subnet left for so many links; set some subnets by hand"


@pytest.mark.parametrize("links", [("s1 -- s2", "s1 -- s2"), ("s1 -- s2", "s2 -- s3", "s3 -- s1")])
def test_switches_in_a_circle(links: tuple[str, ...]) -> None:
    with pytest.raises(InputError, match="closes a circle of switches"):
        segments(topology("a -- s1", *links, s1="switch", s2="switch", s3="switch"))


def test_switches_in_a_row() -> None:
    row = topology("a -- s1", "s1 -- s2", "s2 -- s3", "b -- s3", "c -- s2", s1="switch", s2="switch", s3="switch")
    assert len(segments(row)) == 1
