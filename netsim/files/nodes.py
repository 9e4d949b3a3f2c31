"""The nodes of a scenario file: kind, firewall rules, sysctls and routes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import cast

from netsim.errors import InputError
from netsim.files.address import read_address, read_network, read_subnet, read_sysctl
from netsim.files.document import Mapping, Place, Scalar, Sequence, T, Value
from netsim.files.grammar import ROUTE_TYPES
from netsim.model.firewall import parse_rule
from netsim.model.names import name_fault, shown
from netsim.model.topology import Address, Kind, Network, Node, Route

Places = dict[int, Place]
"""Where each Node, Link, Route and Rule stands, by its id()."""

SYSCTL_VALUE_MAX = 200
_ROUTE = re.compile(rf"(?P<to>\S+) (?:via (?P<via>\S+)|(?P<kind>{'|'.join(ROUTE_TYPES)}))\Z")


def read_node(key: Scalar, value: Value, places: Places) -> Node:
    """Read one node, and note where its parts stand; raises InputError."""
    fault = name_fault(key.text)
    if fault is not None:
        raise key.place.error(f"{shown(key.text)} cannot be a node's name: {fault}")
    keys = value.keys if isinstance(value, Mapping) else {}
    values = value.values if isinstance(value, Mapping) else {}
    said = values.get("kind")
    kind = cast("Kind", said.text if isinstance(said, Scalar) else "host")
    for name in ("firewall", "routes") if kind == "switch" else ("subnet",):
        if name in keys:
            advice = "it has no addresses" if kind == "switch" else "write it on the link"
            raise keys[name].place.error(f"{name!r} does not go with a {kind}: {advice}")
    rules = tuple(_noted(item, item.read(parse_rule), places) for item in _texts(values.get("firewall")))
    routes = tuple(_noted(item, item.read(_read_route), places) for item in _texts(values.get("routes")))
    seen: dict[Network, Route] = {}
    for route in routes:
        if seen.setdefault(route.destination, route) is not route:
            raise places[id(route)].error(f"{key.text} has two routes to {route.destination}; keep one of them")
    subnet = values.get("subnet")
    node = Node(
        key.text,
        kind,
        rules,
        dict(_sysctls(values.get("sysctls"))),
        routes,
        subnet.read(read_subnet) if isinstance(subnet, Scalar) else None,
    )
    return _noted(key, node, places)


def read_sysctl_value(text: str) -> str:
    """Read what a kernel setting is set to; raises InputError."""
    words = " ".join(text.split())
    if not words.isascii() or len(words) > SYSCTL_VALUE_MAX:
        raise InputError(f"{shown(text)} is no value for a kernel setting; most are a number")
    return words


def _noted(item: Scalar, thing: T, places: Places) -> T:
    places[id(thing)] = item.place
    return thing


def _texts(value: Value | None) -> Iterator[Scalar]:
    """The texts of a list that was held against its shape."""
    if isinstance(value, Sequence):
        for item in value.items:
            assert isinstance(item, Scalar)
            yield item


def _sysctls(value: Value | None) -> Iterator[tuple[str, str]]:
    names: set[str] = set()
    for key, setting in value.items() if isinstance(value, Mapping) else ():
        name = key.read(read_sysctl)
        if name in names:
            raise key.place.error(f"{name} is set a second time here; keep one of them")
        names.add(name)
        assert isinstance(setting, Scalar)
        yield name, setting.read(read_sysctl_value)


def _read_route(text: str) -> Route:
    found = _ROUTE.match(" ".join(text.split()))
    if found is None:
        raise InputError(
            f"route {shown(text)} does not read as 'PREFIX via NEIGHBOUR' or 'PREFIX {'|'.join(ROUTE_TYPES)}'"
        )
    to = found["to"]
    destination = read_network("0.0.0.0/0" if to == "default" else to)
    if found["kind"]:
        return Route(destination, None, found["kind"])
    via: str | Address = found["via"]
    if name_fault(found["via"]) is not None:
        via = read_address(found["via"])
        if via.version != destination.version:
            raise InputError(f"a route to {destination} cannot go via {via}; both must be IPv4, or both IPv6")
    return Route(destination, via)
