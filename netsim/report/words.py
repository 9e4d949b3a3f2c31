"""How a report calls things: ends by their nodes' names, packets, ICMP messages, calls and faults in a few words."""

from __future__ import annotations

from dataclasses import dataclass, replace

from netsim.model.action import Connect, FetchError
from netsim.model.endpoint import Endpoint
from netsim.model.event import Arp, Call, Fault, Icmp, Kernel, Other, Segment, Tcp, Udp
from netsim.model.icmp import icmp_name
from netsim.model.network import Network
from netsim.model.verbs import written

_FLAGS = {"S": "SYN", "F": "FIN", "R": "RST", "P": "PSH", "A": "ACK", "U": "URG"}

_DIES_IN = {"SYN_SENT", "SYN_RECV", "ESTABLISHED", "FIN_WAIT1", "CLOSE_WAIT"}
"""States that an orderly end does not leave for CLOSE: such a change is news, all others are routine."""


@dataclass(frozen=True, slots=True)
class End:
    """One end of a conversation under the name that a person knows, and its port; 0 where there is none."""

    host: str
    port: int = 0

    def __str__(self) -> str:
        """`server:60000`; `fw` where there is no port."""
        return str(Endpoint(self.host, self.port)) if self.port else self.host


def end(network: Network, endpoint: Endpoint) -> End:
    """Name an end by the node that has its address, or by the address where nobody of the network has it."""
    return End(network.owner(endpoint.address) or endpoint.address, endpoint.port)


def flags(tcp: Tcp) -> str:
    """`SYN ACK`."""
    return " ".join(_FLAGS.get(flag, flag) for flag in tcp.flags)


def label(segment: Segment) -> str:
    """Say what a packet is, in a word or two: `SYN ACK`, `UDP`, `ICMP`."""
    match segment:
        case Tcp():
            return flags(segment) or "TCP"
        case Other(protocol=protocol):
            return f"IP {protocol}" if protocol.isdigit() else protocol.upper()
        case Udp() | Icmp() | Arp():
            return type(segment).__name__.upper()


def remark(network: Network, src: Endpoint, segment: Segment) -> str:
    """Say what a packet tells besides its numbers: `host unreachable: client:41234 > server:80`; mostly nothing."""
    if not isinstance(segment, Icmp):
        return ""
    said = icmp_name(segment.kind, segment.code, over_ipv6=":" in src.address)
    if segment.quoted_src is None or segment.quoted_dst is None:
        return said
    return f"{said}: {end(network, segment.quoted_src)} > {end(network, segment.quoted_dst)}"


def packet(network: Network, src: Endpoint, dst: Endpoint, segment: Segment) -> str:
    """A packet on one line: `SYN client:41234 > server:80`."""
    said = remark(network, src, segment)
    return f"{label(segment)} {end(network, src)} > {end(network, dst)}" + (f" ({said})" if said else "")


def call(network: Network, made: Call) -> str:
    """A call with its arguments: `connect(server:60000)`."""
    match made.action:
        case None:
            said = made.detail
        case Connect(host=host):
            said = str(replace(made.action, host=network.owner(host) or host))
        case FetchError():
            said = f"SO_ERROR {made.action}".rstrip()
        case _:
            said = str(made.action)
    return f"{made.name}({said})"


def fault(done: Fault) -> str:
    """A fault as the script has it: `client -- fw: cut`."""
    return f"{done.node}: {written(done.action)}"


def kernel(told: Kernel) -> str:
    """A tracepoint in a few words; '' for what the packets and calls show already."""
    match told.event:
        case "inet_sock_set_state":
            return f"{told.old} -> {told.state}" if told.state == "CLOSE" and told.old in _DIES_IN else ""
        case "tcp_retransmit_skb":
            return ""
        case "inet_sk_error_report":
            return f"socket error {told.reason}" if told.reason else ""
    return f"{told.event} {told.reason}".rstrip()
