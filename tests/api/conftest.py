"""The service's own schema, in process."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from django.conf import settings as django_settings

from schema import schema
from tests.api.schema_kit import Client, Limit

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@pytest.fixture
async def client(transactional_db: None) -> AsyncIterator[Client]:  # noqa: ARG001
    """A client of the service's schema with a session of its own, over an empty database."""
    yield Client(schema=schema)
    await schema.engine.aclose()


@pytest.fixture
async def limit(client: Client, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Limit]:
    """Set other limits; the engine reads its settings when it is used next."""
    await client.schema.engine.aclose()

    def set_limits(**limits: object) -> None:
        given = {**django_settings.GQL_CLUSTER, **limits}
        monkeypatch.setattr(django_settings, "GQL_CLUSTER", given)

    yield set_limits
    await client.schema.engine.aclose()
