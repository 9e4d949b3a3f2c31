"""A topology as a small picture in text.

A chain is drawn as one, from left to right; whatever else hangs together is drawn as a tree, with
the links that are no part of it listed below.
"""

from __future__ import annotations

from collections.abc import Iterable

from netsim.model.plan import Plan
from netsim.report.chain import draw_chain
from netsim.report.spans import Line
from netsim.report.tree import draw_tree
from netsim.report.wiring import Wiring

_CHAIN_LEAST = 40
"""In fewer columns a chain would be broken after every node; a tree is easier to read."""


def picture(plan: Plan, width: int, cut: Iterable[str] = (), off: Iterable[str] = ()) -> list[Line]:
    """Draw a plan at most `width` columns wide, or say what of it is left out.

    `cut` are the names of the links that are cut, `off` the nodes without power.
    """
    wiring = Wiring(plan, frozenset(cut), frozenset(off))
    drawn: list[Line] = []
    for names in wiring.components():
        if drawn:
            drawn.append(())
        chain = wiring.chain(names) if width >= _CHAIN_LEAST else None
        drawn += draw_chain(wiring, chain, width) if chain else draw_tree(wiring, names, width)
    return drawn
