"""Uploads: decoded before they are kept, limited, under random names, and gone when nobody needs them."""

from __future__ import annotations

import io
import time
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from films import copied_picture
from PIL import Image
from renders import sample_settings

from studio import uploads
from studio.store import Store
from studio.uploads import add_driving, add_portrait, clean_up, forget_session, upload_folder
from visiongen import extract_motion, save_motion
from visiongen.errors import MediaError
from visiongen.samples import sample


@pytest.fixture
def give(store, job_queue):
    """``give(add_portrait, data, name)`` as a page does it."""
    return lambda add, data, name: add(data, name, store=store, session="tests", ask=job_queue.ask)


def picture_bytes(width: int, height: int, kind: str = "PNG") -> bytes:
    out = io.BytesIO()
    Image.fromarray(np.full((height, width, 3), 90, np.uint8)).save(out, kind)
    return out.getvalue()


def video_bytes(
    width: int, height: int, frames: int, *, codec: str = "libx264", kind: str = "mp4", fps: int = 25
) -> bytes:
    out = io.BytesIO()
    with av.open(out, "w", format=kind) as container:
        stream = container.add_stream(codec, rate=Fraction(fps))
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for number in range(frames):
            pixels = np.full((height, width, 3), number % 256, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode(None))
    return out.getvalue()


def kept_files(store: Store) -> list[Path]:
    folder = upload_folder(store, "tests")
    return sorted(folder.iterdir()) if folder.exists() else []


def test_a_picture_is_kept_under_a_random_name(give, store):
    data = sample("cartoon.png").read_bytes()
    kept = give(add_portrait, data, "../../etc/my face.png")
    path = Path(kept.path)
    assert kept.name == "my face.png" and kept.size == (640, 640) and not kept.note
    assert path.parent == upload_folder(store, "tests") and path.read_bytes() == data
    assert "face" not in path.name and path.name != Path(give(add_portrait, data, "my face.png").path).name


def test_a_large_picture_is_scaled_down(give, monkeypatch):
    monkeypatch.setattr(uploads, "MAX_SIDE", 200)
    kept = give(add_portrait, picture_bytes(400, 100), "wide.png")
    assert kept.size == (50, 200) and "200 x 50" in kept.note
    with Image.open(kept.path) as image:
        assert image.size == (200, 50)


@pytest.mark.parametrize(
    "data, name, says",
    [
        (b"", "a.png", "empty"),
        (b"no picture at all", "a.png", "not a picture"),
        (sample("driving.mp4").read_bytes(), "a.png", "is a video"),
        (sample("cartoon.png").read_bytes()[:3000], "a.png", "damaged or cut off"),
        (picture_bytes(40, 300), "a.png", "at least 64"),
        (picture_bytes(100, 100), "a.exe", "of no kind"),
        (picture_bytes(100, 100), "a", "of no kind"),
    ],
)
def test_what_is_no_picture_is_told_and_not_kept(give, store, data, name, says):
    before = kept_files(store)
    with pytest.raises(MediaError, match=says) as caught:
        give(add_portrait, data, name)
    message = str(caught.value)
    assert name in message and str(store.root) not in message and "\n" not in message
    assert kept_files(store) == before


def test_too_many_bytes(give, monkeypatch):
    monkeypatch.setattr(uploads, "MAX_PICTURE_BYTES", 1 << 20)
    with pytest.raises(MediaError, match=r"big.png has 2 MB, but at most 1 MB"):
        give(add_portrait, bytes(2 << 20), "big.png")


def test_a_clip_is_looked_at(give):
    clip = give(add_driving, sample("driving.mp4").read_bytes(), "me.mp4")
    assert (clip.name, clip.frames, clip.fps, clip.size) == ("me.mp4", 150, 25.0, (256, 256))
    assert clip.seconds == pytest.approx(6.0) and clip.has_audio and clip.playable == clip.path and not clip.is_template


@pytest.mark.parametrize("times", [1, 3])  # of the longer one the file tells the length, and nobody has to look
def test_of_a_clip_that_breaks_off_it_is_said_how_much_is_used(give, tmp_path, times):
    path = copied_picture(sample("driving.mp4"), tmp_path / "whole.mp4", times=times)
    data = path.read_bytes()
    clip = give(add_driving, data[: len(data) // 2], "me.mp4")
    assert 0.3 * 150 * times < clip.frames < 0.8 * 150 * times
    assert clip.note.startswith(f"me.mp4 announces {6 * times}.0 s, but its picture breaks off after")
    assert f"{clip.frames} of about {150 * times} frames" in clip.note
    assert not give(add_driving, data, "me.mp4").note


def test_browsers_get_a_copy_of_what_they_cannot_play(give):
    clip = give(add_driving, video_bytes(128, 96, 12, codec="mpeg4", kind="avi"), "old.avi")
    assert clip.playable != clip.path and Path(clip.playable).suffix == ".mp4"
    with av.open(clip.playable) as container:
        stream = container.streams.video[0]
        assert stream.codec_context.name == "h264" and stream.codec_context.pix_fmt == "yuv420p"
        assert sum(1 for _ in container.decode(video=0)) == 12


@pytest.mark.parametrize(
    "data, name, says",
    [
        (b"text", "a.mp4", "a.mp4"),
        (sample("cartoon.png").read_bytes(), "a.mp4", "still picture"),
        (video_bytes(32, 32, 5), "a.mp4", "32 x 32"),
        (b"#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1/x.ts\n", "a.mp4", "a.mp4"),
        (b"PK not an archive", "a.npz", "not a motion template"),
    ],
)
def test_what_is_no_clip_is_told_and_not_kept(give, store, data, name, says):
    before = kept_files(store)
    with pytest.raises(MediaError, match=says) as caught:
        give(add_driving, data, name)
    assert str(store.root) not in str(caught.value)
    assert kept_files(store) == before


def test_too_long(give, monkeypatch):
    monkeypatch.setattr(uploads, "MAX_SECONDS", 2)
    with pytest.raises(MediaError, match="6 s long, but at most 2 s"):
        give(add_driving, sample("driving.mp4").read_bytes(), "long.mp4")


def test_a_check_that_takes_too_long_is_given_up_and_the_next_one_works(give, monkeypatch):
    monkeypatch.setattr(uploads, "CHECK_SECONDS", 0.001)
    with pytest.raises(MediaError, match="longer than"):
        give(add_driving, sample("driving.mp4").read_bytes(), "slow.mp4")
    monkeypatch.undo()
    assert give(add_portrait, picture_bytes(80, 80), "next.png").size == (80, 80)


def test_a_motion_template(give, tmp_path):
    save_motion(extract_motion(sample("driving.mp4"), end=0.4), tmp_path / "m.npz")
    kept = give(add_driving, (tmp_path / "m.npz").read_bytes(), "nod.npz")
    assert kept.is_template and kept.frames == 10 and kept.fps == pytest.approx(25)


def test_clean_up_keeps_what_runs_need(tmp_path):
    store = Store(tmp_path)
    folder = upload_folder(store, "me")
    folder.mkdir(parents=True)
    (tmp_path / "cache").mkdir()
    old, needed, cached = folder / "old.png", folder / "needed.png", tmp_path / "cache" / "x.npz"
    for path in (old, needed, cached):
        path.write_bytes(b"x")
    run = store.create(sample_settings(portrait=str(needed)), "me")
    assert clean_up(store, age=3600) == 0
    assert clean_up(store, age=3600, now=time.time() + 7200) == 2
    assert needed.exists() and not old.exists() and not cached.exists()
    store.delete(run.id)
    assert clean_up(store, age=3600, now=time.time() + 7200) == 1 and not folder.exists()


def test_forgetting_a_session(tmp_path):
    store = Store(tmp_path)
    mine, other = upload_folder(store, "me"), upload_folder(store, "../../you")
    assert other.parent == mine.parent  # a session's name cannot lead elsewhere
    for folder in (mine, other):
        folder.mkdir(parents=True)
        (folder / "a.png").write_bytes(b"x")
    forget_session(store, "me")
    assert not mine.exists() and (other / "a.png").exists()
