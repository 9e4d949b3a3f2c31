"""`netsim doctor`: what this host can and cannot do, and how to get the rest."""

from __future__ import annotations

import pytest

from netsim.engines import doctor
from netsim.engines.doctor import Ability
from tests.unit.cli.conftest import Netsim

GOOD = [Ability("Linux", True, True, "Linux 6.18"), Ability("root", True, True, "builds networks", "run: sudo")]
LACKING = [
    Ability("netem", False, False, "delay and loss", "CONFIG_NET_SCH_NETEM"),
    Ability("nc", False, False, "handy"),
]
MISSING = [Ability("packet capture", False, True, "the ladder: EPERM", "CONFIG_PACKET")]


@pytest.mark.parametrize(
    ("found", "code"),
    [(GOOD, 0), (GOOD + LACKING, 0), (GOOD + MISSING, 3), (LACKING + MISSING, 3)],
    ids=["all of it", "not all of it", "what everything needs is missing", "much is missing"],
)
def test_whether_it_can_work_here(
    netsim: Netsim, monkeypatch: pytest.MonkeyPatch, found: list[Ability], code: int
) -> None:
    monkeypatch.setattr(doctor, "examine", lambda: found)
    assert netsim("doctor").code == netsim("doctor", "--json").code == code


def test_for_people(netsim: Netsim, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is there needs no advice, and what is not gets it, where there is any."""
    monkeypatch.setattr(doctor, "examine", lambda: GOOD + LACKING + MISSING)
    assert netsim("doctor").out.splitlines() == [
        "yes Linux                  Linux 6.18",
        "yes root                   builds networks",
        "no  netem                  delay and loss",
        "                           CONFIG_NET_SCH_NETEM",
        "no  nc                     handy",
        "no  packet capture         the ladder: EPERM",
        "                           CONFIG_PACKET",
    ]


def test_for_programs(netsim: Netsim, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "examine", lambda: LACKING[:1])
    assert netsim("doctor", "--json").json == [
        {"name": "netem", "there": False, "needed": False, "detail": "delay and loss", "remedy": "CONFIG_NET_SCH_NETEM"}
    ]


def test_without_root_it_tries_what_needs_none(netsim: Netsim, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    said = netsim("doctor")
    assert (said.code, said.err) == (3, "")
    assert "no  root                   builds networks\n                           run: sudo netsim doctor" in said.out
    assert "namespaces" not in said.out
