"""Faces are found, chosen, cropped, and laid back so that nobody sees it."""

from __future__ import annotations

import os
from pathlib import Path

import cv2
import numpy as np
import pytest
from builders import astronaut, face, placed, rotation

from visiongen.datatypes import Portrait
from visiongen.errors import NoFaceError
from visiongen.faces import MAX_CROP, Face, PasteBack, _blended_bands, choose_face, find_faces, make_portrait
from visiongen.landmarks import FaceMesh
from visiongen.media import read_picture

SAMPLES = Path(__file__).parents[1] / "sample_media"


@pytest.fixture(scope="module")
def mesh():
    with FaceMesh() as mesh:
        yield mesh


def picture(height: int, width: int) -> np.ndarray:
    """Smooth structure in the middle of the range: nothing clips."""
    coarse = np.random.default_rng(0).uniform(60, 180, (9, 9, 3)).astype(np.float32)
    return np.ascontiguousarray(cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR).astype(np.uint8))


def face_in(height: int, width: int, *, centre=(0.5, 0.5), size=0.25, roll=0.0) -> Face:
    """A face whose width is `size` of the picture's shorter side."""
    x, y = centre
    unit = size * min(height, width)
    return Face(placed(face(), turn=rotation(roll=roll), centre=(x * width, y * height), unit=unit))


# --- found ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name, box",
    [
        ("astronaut.jpg", (179, 71, 271, 178)),
        ("cartoon.png", (211, 212, 434, 471)),
        ("painting.png", (180, 121, 337, 304)),
        ("statue.png", (158, 134, 359, 382)),
    ],
)
def test_the_face_of_every_sample_picture_is_found(mesh, name, box):
    (found,) = find_faces(read_picture(SAMPLES / name), mesh=mesh)
    np.testing.assert_allclose(found.box, box, atol=0.04 * (box[2] - box[0]))


def test_several_faces_come_largest_first(mesh):
    scene = np.full((300, 600, 3), 128, np.uint8)
    scene[20:276, 320:576] = astronaut()
    scene[100:260, 40:200] = cv2.resize(astronaut(), (160, 160), interpolation=cv2.INTER_AREA)
    large, small = find_faces(scene, mesh=mesh)
    for found, (x, y), zoom in ((large, (320, 20), 1), (small, (40, 100), 160 / 256)):
        expected = find_faces(astronaut(), mesh=mesh)[0].landmarks[:, :2] * zoom + [x, y]
        assert np.linalg.norm(found.landmarks[:, :2] - expected, axis=1).mean() < 2
    assert choose_face([large, small]) is large and choose_face([large, small], 1) is small


def test_a_face_that_is_small_in_a_large_picture_is_found(mesh):
    scene = np.full((1500, 2000, 3), 128, np.uint8)
    scene[900:1156, 1300:1556] = astronaut()
    (found,) = find_faces(scene, mesh=mesh)
    left, top, right, bottom = found.box
    assert 1300 < left < right < 1556 and 900 < top < bottom < 1156


def test_a_face_cut_to_its_edges_is_found(mesh):
    tight = np.ascontiguousarray(astronaut()[66:180, 80:178])
    assert len(find_faces(tight, mesh=mesh)) == 1


@pytest.mark.parametrize("seed_or_grey", [0, "grey"])
@pytest.mark.parametrize("shape", [(200, 200), (16, 16), (1, 1), (2, 300), (301, 33)])
def test_no_face_gives_an_empty_list(mesh, shape, seed_or_grey):
    if seed_or_grey == "grey":
        image = np.full((*shape, 3), 128, np.uint8)
    else:
        image = np.random.default_rng(seed_or_grey).integers(0, 256, (*shape, 3), dtype=np.uint8)
    assert find_faces(image, mesh=mesh) == []


def test_a_mesh_is_made_where_none_is_given():
    assert len(find_faces(astronaut())) == 1


def test_choosing_among_none_and_too_few():
    with pytest.raises(NoFaceError, match=r"cat\.jpg: no face was found; choose a picture"):
        choose_face([], name="cat.jpg")
    faces = [face_in(100, 100), face_in(100, 100)]
    for index in (2, -1):
        with pytest.raises(NoFaceError, match=rf"duo\.jpg: there is no face number {index}; it shows 2"):
            choose_face(faces, index, name="duo.jpg")


@pytest.mark.data
@pytest.mark.skipif(not os.environ.get("VISIONGEN_DATA"), reason="VISIONGEN_DATA is not set")
def test_style_portraits(mesh):
    data = Path(os.environ["VISIONGEN_DATA"])
    styles = sorted((data / "val" / "styles").glob("*.*"))
    assert styles and all(find_faces(read_picture(path), mesh=mesh) for path in styles)


# --- cropped ----------------------------------------------------------------------------------------------------------

SHAPES = [(256, 256), (301, 203), (120, 500), (500, 120), (64, 64), (33, 47)]
PLACES = [(0.5, 0.5), (0.05, 0.1), (0.95, 0.4), (0.5, 0.98)]


@pytest.mark.parametrize("size", [0.1, 0.4, 0.9, 2.5])
@pytest.mark.parametrize("centre", PLACES)
@pytest.mark.parametrize("height, width", SHAPES)
def test_an_upright_crop_is_cut_out_and_laid_back_exactly(height, width, centre, size):
    image = picture(height, width)
    portrait = make_portrait(image, face_in(height, width, centre=centre, size=size))
    assert portrait.crop.shape[0] % 2 == 0
    np.testing.assert_array_equal(portrait.image_from_crop[:, :2], np.eye(2))
    np.testing.assert_array_equal(portrait.image_from_crop[:, 2] % 1, 0)
    np.testing.assert_array_equal(PasteBack(portrait)(portrait.crop), image)


def test_the_crop_stays_inside_a_picture_that_is_large_enough():
    image = picture(300, 400)
    for centre in PLACES:
        portrait = make_portrait(image, face_in(300, 400, centre=centre, size=0.3))
        x, y = portrait.image_from_crop[:, 2].astype(int)
        side = portrait.crop.shape[0]
        assert 0 <= x <= 400 - side and 0 <= y <= 300 - side
        np.testing.assert_array_equal(portrait.crop, image[y : y + side, x : x + side])


def test_a_picture_that_is_a_tight_crop_is_its_own_crop():
    image = np.asarray(picture(256, 256))
    portrait = make_portrait(image, face_in(256, 256, size=0.5))
    np.testing.assert_array_equal(portrait.crop, image)
    np.testing.assert_array_equal(portrait.image_from_crop, np.eye(3)[:2])


def test_the_crop_has_room_round_the_face():
    face_ = face_in(600, 600, size=0.2)
    portrait = make_portrait(picture(600, 600), face_)
    left, top, right, bottom = face_.box
    x, y = portrait.image_from_crop[:, 2]
    side, size = portrait.crop.shape[0], max(right - left, bottom - top)
    assert side == pytest.approx(2.2 * size, abs=3)
    assert min(left - x, top - y, x + side - right, y + side - bottom) > 0.4 * size


def test_the_crop_reaches_as_far_as_the_face_will_move():
    face_ = face_in(400, 800, size=0.2, centre=(0.3, 0.5))
    reach = np.array([[100.0, 150.0], [600.0, 260.0]])
    portrait = make_portrait(picture(400, 800), face_, reach=reach)
    inside = (reach - portrait.image_from_crop[:, 2]) / portrait.crop.shape[0]
    assert inside[:, 0].min() > 0.02 and inside[:, 0].max() < 0.98
    far = make_portrait(picture(400, 800), face_, reach=np.array([[-5000.0, 0.0], [9000.0, 400.0]]))
    assert far.crop.shape[0] == 800


def landmarks_in_crop(portrait: Portrait) -> np.ndarray:
    linear, shift = portrait.image_from_crop[:, :2], portrait.image_from_crop[:, 2]
    return (portrait.landmarks[:, :2] - shift) @ np.linalg.inv(linear).T


@pytest.mark.parametrize("roll", [-170, -90, -45, -25, 25, 60, 90, 135])
def test_a_tilted_head_is_turned_upright(roll):
    portrait = make_portrait(picture(500, 500), face_in(500, 500, size=0.25, roll=roll))
    points = landmarks_in_crop(portrait)
    across = points[263] - points[33]
    assert abs(np.rad2deg(np.arctan2(across[1], across[0]))) < 2
    side = portrait.crop.shape[0]
    assert (points > 0.15 * side).all() and (points < 0.85 * side).all()
    scale = np.linalg.norm(portrait.image_from_crop[:, 0])
    assert scale == pytest.approx(1, abs=0.01)  # at the picture's own resolution
    assert np.linalg.det(portrait.image_from_crop[:, :2]) > 0


@pytest.mark.parametrize("roll", [-15, 15])
def test_a_slightly_tilted_head_is_left_as_it_is(roll):
    portrait = make_portrait(picture(300, 300), face_in(300, 300, roll=roll))
    np.testing.assert_array_equal(portrait.image_from_crop[:, :2], np.eye(2))


@pytest.mark.parametrize("size", [0.3, 1.5])
@pytest.mark.parametrize("centre", PLACES)
@pytest.mark.parametrize("height, width", [(256, 256), (301, 203), (120, 500)])
@pytest.mark.parametrize("roll", [25, -90, 150])
def test_a_tilted_crop_is_laid_back_nearly_exactly(roll, height, width, centre, size):
    image = picture(height, width)
    portrait = make_portrait(image, face_in(height, width, centre=centre, size=size, roll=roll))
    change = np.abs(PasteBack(portrait)(portrait.crop).astype(int) - image)
    assert change.mean() < 0.5 and np.quantile(change, 0.995) <= 3


def test_cropping_a_real_tilted_face_shows_it_upright(mesh):
    turned = cv2.warpAffine(astronaut(), cv2.getRotationMatrix2D((128, 128), 35, 1), (256, 256), borderValue=(128,) * 3)
    (found,) = find_faces(turned, mesh=mesh)
    portrait = make_portrait(turned, found)
    (upright,) = mesh(portrait.crop)
    assert np.linalg.norm(upright[:468, :2] - landmarks_in_crop(portrait)[:468], axis=1).mean() < 2.5
    across = upright[263] - upright[33]
    assert abs(np.rad2deg(np.arctan2(across[1], across[0]))) < 6


def test_twelve_megapixels():
    image = picture(3000, 4000)
    portrait = make_portrait(image, face_in(3000, 4000, size=0.35))
    assert portrait.crop.shape == (MAX_CROP, MAX_CROP, 3)
    inside = landmarks_in_crop(portrait)
    assert (inside > 0.1 * MAX_CROP).all() and (inside < 0.9 * MAX_CROP).all()
    back = PasteBack(portrait)(portrait.crop)
    assert back.shape == image.shape
    change = np.abs(back.astype(np.int16) - image)
    assert change.mean() < 0.5 and change.max() <= 3


def test_a_large_face_is_averaged_and_not_thinned():
    image = np.ascontiguousarray(np.indices((2400, 2400)).sum(0)[..., None].repeat(3, 2) % 2 * 255).astype(np.uint8)
    portrait = make_portrait(image, face_in(2400, 2400, size=0.42))
    assert portrait.crop.shape[0] == MAX_CROP
    assert np.abs(portrait.crop[100:-100, 100:-100].astype(int) - 127).max() < 60  # a checkerboard becomes grey


# --- laid back --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("roll", [0, 25, -90, 150])
@pytest.mark.parametrize("centre", PLACES)
@pytest.mark.parametrize("height, width", [(300, 300), (301, 203), (150, 500)])
def test_there_is_no_seam(height, width, centre, roll):
    """A crop that became brighter by 30 levels fades into the picture without a step."""
    image = picture(height, width)
    portrait = make_portrait(image, face_in(height, width, centre=centre, size=0.3, roll=roll))
    paste = PasteBack(portrait)
    brighter = paste(portrait.crop + np.uint8(30)).astype(int) - paste(portrait.crop)
    steps = max(np.abs(np.diff(brighter[..., 1], axis=axis)).max() for axis in (0, 1))
    assert steps <= 12
    x, y = portrait.landmarks[1, :2].astype(int)
    if 0 <= x < width and 0 <= y < height:
        assert brighter[y, x, 1] in (29, 30, 31)


def test_outside_the_crop_nothing_changes():
    image = picture(300, 300)
    portrait = make_portrait(image, face_in(300, 300, centre=(0.6, 0.5), size=0.2))
    pasted = PasteBack(portrait)(np.zeros_like(portrait.crop))
    (x, y), side = portrait.image_from_crop[:, 2].astype(int), portrait.crop.shape[0]
    inside = np.zeros((300, 300), bool)
    inside[y : y + side, x : x + side] = True
    np.testing.assert_array_equal(pasted[~inside], image[~inside])
    middle = pasted[y + side // 8 : y + side * 7 // 8, x + side // 8 : x + side * 7 // 8]
    assert middle.max() == 0


def test_at_the_pictures_own_border_the_crop_is_not_faded():
    image = picture(256, 256)
    portrait = make_portrait(image, face_in(256, 256, size=0.6))
    np.testing.assert_array_equal(PasteBack(portrait)(255 - portrait.crop), 255 - image)


def test_the_portrait_is_not_written_to():
    image = picture(200, 200)
    before = image.copy()
    portrait = make_portrait(image, face_in(200, 200))
    paste = PasteBack(portrait)
    first = paste(np.zeros_like(portrait.crop))
    first[:] = 7
    np.testing.assert_array_equal(image, before)
    np.testing.assert_array_equal(paste(portrait.crop), before)


@pytest.mark.parametrize("roll", [0, 35], ids=["upright", "turned"])
def test_every_pixel_that_is_not_the_crops_own_is_blended(roll):
    mask = np.zeros((90, 120), np.float32)
    cv2.ellipse(mask, (60, 45), (50, 36), roll, 0, 360, 1.0, -1) if roll else mask[12:80, 9:].fill(1)
    bands = np.zeros(mask.shape, int)
    for band in _blended_bands(mask):
        bands[band] += 1
    assert bands.max() == 1 and (bands[mask < 1] == 1).all()
    if not roll:
        assert (bands == (mask < 1)).all()
