"""Makes turns.jpg: portraits turned from -45 to 45 degrees, which no picture shows and every generator must invent.

python docs/make_turns.py                                  # the sample portraits, for the page on training
python docs/make_turns.py --out /tmp/t.jpg PICTURE ...     # others
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from scipy.spatial.transform import Rotation

from visiongen import plugins
from visiongen.datatypes import MotionTrack, Portrait
from visiongen.neck import AXIS
from visiongen.pipeline import prepare_portrait, render
from visiongen.retarget import portrait_motion
from visiongen.samples import sample

HERE = Path(__file__).parent
ANGLES = (-45, -30, -15, 0, 15, 30, 45)
"""Degrees of yaw from the portrait's own pose; negative looks to the picture's left."""
SAMPLES = ("astronaut.jpg", "painting.png", "cartoon.png", "statue.png")


def turned(portrait: Portrait) -> MotionTrack:
    """The portrait's own face, turned about its neck as a head turns, the vertical axis of the picture."""
    own, count = portrait_motion(portrait), len(ANGLES)
    turns = np.array([Rotation.from_euler("y", -angle, degrees=True).as_matrix() @ own.rotation[0] for angle in ANGLES])
    shift = own.scale[0] * (AXIS @ own.rotation[0].T - turns @ AXIS)
    many = {name: np.repeat(getattr(own, name), count, axis=0) for name in ("scale", "offsets", "visible")}
    translation = (own.translation + shift[:, : own.translation.shape[1]]).astype(np.float32)
    return replace(own, rotation=turns.astype(np.float32), translation=translation, times=np.arange(count) / 25, **many)


def sheet(pictures: list[Path], generator: str, side: int) -> np.ndarray:
    """One row of angles a picture, RGB."""
    made, rows = plugins.load(plugins.choose("generator", generator)), []
    for picture in pictures:
        portrait = prepare_portrait(picture, size=512)
        batches = render(portrait, turned(portrait), generator=made, full=False)
        frames = np.concatenate([batch.pixels for batch in batches])
        rows.append(np.hstack([cv2.resize(frame, (side, side), interpolation=cv2.INTER_AREA) for frame in frames]))
    return np.vstack(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pictures", type=Path, nargs="*", metavar="PICTURE", help="default: the sample portraits")
    parser.add_argument("--generator", default="vae-gan")
    parser.add_argument("--side", type=int, default=160, help="px of a face")
    parser.add_argument("--out", type=Path, default=HERE / "turns.jpg")
    flags = parser.parse_args()
    pictures = flags.pictures or [sample(name) for name in SAMPLES]
    made = cv2.cvtColor(sheet(pictures, flags.generator, flags.side), cv2.COLOR_RGB2BGR)
    if not cv2.imwrite(str(flags.out), made, [cv2.IMWRITE_JPEG_QUALITY, 88]):
        raise SystemExit(f"{flags.out} cannot be written")


if __name__ == "__main__":
    main()
