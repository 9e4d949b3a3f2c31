"""What an explanation costs: thousands of refused connections, and a recording of a million events."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from netsim.explain import explain
from netsim.files.recording import write
from netsim.model.action import Connect
from netsim.model.endpoint import Endpoint
from netsim.model.event import Call, Event, Kernel, Packet, Tcp
from netsim.model.network import network_of
from netsim.model.plan import make_plan
from netsim.model.result import Errno
from netsim.model.scenario import Scenario
from netsim.model.timeline import Timeline, all_taps
from netsim.model.topology import Link, Node, Topology

SIZES = (1_000, 4_000, 10_000)
"""How many connections are refused."""
MILLION = 100_000
"""So many have a million events."""
_PLAN = make_plan(
    Topology((Node("client"), Node("fw", "router"), Node("server")), (Link("client", "fw"), Link("fw", "server")))
)
_NETWORK = network_of(_PLAN)
_CLIENT, _SERVER = (str(_PLAN.addresses[name]) for name in ("client", "server"))
_CABLES = (("client", "client -- fw", "fw"), ("fw", "fw -- server", "server"))


def refused(count: int) -> Timeline:
    """So many connections to a port where nobody listens, one after the other, each in ten events."""
    events: list[Event] = []
    for number in range(count):
        events += _refused(number, 1_000_000 * (number + 1))
    events.sort(key=lambda event: event.time_ns)
    return Timeline(
        Scenario("refused", "Refused connections", _PLAN.topology), _NETWORK, tuple(events), taps=all_taps(_NETWORK),
        sources=frozenset({"call", "process", "fault", "tcp_send_reset", "reset reasons"}), kernel="6.18.0",
    )  # fmt: skip


def _refused(number: int, begin_ns: int) -> Iterator[Event]:
    own = Endpoint(_CLIENT, 1024 + number % 60_000)
    other = Endpoint(_SERVER, 60000)
    syn = Tcp("S", 7_000 * number, 0)
    answer_ns = begin_ns + 60_000
    yield from _carried(begin_ns + 10_000, own, other, syn, _CABLES)
    yield Kernel(answer_ns - 1_000, "server", "tcp_send_reset", other, own, "NO_SOCKET", answers=syn)
    back = [(b, link, a) for a, link, b in reversed(_CABLES)]
    yield from _carried(answer_ns, other, own, Tcp("RA", 0, syn.seq + 1), back)
    socket, action = f"client/{number}", Connect(_SERVER, 60000)
    yield Call(
        begin_ns, "client", "client", "connect", Errno("ECONNREFUSED"), begin_ns + 110_000, action, socket=socket,
        local=own, remote=other,
    )  # fmt: skip


def _carried(
    time_ns: int, src: Endpoint, dst: Endpoint, segment: Tcp, cables: Iterable[tuple[str, str, str]]
) -> Iterator[Packet]:
    for hop, (a, link, b) in enumerate(cables):
        yield Packet(time_ns, a, "eth0", link, "out", src, dst, segment, 64 - hop)
        yield Packet(time_ns + 2_000, b, "eth0", link, "in", src, dst, segment, 64 - hop)
        time_ns += 20_000


def seconds(count: int) -> float:
    """How long it takes to explain so many refused connections."""
    timeline = refused(count)
    begin = time.perf_counter()
    found = explain(timeline)
    took = time.perf_counter() - begin
    if len(found.resets) != count or any(reset.cause != "closed-port" for reset in found.resets):
        sys.exit(f"bench: {count} refused connections were not explained as closed-port")
    return took


def measure(scratch: Path) -> dict[str, float]:
    """One round of all of it: seconds by the number of refused connections, then the million."""
    return {**{str(count): seconds(count) for count in SIZES}, **million(scratch)}


def million(scratch: Path) -> dict[str, float]:
    """Wall time, and the most memory, of `netsim explain` on a recording of a million events."""
    path = scratch / "million.jsonl"
    if not path.exists():
        write(refused(MILLION), path)
    begin = time.perf_counter()
    command = [sys.executable, "-m", "netsim", "explain", str(path), "--json"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"bench: {' '.join(command)} ended with {process.returncode}")
    return {"wall": time.perf_counter() - begin, "memory_mb": used.ru_maxrss / 1024}
