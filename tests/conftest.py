"""What all tests share: names that fit a line."""

from __future__ import annotations

import pytest

_PART_MAX = 16
_ID_MAX = 120


def pytest_make_parametrize_id(val: object) -> str | None:
    """A long text is named by its beginning."""
    if isinstance(val, str) and len(val) > _PART_MAX:
        return f"{ascii(val[:_PART_MAX])[1:-1][:_PART_MAX]}..."
    return None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        assert len(item.nodeid) <= _ID_MAX, f"{item.nodeid[:_ID_MAX]}... needs a shorter name"
