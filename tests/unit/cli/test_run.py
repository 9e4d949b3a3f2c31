"""`netsim run` and `netsim explain`: what they print, and how they end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from netsim.errors import HostError, InputError, LabError
from netsim.files.recording import read
from tests.unit.builders import call, result, timeline
from tests.unit.cli.conftest import PLAYED, ROOT, MadeUp, Netsim

REFUSED_OTHERWISE = timeline(
    call(90, "client", "connect server:60000", "ok", step=1), results=[result(0, "ok"), result(1, "ok", ok=False)]
)
"""Nothing as the scenario expects."""


def test_a_run_that_comes_as_expected(netsim: Netsim, engine: MadeUp) -> None:
    said = netsim("run", "firewall-reset")
    assert (said.code, said.err) == (0, "")
    assert engine.asked == ["check netsim run firewall-reset", "recover", "run firewall-reset as None"]
    first, *_ = said.out.splitlines()
    assert first == "firewall-reset  A firewall on the path resets every connection to port 60000"
    assert "  firewall-reject: a packet filter's REJECT answered in the place of the destination" in said.out
    assert "PASS  everything came as the scenario expects" in said.out
    assert "engine made-up" in said.out
    assert "\x1b" not in said.out  # it goes into a pipe


def test_one_that_does_not(netsim: Netsim, engine: MadeUp) -> None:
    engine.played = REFUSED_OTHERWISE
    said = netsim("run", "firewall-reset")
    assert (said.code, said.err) == (1, "")
    assert "FAIL" in said.out
    assert "expected a reset sent by fw felt by client cause firewall-reject" in " ".join(said.out.split())


def test_for_programs(netsim: Netsim, engine: MadeUp) -> None:
    said = netsim("run", "firewall-reset", "--json")
    assert (said.code, said.err) == (0, "")
    assert (said.json["verdict"], said.json["scenario"], said.json["engine"]) == ("pass", "firewall-reset", "made-up")
    Draft202012Validator(netsim("schema", "--report").json).validate(said.json)
    engine.played = REFUSED_OTHERWISE
    said = netsim("run", "firewall-reset", "--json")
    assert (said.code, said.json["verdict"]) == (1, "fail")


def test_the_name_of_the_lab(netsim: Netsim, engine: MadeUp) -> None:
    netsim("run", "firewall-reset", "--lab", "mine")
    assert engine.asked[-1] == "run firewall-reset as mine"


def test_what_killed_runs_left_is_given_back_first_and_said(netsim: Netsim, engine: MadeUp) -> None:
    engine.left = ["one", "other"]
    said = netsim("run", "firewall-reset", "--json")
    assert said.code == 0
    assert said.err == (
        "netsim: gave back what a killed run of one had left\nnetsim: gave back what a killed run of other had left\n"
    )
    assert said.json["verdict"] == "pass"


def test_how_long_it_took(netsim: Netsim) -> None:
    said = netsim("run", "firewall-reset", "--timing")
    assert said.err == "built in 12.3 ms, removed in 4.6 ms\n"


def test_a_recording_explains_itself(netsim: Netsim, tmp_path: Path) -> None:
    run = netsim("run", "firewall-reset", "--record", tmp_path / "run.jsonl")
    assert run.code == 0
    again = netsim("explain", tmp_path / "run.jsonl")
    assert (again.code, again.out, again.err) == (0, run.out, "")
    as_json = netsim("run", "firewall-reset", "--json")
    assert netsim("explain", tmp_path / "run.jsonl", "--json").out == as_json.out
    assert read(tmp_path / "run.jsonl").events == PLAYED.events


def test_a_recording_is_there_whatever_the_verdict(netsim: Netsim, engine: MadeUp, tmp_path: Path) -> None:
    engine.played = REFUSED_OTHERWISE
    assert netsim("run", "firewall-reset", "--record", tmp_path / "run.jsonl").code == 1
    assert netsim("explain", tmp_path / "run.jsonl").code == 1


def test_explain_takes_no_root_and_no_engine(netsim: Netsim, engine: MadeUp, tmp_path: Path) -> None:
    netsim("run", "firewall-reset", "--record", tmp_path / "run.jsonl")
    engine.root = False
    engine.asked.clear()
    assert netsim("explain", tmp_path / "run.jsonl").code == 0
    assert engine.asked == []


@pytest.mark.parametrize(
    ("args", "sentence"),
    [
        (["run", "firewall-rest"], "there is no scenario 'firewall-rest'; did you mean 'firewall-reset'?"),
        (["run", "zzz"], "there is no scenario 'zzz'; see 'netsim list'"),
        (["run", "./none.yaml"], "there is no file './none.yaml'"),
        (["run", "firewall-reset", "--lab", "a b"], "'a b' cannot be the name of a lab: "),
        (["run", "firewall-reset", "--lab", "../x"], "'../x' cannot be the name of a lab: "),
        (["run", "firewall-reset", "--record", "/no/where.jsonl"], "/no/where.jsonl cannot be written: "),
        (["explain", "/no/where.jsonl"], "/no/where.jsonl: "),
        (["explain", str(ROOT / "topologies/firewall-reset.yaml")], f"{ROOT}/topologies/firewall-reset.yaml:1: "),
    ],
)
def test_what_means_nothing_is_refused_before_anything_is_built(
    netsim: Netsim, engine: MadeUp, args: list[str], sentence: str
) -> None:
    assert netsim(*args).one_sentence(2).startswith(sentence)
    assert not [line for line in engine.asked if line.startswith(("recover", "run"))]


def test_no_root(netsim: Netsim, engine: MadeUp) -> None:
    engine.root = False
    sentence = "building networks needs root; run: sudo netsim run firewall-reset"
    assert netsim("run", "firewall-reset").one_sentence(3) == sentence
    assert engine.asked == []


@pytest.mark.parametrize(
    ("error", "code", "sentence"),
    [
        (InputError("a lab called x is standing already"), 2, "a lab called x is standing already"),
        (HostError("firewall rules need python-iptables"), 3, "firewall rules need python-iptables"),
        (LabError("heal", "a -- b", 22, "it is not cut"), 1, "heal on a -- b failed: EINVAL (it is not cut)"),
        (LabError("place", "fw", 4095), 1, "place on fw failed: 4095 (Unknown error 4095)"),
        (KeyboardInterrupt(), 130, "interrupted; everything was given back"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("command", ["run", "up"])
def test_what_goes_wrong_is_one_sentence_and_a_code(
    netsim: Netsim, engine: MadeUp, command: str, error: BaseException, code: int, sentence: str
) -> None:
    engine.error = error
    assert netsim(command, "firewall-reset").one_sentence(code) == sentence
    assert netsim(command, "firewall-reset", "--json").one_sentence(code) == sentence


def test_nothing_is_recorded_of_a_run_that_failed(netsim: Netsim, engine: MadeUp, tmp_path: Path) -> None:
    engine.error = LabError("heal", "client -- fw", 22)
    (tmp_path / "run.jsonl").write_text("before")
    netsim("run", "firewall-reset", "--record", tmp_path / "run.jsonl")
    assert (tmp_path / "run.jsonl").read_text() == "before"


def test_an_interrupt_is_one_however_often_it_comes(netsim: Netsim, monkeypatch: pytest.MonkeyPatch) -> None:
    """kill(1) is as Ctrl-C, and what comes while everything is given back changes nothing."""

    def press() -> None:
        os.kill(os.getpid(), signal.SIGTERM)

    def both(*_: object, **__: object) -> None:
        try:
            press()
        finally:
            press()

    monkeypatch.setattr(MadeUp, "run", both)
    assert netsim("run", "firewall-reset").one_sentence(130) == "interrupted; everything was given back"


PROGRAM = (sys.executable, "-m", "netsim")


@pytest.mark.parametrize("args", [["list"], ["show", "link-cut"], ["--help"]], ids=" ".join)
def test_a_reader_that_has_seen_enough(args: list[str]) -> None:
    read_end, write_end = os.pipe()
    os.close(read_end)
    done = subprocess.run([*PROGRAM, *args], stdout=write_end, stderr=subprocess.PIPE, cwd=ROOT, check=False)
    os.close(write_end)
    assert done.stderr == b""


def test_a_report_that_cannot_be_written() -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run([*PROGRAM, "list"], stdout=full, stderr=subprocess.PIPE, text=True, cwd=ROOT, check=False)
    assert done.returncode == 3
    assert done.stderr == "netsim: this host refused: [Errno 28] No space left on device\n"
