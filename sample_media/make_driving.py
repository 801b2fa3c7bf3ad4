"""Make the sample driving clip again: ``python sample_media/make_driving.py [--generator NAME] [--out FILE]``.

The project's own engine moves ``astronaut.jpg`` with a performance written down as numbers (`act_driving`), and a
synthetic voice babbles to it (`speak_babble`). Takes about half a minute and needs no network. The same library
versions and weights give the same frames. Prints the row of the table in README.md, to be copied there when the clip was
changed on purpose.
"""

import argparse
import hashlib
import tempfile
from dataclasses import replace
from pathlib import Path

import av
import cv2
import numpy as np
from act_driving import FPS, SCORE, SECONDS, act
from speak_babble import RATE, babble

import visiongen
from visiongen import flow, media
from visiongen.exporters import Mp4Options
from visiongen.faces import Face, make_portrait
from visiongen.landmarks import INNER_LIPS
from visiongen.retarget import portrait_motion

SIDE = 256
GRID = 512
"""Cells of the motion grid: the lids and lips of a face this small close only on a finer grid than is usual."""
MOUTH_COLOUR = np.array([52, 20, 22], np.float32)
"""RGB of the shadow inside the mouth."""
HERE = Path(__file__).parent


def open_mouthed(portrait: visiongen.Portrait) -> visiongen.Portrait:
    """`portrait` with a shadow under the upper teeth, so that a mouth that opens shows a mouth and not long teeth."""
    points = portrait.landmarks[:, :2].astype(float)
    upper, lower = (points[list(rim)] for rim in (INNER_LIPS[:11], (INNER_LIPS[0], *INNER_LIPS[:9:-1])))
    height, width = portrait.image.shape[:2]
    columns, rows = np.arange(width) + 0.5, np.arange(height)[:, None] + 0.5
    top, bottom = (np.interp(columns, *rim.T, left=np.nan, right=np.nan) for rim in (upper, lower))
    depth = (rows - top) / (bottom - top)  # 0 at the upper lip, 1 at the lower
    share = np.clip((depth - 0.35) / 0.4, 0, 1)
    shadow = np.where((depth > 0) & (depth < 1), 0.92 * share * share * (3 - 2 * share), 0).astype(np.float32)
    shadow = cv2.GaussianBlur(shadow, (0, 0), width / 700)[..., None]
    picture = np.round(portrait.image + shadow * (MOUTH_COLOUR - portrait.image)).astype(np.uint8)
    return make_portrait(picture, Face(portrait.landmarks), name=portrait.name)


def save_talk(path: Path) -> None:
    """A clip of black frames with the babble as uncoded sound: where the engine takes the sound from."""
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


def make(out: Path, generator: str) -> visiongen.Animation:
    """Renders picture and sound to `out`."""
    flow.GRID = GRID
    portrait = open_mouthed(visiongen.prepare_portrait(HERE / "astronaut.jpg", size=4 * SIDE))
    with tempfile.TemporaryDirectory() as folder:
        save_talk(Path(folder) / "talk.mkv")
        motion = replace(act(portrait_motion(portrait)), clip=media.probe(Path(folder) / "talk.mkv"))
        return visiongen.animate(
            portrait,
            motion,
            out,
            generator=generator,
            exporter=visiongen.Choice(name="mp4", options=Mp4Options(crf=20, preset="veryslow")),
            settings=visiongen.MotionSettings(smoothing=0.0, reference_frame=0),
            full=False,
            size=SIDE,
            overwrite=True,
        )


def main() -> None:
    """Make the clip and print its size and checksum."""
    parser = argparse.ArgumentParser(description="Make the sample driving clip again.")
    parser.add_argument("--generator", default="vae-gan", help="which generator renders it")
    parser.add_argument("--out", type=Path, default=HERE / "driving.mp4", help="file to write")
    options = parser.parse_args()
    result = make(options.out, options.generator)
    content = options.out.read_bytes()
    size, checksum = f"{result.width}x{result.height}", hashlib.sha256(content).hexdigest()
    print(f"| `{options.out.name}` | {size} | {len(content) / 1000:.0f} kB | `{checksum}` |")


if __name__ == "__main__":
    main()
