"""Holds what came against what was expected."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from netsim.analysis.index import TimelineIndex
from netsim.model.event import Call
from netsim.model.explanation import Failure, Reset, Verdict
from netsim.model.scenario import Expectation, FailureExpected, NoReset, ResetExpected
from netsim.model.timeline import Timeline, all_taps


@dataclass(frozen=True, slots=True)
class Unmet:
    """An expectation that nothing met; `open` where something that is not explained may have been it."""

    sentence: str
    open: bool = False


def unmet(index: TimelineIndex, resets: tuple[Reset, ...], failures: tuple[Failure, ...]) -> Iterator[Unmet]:
    """Say each expectation that nothing meets, and where the nearest to it differs; one thing meets one of them."""
    timeline = index.timeline
    all_resets = timeline.taps >= all_taps(timeline.network) and not index.lost_any
    all_calls = all(index.sees_programs(node) for node in timeline.network.nodes)
    wanted_resets = [wanted for wanted in timeline.expect if isinstance(wanted, ResetExpected)]
    told = [[_of_reset(wanted, reset, timeline, all_calls) for reset in resets] for wanted in wanted_resets]
    yield from _unmatched(wanted_resets, told, [_reset_said(reset, timeline) for reset in resets], all_resets)
    wanted_failures = [wanted for wanted in timeline.expect if isinstance(wanted, FailureExpected)]
    failed = [*failures, *_felt_failures(timeline, resets)]
    told = [[_of_failure(wanted, failure) for failure in failed] for wanted in wanted_failures]
    yield from _unmatched(wanted_failures, told, [_failure_said(failure) for failure in failed], all_calls)
    if any(isinstance(wanted, NoReset) for wanted in timeline.expect):
        if resets:
            count = f"{len(resets)} came" if len(resets) > 1 else "one came"
            yield Unmet(f"expected no reset, and {count}: {_reset_said(resets[0], timeline)}")
        elif not all_resets:
            yield Unmet("expected no reset; none was seen, and not everything was watched", open=True)


def _felt_failures(timeline: Timeline, resets: Iterable[Reset]) -> Iterator[Failure]:
    """The calls that a reset made fail: they failed of its cause."""
    for reset in resets:
        for index in reset.felt:
            call = timeline.events[index]
            if isinstance(call, Call) and call.result is not None:
                yield Failure(call.process, call.name, call.result, reset.cause, reset.because, (), call.step, index)


def verdict(timeline: Timeline, missing: Iterable[Unmet]) -> Verdict:
    """Pass, fail, or unknown: only where something that could not be explained may be just what was expected."""
    if not all(result.ok for result in timeline.steps):
        return "fail"
    missing = tuple(missing)
    if not missing:
        return "pass"
    return "unknown" if all(one.open for one in missing) else "fail"


_UNKNOWN = "unknown"

Difference = tuple[str, str, str]
"""A key, what was expected there, and what came; `unknown` where that could not be told."""


def _of_reset(wanted: ResetExpected, reset: Reset, timeline: Timeline, all_calls: bool) -> list[Difference]:
    felt = _feels(reset, timeline)
    found = []
    if wanted.sent_by not in {None, reset.sent_by}:
        found.append(("sent by", str(wanted.sent_by), reset.sent_by or _UNKNOWN))
    if wanted.felt_by is not None and wanted.felt_by not in felt:
        came = ", ".join(sorted(felt)) or "nobody"
        found.append(("felt by", wanted.felt_by, came if all_calls and reset.felt_known else _UNKNOWN))
    if wanted.cause not in {None, reset.cause}:
        found.append(("cause", str(wanted.cause), reset.cause))
    return found


def _feels(reset: Reset, timeline: Timeline) -> set[str]:
    """The nodes, and the processes, whose steps felt it."""
    steps = {step.index: step for step in timeline.script}
    return {name for i in reset.felt_by if i in steps for name in (steps[i].node, steps[i].who)}


def _of_failure(wanted: FailureExpected, failure: Failure) -> list[Difference]:
    pairs = (
        ("who", wanted.who, failure.who),
        ("call", wanted.call, failure.call),
        ("errno", wanted.errno, str(failure.errno)),
        ("cause", wanted.cause, failure.cause),
    )
    return [(key, want, came) for key, want, came in pairs if want is not None and not _same(key, want, came)]


_FAMILIES = (
    frozenset({"recv", "recvmsg", "read", "readv", "recvmmsg"}),
    frozenset({"send", "sendmsg", "write", "writev", "sendmmsg"}),
)


def _same(key: str, want: str, came: str) -> bool:
    """Programs read by several calls; an expected recv is met by any of them."""
    return want == came or (key == "call" and any({want, came} <= family for family in _FAMILIES))


def _unmatched(
    wanted: Sequence[Expectation], told: list[list[list[Difference]]], said: list[str], all_seen: bool
) -> Iterator[Unmet]:
    """Give each expectation something of its own that differs in nothing, as far as there are enough; say the rest."""
    meets: dict[int, int] = {}

    def place(one: int, tried: set[int]) -> bool:
        """Find one for this expectation, and another for whoever had that (augmenting paths)."""
        for i, differences in enumerate(told[one]):
            if not differences and i not in tried:
                tried.add(i)
                if i not in meets or place(meets[i], tried):
                    meets[i] = one
                    return True
        return False

    for one, expectation in enumerate(wanted):
        if not place(one, set()):
            alike = any(not differences for differences in told[one])
            yield (
                Unmet(f"expected {_describe(expectation)}, and there are fewer of these than expected", not all_seen)
                if alike
                else _say(expectation, told[one], said, all_seen)
            )


def _say(wanted: Expectation, told: list[list[Difference]], said: list[str], all_seen: bool) -> Unmet:
    if not told:
        none = "there was none" if all_seen else "none was seen where somebody watched"
        return Unmet(f"expected {_describe(wanted)}, and {none}", open=not all_seen)
    nearest = min(range(len(told)), key=lambda i: len(told[i]))
    parts = ", ".join(f"{key}: expected {want}, got {came}" for key, want, came in told[nearest])
    return Unmet(
        f"expected {_describe(wanted)}; the nearest was {said[nearest]} ({parts})",
        open=not all_seen or any(all(came == _UNKNOWN for _, _, came in differences) for differences in told),
    )


def _reset_said(reset: Reset, timeline: Timeline) -> str:
    felt = sorted(name for name in _feels(reset, timeline) if "." not in name)
    by = f", felt by {', '.join(felt)}" if felt else ""
    return f"one sent by {reset.sent_by or 'unknown'}{by}, cause {reset.cause}"


def _failure_said(failure: Failure) -> str:
    return f"{failure.call} of {failure.who} = {failure.errno}, cause {failure.cause}"


def _describe(wanted: Expectation) -> str:
    match wanted:
        case ResetExpected():
            parts = {"sent by": wanted.sent_by, "felt by": wanted.felt_by, "cause": wanted.cause}
            what = "a reset"
        case FailureExpected():
            parts = {"of": wanted.who, "in": wanted.call, "with": wanted.errno, "cause": wanted.cause}
            what = "a failure"
        case NoReset():
            return "no reset"
    return " ".join([what, *(f"{name} {value}" for name, value in parts.items() if value)])
