"""Finds and ends the processes that still stand in a lab's namespaces: a shell, a command's children."""

from __future__ import annotations

import os
import select
import signal
import socket
import struct
from collections.abc import Iterator
from contextlib import suppress

from netsim.linux import syscalls

_SO_NETNS_COOKIE = 71
"""Since Linux 5.14: names a network namespace once and for all, where an inode number is used again."""


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


def end(pids: list[int]) -> None:
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
