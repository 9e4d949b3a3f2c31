"""The shape of the whole: imports go one way, and every verb has somebody who carries it out."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest

from netsim.faults import FAULTS
from netsim.model import action as act
from netsim.model.cause import CAUSES
from netsim.model.verbs import VERBS, Verb, verb_of
from netsim.processes import scripted

ROOT = Path(__file__).parents[2] / "netsim"

BASE = {"errors", "model"}
PLAYERS = {"faults", "processes", "probes"}
MAY_IMPORT = {
    "errors": set[str](),
    "model": {"errors"},
    "files": BASE,
    "analysis": BASE,
    "explain": BASE | {"analysis"},
    "report": BASE | {"analysis"},
    "linux": BASE,
    "faults": BASE | {"linux"},
    "processes": BASE | {"linux"},
    "probes": BASE | {"linux"},
    "script_runner": BASE | {"linux", "faults", "processes"},
    "runner": BASE | {"linux", "probes", "script_runner", "analysis"},
    "engines": BASE | {"files", "linux", "processes", "runner"},
    "cli": BASE | {"files", "analysis", "explain", "report", "linux", "engines"},
}
"""What each part may import besides itself: nothing that is above it, or beside it."""
OUTAGES = "netsim.analysis.outages"
"""All that the runner takes from analysis: which cable was cut when, for the packets that it parses."""

FILES = sorted(
    path for path in ROOT.rglob("*.py") if path.parent != ROOT or path.name not in {"__init__.py", "__main__.py"}
)


def part(path: Path) -> str:
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def imported(path: Path) -> Iterator[str]:
    """The modules of netsim that a file imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text())):
        names = []
        if isinstance(node, ast.Import):
            names = [name.name for name in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute here"
            names = [node.module or ""] if node.module != "netsim" else [f"netsim.{name.name}" for name in node.names]
        yield from (name for name in names if name.startswith("netsim.") and name != "netsim.__version__")


def test_every_part_is_known() -> None:
    assert {part(path) for path in FILES} == set(MAY_IMPORT)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_go_one_way(path: Path) -> None:
    allowed = MAY_IMPORT[part(path)] | {part(path)}
    found = set(imported(path))
    assert {name.split(".")[1] for name in found} <= allowed
    if part(path) == "runner":
        assert {name for name in found if name.startswith("netsim.analysis")} <= {OUTAGES}


@pytest.mark.parametrize("name", MAY_IMPORT)
def test_no_two_parts_need_each_other(name: str) -> None:
    below, seen = set(MAY_IMPORT[name]), set[str]()
    while below - seen:
        one = (below - seen).pop()
        seen.add(one)
        below |= MAY_IMPORT[one]
    assert name not in below


@pytest.mark.parametrize("name", ["analysis", "explain", "report", "files"])
def test_what_explains_a_recording_never_sees_a_lab(name: str) -> None:
    modules = {"ctypes", "fcntl", "subprocess", "socket", "signal", "pyroute2", "iptc"}
    for path in (path for path in FILES if part(path) == name):
        used = {
            name.name.split(".")[0]
            for node in ast.walk(ast.parse(path.read_text()))
            if isinstance(node, ast.Import)
            for name in node.names
        }
        assert not used & modules, path


class TestVerbs:
    BY_THE_RUNNER = (act.Finish, act.Run, act.Wait, act.Kill)

    def test_every_action_is_carried_out_by_exactly_one(self) -> None:
        """A kill is its process's where that has nothing else to do, and the runner's where it is in a call."""
        doers = Counter([*scripted.ACTIONS, *FAULTS, *(kind for kind in self.BY_THE_RUNNER if kind is not act.Kill)])
        assert doers == Counter(dict.fromkeys(get_args(act.Action), 1))

    def test_every_action_has_a_verb_and_every_verb_an_action(self) -> None:
        made = {}
        for verb in VERBS:
            action = verb.read(verb.example.partition(" = ")[0].removeprefix(verb.name).strip())
            assert action is not None, verb.example
            made[verb.name] = type(action)
            assert verb_of(action) is verb
        assert set(made.values()) == set(get_args(act.Action))

    def test_faults_are_marked(self) -> None:
        assert set(get_args(act.Fault)) == set(FAULTS)
        assert {verb.name for verb in VERBS if verb.fault} == {
            "cut", "heal", "crash", "boot", "reject", "drop", "sysctl"
        }  # fmt: skip

    def test_what_is_a_call_is_made_by_a_scripted_process(self) -> None:
        assert {*get_args(act.Call), act.Kill} == set(scripted.ACTIONS)

    @pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb.name)
    def test_it_is_in_the_docs(self, verb: Verb) -> None:
        who = {"process": "a process", "node": "a node", "link": "a link", "lab": "`lab`"}[verb.who]
        usage, about = (text.replace("|", "\\|") for text in (verb.usage, verb.about))
        text = (ROOT.parent / "docs" / "scenarios.md").read_text()
        assert f"| `{usage}` | {who} | {about} |\n" in text


SAID_BY_EXPLAIN = {
    node.value
    for path in FILES
    if part(path) == "explain"
    for node in ast.walk(ast.parse(path.read_text()))
    if isinstance(node, ast.Constant)
}
"""Every text and number in netsim/explain."""


@pytest.mark.parametrize("cause", CAUSES)
def test_a_cause_is_found(cause: str) -> None:
    assert cause in SAID_BY_EXPLAIN
