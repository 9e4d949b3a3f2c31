"""Programs for the kernel, byte by byte as the instruction set has them (RFC 9669)."""

from __future__ import annotations

import struct
import sys

import pytest

from netsim.linux.bpf import DW, FP, MAP_LOOKUP_ELEM, R0, R1, R2, R9, Code, H, W

pytestmark = pytest.mark.skipif(sys.byteorder != "little", reason="the bytes are those of a little-endian machine")


def test_instructions() -> None:
    code = Code()
    code.set(R1, -1)
    code.copy(R2, FP, plus=-24)
    code.add(R1, R2)
    code.load(DW, R9, R1, 8)
    code.store(W, FP, -4, R9)
    code.store_value(H, R1, 2, 7)
    code.atomic_add(R0, R1)
    code.load_map(R1, 5)
    code.call(MAP_LOOKUP_ELEM)
    code.exit()
    assert code.assembled().hex(" ", 8) == (
        "b7010000ffffffff bfa2000000000000 07020000e8ffffff 0f21000000000000 7919080000000000 639afcff00000000 "
        "6a01020007000000 db10000000000000 1811000005000000 0000000000000000 8500000001000000 b700000000000000 "
        "9500000000000000"
    )


def test_jumps_lead_to_their_labels() -> None:
    code = Code()
    code.jump_if_equal(R1, 3, "end")
    code.jump_if_not_equal(R1, 4, "next")
    code.jump("end")
    code.label("next")
    code.set(R0, 1)
    code.label("end")
    code.exit()
    jumps = [struct.unpack_from("=BBhi", code.assembled(), 8 * i) for i in range(3)]
    assert jumps == [(0x15, R1, 3, 3), (0x55, R1, 1, 4), (0x05, 0, 1, 0)]
