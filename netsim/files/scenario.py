"""Reads a scenario file: text, document, shape, and then each part into the model."""

from __future__ import annotations

from pathlib import Path

from netsim.files.document import Mapping, Scalar, Sequence, Value, parse_document
from netsim.files.grammar import SCENARIO
from netsim.files.library import read_name, read_title
from netsim.files.script import read_script
from netsim.files.shape import check
from netsim.files.text import label, read_text
from netsim.files.topology import CheckedTopology, offered, read_topology
from netsim.model.names import checked_name, shown
from netsim.model.scenario import Expectation, FailureExpected, NoReset, ResetExpected, Scenario


def read_scenario(path: Path) -> Scenario:
    """Read a scenario file; raises InputError with file, line and column. Its name is the file's."""
    return parse_scenario(read_text(path), read_name(path), label(path))


def parse_scenario(text: str, name: str, file: str) -> Scenario:
    """Read the text of a scenario; raises InputError. `file` is what its sentences begin with."""
    root = parse_document(text, file)
    check(SCENARIO, root, "a scenario")
    assert isinstance(root, Mapping)
    nodes, about = root.values["nodes"], root.values.get("about")
    assert isinstance(nodes, Mapping)
    checked = read_topology(nodes, _list(root, "links"))
    return Scenario(
        name,
        read_title(root),
        checked.topology,
        about.text.strip() if isinstance(about, Scalar) else "",
        read_script(_list(root, "script"), checked),
        _read_expectations(_list(root, "expect"), checked),
        text,
    )


def _list(root: Mapping, key: str) -> Sequence:
    found = root.values.get(key, Sequence(root.place))
    assert isinstance(found, Sequence)
    return found


def _read_expectations(items: Sequence, checked: CheckedTopology) -> tuple[Expectation, ...]:
    """Read what is expected; raises InputError, also where it contradicts itself."""
    found = tuple(_read_expectation(item, checked) for item in items.items)
    if NoReset() in found and any(isinstance(expected, ResetExpected) for expected in found):
        raise items.items[found.index(NoReset())].place.error(
            "'no reset' contradicts the reset that is expected as well; keep one of them"
        )
    return found


def _read_expectation(item: Value, checked: CheckedTopology) -> Expectation:
    if isinstance(item, Scalar):
        words: dict[str, Expectation] = {
            "no reset": NoReset(),
            "reset": ResetExpected(),
            "failure": FailureExpected(),
        }
        return words[item.text]
    assert isinstance(item, Mapping)
    key, inner = next(item.items())
    values = dict(inner.items()) if isinstance(inner, Mapping) else {}
    texts = {label.text: value for label, value in values.items() if isinstance(value, Scalar)}
    for place in ("sent by", "felt by", "who"):
        if place in texts:
            _check_node(texts[place], checked, process=place == "who")
    said = {label.replace(" ", "_"): value.text for label, value in texts.items()}
    return ResetExpected(**said) if key.text == "reset" else FailureExpected(**said)


def _check_node(name: Scalar, checked: CheckedTopology, *, process: bool) -> None:
    node, dot, label = name.text.partition(".")
    if node not in checked.nodes:
        raise name.place.error(f"there is no node {shown(node)}{offered(node, checked.nodes)}")
    if dot and not process:
        raise name.place.error(f"{shown(name.text)} is a process, and a node belongs here; write {node}")
    if dot:
        with name.place.named():
            checked_name(label, "process")
