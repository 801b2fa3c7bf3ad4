"""How the service is: for load balancers (health) and for Prometheus (metrics)."""

from __future__ import annotations

from importlib import metadata
from typing import Any

from visiongen.batch.work import memory_mb
from visiongen.service.jobs import JobQueue
from visiongen.service.settings import ServiceSettings

_ENDS = ("done", "failed", "cancelled")


def health_of(jobs: JobQueue, settings: ServiceSettings) -> dict[str, Any]:
    """Plain JSON values."""
    now = jobs.numbers()
    waiting = now.get("queued", 0) + now.get("running", 0)
    return {
        "status": "ok" if waiting < settings.most_waiting else "full",
        "version": metadata.version("visiongen"),
        "workers": settings.workers,
        "queued": now.get("queued", 0),
        "running": now.get("running", 0),
    }


def metrics_of(jobs: JobQueue) -> str:
    """The text format of Prometheus, version 0.0.4."""
    now = jobs.numbers()
    ends = {f'{{state="{state}"}}': jobs.ended[state] for state in _ENDS}
    memory = sum(memory_mb(pid) or 0.0 for pid in jobs.worker_pids) * 2**20
    found = (
        ("jobs_total", "counter", "Jobs that have ended.", ends),
        ("jobs_queued", "gauge", "Jobs that wait.", {"": now.get("queued", 0)}),
        ("jobs_running", "gauge", "Jobs at work.", {"": now.get("running", 0)}),
        ("jobs_kept", "gauge", "Finished jobs whose results are kept.", {"": sum(now.get(one, 0) for one in _ENDS)}),
        ("frames_total", "counter", "Frames rendered.", {"": jobs.frames}),
        ("job_seconds_total", "counter", "Seconds spent on jobs.", {"": round(jobs.work_seconds, 3)}),
        ("workers", "gauge", "Worker processes that are alive.", {"": len(jobs.worker_pids)}),
        ("worker_starts_total", "counter", "Worker processes started.", {"": jobs.worker_starts}),
        ("worker_memory_bytes", "gauge", "Resident memory of the workers.", {"": int(memory)}),
        ("service_memory_bytes", "gauge", "Resident memory of the service.", {"": int((memory_mb() or 0) * 2**20)}),
    )
    lines = []
    for name, kind, words, values in found:
        lines += [f"# HELP visiongen_{name} {words}", f"# TYPE visiongen_{name} {kind}"]
        lines += [f"visiongen_{name}{labels} {value}" for labels, value in values.items()]
    return "\n".join(lines) + "\n"
