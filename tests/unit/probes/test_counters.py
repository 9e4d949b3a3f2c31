"""/proc/net/snmp and /proc/net/netstat, shortened."""

from __future__ import annotations

import pytest

from netsim.probes.counters import growth, parse

SNMP = """\
Ip: Forwarding DefaultTTL InReceives
Ip: 2 64 10
Tcp: RtoAlgorithm RtoMin RtoMax MaxConn ActiveOpens CurrEstab InSegs OutRsts
Tcp: 1 200 120000 -1 3 2 17 1
Udp: InDatagrams
Udp: 0
"""
NETSTAT = """\
TcpExt: SyncookiesSent TCPAbortOnData TCPAbortOnClose
TcpExt: 0 0 1
IpExt: InOctets
IpExt: 940
MPTcpExt: MPCapableSYNRX
MPTcpExt: 0
"""


def test_names_are_those_of_nstat() -> None:
    assert parse(SNMP) == {"TcpActiveOpens": 3, "TcpInSegs": 17, "TcpOutRsts": 1}
    assert parse(NETSTAT) == {
        "TcpExtSyncookiesSent": 0,
        "TcpExtTCPAbortOnData": 0,
        "TcpExtTCPAbortOnClose": 1,
    }


def test_what_is_no_counter_is_left_out() -> None:
    """How many connections stand now, and settings: that they are larger than before means nothing."""
    assert not parse(SNMP).keys() & {"TcpCurrEstab", "TcpRtoMin", "TcpMaxConn", "TcpRtoAlgorithm", "TcpRtoMax"}


@pytest.mark.parametrize(
    ("before", "after", "grew"),
    [
        ({"A": 1, "B": 2}, {"A": 1, "B": 5}, {"B": 3}),
        ({}, {"A": 2, "B": 0}, {"A": 2}),
        ({"A": 7}, {"A": 1}, {}),
        ({"A": 7}, {}, {}),
    ],
    ids=["some", "a machine that was switched on", "a machine that forgot", "a counter that went"],
)
def test_only_growth_is_told(before: dict[str, int], after: dict[str, int], grew: dict[str, int]) -> None:
    assert growth(before, after) == grew
