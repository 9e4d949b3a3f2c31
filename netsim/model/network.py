"""Who has which address, and what is joined to what: worked out from a plan."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_address

from netsim.model.plan import Interface, NodePlan, Plan, PlannedRoute
from netsim.model.topology import Address, Node

DEFAULT_TTL = 64
"""net.ipv4.ip_default_ttl where nobody has set it."""


@dataclass(frozen=True, slots=True)
class Network:
    """Nodes by name, the two ends of each link by its id, and whose each address is."""

    nodes: Mapping[str, NodePlan]
    links: Mapping[str, tuple[str, str]]
    owners: Mapping[str, str]
    """By address, as text."""
    addresses: Mapping[str, str]
    """The address that a node's name means."""
    link_ids: tuple[str, ...]
    """In the topology's order, by which an interface knows its link."""

    def node(self, name: str) -> Node:
        return self.nodes[name].node

    def kind(self, name: str) -> str:
        """host, router or switch; '' where nothing is known of a node."""
        return self.nodes[name].node.kind if name in self.nodes else ""

    def owner(self, address: str) -> str | None:
        """The node that has an address; None where none of the network's has it."""
        return self.owners.get(address)

    def interfaces(self, node: str) -> tuple[Interface, ...]:
        return self.nodes[node].interfaces if node in self.nodes else ()

    def ends(self, node: str) -> list[str]:
        """The links of a node, by id."""
        return [self.link_ids[interface.link] for interface in self.interfaces(node)]

    def other_end(self, link: str, node: str) -> str:
        a, b = self.links[link]
        return b if node == a else a

    def resolve(self, host: str | None) -> str | None:
        """The address of a host that is given by name or by address."""
        return None if host is None else self.addresses.get(host, host)


@dataclass(frozen=True, slots=True)
class Way:
    """Where a node sends what is for an address: over a link to a next hop, to itself, or nowhere.

    `kind` is unicast, local, none (no route), or the type of a route that answers by itself:
    unreachable, prohibit, blackhole, throw.
    """

    kind: str
    link: str | None = None
    next_hop: str | None = None
    """The next hop's address; the destination itself on a subnet that the node is attached to."""


def way_to(network: Network, node: str, address: str) -> Way:
    """Look a destination up in a node's routes, the longest prefix first (RFC 1812, 5.2.4.3)."""
    if address.startswith("127.") or address == "::1" or network.owner(address) == node:
        return Way("local")
    target = ip_address(address)
    plan = network.nodes[node]
    best: tuple[int, Way] = (-1, Way("none"))
    for interface in plan.interfaces:
        if interface.address and target in _subnet(interface.address, interface.prefixlen):
            best = max(
                best, (interface.prefixlen, Way("unicast", network.link_ids[interface.link], address)), key=_length
            )
    for route in plan.routes:
        if target.version == route.destination.version and target in route.destination:
            best = max(best, (route.destination.prefixlen, _by_route(plan, route, network.link_ids)), key=_length)
    return best[1]


def _length(found: tuple[int, Way]) -> int:
    return found[0]


def _by_route(plan: NodePlan, route: PlannedRoute, ids: tuple[str, ...]) -> Way:
    if route.via is None:
        return Way(route.kind)
    for interface in plan.interfaces:
        if interface.address and route.via in _subnet(interface.address, interface.prefixlen):
            return Way("unicast", ids[interface.link], str(route.via))
    return Way("none")


def _subnet(address: Address, prefixlen: int) -> IPv4Network | IPv6Network:
    kind = IPv4Network if address.version == 4 else IPv6Network
    return kind((int(address), prefixlen), strict=False)


def network_of(plan: Plan) -> Network:
    """What a plan says of its network."""
    return Network(
        {node.node.name: node for node in plan.nodes},
        {link.id: (link.a, link.b) for link in plan.topology.links},
        plan.owners,
        {name: str(address) for name, address in plan.addresses.items()},
        tuple(link.id for link in plan.topology.links),
    )
