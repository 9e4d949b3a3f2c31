"""The destination's own TCP refused: nobody listens, or no longer, or the accept queue was full."""

from __future__ import annotations

from netsim.analysis.sockets import Socket
from netsim.explain.rst import Finding, Rst, evidence
from netsim.explain.words import closed_listener_by, ended
from netsim.model.event import Kernel
from netsim.model.explanation import Evidence


def service_stopped(rst: Rst) -> Finding | None:
    """A SYN for a port whose listener has come to its end."""
    past = _listeners(rst)
    if past is None:
        return None
    last = past[-1] if past else None
    if last is None or last.death is None or last.death.start_ns > rst.time_ns:
        return _stopped_unseen(rst)
    if last.death.how == "power":
        return None
    port = rst.source.port
    how = ended(last.death) if last.death.how == "process" else closed_listener_by(last.death)
    because = (
        f"The reset came from {rst.node} itself: its TCP refused, because nothing listens on port {port} any more: "
        f"{how}."
    )
    return Finding(
        "service-stopped",
        because,
        evidence(
            Evidence(f"{last.process} had listened on port {port}", (last.opened,)),
            Evidence(f"{how} before the SYN came", (last.death.event,)),
            _arrived(rst),
            rst.left(),
            rst.tcp_made_it(),
        ),
    )


def _stopped_unseen(rst: Rst) -> Finding | None:
    """Nobody saw the calls of whoever listened, but the kernel says that somebody had."""
    told = _kernel_on_listeners(rst)
    if not told:
        return None
    port = rst.source.port
    because = (
        f"The reset came from {rst.node} itself: its TCP refused, because nothing listens on port {port} any more: "
        "its listener has ended."
    )
    known = Evidence(f"the kernel of {rst.node} says that somebody had listened on port {port}", told)
    return Finding("service-stopped", because, evidence(known, _arrived(rst), rst.left(), rst.tcp_made_it()))


def closed_port(rst: Rst) -> Finding | None:
    """A SYN for a port that nobody listens on: RST+ACK (RFC 9293, 3.10.7.1; tcp_v4_send_reset())."""
    past = _listeners(rst)
    if past is None:
        return None
    address, port = rst.source.address, rst.source.port
    ever = [s for s in rst.a.sockets.listeners.get((rst.node, port), ()) if s.born_ns <= rst.time_ns]
    other = [s for s in ever if s.listening(rst.time_ns)]
    if other:
        bound = ", ".join(sorted({str(s.local.address) for s in other if s.local}))
        why = f"nothing listens on {address}, port {port}; {other[0].process} listens there on {bound} only"
    elif past:
        why = f"nothing listens on port {port} since {rst.node} lost power and booted"
    elif not rst.programs_seen():
        why = f"nothing listens on {address}, port {port}"
    else:
        why = f"nothing listens on port {port}"
    because = f"The reset came from {rst.node} itself: its TCP refused, because {why}."
    seen = rst.programs_seen() and not ever
    nobody = Evidence(f"no program on {rst.node} had listened on port {port}") if seen else None
    return Finding("closed-port", because, evidence(_arrived(rst), nobody, rst.left(), rst.tcp_made_it()))


def _listeners(rst: Rst) -> list[Socket] | None:
    """The sockets that have listened for what a SYN wanted, all of them dead by now; None where this is no such RST."""
    if rst.part != "tcp" or rst.shape != "answers-syn" or rst.reason not in {"", "NO_SOCKET"}:
        return None
    past = [s for s in rst.a.sockets.listened(rst.node, rst.source) if s.listens_ns and s.listens_ns <= rst.time_ns]
    told = _kernel_on_listeners(rst)
    if rst.node in rst.a.sockets.hidden or _alive(rst, told) > 0:
        return None
    lives = [s for s in past if s.death is None or (s.death.end_ns > rst.time_ns and s.alive(rst.time_ns))]
    if lives and (len(lives) > len(told) // 2 or rst.a.index.lost_any):
        return None  # unless the kernel has told of the end of each of them, whoever had it last
    return sorted(past, key=lambda s: s.death.end_ns if s.death and s not in lives else rst.time_ns)


def _alive(rst: Rst, told: tuple[int, ...]) -> int:
    """How many listened there when the SYN came, by what the kernel says."""
    events = (rst.a.timeline.events[index] for index in told)
    return sum(1 if event.state == "LISTEN" else -1 for event in events if isinstance(event, Kernel))


def _kernel_on_listeners(rst: Rst) -> tuple[int, ...]:
    """What the kernel said, since the machine's last boot, of listeners for what a SYN wanted."""
    booted = rst.a.outages.booted(rst.node, rst.time_ns)
    told = rst.a.index.listening.get(rst.node, ())
    return tuple(
        index for index, event in told if event.local.covers(rst.source) and booted <= event.time_ns < rst.time_ns
    )


def abort_on_overflow(rst: Rst) -> Finding | None:
    """The last ACK of a handshake, no room in the accept queue, and tcp_abort_on_overflow=1 (tcp_check_req())."""
    trigger = rst.trigger
    if rst.part != "tcp" or trigger is None or rst.shape != "answers" or rst.reason not in {"", "INVALID_SYN"}:
        return None
    on = rst.a.forwarder.sysctl(rst.node, "net.ipv4.tcp_abort_on_overflow", rst.time_ns) == "1"
    server = rst.connection.server == rst.source and rst.connection.syn is not None
    if not on or not server or rst.socket is not None:
        return None
    overflows = rst.a.index.grew(rst.node, "TcpExtListenOverflows")
    listening = [s for s in rst.a.sockets.listened(rst.node, rst.source) if s.listening(rst.time_ns)]
    if len(listening) != 1 or (overflows is not None and not overflows[0]):
        return None
    waiting, backlog = rst.a.queue_of(listening[0], trigger.time_ns)
    if not rst.reason and (waiting <= backlog or _may_have_expired(rst) or _sent_before(rst)):
        return None  # its half of the connection may not have been there any more
    because = (
        f"The reset came from {rst.node} itself: the accept queue of port {rst.source.port} was full when the "
        "handshake's ACK came, and net.ipv4.tcp_abort_on_overflow is 1 there."
    )
    counted = Evidence(f"ListenOverflows of {rst.node} grew by {overflows[0]}", overflows[1]) if overflows else None
    queue = Evidence(f"{listening[0].process} listens with a backlog of {backlog}", (listening[0].opened,))
    return Finding("abort-on-overflow", because, evidence(queue, counted, rst.tcp_made_it(), rst.left()))


def _may_have_expired(rst: Rst) -> bool:
    """Has the SYN ACK been sent as often as it is, and the wait for its ACK so perhaps been given up?"""
    sent = [path for path in rst.connection.side(rst.source).before(rst.time_ns) if "S" in path.tcp.flags]
    retries = rst.a.forwarder.sysctl(rst.node, "net.ipv4.tcp_synack_retries", rst.time_ns) or "5"
    return not rst.a.index.sees_links(rst.node) or not retries.isdigit() or len(sent) > int(retries)


def _sent_before(rst: Rst) -> bool:
    """Was there a RST of this side before?"""
    own = rst.connection.side(rst.source).before(rst.time_ns)
    return any("R" in path.tcp.flags and path is not rst.path for path in own)


def _arrived(rst: Rst) -> Evidence | None:
    hop = rst.trigger.arrival(rst.node) if rst.trigger else None
    return None if hop is None else Evidence(f"the SYN arrived at {rst.node}", (hop.index,))
