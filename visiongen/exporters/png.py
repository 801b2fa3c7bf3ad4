"""A folder of lossless frames: frame_000000.png, frame_000001.png, ..., and provenance.json with their rate."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from visiongen.datatypes import DrivingClip, FrameBatch, Provenance
from visiongen.exporters import PngOptions
from visiongen.exporters.provenance import as_json, as_xmp
from visiongen.exporters.target import FRAME_NAME, PROVENANCE_NAME, checked_frames, whole_folder, writing


class PngExporter:
    """An `Exporter`, see above."""

    def __init__(self, options: PngOptions | None = None) -> None:
        self.options = options or PngOptions()

    def export(
        self,
        batches: Iterable[FrameBatch],
        path: Path,
        *,
        fps: Fraction,
        sound: DrivingClip | None,
        provenance: Provenance,
    ) -> int:
        """Writes `batches` without sound."""
        path, count = Path(path), 0
        info = PngInfo()
        info.add_text("Software", provenance.software)
        info.add_text("Comment", as_json(provenance))
        info.add_itxt("XML:com.adobe.xmp", as_xmp(provenance).decode())
        with whole_folder(path) as folder:
            for pixels in checked_frames(batches, path):
                with writing(path):
                    for image in pixels:
                        file = folder / FRAME_NAME.format(count)
                        Image.fromarray(image).save(file, pnginfo=info, compress_level=self.options.compression)
                        count += 1
            with writing(path):
                text = as_json(provenance, fps=str(Fraction(fps)), num_frames=count)
                (folder / PROVENANCE_NAME).write_text(text + "\n", encoding="utf-8")
        return count
