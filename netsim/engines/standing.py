"""Labs that outlive the command that built them."""

from __future__ import annotations

import os
import select
import signal
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from netsim.engines import Progress
from netsim.errors import LabError
from netsim.linux import journal
from netsim.linux.lab import leave_standing, up
from netsim.model.action import Listen
from netsim.model.plan import make_plan
from netsim.model.result import Ok
from netsim.model.scenario import Scenario
from netsim.processes import scripted

_DOWN_S = 10.0


def stand(scenario: Scenario, name: str, progress: Progress, state: Path) -> dict[str, Any]:
    """Build a scenario's network, start what its script listens with, and leave it standing; says what stands."""
    plan = make_plan(scenario.topology)
    progress("building the network")
    lab = up(plan, name, state)
    try:
        services = [(step, step.action) for step in scenario.script if isinstance(step.action, Listen)]
        nodes = {step.who: step.node for step, _ in services}
        children = {who: lab.fork(node, scripted.serve) for who, node in nodes.items()}
        for step, action in services:
            progress(f"{step.who}: {step.text}")
            done = scripted.ask(children[step.who].sock, action)
            if done.result != Ok():
                raise LabError(step.text, step.who, 0, str(done.result))
        for child in children.values():
            scripted.stay(child.sock)
        about = {
            "lab": name,
            "keeper": lab.keeper.pid,
            "scenario": scenario.name,
            "title": scenario.title,
            "since": datetime.now().astimezone().isoformat(timespec="seconds"),
            "nodes": [node.name for node in scenario.topology.nodes],
            "addresses": {node: str(address) for node, address in plan.addresses.items()},
            "services": [{"who": step.who, "port": action.port} for step, action in services],
        }
        leave_standing(lab, about)
    except BaseException:
        lab.down()
        raise
    return about


def take_down(name: str, keeper: int, state: Path) -> None:
    """Have a standing lab's keeper give everything back, and wait until it has; raises LabError."""
    with suppress(ProcessLookupError):
        gone = os.pidfd_open(keeper)
        if journal.keeper_pid(name, state) != keeper:  # it went, and its number may be another's by now
            os.close(gone)
            return
        signal.pidfd_send_signal(gone, signal.SIGTERM)
        poll = select.poll()
        poll.register(gone, select.POLLIN)
        ended = poll.poll(_DOWN_S * 1000)
        os.close(gone)
        if not ended:
            raise LabError("take down", name, 110, f"its keeper, process {keeper}, does not end")
