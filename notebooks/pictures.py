"""Pictures for the notebooks: rows of stills, small films, charts, and colours for motion and shares.

Everything is shown as a JPEG or a small animated WebP inside the notebook, so that it also shows where nothing runs.
"""

from __future__ import annotations

import base64
import io
import os
import textwrap
from collections.abc import Sequence

import cv2
import matplotlib
import numpy as np
from IPython.display import HTML, Markdown, display
from matplotlib.figure import Figure
from PIL import Image, ImageDraw, ImageFont

from visiongen.landmarks import FaceMesh
from visiongen.media import read_picture
from visiongen.mediapipe_graphs import silent_stderr
from visiongen.samples import sample

LIGHT = os.environ.get("VISIONGEN_LIGHT", "") not in ("", "0")
"""Fewer frames and steps, for a quick check that everything runs."""

COLOURS = ("#2f6fde", "#e2662c", "#2a9d6f", "#a3459b", "#8a8f98", "#d0a215")
"""Of lines in charts."""
_GAP, _TEXT, _LINE = 10, 15, 20
_INK, _PAPER = (58, 62, 70), (255, 255, 255)
_FILM_QUALITY, _STILL_QUALITY = 50, 76

# MediaPipe notes something on stderr with the first face it sees, in whatever cell that is: let it be here, in silence.
with silent_stderr(), FaceMesh(max_faces=1) as _mesh:
    _mesh(read_picture(sample("astronaut.jpg")))


def spread(count: int, of: int) -> list[int]:
    """`count` numbers from 0 to `of` - 1, evenly spread, both ends included."""
    return [int(i) for i in np.linspace(0, of - 1, min(count, of)).round()]


def row(pictures: Sequence[np.ndarray], captions: Sequence[str] = (), *, side: int = 200, columns: int = 0) -> None:
    """Shows pictures (H, W, 3) uint8 RGB beside each other, a caption under each.

    Args:
        pictures: Of any sizes; each is brought into a square.
        captions: One for each, or none.
        side: Of a square, px.
        columns: Begin a new row after so many; 0: one row.
    """
    sheet = _sheet(pictures, captions, side=side, columns=columns or len(pictures))
    display({"image/jpeg": _jpeg(sheet), "text/plain": "; ".join(captions) or "pictures"}, raw=True)


def film(
    films: Sequence[np.ndarray], captions: Sequence[str] = (), *, fps: float = 25.0, side: int = 160, keys: int = 0
) -> None:
    """Plays films (T, H, W, 3) beside each other in a loop.

    Args:
        films: Of one length T.
        captions: One for each, or none.
        fps: Of the films; every second frame is shown.
        side: Of a film, px.
        keys: A frame that does not build on others every so many, against traces of what was there before; 0: few.
    """
    length = min(len(one) for one in films)
    sheets = [
        Image.fromarray(_sheet([one[t] for one in films], captions, side=side, columns=len(films)))
        for t in range(0, length, 2)
    ]
    file = io.BytesIO()
    sheets[0].save(
        file, "WEBP", save_all=True, append_images=sheets[1:], duration=round(2000 / fps), loop=0,
        quality=_FILM_QUALITY, method=4,
        **({"kmin": keys - 1, "kmax": keys} if keys else {}),
    )  # fmt: skip
    data = base64.b64encode(file.getvalue()).decode()
    words = "; ".join(captions) or "a film"
    html = f'<img alt="{words}" src="data:image/webp;base64,{data}">'
    display({"text/html": html, "text/plain": f"film: {words}"}, raw=True)


def chart(figure: Figure) -> None:
    """Shows a Matplotlib figure."""
    for axes in figure.axes:
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(labelsize=9)
    display({"image/jpeg": _jpeg(as_picture(figure), quality=74), "text/plain": "chart"}, raw=True)


def as_picture(figure: Figure) -> np.ndarray:
    """A Matplotlib figure as a picture (H, W, 3) uint8."""
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=110, bbox_inches="tight", facecolor="white")
    return np.asarray(Image.open(file).convert("RGB"))


def new_chart(width: float = 9.0, height: float = 3.0, **layout: int) -> tuple[Figure, np.ndarray]:
    """An empty chart (or several, with ``nrows`` and ``ncols``), sizes in inches; `chart` shows it."""
    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots(squeeze=False, **layout)


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Shows a table; the first column is text, the others are numbers."""
    lines = [" | ".join(head), "|".join(["---", *["---:"] * (len(head) - 1)]), *(" | ".join(one) for one in rows)]
    display(Markdown("\n".join(f"| {line} |" for line in lines)))


def note(text: str) -> None:
    """Shows a remark that is made from results."""
    display(HTML(f'<p style="border-left: 4px solid {COLOURS[0]}; padding: 2px 12px">{text}</p>'))


def share_colours(share: np.ndarray) -> np.ndarray:
    """(H, W, 3) uint8 of a share (H, W) from 0 (dark) to 1 (bright)."""
    return np.uint8(255 * matplotlib.colormaps["magma"](np.clip(share, 0, 1))[..., :3])


def motion_colours(motion: np.ndarray, *, most: float | None = None) -> np.ndarray:
    """(H, W, 3) uint8 of a motion (H, W, 2): the hue is the direction, strong colour is far, white is still.

    Args:
        motion: Of any unit.
        most: Length at full colour; None: the longest one there is.
    """
    length = np.linalg.norm(motion, axis=-1)
    hue = np.arctan2(motion[..., 1], motion[..., 0]) / (2 * np.pi) % 1
    strength = np.clip(length / max(most or float(length.max()), 1e-9), 0, 1) ** 0.7
    hsv = np.stack([hue * 180, strength * 230, 255 - 40 * strength], axis=-1)
    return cv2.cvtColor(hsv.astype(np.uint8), cv2.COLOR_HSV2RGB)


def encoded(picture: np.ndarray) -> bytes:
    """A picture as the bytes of a JPEG file."""
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "JPEG", quality=_STILL_QUALITY)
    return file.getvalue()


def still_of(picture: np.ndarray, live: dict) -> None:
    """Shows what moves where a notebook runs, `live` (a bundle of MIME type -> content), and `picture` elsewhere."""
    display({**live, "image/jpeg": _jpeg(picture), "text/plain": "needs a running notebook"}, raw=True)


def _jpeg(picture: np.ndarray, *, quality: int = _STILL_QUALITY) -> str:
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "JPEG", quality=quality, optimize=True)
    return base64.b64encode(file.getvalue()).decode()


def _sheet(pictures: Sequence[np.ndarray], captions: Sequence[str], *, side: int, columns: int) -> np.ndarray:
    """Pictures in rows, (H, W, 3) uint8; the captions of a row take as many lines as its longest."""
    font = ImageFont.load_default(size=_TEXT)
    wide = max(8, int(side / (_TEXT * 0.48)))
    texts = [textwrap.wrap(caption, wide) for caption in captions] or [[] for _ in pictures]
    strips = []
    for first in range(0, len(pictures), columns):
        part = slice(first, first + columns)
        lines = max(len(text) for text in texts[part])
        height = side + (_LINE * lines + 6 if lines else 0)
        strip = Image.new(
            "RGB", (columns * (side + _GAP) - _GAP, height + (_GAP if first + columns < len(pictures) else 0)), _PAPER
        )
        draw = ImageDraw.Draw(strip)
        for place, (picture, text) in enumerate(zip(pictures[part], texts[part], strict=True)):
            left = place * (side + _GAP)
            strip.paste(Image.fromarray(_square(picture, side)), (left, 0))
            for number, line in enumerate(text):
                draw.text((left + 1, side + 4 + _LINE * number), line, font=font, fill=_INK)
        strips.append(np.asarray(strip))
    return np.vstack(strips)


def _square(picture: np.ndarray, side: int) -> np.ndarray:
    height, width = picture.shape[:2]
    zoom = side / max(height, width)
    size = (max(1, round(width * zoom)), max(1, round(height * zoom)))
    small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA if zoom < 1 else cv2.INTER_CUBIC)
    top, left = (side - size[1]) // 2, (side - size[0]) // 2
    canvas = np.full((side, side, 3), 255, np.uint8)
    canvas[top : top + size[1], left : left + size[0]] = small
    return canvas
