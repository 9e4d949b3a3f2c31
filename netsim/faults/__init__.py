"""Faults: what is done to a lab while it runs. One file each, and one line in FAULTS.

Carrying one out gives an effect, which knows how to undo itself, and how to come back when a machine has booted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from netsim.faults import cut, firewall, power, sysctl
from netsim.model import action as act
from netsim.model.firewall import Rule
from netsim.model.plan import Plan


class Effect(Protocol):
    """A fault in force."""

    @property
    def who(self) -> str:
        """The node, or the link's id."""

    def undo(self, target: FaultTarget) -> None:
        """Take back exactly what was done; raises LabError."""

    def reapply(self, target: FaultTarget, node: str) -> None:
        """A node has booted: do again what its power loss undid, where that is no part of the node itself."""

    def ends_with(self, node: str) -> bool:
        """Tell whether a power loss of this node ends it for good."""


class FaultyLab(Protocol):
    """What faults need of a lab."""

    plan: Plan

    def cut(self, link: int, arriving_at: str | None = None) -> None: ...
    def heal(self, link: int, arriving_at: str | None = None) -> None: ...
    def power_off(self, node: str) -> None: ...
    def power_on(self, node: str) -> None: ...
    def place(self, node: str, rules: Sequence[Rule]) -> None: ...
    def remove(self, node: str, rule: Rule) -> None: ...
    def sysctl(self, node: str, key: str, value: str) -> None: ...
    def read_sysctl(self, node: str, key: str) -> str | None: ...


class FaultTarget(Protocol):
    """What a fault is done to: a lab, what is in force on it, and who runs and listens there."""

    @property
    def lab(self) -> FaultyLab: ...

    in_force: list[Effect]
    powered: set[str]
    """The nodes that have power."""

    def leave(self, node: str) -> None:
        """A node is about to lose power: nobody may listen or run there any more."""

    def enter(self, node: str) -> None:
        """A node has power again."""


Carry = Callable[[FaultTarget, str, Any], Effect | None]
"""Carry a fault out on a node or a link; None where it leaves nothing to undo. Raises LabError."""

FAULTS: Mapping[type, Carry] = {
    act.Cut: cut.cut,
    act.Heal: cut.heal,
    act.Crash: power.crash,
    act.Boot: power.boot,
    act.AddRule: firewall.add,
    act.SetSysctl: sysctl.set_sysctl,
}
"""What carries out each fault, by its action's type."""


def carry_out(target: FaultTarget, who: str, action: act.Fault) -> None:
    """Do a fault, and remember what is in force now."""
    effect = FAULTS[type(action)](target, who, action)
    if effect is not None:
        target.in_force.append(effect)
