"""Holds what came against what was expected."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from netsim.model.explanation import Failure, Reset, Verdict
from netsim.model.scenario import Expectation, FailureExpected, NoReset, ResetExpected
from netsim.model.step import Step
from netsim.model.timeline import Timeline


def unmet(timeline: Timeline, resets: Iterable[Reset], failures: Iterable[Failure]) -> Iterator[str]:
    """Say each expectation that nothing meets."""
    resets, failures = tuple(resets), tuple(failures)
    for wanted in timeline.scenario.expect:
        match wanted:
            case ResetExpected():
                if not any(_is_reset(wanted, reset, timeline.scenario.script) for reset in resets):
                    yield f"expected {_describe(wanted)}, and there was {_list(resets)}"
            case FailureExpected():
                if not any(_is_failure(wanted, failure) for failure in failures):
                    yield f"expected {_describe(wanted)}, and there was none like it"
            case NoReset():
                if resets:
                    yield f"expected no reset, and there was {_list(resets)}"


def verdict(timeline: Timeline, missing: tuple[str, ...], causes: Iterable[str]) -> Verdict:
    """Pass, fail, or unknown: everything came as expected, but a cause that was expected could not be told."""
    if not all(result.ok for result in timeline.steps):
        return "fail"
    if missing:
        return "unknown" if "unknown" in causes else "fail"
    return "pass"


def _is_reset(wanted: ResetExpected, reset: Reset, script: tuple[Step, ...]) -> bool:
    feels = {script[index].node for index in reset.felt_by} | {script[index].who for index in reset.felt_by}
    return (
        wanted.sent_by in {None, reset.sent_by}
        and wanted.cause in {None, reset.cause}
        and (wanted.felt_by is None or wanted.felt_by in feels)
    )


def _is_failure(wanted: FailureExpected, failure: Failure) -> bool:
    return (
        wanted.who in {None, failure.who}
        and wanted.call in {None, failure.call}
        and wanted.errno in {None, failure.errno}
        and wanted.cause in {None, failure.cause}
    )


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


def _list(resets: tuple[Reset, ...]) -> str:
    if not resets:
        return "none"
    return "; ".join(f"one sent by {reset.sent_by}, cause {reset.cause}" for reset in resets)
