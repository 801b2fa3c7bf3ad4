"""MediaPipe Face Mesh -> landmarks. With `visiongen.background`, the only module that uses mediapipe.

Every frame is looked at on its own (``static_image_mode``), also of a live camera. The tracker of MediaPipe is a little
faster, but its landmarks lag and lie 1.0-1.7 px (at 256) beside those of single pictures: a portrait and a clip would not
agree.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, nullcontext
from itertools import islice
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np

from visiongen import media, mediapipe_graphs
from visiongen.cores import own_cores
from visiongen.datatypes import NUM_LANDMARKS, DrivingClip, LandmarkTrack
from visiongen.errors import NoFaceError, VisionGenError
from visiongen.mediapipe_graphs import ReaderFailed, give_back, silent_stderr, solutions, take

# The points of the face mesh that have a meaning (MediaPipe's numbering; right and left are the subject's own).
FACE_OVAL = (10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377, 152,
             148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109)  # fmt: skip
RIGHT_EYE = (33, 246, 161, 160, 159, 158, 157, 173, 133, 155, 154, 153, 145, 144, 163, 7)
LEFT_EYE = (263, 466, 388, 387, 386, 385, 384, 398, 362, 382, 381, 380, 374, 373, 390, 249)
RIGHT_IRIS = (468, 469, 470, 471, 472)  # centre, then right, top, left, bottom
LEFT_IRIS = (473, 474, 475, 476, 477)
RIGHT_BROW = (70, 63, 105, 66, 107, 55, 65, 52, 53, 46)
LEFT_BROW = (300, 293, 334, 296, 336, 285, 295, 282, 283, 276)
INNER_LIPS = (78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308, 324, 318, 402, 317, 14, 87, 178, 88, 95)
OUTER_LIPS = (61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291, 375, 321, 405, 314, 17, 84, 181, 91, 146)
OUTER_EYE_CORNERS = (33, 263)

# A face mesh looks at 192 x 192 pixels of a face; frames larger than this only cost time.
LONGEST_SIDE = 1024

_LEAST_READERS, _MOST_READERS = 2, 6
"""Threads: while one waits for Python, another looks. Each takes 30 MB, and what they do in Python leaves no work for more."""


class FaceMesh:
    """468 face-mesh and 10 iris landmarks of the faces of single pictures. Not thread-safe: one per thread."""

    def __init__(self, *, max_faces: int = 4, min_confidence: float = 0.5) -> None:
        self.kind = ("face mesh", max_faces, min_confidence)
        self._graph: Any = None
        if mediapipe_graphs.reader is None:
            self._take()

    def _take(self) -> None:
        _, max_faces, min_confidence = self.kind

        def make() -> Any:
            graph = solutions().face_mesh.FaceMesh(
                static_image_mode=True,
                max_num_faces=max_faces,
                refine_landmarks=True,
                min_detection_confidence=min_confidence,
            )
            graph.process(np.zeros((64, 64, 3), np.uint8))  # most start-up notes come with the first picture
            return SimpleNamespace(process=graph.process, close=graph.close, quiet=False)

        self._graph = take(self.kind, make)

    def __call__(self, image: np.ndarray) -> np.ndarray:
        """Landmarks of all faces in `image`, largest face first.

        Args:
            image: (H, W, 3) uint8 RGB.
        Returns:
            (F, 478, 3) float32 px of `image`; F may be 0.
        """
        height, width = image.shape[:2]
        shrink = LONGEST_SIDE / max(height, width)
        if shrink < 1:
            size = (max(1, round(width * shrink)), max(1, round(height * shrink)))
            image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
        reader = mediapipe_graphs.reader
        faces = reader.look(self.kind, image) if reader else None
        faces = (self.shares(image) if faces is None else faces) * np.array([width, height, width], np.float32)
        return faces[np.argsort([-face_size(face) for face in faces], kind="stable")]

    def shares(self, image: np.ndarray) -> np.ndarray:
        """Landmarks (F, 478, 3) float32 as MediaPipe gives them: x and y are shares of the picture, z is on the scale of x."""
        if self._graph is None:
            self._take()
        graph = self._graph
        try:
            with nullcontext() if graph.quiet else silent_stderr():  # the last start-up notes come with the first face
                found = graph.process(np.ascontiguousarray(image)).multi_face_landmarks or []
            graph.quiet = graph.quiet or bool(found)
        except (RuntimeError, ValueError) as error:
            height, width = image.shape[:2]
            raise VisionGenError(f"MediaPipe Face Mesh failed on a {width} x {height} picture: {error}") from error
        points = [[(p.x, p.y, p.z) for p in face.landmark] for face in found]
        return np.array(points, np.float32).reshape(-1, NUM_LANDMARKS, 3)

    def close(self) -> None:
        """Lets others use the model."""
        if self._graph is not None:
            give_back(self.kind, self._graph)
            self._graph = None

    def __enter__(self) -> FaceMesh:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def face_size(points: np.ndarray) -> float:
    """Longer side of the box around one face's landmarks (N, 2+), px."""
    return float(np.ptp(points[:468, :2], axis=0).max())


def nearest_face(faces: np.ndarray, previous: np.ndarray | None) -> np.ndarray | None:
    """Of several faces (F, 478, 3) the one to follow: nearest to the previous one, the largest to begin with.

    A face further from the previous one than that face is large is somebody else: None.
    """
    if not len(faces):
        return None
    if previous is None:
        return faces[0]
    distances = [np.linalg.norm(face[:, :2].mean(0) - previous[:, :2].mean(0)) for face in faces]
    best = int(np.argmin(distances))
    return faces[best] if distances[best] <= face_size(previous) else None


def own_readers() -> int:
    """How many threads look for landmarks where nobody says: one for each core that this process shall use."""
    return min(max(own_cores(), _LEAST_READERS), _MOST_READERS)


def track(
    clip: DrivingClip, *, workers: int | None = None, progress: Callable[[int, int | None], None] | None = None
) -> LandmarkTrack:
    """Landmarks of the main face of every frame of a driving clip.

    The largest face of the first frame that has one is followed. Memory: 5.7 kB a frame.

    Args:
        clip: The driving video.
        workers: Threads; the result is the same for any number. None: `own_readers`.
        progress: Called with (frames done, frames expected or None).
    Raises:
        NoFaceError: No frame shows a face.
    """
    points: list[np.ndarray] = []
    times: list[float] = []
    previous: np.ndarray | None = None
    unseen = np.full((NUM_LANDMARKS, 3), np.nan, np.float32)
    missing_since = 0
    with closing(_read_ahead_or_here(clip, workers)) as found:  # at once also where `progress` raises to stop
        for time, faces in found:
            # After half a second without the face it may have come back anywhere: take the largest again.
            face = nearest_face(faces, previous if missing_since < clip.fps / 2 else None)
            missing_since = 0 if face is not None else missing_since + 1
            previous = face if face is not None else previous
            points.append(unseen if face is None else face)
            times.append(time)
            if progress:
                progress(len(points), clip.num_frames)
    visible = np.array([not np.isnan(p[0, 0]) for p in points], bool)
    if not visible.any():
        raise NoFaceError(
            f"{clip.path.name}: no face in any of its {len(points)} frames; choose a clip in which the face is large, "
            "lit and turned to the camera"
        )
    return LandmarkTrack(points=np.array(points), visible=visible, times=times, height=clip.height, width=clip.width)


def _read_ahead_or_here(clip: DrivingClip, workers: int | None) -> Iterator[tuple[float, np.ndarray]]:
    """As `faces_of_frames`; what another process has read, and the rest here."""
    reader, count = mediapipe_graphs.reader, 0
    elsewhere = reader.faces_of_clip(clip.path, clip.start, clip.end) if reader else None
    if elsewhere is not None:
        try:
            for found in elsewhere:
                yield found
                count += 1
            return
        except ReaderFailed:
            pass
    with closing(faces_of_frames(clip, workers)) as here:
        yield from islice(here, count, None)


def faces_of_frames(clip: DrivingClip, workers: int | None = None) -> Iterator[tuple[float, np.ndarray]]:
    """(time, faces (F, 478, 3)) of every frame, in order, a bounded number of frames in flight."""
    workers = own_readers() if workers is None else workers
    meshes: list[FaceMesh] = []
    local = threading.local()

    def detect(image: np.ndarray) -> np.ndarray:
        if not hasattr(local, "mesh"):
            local.mesh = FaceMesh()
            meshes.append(local.mesh)
        return local.mesh(image)

    pool = ThreadPoolExecutor(workers, thread_name_prefix="landmarks")
    waiting: deque = deque()
    try:
        for batch in media.read_frames(clip, batch_size=4):
            for image, time in zip(batch.pixels, batch.times):
                waiting.append((float(time), pool.submit(detect, image)))
            while len(waiting) > 4 * workers:
                time, future = waiting.popleft()
                yield time, future.result()
        while waiting:
            time, future = waiting.popleft()
            yield time, future.result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
        for mesh in meshes:
            mesh.close()
