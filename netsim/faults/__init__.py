"""Faults: what a script does to the lab while it runs. One file each, and one line in FAULTS."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from netsim.linux.lab import Lab
from netsim.model.step import Step


class ScriptRunner(Protocol):
    """What a fault may touch: the lab, and what is playing on it."""

    lab: Lab
    cuts: set[tuple[int, str]]
    """Cables that are cut: the link's place in the topology, and the end where nothing arrives."""

    running: set[str]
    """The nodes that have power."""

    def leave(self, node: str) -> None:
        """A node is about to lose power: nobody may listen or run there any more."""

    def enter(self, node: str) -> None:
        """A node has power again."""


Inject = Callable[[ScriptRunner, Step], None]
"""Carry a fault step out; raises LabError where the lab refuses."""


def _faults() -> Mapping[str, Inject]:
    from netsim.faults import crash, cut, firewall, sysctl

    return {
        "cut": cut.cut,
        "heal": cut.heal,
        "crash": crash.crash,
        "boot": crash.boot,
        "reject": firewall.place,
        "drop": firewall.place,
        "sysctl": sysctl.write,
    }


FAULTS = _faults()
"""What carries out each verb that `netsim.model.verbs` marks as a fault."""
