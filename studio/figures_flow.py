"""Figures of dense maps over a portrait's crop: motion as a colour wheel, shares as masks. Arrays in, figures out."""

from __future__ import annotations

import base64

import cv2
import numpy as np
import plotly.graph_objects as go

from studio.figures import framed

_ARROWS = 16
"""Arrows in a row over a dense motion."""
_WHEEL = 96


def flow_colours(displacement: np.ndarray, *, most: float) -> np.ndarray:
    """A motion as colours: hue is the direction, strength of the colour the length; no motion is white.

    Args:
        displacement: (h, w, 2), x and y.
        most: Length that has the full colour.
    Returns:
        (h, w, 3) uint8 RGB.
    """
    x, y = displacement[..., 0].astype(np.float32), displacement[..., 1].astype(np.float32)
    strength = np.clip(np.hypot(x, y) / max(most, 1e-9), 0, 1)
    hue = np.rad2deg(np.arctan2(y, x)) % 360
    return np.round(cv2.cvtColor(np.stack([hue, strength, np.ones_like(hue)], -1), cv2.COLOR_HSV2RGB) * 255).astype(
        np.uint8
    )


def colour_wheel(size: int = _WHEEL) -> np.ndarray:
    """(size, size, 4) uint8 RGBA: which colour stands for which direction and length."""
    axis = (np.arange(size) + 0.5) / size * 2 - 1
    grid = np.stack(np.meshgrid(axis, axis), -1)
    inside = np.hypot(grid[..., 0], grid[..., 1]) <= 1
    return np.dstack([flow_colours(grid, most=1.0), np.where(inside, 255, 0).astype(np.uint8)])


def flow_figure(
    displacement: np.ndarray, *, most: float | None = None, unit: float = 1.0, height: int = 420
) -> go.Figure:
    """A dense motion with its colour wheel and sparse arrows, which point to where a pixel comes from.

    Args:
        displacement: (h, w, 2) sides of the crop.
        most: Length with the full colour, sides of the crop; None: the 99th percentile.
        unit: Pixels of a side of the crop, for the numbers on screen.
        height: px.
    """
    lengths = np.hypot(displacement[..., 0], displacement[..., 1])
    top = max(most or float(np.quantile(lengths, 0.99)), 1e-6)
    figure = go.Figure()
    _ground(figure, flow_colours(displacement, most=top))
    rows, columns = displacement.shape[:2]
    at_y, at_x = (((np.arange(_ARROWS) + 0.5) / _ARROWS * n).astype(int) for n in (rows, columns))
    x, y = np.meshgrid((at_x + 0.5) / columns, (at_y + 0.5) / rows)
    step = displacement[np.ix_(at_y, at_x)].reshape(-1, 2)
    start = np.stack([x.ravel(), y.ravel()], -1)
    size = np.linalg.norm(step, axis=1)
    zoom = min(1.0, 1.2 / _ARROWS / top)  # no arrow reaches far into its neighbours
    keep = size > 0.04 * top
    tips, nan = start + zoom * step, np.full(keep.sum(), np.nan)
    figure.add_trace(
        go.Scatter(
            x=np.stack([start[keep, 0], tips[keep, 0], nan], 1).ravel(),
            y=np.stack([start[keep, 1], tips[keep, 1], nan], 1).ravel(),
            customdata=np.repeat(np.c_[size, step][keep] * unit, 3, axis=0), mode="lines+markers", showlegend=False,
            line={"color": "#20242b", "width": 1.1},
            marker={"symbol": "arrow", "angleref": "previous", "size": np.tile([0, 6, 0], keep.sum()), "color": "#20242b"},
            hovertemplate="comes from %{customdata[0]:.1f} px away: %{customdata[1]:+.1f} right, %{customdata[2]:+.1f} down"
            "<extra></extra>",
        )
    )  # fmt: skip
    _as_square(figure)
    figure.add_layout_image(source=_png(colour_wheel()), xref="paper", yref="paper", x=1, y=0, sizex=0.18, sizey=0.18,
                            xanchor="right", yanchor="bottom")  # fmt: skip
    figure.update_xaxes(title_text=f"full colour: {top * unit:.1f} px")
    return framed(figure, height=height, name="flow")


def mask_figure(share: np.ndarray, *, picture: np.ndarray | None = None, height: int = 420) -> go.Figure:
    """A share from 0 to 1 as a heat map, over the picture it belongs to.

    Args:
        share: (h, w).
        picture: (S, S, 3) uint8 under it.
        height: px.
    """
    figure = go.Figure()
    if picture is not None:
        _ground(figure, picture)
    rows, columns = share.shape
    figure.add_trace(
        go.Heatmap(
            z=share, x=(np.arange(columns) + 0.5) / columns, y=(np.arange(rows) + 0.5) / rows, zmin=0, zmax=1,
            colorscale="Viridis", opacity=1.0 if picture is None else 0.72, colorbar={"thickness": 10, "tickformat": ".0%"},
            hovertemplate="%{z:.0%}<extra></extra>",
        )
    )  # fmt: skip
    _as_square(figure)
    return framed(figure, height=height, name="mask")


def picture_figure(picture: np.ndarray, *, height: int = 420) -> go.Figure:
    """A square picture (S, S, 3) uint8 in the same frame as the maps, so that it can be zoomed like them."""
    figure = go.Figure(go.Scatter(x=[None], y=[None], showlegend=False))
    _ground(figure, picture)
    _as_square(figure)
    return framed(figure, height=height, name="picture")


def strength(displacement: np.ndarray) -> float:
    """Full colour for a motion (…, h, w, 2): its 99th percentile, but not less than 1/1000 of the crop's side."""
    return max(float(np.quantile(np.hypot(displacement[..., 0], displacement[..., 1]), 0.99)), 1e-3)


def _ground(figure: go.Figure, picture: np.ndarray) -> None:
    figure.add_layout_image(
        source=_png(picture), xref="x", yref="y", x=0, y=0, sizex=1, sizey=1, sizing="stretch", layer="below"
    )


def _png(picture: np.ndarray) -> str:
    code = cv2.COLOR_RGBA2BGRA if picture.shape[2] == 4 else cv2.COLOR_RGB2BGR
    _, coded = cv2.imencode(".png", cv2.cvtColor(np.ascontiguousarray(picture), code))
    return "data:image/png;base64," + base64.b64encode(coded.tobytes()).decode()


def _as_square(figure: go.Figure) -> None:
    hidden = {"showgrid": False, "zeroline": False, "showticklabels": False, "ticks": ""}
    figure.update_xaxes(range=[0, 1], constrain="domain", **hidden)
    figure.update_yaxes(range=[1, 0], scaleanchor="x", scaleratio=1, constrain="domain", **hidden)
