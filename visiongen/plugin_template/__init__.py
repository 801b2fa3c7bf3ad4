"""A new plugin package from a template: ``visiongen plugins new``. The texts are the ``.txt`` files beside this one."""

from __future__ import annotations

import keyword
import re
import string
from importlib import metadata, resources
from pathlib import Path

from visiongen import plugins
from visiongen.errors import MediaError, PluginError

KINDS = ("generator", "enhancer", "exporter", "metric", "motion-source")

_FILES = {
    "pyproject.toml": "pyproject",
    "README.md": "readme",
    "LICENSE": "license",
    ".gitignore": "gitignore",
    "{module}.py": "{kind}",
    "tests/test_{module}.py": "test_{kind}",
}
"""File of the new package -> template of it."""


def new_plugin(name: str, kind: str, into: Path) -> list[Path]:
    """Writes a package that installs, works and passes its own tests.

    Args:
        name: Of the plugin and of its component: lower case letters, digits, single dashes.
        kind: One of `KINDS`.
        into: Folder in which ``visiongen-NAME`` is made.
    Returns:
        The files.
    Raises:
        PluginError: The name or the kind cannot be used, or the name is taken.
        MediaError: The folder is there already, or cannot be written.
    """
    if not re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", name) or keyword.iskeyword(name):
        raise PluginError(
            f"{name!r} is no name of a plugin; use lower case letters, digits and single dashes, such as old-film"
        )
    if kind not in KINDS:
        raise PluginError(f"there is no kind {kind!r}; choose one of: {', '.join(KINDS)}")
    module = f"visiongen_{name.replace('-', '_')}"
    if name in plugins.components()[kind]:
        raise PluginError(f"there is a {kind} {name!r} already; choose another name")
    words = {
        "name": name,
        "module": module,
        "kind": kind,
        "versions": _versions(),
        "title": "".join(part.capitalize() for part in name.split("-")),
        "score": name.replace("-", "_"),
    }
    folder = into / f"visiongen-{name}"
    texts = {
        folder / target.format(**words): string.Template(_template(source.format(**words))).substitute(words)
        for target, source in _FILES.items()
    }
    try:
        folder.mkdir(parents=True)
        for path, text in texts.items():
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")
    except FileExistsError as error:
        raise MediaError(f"{folder} is there already; choose another name or another folder") from error
    except OSError as error:
        raise MediaError(f"{folder} cannot be written ({error.strerror}); choose another folder") from error
    return list(texts)


def _template(name: str) -> str:
    return (resources.files(__name__) / f"{name.replace('-', '_')}.txt").read_text(encoding="utf-8")


def _versions() -> str:
    """What the new package depends on: this version of the contract, and those that keep it."""
    major, minor = metadata.version("visiongen").split(".")[:2]
    return f">={major}.{minor},<{int(major) + 1}"
