"""Aborted from its maker's own side: unread data, SO_LINGER(1,0), a listener's end, or keepalive that gave up.

tcp_send_active_reset(): RST and ACK, with the connection's own next sequence number.
"""

from __future__ import annotations

from netsim.analysis.connections import distance
from netsim.analysis.paths import PacketPath
from netsim.analysis.sockets import Death, Socket
from netsim.explain.rst import Finding, Rst, evidence, listener_dying
from netsim.explain.words import closed_listener_by, ended, plural
from netsim.model.explanation import Evidence

_DISCONNECTED = {"", "TCP_STATE", "TCP_ABORT_ON_LINGER"}


def unread_data(rst: Rst) -> Finding | None:
    """close() with received data in the socket: the peer must learn that it was lost (RFC 2525, 2.17; tcp_close())."""
    death = _own_end(rst, {"", "TCP_ABORT_ON_CLOSE"})
    if death is None or death.how != "closed" or not _left_unread(rst):
        return None
    return Finding(
        "unread-data",
        f"The reset came from {rst.node} itself: {death.call}() of {death.process} left {_amount(rst)} unread in the "
        "socket, and TCP says so with a reset instead of a FIN.",
        evidence(*_proof_of_unread(rst, death), rst.tcp_made_it(), _grew(rst, "TCPAbortOnClose"), rst.left()),
    )


def died_unread(rst: Rst) -> Finding | None:
    """The end of a process closes its sockets, and unread data turns that into a reset too (inet_release())."""
    death = _own_end(rst, {"", "TCP_ABORT_ON_CLOSE"})
    if death is None or death.how != "process" or not _left_unread(rst):
        return None
    return Finding(
        "process-died",
        f"The reset came from {rst.node} itself: {ended(death)}, with {_amount(rst)} unread in the socket, and TCP "
        "says so with a reset instead of a FIN.",
        evidence(*_proof_of_unread(rst, death), rst.tcp_made_it(), _grew(rst, "TCPAbortOnClose"), rst.left()),
    )


def linger_zero(rst: Rst) -> Finding | None:
    """close() with SO_LINGER on and 0 seconds: abort (socket(7); tcp_disconnect())."""
    death = _own_end(rst, _DISCONNECTED)
    linger = rst.socket.lingers_zero(death.end_ns) if death is not None and rst.socket else None
    if death is None or linger is None or not (rst.reason or _all_was_read(rst)):
        return None  # unread data comes first, and looks alike
    did = f"its {death.call}()" if death.how == "closed" else f"the end of its process ({ended(death)})"
    of_listener = rst.socket is not None and linger not in {index for index, _ in rst.socket.calls}
    where = "on its listener, from which the socket had it" if of_listener else "on the socket"
    return Finding(
        "linger-zero",
        f"The reset came from {rst.node} itself: {death.process} had set SO_LINGER(1,0), so that {did} aborts the "
        "connection instead of ending it.",
        evidence(
            Evidence(f"{death.process} had set SO_LINGER(1,0) {where}; then {ended(death)}", (linger, death.event)),
            rst.tcp_made_it(),
            _grew(rst, "TCPAbortOnData"),
            rst.left(),
        ),
    )


def closed_listener(rst: Rst) -> Finding | None:
    """A listener that closes resets what it had not accepted yet (inet_csk_listen_stop())."""
    found = _unaccepted(rst)
    if found is None or found[1].how != "closed":
        return None
    _, death = found
    return Finding(
        "closed-listener",
        f"The reset came from {rst.node} itself: {closed_listener_by(death)} before it had accepted the connection.",
        evidence(
            Evidence(f"{death.call}() of the listener was going on", (death.event,)), rst.tcp_made_it(), rst.left()
        ),
    )


def died_before_accept(rst: Rst) -> Finding | None:
    """A process that ends closes its listener too, and what waits to be accepted is reset."""
    found = _unaccepted(rst)
    if found is None or found[1].how != "process":
        return None
    _, death = found
    return Finding(
        "process-died",
        f"The reset came from {rst.node} itself: {ended(death)}, and the connection was still waiting in its "
        "listener's queue: nobody had accepted it.",
        evidence(Evidence(ended(death), (death.event,)), rst.tcp_made_it(), rst.left()),
    )


def keepalive_expired(rst: Rst) -> Finding | None:
    """No answer to the last keepalive probe: the socket gives up, and sends a reset (tcp_keepalive_timer())."""
    if rst.part != "tcp" or rst.shape != "active" or rst.reason not in {"", "TCP_KEEPALIVE_TIMEOUT"}:
        return None
    probes = probes_before(rst)
    asked = rst.socket.option("keepalive", rst.time_ns) if rst.socket else None
    if not rst.reason and (not probes or asked is None or asked[1] == "off" or rst.dying() is not None):
        return None
    counted = bool(probes) and _all_answers_known(rst, probes[0])
    count = (
        f"{plural(len(probes), 'keepalive probe')} had gone unanswered"
        if counted
        else "its keepalive probes had gone unanswered"
    )
    return Finding(
        "keepalive-expired",
        f"The reset came from {rst.node} itself: {count}, so that its TCP gave the connection up and said so with a "
        "reset.",
        evidence(
            Evidence(f"{rst.socket.process} had switched SO_KEEPALIVE on", (asked[0],))
            if asked and rst.socket
            else None,
            Evidence(count, tuple(path.hops[0].index for path in probes)) if counted else None,
            rst.tcp_made_it(),
            rst.left(),
        ),
    )


def told_by_the_kernel(rst: Rst) -> Finding | None:
    """What a program did is not known, but the kernel says why all the same."""
    if rst.part != "tcp" or rst.reason != "TCP_ABORT_ON_CLOSE":
        return None
    if rst.socket is not None and rst.socket.death is not None:
        return None  # the calls tell another story: both cannot be
    if (rst.programs_seen() and rst.socket is not None) or rst.may_have_died() or not _told_of_unread(rst):
        return None
    return Finding(
        "unread-data",
        f"The reset came from {rst.node} itself: its kernel says that a socket was closed with received data that "
        "nobody had read, and TCP tells the peer so with a reset instead of a FIN.",
        evidence(rst.tcp_made_it(), _grew(rst, "TCPAbortOnClose"), rst.left()),
    )


def probes_before(rst: Rst) -> list[PacketPath]:
    """The keepalive probes right before it: they repeat the number before the next one (RFC 1122, 4.2.3.6)."""
    found: list[PacketPath] = []
    for path in reversed(rst.connection.side(rst.source).before(rst.time_ns)):
        if path is rst.path:
            continue
        if path.tcp.flags != "A" or path.tcp.length or distance(path.tcp.seq, rst.tcp.seq) != 1:
            break
        found.append(path)
    answers = [path.time_ns for path in rst.connection.side(rst.target).before(rst.time_ns) if path.arrival(rst.node)]
    return [path for path in reversed(found) if not answers or path.time_ns > answers[-1]]


def _all_answers_known(rst: Rst, first: PacketPath) -> bool:
    """Is it known of everything that the peer sent since then whether it came?"""
    later = [path for path in rst.connection.side(rst.target).before(rst.time_ns) if path.time_ns > first.time_ns]
    begun = rst.connection.syn is not None and not rst.a.index.lost_any
    return begun and all(path.last().lost or path.arrival(rst.node) for path in later)


def _own_end(rst: Rst, reasons: set[str]) -> Death | None:
    """The end of the socket that was going on when its maker aborted."""
    if rst.part != "tcp" or rst.shape != "active" or rst.reason not in reasons:
        return None
    return rst.dying()


def _unaccepted(rst: Rst) -> tuple[Socket, Death] | None:
    if rst.part != "tcp" or rst.shape != "active" or rst.socket is not None or rst.reason not in {"", "TCP_STATE"}:
        return None
    if rst.connection.syn is None or not rst.programs_seen():
        return None  # an accept() may have been before anybody looked
    if any(not socket.connections for socket in rst.a.sockets.accepted.get((rst.node, rst.target), ())):
        return None  # one of just these ends was accepted, and it is not known which
    return listener_dying(rst) if rst.connection.server == rst.source else None


def _unread(rst: Rst) -> int | None:
    """How many bytes were left; None where that cannot be counted."""
    received, read = rst.received(), rst.read()
    if received is None or read is None or not rst.programs_seen():
        return None
    if rst.socket is not None and any(call.name == "recvmmsg" for _, call in rst.socket.calls):
        return None  # it tells of messages, not of bytes
    if any("U" in path.tcp.flags for path in rst.connection.side(rst.target).before(rst.time_ns)):
        return None  # an urgent byte is read apart, or not at all (tcp(7), SO_OOBINLINE)
    return received - read


def _told_of_unread(rst: Rst) -> bool:
    """Does the kernel's reason mean unread data? MPTCP gives it for any end of its own (mptcp_do_fastclose())."""
    counted = rst.a.index.grew(rst.node, "TcpExtTCPAbortOnClose")
    if counted is not None:
        return rst.reason == "TCP_ABORT_ON_CLOSE" and counted[0] > 0
    sockets = [one for one in (rst.socket, rst.socket.listener) if one is not None] if rst.socket else []
    made = [call.detail for one in sockets for _, call in one.calls if call.name == "socket"]
    return rst.reason == "TCP_ABORT_ON_CLOSE" and bool(sockets) and not any("MPTCP" in detail for detail in made)


def _left_unread(rst: Rst) -> bool:
    if rst.reason:
        return _told_of_unread(rst)
    unread, counted = _unread(rst), rst.a.index.grew(rst.node, "TcpExtTCPAbortOnClose")
    return unread is not None and unread > 0 and (counted is None or counted[0] > 0)


def _all_was_read(rst: Rst) -> bool:
    """Was surely nothing left unread?"""
    unread, counted = _unread(rst), rst.a.index.grew(rst.node, "TcpExtTCPAbortOnClose")
    return (counted is not None and not counted[0]) or (unread is not None and unread <= 0)


def _amount(rst: Rst) -> str:
    unread = _unread(rst)
    return plural(unread, "byte") if unread is not None and unread > 0 else "data"


def _proof_of_unread(rst: Rst, death: Death) -> tuple[Evidence | None, ...]:
    ending = Evidence(ended(death), (death.event,))
    unread = _unread(rst)
    if unread is None or unread <= 0:
        return (ending,)
    counts = f"{plural(rst.received() or 0, 'byte')} had arrived, {rst.read()} were read before"
    return Evidence(counts, (death.event,)), (ending if death.how == "process" else None)


def _grew(rst: Rst, counter: str) -> Evidence | None:
    counted = rst.a.index.grew(rst.node, f"TcpExt{counter}")
    if counted is None or not counted[0]:
        return None
    return Evidence(f"{counter} of {rst.node} grew by {counted[0]}", counted[1])
