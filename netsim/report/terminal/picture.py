"""Draws a network's picture.

A chain is drawn as one, from left to right; whatever else hangs together is drawn as a tree, with the links that are
no part of it listed below.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from netsim.report.picture import Cable, Machine, Picture, Remark
from netsim.report.terminal.spans import BROKEN, Canvas, Line, Span, line

_CHAIN_LEAST = 40
"""In fewer columns a chain would be broken after every node; a tree is easier to read."""
_INDENT = 2
_ROWS_MAX = 4
_REMARKS_MAX = 10
_SIBLINGS_MAX = 12
_DEPTH_MAX = 8
_LINKS_MAX = 12
_COLUMNS_LEAST = 4
"""Kind, interface, address and wire stay on the narrowest terminal; the far end goes first."""
_REMARKS = {"rule": "yellow", "sysctl": "dim", "route": "dim"}


def draw_picture(picture: Picture, width: int) -> list[Line]:
    """Draw a picture at most `width` columns wide, and say what of it is left out."""
    drawn: list[Line] = []
    for cluster in picture.clusters:
        draw = _draw_chain if cluster.is_chain and width >= _CHAIN_LEAST else _draw_tree
        drawn += [*([()] if drawn else []), *draw(cluster.machines, width)]
    return drawn


def _kind(machine: Machine) -> str:
    return "off" if machine.off else machine.kind


def _said(remark: Remark) -> Span:
    return remark.text, _REMARKS[remark.about]


# --- a chain: names and wires, interfaces below them, then addresses --------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Placed:
    """A machine of one row: where its column begins, and the cable to the next."""

    machine: Machine
    at: int
    wide: int
    onward: Cable | None

    @property
    def middle(self) -> int:
        return self.at + self.wide // 2


def _draw_chain(machines: Sequence[Machine], width: int) -> list[Line]:
    """Draw it in rows that fit; the next row begins with the machine that ended the one before.

    A chain that would need many rows is drawn with its beginning and its end, and what is to be said of the machines
    between is listed.
    """
    rows = _rows(machines, width)
    left_out = rows[_ROWS_MAX // 2 : -1] if len(rows) > _ROWS_MAX else []
    drawn: list[Line] = []
    told: set[str] = set()
    for row in rows[: len(rows) - 1 - len(left_out)]:
        drawn += [*_row(row, told, width), ()]
    if left_out:
        drawn += [*_summary(left_out), ()]
        told.add(rows[-1][0].machine.name)
    return drawn + _row(rows[-1], told, width)


def _rows(machines: Sequence[Machine], width: int) -> list[list[_Placed]]:
    rows: list[list[_Placed]] = [[]]
    at = _INDENT
    for i, machine in enumerate(machines):
        following = machines[i + 1] if i + 1 < len(machines) else None
        onward = next((cable for cable in machine.cables if following and cable.to == following.name), None)
        wide = max(len(machine.name), len(_kind(machine)))
        needs = 0
        if onward and following:
            needs = _wire_width(onward) + max(len(following.name), len(_kind(following)))
        if rows[-1] and at + wide + needs > width:
            rows[-1].append(_Placed(machine, at, wide, None))
            rows.append([])
            at = _INDENT
        rows[-1].append(_Placed(machine, at, wide, onward))
        at += wide + (_wire_width(onward) if onward else 0)
    return rows


def _labels(cable: Cable) -> tuple[tuple[str, str], tuple[str, str]]:
    """What stands below a wire's two ends: the names, and the addresses."""
    near, far = cable.near, cable.far
    return (near.name, far.name), (str(near.address or ""), str(far.address or ""))


def _wire_width(cable: Cable) -> int:
    return max(len(left) + len(right) for left, right in _labels(cable)) + 5


def _row(row: list[_Placed], told: set[str], width: int) -> list[Line]:
    names, interfaces, addresses = Canvas(), Canvas(), Canvas()
    for i, placed in enumerate(row):
        machine, kind = placed.machine, _kind(placed.machine)
        begins = placed.middle - len(machine.name) // 2
        interfaces.put(placed.middle - len(kind) // 2, kind, "red" if machine.off else "dim")
        if placed.onward:
            following = row[i + 1]
            left = begins + len(machine.name) + 1
            right = following.middle - len(following.machine.name) // 2 - 1
            cut = bool(placed.onward.cut_to)
            names.put(left, (BROKEN if cut else "").center(right - left, "─"), "red" if cut else "")
            for canvas, (near, far) in zip((interfaces, addresses), _labels(placed.onward), strict=True):
                canvas.put(placed.at + placed.wide + 1, near, "cyan" if canvas is interfaces else "")
                canvas.put(following.at - 1 - len(far), far, "cyan" if canvas is interfaces else "")
        names.put(begins, machine.name, "dim" if machine.off or machine.name in told else "bold")
    fresh = [placed for placed in row if placed.machine.name not in told and placed.machine.remarks]
    told.update(placed.machine.name for placed in row)
    return [names.line(), interfaces.line(), addresses.line(), *_remarks(fresh, width)]


def _remarks(row: list[_Placed], width: int) -> list[Line]:
    """What is to be said of machines, on a line each, the rightmost one's first so that no lines cross."""
    drawn: list[Line] = []
    while row:
        placed = row.pop()
        middle = placed.middle
        for i, (text, style) in enumerate(map(_said, placed.machine.remarks)):
            last = i + 1 == len(placed.machine.remarks)
            canvas = Canvas()
            for other in row:
                canvas.put(other.middle, "│", "dim")
            before = middle - 1 - len(text)
            if middle + 2 + len(text) <= width:
                canvas.put_line(middle, line(("└ " if last else "├ ", "dim"), (text, style)))
            elif before >= _INDENT:
                canvas.put_line(before, line((text, style), (" ┘" if last else " ┤", "dim")))
            else:
                canvas.put_line(_INDENT, line(f"{placed.machine.name}: ", (text, style)))
            drawn.append(canvas.line())
    return drawn


def _summary(rows: list[list[_Placed]]) -> list[Line]:
    """What stands for the rows that are left out."""
    machines = list({placed.machine.name: placed.machine for row in rows for placed in row}.values())[1:-1]
    more = f"⋮ {len(machines)} more nodes, {machines[0].name} to {machines[-1].name}"
    special = [line(f"    {machine.name}  ", _said(remark)) for machine in machines for remark in machine.remarks]
    special += [line(f"    {machine.name}  ", ("without power", "red")) for machine in machines if machine.off]
    special += [
        line(f"    {placed.machine.name} ", (f"─{BROKEN}─", "red"), f" {placed.onward.to}")
        for row in rows
        for placed in row
        if placed.onward and placed.onward.cut_to
    ]
    drawn = [line("  ", (more, "dim")), *special[:_REMARKS_MAX]]
    if len(special) > _REMARKS_MAX:
        drawn.append(line("    ", (f"and {len(special) - _REMARKS_MAX} more remarks", "dim")))
    return drawn


# --- a tree: one machine a line, with the cable that leads to it ------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Entry:
    """One line of the tree: the branch that leads to it, and what it says in each column."""

    branch: str
    name: str = ""
    columns: tuple[Span, ...] = ()
    remark: Span = ("", "")


def _draw_tree(machines: Sequence[Machine], width: int) -> list[Line]:
    """Draw the machines below the one with the most cables, a switch before others."""
    root = max(machines, key=lambda machine: (len(machine.cables), _kind(machine) == "switch"))
    tree = _Tree(machines, root)
    drawn = _table(list(tree.entries(root)), width)
    rest = {cable.link: (machine, cable) for machine in reversed(machines) for cable in reversed(machine.cables)}
    more = [found for link, found in reversed(rest.items()) if link not in tree.links]
    if more:
        drawn.append(line("  ", ("and these links:", "dim")))
        drawn += [line("    ", *_link(machine, cable)) for machine, cable in more[:_LINKS_MAX]]
    if len(more) > _LINKS_MAX:
        drawn.append(line("    ", (f"and {len(more) - _LINKS_MAX} more", "dim")))
    return drawn


class _Tree:
    """The shortest ways from a root: by machine the cables to those below it."""

    def __init__(self, machines: Sequence[Machine], root: Machine) -> None:
        self._machines = {machine.name: machine for machine in machines}
        self._below: dict[str, list[Cable]] = {root.name: []}
        self.links: set[str] = set()
        todo = deque([root])
        while todo:
            at = todo.popleft()
            for cable in at.cables:
                if cable.to not in self._below:
                    self._below[cable.to] = []
                    self._below[at.name].append(cable)
                    self.links.add(cable.link)
                    todo.append(self._machines[cable.to])

    def entries(
        self, machine: Machine, up: Cable | None = None, branch: str = "  ", indent: str = "  "
    ) -> Iterator[_Entry]:
        """A machine and all below it; what is too deep or too many is only counted."""
        yield _Entry(branch, machine.name, _columns(machine, up))
        cables = self._below[machine.name]
        for remark in machine.remarks:
            yield _Entry(f"{indent}{'│' if cables else ' '}  ", remark=_said(remark))
        if cables and len(indent) // 3 >= _DEPTH_MAX:
            yield _Entry(f"{indent}└─ ", remark=(f"⋮ {self._count(machine.name)} more nodes", "dim"))
            return
        shown = cables if len(cables) <= _SIBLINGS_MAX else cables[: _SIBLINGS_MAX - 2]
        for cable in shown:
            corner, stem = ("└─ ", "   ") if cable is cables[-1] else ("├─ ", "│  ")
            yield from self.entries(self._machines[cable.to], cable, indent + corner, indent + stem)
        rest = cables[len(shown) :]
        if rest:
            hidden = sum(1 + self._count(cable.to) for cable in rest)
            text = f"⋮ {hidden} more nodes, {rest[0].to} to {rest[-1].to}"
            yield _Entry(f"{indent}└─ ", remark=(text, "dim"))

    def _count(self, name: str) -> int:
        found, todo = 0, [name]
        while todo:
            at = todo.pop()
            found += len(self._below[at])
            todo += [cable.to for cable in self._below[at]]
        return found


def _columns(machine: Machine, up: Cable | None) -> tuple[Span, ...]:
    kind: Span = (_kind(machine), "red" if machine.off else "dim")
    if not up:
        return (kind,)
    here, there = up.far, up.near
    wire: Span = (f"─{BROKEN}─", "red") if up.cut_to else ("───", "dim")
    own: tuple[Span, ...] = ((here.name, "cyan"), (str(here.address or ""), ""))
    return (kind, *own, wire, (there.name, "cyan"), (str(there.address or ""), ""))


def _table(entries: list[_Entry], width: int) -> list[Line]:
    """Set the entries' columns below each other, as many as fit."""
    name_wide = max(len(entry.branch) + len(entry.name) for entry in entries if entry.name)
    count = max(len(entry.columns) for entry in entries)
    wide = [max((len(e.columns[i][0]) for e in entries if len(e.columns) > i), default=0) for i in range(count)]
    while len(wide) > _COLUMNS_LEAST and name_wide + 2 + sum(wide) + len(wide) > width:
        wide.pop()
    return [_line(entry, name_wide, wide) for entry in entries]


def _line(entry: _Entry, name_wide: int, wide: list[int]) -> Line:
    canvas = Canvas()
    canvas.put_line(0, line((entry.branch, "dim"), (entry.name, "bold"), entry.remark))
    at = name_wide + 2
    for i, (text, style) in enumerate(entry.columns[: len(wide)]):
        canvas.put(at, text, style)
        at += wide[i] + (1 if i else 2)
    return canvas.line()


def _link(machine: Machine, cable: Cable) -> Iterator[Span]:
    """A link on one line, both ends by name: `a eth1 10.0.2.1 ─── b eth1 10.0.2.2`."""
    near = f"{machine.name} {cable.near.name} {cable.near.address or ''}".rstrip()
    far = f"{cable.to} {cable.far.name} {cable.far.address or ''}".rstrip()
    yield near, ""
    yield (f" ─{BROKEN}─ ", "red") if cable.cut_to else (" ─── ", "dim")
    yield far, ""
