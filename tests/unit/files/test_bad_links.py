"""What netsim says to links, addresses and subnets that cannot be."""

from __future__ import annotations

import pytest

from netsim.files.scenario import parse_scenario
from tests.unit.files.texts import GOOD, refusal

FIRST = "client -- fw"


@pytest.mark.parametrize(
    ("link", "sentence"),
    [
        ("client -- fww", "5: link 'client -- fww' needs a node 'fww', and there is none; did you mean 'fw'?"),
        ("nas -- fw", "5: link 'nas -- fw' needs a node 'nas', and there is none; add it to 'nodes'"),
        ("client -- client", "5: client is linked to itself; a link joins two different nodes"),
        ("client - fw", "5: link 'client - fw' does not read as 'NODE -- NODE'"),
        ("client--fw", "5: link 'client--fw' does not read as 'NODE -- NODE'"),
        ("client \u2014 fw", r"5: link 'client \u2014 fw' does not read as 'NODE -- NODE'"),
        (
            "[client, fw]",
            "5: a link is a list here; write a mapping such as client -- server: {subnet: 10.9.0.0/24}",
        ),
        (
            "client -- fw: 10.9.0.0/24",
            "19: 'client -- fw' is the text '10.9.0.0/24' here; write a mapping such as {subnet: 10.9.0.0/24}",
        ),
        ("client -- fw: {mtu: 9}", "20: unknown key 'mtu' in 'client -- fw'; the keys are subnet, addresses"),
    ],
)
def test_a_link(link: str, sentence: str) -> None:
    assert refusal(GOOD.replace(FIRST, link)) == f"7:{sentence}"


def test_two_links_behind_one_dash() -> None:
    text = (
        GOOD.replace(FIRST, "client -- fw: {}").replace("  - fw --", "    fw --").replace("-- server", "-- server: {}")
    )
    assert refusal(text) == (
        "7:5: a link is one 'KEY: VALUE' such as client -- server: {subnet: 10.9.0.0/24}, and here are 2; "
        "begin each with a '- ' of its own"
    )


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ("subnet: 10.9.0.0/33", "28: '10.9.0.0/33' is no subnet; write one such as 10.9.0.0/24"),
        ("subnet: 10.9.0.1/24", "28: 10.9.0.1/24 is an address inside the subnet 10.9.0.0/24; write 10.9.0.0/24"),
        (
            "subnet: 127.0.0.0/24",
            "28: the subnet 127.0.0.0/24 overlaps 127.0.0.0/8, which is the loopback's; take one from 10.0.0.0/8",
        ),
        (
            "subnet: 239.1.0.0/24",
            (
                "28: the subnet 239.1.0.0/24 overlaps 224.0.0.0/3, which is multicast or reserved; "
                "take one from 10.0.0.0/8"
            ),
        ),
        (
            "subnet: 10.9.0.0/32",
            "5: subnet 10.9.0.0/32 is too small: it has room for 1, and 2 addresses are needed on client -- fw",
        ),
        (
            "subnet: 10.9.0.0/24, addresses: {client: 10.9.0.1, fw: 10.9.0.1}",
            "5: address clash: client and fw both have 10.9.0.1; change one of them",
        ),
        (
            "subnet: 10.9.0.0/24, addresses: {client: 10.9.0.255}",
            "5: address 10.9.0.255 of client is none of 10.9.0.0/24's; take one from that subnet",
        ),
        (
            "addresses: {client: 10.9.0.1, fw: 10.8.0.1}",
            "5: address 10.8.0.1 of fw is none of 10.9.0.0/24's; take one from that subnet",
        ),
        ("addresses: {clint: 10.9.0.1}", "32: 'clint' is no end of the link client -- fw; did you mean 'client'?"),
        ("addresses: {server: 10.9.0.1}", "32: 'server' is no end of the link client -- fw; write client or fw"),
        ("addresses: {client: 10.9.0.300}", "40: '10.9.0.300' is no address; write one such as 10.9.0.1"),
    ],
)
def test_addresses_by_hand(settings: str, sentence: str) -> None:
    assert refusal(GOOD.replace(FIRST, f"client -- fw: {{{settings}}}")) == f"7:{sentence}"


def test_subnets_that_overlap() -> None:
    text = GOOD.replace(FIRST, "client -- fw: {subnet: 10.9.0.0/16}")
    text = text.replace("fw -- server", "fw -- server: {subnet: 10.9.3.0/24}")
    sentence = "the subnets 10.9.0.0/16 and 10.9.3.0/24 overlap; give one of them another range"
    assert refusal(text) == f"8:5: address clash: {sentence}"


@pytest.mark.parametrize(
    ("switch", "link", "sentence"),
    [
        (
            "{kind: switch, subnet: 10.9.0.0/32}",
            FIRST,
            "subnet 10.9.0.0/32 is too small: it has room for 1, and 2 addresses are needed on client -- fw",
        ),
        (
            "{kind: switch, subnet: 10.9.0.0/24}",
            "client -- fw: {subnet: 10.8.0.0/24}",
            (
                "link client -- fw says 10.8.0.0/24 and switch fw says 10.9.0.0/24, but they are one segment; "
                "keep one of them"
            ),
        ),
    ],
)
def test_a_switched_segment(switch: str, link: str, sentence: str) -> None:
    assert refusal(GOOD.replace("{kind: router}", switch).replace(FIRST, link)) == f"7:5: {sentence}"


def test_a_switch_has_no_address() -> None:
    text = GOOD.replace("{kind: router}", "{kind: switch}").replace(FIRST, "client -- fw: {addresses: {fw: 10.9.0.1}}")
    assert refusal(text) == "7:32: fw is a switch, and has no address; give one to the other end"


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(GOOD.replace("{kind: router}", "{}"), id="a host forwards nothing"),
        pytest.param(
            GOOD.replace("  server: {}", "  server: {}\n  far: {}").replace("fw -- server", "far -- server"),
            id="two islands",
        ),
    ],
)
def test_no_way_to_the_other_end(text: str) -> None:
    line = text.count("\n") + 1
    assert refusal(text + "  - client: connect server:80 = ok\n") == (
        f"{line}:13: there is no way from client to server; join them with links over routers, "
        "or write '= ENETUNREACH' behind this step if that is what it shows"
    )


@pytest.mark.parametrize("outcome", ["ENETUNREACH", "EHOSTUNREACH", "ETIMEDOUT", "timeout within 1s"])
def test_no_way_is_fine_where_the_step_expects_it(outcome: str) -> None:
    text = GOOD.replace("{kind: router}", "{}")
    parse_scenario(text + f"  - client: connect server:80 = {outcome}\n", "x", "f.yaml")
    started = f"  - client: start connect server:80\n  - client: finish = {outcome}\n"
    parse_scenario(text + started, "x", "f.yaml")


def test_routes_by_hand_may_break_the_way() -> None:
    text = GOOD.replace("client: {}", "client: {routes: [default blackhole]}")
    parse_scenario(text + "  - client: connect server:80\n", "x", "f.yaml")


def test_a_node_without_links_cannot_be_called() -> None:
    text = GOOD.replace("  - client -- fw\n", "") + "  - server: connect client:80\n"
    assert refusal(text) == "10:13: client has no address, as it has no link; name another node"
