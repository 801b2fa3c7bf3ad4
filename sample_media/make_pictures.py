"""Make the sample stills again: ``python sample_media/make_pictures.py [--out FOLDER] [NAME ...]``.

Needs only the project's dependencies, no download and no seed from outside; all four take under a minute. The same
library versions give the same bytes; other versions may encode the same picture differently. Prints the rows of
the table in README.md, to be copied there when a picture was changed on purpose.
"""

import argparse
import hashlib
from pathlib import Path

import numpy as np
import skimage.data
from draw_cartoon import cartoon
from paint_portrait import painting
from PIL import Image
from render_statue import statue


def save_astronaut(path):
    """The NASA portrait inside scikit-image, whole and unchanged but for the JPEG coding."""
    Image.fromarray(skimage.data.astronaut()).save(path, quality=95, subsampling=0, optimize=True)


def save_cartoon(path):
    """A face drawn with splines."""
    Image.fromarray(cartoon()).save(path, optimize=True)


def save_statue(path):
    """A ray-marched marble bust."""
    Image.fromarray(statue()).save(path, optimize=True)


def save_painting(path):
    """The portrait in brush strokes; 256 colours hardly show in paint and make a third of the file."""
    picture = Image.fromarray(painting(np.ascontiguousarray(skimage.data.astronaut())))
    picture.quantize(256, dither=Image.Dither.NONE, kmeans=2).save(path, optimize=True)


PICTURES = {
    "astronaut.jpg": save_astronaut,
    "cartoon.png": save_cartoon,
    "statue.png": save_statue,
    "painting.png": save_painting,
}


def main():
    """Write the named pictures, or all of them, and print size and checksum of each."""
    parser = argparse.ArgumentParser(description="Make the sample stills again.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"any of {', '.join(PICTURES)}; default: all")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent, help="folder to write to")
    options = parser.parse_args()
    unknown = sorted(set(options.names) - set(PICTURES))
    if unknown:
        parser.error(f"no such picture: {', '.join(unknown)}; there are {', '.join(PICTURES)}")
    options.out.mkdir(parents=True, exist_ok=True)
    for name in options.names or PICTURES:
        path = options.out / name
        PICTURES[name](path)
        with Image.open(path) as picture:
            size = f"{picture.width}x{picture.height}"
        content = path.read_bytes()
        print(f"| `{name}` | {size} | {len(content) / 1000:.0f} kB | `{hashlib.sha256(content).hexdigest()}` |")


if __name__ == "__main__":
    main()
