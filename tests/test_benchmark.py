"""`visiongen bench`: a real job in a process of its own, and the page."""

import json

import cv2
import pytest
from builders import astronaut, moving_head, write_clip

from visiongen import benchmark_page
from visiongen.benchmark import BenchmarkConfig, benchmark
from visiongen.errors import PluginError, VisionGenError


@pytest.fixture(scope="module")
def media_files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bench")
    cv2.imwrite(str(folder / "head.png"), astronaut()[..., ::-1])
    write_clip(folder / "head.mp4", moving_head(16))
    return folder


@pytest.mark.slow
def test_a_whole_job_is_measured_and_written(media_files, tmp_path):
    config = BenchmarkConfig(
        portrait=media_files / "head.png", driving=media_files / "head.mp4", generators=("warp",), sizes=(128,),
        quick=True, device="cpu", out=tmp_path / "b.md", quality=tmp_path / "none.json",
    )  # fmt: skip
    page = benchmark(config)
    (row,) = json.loads((tmp_path / "b.json").read_text())
    assert row["frames"] == 16 and row["pixels"] == [128, 128] and row["precision"] == "float32"
    assert all(0 < row["ms"][stage]["p50"] for stage in ("landmarks", "generate", "paste", "encode"))
    whole = sum(row["ms"][stage]["mean"] for stage in row["ms"])
    assert row["frames_per_second"] == pytest.approx(1000 / whole) and row["peak_mb"] > 50
    assert (tmp_path / "b.md").read_text() == page
    assert "| 128 | warp | cpu |" in page and "| 1.00 |" in page and "There is no `none.json`" in page


@pytest.mark.slow
def test_a_job_that_fails_is_told(media_files, tmp_path):
    config = BenchmarkConfig(portrait=media_files / "head.png", driving=media_files / "head.png", generators=("warp",),
                             quick=True, device="cpu")  # fmt: skip
    with pytest.raises(VisionGenError, match=r"warp at 256.*head\.png is a still picture"):
        benchmark(config)
    with pytest.raises(PluginError, match="no generator named 'none'"):
        benchmark(BenchmarkConfig(generators=("none",)))
    with pytest.raises(VisionGenError, match="--sizes"):
        BenchmarkConfig(sizes=())


def made_up_row(**changes):
    stage = {"p50": 10.0, "p95": 12.0, "mean": 10.5}
    return {
        "size": 256, "generator": "vae-gan", "device": "cpu", "threads": 2, "precision": "float32", "frames": 100,
        "options": None, "ms": {name: stage for name in benchmark_page.STAGES}, "frames_per_second": 20.0,
        "first_ms": 900.0, "peak_mb": 500.0, "gpu_peak_mb": None, "cpu": "AVX2", "gpu": None,
    } | changes  # fmt: skip


def test_ratios_compare_like_with_like(tmp_path):
    rows = [
        made_up_row(),
        made_up_row(generator="fomm", frames_per_second=2.0),
        made_up_row(threads=1, frames_per_second=12.0),
        made_up_row(device="cuda", gpu="A GPU", gpu_peak_mb=100.0, frames_per_second=300.0),
    ]
    page = benchmark_page.page(rows, ["warp at 1: failed"], quality=tmp_path / "none.json", reference="fomm")
    table = [line for line in page.splitlines() if line.startswith("| 256 |")]
    assert [line.split("|")[11].strip() for line in table] == ["10.00", "1.00", "–", "–"]
    assert ", AVX2, A GPU." in page and "- warp at 1: failed" in page and "A GPU" in page and "500 + 100 GPU" in page
    assert "300.0 (cuda, 2 threads, 256 px, whole job)" in page


def test_the_papers_figures_stand_beside_those_that_were_measured(tmp_path):
    quality = tmp_path / "quality.json"
    score = {"mean": 0.8123, "low": 0.79, "high": 0.83, "n": 20}
    figures = {
        "protocol": {name: name for name in ("data", "frames", "pictures", "judge", "interval")},
        "scores": {"frechet_x": {"title": "Frechet distance (features: X)", "digits": 3}},
        "summary": {
            "vae-gan": {"ssim": score, "ksr": score, "frechet_x": {"mean": 0.5}},
            "copy": {"ssim": {"mean": 0.66}},
            "ceiling": {"ksr": {"mean": 0.97}},
        },
    }
    quality.write_text(json.dumps(figures))
    page = benchmark_page.page([made_up_row()], [], quality=quality, reference="fomm", first=3.4)
    assert "first frame 3.4 s after it was started" in page
    assert "| SSIM | 0.87 | 0.812 (0.790 to 0.830) |" in page and "| KSR | 91 % | 81.2 % (79.0 to 83.0) |" in page
    assert "| FID | 23.4 | not measured |" in page and "Frechet distance (features: X): 0.500" in page
    assert (
        "`copy` alone has 0.660" in page
        and "re-encoded, is 97.0 %" in page
        and "| MOS | 4.2 of 5 | not claimed |" in page
    )
