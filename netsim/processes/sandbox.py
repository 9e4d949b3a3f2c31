"""What a scenario's command may see and do. Scenario files come from strangers, and netsim runs as root.

A command lives in a root directory made for it: the system's programs and libraries, read-only, and
nothing else of this machine. There is no /home, no /run with its sockets, no device but /dev/null and
its like. What is not on a list here is not there: a new mount or a new directory of the host's is
hidden without anybody's doing. Python's own library may be among what is hidden: nothing here can
import once it is shut off, not even a text encoding, so files are read as bytes.
"""

from __future__ import annotations

import errno
import os
import re
import resource
import signal
from collections.abc import Mapping
from contextlib import suppress

from netsim.linux import syscalls

SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/etc", "/nix/store")
"""What a command sees of this machine, read-only. What only root may read there stays unreadable."""

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
ENVIRONMENT = {"PATH": PATH, "LANG": "C.UTF-8", "HOME": "/tmp"}  # noqa: S108 - the sandbox's own

RUN = "/run"
"""A directory for our own files in the sandbox; a command may read them."""
NOBODY = 65534

_DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
_STREAMS = {"fd": "fd", "stdin": "fd/0", "stdout": "fd/1", "stderr": "fd/2"}
_SCRATCH = ("/tmp", "/var/tmp", "/dev/shm")  # noqa: S108
_SCRATCH_LIMITS = "mode=1777,size=64m,nr_inodes=16k"
_WORKSHOP = "/tmp"  # noqa: S108 - where the new root is put together, in a mount namespace of our own
_QUIET = syscalls.MS_NOSUID | syscalls.MS_NODEV | syscalls.MS_NOEXEC

_CAP_NET_BIND_SERVICE, _CAP_NET_RAW = 10, 13
_KEPT = (_CAP_NET_BIND_SERVICE, _CAP_NET_RAW)
"""Ports below 1024, and ping and tcpdump: both within the node's network only."""
_PR_CAPBSET_DROP, _PR_SET_SECUREBITS, _PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE = 24, 28, 47, 2
_SECBITS = 1 << 0 | 1 << 1 | 1 << 4
"""NOROOT, locked: uid 0 has no rights by itself, which matters where it stays 0; KEEP_CAPS until exec."""
_PROCESSES_MAX = 4096
_FILES = 1024
"""The usual soft limit: programs that close or select() every possible descriptor choke on more."""


def shut_off(files: Mapping[str, str]) -> None:
    """Give this process a root directory and IPC of its own, with some files in it replaced; raises OSError.

    It must be in a new PID namespace already, whose /proc it gets, and is root until `drop_rights`.
    """
    syscalls.unshare(syscalls.CLONE_NEWNS | syscalls.CLONE_NEWIPC)
    syscalls.mount("none", "/", flags=syscalls.MS_REC | syscalls.MS_PRIVATE)
    syscalls.mount("tmpfs", _WORKSHOP, "tmpfs", syscalls.MS_NOSUID | syscalls.MS_NODEV, "mode=755,size=4m")
    for path in SYSTEM:
        _bring(path)
    _make_devices()
    for path, kind, options in (("/proc", "proc", "hidepid=2"), ("/sys", "sysfs", "")):
        os.mkdir(_WORKSHOP + path)
        syscalls.mount(kind, _WORKSHOP + path, kind, _QUIET, options)
    for path in ("/home", "/root", RUN, *_SCRATCH):
        os.makedirs(_WORKSHOP + path)
    os.symlink(RUN, f"{_WORKSHOP}/var/run")
    _move_in()
    for path, text in files.items():
        _replace(path, text)


def seal() -> None:
    """Make all of the sandbox read-only, but for its scratch directories."""
    _make_read_only("/")
    for path in _SCRATCH:
        syscalls.mount("tmpfs", path, "tmpfs", syscalls.MS_NOSUID | syscalls.MS_NODEV, _SCRATCH_LIMITS)


def drop_rights() -> None:
    """Become nobody, for good, and start anew what a program inherits; an exec is to follow."""
    os.setsid()
    for which in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        signal.signal(which, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(_FILES, most), most))
    resource.setrlimit(resource.RLIMIT_NPROC, (_PROCESSES_MAX, _PROCESSES_MAX))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.umask(0o022)
    os.chdir(ENVIRONMENT["HOME"])
    syscalls.leave_session_keyring()
    _forget_capabilities()
    syscalls.prctl(_PR_SET_SECUREBITS, _SECBITS)
    if is_mapped(NOBODY):
        os.setgroups([])
        os.setresgid(NOBODY, NOBODY, NOBODY)
        os.setresuid(NOBODY, NOBODY, NOBODY)
    syscalls.set_capabilities(_KEPT)
    for number in _KEPT:
        syscalls.prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, number)
    syscalls.no_new_privileges()


def _bring(path: str) -> None:
    """Have a directory of the host's in the new root, read-only; a link stays a link."""
    target = _WORKSHOP + path
    if os.path.islink(path):
        os.symlink(os.readlink(path), target)
    elif os.path.isdir(path):
        os.makedirs(target)
        syscalls.mount(path, target, flags=syscalls.MS_BIND | syscalls.MS_REC)
        _make_read_only(target, devices=False)


def _make_devices() -> None:
    os.mkdir(f"{_WORKSHOP}/dev")
    for name in _DEVICES:
        if os.path.exists(f"/dev/{name}"):
            os.close(os.open(f"{_WORKSHOP}/dev/{name}", os.O_CREAT | os.O_CLOEXEC))
            syscalls.mount(f"/dev/{name}", f"{_WORKSHOP}/dev/{name}", flags=syscalls.MS_BIND)
    for name, target in _STREAMS.items():
        os.symlink(f"/proc/self/{target}", f"{_WORKSHOP}/dev/{name}")


def _move_in() -> None:
    """Make the workshop the root, and let go of everything outside it."""
    os.chdir(_WORKSHOP)
    try:
        syscalls.pivot_root(".", ".")
        syscalls.unmount(".")
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        syscalls.mount(".", "/", flags=syscalls.MS_MOVE)  # an initramfs is no root that could be pivoted
        os.chroot(".")
    os.chdir("/")


def _replace(path: str, text: str) -> None:
    """Put a text in the place of a file that is there."""
    if os.path.exists(path):
        own = f"{RUN}/{os.path.basename(path)}"
        with open(own, "xb") as file:
            file.write(text.encode())
        syscalls.mount(own, path, flags=syscalls.MS_BIND)


def _make_read_only(path: str, devices: bool = True) -> None:
    try:
        syscalls.make_read_only(path, devices)
    except OSError as error:
        if error.errno != errno.ENOSYS:
            raise
        for mount, flags in _mounts_below(path):
            now = syscalls.MS_RDONLY | syscalls.MS_NOSUID | (0 if devices else syscalls.MS_NODEV)
            syscalls.mount("none", mount, flags=flags | now | syscalls.MS_REMOUNT | syscalls.MS_BIND)


def _mounts_below(path: str) -> list[tuple[str, int]]:
    """The mounts at and below a path with those of their flags that a remount would lose (proc(5), mountinfo)."""
    words = {b"nosuid": syscalls.MS_NOSUID, b"nodev": syscalls.MS_NODEV, b"noexec": syscalls.MS_NOEXEC}
    found = []
    with open("/proc/self/mountinfo", "rb") as file:
        for line in file:
            fields = line.split()
            mount = os.fsdecode(re.sub(rb"\\([0-7]{3})", lambda octal: bytes([int(octal[1], 8)]), fields[4]))
            if mount == path or mount.startswith(path.rstrip("/") + "/"):
                options = fields[5].split(b",")
                found.append((mount, sum(flag for word, flag in words.items() if word in options)))
    return found


def _forget_capabilities() -> None:
    """Drop all that no program of ours shall ever have again from the bounding set (capabilities(7))."""
    with suppress(OSError):  # EINVAL behind the last one that this kernel knows
        for number in range(64):
            if number not in _KEPT:
                syscalls.prctl(_PR_CAPBSET_DROP, number)


def is_mapped(uid: int) -> bool:
    """Tell whether there is such a user here: in a user namespace of an ordinary user's there may be uid 0 only."""
    with open("/proc/self/uid_map", "rb") as file:
        spans = [[int(word) for word in line.split()] for line in file]
    return any(first <= uid < first + count for first, _, count in spans)
