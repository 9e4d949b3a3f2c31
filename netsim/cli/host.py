"""`netsim doctor` and `netsim clean`: what this host can do, and giving back what a killed run left."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from netsim.cli.output import Json, console, print_json, table


def doctor(as_json: Json = False) -> None:
    """Say what this host can and cannot do, and how to get the rest.

    Each thing is tried for real, in a lab that is made for it.
    """
    from netsim.engines import doctor as abilities

    found = abilities.examine()
    if as_json:
        print_json([asdict(one) for one in found])
    else:
        screen = console()
        for one in found:
            mark, style = ("yes", "green") if one.there else ("no", "red" if one.needed else "yellow")
            screen.print(f"{mark:4}", style=style, end="")
            screen.print(f"{one.name:22} {one.detail}", markup=False)
            if not one.there and one.remedy:
                screen.print(f"{'':27}{one.remedy}", markup=False, style="dim")
    if not all(one.there for one in found if one.needed):
        raise typer.Exit(3)


def clean(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what there is.")] = False, as_json: Json = False
) -> None:
    """Give back whatever killed runs left, and nothing else. Standing labs are left alone."""
    from netsim.engines import choose
    from netsim.linux import stale

    engine = choose()
    engine.check("netsim clean")
    found = stale.clean(engine.state, dry_run)
    if as_json:
        print_json([asdict(one) for one in found])
    elif found:
        table([[one.lab, one.kind, one.what] for one in found], ["LAB", "KIND", "WHAT"])
    else:
        print("nothing is left")


def add_to(app: typer.Typer) -> None:
    app.command()(doctor)
    app.command()(clean)
