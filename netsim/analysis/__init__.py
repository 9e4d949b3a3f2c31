"""What can be worked out from a timeline, once, for everybody: paths, connections, sockets, outages, filters.

Pure functions of a timeline: no lab, no root. A fact is worth what was watched, and so every "never" and "no" that
is built on this must ask for its taps and sources first.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from netsim.analysis.connections import Connection, find_connections
from netsim.analysis.filters import Filters, find_filters
from netsim.analysis.forwarding import Forwarder
from netsim.analysis.index import TimelineIndex, identity, index_events
from netsim.analysis.outages import Outages, find_outages
from netsim.analysis.paths import PacketPath, Paths, find_paths
from netsim.analysis.resets import SKEW_NS, find_received
from netsim.analysis.sockets import Socket, Sockets, find_sockets
from netsim.model.action import SetSysctl
from netsim.model.endpoint import Endpoint
from netsim.model.event import Drop, Fault, Icmp, Kernel, Packet, Tcp
from netsim.model.network import Network
from netsim.model.timeline import Timeline

_SOMAXCONN = 4096
"""net.core.somaxconn where nobody has set it."""
_HELD_NS = 5_000_000_000
"""A machine drops what it has taken in at once, or when ARP has had no answer, within 3 seconds."""

__all__ = ["Analysis", "analyse"]


@dataclass(frozen=True, slots=True)
class Analysis:
    """One timeline, worked out."""

    timeline: Timeline
    index: TimelineIndex
    outages: Outages
    packets: Paths
    tcp: tuple[PacketPath, ...]
    """The paths of TCP segments."""
    icmp: tuple[PacketPath, ...]
    """And those of ICMP messages."""
    connections: tuple[Connection, ...]
    connection_of: dict[int, Connection]
    """By a path's number."""
    sockets: Sockets
    filters: Filters
    forwarder: Forwarder

    received: dict[tuple[int, str], int]
    """Which tcp_receive_reset tells that a node's TCP took a RST in: its event, by the path's number and the node."""

    def said(self, node: str, event: str, connection: Connection, own: Endpoint) -> list[tuple[int, Kernel]]:
        """What the kernel of a node said of one connection of its end `own`, and of no other lifetime."""
        told = self.index.said(node, event, own, connection.other(own))
        return [(index, event) for index, event in told if connection.is_during(event.time_ns)]

    def dropped(self, node: str, packet: Packet, time_ns: int) -> tuple[int, Drop] | None:
        """What the kernel of a node said of dropping this very packet, which had come to it, or was sent, then."""
        told = self.index.drops.get(identity(node, packet), ())
        return next((one for one in told if -SKEW_NS <= one[1].time_ns - time_ns <= _HELD_NS), None)

    def queue_of(self, listener: Socket, time_ns: int) -> tuple[int, int]:
        """How many connections wait in a listener's accept queue, and its backlog, which somaxconn limits (listen(2)).

        The queue is full where the first is more than the second (sk_acceptq_is_full()).
        """
        listens = listener.listening_call(time_ns)
        limit = self.forwarder.sysctl(listener.node, "net.core.somaxconn", listens.time_ns) or ""
        backlog = min(getattr(listens.action, "backlog", 0), int(limit) if limit.isdigit() else _SOMAXCONN)
        deferred = listener.option("defer_accept", time_ns)
        if deferred is not None and deferred[1] not in {"0", "0s"}:
            return 0, backlog  # what waits there waits for data first (TCP_DEFER_ACCEPT): nobody knows
        return sum(self._waits(connection, listener, time_ns) for connection in self.connections), backlog

    def _waits(self, connection: Connection, listener: Socket, time_ns: int) -> bool:
        """Should a connection be in a listener's accept queue at a moment: established, and not yet accepted?"""
        own, end = listener.local, connection.server
        if own is None or not own.covers(end) or connection.machine(end, self.network) != listener.node:
            return False
        if not listener.since_ns <= connection.known_since(end) < time_ns:
            return False
        taken = self.sockets.at(connection, end)
        come = any(self._took(path, listener.node) for path in connection.completing(time_ns))
        return come and (taken is None or taken.born_ns > time_ns)

    def _took(self, path: PacketPath, node: str) -> bool:
        """Did a machine's filter let a packet in, as far as it came?"""
        hop = path.arrival(node)
        return hop is None or self.forwarder.arriving(node, path.packet, hop.time_ns).end not in {"dropped", "rejected"}

    @property
    def network(self) -> Network:
        return self.timeline.network


def analyse(timeline: Timeline) -> Analysis:
    """Work out everything that explain and report both need."""
    network = timeline.network
    index = index_events(timeline)
    outages = find_outages(index.faults, network)
    end_ns = max(timeline.lab_ns, timeline.events[-1].time_ns if timeline.events else 0)
    filters = find_filters(network, index.faults, index.rules, outages)
    forwarder = Forwarder(network, filters, outages, _changes(index.faults))
    taps = timeline.taps if not index.lost_any else frozenset()
    packets = find_paths(index.packets, network, taps, outages, end_ns, forwarder.stays())
    tcp = tuple(path for path in packets.paths if isinstance(path.packet.segment, Tcp))
    icmp = tuple(path for path in packets.paths if isinstance(path.packet.segment, Icmp))
    connections, connection_of = find_connections(tcp, network)
    sockets = find_sockets(index, connections, network, outages)
    return Analysis(
        timeline, index, outages, packets, tcp, icmp, tuple(connections), connection_of, sockets, filters, forwarder,
        find_received(index, tcp, connection_of, network),
    )  # fmt: skip


def _changes(faults: Iterable[tuple[int, Fault]]) -> dict[str, list[tuple[int, str, str]]]:
    """What steps set sysctls to, by node: when, which, and the value."""
    found: dict[str, list[tuple[int, str, str]]] = {}
    for _, fault in faults:
        if isinstance(fault.action, SetSysctl):
            found.setdefault(fault.node, []).append((fault.end_ns, fault.action.key, fault.action.value))
    return found
