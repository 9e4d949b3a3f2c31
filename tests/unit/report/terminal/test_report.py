"""The whole report, as a person reads it."""

# ruff: noqa: RUF001 -- a drawing is compared with what a person sees

from __future__ import annotations

import io
from dataclasses import replace
from textwrap import dedent

import pytest
from rich.console import Console

from netsim.analysis import Analysis
from netsim.model.explanation import Evidence, Explanation, Failure, Reset
from netsim.model.result import Errno
from netsim.model.timeline import StepResult
from netsim.report.content import report_of
from netsim.report.terminal import draw, render, render_network
from netsim.report.terminal.spans import Line, plain
from tests.unit.builders import (
    CLIENT,
    REJECTING,
    SERVER,
    analysis,
    call,
    counted,
    ended,
    fault,
    hit,
    network,
    result,
    rst,
    segment,
    syn,
)

RUN = analysis(
    call(0, "server", "listen 60000", step=0),
    call(400, "client", "connect server:60000", "ECONNREFUSED", took_us=310, step=1),
    syn(412),
    rst(430),
    hit("fw"),
    script=(("server", "listen 60000 = ok"), ("client", "connect server:60000 = ECONNREFUSED within 100ms")),
    results=(result(0, "ok", 0, 31), result(1, "ECONNREFUSED", 400, 320)),
    of=REJECTING,
)
CONNECT = 1
"""The event of the connect()."""
RESET = Reset(
    430_000, SERVER, CLIENT, "RA", "fw", "firewall-reject",
    "The reset came from fw, not from server: its packet filter answered in the server's name.",
    (Evidence("the RST ACK was seen on fw's link to client, and never on its link to server", (3, 4)),
     Evidence("its TTL is 64 where server's own packets show 63", (4,))), (1,), (CONNECT,),
)  # fmt: skip
EXPLAINED = Explanation("pass", (RESET,))


def lines(of: Analysis, explained: Explanation, width: int = 100) -> list[Line]:
    return draw(report_of(of, explained), width)


def told(of: Analysis, explained: Explanation, width: int = 100) -> str:
    return "\n".join(map(plain, lines(of, explained, width))) + "\n"


def with_results(of: Analysis, *results: StepResult) -> Analysis:
    return replace(of, timeline=replace(of.timeline, steps=results))


def section(text: str, title: str) -> str:
    """The lines below a title, up to the next blank line."""
    return dedent(text.partition(f"\n{title}\n")[2].partition("\n\n")[0])


def test_the_whole_report() -> None:
    text = told(RUN, EXPLAINED)
    assert text.startswith("firewall-reset  A firewall resets every connection\n\n  client ────")
    assert text.partition("\nFaults\n")[2] == dedent("""\
          fw: FORWARD rule 1: reject tcp dport 60000 with tcp-reset  took 1 packet

        Why
          RST ACK  server:60000 → client:41234  at 0.430 ms, sent by fw
          firewall-reject: a packet filter's REJECT answered in the place of the destination
          The reset came from fw, not from server: its packet filter answered in the server's name.
            · the RST ACK was seen on fw's link to client, and never on its link to server
            · its TTL is 64 where server's own packets show 63
          Felt by client: connect server:60000 = ECONNREFUSED

        What each program got
          server  listen 60000          ok            after 30 µs
          client  connect server:60000  ECONNREFUSED  after 310 µs

        PASS  everything came as the scenario expects
        20 ms on the lab's clock, 310 ms on yours; engine host, kernel 6.18.44
    """)


def test_what_did_not_come_as_expected() -> None:
    of = with_results(RUN, result(0, "EADDRINUSE", 0, 31, ok=False))
    text = told(of, Explanation("fail", unmet=("No reset was sent by fw.",)))
    assert section(text, "Not as expected") == dedent("""\
        server: listen 60000  expected ok, got EADDRINUSE after 31 µs
        client: connect server:60000  was not reached
        No reset was sent by fw.""")
    assert "\nFAIL  not everything came as the scenario expects\n" in text


def test_a_result_that_came_too_late_says_what_was_allowed() -> None:
    of = with_results(RUN, result(0, "ok"), result(1, "ECONNREFUSED", 0, 3_000_000, ok=False))
    assert "expected ECONNREFUSED within 0.1 s, got ECONNREFUSED after 3.00 s" in told(of, Explanation("fail"))


def test_a_failure_without_a_reset() -> None:
    failure = Failure(
        "client", "recv", Errno("ETIMEDOUT"), "silent-drop", "The cable was cut.", (Evidence("no packet came"),)
    )
    assert section(told(RUN, Explanation("pass", failures=(failure,))), "Why") == dedent("""\
        ETIMEDOUT  client: recv
        silent-drop: packets vanished on the way and nobody said so
        The cable was cut.
          · no packet came""")


def test_nothing_went_wrong() -> None:
    assert section(told(analysis(), Explanation("pass")), "Why") == "No connection was reset, and no call failed."
    assert "the scenario expects nothing in particular" in told(analysis(), Explanation("pass"))


def test_resets_that_are_alike_are_told_once() -> None:
    many = tuple(replace(RESET, time_ns=i * 1000, felt_by=(), felt=()) for i in range(40))
    text = section(told(RUN, Explanation("pass", many)), "Why")
    assert text.count("The reset came from fw") == 1
    assert "and 35 more like these" in text
    assert "No call felt it." in text


def test_the_sender_stands_out_in_the_sentence_and_nowhere_else() -> None:
    bold = [
        (plain(one).strip(), text)
        for one in lines(RUN, EXPLAINED)
        for text, style in one
        if style == "bold" and text == "fw"
    ]
    assert [text for text, _ in bold if "reset" in text] == [
        "The reset came from fw, not from server: its packet filter answered in the server's name."
    ]
    assert all("RST ACK was seen" not in text for text, _ in bold)


def test_a_reset_whose_sender_is_not_known() -> None:
    unknown = replace(RESET, sent_by=None, cause="unknown", because="It does not single it out.", felt=())
    assert section(told(RUN, Explanation("unknown", (unknown,))), "Why").splitlines()[:3] == [
        "RST ACK  server:60000 → client:41234  at 0.430 ms, sender unknown",
        "unknown: the evidence does not single out one cause",
        "It does not single it out.",
    ]


def test_a_program_that_felt_it_is_told_with_its_step() -> None:
    of = analysis(
        call(1, "client", "recv", "ECONNRESET", step=0, traced=True),
        script=(("client", "run curl -s http://server:8000 = exit 56"),),
        results=(result(0, "exit 56"),),
    )
    text = told(of, Explanation("pass", (replace(RESET, felt=(0,)),)))
    assert "  Felt by client: recv() = ECONNRESET, in run curl -s http://server:8000 = exit 56\n" in text


def test_what_is_too_much_is_counted() -> None:
    failures = tuple(
        Failure("client", "recv", Errno("ETIMEDOUT"), "unknown", f"It was {i}.", event=i) for i in range(50)
    )
    text = told(RUN, Explanation("pass", failures=failures * 6))
    assert section(text, "Why").count("and 1 more like these") == 1
    assert "\n  and 10 more causes\n" in text
    many = analysis(call(i, f"client.p{i}", "send 5", "EPIPE") for i in range(45))
    felt = replace(RESET, felt=tuple(range(9)))
    assert section(told(many, Explanation("pass", (felt,))), "Why").splitlines()[-1] == "and 4 more calls"
    assert section(told(many, Explanation("pass")), "What each program got").splitlines()[-1] == "and 5 more"


def test_a_call_that_never_returned_and_one_that_was_given_up() -> None:
    of = analysis(call(1, "client", "recv", None), call(9, "server", "recv", "timeout"))
    assert section(told(of, Explanation("pass")), "What each program got").split("\n") == [
        "client  recv()  never returned  after 30 µs",
        "server  recv()  timeout         after 30 µs",
    ]


def test_counters_stand_beside_their_nodes() -> None:
    of = analysis(counted("fw", TcpOutRsts=1, TcpInSegs=2), counted("server"), counted("client", TcpActiveOpens=1))
    assert section(told(of, Explanation("pass")), "TCP counters that grew").split("\n") == [
        "fw      TcpOutRsts 1, TcpInSegs 2",
        "client  TcpActiveOpens 1",
    ]


def test_without_a_script_nobody_judges() -> None:
    text = told(analysis(syn(1), scenario=False), Explanation("pass"))
    assert text.startswith("\n") is False
    assert "PASS" not in text
    assert text.splitlines()[-1].endswith("engine host, kernel 6.18.44")


def test_a_networks_picture_alone() -> None:
    raw = io.StringIO()
    render_network(network("a -- b"), Console(file=raw, width=80))
    assert raw.getvalue().splitlines()[0].split() == ["a", "──────────────────────", "b"]


def test_hints_break_between_words() -> None:
    text = told(
        RUN, Explanation("pass", hints=("Without tracefs the kernel's own reasons are missing: mount it.",)), 50
    )
    assert text.partition("\nHints\n")[2].splitlines()[:2] == [
        "  Without tracefs the kernel's own reasons are",
        "    missing: mount it.",
    ]


def test_faults_and_the_broken_cable_in_the_picture() -> None:
    of = analysis(
        fault(1, "client -- fw", "cut"), fault(900, "fw -- server", "cut"), fault(1000, "fw -- server", "heal")
    )
    text = told(of, Explanation("pass"))
    assert "client ──────────╳────────── fw ───────────────────── server" in text
    assert section(text, "Faults").splitlines() == [
        "✂ client -- fw: cut  at 0.001 ms",
        "✂ fw -- server: cut  at 0.900 ms",
        "fw -- server: heal  at 1.000 ms",
    ]


def test_a_started_call_is_told_with_the_result_that_finish_took() -> None:
    of = analysis(
        call(10, "client", "recv", "ECONNRESET", took_us=5000, step=0),
        ended(9000, "client", "signal SIGPIPE"),
        script=(("client", "start recv"), ("client", "finish = ECONNRESET")),
        results=(result(0, None), result(1, "ECONNRESET", 5, 1)),
    )
    assert section(told(of, Explanation("pass")), "What each program got") == dedent("""\
        client  recv   ECONNRESET      after 5 ms
                ended  signal SIGPIPE""")


def test_without_a_script_the_calls_are_told() -> None:
    of = analysis(call(10, "client", "read(3)", "0"), segment(5, "client > fw", "FA"))
    assert section(told(of, Explanation("unknown")), "What each program got") == "client  read(3)  0  after 30 µs"
    assert "UNKNOWN  what was seen does not decide it" in told(of, Explanation("unknown"))


def test_a_long_command_is_shortened() -> None:
    command = "run curl --max-time 5 --header 'Accept: text/plain' --output /dev/null http://server:8000/a/long/path"
    of = analysis(
        call(10, "client", "close(3)", step=0, traced=True),
        ended(1400, "client", "exit 7"),
        script=(("client", command),),
        results=(result(0, "exit 7", 0, 1400),),
    )
    text = section(told(of, Explanation("pass"), 80), "What each program got")
    assert text == "client  run curl --max-time 5 --header 'Accept: tex...  exit 7  after 1.4 ms"


def printed(encoding: str = "utf-8", *, terminal: bool = False, colours: bool = True) -> str:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding=encoding, newline="\n")
    environ = {"TERM": "xterm-256color", **({} if colours else {"NO_COLOR": "1"})}
    console = Console(file=stream, width=80, force_terminal=terminal, _environ=environ)
    render(RUN, EXPLAINED, console)
    stream.flush()
    return raw.getvalue().decode(encoding)


def test_no_escapes_into_a_pipe() -> None:
    assert "\x1b" not in printed()
    assert printed().rstrip("\n") == told(RUN, EXPLAINED, 80).rstrip("\n")


def test_colour_on_a_terminal_and_none_with_no_color() -> None:
    assert "\x1b[1;31m" in printed(terminal=True)
    assert "\x1b[1;31m" not in printed(terminal=True, colours=False)
    assert "\x1b[31m" not in printed(terminal=True, colours=False)


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "iso8859-15"])
def test_ascii_where_the_encoding_takes_no_lines(encoding: str) -> None:
    assert "|<- RST ACK --|" in printed(encoding)
    assert "after 310 us" in printed(encoding)


def test_a_hostile_recording_is_harmless() -> None:
    of = analysis(call(1, "client", "read(\x1b]0;owned\x07)"))
    raw = io.StringIO()
    render(of, Explanation("pass"), Console(file=raw, width=100))
    assert "\x1b" not in raw.getvalue()
    assert "\x07" not in raw.getvalue()
