"""Nodes that are no chain, drawn as a tree: one node a line, with the cable that leads to it."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from netsim.report.spans import BROKEN, Canvas, Line, Span, line
from netsim.report.wiring import Cable, Wiring

_SIBLINGS_MAX = 12
_DEPTH_MAX = 8
_LINKS_MAX = 12
_COLUMNS_LEAST = 4
"""Kind, interface, address and wire stay on the narrowest terminal; the far end goes first."""


@dataclass(frozen=True, slots=True)
class _Entry:
    """One line of the tree: the branch that leads to it, and what it says in each column."""

    branch: str
    name: str = ""
    columns: tuple[Span, ...] = ()
    remark: Span = ("", "")


def draw_tree(wiring: Wiring, names: list[str], width: int) -> list[Line]:
    """Draw the nodes below the one with the most cables, a switch before others."""
    root = max(names, key=lambda name: (len(wiring.cables[name]), wiring.kind(name) == "switch"))
    tree = _Tree(wiring, root)
    drawn = _table(list(tree.entries(root)), width)
    rest = [(name, cable) for name in names for cable in wiring.cables[name] if cable.link not in tree.links]
    more = list({cable.link: (name, cable) for name, cable in reversed(rest)}.values())[::-1]
    if more:
        drawn.append(line("  ", ("and these links:", "dim")))
        drawn += [line("    ", *_link(name, cable)) for name, cable in more[:_LINKS_MAX]]
    if len(more) > _LINKS_MAX:
        drawn.append(line("    ", (f"and {len(more) - _LINKS_MAX} more", "dim")))
    return drawn


class _Tree:
    """The shortest ways from a root: by node the cables to those below it."""

    def __init__(self, wiring: Wiring, root: str) -> None:
        self._wiring = wiring
        self._below: dict[str, list[Cable]] = {root: []}
        self.links: set[int] = set()
        todo = deque([root])
        while todo:
            at = todo.popleft()
            for cable in wiring.cables[at]:
                if cable.to not in self._below:
                    self._below[cable.to] = []
                    self._below[at].append(cable)
                    self.links.add(cable.link)
                    todo.append(cable.to)

    def entries(self, name: str, up: Cable | None = None, branch: str = "  ", indent: str = "  ") -> Iterator[_Entry]:
        """A node and all below it; what is too deep or too many is only counted."""
        yield _Entry(branch, name, self._columns(name, up))
        cables = self._below[name]
        for remark in self._wiring.remarks(name):
            yield _Entry(f"{indent}{'│' if cables else ' '}  ", remark=remark)
        if cables and len(indent) // 3 >= _DEPTH_MAX:
            yield _Entry(f"{indent}└─ ", remark=(f"⋮ {self._count(name)} more nodes", "dim"))
            return
        shown = cables if len(cables) <= _SIBLINGS_MAX else cables[: _SIBLINGS_MAX - 2]
        for cable in shown:
            corner, stem = ("└─ ", "   ") if cable is cables[-1] else ("├─ ", "│  ")
            yield from self.entries(cable.to, cable, indent + corner, indent + stem)
        rest = cables[len(shown) :]
        if rest:
            hidden = sum(1 + self._count(cable.to) for cable in rest)
            text = f"⋮ {hidden} more nodes, {rest[0].to} to {rest[-1].to}"
            yield _Entry(f"{indent}└─ ", remark=(text, "dim"))

    def _columns(self, name: str, up: Cable | None) -> tuple[Span, ...]:
        kind: Span = (self._wiring.kind(name), "red" if name in self._wiring.off else "dim")
        if not up:
            return (kind,)
        here, there = up.far, up.near
        wire: Span = (f"─{BROKEN}─", "red") if up.cut else ("───", "dim")
        own: tuple[Span, ...] = ((here.name, "cyan"), (str(here.address or ""), ""))
        return (kind, *own, wire, (there.name, "cyan"), (str(there.address or ""), ""))

    def _count(self, name: str) -> int:
        found, todo = 0, [name]
        while todo:
            at = todo.pop()
            found += len(self._below[at])
            todo += [cable.to for cable in self._below[at]]
        return found


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


def _link(name: str, cable: Cable) -> Iterator[Span]:
    """A link on one line, both ends by name: `a eth1 10.0.2.1 ─── b eth1 10.0.2.2`."""
    near = f"{name} {cable.near.name} {cable.near.address or ''}".rstrip()
    far = f"{cable.to} {cable.far.name} {cable.far.address or ''}".rstrip()
    yield near, ""
    yield (f" ─{BROKEN}─ ", "red") if cable.cut else (" ─── ", "dim")
    yield far, ""
