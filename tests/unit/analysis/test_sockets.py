"""A call belongs to one socket at one time; a socket dies once, and by somebody."""

from __future__ import annotations

from dataclasses import replace

import pytest

from netsim.analysis.sockets import Sockets
from netsim.model.action import SetOption
from netsim.model.endpoint import Endpoint
from tests.unit.builders import (
    CLIENT,
    SERVER,
    SERVER_ISN,
    Part,
    analysis,
    call,
    ended,
    fault,
    handshake,
    packet,
    plan,
    segment,
    syn,
    syn_ack,
)

SECOND = Endpoint(CLIENT.address, 41235)
LISTENS = call(-500, "server", "listen 60000")
CONNECTS = call(-5, "client", "connect server:60000", took_us=80)
ACCEPTS = call(-100, "server", "accept", took_us=200)


def sockets(*parts: Part) -> Sockets:
    return analysis(*parts).sockets


def test_both_ends_of_a_connection() -> None:
    a = analysis(LISTENS, CONNECTS, ACCEPTS, handshake(0))
    (one,) = a.connections
    client, server = a.sockets.at(one, CLIENT), a.sockets.at(one, SERVER)
    assert client is a.sockets.by_name["client/connection"]
    assert server is a.sockets.by_name["server/connection"]
    assert server is not None
    assert server.listener is a.sockets.by_name["server/listener"]


def test_a_connect_that_does_not_know_its_port_has_the_syn_that_left_while_it_went_on() -> None:
    blind = replace(call(-5, "client", "connect server:60000", "ECONNREFUSED", socket="x"), local=None)
    a = analysis(blind, syn(0))
    assert a.sockets.at(a.connections[0], CLIENT) is a.sockets.by_name["x"]


def test_a_connect_that_knows_its_port_has_no_other_ones_syn() -> None:
    a = analysis(call(-5, "client", "connect server:60000", "ECONNREFUSED", local=SECOND, socket="x"), syn(0))
    assert a.sockets.at(a.connections[0], CLIENT) is None


@pytest.mark.parametrize(
    ("connected", "bound"), [("ok", True), ("EINPROGRESS", True), ("timeout", True), ("ETIMEDOUT", False)]
)
def test_a_syn_that_waited_for_arp_leaves_after_its_call(connected: str, bound: bool) -> None:
    a = analysis(call(-50_000, "client", "connect server:60000", connected, took_us=100, socket="x"), syn(0))
    assert (a.sockets.at(a.connections[0], CLIENT) is not None) == bound


def test_a_socket_that_is_connected_again_has_two_connections() -> None:
    second = Endpoint(SERVER.address, 81)
    first, again = CONNECTS, call(1_000, "client", "connect server:81", "ECONNREFUSED")
    a = analysis(first, handshake(0), again, syn(1_005, between=(CLIENT, second)), call(2_000, "client", "send 5", "5"))
    one = a.sockets.by_name["client/connection"]
    assert [one.connection_of(call) for _, call in one.calls] == [a.connections[0], a.connections[1], a.connections[1]]


def test_a_connect_that_only_asks_opens_nothing() -> None:
    begun = call(-5, "client", "connect server:60000", "EINPROGRESS", took_us=2)
    asked = call(500, "client", "connect server:60000")
    a = analysis(begun, handshake(0), asked)
    one = a.sockets.by_name["client/connection"]
    assert one.connection_of(asked) is a.connections[0]


def test_accept_gives_the_oldest_of_two_that_are_alike() -> None:
    reused = (
        syn(1_000, "client > fw > server", seq=7_000_000),
        syn_ack(1_030, "server > fw > client", seq=9_000, ack=7_000_001),
        segment(1_060, "client > fw > server", seq=6_000_001, ack=9_000),
    )
    first = call(5_000, "server", "accept as first")
    a = analysis(LISTENS, handshake(0), reused, first, call(6_000, "server", "accept as second"))
    assert a.sockets.at(a.connections[0], SERVER) is a.sockets.by_name["server/first"]
    assert a.sockets.at(a.connections[1], SERVER) is a.sockets.by_name["server/second"]


def test_the_loopback_of_one_machine_is_not_that_of_another() -> None:
    of = plan("client -- server")
    ends = (Endpoint("127.0.0.1", 4_000), Endpoint("127.0.0.1", 80))
    a = analysis(packet(0, "client", "S", *ends, seq=1), packet(5, "server", "S", *ends, seq=1), of=of)
    assert [one.node for one in a.connections] == ["client", "server"]


def test_what_output_rejects_is_answered_over_loopback() -> None:
    data = (CONNECTS, handshake(0), call(200, "client", "send 5", "ECONNRESET"))
    answer = packet(210, "client", "R", SERVER, CLIENT, seq=SERVER_ISN + 1)
    a = analysis(data, answer)
    (one,) = a.connections
    assert one.node is None
    assert a.tcp[-1].arrival("client") is not None


def test_a_connect_long_before_or_after_has_nothing_of_it() -> None:
    a = analysis(call(-50_000, "client", "connect server:60000", "ETIMEDOUT", took_us=100), syn(0))
    assert a.sockets.at(a.connections[0], CLIENT) is None


def test_two_that_are_alike_are_told_apart_by_their_order() -> None:
    second = (CLIENT.address, SECOND.port)
    calls = [
        call(at, f"client.{who}", "connect server:60000", "ECONNREFUSED", took_us=900, local=None, socket=who)
        for at, who in ((-5, "a"), (95, "b"))
    ]
    a = analysis(
        [c.__class__(**{**{f: getattr(c, f) for f in c.__slots__}, "local": None}) for c in calls],
        syn(0),
        syn(100, between=(SECOND, SERVER), seq=7),
    )
    found = {end.port: a.sockets.at(one, end) for one in a.connections for end in (one.client,)}
    assert {port: socket and socket.name for port, socket in found.items()} == {CLIENT.port: "a", second[1]: "b"}


@pytest.mark.parametrize(
    ("parts", "how", "outcome"),
    [
        ([call(500, "server", "close")], "closed", ""),
        ([call(500, "server", "close", final=False)], None, ""),
        ([call(500, "server", "close", final=False), call(900, "server", "close")], "closed", ""),
        ([ended(500, "server", "signal SIGKILL", began_us=400)], "process", "signal SIGKILL"),
        ([ended(500, "server", "exit 3")], "process", "exit 3"),
        ([ended(500, "server.b", "exit 0")], None, ""),
        ([ended(500, "server", "exit 0", pid=77)], None, ""),
        ([ended(500, "server.b", "exit 0", closed=("server/connection",))], "process", "exit 0"),
        ([fault(500, "server", "crash")], "power", ""),
        ([fault(500, "client", "crash")], None, ""),
        ([call(500, "server", "close"), fault(600, "server", "crash")], "closed", ""),
    ],
)
def test_how_a_socket_ends(parts: list[Part], how: str | None, outcome: str) -> None:
    death = sockets(LISTENS, ACCEPTS, handshake(0), *parts).by_name["server/connection"].death
    assert (death and death.how, death.outcome if death else "") == (how, outcome)


def test_a_listener_listens_until_it_ends() -> None:
    found = sockets(LISTENS, call(500, "server", "close listener"))
    (one,) = found.listened("server", SERVER)
    assert [one.listening(at_us * 1000) for at_us in (-600, 0, 600)] == [False, True, False]
    assert found.listened("server", Endpoint(SERVER.address, 1)) == []
    assert found.listened("client", SERVER) == []


def test_one_that_listens_on_another_address_listens_not_for_this() -> None:
    local = call(-500, "server", "listen 60000", local=Endpoint("127.0.0.1", 60000))
    assert sockets(local).listened("server", SERVER) == []


def test_an_option_comes_from_the_listener_too() -> None:
    found = sockets(LISTENS, call(-300, "server", "set linger 0 on listener"), ACCEPTS, handshake(0))
    assert found.by_name["server/connection"].lingers_zero(10**9) is not None


@pytest.mark.parametrize(
    ("calls", "zero"),
    [
        (["set linger 0"], True),
        (["set linger 5"], False),
        (["set linger 0", "set linger off"], False),
        (["set nodelay on"], False),
    ],
)
def test_the_last_setting_of_an_option_counts(calls: list[str], zero: bool) -> None:
    found = sockets(ACCEPTS, [call(200 + i, "server", text) for i, text in enumerate(calls)], handshake(0))
    assert (found.by_name["server/connection"].lingers_zero(10**9) is not None) is zero


def test_bytes_that_were_read() -> None:
    reads = [call(200, "server", "recv", "5"), call(300, "server", "read(7)", "2", socket="server/connection"),
             call(400, "server", "recv", "eof"), call(450, "server", "recv", "ECONNRESET"),
             call(900, "server", "recv", "9")]  # fmt: skip
    assert sockets(ACCEPTS, *reads).by_name["server/connection"].bytes_read(500_000) == 7


def test_what_waits_to_be_accepted() -> None:
    a = analysis(LISTENS, handshake(0))
    listener = a.sockets.by_name["server/listener"]
    assert [a.queue_of(listener, time_ns)[0] for time_ns in (1_000, 10**9)] == [0, 1]
    b = analysis(LISTENS, handshake(0), call(500, "server", "accept"))
    assert [b.queue_of(b.sockets.by_name["server/listener"], ns)[0] for ns in (400_000, 600_000)] == [1, 0]


def test_what_the_filter_let_in_waits() -> None:
    rejecting = plan("client -- fw", "fw -- server", fw="router", firewall={"server": ["drop tcp dport 60000"]})
    a = analysis(LISTENS, handshake(0), of=rejecting)
    assert a.queue_of(a.sockets.by_name["server/listener"], 10**9)[0] == 0
    three = [(Endpoint("10.0.0.1", 40000 + n), SERVER) for n in range(3)]
    shakes = [handshake(99 * n, between=ends) for n, ends in enumerate(three)]
    b = analysis(call(-500, "server", "listen 60000 backlog 0"), shakes)
    assert b.queue_of(b.sockets.by_name["server/listener"], 10**9) == (3, 0)
    defers = replace(LISTENS, name="setsockopt", action=SetOption("defer_accept", "20"), time_ns=-90_000)
    c = analysis(LISTENS, defers, handshake(0))
    assert c.queue_of(c.sockets.by_name["server/listener"], 10**9)[0] == 0
