"""The report: a table for the terminal, and a page for `docs/`."""

from __future__ import annotations

import platform
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from benchmarks.measure import Plot, Result, shown
from benchmarks.plots import draw

LIBRARIES = (
    "Django",
    "django-modelcluster",
    "strawberry-graphql",
    "strawberry-graphql-django",
    "channels",
    "channels_redis",
    "redis",
    "uvicorn",
    "uvloop",
    "httptools",
    "websockets",
)
HEAD = ("what", "against", "ours", "theirs", "unit", "ratio", "target", "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What has to be known of a run to believe it."""

    command: str
    servers: Sequence[str]
    minutes: float
    cores: int
    load_before: float


def terminal(results: Iterable[Result]) -> str:
    """Return the table as text."""
    told = list(results)
    rows = [HEAD, *map(_row, told)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEAD))]
    table = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
    return "\n".join([*table, "", *(f"{each.what}: {each.note}" for each in told if each.note)])


def write(results: Sequence[Result], plots: Sequence[Plot], setting: Setting, folder: Path) -> Path:
    """Write `benchmarks.md` and its plots, and return where."""
    page = folder / "benchmarks.md"
    images = [(plot, draw(plot, folder / "benchmarks")) for plot in plots]
    shortfalls = [result for result in results if result.met is False]
    lines = [
        "# Benchmarks",
        "",
        "Ratios, measured side by side in one run on one machine; absolute figures mean little on",
        "another. A ratio is ours by theirs. `make bench` writes this page. What each line does is",
        "told by its module in `benchmarks/scenarios/`.",
        "",
        "One uvicorn worker has a core to itself; the clients, Redis and PostgreSQL share another.",
        "Both sides take turns, and the turn with the median ratio counts.",
        "",
        *_conditions(setting),
        "",
        "## Targets",
        "",
        *_markdown([result for result in results if result.target]),
        "",
        *_shortfalls(shortfalls),
        "",
        "## Besides",
        "",
        *_markdown([result for result in results if not result.target]),
        "",
        "## Notes",
        "",
        *[f"- {result.what}: {result.note}" for result in results if result.note],
        "",
    ]
    for plot, path in images:
        lines += [f"## {plot.title}", "", f"![{plot.title}](benchmarks/{path.name})", ""]
    if (folder / "benchmarks" / "profiles.md").exists():
        lines += ["## Profiles", "", "Before and after: [profiles](benchmarks/profiles.md).", ""]
    folder.mkdir(parents=True, exist_ok=True)
    page.write_text("\n".join(lines), encoding="utf-8")
    return page


def _conditions(setting: Setting) -> list[str]:
    libraries = ", ".join(f"{name} {version(name)}" for name in LIBRARIES)
    machine = f"{_processor()}, {setting.cores} cores, {platform.system()}"
    return [
        "| | |",
        "| --- | --- |",
        f"| command | `{setting.command}` |",
        f"| when | {datetime.now(UTC):%Y-%m-%d %H:%M} UTC, {setting.minutes:.1f} minutes |",
        f"| machine | {machine}; load before the run {setting.load_before:.1f} |",
        f"| servers | {', '.join(setting.servers)} |",
        f"| libraries | CPython {platform.python_version()}, {libraries} |",
    ]


def _processor() -> str:
    path = Path("/proc/cpuinfo")
    for line in path.read_text().splitlines() if path.exists() else ():
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return value.strip()
    return platform.machine()


def _markdown(results: Iterable[Result]) -> list[str]:
    rows = [HEAD, ("---",) * len(HEAD), *map(_row, results)]
    return [f"| {' | '.join(row)} |" for row in rows]


def _shortfalls(results: Sequence[Result]) -> list[str]:
    if not results:
        return ["Every target is met."]
    return [
        "Short of its target:",
        "",
        *[f"- {each.what}: {shown(each.ratio)}, target {each.target}" for each in results],
    ]


def _row(result: Result) -> tuple[str, ...]:
    met = {True: "met", False: "missed", None: ""}[result.met]
    return (
        result.what,
        result.against,
        shown(result.ours),
        shown(result.theirs),
        result.unit,
        shown(result.ratio),
        str(result.target or ""),
        met,
    )
