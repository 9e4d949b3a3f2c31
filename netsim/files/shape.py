"""Shapes: what a file may hold, as data. `check` reads a document against one, schema.py prints it."""

from __future__ import annotations

import re
from collections.abc import Mapping as Map
from dataclasses import dataclass, field

from netsim.errors import InputError
from netsim.files.document import Mapping, Scalar, Sequence, Value
from netsim.model.names import nearest, shown

_LISTED_MAX = 30
"""How many words a sentence may list: all verbs, but not all errnos."""


@dataclass(frozen=True, slots=True)
class Text:
    """A word or a sentence. Only `choices` are checked here: grammars give better sentences themselves."""

    about: str
    example: str
    pattern: str = ""
    """A regular expression for editors."""
    choices: Map[str, str] = field(default_factory=dict)
    """Each word that is allowed, and its meaning."""
    number: bool = False
    """Whether plain YAML may read it as a number, as `3` or `off`."""


@dataclass(frozen=True, slots=True)
class ListOf:
    """A list with one shape for all its items."""

    item: Shape
    noun: str
    """What one item is called."""
    about: str
    example: str


@dataclass(frozen=True, slots=True)
class MapOf:
    """A mapping whose keys the author chooses: the first case whose pattern fits a key tells its value."""

    cases: tuple[tuple[Text, Shape], ...]
    about: str
    example: str
    single: bool = False
    """Exactly one key."""
    filled: bool = False
    """At least one key."""


@dataclass(frozen=True, slots=True)
class Record:
    """A mapping whose keys are known; `empty` where `key:` with nothing behind it is fine."""

    fields: Map[str, Shape]
    about: str
    example: str
    required: tuple[str, ...] = ()
    empty: bool = False
    single: bool = False
    """Exactly one of the keys."""


@dataclass(frozen=True, slots=True)
class Either:
    """A short form in one line, and a long one."""

    short: Text
    long: MapOf | Record

    @property
    def about(self) -> str:
        return self.short.about

    @property
    def example(self) -> str:
        return self.short.example


Shape = Text | ListOf | MapOf | Record | Either


def check(shape: Shape, value: Value, name: str) -> None:
    """Hold a value against a shape; raises InputError, which calls the value `name`, where it differs."""
    if isinstance(shape, Either):
        shape = shape.short if isinstance(value, Scalar) else shape.long
    if isinstance(shape, Text):
        if not isinstance(value, Scalar) or not value.text.strip():
            raise _wrong(shape, value, name, "a text")
        if shape.choices and value.text not in shape.choices:
            few = len(shape.choices) <= _LISTED_MAX
            known = f"it is one of: {', '.join(shape.choices)}" if few else f"write one such as {shape.example}"
            offer = nearest(value.text, shape.choices) or f"; {known}"
            raise value.place.error(f"{name} cannot be {shown(value.text)}{offer}")
    elif isinstance(shape, ListOf):
        if not isinstance(value, Sequence):
            raise _wrong(shape, value, name, "a list")
        for item in value.items:
            check(shape.item, item, shape.noun)
    elif isinstance(shape, Record) and shape.empty and _is_nothing(value):
        return
    elif not isinstance(value, Mapping):
        raise _wrong(shape, value, name, "a mapping")
    else:
        _check_mapping(shape, value, name)


def _check_mapping(shape: MapOf | Record, value: Mapping, name: str) -> None:
    if shape.single and len(value.keys) != 1:
        raise value.place.error(
            f"{name} is one 'KEY: VALUE' such as {shape.example}, and here are {len(value.keys)}; "
            "begin each with a '- ' of its own"
        )
    if isinstance(shape, MapOf):
        if shape.filled and not value.keys:
            raise value.place.error(f"{name} is empty; write at least one, such as {shape.example}")
        for key, inner in value.items():
            fitting = (case for label, case in shape.cases if re.fullmatch(label.pattern, key.text))
            check(next(fitting, shape.cases[-1][1]), inner, shown(key.text))
        return
    for key, inner in value.items():
        if key.text not in shape.fields:
            offer = nearest(key.text, shape.fields) or f"; the keys are {', '.join(shape.fields)}"
            raise key.place.error(f"unknown key {shown(key.text)} in {name}{offer}")
        check(shape.fields[key.text], inner, shown(key.text))
    for missing in shape.required:
        if missing not in value.keys:
            wanted = shape.fields[missing]
            raise value.place.error(f"{name} has no {missing!r}; add one, such as {missing}: {wanted.example}")


def _is_nothing(value: Value) -> bool:
    return isinstance(value, Scalar) and value.plain and value.text in {"", "~", "null"}


def _wrong(shape: Shape, value: Value, name: str, wanted: str) -> InputError:
    if isinstance(value, Scalar):
        found = "empty" if _is_nothing(value) or not value.text.strip() else f"the text {shown(value.text)}"
    else:
        found = "a list" if isinstance(value, Sequence) else "a mapping"
    example = repr(shape.example) if isinstance(shape, Text) else shape.example
    return value.place.error(f"{name} is {found} here; write {wanted} such as {example}")
