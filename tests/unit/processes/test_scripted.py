"""The scripted process, on the loopback of wherever the tests run: every call, and how it ends."""

from __future__ import annotations

import os
import select
import signal
import socket
import struct
from collections.abc import Iterator

import pytest

from netsim.errors import InputError
from netsim.linux import channel, syscalls
from netsim.model.verbs import BY_NAME
from netsim.processes.scripted import CANCEL, VERBS, Done, Request, ask, serve, socket_option, stay

HERE = "127.0.0.1"


class Scripted:
    """A scripted process, and our end of the channel to it."""

    def __init__(self) -> None:
        self.sock, its = socket.socketpair()
        self.pid = os.fork()
        if self.pid == 0:
            try:
                syscalls.close_all_but({0, 1, 2, its.fileno()})  # our end of another one's channel, for one
                serve(its)
            finally:
                os._exit(0)
        its.close()
        self.status: int | None = None

    def do(self, text: str, port: int = 0) -> Done:
        """Make a call, as a step says it."""
        name, _, rest = text.replace("PORT", str(port)).partition(" ")
        args = BY_NAME[name].read(rest)
        assert args is not None, text
        return ask(self.sock, name, args)

    def begin(self, name: str, **args: str) -> None:
        """Begin a call that may block."""
        channel.send(self.sock, Request(name, args))

    def end(self) -> int:
        """Wait for its end; gives its status."""
        if self.status is None:
            self.sock.close()
            _, self.status = os.waitpid(self.pid, 0)
        return self.status


@pytest.fixture
def client() -> Iterator[Scripted]:
    process = Scripted()
    yield process
    process.end()


@pytest.fixture
def server() -> Iterator[Scripted]:
    process = Scripted()
    yield process
    process.end()


@pytest.fixture
def port(server: Scripted) -> int:
    """A port on which the server listens."""
    with socket.socket() as probe:
        probe.bind((HERE, 0))
        free = int(probe.getsockname()[1])
    assert server.do("listen PORT", free).result == "ok"
    return free


@pytest.fixture
def connected(client: Scripted, server: Scripted, port: int) -> tuple[Scripted, Scripted]:
    assert client.do(f"connect {HERE}:PORT", port).result == "ok"
    assert server.do("accept").result == "ok"
    return client, server


def test_it_carries_out_every_verb_that_is_a_call() -> None:
    beside = {"finish", "run"}
    assert {verb.name for verb in BY_NAME.values() if verb.who == "process"} - beside == VERBS


def test_a_connection(connected: tuple[Scripted, Scripted]) -> None:
    client, server = connected
    assert client.do("send 5").result == "5"
    assert server.do("recv").result == "5"
    assert server.do("send 100000").result == "100000"
    assert client.do("recv 100000 waitall").result == "100000"
    assert client.do("shutdown wr").result == "ok"
    assert server.do("recv").result == "eof"
    assert server.do("close").result == "ok"
    assert client.do("recv").result == "eof"


def test_a_call_tells_its_ends_and_its_times(client: Scripted, server: Scripted, port: int) -> None:
    done = client.do(f"connect {HERE}:PORT", port)
    accepted = server.do("accept")
    assert done.remote == f"{HERE}:{port}"
    assert (accepted.local, accepted.remote) == (done.remote, done.local)
    assert done.start_ns <= done.end_ns <= accepted.end_ns
    assert client.do("send 1").remote == done.remote


def test_the_ends_of_a_dead_connection_are_still_known(connected: tuple[Scripted, Scripted]) -> None:
    client, server = connected
    known = client.do("send 1")
    server.do("recv")
    server.do("set linger 0")
    server.do("close")
    dead = client.do("recv")
    assert dead.result == "ECONNRESET"
    assert (dead.local, dead.remote) == (known.local, known.remote)


def test_a_refusal(client: Scripted) -> None:
    assert client.do(f"connect {HERE}:PORT", 1).result == "ECONNREFUSED"


def test_a_port_that_is_taken(client: Scripted, port: int) -> None:
    assert client.do("listen PORT", port).result == "EADDRINUSE"


@pytest.mark.parametrize("call", ["send 1", "recv", "close", "accept", "poll", "error", "shutdown rd", "close second"])
def test_a_socket_that_there_is_not(client: Scripted, call: str) -> None:
    assert client.do(call).result == "EBADF"


def test_several_sockets_go_by_their_names(client: Scripted, server: Scripted, port: int) -> None:
    for name in ("one", "two"):
        assert client.do(f"connect {HERE}:PORT as {name}", port).result == "ok"
        assert server.do(f"accept as {name}").result == "ok"
    client.do("send 1 on one")
    client.do("send 2 on two")
    assert server.do("recv on two").result == "2"
    assert server.do("recv on one").result == "1"
    client.do("close one")
    assert server.do("recv on one").result == "eof"
    assert client.do("send 3 on two").result == "3"


def test_a_second_connection_of_the_same_name_leaves_the_first_open(
    connected: tuple[Scripted, Scripted], port: int
) -> None:
    client, server = connected
    assert client.do(f"connect {HERE}:PORT", port).result == "ok"
    assert server.do("accept as second").result == "ok"
    client.do("send 7")
    assert server.do("recv on second").result == "7"
    client.do("close")
    assert server.do("recv on second").result == "eof"
    assert server.do("poll IN OUT RDHUP").result == "OUT"  # no end of file on the first one


@pytest.mark.parametrize(
    ("before", "poll", "result"),
    [
        ((), "poll OUT", "OUT"),
        (("send 1",), "poll IN OUT", "IN OUT"),
        (("shutdown wr",), "poll IN RDHUP", "IN RDHUP"),
        (("set linger 0", "close"), "poll", "ERR HUP"),
    ],
)
def test_poll(connected: tuple[Scripted, Scripted], before: tuple[str, ...], poll: str, result: str) -> None:
    client, server = connected
    for call in before:
        server.do(call)
    if before:  # it may still be on its way
        client.do(f"poll {'IN' if before != ('set linger 0', 'close') else ''}".strip())
    assert client.do(poll).result == result


def test_so_error_is_told_once(connected: tuple[Scripted, Scripted]) -> None:
    client, server = connected
    server.do("set linger 0")
    server.do("close")
    client.do("poll")
    assert [client.do("error").result for _ in range(2)] == ["ECONNRESET", "ok"]


def test_a_call_that_blocks_is_cancelled(connected: tuple[Scripted, Scripted]) -> None:
    """And the process goes on: the data that comes later is not lost."""
    client, server = connected
    client.begin("recv")
    while not select.select([client.sock], [], [], 0)[0]:  # before the call has begun it changes nothing
        os.kill(client.pid, CANCEL)
    assert _answer(client).result == "timeout"
    server.do("send 5")
    assert client.do("recv").result == "5"


def test_a_cancel_that_comes_too_late_hurts_nobody(connected: tuple[Scripted, Scripted]) -> None:
    client, _ = connected
    for _ in range(20):
        os.kill(client.pid, CANCEL)
        assert client.do("send 1").result == "1"


@pytest.mark.parametrize(("before", "end"), [((), 0), (("signal SIGPIPE default",), signal.SIGPIPE)])
def test_sigpipe_is_ignored_unless_a_step_says_otherwise(
    connected: tuple[Scripted, Scripted], before: tuple[str, ...], end: int
) -> None:
    client, server = connected
    for call in before:
        assert client.do(call).result == "ok"
    server.do("set linger 0")
    server.do("close")
    client.do("poll")
    client.do("error")
    client.begin("send", size="1")
    if not end:
        assert _answer(client).result == "EPIPE"
    assert os.WTERMSIG(client.end()) == end


@pytest.mark.parametrize("name", ["SIGKILL", "SIGTERM"])
def test_kill(client: Scripted, name: str) -> None:
    client.begin("kill", signal=name)
    client.sock.recv(1)
    assert os.WTERMSIG(client.end()) == signal.Signals[name]


def test_who_stays_keeps_its_sockets_when_the_channel_goes(client: Scripted, server: Scripted, port: int) -> None:
    stay(server.sock)
    server.sock.close()
    assert client.do(f"connect {HERE}:PORT", port).result == "ok"
    os.kill(server.pid, signal.SIGKILL)


def _answer(process: Scripted) -> Done:
    done: Done = channel.receive(process.sock)[0]
    return done


@pytest.mark.parametrize(
    ("option", "value", "expected"),
    [
        ("linger", "0", (socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))),
        ("linger", "7", (socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 7))),
        ("linger", "off", (socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 0, 0))),
        ("keepalive", "on", (socket.SOL_SOCKET, socket.SO_KEEPALIVE, struct.pack("i", 1))),
        ("nodelay", "off", (socket.IPPROTO_TCP, socket.TCP_NODELAY, struct.pack("i", 0))),
        ("reuseaddr", "on", (socket.SOL_SOCKET, socket.SO_REUSEADDR, struct.pack("i", 1))),
        ("reuseport", "on", (socket.SOL_SOCKET, socket.SO_REUSEPORT, struct.pack("i", 1))),
        ("rcvtimeo", "1500ms", (socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", 1, 500_000))),
        ("sndtimeo", "250us", (socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", 0, 250))),
        ("user_timeout", "3s", (socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, struct.pack("i", 3000))),
        ("rcvbuf", "4096", (socket.SOL_SOCKET, socket.SO_RCVBUF, struct.pack("i", 4096))),
        ("sndbuf", "4096", (socket.SOL_SOCKET, socket.SO_SNDBUF, struct.pack("i", 4096))),
    ],
)
def test_an_option(option: str, value: str, expected: tuple[int, int, bytes]) -> None:
    assert socket_option(option, value) == expected
    with socket.socket() as sock:
        sock.setsockopt(*expected)  # the kernel takes it


def test_an_option_with_a_value_that_is_none() -> None:
    with pytest.raises(InputError, match="'soon' is no duration"):
        socket_option("user_timeout", "soon")


def test_an_option_that_cannot_be_set_is_a_result(client: Scripted) -> None:
    assert client.do("set sndtimeo 1s").result == "ok"
    assert client.do("set linger 0").result == "ok"
