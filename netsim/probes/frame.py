"""A frame as a capture took it in, not yet parsed."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame as it was seen at a node; the time is CLOCK_MONOTONIC."""

    node: str
    time_ns: int
    interface: str
    outgoing: bool
    overheard: bool
    """It is addressed to another machine (PACKET_OTHERHOST, packet(7))."""
    data: bytes
    """Its first bytes."""
