"""`netsim list`, `show`, `graph`, `check` and `schema`: what there is, without touching the network."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from netsim.cli.output import Json, console, print_json, table
from netsim.cli.play import Name
from netsim.errors import InputError

if TYPE_CHECKING:
    from netsim.model.scenario import Scenario


def list_(as_json: Json = False) -> None:
    """List the scenarios that a bare NAME finds: those in ./topologies, and those that netsim brings along."""
    from netsim.files import library

    found = []
    for name, path in library.names():
        try:
            found.append({"name": name, "title": library.title(path), "file": str(path)})
        except InputError as error:
            found.append({"name": name, "title": f"(broken) {error}", "file": str(path)})
    if as_json:
        print_json(found)
    else:
        table([[one["name"], one["title"]] for one in found], ["NAME", "TITLE"])


def show(name: Name, as_json: Json = False) -> None:
    """Show a scenario: what it teaches, its network, its script."""
    from netsim.files import library
    from netsim.model.network import network_of
    from netsim.model.plan import make_plan
    from netsim.report.terminal import render_network

    scenario = library.load(name)
    if as_json:
        print_json(_described(scenario))
        return
    screen = console()
    screen.print(scenario.name, style="bold", end="  ")
    screen.print(scenario.title, markup=False)
    screen.print(f"\n{scenario.about.strip()}\n" if scenario.about.strip() else "", markup=False)
    render_network(network_of(make_plan(scenario.topology)), screen)
    if scenario.script:
        print("\nScript")
        table(
            [[f"  {step.who}", step.line_text, str(step.expected or "")] for step in scenario.script],
            ["  who", "does", "expected"],
        )


def _described(scenario: Scenario) -> dict[str, object]:
    from netsim.model.plan import make_plan

    plan = make_plan(scenario.topology)
    return {
        "name": scenario.name,
        "title": scenario.title,
        "about": scenario.about,
        "nodes": [
            {
                "name": node.node.name,
                "kind": node.node.kind,
                "addresses": [f"{i.address}/{i.prefixlen}" for i in node.interfaces if i.address],
                "firewall": [str(rule) for rule in node.node.firewall],
            }
            for node in plan.nodes
        ],
        "links": [link.id for link in scenario.topology.links],
        "script": [
            {"who": step.who, "text": step.text, "expected": step.expected and str(step.expected)}
            for step in scenario.script
        ],
    }


def graph(name: Name, as_json: Json = False) -> None:
    """Draw a scenario's network in the terminal."""
    from netsim.files import library
    from netsim.model.network import network_of
    from netsim.model.plan import make_plan
    from netsim.report.terminal import render_network

    scenario = library.load(name)
    if as_json:
        described = _described(scenario)
        print_json({key: described[key] for key in ("name", "nodes", "links")})
        return
    screen = console()
    render_network(network_of(make_plan(scenario.topology)), screen)


def check(
    files: Annotated[list[str], typer.Argument(metavar="FILE...", help="Scenarios: files, or names.")],
    as_json: Json = False,
) -> None:
    """Check scenario files, and say where something is wrong. Runs nothing of them."""
    from netsim.files import library

    found = []
    for file in files:
        try:
            scenario = library.load(file)
        except InputError as error:
            found.append({"file": file, "ok": False, "error": str(error)})
            if not as_json:
                print(f"netsim: {error}", file=sys.stderr)
        else:
            topology = scenario.topology
            sizes = {"nodes": len(topology.nodes), "links": len(topology.links), "steps": len(scenario.script)}
            found.append({"file": file, "ok": True, **sizes})
            if not as_json:
                print(f"{file}: good ({', '.join(f'{count} {what}' for what, count in sizes.items())})")
    if as_json:
        print_json(found)
    if not all(one["ok"] for one in found):
        raise typer.Exit(2)


def schema(
    report: Annotated[bool, typer.Option("--report", help="That of 'netsim run --json' instead.")] = False,
) -> None:
    """Print the JSON Schema of scenario files, for editors."""
    if report:
        from netsim.report.json_report import report_schema

        print_json(report_schema())
    else:
        from netsim.files.schema import scenario_schema

        print_json(scenario_schema())


def add_to(app: typer.Typer) -> None:
    app.command("list")(list_)
    for command in (show, graph, check, schema):
        app.command()(command)
