"""The figures of the attacks: how long each took to be refused.

With `ATTACK_FIGURES` naming a file, they are collected there as JSON lines: many processes may
append to one file.
"""

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

WAITED = "the longest wait of others"


def record(name: str, seconds: float, **more: object) -> None:
    """Keep how long an attack took to be refused, and what else is worth telling of it."""
    line = json.dumps({"attack": name, "milliseconds": round(seconds * 1000, 1), **more})
    print(line)  # noqa: T201 - pytest shows it where a test fails
    if path := os.environ.get("ATTACK_FIGURES"):
        with Path(path).open("a") as file:
            file.write(f"{line}\n")


@contextmanager
def measured(name: str, **more: object) -> Iterator[None]:
    """Record how long the body took, if it succeeds."""
    began = time.perf_counter()
    yield
    record(name, time.perf_counter() - began, **more)
