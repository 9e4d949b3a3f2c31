"""Routes lead along shortest paths, whichever search finds them, in the fewest prefixes that say so exactly."""

from __future__ import annotations

import random
from collections import deque
from ipaddress import IPv4Network, collapse_addresses

import pytest

from netsim.model import routing
from netsim.model.addressing import Segment, segments
from netsim.model.plan import Plan, make_plan
from netsim.model.topology import Kind, Link, Node, Topology


def random_tree(seed: int) -> Topology:
    chance = random.Random(seed)
    count = chance.randint(2, 25)
    kinds: list[Kind] = ["router", "router", "router", "host", "switch"]
    nodes = tuple(Node(f"n{i}", chance.choice(kinds)) for i in range(count))
    return Topology(nodes, tuple(Link(f"n{chance.randrange(i)}", f"n{i}") for i in range(1, count)))


def random_graph(seed: int) -> Topology:
    chance = random.Random(seed)
    tree = random_tree(seed)
    names = [node.name for node in tree.nodes]
    pairs = [chance.sample(names, 2) for _ in range(chance.randint(1, 8))]
    switches = {node.name for node in tree.nodes if node.kind == "switch"}
    more = tuple(Link(one, other) for one, other in pairs if not {one, other} <= switches)  # that may close a circle
    return Topology(tree.nodes, tree.links + more)


def inputs(topology: Topology) -> tuple[dict[str, list[int]], list[list[str]], set[str], list[int]]:
    """What both searches work on: who is attached to which segment, and the segments' bits."""
    parts = segments(topology)
    members = [list(dict.fromkeys(node for _, node in part.addresses)) for part in parts]
    attached: dict[str, list[int]] = {node.name: [] for node in topology.nodes if node.kind != "switch"}
    for i, names in enumerate(members):
        for name in names:
            attached[name].append(i)
    routers = {node.name for node in topology.nodes if node.kind == "router"}
    return attached, members, routers, [1 << i for i in range(len(parts))]


@pytest.mark.parametrize("seed", range(60))
def test_both_searches_agree_on_trees(seed: int) -> None:
    attached, members, routers, bits = inputs(random_tree(seed))
    by_tree = routing._in_tree(attached, members, routers, bits)
    assert by_tree == routing._in_graph(attached, members, routers, bits)


def distance(plan: Plan, source: str, destination: str) -> int | None:
    """Links to cross from a node to the segment of another's address, counted in another way."""
    parts = segments(plan.topology)
    target = next(
        (i for i, part in enumerate(parts) if plan.addresses.get(destination) in part.addresses.values()), None
    )
    attached, members, routers, _ = inputs(plan.topology)
    todo, seen = deque([(source, 0)]), {source}
    while todo:
        name, crossed = todo.popleft()
        if target in attached[name]:
            return crossed + 1
        if name == source or name in routers:
            fresh = [n for i in attached[name] for n in members[i] if n not in seen and n in routers]
            seen.update(fresh)
            todo.extend((other, crossed + 1) for other in fresh)
    return None


@pytest.mark.parametrize("seed", range(60))
def test_paths_are_shortest_paths(seed: int) -> None:
    plan = make_plan(random_graph(seed) if seed % 2 else random_tree(seed))
    names = list(plan.addresses)
    for source in names:
        for destination in names:
            path = plan.path(source, destination)
            crossed = distance(plan, source, destination)
            assert (path is None) == (crossed is None)
            if path is not None and crossed is not None and source != destination:
                assert (path[0], path[-1]) == (source, destination)
                assert len(path) - 1 in {crossed, crossed - 1}  # one less where the way leads through it anyway


@pytest.mark.parametrize("count", [3, 4, 7, 10])
def test_a_ring_is_gone_round_the_short_way(count: int) -> None:
    nodes = tuple(Node(f"r{i}", "router") for i in range(count))
    ring = Topology(nodes, tuple(Link(f"r{i}", f"r{(i + 1) % count}") for i in range(count)))
    plan = make_plan(ring)
    for i in range(count):
        for j in range(count):
            path = plan.path(f"r{i}", f"r{j}")
            assert path is not None
            assert len(path) - 1 <= (count + 1) // 2  # a way to a subnet may enter it from its far end


def chain(length: int) -> Topology:
    return Topology(
        tuple(Node(f"n{i}", "router") for i in range(length + 1)),
        tuple(Link(f"n{i}", f"n{i + 1}") for i in range(length)),
    )


@pytest.mark.parametrize("seed", range(60))
def test_prefixes_cover_a_set_exactly_and_are_few(seed: int) -> None:
    chance = random.Random(seed)
    parts: tuple[Segment, ...] = segments(chain(chance.randint(1, 90)))
    chosen = [part for part in parts if chance.random() < chance.choice([0.3, 0.9])]
    found = list(routing.Prefixes(parts).cover(sum(1 << part.slots.start for part in chosen)))
    wanted = [part.subnet for part in chosen if isinstance(part.subnet, IPv4Network)]
    assert sorted(found, key=str) == sorted(collapse_addresses(wanted), key=str)


def test_a_chain_of_a_thousand_routers_needs_few_routes() -> None:
    plan = make_plan(chain(1000))
    assert plan.path("n0", "n1000") == tuple(f"n{i}" for i in range(1001))
    assert max(len(node.routes) for node in plan.nodes) <= 22  # two for each bit of the subnets' numbers
