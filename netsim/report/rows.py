"""What happened, row by row: packets, and in between the calls, ends, faults and kernel reasons."""

from __future__ import annotations

import signal
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise

from netsim.model.duration import show_duration
from netsim.model.event import Call, Fault, Kernel, Packet, ProcessEnd
from netsim.model.timeline import Timeline
from netsim.model.transits import Transit, transits
from netsim.report.addresses import by_name
from netsim.report.spans import Line, line

GAP_NS = 500_000_000
"""A silence that is worth a row of its own."""

_ONE_GO_NS = 1_000_000

_DIES_IN = {"SYN_SENT", "SYN_RECV", "ESTABLISHED", "FIN_WAIT1", "CLOSE_WAIT"}
"""States that an orderly end does not leave for CLOSE: such a change is news, all others are routine."""

_BAD = "bold yellow"


@dataclass(frozen=True, slots=True)
class Hop:
    """A packet crosses a link."""

    time_ns: int
    transit: Transit

    @property
    def notable(self) -> bool:
        return "R" in self.transit.packet.flags or self.transit.packet.protocol == "icmp"


@dataclass(frozen=True, slots=True)
class Moment:
    """Something at one node: a call begins or ends, a process ends, the kernel gives a reason."""

    time_ns: int
    node: str
    who: str
    """The process, or the node itself."""
    mark: str
    text: Line
    notable: bool = False
    kernel: bool = False


@dataclass(frozen=True, slots=True)
class Across:
    """Something done to the lab itself; `fault` and `node` as in the event."""

    time_ns: int
    node: str
    fault: str
    text: str
    notable: bool = True


@dataclass(frozen=True, slots=True)
class Pause:
    """Nothing for a while, or nothing that is shown."""

    time_ns: int
    text: str
    notable: bool = False


Row = Hop | Moment | Across | Pause


def rows(timeline: Timeline, owners: Mapping[str, str]) -> list[Row]:
    """Every row of a ladder, in time order; a call that something happened during takes two."""
    events = list(enumerate(timeline.events))
    packets = ((i, event) for i, event in events if isinstance(event, Packet) and event.protocol != "arp")
    everywhere = not timeline.probes or "packet" in timeline.probes
    others = [
        row
        for _, event in events
        if not isinstance(event, (Packet, Call))
        for row in [_other(event)]
        if row is not None
    ]
    found: list[Row] = [*(Hop(transit.packet.time_ns, transit) for transit in transits(packets, everywhere)), *others]
    calls = [event for _, event in events if isinstance(event, Call)]
    times = sorted([row.time_ns for row in found] + [t for call in calls for t in (call.time_ns, call.end_ns)])
    unmet = {step.index: step for step in timeline.scenario.script if step.expected is not None}
    for result in timeline.steps:
        if result.ok:
            unmet.pop(result.index, None)
    for call in calls:
        step = None if call.step is None else unmet.get(call.step)
        found += _call(call, owners, times, step.expected if step else None)
    found.sort(key=lambda row: row.time_ns)
    return list(_with_pauses(_gathered(found)))


def _call(call: Call, owners: Mapping[str, str], times: list[int], expected: str | None) -> Iterator[Moment]:
    node, who = call.node, call.process
    what = f"{call.call}({by_name(owners, call.args)})"
    bad = call.failed or call.result == "timeout"
    result: list[str | tuple[str, str]] = [" = ", (call.result, _BAD if bad else "")]
    took = show_duration(call.end_ns - call.time_ns)
    wrong: list[str | tuple[str, str]] = [(f"  expected {expected}", "red")] if expected else []
    between = bisect_left(times, call.end_ns) - bisect_right(times, call.time_ns)
    if between <= 0:
        yield Moment(call.time_ns, node, who, "●", line(what, *result, (f"  {took}", "dim"), *wrong), bad)
        return
    yield Moment(call.time_ns, node, who, "●", line(what, " ..."))
    again = line(f"... {call.call}", *result, (f"  after {took}", "dim"), *wrong)
    yield Moment(call.end_ns, node, who, "●", again, bad)


def _other(event: object) -> Row | None:
    match event:
        case Kernel(event=name, node=node, time_ns=time_ns):
            said = _kernel(name, event.reason, event.state)
            return Moment(time_ns, node, node, "·", line((said, "dim")), kernel=True) if said else None
        case ProcessEnd(outcome=outcome, node=node, process=process, time_ns=time_ns):
            killed = outcome.startswith("signal ")
            text = f"killed by {outcome.removeprefix('signal ')}{_in_a_shell(outcome)}" if killed else outcome
            return Moment(time_ns, node, process, "■", line((text, _BAD if killed else "bold")), notable=True)
        case Fault():
            return Across(event.time_ns, event.node, event.fault, fault_text(event))
    return None


def _in_a_shell(outcome: str) -> str:
    """A signal's death as sh(1) reports it: 128 and its number."""
    number = signal.Signals.__members__.get(outcome.removeprefix("signal "))
    return f", exit status {128 + number} in a shell" if number else ""


def fault_text(fault: Fault) -> str:
    """A fault as the script has it: `client -- fw: cut`."""
    mark = {"cut": "✂ ", "crash": "↯ "}.get(fault.fault, "")
    return mark + (fault.text if fault.text.startswith(f"{fault.node}: ") else f"{fault.node}: {fault.text}")


def _kernel(name: str, reason: str, state: str) -> str:
    """A tracepoint in a few words; '' for what the packets and calls show already."""
    if name == "inet_sock_set_state":
        old, _, new = state.partition(" -> ")
        return state if new == "CLOSE" and old in _DIES_IN else ""
    if name == "tcp_retransmit_skb":
        return ""
    if name == "inet_sk_error_report":
        return f"socket error {reason}" if reason else ""
    return f"{name} {reason}".strip()


def _gathered(found: Iterable[Row]) -> Iterator[Row]:
    """Put what one kernel says in one go on one row."""
    held: Moment | None = None
    for row in found:
        if isinstance(row, Moment) and row.kernel:
            if held and held.node == row.node and row.time_ns - held.time_ns < _ONE_GO_NS:
                held = replace(held, text=line(*held.text, (", ", "dim"), *row.text))
                continue
            if held:
                yield held
            held = replace(row, text=line(("kernel: ", "dim"), *row.text))
            continue
        if held:
            yield held
            held = None
        yield row
    if held:
        yield held


def _with_pauses(found: Iterable[Row]) -> Iterator[Row]:
    last = None
    for row in found:
        if last is not None and row.time_ns - last >= GAP_NS:
            yield Pause(last, f"⋮ {show_duration(row.time_ns - last)}")
        last = row.time_ns
        yield row


def shortened(found: list[Row], limit: int) -> list[Row]:
    """Leave out the middle of a long run, but nothing notable that there is room for."""
    if len(found) <= limit:
        return found
    head, tail = limit // 3, limit // 3
    middle = range(head, len(found) - tail)
    kept = [i for i in middle if found[i].notable][: limit - head - tail]
    places = [*range(head), *kept, *range(len(found) - tail, len(found))]
    shown: list[Row] = []
    for one, two in pairwise([*places, len(found)]):
        shown.append(found[one])
        if two - one > 1:
            left_out = f"⋮ {two - one - 1} rows left out; a recording (--record FILE) has them all"
            shown.append(Pause(found[one].time_ns, left_out))
    return shown
