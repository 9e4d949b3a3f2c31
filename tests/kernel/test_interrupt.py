"""Ctrl-C and `kill` at any instant: everything is given back at once, netsim says so, and ends with 130."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from tests.kernel.conftest import Need
from tests.kernel.machine import NETSIM, ROOT, Completed, Machine, Process, finish, interrupt, one_sentence

SAID = "interrupted; everything was given back"
SEED = int(os.environ.get("NETSIM_TEST_SEED") or random.SystemRandom().randrange(1 << 32))
SHORT = """\
title: Everything that the processes of a lab do for each other, in short
nodes: {client: {}, server: {}}
links: [client -- server]
script:
  - server: listen 80 = ok
  - client: connect server:80 = ok
  - server: crash
  - server: boot
  - client: send 5 = 5
  - client: recv = ECONNRESET within 5s
"""


@pytest.fixture
def short(tmp_path: Path) -> Path:
    file = tmp_path / "short.yaml"
    file.write_text(SHORT)
    return file


def inject(machine: Machine, scenario: str | Path, step: int) -> None:
    """Interrupt a run at every STEPth point of the main process's own code, of which there are thousands."""
    first = random.Random(SEED).randrange(step)
    print(f"NETSIM_TEST_SEED={SEED}")
    program = [sys.executable, Path(__file__).with_name("inject.py"), scenario, str(first), str(step)]
    done = machine.run(*program)
    assert (done.returncode, done.stderr) == (0, "")
    points, injected = map(int, done.stdout.split())
    assert injected == len(range(first, points, step))
    assert machine.left_over() == []


def test_at_every_point(machine: Machine, short: Path) -> None:
    inject(machine, short, 37)


def test_at_every_point_with_a_packet_filter(need: Need, machine: Machine) -> None:
    need("legacy iptables")
    inject(machine, "firewall-reset", 83)


def press(process: Process, number: int, after_s: float) -> None:
    """Send a signal after a while, as a terminal does or as kill(1) does."""
    with suppress(subprocess.TimeoutExpired):
        process.wait(after_s)
    with suppress(ProcessLookupError):
        if number == signal.SIGINT:
            interrupt(process)
        else:
            process.send_signal(number)


def is_interrupted(done: Completed, number: int) -> bool:
    """Was it, and properly? It may have been over.

    Before a program's first line it is the system that ends it, or Python, with a traceback of its own, in which may be
    what others have Python do as it starts (site-packages/*.pth).
    """
    by_python = "KeyboardInterrupt" in done.stderr or done.stderr.startswith("Fatal Python error: init_")
    if done.returncode == -number or (done.returncode == 1 and by_python):
        assert "netsim/cli" not in done.stderr
        assert "site-packages" not in done.stderr.partition("netsim/__main__.py")[2]
        return True
    assert done.returncode in {0, 130}, done
    assert done.stderr in {"", f"netsim: {SAID}\n"}
    return done.returncode == 130


def is_forgotten(done: Completed, number: int) -> bool:
    """Did Python let it go? What is raised in an import's callback is printed, and that is all.

    Only Ctrl-C, and before the program's first line, can come to that: afterwards `kill` would as well.
    """
    of_an_import = done.stderr.startswith("Exception ignored in: <function _get_module_lock.")
    ours = "netsim/cli" in done.stderr
    return number == signal.SIGINT and done.returncode == 0 and of_an_import and not ours


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_run_at_many_instants(machine: Machine, short: Path, number: signal.Signals) -> None:
    interrupted, after_s, step_s = 0, 0.0, 0.02
    while True:
        process = machine.start_netsim("run", short, "--lab", machine.lab)
        press(process, number, after_s)
        done = finish(process)
        assert machine.left_over() == [], (after_s, done)
        if is_forgotten(done, number):
            continue
        if not is_interrupted(done, number):
            break
        interrupted += 1
        after_s += step_s
    assert done.returncode == 0
    assert interrupted > 5


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_up_at_many_instants(machine: Machine, short: Path, number: signal.Signals) -> None:
    """The lab stands, or nothing is there."""
    after_s, step_s = 0.0, 0.03
    while True:
        process = machine.start_netsim("up", short, "--lab", machine.lab)
        press(process, number, after_s)
        done = finish(process)
        if is_forgotten(done, number):
            assert machine.netsim("down").returncode == 0
            continue
        if not is_interrupted(done, number):
            break
        assert machine.left_over() == [], (after_s, done)
        after_s += step_s
    assert done.returncode == 0
    assert machine.keeper(machine.lab) is not None
    assert machine.netsim("down").returncode == 0
    assert machine.left_over() == []


@pytest.mark.parametrize("number", ["INT", "TERM"])
def test_timeout_sends_it_twice(machine: Machine, tmp_path: Path, number: str) -> None:
    """To the program, and then to its process group: the second one must not spoil what the first one began."""
    file = tmp_path / "long.yaml"
    file.write_text(SHORT + "  - lab: wait 10min\n")
    done = machine.run("timeout", "--preserve-status", f"--signal={number}", "1.5", *NETSIM, "run", file)
    assert one_sentence(done, 130) == SAID
    assert machine.left_over() == []


def starts() -> dict[str, list[str]]:
    """The ways to start the program."""
    script = ROOT / "scripts/netsim"
    ready = f'root={ROOT}; . "$root/scripts/lib/ready.sh"; ready'
    found = {"python -m": [*NETSIM], "entry point": [str(Path(sys.executable).with_name("netsim"))]}
    if subprocess.run(["sh", "-c", ready], check=False).returncode == 0:  # or it would set itself up first
        found["scripts/netsim"] = [str(script)]
    return {name: argv for name, argv in found.items() if Path(argv[0]).exists()}


@pytest.mark.parametrize("argv", starts().values(), ids=starts())
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_while_it_starts(machine: Machine, argv: list[str], number: signal.Signals) -> None:
    """From its first instant to its end, also while Python loads what it needs."""
    for ms in range(0, 300, 10):
        process = machine.start(*argv, "list")
        press(process, number, ms / 1000)
        done = finish(process)
        if not is_forgotten(done, number):
            is_interrupted(done, number)
        if "scripts" in argv[0] and number == signal.SIGINT:
            assert "Traceback" not in done.stderr, done.stderr
    assert machine.left_over() == []
