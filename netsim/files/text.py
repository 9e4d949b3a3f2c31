"""Reads a text file the way a program that may run as root should: never blocked, never flooded."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO

from netsim.errors import InputError
from netsim.model.names import shown

LIMIT_BYTES = 1 << 20
"""How large a scenario file may be; shipped ones have some 3 KB."""

_MEANINGS = {
    errno.ENOENT: "there is no such file; check the spelling, or see 'netsim list'",
    errno.ENOTDIR: "there is no such file, as a part of its path is no directory",
    errno.EACCES: "permission denied; make it readable with chmod, or copy it",
    errno.ELOOP: "its symbolic links lead in a circle; name the real file",
    errno.ENAMETOOLONG: "the name is too long for a file",
}
_KINDS = {
    stat.S_IFDIR: "a directory",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def label(path: Path) -> str:
    """A path for a message: as it is where it is plain to read, else quoted."""
    text = str(path)
    return text if text.isprintable() and len(text) <= 200 else shown(text, 200)


def open_regular(path: Path) -> BinaryIO:
    """Open a regular file for reading, and nothing else; raises InputError."""
    try:
        # Looked at before it is opened: merely opening some devices does something.
        _refuse_special(path, os.stat(path).st_mode)
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        said = _MEANINGS.get(error.errno or 0) or f"it cannot be read: {error.strerror}"
        raise InputError(f"{label(path)}: {said}") from None
    except ValueError:
        raise InputError(f"{label(path)}: a file name cannot hold a NUL character") from None
    file = os.fdopen(descriptor, "rb")
    try:
        _refuse_special(path, os.fstat(descriptor).st_mode)
    except InputError:
        file.close()
        raise
    return file


def read_text(path: Path) -> str:
    """Read a UTF-8 text of at most `LIMIT_BYTES`, its lines ended by newlines; raises InputError."""
    with open_regular(path) as file:
        size = os.fstat(file.fileno()).st_size
        try:
            # Files of /proc say that they are empty and are not, so the size alone proves nothing.
            content = b"" if size > LIMIT_BYTES else file.read(LIMIT_BYTES + 1)
        except OSError as error:
            raise InputError(f"{label(path)}: it cannot be read: {error.strerror}") from None
    if max(size, len(content)) > LIMIT_BYTES:
        found = f"it has {size:,} bytes" if size > LIMIT_BYTES else "it is larger"
        raise InputError(f"{label(path)}: a scenario has at most {LIMIT_BYTES:,} bytes, and {found}")
    try:
        return content.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
    except UnicodeDecodeError as error:
        before = content[: error.start].decode("utf-8-sig", "replace")
        line, column = before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1
        byte = content[error.start]
        raise InputError(
            f"{label(path)}:{line}:{column}: byte 0x{byte:02x} is no UTF-8 text; save the file as UTF-8"
        ) from None


def _refuse_special(path: Path, mode: int) -> None:
    if not stat.S_ISREG(mode):
        kind = _KINDS.get(stat.S_IFMT(mode), "no regular file")
        raise InputError(f"{label(path)}: this is {kind}; name a text file")
