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
    from netsim.cli.output import recover
    from netsim.engines import choose
    from netsim.files import library
    from netsim.model.names import checked_name

    scenario = library.load(name)
    engine = choose()
    engine.check(f"netsim up {name}")
    called = checked_name(lab, "lab") if lab is not None else scenario.name
    recover(engine)
    with Progress(quiet=as_json) as progress:
        about = engine.stand(scenario, called, progress)
    if as_json:
        print_json(about)
        return
    _tell_what_stands(scenario, called)


def _tell_what_stands(scenario: Scenario, lab: str) -> None:
    from netsim.model.network import network_of
    from netsim.model.plan import make_plan
    from netsim.report.terminal import render_network

    screen = console()
    screen.print(lab, style="bold", end="")
    screen.print("  is standing\n", markup=False)
    render_network(network_of(make_plan(scenario.topology)), screen)
    print("\nTry")
    for command in suggestions(scenario):
        print(f"  {command}")


def suggestions(scenario: Scenario) -> list[str]:
    """What to type next: the script's own connection by hand, a look around, and the end."""
    from netsim.model.action import Connect

    found = []
    for step in scenario.script:
        if isinstance(step.action, Connect):
            found.append(f"sudo netsim exec {step.node} -- nc -v {step.action.host} {step.action.port}")
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
    from netsim.engines import choose
    from netsim.engines.standing import take_down

    engine = choose()
    engine.check("netsim down")
    if everything and name is not None:
        raise InputError("either a lab's name or --all, not both")
    going = standing_labs() if everything else [pick(name)]
    for lab in going:
        take_down(lab.name, lab.keeper, engine.state)
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
    _enter(lab, node, command, f"netsim exec {node}")


def shell(node: Node, lab: Lab = None) -> None:
    """Open a shell on a node."""
    from netsim.cli.standing import pick
    from netsim.linux.enter import shell_argv

    _enter(lab, node, shell_argv(pick(lab).name, node), f"netsim shell {node}")


def _enter(lab: str | None, node: str, command: list[str], typed: str) -> None:
    from netsim.cli.standing import pick
    from netsim.engines import choose
    from netsim.linux.enter import enter

    engine = choose()
    engine.check(typed)
    enter(pick(lab).name, node, command, engine.state)


def add_to(app: typer.Typer) -> None:
    for command in (up, down, ps):
        app.command()(command)
    app.command("exec", context_settings=_REST)(exec_)
    app.command()(shell)
