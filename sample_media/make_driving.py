"""Make the sample driving clip again: ``python sample_media/make_driving.py [--out FILE]``.

The project's own engine moves ``astronaut.jpg`` with a performance written down as numbers (`act_driving`), and a
synthetic voice babbles to it (`speak_babble`). Takes about a minute and needs no network. The same library versions
give the same frames. Prints the row of the table in README.md, to be copied there when the clip was changed on purpose.

It is the `warp` generator that moves the picture, so the clip does not change with the weights of the network. What a
warp cannot know, the inside of an open mouth and the skin of closed lids, is painted on copies of the portrait first.
"""

import argparse
import hashlib
import tempfile
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import av
import cv2
import numpy as np
from act_driving import FPS, SCORE, SECONDS, act, blink_curve
from speak_babble import RATE, babble

import visiongen
from visiongen import FrameBatch, Portrait, flow, media
from visiongen.exporters import Mp4Options
from visiongen.faces import Face, make_portrait
from visiongen.landmarks import INNER_LIPS, LEFT_EYE, RIGHT_EYE
from visiongen.retarget import portrait_motion

SIDE = 256
WORK_SIDE = 4 * SIDE
"""Longer side at which the picture is moved, px."""
GRID = 512
"""Cells of the motion grid: the lids and lips of a face this small close only on a finer grid than is usual."""
MOUTH, LASHES = (52, 20, 22), (70, 48, 40)
"""RGB of the shadow in the mouth and of the line where closed lids meet."""
# The skin round each eye, outside the lashes.
LIDS = (
    (130, 247, 30, 29, 27, 28, 56, 190, 243, 112, 26, 22, 23, 24, 110, 25),
    (359, 467, 260, 259, 257, 258, 286, 414, 463, 341, 256, 252, 253, 254, 339, 255),
)
HERE = Path(__file__).parent


def with_open_mouth(portrait: Portrait) -> Portrait:
    """`portrait` with a shadow under the upper teeth, so that a mouth that opens shows a mouth and not long teeth."""
    points = portrait.landmarks[:, :2].astype(float)
    upper, lower = (points[list(rim)] for rim in (INNER_LIPS[:11], (INNER_LIPS[0], *INNER_LIPS[:9:-1])))
    height, width = portrait.image.shape[:2]
    columns, rows = np.arange(width) + 0.5, np.arange(height)[:, None] + 0.5
    top, bottom = (np.interp(columns, *rim.T, left=np.nan, right=np.nan) for rim in (upper, lower))
    depth = (rows - top) / (bottom - top)  # 0 at the upper lip, 1 at the lower
    share = np.clip((depth - 0.35) / 0.4, 0, 1)
    shadow = np.where((depth > 0) & (depth < 1), 0.92 * share * share * (3 - 2 * share), 0)
    return _painted(portrait, portrait.image, shadow, MOUTH)


def with_lids(portrait: Portrait) -> Portrait:
    """`portrait` with skin over the eyes, and lashes along the lower lids."""
    skin = portrait.image
    mask, line = np.zeros((2, *skin.shape[:2]), np.uint8)
    for ring, rim in zip(LIDS, (RIGHT_EYE, LEFT_EYE), strict=True):
        outline, lower = (portrait.landmarks[list(part), :2].round().astype(np.int32) for part in (ring, rim[8:]))
        cv2.fillPoly(mask, [outline], 255)
        cv2.polylines(line, [np.concatenate([lower, portrait.landmarks[rim[0], :2].round().astype(np.int32)[None]])],
                      False, 255, 3, cv2.LINE_AA)  # fmt: skip
    skin = cv2.inpaint(skin, cv2.dilate(mask, np.ones((5, 5), np.uint8)), 6, cv2.INPAINT_TELEA)
    return _painted(portrait, skin, 0.75 * line / 255, LASHES)


def _painted(portrait: Portrait, picture: np.ndarray, share: np.ndarray, colour: tuple[int, int, int]) -> Portrait:
    """The face of `portrait` in `picture`, mixed with `colour` by `share` (H, W)."""
    share = cv2.GaussianBlur(share.astype(np.float32), (0, 0), WORK_SIDE / 700)[..., None]
    mixed = picture + share * (np.array(colour, np.float32) - picture)
    return make_portrait(np.round(mixed).astype(np.uint8), Face(portrait.landmarks), name=portrait.name)


def frames() -> Iterator[FrameBatch]:
    """The clip: eyes open, mixed with lids down while it blinks."""
    flow.GRID = GRID
    portrait = with_open_mouth(visiongen.prepare_portrait(HERE / "astronaut.jpg", size=WORK_SIDE))
    motion = act(portrait_motion(portrait))
    settings = visiongen.MotionSettings(smoothing=0.0, reference_frame=0)
    generator = visiongen.load(visiongen.choose("generator", "warp"))
    versions = (visiongen.fit_motion(version, motion, settings) for version in (portrait, with_lids(portrait)))
    streams = [visiongen.render(*version, generator=generator, full=False) for version in versions]
    for seen, lidded in zip(*streams, strict=True):
        share = np.clip((blink_curve(seen.times) - 0.3) / 0.5, 0, 1)[:, None, None, None]
        mixed = seen.pixels + share * (lidded.pixels.astype(np.float32) - seen.pixels)
        small = [cv2.resize(frame, (SIDE, SIDE), interpolation=cv2.INTER_AREA) for frame in mixed]
        yield FrameBatch(pixels=np.stack(small).round().astype(np.uint8), times=seen.times)


def save_talk(path: Path) -> None:
    """A clip of black frames with the babble as uncoded sound: where the exporter takes the sound from."""
    with av.open(str(path), "w", format="matroska") as container:
        video = container.add_stream("libx264", rate=FPS)
        video.width = video.height = 64
        audio = container.add_stream("pcm_s16le", rate=RATE, layout="mono")
        for number in range(round(SECONDS * FPS)):
            picture = av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), format="rgb24")
            picture.pts = number
            container.mux(video.encode(picture))
        sound = av.AudioFrame.from_ndarray(np.int16(32767 * babble(SCORE, SECONDS))[None], format="s16", layout="mono")
        sound.sample_rate, sound.pts = RATE, 0
        for stream, frame in ((audio, sound), (audio, None), (video, None)):
            container.mux(stream.encode(frame))


def main() -> None:
    """Make the clip and print its size and checksum."""
    parser = argparse.ArgumentParser(description="Make the sample driving clip again.")
    parser.add_argument("--out", type=Path, default=HERE / "driving.mp4", help="file to write")
    out = parser.parse_args().out
    exporter = visiongen.load(visiongen.choose("exporter", "mp4"), Mp4Options(crf=20, preset="veryslow"))
    made_by = visiongen.Provenance(
        software=f"VisionGen 3D {metadata.version('visiongen')}",
        settings={"generator": "warp", "portrait": "astronaut.jpg", "made by": "sample_media/make_driving.py"},
    )
    with tempfile.TemporaryDirectory() as folder:
        save_talk(Path(folder) / "talk.mkv")
        sound = media.probe(Path(folder) / "talk.mkv")
        exporter.export(frames(), out, fps=sound.fps, sound=sound, provenance=made_by)
    content = out.read_bytes()
    checksum = hashlib.sha256(content).hexdigest()
    print(f"| `{out.name}` | {SIDE}x{SIDE} | {len(content) / 1000:.0f} kB | `{checksum}` |")


if __name__ == "__main__":
    main()
