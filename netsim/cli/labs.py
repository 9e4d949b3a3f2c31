"""`netsim up`, `down`, `ps`, `exec` and `shell`: labs that stay, for work by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from netsim.cli import complete
from netsim.cli.output import Json, Progress, console, print_json, table
from netsim.cli.play import Name
from netsim.errors import InputError

if TYPE_CHECKING:
    from netsim.cli.standing import Standing
    from netsim.model.scenario import Scenario

Lab = Annotated[str | None, typer.Option("--lab", help="Which lab, where several stand.", autocompletion=complete.labs)]
Node = Annotated[str, typer.Argument(metavar="NODE", help="A node of the lab.", autocompletion=complete.nodes)]
_REST = {"allow_extra_args": True, "ignore_unknown_options": True, "allow_interspersed_args": False}


def up(
    name: Name,
    lab: Annotated[str | None, typer.Option("--lab", help="What to call it; by default as the scenario.")] = None,
    as_json: Json = False,
) -> None:
    """Build a scenario's network and leave it standing: its rules in place, its services listening."""
    from netsim.engines import host
    from netsim.files import library
    from netsim.model.names import checked_name

    scenario = library.load(name)
    host.check(f"netsim up {name}")
    called = checked_name(lab, "lab") if lab is not None else scenario.name
    host.recover()
    from netsim.standing import stand

    with Progress(quiet=as_json) as progress:
        about = stand(scenario, called, progress)
    if as_json:
        print_json(about)
        return
    _tell_what_stands(scenario, called)


def _tell_what_stands(scenario: Scenario, lab: str) -> None:
    from netsim.model.plan import make_plan
    from netsim.report.picture import picture
    from netsim.report.terminal import show as draw

    screen = console()
    screen.print(lab, style="bold", end="")
    screen.print("  is standing\n", markup=False)
    draw(picture(make_plan(scenario.topology), screen.width), screen)
    print("\nTry")
    for command in suggestions(scenario):
        print(f"  {command}")


def suggestions(scenario: Scenario) -> list[str]:
    """What to type next: the script's own connection by hand, a look around, and the end."""
    found = []
    for step in scenario.script:
        if step.verb.name == "connect":
            found.append(f"sudo netsim exec {step.node} -- nc -v {step.args['host']} {step.args['port']}")
            break
    nodes = scenario.topology.nodes
    router = next((node.name for node in nodes if node.kind == "router"), nodes[0].name)
    return [*found, f"sudo netsim exec {router} -- ip route", f"sudo netsim shell {nodes[0].name}", "sudo netsim down"]


def down(
    name: Annotated[str | None, typer.Argument(metavar="[LAB]", autocompletion=complete.labs)] = None,
    everything: Annotated[bool, typer.Option("--all", help="Every lab that stands.")] = False,
    as_json: Json = False,
) -> None:
    """Take a standing lab down, with everything that runs in it."""
    from netsim.cli.standing import pick, standing_labs
    from netsim.engines import host
    from netsim.standing import fell

    host.check("netsim down")
    if everything and name is not None:
        raise InputError("either a lab's name or --all, not both")
    going = standing_labs() if everything else [pick(name)]
    for lab in going:
        fell(lab.name, lab.keeper)
    if as_json:
        print_json([lab.name for lab in going])
    else:
        print("\n".join(f"{lab.name} is gone" for lab in going) or "no lab is standing")


def ps(as_json: Json = False) -> None:
    """List the labs that stand."""
    from dataclasses import asdict

    from netsim.cli.standing import standing_labs

    found = standing_labs()
    if as_json:
        print_json([asdict(lab) for lab in found])
    elif found:
        table([_row(lab) for lab in found], ["LAB", "SCENARIO", "NODES", "SINCE", "KEEPER"])
    else:
        print("no lab is standing")


def _row(lab: Standing) -> list[str]:
    nodes = " ".join(lab.nodes) if len(lab.nodes) <= 6 else f"{len(lab.nodes)} nodes"
    return [lab.name, lab.scenario or "(a run)", nodes, lab.since, str(lab.keeper)]


def exec_(ctx: typer.Context, node: Node, lab: Lab = None) -> None:
    """Run a program on a node: netsim exec client -- curl http://server:8000

    Nodes' names resolve in it. Its exit code becomes netsim's.
    """
    command = [*ctx.args]
    if command[:1] == ["--lab"]:  # behind the node it is as good
        lab, command = next(iter(command[1:]), None), command[2:]
    if command[:1] == ["--"]:
        command = command[1:]
    if not command:
        raise InputError(f"which program? netsim exec {node} -- PROGRAM [ARGUMENT]...")
    _enter(lab, node, command)


def shell(node: Node, lab: Lab = None) -> None:
    """Open a shell on a node."""
    from netsim.cli.standing import pick
    from netsim.linux.enter import shell_argv

    _enter(lab, node, shell_argv(pick(lab).name, node))


def _enter(lab: str | None, node: str, command: list[str]) -> None:
    from netsim.cli.standing import pick
    from netsim.engines import host
    from netsim.linux.enter import enter

    host.check(f"netsim exec {node}")
    enter(pick(lab).name, node, command)


def add_to(app: typer.Typer) -> None:
    for command in (up, down, ps):
        app.command()(command)
    app.command("exec", context_settings=_REST)(exec_)
    app.command()(shell)
