"""The packet filters of all nodes at any moment: which rules were in force, and what they do to a packet."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Literal

from netsim.analysis.outages import FOREVER_NS, Outages
from netsim.model.action import AddRule
from netsim.model.event import Fault, Packet, RuleHit, Tcp, Udp
from netsim.model.firewall import Chain, Rule, usual_chain
from netsim.model.network import Network


@dataclass(frozen=True, slots=True)
class Placed:
    """A rule in its place: its chain by iptables' name, its number in the chain, and when it was in force."""

    node: str
    chain: str
    number: int
    rule: Rule
    """With addresses for hosts, and its chain named."""
    written: Rule
    """As its author wrote it."""
    from_ns: int = -FOREVER_NS
    surely_from_ns: int = -FOREVER_NS
    until_ns: int = FOREVER_NS
    event: int | None = None
    """The fault that put it in place; None where the file did."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a chain does with a packet: the first rule that matches decides (iptables(8)); None where none does.

    `certain` is False where a rule was being put in place at that very moment; and where one that must match never
    has, by its counter: then it is here, and the packet never came to it.
    """

    placed: Placed | None
    certain: bool = True

    @property
    def action(self) -> Literal["accept", "drop", "reject"]:
        return self.placed.rule.action if self.placed else "accept"


@dataclass(slots=True)
class Filters:
    """All rules by node and chain, in order, and what was counted of each."""

    placed: dict[tuple[str, str], list[Placed]] = field(default_factory=dict)
    hits: dict[tuple[str, str, int], tuple[int, RuleHit]] = field(default_factory=dict)
    """By node, chain and number: the counter's event."""

    def judge(self, node: str, chain: Chain, packet: Packet, time_ns: int) -> Judgement:
        """Follow a packet through a chain, as it is at that moment."""
        segment = packet.segment
        protocol = "tcp" if isinstance(segment, Tcp) else "udp" if isinstance(segment, Udp) else "icmp"
        certain = True
        for placed in self.placed.get((node, chain.upper()), ()):
            if not placed.from_ns <= time_ns < placed.until_ns:
                continue
            fits = placed.rule.matches(
                protocol, packet.src.address, packet.dst.address, packet.src.port, packet.dst.port
            )
            if fits and self._was_never_reached(placed):
                return Judgement(placed if certain else None, False)
            if fits and time_ns >= placed.surely_from_ns:
                return Judgement(placed, certain)
            certain = certain and not fits
        return Judgement(None, certain)

    def _was_never_reached(self, placed: Placed) -> bool:
        """Has a rule that must match never done it? Then the packet never came to it: something stopped it before."""
        counted = self.hit(placed)
        return counted is not None and not counted[1].packets

    def hit(self, placed: Placed) -> tuple[int, RuleHit] | None:
        """What was counted of a rule; None where nobody counted, or it went with its machine's power."""
        return None if placed.until_ns != FOREVER_NS else self.hits.get((placed.node, placed.chain, placed.number))


def find_filters(
    network: Network, faults: Iterable[tuple[int, Fault]], hits: Iterable[tuple[int, RuleHit]], outages: Outages
) -> Filters:
    """Put together what the file says of each node and what faults added; a node that boots has its file's again."""
    found = Filters()
    for name, plan in network.nodes.items():
        for from_ns in [-FOREVER_NS, *(span.end_ns for span in outages.off.get(name, ()) if span.ended is not None)]:
            for rule in plan.node.firewall:
                _place(found, network, name, rule, (from_ns, from_ns))
            _end_at(found, name, next((s.start_ns for s in outages.off.get(name, ()) if s.start_ns > from_ns), None))
    for index, fault in faults:
        if isinstance(fault.action, AddRule):
            _place(found, network, fault.node, fault.action.rule, (fault.time_ns, fault.end_ns), index)
            crash = next((s.start_ns for s in outages.off.get(fault.node, ()) if s.start_ns > fault.time_ns), None)
            _end_at(found, fault.node, crash)
    for index, hit in hits:
        found.hits[hit.node, hit.chain, hit.number] = (index, hit)
    return found


def _place(
    found: Filters,
    network: Network,
    node: str,
    rule: Rule,
    in_force: tuple[int, int],
    event: int | None = None,
) -> None:
    """`in_force`: since when perhaps, and since when surely."""
    from_ns, surely_from_ns = in_force
    chain: Chain = rule.chain or usual_chain(network.kind(node))
    resolved = replace(
        rule, chain=chain, source=network.resolve(rule.source), destination=network.resolve(rule.destination)
    )
    rules = found.placed.setdefault((node, chain.upper()), [])
    number = 1 + sum(one.from_ns <= from_ns < one.until_ns for one in rules)
    rules.append(Placed(node, chain.upper(), number, resolved, rule, from_ns, surely_from_ns, FOREVER_NS, event))


def _end_at(found: Filters, node: str, until_ns: int | None) -> None:
    """Rules go with the machine's power."""
    if until_ns is None:
        return
    for (at, _), rules in found.placed.items():
        if at == node:
            rules[:] = [
                replace(one, until_ns=min(one.until_ns, until_ns)) if one.from_ns < until_ns else one for one in rules
            ]
