"""scripts/netsim on a clone: sets itself up once, and again only when it has to."""

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]

# The least that scripts/netsim sets up, so that each time takes seconds.
PYPROJECT = """
[build-system]
requires = ["hatchling>=1.25"]
build-backend = "hatchling.build"
[project]
name = "netsim"
version = "1"
dependencies = ["python-iptables>=1.2,<2"]
[project.scripts]
netsim = "netsim.cli:main"
"""
PROGRAM = """
import os, sys
def main():
    if sys.argv[1] == "exit":
        return int(sys.argv[2])
    print(os.getcwd(), sys.argv[1:])
"""

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="setting up may install packages, which needs root")


class Clone:
    """A clone with a stand-in for the program, and ways to run its scripts/netsim."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.script = root / "scripts/netsim"
        self.venv = root / ".venv"
        self.env = {name: value for name, value in os.environ.items() if not name.startswith("NETSIM_")}

    def run(self, *args: str, **env: str) -> subprocess.CompletedProcess[str]:
        return self.spawn([str(self.script), *args], env)

    def run_as_nobody(self, *args: str, **env: str) -> subprocess.CompletedProcess[str]:
        nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
        return self.spawn([*nobody, str(self.script), *args], env)

    def spawn(self, command: list[str], env: dict[str, str]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command, cwd="/", env=self.env | env, text=True, capture_output=True, check=False, timeout=300
        )

    def start(self) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [self.script, "hello"],
            env=self.env, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
        )  # fmt: skip

    def wait_for_pip(self, run: subprocess.Popen[str], text: str) -> None:
        """Until pip says it to the log."""
        assert run.stderr is not None
        next(line for line in run.stderr if "installing the Python" in line)
        follow = ["tail", "-n", "+1", "-f", str(self.venv / "netsim-setup.log")]
        with subprocess.Popen(follow, stdout=subprocess.PIPE, text=True) as tail:
            assert tail.stdout is not None
            next(line for line in tail.stdout if text in line)
            tail.kill()


@pytest.fixture
def clone() -> Iterator[Clone]:
    with tempfile.TemporaryDirectory(prefix="netsim clone ") as directory:  # with a space, and
        root = Path(directory)
        root.chmod(0o755)  # where everybody may look
        shutil.copytree(REPOSITORY / "scripts", root / "scripts")
        (root / "netsim/cli").mkdir(parents=True)
        (root / "netsim/__init__.py").touch()
        (root / "netsim/cli/__init__.py").write_text(PROGRAM)
        (root / "pyproject.toml").write_text(PYPROJECT)
        yield Clone(root)


def programs_without(directory: Path, *absent: str) -> str:
    """A PATH with everything of /usr/bin but some."""
    for program in Path("/usr/bin").iterdir():
        if program.name not in absent:
            (directory / program.name).symlink_to(program)
    directory.chmod(0o755)
    return str(directory)


def test_the_first_run_sets_up_and_the_next_says_nothing(clone: Clone, tmp_path: Path) -> None:
    first = clone.run("hello", "a b")
    assert first.stdout == "/ ['hello', 'a b']\n"
    assert first.stderr.splitlines()[-1] == "netsim: ready"
    assert clone.run("hello").stderr == ""
    assert clone.run("exit", "7").returncode == 7

    link = tmp_path / "netsim"
    link.symlink_to(clone.script)
    linked = clone.spawn([str(link), "hello"], {})
    assert (linked.stdout, linked.stderr) == ("/ ['hello']\n", "")

    (clone.root / "pyproject.toml").write_text(PYPROJECT + "# edited\n")
    nobody = clone.run_as_nobody("hello")
    assert (nobody.returncode, nobody.stdout) == (3, "")
    assert "nobody may not write there: run this once with sudo" in nobody.stderr
    assert "with pip" in clone.run("hello").stderr
    assert clone.run_as_nobody("hello").stderr == ""


def test_a_moved_clone_and_a_python_that_went_are_noticed(clone: Clone) -> None:
    clone.run("hello")
    with tempfile.TemporaryDirectory() as elsewhere:
        moved = Clone(Path(elsewhere) / "moved")
        clone.root.rename(moved.root)
        assert "making the virtual environment" in moved.run("hello").stderr
        (moved.venv / "bin/python").unlink()
        (moved.venv / "bin/python").symlink_to("/nonexistent/python3")
        assert moved.run("hello").stdout == "/ ['hello']\n"
        moved.root.rename(clone.root)


@pytest.mark.parametrize("moment", ["making the virtual", "installing the Python", "Installing collected"])
def test_a_set_up_that_was_killed_is_completed(clone: Clone, moment: str) -> None:
    with clone.start() as first:
        assert first.stderr is not None
        if moment.startswith("Installing"):
            clone.wait_for_pip(first, moment)
        else:
            next(line for line in first.stderr if moment in line)
        os.killpg(first.pid, signal.SIGKILL)
    assert not (clone.venv / "netsim-ready").exists()
    second = clone.run("hello")
    assert (second.returncode, second.stdout) == (0, "/ ['hello']\n")
    assert clone.run("hello").stderr == ""


def test_an_interrupted_set_up_says_so(clone: Clone) -> None:
    with clone.start() as run:
        assert run.stderr is not None
        next(line for line in run.stderr if "installing the Python" in line)
        os.killpg(run.pid, signal.SIGINT)
        assert run.stderr.read() == "netsim: interrupted: the next run starts over\n"
    assert run.returncode == 130


def test_of_two_first_runs_one_waits(clone: Clone) -> None:
    runs = [clone.start(), clone.start()]
    said = []
    for run in runs:
        out, err = run.communicate(timeout=300)
        assert (run.returncode, out) == (0, f"{Path.cwd()} ['hello']\n")
        said.append(err)
    assert sorted("waiting for it" in err for err in said) == [False, True]
    assert sorted("ready" in err for err in said) == [False, True]


def test_pip_that_outlives_its_script_is_waited_for(clone: Clone) -> None:
    with clone.start() as first:
        clone.wait_for_pip(first, "Obtaining")
        first.kill()  # the script alone
    second = clone.run("hello")
    assert second.stdout == "/ ['hello']\n"
    assert "another set-up is at work here: waiting for it" in second.stderr


def test_without_a_network_it_says_so(clone: Clone) -> None:
    nowhere = "http://127.0.0.1:9/"
    failed = clone.run("hello", PIP_INDEX_URL=nowhere, PIP_CONFIG_FILE=os.devnull, PIP_FIND_LINKS="")
    assert (failed.returncode, failed.stdout) == (3, "")
    assert "netsim: pip cannot reach the package index (is there a network?); the end of " in failed.stderr
    assert clone.run("hello").returncode == 0


def test_an_old_python_gets_one_sentence(clone: Clone, tmp_path: Path) -> None:
    old = tmp_path / "python3.9"
    old.write_text("#!/bin/sh\necho 3.9 /usr/bin/python3.9\n")
    old.chmod(0o755)
    failed = clone.run("hello", NETSIM_PYTHON=str(old))
    assert failed.returncode == 3
    assert failed.stderr.startswith("netsim: netsim needs Python 3.11 or newer (/usr/bin/python3.9 is 3.9); ")
    assert len(failed.stderr.splitlines()) == 1


def test_without_apt_it_says_what_to_install(clone: Clone, tmp_path: Path) -> None:
    failed = clone.run("hello", PATH=programs_without(tmp_path, "apt-get", "strace"))
    assert failed.returncode == 3
    assert "there is no apt-get here; install what Debian calls strace " in failed.stderr
    assert not clone.venv.exists()


def test_without_root_it_says_what_root_must_install(clone: Clone) -> None:
    with tempfile.TemporaryDirectory() as directory:
        failed = clone.run_as_nobody("hello", PATH=programs_without(Path(directory), "strace"))
    assert failed.returncode == 3
    assert "sudo apt-get install --no-install-recommends strace" in failed.stderr


def test_it_never_clears_what_it_did_not_make(clone: Clone, tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").touch()
    failed = clone.run("hello", NETSIM_VENV=str(tmp_path))
    assert failed.returncode == 3
    assert "is not ours to clear" in failed.stderr
    assert (tmp_path / "thesis.tex").exists()
