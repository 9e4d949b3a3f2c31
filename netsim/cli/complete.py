"""What the shell offers when Tab is pressed: scenarios, labs, nodes."""

from __future__ import annotations

from typing import Any


def scenarios(incomplete: str) -> list[str]:
    from netsim.files import library

    return [name for name, _ in library.names() if name.startswith(incomplete)]


def labs(incomplete: str) -> list[str]:
    from netsim.engines.host import STATE
    from netsim.linux import journal

    return [lab for lab in journal.labs(STATE) if lab.startswith(incomplete)]


def nodes(ctx: Any, incomplete: str) -> list[str]:
    from netsim.engines.host import STATE
    from netsim.linux import enter, journal

    wanted = ctx.params.get("lab")
    found = {node for lab in journal.labs(STATE) if wanted in {None, lab} for node in enter.nodes(lab)}
    return sorted(node for node in found if node.startswith(incomplete))
