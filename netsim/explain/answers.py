"""Packets that came to the other machine: did it answer, and where are the answers?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from netsim.analysis.connections import distance
from netsim.analysis.forwarding import Outcome
from netsim.analysis.paths import PacketPath
from netsim.explain.course import BEFORE_TCP, Stop, stop_of
from netsim.explain.failing import Failing
from netsim.explain.rst import SLACK_NS, answers
from netsim.explain.vanished import Silence, cause_of, ends_with, lost_on, proof_of, vanished
from netsim.explain.words import asked_in_vain, plural, rule_place
from netsim.model.endpoint import Endpoint
from netsim.model.event import Packet
from netsim.model.explanation import Evidence


def unanswered(f: Failing, through: Sequence[Stop], end: Endpoint) -> Silence | None:
    """The packets came to the other machine. Did it answer, and where are the answers?"""
    assert f.connection is not None
    node = through[0].node
    answers = _answers(f, through, end)
    if answers:
        stops = [stop_of(f, path) for path in answers]
        if any(stop.kind == "unsure" and stop.predicted for stop in stops):
            return None
        arrived = [stop for stop in stops if stop.kind == "arrived"]
        if arrived:
            return _dropped_on_arrival(f, arrived) if len(arrived) == len(stops) else None
        causes = {cause_of(f, stop) for stop in stops}
        if causes == {"host-firewall-drop"}:
            return vanished(f, stops)
        said = f"{many(through)} came to {node}, which answered, and the answers were lost: {lost_on(f, stops)}"
        known = causes <= {"silent-drop", "neighbour-silent", "router-route", "host-firewall-drop", "firewall-reject"}
        return Silence("answer-lost" if known else "unknown", said, proof_of(stops), ends_with(stops))
    return _not_answered(f, through, node)


def many(stops: Sequence[Stop]) -> str:
    return "the packet" if len(stops) == 1 else f"{len(stops)} packets"


def _answers(f: Failing, through: Sequence[Stop], end: Endpoint) -> list[PacketPath]:
    """What the other end sent after it had got them, and that acknowledges one of them."""
    assert f.connection is not None
    own, peer = f.connection.side(end), f.connection.side(f.connection.other(end))
    first = min(stop.path.time_ns for stop in through)
    least = min(own.relative(stop.path.tcp.end) for stop in through)
    found = []
    for path in peer.before(f.call.end_ns):
        acks = "A" in path.tcp.flags and own.first is not None and distance(own.first, path.tcp.ack) >= least
        if "R" in path.tcp.flags:
            acks = any(answers(path.tcp, stop.path.tcp) for stop in through)
        if path.time_ns >= first and acks:
            found.append(path)
    return found


def _dropped_on_arrival(f: Failing, arrived: Sequence[Stop]) -> Silence | None:
    """The answers came to the caller's own machine: only its own filter can have kept them from its TCP."""
    node = arrived[0].node
    came = (Evidence(f"answers came to {node}", tuple(stop.path.events[-1] for stop in arrived)),)
    discarded = _discarded(f, arrived, node, came)
    if discarded is not None:
        return discarded
    outcome = taken(f, arrived, node)
    if outcome is None or outcome.node != node or outcome.end not in {"dropped", "rejected"} or outcome.rule is None:
        return None
    clause = f"the answers came back to {node} and were {outcome.end} there: {rule_place(outcome.rule)}"
    return Silence("host-firewall-drop" if outcome.end == "dropped" else "answer-lost", clause, came)


def taken(f: Failing, came: Sequence[Stop], node: str) -> Outcome | None:
    """What a machine did with what came to it, each at its own time; None where that is not one thing for all."""
    return _same(f, came, lambda stop: f.a.forwarder.arriving(node, stop.path.packet, _when(stop, node)))


def _same(f: Failing, stops: Sequence[Stop], follow: Callable[[Stop], Outcome]) -> Outcome | None:
    """What became of each of these packets, where it is the same for all, and the rule that did it counted so many."""
    outcomes = [follow(stop) for stop in stops]
    if len({(one.node, one.end, one.rule, one.way) for one in outcomes}) != 1:
        return None
    hit = f.a.filters.hit(outcomes[0].rule) if outcomes[0].rule is not None else None
    return None if hit is not None and hit[1].packets < len(stops) else outcomes[0]


def _when(stop: Stop, node: str) -> int:
    hop = stop.path.arrival(node)
    return hop.time_ns if hop else stop.path.time_ns


def _not_answered(f: Failing, through: Sequence[Stop], node: str) -> Silence | None:
    """It came to the other machine, and nothing was seen to leave it for an answer: filter, route, ARP, or queue."""
    came = _came(through, node)
    discarded = _discarded(f, through, node, came)
    took = taken(f, through, node)
    if took is None or took.node != node:
        return discarded
    if took.end == "dropped" and took.rule is not None and discarded is None:
        target = f.words.end(through[0].path.dst)
        clause = (
            f"{many(through)} for {target} came to {node} and {_was(through)} dropped there: {rule_place(took.rule)}"
        )
        return Silence("host-firewall-drop", clause, (*came, *_hit(f, took)))
    found = (_back(f, through, node) or _queue_full(f, through, node)) if took.end == "delivered" else None
    return replace(found, proof=(*came, *found.proof)) if found is not None else discarded


def _came(stops: Sequence[Stop], node: str) -> tuple[Evidence, ...]:
    """That these came to a machine, where that was seen of each."""
    seen = [hop.index for stop in stops if (hop := stop.path.arrival(node))]
    return (Evidence(f"{many(stops)} came to {node}", tuple(seen)),) if len(seen) == len(stops) else ()


def _discarded(f: Failing, came: Sequence[Stop], node: str, shown: tuple[Evidence, ...]) -> Silence | None:
    """What came to a machine that dropped it all, if its kernel says so, and why; None where a rule was why."""
    told = [f.a.dropped(node, one.path.packet, _when(one, node)) for one in came]
    drops = [one for one in told if one is not None]
    reasons = {drop.reason for _, drop in drops}
    reason = reasons.pop() if len(reasons) == 1 else ""
    if len(drops) < len(came) or not reason.startswith(BEFORE_TCP):
        return None
    clause = (
        f"{many(came)} for {f.words.end(came[0].path.dst)} came to {node}, whose kernel dropped "
        f"{'it' if len(came) == 1 else 'them'} with reason {reason}"
    )
    word = Evidence(f"the kernel of {node} says kfree_skb, reason {reason}", tuple(index for index, _ in drops))
    return Silence("unknown", clause, (*shown, word))


def _was(stops: Sequence[Stop]) -> str:
    return "was" if len(stops) == 1 else "were"


def _hit(f: Failing, outcome: Outcome) -> tuple[Evidence, ...]:
    hit = f.a.filters.hit(outcome.rule) if outcome.rule is not None else None
    if hit is None:
        return ()
    return (Evidence(f"that rule matched {plural(hit[1].packets, 'packet')}", (hit[0],)),)


def _back(f: Failing, through: Sequence[Stop], node: str) -> Silence | None:
    """What keeps a machine's answers from leaving it."""
    packet = through[-1].path.packet
    outcome = _same(f, through, lambda stop: f.a.forwarder.from_node(node, _answer(f, stop, node), _when(stop, node)))
    if outcome is None:
        return None
    to = f.words.host(packet.src.address)
    if outcome.node != node:
        way = f.way_of(node, packet.src)
        since_ns = _when(through[0], node) - SLACK_NS
        asked = way.next_hop and f.unanswered_arps(node, way.next_hop, since_ns, f.call.end_ns)
        if not asked or way.next_hop is None:
            return None
        hop_ = f.words.host(way.next_hop)
        clause = f"{node} got it, and its ARP requests for {hop_}, its next hop on the way back, got no answer"
        return Silence("neighbour-silent", clause, (Evidence(asked_in_vain(node, way.next_hop, asked), asked),))
    if outcome.end == "no-route":
        kind = outcome.way.kind if outcome.way else "none"
        has = "no route" if kind == "none" else f"a route of type {kind}"
        return Silence("no-way-back", f"{node} got it, and has {has} back to {to}")
    if outcome.end in {"dropped", "rejected"} and outcome.rule is not None:
        clause = f"{node} got it, and its own filter {outcome.end} the answer: {rule_place(outcome.rule)}"
        return Silence("host-firewall-drop" if outcome.end == "dropped" else "answer-lost", clause, _hit(f, outcome))
    return None


def _answer(f: Failing, stop: Stop, node: str) -> Packet:
    """What a machine's TCP would answer a packet with."""
    packet, ttl = stop.path.packet, f.a.forwarder.first_ttl(node, _when(stop, node))
    return replace(packet, src=packet.dst, dst=packet.src, ttl=ttl, ident=0)


def _queue_full(f: Failing, through: Sequence[Stop], node: str) -> Silence | None:
    """SYNs that a listener with a full accept queue ignores (sk_acceptq_is_full(), tcp_conn_request())."""
    if any("S" not in stop.path.tcp.flags for stop in through):
        return None
    first, last = _when(through[0], node), _when(through[-1], node)
    listening = [s for s in f.a.sockets.listened(node, through[0].path.dst) if s.listening(first) and s.alive(last)]
    if len(listening) != 1:
        return None  # which of several has it, nothing tells (SO_REUSEPORT)
    listener = listening[0]
    overflows = f.a.index.grew(node, "TcpExtListenOverflows")
    queues = [f.a.queue_of(listener, _when(stop, node)) for stop in through]
    if any(waiting <= backlog for waiting, backlog in queues) or (overflows and overflows[0] < len(through)):
        return None
    waiting, backlog = queues[-1]
    counted = (Evidence(f"ListenOverflows of {node} grew by {overflows[0]}", overflows[1]),) if overflows else ()
    count = plural(waiting, "connection") if waiting == backlog + 1 else "more connections than that"
    clause = (
        f"the SYN came to {node}, where {listener.process} listens with a backlog of {backlog}, and {count} waited to "
        "be accepted: the kernel drops further ones"
    )
    return Silence("backlog-full", clause, (Evidence(f"{listener.process} listens", (listener.opened,)), *counted))
