"""The report that a person reads on a terminal: lines of styled text, at most as wide as it is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from netsim.analysis import Analysis
from netsim.model.explanation import Explanation
from netsim.model.network import Network
from netsim.report.content import Report, report_of
from netsim.report.picture import picture_of
from netsim.report.terminal import sections
from netsim.report.terminal.ladder import Clock, draw_ladder
from netsim.report.terminal.picture import draw_picture
from netsim.report.terminal.spans import Line, in_ascii, line, safe

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["draw", "render", "render_network", "show"]

_PROSE_MAX = 100
"""Sentences are not drawn out over the whole of a wide screen."""


def render(analysis: Analysis, explanation: Explanation, console: Console) -> None:
    """Print the whole report of a run."""
    show(draw(report_of(analysis, explanation), console.width), console)


def render_network(network: Network, console: Console) -> None:
    """Print a network's picture."""
    show(draw_picture(picture_of(network), console.width), console)


def draw(report: Report, width: int) -> list[Line]:
    """Draw a report, line by line."""
    prose, clock = min(width, _PROSE_MAX), Clock(report.longest_ns)
    lines: list[Line] = []
    if report.name:
        lines += [line((report.name, "bold"), f"  {report.title}" if report.title else ""), ()]
    lines += [*draw_picture(report.picture, width), (), *draw_ladder(report.ladder, clock, width)]
    lines += _titled("Faults", sections.draw_faults(report.faults, clock))
    lines += _titled("Why", sections.draw_whys(report.whys, clock, prose))
    lines += _titled("What each program got", sections.draw_outcomes(report.outcomes, width))
    lines += _titled("TCP counters that grew", sections.draw_counters(report.counters, prose))
    lines += _titled("Not as expected", sections.draw_surprises(report, prose))
    lines += _titled("Hints", sections.draw_sentences(report.hints, prose))
    return [*lines, (), *sections.draw_verdict(report.verdict)]


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
