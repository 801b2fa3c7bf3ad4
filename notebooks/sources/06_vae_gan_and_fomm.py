# %% [markdown]
# # 6. VAE-GAN and First Order Motion Model
#
# **You will see** two ways of moving a picture side by side: the default generator, which is driven by landmarks, and
# the First Order Motion Model (FOMM), which finds keypoints in the pixels by itself; where each is better, with
# numbers and two baselines. About five minutes.
#
# Install: `pip install -c constraints.txt -e ".[notebooks]"` in a checkout, and the second generator, which is a
# plugin: `pip install --no-deps -e plugins/visiongen-fomm`. Then `jupyter lab notebooks`. Without the plugin the
# notebook runs too, and leaves FOMM out.

# %%
import time

import numpy as np
from pictures import COLOURS, LIGHT, chart, film, new_chart, note, row, spread, table

import visiongen
from visiongen import media, plugins
from visiongen.generators.options import VaeGanOptions
from visiongen.metrics import Scoreboard, quick_metrics
from visiongen.samples import sample

HAS_FOMM = "fomm" in plugins.generators()
for name, component in plugins.generators().items():
    print(f"{name:8} needs {component.needs:6}  {component.summary}")
if not HAS_FOMM:
    note("visiongen-fomm is not installed: what follows compares the others.")

# %% [markdown]
# ## Two ideas
#
# | | VAE-GAN | FOMM |
# |---|---|---|
# | what drives | 478 landmarks of the driver, as head pose and expression | the driver's pixels |
# | what moves | a 3D face mesh, corrected by a network | keypoints that the network found, each with an affine map |
# | what it needs | the motion; a saved one will do | the clip itself |
# | what can be set | gains for pose, mouth, eyes, brows; smoothing; absolute or relative | relative or absolute keypoints |
# | who teaches it | geometry, then pairs of frames | pairs of frames alone |
#
# The table is the fair part of the comparison. The rest compares two *checkpoints*: the one that is shipped for FOMM
# is a small configuration, trained for about an hour. The authors' large checkpoints can be loaded too
# (`--fomm.weights`), and are much better than what you see here.
#
# ## Somebody else's movement
#
# The statue follows the clip. Nobody knows what the truth would be, so here we only look.

# %%
START, END = 1.6, 1.9 if LIGHT else 3.4
motion = visiongen.extract_motion(sample("driving.mp4"), start=START, end=END)
clip = media.probe(sample("driving.mp4"), start=START, end=END)
driver = np.concatenate([batch.pixels for batch in media.read_frames(clip)])
METHODS = ["warp", "vae-gan", *(["fomm"] if HAS_FOMM else [])]


def rendered(portrait, fitted, generator):
    """All frames, and the computing time a frame in ms (of all threads together)."""
    begun = time.process_time()
    frames = np.concatenate([batch.pixels for batch in visiongen.render(portrait, fitted, generator=generator)])
    return frames, 1000 * (time.process_time() - begun) / len(frames)


def loaded(name):
    """A generator; the VAE-GAN driven by landmarks alone, as a stranger's portrait would be."""
    options = VaeGanOptions(register=False) if name == "vae-gan" else None
    return visiongen.load(visiongen.choose("generator", name), options)


statue, fitted = visiongen.fit_motion(visiongen.prepare_portrait(sample("statue.png"), size=256), motion)
films = {name: rendered(statue, fitted, loaded(name))[0] for name in METHODS}
film([driver, *films.values()], ["the clip", *films], side=170)

# %%
some = spread(4, len(driver))
tiles = [driver[i] for i in some] + [made[i] for made in films.values() for i in some]
captions = [f"the clip, {START + i / 25:.2f} s" for i in some] + [name for name in films for _ in some]
row(tiles, captions, side=150, columns=len(some))

# %% [markdown]
# Look at the mouth and at the lids. The mesh knows where lips and lids are, so both follow. Ten keypoints carry
# the head well and leave most of the face as it was.
#
# ## The same person
#
# For numbers we need the truth: the first frame of a clip is driven by the clip itself, and every frame is compared
# with the real one. Frame 0 is left out of the means. `copy` is the first frame, held; every method should beat it.

# %%
own_motion = visiongen.extract_motion(sample("driving.mp4"), end=0.5 if LIGHT else 4.0)
real = np.concatenate(
    [b.pixels for b in media.read_frames(media.probe(sample("driving.mp4"), end=0.5 if LIGHT else 4.0))]
)
own, own_fitted = visiongen.fit_motion(
    visiongen.prepare_portrait(real[0]), own_motion, visiongen.MotionSettings(reference_frame=0)
)
made, cost = {"copy": np.repeat(real[:1], len(real), axis=0)}, {"copy": 0.0}
for name in METHODS:
    made[name], cost[name] = rendered(own, own_fitted, loaded(name))
registered = visiongen.load(visiongen.choose("generator", "vae-gan"))
made["vae-gan, registered"], cost["vae-gan, registered"] = rendered(own, own_fitted, registered)

SHOWN = {"l1": 4, "ssim": 3, "akd": 2, "ksr": 3, "motion_ratio": 2, "sharpness": 2}
curves, rows = {}, []
for name, frames in made.items():
    with Scoreboard(
        real[0], fps=25, metrics=quick_metrics(("l1", "ssim", "akd", "ksr", "motion", "sharpness"))
    ) as board:
        for truth, one in zip(real, frames):
            board.add(truth, one)
        scores, curves[name] = board.result(), board.curves["akd"]
        head = [board.scores[key].title for key in SHOWN]
    rows.append(
        [name, *(f"{scores[key]:.{digits}f}" for key, digits in SHOWN.items()), f"{cost[name] / cost['vae-gan']:.2f}"]
    )
table(["", *head, "computing time"], rows)

# %% [markdown]
# Computing time is for one frame, of the VAE-GAN's without registration, in this one run; expect it to vary by a
# quarter. *Registered* is what the VAE-GAN does when it may also look at the driver's pixels, as FOMM always does:
# where the portrait is a frame of the clip, it measures how hair, shoulders and background moved
# (`VaeGanOptions.register`).
#
# This clip was rendered by a mesh warp, so the plain warp is hard to beat on it. The same table over clips of real
# people, who are in nobody's training data, is in
# [plugins/visiongen-fomm/README.md](../plugins/visiongen-fomm/README.md): there the VAE-GAN is ahead of the warp, and
# the small FOMM stands between copy and warp as it does here.

# %%
figure, ((axes,),) = new_chart(9, 2.7)
for (name, values), colour in zip(curves.items(), COLOURS):
    axes.plot(
        np.arange(len(real)) / 25, [np.nan if v is None else v for v in values], color=colour, label=name, linewidth=1.5
    )
axes.set(xlabel="seconds", ylabel="px")
axes.set_title("average keypoint distance, frame by frame: lower is better", loc="left", fontsize=10)
axes.legend(fontsize=8, frameon=False, ncols=5)
chart(figure)

worst = int(np.nanargmax([np.nan if value is None else value for value in curves["copy"]]))
row(
    [real[worst], *(frames[worst] for frames in made.values())],
    [f"real, {worst / 25:.2f} s", *made],
    side=225,
    columns=3,
)

# %% [markdown]
# ## When to take which
#
# - **VAE-GAN**: the default. Mouth, eyes and gaze; settings; saved motions; live cameras.
# - **FOMM**: with the authors' checkpoints, when hair and shoulders should follow a driver who looks much like the
#   portrait; and for whoever studies or trains such models. Its drivers have to be clips.
# - **warp**: no network, the quickest. A fallback, and the yardstick that a network has to beat.
#
# ## Exercise
#
# 1. `from visiongen_fomm.options import FommOptions`, then `FommOptions(detail=0)`: what the small network paints by
#    itself. How much of the picture above was the portrait's own detail?
# 2. `FommOptions(motion="absolute")` with the statue: what happens to its face, and why?
# 3. Save the motion (`visiongen.save_motion`), load it, and give it to both generators. Which one refuses, and what
#    does it say?
#
# Next: [7. Write a plugin](07_write_a_plugin.ipynb).
