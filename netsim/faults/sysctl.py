"""A sysctl of a node, changed while it runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from netsim.model.action import SetSysctl

if TYPE_CHECKING:
    from netsim.faults import FaultTarget


@dataclass(frozen=True, slots=True)
class ChangedSysctl:
    """A sysctl that has another value than before."""

    who: str
    key: str
    before: str | None

    def undo(self, target: FaultTarget) -> None:
        if self.before is not None:
            target.lab.sysctl(self.who, self.key, self.before)

    def reapply(self, target: FaultTarget, node: str) -> None:
        """A booted machine has the sysctls of its file, and no others."""

    def ends_with(self, node: str) -> bool:
        return node == self.who


def set_sysctl(target: FaultTarget, who: str, action: SetSysctl) -> ChangedSysctl:
    """`node: sysctl net.ipv4.tcp_retries2=3`."""
    before = target.lab.read_sysctl(who, action.key)
    target.lab.sysctl(who, action.key, action.value)
    return ChangedSysctl(who, action.key, before)
