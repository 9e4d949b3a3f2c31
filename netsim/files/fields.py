"""Turns the model's flat values into JSON objects and back, by their own annotations."""

from __future__ import annotations

import re
import typing
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields
from typing import Any, TypeVar

from netsim.errors import InputError
from netsim.model.names import nearest, shown

T = TypeVar("T")

_INTEGER_MAX = 1 << 63
_UNSAFE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
"""What could steer the terminal that prints it, and what no file can hold: halves of characters."""


Test = Callable[[object], bool]


def encode(value: Any) -> dict[str, Any]:
    """A flat dataclass as a JSON object; characters that a decoder would refuse become U+FFFD."""
    return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}


def decoder(kind: type[T]) -> Callable[[dict[str, Any]], T]:
    """Make the function that turns a JSON object into a flat dataclass.

    It raises InputError for a field that is missing, unknown or wrong.
    """
    hints = typing.get_type_hints(kind, localns={"Mapping": Mapping})
    members: tuple[Any, ...] = fields(kind)  # type: ignore[arg-type]
    tests = {member.name: _test(hints[member.name]) for member in members}
    required = [m.name for m in members if m.default is MISSING and m.default_factory is MISSING]

    def decode(data: dict[str, Any]) -> T:
        for name in required:
            if name not in data:
                raise InputError(f"{name!r} is missing")
        for name, value in data.items():
            if name not in tests:
                raise InputError(f"unknown field {shown(name)}{nearest(name, tests)}")
            fits, wanted = tests[name]
            if not fits(value):
                raise InputError(f"{name!r} is {shown(value)}, and should be {wanted}")
        return kind(**data)

    return decode


def is_text(value: object) -> bool:
    """Whether this is a text that may be printed."""
    return isinstance(value, str) and (value.isprintable() or not _UNSAFE.search(value))


def _plain(value: Any) -> Any:
    if isinstance(value, str):
        return value if value.isprintable() else _UNSAFE.sub("\ufffd", value)
    return dict(value) if isinstance(value, Mapping) else value


def _test(hint: Any) -> tuple[Test, str]:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if hint is int:
        return _is_integer, "a whole number"
    if hint is bool:
        return (lambda value: isinstance(value, bool)), "true or false"
    if hint is str:
        return is_text, "a text without control characters"
    if origin is typing.Literal:
        return (lambda value: isinstance(value, str) and value in arguments), " or ".join(map(repr, arguments))
    if origin is Mapping:
        return _is_counts, "an object of whole numbers"
    rest = [_test(argument) for argument in arguments if argument is not type(None)]
    assert len(rest) == 1, f"no JSON is known for {hint}"
    return (lambda value: value is None or rest[0][0](value)), f"{rest[0][1]} or null"


def _is_integer(value: object) -> bool:
    return type(value) is int and -_INTEGER_MAX < value < _INTEGER_MAX  # True is an int, but not by its type


def _is_counts(value: object) -> bool:
    return isinstance(value, dict) and all(is_text(name) and _is_integer(number) for name, number in value.items())
