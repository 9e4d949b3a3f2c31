"""Facts: each has a time, a node and a source. Times are ns since the script began, on one monotonic clock."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from netsim.model.step import ERRNOS


def end_text(address: str, port: int) -> str:
    """ADDRESS:PORT, as the kernel prints it."""
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


@dataclass(frozen=True, slots=True)
class Packet:
    """A frame as one end of a link saw it: going out of a node, or coming in.

    `seq` and `ack` are the 32 bits of the header. `lost` is set on a frame that reached this end
    of a cable while the cable was cut: the tap is before the cut, the machine never got it.
    """

    source: ClassVar[str] = "packet"
    time_ns: int
    node: str
    interface: str
    link: str
    direction: Literal["out", "in"]
    protocol: str
    """tcp, udp, icmp, arp, or the IP protocol's number."""
    src: str
    dst: str
    ttl: int = 0
    ident: int = 0
    """The IPv4 identification field; 0 where there is none."""
    sport: int = 0
    dport: int = 0
    seq: int = 0
    ack: int = 0
    flags: str = ""
    """TCP flags, in the order S F R P A U, as in 'RA'."""
    length: int = 0
    """Payload bytes."""
    window: int = 0
    detail: str = ""
    """What else is to be said: the ICMP type and code by name, an ARP question."""
    lost: bool = False

    @property
    def flow(self) -> tuple[str, int, str, int]:
        return (self.src, self.sport, self.dst, self.dport)


@dataclass(frozen=True, slots=True)
class Call:
    """A system call of a process, from its entry to its return."""

    source: ClassVar[str] = "call"
    time_ns: int
    node: str
    process: str
    """`node` or `node.name`."""
    call: str
    args: str
    result: str
    """ok, a number, an errno, eof, `timeout` (had not returned when it was cancelled), poll events."""
    end_ns: int
    step: int | None = None
    pid: int = 0
    local: str = ""
    """ADDRESS:PORT of this end after the call; '' where there is none."""
    remote: str = ""

    @property
    def failed(self) -> bool:
        return self.result in ERRNOS


@dataclass(frozen=True, slots=True)
class ProcessEnd:
    """A process is gone: `exit N` or `signal SIGNAME`."""

    source: ClassVar[str] = "process"
    time_ns: int
    node: str
    process: str
    outcome: str
    pid: int = 0
    step: int | None = None
    output: str = ""
    """The end of what a command wrote to stdout and stderr."""


@dataclass(frozen=True, slots=True)
class Kernel:
    """A tracepoint of the kernel: tcp_send_reset, inet_sock_set_state, and the like."""

    source: ClassVar[str] = "kernel"
    time_ns: int
    node: str
    event: str
    src: str
    """ADDRESS:PORT of the socket that it is about."""
    dst: str
    reason: str = ""
    state: str = ""
    """The TCP state; `OLD -> NEW` for a change."""


@dataclass(frozen=True, slots=True)
class Counters:
    """By how much a node's TCP counters grew during the run, by the names of `nstat`."""

    source: ClassVar[str] = "counters"
    time_ns: int
    node: str
    grew: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RuleHit:
    """How many packets one rule of a node's packet filter matched during the run."""

    source: ClassVar[str] = "rule"
    time_ns: int
    node: str
    number: int
    """From 1, as `iptables -L --line-numbers` counts within its chain."""
    chain: str
    rule: str
    packets: int


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that the script did to the lab; it took effect between `time_ns` and `end_ns`."""

    source: ClassVar[str] = "fault"
    time_ns: int
    node: str
    """The node, or the link's name."""
    fault: str
    text: str
    end_ns: int
    step: int | None = None


Event = Packet | Call | ProcessEnd | Kernel | Counters | RuleHit | Fault
EVENT_TYPES: tuple[type[Event], ...] = (Packet, Call, ProcessEnd, Kernel, Counters, RuleHit, Fault)
