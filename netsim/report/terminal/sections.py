"""Draws the parts of a report that are told in words: faults, causes, what each program got, and the verdict."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from netsim.model.duration import show_duration
from netsim.model.explanation import Verdict as Word
from netsim.model.result import Errno, Signalled, TimedOut
from netsim.report.content import FaultSaid, Grown, Report, RuleSaid, Surprise, Verdict
from netsim.report.outcomes import Outcome, Outcomes
from netsim.report.terminal.ladder import MARKS, Clock
from netsim.report.terminal.spans import Canvas, Line, Span, emphasised, line, wrap
from netsim.report.why import FailureSaid, Felt, ResetSaid, Why, Whys

_WHAT_LEAST = 20
_TOOK_WIDE = 18
"""`after 924.6 s`, and the blanks between the columns."""
_VERDICTS: dict[Word, Span] = {
    "pass": ("PASS", "bold green"),
    "fail": ("FAIL", "bold red"),
    "unknown": ("UNKNOWN", "bold yellow"),
}


def draw_faults(faults: Iterable[FaultSaid | RuleSaid], clock: Clock) -> Iterator[Line]:
    for said in faults:
        match said:
            case FaultSaid():
                text = f"  {MARKS.get(type(said.action), '')}{said.text}"
                yield line(text, (f"  at {clock.show(said.time_ns)} {clock.unit}", "dim"))
            case RuleSaid():
                packets = f"{said.packets} packet{'s' * (said.packets > 1)}"
                yield line(f"  {said.node}: {said.chain} rule {said.number}: {said.rule}", (f"  took {packets}", "dim"))


def draw_whys(whys: Whys, clock: Clock, width: int) -> Iterator[Line]:
    for i, why in enumerate(whys.shown):
        yield from ([()] if i else [])
        yield from _why(why, clock, width)
    if whys.more:
        yield ()
        yield line((f"  and {whys.more} more causes", "dim"))
    if not whys.shown:
        yield line(f"  No connection was reset{', and no call failed' * whys.all_went_well}.")


def _why(why: Why, clock: Clock, width: int) -> Iterator[Line]:
    for said in why.of:
        yield _reset(said, clock) if isinstance(said, ResetSaid) else _failure(said)
    if why.more:
        yield line((f"  and {why.more} more like these", "dim"))
    yield from wrap(line((why.cause, "bold"), (f": {why.meaning}" if why.meaning else "", "dim")), width, "  ", "  ")
    yield from wrap(emphasised(why.because, why.sender), width, "  ", "  ")
    for evidence in why.evidence:
        yield from wrap(line(evidence.text), width, "    · ", "      ")
    if why.felt is not None:
        yield from _felt(why.felt, why.felt_more, width)


def _reset(said: ResetSaid, clock: Clock) -> Line:
    when = f"at {clock.show(said.time_ns)} {clock.unit}"
    by = f"sent by {said.sent_by}" if said.sent_by else "sender unknown"
    return line("  ", (said.flags, "bold red"), f"  {said.src} → {said.dst}  {when}, {by}")


def _failure(said: FailureSaid) -> Line:
    return line("  ", (str(said.errno), "bold yellow"), f"  {said.who}: {said.call}")


def _felt(felt: tuple[Felt, ...], more: int, width: int) -> Iterator[Line]:
    if not felt:
        yield line("  No call felt it.")
    for one in felt:
        within: tuple[Span, ...] = ((f", in {one.within}", ""),) if one.within else ()
        text = line("Felt by ", (f"{one.who}: {one.what} = {one.result}", "bold"), *within)
        yield from wrap(text, width, "  ", "    ")
    if more:
        yield line((f"  and {more} more calls", "dim"))


def draw_outcomes(outcomes: Outcomes, width: int) -> Iterator[Line]:
    """In columns, each process named once; a long command is shortened."""
    shown = outcomes.shown
    results = [str(outcome.result) if outcome.result is not None else "never returned" for outcome in shown]
    what_at = 4 + max((len(outcome.who) for outcome in shown), default=0)
    result_wide = max(map(len, results), default=0)
    room = max(_WHAT_LEAST, width - what_at - result_wide - _TOOK_WIDE)
    result_at = what_at + 2 + min(room, max((len(outcome.what) for outcome in shown), default=0))
    last = ""
    for outcome, result in zip(shown, results, strict=True):
        canvas = Canvas()
        canvas.put(2, "" if outcome.who == last else outcome.who, "bold")
        canvas.put(what_at, outcome.what if len(outcome.what) <= room else f"{outcome.what[: room - 3]}...")
        canvas.put(result_at, result, _style(outcome))
        if outcome.took_ns is not None:
            canvas.put(result_at + result_wide + 2, f"after {show_duration(outcome.took_ns)}", "dim")
        last = outcome.who
        yield canvas.line()
    if outcomes.more:
        yield line((f"  and {outcomes.more} more", "dim"))


def _style(outcome: Outcome) -> str:
    if not outcome.ok:
        return "bold red"
    return "bold yellow" if isinstance(outcome.result, Errno | TimedOut | Signalled) else ""


def draw_counters(counters: tuple[Grown, ...], width: int) -> Iterator[Line]:
    wide = max((len(grown.node) for grown in counters), default=0)
    for grown in counters:
        text = ", ".join(f"{name} {amount}" for name, amount in grown.counters)
        yield from wrap(line((text, "dim")), width, f"  {grown.node:{wide}}  ", " " * (wide + 4))


def draw_surprises(report: Report, width: int) -> Iterator[Line]:
    """Steps that did not give what was expected, and expectations that nothing met."""
    yield from map(_surprise, report.surprises)
    yield from draw_sentences(report.unmet, width)


def _surprise(said: Surprise) -> Line:
    if said.took_ns is None:
        return line(f"  {said.who}: {said.what}", ("  was not reached", "red"))
    within = f" within {said.within_s:g} s" if said.within_s is not None else ""
    expected: Span = (f"expected {said.expected}{within}", "green")
    took = f" after {show_duration(said.took_ns)}"
    return line(f"  {said.who}: {said.what}  ", expected, ", got ", (str(said.observed), "red"), took)


def draw_sentences(sentences: Iterable[str], width: int) -> Iterator[Line]:
    for sentence in sentences:
        yield from wrap(line(sentence), width, "  ", "    ")


def draw_verdict(verdict: Verdict) -> Iterator[Line]:
    if verdict.word is not None:
        yield line(_VERDICTS[verdict.word], f"  {verdict.meaning}")
    lab, wall = show_duration(verdict.lab_ns), show_duration(verdict.wall_ns)
    where = f"engine {verdict.engine}" + (f", kernel {verdict.kernel}" if verdict.kernel else "")
    yield line((f"{lab} on the lab's clock, {wall} on yours; {where}", "dim"))
