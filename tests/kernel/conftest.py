"""What the tests on real namespaces share: a machine, and what this host can do."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator

import pytest

from tests.kernel.machine import Machine, NoMachineError

Need = Callable[[str], None]
"""Skip the test where this host lacks an ability, by its name in `netsim doctor`."""


def _machine() -> Machine:
    if os.geteuid() != 0:
        pytest.skip("this user is not root, and building networks takes root")
    try:
        return Machine()
    except NoMachineError as error:
        pytest.skip(f"this host lacks what a machine of the tests' own takes: {error}")


@pytest.fixture
def machine() -> Iterator[Machine]:
    """A fresh machine."""
    with _machine() as made:
        yield made


@pytest.fixture(scope="session")
def shared_machine() -> Iterator[Machine]:
    """One machine for all tests that only look at what was played in it."""
    with _machine() as made:
        yield made


@pytest.fixture(scope="session")
def need(shared_machine: Machine) -> Need:
    """What `netsim doctor` says, to skip by."""
    abilities = {ability["name"]: ability for ability in json.loads(shared_machine.netsim("doctor", "--json").stdout)}

    def check(name: str) -> None:
        ability = abilities[name]
        if not ability["there"]:
            pytest.skip(f"this host lacks {name} ({ability['detail']}); {ability['remedy']}")

    return check
