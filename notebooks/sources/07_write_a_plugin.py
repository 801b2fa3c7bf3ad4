# %% [markdown]
# # 7. Write a plugin
#
# **You will see** an enhancer being made from nothing: a halftone print, like an old comic book, that does not
# flicker. It begins with one command, becomes an installed package, is tested against the contract, breaks a rule on
# purpose, and ends in a film. About six minutes.
#
# Install: `pip install -c constraints.txt -e ".[notebooks]"` in a checkout, then `jupyter lab notebooks`. The plugin is
# installed into a temporary folder, so your own environment stays as it is.

# %%
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from pictures import LIGHT, film, row

import visiongen
from visiongen import media, plugins, testing
from visiongen.options import option_fields
from visiongen.samples import sample

FOLDER = Path(tempfile.mkdtemp())
SITE = FOLDER / "site"  # what is installed goes here


def run(*command):
    """Runs a command in the folder of the experiment, and shows what it says."""
    done = subprocess.run(command, cwd=FOLDER, capture_output=True, text=True)
    print((done.stdout + done.stderr).strip().replace(f"{FOLDER}/", ""))


# %% [markdown]
# ## Begin
#
# A plugin is an ordinary Python package with one entry point. `visiongen plugins new` writes one that works.

# %%
run(sys.executable, "-m", "visiongen.cli", "plugins", "new", "halftone", "--kind", "enhancer")

# %%
package = FOLDER / "visiongen-halftone"
print((package / "pyproject.toml").read_text())

# %% [markdown]
# The last lines are all that makes it a plugin: an entry point in the group `visiongen`, which names the module.
# Inside the module there are four things: **options**, the **class** that works, `load`, and the **hook** that offers
# it.
#
# ## Make it yours
#
# Halftone printing shows grey by dots of one ink: the darker the picture, the larger the dot. The dots sit on a grid
# that is turned by 45 degrees. Three rules of the contract shape the code:
#
# - frames come in batches, and the result must not depend on how they are batched;
# - as many frames go out as came in, of the same size, at the same times;
# - nothing heavy happens when components are only listed.

# %%
SOURCE = '''
"""An enhancer for VisionGen 3D: a halftone print."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from visiongen import Component, FrameBatch, hookimpl


@dataclass(frozen=True, kw_only=True)
class HalftoneOptions:
    """Settings of halftone: they become command-line flags and studio widgets."""

    dot: float = field(default=6.0, metadata={"range": (3.0, 24.0), "step": 0.5})
    """Distance of the dots, px."""
    colour: bool = True
    """Print colour, not only black ink on paper."""


class Halftone:
    """Draws every frame as dots on a grid that stands still, so nothing flickers."""

    def __init__(self, options: HalftoneOptions) -> None:
        self.options = options

    def enhance(self, batches, portrait):
        for batch in batches:
            screen = self._screen(*batch.pixels.shape[1:3])[..., None]
            frames = batch.pixels.astype(np.float32) / 255
            if not self.options.colour:
                frames = frames @ np.array([0.299, 0.587, 0.114], np.float32)
                frames = np.repeat(frames[..., None], 3, axis=-1)
            # Ink where the picture is darker than the screen; a soft edge keeps the dots round.
            paper = np.clip((frames - screen) * self.options.dot + 0.5, 0, 1)
            printed = 12 + 240 * (0.85 * paper + 0.15 * frames)
            yield FrameBatch(pixels=np.clip(printed, 0, 255).astype(np.uint8), times=batch.times)

    def _screen(self, height, width):
        """(H, W) in [0, 1]: a grid of hills, turned by 45 degrees."""
        y, x = np.mgrid[:height, :width].astype(np.float32)
        step = np.pi * np.sqrt(2) / self.options.dot
        hills = (np.cos((x + y) / np.sqrt(2) * step) + np.cos((x - y) / np.sqrt(2) * step)) / 4 + 0.5
        return 0.08 + 0.84 * hills


def load(options: HalftoneOptions, *, device: str) -> Halftone:
    """Called when the component is chosen: import what is heavy and read weights here."""
    return Halftone(options)


@hookimpl
def visiongen_enhancers():
    """Offer halftone."""
    yield Component(name="halftone", summary="Dots of ink, like a comic book", load=load, options=HalftoneOptions)
'''
module = package / "visiongen_halftone.py"
_ = module.write_text(SOURCE.lstrip())

# %% [markdown]
# ## Install
#
# Usually this is `pip install --no-deps -e ./visiongen-halftone`, and every program that starts afterwards sees it.
# Here it goes into a folder of its own.

# %%
quietly = "--quiet --no-deps --no-build-isolation --disable-pip-version-check".split()
pip = [sys.executable, "-m", "pip", "install", *quietly]
done = subprocess.run([*pip, "--target", SITE, package], capture_output=True, text=True)
assert done.returncode == 0, done.stderr
sys.path.insert(0, str(SITE))
os.environ["PYTHONPATH"] = str(SITE)  # for the programs that are started from here

halftone = visiongen.choose("enhancer", "halftone")
print("enhancers:", ", ".join(plugins.enhancers()))
print("offered by:", halftone.plugin)
for option in option_fields(halftone.options):
    print(f"  --halftone.{option.name}  {option.help} (default {option.default}, range {option.range})")

# %% [markdown]
# Name, default, range and help text of an option come from the dataclass alone. The command line and the studio make
# their flags and widgets from it.
#
# ## Does it keep the contract?
#
# `visiongen.testing` holds a plugin to every rule that can be checked: sizes, times, batching, streaming, two films
# at once, what happens when something fails. The package's own test calls it too.

# %%
testing.assert_enhancer_contract("halftone")
testing.assert_light_plugin("visiongen_halftone")
print("the contract is kept")

# %% [markdown]
# To see that this is not an empty phrase, here is an enhancer that looks harmless and breaks a rule: it fades in by
# counting the *batches* it was given, so the film depends on how many frames happen to travel together.


# %%
class FadeIn:
    """Wrong on purpose."""

    def enhance(self, batches, portrait):
        """Brighter with every batch."""
        for number, batch in enumerate(batches):
            pixels = (batch.pixels * min(1.0, 0.2 + 0.2 * number)).astype(np.uint8)
            yield visiongen.FrameBatch(pixels=pixels, times=batch.times)


wrong = visiongen.Component(name="fade-in", summary="Wrong on purpose", load=lambda options, *, device: FadeIn())
try:
    testing.assert_enhancer_contract(wrong)
except AssertionError as error:
    print(error)

# %% [markdown]
# ## Use it
#
# It is an enhancer like any other, with its options, after any generator. Enhancers work on the crop round the face; that
# alone is what `full=False` gives, so the whole frame is in print.

# %%
choices = {"6 px": {}, "10 px": {"dot": 10.0}, "black ink": {"dot": 5.0, "colour": False}}
end = 2.2 if LIGHT else 2.9
films = {}
for name, chosen in choices.items():
    enhancer = visiongen.Choice(name="halftone", options=halftone.options(**chosen))
    made = visiongen.animate(
        sample("cartoon.png"),
        sample("driving.mp4"),
        FOLDER / f"{name}.mp4",
        start=2.0,
        end=end,
        full=False,
        generator="warp" if LIGHT else "vae-gan",
        enhancers=[enhancer],
    )
    films[name] = np.concatenate([batch.pixels for batch in media.read_frames(media.probe(made.path))])

row([one[len(one) // 2] for one in films.values()], list(films), side=270)

# %%
film([films["10 px"]], ["the cartoon in print"], side=260)

# %% [markdown]
# The dots stand still while the face moves through them; a grid that moved with the noise of the picture would boil.
# Every film remembers which plugin it was made with:

# %%
for used in made.provenance.settings["enhancer"]:
    print(used["plugin"], used["options"])

# %% [markdown]
# To give it to others, `pip wheel --no-deps ./visiongen-halftone` builds a wheel. The
# [tutorial](../docs/plugin-tutorial.md) goes on from there to a published package, and
# [plugins/README.md](../plugins/README.md) is the reference of all kinds: generators, enhancers, exporters, metrics
# and motion sources.
#
# ## Exercise
#
# 1. Print with four inks: cyan, magenta, yellow and black, each grid turned by another angle.
# 2. `portrait.landmarks` is there too. Make the dots smaller inside the face. Does the contract test still pass?
# 3. Begin a metric instead (`--kind metric`) that counts how many dots change from frame to frame.
#
# Next: [8. Fine-tune on your own clip](08_fine_tune.ipynb).
