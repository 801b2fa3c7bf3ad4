"""Built-in generators, offered through the same door as everybody else's."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from visiongen.generators.options import VaeGanOptions
from visiongen.hookspecs import Component, NoOptions, hookimpl


def _load_vae_gan(options: VaeGanOptions, *, device: str) -> Any:
    from visiongen.generators.vae_gan import VaeGanGenerator

    return VaeGanGenerator(options, device=device)


def _load_warp(options: NoOptions, *, device: str) -> Any:
    from visiongen.generators.warp import WarpGenerator

    return WarpGenerator()


@hookimpl
def visiongen_generators() -> Iterable[Component]:
    """The VAE-GAN and the geometry it stands on."""
    yield Component(
        name="vae-gan",
        summary="VAE-GAN on a geometric motion prior (default)",
        load=_load_vae_gan,
        options=VaeGanOptions,
    )
    yield Component(name="warp", summary="the geometry alone: no network, no new content", load=_load_warp)
