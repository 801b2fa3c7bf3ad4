"""The page of `visiongen bench`: speeds, and what was published for the method beside what is measured here, with what
keeps the two from being compared."""

from __future__ import annotations

import json
import os
import platform
from dataclasses import asdict
from pathlib import Path
from typing import Any

STAGES = ("landmarks", "generate", "paste", "encode")
"""In the order of a job."""
_PUBLISHED = (
    ("SSIM", "0.87"),
    ("FID", "23.4"),
    ("KSR", "91 %"),
    ("frames a second", "23"),
    ("ms a frame", "< 40"),
    ("MOS", "4.2 of 5"),
)
"""What the paper claims of the method, without naming its data: quoted, not measured."""


def page(
    rows: list[dict[str, Any]], failures: list[str], *, quality: Path, reference: str, first: float | None = None
) -> str:
    """The whole page.

    Args:
        rows: From `visiongen.benchmark`, one per job.
        failures: What could not be measured, a sentence each.
        quality: Figures of `visiongen evaluate`, for the table against the paper; may be missing.
        reference: The generator to which ratios are told; the first one where it was not measured.
        first: Seconds until the command `visiongen animate --demo` has its first frame; None: not measured.
    """
    reference = reference if any(row["generator"] == reference for row in rows) else rows[0]["generator"]
    instructions = "".join(sorted({f", {row['cpu']}" for row in rows if row.get("cpu")}))
    gpus = ", ".join(sorted({row["gpu"] for row in rows if row["gpu"]})) or "no GPU"
    lines = [
        "# Speed and memory",
        "",
        f"Made by `visiongen bench`: whole jobs, file to file, {rows[0]['frames']} frames of the driving clip, every job in "
        "a fresh process; the portrait, of somebody else, is brought to the size named on its longer side, and the face "
        f"pasted back into the whole picture. {os.cpu_count()} CPU cores, {platform.machine()}{instructions}, {gpus}. Figures "
        "of one machine in one run: compare rows, not runs.",
        "",
        "Milliseconds a frame, median / 95th percentile: landmarks (decoding and face mesh), generate (geometry, network, "
        "composition), paste (into the whole picture), encode (H.264). Frames a second: of all stages one after the other, by "
        f"their means, without start-up. Ratio: frames a second over those of `{reference}` with the same size, threads, "
        "precision and device. First: until the first frames are there, with the portrait's encoding. Peak: memory of the "
        "whole process. bfloat16: the option `precision`; quicker only where the processor has instructions for it.",
        "",
        "| size | generator | device | threads | precision | landmarks | generate | paste | encode | frames /s | ratio | "
        "first, s | peak, MB |",
        "|---" * 13 + "|",
    ]
    base = {_setting(row): row["frames_per_second"] for row in rows if row["generator"] == reference}
    for row in rows:
        compared = base.get(_setting(row))
        ratio = f"{row['frames_per_second'] / compared:.2f}" if compared else "–"
        stages = [_stage(row["ms"].get(stage)) for stage in STAGES]
        peak = "–" if row["peak_mb"] is None else f"{row['peak_mb']:.0f}"
        peak += f" + {row['gpu_peak_mb']:.0f} GPU" if row["gpu_peak_mb"] else ""
        cells = [row["size"], row["generator"], row["device"], row["threads"], row["precision"], *stages,
                 f"{row['frames_per_second']:.1f}", ratio, f"{row['first_ms'] / 1000:.1f}", peak]  # fmt: skip
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    if first is not None:
        lines += ["", f"The command `visiongen animate --demo` has its first frame {first:.1f} s after it was started."]
    if changed := _changed_options(rows):
        lines += ["", f"Options that are not the defaults: {changed}."]
    if failures:
        lines += ["", "Not measured:", "", *(f"- {failure}" for failure in failures)]
    return "\n".join([*lines, "", *_against_the_paper(quality, rows)]) + "\n"


def _changed_options(rows: list[dict[str, Any]]) -> str:
    """Options of generators that are not the defaults; of files only the name."""
    from visiongen import plugins

    found = {}
    for row in rows:
        component = plugins.generators().get(row["generator"])
        if component is None:  # measured elsewhere, with a plugin that is not here
            continue
        usual = asdict(component.options())
        for name, value in (row["options"] or {}).items():
            if usual.get(name) != value and name != "precision":  # it has a column
                found[f"`{row['generator']}.{name}`"] = Path(value).name if isinstance(value, str) else value
    return ", ".join(f"{name} = {value}" for name, value in found.items())


def _setting(row: dict[str, Any]) -> tuple:
    return tuple(row[name] for name in ("size", "device", "threads", "precision"))


def _stage(found: dict[str, float] | None) -> str:
    return "–" if found is None else f"{found['p50']:.1f} / {found['p95']:.1f}"


def _against_the_paper(path: Path, rows: list[dict[str, Any]]) -> list[str]:
    """The published figures beside ours, and what keeps them apart."""
    quality = _read_quality(path)
    summary = quality.get("summary", {}).get("vae-gan", {}) if quality else {}
    own = [row for row in rows if row["generator"] == "vae-gan" and row["precision"] == "float32"]
    fastest = max(own, key=lambda row: row["frames_per_second"], default=None)
    speed = milliseconds = "not measured"
    if fastest:
        where = f"{fastest['device']}, {fastest['threads']} threads, {fastest['size']} px, whole job"
        speed = f"{fastest['frames_per_second']:.1f} ({where})"
        milliseconds = (
            f"{_stage(fastest['ms']['generate']).split(' ')[0]} (generation alone, median; {where.split(', whole')[0]})"
        )
    ours = {
        "SSIM": _with_interval(summary.get("ssim"), 3),
        "FID": _with_interval(summary.get("fid"), 1),
        "KSR": _with_interval(summary.get("ksr"), 1, percent=True),
        "frames a second": speed,
        "ms a frame": milliseconds,
        "MOS": "not claimed",
    }
    why = {
        "SSIM": "The paper names neither data nor protocol. SSIM depends on both more than on the method: on "
        "our clips `copy` alone has " + _reference_value(quality, "copy", "ssim", 3) + ".",
        "FID": "True FID needs Inception's weights, which do not ship, and thousands of frames: `visiongen evaluate --also "
        "fid --fid.download` measures it. " + _frechet_text(quality),
        "KSR": "The paper does not define it. Ours (docs/metrics.md) demands steady and in place; the ceiling of these "
        "clips, real against re-encoded, is " + _reference_value(quality, "ceiling", "ksr", 1, percent=True) + ".",
        "frames a second": "The paper's is on a GPU it does not name, and does not say what the timing covers.",
        "ms a frame": "23 frames a second are 43.5 ms, so the paper's two figures cover different things.",
        "MOS": "A mean opinion score needs raters; no program can measure it.",
    }
    lines = ["## Beside the paper", ""]
    if quality:
        told = quality["protocol"]
        lines += [
            f"Quality from `{path.name}`: {told['data']}; {told['frames']}; {told['pictures']}; judged by "
            f"{told['judge']}. In brackets: {told['interval']}.",
            "",
        ]
    else:
        lines += [f"There is no `{path.name}` of `visiongen evaluate`, so quality is left out.", ""]
    lines += ["| | paper | here (`vae-gan`) | why they cannot be compared directly |", "|---|---|---|---|"]
    lines += [f"| {name} | {claimed} | {ours[name]} | {why[name]} |" for name, claimed in _PUBLISHED]
    return lines


def _read_quality(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) and "protocol" in found and "summary" in found else {}


def _with_interval(value: dict[str, Any] | None, digits: int, *, percent: bool = False) -> str:
    if value is None:
        return "not measured"
    factor, unit = (100, " %") if percent else (1, "")
    text = f"{factor * value['mean']:.{digits}f}{unit}"
    if value.get("low") is not None:
        text += f" ({factor * value['low']:.{digits}f} to {factor * value['high']:.{digits}f})"
    return text


def _reference_value(quality: dict[str, Any], method: str, score: str, digits: int, *, percent: bool = False) -> str:
    value = quality.get("summary", {}).get(method, {}).get(score) if quality else None
    return _with_interval(value, digits, percent=percent)


def _frechet_text(quality: dict[str, Any]) -> str:
    """Frechet distances by other features, which must not be called FID."""
    for name, score in quality.get("scores", {}).items() if quality else ():
        value = quality["summary"].get("vae-gan", {}).get(name)
        if name.startswith("frechet") and value:
            return f"{score['title']}: {value['mean']:.{score['digits']}f}; another quantity."
    return ""
