"""Stories that strangers found, whose explanation had been wrong: settings, orders and states nobody thinks of."""

from __future__ import annotations

from random import Random

from tests.stories.families import Family, connected, ground, matching, quick_syns
from tests.stories.programs import connect, listen
from tests.stories.story import UP, Story, failed, reset

_LINGER = "s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))"


def shut_then_reset(rng: Random) -> Story:
    """After its own shutdown(SHUT_WR) a write gives EPIPE, but the reset's ECONNRESET first."""
    g = ground(rng, "shut-then-reset")
    connected(g)
    g.story.say("client: shutdown wr = ok", "server: recv = eof within 5s", "server: set linger 0 = ok")
    g.story.say("server: close = ok", "client: poll")
    g.story.say("client: send 5 = ECONNRESET", "client: send 5 = EPIPE")
    return g.done(
        reset("linger-zero", "server", to="client", felt="client"), failed("own-shutdown echo", "client", "send")
    )


def first_fin_lost(rng: Random) -> Story:
    """A port is still held by a connection whose FIN never got there."""
    g = ground(rng, "first-fin-lost")
    connected(g)
    cable = rng.choice(g.cables)
    g.story.say(f"{cable}: cut", "server: close = ok", "server: close listener = ok")
    g.story.say(f"server: listen {g.port} as again = EADDRINUSE")
    return g.done(failed("address-in-use", "server", "listen", "EADDRINUSE"))


def reserved_ports(rng: Random) -> Story:
    """Fewer ports than ip_local_port_range says: some are reserved."""
    g = ground(rng, "reserved-ports")
    low = rng.randint(10000, 25000) * 2
    g.sysctl("client", ip_local_port_range=f"{low} {low + 5}", ip_local_reserved_ports=f"{low}-{low + 3}")
    g.story.say(f"server: listen {g.port} = ok")
    for name in ("a", "b"):
        g.story.say(f"client: connect server:{g.port} as {name} = ok")
    g.story.say(f"client: connect server:{g.port} as c = EADDRNOTAVAIL")
    return g.done(failed("ports-exhausted", "client", "connect", "EADDRNOTAVAIL"))


def before_the_filter(rng: Random) -> Story:
    """Reverse path filtering drops what a rule behind it would have dropped, too."""
    g = ground(rng, "before-the-filter", (0, 0), switches=False)
    quick_syns(g)
    story = g.story
    story.nodes = {"client": "", "r1": "kind: router", "r2": "kind: router", "server": ""}
    story.links = ["client -- r1", "client -- r2", "r1 -- server", "r2 -- server"]
    g.route("client", "10.0.2.0/24 via 10.0.0.2")
    g.route("server", "10.0.0.0/24 via 10.0.3.1")
    g.sysctl("server", **{"conf.all.rp_filter": 1})
    if rng.random() < 0.7:
        g.rule("server", f"{rng.choice(['drop', 'reject'])} tcp dport {g.port}")
    story.say(f"server: listen {g.port} = ok", f"client: connect server:{g.port} = ETIMEDOUT")
    return g.done(failed("unknown", "client", "connect", "ETIMEDOUT"))


def dies_before_the_rule(rng: Random) -> Story:
    """The TTL ends before the rule that would have dropped it: EHOSTUNREACH, which no DROP can give."""
    g = ground(rng, "dies-before-the-rule", (2, 3), switches=False)
    quick_syns(g)
    g.sysctl("client", ip_default_ttl=1)
    g.rule(rng.choice([g.between[-1], "server"]), matching(g, "drop"))
    g.story.say(f"client: connect server:{g.port} = EHOSTUNREACH")
    return g.done(failed("unknown", "client", "connect", "EHOSTUNREACH"))


def probes_would_end_it(rng: Random) -> Story:
    """recv() is given up; keepalive would have ended it, or the peer has no power, or a cable is cut."""
    g = ground(rng, "probes-would-end-it")
    connected(g)
    if rng.random() < 0.5:
        g.story.say("client: set keepalive on = ok")
    g.story.say(rng.choice(["server: crash", f"{rng.choice(g.cables)}: cut", "lab: wait 10ms"]))
    g.story.say("client: recv = timeout within 300ms")
    return g.done(failed("given-up", "client", "recv", "timeout"))


def no_room_to_write(rng: Random) -> Story:
    """poll() waits for room that a window of 0 does not give."""
    g = ground(rng, "no-room-to-write")
    connected(g, read=False)
    g.story.say("client: set sndbuf 4608 = ok", "client: send 8000000 = timeout within 1s")
    g.story.say("client: poll OUT = timeout within 300ms")
    return g.done(failed("zero-window", "client", "send", "timeout"), failed("zero-window", "client", "poll"))


def limit_at_zero_window(rng: Random) -> Story:
    """Every probe is answered with a window of 0, and TCP_USER_TIMEOUT ends it all the same."""
    g = ground(rng, "limit-at-zero-window")
    connected(g, read=False)
    g.story.say("client: set sndbuf 4608 = ok", "client: set user_timeout 1s = ok")
    g.story.say("client: send 8000000", "client: send 10 = ETIMEDOUT")
    return g.done(failed("user-timeout", "client", "send", "ETIMEDOUT"))


def shut_both_ways(rng: Random) -> Story:
    """After shutdown() of both directions data draws a reset, and the kernel resets its own end as if one had come."""
    g = ground(rng, "shut-both-ways")
    connected(g)
    g.story.say("server: shutdown rdwr = ok", "client: recv = eof within 5s", "client: send 5 = 5")
    g.story.say("client: poll", "client: send 5 = EPIPE")
    return g.done(reset("closed-socket", "server", to="client", felt="client"))


def one_after_the_other(rng: Random) -> Story:
    """The first SYN found a full queue, the next ones a rule: neither is the one cause."""
    g = ground(rng, "one-after-the-other")
    quick_syns(g)
    g.story.say(f"server: listen {g.port} backlog 0 = ok", f"client: connect server:{g.port} as a = ok")
    g.story.say(f"client: start connect server:{g.port} as b", "lab: wait 500ms")
    g.story.say(f"server: drop tcp dport {g.port}", "client: finish = ETIMEDOUT")
    return g.done(failed("unknown", "client", "connect", "ETIMEDOUT"))


def told_and_then_silent(rng: Random) -> Story:
    """An ICMP error names the errno of a connection that stands; that nothing gets through any more ends it."""
    g = ground(rng, "told-and-then-silent", (1, 2), switches=False)
    g.sysctl("client", tcp_retries2=2)
    connected(g)
    router = rng.choice(g.between)
    g.story.say(f"{router}: reject tcp dport {g.port} with icmp-host-unreachable", "client: send 5 = 5")
    g.story.say("lab: wait 350ms", f"{router}: crash", "client: recv = EHOSTUNREACH within 10s")
    return g.done(failed("unknown", "client", "recv", "EHOSTUNREACH"))


def unheard(rng: Random) -> Story:
    """recv() waits; the other end has spoken, or is gone, and nothing of it was taken in here."""
    g = ground(rng, "unheard")
    connected(g)
    kind = rng.choice(["data", "fin", "reset", "lost reset", "kept back", "refused itself"])
    wait = "client: recv = timeout within 600ms"
    given_up = failed("given-up", "client", "recv", "timeout")
    if kind in {"data", "fin", "reset"}:
        g.story.say(f"client: drop input tcp sport {g.port}")
    if kind == "lost reset":
        g.story.say(f"{g.cables[-1]}: cut")
    if "reset" in kind:
        g.story.say("server: set linger 0 = ok", "server: close = ok", wait)
        return g.done(reset("linger-zero", "server", to="client", felt="-"), given_up)
    if kind in {"data", "fin"}:
        g.story.say("server: send 5 = 5" if kind == "data" else "server: close = ok", wait)
        return g.done(given_up)
    action = "drop" if kind == "kept back" else "reject"
    g.story.say(f"server: {action} output tcp sport {g.port}{' with tcp-reset' * (action == 'reject')}")
    g.story.say("server: send 5 = 5", wait)
    if action == "drop":
        return g.done(given_up)
    g.story.say("server: recv = ECONNRESET")
    return g.done(reset("firewall-reject", "server", "client", "server", "server"), given_up)


def late_server(rng: Random) -> Story:
    """The first SYN is lost before anybody listens, or before the machine boots; it is sent again, and taken."""
    g = ground(rng, "late-server", (0, 2), switches=False)
    cable = rng.choice(g.cables)
    g.story.say(f"{cable}: cut", f"client: start connect server:{g.port}", "lab: wait 200ms")
    if rng.random() < 0.5:
        g.story.say("server: crash", "server: boot")
    g.story.say(
        f"server: listen {g.port} = ok", f"{cable}: heal", "client: finish = ok within 9s", "server: accept = ok"
    )
    how = rng.choice(["unread", "linger", "closed", "killed", "stands"])
    if how == "unread":
        g.story.say("client: send 7 = 7", "server: poll IN = IN", "server: close = ok", "client: recv = ECONNRESET")
        return g.done(reset("unread-data", "server", to="client", felt="client"))
    if how == "linger":
        g.story.say("server: set linger 0 = ok", "server: close = ok", "client: recv = ECONNRESET")
        return g.done(reset("linger-zero", "server", to="client", felt="client"))
    if how == "stands":
        g.story.say("client: recv = timeout within 300ms")
        return g.done(failed("given-up", "client", "recv", "timeout"))
    g.story.say("server: close = ok" if how == "closed" else "server: kill", "client: recv = eof within 5s")
    g.story.say("client: send 5 = 5", "client: poll")
    return g.done(
        reset("closed-socket" if how == "closed" else "process-died", "server", to="client", felt="client")
    )  # fmt: skip


def option_too_late(rng: Random) -> Story:
    """What is set on a listener after the handshake, the accepted socket has not."""
    g = ground(rng, "option-too-late")
    g.story.say(f"server: listen {g.port} = ok", f"client: connect server:{g.port} = ok", "lab: wait 50ms")
    if rng.random() < 0.5:
        g.story.say("server: set linger 0 on listener = ok", "server: accept = ok", "server: close = ok")
        g.story.say("client: recv = eof within 5s")
        return g.done()
    g.story.say("server: set user_timeout 300ms on listener = ok", "server: accept = ok", f"{g.cables[-1]}: cut")
    g.story.say("server: send 5 = 5", "server: recv = timeout within 1500ms")
    return g.done(failed("given-up", "server", "recv", "timeout"))


def odd_ports(rng: Random) -> Story:
    """An odd number of ports, and the kernel may find one of them or not."""
    g = ground(rng, "odd-ports")
    low = rng.randint(10000, 25000) * 2
    g.sysctl("client", ip_local_port_range=f"{low + 1} {low + 1 + rng.choice([0, 2, 4])}")
    g.story.say(f"server: listen {g.port} = ok")
    for i in range(7):
        g.story.say(f"client: connect server:{g.port} as c{i}")
    return g.done(also="ports-exhausted")


# --- by real programs ------------------------------------------------------------------------------------------------


def urgent(rng: Random) -> Story:
    """The urgent byte is in nobody's count; what is left unread may be it, or nothing."""
    g = ground(rng, "urgent")
    unread = rng.random() < 0.5
    reads = "s.recv(5)" if unread else "s.recv(5); time.sleep(0.3); s.recv(9)"
    body = f"s, _ = l.accept()\n{reads}\ntime.sleep(0.5)\n{_LINGER}\ns.close(); time.sleep(1)"
    g.story.start("server", listen(g, body))
    more = "" if unread else "time.sleep(0.1); c.send(b'wxyz'); "
    program = (
        f"c.send(b'hello'); c.send(b'!', socket.MSG_OOB); {more}time.sleep(2)\ntry: c.recv(9)\nexcept OSError: pass"
    )
    g.story.run("client", connect(g, program))
    g.story.say("server: finish")
    return g.done(
        reset("unread-data" if unread else "linger-zero", "server", to="client", felt="client"), real=True
    )  # fmt: skip


def defers(rng: Random) -> Story:
    """With TCP_DEFER_ACCEPT a handshake that seems finished waits for data, and not in the accept queue."""
    g = ground(rng, "defers")
    quick_syns(g)
    g.sysctl("server", tcp_syncookies=0)
    options = "l.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, 20); l.listen(1)"
    program = f"import socket, time\nl = socket.socket(); l.bind(('', {g.port})); {options}\n{UP}time.sleep(60)"
    g.story.start("server", program)
    for name in ("a", "b"):
        g.story.say(f"client: connect server:{g.port} as {name} = ok")
    g.story.say(f"client: connect server:{g.port} as z = ETIMEDOUT", "server: kill", "server: finish")
    return g.done(failed("unknown", "client", "connect", "ETIMEDOUT"), real=True)


def listens_again(rng: Random) -> Story:
    """A listener is shut down, listens again, and is killed; or its exec does not close it."""
    g = ground(rng, "listens-again")
    body = (
        "l.shutdown(socket.SHUT_RD); time.sleep(0.2); l.listen(1); a = l.accept(); time.sleep(60)"
        if rng.random() < 0.5
        else "a = l.accept(); l.set_inheritable(True); os.execv('/bin/sleep', ['sleep', '60'])"
    )
    g.story.start("server", listen(g, body))
    g.story.say("lab: wait 500ms", f"client: connect server:{g.port} = ok", "lab: wait 1s", "server: kill")
    g.story.say("server: finish", f"client: connect server:{g.port} as late = ECONNREFUSED")
    return g.done(
        reset("service-stopped", "server", to="client", felt="client"), also="process-died", real=True
    )  # fmt: skip


FOUND: tuple[Family, ...] = (
    shut_then_reset, first_fin_lost, reserved_ports, before_the_filter, dies_before_the_rule, probes_would_end_it,
    no_room_to_write, limit_at_zero_window, unheard, late_server, option_too_late, odd_ports, shut_both_ways,
    one_after_the_other, told_and_then_silent, urgent, defers, listens_again,
)  # fmt: skip
