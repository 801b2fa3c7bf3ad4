"""Writes the results of an evaluation: figures, tables and the report."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from visiongen.errors import MediaError
from visiongen.evaluation.inputs import EvaluationConfig, Job
from visiongen.evaluation.table import markdown, spreadsheet


def write_results(config: EvaluationConfig, figures: dict[str, Any], *, tasks: Sequence[tuple[Job, Path]]) -> Path:
    """Writes what `config.out` asks for and returns the file to look at first.

    Args:
        config: Where to.
        figures: From `visiongen.evaluation.summary.figures`.
        tasks: Every job, and the folder of its films, for pictures in the report.
    Raises:
        MediaError: It cannot be written.
    """
    out = config.out
    kind = out.suffix.lower()
    contents: dict[Path, str] = {}
    if kind == ".md":
        first = out
        contents[out] = markdown(figures)
        contents[out.with_suffix(".json")] = _compact(figures)
    else:
        from visiongen.evaluation.report import html

        first = out if kind else out / "report.html"
        beside = {"json": out.with_suffix(".json"), "csv": out.with_suffix(".csv")}
        if not kind:
            beside = {"json": out / "figures.json", "csv": out / "figures.csv"}
            contents[out / "table.md"] = markdown(figures)
        contents |= {first: html(figures, tasks), beside["json"]: _whole(figures), beside["csv"]: spreadsheet(figures)}
    try:
        first.parent.mkdir(parents=True, exist_ok=True)
        for path, text in contents.items():
            partial = path.with_name(f".{path.name}.part")
            partial.write_text(text, encoding="utf-8")
            os.replace(partial, path)
    except OSError as error:
        raise MediaError(f"{out}: cannot be written ({error.strerror}); choose another --out") from error
    return first


def _whole(figures: dict[str, Any]) -> str:
    return json.dumps(_rounded(figures)) + "\n"


def _compact(figures: dict[str, Any]) -> str:
    """Without the curves, and laid out for reading: it is kept in repositories."""
    clips = [
        clip | {"methods": {m: {"scores": entry["scores"]} for m, entry in clip["methods"].items()}}
        for clip in figures["clips"]
    ]
    kept = {name: value for name, value in figures.items() if name not in ("worst",)}
    return json.dumps(_rounded(kept | {"clips": clips}), indent=1) + "\n"


def _rounded(value: Any) -> Any:
    """Six significant digits: the rest is noise and fills files."""
    if isinstance(value, float):
        return float(f"{value:.6g}")
    if isinstance(value, dict):
        return {name: _rounded(one) for name, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_rounded(one) for one in value]
    return value
