"""What a container is built from is there, and the page on deploying says what the commands do."""

from __future__ import annotations

import re
from fnmatch import fnmatch
from pathlib import Path

import pytest

from visiongen import cli
from visiongen.batch.manifest import read_manifest
from visiongen.batch.values import known_options
from visiongen.service.settings import TOKEN_VARIABLE

ROOT = Path(__file__).parents[1]
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
PAGE = (ROOT / "docs" / "deploy.md").read_text(encoding="utf-8")


def copied() -> set[str]:
    """What the image takes from the checkout."""
    lines = [
        line.split()[1:-1] for line in DOCKERFILE.splitlines() if line.startswith("COPY ") and "--from" not in line
    ]
    return {name for names in lines for name in names}


def ignored(name: str) -> bool:
    """What `.dockerignore` says of a name at the top of the checkout: the last rule that fits."""
    found = False
    for rule in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines():
        if rule and not rule.startswith("#") and fnmatch(name, rule.lstrip("!")):
            found = not rule.startswith("!")
    return found


def test_what_the_image_copies_is_there():
    assert copied() >= {"pyproject.toml", "constraints.txt", "visiongen", "studio", "sample_media"}
    for name in copied():
        assert (ROOT / name).exists() and not ignored(name), name
    assert ignored(".git") and ignored("tests") and ignored(".env")


def test_what_the_package_is_built_from_is_copied():
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    folders = re.findall(r'= "(\w+)"', text.split("[tool.setuptools.package-dir]")[1].split("\n[")[0])
    (readme,) = re.findall(r'^readme = "(.*)"', text, re.MULTILINE)
    assert len(folders) >= 3 and {*folders, readme} <= copied()


def test_the_image_runs_a_command_that_is_there():
    (entry,) = re.findall(r'^ENTRYPOINT \["(.*)"\]', DOCKERFILE, re.MULTILINE)
    (words,) = re.findall(r'^CMD \["(.*)"\]', DOCKERFILE, re.MULTILINE)
    assert entry == "visiongen" and words.split('", "')[0] in cli.COMMANDS
    assert re.search(r"^USER (?!root)", DOCKERFILE, re.MULTILINE)
    (port,) = re.findall(r"^EXPOSE (\d+)", DOCKERFILE, re.MULTILINE)
    assert f'"--port", "{port}"' in DOCKERFILE and f":{port}/health" in DOCKERFILE


@pytest.mark.parametrize("command", ["batch", "serve"])
def test_the_page_names_flags_that_are_there(command, capsys):
    assert cli.main([command, "--help"]) == 0
    own = capsys.readouterr().out
    cli.main(["animate", "--help"])
    text = own + capsys.readouterr().out
    part = PAGE.split("## Over HTTP")[command == "serve"].split("## In a container")[0]
    for flag in set(re.findall(r"(?<![-\w])--[a-z][a-z-]+", part)):
        assert flag in text, flag
    assert TOKEN_VARIABLE in PAGE


def test_the_manifest_of_the_page_is_one(tmp_path):
    (text,) = re.findall(r"```csv\n(.*?)```", PAGE, re.DOTALL)
    (tmp_path / "jobs.csv").write_text(text, encoding="utf-8")
    for name in ("anna.jpg", "ben.png", "hello.mp4"):
        (tmp_path / name).touch()
    rows = read_manifest(tmp_path / "jobs.csv", defaults={}, known=known_options())
    assert [row.out.name for row in rows] == ["anna.mp4", "ben.gif"]
    assert rows[0].values["enhancers"] == ["colour", "sharpen"] and rows[1].values["end"] == 2.5
