"""Data for a connection that the other side no longer has: its program closed it, its machine forgot it, or it never
was finished there.

tcp_v4_send_reset(): R alone, with the number that the segment acknowledged (RFC 9293, 3.10.7.1).
"""

from __future__ import annotations

from netsim.explain.rst import SLACK_NS, Finding, Rst, accepted, evidence
from netsim.explain.words import ended, plural
from netsim.model.duration import show_duration
from netsim.model.explanation import Evidence
from netsim.model.result import Errno

_OF_A_CLOSED_SOCKET = {
    "",
    "NO_SOCKET",
    "TCP_ABORT_ON_DATA",
    "TCP_TIMEWAIT_SOCKET",
    "TCP_FLAGS",
    "TCP_INVALID_ACK_SEQUENCE",
}
_GAVE_UP = {"ETIMEDOUT", "EHOSTUNREACH"}
_OF_NO_SOCKET = {"", "NO_SOCKET", "TCP_FLAGS", "INVALID_SYN"}


def rebooted(rst: Rst) -> Finding | None:
    """A segment that belongs to no connection since a power loss (RFC 9293, 3.5.2)."""
    if not _is_stray(rst, {*_OF_NO_SOCKET, "TCP_INVALID_ACK_SEQUENCE"}):
        return None
    crash = rst.a.outages.crash_between(rst.node, rst.connection.known_since(rst.source), rst.time_ns)
    if crash is None:
        return None
    because = (
        f"The reset came from {rst.node} itself: it lost power and has booted since, so the connection means nothing "
        f"to it{_still_held(rst, 'its')}."
    )
    fault = Evidence(f"{rst.node} lost power after the connection was begun", (crash.began,))
    return Finding("peer-forgot", because, evidence(fault, _arrived(rst), rst.tcp_made_it(), rst.left()))


def closed_socket(rst: Rst) -> Finding | None:
    """Data after close(): nobody can ever read it, and the sender is told (RFC 1122, 4.2.2.13)."""
    if not _is_stray(rst, _OF_A_CLOSED_SOCKET) or _lost_otherwise(rst):
        return None
    death, what = rst.dead_before(), _what_came(rst)
    if death is None:
        return _shut_both_ways(rst, what)
    if death.how != "closed" or not rst.agrees(death):
        return None
    because = (
        f"The reset came from {rst.node} itself: {death.process} had closed the connection, and {what} came for it "
        "afterwards."
    )
    return Finding("closed-socket", because, evidence(_ended_before(rst), _arrived(rst), rst.tcp_made_it(), rst.left()))


def _shut_both_ways(rst: Rst, what: str) -> Finding | None:
    """shutdown() of both directions leaves nobody who could read, as close() does (tcp_rcv_state_process())."""
    shut = [rst.socket.shut_down(frozenset({way, "rdwr"}), rst.time_ns) for way in ("rd", "wr")] if rst.socket else []
    calls = {found[0]: found[1] for found in shut if found is not None}
    if len([one for one in shut if one]) != 2 or rst.reason not in {"", "TCP_ABORT_ON_DATA"}:
        return None
    process = next(iter(calls.values())).process
    because = (
        f"The reset came from {rst.node} itself: {process} had shut down both directions of the connection, and {what} "
        "came for it afterwards."
    )
    done = Evidence(f"{process} had called shutdown()", tuple(calls))
    return Finding("closed-socket", because, evidence(done, _arrived(rst), rst.tcp_made_it(), rst.left()))


def died_before(rst: Rst) -> Finding | None:
    """Data for a socket whose process has ended."""
    death = rst.dead_before()
    if death is None or death.how != "process" or not _is_stray(rst, _OF_A_CLOSED_SOCKET) or _lost_otherwise(rst):
        return None
    if not rst.agrees(death):
        return None
    because = (
        f"The reset came from {rst.node} itself: {ended(death)}, which closed the connection, and {_what_came(rst)} "
        "came for it afterwards."
    )
    return Finding("process-died", because, evidence(_ended_before(rst), _arrived(rst), rst.tcp_made_it(), rst.left()))


def gave_up(rst: Rst) -> Finding | None:
    """Its own TCP had given the connection up, or had been told that it was reset, and let nobody else know."""
    if not _is_stray(rst, _OF_NO_SOCKET):
        return None
    reset, timed_out = rst.reset_told(), _time_out(rst)
    if reset is not None:
        why, proof = "had been reset before", reset
    elif timed_out is not None:
        why = "had been given up before"
        proof = Evidence(f"the connection had ended with {timed_out[1]} at {rst.node}", (timed_out[0],))
    else:
        return None
    because = (
        f"The reset came from {rst.node} itself: its end of the connection {why}, so it means nothing to it"
        f"{_still_held(rst, 'the other')}."
    )
    return Finding("peer-forgot", because, evidence(proof, _arrived(rst), rst.tcp_made_it(), rst.left()))


def half_open_expired(rst: Rst) -> Finding | None:
    """The handshake's last ACK never came, the SYN ACKs were given up, and then data came (tcp_synack_retries)."""
    if not _is_stray(rst, _OF_NO_SOCKET) or rst.connection.server != rst.source or rst.socket is not None:
        return None
    answers = [
        p for p in rst.connection.side(rst.source).before(rst.time_ns) if "S" in p.tcp.flags and "A" in p.tcp.flags
    ]
    acks = [
        p for p in rst.connection.side(rst.target).before(rst.time_ns) if "A" in p.tcp.flags and p is not rst.trigger
    ]
    got = [p for p in acks if p.arrival(rst.node) is not None]
    begun = rst.connection.begin_ns
    listeners = [s for s in rst.a.sockets.listened(rst.node, rst.source) if s.alive(begun) or s.alive(rst.time_ns)]
    if (
        rst.connection.syn is None
        or not answers
        or got
        or not rst.a.index.sees_links(rst.node)
        or rst.perhaps_reset_before()
    ):
        return None
    if not listeners or not all(s.listening(begun) and s.listening(rst.time_ns) for s in listeners):
        return None  # a listener that closes forgets what is half open, too
    if rst.a.forwarder.sysctl(rst.node, "net.ipv4.tcp_abort_on_overflow", rst.time_ns) == "1":
        return None
    because = (
        f"The reset came from {rst.node} itself: the handshake's last ACK never got there, its half of the connection "
        f"had expired after {plural(len(answers), 'SYN ACK')}, and then {_what_came(rst)} came; to "
        f"{rst.words.end(rst.target)} the connection stood."
    )
    proof = Evidence(
        f"{rst.node} had sent its SYN ACK {plural(len(answers), 'time')}, and no ACK had come to it",
        tuple(path.hops[0].index for path in answers),
    )
    return Finding("half-open-expired", because, evidence(proof, _arrived(rst), rst.tcp_made_it(), rst.left()))


def told_by_the_kernel(rst: Rst) -> Finding | None:
    """What a program did is not known, but the kernel says that its socket was closed."""
    if rst.reason not in {"TCP_ABORT_ON_DATA", "TCP_TIMEWAIT_SOCKET"} or not _is_stray(rst, _OF_A_CLOSED_SOCKET):
        return None
    if rst.programs_seen() or rst.dead_before() is not None:
        return None  # the calls tell: another cause has looked at them, and did not recognise itself
    if rst.may_have_died():
        return None
    because = f"The reset came from {rst.node} itself: its kernel says that {_what_came(rst)} came when nobody could "
    because += "read it there any more."
    return Finding("closed-socket", because, evidence(_arrived(rst), rst.tcp_made_it(), rst.left()))


def _is_stray(rst: Rst, reasons: set[str]) -> bool:
    """Is it the answer of its maker's TCP to a segment with ACK?"""
    return rst.part == "tcp" and rst.shape == "answers" and rst.reason in reasons


def _lost_otherwise(rst: Rst) -> bool:
    """Its maker lost power after its program had let go, or had perhaps been reset: then the end is another one."""
    since_ns = rst.connection.known_since(rst.source)
    crashed = rst.a.outages.crash_between(rst.node, since_ns, rst.time_ns) is not None
    return crashed or rst.perhaps_reset_before()


def _ended_before(rst: Rst) -> Evidence | None:
    death = rst.dead_before()
    if death is None or rst.trigger is None:
        return None
    first = rst.trigger.hops[0]
    sent = first.left is not None and first.sender == rst.a.network.owner(rst.target.address)
    gap_ns = rst.trigger.time_ns - death.end_ns
    came = _what_came(rst).replace("data", "the data")
    when = f" {show_duration(gap_ns)} before {came} was sent" if sent and gap_ns > 0 else ""
    called = f"{death.process} had called {death.call}()" if death.how == "closed" else ended(death)
    return Evidence(f"{called}{when}", (death.event,))


def _still_held(rst: Rst, whose: str) -> str:
    """That the other side had its end yet when it sent, and whether it got the answer: as far as that is known."""
    sent_ns = rst.trigger.time_ns if rst.trigger else rst.time_ns
    socket = rst.a.sockets.at(rst.connection, rst.target)
    if socket is None or (socket.death is not None and socket.death.start_ns <= sent_ns + SLACK_NS):
        return ""
    node = rst.a.network.owner(rst.target.address)
    came = node is not None and accepted(rst.a, rst.connection, rst.path, node) is not None
    return f"; {rst.words.end(rst.target)} still held {whose} end{', and found out when it sent' if came else ''}"


def _what_came(rst: Rst) -> str:
    tcp = rst.trigger.tcp if rst.trigger else None
    if tcp is None:
        return "a segment"
    if tcp.length:
        return "data"
    return "the SYN ACK" if "S" in tcp.flags else "a FIN" if "F" in tcp.flags else "a segment"


def _arrived(rst: Rst) -> Evidence | None:
    hop = rst.trigger.arrival(rst.node) if rst.trigger else None
    if hop is None or rst.trigger is None:
        return None
    length = rst.trigger.tcp.length
    what = f"{_what_came(rst)} of {plural(length, 'byte')}" if length else _what_came(rst)
    return Evidence(f"{what} arrived at {rst.node}", (hop.index,))


def _went_on(rst: Rst, since_ns: int) -> bool:
    """Did its maker's end of the connection send anything but a RST after a moment?"""
    own = rst.connection.side(rst.source).before(rst.time_ns)
    return any(path.time_ns > since_ns + SLACK_NS and "R" not in path.tcp.flags for path in own)


def _time_out(rst: Rst) -> tuple[int, str] | None:
    """What tells that its maker's TCP had given up, and with which errno: the kernel's report, or a call.

    getsockopt(SO_ERROR) tells soft errors too, which end nothing: ICMP's, about a connection that stands.
    """
    for index, told in rst.a.said(rst.node, "inet_sk_error_report", rst.connection, rst.source):
        if told.reason in _GAVE_UP and told.time_ns <= rst.time_ns + SLACK_NS:
            return index, told.reason
    for index, call in rst.socket.calls if rst.socket else ():
        name = call.result.name if isinstance(call.result, Errno) and call.name != "getsockopt" else ""
        mine = rst.socket is not None and rst.socket.connection_of(call) is rst.connection
        if name in _GAVE_UP and mine and call.end_ns <= rst.time_ns + SLACK_NS and not _went_on(rst, call.end_ns):
            return index, name
    return None
