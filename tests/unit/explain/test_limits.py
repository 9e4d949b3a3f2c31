"""Calls that a limit ended: keepalive, TCP_USER_TIMEOUT, a closed window, and the program's or the script's own."""

from __future__ import annotations

import pytest

from tests.unit.builders import call, fault, kernel, segment, syn, syn_ack
from tests.unit.explain.cases import AT_CLIENT, CONNECTED, EVIDENCE, LISTENS, explained, failure

OUT, BACK = "client > fw > server", "server > fw > client"
CUT = fault(2_000, "fw -- server", "cut")
KEEPALIVE = call(200, "client", "set keepalive on")
PROBES = [segment(at_us, OUT, "A", seq=0, lost=True) for at_us in (10_000, 20_000, 30_000)]
ENDED = segment(40_000, OUT, "RA", seq=1, lost=True)


@pytest.mark.parametrize("sources", EVIDENCE)
def test_keepalive(sources: frozenset[str]) -> None:
    recv = call(300, "client", "recv", "ETIMEDOUT", took_us=39_800, step=1)
    told = kernel(40_000, "client", "tcp_send_reset", reason="TCP_KEEPALIVE_TIMEOUT")
    found = failure(*CONNECTED, KEEPALIVE, CUT, PROBES, ENDED, recv, told, sources=sources)
    assert found.cause == "keepalive-expired"
    assert found.because == (
        "recv() of client failed: 3 keepalive probes went unanswered, and its TCP gave the connection up."
    )


@pytest.mark.parametrize("sources", EVIDENCE)
@pytest.mark.parametrize("taps", [None, AT_CLIENT])
def test_a_user_timeout(sources: frozenset[str], taps: list[object] | None) -> None:
    limit = call(200, "client", "set user_timeout 1s")
    vain = [segment(at_us, OUT, "PA", length=5, lost=True) for at_us in (3_000, 210_000, 630_000)]
    recv = call(3_100, "client", "recv", "ETIMEDOUT", took_us=1_200_000, step=1)
    found = failure(*CONNECTED, limit, CUT, vain, recv, sources=sources, taps=taps)
    assert found.cause == "user-timeout"
    assert "TCP_USER_TIMEOUT was 1s" in found.because
    assert "fw -- server, which was cut" in found.because


def test_a_user_timeout_of_another_socket() -> None:
    limit = call(200, "client", "set user_timeout 1s on other")
    vain = [segment(at_us, OUT, "PA", length=5, lost=True) for at_us in (3_000, 210_000, 630_000)]
    recv = call(3_100, "client", "recv", "ETIMEDOUT", took_us=1_200_000, step=1)
    assert failure(*CONNECTED, limit, CUT, vain, recv).cause == "silent-drop"


FULL = (
    segment(300, OUT, "PA", length=5),
    segment(350, BACK, "A", server=True, ack=6, window=0),
)
BLOCKED = call(400, "client", "send 5", "timeout", took_us=1_000_000, step=1)


@pytest.mark.parametrize("sources", EVIDENCE)
def test_a_window_that_stays_closed(sources: frozenset[str]) -> None:
    found = failure(*CONNECTED, FULL, BLOCKED, sources=sources)
    assert found.cause == "zero-window"
    assert "server:60000 announces a window of 0" in found.because


def test_a_window_that_opened_again() -> None:
    opened = segment(500, BACK, "A", server=True, ack=6, window=5_000)
    assert failure(*CONNECTED, FULL, opened, BLOCKED).cause != "zero-window"


# --- given up ---------------------------------------------------------------------------------------------------------

WAITED = call(400, "client", "recv", "timeout", took_us=1_000_000, step=1)


def test_a_script_that_waits_for_nothing() -> None:
    found = failure(*CONNECTED, WAITED)
    assert found.cause == "given-up"
    assert found.because == (
        "recv() of client was given up after 1.00 s, by the script's limit: the connection stood, server:60000 had "
        "nothing on its way to it, and it would have waited on."
    )


def test_what_tcp_was_doing_meanwhile() -> None:
    vain = [segment(at_us, OUT, "PA", length=5, lost=True) for at_us in (3_000, 210_000, 630_000)]
    found = failure(*CONNECTED, CUT, vain, call(3_100, "client", "recv", "timeout", took_us=900_000, step=1))
    assert found.cause == "given-up"
    assert "3 packets to server:60000 vanished on fw -- server, which was cut" in found.because
    assert "its TCP was still trying, and would have ended with ETIMEDOUT" in found.because


def test_what_was_on_its_way_to_it() -> None:
    vain = [segment(at_us, BACK, "PA", server=True, length=5, lost=True) for at_us in (3_000, 210_000)]
    found = failure(*CONNECTED, fault(2_000, "client -- fw", "cut"), vain, WAITED)
    assert "what server:60000 sent did not come: 2 packets to client:41234 vanished on client -- fw" in found.because


def test_a_programs_own_receive_timeout() -> None:
    limit = call(200, "client", "set rcvtimeo 1s")
    found = failure(*CONNECTED, limit, call(400, "client", "recv", "EAGAIN", took_us=1_000_000, step=1))
    assert found.cause == "given-up"
    assert "by the program's own SO_RCVTIMEO of 1s" in found.because


def test_without_a_limit_eagain_is_no_failure() -> None:
    assert not explained(*CONNECTED, call(400, "client", "recv", "EAGAIN", took_us=10)).failures


def test_a_connect_that_was_given_up() -> None:
    connect = call(-5, "client", "connect server:60000", "timeout", took_us=1_500_000, step=0)
    syns = [syn(at_us, OUT, lost=True) for at_us in (0, 1_000_000)]
    found = failure(LISTENS, fault(-100, "fw -- server", "cut"), syns, connect)
    assert found.cause == "given-up"
    assert "2 packets to server:60000 vanished on fw -- server, which was cut" in found.because


def test_an_accept_that_nobody_came_for() -> None:
    found = failure(LISTENS, call(0, "server", "accept", "timeout", took_us=1_000_000, step=0))
    assert found.cause == "given-up"
    assert "no SYN for port 60000 was seen until then" in found.because


def test_an_accept_that_somebody_came_for() -> None:
    came = (syn(100, OUT), syn_ack(150, BACK, lost=True), fault(50, "client -- fw", "cut to client"))
    found = failure(LISTENS, came, call(0, "server", "accept", "timeout", took_us=1_000_000, step=0))
    assert "no SYN" not in found.because
