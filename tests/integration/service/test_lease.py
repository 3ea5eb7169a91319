"""A commit's hold on its draft, when that is lost."""

from __future__ import annotations

import pytest

from gql_cluster.service.lease import Lease
from gql_cluster.store.results import Acquired
from tests.integration.service.conftest import MakeEngine, beatles, rename

pytestmark = pytest.mark.once


async def test_a_lock_that_was_lost_is_not_taken_again_over_an_edit(
    make_engine: MakeEngine,
) -> None:
    """Others took the commit for dead, or Redis failed over: what was staged since is kept."""
    engine = make_engine(COMMIT_LEASE=3)
    view = await beatles(engine)
    lease = Lease(engine, view.draft.id)
    assert isinstance(await lease.take(None), Acquired)
    until = lease.until()
    async with lease.kept():
        await engine.parts.store.unlock(view.draft.id, lease.token)
        await rename(engine, view, "Meanwhile")
        # Wait by Redis' own clock, until behind the first renewal.
        await engine.parts.client.blpop(["nothing"], timeout=1.2)
        assert isinstance(await Lease(engine, view.draft.id).take(1), Acquired)
    assert lease.until() == until
