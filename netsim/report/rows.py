"""What a ladder says, row by row: packets, and in between the calls, ends, faults and the kernel's own words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from netsim.model.action import Action
from netsim.model.event import Icmp, Segment, Tcp
from netsim.model.result import Errno, Exited, Result, Signalled, TimedOut
from netsim.report import words
from netsim.report.words import End


@dataclass(frozen=True, slots=True)
class PacketRow:
    """A packet crosses a link, or is lost on it; over loopback its sender and its receiver are one."""

    time_ns: int
    event: int
    sender: str
    receiver: str
    src: End
    dst: End
    segment: Segment
    seq: int | None
    """Relative numbers, as people count; None where it has none."""
    ack: int | None
    ttl: int
    said: str = ""
    """What else it tells: of ICMP, its type and code by name, and what it is about."""
    lost: bool = False
    resent: bool = False

    @property
    def label(self) -> str:
        """What it is, in a word or two: `SYN ACK`, `UDP`."""
        return words.label(self.segment)

    @property
    def length(self) -> int:
        """Bytes of payload."""
        return getattr(self.segment, "length", 0)

    @property
    def is_reset(self) -> bool:
        return isinstance(self.segment, Tcp) and "R" in self.segment.flags

    @property
    def is_icmp(self) -> bool:
        return isinstance(self.segment, Icmp)


@dataclass(frozen=True, slots=True)
class CallRow:
    """A call of a process; one that something happened during has a row for its beginning and one for its end."""

    time_ns: int
    event: int
    node: str
    who: str
    what: str
    """`connect(server:60000)`; of an end, the name alone."""
    part: Literal["whole", "begin", "end"]
    result: Result | None
    """None at its beginning, and where it never returned."""
    took_ns: int
    expected: Result | None = None
    """What the script expects and did not get."""

    @property
    def is_bad(self) -> bool:
        return isinstance(self.result, Errno | TimedOut)


@dataclass(frozen=True, slots=True)
class EndRow:
    """A process is gone."""

    time_ns: int
    event: int
    node: str
    who: str
    outcome: Exited | Signalled


@dataclass(frozen=True, slots=True)
class KernelRow:
    """What the kernel of a node said in one go."""

    time_ns: int
    events: tuple[int, ...]
    node: str
    said: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DropRow:
    """The kernel of a node dropped a packet, and nothing else tells so."""

    time_ns: int
    event: int
    node: str
    packet: str
    """`SYN client:41234 > server:60000`."""
    reason: str


@dataclass(frozen=True, slots=True)
class FaultRow:
    """Something was done to the lab: to a node, or to a link by its id."""

    time_ns: int
    event: int
    where: str
    action: Action
    text: str


@dataclass(frozen=True, slots=True)
class PauseRow:
    """Nothing for a while."""

    time_ns: int
    lasted_ns: int


@dataclass(frozen=True, slots=True)
class LeftOutRow:
    """Much happened, and is not shown."""

    time_ns: int
    count: int


Row = PacketRow | CallRow | EndRow | KernelRow | DropRow | FaultRow | PauseRow | LeftOutRow
