"""A tracing instance of a lab's own: its events go to nobody else, and nobody else's come to it.

Documentation/trace/ftrace.rst, "Instances". Tracefs is reached through a detached mount: the host's
/sys/kernel/tracing, mounted or not, is left as it is.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

from netsim.linux import syscalls
from netsim.linux.keeper_state import KeeperState

_OPEN = os.O_CLOEXEC


@contextmanager
def _tracefs() -> Iterator[int]:
    """A descriptor of tracefs' root; raises OSError where there is none for us."""
    try:
        fd = syscalls.mount_detached("tracefs")
    except OSError:
        fd = os.open("/sys/kernel/tracing", os.O_DIRECTORY | _OPEN)
        if not os.path.exists("/sys/kernel/tracing/instances"):
            os.close(fd)
            raise
    try:
        yield fd
    finally:
        os.close(fd)


def available() -> bool:
    """Tell whether this process may trace the kernel."""
    try:
        with _tracefs() as root:
            return os.access("instances", os.W_OK, dir_fd=root)
    except OSError:
        return False


def plan_trace(state: KeeperState) -> str:
    """Name the lab's instance, in its journal too: whoever makes it, it is given back. Runs in the keeper."""
    instance = f"netsim-{state.journal.lab}-{os.getpid()}-{os.urandom(4).hex()}"  # containers share them, not pids
    state.journal.note("tracefs", instance=instance)
    return instance


def open_trace(instance: str, events: Sequence[str]) -> tuple[tuple[str, ...], int]:
    """Make an instance and switch events (`tcp/tcp_send_reset`) on, as far as this kernel has them.

    Returns those that are on, and trace_pipe, opened for reading without blocking; -1 and nothing
    where there is no tracefs for us. Takes some 20 ms: the kernel waits for RCU.
    """
    try:
        with _tracefs() as root:
            os.mkdir(f"instances/{instance}", dir_fd=root)
            at = os.open(f"instances/{instance}", os.O_DIRECTORY | _OPEN, dir_fd=root)
    except OSError:
        return (), -1
    try:
        _write(at, "trace_clock", "mono")
        on = []
        for event in events:
            with suppress(OSError):  # an older kernel lacks some
                _write(at, f"events/{event}/enable", "1")
                on.append(event)
        return tuple(on), os.open("trace_pipe", os.O_RDONLY | os.O_NONBLOCK | _OPEN, dir_fd=at)
    finally:
        os.close(at)


def exists(instance: str) -> bool:
    try:
        with _tracefs() as root:
            os.stat(f"instances/{instance}", dir_fd=root)
    except OSError:
        return False
    return True


def remove(instance: str) -> None:
    """Remove an instance. Its readers must be gone: the kernel says EBUSY while one has trace_pipe open."""
    with suppress(OSError), _tracefs() as root:  # it was never made, or is gone already
        os.rmdir(f"instances/{instance}", dir_fd=root)


def _write(at: int, path: str, value: str) -> None:
    fd = os.open(path, os.O_WRONLY | _OPEN, dir_fd=at)
    try:
        os.write(fd, value.encode())
    finally:
        os.close(fd)
