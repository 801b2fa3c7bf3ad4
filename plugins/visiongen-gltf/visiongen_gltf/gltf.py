"""glTF 2.0: a scene as JSON and one buffer, written as .glb (binary) or .gltf (all data inside as base64).

Source: Khronos, "glTF 2.0 Specification", sections 3 (concepts) and 4 (GLB), and KHR_materials_unlit: the light is in the
portrait already.
"""

from __future__ import annotations

import base64
import json
import struct
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from visiongen import MotionTrack, Portrait, Provenance
from visiongen.exporters.target import whole_file, writing
from visiongen_gltf import GltfOptions
from visiongen_gltf.face_scene import FaceScene, build_scene, texture_jpeg

_FLOAT, _SHORT = 5126, 5123  # componentType: float32, uint16
_VERTICES, _INDICES = 34962, 34963  # bufferView.target
_TYPES = {1: "SCALAR", 2: "VEC2", 3: "VEC3", 4: "VEC4"}
_DARK = (0.045, 0.012, 0.012, 1.0)  # linear RGBA of an open mouth


class GltfExporter:
    """A `MotionExporter`, see above."""

    def __init__(self, options: GltfOptions | None = None, *, binary: bool = True) -> None:
        self.options, self.binary = options or GltfOptions(), binary

    def export_motion(
        self, portrait: Portrait, motion: MotionTrack, path: Path, *, fps: Fraction, provenance: Provenance
    ) -> int:
        """Writes the face of `portrait` as `motion` moves it; one key per frame."""
        scene = build_scene(portrait, motion, self.options)
        document = Document()
        document.add_scene(scene, texture_jpeg(portrait, longest=self.options.texture_size))
        document.json["asset"] = {
            "version": "2.0",
            "generator": f"{provenance.software}, visiongen-gltf",
            "extras": {
                "synthetic": provenance.synthetic,
                "fps": str(Fraction(fps)),
                "largest_error_face_widths": round(scene.error, 6),
                "settings": provenance.settings,
            },
        }
        with whole_file(Path(path)) as part:
            with writing(Path(path)):
                part.write_bytes(document.as_glb() if self.binary else document.as_gltf())
        return len(motion)


class Document:
    """The JSON of a glTF file and its buffer, growing together."""

    def __init__(self) -> None:
        self.json: dict[str, Any] = {"asset": {"version": "2.0"}, "bufferViews": [], "accessors": []}
        self.buffer = bytearray()

    def view(self, data: bytes, target: int | None = None) -> int:
        """Adds bytes to the buffer; gives the number of their bufferView."""
        self.buffer.extend(bytes(-len(self.buffer) % 4))
        view = {"buffer": 0, "byteOffset": len(self.buffer), "byteLength": len(data)}
        self.json["bufferViews"].append(view | ({"target": target} if target else {}))
        self.buffer.extend(data)
        return len(self.json["bufferViews"]) - 1

    def accessor(self, values: np.ndarray, target: int | None = None, *, bounds: bool = False) -> int:
        """Adds (N,) or (N, C) numbers, float32 or uint16; gives the number of their accessor."""
        values = np.ascontiguousarray(values)
        rows = values.reshape(len(values), -1)
        one = {
            "bufferView": self.view(values.astype(values.dtype.newbyteorder("<")).tobytes(), target),
            "componentType": _FLOAT if values.dtype == np.float32 else _SHORT,
            "count": len(rows),
            "type": _TYPES[rows.shape[1]],
        }
        if bounds:
            one |= {"min": rows.min(axis=0).tolist(), "max": rows.max(axis=0).tolist()}
        self.json["accessors"].append(one)
        return len(self.json["accessors"]) - 1

    def add_scene(self, scene: FaceScene, texture: bytes) -> None:
        """Adds everything: mesh, texture, materials, nodes, animation, camera."""
        self.json |= {
            "extensionsUsed": ["KHR_materials_unlit"],
            "images": [{"name": "portrait", "mimeType": "image/jpeg", "bufferView": self.view(texture)}],
            "samplers": [{"magFilter": 9729, "minFilter": 9987, "wrapS": 33071, "wrapT": 33071}],
            "textures": [{"sampler": 0, "source": 0}],
            "materials": _materials()[: 2 if scene.dark_mouth else 1],
            "meshes": [self._mesh(scene)],
            "cameras": [_camera(scene)],
            "nodes": [
                {
                    "name": "head",
                    "mesh": 0,
                    "translation": scene.translation[0].tolist(),
                    "rotation": scene.rotation[0].tolist(),
                    "scale": [float(scene.scale[0])] * 3,
                },
                {"name": "picture", "camera": 0, "translation": [0.0, 0.0, 10 * max(scene.half_size)]},
            ],
            "scenes": [{"name": "face", "nodes": [0, 1]}],
            "scene": 0,
            "animations": [self._animation(scene)],
        }

    def _mesh(self, scene: FaceScene) -> dict[str, Any]:
        attributes = {
            "POSITION": self.accessor(scene.positions, _VERTICES, bounds=True),
            "TEXCOORD_0": self.accessor(scene.uv, _VERTICES),
        }
        targets = [{"POSITION": self.accessor(one, _VERTICES, bounds=True)} for one in scene.targets]
        parts = ((scene.skin, 0), (scene.mouth, 1 if scene.dark_mouth else 0))
        return {
            "name": "face",
            "primitives": [
                {
                    "attributes": attributes,
                    "indices": self.accessor(triangles.reshape(-1), _INDICES),
                    "material": material,
                    "targets": targets,
                }
                for triangles, material in parts
            ],
            "weights": scene.weights[0].tolist(),
            "extras": {"targetNames": [f"movement {number + 1}" for number in range(len(scene.targets))]},
        }

    def _animation(self, scene: FaceScene) -> dict[str, Any]:
        time = self.accessor(scene.times, bounds=True)
        tracks = {
            "translation": scene.translation,
            "rotation": scene.rotation,
            "scale": np.repeat(scene.scale[:, None], 3, axis=1),
            "weights": scene.weights.reshape(-1),
        }
        return {
            "name": "performance",
            "channels": [
                {"sampler": number, "target": {"node": 0, "path": path}} for number, path in enumerate(tracks)
            ],
            "samplers": [
                {"input": time, "output": self.accessor(values), "interpolation": "LINEAR"}
                for values in tracks.values()
            ],
        }

    def _text(self, **buffer: Any) -> bytes:
        document = self.json | {"buffers": [{"byteLength": len(self.buffer), **buffer}]}
        return json.dumps(document, sort_keys=True, separators=(",", ":"), default=str).encode()

    def as_gltf(self) -> bytes:
        """A .gltf file."""
        return self._text(uri="data:application/octet-stream;base64," + base64.b64encode(self.buffer).decode())

    def as_glb(self) -> bytes:
        """A .glb file: header, JSON chunk padded with spaces, binary chunk padded with zeros."""
        text, data = self._text(), bytes(self.buffer)
        text, data = text + b" " * (-len(text) % 4), data + bytes(-len(data) % 4)
        chunks = struct.pack("<II", len(text), 0x4E4F534A) + text + struct.pack("<II", len(data), 0x004E4942) + data
        return struct.pack("<4sII", b"glTF", 2, 12 + len(chunks)) + chunks


def _materials() -> list[dict[str, Any]]:
    unlit = {"extensions": {"KHR_materials_unlit": {}}, "doubleSided": True}
    matt = {"metallicFactor": 0.0, "roughnessFactor": 1.0}
    return [
        {"name": "skin", "pbrMetallicRoughness": {"baseColorTexture": {"index": 0}, **matt}, **unlit},
        {"name": "mouth", "pbrMetallicRoughness": {"baseColorFactor": list(_DARK), **matt}, **unlit},
    ]


def _camera(scene: FaceScene) -> dict[str, Any]:
    """Sees the face as it lies in the picture."""
    x, y = scene.half_size
    far = 20 * max(scene.half_size)
    return {
        "name": "picture",
        "type": "orthographic",
        "orthographic": {"xmag": x, "ymag": y, "znear": 0.01, "zfar": far},
    }
