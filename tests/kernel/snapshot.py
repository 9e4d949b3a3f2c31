"""What a host has, in words that can be compared: all that netsim could ever leave behind or change."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable
from typing import Any

from tests.kernel.machine import Machine

Output = Callable[..., str]
Snapshot = dict[str, object]

_ALIVE = re.compile(r"/(nf_conntrack_count|nf_conntrack_(expect_)?generation|tcp_memory_pressure)$")
"""Sysctls that only tell how things are: nobody sets them, and they change by themselves."""
_LIFETIMES = {"valid_life_time", "preferred_life_time"}
"""Of addresses that DHCP or a router gave: they run down."""


def network(output: Output) -> Snapshot:
    """Interfaces, addresses, routes, rules, packet filters and sysctls; `output` runs a program there."""
    found: Snapshot = {
        "interfaces": json.loads(output("ip", "-details", "-json", "link")),
        "addresses": _addresses(json.loads(output("ip", "-json", "address"))),
        "sysctls": _sysctls(output("grep", "-rs", "", "/proc/sys/net", code=(0, 2))),  # 2: some may not be read
        "tables": output("cat", "/proc/net/ip_tables_names"),
    }
    for family in ("-4", "-6"):
        routes = output("ip", family, "route", "show", "table", "all")
        found[f"routes {family}"] = re.sub(r" expires \d+sec", "", routes)
        found[f"rules {family}"] = output("ip", family, "rule")
    for program in ("iptables-legacy-save", "ip6tables-legacy-save", "iptables-nft-save"):
        if shutil.which(program):
            saved = output(program).splitlines()
            found[program] = [re.sub(r" \[\d+:\d+\]$", "", line) for line in saved if not line.startswith("#")]
    if shutil.which("nft"):
        found["nft"] = output("nft", "--stateless", "list", "ruleset")
    return found


def everything(machine: Machine) -> Snapshot:
    """A machine's network, its named namespaces, files, mounts and processes."""

    def output(*argv: str, code: tuple[int, ...] = (0,)) -> str:
        done = machine.run(*argv)
        assert done.returncode in code, (argv, done.stderr)
        return done.stdout

    run = machine.path("/run")
    return {
        **network(output),
        "namespaces": output("ip", "netns", "list"),
        "files in /run": {str(path): path.lstat().st_mode for path in run.rglob("*")},
        "names": {path.name: str(path.readlink()) for path in run.glob("netns/*") if path.is_symlink()},
        "files in /etc": [machine.path(f"/etc/{name}").read_text() for name in ("hosts", "nsswitch.conf")],
        "mounts": machine.path(f"/proc/{machine.inside_pid(machine.pid)}/mountinfo").read_text(),
        "processes": machine.processes(),
    }


def here(*argv: str, code: tuple[int, ...] = (0,)) -> str:
    """Run a program on this host itself."""
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode in code, (argv, done.stderr)
    return done.stdout


def same(before: Snapshot, after: Snapshot) -> None:
    """Nothing has changed. A kernel module that was loaded meanwhile may have brought sysctls of its own."""
    known, now = before["sysctls"], after["sysctls"]
    assert isinstance(known, dict)
    assert isinstance(now, dict)
    assert {key: now.get(key) for key in known} == known
    for what in before.keys() - {"sysctls"}:
        assert after[what] == before[what], f"{what} were {before[what]}, and are {after[what]}"


def _addresses(interfaces: list[dict[str, Any]]) -> object:
    return [
        [interface["ifname"], [{k: v for k, v in one.items() if k not in _LIFETIMES} for one in interface["addr_info"]]]
        for interface in interfaces
    ]


def _sysctls(text: str) -> dict[str, str]:
    lines = (line.partition(":") for line in text.splitlines())
    return {path: value for path, _, value in lines if not _ALIVE.search(path)}
