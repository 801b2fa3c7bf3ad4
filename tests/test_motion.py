"""Landmarks <-> motion, lost frames, smoothing, templates."""

from __future__ import annotations

import io
import json
import pickle
import zipfile
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
from builders import eye_opening, face, placed, random_faces, rotation, seen
from films import without_rights
from scipy.spatial.transform import Rotation

from visiongen.datatypes import LandmarkTrack, MotionTrack
from visiongen.errors import MediaError, NoFaceError
from visiongen.motion import load_motion, motion_from_landmarks, parabola_kernel, place, save_motion, smooth
from visiongen.pose import euler_angles

NOISE = 0.1
"""Standard deviation of a detector's noise, px at a face width of 110."""
ARRAYS = ("rotation", "translation", "scale", "offsets", "visible", "times")


def noisy(points: np.ndarray, seed: int = 0) -> np.ndarray:
    return points + np.random.default_rng(seed).normal(0, NOISE, points.shape)


def still(num_frames: int) -> np.ndarray:
    return np.repeat(placed(face())[None], num_frames, axis=0)


def nod(frequency: float, fps: float, *, degrees: float = 10.0, seconds: float = 4.0) -> np.ndarray:
    times = np.arange(int(seconds * fps)) / fps
    pitch = degrees * np.sin(2 * np.pi * frequency * times)
    return np.stack([placed(face(), turn=rotation(pitch=p)) for p in pitch])


def motion_of(points: np.ndarray, **how) -> MotionTrack:
    return motion_from_landmarks(seen(points, **how))


def assert_same(a: MotionTrack, b: MotionTrack, **tolerance) -> None:
    for name in ARRAYS:
        np.testing.assert_allclose(getattr(a, name), getattr(b, name), err_msg=name, **tolerance)


# --- there and back ---------------------------------------------------------------------------------------------------


def test_motion_and_landmarks_are_inverse():
    track = seen(random_faces(30))
    back = place(motion_from_landmarks(track))
    assert np.abs(back.points - track.points).max() < 2e-4  # float32 of some hundred pixels
    np.testing.assert_array_equal(back.times, track.times)
    assert (back.height, back.width) == (track.height, track.width)


def test_rotations_stay_orthonormal_through_every_step():
    visible = np.ones(40, bool)
    visible[[0, 7, 8, 9, 22, 39]] = False
    motion = motion_from_landmarks(seen(random_faces(40), visible=visible))
    for step in (motion, smooth(motion), smooth(motion, mode="live")):
        assert step.rotation.dtype == np.float32
        np.testing.assert_allclose(
            step.rotation @ step.rotation.transpose(0, 2, 1), np.broadcast_to(np.eye(3), (40, 3, 3)), atol=1e-5
        )
        np.testing.assert_allclose(np.linalg.det(step.rotation), 1, atol=1e-5)


def test_the_unit_is_the_face_wherever_and_however_large_it_is():
    shapes = np.stack([face(), face(jaw=0.1), face(blink=1)])
    small = motion_of(placed(shapes, unit=50, centre=(60, 90)))
    large = motion_of(placed(shapes, unit=200, centre=(300, 200)))
    np.testing.assert_allclose(small.offsets, large.offsets, atol=1e-5)
    np.testing.assert_allclose(small.scale, large.scale, atol=1e-5)
    assert np.median(small.scale) == pytest.approx(1) and small.face_width == pytest.approx(50, rel=0.05)


def test_pose_alone_leaves_the_expression_alone():
    turned = motion_of(np.stack([placed(face(jaw=0.05), turn=rotation(y, p, r)) for y, p, r in np.eye(3) * 30]))
    np.testing.assert_allclose(turned.offsets, np.broadcast_to(turned.offsets[:1], turned.offsets.shape), atol=1e-5)


# --- lost frames ------------------------------------------------------------------------------------------------------


def turning(lost: slice, fps: float = 25.0, num_frames: int = 60) -> tuple[MotionTrack, np.ndarray]:
    """A head that turns by a degree and moves by a pixel a frame, unseen in some of them; and its yaw."""
    points = np.stack([placed(face(), turn=rotation(yaw=i), centre=(60 + i, 128)) for i in range(num_frames)])
    visible = np.ones(num_frames, bool)
    visible[lost] = False
    motion = motion_of(points, visible=visible, fps=fps)
    np.testing.assert_array_equal(motion.visible, visible)
    return motion, np.rad2deg(euler_angles(motion.rotation))[:, 0]


def test_short_gaps_are_interpolated():
    motion, yaw = turning(slice(20, 31))
    np.testing.assert_allclose(yaw, np.arange(60), atol=1e-3)
    np.testing.assert_allclose(motion.translation[:, 0] * motion.face_width, 60 + np.arange(60), atol=1e-2)


def test_a_gap_of_just_half_a_second_is_still_short():
    _, yaw = turning(slice(20, 24), fps=10)  # seen at 1.9 s and again at 2.4 s
    np.testing.assert_allclose(yaw, np.arange(60), atol=1e-3)


def test_long_gaps_hold_the_last_face_that_was_seen():
    motion, yaw = turning(slice(20, 40))
    np.testing.assert_allclose(yaw[20:40], 19, atol=1e-3)
    np.testing.assert_allclose(motion.offsets[20:40], np.broadcast_to(motion.offsets[19], (20, 478, 3)), atol=1e-6)
    np.testing.assert_allclose(yaw[40:], np.arange(40, 60), atol=1e-3)


def test_the_ends_hold_too():
    _, yaw = turning(slice(0, 15))
    np.testing.assert_allclose(yaw[:15], 15, atol=1e-3)
    _, yaw = turning(slice(50, 60))
    np.testing.assert_allclose(yaw[50:], 49, atol=1e-3)


def test_a_single_frame_with_a_face_is_enough():
    visible = np.zeros(10, bool)
    visible[4] = True
    motion = motion_from_landmarks(seen(random_faces(10), visible=visible))
    assert len(motion) == 10 and (motion.offsets == motion.offsets[4]).all()


def test_no_face_at_all_is_an_error():
    track = LandmarkTrack(
        points=np.full((5, 478, 3), np.nan), visible=np.zeros(5), times=np.arange(5), height=10, width=10
    )
    with pytest.raises(NoFaceError, match="no frame"):
        motion_from_landmarks(track)


# --- smoothing --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["offline", "live"])
def test_strength_zero_changes_nothing(mode):
    motion = motion_of(noisy(nod(1, 25)))
    assert_same(smooth(motion, strength=0, mode=mode), motion, atol=0)


@pytest.mark.parametrize("length", range(1, 12))
@pytest.mark.parametrize("mode", ["offline", "live"])
def test_any_length_is_taken(length, mode):
    motion = motion_of(noisy(still(length)))
    smoothed = smooth(motion, mode=mode)
    assert len(smoothed) == length and np.isfinite(place(smoothed).points).all()


@pytest.mark.parametrize("strength", [-0.1, 1.1, float("nan")])
def test_an_impossible_strength_is_refused(strength):
    with pytest.raises(ValueError, match="strength"):
        smooth(motion_of(still(6)), strength=strength)


@pytest.mark.parametrize("mode, jitter_left", [("offline", 0.45), ("live", 0.3)])
def test_noise_is_reduced(mode, jitter_left):
    truth = still(100)
    motion = motion_of(noisy(truth))
    error, before = place(smooth(motion, mode=mode)).points - truth, place(motion).points - truth
    assert error[..., :2].std() < 0.7 * before[..., :2].std()
    assert np.diff(error, 2, axis=0)[..., :2].std() < jitter_left * np.diff(before, 2, axis=0)[..., :2].std()


def test_more_strength_is_calmer():
    motion = motion_of(noisy(still(100)))
    jitter = [np.diff(place(smooth(motion, strength=s)).points, 2, axis=0).std() for s in (0, 0.2, 0.4, 0.6, 0.8, 1.0)]
    assert jitter == sorted(jitter, reverse=True)


def test_the_ends_are_calmer_too_and_not_bent():
    truth = still(60)
    error = np.abs(place(smooth(motion_of(noisy(truth)))).points - truth)[..., :2]
    noise = NOISE * np.sqrt(2 / np.pi)  # mean size before
    assert error[[0, -1]].mean() < noise and error[10:50].mean() < 0.75 * noise
    steady = np.stack([placed(face(), turn=rotation(yaw=i / 2), centre=(80 + i, 128)) for i in range(40)])
    np.testing.assert_allclose(place(smooth(motion_of(steady))).points, steady, atol=0.02)


@pytest.mark.parametrize("fps", [12.5, 25, 50])
def test_a_blink_of_four_frames_keeps_its_depth(fps):
    times = np.arange(int(3 * fps)) / fps
    shut = np.interp(times, [1.0, 1.04, 1.08, 1.12, 1.16, 1.2], [0, 0.5, 1, 1, 0.5, 0])
    points = np.stack([placed(face(blink=b)) for b in shut])
    opening = eye_opening(place(smooth(motion_of(noisy(points), fps=fps))).points, "left")
    depth = np.median(opening[shut == 0]) - opening[shut == 1].mean()
    assert depth > 0.9 * (eye_opening(points, "left")[0])


@pytest.mark.parametrize("fps", [12.5, 25, 50, 100])
def test_a_nod_keeps_its_size_and_its_time_at_every_frame_rate(fps):
    points = nod(1.0, fps)
    smoothed = np.rad2deg(euler_angles(smooth(motion_of(noisy(points), fps=fps)).rotation))[:, 1]
    truth = 10 * np.sin(2 * np.pi * np.arange(len(points)) / fps)
    middle = slice(len(points) // 4, -len(points) // 4)
    correlation = [float(np.roll(smoothed, -lag)[middle] @ truth[middle]) for lag in range(-3, 4)]
    assert int(np.argmax(correlation)) == 3  # no lag
    assert np.ptp(smoothed[middle]) == pytest.approx(20, rel=0.03)


def test_smoothing_means_the_same_at_every_frame_rate():
    kept = []
    for fps in (25, 50, 100):
        points = nod(2.5, fps)
        smoothed = np.rad2deg(euler_angles(smooth(motion_of(noisy(points), fps=fps)).rotation))[:, 1]
        kept.append(smoothed[len(points) // 4 : -len(points) // 4].std() / (10 / np.sqrt(2)))
    assert max(kept) - min(kept) < 0.05 and min(kept) > 0.9


def test_a_full_turn_of_the_head_is_no_problem():
    roll = np.linspace(-170, 190, 90)
    points = np.stack([placed(face(), turn=rotation(roll=r)) for r in roll])
    np.testing.assert_allclose(place(smooth(motion_of(points))).points[10:-10], points[10:-10], atol=0.3)


def test_live_smoothing_knows_nothing_of_the_future():
    points = noisy(np.concatenate([nod(1, 25), random_faces(20)]))
    whole = smooth(motion_of(points), mode="live")
    for length in (6, 50, 101):
        assert_same(
            smooth(replace(motion_of(points), **{n: getattr(motion_of(points), n)[:length] for n in ARRAYS}), mode="live"),
            replace(whole, **{n: getattr(whole, n)[:length] for n in ARRAYS}),
            atol=1e-5,
        )  # fmt: skip


def test_live_smoothing_lags_by_less_than_a_frame():
    points = nod(1.0, 25)
    pitch = np.rad2deg(euler_angles(smooth(motion_of(noisy(points)), mode="live").rotation))[:, 1]
    wave = np.exp(2j * np.pi * np.arange(len(points)) / 25)[25:75]
    lag = -np.angle(1j * np.mean(pitch[25:75] * wave.conj())) / (2 * np.pi)
    assert 0 <= lag < 0.04


# --- templates --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def template(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("template") / "nod.npz"
    save_motion(motion_of(nod(1, 25, seconds=1)), path)
    return path


def altered(template: Path, path: Path, *, without: tuple[str, ...] = (), **arrays) -> Path:
    """A copy with other contents."""
    with np.load(template) as data:
        content = {name: data[name] for name in data.files if name not in without} | arrays
    np.savez(path, **content)
    return path


def test_a_template_comes_back(tmp_path):
    visible = np.ones(30, bool)
    visible[5:8] = False
    motion = motion_of(random_faces(30), visible=visible)
    save_motion(motion, tmp_path / "a.npz")
    back = load_motion(tmp_path / "a.npz")
    assert_same(back, motion, atol=5e-4)  # offsets are stored as float16
    for field in fields(MotionTrack):
        if field.name not in (*ARRAYS, "clip"):
            assert getattr(back, field.name) == getattr(motion, field.name)
    assert back.clip is None and back.visible.sum() == 27
    assert [path.name for path in tmp_path.iterdir()] == ["a.npz"]


def test_a_template_is_small_and_holds_no_pickle(template):
    assert template.stat().st_size < 25 * 478 * 3 * 2
    with np.load(template, allow_pickle=False) as data:
        assert set(data.files) == {*ARRAYS, "header"}


def test_a_template_cut_off_anywhere_is_refused(template, tmp_path):
    whole = template.read_bytes()
    for length in (0, 1, 4, 30, *np.linspace(100, len(whole) - 1, 25, dtype=int)):
        (tmp_path / "cut.npz").write_bytes(whole[:length])
        with pytest.raises(MediaError, match=r"cut\.npz"):
            load_motion(tmp_path / "cut.npz")


@pytest.mark.slow
def test_a_template_with_a_changed_byte_is_refused_or_unharmed(template, tmp_path):
    whole, motion = template.read_bytes(), load_motion(template)
    rng = np.random.default_rng(0)
    for place_ in rng.integers(0, len(whole), 200):
        damaged = bytearray(whole)
        damaged[place_] ^= 1 << int(rng.integers(8))
        (tmp_path / "damaged.npz").write_bytes(damaged)
        try:
            assert_same(load_motion(tmp_path / "damaged.npz"), motion, atol=0)
        except MediaError as error:
            assert "damaged.npz" in str(error)


class Bomb:
    def __reduce__(self):
        return (Path.touch, (Path("exploded"),))


def test_other_files_are_refused_and_nothing_in_them_is_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("readme.txt", "hello")
    array = io.BytesIO()
    np.save(array, np.zeros(3))
    contents = {
        "empty": b"",
        "text": b"hello",
        "zip": archive.getvalue(),
        "array": array.getvalue(),
        "pickle": pickle.dumps(Bomb()),
        "json": b"{}",
    }
    for name, content in contents.items():
        path = tmp_path / f"{name}.npz"
        path.write_bytes(content)
        with pytest.raises(MediaError, match=name):
            load_motion(path)
    assert not (tmp_path / "exploded").exists()


def test_a_pickle_inside_is_not_run(template, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("header", "times", "offsets"):
        path = altered(template, tmp_path / "a.npz", **{name: np.array([Bomb()], object)})
        with pytest.raises(MediaError, match="not a motion template"):
            load_motion(path)
    assert not (tmp_path / "exploded").exists()


def header(**values) -> str:
    return json.dumps({"format": 1, "face_width": 100.0, "size": [256, 256]} | values)


@pytest.mark.parametrize("name", [*ARRAYS, "header"])
def test_a_missing_part_is_named(template, tmp_path, name):
    with pytest.raises(MediaError, match=name):
        load_motion(altered(template, tmp_path / "a.npz", without=(name,)))


@pytest.mark.parametrize(
    "parts",
    [
        {"times": np.full(25, np.nan)},
        {"times": np.zeros(25)},
        {"times": np.arange(24)},
        {"times": np.array(["a"] * 25)},
        {"scale": np.full(25, np.inf)},
        {"scale": np.full(25, -1.0)},
        {"offsets": np.full((25, 478, 3), np.nan)},
        {"offsets": np.zeros((25, 468, 3))},
        {"rotation": np.zeros((25, 3, 3))},
        {"rotation": np.zeros((25, 4))},
        {name: np.zeros((0, *shape)) for name, shape in zip(ARRAYS, ((3, 3), (3,), (), (478, 3), (), ()), strict=True)},
        {"header": "[]"},
        {"header": "no json"},
        {"header": header(size=[256])},
        {"header": header(size=[256, 0])},
        {"header": header(size="ab")},
        {"header": header(face_width=float("nan"))},
        {"header": header(face_width=0)},
        {"header": header(face_width=None)},
        {"header": '{"format": 1}'},
    ],
    ids=str,
)
def test_impossible_contents_are_refused(template, tmp_path, parts):
    with pytest.raises(MediaError, match=r"a\.npz"):
        load_motion(altered(template, tmp_path / "a.npz", **parts))


def test_a_newer_format_says_so(template, tmp_path):
    with pytest.raises(MediaError, match=r"format 2, but this version reads 1"):
        load_motion(altered(template, tmp_path / "a.npz", header=header(format=2)))


def test_missing_files_and_folders(tmp_path):
    with pytest.raises(MediaError, match=r"none\.npz"):
        load_motion(tmp_path / "none.npz")
    with pytest.raises(MediaError):
        load_motion(tmp_path)
    motion = motion_of(still(3))
    (tmp_path / "file").touch()
    for path in (tmp_path / "none" / "a.npz", tmp_path / "file" / "a.npz"):
        with pytest.raises(MediaError, match="cannot write"):
            save_motion(motion, path)


def test_a_place_without_rights_is_an_error_and_nothing_is_left(tmp_path):
    tmp_path.chmod(0o755)
    with without_rights(), pytest.raises(MediaError, match="cannot write"):
        save_motion(motion_of(still(3)), tmp_path / "a.npz")
    assert not list(tmp_path.iterdir())


def test_an_old_template_survives_a_failed_write(template, tmp_path, monkeypatch):
    path = tmp_path / "a.npz"
    path.write_bytes(template.read_bytes())

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez_compressed", full)
    with pytest.raises(MediaError, match="No space left"):
        save_motion(motion_of(still(3)), path)
    assert path.read_bytes() == template.read_bytes() and len(list(tmp_path.iterdir())) == 1


def test_rotations_survive_the_template_as_rotations(template):
    motion = load_motion(template)
    Rotation.from_matrix(motion.rotation)  # raises for what is none
    assert_same(smooth(motion), smooth(load_motion(template)), atol=0)


@pytest.mark.parametrize("window", [5, 7, 9, 21])
def test_the_parabola_is_that_of_savitzky_and_golay(window):
    from scipy.signal import savgol_coeffs

    np.testing.assert_allclose(parabola_kernel(window), savgol_coeffs(window, 2), atol=1e-12)
