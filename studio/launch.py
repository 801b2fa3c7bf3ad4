"""Starts the studio where it is installed: ``visiongen-studio [options of streamlit run]``."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def main() -> None:
    """Runs ``streamlit run app.py`` in place of this process."""
    app = Path(__file__).resolve().with_name("app.py")
    # `python -m` looks for modules in the working folder first, which may be one of downloads.
    os.environ["PYTHONSAFEPATH"] = "1"
    words = [sys.executable, "-m", "streamlit", "run", str(app), *sys.argv[1:]]
    if os.name == "nt":  # no exec that the terminal would wait for
        import subprocess

        sys.exit(subprocess.call(words))
    os.execv(sys.executable, words)


if __name__ == "__main__":
    main()
