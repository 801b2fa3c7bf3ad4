"""One job of a batch or of the service, done in this process, which keeps its generators loaded between jobs."""

from __future__ import annotations

import contextlib
import logging
import time
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from typing import Any

from visiongen.errors import VisionGenError
from visiongen.memory import give_back_memory, resident_bytes
from visiongen.shortages import shortage

_MOST_KEPT = 3
_MOST_WARNINGS = 5
_kept: OrderedDict[tuple[str, str, str], Any] = OrderedDict()


class JobFailed(VisionGenError):
    """A job that failed for a reason that may have passed when it is tried again."""


def warmed(choice: Any, device: str) -> Any:
    """A choice of a generator with the generator, loaded once in this process."""
    from dataclasses import replace

    from visiongen import plugins
    from visiongen.pipeline import resolve_device

    device = resolve_device(device)
    key = (choice.name, repr(choice.options), device)
    if key not in _kept:
        _kept[key] = plugins.load(plugins.choose("generator", choice.name), choice.options, device=device)
        while len(_kept) > _MOST_KEPT:
            _kept.popitem(last=False)
    _kept.move_to_end(key)
    return replace(choice, loaded=_kept[key])


def perform(values: Mapping[str, Any], progress: Any = None) -> dict[str, Any]:
    """Makes one animation and tells how it went.

    Args:
        values: Its options, see `visiongen.batch.values`; paths absolute.
        progress: As of `visiongen.animate`; what it raises passes.
    Returns:
        ``frames``, ``width``, ``height``, ``fps`` (a text such as 30000/1001), ``seconds``, ``device``, ``warnings``
        and ``memory_mb``, what this process takes afterwards (None where the system does not tell).
    Raises:
        JobFailed: Memory, disk or something unexpected; another attempt may succeed.
        VisionGenError: The job cannot be done.
    """
    from visiongen.animate_command import animated
    from visiongen.batch.values import flags_of, known_options
    from visiongen.exporters.target import writing

    known = known_options()
    flags, given = flags_of(values, known)
    begun = time.monotonic()
    try:
        with writing(flags.out):
            flags.out.parent.mkdir(parents=True, exist_ok=True)
        with _warnings() as warnings:
            made = animated(flags, known.groups, given, warmed=warmed, progress=progress)
    except VisionGenError as error:
        if error.__cause__ is not None and shortage(error.__cause__):
            raise JobFailed(str(error)) from error
        raise
    except (OSError, MemoryError, RuntimeError) as error:
        if (missing := shortage(error)) is None:
            raise
        raise JobFailed(f"{flags.out.name}: {missing}") from error
    finally:
        give_back_memory()
    return {
        "frames": made.num_frames, "width": made.width, "height": made.height, "fps": str(made.fps),
        "seconds": round(time.monotonic() - begun, 3), "device": made.provenance.settings["device"],
        "warnings": warnings[:_MOST_WARNINGS], "memory_mb": memory_mb(),
    }  # fmt: skip


@contextlib.contextmanager
def _warnings() -> Iterator[list[str]]:
    """What the package warns of inside."""
    found: list[str] = []

    class Collector(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if (text := record.getMessage()) not in found:  # a damaged clip is read more than once
                found.append(text)

    handler, logger = Collector(logging.WARNING), logging.getLogger("visiongen")
    logger.addHandler(handler)
    try:
        yield found
    finally:
        logger.removeHandler(handler)


def memory_mb(pid: int | str = "self") -> float | None:
    """Memory that a process takes now, MB; None where the system does not tell."""
    found = resident_bytes(pid)
    return None if found is None else round(found / 2**20, 1)
