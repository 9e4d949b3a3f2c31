"""Shows a lab's namespaces to `ip netns`: a symlink per node in /run/netns.

A link leads to a descriptor of the keeper's, /proc/PID/fd/N: when the keeper dies, the namespace
dies with it, and the link leads nowhere. A node that is rebooted keeps its descriptor's number.
"""

from __future__ import annotations

import os
from pathlib import Path

from netsim.errors import InputError
from netsim.linux.journal import labs, read_journal, state_locked
from netsim.linux.keeper_state import KeeperState

DIRECTORY = Path("/run/netns")


def node_path(lab: str, node: str) -> Path:
    """Where `ip netns` finds a node: it calls it LAB.NODE."""
    return DIRECTORY / f"{lab}.{node}"


def show_names(state: KeeperState) -> None:
    """Make the names of all nodes; raises InputError where another program has one of them."""
    lab = state.journal.lab
    keeper, prefix = os.getpid(), node_path(lab, "")
    wanted = {f"{prefix}{node}": _target(keeper, fd) for node, fd in state.namespaces.items()}
    with state_locked(state.journal.directory.parent):  # or another lab's end removes the directory meanwhile
        taken = next(filter(os.path.lexists, wanted), None)
        if taken:
            raise InputError(f"{taken} exists and is not netsim's; give the lab another name with --lab")
        if not DIRECTORY.exists() or _is_ours(state.journal.directory):
            state.journal.note("directory", path=str(DIRECTORY))
            DIRECTORY.mkdir(mode=0o755, exist_ok=True)
        state.journal.note("names", keeper=keeper, paths=list(wanted))
        for path, target in wanted.items():
            os.symlink(target, path)


def _is_ours(directory: Path) -> bool:
    """Has another lab that still stands made the directory? Then it goes with the last of them."""
    others = (lab for lab in labs(directory.parent) if lab != directory.name)
    return any(entry["made"] == "directory" for lab in others for entry in read_journal(lab, directory.parent))


def is_name_of(path: str, keeper: int) -> bool:
    """Tell whether a path is still the link that a keeper made."""
    try:
        return os.readlink(path).startswith(_target(keeper, ""))
    except OSError:
        return False


def _target(keeper: int, fd: int | str) -> str:
    return f"/proc/{keeper}/fd/{fd}"
