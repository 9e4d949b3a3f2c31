"""Plays a scenario: the one place where lab, processes, faults and probes meet."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from netsim.errors import InputError
from netsim.linux import journal
from netsim.linux.lab import Lab, start
from netsim.model.event import Call, Counters, Event, Fault, RuleHit
from netsim.model.plan import Plan, make_plan
from netsim.model.scenario import Scenario
from netsim.model.timeline import StepResult, Timeline
from netsim.probes import counters, packets, reasons
from netsim.probes.recorder import Recorded
from netsim.probes.session import Session
from netsim.stage import ScriptRunner

Progress = Callable[[str], None]
"""Told, in a few words, what is being done."""


_SOURCES = ("packet", "call", "process", "fault", "counters", "rule")


@dataclass(frozen=True, slots=True)
class _Measured:
    """Everything that was taken in while the script played; times are CLOCK_MONOTONIC."""

    origin: int
    end: int
    recorded: Recorded
    others: list[Event]
    results: list[StepResult]


def run(
    scenario: Scenario,
    name: str | None = None,
    progress: Progress = lambda _: None,
    meanwhile: Callable[[], None] = lambda: None,
) -> Timeline:
    """Build the scenario's network, play its script, take everything down, and give the timeline.

    `name` is the lab's; without one it is the scenario's, with a number behind it where that is taken.
    `meanwhile` is called while other processes are busy, to get something done in their time.
    Raises InputError, HostError or LabError, and leaves nothing behind then either.
    """
    begin = time.monotonic_ns()
    plan = make_plan(scenario.topology)
    progress("building the network")
    with _start(plan, scenario.name, name) as lab:
        with Session(lab) as session:
            building = time.monotonic_ns()
            lab.build()
            built = time.monotonic_ns()
            meanwhile()
            lab.raise_firewalls()
            measured = _play(lab, session, scenario, progress)
            events = sorted((*measured.others, *_parsed(measured, plan)), key=lambda event: event.time_ns)
        progress("taking the network down")
        falling = time.monotonic_ns()
    down = time.monotonic_ns()
    return Timeline(
        scenario,
        tuple(_event_since(measured.origin, event) for event in events),
        tuple(_since(measured.origin, result) for result in measured.results),
        kernel=os.uname().release,
        probes=_SOURCES + (("kernel", *measured.recorded.traced) if measured.recorded.traced else ()),
        lab_ns=measured.end - measured.origin,
        wall_ns=down - begin,
        build_ns=built - building,
        down_ns=down - falling,
    )


def _start(plan: Plan, scenario: str, name: str | None) -> Lab:
    if name is not None:
        return start(plan, name)
    number = 1
    while True:
        candidate = scenario if number == 1 else f"{scenario}-{number}"
        number += 1
        try:
            return start(plan, candidate)
        except InputError:
            if candidate not in journal.labs():
                raise  # it was not the name


def _play(lab: Lab, session: Session, scenario: Scenario, progress: Progress) -> _Measured:
    nodes = tuple(node.node.name for node in lab.plan.nodes)
    stage = ScriptRunner(lab, session)
    stage.rehearse(scenario.script)
    before = {node: counters.read(lab, node) for node in nodes}
    session.listen(nodes)
    results = []
    origin = time.monotonic_ns()
    for step in scenario.script:
        progress(f"step {step.index + 1} of {len(scenario.script)}: {step.who}: {step.text}")
        results.append(stage.play(step))
    end = time.monotonic_ns()
    recorded = session.stop()
    stage.end(end)
    others: list[Event] = [*stage.events]
    for node in nodes:
        if node in stage.running:
            first = {} if node in stage.rebooted else before[node]
            others.append(Counters(end, node, counters.growth(first, counters.read(lab, node))))
    for node, placed in lab.rule_packets().items():
        others += [RuleHit(end, node, rule.number, rule.chain, rule.rule.text, rule.packets) for rule in placed]
    return _Measured(origin, end, recorded, others, results)


def _parsed(measured: _Measured, plan: Plan) -> Iterator[Event]:
    faults = [event for event in measured.others if isinstance(event, Fault)]
    seen = list(packets.parse(measured.recorded.frames, plan, packets.cuts(faults, plan, measured.end)))
    yield from seen
    # The trace is of the whole kernel, and another lab may have the same addresses: its ports tell it apart.
    yield from reasons.about(reasons.parse(measured.recorded.trace, plan), seen)


def _since(origin: int, result: StepResult) -> StepResult:
    return replace(result, start_ns=result.start_ns - origin, end_ns=result.end_ns - origin)


def _event_since(origin: int, event: Event) -> Event:
    if isinstance(event, Call | Fault):
        return replace(event, time_ns=event.time_ns - origin, end_ns=event.end_ns - origin)
    return replace(event, time_ns=event.time_ns - origin)
