"""Why: causes, the events that prove them, and whom they hurt."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Verdict = Literal["pass", "fail", "unknown"]


@dataclass(frozen=True, slots=True)
class Evidence:
    """One reason to believe an explanation: a sentence, and the events (by index) that show it."""

    text: str
    events: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Reset:
    """One RST: what it claims, who really made it, why, and which steps felt it."""

    time_ns: int
    src: str
    """NODE:PORT, as the packet claims."""
    dst: str
    flags: str
    sent_by: str
    cause: str
    because: str
    evidence: tuple[Evidence, ...] = ()
    felt_by: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Failure:
    """A call that failed, and no RST told it so."""

    who: str
    call: str
    errno: str
    cause: str
    because: str
    evidence: tuple[Evidence, ...] = ()
    step: int | None = None


@dataclass(frozen=True, slots=True)
class Explanation:
    """Everything that could be said about one timeline."""

    verdict: Verdict
    resets: tuple[Reset, ...] = ()
    failures: tuple[Failure, ...] = ()
    unmet: tuple[str, ...] = ()
    """What was expected and did not come, a sentence each."""
    hints: tuple[str, ...] = ()
