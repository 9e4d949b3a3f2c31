"""Cut a cable, and mend it. Frames vanish in one direction or both; no machine notices."""

from __future__ import annotations

import errno
from dataclasses import dataclass
from typing import TYPE_CHECKING

from netsim.errors import LabError
from netsim.model.action import Cut, Heal
from netsim.model.topology import Topology

if TYPE_CHECKING:
    from netsim.faults import FaultTarget


@dataclass(frozen=True, slots=True)
class CutEffect:
    """Frames that vanish on their way to some ends of a cable."""

    who: str
    link: int
    """Its place in the topology."""
    ends: tuple[str, ...]

    def undo(self, target: FaultTarget) -> None:
        for end in self.ends:
            if end in target.powered:
                target.lab.heal(self.link, end)

    def reapply(self, target: FaultTarget, node: str) -> None:
        """A cut cable stays cut, however often the machine at its end boots."""
        if node in self.ends:
            target.lab.cut(self.link, node)

    def ends_with(self, node: str) -> bool:  # noqa: ARG002 - never
        return False


def cut(target: FaultTarget, who: str, action: Cut) -> CutEffect:
    """`a -- b: cut`, or `cut to b`: what travels to b is lost. What is cut already stays so."""
    place, both = _link(target.lab.plan.topology, who)
    cut_before = {end for effect in _cuts(target, who) for end in effect.ends}
    ends = tuple(end for end in ([action.to] if action.to else both) if end not in cut_before)
    for end in ends:
        if end in target.powered:
            target.lab.cut(place, end)
    return CutEffect(who, place, ends)


def heal(target: FaultTarget, who: str, action: Heal) -> None:  # noqa: ARG001 - it has no arguments
    """`a -- b: heal`: undo the cuts of this cable, whichever they were."""
    mine = _cuts(target, who)
    if not mine:
        raise LabError("heal", who, errno.EINVAL, "it is not cut")
    for effect in mine:
        effect.undo(target)
        target.in_force.remove(effect)


def _cuts(target: FaultTarget, who: str) -> list[CutEffect]:
    return [effect for effect in target.in_force if isinstance(effect, CutEffect) and effect.who == who]


def _link(topology: Topology, who: str) -> tuple[int, tuple[str, str]]:
    place = next(i for i, link in enumerate(topology.links) if link.id == who)
    return place, (topology.links[place].a, topology.links[place].b)
