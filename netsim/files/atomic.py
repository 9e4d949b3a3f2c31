"""Writes a file atomically: it is there as a whole, or whatever was there before still is."""

from __future__ import annotations

import errno
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO

from netsim.errors import HostError, InputError, NetsimError
from netsim.files.text import label

_FULL = {errno.ENOSPC: "no space is left on the disk", errno.EDQUOT: "your disk quota is used up"}
_REFUSED = {
    errno.ENOENT: "there is no such directory; make it first",
    errno.ENOTDIR: "a part of its path is no directory; name another one",
    errno.EACCES: "permission denied; choose a directory that you may write to",
    errno.EPERM: "permission denied; choose a directory that you may write to",
    errno.ENAMETOOLONG: "the name is too long for a file; choose a shorter one",
    errno.ELOOP: "its symbolic links lead in a circle; name the real directory",
}


def check_target(path: Path) -> None:
    """See to it that a file can be written there, before the work whose result it will hold.

    Raises InputError or HostError.
    """
    with _explained(path), suppress(FileNotFoundError):
        status = path.lstat()
        if not stat.S_ISREG(status.st_mode):
            # To put a file in its place would destroy it: /dev/null is not the user's to lose.
            raise InputError(f"{label(path)}: this is no regular file, and is left alone; choose another name")
    with _explained(path):
        descriptor, name = _create(path)
        os.close(descriptor)
        name.unlink()


@contextmanager
def replaced(path: Path) -> Iterator[TextIO]:
    """Write a text beside the target and then put it in its place; when anything fails, nothing changes.

    A new file belongs to whoever called sudo, an existing one keeps its owner and mode.
    Raises InputError or HostError.
    """
    check_target(path)
    with _explained(path):
        descriptor, name = _create(path)
        try:
            with open(descriptor, "w", encoding="utf-8", errors="replace", newline="\n") as file:
                _give_away(descriptor, path)
                yield file
            name.replace(path)
        except BaseException:
            with suppress(OSError):
                name.unlink()
            raise


def _create(path: Path) -> tuple[int, Path]:
    """Make an empty file of a fresh name in the target's directory."""
    name = path.parent / f".netsim-{secrets.token_hex(8)}.tmp"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    return os.open(name, flags, 0o666), name


def _give_away(descriptor: int, path: Path) -> None:
    with suppress(OSError):  # a file system without owners, or none of ours: then it stays as it is
        try:
            old = path.lstat()
        except FileNotFoundError:
            user, group = os.environ.get("SUDO_UID", ""), os.environ.get("SUDO_GID", "")
            if os.geteuid() == 0 and user.isdecimal() and group.isdecimal():
                os.fchown(descriptor, int(user), int(group))
        else:
            os.fchown(descriptor, old.st_uid, old.st_gid)
            os.fchmod(descriptor, stat.S_IMODE(old.st_mode) & 0o777)


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except NetsimError:
        raise
    except (OSError, ValueError) as error:
        number = error.errno or 0 if isinstance(error, OSError) else 0
        if number in _FULL:
            raise HostError(
                f"{label(path)} was not written: {_FULL[number]}; free some, or choose another directory"
            ) from None
        if number in _REFUSED:
            raise InputError(f"{label(path)} cannot be written: {_REFUSED[number]}") from None
        if isinstance(error, OSError):
            raise HostError(f"{label(path)} was not written: {error.strerror}") from None
        raise InputError(f"{label(path)} cannot be written: {error}") from None
