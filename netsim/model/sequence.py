"""Relative sequence numbers, counted per direction of a connection from the first that was seen."""

from __future__ import annotations

from netsim.model.event import Packet

_SPACE = 1 << 32


class Relative:
    """Follows the connections of one timeline, packet by packet in time order."""

    def __init__(self) -> None:
        self._first: dict[tuple[str, int, str, int], int] = {}

    def numbers(self, packet: Packet) -> tuple[int, int]:
        """A TCP packet's sequence and acknowledgement number: a SYN's is 0, what acknowledges it 1."""
        if packet.protocol != "tcp":
            return 0, 0
        there = packet.flow
        back = (*there[2:], *there[:2])
        if "S" in packet.flags and self._first.get(there) != packet.seq:
            self._first[there] = packet.seq  # a new connection, perhaps on a port that had one before
            if "A" not in packet.flags:
                self._first.pop(back, None)
        elif packet.flags != "RA" or packet.seq:  # the RST ACK of a refused SYN counts nothing: its number is 0
            self._first.setdefault(there, packet.seq)
        if "A" not in packet.flags:
            return _distance(self._first.get(there, 0), packet.seq), 0
        self._first.setdefault(back, packet.ack - ("S" in packet.flags))  # the SYN itself was not captured
        return _distance(self._first.get(there, 0), packet.seq), _distance(self._first[back], packet.ack)


def _distance(first: int, number: int) -> int:
    """How far apart in 32 bits; negative for a number just before the first."""
    apart = (number - first) % _SPACE
    return apart - _SPACE if apart >= _SPACE >> 1 else apart
