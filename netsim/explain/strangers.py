"""Data for a connection that the other side no longer has: its program closed it, or its machine forgot it."""

from __future__ import annotations

from netsim.explain.rst import Finding, Rst, evidence
from netsim.model.duration import show_duration
from netsim.model.explanation import Evidence


def closed_socket(rst: Rst) -> Finding | None:
    """Data after close(): nobody can ever read it, and the sender is told (RFC 1122, 4.2.2.13)."""
    closed, trigger = rst.closed_before(), rst.trigger
    if closed is None or trigger is None or rst.maker != rst.claimed or rst.crash_before() is not None:
        return None
    index, call = closed
    what = "data" if trigger.packet.length else "a segment"
    because = (
        f"The reset came from **{rst.maker}** itself: {call.process} had closed the connection, "
        f"and {what} came for it afterwards."
    )
    gap = show_duration(trigger.packet.time_ns - call.end_ns)
    ended = Evidence(f"{call.process} had called {call.call}() {gap} before the {what} was sent", (index,))
    arrived = Evidence(f"{what} of {trigger.packet.length} bytes arrived at {rst.maker}", trigger.events[-1:])
    return Finding("closed-socket", because, evidence(ended, arrived, rst.tcp_made_it(), rst.left()))


def peer_forgot(rst: Rst) -> Finding | None:
    """A segment that belongs to no connection: R with the number that it acknowledged (RFC 9293, 3.5.2)."""
    crash, trigger = rst.crash_before(), rst.trigger
    if trigger is None or rst.answers_syn or rst.active or rst.maker != rst.claimed:
        return None
    if crash is None and (rst.closed_before() is not None or not _was_established(rst)):
        return None
    lost = "lost power and has booted since" if crash is not None else "no longer has it"
    because = (
        f"The reset came from **{rst.maker}** itself: it {lost}, so the connection means nothing to it; "
        f"{rst.scene.at(rst.target)} still held its end, and found out when it sent."
    )
    fault = Evidence(f"{rst.maker} lost power after the connection was made", (crash,)) if crash is not None else None
    arrived = Evidence(f"a segment of the old connection arrived at {rst.maker}", trigger.events[-1:])
    return Finding("peer-forgot", because, evidence(fault, arrived, rst.tcp_made_it(), rst.left()))


def _was_established(rst: Rst) -> bool:
    return any(call.call in {"connect", "accept"} and call.result == "ok" for _, call in rst.own_calls())
