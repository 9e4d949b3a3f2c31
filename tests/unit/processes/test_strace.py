"""What strace 6.1 really wrote, and what is made of it.

Each text is an excerpt of a recording: curl against `python3 -m http.server`, both in a lab's nodes,
and small Python programs that were interrupted, refused or reset.
"""
# ruff: noqa: E501 - strace's lines are as long as they are

from __future__ import annotations

import random
import time

import pytest

from netsim.model.endpoint import Endpoint
from netsim.model.result import Signalled
from tests.unit.processes.traced import calls, read, said, told

CURL = """\
8     1795218183.650221 read(3</etc/hosts>, "127.0.0.1 localhost\\n10.0.0.1 cli"..., 4096) = 52 <0.000034>
8     1795218183.650400 connect(4<UNIX-STREAM:[254850]>, {sa_family=AF_UNIX, sun_path="/var/run/nscd/socket"}, 110) = -1 ENOENT (No such file or directory) <0.000047>
8     1795218183.650681 socket(AF_INET6, SOCK_DGRAM, IPPROTO_IP) = 5<UDPv6:[257649]> <0.000036>
8     1795218183.650797 close(5<UDPv6:[257649]>) = 0 <0.000036>
14    1795218183.651887 +++ exited with 0 +++
8     1795218183.652060 socket(AF_INET, SOCK_STREAM, IPPROTO_TCP) = 5<TCP:[257652]> <0.000036>
8     1795218183.652594 setsockopt(5<TCP:[257652]>, SOL_SOCKET, SO_KEEPALIVE, [1], 4) = 0 <0.000032>
8     1795218183.653364 connect(5<TCP:[257652]>, {sa_family=AF_INET, sin_port=htons(80), sin_addr=inet_addr("10.0.0.2")}, 16) = -1 EINPROGRESS (Operation now in progress) <0.000214>
8     1795218183.653876 getsockopt(5<TCP:[10.0.0.1:44880->10.0.0.2:80]>, SOL_SOCKET, SO_ERROR, [0], [4]) = 0 <0.000130>
8     1795218183.654247 getsockname(5<TCP:[10.0.0.1:44880->10.0.0.2:80]>, {sa_family=AF_INET, sin_port=htons(44880), sin_addr=inet_addr("10.0.0.1")}, [128 => 16]) = 0 <0.000027>
8     1795218183.654877 sendto(5<TCP:[10.0.0.1:44880->10.0.0.2:80]>, "GET /README HTTP/1.1\\r\\nHost: serv"..., 76, MSG_NOSIGNAL, NULL, 0) = 76 <0.000058>
8     1795218183.659179 recvfrom(5<TCP:[10.0.0.1:44880->10.0.0.2:80]>, "HTTP/1.0 200 OK\\r\\nServer: SimpleH"..., 102400, 0, NULL, NULL) = 202 <0.000028>
8     1795218183.659884 close(5<TCP:[10.0.0.1:44880->10.0.0.2:80]>) = 0 <0.000039>
8     1795218183.660930 +++ exited with 0 +++
"""

SERVER = """\
8     1795218183.182785 bind(3<TCP:[257623]>, {sa_family=AF_INET, sin_port=htons(80), sin_addr=inet_addr("0.0.0.0")}, 16) = 0 <0.000129>
8     1795218183.186412 listen(3<TCP:[0.0.0.0:80]>, 5) = 0 <0.000033>
8     1795218183.653800 accept4(3<TCP:[0.0.0.0:80]>, {sa_family=AF_INET, sin_port=htons(44880), sin_addr=inet_addr("10.0.0.1")}, [16], SOCK_CLOEXEC) = 4<TCP:[10.0.0.2:80->10.0.0.1:44880]> <0.000028>
14    1795218183.655513 recvfrom(4<TCP:[10.0.0.2:80->10.0.0.1:44880]>, "GET /README HTTP/1.1\\r\\nHost: serv"..., 8192, 0, NULL, NULL) = 76 <0.000065>
14    1795218183.659939 shutdown(4<TCP:[10.0.0.2:80->10.0.0.1:44880]>, SHUT_WR) = 0 <0.000053>
14    1795218183.660084 close(4<TCP:[10.0.0.2:80->10.0.0.1:44880]>) = 0 <0.000034>
14    1795218183.660428 +++ exited with 0 +++
8     1795218183.665747 --- SIGTERM {si_signo=SIGTERM, si_code=SI_USER, si_pid=0, si_uid=0} ---
8     1795218183.666802 +++ killed by SIGTERM +++
"""

THREADS = """\
14    1795218183.707559 accept4(3<TCP:[0.0.0.0:81]>,  <unfinished ...>
8     1795218183.709770 connect(4<TCP:[257667]>, {sa_family=AF_INET, sin_port=htons(81), sin_addr=inet_addr("10.0.0.2")}, 16) = 0 <0.000180>
14    1795218183.710172 <... accept4 resumed>{sa_family=AF_INET, sin_port=htons(46476), sin_addr=inet_addr("10.0.0.2")}, [16], SOCK_CLOEXEC) = 6<TCP:[10.0.0.2:81->10.0.0.2:46476]> <0.002521>
8     1795218183.710421 recvfrom(4<TCP:[10.0.0.2:46476->10.0.0.2:81]>,  <unfinished ...>
8     1795218183.727610 <... recvfrom resumed>0x7fcb8a2ce2a0, 100, 0, NULL, NULL) = ? ERESTARTSYS (To be restarted if SA_RESTART is set) <0.016938>
8     1795218183.727639 --- SIGALRM {si_signo=SIGALRM, si_code=SI_KERNEL} ---
8     1795218183.727658 recvfrom(4<TCP:[10.0.0.2:46476->10.0.0.2:81]>,  <unfinished ...>
14    1795218183.760868 sendto(6<TCP:[10.0.0.2:81->10.0.0.2:46476]>, "hel, lo) = 1", 12, 0, NULL, 0) = 12 <0.000071>
8     1795218183.761012 <... recvfrom resumed>"hel, lo) = 1", 100, 0, NULL, NULL) = 12 <0.033334>
14    1795218183.811239 setsockopt(6<TCP:[10.0.0.2:81->10.0.0.2:46476]>, SOL_SOCKET, SO_LINGER, {l_onoff=1, l_linger=0}, 8) = 0 <0.000010>
14    1795218183.811311 close(6<TCP:[10.0.0.2:81->10.0.0.2:46476]>) = 0 <0.000030>
8     1795218183.811494 recvfrom(4<TCP:[10.0.0.2:46476->10.0.0.2:81]>,  <unfinished ...>
14    1795218183.811555 +++ exited with 0 +++
8     1795218183.811572 <... recvfrom resumed>0x7fcb8a2ce2a0, 100, 0, NULL, NULL) = -1 ECONNRESET (Connection reset by peer) <0.000057>
"""

REFUSED = """\
8117  1795217334.268256 socket(AF_INET, SOCK_STREAM, IPPROTO_TCP) = 5<TCP:[220859]> <0.000014>
8117  1795217334.271196 connect(5<TCP:[220859]>, {sa_family=AF_INET, sin_port=htons(1), sin_addr=inet_addr("127.0.0.1")}, 16) = -1 EINPROGRESS (Operation now in progress) <0.000059>
8117  1795217334.271464 getsockopt(5<TCP:[220859]>, SOL_SOCKET, SO_ERROR, [ECONNREFUSED], [4]) = 0 <0.000012>
8117  1795217334.271682 close(5<TCP:[220859]>) = 0 <0.000015>
"""

BROKEN_PIPE = """\
8     1795217989.233504 sendto(6<TCP:[10.0.0.1:46606->10.0.0.1:80]>, "x", 1, 0, NULL, 0) = 1 <0.000062>
8     1795217989.335022 sendto(6<TCP:[10.0.0.1:46606->10.0.0.1:80]>, "y", 1, 0, NULL, 0) = -1 EPIPE (Broken pipe) <0.000012>
8     1795217989.335091 --- SIGPIPE {si_signo=SIGPIPE, si_code=SI_USER, si_pid=8, si_uid=65534} ---
8     1795217989.335801 +++ killed by SIGPIPE +++
"""

IPV6 = """\
8     1795218183.812581 bind(5<TCPv6:[257672]>, {sa_family=AF_INET6, sin6_port=htons(82), sin6_flowinfo=htonl(0), inet_pton(AF_INET6, "::1", &sin6_addr), sin6_scope_id=0}, 28) = -1 EADDRNOTAVAIL (Cannot assign requested address) <0.000010>
26526 1795218415.874352 accept4(3<TCPv6:[[::1]:82]>, {sa_family=AF_INET6, sin6_port=htons(39504), sin6_flowinfo=htonl(0), inet_pton(AF_INET6, "::1", &sin6_addr), sin6_scope_id=0}, [28], SOCK_CLOEXEC) = 5<TCPv6:[[::1]:82->[::1]:39504]> <0.000044>
26526 1795218415.874857 recvfrom(4<TCPv6:[[::1]:39504->[::1]:82]>, "", 5, 0, NULL, NULL) = 0 <0.000037>
"""

EOF = '8 100.000001 read(6<TCP:[10.0.0.1:46606->10.0.0.1:80]>, "", 4096) = 0 <0.000003>\n'


def test_curl_is_its_calls_on_tcp_sockets_and_nothing_else() -> None:
    assert told(CURL) == [
        "socket(AF_INET, SOCK_STREAM, IPPROTO_TCP) = ok",
        "setsockopt keepalive on = ok",
        "connect 10.0.0.2:80 = EINPROGRESS",
        "getsockopt = ok",
        "getsockname(10.0.0.1:44880) = ok",
        "send 76 = 76",
        "recv 102400 = 202",
        "close = ok",
    ]


def test_a_server_shows_who_connected() -> None:
    assert told(SERVER) == [
        "bind 80 = ok",
        "listen 80 backlog 5 = ok",
        "accept = ok",
        "recv 8192 = 76",
        "shutdown wr = ok",
        "close = ok",
    ]
    bind, listen, accept, *_ = calls(SERVER)
    assert (bind.local, listen.local) == (Endpoint("0.0.0.0", 80),) * 2
    assert (accept.local, accept.remote) == (Endpoint("10.0.0.2", 80), Endpoint("10.0.0.1", 44880))


def test_times_are_moved_to_the_other_clock() -> None:
    offset_ns = -1795218183_000000000
    connect = calls(CURL, offset_ns)[2]
    assert (connect.time_ns, connect.end_ns) == (653_364_000, 653_364_000 + 214_000)


def test_a_call_knows_whose_it_is() -> None:
    call = calls(CURL)[0]
    assert (call.node, call.process, call.step, call.pid, call.traced) == ("client", "client.web", 3, 8, True)


def test_a_connection_is_one_socket_all_its_life() -> None:
    assert {call.socket for call in calls(CURL)} == {"client.web:3:8.1"}


def test_connect_learns_its_own_address_from_the_next_call() -> None:
    connect = calls(CURL)[2]
    assert (connect.local, connect.remote) == (Endpoint("10.0.0.1", 44880), Endpoint("10.0.0.2", 80))


def test_a_refused_connect_is_told_by_so_error() -> None:
    assert told(REFUSED)[1:3] == ["connect 127.0.0.1:1 = EINPROGRESS", "getsockopt = ECONNREFUSED"]
    assert [call.remote for call in calls(REFUSED)[1:]] == [Endpoint("127.0.0.1", 1)] * 3


def test_interleaved_threads_are_told_apart() -> None:
    accept, connect, *_ = calls(THREADS)
    assert (accept.name, accept.pid, accept.end_ns - accept.time_ns) == ("accept", 14, 2_521_000)
    assert (connect.name, connect.pid, connect.local) == ("connect", 8, Endpoint("10.0.0.2", 46476))


def test_a_call_that_the_kernel_begins_again_after_a_signal_is_one_call() -> None:
    first, last = (call for call in calls(THREADS) if call.name == "recv")
    assert (str(first.result), first.end_ns - first.time_ns) == ("12", 727_658_000 - 710_421_000 + 33_334_000)
    assert (str(last.result), last.failed) == ("ECONNRESET", True)


def test_a_call_that_a_signal_ended_is_eintr() -> None:
    before, _, _ = THREADS.partition("8     1795218183.727658 recvfrom")
    text = before + "8     1795218183.727658 close(4<TCP:[10.0.0.2:46476->10.0.0.2:81]>) = 0 <0.000010>\n"
    assert told(text)[2:] == ["recv 100 = EINTR", "close = ok"]
    assert calls(text)[2].end_ns == 1795218183_710421000 + 16_938_000


@pytest.mark.parametrize(
    ("end", "result"),
    [
        ("8 1795218190.000000 +++ killed by SIGKILL +++\n", Signalled("SIGKILL")),
        ("8 1795218190.000000 +++ exited with 0 +++\n", None),
        ("", None),
    ],
)
def test_a_call_that_never_returned_lasts_to_the_end(end: str, result: Signalled | None) -> None:
    before, _, _ = THREADS.partition("14    1795218183.811555")
    last = calls(before + end)[-1]
    assert (last.name, last.result, last.local) == ("recv", result, Endpoint("10.0.0.2", 46476))
    assert last.end_ns == (1795218190_000000000 if end else last.time_ns)


def test_what_is_sent_is_not_taken_for_strace_s_own_words() -> None:
    assert "send 12 = 12" in told(THREADS)


def test_the_write_that_killed_is_epipe() -> None:
    assert told(BROKEN_PIPE) == ["send 1 = 1", "send 1 = EPIPE"]
    (end,) = read(BROKEN_PIPE).ends
    assert (end.outcome, end.time_ns, end.pid) == (Signalled("SIGPIPE"), 1795217989_335801000, 8)


def test_a_read_of_nothing_is_the_end_of_the_stream() -> None:
    assert told(EOF) == ["read 4096 = eof"]
    assert told(EOF.replace("4096) = 0", "0) = 0")) == ["read 0 = 0"]


def test_ipv6() -> None:
    bind, accept, recv = calls(IPV6)
    assert (str(bind.action), str(bind.result), bind.local) == ("82", "EADDRNOTAVAIL", Endpoint("::1", 82))
    assert (accept.local, accept.remote) == (Endpoint("::1", 82), Endpoint("::1", 39504))
    assert (str(recv.result), recv.local, recv.remote) == ("eof", Endpoint("::1", 39504), Endpoint("::1", 82))


def test_a_reset_socket_keeps_the_addresses_that_it_had() -> None:
    later = "8 1795217990.0 recvfrom(6<TCP:[251]>, 0x7f, 9, 0, NULL, NULL) = -1 ECONNRESET (Connection reset) <0.1>\n"
    first, _, _ = BROKEN_PIPE.partition("8     1795217989.335022")
    last = calls(first + later)[-1]
    assert str(last.result) == "ECONNRESET"
    assert (last.local, last.remote) == (Endpoint("10.0.0.1", 46606), Endpoint("10.0.0.1", 80))


@pytest.mark.parametrize("cut", range(0, 200, 7))
def test_a_text_cut_anywhere_is_read_as_far_as_it_goes(cut: int) -> None:
    whole = calls(CURL)
    assert calls(CURL[: len(CURL) - cut])[: len(whole) - 4] == whole[:-4]
    calls(CURL[cut:])


CONN = "<TCP:[10.0.0.1:40000->10.0.0.2:80]>"


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        ("SOL_SOCKET, SO_LINGER, {l_onoff=1, l_linger=0}, 8", "linger 0"),
        ("SOL_SOCKET, SO_LINGER, {l_onoff=1, l_linger=7}, 8", "linger 7"),
        ("SOL_SOCKET, SO_LINGER, {l_onoff=0, l_linger=7}, 8", "linger off"),
        ("SOL_SOCKET, SO_KEEPALIVE, [1], 4", "keepalive on"),
        ("SOL_TCP, TCP_NODELAY, [0], 4", "nodelay off"),
        ("SOL_SOCKET, SO_REUSEADDR, [1], 4", "reuseaddr on"),
        ("SOL_SOCKET, SO_REUSEPORT, [1], 4", "reuseport on"),
        ("SOL_TCP, TCP_USER_TIMEOUT, [5000], 4", "user_timeout 5s"),
        (r'SOL_SOCKET, SO_RCVTIMEO_OLD, "\2\0\0\0\0\0\0\0 \241\7\0\0\0\0\0", 16', "rcvtimeo 2.5s"),
        (r'SOL_SOCKET, SO_SNDTIMEO_OLD, "\7\0\0\0\0\0\0\0\n\0\0\0\0\0\0\0", 16', "sndtimeo 7.00001s"),
        (r'SOL_SOCKET, SO_RCVTIMEO_OLD, "\0\0\0\0\0\0\0\0\"\0\0\0\0\0\0\0", 16', "rcvtimeo 34us"),
        ("SOL_SOCKET, SO_RCVTIMEO_NEW, {tv_sec=2, tv_usec=500000}, 16", "rcvtimeo 2.5s"),
        ("SOL_SOCKET, SO_SNDBUF, [4096], 4", "sndbuf 4096"),
        ("SOL_SOCKET, SO_RCVBUF, [4096], 4", "rcvbuf 4096"),
        ("SOL_TCP, TCP_KEEPIDLE, [7], 4", "keepidle 7"),
        ("SOL_TCP, TCP_KEEPINTVL, [1], 4", "keepintvl 1"),
        ("SOL_IP, IP_TOS, [16], 4", "tos 16"),
        ("SOL_IPV6, IPV6_V6ONLY, [1], 4", "v6only 1"),
    ],
)
def test_an_option_is_set_as_a_step_would(call: str, expected: str) -> None:
    assert told(f"8 1.0 setsockopt(4{CONN}, {call}) = 0\n") == [f"setsockopt {expected} = ok"]


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        ("SOL_SOCKET, SO_ERROR, [0], [4]) = 0", "getsockopt = ok"),
        ("SOL_SOCKET, SO_ERROR, [ECONNRESET], [4]) = 0", "getsockopt = ECONNRESET"),
        ("SOL_SOCKET, SO_ERROR, [111], [4]) = 0", "getsockopt = ECONNREFUSED"),
        ("SOL_SOCKET, SO_ERROR, [4095], [4]) = 0", "getsockopt = E4095"),
        ("SOL_SOCKET, SO_ERROR, 0x7ffc, [4]) = -1 EFAULT (Bad address)", "getsockopt = EFAULT"),
        ("SOL_TCP, TCP_INFO, {tcpi_state=TCP_ESTABLISHED, tcpi_ca_state=0}, [104]) = 0", "getsockopt(TCP_INFO) = ok"),
    ],
)
def test_what_an_option_told(call: str, expected: str) -> None:
    assert told(f"8 1.0 getsockopt(4{CONN}, {call}\n") == [expected]


IOV = '{msg_name=NULL, msg_namelen=0, msg_iov=[{iov_base="ab", iov_len=2}, {iov_base="c", iov_len=1}], msg_iovlen=2}'


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        (f'recvfrom(4{CONN}, "x", 10, MSG_PEEK, NULL, NULL) = 1', "recv 10 MSG_PEEK = 1"),
        (f'recvfrom(4{CONN}, "x", 10, MSG_PEEK|MSG_DONTWAIT, NULL, NULL) = 1', "recv 10 MSG_PEEK = 1"),
        (f'recvfrom(4{CONN}, "x", 65536, 0, NULL, NULL) = 1', "recv = 1"),
        (f'recvfrom(4{CONN}, "abcde", 5, MSG_WAITALL, NULL, NULL) = 5', "recv 5 waitall = 5"),
        (f'recvfrom(4{CONN}, "", 5, 0, NULL, NULL) = 0', "recv 5 = eof"),
        (f'recvfrom(4{CONN}, "", 0, 0, NULL, NULL) = 0', "recv 0 = 0"),
        (f"recvmsg(4{CONN}, {IOV}, 0) = 3", "recvmsg() = 3"),
        (f"recvmsg(4{CONN}, {IOV}, MSG_PEEK) = 3", "recvmsg(MSG_PEEK) = 3"),
        (f"recvmsg(4{CONN}, {IOV}, 0) = 0", "recvmsg() = eof"),
        (f"readv(4{CONN}, [{{iov_base=\"\", iov_len=9}}], 1) = 0", "readv() = eof"),
        (f"sendmsg(4{CONN}, {IOV}, MSG_NOSIGNAL) = 3", "sendmsg() = 3"),
        (f'writev(4{CONN}, [{{iov_base="ab", iov_len=2}}], 1) = 2', "writev() = 2"),
        (f'write(4{CONN}, "a,(b", 4) = -1 ECONNRESET (Connection reset by peer)', "write 4 = ECONNRESET"),
        (f'sendto(4{CONN}, "x", 1, MSG_FASTOPEN|MSG_NOSIGNAL, NULL, 0) = 1', "send 1 MSG_FASTOPEN = 1"),
        (f"sendfile(4{CONN}, 7</tmp/f>, [0] => [50], 50) = 50", "sendfile 50 = 50"),
        (f"sendfile64(4{CONN}, 7</tmp/f>, NULL, 9) = -1 EPIPE (Broken pipe)", "sendfile 9 = EPIPE"),
        (f"splice(4{CONN}, NULL, 9<pipe:[7719742]>, NULL, 20, 0) = 20", "splice 20 = 20"),
        (f"splice(8<pipe:[7719742]>, NULL, 4{CONN}, NULL, 10, SPLICE_F_MORE) = 10", "splice 10 = 10"),
        (f"shutdown(4{CONN}, SHUT_RD) = 0", "shutdown rd = ok"),
        (f"shutdown(4{CONN}, SHUT_RDWR) = -1 ENOTCONN (Transport endpoint is not connected)", "shutdown rdwr = ENOTCONN"),
        (f"listen(4{CONN}, 4096) = 0", "listen 40000 backlog 4096 = ok"),
        (f"getpeername(4{CONN}, 0x7ffe, [16]) = -1 ENOTCONN (Transport)", "getpeername() = ENOTCONN"),
        ('bind(3<TCP:[1]>, {sa_family=AF_INET, sin_port=htons(0), sin_addr=inet_addr("0.0.0.0")}, 16) = 0', "bind 0 = ok"),
    ],
)  # fmt: skip
def test_a_call(call: str, expected: str) -> None:
    assert told(f"8 1.0 {call} <0.000009>\n") == [expected]


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        (
            "socket(AF_INET, SOCK_RAW|SOCK_CLOEXEC, IPPROTO_TCP) = 6<RAW:[2627590]>",
            ["socket(AF_INET, SOCK_RAW|SOCK_CLOEXEC, IPPROTO_TCP) = ok"],
        ),
        (
            "socket(AF_INET6, SOCK_RAW, IPPROTO_RAW) = -1 EPERM (Operation not permitted)",
            ["socket(AF_INET6, SOCK_RAW, IPPROTO_RAW) = EPERM"],
        ),
        (
            "socket(AF_PACKET, SOCK_RAW|SOCK_CLOEXEC, htons(ETH_P_ALL)) = 7<socket:[2627591]>",
            ["socket(AF_PACKET, SOCK_RAW|SOCK_CLOEXEC, htons(ETH_P_ALL)) = ok"],
        ),
        (
            "socket(AF_PACKET, SOCK_DGRAM, htons(ETH_P_IP)) = 7<PACKET:[2627591]>",
            ["socket(AF_PACKET, SOCK_DGRAM, htons(ETH_P_IP)) = ok"],
        ),
        (
            "io_uring_setup(8, {flags=0, sq_entries=8, sq_off={head=0, tail=4}}) = 5<anon_inode:[io_uring]>",
            ["io_uring_setup() = ok"],
        ),
        ("io_uring_setup(8, 0x7ff) = -1 ENOSYS (Function not implemented)", []),
        ("socket(AF_NETLINK, SOCK_RAW|SOCK_CLOEXEC, NETLINK_ROUTE) = 8<NETLINK:[2627592]>", []),
        ("socket(AF_INET, SOCK_DGRAM, IPPROTO_UDP) = 8<UDP:[2627592]>", []),
        ("socket(AF_UNIX, SOCK_STREAM, 0) = 8<UNIX-STREAM:[2627592]>", []),
        (
            "socket(AF_INET, SOCK_STREAM, IPPROTO_IP) = -1 EMFILE (Too many open files)",
            ["socket(AF_INET, SOCK_STREAM, IPPROTO_IP) = EMFILE"],
        ),
    ],
)
def test_raw_sockets(call: str, expected: list[str]) -> None:
    """And is told of, as whoever cannot have a TCP socket, or makes calls that strace does not see (io_uring).

    Sockets for names, routes and files of this host are not.
    """
    assert told(f"8 1.0 {call} <0.000009>\n") == expected


def test_what_goes_over_a_raw_socket_is_left_out() -> None:
    sent = 'sendto(6<RAW:[2627590]>, "E\\0", 40, 0, {sa_family=AF_INET, sin_port=htons(0), sin_addr=inet_addr("10.0.0.2")}, 16) = 40'
    assert told(f"8 1.0 {sent}\n8 2.0 close(6<RAW:[2627590]>) = 0\n") == []


OTHER, LISTENER = "<TCP:[10.0.0.1:40001->10.0.0.2:80]>", "<TCP:[0.0.0.0:81]>"
ASKED = (
    f"[{{fd=3{LISTENER}, events=POLLIN}}, {{fd=5</dev/null<char 1:3>>, events=POLLIN}}, {{fd=4{CONN}, "
    f"events=POLLIN|POLLOUT|POLLRDHUP}}, {{fd=6{OTHER}, events=POLLPRI|POLLRDNORM}}]"
)
MADE = "".join(
    f"8 0.{fd} setsockopt({fd}{about}, SOL_TCP, TCP_NODELAY, [1], 4) = 0\n"
    for fd, about in ((3, LISTENER), (4, CONN), (6, OTHER))
)


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        ("= 1 ([{fd=4, revents=POLLOUT}])", {4: "poll IN OUT RDHUP = OUT"}),
        (
            "= 3 ([{fd=3, revents=POLLIN}, {fd=5, revents=POLLIN}, {fd=6, revents=POLLERR|POLLHUP}])",
            {3: "poll IN = IN", 6: "poll PRI = ERR HUP"},
        ),
        ("= 1 ([{fd=5, revents=POLLIN}])", {}),
        ("= 1 ([{fd=9, revents=POLLNVAL}])", {}),
        ("= 0 (Timeout)", {}),
        ("= -1 EINTR (Interrupted system call)", {}),
        ("= ? ERESTART_RESTARTBLOCK (Interrupted by signal)", {}),
    ],
)
@pytest.mark.parametrize("call", ["poll({}, 4, 1000)", "ppoll({}, 4, {{tv_sec=1, tv_nsec=0}}, NULL, 8)"])
def test_poll_tells_of_each_socket(call: str, result: str, expected: dict[int, str]) -> None:
    if "ppoll" in call:
        result = result.replace("])", "], left {tv_sec=0, tv_nsec=9})")
    found = calls(f"{MADE}8 1.0 {call.format(ASKED)} {result} <0.000009>\n")
    made = {call.socket: fd for call, fd in zip(found[:3], (3, 4, 6), strict=True)}
    assert {made[call.socket]: said(call) for call in found[3:]} == expected


def test_poll_shows_the_addresses_of_all_that_it_asked_for() -> None:
    """A connection that was made without waiting has its own address by then."""
    connect = (
        '8 1.0 connect(4<TCP:[1]>, {sa_family=AF_INET, sin_port=htons(80), sin_addr=inet_addr("10.0.0.2")}, 16) '
        "= -1 EINPROGRESS (Operation now in progress)\n"
    )
    poll = f"8 2.0 poll([{{fd=4{CONN}, events=POLLOUT}}], 1, 500) = 1 ([{{fd=4, revents=POLLOUT}}])\n"
    assert [call.local for call in calls(connect + poll)] == [Endpoint("10.0.0.1", 40000)] * 2


EPOLL = "<anon_inode:[eventpoll]>"


@pytest.mark.parametrize(
    ("told_data", "events", "expected"),
    [
        ("{u32=4, u64=139758235811844}", "EPOLLIN|EPOLLERR|EPOLLHUP|EPOLLRDHUP", ["epoll_wait IN = IN ERR HUP RDHUP"]),
        ("{u32=5, u64=139758235811845}", "EPOLLIN", []),
        ("0x7fff0004", "EPOLLIN", []),
    ],
)
@pytest.mark.parametrize("call", ["epoll_wait", "epoll_pwait", "epoll_pwait2"])
def test_epoll_wait(call: str, told_data: str, events: str, expected: list[str]) -> None:
    asked = "{events=EPOLLIN|EPOLLET, data={u32=4, u64=139758235811844}}"
    added = f"8 1.0 epoll_ctl(6{EPOLL}, EPOLL_CTL_ADD, 4{CONN}, {asked}) = 0\n"
    waited = f"8 2.0 {call}(6{EPOLL}, [{{events={events}, data={told_data}}}], 1023, 1000) = 1\n"
    assert told(MADE + added + waited)[3:] == expected
    assert told(MADE + waited)[3:] == []  # it was asked for elsewhere, before anybody looked
    elsewhere = waited.replace(f"(6{EPOLL}", f"(7{EPOLL}")
    assert told(MADE + added + elsewhere)[3:] == []


def test_epoll_goes_by_what_was_asked_for_last() -> None:
    data = "data={u32=4, u64=4}}"
    text = MADE + "".join(
        f"8 1.0 epoll_ctl(6{EPOLL}, {asked}) = 0\n"
        for asked in (
            f"EPOLL_CTL_ADD, 4{CONN}, {{events=EPOLLIN, {data}",
            f"EPOLL_CTL_MOD, 4{CONN}, {{events=EPOLLOUT, {data}",
            f"EPOLL_CTL_ADD, 5</dev/null<char 1:3>>, {{events=EPOLLIN, {data}",
            f"EPOLL_CTL_DEL, 4{CONN}, 0x7ffc7ea92e54",
        )
    )
    waited = f"8 2.0 epoll_wait(6{EPOLL}, [{{events=EPOLLOUT, {data}], 1023, 1000) = 1\n"
    assert told(text + waited)[3:] == ["epoll_wait OUT = OUT"]


TO = '{sa_family=AF_INET, sin_port=htons(80), sin_addr=inet_addr("10.0.0.2")}'


def locals_of(text: str) -> list[int | None]:
    """The own port of each call."""
    return [call.local.port if call.local else None for call in calls(text)]


def test_each_attempt_of_one_socket_has_its_own_port() -> None:
    """The first was refused, and nobody can tell any more which it had."""
    text = (
        f"8 1.0 connect(4<TCP:[1]>, {TO}, 16) = -1 ECONNREFUSED (Connection refused)\n"
        f"8 2.0 connect(4<TCP:[1]>, {TO}, 16) = 0\n"
        f'8 3.0 write(4{CONN}, "x", 1) = 1\n'
    )
    assert locals_of(text) == [None, 40000, 40000]


def test_connect_may_be_asked_how_it_went() -> None:
    text = (
        f"8 1.0 connect(4<TCP:[1]>, {TO}, 16) = -1 EINPROGRESS (Operation now in progress)\n"
        f"8 2.0 connect(4{CONN}, {TO}, 16) = -1 EISCONN (Transport endpoint is already connected)\n"
    )
    assert locals_of(text) == [40000, 40000]


def test_a_port_that_was_chosen_stays() -> None:
    bind = '{sa_family=AF_INET, sin_port=htons(4000), sin_addr=inet_addr("0.0.0.0")}'
    text = (
        f"8 1.0 bind(4<TCP:[1]>, {bind}, 16) = 0\n"
        f"8 2.0 connect(4<TCP:[1]>, {TO}, 16) = -1 ECONNREFUSED (Connection refused)\n"
        f"8 3.0 connect(4<TCP:[1]>, {TO}, 16) = -1 ETIMEDOUT (Connection timed out)\n"
        "8 4.0 connect(4<TCP:[1]>, {sa_family=AF_UNSPEC}, 16) = 0\n"
    )
    assert locals_of(text) == [4000] * 4
    assert [call.remote for call in calls(text)] == [None, *[Endpoint("10.0.0.2", 80)] * 2, None]


PEER = '{sa_family=AF_INET, sin_port=htons(42368), sin_addr=inet_addr("10.0.0.1")}'
RESET_IN_THE_QUEUE = f"""\
8 1.0 accept4(3<TCP:[0.0.0.0:80]>, {PEER}, [16], SOCK_CLOEXEC) = 4<TCP:[2627589]> <0.000063>
8 2.0 recvfrom(4<TCP:[2627589]>, 0x7f, 1, 0, NULL, NULL) = -1 ECONNRESET (Connection reset by peer) <0.000054>
"""
ASKS_ITS_NAME = """\
8 1.5 getsockname(4<TCP:[2627589]>, {sa_family=AF_INET, sin_port=htons(80), sin_addr=inet_addr("10.0.0.2")}, [16]) = 0
"""


def test_a_connection_that_was_reset_before_it_was_accepted_tells_who_made_it() -> None:
    accept, recv = calls(RESET_IN_THE_QUEUE)
    assert (accept.remote, recv.remote) == (Endpoint("10.0.0.1", 42368),) * 2
    assert (accept.made, str(recv.result)) == (recv.socket, "ECONNRESET")


def test_and_its_own_end_where_the_program_asks_for_it() -> None:
    first, _, second = RESET_IN_THE_QUEUE.partition("8 2.0")
    accept, _, recv = calls(first + ASKS_ITS_NAME + "8 2.0" + second)
    assert (accept.local, recv.local) == (Endpoint("10.0.0.2", 80),) * 2


def test_a_call_has_ended_when_its_line_was_read_at_the_latest() -> None:
    """strace counts a duration from after its own work at the beginning, so that a call may have taken longer."""
    line = f'8 100.000000 write(4{CONN}, "x", 1) = 1 <0.000030>'
    assert [call.end_ns for call in calls(line + "\n")] == [100_000_030_000]
    assert [call.end_ns for call in calls(line + " @100000090000\n")] == [100_000_090_000]
    assert [call.end_ns for call in calls(line + " @100000010000\n")] == [100_000_030_000]  # it came at once


@pytest.mark.parametrize(("pid", "end_ns"), [(8, 100_000_050_000), (9, 100_000_090_000)])
def test_a_call_has_ended_at_the_next_one_of_its_thread(pid: int, end_ns: int) -> None:
    line = f'8 100.000000 write(4{CONN}, "x", 1) = 1 <0.000030> @100000090000\n'
    text = line + f"{pid} 100.000050 close(5{OTHER}) = 0 <0.000010> @100000200000\n"
    assert calls(text)[0].end_ns == end_ns


def test_stamps_are_of_the_monotonic_clock() -> None:
    """And only strace's own times have to be moved to it."""
    text = f'8 100.000000 write(4{CONN}, "x", 1) = 1 <0.000030> @90000\n'
    (call,) = calls(text, offset_ns=-100_000_000_000)
    assert (call.time_ns, call.end_ns) == (0, 90_000)


@pytest.mark.parametrize(
    "died",
    [
        f"8 2.0 recvfrom(4{CONN},  <unfinished ...>) = ?\n",
        f"8 2.0 recvfrom(4{CONN}, 0x7f, 1, 0, NULL, NULL) = ?\n",
        f"8 2.0 recvfrom(4{CONN},  <unfinished ...>\n8 3.0 <... recvfrom resumed> <unfinished ...>) = ?\n",
        f"8 2.0 recvfrom(4{CONN},  <unfinished ...>\n8 3.0 <... recvfrom resumed>0x7f, 1, 0, NULL, NULL) = ? <unavailable>\n",
        f"8 2.0 recvfrom(4{CONN},  <unfinished ...>\n",
    ],
)  # fmt: skip
def test_a_call_in_which_the_process_was_killed_says_so(died: str) -> None:
    """strace writes of it in any of these ways."""
    (call,) = calls(died + "8 4.0 +++ killed by SIGKILL +++\n")
    assert (call.name, call.time_ns, call.result, call.end_ns) == (
        "recv", 2_000_000_000, Signalled("SIGKILL"), 4_000_000_000
    )  # fmt: skip


NONSENSE = [
    "",
    "strace: Process 12 attached",
    "8 1.0 <... recvfrom resumed>) = 0 <0.1>",
    "8 1.0 socket(AF_INET) = -1 EPERM (no TCP)",
    "8 1.0 recvfrom(5<TCP:[1]> = ?",
    "9" * 5000 + " 1.0 close(5<TCP:[1]>) = 0",
    "8 1.0 close(" + "9" * 5000 + "<TCP:[1]>) = 0",
    "8 1.0 getsockopt(5<TCP:[1]>, SOL_SOCKET) = 0",
    '8 1.0 write(5<TCP:[1]>, "\\',
    "8 1.0 connect(5<TCP:[[[[]>, {sa_family=AF_INET, sin_port=htons(1), {{{{}) = 0",
]


@pytest.mark.parametrize("nonsense", NONSENSE)
def test_a_program_that_writes_into_its_own_trace_breaks_nothing(nonsense: str) -> None:
    calls(nonsense + "\n" + CURL)


LONG = 200_000
HOSTILE = {
    "descriptors": "8 1.0 poll([" + "{fd=4<TCP:[" * (LONG // 12) + ") = 1",
    "results": "8 1.0 poll([" + "fd=4<" * (LONG // 5) + "], 1, 1) = 1 ([{fd=4, revents=POLLIN}])",
    "rights": "8 1.0 sendmsg(5<UNIX:[1]>, {" + "cmsg_type=SCM_RIGHTS, cmsg_data=[" * (LONG // 35) + ") = 1",
    "addresses": "8 1.0 connect(4<TCP:[1]>, " + "{sa_family=AF_INET, sin_port=htons(1)," * (LONG // 38) + ") = 0",
    "brackets": "8 1.0 close(4<TCP:[" + "[]" * (LONG // 2) + "]>) = 0",
    "parentheses": "8 1.0 close(4<TCP:[1]>" + ")        " * (LONG // 9) + "= 0",
    "epoll": "8 1.0 epoll_wait(4, [" + "{events=EPOLLIN, data={" * (LONG // 23) + ") = 1",
    "backslashes": "8 1.0 write(4<TCP:[1]>, " + '"\\' * (LONG // 2) + ") = 0",
    "stamps": "8 1.0 close(4<TCP:[1]>) = 0" + " @1" * (LONG // 3),
    "deaths": "8 1.0 <... close resumed>" + ") = ? ERESTART" * (LONG // 14),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_line_that_was_written_to_take_long_does_not(kind: str) -> None:
    """Twice as long takes twice the time, some 10 ms in all; four times the time would be a minute and more here."""
    began = time.process_time()
    calls(HOSTILE[kind])
    assert time.process_time() - began < 10


MORE = """\
8 1.0 epoll_ctl(6<anon_inode:[eventpoll]>, EPOLL_CTL_ADD, 4<TCP:[10.0.0.1:40000->10.0.0.2:80]>, {events=EPOLLIN, data={u32=4, u64=4}}) = 0
8 2.0 epoll_wait(6<anon_inode:[eventpoll]>, [{events=EPOLLIN, data={u32=4, u64=4}}], 1023, -1) = 1 <0.000040>
8 3.0 sendfile(4<TCP:[10.0.0.1:40000->10.0.0.2:80]>, 7</tmp/f>, [0] => [50], 50) = 50 <0.000066>
8 4.0 splice(8<pipe:[7719742]>, NULL, 4<TCP:[10.0.0.1:40000->10.0.0.2:80]>, NULL, 10, 0) = 10 <0.000057>
8 5.0 sendmsg(3<UNIX:[1]>, {msg_control=[{cmsg_type=SCM_RIGHTS, cmsg_data=[4<TCP:[10.0.0.1:40000->10.0.0.2:80]>]}]}, 0) = 1
9 6.0 recvmsg(3<UNIX:[1]>, {msg_control=[{cmsg_type=SCM_RIGHTS, cmsg_data=[7<TCP:[10.0.0.1:40000->10.0.0.2:80]>]}]}, 0) = 1
8 7.0 close_range(3, 1000, CLOSE_RANGE_CLOEXEC) = 0 <0.000040>
8 8.0 setsockopt(4<TCP:[10.0.0.1:40000->10.0.0.2:80]>, SOL_SOCKET, SO_RCVTIMEO_OLD, "\\2\\0\\0\\0\\0\\0\\0\\0 \\241\\7\\0", 16) = 0
8 9.0 fcntl(4<TCP:[10.0.0.1:40000->10.0.0.2:80]>, F_DUPFD_CLOEXEC, 0) = 6<TCP:[10.0.0.1:40000->10.0.0.2:80]>
8 10.0 clone(child_stack=NULL, flags=CLONE_FILES|SIGCHLD) = 9
"""
PIECES = [
    "9" * 5000, "-1", "?", "0", "1e9", "\u00b2", "NULL", "[]", "{}", '"', "\\", "", " = ", ") = ?", "<unfinished ...>",
    "<... close resumed>", "+++ exited with 0 +++", "SO_RCVTIMEO_OLD", "fd=", " @1",
]  # fmt: skip


@pytest.mark.parametrize("seed", range(20))
def test_whatever_a_program_writes_into_its_own_trace_is_no_error(seed: int) -> None:
    """It may: strace, which writes the trace, has no more rights than the program."""
    chance = random.Random(seed)
    lines = (CURL + SERVER + THREADS + REFUSED + BROKEN_PIPE + IPV6 + RESET_IN_THE_QUEUE + MADE + MORE).splitlines()
    for _ in range(100):
        text = "\n".join(chance.choice(lines) for _ in range(9))
        for _ in range(chance.randint(1, 9)):
            at = chance.randrange(len(text))
            text = text[:at] + chance.choice(PIECES) + text[at + chance.randrange(9) :]
        assert len(calls(text + "\n" + CURL)) >= len(calls(CURL)) - 1
