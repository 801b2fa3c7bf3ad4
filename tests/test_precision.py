"""Which numbers a network computes in."""

import threading
import time

import numpy as np
import pytest
import torch
from builders import astronaut_portrait, self_made_motion

from visiongen.generators import precision
from visiongen.generators.options import VaeGanOptions
from visiongen.generators.precision import NetworkPrecision, has_bfloat16
from visiongen.generators.vae_gan import VaeGanGenerator

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def nothing_measured(monkeypatch):
    monkeypatch.setattr(precision, "_quickest", {})


def reduced() -> bool:
    return torch.is_autocast_enabled("cpu")


def test_the_precision_that_is_asked_for_is_used():
    one, other = torch.ones(4, 4), torch.ones(4, 4)
    for wanted in ("float32", "bfloat16"):
        assert NetworkPrecision(wanted, CPU)(lambda: one @ other).dtype is getattr(torch, wanted)
    with torch.autocast("cpu", torch.bfloat16):  # whatever the caller does
        assert NetworkPrecision("float32", CPU)(lambda: one @ other).dtype is torch.float32
    assert not reduced()


@pytest.mark.parametrize(
    ("able", "seconds", "chosen"),
    [
        (True, (0.02, 0.005), True),
        (True, (0.005, 0.02), False),
        (True, (0.01, 0.0098), False),
        (False, (0.02, 0.0), False),
    ],
)
def test_auto_takes_bfloat16_where_it_is_there_and_quicker(monkeypatch, able, seconds, chosen):
    monkeypatch.setattr(precision, "has_bfloat16", lambda device: able)
    auto, calls = NetworkPrecision("auto", CPU), []

    def work() -> bool:
        calls.append(reduced())
        time.sleep(seconds[calls[-1]])
        return calls[-1]

    assert auto(work) is chosen
    assert len(calls) == (7 if able else 1)
    assert NetworkPrecision("auto", CPU)(work) is chosen and len(calls) == (8 if able else 2)  # measured once


def test_of_several_threads_one_measures(monkeypatch):
    monkeypatch.setattr(precision, "has_bfloat16", lambda device: True)
    auto, by = NetworkPrecision("auto", CPU), []

    def work() -> None:
        by.append(threading.get_ident())
        time.sleep(0.005 if reduced() else 0.01)

    threads = [threading.Thread(target=lambda: auto(work)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(by) == 9 and len(set(by[:6])) == 1


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
