"""Where a ladder's columns stand, so that a terminal of this width can show it, and what stands beside its packets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from netsim.report.ladder import Ladder
from netsim.report.rows import PacketRow

TEXT_LEAST = 24
"""Columns that a call at the last lifeline has at least."""
_WIDEST_GAP = 26
_NUMBERS = ("seq", "ack", "len", "ttl")

Ends = Literal["ports", "nodes", ""]
"""What of a packet's two ends is told."""


@dataclass(frozen=True, slots=True)
class Details:
    """The columns beside the packets, each as wide as its widest entry."""

    header: str
    texts: Mapping[int, str]
    """By the packet's event."""
    width: int
    full_width: int
    """With what else is to be said of a packet, which goes on a line below where there is no room."""


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns of a ladder.

    `places` are the lifelines' columns by node; it is empty where they do not fit, and packets are then written as
    `client → fw` from column `start` on, their flags from `flags_at` on.
    """

    time_width: int
    start: int
    places: Mapping[str, int]
    flags_at: int
    details: Details
    details_at: int
    width: int


def columns(ladder: Ladder, time_width: int, width: int) -> Columns:
    """Choose the fullest columns that fit.

    In this order: lifelines with ports, lifelines with node names or without (where there is but one connection,
    whose ends say little), and without lifelines ever fewer columns.
    """
    packets = [row for row in ladder.rows if isinstance(row, PacketRow)]
    nodes = ladder.lifelines
    start = time_width + 2
    labels = [len(row.label) for row in packets]
    right = _right_of_last(nodes, packets)
    all_ends: tuple[Ends, ...] = ("ports", "nodes", "")
    for ends in all_ends if _is_one_connection(packets) else all_ends[:1]:
        details = _details(packets, ends)
        room = width - start - 2
        gaps = (
            _gap(nodes, labels, room - right - max(wide, TEXT_LEAST)) for wide in (details.full_width, details.width)
        )
        gap = next(filter(None, gaps), 0)
        if gap:
            first = start + len(nodes[0]) // 2
            places = {name: first + i * gap for i, name in enumerate(nodes)}
            return Columns(time_width, start, places, start, details, places[nodes[-1]] + right + 2, width)
    flags_at = start + max((len(row.sender) + len(row.receiver) + 3 for row in packets), default=0) + 2
    details_at = flags_at + max(labels, default=0) + 2
    for ends in all_ends:
        details = _details(packets, ends)
        if details_at + details.width <= width:
            break
    return Columns(time_width, start, {}, flags_at, details, details_at, width)


def _is_one_connection(packets: Sequence[PacketRow]) -> bool:
    return len({frozenset((row.src, row.dst)) for row in packets if row.src.port}) < 2


def _right_of_last(nodes: Sequence[str], packets: Sequence[PacketRow]) -> int:
    """Columns that the last lifeline has to its right: for half its name, and for packets that it sends to itself."""
    own = [len(to_itself(row)) for row in packets if row.sender == row.receiver == nodes[-1]]
    return max([(len(nodes[-1]) + 1) // 2, *own]) if nodes else 0


def to_itself(row: PacketRow) -> str:
    """A packet over loopback."""
    return f"● {row.label} to itself"


def _gap(nodes: Sequence[str], labels: list[int], room: int) -> int:
    """How far apart lifelines stand in this room; 0 where they do not fit."""
    if not nodes:
        return 0
    room -= len(nodes[0]) // 2
    if len(nodes) == 1:
        return _WIDEST_GAP if room >= 0 else 0
    least = max([text + 4 for text in labels] + [(len(a) + len(b)) // 2 + 3 for a, b in pairwise(nodes)])
    gap = min(room // (len(nodes) - 1), max(_WIDEST_GAP, least))
    return gap if gap >= least else 0


def _details(packets: Sequence[PacketRow], ends: Ends) -> Details:
    names = ("from", "to") if ends else ()
    table = [(*names, *_NUMBERS, ""), *((*_ends(row, ends), *_numbers(row), _note(row)) for row in packets)]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    lines = []
    for entries in table:
        cells = [
            entry.rjust(width) if len(names) <= i < len(names) + len(_NUMBERS) else entry.ljust(width)
            for i, (entry, width) in enumerate(zip(entries, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    texts = {row.event: text for row, text in zip(packets, lines[1:], strict=True)}
    width = max(map(len, lines))
    full = [len(texts[row.event]) + 2 + len(row.said) for row in packets if row.said]
    return Details(lines[0], texts, width, max([width, *full]))


def _ends(row: PacketRow, ends: Ends) -> tuple[str, ...]:
    match ends:
        case "ports":
            return str(row.src), str(row.dst)
        case "nodes":
            return row.src.host, row.dst.host
    return ()


def _numbers(row: PacketRow) -> tuple[str, str, str, str]:
    seq, ack = ("" if number is None else str(number) for number in (row.seq, row.ack))
    return seq, ack, str(row.length), str(row.ttl)


def _note(row: PacketRow) -> str:
    return ", ".join(["resent"] * row.resent + ["lost"] * row.lost)
