"""Who felt it: the calls on the socket that a RST ended, until the socket's next connection or its end."""

from __future__ import annotations

from collections.abc import Iterator

from netsim.analysis.sockets import WRITES
from netsim.explain.rst import SLACK_NS, Rst, accepted
from netsim.model.event import Call
from netsim.model.result import Errno, Ready, Signalled

_ERRNOS = frozenset({"ECONNREFUSED", "ECONNRESET", "EPIPE"})


def felt(rst: Rst) -> Iterator[tuple[int, Call]]:
    """The calls of the program at a RST's target that it made fail."""
    node = rst.a.network.owner(rst.target.address) or (rst.path.packet.node if rst.path.packet.link is None else None)
    socket = rst.a.sockets.at(rst.connection, rst.target)
    if node is None or socket is None:
        return
    came_ns = _took_effect(rst, node)
    if came_ns is None:
        return
    shut = socket.shut_down(frozenset({"wr", "rdwr"}), rst.time_ns)
    for index, call in socket.calls:
        if call.end_ns < came_ns - SLACK_NS or socket.connection_of(call) is not rst.connection:
            continue
        if shut is not None and call.time_ns >= shut[1].end_ns and is_broken_pipe(call) and call.name in WRITES:
            continue  # it would have failed so without any RST; ECONNRESET is a RST's (sk_stream_error())
        if call.name == "connect" and call.local is not None and call.local.port not in {0, rst.target.port}:
            continue  # another attempt of the same socket
        if is_felt(call):
            yield index, call


def all_felt(rst: Rst, loose: set[str]) -> bool:
    """Is it known that no call felt a RST, where none was found? `loose` are nodes with calls that nothing explains."""
    node = rst.a.network.owner(rst.target.address)
    if node is None:
        return False
    if _never_took_effect(rst, node):
        return True
    known = rst.a.sockets.at(rst.connection, rst.target) is not None or node not in loose
    return known and rst.a.index.sees_programs(node)


def is_broken_pipe(call: Call) -> bool:
    """Did a write find that nothing can be written any more? EPIPE, and SIGPIPE with it."""
    return call.result in {Errno("EPIPE"), Signalled("SIGPIPE")}


def is_felt(call: Call) -> bool:
    """Has a call a result by which a program notices a RST? ERR from poll() is one."""
    match call.result:
        case Errno(name=name):
            return name in _ERRNOS
        case Signalled(signal=signal):
            return signal == "SIGPIPE"
        case Ready(events=events):
            return "ERR" in events
    return False


def _never_took_effect(rst: Rst, node: str) -> bool:
    """It never arrived, or a filter or TCP itself dropped it."""
    if rst.path.arrival(node) is not None:
        own = rst.connection.side(rst.target).before(rst.time_ns)
        told = rst.a.index.on("tcp_receive_reset") and not rst.a.index.lost_any
        if not own and not told:
            return False  # nobody saw what its target had sent, and so which number was the next
        return accepted(rst.a, rst.connection, rst.path, node) is None
    return rst.path.last().lost or rst.a.index.sees_links(node)


def _took_effect(rst: Rst, node: str) -> int | None:
    """When a node's TCP took the RST in; None where it surely never did.

    Where nobody watched its arrival, the kernel of that node may say it, or the network: what cannot be lost came.
    """
    if _never_took_effect(rst, node):
        return None
    hop = rst.path.arrival(node)
    if hop is not None:
        return hop.time_ns
    last = rst.path.last()
    forwarder = rst.a.forwarder
    if last.came is None:
        outcome = forwarder.from_node(last.sender, rst.path.packet, last.time_ns)
    else:
        outcome = forwarder.arriving(last.receiver, rst.path.packet, last.time_ns)
    if (outcome.end, outcome.node) != ("delivered", node):
        return None
    if rst.a.index.on("tcp_receive_reset"):
        told = rst.a.received.get((rst.path.number, node))
        return rst.a.timeline.events[told].time_ns if told is not None else None
    return rst.time_ns
