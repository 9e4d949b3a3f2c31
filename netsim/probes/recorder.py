"""The recorder: one process that takes in the packets of all nodes, and what the kernel says, until it is told to stop.

Frames are kept as they come and parsed when all is over. When it is told to stop it first reads what had come until
then, so that nothing that happened before is lost. What is more than it can keep is counted, and let go.
"""

from __future__ import annotations

import select
import socket
import struct
import time
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Literal

from netsim.errors import HostError
from netsim.linux import channel
from netsim.linux.capture import SNAP_BYTES
from netsim.linux.tracing import TraceRecord, Tracing, open_tracing
from netsim.probes.frame import Frame

FRAMES_MAX = 2_000_000
RECORDS_MAX = 500_000
"""As many are kept: some 1.5 GB at the worst."""
_AT_ONCE = 4096
"""Frames that are read from one node before the others, and the orders, have their turn."""
_OTHERHOST = 3
_SOL_PACKET, _PACKET_STATISTICS = 263, 6
_TIMESPEC = struct.Struct("=qq")


@dataclass(frozen=True, slots=True)
class Take:
    """Take in these nodes, whose captures come along in the same order."""

    nodes: tuple[str, ...]
    namespaces: tuple[int, ...]
    """Their network namespaces' inode numbers."""


@dataclass(frozen=True, slots=True)
class Leave:
    """Read what is left of a node's capture, and close it: the node is about to be switched off."""

    node: str


@dataclass(frozen=True, slots=True)
class Recorded:
    """All that was taken in until `end_ns` (CLOCK_MONOTONIC)."""

    end_ns: int = 0
    frames: list[Frame] = field(default_factory=list)
    records: list[TraceRecord] = field(default_factory=list)
    nodes: Mapping[int, str] = field(default_factory=dict)
    """Whose each network namespace was, by its inode number."""
    traced: tuple[str, ...] = ()
    """The tracepoints that were on, and `reset reasons` and `drop` where the kernel gives reasons."""
    missed: Mapping[str, int] = field(default_factory=dict)
    """How much was let go, by its source."""


Order = Take | Leave | Literal["stop"]


class _Trace:
    """What the kernel says of the nodes that are taken in."""

    def __init__(self) -> None:
        self.records: list[TraceRecord] = []
        self.nodes: dict[int, str] = {}
        self.missed = 0
        self.tracing: Tracing | None = None
        with suppress(HostError):  # `netsim doctor` says why, and what would help
            self.tracing = open_tracing()

    def watch(self, order: Take) -> None:
        for netns, node in zip(order.namespaces, order.nodes, strict=True):
            self.nodes[netns] = node
            if self.tracing:
                self.tracing.watch(netns)

    def forget(self, node: str) -> None:
        if self.tracing:
            for netns in [netns for netns, its in self.nodes.items() if its == node]:
                self.tracing.forget(netns)

    def read(self) -> None:
        found = self.tracing.read() if self.tracing else []
        room = max(0, RECORDS_MAX - len(self.records))
        self.records += found[:room]
        self.missed += len(found[room:])

    def sources(self) -> tuple[str, ...]:
        if self.tracing is None:
            return ()
        words = {"tcp_send_reset": "reset reasons", "kfree_skb": "drop"}
        return (*self.tracing.events, *(words[event] for event in self.tracing.reasoned if event in words))


class _Frames:
    """The captures of all nodes, and what came over them."""

    def __init__(self) -> None:
        self.kept: list[Frame] = []
        self.missed = 0
        self._captures: dict[int, tuple[str, socket.socket]] = {}
        self._clock = _Clock()

    def take(self, node: str, fd: int) -> None:
        self._captures[fd] = (node, socket.socket(fileno=fd))

    def of(self, node: str) -> list[int]:
        return [fd for fd, (its, _) in self._captures.items() if its == node]

    def close(self, fd: int) -> None:
        self.read(fd, time.time_ns())
        _, sock = self._captures.pop(fd)
        _, dropped = struct.unpack("=II", sock.getsockopt(_SOL_PACKET, _PACKET_STATISTICS, 8))
        self.missed += dropped
        sock.close()

    def __contains__(self, fd: int) -> bool:
        return fd in self._captures

    def all(self) -> list[int]:
        return list(self._captures)

    def read(self, fd: int, until_ns: int | None = None) -> None:
        """Read some frames of a node; with `until_ns` (wall clock) all that had come by then."""
        node, sock = self._captures[fd]
        found: list[tuple[bytes, int, str, int]] = []
        with suppress(OSError):  # it is empty
            while until_ns is not None or len(found) < _AT_ONCE:
                data, ancillary, _, (interface, _, kind, *_) = sock.recvmsg(SNAP_BYTES, 64)
                seconds, ns = _TIMESPEC.unpack(ancillary[0][2])
                time_ns = seconds * 1_000_000_000 + ns
                found.append((data, time_ns, interface, kind))
                if until_ns is not None and time_ns > until_ns:
                    break
        apart = self._clock.apart()
        room = max(0, FRAMES_MAX - len(self.kept))
        self.missed += len(found[room:])
        self.kept += [
            Frame(node, time_ns + apart, interface, kind == socket.PACKET_OUTGOING, kind == _OTHERHOST, data)
            for data, time_ns, interface, kind in found[:room]
        ]


def record(control: socket.socket) -> None:
    """The recorder's life: orders come over the control socket, and each is answered when it is done."""
    frames, trace = _Frames(), _Trace()
    poll = select.epoll()
    poll.register(control, select.EPOLLIN)
    if trace.tracing:
        poll.register(trace.tracing, select.EPOLLIN)
    while True:
        for fd, _ in poll.poll():
            if fd in frames:
                frames.read(fd)
            elif fd != control.fileno():
                trace.read()
            elif not _obey(control, frames, trace, poll):
                return


def _obey(control: socket.socket, frames: _Frames, trace: _Trace, poll: select.epoll) -> bool:
    """Carry one order out; False when it was the last."""
    try:
        order, fds = channel.receive(control)
    except channel.ChannelClosed:
        return False
    if isinstance(order, Take):
        for node, new in zip(order.nodes, fds, strict=True):
            frames.take(node, new)
            poll.register(new, select.EPOLLIN)
        trace.watch(order)
    elif isinstance(order, Leave):
        for fd in frames.of(order.node):
            poll.unregister(fd)
            frames.close(fd)
        trace.read()
        trace.forget(order.node)
    else:
        end_ns = time.monotonic_ns()  # one moment for all nodes: what is on its way then is on its way everywhere
        for fd in frames.all():
            frames.close(fd)
        trace.read()
        lost = trace.missed + (trace.tracing.lost() if trace.tracing else 0)
        missed = Counter({"packet": frames.missed, "kernel": lost})
        kept = [frame for frame in frames.kept if frame.time_ns <= end_ns]
        records = [record for record in trace.records if record.time_ns <= end_ns]
        channel.send(control, Recorded(end_ns, kept, records, trace.nodes, trace.sources(), +missed))
        return False
    channel.send(control, None)
    return True


class _Clock:
    """How far the monotonic clock is from the wall clock, by which the kernel stamps packets."""

    _STEP_NS = 1_000_000

    def __init__(self) -> None:
        self._apart = self._measure()

    def apart(self) -> int:
        """What to add to a wall clock time; it changes only when somebody sets the wall clock."""
        now = self._measure()
        if abs(now - self._apart) > self._STEP_NS:
            self._apart = now
        return self._apart

    def _measure(self) -> int:
        """The tightest of some measurements."""
        found = []
        for _ in range(5):
            before, wall, after = time.monotonic_ns(), time.time_ns(), time.monotonic_ns()
            found.append((after - before, (before + after) // 2 - wall))
        return min(found)[1]
