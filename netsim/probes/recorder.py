"""The recorder: one process that takes in the packets of all nodes, and the kernel's trace, until it is told to stop.

Frames are kept as they come and parsed when all is over. When it is told to stop it first reads every
socket until it is empty, so that nothing that happened before is lost.
"""

from __future__ import annotations

import os
import select
import socket
import struct
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Literal

from netsim.linux import channel, tracefs
from netsim.linux.capture import SNAP_BYTES

_TIMESPEC = struct.Struct("=qq")
_READ_TRACE_EVERY_S = 0.5


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame as it was seen; the time is CLOCK_MONOTONIC."""

    node: str
    time_ns: int
    interface: str
    outgoing: bool
    data: bytes
    """Its first bytes, at most SNAP_BYTES."""


@dataclass(frozen=True, slots=True)
class Take:
    """Take in these nodes, whose captures come along in the same order."""

    nodes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Drop:
    """Read what is left of a node's capture, and close it: the node is about to be switched off."""

    node: str


@dataclass(frozen=True, slots=True)
class Recorded:
    """All that was taken in; `traced` are the tracepoints that were on."""

    frames: list[Frame] = field(default_factory=list)
    trace: str = ""
    traced: tuple[str, ...] = ()


Order = Take | Drop | Literal["stop"]


def record(control: socket.socket, instance: str, events: tuple[str, ...]) -> None:
    """The recorder's life: orders come over the control socket, and each is answered when it is done."""
    traced, pipe = tracefs.open_trace(instance, events)
    try:
        _listen(control, traced, pipe)
    finally:
        if pipe >= 0:
            os.close(pipe)
            tracefs.remove(instance)


def _listen(control: socket.socket, traced: tuple[str, ...], pipe: int) -> None:
    clock = _Clock()
    frames: list[Frame] = []
    trace: list[bytes] = []
    captures: dict[int, tuple[str, socket.socket]] = {}
    poll = select.epoll()
    poll.register(control, select.EPOLLIN)
    while True:
        for fd, _ in poll.poll(_READ_TRACE_EVERY_S if pipe >= 0 else -1):
            if fd in captures:
                frames += _drain(*captures[fd], clock)
                continue
            try:
                order, fds = channel.receive(control)
            except channel.ChannelClosed:
                return
            if isinstance(order, Take):
                for node, new in zip(order.nodes, fds, strict=True):
                    captures[new] = (node, socket.socket(fileno=new))
                    poll.register(new, select.EPOLLIN)
            elif isinstance(order, Drop):
                for mine in [fd for fd, (node, _) in captures.items() if node == order.node]:
                    frames += _drain(*captures[mine], clock)
                    poll.unregister(mine)
                    captures.pop(mine)[1].close()
            else:
                for capture in captures.values():
                    frames += _drain(*capture, clock)
                _read_trace(pipe, trace)
                text = b"".join(trace).decode("ascii", "replace")
                channel.send(control, Recorded(frames, text, traced))
                return
            channel.send(control, None)
        _read_trace(pipe, trace)


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


def _drain(node: str, sock: socket.socket, clock: _Clock) -> list[Frame]:
    found = []
    with suppress(OSError):  # it is empty
        while True:
            data, ancillary, _, (interface, _, kind, *_) = sock.recvmsg(SNAP_BYTES, 64)
            found.append((data, ancillary[0][2], interface, kind))
    apart = clock.apart()
    frames = []
    for data, stamp, interface, kind in found:
        seconds, ns = _TIMESPEC.unpack(stamp)
        time_ns = seconds * 1_000_000_000 + ns + apart
        frames.append(Frame(node, time_ns, interface, kind == socket.PACKET_OUTGOING, data))
    return frames


def _read_trace(pipe: int, trace: list[bytes]) -> None:
    if pipe < 0:
        return
    with suppress(BlockingIOError):
        while part := os.read(pipe, 1 << 16):
            trace.append(part)
