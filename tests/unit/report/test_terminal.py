"""The whole report, as a person reads it."""

# ruff: noqa: RUF001 -- a drawing is compared with what a person sees

from __future__ import annotations

import io
from dataclasses import replace
from textwrap import dedent

import pytest
from rich.console import Console

from netsim.model.event import RuleHit
from netsim.model.explanation import Evidence, Explanation, Failure, Reset
from netsim.model.timeline import StepResult, Timeline
from netsim.report.spans import plain
from netsim.report.terminal import render, report
from tests.unit.builders import REJECT, THREE, call, ended, fault, rst, segment, syn, timeline

RUN = timeline(
    call(0, "server", "listen(60000)", step=0),
    call(400, "client", "connect(server:60000)", "ECONNREFUSED", took_us=310, step=1),
    syn(412),
    rst(430),
    RuleHit(2_000_000, "fw", 1, "forward", REJECT, 1),
    script=(("server", "listen 60000 = ok"), ("client", "connect server:60000 = ECONNREFUSED within 100ms")),
    results=(StepResult(0, "ok", 0, 31_000, ok=True), StepResult(1, "ECONNREFUSED", 400_000, 720_000, ok=True)),
)
RESET = Reset(
    430_000, "server:60000", "client:41234", "RA", "fw", "firewall-reject",
    "The reset came from **fw**, not from server: its packet filter answered in the server's name.",
    (Evidence("the RST ACK was seen on fw's link to client, and never on its link to server", (3, 4)),
     Evidence("its TTL is 64 where server's own packets show 63", (4,))), (1,),
)  # fmt: skip
EXPLAINED = Explanation("pass", (RESET,))


def told(of: Timeline, explained: Explanation, width: int = 100) -> str:
    return "\n".join(plain(text) for text in report(of, THREE, explained, width)) + "\n"


def section(text: str, title: str) -> str:
    """The lines below a title, up to the next blank line."""
    return dedent(text.partition(f"\n{title}\n")[2].partition("\n\n")[0])


def test_the_whole_report() -> None:
    text = told(RUN, EXPLAINED)
    assert text.startswith("firewall-reset  A firewall resets every connection\n\n  client ────")
    assert text.partition("\nFaults\n")[2] == dedent("""\
          fw: forward rule 1: reject tcp dport 60000 with tcp-reset  took 1 packet

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
    of = replace(RUN, steps=(StepResult(0, "EADDRINUSE", 0, 31_000, ok=False),))
    text = told(of, Explanation("fail", unmet=("No reset was sent by **fw**.",)))
    assert section(text, "Not as expected") == dedent("""\
        server: listen 60000  expected ok, got EADDRINUSE after 31 µs
        client: connect server:60000  was not reached
        No reset was sent by fw.""")
    assert "\nFAIL  not everything came as the scenario expects\n" in text


def test_a_result_that_came_too_late_says_what_was_allowed() -> None:
    of = replace(RUN, steps=(RUN.steps[0], StepResult(1, "ECONNREFUSED", 0, 3_000_000_000, ok=False)))
    assert "expected ECONNREFUSED within 0.1 s, got ECONNREFUSED after 3.00 s" in told(of, Explanation("fail"))


def test_a_failure_without_a_reset() -> None:
    failure = Failure(
        "client", "recv", "ETIMEDOUT", "silent-drop", "The cable was **cut**.", (Evidence("no packet came"),)
    )
    assert section(told(RUN, Explanation("pass", failures=(failure,))), "Why") == dedent("""\
        ETIMEDOUT  client: recv
        silent-drop: packets vanished on the way and nobody said so
        The cable was cut.
          · no packet came""")


def test_nothing_went_wrong() -> None:
    assert section(told(timeline(), Explanation("pass")), "Why") == "No connection was reset, and no call failed."
    assert "the scenario expects nothing in particular" in told(timeline(), Explanation("pass"))


def test_resets_that_are_alike_are_told_once() -> None:
    many = tuple(replace(RESET, time_ns=i * 1000, felt_by=()) for i in range(40))
    text = section(told(RUN, Explanation("pass", many)), "Why")
    assert text.count("The reset came from fw") == 1
    assert "and 35 more like these" in text
    assert "No call felt it." in text


def test_hints_break_between_words() -> None:
    text = told(
        RUN, Explanation("pass", hints=("Without tracefs the kernel's own reasons are missing: **mount** it.",)), 50
    )
    assert text.partition("\nHints\n")[2].splitlines()[:2] == [
        "  Without tracefs the kernel's own reasons are",
        "    missing: mount it.",
    ]


def test_faults_and_the_broken_cable_in_the_picture() -> None:
    of = timeline(
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
    of = timeline(
        call(10, "client", "recv(65536)", "ECONNRESET", took_us=5000, step=0),
        ended(9000, "client", "signal SIGPIPE"),
        script=(("client", "start recv"), ("client", "finish = ECONNRESET")),
        results=(StepResult(0, "started", 0, 1, ok=True), StepResult(1, "ECONNRESET", 5000, 6000, ok=True)),
    )
    assert section(told(of, Explanation("pass")), "What each program got") == dedent("""\
        client  recv   ECONNRESET      after 5 ms
                ended  signal SIGPIPE""")


def test_without_a_script_the_calls_are_told() -> None:
    of = timeline(call(10, "client", "read(3)", "0"), segment(5, "client > fw", "FA"))
    assert section(told(of, Explanation("unknown")), "What each program got") == "client  read 3  0  after 30 µs"
    assert "UNKNOWN  what was seen does not decide it" in told(of, Explanation("unknown"))


def test_a_long_command_is_shortened() -> None:
    command = "run curl --max-time 5 --header 'Accept: text/plain' --output /dev/null http://server:8000/a/long/path"
    of = timeline(
        call(10, "client", "close(3)", step=0),
        ended(1400, "client", "exit 7"),
        script=(("client", command),),
        results=(StepResult(0, "exit 7", 0, 1_400_000, ok=True),),
    )
    text = section(told(of, Explanation("pass"), 80), "What each program got")
    assert text == "client  run curl --max-time 5 --header 'Accept: tex...  exit 7  after 1.4 ms"


def printed(encoding: str = "utf-8", *, terminal: bool = False, colours: bool = True) -> str:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding=encoding, newline="\n")
    environ = {"TERM": "xterm-256color", **({} if colours else {"NO_COLOR": "1"})}
    console = Console(file=stream, width=80, force_terminal=terminal, _environ=environ)
    render(RUN, THREE, EXPLAINED, console)
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
    of = timeline(call(1, "client", "send(\x1b]0;owned\x07)"))
    raw = io.StringIO()
    render(of, THREE, Explanation("pass"), Console(file=raw, width=100))
    assert "\x1b" not in raw.getvalue()
    assert "\x07" not in raw.getvalue()
