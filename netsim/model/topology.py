"""What is asked for: nodes and the links between them. Frozen values, no I/O."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Literal

from netsim.model.firewall import Rule

Address = IPv4Address | IPv6Address
Subnet = IPv4Network | IPv6Network
Kind = Literal["host", "router", "switch"]


@dataclass(frozen=True, slots=True)
class Route:
    """One route set by hand; it replaces the computed one to the same destination.

    `via` is a neighbour's name or an address; without it `kind` is one of `ip route`'s types that
    answer by themselves: unreachable, prohibit, blackhole, throw.
    """

    destination: Subnet
    via: str | Address | None = None
    kind: str = "unicast"


@dataclass(frozen=True, slots=True)
class Node:
    """A machine: a network namespace with its addresses, routes, sysctls and firewall rules."""

    name: str
    kind: Kind = "host"
    firewall: tuple[Rule, ...] = ()
    sysctls: Mapping[str, str] = field(default_factory=dict)
    routes: tuple[Route, ...] = ()
    subnet: Subnet | None = None
    """For a switch: the subnet of the segment that it makes."""


@dataclass(frozen=True, slots=True)
class Link:
    """A cable between two nodes: a veth pair."""

    a: str
    b: str
    subnet: Subnet | None = None
    addresses: Mapping[str, Address] = field(default_factory=dict)
    """Addresses set by hand, by the name of the end that has them."""
    number: int = 1
    """Which of the links between these two it is, in the order in which they are written; a topology counts them."""

    @property
    def id(self) -> str:
        """What it is called everywhere: `a -- b`, and `a -- b (2)` where another joins the same two."""
        return f"{self.a} -- {self.b}" + (f" ({self.number})" if self.number > 1 else "")

    def other(self, node: str) -> str:
        """Name the far end, seen from one of the two."""
        return self.b if node == self.a else self.a


@dataclass(frozen=True, slots=True)
class Topology:
    """Nodes and links, in the order in which they were written: addresses depend on it."""

    nodes: tuple[Node, ...]
    links: tuple[Link, ...]

    def __post_init__(self) -> None:
        seen: Counter[frozenset[str]] = Counter()
        numbered = []
        for link in self.links:
            seen[frozenset((link.a, link.b))] += 1
            numbered.append(
                link if link.number == (n := seen[frozenset((link.a, link.b))]) else replace(link, number=n)
            )
        object.__setattr__(self, "links", tuple(numbered))

    def node(self, name: str) -> Node:
        return next(node for node in self.nodes if node.name == name)
