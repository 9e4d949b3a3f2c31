"""Made by no TCP: a packet filter answered in somebody's place, or a program wrote the packet itself."""

from __future__ import annotations

from itertools import pairwise

from netsim.analysis.filters import Placed
from netsim.analysis.paths import Hop
from netsim.explain.makers import ttl_of, unsent
from netsim.explain.rst import Finding, Rst, evidence
from netsim.explain.words import plural, rule_place
from netsim.model.explanation import Evidence


def firewall_reject(rst: Rst) -> Finding | None:
    """REJECT --reject-with tcp-reset: netfilter writes a RST and signs it with the destination's address.

    nf_send_reset() in net/ipv4/netfilter/nf_reject_ipv4.c. It passes no TCP socket: no tcp_send_reset,
    no OutRsts; its TTL starts at the machine that made it.
    """
    if rst.part != "filter" or rst.rule is None:
        return None
    hit = rst.a.filters.hit(rst.rule)
    if hit is not None and hit[1].packets < rst.counted:
        return None  # the rule has matched fewer packets than it is to have answered
    claimed = rst.words.host(rst.source.address)
    rule = rule_place(rst.rule)
    if rst.node != rst.claimed:
        because = f"The reset came from {rst.node}, not from {claimed}: {rule} answered in {claimed}'s name."
    else:
        because = f"The reset came from {rst.node}'s packet filter, not from its TCP: {rule} answered."
    return Finding("firewall-reject", because, evidence(_where(rst), _ttl(rst), _no_tcp(rst), _counter(rst, rst.rule)))


def written_by_a_program(rst: Rst) -> Finding | None:
    """A RST that neither its maker's TCP nor its packet filter made: raw(7), packet(7)."""
    if rst.part != "other" or _a_rule_would(rst):
        return None
    claimed = rst.words.host(rst.source.address)
    name = f", and bears {claimed}'s address" if rst.node != rst.claimed else ""
    because = (
        f"The reset was made on {rst.node}{name}: no rule of {rst.node}'s packet filter answers so, and its TCP did "
        "not send it. What is left is a program that writes packets itself; what was seen does not prove it."
    )
    return Finding("unknown", because, evidence(rst.left(), _no_tcp(rst)))


def _a_rule_would(rst: Rst) -> bool:
    """Would a rule of its maker's answer so, had there been something to answer?"""
    packet, forwarder = unsent(rst, rst.node), rst.a.forwarder
    ways = (forwarder.arriving(rst.node, packet, rst.time_ns), forwarder.from_node(rst.node, packet, rst.time_ns))
    return any(outcome.node == rst.node and outcome.end == "rejected" for outcome in ways)


def _where(rst: Rst) -> Evidence:
    """Where it was seen, and where it must have been seen if it came from the address that it bears."""
    first = rst.path.hops[0]
    if rst.claimed is None or rst.node == rst.claimed or first.left is None or first.sender != rst.node:
        return rst.left()
    crossed = {hop.link for hop in rst.path.hops}
    outcome = rst.a.forwarder.from_node(rst.claimed, rst.path.packet, rst.time_ns)
    beyond = _links_between(rst, (*outcome.came_by, outcome.node))
    missing = [link for link in beyond if link not in crossed]
    if not missing or not all(_watched(rst, link) for link in missing):
        return rst.left()
    return Evidence(
        f"the packet was seen leaving {rst.node} on {first.link}, and never on {', '.join(missing)}", (first.index,)
    )


def _links_between(rst: Rst, way: tuple[str, ...]) -> list[str]:
    """The links from the claimed node to the maker, along the way that its packets take."""
    if rst.node not in way:
        return []
    before = way[: way.index(rst.node) + 1]
    links = rst.a.network.links
    pairs = [frozenset(pair) for pair in pairwise(before)]
    return [link for pair in pairs for link, ends in links.items() if frozenset(ends) == pair]


def _watched(rst: Rst, link: str) -> bool:
    return not rst.a.index.lost_any and any(rst.a.index.tapped(node, link) for node in rst.a.network.links[link])


def _ttl(rst: Rst) -> Evidence | None:
    """A genuine packet has lost one for each router that it passed."""
    hop = rst.path.hops[0]
    if rst.claimed is None or rst.node == rst.claimed or hop.link is None:
        return None
    genuine = _genuine(rst, hop)
    if genuine is not None and genuine.packet.ttl != hop.packet.ttl:
        text = f"its TTL is {hop.packet.ttl} on {hop.link}, where {rst.claimed}'s own packets show {genuine.packet.ttl}"
        return Evidence(text, (hop.index, genuine.index))
    expected = ttl_of(rst, rst.claimed, hop)
    if expected is None or expected == hop.packet.ttl:
        return None
    text = f"its TTL is {hop.packet.ttl} on {hop.link}, where a packet of {rst.claimed}'s own would show {expected}"
    return Evidence(text, (hop.index,))


def _genuine(rst: Rst, hop: Hop) -> Hop | None:
    """A packet that the claimed node really sent over the same link."""
    for path in rst.connection.side(rst.source).paths:
        if path.maker == rst.claimed:
            for other in path.hops:
                if other.link == hop.link and other.sender == hop.sender:
                    return other
    return None


def _no_tcp(rst: Rst) -> Evidence | None:
    """That the TCP whose address it bears sent none."""
    node = rst.claimed
    if node is None:
        return None
    told = rst.a.said(node, "tcp_send_reset", rst.connection, rst.source)
    others = (node, "tcp_send_reset") in rst.a.index.tells
    none = f"no tcp_send_reset event at {node}{' is about it' if others else ''}"
    parts = [none] if rst.a.index.tells_every_reset and not told else []
    grew = rst.a.index.grew(node, "TcpOutRsts")
    unchanged = grew is not None and grew[0] == 0
    if unchanged:
        parts.append("its OutRsts is unchanged" if parts else f"the OutRsts of {node} is unchanged")
    if not parts:
        return None
    by = ": netfilter made it, not TCP" if rst.part == "filter" else ""
    return Evidence(f"{' and '.join(parts)}{by}", grew[1] if grew and unchanged else ())


def _counter(rst: Rst, placed: Placed) -> Evidence | None:
    hit = rst.a.filters.hit(placed)
    if hit is None:
        return None
    index, counted = hit
    where = f"rule {placed.number} of {rst.node}'s {placed.chain} chain"
    return Evidence(f"{where}, '{placed.written.body}', matched {plural(counted.packets, 'packet')}", (index,))
