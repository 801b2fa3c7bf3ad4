"""Scores side by side as bars of plain HTML, which the browser draws at once: each chart of Plotly takes it a twentieth of a
second, and a page of scores has up to nine."""

from __future__ import annotations

import html
from collections.abc import Sequence

from studio.figures import INTERVAL
from studio.figures_metrics import colours
from studio.measurements import Measurement, heading, score_text

_STYLE = f"""
<style>
.scores .key {{ display: flex; flex-wrap: wrap; gap: .3rem 1.2rem; margin-bottom: 1.1rem; overflow-wrap: anywhere; }}
.scores .key i {{ display: inline-block; width: .8em; height: .8em; vertical-align: -.06em;
  border-radius: .2em; background: var(--own); }}
.scores .charts {{ display: grid; gap: 1.4rem 2.4rem;
  grid-template-columns: repeat(auto-fill, minmax(min(100%, 21rem), 1fr)); }}
.scores figure {{ margin: 0; min-width: 0; }}
.scores figcaption {{ font-weight: 600; margin-bottom: .35rem; }}
.scores figure ul {{ list-style: none; margin: 0; padding: 0; display: grid; gap: .3rem; }}
.scores figure li {{ display: grid; grid-template-columns: 1fr 4.2rem; gap: .6rem; align-items: center;
  margin: 0; padding: 0; }}
.scores .track {{ position: relative; height: 1.35rem; border-radius: .3rem;
  background: color-mix(in srgb, currentColor 7%, transparent); }}
.scores .bar {{ position: absolute; inset-block: 0; min-width: 2px; border-radius: .3rem; background: var(--own); }}
.scores .interval {{ position: absolute; top: 50%; height: .7rem; transform: translateY(-50%);
  border-inline: 2px solid {INTERVAL}; background: linear-gradient({INTERVAL}, {INTERVAL}) center / 100% 2px no-repeat; }}
.scores .value {{ font-variant-numeric: tabular-nums; white-space: nowrap; }}
.scores .unseen {{ position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }}
</style>
"""


def score_bars(found: Sequence[Measurement], names: Sequence[str]) -> str:
    """HTML: which colour is which measurement, and a chart for each score with a bar for each measurement; confidence
    intervals are lines on the bars. More digits are told at the pointer."""
    key = "".join(f'<span><i style="--own:{colour}"></i> {html.escape(name)}</span>' for name, colour in colours(found))
    charts = "".join(_chart(found, name) for name in names)
    return f'{_STYLE}<div class="scores"><div class="key">{key}</div><div class="charts">{charts}</div></div>'


def _chart(found: Sequence[Measurement], name: str) -> str:
    ends = [value for one in found if name in one.scores for value in _interval(one, name)]
    low, high = min(0.0, *ends), max(0.0, *ends)
    rows = "".join(
        _row(one, name, colour, low=low, extent=(high - low) or 1.0)
        for one, (_, colour) in zip(found, colours(found), strict=True)
    )
    title = html.escape(heading(name))
    return f"<figure><figcaption>{title}</figcaption><ul>{rows}</ul></figure>"


def _row(one: Measurement, name: str, colour: str, *, low: float, extent: float) -> str:
    """One measurement: its bar from zero, on an axis of so much from `low` on, and its value."""

    def piece(kind: str, begin: float, end: float) -> str:
        place = f"left:{100 * (begin - low) / extent:.2f}%;width:{100 * (end - begin) / extent:.2f}%"
        return f'<span class="{kind}" style="{place}"></span>'

    label = html.escape(one.name)
    value = one.scores.get(name)
    if value is None:
        bars, tip = "", f"{label}: not measured"
    else:
        begin, end = _interval(one, name)
        bars = piece("bar", min(value, 0.0), max(value, 0.0)) + (piece("interval", begin, end) if end > begin else "")
        tip = f"{label}: {score_text(name, value, more=1)}"
        if end > begin:
            tip += f" ({score_text(name, begin, more=1)} to {score_text(name, end, more=1)})"
    return (
        f'<li style="--own:{colour}" title="{tip}"><span class="track">{bars}</span>'
        f'<span class="value"><span class="unseen">{label}: </span>{score_text(name, value)}</span></li>'
    )


def _interval(one: Measurement, name: str) -> tuple[float, float]:
    """Its confidence interval, without one the value twice."""
    value = one.scores[name]
    low, high = one.intervals.get(name, (value, value))
    return min(low, value), max(high, value)
