"""Holds explanations against the truth of their stories: right, unknown, or wrong."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from random import Random
from typing import Literal

from netsim.explain import explain
from netsim.model.event import Call, Missed
from netsim.model.explanation import Explanation, Failure, Reset
from netsim.model.timeline import Timeline
from tests.stories.reductions import elsewhere, inexact, usual
from tests.stories.story import Died, Story

Verdict = Literal["right", "unknown", "wrong"]

_NEVER_WRONG = frozenset({"unknown", "echo", "given-up"})
"""What may be said of things that a story's truth does not mention: they claim nothing about who killed what."""


@dataclass(frozen=True, slots=True)
class Judged:
    """What an explanation is worth, and why."""

    verdict: Verdict
    why: tuple[str, ...] = ()


def judge(story: Story, timeline: Timeline, explanation: Explanation) -> Judged:
    """Compare all that was said with all that is true."""
    wrong: list[str] = []
    missing: list[str] = []
    told = dict(_pair(story, timeline, explanation))
    for index, said in enumerate(_all(explanation)):
        died = told.get(index)
        wrong += _faults_of(said, died, story, timeline)
    for died in story.truth:
        mine = [said for index, said in enumerate(_all(explanation)) if told.get(index) is died]
        if not any(said.cause in died.causes for said in mine):
            missing.append(f"{died.who or died.sent_by}: {'/'.join(sorted(died.causes))} was not found")
    if wrong:
        return Judged("wrong", tuple(wrong))
    return Judged("unknown", tuple(missing)) if missing else Judged("right")


def _all(explanation: Explanation) -> tuple[Reset | Failure, ...]:
    return (*explanation.resets, *explanation.failures)


def _pair(story: Story, timeline: Timeline, explanation: Explanation) -> Iterator[tuple[int, Died]]:
    """Which truth each explained thing is about: of those that are not taken yet one that it tells right, or the first.

    A failure that claims nothing takes no truth away from those that come after it.
    """
    free = list(story.truth)
    resets = [died for died in story.truth if died.reset and died.felt_by]
    for index, said in enumerate(_all(explanation)):
        fitting = [died for died in free if _fits(said, died, timeline)]
        # A REJECT or a refusal whose RST passed no tap is told as the failure of the call that felt it; so is one
        # whose RST was seen somewhere, but not coming to that call's machine.
        felt = [died for died in resets if isinstance(said, Failure) and said.who in (died.felt_by or ())]
        right = [died for died in (*fitting, *felt) if said.cause in died.causes]
        if isinstance(said, Reset) and not right:  # which of them it is, nobody says; who felt it may
            fitting.sort(key=lambda died: bool(said.felt) != bool(died.felt_by))
        died = next(iter(right or fitting), None)
        if died is None:
            continue
        yield index, died
        if died in free and died.reset == isinstance(said, Reset) and (died.reset or said.cause not in _NEVER_WRONG):
            free.remove(died)


def _fits(said: Reset | Failure, died: Died, timeline: Timeline) -> bool:
    """Is a truth about the same ends, or the same call?"""
    owners = timeline.network.owners
    if isinstance(said, Reset):
        ends = (owners.get(said.src.address), owners.get(said.dst.address))
        return died.reset and (said.src.address.startswith("127.") or ends == (died.claims, died.to))
    same = died.who == said.who and died.call in {None, said.call} and died.errno in {None, str(said.errno)}
    return not died.reset and same


def _faults_of(said: Reset | Failure, died: Died | None, story: Story, timeline: Timeline) -> Iterator[str]:
    allowed = (died.causes if died else frozenset()) | _NEVER_WRONG | story.also
    if "service-stopped" in allowed and _lacks_calls(timeline):
        allowed |= {"closed-port"}  # nobody listens: it is not known that somebody did
    name = f"RST {said.src} > {said.dst}" if isinstance(said, Reset) else f"{said.who} {said.call}={said.errno}"
    if said.cause not in allowed:
        yield f"{name}: {said.cause}, and it was {'/'.join(sorted(died.causes)) if died else 'nothing of the kind'}"
    if isinstance(said, Reset) and died is not None and died.reset:
        if said.sent_by is not None and said.sent_by != died.sent_by:
            yield f"{name}: sent by {said.sent_by}, and it was {died.sent_by}"
        calls = [timeline.events[index] for index in said.felt]
        felt = {call.process for call in calls if isinstance(call, Call) and call.step is not None}
        if died.felt_by is not None and not felt <= died.felt_by:
            yield f"{name}: felt by {sorted(felt)}, and it was {sorted(died.felt_by)}"


def _lacks_calls(timeline: Timeline) -> bool:
    """May the call that would have told more be missing?"""
    missed = any(isinstance(event, Missed) and event.of == "call" for event in timeline.events)
    return missed or not {"call", "strace"} <= timeline.sources or timeline.scenario is None


@dataclass(frozen=True, slots=True)
class Look:
    """A story as somebody saw it, what was said of that, and how right it is."""

    watched: str
    timeline: Timeline
    explanation: Explanation
    judged: Judged
    exact: bool
    """Every sentence of it can be held against the whole."""


def judged_everywhere(story: Story, timeline: Timeline) -> Iterator[Look]:
    """Judge a story with all that was seen, and with less in many ways."""
    rng = Random(f"{story.family} {story.seed}")
    exact = ((one, True) for one in chain(usual(timeline), elsewhere(timeline)))
    for (name, less), is_exact in chain(exact, ((one, False) for one in inexact(timeline, rng))):
        explanation = explain(less)
        yield Look(name, less, explanation, judge(story, less, explanation), is_exact)
