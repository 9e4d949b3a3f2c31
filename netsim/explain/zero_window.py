"""The peer takes nothing more: its receive buffer is full, and its window is 0 (RFC 9293, 3.8.6.1)."""

from __future__ import annotations

from netsim.analysis.sockets import WRITES
from netsim.explain.course import stop_of
from netsim.explain.failing import Failing, failure
from netsim.explain.given_up import own_limit, waits_to_write
from netsim.model.explanation import Evidence, Failure
from netsim.model.result import TimedOut


def zero_window(f: Failing) -> Failure | None:
    """A call that waits for room to write, and that TCP would let wait for ever."""
    given_up = isinstance(f.call.result, TimedOut) or own_limit(f) is not None
    closed = closed_window(f) if given_up and (f.call.name in WRITES or waits_to_write(f)) else None
    if f.connection is None or closed is None:
        return None
    because = (
        f"{f.said()} did not finish: {f.words.end(f.connection.other(f.end))} announces a window of 0, as its receive "
        "buffer is full, and TCP may send nothing until that changes."
    )
    return failure(f, "zero-window", because, closed)


def closed_window(f: Failing) -> Evidence | None:
    """The peer's last word, where that was a window of 0; None where it opened again, or nobody saw it."""
    if f.connection is None:
        return None
    other = f.connection.other(f.end)
    said = [
        p for p in f.connection.side(other).before(f.call.end_ns) if "R" not in p.tcp.flags and "S" not in p.tcp.flags
    ]
    if not said or said[-1].tcp.window != 0:
        return None
    probes = [p for p in f.connection.side(f.end).before(f.call.end_ns) if p.time_ns > said[-1].time_ns]
    came = [stop_of(f, probe) for probe in probes]
    if any(stop.kind != "arrived" or stop.predicted for stop in came) or not f.sees_what_leaves(f.end):
        return None  # what the window is by now, nobody can know
    zero = []
    for path in reversed(said):
        if path.tcp.window != 0:
            break
        zero.append(path.hops[0].index)
    node = f.a.network.owner(other.address) or str(other)
    return Evidence(f"{node} announced a window of 0", tuple(reversed(zero)))
