"""Whole Python values, and open files with them, from one of netsim's own processes to another."""

from __future__ import annotations

import pickle
import socket
import struct
from dataclasses import dataclass
from typing import Any

from netsim.errors import NetsimError

_HEADER = struct.Struct("!QI")
_MAX_FDS = 253  # SCM_MAX_FD


@dataclass(frozen=True, slots=True)
class WithFiles:
    """A keeper function's result that comes with open descriptors; the keeper closes its own copies."""

    value: Any
    fds: tuple[int, ...]


class ChannelClosed(NetsimError):  # noqa: N818 - mostly it is no error: the other end's life is over
    """The process at the other end is gone."""

    def __str__(self) -> str:
        return "one of the lab's own processes was killed; 'netsim clean' gives back what is left"


def send(sock: socket.socket, value: object, fds: tuple[int, ...] = ()) -> None:
    """Send a value; raises ChannelClosed. It must be picklable: both ends are the same program."""
    body = pickle.dumps(value, pickle.HIGHEST_PROTOCOL)
    try:
        socket.send_fds(sock, [_HEADER.pack(len(body), len(fds))], fds[:_MAX_FDS])
        sock.sendall(body)
    except (BrokenPipeError, ConnectionResetError) as gone:
        raise ChannelClosed from gone


def receive(sock: socket.socket) -> tuple[Any, list[int]]:
    """Wait for a value and its descriptors; raises ChannelClosed."""
    try:
        header, fds, _, _ = socket.recv_fds(sock, _HEADER.size, _MAX_FDS)
        header += _exactly(sock, _HEADER.size - len(header)) if header else b""
        if not header:
            raise ChannelClosed
        size, _ = _HEADER.unpack(header)
        return pickle.loads(_exactly(sock, size)), fds  # noqa: S301 - our own process sent it
    except ConnectionResetError as gone:
        raise ChannelClosed from gone


def _exactly(sock: socket.socket, size: int) -> bytes:
    parts = []
    while size:
        part = sock.recv(min(size, 1 << 20))
        if not part:
            raise ChannelClosed
        parts.append(part)
        size -= len(part)
    return b"".join(parts)
