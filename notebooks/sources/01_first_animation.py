# %% [markdown]
# # 1. A first animation
#
# **You will see** a statue, a cartoon, a painting and a photograph follow one short clip; the call that does it; the
# four steps inside that call; and the settings that change it. About five minutes, on any CPU.
#
# To run it yourself, in a checkout of the repository:
#
# ```sh
# pip install -c constraints.txt -e ".[notebooks]"
# jupyter lab notebooks
# ```
#
# All pictures and clips come with the package (`sample_media/`). The statue and the cartoon show nobody. The photograph
# is a public NASA portrait, and the clip was rendered from it by code: she never moved or spoke like that.

# %%
import tempfile
from pathlib import Path

import numpy as np
from pictures import LIGHT, film, note, row, spread

import visiongen
from visiongen import media
from visiongen.motion import piece, place
from visiongen.samples import sample

START, END = 1.6, 2.0 if LIGHT else 3.6  # seconds of the clip
OUT = Path(tempfile.mkdtemp())


def frames_of(path, **which):
    """The frames of a film, (T, H, W, 3) uint8."""
    return np.concatenate([batch.pixels for batch in media.read_frames(media.probe(path, **which))])


# %% [markdown]
# ## What goes in
#
# One picture of a face, and one clip of somebody who moves. Here are four pictures, and five moments of the clip.

# %%
PORTRAITS = ["statue.png", "cartoon.png", "painting.png", "astronaut.jpg"]
driving = sample("driving.mp4")
driver = frames_of(driving, start=START, end=END)

row([media.read_picture(sample(name)) for name in PORTRAITS], PORTRAITS, side=190)
row([driver[i] for i in spread(5, len(driver))], [f"{i / 25:.2f} s" for i in spread(5, len(driver))], side=150)

# %% [markdown]
# ## One call
#
# `visiongen.animate` reads both, moves the face and writes a film. The ending of the name chooses the format: `.mp4`,
# `.webm`, `.gif`, `.webp`, or none for a folder of PNG files. `start` and `end` take a piece of
# the clip.

# %%
result = visiongen.animate(sample("statue.png"), driving, OUT / "statue.mp4", start=START, end=END)

print(result.path.name, result.num_frames, "frames of", result.width, "x", result.height)

# %%
film([driver, frames_of(result.path)], ["the clip", "statue.mp4"], side=240)

# %% [markdown]
# Look at what moved and what did not. Head, eyes and mouth follow the clip. The background stays still, because the
# face is laid back into a picture that does not move. The statue keeps its own face: only *movements* were taken
# over, not the shape of the driver's head.
#
# ## One motion, many portraits
#
# The motion does not belong to a picture. It is read from the clip once and used for as many portraits as you like.
# `size=256` brings the pictures to that size first, which is quicker than their full resolution.

# %%
motion = visiongen.extract_motion(driving, start=START, end=END)
films = []
for name in PORTRAITS[:3]:
    made = visiongen.animate(sample(name), motion, OUT / f"small_{Path(name).stem}.mp4", size=256)
    films.append(frames_of(made.path))

film([driver, *films], ["the clip", *PORTRAITS[:3]], side=150)

# %% [markdown]
# ## What happens inside
#
# The call is four steps, and each of them can be used by itself:
#
# 1. `prepare_portrait` finds the face, its 478 landmarks, and cuts the square that is worked on;
# 2. `extract_motion` does the same for every frame of the clip and keeps head pose and expression;
# 3. `fit_motion` fits that motion to the portrait: eyes close fully and lips meet, whatever the proportions;
# 4. `render` asks a generator for frames, a few at a time, so a long clip needs no more memory than a short one.

# %%
portrait = visiongen.prepare_portrait(sample("cartoon.png"))
wide, fitted = visiongen.fit_motion(portrait, motion)
generator = visiongen.load(visiongen.choose("generator", "vae-gan"))

seen = portrait.image.copy()
for x, y in portrait.landmarks[:468, :2].astype(int):
    seen[y - 1 : y + 2, x - 1 : x + 2] = (47, 111, 222)

points = place(fitted).points  # px of the picture; 13 and 14 are the middle of the lips
opening = np.linalg.norm(points[:, 13] - points[:, 14], axis=-1)
widest = int(np.argmax(opening))
(batch,) = visiongen.render(wide, piece(fitted, slice(widest, widest + 1)), generator=generator, full=False)
row(
    [portrait.image, seen, wide.crop, batch.pixels[0]],
    ["1. the picture", "its landmarks", "the square to work on", f"4. frame {widest} of the result"],
    side=220,
)

# %% [markdown]
# ## The settings that matter
#
# `MotionSettings` says how a motion is fitted. The gains `pose`, `mouth`, `eyes` and `brows` make a movement weaker or
# stronger; `mode="absolute"` also takes over the driver's place, size and pose. Below is one and the same frame of the
# clip, with different settings.

# %%
CHOICES = {
    "as it is": visiongen.MotionSettings(),
    "pose=0: the head rests": visiongen.MotionSettings(pose=0),
    "pose=2: turns twice as far": visiongen.MotionSettings(pose=2),
    "mouth=0": visiongen.MotionSettings(mouth=0),
    "mouth=1.8, brows=2": visiongen.MotionSettings(mouth=1.8, brows=2),
    "mode=absolute": visiongen.MotionSettings(mode="absolute"),
}
frame = widest
cartoon = visiongen.prepare_portrait(sample("cartoon.png"), size=320)
tiles = []
for settings in CHOICES.values():
    where, how = visiongen.fit_motion(cartoon, motion, settings)
    (batch,) = visiongen.render(where, piece(how, slice(frame, frame + 1)), generator=generator)
    tiles.append(batch.pixels[0])

row([driver[frame], *tiles], [f"the clip, frame {frame}", *CHOICES], side=220, columns=4)

# %% [markdown]
# ## What a result remembers
#
# Every result is marked as synthetic, in the file itself, and carries the settings it was made with. The checksums of
# picture and clip are in there too, so a film can be made again, or traced back.

# %%
how = result.provenance.settings
print("synthetic:", result.provenance.synthetic, "| software:", result.provenance.software)
print("generator:", how["generator"]["name"], "| portrait:", how["portrait"]["name"], how["portrait"]["sha256"][:12])
note("Move only faces whose owners have agreed, or that are nobody's. Leave the mark in.")

# %% [markdown]
# ## Exercise
#
# 1. Write the statue as a GIF of the crop, 200 px wide, with the enhancer `sharpen`. (`enhancers=["sharpen"]`)
# 2. Save the motion with `visiongen.save_motion(motion, OUT / "smile.npz")` and give that file to `animate` in place
#    of the clip. What is lost? (Listen.)
# 3. Use a picture of your own. If the result looks wrong somewhere, notebook 5 says why.
#
# Next: [2. Landmarks and motion vectors](02_landmarks_and_motion.ipynb).
