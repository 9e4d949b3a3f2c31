"""Which RSTs a machine's TCP took in, by what its kernel says."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping

from netsim.analysis.connections import Connection, distance
from netsim.analysis.index import TimelineIndex
from netsim.analysis.paths import Hop, PacketPath
from netsim.model.endpoint import Endpoint
from netsim.model.network import Network

SAME_NS = 50_000_000
"""A tracepoint and the packet that it is about: microseconds apart, but a busy machine may stop in between."""
SKEW_NS = 20_000
"""The clocks of packets and of tracepoints agree to some microseconds."""


def find_received(
    index: TimelineIndex, paths: Iterable[PacketPath], connection_of: Mapping[int, Connection], network: Network
) -> dict[tuple[int, str], int]:
    """Give each tcp_receive_reset the RST that had come just before, one for one.

    A RST whose number is not the very next one changes nothing and is not told (RFC 5961, 3.2): of those that had
    come, the one that was taken is the first whose number was right.
    """
    arrivals: dict[tuple[str, Endpoint, Endpoint], list[tuple[Hop, PacketPath]]] = {}
    for path in paths:
        if "R" in path.tcp.flags:
            for node, hop in _arrivals(path, network):
                arrivals.setdefault((node, path.dst, path.src), []).append((hop, path))
    found: dict[tuple[int, str], int] = {}
    for (node, event, own, other), events in index.kernel.items():
        came = arrivals.get((node, own, other), []) if event == "tcp_receive_reset" else []
        came.sort(key=lambda one: one[0].time_ns)
        for place, told in events if came else ():
            first = bisect_right(came, told.time_ns - SAME_NS, key=lambda one: one[0].time_ns)
            last = bisect_left(came, told.time_ns + SKEW_NS, key=lambda one: one[0].time_ns)
            near = [one for one in came[first:last] if (one[1].number, node) not in found]
            right = [one for one in near if is_next(connection_of[one[1].number], one[1])]
            taken = right[0] if right else near[-1] if near else None
            if taken is not None:
                found[taken[1].number, node] = place
    return found


def _arrivals(path: PacketPath, network: Network) -> list[tuple[str, Hop]]:
    """Where a RST came to; where nobody watched that, it is taken to have come soon after it was seen last."""
    seen = [(hop.receiver, hop) for hop in path.hops if hop.got]
    target = network.owner(path.dst.address)
    unseen = target is not None and all(node != target for node, _ in seen) and not path.last().lost
    return [*seen, (target, path.last())] if unseen and target is not None else seen


def is_next(connection: Connection, rst: PacketPath) -> bool:
    """Has a RST the number that its target expects next, or lacks it only what is on its way?"""
    own, peer = connection.side(rst.dst), connection.side(rst.src)
    sent = [path.tcp for path in own.before(rst.time_ns) if "R" not in path.tcp.flags]
    acked = [tcp.ack for tcp in sent if "A" in tcp.flags]
    if not acked:  # SYN_SENT: only what acknowledges the SYN counts, or the data that it had with it too
        isn = own.isn
        if isn is None or "A" not in rst.tcp.flags:
            return False
        return 1 <= distance(isn, rst.tcp.ack) <= max(distance(isn, tcp.end) for tcp in sent)
    behind = distance(acked[-1], rst.tcp.seq)
    return 0 <= behind <= max(0, peer.top - distance(peer.first or 0, acked[-1]))
