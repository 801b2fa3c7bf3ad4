# %% [markdown]
# # 8. Fine-tune on your own clip
#
# **You will see** the default network being trained a little further on one clip: preparing the data, a training run
# of about a minute, going on with it where it stopped, and an honest comparison on a part of the clip that it never
# saw. About six minutes to read; one or two to run.
#
# Install: `pip install -c constraints.txt -e ".[notebooks]"` in a checkout, then `jupyter lab notebooks`.
#
# Expect little. A hundred pictures on a CPU are a taste, not a training: the shipped network saw 20 000. What is
# worth learning here is the way, and how to tell whether it helped.

# %%
import shutil
import tempfile
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
from pictures import COLOURS, LIGHT, chart, new_chart, note, row, table

import visiongen
from visiongen import media
from visiongen.generators.options import VaeGanOptions
from visiongen.metrics import Scoreboard, quick_metrics
from visiongen.models import weights
from visiongen.motion import piece
from visiongen.samples import sample
from visiongen.training.data import prepare
from visiongen.training.vae_gan import TrainConfig, train

FOLDER = Path(tempfile.mkdtemp())
LEARNED, END = (1.0, 1.4) if LIGHT else (4.0, 6.0)  # seconds: what is learned from, and where the rest ends

# %% [markdown]
# ## Split first
#
# A network that is tested on what it was trained on proves nothing. So before anything else the clip is cut in two:
# the first seconds to learn from, the rest to test with. Your own clip takes the place of `driving.mp4`; a minute of
# one face, with turns and speech, evenly lit, is a good one.

# %%
lessons = FOLDER / "clips" / "lessons.mp4"
lessons.parent.mkdir()
clip = media.probe(sample("driving.mp4"), end=LEARNED)
writer = visiongen.load(visiongen.choose("exporter", "mp4"))
made_by = visiongen.Provenance(software="VisionGen 3D, notebook 8", settings={"cut": LEARNED})
count = writer.export(media.read_frames(clip), lessons, fps=Fraction(clip.fps), sound=None, provenance=made_by)
print(count, "frames to learn from")

# %% [markdown]
# ## Prepare
#
# Training wants frames of 256 x 256 with landmarks and a matte of the person, and finds them once: `visiongen prepare
# CLIPS PREPARED` on the command line.

# %%
prepare(lessons.parent, FOLDER / "prepared", every=2)
ready = FOLDER / "prepared" / "lessons"
frames, mattes = np.load(ready / "frames.npy"), np.load(ready / "matte.npy")
points = np.load(ready / "landmarks.npy")
print("frames", frames.shape, "landmarks", points.shape, "mattes", mattes.shape)

first, second = 0, len(frames) * 2 // 3
dotted = frames[second].copy()
for x, y in points[second, :468, :2].astype(int).clip(0, 255):
    dotted[y, x] = (47, 255, 222)
matte = cv2.cvtColor(cv2.resize(mattes[second], (256, 256)), cv2.COLOR_GRAY2RGB)
row([frames[first], frames[second], dotted, matte],
    ["a portrait, ...", "... a frame to make from it", "its landmarks", "the person"], side=220)  # fmt: skip

# %% [markdown]
# A sample is a pair of frames of one clip: the first is the portrait, the second is what shall come out. There are
# no labels; the clip itself is the teacher.
#
# ## Train
#
# `initial` starts from the shipped weights and the learning rate is low, so that what was learned before is kept. A new
# discriminator would need far more pictures than this to say anything useful, so the shipped one judges, from the first
# image on: without it the picture becomes soft. The same on the command line: `visiongen train --data PREPARED --out RUN
# --initial visiongen/weights/vae-gan.safetensors --discriminator visiongen/weights/discriminator.safetensors
# --adversarial 0.1 --learning-rate 2e-4`.

# %%
FIRST, SECOND = (4, 8) if LIGHT else (40, 96)
settings = {
    "data": FOLDER / "prepared", "out": FOLDER / "run", "initial": weights.shipped(), "learning_rate": 2e-4, "batch": 2,
    "workers": 0, "still_share": 0.0, "registered_share": 0.0, "discriminator": weights.shipped("discriminator"),
    "adversarial": 0.1, "averaging": 0.98, "save_every": 10_000,
}  # fmt: skip
checkpoint = train(TrainConfig(images=FIRST, **settings))
first_card = weights.read_card(checkpoint)
shutil.copytree(FOLDER / "run", FOLDER / "first")  # to compare with later
print("images seen:", first_card["images_seen"])

# %% [markdown]
# ## Go on
#
# The same call with a larger number of images goes on where the run stopped: networks, optimisers and the count are all
# in `state.pt`. An interrupted run continues in the same way.

# %%
checkpoint = train(TrainConfig(images=SECOND, **settings))
second_card = weights.read_card(checkpoint)
print("images seen:", second_card["images_seen"])
table(["running mean of the loss", f"after {FIRST} images", f"after {SECOND} images"],
      [[name, f"{first_card['losses'][name]:.4f}", f"{second_card['losses'][name]:.4f}"]
       for name in ("reconstruction", "structure", "detail", "moved", "parsimony")])  # fmt: skip

# %% [markdown]
# These means wander with the pairs that happen to be drawn. A loss that falls says that the network gets better at *these*
# frames. Whether it got better at the face is another
# question.
#
# ## Did it help?
#
# The first frame of the clip drives, and the network is asked for the seconds it never saw. Landmarks alone drive
# (`register=False`): with registration the generator would read most of the answer from the clip, and hide what the
# network can do. All rows are driven by exactly the same motion.

# %%
whole = media.probe(sample("driving.mp4"), end=END)
real = np.concatenate([batch.pixels for batch in media.read_frames(whole)])
motion = visiongen.extract_motion(sample("driving.mp4"), end=END)
portrait, fitted = visiongen.fit_motion(
    visiongen.prepare_portrait(real[0]), motion, visiongen.MotionSettings(reference_frame=0)
)
unseen = np.flatnonzero(motion.times >= LEARNED)[:: 1 if LIGHT else 2]
left, top = portrait.landmarks[:468, :2].min(0).astype(int)
right, bottom = portrait.landmarks[:468, :2].max(0).astype(int)
face = (slice(max(top - 12, 0), bottom + 12), slice(max(left - 12, 0), right + 12))

CHECKPOINTS = {"before": "", f"after {FIRST} images": str(FOLDER / "first" / "vae-gan.safetensors"),
               f"after {SECOND} images": str(checkpoint)}  # fmt: skip
SHOWN = {"l1": 4, "ssim": 3, "akd": 2, "sharpness": 2}
results, rows, errors = {}, [], {}
for name in ("first frame, held", *CHECKPOINTS):
    if name in CHECKPOINTS:
        options = VaeGanOptions(weights=CHECKPOINTS[name], register=False)
        generator = visiongen.load(visiongen.choose("generator", "vae-gan"), options)
        batches = visiongen.render(portrait, piece(fitted, unseen), generator=generator)
        results[name] = np.concatenate([batch.pixels for batch in batches])
    else:
        results[name] = np.repeat(real[:1], len(unseen), axis=0)
    with Scoreboard(real[0], fps=25, metrics=quick_metrics(tuple(SHOWN))) as board:
        board.add(real[0], real[0])  # the portrait itself, which is left out of means
        for truth, one in zip(real[unseen], results[name]):
            board.add(truth, one)
        scores = board.result()
        head = [board.scores[key].title for key in SHOWN]
    errors[name] = np.abs(results[name].astype(float) - real[unseen])[:, face[0], face[1]].mean((1, 2, 3)) / 255
    rows.append([name, *(f"{scores[key]:.{digits}f}" for key, digits in SHOWN.items()), f"{errors[name].mean():.4f}"])
table([f"{len(unseen)} frames nobody learned from", *head, "L1 in the face"], rows)

# %%
before, after = errors["before"], errors[f"after {SECOND} images"]
better = float((after < before).mean())
gain = 100 * (before.mean() - after.mean()) / before.mean()
note(
    f"In the face, L1 {'fell' if gain > 0 else 'rose'} by {abs(gain):.1f} %, and {100 * better:.0f} % of the frames are better "
    "than before. Neighbouring frames look alike, so these are far fewer than so many independent tests; one clip proves "
    "nothing about another."
)
figure, ((axes,),) = new_chart(9, 2.5)
for (name, values), colour in zip(list(errors.items())[1:], COLOURS):
    axes.plot(motion.times[unseen], values, color=colour, label=name, linewidth=1.5)
axes.set(xlabel="seconds", ylabel="L1 in the face")
axes.legend(fontsize=8, frameon=False, ncols=3)
chart(figure)

# %%
hardest = int(np.argmax(before))
pictures = {"real": real[unseen][hardest], **{name: made[hardest] for name, made in list(results.items())[1:]}}
row([one[face] for one in pictures.values()], list(pictures), side=225)
change = np.abs(results[f"after {SECOND} images"][hardest].astype(float) - results["before"][hardest]).mean(-1)
note(f"The pictures differ by {change.mean():.2f} of 255 grey levels on average, and by {change.max():.0f} at most.")

# %% [markdown]
# ## What to make of it
#
# Before and after are hard to tell apart, and that is what a hundred pictures buy. The numbers say more than the eye: look
# at whether they move the same way over the unseen seconds, and whether sharpness paid for what L1 gained, since the
# easiest way to a lower L1 is to blur.
#
# For a real training, take hours of clips of many people (`docs/training.md`), leave the discriminator on, and keep
# some *people*, not only seconds, for the test. A network that was tuned to one face has also forgotten a little of
# all others: test that too.
#
# ## Exercise
#
# 1. Test the fine-tuned weights on a portrait that they never saw, the painting say. Better, worse, or the same?
# 2. `learning_rate=1e-3`: what happens to loss and sharpness?
# 3. Record a minute of yourself, split it, and run this notebook on it.
#
# Back to the [gallery](README.md).
