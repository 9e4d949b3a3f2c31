"""What a terminal gets besides the report: a line of progress on stderr, and what Tab offers."""

from __future__ import annotations

import io
import sys
from types import SimpleNamespace

import pytest

from netsim.cli import complete
from netsim.cli.output import Progress, table
from netsim.linux import netns_names
from tests.unit.cli.conftest import MadeUp


class Screen(io.StringIO):
    """A terminal of 20 columns, or a file."""

    def __init__(self, tty: bool) -> None:
        super().__init__()
        self.tty = tty

    def isatty(self) -> bool:
        return self.tty


@pytest.mark.parametrize(("tty", "quiet"), [(True, False), (True, True), (False, False)])
def test_progress_is_one_line_that_goes_when_all_is_done(
    monkeypatch: pytest.MonkeyPatch, tty: bool, quiet: bool
) -> None:
    monkeypatch.setattr(sys, "stderr", screen := Screen(tty))
    monkeypatch.setenv("COLUMNS", "20")
    with Progress(quiet) as progress:
        progress("building")
        progress("step 1 of 2: client: recv")
    erase = "\r\x1b[K"
    wanted = f"{erase}building{erase}step 1 of 2: clien{erase}"
    assert screen.getvalue() == (wanted if tty and not quiet else "")


def test_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    table([["a", "long", "x"], ["longer", "b", ""]], ["ONE", "TWO", "THREE"])
    assert capsys.readouterr().out == "ONE     TWO   THREE\na       long  x\nlonger  b\n"


def test_tab_offers_scenarios() -> None:
    assert complete.scenarios("fire") == ["firewall-reset", "firewall-reset-host"]
    assert complete.scenarios("zzz") == []


def test_and_labs_and_their_nodes(engine: MadeUp, monkeypatch: pytest.MonkeyPatch) -> None:
    for lab in ("one", "other"):
        (engine.state / lab).mkdir(parents=True)
    names = engine.state.parent / "names"
    names.mkdir()
    for name in ("one.client", "one.server", "other.client", "other.fw", "foreign.client"):
        (names / name).touch()
    monkeypatch.setattr(netns_names, "DIRECTORY", names)
    assert complete.labs("o") == ["one", "other"]
    assert complete.labs("ot") == ["other"]

    def nodes(lab: str | None, incomplete: str) -> list[str]:
        return complete.nodes(SimpleNamespace(params={"lab": lab}), incomplete)

    assert nodes(None, "") == ["client", "fw", "server"]
    assert nodes("one", "") == ["client", "server"]
    assert nodes("other", "f") == ["fw"]
    assert nodes("nothing", "") == []
