"""docs/scenarios.md says what a file may hold, docs/causes.md what may be expected of it."""

from __future__ import annotations

from pathlib import Path

from netsim.files.scenario import parse_scenario
from netsim.model.cause import CAUSES
from netsim.model.firewall import REJECT_WITH, USAGE

DOCS = Path(__file__).parents[3] / "docs"
TEXT = (DOCS / "scenarios.md").read_text()


def test_every_cause_is_there_and_no_other() -> None:
    table = (DOCS / "causes.md").read_text().partition("\n|---|---|---|\n")[2].partition("\n\n")[0]
    told = [row.split(" | ")[:2] for row in table.splitlines()]
    assert told == [[f"| `{cause}`", meaning] for cause, meaning in CAUSES.items()]


def test_rules_are_there() -> None:
    assert USAGE.replace("|", "\\|") in " ".join(TEXT.split())
    for answer in REJECT_WITH:
        assert f"`{answer}`" in TEXT


def test_the_example_reads() -> None:
    example = TEXT.partition("```yaml\n")[2].partition("```")[0]
    assert len(parse_scenario(example, "example", "f.yaml").script) == 8
