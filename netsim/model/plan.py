"""What will be built: every interface, address and route, worked out before anything is touched."""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network

from netsim.errors import InputError
from netsim.model.addressing import Segment, segments
from netsim.model.names import nearest, shown
from netsim.model.routing import Prefixes, gateway, next_hops
from netsim.model.topology import Address, Node, Route, Subnet, Topology

_FIRST_INDEX = 2
"""lo has index 1. Each end of each cable has an index that no other has: where the two ends of a veth have the
same, the kernel (linkwatch) takes up to a second to believe in a carrier, and a bridge port drops what comes."""


@dataclass(frozen=True, slots=True)
class Interface:
    """One end of a link. `address` is None on a switch's port."""

    name: str
    index: int
    link: int
    peer: str
    address: Address | None
    prefixlen: int


@dataclass(frozen=True, slots=True)
class PlannedRoute:
    """A line of a node's routing table; `via` is None for the types that answer by themselves."""

    destination: Subnet
    via: Address | None
    kind: str = "unicast"


@dataclass(frozen=True, slots=True)
class NodePlan:
    """One machine, ready to be built."""

    node: Node
    interfaces: tuple[Interface, ...]
    routes: tuple[PlannedRoute, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """A topology with all its addresses and routes."""

    topology: Topology
    nodes: tuple[NodePlan, ...]
    addresses: dict[str, Address] = field(default_factory=dict)
    """The address that a node's name means: that of its first interface."""
    owners: dict[str, str] = field(default_factory=dict)
    """Whose an address is, by its text."""
    uses_ipv6: bool = False

    def node(self, name: str) -> NodePlan:
        return next(plan for plan in self.nodes if plan.node.name == name)

    def address(self, host: str) -> Address:
        """Resolve a node's name, or an address of the lab's; raises InputError."""
        if host in self.addresses:
            return self.addresses[host]
        if host in self.owners:
            return next(i.address for n in self.nodes for i in n.interfaces if i.address and str(i.address) == host)
        raise InputError(f"there is no node or address {shown(host)}{nearest(host, self.addresses)}")

    def path(self, source: str, destination: str) -> tuple[str, ...] | None:
        """The nodes from one to another, switches left out, as the routes lead; None where they do not."""
        target = self.addresses.get(destination)
        if target is None:
            return None
        at, seen = source, [source]
        while at != destination:
            step = self._next(self.node(at), target)
            if step is None or step in seen:
                return None
            seen.append(step)
            at = step
            if str(target) in self.owners and self.owners[str(target)] == at:
                break
        return tuple(seen)

    def _next(self, plan: NodePlan, target: Address) -> str | None:
        for interface in plan.interfaces:
            if interface.address and target in _network(interface.address, interface.prefixlen):
                return self.owners.get(str(target))
        fitting = [route for route in plan.routes if target in route.destination]
        if not fitting:
            return None
        best = max(fitting, key=lambda route: route.destination.prefixlen)
        return self.owners.get(str(best.via)) if best.via else None


def _network(address: Address, prefixlen: int) -> Subnet:
    kind = IPv4Network if address.version == 4 else IPv6Network
    return kind((int(address), prefixlen), strict=False)


def make_plan(topology: Topology) -> Plan:
    """Work out a topology's addresses and routes; raises InputError where they contradict each other."""
    parts = segments(topology)
    segment_of = {link: part for part in parts for link in part.links}
    ends: dict[str, list[Interface]] = {node.name: [] for node in topology.nodes}
    for i, link in enumerate(topology.links):
        part = segment_of[i]
        for end in (link.a, link.b):
            count = len(ends[end])
            ends[end].append(
                Interface(
                    f"eth{count}",
                    _FIRST_INDEX + 2 * i + (end == link.b),
                    i,
                    link.other(end),
                    part.addresses.get((i, end)),
                    part.subnet.prefixlen,
                )
            )
    hops = next_hops(topology, parts)
    prefixes = Prefixes(parts)
    addresses = {name: found for name, have in ends.items() for found in [i.address for i in have if i.address][:1]}
    plans = tuple(
        NodePlan(node, tuple(ends[node.name]), _routes(node, hops.get(node.name, {}), parts, prefixes))
        for node in topology.nodes
    )
    owners = {str(i.address): name for name, have in ends.items() for i in have if i.address}
    return Plan(topology, plans, addresses, owners, any(part.subnet.version == 6 for part in parts))


def _routes(
    node: Node,
    hops: dict[tuple[int, str], int],
    parts: tuple[Segment, ...],
    prefixes: Prefixes,
) -> tuple[PlannedRoute, ...]:
    found: list[PlannedRoute] = []
    if node.kind == "host" and len(hops) == 1:
        via = gateway(parts, next(iter(hops)))
        everywhere: Subnet = IPv4Network("0.0.0.0/0") if via.version == 4 else IPv6Network("::/0")
        found.append(PlannedRoute(everywhere, via))
    else:
        for hop, subnets in hops.items():
            via = gateway(parts, hop)
            found += [PlannedRoute(network, via) for network in prefixes.cover(subnets)]
    if not node.routes:
        return tuple(found)
    by_destination = {line.destination: line for line in found}
    for route in node.routes:
        by_hand = _via(node, route, route.via, parts) if route.via is not None else None
        by_destination[route.destination] = PlannedRoute(route.destination, by_hand, route.kind)
    return tuple(by_destination.values())


def _via(node: Node, route: Route, via: str | Address, parts: tuple[Segment, ...]) -> Address:
    """The address of a next hop set by hand, which must be a neighbour's."""
    neighbours: list[str] = []
    for part in parts:
        if any(name == node.name for _, name in part.addresses):
            for (_, name), address in part.addresses.items():
                if name != node.name and via in (name, address):
                    return address
                neighbours += [name] if name != node.name else []
    offer = nearest(str(via), neighbours) or f"; its neighbours are {', '.join(neighbours)}"
    raise InputError(f"the route of {node.name} goes via {via}, which is no neighbour's name or address{offer}", route)
