"""Metrics: how good a generated film is, measured against the film that drove it.

For a live chart or a whole film, `Scoreboard` takes frames one by one, looks for the landmarks itself, and keeps curves:

    from visiongen.metrics import Scoreboard

    with Scoreboard(portrait, fps=25, same_person=False) as board:   # portrait: (H, W, 3) uint8 RGB
        for real, generated in zip(driving_frames, generated_frames):
            now = board.add(real, generated)        # {"ksr": 0.93, "detection_rate": 1.0, ...}; None: nothing to tell
        board.curves["ksr"], board.times            # lists, one entry a frame
        board.result()                              # {"ksr": 0.91, "ksr_mouth": 0.88, "motion_ratio": 1.02, ...}
        board.scores["ksr"].title                   # what the number is called; also unit, better, digits, summary

``same_person=True`` (self-reenactment: the driving film is the truth) adds what compares pixels: L1, PSNR, SSIM, AKD and
more. By default it holds what is quick (`quick_metrics`); ``metrics={"ssim": ..., "lpips": ...}`` takes others, loaded with
`visiongen.load(visiongen.choose("metric", "lpips"))`; `visiongen.plugins.metrics()` lists all that are installed.

Single numbers, from pictures (H, W, 3) uint8 or landmarks (T, 468, 2) px:

    image_scores(real, generated)       -> ImageScores(l1, psnr, ssim); also l1, psnr, ssim, ms_ssim, sharpness
    StabilityMeter(fps=25)              -> .add(real_landmarks, generated_landmarks), .result().ksr
    keypoint_stability(real, generated, fps), akd, akd_coordinates, motion_ratio, jitter_ratio, acceleration_error,
    own_steadiness(generated, fps)      -> KSR-free: steadiness of the generated face by itself, without a driver
    face_similarity(picture_a, landmarks_a, picture_b, landmarks_b)   -> identity proxy in [0, 1], no network

Formula, range, unit and source of each stand in its docstring; docs/metrics.md has the table. Importing this package is
light: what a name needs is loaded when it is used.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from functools import partial
from typing import Any

from visiongen.hookspecs import Component, Metric, NoOptions, hookimpl
from visiongen.metrics.options import DlibOptions, FidOptions, LpipsOptions

_HOMES = {
    "distribution": ("frechet_distance",),
    "identity": ("face_similarity",),
    "image": (
        "ImageScores",
        "flow_error",
        "image_scores",
        "l1",
        "ms_ssim",
        "optical_flow",
        "psnr",
        "sharpness",
        "ssim",
    ),
    "motion": (
        "Stability",
        "acceleration_error",
        "akd",
        "akd_coordinates",
        "jitter_ratio",
        "keypoint_stability",
        "motion_ratio",
        "own_steadiness",
    ),
    "scoreboard": ("Scoreboard",),
    "stability": ("StabilityMeter",),
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}

__all__ = sorted([*_HOME_OF, "quick_metrics"])


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module 'visiongen.metrics' has no attribute {name!r}")
    return getattr(importlib.import_module(f"visiongen.metrics.{_HOME_OF[name]}"), name)


# No `__dir__`: the plugin host looks at every name that it lists, and so would load all of them.
_BUILT_IN = {
    "l1": ("per_frame", "L1Metric", "mean absolute difference of the pixels"),
    "psnr": ("per_frame", "PsnrMetric", "peak signal-to-noise ratio"),
    "ssim": ("per_frame", "SsimMetric", "structural similarity (Wang 2004)"),
    "ms-ssim": ("per_frame", "MsSsimMetric", "structural similarity over five scales"),
    "sharpness": ("per_frame", "SharpnessMetric", "fine detail in the face, generated over real"),
    "tof": ("per_frame", "FlowMetric", "error of the optical flow"),
    "detection": ("per_frame", "DetectionMetric", "share of frames in which the generated face is found"),
    "akd": ("over_time", "AkdMetric", "average keypoint distance"),
    "ksr": ("over_time", "KsrMetric", "keypoint stability ratio, its parts and regions"),
    "motion": ("over_time", "MotionMetric", "acceleration error, motion and jitter ratio"),
    "steadiness": ("over_time", "SteadinessMetric", "KSR-free: steadiness of the generated face by itself"),
    "pose": ("over_time", "PoseMetric", "head pose distance (APD)"),
    "pose-relative": ("over_time", "RelativePoseMetric", "head pose distance where somebody else drives"),
    "expression": ("over_time", "ExpressionMetric", "expression distance"),
    "expression-relative": ("over_time", "RelativeExpressionMetric", "expression distance where somebody else drives"),
    "identity-proxy": ("identity", "ProxyMetric", "likeness to the portrait by texture; no network, not CSIM"),
}
"""Name -> module, class, summary, of those without options."""

QUICK = ("l1", "psnr", "ssim", "sharpness", "detection", "akd", "ksr", "motion", "steadiness", "pose",
         "pose-relative", "expression", "expression-relative", "identity-proxy")  # fmt: skip
"""Those that together take a few milliseconds a frame."""


def _load(module: str, name: str, options: NoOptions, *, device: str) -> Metric:
    return getattr(importlib.import_module(f"visiongen.metrics.{module}"), name)()


def _load_with_options(module: str, name: str, options: Any, *, device: str) -> Metric:
    return getattr(importlib.import_module(f"visiongen.metrics.{module}"), name)(options, device=device)


def quick_metrics(names: Iterable[str] = QUICK) -> dict[str, Metric]:
    """Built-in metrics without options, ready for a `Scoreboard`.

    Args:
        names: Those to make, of: l1, psnr, ssim, ms-ssim, sharpness, tof, detection, akd, ksr, motion, steadiness, pose,
            pose-relative, expression, expression-relative, identity-proxy.
    Raises:
        ValueError: There is none of such a name.
    """
    names = tuple(names)
    if unknown := [name for name in names if name not in _BUILT_IN]:
        raise ValueError(f"no built-in metric is named {unknown[0]!r}; there are: {', '.join(_BUILT_IN)}")
    return {name: _load(*_BUILT_IN[name][:2], NoOptions(), device="cpu") for name in names}


@hookimpl
def visiongen_metrics() -> Iterable[Component]:
    """All built-in metrics. Those that need a network ask for it when they are chosen, not when they are listed."""
    for name, (module, made, summary) in _BUILT_IN.items():
        yield Component(name=name, summary=summary, load=partial(_load, module, made))
    yield Component(
        name="identity",
        summary="CSIM and identity distance by dlib's face embedder (needs visiongen[identity])",
        load=partial(_load_with_options, "dlib_embedder", "DlibMetric"),
        options=DlibOptions,
    )
    yield Component(
        name="lpips",
        summary="LPIPS with the true network (AlexNet; needs its two weight files)",
        load=partial(_load_with_options, "lpips", "LpipsMetric"),
        options=LpipsOptions,
    )
    yield Component(
        name="fid",
        summary="FID with the true network (Inception of 2015; needs its weight file)",
        load=partial(_load_with_options, "inception", "FidMetric"),
        options=FidOptions,
    )
    yield Component(
        name="frechet",
        summary="Frechet distance (features: encoder of the shipped VAE-GAN); not FID",
        load=partial(_load_with_options, "distribution", "EncoderFrechetMetric"),
    )
