"""Who made each RST, and with which part of it: its TCP, its packet filter, or a program that writes packets itself."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from dataclasses import replace

from netsim.analysis import Analysis
from netsim.analysis.connections import Connection
from netsim.analysis.filters import Placed
from netsim.analysis.forwarding import Outcome, passed_routers
from netsim.analysis.paths import Hop, PacketPath
from netsim.analysis.resets import SAME_NS
from netsim.analysis.sockets import WRITES
from netsim.explain.rst import SLACK_NS, Part, Rst, Shape, answers
from netsim.explain.words import Words
from netsim.model.endpoint import Endpoint
from netsim.model.event import Kernel, Packet

_LOOK_BACK = 64
"""A RST answers one of the last segments of the other direction."""


def find_rsts(a: Analysis, words: Words) -> Iterable[Rst]:
    """Every RST of a timeline in time order, with its maker."""
    paths = [path for path in a.tcp if "R" in path.tcp.flags]
    said = _match_kernel(a, paths)
    made_by: dict[Placed, int] = {}
    for path in paths:
        rst = _with_maker(_look(a, words, path, said.get(path.number)))
        if rst.rule is not None:
            made_by[rst.rule] = made_by.get(rst.rule, 0) + 1
            rst = replace(rst, counted=made_by[rst.rule])
        yield rst


def _look(a: Analysis, words: Words, path: PacketPath, said: tuple[int, Kernel] | None) -> Rst:
    connection = a.connection_of[path.number]
    trigger = _trigger(connection, path)
    tcp = path.tcp
    shape: Shape = "unmatched"
    if "A" in tcp.flags and tcp.seq:
        shape = "active"
    elif trigger is not None:
        shape = "answers-syn" if "S" in trigger.tcp.flags and "A" not in trigger.tcp.flags else "answers"
    claimed = path.packet.node if path.packet.link is None else a.network.owner(path.src.address)
    if path.packet.link is None and not path.src.address.startswith("127."):
        claimed = a.network.owner(path.src.address)
    return Rst(a, words, path, connection, claimed, trigger, shape, said)


def _trigger(connection: Connection, path: PacketPath) -> PacketPath | None:
    """The last segment of the other direction whose numbers the RST has."""
    for other in reversed(connection.side(path.dst).before(path.time_ns)[-_LOOK_BACK:]):
        if "R" not in other.tcp.flags and answers(path.tcp, other.tcp):
            return other
    return None


def _match_kernel(a: Analysis, paths: list[PacketPath]) -> dict[int, tuple[int, Kernel]]:
    """Which tcp_send_reset is about which RST, one for one: by their ends, by the numbers, and by time."""
    found: dict[int, tuple[int, Kernel]] = {}
    by_ends: dict[tuple[Endpoint, Endpoint], list[PacketPath]] = {}
    for path in paths:
        by_ends.setdefault((path.src, path.dst), []).append(path)
    for (node, event, own, other), events in a.index.kernel.items():
        if event != "tcp_send_reset":
            continue
        free = [path for path in by_ends.get((own, other), ()) if path.maker in {node, None}]
        times = [path.time_ns for path in free]
        late = []
        for index, told in events:
            around = free[bisect_left(times, told.time_ns - SAME_NS) : bisect_right(times, told.time_ns + SAME_NS)]
            near = [path for path in around if path.number not in found and _is_about(told, path)]
            if near:
                nearest = min(near, key=lambda path: abs(path.time_ns - told.time_ns))
                found[nearest.number] = (index, told)
            else:
                late.append((index, told))
        for index, told in late:  # a packet that waits for ARP leaves later
            after = free[bisect_right(times, told.time_ns) :]
            later = (path for path in after if path.number not in found)
            waited = next((path for path in later if _is_about(told, path)), None)
            if waited is not None:
                found[waited.number] = (index, told)
    return found


def _is_about(told: Kernel, path: PacketPath) -> bool:
    return told.answers is None or answers(path.tcp, told.answers)


def _with_maker(rst: Rst) -> Rst:
    """Say who made it, and with what, where that is certain."""
    seen = rst.path.maker
    if seen != rst.claimed and rst.connection.syn is None and rst.path.packet.link is not None:
        seen = None  # the capture began when it was on its way already, for all that is known
    if rst.said is not None and seen in {None, rst.said[1].node}:
        return replace(rst, maker=rst.said[1].node, part="tcp")
    if seen is None:
        return rst if rst.a.index.may_forge() else _inferred(rst)
    rule = _by_filter(rst, seen)
    if (rule is not None and _may_be_forged(rst, rule)) or (rule is None and _filter_is_unsure(rst, seen)):
        return replace(rst, maker=seen)
    if rule is not None:
        return replace(rst, maker=seen, part="filter", rule=rule)
    return replace(rst, maker=seen, part=_tcp_or_other(rst, seen))


def _tcp_or_other(rst: Rst, node: str) -> Part | None:
    """No rule of its made it: was it its TCP, or a program with a raw socket?"""
    if rst.a.said(node, "tcp_send_reset", rst.connection, rst.source) and rst.said is None:
        return None  # its TCP did send one; which, is not certain
    if node != rst.claimed or rst.a.index.tells_every_reset:  # its TCP would have been traced
        return "other"
    grew = rst.a.index.grew(node, "TcpOutRsts")
    if grew is not None and grew[0] == 0:
        return "other"
    return None if rst.a.index.may_forge(node) else "tcp"


def _by_filter(rst: Rst, node: str) -> Placed | None:
    """The rule of a node's packet filter that surely answered what the RST answers; None where there is none."""
    outcome = _judged(rst, node)
    if outcome is None or outcome.node != node or outcome.end != "rejected" or outcome.rule is None:
        return None
    return outcome.rule if outcome.rule.rule.answers_with == "tcp-reset" else None


def _may_be_forged(rst: Rst, rule: Placed) -> bool:
    """May a program have written it although a rule would have? Where nobody saw, or made, what it answers."""
    unseen = rst.trigger is None or rule.chain == "OUTPUT"  # what OUTPUT rejects is on no link
    return unseen and rst.a.index.may_forge(rule.node) and not _answers_a_call(rst)


def _answers_a_call(rst: Rst) -> bool:
    """Was the program at its target just sending something that it can be the answer to?"""
    socket = rst.a.sockets.at(rst.connection, rst.target)
    calls = [call for _, call in socket.calls if call.name in {"connect", *WRITES}] if socket else []
    return any(call.time_ns - SLACK_NS <= rst.time_ns <= call.end_ns + SLACK_NS for call in calls)


def _filter_is_unsure(rst: Rst, node: str) -> bool:
    if rst.shape == "unmatched":  # nobody saw what it answers; would a rule here have answered that?
        answered = rst.a.forwarder.arriving(node, unsent(rst, node), rst.time_ns)
        return answered.node == node and (answered.end == "rejected" or _is_unsure(answered))
    outcome = _judged(rst, node)
    return outcome is not None and outcome.node == node and _is_unsure(outcome)


def _is_unsure(outcome: Outcome) -> bool:
    """May a rule have matched? Not one that never has: its counter is 0."""
    return outcome.end == "unsure" and outcome.rule is None


def _judged(rst: Rst, node: str) -> Outcome | None:
    """What became of the segment that the RST answers at a node, by its routes and filter.

    One that OUTPUT rejects is on no link: it is put together from the RST, whose ends it had.
    """
    forwarder = rst.a.forwarder
    if rst.path.packet.link is None:
        refused = forwarder.from_node(node, unsent(rst, node), rst.time_ns)
        if node != rst.claimed or refused.end == "rejected":
            return refused
    if rst.trigger is None or rst.shape not in {"answers-syn", "answers"}:
        return None
    came = next((hop for hop in rst.trigger.hops if hop.receiver == node and not hop.lost), None)
    return forwarder.arriving(node, rst.trigger.packet, came.time_ns) if came is not None else None


def unsent(rst: Rst, node: str) -> Packet:
    """The segment that a RST of a node's answers, as far as its ends tell."""
    packet = rst.path.packet
    return replace(
        packet, src=packet.dst, dst=packet.src, ttl=rst.a.forwarder.first_ttl(node, rst.time_ns), ident=0
    )  # fmt: skip


def _inferred(rst: Rst) -> Rst:
    """Nobody watched where it was made: what the network does with the segment that it answers may still tell."""
    hop = rst.path.hops[0]
    outcome = _predicted(rst)
    if outcome is None or not ttl_fits(rst, outcome.node, hop):
        return rst
    if outcome.end == "rejected" and outcome.rule is not None and outcome.rule.rule.answers_with == "tcp-reset":
        return replace(rst, maker=outcome.node, part="filter", rule=outcome.rule)
    if outcome.end == "delivered" and outcome.node == rst.claimed and not rst.a.index.tells_every_reset:
        return replace(rst, maker=outcome.node, part="tcp")
    return rst


def _predicted(rst: Rst) -> Outcome | None:
    """Where the segment that it answers ended, by what is known of the network."""
    if rst.shape == "active" and rst.claimed is not None:
        return Outcome("delivered", rst.claimed)
    if rst.trigger is None:
        return None
    first, last = rst.trigger.hops[0], rst.trigger.last()
    if last.lost:
        return None
    if last.left is not None and last.came is None:
        return rst.a.forwarder.from_node(last.sender, rst.trigger.packet, last.time_ns) if last is first else None
    return rst.a.forwarder.arriving(last.receiver, rst.trigger.packet, last.time_ns)


def ttl_fits(rst: Rst, node: str, hop: Hop) -> bool:
    """Has it the TTL that a packet of this node's own has on that link?"""
    expected = ttl_of(rst, node, hop)
    return expected is not None and expected == hop.packet.ttl


def ttl_of(rst: Rst, node: str, hop: Hop) -> int | None:
    """The TTL that a node's own packets to the RST's target have on a hop; None where their way is not known."""
    begins = rst.a.forwarder.first_ttl(node, rst.time_ns)
    if hop.sender == node:
        return begins
    outcome = rst.a.forwarder.from_node(node, rst.path.packet, rst.time_ns)
    way = (*outcome.came_by, *([outcome.node] if outcome.node not in outcome.came_by else []))
    if hop.sender in way:
        return begins - passed_routers(rst.a.network, way[: way.index(hop.sender) + 1])
    if hop.receiver in way:
        return begins - passed_routers(rst.a.network, way[: way.index(hop.receiver)])
    return None
