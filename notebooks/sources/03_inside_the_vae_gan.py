# %% [markdown]
# # 3. Inside the VAE-GAN
#
# **You will see** every map that decides one frame of the default generator, a walk through its latent space, and what
# is left of the result when parts of it are switched off, with numbers. One of the findings is not flattering. About
# eight minutes.
#
# Install: `pip install -c constraints.txt -e ".[notebooks]"` in a checkout, then `jupyter lab notebooks`.

# %%
import tempfile
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import torch
from pictures import COLOURS, LIGHT, chart, film, motion_colours, new_chart, note, row, share_colours, table

import visiongen
from visiongen import media
from visiongen.background import person_matte
from visiongen.flow import GRID, MotionField, drawn_maps
from visiongen.generators.options import VaeGanOptions
from visiongen.generators.targets import source_landmarks
from visiongen.metrics import Scoreboard, quick_metrics
from visiongen.models import weights
from visiongen.models.vae_gan import SIZE, PortraitCode
from visiongen.motion import piece, place
from visiongen.samples import sample

OUT = Path(tempfile.mkdtemp())
network = weights.load(weights.shipped())
print(f"{sum(p.numel() for p in network.parameters()) / 1e6:.2f} million parameters")

# %% [markdown]
# ## One frame, map by map
#
# The generator starts from geometry: the face mesh says where in the portrait every pixel comes from (notebook 2).
# The network looks at that and does three things. It *corrects the motion*; it says where the portrait *cannot* show
# what is needed; and it paints *new content* there. `explain` shows all of it for one frame.

# %%
motion = visiongen.extract_motion(sample("driving.mp4"), start=2.0, end=2.8)
portrait, fitted = visiongen.fit_motion(visiongen.prepare_portrait(sample("statue.png")), motion,
                                        visiongen.MotionSettings(mouth=1.5))  # fmt: skip
points = place(fitted).points
frame = int(np.argmax(np.linalg.norm(points[:, 13] - points[:, 14], axis=-1)))  # the lips are furthest apart
generator = visiongen.load(visiongen.choose("generator", "vae-gan"))
maps = {found.name: found for found in generator.explain(portrait, fitted, frame)}
(result,) = visiongen.render(portrait, piece(fitted, slice(frame, frame + 1)), generator=generator, full=False)


def as_picture_of(found, most=0.1):
    """A map as something to look at."""
    if found.kind == "motion":
        return motion_colours(-found.values, most=most)
    return share_colours(found.values) if found.kind == "share" else found.values


def show(*names):
    """Maps with what they mean."""
    row([as_picture_of(maps[name]) for name in names], [f"{name}: {maps[name].text}" for name in names], side=225)


row([portrait.crop, result.pixels[0]], ["the portrait", "one frame of the result"], side=300)

# %% [markdown]
# **Motion.** Colour is direction, strength is distance, white is still. The residual is drawn ten times as strong as
# the others: the network changes little, mostly at the neck and round the head.

# %%
maps["Residual motion"] = replace(maps["Residual motion"], values=10 * maps["Residual motion"].values)
show("Motion of the mesh", "Motion, corrected", "Residual motion")

# %% [markdown]
# **Where things come from.** Bright is 1, dark is 0. Of three candidate motions the network chooses a mixture for every
# pixel, and it says where the portrait shows what is needed at all.

# %%
show("Follows the head", "Stays still", "Occlusion")

# %% [markdown]
# **The picture.** The moved portrait is the picture, warped. New light is added to it; new content covers it where its
# blend is bright, most of all along edges that turn.

# %%
show("Moved portrait", "New light", "New content")
show("Blend: moved portrait", "Blend: new content", "Blend: still background")

# %% [markdown]
# ## A walk through the latent
#
# Once per portrait, the encoder writes down the picture as a *code*: a latent of 48 x 32 x 32 numbers, each with a
# mean and a variance (that is the V of VAE), and two sets of skip features at higher resolution, one of which the
# shrunk portrait itself travels with. Can we walk from one portrait to another through that code? Below, everything
# the network knows of the statue is turned step by step into what it knows of the cartoon: code, geometry and
# picture. What is shown is the *new content* alone.


# %%
def known(name):
    """All that the network is told of a portrait that does not move, as tensors, batch of one."""
    face = visiongen.prepare_portrait(sample(name))
    points = source_landmarks(face)
    small = cv2.resize(face.crop, (SIZE, SIZE), interpolation=cv2.INTER_AREA)
    matte = person_matte(portrait.crop, GRID)
    dense = MotionField(points, matte).towards(points[None])[0]
    arrays = {
        "picture": small.transpose(2, 0, 1) / 127.5 - 1, "source_maps": drawn_maps(points), "matte": matte[None],
        "candidates": dense.candidates, "prior": dense.prior, "maps": dense.maps,
    }  # fmt: skip
    return {key: torch.from_numpy(np.ascontiguousarray(value[None], np.float32)) for key, value in arrays.items()}


def pixels(tensor):
    """(1, 3, S, S) in [-1, 1] as a picture."""
    return ((tensor[0].clamp(-1, 1) + 1) * 127.5).byte().permute(1, 2, 0).numpy()


@torch.inference_mode()
def painted(about, code, latent):
    """The new content for one code."""
    moved = network.move(code, about["candidates"], about["prior"], about["maps"])
    return pixels(network.decode(code, latent, moved, about["maps"]).colour)


@torch.inference_mode()
def encoded(about):
    """The code of a portrait."""
    return network.encode(about["picture"], about["source_maps"], about["matte"])


def between(a, b, share):
    """Everything of a, turned into b."""
    return {key: a[key].lerp(b[key], share) for key in a}


faces = {name: known(name) for name in ("statue.png", "cartoon.png", "painting.png")}
codes = {name: encoded(about) for name, about in faces.items()}
steps = 5 if LIGHT else 25
stops = ["statue.png", "cartoon.png", "painting.png", "statue.png"]
walk = []
for a, b in pairwise(stops):
    for share in np.linspace(0, 1, steps, endpoint=False):
        code = PortraitCode(*(x.lerp(y, float(share)) for x, y in zip(codes[a], codes[b])))
        walk.append(painted(between(faces[a], faces[b], float(share)), code, code.mean))
film([np.stack(walk)], side=210, keys=3)

# %% [markdown]
# A smooth walk, but look closely: halfway it is a double exposure rather than a third person. So which part of what the
# network knows carries the picture? Take the parts away one at a time, and paint the statue.

# %%
about, code = faces["statue.png"], codes["statue.png"]
other = codes["cartoon.png"]
nothing = torch.zeros_like


def unseen(code):
    """The code without the shrunk portrait that lies in it."""
    near, small = code.near.clone(), code.small.clone()
    near[:, :3], small[:, :3] = 0, 0
    return code._replace(near=near, small=small)


without_skips = code._replace(near=code.near.clone(), middle=nothing(code.middle))
without_skips.near[:, 3:] = 0
torch.manual_seed(0)
drawn = code.mean + torch.randn_like(code.mean) * torch.exp(0.5 * code.log_variance)
versions = {
    "everything": painted(about, code, code.mean),
    "the cartoon's latent": painted(about, code, other.mean),
    "latent drawn at random": painted(about, code, drawn),
    "without skip features": painted(about, without_skips, code.mean),
    "without the moved portrait": painted(about, unseen(code), code.mean),
    "the latent alone": painted(about, unseen(without_skips), code.mean),
}
change = [np.abs(one.astype(float) - versions["everything"]).mean() / 255 for one in versions.values()]
row(list(versions.values()), [f"{name} ({value:.3f})" for name, value in zip(versions, change)], side=240, columns=3)

# %%
spread_of = float(torch.exp(0.5 * code.log_variance).mean())
note(
    f"The number is the mean change, of 1. The latent hardly matters: its means vary by {float(code.mean.std()):.2f} while "
    f"each has a standard deviation of {spread_of:.2f}, so it says next to nothing. This is known as <i>posterior "
    "collapse</i>: the moved portrait already shows the decoder nearly all that it needs, and the KL term made the latent "
    "cheap by emptying it."
)

# %% [markdown]
# That is the price of a good prior. What a picture already shows need not be coded, so this network is a painter of
# corrections rather than a memory of faces. Between the lips of a closed mouth a fuller latent could help.
#
# ## What the motion prior is worth
#
# Now the other half: the motion. To measure it we need to know the truth, so the first frame of a clip is driven by
# the clip itself, and each result is compared with the real frames (*self-reenactment*). The network is the shipped
# one in all rows; only parts of it are switched off. A network that was trained without a part could learn to do with
# less of it, so this shows what *this* network leans on.

# %%
clip = media.probe(sample("driving.mp4"), end=0.6 if LIGHT else 5.0)
real = np.concatenate([batch.pixels for batch in media.read_frames(clip)])
own_motion = visiongen.extract_motion(sample("driving.mp4"), end=clip.end)
own, own_fitted = visiongen.fit_motion(
    visiongen.prepare_portrait(real[0]), own_motion, visiongen.MotionSettings(reference_frame=0)
)
looked_at = np.arange(0, len(real), 1 if LIGHT else 5)


def saved(name, **changes):
    """The shipped network with another configuration, as a checkpoint that the generator can load."""
    changed = weights.load(weights.shipped())
    changed.config = replace(changed.config, **changes)
    weights.save(changed, OUT / f"{name}.safetensors", {"name": name})
    return VaeGanOptions(weights=str(OUT / f"{name}.safetensors"), register=False)


CHOICES = {
    "the first frame, held": None,
    "geometry alone (warp)": ("warp", None),
    "all of the VAE-GAN": ("vae-gan", VaeGanOptions(register=False)),
    "no new content": ("vae-gan", VaeGanOptions(register=False, painting=0.0)),
    "no residual motion": ("vae-gan", saved("no-residual", residual_motion=False)),
    "no geometric prior": ("vae-gan", saved("no-prior", geometric_prior=False)),
    "with registration": ("vae-gan", VaeGanOptions()),
}
asked = own_fitted if LIGHT else piece(own_fitted, looked_at)
results, rows = {}, []
for name, choice in CHOICES.items():
    if choice is None:
        made = np.repeat(own.image[None], len(asked), axis=0)
    else:
        worker = visiongen.load(visiongen.choose("generator", choice[0]), choice[1])
        made = np.concatenate([batch.pixels for batch in visiongen.render(own, asked, generator=worker)])
    results[name] = made
    with Scoreboard(real[0], fps=5, metrics=quick_metrics(("l1", "ssim", "akd", "sharpness"))) as board:
        for truth, one in zip(real[looked_at], made):
            board.add(truth, one)
        scores = board.result()
    rows.append(
        [name, *(f"{scores[key]:.{digits}f}" for key, digits in (("l1", 4), ("ssim", 3), ("akd", 2), ("sharpness", 2)))]
    )
table(["", "L1, lower is better", "SSIM, higher", "AKD px, lower", "sharpness, near 1"], rows)

# %%
worst = int(np.argmax(np.abs(real[looked_at].astype(int) - real[0]).mean((1, 2, 3))))
tiles = {"the real frame": real[looked_at][worst], **{name: made[worst] for name, made in results.items()}}
row(list(tiles.values()), list(tiles), side=225, columns=4)

# %%
figure, (row_of_axes,) = new_chart(9.2, 2.7, ncols=4)
for axes, name in zip(
    row_of_axes, ("geometry alone (warp)", "all of the VAE-GAN", "no geometric prior", "with registration")
):
    error = np.abs(results[name][worst].astype(float) - real[looked_at][worst]).mean(-1)
    axes.imshow(error, cmap="magma", vmin=0, vmax=80)
    axes.set(xticks=[], yticks=[])
    axes.set_title(name, fontsize=9, color=COLOURS[4])
    axes.spines[:].set_visible(False)
chart(figure)

# %% [markdown]
# The last picture shows the error of that frame, bright where the result is wrong.
#
# Read the table with the clip in mind. It was *rendered* by a mesh warp of one photograph
# ([sample_media/README.md](../sample_media/README.md)), so geometry alone cannot be beaten on it; on clips of real
# people, where necks bend, hair swings and shadows move, the network is ahead: [docs/quality.md](../docs/quality.md)
# with registration, [docs/quality-landmarks.md](../docs/quality-landmarks.md) without. What does carry over:
#
# - Take the geometric prior away and little is left: hardly better than a frame that is held still. The prior is not
#   only a help at the start of training; it is what the network stands on.
# - The residual motion can be switched off and no number notices. The network corrects the motion by choosing among
#   the candidates.
# - New content costs sharpness. `painting` is the option with which to weigh that.
# - Registration, where it applies, is worth more than all the rest together.
#
# ## Exercise
#
# 1. Draw the latent at random with ten times its standard deviation. When does the picture begin to suffer, and how?
# 2. `VaeGanOptions(painting=0.5)` blends half of the new content. Where on the way from 0 to 1 is the best SSIM,
#    where the best sharpness?
# 3. Look at `generator.explain(...)` for `cartoon.png`, whose mouth is closed. What is painted between the lips?
#
# Next: [4. Metrics and KSR](04_metrics_and_ksr.ipynb).
