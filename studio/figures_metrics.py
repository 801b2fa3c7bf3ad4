"""Charts of measurements: bars of scores side by side, and lines per frame over each other. Pure functions."""

from __future__ import annotations

import csv
import html
import io
import math
from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from studio.figures import INTERVAL, PALETTE, framed
from studio.measurements import Measurement, heading, score_of

_DASHES = ("solid", "dash", "dot", "dashdot")
_COLUMNS = 3
_BELOW = {"yref": "container", "yanchor": "bottom", "y": 0, "x": 0}
"""A legend at the very bottom, under the title of the axis."""

_WITHOUT_UPLOAD = {"displaylogo": False, "showSendToCloud": False}
"""plotly.js 4 has a button that uploads a chart to its makers' service, unless it is told not to."""


def scores_figure(found: Sequence[Measurement], names: Sequence[str], *, row_height: int = 210) -> go.Figure:
    """One small chart for each score, one bar for each measurement, with confidence intervals where there are any."""
    columns = min(_COLUMNS, max(len(names), 1))
    rows = max(1, math.ceil(len(names) / columns))
    figure = make_subplots(rows=rows, cols=columns, subplot_titles=[heading(name) for name in names],
                           vertical_spacing=min(0.12, 0.3 / rows))  # fmt: skip
    for number, one in enumerate(found):
        shown = False
        for place, name in enumerate(names):
            if name not in one.scores:
                continue
            bar = _bar(one, name, colour=PALETTE[number % len(PALETTE)], number=len(found))
            bar.update(showlegend=not shown)
            figure.add_trace(bar, row=place // columns + 1, col=place % columns + 1)
            shown = True
    figure.update_yaxes(showgrid=False)  # it would strike out the values on the bars
    figure.update_xaxes(showticklabels=False)  # names are longer than bars are wide: the legend has them
    framed(figure, height=100 + row_height * rows, name=f"scores {list(names)}")
    figure.update_layout(margin_b=50, legend=_BELOW)
    return figure


def _bar(one: Measurement, name: str, *, colour: str, number: int) -> go.Bar:
    """A measurement's score, one bar of so many."""
    value = one.scores[name]
    low, high = one.intervals.get(name, (value, value))
    error = {
        "type": "data",
        "symmetric": False,
        "color": INTERVAL,
        "array": [high - value],
        "arrayminus": [value - low],
    }
    digits = score_of(name).digits
    return go.Bar(
        x=[one.name], y=[value], name=one.name, legendgroup=one.name, marker={"color": colour},
        error_y=error if high > low else None, text=[f"{value:.{digits}f}"], textposition="outside", cliponaxis=False,
        textangle=0, width=min(0.8, 0.3 + 0.1 * number),
        hovertemplate=f"{one.name}: %{{y:.{digits + 1}f}}<extra>{score_of(name).title}</extra>",
    )  # fmt: skip


def colours(found: Sequence[Measurement]) -> list[tuple[str, str]]:
    """(name, colour) of every measurement, as charts draw it."""
    return [(one.name, PALETTE[number % len(PALETTE)]) for number, one in enumerate(found)]


def frames_figure(found: Sequence[Measurement], names: Sequence[str], *, row_height: int = 190) -> go.Figure:
    """One row for each score over time, all measurements in it."""
    rows = max(1, len(names))
    figure = make_subplots(rows=rows, cols=1, shared_xaxes=True, vertical_spacing=min(0.08, 0.3 / rows),
                           subplot_titles=[heading(name) for name in names])  # fmt: skip
    drawn: set[str] = set()
    for row, name in enumerate(names, 1):
        for number, one in enumerate(found):
            values = one.series.get(name)
            if values is None or not np.isfinite(values).any():
                continue
            line = {"color": PALETTE[number % len(PALETTE)], "width": 1.8, "dash": _DASHES[number % len(_DASHES)]}
            figure.add_scatter(
                x=np.arange(len(values)) / one.fps, y=values, mode="lines", name=one.name, legendgroup=one.name, line=line,
                showlegend=one.name not in drawn, connectgaps=False,
                hovertemplate=f"{one.name}: %{{y:.4g}} at %{{x:.2f}} s<extra></extra>", row=row, col=1,
            )  # fmt: skip
            drawn.add(one.name)
    figure.update_xaxes(title_text="time, s", row=rows, col=1)
    framed(figure, height=130 + row_height * rows, name=f"frames {list(names)}")
    figure.update_layout(margin_b=90, legend=_BELOW, hovermode="x unified")
    return figure


def report_html(figures: Sequence[go.Figure], *, title: str, notes: Sequence[str], table: str) -> str:
    """A page that stands by itself, without network: the charts with Plotly's own code inside.

    Args:
        figures: In their order; their margins are widened.
        title: Of the page.
        notes: Paragraphs above the charts.
        table: CSV, shown as a table.
    """
    head, *body = [[html.escape(cell) for cell in row] for row in csv.reader(io.StringIO(table))]
    cells = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in body)
    parts = [
        "<!doctype html><html lang='en'><head><meta charset='utf-8'>"
        "<meta name='viewport' content='width=device-width, initial-scale=1'>"
        f"<title>{html.escape(title)}</title><style>body{{font-family:system-ui,sans-serif;max-width:75rem;margin:2rem auto;"
        "padding:0 1rem}table{border-collapse:collapse;display:block;overflow-x:auto}td,th{padding:.3rem .6rem;"
        "border-bottom:1px solid #ccc;text-align:right;font-variant-numeric:tabular-nums}td:first-child,th:first-child"
        "{text-align:left}</style></head><body>",
        f"<h1>{html.escape(title)}</h1>",
        *(f"<p>{html.escape(note)}</p>" for note in notes),
        "<table><thead><tr>"
        + "".join(f"<th>{cell}</th>" for cell in head)
        + f"</tr></thead><tbody>{cells}</tbody></table>",
    ]
    for number, figure in enumerate(figures):
        figure.update_yaxes(automargin=True)  # as in the studio, whose theme does it: margins leave no room for numbers
        parts.append(
            figure.to_html(full_html=False, include_plotlyjs=number == 0, default_width="100%", config=_WITHOUT_UPLOAD)
        )
    return "".join([*parts, "</body></html>"])
