"""The kernel's own words: what its tracepoints told of the lab's namespaces, as events."""

from __future__ import annotations

import errno
import socket
import struct
from collections.abc import Iterable, Iterator, Mapping

from netsim.linux.tracing import TraceRecord
from netsim.model.endpoint import Endpoint
from netsim.model.event import Drop, Kernel, Tcp
from netsim.probes.packets import Read, read_ip


def parse(records: Iterable[TraceRecord], nodes: Mapping[int, str]) -> Iterator[Kernel | Drop]:
    """Turn records into events; `nodes` says whose each network namespace is, by its inode number."""
    for record in records:
        node = nodes.get(record.netns)
        if node is not None:
            event = _drop(node, record) if record.event == "kfree_skb" else _kernel(node, record)
            if event is not None:
                yield event


def _drop(node: str, record: TraceRecord) -> Drop | None:
    read = _packet(record)
    if read is None:
        return None
    src, dst, segment, _, ident = read
    return Drop(record.time_ns, node, record.reason, src, dst, segment, ident)


def _kernel(node: str, record: TraceRecord) -> Kernel | None:
    if record.protocol not in {0, socket.IPPROTO_TCP}:
        return None  # a UDP socket reports errors too
    local, remote = _end(record.local), _end(record.remote)
    answers: Tcp | None = None
    if record.event == "tcp_send_reset":
        read = _packet(record)
        if read is not None and isinstance(read[2], Tcp):
            remote, local, answers = read[0], read[1], read[2]  # a listener's own ends say nothing of the connection
    if not local.port or (not remote.port and "LISTEN" not in {record.old, record.state}):
        return None
    return Kernel(record.time_ns, node, record.event, local, remote, _reason(record), record.old, record.state, answers)


def _reason(record: TraceRecord) -> str:
    if record.event == "inet_sk_error_report":
        return errno.errorcode.get(record.error, str(record.error)) if record.error else ""
    return record.reason


def _end(end: tuple[str, int]) -> Endpoint:
    return Endpoint(*end)


def _packet(record: TraceRecord) -> Read | None:
    try:
        return read_ip(record.packet) if record.packet else None
    except (struct.error, IndexError):
        return None
