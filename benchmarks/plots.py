"""The plots, as SVG without scripts."""

from __future__ import annotations

import re
from pathlib import Path

from benchmarks.measure import Plot, shown


def draw(plot: Plot, folder: Path) -> Path:
    """Draw a plot into a folder and return its file; both axes grow by factors."""
    import pygal  # noqa: PLC0415 - an extra, and slow to import
    from pygal.style import CleanStyle  # noqa: PLC0415 - the same

    chart = pygal.Line(
        logarithmic=True,
        style=CleanStyle(font_family="sans-serif", legend_font_size=14),
        title=plot.title,
        x_title=plot.x_title,
        y_title=plot.y_title,
        y_labels=_steps(plot),
        stroke_style={"width": 2},
        x_labels=[f"{x:,}" for x in plot.x],
        legend_at_bottom=True,
        legend_at_bottom_columns=1,
        truncate_legend=-1,
        js=[],
        value_formatter=shown,
        no_prefix=True,
        pretty_print=True,
        width=800,
        height=500,
    )
    for name, values in plot.curves.items():
        chart.add(name, values)
    svg = re.sub(
        r"<script.*?</script>|<!--.*?-->", "", chart.render(is_unicode=True), flags=re.DOTALL
    )
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{plot.name}.svg"
    path.write_text(svg.strip() + "\n", encoding="utf-8")
    return path


def _steps(plot: Plot) -> list[int]:
    """Return 1, 2 and 5 times the powers of ten, from below all values to above them."""
    values = [value for curve in plot.curves.values() for value in curve if value]
    steps = [times * 10**power for power in range(9) for times in (1, 2, 5)]
    first = max((at for at, step in enumerate(steps) if step <= min(values)), default=0)
    last = next(at for at, step in enumerate(steps) if step >= max(values))
    return steps[first : last + 1]
