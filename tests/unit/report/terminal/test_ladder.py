"""The ladder, as a person sees it on a terminal of 100 columns unless a test says otherwise."""

# ruff: noqa: RUF001 -- a drawing is compared with what a person sees

from __future__ import annotations

from textwrap import dedent

import pytest

from netsim.analysis import Analysis
from netsim.model.endpoint import Endpoint
from netsim.model.event import Other, Udp
from netsim.report.content import longest_ns
from netsim.report.ladder import ladder_of
from netsim.report.terminal.ladder import Clock, draw_ladder
from netsim.report.terminal.spans import Line, in_ascii, plain
from tests.unit.builders import (
    CLIENT,
    CLIENT_ISN,
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
    packet,
    plan,
    result,
    rst,
    segment,
    syn,
    syn_ack,
)

REFUSED = analysis(
    call(0, "server", "listen 60000"),
    call(400, "client", "connect 10.0.1.2:60000", "ECONNREFUSED", took_us=310),
    syn(412),
    rst(430),
    ended(1000, "client", "exit 0"),
)
"""firewall-reset: fw answers in the server's name."""


def lines(of: Analysis, width: int = 100, limit: int = 200) -> list[Line]:
    return draw_ladder(ladder_of(of, limit), Clock(longest_ns(of.timeline)), width)


def drawn(of: Analysis, width: int = 100, limit: int = 200) -> str:
    return "\n".join(map(plain, lines(of, width, limit))) + "\n"


def rows(of: Analysis, width: int = 100, limit: int = 200) -> list[str]:
    """The lines below the header."""
    return drawn(of, width, limit).splitlines()[1:]


def styles(of: Analysis, word: str) -> set[str]:
    return {style for text in lines(of) for part, style in text if word in part}


def test_a_refused_connection() -> None:
    assert dedent(drawn(REFUSED)) == dedent("""\
              ms  client              fw              server  from          to            seq  ack  len  ttl
           0.000     │                 │                 ● listen(60000) = ok  30 µs
           0.400     ● connect(server:60000) ...         │
           0.412     ├───── SYN ──────►│                 │    client:41234  server:60000    0         0   64
           0.430     │◄─── RST ACK ────┤                 │    server:60000  client:41234    0    1    0   64
           0.710     ● ... connect = ECONNREFUSED  after 310 µs
           1.000     ■ exit 0          │                 │
    """)


def test_a_handshake_and_data_with_decreasing_ttl() -> None:
    data = segment(100, "client > fw", "PA", length=5), segment(110, "fw > server", "PA", length=5, ttl=63)
    assert dedent(drawn(analysis(handshake(0), data))) == dedent("""\
              ms  client              fw              server  from          to            seq  ack  len  ttl
           0.000     ├───── SYN ──────►│                 │    client:41234  server:60000    0         0   64
           0.010     │                 ├───── SYN ──────►│    client:41234  server:60000    0         0   63
           0.020     │                 │◄─── SYN ACK ────┤    server:60000  client:41234    0    1    0   64
           0.030     │◄─── SYN ACK ────┤                 │    server:60000  client:41234    0    1    0   63
           0.040     ├───── ACK ──────►│                 │    client:41234  server:60000    1    1    0   64
           0.050     │                 ├───── ACK ──────►│    client:41234  server:60000    1    1    0   63
           0.100     ├─── PSH ACK ────►│                 │    client:41234  server:60000    1    1    5   64
           0.110     │                 ├─── PSH ACK ────►│    client:41234  server:60000    1    1    5   63
    """)


def test_the_same_in_ascii() -> None:
    text = "\n".join(plain(in_ascii(one)) for one in lines(REFUSED)) + "\n"
    assert dedent(text) == dedent("""\
              ms  client              fw              server  from          to            seq  ack  len  ttl
           0.000     |                 |                 o listen(60000) = ok  30 us
           0.400     o connect(server:60000) ...         |
           0.412     |----- SYN ------>|                 |    client:41234  server:60000    0         0   64
           0.430     |<--- RST ACK ----|                 |    server:60000  client:41234    0    1    0   64
           0.710     o ... connect = ECONNREFUSED  after 310 us
           1.000     # exit 0          |                 |
    """)


def test_at_80_columns_the_ports_give_way() -> None:
    assert dedent(drawn(REFUSED, width=80)) == dedent("""\
              ms  client          fw          server  from    to      seq  ack  len  ttl
           0.000     │             │             ● listen(60000) = ok  30 µs
           0.400     ● connect(server:60000) ... │
           0.412     ├─── SYN ────►│             │    client  server    0         0   64
           0.430     │◄─ RST ACK ──┤             │    server  client    0    1    0   64
           0.710     ● ... connect = ECONNREFUSED  after 310 µs
           1.000     ■ exit 0      │             │
    """)


def test_at_50_columns_hops_are_written_out() -> None:
    assert dedent(drawn(REFUSED, width=50)) == dedent("""\
              ms  hop          flags    seq  ack  len  ttl
           0.000  server: listen(60000) = ok  30 µs
           0.400  client: connect(server:60000) ...
           0.412  client → fw  SYN        0         0   64
           0.430  fw → client  RST ACK    0    1    0   64
           0.710  client: ... connect = ECONNREFUSED
                  after 310 µs
           1.000  client: exit 0
    """)


@pytest.mark.parametrize("width", [50, 60, 72, 80, 100, 120, 200])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    assert max(map(len, drawn(REFUSED, width).splitlines())) <= width


def test_lost_packets_end_on_the_way_and_what_is_sent_again_says_so() -> None:
    sent = [segment(at, "client > fw", "PA", length=5, lost=True) for at in (300, 200_300, 600_300, 1_400_300)]
    cut = fault(200, "client -- fw", "cut")
    of = analysis(cut, sent, call(290, "client", "send 5", "5", took_us=50))
    assert dedent(drawn(of)) == dedent("""\
               s  client       fw       server  from          to            seq  ack  len  ttl
        0.000200  ╌╌╌╌ ✂ client -- fw: cut ╌╌╌╌╌
        0.000290     ● send(5) ...         │
        0.000300     ├ PSH ACK ╳│          │    client:41234  server:60000    0    0    5   64  lost
        0.000340     ● ... send = 5  after 50 µs
        0.200300     ├ PSH ACK ╳│          │    client:41234  server:60000    0    0    5   64  resent, lost
        0.600300     ├ PSH ACK ╳│          │    client:41234  server:60000    0    0    5   64  resent, lost
        ⋮ 800 ms     ⋮          ⋮          ⋮
        1.400300     ├ PSH ACK ╳│          │    client:41234  server:60000    0    0    5   64  resent, lost
    """)


def test_two_connections_keep_their_ports_and_their_own_numbers() -> None:
    one, two = Endpoint("10.0.0.1", 1111), Endpoint("10.0.0.1", 2222)
    of = analysis(
        packet(1, "client > fw", "S", one, SERVER, seq=500),
        packet(5, "client > fw", "S", two, SERVER, seq=900),
        packet(9, "fw > client", "RA", SERVER, two, ack=901),
        packet(12, "fw > client", "RA", SERVER, one, ack=501),
    )
    assert [row[50:] for row in rows(of)] == [
        "    client:1111   server:60000    0         0   64",
        "    client:2222   server:60000    0         0   64",
        "    server:60000  client:2222     0    1    0   64",
        "    server:60000  client:1111     0    1    0   64",
    ]
    assert "client:2222" in drawn(of, width=80)


def test_calls_that_overlap_take_two_rows_each_and_name_their_process() -> None:
    of = analysis(
        call(100, "client.b", "recv 4096", "ECONNRESET", took_us=500),
        call(200, "client", "send 5", "5", took_us=200),
        call(700, "client", "close"),
    )
    assert [row.partition("●")[2].strip() for row in rows(of)] == [
        "client.b: recv(4096) ...",
        "send(5) = 5  200 µs",
        "client.b: ... recv = ECONNRESET  after 500 µs",
        "close() = ok  30 µs",
    ]


def test_kernel_reasons_share_a_row_and_routine_changes_are_not_shown() -> None:
    of = analysis(
        kernel(1, "client", "inet_sock_set_state", old="CLOSE", state="SYN_SENT"),
        kernel(10, "client", "tcp_receive_reset"),
        kernel(11, "client", "inet_sk_error_report", reason="ECONNREFUSED"),
        kernel(12, "client", "inet_sock_set_state", old="SYN_SENT", state="CLOSE"),
        kernel(20, "server", "tcp_send_reset", reason="NO_SOCKET"),
        kernel(5000, "server", "tcp_retransmit_skb"),
        kernel(5000, "server", "inet_sock_set_state", old="LAST_ACK", state="CLOSE"),
    )
    assert [row.partition("·")[2].strip() for row in rows(of)] == [
        "kernel: tcp_receive_reset, socket error ECONNREFUSED, SYN_SENT -> CLOSE",
        "kernel: tcp_send_reset NO_SOCKET",
    ]


def test_one_row_left_out() -> None:
    shown = rows(analysis(segment(i * 10, "client > fw", "PA", seq=i, length=1) for i in range(31)), limit=30)
    assert [row.split()[:5] for row in shown if "left out" in row] == [["⋮", "11", "rows", "left", "out;"]]
    kept = [segment(i * 10, "client > fw", "R", seq=i) for i in range(10)]
    between = segment(105, "client > fw", "PA", seq=500, length=1)
    after = [segment(i * 10, "client > fw", "R", seq=i) for i in range(11, 31)]
    assert "1 row left out" in "".join(rows(analysis(kept, between, after), limit=30))


def test_a_crashed_node_has_no_lifeline_until_it_boots() -> None:
    of = analysis(
        syn(0, "fw > server"),
        fault(10, "server", "crash"),
        syn(20, "client > fw"),
        fault(30, "server", "boot"),
        syn(40, "client > fw"),
    )
    at = rows(of)[0].index("►") + 1
    assert "↯ server: crash" in rows(of)[1]
    assert [row[at : at + 1] for row in rows(of) if "╌" not in row] == ["│", " ", "│"]


def test_icmp_tells_what_it_is_about_beside_its_numbers_or_below() -> None:
    of = analysis(syn(1), icmp(9))
    about = ["port", "unreachable:", "client:41234", ">", "server:60000"]
    assert rows(of, width=140)[1].split("│")[-1].split() == ["fw", "client", "40", "64", *about]
    assert [row.split("│")[-1].split() for row in rows(of, width=90)[1:]] == [["fw", "client", "40", "64"], about]
    assert styles(of, " ICMP ") == {"yellow"}


def test_arp_and_neighbour_discovery_are_counted_but_not_drawn() -> None:
    assert rows(analysis(arp(1), syn(5)))[-1] == "2 sightings of ARP frames are not drawn."


def test_other_protocols_have_no_sequence_numbers() -> None:
    of = analysis(packet(1, "client > fw", Udp(12)), packet(5, "client > fw", Other("47", 99)))
    assert [row.split()[-5:] for row in rows(of)] == [
        ["│", "client:41234", "server:60000", "12", "64"],
        ["│", "client:41234", "server:60000", "99", "64"],
    ]
    assert "─ UDP ─" in drawn(of)
    assert "─ IP 47 ─" in drawn(of)


def test_what_was_expected_stands_beside_what_came() -> None:
    of = analysis(
        call(1, "client", "connect server:60000", "ECONNREFUSED", step=0),
        script=(("client", "connect server:60000 = ok"),),
        results=(result(0, "ECONNREFUSED", 1, ok=False),),
    )
    assert rows(of)[0].endswith("● connect(server:60000) = ECONNREFUSED  30 µs  expected ok")


def test_a_reset_stands_out() -> None:
    assert {"bold red"} == styles(REFUSED, " RST ACK ")
    assert "bold red" not in styles(REFUSED, " SYN ")


def test_a_packet_that_its_kernel_dropped() -> None:
    of = analysis(syn(1, "client > fw > server"), drop(14, "server", "NETFILTER_DROP"))
    said = "kernel: dropped SYN client:41234 > server:60000, NETFILTER_DROP"
    assert rows(of, 140)[2].partition("·")[2].strip() == said
    assert " ".join(row.strip(" │") for row in rows(of)[2:]).partition("·")[2].split() == said.split()
    assert styles(of, "dropped") == {"yellow"}


def test_a_packet_to_itself() -> None:
    of = analysis(packet(1, "server", "S", SERVER, SERVER), syn(5, "fw > server"))
    assert rows(of)[0].split("│")[-1].split()[:4] == ["●", "SYN", "to", "itself"]
    alone = analysis(packet(1, "server", "S", SERVER, SERVER))
    assert rows(alone, width=40)[0].split()[:5] == ["0.001", "server", "→", "server", "SYN"]


def test_a_call_that_never_returned() -> None:
    assert rows(analysis(call(1, "client", "recv", None)))[0].endswith("● recv() never returned")


def test_a_signal_is_named() -> None:
    assert rows(analysis(ended(1, "client", "signal SIGPIPE")))[0].endswith(
        "■ killed by SIGPIPE, exit status 141 in a shell"
    )


def test_nothing_seen() -> None:
    assert drawn(analysis()) == "Nothing was seen: no packet and no call.\n"


def test_a_long_run_keeps_its_ends_and_what_is_notable() -> None:
    data = [segment(i * 10, "client > fw", "PA", seq=1 + i, length=1) for i in range(1000)]
    shown = rows(analysis(data, rst(5005)), limit=30)
    assert len(shown) == 10 + 1 + 1 + 1 + 10
    assert "491 rows left out; a recording (--record FILE) has them all" in shown[10]
    assert "RST ACK" in shown[11]
    assert "489 rows left out" in shown[12]


def test_an_arrow_passes_over_a_lifeline_that_it_does_not_end_at() -> None:
    star = plan("a -- sw", "b -- sw", "server -- sw", sw="switch")
    a, b, server = Endpoint("10.0.0.1", 1), Endpoint("10.0.0.2", 1), Endpoint("10.0.0.3", 80)
    of = analysis(
        packet(1, "a > sw", "S", a, server),
        packet(2, "sw > server", "S", a, server),
        packet(3, "b > sw", "S", b, server),
        packet(4, "sw > a", "RA", server, a, ack=1),
        of=star,
    )
    assert dedent(drawn(of)) == dedent("""\
              ms  a              b             sw           server  from       to         seq  ack  len  ttl
           0.001  ├──── SYN ─────┼─────────────►│              │    a:1        server:80    0         0   64
           0.002  │              │              ├──── SYN ────►│    a:1        server:80    0         0   64
           0.003  │              ├──── SYN ────►│              │    b:1        server:80    0         0   64
           0.004  │◄─────────────┼─── RST ACK ──┤              │    server:80  a:1          0    1    0   64
    """)


def test_only_nodes_that_take_part_have_a_lifeline() -> None:
    chain = plan(*[f"r{i} -- r{i + 1}" for i in range(999)])
    of = analysis(syn(1, "r0 > r1"), of=chain)
    assert drawn(of).split()[:4] == ["ms", "r0", "r1", "r2"]


def test_an_early_arrival_still_belongs_to_its_departure() -> None:
    out, arrived = syn_ack(50)
    early = syn_ack(49.5)[1]
    assert arrived.time_ns > out.time_ns > 49_000
    assert len(rows(analysis(out, early))) == 1
    assert "lost" not in drawn(analysis(out, early))


def test_sequence_numbers_are_relative_even_where_the_syn_was_not_seen() -> None:
    of = analysis(
        packet(1, "server > fw", "PA", SERVER, CLIENT, seq=70, ack=CLIENT_ISN + 6, length=3),
        packet(2, "client > fw", "R", CLIENT, SERVER, seq=CLIENT_ISN + 6),
    )
    assert [row.split()[-4:] for row in rows(of)] == [["0", "0", "3", "64"], ["server:60000", "0", "0", "64"]]
