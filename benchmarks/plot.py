"""The figures as a picture: a panel for each row, a bar for each contestant, whiskers from least to greatest."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from benchmarks.verdict import RowResult, Samples

#: What each row's panel shows of its details; the rate where nothing is named.
SHOWN = {"http-1-tiny": "p50", "growth-cost": "submit CPU", "growth-memory": "memory"}

COLUMNS = 2

_OURS, _OTHERS = "#2f7d3b", "#9aa5b1"


def draw(file: Path, results: Sequence[RowResult], caption: str) -> None:
    """Write a PNG of all rows that have something to show."""
    panels = [(one, bars) for one in results if (bars := bars_of(one))]
    lines = max(1, math.ceil(len(panels) / COLUMNS))
    figure = Figure(figsize=(11, 2.3 * lines + 0.5), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(lines, COLUMNS, squeeze=False).flat
    for panel, (result, bars) in zip(axes, panels, strict=False):
        _draw_panel(panel, result, bars)
    for panel in list(figure.axes)[len(panels) :]:
        panel.set_visible(False)
    figure.suptitle(f"Celeriac beside its peers: {caption}", fontsize=10)
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file, dpi=80)


def bars_of(result: RowResult) -> dict[str, Samples]:
    """The bars of a row's panel, by whom or what they are of."""
    shown = SHOWN.get(result.row, "rate")
    return {who: figures[shown] for who, figures in result.details.items() if shown in figures}


def _draw_panel(panel: Any, result: RowResult, bars: dict[str, Samples]) -> None:
    names, samples = list(bars), list(bars.values())
    medians = [one.median for one in samples]
    whiskers = [[one.median - one.low for one in samples], [one.high - one.median for one in samples]]
    colours = [_OURS if name == "Celeriac" else _OTHERS for name in names]
    drawn = panel.barh(names, medians, xerr=whiskers, color=colours, height=0.6, ecolor="#444444", capsize=2)
    panel.bar_label(drawn, labels=[f"{one.median:,.{one.digits}f}" for one in samples], padding=4, fontsize=8)
    panel.invert_yaxis()
    panel.margins(x=0.18)
    panel.set_title(f"{result.row}: {_first(result)}", fontsize=8, loc="left", wrap=True)
    panel.set_xlabel(samples[0].unit, fontsize=8)
    panel.tick_params(labelsize=8)
    panel.spines[["top", "right"]].set_visible(False)


def _first(result: RowResult) -> str:
    if not result.measures:
        return "not measured"
    measure = result.measures[0]
    return f"{measure.samples.median:.{measure.samples.digits}f} {measure.samples.unit} {measure.name}"
