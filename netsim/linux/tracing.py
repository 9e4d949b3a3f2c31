"""What the kernel itself says of TCP: tracepoints, for the network namespaces that are watched and no others.

A BPF program at each tracepoint looks up whose event it is, and drops what nobody has asked for before it
costs anything: the host's traffic, or another lab's, with the same addresses as may be. Nothing of it can be
left behind: programs and maps go with their descriptors, and so with the process.
"""

from __future__ import annotations

import errno
import os
import struct
import sys
from contextlib import suppress
from pathlib import Path

from netsim.errors import HostError
from netsim.linux import bpf, btf
from netsim.linux.trace_program import (
    REASONS,
    TRACEPOINTS,
    Arguments,
    Layout,
    Maps,
    TraceRecord,
    decoded,
    program,
    read_layout,
)

__all__ = ["NEEDS", "TraceRecord", "Tracing", "open_tracing"]

NEEDS = "Linux 5.8 with CONFIG_BPF_SYSCALL and CONFIG_DEBUG_INFO_BTF; root on the host itself, not of a container"

_NAMESPACES_MAX = 1 << 14
_RING_BYTES = 1 << 22
_LOCKDOWN = Path("/sys/kernel/security/lockdown")


def open_tracing() -> Tracing:
    """Begin to trace the kernel; raises HostError that says why this kernel, or this user, cannot.

    Takes some 12 ms, most of it to read the kernel's types.
    """
    try:
        types = btf.of_this_kernel()
        layout = read_layout(types)
    except OSError as error:
        raise HostError(f"the kernel does not tell its types: {btf.PATH}: {error.strerror}") from error
    except (LookupError, ValueError) as error:
        raise HostError(f"the kernel's types are not what netsim knows: {error}") from error
    try:
        return Tracing(layout, types.offset("bpf_prog_info", "recursion_misses"))
    except OSError as error:
        raise HostError(_why(error)) from error


def _why(error: OSError) -> str:
    if error.errno == errno.EPERM:
        return "only root on the host itself may trace the kernel, not root of a container or of a user namespace"
    with suppress(OSError):
        if "[confidentiality]" in _LOCKDOWN.read_text():
            return "the kernel is locked down (lockdown=confidentiality), and lets nobody read its memory"
    return str(error.strerror)


class Tracing:
    """Tracepoints that are on, and the records that they leave. Nothing is traced before `watch`."""

    def __init__(self, layout: Layout, misses: int | None) -> None:
        self._layout = layout
        self._misses = misses
        """Where in struct bpf_prog_info the kernel counts what it skipped; None before Linux 5.12."""
        self._fds: list[int] = []
        self._ring: bpf.Ring | None = None
        self._on: dict[str, tuple[int, Arguments]] = {}
        try:
            self._maps = Maps(
                namespaces=self._keep(bpf.create_map(bpf.MAP_HASH, 4, 4, _NAMESPACES_MAX)),
                ring=self._keep(bpf.create_map(bpf.MAP_RINGBUF, 0, 0, _RING_BYTES)),
                lost=self._keep(bpf.create_map(bpf.MAP_ARRAY, 4, 8, 1)),
            )
            self._ring = bpf.Ring(self._maps.ring, _RING_BYTES)
            for event in TRACEPOINTS:
                self._attach(event)
        except BaseException:
            self.close()
            raise
        self.events = tuple(self._on)
        """The tracepoints that are on; an older kernel lacks some."""
        self.reasoned = tuple(event for event, (_, have) in self._on.items() if event in REASONS and have.values)
        """Those of them that give a reason."""

    def __enter__(self) -> Tracing:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Trace nothing any more."""
        if self._ring:
            self._ring.close()
            self._ring = None
        while self._fds:
            os.close(self._fds.pop())

    def fileno(self) -> int:
        """Readable (poll(2)) when there are records."""
        return self._maps.ring

    def watch(self, netns: int) -> None:
        """Trace a namespace from now on, by its inode number, which is its own for as long as somebody holds it."""
        bpf.update(self._maps.namespaces, struct.pack("=I", netns), struct.pack("=I", 1))

    def forget(self, netns: int) -> None:
        """Trace a namespace no more; what it has left is still to be read."""
        with suppress(FileNotFoundError):
            bpf.delete(self._maps.namespaces, struct.pack("=I", netns))

    def read(self) -> list[TraceRecord]:
        """The records that have come since the last call, in the order in which the tracepoints were passed."""
        assert self._ring is not None
        return [decoded(self._layout, data, self.reasoned) for data in self._ring.read()]

    def lost(self) -> int:
        """How many records are missing so far: the ring was full, or a program was busy.

        The kernel skips a tracepoint that an interrupt passes while its program runs on the same processor;
        that may have been anybody's.
        """
        found: int = int.from_bytes(bpf.lookup(self._maps.lost, bytes(4), 8), sys.byteorder)
        if self._misses is not None:
            for fd, _ in self._on.values():
                found += int.from_bytes(bpf.info(fd, self._misses + 8)[-8:], sys.byteorder)
        return found

    def _keep(self, fd: int) -> int:
        self._fds.append(fd)
        return fd

    def _attach(self, event: str) -> None:
        """Switch a tracepoint on, with as many of its arguments as this kernel's has."""
        for have in TRACEPOINTS[event]:
            code = program(self._layout, event, have, self._maps)
            fd = self._keep(bpf.load(code))
            try:
                self._keep(bpf.attach(event, fd))
            except FileNotFoundError:
                return
            except OSError as error:
                if error.errno != errno.EINVAL:  # it has fewer
                    raise
            else:
                self._on[event] = fd, have
                return
