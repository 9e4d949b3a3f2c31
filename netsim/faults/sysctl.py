"""A sysctl of a node, changed while it runs."""

from __future__ import annotations

from netsim.faults import ScriptRunner
from netsim.model.step import Step


def write(stage: ScriptRunner, step: Step) -> None:
    """`node: sysctl net.ipv4.tcp_retries2=3`."""
    stage.lab.sysctl(step.who, step.args["key"], step.args["value"])
