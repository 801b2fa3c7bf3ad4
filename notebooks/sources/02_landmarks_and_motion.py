# %% [markdown]
# # 2. Landmarks and motion vectors
#
# **You will see** what is measured in every frame of a driving clip, how it is split into head pose and expression, the
# same face turning in 3D, and how a few hundred points become a motion for every pixel. About seven minutes.
#
# Install: `pip install -c constraints.txt -e ".[notebooks]"` in a checkout, then `jupyter lab notebooks`. Two
# pictures here are interactive in a running notebook (a slider, and a face in 3D that can be turned); elsewhere, a
# still stands in their place.

# %%
import json
from dataclasses import replace

import ipywidgets
import numpy as np
import plotly.graph_objects as go
from matplotlib.tri import Triangulation
from pictures import COLOURS, LIGHT, as_picture, chart, encoded, motion_colours, new_chart, row, spread, still_of

import visiongen
from visiongen import media
from visiongen.background import person_matte
from visiongen.flow import GRID, MotionField, pixel_centres
from visiongen.generators.targets import source_landmarks, target_landmarks
from visiongen.landmarks import track
from visiongen.motion import motion_from_landmarks, piece, place, smooth
from visiongen.overlay import Sight, drawn
from visiongen.pose import euler_angles, face_model
from visiongen.samples import sample
from visiongen.warping import warp

clip = media.probe(sample("driving.mp4"), end=1.4 if LIGHT else 6.0)

# %% [markdown]
# ## What is seen
#
# `track` looks at every frame by itself and gives 478 points: 468 of the face mesh, 10 of the irises. Each has x and
# y in pixels, and z, its depth on the same scale, away from the camera.

# %%
seen = track(clip)
frames = np.concatenate([batch.pixels for batch in media.read_frames(clip)])
motion = motion_from_landmarks(seen, clip=clip)
angles = np.rad2deg(euler_angles(motion.rotation))

print("landmarks:", seen.points.shape, "| frames with a face:", int(seen.visible.sum()), "of", len(seen))


def overlay(i):
    """Frame i with its landmarks by region, arrows from where they were in frame 0, and the axes of the head."""
    sight = Sight(
        points=seen.points[i], reference=seen.points[0], rotation=motion.rotation[i], angles=tuple(angles[i]),
        visible=bool(seen.visible[i]), label=f"frame {i}  {seen.times[i]:.2f} s",
    )  # fmt: skip
    return drawn(frames[i], sight)


shown = [i for i in (0, 28, 64, 112) if i < len(seen)]
row([overlay(i) for i in shown], side=270, columns=2)

# %% [markdown]
# Green rings are the eyes, orange the brows, pink and violet the lips, blue the outline of the face. Yellow arrows
# are *motion vectors*: from where a landmark was in the first frame to where it is now. Red, green and blue axes show
# how the head is turned.
#
# In a running notebook, the slider below shows any frame.

# %%
slider = ipywidgets.IntSlider(value=shown[-1], min=0, max=len(seen) - 1, description="frame")
screen = ipywidgets.Image(value=encoded(overlay(shown[-1])), format="jpeg", width=512)
slider.observe(lambda change: setattr(screen, "value", encoded(overlay(change["new"]))), names="value")
box = ipywidgets.VBox([slider, screen])
view = {"application/vnd.jupyter.widget-view+json": {"version_major": 2, "version_minor": 0, "model_id": box.model_id}}
still_of(overlay(shown[-1]), view)

# %% [markdown]
# ## Pose and expression
#
# Most of those arrows are the head turning, and only a little is the face. The two are told apart by fitting a
# neutral *rest face* to the landmarks, with a rotation, a shift and a scale. What the fit explains is the **head
# pose**; what is left, measured inside the head, is the **expression**. The unit of length is the width of the face,
# so both are free of whose face it was.

# %%
rest = face_model().points
head = rest + motion.offsets  # face widths, in a head that does not turn
lips = np.linalg.norm(head[:, 13] - head[:, 14], axis=-1)
lids = np.linalg.norm(head[:, 159] - head[:, 145], axis=-1)
figure, ((upper,), (lower,)) = new_chart(9, 3.8, nrows=2, sharex=True)
for values, name, colour in zip(angles.T, ("yaw (left, right)", "pitch (up, down)", "roll (tilt)"), COLOURS):
    upper.plot(motion.times, values - values[0], color=colour, label=name)
upper.set_ylabel("degrees")
upper.set_title("head pose, from the first frame", loc="left", fontsize=10)
lower.plot(motion.times, 100 * lips, color=COLOURS[1], label="between the lips")
lower.plot(motion.times, 100 * lids, color=COLOURS[2], label="between the lids")
lower.set(xlabel="seconds", ylabel="% of face width")
lower.set_title("expression", loc="left", fontsize=10)
for axes in (upper, lower):
    axes.legend(fontsize=8, frameon=False, ncols=3, loc="upper left", bbox_to_anchor=(0.35, 1.25))
chart(figure)

# %% [markdown]
# Turns and nods are slow waves. The mouth babbles, and the sharp dips of the lids are blinks.
#
# Because they are apart, either can be taken away. Below is one frame three times: as it was seen, with the
# expression put to rest, and with the head put straight. Colour shows how far a point of the face is from its rest,
# in its own head.

# %%
moment = shown[-1]
one = piece(motion, slice(moment, moment + 1))
straight = replace(one, rotation=np.eye(3)[None])
versions = {
    "as seen": one,
    "pose alone": replace(one, offsets=np.zeros_like(one.offsets)),
    "expression alone": straight,
}
figure, (row_of_axes,) = new_chart(9, 3.6, ncols=3)
for axes, (name, version) in zip(row_of_axes, versions.items()):
    points = place(version).points[0]
    away = 100 * np.linalg.norm(version.offsets[0, :468] - np.median(motion.offsets[:, :468], axis=0), axis=-1)
    away = away if name != "pose alone" else np.zeros(468)
    mesh = Triangulation(points[:468, 0], points[:468, 1], face_model().triangles)
    faces = axes.tripcolor(mesh, away, cmap="magma_r", vmin=0, vmax=6, shading="gouraud")
    axes.triplot(mesh, color="black", linewidth=0.15, alpha=0.5)
    axes.set(aspect="equal", xticks=[], yticks=[])
    axes.invert_yaxis()
    axes.set_title(name, fontsize=11)
    axes.spines[:].set_visible(False)
figure.colorbar(faces, ax=row_of_axes, shrink=0.7, label="% of face width")
chart(figure)

# %% [markdown]
# ## The face in 3D
#
# The landmarks have depth, so the face can be turned on the screen. Drag it; the slider below it goes through a few
# moments of the clip with the head held straight.

# %%
moments = spread(8 if not LIGHT else 3, len(motion))
quiet = np.median(motion.offsets[:, :468], axis=0)
heads = [(rest[:468] + motion.offsets[i, :468]).astype(np.float32) for i in moments]
change = [100 * np.linalg.norm(motion.offsets[i, :468] - quiet, axis=-1).astype(np.float32) for i in moments]
i, j, k = face_model().triangles.astype(np.uint16).T


def mesh_of(number, **more):
    """One face for Plotly: x to the right, y up, z toward the viewer."""
    x, y, z = heads[number].T
    return go.Mesh3d(x=x, y=-z, z=-y, intensity=change[number], **more)


look = {"i": i, "j": j, "k": k, "colorscale": "Magma_r", "cmin": 0, "cmax": 6, "flatshading": False,
        "colorbar": {"title": "% of width", "thickness": 12}}  # fmt: skip
names = [f"{motion.times[moment]:.2f} s" for moment in moments]
figure3d = go.Figure(
    mesh_of(0, **look), frames=[go.Frame(data=[mesh_of(n)], name=name) for n, name in enumerate(names)]
)
steps = [
    {"label": n, "method": "animate", "args": [[n], {"mode": "immediate", "frame": {"redraw": True}}]} for n in names
]
hidden = {"visible": False}
scene = {
    "xaxis": hidden,
    "yaxis": hidden,
    "zaxis": hidden,
    "aspectmode": "data",
    "camera": {"eye": {"x": 0, "y": 1.8, "z": 0.2}},
}
figure3d.update_layout(height=480, margin={"l": 0, "r": 0, "t": 0, "b": 0}, scene=scene, sliders=[{"steps": steps}])

# The still for places that cannot run it: three views of one moment, far points first.
figure, (row_of_axes,) = new_chart(8, 2.9, ncols=3)
for axes, turn in zip(row_of_axes, np.deg2rad([-50, 0, 50])):
    turned = heads[-2] @ np.array([[np.cos(turn), 0, -np.sin(turn)], [0, 1, 0], [np.sin(turn), 0, np.cos(turn)]])
    order = np.argsort(-turned[face_model().triangles, 2].mean(1))
    mesh = Triangulation(turned[:, 0], turned[:, 1], face_model().triangles[order])
    axes.tripcolor(mesh, change[-2], cmap="magma_r", vmin=0, vmax=6, edgecolors="white", linewidth=0.2)
    axes.set(aspect="equal", xticks=[], yticks=[])
    axes.invert_yaxis()
    axes.spines[:].set_visible(False)
still_of(as_picture(figure), {"application/vnd.plotly.v1+json": json.loads(figure3d.to_json())})

# %% [markdown]
# ## From points to pixels
#
# A generator needs to know for *every pixel* of the new frame where in the portrait it comes from. The mesh gives that
# inside the face: each triangle is a small map. Round the face, a skull carries the hair along, as wide as the person
# in the picture, and fades into the background, which stays still. This is the *dense motion*, and it is pure
# geometry, without a network.

# %%
portrait = visiongen.prepare_portrait(sample("cartoon.png"))
portrait, fitted = visiongen.fit_motion(portrait, motion)
field = MotionField(source_landmarks(portrait), person_matte(portrait.crop, GRID))
paper = portrait.crop // 2 + 127
step = paper.shape[0] // 24
paper[::step], paper[:, ::step] = (90, 100, 120), (90, 100, 120)

tiles, captions = [], []
for i in shown[1:]:
    dense = field.towards(target_landmarks(portrait, fitted, slice(i, i + 1)))[0]
    tiles += [frames[i], warp(paper, dense.flow), motion_colours(pixel_centres(GRID) - dense.flow, most=0.08)]
    captions += [f"the clip, {motion.times[i]:.2f} s", "the portrait's grid, moved", "dense motion"]
row(tiles, captions, side=190, columns=3)

# %% [markdown]
# In the right column the colour is the direction of the movement and its strength is the distance; white does not
# move. The head turns as a whole; mouth and lids show as edges of other colours inside it.
#
# ## Noise, and what is done about it
#
# Landmarks of single frames tremble by a fraction of a pixel. On a face that shows. `smooth` takes out what is no
# larger than the detector's own noise and leaves fast movements alone.

# %%
figure, ((axes,),) = new_chart(9, 2.4)
for strength, colour in ((0.0, COLOURS[4]), (0.4, COLOURS[0]), (1.0, COLOURS[1])):
    tip = place(smooth(motion, strength=strength)).points[:, 1, 1]
    axes.plot(motion.times[1:-1], np.diff(tip, 2), color=colour, linewidth=1.2, label=f"strength {strength:g}")
axes.set(xlabel="seconds", ylabel="px a frame squared")
axes.set_title("acceleration of the tip of the nose, up and down", loc="left", fontsize=10)
axes.legend(fontsize=8, frameon=False, ncols=3)
chart(figure)

# %% [markdown]
# ## Exercise
#
# 1. Draw the lids of both eyes by themselves (left: points 386 and 374). Does she ever wink?
# 2. `visiongen.save_motion` writes a motion into a file. Load it again with `visiongen.load_motion`, put
#    `rotation=np.eye(3)` into every frame with `dataclasses.replace`, and let `visiongen.animate` move a portrait
#    with it: an expression without a head that turns.
# 3. The same pictures for a clip of your own: `visiongen inspect CLIP -o FOLDER` writes them all.
#
# Next: [3. Inside the VAE-GAN](03_inside_the_vae_gan.ipynb).
