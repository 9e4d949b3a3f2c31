"""Which node stands where: the order from left to right in which a ladder reads best."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from netsim.model.topology import Topology


def lifelines(topology: Topology, talks: Iterable[tuple[str, str]], active: Iterable[str]) -> list[str]:
    """Order the nodes that take part.

    `talks` are the ends of each conversation, who began it first; the first one's path gives the
    order, and the paths of the others are woven into it. Nodes on no such path follow.
    """
    neighbours: dict[str, list[str]] = {node.name: [] for node in topology.nodes}
    for link in topology.links:
        neighbours[link.a].append(link.b)
        neighbours[link.b].append(link.a)
    order: list[str] = []
    for source, destination in dict.fromkeys(talks):
        order = _weave(order, _path(neighbours, source, destination))
    return order + [name for name in dict.fromkeys(active) if name not in order]


def _path(neighbours: dict[str, list[str]], source: str, destination: str) -> list[str]:
    """The shortest way along the links, both ends included; empty where there is none."""
    before = {source: source}
    todo = deque([source] if source in neighbours else [])
    while todo and destination not in before:
        at = todo.popleft()
        for near in neighbours[at]:
            if near not in before:
                before[near] = at
                todo.append(near)
    if destination not in before or source not in neighbours:
        return []
    path = [destination]
    while path[-1] != source:
        path.append(before[path[-1]])
    return path[::-1]


def _weave(order: list[str], path: list[str]) -> list[str]:
    """Put the nodes of a path that are new beside those that are known."""
    known = [order.index(name) for name in path if name in order]
    if known and known[0] > known[-1]:
        path.reverse()  # a conversation that was begun from the right
    woven = list(order)
    waiting: list[str] = []
    last = None
    for name in path:
        if name in woven:
            place = woven.index(name)
            woven[place:place] = waiting
            last, waiting = name, []
        else:
            waiting.append(name)
    place = len(woven) if last is None else woven.index(last) + 1
    woven[place:place] = waiting
    return woven
