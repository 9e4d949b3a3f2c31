"""The columns beside a ladder: from, to, relative sequence numbers, length, TTL, and a note."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from netsim.model.transits import Transit
from netsim.report.addresses import endpoint, host

_FLAGS = {"S": "SYN", "F": "FIN", "R": "RST", "P": "PSH", "A": "ACK", "U": "URG"}
_NUMBERS = ("seq", "ack", "len", "ttl")


def label(transit: Transit) -> str:
    """What a packet is, in a word or two: SYN ACK, UDP, ICMP."""
    packet = transit.packet
    if packet.protocol == "tcp":
        return " ".join(_FLAGS.get(flag, flag) for flag in packet.flags) or "TCP"
    return packet.protocol.upper() if packet.protocol.isalpha() else f"IP {packet.protocol}"


def style(transit: Transit) -> str:
    """An RST stands out."""
    if "R" in transit.packet.flags:
        return "bold red"
    return "yellow" if transit.lost or transit.packet.protocol == "icmp" else ""


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns of one ladder, each as wide as its widest entry."""

    header: str
    texts: Mapping[int, str]
    """By the transit's index: the packet's line."""
    width: int
    full_width: int
    """With what else is to be said of a packet, which goes on a line below where there is no room."""


def columns(shown: list[Transit], owners: Mapping[str, str], ends: str) -> Columns:
    """Set out the columns; `ends` says what of from and to is told: `ports`, `nodes` or `` (neither)."""
    names = ("from", "to") if ends else ()
    table = [(*names, *_NUMBERS, "")]
    for transit in shown:
        packet = transit.packet
        told: tuple[str, ...] = ()
        if ends == "ports":
            told = endpoint(owners, packet.src, packet.sport), endpoint(owners, packet.dst, packet.dport)
        elif ends:
            told = host(owners, packet.src), host(owners, packet.dst)
        table.append((*told, *_numbers(transit), _note(transit)))
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    lines = []
    for entries in table:
        cells = [
            entry.rjust(width) if len(names) <= i < len(names) + len(_NUMBERS) else entry.ljust(width)
            for i, (entry, width) in enumerate(zip(entries, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    texts = {hop.index: text for hop, text in zip(shown, lines[1:], strict=True)}
    width = max(map(len, lines))
    full = [len(texts[hop.index]) + 2 + len(hop.packet.detail) for hop in shown if hop.packet.detail]
    return Columns(lines[0], texts, width, max([width, *full]))


def _numbers(transit: Transit) -> tuple[str, str, str, str]:
    packet = transit.packet
    tcp = packet.protocol == "tcp"
    seq = str(transit.seq) if tcp else ""
    ack = str(transit.ack) if tcp and "A" in packet.flags else ""
    return seq, ack, str(packet.length), str(packet.ttl)


def _note(transit: Transit) -> str:
    return ", ".join(["resent"] * transit.resent + ["lost"] * transit.lost)
