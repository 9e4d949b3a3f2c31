"""bpf(2): maps, programs, and the ring buffer through which a program talks to us (Linux 5.8).

Programs are put together here by hand (Documentation/bpf/standardization/instruction-set.rst): no
compiler, no library. Everything that is made is a descriptor, and goes with it.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import struct
from collections.abc import Iterator

MAP_HASH, MAP_ARRAY, MAP_RINGBUF = 1, 2, 27
MAP_LOOKUP_ELEM, KTIME_GET_NS, PROBE_READ_KERNEL, RINGBUF_RESERVE, RINGBUF_SUBMIT = 1, 5, 113, 131, 132
"""Helpers, by the numbers of bpf-helpers(7)."""
R0, R1, R2, R3, R6, R7, R8, R9, FP = 0, 1, 2, 3, 6, 7, 8, 9, 10
B, H, W, DW = 0x10, 0x08, 0x00, 0x18
"""Sizes: 1, 2, 4 and 8 bytes."""

_MAP_CREATE, _MAP_LOOKUP, _MAP_UPDATE, _MAP_DELETE, _PROG_LOAD, _OBJ_INFO, _RAW_TRACEPOINT_OPEN = 0, 1, 2, 3, 5, 15, 17
_PROG_TYPE_RAW_TRACEPOINT = 17
_LICENSE = ctypes.create_string_buffer(b"Dual MIT/GPL")
_ATTR_BYTES = 128
_SYSCALL = {"x86_64": 321, "aarch64": 280, "riscv64": 280, "loongarch64": 280, "ppc64le": 361, "s390x": 351}
_libc = ctypes.CDLL(None, use_errno=True)


def _bpf(command: int, attr: bytes, what: str) -> int:
    number = _SYSCALL.get(os.uname().machine)
    if number is None:
        raise OSError(38, f"{what}: netsim does not know the number of bpf(2) on {os.uname().machine}")
    buffer = ctypes.create_string_buffer(attr, _ATTR_BYTES)
    result: int = _libc.syscall(number, command, buffer, _ATTR_BYTES)
    if result < 0:
        error = ctypes.get_errno()
        raise OSError(error, f"{what}: {os.strerror(error)}")
    return result


def create_map(kind: int, key_bytes: int, value_bytes: int, entries: int) -> int:
    """Make a map; a ring buffer's `entries` are its bytes, a power of two."""
    return _bpf(_MAP_CREATE, struct.pack("=IIII", kind, key_bytes, value_bytes, entries), "make a BPF map")


def update(map_fd: int, key: bytes, value: bytes) -> None:
    """Set an element."""
    a, b = ctypes.create_string_buffer(key), ctypes.create_string_buffer(value)
    attr = struct.pack("=I4xQQQ", map_fd, ctypes.addressof(a), ctypes.addressof(b), 0)
    _bpf(_MAP_UPDATE, attr, "write to a BPF map")


def delete(map_fd: int, key: bytes) -> None:
    """Remove an element; raises FileNotFoundError where there is none."""
    a = ctypes.create_string_buffer(key)
    _bpf(_MAP_DELETE, struct.pack("=I4xQ", map_fd, ctypes.addressof(a)), "remove from a BPF map")


def lookup(map_fd: int, key: bytes, value_bytes: int) -> bytes:
    """Read an element."""
    a, b = ctypes.create_string_buffer(key), ctypes.create_string_buffer(value_bytes)
    attr = struct.pack("=I4xQQQ", map_fd, ctypes.addressof(a), ctypes.addressof(b), 0)
    _bpf(_MAP_LOOKUP, attr, "read a BPF map")
    return b.raw


def info(fd: int, size: int) -> bytes:
    """The first bytes of what the kernel says of a map or a program (struct bpf_prog_info and the like)."""
    found = ctypes.create_string_buffer(size)
    _bpf(_OBJ_INFO, struct.pack("=IIQ", fd, size, ctypes.addressof(found)), "ask for a BPF program")
    return found.raw


def load(program: bytes) -> int:
    """Have the kernel verify and compile a program for a raw tracepoint."""
    code = ctypes.create_string_buffer(program, len(program))
    attr = struct.pack(
        "=IIQQ", _PROG_TYPE_RAW_TRACEPOINT, len(program) // 8, ctypes.addressof(code), ctypes.addressof(_LICENSE)
    )
    return _bpf(_PROG_LOAD, attr, "load a BPF program")


def attach(tracepoint: str, program_fd: int) -> int:
    """Run a program at a tracepoint for as long as the descriptor that comes back is open.

    Raises FileNotFoundError where this kernel has no such tracepoint, OSError EINVAL where the
    program reads more arguments than it has.
    """
    name = ctypes.create_string_buffer(tracepoint.encode())
    return _bpf(_RAW_TRACEPOINT_OPEN, struct.pack("=QI", ctypes.addressof(name), program_fd), f"trace {tracepoint}")


class Code:
    """A program's instructions, as they are put one behind the other; jumps go forward, to a label."""

    def __init__(self) -> None:
        self._instructions: list[tuple[int, int, int, int, int]] = []
        self._jumps: list[tuple[int, str]] = []
        self._labels: dict[str, int] = {}

    def _put(self, op: int, dst: int = 0, src: int = 0, off: int = 0, imm: int = 0) -> None:
        self._instructions.append((op, dst, src, off, imm))

    def set(self, dst: int, value: int) -> None:
        self._put(0xB7, dst, imm=value)

    def copy(self, dst: int, src: int, plus: int = 0) -> None:
        self._put(0xBF, dst, src)
        if plus:
            self._put(0x07, dst, imm=plus)

    def add(self, dst: int, src: int) -> None:
        self._put(0x0F, dst, src)

    def load(self, size: int, dst: int, src: int, off: int) -> None:
        self._put(0x61 | size, dst, src, off)

    def store(self, size: int, dst: int, off: int, src: int) -> None:
        self._put(0x63 | size, dst, src, off)

    def store_value(self, size: int, dst: int, off: int, value: int) -> None:
        self._put(0x62 | size, dst, 0, off, value)

    def atomic_add(self, dst: int, src: int) -> None:
        """Add a register to 8 bytes of memory."""
        self._put(0xDB, dst, src)

    def load_map(self, dst: int, map_fd: int) -> None:
        self._put(0x18, dst, 1, 0, map_fd)
        self._put(0)

    def call(self, helper: int) -> None:
        self._put(0x85, imm=helper)

    def jump(self, label: str) -> None:
        self._jumps.append((len(self._instructions), label))
        self._put(0x05)

    def jump_if_equal(self, dst: int, value: int, label: str) -> None:
        self._jumps.append((len(self._instructions), label))
        self._put(0x15, dst, imm=value)

    def jump_if_not_equal(self, dst: int, value: int, label: str) -> None:
        self._jumps.append((len(self._instructions), label))
        self._put(0x55, dst, imm=value)

    def label(self, name: str) -> None:
        self._labels[name] = len(self._instructions)

    def exit(self) -> None:
        self.set(R0, 0)
        self._put(0x95)

    def assembled(self) -> bytes:
        """The program as the kernel takes it."""
        instructions = list(self._instructions)
        for at, label in self._jumps:
            op, dst, src, _, imm = instructions[at]
            instructions[at] = (op, dst, src, self._labels[label] - at - 1, imm)
        return b"".join(
            struct.pack("=BBhi", op, dst | src << 4 if _LITTLE else dst << 4 | src, off, imm)
            for op, dst, src, off, imm in instructions
        )


_LITTLE = struct.pack("=H", 1) == b"\1\0"


class Ring:
    """The reading end of a ring buffer (Documentation/bpf/ringbuf.rst)."""

    _BUSY, _DISCARD = 1 << 31, 1 << 30

    def __init__(self, fd: int, size: int) -> None:
        page = mmap.PAGESIZE
        self._mask = size - 1
        self._consumer = mmap.mmap(fd, page)
        # The data are mapped twice, one behind the other: a record at the end goes on as if nothing were.
        self._producer = mmap.mmap(fd, page + 2 * size, prot=mmap.PROT_READ, offset=page)

    def read(self) -> Iterator[bytes]:
        """Yield the records that are complete, and give their room back at the end."""
        begin = at = struct.unpack_from("=Q", self._consumer)[0]
        end = struct.unpack_from("=Q", self._producer)[0]
        while at < end:
            place = mmap.PAGESIZE + (at & self._mask)
            header = struct.unpack_from("=I", self._producer, place)[0]
            if header & self._BUSY:  # its program has not finished yet
                break
            size = header & ~self._DISCARD
            if header == size:
                yield self._producer[place + 8 : place + 8 + size]
            at += (size + 8 + 7) & ~7
        if at != begin:
            struct.pack_into("=Q", self._consumer, 0, at)

    def close(self) -> None:
        self._consumer.close()
        self._producer.close()
