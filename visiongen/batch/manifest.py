"""A manifest of jobs, CSV or JSON: read, checked row by row, and refused as a whole before anything starts."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from visiongen.batch.values import Known, check_values, converted, is_path, option_name
from visiongen.errors import MediaError, VisionGenError

LARGEST_MANIFEST = 64 << 20
MOST_SHOWN = 5
_NEEDED = ("portrait", "driving", "out")


@dataclass(frozen=True, kw_only=True)
class Row:
    """One job of a manifest."""

    number: int
    """Counts from 1, the header left out."""
    values: Mapping[str, Any]
    """Its options, plain JSON values; paths absolute. See `visiongen.batch.values`."""

    @property
    def out(self) -> Path:
        """What is written."""
        return Path(self.values["out"])


def read_manifest(path: Path, *, defaults: Mapping[str, Any], known: Known, outside: bool = False) -> list[Row]:
    """The rows of a manifest.

    Args:
        path: CSV with a header, or JSON: a list of objects, or an object with such a list as ``jobs``.
        defaults: Converted values for what a row leaves empty; options of components that a row does not use are left
            out there.
        known: All options.
        outside: Rows may name files outside of the manifest's folder.
    Raises:
        MediaError: It cannot be read, or rows are wrong; the message names the first ones.
    """
    rows, problems = [], []
    for number, raw in enumerate(_raw_rows(path), 1):
        try:
            rows.append(Row(number=number, values=_values(raw, path, defaults, known, outside)))
        except VisionGenError as error:
            problems.append(f"row {number}: {error}")
    problems = problems or _clashes(rows, path)
    if problems:
        more = f"; and {len(problems) - MOST_SHOWN} more rows" if len(problems) > MOST_SHOWN else ""
        raise MediaError(f"{path}, nothing was started: {'; '.join(problems[:MOST_SHOWN])}{more}")
    return rows


def _raw_rows(path: Path) -> list[dict[Any, Any]]:
    ending = path.suffix.lower()
    if ending not in (".csv", ".json"):
        raise MediaError(f"{path} is no manifest; give a .csv or .json file with the columns {', '.join(_NEEDED)}")
    try:
        if (size := path.stat().st_size) > LARGEST_MANIFEST:
            raise ValueError(f"it has {size >> 20} MB, but a manifest has at most {LARGEST_MANIFEST >> 20} MB")
        text = path.read_text(encoding="utf-8-sig")
        rows = list(csv.DictReader(text.splitlines())) if ending == ".csv" else json.loads(text)
    except (OSError, ValueError, csv.Error, RecursionError) as error:
        reason = getattr(error, "strerror", None) or error
        raise MediaError(f"the manifest {path} cannot be read: {reason}") from error
    rows = rows.get("jobs") if isinstance(rows, dict) else rows
    if not isinstance(rows, list) or not rows or not all(isinstance(row, dict) for row in rows):
        raise MediaError(f"{path} holds no jobs; give a header and a line per job (JSON: a list of objects)")
    return rows


def _values(
    raw: Mapping[Any, Any], manifest: Path, defaults: Mapping[str, Any], known: Known, outside: bool
) -> dict[str, Any]:
    if None in raw:  # what `csv` calls the fields behind the last column
        raise VisionGenError("it has more fields than the header has columns")
    own: dict[str, Any] = {}
    for given, value in raw.items():
        if value is None or (isinstance(value, str) and not value.strip()):
            continue
        name = option_name(given, known)
        if name in own:
            raise VisionGenError(f"{name} is given twice")
        own[name] = converted(name, value.strip() if isinstance(value, str) else value, known)
        if is_path(known.types[name]):
            own[name] = str(_placed(name, own[name], manifest.parent, outside))
    values = {**_fitting(defaults, own), **own}
    if missing := [name for name in _NEEDED if name not in values]:
        raise VisionGenError(f"no {' and no '.join(missing)}; give it in a column of this name")
    check_values(values, known)
    for name in ("portrait", "driving"):
        if not os.path.exists(values[name]):
            raise VisionGenError(f"{name} {raw.get(name) or values[name]} not found")
    return values


def _fitting(defaults: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """Of the defaults those that a row can use: a row with another generator has no use for options of the default one."""
    fitting = {name: value for name, value in defaults.items() if "." not in name}
    if own.get("relative"):
        fitting.pop("absolute", None)
    if own.get("full"):
        fitting.pop("crop", None)
    used = {**fitting, **own}
    names = {str(used.get("generator", "vae-gan")), *used.get("enhancers", ())}
    names |= {str(used[kind]) for kind in ("exporter", "motion_source") if used.get(kind)}
    ending = Path(str(used.get("out", ""))).suffix.lower().lstrip(".") if not used.get("exporter") else ""
    for name, value in defaults.items():
        prefix = name.rpartition(".")[0]
        if prefix and any(prefix == one or prefix.endswith(f"-{one}") for one in (*names, ending)):
            fitting[name] = value
    return fitting


def _placed(name: str, given: str, folder: Path, outside: bool) -> Path:
    """A path of a manifest, relative to its folder; absolute."""
    path = Path(os.path.abspath(folder / given))
    # Links count as what they are called: whoever laid them meant it.
    if not outside and not path.is_relative_to(os.path.abspath(folder)):
        raise VisionGenError(
            f"{name} {given[:200]} is outside of the manifest's folder; add --outside if you trust this manifest"
        )
    return path


def _clashes(rows: Sequence[Row], manifest: Path) -> list[str]:
    """Results that would overwrite each other, an input, or the manifest."""
    problems: list[str] = []
    written: dict[str, int] = {}
    inputs = {os.path.realpath(row.values[name]) for row in rows for name in ("portrait", "driving")}
    for row in rows:
        for name in ("out", "save_motion"):
            if not row.values.get(name):
                continue
            target = os.path.realpath(row.values[name])
            if target in written:
                problems.append(f"row {row.number}: {name} {row.values[name]} is also written by row {written[target]}")
            elif target in inputs or target == os.path.realpath(manifest):
                problems.append(f"row {row.number}: {name} {row.values[name]} would overwrite an input")
            written.setdefault(target, row.number)
    return problems
