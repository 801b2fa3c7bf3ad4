"""Files of earlier versions are read, and those of later ones are refused with the way forward."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from studio.measurements import of_report
from studio.store import Store
from visiongen.diagnostics import read_problems
from visiongen.errors import MediaError, WeightsError
from visiongen.motion import load_motion, save_motion

FORMATS = Path(__file__).parent / "data" / "formats"
"""Made once, see its make.py."""


def test_motion_templates(tmp_path):
    motion = load_motion(FORMATS / "motion-1.npz")
    assert len(motion) == 6 and motion.face_width == 120 and (motion.height, motion.width) == (256, 256)
    save_motion(motion, tmp_path / "again.npz")  # what is written today is read as well
    np.testing.assert_allclose(load_motion(tmp_path / "again.npz").offsets, motion.offsets, atol=1e-3)
    with np.load(FORMATS / "motion-1.npz") as data:
        arrays = dict(data)
    arrays["header"] = json.dumps({**json.loads(str(arrays["header"])), "format": 999})
    np.savez(tmp_path / "newer.npz", **arrays)
    with pytest.raises(MediaError, match=r"format 999, but this version reads 1; update VisionGen 3D"):
        load_motion(tmp_path / "newer.npz")


def test_checkpoints(tmp_path):
    from visiongen.models import weights

    for version in (1, 2):
        network = weights.load(FORMATS / f"weights-{version}.safetensors")
        assert network.config.latent == 4
        content = (FORMATS / f"weights-{version}.safetensors").read_bytes()
        card = json.loads((FORMATS / f"weights-{version}.json").read_text())
        assert card["format"] == version and card["sha256"] == hashlib.sha256(content).hexdigest()
    (tmp_path / "newer.safetensors").write_bytes(content)
    (tmp_path / "newer.json").write_text(json.dumps({**card, "format": 999}))
    with pytest.raises(WeightsError, match=r"format 999, but this version reads .* update VisionGen 3D"):
        weights.load(tmp_path / "newer.safetensors")


def test_checkpoints_that_painted_twice_as_fine_paint_the_mean_of_it():
    from safetensors.torch import load_file

    from visiongen.models import weights

    old = load_file(FORMATS / "weights-1.safetensors")
    network = weights.load(FORMATS / "weights-1.safetensors")
    features = torch.randn(2, 4, 16, 16)
    fine = F.conv2d(features, old["paint_out.0.weight"].float(), old["paint_out.0.bias"].float(), padding=1)
    expected = F.avg_pool2d(F.pixel_shuffle(fine, 2), 2)
    torch.testing.assert_close(network.paint_out(features), expected, atol=1e-5, rtol=0)


def changed_zip(path: Path, out: Path, name: str) -> Path:
    """A project in which a JSON file says that it is of format 999."""
    with zipfile.ZipFile(path) as archive:
        files = {one: archive.read(one) for one in archive.namelist()}
    files[name] = json.dumps({**json.loads(files[name]), "format": 999}).encode()
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for one, data in files.items():
            archive.writestr(one, data)
    out.write_bytes(content.getvalue())
    return out


@pytest.mark.parametrize(
    "name, says", [("project.json", "update the studio"), ("runs/r1/run.json", "version that made it")]
)
def test_projects(tmp_path, name, says):
    store = Store(tmp_path / "studio")
    (run,) = store.import_project(FORMATS / "project-1.zip", "me")
    assert run.title == "A run" and run.session == "me" and Path(run.settings.portrait).is_file()
    with pytest.raises(MediaError, match=f"format 999.*{says}"):
        store.import_project(changed_zip(FORMATS / "project-1.zip", tmp_path / "newer.zip", name), "me")
    assert [one.id for one in store.runs()] == [run.id]


def test_runs_of_another_version_are_left_alone_when_the_studio_starts(tmp_path):
    store = Store(tmp_path)
    (run,) = store.import_project(FORMATS / "project-1.zip", "me")
    record = run.folder / "run.json"
    record.write_text(json.dumps({**json.loads(record.read_text()), "format": 999}))
    (tmp_path / "studio.sqlite").unlink()
    assert not Store(tmp_path).runs() and record.exists()


def test_failure_cases(tmp_path):
    assert read_problems(FORMATS / "problems-1.json") == []
    (tmp_path / "newer.json").write_text(json.dumps({"format": 999, "problems": []}))
    with pytest.raises(MediaError, match=r"format 999.*diagnose the clip again"):
        read_problems(tmp_path / "newer.json")


def test_reports_of_before_there_was_a_format():
    found = of_report((FORMATS / "report-0.json").read_bytes(), "old.json")
    assert found["a.mp4"][0].scores == {"ssim": 0.8}


def test_reports():
    figures = {"format": 1, "clips": [{"name": "a", "methods": {"warp": {"scores": {"ssim": 0.8}}}}]}
    assert of_report(json.dumps(figures).encode(), "a.json")["a"][0].scores == {"ssim": 0.8}
    with pytest.raises(MediaError, match="format 999, but this version reads 1; update VisionGen 3D"):
        of_report(json.dumps(figures | {"format": 999}).encode(), "newer.json")
