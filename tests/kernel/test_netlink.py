"""What the kernel refuses is told by the request that it was, and the next request starts afresh."""

from __future__ import annotations

import errno
import os
import struct
from collections.abc import Iterator

import pytest

from netsim.engines.host import STATE
from netsim.errors import LabError
from netsim.linux import cut, links
from netsim.linux.keeper_state import KeeperState
from netsim.linux.lab import Lab, up
from netsim.linux.netlink import NETLINK_NETFILTER, Message, Netlink
from netsim.model.plan import make_plan
from netsim.model.topology import Link, Node, Topology

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="namespaces take root")

PAIR = make_plan(Topology((Node("a"), Node("b")), (Link("a", "b"),)))


@pytest.fixture
def lab() -> Iterator[Lab]:
    with up(PAIR, f"netlink-{os.getpid()}", STATE) as lab:
        yield lab


def test_the_first_of_many_that_is_refused(lab: Lab) -> None:
    with pytest.raises(LabError) as refused:
        lab.keeper.ask(_refuse_two_of_many)
    assert str(refused.value) == "set two up on a failed: ENODEV (No such device)"
    lab.keeper.ask(_set_lo_up)


def _refuse_two_of_many(state: KeeperState) -> None:
    wanted = [links.up(1, "lo")] * 2000 + [links.up(77, "two")] + [links.up(78, "three")] + [links.up(1, "lo")] * 2000
    state.route["a"].transact(wanted)


def _set_lo_up(state: KeeperState) -> None:
    state.route["a"].transact([links.up(1, "lo")])


def test_a_query_that_is_refused(lab: Lab) -> None:
    with pytest.raises(LabError) as refused:
        lab.keeper.ask(_ask_for_what_is_not_there)
    assert (refused.value.errno, refused.value.operation) == (errno.ENODEV, "look at nothing")


def _ask_for_what_is_not_there(state: KeeperState) -> None:
    [*state.route["a"].query([Message(18, 0, struct.pack("=BxHiII", 0, 0, 77, 0, 0), "look at", "nothing")])]


def test_a_batch_is_done_as_a_whole_or_not_at_all(lab: Lab) -> None:
    """A cable that is cut twice: the table is there, and its chain cannot be made a second time."""
    lab.cut(0, "b")
    with pytest.raises(LabError, match="cut eth0 on b failed: EEXIST"):
        lab.keeper.ask(_cut_exclusively)
    lab.heal(0, "b")
    lab.cut(0, "b")


def _cut_exclusively(state: KeeperState) -> None:
    interface = state.plan.node("b").interfaces[0]
    table, chain = cut._drop(interface, cut._table(interface))
    cut._batch(state, "b", table, Message(chain.kind, chain.flags | 0x200, chain.body, chain.what))


def test_a_kernel_without_the_subsystem_answers_once(lab: Lab) -> None:
    with pytest.raises(LabError) as refused:
        lab.keeper.ask(_batch_for_nobody)
    assert refused.value.operation == "begin"


def _batch_for_nobody(state: KeeperState) -> None:
    with state.inside("a"):
        netlink = Netlink("a", NETLINK_NETFILTER)
    begin, end = (Message(kind, 0, struct.pack("!BBH", 0, 0, 14), what) for kind, what in ((16, "begin"), (17, "end")))
    netlink.batch(begin, [Message(14 << 8, 0, struct.pack("!BBH", 0, 0, 0), "nothing")], end)
