"""What each program got: its calls with their results, program by program."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from netsim.model.duration import show_duration
from netsim.model.event import Call, ProcessEnd
from netsim.model.step import ERRNOS, Step
from netsim.model.timeline import Timeline
from netsim.report.addresses import by_name
from netsim.report.spans import Canvas, Line, line

_ROWS_MAX = 40
_WHAT_LEAST = 20
_TOOK_WIDE = 18
"""`after 924.6 s`, and the blanks between the columns."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """One line of the table."""

    who: str
    what: str
    result: str
    took_ns: int | None
    ok: bool = True


def outcomes(timeline: Timeline, owners: Mapping[str, str]) -> list[Outcome]:
    """By process, in the order in which they come in the script; a run without a script has its calls."""
    found = list(_of_steps(timeline)) if timeline.steps else list(_of_calls(timeline, owners))
    told = {(outcome.who, outcome.result) for outcome in found}
    for event in timeline.events:
        if isinstance(event, ProcessEnd) and event.outcome != "exit 0" and (event.process, event.outcome) not in told:
            found.append(Outcome(event.process, "ended", event.outcome, None))
    order = {who: i for i, who in enumerate(dict.fromkeys(outcome.who for outcome in found))}
    return sorted(found, key=lambda outcome: order[outcome.who])


def _of_steps(timeline: Timeline) -> Iterator[Outcome]:
    """A step's time is that of its call, where there is a call of that name, and not the script's."""
    calls = {(event.step, event.call): event for event in timeline.events if isinstance(event, Call)}
    results = {result.index: result for result in timeline.steps}
    started: dict[str, Step] = {}
    for step in timeline.scenario.script:
        result = results.get(step.index)
        if step.start:
            started[step.who] = step
        if step.verb.who != "process" or step.start or result is None:
            continue
        begun = (started.pop(step.who, None) if step.verb.name == "finish" else None) or step
        call = calls.get((step.index, begun.verb.name)) or calls.get((begun.index, begun.verb.name))
        took = call.end_ns - call.time_ns if call else result.end_ns - result.start_ns
        yield Outcome(step.who, begun.text.removeprefix("start "), result.observed, took, result.ok)


def _of_calls(timeline: Timeline, owners: Mapping[str, str]) -> Iterator[Outcome]:
    for event in timeline.events:
        if isinstance(event, Call):
            what = f"{event.call} {by_name(owners, event.args)}".rstrip()
            yield Outcome(event.process, what, event.result, event.end_ns - event.time_ns)


def table(found: list[Outcome], width: int) -> Iterator[Line]:
    """The outcomes in columns, each process named once; a long command is shortened."""
    shown = found[:_ROWS_MAX]
    what_at = 4 + max((len(outcome.who) for outcome in shown), default=0)
    result_wide = max((len(outcome.result) for outcome in shown), default=0)
    room = max(_WHAT_LEAST, width - what_at - result_wide - _TOOK_WIDE)
    result_at = what_at + 2 + min(room, max((len(outcome.what) for outcome in shown), default=0))
    last = ""
    for outcome in shown:
        canvas = Canvas()
        canvas.put(2, "" if outcome.who == last else outcome.who, "bold")
        canvas.put(what_at, outcome.what if len(outcome.what) <= room else f"{outcome.what[: room - 3]}...")
        canvas.put(result_at, outcome.result, _style(outcome))
        if outcome.took_ns is not None:
            canvas.put(result_at + result_wide + 2, f"after {show_duration(outcome.took_ns)}", "dim")
        last = outcome.who
        yield canvas.line()
    if len(found) > len(shown):
        yield line((f"  and {len(found) - len(shown)} more", "dim"))


def _style(outcome: Outcome) -> str:
    if not outcome.ok:
        return "bold red"
    bad = outcome.result in ERRNOS or outcome.result == "timeout" or outcome.result.startswith("signal ")
    return "bold yellow" if bad else ""
