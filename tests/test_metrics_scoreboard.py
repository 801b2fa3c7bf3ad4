"""The metric hook, the scoreboard on real frames, and the networks of LPIPS, FID and identity as far as they are there."""

import hashlib
import math
import re
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from visiongen import media, plugins
from visiongen.errors import WeightsError
from visiongen.hookspecs import Metric, Score, SetMetric
from visiongen.landmarks import FaceMesh
from visiongen.metrics import Scoreboard, face_similarity, quick_metrics
from visiongen.metrics.weight_files import WeightFile, find
from visiongen.samples import sample
from visiongen.testing import assert_metric_contract

BUILT_IN = {"l1", "psnr", "ssim", "ms-ssim", "sharpness", "tof", "detection", "akd", "ksr", "motion", "steadiness", "pose",
            "pose-relative", "expression", "expression-relative", "identity-proxy", "identity", "lpips", "fid",
            "frechet"}  # fmt: skip
NETWORKS = {"identity", "lpips", "fid", "frechet"}
QUICK_SELF = {"l1", "psnr", "ssim", "sharpness", "detection_rate", "akd", "ksr", "acceleration_error", "ksr_free", "apd",
              "expression", "identity_proxy"}  # fmt: skip


@pytest.fixture(scope="module")
def frames() -> list[np.ndarray]:
    clip = media.probe(sample("driving.mp4"), end=0.4)
    return [frame for batch in media.read_frames(clip) for frame in batch.pixels]


@pytest.fixture(scope="module")
def mesh():
    with FaceMesh(max_faces=1) as mesh:
        yield mesh


def test_all_metrics_are_offered_through_the_hook_and_say_what_they_give():
    offered = plugins.metrics()
    assert set(offered) >= BUILT_IN
    names = []
    for name in quick_metrics():
        metric = plugins.load(plugins.choose("metric", name))
        assert isinstance(metric, Metric) and all(isinstance(score, Score) and score.summary for score in metric.scores)
        names += [score.name for score in metric.scores]
    assert len(names) == len(set(names))
    with pytest.raises(ValueError, match="no built-in metric is named 'ssimm'"):
        quick_metrics(["ssimm"])


@pytest.mark.parametrize("name", sorted(BUILT_IN - NETWORKS))
def test_built_in_metrics_keep_the_contract(name):
    assert_metric_contract(name)


def test_an_exact_copy(frames, mesh):
    with Scoreboard(frames[0], fps=25, mesh=mesh) as board:
        for frame in frames:
            now = board.add(frame, frame)
        result = board.result()
    assert set(now) == QUICK_SELF == set(board.curves)
    assert result["l1"] == result["akd"] == 0 and result["psnr"] == 60 and result["apd"] < 1e-3
    for name in ("ssim", "ksr", "ksr_mouth", "motion_ratio", "jitter_ratio", "sharpness", "detection_rate"):
        assert result[name] == pytest.approx(1), name
    assert set(result) <= set(board.scores) and board.scores["akd"].unit == "px"
    assert len(board.times) == len(frames) == len(board.curves["ksr"]) and board.times[-1] == pytest.approx(0.36)


def test_noise_a_lost_face_and_the_source_frame(frames, mesh):
    rng = np.random.default_rng(0)
    noisy = [np.clip(f + rng.normal(0, 5, f.shape), 0, 255).astype(np.uint8) for f in frames]
    noisy[4] = np.zeros_like(noisy[4])  # no face
    board = Scoreboard(frames[0], fps=25, mesh=mesh)
    for real, generated in zip(frames, noisy):
        board.add(real, generated)
    result, curve = board.result(), board.curves["akd"]
    assert curve[4] is None and board.curves["detection_rate"][4] == 0
    assert result["detection_rate"] == pytest.approx(1 - 1 / (len(frames) - 1))
    known = [value for value in curve[1:] if value is not None]  # frame 0 is the portrait: shown, but in no mean
    assert curve[0] is not None and result["akd"] == pytest.approx(np.mean(known))
    assert 0.65 < result["akd_coordinates"] / result["akd"] * 1.05 < 0.75
    assert result["ksr"] < 1 - 3 / (len(frames) - 2) + 1e-9


def test_another_driver_is_compared_by_movement_alone(frames, mesh):
    portrait = media.read_picture(sample("astronaut.jpg"))
    with Scoreboard(portrait, fps=25, same_person=False, mesh=mesh) as board:
        for frame in frames:
            board.add(frame, portrait)  # a film that stands still
        result = board.result()
    assert not {"l1", "psnr", "ssim", "akd", "apd", "tof"} & set(result)
    assert result["motion_ratio"] == 0 and result["ksr_free"] == 1
    assert result["apd_relative"] > 0.2 and result["identity_proxy"] == pytest.approx(1)


def test_known_landmarks_are_taken_as_they_are(frames, mesh):
    board, taught = (Scoreboard(frames[0], mesh=mesh, metrics=quick_metrics(["akd", "detection"])) for _ in range(2))
    real, landmarks = board.look(frames[3])
    found = board.add(frames[3], frames[5])
    same = taught.add(real, frames[5], real_landmarks=landmarks)
    assert same["akd"] == pytest.approx(found["akd"], abs=1e-4)
    doubled = cv2.resize(real, None, fx=2, fy=2)
    again = taught.add(doubled, frames[5], real_landmarks=2 * landmarks)
    assert again["akd"] == pytest.approx(found["akd"], abs=1e-3)
    nobody = taught.add(real, frames[5], real_landmarks=None)
    assert nobody == {"akd": None, "detection_rate": None}


def test_a_metric_that_breaks_is_named(frames, mesh):
    class Broken:
        scores = (Score(name="broken", title="broken", better="none"),)

        def start(self, comparison):
            return self

        def add(self, pair):
            raise ZeroDivisionError("no")

        def result(self):
            return {"broken": math.nan}

    board = Scoreboard(frames[0], mesh=mesh, metrics={"broken": Broken(), **quick_metrics(["l1"])})
    assert board.result() == {} and board.failures == {}
    for _ in range(2):
        assert board.add(frames[0], frames[0]) == {"broken": None, "l1": 0}
    assert board.result() == {"l1": 0} and board.curves["broken"] == [None, None]
    assert list(board.failures) == ["broken"] and "ZeroDivisionError: no" in board.failures["broken"]


def test_the_identity_proxy_tells_faces_apart(frames, mesh):
    astronaut, painting = (media.read_picture(sample(name)) for name in ("astronaut.jpg", "painting.png"))
    (a, *_), (p, *_) = mesh(astronaut), mesh(painting)
    small = cv2.resize(astronaut, None, fx=0.7, fy=0.7, interpolation=cv2.INTER_AREA)
    assert face_similarity(astronaut, a, astronaut, a) == pytest.approx(1)
    assert face_similarity(astronaut, a, small, 0.7 * a) > face_similarity(astronaut, a, painting, p) + 0.05


def test_frechet_distance_of_the_encoder(frames, mesh):
    metric = plugins.load(plugins.choose("metric", "frechet"))
    assert isinstance(metric, SetMetric)

    def statistics(generated):
        board = Scoreboard(frames[0], mesh=mesh, metrics={"frechet": metric})
        for real, one in zip(frames, generated):
            board.add(real, one)
        assert board.result() == {}  # a film by itself has none
        return board.statistics()["frechet"]

    equal = statistics(frames)
    blurred = statistics([cv2.GaussianBlur(frame, (0, 0), 4) for frame in frames])
    assert int(equal["count"]) == len(frames) - 1
    (name,) = metric.over_all([equal, equal])
    assert name == "frechet_encoder" and metric.scores[0].title.startswith("Frechet distance (features: ")
    assert metric.over_all([equal, equal])[name] == pytest.approx(0, abs=1e-6)
    assert metric.over_all([blurred, blurred])[name] > 1e-3
    assert metric.over_all([]) == {}


def test_the_example_of_the_page_is_a_metric(frames, mesh):
    page = (Path(__file__).parents[1] / "docs/metrics.md").read_text(encoding="utf-8")
    made: dict = {}
    exec(re.search(r"```python\n(.*?)```", page, re.DOTALL).group(1), made)
    (component,) = made["visiongen_metrics"]()
    metric = component.load(component.options(), device="cpu")
    assert isinstance(metric, Metric)
    board = Scoreboard(frames[0], mesh=mesh, metrics={component.name: metric})
    assert board.add(frames[0], frames[0] // 2)["colour_drift"] > 10 < board.result()["colour_drift"]


def test_the_page_names_every_score(frames):
    page = (Path(__file__).parents[1] / "docs/metrics.md").read_text(encoding="utf-8").lower()
    titles = {metric.scores[0].title for metric in quick_metrics(BUILT_IN - NETWORKS).values()}
    assert not {title for title in titles if f"| {title.lower()}" not in page}


# --- published networks: their weights are not part of the package ----------------------------------------------------


@pytest.mark.parametrize("name, file", [("lpips", "alexnet-owt-7be5be79.pth"), ("fid", "pt_inception-2015-12-05")])
def test_missing_weights_say_what_to_do(name, file, tmp_path):
    component = plugins.choose("metric", name)
    with pytest.raises(WeightsError, match=rf"(?s){file}.*not there.*https://.*--{name}.download"):
        plugins.load(component, component.options(folder=str(tmp_path)))


def test_weights_are_checked_and_fetched_only_on_request(tmp_path):
    content = b"weights"
    served = tmp_path / "served.pth"
    served.write_bytes(content)
    checksum = hashlib.sha256(content).hexdigest()
    file = WeightFile("net.pth", checksum[:8], served.as_uri(), "lpips")
    folder = tmp_path / "kept"
    with pytest.raises(WeightsError, match="not there"):
        find(file, str(folder))
    path = find(file, str(folder), download=True)
    assert path.read_bytes() == content and [p.name for p in folder.iterdir()] == ["net.pth"]
    path.write_bytes(b"damaged")
    with pytest.raises(WeightsError, match="SHA-256"):
        find(file, str(folder))
    path.unlink()
    served.write_bytes(b"somebody else's")
    with pytest.raises(WeightsError, match="wrong checksum"):
        find(file, str(folder), download=True)
    assert not list(folder.iterdir())


@pytest.mark.slow
def test_lpips_and_inception_have_the_published_shape():
    import torch

    from visiongen.metrics.inception import Inception
    from visiongen.metrics.lpips import Lpips

    torch.manual_seed(0)
    lpips = Lpips().eval()
    with torch.device("meta"):  # shapes alone: 22 million numbers need not be drawn
        inception = Inception().eval()
        features = inception(torch.empty(2, 3, 64, 64))
    # Without the classifiers, as torchvision's networks, of which the published weights are.
    assert sum(p.numel() for p in lpips.features.parameters()) == 2_469_696
    assert sum(p.numel() for p in inception.parameters()) == 21_785_568
    assert "Mixed_7c.branch3x3dbl_3b.conv.weight" in inception.state_dict()
    with torch.inference_mode():
        for weight in lpips.weights:
            weight.fill_(1)
        a = torch.rand(1, 3, 64, 64) * 2 - 1
        b = (a + 0.3 * torch.randn_like(a)).clamp(-1, 1)
        assert float(lpips(a, a)) == 0 and 0 < float(lpips(a, (a + b) / 2)) < float(lpips(a, b))
    assert features.shape == (2, 2048)


def test_identity_without_dlib_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "dlib", None)
    with pytest.raises(WeightsError, match=r"pip install 'visiongen\[identity\]'"):
        plugins.load(plugins.choose("metric", "identity"))


def test_identity_with_dlib(frames, mesh):
    pytest.importorskip("dlib", reason="needs visiongen[identity]")
    metric = plugins.load(plugins.choose("metric", "identity"))
    board = Scoreboard(frames[0], mesh=mesh, metrics={"identity": metric})
    values = [board.add(frame, frame)["csim"] for frame in frames]
    result = board.result()
    assert [value is not None for value in values] == [i % 5 == 0 for i in range(len(frames))]
    assert result["csim"] > 0.95 and result["identity_distance"] < 0.4 and result["aed"] == 0
