"""Links: each has an id, whichever of its ends is written first."""

from __future__ import annotations

from netsim.model.topology import Link, Node, Topology


def test_links_between_the_same_two_are_counted() -> None:
    links = (Link("a", "b"), Link("b", "a"), Link("b", "c"), Link("a", "b", number=7))
    found = Topology((Node("a"), Node("b"), Node("c")), links)
    assert [link.id for link in found.links] == ["a -- b", "b -- a (2)", "b -- c", "a -- b (3)"]
    assert found.links[0] is links[0]


def test_the_far_end() -> None:
    link = Link("a", "b", number=2)
    assert (link.other("a"), link.other("b")) == ("b", "a")
