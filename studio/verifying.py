"""Asks whether an uploaded file was made by VisionGen 3D. The file is looked at in the worker process, then removed."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

from studio.limits import check_upload
from studio.settings import with_name
from studio.store import Store
from studio.uploads import MAX_VIDEO_BYTES, PICTURES, VIDEOS, Ask, shown_name, upload_folder
from visiongen.errors import MediaError, VisionGenError

ENDINGS = tuple(sorted({*PICTURES, *VIDEOS}))
LOOK_SECONDS = 120


def verify_upload(data: bytes, name: str, *, store: Store, session: str, ask: Ask) -> dict[str, Any]:
    """What `verify_file` answers for an uploaded film or picture, with the user's name of it.

    Args:
        data: Its bytes.
        name: What the user calls it.
        store, session: Where it may lie while it is looked at, and whose it is.
        ask: Has the worker look at it.
    Raises:
        MediaError: It is too large, or neither a film nor a picture; one sentence.
    """
    name = shown_name(name, "file")
    ending = Path(name).suffix.lower()
    if not data or len(data) > MAX_VIDEO_BYTES:
        raise MediaError(f"{name} has {len(data)} bytes, but 1 to {MAX_VIDEO_BYTES} are taken; give the file itself")
    if ending not in ENDINGS:
        raise MediaError(f"{name} is of no kind that can be looked at; give one of: {', '.join(ENDINGS)}")
    folder = upload_folder(store, session)
    path = folder / f"{uuid.uuid4().hex}{ending}"
    check_upload(folder, name, len(data))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        answer = ask({"do": "verify", "path": str(path)}, seconds=LOOK_SECONDS)
    except OSError as error:
        raise MediaError(f"{name} cannot be looked at ({error.strerror}); make room on the disk") from error
    except VisionGenError as error:
        raise MediaError(with_name(str(error), path, name)) from error
    finally:
        path.unlink(missing_ok=True)
    sentences = [one.replace(path.name, name) for one in answer["sentences"]]
    return {**answer, "sentences": sentences, "findings": {**answer["findings"], "file": name}}


def verify_file(task: dict[str, Any]) -> dict[str, Any]:
    """Answers a task with ``path`` with ``generated`` (true or false), ``sentences`` and ``findings``.

    Raises:
        MediaError: It cannot be read.
    """
    import json

    from visiongen.marking.verification import examine

    found = examine(task["path"])
    findings = json.loads(json.dumps(found.to_dict(), default=str))
    return {"generated": found.proven, "sentences": found.sentences(), "findings": findings}
