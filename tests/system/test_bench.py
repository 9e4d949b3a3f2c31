"""scripts/bench at its smallest: it prints medians and ratios, and leaves nothing. No figure is judged here."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
COMMAND = [sys.executable, str(REPOSITORY / "scripts/benchmarks")]
"""What scripts/bench becomes once everything is set up."""
SMALLEST = ["-n", "1", "--nodes", "3"]

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="building networks takes root"),
    *(
        pytest.mark.skipif(shutil.which(program) is None, reason=f"this host has no {program}")
        for program in ("cc", "ip", "nsenter", "pgrep", "sysctl")
    ),
]


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    return os.environ | {"TMPDIR": str(tmp_path), "PYTHONPATH": str(REPOSITORY)}


@pytest.fixture(autouse=True)
def nothing_left(tmp_path: Path) -> Iterator[None]:
    before = set(Path("/run").glob("net*/*"))
    yield
    assert not [path for path in set(Path("/run").glob("net*/*")) - before if path.name.startswith("bench-")]
    assert not list(tmp_path.iterdir())


def bench(env: dict[str, str], *options: str) -> str:
    done = subprocess.run([*COMMAND, *options], env=env, text=True, capture_output=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_start_up_and_a_run_have_their_medians(env: dict[str, str]) -> None:
    said = bench(env, "start", "run", "-n", "1")
    assert re.search(r"netsim --help +\d+\.\d{3} s", said)
    assert re.search(r"netsim list +\d+\.\d{3} s", said)
    assert re.search(r"wall +\d+\.\d{3} s", said)
    assert re.search(r"its network +\d+\.\d ms", said)


def test_a_chain_has_its_ratios(env: dict[str, str]) -> None:
    said = bench(env, "chain", *SMALLEST)
    assert "a chain of 3 routers: 4 addresses, 2 routes" in said
    assert re.search(r"netsim takes \d+\.\d\dx of C", said)
    assert re.search(r"netsim is \d+\.\dx faster than ip -batch", said)
    assert re.search(r"netsim is \d+\.\dx faster than Mininet|no Mininet here: skipped", said)


def test_json_has_every_single_figure(env: dict[str, str]) -> None:
    found = json.loads(bench(env, "chain", "-n", "2", "--nodes", "2,3", "--programs", "c,netsim", "--json"))
    assert [chain["nodes"] for chain in found["chain"]] == [2, 3]
    for chain in found["chain"]:
        assert {name: len(samples) for name, samples in chain["samples"].items()} == {"C": 2, "netsim": 2}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_broken_off_it_leaves_nothing(env: dict[str, str], number: signal.Signals) -> None:
    command = [*COMMAND, "chain", "-n", "100000", "--nodes", "2,3", "--programs", "netsim,c,ip"]
    with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True, start_new_session=True) as process:
        assert process.stdout
        assert process.stdout.readline()
        process.send_signal(number)
        assert process.wait(timeout=60) == 128 + number
        until_session_ends(process.pid)


def until_session_ends(session: int) -> None:
    """Wait until no process of a session is left: what was killed a moment ago may still be going."""
    deadline = time.monotonic() + 30
    while subprocess.run(["pgrep", "--session", str(session)], check=False, capture_output=True).returncode == 0:
        assert time.monotonic() < deadline, "the benchmark's processes outlive it"


def test_an_unknown_benchmark_is_a_mistake(env: dict[str, str]) -> None:
    done = subprocess.run([*COMMAND, "chains"], env=env, text=True, capture_output=True, check=False)
    assert done.returncode == 2
    assert "there is no benchmark chains" in done.stderr
