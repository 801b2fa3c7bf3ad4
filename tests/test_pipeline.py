"""End to end on a tiny real clip: a portrait and a driving video in, a file worth keeping or nothing out."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest
from builders import astronaut, astronaut_portrait, moving_head, random_faces, self_made_motion, write_clip
from films import beep_times
from PIL import Image

import visiongen
from visiongen import media
from visiongen.datatypes import FrameBatch, MotionTrack, Portrait
from visiongen.enhancers import SharpenOptions
from visiongen.errors import MediaError, NoFaceError, PluginError, VisionGenError
from visiongen.exporters import PngOptions
from visiongen.generators.warp import WarpGenerator
from visiongen.marking.settings import MarkSettings
from visiongen.motion import motion_from_landmarks, piece, place
from visiongen.pipeline import Choice, animate, extract_motion, fit_motion, prepare_portrait, render, unusual
from visiongen.retarget import MotionSettings

NUM_FRAMES = 24


@pytest.fixture(scope="module")
def media_folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("media")
    write_clip(folder / "driving.mp4", moving_head(NUM_FRAMES), audio=True)
    Image.fromarray(astronaut()[:187, 20:221]).save(folder / "odd.png")  # 201 x 187
    Image.fromarray(astronaut()[:60, :60]).save(folder / "wall.png")
    write_clip(folder / "wall.mp4", np.full((6, 96, 96, 3), 90, np.uint8))
    first = next(media.read_frames(media.probe(folder / "driving.mp4"), batch_size=1)).pixels[0]
    Image.fromarray(first).save(folder / "first.png")
    return folder


@pytest.fixture(scope="module")
def motion(media_folder) -> MotionTrack:
    """Of the driving clip, found once."""
    return extract_motion(media_folder / "driving.mp4")


def frames_of(path: Path) -> np.ndarray:
    return np.concatenate([batch.pixels for batch in media.read_frames(media.probe(path))])


def sound_of(path: Path) -> tuple[np.ndarray, int]:
    import av

    with av.open(str(path)) as container:
        stream = container.streams.audio[0]
        return np.concatenate([frame.to_ndarray().mean(0) for frame in container.decode(stream)]), stream.rate


# --- the main job -----------------------------------------------------------------------------------------------------


def test_a_portrait_follows_a_clip(media_folder, tmp_path):
    reports: list[tuple[str, int, int | None]] = []
    out = tmp_path / "result.mp4"
    animation = animate(
        media_folder / "odd.png",
        media_folder / "driving.mp4",
        out,
        generator="warp",
        progress=lambda *report: reports.append(report),
    )
    assert animation.path == out and animation.num_frames == NUM_FRAMES and animation.fps == 25
    clip = media.probe(out)
    assert (clip.height, clip.width) == (188, 202)  # the portrait's size, made even
    assert clip.fps == Fraction(25) and clip.has_audio
    frames = frames_of(out)
    assert len(frames) == NUM_FRAMES and np.abs(np.diff(frames.astype(int), axis=0)).max() > 20
    assert [path.name for path in tmp_path.iterdir()] == ["result.mp4"]

    stages = [stage for stage, *_ in reports]
    assert stages == sorted(stages, key=["landmarks", "render"].index)
    for stage in ("landmarks", "render"):
        counts = [done for name, done, _ in reports if name == stage]
        assert counts == sorted(counts) and counts[-1] == NUM_FRAMES
        assert {total for name, _, total in reports if name == stage} == {NUM_FRAMES}


def test_the_sound_is_kept_in_time(media_folder, tmp_path, motion):
    animate(media_folder / "odd.png", motion, tmp_path / "a.mp4", generator="warp")
    before, after = (beep_times(*sound_of(path)) for path in (media_folder / "driving.mp4", tmp_path / "a.mp4"))
    np.testing.assert_allclose(after, before, atol=0.02)


def test_absolute_and_full_lies_over_the_clip(media_folder, tmp_path, motion):
    animate(
        media_folder / "first.png",
        motion,
        tmp_path / "a.mp4",
        generator="warp",
        settings=MotionSettings(mode="absolute"),
        marks=MarkSettings(mark="none", watermark=False),
    )
    real, made = frames_of(media_folder / "driving.mp4").astype(int), frames_of(tmp_path / "a.mp4").astype(int)
    assert made.shape == real.shape
    assert np.abs(made[0] - real[0]).mean() < 1.5
    face = np.s_[:, 60:190, 75:185]
    copied, moved = (np.abs(x - real)[face].mean() for x in (real[:1], made))
    assert moved < 0.6 * copied


def test_the_head_really_moves_like_the_drivers(media_folder, tmp_path, motion):
    from visiongen.landmarks import track

    animate(media_folder / "first.png", motion, tmp_path / "a.mp4", generator="warp")
    result, driver = (
        points[:, :468, :2] - points[:, :468, :2].mean(0)
        for points in (track(media.probe(tmp_path / "a.mp4")).points, place(motion).points)
    )
    # All points together: the chin alone, near the axis it turns about, moves by less than two pixels.
    assert np.corrcoef(result.ravel(), driver.ravel())[0, 1] > 0.9
    assert 0.7 < result.std() / driver.std() < 1.2
    assert np.corrcoef(result[:, 1, 0], driver[:, 1, 0])[0, 1] > 0.95  # the nose, which moves most


def test_the_default_generator_makes_a_video(media_folder, tmp_path):
    animation = visiongen.animate(
        str(media_folder / "odd.png"),
        str(media_folder / "driving.mp4"),
        str(tmp_path / "a.mp4"),
        end=0.12,
        device="cpu",
    )
    assert animation.provenance.settings["generator"]["name"] == "vae-gan"
    assert len(frames_of(tmp_path / "a.mp4")) == 3


def test_how_it_was_made_is_returned_and_written(media_folder, tmp_path):
    import av

    options = SharpenOptions(amount=1.0)
    animation = animate(
        media_folder / "odd.png",
        media_folder / "driving.mp4",
        tmp_path / "a.mp4",
        generator="warp",
        enhancers=["colour", Choice(name="sharpen", options=options)],
        settings=MotionSettings(mouth=0.5),
        end=0.2,
        seed=7,
    )
    settings = animation.provenance.settings
    assert settings["generator"]["name"] == "warp" and settings["seed"] == 7 and settings["end"] == 0.2
    assert [e["name"] for e in settings["enhancer"]] == ["colour", "sharpen"]
    assert settings["enhancer"][1]["options"]["amount"] == 1.0 and settings["motion"]["mouth"] == 0.5
    assert settings["portrait"] == {"name": "odd.png", "sha256": media.sha256(media_folder / "odd.png")}
    assert animation.provenance.synthetic and animation.provenance.software.startswith("VisionGen 3D ")
    with av.open(str(tmp_path / "a.mp4")) as container:
        written = json.loads(container.metadata["comment"])
    assert len(settings.pop("frames_sha256")) == 64  # known only when the last frame has passed
    assert written["settings"] == json.loads(json.dumps(settings)) and written["synthetic"] is True
    assert str(media_folder) not in container.metadata["comment"]


@pytest.mark.parametrize("name", ["a.gif", "a.webp", "a.webm", "frames"])
def test_other_endings_choose_other_formats(media_folder, tmp_path, motion, name):
    short = piece(motion, slice(0, 4))
    animation = animate(media_folder / "odd.png", short, tmp_path / name, generator="warp", device="cpu")
    assert animation.num_frames == 4 and (tmp_path / name).exists()
    beside = ["a.c2pa"] if name == "a.webm" else []  # its signed manifest
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([name, *beside])


def test_an_exporter_may_be_named(media_folder, tmp_path, motion):
    short = piece(motion, slice(0, 2))
    choice = Choice(name="png", options=PngOptions(compression=1))
    animate(media_folder / "odd.png", short, tmp_path / "out", generator="warp", exporter=choice)
    assert (tmp_path / "out" / "frame_000000.png").exists()


def test_the_same_settings_give_the_same_frames(media_folder, tmp_path, motion):
    short = piece(motion, slice(0, 6))
    for name in "ab":
        animate(media_folder / "odd.png", short, tmp_path / name, generator="warp", device="cpu")
    for path in sorted((tmp_path / "a").glob("*.png")):
        np.testing.assert_array_equal(media.read_picture(path), media.read_picture(tmp_path / "b" / path.name))


# --- sizes and pieces -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("full, size, shape", [(True, 100, (94, 100)), (False, 64, (64, 64))])
def test_the_longer_side_can_be_chosen(media_folder, tmp_path, motion, full, size, shape):
    short = piece(motion, slice(0, 3))
    animation = animate(media_folder / "odd.png", short, tmp_path / "a.mp4", generator="warp", full=full, size=size)
    clip = media.probe(tmp_path / "a.mp4")
    assert (clip.height, clip.width) == shape
    assert abs(animation.height - shape[0]) <= 1 and abs(animation.width - shape[1]) <= 1


def test_the_crop_alone(media_folder, tmp_path, motion):
    short = piece(motion, slice(0, 3))
    animate(media_folder / "odd.png", short, tmp_path / "a.mp4", generator="warp", full=False)
    clip = media.probe(tmp_path / "a.mp4")
    assert clip.height == clip.width


def test_a_piece_of_the_clip(media_folder, tmp_path):
    animation = animate(
        media_folder / "odd.png", media_folder / "driving.mp4", tmp_path / "a.mp4", generator="warp", start=0.2, end=0.6
    )
    assert animation.num_frames == 10
    samples, rate = sound_of(tmp_path / "a.mp4")
    np.testing.assert_allclose(beep_times(samples, rate)[0], 0.3, atol=0.03)  # the tone at 0.5 s


def test_a_template_instead_of_a_clip(media_folder, tmp_path, motion):
    visiongen.save_motion(motion, tmp_path / "nod.npz")
    animation = animate(media_folder / "odd.png", tmp_path / "nod.npz", tmp_path / "a.mp4", generator="warp", start=0.4)
    assert animation.num_frames == NUM_FRAMES - 10 and animation.fps == 25
    assert not media.probe(tmp_path / "a.mp4").has_audio
    piece = extract_motion(tmp_path / "nod.npz", start=0.4, end=0.8)
    assert len(piece) == 10 and piece.times[0] == 0
    np.testing.assert_allclose(piece.scale, motion.scale[10:20], atol=1e-3)
    with pytest.raises(MediaError, match=r"nod\.npz: it is 0\.92 s long, so it has nothing from 5 s to the end"):
        extract_motion(tmp_path / "nod.npz", start=5)


def test_prepared_things_are_taken(tmp_path, motion, media_folder):
    portrait = prepare_portrait(media_folder / "odd.png")
    animation = animate(portrait, motion, tmp_path / "a.mp4", generator="warp")
    assert animation.num_frames == NUM_FRAMES
    animate(np.asarray(astronaut()), piece(motion, slice(0, 2)), tmp_path / "b.mp4", generator="warp")
    assert (tmp_path / "b.mp4").exists()


def test_fractional_rates_are_kept(tmp_path, motion):
    rate = Fraction(30000, 1001)
    ntsc = replace(motion, clip=None, times=np.arange(NUM_FRAMES) / float(rate))
    assert animate(astronaut_portrait(), ntsc, tmp_path / "a.mp4", generator="warp").fps == rate
    assert media.probe(tmp_path / "a.mp4").fps == rate


# --- whole or not at all ----------------------------------------------------------------------------------------------


def test_what_exists_is_not_overwritten(media_folder, tmp_path, motion):
    (tmp_path / "a.mp4").write_bytes(b"mine")
    (tmp_path / "frames").mkdir()
    (tmp_path / "frames" / "letter.txt").write_text("mine")
    for name in ("a.mp4", "frames"):
        with pytest.raises(MediaError, match=name):
            animate(media_folder / "odd.png", motion, tmp_path / name, generator="warp")
    assert (tmp_path / "a.mp4").read_bytes() == b"mine"
    short = piece(motion, slice(0, 2))
    animate(media_folder / "odd.png", short, tmp_path / "a.mp4", generator="warp", overwrite=True)
    assert media.probe(tmp_path / "a.mp4").num_frames == 2
    with pytest.raises(MediaError, match=r"letter\.txt"):
        animate(media_folder / "odd.png", short, tmp_path / "frames", generator="warp", overwrite=True)


def test_a_folder_of_frames_is_replaced_when_asked(media_folder, tmp_path, motion):
    for count in (4, 2):
        short = piece(motion, slice(0, count))
        animate(media_folder / "odd.png", short, tmp_path / "frames", generator="warp", overwrite=True)
    assert len(list((tmp_path / "frames").glob("frame_*.png"))) == 2


class Stop(BaseException):
    """Like KeyboardInterrupt, but not taken by pytest."""


@pytest.mark.parametrize("name", ["a.mp4", "a.gif", "a.webp", "frames"])
@pytest.mark.parametrize("stage, done", [("landmarks", 5), ("render", 8)])
def test_stopping_leaves_nothing(media_folder, tmp_path, motion, stage, done, name):
    def stop(now: str, count: int, _: int | None) -> None:
        if now == stage and count >= done:
            raise Stop

    driving = media_folder / "driving.mp4" if stage == "landmarks" else motion
    with pytest.raises(Stop):
        animate(media_folder / "odd.png", driving, tmp_path / name, generator="warp", progress=stop)
    assert not list(tmp_path.iterdir())


def test_stopping_keeps_what_was_there(media_folder, tmp_path, motion):
    (tmp_path / "a.mp4").write_bytes(b"mine")

    def stop(*_) -> None:
        raise Stop

    with pytest.raises(Stop):
        animate(media_folder / "odd.png", motion, tmp_path / "a.mp4", generator="warp", progress=stop, overwrite=True)
    assert (tmp_path / "a.mp4").read_bytes() == b"mine" and len(list(tmp_path.iterdir())) == 1


# --- what cannot be done ----------------------------------------------------------------------------------------------


def test_pictures_and_clips_without_a_face(media_folder, tmp_path):
    with pytest.raises(NoFaceError, match=r"wall\.png: no face was found"):
        animate(media_folder / "wall.png", media_folder / "driving.mp4", tmp_path / "a.mp4", generator="warp")
    with pytest.raises(NoFaceError, match=r"wall\.mp4: no face in any of its 6 frames"):
        animate(media_folder / "odd.png", media_folder / "wall.mp4", tmp_path / "a.mp4", generator="warp")
    with pytest.raises(NoFaceError, match=r"odd\.png: there is no face number 3; it shows 1"):
        animate(media_folder / "odd.png", media_folder / "driving.mp4", tmp_path / "a.mp4", generator="warp", face=3)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "wrong, error, message",
    [
        ({"generator": "wrap"}, PluginError, "no generator named 'wrap' .*did you mean 'warp'"),
        ({"enhancers": ["sharpener"]}, PluginError, "no enhancer named 'sharpener'"),
        ({"exporter": "avi"}, PluginError, "no exporter named 'avi'"),
        ({"out": "a.xyz"}, PluginError, r"no exporter writes 'a\.xyz'"),
        ({"out": "none/a.mp4"}, MediaError, "does not exist"),
        ({"device": "tpu"}, VisionGenError, "unknown device 'tpu'; choose one of: auto, cpu, cuda"),
        ({"enhancers": [Choice(name="sharpen", options=SharpenOptions(amount=99))]}, PluginError, "amount"),
        ({"generator": Choice(name="warp", options=SharpenOptions())}, PluginError, "takes NoOptions"),
        ({"portrait": "none.png"}, MediaError, r"none\.png does not exist"),
        ({"driving": "none.mp4"}, MediaError, r"none\.mp4 does not exist"),
        ({"driving": "odd.png"}, MediaError, "is a still picture"),
        ({"portrait": "driving.mp4"}, MediaError, "is a video; give a picture"),
        ({"start": 60.0}, MediaError, "give a start within it"),
        ({"settings": MotionSettings(reference_frame=500)}, VisionGenError, r"driving\.mp4: reference frame 500"),
    ],
    ids=lambda value: str(value)[:40] if isinstance(value, dict) else "",
)
def test_each_mistake_gets_one_sentence_and_leaves_nothing(media_folder, tmp_path, wrong, error, message):
    paths = {"portrait": "odd.png", "driving": "driving.mp4", "out": "a.mp4"} | wrong
    portrait, driving, out = media_folder / paths.pop("portrait"), media_folder / paths.pop("driving"), paths.pop("out")
    with pytest.raises(error, match=message) as caught:
        animate(portrait, driving, tmp_path / out, **({"generator": "warp"} | paths))
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_wrong_names_are_found_before_the_work_begins(media_folder, tmp_path):
    def never(*report) -> None:
        pytest.fail(f"work began: {report}")

    with pytest.raises(PluginError):
        animate(
            media_folder / "odd.png",
            media_folder / "driving.mp4",
            tmp_path / "a.mp4",
            enhancers=["none"],
            progress=never,
        )


def test_cuda_is_asked_for_and_not_there(media_folder, tmp_path):
    import torch

    if torch.cuda.is_available():
        pytest.skip("there is a CUDA GPU")
    with pytest.raises(VisionGenError, match="finds no CUDA GPU"):
        animate(media_folder / "odd.png", media_folder / "driving.mp4", tmp_path / "a.mp4", device="cuda")


# --- stages -----------------------------------------------------------------------------------------------------------


def test_a_portrait_of_several_sizes(tmp_path):
    for side in (40, 120, 256, 1600):
        portrait = prepare_portrait(cv2.resize(astronaut(), (side, side), interpolation=cv2.INTER_AREA))
        assert portrait.image.shape == (side, side, 3)
    assert prepare_portrait(np.asarray(astronaut()), size=128).image.shape == (128, 128, 3)
    assert prepare_portrait(np.asarray(astronaut())).name == "the picture"


def test_the_crop_is_widened_to_where_the_face_will_move():
    portrait = prepare_portrait(np.pad(astronaut(), ((60, 60), (200, 300), (0, 0)), mode="edge"))
    motion = self_made_motion(astronaut_portrait(), 30)
    shift = np.zeros((30, 3), np.float32)
    shift[:, 0] = np.linspace(0, 1.5, 30)
    widened, fitted = fit_motion(portrait, replace(motion, translation=motion.translation + shift))
    points = place(fitted).points[:, :468, :2]
    left, top = widened.image_from_crop[:, 2]
    side = widened.crop.shape[0]
    assert side > portrait.crop.shape[0]
    inside = (points > [left, top]) & (points < [left + side, top + side])
    assert inside.mean() > 0.98
    np.testing.assert_array_equal(widened.landmarks, portrait.landmarks)


class Watched:
    """A generator that knows when it was stopped."""

    def __init__(self) -> None:
        self.batches, self.stopped = 0, False

    def render(self, portrait: Portrait, motion: MotionTrack) -> Iterator[FrameBatch]:
        try:
            for batch in WarpGenerator().render(portrait, motion):
                self.batches += 1
                yield batch
        finally:
            self.stopped = True


@pytest.mark.parametrize("full", [True, False])
@pytest.mark.parametrize("enhancers", [(), ("deflicker", "colour", "sharpen")])
def test_render_streams_and_closing_it_stops_the_generator(motion, full, enhancers):
    from visiongen import plugins

    generator = Watched()
    loaded = [plugins.load(plugins.choose("enhancer", name)) for name in enhancers]
    source, fitted = fit_motion(astronaut_portrait(), motion)
    frames = render(source, fitted, generator=generator, enhancers=loaded, full=full)
    assert generator.batches == 0  # nothing happens before the first frame is asked for
    batch = next(iter(frames))
    assert batch.pixels.shape[1:] == (source.image.shape if full else source.crop.shape)
    assert generator.batches <= 3
    frames.close()
    assert generator.stopped


class Plain:
    """A plugin's generator that returns an iterator without `close`."""

    def render(self, portrait: Portrait, motion: MotionTrack) -> Iterator[FrameBatch]:
        return iter(list(WarpGenerator().render(portrait, motion)))


def test_a_plugins_iterator_need_not_be_a_generator(motion):
    source, fitted = fit_motion(astronaut_portrait(), piece(motion, slice(0, 5)))
    assert sum(len(batch) for batch in render(source, fitted, generator=Plain())) == 5


def test_twelve_megapixels_travel_one_by_one():
    large = cv2.resize(astronaut(), (3464, 3464), interpolation=cv2.INTER_CUBIC)
    portrait = prepare_portrait(large)
    source, fitted = fit_motion(portrait, self_made_motion(portrait, 2))
    batches = list(render(source, fitted, generator=WarpGenerator()))
    assert [batch.pixels.shape for batch in batches] == [(1, 3464, 3464, 3)] * 2


def test_unusual_clips_are_reported(motion):
    portrait = astronaut_portrait()
    assert unusual(portrait, motion, fit_motion(portrait, motion)[1]) == []
    lost = replace(motion, visible=np.arange(NUM_FRAMES) > 4)
    assert any("no face was seen in 5 of 24 frames" in text for text in unusual(portrait, lost, motion))
    wild = motion_from_landmarks(visiongen_track())
    assert unusual(portrait, wild, wild)


def visiongen_track():
    from builders import face, placed, rotation, seen

    return seen(np.stack([placed(face(), turn=rotation(yaw=70), centre=(400, 128))] * 3))


def test_no_thread_is_left_behind(media_folder, tmp_path):
    before = set(threading.enumerate())
    animate(media_folder / "odd.png", media_folder / "driving.mp4", tmp_path / "a.mp4", generator="warp", end=0.2)
    assert {thread for thread in threading.enumerate() if "landmarks" in thread.name} <= before


# --- memory -----------------------------------------------------------------------------------------------------------

MEASURE = """
import resource, sys
import visiongen
from visiongen.generators.warp import WarpGenerator
animation = visiongen.animate(sys.argv[1], sys.argv[2], sys.argv[3], generator="warp", device="cpu")
print(animation.num_frames, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="ru_maxrss has another unit elsewhere")
def test_memory_does_not_depend_on_the_length_of_the_clip(media_folder, tmp_path):
    """Peak memory of 16 s within 10 % of that of 4 s."""
    peaks = {}
    frames = moving_head(NUM_FRAMES)
    for seconds in (4, 16):
        clip = write_clip(tmp_path / f"{seconds}.mp4", [frames[i % NUM_FRAMES] for i in range(25 * seconds)])
        arguments = [media_folder / "odd.png", clip, tmp_path / f"out{seconds}.mp4"]
        environment = os.environ | {"VISIONGEN_PLUGINS": ""}
        done = subprocess.run(
            [sys.executable, "-c", MEASURE, *map(str, arguments)],
            capture_output=True,
            text=True,
            env=environment,
            check=True,
        )
        count, peaks[seconds] = map(int, done.stdout.split())
        assert count == 25 * seconds
    assert peaks[16] < 1.1 * peaks[4]


def test_a_track_of_random_faces_can_be_rendered_at_all():
    """Nonsense in, frames out: nothing in the middle may crash."""
    from builders import seen

    portrait = astronaut_portrait()
    source, fitted = fit_motion(portrait, motion_from_landmarks(seen(random_faces(8))))
    assert sum(len(batch) for batch in render(source, fitted, generator=WarpGenerator())) == 8
