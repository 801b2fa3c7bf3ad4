"""Every way in which a file of a user's comes in, one function each: ``READERS[name](path, work)``.

A reader raises `VisionGenError` or reads; `work` is the only folder it may write to.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]


def warm_up() -> None:
    """Imports what the readers need, so that limits and times are of the reading alone."""
    sys.path[:0] = [str(ROOT), str(ROOT / "plugins" / "visiongen-fomm")]
    import moviepy  # noqa: F401
    import torch
    import visiongen_fomm.checkpoints  # noqa: F401

    import studio.checks
    import studio.measurements
    import studio.store
    import studio.uploads
    import visiongen.evaluation.comparison
    import visiongen.evaluation.inputs
    import visiongen.exporters.sound
    import visiongen.exporters.video
    import visiongen.metrics.weight_files
    import visiongen.models.weights  # noqa: F401
    from visiongen import motion, plugins

    torch.set_num_threads(1)
    plugins.exporters()
    motion.face_model()
    studio.store.Run, studio.uploads.sample  # noqa: B018


def read_picture(path: Path, work: Path) -> None:
    """A portrait of ``visiongen animate``."""
    from visiongen.media import read_picture

    pixels = read_picture(path)
    assert pixels.ndim == 3 and pixels.dtype == "uint8"


def read_video(path: Path, work: Path) -> None:
    """A driving clip of ``visiongen animate``: all its frames, and its sound."""
    from visiongen.media import probe, read_frames, write_sound

    clip = probe(path)
    shapes = {batch.pixels.shape[1:] for batch in read_frames(clip)}
    assert shapes == {(clip.height, clip.width, 3)}
    if clip.has_audio:
        write_sound(clip, work / "sound.wav")


def evaluate_clip(path: Path, work: Path) -> None:
    """A clip of ``visiongen evaluate``, which OpenCV reads a second time."""
    from visiongen.evaluation.comparison import opencv_frames
    from visiongen.media import probe

    clip = probe(path)
    sizes = {frame.shape[:2] for frame in opencv_frames(clip)}
    assert sizes <= {(clip.height, clip.width)}, sizes


def read_template(path: Path, work: Path) -> None:
    """A motion template in place of a clip."""
    from visiongen.motion import load_motion, place

    place(load_motion(path))


def read_manifest(path: Path, work: Path) -> None:
    """A list of clips for ``visiongen evaluate``."""
    from visiongen.evaluation.inputs import EvaluationConfig, read_jobs

    jobs = read_jobs(EvaluationConfig(clips=path))
    assert len({job.name for job in jobs}) == len(jobs)
    for job in jobs:
        assert "/" not in job.name and job.name not in ("", ".", ".."), job.name
        assert len(job.name.encode()) <= 200 and job.clip.is_file()


def upload_picture(path: Path, work: Path) -> None:
    """A portrait given to the studio; what its worker process does is done here."""
    from studio.checks import check_picture
    from studio.store import Store
    from studio.uploads import add_portrait

    store = Store(work / "studio")
    add_portrait(path.read_bytes(), path.name, store=store, session="s", ask=lambda task, seconds: check_picture(task))


def upload_clip(path: Path, work: Path) -> None:
    """A clip or template given to the studio; what its worker process does is done here."""
    from studio.checks import check_clip
    from studio.store import Store
    from studio.uploads import add_driving
    from studio.worker import Teller

    store = Store(work / "studio")

    def ask(task: dict[str, Any], seconds: float) -> dict[str, Any]:
        return check_clip(task, store.root, Teller(io.StringIO()))

    add_driving(path.read_bytes(), path.name, store=store, session="s", ask=ask)


def read_report(path: Path, work: Path) -> None:
    """A saved report on the studio's page Metrics."""
    from studio.measurements import of_report

    of_report(path.read_bytes(), path.name)


def read_project(path: Path, work: Path) -> None:
    """A project opened in the studio's gallery, and all that pages show of its runs."""
    from studio.store import Store
    from visiongen.errors import VisionGenError

    store = Store(work / "studio")
    try:
        added = store.import_project(path, "session")
    except VisionGenError:
        left = [one for one in (store.root / "runs").rglob("*") if one.is_file()]
        assert not store.runs() and not left, f"refused, but it left {left}"
        raise
    for run in added:
        assert run.session == "session" and run.folder.parent == store.root / "runs"
        for file in (run.settings.portrait, run.settings.driving):
            assert Path(file).parent == run.folder, file
        for look in (run.tracks, run.series, run.problems, run.settings.command_line):
            try:
                look()
            except VisionGenError as error:
                check_sentence(str(error))
        assert Store(store.root).get(run.id).settings == run.settings  # found again after a restart


def read_checkpoint(path: Path, work: Path) -> None:
    """Weights of the default generator."""
    from visiongen.models.weights import load

    load(path)


def old_checkpoint(path: Path, work: Path) -> None:
    """Weights of the First Order Motion Model, as their authors publish them."""
    from visiongen_fomm.checkpoints import load

    load(path)


def metric_weights(path: Path, work: Path) -> None:
    """Weights of a metric's network."""
    from visiongen.metrics.weight_files import state_dict

    state_dict(path)


READERS: dict[str, Callable[[Path, Path], None]] = {
    "picture": read_picture,
    "video": read_video,
    "evaluate clip": evaluate_clip,
    "template": read_template,
    "manifest": read_manifest,
    "upload picture": upload_picture,
    "upload clip": upload_clip,
    "report": read_report,
    "project": read_project,
    "checkpoint": read_checkpoint,
    "old checkpoint": old_checkpoint,
    "metric weights": metric_weights,
}


def check_sentence(message: str) -> None:
    """A message is one line that a person can read to its end, in any terminal."""
    assert 10 <= len(message) <= 1500, f"{len(message)} characters: {message[:300]!r}"
    assert message.isprintable(), repr(message[:300])
    assert "Traceback" not in message
