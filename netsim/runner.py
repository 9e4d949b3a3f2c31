"""Plays a scenario: the one place where lab, processes, faults and probes meet."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from netsim.analysis.outages import find_outages
from netsim.linux.lab import Lab
from netsim.model.event import Call, Counters, Event, Fault, Missed, ProcessEnd, RuleHit
from netsim.model.network import Network, network_of
from netsim.model.plan import Plan, make_plan
from netsim.model.scenario import Scenario
from netsim.model.timeline import StepResult, Timeline, all_taps
from netsim.probes import counters, packets, reasons
from netsim.probes.recorder import Recorded
from netsim.probes.session import Session
from netsim.script_runner import ScriptRunner

Progress = Callable[[str], None]
"""Told, in a few words, what is being done."""

_SOURCES = frozenset({"call", "process", "fault", "counters", "rule"})


def silent(_: str) -> None:
    """Progress that nobody watches."""


@dataclass(frozen=True, slots=True)
class _Played:
    """Everything that was taken in while the script played; times are CLOCK_MONOTONIC."""

    origin: int
    end: int
    killing: int
    """When netsim began to end what still ran."""
    recorded: Recorded
    events: list[Event]
    results: list[StepResult]
    untraced: bool


def play(
    scenario: Scenario,
    start: Callable[[Plan], Lab],
    progress: Progress = silent,
    meanwhile: Callable[[], None] = lambda: None,
) -> Timeline:
    """Build the scenario's network, play its script, take everything down, and give the timeline.

    `start` starts the lab's processes, with nothing built yet. `meanwhile` is called while other processes are busy,
    to get something done in their time. Raises InputError, HostError or LabError, and leaves nothing behind then.
    """
    begin = time.monotonic_ns()
    plan = make_plan(scenario.topology)
    network = network_of(plan)
    progress("building the network")
    with start(plan) as lab:
        with Session(lab) as session:
            building = time.monotonic_ns()
            lab.build()
            built = time.monotonic_ns()
            meanwhile()
            lab.raise_firewalls()
            played = _play(lab, session, scenario, progress)
        progress("taking the network down")
        falling = time.monotonic_ns()
    down = time.monotonic_ns()
    timeline = Timeline(
        scenario,
        network,
        (),
        tuple(_since(played.origin, result) for result in played.results),
        all_taps(network),
        _sources(played),
        kernel=os.uname().release,
        lab_ns=played.end - played.origin,
        wall_ns=down - begin,
        build_ns=built - building,
        down_ns=down - falling,
    )
    return timeline.with_events(_event_since(played.origin, event) for event in _events(played, network))


def _play(lab: Lab, session: Session, scenario: Scenario, progress: Progress) -> _Played:
    nodes = tuple(node.node.name for node in lab.plan.nodes)
    before = {node: counters.read(lambda file, node=node: lab.read(node, file)) for node in nodes}  # type: ignore[misc]
    with ScriptRunner(lab, session) as runner:

        def count(node: str, time_ns: int | None = None) -> None:
            """How much a node's counters have grown since they were read last; one that boots begins at 0."""
            now = counters.read(lambda file: lab.read(node, file))
            grew = counters.growth(before.pop(node, {}), now)
            runner.events.append(Counters(time_ns or time.monotonic_ns(), node, grew))

        runner.about_to_leave = count
        runner.rehearse(scenario.script)
        session.listen(nodes)
        results = []
        origin = time.monotonic_ns()
        for step in scenario.script:
            progress(f"step {step.index + 1} of {len(scenario.script)}: {step.who}: {step.line_text}")
            results.append(runner.play(step))
        recorded = session.stop()
        end = recorded.end_ns
        for node in nodes:
            if node in runner.powered:
                count(node, end)
        for node, placed in lab.rule_packets().items():
            runner.events += [RuleHit(end, node, one.chain, one.number, one.rule, one.packets) for one in placed]
        killing = time.monotonic_ns()
        runner.end(end)  # what programs send when they are killed is no part of the run, and is not to be counted
        return _Played(origin, end, killing, recorded, runner.events, results, runner.untraced)


def _events(played: _Played, network: Network) -> Iterator[Event]:
    faults = [(0, event) for event in played.events if isinstance(event, Fault)]
    outages = find_outages(faults, network)
    yield from filter(None, (_until(played, event) for event in played.events))
    yield from packets.parse(played.recorded.frames, network, outages.is_cut)
    yield from reasons.parse(played.recorded.records, played.recorded.nodes)
    for source, count in played.recorded.missed.items():
        yield Missed(played.end, "", source, count)


def _until(played: _Played, event: Event) -> Event | None:
    """An event as it was when the run ended: what calls come to then is netsim's doing, which ends the programs."""
    if not isinstance(event, Call) or event.end_ns <= played.end:
        return event
    if event.time_ns > played.end:
        return None
    return replace(event, result=event.result if event.end_ns < played.killing else None, end_ns=played.end)


def _sources(played: _Played) -> frozenset[str]:
    strace = frozenset() if played.untraced else frozenset({"strace"})
    return _SOURCES | strace | frozenset(played.recorded.traced)


def _since(origin: int, result: StepResult) -> StepResult:
    return replace(result, start_ns=result.start_ns - origin, end_ns=result.end_ns - origin)


def _event_since(origin: int, event: Event) -> Event:
    match event:
        case Call() | Fault():
            return replace(event, time_ns=event.time_ns - origin, end_ns=event.end_ns - origin)
        case ProcessEnd(began_ns=began) if began is not None:
            return replace(event, time_ns=event.time_ns - origin, began_ns=began - origin)
    return replace(event, time_ns=event.time_ns - origin)
