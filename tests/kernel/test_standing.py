"""Labs that stay, for work by hand: up, ps, exec, shell, down."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kernel.conftest import Need
from tests.kernel.machine import NETSIM, Machine, children, finish, one_sentence, tcp_counter, until

LAB = "firewall-reset"
PLAIN = """\
title: Two hosts and a router, and no firewall
nodes: {client: {}, router: {kind: router}, server: {}}
links: [client -- router, router -- server]
script:
  - server: listen 60000 = ok
  - server.second: listen 9490 = ok
"""


@pytest.fixture
def up(need: Need, machine: Machine) -> Iterator[Machine]:
    """firewall-reset stands."""
    need("legacy iptables")
    done = machine.netsim("up", LAB)
    assert (done.returncode, done.stderr) == (0, "")
    yield machine
    machine.netsim("down", "--all")
    assert machine.left_over() == []


@pytest.fixture
def plain(machine: Machine, tmp_path: Path) -> Machine:
    """A lab without a firewall stands, called plain."""
    file = tmp_path / "plain.yaml"
    file.write_text(PLAIN)
    done = machine.netsim("up", file)
    assert (done.returncode, done.stderr) == (0, "")
    return machine


def test_up_says_what_stands_and_what_to_try(need: Need, machine: Machine) -> None:
    need("legacy iptables")
    said = machine.netsim("up", LAB).stdout
    assert said.startswith(f"{LAB}  is standing\n")
    assert "sudo netsim exec client -- nc -v server 60000" in said
    assert "sudo netsim down" in said


def test_up_and_down_for_programs(need: Need, machine: Machine) -> None:
    need("legacy iptables")
    about = machine.json("up", LAB)
    assert (about["lab"], about["scenario"]) == (LAB, LAB)
    assert about["nodes"] == ["client", "fw", "server"]
    assert about["addresses"] == {"client": "10.0.0.1", "fw": "10.0.0.2", "server": "10.0.1.2"}
    assert about["services"] == [{"who": "server", "port": 60000}]
    (lab,) = machine.json("ps")
    keeper = machine.keeper(LAB)
    assert keeper is not None
    assert (lab["name"], lab["nodes"], lab["keeper"]) == (LAB, ["client", "fw", "server"], machine.inside_pid(keeper))
    assert machine.json("down") == [LAB]
    assert machine.json("ps") == []
    assert machine.left_over() == []


def test_ps_and_down_for_people(up: Machine) -> None:
    header, row = up.netsim("ps").stdout.splitlines()
    assert header.split()[:2] == ["LAB", "SCENARIO"]
    assert row.split()[:5] == [LAB, LAB, "client", "fw", "server"]
    assert up.netsim("down").stdout == f"{LAB} is gone\n"
    assert up.netsim("ps").stdout == "no lab is standing\n"


def test_up_returns_although_its_output_is_waited_for(up: Machine) -> None:
    """What stays must not hold the pipe: `netsim up | tee log` would never end. It did end, in the fixture."""
    keeper = up.keeper(LAB)
    assert keeper is not None
    for pid in (keeper, *children(keeper)):
        assert {os.readlink(f"/proc/{pid}/fd/{fd}") for fd in (0, 1, 2)} == {"/dev/null"}


def test_a_standing_lab_has_no_process_that_it_does_not_need(up: Machine) -> None:
    """The keeper, and the process that listens; no zombie either."""
    keeper = up.keeper(LAB)
    assert keeper is not None
    (server,) = children(keeper)
    assert up.processes().keys() == {keeper, server}


def test_the_firewall_refuses_by_hand(up: Machine) -> None:
    done = up.netsim("exec", "client", "--", "nc", "-v", "-w", "5", "server", "60000")
    assert done.returncode == 1
    assert "Connection refused" in done.stderr
    assert up.netsim("exec", "client", "--", "ip", "neighbour").stdout.split()[0] == "10.0.0.2"


def test_the_services_of_the_script_listen(plain: Machine) -> None:
    for port in ("60000", "9490"):
        done = plain.netsim("exec", "client", "--", "nc", "-v", "-z", "-w", "5", "server", port)
        assert (done.returncode, "succeeded" in done.stderr) == (0, True), done.stderr


@pytest.mark.parametrize("node", ["client", "fw", "server"])
@pytest.mark.parametrize("name", ["client", "fw", "server"])
def test_names_resolve_in_every_node(shared_lab: Machine, node: str, name: str) -> None:
    wanted = {"client": "10.0.0.1", "fw": "10.0.0.2", "server": "10.0.1.2"}[name]
    done = shared_lab.netsim("exec", node, "--", "getent", "hosts", name)
    assert done.stdout.split() == [wanted, name]


@pytest.fixture(scope="module")
def shared_lab(need: Need, shared_machine: Machine) -> Iterator[Machine]:
    """firewall-reset stands, for all who only look at it."""
    need("legacy iptables")
    assert shared_machine.netsim("up", LAB).returncode == 0
    yield shared_machine
    shared_machine.netsim("down", LAB)


def test_a_web_server_by_name(need: Need, plain: Machine) -> None:
    """As in the README: python3 -m http.server on one node, curl on another."""
    serve = "cd /etc && exec setsid python3 -m http.server 8000 </dev/null >/dev/null 2>&1 &"
    assert plain.netsim("exec", "server", "--", "sh", "-c", serve).returncode == 0
    keeper = plain.keeper("plain")
    assert keeper is not None
    server = children(keeper)[0]
    until(lambda: ":1F40 " in Path(f"/proc/{server}/net/tcp").read_text(), "port 8000")
    done = plain.netsim("exec", "client", "--", "curl", "--silent", "--show-error", "http://server:8000/hostname")
    assert (done.stdout, done.stderr) == (Path("/etc/hostname").read_text(), "")


def test_no_name_server_of_the_hosts_is_asked(shared_lab: Machine) -> None:
    """It cannot be reached from a node: whoever asks it waits five seconds for nothing."""
    if not Path("/etc/resolv.conf").exists():
        pytest.skip("this host has no /etc/resolv.conf in whose place an empty one could be shown")
    assert shared_lab.netsim("exec", "client", "--", "cat", "/etc/resolv.conf").stdout == ""


def test_the_hosts_own_names_are_left_alone(shared_lab: Machine) -> None:
    assert shared_lab.netsim("exec", "client", "--", "getent", "hosts", "server").returncode == 0
    assert shared_lab.path("/etc/hosts").read_text() == Path("/etc/hosts").read_text()
    assert shared_lab.run("getent", "hosts", "fw").returncode != 0


def test_ip_netns_shows_the_nodes(shared_lab: Machine) -> None:
    listed = shared_lab.output("ip", "netns", "list").split()
    assert {f"{LAB}.{node}" for node in ("client", "fw", "server")} <= {*listed}
    ours = shared_lab.netsim("exec", "client", "--", "ip", "-json", "address")
    theirs = shared_lab.run("ip", "netns", "exec", f"{LAB}.client", "ip", "-json", "address")
    assert json.loads(ours.stdout) == json.loads(theirs.stdout)
    assert [one["ifname"] for one in json.loads(ours.stdout)] == ["lo", "eth0"]


def test_sys_is_that_of_the_node(shared_lab: Machine) -> None:
    done = shared_lab.netsim("exec", "fw", "--", "ls", "/sys/class/net")
    assert done.stdout.split() == ["eth0", "eth1", "lo"]


@pytest.mark.parametrize(("script", "code"), [("exit 0", 0), ("exit 7", 7), ("kill -TERM $$", -15)])
def test_the_programs_end_is_that_of_exec(shared_lab: Machine, script: str, code: int) -> None:
    assert shared_lab.netsim("exec", "client", "--", "sh", "-c", script).returncode == code


def test_exec_passes_everything_on(shared_lab: Machine) -> None:
    done = shared_lab.netsim("exec", "client", "--", "sh", "-c", 'cat; echo "$@" >&2', "-", "--lab", "-h", text="in")
    assert (done.stdout, done.stderr) == ("in", "--lab -h\n")


def test_exec_dies_of_a_closed_pipe_as_everybody_does(shared_lab: Machine) -> None:
    """Python ignores SIGPIPE, and who is started by it would inherit that: `yes | head -1` would never end."""
    read, write = os.pipe()
    yes = shared_lab.start_netsim("exec", "client", "--", "yes", stdout=write)
    os.close(write)
    assert os.read(read, 2) == b"y\n"
    os.close(read)
    assert finish(yes).returncode == -signal.SIGPIPE


def test_a_shell_says_where_one_is(shared_lab: Machine) -> None:
    done = shared_lab.netsim("shell", "fw", text="ip -brief link show eth1\n", env={"SHELL": "/bin/sh"})
    assert "fw@firewall-reset" in done.stderr
    assert done.stdout.startswith("eth1")


REFUSED = {
    "no such node": (
        ["exec", "sever", "--", "true"], "lab firewall-reset has no node 'sever'; did you mean 'server'?"
    ),
    "a node unlike any": (
        ["exec", "x", "--", "true"], "lab firewall-reset has no node 'x'; it has client, fw, server"
    ),
    "no such lab": (
        ["exec", "client", "--lab", "firewall", "--", "true"],
        "no lab called 'firewall' is standing; did you mean 'firewall-reset'?",
    ),
    "no such lab to end": (["down", "elsewhere"], "no lab called 'elsewhere' is standing"),
    "no program named": (["exec", "client"], "which program? netsim exec client -- PROGRAM [ARGUMENT]..."),
    "no such program": (
        ["exec", "client", "--", "no-such-program"],
        "there is no program 'no-such-program' on this machine, which the nodes share",
    ),
    "no program at all": (["exec", "client", "--", "/etc/passwd"], "cannot run '/etc/passwd': Permission denied"),
    "a name with a way out": (["exec", "../client", "--", "true"], "lab firewall-reset has no node '../client'"),
    "a name and --all": (["down", LAB, "--all"], "either a lab's name or --all, not both"),
    "up again": (
        ["up", LAB],
        "a lab called firewall-reset is standing already; 'netsim down firewall-reset' ends it, or give this one",
    ),
    "a lab by no name": (["up", LAB, "--lab", "a b"], "'a b' cannot be the name of a lab"),
}  # fmt: skip


@pytest.mark.parametrize("what", REFUSED)
def test_what_is_refused_in_one_sentence(shared_lab: Machine, what: str) -> None:
    args, sentence = REFUSED[what]
    assert one_sentence(shared_lab.netsim(*args), 2).startswith(sentence)
    assert [lab["name"] for lab in shared_lab.json("ps")] == [LAB]


@pytest.mark.parametrize("args", [["exec", "client", "--", "true"], ["shell", "client"], ["down"]], ids=" ".join)
def test_where_nothing_stands(machine: Machine, args: list[str]) -> None:
    said = one_sentence(machine.netsim(*args), 2)
    assert said == "no lab is standing; 'sudo netsim up firewall-reset' builds one"


def test_down_all_where_nothing_stands(machine: Machine) -> None:
    assert machine.netsim("down", "--all").stdout == "no lab is standing\n"
    assert machine.json("down", "--all") == []


def test_two_labs_at_once(up: Machine) -> None:
    assert up.netsim("up", LAB, "--lab", "other").returncode == 0
    said = one_sentence(up.netsim("exec", "client", "--", "true"), 2)
    assert said == "several labs are standing; name one of them: firewall-reset, other"
    assert one_sentence(up.netsim("down"), 2) == said
    look = ("readlink", "/proc/self/ns/net")
    one = up.netsim("exec", "client", "--lab", LAB, "--", *look).stdout
    another = up.netsim("exec", "--lab", "other", "client", "--", *look).stdout
    assert one.startswith("net:")
    assert another.startswith("net:")
    assert one != another
    assert up.netsim("down", "other").returncode == 0
    assert [lab["name"] for lab in up.json("ps")] == [LAB]
    assert up.netsim("exec", "client", "--", "true").returncode == 0


def test_down_all(up: Machine) -> None:
    assert up.netsim("up", LAB, "--lab", "other").returncode == 0
    assert up.json("down", "--all") == [LAB, "other"]
    assert up.left_over() == []


def test_two_ups_of_one_name_at_the_same_time(need: Need, machine: Machine) -> None:
    """One of them builds it, the other is told; nothing is half of both."""
    need("legacy iptables")
    both = [machine.start_netsim("up", LAB, "--json") for _ in range(2)]
    done = sorted((finish(one) for one in both), key=lambda one: one.returncode)
    assert [one.returncode for one in done] == [0, 2]
    assert one_sentence(done[1], 2).startswith(f"a lab called {LAB} is standing already")
    assert machine.netsim("exec", "client", "--", "getent", "hosts", "server").returncode == 0
    assert machine.netsim("down").returncode == 0
    assert machine.left_over() == []


def test_a_run_beside_a_standing_lab_of_its_name(up: Machine) -> None:
    report = up.json("run", LAB)
    assert report["verdict"] == "pass"
    assert [lab["name"] for lab in up.json("ps")] == [LAB]


@pytest.mark.parametrize("name", [LAB, "peer-reboot", "broken-pipe"])
def test_runs_of_the_same_scenario_at_the_same_time(need: Need, machine: Machine, name: str) -> None:
    """Same names, same addresses, same ports, one kernel that traces all of them."""
    need("legacy iptables")
    runs = [machine.start_netsim("run", name, "--json") for _ in range(3)]
    reports = [json.loads(finish(run).stdout) for run in runs]
    assert [report["verdict"] for report in reports] == ["pass"] * 3
    found = [[(r["cause"], r["sent_by"]) for r in report["resets"]] for report in reports]
    assert found[0] == found[1] == found[2]
    assert machine.left_over() == []


def test_a_run_that_is_played_is_listed_and_may_be_entered(machine: Machine, tmp_path: Path) -> None:
    file = tmp_path / "waiting.yaml"
    file.write_text(PLAIN + "  - client: connect server:60000 = ok\n  - client: recv = eof within 10min\n")
    run = machine.start_netsim("run", file)
    until(lambda: any(tcp_counter(pid, "PassiveOpens") for pid in machine.processes()), "the connection")
    assert "waiting" in machine.netsim("ps").stdout, run.poll() is not None and finish(run)
    done = machine.netsim("exec", "client", "--lab", "waiting", "--", "getent", "hosts", "server")
    assert done.returncode == 0, done.stderr
    run.terminate()
    finish(run)
    assert machine.left_over() == []


def test_down_ends_what_runs_in_the_lab(up: Machine) -> None:
    up.netsim("exec", "client", "--", "sh", "-c", "setsid sleep 1000 </dev/null >/dev/null 2>&1 &")
    shell = up.start_netsim("exec", "server", "--", "cat", stdin=subprocess.PIPE)
    until(lambda: "cat" in up.processes().values(), "its start")
    assert up.netsim("down").returncode == 0
    assert finish(shell).returncode == -signal.SIGKILL
    assert up.left_over() == []


def test_a_killed_keeper(up: Machine) -> None:
    keeper = up.keeper(LAB)
    assert keeper is not None
    os.kill(keeper, signal.SIGKILL)
    until(lambda: not up.processes(), "the end of the keeper")
    assert up.netsim("ps").stdout == "no lab is standing\n"
    assert one_sentence(up.netsim("exec", "client", "--", "true"), 2).startswith("no lab is standing")
    assert up.netsim("clean").returncode == 0
    assert up.left_over() == []


def test_up_after_a_killed_keeper(up: Machine) -> None:
    """Who builds it anew need not know that something was left."""
    keeper = up.keeper(LAB)
    assert keeper is not None
    os.kill(keeper, signal.SIGKILL)
    until(lambda: not up.processes(), "the end of the keeper")
    done = up.netsim("up", LAB)
    assert (done.returncode, done.stderr) == (0, f"netsim: gave back what a killed run of {LAB} had left\n")
    assert up.netsim("exec", "client", "--", "true").returncode == 0


def test_the_name_of_a_node_is_not_taken_from_somebody_else(up: Machine) -> None:
    """A foreign link in the place of ours is entered by nobody, and stays where it is."""
    place = up.path(f"/run/netns/{LAB}.client")
    place.unlink()
    place.symlink_to("/proc/1/ns/net")
    said = one_sentence(up.netsim("exec", "client", "--", "true"), 2)
    assert said.startswith(f"/run/netns/{LAB}.client is not the link that lab {LAB} made")
    assert up.netsim("down").returncode == 0
    assert up.names() == [f"{LAB}.client"]
    place.unlink()
    place.parent.rmdir()


def test_a_name_that_is_taken_in_run_netns(machine: Machine, tmp_path: Path) -> None:
    machine.output("ip", "netns", "add", "plain.client")
    file = tmp_path / "plain.yaml"
    file.write_text(PLAIN)
    said = one_sentence(machine.netsim("up", file), 2)
    assert said == "/run/netns/plain.client exists and is not netsim's; give the lab another name with --lab"
    assert machine.names() == ["plain.client"]
    assert machine.output("ip", "netns", "exec", "plain.client", "ip", "-brief", "link").split()[0] == "lo"
    assert machine.netsim("up", file, "--lab", "another").returncode == 0


def test_completion_offers_labs_and_nodes(shared_lab: Machine) -> None:
    def offered(words: str) -> list[str]:
        env = {"_NETSIM_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": str(len(words.split()))}
        return shared_lab.run(*NETSIM, env=env).stdout.split()

    assert offered("netsim exec ") == ["client", "fw", "server"]
    assert offered("netsim down ") == [LAB]
    assert "link-cut" in offered("netsim run ")
