"""Plays many stories and counts how right the explanations are, by cause and by what was watched."""

from __future__ import annotations

import argparse
import os
import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from netsim.files.recording import write
from netsim.model.cause import CAUSES
from tests.stories.claims import false_sentences
from tests.stories.facts import Facts
from tests.stories.judge import Look, judged_everywhere
from tests.stories.play import FAMILIES, Played, play_all, stories
from tests.stories.reductions import EVIDENCE, TAPS

_VERDICTS = ("right", "unknown", "wrong")


WATCHED = [f"{taps}, {evidence}" for taps in TAPS for evidence in EVIDENCE]
ELSEWHERE = "elsewhere, any"
"""At one link or one end of it, at a router in the middle, without strace, without the file."""
INEXACT = "all, inexact"
"""Packets let go, clocks that differ, captures begun late."""


@dataclass(slots=True)
class Tally:
    """How the explanations of many stories fared."""

    by_watching: Counter[tuple[str, str]] = field(default_factory=Counter)
    """By what was watched, and verdict."""
    by_cause: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    """By cause, what was watched, and verdict."""
    troubles: int = 0
    false: int = 0

    def add(self, played: Played, look: Look) -> None:
        kind = look.watched if look.watched in WATCHED else ELSEWHERE if look.exact else INEXACT
        self.by_watching[kind, look.judged.verdict] += 1
        for cause in {next(iter(sorted(died.causes))) for died in played.story.truth}:
            self.by_cause[cause, look.watched, look.judged.verdict] += 1


def main() -> int:
    parser = argparse.ArgumentParser(prog="scripts/stories", description=__doc__)
    parser.add_argument("-n", type=int, default=200, help="how many stories (200)")
    parser.add_argument("--seed", type=int, default=1, help="the same seed makes the same stories (1)")
    parser.add_argument("--jobs", type=int, default=2 * (os.cpu_count() or 1), help="how many are played at once")
    parser.add_argument("--only", metavar="FAMILY", action="append", help="only this family; may be given again")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="save the recordings of those that are not right")
    parser.add_argument("--markdown", action="store_true", help="print the tables of docs/causes.md")
    args = parser.parse_args()
    families = tuple(f for f in FAMILIES if not args.only or f.__name__ in args.only)
    tally = Tally()
    for number, played in enumerate(play_all(stories(args.n, args.seed, families), args.jobs), 1):
        _take(tally, played, args.keep)
        if sys.stderr.isatty():
            print(f"\r{number} of {args.n}", end="", file=sys.stderr, flush=True)
    _print(tally, args.markdown)
    return int(bool(tally.false) or any(verdict == "wrong" for _, verdict in tally.by_watching))


def _take(tally: Tally, played: Played, keep: Path | None) -> None:
    name = f"{played.story.family}-{played.story.seed}"
    if played.timeline is None or played.trouble:
        tally.troubles += 1
        print(f"{name} could not be played: {played.trouble}")
        return
    odd = False
    facts = Facts(played.timeline)
    for look in judged_everywhere(played.story, played.timeline):
        tally.add(played, look)
        false = false_sentences(facts, look.explanation, look.timeline) if look.exact else []
        tally.false += len(false)
        verdict = look.judged.verdict
        if verdict == "wrong" or false or (look.watched == WATCHED[0] and verdict != "right"):
            odd = True
            print(f"{name}, {look.watched}: {verdict} {'; '.join((*look.judged.why, *false))}")
    if odd and keep is not None:
        keep.mkdir(exist_ok=True)
        write(played.timeline, keep / f"{name}.jsonl")
        (keep / f"{name}.yaml").write_text(played.story.text)


def _print(tally: Tally, markdown: bool) -> None:
    rows = [["taps", "evidence", *_VERDICTS]]
    for watched in (*WATCHED, ELSEWHERE, INEXACT):
        taps, _, evidence = watched.partition(", ")
        rows.append([taps, evidence, *(str(tally.by_watching[watched, verdict]) for verdict in _VERDICTS)])
    _table(rows, markdown)
    print()
    shown = [f"{taps}, {evidence}" for taps in TAPS for evidence in ("all", "neither")]
    rows = [["cause", "stories", *shown]]
    for cause in CAUSES:
        cells = [_rate(tally, cause, watched) for watched in shown]
        count = sum(tally.by_cause[cause, WATCHED[0], verdict] for verdict in _VERDICTS)
        if count:
            rows.append([f"`{cause}`" if markdown else cause, str(count), *cells])
    _table(rows, markdown)
    print(f"\n{tally.troubles} stories could not be played as they were meant; {tally.false} false sentences")


def _rate(tally: Tally, cause: str, watched: str) -> str:
    right, unknown, wrong = (tally.by_cause[cause, watched, verdict] for verdict in _VERDICTS)
    total = right + unknown + wrong
    return f"{100 * right // total} %" + (f", {wrong} wrong" if wrong else "") if total else ""


def _table(rows: list[list[str]], markdown: bool) -> None:
    if markdown:
        head, *body = rows
        lines = [head, ["---"] * len(head), *body]
        print("\n".join(f"| {' | '.join(line)} |" for line in lines))
        return
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


if __name__ == "__main__":
    sys.exit(main())
