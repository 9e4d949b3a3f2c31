"""What `pip install .` brings is whole: the scenarios come with the program."""

import subprocess
import sys
import zipfile
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]


def test_the_wheel_carries_every_shipped_topology(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", tmp_path, REPOSITORY]
    done = subprocess.run(build, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (wheel,) = tmp_path.glob("netsim-*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    shipped = {f"netsim/topologies/{file.name}" for file in (REPOSITORY / "topologies").glob("*.yaml")}
    assert shipped
    assert shipped <= names
    assert "netsim/py.typed" in names
