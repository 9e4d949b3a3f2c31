"""A scenario's name and title: all that a list of scenarios needs, without the rest of the model."""

from __future__ import annotations

from pathlib import Path

from netsim.errors import InputError
from netsim.files.document import Mapping, Scalar, Value
from netsim.files.text import label
from netsim.model.names import name_fault, shown

TITLE_MAX = 120


def read_name(path: Path) -> str:
    """The name that a file gives to its scenario; raises InputError where it can be none."""
    fault = name_fault(path.stem)
    if fault is not None:
        raise InputError(f"{label(path)}: {shown(path.stem)} cannot be a scenario's name: {fault}; rename the file")
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
