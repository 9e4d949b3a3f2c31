"""BTF as a compiler's tools write it, of types made up here; and that of this kernel, where it tells any."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from netsim.linux.btf import PATH, Btf, of_this_kernel

INT, PTR, STRUCT, UNION, ENUM, TYPEDEF, FUNC_PROTO = 1, 2, 4, 5, 6, 8, 13

Member = tuple[str, int, int]
"""Name, type, offset in bits."""


class Writer:
    """Types one behind the other; each gives its id."""

    def __init__(self) -> None:
        self.types: list[bytes] = []
        self.strings = b"\0"

    def text(self, value: str) -> int:
        if not value:
            return 0
        at = self.strings.find(b"\0" + value.encode() + b"\0")
        if at < 0:
            at = len(self.strings) - 1
            self.strings += value.encode() + b"\0"
        return at + 1

    def add(self, kind: int, name: str, size: int = 0, count: int = 0, more: bytes = b"") -> int:
        info = kind << 24 | count
        self.types.append(struct.pack("=III", self.text(name), info, size) + more)
        return len(self.types)

    def compound(self, name: str, *members: Member, kind: int = STRUCT, flag: int = 0) -> int:
        more = b"".join(struct.pack("=III", self.text(n), of, bits) for n, of, bits in members)
        return self.add(flag << 7 | kind, name, 64, len(members), more)

    def enum(self, name: str, **values: int) -> int:
        more = b"".join(struct.pack("=Ii", self.text(n), value) for n, value in values.items())
        return self.add(ENUM, name, 4, len(values), more)

    def written(self) -> bytes:
        types = b"".join(self.types)
        header = struct.pack("=HBBIIIII", 0xEB9F, 1, 0, 24, 0, len(types), len(types), len(self.strings))
        return header + types + self.strings


@pytest.fixture
def kernel() -> Btf:
    """struct outer { int first; union { struct { int deep; int deeper; }; int other; }; sock *sock; }, and more."""
    writer = Writer()
    number = writer.add(INT, "int", 4, more=struct.pack("=I", 32))
    writer.add(FUNC_PROTO, "", number, 2, more=struct.pack("=IIII", writer.text("sock"), number, 0, number))
    writer.add(TYPEDEF, "outer", number)  # a name alone says nothing: its kind counts
    inner = writer.compound("", ("deep", number, 0), ("deeper", number, 32))
    either = writer.compound("", ("", inner, 0), ("other", number, 0), kind=UNION)
    writer.compound("outer", ("first", number, 0), ("", either, 64), ("sock", 9, 128))
    writer.compound("bits", ("flag", number, 1 << 24 | 9), ("number", number, 32), flag=1)
    writer.enum("reason", REASON_NONE=0, REASON_LAST=7, REASON_ODD=-1)
    writer.compound("sock", ("outer", 6, 0))
    return Btf(writer.written())


@pytest.mark.parametrize(
    ("struct_name", "member", "offset"),
    [
        ("outer", "first", 0),
        ("outer", "deep", 8),
        ("outer", "deeper", 12),
        ("outer", "other", 8),
        ("outer", "sock", 16),
        ("bits", "number", 4),
        ("bits", "flag", 1),
        ("outer", "missing", None),
        ("missing", "first", None),
        ("first", "first", None),  # a member's name is no structure's
        ("oute", "first", None),
    ],
)
def test_where_a_member_is(kernel: Btf, struct_name: str, member: str, offset: int | None) -> None:
    assert kernel.offset(struct_name, member) == offset


def test_the_names_of_an_enumeration(kernel: Btf) -> None:
    assert kernel.enumerators("reason") == {0: "REASON_NONE", 7: "REASON_LAST", -1: "REASON_ODD"}
    assert kernel.enumerators("missing") == {}


@pytest.mark.parametrize("data", [bytes(64), b"\x7fELF" + bytes(60)], ids=["zeros", "ELF"])
def test_what_is_no_btf(data: bytes) -> None:
    with pytest.raises(ValueError, match="no BTF"):
        Btf(data)


@pytest.mark.skipif(not Path(PATH).exists(), reason="this kernel does not tell its types")
def test_this_very_kernel() -> None:
    """What the wire fixes, and what has been so since Linux 3.8."""
    kernel = of_this_kernel()
    assert [kernel.offset("sock_common", name) for name in ("skc_daddr", "skc_rcv_saddr", "skc_dport")] == [0, 4, 12]
    assert kernel.offset("iphdr", "daddr") == 16
    assert kernel.offset("tcphdr", "window") == 14
