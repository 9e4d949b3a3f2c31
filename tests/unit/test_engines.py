"""The engine of this machine, as far as it asks the kernel for nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from netsim import runner
from netsim.engines import choose
from netsim.engines.host import HostEngine
from netsim.errors import HostError, InputError
from netsim.linux import lab
from netsim.model.plan import Plan
from netsim.model.scenario import Scenario
from tests.unit.builders import THREE, timeline

SCENARIO = Scenario("test", "A test", THREE.topology)
PLAYED = replace(timeline(), scenario=SCENARIO)


def test_there_is_one() -> None:
    engine = choose()
    assert (engine.name, engine.state) == ("host", Path("/run/netsim"))


@pytest.mark.parametrize("uid", [0, 1000])
def test_it_takes_root(monkeypatch: pytest.MonkeyPatch, uid: int) -> None:
    monkeypatch.setattr("os.geteuid", lambda: uid)
    if uid == 0:
        HostEngine().check("netsim run x")
        return
    with pytest.raises(HostError, match=r"^building networks needs root; run: sudo netsim run x$"):
        HostEngine().check("netsim run x")


def test_what_killed_runs_left_is_named_by_its_labs(tmp_path: Path) -> None:
    state = tmp_path / "state"
    for name in ("one", "other"):
        (state / name).mkdir(parents=True)
    assert HostEngine(state).recover() == ["one", "other"]
    assert not state.exists()
    assert HostEngine(state).recover() == []


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names under which labs were started. Nothing of them is built."""
    names: list[str] = []

    def start(plan: Plan, name: str, state: Path) -> str:
        names.append(name)
        if name in {"test", "test-2", "broken"}:
            raise InputError(f"a lab called {name} is standing already")
        return name

    def play(scenario: Scenario, start: Callable[[Plan], Any], *_: object) -> object:
        start(THREE)
        return PLAYED

    monkeypatch.setattr(lab, "start", start)
    monkeypatch.setattr(runner, "play", play)
    return names


def test_a_run_gets_a_name_that_is_free(started: list[str], tmp_path: Path) -> None:
    for name in ("test", "test-2"):
        (tmp_path / name).mkdir()
    assert HostEngine(tmp_path).run(SCENARIO) == PLAYED
    assert started == ["test", "test-2", "test-3"]


@pytest.mark.parametrize("name", [None, "test"])
def test_but_where_it_was_not_the_name_it_is_refused(started: list[str], tmp_path: Path, name: str | None) -> None:
    """And so it is where somebody has given it a name that is taken."""
    with pytest.raises(InputError, match="a lab called test is standing already"):
        HostEngine(tmp_path).run(SCENARIO, name)
    assert started == ["test"]
