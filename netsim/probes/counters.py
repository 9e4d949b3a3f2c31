"""A node's TCP counters, before and after: /proc/net/snmp and /proc/net/netstat, by the names of nstat(8)."""

from __future__ import annotations

from collections.abc import Callable

Counts = dict[str, int]

_SECTIONS = {"Tcp", "TcpExt"}
_GAUGES = {"TcpCurrEstab", "TcpRtoAlgorithm", "TcpRtoMin", "TcpRtoMax", "TcpMaxConn"}


def read(file: Callable[[str], str]) -> Counts:
    """Read all counters of a node, as `TcpOutRsts` and `TcpExtTCPAbortOnClose`; `file` reads below its /proc/net."""
    return parse(file("snmp")) | parse(file("netstat"))


def parse(text: str) -> Counts:
    """Read the kernel's pairs of lines: names, then numbers."""
    lines = [line.split() for line in text.splitlines()]
    counts = {}
    for names, values in zip(lines[::2], lines[1::2], strict=True):
        section = names[0].rstrip(":")
        if section in _SECTIONS:
            counts.update({section + name: int(value) for name, value in zip(names[1:], values[1:], strict=True)})
    return {name: value for name, value in counts.items() if name not in _GAUGES}


def growth(before: Counts, after: Counts) -> Counts:
    """What has grown, and by how much."""
    return {name: value - before.get(name, 0) for name, value in after.items() if value > before.get(name, 0)}
