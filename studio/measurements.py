"""Measured films on one footing: runs of the studio, and saved reports of ``visiongen evaluate`` (JSON or CSV)."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from studio.store import Run
from visiongen.errors import MediaError
from visiongen.evaluation.summary import FORMAT
from visiongen.hookspecs import Score

LARGEST_REPORT = 64 << 20
_OTHER_COLUMNS = ("name", "clip", "portrait", "class", "frames", "method", "generate_ms_p50", "generate_ms_p95")
_OWN_NAMES = {
    "stability": Score(name="stability", title="Stability", better="higher",
                       summary="Share of landmarks that do not tremble, half a second at a time; needs no driver."),
    "acceleration": Score(name="acceleration", title="Acceleration error", better="lower", unit="px",
                          summary="How much the landmarks' second differences differ from the driver's."),
    "ksr_frame": Score(name="ksr_frame", title="KSR, each frame", better="higher"),
}  # fmt: skip
FIRST = ("ssim", "ksr", "akd", "stability", "identity_proxy", "psnr", "l1", "motion_ratio", "jitter_ratio")
"""Scores that are shown first, in this order."""


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """What was measured of one film, or (in a report) of one method over many films."""

    name: str
    """As charts call it."""
    scores: Mapping[str, float]
    series: Mapping[str, np.ndarray] = field(default_factory=dict)
    """Score -> (T,) values per frame, NaN where unknown."""
    fps: float = 25.0
    intervals: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    """Score -> 95 % confidence interval of the mean over films."""
    films: int = 1


@cache
def _known_scores() -> dict[str, Score]:
    from visiongen.metrics import quick_metrics

    return {score.name: score for metric in quick_metrics().values() for score in metric.scores} | _OWN_NAMES


def score_of(name: str) -> Score:
    """Title, unit and direction of a score; of an unknown one its name."""
    return _known_scores().get(name.lower()) or Score(name=name, title=name.replace("_", " "), better="none")


def heading(name: str) -> str:
    """A score as a chart's title: with unit, and an arrow toward the better values."""
    score = score_of(name)
    arrow = {"higher": " ↑", "lower": " ↓", "one": " → 1"}.get(score.better, "")
    title = score.title[:1].upper() + score.title[1:]
    return f"{title}{f', {score.unit}' if score.unit else ''}{arrow}"


def score_text(name: str, value: float | None, *, more: int = 0) -> str:
    """A score as text, with `more` digits than usual; "–" where it was not measured."""
    digits = score_of(name).digits + more
    return "–" if value is None else f"{round(value, digits) + 0.0:.{digits}f}"  # no minus before zero


def ordered(names: Iterable[str]) -> list[str]:
    """Score names, the most telling first."""
    known = set(names)
    return [name for name in FIRST if name in known] + sorted(known - set(FIRST))


def of_run(run: Run, *, name: str | None = None) -> Measurement:
    """What was measured while a run was rendered.

    Raises:
        MediaError: Its series are damaged.
    """
    scores = {key: float(value) for key, value in run.summary.items() if value is not None and math.isfinite(value)}
    series = {key: np.asarray(values, np.float64) for key, values in run.series().items() if len(values)}
    return Measurement(name=name or run.title, scores=scores, series=series, fps=float(run.fps))


def of_report(data: bytes, name: str) -> dict[str, list[Measurement]]:
    """A saved report: "All films" -> one measurement per method, and every film -> the same for it alone.

    Args:
        data: The file that ``visiongen evaluate`` wrote: .json or .csv.
        name: What the user calls it.
    Raises:
        MediaError: It is something else, or damaged.
    """
    if len(data) > LARGEST_REPORT:
        raise MediaError(f"{name} has {len(data) >> 20} MB; a report has at most {LARGEST_REPORT >> 20} MB")
    try:
        text = data.decode("utf-8-sig")
        films = _films_of_csv(text) if Path(name).suffix.lower() == ".csv" else _films_of_json(json.loads(text))
        if not films or not any(films.values()):
            raise ValueError("it has no films")
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError, csv.Error) as error:
        raise MediaError(
            f"{name} is no report of `visiongen evaluate` ({' '.join(str(error).split())[:120]}); give its .json or .csv"
        ) from error
    methods = list(dict.fromkeys(one.name for film in films.values() for one in film))
    over_all = [
        _mean(method, [one for film in films.values() for one in film if one.name == method]) for method in methods
    ]
    return {f"All films ({len(films)})": over_all, **films}


def _films_of_json(figures: Any) -> dict[str, list[Measurement]]:
    if isinstance(figures, dict) and (written := figures.get("format", FORMAT)) != FORMAT:
        raise ValueError(f"it has format {written}, but this version reads {FORMAT}; update VisionGen 3D")
    clips = figures["clips"] if isinstance(figures, dict) else figures
    found = {}
    for clip in clips:
        label = str(clip.get("name") or clip["clip"])
        methods = clip.get("methods") or {one: {"scores": scores} for one, scores in clip["scores"].items()}
        found[label] = [
            Measurement(
                name=str(method),
                scores=_plain(entry["scores"]),
                series={key: _curve(values) for key, values in (entry.get("curves") or {}).items()},
                fps=float(clip.get("fps") or 25),
            )
            for method, entry in methods.items()
        ]
    return found


def _curve(values: Sequence[float | None]) -> np.ndarray:
    return np.array([math.nan if value is None else float(value) for value in values], np.float64)


def _plain(scores: Mapping[str, Any]) -> dict[str, float]:
    numbers = {str(key).lower(): value for key, value in scores.items() if isinstance(value, int | float)}
    return {key: float(value) for key, value in numbers.items() if math.isfinite(value) and key != "frames"}


def _films_of_csv(text: str) -> dict[str, list[Measurement]]:
    rows = list(csv.DictReader(io.StringIO(text)))
    found: dict[str, list[Measurement]] = {}
    for row in rows:
        scores = {
            key: float(value) for key, value in row.items() if key not in _OTHER_COLUMNS and value not in ("", None)
        }
        found.setdefault(row.get("name") or row["clip"], []).append(
            Measurement(name=row["method"], scores=_plain(scores))
        )
    return found


def _mean(method: str, films: Sequence[Measurement]) -> Measurement:
    names = dict.fromkeys(name for film in films for name in film.scores)
    values = {name: np.array([film.scores[name] for film in films if name in film.scores]) for name in names}
    return Measurement(
        name=method,
        scores={name: float(found.mean()) for name, found in values.items()},
        intervals={name: interval(found) for name, found in values.items() if len(found) > 1},
        films=len(films),
    )


def interval(values: np.ndarray, *, resamples: int = 2000) -> tuple[float, float]:
    """95 % confidence interval of the mean: bootstrap, percentile kind; the same for the same values."""
    drawn = np.random.default_rng(0).integers(0, len(values), (resamples, len(values)))
    low, high = np.quantile(np.asarray(values)[drawn].mean(1), [0.025, 0.975])
    return float(low), float(high)


# -- export ------------------------------------------------------------------------------------------------------------


def summary_csv(found: Sequence[Measurement]) -> str:
    """A row for each measurement."""
    names = ordered(name for one in found for name in one.scores)
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["name", "films", *names])
    for one in found:
        writer.writerow(
            [one.name, one.films, *(f"{one.scores[name]:.6g}" if name in one.scores else "" for name in names)]
        )
    return out.getvalue()


def frames_csv(found: Sequence[Measurement]) -> str:
    """A row for each frame of each measurement; empty cells where nothing is known."""
    names = ordered(name for one in found for name in one.series)
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["name", "frame", "seconds", *names])
    for one in found:
        for frame in range(max((len(values) for values in one.series.values()), default=0)):
            cells = [one.series[name][frame] if frame < len(one.series.get(name, ())) else math.nan for name in names]
            shown = ("" if math.isnan(cell) else f"{cell:.6g}" for cell in cells)
            writer.writerow([one.name, frame, f"{frame / one.fps:.4f}", *shown])
    return out.getvalue()
