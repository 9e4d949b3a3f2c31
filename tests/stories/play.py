"""Plays stories: many at once, as most of them wait for timers."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from random import Random

from netsim.model.timeline import Timeline
from tests.stories.families import SCRIPTED, Family
from tests.stories.found import FOUND
from tests.stories.programs import REAL
from tests.stories.story import Story
from tests.stories.tricky import TRICKY

FAMILIES = (*SCRIPTED, *TRICKY, *FOUND, *REAL)


@dataclass(frozen=True, slots=True)
class Played:
    """A story, and the timeline of its run; None and a sentence where it could not be played as it was meant."""

    story: Story
    timeline: Timeline | None
    trouble: str = ""


def stories(count: int, seed: int, families: tuple[Family, ...] = FAMILIES) -> Iterator[Story]:
    """Make stories, each family as often as any other; the same seed makes the same ones."""
    for i in range(count):
        family = families[i % len(families)]
        story = family(Random(f"{seed} {i} {family.__name__}"))
        story.seed = i
        yield story


def play(story: Story) -> Played:
    """Play one story on the real kernel."""
    import netsim

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{story.family}.yaml"
        path.write_text(story.text)
        try:
            timeline = netsim.run(netsim.load(path), name=f"s{os.getpid()}-{story.seed}")
        except netsim.NetsimError as error:
            return Played(story, None, str(error))
    script = {step.index: step for step in timeline.script}
    odd = [r for r in timeline.steps if not r.ok]
    if odd:
        step = script[odd[0].index]
        return Played(story, timeline, f"{step.who}: {step.text} = {step.expected}, got {odd[0].observed}")
    return Played(story, timeline)


def play_all(many: Iterable[Story], jobs: int) -> Iterator[Played]:
    """Play many, `jobs` at a time, in any order of their ends."""
    with ProcessPoolExecutor(jobs) as pool:
        yield from pool.map(play, many, chunksize=1)
