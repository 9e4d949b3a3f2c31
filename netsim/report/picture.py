"""A network's picture: what is joined to what, what was set by hand on each machine, and what is broken."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from netsim.analysis.outages import Outages
from netsim.model.firewall import usual_chain
from netsim.model.network import Network
from netsim.model.plan import Interface


@dataclass(frozen=True, slots=True)
class Remark:
    """Something that was set on a machine by hand."""

    about: Literal["rule", "sysctl", "route"]
    text: str


@dataclass(frozen=True, slots=True)
class Cable:
    """A link, as seen from one of its ends."""

    link: str
    near: Interface
    far: Interface
    to: str
    cut_to: tuple[str, ...]
    """The ends where nothing arrives."""


@dataclass(frozen=True, slots=True)
class Machine:
    """A node with its cables, in the order in which they were written."""

    name: str
    kind: str
    off: bool
    cables: tuple[Cable, ...]
    remarks: tuple[Remark, ...]


@dataclass(frozen=True, slots=True)
class Cluster:
    """Machines that hang together, from the first one written.

    Of a chain they come one after the other as they are joined, from the end written first.
    """

    machines: tuple[Machine, ...]
    is_chain: bool


@dataclass(frozen=True, slots=True)
class Picture:
    clusters: tuple[Cluster, ...]


def picture_of(network: Network, outages: Outages | None = None) -> Picture:
    """Lay a network open; `outages` say what of it is broken in the end."""
    cuts = outages.cuts if outages else {}
    cut = {end for end, spans in cuts.items() if spans and spans[-1].ended is None}
    off = {name for name, spans in (outages.off if outages else {}).items() if spans and spans[-1].ended is None}
    ends = {(near.link, name): near for name, plan in network.nodes.items() for near in plan.interfaces}
    ids = tuple(network.links)
    machines = {}
    for name, plan in network.nodes.items():
        cables = [(ids[near.link], near, ends[near.link, near.peer]) for near in plan.interfaces]
        machines[name] = Machine(
            name,
            plan.node.kind,
            name in off,
            tuple(
                Cable(link, near, far, near.peer, tuple(end for end in network.links[link] if (link, end) in cut))
                for link, near, far in cables
            ),
            tuple(_remarks(network, name)),
        )
    return Picture(tuple(_cluster(group) for group in _groups(machines)))


def _remarks(network: Network, name: str) -> Iterator[Remark]:
    node = network.node(name)
    counted: dict[str, int] = {}
    for rule in node.firewall:
        chain = rule.chain or usual_chain(node.kind)
        counted[chain] = counted.get(chain, 0) + 1
        yield Remark("rule", f"{chain} rule {counted[chain]}: {rule.body}")
    for key, value in node.sysctls.items():
        yield Remark("sysctl", f"{key.removeprefix('net.ipv4.')} = {value}")
    for route in node.routes:
        way = f"via {route.via}" if route.via is not None else route.kind
        yield Remark("route", f"route to {route.destination} {way}")


def _groups(machines: dict[str, Machine]) -> Iterator[list[Machine]]:
    """The machines that hang together."""
    order = {name: i for i, name in enumerate(machines)}
    seen: set[str] = set()
    for first in machines:
        if first in seen:
            continue
        group, todo = [], [first]
        seen.add(first)
        while todo:
            name = todo.pop()
            group.append(name)
            fresh = [cable.to for cable in machines[name].cables if cable.to not in seen]
            seen.update(fresh)
            todo += dict.fromkeys(fresh)
        yield [machines[name] for name in sorted(group, key=order.__getitem__)]


def _cluster(group: list[Machine]) -> Cluster:
    chain = _chain(group)
    return Cluster(tuple(chain or group), chain is not None)


def _chain(group: list[Machine]) -> list[Machine] | None:
    """The machines one after the other, if that is how they are joined."""
    degrees = [len(machine.cables) for machine in group]
    if max(degrees) > 2 or sum(degrees) != 2 * (len(group) - 1):
        return None
    by_name = {machine.name: machine for machine in group}
    order = [next(machine for machine in group if len(machine.cables) < 2)]
    while len(order) < len(group):
        before = {machine.name for machine in order[-2:]}
        order.append(next(by_name[cable.to] for cable in order[-1].cables if cable.to not in before))
    return order
