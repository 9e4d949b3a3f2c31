"""Stories that look like others: each was once told wrongly, or with a false sentence in it."""

from __future__ import annotations

from random import Random

from tests.stories.families import Family, connected, ground, matching, quick_syns
from tests.stories.programs import connect, listen
from tests.stories.story import Story, failed, reset

_RECV = """
try:
    while c.recv(100): pass
except OSError as e:
    sys.exit(e.errno)
"""


def queue_of_another(rng: Random) -> Story:
    """Another machine's listener of the same port has a full queue; here it is the answers that are lost."""
    g = ground(rng, "queue-of-another", (1, 1), switches=False)
    quick_syns(g)
    router = g.between[0]
    g.story.nodes["other"] = ""
    g.story.links.append(f"{router} -- other")
    g.story.say(f"server: listen {g.port} backlog 1 = ok", f"other: listen {g.port} backlog 1 = ok")
    for i in range(2):
        g.story.say(f"client: connect other:{g.port} as c{i} = ok")
    if rng.random() < 0.5:
        g.story.say(
            f"{router}: drop tcp from server sport {g.port}", f"client: connect server:{g.port} as c = ETIMEDOUT"
        )
        return g.done(failed("answer-lost", "client", "connect", "ETIMEDOUT"))
    g.story.say(f"client: connect server:{g.port} as d0 = ok", f"client: connect server:{g.port} as d1 = ok")
    g.story.say(f"client: connect server:{g.port} as c = ETIMEDOUT")
    return g.done(failed("backlog-full", "client", "connect", "ETIMEDOUT"))


def keepalive_answered(rng: Random) -> Story:
    """Probes were answered for a while; only the last ones were not."""
    g = ground(rng, "keepalive-answered", (1, 2), switches=False)
    g.sysctl("client", tcp_keepalive_time=1, tcp_keepalive_intvl=1, tcp_keepalive_probes=rng.randint(1, 2))
    connected(g)
    cable = g.cables[-1]
    one_way = rng.random() < 0.5
    g.story.say("client: set keepalive on = ok", "client: poll IN = timeout within 2500ms")
    g.story.say(f"{cable}: cut to {cable.split(' -- ')[0]}" if one_way else f"{cable}: cut")
    g.story.say("client: recv = ETIMEDOUT within 9s")
    return g.done(
        failed("given-up", "client", "poll", "timeout"),
        failed("keepalive-expired", "client", "recv", "ETIMEDOUT"),
        reset("keepalive-expired", "client", to="server"),
    )


def left_behind(rng: Random) -> Story:
    """A port that a closed connection still has: in FIN_WAIT2, or in TIME_WAIT."""
    g = ground(rng, "left-behind")
    connected(g)
    g.story.say("server: close = ok", "client: recv = eof within 5s")
    if rng.random() < 0.5:
        g.story.say("client: close = ok", "lab: wait 50ms")
    g.story.say("server: close listener = ok", f"server: listen {g.port} as second = EADDRINUSE")
    return g.done(failed("address-in-use", "server", "listen", "EADDRINUSE"))


def one_socket_again(rng: Random) -> Story:
    """One socket tries again and again: each refusal is felt by its own attempt."""
    g = ground(rng, "one-socket-again")
    count = rng.randint(2, 3)
    for _ in range(count):
        g.story.say(f"client: connect server:{g.port} = ECONNREFUSED")
        g.story.truth.append(reset("closed-port", "server", to="client", felt="client"))
    if rng.random() < 0.5:
        g.story.say(f"client: reject output tcp dport {g.port} with tcp-reset")
        g.story.say(f"client: connect server:{g.port} = ECONNREFUSED")
        g.story.truth.append(reset("firewall-reject", "client", "server", "client", "client"))
    return g.done()


def forwarding_switched_off(rng: Random) -> Story:
    """The router forwards no more while the reset is on its way: nobody feels it; the next one is felt."""
    g = ground(rng, "forwarding-off", (1, 2), switches=False)
    connected(g)
    router = rng.choice(g.between)
    g.story.say("server: set linger 0 = ok", f"{router}: sysctl net.ipv4.ip_forward=0", "server: close = ok")
    g.story.say(f"{router}: sysctl net.ipv4.ip_forward=1", "client: send 5 = 5", "client: recv = ECONNRESET within 5s")
    return g.done(
        reset("linger-zero", "server", to="client", felt="-"),
        reset("closed-socket", "server", to="client", felt="client"),
    )


def syn_ack_rejected(rng: Random) -> Story:
    """A filter answers the SYN ACK with a reset in the client's name; the client itself hears nothing."""
    g = ground(rng, "syn-ack-rejected", (1, 2), switches=False)
    quick_syns(g)
    node = rng.choice([*g.between, "client"])
    g.rule(node, f"{'input ' * (node == 'client')}reject tcp sport {g.port} with tcp-reset")
    g.story.say(f"server: listen {g.port} = ok", f"client: connect server:{g.port} = ETIMEDOUT")
    return g.done(
        reset("firewall-reject", node, "client", "server", "-"),
        failed("firewall-reject answer-lost host-firewall-drop", "client", "connect", "ETIMEDOUT"),
        also="firewall-reject",
    )


def gone_after_reboot(rng: Random) -> Story:
    """The peer rebooted; this side's program is gone too, and its FIN draws the reset."""
    g = ground(rng, "gone-after-reboot")
    connected(g)
    g.story.say("server: crash", "server: boot", rng.choice(["client: close = ok", "client: kill"]), "lab: wait 100ms")
    return g.done(reset("peer-forgot", "server", to="client", felt="-"))


def eaten_resets(rng: Random) -> Story:
    """The router resets the server, and eats the resets that the server answers the client with."""
    g = ground(rng, "eaten-resets", (1, 1))
    connected(g)
    g.story.say(f"{g.between[0]}: reject tcp sport {g.port} with tcp-reset", "server: send 5 = 5")
    g.story.say("server: recv = ECONNRESET within 3s", "client: send 5 = 5", "client: recv = timeout within 600ms")
    return g.done(
        reset("firewall-reject", g.between[0], "client", "server", "server"),
        reset("peer-forgot", "server", to="client", felt="-"),
        failed("given-up", "client", "recv", "timeout"),
        also="peer-forgot",
    )


def retries_before_user_timeout(rng: Random) -> Story:
    """TCP_USER_TIMEOUT was set, and tcp_syn_retries ended the connect() long before."""
    g = ground(rng, "retries-before-user-timeout", (1, 2))
    quick_syns(g)
    g.rule(g.between[0], matching(g, "drop"))
    g.story.say("client: set user_timeout 60s = ok", f"client: connect server:{g.port} = ETIMEDOUT")
    return g.done(failed("silent-drop", "client", "connect", "ETIMEDOUT"))


def overflow_abort(rng: Random) -> Story:
    """The last ACK of a handshake meets a full accept queue, and tcp_abort_on_overflow is 1."""
    g = ground(rng, "overflow-abort", (1, 1), switches=False)
    router = g.between[0]
    story = g.story
    story.nodes |= {"sw": "kind: switch", "other": ""}
    story.links = [f"client -- {router}", f"{router} -- sw", "sw -- server", "sw -- other"]
    g.sysctl("server", tcp_abort_on_overflow=1)
    cable = f"{router} -- sw"
    story.say(f"server: listen {g.port} backlog 0 = ok", "client: connect server:9 = ECONNREFUSED")
    story.say(f"{cable}: cut to {router}", f"client: start connect server:{g.port} as half", "lab: wait 300ms")
    story.say(f"{cable}: heal", f"{cable}: cut to sw", "client: finish = ok within 9s")
    story.say(f"other: connect server:{g.port} = ok", "lab: wait 50ms", f"{cable}: heal")
    story.say("client: send 5 on half = 5", "client: recv on half = ECONNRESET within 9s")
    story.truth.append(reset("closed-port", "server", to="client", felt="client"))
    return g.done(reset("abort-on-overflow", "server", to="client", felt="client"))


# --- by real programs ---------------------------------------


def looked_at(rng: Random) -> Story:
    """MSG_PEEK takes nothing out of the socket."""
    g = ground(rng, "looked-at")
    peek = rng.choice(
        ["s.recv(50, socket.MSG_PEEK)", "s.recvmsg(50, 0, socket.MSG_PEEK)", "s.recv(4, socket.MSG_PEEK)"]
    )
    read = rng.choice(["", "s.recv(2)"])
    body = f"s, _ = l.accept()\ntime.sleep(0.3)\n{peek}\n{read}\ns.close()\ntime.sleep(1)"
    g.story.start("server", listen(g, body))
    g.story.run("client", connect(g, "c.send(b'0123456789')\n" + _RECV))
    g.story.say("server: finish")
    return g.done(reset("unread-data", "server", to="client", felt="client"), real=True)


def spliced(rng: Random) -> Story:
    """splice() reads too; what is left unread is less than the calls that were traced tell."""
    g = ground(rng, "spliced")
    linger = rng.random() < 0.5
    how = "s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))" if linger else ""
    body = f"s, _ = l.accept()\ntime.sleep(0.3)\nr, w = os.pipe()\nos.splice(s.fileno(), w, {50 if linger else 5})\n"
    g.story.start("server", listen(g, f"{body}{how}\ns.close()\ntime.sleep(1)"))
    g.story.run("client", connect(g, "c.send(b'0123456789')\n" + _RECV))
    g.story.say("server: finish")
    return g.done(reset("linger-zero" if linger else "unread-data", "server", to="client", felt="client"), real=True)


def handed_over(rng: Random) -> Story:
    """The parent passes the socket to its child over a UNIX socket, and closes it; the child has it still."""
    g = ground(rng, "handed-over")
    body = """
a, b = socket.socketpair()
if os.fork() == 0:
    a.close(); l.close()
    _, fds, _, _ = socket.recv_fds(b, 9, 1)
    s = socket.socket(fileno=fds[0]); time.sleep(0.8); s.recv(100); s.close(); os._exit(0)
s, _ = l.accept(); socket.send_fds(a, [b'x'], [s.fileno()]); s.close(); l.close(); os.wait(); time.sleep(0.5)
"""
    g.story.start("server", listen(g, body))
    program = "time.sleep(0.3); c.send(b'hello'); c.recv(9); c.send(b'x'); time.sleep(0.2)\nc.send(b'x')\n"
    g.story.run("client", connect(g, program))
    g.story.say("server: finish")
    return g.done(reset("closed-socket", "server", to="client", felt="client"), real=True)


def does_not_block(rng: Random) -> Story:
    """EAGAIN of a socket that does not block, though SO_RCVTIMEO is set: no limit has ended anything."""
    g = ground(rng, "does-not-block")
    g.story.say(f"server: listen {g.port} = ok")
    program = """
c.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack('ll', 5, 0))
try: c.recv(5, socket.MSG_DONTWAIT)
except OSError: pass
c.setblocking(False)
try: c.recv(5)
except OSError: pass
"""
    g.story.run("client", connect(g, program))
    return g.done(real=True)


def slow_reader(rng: Random) -> Story:
    """It reads, a byte at a time: the window stays 0."""
    g = ground(rng, "slow-reader")
    body = "s, _ = l.accept()\nwhile True:\n    s.recv(1); time.sleep(0.01)"
    g.story.start("server", listen(g, body))
    g.story.say(
        f"client: connect server:{g.port} = ok", "client: send 100000000 = timeout within 1500ms", "server: kill"
    )
    g.story.say("server: finish")
    return g.done(
        failed("zero-window", "client", "send", "timeout"), reset("process-died", "server", to="client"), real=True
    )


def disconnected(rng: Random) -> Story:
    """connect() to AF_UNSPEC resets a connection, whatever was read of it; the close() comes right behind."""
    g = ground(rng, "disconnected")
    body = (
        "s, _ = l.accept()\ntime.sleep(0.3)\nimport ctypes\nctypes.CDLL(None).connect(s.fileno(), bytes(16), 16)\n"
        "s.close()\ntime.sleep(0.5)"
    )
    g.story.start("server", listen(g, body))
    g.story.run("client", connect(g, "c.send(b'0123456789')\n" + _RECV))
    g.story.say("server: finish")
    return g.done(reset("unknown", "server", to="client", felt="client"), real=True)


TRICKY: tuple[Family, ...] = (
    queue_of_another, keepalive_answered, left_behind, one_socket_again, forwarding_switched_off, syn_ack_rejected,
    gone_after_reboot, eaten_resets, retries_before_user_timeout, overflow_abort, looked_at, spliced, handed_over,
    does_not_block, slow_reader, disconnected,
)  # fmt: skip
