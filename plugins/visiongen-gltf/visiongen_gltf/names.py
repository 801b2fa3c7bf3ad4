"""The 52 blendshape names of ARKit (`ARFaceAnchor.BlendShapeLocation`), in Apple's order."""

BLENDSHAPES = (
    "eyeBlinkLeft", "eyeLookDownLeft", "eyeLookInLeft", "eyeLookOutLeft", "eyeLookUpLeft", "eyeSquintLeft",
    "eyeWideLeft", "eyeBlinkRight", "eyeLookDownRight", "eyeLookInRight", "eyeLookOutRight", "eyeLookUpRight",
    "eyeSquintRight", "eyeWideRight", "jawForward", "jawLeft", "jawRight", "jawOpen", "mouthClose", "mouthFunnel",
    "mouthPucker", "mouthLeft", "mouthRight", "mouthSmileLeft", "mouthSmileRight", "mouthFrownLeft",
    "mouthFrownRight", "mouthDimpleLeft", "mouthDimpleRight", "mouthStretchLeft", "mouthStretchRight",
    "mouthRollLower", "mouthRollUpper", "mouthShrugLower", "mouthShrugUpper", "mouthPressLeft", "mouthPressRight",
    "mouthLowerDownLeft", "mouthLowerDownRight", "mouthUpperUpLeft", "mouthUpperUpRight", "browDownLeft",
    "browDownRight", "browInnerUp", "browOuterUpLeft", "browOuterUpRight", "cheekPuff", "cheekSquintLeft",
    "cheekSquintRight", "noseSneerLeft", "noseSneerRight", "tongueOut",
)  # fmt: skip

UNSEEN = ("tongueOut",)
"""Not seen by face landmarks, nor by the teacher: always 0."""


def other_side(name: str) -> str:
    """The same movement on the other half of the face."""
    if name.endswith(("Left", "Right")):
        return name.removesuffix("Left") + "Right" if name.endswith("Left") else name.removesuffix("Right") + "Left"
    return name


MIRRORED = tuple(BLENDSHAPES.index(other_side(name)) for name in BLENDSHAPES)
"""Where the value of a blendshape is found after the face was mirrored."""
