"""What a lab has made outside its own processes, written down before it is made.

A directory per lab under the engine's state directory; in it the journal, one JSON object a line. The
lab's keeper holds a lock on it for as long as it lives: a journal that can be locked belongs to a lab
whose keeper is dead, and `netsim clean` gives back what it names.
"""

from __future__ import annotations

import fcntl
import json
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from netsim.errors import HostError, InputError

_JOURNAL = "journal"
_FLOCK = struct.Struct("hhqqi4x")
"""struct flock of fcntl(2): type, whence, start, length, pid."""


@dataclass(frozen=True, slots=True)
class Journal:
    """The open, locked journal of one lab."""

    lab: str
    directory: Path
    fd: int

    def note(self, kind: str, **what: object) -> None:
        """Write down something that is about to be made."""
        os.write(self.fd, json.dumps({"made": kind, **what}).encode() + b"\n")

    def entries(self) -> list[dict[str, Any]]:
        """What it names. Read by our own descriptor: to close any other would give up the lock (fcntl_locking(2))."""
        return _entries(os.pread(self.fd, os.fstat(self.fd).st_size, 0))

    def erase(self) -> None:
        """Remove the lab's directory, when everything that it names is given back."""
        with state_locked(self.directory.parent):
            for name in os.listdir(self.directory):
                (self.directory / name).unlink()
            self.directory.rmdir()
        os.close(self.fd)
        remove_if_empty(self.directory.parent)


def open_journal(lab: str, state: Path) -> Journal:
    """Begin the journal of a new lab; raises InputError where one of that name stands already."""
    directory = state / lab
    with state_locked(state, make=True):
        try:
            directory.mkdir(mode=0o755)
        except FileExistsError:
            raise InputError(
                f"a lab called {lab} is standing already; 'netsim down {lab}' ends it, or give this one "
                "another name with --lab"
            ) from None
        except OSError as error:
            raise HostError(f"cannot make {directory}: {error.strerror}") from error
        journal = _lock(lab, directory, os.O_CREAT | os.O_EXCL)
    assert journal is not None
    return journal


def claim_dead(state: Path) -> Iterator[tuple[Journal, list[dict[str, Any]]]]:
    """Yield the journal of every lab whose keeper is dead, locked, with what it names."""
    for lab in labs(state):
        try:
            with state_locked(state):
                journal = _lock(lab, state / lab, os.O_CREAT)
        except FileNotFoundError:  # the last lab went, and the state directory with it
            return
        if journal is not None:
            yield journal, journal.entries()


def is_alive(lab: str, state: Path) -> bool:
    """Tell whether a lab's keeper lives."""
    return keeper_pid(lab, state) is not None


def keeper_pid(lab: str, state: Path) -> int | None:
    """The process that holds a lab's journal locked; None where nobody does. Raises PermissionError without root."""
    try:
        fd = os.open(state / lab / _JOURNAL, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        answer = fcntl.fcntl(fd, fcntl.F_GETLK, _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0))
        kind, _, _, _, pid = _FLOCK.unpack(answer)
        return pid if kind != fcntl.F_UNLCK else None
    finally:
        os.close(fd)


def labs(state: Path) -> list[str]:
    """The names of all labs that stand, or that a dead keeper left."""
    try:
        return sorted(entry.name for entry in os.scandir(state) if entry.is_dir(follow_symlinks=False))
    except FileNotFoundError:
        return []


def read_journal(lab: str, state: Path) -> list[dict[str, Any]]:
    """What another lab's journal names, in the order in which it was made."""
    try:
        return _entries((state / lab / _JOURNAL).read_bytes())
    except FileNotFoundError:  # it went while we looked, or has not begun
        return []


def _entries(data: bytes) -> list[dict[str, Any]]:
    """A line cut short counts for nothing."""
    return [json.loads(line) for line in data.splitlines(keepends=True) if line.endswith(b"\n")]


def _lock(lab: str, directory: Path, flags: int) -> Journal | None:
    try:
        fd = os.open(directory / _JOURNAL, os.O_RDWR | os.O_APPEND | os.O_CLOEXEC | flags, 0o600)
    except FileNotFoundError:  # it went while we looked
        return None
    try:
        fcntl.lockf(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(fd)
        return None
    return Journal(lab, directory, fd)


@contextmanager
def state_locked(state: Path, make: bool = False) -> Iterator[None]:
    """Hold the state directory itself locked; it may be removed and made anew by others meanwhile."""
    while True:
        if make:
            try:
                state.mkdir(mode=0o755, parents=True, exist_ok=True)
            except OSError as error:
                raise HostError(f"cannot make {state}: {error.strerror}") from error
        try:
            fd = os.open(state, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except FileNotFoundError:
            if make:
                continue
            raise
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            try:
                same = os.path.samestat(os.fstat(fd), os.stat(state))
            except FileNotFoundError:
                same = False
            if same or not make:
                yield
                return
        finally:
            os.close(fd)


def remove_if_empty(state: Path) -> None:
    """Remove the state directory behind the last lab."""
    with suppress(OSError), state_locked(state):  # other labs stand, or another has removed it
        state.rmdir()
