"""Processes on the lab's nodes: forked by the keeper, in the node's namespace from their first step."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Callable
from contextlib import nullcontext, suppress
from typing import NoReturn

from netsim.linux import syscalls
from netsim.linux.channel import WithFiles
from netsim.linux.keeper_state import KeeperState

Target = Callable[..., None]


def fork_into(state: KeeperState, node: str, target: Target, *args: object) -> WithFiles:
    """Fork a process into a node; it calls `target(sock, *args)`, and we get the other end of `sock`.

    Returns its pid, with two descriptors: the socket, and a pidfd that becomes readable at its end.
    `node` '' forks it beside the nodes, into the keeper's own namespace.
    """
    ours, its = socket.socketpair()
    parent = os.getpid()
    with state.inside(node) if node else nullcontext():
        pid = os.fork()
        if pid == 0:
            _live(parent, its, target, args)
    its.close()
    state.children[pid] = node
    return WithFiles(pid, (ours.detach(), os.pidfd_open(pid)))


def _live(parent: int, sock: socket.socket, target: Target, args: tuple[object, ...]) -> NoReturn:
    status = 70  # EX_SOFTWARE
    try:
        syscalls.die_with_parent(parent)
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        syscalls.close_all_but({0, 1, 2, sock.fileno()})
        target(sock, *args)
        status = 0
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else 1
    finally:
        os._exit(status)


def reap(state: KeeperState, pid: int) -> int:
    """Wait for the end of one child; gives its status as waitpid(2) does. -1 where it was reaped before."""
    state.children.pop(pid, None)
    try:
        return os.waitpid(pid, 0)[1]
    except ChildProcessError:
        return -1


def kill_child(state: KeeperState, pid: int, number: int = signal.SIGKILL) -> None:
    """Send a signal to one child, by its pid; a child that has ended already is left in peace."""
    if pid in state.children:
        with suppress(ProcessLookupError):
            os.kill(pid, number)


def bury(state: KeeperState, node: str | None = None) -> None:
    """Kill and reap every child of a node, or every child."""
    mine = [pid for pid, at in state.children.items() if node is None or at == node]
    for pid in mine:
        kill_child(state, pid)
    for pid in mine:
        reap(state, pid)
