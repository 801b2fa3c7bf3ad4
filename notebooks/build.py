"""Makes the notebooks from their sources, runs them, and keeps the outputs.

    python notebooks/build.py            # all
    python notebooks/build.py 02 05      # some
    python notebooks/build.py --text     # takes over changed text only, and runs nothing
    python notebooks/build.py --check    # only says which of them differ from their sources

A source is a script in ``sources/``: ``# %%`` begins a cell of code, ``# %% [markdown]`` one of text, whose lines are
comments. Scripts are easier to review than notebooks; the notebooks are what people open. ``VISIONGEN_LIGHT=1`` makes
every notebook run with few frames and steps.
"""

from __future__ import annotations

import argparse
import ast
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

HERE = Path(__file__).parent
SOURCES = HERE / "sources"
MOST_KB = 700
"""Largest notebook, kB."""
_MARK = re.compile(r"^# %%(?P<markdown> \[markdown\])?\s*$", re.MULTILINE)


def sources() -> list[Path]:
    """All sources, in their order."""
    return sorted(SOURCES.glob("[0-9][0-9]_*.py"))


def notebook_path(source: Path) -> Path:
    """Where the notebook of a source is."""
    return HERE / f"{source.stem}.ipynb"


def cells(text: str) -> Iterator[tuple[str, str]]:
    """Kind ("markdown" or "code") and text of every cell of a source."""
    marks = list(_MARK.finditer(text))
    for mark, after in zip(marks, [*marks[1:], None]):
        content = text[mark.end() : after.start() if after else len(text)].strip("\n")
        if mark["markdown"]:
            yield "markdown", re.sub(r"^# ?", "", content, flags=re.MULTILINE)
        else:
            yield "code", content


def made(source: Path) -> nbformat.NotebookNode:
    """The notebook of a source, not run yet."""
    makers = {"markdown": new_markdown_cell, "code": new_code_cell}
    found = [makers[kind](text) for kind, text in cells(source.read_text(encoding="utf-8"))]
    for number, cell in enumerate(found):
        cell["id"] = f"{source.stem[:2]}-{number:02d}"  # the same whenever it is made
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return new_notebook(cells=found, metadata={"kernelspec": kernel, "language_info": {"name": "python"}})


def executed(notebook: nbformat.NotebookNode, *, timeout: float = 1200) -> nbformat.NotebookNode:
    """The notebook with its outputs; it runs in this folder, with this Python.

    Raises:
        nbclient.exceptions.CellExecutionError: A cell failed.
    """
    where = {"metadata": {"path": str(HERE)}}
    NotebookClient(notebook, timeout=timeout, kernel_name="python3", record_timing=False, resources=where).execute()
    notebook.metadata["language_info"] = {"name": "python"}
    return notebook


def retold(source: Path) -> nbformat.NotebookNode:
    """The notebook as it is, with the texts, and the layout of the code, of its source.

    Raises:
        ValueError: Its code differs in more than layout.
    """
    old, new = nbformat.read(notebook_path(source), as_version=4), made(source)
    ran, to_run = ([cell for cell in one["cells"] if cell["cell_type"] == "code"] for one in (old, new))
    if [_meaning(cell["source"]) for cell in ran] != [_meaning(cell["source"]) for cell in to_run]:
        raise ValueError(f"{source.name}: the code differs from the notebook's; run it again")
    for before, after in zip(ran, to_run, strict=True):
        after["outputs"], after["execution_count"] = before["outputs"], before["execution_count"]
    new["metadata"] = old["metadata"]
    return new


def _meaning(code: str) -> str:
    """The same for code that differs in layout and comments only."""
    return ast.dump(ast.parse(code))


def outputs(notebook: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """All outputs of all cells."""
    for cell in notebook["cells"]:
        yield from cell.get("outputs", ())


def noise(notebook: dict[str, Any]) -> list[str]:
    """What does not belong into a notebook that is shown to people: error outputs, and what went to stderr."""
    found = [f"error: {one['ename']}: {one['evalue']}" for one in outputs(notebook) if one["output_type"] == "error"]
    return found + [f"stderr: {_text(one['text'])}" for one in outputs(notebook) if one.get("name") == "stderr"]


def differs(source: Path) -> bool:
    """The notebook is missing, or its cells are not those of the source."""
    path = notebook_path(source)
    if not path.is_file():
        return True
    found = json.loads(path.read_text(encoding="utf-8"))["cells"]
    wanted = list(cells(source.read_text(encoding="utf-8")))
    return [(cell["cell_type"], _text(cell["source"])) for cell in found] != wanted


def _text(content: str | list[str]) -> str:
    return content if isinstance(content, str) else "".join(content)


def main() -> int:
    """Makes the notebooks that are asked for; 1 where one cannot be shown."""
    parser = argparse.ArgumentParser(description="Make and run the notebooks.")
    parser.add_argument("numbers", nargs="*", metavar="NUMBER", help="such as 02; default: all")
    parser.add_argument("--text", action="store_true", help="take over changed text only, and run nothing")
    parser.add_argument("--check", action="store_true", help="only say which differ from their sources")
    arguments = parser.parse_args()
    chosen = [one for one in sources() if not arguments.numbers or one.stem[:2] in arguments.numbers]
    failed = False
    for source in chosen:
        path = notebook_path(source)
        if arguments.check:
            problems = ["differs from its source"] if differs(source) else []
        else:
            notebook = retold(source) if arguments.text else executed(made(source))
            nbformat.write(notebook, path)
            problems = noise(notebook)
            if (size := path.stat().st_size / 1000) > MOST_KB:
                problems.append(f"{size:.0f} kB, but at most {MOST_KB} are wanted")
            print(f"{path.name}: {size:.0f} kB")
        for problem in problems:
            print(f"{path.name}: {problem}", file=sys.stderr)
        failed |= bool(problems)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
