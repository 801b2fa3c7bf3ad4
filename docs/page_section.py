"""Puts what a script measured between two marks of a page, and leaves the rest of the page alone."""

from __future__ import annotations

import os
from pathlib import Path


def put(page: Path, name: str, text: str) -> None:
    """Replaces the section between ``<!-- name: begin -->`` and ``<!-- name: end -->``; adds it at the end where it is new."""
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    section = f"{begin}\n{text}\n{end}"
    before = page.read_text(encoding="utf-8")
    if begin in before:
        head, _, rest = before.partition(begin)
        after = head + section + rest.partition(end)[2]
    else:
        after = f"{before.rstrip()}\n\n{section}\n"
    part = page.with_name(f".{page.name}.{os.getpid()}.part")
    part.write_text(after, encoding="utf-8")
    os.replace(part, page)  # two scripts may write to one page
