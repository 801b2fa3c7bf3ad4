"""The gallery: numbered, made from its sources, public names only, with pictures in it that are small; and it runs."""

from __future__ import annotations

import ast
import base64
import importlib
import importlib.util
import io
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("nbclient", reason='needs pip install -e ".[notebooks]"')
pytest.importorskip("ipywidgets", reason='needs pip install -e ".[notebooks]"')

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
MOST_KB, MOST_KB_TOGETHER = 700, 3500

OTHERS = {"numpy", "cv2", "torch", "matplotlib", "plotly", "ipywidgets", "pictures"}
"""What a notebook may import besides the standard library and `visiongen`."""
OWN_PLUGINS = {"06": {"visiongen_fomm"}, "07": {"visiongen_halftone"}}

ABSOLUTE = re.compile(r"(?<![\w.:/])/(?:home|root|work|tmp|usr|var|mnt|opt|Users|private)/|\b[A-Z]:\\\\")
each = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem[:2])


def _loaded(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"notebooks_{name}", FOLDER / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


build = _loaded("build")


def read(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8"))


def joined(text: str | list[str]) -> str:
    return text if isinstance(text, str) else "".join(text)


def cells(notebook: dict[str, Any], kind: str) -> list[str]:
    return [joined(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == kind]


def pictures(notebook: dict[str, Any]) -> Iterator[Image.Image]:
    """Every still and film that the notebook holds."""
    for output in build.outputs(notebook):
        data = output.get("data", {})
        if "image/jpeg" in data:
            yield Image.open(io.BytesIO(base64.b64decode(joined(data["image/jpeg"]))))
        for film in re.findall(r'src="data:image/webp;base64,([^"]+)"', joined(data.get("text/html", ""))):
            yield Image.open(io.BytesIO(base64.b64decode(film)))


def words(value: Any) -> Iterator[str]:
    """All texts in a notebook, without what is a picture or an array in base64."""
    if isinstance(value, dict):
        for part in value.values():
            yield from words(part)
    elif isinstance(value, list):
        text = "".join(value) if value and all(isinstance(part, str) for part in value) else None
        yield from words(text) if text is not None else (word for part in value for word in words(part))
    elif isinstance(value, str):
        yield re.sub(r"[A-Za-z0-9+/=\n]{200,}", "", value)


# --- what is in the gallery -------------------------------------------------------------------------------------------


def test_the_gallery_is_numbered_and_listed():
    numbers = [path.stem[:3] for path in NOTEBOOKS]
    assert numbers == [f"{number:02d}_" for number in range(1, 9)]
    assert [path.stem for path in NOTEBOOKS] == [path.stem for path in build.sources()]
    page = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert re.findall(r"\]\((\d\d_\w+\.ipynb)\)", page) == [path.name for path in NOTEBOOKS]


@each
def test_it_is_made_from_its_source(path):
    assert not build.differs(build.SOURCES / f"{path.stem}.py"), f"run: python notebooks/build.py {path.stem[:2]}"


def test_a_difference_from_the_source_is_seen(tmp_path, monkeypatch):
    source = build.SOURCES / f"{NOTEBOOKS[0].stem}.py"
    (tmp_path / source.name).write_text(source.read_text(encoding="utf-8") + "\n# %%\n1 + 1\n", encoding="utf-8")
    assert build.differs(tmp_path / source.name)
    with pytest.raises(ValueError, match="run it again"):
        build.retold(tmp_path / source.name)


@each
def test_it_begins_with_what_is_seen_and_ends_with_an_exercise(path):
    texts = cells(read(path), "markdown")
    assert texts[0].startswith(f"# {int(path.stem[:2])}. ")
    assert "**You will see**" in texts[0] and '".[notebooks]"' in texts[0]
    assert "## Exercise" in texts[-1]
    for link in re.findall(r"\]\(([^)#]+)\)", "\n".join(texts)):
        assert link.startswith("http") or (FOLDER / link).exists(), f"a dead link: {link}"


# --- public names only ------------------------------------------------------------------------------------------------


@each
def test_it_uses_public_names_only(path):
    code = "\n\n".join(cells(read(path), "code"))
    allowed = OTHERS | OWN_PLUGINS.get(path.stem[:2], set()) | {"visiongen"} | set(sys.stdlib_module_names)
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import):
            found = [(alias.name, None) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            found = [(node.module, alias.name) for alias in node.names]
        else:
            found = []
            if isinstance(node, ast.Attribute) and node.attr != "_replace":  # of a named tuple, where it is public
                assert not node.attr.startswith("_"), f"{path.name} uses {node.attr}"
        for module, name in found:
            assert module.split(".")[0] in allowed, f"{path.name} imports {module}"
            assert not any(part.startswith("_") for part in (*module.split("."), name or "")), f"{module}.{name}"


@each
def test_what_it_imports_from_visiongen_is_there(path):
    for node in ast.walk(ast.parse("\n\n".join(cells(read(path), "code")))):
        if isinstance(node, ast.ImportFrom) and node.module.split(".")[0] == "visiongen":
            module = importlib.import_module(node.module)
            for alias in node.names:
                submodule = (
                    importlib.util.find_spec(f"{node.module}.{alias.name}") if hasattr(module, "__path__") else None
                )
                assert submodule or hasattr(module, alias.name), f"{node.module}.{alias.name}"


# --- its outputs ------------------------------------------------------------------------------------------------------


@each
def test_it_was_run_from_top_to_bottom(path):
    code = [cell for cell in read(path)["cells"] if cell["cell_type"] == "code"]
    assert [cell["execution_count"] for cell in code] == list(range(1, len(code) + 1))


@each
def test_its_outputs_hold_no_noise(path):
    notebook = read(path)
    assert build.noise(notebook) == []
    for output in build.outputs(notebook):
        text = joined(output.get("text", "")) + joined(output.get("data", {}).get("text/plain", ""))
        assert not re.search(r"warning|traceback|deprecat", text, re.IGNORECASE), text


def test_noise_is_found():
    bad = [{"output_type": "stream", "name": "stderr", "text": ["oh"]},
           {"output_type": "error", "ename": "KeyError", "evalue": "x"}]  # fmt: skip
    assert build.noise({"cells": [{"outputs": bad}]}) == ["error: KeyError: x", "stderr: oh"]


@each
def test_it_knows_no_folder_of_the_machine_it_ran_on(path):
    for text in words(read(path)):
        assert not ABSOLUTE.search(text), text[:300]


def test_such_a_folder_would_be_found():
    assert ABSOLUTE.search("saved in /tmp/x") and ABSOLUTE.search('File "/home/me/a.py"')
    assert not ABSOLUTE.search("[docs](../docs/a.md), 1/2, a/tmp/b, https://a.org/home/")


@each
def test_its_pictures_show_something(path):
    found = list(pictures(read(path)))
    assert len(found) >= 2
    for picture in found:
        assert min(picture.size) >= 80 and max(picture.size) <= 1200, picture.size
        assert np.asarray(picture.convert("L")).std() > 8


def test_the_gallery_is_small():
    sizes = {path.name: path.stat().st_size / 1000 for path in NOTEBOOKS}
    assert max(sizes.values()) <= MOST_KB, sizes
    assert sum(sizes.values()) <= MOST_KB_TOGETHER, sizes


def test_what_moves_has_a_still_beside_it():
    notebook = read(FOLDER / "02_landmarks_and_motion.ipynb")
    live = ("application/vnd.jupyter.widget-view+json", "application/vnd.plotly.v1+json")
    for kind in live:
        (data,) = [one["data"] for one in build.outputs(notebook) if kind in one.get("data", {})]
        assert "image/jpeg" in data


# --- what draws it ----------------------------------------------------------------------------------------------------


def test_colours_say_direction_and_distance():
    drawing = _loaded("pictures")
    motion = np.zeros((1, 4, 2), np.float32)
    motion[0, 1:] = [[1, 0], [0, 1], [0.2, 0]]
    still, right, down, near = drawing.motion_colours(motion)[0].astype(int)
    assert still.tolist() == [255, 255, 255]
    assert np.abs(right - down).sum() > 200, "another direction, another colour"
    assert np.ptp(near) < np.ptp(right), "nearer is paler"
    assert drawing.spread(3, 101) == [0, 50, 100] and drawing.spread(5, 2) == [0, 1]


def test_text_is_taken_over_without_running(tmp_path, monkeypatch):
    source, path = build.SOURCES / f"{NOTEBOOKS[0].stem}.py", NOTEBOOKS[0]
    (tmp_path / path.name).write_bytes(path.read_bytes())
    monkeypatch.setattr(build, "HERE", tmp_path)
    changed = source.read_text(encoding="utf-8").replace("**You will see**", "You will see now")
    (tmp_path / source.name).write_text(changed.replace("(side=190)", "( side = 190 )"), encoding="utf-8")
    new = build.retold(tmp_path / source.name)
    assert "You will see now" in new["cells"][0]["source"]
    assert list(build.outputs(new)) == list(build.outputs(read_as_nbformat(path)))


def read_as_nbformat(path: Path) -> dict[str, Any]:
    import nbformat

    return nbformat.read(path, as_version=4)


# --- it runs ----------------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("source", build.sources(), ids=lambda source: source.stem[:2])
def test_it_runs(source, monkeypatch):
    if source.stem.startswith("06") and importlib.util.find_spec("visiongen_fomm") is None:
        pytest.skip("visiongen_fomm is not installed: pip install --no-deps -e plugins/visiongen-fomm")
    monkeypatch.setenv("VISIONGEN_LIGHT", "1")
    before = set(FOLDER.rglob("*"))
    ran = build.executed(build.made(source), timeout=600)
    assert build.noise(ran) == []
    assert len(list(pictures(ran))) >= 2
    left = {path for path in set(FOLDER.rglob("*")) - before if "__pycache__" not in path.parts}
    assert not left, f"it left files behind: {left}"
