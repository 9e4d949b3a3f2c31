"""Aborted by the program's own side: close() with unread data, SO_LINGER(1,0), or a closed listener."""

from __future__ import annotations

from netsim.explain.rst import Finding, Rst, evidence, plural
from netsim.model.event import Call
from netsim.model.explanation import Evidence


def unread_data(rst: Rst) -> Finding | None:
    """close() with received data in the socket: the peer must learn that it was lost (RFC 2525, 2.17; tcp_close())."""
    close = rst.close()
    counted = rst.scene.grew(rst.maker, "TcpExtTCPAbortOnClose")
    unread = _received(rst) - _read(rst)
    told = rst.reason() == "TCP_ABORT_ON_CLOSE"
    if not rst.active or close is None or not (told or (unread > 0 and (counted is None or counted[0]))):
        return None
    amount = plural(unread, "byte") if unread > 0 else "data"
    verb = "close()" if close[1].call == "close" else "its end"
    because = (
        f"The reset came from **{rst.maker}** itself: {verb} of {close[1].process} left {amount} unread in the socket, "
        "and TCP says so with a reset instead of a FIN."
    )
    read = Evidence(f"{plural(_received(rst), 'byte')} had arrived, {_read(rst)} were read before", (close[0],))
    grew = (
        Evidence(f"TCPAbortOnClose of {rst.maker} grew by {counted[0]}", counted[1]) if counted and counted[0] else None
    )
    return Finding("unread-data", because, evidence(read, rst.tcp_made_it(), grew, rst.left()))


def linger_zero(rst: Rst) -> Finding | None:
    """close() with SO_LINGER on and 0 seconds: abort (socket(7); tcp_disconnect())."""
    close = rst.close()
    linger = _linger(rst, close[1]) if close else None
    if not rst.active or close is None or linger is None:
        return None
    because = (
        f"The reset came from **{rst.maker}** itself: {close[1].process} had set SO_LINGER(1,0), "
        "so that its close() aborts the connection instead of ending it."
    )
    option = Evidence(f"{close[1].process} set SO_LINGER(1,0), and then called close()", (linger, close[0]))
    counted = rst.scene.grew(rst.maker, "TcpExtTCPAbortOnData")
    grew = (
        Evidence(f"TCPAbortOnData of {rst.maker} grew by {counted[0]}", counted[1]) if counted and counted[0] else None
    )
    return Finding("linger-zero", because, evidence(option, rst.tcp_made_it(), grew, rst.left()))


def closed_listener(rst: Rst) -> Finding | None:
    """A listener that closes resets what it had not accepted yet (inet_csk_listen_stop())."""
    if not rst.active or rst.maker != rst.claimed or rst.own_calls():
        return None
    for index, call in rst.scene.calls:
        at_port = call.local.endswith(f":{rst.source[1]}") and not call.remote
        if call.node == rst.maker and call.call == "close" and at_port and call.time_ns <= rst.time_ns <= call.end_ns:
            because = (
                f"The reset came from **{rst.maker}** itself: {call.process} closed its listener "
                "before it had accepted the connection."
            )
            closed = Evidence("close() of the listener was going on", (index,))
            return Finding("closed-listener", because, evidence(closed, rst.tcp_made_it(), rst.left()))
    return None


def _received(rst: Rst) -> int:
    """Payload bytes of the other direction that had arrived at the maker, each counted once."""
    seen: dict[int, int] = {}
    for journey in rst.towards:
        one = journey.packet
        if one.length and journey.arrived_at == rst.maker:
            seen[one.seq] = max(one.length, seen.get(one.seq, 0))
    return sum(seen.values())


def _read(rst: Rst) -> int:
    results = [call.result for _, call in rst.own_calls() if call.call == "recv" and call.end_ns <= rst.time_ns]
    return sum(int(result) for result in results if result.isdigit())


def _linger(rst: Rst, close: Call) -> int | None:
    for index, call in reversed(rst.own_calls()):
        if call.process == close.process and call.call == "set" and call.args.startswith("linger"):
            return index if call.args.split()[1] == "0" else None
    return None
