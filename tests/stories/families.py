"""The families: each makes one story from a random generator, and knows its truth by the way it was made."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from random import Random

from tests.stories.story import Ground, Story, failed, reset

Family = Callable[[Random], Story]


def ground(rng: Random, family: str, routers: tuple[int, int] = (0, 3), switches: bool = True) -> Ground:
    """A client and a server with routers, or a switch, between them, and somebody who has nothing to do with it."""
    story = Story(family)
    hops = rng.randint(*routers)
    names = ["client", *rng.sample(["fw", "r1", "gw", "edge", "core"], hops), "server"]
    story.nodes = {name: "" if name in {"client", "server"} else "kind: router" for name in names}
    cables: list[str] = []
    for a, b in pairwise(names):
        if switches and rng.random() < 0.2:
            switch = f"sw{len(cables)}"
            story.nodes[switch] = "kind: switch"
            cables += [f"{a} -- {switch}", f"{switch} -- {b}"]
            if rng.random() < 0.5:
                other = f"pc{len(cables)}"
                story.nodes[other] = ""
                story.links.append(f"{switch} -- {other}")
        else:
            cables.append(f"{a} -- {b}")
    story.links = [*cables, *story.links]
    port = rng.choice([rng.randint(1024, 65000), 80, 443, 60000])
    return Ground(story, names[1:-1], cables, rng, port)


def connected(g: Ground, client: str = "client", server: str = "server", read: bool = True) -> None:
    """An accepted connection, over which the client has perhaps said something that the server has read."""
    g.story.say(f"{server}: listen {g.port} = ok", f"{client}: connect server:{g.port} = ok", f"{server}: accept = ok")
    if read and g.rng.random() < 0.6:
        size = g.rng.choice([1, 5, 900, 3000])
        g.story.say(f"{client}: send {size} = {size}", f"{server}: recv {size} waitall = {size}")


def noise(g: Ground) -> None:
    """Another connection between the same two, which ends in good order, and whose causes are nobody's."""
    if g.rng.random() < 0.4:
        port = g.port % 60000 + 1
        g.story.say(
            f"server.quiet: listen {port} = ok",
            f"client.quiet: connect server:{port} = ok", "server.quiet: accept = ok",
            "client.quiet: send 7 = 7", "server.quiet: recv 7 waitall = 7", "client.quiet: close = ok",
            "server.quiet: recv = eof within 5s", "server.quiet: close = ok",
        )  # fmt: skip


# --- connecting ------------------------------------------------------------------------------------------------------


def closed_port(rng: Random) -> Story:
    g = ground(rng, "closed-port")
    noise(g)
    if rng.random() < 0.5:
        g.story.say(f"server: listen {g.port % 60000 + 2} = ok")
    g.story.say(f"client: connect server:{g.port} = ECONNREFUSED")
    return g.done(reset("closed-port", "server", to="client", felt="client"))


def closed_port_router(rng: Random) -> Story:
    g = ground(rng, "closed-port-router", (1, 3))
    node = rng.choice(g.between)
    g.story.say(f"client: connect {node}:{g.port} = ECONNREFUSED")
    return g.done(reset("closed-port", node, to="client", felt="client"))


def service_stopped(rng: Random) -> Story:
    g = ground(rng, "service-stopped")
    g.story.say(f"server: listen {g.port} = ok")
    if rng.random() < 0.4:
        g.story.say(f"client: connect server:{g.port} as first = ok", "server: accept as first = ok")
        g.story.say("client: close first = ok", "server: recv on first = eof within 5s", "server: close first = ok")
    g.story.say(rng.choice(["server: close listener = ok", "server: kill", "server: kill SIGTERM"]))
    g.story.say(f"client: connect server:{g.port} = ECONNREFUSED")
    return g.done(reset("service-stopped", "server", to="client", felt="client"))


def after_reboot(rng: Random) -> Story:
    g = ground(rng, "closed-after-reboot")
    g.story.say(f"server: listen {g.port} = ok", "server: crash", "server: boot")
    g.story.say(f"client: connect server:{g.port} = ECONNREFUSED")
    return g.done(reset("closed-port", "server", to="client", felt="client"))


def decoys(g: Ground, node: str) -> None:
    """Rules that match nothing of the story, before and behind the one that does."""
    near = g.port % 60000
    others = [f"reject tcp dport {near + 3} with tcp-reset", "drop udp", f"drop tcp sport {near + 4}",
              "accept icmp", "reject tcp to client dport 9 with tcp-reset"]  # fmt: skip
    for rule in g.rng.sample(others, g.rng.randint(0, 3)):
        g.rule(node, rule)


def matching(g: Ground, action: str, answer: str = "", chain: str = "") -> str:
    """A rule that matches the client's packets to the server."""
    hosts = g.rng.choice(["", "from client ", "to server ", "from client to server "])
    port = g.rng.choice(["", f"dport {g.port} "]) if hosts else f"dport {g.port} "
    words = f"{chain} {action} tcp {hosts}{port}{f'with {answer}' if answer else ''}"
    return " ".join(words.split())


def reject_forward(rng: Random) -> Story:
    g = ground(rng, "reject-forward", (1, 3))
    node = rng.choice(g.between)
    decoys(g, node)
    if rng.random() < 0.3:
        g.story.say(f"server: listen {g.port} = ok")
    rule = matching(g, "reject", "tcp-reset")
    if rng.random() < 0.3:
        g.story.say(f"{node}: {rule}")
    else:
        g.rule(node, rule)
    g.story.say(f"client: connect server:{g.port} = ECONNREFUSED")
    return g.done(reset("firewall-reject", node, "server", "client", "client"))


def reject_input(rng: Random) -> Story:
    g = ground(rng, "reject-input")
    decoys(g, "server")
    g.rule("server", matching(g, "reject", "tcp-reset"))
    if rng.random() < 0.5:
        g.story.say(f"server: listen {g.port} = ok")
    g.story.say(f"client: connect server:{g.port} = ECONNREFUSED")
    return g.done(reset("firewall-reject", "server", to="client", felt="client"))


def reject_output(rng: Random) -> Story:
    g = ground(rng, "reject-output")
    g.rule("client", matching(g, "reject", "tcp-reset", "output"))
    g.story.say(f"server: listen {g.port} = ok", f"client: connect server:{g.port} = ECONNREFUSED")
    return g.done(reset("firewall-reject", "client", "server", "client", "client"))


ICMP = {
    "icmp-port-unreachable": "ECONNREFUSED", "icmp-host-unreachable": "EHOSTUNREACH",
    "icmp-net-unreachable": "ENETUNREACH", "icmp-proto-unreachable": "ENOPROTOOPT",
    "icmp-host-prohibited": "EHOSTUNREACH", "icmp-net-prohibited": "ENETUNREACH",
    "icmp-admin-prohibited": "EHOSTUNREACH",
}  # fmt: skip


def reject_icmp(rng: Random) -> Story:
    g = ground(rng, "reject-icmp", (1, 3))
    node = rng.choice([*g.between, "server"])
    answer = rng.choice(list(ICMP))
    decoys(g, node)
    g.rule(node, matching(g, "reject", answer))
    g.story.say(f"server: listen {g.port} = ok", f"client: connect server:{g.port} = {ICMP[answer]}")
    return g.done(failed("firewall-reject", "client", "connect", ICMP[answer]))


def quick_syns(g: Ground, node: str = "client") -> None:
    g.sysctl(node, tcp_syn_retries=1, tcp_syn_linear_timeouts=0)


def drop_forward(rng: Random) -> Story:
    g = ground(rng, "drop-forward", (1, 3))
    quick_syns(g)
    node = rng.choice(g.between)
    decoys(g, node)
    g.rule(node, matching(g, "drop"))
    g.story.say(f"server: listen {g.port} = ok", f"client: connect server:{g.port} = ETIMEDOUT")
    return g.done(failed("silent-drop", "client", "connect", "ETIMEDOUT"))


def drop_host(rng: Random) -> Story:
    g = ground(rng, "drop-host")
    quick_syns(g)
    where = rng.choice(["input", "output", "answer", "own-input"])
    if where == "input":
        g.rule("server", matching(g, "drop"))
    elif where == "output":
        g.rule("client", matching(g, "drop", chain="output"))
    elif where == "answer":
        g.rule("server", f"output drop tcp sport {g.port}")
    else:
        g.rule("client", f"input drop tcp sport {g.port}")
    g.story.say(f"server: listen {g.port} = ok", f"client: connect server:{g.port} = ETIMEDOUT")
    return g.done(failed("host-firewall-drop", "client", "connect", "ETIMEDOUT"))


def answer_lost(rng: Random) -> Story:
    g = ground(rng, "answer-lost", (1, 3))
    quick_syns(g)
    g.story.say(f"server: listen {g.port} = ok")
    if rng.random() < 0.5:
        g.rule(rng.choice(g.between), f"drop tcp sport {g.port}")
    else:
        cable = rng.choice(g.cables[1:])
        g.story.say("client: connect server:9 = ECONNREFUSED", f"{cable}: cut to {cable.split(' -- ')[0]}")
        g.story.truth.append(reset("closed-port", "server", to="client", felt="client"))
    g.story.say(f"client: connect server:{g.port} as again = ETIMEDOUT")
    return g.done(failed("answer-lost", "client", "connect", "ETIMEDOUT"))


def cut_connect(rng: Random) -> Story:
    g = ground(rng, "cut-connect", (1, 3), switches=False)
    quick_syns(g)
    cable = rng.choice(g.cables[1:])
    how = rng.choice(["", f" to {cable.split(' -- ')[1]}"])
    g.story.say(f"server: listen {g.port} = ok", "client: connect server:9 = ECONNREFUSED", f"{cable}: cut{how}")
    g.story.say(f"client: connect server:{g.port} as again = ETIMEDOUT")
    g.story.truth.append(reset("closed-port", "server", to="client", felt="client"))
    return g.done(failed("silent-drop", "client", "connect", "ETIMEDOUT"))


def no_power(rng: Random) -> Story:
    g = ground(rng, "no-power", (1, 3), switches=False)
    quick_syns(g)
    g.story.say("client: connect server:9 = ECONNREFUSED", "server: crash")
    g.story.say(f"client: connect server:{g.port} as again")
    g.story.truth.append(reset("closed-port", "server", to="client", felt="client"))
    return g.done(failed("silent-drop neighbour-silent", "client", "connect"))


def own_route(rng: Random) -> Story:
    g = ground(rng, "own-route", (1, 3))
    kind, errno = rng.choice([("unreachable", "EHOSTUNREACH"), ("prohibit", "EACCES"), ("blackhole", "EINVAL"),
                              ("throw", "ENETUNREACH")])  # fmt: skip
    g.route("client", f"default {kind}")
    g.story.say(f"server: listen {g.port} = ok", f"client: connect server:{g.port} = {errno}")
    return g.done(failed("own-route", "client", "connect", errno))


def router_route(rng: Random) -> Story:
    g = ground(rng, "router-route", (2, 3), switches=False)
    kind, errno = rng.choice([("unreachable", "EHOSTUNREACH"), ("prohibit", "EHOSTUNREACH"), ("throw", "ENETUNREACH"),
                              ("blackhole", "ETIMEDOUT")])  # fmt: skip
    quick_syns(g)
    g.route(g.between[0], f"{subnet(len(g.cables) - 1)} {kind}")
    g.story.say(f"server: listen {g.port} = ok", f"client: connect server:{g.port} = {errno}")
    return g.done(failed("router-route", "client", "connect", errno))


def no_way_back(rng: Random) -> Story:
    g = ground(rng, "no-way-back", (1, 3), switches=False)
    quick_syns(g)
    g.route("server", f"default {rng.choice(['unreachable', 'prohibit', 'blackhole', 'throw'])}")
    g.story.say(f"server: listen {g.port} = ok", f"client: connect server:{g.port} = ETIMEDOUT")
    return g.done(failed("no-way-back", "client", "connect", "ETIMEDOUT"))


def subnet(link: int) -> str:
    return f"10.0.{link}.0/24"


def neighbour_silent(rng: Random) -> Story:
    g = ground(rng, "neighbour-silent", (0, 2), switches=False)
    g.story.say(f"{g.cables[0]}: cut", f"client: connect server:{g.port} = EHOSTUNREACH")
    return g.done(failed("neighbour-silent", "client", "connect", "EHOSTUNREACH"))


def backlog_full(rng: Random) -> Story:
    g = ground(rng, "backlog-full")
    quick_syns(g, "client")
    backlog = rng.randint(0, 2)
    g.story.say(f"server: listen {g.port} backlog {backlog} = ok")
    for i in range(backlog + 1):
        g.story.say(f"client: connect server:{g.port} as c{i} = ok")
    g.story.say(f"client: connect server:{g.port} as late = ETIMEDOUT")
    return g.done(failed("backlog-full", "client", "connect", "ETIMEDOUT"))


def connect_given_up(rng: Random) -> Story:
    g = ground(rng, "connect-given-up", (1, 2))
    node = rng.choice([*g.between, "server"])
    g.rule(node, matching(g, "drop"))
    g.story.say(f"server: listen {g.port} = ok")
    if rng.random() < 0.3:
        g.story.say("client: set sndtimeo 300ms = ok", f"client: connect server:{g.port} = EINPROGRESS")
    else:
        g.story.say(f"client: connect server:{g.port} = timeout within 400ms")
    return g.done(failed("given-up", "client", "connect"))


def address_in_use(rng: Random) -> Story:
    g = ground(rng, "address-in-use")
    other = rng.choice(["server", "server.b"])
    g.story.say(f"server: listen {g.port} = ok")
    g.story.say(
        f"{other}: listen {g.port} as second = EADDRINUSE"
        if rng.random() < 0.5
        else f"{other}: bind {g.port} on second = EADDRINUSE"
    )
    call = "listen" if "listen" in g.story.script[-1] else "bind"
    return g.done(failed("address-in-use", other, call, "EADDRINUSE"))


def ports_exhausted(rng: Random) -> Story:
    g = ground(rng, "ports-exhausted")
    low = rng.randint(20000, 50000) // 2 * 2
    count = rng.choice([1, 2, 4])  # connect() leaves the last of an odd number out
    g.sysctl("client", ip_local_port_range=f"{low} {low + count - 1}")
    g.story.say(f"server: listen {g.port} = ok")
    for i in range(count):
        g.story.say(f"client: connect server:{g.port} as c{i} = ok")
    g.story.say(f"client: connect server:{g.port} as late = EADDRNOTAVAIL")
    return g.done(failed("ports-exhausted", "client", "connect", "EADDRNOTAVAIL"))


# --- closing ---------------------------------------------------------------------------------------------------------


def unread_data(rng: Random) -> Story:
    g = ground(rng, "unread-data")
    noise(g)
    connected(g)
    size = rng.randint(2, 5000)
    part = rng.randint(0, size - 1)
    g.story.say(f"client: send {size} = {size}", "server: poll IN = IN within 5s")
    if part:
        g.story.say(f"server: recv {part} waitall = {part}")
    g.story.say("lab: wait 20ms", "server: close = ok", "client: recv = ECONNRESET within 5s")
    return g.done(reset("unread-data", "server", to="client", felt="client"))


def killed_unread(rng: Random) -> Story:
    g = ground(rng, "killed-unread")
    connected(g)
    size = rng.randint(2, 5000)
    g.story.say(f"client: send {size} = {size}", "server: poll IN = IN within 5s", "lab: wait 20ms", "server: kill")
    g.story.say("client: recv = ECONNRESET within 5s")
    return g.done(reset("process-died", "server", to="client", felt="client"))


def killed_then_data(rng: Random) -> Story:
    g = ground(rng, "killed-then-data")
    connected(g)
    g.story.say(rng.choice(["server: kill", "server: kill SIGTERM"]), "client: recv = eof within 5s")
    g.story.say("client: send 5 = 5", "client: poll = ERR HUP within 5s", "client: send 5 = EPIPE")
    return g.done(reset("process-died", "server", to="client", felt="client"))


def linger_zero(rng: Random) -> Story:
    g = ground(rng, "linger-zero")
    who, other = rng.choice([("server", "client"), ("client", "server")])
    how = rng.choice(["after", "before"])
    if how == "after":
        connected(g)
        g.story.say(f"{who}: set linger 0 = ok")
    elif who == "server":
        g.story.say(f"server: listen {g.port} = ok", "server: set linger 0 on listener = ok")
        g.story.say(f"client: connect server:{g.port} = ok", "server: accept = ok")
    else:
        g.story.say(f"server: listen {g.port} = ok", "client: set linger 0 = ok")
        g.story.say(f"client: connect server:{g.port} = ok", "server: accept = ok")
    g.story.say(f"{who}: close = ok", f"{other}: recv = ECONNRESET within 5s")
    return g.done(reset("linger-zero", who, to=other, felt=other))


def closed_listener(rng: Random) -> Story:
    g = ground(rng, "closed-listener")
    g.story.say(f"server: listen {g.port} = ok", f"client: connect server:{g.port} = ok")
    accepted = rng.random() < 0.4
    if accepted:
        g.story.say("server: accept as first = ok", f"client.b: connect server:{g.port} = ok", "lab: wait 20ms")
    g.story.say("lab: wait 20ms", "server: close listener = ok")
    felt = "client.b" if accepted else "client"
    g.story.say(f"{felt}: recv = ECONNRESET within 5s")
    return g.done(reset("closed-listener", "server", to="client", felt=felt))


def killed_in_queue(rng: Random) -> Story:
    g = ground(rng, "killed-in-queue")
    g.story.say(f"server: listen {g.port} = ok", f"client: connect server:{g.port} = ok", "lab: wait 20ms")
    g.story.say(rng.choice(["server: kill", "server: kill SIGTERM"]), "client: recv = ECONNRESET within 5s")
    return g.done(reset("process-died", "server", to="client", felt="client"))


def closed_socket(rng: Random) -> Story:
    g = ground(rng, "closed-socket")
    noise(g)
    connected(g)
    g.story.say("server: close = ok", "client: recv = eof within 5s", "client: send 5 = 5")
    g.story.say("client: poll = ERR HUP within 5s", "client: send 5 = EPIPE")
    return g.done(reset("closed-socket", "server", to="client", felt="client"))


def own_shutdown(rng: Random) -> Story:
    g = ground(rng, "own-shutdown")
    connected(g)
    g.story.say(f"client: shutdown {rng.choice(['wr', 'rdwr'])} = ok", "client: send 5 = EPIPE")
    return g.done(failed("own-shutdown", "client", "send", "EPIPE"))


def port_reused(rng: Random) -> Story:
    """The same local port has two connections, one after the other: each has its own death."""
    g = ground(rng, "port-reused")
    local = rng.randint(1025, 19000)
    g.story.say(f"server: listen {g.port} = ok", f"client: bind {local} = ok", f"client: connect server:{g.port} = ok")
    g.story.say("server: accept = ok", "server: set linger 0 = ok", "server: close = ok")
    g.story.say("client: recv = ECONNRESET within 5s", "client: close = ok")
    g.story.truth.append(reset("linger-zero", "server", to="client", felt="client"))
    g.story.say(f"client: bind {local} = ok", f"client: connect server:{g.port} = ok", "server: accept = ok")
    g.story.say("client: send 9 = 9", "server: poll IN = IN within 5s", "server: close = ok")
    g.story.say("client: recv = ECONNRESET within 5s")
    return g.done(reset("unread-data", "server", to="client", felt="client"))


# --- losing the peer or the path --------------------------------------------------------------------------------------


def peer_reboot(rng: Random) -> Story:
    g = ground(rng, "peer-reboot")
    connected(g)
    g.story.say("server: crash", "server: boot")
    if rng.random() < 0.5:
        g.story.say(f"server: listen {g.port} = ok")
    g.story.say("client: send 5 = 5", "client: recv = ECONNRESET within 5s", "client: send 5 = EPIPE")
    return g.done(reset("peer-forgot", "server", to="client", felt="client"))


def client_reboot(rng: Random) -> Story:
    g = ground(rng, "client-reboot")
    connected(g)
    g.story.say("client: crash", "client: boot", "server: send 5 = 5", "server: recv = ECONNRESET within 5s")
    return g.done(reset("peer-forgot", "client", to="server", felt="server"))


def reject_midway(rng: Random) -> Story:
    g = ground(rng, "reject-midway", (1, 3))
    connected(g)
    node = rng.choice(g.between)
    g.story.say(f"{node}: reject tcp dport {g.port} with tcp-reset", "client: send 5 = 5")
    g.story.say("client: recv = ECONNRESET within 5s")
    truth = [reset("firewall-reject", node, "server", "client", "client")]
    if rng.random() < 0.5:  # the other side speaks: the client knows no such connection, and its RST meets the rule
        g.story.say("server: send 5 = 5", "lab: wait 100ms")
        truth.append(reset("peer-forgot", "client", to="server", felt="-"))
    return g.done(*truth)


def drop_midway(rng: Random) -> Story:
    g = ground(rng, "drop-midway", (1, 3))
    g.sysctl("client", tcp_retries2=1)
    connected(g)
    node = rng.choice([*g.between, "server"])
    g.story.say(f"{node}: drop tcp dport {g.port}", "client: send 5 = 5", "client: recv = ETIMEDOUT within 10s")
    if rng.random() < 0.3:
        g.story.say("client: send 5 = EPIPE")
        g.story.truth.append(failed("echo", "client", "send", "EPIPE"))
    cause = "host-firewall-drop" if node == "server" else "silent-drop"
    return g.done(failed(cause, "client", "recv", "ETIMEDOUT"))


def cut_midway(rng: Random) -> Story:
    g = ground(rng, "cut-midway", (1, 3), switches=False)
    g.sysctl("client", tcp_retries2=1)
    connected(g)
    cable = rng.choice(g.cables[1:])
    near, far = cable.split(" -- ")
    how = rng.choice(["", f" to {far}", f" to {near}"])
    g.story.say(f"{cable}: cut{how}", "client: send 5 = 5", "client: recv = ETIMEDOUT within 10s")
    cause = "answer-lost" if how == f" to {near}" else "silent-drop"
    truth = [failed(cause, "client", "recv", "ETIMEDOUT")]
    if rng.random() < 0.5:
        g.story.say(f"{cable}: heal", "server: send 5 = 5", "server: poll = ERR HUP within 5s")
        truth.append(reset("peer-forgot", "client", to="server", felt="server"))
    return g.done(*truth)


def repaired_then_unread(rng: Random) -> Story:
    """A loss that was repaired long before is not what killed the connection."""
    g = ground(rng, "repaired", (1, 2), switches=False)
    connected(g)
    cable = g.cables[-1]
    g.story.say(f"{cable}: cut", "client: send 5 = 5", "lab: wait 150ms", f"{cable}: heal")
    g.story.say("server: recv 5 waitall = 5 within 9s", "client: send 9 = 9", "server: poll IN = IN within 5s")
    g.story.say("server: close = ok", "client: recv = ECONNRESET within 5s")
    return g.done(reset("unread-data", "server", to="client", felt="client"))


def keepalive(rng: Random) -> Story:
    g = ground(rng, "keepalive", (1, 2), switches=False)
    g.sysctl("client", tcp_keepalive_time=1, tcp_keepalive_intvl=1, tcp_keepalive_probes=2)
    connected(g)
    cable = g.cables[-1]
    far = cable.split(" -- ")[1]
    near = cable.split(" -- ")[0]
    one_way = rng.random() < 0.5
    g.story.say("client: set keepalive on = ok", f"{cable}: cut to {near}" if one_way else f"{cable}: cut")
    g.story.say("client: recv = ETIMEDOUT within 9s")
    if one_way:
        g.story.say("server: recv = ECONNRESET within 5s")
    del far
    felt = "server" if one_way else "-"
    return g.done(
        failed("keepalive-expired", "client", "recv", "ETIMEDOUT"),
        reset("keepalive-expired", "client", to="server", felt=felt),
    )


def user_timeout(rng: Random) -> Story:
    g = ground(rng, "user-timeout", (1, 2), switches=False)
    connected(g)
    g.story.say("client: set user_timeout 800ms = ok", f"{g.cables[-1]}: cut", "client: send 5 = 5")
    g.story.say("client: recv = ETIMEDOUT within 9s")
    return g.done(failed("user-timeout", "client", "recv", "ETIMEDOUT"))


def zero_window(rng: Random) -> Story:
    g = ground(rng, "zero-window")
    connected(g, read=False)
    g.story.say("client: send 100000000 = timeout within 2s")
    return g.done(failed("zero-window", "client", "send", "timeout"))


def idle_given_up(rng: Random) -> Story:
    g = ground(rng, "idle-given-up")
    connected(g)
    if rng.random() < 0.5:
        g.story.say("client: recv = timeout within 200ms")
        return g.done(failed("given-up", "client", "recv", "timeout"))
    g.story.say("client: set rcvtimeo 200ms = ok", "client: recv = EAGAIN")
    return g.done(failed("given-up", "client", "recv", "EAGAIN"))


def half_open_expired(rng: Random) -> Story:
    """The client believes that the connection stands, the server never had its last ACK."""
    g = ground(rng, "half-open-expired", (0, 2), switches=False)
    g.sysctl("server", tcp_synack_retries=1)
    cable = g.cables[-1]
    near, far = cable.split(" -- ")
    g.story.say(f"server: listen {g.port} = ok", "client: connect server:9 = ECONNREFUSED", f"{cable}: cut to {near}")
    g.story.say(
        f"client: start connect server:{g.port} as half", "lab: wait 300ms", f"{cable}: heal", f"{cable}: cut to {far}"
    )
    g.story.say("client: finish = ok within 9s", "lab: wait 5s", f"{cable}: heal", "client: send 5 on half = 5")
    g.story.say("client: recv on half = ECONNRESET within 9s")
    g.story.truth.append(reset("closed-port", "server", to="client", felt="client"))
    return g.done(reset("half-open-expired", "server", to="client", felt="client"))


def rst_lost(rng: Random) -> Story:
    """The abort's RST is lost on its way; what the other side learns, it learns later."""
    g = ground(rng, "rst-lost", (0, 2), switches=False)
    connected(g)
    cable = g.cables[0]
    near = cable.split(" -- ")[0]
    g.story.say("server: set linger 0 = ok", f"{cable}: cut to {near}", "server: close = ok", f"{cable}: heal")
    g.story.say("client: send 5 = 5", "client: recv = ECONNRESET within 5s")
    return g.done(
        reset("linger-zero", "server", to="client", felt="-"),
        reset("closed-socket", "server", to="client", felt="client"),
    )


def loopback(rng: Random) -> Story:
    g = ground(rng, "loopback", (0, 1))
    kind = rng.choice(["closed", "unread", "reject"])
    if kind == "closed":
        g.story.say(f"server: connect server:{g.port} = ECONNREFUSED")
        return g.done(reset("closed-port", "server", to="server", felt="server"))
    if kind == "reject":
        g.rule("server", f"reject tcp dport {g.port} with tcp-reset")
        g.story.say(f"server: listen {g.port} = ok", f"server.b: connect server:{g.port} = ECONNREFUSED")
        return g.done(reset("firewall-reject", "server", to="server", felt="server.b"))
    g.story.say(f"server: listen {g.port} = ok", f"server.b: connect server:{g.port} = ok", "server: accept = ok")
    g.story.say("server.b: send 5 = 5", "server: poll IN = IN within 5s", "server: close = ok")
    g.story.say("server.b: recv = ECONNRESET within 5s")
    return g.done(reset("unread-data", "server", to="server", felt="server.b"))


SCRIPTED: tuple[Family, ...] = (
    closed_port, closed_port_router, service_stopped, after_reboot, reject_forward, reject_input, reject_output,
    reject_icmp, drop_forward, drop_host, answer_lost, cut_connect, no_power, own_route, router_route, no_way_back,
    neighbour_silent, backlog_full, connect_given_up, address_in_use, ports_exhausted, unread_data, killed_unread,
    killed_then_data, linger_zero, closed_listener, killed_in_queue, closed_socket, own_shutdown, port_reused,
    peer_reboot, client_reboot, reject_midway, drop_midway, cut_midway, repaired_then_unread, keepalive, user_timeout,
    zero_window, idle_given_up, half_open_expired, rst_lost, loopback,
)  # fmt: skip
