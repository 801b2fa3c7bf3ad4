"""``visiongen reproduce``: makes a result again from the settings it carries, and compares."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from visiongen import media, plugins
from visiongen.errors import MediaError, VisionGenError
from visiongen.exporters.provenance import FORMAT
from visiongen.marking.credentials import read_credentials
from visiongen.marking.metadata import read_metadata
from visiongen.marking.settings import FRAMES_KEY, marks_from
from visiongen.options import check_options
from visiongen.pipeline import Choice, Progress, animate
from visiongen.retarget import MotionSettings
from visiongen.scratch import scratch_folder


@dataclass(frozen=True, kw_only=True)
class Reproduction:
    """What came of making a result again."""

    identical: bool | None
    """Every frame is the same before it was encoded; None: the result does not say what its frames were."""
    num_frames: int
    path: Path | None
    """The new result, where it was kept."""
    signed: bool
    """The settings came from a valid signature, not from plain metadata."""


def recorded_statement(path: Path) -> tuple[dict[str, Any], bool]:
    """What a result says of how it was made, and whether that is signed.

    Raises:
        MediaError: It says nothing, its signature is broken, or a later version wrote it.
    """
    media.sha256(path) if not path.is_dir() else None  # one sentence where it cannot be read
    signed = read_credentials(next(iter(sorted(path.glob("*.png"))), path) if path.is_dir() else path)
    if signed is not None and signed.state == "invalid":
        reason = "; ".join(signed.problems)
        raise MediaError(
            f"{path} was changed after it was signed ({reason}), so its settings are not trusted; use the original"
        )
    statement = dict(signed.settings) if signed is not None else None
    statement = statement or read_metadata(path)
    if not statement or not isinstance(statement.get("settings"), Mapping):
        raise MediaError(
            f"{path} carries no settings of VisionGen 3D; give a result as it was written, not a copy of another tool"
        )
    if int(statement.get("format", 0)) > FORMAT:
        raise MediaError(f"{path} was written by a later version ({statement.get('software')}); install that one")
    return statement, signed is not None


def reproduce(
    path: Path | str,
    *,
    portrait: Path,
    driving: Path,
    out: Path | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Reproduction:
    """Makes a result again.

    Args:
        path: The result.
        portrait, driving: The inputs it was made from; their checksums must be those in the result.
        out: Where to keep the new one; None: nowhere.
        overwrite: Replace `out`.
        progress: As of `visiongen.animate`.
    Raises:
        VisionGenError: Settings or inputs are missing or others, or the job fails.
    """
    path = Path(path)
    statement, signed = recorded_statement(path)
    settings = statement["settings"]
    for role, file in (("portrait", portrait), ("driving", driving)):
        _check_input(path, role, settings.get(role), Path(file))
    job = _job(path, settings)
    with ExitStack() as stack:
        target = out
        if target is None:
            suffixes = plugins.choose("exporter", job["exporter"].name).suffixes
            target = stack.enter_context(scratch_folder()) / f"result{suffixes[0] if suffixes else ''}"
        made = animate(portrait, driving, target, overwrite=overwrite, progress=progress, **job)
    expected, actual = settings.get(FRAMES_KEY), made.provenance.settings.get(FRAMES_KEY)
    return Reproduction(
        identical=expected == actual if expected else None, num_frames=made.num_frames, path=out, signed=signed
    )


def _check_input(path: Path, role: str, recorded: Any, file: Path) -> None:
    if not isinstance(recorded, Mapping) or "sha256" not in recorded:
        raise MediaError(f"{path} was made from a {role} that was no file, so it cannot be made again from one")
    if media.sha256(file) != recorded["sha256"]:
        raise MediaError(
            f"{file} is not the {role} that {path.name} was made from ({recorded.get('name')}, sha256 "
            f"{str(recorded['sha256'])[:16]}...); give that file"
        )


def _job(path: Path, settings: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of `visiongen.animate` that a result records."""
    if settings.get("fills"):
        raise VisionGenError(
            f"{path} was made with single frames filled in by the studio; restore it there from its project"
        )
    try:
        motion = MotionSettings(**settings.get("asked_motion", settings["motion"]))
        check_options(motion)
        plain = {name: settings[name] for name in ("face", "start", "end", "full", "size", "device", "seed")}
        return {
            **plain,
            "generator": _choice("generator", settings["generator"]),
            "enhancers": [_choice("enhancer", one) for one in settings.get("enhancer", [])],
            "exporter": _choice("exporter", settings["exporter"]),
            "settings": motion,
            "remedy": bool(settings.get("remedy", settings.get("remedies"))),
            "marks": marks_from(settings),
        }
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        raise VisionGenError(
            f"the settings in {path} cannot be used here ({error}); use the version that wrote it, see `visiongen verify`"
        ) from error


def _choice(kind: Any, recorded: Mapping[str, Any]) -> Choice:
    component = plugins.choose(kind, recorded["name"])
    options = component.options(**recorded.get("options", {}))
    check_options(options)
    return Choice(name=component.name, options=options)


def run(flags: Any) -> int:
    """Makes ``flags.file`` again and prints one line; 0 if every frame is the same, else 1."""
    from visiongen.progress import ProgressBar

    with ProgressBar() as progress:
        done = reproduce(
            flags.file, portrait=flags.portrait, driving=flags.driving, out=flags.out, overwrite=flags.overwrite,
            progress=progress,
        )  # fmt: skip
    source = "its signed settings" if done.signed else "its plain, unsigned settings"
    verdict = {
        True: "identical: every frame is the same as when it was made",
        False: "DIFFERENT: the frames are not those of this result; another version, device or library made it",
        None: "made again, but not compared: this file does not say what its frames were",
    }[done.identical]
    print(f"{flags.file}: {done.num_frames} frames from {source}; {verdict}")
    return 0 if done.identical else 1
