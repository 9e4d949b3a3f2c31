"""Networks that are more than a chain, and every fault: built for real, and seen in what programs get."""

from __future__ import annotations

import itertools
import json
import os
import select
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import pytest

from netsim.files.recording import read
from netsim.model.endpoint import Endpoint
from netsim.model.event import Call, Counters, Icmp, Kernel, Packet, Tcp
from netsim.model.icmp import REJECT_CODES
from netsim.model.timeline import Timeline
from tests.kernel.conftest import Need
from tests.kernel.machine import Machine, finish, one_sentence, tcp_counter, until


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a scenario's run printed and recorded."""

    code: int
    report: dict[str, Any]
    timeline: Timeline

    @property
    def observed(self) -> dict[str, str]:
        """By 'who: text' of the step."""
        return {f"{step['who']}: {step['text']}": step["observed"] for step in self.report["steps"]}

    def tcp(self, node: str, direction: str) -> list[tuple[Packet, Tcp]]:
        """Every TCP segment that a node sent, or got, and the packet that it came in."""
        return [
            (event, event.segment)
            for event in self.timeline.events
            if isinstance(event, Packet)
            and isinstance(event.segment, Tcp)
            and (event.node, event.direction) == (node, direction)
            and not event.lost
        ]


def play(machine: Machine, directory: Path, text: str) -> Outcome:
    """Run a scenario; its title is the test's."""
    file, recording = directory / "scenario.yaml", directory / "recording.jsonl"
    file.write_text(f"title: A test\n{text}")
    done = machine.netsim("run", file, "--json", "--record", recording)
    assert done.stdout, done.stderr
    return Outcome(done.returncode, json.loads(done.stdout), read(recording))


def passed(machine: Machine, directory: Path, text: str) -> Outcome:
    outcome = play(machine, directory, text)
    assert (outcome.code, outcome.report["verdict"]) == (0, "pass"), outcome.observed
    return outcome


SWITCH = """
nodes: {a: {}, b: {}, c: {}, lan: {kind: switch}}
links: [a -- lan, b -- lan, c -- lan]
"""
TWO_SWITCHES = """
nodes: {a: {}, b: {}, c: {}, lan: {kind: switch}, lan2: {kind: switch}}
links: [a -- lan, lan -- lan2, lan2 -- b, c -- lan]
"""
RING = """
nodes: {a: {}, b: {}, c: {}, r1: {kind: router}, r2: {kind: router}, r3: {kind: router}, r4: {kind: router}}
links: [r1 -- r2, r2 -- r3, r3 -- r4, r4 -- r1, a -- r1, b -- r3, c -- r4]
"""
BEHIND_A_ROUTER = """
nodes: {a: {}, b: {}, lan: {kind: switch}, gw: {kind: router}, c: {}}
links: [a -- lan, b -- lan, lan -- gw, gw -- c]
"""
ROUTERS_ON_A_LAN = """
nodes: {a: {}, b: {}, c: {}, r1: {kind: router}, r2: {kind: router}, r3: {kind: router}, lan: {kind: switch}}
links: [r1 -- lan, r2 -- lan, r3 -- lan, a -- r1, b -- r2, c -- r3]
"""


@pytest.mark.parametrize(
    "network",
    [SWITCH, TWO_SWITCHES, RING, BEHIND_A_ROUTER, ROUTERS_ON_A_LAN],
    ids=["switch", "two switches", "ring", "behind a router", "routers on a LAN"],
)
def test_everybody_reaches_everybody(shared_machine: Machine, tmp_path: Path, network: str) -> None:
    hosts = ("a", "b", "c")
    script = [f"  - {host}: listen 80 = ok" for host in hosts]
    for one, other in itertools.permutations(hosts, 2):
        script += [
            f"  - {one}.to-{other}: connect {other}:80 = ok within 1s",
            f"  - {other}: accept as from-{one} = ok",
            f"  - {one}.to-{other}: send 5 = 5",
            f"  - {other}: recv 5 waitall on from-{one} = 5 within 1s",
        ]
    outcome = passed(shared_machine, tmp_path, network + "script:\n" + "\n".join(script))
    assert len(outcome.report["steps"]) == 27


def test_a_switch_makes_no_hop_and_sends_to_one_port(shared_machine: Machine, tmp_path: Path) -> None:
    script = "script:\n  - b: listen 80 = ok\n  - a: connect b:80 = ok\n  - a: send 5 = 5\n  - b: accept = ok\n"
    outcome = passed(shared_machine, tmp_path, TWO_SWITCHES + script)
    assert {packet.ttl for packet, _ in outcome.tcp("b", "in")} == {64}
    assert outcome.tcp("c", "in") == []
    assert {packet.link for packet, _ in outcome.tcp("lan2", "in")} == {"lan -- lan2", "lan2 -- b"}


def test_a_ring_is_crossed_the_short_way(shared_machine: Machine, tmp_path: Path) -> None:
    script = "script:\n  - c: listen 80 = ok\n  - a: connect c:80 = ok\n"
    outcome = passed(shared_machine, tmp_path, RING + script)
    assert {packet.ttl for packet, _ in outcome.tcp("c", "in")} == {62}
    assert outcome.tcp("r2", "in") == outcome.tcp("r3", "in") == []


def test_a_chain_of_20_routers(shared_machine: Machine, tmp_path: Path) -> None:
    routers = [f"r{i}" for i in range(1, 21)]
    chain = ["client", *routers, "server"]
    nodes = "".join(f"  {name}: {{kind: {'router' if name in routers else 'host'}}}\n" for name in chain)
    cables = "".join(f"  - {a} -- {b}\n" for a, b in itertools.pairwise(chain))
    script = (
        "script:\n  - server: listen 80 = ok\n  - client: connect server:80 = ok\n  - client: connect r20:81 as x\n"
    )
    outcome = passed(shared_machine, tmp_path, f"nodes:\n{nodes}links:\n{cables}{script}")
    assert {packet.ttl for packet, _ in outcome.tcp("server", "in")} == {64 - 20}
    assert {packet.ttl for packet, tcp in outcome.tcp("client", "in") if "R" not in tcp.flags} == {64 - 20}
    (reset,) = outcome.report["resets"]
    assert (reset["sent_by"], reset["cause"]) == ("r20", "closed-port")
    for place, router in enumerate(routers, 1):
        syns = [packet.ttl for packet, tcp in outcome.tcp(router, "out") if tcp.flags == "S" and packet.dst.port == 80]
        assert syns == [64 - place]


CHAIN = """
nodes: {client: {}, router: {kind: router}, server: {}}
links: [client -- router, router -- server]
"""
CONNECTED = """script:
  - server: listen 80 = ok
  - client: connect server:80 = ok
  - server: accept = ok
"""


def test_a_cable_cut_in_one_direction(shared_machine: Machine, tmp_path: Path) -> None:
    """To the client: the server gets its data, and the client never hears that it did."""
    script = (
        CONNECTED
        + """\
  - client: set user_timeout 400ms = ok
  - client -- router: cut to client
  - client: send 5 = 5
  - server: recv = 5 within 1s
  - client: recv = ETIMEDOUT within 10s
"""
    )
    outcome = passed(shared_machine, tmp_path, CHAIN + script)
    (failure,) = outcome.report["failures"]
    assert (failure["who"], failure["call"], failure["errno"]) == ("client", "recv", "ETIMEDOUT")
    assert outcome.report["resets"] == []


def test_a_mended_cable(shared_machine: Machine, tmp_path: Path) -> None:
    """Everything that was sent meanwhile arrives; nobody has noticed a thing."""
    script = (
        CONNECTED
        + """\
  - router -- server: cut
  - client: send 5 = 5
  - server: recv = timeout within 50ms
  - router -- server: heal
  - server: recv = 5 within 10s
  - server: send 7 = 7
  - client: recv = 7 within 10s
"""
    )
    outcome = passed(shared_machine, tmp_path, CHAIN + script)
    assert outcome.report["resets"] == []
    (failure,) = outcome.report["failures"]  # the one that the script itself asks for
    assert (failure["step"], failure["cause"]) == (5, "given-up")
    sent = [tcp for _, tcp in outcome.tcp("client", "out") if tcp.length == 5]
    assert len(sent) >= 2


def test_a_cable_cut_twice_is_mended_at_once(shared_machine: Machine, tmp_path: Path) -> None:
    script = (
        CONNECTED
        + """\
  - router -- server: cut to server
  - router -- server: cut
  - router -- server: cut
  - router -- server: heal
  - client: send 5 = 5
  - server: recv = 5 within 1s
"""
    )
    passed(shared_machine, tmp_path, CHAIN + script)


def test_two_cables_are_cut_apart(shared_machine: Machine, tmp_path: Path) -> None:
    script = (
        CONNECTED
        + """\
  - client -- router: cut
  - router -- server: cut
  - client -- router: heal
  - client: connect router:81 as other = ECONNREFUSED within 5s
  - client: send 5 = 5
  - server: recv = timeout within 50ms
  - router -- server: heal
  - server: recv = 5 within 10s
"""
    )
    passed(shared_machine, tmp_path, CHAIN + script)


def test_crash_and_boot_twice(need: Need, shared_machine: Machine, tmp_path: Path) -> None:
    """The same addresses, the same rules, the same sysctls, and nothing remembered."""
    need("legacy iptables")
    text = """
nodes: {client: {}, server: {sysctls: {net.ipv4.ip_default_ttl: 33}, firewall: [reject tcp dport 81 with tcp-reset]}}
links: [client -- server]
script:
"""
    for number in range(3):
        text += f"""\
  - server: listen 80 = ok
  - client: connect server:80 as c{number} = ok within 1s
  - client: connect server:81 as refused{number} = ECONNREFUSED within 1s
  - server: crash
  - server: boot
  - client: connect server:80 as gone{number} = ECONNREFUSED within 1s
"""
    text += "  - client: connect server:81 as refused = ECONNREFUSED within 1s\n"
    outcome = passed(shared_machine, tmp_path, text)
    resets = outcome.report["resets"]
    assert [reset["from"] for reset in resets] == ["server:81", "server:80"] * 3 + ["server:81"]
    assert {reset["cause"] for reset in resets if reset["from"] == "server:80"} == {"closed-port"}
    assert resets[-1]["cause"] == "firewall-reject"
    assert {packet.ttl for packet, tcp in outcome.tcp("client", "in") if "R" not in tcp.flags} == {33}


def test_a_router_that_loses_power(shared_machine: Machine, tmp_path: Path) -> None:
    """The connection through it survives: a router knows nothing of connections."""
    script = (
        CONNECTED
        + """\
  - router: crash
  - client: send 5 = 5
  - server: recv = timeout within 50ms
  - router: boot
  - server: recv = 5 within 10s
"""
    )
    assert passed(shared_machine, tmp_path, CHAIN + script).report["resets"] == []


def test_a_cut_cable_stays_cut_over_a_reboot(shared_machine: Machine, tmp_path: Path) -> None:
    script = """script:
  - router -- server: cut
  - server: crash
  - server: boot
  - server: listen 80 = ok
  - client: connect server:80 = timeout within 50ms
  - router -- server: heal
  - client: connect server:80 as again = ok within 5s
"""
    passed(shared_machine, tmp_path, CHAIN + script)


def test_a_sysctl_set_while_it_runs(shared_machine: Machine, tmp_path: Path) -> None:
    script = """script:
  - server: listen 80 = ok
  - client: connect server:80 = ok
  - client: sysctl net.ipv4.ip_default_ttl=33
  - client: connect server:80 as again = ok
"""
    outcome = passed(shared_machine, tmp_path, CHAIN + script)
    assert [packet.ttl for packet, tcp in outcome.tcp("server", "in") if tcp.flags == "S"] == [63, 32]


def test_a_sysctl_that_is_none(shared_machine: Machine, tmp_path: Path) -> None:
    file = tmp_path / "none.yaml"
    file.write_text(f"title: None\n{CHAIN}script:\n  - client: sysctl net.ipv4.no_such=1\n")
    said = one_sentence(shared_machine.netsim("run", file), 1)
    assert said.startswith("set sysctl net.ipv4.no_such = 1 on client failed: ENOENT")


def test_a_drop_rule_is_silence(need: Need, shared_machine: Machine, tmp_path: Path) -> None:
    need("legacy iptables")
    text = """
nodes:
  client: {sysctls: {net.ipv4.tcp_syn_retries: 1}}
  fw: {kind: router, firewall: [drop tcp dport 80]}
  server: {}
links: [client -- fw, fw -- server]
script:
  - server: listen 80 = ok
  - client: connect server:80 = ETIMEDOUT within 60s
expect:
  - no reset
  - failure: {who: client, call: connect, errno: ETIMEDOUT, cause: silent-drop}
"""
    outcome = passed(shared_machine, tmp_path, text)
    (failure,) = outcome.report["failures"]
    assert "vanished at fw: rule 1 of its FORWARD chain (drop tcp dport 80)" in failure["because"]
    assert {packet.link for packet, _ in outcome.tcp("fw", "in")} == {"client -- fw"}
    assert outcome.tcp("server", "in") == []


ICMP_ERRNOS = {
    "icmp-port-unreachable": "ECONNREFUSED",
    "icmp-host-unreachable": "EHOSTUNREACH",
    "icmp-host-prohibited": "EHOSTUNREACH",
    "icmp-admin-prohibited": "EHOSTUNREACH",
    "icmp-net-unreachable": "ENETUNREACH",
    "icmp-net-prohibited": "ENETUNREACH",
    "icmp-proto-unreachable": "ENOPROTOOPT",
}


@pytest.fixture(scope="module")
def answered_by_icmp(need: Need, shared_machine: Machine, tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """One rule and one client for each answer, all at once: the kernel tells of them a second later only."""
    need("legacy iptables")
    ports = dict(enumerate(ICMP_ERRNOS, 1001))
    rules = ", ".join(f"reject tcp dport {port} with {answer}" for port, answer in ports.items())
    begin = "".join(f"  - client.to-{port}: start connect server:{port}\n" for port in ports)
    end = "".join(f"  - client.to-{port}: finish\n" for port in ports)
    text = f"""
nodes:
  client: {{}}
  fw: {{kind: router, sysctls: {{net.ipv4.icmp_ratelimit: 0}}, firewall: [{rules}]}}
  server: {{}}
links: [client -- fw, fw -- server]
script:
{begin}{end}"""
    return play(shared_machine, tmp_path_factory.mktemp("icmp"), text)


@pytest.mark.parametrize("answer", ICMP_ERRNOS)
def test_an_icmp_answer(answered_by_icmp: Outcome, answer: str) -> None:
    port = 1001 + [*ICMP_ERRNOS].index(answer)
    assert answered_by_icmp.observed[f"client.to-{port}: finish"] == ICMP_ERRNOS[answer]
    server = Endpoint(str(answered_by_icmp.timeline.network.addresses["server"]), port)
    said = {
        (event.segment.kind, event.segment.code)
        for event in answered_by_icmp.timeline.events
        if isinstance(event, Packet) and isinstance(event.segment, Icmp) and event.segment.quoted_dst == server
    }
    assert said == {(3, REJECT_CODES[answer])}


def test_an_icmp_answer_is_no_reset(answered_by_icmp: Outcome) -> None:
    assert answered_by_icmp.report["resets"] == []
    failures = answered_by_icmp.report["failures"]
    assert {failure["errno"] for failure in failures} == {*ICMP_ERRNOS.values()}
    assert {failure["cause"] for failure in failures} == {"firewall-reject"}
    assert all("rule" in failure["because"] and "fw" in failure["because"] for failure in failures)


def test_a_rule_put_in_place_while_it_runs(need: Need, shared_machine: Machine, tmp_path: Path) -> None:
    need("legacy iptables")
    script = (
        CONNECTED
        + """\
  - client: send 5 = 5
  - server: recv = 5 within 1s
  - router: reject tcp dport 80 with tcp-reset
  - client: send 5 = 5
  - client: recv = ECONNRESET within 1s
  - server: recv = timeout within 50ms      # nobody tells the other side
"""
    )
    outcome = passed(shared_machine, tmp_path, CHAIN + script)
    (reset,) = outcome.report["resets"]
    assert (reset["sent_by"], reset["cause"], reset["flags"]) == ("router", "firewall-reject", "R")


@pytest.fixture(scope="module")
def mixed(need: Need, shared_machine: Machine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """A lab with everything in it stands, twice."""
    text = """title: A bit of everything
nodes:
  client: {}
  gw: {kind: router}
  lan: {kind: switch}
  server: {sysctls: {net.ipv4.tcp_rmem: 4096 87380 1000000}}
links: [client -- gw, gw -- lan, lan -- server]
"""
    file = tmp_path_factory.mktemp("mixed") / "mixed.yaml"
    file.write_text(text)
    # A host whose own settings are others: no lab may inherit them.
    settings = {"tcp_rmem": "4096 8192 16384", "tcp_wmem": "4096 8192 16384", "conf/all/rp_filter": "1"}
    for key, value in settings.items():
        shared_machine.output("sh", "-c", f"echo {value} > /proc/sys/net/ipv4/{key}")
    for lab in ("mixed", "again"):
        assert shared_machine.netsim("up", file, "--lab", lab).returncode == 0
    yield shared_machine
    for lab in ("mixed", "again"):
        assert shared_machine.netsim("down", lab).returncode == 0


def _on(machine: Machine, node: str, *argv: str, lab: str = "mixed") -> str:
    return machine.output("ip", "netns", "exec", f"{lab}.{node}", *argv)


def _sysctl(machine: Machine, node: str, key: str) -> list[str]:
    return _on(machine, node, "cat", f"/proc/sys/net/{key}").split()


@pytest.mark.parametrize("node", ["client", "gw", "lan"])
@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("ipv4/tcp_rmem", "4096 131072 6291456"),
        ("ipv4/tcp_wmem", "4096 16384 4194304"),
        ("ipv4/tcp_congestion_control", "reno"),
        ("ipv4/conf/all/rp_filter", "0"),
        ("ipv4/conf/eth0/rp_filter", "0"),
    ],
)
def test_sysctls_do_not_depend_on_the_host(mixed: Machine, node: str, key: str, value: str) -> None:
    assert _sysctl(mixed, node, key) == value.split()


def test_the_file_has_the_last_word_on_a_sysctl(mixed: Machine) -> None:
    assert _sysctl(mixed, "server", "ipv4/tcp_rmem") == ["4096", "87380", "1000000"]


@pytest.mark.parametrize(("node", "forwards"), [("client", "0"), ("gw", "1"), ("lan", "0"), ("server", "0")])
def test_only_routers_forward(mixed: Machine, node: str, forwards: str) -> None:
    assert _sysctl(mixed, node, "ipv4/ip_forward") == [forwards]


@pytest.mark.parametrize("node", ["client", "gw", "lan", "server"])
def test_ipv6_is_off_where_nobody_uses_it(mixed: Machine, node: str) -> None:
    if not os.path.exists("/proc/sys/net/ipv6"):
        pytest.skip("this host's kernel has no IPv6")
    assert _sysctl(mixed, node, "ipv6/conf/all/disable_ipv6") == ["1"]
    assert _on(mixed, node, "ip", "-6", "address") == ""


@pytest.mark.parametrize("node", ["client", "gw", "lan", "server"])
def test_the_same_file_gives_the_same_network(mixed: Machine, node: str) -> None:
    """Names, indexes, MAC and IP addresses, routes: all but what the kernel counts."""
    commands = (("ip", "-json", "link"), ("ip", "-json", "address"), ("ip", "route", "show", "table", "all"))
    for command in commands:
        one, another = (_without_chance(_on(mixed, node, *command, lab=lab)) for lab in ("mixed", "again"))
        assert one == another


def _without_chance(text: str) -> object:
    """Two things are the kernel's business of the moment.

    link_netnsid, the number of the namespace at a cable's far end, is a matter of who asked first; operstate
    is UP or UNKNOWN as the carrier came after the interface or before it.
    """
    if not text.startswith("["):
        return text
    chance = {"link_netnsid", "operstate"}
    return [{key: value for key, value in link.items() if key not in chance} for link in json.loads(text)]


def test_addresses(mixed: Machine) -> None:
    found = {}
    for node in ("client", "gw", "lan", "server"):
        for interface in json.loads(_on(mixed, node, "ip", "-json", "address")):
            for address in interface["addr_info"]:
                if interface["ifname"] != "lo":
                    found[node, interface["ifname"]] = f"{address['local']}/{address['prefixlen']}"
    assert found == {
        ("client", "eth0"): "10.0.0.1/24",
        ("gw", "eth0"): "10.0.0.2/24",
        ("gw", "eth1"): "10.0.1.1/24",
        ("server", "eth0"): "10.0.1.2/24",
    }


def test_macs_are_locally_administered_and_unique(mixed: Machine) -> None:
    macs = [
        interface["address"]
        for node in ("client", "gw", "lan", "server")
        for interface in json.loads(_on(mixed, node, "ip", "-json", "link"))
        if interface["ifname"].startswith("eth")
    ]
    assert len(macs) == len(set(macs)) == 6
    assert all(int(mac[:2], 16) & 0b11 == 0b10 for mac in macs)


def test_addresses_and_routes_by_hand(shared_machine: Machine, tmp_path: Path) -> None:
    text = """
nodes:
  client: {routes: [10.99.0.0/16 unreachable, 10.98.0.0/16 prohibit]}
  gw: {kind: router}
  server: {}
links:
  - client -- gw: {subnet: 192.0.2.0/24, addresses: {client: 192.0.2.77}}
  - gw -- server
script:
  - server: listen 80 = ok
  - client: connect server:80 = ok
"""
    outcome = passed(shared_machine, tmp_path, text)
    assert {packet.src.address for packet, _ in outcome.tcp("server", "in")} == {"192.0.2.77"}
    ((syn, _), *_) = outcome.tcp("server", "in")
    assert ip_address(syn.src.address) in ip_network("192.0.2.0/24")


def test_no_interface_is_ever_seen_on_the_host(machine: Machine) -> None:
    """Both ends of a cable are made where they belong: a program that watches interfaces come and go sees none."""
    watch = machine.start("ip", "-oneline", "monitor", "link")
    assert watch.stdout is not None
    # What is heard first tells that it listens, what is heard last that nothing was missed.
    until(lambda: _heard(machine, watch, "begin"), "the monitor")
    for name in ("peer-reboot", "firewall-reset"):
        assert machine.netsim("run", name).returncode == 0
    machine.output("ip", "link", "add", "end", "type", "bridge")
    seen = set()
    while "end" not in seen:
        line = watch.stdout.readline()
        assert line
        seen.add(line.removeprefix("Deleted ").split()[1].rstrip(":").partition("@")[0])
    watch.kill()
    assert seen == {"begin", "end"}


def _heard(machine: Machine, watch: subprocess.Popen[str], name: str) -> bool:
    """Make and remove an interface; has the monitor said so?"""
    assert watch.stdout is not None
    machine.output("ip", "link", "add", name, "type", "bridge")
    machine.output("ip", "link", "delete", name)
    return bool(select.select([watch.stdout], [], [], 0.1)[0])


def test_two_machines_with_the_same_process_numbers(need: Need, tmp_path: Path) -> None:
    """Containers share one kernel, and its tracing instances; they do not share process numbers."""
    need("tracepoints")
    script = "script:\n  - client: connect server:80 = ECONNREFUSED\n  - lab: wait 1s\n"
    (tmp_path / "same.yaml").write_text(f"title: The same\n{CHAIN}{script}")
    with Machine() as one, Machine() as other:
        runs = [
            machine.start_netsim("run", tmp_path / "same.yaml", "--record", tmp_path / f"{number}.jsonl", "--json")
            for number, machine in enumerate((one, other))
        ]
        assert [finish(run).returncode for run in runs] == [0, 0]
    for number in range(2):
        events = read(tmp_path / f"{number}.jsonl").events
        assert {"tcp_receive_reset"} <= {event.event for event in events if isinstance(event, Kernel)}


def test_nothing_is_lost_at_the_end_of_a_recording(shared_machine: Machine, tmp_path: Path) -> None:
    """The last step's packets are there, those of a busy end too."""
    script = CONNECTED + "  - client: send 200000 = 200000\n  - server: recv 200000 waitall = 200000 within 5s\n"
    outcome = passed(shared_machine, tmp_path, CHAIN + script)
    (counters,) = [e for e in outcome.timeline.events if isinstance(e, Counters) and e.node == "server"]
    came = [packet for packet, _ in outcome.tcp("server", "in") if packet.time_ns <= counters.time_ns]
    assert len(came) == counters.grew["TcpInSegs"]
    assert sum({tcp.seq: tcp.length for _, tcp in outcome.tcp("server", "in")}.values()) == 200_000


def test_a_listener_that_closes_resets_what_it_had_not_accepted(shared_machine: Machine, tmp_path: Path) -> None:
    script = """script:
  - server: listen 80 = ok
  - client: connect server:80 = ok
  - server: close listener = ok
  - client: recv = ECONNRESET within 1s
expect:
  - reset: {sent by: server, felt by: client, cause: closed-listener}
"""
    passed(shared_machine, tmp_path, CHAIN + script)


def test_a_call_that_still_blocks_at_the_end(shared_machine: Machine, tmp_path: Path) -> None:
    outcome = play(shared_machine, tmp_path, CHAIN + CONNECTED + "  - client: start recv\n")
    assert outcome.code == 0
    calls = [event for event in outcome.timeline.events if isinstance(event, Call)]
    (recv,) = [call for call in calls if call.name == "recv"]
    assert (recv.result, recv.end_ns) == (None, outcome.timeline.lab_ns)


def test_a_lab_of_300_nodes(machine: Machine, tmp_path: Path) -> None:
    """More descriptors than fit one message, or a shell's usual limit of 1024 with select()."""
    names = ["hub", *(f"h{i}" for i in range(300))]
    nodes = "".join(f"  {name}: {{}}\n" for name in names[1:]) + "  hub: {kind: switch}\n"
    cables = "".join(f"  - {name} -- hub\n" for name in names[1:])
    script = "script:\n  - h299: listen 80 = ok\n  - h0: connect h299:80 = ok within 5s\n"
    passed(machine, tmp_path, f"nodes:\n{nodes}links:\n{cables}{script}")
    assert machine.left_over() == []
    assert not [pid for pid in machine.processes() if tcp_counter(pid, "ActiveOpens")]
