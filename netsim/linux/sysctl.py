"""Sysctls of the current namespace, through a procfs of one's own.

The host's /proc gets slower with every namespace that wrote through it; a detached mount of its
own is quick, and is renewed now and then.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping

from netsim.errors import LabError
from netsim.linux import syscalls

Settings = dict[str, Mapping[str, str]]
"""Sysctls and their values, by the kind of node."""

_WRITES_PER_MOUNT = 256


class Sysctls:
    """Reads and writes /proc/sys/net as the namespace that the process is in at that moment has it."""

    def __init__(self) -> None:
        self._proc = -1
        self._left = 0

    def _mounted(self) -> int:
        if self._left <= 0:
            self.close()
            try:
                self._proc = syscalls.mount_detached("proc")
            except OSError:  # before Linux 5.2, or in a container
                self._proc = os.open("/proc", os.O_DIRECTORY | os.O_CLOEXEC)
            self._left = _WRITES_PER_MOUNT
        self._left -= 1
        return self._proc

    def read(self, key: str) -> str | None:
        """The value, with single blanks; None where this kernel has no such sysctl."""
        try:
            fd = os.open(_path(key), os.O_RDONLY | os.O_CLOEXEC, dir_fd=self._mounted())
        except FileNotFoundError:
            return None
        try:
            return " ".join(os.read(fd, 4096).decode().split())
        finally:
            os.close(fd)

    def write(self, node: str, key: str, value: str) -> None:
        """Set a sysctl of the namespace's own; raises LabError."""
        if os.path.normpath(_path(key)).split("/")[:2] != ["sys", "net"]:
            raise LabError(f"set sysctl {key} = {value}", node, errno.EPERM, "it is the host's, and no network's")
        try:
            fd = os.open(_path(key), os.O_WRONLY | os.O_CLOEXEC, dir_fd=self._mounted())
            try:
                os.write(fd, value.encode())
            finally:
                os.close(fd)
        except OSError as error:
            missing = "this kernel has no such sysctl in a network namespace" if error.errno == 2 else ""
            raise LabError(f"set sysctl {key} = {value}", node, error.errno or 0, missing) from error

    def close(self) -> None:
        if self._proc >= 0:
            os.close(self._proc)
            self._proc = -1


def _path(key: str) -> str:
    return "sys/" + key.replace(".", "/")


def baseline(sysctls: Sysctls, uses_ipv6: bool) -> Settings:
    """What must be written in a fresh namespace so that a lab does not depend on its host, by kind of node.

    A namespace inherits some sysctls from the host: those are read once, in a fresh namespace, and
    only what differs is written in all of them. Sizes are the kernel's own defaults for 4 GiB of memory.
    """
    wanted = {
        "net.ipv4.tcp_rmem": "4096 131072 6291456",
        "net.ipv4.tcp_wmem": "4096 16384 4194304",
        "net.ipv4.tcp_congestion_control": "reno",  # the only one that every kernel has and lets a namespace set
        "net.ipv4.conf.all.rp_filter": "0",
        "net.ipv4.conf.default.rp_filter": "0",
        "net.ipv6.conf.all.disable_ipv6": "0" if uses_ipv6 else "1",
    }
    found: Settings = {}
    for kind in ("host", "router", "switch"):
        forwards = "1" if kind == "router" else "0"
        of_kind = {"net.ipv4.ip_forward": forwards, **wanted}
        if uses_ipv6:
            of_kind["net.ipv6.conf.all.forwarding"] = forwards
        inherited = {key: sysctls.read(key) for key in of_kind}
        found[kind] = {k: v for k, v in of_kind.items() if inherited[k] is not None and inherited[k] != v}
    return found
