"""The nodes and links of a scenario file, and the topology that they make, with its addresses and routes."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import cast

from netsim.errors import InputError
from netsim.files.address import read_address, read_network, read_subnet, refuse_ipv6
from netsim.files.document import Mapping, Place, Scalar, Sequence, T, Value
from netsim.files.grammar import ROUTE_TYPES
from netsim.model.firewall import Rule, parse_rule
from netsim.model.names import checked_name, name_fault, nearest, shown, sysctl_name, sysctl_value
from netsim.model.plan import Plan, make_plan
from netsim.model.topology import Address, Kind, Link, Node, Route, Subnet, Topology

NODES_MAX = 4096
LINKS_MAX = 8192
_LISTED_MAX = 8

_LINK = re.compile(r"(\S+)\s+--\s+(\S+)(?:\s+\((\d{1,4})\))?")
_ROUTE = re.compile(rf"(?P<to>\S+) (?:via (?P<via>\S+)|(?P<kind>{'|'.join(ROUTE_TYPES)}))")

Places = dict[int, Place]
"""Where each Node, Link, Route and Rule stands, by its id()."""


@dataclass(frozen=True, slots=True)
class CheckedTopology:
    """A topology as it was read, with its plan."""

    topology: Topology
    plan: Plan
    nodes: dict[str, Node]
    links: dict[str, Link]


def read_topology(nodes: Mapping, links: Sequence) -> CheckedTopology:
    """Read nodes and links, and work out addresses and routes; raises InputError."""
    for value, count, limit, what in (
        (nodes, len(nodes.keys), NODES_MAX, "nodes"),
        (links, len(links.items), LINKS_MAX, "links"),
    ):
        if count > limit:
            raise value.place.error(f"here are {count:,} {what}, and a lab has at most {limit:,}")
    places: Places = {}
    found = {key.text: _read_node(key, value, places) for key, value in nodes.items()}
    topology = Topology(tuple(found.values()), tuple(_read_links(links, found, places)))
    try:
        plan = make_plan(topology)
    except InputError as error:
        raise places.get(id(error.subject), links.place).error(str(error)) from None
    checked = CheckedTopology(topology, plan, found, {link.id: link for link in topology.links})
    for node in found.values():
        for rule in node.firewall:
            with places[id(rule)].named():
                check_rule(rule, checked)
    return checked


def offered(word: str, known: Iterable[str]) -> str:
    """Offer the known word nearest to a mistyped one, else the first of them, as the end of a sentence."""
    listed = list(known)
    return nearest(word, listed) or (f"; there are {', '.join(listed[:_LISTED_MAX])}" if listed else "")


def check_rule(rule: Rule, checked: CheckedTopology) -> None:
    """See to it that the hosts that a rule names exist; raises InputError."""
    for host in (rule.source, rule.destination):
        if host is not None:
            check_host(host, checked)


def check_host(host: str, checked: CheckedTopology) -> None:
    """See to it that a node or an address exists and can be spoken to; raises InputError."""
    refuse_ipv6(host)
    if host in checked.nodes and host not in checked.plan.addresses:
        reason = "a switch has none" if checked.nodes[host].kind == "switch" else "it has no link"
        raise InputError(f"{host} has no address, as {reason}; name another node")
    if host not in checked.plan.addresses and host not in checked.plan.owners:
        raise InputError(f"there is no node or address {shown(host)}{offered(host, checked.plan.addresses)}")


def split_link(text: str) -> tuple[str, str, int] | None:
    """Read `a -- b` or `a -- b (2)` as two nodes and which of their links; None where it does not read so."""
    found = _LINK.fullmatch(text.strip())
    return (found[1], found[2], int(found[3] or 1)) if found else None


def _noted(item: Scalar, thing: T, places: Places) -> T:
    places[id(thing)] = item.place
    return thing


def _read_node(key: Scalar, value: Value, places: Places) -> Node:
    """Read one node, and note where its parts stand."""
    name = key.read(lambda text: checked_name(text, "node"))
    keys = value.keys if isinstance(value, Mapping) else {}
    values = value.values if isinstance(value, Mapping) else {}
    said, subnet = values.get("kind"), values.get("subnet")
    kind = cast("Kind", said.text if isinstance(said, Scalar) else "host")
    for label in ("firewall", "routes") if kind == "switch" else ("subnet",):
        if label in keys:
            advice = "it has no addresses" if kind == "switch" else "write it on the link"
            raise keys[label].place.error(f"{label!r} does not go with a {kind}: {advice}")
    rules = tuple(_noted(item, item.read(parse_rule), places) for item in _texts(values.get("firewall")))
    routes = tuple(_noted(item, item.read(_read_route), places) for item in _texts(values.get("routes")))
    seen: dict[Subnet, Route] = {}
    for route in routes:
        if seen.setdefault(route.destination, route) is not route:
            raise places[id(route)].error(f"{name} has two routes to {route.destination}; keep one of them")
    by_hand = subnet.read(read_subnet) if isinstance(subnet, Scalar) else None
    return _noted(key, Node(name, kind, rules, dict(_sysctls(values.get("sysctls"))), routes, by_hand), places)


def _texts(value: Value | None) -> Iterator[Scalar]:
    """The texts of a list that was held against its shape."""
    if isinstance(value, Sequence):
        for item in value.items:
            assert isinstance(item, Scalar)
            yield item


def _sysctls(value: Value | None) -> Iterator[tuple[str, str]]:
    names: set[str] = set()
    for key, setting in value.items() if isinstance(value, Mapping) else ():
        name = key.read(sysctl_name)
        if name in names:
            raise key.place.error(f"{name} is set a second time here; keep one of them")
        names.add(name)
        assert isinstance(setting, Scalar)
        yield name, setting.read(sysctl_value)


def _read_route(text: str) -> Route:
    found = _ROUTE.fullmatch(" ".join(text.split()))
    if found is None:
        raise InputError(
            f"route {shown(text)} does not read as 'PREFIX via NEIGHBOUR' or 'PREFIX {'|'.join(ROUTE_TYPES)}'"
        )
    destination = read_network("0.0.0.0/0" if found["to"] == "default" else found["to"])
    if found["kind"]:
        return Route(destination, None, found["kind"])
    return Route(destination, found["via"] if name_fault(found["via"]) is None else read_address(found["via"]))


def _read_links(links: Sequence, nodes: dict[str, Node], places: Places) -> Iterator[Link]:
    """Read all links, and count those between the same two nodes, whichever is written first."""
    count: Counter[frozenset[str]] = Counter()
    for item in links.items:
        key, values = _parts(item)
        a, b = ends = _read_ends(key, nodes)
        count[frozenset(ends)] += 1
        subnet = values.get("subnet")
        by_hand = subnet.read(read_subnet) if isinstance(subnet, Scalar) else None
        addresses = _read_addresses(values.get("addresses"), ends, nodes)
        yield _noted(key, Link(a, b, by_hand, addresses, count[frozenset(ends)]), places)


def _parts(item: Value) -> tuple[Scalar, dict[str, Value]]:
    """A link's name, and what is set by hand on it."""
    if isinstance(item, Scalar):
        return item, {}
    assert isinstance(item, Mapping)
    key, inner = next(item.items())
    return key, inner.values if isinstance(inner, Mapping) else {}


def _read_ends(key: Scalar, nodes: dict[str, Node]) -> tuple[str, str]:
    found = split_link(key.text)
    if found is None:
        raise key.place.error(f"link {shown(key.text)} does not read as 'NODE -- NODE'")
    a, b, _ = found
    if key.text.rstrip().endswith(")"):
        raise key.place.error(f"links are counted as they come; write '{a} -- {b}' again for one more of them")
    for end in (a, b):
        if end not in nodes:
            raise key.place.error(
                f"link {shown(key.text)} needs a node {shown(end)}, and there is none"
                + (nearest(end, nodes) or "; add it to 'nodes'")
            )
    if a == b:
        raise key.place.error(f"{a} is linked to itself; a link joins two different nodes")
    return a, b


def _read_addresses(value: Value | None, ends: tuple[str, str], nodes: dict[str, Node]) -> dict[str, Address]:
    found: dict[str, Address] = {}
    for key, address in value.items() if isinstance(value, Mapping) else ():
        if key.text not in ends:
            raise key.place.error(
                f"{shown(key.text)} is no end of the link {ends[0]} -- {ends[1]}"
                + (nearest(key.text, ends) or f"; write {ends[0]} or {ends[1]}")
            )
        if nodes[key.text].kind == "switch":
            raise key.place.error(f"{key.text} is a switch, and has no address; give one to the other end")
        assert isinstance(address, Scalar)
        found[key.text] = address.read(read_address)
    return found
