"""Gives back what a lab has made: its own keeper at the end, or anyone after the keeper was killed."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from netsim.linux import netns_names, processes
from netsim.linux.journal import claim_dead, remove_if_empty, state_locked
from netsim.linux.keeper_state import KeeperState


@dataclass(frozen=True, slots=True)
class Leftover:
    """Something that a dead keeper left behind."""

    lab: str
    kind: str
    what: str


def give_back(state: KeeperState) -> None:
    """End everything that runs in the lab, drop its namespaces, and remove what the journal names."""
    processes.kill_all(state)
    for sock in (*state.route.values(), *state.filter.values()):
        sock.close()
    for fd in state.namespaces.values():
        os.close(fd)
    _remove(state.journal.entries(), state.journal.directory.parent)
    state.journal.erase()


def clean(state: Path, dry_run: bool = False) -> list[Leftover]:
    """Give back what dead keepers left, and say what it was; `dry_run` only says."""
    found = []
    for journal, entries in claim_dead(state):
        lost = [pid for pid in processes.in_dead_namespaces(_cookies(entries)) if pid != os.getpid()]
        found += [Leftover(journal.lab, "process", str(pid)) for pid in lost]
        found += [Leftover(journal.lab, kind, what) for kind, what in _present(entries)]
        found.append(Leftover(journal.lab, "directory", str(journal.directory)))
        if dry_run:
            os.close(journal.fd)
            continue
        processes.kill(lost)
        _remove(entries, state)
        journal.erase()
    if not dry_run:
        remove_if_empty(state)  # a keeper may have been killed before it had made anything else
    return found


def _cookies(entries: Iterable[dict[str, Any]]) -> set[int]:
    return {number for entry in entries if entry["made"] == "namespaces" for number in entry["cookies"]}


def _present(entries: Iterable[dict[str, Any]]) -> Iterable[tuple[str, str]]:
    for entry in entries:
        if entry["made"] == "names":
            yield from (("name", p) for p in entry["paths"] if netns_names.is_name_of(p, entry["keeper"]))


def _remove(entries: list[dict[str, Any]], state: Path) -> None:
    """Undo the journal's entries, the last one first. What somebody else has put there stays."""
    for entry in reversed(entries):
        match entry["made"]:
            case "names":
                for path in entry["paths"]:
                    if netns_names.is_name_of(path, entry["keeper"]):
                        os.unlink(path)
            case "directory":
                with state_locked(state), suppress(OSError):  # others use it
                    Path(entry["path"]).rmdir()
