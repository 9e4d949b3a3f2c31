"""The same chain by shell scripts that run `ip -batch`."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import recipe
from commands import finish

from netsim.model.plan import NodePlan, Plan


class IpBatch:
    """A shell script: one `ip -batch` for all namespaces, one for all cables, then ip's own ways into each node."""

    name = "ip -batch"
    _mark = "ip"

    def __init__(self, plan: Plan, scratch: Path) -> None:
        self._prefix = f"{self._mark}{len(plan.nodes)}."
        self._nodes = [node.node.name for node in plan.nodes]
        self._scratch = scratch / self._prefix
        self._scratch.mkdir()
        self._stands = False
        add = self._write("add", [f"netns add {self._prefix}{name}" for name in self._nodes])
        links = self._write("cables", cables(plan, self._prefix))
        remove = self._write("netns-del", [f"netns del {self._prefix}{name}" for name in self._nodes])
        settings = recipe.sysctls(plan)
        each = [self._enter(node, settings) for node in plan.nodes]
        self._write("build", ["set -e", f"ip -batch {add}", f"ip -batch {links}", *each])
        self._write("remove", [f"exec ip -batch {remove}"])

    def build(self) -> dict[str, float]:
        self._stands = True
        return {"build": self._run("build")}

    def remove(self) -> float:
        self._stands = False
        return self._run("remove")

    def namespace(self, node: str) -> str:
        return f"/run/netns/{self._prefix}{node}"

    def close(self) -> None:
        if self._stands:  # broken off: some of them may not be there
            for name in self._nodes:
                subprocess.run(["ip", "netns", "del", self._prefix + name], check=False, stderr=subprocess.DEVNULL)

    def _enter(self, node: NodePlan, settings: dict[str, str]) -> str:
        batch = self._write(node.node.name, configuration(node))
        at = self._prefix + node.node.name
        values = " ".join(f"{key}='{value}'" for key, value in settings.items())
        return f"ip netns exec {at} sysctl -qw {values}\nip -n {at} -batch {batch}"

    def _write(self, name: str, lines: list[str]) -> Path:
        path = self._scratch / name
        path.write_text("\n".join(lines) + "\n")
        return path

    def _run(self, what: str) -> float:
        begin = time.perf_counter()
        finish(["sh", str(self._scratch / what)])
        return time.perf_counter() - begin


class IpTuned(IpBatch):
    """The same, but into each node by nsenter, and sysctls by the shell itself: the fastest that was found."""

    name = "ip, tuned"
    _mark = "tuned"

    def _enter(self, node: NodePlan, settings: dict[str, str]) -> str:
        batch = self._write(node.node.name, configuration(node))
        writes = [f"echo '{value}' >/proc/sys/{key.replace('.', '/')}" for key, value in settings.items()]
        inside = self._write(f"{node.node.name}.sh", ["set -e", *writes, f"exec ip -batch {batch}"])
        return f"nsenter --net={self.namespace(node.node.name)} sh {inside}"


def cables(plan: Plan, prefix: str) -> list[str]:
    """Lines for `ip -batch` that make every veth pair as netsim does."""
    ends = {(i.link, node.node.name): i for node in plan.nodes for i in node.interfaces}
    lines = []
    for number, link in enumerate(plan.topology.links):
        a, b = ends[number, link.a], ends[number, link.b]
        queues = "numtxqueues 1 numrxqueues 1 gso_max_segs 1"
        lines.append(
            f"link add name {a.name} index {a.index} netns {prefix}{link.a} {queues} up "
            f"type veth peer name {b.name} index {b.index} netns {prefix}{link.b} {queues}"
        )
    return lines


def configuration(node: NodePlan) -> list[str]:
    """Lines for `ip -batch` within a node: interfaces up, addresses, routes."""
    lines = [f"link set {name} up" for name in ("lo", *(i.name for i in node.interfaces))]
    lines += [f"address add {i.address}/{i.prefixlen} dev {i.name}" for i in node.interfaces if i.address]
    lines += [f"route add {route.destination} via {route.via} proto static" for route in node.routes]
    return lines
