"""The service's own schema, in process."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from schema import schema
from tests.api.schema_kit import Client

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@pytest.fixture
async def client(transactional_db: None) -> AsyncIterator[Client]:  # noqa: ARG001
    """A client of the service's schema with a session of its own, over an empty database."""
    yield Client(schema=schema)
    await schema.engine.aclose()
