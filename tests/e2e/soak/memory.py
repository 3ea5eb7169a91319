"""How the memory of a worker goes with time."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from statistics import linear_regression, median

MIB = 1024 * 1024
WARM_UP = 0.4
"""The part of the time in which caches fill."""
FLAT = 0.04
"""What may come to it behind that, as a part of it: malloc keeps what it got by chance."""


@dataclass(slots=True)
class Memory:
    """What a process held in memory, in MiB, by seconds."""

    pid: int
    seconds: list[float] = field(default_factory=list)
    held: list[float] = field(default_factory=list)

    def look(self, at: float) -> None:
        """Take down what it holds now."""
        pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        self.seconds.append(at)
        self.held.append(pages * os.sysconf("SC_PAGE_SIZE") / MIB)

    def at(self, part: float) -> float:
        """Return what it held about when so much of the time was over."""
        middle = round(part * (len(self.held) - 1))
        return median(self.held[max(0, middle - 2) : middle + 3])

    @property
    def growth(self) -> float:
        """What the line through all behind the warm-up rises, as a part of where it begins."""
        first = int(WARM_UP * len(self.held))
        seconds, held = self.seconds[first:], self.held[first:]
        slope, start = linear_regression(seconds, held)
        begin, end = (start + slope * at for at in (seconds[0], seconds[-1]))
        return end / begin - 1

    def __str__(self) -> str:
        marks = ", ".join(f"{self.at(part):.1f} at {part:.0%}" for part in (0.1, 0.5, 1))
        return f"MiB {marks}; {self.growth:+.1%} behind the warm-up"
