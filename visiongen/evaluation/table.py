"""The figures of an evaluation as Markdown, and as rows for a spreadsheet."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from typing import Any

COLUMNS = ("ssim", "l1", "psnr", "akd", "ksr", "jitter_ratio", "sharpness", "motion_ratio")
"""Scores in the tables of self-reenactment, where they were measured."""
CROSS_COLUMNS = ("csim", "identity_proxy", "ksr", "ksr_free", "apd_relative", "expression_relative", "motion_ratio",
                 "jitter_ratio", "detection_rate")  # fmt: skip
SHORT = {"jitter_ratio": "jitter", "motion_ratio": "motion", "identity_proxy": "likeness", "ksr_free": "KSR-free",
         "apd_relative": "APD rel.", "expression_relative": "expr. rel.", "detection_rate": "found"}  # fmt: skip
CLASSES = (
    "Classes by the movement from the first frame: head turned more than 15 degrees, head shifted more than 0.3 face "
    "widths, mouth opened more than 0.12 face widths (each in a tenth of the frames or more), otherwise calm."
)


def columns_of(figures: Mapping[str, Any]) -> list[str]:
    """The scores that short tables show: those of self-reenactment where pixels were compared."""
    measured = set(figures["scores"])
    chosen = COLUMNS if measured & {"ssim", "l1"} else CROSS_COLUMNS
    return [name for name in chosen if name in measured] or list(figures["scores"])[:8]


def markdown(figures: Mapping[str, Any]) -> str:
    """Summary, all scores, classes, speed and single clips, with the protocol."""
    columns, told = columns_of(figures), figures["protocol"]
    summary = figures["summary"]
    lines = [
        f"# {figures['title']}",
        "",
        f"Made by `visiongen evaluate`: {told['data']}; {told['frames']}; {told['pictures']}; {told['source_frame']}. Judged "
        f"by {told['judge']}. {told['software']}; {told['device']}, {told['machine']}. Generators: {told['generators']}.",
        "",
        "SSIM: Wang 2004, gaussian, sigma 1.5, data range 255. L1 on [0, 1]. PSNR in dB. AKD: mean distance of 468 face "
        "landmarks, px at 256. KSR: keypoint stability ratio. Jitter, sharpness, motion: generated over real; 1 is like the "
        "real clip. `copy` repeats the portrait; `warp` is the geometry without a network; `ceiling` is the clip itself, "
        "written and read like the others.",
        "",
        "## Mean over the clips",
        "",
        *_table(figures, columns, summary),
        "",
        f"In brackets: {told['interval']}.",
        "",
        *_table(figures, columns[:5], summary, with_interval=True),
        "",
        "## All scores",
        "",
        *_all_scores(figures),
        "",
        "## Per class",
        "",
        CLASSES,
        "",
    ]
    for name, means in figures["classes"].items():
        count = sum(clip["class"] == name for clip in figures["clips"])
        lines += [f"### {name} ({count})", "", *_table(figures, columns, means), ""]
    lines += ["## Per clip", ""]
    for clip in figures["clips"]:
        scores = {
            method: {name: {"mean": value} for name, value in entry["scores"].items()}
            for method, entry in clip["methods"].items()
        }
        lines += [
            f"### {clip['name']} ({clip['class']}, {clip['frames']} frames)",
            "",
            *_table(figures, columns, scores),
            "",
        ]
    if figures["failures"]:
        lines += ["## Not judged", "", *(f"- {name}: {reason}" for name, reason in figures["failures"].items()), ""]
    if figures.get("failed_metrics"):
        lines += ["## Metrics that failed", "", *(f"- {reason}" for reason in figures["failed_metrics"].values()), ""]
    return "\n".join(lines)


def _table(
    figures: Mapping[str, Any],
    columns: list[str],
    means: Mapping[str, Mapping[str, Any]],
    *,
    with_interval: bool = False,
) -> list[str]:
    head = ["method", *(SHORT.get(name, figures["scores"][name]["title"]) for name in columns)]
    lines = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    for method, scores in means.items():
        if scores:
            cells = [number(figures, name, scores.get(name), with_interval=with_interval) for name in columns]
            lines.append("| " + " | ".join((method, *cells)) + " |")
    return lines


def _all_scores(figures: Mapping[str, Any]) -> list[str]:
    methods = figures["methods"]
    lines = ["| score | better | " + " | ".join(methods) + " |", "|---" * (len(methods) + 2) + "|"]
    for name, score in figures["scores"].items():
        unit = f", {score['unit']}" if score["unit"] else ""
        better = {"one": "near 1", "none": ""}.get(score["better"], score["better"])
        cells = [number(figures, name, figures["summary"][method].get(name)) for method in methods]
        lines.append("| " + " | ".join((f"{score['title']}{unit}", better, *cells)) + " |")
    return lines


def number(
    figures: Mapping[str, Any], name: str, value: Mapping[str, Any] | None, *, with_interval: bool = False
) -> str:
    """A score as text; a dash where it could not be told."""
    if value is None or value["mean"] is None:
        return "–"
    digits = figures["scores"][name]["digits"]
    text = f"{value['mean']:.{digits}f}"
    if with_interval and value.get("low") is not None:
        text += f" ({value['low']:.{digits}f} to {value['high']:.{digits}f})"
    return text


def spreadsheet(figures: Mapping[str, Any]) -> str:
    """CSV: a row per clip and method."""
    names = list(figures["scores"])
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(
        ["name", "clip", "portrait", "class", "frames", "method", *names, "generate_ms_p50", "generate_ms_p95"]
    )
    for clip in figures["clips"]:
        for method, entry in clip["methods"].items():
            speed = entry["speed"]["ms"].get("generate", {})
            writer.writerow(
                [
                    *(clip[name] for name in ("name", "clip", "portrait", "class", "frames")),
                    method,
                    *(entry["scores"].get(name, "") for name in names),
                    *(speed.get(part, "") for part in ("p50", "p95")),
                ]
            )
    return out.getvalue()
