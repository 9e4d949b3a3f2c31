"""`netsim run` and `netsim explain`: play a scenario or read a recording, and tell what happened."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from netsim.cli import complete
from netsim.cli.output import Json, Progress, console, print_json

if TYPE_CHECKING:
    from netsim.model.timeline import Timeline

Name = Annotated[
    str, typer.Argument(metavar="NAME", help="A scenario: its name, or a file.", autocompletion=complete.scenarios)
]


def run(
    name: Name,
    lab: Annotated[str | None, typer.Option(help="What to call the lab; by default as the scenario.")] = None,
    record: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Save the timeline, for 'netsim explain FILE'.")
    ] = None,
    timing: Annotated[bool, typer.Option("--timing", help="Say on stderr what building and removing took.")] = False,
    as_json: Json = False,
) -> None:
    """Build a scenario's network, play its script, explain what happened, and take everything down."""
    from netsim.cli.output import recover
    from netsim.engines import choose
    from netsim.files import library
    from netsim.model.names import checked_name

    scenario = library.load(name)
    engine = choose()
    engine.check(f"netsim run {name}")
    if lab is not None:
        checked_name(lab, "lab")
    if record is not None:
        from netsim.files import recording

        recording.check_target(record)
    recover(engine)
    with Progress(quiet=as_json) as progress:
        timeline = engine.run(scenario, lab, progress, meanwhile=_load_report)
    if record is not None:
        recording.write(timeline, record)
    if timing:
        from sys import stderr

        print(f"built in {timeline.build_ns / 1e6:.1f} ms, removed in {timeline.down_ns / 1e6:.1f} ms", file=stderr)
    raise typer.Exit(_tell(timeline, as_json))


def explain(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A recording, from 'netsim run --record FILE'.")],
    as_json: Json = False,
) -> None:
    """Explain a recording. Needs no root, and no lab."""
    import gc

    from netsim.files import recording

    gc.disable()  # it would look through all that was read again and again
    raise typer.Exit(_tell(recording.read(file), as_json))


def _load_report() -> None:
    """Load what the report needs while the lab's own processes are busy."""
    import rich.console
    import rich.text  # noqa: F401

    import netsim.explain
    import netsim.report.terminal  # noqa: F401


def _tell(timeline: Timeline, as_json: bool) -> int:
    from netsim.analysis import analyse
    from netsim.explain import explain as find_causes

    if as_json:
        from netsim.report import json_report

        explanation = find_causes(timeline)
        print_json(json_report.report(timeline, explanation))
    else:
        from netsim.report import terminal

        analysis = analyse(timeline)
        explanation = find_causes(timeline, analysis)
        terminal.render(analysis, explanation, console())
    return 0 if explanation.verdict == "pass" else 1


def add_to(app: typer.Typer) -> None:
    app.command()(run)
    app.command()(explain)
