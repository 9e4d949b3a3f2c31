"""The kernel's own reasons: tracepoints of TCP, read from the lab's tracing instance."""

from __future__ import annotations

import errno
import re
from collections.abc import Iterable, Iterator

from netsim.model.event import Kernel, Packet, end_text
from netsim.model.plan import Plan

EVENTS = (
    "tcp/tcp_send_reset",
    "tcp/tcp_receive_reset",
    "tcp/tcp_retransmit_skb",
    "sock/inet_sock_set_state",
    "sock/inet_sk_error_report",
)

_LINE = re.compile(r"\s(?P<s>\d+)\.(?P<us>\d{6}): (?P<event>\w+): (?P<rest>.*)$")
_FIELD = re.compile(r"(\w+)=(\S+)")


def parse(trace: str, plan: Plan) -> Iterator[Kernel]:
    """Turn trace lines into events. The kernel names no namespace: addresses tell whose a socket is.

    Times are CLOCK_MONOTONIC (the instance's trace_clock), to the microsecond.
    """
    for line in trace.splitlines():
        found = _LINE.search(line)
        if found is None:
            continue
        fields = dict(_FIELD.findall(found["rest"]))
        src, dst = _ends(fields)
        node = plan.owners.get(_host(src))
        if node is None:
            continue  # another machine's: the trace is of the whole kernel
        time_ns = int(found["s"]) * 1_000_000_000 + int(found["us"]) * 1000
        yield Kernel(time_ns, node, found["event"], src, dst, _reason(fields), _state(fields))


def about(events: Iterable[Kernel], packets: Iterable[Packet]) -> Iterator[Kernel]:
    """Only what is about a connection that these packets belong to."""
    ends = {(end_text(p.src, p.sport), end_text(p.dst, p.dport)) for p in packets if p.protocol == "tcp"}
    return (event for event in events if (event.src, event.dst) in ends or (event.dst, event.src) in ends)


def _ends(fields: dict[str, str]) -> tuple[str, str]:
    if "src" in fields:  # tcp_send_reset: src is the socket's own end
        return fields["src"], fields["dest"]
    if fields.get("family") == "AF_INET6" and not fields.get("saddrv6", "").startswith("::ffff:"):
        source, destination = f"[{fields['saddrv6']}]", f"[{fields['daddrv6']}]"
    else:
        source, destination = fields.get("saddr", ""), fields.get("daddr", "")
    return f"{source}:{fields.get('sport', 0)}", f"{destination}:{fields.get('dport', 0)}"


def _host(end: str) -> str:
    return end.rpartition(":")[0].strip("[]")


def _reason(fields: dict[str, str]) -> str:
    if "error" in fields:
        number = int(fields["error"])
        return errno.errorcode.get(number, str(number))
    return fields.get("reason", "")


def _state(fields: dict[str, str]) -> str:
    if "oldstate" in fields:
        return f"{_short(fields['oldstate'])} -> {_short(fields['newstate'])}"
    return _short(fields.get("state", ""))


def _short(state: str) -> str:
    return state.removeprefix("TCP_")
