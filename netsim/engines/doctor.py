"""What this host can do, found out by doing it: every ability is tried in a lab made for that."""

from __future__ import annotations

import os
import shutil
import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass

from netsim.engines.host import STATE
from netsim.errors import HostError, NetsimError
from netsim.linux import capture, cut, tracing
from netsim.linux.keeper_state import KeeperState
from netsim.linux.lab import Lab, up
from netsim.model.firewall import Rule
from netsim.model.plan import make_plan
from netsim.model.topology import Link, Node, Topology


@dataclass(frozen=True, slots=True)
class Ability:
    """One thing that netsim does; `needed` for all of it, or for a part that `detail` names."""

    name: str
    there: bool
    needed: bool
    detail: str
    remedy: str = ""


_APT = "on Debian and Ubuntu: apt-get install {}"
_IPTABLES = f"{_APT.format('iptables')}; the kernel needs CONFIG_IP_NF_FILTER"


def examine() -> list[Ability]:
    """Try everything. As an ordinary user only what needs no root can be tried."""
    root = os.geteuid() == 0
    found = [
        Ability("Linux", sys.platform == "linux", True, f"{os.uname().sysname} {os.uname().release}"),
        Ability("root", root, True, "builds networks", "run: sudo netsim doctor"),
    ]
    if root:
        found += _in_a_lab()
    return [
        *found,
        _program("strace", "shows the calls of programs started by 'run'", "strace"),
        _program("nc", "handy in 'netsim exec'", "netcat-openbsd"),
    ]


def _in_a_lab() -> list[Ability]:
    name = "namespaces, veth"
    about = "the network itself"
    topology = Topology((Node("a"), Node("switch", "switch"), Node("b")), (Link("a", "switch"), Link("switch", "b")))
    try:
        lab = up(make_plan(topology), f"doctor-{os.getpid()}", STATE)
    except (NetsimError, OSError, RuntimeError) as error:
        remedy = "CONFIG_NET_NS, CONFIG_VETH, CONFIG_BRIDGE; in a container, --privileged"
        return [Ability(name, False, True, f"{about}: {_sentence(error)}", remedy)]
    with lab:
        return [
            Ability(name, True, True, about),
            _try("packet capture", lambda: _capture(lab), "the ladder of packets", "CONFIG_PACKET", needed=True),
            _try(
                "legacy iptables",
                lambda: _rule(lab),
                "firewall rules",
                f"{_APT.format('iptables')}; CONFIG_IP_NF_FILTER",
            ),
            _try("cutting a cable", lambda: lab.keeper.ask(cut.cut, 0), "cut, heal", "CONFIG_NF_TABLES_NETDEV"),
            _try(
                "tracepoints",
                lambda: _trace(lab),
                "the kernel's own reasons: tcp_send_reset and the like",
                tracing.NEEDS,
            ),
            _try(
                "netem", lambda: lab.keeper.ask(_netem), "not used yet: delay and loss on links", "CONFIG_NET_SCH_NETEM"
            ),
        ]


def _try(name: str, attempt: Callable[[], object], about: str, remedy: str, needed: bool = False) -> Ability:
    try:
        attempt()
    except (NetsimError, OSError, RuntimeError) as error:
        return Ability(name, False, needed, f"{about}: {_sentence(error)}", remedy)
    return Ability(name, True, needed, about)


def _capture(lab: Lab) -> None:
    _, fds = lab.keeper.ask_files(capture.open_captures, ("a",))
    for fd in fds:
        os.close(fd)


def _rule(lab: Lab) -> None:
    lab.place("a", [Rule("reject", protocol="tcp", dport=1, answer="tcp-reset")])


def _trace(lab: Lab) -> None:
    """Have a connection refused, and see whether the kernel tells of it."""
    (namespace,), fds = lab.keeper.ask_files(capture.open_captures, ("a",))
    try:
        with tracing.open_tracing() as traced:
            traced.watch(namespace)
            lab.keeper.ask(_be_refused)
            if not traced.read():
                raise HostError("tracepoints are on, and nothing comes of them")
    finally:
        for fd in fds:
            os.close(fd)


def _be_refused(state: KeeperState) -> None:
    with state.inside("a"), socket.socket() as sock:
        sock.connect_ex(("127.0.0.1", 1))


def _netem(state: KeeperState) -> None:
    from pyroute2 import IPRoute
    from pyroute2.netlink.exceptions import NetlinkError

    interface = state.plan.node("a").interfaces[0].index
    with state.inside("a"), IPRoute() as route:
        try:
            route.tc("add", "netem", interface, "1:", delay=1000)
        except NetlinkError as error:
            raise OSError(error.code, "the kernel has no sch_netem") from error


def _program(name: str, about: str, package: str) -> Ability:
    return Ability(name, shutil.which(name) is not None, False, about, _APT.format(package))


def _sentence(error: BaseException) -> str:
    return str(error).strip().splitlines()[-1]
