"""Facts: each has a time, a node and a source. Times are ns since the script began, on one monotonic clock."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from netsim.model.action import Action
from netsim.model.endpoint import Endpoint
from netsim.model.firewall import Rule
from netsim.model.result import Errno, Exited, Result, Signalled


@dataclass(frozen=True, slots=True)
class Tcp:
    """A TCP segment (RFC 9293, 3.1). `seq` and `ack` are the 32 bits of the header, `length` counts the payload."""

    flags: str
    """In the order S F R P A U, as in `RA`."""
    seq: int
    ack: int
    length: int = 0
    window: int = 0
    """As in the header, not scaled."""

    @property
    def end(self) -> int:
        """The sequence number behind it: SYN and FIN count for one each."""
        return (self.seq + self.length + ("S" in self.flags) + ("F" in self.flags)) % (1 << 32)


@dataclass(frozen=True, slots=True)
class Udp:
    """A UDP datagram (RFC 768)."""

    length: int


@dataclass(frozen=True, slots=True)
class Icmp:
    """An ICMP message (RFC 792), by type and code; an error has what it quotes of the packet that it is about."""

    kind: int
    code: int
    length: int = 0
    quoted_protocol: str = ""
    """tcp, udp, icmp, or the IP protocol's number; '' where it quotes nothing."""
    quoted_src: Endpoint | None = None
    quoted_dst: Endpoint | None = None
    quoted_seq: int = 0
    """The sequence number of a quoted TCP segment."""


@dataclass(frozen=True, slots=True)
class Arp:
    """An ARP request or reply (RFC 826); source and destination are those of the protocol addresses."""

    operation: Literal["request", "reply"]


@dataclass(frozen=True, slots=True)
class Other:
    """Anything else over IP."""

    protocol: str
    length: int = 0


Segment = Tcp | Udp | Icmp | Arp | Other


@dataclass(frozen=True, slots=True)
class Packet:
    """A frame as one tap saw it: going out of a node's interface, or coming in.

    Over loopback a packet is seen once, coming in, on no link.
    """

    source: ClassVar[str] = "packet"
    time_ns: int
    node: str
    interface: str
    link: str | None
    """The link's id; None on loopback."""
    direction: Literal["out", "in"]
    src: Endpoint
    dst: Endpoint
    segment: Segment
    ttl: int = 0
    ident: int = 0
    """The IPv4 identification field; 0 where there is none."""
    lost: bool = False
    """It reached this end of a cable while the cable was cut: the tap is before the cut, the machine never got it."""
    overheard: bool = False
    """It is addressed to another machine's interface: a switch sent it here too, and the kernel ignores it."""


@dataclass(frozen=True, slots=True)
class Call:
    """A system call of a process, from its entry to its return."""

    source: ClassVar[str] = "call"
    time_ns: int
    node: str
    process: str
    """`node` or `node.name`."""
    name: str
    """The call's one name, whoever saw it: accept for accept4, recv for recvfrom, setsockopt for `set`."""
    result: Result | None
    """None: it never returned, as its process ended first and nobody saw how."""
    end_ns: int
    """When it had returned, at the latest: strace tells of it a little late."""
    action: Action | None = None
    """What it does; None for a call that no script can make."""
    detail: str = ""
    """The arguments of a call that no script can make, for people."""
    socket: str = ""
    """The socket that it is made on, by a name that no other socket of the run has; '' for none."""
    made: str = ""
    """The socket that accept() made."""
    traced: bool = False
    """strace saw it, and not the process that made it: its times are strace's."""
    final: bool = True
    """Of a close(): nobody else has the socket open, so that it ends here."""
    local: Endpoint | None = None
    """This end of the socket after the call."""
    remote: Endpoint | None = None
    step: int | None = None
    pid: int = 0

    @property
    def failed(self) -> bool:
        return isinstance(self.result, Errno)


@dataclass(frozen=True, slots=True)
class ProcessEnd:
    """A process is gone, and with it every socket that only it had open."""

    source: ClassVar[str] = "process"
    time_ns: int
    node: str
    process: str
    outcome: Exited | Signalled
    began_ns: int | None = None
    """Before this it surely lived: when it was killed, or was last seen at something."""
    pid: int = 0
    step: int | None = None
    output: str = ""
    """The end of what a command wrote to stdout and stderr."""
    closed: tuple[str, ...] = ()
    """The sockets that its end closed."""


@dataclass(frozen=True, slots=True)
class Kernel:
    """What the kernel said of one socket or packet of one node: a tracepoint of TCP's.

    A listener, which has no other end, is told of when it enters the state LISTEN and when it leaves it.
    """

    source: ClassVar[str] = "kernel"
    time_ns: int
    node: str
    event: str
    """The tracepoint: tcp_send_reset, tcp_receive_reset, tcp_retransmit_skb, inet_sock_set_state, ..."""
    local: Endpoint
    remote: Endpoint
    reason: str = ""
    """Of a reset or a drop: the kernel's name for why; of inet_sk_error_report: the errno. '' where it gave none."""
    old: str = ""
    """The state that inet_sock_set_state left, and in `state` the one that it entered."""
    state: str = ""
    """The TCP state of the socket; '' where there was none."""
    answers: Tcp | None = None
    """The segment that a reset answers, or that was dropped."""


@dataclass(frozen=True, slots=True)
class Drop:
    """The kernel of a node dropped a packet and said why: tracepoint kfree_skb, enum skb_drop_reason."""

    source: ClassVar[str] = "drop"
    time_ns: int
    node: str
    reason: str
    src: Endpoint
    dst: Endpoint
    segment: Segment
    ident: int = 0


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
    chain: str
    """INPUT, FORWARD or OUTPUT."""
    number: int
    """From 1, as `iptables -L --line-numbers` counts within its chain."""
    rule: Rule
    packets: int


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that the script did to the lab; it took effect between `time_ns` and `end_ns`."""

    source: ClassVar[str] = "fault"
    time_ns: int
    node: str
    """The node, or the link's id."""
    action: Action
    end_ns: int
    step: int | None = None


@dataclass(frozen=True, slots=True)
class Missed:
    """What a probe had to let go, because more came than it could take in."""

    source: ClassVar[str] = "missed"
    time_ns: int
    node: str
    """'' where it is the whole lab's."""
    of: str
    """The source that it was for."""
    count: int


Event = Packet | Call | ProcessEnd | Kernel | Drop | Counters | RuleHit | Fault | Missed
EVENT_TYPES: tuple[type[Event], ...] = (
    Packet, Call, ProcessEnd, Kernel, Drop, Counters, RuleHit, Fault, Missed,
)  # fmt: skip
