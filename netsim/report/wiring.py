"""A plan as a picture needs it: what is connected to what, and what is to be said of each node."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from netsim.model.plan import Interface, NodePlan, Plan


@dataclass(frozen=True, slots=True)
class Cable:
    """A link, as seen from one of its ends."""

    link: int
    near: Interface
    far: Interface
    to: str
    cut: bool


class Wiring:
    """The nodes of a plan with their cables, in the order in which they were written."""

    def __init__(self, plan: Plan, cut: frozenset[str], off: frozenset[str]) -> None:
        self.nodes: dict[str, NodePlan] = {node.node.name: node for node in plan.nodes}
        self.off = off
        self._order = {name: i for i, name in enumerate(self.nodes)}
        ends = {(i.link, name): i for name, node in self.nodes.items() for i in node.interfaces}
        names = [link.name for link in plan.topology.links]
        self.cables: dict[str, list[Cable]] = {
            name: [
                Cable(near.link, near, ends[near.link, near.peer], near.peer, names[near.link] in cut)
                for near in node.interfaces
            ]
            for name, node in self.nodes.items()
        }

    def kind(self, name: str) -> str:
        return "off" if name in self.off else self.nodes[name].node.kind

    def remarks(self, name: str) -> Iterator[tuple[str, str]]:
        """What was set on a node by hand, with the style to say it in: firewall rules, sysctls, routes."""
        node = self.nodes[name].node
        counted: dict[str, int] = {}
        for rule in node.firewall:
            chain = rule.chain or ("forward" if node.kind == "router" else "input")
            counted[chain] = counted.get(chain, 0) + 1
            text = (rule.text or rule.action).removeprefix(f"{chain} ")
            yield f"{chain} rule {counted[chain]}: {text}", "yellow"
        for key, value in node.sysctls.items():
            yield f"{key.removeprefix('net.ipv4.')} = {value}", "dim"
        for route in node.routes:
            way = f"via {route.via}" if route.via is not None else route.kind
            yield f"route to {route.destination} {way}", "dim"

    def components(self) -> Iterator[list[str]]:
        """The nodes that hang together, each group from the first one written."""
        seen: set[str] = set()
        for first in self.nodes:
            if first in seen:
                continue
            group, todo = [], [first]
            seen.add(first)
            while todo:
                name = todo.pop()
                group.append(name)
                fresh = [cable.to for cable in self.cables[name] if cable.to not in seen]
                seen.update(fresh)
                todo += dict.fromkeys(fresh)
            yield sorted(group, key=self._order.__getitem__)

    def chain(self, names: list[str]) -> list[str] | None:
        """The nodes one after the other, if that is how they are linked, from the end written first."""
        degrees = {name: len(self.cables[name]) for name in names}
        if max(degrees.values()) > 2 or sum(degrees.values()) != 2 * (len(names) - 1):
            return None
        order = [next(name for name in names if degrees[name] < 2)]
        while len(order) < len(names):
            onward = [cable.to for cable in self.cables[order[-1]] if cable.to not in order[-2:]]
            order.append(onward[0])
        return order
