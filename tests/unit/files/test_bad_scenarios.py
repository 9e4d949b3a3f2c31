"""What netsim says to a scenario file that it cannot accept: place, finding, and what would be right."""

from __future__ import annotations

import pytest

from netsim.files.scenario import parse_scenario
from tests.unit.files.texts import GOOD, refusal

A_NAME = "a name is made of a-z, 0-9 and '-', starts with a letter and does not end with '-'"
A_RULE = (
    "[input|forward|output] accept|drop|reject [tcp|udp|icmp] [from NODE|ADDRESS] [to NODE|ADDRESS] "
    "[sport PORT] [dport PORT] [with ANSWER]"
)


def test_the_text_that_all_of_this_changes_is_good() -> None:
    assert parse_scenario(GOOD, "x", "f.yaml").title == "T"


@pytest.mark.parametrize(
    ("found", "instead", "sentence"),
    [
        ("title: T", "titel: T", "1:1: unknown key 'titel' in a scenario; did you mean 'title'?"),
        (
            "title: T\n",
            "",
            "1:1: a scenario has no 'title'; add one, such as title: A firewall resets every connection",
        ),
        ("T", "[a]", "1:8: 'title' is a list here; write a text such as 'A firewall resets every connection'"),
        ("T", "''", "1:8: 'title' is empty here; write a text such as 'A firewall resets every connection'"),
        ("T", "x" * 121, "1:8: 'title' is one line of at most 120 letters; put the rest into 'about'"),
        ("T", "|\n  a\n  b", "1:8: 'title' is one line of at most 120 letters; put the rest into 'about'"),
        ("script:", "scripts:", "9:1: unknown key 'scripts' in a scenario; did you mean 'script'?"),
        (
            "script:",
            "zzz:",
            "9:1: unknown key 'zzz' in a scenario; the keys are title, about, nodes, links, script, expect",
        ),
    ],
)
def test_top_of_the_file(found: str, instead: str, sentence: str) -> None:
    assert refusal(GOOD.replace(found, instead, 1)) == sentence


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("- a\n", "1:1: a scenario is a list here; write a mapping such as title: ..."),
        ("hello", "1:1: a scenario is the text 'hello' here; write a mapping such as title: ..."),
        (
            "title: T\nnodes: [a, b]\n",
            "2:8: 'nodes' is a list here; write a mapping such as {client: {}, server: {}}",
        ),
        ("title: T\nnodes: {}\n", "2:8: 'nodes' is empty; write at least one, such as {client: {}, server: {}}"),
        ("title: T\nnodes:\n", "2:7: 'nodes' is empty here; write a mapping such as {client: {}, server: {}}"),
        (
            "title: T\nnodes: {" + ", ".join(f"n{i}: {{}}" for i in range(4097)) + "}\n",
            "2:8: here are 4,097 nodes, and a lab has at most 4,096",
        ),
    ],
)
def test_a_mapping_belongs_here(text: str, sentence: str) -> None:
    assert refusal(text) == sentence


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("ser ver", A_NAME),
        ("..", A_NAME),
        ("a/b", A_NAME),
        ("Server", A_NAME),
        ("9a", A_NAME),
        ("a-", A_NAME),
        ("a_b", A_NAME),
        ("lab", "'lab' is a word of netsim's own"),
        ("localhost", "'localhost' is a word of netsim's own"),
    ],
)
def test_a_name_that_is_none(name: str, fault: str) -> None:
    sentence = f"5:3: '{name}' cannot be the name of a node: {fault}"
    assert refusal(GOOD.replace("  server: {}", f"  {name}: {{}}")) == sentence


def test_an_empty_name() -> None:
    text = GOOD.replace("  server: {}", "  '': {}")
    assert refusal(text) == "5:3: '' cannot be the name of a node: a name cannot be empty"


def test_a_name_of_300_letters_is_not_repeated_in_full() -> None:
    quoted = "a" * 55 + "..."
    fault = "a name has at most 40 letters, this one has 300"
    text = GOOD.replace("  server: {}", f"  {'a' * 300}: {{}}")
    assert refusal(text) == f"5:3: '{quoted}' cannot be the name of a node: {fault}"


def test_a_letter_that_only_looks_like_one_is_shown_by_its_number() -> None:
    text = GOOD.replace("  server: {}", "  s\u0435rver: {}")  # a Cyrillic e
    assert refusal(text) == rf"5:3: 's\u0435rver' cannot be the name of a node: {A_NAME}"


def test_two_nodes_of_one_name() -> None:
    sentence = "5:3: 'client' stands here a second time, after line 3; rename or delete one"
    assert refusal(GOOD.replace("  server: {}", "  client: {}")) == sentence


@pytest.mark.parametrize(
    ("node", "sentence"),
    [
        ("kind: ruter", "4:14: 'kind' cannot be 'ruter'; did you mean 'router'?"),
        ("kind: pc", "4:14: 'kind' cannot be 'pc'; it is one of: host, router, switch"),
        ("kind: [router]", "4:14: 'kind' is a list here; write a text such as 'router'"),
        ("king: router", "4:8: unknown key 'king' in 'fw'; did you mean 'kind'?"),
        (
            "firewall: reject tcp",
            "4:18: 'firewall' is the text 'reject tcp' here; write a list such as [reject tcp dport 80 with tcp-reset]",
        ),
        ("firewall: [reject tcp dport 0]", "4:19: port '0' is none: a port is a number from 1 to 65535"),
        ("firewall: [drop udp sport 70000]", "4:19: port '70000' is none: a port is a number from 1 to 65535"),
        (
            "firewall: [reject with tcp-reset]",
            "4:19: 'with tcp-reset' needs tcp: write 'reject tcp ... with tcp-reset'",
        ),
        ("firewall: [drop tcp with tcp-reset]", "4:19: 'with tcp-reset' goes with reject, not with drop"),
        ("firewall: [drop dport 5]", "4:19: a port needs tcp or udp before it, in 'drop dport 5'"),
        (
            "firewall: [rejct tcp]",
            f"4:19: firewall rule 'rejct tcp' does not read as {A_RULE}; did you mean 'reject'?",
        ),
        ("firewall: [drop tcp from cleint]", "4:19: there is no node or address 'cleint'; did you mean 'client'?"),
        (
            "firewall: [drop tcp to 10.9.9.9]",
            "4:19: there is no node or address '10.9.9.9'; there are client, fw, server",
        ),
        (
            "firewall: [{drop: tcp}]",
            "4:19: a rule is a mapping here; write a text such as 'reject tcp dport 80 with tcp-reset'",
        ),
        ("subnet: 10.9.0.0/24", "4:8: 'subnet' does not go with a host: write it on the link"),
        ("kind: switch, firewall: [drop]", "4:22: 'firewall' does not go with a switch: it has no addresses"),
        (
            "kind: switch, routes: [default via client]",
            "4:22: 'routes' does not go with a switch: it has no addresses",
        ),
    ],
)
def test_a_node(node: str, sentence: str) -> None:
    assert refusal(GOOD.replace("kind: router", node)) == sentence


@pytest.mark.parametrize(
    ("sysctls", "sentence"),
    [
        ("kernel.panic: 1", "18: 'kernel.panic' is no setting of a node"),
        ("net.ipv4/../../kernel.panic: 1", "18: 'net.ipv4/../../kernel.panic' is no setting of a node"),
        ("../kernel/panic: 1", "18: '../kernel/panic' is no setting of a node"),
        ("net.ipv4.ip forward: 1", "18: 'net.ipv4.ip forward' is no setting of a node"),
        ("net: 1", "18: 'net' is no setting of a node"),
        ("net.ipv4.: 1", "18: 'net.ipv4.' is no setting of a node"),
        ("net.ipv4.ip_forward: [1]", "39: 'net.ipv4.ip_forward' is a list here; write a text such as '3'"),
        (
            "net.ipv4.ip_forward: 1, net/ipv4/ip_forward: 0",
            "42: net.ipv4.ip_forward is set a second time here; keep one of them",
        ),
        (
            "net.ipv4.ip_forward: \u00e9",
            r"39: '\xe9' is no value for a kernel setting; most are a number",
        ),
    ],
)
def test_a_kernel_setting(sysctls: str, sentence: str) -> None:
    if sentence.endswith("of a node"):
        sentence += "; only names under net. are, such as net.ipv4.tcp_retries2"
    assert refusal(GOOD.replace("kind: router", f"sysctls: {{{sysctls}}}")) == f"4:{sentence}"


@pytest.mark.parametrize(
    ("route", "sentence"),
    [
        (
            "default over client",
            (
                "route 'default over client' does not read as 'PREFIX via NEIGHBOUR' or "
                "'PREFIX unreachable|prohibit|blackhole|throw'"
            ),
        ),
        (
            "default via nobody",
            (
                "the route of fw goes via nobody, which is no neighbour's name or address; "
                "its neighbours are client, server"
            ),
        ),
        (
            "default via sever",
            "the route of fw goes via sever, which is no neighbour's name or address; did you mean 'server'?",
        ),
        ("10.9.0.1/24 via client", "10.9.0.1/24 is an address inside the subnet 10.9.0.0/24; write 10.9.0.0/24"),
        ("sever via client", "'sever' is no subnet; write one such as 10.9.0.0/24"),
        ("default via Client", "'Client' is no address; write one such as 10.9.0.1"),
    ],
)
def test_a_route(route: str, sentence: str) -> None:
    assert refusal(GOOD.replace("kind: router", f"routes: [{route}]")) == f"4:17: {sentence}"


def test_two_routes_to_one_place() -> None:
    text = GOOD.replace("kind: router", "routes: [default via client, 0.0.0.0/0 via server]")
    assert refusal(text) == "4:37: fw has two routes to 0.0.0.0/0; keep one of them"
