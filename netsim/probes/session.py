"""One recording of one lab: the recorder process, and what it listens to."""

from __future__ import annotations

import os

from netsim.linux import capture, channel
from netsim.linux.lab import Lab
from netsim.probes.recorder import Leave, Order, Recorded, Take, record

_AT_ONCE = 200
"""Descriptors in one message: the kernel's limit is 253."""


class Session:
    """A recorder, beside the lab's nodes. It can be started before anything is built."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self._recorder = lab.fork("", record)

    def __enter__(self) -> Session:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is None:
            self._lab.wait(self._recorder)
        else:  # the lab itself is about to go, and may not answer any more
            self._recorder.close()

    def listen(self, nodes: tuple[str, ...]) -> None:
        """Take in everything that these nodes send and receive, from now on."""
        for first in range(0, len(nodes), _AT_ONCE):
            some = nodes[first : first + _AT_ONCE]
            namespaces, fds = self._lab.keeper.ask_files(capture.open_captures, some)
            self._order(Take(some, namespaces), tuple(fds))

    def leave(self, node: str) -> None:
        """Stop listening at a node, with nothing lost that was there."""
        self._order(Leave(node))

    def stop(self) -> Recorded:
        """End the recording and get all of it."""
        recorded: Recorded = self._order("stop")
        return recorded

    def _order(self, order: Order, fds: tuple[int, ...] = ()) -> Recorded:
        try:
            answer: Recorded = channel.exchange(self._recorder.sock, order, fds)[0]
        finally:
            for fd in fds:
                os.close(fd)
        return answer
