"""What one lab's keeper holds: namespaces, sockets into them, children. Only the keeper has one."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from netsim.errors import HostError, LabError
from netsim.linux import syscalls
from netsim.linux.journal import Journal
from netsim.linux.netlink import NETLINK_NETFILTER, Netlink
from netsim.linux.sysctl import Sysctls
from netsim.model.plan import Plan

_NO_IPV6 = "net.ipv6.conf.all.disable_ipv6"


@dataclass(slots=True)
class KeeperState:
    """Everything that a lab's keeper holds. `plan` is what is built, or will be."""

    journal: Journal
    plan: Plan
    own_netns: int
    """The keeper's own namespace: nothing of the host's, and where a dead machine's interfaces wait."""
    sysctls: Sysctls
    namespaces: dict[str, int] = field(default_factory=dict)
    route: dict[str, Netlink] = field(default_factory=dict)
    filter: dict[str, Netlink] = field(default_factory=dict)
    children: dict[int, str] = field(default_factory=dict)
    """The processes that the keeper has to wait for: pid, and the node that it runs on."""
    stays: bool = False
    """The lab is to outlive the process that made it."""

    @contextmanager
    def inside(self, node: str) -> Iterator[None]:
        """Be in a node's namespace for a while."""
        fd = self.namespaces.get(node)
        if fd is None:
            raise LabError("enter", node, 3, "it is switched off")
        syscalls.setns(fd)
        try:
            yield
        finally:
            syscalls.setns(self.own_netns)

    def netfilter(self, node: str) -> Netlink:
        """The nfnetlink socket of a node, opened when it is first needed."""
        if node not in self.filter:
            with self.inside(node):
                self.filter[node] = Netlink(node, NETLINK_NETFILTER)
        return self.filter[node]


def new_state(journal: Journal, plan: Plan) -> KeeperState:
    """Leave the host's network for an empty one, and make room for many descriptors."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    try:
        syscalls.unshare(syscalls.CLONE_NEWNET)
    except OSError as error:
        raise HostError(f"this system gives us no network namespace: {error}; in a container, --privileged") from error
    sysctls = Sysctls()
    if sysctls.read(_NO_IPV6) == "0":  # an interface without an address must not look for neighbours and routers
        sysctls.write("the lab", _NO_IPV6, "1")
    return KeeperState(journal, plan, current_namespace(), sysctls)


def current_namespace() -> int:
    """A descriptor of the network namespace that this process is in."""
    return os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
