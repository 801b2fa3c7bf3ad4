"""The options of a request: those of ``visiongen animate`` that touch no file of this machine."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, get_args

from visiongen import plugins
from visiongen.batch.values import Known, check_values, converted, is_path, option_name
from visiongen.errors import VisionGenError
from visiongen.service.settings import ServiceSettings

LONGEST_OPTIONS = 16 << 10
_OWN = ("device", "overwrite", "require_signature")
"""For whoever runs the service to say."""
_FREE_TEXTS = ("consent", "generator", "exporter", "motion_source")
"""Texts that name no file; those of components might."""


def read_options(text: str, *, known: Known) -> dict[str, Any]:
    """The options of a request as converted values; ``format`` is the ending of the result, by default mp4.

    Raises:
        VisionGenError: They are no JSON object, or one of them cannot be used; one sentence.
    """
    if len(text) > LONGEST_OPTIONS:
        raise VisionGenError(f"options have {len(text)} characters, but at most {LONGEST_OPTIONS} are taken")
    try:
        given = json.loads(text or "{}")
    except (ValueError, RecursionError) as error:
        raise VisionGenError(f"options are no JSON: {error}") from error
    if not isinstance(given, dict):
        raise VisionGenError('options must be a JSON object, such as {"size": 256}')
    kind = str(given.pop("format", "mp4")).lower().lstrip(".")
    values: dict[str, Any] = {}
    for raw, value in given.items():
        name = option_name(raw, known)
        if not is_allowed(name, known):
            raise VisionGenError(f"the option {name} cannot be given here")
        values[name] = converted(name, value, known)
    endings = sorted({end.lstrip(".") for one in plugins.exporters().values() for end in one.suffixes})
    if kind not in endings:
        raise VisionGenError(f"format is {kind[:20]!r}, but must be one of: {', '.join(endings)}")
    return {**values, "out": f"result.{kind}"}


def is_allowed(name: str, known: Known) -> bool:
    """Whether a client may give this option: paths, and texts that might be paths, it may not."""
    kind = known.types[name]
    if name in _OWN or is_path(kind):
        return False
    return name in _FREE_TEXTS or not (kind is str or str in get_args(kind)) or name == "enhancers"


def job_values(options: dict[str, Any], folder: Path, driving: str, *, settings: ServiceSettings, known: Known) -> dict:
    """The values of a job whose files are in `folder`, looked at as a whole.

    Raises:
        VisionGenError: Options exclude each other, are out of range or beyond a limit.
    """
    values = {**options, "portrait": str(folder / "portrait"), "driving": str(folder / driving)}
    values |= {"out": str(folder / options["out"]), "device": settings.device}
    if (values.get("size") or 0) > settings.max_side:
        raise VisionGenError(f"size is {values['size']}, but must be at most {settings.max_side}")
    job = check_values(values, known)
    if not plugins.choose("exporter", job["exporter"].name).suffixes:
        raise VisionGenError(f"the exporter {job['exporter'].name} writes a folder, which cannot be sent; leave it out")
    return values
