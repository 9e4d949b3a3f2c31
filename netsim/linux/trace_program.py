"""The program at each tracepoint, and the record that it leaves.

A program gets the tracepoint's arguments (TP_PROTO in include/trace/events/tcp.h, sock.h and skb.h), and reads
what they point to, whether that is there or not: where it is not, bpf_probe_read_kernel() leaves zeros.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Container, Mapping
from dataclasses import dataclass
from functools import lru_cache

from netsim.linux import bpf
from netsim.linux.bpf import DW, FP, R0, R1, R2, R3, R6, R7, R8, R9, H, W
from netsim.linux.btf import Btf

PACKET_MAX = 128
"""Bytes of a packet that a record holds."""

End = tuple[str, int]
"""Address and port."""


@dataclass(frozen=True, slots=True)
class TraceRecord:
    """A tracepoint that was passed."""

    time_ns: int
    """CLOCK_MONOTONIC."""
    netns: int
    """The inode number of the network namespace, as of /proc/PID/ns/net."""
    event: str
    local: End = ("", 0)
    """The socket's own end; an IPv4 address too where an IPv6 socket speaks IPv4. ('', 0) where there is no socket."""
    remote: End = ("", 0)
    protocol: int = 0
    """IPPROTO_TCP and the like; 0 where there is no socket."""
    state: str = ""
    """Of the socket; for inet_sock_set_state the new one."""
    old: str = ""
    new: str = ""
    reason: str = ""
    """Without SK_RST_REASON_ or SKB_DROP_REASON_ before it; '' where the kernel gives none."""
    error: int = 0
    """The errno that inet_sk_error_report reports."""
    packet: bytes = b""
    """From the network header on. For tcp_send_reset what provoked the reset: b'' where it was the program itself."""


@dataclass(frozen=True, slots=True)
class Arguments:
    """Which argument of a tracepoint is the socket, which the packet, and which numbers are to be had as well."""

    sk: int | None = None
    skb: int | None = None
    values: tuple[int, ...] = ()


TRACEPOINTS: Mapping[str, tuple[Arguments, ...]] = {
    "tcp_send_reset": (Arguments(0, 1, (2,)), Arguments(0, 1)),  # the reason came with Linux 6.10
    "tcp_receive_reset": (Arguments(0),),
    "tcp_retransmit_skb": (Arguments(0),),  # its packet has no IP header yet
    "inet_sock_set_state": (Arguments(0, values=(1, 2)),),
    "inet_sk_error_report": (Arguments(0),),
    "kfree_skb": (Arguments(3, 0, (2,)), Arguments(None, 0, (2,))),  # 6.11, 5.17; before, it was no drop
}
"""What is traced, and the arguments as kernels have had them, the newest first."""
REASONS = {"tcp_send_reset": ("sk_rst_reason", "SK_RST_REASON_"), "kfree_skb": ("skb_drop_reason", "SKB_DROP_REASON_")}
"""The enumeration that gives a tracepoint's first value its name, and what is left out of the name."""

_EVENTS = tuple(TRACEPOINTS)
_STATES = (
    "", "ESTABLISHED", "SYN_SENT", "SYN_RECV", "FIN_WAIT1", "FIN_WAIT2", "TIME_WAIT", "CLOSE", "CLOSE_WAIT", "LAST_ACK",
    "LISTEN", "CLOSING", "NEW_SYN_RECV", "BOUND_INACTIVE",
)  # fmt: skip
"""include/net/tcp_states.h"""
_MINIATURE = {6, 12}
"""TIME_WAIT and NEW_SYN_RECV: such a socket is not a whole struct sock, only its beginning is there."""
_MAPPED = bytes(10) + b"\xff\xff"

_COMMON = {
    "skc_daddr": 4, "skc_rcv_saddr": 4, "skc_dport": 2, "skc_num": 2, "skc_family": 2, "skc_state": 1,
    "skc_v6_daddr": 16, "skc_v6_rcv_saddr": 16,
}  # fmt: skip
"""What of struct sock_common is looked at, and its size; a kernel without IPv6 lacks the last two."""
_ADDRESSES = {
    int(socket.AF_INET): ("skc_rcv_saddr", "skc_daddr"),
    int(socket.AF_INET6): ("skc_v6_rcv_saddr", "skc_v6_daddr"),
}

# A record: time, namespace, tracepoint, two values, sk_err, inet_sport, sk_protocol, network_header; then the packet,
# and the beginning of the socket.
_HEAD = struct.Struct("=QIIQQiHHH6x")
_ERR, _SPORT, _PROTOCOL, _NETWORK_HEADER, _PACKET = 32, 36, 38, 40, _HEAD.size
_SOCKET = _PACKET + PACKET_MAX


@dataclass(frozen=True, slots=True)
class Layout:
    """Where this kernel has what the programs read: offsets in bytes."""

    common: Mapping[str, int]
    common_bytes: int
    sk_net: int
    sk_err: int
    sk_protocol: int
    sport: int
    skb_dev: int
    skb_sk: int
    skb_head: int
    network_header: int
    dev_net: int
    inum: int
    reasons: Mapping[str, Mapping[int, str]]
    """The names of a tracepoint's reasons."""

    @property
    def record_bytes(self) -> int:
        return _SOCKET + self.common_bytes


def read_layout(btf: Btf) -> Layout:
    """Find everything in the kernel's types; raises LookupError for what it does not have."""

    def offset(struct_name: str, member: str) -> int:
        found = btf.offset(struct_name, member)
        if found is None:
            raise LookupError(f"this kernel has no {member} in struct {struct_name}")
        return found

    wanted = _COMMON if btf.offset("sock_common", "skc_v6_daddr") is not None else list(_COMMON)[:-2]
    common = {name: offset("sock_common", name) for name in wanted}
    return Layout(
        common=common,
        common_bytes=-(-max(at + _COMMON[name] for name, at in common.items()) // 8) * 8,
        sk_net=offset("sock_common", "skc_net"),
        sk_err=offset("sock", "sk_err"),
        sk_protocol=offset("sock", "sk_protocol"),
        sport=offset("inet_sock", "inet_sport"),
        skb_dev=offset("sk_buff", "dev"),
        skb_sk=offset("sk_buff", "sk"),
        skb_head=offset("sk_buff", "head"),
        network_header=offset("sk_buff", "network_header"),
        dev_net=offset("net_device", "nd_net"),
        inum=offset("net", "ns") + offset("ns_common", "inum"),
        reasons={
            event: {number: name.removeprefix(prefix) for number, name in btf.enumerators(enumeration).items()}
            for event, (enumeration, prefix) in REASONS.items()
        },
    )


@dataclass(frozen=True, slots=True)
class Maps:
    """What programs and we have in common, by descriptor."""

    namespaces: int
    """The inode numbers of the namespaces that are watched."""
    ring: int
    lost: int
    """One number: how many records found no room in the ring."""


_NET, _OTHER, _KEY = -8, -16, -24
"""Three places on a program's stack."""


def program(at: Layout, event: str, arguments: Arguments, maps: Maps) -> bytes:
    """The program of a tracepoint: R7 has the socket, R8 the packet; R9 first the namespace, then the record."""
    code = bpf.Code()
    code.copy(R6, R1)
    _argument(code, R7, arguments.sk)
    _argument(code, R8, arguments.skb)
    _leave_unless_watched(code, at, maps)
    code.load_map(R1, maps.ring)
    code.set(R2, at.record_bytes)
    code.set(R3, 0)
    code.call(bpf.RINGBUF_RESERVE)
    code.jump_if_equal(R0, 0, "no room")
    code.copy(R9, R0)
    code.call(bpf.KTIME_GET_NS)
    code.store(DW, R9, 0, R0)
    code.load(W, R1, FP, _KEY)
    code.store(W, R9, 8, R1)
    code.store_value(W, R9, 12, _EVENTS.index(event))
    for i, place in enumerate((*arguments.values, None, None)[:2]):
        _argument(code, R1, place)
        code.store(DW, R9, 16 + 8 * i, R1)
    _copy_socket_and_packet(code, at)
    code.copy(R1, R9)
    code.set(R2, 0)
    code.call(bpf.RINGBUF_SUBMIT)
    code.exit()
    code.label("no room")
    code.store_value(DW, FP, _KEY, 0)
    code.load_map(R1, maps.lost)
    code.copy(R2, FP, plus=_KEY)
    code.call(bpf.MAP_LOOKUP_ELEM)
    code.jump_if_equal(R0, 0, "out")
    code.set(R1, 1)
    code.atomic_add(R0, R1)
    code.label("out")
    code.exit()
    return code.assembled()


def _argument(code: bpf.Code, register: int, place: int | None) -> None:
    if place is None:
        code.set(register, 0)
    else:
        code.load(DW, register, R6, 8 * place)


def _read(code: bpf.Code, source: int, offset: int, size: int, into: int, *, where: int = FP) -> None:
    """Copy from the kernel's memory to the stack, or the record."""
    code.copy(R1, where, plus=into)
    code.set(R2, size)
    code.copy(R3, source, plus=offset)
    code.call(bpf.PROBE_READ_KERNEL)


def _leave_unless_watched(code: bpf.Code, at: Layout, maps: Maps) -> None:
    """Whose is it? The socket says so, else the interface that the packet came by, else the packet's socket."""
    code.store_value(DW, FP, _NET, 0)
    code.jump_if_equal(R7, 0, "no socket")
    _read(code, R7, at.sk_net, 8, _NET)
    code.jump("namespace")
    code.label("no socket")
    code.jump_if_equal(R8, 0, "out")
    for pointer, namespace in ((at.skb_dev, at.dev_net), (at.skb_sk, at.sk_net)):
        _read(code, R8, pointer, 8, _OTHER)
        code.load(DW, R9, FP, _OTHER)
        code.jump_if_equal(R9, 0, f"not by {pointer}")
        _read(code, R9, namespace, 8, _NET)
        code.jump("namespace")
        code.label(f"not by {pointer}")
    code.label("namespace")
    code.load(DW, R9, FP, _NET)
    code.jump_if_equal(R9, 0, "out")
    code.store_value(DW, FP, _KEY, 0)
    _read(code, R9, at.inum, 4, _KEY)
    code.load_map(R1, maps.namespaces)
    code.copy(R2, FP, plus=_KEY)
    code.call(bpf.MAP_LOOKUP_ELEM)
    code.jump_if_equal(R0, 0, "out")


def _copy_socket_and_packet(code: bpf.Code, at: Layout) -> None:
    _read(code, R7, at.sk_err, 4, _ERR, where=R9)
    _read(code, R7, at.sport, 2, _SPORT, where=R9)
    _read(code, R7, at.sk_protocol, 2, _PROTOCOL, where=R9)
    _read(code, R7, 0, at.common_bytes, _SOCKET, where=R9)
    _read(code, R8, at.network_header, 2, _NETWORK_HEADER, where=R9)
    _read(code, R8, at.skb_head, 8, _OTHER)
    code.load(H, R1, R9, _NETWORK_HEADER)
    code.load(DW, R8, FP, _OTHER)
    code.add(R8, R1)
    _read(code, R8, 0, PACKET_MAX, _PACKET, where=R9)


def decoded(at: Layout, data: bytes, reasoned: Container[str]) -> TraceRecord:
    """Read a record; `reasoned` are the tracepoints whose first value is a reason."""
    time_ns, netns, number, first, second, error, sport, protocol, header = _HEAD.unpack_from(data)
    event, common = _EVENTS[number], at.common
    sock = data[_SOCKET:]
    (family,) = struct.unpack_from("=H", sock, common["skc_family"])
    state = sock[common["skc_state"]]
    whole = state not in _MINIATURE
    local = remote = ("", 0)
    if family in _ADDRESSES:
        here, there = (sock[common[name] :][: _COMMON[name]] for name in _ADDRESSES[family])
        (own,) = struct.unpack_from("=H", sock, common["skc_num"])  # 0 in a whole socket that has given up its port
        (far,) = struct.unpack_from("!H", sock, common["skc_dport"])
        local, remote = (_text(here), socket.ntohs(sport) if whole else own), (_text(there), far)
    changes = event == "inet_sock_set_state"
    reason = first & 0xFFFFFFFF
    return TraceRecord(
        time_ns,
        netns,
        event,
        local,
        remote,
        protocol=(protocol if whole else socket.IPPROTO_TCP) if family else 0,
        state=_state(second if changes else state),
        old=_state(first) if changes else "",
        new=_state(second) if changes else "",
        reason=at.reasons[event].get(reason, str(reason)) if event in reasoned else "",
        error=error if event == "inet_sk_error_report" else 0,
        packet=_ip(data[_PACKET:_SOCKET]) if header not in {0, 0xFFFF} else b"",
    )


@lru_cache(4096)
def _text(address: bytes) -> str:
    if len(address) == 16 and address.startswith(_MAPPED):
        address = address[12:]
    return socket.inet_ntop(socket.AF_INET if len(address) == 4 else socket.AF_INET6, address)


def _state(number: int) -> str:
    return _STATES[number] if number < len(_STATES) else str(number)


def _ip(data: bytes) -> bytes:
    """An IP packet without what is behind it in memory; b'' where it is none."""
    if 0x45 <= data[0] <= 0x4F:
        return data[: int.from_bytes(data[2:4], "big")]
    if data[0] >> 4 == 6:
        return data[: 40 + int.from_bytes(data[4:6], "big")]
    return b""
