"""Why: causes, the events that prove them, and whom they hurt. Sentences are plain text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from netsim.model.endpoint import Endpoint
from netsim.model.result import Errno, Result

Verdict = Literal["pass", "fail", "unknown"]


@dataclass(frozen=True, slots=True)
class Evidence:
    """One reason to believe an explanation: a sentence, and the events (by index) that show it."""

    text: str
    events: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Reset:
    """One RST: what it claims, who really made it, why, and which calls felt it."""

    time_ns: int
    src: Endpoint
    """What it claims to come from, and what it goes to."""
    dst: Endpoint
    flags: str
    sent_by: str | None
    """The node that made it; None where what was watched does not tell."""
    cause: str
    because: str
    evidence: tuple[Evidence, ...] = ()
    felt_by: tuple[int, ...] = ()
    """The steps whose calls it made fail."""
    felt: tuple[int, ...] = ()
    """These calls, by their events."""
    felt_known: bool = True
    """False where another call may have felt it: not all were seen, or not all could be explained."""


@dataclass(frozen=True, slots=True)
class Failure:
    """A call that failed, or was given up, and no RST told it so."""

    who: str
    call: str
    errno: Result
    """The error by name; `timeout` for a call that was given up."""
    cause: str
    because: str
    evidence: tuple[Evidence, ...] = ()
    step: int | None = None
    event: int = 0
    """The call itself."""

    @property
    def failed(self) -> bool:
        return isinstance(self.errno, Errno)


@dataclass(frozen=True, slots=True)
class Explanation:
    """Everything that could be said about one timeline."""

    verdict: Verdict
    resets: tuple[Reset, ...] = ()
    failures: tuple[Failure, ...] = ()
    unmet: tuple[str, ...] = ()
    """What was expected and did not come, a sentence each."""
    hints: tuple[str, ...] = ()
