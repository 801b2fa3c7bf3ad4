"""The parts of the face as pages and components name and colour them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from visiongen.overlay import REGIONS
from visiongen.pose import face_model

NUM_POINTS = 478


@dataclass(frozen=True, eq=False)
class Region:
    """Landmarks that belong together."""

    name: str
    label: str
    colour: str
    """``#rrggbb``, to be told apart over photographs and on light and dark pages."""
    points: tuple[int, ...]


_PARTS = (
    ("outline", "Outline", "#4C9BE8", ("face_oval",)),
    ("brows", "Brows", "#F0932B", ("right_brow", "left_brow")),
    ("eyes", "Eyes", "#27AE60", ("right_eye", "left_eye")),
    ("irises", "Irises", "#17B8CE", ("right_iris", "left_iris")),
    ("lips", "Lips", "#EC407A", ("outer_lips", "inner_lips")),
)


@cache
def regions() -> tuple[Region, ...]:
    """All regions; every landmark is in exactly one, most of them in the last, the skin."""
    taken: set[int] = set()
    found = []
    for name, label, colour, members in _PARTS:
        points = tuple(sorted({i for member in members for i in REGIONS[member]} - taken))
        taken.update(points)
        found.append(Region(name, label, colour, points))
    rest = tuple(i for i in range(NUM_POINTS) if i not in taken)
    return (*found, Region("skin", "Skin", "#9AA3AF", rest))


@cache
def region_of() -> tuple[Region, ...]:
    """The region of every landmark, by its number."""
    table = {point: region for region in regions() for point in region.points}
    return tuple(table[i] for i in range(NUM_POINTS))


@cache
def mesh_edges() -> np.ndarray:
    """(E, 2) uint16, the edges of the face mesh, each once."""
    triangles = face_model().triangles
    pairs = np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]])
    edges = np.unique(np.sort(pairs, axis=1), axis=0).astype(np.uint16)
    edges.flags.writeable = False
    return edges
