"""A file is read without ever blocking, flooding memory or raising anything but one sentence."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from netsim.errors import InputError
from netsim.files.text import LIMIT_BYTES, label, open_regular, read_text

NOBODY = 65534


def refusal(path: Path) -> str:
    with pytest.raises(InputError) as caught:
        read_text(path)
    return str(caught.value)


@contextmanager
def without_rights() -> Iterator[None]:
    """Root may read everything, and so steps down."""
    was_root = os.geteuid() == 0
    if was_root:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        if was_root:
            os.seteuid(0)


def test_a_text_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_bytes(b"\xef\xbb\xbftitle: \xc3\xa4\r\n")
    assert read_text(tmp_path / "a.yaml") == "title: \u00e4\n"


def test_missing(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    assert refusal(path) == f"{path}: there is no such file; check the spelling, or see 'netsim list'"


def test_below_a_file(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    path = tmp_path / "a" / "b.yaml"
    assert refusal(path) == f"{path}: there is no such file, as a part of its path is no directory"


def test_a_directory(tmp_path: Path) -> None:
    assert refusal(tmp_path) == f"{tmp_path}: this is a directory; name a text file"


def test_a_symlink_loop(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.symlink_to(path)
    assert refusal(path) == f"{path}: its symbolic links lead in a circle; name the real file"


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert refusal(tmp_path / "pipe") == f"{tmp_path}/pipe: this is a pipe; name a text file"


def test_a_socket(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "s"))
        assert refusal(tmp_path / "s") == f"{tmp_path}/s: this is a socket; name a text file"


def test_a_device() -> None:
    assert refusal(Path("/dev/zero")) == "/dev/zero: this is a device; name a text file"


def test_permission_denied(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.touch(mode=0)
    with without_rights():
        assert refusal(path) == f"{path}: permission denied; make it readable with chmod, or copy it"


def test_a_file_of_100_mb_is_refused_by_its_size(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.touch()
    os.truncate(path, 100_000_000)
    assert refusal(path) == f"{path}: a scenario has at most 1,048,576 bytes, and it has 100,000,000 bytes"


def test_a_file_that_hides_its_size() -> None:
    path = Path("/proc/kallsyms")
    if not path.is_file():
        pytest.skip("this kernel has no /proc/kallsyms")
    assert path.stat().st_size == 0
    assert refusal(path) == f"{path}: a scenario has at most 1,048,576 bytes, and it is larger"


def test_the_largest_file(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_bytes(b"#" * LIMIT_BYTES)
    assert len(read_text(tmp_path / "a.yaml")) == LIMIT_BYTES


@pytest.mark.parametrize(
    ("content", "place", "byte"),
    [
        (b"\xff\xfet\x00", "1:1", "ff"),
        (b"title: x\nabout: \xc3\xa4\xe9\n", "2:9", "e9"),
        (b"title: \xc3", "1:8", "c3"),
    ],
)
def test_no_utf8(tmp_path: Path, content: bytes, place: str, byte: str) -> None:
    path = tmp_path / "a.yaml"
    path.write_bytes(content)
    assert refusal(path) == f"{path}:{place}: byte 0x{byte} is no UTF-8 text; save the file as UTF-8"


def test_a_name_that_no_file_can_have() -> None:
    assert refusal(Path("a\0b")) == r"'a\x00b': a file name cannot hold a NUL character"
    assert refusal(Path("a" * 300)).endswith("...': the name is too long for a file")


def test_a_path_is_shown_as_it_is_or_quoted() -> None:
    assert label(Path("a b/\u00e4.yaml")) == "a b/\u00e4.yaml"
    assert label(Path("a\x1b[31m.yaml")) == r"'a\x1b[31m.yaml'"


def test_an_opened_file_is_not_inherited(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    with open_regular(tmp_path / "a") as file:
        assert not os.get_inheritable(file.fileno())
