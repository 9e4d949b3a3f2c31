"""What a command costs: CPU time of a start, and a whole run."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import dataclass

NETSIM = [sys.executable, "-m", "netsim"]
STARTS = {
    "netsim --help": [*NETSIM, "--help"],
    "netsim list": [*NETSIM, "list"],
    "python -c pass": [sys.executable, "-c", "pass"],
}


def finish(command: list[str]) -> None:
    """Run a command to its end; where that is broken off, end it with all that it has started."""
    process = subprocess.Popen(command, process_group=0)
    try:
        if process.wait():
            raise subprocess.CalledProcessError(process.returncode, command)
    except BaseException:
        if process.returncode is None:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait()
        raise


@dataclass(frozen=True, slots=True)
class Cost:
    wall_s: float
    cpu_s: float
    """User and system time of the process and of all children that it has waited for."""
    stderr: str


def run(command: list[str]) -> Cost:
    """Run a command to its end; its output goes nowhere."""
    begin = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    assert process.stderr
    stderr = process.stderr.read().decode()
    _, status, used = os.wait4(process.pid, 0)
    wall = time.perf_counter() - begin
    process.stderr.close()
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"bench: {' '.join(command)} ended with {process.returncode}:\n{stderr}")
    return Cost(wall, used.ru_utime + used.ru_stime, stderr)


def starts() -> dict[str, dict[str, float]]:
    """CPU seconds of each start."""
    return {name: {"cpu": run(command).cpu_s} for name, command in STARTS.items()}


def whole_run() -> dict[str, float]:
    """Seconds of `netsim run firewall-reset`: all of it, and what it says of its network."""
    cost = run([*NETSIM, "run", "firewall-reset", "--timing"])
    said = re.search(r"built in ([\d.]+) ms, removed in ([\d.]+) ms", cost.stderr)
    if said is None:
        sys.exit(f"bench: netsim run --timing did not say what its network took:\n{cost.stderr}")
    build, remove = (float(number) / 1e3 for number in said.groups())
    return {"wall": cost.wall_s, "cpu": cost.cpu_s, "build": build, "remove": remove, "network": build + remove}
