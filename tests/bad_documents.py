"""Bad motion templates, manifests and reports; see `bad_files`."""

# ruff: noqa: E501 - tables of cases, one a line, are easier to look through
from __future__ import annotations

import io
import json
import os
import pickle
import struct
import zipfile
from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy as np
from bad_files import BadFile, Trap, bad, broken, zeros

DEEP = 200_000
"""Levels of nesting that no reader of JSON walks down."""


class RunsCode:
    """What a pickle can do: make a file."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> tuple:
        return os.system, (f"touch '{self.path}/made'",)


# --- motion templates -------------------------------------------------------------------------------------------------

TEMPLATE_READERS = ("template", "upload clip")


@cache
def _arrays(frames: int = 6) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(7)
    return {
        "rotation": np.repeat(np.eye(3, dtype=np.float32)[None], frames, 0),
        "translation": rng.normal(2, 0.01, (frames, 3)).astype(np.float32),
        "scale": np.ones(frames, np.float32),
        "offsets": rng.normal(0, 0.01, (frames, 478, 3)).astype(np.float16),
        "visible": np.ones(frames, bool),
        "times": np.arange(frames) / 25,
    }


def header(**changed: Any) -> str:
    """What a template says of itself, as JSON."""
    return json.dumps({"format": 1, "face_width": 120.0, "size": [256, 256], **changed})


def template(head: Any = None, **changed: Any) -> bytes:
    """A motion template with other arrays, or another header; None leaves an array out."""
    out = io.BytesIO()
    arrays = {**_arrays(), "header": header() if head is None else head, **changed}
    np.savez(out, **{name: value for name, value in arrays.items() if value is not None})
    return out.getvalue()


def npy(shape: str, dtype: str, body: bytes = b"", *, version: bytes = b"\x01\x00") -> bytes:
    """A NumPy file of any declared shape."""
    text = f"{{'descr': {dtype}, 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    return b"\x93NUMPY" + version + struct.pack("<H", len(text)) + text + body


def packed(members: dict[str, bytes], *, how: int = zipfile.ZIP_STORED) -> bytes:
    """A zip of members."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", how) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return out.getvalue()


def _members(**changed: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(template())) as archive:
        return {
            **{name: archive.read(name) for name in archive.namelist()},
            **{f"{n}.npy": d for n, d in changed.items()},
        }


def templates(rng: np.random.Generator, trap: Trap) -> Iterator[BadFile]:
    """Motion templates of every kind of wrong."""
    yield from broken("motion.npz", template, rng, *TEMPLATE_READERS, cuts=6, flips=10, heads=6)
    kind = "motion template"
    evil = np.array([RunsCode(trap.folder)], object)
    for name in (*_arrays(), "header"):
        yield bad(
            "pickle with code",
            f"object-{name}.npz",
            template(**{name: evil}),
            *TEMPLATE_READERS,
            refuse=True,
            sample=name in ("offsets", "header"),
        )
        yield bad(kind, f"missing-{name}.npz", template(**{name: None}), *TEMPLATE_READERS, refuse=True)
    for name, array in _arrays().items():
        shapes = {
            "short": array[:-1],
            "empty": array[:0],
            "flat": array.reshape(-1)[:-1],
            "deep": array[None],
            "scalar": array.flat[0],
        }
        types = {"text": array.astype("U"), "complex": array.astype(complex), "bytes": array.astype("S"), "dates": np.zeros(array.shape, "M8[s]"),
                 "records": np.zeros(array.shape, "f4,f4")}  # fmt: skip
        for label, value in {**shapes, **types}.items():
            yield bad(kind, f"{name}-{label}.npz", template(**{name: value}), *TEMPLATE_READERS, refuse=True)
        if array.dtype.kind == "f":
            for label in ("nan", "inf", "-inf", "1e30"):
                value = array.astype(np.float32)
                value.flat[3] = float(label)
                yield bad(kind, f"{name}-{label}.npz", template(**{name: value}), *TEMPLATE_READERS, refuse=True)
    yield from _template_headers()
    yield from _template_bombs()
    yield bad(
        "pickle with code",
        "plain.npz",
        pickle.dumps(RunsCode(trap.folder)),
        *TEMPLATE_READERS,
        refuse=True,
        sample=True,
    )


def _template_headers() -> Iterator[BadFile]:
    heads = {
        "format-999": header(format=999), "format-text": header(format="1"), "format-none": header(format=None), "format-list": header(format=[1]),
        "face-0": header(face_width=0), "face-minus": header(face_width=-5), "face-text": header(face_width="wide"),
        "face-huge": header(face_width=1e308), "size-0": header(size=[0, 0]), "size-1": header(size=[5]), "size-huge": header(size=[10**30, 10**30]),
        "size-text": header(size="99"), "size-nested": header(size=[[1], [2]]), "list": "[1, 2]", "number": "5", "null": "null", "empty": "",
        "not-json": "{'format': 1}", "nan": '{"format": 1, "face_width": NaN, "size": [256, 256]}', "deep": "[" * DEEP,
        "deep-object": '{"a":' * DEEP, "digits": '{"format": 1, "face_width": ' + "9" * 5000 + ', "size": [1, 1]}',
        "infinite": '{"format": 1, "face_width": 1e999, "size": [256, 256]}', "pairs": '[["format", 1], ["face_width", 9], ["size", [1, 1]]]',
    }  # fmt: skip
    for name, head in heads.items():
        yield bad("motion template", f"header-{name}.npz", template(head), *TEMPLATE_READERS, refuse=name != "pairs",
                  sample="deep" in name)  # fmt: skip
    yield bad(
        "motion template",
        "header-bytes.npz",
        template(np.frombuffer(header().encode(), np.uint8)),
        *TEMPLATE_READERS,
        refuse=True,
    )


def _template_bombs() -> Iterator[BadFile]:
    readers = TEMPLATE_READERS
    for name, shape, dtype in (
        ("huge", "(1000000000000, 478, 3)", "'<f2'"), ("negative", "(-6, 478, 3)", "'<f2'"), ("many", "(6, 478, 3, 9999999)", "'<f2'"),
        ("overflow", "(4294967296, 4294967296)", "'<f2'"), ("object", "(6,)", "'|O'"), ("wide", "(6, 478, 3)", "'|V99999999'"),
        ("text", "(6,)", "'<U999999999'"), ("code", "(__import__('os').system('touch made'),)", "'<f2'"), ("bool", "(True, 478, 3)", "'<f2'"),
        ("deep", "(" * 3000 + ")" * 3000, "'<f2'"),
    ):  # fmt: skip
        data = packed(_members(offsets=npy(shape, dtype, bytes(6 * 478 * 6))))
        yield bad(
            "size only declared", f"offsets-{name}.npz", data, *readers, refuse=True, sample=name in ("huge", "code")
        )
    yield bad(
        "size only declared", "times.npz", packed(_members(times=npy("(9999999999,)", "'<f8'"))), *readers, refuse=True
    )
    yield bad(
        "size only declared", "header.npz", packed(_members(header=npy("()", "'<U999999999'"))), *readers, refuse=True
    )
    yield bad(
        "size only declared",
        "version.npz",
        packed(_members(offsets=npy("(6, 478, 3)", "'<f2'", version=b"\x09\x00"))),
        *readers,
        refuse=True,
    )
    for name, frames in (("frames", 1_400_000), ("flat", 0)):
        yield bad(
            "decompression bomb",
            f"bomb-{name}.npz",
            lambda frames=frames: _npz_bomb(frames),
            *readers,
            refuse=True,
            sample=True,
        )
    twice = io.BytesIO()
    with zipfile.ZipFile(twice, "w") as archive:
        for name, data in [*_members().items(), *_members().items()]:
            archive.writestr(name, data)
    yield bad("motion template", "twice.npz", twice.getvalue(), *readers)
    members = _members()
    for name in ("../../made.npy", "/tmp/made.npy", "..\\made.npy", "x" * 60000 + ".npy"):
        yield bad(
            "path in an archive", f"member-{len(name)}.npz", packed({**members, name: members["times.npy"]}), *readers
        )
    yield bad(
        "motion template",
        "many-members.npz",
        packed({**members, **{f"m{n}.npy": b"x" for n in range(20000)}}),
        *readers,
    )
    data = bytearray(template())
    place = data.index(b"PK\x01\x02")
    for name, offset, value in (
        ("encrypted", 8, b"\x01\x00"),
        ("method", 10, b"\x63\x00"),
        ("offset", 42, b"\xff\xff\xff\x7f"),
        ("size", 24, b"\xff\xff\xff\x7f"),
    ):
        changed = data[: place + offset] + value + data[place + offset + len(value) :]
        yield bad("motion template", f"zip-{name}.npz", bytes(changed), *readers)
    array = io.BytesIO()
    np.save(array, np.zeros(9))
    yield bad("wrong type", "one-array.npz", array.getvalue(), *readers, refuse=True)
    for name, data in (
        ("text", b"hello"),
        ("empty", b""),
        ("zip", packed({"a.txt": b"x"})),
        ("no-members", packed({})),
        ("random", np.random.default_rng(8).bytes(9999)),
    ):
        yield bad("wrong type" if data else "empty", f"{name}.npz", data, *readers, refuse=True)


def _npz_bomb(frames: int) -> bytes:
    """A template whose offsets are zeros without end; with `frames`, also its other arrays claim so many."""
    megabytes = 4000
    stream = zeros(megabytes, raw=True)
    return with_raw_member(packed(_members(offsets=b"") if not frames else _many_frames(frames)), "offsets.npy",
                           npy_head(f"({frames or 9}, 478, 3)"), stream, megabytes << 20)  # fmt: skip


def npy_head(shape: str) -> bytes:
    """Header of an array of float16."""
    return npy(shape, "'<f2'")


def _many_frames(frames: int) -> dict[str, bytes]:
    return {"header.npy": _members()["header.npy"], "visible.npy": npy(f"({frames},)", "'|b1'"), "times.npy": npy(f"({frames},)", "'<f8'"),
            "rotation.npy": npy(f"({frames}, 3, 3)", "'<f4'"), "translation.npy": npy(f"({frames}, 3)", "'<f4'"),
            "scale.npy": npy(f"({frames},)", "'<f4'")}  # fmt: skip


def with_raw_member(archive: bytes, name: str, head: bytes, stream: bytes, size: int) -> bytes:
    """A zip with one more member: `head` and then what the deflated `stream` holds."""
    stored = b"\x00" + struct.pack("<HH", len(head), len(head) ^ 0xFFFF) + head  # a block of deflate that is not packed
    body = stored + stream
    end = archive.rindex(b"PK\x05\x06")
    count, length, start = struct.unpack("<HII", archive[end + 10 : end + 20])
    fields = struct.pack("<HHHHHIIIHH", 20, 0, 8, 0, 33, 0, len(body), min(size + len(head), 2**32 - 1), len(name), 0)
    local = b"PK\x03\x04" + fields + name.encode() + body
    entry = b"PK\x01\x02" + struct.pack("<H", 20) + fields + struct.pack("<HHHII", 0, 0, 0, 0, start) + name.encode()
    directory = archive[start : start + length] + entry
    tail = b"PK\x05\x06" + struct.pack("<HHHHIIH", 0, 0, count + 1, count + 1, len(directory), start + len(local), 0)
    return archive[:start] + local + directory + tail


# --- manifests and reports --------------------------------------------------------------------------------------------


def manifests(rng: np.random.Generator, trap: Trap) -> Iterator[BadFile]:
    """CSV and JSON for ``visiongen evaluate``."""
    beside = {"a.mp4": b"not read here", "p.png": b"not read here"}
    secret = f"{trap.folder}/secret.mp4"
    rows: dict[str, Any] = {
        "number": 5, "text": "clips", "null": None, "empty": [], "empty-row": [{}], "lists": [[1, 2]], "nested": {"clips": {"clips": []}},
        "no-clip": [{"portrait": "p.png"}], "gone": [{"clip": "gone.mp4"}], "unknown": [{"clip": "a.mp4", "command": "rm -rf"}],
        "absolute": [{"clip": secret}], "climbing": [{"clip": "../" * 30 + secret.lstrip("/")}], "url": [{"clip": f"{trap.url}/a.mp4"}],
        "file-url": [{"clip": f"file://{secret}"}], "home": [{"clip": "~/a.mp4"}], "device": [{"clip": "/dev/zero"}], "zero-byte": [{"clip": "a\0.mp4"}],
        "itself": [{"clip": "manifest-itself.json"}], "folder": [{"clip": "."}], "list-clip": [{"clip": ["a.mp4"]}], "object-clip": [{"clip": {"a": 1}}],
        "surrogate": [{"clip": "a\ud800.mp4"}], "long": [{"clip": "a" * 5000}], "huge-start": [{"clip": "a.mp4", "start": 10**400}],
        "infinite": [{"clip": "a.mp4", "end": 1e308 * 10}], "nan": [{"clip": "a.mp4", "start": float("nan")}], "minus": [{"clip": "a.mp4", "start": -5}],
        "backwards": [{"clip": "a.mp4", "start": 5, "end": 2}], "start-list": [{"clip": "a.mp4", "start": [1]}], "start-true": [{"clip": "a.mp4", "start": True}],
        "name-path": [{"clip": "a.mp4", "name": "../../made"}], "name-dots": [{"clip": "a.mp4", "name": ".."}], "name-list": [{"clip": "a.mp4", "name": [1]}],
        "name-long": [{"clip": "a.mp4", "name": "n" * 100_000}], "class-object": [{"clip": "a.mp4", "class": {"a": [1]}}], "class-html": [{"clip": "a.mp4", "class": "<script>"}],
        "same-names": [{"clip": "a.mp4", "name": n} for n in ("x", "x", "x-2")], "many": [{"clip": "a.mp4"}] * 20000, "mixed": [{"clip": "a.mp4"}, 5],
        "number-key": [{"clip": "a.mp4", "5": 1}], "same-keys": [{"clip": "a.mp4", " Clip ": "p.png"}], "good": [{"clip": "a.mp4", "portrait": "p.png"}],
    }  # fmt: skip
    accepted = (
        "itself",
        "name-path",
        "name-dots",
        "name-list",
        "name-long",
        "class-object",
        "class-html",
        "same-names",
        "many",
        "good",
        "same-keys",
    )
    for name, value in rows.items():
        yield bad("manifest", f"manifest-{name}.json", json.dumps(value).encode(), "manifest", refuse=name not in accepted, beside=beside,
                  sample=name in ("absolute", "climbing", "zero-byte", "name-path", "huge-start", "surrogate"))  # fmt: skip
    raw = {
        "deep.json": b"[" * DEEP, "deep-object.json": b'{"clips":' * DEEP, "half.json": b'[{"clip": "a.m', "utf16.json": json.dumps([]).encode("utf-16"),
        "latin.json": b'[{"clip": "caf\xe9.mp4"}]', "digits.json": b'[{"clip": "a.mp4", "start": ' + b"9" * 100_000 + b"}]", "bom.json": b"\xef\xbb\xbf[]",
        "twice.json": b'[{"clip": "a.mp4", "clip": "b.mp4"}]', "zeros.json": bytes(9999), "empty.json": b"", "two.json": b"[] []",
        "empty.csv": b"", "header.csv": b"clip,name\n", "binary.csv": np.random.default_rng(9).bytes(9999), "zeros.csv": b"clip\n" + bytes(99),
        "wide.csv": b"clip\na.mp4,b,c,d\n", "narrow.csv": b"clip,start,end\na.mp4\n", "quotes.csv": b'clip\n"a.mp4', "field.csv": b"clip\n" + b"a" * 200_000,
        "formula.csv": b"clip,name\na.mp4,=cmd|'/c calc'!A1\n", "newline.csv": b'clip,name\na.mp4,"two\nlines"\n', "climbing.csv": f"clip\n../../../../../../../..{secret}\n".encode(),
        "absolute.csv": f"clip\n{secret}\n".encode(), "semicolon.csv": b"clip;name\na.mp4;x\n", "carriage.csv": b"clip\ra.mp4\r", "infinite.csv": b"clip,start\na.mp4,inf\n",
        "nan.csv": b"clip,end\na.mp4,nan\n", "no-header.csv": b"a.mp4,b\nc,d\n", "same-columns.csv": b"clip,clip\na.mp4,p.png\n", "rows.csv": b"clip\n" + b"gone.mp4\n" * 30000,
    }  # fmt: skip
    read = (
        "zeros.csv",
        "narrow.csv",
        "quotes.csv",
        "formula.csv",
        "newline.csv",
        "carriage.csv",
        "same-columns.csv",
        "twice.json",
    )
    for name, data in raw.items():
        yield bad(
            "manifest",
            name,
            data,
            "manifest",
            refuse=name not in read,
            beside=beside,
            sample="deep" in name or name == "field.csv",
        )
    yield bad("size only declared", "large.json", lambda: b"[" + b" " * (300 << 20), "manifest", refuse=True)
    yield from broken(
        "manifest.json",
        lambda: json.dumps([{"clip": "a.mp4", "name": "n", "start": 0.5}] * 9).encode(),
        rng,
        "manifest",
        flips=8,
        beside=beside,
    )
    yield from broken(
        "manifest.csv",
        lambda: b"clip,name,start,end\n" + b"a.mp4,n,0.5,2\n" * 9,
        rng,
        "manifest",
        flips=8,
        beside=beside,
    )


def reports(rng: np.random.Generator, trap: Trap) -> Iterator[BadFile]:
    """Saved reports of ``visiongen evaluate``, failure cases and camera messages, as the studio reads them."""
    good = {
        "format": 1,
        "clips": [
            {"name": "a", "fps": 25, "methods": {"warp": {"scores": {"ssim": 0.8}, "curves": {"ssim": [0.8, None]}}}}
        ],
    }
    yield from broken("report.json", lambda: json.dumps(good).encode(), rng, "report", flips=6)
    yield from broken("report.csv", lambda: b"name,method,ssim\na,warp,0.5\nb,warp,0.6\n", rng, "report", flips=6)
    values: dict[str, Any] = {
        "number": 5, "list": [1], "no-clips": {}, "null-clips": {"clips": None}, "text-clips": {"clips": "abc"}, "text-scores": [{"clip": "a", "scores": "x"}],
        "nan": [{"clip": "a", "scores": {"warp": {"ssim": float("nan")}}}], "huge": [{"clip": "a", "scores": {"warp": {"ssim": 10**400}}}],
        "huge-fps": {"clips": [{"clip": "a", "fps": 10**400, "methods": {"w": {"scores": {}}}}]}, "newer": {"format": 999, "clips": []},
        "curve-text": {"clips": [{"clip": "a", "methods": {"w": {"scores": {}, "curves": {"ssim": ["x"]}}}}]},
        "curve-huge": {"clips": [{"clip": "a", "methods": {"w": {"scores": {}, "curves": {"ssim": [10**400]}}}}]},
        "markup": {"clips": [{"name": "<img src=x onerror=alert(1)>", "methods": {"<b>": {"scores": {"<i>": 1}}}}]},
    }  # fmt: skip
    for name, value in values.items():
        yield bad(
            "report", f"report-{name}.json", json.dumps(value).encode(), "report", refuse=name not in ("nan", "markup")
        )
    for name, data in {"deep.json": b"[" * DEEP, "binary.csv": np.random.default_rng(1).bytes(999), "field.csv": b"name,method\n" + b"a" * 200_000,
                       "wide.csv": b"name,method,ssim\na,w,1,2,3\n", "narrow.csv": b"name,method,ssim\na\n", "digits.json": b"9" * 9999}.items():  # fmt: skip
        yield bad("report", name, data, "report", refuse=name != "narrow.csv", sample=name == "deep.json")
