"""One RST as the causes see it: what it answers, who made it and with which part, and the socket that it is about."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from netsim.analysis import Analysis
from netsim.analysis.connections import Connection, distance
from netsim.analysis.filters import Placed
from netsim.analysis.outages import FOREVER_NS
from netsim.analysis.paths import Hop, PacketPath
from netsim.analysis.resets import is_next
from netsim.analysis.sockets import Death, Socket
from netsim.explain.words import Words
from netsim.model.endpoint import Endpoint
from netsim.model.event import Kernel, Tcp
from netsim.model.explanation import Evidence
from netsim.model.result import Errno

Shape = Literal["answers-syn", "answers", "active", "unmatched"]
"""RFC 9293, 3.10.7: an answer takes its numbers from the segment that it answers; an abort has the connection's own
next number and carries ACK (tcp_send_active_reset()). `unmatched`: no segment that was seen has these numbers."""

Part = Literal["tcp", "filter", "other"]
"""What in a machine made it: its TCP, its packet filter, or a program that writes packets itself."""

_STATE = "inet_sock_set_state"
SLACK_NS = 1_000_000
"""Clocks of calls and of packets agree to some microseconds; this is more."""


@dataclass(frozen=True, slots=True)
class Rst:
    """A RST, with what is certain about it."""

    a: Analysis
    words: Words
    path: PacketPath
    connection: Connection
    claimed: str | None
    """The node whose address it bears."""
    trigger: PacketPath | None
    """The segment that it answers."""
    shape: Shape
    said: tuple[int, Kernel] | None
    """The kernel's tcp_send_reset for it."""
    maker: str | None = None
    part: Part | None = None
    rule: Placed | None = None
    """The REJECT rule that made it."""
    counted: int = 1
    """How many RSTs that rule has made so far, by this account."""

    @property
    def time_ns(self) -> int:
        return self.path.time_ns

    @property
    def tcp(self) -> Tcp:
        return self.path.tcp

    @property
    def source(self) -> Endpoint:
        return self.path.src

    @property
    def target(self) -> Endpoint:
        return self.path.dst

    @property
    def node(self) -> str:
        """The node that made it, for a cause that knows that there is one."""
        assert self.maker is not None
        return self.maker

    @property
    def reason(self) -> str:
        """The kernel's reason; '' where it gave none."""
        return self.said[1].reason if self.said else ""

    @property
    def socket(self) -> Socket | None:
        """The socket at its maker's end of the connection, where a program's calls showed one."""
        return self.a.sockets.at(self.connection, self.source)

    def programs_seen(self) -> bool:
        """Were the calls of all programs at its maker's seen? Else "no program did" is not known."""
        return self.maker is not None and self.a.index.sees_programs(self.maker)

    def may_have_died(self) -> bool:
        """May a process of its maker's have had the socket, and closed it by its end?"""
        since = self.connection.begin_ns - SLACK_NS if self.connection.syn is not None else -FOREVER_NS
        ended = any(
            end.node == self.node and since <= end.time_ns and (end.began_ns or 0) <= self.time_ns + SLACK_NS
            for _, end in self.a.index.ends
        )
        return ended or not self.a.index.on("process")

    def dying(self) -> Death | None:
        """The end of its maker's socket, where that was going on when it was made, and nothing else was."""
        if self.socket is None or self._disconnecting(self.socket):
            return None
        return _covering(self.socket.death, self.time_ns)

    def _disconnecting(self, socket: Socket) -> bool:
        """connect() without an address, AF_UNSPEC, aborts what there is (tcp_disconnect())."""
        calls = [one.call for one in socket.openings if one.call.name == "connect" and one.call.remote is None]
        return any(call.time_ns - SLACK_NS <= self.time_ns <= call.end_ns + SLACK_NS for call in calls)

    def dead_before(self) -> Death | None:
        """The end that its maker's socket had come to before, by its program."""
        death = self.socket.death if self.socket else None
        if death is None or death.how == "power" or death.start_ns > self.time_ns:
            return None
        return death

    def agrees(self, death: Death) -> bool:
        """May the connection have ended when its program let go of it? Neither kernel nor wire say another time."""
        told = [event.time_ns for _, event in self.a.said(self.node, _STATE, self.connection, self.source)]
        if told and not self.a.index.lost_any:
            return any(death.start_ns - SLACK_NS <= time_ns <= death.end_ns + SLACK_NS for time_ns in told)
        fin = self.connection.sent_fin(self.source, self.time_ns)
        return fin is None or fin.time_ns <= death.end_ns + SLACK_NS

    def reset_before(self) -> tuple[int, ...]:
        """What tells that its maker's end of the connection had been reset before: the RST that came, or the kernel."""
        for path in self.connection.side(self.target).before(self.time_ns):
            if "R" in path.tcp.flags and accepted(self.a, self.connection, path, self.node):
                return path.events[-1:]
        for index, event in self.a.said(self.node, "tcp_receive_reset", self.connection, self.source):
            if event.time_ns < self.time_ns and self._is_of_another(index, event):
                return (index,)
        return ()

    def _is_of_another(self, index: int, event: Kernel) -> bool:
        """Does a tcp_receive_reset tell of a RST that came? The kernel ends a connection of its own by tcp_reset() too.

        It does where data comes that nobody can read any more (tcp_rcv_state_process()), and answers with this RST.
        """
        sent = [path for path in self.connection.side(self.target).before(self.time_ns) if "R" in path.tcp.flags]
        if any(self.a.received.get((path.number, self.node)) == index for path in sent):
            return True
        if self.a.index.sees_all(self.node) or self.trigger is None:
            return False
        return event.time_ns < self.trigger.time_ns

    def reset_told(self) -> Evidence | None:
        """That its maker's end of the connection had been reset before."""
        told = self.reset_before()
        if not told:
            return None
        by_kernel = isinstance(self.a.timeline.events[told[0]], Kernel)
        came = f"a RST had come to {self.node} before"
        return Evidence(f"the kernel of {self.node} says that {came}" if by_kernel else came, told)

    def perhaps_reset_before(self) -> bool:
        """Had anything that may have reset its maker's end of the connection been sent, or felt there?"""
        if self.reset_before():
            return True
        sent = [path for path in self.connection.side(self.target).before(self.time_ns) if "R" in path.tcp.flags]
        told = self.a.index.on("tcp_receive_reset") and not self.a.index.lost_any
        felt = [call for _, call in (self.socket.calls if self.socket else ()) if call.end_ns < self.time_ns]
        return any(call.result == Errno("ECONNRESET") for call in felt) or (
            not told and any(path.arrival(self.node) is None and not path.last().lost for path in sent)
        )

    def received(self) -> int | None:
        """Bytes that its maker's TCP had taken in of this connection, by the number that it acknowledges."""
        peer = self.connection.side(self.target)
        if peer.isn is None or "A" not in self.tcp.flags:
            return None
        count = distance(peer.isn, self.tcp.ack) - 1
        fin = self.connection.sent_fin(self.target, self.time_ns)
        return count - (fin is not None and distance(fin.tcp.end, self.tcp.ack) >= 0)

    def read(self) -> int | None:
        """Bytes that the program at its maker had read of it; None where its calls were not seen."""
        socket = self.socket
        return None if socket is None else socket.bytes_read(self.time_ns, self.connection.begin_ns - SLACK_NS)

    def tcp_made_it(self) -> Evidence | None:
        """That its maker's own TCP sent it: its tracepoint, or its counter."""
        if self.said is not None:
            index, event = self.said
            reason = f", reason {event.reason}" if event.reason else ""
            return Evidence(f"the kernel of {self.node} says tcp_send_reset{reason}", (index,))
        grew = self.a.index.grew(self.node, "TcpOutRsts")
        if grew is not None and grew[0]:
            return Evidence(f"OutRsts of {self.node} grew by {grew[0]}", grew[1])
        return None

    def left(self) -> Evidence:
        """Where it was first seen."""
        hop = self.path.hops[0]
        if hop.link is None:
            return Evidence(f"the packet was seen on the loopback of {hop.sender}", (hop.index,))
        if hop.left is None:
            return Evidence(f"the packet was first seen coming to {hop.receiver} over {hop.link}", (hop.index,))
        return Evidence(f"the packet was first seen leaving {hop.sender}, on {hop.link}", (hop.index,))


def _covering(death: Death | None, time_ns: int) -> Death | None:
    if death is None or death.how == "power":
        return None
    return death if death.start_ns - SLACK_NS <= time_ns <= death.end_ns + SLACK_NS else None


def accepted(a: Analysis, connection: Connection, rst: PacketPath, node: str) -> Hop | None:
    """The arrival of a RST at a node, if its TCP took it: the number must be the very next (RFC 5961, 3.2).

    The kernel's tcp_receive_reset says so; without it, the numbers do, and that no filter dropped it.
    """
    hop = rst.arrival(node)
    if hop is None or (rst.number, node) in a.received:
        return hop
    if a.index.on("tcp_receive_reset") and not a.index.lost_any:
        return None
    taken = a.forwarder.arriving(node, rst.packet, hop.time_ns).end == "delivered" or rst.packet.link is None
    return hop if taken and is_next(connection, rst) else None


def listener_dying(rst: Rst) -> tuple[Socket, Death] | None:
    """The listener of a connection that nobody had accepted, where it came to its end when the RST was made."""
    for socket in rst.a.sockets.listened(rst.node, rst.source):
        death = _covering(socket.death, rst.time_ns)
        if death is not None and socket.listens_ns is not None and socket.listens_ns <= rst.time_ns:
            return socket, death
    return None


def answers(rst: Tcp, segment: Tcp) -> bool:
    """Has a RST the numbers of an answer to this segment? tcp_v4_send_reset(), nf_reject_ip_tcphdr_put()."""
    if "A" in segment.flags:
        return "A" not in rst.flags and rst.seq == segment.ack
    return "A" in rst.flags and rst.seq == 0 and rst.ack == segment.end


@dataclass(frozen=True, slots=True)
class Finding:
    """What a cause found out: its id, one sentence, and the reasons to believe it."""

    cause: str
    because: str
    evidence: tuple[Evidence, ...]


def evidence(*found: Evidence | None) -> tuple[Evidence, ...]:
    """Those that there are."""
    return tuple(one for one in found if one is not None)
