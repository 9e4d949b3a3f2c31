"""Refused, and nobody watched where the refusal was made or passed: what the network must have done may still tell."""

from __future__ import annotations

from netsim.analysis.filters import Placed
from netsim.explain.course import stop_of
from netsim.explain.failing import Failing, failure
from netsim.explain.silence import would_be
from netsim.explain.words import rule_place
from netsim.model.endpoint import Endpoint
from netsim.model.explanation import Failure
from netsim.model.firewall import Rule
from netsim.model.icmp import REJECT_CODES, icmp_errno


def rejected_unseen(f: Failing) -> Failure | None:
    """A REJECT whose answer passed no tap: by OUTPUT, over an unwatched loopback, or on unwatched links."""
    if f.target is None or not f.errno or f.a.index.sees_all(f.call.node) or f.faults_during():
        return None
    rule = _answering(f, f.target)
    if rule is None or f.errno not in _errnos(rule.rule):
        return None
    because = f"{f.said()} was refused by {rule.node}'s packet filter: {rule_place(rule)} answers what it sent."
    return failure(f, "firewall-reject", because, f.matched(rule))


def _answering(f: Failing, target: Endpoint) -> Placed | None:
    """The REJECT rule that met the last packet that was seen; where none was, what it must have sent."""
    if f.connection is None:
        outcome = f.a.forwarder.from_node(f.call.node, would_be(f, target), f.call.time_ns)
        return outcome.rule if outcome.end == "rejected" else None
    sent = [path for path in f.connection.side(f.end).before(f.call.end_ns) if "R" not in path.tcp.flags]
    stop = stop_of(f, sent[-1]) if sent else None
    if stop is None or stop.kind != "rejected":
        return None
    limit = f.socket.option("user_timeout", f.call.end_ns) if f.socket else None
    if f.connection.established(f.call.time_ns) and (limit or f.faults_since(stop.path.time_ns)):
        return None  # an ICMP error does not end it: a limit, or what happened later, may have
    return stop.rule


def _errnos(rule: Rule) -> set[str | None]:
    """What a program gets for a rule's answer."""
    if rule.answers_with == "tcp-reset":
        return {"ECONNREFUSED", "ECONNRESET"}
    code = REJECT_CODES.get(rule.answers_with)
    return set() if code is None else {icmp_errno(3, code)}
