"""Reads a scenario file: text, document, shape, and then each part into the model."""

from __future__ import annotations

from pathlib import Path

from netsim.files.document import Mapping, Scalar, Sequence, Value, parse_document
from netsim.files.expectation import read_expectations
from netsim.files.grammar import SCENARIO
from netsim.files.script import read_script
from netsim.files.shape import check
from netsim.files.text import label, read_text
from netsim.files.title import read_name, read_title
from netsim.files.topology import read_topology
from netsim.model.scenario import Scenario


def read_scenario(path: Path) -> Scenario:
    """Read a scenario file; raises InputError with file, line and column. Its name is the file's."""
    return parse_scenario(read_text(path), read_name(path), label(path))


def parse_scenario(text: str, name: str, file: str) -> Scenario:
    """Read the text of a scenario; raises InputError. `file` is what its sentences begin with."""
    root = parse_document(text, file)
    check(SCENARIO, root, "a scenario")
    assert isinstance(root, Mapping)
    nodes = root.values["nodes"]
    assert isinstance(nodes, Mapping)
    checked = read_topology(nodes, _list(root, "links"))
    return Scenario(
        name,
        read_title(root),
        checked.topology,
        _about(root.values.get("about")),
        read_script(_list(root, "script"), checked),
        read_expectations(_list(root, "expect"), checked),
        text,
    )


def _about(value: Value | None) -> str:
    return value.text.strip() if isinstance(value, Scalar) else ""


def _list(root: Mapping, key: str) -> Sequence:
    found = root.values.get(key, Sequence(root.place))
    assert isinstance(found, Sequence)
    return found
