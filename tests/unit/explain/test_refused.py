"""A SYN that was answered by RST: by whom, and why."""

from __future__ import annotations

import pytest

from netsim.model.endpoint import Endpoint
from netsim.model.plan import Plan
from tests.unit.builders import (
    CLIENT,
    CLIENT_ISN,
    REJECT,
    REJECTING,
    SERVER,
    THREE,
    TRACED,
    Part,
    call,
    counted,
    ended,
    fault,
    hit,
    packet,
    plan,
    rst,
    segment,
    syn,
    syn_ack,
)
from tests.unit.explain.cases import (
    AT_CLIENT,
    AT_SERVER,
    COUNTED,
    EVIDENCE,
    LISTENS,
    REFUSED,
    SYN,
    explained,
    failure,
    received,
    reset,
    said,
)

FORGED: tuple[Part, ...] = (REFUSED, syn(100), rst(110), received(115))
GENUINE: tuple[Part, ...] = (REFUSED, syn(100, "client > fw > server"), rst(120, "server > fw > client"), received(135))
AT_HOST = plan("client -- fw", "fw -- server", fw="router", firewall={"server": [REJECT]})


def with_rules(*rules: str) -> Plan:
    return plan("client -- fw", "fw -- server", fw="router", firewall={"fw": rules})


# --- by a packet filter -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sources", EVIDENCE)
@pytest.mark.parametrize("taps", [None, AT_CLIENT])
def test_a_router_that_rejects(sources: frozenset[str], taps: list[object] | None) -> None:
    parts = FORGED if taps is None else (REFUSED, syn(100, arrives=False), rst(110, leaves=False), received(115))
    found = reset(LISTENS, *parts, of=REJECTING, sources=sources, taps=taps)
    assert (found.cause, found.sent_by, found.flags, found.felt_by) == ("firewall-reject", "fw", "RA", (0,))
    assert found.because == (
        "The reset came from fw, not from server: rule 1 of its FORWARD chain "
        "(reject tcp dport 60000 with tcp-reset) answered in server's name."
    )


def test_what_proves_it() -> None:
    found = reset(LISTENS, *FORGED, hit("fw"), counted("server"), of=REJECTING, sources=TRACED)
    assert [one.text for one in found.evidence] == [
        "the packet was seen leaving fw on client -- fw, and never on fw -- server",
        "its TTL is 64 on client -- fw, where a packet of server's own would show 63",
        "no tcp_send_reset event at server and its OutRsts is unchanged: netfilter made it, not TCP",
        "rule 1 of fw's FORWARD chain, 'reject tcp dport 60000 with tcp-reset', matched 1 packet",
    ]
    assert all(one.events for one in found.evidence)


@pytest.mark.parametrize(
    "rules",
    [
        ["reject tcp dport 60001 with tcp-reset"],
        ["reject tcp from server dport 60000 with tcp-reset"],
        ["reject tcp to client with tcp-reset"],
        ["reject tcp sport 60000 with tcp-reset"],
        ["input reject tcp dport 60000 with tcp-reset"],
        ["accept tcp from client", REJECT],
        ["drop tcp dport 60000", REJECT],
        ["reject tcp dport 60000"],
    ],
)
def test_a_rule_that_does_not_fit_answers_for_nothing(rules: list[str]) -> None:
    """It left fw, whose filter does not answer so: a program may have written it, and nobody proves that."""
    found = reset(
        LISTENS, *FORGED, *(hit("fw", rule, number=n) for n, rule in enumerate(rules, 1)), of=with_rules(*rules)
    )
    assert (found.cause, found.sent_by) == ("unknown", "fw")


def test_the_number_of_the_rule_that_fits() -> None:
    rules = [
        "reject tcp from server with tcp-reset",
        "drop tcp dport 9",
        "reject tcp from client with tcp-reset",
        REJECT,
    ]
    assert (
        "rule 3 of its FORWARD chain (reject tcp from client with tcp-reset)"
        in reset(*FORGED, of=with_rules(*rules)).because
    )


def test_a_rule_that_counted_nothing_answered_nothing() -> None:
    assert reset(*FORGED, hit("fw", packets=0), of=REJECTING).cause == "unknown"


def test_a_rule_answers_no_more_often_than_it_counted() -> None:
    second = (Endpoint(CLIENT.address, 9), SERVER)
    again = (syn(200, between=second), rst(210, between=second))
    found = explained(*FORGED, again, hit("fw", packets=1), of=REJECTING).resets
    assert [one.cause for one in found] == ["firewall-reject", "unknown"]


def test_a_rule_that_came_later_did_nothing() -> None:
    assert reset(*FORGED, fault(500, "fw", REJECT)).cause == "unknown"
    assert reset(*FORGED, fault(20, "fw", REJECT)).cause == "firewall-reject"


@pytest.mark.parametrize("sources", EVIDENCE)
def test_the_servers_own_filter(sources: frozenset[str]) -> None:
    found = reset(LISTENS, *GENUINE, hit("server", chain="INPUT"), of=AT_HOST, sources=sources)
    assert (found.cause, found.sent_by, found.felt_by) == ("firewall-reject", "server", (0,))
    assert found.because.startswith(
        "The reset came from server's packet filter, not from its TCP: rule 1 of its INPUT chain"
    )


def test_what_tcp_says_of_itself_counts_more_than_a_rule() -> None:
    found = reset(*GENUINE, *said(115, "NO_SOCKET", SYN), hit("server", chain="INPUT"), of=AT_HOST)
    assert found.cause == "closed-port"


@pytest.mark.parametrize("sources", EVIDENCE)
def test_its_own_output_rejects(sources: frozenset[str]) -> None:
    of = plan("client -- fw", "fw -- server", fw="router", firewall={"client": [f"output {REJECT}"]})
    over_lo = packet(100, "client", "RA", SERVER, CLIENT, ack=CLIENT_ISN + 1)
    connect = call(-5, "client", "connect server:60000", "ECONNREFUSED", took_us=300, step=0, local=None)
    found = explained(connect, over_lo, received(105), of=of, sources=sources).resets
    assert [(one.cause, one.sent_by) for one in found] == [("firewall-reject", "client")]


def test_its_own_output_rejects_and_nobody_watched_loopback() -> None:
    of = plan("client -- fw", "fw -- server", fw="router", firewall={"client": [f"output {REJECT}"]})
    found = failure(REFUSED, of=of, taps=AT_CLIENT, sources=COUNTED)
    assert (found.cause, found.call) == ("firewall-reject", "connect")


def test_a_reset_that_no_rule_and_no_tcp_made() -> None:
    found = reset(*GENUINE, sources=TRACED)  # traced, and TCP said nothing
    assert (found.cause, found.sent_by) == ("unknown", "server")
    assert "a program that writes packets itself" in found.because


# --- by the destination's own TCP -------------------------------------------------------------------------------------


@pytest.mark.parametrize("sources", EVIDENCE)
@pytest.mark.parametrize("taps", [None, AT_CLIENT, AT_SERVER])
def test_a_closed_port(sources: frozenset[str], taps: list[object] | None) -> None:
    parts: tuple[Part, ...] = GENUINE
    if taps == AT_CLIENT:
        parts = (REFUSED, syn(100, arrives=False), rst(130, "fw > client", ttl=63, leaves=False), received(135))
    elif taps == AT_SERVER:
        parts = (
            REFUSED,
            syn(110, "fw > server", ttl=63, leaves=False),
            rst(120, "server > fw", arrives=False),
            received(135),
        )
    found = reset(*parts, *said(115, "NO_SOCKET", SYN), sources=sources, taps=taps)
    assert (found.cause, found.sent_by, found.felt_by) == ("closed-port", "server", (0,))
    assert found.because == (
        "The reset came from server itself: its TCP refused, because nothing listens on port 60000."
    )


def test_a_ttl_that_nobody_at_that_distance_has_proves_nothing() -> None:
    """One tap alone: it may be the server's or not, and nothing false is said."""
    found = reset(REFUSED, syn(100, arrives=False), rst(130, ttl=50, leaves=False), taps=AT_CLIENT)
    assert (found.cause, found.sent_by) == ("unknown", None)


def test_a_genuine_reset_at_one_tap_is_not_forged() -> None:
    found = reset(REFUSED, syn(100, arrives=False), rst(130, ttl=63, leaves=False), taps=AT_CLIENT)
    assert (found.cause, found.sent_by) == ("closed-port", "server")


def test_a_node_that_begins_with_another_ttl() -> None:
    of = plan("client -- fw", "fw -- server", fw="router", sysctls={"server": {"net.ipv4.ip_default_ttl": "200"}})
    found = reset(REFUSED, syn(100, arrives=False), rst(130, ttl=199, leaves=False), taps=AT_CLIENT, of=of)
    assert (found.cause, found.sent_by) == ("closed-port", "server")


@pytest.mark.parametrize(
    ("end", "how"),
    [
        (call(50, "server", "close listener", took_us=5), "server closed its listener"),
        (ended(50, "server", "signal SIGKILL"), "server was killed by SIGKILL"),
        (ended(50, "server", "exit 1"), "server ended (exit 1)"),
    ],
)
def test_a_service_that_has_stopped(end: Part, how: str) -> None:
    found = reset(LISTENS, end, *GENUINE)
    assert found.cause == "service-stopped"
    assert found.because.endswith(f"because nothing listens on port 60000 any more: {how}.")


def test_a_machine_that_has_booted_listens_on_nothing() -> None:
    found = reset(LISTENS, fault(10, "server", "crash", 5), fault(30, "server", "boot", 5), *GENUINE)
    assert found.cause == "closed-port"
    assert "since server lost power and booted" in found.because


def test_one_that_listens_elsewhere() -> None:
    local = call(-500, "server", "listen 60000", local=Endpoint("127.0.0.1", 60000))
    found = reset(local, *GENUINE)
    assert found.cause == "closed-port"
    assert "nothing listens on 10.0.1.2, port 60000; server listens there on 127.0.0.1 only" in found.because
    assert not any("no program" in one.text for one in found.evidence)


def test_somebody_listens_so_it_is_not_that() -> None:
    assert reset(LISTENS, *GENUINE).cause == "unknown"


def test_of_programs_that_nobody_saw_nothing_is_said() -> None:
    script = (("client", "connect server:60000"), ("server", "run nc -l 1"))
    unseen = reset(*GENUINE, *said(115, "NO_SOCKET", SYN), script=script, sources=TRACED - {"strace"})
    assert unseen.cause == "closed-port"
    assert not any("no program" in one.text for one in unseen.evidence)


OVERFLOWING = plan(
    "client -- fw", "fw -- server", fw="router", sysctls={"server": {"net.ipv4.tcp_abort_on_overflow": "1"}}
)


@pytest.mark.parametrize("sources", EVIDENCE)
def test_abort_on_overflow(sources: frozenset[str]) -> None:
    last_ack = segment(400, "client > fw > server")
    parts = (LISTENS, syn(0, "client > fw > server"), syn_ack(20, "server > fw > client"), last_ack,
             segment(420, "server > fw > client", "R", server=True, seq=1, ack=0))  # fmt: skip
    told = said(415, "INVALID_SYN", segment(0, "client > fw")[0].segment)  # type: ignore[arg-type]
    grew = counted("server", TcpExtListenOverflows=1)
    assert reset(parts, told, grew, of=OVERFLOWING, sources=sources).cause == "abort-on-overflow"
    assert reset(parts, told, grew, of=THREE, sources=sources).cause != "abort-on-overflow"
