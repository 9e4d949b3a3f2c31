"""What the tests of explanations share: usual parts of stories, and how one is explained."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from netsim.explain import explain
from netsim.model.event import Tcp
from netsim.model.explanation import Explanation, Failure, Reset
from netsim.model.timeline import Tap
from tests.unit.builders import (
    CLIENT_ISN,
    TRACED,
    UNTRACED,
    Part,
    call,
    counted,
    handshake,
    kernel,
    segment,
    timeline,
)

COUNTED = UNTRACED
BARE = UNTRACED - {"counters", "rule"}
EVIDENCE = [TRACED, COUNTED, BARE]
"""With everything, without the kernel's words, and without counters too."""

AT_CLIENT = [Tap("client", "client -- fw")]
AT_SERVER = [Tap("server", "fw -- server")]

SCRIPT = (("client", "connect server:60000"), ("client", "recv"), ("client", "send 5"), ("client", "send 6"))


def explained(*parts: Part, **more: Any) -> Explanation:
    return explain(timeline(*parts, **{"script": SCRIPT, **more}))


def reset(*parts: Part, **more: Any) -> Reset:
    (found,) = explained(*parts, **more).resets
    return found


def failure(*parts: Part, **more: Any) -> Failure:
    (found,) = explained(*parts, **more).failures
    return found


LISTENS = call(-500, "server", "listen 60000")
REFUSED = call(-5, "client", "connect server:60000", "ECONNREFUSED", took_us=300, step=0)
CONNECTED = (
    LISTENS,
    call(-5, "client", "connect server:60000", took_us=100),
    call(-50, "server", "accept", took_us=200),
    handshake(0),
)
"""A connection that stands: times are those of its handshake, up to 60 µs."""
DATA = (*CONNECTED, call(295, "client", "send 5", "5"), segment(300, "client > fw > server", "PA", length=5))
"""The client has said 5 bytes, which the server has not read yet."""
READ = call(400, "server", "recv", "5")
CLOSE = call(1_000, "server", "close", took_us=60)
ABORT = segment(1_010, "server > fw > client", "RA", server=True, seq=1, ack=6)
"""The server's abort, which has taken in 5 bytes."""
RESET = call(500, "client", "recv", "ECONNRESET", took_us=900, step=1)


def said(at_us: float, reason: str = "", answers: Tcp | None = None, node: str = "server") -> Iterable[Part]:
    """The kernel's tcp_send_reset, and what it counts."""
    aborts = {"TCP_ABORT_ON_CLOSE": "TcpExtTCPAbortOnClose", "TCP_ABORT_ON_DATA": "TcpExtTCPAbortOnData"}
    grew = {"TcpOutRsts": 1, **({aborts[reason]: 1} if reason in aborts else {})}
    return (kernel(at_us, node, "tcp_send_reset", reason=reason, answers=answers), counted(node, **grew))


def received(at_us: float, node: str = "client") -> Part:
    return kernel(at_us, node, "tcp_receive_reset")


SYN = Tcp("S", CLIENT_ISN, 0, 0, 64240)
