"""Which descriptor leads to which socket, and who ends it: through dup(), fork(), threads, exec() and exit.

The lines are those that strace 6.1 writes of such programs, with shorter numbers.
"""

from __future__ import annotations

import pytest

from netsim.processes.strace import lines_missing
from tests.unit.processes.traced import on_sockets, read, trace

TO = '{sa_family=AF_INET, sin_port=htons(80), sin_addr=inet_addr("10.0.0.2")}'
CONN = "<TCP:[10.0.0.1:40000->10.0.0.2:80]>"
OTHER = "<TCP:[10.0.0.1:40001->10.0.0.2:80]>"
THREAD = (
    "clone3({flags=CLONE_VM|CLONE_FS|CLONE_FILES|CLONE_SIGHAND|CLONE_THREAD|CLONE_SYSVSEM|CLONE_SETTLS|"
    "CLONE_PARENT_SETTID|CLONE_CHILD_CLEARTID, child_tid=0x7fe00e500990, parent_tid=0x7fe00e500990, exit_signal=0, "
    "stack=0x7fe00dd00000, stack_size=0x7fff80, tls=0x7fe00e5006c0}"
)
FORK = "clone(child_stack=NULL, flags=CLONE_CHILD_CLEARTID|CLONE_CHILD_SETTID|SIGCHLD, child_tidptr=0x7f0d0e58e590)"


def opened(pid: int = 8, fd: int = 4, conn: str = CONN, cloexec: str = "|SOCK_CLOEXEC") -> tuple[str, str]:
    """A connection is made."""
    return (
        f"{pid} socket(AF_INET, SOCK_STREAM{cloexec}, IPPROTO_TCP) = {fd}<TCP:[4711]>",
        f"{pid} connect({fd}<TCP:[4711]>, {TO}, 16) = 0",
    )


A = ["a: socket(AF_INET, SOCK_STREAM|SOCK_CLOEXEC, IPPROTO_TCP) = ok", "a: connect 10.0.0.2:80 = ok"]
A_STAYS = ["a: socket(AF_INET, SOCK_STREAM, IPPROTO_TCP) = ok", "a: connect 10.0.0.2:80 = ok"]


@pytest.mark.parametrize(
    "dup",
    [
        f"dup(4{CONN}) = 6{CONN}",
        f"dup2(4{CONN}, 6) = 6{CONN}",
        f"dup3(4{CONN}, 6, O_CLOEXEC) = 6{CONN}",
        f"fcntl(4{CONN}, F_DUPFD, 0) = 6{CONN}",
        f"fcntl(4{CONN}, F_DUPFD_CLOEXEC, 0) = 6{CONN}",
    ],
)
def test_the_last_close_ends_a_socket(dup: str) -> None:
    text = trace(
        *opened(), f"8 {dup}", f"8 close(4{CONN}) = 0", f'8 write(6{CONN}, "x", 1) = 1', f"8 close(6{CONN}) = 0"
    )
    assert on_sockets(text) == [*A, "a: close = ok", "a: write 1 = 1", "a: close = ok, its end"]


@pytest.mark.parametrize(
    "nothing",
    [
        f"dup2(4{CONN}, 4{CONN}) = 4{CONN}",
        f"dup2(4{CONN}, 1048577) = -1 EBADF (Bad file descriptor)",
        f"fcntl(4{CONN}, F_GETFD) = 0x1 (flags FD_CLOEXEC)",
        f"fcntl(4{CONN}, F_SETFL, O_RDWR|O_NONBLOCK) = 0",
        "dup(1</dev/null<char 1:3>>) = 6</dev/null<char 1:3>>",
    ],
)
def test_what_makes_no_other_descriptor_of_it(nothing: str) -> None:
    assert on_sockets(trace(*opened(), f"8 {nothing}", f"8 close(4{CONN}) = 0")) == [*A, "a: close = ok, its end"]


def test_a_descriptor_that_another_takes_over_leads_to_the_other_socket() -> None:
    text = trace(
        *opened(), *opened(fd=5),
        f"8 dup2(5{OTHER}, 4{CONN}) = 4{OTHER}",
        f"8 close(5{OTHER}) = 0",
        f'8 write(4{OTHER}, "x", 1) = 1',
        f"8 close(4{OTHER}) = 0",
    )  # fmt: skip
    b = [line.replace("a: ", "b: ") for line in A]
    assert on_sockets(text) == [
        *A, *b, "a: dup2 = ok, its end", "b: close = ok", "b: write 1 = 1", "b: close = ok, its end",
    ]  # fmt: skip


def test_a_descriptor_that_a_file_takes_over_is_no_socket_any_more() -> None:
    text = trace(
        *opened(),
        f"8 fcntl(4{CONN}, F_DUPFD_CLOEXEC, 0) = 6{CONN}",
        f"8 dup2(0</dev/null<char 1:3>>, 6{CONN}) = 6</dev/null<char 1:3>>",
        '8 write(6</dev/null<char 1:3>>, "x", 1) = 1',
        f"8 close(4{CONN}) = 0",
    )
    assert on_sockets(text) == [*A, "a: close = ok, its end"]


def test_a_number_that_is_given_out_again_is_another_socket() -> None:
    text = trace(*opened(), f"8 close(4{CONN}) = 0", *opened(), f"8 close(4{OTHER}) = 0")
    b = [line.replace("a: ", "b: ") for line in A]
    assert on_sockets(text) == [*A, "a: close = ok, its end", *b, "b: close = ok, its end"]


@pytest.mark.parametrize(
    "forked",
    [
        (f"8 {FORK} = 9",),
        (f"8 {FORK} <unfinished ...>", '9 read(3</etc/hosts>, "", 1) = 0', "8 <... clone resumed>) = 9"),
        ("8 vfork() = 9",),
    ],
    ids=["the parent first", "the child first", "vfork"],
)
def test_a_close_in_the_parent_only(forked: tuple[str, ...]) -> None:
    text = trace(
        *opened(), *forked,
        f"8 close(4{CONN}) = 0",
        f'9 write(4{CONN}, "x", 1) = 1',
        f"9 close(4{CONN}) = 0",
        "9 +++ exited with 0 +++",
        "8 +++ exited with 0 +++",
    )  # fmt: skip
    assert on_sockets(text) == [
        *A, "a: close = ok", "a: write 1 = 1", "a: close = ok, its end", "8 ends: exit 0",
    ]  # fmt: skip


@pytest.mark.parametrize(("said", "outcome"), [("exited with 1", "exit 1"), ("killed by SIGKILL", "signal SIGKILL")])
def test_a_process_ends(said: str, outcome: str) -> None:
    text = trace(
        *opened(), *opened(fd=5),
        f"8 {FORK} = 9",
        f"8 close(4{CONN}) = 0",
        f"9 +++ {said} +++",
        f'8 write(5{OTHER}, "x", 1) = 1',
        "8 +++ exited with 0 +++",
    )  # fmt: skip
    b = [line.replace("a: ", "b: ") for line in A]
    assert on_sockets(text) == [
        *A, *b, "a: close = ok", f"9 ends: {outcome}, closing a", "b: write 1 = 1", "8 ends: exit 0, closing b",
    ]  # fmt: skip


def test_a_child_that_had_nothing_of_its_own_ends_without_a_word() -> None:
    """But for the program itself, whose end is told in any case."""
    text = trace(*opened(), f"8 {FORK} = 9", "9 +++ exited with 0 +++", "8 +++ exited with 0 +++")
    assert on_sockets(text) == [*A, "8 ends: exit 0, closing a"]
    assert (read(text).first, [end.pid for end in read(text).ends]) == (8, [8])


def test_an_end_surely_came_after_what_the_process_was_last_seen_at() -> None:
    (end,) = read(trace(*opened(), f'8 write(4{CONN}, "x", 1) = 1', "8 +++ killed by SIGKILL +++")).ends
    assert (end.began_ns, end.time_ns) == (100_002_000_000, 100_003_000_000)


@pytest.mark.parametrize(
    "begun",
    [
        (f"8 {THREAD} => {{parent_tid=[9]}}, 88) = 9",),
        (
            f"8 {THREAD} <unfinished ...>",
            f"9 recvfrom(4{CONN},  <unfinished ...>",
            "8 <... clone3 resumed> => {parent_tid=[9]}, 88) = 9",
            "9 <... recvfrom resumed>0x7f, 5, 0, NULL, NULL) = -1 EAGAIN (Resource temporarily unavailable)",
        ),
    ],
    ids=["the thread later", "the thread first"],
)
def test_threads_share_their_descriptors(begun: tuple[str, ...]) -> None:
    text = trace(
        *opened(), *begun,
        f"9 close(4{CONN}) = 0",
        *opened(pid=9),
        "9 +++ exited with 0 +++",
        f'8 write(4{OTHER}, "x", 1) = 1',
        "8 +++ exited with 0 +++",
    )  # fmt: skip
    b = [line.replace("a: ", "b: ") for line in A]
    during = ["a: recv 5 = EAGAIN"] if len(begun) > 1 else []
    assert on_sockets(text) == [
        *A, *during, "a: close = ok, its end", *b, "b: write 1 = 1", "8 ends: exit 0, closing b",
    ]  # fmt: skip


def test_the_last_thread_takes_the_descriptors_with_it() -> None:
    """Whichever that is: the first one may end long before the others."""
    text = trace(
        *opened(),
        f"8 {THREAD} => {{parent_tid=[9]}}, 88) = 9",
        "8 +++ exited with 0 +++",
        "9 +++ killed by SIGTERM +++",
    )
    assert on_sockets(text) == [*A, "9 ends: signal SIGTERM, closing a"]


EXEC = '8 execve("/bin/true", ["true"], 0x7fbf14e703d0 /* 0 vars */) = 0'


def test_an_exec_closes_what_is_marked_so_and_leaves_the_rest() -> None:
    text = trace(
        *opened(), *opened(fd=5, cloexec=""), EXEC,
        f'8 write(5{OTHER}, "x", 1) = 1',
        "8 +++ exited with 0 +++",
    )  # fmt: skip
    b = [line.replace("a: ", "b: ") for line in A_STAYS]
    assert on_sockets(text) == [
        *A, *b, "a: execve = ok, its end", "b: write 1 = 1", "8 ends: exit 0, closing b",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("marked", "closed"),
    [
        ((f"8 fcntl(4{CONN}, F_SETFD, 0) = 0",), True),
        ((f"8 fcntl(4{CONN}, F_SETFD, 0) = 0", f"8 fcntl(4{CONN}, F_SETFD, FD_CLOEXEC) = 0"), False),
        ((), False),
        ((f"8 fcntl(4{CONN}, F_DUPFD, 0) = 6{CONN}",), True),
        ((f"8 fcntl(4{CONN}, F_DUPFD_CLOEXEC, 0) = 6{CONN}",), False),
        ((f"8 dup3(4{CONN}, 6, O_CLOEXEC) = 6{CONN}",), False),
        ((f"8 dup2(4{CONN}, 6) = 6{CONN}",), True),
    ],
    ids=["unmarked", "marked again", "as it was made", "dup", "dup, marked", "dup3, marked", "dup2"],
)
def test_the_mark_can_be_set_and_taken(marked: tuple[str, ...], closed: bool) -> None:
    """What is left after the exec goes with the process."""
    text = trace(*opened(), *marked, EXEC, "8 +++ exited with 0 +++")
    ends = ["8 ends: exit 0, closing a"] if closed else ["a: execve = ok, its end", "8 ends: exit 0"]
    assert on_sockets(text) == [*A, *ends]


def test_an_exec_that_fails_closes_nothing() -> None:
    failed = '8 execve("/sbin/true", ["true"], 0x557938a1eae8 /* 35 vars */) = -1 ENOENT (No such file or directory)'
    text = trace(*opened(), failed, f"8 close(4{CONN}) = 0")
    assert on_sockets(text) == [*A, "a: close = ok, its end"]


def test_a_close_by_exec_in_the_child_leaves_the_socket_to_the_parent() -> None:
    """subprocess.run() in a program with connections: its children have none of them for long."""
    text = trace(
        *opened(),
        "8 vfork( <unfinished ...>",
        '9 execve("/bin/true", ["true"], 0x7ff /* 0 vars */ <unfinished ...>',
        "8 <... vfork resumed>) = 9",
        "9 <... execve resumed>) = 0",
        f"8 close(4{CONN}) = 0",
        "9 +++ exited with 0 +++",
    )
    assert on_sockets(text) == [*A, "a: close = ok, its end"]


@pytest.mark.parametrize(
    ("call", "ended", "left"),
    [
        ("close_range(3, 4294967295, 0) = 0", ["a", "b"], []),
        ("close_range(4, 4, CLOSE_RANGE_UNSHARE) = 0", ["a"], ["b"]),
        ("close_range(5, 9, 0) = 0", ["b"], ["a"]),
        ("close_range(6, 4294967295, 0) = 0", [], ["a", "b"]),
        ("close_range(5, 4, 0) = -1 EINVAL (Invalid argument)", [], ["a", "b"]),
    ],
)
def test_many_are_closed_at_once(call: str, ended: list[str], left: list[str]) -> None:
    text = trace(*opened(), *opened(fd=5), f"8 {call}", "8 +++ exited with 0 +++")
    b = [line.replace("a: ", "b: ") for line in A]
    closes = [f"{one}: close_range = ok, its end" for one in ended]
    end = "8 ends: exit 0" + (f", closing {' '.join(left)}" if left else "")
    assert on_sockets(text) == [*A, *b, *closes, end]


def test_or_marked_to_be_closed_by_the_next_exec() -> None:
    text = trace(
        *opened(cloexec=""), "8 close_range(3, 1000, CLOSE_RANGE_CLOEXEC) = 0", EXEC, "8 +++ exited with 0 +++"
    )
    assert on_sockets(text) == [*A_STAYS, "a: execve = ok, its end", "8 ends: exit 0"]


def rights(*descriptors: str, flags: str = "0") -> str:
    """The second and the last argument of a call that has descriptors with it."""
    control = f"[{{cmsg_len=20, cmsg_level=SOL_SOCKET, cmsg_type=SCM_RIGHTS, cmsg_data=[{', '.join(descriptors)}]}}]"
    return (
        '{msg_name=NULL, msg_namelen=0, msg_iov=[{iov_base="x", iov_len=1}], msg_iovlen=1, '
        f"msg_control={control}, msg_controllen=24, msg_flags=0}}, {flags}"
    )


PAIR = "<UNIX-STREAM:[7719740->7719741]>"


@pytest.mark.parametrize(
    "sent",
    [
        (f"8 sendmsg(3{PAIR}, {rights(f'4{CONN}')}) = 1", f"9 recvmsg(3{PAIR}, {rights(f'7{CONN}')}) = 1"),
        (
            f"8 sendmsg(3{PAIR}, {rights(f'4{CONN}')} <unfinished ...>",
            f"9 recvmsg(3{PAIR}, {rights(f'7{CONN}')}) = 1",
            "8 <... sendmsg resumed>) = 1",
        ),
    ],
    ids=["sent", "got before it was sent"],
)
def test_a_socket_that_is_sent_on(sent: tuple[str, ...]) -> None:
    text = trace(
        f"8 {FORK} = 9", *opened(), f'8 write(4{CONN}, "x", 1) = 1', *sent,
        f"8 close(4{CONN}) = 0",
        f'9 write(7{CONN}, "x", 1) = 1',
        f"9 close(7{CONN}) = 0",
    )  # fmt: skip
    assert on_sockets(text) == [*A, "a: write 1 = 1", "a: close = ok", "a: write 1 = 1", "a: close = ok, its end"]


def test_one_whose_receiver_is_not_seen_is_not_ended_by_its_sender() -> None:
    text = trace(
        *opened(), f"8 sendmsg(3{PAIR}, {rights(f'4{CONN}', '1</dev/null<char 1:3>>')}) = 1", f"8 close(4{CONN}) = 0",
        "8 +++ exited with 0 +++",
    )  # fmt: skip
    assert on_sockets(text) == [*A, "a: close = ok", "8 ends: exit 0"]


def test_one_that_could_not_be_sent_stays_whose_it_was() -> None:
    failed = f"8 sendmsg(3{PAIR}, {rights(f'4{CONN}')}) = -1 EPIPE (Broken pipe)"
    assert on_sockets(trace(*opened(), failed, f"8 close(4{CONN}) = 0")) == [*A, "a: close = ok, its end"]


def test_one_that_nobody_here_has_sent_is_another() -> None:
    text = trace(
        *opened(), f"8 recvmsg(3{PAIR}, {rights(f'7{OTHER}', flags='MSG_CMSG_CLOEXEC')}) = 1",
        f'8 write(7{OTHER}, "x", 1) = 1',
    )  # fmt: skip
    assert on_sockets(text) == [*A, "b: write 1 = 1"]


def test_what_descriptors_meant_is_not_known_behind_lines_that_are_missing() -> None:
    """And nothing is said of them that was true before: their numbers may be others' by now."""
    text = trace(*opened(), f"8 recvfrom(4{CONN},  <unfinished ...>")
    rest = trace(f'8 write(4{OTHER}, "x", 1) = 1', f"8 close(5{CONN}) = 0", since_s=200)
    assert on_sockets(f"{text}... 12 lines are missing\n{rest}")[2:] == ["b: write 1 = 1", "c: close = ok, its end"]
    assert read(f"{text}... 12 lines are missing\n{rest}... 3 lines are missing\n").missing == 15
    assert read(text).missing == 0


LISTENER = "<TCP:[0.0.0.0:80]>"
PEER = '{sa_family=AF_INET, sin_port=htons(40000), sin_addr=inet_addr("10.0.0.1")}'
ACCEPTED = "<TCP:[10.0.0.2:80->10.0.0.1:40000]>"


def test_accept_makes_a_socket_of_its_own() -> None:
    text = trace(
        f"8 accept4(3{LISTENER}, {PEER}, [16], SOCK_CLOEXEC) = 4{ACCEPTED}",
        f"8 close(4{ACCEPTED}) = 0",
        f"8 accept4(3{LISTENER}, NULL, NULL, SOCK_CLOEXEC|SOCK_NONBLOCK) = 4{ACCEPTED}",
        f"8 close(3{LISTENER}) = 0",
        EXEC,
        "8 +++ exited with 0 +++",
    )
    assert on_sockets(text) == [
        "a: accept = ok, which is b", "b: close = ok, its end", "a: accept = ok, which is c", "a: close = ok, its end",
        "c: execve = ok, its end", "8 ends: exit 0",
    ]  # fmt: skip


def test_a_server_whose_children_serve_closes_its_copy_and_ends_nothing() -> None:
    text = trace(
        f"8 accept(3{LISTENER}, {PEER}, [16]) = 4{ACCEPTED}",
        f"8 {FORK} = 9",
        f"8 close(4{ACCEPTED}) = 0",
        f"9 close(3{LISTENER}) = 0",
        f'9 read(4{ACCEPTED}, "", 4096) = 0',
        "9 +++ exited with 0 +++",
    )
    assert on_sockets(text) == [
        "a: accept = ok, which is b", "b: close = ok", "a: close = ok", "b: read 4096 = eof",
        "9 ends: exit 0, closing b",
    ]  # fmt: skip


def test_a_socket_that_was_there_before() -> None:
    """As of a program that inherits its listener."""
    text = trace(
        f"8 accept(3{LISTENER}, {PEER}, [16]) = 4{ACCEPTED}", f"8 accept(3{LISTENER}, {PEER}, [16]) = 5{ACCEPTED}"
    )
    assert on_sockets(text) == ["a: accept = ok, which is b", "a: accept = ok, which is c"]


def test_epoll_tells_of_the_socket_that_was_given_to_it() -> None:
    text = trace(
        *opened(),
        f"8 epoll_ctl(5<anon_inode:[eventpoll]>, EPOLL_CTL_ADD, 4{CONN}, "
        "{events=EPOLLIN|EPOLLRDHUP, data={u32=7, u64=7}}) = 0",
        "8 epoll_wait(5<anon_inode:[eventpoll]>, [{events=EPOLLIN|EPOLLERR|EPOLLHUP, data={u32=7, u64=7}}, "
        "{events=EPOLLIN, data={u32=8, u64=8}}], 64, 1000) = 2",
    )
    assert on_sockets(text) == [*A, "a: epoll_wait IN RDHUP = IN ERR HUP"]


def test_splice_reads_and_writes() -> None:
    text = trace(
        *opened(),
        f"8 splice(4{CONN}, NULL, 8<pipe:[77]>, NULL, 100, 0) = 5",
        f"8 splice(7<pipe:[77]>, NULL, 4{CONN}, NULL, 6, 0) = 6",
    )
    calls = read(text).calls[2:]
    assert [(call.name, type(call.action).__name__, str(call.result)) for call in calls] == [
        ("splice", "Recv", "5"), ("splice", "Send", "6"),
    ]  # fmt: skip


def test_what_is_missing_in_the_middle_is_counted_and_forgotten() -> None:
    """A descriptor may be another socket's after it; nothing is said to be the end of one from before."""
    *before, after = trace(*opened(), f"8 close(4{CONN}) = 0").splitlines()
    text = "\n".join([*before, lines_missing(41), after])
    assert on_sockets(text) == [*A, "b: close = ok, its end"]
    assert read(text).missing == 41
