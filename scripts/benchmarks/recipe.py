"""Writes down what netsim says to the kernel for a plan, for the C program to say the same."""

from __future__ import annotations

import struct
from pathlib import Path

from netsim.linux import construct, links, syscalls
from netsim.linux.keeper_state import current_namespace
from netsim.linux.netlink import Message, Netlink
from netsim.linux.sysctl import Sysctls, baseline
from netsim.model.plan import Plan

_NAMESPACE = 0x5A << 24
"""Stands in the messages for the descriptor of a node's namespace; the low bits say which node's."""
_NET_NS_FD = struct.pack("=HH", 8, 28)
_HEADER = struct.Struct("=IHHII")


class _Tape(Netlink):
    """Keeps what is sent, and says that it was done."""

    def __init__(self) -> None:
        self.sends: list[bytes] = []
        self._sequence = 0
        self._sock = self  # type: ignore[assignment]

    def send(self, data: bytes) -> None:
        self.sends.append(data)

    def recv(self, _: int) -> bytes:
        return _HEADER.pack(_HEADER.size + 4, 2, 0, _last_sequence(self.sends[-1]), 0) + struct.pack("=i", 0)


def write_recipe(plan: Plan, path: Path) -> dict[str, int]:
    """Write the recipe of a plan whose nodes are all routers; gives how much of each kind is in it."""
    cables, ready = construct.cables(plan, {node.node.name: _NAMESPACE | i for i, node in enumerate(plan.nodes)})
    settings = sysctls(plan)
    parts = [_u32(len(plan.nodes)), *(_string(node.node.name) for node in plan.nodes), _u32(len(settings))]
    for key, value in settings.items():
        parts += (_string("sys/" + key.replace(".", "/")), _bytes(value.encode()))
    parts += _sends(cables, patched=True)
    per_node = [links.configuration(node, frozenset(ready[node.node.name])) for node in plan.nodes]
    for messages in per_node:
        parts += _sends(messages)
    path.write_bytes(b"".join(parts))
    return {
        "messages": len(cables) + sum(map(len, per_node)),
        "addresses": sum(i.address is not None for node in plan.nodes for i in node.interfaces),
        "routes": sum(len(node.routes) for node in plan.nodes),
        "sysctls": len(settings) * len(plan.nodes),
    }


def sysctls(plan: Plan) -> dict[str, str]:
    """What netsim writes in each router on this host."""
    home = current_namespace()
    syscalls.unshare(syscalls.CLONE_NEWNET)
    try:
        return dict(baseline(Sysctls(), plan.uses_ipv6)["router"])
    finally:
        syscalls.setns(home)


def _sends(messages: list[Message], patched: bool = False) -> list[bytes]:
    tape = _Tape()
    tape.transact(messages)
    parts = [_u32(len(tape.sends))]
    for data in tape.sends:
        parts += (_u32(_last_sequence(data)), _bytes(data))
        if patched:
            parts += _patches(data)
    return parts


def _patches(data: bytes) -> list[bytes]:
    found = []
    at = data.find(_NET_NS_FD)
    while at >= 0:
        value = struct.unpack_from("=I", data, at + 4)[0]
        if value & 0xFF << 24 == _NAMESPACE:
            found.append(struct.pack("=II", at + 4, value & 0xFFFFFF))
        at = data.find(_NET_NS_FD, at + 1)
    return [_u32(len(found)), *found]


def _last_sequence(data: bytes) -> int:
    at = sequence = 0
    while at < len(data):
        size, _, _, sequence, _ = _HEADER.unpack_from(data, at)
        at += (size + 3) & ~3
    return int(sequence)


def _u32(value: int) -> bytes:
    return struct.pack("=I", value)


def _bytes(data: bytes) -> bytes:
    return _u32(len(data)) + data


def _string(value: str) -> bytes:
    return _bytes(value.encode() + b"\0")
