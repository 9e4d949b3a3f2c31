"""What strace 6.1 really wrote, and what is made of it.

Each text is an excerpt of a recording: curl against `python3 -m http.server`, both in a lab's nodes,
and small Python programs that were interrupted, refused or reset.
"""
# ruff: noqa: E501 - strace's lines are as long as they are

from __future__ import annotations

import pytest

from netsim.model.event import Call
from netsim.processes.strace import parse

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


def calls(text: str, offset_ns: int = 0) -> list[Call]:
    return parse(text, "client", "client.web", 3, offset_ns)


def told(text: str) -> list[str]:
    return [f"{call.call}({call.args}) = {call.result}" for call in calls(text)]


def test_curl_is_its_calls_on_tcp_sockets_and_nothing_else() -> None:
    assert told(CURL) == [
        "socket(AF_INET, SOCK_STREAM, IPPROTO_TCP) = ok",
        "setsockopt(SO_KEEPALIVE, 1) = ok",
        "connect(10.0.0.2:80) = EINPROGRESS",
        "getsockopt(SO_ERROR) = ok",
        "getsockname(10.0.0.1:44880) = ok",
        "sendto(76) = 76",
        "recvfrom(102400) = 202",
        "close() = ok",
    ]


def test_a_server_shows_who_connected() -> None:
    assert told(SERVER) == [
        "bind(0.0.0.0:80) = ok",
        "listen(5) = ok",
        "accept4(10.0.0.1:44880) = ok",
        "recvfrom(8192) = 76",
        "shutdown(SHUT_WR) = ok",
        "close() = ok",
    ]
    accept = calls(SERVER)[2]
    assert (accept.local, accept.remote) == ("10.0.0.2:80", "10.0.0.1:44880")


def test_times_are_moved_to_the_other_clock() -> None:
    offset_ns = -1795218183_000000000
    connect = calls(CURL, offset_ns)[2]
    assert (connect.time_ns, connect.end_ns) == (653_364_000, 653_364_000 + 214_000)


def test_a_call_knows_whose_it_is() -> None:
    call = calls(CURL)[0]
    assert (call.node, call.process, call.step, call.pid) == ("client", "client.web", 3, 8)


def test_connect_learns_its_own_address_from_the_next_call() -> None:
    connect = calls(CURL)[2]
    assert (connect.local, connect.remote) == ("10.0.0.1:44880", "10.0.0.2:80")


def test_a_refused_connect_is_told_by_so_error() -> None:
    assert told(REFUSED)[1:3] == ["connect(127.0.0.1:1) = EINPROGRESS", "getsockopt(SO_ERROR) = ECONNREFUSED"]
    assert [call.remote for call in calls(REFUSED)[1:]] == ["127.0.0.1:1"] * 3


def test_interleaved_threads_are_told_apart() -> None:
    accept, connect, *_ = calls(THREADS)
    assert (accept.call, accept.pid, accept.end_ns - accept.time_ns) == ("accept4", 14, 2_521_000)
    assert (connect.call, connect.pid, connect.local) == ("connect", 8, "10.0.0.2:46476")


def test_a_call_that_the_kernel_begins_again_after_a_signal_is_one_call() -> None:
    first, last = (call for call in calls(THREADS) if call.call == "recvfrom")
    assert (first.result, first.end_ns - first.time_ns) == ("12", 727_658_000 - 710_421_000 + 33_334_000)
    assert (last.result, last.failed) == ("ECONNRESET", True)


def test_a_call_that_a_signal_ended_is_eintr() -> None:
    before, _, _ = THREADS.partition("8     1795218183.727658 recvfrom")
    text = before + "8     1795218183.727658 close(4<TCP:[10.0.0.2:46476->10.0.0.2:81]>) = 0 <0.000010>\n"
    assert told(text)[2:] == ["recvfrom(100) = EINTR", "close() = ok"]
    assert calls(text)[2].end_ns == 1795218183_710421000 + 16_938_000


@pytest.mark.parametrize("end", ["8 1795218190.000000 +++ killed by SIGKILL +++\n", ""])
def test_a_call_that_never_returned_lasts_to_the_end(end: str) -> None:
    before, _, _ = THREADS.partition("14    1795218183.811555")
    last = calls(before + end)[-1]
    assert (last.call, last.result, last.local) == ("recvfrom", "timeout", "10.0.0.2:46476")
    assert last.end_ns == (1795218190_000000000 if end else last.time_ns)


def test_what_is_sent_is_not_taken_for_strace_s_own_words() -> None:
    assert "sendto(12) = 12" in told(THREADS)


def test_the_write_that_killed_is_epipe() -> None:
    assert told(BROKEN_PIPE) == ["sendto(1) = 1", "sendto(1) = EPIPE"]


def test_a_read_of_nothing_is_the_end_of_the_stream() -> None:
    assert told(EOF) == ["read(4096) = eof"]
    assert told(EOF.replace("4096) = 0", "0) = 0")) == ["read(0) = 0"]


def test_ipv6() -> None:
    bind, accept, recv = calls(IPV6)
    assert (bind.args, bind.result, bind.local) == ("[::1]:82", "EADDRNOTAVAIL", "")
    assert (accept.args, accept.local, accept.remote) == ("[::1]:39504", "[::1]:82", "[::1]:39504")
    assert (recv.result, recv.local, recv.remote) == ("eof", "[::1]:39504", "[::1]:82")


def test_a_reset_socket_keeps_the_addresses_that_it_had() -> None:
    later = "8 1795217990.0 recvfrom(6<TCP:[251]>, 0x7f, 9, 0, NULL, NULL) = -1 ECONNRESET (Connection reset) <0.1>\n"
    first, _, _ = BROKEN_PIPE.partition("8     1795217989.335022")
    last = calls(first + later)[-1]
    assert (last.result, last.local, last.remote) == ("ECONNRESET", "10.0.0.1:46606", "10.0.0.1:80")


@pytest.mark.parametrize("cut", range(0, 200, 7))
def test_a_text_cut_anywhere_is_read_as_far_as_it_goes(cut: int) -> None:
    whole = calls(CURL)
    assert calls(CURL[: len(CURL) - cut])[: len(whole) - 4] == whole[:-4]
    calls(CURL[cut:])


@pytest.mark.parametrize(
    "nonsense",
    [
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
    ],
)
def test_a_program_that_writes_into_its_own_trace_breaks_nothing(nonsense: str) -> None:
    calls(nonsense + "\n" + CURL)
