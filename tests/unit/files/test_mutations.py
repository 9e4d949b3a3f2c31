"""Whatever a file holds, it is read, or refused in one sentence that names a place. Never a traceback."""

from __future__ import annotations

import random

import pytest

from netsim.errors import InputError
from netsim.files.scenario import parse_scenario
from tests.unit.files.test_good_scenarios import ALL_OF_IT
from tests.unit.files.texts import GOOD

PIECES = [
    "client", "server", "fw", "--", "{", "}", "[", "]", ":", "- ", "\n", "  ", "'", '"', "#", "|", "&a", "*a", "!!x",
    "~", "", "\u00e9", "\u202e", "\0", "a" * 300, "0", "60000", "9" * 20, "kind: switch", "kind: router",
    "subnet: 10.0.0.0/30", "subnet: fd00::/127", "addresses: {client: 10.0.0.1}", "routes: [default via fw]",
    "client -- fw: {subnet: 10.0.0.0/8}", "start recv", "finish", "connect server:80", "drop tcp from client",
    "lab: wait 1s", "cut to server", "= ok", " within 1s", "crash", "boot", "set linger 0", "client.b", "kill",
    "sysctl net.ipv4.ip_forward=1", "no reset", "reset:", "failure", "backlog 9", "on x", "as y", "poll IN",
    "client -- fw (2): cut", "(2)", "reject output tcp", "run x 'a  b' = c",
]  # fmt: skip


def mutated(text: str, chance: random.Random) -> str:
    """A text with something put in, replaced, moved or left out."""
    kind, at = chance.randrange(4), chance.randrange(len(text) + 1)
    if kind == 0:
        return text[:at] + chance.choice(PIECES) + text[at:]
    if kind == 1:
        return text.replace(chance.choice(text.split() or [" "]), chance.choice(PIECES), 1)
    if kind == 2:
        return text[:at] + text[at + chance.randrange(20) :]
    lines = text.split("\n")
    lines.insert(chance.randrange(len(lines) + 1), lines.pop(chance.randrange(len(lines))))
    return "\n".join(lines)


@pytest.mark.parametrize("seed", range(20))
def test_a_mutated_file(seed: int) -> None:
    chance = random.Random(seed)
    for _ in range(100):
        text = chance.choice([GOOD, ALL_OF_IT])
        for _ in range(chance.randint(1, 4)):
            text = mutated(text, chance)
        try:
            parse_scenario(text, "x", "f.yaml")
        except InputError as error:
            sentence = str(error)
            assert sentence.startswith("f.yaml:"), sentence
            assert "\n" not in sentence
            assert len(sentence) < 900
