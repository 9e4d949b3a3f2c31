"""The links of a scenario file, and the topology that they make with its nodes."""

from __future__ import annotations

import re
from dataclasses import dataclass

from netsim.errors import InputError
from netsim.files.address import read_address, read_subnet
from netsim.files.document import Mapping, Place, Scalar, Sequence, Value
from netsim.files.nodes import Places, read_node
from netsim.model.firewall import Rule
from netsim.model.names import nearest, shown
from netsim.model.plan import Plan, make_plan
from netsim.model.topology import Address, Link, Node, Topology

NODES_MAX = 4096
LINKS_MAX = 8192
_LINK = re.compile(r"(\S+)\s+--\s+(\S+)\Z")


@dataclass(frozen=True, slots=True)
class CheckedTopology:
    """A topology as it was read, with its plan."""

    topology: Topology
    plan: Plan
    nodes: dict[str, Node]


def read_topology(nodes: Mapping, links: Sequence) -> CheckedTopology:
    """Read nodes and links, and work out addresses and routes; raises InputError."""
    for value, count, limit, what in (
        (nodes, len(nodes.keys), NODES_MAX, "nodes"),
        (links, len(links.items), LINKS_MAX, "links"),
    ):
        if count > limit:
            raise value.place.error(f"here are {count:,} {what}, and a lab has at most {limit:,}")
    places: Places = {}
    found = {key.text: read_node(key, value, places) for key, value in nodes.items()}
    cables = tuple(_read_link(item, found, places) for item in links.items)
    topology = Topology(tuple(found.values()), cables)
    try:
        plan = make_plan(topology)
    except InputError as error:
        raise places.get(id(error.subject), links.place).error(str(error)) from None
    checked = CheckedTopology(topology, plan, found)
    for node in found.values():
        for rule in node.firewall:
            check_rule(rule, checked, places[id(rule)])
    return checked


def check_rule(rule: Rule, checked: CheckedTopology, place: Place) -> None:
    """See to it that the hosts that a rule names exist; raises InputError."""
    for host in (rule.source, rule.destination):
        if host is not None:
            check_host(host, checked, place)


def check_host(host: str, checked: CheckedTopology, place: Place) -> None:
    """See to it that a node or an address exists and can be spoken to; raises InputError."""
    if host in checked.nodes and host not in checked.plan.addresses:
        reason = "a switch has none" if checked.nodes[host].kind == "switch" else "it has no link"
        raise place.error(f"{host} has no address, as {reason}; name another node")
    if host not in checked.plan.addresses and host not in checked.plan.owners:
        known = checked.plan.addresses
        offer = nearest(host, known) or f"; there are {', '.join(list(known)[:8])}"
        raise place.error(f"there is no node or address {shown(host)}{offer}")


def split_link(text: str) -> tuple[str, str] | None:
    """Read `a -- b`; None where it does not read so."""
    found = _LINK.match(text.strip())
    return (found[1], found[2]) if found else None


def _read_link(item: Value, nodes: dict[str, Node], places: Places) -> Link:
    key, values = _parts(item)
    ends = split_link(key.text)
    if ends is None:
        raise key.place.error(f"link {shown(key.text)} does not read as 'NODE -- NODE'")
    for end in ends:
        if end not in nodes:
            raise key.place.error(
                f"link {shown(key.text)} needs a node {shown(end)}, and there is none"
                + (nearest(end, nodes) or "; add it to 'nodes'")
            )
    a, b = ends
    if a == b:
        raise key.place.error(f"{a} is linked to itself; a link joins two different nodes")
    subnet = values.get("subnet")
    link = Link(
        a,
        b,
        subnet.read(read_subnet) if isinstance(subnet, Scalar) else None,
        _read_addresses(values.get("addresses"), ends, nodes),
    )
    places[id(link)] = key.place
    return link


def _parts(item: Value) -> tuple[Scalar, dict[str, Value]]:
    """A link's name, and what is set by hand on it."""
    if isinstance(item, Scalar):
        return item, {}
    assert isinstance(item, Mapping)
    key, inner = next(item.items())
    return key, inner.values if isinstance(inner, Mapping) else {}


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
