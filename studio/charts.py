"""Charts that grow while a render runs: pure functions, numbers in, Plotly figure out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import plotly.graph_objects as go


@dataclass(frozen=True, kw_only=True)
class LiveChart:
    """One chart beside a render."""

    title: str
    note: str
    """What the number means, for people."""
    lines: tuple[tuple[str, str], ...]
    """(series, name in the legend)"""
    colour: str


COMPARED = (
    LiveChart(title="SSIM", note="likeness of each frame to the clip's own, 1 is equal", lines=(("ssim", "SSIM"),),
              colour="#4c9be8"),
    LiveChart(title="KSR", note="share of landmarks that follow the clip steadily, so far", lines=(("ksr", "KSR"),),
              colour="#e8894c"),
)  # fmt: skip
"""For self-reenactment: the clip shows what should come out."""
ALONE = (
    LiveChart(title="Stability", note="share of landmarks that do not tremble, last half second; no driver needed",
              lines=(("stability", "stability"),), colour="#4c9be8"),
    LiveChart(title="Likeness to the portrait (proxy)", note="texture of the face, no face recognition; falls with turns",
              lines=(("identity_proxy", "likeness"),), colour="#e8894c"),
)  # fmt: skip
"""For another person's clip: nothing shows what should come out."""


def live_figure(chart: LiveChart, series: Mapping[str, Sequence[float]], total: int | None) -> go.Figure:
    """A chart of what is known so far; its axis already has the whole length."""
    figure = go.Figure()
    longest = 1
    for name, label in chart.lines:
        values = list(series.get(name, ()))
        longest = max(longest, len(values))
        figure.add_scatter(
            x=list(range(len(values))), y=[None if value != value else value for value in values], name=label,
            mode="lines", line={"color": chart.colour, "width": 2}, hovertemplate="frame %{x}: %{y:.3f}<extra></extra>",
        )  # fmt: skip
    figure.update_layout(
        height=170, margin={"l": 36, "r": 8, "t": 8, "b": 28}, showlegend=len(chart.lines) > 1, uirevision=chart.title,
        xaxis={"range": [0, max((total or longest) - 1, 1)], "title": None}, yaxis={"range": [0, 1.02], "title": None},
    )  # fmt: skip
    return figure


def chosen_charts(self_reenactment: bool) -> tuple[LiveChart, ...]:
    """The charts that say something true about a run."""
    return COMPARED if self_reenactment else ALONE
