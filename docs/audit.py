"""Asks the advisory databases about every version in constraints.txt: ``python docs/audit.py``.

It installs pip-audit into a throwaway environment where it is not there, and compares what that finds with the list of
accepted advisories in docs/dependencies.md. Its answer is one of

* 0: every version was looked up, and nothing was found but what is accepted,
* 1: something was found that is not accepted,
* 3: not audited: no database could be reached, or it did not know some of the packages.

pip-audit alone would call the last case a success: it skips what the database does not know and reports no findings.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
import venv
from dataclasses import dataclass, field
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[1]
SERVICES = ("pypi", "osv")
FINE, FOUND, NOT_AUDITED = 0, 1, 3
_SECONDS = 600


@dataclass(frozen=True, kw_only=True)
class Audit:
    """What one database said."""

    audited: tuple[str, ...] = ()
    skipped: tuple[str, ...] = ()
    """Packages it does not know."""
    found: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Package -> advisories with their other names, one text each, such as "GHSA-1 CVE-2"."""
    problem: str = ""
    """Why there is no answer."""


def pins() -> list[Requirement]:
    """The versions of constraints.txt for this Python."""
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    found = [Requirement(line) for line in lines if line and not line.startswith("#")]
    return [pin for pin in found if pin.marker is None or pin.marker.evaluate()]


def accepted() -> set[str]:
    """Advisories in the second table of docs/dependencies.md."""
    page = (ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8")
    section = page.split("## Accepted advisories")[1]
    return set(re.findall(r"^\| ((?:CVE|GHSA|PYSEC)-[\w-]+) \|", section, flags=re.MULTILINE))


def read_answer(text: str) -> Audit:
    """pip-audit's JSON."""
    entries = json.loads(text)["dependencies"]
    skipped = tuple(entry["name"] for entry in entries if "skip_reason" in entry)
    found = {
        entry["name"]: tuple(" ".join([one["id"], *one.get("aliases", [])]) for one in entry["vulns"])
        for entry in entries
        if entry.get("vulns")
    }
    return Audit(audited=tuple(e["name"] for e in entries if "vulns" in e), skipped=skipped, found=found)


def ask(python: Path, service: str, requirements: Path) -> Audit:
    """What a database says, or why it says nothing."""
    words = [str(python), "-m", "pip_audit", "-s", service, "-r", str(requirements), "--no-deps", "--disable-pip",
             "-f", "json", "--progress-spinner", "off"]  # fmt: skip
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=_SECONDS, check=False)
        return read_answer(done.stdout)
    except subprocess.TimeoutExpired:
        return Audit(problem=f"no answer in {_SECONDS} s")
    except (ValueError, KeyError):
        return Audit(problem=(done.stderr.strip().splitlines() or ["it said nothing"])[-1][:300])


def installed_auditor(folder: Path) -> Path:
    """A Python that has pip-audit: this one, or that of a new environment in `folder`."""
    here = subprocess.run([sys.executable, "-m", "pip_audit", "--version"], capture_output=True, check=False)
    if here.returncode == 0:
        return Path(sys.executable)
    venv.create(folder / "venv", with_pip=True)
    python = next(path for path in (folder / "venv").rglob("python*") if path.name in ("python", "python.exe"))
    subprocess.run([python, "-m", "pip", "install", "--quiet", "pip-audit"], check=True)
    return python


def verdict(audits: dict[str, Audit], known: set[str], total: int) -> tuple[int, list[str]]:
    """Exit status, and the lines that say what was found.

    Args:
        audits: Database -> what it said.
        known: Accepted advisories.
        total: How many packages were asked about.
    """
    lines, worst = [], FINE
    found = {(name, text) for audit in audits.values() for name, texts in audit.found.items() for text in texts}
    for name, text in sorted(found):
        is_accepted = bool(set(text.split()) & known)
        worst = worst if is_accepted else FOUND
        lines.append(f"{'accepted' if is_accepted else 'FOUND'}: {name}: {text}")
    looked_up = {name for audit in audits.values() for name in audit.audited}
    for service, audit in audits.items():
        state = audit.problem or f"{len(audit.audited)} of {total} packages known, {len(audit.skipped)} skipped"
        lines.append(f"{service}: {state}")
    if len(looked_up) < total:
        lines.append(f"NOT AUDITED: {total - len(looked_up)} of {total} packages were looked up by no database")
        worst = worst or NOT_AUDITED
    elif worst == FINE:
        lines.append(f"audited: {total} packages, nothing but what is accepted")
    return worst, lines


def main() -> int:
    """Audits and prints."""
    wanted = pins()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        requirements = folder / "requirements.txt"
        requirements.write_text("".join(f"{pin.name}{pin.specifier}\n" for pin in wanted), encoding="utf-8")
        try:
            python = installed_auditor(folder)
        except (OSError, subprocess.CalledProcessError) as error:
            print(f"NOT AUDITED: pip-audit cannot be installed ({error})")
            return NOT_AUDITED
        audits = {service: ask(python, service, requirements) for service in SERVICES}
    status, lines = verdict(audits, accepted(), len(wanted))
    print(*lines, sep="\n")
    return status


if __name__ == "__main__":
    sys.exit(main())
