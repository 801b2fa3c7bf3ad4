"""Which numbers a network computes in."""

import numpy as np
import pytest
import torch
from builders import astronaut_portrait, self_made_motion

from visiongen.generators import precision
from visiongen.generators.options import VaeGanOptions
from visiongen.generators.precision import computing_in, has_bfloat16
from visiongen.generators.vae_gan import VaeGanGenerator

CPU = torch.device("cpu")


def computed(wanted: str) -> torch.dtype:
    with computing_in(wanted, CPU):
        return (torch.ones(4, 4) @ torch.ones(4, 4)).dtype


def test_the_precision_that_is_asked_for_is_used():
    for wanted in ("float32", "bfloat16"):
        assert computed(wanted) is getattr(torch, wanted)
    with torch.autocast("cpu", torch.bfloat16):  # whatever the caller does
        assert computed("float32") is torch.float32
    assert not torch.is_autocast_enabled("cpu")


@pytest.mark.parametrize(("able", "dtype"), [(True, torch.bfloat16), (False, torch.float32)])
def test_auto_takes_bfloat16_where_it_is_there(monkeypatch, able, dtype):
    monkeypatch.setattr(precision, "has_bfloat16", lambda device: able)
    assert computed("auto") is dtype


@pytest.mark.parametrize(
    ("told", "able"), [({"avx512_bf16": True}, True), ({"avx512_f": True, "amx_bf16": False}, False)]
)
def test_the_processor_is_asked(monkeypatch, told, able):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: told, raising=False)
    assert has_bfloat16(CPU) is able


def test_where_the_processor_does_not_tell_it_is_float32(monkeypatch):
    monkeypatch.delattr(torch.cpu, "get_capabilities", raising=False)
    assert not has_bfloat16(CPU)


def test_frames_look_the_same_in_bfloat16():
    portrait = astronaut_portrait()
    motion = self_made_motion(portrait, 3, fps=3)

    def frames(wanted: str) -> np.ndarray:
        generator = VaeGanGenerator(VaeGanOptions(precision=wanted, batch=3), device="cpu")
        return np.concatenate([batch.pixels for batch in generator.render(portrait, motion)]).astype(float)

    single, half = frames("float32"), frames("bfloat16")
    assert 0 < np.abs(single - half).mean() < 0.3
