"""Where a lab's Linux is. Everything above an engine is the same code in all of them.

`host`, as root, is the one that there is: its nodes are named namespaces that `ip netns` shows too.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from netsim.model.scenario import Scenario
    from netsim.model.timeline import Timeline

Progress = Callable[[str], None]
"""Told, in a few words, what is being done."""


def silent(_: str) -> None:
    """Progress that nobody watches."""


def nothing() -> None:
    """Nothing to be done meanwhile."""


class Engine(Protocol):
    """A place for labs. `state` is the directory that knows which of them stand."""

    @property
    def name(self) -> str: ...

    @property
    def state(self) -> Path: ...

    def check(self, command: str) -> None:
        """Raise HostError where this user cannot build networks here; `command` is what they would have to type."""

    def recover(self) -> list[str]:
        """Give back what killed runs left, and say of which labs that was."""

    def run(
        self,
        scenario: Scenario,
        name: str | None = None,
        progress: Progress = silent,
        meanwhile: Callable[[], None] = nothing,
    ) -> Timeline:
        """Build a scenario's network, play its script, take everything down, and give the timeline.

        `name` is the lab's; without one it is the scenario's, with a number behind it where that is taken.
        `meanwhile` is called while other processes are busy. Raises InputError, HostError or LabError, and leaves
        nothing behind then either.
        """

    def stand(self, scenario: Scenario, name: str, progress: Progress = silent) -> dict[str, Any]:
        """Build a scenario's network, start what its script listens with, and leave it standing; says what stands."""


def choose() -> Engine:
    """The engine for whoever asks."""
    from netsim.engines.host import HostEngine

    return HostEngine()


def run(scenario: Scenario, name: str | None = None) -> Timeline:
    """Play a scenario on this machine, and give its timeline.

    What `netsim run` does: it checks that this user can, and first gives back what killed runs left. `name` is the
    lab's; without one it is the scenario's. A scenario made in Python is held to what a file may say. Raises
    InputError, HostError or LabError, and leaves nothing behind.
    """
    from netsim.files.render import check
    from netsim.model.names import checked_name

    check(scenario)
    if name is not None:
        checked_name(name, "lab")
    engine = choose()
    engine.check(f"python3 {sys.argv[0]}".strip())
    engine.recover()
    return engine.run(scenario, name)
