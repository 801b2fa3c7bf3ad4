"""README and program are held together: its commands and examples run, its links lead somewhere."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from builders import write_clip

from visiongen import cli, media
from visiongen.samples import sample

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = (
    "README.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "docs/inspect.md",
    "sample_media/README.md",
    "SECURITY.md",
    "docs/dependencies.md",
    "docs/provenance.md",
    "docs/training.md",
    "notebooks/README.md",
)


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, flags=re.MULTILINE | re.DOTALL)


@pytest.fixture
def desk(tmp_path, monkeypatch) -> Path:
    """A folder with a portrait and a short driving clip under the names that the README uses."""
    shutil.copy(sample("astronaut.jpg"), tmp_path / "portrait.jpg")
    frames = np.concatenate([b.pixels for b in media.read_frames(media.probe(sample("driving.mp4"), end=0.24))])
    write_clip(tmp_path / "driving.mp4", frames)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("code", blocks("python"), ids=["animate", "stages", "camera"])
def test_python_examples_run(desk, code, capsys):
    names = {"camera_picture": next(media.read_frames(media.probe(desk / "driving.mp4"))).pixels[0]}
    exec(compile(code, "README.md", "exec"), names)
    printed = capsys.readouterr().out
    if "camera_picture" in code:
        assert names["moved"].shape[2] == 3 and names["moved"].dtype == np.uint8
    elif "result.mp4" in code:
        assert printed == "result.mp4 6 frames\n"
        assert media.probe(desk / "result.mp4").num_frames == 6
    else:
        assert "(1, 512, 512, 3)" in printed and "(3, 512, 512, 3)" in printed  # the first come one by one


def test_the_first_command_runs_the_main_job(tmp_path):
    """The part after the installation, shortened, as a user would run it: from somewhere else, on real input."""
    (line,) = [line for line in README.splitlines() if line.startswith("python3 -m venv")]
    *install, job = line.split(" && ")
    assert install == ["python3 -m venv .venv", ". .venv/bin/activate", "pip install -c constraints.txt -e ."]
    program, *arguments = shlex.split(job)
    assert program == "visiongen" and arguments == ["animate", "--demo"]
    command = [sys.executable, "-m", "visiongen.cli", *arguments, "--end", "0.48"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("visiongen-demo.mp4: 12 frames, 512x512, 25 fps;")
    assert not [line for line in done.stderr.splitlines() if not re.match(r"(landmarks|render): ", line)]
    clip = media.probe(tmp_path / "visiongen-demo.mp4")
    assert (clip.num_frames, clip.height, clip.width, clip.has_audio) == (12, 512, 512, True)
    frames = np.concatenate([b.pixels for b in media.read_frames(clip)]).astype(int)
    assert np.abs(frames[-1] - frames[0]).max() > 40  # the face moved
    assert np.abs(frames[-1, 400:] - frames[0, 400:]).mean() < 3  # and the rest stayed


def test_the_second_command_is_what_the_check_runs():
    assert 'pip install -c constraints.txt -e ".[dev]" && pytest' in README.splitlines()
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert '-c constraints.txt -e ".[dev]"' in script and "\npytest" in script


def test_every_command_is_in_the_table_and_no_other():
    table = re.findall(r"^\| `visiongen (\w+)", README, flags=re.MULTILINE)
    assert sorted(table) == sorted(cli.COMMANDS)


def test_every_flag_exists(capsys):
    known = {"--COMPONENT.option"}
    for command in cli.COMMANDS:
        assert cli.main([command, "--help"]) == 0
        known |= set(re.findall(r"--[\w.-]+", capsys.readouterr().out))
    used = set(re.findall(r"(?<![\w-])--[a-z][\w.-]*", README.split("## Use it")[1].split("## Plugins")[0]))
    assert used <= known, used - known


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)\s#]+)\)", text):
        if "://" not in target:
            assert ((ROOT / page).parent / target).exists(), target


def test_the_picture_is_small():
    assert 50_000 < (ROOT / "docs" / "demo.gif").stat().st_size < 1_500_000


def test_constraints_pin_every_dependency_within_its_range():
    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = [Requirement(line) for line in lines if line and not line.startswith("#")]
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    wanted = [
        Requirement(text)
        for text in re.findall(r'"([a-z][\w-]*(?:[<>=]=?[^"]*))"', project)
        if "setuptools" not in text
    ]
    assert len(wanted) > 15
    for python in ("3.10", "3.11", "3.12"):
        here = {"python_version": python}
        versions = {
            canonicalize_name(pin.name): next(iter(pin.specifier)).version
            for pin in pins
            if pin.marker is None or pin.marker.evaluate(here)
        }
        for requirement in wanted:
            assert versions[canonicalize_name(requirement.name)] in requirement.specifier, f"{requirement} on {python}"
