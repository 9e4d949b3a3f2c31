"""Static routes by shortest path, with neighbouring subnets put together into one prefix."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Network

from netsim.model.addressing import Segment
from netsim.model.topology import Address, Subnet, Topology

Hop = tuple[int, str]
"""A next hop: the segment that leads to it, and its name."""

_POOL_BASE = 10 << 24
_BY_HAND = 1 << 16
"""Sets of subnets are bits of an int: a /24 slot each, and above them the subnets set by hand."""


def next_hops(topology: Topology, parts: tuple[Segment, ...]) -> dict[str, dict[Hop, int]]:
    """For each node that is no switch: which neighbour leads to which set of subnets."""
    bits = [_bits(part, i) for i, part in enumerate(parts)]
    members = [list(dict.fromkeys(node for _, node in part.addresses)) for part in parts]
    attached: dict[str, list[int]] = {node.name: [] for node in topology.nodes if node.kind != "switch"}
    for i, names in enumerate(members):
        for name in names:
            attached[name].append(i)
    routers = {node.name for node in topology.nodes if node.kind == "router"}
    edges = sum(map(len, members))
    components = _components(members, attached)
    search = _in_tree if edges == len(attached) + len(parts) - components else _in_graph
    return search(attached, members, routers, bits)


def _bits(part: Segment, index: int) -> int:
    return sum(1 << slot for slot in part.slots) if part.slots else 1 << (_BY_HAND + index)


def _components(members: list[list[str]], attached: dict[str, list[int]]) -> int:
    seen: set[str] = set()
    count = 0
    for name in attached:
        if name in seen:
            continue
        count += 1
        todo = [name]
        seen.add(name)
        while todo:
            for i in attached[todo.pop()]:
                fresh = [other for other in members[i] if other not in seen]
                seen.update(fresh)
                todo += fresh
    return count


def _in_tree(
    attached: dict[str, list[int]], members: list[list[str]], routers: set[str], bits: list[int]
) -> dict[str, dict[Hop, int]]:
    """Without a cycle there is one way to everything: add up what lies behind each neighbour."""
    behind: dict[tuple[str, int], int] = {}  # what one reaches by entering a node from a segment

    def wanted(name: str, entry: int) -> Iterator[tuple[str, int]]:
        for i in attached[name]:
            if i != entry:
                for other in members[i]:
                    if other != name and (other, i) not in behind:
                        yield other, i

    for name, segments_of in attached.items():
        for entry in segments_of:
            todo = [(name, entry)]
            while todo:
                key = todo[-1]
                if key in behind:
                    todo.pop()
                elif key[0] not in routers:
                    behind[key] = 0
                elif missing := list(wanted(*key)):
                    todo += missing
                else:
                    behind[key] = _sum_up(key, attached, members, bits, behind)
    return {
        name: {
            (i, other): behind[other, i]
            for i in segments_of
            for other in members[i]
            if other != name and behind[other, i]
        }
        for name, segments_of in attached.items()
    }


def _sum_up(
    key: tuple[str, int],
    attached: dict[str, list[int]],
    members: list[list[str]],
    bits: list[int],
    behind: dict[tuple[str, int], int],
) -> int:
    """Unite the segments of a node, but for the one that it was entered from, with all that is behind them."""
    name, entry = key
    total = 0
    for i in attached[name]:
        if i != entry:
            total |= bits[i]
            for other in members[i]:
                if other != name:
                    total |= behind[other, i]
    return total


def _in_graph(
    attached: dict[str, list[int]], members: list[list[str]], routers: set[str], bits: list[int]
) -> dict[str, dict[Hop, int]]:
    """Distance vectors: each round every node learns what its routers knew a round ago, nearest first."""
    known = {name: _union(bits[i] for i in segments_of) for name, segments_of in attached.items()}
    hops: dict[str, dict[Hop, int]] = {name: {} for name in attached}
    changed = True
    while changed:
        changed = False
        before = dict(known)
        for name, segments_of in attached.items():
            for i in segments_of:
                for other in members[i]:
                    if other == name or other not in routers:
                        continue
                    fresh = before[other] & ~known[name]
                    if fresh:
                        known[name] |= fresh
                        hops[name][i, other] = hops[name].get((i, other), 0) | fresh
                        changed = True
    return hops


def _union(masks: Iterator[int]) -> int:
    total = 0
    for mask in masks:
        total |= mask
    return total


class Prefixes:
    """Turns sets of subnets into the fewest prefixes that cover exactly these."""

    def __init__(self, parts: tuple[Segment, ...]) -> None:
        self._by_hand = {_BY_HAND + i: part.subnet for i, part in enumerate(parts) if not part.slots}
        self._made: dict[tuple[int, int], Subnet] = {}
        top = max((part.slots.stop for part in parts), default=0)
        self._aligned = []  # for each level, the places where a block of that size may start
        width = 2
        while width <= top:
            self._aligned.append(sum(1 << start for start in range(0, top, width)))
            width *= 2

    def cover(self, subnets: int) -> Iterator[Subnet]:
        """Yield the prefixes of a set, the largest last."""
        slots = subnets & ((1 << _BY_HAND) - 1)
        for place, network in self._by_hand.items():
            if subnets >> place & 1:
                yield network
        level = 0
        while slots:
            aligned = self._aligned[level] if level < len(self._aligned) else 0
            pairs = slots & (slots >> (1 << level)) & aligned
            alone = slots & ~(pairs | pairs << (1 << level))
            while alone:
                lowest = alone & -alone
                yield self._prefix(lowest.bit_length() - 1, 24 - level)
                alone ^= lowest
            slots = pairs
            level += 1

    def _prefix(self, slot: int, length: int) -> Subnet:
        key = (slot, length)
        if key not in self._made:
            self._made[key] = IPv4Network((_POOL_BASE + (slot << 8), length))
        return self._made[key]


def gateway(parts: tuple[Segment, ...], hop: Hop) -> Address:
    """The address of a next hop on the segment that leads to it."""
    segment, name = hop
    return next(address for (_, node), address in parts[segment].addresses.items() if node == name)
