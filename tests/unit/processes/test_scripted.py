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
from netsim.linux import channel
from netsim.model.action import Action
from netsim.model.endpoint import Endpoint
from netsim.model.verbs import BY_NAME
from netsim.processes.scripted import CANCEL, Done, ask, serve, socket_option, stay
from tests.unit.local_lab import HERE, fork, free_port


class Scripted:
    """A scripted process, and our end of the channel to it."""

    def __init__(self) -> None:
        self._child = fork(serve)
        self.sock, self.pid = self._child.sock, self._child.pid
        self.status: int | None = None

    def do(self, text: str, port: int = 0) -> Done:
        """Make a call, as a step says it."""
        return ask(self.sock, action(text, port))

    def gets(self, text: str, port: int = 0) -> str:
        """Make a call, and say what came of it."""
        return str(self.do(text, port).result)

    def begin(self, text: str) -> None:
        """Begin a call that may block."""
        channel.send(self.sock, action(text))

    def answer(self) -> Done:
        """Wait for what comes of it."""
        done: Done = channel.receive(self.sock)[0]
        return done

    def end(self) -> int:
        """Wait for its end; gives its status."""
        if self.status is None:
            self._child.close()
            _, self.status = os.waitpid(self.pid, 0)
        return self.status


def action(text: str, port: int = 0) -> Action:
    """An action as a step says it."""
    name, _, rest = text.replace("PORT", str(port)).partition(" ")
    read = BY_NAME[name].read(rest)
    assert read is not None, text
    return read


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
    free = free_port()
    assert server.gets("listen PORT", free) == "ok"
    return free


@pytest.fixture
def connected(client: Scripted, server: Scripted, port: int) -> tuple[Scripted, Scripted]:
    assert client.gets(f"connect {HERE}:PORT", port) == "ok"
    assert server.gets("accept") == "ok"
    return client, server


def test_a_connection(connected: tuple[Scripted, Scripted]) -> None:
    client, server = connected
    assert client.gets("send 5") == "5"
    assert server.gets("recv") == "5"
    assert server.gets("send 100000") == "100000"
    assert client.gets("recv 100000 waitall") == "100000"
    assert client.gets("shutdown wr") == "ok"
    assert server.gets("recv") == "eof"
    assert server.gets("close") == "ok"
    assert client.gets("recv") == "eof"


def test_a_call_tells_its_ends_and_its_times(client: Scripted, server: Scripted, port: int) -> None:
    done = client.do(f"connect {HERE}:PORT", port)
    accepted = server.do("accept")
    assert done.remote == Endpoint(HERE, port)
    assert done.local is not None
    assert (accepted.local, accepted.remote) == (done.remote, done.local)
    assert done.start_ns <= done.end_ns <= accepted.end_ns
    sent = client.do("send 1")
    assert (sent.local, sent.remote) == (done.local, done.remote)


def test_a_listener_and_a_bound_socket_tell_their_own_end(client: Scripted, server: Scripted, port: int) -> None:
    assert server.do("listen PORT as other", free := free_port()).local == Endpoint("0.0.0.0", free)
    bound = client.do("bind PORT", free := free_port())
    assert (bound.local, bound.remote) == (Endpoint("0.0.0.0", free), None)
    assert client.do(f"connect {HERE}:PORT", port).local == Endpoint(HERE, free)


def test_the_ends_of_a_dead_connection_are_still_known(connected: tuple[Scripted, Scripted]) -> None:
    client, server = connected
    known = client.do("send 1")
    server.do("recv")
    server.do("set linger 0")
    server.do("close")
    dead = client.do("recv")
    assert str(dead.result) == "ECONNRESET"
    assert (dead.local, dead.remote) == (known.local, known.remote)


def test_what_a_refused_connect_was_made_to_is_known(client: Scripted) -> None:
    done = client.do(f"connect {HERE}:PORT", 1)
    assert (str(done.result), done.remote) == ("ECONNREFUSED", Endpoint(HERE, 1))


def test_a_port_that_is_taken(client: Scripted, port: int) -> None:
    assert client.gets("listen PORT", port) == "EADDRINUSE"


@pytest.mark.parametrize("call", ["send 1", "recv", "close", "accept", "poll", "error", "shutdown rd", "close second"])
def test_a_socket_that_there_is_not(client: Scripted, call: str) -> None:
    done = client.do(call)
    assert (str(done.result), done.socket, done.made) == ("EBADF", 0, 0)


def test_every_call_says_on_which_socket_it_was_made(client: Scripted, server: Scripted, port: int) -> None:
    """By a number that no other one of the process ever has, and which a name of the script's may pass on."""
    assert client.do("set nodelay on").socket == 1
    assert client.do(f"connect {HERE}:PORT", port).socket == 1
    accepted = server.do("accept")
    assert (accepted.socket, accepted.made) == (1, 2)
    assert client.do("send 1").socket == 1
    assert server.do("recv").socket == 2
    assert client.do("close").socket == 1
    assert client.do(f"connect {HERE}:PORT", port).socket == 2
    assert server.do("accept").made == 3
    assert client.do("signal SIGPIPE default").socket == 0


def test_several_sockets_go_by_their_names(client: Scripted, server: Scripted, port: int) -> None:
    for name in ("one", "two"):
        assert client.gets(f"connect {HERE}:PORT as {name}", port) == "ok"
        assert server.gets(f"accept as {name}") == "ok"
    client.do("send 1 on one")
    client.do("send 2 on two")
    assert server.gets("recv on two") == "2"
    assert server.gets("recv on one") == "1"
    client.do("close one")
    assert server.gets("recv on one") == "eof"
    assert client.gets("send 3 on two") == "3"


def test_a_second_connection_of_the_same_name_leaves_the_first_open(
    connected: tuple[Scripted, Scripted], port: int
) -> None:
    client, server = connected
    assert client.gets(f"connect {HERE}:PORT", port) == "ok"
    assert server.gets("accept as second") == "ok"
    client.do("send 7")
    assert server.gets("recv on second") == "7"
    client.do("close")
    assert server.gets("recv on second") == "eof"
    assert server.gets("poll IN OUT RDHUP") == "OUT"  # no end of file on the first one


def test_an_accept_with_the_name_of_another_socket_leaves_that_one_open(
    connected: tuple[Scripted, Scripted], port: int
) -> None:
    client, server = connected
    assert client.gets(f"connect {HERE}:PORT as second", port) == "ok"
    assert server.gets("accept") == "ok"
    assert client.gets("poll IN OUT RDHUP") == "OUT"
    client.do("send 3 on second")
    assert server.gets("recv") == "3"


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
    assert client.gets(poll) == result


def test_so_error_is_told_once(connected: tuple[Scripted, Scripted]) -> None:
    client, server = connected
    server.do("set linger 0")
    server.do("close")
    client.do("poll")
    assert [client.gets("error") for _ in range(2)] == ["ECONNRESET", "ok"]


def test_a_call_that_blocks_is_cancelled(connected: tuple[Scripted, Scripted]) -> None:
    """And the process goes on: the data that comes later is not lost."""
    client, server = connected
    client.begin("recv")
    while not select.select([client.sock], [], [], 0.01)[0]:  # before the call has begun it changes nothing
        os.kill(client.pid, CANCEL)
    done = client.answer()
    assert (str(done.result), done.socket) == ("timeout", 1)
    server.do("send 5")
    assert client.gets("recv") == "5"


def test_a_cancel_that_comes_too_late_hurts_nobody(connected: tuple[Scripted, Scripted]) -> None:
    client, _ = connected
    for _ in range(20):
        os.kill(client.pid, CANCEL)
        assert client.gets("send 1") == "1"


@pytest.mark.parametrize(("before", "end"), [((), 0), (("signal SIGPIPE default",), signal.SIGPIPE)])
def test_sigpipe_is_ignored_unless_a_step_says_otherwise(
    connected: tuple[Scripted, Scripted], before: tuple[str, ...], end: int
) -> None:
    client, server = connected
    for call in before:
        assert client.gets(call) == "ok"
    server.do("set linger 0")
    server.do("close")
    client.do("poll")
    client.do("error")
    client.begin("send 1")
    if not end:
        assert str(client.answer().result) == "EPIPE"
    assert os.WTERMSIG(client.end()) == end


@pytest.mark.parametrize("name", ["SIGKILL", "SIGTERM", "SIGUSR1"])
def test_kill(client: Scripted, name: str) -> None:
    client.begin(f"kill {name}")
    client.sock.recv(1)
    assert os.WTERMSIG(client.end()) == signal.Signals[name]


def test_who_stays_keeps_its_sockets_when_the_channel_goes(client: Scripted, server: Scripted, port: int) -> None:
    stay(server.sock)
    server.sock.close()
    assert client.gets(f"connect {HERE}:PORT", port) == "ok"
    os.kill(server.pid, signal.SIGKILL)


def test_a_connect_to_an_ipv6_address(client: Scripted, server: Scripted) -> None:
    if not socket.has_ipv6 or not os.path.exists("/proc/net/if_inet6"):
        pytest.skip("this host has no IPv6")
    done = client.do("connect ::1:PORT", 1)
    assert (str(done.result), done.remote) == ("ECONNREFUSED", Endpoint("::1", 1))


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


def test_an_option_makes_the_socket_that_it_is_set_on(client: Scripted, port: int) -> None:
    assert client.gets("set sndtimeo 1s") == "ok"
    assert client.gets("set linger 0") == "ok"
    assert client.do(f"connect {HERE}:PORT", port).socket == 1
    assert client.do("close second").socket == 0
