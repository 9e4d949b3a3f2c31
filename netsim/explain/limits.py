"""Calls that a limit of the socket's ended: keepalive, or TCP_USER_TIMEOUT."""

from __future__ import annotations

from netsim.explain.course import outstanding, stop_of
from netsim.explain.failing import EARLY, Failing, failure, limit_ns
from netsim.explain.silence import judged, silence
from netsim.explain.words import plural
from netsim.explain.zero_window import closed_window
from netsim.model.explanation import Evidence, Failure

_LATE, _LATE_NS = 1.5, 2_000_000_000
"""A limit that ends a call does it soon: its timer is set for that moment (tcp_clamp_rto_to_user_timeout())."""


def keepalive_expired(f: Failing) -> Failure | None:
    """ETIMEDOUT as keepalive probes went unanswered: its own TCP then resets the peer too (tcp_keepalive_timer())."""
    if f.errno != "ETIMEDOUT" or f.connection is None or f.socket is None:
        return None
    resets = [
        p
        for p in f.connection.side(f.end).before(f.call.end_ns)
        if "R" in p.tcp.flags and p.maker in {None, f.call.node}
    ]
    told = f.a.said(f.call.node, "tcp_send_reset", f.connection, f.end)
    by_kernel = [index for index, event in told if event.reason == "TCP_KEEPALIVE_TIMEOUT"]
    asked = f.socket.option("keepalive", f.call.end_ns)
    waiting = outstanding(f, f.connection, f.end, f.call.end_ns)
    only_probes = bool(waiting.probes) and len(waiting.paths) == len(waiting.probes)
    if not by_kernel and not (resets and only_probes and asked is not None and asked[1] != "off"):
        return None
    probes = [path for path in waiting.probes if path.time_ns < f.call.end_ns]
    because = (
        f"{f.said()} failed: {plural(len(probes), 'keepalive probe') if probes else 'its keepalive probes'} went "
        "unanswered, and its TCP gave the connection up."
    )
    where = judged(f, [stop_of(f, path) for path in probes], f.end) if probes else None
    return failure(
        f,
        "keepalive-expired",
        because,
        Evidence(f"{f.socket.process} had switched SO_KEEPALIVE on", (asked[0],)) if asked else None,
        Evidence(f"the probes: {where.clause}", tuple(p.hops[0].index for p in probes)) if where else None,
        Evidence("the kernel says so: reason TCP_KEEPALIVE_TIMEOUT", tuple(by_kernel)) if by_kernel else None,
    )


def user_timeout(f: Failing) -> Failure | None:
    """TCP_USER_TIMEOUT bounds how long data may stay unacknowledged (tcp(7), RFC 5482)."""
    if f.errno != "ETIMEDOUT" or f.socket is None:
        return None  # with another errno somebody has told what is the matter, besides
    limit = f.socket.option("user_timeout", f.call.end_ns)
    if limit is None or limit[1] in {"0", "0s", "0ms"}:
        return None
    found = silence(f)
    clause, proof, since_ns = (found.clause, found.proof, _first_sent(f)) if found else ("", (), None)
    if found is None and f.connection is not None and (closed := closed_window(f)) is not None:
        # every probe may be answered: the limit ends that too (tcp_probe_timer())
        clause = f"{f.words.end(f.connection.other(f.end))} announced a window of 0 until then"
        proof, since_ns = (closed,), f.a.timeline.events[closed.events[0]].time_ns
    if not clause or (found and found.cause == "neighbour-silent") or not _was_so_long(f, limit[1], since_ns):
        return None
    because = f"{f.said()} failed: TCP_USER_TIMEOUT was {limit[1]}, and {clause}."
    return failure(f, "user-timeout", because, Evidence(f"TCP_USER_TIMEOUT was set to {limit[1]}", (limit[0],)), *proof)


def _first_sent(f: Failing) -> int | None:
    """Since when something had been unacknowledged, as far as anybody saw its first sending."""
    if f.call.name == "connect":
        return f.call.time_ns
    if f.connection is None or f.connection.syn is None or f.a.index.lost_any:
        return None
    waiting = outstanding(f, f.connection, f.end, f.call.end_ns).paths
    return waiting[0].time_ns if waiting else None


def _was_so_long(f: Failing, limit: str, since_ns: int | None) -> bool:
    """Had it taken as long as the limit allows, and not much longer? Where nobody saw when it began it may have."""
    most_ns = limit_ns(limit)
    if most_ns is None or since_ns is None:
        return most_ns is not None
    return most_ns * EARLY <= f.call.end_ns - since_ns <= most_ns * _LATE + _LATE_NS
