"""Turns the model's values into JSON and back, by their own annotations.

A value is an object of its fields, without those that have their default. Endpoints, results and rules are the text
that people write. Where a field may hold values of several types, a word in the object says which one it is.
"""

from __future__ import annotations

import math
import re
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, fields
from ipaddress import ip_address
from typing import Any, Literal

from netsim.errors import InputError
from netsim.model.endpoint import Endpoint, parse_endpoint
from netsim.model.firewall import Rule, parse_rule
from netsim.model.names import nearest, shown
from netsim.model.result import POLL_EVENTS, Count, Eof, Errno, Exited, Ok, Ready, Result, Signalled, TimedOut

_UNSAFE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
"""What could steer the terminal that prints it, and what no file can hold: halves of characters."""
_RESULTS = frozenset(typing.get_args(Result))


class _UnfitError(Exception):
    """A value that its field cannot have; `str()` says what it should be."""


@dataclass(frozen=True, slots=True)
class Codec:
    """A type's way into JSON and back. `decode` raises InputError for an object, which says what is wrong in it."""

    encode: Callable[[Any], Any]
    decode: Callable[[Any], Any]


class Codecs:
    """A codec for each type, made when it is first asked for.

    A text is read once: however often it comes, there is one string, Endpoint or Result of it in memory.
    """

    def __init__(self) -> None:
        self._made: dict[Any, Codec] = {
            bool: Codec(bool, _boolean),
            int: Codec(int, _integer),
            float: Codec(float, _number),
            str: Codec(_safe, _text(str)),
            Endpoint: Codec(str, _text(_read_endpoint)),
            Rule: Codec(lambda rule: _safe(str(rule)), _text(parse_rule)),
        }
        self._read_result = _text(_read_result)

    def of(self, hint: Any) -> Codec:
        """The codec of a type, as an annotation gives it."""
        if hint not in self._made:
            self._made[hint] = self._make(hint)
        return self._made[hint]

    def tagged(self, tag: str, kinds: Mapping[str, type]) -> Codec:
        """The codec of values of several types, which the word under `tag` tells apart."""
        by_word = {word: self.of(kind).decode for word, kind in kinds.items()}
        by_kind = {kind: (word, self.of(kind).encode) for word, kind in kinds.items()}

        def encode(value: Any) -> dict[str, Any]:
            word, fields_of = by_kind[type(value)]
            return {tag: word, **fields_of(value)}

        def decode(data: Any) -> Any:
            if type(data) is not dict:
                raise _UnfitError("an object")
            word = data.pop(tag, None)
            try:
                if type(word) is not str or word not in by_word:
                    raise InputError(f"unknown {tag} {shown(word)}; it is one of: {', '.join(by_word)}")
                return by_word[word](data)
            finally:
                data[tag] = word  # where something is wrong it is read again, to tell of it

        return Codec(encode, decode)

    def _make(self, hint: Any) -> Codec:
        origin, arguments = typing.get_origin(hint), typing.get_args(hint)
        if origin is Literal:
            return Codec(str, _choice(arguments))
        if origin is tuple:
            return _listed(self.of(arguments[0]))
        if origin is Mapping:
            return Codec(lambda counts: {_safe(name): number for name, number in counts.items()}, _counts)
        if origin in {typing.Union, types.UnionType}:
            kinds = tuple(kind for kind in arguments if kind is not types.NoneType)
            codec = self._either(kinds)
            return _optional(codec) if len(kinds) < len(arguments) else codec
        hints = typing.get_type_hints(hint)
        return _record(hint, {field.name: self.of(hints[field.name]) for field in fields(hint)})

    def _either(self, kinds: tuple[Any, ...]) -> Codec:
        if len(kinds) == 1:
            return self.of(kinds[0])
        if _RESULTS.issuperset(kinds):
            return Codec(lambda result: _safe(str(result)), _among(kinds, self._read_result))
        return self.tagged("type", {re.sub(r"(?<!^)(?=[A-Z])", "_", kind.__name__).lower(): kind for kind in kinds})


def _record(kind: type, codecs: Mapping[str, Codec]) -> Codec:
    """The codec of a dataclass."""
    decoders = {name: codec.decode for name, codec in codecs.items()}
    members: list[tuple[str, Any, Callable[[Any], Any]]] = []
    for field in fields(kind):
        default = field.default_factory() if field.default_factory is not MISSING else field.default
        members.append((field.name, default, codecs[field.name].encode))
    required = [name for name, default, _ in members if default is MISSING]

    def encode(value: Any) -> dict[str, Any]:
        return {name: into(own) for name, default, into in members if (own := getattr(value, name)) != default}

    def decode(data: Any) -> Any:
        if type(data) is not dict:
            raise _UnfitError("an object")
        try:
            return kind(**{name: decoders[name](value) for name, value in data.items()})
        except (KeyError, TypeError, _UnfitError, InputError):
            _blame(data, decoders, required)
            raise

    return Codec(encode, decode)


def _blame(data: dict[str, Any], decoders: Mapping[str, Callable[[Any], Any]], required: list[str]) -> None:
    """Raise InputError for what is wrong with an object."""
    for name in required:
        if name not in data:
            raise InputError(f"{name!r} is missing") from None
    for name, value in data.items():
        if name not in decoders:
            raise InputError(f"unknown field {shown(name)}{nearest(name, decoders)}") from None
        try:
            decoders[name](value)
        except _UnfitError as wanted:
            raise InputError(f"{name!r} is {shown(value)}, and should be {wanted}") from None
        except InputError as error:
            raise InputError(f"in {name!r}: {error}") from None


def _optional(codec: Codec) -> Codec:
    encode, decode = codec.encode, codec.decode

    def decode_it(value: Any) -> Any:
        try:
            return None if value is None else decode(value)
        except _UnfitError as wanted:
            raise _UnfitError(f"{wanted} or null") from None

    return Codec(lambda value: None if value is None else encode(value), decode_it)


def _listed(codec: Codec) -> Codec:
    encode, decode = codec.encode, codec.decode

    def decode_all(value: Any) -> tuple[Any, ...]:
        if type(value) is not list:
            raise _UnfitError("a list")
        try:
            return tuple(map(decode, value))
        except _UnfitError as wanted:
            raise _UnfitError(f"a list, each item {wanted}") from None

    return Codec(lambda items: list(map(encode, items)), decode_all)


def _text(read: Callable[[str], Any]) -> Callable[[Any], Any]:
    """Read each text once, and only what may be printed."""
    known: dict[str, Any] = {}

    def decode(value: Any) -> Any:
        if type(value) is not str:
            raise _UnfitError("a text without control characters")
        found = known.get(value)
        if found is None:
            if not value.isprintable() and _UNSAFE.search(value):
                raise _UnfitError("a text without control characters")
            found = known[value] = read(value)
        return found

    return decode


def _safe(text: str) -> str:
    """A text without the characters that reading refuses: U+FFFD stands for each."""
    return text if text.isprintable() else _UNSAFE.sub("\ufffd", text)


def _choice(words: tuple[Any, ...]) -> Callable[[Any], Any]:
    known = {word: word for word in words}

    def decode(value: Any) -> Any:
        if type(value) is not str or value not in known:
            raise _UnfitError(" or ".join(map(repr, words)))
        return known[value]

    return decode


def _integer(value: Any) -> Any:
    # By its type, as True is an int too; the numbers are written out, as this is done a million times.
    if type(value) is not int or not -0x8000000000000000 < value < 0x8000000000000000:
        raise _UnfitError("a whole number")
    return value


def _number(value: Any) -> float:
    if type(value) is float and math.isfinite(value):
        return value
    if type(value) is int and abs(value) < 1 << 53:
        return float(value)
    raise _UnfitError("a number")


def _boolean(value: Any) -> Any:
    if type(value) is not bool:
        raise _UnfitError("true or false")
    return value


def _counts(value: Any) -> Any:
    try:
        if type(value) is dict and not any(map(_UNSAFE.search, value)):
            return {name: _integer(number) for name, number in value.items()}
    except _UnfitError:
        pass
    raise _UnfitError("an object of whole numbers")


def _read_endpoint(text: str) -> Endpoint:
    try:
        found = parse_endpoint(text)
        ip_address(found.address)
    except ValueError:
        raise _UnfitError("an address and a port, as in 10.0.0.1:80") from None
    if found.port >= 1 << 16 or str(found) != text:
        raise _UnfitError("an address and a port, as in 10.0.0.1:80")
    return found


_PLAIN: dict[str, Result] = {str(result): result for result in (Ok(), Eof(), TimedOut(), Ready(()))}


def _read_result(text: str) -> Result:
    """Read what `str` made of a result; programs see errnos and signals that no script can expect."""
    if text in _PLAIN:
        return _PLAIN[text]
    if re.fullmatch(r"[0-9]{1,18}", text):
        return Count(int(text))
    if set(text.split(" ")) <= set(POLL_EVENTS):
        return Ready(tuple(text.split(" ")))
    if re.fullmatch(r"E[A-Z0-9_]+", text):
        return Errno(text)
    if found := re.fullmatch(r"signal (SIG[A-Z0-9_+-]+)", text):
        return Signalled(found[1])
    if found := re.fullmatch(r"exit ([0-9]{1,10})", text):
        return Exited(int(found[1]))
    raise _UnfitError("a result, as in ok, 5, ECONNRESET or exit 1")


def _among(kinds: tuple[type, ...], read: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Read a result that is of one of these types."""
    if len(kinds) == len(_RESULTS):
        return read

    def decode(value: Any) -> Any:
        found = read(value)
        if type(found) not in kinds:
            raise _UnfitError("another result: " + " or ".join(kind.__name__ for kind in kinds))
        return found

    return decode
