"""Reads from BTF, the running kernel's description of its own types, where things are in its memory.

Documentation/bpf/btf.rst. There are 100 000 types and more, so none is looked at that is not asked for.
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Iterator

PATH = "/sys/kernel/btf/vmlinux"

_MAGIC = 0xEB9F
_INT, _ARRAY, _STRUCT, _UNION, _ENUM, _FUNC_PROTO, _VAR, _DATASEC, _DECL_TAG, _ENUM64 = (
    1,
    3,
    4,
    5,
    6,
    13,
    14,
    15,
    17,
    19,
)
_EXTRA = {_INT: 4, _ARRAY: 12, _VAR: 4, _DECL_TAG: 4}
_EACH = {_STRUCT: 12, _UNION: 12, _ENUM: 8, _FUNC_PROTO: 8, _DATASEC: 12, _ENUM64: 12}
"""How many bytes follow a type's own 12, by its kind: once, or for each of its members."""

_header = struct.Struct("=HBBIIIII")
_type = struct.Struct("=III")  # struct btf_type: name, kind and number of members, size
_member = struct.Struct("=III")
_value = struct.Struct("=Ii")
_word = struct.Struct("=I")


def of_this_kernel() -> Btf:
    """The types of the running kernel; raises OSError where it does not tell them."""
    with open(PATH, "rb") as file:
        try:
            return Btf(mmap.mmap(file.fileno(), 0, flags=mmap.MAP_PRIVATE, prot=mmap.PROT_READ))
        except (OSError, ValueError):  # before Linux 6.16
            return Btf(file.read())


class Btf:
    """The types of one kernel; raises ValueError for what is no BTF."""

    def __init__(self, data: bytes | mmap.mmap) -> None:
        magic, _, _, header, types, types_size, strings, strings_size = _header.unpack_from(data)
        if magic != _MAGIC:
            raise ValueError("this is no BTF")
        self._data = data
        self._types: int = header + types
        self._types_end: int = self._types + types_size
        self._strings: int = header + strings
        self._strings_end: int = self._strings + strings_size
        self._places: list[int] = [0, self._types]
        """Of the types by id, as far as they were looked at; id 0 is void."""

    def offset(self, struct_name: str, member: str) -> int | None:
        """Bytes from a structure's beginning to a member, anonymous ones looked through; None where it has none."""
        at = self._find(_STRUCT, struct_name)
        return None if at is None else self._offset(at, member)

    def enumerators(self, name: str) -> dict[int, str]:
        """The names of an enumeration's values; none where there is no such enumeration."""
        at = self._find(_ENUM, name)
        if at is None:
            return {}
        pairs = (_value.unpack_from(self._data, at + _type.size + i * _value.size) for i in range(self._count(at)))
        return {value: self._name(name_at) for name_at, value in pairs}

    def _offset(self, at: int, member: str) -> int | None:
        for name_at, kind, bits in self._members(at):
            if name_at:
                if self._name(name_at) == member:
                    return bits // 8
            else:
                inner = self._place(kind)
                within = self._offset(inner, member) if self._kind(inner) in {_STRUCT, _UNION} else None
                if within is not None:
                    return bits // 8 + within
        return None

    def _members(self, at: int) -> Iterator[tuple[int, int, int]]:
        bit_fields = self._info(at) >> 31  # then the upper 8 bits are a bit field's size
        for i in range(self._count(at)):
            name, kind, bits = _member.unpack_from(self._data, at + _type.size + i * _member.size)
            yield name, kind, bits & 0xFFFFFF if bit_fields else bits

    def _find(self, kind: int, name: str) -> int | None:
        """Find a type by its name: the words that hold the name's place are few, and one of them begins a type."""
        before = self._data.find(b"\0" + name.encode() + b"\0", self._strings, self._strings_end)
        if before < 0:
            return None
        wanted = _word.pack(before + 1 - self._strings)
        at = self._data.find(wanted, self._types, self._types_end)
        while at >= 0:
            if (at - self._types) % 4 == 0 and self._kind(at) == kind:
                return at
            at = self._data.find(wanted, at + 1, self._types_end)
        return None

    def _place(self, number: int) -> int:
        """Where a type of a given id is: they are of different sizes, one behind the other."""
        while number >= len(self._places):
            at = self._places[-1]
            info = _word.unpack_from(self._data, at + 4)[0]
            kind = info >> 24 & 31
            self._places.append(at + _type.size + _EXTRA.get(kind, 0) + _EACH.get(kind, 0) * (info & 0xFFFF))
        return self._places[number]

    def _info(self, at: int) -> int:
        return int(_word.unpack_from(self._data, at + 4)[0])

    def _kind(self, at: int) -> int:
        return self._info(at) >> 24 & 31

    def _count(self, at: int) -> int:
        return self._info(at) & 0xFFFF

    def _name(self, at: int) -> str:
        begin = self._strings + at
        return self._data[begin : self._data.find(b"\0", begin)].decode()
