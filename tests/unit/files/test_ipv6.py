"""IPv6 is refused wherever a file can bring it in, in one sentence at its place."""

from __future__ import annotations

import pytest

from tests.unit.files.texts import GOOD, refusal


@pytest.mark.parametrize(
    ("found", "instead", "said"),
    [
        ("client -- fw", "client -- fw: {subnet: 'fd00::/64'}", "7:28: 'fd00::/64'"),
        ("{kind: router}", "{kind: switch, subnet: '2001:db8::/64'}", "4:30: '2001:db8::/64'"),
        ("client -- fw", "client -- fw: {addresses: {client: 'fd00::1'}}", "7:40: 'fd00::1'"),
        ("{kind: router}", "{routes: ['2000::/3 via client']}", "4:17: '2000::/3'"),
        ("{kind: router}", "{routes: [default via fd00::1]}", "4:17: 'fd00::1'"),
        ("{kind: router}", "{routes: ['::/0 blackhole']}", "4:17: '::/0'"),
        ("{kind: router}", "{firewall: ['drop tcp from 2001:db8::1']}", "4:19: '2001:db8::1'"),
        ("{kind: router}", "{firewall: ['drop to 2001:db8::/32']}", "4:19: '2001:db8::/32'"),
        ("listen 80", "connect fd00::1:80", "10:13: 'fd00::1'"),
        ("listen 80", "connect [fd00::1]:80 as b", "10:13: '[fd00::1]'"),
        ("listen 80", "connect ::ffff:10.0.0.1:80", "10:13: '::ffff:10.0.0.1'"),
        ("listen 80", "drop tcp to ::1", "10:13: '::1'"),
    ],
)
def test_it_is_refused(found: str, instead: str, said: str) -> None:
    advice = "and netsim builds networks of IPv4 only so far; use IPv4 here, as in 10.9.0.1"
    assert refusal(GOOD.replace(found, instead, 1)) == f"{said} is IPv6, {advice}"
