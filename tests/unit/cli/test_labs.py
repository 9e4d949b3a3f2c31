"""`netsim up`, `down`, `ps`, `exec`, `shell` and `clean`, on labs that are written down and do not exist."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from netsim.linux import enter, journal
from netsim.linux.lab import ABOUT, Child
from tests.unit.cli.conftest import MadeUp, Netsim
from tests.unit.local_lab import fork

Stand = Callable[..., Child]


def _keep(sock: socket.socket, name: str, state: Path, about: str) -> None:
    """Live as the keeper of a lab does that has nothing: until SIGTERM."""
    kept = journal.open_journal(name, state)
    if about:
        (kept.directory / ABOUT).write_text(about)
    with suppress(SystemExit):
        signal.signal(signal.SIGTERM, lambda *_: sys.exit())
        sock.send(b"!")
        signal.pause()
    kept.erase()


@pytest.fixture
def stand(engine: MadeUp) -> Iterator[Stand]:
    """Has a lab stand, called `name`, whose nodes are client and server unless it is a run's."""
    children = []

    def make(name: str, *, run: bool = False, **about: object) -> Child:
        told = {"scenario": "closed-port", "title": "A test", "since": "2026-10-01T12:00:00+02:00",
                "nodes": ["client", "server"], **about}  # fmt: skip
        child = fork(_keep, name, engine.state, "" if run else json.dumps(told))
        children.append(child)
        assert child.sock.recv(1) == b"!"
        return child

    yield make
    for child in children:
        signal.pidfd_send_signal(child.pidfd, signal.SIGKILL)
        child.close()
        os.waitpid(child.pid, 0)


def ended(child: Child) -> bool:
    return bool(select.select([child.pidfd], [], [], 0)[0])


class TestUp:
    def test_it_says_what_stands_and_what_to_try(self, netsim: Netsim, engine: MadeUp) -> None:
        said = netsim("up", "firewall-reset")
        assert (said.code, said.err) == (0, "")
        assert engine.asked == [
            "check netsim up firewall-reset", "recover", "stand firewall-reset as firewall-reset",
        ]  # fmt: skip
        lines = said.out.splitlines()
        assert lines[0] == "firewall-reset  is standing"
        assert "reject tcp dport 60000 with tcp-reset" in said.out
        assert lines[lines.index("Try") :] == [
            "Try",
            "  sudo netsim exec client -- nc -v server 60000",
            "  sudo netsim exec fw -- ip route",
            "  sudo netsim shell client",
            "  sudo netsim down",
        ]

    def test_without_a_router_or_a_connection_there_is_less_to_try(self, netsim: Netsim, tmp_path: Path) -> None:
        (tmp_path / "two.yaml").write_text("title: x\nnodes: {a: {}, b: {}}\nlinks: [a -- b]\n")
        assert netsim("up", "./two.yaml").out.splitlines()[-3:] == [
            "  sudo netsim exec a -- ip route", "  sudo netsim shell a", "  sudo netsim down",
        ]  # fmt: skip

    def test_by_another_name_and_for_programs(self, netsim: Netsim, engine: MadeUp) -> None:
        said = netsim("up", "firewall-reset", "--lab", "mine", "--json")
        assert (said.code, said.err) == (0, "")
        assert said.json == {"lab": "mine", "scenario": "firewall-reset", "nodes": ["client", "fw", "server"]}
        assert engine.asked[-1] == "stand firewall-reset as mine"

    def test_a_name_that_none_can_be(self, netsim: Netsim, engine: MadeUp) -> None:
        assert (
            netsim("up", "firewall-reset", "--lab", "a b").one_sentence(2).startswith("'a b' cannot be the name of a")
        )
        assert "recover" not in engine.asked


class TestPs:
    def test_nothing_stands(self, netsim: Netsim) -> None:
        assert netsim("ps").out == "no lab is standing\n"
        assert netsim("ps", "--json").json == []

    def test_what_stands(self, netsim: Netsim, stand: Stand) -> None:
        one, many, run = stand("one"), stand("many", nodes=[f"n{i}" for i in range(7)]), stand("playing", run=True)
        assert [line.split() for line in netsim("ps").out.splitlines()] == [
            ["LAB", "SCENARIO", "NODES", "SINCE", "KEEPER"],
            ["many", "closed-port", "7", "nodes", "2026-10-01T12:00:00+02:00", str(many.pid)],
            ["one", "closed-port", "client", "server", "2026-10-01T12:00:00+02:00", str(one.pid)],
            ["playing", "(a", "run)", str(run.pid)],
        ]

    def test_for_programs(self, netsim: Netsim, stand: Stand) -> None:
        keeper = stand("one").pid
        assert netsim("ps", "--json").json == [
            {"name": "one", "keeper": keeper, "title": "A test", "scenario": "closed-port",
             "since": "2026-10-01T12:00:00+02:00", "nodes": ["client", "server"]}
        ]  # fmt: skip

    def test_a_lab_whose_keeper_was_killed_stands_no_more(self, netsim: Netsim, stand: Stand) -> None:
        child = stand("one")
        signal.pidfd_send_signal(child.pidfd, signal.SIGKILL)
        assert select.select([child.pidfd], [], [], 10)[0]
        assert netsim("ps").out == "no lab is standing\n"

    @pytest.mark.parametrize("alive", [True, False])
    def test_who_may_not_ask_the_keeper_goes_by_what_the_lab_says(
        self, netsim: Netsim, stand: Stand, monkeypatch: pytest.MonkeyPatch, alive: bool
    ) -> None:
        def refuse(*_: object) -> int:
            raise PermissionError

        stand("one", keeper=os.getpid() if alive else 1 << 22)
        monkeypatch.setattr(journal, "keeper_pid", refuse)
        assert [lab["name"] for lab in netsim("ps", "--json").json] == ["one"] * alive

    def test_it_takes_no_root(self, netsim: Netsim, engine: MadeUp, stand: Stand) -> None:
        stand("one")
        engine.root = False
        assert netsim("ps").code == 0


class TestDown:
    def test_the_only_one(self, netsim: Netsim, stand: Stand) -> None:
        child = stand("one")
        said = netsim("down")
        assert (said.code, said.out, said.err) == (0, "one is gone\n", "")
        assert ended(child)
        assert netsim("ps").out == "no lab is standing\n"

    def test_one_of_several(self, netsim: Netsim, stand: Stand) -> None:
        one, other = stand("one"), stand("other")
        several = "several labs are standing; name one of them: one, other"
        assert netsim("down").one_sentence(2) == several
        assert netsim("down", "other", "--json").json == ["other"]
        assert (ended(one), ended(other)) == (False, True)

    def test_what_a_run_is_playing_is_meant_only_by_name(self, netsim: Netsim, stand: Stand) -> None:
        stand("one")
        run = stand("playing", run=True)
        assert netsim("down").out == "one is gone\n"
        assert netsim("down").one_sentence(2).startswith("no lab is standing")
        assert not ended(run)
        assert netsim("down", "playing").out == "playing is gone\n"

    def test_all(self, netsim: Netsim, stand: Stand) -> None:
        children = [stand("one"), stand("other")]
        assert netsim("down", "--all").out == "one is gone\nother is gone\n"
        assert all(ended(child) for child in children)
        assert netsim("down", "--all").out == "no lab is standing\n"
        assert netsim("down", "--all", "--json").json == []

    @pytest.mark.parametrize(
        ("args", "sentence"),
        [
            (["oen"], "no lab called 'oen' is standing; did you mean 'one'?"),
            (["elsewhere"], "no lab called 'elsewhere' is standing"),
            (["one", "--all"], "either a lab's name or --all, not both"),
        ],
    )
    def test_what_is_refused(self, netsim: Netsim, stand: Stand, args: list[str], sentence: str) -> None:
        child = stand("one")
        assert netsim("down", *args).one_sentence(2) == sentence
        assert not ended(child)

    def test_where_nothing_stands(self, netsim: Netsim) -> None:
        sentence = "no lab is standing; 'sudo netsim up firewall-reset' builds one"
        assert netsim("down").one_sentence(2) == sentence


class TestExec:
    @pytest.fixture
    def entered(self, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str, list[str]]]:
        """Which lab's node was entered, with which program: nobody really is."""
        found: list[tuple[str, str, list[str]]] = []
        monkeypatch.setattr(enter, "enter", lambda lab, node, argv, _: found.append((lab, node, argv)))
        return found

    @pytest.mark.parametrize(
        ("args", "lab", "argv"),
        [
            (["client", "--", "ip", "route"], "one", ["ip", "route"]),
            (["client", "ip", "-brief", "link"], "one", ["ip", "-brief", "link"]),
            (["client", "--", "sh", "-c", "x", "--lab", "-h"], "one", ["sh", "-c", "x", "--lab", "-h"]),
            (["--lab", "one", "client", "--", "true"], "one", ["true"]),
            (["client", "--lab", "one", "--", "true"], "one", ["true"]),
        ],
    )
    def test_a_program_on_a_node(
        self, netsim: Netsim, stand: Stand, entered: list[object], args: list[str], lab: str, argv: list[str]
    ) -> None:
        stand("one")
        assert netsim("exec", *args).code == 0
        assert entered == [(lab, "client", argv)]

    def test_of_several_labs_one_is_named(self, netsim: Netsim, stand: Stand, entered: list[object]) -> None:
        stand("one")
        stand("other")
        assert netsim("exec", "client", "--", "true").one_sentence(2).startswith("several labs are standing")
        assert netsim("exec", "--lab", "other", "client", "--", "true").code == 0
        assert entered == [("other", "client", ["true"])]

    @pytest.mark.parametrize("args", [["client"], ["client", "--"], ["client", "--lab", "one"]])
    def test_no_program(self, netsim: Netsim, stand: Stand, entered: list[object], args: list[str]) -> None:
        stand("one")
        sentence = "which program? netsim exec client -- PROGRAM [ARGUMENT]..."
        assert netsim("exec", *args).one_sentence(2) == sentence
        assert entered == []

    @pytest.mark.parametrize("shell", ["/bin/sh", "/nowhere/zsh"])
    def test_a_shell(
        self, netsim: Netsim, stand: Stand, entered: list[object], monkeypatch: pytest.MonkeyPatch, shell: str
    ) -> None:
        monkeypatch.setenv("SHELL", shell)
        stand("one")
        assert netsim("shell", "client").code == 0
        assert entered == [("one", "client", ["env", "PS1=client@one# ", "/bin/sh", "-i"])]

    def test_a_node_that_there_is_not(self, netsim: Netsim, stand: Stand) -> None:
        stand("one")
        assert netsim("exec", "cleint", "--", "true").one_sentence(2).startswith("lab one has no node 'cleint'")

    @pytest.mark.parametrize(
        "args", [["exec", "client", "--", "true"], ["shell", "client"], ["down"], ["clean"]], ids=" ".join
    )
    def test_no_root(self, netsim: Netsim, engine: MadeUp, stand: Stand, args: list[str]) -> None:
        stand("one")
        engine.root = False
        assert netsim(*args).one_sentence(3).startswith(f"building networks needs root; run: sudo netsim {args[0]}")


class TestClean:
    @pytest.fixture
    def left(self, engine: MadeUp, stand: Stand) -> Path:
        """What a killed run has left; a lab stands beside it."""
        stand("one")
        place = engine.state / "killed"
        place.mkdir()
        (place / "hosts").write_text("x")
        return place

    def test_it_gives_back_what_is_left(self, netsim: Netsim, left: Path) -> None:
        said = netsim("clean")
        assert (said.code, said.err) == (0, "")
        assert [line.split() for line in said.out.splitlines()] == [
            ["LAB", "KIND", "WHAT"], ["killed", "directory", str(left)],
        ]  # fmt: skip
        assert not left.exists()
        assert netsim("clean").out == "nothing is left\n"
        assert [lab["name"] for lab in netsim("ps", "--json").json] == ["one"]

    def test_or_only_says_so(self, netsim: Netsim, left: Path) -> None:
        wanted = [{"lab": "killed", "kind": "directory", "what": str(left)}]
        assert netsim("clean", "--dry-run", "--json").json == wanted
        assert left.exists()
        assert netsim("clean", "--json").json == wanted
        assert netsim("clean", "--json").json == []
