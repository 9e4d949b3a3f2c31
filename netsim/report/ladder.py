"""The ladder diagram's content: which nodes have a lifeline, from left to right, and the rows from top to bottom."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise

from netsim.analysis import Analysis
from netsim.analysis.connections import Connection
from netsim.analysis.paths import Hop, PacketPath
from netsim.model.event import Call, Drop, Fault, Kernel, ProcessEnd, Tcp
from netsim.model.network import Network
from netsim.model.result import Result
from netsim.model.timeline import Timeline
from netsim.report import words
from netsim.report.moments import ONE_GO_NS, Moment, chosen, is_drawn, moments
from netsim.report.outcomes import begun_steps
from netsim.report.rows import CallRow, DropRow, EndRow, FaultRow, KernelRow, LeftOutRow, PacketRow, PauseRow, Row

ROWS_MAX = 200

GAP_NS = 500_000_000
"""A silence that is worth a row of its own."""


@dataclass(frozen=True, slots=True)
class Ladder:
    """A lifeline for each node that takes part, and time running down."""

    lifelines: tuple[str, ...]
    rows: tuple[Row, ...]
    not_drawn: tuple[tuple[str, int], ...] = ()
    """Frames of these kinds are only counted: how often they were seen."""


def ladder_of(analysis: Analysis, limit: int = ROWS_MAX) -> Ladder:
    """Put a timeline into about `limit` rows."""
    found = moments(analysis)
    runs = chosen(found, limit)
    writer = _Writer(analysis, [found[i] for run in runs for i in run])
    rows: list[Row] = []
    for run, following in pairwise([*runs, range(len(found), len(found))]):
        rows += _with_pauses(_in_one_go(writer.row(found[i]) for i in run))
        if following.start > run.stop:
            rows.append(LeftOutRow(found[run.stop - 1].time_ns, following.start - run.stop))
    packets = [row for row in rows if isinstance(row, PacketRow)]
    order = lifelines(analysis.network, [(row.src.host, row.dst.host) for row in packets], _nodes(rows))
    return Ladder(tuple(order), tuple(rows), tuple(_not_drawn(analysis)))


def _not_drawn(analysis: Analysis) -> Iterator[tuple[str, int]]:
    arps = sum(map(len, analysis.index.arps.values()))
    over_ipv6 = sum(not is_drawn(packet) for _, packet in analysis.index.icmps)
    counted = (("ARP", arps), ("neighbour and listener discovery", over_ipv6))
    yield from ((kind, count) for kind, count in counted if count)


class _Writer:
    """Turns moments into rows; of packets it knows the connection that each belongs to."""

    def __init__(self, analysis: Analysis, shown: list[Moment]) -> None:
        self._network = analysis.network
        hops = {moment.event for moment in shown if isinstance(moment.what, Hop)}
        self._paths: dict[int, tuple[PacketPath, Connection]] = {
            hop.index: (path, analysis.connection_of[path.number])
            for path in analysis.tcp
            for hop in path.hops
            if hop.index in hops
        }
        """By a hop's event."""
        self._expected = _missed_results(analysis.timeline)

    def row(self, moment: Moment) -> Row:
        what, index = moment.what, moment.event
        match what:
            case Hop():
                return self._packet(what)
            case Call():
                return self._call(moment, what)
            case ProcessEnd():
                return EndRow(what.time_ns, index, what.node, what.process, what.outcome)
            case Kernel():
                return KernelRow(what.time_ns, (index,), what.node, (words.kernel(what),))
            case Drop():
                packet = words.packet(self._network, what.src, what.dst, what.segment)
                return DropRow(what.time_ns, index, what.node, packet, what.reason)
            case Fault():
                return FaultRow(what.time_ns, index, what.node, what.action, words.fault(what))

    def _packet(self, hop: Hop) -> PacketRow:
        packet = hop.packet
        seq, ack = None, None
        if isinstance(packet.segment, Tcp):
            path, connection = self._paths[hop.index]
            seq, ack = connection.relative(path)
            ack = ack if "A" in packet.segment.flags else None
        return PacketRow(
            packet.time_ns, hop.index, hop.sender, hop.receiver,
            words.end(self._network, packet.src), words.end(self._network, packet.dst),
            packet.segment, seq, ack, packet.ttl, words.remark(self._network, packet.src, packet.segment),
            hop.lost, hop.resent,
        )  # fmt: skip

    def _call(self, moment: Moment, call: Call) -> CallRow:
        what = call.name if moment.part == "end" else words.call(self._network, call)
        result: Result | None = None if moment.part == "begin" else call.result
        expected = self._expected.get((call.step, call.name)) if moment.part != "begin" else None
        took_ns = call.end_ns - call.time_ns
        return CallRow(
            moment.time_ns, moment.event, call.node, call.process, what, moment.part, result, took_ns, expected
        )


def _missed_results(timeline: Timeline) -> dict[tuple[int | None, str], Result]:
    """What was expected and did not come: by the step that makes the call, and the call's name."""
    late = {result.index for result in timeline.steps if not result.ok}
    begun = begun_steps(timeline.script)
    found: dict[tuple[int | None, str], Result] = {}
    for step in timeline.script:
        if step.index in late and step.expected is not None:
            made = begun.get(step.index, step)
            found |= {(index, made.verb.call): step.expected for index in (step.index, made.index)}
    return found


def _in_one_go(rows: Iterable[Row]) -> Iterator[Row]:
    """Put what one kernel says in one go on one row."""
    held: KernelRow | None = None
    for row in rows:
        if held is not None:
            if isinstance(row, KernelRow) and row.node == held.node and row.time_ns - held.time_ns < ONE_GO_NS:
                held = replace(held, events=(*held.events, *row.events), said=(*held.said, *row.said))
                continue
            yield held
        held = row if isinstance(row, KernelRow) else None
        if held is None:
            yield row
    if held is not None:
        yield held


def _with_pauses(rows: Iterable[Row]) -> Iterator[Row]:
    last_ns = None
    for row in rows:
        if last_ns is not None and row.time_ns - last_ns >= GAP_NS:
            yield PauseRow(last_ns, row.time_ns - last_ns)
        last_ns = row.time_ns
        yield row


def _nodes(rows: Iterable[Row]) -> Iterator[str]:
    """The nodes that rows are drawn at."""
    for row in rows:
        match row:
            case PacketRow():
                yield from (row.sender, row.receiver)
            case CallRow() | EndRow() | KernelRow() | DropRow():
                yield row.node


def lifelines(network: Network, talks: Iterable[tuple[str, str]], active: Iterable[str]) -> list[str]:
    """Order the nodes that take part, from left to right, as a ladder reads best.

    `talks` are the ends of each conversation, who began it first; the first one's path gives the order, and the paths
    of the others are woven into it. Nodes on no such path follow.
    """
    neighbours: dict[str, list[str]] = {name: [] for name in network.nodes}
    for a, b in network.links.values():
        neighbours[a].append(b)
        neighbours[b].append(a)
    order: list[str] = []
    for source, destination in dict.fromkeys(talks):
        order = _weave(order, _path(neighbours, source, destination))
    return order + [name for name in dict.fromkeys(active) if name not in order]


def _path(neighbours: Mapping[str, list[str]], source: str, destination: str) -> list[str]:
    """The shortest way along the links, both ends included; empty where there is none."""
    if source not in neighbours or destination not in neighbours:
        return []
    before = {source: source}
    todo = deque([source])
    while todo and destination not in before:
        at = todo.popleft()
        for near in neighbours[at]:
            if near not in before:
                before[near] = at
                todo.append(near)
    if destination not in before:
        return []
    path = [destination]
    while path[-1] != source:
        path.append(before[path[-1]])
    return path[::-1]


def _weave(order: list[str], path: list[str]) -> list[str]:
    """Put the nodes of a path that are new beside those that are known."""
    known = [order.index(name) for name in path if name in order]
    if known and known[0] > known[-1]:
        path.reverse()  # a conversation that was begun from the right
    woven = list(order)
    waiting: list[str] = []
    last = None
    for name in path:
        if name in woven:
            place = woven.index(name)
            woven[place:place] = waiting
            last, waiting = name, []
        else:
            waiting.append(name)
    place = len(woven) if last is None else woven.index(last) + 1
    woven[place:place] = waiting
    return woven
