"""The plots, as SVG without scripts."""

from __future__ import annotations

import re
from pathlib import Path

from benchmarks.measure import Plot


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
        x_labels=[f"{x:,}" for x in plot.x],
        legend_at_bottom=True,
        legend_at_bottom_columns=1,
        truncate_legend=-1,
        js=[],
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
