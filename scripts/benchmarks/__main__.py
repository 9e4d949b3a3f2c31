"""Measures what netsim costs, side by side with others; docs/performance.md says how."""

from __future__ import annotations

import argparse
import functools
import json
import os
import platform
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import chains
import commands
import explaining
import ip_batch
import recipe
import report
import yard

from netsim.model.plan import Plan, make_plan

WHAT = ("start", "run", "explain", "chain")
PROGRAMS: dict[str, Callable[[Plan, Path], chains.Chain]] = {
    "netsim": chains.Netsim,
    "c": chains.c_chain,
    "ip": ip_batch.IpBatch,
    "ip-tuned": ip_batch.IpTuned,
    "mininet": chains.mininet_chain,
}


def main() -> None:
    options = parsed()
    if os.geteuid():
        sys.exit("bench: it builds networks, which needs root: run it with sudo")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with tempfile.TemporaryDirectory(prefix="netsim-bench-") as scratch:
        yard.enter()
        try:
            results = dict(measured(options, Path(scratch)))
        except KeyboardInterrupt:
            sys.exit(130)
    if options.json:
        print(json.dumps({"schema": 1, "machine": machine(), "runs": options.runs, **results}, indent=1))


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="scripts/bench",
        description="Measures what netsim costs, next to a C program, ip -batch and Mininet, in turns. Prints "
        "medians and ratios. What it builds is apart from the host's network, and is gone when it ends.",
    )
    parser.add_argument("what", nargs="*", help=f"which benchmarks: {', '.join(WHAT)} (all)")
    parser.add_argument("-n", "--runs", type=positive, default=5, metavar="N", help="how often each is measured (5)")
    parser.add_argument("--nodes", type=sizes, default=[3, 100, 1000], help="lengths of chains (3,100,1000)")
    parser.add_argument(
        "--programs", type=names, default=list(PROGRAMS), help=f"who builds chains ({','.join(PROGRAMS)})"
    )
    parser.add_argument(
        "--mininet-up-to", type=positive, default=100, metavar="N", help="no longer chains for Mininet (100)"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object, with every single figure")
    options = parser.parse_args()
    if unknown := set(options.what) - set(WHAT):
        parser.error(f"there is no benchmark {', '.join(unknown)}; there are {', '.join(WHAT)}")
    return options


def positive(text: str) -> int:
    if int(text) < 1:
        raise ValueError
    return int(text)


def sizes(text: str) -> list[int]:
    found = [int(part) for part in text.split(",")]
    if min(found) < 2:
        raise ValueError
    return found


def names(text: str) -> list[str]:
    if set(text.split(",")) - set(PROGRAMS):
        raise ValueError
    return text.split(",")


def measured(options: argparse.Namespace, scratch: Path) -> Iterator[tuple[str, Any]]:
    """Measure what was asked for, printing each table as it is ready."""
    say: Callable[[str], None] = (lambda _: None) if options.json else functools.partial(print, flush=True)
    say(machine() + f"; medians of {options.runs}")
    for what in options.what or WHAT:
        if what == "start":
            starts = [commands.starts() for _ in range(options.runs)]
            say(report.starts(starts))
            yield what, starts
        elif what == "run":
            runs = []
            for _ in range(options.runs):
                runs.append(commands.whole_run())
                yard.settle()
            say(report.run(runs))
            yield what, runs
        elif what == "explain":
            rounds = [explaining.measure(scratch) for _ in range(options.runs)]
            say(report.explain(rounds))
            yield what, rounds
        else:
            found = []
            for nodes in options.nodes:
                found.append(chain(nodes, options, scratch))
                say(report.chain(found[-1]))
            yield what, found


def chain(nodes: int, options: argparse.Namespace, scratch: Path) -> dict[str, Any]:
    """Measure everybody's chain of one length, in turns: every other round the other way round."""
    plan = make_plan(chains.topology(nodes))
    amounts = recipe.write_recipe(plan, scratch / f"recipe-{nodes}")
    built: dict[str, Any] = {}
    skipped: list[str] = []
    with ExitStack() as stack:
        runners: list[chains.Chain] = []
        for program in options.programs:
            if program == "mininet" and (nodes > options.mininet_up_to or not chains.has_mininet()):
                skipped += ["Mininet"] if nodes <= options.mininet_up_to else []
                continue
            runners.append(PROGRAMS[program](plan, scratch))
            stack.callback(runners[-1].close)
        samples: dict[str, list[dict[str, float]]] = {runner.name: [] for runner in runners}
        for number in range(options.runs):
            for runner in runners[:: -1 if number % 2 else 1]:
                sample = runner.build()
                if number == 0:
                    chains.check_same(built, runner, nodes)
                sample["remove"] = runner.remove()
                sample["total"] = sample["build"] + sample["remove"]
                sample["settle"] = yard.settle()
                samples[runner.name].append(sample)
    return {"nodes": nodes, **amounts, "samples": samples, "skipped": skipped}


def machine() -> str:
    return f"{os.cpu_count()} cores, {platform.system()} {platform.release()}, Python {platform.python_version()}"


if __name__ == "__main__":
    main()
