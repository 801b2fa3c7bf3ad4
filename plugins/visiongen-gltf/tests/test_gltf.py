"""The animated face: its file can be read, and shows the landmarks where the motion has them."""

import base64
import json
import struct
from fractions import Fraction

import numpy as np
import pytest
import visiongen_gltf
from visiongen_gltf.face_scene import morph_basis, quaternions

from visiongen import Provenance, load, place, testing

EXPORTERS = {one.name: one for one in visiongen_gltf.visiongen_exporters()}
HOW = {"fps": Fraction(25), "provenance": Provenance(software="VisionGen 3D", settings={"seed": 1})}
SIZES = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4}


@pytest.mark.parametrize("name", EXPORTERS)
def test_contract(name):
    testing.assert_exporter_contract(EXPORTERS[name])


def test_listing_is_light():
    testing.assert_light_plugin("visiongen_gltf")


def exported(tmp_path, name="glb", frames=8, **options):
    portrait, motion = testing.sample_job(frames)
    exporter = load(EXPORTERS[name], visiongen_gltf.GltfOptions(**options))
    path = tmp_path / f"a.{name}"
    assert exporter.export_motion(portrait, motion, path, **HOW) == frames
    return motion, *parsed(path)


def parsed(path):
    """The JSON and the buffer of a file."""
    data = path.read_bytes()
    if path.suffix == ".gltf":
        document = json.loads(data)
        return document, base64.b64decode(document["buffers"][0]["uri"].split(",", 1)[1])
    magic, version, length = struct.unpack_from("<4sII", data)
    assert (magic, version, length) == (b"glTF", 2, len(data))
    size, kind = struct.unpack_from("<I4s", data, 12)
    assert kind == b"JSON" and size % 4 == 0
    rest, binary = struct.unpack_from("<I4s", data, 20 + size)
    assert binary == b"BIN\0" and 28 + size + rest == length
    return json.loads(data[20 : 20 + size]), data[28 + size :]


def numbers(document, buffer, index):
    """The values of an accessor."""
    accessor = document["accessors"][index]
    view = document["bufferViews"][accessor["bufferView"]]
    dtype, width = {5126: "<f4", 5123: "<u2"}[accessor["componentType"]], SIZES[accessor["type"]]
    assert view["byteOffset"] % 4 == 0
    values = np.frombuffer(buffer, dtype, accessor["count"] * width, view["byteOffset"]).reshape(-1, width)
    assert values.nbytes == view["byteLength"]
    if "min" in accessor:
        np.testing.assert_array_equal(values.min(0), np.float32(accessor["min"]))
        np.testing.assert_array_equal(values.max(0), np.float32(accessor["max"]))
    return values


def seen_by_the_camera(document, buffer, frame):
    """(468, 2) px of the vertices at a key of the animation, through the camera of the file."""
    from scipy.spatial.transform import Rotation

    read = lambda index: numbers(document, buffer, index)  # noqa: E731
    animation, primitive = document["animations"][0], document["meshes"][0]["primitives"][0]
    tracks = {
        channel["target"]["path"]: read(animation["samplers"][channel["sampler"]]["output"])
        for channel in animation["channels"]
    }
    targets = np.stack([read(target["POSITION"]) for target in primitive["targets"]])
    weights = tracks["weights"].reshape(-1, len(targets))[frame]
    points = read(primitive["attributes"]["POSITION"]) + np.tensordot(weights, targets, axes=1)
    turned = Rotation.from_quat(tracks["rotation"][frame]).apply(points * tracks["scale"][frame])
    camera = document["cameras"][0]["orthographic"]
    plane = (turned + tracks["translation"][frame])[:, :2] / [camera["xmag"], camera["ymag"]]  # -1 to 1, y up
    return plane * [0.5, -0.5] + 0.5


@pytest.mark.parametrize("name", ["glb", "gltf"])
def test_the_camera_sees_every_vertex_where_its_landmark_is(tmp_path, name):
    motion, document, buffer = exported(tmp_path, name, tolerance=0.001, max_targets=256)
    wanted = place(motion).points[:, :468, :2]
    for frame in range(len(motion)):
        got = seen_by_the_camera(document, buffer, frame) * [motion.width, motion.height]
        assert np.linalg.norm(got - wanted[frame], axis=-1).max() < 0.0015 * motion.face_width


def test_fewer_targets_for_a_larger_tolerance(tmp_path):
    count = lambda **options: len(exported(tmp_path, **options)[1]["meshes"][0]["weights"])  # noqa: E731
    assert 1 == count(max_targets=1) <= count(tolerance=0.05) < count(tolerance=0.0005)


def test_the_file_says_what_it_is(tmp_path):
    _, document, buffer = exported(tmp_path)
    extras = document["asset"]["extras"]
    assert extras["synthetic"] is True and extras["settings"] == {"seed": 1} and extras["fps"] == "25"
    assert 0 <= extras["largest_error_face_widths"] <= 0.002
    times = numbers(document, buffer, document["animations"][0]["samplers"][0]["input"])[:, 0]
    assert times[0] == 0 and (np.diff(times) > 0).all()


def test_the_texture_shows_the_face_at_its_vertices(tmp_path):
    from io import BytesIO

    from PIL import Image

    _, document, buffer = exported(tmp_path)
    portrait, _ = testing.sample_job(8)
    view = document["bufferViews"][document["images"][0]["bufferView"]]
    picture = Image.open(BytesIO(buffer[view["byteOffset"] : view["byteOffset"] + view["byteLength"]]))
    attributes = document["meshes"][0]["primitives"][0]["attributes"]
    uv = numbers(document, buffer, attributes["TEXCOORD_0"])[[1, 50, 280, 152, 9]]  # nose, cheeks, chin, brow
    got = np.asarray(picture)[tuple((uv[:, ::-1] * picture.size[0]).astype(int).T)].astype(int)
    at = portrait.landmarks[[1, 50, 280, 152, 9], 1::-1].astype(int)
    assert np.abs(got - portrait.image[tuple(at.T)]).mean() < 12


@pytest.mark.parametrize(("mouth", "materials"), [("dark", [0, 1]), ("texture", [0, 0])])
def test_the_mouth_can_be_dark(tmp_path, mouth, materials):
    _, document, buffer = exported(tmp_path, mouth=mouth)
    primitives = document["meshes"][0]["primitives"]
    assert [one["material"] for one in primitives] == materials and len(document["materials"]) == max(materials) + 1
    triangles = [numbers(document, buffer, one["indices"]).size // 3 for one in primitives]
    assert sum(triangles) == 898 and triangles[1] >= 18


def test_triangles_face_the_viewer(tmp_path):
    _, document, buffer = exported(tmp_path)
    primitive = document["meshes"][0]["primitives"][0]
    points = numbers(document, buffer, primitive["attributes"]["POSITION"])
    a, b, c = points[numbers(document, buffer, primitive["indices"]).reshape(-1, 3)].transpose(1, 0, 2)
    area = np.cross(b - a, c - a)[:, 2] / 2
    assert area[area > 0].sum() > 20 * -area[area < 0].sum()


def test_components_give_the_frames_back():
    offsets = np.random.default_rng(0).normal(size=(7, 5, 3))
    mean, parts, weights, error = morph_basis(offsets, tolerance=1e-9, most=99)
    assert error < 1e-9 and np.abs(weights).max() <= 1 + 1e-12
    np.testing.assert_allclose(mean + np.tensordot(weights, parts, axes=1), offsets, atol=1e-9)


def test_quaternions_do_not_jump():
    from scipy.spatial.transform import Rotation

    turns = Rotation.from_euler("y", np.linspace(0, 4 * np.pi, 60)[:, None])
    found = quaternions(turns.as_matrix())
    assert (np.abs(np.diff(found, axis=0)) < 0.2).all()
    assert (turns.inv() * Rotation.from_quat(found)).magnitude().max() < 1e-6
