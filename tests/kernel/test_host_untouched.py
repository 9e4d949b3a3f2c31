"""Whatever becomes of a lab, its host is afterwards byte for byte what it was.

Packet counters, the lifetimes of addresses and the sysctls that nobody sets are left out: they change by themselves.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.kernel import snapshot
from tests.kernel.conftest import Need
from tests.kernel.machine import (
    NETSIM,
    ROOT,
    Machine,
    Process,
    finish,
    interrupt,
    one_sentence,
    tcp_counter,
    until,
)

WAITING = """\
title: A connection that somebody waits on
nodes: {client: {}, fw: {kind: router, firewall: [drop tcp dport 1]}, server: {}}
links: [client -- fw, fw -- server]
script:
  - server: listen 60000 = ok
  - client: connect server:60000 = ok
  - server: accept = ok
  - client: recv = eof within 10min
"""
UNBUILDABLE = """\
title: A sysctl that no kernel has, on the last node
nodes: {client: {}, server: {sysctls: {net.ipv4.no_such_thing: 1}}}
links: [client -- server]
"""
UNPLAYABLE = """\
title: A step that the lab refuses
nodes: {client: {}, server: {}}
links: [client -- server]
script:
  - server: listen 60000 = ok
  - client: connect server:60000 = ok
  - client -- server: heal
"""
RAISING = """\
import sys, netsim
from netsim.engines import choose
def progress(doing):
    if doing.startswith("step 2"):
        raise ZeroDivisionError(doing)
choose().run(netsim.load(sys.argv[1]), sys.argv[2], progress)
"""

Act = Callable[[Machine, Path], None]


@pytest.fixture
def lived_in(machine: Machine) -> Iterator[Machine]:
    """A machine that somebody uses: it has the lab's own addresses, rules of all kinds, a namespace with a program."""
    for command in (
        "ip link add desk type veth peer name office",
        "ip link set desk addrgenmode none",  # or IPv6 addresses come by themselves, a second or two later
        "ip link set office addrgenmode none",
        "ip address add 10.0.0.1/24 dev desk",
        "ip link set desk up",
        "ip link set office up",
        "ip route add 10.0.1.0/24 via 10.0.0.2",
        "ip route add unreachable 10.0.2.0/24 table 77",
        "ip rule add from 10.9.0.0/16 lookup 77",
        "ip netns add mine",
        "ip netns exec mine ip link set lo up",
    ):
        machine.output(*command.split())
    until(lambda: "state UP" in machine.output("ip", "link", "show", "office"), "the carrier")
    for key, value in {"tcp_rmem": "4096 8192 16384", "tcp_congestion_control": "reno", "ip_forward": "1"}.items():
        machine.output("sh", "-c", f"echo {value} > /proc/sys/net/ipv4/{key}")
    machine.run(
        *[
            "iptables-legacy",
            "-A",
            "INPUT",
            "-p",
            "tcp",
            "--dport",
            "60000",
            "-j",
            "REJECT",
            "--reject-with",
            "tcp-reset",
        ]
    )
    machine.run(*["nft", "add", "table", "inet", "mine"])
    mine = machine.start(*["ip", "netns", "exec", "mine", "cat"], stdin=-1)
    yield machine
    mine.communicate()


def run(machine: Machine, _: Path) -> None:
    for name in ("firewall-reset", "peer-reboot", "broken-pipe"):
        done = machine.netsim("run", name, "--lab", machine.lab)
        assert done.returncode == 0, done.stderr


def up_exec_down(machine: Machine, _: Path) -> None:
    assert machine.netsim("up", "firewall-reset", "--lab", machine.lab).returncode == 0
    assert machine.netsim("exec", "client", "--", "ip", "address").returncode == 0
    left = machine.netsim("exec", "fw", "--", "sh", "-c", "setsid sleep 600 </dev/null >/dev/null 2>&1 &")
    assert left.returncode == 0, left.stderr
    assert machine.netsim("down").returncode == 0


def fail_to_build(machine: Machine, directory: Path) -> None:
    file = directory / "unbuildable.yaml"
    file.write_text(UNBUILDABLE)
    for command in ("run", "up"):
        said = one_sentence(machine.netsim(command, file, "--lab", machine.lab), 1)
        assert "net.ipv4.no_such_thing" in said
        assert "server" in said


def fail_in_the_middle(machine: Machine, directory: Path) -> None:
    file = directory / "unplayable.yaml"
    file.write_text(UNPLAYABLE)
    assert (
        one_sentence(machine.netsim("run", file, "--lab", machine.lab), 1)
        == "heal on client -- server failed: EINVAL (it is not cut)"
    )


def raise_an_exception(machine: Machine, directory: Path) -> None:
    file = directory / "waiting.yaml"
    file.write_text(WAITING)
    done = machine.run(sys.executable, "-c", RAISING, file, machine.lab)
    assert done.stderr.splitlines()[-1].startswith("ZeroDivisionError: step 2 of 4")


def look(machine: Machine, _: Path) -> None:
    assert machine.netsim("doctor").returncode == 0
    assert machine.netsim("clean").stdout == "nothing is left\n"
    assert machine.netsim("ps").stdout == "no lab is standing\n"


ACTS = [run, up_exec_down, fail_to_build, fail_in_the_middle, raise_an_exception, look]


@pytest.mark.parametrize("act", ACTS, ids=lambda act: act.__name__)
def test_after(need: Need, lived_in: Machine, tmp_path: Path, act: Act) -> None:
    need("legacy iptables")
    before = snapshot.everything(lived_in)
    act(lived_in, tmp_path)
    snapshot.same(before, snapshot.everything(lived_in))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_after_an_interrupt(need: Need, lived_in: Machine, tmp_path: Path, number: signal.Signals) -> None:
    need("legacy iptables")
    before = snapshot.everything(lived_in)
    process = _waiting(lived_in, tmp_path)
    if number == signal.SIGINT:
        interrupt(process)
    else:
        process.terminate()
    assert one_sentence(finish(process), 130) == "interrupted; everything was given back"
    snapshot.same(before, snapshot.everything(lived_in))


def test_after_an_impatient_ctrl_c(need: Need, lived_in: Machine, tmp_path: Path) -> None:
    """Pressed again and again: who presses has the prompt back, and the lab's keeper finishes its work."""
    need("legacy iptables")
    before = snapshot.everything(lived_in)
    process = _waiting(lived_in, tmp_path)
    while process.poll() is None:
        interrupt(process)
    process.communicate()
    until(lambda: lived_in.processes() == before["processes"], "the end of the keeper")
    snapshot.same(before, snapshot.everything(lived_in))


def test_after_the_terminal_is_gone(need: Need, lived_in: Machine, tmp_path: Path) -> None:
    """SIGHUP ends netsim at once; its keeper sees that and gives everything back."""
    need("legacy iptables")
    before = snapshot.everything(lived_in)
    process = _waiting(lived_in, tmp_path)
    interrupt(process, signal.SIGHUP)
    assert finish(process).returncode == -signal.SIGHUP
    until(lambda: lived_in.processes() == before["processes"], "the end of the keeper")
    snapshot.same(before, snapshot.everything(lived_in))


def test_the_network_of_this_very_host(need: Need) -> None:
    """On no machine of the tests' own: here, where everything else runs."""
    need("legacy iptables")
    before = snapshot.network(snapshot.here)
    environment = ("env", f"PYTHONPATH={ROOT}", *NETSIM)
    snapshot.here(*environment, "run", "firewall-reset", "--lab", "here")
    snapshot.same(before, snapshot.network(snapshot.here))


def _waiting(machine: Machine, directory: Path) -> Process:
    """A run in the middle of a step: its connection stands, and the client waits for data."""
    file = directory / "waiting.yaml"
    file.write_text(WAITING)
    process = machine.start_netsim("run", file, "--lab", machine.lab, "--json")
    until(
        lambda: process.poll() is not None or any(tcp_counter(pid, "PassiveOpens") for pid in machine.processes()),
        "the connection",
    )
    return process
