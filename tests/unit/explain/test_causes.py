"""Causes as pure functions, on timelines made by hand: what each of them needs, and what it must not be taken in by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from netsim.explain import explain
from netsim.model.event import Call, Counters, Event, Packet, RuleHit
from netsim.model.explanation import Explanation, Failure, Reset
from netsim.model.plan import Plan
from netsim.model.timeline import StepResult
from tests.unit.builders import (
    CLIENT,
    REJECT,
    SERVER,
    THREE,
    Part,
    call,
    fault,
    handshake,
    kernel,
    packet,
    plan,
    rst,
    segment,
    syn,
    timeline,
)

TRACED = ("packet", "call", "fault", "counters", "rule", "kernel", "tcp/tcp_send_reset")
UNTRACED = TRACED[:5]
OWN_RULE = plan("client -- fw", "fw -- server", fw="router", firewall={"server": [REJECT]})


def text(end: tuple[str, int]) -> str:
    return f"{end[0]}:{end[1]}"


def on(one: Call, local: tuple[str, int] = CLIENT, remote: tuple[str, int] | None = SERVER) -> Call:
    """A call with the ends of its socket."""
    return replace(one, local=text(local), remote=text(remote) if remote else "")


def by_server(at_us: float, what: str, result: str = "ok", took_us: float = 30) -> Call:
    return on(call(at_us, "server", what, result, took_us=took_us), SERVER, CLIENT)


def hit(node: str, rule: str = REJECT, packets: int = 1, chain: str = "FORWARD", number: int = 1) -> RuleHit:
    return RuleHit(10_000_000, node, number, chain, rule, packets)


def counted(node: str, **grew: int) -> Counters:
    return Counters(10_000_000, node, grew)


def explained(
    *parts: Part, probes: tuple[str, ...] = TRACED, of: Plan = THREE, kernel_release: str = "6.18.44", **more: Any
) -> Explanation:
    return explain(replace(timeline(*parts, of=of, **more), probes=probes, kernel=kernel_release))


def reset(*parts: Part, **more: Any) -> Reset:
    (found,) = explained(*parts, **more).resets
    return found


def failure(*parts: Part, **more: Any) -> Failure:
    (found,) = explained(*parts, **more).failures
    return found


LISTENS = on(call(10, "server", "listen(60000)"), ("0.0.0.0", 60000), None)
REFUSED = on(call(90, "client", "connect(server:60000)", "ECONNREFUSED", took_us=60))


# --- refused ---------------------------------------------------------------------------------------------------------


FORGED: tuple[Part, ...] = (LISTENS, REFUSED, syn(100), rst(110))
GENUINE: tuple[Part, ...] = (
    REFUSED, syn(100), syn(110, "fw > server", ttl=63), rst(120, "server > fw"), rst(130, "fw > client", ttl=63),
)  # fmt: skip


@pytest.mark.parametrize("probes", [TRACED, UNTRACED])
@pytest.mark.parametrize("more", [(), (hit("fw"),), (counted("server"),), (hit("fw"), counted("server"))])
def test_a_forged_reset(probes: tuple[str, ...], more: tuple[Event, ...]) -> None:
    """It left fw and never the server: that alone is enough."""
    found = reset(*FORGED, *more, probes=probes)
    assert (found.cause, found.sent_by, found.src, found.flags) == ("firewall-reject", "fw", "server:60000", "RA")
    assert found.because.startswith("The reset came from **fw**, not from server")


def test_the_rule_is_the_one_that_fits() -> None:
    others = (
        hit("fw", "reject tcp dport 22 with tcp-reset", number=1),
        hit("fw", "reject tcp sport 1 with tcp-reset", number=2),
        hit("fw", REJECT.replace("60000", "60001"), number=3),
        hit("fw", "drop tcp dport 60000", number=4),
        hit("fw", REJECT, packets=0, number=5),
        hit("server", REJECT, number=6),
    )
    assert "rule 7 of its FORWARD chain" in reset(*FORGED, *others, hit("fw", number=7)).because
    assert "its packet filter answered" in reset(*FORGED, *others).because


@pytest.mark.parametrize(
    ("probes", "kernel_release", "out_rsts", "cause"),
    [
        (TRACED, "6.18.44", 0, "firewall-reject"),
        (TRACED, "6.18.44", 3, "firewall-reject"),  # those were others: this one would have been traced
        (TRACED, "6.1.0-18-amd64", 0, "firewall-reject"),
        (TRACED, "6.1.0-18-amd64", 3, "closed-port"),  # Linux 6.1 traces no reset without a socket
        (UNTRACED, "6.18.44", 0, "firewall-reject"),
        (UNTRACED, "6.18.44", 3, "closed-port"),
        (TRACED, "", 3, "closed-port"),
    ],
)
def test_a_reset_by_the_servers_own_packet_filter(
    probes: tuple[str, ...], kernel_release: str, out_rsts: int, cause: str
) -> None:
    found = reset(
        *GENUINE, hit("server", chain="INPUT"), counted("server", TcpOutRsts=out_rsts),
        probes=probes, of=OWN_RULE, kernel_release=kernel_release,
    )  # fmt: skip
    assert (found.cause, found.sent_by) == (cause, "server")


def test_what_tcp_says_counts_more_than_a_rule() -> None:
    said = kernel(121, "server", "tcp_send_reset", reason="NO_SOCKET")
    found = reset(*GENUINE, said, hit("server", chain="INPUT"), counted("server", TcpOutRsts=1), of=OWN_RULE)
    assert found.cause == "closed-port"


@pytest.mark.parametrize("probes", [TRACED, UNTRACED])
def test_a_closed_port(probes: tuple[str, ...]) -> None:
    found = reset(*GENUINE, counted("server", TcpOutRsts=1), probes=probes)
    assert (found.cause, found.sent_by) == ("closed-port", "server")
    assert "nothing listens on port 60000" in found.because


def test_a_port_that_somebody_listened_on_before_the_crash_is_closed() -> None:
    off = fault(50, "server", "crash", took_us=10)
    assert reset(LISTENS, off, *GENUINE).cause == "closed-port"
    assert reset(LISTENS, *GENUINE).cause == "unknown"  # somebody listens: it is not that
    assert reset(LISTENS, *GENUINE, fault(500, "server", "crash")).cause == "unknown"


# --- ICMP ------------------------------------------------------------------------------------------------------------


def icmp(at_us: float, hop: str, said: str = "host prohibited", quoted: tuple[str, int] = CLIENT) -> tuple[Packet, ...]:
    detail = f"{said}: {text(quoted)} > {text(SERVER)}"
    return packet(at_us, hop, "", ("10.0.0.2", 0), (CLIENT[0], 0), protocol="icmp", detail=detail)


UNREACHABLE = replace(REFUSED, result="EHOSTUNREACH")
RULE = "reject tcp dport 60000 with icmp-host-prohibited"


def test_a_reject_by_icmp() -> None:
    found = failure(syn(100), icmp(110, "fw > client"), hit("fw", RULE), UNREACHABLE)
    assert (found.cause, found.who, found.errno) == ("firewall-reject", "client", "EHOSTUNREACH")
    assert "**fw**'s packet filter" in found.because
    assert "host prohibited" in found.because


@pytest.mark.parametrize(
    "rule", ["reject tcp dport 60000 with tcp-reset", "reject tcp dport 1 with icmp-host-prohibited", "drop"]
)
def test_an_icmp_error_without_a_rule_is_still_told(rule: str) -> None:
    """A router without a route sends them too."""
    found = failure(syn(100), icmp(110, "fw > client", "net unreachable"), hit("fw", rule), UNREACHABLE)
    assert (found.cause, "**fw** answered with an ICMP error, net unreachable" in found.because) == ("unknown", True)


@pytest.mark.parametrize(
    "other",
    [
        icmp(110, "fw > client", quoted=(CLIENT[0], 9)),
        icmp(110, "fw > server"),
        icmp(9_000, "fw > client"),
        tuple(replace(one, lost=True) for one in icmp(110, "fw > client")),
    ],
    ids=["another connection's", "to another node", "too late", "lost on its way"],
)
def test_an_icmp_error_that_is_not_about_it(other: tuple[Packet, ...]) -> None:
    found = failure(syn(100), other, hit("fw", RULE), replace(UNREACHABLE, result="ETIMEDOUT"))
    assert found.cause == "silent-drop"


# --- silence ---------------------------------------------------------------------------------------------------------


GAVE_UP = on(call(90, "client", "connect(server:60000)", "ETIMEDOUT", took_us=5_000))
CUT = "fw -- server"


def vanished(lost: bool) -> tuple[Part, ...]:
    return tuple(
        part
        for at_us in (100, 1_100, 3_100)
        for part in (syn(at_us), syn(at_us + 10, "fw > server", ttl=63, lost=lost, arrives=lost))
    )


def test_a_cut_cable() -> None:
    found = failure(fault(50, CUT, "cut"), *vanished(lost=True), GAVE_UP)
    assert found.cause == "silent-drop"
    assert f"vanished on {CUT}, which was cut" in found.because
    assert "3 packets to server:60000" in found.because


def test_a_cable_that_loses_for_another_reason() -> None:
    found = failure(*vanished(lost=False), GAVE_UP)
    assert (found.cause, "which was cut" in found.because) == ("silent-drop", False)


def test_another_errno_is_not_explained_by_what_vanished() -> None:
    assert failure(*vanished(lost=False), replace(GAVE_UP, result="EINVAL")).cause == "unknown"


def test_a_drop_rule() -> None:
    found = failure(syn(100), syn(1_100), hit("fw", "drop tcp dport 60000", packets=2), GAVE_UP)
    assert (found.cause, "in fw's packet filter" in found.because) == ("silent-drop", True)


def test_what_came_through_did_not_vanish() -> None:
    """The answer was lost, not the question; nothing says so yet, and nothing false is said."""
    got = (syn(100), syn(110, "fw > server", ttl=63))
    assert failure(*got, GAVE_UP).cause == "unknown"


# --- ended by its own side --------------------------------------------------------------------------------------------


def ended_by(*flags: str) -> tuple[Part, ...]:
    """The server's reset in the middle of the connection."""
    return tuple(
        segment(at_us, hop, kind, server=True, seq=1, ack=6, ttl=ttl)
        for kind in flags
        for at_us, hop, ttl in ((1_010, "server > fw", 64), (1_020, "fw > client", 63))
    )


DATA: tuple[Part, ...] = (
    handshake(0),
    segment(500, "client > fw", "PA", length=5),
    segment(510, "fw > server", "PA", length=5, ttl=63),
)
CLOSE = by_server(1_000, "close()")
FELT = on(call(900, "client", "recv()", "ECONNRESET", took_us=150))


@pytest.mark.parametrize(
    ("probes", "more"),
    [
        (TRACED, (kernel(1_009, "server", "tcp_send_reset", reason="TCP_ABORT_ON_CLOSE"),)),
        (UNTRACED, (counted("server", TcpOutRsts=1, TcpExtTCPAbortOnClose=1),)),
    ],
    ids=["traced", "counted"],
)
def test_unread_data(probes: tuple[str, ...], more: tuple[Event, ...]) -> None:
    found = reset(*DATA, CLOSE, *ended_by("RA"), FELT, *more, probes=probes)
    assert (found.cause, found.sent_by, found.flags) == ("unread-data", "server", "RA")
    assert "left 5 bytes unread" in found.because


def test_data_that_was_read_is_not_unread() -> None:
    read = by_server(600, "recv(5)", "5")
    abort = counted("server", TcpOutRsts=1, TcpExtTCPAbortOnClose=1)
    assert reset(*DATA, read, CLOSE, *ended_by("RA"), abort, probes=UNTRACED).cause == "unknown"


@pytest.mark.parametrize("probes", [TRACED, UNTRACED])
def test_linger_zero(probes: tuple[str, ...]) -> None:
    read, linger = by_server(600, "recv(5)", "5"), by_server(700, "set(linger 0)")
    found = reset(*DATA, read, linger, CLOSE, *ended_by("RA"), probes=probes)
    assert (found.cause, "had set SO_LINGER(1,0)" in found.because) == ("linger-zero", True)


@pytest.mark.parametrize("option", ["set(linger 5)", "set(linger off)", "set(nodelay on)"])
def test_another_option_is_no_abort(option: str) -> None:
    read, linger = by_server(600, "recv(5)", "5"), by_server(650, "set(linger 0)")
    before = (linger,) if option.startswith("set(linger") else ()
    assert reset(*DATA, read, *before, by_server(700, option), CLOSE, *ended_by("RA")).cause == "unknown"


def test_a_listener_that_closes_before_it_has_accepted() -> None:
    closing = on(call(1_000, "server", "close(listener)"), ("0.0.0.0", 60000), None)
    found = reset(LISTENS, handshake(0), closing, *ended_by("RA"))
    assert (found.cause, found.sent_by) == ("closed-listener", "server")


# --- strangers -------------------------------------------------------------------------------------------------------


LATE: tuple[Part, ...] = (
    handshake(0),
    segment(900, "client > fw", "PA", length=5),
    segment(910, "fw > server", "PA", length=5, ttl=63),
    *ended_by("R"),
)


def test_data_for_a_socket_that_is_closed() -> None:
    found = reset(*LATE, by_server(500, "close()"))
    assert (found.cause, found.sent_by, found.flags) == ("closed-socket", "server", "R")


def test_data_for_a_machine_that_has_rebooted() -> None:
    accepted = by_server(60, "accept()")
    found = reset(*LATE, accepted, fault(200, "server", "crash"), fault(400, "server", "boot"))
    assert (found.cause, "lost power and has booted since" in found.because) == ("peer-forgot", True)


def test_a_crash_before_the_connection_has_nothing_to_do_with_it() -> None:
    found = reset(*LATE, by_server(500, "close()"), fault(-300, "server", "crash"), fault(-200, "server", "boot"))
    assert found.cause == "closed-socket"


def test_a_crash_of_another_machine_has_nothing_to_do_with_it() -> None:
    found = reset(*LATE, by_server(500, "close()"), fault(200, "fw", "crash"), fault(250, "fw", "boot"))
    assert found.cause == "closed-socket"


# --- who felt it ------------------------------------------------------------------------------------------------------


def stepped(one: Call, step: int) -> Call:
    return replace(one, step=step)


SCRIPT = (("client", "recv"), ("client", "send 5"), ("client", "send 6"))


def felt(*calls: Call) -> Mapping[str, tuple[int, ...]]:
    found = reset(*DATA, by_server(600, "recv(5)", "5"), CLOSE, *ended_by("RA"), *calls, script=SCRIPT)
    return {found.sent_by: found.felt_by}


def test_every_call_that_it_made_fail() -> None:
    epipe = on(call(1_200, "client", "send(5)", "EPIPE"))
    assert felt(stepped(FELT, 0), stepped(epipe, 1)) == {"server": (0, 1)}


@pytest.mark.parametrize(
    "other",
    [
        on(call(1_200, "client", "recv()", "eof")),
        on(call(100, "client", "recv()", "ECONNRESET", took_us=10)),
        on(call(1_200, "client", "recv()", "ECONNRESET"), (CLIENT[0], 9)),
        on(call(1_200, "server", "recv()", "ECONNRESET"), SERVER, CLIENT),
        on(call(1_200, "client", "recv()", "ETIMEDOUT")),
    ],
    ids=["a good result", "before it came", "another socket", "the sender", "another errno"],
)
def test_a_call_that_did_not_feel_it(other: Call) -> None:
    assert felt(stepped(other, 0)) == {"server": ()}


def test_a_reset_that_never_came_hurt_nobody() -> None:
    lost = (
        segment(1_010, "server > fw", "RA", server=True, seq=1, ack=6),
        segment(1_020, "fw > client", "RA", server=True, seq=1, ack=6, ttl=63, lost=True),
    )
    found = reset(*DATA, by_server(600, "recv(5)", "5"), CLOSE, *lost, stepped(FELT, 0), script=SCRIPT)
    assert found.felt_by == ()


# --- the verdict ------------------------------------------------------------------------------------------------------


def test_no_tracing_is_a_hint() -> None:
    assert any("tracing needs root" in hint for hint in explained(*GENUINE, probes=UNTRACED).hints)
    assert explained(*GENUINE).hints == ()


def test_a_step_that_may_last_longer_is_a_hint() -> None:
    result = StepResult(0, "timeout", 0, 10, True)
    (hint,) = explained(*GENUINE, script=SCRIPT, results=(result,)).hints
    assert hint.startswith("client: recv had not returned after 10 s")


@pytest.mark.parametrize(("ok", "verdict"), [(True, "pass"), (False, "fail")])
def test_a_step_decides(ok: bool, verdict: str) -> None:
    result = StepResult(0, "ECONNREFUSED", 0, 10, ok)
    assert explained(*GENUINE, script=SCRIPT, results=(result,)).verdict == verdict


def test_nothing_happened() -> None:
    found = explained(handshake(0))
    assert (found.verdict, found.resets, found.failures) == ("pass", (), ())


def test_syn_and_reset_of_two_connections_are_kept_apart() -> None:
    second = (CLIENT[0], CLIENT[1] + 2)
    again = (
        packet(300, "client > fw", "S", second, SERVER, seq=7),
        packet(400, "fw > client", "RA", SERVER, second, ack=8),
    )
    found = explained(*FORGED, *again).resets
    assert [one.dst for one in found] == ["client:41234", "client:41236"]
