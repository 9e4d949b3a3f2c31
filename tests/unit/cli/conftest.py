"""A terminal without a lab: the commands are netsim's own, and an engine is made up for them."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from netsim import engines
from netsim.cli import app, main, standing
from netsim.engines import Progress, host, nothing, silent
from netsim.errors import HostError, NetsimError
from netsim.model.scenario import Scenario
from netsim.model.timeline import Timeline
from tests.unit.builders import REJECTING, call, hit, result, rst, syn, timeline

ROOT = Path(__file__).parents[3]

PLAYED = timeline(
    call(20, "server", "listen 60000", step=0), call(90, "client", "connect server:60000", "ECONNREFUSED", step=1),
    syn(100), rst(115, ttl=64), hit("fw"),
    results=[result(0, "ok", 20), result(1, "ECONNREFUSED", 90)], of=REJECTING,
)  # fmt: skip
"""What comes of the scenario firewall-reset."""


@dataclass(slots=True)
class MadeUp:
    """An Engine. What it is asked for is in `asked`, a line each."""

    state: Path
    name: str = "made-up"
    played: Timeline = PLAYED
    """What comes of any scenario that is run."""
    error: BaseException | None = None
    """Raised instead of running or building anything."""
    root: bool = True
    left: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    def check(self, command: str) -> None:
        if not self.root:
            raise HostError(f"building networks needs root; run: sudo {command}")
        self.asked.append(f"check {command}")

    def recover(self) -> list[str]:
        self.asked.append("recover")
        return self.left

    def run(
        self,
        scenario: Scenario,
        name: str | None = None,
        progress: Progress = silent,
        meanwhile: Callable[[], None] = nothing,
    ) -> Timeline:
        self.asked.append(f"run {scenario.name} as {name}")
        progress("building the network")
        meanwhile()
        if self.error is not None:
            raise self.error
        return replace(self.played, scenario=scenario, engine=self.name, build_ns=12_300_000, down_ns=4_560_000)

    def stand(self, scenario: Scenario, name: str, progress: Progress = silent) -> dict[str, Any]:
        self.asked.append(f"stand {scenario.name} as {name}")
        progress("building the network")
        if self.error is not None:
            raise self.error
        return {"lab": name, "scenario": scenario.name, "nodes": [node.name for node in scenario.topology.nodes]}


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> MadeUp:
    """The engine that is there, and the place where labs are written down."""
    state = tmp_path / "state"
    made = MadeUp(state)
    monkeypatch.setattr(engines, "choose", lambda: made)
    for module in (host, standing):
        monkeypatch.setattr(module, "STATE", state)
    return made


@dataclass(frozen=True, slots=True)
class Said:
    """What a command printed, and how it ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    def one_sentence(self, code: int) -> str:
        """What it said on stderr when it refused: one line, and nothing on stdout."""
        assert (self.code, self.out) == (code, ""), self
        (line,) = self.err.splitlines()
        assert line.startswith("netsim: ")
        return line.removeprefix("netsim: ")


Netsim = Callable[..., Said]


@pytest.fixture
def netsim(
    engine: MadeUp, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Iterator[Netsim]:
    """Types a command, as `netsim("run", "closed-port")`, in a directory of its own."""
    monkeypatch.chdir(tmp_path)
    for name in ("COLUMNS", "NO_COLOR", "FORCE_COLOR", "TERMINAL_WIDTH"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COLUMNS", "100")
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def type_in(*args: str | Path) -> Said:
        monkeypatch.setattr(sys, "argv", ["netsim", *map(os.fspath, args)])
        app.registered_commands.clear()
        with monkeypatch.context() as here:
            here.setattr(os, "_exit", sys.exit)  # how it ends where it was interrupted
            with pytest.raises(SystemExit) as end:
                main()
        printed = capsys.readouterr()
        assert "Traceback" not in printed.err
        assert isinstance(end.value.code, int | None)
        return Said(end.value.code or 0, printed.out, printed.err)

    yield type_in
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def refusing(engine: MadeUp) -> Callable[[NetsimError | BaseException], None]:
    """Have the engine raise something instead of building."""

    def refuse(error: BaseException) -> None:
        engine.error = error

    return refuse
