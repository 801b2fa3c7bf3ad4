"""Charts over time: values per frame with a line at the frame that is looked at. Arrays in, Plotly figures out.

Every point carries its frame number as custom data, so that a click can go there. Colours of text and ground are left to
Streamlit's theme.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

PALETTE = ("#4C9BE8", "#F0932B", "#27AE60", "#EC407A", "#8E6CE0", "#17B8CE", "#C0A030", "#9AA3AF")
"""Told apart on light and dark ground; the first two also by people who do not see red and green."""
_DASHES = ("solid", "dash", "dot", "dashdot")
INTERVAL = "#8A94A0"
"""Lines of confidence intervals, seen on bars and on light and dark ground."""
_CURSOR = "#E5484D"
_TITLE = 26
"""Height of a row's title, px."""


def framed(figure: go.Figure, *, height: int, name: str) -> go.Figure:
    """`figure` with the margins of all figures here; zoom and camera survive a redraw as long as `name` is the same."""
    figure.update_layout(
        height=height,
        margin={"l": 10, "r": 10, "t": 36, "b": 10},
        uirevision=name,
        legend={"orientation": "h", "yanchor": "bottom", "y": 1.02, "x": 0},
        hovermode="closest",
    )
    return figure


def _line(
    times: np.ndarray,
    values: np.ndarray,
    *,
    name: str,
    colour: str,
    dash: str,
    group: str | None = None,
    unit: str = "",
) -> go.Scatter:
    hover = f"{name}: %{{y:.4g}}{unit}<br>%{{x:.2f}} s, frame %{{customdata}}<extra></extra>"
    # Only markers can be clicked: they are there, and too faint to be seen in long lines.
    marker = {"size": 7, "opacity": 0.01, "color": colour}
    steady = {"marker": {"opacity": 0.01}}
    return go.Scatter(
        x=times, y=values, customdata=np.arange(len(times)), mode="lines+markers", name=name, marker=marker,
        line={"color": colour, "dash": dash, "width": 1.8}, hovertemplate=hover, legendgroup=group or name,
        selected=steady, unselected=steady,
    )  # fmt: skip


def _cursor(figure: go.Figure, times: np.ndarray, frame: int | None) -> None:
    if frame is not None and 0 <= frame < len(times):
        figure.add_vline(x=float(times[frame]), line={"color": _CURSOR, "width": 1.5})


def series_figure(
    times: np.ndarray,
    series: Mapping[str, np.ndarray],
    *,
    frame: int | None = None,
    unit: str = "",
    title: str = "",
    limits: Mapping[str, float] | None = None,
    height: int = 300,
) -> go.Figure:
    """Values over time.

    Args:
        times: (T,) s.
        series: Name -> (T,) values; NaN leaves a gap.
        frame: Where the cursor stands.
        unit: Behind the values, such as " px".
        title: Of the vertical axis.
        limits: Name -> a value to draw a line at, such as the extreme that still works.
        height: px.
    """
    figure = go.Figure()
    for number, (name, values) in enumerate(series.items()):
        colour = PALETTE[number % len(PALETTE)]
        figure.add_trace(
            _line(times, values, name=name, colour=colour, dash=_DASHES[number // len(PALETTE) % 4], unit=unit)
        )
    for name, value in (limits or {}).items():
        figure.add_hline(y=value, line={"color": "#9AA3AF", "dash": "dot", "width": 1}, annotation_text=name)
    _cursor(figure, times, frame)
    figure.update_xaxes(title_text="time, s")
    figure.update_yaxes(title_text=title)
    return framed(figure, height=height, name=f"series {title} {list(series)}")


def rows_figure(
    times: np.ndarray,
    rows: Mapping[str, Mapping[str, np.ndarray]],
    *,
    frame: int | None = None,
    unit: str = "",
    row_height: int = 150,
) -> go.Figure:
    """Charts under each other over one time axis, for example yaw, pitch and roll of driver and result.

    Args:
        times: (T,) s.
        rows: Title of a row -> name -> (T,) values. The same name has the same colour in every row.
        frame: Where the cursor stands.
        unit: Behind the values.
        row_height: px.
    """
    names = list(dict.fromkeys(name for row in rows.values() for name in row))
    count = max(len(rows), 1)
    figure = make_subplots(
        rows=count, cols=1, shared_xaxes=True, subplot_titles=list(rows), vertical_spacing=_TITLE / (row_height * count)
    )
    for number, row in enumerate(rows.values(), 1):
        for name, values in row.items():
            index = names.index(name)
            dash = _DASHES[index % 2] if len(row) > 1 else _DASHES[0]  # one line alone needs none to be told
            line = _line(times, values, name=name, colour=PALETTE[index % len(PALETTE)], dash=dash, unit=unit)
            line.showlegend = number == next(i for i, other in enumerate(rows.values(), 1) if name in other)
            figure.add_trace(line, row=number, col=1)
    # Beside a row a long title runs into those of the rows above and below.
    figure.update_annotations(x=0, xanchor="left", font_size=13)
    _cursor(figure, times, frame)
    figure.update_xaxes(title_text="time, s", row=count, col=1)
    framed(figure, height=90 + row_height * count, name=f"rows {list(rows)}")
    figure.update_layout(margin_t=30 + _TITLE, legend={"yref": "container", "yanchor": "top", "y": 1})
    return figure


def trajectories_figure(
    times: np.ndarray,
    tracks: Mapping[str, np.ndarray],
    landmarks: Sequence[int],
    *,
    frame: int | None = None,
    unit: str = " px",
) -> go.Figure:
    """Places of chosen landmarks over time: a row for x and one for y; a colour for a landmark, a dash for a track, in
    the order solid, dashed, dotted.

    Args:
        times: (T,) s.
        tracks: Name -> (T, 478, 2 or 3).
        landmarks: Their numbers.
        frame: Where the cursor stands.
        unit: Of the tracks, with the space before it.
    """
    figure = make_subplots(rows=2, cols=1, shared_xaxes=True, vertical_spacing=0.06)
    for kind, (track, points) in enumerate(tracks.items()):
        for number, landmark in enumerate(landmarks):
            for axis in range(2):
                name = f"{landmark} {track}" if len(tracks) > 1 else str(landmark)
                line = _line(times, points[:, landmark, axis], name=name, colour=PALETTE[number % len(PALETTE)],
                             dash=_DASHES[kind % len(_DASHES)], unit=unit)  # fmt: skip
                line.name = line.legendgroup = str(landmark)  # the track is told by the dash, and at the pointer
                line.showlegend = axis == 0 and kind == 0
                figure.add_trace(line, row=axis + 1, col=1)
    _cursor(figure, times, frame)
    figure.update_yaxes(title_text=f"to the right,{unit}", row=1, col=1)
    # What is lower in the picture is lower here.
    figure.update_yaxes(title_text=f"down,{unit}", autorange="reversed", row=2, col=1)
    figure.update_xaxes(title_text="time, s", row=2, col=1)
    return framed(figure, height=440, name=f"trajectories {list(landmarks)} {list(tracks)}")
