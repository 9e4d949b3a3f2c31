"""Calls that failed although no RST came: packets vanished, or their answers did, and nobody said so.

Silence has two directions and many places. A packet that reached an interface was not yet got; one that was
got was not yet answered; one that was answered may be waited for in vain all the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from netsim.analysis.forwarding import Outcome
from netsim.explain.answers import unanswered
from netsim.explain.course import Stop, outstanding, stop_of
from netsim.explain.failing import Failing, failure
from netsim.explain.rst import SLACK_NS
from netsim.explain.vanished import OR_BY_ARP, Silence, dropped_at, lost_on, proof_of, vanished
from netsim.explain.words import asked_in_vain, no_route, rule_place
from netsim.model.endpoint import WILDCARDS, Endpoint
from netsim.model.event import Icmp, Packet, Tcp
from netsim.model.explanation import Evidence, Failure

_BY_ROUTE = {
    "none": "ENETUNREACH",
    "throw": "ENETUNREACH",
    "unreachable": "EHOSTUNREACH",
    "prohibit": "EHOSTUNREACH",
    "blackhole": "ETIMEDOUT",
}
"""What comes of a router's route that leads nowhere: ICMP errors (ip_error() in net/ipv4/route.c), or nothing."""
_TELLS_ERRORS = {"neighbour-silent", "router-route", "unknown"}
"""What may give another errno than ETIMEDOUT: somebody, or one's own machine, has told what is the matter."""
_LATE_NS = 500_000_000
"""A SYN leaves at once, or when ARP has been answered; it is sent again after a second."""
_TIMEOUTS = {"ETIMEDOUT", "EHOSTUNREACH", "ENETUNREACH"}


def silent(f: Failing) -> Failure | None:
    """Sent again and again, answered never, or never sent at all: where did it end?"""
    if f.errno not in _TIMEOUTS or f.is_soft():
        return None
    found = silence(f)
    if found is None or (f.errno != "ETIMEDOUT" and found.cause not in _TELLS_ERRORS):
        return None
    because = f"{f.said()} gave up: {found.clause}{_nothing_came(f)}."
    return failure(f, found.cause, because, *found.proof, _gave_up(f))


def silence(f: Failing) -> Silence | None:
    """What a call's socket had sent in vain when the call ended; None where it had nothing outstanding."""
    if f.connection is None:
        return _never_left(f)
    waiting = outstanding(f, f.connection, f.end, f.call.end_ns)
    if not waiting.paths:
        return _never_left(f) if f.call.name == "connect" else None
    if f.call.name == "connect" and waiting.paths[0].time_ns - f.call.time_ns > _LATE_NS:
        return None  # there was one before, which nobody saw
    stops = [stop_of(f, path) for path in waiting.paths]
    return judged(f, stops, f.end)


def judged(f: Failing, stops: Sequence[Stop], end: Endpoint) -> Silence | None:
    """Say what stopped these packets of one end; what came through is followed to the answers.

    None where it is not known of one what became of it: then nothing can be said of all of them.
    """
    if any(stop.kind == "unsure" and stop.predicted for stop in stops):
        return None
    target = f.a.network.owner(stops[0].path.dst.address)
    through = [stop for stop in stops if stop.kind == "arrived" or (stop.kind == "dropped" and stop.node == target)]
    stopped = [stop for stop in stops if stop not in through]
    if not through:
        return vanished(f, stopped)
    answered = unanswered(f, through, end)
    if not stopped or answered is None:
        return answered
    return replace(
        answered,
        cause="unknown",
        clause=f"{lost_on(f, stopped)}, and {answered.clause}",
        proof=(*answered.proof, *proof_of(stopped)),
    )


def _never_left(f: Failing) -> Silence | None:
    """Not one packet was seen: its own filter, or its next hop's silence, kept it from leaving."""
    target, node = f.target, f.call.node
    if target is None or not _must_have_sent(f):
        return None
    way = f.way(node)
    packet = would_be(f, target)
    outcome = f.a.forwarder.from_node(node, packet, f.call.time_ns)
    watched = way.link is not None and f.a.index.tapped(node, way.link) and not f.a.index.lost_any
    if outcome.node == node and outcome.end == "dropped" and outcome.rule is not None:
        return Silence(
            "host-firewall-drop",
            f"nothing for {f.words.end(target)} left {node}: {rule_place(outcome.rule)} dropped it",
        )
    if way.next_hop is not None and watched:
        opening = f.socket.opening(f.call) if f.socket else None
        since_ns = opening.call.time_ns if opening else f.call.time_ns
        asked = f.unanswered_arps(node, way.next_hop, since_ns - SLACK_NS, f.call.end_ns)
        if asked:
            return _silent_neighbour(f, node, way.next_hop, asked)
    return None if watched or outcome.end in {"unsure", "delivered"} else _by_configuration(f, outcome, packet)


def _must_have_sent(f: Failing) -> bool:
    """Has the call surely sent something? One that waits may have been given up for want of a probe's answer only."""
    if f.call.name == "connect":
        return True
    probes = f.socket.option("keepalive", f.call.end_ns) if f.socket else None
    return f.errno in _TIMEOUTS and (probes is None or probes[1] == "off")


def _silent_neighbour(f: Failing, node: str, hop: str, asked: tuple[int, ...]) -> Silence:
    requests = Evidence(asked_in_vain(node, hop, asked), asked)
    link, asked_ns = f.way(node).link, f.a.timeline.events[asked[-1]].time_ns
    cuts = [f.a.outages.cut(link, end, asked_ns) for end in f.a.network.links[link]] if link else []
    span = next((cut for cut in cuts if cut is not None), None)
    why = f": {link} was cut" if span else ""
    proof = (requests, Evidence(f"the cable {link} was cut", (span.began,))) if span else (requests,)
    clause = f"{node}'s ARP requests for {f.words.host(hop)}, its next hop, got no answer{why}"
    return Silence("neighbour-silent", clause, proof, "EHOSTUNREACH")


def _by_configuration(f: Failing, outcome: Outcome, packet: Packet) -> Silence | None:
    """Nobody watched anything of it: what the network must have done with it."""
    target = f.words.end(packet.dst)
    if f.faults_during():
        return None
    if f.errno == "EHOSTUNREACH" and outcome.end in {"cut", "off"}:
        clause = f"{outcome.node} could not be reached over {outcome.link}, and so ARP requests for it got no answer"
        return Silence("neighbour-silent", clause, _fault(outcome), "EHOSTUNREACH")
    if outcome.end in {"cut", "off", "dropped"} and f.errno in _TIMEOUTS - {"ETIMEDOUT"}:
        return None  # that is silent, and somebody was not
    if outcome.span is not None and not f.spoke_before(packet.dst, outcome.span.start_ns):
        return None
    match outcome.end:
        case "cut":
            clause = f"what was for {target} vanished on {outcome.link}, which was cut"
            return Silence("silent-drop", clause, _fault(outcome), OR_BY_ARP)
        case "off":
            clause = f"what was for {target} went to {outcome.node}, which had no power"
            return Silence("silent-drop", clause, _fault(outcome), OR_BY_ARP)
        case "dropped" if outcome.rule is not None:
            cause = dropped_at(f, outcome.node, packet.dst)
            return Silence(cause, f"what was for {target} was dropped at {outcome.node}: {rule_place(outcome.rule)}")
        case "no-route" if outcome.node != f.call.node and outcome.way is not None:
            kind, to = outcome.way.kind, f.words.host(packet.dst.address)
            if f.errno == _BY_ROUTE[kind]:
                return Silence("router-route", f"{outcome.node} has {no_route(kind, to)}")
    return None


def _fault(outcome: Outcome) -> tuple[Evidence, ...]:
    if outcome.span is None:
        return ()
    said = f"the cable {outcome.link} was cut" if outcome.end == "cut" else f"{outcome.node} had lost its power"
    return (Evidence(said, (outcome.span.began,)),)


def would_be(f: Failing, target: Endpoint) -> Packet:
    """The packet that a connect() sends first."""
    own = f.call.local or Endpoint("", 0)
    address = own.address if own.port and own.address not in WILDCARDS else _source_address(f)
    return Packet(
        f.call.time_ns, f.call.node, "", None, "out", Endpoint(address, own.port), target, Tcp("S", 0, 0),
        f.a.forwarder.first_ttl(f.call.node, f.call.time_ns),
    )  # fmt: skip


def _source_address(f: Failing) -> str:
    """The address that a node gives its packets by the link that they leave on."""
    way = f.way(f.call.node)
    ids = tuple(f.a.network.links)
    for interface in f.a.network.interfaces(f.call.node):
        if way.link is not None and ids[interface.link] == way.link and interface.address:
            return str(interface.address)
    return f.a.network.addresses.get(f.call.node, "")


def _nothing_came(f: Failing) -> str:
    """That no RST and no ICMP error came back, where somebody would have seen one."""
    node = f.call.node
    if f.connection is None or not f.a.index.sees_links(node):
        return ""
    sent = f.connection.side(f.connection.other(f.end)).before(f.call.end_ns)
    if any("R" in path.tcp.flags and path.arrival(node) for path in sent):
        return ""
    return ", and no reset came back" if quoted(f) else ", and no reset or ICMP error came back"


def quoted(f: Failing) -> bool:
    """Had any ICMP message come to the caller's machine that quotes a packet of this connection?"""
    assert f.connection is not None
    ends = (f.end, f.connection.other(f.end))
    return any(
        isinstance(packet.segment, Icmp)
        and packet.node == f.call.node
        and (packet.segment.quoted_src, packet.segment.quoted_dst) == ends
        for _, packet in f.a.index.icmps
    )


def _gave_up(f: Failing) -> Evidence | None:
    if f.connection is None or not f.errno:
        return None
    told = f.a.said(f.call.node, "inet_sk_error_report", f.connection, f.end)
    about = tuple(index for index, event in told if event.reason == f.errno)
    return Evidence(f"the kernel of {f.call.node} reported {f.errno} to the socket", about) if about else None
