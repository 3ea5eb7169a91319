"""Two sessions with drafts of one cluster, and others who save it: against plain dictionaries."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from asgiref.sync import sync_to_async
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from gql_cluster.service.engine import Engine
from schema.bands.models import Genre
from tests.properties.sessions.drafts import Sessions, Step
from tests.properties.sessions.edits import BAND
from tests.properties.sessions.others import make_band

KINDS = [
    *["edit"] * 9,
    *["undo", "undo", "redo", "revert", "reset", "wrong", "discard"],
    *["rebase"] * 3,
    *["commit"] * 3,
    *["they update"] * 3,
    *["they delete"] * 2,
    *["they add"] * 2,
    *["they move"] * 2,
    *["they set", "they set genres", "they take", "they swap", "they delete all"],
]
numbers = st.integers(0, 19)
steps = st.builds(Step, st.sampled_from(KINDS), st.integers(0, 1), numbers, numbers)


async def take(given_steps: Sequence[Step]) -> None:
    """Let two sessions and others take these steps on a new cluster."""
    engines = Engine({"Band": BAND}), Engine({"Band": BAND})
    try:
        for name in ("rock", "blues", "folk", "soul"):
            await Genre.objects.aget_or_create(name=name)
        genres = [pk async for pk in Genre.objects.order_by("pk").values_list("pk", flat=True)]
        band = await sync_to_async(make_band)()
        sessions = Sessions(engines, band.pk, genres)
        await sessions.start()
        for step in given_steps:
            await sessions.run(step)
            if sessions.is_over:
                return
        await sessions.end()
    finally:
        for engine in engines:
            await engine.aclose()


@settings(
    max_examples=40,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(given_steps=st.lists(steps, max_size=14))
@example(
    given_steps=[Step("they add", 0, 1, 3), Step("they take", 0, 0, 2), Step("rebase", 0, 0, 0)]
)
@pytest.mark.usefixtures("transactional_db")
async def test_two_sessions_and_others_lose_nothing_that_either_did(
    given_steps: list[Step],
) -> None:
    """Drafts, their dry runs, undo, rebases and commits are what plain dictionaries come to."""
    await take(given_steps)
