"""A scenario is found by its path or by its bare name, and a bare name leads nowhere else."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from netsim.errors import InputError
from netsim.files import library

PLAIN = "title: {}\nnodes: {{a: {{}}}}\n"


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with ./topologies."""
    (tmp_path / "topologies").mkdir()
    (tmp_path / "topologies" / "mine.yaml").write_text(PLAIN.format("Mine"))
    (tmp_path / "topologies" / "closed-port.yml").write_text(PLAIN.format("My own"))
    (tmp_path / "outside.yaml").write_text(PLAIN.format("Outside"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def refusal(name: str) -> str:
    with pytest.raises(InputError) as caught:
        library.load(name)
    return str(caught.value)


def test_a_shipped_one() -> None:
    assert library.load("firewall-reset").name == "firewall-reset"


def test_one_of_ones_own_goes_first() -> None:
    assert library.load("mine").title == "Mine"
    assert library.load("closed-port").title == "My own"
    assert dict(library.names())["closed-port"] == Path("topologies/closed-port.yml")


def test_a_path(here: Path) -> None:
    assert library.load("outside.yaml").title == "Outside"
    assert library.load(f"{here}/outside.yaml").title == "Outside"
    assert library.load("topologies/../outside.yaml").title == "Outside"


def test_a_path_that_is_none_of_text(here: Path) -> None:
    assert library.load(Path("outside.yaml")).title == "Outside"
    with pytest.raises(InputError) as caught:
        library.load(Path("mine"))  # a name finds ./topologies/mine.yaml, a path does not
    assert str(caught.value) == "mine: there is no such file; check the spelling, or see 'netsim list'"


def test_a_file_without_a_suffix(here: Path) -> None:
    (here / "exercise").write_text(PLAIN.format("An exercise"))
    assert library.load("exercise").title == "An exercise"


def test_names_are_sorted_and_hidden_files_left_out(here: Path) -> None:
    (here / "topologies" / ".hidden.yaml").touch()
    (here / "topologies" / "notes.txt").touch()
    names = [name for name, _ in library.names()]
    assert names == sorted(names)
    assert {"mine", "firewall-reset"} <= set(names)
    assert not {".hidden", "notes"} & set(names)


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("firewal-reset", "there is no scenario 'firewal-reset'; did you mean 'firewall-reset'?; see 'netsim list'"),
        ("qqq", "there is no scenario 'qqq'; see 'netsim list'"),
        ("mien.yaml", "there is no file 'mien.yaml'; did you mean 'mine'?; see 'netsim list'"),
        ("../mine", "there is no file '../mine'; did you mean 'mine'?; see 'netsim list'"),
        ("a\0b/", r"there is no file 'a\x00b/'; see 'netsim list'"),
    ],
)
def test_what_is_not_there(name: str, sentence: str) -> None:
    assert refusal(name) == sentence


@pytest.mark.parametrize("name", ["..", ".", "", "Mine", "a b", "mine\n", "m\u0456ne"])
def test_a_name_that_is_none(name: str) -> None:
    assert "cannot be the name of a scenario: a name " in refusal(name)


def test_a_file_whose_name_is_none(here: Path) -> None:
    (here / "My Own.yaml").write_text(PLAIN.format("x"))
    assert refusal("My Own.yaml") == (
        "My Own.yaml: 'My Own' cannot be the name of a scenario: a name is made of a-z, 0-9 and '-', "
        "starts with a letter and does not end with '-'; rename the file"
    )


def test_titles_are_read_without_the_rest(here: Path) -> None:
    path = here / "topologies" / "mine.yaml"
    path.write_text("title: Not finished yet\nnodes: nonsense\n")
    assert library.title(path) == "Not finished yet"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "1:1: the file is empty; a scenario has at least 'title' and 'nodes'"),
        ("nodes: {}", "1:1: a scenario has no 'title' here; add one, such as title: What it shows"),
        ("- a", "1:1: a scenario has no 'title' here; add one, such as title: What it shows"),
        ("title: a: b", "1:9: this is no YAML: mapping values are not allowed in this context"),
    ],
)
def test_a_broken_file_is_told_in_one_sentence(text: str, sentence: str) -> None:
    path = Path("topologies/mine.yaml")
    path.write_text(text)
    with pytest.raises(InputError) as caught:
        library.title(path)
    assert str(caught.value).startswith(f"{path}:{sentence}")


def test_no_directory_of_ones_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")
    assert "mine" not in dict(library.names())
    assert "firewall-reset" in dict(library.names())


def test_inside_a_wheel_the_shipped_ones_are_in_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "site-packages" / "netsim"
    (package / "topologies").mkdir(parents=True)
    (package / "topologies" / "packed.yaml").write_text(PLAIN.format("Packed"))
    (tmp_path / "site-packages" / "topologies").mkdir()  # of somebody else's
    (tmp_path / "site-packages" / "topologies" / "foreign.yaml").write_text(PLAIN.format("Foreign"))
    monkeypatch.setattr(library, "_PACKAGE", package)
    assert library.load("packed").title == "Packed"
    assert "foreign" not in dict(library.names())


def test_looking_up_names_loads_neither_yaml_nor_the_model() -> None:
    program = (
        f"import sys; sys.path.insert(0, {str(Path(library.__file__).parents[2])!r})\n"
        "from netsim.files import library; library.names()\n"
        "print([m for m in ('yaml', 'netsim.model.scenario', 'netsim.model.plan') if m in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert run.stdout == "[]\n"
