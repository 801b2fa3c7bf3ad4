"""Runs on disk, found again after a restart: one folder each, with an index and the ratings in SQLite."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import shutil
import sqlite3
import sys
import threading
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from studio.settings import Settings, without_ending
from visiongen.arrays import read_arrays
from visiongen.errors import MediaError, VisionGenError
from visiongen.shortages import shortage

if TYPE_CHECKING:
    from visiongen.diagnostics import Problem

FORMAT = 1
STATES = ("queued", "running", "done", "failed", "stopped")
ACTIVE = ("queued", "running")
DATA_VARIABLE = "VISIONGEN_STUDIO_DATA"
_SCHEMA = """
CREATE TABLE IF NOT EXISTS runs (
    id TEXT PRIMARY KEY, session TEXT NOT NULL, state TEXT NOT NULL, created REAL NOT NULL, record TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS ratings (
    id INTEGER PRIMARY KEY, run_id TEXT NOT NULL, opponent TEXT, session TEXT NOT NULL, created REAL NOT NULL,
    scores TEXT NOT NULL);
"""


def data_root() -> Path:
    """Where runs and uploads are kept: the environment variable VISIONGEN_STUDIO_DATA, else the user's data folder."""
    if given := os.environ.get(DATA_VARIABLE):
        return Path(given).expanduser()
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Application Support"
    else:
        base = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
    return base / "visiongen" / "studio"


@dataclass(frozen=True, kw_only=True)
class Run:
    """One render: the fields of its ``run.json``, and where its files are."""

    id: str
    session: str
    title: str
    created: float
    """Unix time, s."""
    settings: Settings
    folder: Path
    state: str = "queued"
    problem: str | None = None
    """Why it failed, in one sentence."""
    warnings: tuple[str, ...] = ()
    fps: Fraction = Fraction(25)
    frames: int = 0
    size: tuple[int, int] = (0, 0)
    """Height and width of the result, px."""
    device: str = ""
    stage_seconds: Mapping[str, float] = field(default_factory=dict)
    frames_per_second: float = 0.0
    """Frames rendered per second of the stage that renders."""
    summary: Mapping[str, float] = field(default_factory=dict)
    server: str = ""
    """The studio that renders it, see `studio.servers`."""

    def __post_init__(self) -> None:
        if self.state not in STATES:
            raise ValueError(f"state is {self.state!r}, but must be one of: {', '.join(STATES)}")

    def file(self, name: str) -> Path | None:
        """A file of the run, None where it is not there."""
        path = self.folder / name
        return path if path.is_file() else None

    def still(self) -> Path | None:
        """The portrait as it is in the result before anything moves: whole, or the crop of its face."""
        return self.file("portrait.png" if self.settings.full else "still.png")

    def tracks(self) -> dict[str, np.ndarray]:
        """Arrays of ``tracks.npz`` by name; {} before there are any."""
        return _arrays(self.folder / "tracks.npz")

    def series(self) -> dict[str, np.ndarray]:
        """Series per frame of ``series.npz`` by metric; {} before there are any."""
        return _arrays(self.folder / "series.npz")

    def problems(self) -> list[Problem]:
        """Failure cases, worst first; [] where none were looked for."""
        from visiongen.diagnostics import read_problems

        path = self.folder / "problems.json"
        return read_problems(path) if path.is_file() else []

    def to_dict(self) -> dict[str, Any]:
        """What ``run.json`` holds."""
        values = {one.name: getattr(self, one.name) for one in dataclasses.fields(self) if one.name != "folder"}
        return {
            "format": FORMAT,
            **values,
            "settings": self.settings.to_dict(),
            "fps": f"{self.fps.numerator}/{self.fps.denominator}",
            "size": list(self.size),
            "warnings": list(self.warnings),
            "stage_seconds": dict(self.stage_seconds),
            "summary": dict(self.summary),
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], folder: Path) -> Run:
        """The inverse of `to_dict`.

        Raises:
            VisionGenError: Of another format, or something is missing.
        """
        if not isinstance(values, Mapping) or values.get("format") != FORMAT:
            found = values.get("format") if isinstance(values, Mapping) else None
            raise VisionGenError(
                f"run format {found!r}, but this version of the studio reads {FORMAT}; open it with the version that made it"
            )
        try:
            known = {one.name for one in dataclasses.fields(cls)} - {"folder", "settings"}
            given = {name: value for name, value in values.items() if name in known}
            given |= {
                "fps": Fraction(given.get("fps") or "25/1"),
                "size": tuple(int(one) for one in given.get("size") or (0, 0)),
                "warnings": tuple(given.get("warnings") or ()),
            }
            _check_record(given)
            return cls(**given, settings=Settings.from_dict(values["settings"]), folder=folder)
        except (TypeError, ValueError, KeyError, ZeroDivisionError, OverflowError, AttributeError) as error:
            raise VisionGenError(f"the run in {folder.name} cannot be read ({error})") from error


_TEXTS, _NUMBERS = ("id", "session", "title", "state", "device", "server"), ("created", "frames", "frames_per_second")
_LONGEST_TITLE, _LARGEST_SIDE = 200, 1 << 16


def _check_record(given: dict[str, Any]) -> None:
    """Raises ValueError where a field of ``run.json`` is of another kind than pages and charts expect."""
    for name in _TEXTS:
        if not isinstance(given.get(name, ""), str):
            raise ValueError(f"{name} is no text")
    given["title"] = given.get("title", "")[:_LONGEST_TITLE]
    if not isinstance(given.get("problem"), str | None):
        raise ValueError("problem is no text")
    numbers = [given.get(name, 0) for name in _NUMBERS]
    numbers += [value for name in ("stage_seconds", "summary") for value in dict(given.get(name, {})).values()]
    if not all(value is None or (isinstance(value, int | float) and abs(float(value)) < 1e300) for value in numbers):
        raise ValueError("what should be a number is none, or is not finite")
    size = given["size"]
    if len(size) != 2 or not all(0 <= side <= _LARGEST_SIDE for side in size) or given["fps"] <= 0:
        raise ValueError("a size or frame rate that cannot be")
    if not all(isinstance(one, str) for one in given["warnings"]):
        raise ValueError("warnings are no texts")


def _arrays(path: Path) -> dict[str, np.ndarray]:
    if not path.is_file():
        return {}
    try:
        return read_arrays(path)
    except (ValueError, OSError) as error:
        raise MediaError(f"{path.name} of run {path.parent.name} is damaged ({error}); render it again") from error


@dataclass(frozen=True, kw_only=True)
class Rating:
    """What one person thought of one run, scores by criterion, 1 (worst) to 5."""

    run_id: str
    scores: Mapping[str, int]
    session: str
    created: float
    opponent: str | None = None
    """The run it was shown beside."""


class Store:
    """Runs below a root folder. Safe for several threads; every call is complete when it returns."""

    def __init__(self, root: Path) -> None:
        self.root = Path(root).absolute()  # worker processes have another working folder
        self._lock = threading.RLock()
        try:
            (self.root / "runs").mkdir(parents=True, exist_ok=True)
            with self._database() as database:
                database.executescript(_SCHEMA)
        except (OSError, sqlite3.Error) as error:
            raise MediaError(
                f"the studio's folder {self.root} cannot be used ({error}); name another one in {DATA_VARIABLE}"
            ) from error
        self._index_folders()

    @contextlib.contextmanager
    def _database(self) -> Iterator[sqlite3.Connection]:
        database = sqlite3.connect(self.root / "studio.sqlite", timeout=10)
        try:
            database.execute("PRAGMA secure_delete = ON")  # what is deleted is overwritten, not only forgotten
            with self._lock, database:
                yield database
        finally:
            database.close()

    def _index_folders(self) -> None:
        """Folders are the truth: what the index does not know is added, what is gone is dropped."""
        with self._database() as database:
            known = {row[0] for row in database.execute("SELECT id FROM runs")}
            there = {path.parent.name: path for path in (self.root / "runs").glob("*/run.json")}
            database.executemany("DELETE FROM runs WHERE id = ?", [(one,) for one in known - set(there)])
        for name in set(there) - known:
            with contextlib.suppress(VisionGenError, OSError, ValueError):
                run = Run.from_dict(json.loads(there[name].read_text(encoding="utf-8")), there[name].parent)
                self._save(dataclasses.replace(run, id=name))

    def _save(self, run: Run) -> Run:
        record = json.dumps(run.to_dict(), ensure_ascii=False)
        part = run.folder / ".run.json.part"
        try:
            with self._lock:
                run.folder.mkdir(parents=True, exist_ok=True)
                part.write_text(record, encoding="utf-8")
                os.replace(part, run.folder / "run.json")
                with self._database() as database:
                    values = (run.id, run.session, run.state, run.created, record)
                    database.execute("INSERT OR REPLACE INTO runs VALUES (?, ?, ?, ?, ?)", values)
        except (OSError, sqlite3.Error) as error:
            with contextlib.suppress(OSError):
                part.unlink(missing_ok=True)
            reason = shortage(error) or f"{error}; look at that folder, or name another one in {DATA_VARIABLE}"
            raise MediaError(f"the studio's folder {self.root} cannot be written: {reason}") from error
        return run

    def create(self, settings: Settings, session: str, title: str = "", *, server: str = "") -> Run:
        """A new run, queued, with a folder of its own.

        Raises:
            MediaError: It cannot be written; nothing is left of it then.
        """
        run_id = f"{time.strftime('%Y%m%d-%H%M%S')}-{uuid.uuid4().hex[:8]}"
        title = title or f"{without_ending(settings.portrait_name)} · {without_ending(settings.driving_name)}"
        folder = self.root / "runs" / run_id
        run = Run(id=run_id, session=session, title=title, created=time.time(), settings=settings, folder=folder,
                  server=server)  # fmt: skip
        try:
            return self._save(run)
        except MediaError:
            shutil.rmtree(folder, ignore_errors=True)
            raise

    def update(self, run_id: str, **fields: Any) -> Run:
        """Changes fields of a run.

        Raises:
            VisionGenError: There is no such run (any more).
        """
        with self._lock:
            return self._save(dataclasses.replace(self.get(run_id), **fields))

    def find(self, run_id: str) -> Run | None:
        """The run of this id, None where there is none."""
        with self._database() as database:
            row = database.execute("SELECT record FROM runs WHERE id = ?", (run_id,)).fetchone()
        return self._run(row[0]) if row else None

    def get(self, run_id: str) -> Run:
        """The run of this id.

        Raises:
            VisionGenError: There is none.
        """
        run = self.find(run_id)
        if run is None:
            raise VisionGenError(f"there is no run {run_id!r} (any more); choose another one in the Gallery")
        return run

    def _run(self, record: str) -> Run:
        values = json.loads(record)
        return Run.from_dict(values, self.root / "runs" / values["id"])

    def runs(self, session: str | None = None, states: Sequence[str] | None = None) -> list[Run]:
        """All runs, newest first; of one session or in some states only."""
        with self._database() as database:
            rows = database.execute("SELECT session, state, record FROM runs ORDER BY created DESC, id DESC").fetchall()
        return [
            self._run(record)
            for owner, state, record in rows
            if (session is None or owner == session) and (states is None or state in states)
        ]

    def delete(self, run_id: str) -> None:
        """Removes a run with its files and ratings; nothing happens where there is none."""
        run = self.find(run_id)
        if run is None:
            return
        with self._database() as database:
            database.execute("DELETE FROM runs WHERE id = ?", (run_id,))
            database.execute("DELETE FROM ratings WHERE run_id = ?", (run_id,))
        shutil.rmtree(run.folder, ignore_errors=True)

    def add_rating(
        self, run_id: str, scores: Mapping[str, int], *, session: str, opponent: str | None = None
    ) -> Rating:
        """Keeps what somebody thought of a run.

        Args:
            run_id: Which run.
            scores: Criterion (such as realism, identity, smoothness) -> 1 (worst) to 5.
            session: Who.
            opponent: The run it was shown beside.
        Raises:
            VisionGenError: There is no such run.
            ValueError: A score is not a whole number from 1 to 5.
        """
        self.get(run_id)
        if not scores or any(isinstance(s, bool) or s not in (1, 2, 3, 4, 5) for s in scores.values()):
            raise ValueError(f"scores are whole numbers from 1 to 5, not {dict(scores)}")
        plain = {str(name): int(score) for name, score in scores.items()}
        rating = Rating(run_id=run_id, scores=plain, session=session, created=time.time(), opponent=opponent)
        with self._database() as database:
            database.execute(
                "INSERT INTO ratings (run_id, opponent, session, created, scores) VALUES (?, ?, ?, ?, ?)",
                (run_id, opponent, session, rating.created, json.dumps(plain)),
            )
        return rating

    def ratings(self, run_id: str | None = None) -> list[Rating]:
        """All ratings, oldest first; of one run only where it is named."""
        with self._database() as database:
            rows = database.execute(
                "SELECT run_id, scores, session, created, opponent FROM ratings ORDER BY id"
            ).fetchall()
        return [
            Rating(run_id=one, scores=json.loads(scores), session=session, created=created, opponent=opponent)
            for one, scores, session, created, opponent in rows
            if run_id is None or one == run_id
        ]

    def delete_ratings(self, session: str | None) -> int:
        """Removes the ratings of one client, of all where it is None, and gives their number."""
        with self._database() as database:
            if session is None:
                return database.execute("DELETE FROM ratings").rowcount
            return database.execute("DELETE FROM ratings WHERE session = ?", (session,)).rowcount

    def export_project(self, run_ids: Sequence[str], out: Path) -> Path:
        """Writes runs with their inputs and files as one zip; see `studio.project`."""
        from studio.project import export_project

        return export_project([self.get(run_id) for run_id in run_ids], out)

    def import_project(self, zip_path: Path, session: str) -> list[Run]:
        """Adds the runs of a zip that `export_project` wrote, under new ids; see `studio.project`."""
        from studio.project import import_project

        return import_project(self, zip_path, session)

    def adopt(self, run: Run) -> Run:
        """Adds a run whose folder is already in place below the root."""
        return self._save(run)
