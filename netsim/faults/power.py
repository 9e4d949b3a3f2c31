"""Power loss and power-on. The cables stay plugged in; everything else of the machine is gone, in silence."""

from __future__ import annotations

import errno
from dataclasses import dataclass
from typing import TYPE_CHECKING

from netsim.errors import LabError
from netsim.model.action import Boot, Crash

if TYPE_CHECKING:
    from netsim.faults import FaultTarget


@dataclass(frozen=True, slots=True)
class PowerLoss:
    """A machine that is off."""

    who: str

    def undo(self, target: FaultTarget) -> None:
        """Boot: the machine as its topology describes it, with nothing remembered."""
        target.lab.power_on(self.who)
        for effect in target.in_force:
            effect.reapply(target, self.who)
        target.enter(self.who)

    def reapply(self, target: FaultTarget, node: str) -> None: ...

    def ends_with(self, node: str) -> bool:  # noqa: ARG002 - a machine that is off cannot lose power
        return False


def crash(target: FaultTarget, who: str, action: Crash) -> PowerLoss:  # noqa: ARG001 - it has no arguments
    """`node: crash`: no FIN, no RST, no answer to anything any more."""
    target.leave(who)
    target.lab.power_off(who)
    target.in_force[:] = [effect for effect in target.in_force if not effect.ends_with(who)]
    return PowerLoss(who)


def boot(target: FaultTarget, who: str, action: Boot) -> None:  # noqa: ARG001 - it has no arguments
    """`node: boot`: undo the power loss."""
    lost = [effect for effect in target.in_force if isinstance(effect, PowerLoss) and effect.who == who]
    if not lost:
        raise LabError("boot", who, errno.EALREADY, "it is running")
    target.in_force.remove(lost[0])
    lost[0].undo(target)
