"""RSTs of connections that stood: aborted by their own side, or sent to somebody who no longer knew them."""

from __future__ import annotations

import pytest

from netsim.model.endpoint import Endpoint
from netsim.model.event import Tcp
from tests.unit.builders import (
    CLIENT,
    CLIENT_ISN,
    SERVER,
    SERVER_ISN,
    Part,
    call,
    counted,
    ended,
    fault,
    handshake,
    kernel,
    plan,
    segment,
    syn,
    syn_ack,
)
from tests.unit.explain.cases import (
    ABORT,
    AT_CLIENT,
    AT_SERVER,
    BARE,
    CLOSE,
    CONNECTED,
    DATA,
    EVIDENCE,
    LISTENS,
    READ,
    RESET,
    explained,
    received,
    reset,
    said,
)

KILLED = ended(1_050, "server", "signal SIGKILL", began_us=1_000)
FELT = (RESET, received(1_025))


# --- aborted ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sources", EVIDENCE)
@pytest.mark.parametrize("taps", [None, AT_CLIENT, AT_SERVER])
def test_close_with_unread_data(sources: frozenset[str], taps: list[object] | None) -> None:
    told = (*said(1_015, "TCP_ABORT_ON_CLOSE"), counted("server", TcpExtTCPAbortOnClose=1))
    found = reset(*DATA, ABORT, CLOSE, *FELT, *told, sources=sources, taps=taps)
    assert (found.cause, found.sent_by, found.felt_by) == ("unread-data", "server", (1,))
    assert "close() of server left 5 bytes unread in the socket" in found.because
    assert "5 bytes had arrived, 0 were read before" in [one.text for one in found.evidence]


def test_all_of_it_was_read_so_it_is_not_that() -> None:
    assert reset(*DATA, READ, CLOSE, ABORT, counted("server", TcpExtTCPAbortOnClose=1), sources=BARE).cause == "unknown"


def test_the_kernels_reason_beats_what_was_counted() -> None:
    linger = call(900, "server", "set linger 0")
    unread = reset(*DATA, linger, CLOSE, ABORT, *said(1_015, "TCP_ABORT_ON_CLOSE"))
    assert unread.cause == "unread-data"  # unread data comes before SO_LINGER (tcp_close())
    read = reset(*DATA, READ, linger, CLOSE, ABORT, *said(1_015, "TCP_STATE"))
    assert read.cause == "linger-zero"


def test_mptcp_gives_that_reason_whatever_ended_it() -> None:
    said_so = (kernel(1_015, "server", "tcp_send_reset", reason="TCP_ABORT_ON_CLOSE"), counted("server", TcpOutRsts=1))
    assert reset(*DATA, READ, call(900, "server", "set linger 0"), CLOSE, ABORT, said_so).cause == "unknown"


@pytest.mark.parametrize("sources", EVIDENCE)
def test_killed_with_unread_data(sources: frozenset[str]) -> None:
    found = reset(*DATA, KILLED, ABORT, *FELT, *said(1_015, "TCP_ABORT_ON_CLOSE"), sources=sources)
    assert (found.cause, found.sent_by, found.felt_by) == ("process-died", "server", (1,))
    assert "server was killed by SIGKILL, with 5 bytes unread in the socket" in found.because


@pytest.mark.parametrize("sources", EVIDENCE)
@pytest.mark.parametrize(
    ("linger", "where"),
    [(call(700, "server", "set linger 0"), "on the socket"),
     (call(-300, "server", "set linger 0 on listener"), "on its listener")],
)  # fmt: skip
def test_linger_zero(sources: frozenset[str], linger: Part, where: str) -> None:
    found = reset(*DATA, READ, linger, CLOSE, ABORT, *FELT, *said(1_015, "TCP_STATE"), sources=sources)
    assert (found.cause, found.felt_by) == ("linger-zero", (1,))
    assert any(where in one.text for one in found.evidence)


@pytest.mark.parametrize("option", ["set linger 5", "set linger off", "set nodelay on"])
def test_another_option_is_no_abort(option: str) -> None:
    assert reset(*DATA, READ, call(650, "server", option), CLOSE, ABORT, sources=BARE).cause == "unknown"


QUEUED = (LISTENS, call(-5, "client", "connect server:60000", took_us=100), handshake(0))
IN_QUEUE = segment(1_010, "server > fw > client", "RA", server=True, seq=1, ack=1)


@pytest.mark.parametrize("sources", EVIDENCE)
def test_a_listener_that_closes_before_it_has_accepted(sources: frozenset[str]) -> None:
    closing = call(1_000, "server", "close listener")
    found = reset(*QUEUED, closing, IN_QUEUE, *FELT, *said(1_015, "TCP_STATE"), sources=sources)
    assert (found.cause, found.felt_by) == ("closed-listener", (1,))


@pytest.mark.parametrize("sources", EVIDENCE)
def test_a_process_that_dies_before_it_has_accepted(sources: frozenset[str]) -> None:
    found = reset(*QUEUED, KILLED, IN_QUEUE, *FELT, *said(1_015, "TCP_STATE"), sources=sources)
    assert (found.cause, found.felt_by) == ("process-died", (1,))
    assert "nobody had accepted it" in found.because


PROBES = tuple(segment(at_us, "client > fw", seq=0, ack=1) for at_us in (1_000, 2_000))


@pytest.mark.parametrize("sources", EVIDENCE)
def test_keepalive_that_gave_up(sources: frozenset[str]) -> None:
    parts = (*CONNECTED, call(200, "client", "set keepalive on"), *PROBES,
             segment(3_000, "client > fw > server", "RA", seq=1, ack=1),
             *said(3_005, "TCP_KEEPALIVE_TIMEOUT", node="client"))  # fmt: skip
    found = reset(parts, sources=sources)
    assert (found.cause, found.sent_by) == ("keepalive-expired", "client")
    assert "2 keepalive probes had gone unanswered" in found.because


def test_without_keepalive_it_is_not_that() -> None:
    abort = segment(3_000, "client > fw > server", "RA", seq=1, ack=1)
    assert reset(*CONNECTED, *PROBES, abort, sources=BARE).cause == "unknown"


# --- strangers --------------------------------------------------------------------------------------------------------


LATE = segment(2_000, "client > fw > server", "PA", seq=6, ack=1, length=4)
STRAY = segment(2_030, "server > fw > client", "R", server=True, seq=1, ack=0)
ANSWERS = Tcp("PA", CLIENT_ISN + 6, (SERVER_ISN + 1) % 2**32, 4, 64240)
AFTER = (call(1_900, "client", "recv", "ECONNRESET", took_us=300, step=1), received(2_055))


@pytest.mark.parametrize("sources", EVIDENCE)
def test_data_for_a_socket_that_is_closed(sources: frozenset[str]) -> None:
    found = reset(*DATA, READ, CLOSE, LATE, STRAY, *AFTER, *said(2_020, "TCP_ABORT_ON_DATA", ANSWERS), sources=sources)
    assert (found.cause, found.sent_by, found.flags, found.felt_by) == ("closed-socket", "server", "R", (1,))
    assert "server had called close() 940 µs before the data was sent" in [one.text for one in found.evidence]


def test_a_close_in_one_process_only_is_no_end() -> None:
    shared = call(1_000, "server", "close", final=False)
    assert reset(*DATA, READ, shared, LATE, STRAY, sources=BARE).cause == "unknown"


@pytest.mark.parametrize("sources", EVIDENCE)
def test_data_for_a_process_that_has_died(sources: frozenset[str]) -> None:
    found = reset(*DATA, READ, KILLED, LATE, STRAY, *said(2_020, "NO_SOCKET", ANSWERS), sources=sources)
    assert found.cause == "process-died"


@pytest.mark.parametrize("sources", EVIDENCE)
@pytest.mark.parametrize("reason", ["NO_SOCKET", "TCP_FLAGS"])
def test_data_for_a_machine_that_has_rebooted(sources: frozenset[str], reason: str) -> None:
    power = (fault(500, "server", "crash"), fault(900, "server", "boot"))
    found = reset(*DATA, *power, LATE, STRAY, *AFTER, *said(2_020, reason, ANSWERS), sources=sources)
    assert (found.cause, found.felt_by) == ("peer-forgot", (1,))
    assert "it lost power and has booted since" in found.because


@pytest.mark.parametrize("when", [-900, None])
def test_another_power_loss_has_nothing_to_do_with_it(when: float | None) -> None:
    power = fault(when, "server", "crash") if when is not None else fault(500, "fw", "crash")
    back = fault(-800, "server", "boot") if when is not None else fault(600, "fw", "boot")
    assert reset(power, back, *DATA, READ, CLOSE, LATE, STRAY, sources=BARE).cause == "closed-socket"


def test_its_own_tcp_had_given_up() -> None:
    timed_out = call(300, "server", "recv", "ETIMEDOUT", took_us=500)
    found = reset(*DATA, timed_out, LATE, STRAY, sources=BARE)
    assert found.cause == "peer-forgot"
    assert "had been given up before" in found.because


def test_it_had_been_reset_before() -> None:
    """A firewall resets one side only; when the other speaks, the first knows nothing any more."""
    of = plan("client -- fw", "fw -- server", fw="router", firewall={})
    first = segment(700, "fw > client", "R", server=True, seq=1, ack=0)
    late = segment(2_000, "server > fw > client", "PA", server=True, seq=1, ack=6, length=3)
    stray = segment(2_030, "client > fw > server", "R", seq=6, ack=0)
    found = explained(*DATA, fault(600, "fw", "reject tcp with tcp-reset", took_us=1), segment(690, "client > fw", "PA",
                      seq=6, length=2), first, late, stray, of=of, sources=BARE).resets  # fmt: skip
    assert [(one.cause, one.sent_by) for one in found] == [("firewall-reject", "fw"), ("peer-forgot", "client")]
    assert "had been reset before" in found[1].because


def test_a_reset_that_was_not_taken_ended_nothing() -> None:
    """RFC 5961: only the very next number counts."""
    forged = segment(700, "fw > client", "R", server=True, seq=70_000, ack=0)
    late = segment(2_000, "server > fw > client", "PA", server=True, seq=1, ack=6, length=3)
    stray = segment(2_030, "client > fw > server", "R", seq=6, ack=0)
    found = explained(*DATA, call(900, "client", "close"), forged, late, stray, sources=BARE).resets
    assert found[1].cause == "closed-socket"


@pytest.mark.parametrize("sources", EVIDENCE)
def test_a_handshake_that_was_never_finished(sources: frozenset[str]) -> None:
    half = (
        LISTENS,
        call(-5, "client", "connect server:60000", took_us=100),
        syn(0, "client > fw > server"),
        syn_ack(20, "server > fw > client"),
        segment(40, "client > fw"),
        syn_ack(1_020, "server > fw > client"),
    )
    late = segment(2_000, "client > fw > server", "PA", seq=1, ack=1, length=4)
    answers = Tcp("PA", CLIENT_ISN + 1, (SERVER_ISN + 1) % 2**32, 4, 64240)
    found = reset(*half, late, STRAY, *said(2_020, "TCP_FLAGS", answers), sources=sources)
    assert found.cause == "half-open-expired"
    assert "server had sent its SYN ACK 2 times, and no ACK had come to it" in [one.text for one in found.evidence]


@pytest.mark.parametrize("part", ["TCP_ABORT_ON_MEMORY", "ERROR", "TCP_TOO_OLD_ACK"])
def test_a_reason_that_no_cause_knows(part: str) -> None:
    found = reset(*DATA, READ, CLOSE, ABORT, *said(1_015, part))
    assert found.cause == "unknown"
    assert f"the kernel of server says tcp_send_reset, reason {part}" in [one.text for one in found.evidence]


# --- lifetimes --------------------------------------------------------------------------------------------------------


def test_what_ended_an_earlier_connection_of_the_same_ends_explains_nothing() -> None:
    first = (*DATA, READ, CLOSE, segment(1_010, "server > fw > client", "FA", server=True, seq=1, ack=6))
    again = (
        call(5_000, "client", "connect server:60000", took_us=100, socket="client/again"),
        call(4_900, "server", "accept", took_us=300, made="server/again", socket="server/listener"),
        syn(5_005, "client > fw > server", seq=CLIENT_ISN + 500_000),
        syn_ack(5_025, "server > fw > client", seq=(SERVER_ISN + 500_000) % 2**32, ack=CLIENT_ISN + 500_001),
        segment(5_045, "client > fw > server", seq=500_001, ack=500_001),
        segment(5_300, "client > fw > server", "PA", seq=500_001, ack=500_001, length=9),
        call(6_000, "server", "close", socket="server/again"),
        segment(6_010, "server > fw > client", "RA", server=True, seq=500_001, ack=500_010),
    )
    found = reset(first, again, sources=BARE)
    assert found.cause == "unread-data"
    assert "left 9 bytes unread" in found.because


def test_two_connections_at_once_are_kept_apart() -> None:
    other = (Endpoint(CLIENT.address, 5_555), SERVER)
    beside = (
        handshake(2, between=other),
        call(-3, "client.b", "connect server:60000", took_us=90, local=other[0]),
        call(-40, "server", "accept as second", took_us=300, local=SERVER, remote=other[0]),
        segment(310, "client > fw > server", "PA", length=77, between=other),
        call(500, "server", "recv on second", "77", local=SERVER, remote=other[0]),
    )
    found = reset(*DATA, beside, CLOSE, ABORT, *FELT, sources=BARE)
    assert "5 bytes had arrived, 0 were read before" in [one.text for one in found.evidence]
    assert found.felt_by == (1,)
