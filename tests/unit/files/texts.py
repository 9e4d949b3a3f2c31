"""One good scenario text, the ways to spoil it, and what netsim says to it then."""

from __future__ import annotations

import pytest

from netsim.errors import InputError
from netsim.files.scenario import parse_scenario

GOOD = """\
title: T
nodes:
  client: {}
  fw: {kind: router}
  server: {}
links:
  - client -- fw
  - fw -- server
script:
  - server: listen 80
"""


def refusal(text: str) -> str:
    """The sentence that a scenario text is refused with, without the file's name."""
    with pytest.raises(InputError) as caught:
        parse_scenario(text, "x", "f.yaml")
    sentence = str(caught.value)
    assert sentence.startswith("f.yaml:")
    assert "\n" not in sentence
    return sentence.removeprefix("f.yaml:")


def with_steps(*steps: str) -> str:
    return GOOD + "".join(f"  - {step}\n" for step in steps)
