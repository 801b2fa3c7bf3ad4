"""Has every bad file of `tests/bad_files.py` read by every reader that it may be given to, and writes docs/robustness.md.

``python docs/measure_bad_input.py [--seed N] [--only KIND]``; a quarter of an hour on two cores. Needs Linux.
"""

# ruff: noqa: E501 - tables of cases, one a line, are easier to look through
from __future__ import annotations

import argparse
import sys
import tempfile
from collections import Counter, defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "docs")]

from bad_file_runs import CPU_SECONDS, MEMORY, WALL_SECONDS, Outcome, Runner  # noqa: E402
from bad_files import corpus  # noqa: E402
from page_section import put  # noqa: E402

PAGE = ROOT / "docs" / "robustness.md"


def main() -> int:
    """Reads all, writes the page, and returns 1 if anything went wrong."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--seed", type=int, default=0)
    arguments.add_argument("--only", default="", help="one class of files; nothing is written")
    given = arguments.parse_args()
    found: dict[str, list[Outcome]] = defaultdict(list)
    files: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder, Runner(Path(folder)) as runner:
        for one in corpus(runner.trap, seed=given.seed):
            if given.only in ("", one.kind):
                files[one.kind] += 1
                for reader in one.readers:
                    outcome = runner.outcome(one, reader)
                    found[one.kind].append(outcome)
                    if not outcome.is_fine:
                        print(f"{one.kind}: {one.name!r} by {reader}: {outcome.result}: {outcome.message}", flush=True)
    text = table(files, found, given.seed)
    print(text)
    if not given.only:
        put(PAGE, "bad input", f"## Bad input\n\n{text}")
    return int(any(not outcome.is_fine for outcomes in found.values() for outcome in outcomes))


def table(files: Counter[str], found: dict[str, list[Outcome]], seed: int) -> str:
    """The section of the page."""
    everything = [outcome for outcomes in found.values() for outcome in outcomes]
    lines = [
        f"{files.total()} files, made from seed {seed} by `tests/bad_files.py`, were read {len(everything)} times by all readers that",
        "a user may give them to: portraits, driving clips, motion templates, manifests, reports, uploads, projects and",
        f"checkpoints. Each reading had a process of its own, {MEMORY >> 20} MB of memory beyond the program's, {CPU_SECONDS} s of the",
        f"processor and {WALL_SECONDS} s in all. A fault is a crash, an unexpected error, a message that is not one printable line,",
        "a limit reached, a file read though it must be refused, anything written outside of the job's folder, or a touch of the",
        "folder and the web server that files referred to.",
        "",
        "| class | files | readings | read | refused in a sentence | faults | most memory, MB | longest, CPU s |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for kind in [*sorted(found), ""]:
        outcomes = found[kind] if kind else everything
        count = Counter(outcome.result for outcome in outcomes)
        faults = len(outcomes) - count["read"] - count["refused"]
        memory, seconds = max(one.megabytes for one in outcomes), max(one.seconds for one in outcomes)
        name, number = (kind, files[kind]) if kind else ("**all**", files.total())
        lines.append(
            f"| {name} | {number} | {len(outcomes)} | {count['read']} | {count['refused']} | {faults} | {memory:.0f} | {seconds:.1f} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
