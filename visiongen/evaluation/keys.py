"""What a film and its scores depend on, as checksums: other code, weights, options or inputs make them anew."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Mapping
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

import visiongen
from visiongen import media, plugins
from visiongen.evaluation.inputs import CEILING, COPY, EvaluationConfig, Job
from visiongen.metrics.scoreboard import SIZE

_SCORES = ("metrics", "evaluation/comparison.py", "landmarks.py", "pose.py")
"""What scores depend on besides the film."""
_ELSEWHERE = ("metrics", "evaluation", "training", "diagnostics", "cli.py", "doctor.py", "benchmark", "inspection.py",
              "catalogue.py", "console.py", "progress.py", "samples.py", "component_flags.py", "animate_command.py",
              "hookspecs.py", "live.py", "errors.py", "batch", "service", "worker", "marking", "verify_command.py",
              "reproduce_command.py", "personal.py")  # fmt: skip
"""What films do not depend on."""


def film_key(
    job: Job, config: EvaluationConfig, method: str, device: str, options: Mapping[tuple[str, str], Any]
) -> str:
    """Checksum of all that a film depends on."""
    inputs = [media.sha256(path) for path in (job.clip, job.portrait) if path]
    piece = [job.start, job.end, config.frames, config.portrait_size if job.portrait else None]
    made = None
    if method not in (COPY, CEILING):
        component = plugins.choose("generator", method)
        made = [component.plugin, _options(component, options.get(("generator", method))), device]
    return _checksum([*inputs, *piece, method, made, _code(_ELSEWHERE, inside=False), _foreign_code(method)])


def score_key(film: str, config: EvaluationConfig, options: Mapping[tuple[str, str], Any]) -> str:
    """Checksum of all that the scores of a film (its key) depend on."""
    if config.judge:
        return _checksum([film, media.sha256(config.judge)])
    components = [plugins.choose("metric", name) for name in config.all_metrics]
    asked = [[c.name, c.plugin, _options(c, options.get(("metric", c.name)))] for c in components]
    return _checksum([film, asked, SIZE, _code(_SCORES, inside=True)])


def _checksum(values: Any) -> str:
    return hashlib.sha256(json.dumps(values, default=str).encode()).hexdigest()


def _options(component: Any, chosen: Any) -> dict[str, Any]:
    """Values of the options; of those that name a file, also what is in it."""
    values = asdict(chosen if chosen is not None else component.options())
    files = {n: media.sha256(v) for n, v in values.items() if isinstance(v, str) and v and Path(v).is_file()}
    return values | {f"{name} content": checksum for name, checksum in files.items()}


@cache
def _code(parts: tuple[str, ...], *, inside: bool) -> str:
    """Checksum of the package's files, weights and data too, that begin with one of `parts` (or that do not)."""
    root = Path(visiongen.__file__).parent
    digest = hashlib.sha256()
    for path in sorted(root.rglob("*")):
        name = path.relative_to(root).as_posix()
        if path.is_file() and "__pycache__" not in name and name.startswith(parts) == inside:
            digest.update(f"{name}\0".encode() + path.read_bytes())
    return digest.hexdigest()


@cache
def _foreign_code(method: str) -> str:
    """Checksum of the modules of the plugin that offers a generator, so that its author need not count versions."""
    if method in (COPY, CEILING):
        return ""
    module = getattr(plugins.choose("generator", method).load, "__module__", "") or ""
    top = module.split(".")[0]
    file = getattr(sys.modules.get(top), "__file__", None)
    if top == "visiongen" or not file:
        return ""
    files = sorted(Path(file).parent.rglob("*.py")) if Path(file).name == "__init__.py" else [Path(file)]
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()
