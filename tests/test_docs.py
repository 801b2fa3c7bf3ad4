"""Documentation and code are held together."""

import ast
import importlib.metadata
import inspect
import re
import sys
import textwrap
import types
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from visiongen import hookspecs, plugin_host, plugins, testing
from visiongen.datatypes import FrameBatch, MotionTrack, Portrait, Provenance
from visiongen.errors import MediaError

ROOT = Path(__file__).parents[1]
PLUGINS_PAGE = (ROOT / "plugins" / "README.md").read_text(encoding="utf-8")
KINDS = {plugin_host.hook_name(kind): kind for kind in plugins.PROTOCOLS}
HOOKS = {name: hook for name, hook in vars(hookspecs).items() if hasattr(hook, "visiongen_spec")}


class InMemory(importlib.metadata.Distribution):
    """A distribution whose only module is in `sys.modules`."""

    def __init__(self, module: str) -> None:
        self.module = module

    def read_text(self, filename: str) -> str | None:
        return {
            "METADATA": f"Name: {self.module}\nVersion: 1.0\n",
            "entry_points.txt": f"[visiongen]\n{self.module} = {self.module}\n",
        }.get(filename)

    def locate_file(self, path):
        return path


def signature(function) -> str:
    """As it stands in the source: ``name(arguments) -> result``."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    definition = next(node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))
    return f"{definition.name}({ast.unparse(definition.args)}) -> {ast.unparse(definition.returns)}"


def section(hook: str) -> str:
    return next(part for part in re.split(r"^## ", PLUGINS_PAGE, flags=re.MULTILINE) if part.startswith(f"`{hook}"))


def offered(hook: str, monkeypatch) -> Any:
    """What the example below the heading of `hook` makes, through the whole plugin door."""
    (code,) = re.findall(r"^```python\n(.*?)^```", section(hook), flags=re.MULTILINE | re.DOTALL)
    module = types.ModuleType(f"visiongen_example_of_{hook}")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    exec(compile(code, f"plugins/README.md: {hook}", "exec"), module.__dict__)
    host = plugins.build_manager([InMemory(module.__name__)])
    assert not [failure for failure in host.failures if failure.plugin == module.__name__]
    kind = KINDS[hook]
    (name,) = host.plugins[module.__name__].offers[kind]
    return plugins.load(host.components[kind][name])


def small_portrait() -> Portrait:
    crop = np.random.default_rng(0).integers(0, 256, (16, 16, 3), np.uint8)
    return Portrait(image=crop, crop=crop, landmarks=np.zeros((478, 3)), image_from_crop=np.eye(2, 3))


def frames(number: int = 3) -> list[FrameBatch]:
    return [FrameBatch(pixels=small_portrait().crop[None], times=[t / 25]) for t in range(number)]


def test_there_are_hooks():
    assert set(HOOKS) == set(KINDS)


@pytest.mark.parametrize("hook", HOOKS)
def test_every_hook_is_a_heading_with_its_signature(hook):
    assert f"\n## `{signature(HOOKS[hook])}`\n" in PLUGINS_PAGE


@pytest.mark.parametrize("kind", plugins.PROTOCOLS)
def test_every_protocol_is_shown_with_its_signature(kind):
    protocols = [plugins.PROTOCOLS[kind]] + [hookspecs.MotionExporter] * (kind == "exporter")
    for protocol in protocols:
        (method,) = (value for name, value in vars(protocol).items() if inspect.isfunction(value) and name[0] != "_")
        assert signature(method).replace("(self, ", "(") in section(plugin_host.hook_name(kind))


@pytest.mark.parametrize("hook", HOOKS)
def test_every_hook_has_a_test(hook):
    tree = ast.parse((ROOT / "tests" / "test_plugins.py").read_text(encoding="utf-8"))
    names = [node.name for node in tree.body if isinstance(node, ast.FunctionDef)]
    assert any(name.startswith(f"test_hook_{hook}") for name in names)


def test_every_component_field_is_documented():
    for field in set(hookspecs.Component.__dataclass_fields__) - {"plugin"}:
        assert f"\n| `{field}` |" in PLUGINS_PAGE


def test_the_example_of_a_generator_works(monkeypatch):
    generator = offered("visiongen_generators", monkeypatch)
    motion = MotionTrack(
        rotation=np.broadcast_to(np.eye(3), (3, 3, 3)),
        translation=np.zeros((3, 3)),
        scale=np.ones(3),
        offsets=np.zeros((3, 478, 3)),
        visible=np.ones(3, bool),
        times=[0, 0.04, 0.08],
        face_width=8.0,
        height=16,
        width=16,
    )
    got = list(generator.render(small_portrait(), motion))
    assert np.array_equal(np.concatenate([batch.times for batch in got]), motion.times)
    assert np.array_equal(got[0].pixels[0], small_portrait().crop) and not np.array_equal(got[2].pixels, got[0].pixels)


def test_the_example_of_an_enhancer_works(monkeypatch):
    got = list(offered("visiongen_enhancers", monkeypatch).enhance(frames(), small_portrait()))
    assert len(got) == 3 and all(np.ptp(batch.pixels, axis=-1).max() == 0 for batch in got)


def test_the_example_of_an_exporter_works(monkeypatch, tmp_path):
    exporter = offered("visiongen_exporters", monkeypatch)
    path = tmp_path / "frames.npz"
    how = {"fps": Fraction(25), "sound": None, "provenance": Provenance(software="VisionGen 3D")}
    assert exporter.export(frames(), path, **how) == 3
    assert np.load(path)["frames"].shape == (3, 16, 16, 3)
    with pytest.raises(MediaError, match="cannot write"):
        exporter.export(frames(), tmp_path / "nowhere" / "frames.npz", **how)
    assert [one.name for one in tmp_path.iterdir()] == ["frames.npz"]


@pytest.mark.parametrize("hook", HOOKS)
def test_the_examples_keep_the_contract(hook, monkeypatch, tmp_path):
    made, kind = offered(hook, monkeypatch), KINDS[hook]
    component = hookspecs.Component(
        name="example", summary="", load=lambda options, *, device: made, suffixes=(".npz",) * (kind == "exporter")
    )
    arguments = []
    if kind == "motion-source":
        arguments = [tmp_path / "nod.turns"]
        arguments[0].write_text("0 3 6 9 6 3")
    getattr(testing, f"assert_{kind.replace('-', '_')}_contract")(component, *arguments)


def test_every_contract_test_is_named():
    for name in testing.__all__:
        if name != "BrokenContract":
            assert name in PLUGINS_PAGE


def test_links_of_the_plugins_page_lead_somewhere():
    headings = re.findall(r"^#+ (.*)$", PLUGINS_PAGE, flags=re.MULTILINE)
    anchors = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
    for target in re.findall(r"\]\(([^)\s]+)\)", PLUGINS_PAGE):
        if target.startswith("#"):
            assert target[1:] in anchors, target
        elif "://" not in target:
            assert (ROOT / "plugins" / target).exists(), target
