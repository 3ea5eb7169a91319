"""Users, and a draft that one of them has opened."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from django.test import override_settings

from schema import schema
from tests.policy.people import People

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@pytest.fixture(params=[False], ids=["users"])
async def people(
    request: pytest.FixtureRequest,
    transactional_db: None,  # noqa: ARG001
    settings: Any,
) -> AsyncIterator[People]:
    """Everybody, in a service where users only may edit unless the test says otherwise."""
    told = {**settings.GQL_CLUSTER, "ANONYMOUS_EDITING": request.param, "USER_TTL": 0.0}
    hashers = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # the others take long
    with override_settings(GQL_CLUSTER=told, PASSWORD_HASHERS=hashers):
        made = People()
        await made.come()
        yield made
        await schema.engine.aclose()
