"""The whole of an evaluation: every job with every method, in parallel, nothing made twice, then the results written."""

from __future__ import annotations

import contextlib
import json
import logging
import multiprocessing
import os
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from visiongen import plugins
from visiongen.claims import claim, owner
from visiongen.errors import MediaError, VisionGenError
from visiongen.evaluation import keys
from visiongen.evaluation.comparison import Verdict, compare, judged
from visiongen.evaluation.films import Drive, motion_class
from visiongen.evaluation.inputs import CEILING, COPY, EvaluationConfig, Job, read_jobs
from visiongen.hookspecs import Generator, Metric
from visiongen.pipeline import Progress, resolve_device
from visiongen.scratch import scratch_folder
from visiongen.shortages import shortage

logger = logging.getLogger(__name__)
Options = Mapping[tuple[str, str], Any]
"""(kind, name) -> options of a generator or metric, where they are not the defaults."""


@dataclass(frozen=True, kw_only=True)
class _Task:
    """What a worker needs to know; travels to other processes."""

    config: EvaluationConfig
    job: Job
    work: Path
    device: str
    options: dict[tuple[str, str], Any] = field(default_factory=dict)

    @property
    def methods(self) -> tuple[str, ...]:
        """Of this job; pairs have no ceiling, since nobody has seen the portrait move."""
        ceiling = self.job.is_self and not self.config.skip_ceiling
        return (*self.config.methods, *((CEILING,) if ceiling else ()))


def evaluate(config: EvaluationConfig, *, options: Options | None = None, progress: Progress | None = None) -> Path:
    """Generates, compares and writes the results.

    Args:
        config: What, with which methods and metrics, and where to.
        options: Of generators and metrics, where they are not the defaults.
        progress: Called with ("evaluate", films done, films in all).
    Returns:
        The file to look at first.
    Raises:
        MediaError: There are no clips, every one of them failed, the results cannot be written, or another evaluation
            works in the same folder.
        PluginError: An unknown or unusable generator or metric.
        VisionGenError: The manifest or the judge failed.
    """
    jobs = read_jobs(config)
    options, device = dict(options or {}), resolve_device(config.device)
    if config.judge and any(job.start or not job.is_self for job in jobs):
        raise VisionGenError("--judge compares whole clips with themselves: it takes no portraits and no start")
    for method in config.methods:  # what is missing shows before the work begins
        if method != COPY:
            _generator(method, device, options)
    if not config.judge:
        _metrics(config.all_metrics, device, options)
    with _work_folder(config) as work:
        tasks = [_Task(config=config, job=job, work=work, device=device, options=options) for job in jobs]
        records, failures = _all(tasks, progress)
        if not records:
            raise MediaError(f"all {len(jobs)} clips failed; the first: {next(iter(failures.values()))}")
        return _written(config, tasks, records, failures)


@contextlib.contextmanager
def _work_folder(config: EvaluationConfig) -> Iterator[Path]:
    """The folder of films and records, claimed: two evaluations in one would mix what they made."""
    with scratch_folder() as scratch:
        work = config.work or (scratch if config.out.suffix else config.out / "films")
        lock = work / ".evaluation.lock"
        try:
            work.mkdir(parents=True, exist_ok=True)
            mine = claim(lock)
        except OSError as error:
            raise MediaError(f"{work}: cannot be made ({error.strerror}); choose another --work or --out") from error
        if mine is None:
            who = f"another evaluation{owner(lock)}"
            raise MediaError(f"{work} is being written by {who}; wait for it, or choose another --work or --out")
        with mine:
            yield work


def _written(config: EvaluationConfig, tasks: list[_Task], records: list[dict], failures: dict[str, str]) -> Path:
    from visiongen.evaluation.results import write_results
    from visiongen.evaluation.summary import figures

    order = {task.job.name: number for number, task in enumerate(tasks)}
    records.sort(key=lambda record: order[record["name"]])
    task = tasks[0]
    loaded = {} if config.judge else _metrics(config.all_metrics, task.device, task.options)
    found = figures(config, records, failures, metrics=loaded, work=task.work, device=task.device)
    found["protocol"]["generators"] = "; ".join(
        _described(name, task.options) for name in config.methods if name != COPY
    )
    return write_results(config, found, tasks=[(task.job, task.work) for task in tasks])


def _described(name: str, options: Options) -> str:
    """A generator with its options: what it was allowed to see belongs to the protocol."""
    component = plugins.choose("generator", name)
    values = asdict(options.get(("generator", name)) or component.options())
    shown = {key: Path(value).name if isinstance(value, str) else value for key, value in values.items()}
    parts = [component.plugin, *(f"{key}: {value}" for key, value in shown.items() if value != "")]
    return f"{name} ({', '.join(parts)})"


def _all(tasks: list[_Task], progress: Progress | None) -> tuple[list[dict], dict[str, str]]:
    """Records, and the reasons of the jobs that failed."""
    records: list[dict] = []
    failures: dict[str, str] = {}
    begun = time.monotonic()
    for number, (job, record, error) in enumerate(_results(tasks), 1):
        if error is None:
            records.append(record)
        else:
            failures[job.name] = error
        left = (time.monotonic() - begun) / number * (len(tasks) - number)
        state = f"failed: {error}" if error else _in_short(record)
        logger.info("%d/%d %s (%.0f s left): %s", number, len(tasks), job.name, left, state)
        if progress:
            progress("evaluate", number, len(tasks))
    return records, failures


def _in_short(record: dict) -> str:
    shown = ("ssim", "akd", "ksr", "identity_proxy")
    return "; ".join(
        f"{method} " + ", ".join(f"{name} {entry['scores'][name]:.3f}" for name in shown if name in entry["scores"])
        for method, entry in record["methods"].items()
    )


def _results(tasks: list[_Task]) -> Iterator[tuple[Job, dict, str | None]]:
    """Job, record, and the reason where it failed; in the order in which they are done."""
    workers = min(tasks[0].config.workers, len(tasks))
    if workers == 1:
        for task in tasks:
            yield task.job, *_attempt(task)
        return
    # Spawned, not forked: threads of MediaPipe and PyTorch do not survive a fork.
    spawning = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=spawning, initializer=_end_with_parent) as pool:
        waiting = {pool.submit(_attempt, task): task for task in tasks}
        try:
            for done in as_completed(waiting):
                yield waiting[done].job, *done.result()
        except BrokenProcessPool as error:
            raise VisionGenError(
                "a process of the evaluation was killed (often: memory ran out); run the same command again, perhaps "
                "with fewer --workers: what was made is kept where --out or --work is a folder"
            ) from error
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _end_with_parent() -> None:
    """In a worker: ends it when the command was killed. Its queue would stay open, and it would wait for ever."""

    def watch() -> None:
        multiprocessing.parent_process().join()
        os._exit(1)

    threading.Thread(target=watch, name="parent-watch", daemon=True).start()


def _attempt(task: _Task) -> tuple[dict, str | None]:
    """A bad clip costs only itself; a judge that does not work, and a generator's fault, say so too."""
    try:
        return _evaluated(task), None
    except VisionGenError as error:
        return {}, str(error)
    except (OSError, MemoryError, RuntimeError) as error:
        if (missing := shortage(error)) is None:
            raise
        return {}, missing


# -- one job -----------------------------------------------------------------------------------------------------------


def _evaluated(task: _Task) -> dict[str, Any]:
    """The record of a job: kept from before as far as it is still true, the rest made now."""
    kept = task.work / f"{task.job.name}.json"
    record = _read(kept)
    film_keys = {
        method: keys.film_key(task.job, task.config, method, task.device, task.options) for method in task.methods
    }
    score_keys = {method: keys.score_key(key, task.config, task.options) for method, key in film_keys.items()}
    known = record.get("methods", {})
    paths = {method: film_path(task.work, task.job, method) for method in task.methods}
    make = [m for m in task.methods if known.get(m, {}).get("film_key") != film_keys[m] or not paths[m].exists()]
    score = [m for m in task.methods if m in make or known[m].get("score_key") != score_keys[m]]
    if not make and not score:
        return record | {"methods": {m: known[m] for m in task.methods}}
    drive = Drive(task.job, frames=task.config.frames, portrait_size=task.config.portrait_size)
    entries = {m: dict(known.get(m, {})) for m in task.methods}
    for method in make:
        load = lambda name: _generator(name, task.device, task.options)  # noqa: E731
        entries[method] = {"film_key": film_keys[method], "speed": drive.film(method, load, paths[method])}
    verdicts = _verdicts(task, drive, {m: paths[m] for m in score})
    for method, verdict in verdicts.items():
        # Without a key it is judged again next time: a metric that failed may have been mended by then.
        key = None if verdict.failed else score_keys[method]
        entries[method] |= {"score_key": key, "scores": verdict.scores, "curves": verdict.curves}
        entries[method] |= {"failed_metrics": verdict.failed}
        _keep_statistics(task.work / f"{task.job.name}.{method}.npz", verdict.statistics)
    fresh = {
        **task.job.described(),
        "class": task.job.group or motion_class(drive.motion),
        "frames": len(drive.motion),
        "fps": float(drive.clip.fps),
        "size": [drive.clip.width, drive.clip.height],
        "lost": int((~drive.motion.visible).sum()),
        "peak_mb": _peak_memory(),
        "methods": entries,
    }
    partial = kept.with_name(f".{kept.name}.part")
    partial.write_text(json.dumps(fresh), encoding="utf-8")
    os.replace(partial, kept)
    return fresh


def film_path(work: Path, job: Job, method: str) -> Path:
    """Where the film of a job and method lies."""
    return work / f"{job.name}.{method}.mp4"


def _verdicts(task: _Task, drive: Drive, films: dict[str, Path]) -> dict[str, Verdict]:
    if task.config.judge:
        with ThreadPoolExecutor(2) as pool:
            found = pool.map(lambda path: judged(task.config.judge, task.job.clip, path), films.values())
            return dict(zip(films, found))
    metrics = _metrics(task.config.all_metrics, task.device, task.options)
    return compare(drive.clip, films, drive.picture, same_person=task.job.is_self, metrics=metrics)


def _read(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):  # none yet, or cut off
        return {}
    return found if isinstance(found, dict) else {}


def _keep_statistics(path: Path, statistics: dict[str, dict[str, np.ndarray]]) -> None:
    arrays = {f"{metric}/{name}": value for metric, found in statistics.items() for name, value in found.items()}
    if arrays:
        partial = path.with_name(f".{path.name}.part")
        with partial.open("wb") as file:
            np.savez(file, **arrays)
        os.replace(partial, path)


def _peak_memory() -> float | None:
    """Largest resident memory of this process so far, MB; None where the system does not tell."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


_loaded: dict[tuple[str, str, str, str], Any] = {}


def _component(kind: str, name: str, device: str, options: Options) -> Any:
    """A component, loaded once in this process."""
    chosen = options.get((kind, name))
    key = (kind, name, device, repr(chosen))
    if key not in _loaded:
        _loaded[key] = plugins.load(plugins.choose(kind, name), chosen, device=device)
    return _loaded[key]


def _generator(name: str, device: str, options: Options) -> Generator:
    return _component("generator", name, device, options)


def _metrics(names: tuple[str, ...], device: str, options: Options) -> dict[str, Metric]:
    return {name: _component("metric", name, device, options) for name in names}
