"""Draws the rows of a ladder into a layout, one line or a few for each."""

from __future__ import annotations

from collections.abc import Iterator

from netsim.model.transits import Transit
from netsim.report.clock import Clock
from netsim.report.details import label, style
from netsim.report.layout import TEXT_LEAST, Layout
from netsim.report.rows import Across, Hop, Moment, Pause, Row
from netsim.report.spans import BROKEN, Canvas, Line, line, wrap


class Pen:
    """Goes down the page; it knows which nodes are without power by now."""

    def __init__(self, layout: Layout, clock: Clock) -> None:
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
            case Hop():
                yield from self._hop(row)
            case Moment():
                yield from self._moment(row)
            case Across():
                yield self._across(row)
            case Pause():
                yield self._pause(row)

    def _page(self, time_ns: int | None, stroke: str = "│") -> Canvas:
        """A fresh line with its time and its lifelines."""
        canvas = Canvas()
        if time_ns is not None:
            canvas.put(0, self._clock.show(time_ns).rjust(self._layout.time_width), "dim")
        for name, place in self._layout.places.items():
            canvas.put(place, " " if name in self._off else stroke, "dim")
        return canvas

    def _hop(self, row: Hop) -> Iterator[Line]:
        layout, transit = self._layout, row.transit
        canvas = self._page(row.time_ns)
        if not layout.places:
            between = BROKEN if transit.lost else "→"
            canvas.put(layout.start, f"{transit.sender} {between} {transit.receiver}", style(transit))
            canvas.put(layout.flags_at, label(transit), style(transit))
        elif transit.sender != transit.receiver and {transit.sender, transit.receiver} <= layout.places.keys():
            self._arrow(canvas, transit)
        else:
            place = layout.places.get(transit.sender, layout.start)
            canvas.put(place, f"● {label(transit)} to itself", style(transit))
        details, said = layout.details.texts[transit.index], transit.packet.detail
        canvas.put(layout.details_at, details, style(transit))
        if said and layout.details_at + len(details) + 2 + len(said) > layout.width:
            yield canvas.line()
            canvas, details = self._page(None), ""
        canvas.put(layout.details_at + (len(details) + 2 if details else 0), said, style(transit))
        yield canvas.line()

    def _arrow(self, canvas: Canvas, transit: Transit) -> None:
        """From lifeline to lifeline, with its label before the first that it meets; what is lost ends there."""
        places = self._layout.places
        begin, end = places[transit.sender], places[transit.receiver]
        onward = begin < end
        met = sorted(
            (place for place in places.values() if begin < place < end or end < place < begin), reverse=not onward
        )
        text = f" {label(transit)} "
        room = abs((met[0] if met else end) - begin) - 1
        reach = max(room * 3 // 4, len(text) + 1) if transit.lost else abs(end - begin) - 1
        shaft = text.center(min(room, reach) - 1, "─")
        dashes = "─" * (reach - 1 - len(shaft))
        head = BROKEN if transit.lost else "►" if onward else "◄"
        drawn = shaft + dashes + head if onward else head + dashes + shaft
        canvas.put(begin, "├" if onward else "┤", style(transit) or "dim")
        canvas.put(begin + 1 if onward else begin - reach, drawn, style(transit))
        for place in met if not transit.lost else ():
            canvas.put(place, "┼", style(transit))

    def _moment(self, row: Moment) -> Iterator[Line]:
        """At the node's lifeline, from there to the right; long text goes on below."""
        layout = self._layout
        place = layout.places.get(row.node, layout.start)
        text = row.text
        if row.who != row.node or not layout.places:
            text = line(f"{row.who}: ", *text)
        room = max(TEXT_LEAST, layout.width - place - 2)
        for i, part in enumerate(wrap(text, room)):
            canvas = self._page(None if i else row.time_ns)
            if layout.places:
                canvas.put(place, "│" if i else row.mark, "dim" if i or row.kernel else "cyan")
            canvas.put_line(place + (2 if layout.places else 0), line(*part, " "))
            yield canvas.line()

    def _across(self, row: Across) -> Line:
        """A fault cuts through everything; a node without power has no lifeline."""
        layout = self._layout
        if row.fault == "crash":
            self._off.add(row.node)
        elif row.fault == "boot":
            self._off.discard(row.node)
        canvas = self._page(row.time_ns)
        last = max(layout.places.values(), default=layout.start)
        text = f" {row.text} ".center(last - layout.start + 1, "╌")
        canvas.put(layout.start, f"╌╌{text}╌╌", "bold magenta")
        return canvas.line()

    def _pause(self, row: Pause) -> Line:
        canvas = self._page(None, "⋮")
        if len(row.text) <= self._layout.time_width:
            canvas.put(0, row.text.rjust(self._layout.time_width), "dim")
        else:
            canvas.put(self._layout.start, row.text, "dim")
        return canvas.line()
