"""A connection is a lifetime: the same two ends may have many."""

from __future__ import annotations

import pytest

from netsim.analysis.connections import Connection, distance
from netsim.model.endpoint import Endpoint
from tests.unit.builders import (
    CLIENT,
    CLIENT_ISN,
    SERVER,
    SERVER_ISN,
    Part,
    analysis,
    handshake,
    packet,
    rst,
    segment,
    syn,
    syn_ack,
)


def lives(*parts: Part) -> tuple[Connection, ...]:
    return analysis(*parts).connections


def flags(connection: Connection) -> list[str]:
    return [path.tcp.flags for path in connection.paths]


def test_a_handshake_is_one() -> None:
    (one,) = lives(handshake(0))
    assert (one.client, one.server, flags(one)) == (CLIENT, SERVER, ["S", "SA", "A"])
    assert one.established(1_000_000)
    assert one.completed(1_000_000)
    assert not one.completed(39_000)


def test_a_syn_that_is_sent_again_begins_nothing() -> None:
    (one,) = lives(syn(0), syn(1_000_000), syn(3_000_000))
    assert flags(one) == ["S", "S", "S"]


def test_a_syn_with_another_number_begins_another() -> None:
    first, second = lives(syn(0), rst(10), syn(100, seq=CLIENT_ISN + 9_000), rst(110, ack=CLIENT_ISN + 9_001))
    assert (flags(first), flags(second)) == (["S", "RA"], ["S", "RA"])


def test_what_comes_late_belongs_to_the_one_whose_numbers_it_has() -> None:
    old = segment(200, "client > fw", "PA", seq=1, length=5)
    first, second = lives(handshake(0), syn(100, seq=CLIENT_ISN + 90_000), old)
    assert (flags(first), flags(second)) == (["S", "SA", "A", "PA"], ["S"])


def test_a_reset_of_an_old_connection_is_not_the_new_ones() -> None:
    late = segment(200, "server > fw", "R", server=True, seq=6, ack=0)
    new = (syn(100, seq=CLIENT_ISN + 90_000), syn_ack(110, seq=(SERVER_ISN + 70_000) % 2**32, ack=CLIENT_ISN + 90_001))
    first, second = lives(handshake(0), new, late)
    assert (flags(first)[-1], flags(second)) == ("R", ["S", "SA"])


def test_both_ends_may_begin_at_once() -> None:
    crossing = packet(5, "server > fw", "S", SERVER, CLIENT, seq=77)
    (one,) = lives(syn(0), crossing)
    assert one.side(SERVER).isn == 77


def test_without_a_syn_whoever_spoke_first_is_taken_for_the_client() -> None:
    (one,) = lives(segment(0, "server > fw", "PA", server=True, seq=5, length=3))
    assert (one.client, one.syn, one.established(0), one.completed(0)) == (SERVER, None, True, True)


def test_loopbacks_of_two_nodes_are_two() -> None:
    here = Endpoint("127.0.0.1", 5), Endpoint("127.0.0.1", 6)
    found = lives(packet(0, "client", "S", *here, seq=1), packet(5, "server", "S", *here, seq=1))
    assert [one.node for one in found] == ["client", "server"]


def test_relative_numbers_count_from_the_syn() -> None:
    (one,) = lives(
        handshake(0), segment(100, "client > fw", "PA", seq=1, length=5), segment(110, "client > fw", seq=6, ack=4)
    )
    assert [one.relative(path) for path in one.paths] == [(0, 0), (0, 1), (1, 1), (1, 1), (6, 4)]


def test_the_number_of_a_refusal_counts_nothing() -> None:
    (one,) = lives(syn(0), rst(10))
    assert [one.relative(path) for path in one.paths] == [(0, 0), (0, 1)]


def test_the_first_fin_of_one_end() -> None:
    fins = (segment(100, "client > fw", "FA"), segment(200, "client > fw", "FA"))
    (one,) = lives(handshake(0), fins)
    found = one.sent_fin(CLIENT, 1_000_000)
    assert found is not None
    assert found.time_ns == 100_000
    assert one.sent_fin(CLIENT, 50_000) is None
    assert one.sent_fin(SERVER, 1_000_000) is None


@pytest.mark.parametrize(("start", "number", "apart"), [(0, 5, 5), (5, 0, -5), (2**32 - 1, 1, 2), (1, 2**32 - 1, -2)])
def test_numbers_go_round(start: int, number: int, apart: int) -> None:
    assert distance(start, number) == apart
