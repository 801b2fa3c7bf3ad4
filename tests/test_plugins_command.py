"""``visiongen plugins``: new packages that install and pass their own tests, and switching plugins off and on."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from visiongen import cli, plugin_template, plugins
from visiongen.plugin_switches import settings_file, switched_off_by_user

FAKES = Path(__file__).parent / "fake_plugins"
TUTORIAL = Path(__file__).parents[1] / "docs" / "plugin-tutorial.md"


@pytest.fixture(autouse=True)
def own_settings(tmp_path, monkeypatch):
    """Settings of a user who has none yet, and the sound fake plugin."""
    monkeypatch.setenv("APPDATA" if os.name == "nt" else "XDG_CONFIG_HOME", str(tmp_path / "settings"))
    monkeypatch.delenv("VISIONGEN_DISABLED", raising=False)
    monkeypatch.setattr(sys, "path", [*sys.path, str(FAKES / "good")])
    monkeypatch.setenv(plugins.ENVIRONMENT_VARIABLE, "good")
    plugins._host.cache_clear()
    yield
    plugins._host.cache_clear()


def install(target: Path, *folders: Path) -> None:
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-index", "--no-deps"]
    command = [*pip, "--no-build-isolation", "--target", str(target), *map(str, folders)]
    done = subprocess.run(command, capture_output=True, text=True)
    if "No module named pip" in done.stderr or "No module named 'setuptools'" in done.stderr:
        pytest.skip("needs pip and setuptools")
    assert done.returncode == 0, done.stderr


def own_tests(target: Path, *folders: Path) -> str:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("VISIONGEN_")}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *map(str, folders)],
        capture_output=True,
        text=True,
        cwd=folders[0],
        env=environment | {"PYTHONPATH": str(target)},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


# --- new --------------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_every_kind_of_new_plugin_installs_and_passes_its_own_tests(tmp_path, capsys):
    for kind in plugin_template.KINDS:
        assert cli.main(["plugins", "new", f"my-{kind}", "--kind", kind, "--into", str(tmp_path)]) == 0
    assert "pip install -e" in capsys.readouterr().out
    folders = [tmp_path / f"visiongen-my-{kind}" for kind in plugin_template.KINDS]
    install(tmp_path / "target", *folders)
    assert "16 passed" in own_tests(tmp_path / "target", *folders)
    for folder in folders:
        texts = [path.read_text() for path in folder.rglob("*") if path.is_file() and path.suffix != ".pyc"]
        assert not [text for text in texts if re.search(r"\$\{?[a-z]", text)], "a word of the template is left"


def test_there_is_a_template_of_every_kind():
    assert set(plugin_template.KINDS) == set(plugins.PROTOCOLS)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["Old_Film", "--kind", "enhancer"], "use lower case letters, digits and single dashes"),
        (["import", "--kind", "enhancer"], "is no name of a plugin"),
        (["sharpen", "--kind", "enhancer"], "there is a enhancer 'sharpen' already"),
        (["film", "--kind", "enhancer"], "visiongen-film is there already"),
        (["film", "--kind", "metric", "--into", "a-file"], "cannot be written"),
    ],
)
def test_what_cannot_be_made_is_said(tmp_path, monkeypatch, capsys, arguments, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "visiongen-film").mkdir()
    (tmp_path / "a-file").touch()
    assert cli.main(["plugins", "new", *arguments]) == 1
    assert message in capsys.readouterr().err
    assert list((tmp_path / "visiongen-film").iterdir()) == []


@pytest.mark.slow
def test_the_tutorial_works_as_it_is_written(tmp_path):
    """Its commands, its two files, its wheel; without the one that needs a network."""
    page = TUTORIAL.read_text(encoding="utf-8")
    module, test = re.findall(r"^```python\n(.*?)^```", page, flags=re.MULTILINE | re.DOTALL)
    commands = "".join(re.findall(r"^```sh\n(.*?)^```", page, flags=re.MULTILINE | re.DOTALL)).splitlines()
    assert commands[0] == "visiongen plugins new film-grain --kind enhancer"
    assert cli.main([*commands[0].split()[1:], "--into", str(tmp_path)]) == 0
    folder = tmp_path / "visiongen-film-grain"
    (folder / "visiongen_film_grain.py").write_text(module, encoding="utf-8")
    (folder / "tests" / "test_visiongen_film_grain.py").write_text(test, encoding="utf-8")
    (build,) = (command for command in commands if command.startswith("pip wheel"))
    command = [sys.executable, "-m", *build.split(), "--no-build-isolation", "--no-index", "--quiet"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (wheel,) = (tmp_path / "dist").iterdir()
    assert f"dist/{wheel.name}" in page
    install(tmp_path / "target", wheel)
    assert "3 passed" in own_tests(tmp_path / "target", folder)
    (use,) = (command for command in commands if command.startswith("visiongen animate"))
    flags = subprocess.run(
        [sys.executable, "-m", "visiongen.cli", *use.split()[1:], "--start", "0.9"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": str(tmp_path / "target"), plugins.ENVIRONMENT_VARIABLE: "film-grain"},
    )
    assert flags.returncode == 0 and (tmp_path / "grain.mp4").stat().st_size > 1000, flags.stderr


# --- on and off -------------------------------------------------------------------------------------------------------


def test_a_plugin_is_switched_off_and_on(capsys):
    assert "still" in plugins.generators()
    assert cli.main(["plugins", "disable", "visiongen_Good"]) == 0
    assert "switched off" in capsys.readouterr().out and settings_file().is_file()
    assert "still" not in plugins.generators()
    assert [plugin.name for plugin in plugins.switched_off_plugins()] == ["good"]
    assert cli.main(["plugins"]) == 0
    text = capsys.readouterr().out
    assert "switched off\n  good (visiongen-good 1.0)" in text and "Does not move" not in text
    assert cli.main(["plugins", "--json"]) == 0
    (off,) = json.loads(capsys.readouterr().out)["switched_off"]
    assert off == {"name": "good", "distribution": "visiongen-good", "version": "1.0"}
    assert cli.main(["plugins", "enable", "visiongen-good"]) == 0
    assert "still" in plugins.generators() and switched_off_by_user() == frozenset()


def test_the_environment_switches_off_too(monkeypatch, capsys):
    monkeypatch.setenv("VISIONGEN_DISABLED", " other , GOOD")
    assert "still" not in plugins.generators() and "warp" in plugins.generators()
    assert cli.main(["plugins", "enable", "good"]) == 1
    assert "VISIONGEN_DISABLED still switches it off" in capsys.readouterr().err


def test_what_is_switched_off_is_not_imported(install_broken):
    host = plugins.build_manager(install_broken, without=["exits"])
    assert [plugin.name for plugin in host.switched_off] == ["exits"]
    assert not [failure for failure in host.failures if failure.plugin == "exits"]


@pytest.fixture
def install_broken(monkeypatch):
    import importlib.metadata

    monkeypatch.setattr(sys, "path", [*sys.path, str(FAKES / "exits")])
    return list(importlib.metadata.distributions(path=[str(FAKES / "exits")]))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("goood", "there is no plugin 'goood' to switch on or off; installed: good"),
        ("visiongen", "belongs to VisionGen"),
    ],
)
def test_only_what_is_installed_is_switched(name, message, capsys):
    assert cli.main(["plugins", "disable", name]) == 1
    assert message in capsys.readouterr().err and not settings_file().exists()


def test_a_damaged_setting_hides_nothing(capsys):
    settings_file().parent.mkdir(parents=True)
    settings_file().write_text('{"disabled": 7}')
    assert "still" in plugins.generators()
    (failure,) = (one for one in plugins.plugin_failures() if one.plugin == "settings")
    assert "cannot be read" in failure.reason and "delete it" in failure.reason
    assert cli.main(["plugins", "disable", "good"]) == 1
    assert "delete it" in capsys.readouterr().err


def test_an_unknown_action_names_the_nearest(capsys):
    assert cli.main(["plugins", "disabel", "good"]) == 1
    assert "did you mean 'disable'" in capsys.readouterr().err
