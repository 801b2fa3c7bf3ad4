"""Makes every fault happen, by the tests that do so, and writes the table of docs/robustness.md from what came of them.

    python docs/measure_faults.py                all; some 20 minutes on two cores
    python docs/measure_faults.py --only batch   the rows of one place, or those whose name has the word in it

Outcomes are kept in docs/robustness-faults.json, so that rows can be run in pieces. Linux; as root, who may mount small disks.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "docs"))

from page_section import put  # noqa: E402

PAGE, KEPT = ROOT / "docs" / "robustness.md", ROOT / "docs" / "robustness-faults.json"


@dataclass(frozen=True)
class Fault:
    """A row: what happens, where, what is promised, and the tests that make it happen."""

    where: str
    name: str
    promise: str
    tests: tuple[str, ...]
    """``file::function`` below tests/; all cases of a function count."""


def _of(file: str, *functions: str) -> tuple[str, ...]:
    return tuple(f"{file}::test_{name}" for name in functions)


JOB, BATCH, SERVICE, STUDIO = "test_faults.py", "test_batch.py", "test_service.py", "studio/test_studio_faults.py"
WHOLE = "a whole result under its name, or none; the next start cleans up"
SENTENCE = "one sentence, nothing half"
FAULTS = (
    Fault("library", "kill -9 at any moment of a render", WHOLE, _of(
        JOB, "a_killed_render_leaves_a_whole_result_or_none", "killed_at_many_moments",
        "killed_in_the_middle_of_the_first_frames", "a_claim_ends_with_its_process",
        "scratch_of_killed_processes_is_removed_and_that_of_living_ones_is_not")),
    Fault("library", "one result asked for twice at once", "the second is refused, the first is not touched", _of(
        JOB, "the_same_result_twice_at_once", "only_one_of_many_has_the_claim",
        "two_formats_of_one_name_do_not_mix_their_sound")),
    Fault("library", "disk full", SENTENCE, (
        *_of(JOB, "a_full_disk_on_the_command_line"),
        *_of("test_exporters.py", "a_full_disk_is_one_sentence_and_leaves_nothing",
             "files_that_may_not_grow", "a_full_disk_while_the_index_moves_to_the_front"))),
    Fault("library", "folder that may only be read", SENTENCE, _of(JOB, "a_folder_that_may_only_be_read")),
    Fault("library", "input deleted during the work", "the work is done, or one sentence names the file",
          _of(JOB, "the_clip_is_deleted_while_it_is_used")),
    Fault("library", "ffmpeg dies", "the film is whole; lost sound is told",
          _of(JOB, "ffmpeg_dies_while_it_reads_the_sound", "sound_that_breaks_off_is_told")),
    Fault("library", "memory runs out, also that of the GPU", SENTENCE, _of(
        JOB, "memory_that_runs_out_is_one_sentence_and_leaves_nothing", 
        "opencv_and_torch_say_it_the_way_we_think")),
    Fault("library", "a plugin crashes, hangs, or gives nonsense", "it is named; what was there before stays", _of(
        "test_guards.py", "a_generator_that_goes_wrong_is_named", "an_enhancer_that_goes_wrong_is_named",
        "an_exporter_that_goes_wrong_is_named", "a_motion_source_that_goes_wrong_is_named",
        "an_endless_loop_can_be_stopped", "metrics_that_go_wrong_cost_only_their_own_numbers")),
    Fault("library", "a plugin cannot be loaded", "it costs only itself", _of(
        "test_plugins.py", "a_broken_plugin_costs_only_itself", "all_broken_plugins_together",
        "a_raising_hook_keeps_what_came_before_and_the_other_hooks")),
    Fault("evaluation", "kill -9 of it, of a worker; disk full", "it goes on where it was; no process is left behind", _of(
        JOB, "a_killed_evaluation_goes_on_where_it_was", "an_evaluation_on_a_full_disk_says_so",
        "workers_of_an_evaluation_do_not_outlive_it_and_a_killed_one_is_told")),
    Fault("batch", "kill -9 and Ctrl-C of it, kill -9 of a worker", "it goes on where it was; no job is lost",
          _of(BATCH, "ctrl_c_a_killed_worker_and_a_killed_batch", "a_stopped_batch_goes_on_where_it_was")),
    Fault("batch", "a job that kills its process, never ends, or cannot be done", "it costs only itself", _of(
        BATCH, "a_job_that_kills_its_process_costs_only_itself", "a_job_that_takes_too_long_is_given_up",
        "a_batch_with_a_bad_job", "workers_are_replaced_and_memory_does_not_grow")),
    Fault("service", "kill -9 of a worker, too many and too large requests, bad files",
          "an answer in one sentence; the service goes on", _of(
              SERVICE, "a_token_a_killed_worker_and_the_end_of_results", "too_much", "files_that_are_none",
              "a_job_is_cancelled_at_work_and_while_it_waits")),
    Fault("studio", "kill -9 of a worker at any moment", "only its render fails, and says so; no half file", (
        *_of(STUDIO, "a_killed_worker_leaves_nothing_half", "workers_killed_at_many_moments"),
        *_of("studio/test_jobs.py", "a_killed_worker_costs_only_its_job"))),
    Fault("studio", "kill -9 of the studio", "its workers end; the next studio says what became of its renders", (
        *_of(STUDIO, "a_killed_studio_is_found_out_by_the_next_one_but_not_before"),
        *_of("studio/test_jobs.py", "after_a_restart"))),
    Fault("studio", "disk full, before and during a render", "one sentence; what is there stays usable",
          _of(STUDIO, "a_full_disk_is_told_before_the_work_and_during_it", "nobody_can_fill_the_disk_with_uploads")),
    Fault("studio", "memory of the GPU runs out, a plugin kills the worker", "only that render fails",
          _of(STUDIO, "memory_of_the_gpu_runs_out_and_a_plugin_dies")),
    Fault("studio", "an upload that takes too much memory or time", "it is given up; the next one works", (
        *_of(STUDIO, "a_file_that_takes_too_much_memory_is_given_up"),
        *_of("studio/test_uploads.py", "a_check_that_takes_too_long_is_given_up_and_the_next_one_works"))),
    Fault("studio", "one who asks for too much", "refused in one sentence", _of(
        STUDIO, "nobody_can_queue_without_end", "the_queue_keeps_the_limit",
        "live_sessions_are_counted_for_each_client")),
    Fault("studio", "the browser is closed; two users at once", "renders go on and are found again", (
        *_of(STUDIO, "who_closes_the_browser_finds_the_render_again", "two_people_render_and_close_their_browsers"),
        *_of("studio/test_jobs.py", "two_sessions_at_once"),
        *_of("studio/test_live_page.py", "a_recording_is_kept_when_its_page_goes"))),
)  # fmt: skip


def main() -> int:
    """Runs the tests, writes the page, and returns 1 if one of them failed."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--only", default="", help="a place, or a word of the name of a fault")
    only = arguments.parse_args().only
    rows = [fault for fault in FAULTS if only in ("", fault.where) or only in fault.name]
    wanted: dict[str, list[str]] = defaultdict(list)
    for test in (test for fault in rows for test in fault.tests):
        wanted[test.partition("::")[0]].append(test)
    outcomes: dict[str, str] = {}
    for file, tests in wanted.items():
        found = run(file, tests)
        before = json.loads(KEPT.read_text(encoding="utf-8")) if KEPT.exists() else {}
        outcomes = {name: one for name, one in before.items() if name.partition("[")[0] not in tests} | found
        KEPT.write_text(json.dumps(dict(sorted(outcomes.items())), indent=1) + "\n", encoding="utf-8")
    put(PAGE, "faults", f"## Faults\n\n{table(outcomes)}")
    print(table(outcomes))
    return int("failed" in outcomes.values())


def run(file: str, tests: list[str]) -> dict[str, str]:
    """``file::function[case]`` -> passed, failed or skipped, of the tests of one file."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        words = [
            *("-n", "0", "-q", "--timeout=900", "-m", "slow or not slow", f"--junitxml={report}"),
            *(f"tests/{one}" for one in tests),
        ]
        done = subprocess.run([sys.executable, "-m", "pytest", *words], cwd=ROOT, capture_output=True, text=True)
        if done.returncode not in (0, 1):
            raise SystemExit(f"{file}: pytest says\n{done.stdout}{done.stderr}")
        cases = list(ElementTree.parse(report).iter("testcase"))
    found = {}
    for case in cases:
        children = {child.tag for child in case}
        outcome = "failed" if children & {"failure", "error"} else "skipped" if "skipped" in children else "passed"
        found[f"{file}::{case.get('name')}"] = outcome
    print(f"{file}: {len(found)} cases, {list(found.values()).count('failed')} failed", flush=True)
    if done.returncode:
        print(done.stdout, flush=True)
    return found


def table(outcomes: dict[str, str]) -> str:
    """The section of the page."""
    lines = [
        "Each fault is made to happen by tests, on real renders and real processes; a case is one time. Held: what is promised",
        "was checked afterwards and was so. Skipped: the fault cannot be made on the machine that was measured on.",
        "",
        "| where | fault | cases | held | failed | skipped | what is promised |",
        "|---|---|---|---|---|---|---|",
    ]
    total = [0, 0, 0, 0]
    for fault in FAULTS:
        got = [one for name, one in outcomes.items() if name.partition("[")[0] in fault.tests]
        counts = [len(got), *(got.count(one) for one in ("passed", "failed", "skipped"))]
        total = [a + b for a, b in zip(total, counts, strict=True)]
        cells = " | ".join(map(str, counts)) if got else "not run | | | "
        lines.append(f"| {fault.where} | {fault.name} | {cells} | {fault.promise} |")
    lines.append(f"| **all** | | {' | '.join(map(str, total))} | |")
    return "\n".join([*lines, "", "Made by `python docs/measure_faults.py`."])


if __name__ == "__main__":
    sys.exit(main())
