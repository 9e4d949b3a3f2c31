"""A chain of nodes, drawn from left to right: names and wires, interfaces below them, then addresses."""

from __future__ import annotations

from dataclasses import dataclass

from netsim.report.spans import BROKEN, Canvas, Line, line
from netsim.report.wiring import Cable, Wiring

_INDENT = 2
_ROWS_MAX = 4
_REMARKS_MAX = 10


@dataclass(frozen=True, slots=True)
class _Placed:
    """A node of one row: where its column begins, and the cable to the next."""

    name: str
    at: int
    wide: int
    onward: Cable | None

    @property
    def middle(self) -> int:
        return self.at + self.wide // 2


def draw_chain(wiring: Wiring, order: list[str], width: int) -> list[Line]:
    """Draw it in rows that fit; the next row begins with the node that ended the one before.

    A chain that would need many rows is drawn with its beginning and its end, and what is to be
    said of the nodes between is listed.
    """
    rows = _rows(wiring, order, width)
    left_out = rows[_ROWS_MAX // 2 : -1] if len(rows) > _ROWS_MAX else []
    drawn: list[Line] = []
    told: set[str] = set()
    for row in rows[: len(rows) - 1 - len(left_out)]:
        drawn += [*_row(wiring, row, told, width), ()]
    if left_out:
        drawn += [*_summary(wiring, left_out), ()]
        told.add(rows[-1][0].name)
    return drawn + _row(wiring, rows[-1], told, width)


def _rows(wiring: Wiring, order: list[str], width: int) -> list[list[_Placed]]:
    rows: list[list[_Placed]] = [[]]
    at = _INDENT
    for i, name in enumerate(order):
        onward = next((c for c in wiring.cables[name] if order[i + 1 : i + 2] == [c.to]), None)
        wide = max(len(name), len(wiring.kind(name)))
        needs = 0
        if onward:
            needs = _wire_width(onward) + max(len(onward.to), len(wiring.kind(onward.to)))
        if rows[-1] and at + wide + needs > width:
            rows[-1].append(_Placed(name, at, wide, None))
            rows.append([])
            at = _INDENT
        rows[-1].append(_Placed(name, at, wide, onward))
        at += wide + (_wire_width(onward) if onward else 0)
    return rows


def _labels(cable: Cable) -> tuple[tuple[str, str], tuple[str, str]]:
    """What stands below a wire's two ends: the names, and the addresses."""
    near, far = cable.near, cable.far
    return (near.name, far.name), (str(near.address or ""), str(far.address or ""))


def _wire_width(cable: Cable) -> int:
    return max(len(left) + len(right) for left, right in _labels(cable)) + 5


def _row(wiring: Wiring, row: list[_Placed], told: set[str], width: int) -> list[Line]:
    names, interfaces, addresses = Canvas(), Canvas(), Canvas()
    for node in row:
        off = node.name in wiring.off
        begins = node.middle - len(node.name) // 2
        kind = wiring.kind(node.name)
        interfaces.put(node.middle - len(kind) // 2, kind, "red" if off else "dim")
        if node.onward:
            following = row[row.index(node) + 1]
            left = begins + len(node.name) + 1
            right = following.middle - len(following.name) // 2 - 1
            cut = node.onward.cut
            names.put(left, (BROKEN if cut else "").center(right - left, "─"), "red" if cut else "")
            for canvas, (near, far) in zip((interfaces, addresses), _labels(node.onward), strict=True):
                canvas.put(node.at + node.wide + 1, near, "cyan" if canvas is interfaces else "")
                canvas.put(following.at - 1 - len(far), far, "cyan" if canvas is interfaces else "")
        names.put(begins, node.name, "dim" if off or node.name in told else "bold")
    remarks = [(node, list(wiring.remarks(node.name))) for node in row if node.name not in told]
    told.update(node.name for node in row)
    return [names.line(), interfaces.line(), addresses.line(), *_remarks([r for r in remarks if r[1]], width)]


def _remarks(remarks: list[tuple[_Placed, list[tuple[str, str]]]], width: int) -> list[Line]:
    """What is to be said of nodes, on a line each, the rightmost node's first so that no lines cross."""
    drawn: list[Line] = []
    while remarks:
        node, texts = remarks.pop()
        for i, (text, style) in enumerate(texts):
            last = i + 1 == len(texts)
            canvas = Canvas()
            for other, _ in remarks:
                canvas.put(other.middle, "│", "dim")
            before = node.middle - 1 - len(text)
            if node.middle + 2 + len(text) <= width:
                canvas.put_line(node.middle, line(("└ " if last else "├ ", "dim"), (text, style)))
            elif before >= _INDENT:
                canvas.put_line(before, line((text, style), (" ┘" if last else " ┤", "dim")))
            else:
                canvas.put_line(_INDENT, line(f"{node.name}: ", (text, style)))
            drawn.append(canvas.line())
    return drawn


def _summary(wiring: Wiring, rows: list[list[_Placed]]) -> list[Line]:
    """What stands for the rows that are left out."""
    names = list(dict.fromkeys(node.name for row in rows for node in row))[1:-1]
    drawn = [line("  ", (f"⋮ {len(names)} more nodes, {names[0]} to {names[-1]}", "dim"))]
    special = [line(f"    {name}  ", remark) for name in names for remark in wiring.remarks(name)]
    special += [line(f"    {name}  ", ("without power", "red")) for name in names if name in wiring.off]
    special += [
        line(f"    {node.name} ", (f"─{BROKEN}─", "red"), f" {node.onward.to}")
        for row in rows
        for node in row
        if node.onward and node.onward.cut
    ]
    drawn += special[:_REMARKS_MAX]
    if len(special) > _REMARKS_MAX:
        drawn.append(line("    ", (f"and {len(special) - _REMARKS_MAX} more remarks", "dim")))
    return drawn
