"""One story of each family, whose truth is known: whatever of it was watched, nothing false is said.

Most of them wait for timers, so several are played at once. `./scripts/stories` plays thousands.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor

import pytest

from tests.kernel.conftest import Need
from tests.stories.claims import false_sentences
from tests.stories.facts import Facts
from tests.stories.families import Family
from tests.stories.judge import judged_everywhere
from tests.stories.play import FAMILIES, play, stories

SEED = 1
JOBS = 2 * (os.cpu_count() or 1)
PROGRAMS = ("curl", "nc", "python3", "strace")
EVERYTHING = "all, all"
"""Everywhere, with all evidence."""

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="building networks takes root"),
    *(pytest.mark.skipif(shutil.which(name) is None, reason=f"this host has no {name}") for name in PROGRAMS),
]

Told = dict[str, list[str]]
"""Of each way to watch a story: all that was said and is not so."""


def told(family: Family) -> Told:
    """Play the story that `./scripts/stories -n 1 --seed SEED --only FAMILY` plays, and judge it as often as it can."""
    (story,) = stories(1, SEED, (family,))
    played = play(story)
    assert played.timeline is not None, played.trouble
    assert not played.trouble
    facts, said = Facts(played.timeline), {}
    for look in judged_everywhere(story, played.timeline):
        wrong = look.judged.why if look.judged.verdict == "wrong" else ()
        false = false_sentences(facts, look.explanation, look.timeline) if look.exact else ()
        said[look.watched] = [*wrong, *false]
    return said


@pytest.fixture(scope="module")
def playing(need: Need, request: pytest.FixtureRequest) -> Iterator[dict[Family, Future[Told]]]:
    """Every story that is asked for, on its way."""
    need("legacy iptables")
    need("tracepoints")
    tests = [item for item in request.session.items if isinstance(item, pytest.Function)]
    chosen = {test.callspec.id for test in tests if test.function is test_nothing_false_is_said}
    with ProcessPoolExecutor(JOBS) as pool:
        yield {family: pool.submit(told, family) for family in FAMILIES if family.__name__ in chosen}
        pool.shutdown(cancel_futures=True)


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.__name__)
def test_nothing_false_is_said(playing: dict[Family, Future[Told]], family: Family) -> None:
    said = playing[family].result()
    assert EVERYTHING in said
    lines = [f"{watched}: {sentence}" for watched, sentences in said.items() for sentence in sentences]
    assert not lines, "\n".join(lines)
