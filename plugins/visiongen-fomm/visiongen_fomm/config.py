"""Sizes of a First Order Motion Model. The defaults are vox-256, the configuration of the public checkpoints."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from typing import Any


@dataclass(frozen=True, kw_only=True)
class HourglassConfig:
    """Of the keypoint detector and of the dense motion network."""

    block_expansion: int
    """Channels at full resolution; every level below has twice as many."""
    max_features: int = 1024
    """No level has more channels."""
    num_blocks: int = 5
    """Levels."""
    scale_factor: float = 0.25
    """Its resolution over the picture's: 1, 1/2, 1/4, ..."""

    def __post_init__(self) -> None:
        step = 1 / self.scale_factor
        if self.scale_factor > 1 or abs(step - round(step)) > 1e-6:
            raise ValueError(f"scale_factor is {self.scale_factor}, but must be one over a whole number")


@dataclass(frozen=True, kw_only=True)
class FommConfig:
    """Keypoint detector and generator."""

    num_kp: int = 10
    """Keypoints."""
    num_channels: int = 3
    """Of a picture."""
    estimate_jacobian: bool = True
    """Keypoints carry a local affine map (first order) and not only a place."""
    temperature: float = 0.1
    """Of the softmax over places; lower is more pointed."""
    kp_variance: float = 0.01
    """Of the heat maps drawn at keypoints, in units of half the picture, squared."""
    kp_detector: HourglassConfig = field(default_factory=lambda: HourglassConfig(block_expansion=32))
    dense_motion: HourglassConfig = field(default_factory=lambda: HourglassConfig(block_expansion=64))
    block_expansion: int = 64
    """Channels of the generator at full resolution."""
    max_features: int = 512
    """No level of the generator has more channels."""
    num_down_blocks: int = 2
    """Levels between the picture and the features that are warped."""
    num_bottleneck_blocks: int = 6
    """Residual blocks after the warp."""
    estimate_occlusion_map: bool = True
    """The dense motion network says what a warp cannot show."""
    size: int = 256
    """Side of the pictures it was trained on, px."""

    def widths(self) -> list[int]:
        """Channels of the generator from the picture down."""
        return [min(self.max_features, self.block_expansion * 2**i) for i in range(self.num_down_blocks + 1)]

    @property
    def multiple(self) -> int:
        """Sides of pictures must be multiples of this, px."""
        return max(2**self.num_down_blocks, *(round(self.size * net.scale_factor) for net in self._nets().values()))

    def at_size(self, size: int) -> FommConfig:
        """For pictures of another size: motion is still found at the resolution it was learned at.

        Raises:
            ValueError: It is no multiple of `multiple`.
        """
        if size < 1 or size % self.multiple:
            raise ValueError(f"size is {size}, but must be a multiple of {self.multiple}")
        nets = {
            name: replace(net, scale_factor=net.scale_factor * self.size / size) for name, net in self._nets().items()
        }
        return replace(self, size=size, **nets)

    def _nets(self) -> dict[str, HourglassConfig]:
        return {"kp_detector": self.kp_detector, "dense_motion": self.dense_motion}

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return asdict(self)

    @staticmethod
    def from_dict(values: dict[str, Any]) -> FommConfig:
        """From `to_dict`.

        Raises:
            TypeError, ValueError: An unknown or impossible entry.
        """
        nets = {name: HourglassConfig(**values[name]) for name in ("kp_detector", "dense_motion") if name in values}
        return FommConfig(**{**values, **nets})
