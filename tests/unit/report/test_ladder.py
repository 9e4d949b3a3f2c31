"""What a ladder says, whoever draws it."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from netsim.analysis import Analysis
from netsim.model.endpoint import Endpoint
from netsim.model.event import Arp, Drop, Event, Icmp, Tcp
from netsim.model.result import Errno, TimedOut
from netsim.report import words
from netsim.report.ladder import ladder_of, lifelines
from netsim.report.rows import CallRow, DropRow, FaultRow, KernelRow, LeftOutRow, PacketRow, PauseRow, Row
from tests.unit.builders import (
    CLIENT,
    CLIENT_ISN,
    REJECTING,
    SERVER,
    analysis,
    arp,
    call,
    drop,
    ended,
    fault,
    handshake,
    icmp,
    kernel,
    missed,
    network,
    packet,
    plan,
    result,
    rst,
    segment,
    syn,
    syn_ack,
)

CHAIN = network("client -- fw", "fw -- server")
STAR = network("server -- sw", "a -- sw", "b -- sw", "sw -- r", "r -- far", "alone -- other", sw="switch", r="router")


@pytest.mark.parametrize(
    ("talks", "expected"),
    [
        ([("client", "server")], ["client", "fw", "server"]),
        ([("server", "client")], ["server", "fw", "client"]),
        ([("client", "server"), ("server", "client")], ["client", "fw", "server"]),
        ([("client", "fw"), ("client", "server")], ["client", "fw", "server"]),
        ([("client", "10.9.9.9")], []),
        ([], []),
    ],
)
def test_who_began_stands_left(talks: list[tuple[str, str]], expected: list[str]) -> None:
    assert lifelines(CHAIN, talks, []) == expected


@pytest.mark.parametrize(
    ("talks", "expected"),
    [
        ([("a", "server"), ("b", "server")], ["a", "b", "sw", "server"]),
        ([("a", "server"), ("server", "b")], ["a", "b", "sw", "server"]),
        ([("a", "server"), ("a", "far")], ["a", "sw", "r", "far", "server"]),
        ([("a", "alone"), ("alone", "other")], ["alone", "other"]),
    ],
)
def test_further_paths_are_woven_in(talks: list[tuple[str, str]], expected: list[str]) -> None:
    assert lifelines(STAR, talks, []) == expected


def test_nodes_without_packets_follow() -> None:
    assert lifelines(CHAIN, [("client", "fw")], ["server", "client", "stranger"]) == [
        "client",
        "fw",
        "server",
        "stranger",
    ]


def rows(of: Analysis, limit: int = 200) -> tuple[Row, ...]:
    return ladder_of(of, limit).rows


def kinds(of: Analysis) -> list[type[Row]]:
    return [type(row) for row in rows(of)]


def test_packets_have_relative_numbers_and_the_names_of_their_ends() -> None:
    told = [
        (row.label, str(row.src), row.seq, row.ack, row.ttl)
        for row in rows(analysis(handshake(0), segment(100, "client > fw", "PA", length=5)))
        if isinstance(row, PacketRow)
    ]
    assert told == [
        ("SYN", "client:41234", 0, None, 64),
        ("SYN", "client:41234", 0, None, 63),
        ("SYN ACK", "server:60000", 0, 1, 64),
        ("SYN ACK", "server:60000", 0, 1, 63),
        ("ACK", "client:41234", 1, 1, 64),
        ("ACK", "client:41234", 1, 1, 63),
        ("PSH ACK", "client:41234", 1, 1, 64),
    ]


def test_a_second_connection_of_the_same_ends_counts_from_its_own_syn() -> None:
    again = syn(900, seq=5_000_000), packet(950, "client > fw", "R", seq=5_000_001)
    told = [row.seq for row in rows(analysis(syn(0), rst(10), again)) if isinstance(row, PacketRow)]
    assert told == [0, 0, 0, 1]


def test_rows_tell_which_event_they_are() -> None:
    of = analysis(call(1, "client", "connect server:60000", took_us=5), syn(3), fault(20, "server", "crash"))
    assert [row.event for row in rows(of) if not isinstance(row, (KernelRow, PauseRow, LeftOutRow))] == [0, 1, 0, 3]
    kernels = [row.events for row in rows(analysis(TOLD)) if isinstance(row, KernelRow)]
    assert kernels == [(0, 1), (2,)]


TOLD = (
    kernel(10, "client", "tcp_receive_reset"),
    kernel(11, "client", "inet_sk_error_report", reason="ECONNREFUSED"),
    kernel(12, "server", "tcp_send_reset", reason="NO_SOCKET"),
)


@pytest.mark.parametrize(
    ("taken", "shown"),
    [
        ((), 2),
        ((segment(500, "client > fw", "PA", lost=True),), 3),
        ((packet(500, "client", "S"),), 3),
        ((packet(500, "sw > other", "S", overheard=True),), 2),
        ((arp(500),), 2),
        ((packet(500, "client > fw", Icmp(135, 0), Endpoint("fe80::1", 0), Endpoint("fe80::2", 0)),), 2),
        ((missed("packet", 10),), 2),
    ],
    ids=["nothing", "lost", "to itself", "overheard", "ARP", "neighbour discovery", "missed"],
)
def test_which_packets_are_rows(taken: Iterable[Event], shown: int) -> None:
    of = plan("client -- fw", "fw -- server", "fw -- sw", "sw -- other", fw="router", sw="switch")
    assert len(rows(analysis(syn(1), rst(5), taken, of=of))) == shown


def test_what_is_only_counted() -> None:
    asks = packet(9, "client > fw", Icmp(135, 0), Endpoint("fe80::1", 0), Endpoint("fe80::2", 0))
    assert ladder_of(analysis(arp(1), syn(5), asks)).not_drawn == (("ARP", 2), ("neighbour and listener discovery", 2))
    assert ladder_of(analysis(syn(5))).not_drawn == ()


def test_a_packet_to_itself() -> None:
    (row,) = rows(analysis(packet(1, "server", "S", SERVER, SERVER)))
    assert isinstance(row, PacketRow)
    assert (row.sender, row.receiver) == ("server", "server")


# --- calls ------------------------------------------------------------------------------------------------------------


def test_a_call_that_something_happened_during_has_two_rows() -> None:
    of = analysis(call(1, "client", "recv", "ECONNRESET", took_us=100), call(50, "server", "close"))
    told = [(row.part, row.what, row.result) for row in rows(of) if isinstance(row, CallRow) and row.who == "client"]
    assert told == [("begin", "recv()", None), ("end", "recv", Errno("ECONNRESET"))]


def test_a_call_that_never_returned_has_one() -> None:
    of = analysis(call(1, "client", "recv", None, took_us=100), call(50, "server", "close"))
    told = [(row.part, row.result) for row in rows(of) if isinstance(row, CallRow) and row.who == "client"]
    assert told == [("whole", None)]


def test_what_was_expected_is_told_at_the_end_of_the_call_that_finish_waits_for() -> None:
    of = analysis(
        call(1, "client", "recv", "timeout", took_us=100, step=0),
        call(50, "server", "close", step=1),
        script=(("client", "start recv"), ("server", "close"), ("client", "finish = ECONNRESET")),
        results=(result(0, None), result(1, "ok"), result(2, "timeout", ok=False)),
    )
    told = [(row.what, row.expected, row.is_bad) for row in rows(of) if isinstance(row, CallRow)]
    assert told == [("recv()", None, False), ("close()", None, False), ("recv", Errno("ECONNRESET"), True)]


def test_a_programs_calls_are_not_held_against_what_the_program_is_to_come_to() -> None:
    of = analysis(
        call(1, "client", "recv", "ECONNRESET", step=0, traced=True),
        script=(("client", "run curl -s http://server:8000 = ok"),),
        results=(result(0, "exit 56", ok=False),),
    )
    assert [row.expected for row in rows(of) if isinstance(row, CallRow)] == [None]


# --- the kernel's words -----------------------------------------------------------------------------------------------


def dropped(*parts: object, **more: object) -> list[str]:
    return [row.packet for row in rows(analysis(*parts, **more)) if isinstance(row, DropRow)]  # type: ignore[arg-type]


def test_a_drop_that_nothing_else_tells_is_a_row() -> None:
    of = analysis(syn(1, "client > fw > server"), drop(14, "server", "NETFILTER_DROP"))
    (row,) = [row for row in rows(of) if isinstance(row, DropRow)]
    assert (row.node, row.packet, row.reason) == ("server", "SYN client:41234 > server:60000", "NETFILTER_DROP")


@pytest.mark.parametrize(
    ("what", "lost"),
    [
        ((syn(1), rst(9)), drop(4, "fw", "NETFILTER_DROP")),
        ((syn(1), icmp(9)), drop(4, "fw", "NETFILTER_DROP")),
        ((syn(1, "fw > server"), rst(9, "server > fw")), drop(4, "server", "NO_SOCKET")),
        ((syn(1), kernel(9, "server", "tcp_send_reset", reason="NO_SOCKET")), drop(4, "server", "NO_SOCKET")),
        ((syn(1, lost=True),), drop(4, "fw", "NETFILTER_DROP", length=0)),
        ((syn(1), rst(9)), drop(12, "client", "TCP_RESET", Tcp("RA", 0, CLIENT_ISN + 1), (SERVER, CLIENT))),
        ((syn(1), call(9, "server", "close")), drop(10, "server", "SOCKET_CLOSE", "PA")),
        ((syn(1),), drop(4, "fw", "OTHERHOST")),
        ((syn(1),), drop(4, "fw", "NOT_SPECIFIED", Arp("request"))),
        ((syn(1),), drop(4, "fw", "NOT_SPECIFIED", Icmp(143, 0), (Endpoint("fe80::1", 0), Endpoint("ff02::16", 0)))),
    ],
    ids=["a RST answers", "an ICMP error answers", "the server's RST", "the kernel says so", "lost", "of a RST",
         "of a closed socket", "for another machine", "ARP", "MLD"],
)  # fmt: skip
def test_a_drop_that_another_row_tells_is_none(what: Iterable[Event], lost: Drop) -> None:
    assert dropped(what, lost) == []


@pytest.mark.parametrize(
    "lost",
    [
        drop(4, "server", "NETFILTER_DROP"),
        drop(9_000, "fw", "NETFILTER_DROP"),
        drop(4, "fw", "NETFILTER_DROP", between=(Endpoint("10.0.0.1", 7), SERVER)),
    ],
    ids=["at another machine", "much later", "of another connection"],
)
def test_a_drop_that_was_not_answered_is_a_row(lost: Drop) -> None:
    assert len(dropped(syn(1), rst(9), lost, of=REJECTING)) == 1


def test_what_a_kernel_says_in_one_go_is_one_row_and_each_drop_its_own() -> None:
    lost = [drop(30 + i, "server", "SOCKET_RCVBUFF", "PA") for i in range(2)]
    told = [row.said for row in rows(analysis(TOLD, kernel(5_000, "client", "tcp_receive_reset"), lost))
            if isinstance(row, KernelRow)]  # fmt: skip
    assert told == [
        ("tcp_receive_reset", "socket error ECONNREFUSED"),
        ("tcp_send_reset NO_SOCKET",),
        ("tcp_receive_reset",),
    ]
    assert kinds(analysis(lost)) == [DropRow, DropRow]


# --- long runs --------------------------------------------------------------------------------------------------------


def test_a_silence_is_a_row() -> None:
    of = analysis(syn(0), syn(1_000_000), syn(1_400_000))
    assert kinds(of) == [PacketRow, PauseRow, PacketRow, PacketRow]
    assert rows(of)[1] == PauseRow(0, 1_000_000_000)


def test_of_a_long_run_the_ends_stay_and_what_matters_most() -> None:
    data = [segment(i * 10, "client > fw", "PA", seq=1 + i, length=1) for i in range(1, 1000)]
    lost = [segment(i * 10 + 5, "client > fw", "PA", seq=5000 + i, length=1, lost=True) for i in range(100, 500)]
    cut = fault(8005, "fw -- server", "cut")
    told = rows(analysis(syn(0), data, lost, cut, rst(9005)), limit=30)
    shown = [row for row in told if not isinstance(row, LeftOutRow)]
    assert len(shown) == 30
    assert sum(isinstance(row, PacketRow) and row.lost for row in shown) == 8
    assert sum(isinstance(row, FaultRow) for row in shown) == 1
    assert sum(isinstance(row, PacketRow) and row.is_reset for row in shown) == 1
    assert len(shown) + sum(row.count for row in told if isinstance(row, LeftOutRow)) == 1402


def test_only_what_is_shown_is_put_into_words(monkeypatch: pytest.MonkeyPatch) -> None:
    of = analysis(segment(i, "client > fw", "PA", seq=1 + i, length=1, ident=i) for i in range(5000))
    named: list[Endpoint] = []
    known = words.end
    monkeypatch.setattr(words, "end", lambda network, end: named.append(end) or known(network, end))
    ladder_of(of, limit=30)
    assert len(named) <= 2 * 30


def test_nothing_at_all() -> None:
    assert ladder_of(analysis()).rows == ()
    assert ladder_of(analysis()).lifelines == ()


def test_nodes_with_nothing_but_calls_have_a_lifeline_too() -> None:
    of = analysis(call(1, "server", "listen 60000"), ended(2, "fw", "exit 0"), syn_ack(5, "server > fw"))
    assert ladder_of(of).lifelines == ("server", "fw", "client")
    assert ladder_of(analysis(call(1, "server", "poll", "timeout"))).lifelines == ("server",)
    assert rows(analysis(call(1, "server", "poll", "timeout")))[0].result == TimedOut()  # type: ignore[union-attr]
