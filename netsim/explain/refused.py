"""Refused by a packet filter in somebody's name, or by the destination's own TCP because nobody listens."""

from __future__ import annotations

from itertools import pairwise

from netsim.errors import InputError
from netsim.explain.rst import Finding, Rst, evidence, plural
from netsim.model.event import RuleHit
from netsim.model.explanation import Evidence
from netsim.model.firewall import parse_rule

_TRACES_EVERY_RESET = (6, 10)
"""Before that Linux, tcp_send_reset told only of resets that a socket sent."""
_INITIAL_TTL = 64
"""net.ipv4.ip_default_ttl, which no lab changes unless its file says so."""


def firewall_reject(rst: Rst) -> Finding | None:
    """REJECT --reject-with tcp-reset: netfilter writes a RST and signs it with the destination's address.

    nf_send_reset() in net/ipv4/netfilter/nf_reject_ipv4.c. It passes no TCP socket: no tcp_send_reset,
    no OutRsts; its TTL starts at the machine that made it.
    """
    forged = rst.maker != rst.claimed
    if not forged and (rst.said() is not None or not _tcp_is_silent(rst)):
        return None
    rule = _matching_rule(rst)
    if not forged and rule is None:
        return None
    said = f"rule {rule[1].number} of its {rule[1].chain} chain ({rule[1].rule})" if rule else "its packet filter"
    if forged:
        because = (
            f"The reset came from **{rst.maker}**, not from {rst.claimed}: {said} answered in {rst.claimed}'s name."
        )
    else:
        because = f"The reset came from **{rst.maker}**'s packet filter, not from its TCP: {said} answered."
    return Finding("firewall-reject", because, evidence(_where(rst), _ttl(rst), _no_tcp(rst), _rule(rst, rule)))


def _matching_rule(rst: Rst) -> tuple[int, RuleHit] | None:
    hits = [(i, hit) for i, hit in rst.scene.rules if hit.node == rst.maker and hit.packets]
    sport, dport = rst.target[1], rst.source[1]
    return next(((i, hit) for i, hit in hits if "tcp-reset" in hit.rule and fits(hit, sport, dport)), None)


def fits(hit: RuleHit, sport: int, dport: int) -> bool:
    """Can a rule have matched a packet from one port to another?"""
    try:
        rule = parse_rule(hit.rule)
    except InputError:  # written by no file: it says nothing about ports
        return True
    return rule.sport in {None, sport} and rule.dport in {None, dport}


def _tcp_is_silent(rst: Rst) -> bool:
    """TCP sent no reset. Where all of them are traced that is certain; a counter may have grown for another one."""
    if rst.scene.traced("tcp_send_reset") and rst.scene.kernel_release >= _TRACES_EVERY_RESET:
        return True
    grew = rst.scene.grew(rst.maker, "TcpOutRsts")
    return grew is None or grew[0] == 0


def _where(rst: Rst) -> Evidence:
    rest = [link for link in _links_to(rst) if link not in rst.journey.links]
    if not rest:
        return rst.left()
    return Evidence(
        f"the packet was seen leaving {rst.maker} on {rst.journey.links[0]}, and never on {', '.join(rest)}",
        rst.journey.events[:1],
    )


def _links_to(rst: Rst) -> list[str]:
    """The links between the maker and the node that the RST claims to be from."""
    path = rst.scene.plan.path(rst.maker, rst.claimed) or ()
    pairs = list(pairwise(path))
    links = rst.scene.plan.topology.links
    return [link.name for a, b in pairs for link in links if {link.a, link.b} == {a, b}]


def _ttl(rst: Rst) -> Evidence | None:
    """A genuine packet has lost one for each router that it passed."""
    if rst.maker == rst.claimed:
        return None
    seen, link = rst.journey.packet.ttl, rst.journey.links[0]
    for journey in rst.scene.journeys:
        if journey.maker == rst.claimed and journey.packet.src == rst.source[0]:
            for hop in journey.hops:
                if hop.packet.link == link and hop.sender == rst.maker and hop.packet.ttl != seen:
                    text = f"its TTL is {seen} on {link}, where {rst.claimed}'s own packets show {hop.packet.ttl}"
                    return Evidence(text, (rst.journey.events[0], hop.index))
    routers = len(rst.scene.plan.path(rst.maker, rst.claimed) or ()) - 1
    if routers < 1:
        return None
    text = f"its TTL is {seen} on {link}, where a packet of {rst.claimed}'s own would show {_INITIAL_TTL - routers}"
    return Evidence(text, rst.journey.events[:1])


def _no_tcp(rst: Rst) -> Evidence | None:
    node = rst.claimed
    said = any(rst.scene.kernel_events(node, "tcp_send_reset", rst.source, rst.target))
    parts = [f"no tcp_send_reset event at {node}"] if rst.scene.traced("tcp_send_reset") and not said else []
    grew = rst.scene.grew(node, "TcpOutRsts")
    unchanged = grew is not None and grew[0] == 0
    if unchanged:
        parts.append(f"{'its' if parts else 'the'} OutRsts{'' if parts else f' of {node}'} is unchanged")
    if not parts:
        return None
    return Evidence(f"{' and '.join(parts)}: netfilter made it, not TCP", grew[1] if grew and unchanged else ())


def _rule(rst: Rst, rule: tuple[int, RuleHit] | None) -> Evidence | None:
    if rule is None:
        return None
    index, hit = rule
    text = (
        f"rule {hit.number} of {rst.maker}'s {hit.chain} chain, '{hit.rule}', matched {plural(hit.packets, 'packet')}"
    )
    return Evidence(text, (index,))


def closed_port(rst: Rst) -> Finding | None:
    """A SYN for a port that nobody listens on: RST+ACK (RFC 9293, 3.10.7.1; tcp_v4_send_reset())."""
    trigger = rst.trigger
    if not rst.answers_syn or trigger is None or rst.maker != rst.claimed:
        return None
    listens = rst.scene.listens(rst.maker, rst.source[1], rst.time_ns)
    if listens:
        return None
    port = rst.source[1]
    because = f"The reset came from **{rst.maker}** itself: its TCP refused, because nothing listens on port {port}."
    arrived = Evidence(f"the SYN arrived at {rst.maker}", trigger.events[-1:])
    nobody = Evidence(f"no program on {rst.maker} had called listen() on port {port}", ())
    return Finding("closed-port", because, evidence(arrived, nobody, rst.left(), rst.tcp_made_it()))
