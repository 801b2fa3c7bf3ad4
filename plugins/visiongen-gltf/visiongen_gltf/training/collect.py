"""Teacher data for the blendshape regression: landmarks of VisionGen beside the blendshapes of MediaPipe's landmarker.

    python -m visiongen_gltf.training.collect TEACHER.task DATA OUT.npz

`DATA` holds ``clips/*.mp4`` and, if wanted, ``portraits`` and ``styles`` with pictures. Both models look at the same
frame: the inputs are what VisionGen itself will see later, the targets what the teacher makes of the same pixels.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from visiongen.datatypes import LandmarkTrack
from visiongen.landmarks import FaceMesh
from visiongen.media import probe, read_frames, read_picture
from visiongen.motion import motion_from_landmarks
from visiongen_gltf.names import BLENDSHAPES

_PICTURES = (".jpg", ".jpeg", ".png", ".webp")


def frames_of(folder: Path, every: int) -> Iterator[tuple[str, np.ndarray]]:
    """(file, (H, W, 3) uint8 RGB) of every n-th frame of the clips, then of the pictures below `folder`."""
    for path in sorted((folder / "clips").glob("*.mp4")):
        count = 0
        for batch in read_frames(probe(path)):
            for frame in batch.pixels:
                if count % every == 0:
                    yield f"clips/{path.name}", frame
                count += 1
    for kind in ("portraits", "styles"):
        for path in sorted((folder / kind).glob("*")):
            if path.suffix.lower() in _PICTURES:
                yield f"{kind}/{path.name}", read_picture(path)


def head_points(points: np.ndarray) -> np.ndarray:
    """(478, 3) float32 face widths, head frame, of landmarks (478, 3) px: the pose taken out."""
    track = LandmarkTrack(points=points[None], visible=[True], times=[0.0], height=1, width=1)
    return motion_from_landmarks(track).offsets[0]


class Teacher:
    """MediaPipe's face landmarker with blendshapes, on single pictures."""

    def __init__(self, model: Path) -> None:
        from mediapipe.tasks.python import BaseOptions, vision

        options = vision.FaceLandmarkerOptions(
            base_options=BaseOptions(model_asset_path=str(model)), output_face_blendshapes=True, num_faces=1
        )
        self._landmarker = vision.FaceLandmarker.create_from_options(options)

    def __call__(self, frame: np.ndarray) -> np.ndarray | None:
        """(52,) float32 in the order of `BLENDSHAPES`, or None where no face is found."""
        import mediapipe

        image = mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=np.ascontiguousarray(frame))
        found = self._landmarker.detect(image).face_blendshapes
        if not found:
            return None
        scores = {one.category_name: one.score for one in found[0]}
        return np.array([scores.get(name, 0.0) for name in BLENDSHAPES], np.float32)


def people(data: Path) -> dict[str, str]:
    """File below `data` -> who it shows, where the ``manifest.csv`` beside it says so."""
    manifest = data.parent / "manifest.csv"
    if not manifest.is_file():
        return {}
    with manifest.open(encoding="utf-8", newline="") as file:
        return {row["path"].removeprefix(f"{data.name}/"): row["person_id"] for row in csv.DictReader(file)}


def collect(teacher: Path, data: Path, out: Path, *, every: int = 3) -> int:
    """Writes ``offsets`` (N, 478, 3), ``targets`` (N, 52), ``files`` and ``people`` (N,); returns N."""
    mesh, judge, who = FaceMesh(max_faces=1), Teacher(teacher), people(data)
    offsets, targets, files = [], [], []
    for file, frame in frames_of(data, every):
        scores, faces = judge(frame), mesh(frame)
        if scores is None or not len(faces):
            continue
        offsets.append(head_points(faces[0]).astype(np.float16))
        targets.append(scores)
        files.append(file)
    names = [who.get(file, file) for file in files]
    np.savez_compressed(out, offsets=np.array(offsets), targets=np.array(targets), files=files, people=names)
    return len(files)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("teacher", type=Path, help="face_landmarker_v2_with_blendshapes.task")
    parser.add_argument("data", type=Path, help="folder with clips, portraits, styles")
    parser.add_argument("out", type=Path, help=".npz to write")
    parser.add_argument("--every", type=int, default=3, help="take every n-th frame of a clip")
    arguments = parser.parse_args()
    print(collect(arguments.teacher, arguments.data, arguments.out, every=arguments.every), "frames")


if __name__ == "__main__":
    main()
