"""Calls that failed because a machine on the way, or the last one, answered with an ICMP error (RFC 792; ip(7))."""

from __future__ import annotations

from netsim.explain.refused import fits
from netsim.explain.rst import evidence, plural
from netsim.explain.scene import Scene
from netsim.model.event import Call, RuleHit
from netsim.model.explanation import Evidence, Failure
from netsim.model.transits import Transit

_ERRNOS = {"ECONNREFUSED", "EHOSTUNREACH", "ENETUNREACH", "ENOPROTOOPT"}


def icmp_answer(scene: Scene, call: Call) -> Failure | None:
    """The errno of an ICMP error that came for a packet of this call's socket; REJECT makes one, so does a router."""
    if call.result not in _ERRNOS:
        return None
    told = [hop for hop in scene.transits if _is_about(call, hop)]
    if not told:
        return None
    first = _departure(scene, told[-1])
    said = first.packet.detail.partition(":")[0]
    came = Evidence(
        f"{first.sender} sent an ICMP error, {said}, and it came to {call.node}", (first.index, told[-1].index)
    )
    rule = _rule(scene, first)
    if rule is None:
        because = f"{call.call}() of {call.process} failed: **{first.sender}** answered with an ICMP error, {said}."
        return Failure(call.process, call.call, call.result, "unknown", because, (came,), call.step)
    index, hit = rule
    because = (
        f"{call.call}() of {call.process} was refused by **{first.sender}**'s packet filter: rule {hit.number} of its "
        f"{hit.chain} chain ({hit.rule}) answered with an ICMP error, {said}."
    )
    matched = Evidence(f"rule {hit.number} of {first.sender} matched {plural(hit.packets, 'packet')}", (index,))
    return Failure(call.process, call.call, call.result, "firewall-reject", because, evidence(came, matched), call.step)


def _is_about(call: Call, hop: Transit) -> bool:
    """Is this an ICMP error that came to the call's node, and quotes a packet of the call's socket?"""
    if hop.packet.protocol != "icmp" or hop.lost or hop.receiver != call.node or hop.packet.time_ns > call.end_ns:
        return False
    source, _, destination = hop.packet.detail.partition(": ")[2].partition(" > ")
    return source.rpartition(":")[2] == call.local.rpartition(":")[2] and call.remote in {"", destination}


def _departure(scene: Scene, arrived: Transit) -> Transit:
    """The first crossing of the same ICMP packet: its sender made it."""
    same = arrived.packet
    return next(
        hop
        for hop in scene.transits
        if (hop.packet.src, hop.packet.ident, hop.packet.detail) == (same.src, same.ident, same.detail)
    )


def _rule(scene: Scene, first: Transit) -> tuple[int, RuleHit] | None:
    quoted = first.packet.detail.partition(": ")[2].partition(" > ")
    sport, dport = (int(end.rpartition(":")[2] or 0) for end in (quoted[0], quoted[2]))
    for index, hit in scene.rules:
        rejects = " reject" in f" {hit.rule}" and "tcp-reset" not in hit.rule
        if hit.node == first.sender and hit.packets and rejects and fits(hit, sport, dport):
            return index, hit
    return None
