"""Finds a scenario by name: a path, a file in ./topologies, or one that netsim brings along; and says its title."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from netsim.errors import InputError
from netsim.files.document import Mapping, Scalar, Value, parse_document
from netsim.files.text import label, read_text
from netsim.model.names import name_fault, nearest, shown

if TYPE_CHECKING:
    from netsim.model.scenario import Scenario

TITLE_MAX = 120
SUFFIXES = (".yaml", ".yml")
_PACKAGE = Path(__file__).resolve().parent.parent


def directories() -> list[Path]:
    """Where scenarios are looked for, first match first."""
    return [Path("topologies"), _shipped()]


def names() -> list[tuple[str, Path]]:
    """Every scenario that a bare name finds, sorted, each with its file; nothing is read."""
    found: dict[str, Path] = {}
    for directory in directories():
        for path in _files(directory):
            found.setdefault(path.stem, path)
    return sorted(found.items())


def find(name: str) -> Path:
    """The file of a scenario; raises InputError, which offers the nearest name.

    A bare name finds nothing outside the two directories: it is looked up among their files.
    """
    if "/" in name or name.endswith(SUFFIXES):
        path = Path(name)
        if "\0" not in name and os.path.lexists(path):
            return path
        raise InputError(f"there is no file {shown(name)}{_offer(path.stem)}")
    known = dict(names())
    if name in known:
        return known[name]
    fault = name_fault(name)
    if fault is not None:
        raise InputError(f"{shown(name)} cannot be the name of a scenario: {fault}; see 'netsim list'")
    if Path(name).is_file():
        return Path(name)
    raise InputError(f"there is no scenario {shown(name)}{_offer(name)}")


def load(name: str | Path) -> Scenario:
    """Read the scenario of that name, or in that file; raises InputError."""
    from netsim.files.scenario import read_scenario

    return read_scenario(name if isinstance(name, Path) else find(name))


def title(path: Path) -> str:
    """The title of a scenario whose YAML is sound; raises InputError. The rest is not looked at."""
    read_name(path)
    return read_title(parse_document(read_text(path), label(path)))


def read_name(path: Path) -> str:
    """The name that a file gives to its scenario; raises InputError where it can be none."""
    fault = name_fault(path.stem)
    if fault is not None:
        raise InputError(
            f"{label(path)}: {shown(path.stem)} cannot be the name of a scenario: {fault}; rename the file"
        )
    return path.stem


def read_title(root: Value) -> str:
    """The title, which a list shows in one line; raises InputError."""
    title = root.values.get("title") if isinstance(root, Mapping) else None
    if not isinstance(title, Scalar) or not title.text.strip():
        raise root.place.error("a scenario has no 'title' here; add one, such as title: What it shows")
    words = title.text.strip()
    if "\n" in words or len(words) > TITLE_MAX:
        raise title.place.error(f"'title' is one line of at most {TITLE_MAX} letters; put the rest into 'about'")
    return words


def _shipped() -> Path:
    """Inside the package where a wheel was installed; beside it in a checkout."""
    inside = _PACKAGE / "topologies"
    is_checkout = (_PACKAGE.parent / "pyproject.toml").is_file()
    return _PACKAGE.parent / "topologies" if is_checkout and not inside.is_dir() else inside


def _files(directory: Path) -> list[Path]:
    try:
        found = sorted(entry.name for entry in os.scandir(directory) if entry.name.endswith(SUFFIXES))
    except OSError:
        return []  # no such directory, or not ours to read: there is nothing in it to offer
    return [directory / name for name in found if not name.startswith(".")]


def _offer(name: str) -> str:
    return f"{nearest(name, dict(names()))}; see 'netsim list'"
