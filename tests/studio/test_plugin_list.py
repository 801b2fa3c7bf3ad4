"""The page Plugins: what is installed, what failed and why, switches of the session, and a guide that works."""

from __future__ import annotations

import importlib.metadata
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tomllib
from opened import opened

from studio import session
from visiongen import plugins
from visiongen.plugins import build_manager

PAGE = "app_pages/plugin_list.py"
FAKES = Path(__file__).parents[1] / "fake_plugins"


@pytest.fixture
def with_plugins(monkeypatch):
    """A good and a broken plugin are installed."""
    folders = [str(FAKES / name) for name in ("good", "import_error")]
    for folder in folders:
        monkeypatch.syspath_prepend(folder)
    host = build_manager(importlib.metadata.distributions(path=folders))
    monkeypatch.setattr(plugins, "host", lambda: host)
    return host


def test_every_component_is_listed_with_its_options(studio):
    page = studio(PAGE)
    assert not page.exception and not page.error
    text = " ".join([one.value for one in page.markdown] + [one.label for one in page.expander])
    for offers in plugins.components().values():
        for component in offers.values():
            assert f"**{component.name}**: {component.summary}" in text
    assert not page.table, "tables are made when they are looked at"
    tables = [list(one.value.index) for one in opened(page, "options generator vae-gan").table]
    assert ["weights", "painting"] == [name for name in tables[0] if name in ("weights", "painting")]


def test_a_broken_plugin_is_shown_with_its_reason_and_costs_nothing_else(studio, with_plugins):
    page = studio(PAGE)
    assert not page.exception
    assert len(page.error) == 1 and with_plugins.failures[0].reason in page.error[0].value
    assert any("Traceback" in one.label for one in page.expander)
    assert any("visiongen-good" in one.value for one in page.markdown)


def test_a_plugin_can_be_left_out_of_the_session(studio, with_plugins):
    page = studio(PAGE)
    name = next(one.key.removeprefix("use ") for one in page.toggle if "visiongen-good" in one.key)
    page.toggle(key=f"use {name}").set_value(False).run()
    assert page.session_state[session.DISABLED_PLUGINS] == {name}
    page.toggle(key=f"use {name}").set_value(True).run()
    assert page.session_state[session.DISABLED_PLUGINS] == set()


def test_the_built_in_components_cannot_be_left_out(studio):
    assert not [one for one in studio(PAGE).toggle if one.key.startswith("use visiongen ")]


def test_the_plugin_of_the_guide_works(studio, tmp_path):
    """What the page tells people to write is installed by its entry point and changes frames."""
    code = {one.language: one.value for one in opened(studio(PAGE), "plugins.tab", "Write one").code}
    (tmp_path / "visiongen_vivid.py").write_text(code["python"], encoding="utf-8")
    project = tomllib.loads(code["toml"])
    entry = project["project"]["entry-points"]["visiongen"]
    assert entry == {"vivid": "visiongen_vivid"} and project["tool"]["setuptools"]["py-modules"] == ["visiongen_vivid"]
    info = tmp_path / "visiongen_vivid-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: visiongen-vivid\nVersion: 1.0\n", encoding="utf-8")
    (info / "entry_points.txt").write_text("[visiongen]\nvivid = visiongen_vivid\n", encoding="utf-8")
    script = """
import numpy as np, visiongen
from visiongen import FrameBatch, choose, load
grey, red = np.full((8, 8, 3), 90, np.uint8), np.full((8, 8, 3), (150, 90, 90), np.uint8)
vivid = load(choose("enhancer", "vivid"))
batch, = vivid.enhance(iter([FrameBatch(pixels=np.stack([grey, red]), times=[0, 1])]), None)
print(batch.pixels[:, 0, 0].tolist())
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=tmp_path, check=True)
    still, redder = np.array(eval(done.stdout))
    assert still.tolist() == [90, 90, 90] and redder[0] > 150 and redder[1] < 90
