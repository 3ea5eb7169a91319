"""An engine that serves the tests' invoices."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from gql_cluster.service.engine import Engine
from tests.integration.orm.invoices import INVOICE


@pytest.fixture
async def engine(transactional_db: None) -> AsyncIterator[Engine]:  # noqa: ARG001 - a database
    """An engine, as one worker has it."""
    engine = Engine({"Invoice": INVOICE})
    yield engine
    await engine.aclose()


@pytest.fixture
async def other(engine: Engine) -> AsyncIterator[Engine]:
    """A second engine on the same Redis and database, as another worker has it."""
    other = Engine(engine.clusters)
    yield other
    await other.aclose()
