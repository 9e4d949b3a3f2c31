"""The `host` engine: as root, on this machine itself."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from netsim.engines import Progress, nothing, silent
from netsim.errors import HostError, InputError
from netsim.linux import journal, stale

if TYPE_CHECKING:
    from netsim.linux.lab import Lab
    from netsim.model.plan import Plan
    from netsim.model.scenario import Scenario
    from netsim.model.timeline import Timeline

STATE = Path("/run/netsim")
"""Which labs stand, and what each has made that outlives its processes."""


@dataclass(frozen=True, slots=True)
class HostEngine:
    """Labs of this machine's own kernel; it takes root."""

    state: Path = STATE
    name: str = "host"

    def check(self, command: str) -> None:
        if os.geteuid() != 0:
            raise HostError(f"building networks needs root; run: sudo {command}")

    def recover(self) -> list[str]:
        return list(dict.fromkeys(one.lab for one in stale.clean(self.state)))

    def run(
        self,
        scenario: Scenario,
        name: str | None = None,
        progress: Progress = silent,
        meanwhile: Callable[[], None] = nothing,
    ) -> Timeline:
        from netsim.runner import play

        return play(scenario, lambda plan: self._start(plan, scenario.name, name), progress, meanwhile)

    def stand(self, scenario: Scenario, name: str, progress: Progress = silent) -> dict[str, Any]:
        from netsim.engines.standing import stand

        return stand(scenario, name, progress, self.state)

    def _start(self, plan: Plan, scenario: str, name: str | None) -> Lab:
        from netsim.linux.lab import start

        if name is not None:
            return start(plan, name, self.state)
        number = 1
        while True:
            candidate = scenario if number == 1 else f"{scenario}-{number}"
            number += 1
            try:
                return start(plan, candidate, self.state)
            except InputError:
                if candidate not in journal.labs(self.state):
                    raise  # it was not the name
