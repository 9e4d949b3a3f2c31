"""One recording of one lab: the recorder process, and what it listens to."""

from __future__ import annotations

import os

from netsim.linux import capture, channel, tracefs
from netsim.linux.lab import Lab
from netsim.probes import reasons
from netsim.probes.recorder import Drop, Order, Recorded, Take, record

_AT_ONCE = 200
"""Descriptors in one message: the kernel's limit is 253."""


class Session:
    """A recorder, beside the lab's nodes. It can be started before anything is built."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        instance = lab.keeper.ask(tracefs.plan_trace)
        self._recorder = lab.fork("", record, instance, reasons.EVENTS)

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *_: object) -> None:
        self._recorder.sock.close()
        self._lab.bury(self._recorder)
        os.close(self._recorder.pidfd)

    def listen(self, nodes: tuple[str, ...]) -> None:
        """Take in everything that these nodes send and receive, from now on."""
        for first in range(0, len(nodes), _AT_ONCE):
            some = nodes[first : first + _AT_ONCE]
            _, fds = self._lab.keeper.ask_files(capture.open_captures, some)
            self._order(Take(some), tuple(fds))

    def leave(self, node: str) -> None:
        """Stop listening at a node, with nothing lost that was there."""
        self._order(Drop(node))

    def stop(self) -> Recorded:
        """End the recording and get all of it."""
        recorded: Recorded = self._order("stop")
        return recorded

    def _order(self, order: Order, fds: tuple[int, ...] = ()) -> Recorded:
        try:
            channel.send(self._recorder.sock, order, fds)
        finally:
            for fd in fds:
                os.close(fd)
        answer, _ = channel.receive(self._recorder.sock)
        return answer  # type: ignore[no-any-return]
