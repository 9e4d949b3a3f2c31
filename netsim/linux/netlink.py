"""Netlink by hand, for what is done in bulk: messages packed with struct, many in one send.

rtnetlink(7), netlink(7). What is read, or done rarely, goes through pyroute2.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterable, Sequence

from netsim.errors import LabError

NETLINK_ROUTE, NETLINK_NETFILTER = 0, 12
REQUEST, ACK, EXCL, CREATE, APPEND = 0x1, 0x4, 0x200, 0x400, 0x800

_NLMSG_ERROR = 2
_HEADER = struct.Struct("=IHHII")
_ATTRIBUTE = struct.Struct("=HH")
_SEND_BYTES = 32768
_NESTED = 0x8000
_PADDING = (b"", b"\0\0\0", b"\0\0", b"\0")


def attribute(kind: int, payload: bytes) -> bytes:
    """One attribute: length, kind, payload, padding."""
    size = len(payload)
    return _ATTRIBUTE.pack(size + 4, kind) + payload + _PADDING[size & 3]


def nested(kind: int, *attributes: bytes) -> bytes:
    """An attribute that holds attributes."""
    return attribute(kind | _NESTED, b"".join(attributes))


def text(kind: int, value: str) -> bytes:
    return attribute(kind, value.encode() + b"\0")


def u32(kind: int, value: int) -> bytes:
    return attribute(kind, struct.pack("=I", value))


def be32(kind: int, value: int) -> bytes:
    return attribute(kind, struct.pack("!I", value))


class Message:
    """One request, and in a person's words what it does: these are put together only for its refusal."""

    __slots__ = ("_words", "body", "flags", "kind")

    def __init__(self, kind: int, flags: int, body: bytes, *words: object) -> None:
        self.kind, self.flags, self.body, self._words = kind, flags, body, words

    @property
    def what(self) -> str:
        return " ".join(map(str, self._words))


class Netlink:
    """A netlink socket of the namespace in which it was opened, wherever it is used."""

    def __init__(self, node: str, protocol: int = NETLINK_ROUTE) -> None:
        self.node = node
        self._sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, protocol)
        self._sequence = 0

    def close(self) -> None:
        self._sock.close()

    def transact(self, messages: Sequence[Message]) -> None:
        """Send many requests at once and wait until the last is done; raises LabError for the first refused.

        Only the last asks for an acknowledgement: the kernel works in order, and reports a failure unasked.
        """
        batch: list[tuple[Message, bytes]] = []
        size = 0
        for message in messages:
            packed = _HEADER.size + len(message.body)
            if size + packed > _SEND_BYTES and batch:
                self._send(batch)
                batch, size = [], 0
            batch.append((message, message.body))
            size += packed
        if batch:
            self._send(batch)

    def _send(self, batch: list[tuple[Message, bytes]]) -> None:
        first = self._sequence + 1
        self._sequence += len(batch)
        parts: list[bytes] = []
        for number, (message, body) in enumerate(batch, first):
            flags = message.flags | REQUEST | (ACK if number == self._sequence else 0)
            parts += (_HEADER.pack(_HEADER.size + len(body), message.kind, flags, number, 0), body)
        self._sock.send(b"".join(parts))
        refused = None
        for sequence, number in self._answers(self._sequence):
            if number and refused is None:
                refused = LabError(batch[sequence - first][0].what, self.node, number)
        if refused:
            raise refused

    def _answers(self, last: int) -> Iterable[tuple[int, int]]:
        """Yield (sequence, errno) of each answer, until the one to the last request."""
        while True:
            data = self._sock.recv(1 << 16)
            at = 0
            while at < len(data):
                size, kind, _, sequence, _ = _HEADER.unpack_from(data, at)
                if kind == _NLMSG_ERROR:
                    number = -struct.unpack_from("=i", data, at + _HEADER.size)[0]
                    yield sequence, number
                    if sequence == last:
                        return
                at += (size + 3) & ~3

    def batch(self, begin: Message, messages: Sequence[Message], end: Message) -> None:
        """Send an nfnetlink batch: all of it or nothing; raises LabError."""
        everything = [begin, *messages, end]
        first = self._sequence + 1
        self._sequence += len(everything)
        parts = []
        for number, message in enumerate(everything, first):
            asked = ACK if begin is not message is not end and number == self._sequence - 1 else 0
            parts.append(
                _HEADER.pack(_HEADER.size + len(message.body), message.kind, message.flags | REQUEST | asked, number, 0)
            )
            parts.append(message.body)
        self._sock.send(b"".join(parts))
        for sequence, number in self._answers(self._sequence - 1):
            if number:
                raise LabError(everything[sequence - first].what, self.node, number)


class LinkWatch:
    """Hears about every change of an interface in the namespace in which it was opened."""

    _NEWLINK, _LINK_GROUP, _OPERSTATE_UP = 16, 1, 6
    _LIMIT_S = 30.0
    """The kernel tells of 100 interfaces a second where all of them came up before it began (linkwatch)."""

    def __init__(self) -> None:
        self._sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, NETLINK_ROUTE)
        self._sock.bind((0, self._LINK_GROUP))
        self._sock.settimeout(self._LIMIT_S)

    def wait_until_running(self, index: int) -> None:
        """Wait for the news that an interface can send. A kernel that never tells costs that long, no more."""
        try:
            while not self._says_up(self._sock.recv(1 << 16), index):
                pass
        except TimeoutError:
            return

    def _says_up(self, data: bytes, index: int) -> bool:
        at = 0
        while at < len(data):
            size, kind, _, _, _ = _HEADER.unpack_from(data, at)
            if kind == self._NEWLINK and struct.unpack_from("=i", data, at + _HEADER.size + 4)[0] == index:
                operstate = _find(data[at + _HEADER.size + 16 : at + size], 16)  # struct ifinfomsg, IFLA_OPERSTATE
                if operstate and operstate[0] == self._OPERSTATE_UP:
                    return True
            at += (size + 3) & ~3
        return False

    def close(self) -> None:
        self._sock.close()


def _find(attributes: bytes, wanted: int) -> bytes | None:
    at = 0
    while at + _ATTRIBUTE.size <= len(attributes):
        size, kind = _ATTRIBUTE.unpack_from(attributes, at)
        if kind == wanted:
            return attributes[at + _ATTRIBUTE.size : at + size]
        at += (size + 3) & ~3
    return None
