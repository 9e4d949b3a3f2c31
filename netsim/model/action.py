"""What one step does, as a typed value. `str` gives what is written behind its verb (netsim/model/verbs.py).

An action of a process is carried out by netsim/processes, a fault by its file in netsim/faults; a test
holds the three together.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from typing import Literal

from netsim.model.duration import write_duration
from netsim.model.firewall import Rule

Who = Literal["process", "node", "link", "lab"]

SIZE_MAX = 1 << 30
WAIT_MAX_S = 10 * 24 * 3600.0
"""Ten days: the longest timers of TCP end within hours."""
DEFAULT_BACKLOG = 128
DEFAULT_RECV = 65536
CONNECTION, LISTENER = "connection", "listener"
"""What a socket is called where the script does not say."""


def _on(socket: str, default: str = CONNECTION, word: str = " on ") -> str:
    return "" if socket == default else f"{word}{socket}"


@dataclass(frozen=True, slots=True)
class Listen:
    port: int
    backlog: int = DEFAULT_BACKLOG
    socket: str = LISTENER

    def __str__(self) -> str:
        backlog = "" if self.backlog == DEFAULT_BACKLOG else f" backlog {self.backlog}"
        return f"{self.port}{backlog}{_on(self.socket, LISTENER, ' as ')}"


@dataclass(frozen=True, slots=True)
class Bind:
    port: int
    socket: str = CONNECTION

    def __str__(self) -> str:
        return f"{self.port}{_on(self.socket)}"


@dataclass(frozen=True, slots=True)
class Connect:
    host: str
    port: int
    socket: str = CONNECTION

    def __str__(self) -> str:
        return f"{self.host}:{self.port}{_on(self.socket, CONNECTION, ' as ')}"


@dataclass(frozen=True, slots=True)
class Accept:
    listener: str = LISTENER
    socket: str = CONNECTION

    def __str__(self) -> str:
        return f"{_on(self.listener, LISTENER)}{_on(self.socket, CONNECTION, ' as ')}".strip()


@dataclass(frozen=True, slots=True)
class Send:
    size: int
    socket: str = CONNECTION

    def __str__(self) -> str:
        return f"{self.size}{_on(self.socket)}"


@dataclass(frozen=True, slots=True)
class Recv:
    size: int = DEFAULT_RECV
    waitall: bool = False
    socket: str = CONNECTION

    def __str__(self) -> str:
        size = "" if self.size == DEFAULT_RECV else f"{self.size}"
        return f"{size}{' waitall' * self.waitall}{_on(self.socket)}".strip()


@dataclass(frozen=True, slots=True)
class Shutdown:
    how: Literal["rd", "wr", "rdwr"]
    socket: str = CONNECTION

    def __str__(self) -> str:
        return f"{self.how}{_on(self.socket)}"


@dataclass(frozen=True, slots=True)
class Close:
    socket: str = CONNECTION

    def __str__(self) -> str:
        return "" if self.socket == CONNECTION else self.socket


@dataclass(frozen=True, slots=True)
class SetOption:
    option: str
    """setsockopt()'s name without SO_ and TCP_, in small letters."""
    value: str
    """`on`, `off`, a duration, seconds or bytes, as the option asks."""
    socket: str = CONNECTION

    def __str__(self) -> str:
        return f"{self.option} {self.value}{_on(self.socket)}"


@dataclass(frozen=True, slots=True)
class Poll:
    events: tuple[str, ...] = ()
    socket: str = CONNECTION

    def __str__(self) -> str:
        return f"{' '.join(self.events)}{_on(self.socket)}".strip()


@dataclass(frozen=True, slots=True)
class FetchError:
    socket: str = CONNECTION

    def __str__(self) -> str:
        return _on(self.socket).strip()


@dataclass(frozen=True, slots=True)
class SetSignal:
    signal: str
    disposition: Literal["default", "ignore"]

    def __str__(self) -> str:
        return f"{self.signal} {self.disposition}"


@dataclass(frozen=True, slots=True)
class Kill:
    signal: str = "SIGKILL"

    def __str__(self) -> str:
        return "" if self.signal == "SIGKILL" else self.signal


@dataclass(frozen=True, slots=True)
class Finish:
    def __str__(self) -> str:
        return ""


@dataclass(frozen=True, slots=True)
class Run:
    argv: tuple[str, ...]

    def __str__(self) -> str:
        return re.sub(r"(?<!\S)=(?!\S)", "'='", shlex.join(self.argv))  # a bare '=' would begin the step's result


@dataclass(frozen=True, slots=True)
class Cut:
    to: str | None = None
    """The end where nothing arrives any more; None for both."""

    def __str__(self) -> str:
        return f"to {self.to}" if self.to else ""


@dataclass(frozen=True, slots=True)
class Heal:
    def __str__(self) -> str:
        return ""


@dataclass(frozen=True, slots=True)
class Crash:
    def __str__(self) -> str:
        return ""


@dataclass(frozen=True, slots=True)
class Boot:
    def __str__(self) -> str:
        return ""


@dataclass(frozen=True, slots=True)
class AddRule:
    rule: Rule

    def __str__(self) -> str:
        return f"{self.rule.chain or ''} {self.rule.body.partition(' ')[2]}".strip()


@dataclass(frozen=True, slots=True)
class SetSysctl:
    key: str
    value: str

    def __str__(self) -> str:
        return f"{self.key}={self.value}"


@dataclass(frozen=True, slots=True)
class Wait:
    duration_s: float

    def __str__(self) -> str:
        return write_duration(self.duration_s)


Call = (
    Listen | Bind | Connect | Accept | Send | Recv | Shutdown | Close | SetOption | Poll | FetchError | SetSignal
)  # fmt: skip
"""What a scripted process does by one system call."""
Process = Call | Kill | Finish | Run
Fault = Cut | Heal | Crash | Boot | AddRule | SetSysctl
Action = Process | Fault | Wait
