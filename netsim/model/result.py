"""What a call or a program came to, and how it is written in a script: `ok`, `5`, `ECONNRESET`, `eof`, `IN HUP`."""

from __future__ import annotations

import errno
import re
import signal
from dataclasses import dataclass

from netsim.errors import InputError
from netsim.model.names import nearest, shown

POLL_EVENTS = ("IN", "PRI", "OUT", "ERR", "HUP", "RDHUP")
ERRNOS = frozenset(errno.errorcode.values()) - {"EDEADLOCK"}
SIGNALS = frozenset(s.name for s in signal.valid_signals() if isinstance(s, signal.Signals))


@dataclass(frozen=True, slots=True)
class Ok:
    """Success of a call that has nothing else to say."""

    def __str__(self) -> str:
        return "ok"


@dataclass(frozen=True, slots=True)
class Count:
    """Bytes that were sent or received."""

    number: int

    def __str__(self) -> str:
        return str(self.number)


@dataclass(frozen=True, slots=True)
class Errno:
    """An error by its name, errno(3)."""

    name: str

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class Eof:
    """The end of what the peer sends: recv() gave 0."""

    def __str__(self) -> str:
        return "eof"


@dataclass(frozen=True, slots=True)
class TimedOut:
    """The call had not returned when it was given up, or the program's own limit was up and nothing had happened."""

    def __str__(self) -> str:
        return "timeout"


@dataclass(frozen=True, slots=True)
class Ready:
    """The events that poll() reported."""

    events: tuple[str, ...]

    def __str__(self) -> str:
        return " ".join(self.events)


@dataclass(frozen=True, slots=True)
class Exited:
    """A process ended by itself, with this code."""

    code: int

    def __str__(self) -> str:
        return f"exit {self.code}"


@dataclass(frozen=True, slots=True)
class Signalled:
    """A process was ended by a signal, in or between its calls."""

    signal: str

    def __str__(self) -> str:
        return f"signal {self.signal}"


Result = Ok | Count | Errno | Eof | TimedOut | Ready | Exited | Signalled


def parse_result(text: str) -> Result:
    """Read a result; raises InputError."""
    words = text.split()
    plain: dict[str, Result] = {"ok": Ok(), "eof": Eof(), "timeout": TimedOut()}
    if text in plain:
        return plain[text]
    if re.fullmatch(r"[0-9]{1,12}", text):
        return Count(int(text))
    if text in ERRNOS:
        return Errno(text)
    if len(words) == 2 and words[0] == "signal" and words[1] in SIGNALS:
        return Signalled(words[1])
    if len(words) == 2 and words[0] == "exit" and re.fullmatch(r"[0-9]{1,3}", words[1]) and int(words[1]) < 256:
        return Exited(int(words[1]))
    if words and all(word in POLL_EVENTS for word in words):
        return Ready(tuple(event for event in POLL_EVENTS if event in words))
    if re.fullmatch(r"E[A-Z0-9]+", text):
        raise InputError(f"unknown errno {text}{nearest(text, ERRNOS) or '; see errno(3)'}")
    hint = nearest(text, {"ok", "eof", "timeout", *ERRNOS})
    raise InputError(
        f"{shown(text)} is no result; a result is ok, a number, an errno such as ECONNRESET, eof, timeout, "
        f"'signal SIGPIPE', 'exit 1' or poll events such as 'IN HUP'{hint}"
    )


def matches(expected: Result, observed: Result) -> bool:
    """Compare with what was expected: `ok` takes an `exit 0` too, and `exit 141` a death by SIGPIPE (128 + 13)."""
    if expected == observed or (expected == Ok() and observed == Exited(0)):
        return True
    return isinstance(observed, Signalled) and expected == Exited(shell_status(observed) or -1)


def shell_status(ended: Signalled) -> int | None:
    """Give the exit status that sh(1) reports for a death by signal; None for a signal without a number here."""
    number = signal.Signals.__members__.get(ended.signal)
    return None if number is None else 128 + number


def ending(status: int) -> Exited | Signalled:
    """Read a waitpid(2) status."""
    import os

    code = os.waitstatus_to_exitcode(status)
    return Exited(code) if code >= 0 else Signalled(signal_name(-code))


_SIGRTMIN = 34


def signal_name(number: int) -> str:
    """Name a signal; a real-time one without a name of its own counts from SIGRTMIN (signal(7))."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"SIGRTMIN+{number - _SIGRTMIN}"
