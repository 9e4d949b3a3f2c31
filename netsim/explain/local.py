"""Calls that failed at home: a route, a port or an earlier call of the program's own, and no packet at all."""

from __future__ import annotations

from netsim.analysis.connections import Connection, distance
from netsim.analysis.paths import PacketPath
from netsim.analysis.sockets import WRITES, Death, Socket
from netsim.explain.failing import Failing, failure
from netsim.explain.felt import is_broken_pipe, is_felt
from netsim.explain.words import ended, plural
from netsim.model.action import Bind, Connect, Listen
from netsim.model.endpoint import WILDCARDS, Endpoint
from netsim.model.event import Call
from netsim.model.explanation import Evidence, Failure
from netsim.model.result import Count, Errno, Ok, Ready

_ROUTES = {
    "none": {"ENETUNREACH"}, "throw": {"ENETUNREACH"}, "unreachable": {"EHOSTUNREACH"}, "prohibit": {"EACCES"},
    "blackhole": {"EINVAL"},
}  # fmt: skip
"""What connect() gives for each kind of route that leads nowhere (fib_props in net/ipv4/fib_semantics.c)."""

_DEAD = frozenset({
    "ETIMEDOUT", "EHOSTUNREACH", "ENETUNREACH", "ECONNREFUSED", "ECONNRESET", "EPIPE", "ENOPROTOOPT", "EACCES",
})  # fmt: skip
_TIME_WAIT_NS = 60_000_000_000
"""TCP_TIMEWAIT_LEN."""
_AFTER_DEATH = frozenset({"EPIPE", "ENOTCONN", "ECONNRESET", "ECONNABORTED"})


def own_route(f: Failing) -> Failure | None:
    """The node's own routes have no way, or refuse it: connect() fails at once (ip_route_output_key())."""
    target = f.target
    if not isinstance(f.call.action, Connect) or target is None or not f.errno:
        return None
    kind = f.way(f.call.node).kind
    if f.errno not in _ROUTES.get(kind, set()) or f.connection is not None:
        return None
    to = f.words.host(target.address)
    has = f"no route to {to}" if kind == "none" else f"a route of type {kind} to {to}"
    return failure(
        f, "own-route", f"{f.said()} failed at once: {f.call.node} itself has {has}, and no packet was sent."
    )


def address_in_use(f: Failing) -> Failure | None:
    """bind(), listen() or connect() found the address taken (inet_csk_get_port(), __inet_check_established())."""
    if f.errno != "EADDRINUSE" or (isinstance(f.call.action, Bind) and not f.call.action.port):
        return None
    port = _port(f)
    holders = _holders(f, port) if port else []
    if holders:
        one = holders[0]
        what = "listens on" if one.listening(f.call.time_ns) else "has"
        because = f"{f.said()} failed: {one.process} {what} port {port} of {f.call.node} already."
        return failure(f, "address-in-use", because, Evidence(f"{one.process} has port {port}", (one.opened,)))
    gone = _left_behind(f, port) if port else None
    if gone is not None:
        dead, state = gone
        is_where = f"is still in {state}" if state else "has not come to its end yet"
        because = (
            f"{f.said()} failed: a connection that {f.call.node} closed {is_where} on port {port}, and not both "
            "sockets had set SO_REUSEADDR."
        )
        return failure(f, "address-in-use", because, Evidence(f"{ended(dead)}", (dead.event,)))
    return failure(f, "address-in-use", f"{f.said()} failed: the address is in use on {f.call.node}.")


def _port(f: Failing) -> int | None:
    match f.call.action:
        case Bind(port=port) | Listen(port=port):
            return port or None
    return f.call.local.port if f.call.local and f.call.local.port else None


def _holders(f: Failing, port: int) -> list[Socket]:
    """Sockets of the node that were alive then and bound to that port."""
    found = [
        one
        for one in f.a.sockets.by_name.values()
        if one is not f.socket
        and one.node == f.call.node
        and one.born_ns <= f.call.time_ns
        and one.alive(f.call.time_ns)
    ]
    bound = [one for one in found if one.local is not None and one.local.port == port and _conflicts(f, one)]
    return sorted(bound, key=lambda one: not one.listening(f.call.time_ns))


def _conflicts(f: Failing, holder: Socket) -> bool:
    """Do two sockets of a port want the same address? Only SO_REUSEPORT on both lets them."""
    wanted, has = f.call.local, holder.local
    assert has is not None
    sockets = [one for one in (f.socket, holder) if one is not None]
    shared = [option and option[1] == "on" for option in (one.option("reuseport", f.call.time_ns) for one in sockets)]
    same = wanted is None or wanted.address == has.address or not {wanted.address, has.address}.isdisjoint(WILDCARDS)
    return same and not (len(shared) == 2 and all(shared))


def _left_behind(f: Failing, port: int) -> tuple[Death, str] | None:
    """The end of a socket of that port whose FIN was sent first, and the state that it is in; '' if nobody can know."""
    for one in f.a.sockets.by_name.values():
        dead = one.death if one.node == f.call.node and one.local and one.local.port == port else None
        if dead is None or dead.how == "power" or dead.end_ns > f.call.time_ns or not one.connections:
            continue
        if f.call.time_ns - dead.end_ns > _TIME_WAIT_NS:
            continue
        connection = one.connections[-1]
        own = one.local if one.local in connection.sides else None
        if own is None:
            continue
        mine, other = (
            connection.sent_fin(own, f.call.time_ns),
            connection.sent_fin(connection.other(own), f.call.time_ns),
        )
        if mine is not None and (other is None or mine.time_ns <= other.time_ns):
            return dead, _state_of_closed(f, connection, own, mine, other)
    return None


_CLOSED = {
    (False, False): "FIN_WAIT1", (True, False): "FIN_WAIT2", (False, True): "CLOSING", (True, True): "TIME_WAIT",
}  # fmt: skip
"""The state of an end that sent its FIN first: has it been acknowledged, and has the other's come?"""


def _state_of_closed(
    f: Failing, connection: Connection, own: Endpoint, mine: PacketPath, other: PacketPath | None
) -> str:
    node = f.call.node
    if not f.a.index.sees_all(node):
        return ""
    came = [p for p in connection.side(connection.other(own)).before(f.call.time_ns) if p.arrival(node) is not None]
    acked = any("A" in p.tcp.flags and distance(mine.tcp.end, p.tcp.ack) >= 0 for p in came)
    return _CLOSED[acked, other in came]


def ports_exhausted(f: Failing) -> Failure | None:
    """No port of net.ipv4.ip_local_port_range was free: for that destination (__inet_hash_connect()), or for bind()."""
    at_bind = f.errno == "EADDRINUSE" and isinstance(f.call.action, Bind) and not f.call.action.port
    if not at_bind and (f.errno != "EADDRNOTAVAIL" or f.call.name != "connect" or f.target is None or f.socket is None):
        return None
    if f.socket and any(isinstance(call.action, Bind) and call.action.port for _, call in f.socket.calls):
        return None  # it had a port: another connection has the same ends
    ports = f.a.forwarder.sysctl(f.call.node, "net.ipv4.ip_local_port_range", f.call.time_ns)
    bounds = [int(word) for word in (ports or "").split() if word.isdigit()]
    if len(bounds) != 2:
        return None
    for_whom = "" if at_bind or f.target is None else f" for another connection to {f.words.end(f.target)}"
    because = (
        f"{f.said()} failed: {f.call.node} takes a port from {bounds[0]} to {bounds[1]} where a program names none "
        f"(net.ipv4.ip_local_port_range), and it found none free{for_whom}."
    )
    return failure(f, "ports-exhausted", because, None if at_bind else _ports_used(f, range(bounds[0], bounds[1] + 1)))


def _ports_used(f: Failing, ports: range) -> Evidence | None:
    """How many of the ports had connections to that destination, where all of these would have been seen."""
    if not f.a.index.sees_all(f.call.node):
        return None
    used = {
        one.client.port
        for one in f.a.connections
        if f.a.network.owner(one.client.address) == f.call.node
        and one.server == f.target
        and one.begin_ns <= f.call.time_ns
    }
    return Evidence(f"{plural(len(used.intersection(ports)), 'port')} of these had been used for it")


def own_shutdown(f: Failing) -> Failure | None:
    """Writing after shutdown(SHUT_WR): EPIPE, whatever the peer does (tcp_sendmsg())."""
    if f.socket is None or f.call.name not in WRITES or not is_broken_pipe(f.call):
        return None
    shut = f.socket.shut_down(frozenset({"wr", "rdwr"}), f.call.time_ns)
    if shut is None or _died_before(f, shut[1].time_ns):
        return None
    because = f"{f.said()} failed: {f.call.process} had shut down its own sending side before."
    return failure(f, "own-shutdown", because, Evidence(f"{f.call.process} called shutdown()", (shut[0],)))


def echo(f: Failing) -> Failure | None:
    """A dead socket tells its error once, to one call; every later write gets EPIPE (sock_error(), tcp_sendmsg())."""
    if f.socket is None or not (is_broken_pipe(f.call) or _name(f.call) in _AFTER_DEATH):
        return None
    first = _died_before(f, f.call.time_ns)
    if first is None:
        return None
    index, call = first
    opening = f.socket.opening(call)
    if opening is None and f.connection is None:
        return None  # there never was a connection that could have died
    if f.connection is not None:
        stood = f.connection.established(call.time_ns)
    else:  # nobody saw it: what its opening gave may tell
        stood = opening is not None and (isinstance(opening.call.result, Ok) or bool(opening.call.made))
    refused = not stood and (f.connection is not None or call.name == "connect")
    what = "the connection had died" if stood else "it could not be connected" if refused else "the socket had failed"
    because = f"{f.said()} failed because {what} before: {call.name}() of {call.process} had been told {call.result}."
    return failure(f, "echo", because, Evidence(f"{call.name}() = {call.result}", (index,)))


def _died_before(f: Failing, time_ns: int) -> tuple[int, Call] | None:
    """The call on this socket that had been told of the death of the same connection, or that it could not be made."""
    assert f.socket is not None
    opening = f.socket.opening(f.call)
    found: tuple[int, Call] | None = None
    for index, call in f.socket.calls:
        if call.time_ns >= time_ns or index == f.index:
            break
        if f.socket.opening(call) is not opening:
            continue
        if call.name in WRITES and isinstance(call.result, Count):
            found = None  # it lives: what was told before was of the way only
        elif found is None and _tells_of_death(f, call):
            found = (index, call)
    return found


def _tells_of_death(f: Failing, call: Call) -> bool:
    """Has a call an error that ended its connection? What getsockopt() gives may be of ICMP, which ends none."""
    if isinstance(call.result, Ready):
        return is_felt(call)
    if call.name == "getsockopt" and f.connection is not None and f.connection.established(call.time_ns):
        return _name(call) in {"ETIMEDOUT", "ECONNRESET", "EPIPE"}
    return _name(call) in _DEAD


def _name(call: Call) -> str:
    return call.result.name if isinstance(call.result, Errno) else ""
