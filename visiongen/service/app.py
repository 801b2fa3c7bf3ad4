"""The routes of the service, a Starlette application; see docs/deploy.md."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from visiongen.batch.values import known_options
from visiongen.errors import VisionGenError
from visiongen.marking.credentials import manifest_beside
from visiongen.service.gate import Gate, TooLarge
from visiongen.service.jobs import ACTIVE, Busy, Job, JobQueue, plain
from visiongen.service.options import LONGEST_OPTIONS, job_values, read_options
from visiongen.service.settings import ServiceSettings, token
from visiongen.service.telemetry import health_of, metrics_of

UPLOAD_SECONDS = 300.0
_LEAST_FREE = 512 << 20
"""Bytes of the disk that stay free."""


def build_app(settings: ServiceSettings, jobs: JobQueue) -> Starlette:
    """The application; it closes `jobs` when it shuts down."""

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        yield
        await run_in_threadpool(jobs.close)

    gate = Middleware(Gate, token=token(), names=settings.names, most_bytes=settings.upload_mb << 20)
    routes = [
        Route("/jobs", _submit, methods=["POST"]),
        Route("/jobs/{job_id}", _show, methods=["GET"]),
        Route("/jobs/{job_id}", _delete, methods=["DELETE"]),
        Route("/jobs/{job_id}/result", _result, methods=["GET"]),
        Route("/jobs/{job_id}/credentials", _credentials, methods=["GET"]),
        Route("/health", _health, methods=["GET"]),
        Route("/metrics", _metrics, methods=["GET"]),
    ]
    handlers = {HTTPException: _plain_error, VisionGenError: _refused, Busy: _busy, TooLarge: _too_large}
    app = Starlette(routes=routes, middleware=[gate], lifespan=lifespan, exception_handlers=handlers)
    app.state.jobs, app.state.settings = jobs, settings
    return app


async def _submit(request: Request) -> Response:
    jobs: JobQueue = request.app.state.jobs
    client = request.client.host if request.client else "?"
    with jobs.reserved(client):
        if shutil.disk_usage(jobs.folder).free < _LEAST_FREE + (request.app.state.settings.upload_mb << 20):
            raise Busy("the disk of this service is nearly full; try again in a while")
        how = {"max_files": 2, "max_fields": 1, "max_part_size": LONGEST_OPTIONS}
        try:
            form = await asyncio.wait_for(request.form(**how), UPLOAD_SECONDS)
        except TimeoutError:
            return _error(408, f"the upload took longer than {UPLOAD_SECONDS:.0f} s")
        except ClientDisconnect:
            return Response(status_code=400)
        try:
            job = await run_in_threadpool(_accepted, request, form, client)
        finally:
            await form.close()
    return JSONResponse(_described(job, jobs), status_code=202, headers={"location": f"/jobs/{job.id}"})


def _accepted(request: Request, form: Any, client: str) -> Job:
    """Keeps and checks the files of a request, and queues its job."""
    jobs: JobQueue = request.app.state.jobs
    settings: ServiceSettings = request.app.state.settings
    if unknown := [name for name in form if name not in ("portrait", "driving", "options")]:
        raise VisionGenError(f"there is no field {unknown[0][:80]!r}; send portrait, driving and options")
    files = {name: form.get(name) for name in ("portrait", "driving")}
    if missing := [name for name, file in files.items() if not isinstance(file, UploadFile)]:
        raise VisionGenError(f"{' and '.join(missing)} missing; send each as a file of a multipart form")
    options = form.get("options") or ""
    if isinstance(options, UploadFile):
        raise VisionGenError("options must be a plain field of the form, not a file")
    known = known_options()
    read = read_options(options, known=known)
    is_template = (files["driving"].filename or "").lower().endswith(".npz")
    names = {"portrait": "portrait", "driving": "driving.npz" if is_template else "driving"}
    folder = jobs.new_folder()
    try:
        for name, file in files.items():
            with (folder / names[name]).open("wb") as kept:
                shutil.copyfileobj(file.file, kept)
        values = job_values(read, folder, names["driving"], settings=settings, known=known)
        piece = {"start": values.get("start", 0.0), "end": values.get("end")}
        limits = {"max_side": settings.max_side, "max_seconds": settings.max_seconds}
        found = jobs.check({"portrait": values["portrait"], "driving": values["driving"], **piece, **limits})
        if found["side"] > settings.max_side and not values.get("crop"):
            values.setdefault("size", settings.max_side)
        return jobs.submit(folder, values, client)
    except BaseException as error:
        shutil.rmtree(folder, ignore_errors=True)
        if isinstance(error, OSError):
            raise Busy(
                "the files cannot be kept, the disk of this service may be full; try again in a while"
            ) from error
        if isinstance(error, VisionGenError):
            raise VisionGenError(plain(str(error), folder)) from error
        raise


async def _show(request: Request) -> Response:
    jobs: JobQueue = request.app.state.jobs
    return JSONResponse(_described(_job(request), jobs))


async def _result(request: Request) -> Response:
    job = _job(request)
    if job.state != "done":
        return _error(409, f"this job is {job.state}{f': {job.error}' if job.error else ''}, so it has no result")
    return FileResponse(job.out, filename=job.out.name)


async def _credentials(request: Request) -> Response:
    """The signed manifest of a result that cannot hold its own."""
    job = _job(request)
    manifest = _manifest_of(job)
    if manifest is None:
        return _error(404, "there is no manifest apart from a result: MP4, GIF and WebP hold their own")
    return FileResponse(manifest, filename=manifest.name, media_type="application/c2pa")


def _manifest_of(job: Job) -> Path | None:
    found = manifest_beside(job.out) if job.state == "done" else None
    return found if found and found.is_file() else None


async def _delete(request: Request) -> Response:
    jobs: JobQueue = request.app.state.jobs
    if not await run_in_threadpool(jobs.delete, request.path_params["job_id"]):
        raise HTTPException(404)
    return Response(status_code=204)


async def _health(request: Request) -> Response:
    return JSONResponse(health_of(request.app.state.jobs, request.app.state.settings))


async def _metrics(request: Request) -> Response:
    return PlainTextResponse(metrics_of(request.app.state.jobs), media_type="text/plain; version=0.0.4")


def _job(request: Request) -> Job:
    job = request.app.state.jobs.get(request.path_params["job_id"])
    if job is None:
        raise HTTPException(404)
    return job


def _described(job: Job, jobs: JobQueue) -> dict[str, Any]:
    now = time.monotonic()
    left, made = job.eta(now), job.made or {}
    found = {
        "id": job.id, "state": job.state, "stage": job.stage if job.state == "running" else "",
        "progress": round(job.progress, 3), "eta_seconds": None if left is None else round(left, 1),
        "ahead": jobs.ahead(job.id) if job.state == "queued" else 0,
        "seconds": round((job.ended or now) - job.begun, 2) if job.begun else 0.0,
        "error": job.error or None,
    }  # fmt: skip
    if job.state not in ACTIVE and job.ended is not None:
        keep = jobs.keep_seconds - (now - job.ended)
        found["deleted_in_seconds"] = round(max(0.0, keep), 1)
    if job.state == "done":
        found["result"] = f"/jobs/{job.id}/result"
        found["credentials"] = f"/jobs/{job.id}/credentials" if _manifest_of(job) else None
        found |= {name: made.get(name) for name in ("frames", "width", "height", "fps", "device")}
        found["warnings"] = [plain(text, job.folder) for text in made["warnings"]]
    return found


def _error(status: int, reason: str, headers: dict[str, str] | None = None) -> Response:
    return JSONResponse({"error": reason}, status_code=status, headers=headers)


async def _plain_error(request: Request, error: Any) -> Response:
    words = {404: "there is no such job or page; jobs are deleted some time after they have ended",
             405: "this address does not take this method"}  # fmt: skip
    return _error(error.status_code, words.get(error.status_code, str(error.detail)))


async def _refused(request: Request, error: Any) -> Response:
    return _error(422, str(error))


async def _busy(request: Request, error: Any) -> Response:
    return _error(429, str(error), {"retry-after": "10"})


async def _too_large(request: Request, error: Any) -> Response:
    return _error(413, str(error), {"connection": "close"})


def emptied(folder: Path) -> Path:
    """The folder of the service's files, made, and without what an earlier one left in it.

    Raises:
        OSError: It cannot be made.
    """
    kept = folder / "visiongen-jobs"
    shutil.rmtree(kept, ignore_errors=True)
    kept.mkdir(parents=True, mode=0o700)
    return kept
