"""What the README says of settings is what the code has."""

from __future__ import annotations

import re
from dataclasses import MISSING, fields
from pathlib import Path

from gql_cluster.conf import Settings

ROOT = Path(__file__).resolve().parents[2]
# A name, its default, and how that is read: `X` | 604800 (7 days) | …
ROW = re.compile(r"^\| (`[^|]*`) \| ([^|]*) \|", re.MULTILINE)


def said(title: str) -> dict[str, str]:
    """Return the defaults of a table of the README, by name, as they are written."""
    _, _, text = (ROOT / "README.md").read_text().partition(title)
    table = re.search(r"(?:^\|.*\n)+", text, re.MULTILINE)
    assert table
    rows = [[each.split(", ") for each in row] for row in ROW.findall(table[0])]
    return {
        name.strip("`"): default.strip("`")
        for names, defaults in rows
        for name, default in zip(names, defaults, strict=True)
    }


def written(default: object) -> str:
    """Return how the README writes a default."""
    if default is MISSING:
        return "as `DEBUG"
    return "none" if default is None else str(default)


def test_every_setting_is_in_the_readme_with_its_default() -> None:
    """And none that there is not."""
    table = said("`GQL_CLUSTER` in a project's Django settings")
    settings = {field.name: field.default for field in fields(Settings)}
    assert list(table.keys() ^ settings.keys()) == []
    for name, default in settings.items():
        told, wanted = table[name].partition(" (")[0], written(default)
        is_number = isinstance(default, int | float) and not isinstance(default, bool)
        assert told == wanted or (is_number and float(told) == default), name


def test_every_variable_is_in_the_readme() -> None:
    """Those that the settings list, and those of `make run` alone."""
    text = (ROOT / "config" / "settings.py").read_text().split('"""')[1]
    listed = set(re.findall(r"^\| ([A-Z_]+) ", text, re.MULTILINE))
    read = set(re.findall(r'env\.\w+\(\s*"([A-Z_]+)"', (ROOT / "config/settings.py").read_text()))
    own = {"HOST", "PORT", "WORKERS", "SHUTDOWN_GRACE"}
    _, _, table = (ROOT / "README.md").read_text().partition("reads the environment")
    table, _, _ = table.partition("`GQL_CLUSTER` in a project's")
    told = {
        name
        for row in re.findall(r"^\| (`[^|]*`) \|", table, re.MULTILINE)
        for name in re.findall(r"`([A-Z_]+)`", row)
    }
    assert told == listed | own
    assert read <= listed


def test_every_check_is_in_the_guide() -> None:
    """By its number."""
    sources = "".join(path.read_text() for path in (ROOT / "gql_cluster").rglob("*.py"))
    raised = set(re.findall(r"\b[EW]0\d\d\b", sources))
    guide = (ROOT / "docs/how-to/embed.md").read_text()
    assert set(re.findall(r"^\| `gql_cluster\.([EW]\d+)`", guide, re.MULTILINE)) == raised
