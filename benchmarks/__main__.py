"""`python -m benchmarks` measures and reports; `--quick` takes two minutes, for a look."""

from __future__ import annotations

import argparse
import os
import sys
import time
import traceback
from contextlib import suppress
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
    results: list[Result] = []
    plots: list[Plot] = []
    failed: list[str] = []
    with suppress(KeyboardInterrupt), servers(quick=given.quick) as bench:
        for name, measure in scenarios(given.only, quick=given.quick).items():
            start = time.monotonic()
            try:
                for found in measure(bench):
                    if isinstance(found, Plot):
                        plots.append(found)
                    else:
                        results.append(found)
                        _say(f"{found.what}: {shown(found.ratio)} ({found.target or 'no target'})")
            except Exception:  # noqa: BLE001 - the others are worth having
                failed.append(name)
                traceback.print_exc()
            _say(f"==> {name} took {time.monotonic() - start:.0f} s")
        setting = Setting(
            command=" ".join(["python -m benchmarks", *sys.argv[1:]]),
            servers=_servers(bench),
            minutes=(time.monotonic() - begin) / 60,
            cores=bench.cores.count,
            load_before=load_before,
        )
    print(terminal(results))  # noqa: T201 - this is a command
    if failed:
        _say(f"==> Failed, and nothing is written: {', '.join(failed)}")
    elif out is not None:
        _say(f"==> Written to {write(results, plots, setting, out)}")
    return 1 if failed else 0


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
