"""Whole Python values, and open files with them, from one of netsim's own processes to another.

A channel is never out of step. Whatever ends a call before its value is through, an interrupt or a defect,
closes the channel as well: there is no next value that could be taken for this one, and the other end sees
that it is alone.
"""

from __future__ import annotations

import os
import pickle
import socket
import struct
from dataclasses import dataclass
from typing import Any

from netsim.errors import NetsimError

_HEADER = struct.Struct("!QI")
_MAX_FDS = 253  # SCM_MAX_FD
_GONE = (BrokenPipeError, ConnectionResetError)


@dataclass(frozen=True, slots=True)
class WithFiles:
    """A keeper function's result that comes with open descriptors; the keeper closes its own copies."""

    value: Any
    fds: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Defect:
    """The traceback of a process that ends here; whoever receives it raises a RuntimeError that shows it."""

    trace: str


class ChannelClosed(NetsimError):  # noqa: N818 - mostly it is no error: the other end's life is over
    """The process at the other end is gone, or this end was closed."""

    def __str__(self) -> str:
        return "one of the lab's own processes was killed; 'netsim clean' gives back what is left"


def send(sock: socket.socket, value: object, fds: tuple[int, ...] = ()) -> None:
    """Send a value; raises ChannelClosed. It must be picklable: both ends are the same program."""
    body = pickle.dumps(value, pickle.HIGHEST_PROTOCOL)
    _check_open(sock)
    try:
        message = _HEADER.pack(len(body), len(fds)) + body
        sent = socket.send_fds(sock, [message], fds[:_MAX_FDS])
        if sent < len(message):
            sock.sendall(memoryview(message)[sent:])
    except BaseException as error:
        sock.close()
        if isinstance(error, _GONE):
            raise ChannelClosed from error
        raise


def receive(sock: socket.socket) -> tuple[Any, list[int]]:
    """Wait for a value and its descriptors; raises ChannelClosed, and RuntimeError for a Defect."""
    _check_open(sock)
    fds: list[int] = []
    try:
        header, fds, _, _ = socket.recv_fds(sock, _HEADER.size, _MAX_FDS)
        if header:
            size, _ = _HEADER.unpack(header + _exactly(sock, _HEADER.size - len(header)))
            value = pickle.loads(_exactly(sock, size))  # noqa: S301 - our own process sent it
            if isinstance(value, Defect):
                raise RuntimeError(value.trace)
            return value, fds
    except BaseException as error:
        sock.close()
        for fd in fds:
            os.close(fd)
        if isinstance(error, _GONE):
            raise ChannelClosed from error
        raise
    raise ChannelClosed


def exchange(sock: socket.socket, value: object, fds: tuple[int, ...] = ()) -> tuple[Any, list[int]]:
    """Send a value and wait for the answer; raises ChannelClosed."""
    try:
        send(sock, value, fds)
        return receive(sock)
    except BaseException:  # in between, too
        sock.close()
        raise


def _check_open(sock: socket.socket) -> None:
    if sock.fileno() < 0:
        raise ChannelClosed


def _exactly(sock: socket.socket, size: int) -> bytes:
    parts = []
    while size:
        part = sock.recv(min(size, 1 << 20))
        if not part:
            raise ChannelClosed
        parts.append(part)
        size -= len(part)
    return b"".join(parts)
