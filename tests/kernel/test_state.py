"""Where an engine keeps the journals of its labs is its own affair, and nobody else's."""

from __future__ import annotations

import gc
import os
import signal
import socket
from pathlib import Path

import pytest

from netsim.engines import host
from netsim.errors import InputError
from netsim.linux import channel, journal, stale
from netsim.linux.keeper_state import KeeperState
from netsim.linux.lab import up
from netsim.model.plan import make_plan
from netsim.model.topology import Link, Node, Topology
from tests.kernel.machine import ROOT

PAIR = make_plan(Topology((Node("a"), Node("b")), (Link("a", "b"),)))

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="namespaces take root")


@as_root
def test_two_engines_with_labs_of_the_same_name(tmp_path: Path) -> None:
    name, other = f"state-{os.getpid()}", tmp_path / "other"
    with up(PAIR, name, other) as lab:
        assert journal.labs(other) == [name]
        assert journal.keeper_pid(name, other) == lab.keeper.pid
        assert name not in journal.labs(host.STATE)
        with pytest.raises(InputError, match="is standing already"):
            up(PAIR, name, other)
        with pytest.raises(InputError, match="is not netsim's"):  # /run/netns is one for all
            up(PAIR, name, tmp_path / "third")
    assert list(tmp_path.iterdir()) == []


@as_root
def test_each_cleans_up_behind_itself(tmp_path: Path) -> None:
    name, other = f"state-{os.getpid()}", tmp_path / "other"
    lab = up(PAIR, name, other)
    os.kill(lab.keeper.pid, signal.SIGKILL)
    lab.down()
    assert stale.clean(tmp_path / "third") == []
    assert {one.lab for one in stale.clean(other)} == {name}
    assert list(tmp_path.iterdir()) == []


def test_one_place_says_where_it_is() -> None:
    said = [path for path in (ROOT / "netsim").rglob("*.py") if f'"{host.STATE}' in path.read_text()]
    assert said == [ROOT / "netsim/engines/host.py"]


def leave_garbage(_: KeeperState) -> None:
    """Sockets that nobody can reach, and that only the garbage collector will close."""
    for _ in range(20):
        cycle: list[object] = [socket.socket()]
        cycle.append(cycle)


def collect_garbage(sock: socket.socket) -> None:
    mine = [os.open(os.devnull, os.O_RDONLY) for _ in range(60)]
    gc.collect()
    for fd in mine:
        os.fstat(fd)
    channel.send(sock, "still open")


@as_root
def test_what_a_process_of_the_lab_opens_stays_open(tmp_path: Path) -> None:
    """The number of a descriptor that it has inherited and closed may be that of its own next one."""
    with up(PAIR, f"state-{os.getpid()}", tmp_path / "other") as lab:
        lab.keeper.ask(leave_garbage)
        child = lab.fork("a", collect_garbage)
        assert channel.receive(child.sock)[0] == "still open"
        assert lab.wait(child) == 0


def fail(_: socket.socket) -> None:
    raise ZeroDivisionError("the recorder, say")


@as_root
def test_a_defect_in_a_process_of_the_lab_is_shown(tmp_path: Path) -> None:
    """And not taken for somebody's having killed it."""
    with up(PAIR, f"state-{os.getpid()}", tmp_path / "other") as lab:
        child = lab.fork("a", fail)
        with pytest.raises(RuntimeError, match="ZeroDivisionError: the recorder, say"):
            channel.receive(child.sock)
        assert os.waitstatus_to_exitcode(lab.wait(child)) == 70
