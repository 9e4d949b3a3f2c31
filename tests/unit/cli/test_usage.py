"""What a command line may look like: help, versions, and what is wrong with one."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from netsim import __version__
from tests.unit.cli.conftest import MadeUp, Netsim

COMMANDS = [
    "run", "explain", "up", "down", "ps", "exec", "shell", "list", "show", "graph", "check", "schema", "doctor",
    "clean",
]  # fmt: skip
"""In the order of their use."""


def test_help(netsim: Netsim) -> None:
    said = netsim("--help")
    assert (said.code, said.err) == (0, "")
    listed = said.out.partition("Commands:")[2].partition("Exit codes")[0]
    assert re.findall(r"^  (\w+) ", listed, re.MULTILINE) == COMMANDS
    assert "Exit codes: 0 as expected, 1 not as expected, 2 bad input" in " ".join(said.out.split())
    assert "Start with:  sudo netsim run firewall-reset" in said.out


def test_without_a_word_it_helps(netsim: Netsim) -> None:
    said = netsim()
    assert (said.code, "Usage: netsim [OPTIONS] COMMAND" in said.out + said.err) == (2, True)


@pytest.mark.parametrize("command", COMMANDS)
def test_help_for_each(netsim: Netsim, command: str) -> None:
    said = netsim(command, "-h")
    assert (said.code, said.err) == (0, "")
    assert said.out.startswith(f"Usage: netsim {command} ")


def test_version(netsim: Netsim) -> None:
    said = netsim("--version")
    assert (said.code, said.out) == (0, f"netsim {__version__}\n")


@pytest.mark.parametrize(
    ("args", "wrong"),
    [
        (["run", "closed-port", "--jsn"], "No such option: --jsn"),
        (["rnu", "closed-port"], "No such command 'rnu'"),
        (["run"], "Missing argument 'NAME'"),
        (["explain"], "Missing argument 'FILE'"),
        (["check"], "Missing argument 'FILE...'"),
        (["exec"], "Missing argument 'NODE'"),
        (["run", "closed-port", "--lab"], "Option '--lab' requires an argument"),
        (["run", "closed-port", "another"], "unexpected extra argument"),
        (["ps", "x"], "unexpected extra argument"),
    ],
)
def test_what_is_wrong_with_a_command_line(netsim: Netsim, engine: MadeUp, args: list[str], wrong: str) -> None:
    said = netsim(*args)
    assert (said.code, said.out) == (2, "")
    assert wrong in said.err.splitlines()[-1]
    assert engine.asked == []


@pytest.mark.parametrize(
    ("command", "code", "says"),
    [
        ("list >&-", 0, ""),
        ("--version >&-", 0, ""),
        ("--version >/dev/full", 3, "netsim: this host refused: [Errno 28] No space left on device\n"),
        ("list >/dev/full", 3, "netsim: this host refused: [Errno 28] No space left on device\n"),
    ],
)
def test_a_stdout_that_takes_nothing(command: str, code: int, says: str) -> None:
    told = subprocess.run(
        ["sh", "-c", f"exec '{sys.executable}' -m netsim {command}"], capture_output=True, text=True, check=False
    )  # fmt: skip
    assert (told.returncode, told.stderr) == (code, says)
