"""Netlink by hand, for what is done in bulk: messages packed with struct, many in one send.

rtnetlink(7), netlink(7). What is read, or done rarely, goes through pyroute2.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator, Sequence

from netsim.errors import LabError

NETLINK_ROUTE, NETLINK_NETFILTER = 0, 12
REQUEST, ACK, EXCL, CREATE, APPEND = 0x1, 0x4, 0x200, 0x400, 0x800

_NLMSG_ERROR = 2
_HEADER = struct.Struct("=IHHII")
_ATTRIBUTE = struct.Struct("=HH")
_ERRNO = struct.Struct("=i")
_SEND_BYTES = 32768
_QUERIES_AT_ONCE = 32
"""Their answers have to fit in the socket's buffer: 208 KiB, where nobody has changed net.core.rmem_default."""
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
        batch: list[Message] = []
        size = 0
        for message in messages:
            packed = _HEADER.size + len(message.body)
            if size + packed > _SEND_BYTES and batch:
                self._check(batch)
                batch, size = [], 0
            batch.append(message)
            size += packed
        if batch:
            self._check(batch)

    def batch(self, begin: Message, messages: Sequence[Message], end: Message) -> None:
        """Send an nfnetlink batch: all of it or nothing; raises LabError."""
        self._check([begin, *messages, end], all_or_none=True)

    def query(self, messages: Sequence[Message]) -> Iterator[bytes]:
        """Send requests that have one answer each, and yield these, without their headers; raises LabError."""
        for first in range(0, len(messages), _QUERIES_AT_ONCE):
            some = messages[first : first + _QUERIES_AT_ONCE]
            for message, kind, body in self._ask(some, len(some) - 1):
                if kind == _NLMSG_ERROR:
                    raise LabError(message.what, self.node, -_ERRNO.unpack_from(body)[0])
                yield body

    def _check(self, messages: Sequence[Message], all_or_none: bool = False) -> None:
        """Send requests, and raise LabError for the first that is refused once the last one is answered.

        `all_or_none`: they stand between two that begin and end a batch. Where its beginning is refused,
        nothing else is answered, and its end never is.
        """
        refused = None
        for message, kind, body in self._ask(messages, len(messages) - 1 - all_or_none, ACK):
            number = -_ERRNO.unpack_from(body)[0] if kind == _NLMSG_ERROR else 0
            if number and refused is None:
                refused = LabError(message.what, self.node, number)
            if all_or_none and message is messages[0]:
                break
        if refused:
            raise refused

    def _ask(self, messages: Sequence[Message], last: int, flags: int = 0) -> Iterator[tuple[Message, int, bytes]]:
        """Send requests, the last with more flags, and yield each answer with its request, until the last's."""
        first = self._sequence + 1
        self._sequence += len(messages)
        parts: list[bytes] = []
        for number, message in enumerate(messages, first):
            more = REQUEST | flags if number == first + last else REQUEST
            size = _HEADER.size + len(message.body)
            parts += (_HEADER.pack(size, message.kind, message.flags | more, number, 0), message.body)
        self._sock.send(b"".join(parts))
        sequence = 0
        while sequence != first + last:
            data = self._sock.recv(1 << 16)
            at = 0
            while at < len(data):
                size, kind, _, sequence, _ = _HEADER.unpack_from(data, at)
                if sequence >= first:
                    yield messages[sequence - first], kind, data[at + _HEADER.size : at + size]
                at += (size + 3) & ~3


def find_attribute(attributes: bytes, wanted: int) -> bytes | None:
    """The payload of the first attribute of a kind."""
    at = 0
    while at + _ATTRIBUTE.size <= len(attributes):
        size, kind = _ATTRIBUTE.unpack_from(attributes, at)
        if kind == wanted:
            return attributes[at + _ATTRIBUTE.size : at + size]
        at += (size + 3) & ~3
    return None
