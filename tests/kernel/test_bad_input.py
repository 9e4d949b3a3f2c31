"""What bad input gets, and what a host gets that cannot: one sentence, an exit code, and nothing half done.

The parser's own sentences are tested beside the parser, in tests/unit/files; here is what reaches a person.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.kernel.machine import AS_NOBODY, NETSIM, Completed, Machine, one_sentence

NETWORK = "title: A test\nnodes: {client: {}, server: {}}\nlinks: [client -- server]\n"
TEXTS = {
    "unknown key": ("title: x\nnods: {}\n", "bad.yaml:2:1: unknown key 'nods' in a scenario; did you mean 'nodes'?"),
    "no such node": (
        "title: x\nnodes: {client: {}}\nlinks: [client -- sever]\n",
        "bad.yaml:3:9: link 'client -- sever' needs a node 'sever'",
    ),
    "no such link": (NETWORK + "script:\n  - client -- fw: cut\n", "bad.yaml:5:5: there is no link 'client -- fw'"),
    "link to itself": ("title: x\nnodes: {a: {}}\nlinks: [a -- a]\n", "bad.yaml:3:9:"),
    "two nodes of one name": ("title: x\nnodes: {a: {}, a: {}}\n", "bad.yaml:2:16:"),
    "a name that leads out": ("title: x\nnodes: {../a: {}}\n", "bad.yaml:2:9: '../a' cannot be the name of a node"),
    "a name of 300 letters": (f"title: x\nnodes: {{{'a' * 300}: {{}}}}\n", "bad.yaml:2:9:"),
    "a name that looks alike": ("title: x\nnodes: {\N{CYRILLIC SMALL LETTER ES}lient: {}}\n", "bad.yaml:2:9:"),
    "subnet too small": (
        "title: x\nnodes: {a: {}, b: {}}\nlinks: [a -- b: {subnet: 10.9.0.0/32}]\n", "bad.yaml:3:"
    ),
    "address clash": (
        "title: x\nnodes: {a: {}, b: {}}\nlinks:\n  - a -- b: {addresses: {a: 10.9.0.1, b: 10.9.0.1}}\n",
        "bad.yaml:4:",
    ),
    "port 0": (NETWORK + "script:\n  - server: listen 0\n", "bad.yaml:5:"),
    "port 70000": (NETWORK + "script:\n  - client: connect server:70000\n", "bad.yaml:5:"),
    "unknown errno": (NETWORK + "script:\n  - client: connect server:1 = ECONREFUSED\n", "bad.yaml:5:"),
    "unknown verb": (NETWORK + "script:\n  - client: conect server:1\n", "bad.yaml:5:"),
    "broken YAML": ("title: [x\n", "bad.yaml:"),
    "a list for a mapping": ("- title: x\n", "bad.yaml:1:1:"),
    "an empty file": ("", "bad.yaml"),
    "no second link": (NETWORK + "script:\n  - client -- server (2): cut\n", "bad.yaml:5:"),
    "IPv6": ("title: x\nnodes: {a: {}, b: {}}\nlinks: [a -- b: {subnet: 'fd00::/64'}]\n", "bad.yaml:3:"),
    "a machine without power": (
        NETWORK + "script:\n  - server: crash\n  - server: listen 80\n",
        "bad.yaml:6:5: server has no power since line 5; write 'server: boot' before this",
    ),
    "not connected": (
        "title: x\nnodes: {a: {}, b: {}, c: {}}\nlinks: [a -- b]\nscript:\n  - a: connect c:80\n", "bad.yaml:5:"
    ),
}  # fmt: skip


@pytest.mark.parametrize("command", ["run", "up"])
@pytest.mark.parametrize("what", TEXTS)
def test_a_file_that_is_wrong_builds_nothing(shared_machine: Machine, tmp_path: Path, what: str, command: str) -> None:
    text, sentence = TEXTS[what]
    (tmp_path / "bad.yaml").write_text(text)
    said = one_sentence(shared_machine.netsim(command, "./bad.yaml", cwd=tmp_path), 2)
    assert said.startswith(sentence), said
    assert shared_machine.netsim("ps").stdout == "no lab is standing\n"


def test_check_tells_of_every_file(shared_machine: Machine, tmp_path: Path) -> None:
    for number, (text, _) in enumerate(TEXTS.values()):
        (tmp_path / f"bad-{number}.yaml").write_text(text)
    files = sorted(tmp_path.iterdir())
    done = shared_machine.netsim("check", *files)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == len(TEXTS)
    assert all(line.startswith(f"netsim: {tmp_path}") for line in done.stderr.splitlines())
    assert [one["ok"] for one in shared_machine.json("check", *files, code=2)] == [False] * len(TEXTS)


def _large(place: Path) -> None:
    with place.open("w") as file:
        file.write("title: x\nabout: |\n")
        for _ in range(100):
            file.write(f"  {'x' * (1 << 20)}\n")


def _looping(place: Path) -> None:
    place.symlink_to("other.yaml")
    place.with_name("other.yaml").symlink_to(place.name)


FILES: dict[str, Callable[[Path], object]] = {
    "of 100 MB": _large,
    "in a loop of symlinks": _looping,
    "that is a directory": Path.mkdir,
    "that is a pipe": os.mkfifo,
    "that is no text": lambda place: place.write_bytes(b"title: \xff\xfe\n"),
    "that leads nowhere": lambda place: place.symlink_to("nowhere"),
    "that is a device without end": lambda place: place.symlink_to("/dev/zero"),
}


@pytest.mark.parametrize("command", ["run", "check", "explain"])
@pytest.mark.parametrize("kind", FILES)
def test_a_file(shared_machine: Machine, tmp_path: Path, kind: str, command: str) -> None:
    FILES[kind](tmp_path / "bad.yaml")
    said = one_sentence(shared_machine.netsim(command, tmp_path / "bad.yaml"), 2)
    assert said.startswith(f"{tmp_path}/bad.yaml") or repr(f"{tmp_path}/bad.yaml") in said


WORDS = {
    "a scenario like another": (["run", "firewall-rest"], "there is no scenario 'firewall-rest'; did you mean"),
    "a scenario unlike any": (["run", "zzz"], "there is no scenario 'zzz'; see 'netsim list'"),
    "no name of a scenario": (["show", "a b"], "'a b' cannot be the name of a scenario"),
    "a file that is not there": (["check", "./firewall-reset.yaml"], "there is no file './firewall-reset.yaml'"),
    "no name of a lab": (["run", "closed-port", "--lab", "../x"], "'../x' cannot be the name of a lab"),
    "a recording in no directory": (["run", "closed-port", "--record", "/no/where.jsonl"], "/no/where.jsonl"),
    "a recording that is a directory": (["run", "closed-port", "--record", "/run"], "/run"),
    "a recording that is not there": (["explain", "/no/where.jsonl"], "/no/where.jsonl"),
    "a scenario for a recording": (["explain", "/etc/passwd"], "/etc/passwd:1:"),
}  # fmt: skip


@pytest.mark.parametrize("what", WORDS)
def test_words_that_mean_nothing(shared_machine: Machine, what: str) -> None:
    args, sentence = WORDS[what]
    assert one_sentence(shared_machine.netsim(*args), 2).startswith(sentence)


@pytest.mark.parametrize(
    ("args", "wrong"),
    [
        (["run", "closed-port", "--jsn"], "No such option: --jsn"),
        (["rnu", "closed-port"], "No such command 'rnu'"),
        (["run"], "Missing argument 'NAME'"),
        (["run", "closed-port", "--lab"], "Option '--lab' requires an argument"),
    ],
)
def test_usage(shared_machine: Machine, args: list[str], wrong: str) -> None:
    done = shared_machine.netsim(*args)
    assert (done.returncode, done.stdout) == (2, "")
    assert wrong in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


def _as_nobody(machine: Machine, *args: str | Path) -> Completed:
    return machine.run(*AS_NOBODY, *NETSIM, *args)


@pytest.mark.parametrize(
    "args",
    [["run", "closed-port"], ["up", "closed-port"], ["down"], ["exec", "client", "--", "true"], ["clean"]],
    ids=" ".join,
)
def test_no_root(shared_machine: Machine, args: list[str]) -> None:
    said = one_sentence(_as_nobody(shared_machine, *args), 3)
    assert said.startswith(f"building networks needs root; run: sudo netsim {' '.join(args[:2])}")


@pytest.mark.parametrize(
    "args",
    [["list"], ["show", "link-cut"], ["graph", "link-cut"], ["check", "link-cut"], ["schema"], ["ps"]],
    ids=" ".join,
)
def test_what_needs_no_root(shared_machine: Machine, args: list[str]) -> None:
    done = _as_nobody(shared_machine, *args)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout


def test_doctor_without_root_says_so(shared_machine: Machine) -> None:
    done = _as_nobody(shared_machine, "doctor")
    assert (done.returncode, done.stderr) == (3, "")
    assert "sudo netsim doctor" in done.stdout


_NOT_IN_THE_KERNEL = """\
class IPTCError(Exception): pass
class Table:
    FILTER = "filter"
    def __init__(self, name, autocommit): raise IPTCError(b"can't initialize filter")
"""
STUBS = {
    "no python-iptables": ("raise ImportError('No module named iptc')", "firewall rules need python-iptables"),
    "no libxtables": ("raise Exception('cannot find libxtables')", "firewall rules need python-iptables"),
    "no iptables in the kernel": (
        _NOT_IN_THE_KERNEL,
        "iptables says:",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", STUBS)
@pytest.mark.parametrize("command", ["run", "up"])
def test_no_iptables(machine: Machine, tmp_path: Path, what: str, command: str) -> None:
    module, sentence = STUBS[what]
    (tmp_path / "iptc.py").write_text(module)
    path = {"PYTHONPATH": f"{tmp_path}:{machine.environment['PYTHONPATH']}"}
    said = one_sentence(machine.netsim(command, "firewall-reset", env=path), 3)
    assert said.startswith(sentence)
    assert "apt-get install iptables" in said
    assert machine.left_over() == []
    assert machine.netsim("run", "closed-port", env=path).returncode == 0  # which has no rule


@pytest.fixture
def full(machine: Machine) -> Path:
    """A directory on a disk with room for some bytes only, and a file that has been there before."""
    place = Path("/run/full")
    machine.path(place).mkdir()
    machine.output("mount", "-t", "tmpfs", "-o", "size=4k", "tmpfs", str(place))
    return place


def test_no_disk_space_for_the_recording(machine: Machine, full: Path) -> None:
    said = one_sentence(machine.netsim("run", "closed-port", "--record", full / "run.jsonl"), 3)
    assert str(full / "run.jsonl") in said
    assert "no space is left on the disk" in said
    assert os.listdir(machine.path(full)) == []
    assert not machine.processes()
    assert machine.names() == []


def test_what_was_there_stays_where_a_recording_finds_no_space(machine: Machine, full: Path) -> None:
    machine.path(full / "run.jsonl").write_text("before")
    assert machine.netsim("run", "closed-port", "--record", full / "run.jsonl").returncode == 3
    assert machine.path(full / "run.jsonl").read_text() == "before"
    assert os.listdir(machine.path(full)) == ["run.jsonl"]


def test_a_recording_into_a_device_that_is_full(shared_machine: Machine) -> None:
    done = shared_machine.netsim("run", "closed-port", "--record", "/dev/full")
    assert done.returncode in {2, 3}
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.startswith("netsim: /dev/full")


def test_a_report_that_cannot_be_written(shared_machine: Machine) -> None:
    with open("/dev/full", "w") as full:
        done = shared_machine.netsim("run", "closed-port", "--json", stdout=full)
    assert done.returncode == 3
    assert done.stderr.startswith("netsim: ")
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("args", [["list"], ["show", "link-cut"], ["run", "closed-port"], ["--help"]], ids=" ".join)
def test_a_reader_that_has_seen_enough(shared_machine: Machine, args: list[str]) -> None:
    read, write = os.pipe()
    os.close(read)
    done = shared_machine.netsim(*args, stdout=write)
    os.close(write)
    assert done.stderr == ""


def test_a_state_directory_that_cannot_be_made(machine: Machine) -> None:
    machine.path("/run/netsim").write_text("in the way")
    for command in ("run", "up"):
        said = one_sentence(machine.netsim(command, "closed-port"), 3)
        assert "/run/netsim" in said
    assert machine.path("/run/netsim").read_text() == "in the way"
    assert machine.names() == []
