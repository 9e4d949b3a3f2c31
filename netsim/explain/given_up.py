"""Calls that TCP did not end: the script's limit did, or the program's own. What was TCP doing meanwhile?"""

from __future__ import annotations

from collections.abc import Sequence

from netsim.analysis.connections import Connection
from netsim.analysis.sockets import READS, WRITES
from netsim.explain.answers import many, taken
from netsim.explain.course import Stop, outstanding, stop_of
from netsim.explain.failing import EARLY, Failing, failure, limit_ns
from netsim.explain.silence import judged, quoted, silence
from netsim.explain.words import rule_place
from netsim.model.action import Poll, Send
from netsim.model.duration import show_duration
from netsim.model.endpoint import WILDCARDS, Endpoint
from netsim.model.event import Packet, Tcp
from netsim.model.explanation import Evidence, Failure
from netsim.model.result import Count, Errno, Signalled, TimedOut

_WAITED = {"rcvtimeo": (READS | {"accept"}, {"EAGAIN", "EWOULDBLOCK"}), "sndtimeo": (WRITES, {"EAGAIN", "EWOULDBLOCK"})}
_SILENT = frozenset({"close", "getsockopt", "setsockopt", "getsockname", "getpeername", "shutdown", "listen", "bind"})
"""Calls that say nothing of what comes of a connection."""
_ENDED = {Errno("ECONNRESET"), Errno("EPIPE"), Errno("ETIMEDOUT"), Signalled("SIGPIPE")}
"""What tells a program that its connection is over."""
_UNKNOWN = "what was seen does not say what it waited for"


def given_up(f: Failing) -> Failure | None:
    """Not TCP ended this call but a limit of the script's or of the program's; what was TCP doing meanwhile?"""
    limit = own_limit(f)
    if limit is None:
        return None
    doing, proof = _meanwhile(f)
    because = f"{f.said()} was given up after {show_duration(f.call.end_ns - f.call.time_ns)}, by {limit}: {doing}."
    return failure(f, "given-up", because, *proof)


def own_limit(f: Failing) -> str | None:
    """Whose limit ended the call; None where that was no limit of the script's or the program's."""
    if isinstance(f.call.result, TimedOut):
        return "the program's own limit" if f.call.traced else "the script's limit"
    for option, (calls, errnos) in _WAITED.items():
        if f.call.name in calls and f.errno in errnos:
            return _waited(f, option)
    if f.call.name == "connect" and f.errno == "EINPROGRESS":
        return _waited(f, "sndtimeo")
    return None


def _waited(f: Failing, option: str) -> str | None:
    """The program's own time-out on the socket, where it had set one."""
    found = f.socket.option(option, f.call.time_ns) if f.socket else None
    if found is None or found[1] in {"0", "0s", "0ms"}:
        return None
    most_ns = limit_ns(found[1])
    if most_ns is None or f.call.end_ns - f.call.time_ns < most_ns * EARLY:
        return None  # it did not wait: the socket, or the call, is one that does not block
    return f"the program's own SO_{option.upper()} of {found[1]}"


def waits_to_write(f: Failing) -> bool:
    """Is it a poll() that waits for room to write?"""
    return isinstance(f.call.action, Poll) and "OUT" in f.call.action.events


def _meanwhile(f: Failing) -> tuple[str, tuple[Evidence, ...]]:
    """What TCP was doing when the call was given up, and what would have come."""
    if f.call.name == "accept":
        return _no_connection(f), ()
    found = silence(f)
    if found is not None:
        ends = f"; its TCP was still trying, and would have ended with {found.ended_by_tcp}"
        then = "" if _outcome_is_known(f) else ends
        return f"{found.clause}{then}", found.proof
    if f.connection is None or f.call.name == "connect" or not _stands(f, f.connection):
        return _UNKNOWN, ()
    other = f.connection.other(f.end)
    own = [stop_of(f, path) for path in outstanding(f, f.connection, f.end, f.call.end_ns).paths]
    coming = [stop_of(f, path) for path in outstanding(f, f.connection, other, f.call.end_ns).paths]
    if own or any(stop.kind == "unsure" for stop in coming):  # what it sent itself was not acknowledged
        return _UNKNOWN, ()
    lost = [stop for stop in coming if stop.kind != "arrived"]
    if lost:
        told = judged(f, lost, other)
        if told is not None:
            return f"what {f.words.end(other)} sent did not come: {told.clause}", told.proof
    elif coming:
        return _refused_at_home(f, coming, other)
    if not all(f.sees_what_leaves(end) for end in (f.end, other)) or _is_kept_back(f, other):
        return _UNKNOWN, ()
    off = _without_power(f, other)
    if off is None and not _all_was_sent(f, f.connection, other):
        return _UNKNOWN, ()
    stood = "the connection stood" if off is None else f"{off} had lost its power"
    if f.call.name in READS or (f.call.name == "poll" and not waits_to_write(f)):
        nothing = f"{f.words.end(other)} had nothing on its way to it"
        if off is not None or _outcome_is_known(f) or not _waits_for_ever(f, other):
            return f"{stood}, and {nothing}", ()
        return f"{stood}, {nothing}, and it would have waited on", ()
    return f"{stood}, and {_UNKNOWN}", ()


def _refused_at_home(f: Failing, came: Sequence[Stop], other: Endpoint) -> tuple[str, tuple[Evidence, ...]]:
    """What the other end sent came to the caller's machine, and was not acknowledged: its filter may tell."""
    node = f.call.node
    outcome = taken(f, came, node)
    if outcome is None or outcome.node != node or outcome.end != "dropped" or outcome.rule is None:
        return _UNKNOWN, ()
    shown = Evidence(f"{many(came)} came to {node}", tuple(stop.path.events[-1] for stop in came))
    return f"what {f.words.end(other)} sent came to {node} and was dropped there: {rule_place(outcome.rule)}", (shown,)


def _is_kept_back(f: Failing, other: Endpoint) -> bool:
    """May the other machine's own filter or routes keep from the wire what its TCP sends?"""
    assert f.connection is not None
    node = f.connection.machine(other, f.a.network)
    if node is None:
        return True
    for time_ns in (f.call.time_ns, f.call.end_ns):
        outcome = f.a.forwarder.from_node(node, _segment(node, other, f.end, time_ns), time_ns)
        if outcome.node == node and outcome.end not in {"delivered", "off"}:
            return True
    return False


def _all_was_sent(f: Failing, connection: Connection, other: Endpoint) -> bool:
    """Is everything on the wire that the other end's program has written? Its TCP may hold some back, by TCP_CORK."""
    socket, node = f.a.sockets.at(connection, other), connection.machine(other, f.a.network)
    if connection.syn is None or node is None or (socket is None and not f.a.index.sees_programs(node)):
        return False
    written = [
        call for _, call in (socket.calls if socket else ()) if call.name in WRITES or isinstance(call.action, Send)
    ]
    done = [call.result for call in written if call.time_ns <= f.call.end_ns and not call.failed]
    if any(not isinstance(result, Count) for result in done) or any(call.name == "sendmmsg" for call in written):
        return False
    side = connection.side(other)
    fin = connection.sent_fin(other, f.call.end_ns) is not None
    return sum(result.number for result in done if isinstance(result, Count)) == side.top - 1 - fin


def _segment(node: str, src: Endpoint, dst: Endpoint, time_ns: int) -> Packet:
    """A segment of a connection that stands, as a node would send it."""
    return Packet(time_ns, node, "", None, "out", src, dst, Tcp("A", 0, 0))


def _without_power(f: Failing, other: Endpoint) -> str | None:
    """The machine of the other end, where it has had no power since; what it knew of the connection went with that."""
    assert f.connection is not None
    node = f.connection.machine(other, f.a.network)
    if node is None or f.a.outages.crash_between(node, f.connection.known_since(other), f.call.end_ns) is None:
        return None
    return node


def _waits_for_ever(f: Failing, other: Endpoint) -> bool:
    """Would nothing ever end the wait? No keepalive probe is sent, and nothing keeps the two from each other."""
    asked = f.socket.option("keepalive", f.call.end_ns) if f.socket else None
    if f.connection is None or (asked is not None and asked[1] != "off"):
        return False
    ends = [(f.end, other), (other, f.end)]
    for own, to in ends:
        node = f.connection.machine(own, f.a.network)
        if node is None:
            return False
        packet = _segment(node, own, to, f.call.end_ns)
        if f.a.forwarder.from_node(node, packet, f.call.end_ns).end != "delivered":
            return False
    return True


def _stands(f: Failing, connection: Connection) -> bool:
    """Its handshake was finished, and nothing had ended it at either end, when the call was given up."""
    until_ns = f.call.end_ns
    if not connection.established(until_ns) or not connection.completed(until_ns):
        return False
    if any("R" in path.tcp.flags for end in connection.sides for path in connection.side(end).before(until_ns)):
        return False  # one that never got there has ended its maker's end
    for end in connection.sides:
        node = connection.machine(end, f.a.network)
        told = f.a.said(node, "inet_sock_set_state", connection, end) if node else []
        socket = f.a.sockets.at(connection, end)
        calls = [call for _, call in socket.calls if call.end_ns <= until_ns] if socket else []
        if any(event.state == "CLOSE" and event.time_ns <= until_ns for _, event in told):
            return False
        if any(call.result in _ENDED for call in calls):
            return False
    return True


def _outcome_is_known(f: Failing) -> bool:
    """What came of it after the call shows in the timeline: then there is nothing to foretell.

    close() waits for its data and has no errno to give; what an ICMP error comes to depends on more than that.
    """
    if f.call.name == "close" or f.socket is None:
        return True
    later = [call for _, call in f.socket.calls if call.time_ns >= f.call.end_ns and call.name not in _SILENT]
    if any(call.result is not None and not isinstance(call.result, TimedOut) for call in later):
        return True
    if f.connection is None:
        return False
    other = f.connection.other(f.end)
    came = [path for path in f.connection.side(other).paths if path.time_ns > f.call.end_ns]
    return bool(came) or quoted(f)


def _no_connection(f: Failing) -> str:
    own = f.socket.local if f.socket else None
    if own is None:
        return "no connection was ready for it"
    node = f.call.node
    tried = [
        one
        for one in f.a.connections
        if own.covers(one.server) and node in {one.node, f.a.network.owner(one.server.address)}
    ]
    during = [one for one in tried if one.begin_ns <= f.call.end_ns]
    port = f"port {own.port}" if own.address in WILDCARDS else f"port {own.port} of {own.address}"
    if not during and f.a.index.sees_all(node):
        return f"no SYN for {port} was seen until then"
    return f"no connection to {port} was ready for it"
