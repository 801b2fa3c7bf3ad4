"""Wrote the files of this folder, once, with the first version of each format. Do not run it again: they show what users have."""

# ruff: noqa: E501 - tables of cases, one a line, are easier to look through
from __future__ import annotations

import json
import sys
from pathlib import Path

import torch

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parents[2]), str(HERE.parents[1])]

from bad_documents import packed, template  # noqa: E402
from bad_packages import members  # noqa: E402

from visiongen.models.vae_gan import VaeGan, VaeGanConfig  # noqa: E402
from visiongen.models.weights import save  # noqa: E402

TINY = VaeGanConfig(latent=4, encoder=(4, 4, 4), skips=(4, 4), motion=(4, 4, 4, 4), decoder=(4, 4, 4))
(HERE / "motion-1.npz").write_bytes(template())
(HERE / "project-1.zip").write_bytes(packed(members()))
torch.manual_seed(0)
save(VaeGan(TINY), HERE / "weights-2.safetensors", {})  # weights-1 in the same way, when the painting was twice as fine
(HERE / "problems-1.json").write_text(json.dumps({"format": 1, "problems": []}))
(HERE / "report-0.json").write_text(json.dumps([{"clip": "a.mp4", "scores": {"warp": {"ssim": 0.8}}}]))
