"""A packet-filter rule that is put in place while connections are open."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from netsim.model.action import AddRule
from netsim.model.firewall import Rule

if TYPE_CHECKING:
    from netsim.faults import FaultTarget


@dataclass(frozen=True, slots=True)
class PlacedRule:
    """A rule of a node that its file does not have."""

    who: str
    rule: Rule

    def undo(self, target: FaultTarget) -> None:
        target.lab.remove(self.who, self.rule)

    def reapply(self, target: FaultTarget, node: str) -> None:
        """A booted machine has the rules of its file, and no others."""

    def ends_with(self, node: str) -> bool:
        return node == self.who


def add(target: FaultTarget, who: str, action: AddRule) -> PlacedRule:
    """`fw: reject tcp dport 80 with tcp-reset`, behind the rules that are there."""
    target.lab.place(who, [action.rule])
    return PlacedRule(who, action.rule)
