"""The child process ``python -m studio.worker``: does what needs models, apart from the server, and keeps them warm.

See `visiongen.worker_loop` for how it is asked. A task is ``{"do": name, "root": the studio's folder, ...}``, see `TASKS`;
while it works it may tell

* ``{"event": "stage", "name"}``, ``{"event": "progress", "done", "total"}``, ``{"event": "device", "name"}``,
* ``{"event": "series", "values": {metric: [one number or null per new frame]}}``,
* ``{"event": "preview"}`` when ``preview.jpg`` in the run's folder is new.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from studio.settings import Settings
from studio.warm import Warm
from visiongen.errors import VisionGenError
from visiongen.memory import give_back_memory
from visiongen.worker_loop import Teller, serve

_warms: dict[str, Warm] = {}


def _warm_of(task: dict[str, Any]) -> Warm:
    """What this process keeps for the studio that asks."""
    return _warms.setdefault(task["root"], Warm(Path(task["root"])))


def _render(task: dict[str, Any], teller: Teller) -> dict[str, Any]:
    from studio.rendering import render_run

    return render_run(task, _warm_of(task), teller)


def _preview(task: dict[str, Any], teller: Teller) -> dict[str, Any]:
    from studio.previews import preview_frame

    return preview_frame(task, _warm_of(task), teller)


def _faces(task: dict[str, Any], teller: Teller) -> dict[str, Any]:
    from studio.previews import find_portrait_faces

    return find_portrait_faces(task, _warm_of(task))


def _convert(task: dict[str, Any], teller: Teller) -> dict[str, Any]:
    from studio.conversion import convert_result

    return convert_result(task, teller)


def _check_picture(task: dict[str, Any], teller: Teller) -> dict[str, Any]:
    from studio.checks import check_picture

    return check_picture(task)


def _check_clip(task: dict[str, Any], teller: Teller) -> dict[str, Any]:
    from studio.checks import check_clip

    return check_clip(task, Path(task["root"]), teller)


def _frame(task: dict[str, Any], teller: Teller) -> dict[str, Any]:
    from studio.previews import clip_frame

    return clip_frame(task)


def _template(task: dict[str, Any], teller: Teller) -> dict[str, Any]:
    from studio.conversion import write_template

    return write_template(task, _warm_of(task))


def _verify(task: dict[str, Any], teller: Teller) -> dict[str, Any]:
    from studio.verifying import verify_file

    return verify_file(task)


def _warm(task: dict[str, Any], teller: Teller) -> dict[str, Any]:
    _warm_of(task).up()
    return {}


Task = Callable[[dict[str, Any], Teller], dict[str, Any]]


def _named(do: Task) -> Task:
    """Of a task with ``settings``: what goes wrong is told with the users' names of their files."""

    def done(task: dict[str, Any], teller: Teller) -> dict[str, Any]:
        try:
            return do(task, teller)
        except VisionGenError as error:
            raise VisionGenError(Settings.from_dict(task["settings"]).with_names(str(error))) from error

    return done


TASKS = {
    "render": _named(_render), "preview": _named(_preview), "faces": _faces, "convert": _named(_convert),
    "check_picture": _check_picture, "check_clip": _check_clip, "frame": _frame, "template": _named(_template),
    "warm": _warm, "verify": _verify,
}  # fmt: skip
"""What can be asked for; each function says in its module what it takes and answers."""


_LARGE = ("render", "check_picture", "check_clip", "convert")
"""Tasks after which memory is given back; previews come one after the other and shall stay quick."""


def _after(task: dict[str, Any]) -> None:
    """What nobody waits for."""
    if task["do"] == "render":
        from studio.frame_pack import prepare_packs

        prepare_packs(Path(task["folder"]))
    if task["do"] in _LARGE:
        give_back_memory()


def main() -> None:
    """Works until standard input closes."""
    serve(TASKS, after=_after, advice="try other settings, or another generator or enhancer")


if __name__ == "__main__":
    main()
