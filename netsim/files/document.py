"""YAML as plain data that knows its places: text, lists and mappings with line and column.

Built from parser events with a stack of its own, not by PyYAML's composer: that one recurses, and a
file of a million brackets would end the program. Every scalar is text, so `off` is the word off.
Anchors, aliases, tags and merge keys are refused: a scenario says what it means where it means it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

from netsim.errors import InputError
from netsim.model.names import shown

T = TypeVar("T")

_DEPTH_MAX = 20
_TOO_DEEP = f"this is nested more than {_DEPTH_MAX} levels deep; a scenario needs 5"

_ODD = "[^\\t\\n\\r\\x20-\\x7e\\xa0-\\u2029\\u202f-\\u2065\\u206a-\\ud7ff\\ue000-\\ufffd\\U00010000-\\U0010ffff]"
"""Control characters, as YAML 1.1 defines them, NEL, and those that turn the direction of writing."""

_ADVICE = (
    ("mapping values are not allowed", "put a text that holds ': ' in quotes, and check the indentation"),
    ("cannot start any token", "indent with spaces, and put a text with special characters in quotes"),
    ("end of stream", "a quote or a bracket is left open"),
    ("expected ',' or", "a bracket is left open, or a comma is missing"),
    ("expected key", "check the indentation of this line and of the one before it"),
    ("'-' indicator", "check the indentation of this line and of the one before it"),
    ("expected ':'", "write 'key: value', with a space behind the colon"),
)


@dataclass(frozen=True, slots=True)
class Place:
    """Where something stands: a file, and its line and column, both from 1."""

    file: str
    line: int = 1
    column: int = 1

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"

    def error(self, sentence: str) -> InputError:
        """An InputError that begins with this place."""
        return InputError(f"{self}: {sentence}")

    @contextmanager
    def named(self) -> Iterator[None]:
        """Put this place before the sentence of whatever InputError comes out of here."""
        try:
            yield
        except InputError as error:
            raise self.error(str(error)) from None


@dataclass(frozen=True, slots=True)
class Scalar:
    """A piece of text; `plain` where it is written without quotes."""

    place: Place
    text: str
    plain: bool = True

    def read(self, reader: Callable[[str], T]) -> T:
        """What a reader makes of the text; its InputError gets this place."""
        with self.place.named():
            return reader(self.text)


@dataclass(frozen=True, slots=True)
class Sequence:
    """A list."""

    place: Place
    items: list[Value] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Mapping:
    """Keys and values, in the order in which they were written."""

    place: Place
    keys: dict[str, Scalar] = field(default_factory=dict)
    values: dict[str, Value] = field(default_factory=dict)

    def items(self) -> Iterator[tuple[Scalar, Value]]:
        """Yield each key with its value."""
        for key, scalar in self.keys.items():
            yield scalar, self.values[key]


Value = Scalar | Sequence | Mapping


def parse_document(text: str, file: str) -> Value:
    """Read the one document of a YAML text; raises InputError with file, line and column."""
    import yaml

    odd = _find_odd(text)
    if odd is not None:
        line, column = text.count("\n", 0, odd.start()) + 1, odd.start() - text.rfind("\n", 0, odd.start())
        raise Place(file, line, column).error(f"character U+{ord(odd[0]):04X} is not allowed; delete it")
    loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # PyYAML may have been built without libyaml
    builder = _Builder(file)
    try:
        for event in yaml.parse(text, Loader=loader):
            builder.take(event)
    except yaml.MarkedYAMLError as error:
        raise _syntax_error(file, error) from None
    except yaml.YAMLError as error:
        raise Place(file).error(f"this is no YAML: {error}") from None
    if builder.root is None or builder.root == Scalar(builder.root.place, ""):
        raise Place(file).error("the file is empty; a scenario has at least 'title' and 'nodes'")
    return builder.root


def _find_odd(text: str) -> re.Match[str] | None:
    if text.replace("\n", "").isprintable():
        return None  # and the pattern, whose compiling takes 4 ms, is not needed
    return re.search(_ODD, text)


def _syntax_error(file: str, error: Any) -> InputError:
    mark = error.problem_mark or error.context_mark
    place = Place(file, mark.line + 1, mark.column + 1) if mark else Place(file)
    problem = str(error.problem or error.context)
    if "nesting depth" in problem:  # libyaml's own limit, met before our own in a single line
        return place.error(_TOO_DEEP)
    advice = next((say for part, say in _ADVICE if part in problem), "check quotes, brackets and indentation")
    return place.error(f"this is no YAML: {problem}; {advice}")


class _Builder:
    """Puts parser events together, with the collections that are still open on a stack."""

    def __init__(self, file: str) -> None:
        self.root: Value | None = None
        self._file = file
        self._open: list[tuple[Sequence | Mapping, Scalar | None]] = []  # a mapping waits with its key

    def take(self, event: Any) -> None:
        """Take the next event; raises InputError for what a scenario may not hold."""
        kind = type(event).__name__
        place = Place(self._file, event.start_mark.line + 1, event.start_mark.column + 1)
        if kind == "DocumentStartEvent" and self.root is not None:
            raise place.error("a second document begins here; a scenario file holds one")
        if kind == "AliasEvent":
            raise place.error(f"the alias '*{event.anchor}' is not allowed here; write its value out")
        if getattr(event, "anchor", None):
            raise place.error(f"the anchor '&{event.anchor}' is not allowed here; leave it out")
        if getattr(event, "tag", None):
            raise place.error(f"the tag {shown(event.tag)} is not allowed here; leave it out")
        if kind == "ScalarEvent":
            self._add(self._scalar(event, place))
        elif kind in {"SequenceStartEvent", "MappingStartEvent"}:
            if len(self._open) == _DEPTH_MAX:
                raise place.error(_TOO_DEEP)
            found = Sequence(place) if kind == "SequenceStartEvent" else Mapping(place)
            self._add(found)
            self._open.append((found, None))
        elif kind in {"SequenceEndEvent", "MappingEndEvent"}:
            self._open.pop()

    def _scalar(self, event: Any, place: Place) -> Scalar:
        odd = _find_odd(event.value)  # "\e[31m" in quotes: it must not reach a terminal
        if odd is not None:
            raise place.error(f"character U+{ord(odd[0]):04X} is not allowed in a text; leave it out")
        return Scalar(place, event.value, plain=event.style is None or event.style == "")

    def _add(self, value: Value) -> None:
        if not self._open:
            self.root = value
            return
        parent, key = self._open[-1]
        if isinstance(parent, Sequence):
            parent.items.append(value)
        elif key is None:
            self._open[-1] = (parent, self._key(parent, value))
        else:
            parent.keys[key.text] = key
            parent.values[key.text] = value
            self._open[-1] = (parent, None)

    def _key(self, parent: Mapping, value: Value) -> Scalar:
        if not isinstance(value, Scalar):
            raise value.place.error("a list or a mapping stands where a key belongs; write 'key: value'")
        if value.text == "<<" and value.plain:
            raise value.place.error("the merge key '<<' is not allowed here; write the values out")
        if value.text in parent.keys:
            line = parent.keys[value.text].place.line
            raise value.place.error(
                f"{shown(value.text)} stands here a second time, after line {line}; rename or delete one"
            )
        return value
