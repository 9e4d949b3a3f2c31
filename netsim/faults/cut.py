"""Cut a cable, and mend it. Frames vanish in one direction or both; no machine notices."""

from __future__ import annotations

import errno

from netsim.errors import LabError
from netsim.faults import ScriptRunner
from netsim.model.step import Step
from netsim.model.topology import Topology


def cut(stage: ScriptRunner, step: Step) -> None:
    """`a -- b: cut`, or `cut to b`: what travels to b is lost."""
    place, ends = _link(stage.lab.plan.topology, step.who)
    for end in [step.args["to"]] if "to" in step.args else ends:
        if (place, end) not in stage.cuts and end in stage.running:
            stage.lab.cut(place, end)
        stage.cuts.add((place, end))


def heal(stage: ScriptRunner, step: Step) -> None:
    """`a -- b: heal`: undo the cuts of this cable, whichever they were."""
    place, ends = _link(stage.lab.plan.topology, step.who)
    mine = [(place, end) for end in ends if (place, end) in stage.cuts]
    if not mine:
        raise LabError("heal", step.who, errno.EINVAL, "it is not cut")
    for key in mine:
        if key[1] in stage.running:
            stage.lab.heal(*key)
        stage.cuts.discard(key)


def _link(topology: Topology, who: str) -> tuple[int, tuple[str, str]]:
    place = next(i for i, link in enumerate(topology.links) if link.name == who)
    return place, (topology.links[place].a, topology.links[place].b)
