"""Reading pictures and videos: whatever comes in is either upright and right, or refused in one sentence."""

from __future__ import annotations

import gc
import hashlib
import io
import logging
import math
import os
import wave
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest
from films import (
    NTSC,
    beep_times,
    copied_picture,
    frame_number,
    numbered_frame,
    packet_places,
    tiny_video,
    without_rights,
)
from PIL import Image, ImageCms

from visiongen import media
from visiongen.datatypes import DrivingClip
from visiongen.errors import MediaError
from visiongen.samples import sample


def quadrants(height: int = 40, width: int = 60) -> np.ndarray:
    """A picture that looks different in each of the eight orientations."""
    image = np.full((height, width, 3), 255, np.uint8)
    image[: height // 2, : width // 2] = (200, 40, 40)
    image[: height // 2, width // 2 :] = (40, 200, 40)
    image[height // 2 :, : width // 2] = (40, 40, 200)
    return image


def numbers(clip: DrivingClip, **kwargs: int) -> list[int]:
    return [frame_number(frame) for batch in media.read_frames(clip, **kwargs) for frame in batch.pixels]


# --- pictures ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", ["png", "bmp", "tif", "ppm", "webp"])
def test_lossless_pictures_come_back_exactly(tmp_path: Path, suffix: str) -> None:
    image = quadrants(41, 67)
    Image.fromarray(image).save(tmp_path / f"a.{suffix}", **({"lossless": True} if suffix == "webp" else {}))
    read = media.read_picture(tmp_path / f"a.{suffix}")
    assert read.dtype == np.uint8 and read.flags.c_contiguous and read.flags.writeable
    np.testing.assert_array_equal(read, image)


@pytest.mark.parametrize("mode, suffix", [*((m, "png") for m in ("L", "LA", "P", "1", "RGBA")), ("CMYK", "jpg")])
def test_every_colour_mode_becomes_rgb(tmp_path: Path, mode: str, suffix: str) -> None:
    grey = np.zeros((32, 48, 3), np.uint8)
    grey[:, 24:] = 255
    Image.fromarray(grey).convert(mode).save(tmp_path / f"a.{suffix}")
    np.testing.assert_allclose(media.read_picture(tmp_path / f"a.{suffix}"), grey, atol=2)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_pictures_are_upright(tmp_path: Path, orientation: int) -> None:
    stored_from_upright = {
        1: lambda x: x,
        2: np.fliplr,
        3: lambda x: np.rot90(x, 2),
        4: np.flipud,
        5: lambda x: x.transpose(1, 0, 2),
        6: lambda x: np.rot90(x, 1),
        7: lambda x: np.rot90(x.transpose(1, 0, 2), 2),
        8: lambda x: np.rot90(x, -1),
    }
    upright = quadrants()
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = np.ascontiguousarray(stored_from_upright[orientation](upright))
    Image.fromarray(stored).save(tmp_path / "a.png", exif=exif)
    np.testing.assert_array_equal(media.read_picture(tmp_path / "a.png"), upright)


def test_sixteen_bits_are_scaled_and_not_clipped(tmp_path: Path) -> None:
    ramp = np.linspace(0, 65535, 256).astype(np.uint16)[None].repeat(20, 0)
    for path in (tmp_path / "grey.png", tmp_path / "grey.tif"):
        Image.fromarray(ramp).save(path)
        np.testing.assert_array_equal(media.read_picture(path)[0, :, 0], np.arange(256))
    cv2.imwrite(str(tmp_path / "colour.png"), np.stack([ramp, ramp, ramp // 2], axis=2))
    np.testing.assert_allclose(media.read_picture(tmp_path / "colour.png")[0, :, 2], np.arange(256), atol=1)
    assert media.read_picture(tmp_path / "colour.png")[0, -1].tolist() == [127, 255, 255]
    Image.fromarray(np.linspace(0, 1, 256, dtype=np.float32)[None].repeat(20, 0)).save(tmp_path / "float.tif")
    np.testing.assert_allclose(media.read_picture(tmp_path / "float.tif")[0, :, 0], np.arange(256), atol=1)


def test_transparency_is_laid_on_white(tmp_path: Path) -> None:
    image = Image.fromarray(quadrants()).convert("RGBA")
    image.paste((0, 0, 0, 0), (0, 0, 10, 10))
    image.paste((0, 0, 0, 128), (0, 20, 10, 30))
    image.save(tmp_path / "a.png")
    read = media.read_picture(tmp_path / "a.png")
    assert read[5, 5].tolist() == [255, 255, 255]
    assert read[5, 20].tolist() == [200, 40, 40]
    np.testing.assert_allclose(read[25, 5], 127, atol=1)
    Image.fromarray(quadrants()).save(tmp_path / "b.png", transparency=(200, 40, 40))  # one colour stands for nothing
    assert media.read_picture(tmp_path / "b.png")[5, 5].tolist() == [255, 255, 255]


def test_colour_profiles_are_applied(tmp_path: Path) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    red = Image.new("RGB", (32, 32), (255, 0, 0))
    red.save(tmp_path / "srgb.png", icc_profile=profile)
    assert media.read_picture(tmp_path / "srgb.png")[0, 0].tolist() == [255, 0, 0]
    swapped = profile.replace(b"rXYZ", b"????").replace(b"bXYZ", b"rXYZ").replace(b"????", b"bXYZ")
    swapped = swapped.replace("sRGB".encode("utf-16-be"), "xRGB".encode("utf-16-be"))
    red.save(tmp_path / "swapped.png", icc_profile=swapped)
    np.testing.assert_allclose(media.read_picture(tmp_path / "swapped.png")[0, 0], [0, 0, 255], atol=8)
    red.save(tmp_path / "junk.png", icc_profile=b"junk")
    assert media.read_picture(tmp_path / "junk.png")[0, 0].tolist() == [255, 0, 0]


@pytest.mark.parametrize("suffix", ["gif", "webp", "png"])
def test_of_an_animation_the_first_frame_is_read(tmp_path: Path, suffix: str) -> None:
    frames = [Image.new("RGB", (32, 32), colour) for colour in ("red", "blue", "green")]
    frames[0].save(tmp_path / f"a.{suffix}", save_all=True, append_images=frames[1:])
    np.testing.assert_allclose(media.read_picture(tmp_path / f"a.{suffix}")[3, 3], [255, 0, 0], atol=8)


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp", "bmp", "tif", "ppm", "gif"])
@pytest.mark.parametrize("share", [0.05, 0.5, 0.95])
def test_pictures_that_are_cut_off_are_refused(tmp_path: Path, suffix: str, share: float) -> None:
    whole = tmp_path / f"whole.{suffix}"
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)).save(whole)
    data = whole.read_bytes()
    (tmp_path / f"cut.{suffix}").write_bytes(data[: int(len(data) * share)])
    with pytest.raises(MediaError, match=r"cut\.\w+ (is damaged or cut off|is not a picture)"):
        media.read_picture(tmp_path / f"cut.{suffix}")


def make_bad_pictures(folder: Path) -> dict[str, Path]:
    bad = {name: folder / name for name in ("text.png", "tiny.png", "huge.png", "empty.png", "video.png", "phone.jpg")}
    bad["text.png"].write_text("this is no picture")
    Image.new("RGB", (1, 1)).save(bad["tiny.png"])
    head = io.BytesIO()
    Image.new("L", (16, 16)).save(head, "PNG")
    size = (60000).to_bytes(4, "big")
    chunk = b"IHDR" + size + size + head.getvalue()[24:29]
    checksum = __import__("zlib").crc32(chunk).to_bytes(4, "big")
    bad["huge.png"].write_bytes(head.getvalue()[:12] + chunk + checksum + head.getvalue()[33:])
    bad["empty.png"].write_bytes(b"")
    tiny_video(folder / "video.mp4", num_frames=4).rename(bad["video.png"])
    bad["phone.jpg"].write_bytes(b"\0\0\0\x18ftypheic" + bytes(500))
    bad["missing.png"] = folder / "missing.png"
    bad["folder"] = folder
    bad["pipe"] = folder / "pipe"
    os.mkfifo(bad["pipe"])
    return bad


def test_what_is_no_picture_is_refused_in_a_sentence(tmp_path: Path) -> None:
    expected = {
        "text.png": "not a picture that can be read",
        "tiny.png": "is 1x1 px; give one of at least 16x16",
        "huge.png": "more than 80 megapixels",
        "empty.png": "is empty",
        "video.png": "is a video; give a picture",
        "phone.jpg": "HEIC",
        "missing.png": "does not exist",
        "folder": "is a folder",
        "pipe": "not an ordinary file",
    }
    for name, path in make_bad_pictures(tmp_path).items():
        with pytest.raises(MediaError) as caught:
            media.read_picture(path)
        message = str(caught.value)
        assert expected[name] in message and str(path) in message and "\n" not in message, name


def test_files_that_may_not_be_read(tmp_path: Path) -> None:
    secret = tmp_path / "secret.png"
    secret.write_bytes(b"x")
    secret.chmod(0o000)
    for read in (media.read_picture, media.probe, media.sha256):
        with without_rights(), pytest.raises(MediaError, match="may not be read"):
            read(secret)


def test_sha256_is_that_of_the_bytes(tmp_path: Path) -> None:
    data = os.urandom(3_000_000)
    (tmp_path / "a").write_bytes(data)
    assert media.sha256(tmp_path / "a") == hashlib.sha256(data).hexdigest()


# --- videos -----------------------------------------------------------------------------------------------------------

CONTAINERS = {
    "mp4": {},
    "mov": {},
    "mkv": {},
    "ts": {},
    "flv": {},
    "webm": {"codec": "libvpx-vp9", "options": {"deadline": "realtime", "cpu-used": "8"}},
    "gif": {"codec": "gif", "pix_fmt": "rgb8", "audio": False, "fps": Fraction(25)},
}


@pytest.mark.parametrize("suffix", CONTAINERS)
def test_videos_give_every_frame_once_at_their_rate(tmp_path: Path, suffix: str) -> None:
    settings = {"fps": NTSC, "audio": True, **CONTAINERS[suffix]}
    path = tiny_video(tmp_path / f"a.{suffix}", num_frames=40, **settings)
    clip = media.probe(path)
    assert (clip.fps, clip.height, clip.width) == (settings["fps"], 48, 64)
    assert clip.has_audio == settings["audio"]
    assert abs(clip.num_frames - 40) <= 2  # where the container only knows the length of its sound
    assert numbers(clip) == list(range(40))


def test_videos_of_other_writers(tmp_path: Path) -> None:
    for name, code in (("a.avi", "MJPG"), ("a.mp4", "mp4v")):
        writer = cv2.VideoWriter(str(tmp_path / name), cv2.VideoWriter_fourcc(*code), 30000 / 1001, (64, 48))
        for number in range(40):
            writer.write(numbered_frame(number)[:, :, ::-1])
        writer.release()
        clip = media.probe(tmp_path / name)
        assert clip.fps == NTSC
        assert numbers(clip) == list(range(40))


@pytest.mark.parametrize("fps", [Fraction(24000, 1001), Fraction(15), Fraction(25), Fraction(60), Fraction(17, 2)])
def test_rates_are_exact(tmp_path: Path, fps: Fraction) -> None:
    assert media.probe(tiny_video(tmp_path / "a.mp4", fps=fps, audio=False)).fps == fps


def test_frames_come_in_batches_again_and_again(tmp_path: Path) -> None:
    clip = media.probe(tiny_video(tmp_path / "a.mp4", num_frames=33))
    for size in (1, 7, 16, 64):
        batches = list(media.read_frames(clip, batch_size=size))
        assert [len(batch) for batch in batches] == [size] * (33 // size) + ([33 % size] if 33 % size else [])
        times = np.concatenate([batch.times for batch in batches])
        np.testing.assert_allclose(times, np.arange(33) / float(clip.fps))
    with pytest.raises(ValueError, match="batch_size"):
        next(media.read_frames(clip, batch_size=0))


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="counts open files, Linux only")
def test_reading_may_be_stopped_early(tmp_path: Path) -> None:
    clip = media.probe(tiny_video(tmp_path / "a.mp4"))
    before = len(os.listdir("/proc/self/fd"))
    frames = media.read_frames(clip, batch_size=2)
    next(frames)
    frames.close()
    assert len(os.listdir("/proc/self/fd")) == before


@pytest.mark.parametrize("start, end", [(0, 0.5), (0.4, 0.41), (0.7, None), (1.001, 1.5), (0.2, 99), (1.9, 2.0)])
def test_pieces_are_exact_to_the_frame(tmp_path: Path, start: float, end: float | None) -> None:
    path = tiny_video(tmp_path / "a.mp4", num_frames=60)
    first = math.ceil(start * NTSC - 0.001)
    last = min(60, math.ceil(end * NTSC - 0.001)) if end else 60
    clip = media.probe(path, start=start, end=end)
    assert numbers(clip) == list(range(first, last))
    assert clip.num_frames == last - first
    assert clip.start == pytest.approx(first / NTSC)
    again = media.probe(path, start=clip.start, end=clip.end)  # moving to the frame is done once
    assert (again.start, again.end, again.num_frames) == (clip.start, clip.end, clip.num_frames)


@pytest.mark.parametrize("suffix", ["ts", "webm", "mkv", "flv", "gif"])
def test_pieces_are_exact_in_every_container(tmp_path: Path, suffix: str) -> None:
    settings = {"fps": Fraction(25), **CONTAINERS[suffix]}
    clip = media.probe(tiny_video(tmp_path / f"a.{suffix}", num_frames=60, **settings), start=1.2, end=2.0)
    assert numbers(clip) == list(range(30, 50))


def test_empty_pieces_are_refused_and_the_length_is_named(tmp_path: Path) -> None:
    path = tiny_video(tmp_path / "a.mp4", fps=Fraction(25), num_frames=50)
    for start, end in [(5, None), (2.0, None), (1, 0.5), (1, 1), (-1, None), (0.01, 0.02), (float("nan"), None)]:
        with pytest.raises(MediaError, match=r"a\.mp4 is 2\.00 s long"):
            media.probe(path, start=start, end=end)


@pytest.mark.parametrize("rotation", [(0,), (90,), (180,), (-90,), (0, True), (90, True), (180, True), (-90, True)])
def test_videos_are_upright(tmp_path: Path, rotation: tuple) -> None:
    path = tiny_video(tmp_path / "a.mp4", num_frames=3, rotation=rotation, audio=False)
    expected = np.rot90(numbered_frame(0), rotation[0] // 90)
    expected = expected[:, ::-1] if len(rotation) > 1 else expected
    clip = media.probe(path)
    frame = next(media.read_frames(clip)).pixels[0]
    assert frame.shape == (clip.height, clip.width, 3) == expected.shape
    assert np.abs(frame.astype(int) - expected).mean() < 12  # the codec's, at hard edges of colour


def test_pixels_are_square(tmp_path: Path) -> None:
    clip = media.probe(tiny_video(tmp_path / "a.mp4", num_frames=4, aspect=Fraction(4, 3)))
    assert (clip.height, clip.width) == (48, 85)
    assert numbers(clip) == [0, 1, 2, 3]


def test_odd_sizes(tmp_path: Path) -> None:
    clip = media.probe(tiny_video(tmp_path / "a.mp4", num_frames=5, height=47, width=65, pix_fmt="yuv444p"))
    assert (clip.height, clip.width) == (47, 65)
    assert numbers(clip) == list(range(5))


def test_variable_rates_become_constant(tmp_path: Path) -> None:
    times = np.concatenate([np.arange(20) / 30, 20 / 30 + np.arange(10) / 10, 50 / 30 + np.arange(20) / 25])
    clip = media.probe(tiny_video(tmp_path / "a.mkv", times=times, audio=False))
    read = numbers(clip)
    assert clip.fps == pytest.approx(49 / times[-1], rel=0.02)
    assert len(read) == clip.num_frames
    for index, number in enumerate(read[:-1]):
        nearest = np.abs(times - index / clip.fps)
        assert nearest[number] <= nearest.min() + 1.5e-3, index  # Matroska counts milliseconds


def test_dropped_frames_do_not_change_the_rate(tmp_path: Path) -> None:
    kept = [n for n in range(60) if n not in (20, 41, 42)]
    clip = media.probe(tiny_video(tmp_path / "a.mp4", times=[n / 30 for n in kept], audio=False))
    assert clip.fps == 30
    read = numbers(clip)
    assert len(read) == 60
    assert read[:20] == list(range(20)) and read[-10:] == list(range(47, 57))


def test_absurd_rates_are_reduced(tmp_path: Path) -> None:
    clip = media.probe(tiny_video(tmp_path / "a.mp4", fps=Fraction(240), num_frames=240, audio=False))
    assert clip.fps == 60
    assert numbers(clip) == list(range(0, 240, 4))


def test_hd_colours_without_tags_are_taken_as_players_do(tmp_path: Path) -> None:
    import av

    for height, matrix in ((480, "ITU601"), (720, "ITU709")):
        path = tmp_path / f"{height}.mp4"
        with av.open(str(path), "w") as container:
            stream = container.add_stream("libx264", rate=25, options={"crf": "1", "preset": "ultrafast"})
            stream.height, stream.width = height, 64
            for number in range(2):
                frame = av.VideoFrame.from_ndarray(np.full((height, 64, 3), (200, 50, 50), np.uint8), format="rgb24")
                frame = frame.reformat(format="yuv420p", dst_colorspace=matrix)
                frame.colorspace, frame.pts, frame.time_base = 2, number, Fraction(1, 25)
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
        frame = next(media.read_frames(media.probe(path))).pixels[0]
        np.testing.assert_allclose(frame.mean((0, 1)), [200, 50, 50], atol=2)


def make_bad_videos(folder: Path) -> dict[str, tuple[Path, str]]:
    """Name -> file and what the refusal must say."""
    import av

    def written(name: str, data: bytes) -> Path:
        (folder / name).write_bytes(data)
        return folder / name

    whole = tiny_video(folder / "whole.mp4").read_bytes()
    with av.open(str(folder / "sound.m4a"), "w", format="mp4") as container:
        stream = container.add_stream("aac", rate=48000, layout="stereo")
        frame = av.AudioFrame.from_ndarray(np.zeros((2, 4800), np.float32), format="fltp", layout="stereo")
        frame.sample_rate = 48000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    for name in ("still.png", "still.webp", "still.gif"):
        Image.new("RGB", (64, 64), "red").save(folder / name)
    frames = [Image.new("RGB", (64, 64), colour) for colour in ("red", "blue")]
    frames[0].save(folder / "moving.webp", save_all=True, append_images=frames[1:])
    tiny_video(folder / "one.mp4", num_frames=1, audio=False)
    tiny_video(folder / "wide.mp4", num_frames=2, width=4112, height=16, audio=False)
    with wave.open(str(folder / "sound.wav"), "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        file.writeframes(bytes(16000))
    noise = bytearray(whole)
    for position, size in packet_places(folder / "whole.mp4", "video"):
        noise[position : position + size] = os.urandom(size)
    playlist = f"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{folder / 'whole.mp4'}\n#EXT-X-ENDLIST\n"
    return {
        "cut.mp4": (written("cut.mp4", whole[: len(whole) // 2]), "cut off"),  # its index was at the end
        "noise.mp4": (written("noise.mp4", bytes(noise)), "(no frame|single frame|cannot be decoded)"),
        "text.mp4": (written("text.mp4", b"no video " * 50), "not a video that can be read"),
        "playlist.mp4": (written("playlist.mp4", playlist.encode()), "not a video that can be read"),
        "empty.mp4": (written("empty.mp4", b""), "is empty"),
        "sound.m4a": (folder / "sound.m4a", "no moving picture but sound"),
        "sound.wav": (folder / "sound.wav", "no moving picture but sound"),
        "still.png": (folder / "still.png", "still picture"),
        "still.webp": (folder / "still.webp", "still picture"),
        "still.gif": (folder / "still.gif", "still picture"),
        "moving.webp": (folder / "moving.webp", "animated WEBP"),
        "one.mp4": (folder / "one.mp4", "single frame"),
        "wide.mp4": (folder / "wide.mp4", "4112x16 px; scale it down to 4096x4096"),
        "missing.mp4": (folder / "missing.mp4", "does not exist"),
        "folder": (folder, "is a folder"),
        "http": (Path("http://localhost/a.mp4"), "does not exist"),
    }


def test_a_file_that_breaks_off_between_probing_and_reading(tmp_path: Path) -> None:
    path = tiny_video(tmp_path / "a.mkv", num_frames=90, audio=False)
    clip = media.probe(path, start=2.5)
    path.write_bytes(path.read_bytes()[: packet_places(path, "video")[50][0]])
    with pytest.raises(MediaError, match=r"no frame of .*a\.mkv from 2\.5"):
        list(media.read_frames(clip))
    path.unlink()
    with pytest.raises(MediaError, match="does not exist"):
        list(media.read_frames(clip))


def test_what_is_no_video_is_refused_in_a_sentence(tmp_path: Path) -> None:
    for name, (path, expected) in make_bad_videos(tmp_path).items():
        with pytest.raises(MediaError, match=expected) as caught:
            media.probe(path)
        assert str(path) in str(caught.value) and "\n" not in str(caught.value), name


def test_cover_pictures_are_no_video(tmp_path: Path) -> None:
    import av

    cover = io.BytesIO()
    Image.new("RGB", (64, 64), "red").save(cover, "PNG")
    path = tmp_path / "song.m4a"
    with av.open(str(path), "w", format="mp4") as container:
        sound = container.add_stream("aac", rate=48000, layout="stereo")
        picture = container.add_mux_stream("png", width=64, height=64)
        picture.disposition = av.stream.Disposition.attached_pic
        frame = av.AudioFrame.from_ndarray(np.zeros((2, 48000), np.float32), format="fltp", layout="stereo")
        frame.sample_rate = 48000
        packets = [*sound.encode(frame), *sound.encode(None)]
        packet = av.Packet(cover.getvalue())
        packet.stream, packet.pts, packet.dts, packet.time_base = picture, 0, 0, Fraction(1, 1000)
        for each in (packet, *packets):
            container.mux(each)
    with pytest.raises(MediaError, match="no moving picture but sound"):
        media.probe(path)


def test_of_a_video_that_breaks_off_the_rest_is_used(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tiny_video(tmp_path / "a.mkv", num_frames=90, audio=False)
    places = packet_places(path, "video")
    path.write_bytes(path.read_bytes()[: places[50][0] + 20])
    with caplog.at_level(logging.WARNING):
        read = numbers(media.probe(path))
    assert len(read) >= 45 and read == list(range(len(read)))
    assert caplog.records and "a.mkv" in caplog.text
    with pytest.raises(MediaError, match=r"nothing from 2\.5 s"):
        media.probe(path, start=2.5)


@pytest.mark.parametrize(("frames", "to_end"), [(90, False), (400, True)])
def test_how_much_can_be_read_of_a_video_that_breaks_off_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, frames: int, to_end: bool
) -> None:
    whole = tiny_video(tmp_path / "whole.mp4", num_frames=frames, fps=Fraction(25), audio=False, options={"bf": "0"})
    path = copied_picture(whole, tmp_path / "a.mp4")
    half = frames // 2
    path.write_bytes(path.read_bytes()[: packet_places(path, "video")[half][0]])
    with caplog.at_level(logging.WARNING):
        clip = media.probe(path, to_end=to_end)
    assert clip.num_frames == half
    told = f"announces {frames / 25:.1f} s, but its picture breaks off after {half / 25:.1f} s: {half} of about {frames} frames"
    assert told in caplog.text
    assert numbers(clip) == list(range(half))


@pytest.mark.parametrize("stands", [0.1, 4.0])
def test_a_last_frame_that_stands_is_no_break(tmp_path: Path, caplog: pytest.LogCaptureFixture, stands: float) -> None:
    import av

    whole = tiny_video(tmp_path / "whole.mp4", num_frames=50, audio=False, options={"bf": "0"})
    path = copied_picture(whole, tmp_path / "screen.mp4", stands=stands)
    with caplog.at_level(logging.WARNING):
        clip = media.probe(path, to_end=True)
    assert not caplog.records and clip.num_frames is not None and clip.num_frames >= 50
    with av.open(str(path)) as container:  # what the file announces
        assert container.duration / 1e6 == pytest.approx(49 / NTSC + stands, abs=0.05)


def test_damage_in_the_middle_does_not_stop_a_video(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tiny_video(tmp_path / "a.mp4", num_frames=60, audio=False, options={"bf": "0"})
    data = bytearray(path.read_bytes())
    for position, size in packet_places(path, "video")[25:28]:
        data[position + 4 : position + size] = bytes([255]) * (size - 4)
    path.write_bytes(data)
    with caplog.at_level(logging.WARNING):
        read = numbers(media.probe(path))
    assert len(read) == 60 and read[:25] == list(range(25)) and read[-20:] == list(range(40, 60))


def test_a_hole_in_a_long_video_makes_it_no_longer(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = copied_picture(sample("driving.mp4"), tmp_path / "a.mp4", times=4)
    places = packet_places(path, "video")
    begin, end = places[270][0], places[320][0]
    data = bytearray(path.read_bytes())
    data[begin:end] = bytes(end - begin)  # of B-frames too: behind it the decoder gives two frames the wrong way round
    path.write_bytes(data)
    clip = media.probe(path)
    with caplog.at_level(logging.WARNING):
        assert sum(len(batch) for batch in media.read_frames(clip)) == clip.num_frames
    assert "is damaged" in caplog.text


def test_sound_is_where_the_picture_is(tmp_path: Path) -> None:
    for delay in (0.0, 0.25):
        path = tiny_video(tmp_path / f"{delay}.mp4", num_frames=90, audio_delay=delay)
        for start in (0.0, 0.4, 1.7):
            clip = media.probe(path, start=start, end=2.7)
            lead = media.write_sound(clip, tmp_path / "a.wav")
            with wave.open(str(tmp_path / "a.wav")) as file:
                assert (file.getframerate(), file.getnchannels()) == (media.SOUND_RATE, 2)
                samples = np.frombuffer(file.readframes(file.getnframes()), np.int16).reshape(-1, 2) / 32768
            heard = beep_times(samples[:, 0], media.SOUND_RATE) - lead + clip.start
            heard = heard[heard > max(start, delay) + 0.02]
            np.testing.assert_allclose(heard, np.round(heard * 2) / 2, atol=0.015)
            assert len(heard) >= 2 and 0 <= lead < 2


def test_frames_that_were_read_are_let_go_at_once(tmp_path: Path) -> None:
    """Decoded frames of large films have tens of megabytes each: none may wait for Python to look for circles."""
    clip = media.probe(tiny_video(tmp_path / "a.mp4", num_frames=60))
    gc.collect()
    gc.disable()
    try:
        assert sum(len(batch) for batch in media.read_frames(clip)) == 60
        alive = [one for one in gc.get_objects() if type(one).__name__ == "VideoFrame"]
    finally:
        gc.enable()
    assert len(alive) <= 4, f"{len(alive)} frames are still there"
