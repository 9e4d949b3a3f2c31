"""System calls that Python's os module does not have, or has only in later versions."""

from __future__ import annotations

import ctypes
import gc
import os
import resource
import signal
import struct
from collections.abc import Iterable

CLONE_NEWNS = 0x00020000
CLONE_NEWIPC = 0x08000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_REMOUNT = 1, 2, 4, 8, 32
MS_BIND, MS_MOVE, MS_REC, MS_PRIVATE, MS_SLAVE = 4096, 8192, 16384, 1 << 18, 1 << 19

_libc = ctypes.CDLL(None, use_errno=True)
_FSOPEN, _FSCONFIG, _FSMOUNT, _MOUNT_SETATTR = 430, 431, 432, 442  # the same on every architecture
_FSCONFIG_CMD_CREATE = 6
_PR_SET_PDEATHSIG, _PR_SET_NO_NEW_PRIVS = 1, 38
_AT_FDCWD, _AT_RECURSIVE = -100, 0x8000
_MOUNT_ATTR_RDONLY, _MOUNT_ATTR_NOSUID, _MOUNT_ATTR_NODEV = 1, 2, 4
_MNT_DETACH = 2
_CAPABILITY_VERSION_3 = 0x20080522
_KEYCTL_JOIN_SESSION_KEYRING = 1
_KEYCTL = {"x86_64": 250, "aarch64": 219, "riscv64": 219, "loongarch64": 219, "ppc64le": 271, "s390x": 280}


def _check(result: int, what: str) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
    return result


def unshare(flags: int) -> None:
    """unshare(2)."""
    _check(_libc.unshare(flags), "unshare")


def setns(fd: int, kind: int = CLONE_NEWNET) -> None:
    """setns(2): the calling thread enters the namespace behind a descriptor."""
    _check(_libc.setns(fd, kind), "setns")


def mount(source: str, target: str, kind: str = "", flags: int = 0, data: str = "") -> None:
    """mount(2)."""
    _check(_libc.mount(source.encode(), target.encode(), kind.encode(), flags, data.encode()), f"mount {target}")


def mount_detached(kind: str) -> int:
    """Mount a file system that no path leads to (Linux 5.2); it goes when its descriptor is closed."""
    context = _check(_libc.syscall(_FSOPEN, kind.encode(), 1), f"fsopen {kind}")
    try:
        _check(_libc.syscall(_FSCONFIG, context, _FSCONFIG_CMD_CREATE, None, None, 0), f"fsconfig {kind}")
        return _check(_libc.syscall(_FSMOUNT, context, 1, 0), f"fsmount {kind}")
    finally:
        os.close(context)


class _MountAttr(ctypes.Structure):
    _fields_ = tuple((name, ctypes.c_uint64) for name in ("attr_set", "attr_clr", "propagation", "userns_fd"))


def make_read_only(path: str, devices: bool = True) -> None:
    """Make a mount and all below it read-only, without set-id programs, and without device nodes where told so.

    mount_setattr(2), Linux 5.12; OSError ENOSYS before.
    """
    attr = _MountAttr(_MOUNT_ATTR_RDONLY | _MOUNT_ATTR_NOSUID | (0 if devices else _MOUNT_ATTR_NODEV), 0, 0, 0)
    size = ctypes.sizeof(attr)
    done = _libc.syscall(_MOUNT_SETATTR, _AT_FDCWD, path.encode(), _AT_RECURSIVE, ctypes.byref(attr), size)
    _check(done, f"mount_setattr {path}")


def unmount(path: str) -> None:
    """Take a mount, and all below it, out of this process's sight at once (umount2(2), MNT_DETACH)."""
    _check(_libc.umount2(path.encode(), _MNT_DETACH), f"umount {path}")


def pivot_root(new: str, old: str) -> None:
    """pivot_root(2)."""
    _check(_libc.pivot_root(new.encode(), old.encode()), f"pivot_root {new}")


def set_capabilities(capabilities: Iterable[int]) -> None:
    """Have these capabilities, by number, and no others: effective, permitted and inheritable (capset(2))."""
    mask = sum(1 << number for number in capabilities)
    header = struct.pack("=Ii", _CAPABILITY_VERSION_3, 0)
    low, high = mask & 0xFFFFFFFF, mask >> 32
    _check(_libc.capset(header, struct.pack("=6I", low, low, low, high, high, high)), "capset")


def leave_session_keyring() -> None:
    """Begin an empty session keyring: the one that was inherited may hold a person's tickets (keyrings(7))."""
    number = _KEYCTL.get(os.uname().machine)
    if number is not None:  # a kernel without keyrings says ENOSYS, and there is nothing to leave
        _libc.syscall(number, _KEYCTL_JOIN_SESSION_KEYRING, None)


def prctl(option: int, *args: int) -> int:
    """prctl(2)."""
    words = [ctypes.c_ulong(arg) for arg in (*args, 0, 0, 0, 0)[:4]]
    return _check(_libc.prctl(option, *words), "prctl")


def die_with_parent(parent: int) -> None:
    """Have the kernel kill this process when its parent dies, and do so now if that has happened."""
    prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def close_all_but(keep: set[int]) -> None:
    """Close what a forked process has inherited: a namespace or a channel lives as long as anybody holds it.

    Python objects that own what is closed are never finalised from now on: by then their descriptors' numbers may be
    somebody else's.
    """
    gc.freeze()
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    first = 0
    for fd in (*sorted(keep), limit):
        if fd > first:  # closerange() takes an empty range at 0 for everything
            os.closerange(first, fd)
        first = fd + 1


def no_new_privileges() -> None:
    """Make sure that no exec gives this process rights that it does not have (no setuid programs)."""
    prctl(_PR_SET_NO_NEW_PRIVS, 1)
