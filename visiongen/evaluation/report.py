"""The HTML report of an evaluation: one file that needs nothing else, not even a network."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from visiongen.evaluation import pictures
from visiongen.evaluation.inputs import CEILING, COPY, Job
from visiongen.evaluation.page import PAGE
from visiongen.evaluation.table import CLASSES, SHORT, columns_of, number

_CHARTS = 8


def html(figures: Mapping[str, Any], tasks: Sequence[tuple[Job, Path]]) -> str:
    """The whole page.

    Args:
        figures: From `visiongen.evaluation.summary.figures`.
        tasks: Every job, and the folder of its films.
    """
    from plotly.offline import get_plotlyjs

    films = {job.name: (job, work) for job, work in tasks}
    sections = (
        _summary(figures),
        _overview(figures),
        _classes(figures),
        _curves(figures),
        _worst(figures, films),
        _speed(figures),
        _clips(figures, films),
        _failures(figures),
        _protocol(figures),
        _glossary(figures),
    )
    values = {
        "TITLE": escape(figures["title"]),
        "LEAD": _lead(figures),
        "BODY": "\n".join(section for section in sections if section),
        "DATA": _for_script(_chart_data(figures)),
        "PLOTLY": get_plotlyjs().replace("</script", "<\\/script"),
    }
    page = PAGE
    for name, value in values.items():  # not str.format: the page is full of braces
        page = page.replace(f"@@{name}@@", value)
    return page


def _for_script(value: Any) -> str:
    return json.dumps(value).replace("</", "<\\/").replace("@@", "@\\u0040")


def _lead(figures: Mapping[str, Any]) -> str:
    told = figures["protocol"]
    return escape(f"{told['data']}; {told['frames']}. Judged by {told['judge']}. {told['software']}, {told['device']}.")


def _section(title: str, body: str, note: str = "") -> str:
    note = f"<p class=note>{note}</p>" if note else ""
    name = "".join(c if c.isalnum() else "-" for c in title.lower())
    return f'<section id="{name}"><h2>{escape(title)}</h2>{note}{body}</section>'


def _table_html(head: Sequence[str], rows: Sequence[Sequence[str]], *, raw: bool = False) -> str:
    """Cells are escaped, unless `raw`."""
    show = (lambda cell: cell) if raw else escape
    cells = "".join(f"<th>{escape(one)}</th>" for one in head)
    body = "".join(
        "<tr>"
        + "".join(f"<{'th' if i == 0 else 'td'}>{show(c)}</{'th' if i == 0 else 'td'}>" for i, c in enumerate(row))
        + "</tr>"
        for row in rows
    )
    return f"<div class=scroll><table><thead><tr>{cells}</tr></thead><tbody>{body}</tbody></table></div>"


def _scores_table(
    figures: Mapping[str, Any], means: Mapping[str, Any], columns: Sequence[str], *, interval: bool
) -> str:
    best = {name: _best(figures, means, name) for name in columns}
    rows = []
    for method, scores in means.items():
        if not scores:
            continue
        row = [escape(method)]
        for name in columns:
            text = escape(number(figures, name, scores.get(name)))
            value = scores.get(name) or {}
            if interval and value.get("low") is not None:
                digits = figures["scores"][name]["digits"]
                text += f"<small>{value['low']:.{digits}f} – {value['high']:.{digits}f}</small>"
            row.append(f"<b>{text}</b>" if method in best[name] else text)
        rows.append(row)
    return _table_html(["method", *(_short(figures, name) for name in columns)], rows, raw=True)


def _short(figures: Mapping[str, Any], name: str) -> str:
    arrow = {"higher": " ↑", "lower": " ↓", "one": " →1"}.get(figures["scores"][name]["better"], "")
    return SHORT.get(name, figures["scores"][name]["title"]) + arrow


def _best(figures: Mapping[str, Any], means: Mapping[str, Any], name: str) -> set[str]:
    """The best generators of a score; the ceiling and the picture that stands still do not compete."""
    known = {
        m: s[name]["mean"]
        for m, s in means.items()
        if name in s and m not in (CEILING, COPY) and s[name]["mean"] is not None
    }
    better = figures["scores"][name]["better"]
    cost = {"higher": lambda v: -v, "lower": lambda v: v, "one": lambda v: abs(v - 1)}.get(better)
    if cost is None or len(known) < 2:
        return set()
    least = min(map(cost, known.values()))
    return {method for method, value in known.items() if cost(value) == least}


def _summary(figures: Mapping[str, Any]) -> str:
    short = _scores_table(figures, figures["summary"], columns_of(figures), interval=True)
    rows = []
    for name, score in figures["scores"].items():
        unit = f" ({score['unit']})" if score["unit"] else ""
        cells = [number(figures, name, figures["summary"][m].get(name)) for m in figures["methods"]]
        rows.append([f"{_short(figures, name) if name not in SHORT else score['title']}{unit}", *cells])
    everything = _table_html(["score", *figures["methods"]], rows)
    note = (
        f"Small: {escape(figures['protocol']['interval'])}. Bold: best generator. Ceiling: the clip itself, written and "
        "read alike."
    )
    return _section("Summary", short + f"<details><summary>All scores</summary>{everything}</details>", note)


def _overview(figures: Mapping[str, Any]) -> str:
    return _section("At a glance", '<div id="overview" class=chart></div>', "Means with confidence intervals.")


def _classes(figures: Mapping[str, Any]) -> str:
    parts = []
    for name, means in figures["classes"].items():
        count = sum(clip["class"] == name for clip in figures["clips"])
        parts.append(f"<h3>{escape(name)} ({count})</h3>")
        parts.append(_scores_table(figures, means, columns_of(figures), interval=False))
    return _section("By class", "".join(parts), escape(CLASSES))


def _curves(figures: Mapping[str, Any]) -> str:
    if not any(entry["curves"] for clip in figures["clips"] for entry in clip["methods"].values()):
        return ""
    pickers = (
        '<label>Clip <select id="pick-clip"></select></label> <label>Score <select id="pick-score"></select></label>'
    )
    return _section("Frame by frame", f'<p>{pickers}</p><div id="curves" class=chart></div>')


def _worst(figures: Mapping[str, Any], films: Mapping[str, tuple[Job, Path]]) -> str:
    parts = []
    for method, frames in figures["worst"].items():
        shown = []
        for one in frames:
            if one["clip"] not in films:
                continue
            job, work = films[one["clip"]]
            picture = pictures.pair(job, work / f"{job.name}.{method}.mp4", one["frame"])
            value = number(figures, one["score"], {"mean": one["value"]})
            title = figures["scores"][one["score"]]["title"]
            shown.append(
                f'<figure><img src="{picture}" alt="driving and generated frame"><figcaption>{escape(one["clip"])}, '
                f"frame {one['frame']}: {escape(title)} {value}</figcaption></figure>"
            )
        if shown:
            parts.append(f"<h3>{escape(method)}</h3><div class=gallery>{''.join(shown)}</div>")
    return (
        _section("Worst frames", "".join(parts), "The driving clip left, generated right; one frame a clip.")
        if parts
        else ""
    )


def _speed(figures: Mapping[str, Any]) -> str:
    stages = list(dict.fromkeys(stage for speed in figures["speed"].values() for stage in speed["ms"]))
    rows = []
    for method, speed in figures["speed"].items():
        cells = [
            f"{speed['ms'][stage]['p50']:.1f} / {speed['ms'][stage]['p95']:.1f}" if stage in speed["ms"] else "–"
            for stage in stages
        ]
        peak = f"{speed['peak_mb']:.0f}" if speed["peak_mb"] else "–"
        rows.append([method, *cells, f"{speed['first_ms']:.0f}", f"{speed['frames_per_second']:.1f}", peak])
    head = ["method", *(f"{stage}, ms" for stage in stages), "first frames, ms", "frames /s", "peak, MB"]
    told = figures["protocol"]
    note = (
        f"Median / 95th percentile a frame (portrait and motion: once a clip), median over clips; {told['device']}, "
        f"{told['machine']}, {told['workers']} worker(s). Frames a second: generation, paste-back and writing, without "
        "landmarks. Peak memory is that of the whole process with all methods and metrics; visiongen bench measures "
        "each generator by itself."
    )
    return _section("Speed", _table_html(head, rows), escape(note))


def _clips(figures: Mapping[str, Any], films: Mapping[str, tuple[Job, Path]]) -> str:
    parts = []
    for clip in figures["clips"]:
        if clip["name"] not in films:
            continue
        job, work = films[clip["name"]]
        paths = {m: work / f"{job.name}.{m}.mp4" for m in clip["methods"] if m != CEILING}
        picture, numbers = pictures.strip(job, paths, clip["frames"])
        means = {m: {n: {"mean": v} for n, v in entry["scores"].items()} for m, entry in clip["methods"].items()}
        rows = ", ".join(["the driving clip", *paths])
        parts.append(
            f"<details><summary>{escape(clip['name'])} <span class=note>{escape(clip['class'])}, {clip['frames']} "
            f'frames</span></summary><img class=strip src="{picture}" alt="frames of {escape(clip["name"])}">'
            f"<p class=note>Rows: {escape(rows)}. Frames {', '.join(map(str, numbers))}.</p>"
            f"{_scores_table(figures, means, columns_of(figures), interval=False)}</details>"
        )
    return _section("Clips", "".join(parts))


def _failures(figures: Mapping[str, Any]) -> str:
    parts = ""
    if clips := figures["failures"]:
        items = "".join(f"<li><b>{escape(name)}</b>: {escape(reason)}</li>" for name, reason in clips.items())
        parts += _section("Not judged", f"<ul>{items}</ul>", "These clips are in no mean.")
    if metrics := figures.get("failed_metrics"):
        items = "".join(f"<li>{escape(reason)}</li>" for reason in metrics.values())
        parts += _section("Metrics that failed", f"<ul>{items}</ul>", "Their numbers are missing where they failed.")
    return parts


def _protocol(figures: Mapping[str, Any]) -> str:
    rows = [[name.replace("_", " "), str(value)] for name, value in figures["protocol"].items()]
    return _section("Protocol", _table_html(["", ""], rows))


def _glossary(figures: Mapping[str, Any]) -> str:
    rows = [
        [
            score["title"],
            score["unit"],
            {"one": "near 1", "none": ""}.get(score["better"], score["better"]),
            score["summary"],
        ]
        for score in figures["scores"].values()
    ]
    return _section("What the scores mean", _table_html(["score", "unit", "better", ""], rows))


def _chart_data(figures: Mapping[str, Any]) -> dict[str, Any]:
    columns = columns_of(figures)[:_CHARTS]
    clips = {
        clip["name"]: {
            "fps": clip["fps"],
            "curves": {
                method: {
                    name: [None if v is None else float(f"{v:.4g}") for v in values]
                    for name, values in entry["curves"].items()
                    if any(v is not None for v in values)
                }
                for method, entry in clip["methods"].items()
            },
        }
        for clip in figures["clips"]
    }
    return {
        "methods": figures["methods"],
        "columns": [{"name": name, "title": _short(figures, name)} for name in columns],
        "summary": figures["summary"],
        "titles": {name: score["title"] for name, score in figures["scores"].items()},
        "units": {name: score["unit"] for name, score in figures["scores"].items()},
        "clips": clips,
    }
