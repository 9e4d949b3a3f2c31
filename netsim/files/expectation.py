"""What a scenario file expects of the run as a whole."""

from __future__ import annotations

from netsim.files.document import Mapping, Scalar, Sequence, Value
from netsim.files.topology import CheckedTopology
from netsim.model.names import name_fault, nearest, shown
from netsim.model.scenario import Expectation, FailureExpected, NoReset, ResetExpected


def read_expectations(items: Sequence, checked: CheckedTopology) -> tuple[Expectation, ...]:
    """Read what is expected; raises InputError, also where it contradicts itself."""
    found = tuple(_read(item, checked) for item in items.items)
    resets = [isinstance(expected, ResetExpected) for expected in found]
    if any(resets) and NoReset() in found:
        raise items.items[found.index(NoReset())].place.error(
            "'no reset' contradicts the reset that is expected as well; keep one of them"
        )
    return found


def _read(item: Value, checked: CheckedTopology) -> Expectation:
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
    for label in ("sent by", "felt by", "who"):
        if label in texts:
            _check_node(texts[label], checked, process=label == "who")
    said = {label.replace(" ", "_"): value.text for label, value in texts.items()}
    return ResetExpected(**said) if key.text == "reset" else FailureExpected(**said)


def _check_node(name: Scalar, checked: CheckedTopology, *, process: bool) -> None:
    node, dot, label = name.text.partition(".")
    if node not in checked.nodes:
        offer = nearest(node, checked.nodes) or f"; there are {', '.join(list(checked.nodes)[:8])}"
        raise name.place.error(f"there is no node {shown(node)}{offer}")
    if dot and not process:
        raise name.place.error(f"{shown(name.text)} is a process, and a node belongs here; write {node}")
    fault = name_fault(label) if dot else None
    if fault is not None:
        raise name.place.error(f"{shown(label)} cannot be a process's name: {fault}")
