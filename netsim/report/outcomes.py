"""What each program got: its calls with their results, program by program."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from netsim.model.event import Call, ProcessEnd
from netsim.model.network import Network
from netsim.model.result import Exited, Result
from netsim.model.step import Step
from netsim.model.timeline import Timeline
from netsim.report import words

ROWS_MAX = 40


@dataclass(frozen=True, slots=True)
class Outcome:
    """One line of the table."""

    who: str
    what: str
    """The step as written, or the call where no script made it."""
    result: Result | None
    """None: it never returned."""
    took_ns: int | None
    ok: bool = True


@dataclass(frozen=True, slots=True)
class Outcomes:
    """The lines that are shown, each process's together, and how many there are besides."""

    shown: tuple[Outcome, ...]
    more: int = 0


def outcomes_of(timeline: Timeline) -> Outcomes:
    """By process, in the order in which they first come; a run without a script has its calls."""
    found = list(_of_steps(timeline)) if timeline.steps else list(_of_calls(timeline))
    told = {(who, result) for who, result, _ in found}
    for event in timeline.events:
        if isinstance(event, ProcessEnd) and event.outcome != Exited(0) and (event.process, event.outcome) not in told:
            found.append((event.process, event.outcome, event))
    by_process: dict[str, list[_Found]] = {}
    for one in found:
        by_process.setdefault(one[0], []).append(one)
    in_order = [one for of_one in by_process.values() for one in of_one]
    shown = in_order[:ROWS_MAX]
    return Outcomes(tuple(_outcome(timeline.network, one) for one in shown), len(in_order) - len(shown))


_Found = tuple[str, Result | None, Outcome | Call | ProcessEnd]
"""Who, the result, and where it comes from."""


def _outcome(network: Network, found: _Found) -> Outcome:
    who, result, source = found
    match source:
        case Outcome():
            return source
        case Call():
            return Outcome(who, words.call(network, source), result, source.end_ns - source.time_ns)
        case ProcessEnd():
            return Outcome(who, "ended", result, None)


def _of_steps(timeline: Timeline) -> Iterator[_Found]:
    """A step's time is that of its call, where there is a call of that name, and not the script's."""
    calls = {(event.step, event.name): event for event in timeline.events if isinstance(event, Call)}
    results = {result.index: result for result in timeline.steps}
    begun = begun_steps(timeline.script)
    for step in timeline.script:
        result = results.get(step.index)
        if step.verb.who != "process" or step.start or result is None:
            continue
        made = begun.get(step.index, step)
        call = calls.get((step.index, made.verb.call)) or calls.get((made.index, made.verb.call))
        took_ns = call.end_ns - call.time_ns if call else result.end_ns - result.start_ns
        yield step.who, result.observed, Outcome(step.who, done(made), result.observed, took_ns, result.ok)


def _of_calls(timeline: Timeline) -> Iterator[_Found]:
    for event in timeline.events:
        if isinstance(event, Call):
            yield event.process, event.result, event


def begun_steps(script: Iterable[Step]) -> dict[int, Step]:
    """By a `finish` step's index: the step that had begun what it waits for."""
    begun: dict[str, Step] = {}
    found: dict[int, Step] = {}
    for step in script:
        if step.start:
            begun[step.who] = step
        elif step.verb.name == "finish" and step.who in begun:
            found[step.index] = begun.pop(step.who)
    return found


def done(step: Step) -> str:
    """What a step does, as written: `recv`, for `start recv` too."""
    return step.line_text.removeprefix("start ")
