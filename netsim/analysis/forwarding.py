"""What becomes of a packet by what is known of the network: routes, filters, cuts and power at each moment.

It stands in where nobody watched, and says whether what was seen is what must have come. Linux's order: a packet of
a node's own passes routing and then OUTPUT; one that comes passes INPUT where the node has its address, else
routing, the TTL and FORWARD (ip_rcv(), ip_forward(), __ip_local_out()).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from netsim.analysis.filters import Filters, Placed
from netsim.analysis.outages import Outages, Span
from netsim.model.event import Packet
from netsim.model.firewall import Chain
from netsim.model.network import DEFAULT_TTL, Network, Way, way_to

_HOPS_MAX = 64

End = Literal["delivered", "rejected", "dropped", "cut", "off", "no-route", "expired", "unsure"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """Where a packet ends, and by what."""

    end: End
    node: str
    """Where it ends: the node that it came to, or that stopped it, or the far end of the cable that lost it."""
    rule: Placed | None = None
    """The rule that stopped it; of `unsure`, one that would have, but never has."""
    chain: str = ""
    link: str | None = None
    span: Span | None = None
    """The cut or the power loss."""
    way: Way | None = None
    """Of `no-route`: what the routes said."""
    came_by: tuple[str, ...] = ()
    """The nodes that it passed, its first included."""


@dataclass(slots=True)
class Forwarder:
    """The network at every moment of a timeline."""

    network: Network
    filters: Filters
    outages: Outages
    sysctls: dict[str, list[tuple[int, str, str]]] = field(default_factory=dict)
    """By node: when a sysctl was changed, which, and to what."""

    def from_node(self, node: str, packet: Packet, time_ns: int) -> Outcome:
        """Follow a packet that a node sends itself."""
        if self.outages.is_off(node, time_ns):
            return Outcome("off", node)
        way = way_to(self.network, node, packet.dst.address)
        if way.kind not in {"unicast", "local"}:
            return Outcome("no-route", node, way=way)
        stopped = self._filter(node, "output", packet, time_ns)
        if stopped is not None:
            return stopped
        return (
            self._deliver(node, packet, time_ns) if way.kind == "local" else self._send(node, way, packet, time_ns, ())
        )

    def arriving(self, node: str, packet: Packet, time_ns: int, passed: tuple[str, ...] = ()) -> Outcome:
        """Follow a packet that has come to a node over a link."""
        if self.outages.is_off(node, time_ns):
            return Outcome("off", node, span=self.outages.power_loss(node, time_ns), came_by=passed)
        if node in self.network.nodes and self._may_distrust(node, packet, time_ns):
            return Outcome("unsure", node, came_by=passed)
        if node in self.network.nodes and way_to(self.network, node, packet.dst.address).kind == "local":
            return self._deliver(node, packet, time_ns, passed)
        if self.network.kind(node) == "switch" or not self._forwards(node, time_ns):
            return Outcome("unsure", node, came_by=passed)
        way = way_to(self.network, node, packet.dst.address)
        if way.kind != "unicast":
            return Outcome("no-route", node, way=way, came_by=passed)
        if packet.ttl and packet.ttl - passed_routers(self.network, passed) <= 1:
            return Outcome("expired", node, came_by=passed)
        return self._filter(node, "forward", packet, time_ns, passed) or self._send(node, way, packet, time_ns, passed)

    def _forwards(self, node: str, time_ns: int) -> bool:
        """Does a node surely send on what is not for itself? Settings of single interfaces may forbid it."""
        keys = {*self.network.node(node).sysctls, *(key for _, key, _ in self.sysctls.get(node, ()))}
        if any(key.startswith("net.ipv4.conf.") for key in keys):
            return False
        setting = self.sysctl(node, "net.ipv4.ip_forward", time_ns)
        return self.network.kind(node) == "router" if setting is None else setting.strip() != "0"

    def _may_distrust(self, node: str, packet: Packet, time_ns: int) -> bool:
        """May a node drop a packet for its source (rp_filter), as its own way there is, or may be, another one?"""
        keys = {*self.network.node(node).sysctls, *(key for _, key, _ in self.sysctls.get(node, ()))}
        filters = [key for key in keys if key.endswith(".rp_filter") and self.sysctl(node, key, time_ns) != "0"]
        if not filters:
            return False
        back = way_to(self.network, node, packet.src.address)
        return back.kind not in {"unicast", "local"} or len(self.network.ends(node)) > 1

    def stays(self) -> frozenset[str]:
        """The nodes that surely never send on what is not for themselves: hosts that nothing was set on."""
        set_on = {node: {key for _, key, _ in changes} for node, changes in self.sysctls.items()}
        return frozenset(
            name
            for name, plan in self.network.nodes.items()
            if plan.node.kind == "host"
            and not any("forward" in key for key in {*plan.node.sysctls, *set_on.get(name, ())})
        )

    def leaving(self, node: str, link: str, packet: Packet, time_ns: int) -> Outcome:
        """Follow a packet that a node has let through and is putting on a link.

        Where a switch sends it, nothing tells which machine on that link it is for, but that it has its address.
        """
        towards = self.network.other_end(link, node)
        if self.network.kind(node) == "switch":
            if self.network.owner(packet.dst.address) != towards:
                return Outcome("unsure", towards, link=link)
            return self.lost_on(link, towards, time_ns) or self.arriving(towards, packet, time_ns)
        way = way_to(self.network, node, packet.dst.address)
        if way.kind != "unicast" or way.link != link:
            return Outcome("unsure", node, link=link)
        return self._send(node, way, packet, time_ns, ())

    def _deliver(self, node: str, packet: Packet, time_ns: int, passed: tuple[str, ...] = ()) -> Outcome:
        return self._filter(node, "input", packet, time_ns, passed) or Outcome(
            "delivered", node, came_by=(*passed, node)
        )

    def _send(self, node: str, way: Way, packet: Packet, time_ns: int, passed: tuple[str, ...]) -> Outcome:
        """Over the link to the next hop, and through any switches on the way there."""
        passed = (*passed, node)
        owner = self.network.owner(way.next_hop or "")
        if owner is None or way.link is None or len(passed) > _HOPS_MAX:
            return Outcome("unsure", node, link=way.link, came_by=passed)
        for link, towards in self._segment(way.link, node, owner):
            lost = self.lost_on(link, towards, time_ns, passed)
            if lost is not None:
                return lost
        return self.arriving(owner, packet, time_ns, passed)

    def lost_on(self, link: str, towards: str, time_ns: int, passed: tuple[str, ...] = ()) -> Outcome | None:
        """What keeps a link's packets from one of its ends."""
        cut = self.outages.cut(link, towards, time_ns)
        if cut is not None:
            return Outcome("cut", towards, link=link, span=cut, came_by=passed)
        off = self.outages.power_loss(towards, time_ns)
        return Outcome("off", towards, link=link, span=off, came_by=passed) if off is not None else None

    def _segment(self, link: str, node: str, target: str) -> list[tuple[str, str]]:
        """The links from a node to a neighbour, switches between them: (link, its far end)."""
        todo: list[list[tuple[str, str]]] = [[(link, self.network.other_end(link, node))]]
        seen = {node}
        while todo:
            way = todo.pop(0)
            at = way[-1][1]
            if at == target:
                return way
            if at in seen or self.network.kind(at) != "switch":
                continue
            seen.add(at)
            todo += [
                [*way, (more, self.network.other_end(more, at))] for more in self.network.ends(at) if more != way[-1][0]
            ]
        return []

    def _filter(
        self, node: str, chain: Chain, packet: Packet, time_ns: int, passed: tuple[str, ...] = ()
    ) -> Outcome | None:
        judged = self.filters.judge(node, chain, packet, time_ns)
        if not judged.certain:
            return Outcome("unsure", node, judged.placed, chain.upper(), came_by=passed)
        if judged.action == "accept":
            return None
        end: End = "rejected" if judged.action == "reject" else "dropped"
        return Outcome(end, node, judged.placed, chain.upper(), came_by=passed)

    def sysctl(self, node: str, key: str, time_ns: int) -> str | None:
        """A sysctl's value at a moment, where the file or a step has set it; after a boot it is the file's."""
        value = self.network.node(node).sysctls.get(key) if node in self.network.nodes else None
        booted = self.outages.booted(node, time_ns)
        for when_ns, name, new in self.sysctls.get(node, ()):
            if name == key and booted <= when_ns <= time_ns:
                value = new
        return value

    def first_ttl(self, node: str, time_ns: int) -> int:
        """The TTL of what a node sends itself (net.ipv4.ip_default_ttl)."""
        value = self.sysctl(node, "net.ipv4.ip_default_ttl", time_ns)
        return int(value) if value is not None and value.strip().isdigit() else DEFAULT_TTL


def passed_routers(network: Network, passed: tuple[str, ...]) -> int:
    """How many of these nodes have taken one off the TTL: all but the first, which made the packet."""
    return sum(network.kind(node) != "switch" for node in passed[1:])
