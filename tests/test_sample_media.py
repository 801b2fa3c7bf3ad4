"""The sample pictures: described, unchanged, small, and usable as portraits."""

import hashlib
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

FOLDER = Path(__file__).parent.parent / "sample_media"
STILLS = ("astronaut.jpg", "cartoon.png", "statue.png", "painting.png")
MEDIA_SUFFIXES = {".jpg", ".png", ".mp4", ".gif", ".webp"}
LEFT_IRIS, RIGHT_IRIS, CHIN = 473, 468, 152
LEFT_CHEEK, RIGHT_CHEEK, UPPER_LIP, LOWER_LIP = 454, 234, 13, 14


def documented():
    """The first table of the README: name -> (size as written, sha256)."""
    row = re.compile(r"^\| `([^`]+)` \| ([^|]+) \| [^|]+ \| `([0-9a-f]{64})` \|$", re.MULTILINE)
    text = (FOLDER / "README.md").read_text(encoding="utf-8")
    return {name: (size.strip(), digest) for name, size, digest in row.findall(text)}


def picture(name):
    """uint8 RGB (H, W, 3)."""
    with Image.open(FOLDER / name) as opened:
        return np.asarray(opened.convert("RGB"))


@pytest.fixture(scope="module")
def face_points():
    """Find the one face of a picture: its 478 landmarks (478, 2) in pixels."""
    from mediapipe.python.solutions.face_mesh import FaceMesh

    with FaceMesh(static_image_mode=True, refine_landmarks=True, max_num_faces=1) as mesh:

        def find(pixels):
            faces = mesh.process(pixels).multi_face_landmarks
            assert faces, "MediaPipe finds no face"
            height, width = pixels.shape[:2]
            return np.array([(point.x * width, point.y * height) for point in faces[0].landmark])

        yield find


def test_readme_lists_every_media_file_and_no_other():
    present = {path.name for path in FOLDER.iterdir() if path.suffix.lower() in MEDIA_SUFFIXES}
    assert set(STILLS) <= present
    assert set(documented()) == present


@pytest.mark.parametrize("name", STILLS)
def test_file_is_the_documented_one(name):
    size, digest = documented()[name]
    assert hashlib.sha256((FOLDER / name).read_bytes()).hexdigest() == digest
    height, width = picture(name).shape[:2]
    assert size == f"{width}x{height}"
    assert min(height, width) >= 512


@pytest.mark.parametrize("name", STILLS)
def test_file_is_small(name):
    assert (FOLDER / name).stat().st_size < 250_000


@pytest.mark.parametrize("name", STILLS)
def test_face_is_found_upright_and_large_enough(name, face_points):
    points = face_points(picture(name))
    right, left, chin = points[RIGHT_IRIS], points[LEFT_IRIS], points[CHIN]
    assert left[0] - right[0] > 35
    assert abs(left[1] - right[1]) < 0.1 * (left[0] - right[0])
    assert chin[1] - (left[1] + right[1]) / 2 > left[0] - right[0]


@pytest.mark.parametrize("name", ["cartoon.png", "statue.png"])
def test_made_up_faces_are_frontal_with_closed_mouth(name, face_points):
    pixels = picture(name)
    points = face_points(pixels)
    middle = pixels.shape[1] / 2
    for right, left in ((RIGHT_IRIS, LEFT_IRIS), (RIGHT_CHEEK, LEFT_CHEEK)):
        assert abs((points[right, 0] + points[left, 0]) / 2 - middle) < 8
    assert points[LOWER_LIP, 1] - points[UPPER_LIP, 1] < 4


def test_landmarks_lie_on_the_drawn_features_of_the_cartoon(face_points):
    """Where the drawing puts irises, lips and chin is known: the mesh has to agree with it."""
    points = face_points(picture("cartoon.png"))
    drawn = {LEFT_IRIS: (380.5, 304.5), RIGHT_IRIS: (259.5, 304.5), UPPER_LIP: (320, 414), CHIN: (320, 473)}
    for landmark, place in drawn.items():
        assert np.linalg.norm(points[landmark] - place) < 10, f"landmark {landmark}"


def test_opencv_finds_the_faces_too():
    import cv2

    cascade = cv2.CascadeClassifier(cv2.data.haarcascades + "haarcascade_frontalface_default.xml")
    for name in STILLS:
        assert len(cascade.detectMultiScale(cv2.cvtColor(picture(name), cv2.COLOR_RGB2GRAY), 1.1, 5)) >= 1, name
