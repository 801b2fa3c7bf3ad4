"""Identity with a true face-recognition network: dlib's 128-d ResNet. The only module that imports dlib.

The optional extra ``visiongen[identity]`` brings dlib and the weights inside a package; nothing is downloaded at run time.
"""

from __future__ import annotations

import hashlib
import importlib.util
import threading
from pathlib import Path
from typing import Any

import numpy as np

from visiongen.errors import WeightsError
from visiongen.hookspecs import Comparison, FramePair, MetricRun, Score
from visiongen.metrics.options import DlibOptions
from visiongen.metrics.per_frame import MeanRun

_CHECKSUMS = {
    "dlib_face_recognition_resnet_model_v1.dat": "55533b28a95800a551ba546ba62fe69625c7e95a7061c338adffead08719da30",
    "shape_predictor_5_face_landmarks.dat": "c4b1e9804792707d3a405c2c16a80a20269e6675021f64a41d30fffafbc41888",
}


class DlibEmbedder:
    """(128,) identity vector of a face. Two pictures of one person are usually less than 0.6 apart.

    Source: King, "Dlib-ml: a machine learning toolkit", 2009; network and limit as described with dlib's face recognition.
    """

    def __init__(self) -> None:
        """
        Raises:
            WeightsError: dlib or its weights are not installed, or the weights are damaged.
        """
        try:
            import dlib
        except ImportError as error:
            raise WeightsError(
                f"the metric 'identity' needs dlib, which cannot be imported ({error}); pip install 'visiongen[identity]', "
                "or use 'identity-proxy'"
            ) from error
        files = {name: _weight_file(name, checksum) for name, checksum in _CHECKSUMS.items()}
        network, predictor = (str(files[name]) for name in _CHECKSUMS)
        self._dlib: Any = dlib
        self._network = dlib.face_recognition_model_v1(network)
        self._predictor = dlib.shape_predictor(predictor)
        self._lock = threading.Lock()  # the network keeps its layers' outputs between calls

    def __call__(self, picture: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
        """
        Args:
            picture: (H, W, 3) uint8 RGB.
            landmarks: (N >= 468, 2+) px: where the face is.
        """
        low, high = landmarks[:468, :2].min(0), landmarks[:468, :2].max(0)
        # dlib's own detector frames a face from the brows to the chin, in a square.
        centre, half = (low + high) / 2 + [0, 0.08 * (high - low)[1]], 0.44 * float((high - low).max())
        box = self._dlib.rectangle(*(round(float(v)) for v in (*(centre - half), *(centre + half))))
        picture = np.ascontiguousarray(picture)
        with self._lock:
            shape = self._predictor(picture, box)
            return np.array(self._network.compute_face_descriptor(picture, shape))


def _weight_file(name: str, checksum: str) -> Path:
    # The package itself is not imported: its first line needs a part of setuptools that is no more.
    spec = importlib.util.find_spec("face_recognition_models")
    path = Path(spec.origin or "").parent / "models" / name if spec else Path(name)
    if not path.is_file():
        raise WeightsError(
            f"the metric 'identity' needs {name} of the package face_recognition_models, which is not installed; "
            "pip install 'visiongen[identity]', or use 'identity-proxy'"
        )
    if hashlib.sha256(path.read_bytes()).hexdigest() != checksum:
        raise WeightsError(f"{path}: damaged (wrong checksum); pip install --force-reinstall face_recognition_models")
    return path


class DlibMetric:
    """CSIM: cosine of the identity vectors of the generated face and the portrait, range [-1, 1], 1 is equal; identity
    distance: their Euclidean distance, range >= 0, below 0.6 usually one person. In self-reenactment also AED: the
    distance to the real frame instead of the portrait. Means over the frames that are looked at.

    dlib's vectors all lie in one corner of the space: two strangers have a CSIM of about 0.8 to 0.9. So CSIM is not to be
    compared with tables made with another network (ArcFace).

    Source: Siarohin et al. 2019 for AED (its published code gives the square); Zakharov et al., "Few-shot adversarial
    learning of realistic neural talking head models", 2019, for CSIM.
    """

    scores = (
        Score(
            name="csim", title="CSIM (dlib)", better="higher",
            summary="Cosine of dlib's identity vectors of generated face and portrait; not comparable with ArcFace's.",
        ),
        Score(
            name="identity_distance", title="identity distance (dlib)", better="lower",
            summary="Distance of dlib's identity vectors of generated face and portrait; below 0.6 usually one person.",
        ),
        Score(
            name="aed", title="AED (dlib)", better="lower",
            summary="Distance of dlib's identity vectors of generated and real frame.",
        ),
    )  # fmt: skip

    def __init__(self, options: DlibOptions, *, device: str = "cpu") -> None:
        self._embed = DlibEmbedder()
        self._every = options.every

    def start(self, comparison: Comparison) -> MetricRun | None:
        """None where the portrait shows no face."""
        if comparison.portrait_landmarks is None:
            return None
        known = self._embed(comparison.portrait, comparison.portrait_landmarks)
        return _DlibRun(self._embed, known, self._every, comparison.same_person)


class _DlibRun:
    def __init__(self, embed: DlibEmbedder, portrait: np.ndarray, every: int, same_person: bool) -> None:
        self._embed, self._portrait, self._every, self._same_person = embed, portrait, every, same_person
        self._seen = -1
        self._now: dict[str, float] = {}
        self._means = [
            MeanRun(name, lambda pair, n=name: self._now.get(n)) for name in ("csim", "identity_distance", "aed")
        ]

    def add(self, pair: FramePair) -> float | None:
        self._seen += 1
        self._now = {}
        if self._seen % self._every == 0 and pair.generated_landmarks is not None:
            found = self._embed(pair.generated, pair.generated_landmarks)
            norms = np.linalg.norm(found) * np.linalg.norm(self._portrait)
            self._now = {
                "csim": float(found @ self._portrait / norms),
                "identity_distance": float(np.linalg.norm(found - self._portrait)),
            }
            if self._same_person and pair.real_landmarks is not None:
                real = self._embed(pair.real, pair.real_landmarks)
                self._now["aed"] = float(np.linalg.norm(found - real))
        values = [mean.add(pair) for mean in self._means]
        return values[0]

    def result(self) -> dict[str, float]:
        return {name: value for mean in self._means for name, value in mean.result().items()}
