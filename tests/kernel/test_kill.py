"""kill -9 at any instant: `netsim clean`, or simply the next run, gives back whatever is left, and nothing else.

The instants are events: an entry in the journal, a name in /run/netns, a packet. They are looked for from
outside, without a pause, and so the kill hits some microseconds behind each.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.kernel.conftest import Need
from tests.kernel.machine import (
    Machine,
    Process,
    children,
    finish,
    one_sentence,
    tcp_counter,
    until,
)

UP = "firewall-reset"
NAMES = "/run/netns/{lab}.client"


REBOOT = """\
title: A reboot that takes its time
nodes: {client: {}, server: {}}
links: [client -- server]
script:
  - server: listen 60000 = ok
  - client: connect server:60000 = ok
  - server: crash
  - lab: wait 500ms
  - server: boot
  - client: send 5 = 5
  - client: recv = ECONNRESET
  - lab: wait 500ms
"""


@dataclass(frozen=True, slots=True)
class Running:
    """A netsim on its way."""

    machine: Machine
    main: Process

    @property
    def lab(self) -> str:
        return self.machine.lab

    def is_noted(self, kind: str) -> bool:
        return kind in self.machine.journal(self.lab)

    def has(self, path: str) -> bool:
        return os.path.lexists(self.machine.path(path.format(lab=self.lab)))

    def keeper(self) -> int | None:
        """The keeper is the first process that netsim forks."""
        return next(iter(children(self.main.pid)), None) or self.machine.keeper(self.lab)

    def any_process(self, test: Callable[[int], object]) -> bool:
        return any(test(pid) for pid in self.machine.processes())


def _counted(name: str, least: int) -> Callable[[Running], bool]:
    return lambda lab: lab.any_process(lambda pid: tcp_counter(pid, name) >= least)


def _parked(lab: Running) -> bool:
    """A node has no power: its interfaces wait in the keeper's own namespace."""
    keeper = lab.keeper()
    with suppress(OSError):
        return keeper is not None and " off" in Path(f"/proc/{keeper}/net/dev").read_text()
    return False


def _listens(pid: int) -> bool:
    with suppress(OSError):
        return " 0A " in Path(f"/proc/{pid}/net/tcp").read_text()  # TCP_LISTEN
    return False


def _tracing(pid: int) -> bool:
    """A process that has the kernel's tracepoints switched on."""
    with suppress(OSError):
        return any("bpf_link" in os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd"))
    return False


Moment = Callable[[Running], object]
MOMENTS: dict[str, Moment] = {
    "netsim has begun": lambda _: True,
    "the keeper is forked": lambda lab: lab.keeper(),
    "the lab's directory is there": lambda lab: lab.has("/run/netsim/{lab}"),
    "the journal is locked": lambda lab: lab.machine.keeper(lab.lab),
    "the directory of names is noted": lambda lab: lab.is_noted("directory"),
    "the names are noted": lambda lab: lab.is_noted("names"),
    "the first name is there": lambda lab: lab.has(NAMES),
    "the hosts file is there": lambda lab: lab.has("/run/netsim/{lab}/hosts"),
    "the namespaces are noted": lambda lab: lab.is_noted("namespaces"),
}
OF_A_RUN: dict[str, Moment] = {
    "the kernel is traced": lambda lab: lab.any_process(_tracing),
    "the first segment is sent": _counted("OutSegs", 1),
    "the connection stands": _counted("PassiveOpens", 1),
    "it is being taken down": lambda lab: lab.is_noted("namespaces") and not lab.has(NAMES),
}
LATE = {OF_A_RUN["it is being taken down"]}
"""Moments so near to the end that it may be over when they are seen."""
OF_A_REBOOT: dict[str, Moment] = {"the power is off": _parked, "the reset has come": _counted("EstabResets", 1)}
OF_LINK_CUT: dict[str, Moment] = {"it sends again in vain": _counted("RetransSegs", 1)}
OF_UP: dict[str, Moment] = {
    "the namespaces are noted": MOMENTS["the namespaces are noted"],
    "its programs listen": lambda lab: lab.any_process(_listens),
    "it is to stay": lambda lab: lab.has("/run/netsim/{lab}/about.json"),
}
VICTIMS = ("main", "keeper", "both")


def _kill(lab: Running, victim: str) -> None:
    """End netsim itself, the lab's keeper, or both; the keeper's children go with it."""
    keeper, main = lab.keeper(), lab.main.pid
    for pid in {"main": (main,), "keeper": (keeper,), "both": (keeper, main)}[victim]:
        with suppress(ProcessLookupError):
            if pid is not None:
                os.kill(pid, signal.SIGKILL)


def _begin(machine: Machine, command: str, scenario: str) -> Running:
    return Running(machine, machine.start_netsim(command, scenario, "--lab", machine.lab))


def _is_over_or(moment: Moment, lab: Running) -> object:
    return lab.main.poll() is not None or moment(lab)


def _killed(machine: Machine, command: str, scenario: str, moment: Moment, victim: str) -> Running:
    """Begin something, and kill it when its moment has come. Seen too late on a busy host, it is begun anew."""
    for _ in range(20):
        lab = _begin(machine, command, scenario)
        until(partial(_is_over_or, moment, lab), "the moment to kill")
        in_time = lab.main.poll() is None
        _kill(lab, victim)
        finish(lab.main)
        if in_time or moment in LATE:
            return lab
        if command == "up":
            _down(lab)
    raise AssertionError("its moment was never seen in time")


def _all_gone(lab: Running) -> None:
    """A keeper that has lost its main process does its work, and ends."""
    until(lambda: not lab.machine.processes(), "the end of all processes")


def _down(lab: Running) -> None:
    """Take the lab down if it stands: its keeper had been asked to stay before the kill, or there was none to kill."""
    done = lab.machine.netsim("down")
    assert done.returncode in {0, 2}, done.stderr
    _all_gone(lab)


def _clean_up(machine: Machine) -> None:
    assert machine.netsim("clean").returncode == 0
    assert machine.left_over() == []


def _each(scenario: str, *kinds: dict[str, Moment]) -> list[Any]:
    found = {name: moment for kind in kinds for name, moment in kind.items()}
    return [pytest.param(scenario, moment, id=f"{scenario}: {name}") for name, moment in found.items()]


VICTIM = pytest.mark.parametrize("victim", VICTIMS)


@VICTIM
@pytest.mark.parametrize(
    ("scenario", "moment"),
    [
        *_each("peer-reboot", MOMENTS, OF_A_RUN),
        *_each("reboot.yaml", OF_A_REBOOT),
        *_each("link-cut", OF_LINK_CUT),
    ],
)
def test_a_run(need: Need, machine: Machine, scenario: str, moment: Moment, victim: str) -> None:
    if moment is OF_A_RUN["the kernel is traced"]:
        need("tracepoints")
    machine.path("/run/reboot.yaml").write_text(REBOOT)
    lab = _killed(machine, "run", f"/run/{scenario}" if scenario.endswith(".yaml") else scenario, moment, victim)
    _all_gone(lab)
    machine.path("/run/reboot.yaml").unlink()
    if victim == "main":
        assert machine.left_over() == []  # its keeper lived, and knew
    _clean_up(machine)


@VICTIM
@pytest.mark.parametrize("moment", OF_UP)
def test_up(need: Need, machine: Machine, moment: str, victim: str) -> None:
    need("legacy iptables")
    lab = _killed(machine, "up", UP, OF_UP[moment], victim)
    _down(lab)
    if victim == "main":
        assert machine.left_over() == []
    _clean_up(machine)


SEED = int(os.environ.get("NETSIM_TEST_SEED") or random.SystemRandom().randrange(1 << 32))


@pytest.mark.parametrize("number", range(8))
def test_at_random(need: Need, machine: Machine, number: int) -> None:
    """NETSIM_TEST_SEED repeats what failed, as far as time can be repeated."""
    need("legacy iptables")
    print(f"NETSIM_TEST_SEED={SEED}")
    chance = random.Random(SEED + number)
    command, scenario = chance.choice([("run", "peer-reboot"), ("run", UP), ("up", UP)])
    victim, after_s = chance.choice(VICTIMS), chance.uniform(0.05, 0.5)
    print(f"netsim {command} {scenario}, {victim} killed after {after_s:.6f} s")
    lab = _begin(machine, command, scenario)
    with suppress(subprocess.TimeoutExpired):
        lab.main.wait(after_s)
    _kill(lab, victim)
    finish(lab.main)
    if command == "up":
        _down(lab)
    _all_gone(lab)
    _clean_up(machine)


@VICTIM
def test_a_program_that_waits_goes_with_them(machine: Machine, victim: str) -> None:
    """It is in a call that would not return for 10 minutes, and sees no channel close."""
    file = machine.path("/run/waiting.yaml")
    file.write_text(REBOOT.partition("  - server: crash")[0] + "  - client: recv = eof within 10min\n")
    lab = _killed(machine, "run", "/run/waiting.yaml", OF_A_RUN["the connection stands"], victim)
    _all_gone(lab)
    file.unlink()
    _clean_up(machine)


def test_a_keeper_that_had_made_nothing_yet(machine: Machine) -> None:
    machine.path("/run/netsim").mkdir()
    _clean_up(machine)


@pytest.mark.parametrize("moment", ["the first name is there", "the namespaces are noted"])
def test_the_next_run_gives_back_what_a_killed_one_left(machine: Machine, moment: str) -> None:
    lab = _killed(machine, "run", "peer-reboot", MOMENTS[moment], "keeper")
    _all_gone(lab)
    done = machine.netsim("run", "peer-reboot", "--lab", machine.lab, "--json")
    assert (done.returncode, done.stderr) == (0, f"netsim: gave back what a killed run of {machine.lab} had left\n")
    assert machine.left_over() == []


def test_clean_itself_is_killed(machine: Machine) -> None:
    """At its first deed, after which everything else is still to do."""
    _killed(machine, "run", "peer-reboot", MOMENTS["the namespaces are noted"], "keeper")
    names = len(machine.names())
    clean = machine.start_netsim("clean")
    until(lambda: len(machine.names()) < names, "clean's first deed")
    clean.kill()
    finish(clean)
    _clean_up(machine)


@pytest.fixture
def powerless(machine: Machine) -> Running:
    """A run that goes on for half a second more."""
    machine.path("/run/reboot.yaml").write_text(REBOOT)
    lab = _begin(machine, "run", "/run/reboot.yaml")
    until(lambda: OF_A_REBOOT["the power is off"](lab), "the middle of the run")
    machine.path("/run/reboot.yaml").unlink()
    return lab


def test_a_killed_keeper_is_told_by_who_waits_for_it(powerless: Running) -> None:
    _kill(powerless, "keeper")
    said = one_sentence(finish(powerless.main), 1)
    lab = powerless.lab
    assert said == f"keep the lab on {lab} failed: ESRCH (its keeper was killed; 'netsim clean' tidies up)"
    _clean_up(powerless.machine)


def test_clean_leaves_a_run_alone_that_goes_on(powerless: Running) -> None:
    machine = powerless.machine
    assert machine.netsim("clean").stdout == "nothing is left\n"
    assert finish(powerless.main).returncode == 0
    assert machine.left_over() == []


@pytest.fixture
def orphaned(need: Need, machine: Machine) -> Machine:
    """A standing lab whose keeper was killed, and a program that its user left running in one of its nodes."""
    need("legacy iptables")
    assert machine.netsim("up", UP, "--lab", machine.lab).returncode == 0
    done = machine.netsim("exec", "client", "--", "sh", "-c", "setsid sleep 1000 </dev/null >/dev/null 2>&1 &")
    assert done.returncode == 0, done.stderr
    keeper = machine.keeper(machine.lab)
    assert keeper is not None
    os.kill(keeper, signal.SIGKILL)
    until(lambda: [*machine.processes().values()] == ["sleep 1000"], "the end of all but the user's program")
    return machine


def test_clean_ends_a_program_that_its_user_left_in_the_lab(orphaned: Machine) -> None:
    _clean_up(orphaned)


def test_clean_ends_nobody_else(orphaned: Machine) -> None:
    """A program in somebody's own namespace, with a name of its own in /run/netns, has nothing to do with us."""
    machine = orphaned
    machine.output("ip", "netns", "add", "innocent")
    innocent = machine.start("ip", "netns", "exec", "innocent", "cat", stdin=subprocess.PIPE)
    until(lambda: machine.processes().get(innocent.pid) == "cat", "its start")
    assert machine.netsim("clean").returncode == 0
    assert machine.processes() == {innocent.pid: "cat"}
    assert machine.names() == ["innocent"]
    assert machine.output("ip", "netns", "list").split() == ["innocent"]
    assert finish(innocent, "still here").stdout == "still here"


def test_a_dry_run_says_what_there_is_and_changes_nothing(orphaned: Machine) -> None:
    machine = orphaned
    ((pid, _),) = machine.processes().items()
    before, lab = machine.left_over(), machine.lab
    found = machine.json("clean", "--dry-run")
    assert found == [
        {"lab": lab, "kind": "process", "what": str(machine.inside_pid(pid))},
        *({"lab": lab, "kind": "name", "what": f"/run/netns/{lab}.{node}"} for node in ("client", "fw", "server")),
        {"lab": lab, "kind": "directory", "what": f"/run/netsim/{lab}"},
    ]
    assert machine.left_over() == before
    assert machine.json("clean") == found
    assert machine.netsim("clean", "--dry-run").stdout == "nothing is left\n"


def test_clean_says_it_in_a_table(orphaned: Machine) -> None:
    lines = orphaned.netsim("clean").stdout.splitlines()
    assert lines[0].split() == ["LAB", "KIND", "WHAT"]
    assert [orphaned.lab, "name", f"/run/netns/{orphaned.lab}.fw"] in [line.split() for line in lines]


@pytest.mark.parametrize("what", ["symlink", "file", "directory"])
def test_what_somebody_put_in_the_place_of_ours_stays(orphaned: Machine, what: str) -> None:
    machine = orphaned
    place = machine.path(f"/run/netns/{machine.lab}.fw")
    place.unlink()
    match what:
        case "symlink":
            place.symlink_to("/proc/1/ns/net")
        case "file":
            place.write_text("mine")
        case _:
            place.mkdir()
    before = place.lstat()
    assert machine.netsim("clean").returncode == 0
    assert machine.names() == [f"{machine.lab}.fw"]
    assert (place.lstat().st_ino, place.lstat().st_mode) == (before.st_ino, before.st_mode)
    assert machine.netsim("clean", "--dry-run").stdout == "nothing is left\n"


def test_a_standing_lab_is_left_alone(need: Need, machine: Machine) -> None:
    need("legacy iptables")
    assert machine.netsim("up", UP, "--lab", machine.lab).returncode == 0
    before = machine.left_over()
    for command in (("clean", "--dry-run"), ("clean",)):
        assert machine.netsim(*command).stdout == "nothing is left\n"
    assert machine.netsim("run", "closed-port").returncode == 0
    assert machine.left_over() == before
    assert machine.netsim("exec", "client", "--", "true").returncode == 0
