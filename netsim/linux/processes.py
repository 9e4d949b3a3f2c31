"""Processes on the lab's nodes: those that the keeper forks there, and those that others have left there."""

from __future__ import annotations

import os
import select
import signal
import socket
import struct
import traceback
from collections.abc import Callable, Iterator
from contextlib import nullcontext, suppress
from typing import NoReturn

from netsim.linux import channel, syscalls
from netsim.linux.channel import WithFiles
from netsim.linux.keeper_state import KeeperState

Target = Callable[..., None]

_SO_NETNS_COOKIE = 71
"""Since Linux 5.14: names a network namespace once and for all, where an inode number is used again."""


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
        for number in (signal.SIGTERM, signal.SIGALRM):
            signal.signal(number, signal.SIG_DFL)
        syscalls.close_all_but({0, 1, 2, sock.fileno()})
        target(sock, *args)
        status = 0
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else 1
    except Exception:  # a defect: whoever waits for an answer gets this one
        channel.send(sock, channel.Defect(traceback.format_exc()))
    finally:
        os._exit(status)


def wait(state: KeeperState, pid: int) -> int:
    """Wait for the end of one child; gives its status as waitpid(2) does, -1 where that is known no more."""
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


def kill_all(state: KeeperState, node: str | None = None) -> None:
    """Kill every child of a node, or every child, and then whoever else stands in the namespaces there."""
    mine = [pid for pid, at in state.children.items() if node is None or at == node]
    for pid in mine:
        kill_child(state, pid)
    for pid in mine:
        wait(state, pid)
    namespaces = state.namespaces.values() if node is None else [state.namespaces[node]]
    inodes = {os.fstat(fd).st_ino for fd in namespaces}
    if inodes:
        kill(list(in_namespaces(inodes)))


def cookie() -> int | None:
    """The cookie of the current namespace; None before Linux 5.14."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        try:
            return int(struct.unpack("=Q", sock.getsockopt(socket.SOL_SOCKET, _SO_NETNS_COOKIE, 8))[0])
        except OSError:
            return None


def in_namespaces(inodes: set[int]) -> Iterator[int]:
    """Yield the processes whose network namespace has one of these inodes, this one left out."""
    for pid in _processes():
        if pid != os.getpid() and _inode(pid) in inodes:
            yield pid


def in_dead_namespaces(cookies: set[int]) -> list[int]:
    """Find processes by the cookies of the namespaces that they keep alive. Forks: it has to enter each."""
    if not cookies:
        return []
    read_end, write_end = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(write_end, b"".join(struct.pack("=I", pid) for pid in _by_cookie(cookies)))
        finally:
            os._exit(0)
    os.close(write_end)
    with os.fdopen(read_end, "rb") as pipe:
        found = [pid for (pid,) in struct.iter_unpack("=I", pipe.read())]
    os.waitpid(child, 0)
    return found


def _by_cookie(cookies: set[int]) -> Iterator[int]:
    known: dict[int, int | None] = {}
    for pid in _processes():
        inode = _inode(pid) if pid != os.getpid() else None  # we only look in
        if inode is None:
            continue
        if inode not in known:
            known[inode] = None
            with suppress(OSError):
                fd = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
                syscalls.setns(fd)
                os.close(fd)
                known[inode] = cookie()
        if known[inode] in cookies:
            yield pid


def kill(pids: list[int]) -> None:
    """Kill processes by pidfd, and wait until the kernel has let go of them."""
    poll = select.poll()
    waiting = {}
    for pid in pids:
        with suppress(OSError):
            fd = os.pidfd_open(pid)
            waiting[fd] = pid
            poll.register(fd, select.POLLIN)
            signal.pidfd_send_signal(fd, signal.SIGKILL)
    while waiting:
        done = poll.poll(2000)
        if not done:  # stuck in the kernel: nobody can do more
            break
        for fd, _ in done:
            poll.unregister(fd)
            os.close(fd)
            del waiting[fd]
    for fd in waiting:
        os.close(fd)


def _processes() -> Iterator[int]:
    return (int(entry) for entry in os.listdir("/proc") if entry.isdigit())


def _inode(pid: int) -> int | None:
    try:
        return os.stat(f"/proc/{pid}/ns/net").st_ino
    except OSError:  # gone, or a kernel thread's
        return None
