"""Figures of landmarks in the picture and in space: motion vectors and the face mesh. Arrays in, Plotly figures out."""

from __future__ import annotations

import base64
from collections.abc import Collection, Sequence
from typing import Any, Literal

import numpy as np
import plotly.graph_objects as go

from studio.figures import framed
from studio.regions import regions

_SHADES = 8
"""Steps of colour in which arrows show how long they are."""
_AT_REST = 0.05
"""Arrows shorter than this, px, have no direction."""
_HEAD = 0.011
"""Length of an arrow's head, shares of the chart's height."""
_SHAFT = 0.13
"""Half the width of an arrow's shaft, shares of its head's length."""
_LABEL = {"bgcolor": "rgba(0, 0, 0, 0.65)", "font": {"color": "#ffffff"}, "borderpad": 6}
"""Readable on any picture."""
_SCALE = "Turbo"
_UNDER_IT = {"orientation": "h", "thickness": 12, "x": 0.5, "y": 0, "yanchor": "bottom", "len": 0.7}
"""Beside the face, a colour bar leaves it too little room on a small screen."""
_ABOVE_IT = _UNDER_IT | {"y": 1, "yanchor": "top"}
"""Where the buttons and the slider of an animation are under it."""
_ON_ANY_GROUND = {"color": "#7b8794"}
"""Plotly's buttons turn white under the pointer, in the dark theme too."""
SEEN_FROM = {
    "front": (0.0, -1.8, 0.0),
    "its right": (-1.28, -1.28, 0.17),  # of the person: the left of the picture
    "its left": (1.28, -1.28, 0.17),
    "above": (0.0, -1.28, 1.28),
    "below": (0.0, -1.28, -1.28),
}
"""Side of the face -> where the eye of a chart in space is; x to the right of the picture, y away, z up. So far away that a
turned head is seen whole on a phone, too, where the chart is narrower than high."""
_FURTHEST = 20.0
"""Length of the vectors of a camera; further away, there is nothing to be seen."""
_MOST_STEPS = 150
"""Frames of an animated mesh: more make the page slow."""


def vectors_figure(
    points: np.ndarray,
    reference: np.ndarray,
    *,
    size: tuple[int, int],
    picture: bytes | None = None,
    colour_by: Literal["region", "magnitude"] = "region",
    threshold: float = 0.0,
    shown: Collection[str] | None = None,
    magnify: float = 1.0,
    most: float | None = None,
    zoom: bool = True,
) -> go.Figure:
    """An arrow per landmark, from where it rests to where it is.

    Args:
        points: (478, 2 or 3) px, NaN where not seen.
        reference: (478, 2 or 3) px, where landmarks rest.
        size: Height and width of the picture, px.
        picture: JPEG to draw under the arrows.
        colour_by: Region of the face, or length of the arrow.
        threshold: Shorter arrows are left out, px.
        shown: Names of regions (`studio.regions`); None: all.
        magnify: Arrows are drawn so many times longer than they are.
        most: Length at the end of the colour scale, px; None: the longest in this frame.
        zoom: Show the face, not the whole picture.
    """
    start, step = reference[:, :2].astype(np.float64), (points - reference)[:, :2].astype(np.float64)
    length = np.linalg.norm(step, axis=1)
    keep = np.isfinite(length) & (length >= max(threshold, _AT_REST))
    layout = _as_picture(size, start if zoom else None)
    if picture is not None:
        layout["images"] = [_under(picture, size)]
    head = _HEAD * abs(float(np.subtract(*layout["yaxis"]["range"])))
    chosen = [region for region in regions() if shown is None or region.name in shown]
    if colour_by == "region":
        parts = [(region, np.array([i for i in region.points if keep[i]], int)) for region in chosen]
        traces = [_arrows(start, step, length, indices, magnify, head, region.colour, region.label)
                  for region, indices in parts if len(indices)]  # fmt: skip
    else:
        wanted = keep & np.isin(np.arange(len(keep)), [i for region in chosen for i in region.points])
        traces = _shaded(start, step, length, np.flatnonzero(wanted), magnify, head, most)
    if not any(trace["customdata"] is not None for trace in traces):
        text = "no landmark moved in this frame" + (f" by {threshold:g} px" if threshold > _AT_REST else "")
        text = text if np.isfinite(length).any() else "no face seen in this frame"
        layout["annotations"] = [{"text": text, "showarrow": False, "xref": "paper", "yref": "paper", "x": 0.5, "y": 0.96,
                                  **_LABEL}]  # fmt: skip
    # Made at once: changed step by step, Plotly takes twice as long.
    return framed(go.Figure(traces, layout), height=560, name=f"vectors {size} {zoom}")


def _arrows(
    start: np.ndarray,
    step: np.ndarray,
    length: np.ndarray,
    indices: np.ndarray,
    magnify: float,
    head: float,
    colour: str,
    label: str,
) -> go.Scatter:
    """Arrows of one colour as one filled outline with gaps, which a browser draws as one path: with lines it would be one
    for every arrow."""
    begin, tip = start[indices], start[indices] + magnify * step[indices]
    reach = np.linalg.norm(tip - begin, axis=1, keepdims=True)
    along = (tip - begin) / np.maximum(reach, 1e-9)
    back, across = tip - head * along, head * along[:, ::-1] * [-1, 1]
    begin = np.where(reach > head, begin, back)
    half, thin = 0.25 * across, _SHAFT * across
    corners = np.stack(
        [
            begin + thin,
            back + thin,
            back + half,
            tip,
            back - half,
            back - thin,
            begin - thin,
            np.full_like(tip, np.nan),
        ],
        1,
    )
    x, y = corners.reshape(-1, 2).T.astype(np.float32)
    data = np.repeat(np.c_[indices, length[indices], step[indices]].astype(np.float32), corners.shape[1], axis=0)
    return go.Scatter(
        x=x, y=y, mode="none", name=label, customdata=data, fill="toself", fillcolor=colour, hoveron="points",
        hovertemplate="landmark %{customdata[0]}<br>%{customdata[1]:.1f} px: %{customdata[2]:+.1f} right, "
        f"%{{customdata[3]:+.1f}} down<extra>{label}</extra>",
    )  # fmt: skip


def _shaded(
    start: np.ndarray, step: np.ndarray, length: np.ndarray, indices: np.ndarray, magnify: float, head: float,
    most: float | None,
) -> list[go.Scatter]:  # fmt: skip
    """Arrows coloured by their length, and the scale of the colours."""
    from plotly.colors import sample_colorscale

    top = max(most or (float(length[indices].max()) if len(indices) else 1.0), 1e-6)
    shade = np.minimum((length[indices] / top * _SHADES).astype(int), _SHADES - 1)
    traces = []
    for number, colour in enumerate(sample_colorscale(_SCALE, (np.arange(_SHADES) + 0.5) / _SHADES)):
        part = indices[shade == number]
        if len(part):
            label = f"{number * top / _SHADES:.1f} to {(number + 1) * top / _SHADES:.1f} px"
            trace = _arrows(start, step, length, part, magnify, head, colour, label)
            trace.showlegend = False
            traces.append(trace)
    bar = {"colorscale": _SCALE, "cmin": 0, "cmax": top, "color": [0], "showscale": True, "size": 0.1, "opacity": 0,
           "colorbar": {"title": "px", "thickness": 12}}  # fmt: skip
    scale = go.Scatter(x=[None], y=[None], mode="markers", marker=bar, showlegend=False, hoverinfo="skip")
    return [*traces, scale]


def _under(picture: bytes, size: tuple[int, int]) -> dict[str, Any]:
    """A JPEG under what is drawn."""
    source = "data:image/jpeg;base64," + base64.b64encode(picture).decode()
    return {"source": source, "xref": "x", "yref": "y", "x": 0, "y": 0, "sizex": size[1], "sizey": size[0],
            "sizing": "stretch", "layer": "below", "opacity": 0.75}  # fmt: skip


def _as_picture(size: tuple[int, int], around: np.ndarray | None) -> dict[str, Any]:
    """Layout with the axes of a picture, or of the square round some of its points (N, 2) px."""
    x, y = [0.0, float(size[1])], [float(size[0]), 0.0]
    if around is not None and np.isfinite(around).all():
        low, high = around.min(0), around.max(0)
        side, middle = 0.72 * float((high - low).max()), (low + high) / 2
        x, y = [middle[0] - side, middle[0] + side], [middle[1] + side, middle[1] - side]
    hidden = {"showgrid": False, "zeroline": False, "showticklabels": False}
    return {"xaxis": {"range": x, **hidden}, "yaxis": {"range": y, "scaleanchor": "x", "scaleratio": 1, **hidden}}


def mesh_figure(
    points: np.ndarray,
    triangles: np.ndarray,
    *,
    colour: np.ndarray | None = None,
    colour_title: str = "",
    most: float | None = None,
    frame: int = 0,
    times: np.ndarray | None = None,
    animated: bool = False,
    centred: bool = True,
    seen_from: str = "front",
) -> go.Figure:
    """The face mesh in space; drag to look at it from elsewhere.

    Args:
        points: (T, 478, 3) px, NaN where not seen.
        triangles: (M, 3).
        colour: (T, 478) a value per landmark to colour by, such as how far it moved.
        colour_title: What it is.
        most: Its value at the end of the scale; None: its largest.
        frame: The frame that is shown.
        times: (T,) s, for the names of the steps.
        animated: With a button to play and a slider over (at most 150) frames.
        centred: Keep the head where it is and show only how it turns.
        seen_from: A key of `SEEN_FROM`.
    """
    space = np.stack([points[..., 0], points[..., 2], -points[..., 1]], -1).astype(np.float32)  # y down -> z up
    if centred:
        space = space - space[:, :468].mean(1, keepdims=True)
    steps = _steps(len(space), frame, points) if animated else [frame]
    reach = _ranges(space)
    top = most or (float(np.nanmax(colour)) if colour is not None and np.isfinite(colour).any() else 1.0)

    def mesh(step: int) -> go.Mesh3d:
        vertices = np.nan_to_num(space[step])
        shade = {"color": "#C9A58C"}
        if colour is not None:
            shade = {
                "intensity": np.nan_to_num(colour[step][:468]),
                "colorscale": _SCALE,
                "cmin": 0,
                "cmax": top,
                "colorbar": (_ABOVE_IT if animated else _UNDER_IT) | {"title": {"text": colour_title, "side": "top"}},
            }
        return go.Mesh3d(
            x=vertices[:468, 0], y=vertices[:468, 1], z=vertices[:468, 2], i=triangles[:, 0], j=triangles[:, 1],
            k=triangles[:, 2], flatshading=False, hoverinfo="skip",
            lighting={"ambient": 0.45, "diffuse": 0.8, "specular": 0.15, "roughness": 0.7},
            lightposition={"x": 0, "y": -2000, "z": 800}, **shade,
        )  # fmt: skip

    # The mesh is closed: eyes and mouth are triangles too. Their rims make the face readable.
    def rims(step: int) -> go.Scatter3d:
        x, y, z = _rims(space[step])
        return go.Scatter3d(
            x=x, y=y, z=z, mode="lines", line={"color": "#20242b", "width": 4}, hoverinfo="skip", showlegend=False
        )

    figure = go.Figure(data=[mesh(frame), rims(frame)])
    axis, eye = {"visible": False, "autorange": False}, dict(zip("xyz", SEEN_FROM[seen_from]))
    figure.update_layout(
        scene={
            "xaxis": {**axis, "range": reach[0]}, "yaxis": {**axis, "range": reach[1]}, "zaxis": {**axis, "range": reach[2]},
            "aspectmode": "cube", "camera": {"eye": eye, "up": {"x": 0, "y": 0, "z": 1}},
        }
    )  # fmt: skip
    framed(figure, height=560, name="mesh")
    if animated and len(steps) > 1:
        _animate(figure, [(step, [mesh(step), rims(step)]) for step in steps], frame, times)
    if np.isnan(points[frame]).any():
        figure.add_annotation(
            text="no face seen in this frame", showarrow=False, xref="paper", yref="paper", x=0.5, y=0.5
        )
    return figure


def camera_of(value: Any) -> dict[str, dict[str, float]] | None:
    """A chart's camera as a browser reported it: where the eye is, what it looks at, what is up; None if it is none."""
    try:
        camera = {part: {axis: float(value[part][axis]) for axis in "xyz"} for part in ("eye", "center", "up")}
    except (KeyError, TypeError, ValueError):
        return None
    good = all(abs(length) <= _FURTHEST for vector in camera.values() for length in vector.values())  # and no NaN
    return camera if good else None


def _steps(length: int, frame: int, points: np.ndarray) -> list[int]:
    """At most 150 frames that show a face, with the one looked at among them."""
    seen = np.flatnonzero(~np.isnan(points).any((1, 2)))
    if not len(seen):
        return [frame]
    chosen = seen[np.unique(np.linspace(0, len(seen) - 1, min(len(seen), _MOST_STEPS)).round().astype(int))]
    return sorted({*chosen.tolist(), frame} if frame in seen else set(chosen.tolist()))


def _ranges(space: np.ndarray) -> list[list[float]]:
    """A cube round everything, so that nothing jumps."""
    flat = space.reshape(-1, 3)
    flat = flat[~np.isnan(flat).any(1)]
    if not len(flat):
        return [[-1.0, 1.0]] * 3
    low, high = flat.min(0), flat.max(0)
    middle, half = (low + high) / 2, 0.5 * float((high - low).max())
    return [[float(m - half), float(m + half)] for m in middle]


def _rims(vertices: np.ndarray) -> Sequence[np.ndarray]:
    from visiongen.landmarks import INNER_LIPS, LEFT_BROW, LEFT_EYE, OUTER_LIPS, RIGHT_BROW, RIGHT_EYE

    rings = (RIGHT_EYE, LEFT_EYE, INNER_LIPS, OUTER_LIPS, RIGHT_BROW, LEFT_BROW)
    gap = np.full((1, 3), np.nan, np.float32)
    parts = [np.concatenate([vertices[[*ring, ring[0]]], gap]) for ring in rings]
    joined = np.concatenate(parts)
    joined[:, 1] -= 0.3  # a little nearer to the camera than the surface it lies on
    return joined.T


def _animate(figure: go.Figure, steps: list, frame: int, times: np.ndarray | None) -> None:
    figure.frames = [go.Frame(name=str(step), data=traces, traces=[0, 1]) for step, traces in steps]
    at_once = {"frame": {"duration": 0, "redraw": True}, "mode": "immediate", "transition": {"duration": 0}}
    flow = {"frame": {"duration": 40, "redraw": True}, "fromcurrent": True, "transition": {"duration": 0}}
    names = [f"{times[step]:.2f} s" if times is not None else str(step) for step, _ in steps]
    figure.update_layout(
        updatemenus=[{
            "type": "buttons", "direction": "left", "x": 0, "y": 0, "xanchor": "left", "yanchor": "bottom",
            "showactive": False, "bgcolor": "rgba(127, 127, 127, 0.15)", "borderwidth": 0, "font": _ON_ANY_GROUND,
            "buttons": [
                {"label": "▶ Play", "method": "animate", "args": [None, flow]},
                {"label": "⏸ Pause", "method": "animate", "args": [[None], at_once]},
            ],
        }],
        sliders=[{
            "active": [step for step, _ in steps].index(frame) if frame in [s for s, _ in steps] else 0,
            "x": 0.24, "len": 0.76, "y": 0.03, "yanchor": "bottom", "pad": {"t": 0}, "currentvalue": {"visible": False},
            "steps": [
                {"label": name, "method": "animate", "args": [[str(step)], at_once]}
                for (step, _), name in zip(steps, names, strict=True)
            ],
        }],
    )  # fmt: skip
