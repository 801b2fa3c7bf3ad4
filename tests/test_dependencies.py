"""Every version that is held back has its reason written, and the audit does not take silence for safety."""

from __future__ import annotations

import importlib.util
import json
import re
import sys
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8")
PROJECT = (ROOT / "pyproject.toml").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def audit():
    """docs/audit.py as a module."""
    spec = importlib.util.spec_from_file_location("dependency_audit", ROOT / "docs" / "audit.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # its dataclasses look there
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


def upper(specifiers: SpecifierSet) -> set[str]:
    """What keeps newer versions away."""
    return {str(one) for one in specifiers if one.operator in ("<", "<=", "==", "~=")}


def held_back() -> dict[str, set[str]]:
    """Package -> its upper bounds in pyproject.toml."""
    bounds = {"python": upper(SpecifierSet(re.search(r'^requires-python = "(.*?)"', PROJECT, re.MULTILINE)[1]))}
    for text in re.findall(r'"([A-Za-z][\w.-]*(?:[<>=~!]=?[^"]*))"', PROJECT):
        requirement = Requirement(text)
        bounds.setdefault(canonicalize_name(requirement.name), set()).update(upper(requirement.specifier))
    return {name: found for name, found in bounds.items() if found}


def rows(heading: str) -> list[list[str]]:
    """Cells of the table below a heading."""
    section = PAGE.split(f"## {heading}")[1].split("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("| ")][1:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_every_upper_bound_has_its_reason_and_no_reason_is_left_over():
    written = {}
    for requirement, *reasons in rows("Upper bounds"):
        name, bound = requirement.strip("`").split(" ")
        assert len(reasons) == 3 and all(len(reason) > 6 for reason in reasons), requirement
        written.setdefault(canonicalize_name(name), set()).add(bound)
    assert written == held_back()


def test_accepted_advisories_say_why(audit):
    table = rows("Accepted advisories")
    assert {row[0] for row in table} == audit.accepted() and len(table) == len(audit.accepted())
    pinned = {pin.name for pin in audit.pins()}
    assert all(package in pinned and len(why) > 40 for _, package, why in table)


def test_pillow_opens_only_the_formats_that_the_page_names(tmp_path):
    """PSD, whose reader had a hole, is refused whatever the file is called; and nobody opens pictures without the list."""
    from visiongen.errors import MediaError
    from visiongen.media import PICTURE_FORMATS, read_picture

    assert set(PICTURE_FORMATS) == {"PNG", "JPEG", "WEBP", "BMP", "TIFF", "GIF", "PPM"}
    psd = (
        b"8BPS\0\1" + bytes(6) + b"\0\3" + b"\0\0\0\x10\0\0\0\x10" + b"\0\x08\0\3" + bytes(4) * 3 + b"\0\0" + bytes(768)
    )
    (tmp_path / "a.png").write_bytes(psd)
    with pytest.raises(MediaError, match=r"a\.png"):
        read_picture(tmp_path / "a.png")
    for folder in ("visiongen", "studio"):
        for path in (ROOT / folder).rglob("*.py"):
            for call in re.findall(r"Image\.open\((.*)", path.read_text(encoding="utf-8")):
                own_sample = path.name == "uploads.py"  # a picture that came with the package
                assert re.search(r"formats=(media\.)?PICTURE_FORMATS", call) or own_sample, path


def answer(audit, **packages) -> object:
    """As pip-audit writes it: a list of advisories, or why a package was skipped."""
    entries = [
        {"name": name, "skip_reason": found}
        if isinstance(found, str)
        else {"name": name, "version": "1", "vulns": found}
        for name, found in packages.items()
    ]
    return audit.read_answer(json.dumps({"dependencies": entries, "fixes": []}))


def test_what_no_database_knows_is_not_called_safe(audit):
    nothing = answer(audit, pillow="Dependency not found on PyPI and could not be audited")
    assert audit.verdict({"pypi": nothing}, set(), 1)[0] == audit.NOT_AUDITED
    status, lines = audit.verdict({"pypi": nothing, "osv": audit.Audit(problem="no such host")}, set(), 1)
    assert status == audit.NOT_AUDITED and "NOT AUDITED: 1 of 1" in lines[-1] and "osv: no such host" in lines
    good = answer(audit, pillow=[])
    assert audit.verdict({"pypi": nothing, "osv": good}, set(), 1)[0] == audit.FINE
    assert audit.verdict({"pypi": good}, set(), 2)[0] == audit.NOT_AUDITED


def test_what_is_found_counts_unless_it_is_accepted(audit):
    bad = answer(audit, pillow=[{"id": "GHSA-1", "aliases": ["CVE-2026-1"]}], numpy=[])
    assert audit.verdict({"pypi": bad}, set(), 2) == (audit.FOUND, [
        "FOUND: pillow: GHSA-1 CVE-2026-1", "pypi: 2 of 2 packages known, 0 skipped"])  # fmt: skip
    assert audit.verdict({"pypi": bad}, {"CVE-2026-1"}, 2)[0] == audit.FINE
    assert audit.verdict({"pypi": bad}, {"CVE-2026-2"}, 3)[0] == audit.FOUND, "also where others were not looked up"
