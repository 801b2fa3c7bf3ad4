"""The house stays in order: imports point one way, files and functions stay short, nothing heavy loads by itself."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "visiongen"
FILES = sorted(PACKAGE.rglob("*.py"))

LAYERS = (
    {"errors", "datatypes", "memory", "cores", "arrays", "claims", "scratch", "names", "shortages", "upright"},
    {"containers", "media", "hookspecs", "options", "samples", "guards"},
    {
        "pose",
        "rotations",
        "ramps",
        "mediapipe_graphs",
        "landmarks",
        "faces",
        "motion",
        "pose_limit",
        "retarget",
        "rasterise",
        "oval",
        "hair",
        "crown",
        "ears",
        "lip_corners",
        "continuation",
        "skull_rings",
        "skull_colours",
        "skull",
        "neck",
        "feature_maps",
        "flow",
        "warping",
        "registration",
        "feedback",
        "drawing",
        "teeth",
        "own_teeth",
        "mouth",
        "eyeballs",
        "unseen",
        "other_side",
        "patches",
        "mesh_moves",
        "drawn_eyes",
        "drawn_faces",
        "drawn_lids",
        "drawn_nose",
        "drawn_lines",
        "outlines",
        "eyes",
        "lashes",
        "closed_eyes",
        "background",
        "models",
    },
    {"generators", "enhancers", "exporters", "metrics", "diagnostics", "motion_sources"},
    {"plugins", "plugin_host", "plugin_switches", "marking"},
    {"pipeline", "training"},
    {"live"},
)
"""Lowest first; a module imports from its own layer and from those below. What is not named here (`cli` and what it is
made of) is above them all."""

LONGEST_FILE, LONGEST_FUNCTION, LONGEST_LOOP = 400, 60, 150
LOOPS = {("training/vae_gan.py", "train")}
"""Read from top to bottom, and so allowed to be longer."""

HEAVY = ("torch", "mediapipe", "av", "streamlit", "moviepy", "cv2", "scipy", "skimage", "plotly", "safetensors")


def layer_of(module: str) -> int:
    return next((i for i, names in enumerate(LAYERS) if module in names), len(LAYERS))


def part_of(path: Path) -> str:
    """The module or package below `visiongen` that a file belongs to."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported(path: Path) -> set[str]:
    """Every module a file imports, anywhere in it, absolute; of ``from a import b`` both a and a.b."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


def own_parts(path: Path) -> set[str]:
    """Modules and packages below `visiongen` that a file imports."""
    parts = {name.split(".")[1] for name in imported(path) if name.startswith("visiongen.")}
    return {part for part in parts if (PACKAGE / part).is_dir() or (PACKAGE / f"{part}.py").exists()}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_point_downward(path):
    part = part_of(path)
    if part == "__init__":
        return
    upward = {other for other in own_parts(path) if layer_of(other) > layer_of(part)}
    assert not upward, f"{path.name} ({part}) imports {upward}, which lie above it"


def test_training_and_pipeline_stand_side_by_side():
    for path in FILES:
        if part_of(path) == "training":
            assert not own_parts(path) & {"pipeline", "plugins", "cli"}, path
        if part_of(path) == "pipeline":
            assert "training" not in own_parts(path)


def test_components_do_not_import_each_other():
    kinds = {"generators", "enhancers", "metrics", "diagnostics"}
    for path in FILES:
        if part_of(path) in kinds | {"exporters"}:
            assert not own_parts(path) & (kinds - {part_of(path)}), path


def test_there_are_no_circles():
    """Between modules and packages, counting also the imports inside functions."""
    graph: dict[str, set[str]] = {}
    for path in FILES:
        if part_of(path) != "__init__":
            graph.setdefault(part_of(path), set()).update(own_parts(path) - {part_of(path)})
    done: set[str] = set()

    def visit(part: str, trail: tuple[str, ...]) -> None:
        assert part not in trail, " -> ".join((*trail[trail.index(part) :], part))
        if part not in done:
            for other in graph.get(part, ()):
                visit(other, (*trail, part))
            done.add(part)

    for part in graph:
        visit(part, ())


def test_the_library_knows_nothing_of_what_stands_on_it():
    outside = {"studio", "tests", "conftest"}
    plugins = {path.name.replace("-", "_") for path in (ROOT / "plugins").glob("visiongen-*")}
    for path in FILES:
        tops = {name.split(".")[0] for name in imported(path)}
        assert not tops & (outside | plugins), path


@pytest.mark.parametrize(
    "library, owners",
    [
        ("mediapipe", {"mediapipe_graphs", "training"}),
        ("moviepy", {"exporters"}),
        ("av", {"containers", "upright", "media", "exporters"}),
        ("streamlit", set()),
    ],
)
def test_ageing_libraries_stay_behind_one_door(library, owners):
    for path in FILES:
        if any(name.split(".")[0] == library for name in imported(path)):
            allowed = layer_of(part_of(path)) == len(LAYERS) and part_of(path) != "__init__"  # `doctor` looks at all
            assert part_of(path) in owners or allowed, path


def test_every_layer_exists():
    names = {part_of(path) for path in FILES}
    missing = set().union(*LAYERS) - names - {"diagnostics"}
    assert not missing, f"LAYERS names {missing}, which are not there"


# --- size -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_files_and_functions_are_short(path):
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= LONGEST_FILE
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            is_loop = (str(path.relative_to(PACKAGE)), node.name) in LOOPS
            # The docstring does not count: it is there to be long enough.
            docstring = node.body[0] if ast.get_docstring(node) is not None else None
            length = node.end_lineno - node.lineno + 1
            if docstring is not None:
                length -= docstring.end_lineno - docstring.lineno + 1
            assert length <= (LONGEST_LOOP if is_loop else LONGEST_FUNCTION), f"{node.name}: {length} lines"


def test_file_names_say_what_they_hold():
    forbidden = {"utils", "core", "helpers", "common", "misc", "manager", "base"}
    assert not {path.stem for path in FILES} & forbidden


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_modules_and_public_names_are_documented(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert ast.get_docstring(tree)
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            assert ast.get_docstring(node), node.name


# --- nothing heavy ----------------------------------------------------------------------------------------------------


def heavy_after(code: str) -> set[str]:
    """Which of the heavy modules a fresh interpreter has loaded after `code`."""
    report = f"import sys; print(*({HEAVY!r}[i] for i in range({len(HEAVY)}) if {HEAVY!r}[i] in sys.modules))"
    done = subprocess.run([sys.executable, "-c", f"{code}\n{report}"], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


@pytest.mark.parametrize(
    "code",
    [
        "import visiongen; dir(visiongen)",
        "import visiongen.errors, visiongen.datatypes, visiongen.hookspecs, visiongen.options",
        "import visiongen.plugins as p; assert p.generators() and p.enhancers() and p.exporters()",
        "import visiongen; visiongen.Portrait, visiongen.hookimpl, visiongen.choose, visiongen.NoFaceError",
    ],
)
def test_importing_and_listing_loads_nothing_heavy(code):
    assert not heavy_after(code)


def test_the_stages_load_no_network():
    """What needs no torch does not wait for it."""
    loaded = heavy_after("import visiongen.pipeline, visiongen.faces, visiongen.motion, visiongen.retarget")
    assert not loaded & {"torch", "streamlit", "moviepy", "mediapipe"}
