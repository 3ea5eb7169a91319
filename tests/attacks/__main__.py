"""`python -m tests.attacks` makes each attack, and writes how long it took to be refused.

The page is `docs/attacks.md`. Figures are of one machine; what is refused, and that others are
answered meanwhile, the tests themselves assert.
"""

from __future__ import annotations

import json
import os
import platform
import sys
import tempfile
from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

import pytest

from tests.attacks.figures import WAITED

PAGE = Path(__file__).resolve().parents[2] / "docs" / "attacks.md"
LIMIT = 100.0  # milliseconds
SLOW = "(limit:"
"""Is in the name of what is cut off by a limit of time, which it takes."""


def main() -> int:
    """Return pytest's exit code; the page is written where all was refused."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "figures"
        path.touch()
        os.environ["ATTACK_FIGURES"] = str(path)
        code = int(pytest.main(["-q", "-p", "no:cacheprovider", str(Path(__file__).parent)]))
        lines = [json.loads(line) for line in path.read_text().splitlines()]
    if code == 0:
        PAGE.write_text(page(lines))
        print(f"==> {PAGE.name} is written")  # noqa: T201 - this is a command
    return code


def page(lines: list[dict[str, object]]) -> str:
    """Return the page of the figures."""
    times: dict[str, list[float]] = defaultdict(list)
    for line in lines:
        times[str(line["attack"])].append(float(str(line["milliseconds"])))
    waited = times.pop(WAITED, [0.0])
    over = [name for name, each in times.items() if median(each) > LIMIT and SLOW not in name]
    rows = [
        f"| {name} | {len(each)} | {median(each):,.1f} | {max(each):,.1f} |"
        for name, each in sorted(times.items())
    ]
    told = f"Above {LIMIT:.0f} ms: {', '.join(over)}." if over else ""
    return "\n".join(
        [
            "# Attacks",
            "",
            "What strangers may try, and how long it takes until it is refused, with its code, by",
            "one worker on loopback. Each line is a test in `tests/attacks/`. Another client sends",
            "small queries all the while, and is answered; its longest wait, in milliseconds:",
            f"{max(waited):,.0f}. What names a limit of time is cut off when that is over.",
            "",
            f"`make attacks`, {datetime.now(UTC):%Y-%m-%d}, Python {platform.python_version()}, "
            f"{os.cpu_count()} cores, which client and server share. {told}".rstrip(),
            "",
            "| attack | times | median, ms | longest, ms |",
            "| --- | ---: | ---: | ---: |",
            *rows,
            "",
        ]
    )


if __name__ == "__main__":
    sys.exit(main())
