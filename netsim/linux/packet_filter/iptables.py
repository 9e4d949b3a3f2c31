"""The packet filter by legacy iptables, through python-iptables."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from netsim.errors import HostError
from netsim.linux.packet_filter import Placed
from netsim.model.firewall import Rule

_HOW = "on Debian and Ubuntu: apt-get install iptables; the kernel needs CONFIG_IP_NF_IPTABLES and CONFIG_IP_NF_FILTER"


class Iptables:
    """One table handle per change: libiptc's handle belongs to the namespace in which it was opened."""

    def __init__(self) -> None:
        # Without these its import takes 0.2 s: setuptools' copy of distutils, and gcc run to find libraries.
        os.environ.setdefault("SETUPTOOLS_USE_DISTUTILS", "stdlib")
        found = find_spec("iptc")
        if found and found.origin:
            os.environ.setdefault("IPTABLES_LIBDIR", str(Path(found.origin).parents[1]))
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                import iptc
        except Exception as error:
            raise HostError(f"firewall rules need python-iptables and libxtables ({error}); {_HOW}") from error
        self._iptc: Any = iptc

    @contextmanager
    def _table(self) -> Iterator[Any]:
        try:
            table = self._iptc.Table(self._iptc.Table.FILTER, autocommit=False)
            table.refresh()
            try:
                yield table
            finally:
                table.close()
        except self._iptc.IPTCError as error:
            raise HostError(f"iptables says: {error}; {_HOW}") from error

    def place(self, rules: Sequence[tuple[str, Rule]]) -> list[Placed]:
        placed = []
        with self._table() as table:
            for chain_name, rule in rules:
                chain = self._iptc.Chain(table, chain_name)
                chain.append_rule(self._translate(rule))
                placed.append(Placed(chain_name, len(chain.rules), rule))
            table.commit()
        return placed

    def remove(self, placed: Sequence[Placed]) -> list[Placed]:
        with self._table() as table:
            for one in placed:
                chain = self._iptc.Chain(table, one.chain)
                chain.delete_rule(chain.rules[one.number - 1])
            table.commit()
        return []

    def packets(self, placed: Sequence[Placed]) -> list[Placed]:
        with self._table() as table:
            chains = {name: self._iptc.Chain(table, name).rules for name in {rule.chain for rule in placed}}
            return [replace(rule, packets=chains[rule.chain][rule.number - 1].get_counters()[0]) for rule in placed]

    def _translate(self, rule: Rule) -> Any:
        made = self._iptc.Rule()
        if rule.source:
            made.src = rule.source
        if rule.destination:
            made.dst = rule.destination
        if rule.protocol:
            made.protocol = rule.protocol
        if rule.sport or rule.dport:
            match = made.create_match(rule.protocol)
            for name, port in (("sport", rule.sport), ("dport", rule.dport)):
                if port:
                    setattr(match, name, str(port))
        target = made.create_target(rule.action.upper())
        if rule.action == "reject":
            target.reject_with = rule.answers_with
        return made
