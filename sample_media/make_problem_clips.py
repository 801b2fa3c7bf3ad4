"""Make the example clips of failure cases again: ``python sample_media/make_problem_clips.py [--out FOLDER] [NAME ...]``.

Each spoils `driving.mp4` in one way on purpose, or turns the statue further than a picture can follow: what
`visiongen.diagnostics` finds, in clips small enough to travel with the package. No recording of anybody is used. Takes
about a minute, most of it for the statue; needs no network. Prints the rows of the table in README.md.
"""

import argparse
import hashlib
from importlib import metadata
from pathlib import Path

import cv2
import numpy as np
import render_statue
from PIL import Image

import visiongen
from visiongen import FrameBatch, media
from visiongen.exporters import Mp4Options

HERE = Path(__file__).parent
FPS = 25
SIDE = 256
SKIN, SHADE = np.array([226, 172, 146], np.float32), np.array([120, 74, 58], np.float32)
TURNED, TURN_FRAMES, TURN_SIDE, TURN_STEPS = 64, 60, 160, 10
"""Degrees the statue turns, in how many frames of what size, and how many steps of it are really rendered."""


def driving(first: int, count: int) -> np.ndarray:
    """(T, 256, 256, 3) uint8: a piece of the driving clip."""
    clip = media.probe(HERE / "driving.mp4", start=first / FPS, end=(first + count) / FPS)
    return np.concatenate([batch.pixels for batch in media.read_frames(clip)])


def bump(count: int, begin: int, full: int, leave: int, end: int) -> np.ndarray:
    """(T,) 0, rising from `begin` to 1 at `full`, falling from `leave` to 0 at `end`, softly."""
    curve = np.interp(np.arange(count), [begin, full, leave, end], [0, 1, 1, 0])
    return curve * curve * (3 - 2 * curve)


def hand(side: int, centre: np.ndarray, size: float, turn: float) -> tuple[np.ndarray, np.ndarray]:
    """A drawn hand, fingers up: colour (side, side, 3) float32 and coverage (side, side).

    Args:
        centre: Middle of the palm, px.
        size: From wrist to fingertip, px.
        turn: Radians clockwise.
    """
    fine = 4
    canvas = np.zeros((side * fine, side * fine), np.float32)
    turned = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    # Every limb a rod: from, to (in hand lengths from the palm's middle, y up), thickness.
    limbs = [((-0.02, -0.9), (0.0, -0.1), 0.3), ((-0.08, -0.1), (-0.06, 0.08), 0.2), ((0.08, -0.1), (0.07, 0.08), 0.2)]
    limbs += [((-0.13, 0.1), (-0.17, 0.38), 0.085), ((-0.045, 0.12), (-0.05, 0.47), 0.09)]
    limbs += [
        ((0.045, 0.12), (0.06, 0.45), 0.088),
        ((0.125, 0.08), (0.165, 0.34), 0.078),
        ((-0.16, -0.16), (-0.33, 0.06), 0.09),
    ]
    for begin, end, thick in limbs:
        one = np.zeros(canvas.shape, np.uint8)
        ends = [(centre + size * turned @ (np.array(p) * [1, -1])) * fine for p in (begin, end)]
        cv2.line(one, *(tuple(np.round(p).astype(int).tolist()) for p in ends), 255, max(1, round(thick * size * fine)))
        rise = cv2.distanceTransform(one, cv2.DIST_L2, 3) / (thick * size * fine / 2)
        canvas = np.maximum(canvas, np.clip(rise, 0, 1))
    light = np.clip(0.25 + 1.5 * np.sqrt(canvas), 0, 1)[..., None]
    grain = cv2.GaussianBlur(np.random.default_rng(3).normal(0, 60, canvas.shape).astype(np.float32), (0, 0), 6)
    colour = SHADE + (SKIN - SHADE) * light + grain[..., None]
    cover = (canvas > 0).astype(np.float32)
    small = (side, side)
    return cv2.resize(colour, small, interpolation=cv2.INTER_AREA), cv2.resize(
        cover, small, interpolation=cv2.INTER_AREA
    )


def occluded() -> np.ndarray:
    """A hand comes up, stays before mouth and cheek, and leaves."""
    frames = driving(0, 70)
    for number, near in enumerate(bump(70, 20, 27, 42, 50)):
        if near > 0:
            place = np.array([168 - 22 * near, 330 - 172 * near + 3 * np.sin(number / 2)])
            colour, cover = hand(SIDE, place, 128, -0.45 + 0.1 * np.sin(number / 5))
            shadow = 1 - 0.3 * cv2.GaussianBlur(np.roll(cover, (5, -5), (0, 1)), (0, 0), 4)[..., None]
            picture = frames[number] * shadow
            frames[number] = np.clip(picture + cover[..., None] * (colour - picture), 0, 255).round()
    return frames


def turned() -> np.ndarray:
    """The statue turns to the side and back."""
    steps = [statue_at(TURNED * step / TURN_STEPS, TURN_SIDE) for step in range(TURN_STEPS + 1)]
    return np.stack([steps[round(TURN_STEPS * near)] for near in bump(TURN_FRAMES, 4, 28, 32, 56)])


def statue_at(degrees: float, side: int) -> np.ndarray:
    """(side, side, 3) uint8: the statue from another side; the light stays where it is."""
    angle = np.deg2rad(degrees)
    turn = np.array([[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]])
    before = render_statue.CAMERA, render_statue.SIZE
    render_statue.CAMERA, render_statue.SIZE = turn @ render_statue.CAMERA, side
    try:
        return render_statue.statue()
    finally:
        render_statue.CAMERA, render_statue.SIZE = before


def moved(frame: np.ndarray, shift: np.ndarray) -> np.ndarray:
    """A frame shifted by (x, y) px; its border goes on."""
    matrix = np.array([[1, 0, shift[0]], [0, 1, shift[1]]], np.float64)
    return cv2.warpAffine(frame, matrix, (SIDE, SIDE), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def fast() -> np.ndarray:
    """The camera is shaken: every frame is the mean over what it saw while it was open."""
    frames = driving(10, 60)
    times = np.arange(60)[:, None] + np.linspace(0, 0.6, 9)
    near = np.interp(times, [18, 24, 36, 42], [0, 1, 1, 0])
    paths = np.stack([34 * near * np.sin(times / 1.15), 16 * near * np.sin(times / 0.9 + 1)], axis=-1)
    return np.stack(
        [np.mean([moved(f, s) for s in path], axis=0).round().astype(np.uint8) for f, path in zip(frames, paths)]
    )


def lost() -> np.ndarray:
    """The light goes out for a second."""
    frames = driving(0, 70)
    light = 1 - 0.985 * bump(70, 22, 25, 44, 47)
    return (frames * light[:, None, None, None]).round().astype(np.uint8)


def cut_off() -> np.ndarray:
    """The head leaves the frame to one side by half, and comes back."""
    return np.stack([moved(f, np.array([102 * near, 0])) for f, near in zip(driving(0, 60), bump(60, 10, 24, 34, 48))])


def blurred() -> np.ndarray:
    """The lens goes out of focus and back."""
    widths = 4.5 * bump(60, 14, 22, 36, 44)
    return np.stack([cv2.GaussianBlur(f, (0, 0), w) if w > 0.2 else f for f, w in zip(driving(30, 60), widths)])


def two_faces() -> np.ndarray:
    """Somebody made of paper stands beside."""
    frames, other = driving(40, 50), media.read_picture(HERE / "cartoon.png")
    other = cv2.resize(other[60:580, 60:580], (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    return np.stack([np.hstack([frame[:, 24:216], moved(other, np.array([0, 3 * np.sin(i / 5)]))[:, 32:224]])
                     for i, frame in enumerate(frames)])  # fmt: skip


CLIPS = {
    "problem_occluded.mp4": occluded,
    "problem_turned.mp4": turned,
    "problem_fast.mp4": fast,
    "problem_lost.mp4": lost,
    "problem_cut_off.mp4": cut_off,
    "problem_blurred.mp4": blurred,
    "problem_two_faces.mp4": two_faces,
}
STILLS = {"statue_turned.png": lambda: statue_at(-40, 320)}


def save(name: str, path: Path) -> str:
    """Makes one file and gives its size as in the table."""
    if name in STILLS:
        picture = Image.fromarray(STILLS[name]())
        picture.quantize(256, dither=Image.Dither.NONE, kmeans=2).save(path, optimize=True)
        return f"{picture.width}x{picture.height}"
    frames = CLIPS[name]()
    exporter = visiongen.load(visiongen.choose("exporter", "mp4"), Mp4Options(crf=23, preset="veryslow"))
    made_by = visiongen.Provenance(
        software=f"VisionGen 3D {metadata.version('visiongen')}",
        settings={"made by": f"sample_media/{Path(__file__).name}"},
    )
    batches = (FrameBatch(pixels=frame[None], times=[i / FPS]) for i, frame in enumerate(frames))
    exporter.export(batches, path, fps=FPS, sound=None, provenance=made_by)
    return f"{frames.shape[2]}x{frames.shape[1]}"


def main() -> None:
    """Write the named files, or all, and print the rows of the table in README.md."""
    parser = argparse.ArgumentParser(description="Make the example clips of failure cases again.")
    every = (*CLIPS, *STILLS)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"any of {', '.join(every)}; default: all")
    parser.add_argument("--out", type=Path, default=HERE, help="folder to write to")
    asked = parser.parse_args()
    if unknown := sorted(set(asked.names) - set(every)):
        parser.error(f"no such file: {', '.join(unknown)}; there are {', '.join(every)}")
    for name in asked.names or every:
        path = asked.out / name
        path.unlink(missing_ok=True)
        size = save(name, path)
        content = path.read_bytes()
        print(f"| `{name}` | {size} | {len(content) / 1000:.0f} kB | `{hashlib.sha256(content).hexdigest()}` |")


if __name__ == "__main__":
    main()
