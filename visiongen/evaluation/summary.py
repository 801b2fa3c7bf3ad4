"""Records of single clips -> the figures of an evaluation: means with confidence intervals, classes, speed, worst frames."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from visiongen.errors import VisionGenError
from visiongen.evaluation.inputs import CEILING, EvaluationConfig
from visiongen.exporters import Mp4Options
from visiongen.guards import plugin_errors
from visiongen.hookspecs import Metric, Score, SetMetric
from visiongen.metrics import quick_metrics
from visiongen.metrics.scoreboard import SIZE

FORMAT = 1
"""Of the figures as JSON; raised when readers of older ones would misread them. Figures without it are of format 1."""
RESAMPLES = 2000
_WORST = ("akd", "ksr", "identity_proxy")
"""The first of these that was measured chooses the worst frames."""
_WORST_SHOWN = 8


def figures(
    config: EvaluationConfig,
    records: Sequence[dict],
    failures: Mapping[str, str],
    *,
    metrics: Mapping[str, Metric],
    work: Path,
    device: str,
) -> dict[str, Any]:
    """Plain JSON values: all that tables and reports show.

    Args:
        config: What was asked for.
        records: One per clip, see `visiongen.evaluation.run`.
        failures: Name -> reason, of clips that could not be judged.
        metrics: Those that were measured; empty for a judge.
        work: Where statistics of films lie.
        device: Really used.
    """
    methods = list(dict.fromkeys(method for record in records for method in record["methods"]))
    classes = sorted({record["class"] for record in records})
    means = {method: _means(records, method) for method in methods}
    broken = {
        name: reason
        for record in records
        for entry in record["methods"].values()
        for name, reason in entry.get("failed_metrics", {}).items()
    }
    over_all = {method: _over_all(records, method, metrics, work, broken) for method in methods}
    for method, found in over_all.items():
        means[method] |= {
            name: {"mean": value, "low": None, "high": None, "n": len(records)} for name, value in found.items()
        }
    return {
        "format": FORMAT,
        "title": config.title,
        "protocol": protocol(config, records, device),
        "scores": _score_texts(metrics, {name for found in means.values() for name in found}),
        "methods": methods,
        "summary": means,
        "classes": {
            name: {method: _means([r for r in records if r["class"] == name], method) for method in methods}
            for name in classes
        },
        "speed": {method: _speed(records, method) for method in methods},
        "worst": {method: _worst(records, method) for method in config.methods},
        "failures": dict(failures),
        "failed_metrics": broken,
        "clips": [_clip(record) for record in records],
    }


def protocol(config: EvaluationConfig, records: Sequence[dict], device: str) -> dict[str, Any]:
    """How the figures came about: what has to stand beside them."""
    own = sum(record["portrait"] is None for record in records)
    kinds = []
    if own:
        kinds.append(f"{own} clip{'s' * (own > 1)}, each driving its own first frame (absolute motion)")
    if pairs := len(records) - own:
        kinds.append(
            f"{pairs} pair{'s' * (pairs > 1)} of a portrait ({config.portrait_size} px on its longer side) and a clip of "
            "somebody else (relative motion)"
        )
    judge = f"the script {config.judge.name}" if config.judge else "visiongen's own metrics"
    return {
        "data": " and ".join(kinds),
        "frames": f"at most {config.frames} of a clip, {sum(r['frames'] for r in records)} in all",
        "pictures": f"whole pictures, written as H.264 (crf {Mp4Options().crf}), read with OpenCV and compared at {SIZE} px",
        "source_frame": "frame 0 is the portrait itself in self-reenactment, and left out of means per frame",
        "judge": judge,
        "landmarks": "MediaPipe Face Mesh, 468 points, every frame by itself, unsmoothed",
        "interval": f"95 % confidence by bootstrap over clips ({RESAMPLES} resamples of the percentile kind)",
        "software": f"VisionGen 3D {metadata.version('visiongen')}, Python {platform.python_version()}",
        "device": device,
        "machine": f"{os.cpu_count()} CPU cores, {platform.machine()}",
        "workers": config.workers,
    }


def _score_texts(metrics: Mapping[str, Metric], names: set[str]) -> dict[str, dict[str, Any]]:
    """What is known of every score that occurs, in the order of the metrics."""
    known: dict[str, Score] = {}
    for metric in (*metrics.values(), *quick_metrics().values()):
        known |= {score.name: score for score in metric.scores if score.name not in known}
    unknown = [Score(name=name, title=name, better="none") for name in sorted(names - set(known))]
    return {score.name: asdict(score) for score in (*known.values(), *unknown) if score.name in names}


def _values(records: Sequence[dict], method: str) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {}
    for record in records:
        for name, value in record["methods"].get(method, {}).get("scores", {}).items():
            found.setdefault(name, []).append(value)
    return found


def _means(records: Sequence[dict], method: str) -> dict[str, dict[str, Any]]:
    return {name: interval(values) for name, values in _values(records, method).items()}


def interval(values: Sequence[float], *, of: Callable[..., np.ndarray] = np.mean) -> dict[str, Any]:
    """Mean of clips with its 95 % confidence interval, by resampling the clips.

    Returns:
        "mean", "low", "high" (None with fewer than two clips) and "n". The same for the same values, always.
    Source: Efron, "Bootstrap methods: another look at the jackknife", 1979; the percentile interval.
    """
    array = np.asarray(values, float)
    low = high = None
    if len(array) > 1:
        chosen = np.random.default_rng(0).integers(0, len(array), (RESAMPLES, len(array)))
        low, high = (float(v) for v in np.quantile(of(array[chosen], axis=1), [0.025, 0.975]))
    return {"mean": float(of(array)), "low": low, "high": high, "n": len(array)}


def _over_all(
    records: Sequence[dict], method: str, metrics: Mapping[str, Metric], work: Path, broken: dict[str, str]
) -> dict[str, float]:
    """Scores of all films of a method together, from the statistics that were kept of each; a metric that fails joins
    `broken`, name -> reason."""
    found: dict[str, float] = {}
    for name, metric in metrics.items():
        if not isinstance(metric, SetMetric) or method == CEILING:
            continue
        statistics = []
        for record in records:
            path = work / f"{record['name']}.{method}.npz"
            if path.exists():
                with np.load(path, allow_pickle=False) as arrays:
                    statistics.append({k.split("/", 1)[1]: arrays[k] for k in arrays if k.startswith(f"{name}/")})
        statistics = [one for one in statistics if one]
        if statistics:
            try:
                with plugin_errors(f"metric {name!r}", "failed on all films together"):
                    found |= {key: float(value) for key, value in metric.over_all(statistics).items()}
            except VisionGenError as error:  # costs its own numbers alone
                broken[name] = str(error)
    return found


def _speed(records: Sequence[dict], method: str) -> dict[str, Any]:
    """Medians over the clips of what the stages took, milliseconds a frame, and of the frames a second."""
    speeds = [record["methods"][method]["speed"] for record in records if method in record["methods"]]
    stages = list(dict.fromkeys(stage for speed in speeds for stage in speed["ms"]))
    return {
        "ms": {
            stage: {
                part: float(np.median([speed["ms"][stage][part] for speed in speeds if stage in speed["ms"]]))
                for part in ("p50", "p95", "mean")
            }
            for stage in stages
        },
        "first_ms": float(np.median([speed["first"] for speed in speeds])),
        "frames_per_second": float(np.median([speed["frames"] / max(speed["seconds"], 1e-9) for speed in speeds])),
        "peak_mb": max((record["peak_mb"] or 0 for record in records), default=0) or None,
    }


def _worst(records: Sequence[dict], method: str) -> list[dict[str, Any]]:
    """The worst frame of the clips that have the worst ones: clip, frame, score, value."""
    found = []
    for record in records:
        curves = record["methods"].get(method, {}).get("curves", {})
        score = next((name for name in _WORST if any(v is not None for v in curves.get(name, []))), None)
        if score is None:
            continue
        sign = 1 if score == "akd" else -1
        known = [(sign * value, frame) for frame, value in enumerate(curves[score]) if value is not None]
        value, frame = max(known)
        shift = score == "ksr"  # tells of the frame before
        found.append({"clip": record["name"], "frame": max(0, frame - shift), "score": score, "value": sign * value})
    return sorted(found, key=lambda one: -one["value"] if one["score"] == "akd" else one["value"])[:_WORST_SHOWN]


def _clip(record: dict) -> dict[str, Any]:
    methods = {
        method: {"scores": entry["scores"], "curves": entry.get("curves", {}), "speed": entry["speed"]}
        for method, entry in record["methods"].items()
    }
    return {name: value for name, value in record.items() if name != "methods"} | {"methods": methods}
