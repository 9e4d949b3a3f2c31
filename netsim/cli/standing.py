"""The labs that stand, as their directories tell."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from netsim.engines.host import STATE
from netsim.errors import InputError
from netsim.linux import journal
from netsim.linux.lab import ABOUT
from netsim.model.names import nearest, shown


@dataclass(frozen=True, slots=True)
class Standing:
    """A lab that stands. One that `netsim run` is playing has no nodes to show yet, and no title."""

    name: str
    keeper: int
    title: str = ""
    scenario: str = ""
    since: str = ""
    nodes: tuple[str, ...] = ()


def standing_labs() -> list[Standing]:
    """Every lab whose keeper lives."""
    found = []
    for name in journal.labs(STATE):
        try:
            about = json.loads((STATE / name / ABOUT).read_text())
        except (OSError, ValueError):  # it is being built, or a run's
            about = {}
        keeper = _keeper(name, about.get("keeper"))
        if keeper is None:
            continue
        found.append(
            Standing(
                name,
                keeper,
                about.get("title", ""),
                about.get("scenario", ""),
                about.get("since", ""),
                tuple(about.get("nodes", ())),
            )
        )
    return found


def _keeper(lab: str, said: int | None) -> int | None:
    """The lab's keeper, if it lives. Only root can ask the journal's lock; others go by what the lab says of itself."""
    try:
        return journal.keeper_pid(lab, STATE)
    except PermissionError:
        return said if said and Path(f"/proc/{said}").exists() else None


def pick(name: str | None) -> Standing:
    """The lab of that name, or the only one that stands; raises InputError."""
    found = standing_labs()
    if name is not None:
        for lab in found:
            if lab.name == name:
                return lab
        raise InputError(f"no lab called {shown(name)} is standing{nearest(name, [lab.name for lab in found])}")
    stay = [lab for lab in found if lab.nodes]  # what 'netsim run' is playing is meant only by name
    if len(stay) == 1:
        return stay[0]
    if not stay:
        raise InputError("no lab is standing; 'sudo netsim up firewall-reset' builds one")
    raise InputError(f"several labs are standing; name one of them: {', '.join(lab.name for lab in stay)}")
