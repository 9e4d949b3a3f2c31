"""`netsim list`, `show`, `graph`, `check` and `schema`: what there is, for people and for programs."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator

from tests.unit.cli.conftest import ROOT, MadeUp, Netsim

SHIPPED = sorted(path.stem for path in (ROOT / "topologies").glob("*.yaml"))
NETWORK = "title: Two hosts\nnodes: {client: {}, server: {}}\nlinks: [client -- server]\n"
OWN = (
    "title: My own\nabout: |\n  What it teaches.\nnodes: {client: {}, fw: {kind: router, firewall: [drop tcp]}, "
    "lan: {kind: switch}, server: {}}\n"
    "links: [client -- fw, fw -- lan, lan -- server]\nscript:\n  - server: listen 80 = ok\n"
    "  - client: start connect server:80\n  - client: finish = timeout within 1s\n  - fw -- lan: cut to fw\n"
)


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A scenario of one's own, in ./topologies."""
    file = tmp_path / "topologies" / "mine.yaml"
    file.parent.mkdir()
    file.write_text(OWN)
    return file


def test_list(netsim: Netsim) -> None:
    said = netsim("list")
    assert (said.code, said.err) == (0, "")
    header, *rows = said.out.splitlines()
    assert header.split() == ["NAME", "TITLE"]
    assert [row.split()[0] for row in rows] == SHIPPED
    assert "firewall-reset       A firewall on the path resets every connection to port 60000" in rows


def test_ones_own_are_listed_too_and_come_first(netsim: Netsim, own: Path) -> None:
    own.with_name("link-cut.yaml").write_text(NETWORK)
    found = {one["name"]: (one["title"], one["file"]) for one in netsim("list", "--json").json}
    assert list(found) == sorted([*SHIPPED, "mine"])
    assert found["mine"] == ("My own", "topologies/mine.yaml")
    assert found["link-cut"] == ("Two hosts", "topologies/link-cut.yaml")
    assert found["closed-port"][1] == str(ROOT / "topologies/closed-port.yaml")


def test_one_that_is_broken_breaks_nothing(netsim: Netsim, own: Path) -> None:
    own.write_text("title: [")
    said = netsim("list")
    assert (said.code, said.err) == (0, "")
    (row,) = (line for line in said.out.splitlines() if line.startswith("mine"))
    assert row.split(maxsplit=1)[1].startswith("(broken) topologies/mine.yaml:2:1: this is no YAML")


def test_show(netsim: Netsim, own: Path) -> None:
    said = netsim("show", "mine")
    assert (said.code, said.err) == (0, "")
    head, picture, script = said.out.partition(graph := netsim("graph", "mine").out)
    assert head.splitlines() == ["mine  My own", "", "What it teaches.", ""]
    assert picture == graph
    assert script.splitlines() == [
        "",
        "Script",
        "  who        does                     expected",
        "  server     listen 80                ok",
        "  client     start connect server:80",
        "  client     finish                   timeout",
        "  fw -- lan  cut to fw",
    ]


def test_show_one_without_a_word_about_it(netsim: Netsim, own: Path) -> None:
    own.write_text(NETWORK)
    said = netsim("show", str(own))
    assert said.out.splitlines()[:2] == ["mine  Two hosts", ""]
    assert "Script" not in said.out


DESCRIBED = {
    "name": "mine",
    "nodes": [
        {"name": "client", "kind": "host", "addresses": ["10.0.0.1/24"], "firewall": []},
        {"name": "fw", "kind": "router", "addresses": ["10.0.0.2/24", "10.0.1.1/24"], "firewall": ["drop tcp"]},
        {"name": "lan", "kind": "switch", "addresses": [], "firewall": []},
        {"name": "server", "kind": "host", "addresses": ["10.0.1.2/24"], "firewall": []},
    ],
    "links": ["client -- fw", "fw -- lan", "lan -- server"],
}


def test_show_for_programs(netsim: Netsim, own: Path) -> None:
    assert netsim("show", "mine", "--json").json == DESCRIBED | {
        "title": "My own",
        "about": "What it teaches.",
        "script": [
            {"who": "server", "text": "listen 80", "expected": "ok"},
            {"who": "client", "text": "start connect server:80", "expected": None},
            {"who": "client", "text": "finish", "expected": "timeout"},
            {"who": "fw -- lan", "text": "cut to fw", "expected": None},
        ],
    }


def test_graph(netsim: Netsim, own: Path) -> None:
    first, *_ = picture = netsim("graph", "mine").out.splitlines()
    assert re.findall(r"\w+", first) == ["client", "fw", "lan", "server"]
    assert "drop tcp" in "\n".join(picture)
    assert netsim("graph", "mine", "--json").json == DESCRIBED


def test_check(netsim: Netsim, own: Path) -> None:
    said = netsim("check", "closed-port", "topologies/mine.yaml")
    assert (said.code, said.err) == (0, "")
    assert said.out.splitlines() == [
        "closed-port: good (3 nodes, 2 links, 1 steps)", "topologies/mine.yaml: good (4 nodes, 3 links, 4 steps)",
    ]  # fmt: skip


def test_check_tells_of_every_file(netsim: Netsim, own: Path) -> None:
    own.write_text(OWN.replace("cut to fw", "cut to client"))
    said = netsim("check", "nothing", "closed-port", own)
    assert said.code == 2
    assert said.out == "closed-port: good (3 nodes, 2 links, 1 steps)\n"
    one, other = said.err.splitlines()
    assert one.startswith("netsim: there is no scenario 'nothing'")
    assert other.startswith(f"netsim: {own}:10:5: ")


def test_check_for_programs(netsim: Netsim, own: Path) -> None:
    own.write_text("title: [")
    said = netsim("check", "closed-port", own, "--json")
    assert (said.code, said.err) == (2, "")
    good, bad = said.json
    assert good == {"file": "closed-port", "ok": True, "nodes": 3, "links": 2, "steps": 1}
    assert (bad["file"], bad["ok"]) == (str(own), False)
    assert bad["error"].startswith(f"{own}:2:1: this is no YAML")


def test_schemas(netsim: Netsim, own: Path) -> None:
    scenario, report = netsim("schema").json, netsim("schema", "--report").json
    for schema in (scenario, report):
        Draft202012Validator.check_schema(schema)
    validator = Draft202012Validator(scenario)
    assert validator.is_valid(yaml.safe_load(OWN))
    assert not validator.is_valid({"title": 1})
    assert json.dumps(report) != json.dumps(scenario)


@pytest.mark.parametrize("command", ["show", "graph"])
def test_a_scenario_that_there_is_not(netsim: Netsim, command: str) -> None:
    sentence = "there is no scenario 'link-cutt'; did you mean 'link-cut'?; see 'netsim list'"
    assert netsim(command, "link-cutt").one_sentence(2) == sentence


def test_none_of_them_asks_the_engine_for_anything(netsim: Netsim, engine: MadeUp) -> None:
    engine.root = False
    for args in (["list"], ["show", "link-cut"], ["graph", "link-cut"], ["check", "link-cut"], ["schema"]):
        assert netsim(*args).code == 0
    assert engine.asked == []
