"""What a report says, before anybody knows how it will look: plain values, without width and without styles.

The painters make of it what their format can: lines for a terminal (netsim/report/terminal), and whatever comes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from netsim.analysis import Analysis
from netsim.model.action import Action
from netsim.model.event import Call, Counters
from netsim.model.explanation import Explanation
from netsim.model.explanation import Verdict as Word
from netsim.model.result import Ok, Result
from netsim.model.timeline import Timeline
from netsim.report import words
from netsim.report.ladder import ROWS_MAX, Ladder, ladder_of
from netsim.report.outcomes import Outcomes, outcomes_of
from netsim.report.picture import Picture, picture_of
from netsim.report.why import Whys, whys_of

_MEANINGS: dict[Word, str] = {
    "pass": "everything came as the scenario expects",
    "fail": "not everything came as the scenario expects",
    "unknown": "what was seen does not decide it",
}


@dataclass(frozen=True, slots=True)
class FaultSaid:
    """Something that the script did to the lab."""

    time_ns: int
    event: int
    action: Action
    text: str
    """`client -- fw: cut`."""


@dataclass(frozen=True, slots=True)
class RuleSaid:
    """A rule of a node's packet filter that matched packets, and did not accept them."""

    event: int
    node: str
    chain: str
    number: int
    rule: str
    """Without its chain."""
    packets: int


@dataclass(frozen=True, slots=True)
class Grown:
    """The TCP counters of a node that grew, by the names that nstat(8) knows, and by how much."""

    node: str
    counters: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class Surprise:
    """A step that did not give what was expected."""

    who: str
    what: str
    expected: Result
    within_s: float | None
    observed: Result | None = None
    took_ns: int | None = None
    """None: the script did not get there."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """How it went, and how long it took; no word where nobody wrote a script."""

    word: Word | None
    meaning: str
    lab_ns: int
    wall_ns: int
    engine: str
    kernel: str


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that a report says, in the order in which it says it."""

    name: str
    """The scenario's; '' where there is none."""
    title: str
    longest_ns: int
    """How far its times reach: they are shown in one unit."""
    picture: Picture
    ladder: Ladder
    faults: tuple[FaultSaid | RuleSaid, ...]
    whys: Whys
    outcomes: Outcomes
    counters: tuple[Grown, ...]
    surprises: tuple[Surprise, ...]
    unmet: tuple[str, ...]
    hints: tuple[str, ...]
    verdict: Verdict


def report_of(analysis: Analysis, explanation: Explanation, rows: int = ROWS_MAX) -> Report:
    """Say everything that there is to say of one run; `rows` is about how long its ladder may be."""
    timeline = analysis.timeline
    scenario = timeline.scenario
    return Report(
        scenario.name if scenario else "",
        scenario.title if scenario else "",
        longest_ns(timeline),
        picture_of(analysis.network, analysis.outages),
        ladder_of(analysis, rows),
        tuple(_faults(analysis)),
        whys_of(explanation, timeline),
        outcomes_of(timeline),
        tuple(Grown(one.node, tuple(one.grew.items())) for one in _counters(analysis)),
        tuple(_surprises(timeline)),
        explanation.unmet,
        explanation.hints,
        _verdict(timeline, explanation),
    )


def longest_ns(timeline: Timeline) -> int:
    """The time that is furthest from the script's beginning."""
    ends = [event.end_ns for event in timeline.events if isinstance(event, Call)]
    edges = [event.time_ns for event in (*timeline.events[:1], *timeline.events[-1:])]
    return max(map(abs, [*edges, *ends]), default=0)


def _faults(analysis: Analysis) -> Iterator[FaultSaid | RuleSaid]:
    """What was done to the lab, and which rules stopped a packet."""
    for index, fault in analysis.index.faults:
        yield FaultSaid(fault.time_ns, index, fault.action, words.fault(fault))
    for index, hit in analysis.index.rules:
        if hit.packets and hit.rule.action != "accept":
            yield RuleSaid(index, hit.node, hit.chain, hit.number, hit.rule.body, hit.packets)


def _counters(analysis: Analysis) -> Iterator[Counters]:
    for found in analysis.index.counters.values():
        yield from (event for _, event in found if event.grew)


def _surprises(timeline: Timeline) -> Iterator[Surprise]:
    results = {result.index: result for result in timeline.steps}
    for step in timeline.script:
        result = results.get(step.index)
        expected = step.expected or Ok()
        if result is None and timeline.steps:
            yield Surprise(step.who, step.line_text, expected, step.within_s)
        elif result is not None and not result.ok:
            took_ns = result.end_ns - result.start_ns
            yield Surprise(step.who, step.line_text, expected, step.within_s, result.observed, took_ns)


def _verdict(timeline: Timeline, explanation: Explanation) -> Verdict:
    word: Word | None = explanation.verdict
    meaning = _MEANINGS[explanation.verdict]
    if timeline.scenario is None:
        word, meaning = None, ""
    elif word == "pass" and not timeline.expect and not any(step.expected for step in timeline.script):
        meaning = "the scenario expects nothing in particular"
    return Verdict(word, meaning, timeline.lab_ns, timeline.wall_ns, timeline.engine, timeline.kernel)
