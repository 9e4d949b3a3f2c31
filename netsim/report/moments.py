"""Everything that could be a row of a ladder, in time order, and the choice of what is one where that is too much.

Cheap on purpose: of a million events some hundred become rows, and only these are put into words.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from itertools import islice
from operator import attrgetter
from typing import Literal, NamedTuple

from netsim.analysis import Analysis
from netsim.analysis.index import identity
from netsim.analysis.paths import Hop
from netsim.model.endpoint import Endpoint
from netsim.model.event import Arp, Call, Drop, Fault, Icmp, Kernel, Packet, ProcessEnd, Tcp
from netsim.model.result import Errno, TimedOut
from netsim.report import words

ONE_GO_NS = 1_000_000
"""What a kernel says and does within this belongs together."""

_TOLD_BY_OTHERS = frozenset({"SOCKET_CLOSE", "QUEUE_PURGE", "TCP_RESET", "OTHERHOST"})
"""Reasons of drops that are no news: of what a socket still held when it ended, of the RST that ended it, and of what
a switch sent to everybody (enum skb_drop_reason)."""


class Moment(NamedTuple):
    """Something that happened, with its event."""

    time_ns: int
    rank: Literal[0, 1, 2]
    """How much would be missed without it: a RST has 2."""
    event: int
    what: Hop | Call | Kernel | Drop | ProcessEnd | Fault
    part: Literal["whole", "begin", "end"] = "whole"
    """Of a call; one that something happened during has two moments."""


def moments(analysis: Analysis) -> list[Moment]:
    """Everything that a ladder can show, in time order."""
    hops = [
        Moment(hop.packet.time_ns, _rank(hop), hop.index, hop)
        for hop in analysis.packets.hops
        if not hop.overheard and is_drawn(hop.packet)
    ]
    found = hops + list(_others(analysis))
    calls = analysis.index.calls
    times = [moment.time_ns for moment in found]
    times += [time_ns for _, call in calls for time_ns in (call.time_ns, call.end_ns)]
    times.sort()
    for index, call in calls:
        found += _of_call(index, call, times)
    found.sort(key=attrgetter("time_ns"))
    return found


_HOUSEKEEPING = frozenset({130, 131, 132, 133, 134, 135, 136, 137, 143})
"""Types of ICMPv6: multicast listener discovery (RFC 3810) and neighbour discovery (RFC 4861)."""


def is_drawn(found: Packet | Drop) -> bool:
    """Tell whether a packet is more than a machine's search for its neighbours."""
    segment = found.segment
    if isinstance(segment, Icmp):
        return segment.kind not in _HOUSEKEEPING or ":" not in found.src.address
    return not isinstance(segment, Arp)


def _rank(hop: Hop) -> Literal[0, 1, 2]:
    segment = hop.packet.segment
    if isinstance(segment, Icmp) or (isinstance(segment, Tcp) and "R" in segment.flags):
        return 2
    return 1 if hop.lost else 0


def _of_call(index: int, call: Call, times: list[int]) -> Iterator[Moment]:
    rank: Literal[0, 2] = 2 if isinstance(call.result, Errno | TimedOut) else 0
    between = bisect_left(times, call.end_ns) - bisect_right(times, call.time_ns)
    if between <= 0 or call.result is None:
        yield Moment(call.time_ns, rank, index, call)
    else:
        yield Moment(call.time_ns, 0, index, call, "begin")
        yield Moment(call.end_ns, rank, index, call, "end")


def _others(analysis: Analysis) -> Iterator[Moment]:
    """What is neither a packet nor a call."""
    told = _Told(analysis) if analysis.index.drops else None
    for index, event in enumerate(analysis.timeline.events):
        match event:
            case Packet() | Call():
                pass
            case Kernel() if words.kernel(event):
                yield Moment(event.time_ns, 0, index, event)
            case ProcessEnd() | Fault():
                yield Moment(event.time_ns, 2, index, event)
            case Drop() if told and told.is_news(event):
                yield Moment(event.time_ns, 1, index, event)


class _Told:
    """What other rows say of dropped packets: where one was answered by a RST or an ICMP error, or lost on a cable."""

    def __init__(self, analysis: Analysis) -> None:
        self._answered: dict[tuple[str, Endpoint, Endpoint], list[int]] = {}
        self._said: dict[tuple[str, Endpoint, Endpoint, str], list[int]] = {}
        self._lost: set[tuple[object, ...]] = set()
        for (node, event, own, other), told in analysis.index.kernel.items():
            if event == "tcp_send_reset":
                for _, kernel in told:
                    self._said.setdefault((node, other, own, kernel.reason), []).append(kernel.time_ns)
        for hop in analysis.packets.hops:
            packet, segment = hop.packet, hop.packet.segment
            if isinstance(segment, Tcp) and "R" in segment.flags:
                self._answered.setdefault((hop.sender, packet.dst, packet.src), []).append(packet.time_ns)
            elif isinstance(segment, Icmp) and segment.quoted_src and segment.quoted_dst:
                about = (hop.sender, segment.quoted_src, segment.quoted_dst)
                self._answered.setdefault(about, []).append(packet.time_ns)
            if hop.lost:
                self._lost.add(identity(hop.receiver, packet))

    def is_news(self, drop: Drop) -> bool:
        """Tell whether a drop says anything that no other row does."""
        if drop.reason in _TOLD_BY_OTHERS or not is_drawn(drop) or identity(drop.node, drop) in self._lost:
            return False
        where = (drop.node, drop.src, drop.dst)
        told = (self._answered.get(where, []), self._said.get((*where, drop.reason), []))
        return not any(_near(times, drop.time_ns) for times in told)


def _near(times: list[int], time_ns: int) -> bool:
    """Is there one of these, which are in order, at about that time?"""
    place = bisect_left(times, time_ns - ONE_GO_NS)
    return place < len(times) and times[place] <= time_ns + ONE_GO_NS


def chosen(found: list[Moment], limit: int) -> list[range]:
    """Choose about `limit` of them, as runs: the beginning, the end, and what matters most in between."""
    if len(found) <= limit:
        return [range(len(found))]
    head = tail = limit // 3
    middle = range(head, len(found) - tail)
    kept: list[int] = []
    for rank in (2, 1):
        kept += islice((i for i in middle if found[i].rank == rank), limit - head - tail - len(kept))
    return _runs([*range(head), *sorted(kept), *range(len(found) - tail, len(found))])


def _runs(places: list[int]) -> list[range]:
    runs: list[range] = []
    for place in places:
        if runs and runs[-1].stop == place:
            runs[-1] = range(runs[-1].start, place + 1)
        else:
            runs.append(range(place, place + 1))
    return runs
