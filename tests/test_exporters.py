"""Writing results: whole, in sync, marked as synthetic, or not there at all."""

from __future__ import annotations

import contextlib
import errno
import json
import logging
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import av
import numpy as np
import pytest
from films import NTSC, beep_times, frame_number, numbered_batches, numbered_frame, tiny_video, without_rights
from PIL import Image, ImageSequence

from visiongen import media
from visiongen.datatypes import DrivingClip, FrameBatch, Provenance
from visiongen.errors import MediaError
from visiongen.exporters import check_target, sound, visiongen_exporters
from visiongen.hookspecs import Exporter
from visiongen.options import check_options, option_fields
from visiongen.samples import sample

COMPONENTS = {component.name: component for component in visiongen_exporters()}
FILES = [name for name, component in COMPONENTS.items() if component.suffixes]
PROVENANCE = Provenance(software="VisionGen 3D 0.1.0", settings={"generator": "warp", "seed": 7, "name": 'Zoë "<&>"'})


def target(folder: Path, name: str) -> Path:
    return folder / f"result{''.join(COMPONENTS[name].suffixes)}"


def export(name: str, batches: Any, path: Path, *, fps: Fraction = NTSC, sound: DrivingClip | None = None, **options):
    component = COMPONENTS[name]
    exporter = component.load(component.options(**options), device="cpu")
    assert isinstance(exporter, Exporter)
    return exporter.export(batches, path, fps=fps, sound=sound, provenance=PROVENANCE)


def read_back(path: Path) -> list[np.ndarray]:
    """The frames (H, W, 3) of any result."""
    if path.is_dir():
        return [np.array(Image.open(file)) for file in sorted(path.glob("*.png"))]
    if path.suffix == ".webp":
        with Image.open(path) as image:
            return [np.array(frame.convert("RGB")) for frame in ImageSequence.Iterator(image)]
    return [frame for batch in media.read_frames(media.probe(path)) for frame in batch.pixels]


def sound_of(path: Path) -> np.ndarray:
    """Samples (S,) of the sound as players hear it, at 48 kHz."""
    resampler = av.AudioResampler(format="flt", layout="mono", rate=48000)
    with av.open(str(path)) as container:
        blocks = [resampler.resample(frame) for frame in container.decode(audio=0)]
    return np.concatenate([block.to_ndarray()[0] for some in blocks for block in some])


def packets_of(path: Path) -> list[tuple[int, int | None, bytes]]:
    """Track, time and content of every packet of a film, in the order of the file."""
    with av.open(str(path)) as container:
        return [(packet.stream.index, packet.pts, bytes(packet)) for packet in container.demux() if packet.size]


# --- what is offered --------------------------------------------------------------------------------------------------


def test_hook_visiongen_exporters_offers_five_formats() -> None:
    assert {name: component.suffixes for name, component in COMPONENTS.items()} == {
        "mp4": (".mp4",),
        "webm": (".webm",),
        "gif": (".gif",),
        "webp": (".webp",),
        "png": (),
    }
    for component in COMPONENTS.values():
        check_options(component.options())
        assert all(option.help for option in option_fields(component.options))


def test_listing_loads_nothing_heavy() -> None:
    code = "import sys, visiongen.exporters as e; list(e.visiongen_exporters()); print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"av", "moviepy", "torch", "cv2", "PIL", "mediapipe", "streamlit"} & set(run.stdout.split())


# --- round trips ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", COMPONENTS)
def test_every_frame_is_written_once(tmp_path: Path, name: str) -> None:
    path, fps = target(tmp_path, name), Fraction(25)
    assert export(name, numbered_batches(50, fps=fps), path, fps=fps) == 50
    frames = read_back(path)
    assert [frame_number(frame) for frame in frames] == list(range(50))
    assert frames[0].shape == (48, 64, 3)
    assert os.listdir(tmp_path) == [path.name]


@pytest.mark.parametrize("name", ["mp4", "webm"])
@pytest.mark.parametrize("fps", [NTSC, Fraction(24000, 1001), Fraction(25), Fraction(47, 3)])
def test_videos_keep_their_rate(tmp_path: Path, name: str, fps: Fraction) -> None:
    path = target(tmp_path, name)
    export(name, numbered_batches(60, fps=fps), path, fps=fps)
    assert media.probe(path).fps == fps
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        times = [float(frame.pts * frame.time_base) for frame in container.decode(stream)]
        if name == "mp4":
            assert stream.average_rate == fps and stream.duration * stream.time_base == 60 / fps
    np.testing.assert_allclose(times, np.arange(60) / float(fps), atol=1e-9 if name == "mp4" else 6e-4)


def test_mp4_plays_everywhere(tmp_path: Path) -> None:
    path = target(tmp_path, "mp4")
    export("mp4", numbered_batches(20), path)
    with av.open(str(path)) as container:
        context = container.streams.video[0].codec_context
        assert (context.name, context.pix_fmt) == ("h264", "yuv420p")
        assert context.color_range == 1 and context.color_primaries == context.color_trc == 1
    data = path.read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")


def drifting(height: int, width: int) -> list[np.ndarray]:
    """A photograph that drifts by some pixels."""
    photo = media.read_picture(sample("astronaut.jpg"))
    large = np.array(Image.fromarray(photo).resize((width + 32, height + 32), Image.Resampling.BICUBIC))
    return [np.ascontiguousarray(large[n : n + height, 3 * n : 3 * n + width]) for n in range(8)]


@pytest.mark.parametrize("preset", ["auto", "veryfast"])
@pytest.mark.parametrize("height", [128, 1024])
def test_large_frames_are_written_quicker_and_as_well_where_no_preset_is_chosen(
    tmp_path: Path, preset: str, height: int
) -> None:
    frames, packets, errors = drifting(height, height), {}, {}
    for name in (preset, "veryfast"):
        path = tmp_path / f"{name}.mp4"
        path.unlink(missing_ok=True)
        export("mp4", [FrameBatch(pixels=np.stack(frames), times=np.arange(8) / 30)], path, preset=name)
        with av.open(str(path)) as container:
            packets[name] = [bytes(packet) for packet in container.demux(video=0)]
        errors[name] = np.mean([np.square(a.astype(float) - b).mean() for a, b in zip(frames, read_back(path))])
    assert (packets[preset] == packets["veryfast"]) == (preset == "veryfast" or height == 128)
    assert errors[preset] < 1.1 * errors["veryfast"]


def test_webm_is_vp9(tmp_path: Path) -> None:
    path = target(tmp_path, "webm")
    export("webm", numbered_batches(20), path)
    with av.open(str(path)) as container:
        assert (container.streams.video[0].codec_context.name, container.format.name) == ("vp9", "matroska,webm")


@pytest.mark.parametrize("name", COMPONENTS)
def test_odd_sizes(tmp_path: Path, name: str) -> None:
    path = target(tmp_path, name)
    export(name, numbered_batches(6, height=47, width=65), path)
    frames = read_back(path)
    even = name in ("mp4", "webm")
    assert frames[0].shape == ((48, 66, 3) if even else (47, 65, 3))
    if even:  # the last column and row are repeated, so that no black or green seam shows
        np.testing.assert_allclose(frames[2][:, -1].astype(float), frames[2][:, -2], atol=12)
        np.testing.assert_allclose(frames[2][-1].astype(float), frames[2][-2], atol=12)


@pytest.mark.parametrize("name, error, bias", [("mp4", 1.5, 0.6), ("webm", 2, 0.6), ("webp", 3, 1), ("gif", 4, 1)])
@pytest.mark.parametrize("height", [128, 640])
def test_colours_come_back(tmp_path: Path, name: str, error: float, bias: float, height: int) -> None:
    """Also above 576 rows, where the matrix is another one."""
    rows, columns = np.mgrid[0:height, 0:96] / [[[height]], [[96]]]
    image = np.stack([90 + 120 * rows, 60 + 100 * columns, 150 - 90 * rows * columns], axis=2).astype(np.uint8)
    batch = FrameBatch(pixels=np.repeat(image[None], 3, axis=0), times=np.arange(3) / 25)
    path = target(tmp_path, name)
    export(name, [batch], path, fps=Fraction(25), **({"max_side": 1024} if name == "gif" else {}))
    difference = read_back(path)[-1].astype(float) - image
    assert np.sqrt((difference**2).mean()) < error
    assert np.abs(difference.mean(axis=(0, 1))).max() < bias


def test_gif_leaves_frames_out_evenly_and_is_scaled_down(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = target(tmp_path, "gif")
    with caplog.at_level(logging.INFO):
        assert export("gif", numbered_batches(90, height=120, width=80), path, max_fps=10, max_side=60) == 90
    assert "30 of 90 frames" in caplog.text and "40x60 px" in caplog.text
    with Image.open(path) as image:
        assert image.size == (40, 60) and image.info["loop"] == 0
        durations = [frame.info["duration"] for frame in ImageSequence.Iterator(image)]
    assert len(durations) == 30 and sum(durations) == pytest.approx(3000, abs=100)
    numbers = [frame_number(frame) for frame in read_back(path)]
    np.testing.assert_allclose(numbers, np.arange(30) * 2.997, atol=0.51)


def test_gif_colours(tmp_path: Path) -> None:
    path = target(tmp_path, "gif")
    export("gif", numbered_batches(5), path, colours=4)
    with Image.open(path) as image:
        assert len(image.convert("RGB").getcolors()) <= 4


def test_webp_keeps_time_and_writes_only_what_changes(tmp_path: Path) -> None:
    still = next(numbered_batches(1)).pixels
    moving = np.repeat(still, 60, axis=0)
    moving[30:, 10:15, 21:30] = 255
    path = target(tmp_path, "webp")
    assert export("webp", [FrameBatch(pixels=moving, times=np.arange(60) / 30)], path) == 60
    with Image.open(path) as image:
        frames = [(np.array(frame.convert("RGB")), frame.info["duration"]) for frame in ImageSequence.Iterator(image)]
    assert [duration for _, duration in frames] == [1001, 1001]
    for (frame, _), expected in zip(frames, moving[[0, -1]], strict=True):
        assert np.abs(frame.astype(int) - expected).mean() < 6
    single = np.repeat(still, 1, axis=0)
    export("webp", [FrameBatch(pixels=single, times=np.zeros(1))], path)
    assert len(read_back(path)) == 1


def test_png_frames_are_lossless(tmp_path: Path) -> None:
    path = target(tmp_path, "png")
    export("png", numbered_batches(5), path)
    for number, frame in enumerate(read_back(path)):
        np.testing.assert_array_equal(frame, numbered_frame(number))
    assert (path / "frame_000004.png").is_file()
    about = json.loads((path / "provenance.json").read_text())
    assert (about["fps"], about["num_frames"], about["synthetic"]) == ("30000/1001", 5, True)


@pytest.mark.parametrize("name", COMPONENTS)
def test_results_say_how_they_were_made_and_that_they_are_synthetic(tmp_path: Path, name: str) -> None:
    path = target(tmp_path, name)
    export(name, numbered_batches(3), path)
    if name in ("mp4", "webm"):
        with av.open(str(path)) as container:
            tags = {key.lower(): value for key, value in container.metadata.items()}
        text = tags["comment"]
    else:
        with Image.open(path / "frame_000002.png" if name == "png" else path) as image:
            if name == "webp":
                xmp = ElementTree.fromstring(image.info["xmp"])
                text = next(xmp.iter("{http://www.w3.org/1999/02/22-rdf-syntax-ns#}li")).text
                assert b'DigitalSourceType="http://cv.iptc.org/' in image.info["xmp"]
            else:
                text = image.info["comment" if name == "gif" else "Comment"]
    about = json.loads(text)
    assert about["software"] == PROVENANCE.software and about["settings"] == PROVENANCE.settings
    assert about["synthetic"] is True and about["digital_source_type"].startswith("http://cv.iptc.org/")


# --- sound ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["mp4", "webm"])
@pytest.mark.parametrize("start, delay", [(0.0, 0.0), (1.3, 0.0), (0.2, 0.35)])
def test_sound_stays_in_sync(tmp_path: Path, name: str, start: float, delay: float) -> None:
    clip = media.probe(tiny_video(tmp_path / "in.mp4", num_frames=150, audio_delay=delay), start=start)
    path = target(tmp_path, name)
    export(name, numbered_batches(90), path, sound=clip)
    samples = sound_of(path)
    assert len(samples) / 48000 == pytest.approx(float(90 / NTSC), abs=1 / 29)
    heard = beep_times(samples, 48000) + clip.start
    heard = heard[heard > max(start, delay) + 0.02]
    np.testing.assert_allclose(heard, np.round(heard * 2) / 2, atol=0.015)
    assert len(heard) >= 5
    assert sorted(os.listdir(tmp_path)) == ["in.mp4", path.name]


@pytest.mark.parametrize("name", ["mp4", "webm"])
def test_frames_do_not_wait_for_a_sound_that_takes_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    clip = media.probe(tiny_video(tmp_path / "in.mp4", num_frames=90))
    export(name, numbered_batches(60), target(tmp_path, name), sound=clip)
    in_time = packets_of(target(tmp_path, name))
    begun, written, get_ready = threading.Event(), threading.Event(), sound._blocks

    def late(*arguments: Any) -> Iterator[np.ndarray]:
        begun.set()
        assert written.wait(20), "the first frames waited for the sound"
        return get_ready(*arguments)

    def batches() -> Iterator[FrameBatch]:
        for number, batch in enumerate(numbered_batches(60)):
            if number == 0:
                assert not begun.wait(0.1), "it takes time from the first frame"
            if number == 2:
                assert begun.wait(20)
                written.set()
            yield batch

    monkeypatch.setattr(sound, "_blocks", late)
    (tmp_path / "late").mkdir()
    export(name, batches(), target(tmp_path / "late", name), sound=clip)
    assert packets_of(target(tmp_path / "late", name)) == in_time


def test_sound_ends_with_the_piece_and_with_the_picture(tmp_path: Path) -> None:
    source = tiny_video(tmp_path / "in.mp4", num_frames=90)
    for clip, num_frames, seconds in [
        (media.probe(source, end=1.0), 60, 1.0),
        (media.probe(source), 1, 1 / NTSC),
        (media.probe(source), 120, 90 / NTSC),
    ]:
        export("mp4", numbered_batches(num_frames), target(tmp_path, "mp4"), sound=clip)
        assert len(sound_of(target(tmp_path, "mp4"))) / 48000 == pytest.approx(float(seconds), abs=1 / 29)


def test_times_before_the_first_frame_do_not_count(tmp_path: Path) -> None:
    clip = media.probe(tiny_video(tmp_path / "in.mp4", num_frames=60))
    late = (FrameBatch(pixels=batch.pixels, times=batch.times + 5) for batch in numbered_batches(45))
    export("mp4", late, target(tmp_path, "mp4"), sound=clip)
    heard = beep_times(sound_of(target(tmp_path, "mp4")), 48000)
    np.testing.assert_allclose(heard[1:], [0.5, 1.0, 1.5], atol=0.015)


def test_without_sound_there_is_still_a_video(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    silent = tiny_video(tmp_path / "silent.mp4", audio=False)
    broken = tiny_video(tmp_path / "broken.mp4", num_frames=60)
    with av.open(str(broken)) as container:
        places = [(packet.pos, packet.size) for packet in container.demux(audio=0) if packet.size]
    data = bytearray(broken.read_bytes())
    for position, size in places:
        data[position : position + size] = bytes([0xFF]) * size
    broken.write_bytes(data)
    for source in (silent, broken):
        caplog.clear()
        with caplog.at_level(logging.WARNING):
            assert export("mp4", numbered_batches(20), target(tmp_path, "mp4"), sound=media.probe(source)) == 20
        assert len(caplog.records) == 1 and str(source) in caplog.text
        with av.open(str(target(tmp_path, "mp4"))) as container:
            assert not container.streams.audio and len(list(container.decode(video=0))) == 20


# --- whole or not at all ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", COMPONENTS)
@pytest.mark.parametrize("trouble", [KeyboardInterrupt, GeneratorExit, MediaError("upstream"), OSError(errno.EIO, "x")])
def test_what_was_begun_is_removed(tmp_path: Path, name: str, trouble: Any) -> None:
    path = target(tmp_path, name)
    export(name, numbered_batches(3), path)
    before = {file: file.stat().st_mtime_ns for file in tmp_path.rglob("*")}

    def interrupted() -> Iterator[FrameBatch]:
        yield from numbered_batches(40)
        assert len(os.listdir(tmp_path)) > 1  # something was begun
        raise trouble

    clip = media.probe(tiny_video(tmp_path.parent / f"{tmp_path.name}.mp4"))
    with pytest.raises(type(trouble) if isinstance(trouble, Exception) else trouble) as caught:
        export(name, interrupted(), path, sound=clip)
    if isinstance(trouble, Exception):
        assert caught.value is trouble  # what goes wrong upstream is not blamed on the file
    assert {file: file.stat().st_mtime_ns for file in tmp_path.rglob("*")} == before


@pytest.mark.parametrize("name", COMPONENTS)
def test_no_frames_and_changing_frames(tmp_path: Path, name: str) -> None:
    with pytest.raises(MediaError, match="no frames"):
        export(name, iter([]), target(tmp_path, name))
    changing = [*numbered_batches(2), *numbered_batches(2, width=80)]
    with pytest.raises(MediaError, match="64x48 to 80x48"):
        export(name, changing, target(tmp_path, name))
    assert not os.listdir(tmp_path)


@pytest.mark.parametrize("name", COMPONENTS)
def test_a_place_that_cannot_be_written_is_told_before_the_first_frame(tmp_path: Path, name: str) -> None:
    def never() -> Iterator[FrameBatch]:
        raise AssertionError("a frame was asked for")
        yield

    with pytest.raises(MediaError, match=r"folder .*missing does not exist"):
        export(name, never(), target(tmp_path / "missing", name))
    with (
        closed_folder() as closed,
        without_rights(),
        pytest.raises(MediaError, match=r"closed.* may not be written to"),
    ):
        export(name, never(), target(closed, name))


@contextlib.contextmanager
def closed_folder() -> Iterator[Path]:
    """A folder that may be looked into (pytest's own may not, by others) but not written to."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        closed = Path(folder) / "closed"
        closed.mkdir(mode=0o555)
        yield closed


def noise(num_frames: int, size: int = 128) -> Iterator[FrameBatch]:
    """Frames that no codec makes small."""
    rng = np.random.default_rng(0)
    for number in range(num_frames):
        yield FrameBatch(pixels=rng.integers(0, 255, (1, size, size, 3), np.uint8), times=np.array([number / 25]))


@contextlib.contextmanager
def small_disk(folder: Path) -> Iterator[None]:
    """`folder` as a disk of 256 KB; skips where that is not allowed."""
    mount = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(folder)]
    try:
        subprocess.run(mount, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"needs the right to mount a small disk ({error})")
    try:
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)


@contextlib.contextmanager
def small_files() -> Iterator[None]:
    """No file may exceed 64 KB."""
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (65536, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("name", COMPONENTS)
def test_a_full_disk_is_one_sentence_and_leaves_nothing(tmp_path: Path, name: str) -> None:
    with small_disk(tmp_path):
        with pytest.raises(MediaError, match="the disk is full") as caught:
            export(name, noise(60), target(tmp_path, name))
        assert "\n" not in str(caught.value)
        assert not os.listdir(tmp_path)


@pytest.mark.parametrize("name", FILES)
def test_files_that_may_not_grow(tmp_path: Path, name: str) -> None:
    with small_files(), pytest.raises(MediaError, match="larger than the disk or a limit allows"):
        export(name, noise(40), target(tmp_path, name))
    assert not os.listdir(tmp_path)


def test_a_full_disk_while_the_index_moves_to_the_front(tmp_path: Path) -> None:
    """Just enough room for the pictures: the error comes when the MP4 is closed."""
    reference = target(tmp_path, "mp4")
    export("mp4", noise(8), reference, crf=30)
    size = reference.stat().st_size
    reference.unlink()
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    for room in (size - 1, size - 200, size - 2000):
        resource.setrlimit(resource.RLIMIT_FSIZE, (room, hard))
        try:
            with pytest.raises(MediaError, match="cannot be written"):
                export("mp4", noise(8), reference, crf=30)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert not os.listdir(tmp_path)


MEASURE = """
import os, sys
from fractions import Fraction
from pathlib import Path
import numpy as np
from visiongen.datatypes import FrameBatch, Provenance
from visiongen.exporters import visiongen_exporters

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

def frames():
    rows, columns = np.mgrid[0:96, 0:96]
    base = np.stack([rows * 2, columns * 2, rows + columns], axis=2).astype(np.uint8)
    for first in range(0, 640, 8):
        marks.append(resident())
        pixels = np.stack([np.roll(base, number, axis=1) for number in range(first, first + 8)])
        yield FrameBatch(pixels=pixels, times=np.arange(first, first + 8) / 25)

name, path = sys.argv[1:]
marks = []
component = next(component for component in visiongen_exporters() if component.name == name)
settings = {"webm": {"speed": 5, "crf": 60}, "webp": {"effort": 0}}.get(name, {})
exporter = component.load(component.options(**settings), device="cpu")
exporter.export(frames(), Path(path), fps=Fraction(25), sound=None, provenance=Provenance(software="x"))
print(max(marks[-5:]) - max(marks[20:25]))
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/statm").is_file(), reason="measures memory as Linux tells it")
@pytest.mark.parametrize("name", COMPONENTS)
def test_memory_does_not_grow_with_length(tmp_path: Path, name: str) -> None:
    """In a fresh process: this one has free memory that would hide growth."""
    command = [sys.executable, "-c", MEASURE, name, str(target(tmp_path, name))]
    grown = int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    assert grown < 440 * 96 * 96 * 3 / 6  # of the 440 frames between the two looks, a sixth


# --- targets ----------------------------------------------------------------------------------------------------------


def test_check_target(tmp_path: Path) -> None:
    there = tmp_path / "there.mp4"
    there.write_bytes(b"x")
    (tmp_path / "empty").mkdir()
    export("png", numbered_batches(2), tmp_path / "frames")
    export("png", numbered_batches(2), tmp_path / "mixed")
    (tmp_path / "mixed" / "holiday.jpg").write_bytes(b"x")

    check_target(tmp_path / "new.mp4")
    check_target(there, overwrite=True)
    check_target(tmp_path / "new", folder=True)
    check_target(tmp_path / "empty", folder=True)
    check_target(tmp_path / "frames", folder=True, overwrite=True)
    for path, settings, expected in [
        (there, {}, "exists"),
        (tmp_path / "no" / "new.mp4", {}, "does not exist"),
        (there / "new.mp4", {}, "does not exist"),
        (tmp_path / "empty", {"overwrite": True}, "is a folder"),
        (there, {"folder": True, "overwrite": True}, "is a file"),
        (tmp_path / "frames", {"folder": True}, "not empty"),
        (tmp_path / "mixed", {"folder": True, "overwrite": True}, "holiday.jpg"),
        (tmp_path / ("x" * 300 + ".mp4"), {}, "name is too long"),
    ]:
        with pytest.raises(MediaError, match=expected) as caught:
            check_target(path, **settings)
        assert "\n" not in str(caught.value)
    with closed_folder() as closed, without_rights(), pytest.raises(MediaError, match="closed may not be written to"):
        check_target(closed / "new.mp4")


def test_a_folder_of_frames_is_replaced_whole(tmp_path: Path) -> None:
    export("png", numbered_batches(9), tmp_path / "frames")
    export("png", numbered_batches(4), tmp_path / "frames")
    assert len(read_back(tmp_path / "frames")) == 4
    (tmp_path / "frames" / "holiday.jpg").write_bytes(b"x")
    with pytest.raises(MediaError, match="holds other files"):
        export("png", numbered_batches(4), tmp_path / "frames")
    assert sorted(os.listdir(tmp_path)) == ["frames"] and (tmp_path / "frames" / "holiday.jpg").exists()


def test_large_frames_are_not_kept_waiting():
    """At 12 megapixels the encoder's usual 40 frames would fill gigabytes; what people watch is encoded as ever."""
    from visiongen.exporters import Mp4Options, WebmOptions
    from visiongen.exporters.video import AHEAD_BYTES, mp4_format, webm_format

    for video_format in (mp4_format(Mp4Options()), webm_format(WebmOptions())):
        assert video_format.frames_ahead(512, 512) == video_format.most_ahead
        ahead = [video_format.frames_ahead(side, side) for side in (512, 1024, 2048, 3464, 8000)]
        assert ahead == sorted(ahead, reverse=True) and ahead[-1] >= 1
        assert ahead[-2] * 1.5 * 3464**2 < AHEAD_BYTES
