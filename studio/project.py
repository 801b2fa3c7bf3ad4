"""Runs as one zip file: with their inputs, results and settings, to be opened in another studio."""

from __future__ import annotations

import json
import os
import re
import shutil
import time
import uuid
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from studio.settings import Settings
from studio.store import ACTIVE, Run
from visiongen.errors import MediaError, VisionGenError

if TYPE_CHECKING:
    from studio.store import Store

FORMAT = 1
MAX_RUNS, MAX_FILES = 100, 3000
MAX_BYTES = 4 << 30
"""Of all files of a project, unpacked."""
_SAFE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,80}")
_ENDINGS = {
    ".json", ".npz", ".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".ppm", ".mp4", ".webm", ".mov",
    ".m4v", ".mkv", ".avi", ".mpg", ".mpeg", ".ogv", ".wmv", ".flv", ".ts", ".zip",
}  # fmt: skip
_BLOCK = 1 << 20


def export_project(runs: Sequence[Run], out: Path) -> Path:
    """Writes runs that have ended as one zip.

    Args:
        runs: Which; what still runs is refused.
        out: The file, replaced if it is there.
    Raises:
        VisionGenError: There is nothing to write, or a run has not ended.
        MediaError: It cannot be written.
    """
    if not runs:
        raise VisionGenError("no run was chosen; choose at least one in the Gallery")
    for run in runs:
        if run.state in ACTIVE:
            raise VisionGenError(f"the run {run.title!r} has not ended yet; wait for it or stop it first")
    part = out.with_name(f".{out.name}.part")
    try:
        with zipfile.ZipFile(part, "w", zipfile.ZIP_STORED) as archive:  # films do not get smaller
            for run in runs:
                _add_run(archive, run)
            archive.writestr("project.json", json.dumps({"format": FORMAT, "runs": [run.id for run in runs]}))
        os.replace(part, out)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise MediaError(f"the project cannot be written ({error.strerror or error}); make room on the disk") from error
    return out


def _add_run(archive: zipfile.ZipFile, run: Run) -> None:
    record = run.to_dict()
    names = {}
    for kind in ("portrait", "driving"):
        path = Path(getattr(run.settings, kind))
        if path.is_file():
            names[kind] = f"input-{kind}{path.suffix.lower()}"
            archive.write(path, f"runs/{run.id}/{names[kind]}")
            record["settings"][kind] = names[kind]
        else:
            record["settings"][kind] = ""  # gone: the result is still worth having
    for path in sorted(run.folder.iterdir()):
        if path.is_file() and _is_welcome(path.name) and path.name not in ("run.json", "preview.jpg", *names.values()):
            archive.write(path, f"runs/{run.id}/{path.name}")
    archive.writestr(f"runs/{run.id}/run.json", json.dumps(record))


def _is_welcome(name: str) -> bool:
    return bool(_SAFE_NAME.fullmatch(name)) and Path(name).suffix.lower() in _ENDINGS


def import_project(store: Store, zip_path: Path, session: str) -> list[Run]:
    """Adds the runs of a project under new ids.

    Every name is checked: nothing is written outside of the new run's folder, whatever the zip says; sizes are limited
    and counted while unpacking, not believed.

    Raises:
        MediaError: Not a project of the studio, of a newer format, damaged, or beyond a limit. Nothing is added then.
    """
    added: list[Run] = []
    try:
        with zipfile.ZipFile(zip_path) as archive:
            entries = _checked_entries(archive)
            left = MAX_BYTES
            for files in entries.values():
                run, used = _unpack_run(store, archive, files, session, left)
                added.append(run)
                left -= used
    except MediaError:
        _forget(store, added)
        raise
    except (zipfile.BadZipFile, OSError, ValueError, KeyError, TypeError, NotImplementedError, RuntimeError,
            VisionGenError, EOFError) as error:  # fmt: skip
        _forget(store, added)
        raise MediaError(f"this is not a project of the studio, or damaged ({error}); download it again") from error
    return added


def _forget(store: Store, runs: list[Run]) -> None:
    for run in runs:
        store.delete(run.id)


def _checked_entries(archive: zipfile.ZipFile) -> dict[str, dict[str, zipfile.ZipInfo]]:
    """Run in the zip -> file name -> entry, all names checked."""
    infos = [info for info in archive.infolist() if not info.is_dir()]
    if len(infos) > MAX_FILES or sum(info.file_size for info in infos) > MAX_BYTES:
        raise MediaError(f"this project is too large; at most {MAX_FILES} files and {MAX_BYTES >> 30} GB are taken")
    if archive.getinfo("project.json").file_size > _BLOCK:
        raise MediaError("this is not a project of the studio; download it again from a Gallery")
    content = json.loads(_text(archive, archive.getinfo("project.json")))
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        found = content.get("format") if isinstance(content, dict) else None
        raise MediaError(f"this project has the format {found!r}, but this studio reads {FORMAT}; update the studio")
    runs: dict[str, dict[str, zipfile.ZipInfo]] = {}
    for info in infos:
        if info.filename == "project.json":
            continue
        parts = PurePosixPath(info.filename).parts
        if len(parts) != 3 or parts[0] != "runs" or not all(map(_SAFE_NAME.fullmatch, parts[1:])):
            raise MediaError(
                f"this project holds a file at an unexpected place ({info.filename[:80]!r}); it is not used"
            )
        if not _is_welcome(parts[2]):
            raise MediaError(f"this project holds a file of an unexpected kind ({parts[2]!r}); it is not used")
        runs.setdefault(parts[1], {})[parts[2]] = info
    if not 1 <= len(runs) <= MAX_RUNS or any("run.json" not in files for files in runs.values()):
        raise MediaError(f"a project holds 1 to {MAX_RUNS} runs, but this one does not; download it again")
    return runs


def _unpack_run(
    store: Store, archive: zipfile.ZipFile, files: dict[str, zipfile.ZipInfo], session: str, left: int
) -> tuple[Run, int]:
    """One run, and how many bytes it took."""
    if files["run.json"].file_size > _BLOCK:
        raise MediaError("the description of a run in this project is too large; it is not used")
    record: dict[str, Any] = json.loads(_text(archive, files["run.json"]))
    run_id = f"{time.strftime('%Y%m%d-%H%M%S')}-{uuid.uuid4().hex[:8]}"
    folder = store.root / "runs" / run_id
    folder.mkdir(parents=True)
    used = 0
    try:
        for name, info in files.items():
            if name != "run.json":
                with (folder / name).open("wb") as out:
                    for block in _blocks(archive, info):
                        used += len(block)
                        if used > left:
                            raise MediaError(f"this project is larger than {MAX_BYTES >> 30} GB; it is not used")
                        out.write(block)
        run = Run.from_dict({**record, "id": run_id, "session": session}, folder)
        if run.state in ACTIVE:
            run = replace(run, state="failed", problem="the run had not ended when the project was made")
        return store.adopt(replace(run, settings=_with_own_inputs(run.settings, folder))), used
    except BaseException:
        with suppress(OSError):
            shutil.rmtree(folder)
        raise


def _with_own_inputs(settings: Settings, folder: Path) -> Settings:
    """Inputs are the files that came along; a path in the zip means nothing here."""
    paths = {}
    for kind in ("portrait", "driving"):
        name = str(getattr(settings, kind))
        known = _SAFE_NAME.fullmatch(name) and name.startswith(f"input-{kind}") and (folder / name).is_file()
        paths[kind] = str(folder / name) if known else str(folder / f"missing-{kind}{Path(name).suffix[:8]}")
    return settings.replace(**paths)


def _text(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    """A small file of the zip; one that unpacks to more than it claims is not unpacked further."""
    with archive.open(info) as file:  # `archive.read` unpacks all of it first
        return file.read(_BLOCK + 1)


def _blocks(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Iterator[bytes]:
    with archive.open(info) as file:
        while block := file.read(_BLOCK):
            yield block
