"""What the strace of this machine writes of real programs on its loopback, and what is made of that."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from netsim.processes.strace import OPTIONS
from tests.unit.processes.traced import on_sockets

STRACE = shutil.which("strace") or ""


def _unusable() -> str:
    """Why strace is of no use here; '' where it is."""
    if not STRACE:
        return "strace is not installed"
    tried = subprocess.run([STRACE, *OPTIONS[1], "-o", os.devnull, "true"], capture_output=True, text=True, check=False)
    return "" if tried.returncode == 0 else f"strace traces nothing here: {tried.stderr.strip()}"


WHY = _unusable()
pytestmark = pytest.mark.skipif(WHY != "", reason=WHY or "strace works")
OPTIONS_HERE = pytest.mark.parametrize("options", OPTIONS, ids=["seccomp", "plain"])

BEGINNING = """\
import os, select, signal, socket, struct, threading
listener = socket.socket()
listener.bind(("127.0.0.1", 0))
listener.listen(5)
def connected():
    client = socket.socket()
    client.connect(listener.getsockname())
    return client, listener.accept()[0]
def abort(sock):
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()
"""
LISTENER = [
    "a: socket(AF_INET, SOCK_STREAM|SOCK_CLOEXEC, IPPROTO_IP) = ok", "a: bind 0 = ok", "a: listen PORT backlog 5 = ok",
]  # fmt: skip
CONNECTED = [
    "b: socket(AF_INET, SOCK_STREAM|SOCK_CLOEXEC, IPPROTO_IP) = ok",
    "b: connect 127.0.0.1:PORT = ok",
    "a: accept = ok, which is c",
]


def traced(program: str, options: tuple[str, ...], place: Path) -> list[str]:
    """What is told of a Python program whose listener is `a`; what Python asks by itself is left out."""
    pipe = place / "trace"
    os.mkfifo(pipe)
    whole = BEGINNING + textwrap.dedent(program)
    argv = [
        "timeout",
        "--signal=KILL",
        "30",
        STRACE,
        *options,
        "-o",
        str(pipe),
        sys.executable,
        "-I",
        "-S",
        "-c",
        whole,
    ]
    with subprocess.Popen(argv, stderr=subprocess.PIPE, text=True) as process:
        text = pipe.read_text()  # to its end: strace itself may live longer than the program
        _, said = process.communicate()
    assert "Traceback" not in said, said
    lines = [line for line in on_sockets(text) if not re.search(r"get(sock|peer)name\(", line)]
    assert lines[: len(LISTENER)] == [
        line.replace("PORT", found[1]) for line in LISTENER if (found := re.search(r"listen (\d+)", lines[2]))
    ]
    (port,) = re.findall(r"listen (\d+)", lines[2])
    first = next(int(pid) for pid in re.findall(r"^(\d+)", text))
    return [
        re.sub(rf"^{first} ends", "program ends", re.sub(rf"\b{port}\b", "PORT", line))
        for line in lines[len(LISTENER) :]
    ]


@OPTIONS_HERE
def test_a_connection_that_is_reset(options: tuple[str, ...], tmp_path: Path) -> None:
    program = """
        client, server = connected()
        client.sendall(b"hello")
        server.recv(3, socket.MSG_PEEK)
        server.recv(5, socket.MSG_WAITALL)
        abort(server)
        poll = select.poll()
        poll.register(client, select.POLLIN | select.POLLRDHUP)
        poll.poll()
        client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        try:
            client.send(b"x")
        except BrokenPipeError:
            os._exit(0)
    """
    assert traced(program, options, tmp_path) == [
        *CONNECTED,
        "b: send 5 = 5",
        "c: recv 3 MSG_PEEK = 3",
        "c: recv 5 waitall = 5",
        "c: setsockopt linger 0 = ok",
        "c: close = ok, its end",
        "b: poll IN RDHUP = IN ERR HUP RDHUP",
        "b: getsockopt = ECONNRESET",
        "b: send 1 = EPIPE",
        "program ends: exit 0, closing a b",
    ]


@OPTIONS_HERE
def test_a_child_that_has_the_socket_open(options: tuple[str, ...], tmp_path: Path) -> None:
    program = """
        client, server = connected()
        ready, go = os.pipe()
        child = os.fork()
        if not child:
            os.read(ready, 1)
            client.send(b"x")
            os._exit(3)
        client.close()
        os.write(go, b"x")
        os.waitpid(child, 0)
        server.recv(9)
        server.recv(9)
        os._exit(0)
    """
    found = [re.sub(r"^\d+ ends", "child ends", line) for line in traced(program, options, tmp_path)]
    assert found == [
        *CONNECTED,
        "b: close = ok",
        "b: send 1 = 1",
        "child ends: exit 3, closing b",
        "c: recv 9 = 1",
        "c: recv 9 = eof",
        "program ends: exit 0, closing a c",
    ]


@OPTIONS_HERE
def test_a_thread_that_closes(options: tuple[str, ...], tmp_path: Path) -> None:
    program = """
        client, server = connected()
        thread = threading.Thread(target=client.close)
        thread.start()
        thread.join()
        server.recvmsg(9)
        os._exit(0)
    """
    assert traced(program, options, tmp_path) == [
        *CONNECTED, "b: close = ok, its end", "c: recvmsg() = eof", "program ends: exit 0, closing a c",
    ]  # fmt: skip


@OPTIONS_HERE
def test_descriptors_that_are_passed_on_to_another_program(options: tuple[str, ...], tmp_path: Path) -> None:
    program = """
        client, server = connected()
        os.dup2(client.fileno(), 9)
        os.execv("/bin/sh", ["sh", "-c", "echo hello >&9; exit 7"])
    """
    assert traced(program, options, tmp_path) == [
        *CONNECTED, "a: execve = ok, its end", "c: execve = ok, its end", "b: write 6 = 6",
        "program ends: exit 7, closing b",
    ]  # fmt: skip


@OPTIONS_HERE
def test_a_program_that_is_killed_while_it_waits(options: tuple[str, ...], tmp_path: Path) -> None:
    program = """
        client, server = connected()
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        client.recv(9)
    """
    assert traced(program, options, tmp_path) == [
        *CONNECTED, "b: recv 9 = signal SIGALRM", "program ends: signal SIGALRM, closing a b c",
    ]  # fmt: skip


@OPTIONS_HERE
def test_a_signal_during_a_call_with_a_limit(options: tuple[str, ...], tmp_path: Path) -> None:
    program = """
        client, server = connected()
        signal.signal(signal.SIGALRM, lambda *_: None)
        signal.setitimer(signal.ITIMER_REAL, 0.02)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", 0, 150_000))
        try:
            client.recv(9)
        except BlockingIOError:
            os._exit(0)
    """
    assert traced(program, options, tmp_path) == [
        *CONNECTED, "b: setsockopt rcvtimeo 150ms = ok", "b: recv 9 = EINTR", "b: recv 9 = EAGAIN",
        "program ends: exit 0, closing a b c",
    ]  # fmt: skip


@OPTIONS_HERE
def test_a_connection_that_is_reset_before_it_is_accepted(options: tuple[str, ...], tmp_path: Path) -> None:
    program = """
        client = socket.socket()
        client.connect(listener.getsockname())
        abort(client)
        server, _ = listener.accept()
        try:
            server.recv(9)
        except ConnectionResetError:
            os._exit(0)
    """
    assert traced(program, options, tmp_path) == [
        *CONNECTED[:2], "b: setsockopt linger 0 = ok", "b: close = ok, its end", CONNECTED[2], "c: recv 9 = ECONNRESET",
        "program ends: exit 0, closing a c",
    ]  # fmt: skip


@OPTIONS_HERE
def test_options(options: tuple[str, ...], tmp_path: Path) -> None:
    program = """
        client, server = connected()
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 2500)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", 3, 34))
        client.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 0, 5))
        client.settimeout(0.01)
        try:
            client.recv(9)
        except TimeoutError:
            os._exit(0)
    """
    assert traced(program, options, tmp_path) == [
        *CONNECTED, "b: setsockopt user_timeout 2.5s = ok", "b: setsockopt sndtimeo 3.000034s = ok",
        "b: setsockopt keepalive on = ok", "b: setsockopt linger off = ok", "program ends: exit 0, closing a b c",
    ]  # fmt: skip


@OPTIONS_HERE
def test_a_descriptor_that_is_sent_to_another_process(options: tuple[str, ...], tmp_path: Path) -> None:
    """As servers do whose first process accepts and whose others serve (unix(7), SCM_RIGHTS)."""
    program = """
        ours, its = socket.socketpair()
        child = os.fork()
        if not child:
            ours.close()
            _, (fd,), _, _ = socket.recv_fds(its, 1, 1)
            its.recv(1)
            os.write(fd, b"hello")
            os._exit(0)
        client, server = connected()
        socket.send_fds(ours, [b"x"], [server.fileno()])
        server.close()
        ours.send(b"x")
        os.waitpid(child, 0)
        client.recv(5, socket.MSG_WAITALL)
        client.recv(5)
        os._exit(0)
    """
    found = [re.sub(r"^\d+ ends", "child ends", line) for line in traced(program, options, tmp_path)]
    assert found == [
        *CONNECTED, "c: close = ok", "c: write 5 = 5", "child ends: exit 0, closing c", "b: recv 5 waitall = 5",
        "b: recv 5 = eof", "program ends: exit 0, closing a b",
    ]  # fmt: skip


@OPTIONS_HERE
def test_a_server_that_waits_by_epoll_and_sends_files(options: tuple[str, ...], tmp_path: Path) -> None:
    program = f"""
        client, server = connected()
        epoll = select.epoll()
        epoll.register(server, select.EPOLLIN | select.EPOLLRDHUP)
        epoll.register(client, select.EPOLLOUT)
        epoll.poll(5)
        epoll.modify(client, select.EPOLLIN)
        file = os.open({str(tmp_path / "file")!r}, os.O_RDWR | os.O_CREAT)
        os.write(file, bytes(50))
        os.sendfile(client.fileno(), file, 0, 50)
        epoll.poll(5)
        out, into = os.pipe()
        os.splice(server.fileno(), into, 20)
        os.splice(out, client.fileno(), 10)
        os.closerange(client.fileno(), server.fileno() + 1)
        os._exit(0)
    """
    assert traced(program, options, tmp_path) == [
        *CONNECTED,
        "b: epoll_wait OUT = OUT",
        "b: sendfile 50 = 50",
        "c: epoll_wait IN RDHUP = IN",
        "c: splice 20 = 20",
        "b: splice 10 = 10",
        "b: close_range = ok, its end",
        "c: close_range = ok, its end",
        "program ends: exit 0, closing a",
    ]
