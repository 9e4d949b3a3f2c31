"""Refused, and nobody watched where the refusal was made or passed: what the network must have done may still tell."""

from __future__ import annotations

from netsim.explain.course import stop_of
from netsim.explain.failing import Failing, failure
from netsim.explain.silence import would_be
from netsim.explain.words import plural, rule_place
from netsim.model.explanation import Evidence, Failure
from netsim.model.firewall import Rule
from netsim.model.icmp import REJECT_CODES, icmp_errno


def rejected_unseen(f: Failing) -> Failure | None:
    """A REJECT whose answer passed no tap: by OUTPUT, over an unwatched loopback, or on unwatched links."""
    if f.target is None or not f.errno or f.a.index.sees_all(f.call.node) or f.faults_during():
        return None
    outcome = f.a.forwarder.from_node(f.call.node, would_be(f, f.target), f.call.time_ns)
    if f.connection is not None:
        sent = [path for path in f.connection.side(f.end).before(f.call.end_ns) if "R" not in path.tcp.flags]
        stops = [stop_of(f, path) for path in sent[-1:]]
        if not stops or stops[0].kind != "rejected" or stops[0].rule is None:
            return None
        limit = f.socket.option("user_timeout", f.call.end_ns) if f.socket else None
        if f.connection.established(f.call.time_ns) and (limit or f.faults_since(stops[0].path.time_ns)):
            return None  # an ICMP error does not end it: a limit, or what happened later, may have
        rule = stops[0].rule
    elif outcome.end == "rejected" and outcome.rule is not None:
        rule = outcome.rule
    else:
        return None
    hit = f.a.filters.hit(rule)
    if f.errno not in _errnos(rule.rule) or (hit is not None and not hit[1].packets):
        return None
    because = f"{f.said()} was refused by {rule.node}'s packet filter: {rule_place(rule)} answers what it sent."
    counted = (
        Evidence(
            f"rule {rule.number} of {rule.node}'s {rule.chain} chain matched {plural(hit[1].packets, 'packet')}",
            (hit[0],),
        )
        if hit
        else None
    )
    return failure(f, "firewall-reject", because, counted)


def _errnos(rule: Rule) -> set[str | None]:
    """What a program gets for a rule's answer."""
    if rule.answers_with == "tcp-reset":
        return {"ECONNREFUSED", "ECONNRESET"}
    code = REJECT_CODES.get(rule.answers_with)
    return set() if code is None else {icmp_errno(3, code)}
