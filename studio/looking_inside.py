"""Portrait and motion of a finished run again, from its files, to look inside one frame of it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from studio.settings import Part
from studio.store import Run
from visiongen import LandmarkTrack, MotionTrack, Portrait, load, prepare_portrait
from visiongen.datatypes import Drawn
from visiongen.errors import MediaError
from visiongen.faces import Face, make_portrait
from visiongen.flow import GRID, DenseMotion, MotionField, pixel_centres
from visiongen.generators.driver import resized
from visiongen.generators.matte import portrait_hair, portrait_matte
from visiongen.generators.targets import source_landmarks, target_landmarks
from visiongen.hookspecs import InnerMap
from visiongen.media import read_picture
from visiongen.motion import motion_from_landmarks
from visiongen.pipeline import resolve_device
from visiongen.plugins import choose
from visiongen.pose import fit_similarity
from visiongen.unseen import Unseen


@dataclass(frozen=True, eq=False)
class Scene:
    """What a generator was given for a run."""

    portrait: Portrait
    motion: MotionTrack

    @cached_property
    def field(self) -> MotionField:
        """The geometry that takes pixels back to the portrait, as the generators have it."""
        matte = portrait_matte(self.portrait, GRID)
        return MotionField(
            source_landmarks(self.portrait), matte, hair=portrait_hair(self.portrait, self._small, matte)
        )

    @cached_property
    def unseen(self) -> Unseen:
        """What keeps the eyes and the nose of a drawing as they are."""
        return Unseen(self._small, source_landmarks(self.portrait), self.portrait.drawn)

    @property
    def _small(self) -> np.ndarray:
        return resized(self.portrait.crop, 2 * GRID)  # as the VAE-GAN sees it

    def __len__(self) -> int:
        return len(self.motion)


def scene_of(run: Run) -> Scene:
    """Portrait and fitted motion of a run.

    Raises:
        MediaError: Its files are missing or damaged.
        NoFaceError: Its portrait has to be looked at again and shows no face.
    """
    tracks, picture = run.tracks(), run.file("portrait.png")
    if not tracks or picture is None:
        raise MediaError(f"{run.title}: its portrait or its landmarks are not there; render it again")
    image = read_picture(picture)
    target, reference = tracks["target"].astype(np.float64), tracks["reference"].astype(np.float64)
    if tuple(int(n) for n in tracks["result_size"]) != image.shape[:2]:
        # The result is a piece of the picture, or another size of it: back into the picture.
        own = tracks.get("portrait")
        if own is None:  # a run of a studio that did not keep them
            own = prepare_portrait(picture, face=run.settings.face).landmarks
        own = own.astype(np.float64)
        rotation, shift, scale = (part[0] for part in fit_similarity(own[None], reference, np.ones(len(own))))
        target, reference = (scale * points @ rotation.T + shift for points in (target, reference))
    shown = target[:, :468, :2]
    reach = np.stack([np.quantile(shown.min(1), 0.01, axis=0), np.quantile(shown.max(1), 0.99, axis=0)])
    reach = np.clip(reach, 0, image.shape[1::-1])  # as `visiongen.fit_motion` widens the crop
    others = map(Face, tracks.get("others", ()))  # the generator leaves them as they are; older runs do not tell
    face, *eyes = map(bool, tracks.get("drawn", (False, False, False)))  # older runs do not tell this either
    own_face = Face(reference.astype(np.float32), Drawn(face, tuple(eyes)))
    portrait = make_portrait(image, own_face, name=run.title, reach=reach, others=others)
    track = LandmarkTrack(
        points=target, visible=np.ones(len(target), bool), times=tracks["times"], height=image.shape[0],
        width=image.shape[1],
    )  # fmt: skip
    return Scene(portrait, motion_from_landmarks(track))


def dense_motion(scene: Scene, frame: int) -> DenseMotion:
    """What the geometry makes of a frame, crop units."""
    (target,) = target_landmarks(scene.portrait, scene.motion, slice(frame, frame + 1))
    return scene.field.towards(scene.unseen.held(target)[None])[0]


def displacement(dense: DenseMotion) -> np.ndarray:
    """(G, G, 2) of the prior: from a pixel of the frame to where it comes from, sides of the crop."""
    return dense.flow - pixel_centres(dense.flow.shape[0])


class Insides:
    """A generator, loaded, that is asked for what goes on inside it."""

    def __init__(self, part: Part, device: str = "auto") -> None:
        """
        Raises:
            VisionGenError: It cannot be loaded.
        """
        choice = part.choice("generator")
        self._generator = load(choose("generator", part.name), choice.options, device=resolve_device(device))

    @property
    def can_explain(self) -> bool:
        """It has the optional method."""
        return hasattr(self._generator, "explain")

    def maps(self, scene: Scene, frame: int) -> list[InnerMap]:
        """See `visiongen.hookspecs.ExplainingGenerator`."""
        return list(self._generator.explain(scene.portrait, scene.motion, frame))
