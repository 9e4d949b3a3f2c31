"""Every shipped scenario reads, teaches, and fits the schema that editors use."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from netsim.files import library
from netsim.files.grammar import KINDS
from netsim.files.scenario import parse_scenario, read_scenario
from netsim.files.schema import scenario_schema
from netsim.model.verbs import VERBS
from tests.unit.files.texts import GOOD

TOPOLOGIES = Path(__file__).parents[3] / "topologies"
SHIPPED = sorted(TOPOLOGIES.iterdir())


@pytest.fixture(scope="module")
def validator() -> jsonschema.Draft202012Validator:
    schema = scenario_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def test_what_is_shipped() -> None:
    assert {path.name for path in SHIPPED} >= {
        f"{name}.yaml"
        for name in (
            "broken-pipe", "closed-port", "firewall-reset", "firewall-reset-host", "linger-reset", "link-cut",
            "peer-reboot", "unread-data",
        )
    }  # fmt: skip


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_it_reads_and_teaches(path: Path) -> None:
    scenario = read_scenario(path)
    assert scenario.name == path.stem
    assert scenario.title == library.title(path)
    assert scenario.script
    assert scenario.expect
    for part in ("Watch for\n", "Commonly believed, and wrong: ", "Try: "):
        assert part in scenario.about
    assert all(len(line) <= 110 for line in scenario.text.splitlines())


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_it_fits_the_schema(path: Path, validator: jsonschema.Draft202012Validator) -> None:
    validator.validate(yaml.safe_load(path.read_text()))


def test_the_schema_takes_what_the_reader_takes(validator: jsonschema.Draft202012Validator) -> None:
    text = GOOD.replace("client: {}", "client:").replace("kind: router", "sysctls: {net.ipv4.ip_forward: off}")
    text = text.replace("  - fw -- server", "  - fw -- server: {subnet: 10.9.0.0/24}")
    text += "  - fw: reject output tcp dport 5 with tcp-reset\n  - fw: drop\n"
    text += "expect: [reset, no reset, failure: {call: setsockopt, errno: timeout}]\n"
    validator.validate(yaml.safe_load(text))
    parse_scenario(text.replace("reset, no reset", "no reset"), "x", "f.yaml")


@pytest.mark.parametrize(
    ("found", "instead"),
    [
        ("title: T\n", ""),
        ("script:", "scripts:"),
        ("{kind: router}", "{king: router}"),
        ("{kind: router}", "{kind: ruter}"),
        ("{kind: router}", "router"),
        ("{kind: router}", "{firewall: [rejct tcp]}"),
        ("{kind: router}", "{routes: [default]}"),
        ("{kind: router}", "{sysctls: {kernel.panic: 1}}"),
        ("  client: {}", "  Client: {}"),
        ("client -- fw", "client - fw"),
        ("client -- fw", "client -- fw: {mtu: 9}"),
        ("server: listen 80", "server: lisen 80"),
        ("server: listen 80", "lab: listen 80"),
        ("server: listen 80", "fw -- server: listen 80"),
        ("server: listen 80", "fw -- server (two): cut"),
        ("client -- fw", "client -- fw (2)"),
        ("server: listen 80", "server.b: crash"),
        ("server: listen 80", "server: start listen 80"),
        ("script:", "expect: [resett]\nscript:"),
        ("script:", "expect: [{reset: {cause: gremlins}}]\nscript:"),
    ],
)
def test_the_schema_refuses(found: str, instead: str, validator: jsonschema.Draft202012Validator) -> None:
    assert not validator.is_valid(yaml.safe_load(GOOD.replace(found, instead, 1)))


def test_the_schema_explains_itself() -> None:
    """Its words come from the model, and an editor shows them."""

    def descriptions(part: Any) -> str:
        if isinstance(part, dict):
            return " ".join([str(part.get("description", "")), *map(descriptions, part.values())])
        return " ".join(map(descriptions, part)) if isinstance(part, list) else ""

    said = descriptions(scenario_schema())
    for verb in VERBS:
        assert f"{verb.usage}: {verb.about}" in said
    for kind, meaning in KINDS.items():
        assert meaning in said, kind
