"""A short round of faults, the same in every run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.chaos.checker import violations
from tests.e2e.chaos.drive import PLACES, Round
from tests.e2e.chaos.plan import Kind, make_plan
from tests.e2e.chaos.servers import PostgresServer, RedisServer

SEED = 1


# Clients vanish in the midst of connecting: httpcore forgets those sockets.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.timeout(180)
async def test_what_is_promised_holds_while_everything_fails(
    tmp_path: Path, redis: RedisServer, postgres: PostgresServer, copy_samples: Callable[[], str]
) -> None:
    """Each kind of fault at least once, while editors of several drafts go on."""
    plan = make_plan(SEED, 14, places=PLACES, count=7, pause=3)
    record = await Round(plan, tmp_path, redis, postgres, copy_samples()).run()
    problems = violations(record)
    assert not problems, "\n".join(problems)
    assert set(record.faults) == set(Kind)
