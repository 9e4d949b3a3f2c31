"""Sockets of programs: each from its birth to its death, with the calls on it and the connections that it had."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from netsim.analysis.connections import Connection
from netsim.analysis.index import TimelineIndex
from netsim.analysis.outages import FOREVER_NS, Outages
from netsim.model.action import Close, Recv, SetOption, Shutdown
from netsim.model.endpoint import WILDCARDS, Endpoint
from netsim.model.event import Call, Kernel, ProcessEnd
from netsim.model.network import Network
from netsim.model.result import Count, Errno, Ok, TimedOut

READS = frozenset({"recv", "recvmsg", "recvmmsg", "read", "readv"})
WRITES = frozenset({"send", "sendmsg", "sendmmsg", "write", "writev", "sendfile"})

_LEAVES = re.compile("MSG_PEEK|MSG_ERRQUEUE")
"""Flags of a read that takes nothing out of the stream: a look at it, or what the error queue gives back."""
_PENDING = {Errno("EINPROGRESS"), Errno("EINTR")}
_SYN_SLACK_NS = 5_000_000
"""A SYN may seem to leave this much before its connect() began, where two clocks meet."""


@dataclass(frozen=True, slots=True)
class Death:
    """The end of a socket: between these moments, by this event."""

    how: Literal["closed", "process", "power"]
    start_ns: int
    end_ns: int
    event: int
    process: str
    outcome: str = ""
    """Of a process that ended: how."""
    call: str = "close"
    """Of one that was closed: the call that did it."""


@dataclass(slots=True)
class Opening:
    """A call that began a connection, or gave one: connect(), accept(), or a send() that opens (TCP_FASTOPEN)."""

    index: int
    call: Call
    connection: Connection | None = None
    """None where none of its packets was found, or there were none."""

    @property
    def pending(self) -> bool:
        """The call ended before its connection was made or refused: what comes of it comes later."""
        result = self.call.result
        return result is None or isinstance(result, TimedOut) or result in _PENDING


@dataclass(slots=True)
class Socket:
    """One socket of one program; several processes may have it open."""

    name: str
    node: str
    process: str
    calls: list[tuple[int, Call]] = field(default_factory=list)
    """With their events, by their beginnings."""
    listener: Socket | None = None
    """Whose accept() made it."""
    listens_ns: int | None = None
    """When its listen() had returned."""
    listen: int | None = None
    """The event of that."""
    bound: Endpoint | None = None
    """Of a listener whose calls do not tell: where it listens, by what the kernel says."""
    death: Death | None = None
    openings: list[Opening] = field(default_factory=list)
    """In time order; a socket may be connected again."""

    @property
    def connections(self) -> list[Connection]:
        """Those of its openings that were found."""
        return [one.connection for one in self.openings if one.connection is not None]

    def opening(self, call: Call) -> Opening | None:
        """What had opened the connection that a call was about."""
        before = [one for one in self.openings if one.call is call or one.call.time_ns <= call.time_ns]
        return before[-1] if before else None

    def connection_of(self, call: Call) -> Connection | None:
        """The connection that a call was about; None where it had none, or none was found."""
        opening = self.opening(call)
        return opening.connection if opening else None

    def until(self, opening: Opening) -> int:
        """When the socket was opened again, or its end."""
        later = [one.call.time_ns for one in self.openings if one.call.time_ns > opening.call.time_ns]
        return min(*later, self.death.end_ns if self.death else FOREVER_NS, FOREVER_NS)

    @property
    def born_ns(self) -> int:
        return self.calls[0][1].time_ns if self.calls else 0

    @property
    def opened(self) -> int:
        """The event that stands for it as a listener: its listen(), else the first call on it that has an address."""
        told = next((index for index, call in self.calls if call.local is not None), self.calls[0][0])
        return told if self.listen is None else self.listen

    @property
    def pid(self) -> int:
        return self.calls[0][1].pid if self.calls else 0

    @property
    def local(self) -> Endpoint | None:
        """Its own end, as last told; what accept() tells is about the socket that it made."""
        told = (
            call.local
            for _, call in reversed(self.calls)
            if call.local and call.made in {"", self.name} and not (call.name == "bind" and call.failed)
        )
        return self.bound or next(told, None)

    def alive(self, time_ns: int) -> bool:
        return self.death is None or time_ns < self.death.start_ns

    def listening(self, time_ns: int) -> bool:
        """It surely took connections at that moment."""
        return self.listens_ns is not None and self.listens_ns <= time_ns and self.alive(time_ns)

    def option(self, name: str, before_ns: int) -> tuple[int, str] | None:
        """The value that an option had at a moment and the call that set it, on the listener that it came from too."""
        for index, call in reversed(self.calls):
            sets = isinstance(call.action, SetOption) and call.action.option == name and isinstance(call.result, Ok)
            if sets and call.time_ns <= before_ns and isinstance(call.action, SetOption):
                return index, call.action.value
        if self.listener is not None:
            return self.listener.option(name, self._inherits_ns())
        return None

    def _inherits_ns(self) -> int:
        """When it took its listener's options: as the handshake ended (tcp_create_openreq_child())."""
        connection = self.openings[0].connection if self.openings else None
        ended = next(connection.completing(FOREVER_NS), None) if connection and connection.syn else None
        return ended.last().time_ns if ended else self.born_ns

    def listening_call(self, time_ns: int) -> Call:
        """A listener's last listen() before a moment, or its last at all: it takes its limits then, and only then."""
        calls = [call for _, call in self.calls if call.name == "listen" and isinstance(call.result, Ok)]
        return ([call for call in calls if call.time_ns <= time_ns] or calls)[-1]

    @property
    def since_ns(self) -> int:
        """When a listener began to listen, by the clock of packets, which differs from that of calls by a little."""
        return -FOREVER_NS if self.listens_ns is None else self.listens_ns - _SYN_SLACK_NS

    def lingers_zero(self, before_ns: int) -> int | None:
        """The call that had set SO_LINGER to on and 0 seconds."""
        found = self.option("linger", before_ns)
        return found[0] if found and found[1] == "0" else None

    def shut_down(self, ways: frozenset[str], before_ns: int) -> tuple[int, Call] | None:
        """The shutdown() of one of these directions that had come before a moment."""
        for index, call in self.calls:
            done = call.time_ns <= before_ns and isinstance(call.result, Ok)
            if done and isinstance(call.action, Shutdown) and call.action.how in ways:
                return index, call
        return None

    def bytes_read(self, before_ns: int, since_ns: int = -FOREVER_NS) -> int | None:
        """What its program had read of it by a moment; None where its calls do not say.

        recvmmsg() counts messages, one that waits for more (MSG_WAITALL) keeps what it has when it is given up, and
        getsockopt(TCP_ZEROCOPY_RECEIVE) reads too.
        """
        count = 0
        for _, call in self.calls:
            if call.name == "getsockopt" and "ZEROCOPY" in call.detail:
                return None
            reads = call.name in READS or (call.name == "splice" and isinstance(call.action, Recv))
            if not reads or call.end_ns < since_ns or call.time_ns > before_ns or _LEAVES.search(call.detail):
                continue
            waits = isinstance(call.action, Recv) and call.action.waitall and isinstance(call.result, TimedOut)
            if waits or (call.name == "recvmmsg" and not call.failed):
                return None
            count += call.result.number if isinstance(call.result, Count) else 0
        return count


@dataclass(slots=True)
class Sockets:
    """All sockets of a timeline, and who had which end of which connection."""

    by_name: dict[str, Socket] = field(default_factory=dict)
    of_connection: dict[tuple[int, Endpoint], Socket] = field(default_factory=dict)
    """By a connection's number and its end."""
    listeners: dict[tuple[str, int], list[Socket]] = field(default_factory=dict)
    """By node and port."""
    accepted: dict[tuple[str, Endpoint], list[Socket]] = field(default_factory=dict)
    """What accept() made, by node and the other end."""
    hidden: dict[str, list[Socket]] = field(default_factory=dict)
    """By node: listeners of which nobody knows the port."""
    outages: Outages = field(default_factory=Outages)
    complete: bool = True
    """All packets were taken in that came to a tap."""

    def at(self, connection: Connection, end: Endpoint) -> Socket | None:
        return self.of_connection.get((connection.number, end))

    def listened(self, node: str, own: Endpoint) -> list[Socket]:
        """The sockets that ever listened for an end, in the order of their birth."""
        found = self.listeners.get((node, own.port), [])
        return [one for one in found if one.local is None or one.local.covers(own)]


def find_sockets(index: TimelineIndex, connections: list[Connection], network: Network, outages: Outages) -> Sockets:
    """Put calls together by their socket, find out how each ended, and which connections each had."""
    found = Sockets(outages=outages, complete=not index.lost_any)
    for place, call in index.calls:
        if call.socket:
            _take(found, place, call)
    for socket in found.by_name.values():
        _outlive_calls(socket)
    _end_with_processes(found, index.ends, outages)
    _find_listeners(found, index.listening)
    _bind(found, connections, network)
    return found


def _ends_it(socket: Socket, call: Call) -> bool:
    """The last close(), or what does the same to a descriptor; a listener ends by shutdown() too (inet_shutdown())."""
    if isinstance(call.action, Shutdown) and call.action.how != "wr":
        return socket.listens_ns is not None and isinstance(call.result, Ok)
    closes = call.name == "close" or isinstance(call.action, Close)
    return closes and call.final and call.result is not None


def _find_listeners(found: Sockets, listening: Mapping[str, list[tuple[int, Kernel]]]) -> None:
    """Note who listens where; of a port that the kernel chose, or that no call showed, the kernel may tell."""
    begun = {node: [event for _, event in events if event.state == "LISTEN"] for node, events in listening.items()}
    asked: dict[str, int] = {}
    for socket in found.by_name.values():
        if socket.listen is None or socket.listens_ns is None:
            continue
        asked[socket.node] = asked.get(socket.node, 0) + 1
        call = next(call for index, call in socket.calls if index == socket.listen)
        if socket.local is None or not socket.local.port:
            first, last = call.time_ns - _SYN_SLACK_NS, call.end_ns + _SYN_SLACK_NS
            then = [event for event in begun.get(socket.node, ()) if first <= event.time_ns <= last]
            socket.bound = then[0].local if len(then) == 1 else None
        if socket.local is not None and socket.local.port:
            found.listeners.setdefault((socket.node, socket.local.port), []).append(socket)
        else:
            found.hidden.setdefault(socket.node, []).append(socket)
    for node in [node for node in found.hidden if len(begun.get(node, ())) >= asked[node]]:
        del found.hidden[node]  # the kernel has told of all of them, whosever they are


def _take(found: Sockets, index: int, call: Call) -> None:
    socket = found.by_name.get(call.socket)
    if socket is None:
        socket = found.by_name[call.socket] = Socket(call.socket, call.node, call.process)
    socket.calls.append((index, call))
    if call.name == "listen" and isinstance(call.result, Ok):
        if socket.listens_ns is None:
            socket.listens_ns, socket.listen = call.end_ns, index
        if socket.death is not None and socket.death.call == "shutdown":
            socket.death = None  # it listens again
    elif _ends_it(socket, call) and socket.death is None:
        socket.death = Death("closed", call.time_ns, call.end_ns, index, call.process, call=call.name)
    if call.made:
        made = found.by_name.setdefault(call.made, Socket(call.made, call.node, call.process, listener=socket))
        made.calls.append((index, call))
        if call.remote is not None:
            found.accepted.setdefault((call.node, call.remote), []).append(made)


def _outlive_calls(socket: Socket) -> None:
    """Where another thread is in a call on it, close() only takes the descriptor away: the call keeps the socket."""
    death = socket.death
    if death is None:
        return
    held = [
        call
        for index, call in socket.calls
        if index != death.event and call.time_ns < death.end_ns and (call.result is None or call.end_ns > death.end_ns)
    ]
    if any(not isinstance(call.action, Close) and call.name != "close" for call in held):
        socket.death = None


def _end_with_processes(found: Sockets, ends: Iterable[tuple[int, ProcessEnd]], outages: Outages) -> None:
    """What a process still had open goes with it; what a machine had, with its power."""
    by_process: dict[tuple[str, int], list[Socket]] = {}
    for socket in found.by_name.values():
        by_process.setdefault((socket.process, socket.pid), []).append(socket)
    for index, end in ends:
        closed = [found.by_name[name] for name in end.closed if name in found.by_name]
        for socket in closed or by_process.get((end.process, end.pid), []):
            if socket.death is None:
                began = end.began_ns if end.began_ns is not None else end.time_ns
                socket.death = Death("process", began, end.time_ns, index, end.process, str(end.outcome))
    for socket in found.by_name.values():
        lost = next((span for span in outages.off.get(socket.node, ()) if span.start_ns >= socket.born_ns), None)
        if lost is not None and (socket.death is None or lost.start_ns < socket.death.start_ns):
            socket.death = Death("power", lost.start_ns, lost.start_ns, lost.began, socket.process)


def _bind(found: Sockets, connections: list[Connection], network: Network) -> None:
    """Find the socket at each end of each connection."""
    _find_openings(found)
    openings = sorted(_openings(found), key=lambda one: (one[1].call.time_ns, one[1].index))
    by_ends: dict[tuple[str | None, Endpoint, Endpoint], list[Connection]] = {}
    from_node: dict[tuple[str, Endpoint | None, Endpoint], list[Connection]] = {}
    for connection in sorted(connections, key=lambda one: one.begins_ns):
        node = connection.machine(connection.client, network)
        by_ends.setdefault((connection.node, connection.client, connection.server), []).append(connection)
        if node is not None:
            for own in (connection.client, None):
                from_node.setdefault((node, own, connection.server), []).append(connection)
    for socket, opening in openings:
        ends = _ends(opening.call)
        if ends is None:
            continue
        own, other = ends
        if opening.call.made:
            if own is not None:
                candidates = [one for node in (None, socket.node) for one in by_ends.get((node, other, own), ())]
                _bind_server(found, socket, opening, candidates)
            continue
        known = own if own is not None and own.port else None
        _bind_client(found, socket, opening, from_node.get((socket.node, known, other), []))
    for socket, opening in openings:
        _bind_late_syn(found, socket, opening, from_node)
    _bind_old(found, openings, [one for one in connections if one.syn is None], network)


def _openings(found: Sockets) -> Iterator[tuple[Socket, Opening]]:
    return ((socket, opening) for socket in found.by_name.values() for opening in socket.openings)


def _find_openings(found: Sockets) -> None:
    """Take the calls that open; a connect() that only asks what came of the last one does not."""
    for socket in found.by_name.values():
        for index, call in socket.calls:
            sends = call.name in WRITES and "MSG_FASTOPEN" in call.detail and call.remote is not None
            if call.made == socket.name or sends or (call.name == "connect" and call.result not in _ASKS_AGAIN):
                socket.openings.append(Opening(index, call))


_ASKS_AGAIN = {Errno("EALREADY"), Errno("EISCONN")}


def _ends(call: Call) -> tuple[Endpoint | None, Endpoint] | None:
    """A call's own end, as far as it is known, and the other; connect() to 0.0.0.0 goes to the machine itself."""
    if call.remote is None:
        return None
    own = None if call.local is None or call.local.address in WILDCARDS else call.local
    if call.remote.address in WILDCARDS:
        return own, Endpoint(own.address if own else "127.0.0.1", call.remote.port)
    return own, call.remote


def _take_end(found: Sockets, socket: Socket, opening: Opening, connection: Connection, end: Endpoint) -> None:
    found.of_connection[connection.number, end] = socket
    opening.connection = connection


def _bind_client(found: Sockets, socket: Socket, opening: Opening, candidates: list[Connection]) -> None:
    """A connect() has the first connection that begins while it goes on, and that no other call has."""
    call = opening.call
    first = bisect_left(candidates, call.time_ns - _SYN_SLACK_NS, key=lambda one: one.begins_ns)
    last = bisect_right(candidates, call.end_ns, key=lambda one: one.begins_ns)
    free = [one for one in candidates[first:last] if (one.number, one.client) not in found.of_connection]
    if free and (found.complete or len(free) == 1):
        _take_end(found, socket, opening, free[0], free[0].client)


def _bind_server(found: Sockets, socket: Socket, opening: Opening, candidates: list[Connection]) -> None:
    """An accept() gives the first connection of these ends that was finished and that nobody had taken."""
    call = opening.call
    booted_ns = found.outages.booted(socket.node, call.time_ns)
    since_ns = max(booted_ns, socket.listener.since_ns) if socket.listener else booted_ns
    free = [
        one
        for one in candidates
        if since_ns <= one.known_since(one.server)
        and one.begins_ns <= call.end_ns
        and (one.number, one.server) not in found.of_connection
    ]
    queued = [one for one in free if one.established(call.end_ns) and one.completed(call.end_ns)]
    connection = queued[0] if queued else free[-1] if free else None
    if connection is not None:
        _take_end(found, socket, opening, connection, connection.server)


def _bind_late_syn(
    found: Sockets,
    socket: Socket,
    opening: Opening,
    from_node: dict[tuple[str, Endpoint | None, Endpoint], list[Connection]],
) -> None:
    """A SYN may leave after its call has returned: it waited for ARP, or for data (TCP_FASTOPEN_CONNECT).

    A connect() that merely asked what had come of the last one has no SYN at all, and opened nothing.
    """
    ends = _ends(opening.call)
    if opening.connection is not None or ends is None or opening.call.made:
        return
    own, other = ends
    before = [one for one in socket.openings if one.call.time_ns < opening.call.time_ns]
    if before and before[-1].pending and before[-1].connection is not None:
        socket.openings.remove(opening)
    elif own is not None and own.port and (opening.pending or isinstance(opening.call.result, Ok)):
        until_ns = socket.until(opening)
        for connection in from_node.get((socket.node, own, other), ()):
            mine = (connection.number, own) not in found.of_connection
            if mine and opening.call.time_ns - _SYN_SLACK_NS <= connection.begins_ns < until_ns:
                _take_end(found, socket, opening, connection, own)
                return


def _bind_old(
    found: Sockets, openings: list[tuple[Socket, Opening]], connections: list[Connection], network: Network
) -> None:
    """One whose beginning nobody saw is of the last socket that was opened with its ends before it was seen."""
    opened: dict[tuple[str | None, tuple[Endpoint | None, Endpoint] | None], list[tuple[Socket, Opening]]] = {}
    for socket, opening in openings if connections else ():
        if not opening.call.failed:
            opened.setdefault((socket.node, _ends(opening.call)), []).append((socket, opening))
    for connection in connections:
        for own, other in ((connection.client, connection.server), (connection.server, connection.client)):
            node = connection.machine(own, network)
            until_ns = connection.begin_ns + _SYN_SLACK_NS
            before = [one for one in opened.get((node, (own, other)), ()) if one[1].call.end_ns <= until_ns]
            if before and (connection.number, own) not in found.of_connection and before[-1][1].connection is None:
                _take_end(found, *before[-1], connection, own)
