"""Makes cross.jpg: every portrait moved by a driving clip, in the frames that ask most of a generator.

python docs/make_cross.py                                              # the samples, for the page on training
python docs/make_cross.py --clips A.mp4 B.mp4 --out /tmp/x.jpg PICTURE ...   # others

The frames are those in which the driver's mouth is widest, the eyes are most closed and most open, and the head is turned
furthest to either side, up and down. The driver is in the first row of each clip, the portraits as they are in the first
column.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from visiongen import media, plugins
from visiongen.datatypes import MotionTrack
from visiongen.eyeballs import EYES, eye_opening
from visiongen.motion import place
from visiongen.pipeline import extract_motion, fit_motion, prepare_portrait, render
from visiongen.pose import euler_angles
from visiongen.samples import sample

HERE = Path(__file__).parent
SAMPLES = ("astronaut.jpg", "painting.png", "cartoon.png", "statue.png")


def telling_frames(motion: MotionTrack) -> list[int]:
    """Indices of frames with the most extreme mouth, eyes and pose."""
    points = place(motion).points
    mouth = np.linalg.norm(points[:, 13] - points[:, 14], axis=-1) / motion.scale
    eyes = np.array([np.mean([eye_opening(frame, ring) for ring, _ in EYES]) for frame in points])
    yaw, pitch, _ = euler_angles(motion.rotation.astype(np.float64)).T
    return [
        int(i)
        for i in (
            mouth.argmax(),
            eyes.argmin(),
            eyes.argmax(),
            *(f(x) for x in (yaw, pitch) for f in (np.argmin, np.argmax)),
        )
    ]


def chosen(motion: MotionTrack, frames: list[int]) -> MotionTrack:
    """Those frames of a motion, and no clip: nothing can be registered."""
    fields = ("rotation", "translation", "scale", "offsets", "visible", "times")
    parts = {name: getattr(motion, name)[frames] for name in fields}
    return replace(motion, clip=None, **parts | {"times": np.arange(len(frames)) / 25})


def sheet(clip: Path, pictures: list[Path], generator: str, side: int) -> np.ndarray:
    """The driver's row and one row a picture, RGB."""
    motion = extract_motion(clip)
    frames = telling_frames(motion)

    def small(picture: np.ndarray) -> np.ndarray:
        return cv2.resize(picture, (side, side), interpolation=cv2.INTER_AREA)

    driver = np.concatenate([batch.pixels for batch in media.read_frames(media.probe(clip), batch_size=8)])
    rows = [np.hstack([np.full((side, side, 3), 235, np.uint8), *(small(driver[i]) for i in frames)])]
    made = plugins.load(plugins.choose("generator", generator))
    for picture in pictures:
        portrait, fitted = fit_motion(prepare_portrait(picture, size=512), motion)
        batches = render(portrait, chosen(fitted, frames), generator=made, full=False)
        rows.append(
            np.hstack([small(frame) for frame in (portrait.crop, *(f for batch in batches for f in batch.pixels))])
        )
    return np.vstack(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pictures", type=Path, nargs="*", metavar="PICTURE", help="default: the sample portraits")
    parser.add_argument("--clips", type=Path, nargs="+", metavar="CLIP", help="default: the sample clip")
    parser.add_argument("--generator", default="vae-gan")
    parser.add_argument("--side", type=int, default=160, help="px of a face")
    parser.add_argument("--out", type=Path, default=HERE / "cross.jpg")
    flags = parser.parse_args()
    pictures = flags.pictures or [sample(name) for name in SAMPLES]
    clips = flags.clips or [sample("driving.mp4")]
    made = np.vstack([sheet(clip, pictures, flags.generator, flags.side) for clip in clips])
    if not cv2.imwrite(str(flags.out), made[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 88]):
        raise SystemExit(f"{flags.out} cannot be written")


if __name__ == "__main__":
    main()
