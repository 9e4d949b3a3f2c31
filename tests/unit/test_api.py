"""The public surface: what `import netsim` gives, and what the program does not load to start."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import get_args

import pytest

import netsim
from netsim import engines
from netsim.model.action import Action
from netsim.model.event import EVENT_TYPES, Segment
from netsim.model.result import Result
from netsim.model.scenario import Expectation
from tests.unit.builders import call, timeline
from tests.unit.cli.conftest import MadeUp

SOURCE = Path(netsim.__file__).read_text()
PUBLIC = [name for name in netsim.__all__ if name != "__version__"]


def test_all_is_sorted() -> None:
    assert netsim.__all__ == sorted(set(netsim.__all__))


@pytest.mark.parametrize("name", PUBLIC)
def test_a_name_is_there_and_is_no_module(name: str) -> None:
    assert not isinstance(getattr(netsim, name), ModuleType)
    assert name in dir(netsim)


def test_types_are_checked_against_what_is_there() -> None:
    """What a type checker reads and what an import gives are written down in two places."""
    (checked,) = (node for node in ast.parse(SOURCE).body if isinstance(node, ast.If) and "import" in ast.unparse(node))
    imports = [node for node in checked.body if isinstance(node, ast.ImportFrom) and node.module != "typing"]
    homes = {alias.name: node.module for node in imports for alias in node.names}
    assert sorted(homes) == sorted(PUBLIC)
    for name, home in homes.items():
        assert getattr(netsim, name) is getattr(import_module(str(home)), name), name


def test_the_docstring_lists_them() -> None:
    assert netsim.__doc__ is not None
    assert set(PUBLIC) <= set(re.findall(r"\w+", netsim.__doc__))


@pytest.mark.parametrize(
    "union", [Action, Result, Segment, Expectation], ids=["actions", "results", "segments", "expectations"]
)
def test_it_has_all_of_a_kind(union: object) -> None:
    assert {kind.__name__ for kind in get_args(union)} <= set(PUBLIC)


def test_it_has_all_events() -> None:
    assert all(getattr(netsim, kind.__name__) is kind for kind in EVENT_TYPES)


def test_a_name_that_is_not_there() -> None:
    with pytest.raises(AttributeError, match="module 'netsim' has no attribute 'nope'"):
        _ = netsim.nope


def in_python(script: str) -> subprocess.CompletedProcess[str]:
    """Run a program in a Python of its own, in which nothing is loaded."""
    return subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)


@pytest.mark.parametrize("before", ["", "import netsim.explain\n", "import netsim.explain.rst, netsim.report\n"])
def test_explain_is_the_function_whatever_is_imported(before: str) -> None:
    """There is a package of that name, too."""
    done = in_python(
        f"{before}import netsim\n"
        "from netsim import explain\n"
        "assert netsim.explain is netsim.explain is explain\n"
        "assert callable(explain)\n"
    )
    assert done.returncode == 0, done.stderr


def test_a_run_is_what_the_command_does(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    engine = MadeUp(tmp_path)
    monkeypatch.setattr(engines, "choose", lambda: engine)
    scenario = netsim.load("firewall-reset")
    assert netsim.run(scenario, "mine").scenario == scenario
    assert engine.asked == [f"check python3 {sys.argv[0]}", "recover", "run firewall-reset as mine"]


def test_a_timeline_is_explained() -> None:
    told = timeline(call(90, "client", "connect server:60000", "ENETUNREACH"))
    for _ in range(2):
        (failure,) = netsim.explain(told).failures
        assert (failure.who, failure.errno) == ("client", netsim.Errno("ENETUNREACH"))


def test_a_scenario_made_in_python_is_as_one_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "two.yaml").write_text(
        "title: Two\nnodes: {a: {}, b: {firewall: [drop tcp]}}\nlinks: [a -- b]\n"
        "script: [{a: 'connect b:80 = ETIMEDOUT'}]\n"
    )
    made = netsim.Topology(
        (netsim.Node("a"), netsim.Node("b", firewall=(netsim.parse_rule("drop tcp"),))), (netsim.Link("a", "b"),)
    )
    step = netsim.parse_step(0, "a", "connect b:80 = ETIMEDOUT")
    read = netsim.load(tmp_path / "two.yaml")
    assert read.topology == made
    assert [(one.who, one.action, one.expected) for one in read.script] == [(step.who, step.action, step.expected)]
    assert step.action == netsim.Connect("b", 80)


@pytest.mark.parametrize("command", ["--help", "--version", "ps"])
def test_starting_loads_nothing_heavy(command: str) -> None:
    done = in_python(
        "import sys\n"
        f"sys.argv = ['netsim', {command!r}]\n"
        "from netsim.cli import main\n"
        "try:\n    main()\n"
        "except SystemExit:\n    pass\n"
        "heavy = {'rich', 'yaml', 'pyroute2', 'iptc', 'jsonschema'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    assert done.returncode == 0, done.stderr
