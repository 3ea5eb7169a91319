"""The long form of `test_chaos`, for `make chaos`: one round after the other, each with its seed.

CHAOS_SECONDS is for how long (300), CHAOS_SEED the first round's seed (any).
"""

from __future__ import annotations

import os
import random
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.chaos.checker import violations
from tests.e2e.chaos.drive import PLACES, Round
from tests.e2e.chaos.plan import make_plan
from tests.e2e.chaos.servers import PostgresServer, RedisServer

SECONDS = 45
FAULTS = 16
PAUSE = 10


# Clients vanish in the midst of connecting: httpcore forgets those sockets.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.timeout(0)
async def test_what_is_promised_holds_round_after_round(
    tmp_path: Path, redis: RedisServer, postgres: PostgresServer, copy_samples: Callable[[], str]
) -> None:
    """Until the time is up; the last seed that is printed is the one that failed."""
    end = time.monotonic() + float(os.environ.get("CHAOS_SECONDS") or 300)
    seed = int(os.environ.get("CHAOS_SEED") or random.randrange(1_000_000))  # noqa: S311 - no secret
    while time.monotonic() < end:
        sys.stdout.write(f"\n==> CHAOS_SEED={seed}\n")
        plan = make_plan(seed, SECONDS, places=PLACES, count=FAULTS, pause=PAUSE)
        logs = tmp_path / str(seed)
        logs.mkdir()
        record = await Round(plan, logs, redis, postgres, copy_samples()).run()
        sys.stdout.write(f"    {record.summary}, logs in {logs}\n")
        problems = violations(record)
        assert not problems, "\n".join(problems)
        seed += 1
