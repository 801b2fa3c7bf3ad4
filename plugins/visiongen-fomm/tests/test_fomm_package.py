"""The package keeps to its place: light to list, public names only, short files."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest
import visiongen_fomm

FOLDER = Path(visiongen_fomm.__file__).parent
FILES = sorted(FOLDER.glob("*.py"))
HEAVY = ("torch", "cv2", "scipy", "safetensors", "mediapipe", "av")


def test_listing_loads_nothing_heavy():
    code = f"import sys, visiongen_fomm; list(visiongen_fomm.visiongen_generators()); print({HEAVY!r} & sys.modules.keys())"
    code = code.replace(repr(HEAVY), f"set({HEAVY!r})")
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "set()"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_only_public_names_of_visiongen(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module.split(".")[0] == "visiongen":
            parts = node.module.split(".") + [alias.name for alias in node.names]
            assert not [part for part in parts if part.startswith("_")], f"{path.name} imports {'.'.join(parts)}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_files_and_functions_are_short_and_documented(path):
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 400
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and not node.name.startswith("_"):
            assert ast.get_docstring(node), f"{path.name}: {node.name} has no docstring"
        if isinstance(node, ast.FunctionDef):
            longest = (
                150 if (path.name, node.name) == ("train.py", "train") else 60
            )  # the loop is read from top to bottom
            assert node.end_lineno - node.lineno < longest, f"{path.name}: {node.name} is too long"


def test_shipped_weights_are_small_and_described():
    from visiongen_fomm import checkpoints

    path = checkpoints.shipped()
    assert path.stat().st_size < 10e6
    card = checkpoints.read_card(path)
    assert {"config", "sha256", "training", "run"} <= card.keys()
    checkpoints.load(path)
