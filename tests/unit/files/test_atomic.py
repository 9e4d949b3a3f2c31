"""A file is written as a whole or not at all, and whatever was there before survives every failure."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import netsim.errors
from netsim.errors import HostError, InputError
from netsim.files.atomic import check_target, replaced
from tests.unit.files.test_text import NOBODY, without_rights

AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="giving a file away needs root")


def refusal(path: Path) -> str:
    """What both the early check and the writing itself say."""
    with pytest.raises(InputError) as early:
        check_target(path)
    with pytest.raises(InputError) as late, replaced(path) as file:
        file.write("new")
    assert str(early.value) == str(late.value)
    return str(late.value)


def put(path: Path, text: str = "new\n") -> None:
    with replaced(path) as file:
        file.write(text)


def test_a_new_file(tmp_path: Path) -> None:
    put(tmp_path / "a.jsonl", "\u00e4\n")
    assert (tmp_path / "a.jsonl").read_bytes() == b"\xc3\xa4\n"
    assert os.listdir(tmp_path) == ["a.jsonl"]


def test_the_check_leaves_nothing(tmp_path: Path) -> None:
    check_target(tmp_path / "a.jsonl")
    assert os.listdir(tmp_path) == []


def test_an_existing_file_is_replaced_and_keeps_its_mode(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text("old, and longer\n")
    path.chmod(0o604)
    put(path)
    assert path.read_text() == "new\n"
    assert path.stat().st_mode & 0o777 == 0o604


def test_an_exception_on_the_way_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text("old\n")

    def interrupted() -> None:
        with replaced(path) as file:
            file.write("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert path.read_text() == "old\n"
    assert os.listdir(tmp_path) == ["a.jsonl"]


def test_a_missing_directory(tmp_path: Path) -> None:
    path = tmp_path / "missing" / "a.jsonl"
    assert refusal(path) == f"{path} cannot be written: there is no such directory; make it first"


def test_below_a_file(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    path = tmp_path / "a" / "b.jsonl"
    assert refusal(path) == f"{path} cannot be written: a part of its path is no directory; name another one"


def test_permission_denied(tmp_path: Path) -> None:
    (tmp_path / "closed").mkdir(mode=0o555)
    path = tmp_path / "closed" / "a.jsonl"
    with without_rights():
        sentence = refusal(path)
    assert sentence == f"{path} cannot be written: permission denied; choose a directory that you may write to"


@pytest.mark.parametrize("kind", ["a directory", "a symbolic link", "a pipe"])
def test_what_is_no_regular_file_is_left_alone(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "a"
    if kind == "a directory":
        path.mkdir()
    elif kind == "a pipe":
        os.mkfifo(path)
    else:
        (tmp_path / "target").touch()
        path.symlink_to("target")
    before = path.lstat()
    assert refusal(path) == f"{path}: this is no regular file, and is left alone; choose another name"
    assert path.lstat() == before


def test_a_device_is_left_alone() -> None:
    sentence = "/dev/null: this is no regular file, and is left alone; choose another name"
    assert refusal(Path("/dev/null")) == sentence


def test_names_that_no_file_can_have(tmp_path: Path) -> None:
    assert refusal(tmp_path / ("a" * 300)).endswith("the name is too long for a file; choose a shorter one")
    assert refusal(Path("a\0b")) == r"'a\x00b' cannot be written: embedded null byte"


@AS_ROOT
def test_a_new_file_belongs_to_whoever_called_sudo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUDO_UID", str(NOBODY))
    monkeypatch.setenv("SUDO_GID", str(NOBODY))
    put(tmp_path / "a.jsonl")
    found = (tmp_path / "a.jsonl").stat()
    assert (found.st_uid, found.st_gid) == (NOBODY, NOBODY)


@AS_ROOT
def test_an_existing_file_keeps_its_owner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUDO_UID", "0")
    monkeypatch.setenv("SUDO_GID", "0")
    path = tmp_path / "a.jsonl"
    path.touch()
    os.chown(path, NOBODY, NOBODY)
    put(path)
    assert (path.stat().st_uid, path.stat().st_gid) == (NOBODY, NOBODY)


ON_A_FULL_DISK = """
import os, sys
from pathlib import Path
from netsim.errors import HostError
from netsim.files.atomic import replaced
path = Path(sys.argv[1]) / "a.jsonl"
path.write_text("old\\n")
try:
    with replaced(path) as file:
        for _ in range(1000):
            file.write("x" * 1000)
except HostError as error:
    print(error)
print(path.read_text().strip(), os.listdir(sys.argv[1]))
"""


def test_no_space_left(tmp_path: Path) -> None:
    """On a real full disk: 64 KB of tmpfs, in a mount namespace of its own."""
    mount = f"mount -t tmpfs -o size=64k tmpfs {tmp_path} && exec {sys.executable} -c '{ON_A_FULL_DISK}' {tmp_path}"
    source = str(Path(netsim.errors.__file__).parents[1])
    private = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--map-root-user", "--mount"]
    if subprocess.run([*private, "true"], capture_output=True, check=False).returncode:
        pytest.skip("a file system of one's own needs root or user namespaces")
    run = subprocess.run(
        [*private, "sh", "-c", mount],
        env=os.environ | {"PYTHONPATH": source},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.stderr == ""
    assert run.stdout == (
        f"{tmp_path}/a.jsonl was not written: no space is left on the disk; free some, or choose another directory\n"
        "old ['a.jsonl']\n"
    )


def test_a_full_disk_is_the_hosts_fault() -> None:
    assert HostError.exit_code == 3
