"""`python -m benchmarks` measures and reports; `--quick` takes two minutes, for a look."""

from __future__ import annotations

import argparse
import os
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from redis import Redis

from benchmarks.measure import Plot, Result, shown
from benchmarks.report import Setting, terminal, write
from benchmarks.scenarios import NAMES, scenarios
from benchmarks.servers import ROOT, Bench, servers
from config.embedded import end_on_sigterm


def main() -> int:
    """Measure what is asked for; a whole and thorough run is written down."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer and shorter rounds")
    parser.add_argument("--only", nargs="+", choices=NAMES, default=[], metavar="NAME")
    parser.add_argument("--out", type=Path, help="where the page goes; docs/ for a whole run")
    given = parser.parse_args()
    out: Path | None = given.out or (None if given.quick or given.only else ROOT / "docs")
    load_before = os.getloadavg()[0]
    begin = time.monotonic()
    end_on_sigterm()
    run = Run()
    try:
        with servers(quick=given.quick) as bench:
            for name, measure in scenarios(given.only, quick=given.quick).items():
                run.add(name, partial(measure, bench))
            setting = Setting(
                command=" ".join(["python -m benchmarks", *sys.argv[1:]]),
                servers=_servers(bench),
                minutes=(time.monotonic() - begin) / 60,
                cores=bench.cores.count,
                load_before=load_before,
            )
    except KeyboardInterrupt:
        _say("==> Stopped")
        return 130
    print(terminal(run.results))  # noqa: T201 - this is a command
    if run.failed:
        _say(f"==> Failed, and nothing is written: {', '.join(run.failed)}")
        return 1
    if out is not None:
        _say(f"==> Written to {write(run.results, run.plots, setting, out)}")
    return 0


@dataclass(frozen=True, slots=True)
class Run:
    """What was measured up to now, and what could not be."""

    results: list[Result] = field(default_factory=list)
    plots: list[Plot] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)

    def add(self, name: str, measure: Callable[[], Iterator[Result | Plot]]) -> None:
        """Measure one scenario; where it fails, the others are worth having."""
        start = time.monotonic()
        try:
            for found in measure():
                if isinstance(found, Plot):
                    self.plots.append(found)
                else:
                    self.results.append(found)
                    _say(f"{found.what}: {shown(found.ratio)} ({found.target or 'no target'})")
        except Exception:  # noqa: BLE001 - see above
            self.failed.append(name)
            traceback.print_exc()
        _say(f"==> {name} took {time.monotonic() - start:.0f} s")


def _servers(bench: Bench) -> list[str]:
    from django.db import connection  # noqa: PLC0415 - the settings are read late

    with Redis.from_url(bench.redis_url) as redis, connection.cursor() as cursor:
        cursor.execute("SHOW server_version")
        (postgres,) = cursor.fetchone()
        return [f"PostgreSQL {postgres}", f"Redis {redis.info('server')['redis_version']}"]


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)  # noqa: T201 - this is a command


if __name__ == "__main__":
    sys.exit(main())
