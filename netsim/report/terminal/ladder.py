"""Draws a ladder: a lifeline per node, time running down, and every packet an arrow between two of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from netsim.model.action import Boot, Crash, Cut
from netsim.model.duration import show_duration
from netsim.model.result import Signalled, shell_status
from netsim.report.ladder import Ladder
from netsim.report.rows import (
    CallRow,
    DropRow,
    EndRow,
    FaultRow,
    KernelRow,
    LeftOutRow,
    PacketRow,
    PauseRow,
    Row,
)
from netsim.report.terminal.columns import TEXT_LEAST, Columns, columns, to_itself
from netsim.report.terminal.spans import BROKEN, Canvas, Line, Span, line, wrap

_TIME_WIDTH = 8
_BAD = "bold yellow"
MARKS = {Cut: "✂ ", Crash: "↯ "}
"""What a fault is marked with."""


class Clock:
    """Shows times since the script began in one unit for a whole report: in ms with µs behind the point, or in s."""

    def __init__(self, longest_ns: int) -> None:
        self.unit, self._scale, self._digits = ("ms", 1e6, 3) if longest_ns < 1e9 else ("s", 1e9, 6)

    def show(self, time_ns: int) -> str:
        return f"{time_ns / self._scale:.{self._digits}f}"


def draw_ladder(ladder: Ladder, clock: Clock, width: int) -> list[Line]:
    """Draw a ladder at most `width` columns wide."""
    if not ladder.rows:
        return [line(("Nothing was seen: no packet and no call.", "dim"))]
    time_width = max(_TIME_WIDTH, *(len(clock.show(row.time_ns)) for row in ladder.rows))
    pen = _Pen(columns(ladder, time_width, width), clock)
    drawn = [pen.header(), *(text for row in ladder.rows for text in pen.row(row))]
    counted = (f"{count} sightings of {kind} frames are not drawn." for kind, count in ladder.not_drawn)
    return drawn + [line((text, "dim")) for text in counted]


@dataclass(frozen=True, slots=True)
class _Note:
    """What a row that is no packet says at its node's lifeline."""

    mark: str
    mark_style: str
    text: Line


class _Pen:
    """Goes down the page; it knows which nodes are without power by now."""

    def __init__(self, layout: Columns, clock: Clock) -> None:
        self._layout, self._clock = layout, clock
        self._off: set[str] = set()

    def header(self) -> Line:
        layout = self._layout
        canvas = Canvas()
        canvas.put(0, self._clock.unit.rjust(layout.time_width), "dim")
        for name, place in layout.places.items():
            canvas.put(place - len(name) // 2, name, "bold")
        if not layout.places:
            canvas.put(layout.start, "hop", "dim")
            canvas.put(layout.flags_at, "flags", "dim")
        canvas.put(layout.details_at, layout.details.header, "dim")
        return canvas.line()

    def row(self, row: Row) -> Iterator[Line]:
        match row:
            case PacketRow():
                yield from self._packet(row)
            case CallRow():
                yield from self._at(row.time_ns, row.node, row.who, _Note("●", "cyan", _call(row)))
            case EndRow():
                yield from self._at(row.time_ns, row.node, row.who, _Note("■", "cyan", _end(row)))
            case KernelRow() | DropRow():
                yield from self._at(row.time_ns, row.node, row.node, _Note("·", "dim", _kernel(row)))
            case FaultRow():
                yield self._fault(row)
            case PauseRow():
                yield self._pause(f"⋮ {show_duration(row.lasted_ns)}")
            case LeftOutRow():
                rows = "row" if row.count == 1 else "rows"
                yield self._pause(f"⋮ {row.count} {rows} left out; a recording (--record FILE) has them all")

    def _page(self, time_ns: int | None, stroke: str = "│") -> Canvas:
        """A fresh line with its time and its lifelines."""
        canvas = Canvas()
        if time_ns is not None:
            canvas.put(0, self._clock.show(time_ns).rjust(self._layout.time_width), "dim")
        for name, place in self._layout.places.items():
            canvas.put(place, " " if name in self._off else stroke, "dim")
        return canvas

    def _packet(self, row: PacketRow) -> Iterator[Line]:
        layout, style = self._layout, _style(row)
        canvas = self._page(row.time_ns)
        if not layout.places:
            between = BROKEN if row.lost else "→"
            canvas.put(layout.start, f"{row.sender} {between} {row.receiver}", style)
            canvas.put(layout.flags_at, row.label, style)
        elif row.sender != row.receiver and {row.sender, row.receiver} <= layout.places.keys():
            self._arrow(canvas, row)
        else:
            canvas.put(layout.places.get(row.sender, layout.start), to_itself(row), style)
        details, said = layout.details.texts[row.event], row.said
        canvas.put(layout.details_at, details, style)
        if said and layout.details_at + len(details) + 2 + len(said) > layout.width:
            yield canvas.line()
            canvas, details = self._page(None), ""
        canvas.put(layout.details_at + (len(details) + 2 if details else 0), said, style)
        yield canvas.line()

    def _arrow(self, canvas: Canvas, row: PacketRow) -> None:
        """From lifeline to lifeline, with its label before the first that it meets; what is lost ends there."""
        places, style = self._layout.places, _style(row)
        begin, end = places[row.sender], places[row.receiver]
        onward = begin < end
        met = sorted(
            (place for place in places.values() if begin < place < end or end < place < begin), reverse=not onward
        )
        text = f" {row.label} "
        room = abs((met[0] if met else end) - begin) - 1
        reach = max(room * 3 // 4, len(text) + 1) if row.lost else abs(end - begin) - 1
        shaft = text.center(min(room, reach) - 1, "─")
        dashes = "─" * (reach - 1 - len(shaft))
        head = BROKEN if row.lost else "►" if onward else "◄"
        drawn = shaft + dashes + head if onward else head + dashes + shaft
        canvas.put(begin, "├" if onward else "┤", style or "dim")
        canvas.put(begin + 1 if onward else begin - reach, drawn, style)
        for place in met if not row.lost else ():
            canvas.put(place, "┼", style)

    def _at(self, time_ns: int, node: str, who: str, note: _Note) -> Iterator[Line]:
        """At the node's lifeline, from there to the right; long text goes on below."""
        layout = self._layout
        place = layout.places.get(node, layout.start)
        text = note.text if who == node and layout.places else line(f"{who}: ", *note.text)
        room = max(TEXT_LEAST, layout.width - place - 2)
        for i, part in enumerate(wrap(text, room)):
            canvas = self._page(None if i else time_ns)
            if layout.places:
                canvas.put(place, "│" if i else note.mark, "dim" if i else note.mark_style)
            canvas.put_line(place + (2 if layout.places else 0), line(*part, " "))
            yield canvas.line()

    def _fault(self, row: FaultRow) -> Line:
        """A fault cuts through everything; a node without power has no lifeline."""
        layout = self._layout
        if isinstance(row.action, Crash):
            self._off.add(row.where)
        elif isinstance(row.action, Boot):
            self._off.discard(row.where)
        canvas = self._page(row.time_ns)
        last = max(layout.places.values(), default=layout.start)
        text = f" {MARKS.get(type(row.action), '')}{row.text} ".center(last - layout.start + 1, "╌")
        canvas.put(layout.start, f"╌╌{text}╌╌", "bold magenta")
        return canvas.line()

    def _pause(self, text: str) -> Line:
        canvas = self._page(None, "⋮")
        if len(text) <= self._layout.time_width:
            canvas.put(0, text.rjust(self._layout.time_width), "dim")
        else:
            canvas.put(self._layout.start, text, "dim")
        return canvas.line()


def _style(row: PacketRow) -> str:
    """A RST stands out."""
    if row.is_reset:
        return "bold red"
    return "yellow" if row.lost or row.is_icmp else ""


def _call(row: CallRow) -> Line:
    if row.part == "begin":
        return line(row.what, " ...")
    if row.result is None:
        return line(row.what, (" never returned", "dim"))
    result: Span = (str(row.result), _BAD if row.is_bad else "")
    took: Span = (f"  {'after ' if row.part == 'end' else ''}{show_duration(row.took_ns)}", "dim")
    wrong: tuple[Span, ...] = ((f"  expected {row.expected}", "red"),) if row.expected is not None else ()
    return line("... " if row.part == "end" else "", row.what, " = ", result, took, *wrong)


def _end(row: EndRow) -> Line:
    if not isinstance(row.outcome, Signalled):
        return line((str(row.outcome), "bold"))
    status = shell_status(row.outcome)
    in_a_shell = f", exit status {status} in a shell" if status is not None else ""
    return line((f"killed by {row.outcome.signal}{in_a_shell}", _BAD))


def _kernel(row: KernelRow | DropRow) -> Line:
    if isinstance(row, DropRow):
        return line(("kernel: ", "dim"), (f"dropped {row.packet}, {row.reason}", "yellow"))
    return line((f"kernel: {', '.join(row.said)}", "dim"))
