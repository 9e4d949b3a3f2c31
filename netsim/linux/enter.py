"""Puts this process on a node of a standing lab: a person's own hands, with all the rights that they have.

What ip-netns(8) does for `ip netns exec`, with the lab's own /etc/hosts besides.
"""

from __future__ import annotations

import os
import shlex
import signal
import sys
from pathlib import Path
from typing import NoReturn

from netsim.errors import HostError, InputError
from netsim.linux import journal, netns_names, syscalls
from netsim.linux.lab import HOSTS, RESOLVER
from netsim.model.names import nearest, shown

_CGROUPS = "/sys/fs/cgroup"


def enter(lab: str, node: str, argv: list[str], state: Path) -> NoReturn:
    """Become a program on a node. Raises InputError for a lab, node or program that is not there, and HostError."""
    namespace = _open_node(lab, node, state)
    try:
        syscalls.setns(namespace)
        _see_the_node(state / lab)
    except OSError as error:
        raise HostError(f"cannot enter {node} of lab {lab}: {error}; it takes root") from error
    os.close(namespace)
    for ignored in (signal.SIGPIPE, signal.SIGXFSZ):  # by Python, and what is ignored stays so over an exec
        signal.signal(ignored, signal.SIG_DFL)
    sys.stdout.flush()
    sys.stderr.flush()
    try:
        os.execvp(argv[0], argv)  # noqa: S606 - no shell is the point
    except FileNotFoundError as error:
        raise InputError(f"there is no program {shown(argv[0])} on this machine, which the nodes share") from error
    except (OSError, ValueError) as error:  # ValueError: no argv[0], or a NUL in it
        said = error.strerror if isinstance(error, OSError) else str(error)
        raise InputError(f"cannot run {shown(argv[0])}: {said}") from error


def nodes(lab: str) -> list[str]:
    """The nodes of a standing lab that can be entered."""
    try:
        entries = os.listdir(netns_names.DIRECTORY)
    except FileNotFoundError:
        return []
    return sorted(entry.removeprefix(f"{lab}.") for entry in entries if entry.startswith(f"{lab}."))


def shell_argv(lab: str, node: str) -> list[str]:
    """A shell for a person, $SHELL or /bin/sh, whose prompt says where one is; it reads their own files as ever."""
    shell = os.environ.get("SHELL", "")
    if not os.access(shell, os.X_OK):
        shell = "/bin/sh"
    here = f"{node}@{lab}"
    if os.path.basename(shell) != "bash":
        return ["env", f"PS1={here}# ", shell, "-i"]
    script = os.memfd_create("netsim-bashrc", 0)
    quoted = shlex.quote(f"({here}) ")
    os.write(script, f'[ -r ~/.bashrc ] && . ~/.bashrc\nPS1={quoted}"$PS1"\nexec {script}<&-\n'.encode())
    return [shell, "--rcfile", f"/proc/self/fd/{script}", "-i"]


def _open_node(lab: str, node: str, state: Path) -> int:
    standing = [name for name in journal.labs(state) if journal.is_alive(name, state)]
    keeper = journal.keeper_pid(lab, state) if lab in standing else None
    if keeper is None:
        raise InputError(f"no lab called {shown(lab)} is standing{nearest(lab, standing)}")
    known = nodes(lab)
    if node not in known:
        hint = nearest(node, known) or f"; it has {', '.join(known)}"
        raise InputError(f"lab {lab} has no node {shown(node)}{hint}")
    path = str(netns_names.node_path(lab, node))
    if not netns_names.is_name_of(path, keeper):
        raise InputError(f"{path} is not the link that lab {lab} made; 'netsim down {lab}' and build it anew")
    try:
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise HostError(f"cannot open {path}: {error.strerror}; it takes root") from error


def _see_the_node(directory: Path) -> None:
    """In a mount namespace of this process's own: the lab's names in /etc/hosts, the node's interfaces in /sys.

    A name that the lab does not know is unknown at once: nobody waits for a name server that cannot be reached.
    """
    syscalls.unshare(syscalls.CLONE_NEWNS)
    syscalls.mount("none", "/", flags=syscalls.MS_REC | syscalls.MS_SLAVE)
    for name in (HOSTS, RESOLVER):
        if os.path.exists(f"/etc/{name}"):
            syscalls.mount(str(directory / name), f"/etc/{name}", flags=syscalls.MS_BIND)
    cgroups = os.open(_CGROUPS, os.O_PATH | os.O_CLOEXEC) if os.path.ismount(_CGROUPS) else None
    read_only = syscalls.MS_RDONLY if os.statvfs("/sys").f_flag & os.ST_RDONLY else 0
    syscalls.mount("sysfs", "/sys", "sysfs", read_only)
    if cgroups is not None:
        syscalls.mount(f"/proc/self/fd/{cgroups}", _CGROUPS, flags=syscalls.MS_BIND | syscalls.MS_REC)
        os.close(cgroups)
