"""The shape of the whole: imports go one way, and every verb has somebody who carries it out."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from netsim.faults import FAULTS
from netsim.model.verbs import VERBS
from netsim.processes import scripted

ROOT = Path(__file__).parents[2] / "netsim"

_BELOW_ENGINE = {"errors", "model", "linux"}
MAY_IMPORT = {
    "errors": set[str](),
    "model": {"errors"},
    "files": {"errors", "model"},
    "explain": {"errors", "model"},
    "report": {"errors", "model"},
    "linux": {"errors", "model"},
    "engines": {"errors", "model", "linux"},
    "faults": _BELOW_ENGINE,
    "processes": _BELOW_ENGINE,
    "probes": _BELOW_ENGINE,
    "stage": _BELOW_ENGINE | {"faults", "processes", "probes"},
    "standing": _BELOW_ENGINE | {"processes"},
    "runner": _BELOW_ENGINE | {"probes", "stage"},
}
"""What each part may import besides itself. Only the command line, and the package's own names, may import anything."""

FILES = sorted(
    path for path in ROOT.rglob("*.py") if path.relative_to(ROOT).parts[0] not in {"cli", "__init__.py", "__main__.py"}
)


def part(path: Path) -> str:
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def imported(path: Path) -> Iterator[str]:
    """The parts of netsim that a file imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text())):
        names = []
        if isinstance(node, ast.Import):
            names = [name.name for name in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute here"
            names = [node.module or ""] if node.module != "netsim" else [f"netsim.{name.name}" for name in node.names]
        yield from (name.split(".")[1] for name in names if name.startswith("netsim."))


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_go_one_way(path: Path) -> None:
    allowed = MAY_IMPORT[part(path)] | {part(path)}
    assert set(imported(path)) <= allowed


def test_every_verb_is_carried_out_by_one() -> None:
    by_stage = {"finish", "run", "wait"}
    doers = Counter([*scripted.VERBS, *FAULTS, *by_stage])
    assert doers == Counter({verb.name: 1 for verb in VERBS})
    assert set(FAULTS) == {verb.name for verb in VERBS if verb.fault}


def test_every_verb_is_in_the_docs() -> None:
    text = (ROOT.parent / "docs" / "scenarios.md").read_text()
    for verb in VERBS:
        usage = verb.usage.replace("|", "\\|")
        assert f"| `{usage}` |" in text, f"docs/scenarios.md does not have {verb.usage}"
