"""Packets put together: link after link, who made them, what was lost, where they branch."""

from __future__ import annotations

import pytest

from netsim.analysis.paths import Fate, PacketPath
from netsim.model.endpoint import Endpoint
from netsim.model.plan import Plan
from netsim.model.timeline import Tap
from tests.unit.builders import CLIENT, SERVER, THREE, Part, analysis, arp, fault, network, packet, plan, rst, syn

ROUTERS = plan("client -- r1", "r1 -- r2", "r2 -- server", r1="router", r2="router")
SWITCHED = plan("client -- sw", "sw -- server", "sw -- pc", sw="switch")


def paths(*parts: Part, of: Plan = THREE, taps: list[Tap] | None = None) -> list[PacketPath]:
    return analysis(*parts, of=of, taps=taps).packets.paths


def ways(path: PacketPath) -> list[str]:
    return [f"{hop.sender} > {hop.receiver} {hop.fate.value}" for hop in path.hops]


def test_one_packet_over_three_links() -> None:
    (path,) = paths(syn(100, "client > r1 > r2 > server"), of=ROUTERS)
    assert ways(path) == ["client > r1 arrived", "r1 > r2 arrived", "r2 > server arrived"]
    assert (path.maker, [hop.packet.ttl for hop in path.hops]) == ("client", [64, 63, 62])


def test_the_same_bytes_again_are_another_packet() -> None:
    first, second = paths(syn(100), syn(1_100))
    assert ([hop.resent for hop in first.hops], [hop.resent for hop in second.hops]) == ([False], [True])


def test_of_two_that_are_alike_the_later_one_arrived() -> None:
    first, second = paths(syn(100, arrives=False), syn(1_100))
    assert (ways(first), ways(second)) == (["client > fw lost"], ["client > fw arrived"])


def test_a_ttl_that_has_not_aged_is_no_continuation() -> None:
    """A router that sent it on would have taken one off: this one was made there."""
    found = paths(syn(100, "client > fw"), syn(110, "fw > server", ttl=64))
    assert [(path.maker, len(path.hops)) for path in found] == [("client", 1), ("fw", 1)]


def test_a_switch_makes_nothing_and_takes_nothing_off_the_ttl() -> None:
    (path,) = paths(packet(100, "client > sw > server", "S", CLIENT, Endpoint("10.0.0.2", 1)), of=SWITCHED)
    assert (path.maker, [hop.packet.ttl for hop in path.hops]) == ("client", [64, 64])


def test_a_flooded_packet_is_one_that_branches() -> None:
    one = packet(100, "client > sw > server", "S", CLIENT, Endpoint("10.0.0.2", 1))
    copy = packet(110, "sw > pc", "S", CLIENT, Endpoint("10.0.0.2", 1), overheard=True)
    (path,) = paths(one, copy, of=SWITCHED)
    assert sorted(ways(path)) == ["client > sw arrived", "sw > pc arrived", "sw > server arrived"]
    assert path.arrival("server") is not None
    assert path.arrival("pc") is None
    assert path.last().receiver == "server"


@pytest.mark.parametrize(
    ("taps", "maker"),
    [
        (None, "fw"),
        ([Tap("fw", "client -- fw"), Tap("fw", "fw -- server")], "fw"),
        ([Tap("fw", "client -- fw")], None),  # it may have come over the other link
    ],
)
def test_who_made_what_a_router_sends(taps: list[Tap] | None, maker: str | None) -> None:
    (path,) = paths(rst(100, "fw > client", arrives=taps is None), taps=taps)
    assert path.maker == maker


def test_what_only_its_receiver_saw_came_from_whoever_is_behind_the_link() -> None:
    taps = [Tap("client", "client -- fw")]
    (path,) = paths(rst(100, "fw > client", leaves=False), taps=taps)
    assert (path.maker, path.hops[0].left) == (None, None)
    (path,) = paths(syn(100, "client > fw", leaves=False), taps=[Tap("fw", "client -- fw")])
    assert path.maker == "client"  # a host sends on nothing


def test_a_routers_own_address_comes_from_nobody_else() -> None:
    own = packet(100, "fw > client", "RA", Endpoint("10.0.0.2", 22), CLIENT, leaves=False)
    (path,) = paths(own, taps=[Tap("client", "client -- fw")])
    assert path.maker == "fw"


def test_a_host_that_forwards_is_no_certain_maker() -> None:
    of = plan("client -- fw", "fw -- server", sysctls={"fw": {"net.ipv4.ip_forward": "1"}})
    (path,) = paths(rst(100, "fw > client", leaves=False), of=of, taps=[Tap("client", "client -- fw")])
    assert path.maker is None


def test_over_loopback_a_packet_stays_where_it_is() -> None:
    (path,) = paths(packet(100, "server", "S", Endpoint("127.0.0.1", 5), Endpoint("127.0.0.1", 6)))
    assert (path.maker, ways(path)) == ("server", ["server > server arrived"])


@pytest.mark.parametrize(
    ("parts", "taps", "fate"),
    [
        (syn(100, lost=True), None, Fate.LOST),
        (syn(100, arrives=False), None, Fate.LOST),
        (syn(100, arrives=False), [Tap("client", "client -- fw")], Fate.UNSEEN),
        ((fault(10, "client -- fw", "cut"), syn(100, arrives=False)), [Tap("client", "client -- fw")], Fate.LOST),
        ((fault(10, "client -- fw", "cut to client"), syn(100, arrives=False)), [Tap("client", "client -- fw")],
         Fate.UNSEEN),
        ((fault(10, "fw", "crash"), syn(100, arrives=False)), [Tap("client", "client -- fw")], Fate.LOST),
    ],
    ids=["at a cut", "nobody got it", "nobody watched", "cut unseen", "cut the other way", "no power"],
)  # fmt: skip
def test_what_became_of_it(parts: Part, taps: list[Tap] | None, fate: Fate) -> None:
    (path,) = [path for path in paths(parts, taps=taps) if path.src == CLIENT]
    assert path.hops[0].fate is fate


def test_what_left_as_the_recording_ended_may_have_arrived() -> None:
    found = analysis(syn(100, arrives=False), lab_us=101).packets.paths
    assert found[0].hops[0].fate is Fate.UNSEEN


def test_arp_is_a_packet_too_but_no_segment_of_tcps() -> None:
    a = analysis(arp(10), syn(100))
    assert (len(a.packets.paths), len(a.tcp)) == (2, 1)


def test_an_arrival_a_moment_before_its_departure_is_still_its_own() -> None:
    late, early = syn(100)
    from dataclasses import replace

    (path,) = paths(replace(late, time_ns=100_500), replace(early, time_ns=100_000))
    assert (path.hops[0].left is None, path.hops[0].came is None) == (False, False)
    assert network("a -- b").links == {"a -- b": ("a", "b")}
    assert SERVER.port == 60000
