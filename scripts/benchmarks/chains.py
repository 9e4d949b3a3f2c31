"""The same chain of routers, built and removed by netsim and by others: each says how long that took."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from contextlib import suppress
from ipaddress import ip_network
from pathlib import Path
from typing import IO, Any, Protocol

from commands import finish

from netsim.engines.host import STATE
from netsim.linux import lab
from netsim.model.plan import Plan, make_plan
from netsim.model.topology import Link, Node, Topology

HERE = Path(__file__).parent
MININET_PYTHON = "/usr/bin/python3"
"""Distributions install Mininet for their own Python."""


class Chain(Protocol):
    """One way to build a chain. Times are in seconds."""

    name: str

    def build(self) -> dict[str, float]: ...

    def remove(self) -> float: ...

    def namespace(self, node: str) -> str:
        """A path to the network namespace of a node."""
        ...

    def close(self) -> None:
        """Remove what still stands, whatever has happened."""
        ...


def topology(nodes: int) -> Topology:
    return Topology(
        tuple(Node(f"r{i}", "router") for i in range(nodes)),
        tuple(Link(f"r{i}", f"r{i + 1}") for i in range(nodes - 1)),
    )


class Netsim:
    """The engine, as `netsim up` uses it: keeper, journal and names included, Python's start not."""

    name = "netsim"

    def __init__(self, plan: Plan, _: Path) -> None:
        self._topology = plan.topology
        self._lab: lab.Lab | None = None

    def build(self) -> dict[str, float]:
        begin = time.perf_counter()
        plan = make_plan(self._topology)
        planned = time.perf_counter()
        self._lab = lab.up(plan, f"bench-{os.getpid()}", STATE)
        return {"plan": planned - begin, "build": time.perf_counter() - planned}

    def remove(self) -> float:
        begin = time.perf_counter()
        self.close()
        return time.perf_counter() - begin

    def namespace(self, node: str) -> str:
        return f"/run/netns/bench-{os.getpid()}.{node}"

    def close(self) -> None:
        if self._lab:
            self._lab.down()
            self._lab = None


class Worker:
    """A program that builds and removes on demand, and answers with the nanoseconds."""

    def __init__(self, name: str, command: list[str]) -> None:
        self.name = name
        self._prefix = command[-1]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, process_group=0
        )  # Ctrl-C is for us: it removes what it has built when we hang up

    def ask(self, line: str) -> int:
        told, said = self._pipes()
        told.write(line + "\n")
        told.flush()
        answer = said.readline()
        if not answer:
            raise SystemExit(f"bench: {self.name} ended at '{line}' (status {self._process.wait()})")
        return int(answer)

    def build(self) -> dict[str, float]:
        return {"build": self.ask("build") / 1e9}

    def remove(self) -> float:
        return self.ask("remove") / 1e9

    def namespace(self, node: str) -> str:
        return f"/run/netns/{self._prefix}.{node}"

    def close(self) -> None:
        for pipe in self._pipes():
            with suppress(BrokenPipeError):
                pipe.close()
        try:
            self._process.wait(timeout=120)
        except subprocess.TimeoutExpired:
            self._process.kill()

    def _pipes(self) -> tuple[IO[str], IO[str]]:
        assert self._process.stdin
        assert self._process.stdout
        return self._process.stdin, self._process.stdout


class Mininet(Worker):
    """A Mininet of Nodes that forward, with no switch and no controller."""

    def namespace(self, node: str) -> str:
        return f"/proc/{self.ask(f'pid {node}')}/ns/net"


def c_chain(plan: Plan, scratch: Path) -> Worker:
    """The C program, with the recipe that `recipe` has written for it."""
    program = scratch / "chain"
    if not program.exists():
        finish(["cc", "-O2", "-o", str(program), str(HERE / "chain.c")])
    return Worker("C", [str(program), str(scratch / f"recipe-{len(plan.nodes)}"), f"c{len(plan.nodes)}"])


def has_mininet() -> bool:
    """Tell whether Mininet is installed, with the program that it runs for each node."""
    if not shutil.which("mnexec") or not Path(MININET_PYTHON).exists():
        return False
    return (
        subprocess.run([MININET_PYTHON, "-c", "import mininet.net"], check=False, capture_output=True).returncode == 0
    )


def mininet_chain(plan: Plan, scratch: Path) -> Mininet:
    path = scratch / f"mininet-{len(plan.nodes)}.json"
    path.write_text(
        json.dumps(
            {
                "nodes": [
                    {
                        "name": node.node.name,
                        "addresses": {i.link: f"{i.address}/{i.prefixlen}" for i in node.interfaces},
                        "routes": [f"route add {r.destination} via {r.via} proto static" for r in node.routes],
                    }
                    for node in plan.nodes
                ],
                "links": [(link.a, link.b) for link in plan.topology.links],
            }
        )
    )
    return Mininet("Mininet", [MININET_PYTHON, str(HERE / "mininet_chain.py"), str(path)])


def described(chain: Chain, node: str) -> dict[str, Any]:
    """What a node has, as the kernel says it: addresses, routes, forwarding. Equal in all chains."""
    command = "ip -4 -j addr; ip -4 -j route; cat /proc/sys/net/ipv4/ip_forward"
    said = subprocess.run(
        ["nsenter", f"--net={chain.namespace(node)}", "sh", "-c", command], check=True, capture_output=True, text=True
    ).stdout.splitlines()
    interfaces, routes = json.loads(said[0]), json.loads(said[1])
    return {
        "addresses": sorted(
            f"{a['local']}/{a['prefixlen']}" for i in interfaces if "UP" in i["flags"] for a in i["addr_info"]
        ),
        "routes": sorted((str(ip_network(r["dst"].replace("default", "0/0"))), r.get("gateway", "")) for r in routes),
        "forwards": said[2],
    }


def check_same(built: dict[str, Any], chain: Chain, nodes: int) -> None:
    """Hold the first, the middle and the last node of a chain against those of the chains before."""
    for node in {f"r{i}" for i in (0, nodes // 2, nodes - 1)}:
        found = described(chain, node)
        wanted = built.setdefault(node, found)
        if found != wanted:
            sys.exit(f"bench: {chain.name} has built another {node} than the others: {found}, not {wanted}")
