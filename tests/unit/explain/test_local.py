"""Calls that failed at home, and no packet's fault."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_network

import pytest

from netsim.model.action import Bind
from netsim.model.endpoint import Endpoint
from netsim.model.plan import Plan
from netsim.model.result import Signalled
from netsim.model.topology import Route
from tests.unit.builders import CLIENT, SERVER, Part, call, ended, handshake, plan, segment, syn
from tests.unit.explain.cases import ABORT, CLOSE, CONNECTED, DATA, RESET, explained, failure


def with_route(kind: str) -> Plan:
    route = Route(ip_network("10.0.1.0/24"), None, kind)
    return plan("client -- fw", "fw -- server", fw="router", routes={"client": [route]})


@pytest.mark.parametrize(
    ("kind", "errno"),
    [("unreachable", "EHOSTUNREACH"), ("prohibit", "EACCES"), ("blackhole", "EINVAL"), ("throw", "ENETUNREACH")],
)
def test_its_own_route_refuses(kind: str, errno: str) -> None:
    found = failure(call(0, "client", "connect server:60000", errno, step=0), of=with_route(kind))
    assert found.cause == "own-route"
    assert found.because == (
        f"connect() of client failed at once: client itself has a route of type {kind} to server, and no packet was "
        "sent."
    )


def test_no_route_at_all() -> None:
    found = failure(call(0, "client", "connect 192.0.2.1:80", "ENETUNREACH", step=0), of=plan("client -- server"))
    assert found.cause == "own-route"
    assert "client itself has no route to 192.0.2.1" in found.because


def test_a_route_of_another_type_is_not_why() -> None:
    found = failure(call(0, "client", "connect server:60000", "EHOSTUNREACH", step=0), of=with_route("prohibit"))
    assert found.cause == "unknown"


def test_after_a_packet_was_sent_it_is_no_route() -> None:
    refused = call(0, "client", "connect server:60000", "EHOSTUNREACH", took_us=900, step=0)
    assert failure(refused, syn(5, "client > fw"), of=with_route("unreachable")).cause != "own-route"


# --- ports ------------------------------------------------------------------------------------------------------------


def test_a_port_that_somebody_listens_on() -> None:
    first = call(-500, "server.a", "listen 60000", socket="server.a/listener")
    found = failure(first, call(0, "server.b", "listen 60000", "EADDRINUSE", step=1, socket="server.b/listener"))
    assert found.cause == "address-in-use"
    assert "server.a listens on port 60000 of server already" in found.because


def test_a_port_in_time_wait() -> None:
    fin = (
        segment(1_010, "server > fw > client", "FA", server=True, seq=1, ack=1),
        segment(1_100, "client > fw > server", "FA", seq=1, ack=2),
        segment(1_150, "server > fw > client", "A", server=True, seq=2, ack=2),
    )
    again = call(5_000, "server", "listen 60000", "EADDRINUSE", step=1, socket="server/second")
    found = failure(*CONNECTED, CLOSE, fin, call(1_300, "server", "close listener", socket="server/listener"), again)
    assert found.cause == "address-in-use"
    assert "still in TIME_WAIT on port 60000" in found.because


def test_ports_exhausted() -> None:
    of = plan("client -- fw", "fw -- server", fw="router",
              sysctls={"client": {"net.ipv4.ip_local_port_range": "41234 41235"}})  # fmt: skip
    other = (Endpoint(CLIENT.address, 41235), SERVER)
    used: tuple[Part, ...] = (
        *CONNECTED,
        call(1_000, "client", "connect server:60000 as b", took_us=100, local=other[0]),
        handshake(1_005, between=other),
    )
    third = call(2_000, "client", "connect server:60000 as c", "EADDRNOTAVAIL", step=2, local=Endpoint("0.0.0.0", 0))
    found = failure(used, third, of=of)
    assert found.cause == "ports-exhausted"
    assert "client takes a port from 41234 to 41235" in found.because
    assert "none free for another connection to server:60000" in found.because


def test_no_port_for_bind() -> None:
    of = plan("client -- fw", "fw -- server", fw="router",
              sysctls={"client": {"net.ipv4.ip_local_port_range": "41234 41235"}})  # fmt: skip
    found = failure(replace(call(0, "client", "bind 5", "EADDRINUSE", step=1), action=Bind(0)), of=of)
    assert found.cause == "ports-exhausted"
    assert "and it found none free." in found.because


def test_a_port_of_a_connection_whose_fin_was_lost() -> None:
    fin = segment(1_010, "server > fw", "FA", server=True, seq=1, ack=1, lost=True)
    again = call(5_000, "server", "listen 60000", "EADDRINUSE", step=1, socket="server/second")
    found = failure(*CONNECTED, CLOSE, fin, call(1_300, "server", "close listener", socket="server/listener"), again)
    assert "still in FIN_WAIT1 on port 60000" in found.because


# --- what comes after -------------------------------------------------------------------------------------------------


def test_writing_after_its_own_shutdown() -> None:
    shut = call(300, "client", "shutdown wr")
    found = failure(*CONNECTED, shut, call(400, "client", "send 5", "EPIPE", step=1))
    assert found.cause == "own-shutdown"


def test_reading_after_its_own_shutdown_of_writing_is_something_else() -> None:
    shut = call(300, "client", "shutdown wr")
    found = failure(*CONNECTED, shut, call(400, "client", "recv", "ETIMEDOUT", step=1))
    assert found.cause != "own-shutdown"


def test_a_dead_socket_tells_its_error_once() -> None:
    late = call(9_000, "client", "send 5", "EPIPE", step=2)
    told = explained(*DATA, CLOSE, ABORT, RESET, late)
    assert [reset.felt_by for reset in told.resets] == [(1, 2)]  # the write felt it too: it is no failure of its own
    assert not told.failures


def test_the_echo_of_a_timeout() -> None:
    waited = call(500, "client", "recv", "ETIMEDOUT", took_us=9_000, step=1)
    killed = call(20_000, "client", "send 5", Signalled("SIGPIPE"), step=2)
    told = explained(*DATA, waited, killed, ended(20_100, "client", "signal SIGPIPE"))
    assert [one.cause for one in told.failures][1:] == ["echo"]
    assert "recv() of client had been told ETIMEDOUT" in told.failures[1].because


def test_another_sockets_death_has_no_echo_here() -> None:
    waited = call(500, "client", "recv on first", "ETIMEDOUT", took_us=9_000, step=1)
    found = explained(*DATA, waited, call(20_000, "client", "send 5", "EPIPE", step=2)).failures
    assert "echo" not in [one.cause for one in found]


@pytest.mark.parametrize("text", ["getpeername()", "getsockname()", "fcntl()", "socket()"])
def test_what_only_asks_is_no_failure(text: str) -> None:
    told = explained(*CONNECTED, call(300, "client", text, "ENOTCONN", socket="client/connection"))
    assert not told.failures


@pytest.mark.parametrize("errno", ["EAGAIN", "EINPROGRESS", "EINTR", "EALREADY"])
def test_what_is_not_done_yet_is_no_failure(errno: str) -> None:
    assert not explained(*CONNECTED, call(300, "client", "recv", errno, final=False)).failures
