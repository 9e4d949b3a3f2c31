"""The public surface: what `import netsim` gives, and what the program does not load to start."""

from __future__ import annotations

import subprocess
import sys

import pytest

import netsim


def test_all_is_sorted_and_there() -> None:
    assert netsim.__all__ == sorted(netsim.__all__)
    for name in netsim.__all__:
        assert getattr(netsim, name) is not None


def test_a_name_that_is_not_there() -> None:
    with pytest.raises(AttributeError, match="module 'netsim' has no attribute 'nope'"):
        _ = netsim.nope


@pytest.mark.parametrize("command", ["--help", "--version", "ps"])
def test_starting_loads_nothing_heavy(command: str) -> None:
    script = (
        "import sys\n"
        f"sys.argv = ['netsim', {command!r}]\n"
        "from netsim.cli import main\n"
        "try:\n    main()\n"
        "except SystemExit:\n    pass\n"
        "heavy = {'rich', 'yaml', 'pyroute2', 'iptc', 'jsonschema'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
