"""Why: each cause once, with what proves it, the resets or failures that it explains, and the calls that felt it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from netsim.model.cause import CAUSES
from netsim.model.event import Call, Tcp
from netsim.model.explanation import Evidence, Explanation, Failure, Reset
from netsim.model.result import Result, TimedOut
from netsim.model.timeline import Timeline
from netsim.report import words
from netsim.report.outcomes import begun_steps, done
from netsim.report.words import End

ALIKE_MAX = 5
WHYS_MAX = 40

_NOT_THE_NEWS = {"given-up", "echo"}
"""Causes of calls that failed because somebody stopped waiting, or had been told before: they are told last."""


@dataclass(frozen=True, slots=True)
class ResetSaid:
    """One RST: what it claims, and who really made it; None where that is not known."""

    time_ns: int
    flags: str
    """`RST ACK`."""
    src: End
    dst: End
    sent_by: str | None


@dataclass(frozen=True, slots=True)
class FailureSaid:
    """A call that failed, or was given up, and no RST told it so."""

    errno: Result
    who: str
    call: str


@dataclass(frozen=True, slots=True)
class Felt:
    """A call that a RST made fail."""

    who: str
    what: str
    """The step as written, or the call where no step is it."""
    result: str
    within: str = ""
    """The step that ran the program whose call it is, with its result."""


@dataclass(frozen=True, slots=True)
class Why:
    """One cause, and what it explains: resets, or failures."""

    cause: str
    meaning: str
    because: str
    sender: str | None
    """The node that made the resets."""
    evidence: tuple[Evidence, ...]
    of: tuple[ResetSaid, ...] | tuple[FailureSaid, ...]
    more: int = 0
    """How many there are besides."""
    felt: tuple[Felt, ...] | None = None
    """None for failures: nothing was felt of them but themselves; and where nobody knows."""
    felt_more: int = 0


@dataclass(frozen=True, slots=True)
class Whys:
    shown: tuple[Why, ...]
    more: int = 0
    all_went_well: bool = True
    """No call at all gave an error, not even one that needs no explanation."""


def whys_of(explanation: Explanation, timeline: Timeline) -> Whys:
    """Tell each cause; resets that are alike are told once, and so are failures.

    A step that was to wait in vain, and did while nothing happened, needs no explanation.
    """
    resets: dict[tuple[str | None, str, str], list[Reset]] = {}
    for reset in explanation.resets:
        resets.setdefault((reset.sent_by, reset.cause, reset.because), []).append(reset)
    failures: dict[tuple[str, str], list[Failure]] = {}
    idle = {step.index for step in timeline.script if step.expected == TimedOut()}
    news = [one for one in explanation.failures if one.step not in idle or one.cause != "given-up" or one.evidence]
    for failure in sorted(news, key=lambda failure: failure.cause in _NOT_THE_NEWS):
        failures.setdefault((failure.cause, failure.because), []).append(failure)
    shown = [_of_resets(alike, timeline) for alike in list(resets.values())[:WHYS_MAX]]
    shown += [_of_failures(alike) for alike in list(failures.values())[: WHYS_MAX - len(shown)]]
    failed = any(isinstance(event, Call) and event.failed for event in timeline.events)
    return Whys(tuple(shown), len(resets) + len(failures) - len(shown), not failed)


def _of_resets(alike: list[Reset], timeline: Timeline) -> Why:
    first = alike[0]
    felt = list(dict.fromkeys(_felt(alike, timeline)))
    known = bool(felt) or all(reset.felt_known for reset in alike)
    said = tuple(_reset(reset, timeline) for reset in alike[:ALIKE_MAX])
    return Why(
        first.cause, CAUSES.get(first.cause, ""), first.because, first.sent_by, first.evidence,
        said, len(alike) - len(said), tuple(felt[:ALIKE_MAX]) if known else None, max(0, len(felt) - ALIKE_MAX),
    )  # fmt: skip


def _reset(reset: Reset, timeline: Timeline) -> ResetSaid:
    src, dst = (words.end(timeline.network, end) for end in (reset.src, reset.dst))
    return ResetSaid(reset.time_ns, words.flags(Tcp(reset.flags, 0, 0)), src, dst, reset.sent_by)


def _of_failures(alike: list[Failure]) -> Why:
    first = alike[0]
    said = tuple(FailureSaid(failure.errno, failure.who, failure.call) for failure in alike[:ALIKE_MAX])
    meaning = CAUSES.get(first.cause, "")
    return Why(first.cause, meaning, first.because, None, first.evidence, said, len(alike) - len(said))


def _felt(resets: Iterable[Reset], timeline: Timeline) -> Iterator[Felt]:
    """By a step where a step made the call, with the step's result."""
    steps = {step.index: step for step in timeline.script}
    results = {result.index: result.observed for result in timeline.steps}
    waited_for = {begun.index: finish for finish, begun in begun_steps(timeline.script).items()}
    for reset in resets:
        for index in reset.felt:
            call = timeline.events[index]
            assert isinstance(call, Call)
            step = steps.get(call.step) if call.step is not None else None
            if step is not None and call.name == step.verb.call:
                yield Felt(call.process, done(step), str(call.result))
                continue
            within = ""
            if step is not None:
                ended = results.get(waited_for.get(step.index, step.index))
                within = f"{done(step)} = {ended}" if ended is not None else done(step)
            yield Felt(call.process, words.call(timeline.network, call), str(call.result), within)
