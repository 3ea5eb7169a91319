"""One worker for all of these tests."""

import pytest

from tests.served import _nothing_unforeseen, http, server, token

__all__ = ["_nothing_unforeseen", "http", "server", "token"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """No database decides anything here."""
    for item in items:
        if "/conformance/" in str(item.path):
            item.add_marker("once")
