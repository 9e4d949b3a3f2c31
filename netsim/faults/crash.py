"""Power loss and power-on. The cables stay plugged in; everything else of the machine is gone, in silence."""

from __future__ import annotations

from netsim.faults import ScriptRunner
from netsim.model.step import Step


def crash(stage: ScriptRunner, step: Step) -> None:
    """`node: crash`: no FIN, no RST, no answer to anything any more."""
    stage.leave(step.who)
    stage.lab.power_off(step.who)


def boot(stage: ScriptRunner, step: Step) -> None:
    """`node: boot`: the machine as its topology describes it, with nothing remembered; a cut cable stays cut."""
    stage.lab.power_on(step.who)
    for key in [key for key in stage.cuts if key[1] == step.who]:
        stage.lab.cut(*key)
    stage.enter(step.who)
