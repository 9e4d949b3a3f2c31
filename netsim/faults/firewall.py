"""A packet-filter rule that is put in place while connections are open."""

from __future__ import annotations

from netsim.faults import ScriptRunner
from netsim.model.firewall import parse_rule
from netsim.model.step import Step


def place(stage: ScriptRunner, step: Step) -> None:
    """`fw: reject tcp dport 80 with tcp-reset`, behind the rules that are there."""
    stage.lab.place(step.who, [parse_rule(f"{step.verb.name} {step.args['rule']}")])
