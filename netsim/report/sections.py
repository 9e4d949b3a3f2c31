"""The parts of a report that are told in words: faults, causes, and what each program got."""

from __future__ import annotations

from collections.abc import Iterator

from netsim.model.cause import CAUSES
from netsim.model.duration import show_duration
from netsim.model.event import Counters, Fault, RuleHit
from netsim.model.explanation import Evidence, Explanation, Failure, Reset
from netsim.model.timeline import Timeline
from netsim.report.clock import Clock, clock
from netsim.report.rows import fault_text
from netsim.report.spans import Line, Span, emphasised, line, wrap

_ALIKE_MAX = 5
_VERDICTS = {
    "pass": ("PASS", "bold green", "everything came as the scenario expects"),
    "fail": ("FAIL", "bold red", "not everything came as the scenario expects"),
    "unknown": ("UNKNOWN", "bold yellow", "what was seen does not decide it"),
}


def faults(timeline: Timeline) -> Iterator[Line]:
    """What was done to the lab, and which firewall rules took a packet."""
    times = clock(timeline)
    for event in timeline.events:
        if isinstance(event, Fault):
            yield line(f"  {fault_text(event)}", (f"  at {times.show(event.time_ns)} {times.unit}", "dim"))
        elif isinstance(event, RuleHit) and event.packets:
            rule = event.rule.removeprefix(f"{event.chain} ")
            if rule.startswith("accept"):
                continue
            packets = f"{event.packets} packet{'s' * (event.packets > 1)}"
            yield line(f"  {event.node}: {event.chain} rule {event.number}: {rule}", (f"  took {packets}", "dim"))


def counters(timeline: Timeline, width: int) -> Iterator[Line]:
    """Which TCP counters grew on which node, by the names that nstat(8) knows."""
    grown = [event for event in timeline.events if isinstance(event, Counters) and event.grew]
    wide = max((len(event.node) for event in grown), default=0)
    for event in grown:
        text = ", ".join(f"{name} {amount}" for name, amount in event.grew.items())
        yield from wrap(line((text, "dim")), width, f"  {event.node:{wide}}  ", " " * (wide + 4))


def why(explanation: Explanation, timeline: Timeline, width: int) -> Iterator[Line]:
    """Each cause with what proves it; resets that are alike are told once."""
    alike: dict[tuple[str, str, str], list[Reset]] = {}
    for reset in explanation.resets:
        alike.setdefault((reset.sent_by, reset.cause, reset.because), []).append(reset)
    steps = {step.index: f"{step.who}: {step.text}" for step in timeline.scenario.script}
    got = {result.index: result.observed for result in timeline.steps}
    blocks: list[list[Line]] = []
    for resets in alike.values():
        felt = [f"{steps.get(i, f'step {i}')} = {got.get(i, '?')}" for r in resets for i in r.felt_by]
        blocks.append([*_resets(resets, clock(timeline)), *_cause(resets[0], width), *_felt(felt, width)])
    blocks += [[_failure(failure), *_cause(failure, width)] for failure in explanation.failures]
    for i, block in enumerate(blocks):
        yield from ([()] if i else [])
        yield from block
    if not blocks:
        yield line("  No connection was reset, and no call failed.")


def _resets(resets: list[Reset], times: Clock) -> Iterator[Line]:
    names = {"R": "RST", "A": "ACK"}
    for reset in resets[:_ALIKE_MAX]:
        flags = " ".join(names.get(flag, flag) for flag in reset.flags)
        when = f"at {times.show(reset.time_ns)} {times.unit}"
        yield line("  ", (flags, "bold red"), f"  {reset.src} → {reset.dst}  {when}, sent by {reset.sent_by}")
    if len(resets) > _ALIKE_MAX:
        yield line((f"  and {len(resets) - _ALIKE_MAX} more like these", "dim"))


def _failure(failure: Failure) -> Line:
    return line("  ", (failure.errno, "bold yellow"), f"  {failure.who}: {failure.call}")


def _cause(told: Reset | Failure, width: int) -> Iterator[Line]:
    meaning = CAUSES.get(told.cause)
    yield line("  ", (told.cause, "bold"), (f": {meaning}" if meaning else "", "dim"))
    yield from wrap(emphasised(told.because), width, "  ", "  ")
    for evidence in told.evidence:
        yield from _bullet(evidence, width)


def _bullet(evidence: Evidence, width: int) -> list[Line]:
    return wrap(emphasised(evidence.text), width, "    · ", "      ")


def _felt(steps: list[str], width: int) -> Iterator[Line]:
    shown = list(dict.fromkeys(steps))
    if not shown:
        yield line("  No call felt it.")
    for text in shown[:_ALIKE_MAX]:
        yield from wrap(line("Felt by ", (text, "bold")), width, "  ", "    ")
    if len(shown) > _ALIKE_MAX:
        yield line((f"  and {len(shown) - _ALIKE_MAX} more calls", "dim"))


def surprises(timeline: Timeline, explanation: Explanation, width: int) -> Iterator[Line]:
    """Steps that did not give what was expected, and expectations that nothing met."""
    results = {result.index: result for result in timeline.steps}
    for step in timeline.scenario.script:
        result = results.get(step.index)
        if result is None and timeline.steps:
            yield line(f"  {step.who}: {step.text}", ("  was not reached", "red"))
        if result is None or result.ok:
            continue
        within = f" within {step.within_s:g} s" if step.within_s is not None else ""
        parts: list[str | Span] = [
            f"  {step.who}: {step.text}  ",
            (f"expected {step.expected or 'ok'}{within}", "green"),
        ]
        took = f" after {show_duration(result.end_ns - result.start_ns)}"
        yield line(*parts, ", got ", (result.observed, "red"), took)
    for sentence in explanation.unmet:
        yield from wrap(emphasised(sentence), width, "  ", "    ")


def hints(explanation: Explanation, width: int) -> Iterator[Line]:
    for hint in explanation.hints:
        yield from wrap(emphasised(hint), width, "  ", "    ")


def verdict(timeline: Timeline, explanation: Explanation) -> Iterator[Line]:
    """The last lines: how it went, and how long it took."""
    word, style, meaning = _VERDICTS[explanation.verdict]
    if (
        explanation.verdict == "pass"
        and not timeline.scenario.expect
        and not any(step.expected for step in timeline.scenario.script)
    ):
        meaning = "the scenario expects nothing in particular"
    yield line((word, style), f"  {meaning}")
    lab, wall = show_duration(timeline.lab_ns), show_duration(timeline.wall_ns)
    where = f"engine {timeline.engine}" + (f", kernel {timeline.kernel}" if timeline.kernel else "")
    yield line((f"{lab} on the lab's clock, {wall} on yours; {where}", "dim"))
