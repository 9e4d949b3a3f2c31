"""The same deaths by real programs: Python, curl and nc, whose calls only strace sees."""

from __future__ import annotations

from random import Random

from tests.stories.families import Family, connected, decoys, ground, matching, quick_syns
from tests.stories.story import UP, Ground, Story, failed, reset

_LISTEN = """
import os, socket, struct, sys, time, signal
l = socket.socket(); l.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
l.bind(('{address}', {port})); l.listen(8)
"""
_CONNECT = """
import os, socket, struct, sys, time
c = socket.create_connection(('server', {port}))
"""


def listen(g: Ground, then: str, address: str = "") -> str:
    return _LISTEN.format(port=g.port, address=address) + UP + then


def connect(g: Ground, then: str = "") -> str:
    return _CONNECT.format(port=g.port) + then


_RECV_ERROR = """
try:
    print(c.recv(100))
except OSError as e:
    sys.exit(e.errno)
"""


def client(g: Ground, rng: Random) -> str:
    """A program that connects and fails, in one of many ways; gives who it is."""
    how = rng.choice(["curl", "python", "asyncio", "nc", "nonblocking"])
    if how == "curl":
        g.story.say(f"client: run curl -sS --no-progress-meter http://server:{g.port}/")
    elif how == "nc":
        g.story.say(f"client: run nc -w 2 server {g.port}")
    elif how == "python":
        g.story.run("client", connect(g))
    elif how == "asyncio":
        g.story.run("client", f"import asyncio\nasyncio.run(asyncio.open_connection('server', {g.port}))")
    else:
        g.story.run(
            "client",
            f"""
import socket, select
c = socket.socket(); c.setblocking(False)
print(c.connect_ex(('server', {g.port})))
p = select.poll(); p.register(c, select.POLLOUT); print(p.poll(3000))
print(c.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))
""",
        )
    return "client"


def real_closed_port(rng: Random) -> Story:
    g = ground(rng, "real-closed-port")
    client(g, rng)
    return g.done(reset("closed-port", "server", to="client", felt="client"), real=True)


def real_reject(rng: Random) -> Story:
    g = ground(rng, "real-reject", (1, 3))
    node = rng.choice([*g.between, "server"])
    decoys(g, node)
    g.rule(node, matching(g, "reject", "tcp-reset"))
    client(g, rng)
    return g.done(reset("firewall-reject", node, "server", "client", "client"), real=True)


def real_other_address(rng: Random) -> Story:
    """It listens, but on loopback only."""
    g = ground(rng, "real-other-address")
    g.story.start("server", listen(g, "time.sleep(9)", "127.0.0.1"))
    client(g, rng)
    return g.done(reset("closed-port", "server", to="client", felt="client"), real=True)


def real_service_stopped(rng: Random) -> Story:
    g = ground(rng, "real-service-stopped")
    g.story.start("server", listen(g, "time.sleep(9)"))
    g.story.say(rng.choice(["server: kill", "server: kill SIGTERM"]), "server: finish")
    client(g, rng)
    return g.done(reset("service-stopped", "server", to="client", felt="client"), real=True)


def real_killed(rng: Random) -> Story:
    """The server is killed, and had data unread, or an unaccepted connection, or nothing at all."""
    g = ground(rng, "real-killed")
    kind = rng.choice(["unread", "queue", "clean"])
    then = {"unread": "s, _ = l.accept()\ntime.sleep(9)", "queue": "time.sleep(9)",
            "clean": "s, _ = l.accept()\ns.recv(100)\ntime.sleep(9)"}[kind]  # fmt: skip
    g.story.start("server", listen(g, then))
    g.story.say(f"client: connect server:{g.port} = ok")
    if kind != "queue":
        g.story.say("client: send 5 = 5", "lab: wait 200ms")
    g.story.say(rng.choice(["server: kill", "server: kill SIGTERM"]), "server: finish")
    if kind == "clean":
        g.story.say("client: recv = eof within 5s", "client: send 5 = 5", "client: poll = ERR HUP within 5s")
    else:
        g.story.say("client: recv = ECONNRESET within 5s")
    return g.done(reset("process-died", "server", to="client", felt="client"), real=True)


def real_exit_without_close(rng: Random) -> Story:
    """The server's program ends by itself: by exit, by an exception, by abort."""
    g = ground(rng, "real-exit")
    how = rng.choice(["os._exit(3)", "raise RuntimeError('bug')", "os.abort()"])
    if "raise" in how:
        how = "os.dup(s.fileno()); keep = s; " + how
    g.story.start("server", listen(g, f"s, _ = l.accept()\ntime.sleep(0.3)\n{how}"))
    g.story.run("client", connect(g, "c.send(b'hello')\ntime.sleep(0.1)\n" + _RECV_ERROR))
    g.story.say("server: finish")
    return g.done(reset("process-died unread-data", "server", to="client", felt="client"), real=True)


def real_unread(rng: Random) -> Story:
    g = ground(rng, "real-unread")
    size, part = rng.randint(200, 4000), rng.randint(0, 150)
    read = (
        rng.choice([f"s.recv({part})", f"os.read(s.fileno(), {part})", f"s.recv_into(bytearray({part}))"])
        if part
        else ""
    )
    g.story.start("server", listen(g, f"s, _ = l.accept()\ntime.sleep(0.3)\n{read}\ns.close()\ntime.sleep(1)"))
    g.story.run("client", connect(g, f"c.send(b'x' * {size})\n" + _RECV_ERROR))
    g.story.say("server: finish")
    return g.done(reset("unread-data", "server", to="client", felt="client"), real=True)


def real_linger(rng: Random) -> Story:
    g = ground(rng, "real-linger")
    on = rng.choice(["s", "l"])
    option = f"{on}.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))"
    first, second = ("", option) if on == "s" else (option, "")
    body = f"{first}\ns, _ = l.accept()\n{second}\ns.recv(5)\ns.close()\ntime.sleep(1)"
    g.story.start("server", listen(g, body))
    g.story.run("client", connect(g, "c.send(b'hello')\n" + _RECV_ERROR))
    g.story.say("server: finish")
    return g.done(reset("linger-zero", "server", to="client", felt="client"), real=True)


def real_closed_socket(rng: Random) -> Story:
    g = ground(rng, "real-closed-socket")
    g.story.start("server", listen(g, "s, _ = l.accept()\ns.recv(5)\ns.close()\ntime.sleep(3)"))
    write = rng.choice(["c.send(b'x')", "os.write(c.fileno(), b'x')", "c.sendmsg([b'x'])"])
    g.story.run(
        "client",
        connect(
            g,
            f"""
c.send(b'hello'); print(c.recv(9))
try:
    while True:
        {write}; time.sleep(0.05)
except OSError as e:
    sys.exit(e.errno)
""",
        ),
    )
    return g.done(reset("closed-socket", "server", to="client", felt="client"), real=True)


def real_forks(rng: Random) -> Story:
    """The parent's close() is no end: its child still has the socket, and closes it with data unread."""
    g = ground(rng, "real-forks")
    g.story.start(
        "server",
        listen(
            g,
            """
s, _ = l.accept()
if os.fork() == 0:
    time.sleep(0.4); s.close(); os._exit(0)
s.close(); os.wait(); time.sleep(0.5)
""",
        ),
    )
    g.story.run("client", connect(g, "time.sleep(0.1); c.send(b'hello')\n" + _RECV_ERROR))
    g.story.say("server: finish")
    return g.done(reset("unread-data process-died", "server", to="client", felt="client"), real=True)


def real_many(rng: Random) -> Story:
    """One process with several connections: each dies as it must when the process is killed."""
    g = ground(rng, "real-many")
    g.story.start(
        "server",
        listen(
            g,
            """
a = [l.accept()[0] for _ in range(2)]
a[0].recv(100); time.sleep(9)
""",
        ),
    )
    g.story.say(
        f"client: connect server:{g.port} = ok", "client: send 5 = 5", f"client.b: connect server:{g.port} = ok"
    )
    g.story.say("client.b: send 5 = 5", f"client.c: connect server:{g.port} = ok", "lab: wait 200ms", "server: kill")
    g.story.say("server: finish", "client.b: recv = ECONNRESET within 5s", "client.c: recv = ECONNRESET within 5s")
    g.story.say("client: recv = eof within 5s")
    return g.done(reset("process-died", "server", to="client"), reset("process-died", "server", to="client"), real=True)


def real_retry(rng: Random) -> Story:
    """curl tries again; the first tries are refused, the last one is answered."""
    g = ground(rng, "real-retry")
    g.story.say(f"client: start run curl -sS --retry 60 --retry-delay 1 --retry-connrefused http://server:{g.port}/")
    g.story.say("lab: wait 400ms")
    body = "s, _ = l.accept()\ns.recv(999)\ns.send(b'HTTP/1.0 200 OK\\r\\n\\r\\nhello')\ns.close()\ntime.sleep(1)"
    g.story.start("server", listen(g, body))
    g.story.say("client: finish = exit 0 within 70s", "server: finish")
    return g.done(reset("closed-port", "server", to="client", felt="client"), also="closed-port", real=True)


def real_drop(rng: Random) -> Story:
    g = ground(rng, "real-drop", (1, 2))
    quick_syns(g)
    g.rule(g.between[0], matching(g, "drop"))
    g.story.run("client", connect(g))
    return g.done(failed("silent-drop", "client", "connect", "ETIMEDOUT"), real=True)


def real_limit(rng: Random) -> Story:
    """The program has a limit of its own."""
    g = ground(rng, "real-limit", (1, 2))
    if rng.random() < 0.5:
        g.rule(g.between[0], matching(g, "drop"))
        g.story.run(
            "client",
            f"""
import socket, struct
c = socket.socket(); c.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack('ll', 0, 400000))
c.connect(('server', {g.port}))
""",
        )
        return g.done(failed("given-up", "client", "connect", "EINPROGRESS"), real=True)
    connected(g)
    g.story.say(f"server.q: listen {g.port % 60000 + 7} = ok")
    g.story.run(
        "client.p",
        f"""
import socket, struct
c = socket.create_connection(('server', {g.port % 60000 + 7}))
c.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack('ll', 0, 300000))
c.recv(5)
""",
    )
    return g.done(failed("given-up", "client.p", "recv", "EAGAIN"), real=True)


_INJECT = """
import socket, struct, sys
tap = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))  # ETH_P_ALL: what leaves, too
raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
{up}
def checksum(b):
    b += b'\\0' * (len(b) % 2)
    s = sum(struct.unpack('!%dH' % (len(b) // 2), b))
    while s >> 16: s = (s & 0xffff) + (s >> 16)
    return ~s & 0xffff
while True:
    f = tap.recv(2000)
    ip = f[14:]
    if f[12:14] != b'\\x08\\0' or ip[9] != 6: continue
    h = (ip[0] & 15) * 4
    sp, dp, seq, ack, off, flags = struct.unpack('!HHIIBB', ip[h:h+14])
    size = struct.unpack('!H', ip[2:4])[0] - h - (off >> 4) * 4
    if sp == {port} and size: break
src, dst = ip[12:16], ip[16:20]
tcp = struct.pack('!HHIIBBHHH', sp, dp, seq + size, ack, 5 << 4, {flags}, 0, 0, 0)
c = checksum(src + dst + struct.pack('!BBH', 0, 6, len(tcp)) + tcp)
tcp = tcp[:16] + struct.pack('!H', c) + tcp[18:]
out = struct.pack('!BBHHHBBH4s4s', 0x45, 0, 40, 7, 0, {ttl}, 6, 0, src, dst) + tcp
import time; time.sleep(0.1)
raw.sendto(out, (socket.inet_ntoa(dst), 0))
"""


def raw_reset(rng: Random) -> Story:
    """A program on the way writes a RST in the server's name: no firewall, no TCP."""
    g = ground(rng, "raw-reset", (1, 3))
    node = rng.choice([*g.between, "server"])
    connected(g)
    program = _INJECT.format(up=UP, port=g.port, flags=rng.choice([4, 0x14]), ttl=rng.choice([64, 63, 200]))
    g.story.start(node if node != "server" else "server.raw", program).say("server: send 5 = 5")
    g.story.say("client: recv = 5 within 5s", "client: recv = ECONNRESET within 5s")
    return g.done(reset("unknown", node, "server", "client", "client"), also="peer-forgot", real=True)


REAL: tuple[Family, ...] = (
    real_closed_port, real_reject, real_other_address, real_service_stopped, real_killed, real_exit_without_close,
    real_unread, real_linger, real_closed_socket, real_forks, real_many, real_retry, real_drop, real_limit, raw_reset,
)  # fmt: skip
