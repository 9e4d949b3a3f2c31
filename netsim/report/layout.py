"""Where a ladder's columns stand, so that a terminal of this width can show it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

from netsim.model.transits import Transit
from netsim.report.details import Columns, label

_WIDEST_GAP = 26
_TIME_WIDTH = 8
TEXT_LEAST = 24
"""Columns that a call at the last lifeline has at least."""


@dataclass(frozen=True, slots=True)
class Layout:
    """The columns of a ladder.

    `places` are the lifelines' columns by node; it is empty where they do not fit, and hops are then
    written as `client → fw` from column `start` on, their flags from `flags_at` on.
    """

    time_width: int
    start: int
    places: dict[str, int]
    flags_at: int
    details: Columns
    details_at: int
    width: int


def arrange(
    nodes: list[str], hops: list[Transit], columns: Callable[[str], Columns], time_width: int, width: int
) -> Layout:
    """Choose the fullest layout that fits.

    In this order: lifelines with ports, lifelines with node names or without (where there is but one connection,
    whose ends say little), and without lifelines ever fewer columns.
    """
    time_width = max(_TIME_WIDTH, time_width)
    start = time_width + 2
    labels = [len(label(hop)) for hop in hops]
    for ends in ("ports", "nodes", "") if _alone(hops) else ("ports",):
        details = columns(ends)
        room = width - start - 2
        gaps = (_gap(nodes, labels, room - max(wide, TEXT_LEAST)) for wide in (details.full_width, details.width))
        gap = next(filter(None, gaps), 0)
        if gap:
            first = start + len(nodes[0]) // 2
            places = {name: first + i * gap for i, name in enumerate(nodes)}
            after = places[nodes[-1]] + (len(nodes[-1]) + 1) // 2 + 2
            return Layout(time_width, start, places, start, details, after, width)
    flags_at = start + max((len(hop.sender) + len(hop.receiver) + 3 for hop in hops), default=0) + 2
    details_at = flags_at + max(labels, default=0) + 2
    for ends in ("ports", "nodes", ""):
        details = columns(ends)
        if details_at + details.width <= width:
            break
    return Layout(time_width, start, {}, flags_at, details, details_at, width)


def _alone(hops: list[Transit]) -> bool:
    packets = [hop.packet for hop in hops if hop.packet.sport]
    return len({frozenset((packet.flow[:2], packet.flow[2:])) for packet in packets}) < 2


def _gap(nodes: list[str], labels: list[int], room: int) -> int:
    """How far apart lifelines stand in this room; 0 where they do not fit."""
    if not nodes:
        return 0
    margins = len(nodes[0]) // 2 + (len(nodes[-1]) + 1) // 2
    if len(nodes) == 1:
        return _WIDEST_GAP if margins <= room else 0
    least = max([text + 4 for text in labels] + [(len(a) + len(b)) // 2 + 3 for a, b in pairwise(nodes)])
    gap = min((room - margins) // (len(nodes) - 1), max(_WIDEST_GAP, least))
    return gap if gap >= least else 0
