"""A chain of routers in Mininet; runs with the Python that Mininet is installed for.

    mininet_chain.py PLAN.json

Each line of standard input is done and answered: "build" and "remove" with the nanoseconds that
they took, "pid NODE" with the process that holds a node's namespace.
"""

import json
import resource
import sys
import time

from mininet.net import Mininet
from mininet.node import Node


class Router(Node):
    """As in Mininet's own examples/linuxrouter.py."""

    def config(self, **params):
        super().config(**params)
        self.cmd("sysctl -q net.ipv4.ip_forward=1")


def build(plan):
    net = Mininet(controller=None)
    nodes = {node["name"]: node for node in plan["nodes"]}
    for name, node in nodes.items():
        net.addHost(name, cls=Router, ip=next(iter(node["addresses"].values())))
    for number, (a, b) in enumerate(plan["links"]):
        a_ip, b_ip = (nodes[name]["addresses"][str(number)] for name in (a, b))
        net.addLink(net[a], net[b], params1={"ip": a_ip}, params2={"ip": b_ip})
    net.start()
    for name, node in nodes.items():
        batch = "\n".join(node["routes"])
        net[name].cmd(f"ip -batch - <<END\n{batch}\nEND")
    return net


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        plan = json.load(file)
    # What Mininet asks of the host at its start: more files are enough, the host's sysctls stay as they are.
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    Mininet.inited = True
    net = None
    try:
        for line in sys.stdin:
            what, *rest = line.split()
            begin = time.perf_counter_ns()
            if what == "build":
                net = build(plan)
            elif what == "remove":
                net.stop()
                net = None
            answer = net[rest[0]].pid if what == "pid" else time.perf_counter_ns() - begin
            print(answer, flush=True)
    finally:
        if net is not None:
            net.stop()


main()
