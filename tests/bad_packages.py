"""Bad project files of the studio, checkpoints and pickles; see `bad_files`."""

# ruff: noqa: E501 - tables of cases, one a line, are easier to look through
from __future__ import annotations

import hashlib
import io
import json
import pickle
import stat
import struct
import zipfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from bad_documents import DEEP, RunsCode, packed, template, with_raw_member
from bad_files import BadFile, Trap, bad, broken, zeros
from bad_pictures import picture

# --- projects ---------------------------------------------------------------------------------------------------------


def record(**changed: Any) -> dict[str, Any]:
    """What ``run.json`` of a good project holds."""
    settings = {
        "portrait": "input-portrait.png",
        "driving": "input-driving.mp4",
        "portrait_name": "me.png",
        "driving_name": "clip.mp4",
    }
    return {"format": 1, "id": "r1", "session": "s", "title": "A run", "created": 1.7e9, "state": "done", "problem": None, "warnings": [], "fps": "25/1",
            "frames": 20, "size": [64, 80], "device": "cpu", "stage_seconds": {}, "frames_per_second": 9.0, "summary": {"ssim": 0.8},
            "settings": settings, **changed}  # fmt: skip


def members(run: Any = None, project: Any = None, **files: bytes) -> dict[str, bytes]:
    """Name -> bytes of a project with one run."""
    run, project = record() if run is None else run, {"format": 1, "runs": ["r1"]} if project is None else project
    texts = [one if isinstance(one, bytes) else json.dumps(one).encode() for one in (run, project)]
    return {"runs/r1/run.json": texts[0], "runs/r1/input-portrait.png": picture("PNG"), "runs/r1/input-driving.mp4": b"a film", "project.json": texts[1],
            **{f"runs/r1/{name}": data for name, data in files.items()}}  # fmt: skip


def projects(rng: np.random.Generator, trap: Trap) -> Iterator[BadFile]:
    """Project zips of every kind of wrong."""
    yield from broken("project.zip", lambda: packed(members()), rng, "project", cuts=5, flips=8, heads=5)
    kind = "path in an archive"
    names = ("../made.png", "runs/../../made.png", "runs/r1/../../../made.png", "/tmp/made.png", "runs/r1/sub/made.png", "runs\\r1\\made.png", "runs/r1/..", "C:/made.png",
             "runs/r1/.hidden.png", "runs/../made/run.json", "runs/r1/kept.png\0.json", "runs/r1/con.py", "runs/r1/made.sh", "runs//made.png", "./runs/r1/kept.png",
             "runs/r1/" + "n" * 300 + ".png", "runs/r1/a b.png", "runs/r1/é.png", "runs/r1/made.svg", "runs/r1/made.html", "runs/r1/-i.png", "runs/r1/%2e%2e.png",
             f"{trap.folder}/made.png")  # fmt: skip
    for number, name in enumerate(names):
        accepted = "kept" in name
        yield bad(
            kind,
            f"slip-{number}.zip",
            packed({**members(), name: b"x"}),
            "project",
            refuse=not accepted,
            sample=number < 4,
        )
    for name, target in (("up", "../../.."), ("file", f"{trap.folder}/secret.txt"), ("folder", trap.folder)):
        yield bad(kind, f"link-{name}.zip", _with_link(target), "project", sample=name == "file")
    yield bad(kind, "twice.zip", _twice(), "project")
    yield from _project_texts(trap)
    yield from _project_bombs()
    inside = {"tracks.npz": template(offsets=np.array([RunsCode(trap.folder)], object)), "series.npz": pickle.dumps(RunsCode(trap.folder)),
              "problems.json": b"[" * DEEP, "preview.jpg": b"no picture", "portrait.png": b"no picture"}  # fmt: skip
    for name, data in inside.items():
        yield bad(
            "project", f"inside-{name}.zip", packed(members(**{name: data})), "project", sample=name == "tracks.npz"
        )
    for name, data in {"text": b"no project", "empty": b"", "npz": template(), "other": packed({"a.txt": b"x"}), "rar": b"Rar!\x1a\x07" + bytes(99),
                       "none": packed({})}.items():  # fmt: skip
        yield bad("wrong type" if data else "empty", f"{name}.zip", data, "project", refuse=True)


def _with_link(target: str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, data in members().items():
            archive.writestr(name, data)
        link = zipfile.ZipInfo("runs/r1/link.png")
        link.create_system, link.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, target)
    return out.getvalue()


def _twice() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, data in [*members().items(), *members().items()]:
            archive.writestr(name, data)
    return out.getvalue()


def _project_texts(trap: Trap) -> Iterator[BadFile]:
    runs: dict[str, Any] = {
        "list": [], "number": 5, "null": b"null", "text": b"no json", "deep": b"[" * DEEP, "format-999": record(format=999), "format-none": record(format=None),
        "state": record(state="flying"), "running": record(state="running"), "fps-0": record(fps="1/0"), "fps-text": record(fps="fast"), "fps-huge": record(fps="9" * 6000),
        "fps-negative": record(fps="-25/1"), "size-text": record(size="large"), "size-huge": record(size=[10**400, 1]), "size-infinite": record(size=[1e999, 1]),
        "title-list": record(title=["a"]), "title-long": record(title="t" * 500_000), "title-markup": record(title="<script>alert(1)</script>"),
        "created-text": record(created="today"), "created-nan": record(created=float("nan")), "frames-text": record(frames="many"), "summary-list": record(summary=[1]),
        "summary-text": record(summary={"ssim": "good"}), "warnings-number": record(warnings=5), "settings-none": record(settings=None), "settings-list": record(settings=[1]),
        "id-path": record(id="../../made"), "session-path": record(session="../../made"), "folder": record(folder=trap.folder), "no-settings": {"format": 1},
        "problem-object": record(problem={"a": 1}), "stage-text": record(stage_seconds="slow"), "device-list": record(device=[1]),
    }  # fmt: skip
    read = ("running", "title-long", "title-markup", "id-path", "session-path", "folder")
    for name, run in runs.items():
        yield bad(
            "project",
            f"run-{name}.zip",
            packed(members(run)),
            "project",
            refuse=name not in read,
            sample=name in ("deep", "id-path", "fps-huge", "size-infinite"),
        )
    base = record()["settings"]
    changes: dict[str, Any] = {
        "portrait-path": {"portrait": f"{trap.folder}/secret.png"}, "driving-path": {"driving": f"{trap.folder}/secret.mp4"}, "driving-url": {"driving": f"{trap.url}/a.mp4"},
        "driving-climbs": {"driving": "../../secret.mp4"}, "portrait-number": {"portrait": 5}, "generator": {"generator": {"name": "none-such"}},
        "generator-text": {"generator": "warp"}, "generator-options": {"generator": {"name": "vae-gan", "options": {"weights": f"{trap.folder}/secret.safetensors"}}},
        "fills": {"fills": [[0, 10**400]]}, "fills-text": {"fills": "abc"}, "start-nan": {"start": float("nan")}, "size-minus": {"size": -5}, "size-huge": {"size": 10**9},
        "motion-text": {"motion": "wild"}, "motion-huge": {"motion": {"pose": 1e300}}, "device": {"device": "cuda:99; touch made"}, "seed": {"seed": "x"},
    }  # fmt: skip
    for name, changed in changes.items():
        run = record(settings={**base, **changed})
        yield bad(
            "project",
            f"settings-{name}.zip",
            packed(members(run)),
            "project",
            sample=name in ("portrait-path", "driving-url"),
        )
    for name, content in {"number": 5, "list": [], "null": b"null", "format-999": {"format": 999}, "format-list": {"format": [1]}, "deep": b"[" * DEEP, "text": b"\xff\xfe",
                          "large": b" " * (2 << 20) + b"{}"}.items():  # fmt: skip
        yield bad(
            "project",
            f"project-{name}.zip",
            packed(members(project=content)),
            "project",
            refuse=True,
            sample=name == "deep",
        )


def _project_bombs() -> Iterator[BadFile]:
    kind = "decompression bomb"

    def bomb(name: str, megabytes: int, declared: int) -> bytes:
        stream = zeros(megabytes, raw=True)
        return with_raw_member(packed(members()), f"runs/r1/{name}", b"x", stream, declared)

    yield bad(kind, "film.zip", lambda: bomb("result.mp4", 4000, (4 << 30) - 10), "project", refuse=True, sample=True)
    yield bad(kind, "lies.zip", lambda: bomb("result.mp4", 600, 50), "project", refuse=True, sample=True)
    yield bad(kind, "tracks.zip", lambda: bomb("tracks.npz", 400, 400 << 20), "project", refuse=True)
    yield bad(kind, "description.zip", lambda: with_raw_member(packed({k: v for k, v in members().items() if not k.endswith("run.json")}), "runs/r1/run.json",
              b" ", zeros(400, raw=True), 400 << 20), "project", refuse=True)  # fmt: skip
    yield bad(kind, "description-lies.zip", lambda: with_raw_member(packed({k: v for k, v in members().items() if not k.endswith("run.json")}), "runs/r1/run.json",
              b" ", zeros(400, raw=True), 50), "project", refuse=True)  # fmt: skip
    yield bad(
        kind,
        "files.zip",
        lambda: packed({**members(), **{f"runs/r1/f{n}.png": b"x" for n in range(4000)}}),
        "project",
        refuse=True,
    )
    yield bad(
        kind,
        "runs.zip",
        lambda: packed(
            {
                "project.json": members()["project.json"],
                **{f"runs/r{n}/run.json": members()["runs/r1/run.json"] for n in range(150)},
            }
        ),
        "project",
        refuse=True,
    )
    overlapping = bytearray(packed(members()))
    first, second = (
        overlapping.index(b"PK\x01\x02"),
        overlapping.index(b"PK\x01\x02", overlapping.index(b"PK\x01\x02") + 4),
    )
    overlapping[second + 42 : second + 46] = overlapping[first + 42 : first + 46]
    yield bad(kind, "overlapping.zip", bytes(overlapping), "project", refuse=True)


# --- checkpoints ------------------------------------------------------------------------------------------------------


@cache
def shipped_weights() -> tuple[bytes, dict[str, Any]]:
    """Bytes and card of the weights in the package."""
    folder = Path(__file__).parents[1] / "visiongen" / "weights"
    return (folder / "vae-gan.safetensors").read_bytes(), json.loads((folder / "vae-gan.json").read_text())


def carded(content: bytes, **changed: Any) -> dict[str, Any]:
    """`beside` for a checkpoint: a card that fits its bytes."""
    card = {**shipped_weights()[1], "sha256": hashlib.sha256(content).hexdigest(), **changed}
    return {"weights.json": json.dumps(card).encode()}


def tensors(header: Any, body: bytes = b"", *, length: int | None = None) -> bytes:
    """A safetensors file of any header."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + body


def checkpoints(rng: np.random.Generator, trap: Trap) -> Iterator[BadFile]:
    """Weights of the default generator, with a card whose checksum fits, so that the content is looked at."""
    good, card = shipped_weights()
    kind, name = "checkpoint", "weights.safetensors"
    entry = {"dtype": "F16", "shape": [2, 2], "data_offsets": [0, 8]}
    contents = {
        "cut": good[:5000], "cut-late": good[:-10], "longer": good + bytes(100), "empty-header": tensors({}), "length-huge": tensors({}, length=2**63),
        "length-4g": tensors({}, length=2**32), "length-0": tensors(b"", length=0), "text": b"no weights", "list": tensors([1]), "deep": tensors(b'{"a":' * DEEP),
        "shape-huge": tensors({"a": {**entry, "shape": [2**40, 2**40]}}, bytes(8)), "shape-minus": tensors({"a": {**entry, "shape": [-2, -2]}}, bytes(8)),
        "offset-minus": tensors({"a": {**entry, "data_offsets": [-8, 8]}}, bytes(8)), "offset-far": tensors({"a": {**entry, "data_offsets": [0, 2**40]}}, bytes(8)),
        "offset-back": tensors({"a": {**entry, "data_offsets": [8, 0]}}, bytes(8)), "overlap": tensors({"a": entry, "b": entry}, bytes(8)),
        "hole": tensors({"a": {**entry, "data_offsets": [8, 16]}}, bytes(16)), "type": tensors({"a": {**entry, "dtype": "OBJECT"}}, bytes(8)),
        "other-names": tensors({"a": entry}, bytes(8)), "metadata": tensors({"__metadata__": {"a": 5}}), "twice": tensors(b'{"a":{},"a":{}}'),
        "pickle": pickle.dumps(RunsCode(trap.folder)), "zip": packed({"a/data.pkl": pickle.dumps(RunsCode(trap.folder))}),
        "many": tensors({f"t{n}": {"dtype": "F16", "shape": [0], "data_offsets": [0, 0]} for n in range(50000)}),
    }  # fmt: skip
    for number in range(6):
        data = bytearray(good)
        for place in np.random.default_rng(number).integers(8, 3000, 3):
            data[place] ^= 1 << number
        contents[f"header-bits-{number}"] = bytes(data)
    for label, content in contents.items():
        yield bad(kind, name, content, "checkpoint", beside=carded(content), refuse=not label.startswith("header-bits"),
                  sample=label in ("length-huge", "shape-huge", "offset-minus", "pickle", "deep"))  # fmt: skip
    config = card["config"]
    cards: dict[str, Any] = {
        "format-999": {"format": 999}, "format-none": {"format": None}, "other": {"architecture": "other"}, "config-none": {"config": None}, "config-list": {"config": [1]},
        "config-text": {"config": {**config, "latent": "48"}}, "config-huge": {"config": {**config, "latent": 10**9}}, "config-wide": {"config": {**config, "encoder": [10**6] * 3}},
        "config-short": {"config": {**config, "encoder": [24]}}, "config-minus": {"config": {**config, "latent": -1}}, "config-zero": {"config": {**config, "motion": [0, 0, 0, 0]}},
        "config-more": {"config": {**config, "hidden": 5}}, "config-deep": {"config": {**config, "decoder": [[1], [2], [3]]}}, "config-float": {"config": {**config, "latent": 4.5}},
        "checksum": {"sha256": "0" * 64}, "checksum-none": {"sha256": None},
    }  # fmt: skip
    for label, changed in cards.items():
        yield bad(
            kind,
            name,
            good,
            "checkpoint",
            beside=carded(good, **changed),
            refuse=True,
            sample=label in ("config-huge", "config-wide"),
        )
    texts = {
        "list": b"[]",
        "null": b"null",
        "deep": b"[" * DEEP,
        "half": b'{"format": 1',
        "latin": b'{"a": "\xe9"}',
        "empty": b"",
        "digits": b'{"format": ' + b"9" * 9999 + b"}",
    }
    for label, text in texts.items():
        yield bad(kind, name, good, "checkpoint", beside={"weights.json": text}, refuse=True, sample=label == "deep")
    yield bad(kind, name, good, "checkpoint", refuse=True)  # no card


def pickles(rng: np.random.Generator, trap: Trap) -> Iterator[BadFile]:
    """Old PyTorch files, as the First Order Motion Model's and the metrics' weights are."""
    code = RunsCode(trap.folder)
    state = {"generator": {}, "kp_detector": {}}
    for label, value in {
        "alone": code,
        "inside": {"generator": code, "kp_detector": {}},
        "key": {**state, "optimizer": code},
        "list": [code] * 3,
    }.items():
        for protocol in (0, 2, 4):
            data = pickle.dumps(value, protocol=protocol)
            yield bad(
                "pickle with code",
                f"{label}-{protocol}.pth.tar",
                data,
                "old checkpoint",
                "metric weights",
                refuse=True,
                sample=protocol == 2,
            )
        data = packed(
            {
                "archive/data.pkl": pickle.dumps(value, protocol=2),
                "archive/version": b"3\n",
                "archive/byteorder": b"little",
            }
        )
        yield bad(
            "pickle with code",
            f"{label}-zip.pth",
            data,
            "old checkpoint",
            "metric weights",
            refuse=True,
            sample=label == "inside",
        )
    calls = {"exec": b"cbuiltins\nexec\n(S'open(\"made\",\"w\")'\ntR.", "eval": b"c__builtin__\neval\n(S'1'\ntR.", "import": b"cos\nsystem\n(S'touch made'\ntR.",
             "build": b"ctorch\nload\n(S'made'\ntR.", "memo": b"\x80\x02" + b"(" * 9999, "deep": b"\x80\x02" + b"]" * 9999 + b"a" * 9999 + b".", "long": b"\x80\x02\x8b\xff\xff\xff\x7f.",
             "frame": b"\x80\x04\x95" + b"\xff" * 8 + b".", "text": b"no pickle", "empty": b"", "zip": packed({})}  # fmt: skip
    for label, data in calls.items():
        yield bad(
            "pickle with code",
            f"call-{label}.pth",
            data,
            "old checkpoint",
            "metric weights",
            refuse=True,
            sample=label in ("exec", "long"),
        )
