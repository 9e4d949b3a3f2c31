"""One end of a connection: how it is written, and which it covers."""

from __future__ import annotations

import pytest

from netsim.model.endpoint import Endpoint, parse_endpoint


@pytest.mark.parametrize(
    ("end", "text"),
    [
        (Endpoint("10.0.0.1", 80), "10.0.0.1:80"),
        (Endpoint("0.0.0.0", 0), "0.0.0.0:0"),
        (Endpoint("fd00::1", 80), "[fd00::1]:80"),
        (Endpoint("::", 65535), "[::]:65535"),
    ],
)
def test_it_is_written_as_it_is_read(end: Endpoint, text: str) -> None:
    assert str(end) == text
    assert parse_endpoint(text) == end


@pytest.mark.parametrize("text", ["", "10.0.0.1", "10.0.0.1:", "10.0.0.1:http", "10.0.0.1:-1", "10.0.0.1:\u0668"])
def test_what_is_none(text: str) -> None:
    with pytest.raises(ValueError, match="is no ADDRESS:PORT"):
        parse_endpoint(text)


@pytest.mark.parametrize(
    ("bound", "covers"),
    [("10.0.0.1:80", True), ("0.0.0.0:80", True), ("[::]:80", True), ("10.0.0.2:80", False), ("0.0.0.0:81", False)],
)
def test_what_a_listener_gets(bound: str, covers: bool) -> None:
    assert parse_endpoint(bound).covers(Endpoint("10.0.0.1", 80)) is covers


def test_they_have_an_order() -> None:
    assert Endpoint("10.0.0.1", 9) < Endpoint("10.0.0.1", 10) < Endpoint("10.0.0.2", 1)
