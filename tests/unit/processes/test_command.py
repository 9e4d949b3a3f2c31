"""What becomes of a command's output and of its end, without a sandbox: the pipes and the sockets are real."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from netsim.linux import channel
from netsim.model.result import Exited, Signalled
from netsim.processes.command import Ended, Signal, _follow, _Over, _pid_behind, _readable, _stamped, _Text


def text(*parts: bytes, first: int = 4, last: int = 4) -> str:
    made = _Text(first, last)
    for part in parts:
        made.add(part)
    return made.text()


@pytest.mark.parametrize(
    ("parts", "kept"),
    [
        ((), ""),
        ((b"ab",), "ab"),
        ((b"abcd", b"efgh"), "abcdefgh"),
        ((b"abcdefgh",), "abcdefgh"),
        ((b"abcdefghi",), "abcd\n... 1 lines are missing\nfghi"),
        ((b"ab", b"cdef", b"ghijkl", b"m"), "abcd\n... 1 lines are missing\njklm"),
        ((b"a" * 4, b"x\n" * 500, b"b" * 4), "aaaa\n... 501 lines are missing\nbbbb"),
    ],
)
def test_the_first_and_the_last_of_much_are_kept(parts: tuple[bytes, ...], kept: str) -> None:
    """What is left out between them leaves a line's end there, so that no two halves make one line."""
    assert text(*parts) == kept


def test_of_output_only_the_last() -> None:
    assert text(b"abc", b"defg", first=0) == "defg"


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        (b"plain\ttext\n", "plain\ttext\n"),
        (b"\x1b[31mred\r\n", "\\x1b[31mred\n"),
        (b"over\rwritten\x00\x7f", "over\\x0dwritten\\x00\\x7f"),
        ("\u009b31m \u00e9".encode(), "\\x9b31m \u00e9"),
        (b"\xff\xfe", "\ufffd\ufffd"),
    ],
)
def test_a_terminal_takes_no_orders_from_it(written: bytes, shown: str) -> None:
    made = _Text(0, 100)
    made.add(written)
    assert _readable(made) == shown


def test_it_says_how_much_is_left_out() -> None:
    made = _Text(0, 5)
    made.add(b"0123456789")
    assert _readable(made) == "[5 bytes before this are left out]\n56789"


def test_each_line_of_strace_is_stamped_with_when_it_was_there() -> None:
    before = time.monotonic_ns()
    one, two, rest = _stamped(b"8 1.0 close(3) = 0\n8 2.0 close(4) = 0\n8 3.0 clo").split(b"\n")
    stamps = [int(line.rpartition(b" @")[2]) for line in (one, two)]
    assert all(before <= stamp <= time.monotonic_ns() for stamp in stamps)
    assert (one.rpartition(b" @")[0], rest) == (b"8 1.0 close(3) = 0", b"8 3.0 clo")


def test_a_process_behind_a_descriptor() -> None:
    own = os.pidfd_open(os.getpid())
    assert _pid_behind(own) == os.getpid()
    os.close(own)


@dataclass(slots=True)
class Followed:
    """A program that _follow looks after: its output, its overseer's end of the control socket, and our end."""

    program: subprocess.Popen[bytes]
    ours: socket.socket
    control: socket.socket
    output: int
    trace: int
    result: list[object] = field(default_factory=list)
    thread: threading.Thread | None = None

    def over(self, outcome: int) -> Ended:
        """The program has ended, and so has everything that could write for it."""
        channel.send(self.control, _Over(outcome, 5_000))
        return self.gone()

    def gone(self) -> Ended:
        self.control.close()
        for fd in (self.output, self.trace):
            os.close(fd)
        assert self.thread is not None
        self.thread.join(30)
        (ended,) = self.result
        assert isinstance(ended, Ended)
        return ended


@pytest.fixture
def followed() -> Iterator[Followed]:
    """A program that waits for its end."""
    with subprocess.Popen(["sleep", "1000"]) as program:
        (ours, its), (control, overseer) = socket.socketpair(), socket.socketpair()
        output, written = os.pipe()
        trace, traced = os.pipe()
        pidfd = os.pidfd_open(program.pid)
        made = Followed(program, ours, overseer, written, traced)

        def follow() -> None:
            try:
                made.result.append(_follow(its, control, output, [pidfd, trace], 1_000))
            except channel.ChannelClosed as error:
                made.result.append(error)

        made.thread = threading.Thread(target=follow)
        made.thread.start()
        yield made
        made.thread.join(30)
        program.kill()
        for sock in (ours, its, control, overseer):
            sock.close()
        for fd in (output, trace, pidfd):
            os.close(fd)


def test_all_that_it_wrote_and_how_it_ended(followed: Followed) -> None:
    os.write(followed.output, b"hello\n")
    os.write(followed.trace, b"8 1.0 close(3) = 0\n")
    ended = followed.over(3 << 8)
    assert (ended.outcome, ended.output, ended.start_ns, ended.end_ns) == (Exited(3), "hello\n", 1_000, 5_000)
    assert ended.strace is not None
    assert ended.strace.startswith("8 1.0 close(3) = 0 @")
    assert abs(ended.clock_offset_ns - (time.monotonic_ns() - time.time_ns())) < 1_000_000_000


def test_what_its_children_write_after_its_end_is_taken_in_too(followed: Followed) -> None:
    channel.send(followed.control, _Over(0, 5_000))
    os.write(followed.output, b"late\n")
    assert followed.gone().output == "late\n"


def test_a_signal_is_passed_on(followed: Followed) -> None:
    channel.send(followed.ours, Signal(signal.SIGTERM))
    assert followed.program.wait(30) == -signal.SIGTERM
    assert followed.over(int(signal.SIGTERM)).outcome == Signalled("SIGTERM")


def test_a_signal_that_comes_too_late_hurts_nobody(followed: Followed) -> None:
    followed.program.kill()
    followed.program.wait(30)
    channel.send(followed.ours, Signal(signal.SIGTERM))
    assert followed.over(0).outcome == Exited(0)


def test_who_oversaw_it_may_be_killed_and_it_with_that(followed: Followed) -> None:
    assert followed.gone().outcome == Signalled("SIGKILL")


def test_nobody_waits_for_it_any_more(followed: Followed) -> None:
    followed.ours.close()
    assert followed.thread is not None
    followed.thread.join(30)
    assert isinstance(followed.result[0], channel.ChannelClosed)
    for fd in (followed.output, followed.trace):
        os.close(fd)
