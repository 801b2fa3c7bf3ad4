"""What all contract tests share: the error that names a rule, and how a component is taken and loaded."""

from __future__ import annotations

import itertools
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from visiongen import plugins
from visiongen.datatypes import FrameBatch
from visiongen.errors import PluginError, WeightsError
from visiongen.guards import checked_frames
from visiongen.hookspecs import Component
from visiongen.plugin_host import check_offer

HEAVY = ("torch", "mediapipe", "av", "cv2", "scipy", "skimage", "plotly", "streamlit", "moviepy")
"""What a plugin may import inside `Component.load`, and not when it is listed."""


class BrokenContract(AssertionError):
    """A component does not keep a rule of its hook."""


def broken(who: str, rule: str, found: str) -> BrokenContract:
    """The error to raise: who broke which rule, and what was found."""
    return BrokenContract(f'{who} breaks the rule "{rule}": {found}')


@contextmanager
def keeps(who: str, rule: str) -> Iterator[None]:
    """Anything that the block raises is a break of `rule`."""
    try:
        yield
    except BrokenContract:
        raise
    except PluginError as error:  # of the host's own checks: it names the component already
        raise broken(who, rule, str(error).removeprefix(f"{who} ")) from error
    except (Exception, SystemExit) as error:
        raise broken(who, rule, f"{type(error).__name__}: {error}") from error


@contextmanager
def refuses(who: str, rule: str, *errors: type[BaseException]) -> Iterator[None]:
    """The block must raise one of `errors`."""
    names = " or ".join(error.__name__ for error in errors)
    try:
        yield
    except errors:
        return
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt) and KeyboardInterrupt not in errors:
            raise
        raise broken(who, rule, f"it raised {type(error).__name__} ({error}) instead of {names}") from error
    raise broken(who, rule, f"it raised nothing instead of {names}")


def component_of(kind: Any, component: Component | str) -> Component:
    """The component to be tested, by name or as it is offered, after its offer was checked."""
    if isinstance(component, str):
        return plugins.choose(kind, component)
    with keeps(f"{kind} {getattr(component, 'name', component)!r}", "the offer is complete and its options are plain"):
        check_offer(kind, component)
    return component


def loaded(kind: str, component: Component, options: Any, device: str) -> tuple[Any, str]:
    """What `component` gives, and how messages call it.

    Raises:
        WeightsError: The component says so itself: its weights are not here, so nothing can be said of it.
    """
    title = f"{kind} {component.name!r}"
    with keeps(title, "load gives an object with the hook's methods"):
        try:
            made = plugins.load(component, options, device=device, kind=kind)
        except WeightsError as error:
            missing = error
        else:
            return made, title
    raise missing


def frames_of(
    make: Callable[[], Iterable[FrameBatch]], who: str, rule: str, *, shape: tuple[int, ...], times: np.ndarray
) -> np.ndarray:
    """(T, H, W, 3) all frames that `make` gives, after all checks that the host makes too."""
    with keeps(who, rule):
        batches = [batch.pixels for batch in checked_frames(make, who=who, shape=shape, times=times)]
        return np.concatenate(batches) if batches else np.zeros((0, *shape), np.uint8)


def alternating(first: Iterator[FrameBatch], second: Iterator[FrameBatch]) -> tuple[np.ndarray, np.ndarray]:
    """All frames of two streams, taken in turn."""
    taken: tuple[list[np.ndarray], list[np.ndarray]] = ([], [])
    for pair in itertools.zip_longest(first, second):
        for batch, kept in zip(pair, taken):
            if batch is not None:
                kept.append(batch.pixels)
    return np.concatenate(taken[0]), np.concatenate(taken[1])


def same_frames(who: str, rule: str, got: np.ndarray, wanted: np.ndarray, *, within: int = 0) -> None:
    """Frames (T, H, W, 3) that may differ by so many grey levels."""
    if got.shape != wanted.shape:
        raise broken(who, rule, f"{len(got)} frames against {len(wanted)}")
    difference = np.abs(got.astype(np.int16) - wanted).max(axis=(1, 2, 3)) if len(got) else np.zeros(1)
    if difference.max() > within:
        raise broken(who, rule, f"frame {int(difference.argmax())} differs by {int(difference.max())} grey levels")


def assert_light_plugin(module: str) -> None:
    """The module of a plugin, and its hooks, load nothing heavy: they run whenever components are listed.

    Args:
        module: Its name, as in the entry point.
    """
    code = (
        f"import importlib, sys; m = importlib.import_module({module!r})\n"
        "for name, hook in vars(m).items():\n"
        "    if name.startswith('visiongen_') and hasattr(hook, 'visiongen_impl'): list(hook())\n"
        f"print(*({HEAVY!r}[i] for i in range({len(HEAVY)}) if {HEAVY!r}[i] in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    rule = "listing loads nothing heavy"
    if done.returncode:
        raise broken(f"plugin {module!r}", rule, (done.stderr.strip().splitlines() or ["it ended the program"])[-1])
    if found := done.stdout.split():
        raise broken(
            f"plugin {module!r}", rule, f"it imports {', '.join(found)}; import them in the function given as `load`"
        )
