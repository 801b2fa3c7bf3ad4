"""Plugins the user has switched off: a small file in the user's settings folder, and ``VISIONGEN_DISABLED``.

A plugin that is switched off is not even imported. The file is ``visiongen/plugins.json`` in ``$XDG_CONFIG_HOME`` or
``~/.config`` (Windows: in ``%APPDATA%``); the variable is a comma list of plugin or distribution names and adds to it.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

from visiongen.errors import MediaError

DISABLED_VARIABLE = "VISIONGEN_DISABLED"


def normalized(name: str) -> str:
    """A plugin or distribution name as it is compared: "Visiongen_Still" is "visiongen-still"."""
    return re.sub(r"[-_.]+", "-", name).strip().lower()


def settings_file() -> Path:
    """Where the switches of this user are kept; the file need not exist."""
    home = os.environ.get("APPDATA" if os.name == "nt" else "XDG_CONFIG_HOME")
    return (Path(home) if home else Path("~/.config").expanduser()) / "visiongen" / "plugins.json"


def switched_off_by_user() -> frozenset[str]:
    """Normalized names in the user's file; none where there is no file.

    Raises:
        MediaError: The file cannot be read.
    """
    path = settings_file()
    try:
        names = json.loads(path.read_text(encoding="utf-8"))["disabled"]
        return frozenset(normalized(name) for name in names)
    except (FileNotFoundError, NotADirectoryError):
        return frozenset()
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise MediaError(f"{path}: the list of switched off plugins cannot be read ({error}); delete it") from error


def switched_off_by_environment() -> frozenset[str]:
    """Normalized names in ``VISIONGEN_DISABLED``."""
    return frozenset(normalized(name) for name in os.environ.get(DISABLED_VARIABLE, "").split(",") if name.strip())


def switch(name: str, *, on: bool) -> None:
    """Switches a plugin on or off for this user, from now on.

    Args:
        name: Of a plugin or of its distribution.
        on: Use it.
    Raises:
        MediaError: The setting cannot be written.
    """
    path, names = settings_file(), set(switched_off_by_user())
    names = names - {normalized(name)} if on else names | {normalized(name)}
    begun = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        begun.write_text(json.dumps({"disabled": sorted(names)}, indent=1) + "\n", encoding="utf-8")
        os.replace(begun, path)
    except OSError as error:
        raise MediaError(
            f"{path}: the setting cannot be written ({error.strerror}); set {DISABLED_VARIABLE} instead"
        ) from error
    finally:
        if begun.exists():
            begun.unlink()
