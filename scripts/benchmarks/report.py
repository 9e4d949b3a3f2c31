"""Tables of medians, and what they are held against."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from typing import Any

Samples = Sequence[dict[str, float]]
_START_S, _RUN_S, _NETWORK_S, _AGAINST_C = 0.15, 0.4, 0.025, 1.3
_EXPLAIN_S, _MILLION_S, _MILLION_MB = 2, 60, 1000
_FASTER_THAN = {"ip -batch": {100: 6, 1000: 10}, "Mininet": {100: 50}}


def middle(samples: Samples, key: str) -> float:
    return median(sample.get(key, 0.0) for sample in samples)


def starts(rounds: Sequence[dict[str, dict[str, float]]]) -> str:
    lines = ["", "start-up: CPU time, user and system"]
    for name in rounds[0]:
        cpu = middle([one[name] for one in rounds], "cpu")
        lines.append(f"  {name:<16}{cpu:7.3f} s" + (f"   {target(cpu, _START_S)}" if name.startswith("netsim") else ""))
    return "\n".join(lines)


def run(samples: Samples) -> str:
    wall, network, build, remove = (middle(samples, key) for key in ("wall", "network", "build", "remove"))
    parts = f"build {build * 1e3:.1f}, remove {remove * 1e3:.1f}"
    lines = [
        "",
        "netsim run firewall-reset, from the command line to its end",
        f"  wall          {wall:8.3f} s    {target(wall, _RUN_S)}",
        f"  its network   {network * 1e3:8.1f} ms   {target(network, _NETWORK_S, 1e3, ' ms')}   ({parts})",
    ]
    return "\n".join(lines)


def explain(samples: Samples) -> str:
    """What so many refused connections take, and how that grows; and a recording of a million events."""
    counts = [key for key in samples[0] if key.isdigit()]
    least, most = counts[0], counts[-1]
    grows = middle(samples, most) / middle(samples, least) / (int(most) / int(least))
    lines = ["", "explaining refused connections"]
    lines += [f"  {int(count):<14,}{middle(samples, count):8.3f} s" for count in counts]
    lines[-1] += f"    {target(middle(samples, most), _EXPLAIN_S)}; {grows:.2f}x of what {least} take, each"
    wall, memory = middle(samples, "wall"), middle(samples, "memory_mb")
    lines += [
        "netsim explain, a recording of a million events",
        f"  wall          {wall:8.1f} s    {target(wall, _MILLION_S)}",
        f"  memory        {memory:8.0f} MB   {target(memory, _MILLION_MB, unit=' MB')}",
    ]
    return "\n".join(lines)


def chain(found: dict[str, Any]) -> str:
    samples: dict[str, Samples] = found["samples"]
    what = f"a chain of {found['nodes']} routers: {found['addresses']} addresses, {found['routes']} routes"
    lines = [
        "",
        f"{what}; {found['messages']} netlink messages, {found['sysctls']} sysctls written",
        f"  {'ms':<10}{'plan':>9}{'build':>10}{'remove':>9}{'total':>10}   {'least..most':>17}{'kernel':>9}",
    ]
    for name, own in samples.items():
        cells = {key: middle(own, key) * 1e3 for key in ("plan", "build", "remove", "total", "settle")}
        totals = sorted(sample["total"] * 1e3 for sample in own)
        plan = f"{cells['plan']:9.1f}" if cells["plan"] else f"{'-':>9}"
        lines.append(
            f"  {name:<10}{plan}{cells['build']:10.1f}{cells['remove']:9.1f}{cells['total']:10.1f}"
            f"   {totals[0]:8.1f}..{totals[-1]:<8.1f}{cells['settle']:8.1f}"
        )
    lines += [f"  no {name} here: skipped" for name in found["skipped"]]
    return "\n".join([*lines, *ratios(samples, found["nodes"])])


def ratios(samples: dict[str, Samples], nodes: int) -> list[str]:
    """Netsim's median, planning left out and counted in, against everybody else's."""
    if "netsim" not in samples:
        return []
    ours = middle(samples["netsim"], "total")
    with_plan = median(sample["total"] + sample["plan"] for sample in samples["netsim"])
    lines = []
    for name, own in samples.items():
        theirs = middle(own, "total")
        if name == "C":
            wanted = f"   {target(ours / theirs, _AGAINST_C, unit='x')}" if nodes >= 100 else ""
            lines.append(f"  netsim takes {ours / theirs:.2f}x of C; with planning {with_plan / theirs:.2f}x{wanted}")
        elif name != "netsim":
            goal = _FASTER_THAN.get(name, {}).get(nodes)
            wanted = f"   (target: over {goal}x: {'met' if theirs / ours >= goal else 'missed'})" if goal else ""
            lines.append(
                f"  netsim is {theirs / ours:.1f}x faster than {name}; with planning {theirs / with_plan:.1f}x{wanted}"
            )
    return lines


def target(value: float, limit: float, scale: float = 1.0, unit: str = " s") -> str:
    return f"(target: under {limit * scale:g}{unit}: {'met' if value < limit else 'missed'})"
