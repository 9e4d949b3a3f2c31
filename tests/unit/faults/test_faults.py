"""Faults: what each does to a lab, what undoes it, and what of it outlives a power loss."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from netsim.errors import LabError
from netsim.faults import FAULTS, Effect, carry_out
from netsim.model.step import parse_step
from netsim.model.verbs import VERBS
from tests.unit.builders import plan
from tests.unit.local_lab import LocalLab

TWICE = plan("client -- fw", "fw -- server", "fw -- server", fw="router")


@dataclass(slots=True)
class Target:
    """A lab with nobody on it; what it is told of its nodes stands between what its network is told."""

    lab: LocalLab
    in_force: list[Effect] = field(default_factory=list)
    powered: set[str] = field(default_factory=lambda: {"client", "fw", "server"})

    def leave(self, node: str) -> None:
        self.powered.remove(node)
        self.lab.done.append(f"leave {node}")

    def enter(self, node: str) -> None:
        self.powered.add(node)
        self.lab.done.append(f"enter {node}")

    def do(self, *faults: str) -> list[str]:
        """Carry out some faults, each as `fw: crash`, and say what was done to the network for them."""
        before = len(self.lab.done)
        for text in faults:
            who, _, what = text.partition(": ")
            carry_out(self, who, parse_step(0, who, what).action)  # type: ignore[arg-type]
        return self.lab.done[before:]

    def undo(self) -> list[str]:
        """Undo all that is in force, the last first, and say what that did."""
        before = len(self.lab.done)
        while self.in_force:
            self.in_force.pop().undo(self)
        return self.lab.done[before:]


@pytest.fixture
def target() -> Iterator[Target]:
    with LocalLab(TWICE) as lab:
        yield Target(lab)


CABLE, SECOND = "client -- fw", "fw -- server (2)"
KEY = "net.ipv4.tcp_retries2"


@pytest.mark.parametrize(
    ("fault", "done", "undone"),
    [
        (f"{CABLE}: cut", ["cut 0 to client", "cut 0 to fw"], ["heal 0 to client", "heal 0 to fw"]),
        (f"{CABLE}: cut to fw", ["cut 0 to fw"], ["heal 0 to fw"]),
        (f"{SECOND}: cut to server", ["cut 2 to server"], ["heal 2 to server"]),
        ("server: crash", ["leave server", "power_off server"], ["power_on server", "enter server"]),
        (
            "fw: reject tcp dport 80 with tcp-reset",
            ["place fw: reject tcp dport 80 with tcp-reset"],
            ["remove fw: reject tcp dport 80 with tcp-reset"],
        ),
        ("fw: drop output icmp", ["place fw: output drop icmp"], ["remove fw: output drop icmp"]),
        (f"client: sysctl {KEY}=3", [f"sysctl client: {KEY}=3"], [f"sysctl client: {KEY}=15"]),
    ],
)
def test_it_undoes_what_it_did_and_nothing_else(target: Target, fault: str, done: list[str], undone: list[str]) -> None:
    target.lab.sysctls["client", KEY] = "15"
    assert target.do(fault) == done
    assert [effect.who for effect in target.in_force] == [fault.partition(":")[0]]
    assert target.undo() == undone
    assert target.powered == {"client", "fw", "server"}


def test_faults_are_undone_in_any_order(target: Target) -> None:
    target.do(f"{CABLE}: cut to fw", "fw: drop tcp", f"{SECOND}: cut")
    assert target.undo() == ["heal 2 to fw", "heal 2 to server", "remove fw: drop tcp", "heal 0 to fw"]


def test_a_sysctl_that_the_kernel_lacks_has_nothing_to_go_back_to(target: Target) -> None:
    target.do(f"client: sysctl {KEY}=3")
    target.lab.done.clear()
    assert target.undo() == []


class TestCut:
    def test_what_is_cut_is_not_cut_again(self, target: Target) -> None:
        assert target.do(f"{CABLE}: cut to fw", f"{CABLE}: cut") == ["cut 0 to fw", "cut 0 to client"]
        assert target.do(f"{CABLE}: cut", f"{CABLE}: cut to client") == []

    def test_heal_mends_all_of_a_cable_and_no_other(self, target: Target) -> None:
        target.do(f"{CABLE}: cut to fw", f"{SECOND}: cut to fw", f"{CABLE}: cut")
        assert target.do(f"{CABLE}: heal") == ["heal 0 to fw", "heal 0 to client"]
        assert [effect.who for effect in target.in_force] == [SECOND]

    def test_it_can_be_cut_once_more(self, target: Target) -> None:
        assert target.do(f"{CABLE}: cut to fw", f"{CABLE}: heal", f"{CABLE}: cut to fw")[-1] == "cut 0 to fw"

    @pytest.mark.parametrize("before", [(), (f"{CABLE}: cut", f"{CABLE}: heal"), ("fw -- server: cut",)])
    def test_what_is_not_cut_cannot_be_mended(self, target: Target, before: tuple[str, ...]) -> None:
        target.do(*before)
        with pytest.raises(LabError, match=rf"^heal on {CABLE} failed: EINVAL \(it is not cut\)$"):
            target.do(f"{CABLE}: heal")

    def test_a_cut_stays_when_the_machine_at_its_end_boots(self, target: Target) -> None:
        """The kernel has it at the end that is powered on; so it has to be made again there, and only there."""
        target.do(f"{CABLE}: cut", "fw: crash")
        assert target.do("fw: boot") == ["power_on fw", "cut 0 to fw", "enter fw"]
        assert target.do(f"{CABLE}: heal") == ["heal 0 to client", "heal 0 to fw"]

    def test_a_cable_to_a_machine_that_is_off_is_cut_when_that_boots(self, target: Target) -> None:
        assert target.do("fw: crash", f"{CABLE}: cut")[-1] == "cut 0 to client"
        assert target.do("fw: boot") == ["power_on fw", "cut 0 to fw", "enter fw"]

    def test_a_cable_that_was_mended_meanwhile_is_whole_when_the_machine_boots(self, target: Target) -> None:
        target.do(f"{CABLE}: cut", "fw: crash")
        assert target.do(f"{CABLE}: heal") == ["heal 0 to client"]
        assert target.do("fw: boot") == ["power_on fw", "enter fw"]

    def test_a_boot_elsewhere_leaves_it_alone(self, target: Target) -> None:
        target.do(f"{CABLE}: cut", "server: crash")
        assert target.do("server: boot") == ["power_on server", "enter server"]


class TestPower:
    def test_what_was_set_and_placed_is_forgotten(self, target: Target) -> None:
        """A machine boots with the rules and sysctls of its file, whatever it had when its power went."""
        target.do("fw: drop tcp", f"fw: sysctl {KEY}=3", "client: drop tcp", f"client: sysctl {KEY}=4")
        target.do("fw: crash")
        assert [effect.who for effect in target.in_force] == ["client", "client", "fw"]
        assert target.do("fw: boot") == ["power_on fw", "enter fw"]
        assert [effect.who for effect in target.in_force] == ["client", "client"]

    def test_a_running_machine_cannot_boot(self, target: Target) -> None:
        target.do("server: crash")
        with pytest.raises(LabError, match=r"^boot on fw failed: EALREADY \(it is running\)$"):
            target.do("fw: boot")

    def test_one_machine_boots_and_the_other_stays_off(self, target: Target) -> None:
        target.do("fw: crash", "server: crash")
        assert target.do("server: boot") == ["power_on server", "enter server"]
        assert (target.powered, [effect.who for effect in target.in_force]) == ({"client", "server"}, ["fw"])

    def test_it_may_be_done_again(self, target: Target) -> None:
        target.do("fw: crash", "fw: boot", "fw: crash")
        assert target.powered == {"client", "server"}
        assert target.do("fw: boot") == ["power_on fw", "enter fw"]


@pytest.mark.parametrize(
    ("fault", "refused"),
    [
        (f"{CABLE}: cut", "cut 0 to fw"),
        ("fw: drop tcp", "place fw: drop tcp"),
        ("fw: crash", "power_off fw"),
        (f"fw: sysctl {KEY}=3", f"sysctl fw: {KEY}=3"),
    ],
)
def test_what_the_kernel_refuses_is_not_in_force(target: Target, fault: str, refused: str) -> None:
    target.lab.refuse = refused
    with pytest.raises(LabError, match="EPERM"):
        target.do(fault)
    assert target.in_force == []


def test_every_fault_has_a_verb_of_its_own() -> None:
    examples = {verb.name: parse_step(0, "x", verb.example).action for verb in VERBS if verb.fault}
    assert {type(action) for action in examples.values()} == set(FAULTS)
