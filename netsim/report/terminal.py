"""The report that a person reads: picture, ladder, and the explanation in words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from netsim.model.event import Fault
from netsim.model.explanation import Explanation
from netsim.model.plan import Plan
from netsim.model.timeline import Timeline
from netsim.report import sections
from netsim.report.ladder import ladder
from netsim.report.outcomes import outcomes, table
from netsim.report.picture import picture
from netsim.report.spans import Line, in_ascii, line, safe

if TYPE_CHECKING:
    from rich.console import Console

_PROSE_MAX = 100
"""Sentences are not drawn out over the whole of a wide screen."""


def render(timeline: Timeline, plan: Plan, explanation: Explanation, console: Console) -> None:
    """Print the whole report."""
    show(report(timeline, plan, explanation, console.width), console)


def report(timeline: Timeline, plan: Plan, explanation: Explanation, width: int) -> list[Line]:
    """The whole report, line by line."""
    prose = min(width, _PROSE_MAX)
    scenario = timeline.scenario
    lines: list[Line] = [line((scenario.name, "bold"), f"  {scenario.title}" if scenario.title else ""), ()]
    lines += [*picture(plan, width, *damage(timeline)), (), *ladder(timeline, plan, width)]
    lines += _titled("Faults", sections.faults(timeline))
    lines += _titled("Why", sections.why(explanation, timeline, prose))
    lines += _titled("What each program got", table(outcomes(timeline, plan.owners), width))
    lines += _titled("TCP counters that grew", sections.counters(timeline, prose))
    lines += _titled("Not as expected", sections.surprises(timeline, explanation, prose))
    lines += _titled("Hints", sections.hints(explanation, prose))
    return [*lines, (), *sections.verdict(timeline, explanation)]


def damage(timeline: Timeline) -> tuple[set[str], set[str]]:
    """Which links are cut and which nodes are without power when the script has ended."""
    cut: set[str] = set()
    off: set[str] = set()
    for event in timeline.events:
        if isinstance(event, Fault):
            for fault, undone_by, broken in (("cut", "heal", cut), ("crash", "boot", off)):
                if event.fault == fault:
                    broken.add(event.node)
                elif event.fault == undone_by:
                    broken.discard(event.node)
    return cut, off


def _titled(title: str, body: Iterable[Line]) -> Iterator[Line]:
    """A section, where there is anything to say."""
    for i, text in enumerate(body):
        if not i:
            yield ()
            yield line((title, "bold"))
        yield text


def show(lines: Iterable[Line], console: Console) -> None:
    """Print drawn lines: in colour on a terminal that wants it, in ASCII where nothing else can be shown."""
    from rich.text import Text  # 30 ms, for those who print

    ready = [safe(spans) for spans in lines]
    try:
        "".join(text for spans in ready for text, _ in spans).encode(console.encoding)
    except (UnicodeEncodeError, LookupError):
        ready = [in_ascii(spans) for spans in ready]
    for spans in ready:
        console.print(Text.assemble(*spans), soft_wrap=True)
