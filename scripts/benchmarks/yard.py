"""A place apart to measure in: an empty network, an empty /run, gone with the process even if it is killed."""

from __future__ import annotations

import os
import socket
import struct
import time
from pathlib import Path

from netsim.linux import links, syscalls
from netsim.linux.keeper_state import current_namespace
from netsim.linux.netlink import Netlink
from netsim.model.plan import Interface

_DELLINK, _LINK_GROUP = 17, 1
_FIRST_INDEX = 90
_LIMIT_S = 120.0


def enter() -> None:
    """Leave the host's network and its /run for one's own: whatever is made from now on is not the host's."""
    syscalls.unshare(syscalls.CLONE_NEWNET | syscalls.CLONE_NEWNS)
    syscalls.mount("none", "/", flags=syscalls.MS_REC | syscalls.MS_PRIVATE)
    syscalls.mount("bench", "/run", "tmpfs", data="mode=755")
    Path("/run/netns").mkdir()


def settle() -> float:
    """Wait until the kernel has done away with every namespace that was dropped; gives the seconds.

    A namespace that a socket held goes when RCU lets go of that, CPU by CPU, each in order; then the
    kernel clears away in the background, one batch after the other. So a namespace dropped now from
    every CPU is in the last batch or behind it, and one dropped after those is behind it.
    """
    begin = time.perf_counter()
    cpus = os.sched_getaffinity(0)
    try:
        _drop_and_see_gone(cpus)
        _drop_and_see_gone({min(cpus)})
    finally:
        os.sched_setaffinity(0, cpus)
    return time.perf_counter() - begin


def _drop_and_see_gone(cpus: set[int]) -> None:
    home = current_namespace()
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, 0) as news:
        news.bind((0, _LINK_GROUP))
        news.settimeout(_LIMIT_S)
        canaries = {cpu: _canary(home, _FIRST_INDEX + cpu) for cpu in cpus}
        for cpu, last_hold in canaries.items():
            os.sched_setaffinity(0, {cpu})
            last_hold.close()
        alive = {_FIRST_INDEX + cpu for cpu in cpus}
        while alive:
            kind, index = struct.unpack_from("=4xH14xi", news.recv(1 << 16))  # nlmsghdr, ifinfomsg; one at a time
            if kind == _DELLINK:
                alive.discard(index)
    os.close(home)


def _canary(home: int, index: int) -> Netlink:
    """A namespace that only the returned socket holds; the veth here with this index goes with it."""
    syscalls.unshare(syscalls.CLONE_NEWNET)
    there = current_namespace()
    last_hold = Netlink("canary")
    syscalls.setns(home)
    near, far = (Interface(f"{name}{index}", index, 0, "", None, 0) for name in ("near", "far"))
    here = Netlink("bench")
    here.transact([links.cable(near, home, far, there, "near -- far")])
    here.close()
    os.close(there)
    return last_hold
