"""Options of the metrics that need a network; apart from them, so that listing options loads none."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class DlibOptions:
    """Options of `identity`."""

    every: int = field(default=5, metadata={"range": (1, 100), "step": 1})
    """Look at every n-th frame; the network takes longer than all other metrics together."""


@dataclass(frozen=True, kw_only=True)
class LpipsOptions:
    """Options of `lpips`."""

    folder: str = ""
    """Folder with alexnet-owt-7be5be79.pth (torchvision's weights) and alex.pth (LPIPS 0.1); empty: the cache folder."""
    download: bool = False
    """Get missing files from the internet (244 MB), check them, and keep them in the folder."""


@dataclass(frozen=True, kw_only=True)
class FidOptions:
    """Options of `fid`."""

    folder: str = ""
    """Folder with pt_inception-2015-12-05-6726825d.pth (of pytorch-fid); empty: the cache folder."""
    download: bool = False
    """Get a missing file from the internet (95 MB), check it, and keep it in the folder."""
