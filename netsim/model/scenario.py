"""A topology, a script, and what is expected of them."""

from __future__ import annotations

from dataclasses import dataclass

from netsim.model.step import Step
from netsim.model.topology import Topology


@dataclass(frozen=True, slots=True)
class ResetExpected:
    """At least one RST with these properties; what is None may be anything."""

    sent_by: str | None = None
    felt_by: str | None = None
    cause: str | None = None


@dataclass(frozen=True, slots=True)
class FailureExpected:
    """At least one call that failed without an RST, with these properties."""

    who: str | None = None
    call: str | None = None
    errno: str | None = None
    cause: str | None = None


@dataclass(frozen=True, slots=True)
class NoReset:
    """Not a single RST on any link."""


Expectation = ResetExpected | FailureExpected | NoReset


@dataclass(frozen=True, slots=True)
class Scenario:
    """One file: what is built, what is done, and what must come of it."""

    name: str
    title: str
    topology: Topology
    about: str = ""
    script: tuple[Step, ...] = ()
    expect: tuple[Expectation, ...] = ()
    text: str = ""
    """The file as it was read: a recording carries it, so that it explains itself anywhere."""
