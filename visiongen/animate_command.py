"""``visiongen animate``: its flags, and what it does with them."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro
from tyro.conf import FlagCreatePairsOff, Positional, arg

from visiongen import plugins, samples
from visiongen.ahead import ReadingAhead
from visiongen.component_flags import (
    FlagGroup,
    chosen_options,
    flag_groups,
    given_groups,
    installed_components,
    with_component_flags,
    with_flags,
)
from visiongen.datatypes import Animation, MotionTrack
from visiongen.errors import VisionGenError
from visiongen.exporters import check_target
from visiongen.marking.settings import Corner, MarkSettings
from visiongen.memory import loaded
from visiongen.motion import save_motion
from visiongen.motion_sources import VIDEO_SOURCE
from visiongen.options import check_options, option_fields
from visiongen.pipeline import Choice, Progress, animate, extract_motion
from visiongen.progress import ProgressBar
from visiongen.retarget import MotionSettings

DEMO_OUT = Path("visiongen-demo.mp4")
_MIN_SIZE = 32
_NO_DEFAULT = {"help_behavior_hint": ""}
Switch = FlagCreatePairsOff[Annotated[bool, arg(**_NO_DEFAULT)]]
# The settings whose flags are their fields; the others have flags of their own below.
_PLAIN_SETTINGS = ("pose", "mouth", "eyes", "brows", "pose_limit", "smoothing")
_PASSED_ON = ("face", "start", "end", "size", "device", "seed", "overwrite", "remedy")
"""Flags that mean the argument of `visiongen.animate` of the same name."""


@dataclass(frozen=True, kw_only=True)
class AnimateFlags:
    """Move the face of a picture like the face of a video."""

    portrait: Positional[Annotated[Path | None, arg(metavar="PORTRAIT", **_NO_DEFAULT)]] = None
    """Picture of a face: photo, painting, cartoon, statue."""
    driving: Positional[Annotated[Path | None, arg(metavar="DRIVING", **_NO_DEFAULT)]] = None
    """Video of a face that moves, or a motion template (.npz)."""
    out: Annotated[Path | None, arg(aliases=["-o"], metavar="PATH", **_NO_DEFAULT)] = None
    """File to write, such as result.mp4; its ending chooses the exporter (see `visiongen plugins`)."""
    demo: Switch = False
    """Use the sample media for what is left out; the default of --out is visiongen-demo.mp4 then."""
    generator: str = "vae-gan"
    """What moves the picture."""
    enhancers: Annotated[tuple[str, ...], arg(metavar="[NAME ...]", help_behavior_hint="(default: none)")] = ()
    """What improves the frames, in this order."""
    exporter: Annotated[str | None, arg(metavar="NAME", help_behavior_hint="(default: by the ending of --out)")] = None
    """What writes the result."""
    motion_source: Annotated[
        str | None, arg(metavar="NAME", help_behavior_hint="(default: by the ending of DRIVING)")
    ] = None
    """What reads DRIVING."""
    relative: Switch = False
    """Add the driver's movements to the portrait's own pose and expression (default)."""
    absolute: Switch = False
    """Put the portrait's face in the driver's place, size and pose."""
    scale_lock: Switch = False
    """Keep the size of the head when the driver leans in and out."""
    reference_frame: Annotated[int | Literal["auto"], arg(metavar="auto|N")] = "auto"
    """Driving frame that corresponds to the portrait as it is; auto: the one nearest in pose and expression."""
    face: Annotated[int, arg(metavar="N")] = 0
    """Which face of the picture, 0 is the largest."""
    start: Annotated[float, arg(metavar="SECONDS")] = 0.0
    """Where the used piece of the driving video begins."""
    end: Annotated[float | None, arg(metavar="SECONDS", help_behavior_hint="(default: the end of the video)")] = None
    """Where it ends."""
    full: Switch = False
    """Write the whole picture (default)."""
    crop: Switch = False
    """Write the crop round the face."""
    size: Annotated[int | None, arg(metavar="PIXELS", help_behavior_hint="(default: as large as the picture)")] = None
    """Longer side of the result."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where networks run; auto takes a GPU if there is one."""
    seed: int = 0
    """For components that draw random numbers."""
    save_motion: Annotated[Path | None, arg(metavar="FILE.npz", **_NO_DEFAULT)] = None
    """Also save the driver's motion as a template, which can drive other portraits."""
    overwrite: Switch = False
    """Replace an existing result."""
    remedy: Switch = False
    """Look for covered faces, extreme poses and the like first, and do what can be done about them."""
    mark: Corner = "bottom-right"
    """Where the visible mark "AI" is."""
    consent: Annotated[str, arg(metavar="TEXT", help_behavior_hint="(default: not stated)")] = ""
    """Your statement on the consent of whoever is shown, such as "own face"; kept in the file."""
    require_signature: Switch = False
    """Fail where the result cannot be signed with Content Credentials, instead of going on with a warning."""


def parser_type(groups: Sequence[FlagGroup], flags: type = AnimateFlags) -> type:
    """`flags` with those of the motion settings and of all installed components."""
    settings = [option for option in option_fields(MotionSettings) if option.name in _PLAIN_SETTINGS]
    return with_component_flags(with_flags(flags, settings), groups)


def run(arguments: list[str], *, reader: ReadingAhead | None = None) -> int:
    """Parses, animates, and prints one line on the result; `reader` reads the inputs meanwhile."""
    groups = flag_groups()
    flags = tyro.cli(parser_type(groups), prog="visiongen animate", args=arguments, description=_description())
    begun = time.monotonic()
    with ProgressBar() as progress:
        given = given_groups(arguments, groups)
        result = animated(flags, groups, given, reader=reader, progress=_tidied(progress, reader))
    for label in result.provenance.settings["remedies"]:
        print(f"remedy: {label}")
    print(_summary(result, progress.rates.get("render", 0.0), time.monotonic() - begun))
    return 0


def animated(
    flags: Any,
    groups: Sequence[FlagGroup],
    given: Sequence[FlagGroup],
    *,
    warmed: Callable[[Choice, str], Choice] | None = None,
    reader: ReadingAhead | None = None,
    progress: Progress | None = None,
) -> Animation:
    """Does what the flags of ``visiongen animate`` say.

    Args:
        flags: An instance of what `parser_type` made.
        groups: Those it was made with.
        given: Those of which a flag was given, whether or not with its default.
        warmed: Called with the choice of a generator and the device: the same choice, loaded, for who does many jobs.
        reader: Reads the inputs while this process loads the rest.
        progress: As of `visiongen.animate`.
    Raises:
        VisionGenError: Flags exclude each other or name what is not there, or the job fails.
    """
    how = chosen_job(flags, groups, given)
    portrait, driving, out = how.pop("portrait"), how.pop("driving"), how.pop("out")
    source: Any = driving
    if reader is not None:
        clip = driving if how["motion_source"].name == VIDEO_SOURCE else None
        reader.ask(portrait, clip, size=how["size"] if how["full"] else None, start=how["start"], end=how["end"])
    if flags.save_motion:
        writer = plugins.choose("exporter", how["exporter"].name)
        check_target(out, overwrite=flags.overwrite, folder=not writer.suffixes)
        source = _saved_motion(flags, driving, how["motion_source"], progress)
    if warmed is not None:
        how["generator"] = warmed(how["generator"], flags.device)
    return animate(portrait, source, out, progress=progress, **how)


def _tidied(progress: Progress, reader: ReadingAhead | None) -> Progress:
    """`progress`, which also ends what only the start needs."""

    def told(stage: str, done: int, total: int | None) -> None:
        loaded()
        if stage == "render" and reader is not None:
            reader.close()
        progress(stage, done, total)

    return told


def chosen_job(flags: Any, groups: Sequence[FlagGroup], given: Sequence[FlagGroup]) -> dict[str, Any]:
    """The arguments of `visiongen.animate` that flags mean, by their names; arguments and errors as of `animated`."""
    portrait, driving, out = _paths(flags)
    writer = plugins.choose("exporter", flags.exporter) if flags.exporter else plugins.exporter_for(out)
    reader = flags.motion_source or plugins.motion_source_for(driving).name
    chosen = {
        "generator": [flags.generator],
        "enhancer": flags.enhancers,
        "exporter": [writer.name],
        "motion-source": [reader],
    }
    for kind, names in chosen.items():
        for name in names:
            plugins.choose(kind, name)
    options = chosen_options(flags, groups, given, chosen)
    choices = {kind: [Choice(name=n, options=options.get((kind, n))) for n in names] for kind, names in chosen.items()}
    return {
        "portrait": portrait,
        "driving": driving,
        "out": out,
        "generator": choices["generator"][0],
        "enhancers": choices["enhancer"],
        "exporter": choices["exporter"][0],
        "motion_source": choices["motion-source"][0],
        "settings": _settings(flags),
        "full": not flags.crop,
        "marks": _marks(flags),
        **{name: getattr(flags, name) for name in _PASSED_ON},
    }


def _description() -> str:
    names = [f"{kind}s: {', '.join(found)}" for kind, found in installed_components().items()]
    return f"{AnimateFlags.__doc__} Installed {'; '.join(names)}."


def _paths(flags: Any) -> tuple[Path, Path, Path]:
    """Portrait, driving and out, with the sample media for what is left out."""
    for one, other in (("relative", "absolute"), ("full", "crop")):
        if getattr(flags, one) and getattr(flags, other):
            raise VisionGenError(f"--{one} and --{other} exclude each other; give one of them")
    if flags.size is not None and flags.size < _MIN_SIZE:
        raise VisionGenError(f"--size is {flags.size}, but must be at least {_MIN_SIZE} pixels")
    paths = {"PORTRAIT": flags.portrait, "DRIVING": flags.driving, "-o OUT": flags.out}
    if flags.demo:
        names = {"PORTRAIT": samples.PORTRAIT, "DRIVING": samples.DRIVING}
        paths = {key: path or (samples.sample(names[key]) if key in names else DEMO_OUT) for key, path in paths.items()}
    missing = [key for key, path in paths.items() if path is None]
    if missing:
        raise VisionGenError(
            f"{' and '.join(missing)} missing; write `visiongen animate PORTRAIT DRIVING -o OUT`, or try "
            "`visiongen animate --demo`"
        )
    return tuple(paths.values())


def _settings(flags: Any) -> MotionSettings:
    reference = None if flags.reference_frame == "auto" else flags.reference_frame
    plain = {name: getattr(flags, name) for name in _PLAIN_SETTINGS}
    try:
        settings = MotionSettings(
            mode="absolute" if flags.absolute else "relative",
            scale="lock" if flags.scale_lock else "follow",
            reference_frame=reference,
            **plain,
        )
        check_options(settings)
    except ValueError as error:
        raise VisionGenError(f"motion settings: {error}") from error
    return settings


def _marks(flags: Any) -> MarkSettings:
    try:
        credentials = "require" if flags.require_signature else "auto"
        return MarkSettings(mark=flags.mark, credentials=credentials, consent=flags.consent)
    except ValueError as error:
        raise VisionGenError(f"--{error}") from error


def _saved_motion(flags: Any, driving: Path, reader: Choice, progress: Progress | None) -> MotionTrack:
    """The motion of `driving`, after it was saved."""
    check_target(flags.save_motion, overwrite=flags.overwrite)
    motion = extract_motion(driving, source=reader, start=flags.start, end=flags.end, progress=progress)
    save_motion(motion, flags.save_motion)
    return motion


def _summary(result: Animation, rate: float, seconds: float) -> str:
    return (
        f"{result.path}: {result.num_frames} frames, {result.width}x{result.height}, {float(result.fps):.5g} fps; "
        f"made in {seconds:.1f} s, rendered {rate:.1f} frames/s on {result.provenance.settings['device']}"
    )
