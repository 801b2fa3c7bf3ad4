"""The face detector's own eyes as a perceptual loss: MediaPipe's face-mesh network as a differentiable module.

Whoever looks at an animated face sees first whether lids, lips and outline are where they should be. The network that
finds landmarks has learnt to look there, its weights come inside the MediaPipe package, and so nothing needs to be
downloaded. Only training uses it.

Sources: Kartynnik et al., "Real-time facial surface geometry from monocular video on mobile GPUs", 2019 (the network);
Johnson et al., "Perceptual losses for real-time style transfer and super-resolution", 2016 (features as a loss).
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from visiongen.errors import WeightsError

SIDE = 192
"""Pictures are looked at with this side, px."""
_MODEL = "modules/face_landmark/face_landmark_with_attention.tflite"
_POINTS = 468
_FRAMED = 1.5
"""The crop's side over the face's: MediaPipe's own."""


class Seen(NamedTuple):
    """What the network sees in pictures."""

    points: Tensor  # (B, 468, 2) px of the crop of `SIDE`
    features: list[Tensor]  # (B, C, s, s) at s = 96, 48, 24, 12


class _Step(NamedTuple):
    kind: str
    inputs: tuple[int, ...]  # numbers of tensors
    output: int
    stride: int
    same: bool  # zero padding as TensorFlow's SAME: the odd pixel at the far end


class FaceFeatures(nn.Module):
    """MediaPipe's face-mesh network up to its 468 points; its weights are constants.

    Raises:
        WeightsError: The package `tflite`, which reads its file, is not installed; or the file is not as expected.
    """

    def __init__(self) -> None:
        super().__init__()
        steps, constants, self._input, self._output = _read(model_file())
        self._steps = steps
        for number, value in constants.items():
            self.register_buffer(f"c{number}", torch.from_numpy(value), persistent=False)

    def forward(self, pictures: Tensor, landmarks: Tensor) -> Seen:
        """
        Args:
            pictures: (B, 3, S, S) in [-1, 1].
            landmarks: (B, 478, 3) crop units [0, 1]: where the face is.
        """
        x = F.grid_sample(pictures, crop_grid(landmarks, SIDE), padding_mode="border", align_corners=False)
        values, features = {self._input: x / 2 + 0.5}, {}
        for step in self._steps:
            y = values[step.output] = self._run(step, values)
            if step.kind == "PRELU" and y.shape[-1] in (96, 48, 24, 12):
                features[y.shape[-1]] = y  # the last of each size
        points = values[self._output].flatten(1).unflatten(1, (_POINTS, 3))[..., :2]
        return Seen(points, list(features.values()))

    def _run(self, step: _Step, values: dict[int, Tensor]) -> Tensor:
        get = lambda n: values[n] if n in values else getattr(self, f"c{n}")  # noqa: E731
        x = get(step.inputs[0])
        match step.kind:
            case "CONV_2D" | "DEPTHWISE_CONV_2D":
                weight, bias = get(step.inputs[1]), get(step.inputs[2])
                if step.same:
                    x = F.pad(x, _same(x.shape[-1], weight.shape[-1], step.stride) * 2)
                groups = x.shape[1] if step.kind.startswith("DEPTHWISE") else 1
                return F.conv2d(x, weight, bias, step.stride, groups=groups)
            case "PRELU":
                return F.prelu(x, get(step.inputs[1]))
            case "ADD":
                return x + get(step.inputs[1])
            case "MAX_POOL_2D":
                return F.max_pool2d(x, step.stride)
            case "PAD":  # (4, 2) in the order batch, rows, columns, channels: shortcuts to wider layers
                added = get(step.inputs[1])
                return F.pad(x, (0, 0, 0, 0, int(added[3, 0]), int(added[3, 1])))
        raise WeightsError(f"{_MODEL}: has a step {step.kind} that is not known here; install mediapipe==0.10.21")


def crop_grid(landmarks: Tensor, side: int) -> Tensor:
    """(B, side, side, 2) for `grid_sample`: an upright crop round each face, as MediaPipe takes it.

    Args:
        landmarks: (B, 478, 3) crop units.
    """
    points = landmarks[:, :_POINTS, :2].float()
    eyes = points[:, 263] - points[:, 33]
    angle = torch.atan2(eyes[:, 1], eyes[:, 0])
    low, high = points.amin(1), points.amax(1)
    centre, half = (low + high) / 2, (high - low).amax(1) / 2 * _FRAMED
    c, s = (half * torch.cos(angle))[:, None, None], (half * torch.sin(angle))[:, None, None]
    axis = (torch.arange(side, device=points.device) + 0.5) / side * 2 - 1
    x, y = axis[None, None, :], axis[None, :, None]
    grid = torch.stack([c * x - s * y, s * x + c * y], -1) + centre[:, None, None]
    return grid * 2 - 1


def landmark_distance(generated: Seen, real: Seen) -> Tensor:
    """Mean distance of the points found in both pictures, as a share of the crop's side times 100: about px at 100."""
    return 100 * (generated.points - real.points.detach()).norm(dim=-1).mean() / SIDE


def feature_distance(generated: Seen, real: Seen) -> Tensor:
    """L1 between features, each layer over its own mean size, mean over the layers."""
    terms = [
        (g - r.detach()).abs().mean() / r.detach().abs().mean().clamp_min(1e-6)
        for g, r in zip(generated.features, real.features, strict=True)
    ]
    return sum(terms) / len(terms)


def model_file() -> Path:
    """The network inside the installed MediaPipe package."""
    package = importlib.util.find_spec("mediapipe")  # only its file is needed, not its start-up
    path = Path(package.submodule_search_locations[0]) / _MODEL if package else None
    if path is None or not path.is_file():
        raise WeightsError(f"{_MODEL}: not in the installed MediaPipe; install mediapipe==0.10.21")
    return path


def _same(size: int, kernel: int, stride: int) -> tuple[int, int]:
    total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2


def _read(path: Path) -> tuple[list[_Step], dict[int, np.ndarray], int, int]:
    """Steps in order, constants by number (convolutions as PyTorch lays them out), numbers of input and output."""
    try:
        import tflite
    except ImportError as error:
        raise WeightsError(
            "training with the face detector's features needs the package tflite: pip install 'visiongen[training]', or "
            "switch them off: --landmarks 0 --perceptual 0"
        ) from error
    model = tflite.Model.GetRootAsModel(path.read_bytes(), 0)
    graph = model.Subgraphs(0)
    names = {value: name for name, value in vars(tflite.BuiltinOperator).items() if isinstance(value, int)}
    types = {
        tflite.TensorType.FLOAT32: np.float32,
        tflite.TensorType.FLOAT16: np.float16,
        tflite.TensorType.INT32: np.int32,
    }

    def stored(number: int) -> np.ndarray | None:
        tensor = graph.Tensors(number)
        data = model.Buffers(tensor.Buffer()).DataAsNumpy()
        if isinstance(data, int):  # 0: nothing stored, computed on the way
            return None
        return np.frombuffer(data.tobytes(), types[tensor.Type()]).reshape(tensor.ShapeAsNumpy())

    constants, made = {}, {}  # numbers -> array, number of a tensor -> the step that makes it
    for i in range(graph.OperatorsLength()):
        operator = graph.Operators(i)
        code = model.OperatorCodes(operator.OpcodeIndex())
        kind = names[max(code.BuiltinCode(), code.DeprecatedBuiltinCode())]
        inputs, output = tuple(int(n) for n in operator.InputsAsNumpy()), int(operator.Outputs(0))
        if kind == "DEQUANTIZE":  # weights are stored as float16
            constants[output] = stored(inputs[0]).astype(np.float32)
            continue
        stride, same = 1, False
        if kind in ("CONV_2D", "DEPTHWISE_CONV_2D", "MAX_POOL_2D"):
            options = {"CONV_2D": tflite.Conv2DOptions, "DEPTHWISE_CONV_2D": tflite.DepthwiseConv2DOptions}
            options = options.get(kind, tflite.Pool2DOptions)()
            table = operator.BuiltinOptions()
            options.Init(table.Bytes, table.Pos)
            stride, same = options.StrideH(), options.Padding() == tflite.Padding.SAME
        made[output] = _Step(kind, inputs, output, stride, same)

    # Only what leads to the 468 points: the refinement of lips and eyes has steps of its own kind.
    output = int(graph.Outputs(0))
    if made[output].kind == "STRIDED_SLICE":  # takes all of its input
        output = made[output].inputs[0]
    steps = _leading_to(output, made)
    computed = {step.output for step in steps}
    used: dict[int, np.ndarray] = {}
    for step in steps:
        for place, number in enumerate(step.inputs[1:], 1):
            if number not in computed:
                value = constants[number] if number in constants else stored(number)
                used[number] = np.array(_laid_out(step.kind, place, value), order="C")
    return steps, used, int(graph.Inputs(0)), output


def _leading_to(output: int, made: dict[int, _Step]) -> list[_Step]:
    """The steps that `output` needs, each after those that it needs itself."""
    order: dict[int, _Step] = {}

    def need(number: int) -> None:
        if number in made and number not in order:
            for before in made[number].inputs:
                need(before)
            order[number] = made[number]

    need(output)
    return list(order.values())


def _laid_out(kind: str, place: int, value: np.ndarray) -> np.ndarray:
    """A constant, input `place` of a step, as PyTorch wants it."""
    if kind == "CONV_2D" and place == 1:
        return value.transpose(0, 3, 1, 2)  # from (out, rows, columns, in)
    if kind == "DEPTHWISE_CONV_2D" and place == 1:
        return value.transpose(3, 0, 1, 2)  # from (1, rows, columns, channels)
    return value.reshape(-1) if kind == "PRELU" else value
