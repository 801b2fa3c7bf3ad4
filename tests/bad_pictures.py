"""Bad pictures; see `bad_files`."""

# ruff: noqa: E501 - tables of cases, one a line, are easier to look through
from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Iterator
from functools import cache, partial

import numpy as np
from bad_files import BadFile, Trap, bad, broken, zeros
from PIL import Image

SUFFIXES = {"PNG": ".png", "JPEG": ".jpg", "WEBP": ".webp", "BMP": ".bmp", "TIFF": ".tif", "GIF": ".gif", "PPM": ".ppm"}
READERS = ("picture", "upload picture")


@cache
def picture(kind: str, *, height: int = 80, width: int = 96, **how: object) -> bytes:
    """A good picture of a Pillow format: colours that change, and grain."""
    rows, columns = np.mgrid[:height, :width]
    grain = np.random.default_rng(1).integers(0, 40, (height, width))
    channels = (rows * 255 // max(height, 2), columns * 255 // max(width, 2), grain * 6)
    pixels = np.stack(channels, axis=-1).astype(np.uint8)
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, kind, **how)
    return out.getvalue()


def pictures(rng: np.random.Generator, trap: Trap) -> Iterator[BadFile]:
    """All families of bad pictures."""
    for kind, suffix in SUFFIXES.items():
        yield from broken(f"picture{suffix}", partial(picture, kind), rng, *READERS)
    yield from _empty_and_wrong(trap)
    yield from _declared_sizes()
    yield from _bombs()
    yield from _small_and_large()
    yield from _odd_modes()
    yield from _odd_metadata()
    yield from _polyglots()
    yield from _many_frames()


def _empty_and_wrong(trap: Trap) -> Iterator[BadFile]:
    yield bad("empty", "empty.png", b"", *READERS, refuse=True)
    yield bad("empty", "byte.png", b"\x89", *READERS, refuse=True)
    kinds = list(SUFFIXES)
    for number, kind in enumerate(kinds):  # read all the same: the content decides
        yield bad("wrong suffix", f"is-{kind.lower()}{SUFFIXES[kinds[number - 1]]}", picture(kind), *READERS)
    svg = f'<svg xmlns="http://www.w3.org/2000/svg"><image href="{trap.url}/a.png"/><image href="file://{trap.folder}/secret.png"/></svg>'
    others = {
        "text": b"this is no picture\n" * 9, "elf": b"\x7fELF" + bytes(400), "pdf": b"%PDF-1.4\n" + bytes(300),
        "zip": b"PK\x03\x04" + bytes(200), "heic": b"\x00\x00\x00\x18ftypheic" + bytes(200),
        "avif": b"\x00\x00\x00\x18ftypavif" + bytes(200), "random": np.random.default_rng(2).bytes(5000),
        "zeros": bytes(5000), "ones": b"\xff" * 5000, "html": b"<!doctype html><script>alert(1)</script>",
    }  # fmt: skip
    for name, data in others.items():
        yield bad("wrong type", f"{name}.png", data, *READERS, refuse=True)
    redirecting = {
        "drawing.svg": svg.encode(), "drawing.png": svg.encode(),
        "script.eps": f"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 99 99\n({trap.folder}/made) (w) file closefile\n".encode(),
        "mvg.png": f"push graphic-context\nimage over 0,0 0,0 'url({trap.url}/x)'\npop graphic-context".encode(),
        "link.url": f"[InternetShortcut]\nURL={trap.url}/x.png\n".encode(),
        "icon.ico": b"\x00\x00\x01\x00\x01\x00" + bytes(60), "photo.psd": b"8BPS\x00\x01" + bytes(60),
        "sky.fits": b"SIMPLE  =                    T" + b" " * 2850, "meta.wmf": b"\xd7\xcd\xc6\x9a" + bytes(80),
        "old.xpm": b'/* XPM */ static char *a[]={"9 9 1 1"," c #000"};', "film.fli": b"\x00\x00\x00\x00\x11\xaf" + bytes(200),
    }  # fmt: skip
    for name, data in redirecting.items():
        yield bad("references", name, data, *READERS, refuse=True, sample=b"svg" in data or b"PS-Adobe" in data)


def chunk(kind: bytes, data: bytes) -> bytes:
    """A chunk of PNG."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int, height: int, body: bytes, *, bits: int = 8, colour: int = 2, extra: bytes = b"") -> bytes:
    """A PNG of any declared size around a zlib stream."""
    head = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + extra + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def _declared_sizes() -> Iterator[BadFile]:
    little = zlib.compress(bytes(1000))
    for width, height in (
        (32768, 32768),
        (1, 32768),
        (32768, 1),
        (2**31 - 1, 2**31 - 1),
        (0, 0),
        (8000, 8000),
        (10**6, 64),
    ):
        yield bad("size only declared", f"png-{width}x{height}.png", png(width, height, little), *READERS, refuse=True,
                  sample=width == 32768)  # fmt: skip
    jpeg = picture("JPEG")
    start = jpeg.index(b"\xff\xc0") + 5
    for size in (65535, 32768, 8900):
        data = jpeg[:start] + struct.pack(">HH", size, size) + jpeg[start + 4 :]
        yield bad("size only declared", f"jpeg-{size}.jpg", data, *READERS, refuse=size > 9000, sample=size == 65535)
    bmp = picture("BMP")
    for width, height in ((2**31 - 1, 1), (-1, -1), (20000, -20000), (0, 80), (32768, 32768)):
        data = bmp[:18] + struct.pack("<ii", width, height) + bmp[26:]
        yield bad("size only declared", f"bmp-{width}x{height}.bmp", data, *READERS, refuse=True)
    gif = picture("GIF")
    yield bad("size only declared", "gif-65535.gif", gif[:6] + b"\xff" * 4 + gif[10:], *READERS, refuse=True)
    for text in (
        b"P6 99999 99999 255\n",
        b"P6 -5 9 255\n",
        b"P6 64 64 0\n",
        b"P6 " + b"9" * 5000 + b" 9 255\n",
        b"P6 64",
    ):
        yield bad(
            "size only declared",
            f"ppm-{len(text)}-{text[3:6].decode().strip()}.ppm",
            text + bytes(64),
            *READERS,
            refuse=True,
        )
    webp = bytearray(picture("WEBP", lossless=True))
    webp[21:25] = b"\xff\xff\xff\x0f"
    yield bad("size only declared", "webp-16383.webp", bytes(webp), *READERS, refuse=True)
    for tag, value in (
        (256, 2**32 - 1),
        (257, 2**32 - 1),
        (258, 2**20),
        (277, 60000),
        (273, 2**32 - 1),
        (279, 2**32 - 1),
    ):
        yield bad(
            "size only declared", f"tiff-{tag}.tif", tiff_with(tag, value), *READERS, refuse=tag not in (258, 279)
        )


def tiff_with(tag: int, value: int) -> bytes:
    """A small TIFF in which one tag has another value."""
    data = bytearray(picture("TIFF"))
    start = struct.unpack("<I", data[4:8])[0]
    for place in range(start + 2, start + 2 + 12 * struct.unpack("<H", data[start : start + 2])[0], 12):
        if struct.unpack("<H", data[place : place + 2])[0] == tag:
            data[place + 2 : place + 12] = struct.pack("<HII", 4, 1, value)
    return bytes(data)


def _bombs() -> Iterator[BadFile]:
    kind = "decompression bomb"
    yield bad(
        kind, "bomb-400mp.png", lambda: png(20000, 20000, zeros(400), colour=0), *READERS, refuse=True, sample=True
    )
    yield bad(kind, "bomb-1g6.png", lambda: png(23000, 23000, zeros(1600)), *READERS, refuse=True)
    yield bad(kind, "thin.png", lambda: png(2_000_000, 20, zeros(120)), *READERS)
    for name, head in ((b"zTXt", b"Comment\0\0"), (b"iCCP", b"profile\0\0"), (b"iTXt", b"Comment\0\1\0\0\0")):
        made = partial(_png_with_bomb, name, head, 400, 1)
        yield bad(kind, f"chunk-{name.decode()}.png", made, *READERS, sample=name == b"iCCP")
    yield bad(kind, "chunk-many.png", partial(_png_with_bomb, b"zTXt", b"Comment\0\0", 1, 300), *READERS)
    yield bad(kind, "bomb.tif", partial(_saved, ("L", (10000, 10000)), "TIFF", compression="tiff_adobe_deflate"), *READERS,
              refuse=True, sample=True)  # fmt: skip
    yield bad(kind, "bomb.gif", partial(_saved, ("P", (9200, 9000)), "GIF"), *READERS, refuse=True)


def _png_with_bomb(kind: bytes, head: bytes, megabytes: int, count: int) -> bytes:
    few = zlib.compress(bytes(80 * (96 * 3 + 1)))
    return png(96, 80, few, extra=chunk(kind, head + zeros(megabytes)) * count)


def _saved(new: tuple, kind: str, **how: object) -> bytes:
    out = io.BytesIO()
    Image.new(*new).save(out, kind, **how)
    return out.getvalue()


def _small_and_large() -> Iterator[BadFile]:
    for kind, suffix in SUFFIXES.items():
        yield bad("one pixel", f"one{suffix}", partial(picture, kind, height=1, width=1), *READERS, refuse=True)
    for height, width in ((1, 32768), (32768, 1), (16, 16), (15, 400), (64, 32768), (16, 65000)):
        refuse = min(height, width) < 16
        yield bad("very long sides", f"{width}x{height}.png", partial(picture, "PNG", height=height, width=width), *READERS, refuse=refuse,
                  sample=height == 1)  # fmt: skip


def _odd_modes() -> Iterator[BadFile]:
    base = Image.open(io.BytesIO(picture("PNG")))
    for mode, kind in (("1", "PNG"), ("L", "PNG"), ("LA", "PNG"), ("P", "PNG"), ("PA", "TIFF"), ("RGBA", "PNG"), ("I;16", "PNG"),
                       ("I", "PNG"), ("F", "TIFF"), ("CMYK", "JPEG"), ("CMYK", "TIFF"), ("LAB", "TIFF"), ("YCbCr", "TIFF"),
                       ("RGBX", "TIFF"), ("I;16B", "TIFF"), ("1", "TIFF")):  # fmt: skip
        out = io.BytesIO()
        try:
            image = base.convert("L").convert("I;16") if mode.startswith("I;16") else base.convert(mode)
        except ValueError:
            image = base.convert("RGB").convert(mode) if mode == "LAB" else Image.new(mode, base.size)
        try:
            image.save(out, kind)
        except (OSError, KeyError):
            continue
        yield bad("rare colours", f"mode-{mode.replace(';', '')}{SUFFIXES[kind]}", out.getvalue(), *READERS)
    for name, value in (("nan", np.nan), ("inf", np.inf), ("minus", -1e30)):
        out = io.BytesIO()
        Image.fromarray(np.full((80, 80), value, np.float32)).save(out, "TIFF")
        yield bad("rare colours", f"{name}.tif", out.getvalue(), *READERS)


def _odd_metadata() -> Iterator[BadFile]:
    for turn in (*range(10), 255, 65535):
        exif = Image.Exif()
        exif[0x0112] = turn
        yield bad("odd metadata", f"turned-{turn}.jpg", picture("JPEG", exif=exif.tobytes()), *READERS)
    junk = np.random.default_rng(3).bytes(300)
    for name, exif in (
        ("junk", b"Exif\0\0" + junk),
        ("empty", b"Exif\0\0"),
        ("self", b"Exif\0\0II*\0\x08\0\0\0" + b"\xff" * 90),
    ):
        yield bad("odd metadata", f"exif-{name}.jpg", picture("JPEG", exif=exif), *READERS)
    for name, profile in (
        ("junk", junk),
        ("short", b"x"),
        ("long", bytes(900_000)),
        ("sizes", struct.pack(">I", 2**32 - 1) + bytes(200)),
    ):
        yield bad("odd metadata", f"profile-{name}.png", picture("PNG", icc_profile=profile), *READERS)
    xml = b"<!DOCTYPE x [<!ENTITY a 'aaaaaaaaaa'><!ENTITY b '&a;&a;&a;&a;&a;&a;'>]><x:xmpmeta>&b;</x:xmpmeta>"
    yield bad("odd metadata", "xmp.webp", picture("WEBP", xmp=xml), *READERS)


def _polyglots() -> Iterator[BadFile]:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("../../made", "x")
    html = b"<html><script>fetch('http://127.0.0.1/')</script></html>"
    for name, data in (
        ("gif-zip.gif", picture("GIF") + packed.getvalue()),
        ("png-zip.png", picture("PNG") + packed.getvalue()),
        ("jpeg-html.jpg", picture("JPEG") + html),
        ("jpeg-comment.jpg", picture("JPEG", comment=html)),
        ("gif-script.gif", b"GIF89a/*" + bytes(30) + b"*/=1;alert(1)"),
        ("bmp-script.bmp", b"BM=1;/*" + picture("BMP")[7:]),
        ("png-php.png", picture("PNG") + b"<?php system($_GET['c']); ?>"),
        ("zip-png.zip.png", packed.getvalue() + picture("PNG")),
        ("pdf-jpeg.jpg", b"%PDF-1.4\n" + picture("JPEG")),
        ("two-jpegs.jpg", picture("JPEG") * 2),
    ):
        yield bad("polyglot", name, data, *READERS, sample=name in ("gif-zip.gif", "jpeg-html.jpg"))


def _many_frames() -> Iterator[BadFile]:
    for kind in ("GIF", "TIFF", "PNG", "WEBP"):
        yield bad("many pictures in one", f"many{SUFFIXES[kind]}", partial(_many, kind), *READERS, "video")
    data = bytearray(picture("TIFF"))
    start = struct.unpack("<I", data[4:8])[0]
    after = start + 2 + 12 * struct.unpack("<H", data[start : start + 2])[0]
    data[after : after + 4] = struct.pack("<I", start)  # the next page is this page
    yield bad("many pictures in one", "circle.tif", bytes(data), *READERS, "video", sample=True)


def _many(kind: str) -> bytes:
    frames = [Image.new("P", (96, 80), number % 7) for number in range(300 if kind == "GIF" else 40)]
    out = io.BytesIO()
    frames[0].save(out, kind, save_all=True, append_images=frames[1:])
    return out.getvalue()
