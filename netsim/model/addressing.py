"""Gives out subnets and addresses, the same ones for the same file each time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Network, ip_network
from itertools import pairwise

from netsim.errors import InputError
from netsim.model.topology import Address, Link, Subnet, Topology

_POOL = IPv4Network("10.0.0.0/8")
_SLOT = 24
"""Subnets are given out from 10.0.0.0/8 in /24 slots, in the order of the links."""


@dataclass(frozen=True, slots=True)
class Segment:
    """One broadcast domain: a link, or every link of a group of switches. It has one subnet."""

    links: tuple[int, ...]
    subnet: Subnet
    slots: range
    """Its /24 slots in the pool; empty where the subnet was set by hand."""
    addresses: dict[tuple[int, str], Address]
    """By link and node, for every end that is no switch."""


def segments(topology: Topology) -> tuple[Segment, ...]:
    """Divide a topology into segments and address every end of every link.

    Raises InputError for an address that clashes or lies outside its subnet, and for a subnet
    that is too small or overlaps another.
    """
    switches = {node.name: node.subnet for node in topology.nodes if node.kind == "switch"}
    _check_loops(topology.links, switches)
    groups = list(_group(topology.links, switches))
    by_hand = [_subnet_by_hand(topology.links, group, switches) for group in groups]
    _check_overlaps([(net, topology.links[group[0]]) for net, group in zip(by_hand, groups, strict=True) if net])
    taken = [subnet for subnet in by_hand if subnet]
    next_slot = 0
    found = []
    for group, chosen in zip(groups, by_hand, strict=True):
        ends = [(i, end) for i in group for end in (topology.links[i].a, topology.links[i].b) if end not in switches]
        slots, subnet = range(0), chosen
        if subnet is None:
            width = 1 << max(0, (len(ends) + 2 - 1).bit_length() - (32 - _SLOT))
            slots = _free_slots(next_slot, width, taken)
            next_slot = slots.stop
            base = int(_POOL.network_address) + (slots.start << (32 - _SLOT))
            subnet = IPv4Network((base, _SLOT - (width - 1).bit_length()))
        found.append(Segment(tuple(group), subnet, slots, _assign(topology.links, ends, subnet)))
    return tuple(found)


def _group(links: tuple[Link, ...], switches: Iterable[str]) -> Iterator[list[int]]:
    """Yield the links of each segment: those that share a switch belong together."""
    at_switch: dict[str, list[int]] = {name: [] for name in switches}
    for i, link in enumerate(links):
        for end in (link.a, link.b):
            if end in at_switch:
                at_switch[end].append(i)
    seen: set[int] = set()
    for first in range(len(links)):
        if first in seen:
            continue
        group, todo = [], [first]
        seen.add(first)
        while todo:
            i = todo.pop()
            group.append(i)
            for end in (links[i].a, links[i].b):
                fresh = [j for j in at_switch.get(end, ()) if j not in seen]
                seen.update(fresh)
                todo += fresh
        yield sorted(group)


def _check_loops(links: tuple[Link, ...], switches: Iterable[str]) -> None:
    """Refuse switches that are joined in a circle: there is no spanning tree protocol that would open it."""
    joined = {name: {name} for name in switches}
    for link in links:
        if link.a in joined and link.b in joined:
            if joined[link.a] is joined[link.b]:
                raise InputError(
                    f"link {link.id} closes a circle of switches, in which a broadcast would go round for ever; take "
                    "it out, or put a router in",
                    link,
                )
            both = joined[link.a] | joined[link.b]
            joined.update(dict.fromkeys(both, both))


def _subnet_by_hand(links: tuple[Link, ...], group: list[int], switches: dict[str, Subnet | None]) -> Subnet | None:
    said: dict[Subnet, tuple[str, Link]] = {}
    for i in group:
        link = links[i]
        if link.subnet:
            said.setdefault(link.subnet, (f"link {link.id}", link))
        for end in (link.a, link.b):
            subnet = switches.get(end)
            if subnet:
                said.setdefault(subnet, (f"switch {end}", link))
    if len(said) > 1:
        (one, (where, _)), (two, (there, subject)) = list(said.items())[:2]
        raise InputError(
            f"{where} says {one} and {there} says {two}, but they are one segment; keep one of them", subject
        )
    for subnet in said:
        return subnet
    sample = next((a for i in group for a in links[i].addresses.values()), None)
    if sample is None:
        return None
    return ip_network(f"{sample}/{_SLOT if sample.version == 4 else 64}", strict=False)


def _check_overlaps(subnets: list[tuple[Subnet, Link]]) -> None:
    ordered = sorted(subnets, key=lambda item: (item[0].version, int(item[0].network_address)))
    for (one, _), (two, link) in pairwise(ordered):
        if one.version == two.version and int(one.broadcast_address) >= int(two.network_address):
            raise InputError(
                f"address clash: the subnets {one} and {two} overlap; give one of them another range", link
            )


def _free_slots(start: int, width: int, taken: list[Subnet]) -> range:
    """Find the next aligned run of free /24 slots."""
    size = 1 << (32 - _SLOT)
    first = -(-start // width) * width
    clash = True
    while clash:
        low = int(_POOL.network_address) + first * size
        high = low + width * size - 1
        clash = any(
            net.version == 4 and int(net.network_address) <= high and int(net.broadcast_address) >= low for net in taken
        )
        first += width if clash else 0
    if first + width > 1 << (_SLOT - _POOL.prefixlen):
        raise InputError(f"{_POOL} has no subnet left for so many links; set some subnets by hand")
    return range(first, first + width)


def _assign(links: tuple[Link, ...], ends: list[tuple[int, str]], subnet: Subnet) -> dict[tuple[int, str], Address]:
    plain = subnet.prefixlen >= subnet.max_prefixlen - 1  # RFC 3021: a /31 has two addresses and no broadcast
    first, last = int(subnet.network_address), int(subnet.broadcast_address)
    if not plain:
        first, last = first + 1, last - (subnet.version == 4)
    if len(ends) > last - first + 1:
        raise InputError(
            f"subnet {subnet} is too small: it has room for {last - first + 1}, and {len(ends)} addresses are "
            f"needed on {links[ends[0][0]].id}",
            links[ends[0][0]],
        )
    given: dict[Address, str] = {}
    found: dict[tuple[int, str], Address] = {}
    for i, end in ends:
        address = links[i].addresses.get(end)
        if address is None:
            continue
        if address not in subnet or not first <= int(address) <= last:
            raise InputError(f"address {address} of {end} is none of {subnet}'s; take one from that subnet", links[i])
        if address in given:
            raise InputError(
                f"address clash: {given[address]} and {end} both have {address}; change one of them", links[i]
            )
        given[address] = end
        found[i, end] = address
    kind = type(subnet.network_address)
    candidate = first
    for key in ends:
        while key not in found:
            address = kind(candidate)
            candidate += 1
            if address not in given:
                found[key] = address
    return found
