"""``visiongen doctor``: is everything there that a job needs, and does one run?"""

from __future__ import annotations

import importlib.metadata
import os
import platform
import re
import textwrap
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from visiongen import plugins, samples
from visiongen.scratch import scratch_folder

SELF_TEST_SECONDS = 0.6
"""Of the sample clip: a few frames, about a second of work."""
_ENCODERS = {"libx264": ".mp4", "aac": "sound of .mp4", "libvpx-vp9": ".webm", "libopus": "sound of .webm"}
_NVIDIA_DRIVER = Path("/dev/nvidiactl")
_MARKS = {"fine": "ok  ", "odd": "note", "broken": "FAIL"}


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that was looked at."""

    name: str
    state: Literal["fine", "odd", "broken"]
    """odd: works, but not as intended."""
    text: str
    """One or two sentences; of what is broken, with what to do."""
    facts: dict[str, Any] = field(default_factory=dict)
    """The same as plain JSON values."""


def examine() -> list[Finding]:
    """Looks at everything; a part that raises is itself a finding."""
    checks = (_python, _packages, _device, _weights, _ffmpeg, _samples, _plugins, _self_test)
    return [finding for check in checks for finding in _guarded(check)]


def _guarded(check: Callable[[], Iterable[Finding]]) -> list[Finding]:
    try:
        return list(check())
    except Exception as error:  # a doctor does not fall ill
        name = check.__name__.strip("_").replace("_", "-")
        return [Finding(name=name, state="broken", text=f"{type(error).__name__}: {error}")]


def as_text(findings: list[Finding]) -> str:
    """For a terminal."""
    lines = []
    for finding in findings:
        head = f"{_MARKS[finding.state]}  {finding.name:<10}  "
        lines += textwrap.wrap(finding.text, 110, initial_indent=head, subsequent_indent=" " * len(head))
    broken = [finding.name for finding in findings if finding.state == "broken"]
    return "\n".join([*lines, "", f"broken: {', '.join(broken)}" if broken else "everything works"])


# --- checks -----------------------------------------------------------------------------------------------------------


def _python() -> Iterator[Finding]:
    supported = importlib.metadata.metadata("visiongen")["Requires-Python"] or ""
    facts = {
        "visiongen": importlib.metadata.version("visiongen"),
        "python": platform.python_version(),
        "system": platform.platform(),
        "cores": os.cpu_count(),
    }
    text = "VisionGen 3D {visiongen} on Python {python}, {system}, {cores} CPU cores".format(**facts)
    fits = _satisfies(facts["python"], supported)
    if not fits:
        text += f"; it needs Python {supported}, make a virtual environment of such a one"
    yield Finding(name="python", state="fine" if fits else "broken", text=text, facts=facts)


def _packages() -> Iterator[Finding]:
    """Versions of all dependencies against what the package's own metadata asks for."""
    found: dict[str, str | None] = {}
    wrong = []
    for line in importlib.metadata.requires("visiongen") or ():
        if "extra ==" in line:
            continue
        name, wanted = re.match(r"([A-Za-z0-9_.-]+)\s*\(?([^;)]*)", line).groups()
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = None
        if found[name] is None or not _satisfies(found[name], wanted):
            wrong.append(f"{name} is {found[name] or 'missing'}, but must be {wanted.strip() or 'there'}")
    versions = ", ".join(f"{name} {version or 'missing'}" for name, version in found.items())
    text = f"{'; '.join(wrong)}: install with the constraints file of the project" if wrong else versions
    yield Finding(name="packages", state="broken" if wrong else "fine", text=text, facts=found)


def _satisfies(version: str, wanted: str) -> bool:
    try:
        from packaging.specifiers import SpecifierSet
    except ImportError:  # no direct dependency of ours, though of several of our dependencies
        return True
    return SpecifierSet(wanted.strip()).contains(version, prereleases=True)


def _device() -> Iterator[Finding]:
    import torch

    from visiongen.generators.precision import has_bfloat16
    from visiongen.pipeline import resolve_device

    device = resolve_device("auto")
    facts = {"device": device, "torch": torch.__version__, "threads": torch.get_num_threads()}
    facts["bfloat16"] = has_bfloat16(torch.device(device))
    numbers = "with" if facts["bfloat16"] else "without"
    if device == "cuda":
        facts["gpu"] = torch.cuda.get_device_name()
        text = f"--device auto uses the GPU {facts['gpu']} (CUDA {torch.version.cuda}, {numbers} bfloat16)"
        yield Finding(name="device", state="fine", text=text, facts=facts)
        return
    facts["cpu"] = torch.backends.cpu.get_cpu_capability()
    text = f"--device auto uses the CPU ({facts['cpu']}, {facts['threads']} threads, {numbers} bfloat16)"
    unused = _NVIDIA_DRIVER.exists()
    if unused:
        text += "; there is an NVIDIA GPU, but this PyTorch cannot use it: install its CUDA build to be faster"
    yield Finding(name="device", state="odd" if unused else "fine", text=text, facts=facts)


def _weights() -> Iterator[Finding]:
    from visiongen.models import weights

    path = weights.shipped()
    card = weights.read_card(path)
    network = weights.load(path)  # checks the checksum and that all weights fit
    parameters = sum(value.numel() for value in network.parameters())
    facts = {"file": str(path), "parameters": parameters, "card": card}
    yield Finding(
        name="weights",
        state="fine",
        text=f"{path.name}: checksum right ({card['sha256'][:12]}), {parameters / 1e6:.1f} M parameters, format "
        f"{card['format']}, trained on {card.get('images_seen', 0):,} images; {path}",
        facts=facts,
    )


def _ffmpeg() -> Iterator[Finding]:
    import av

    facts: dict[str, Any] = {"pyav": av.__version__, "ffmpeg": getattr(av, "ffmpeg_version_info", None)}
    missing = []
    for name, purpose in _ENCODERS.items():
        try:
            av.Codec(name, "w")
        except Exception:  # PyAV's error for it has changed its class
            missing.append(f"{name} ({purpose})")
    facts["missing"] = missing
    text = f"PyAV {facts['pyav']} with ffmpeg {facts['ffmpeg'] or 'of unknown version'}: "
    text += f"no encoder {', '.join(missing)}; reinstall the package av" if missing else f"has {', '.join(_ENCODERS)}"
    yield Finding(name="ffmpeg", state="broken" if missing else "fine", text=text, facts=facts)


def _samples() -> Iterator[Finding]:
    paths = [samples.sample(name) for name in (samples.PORTRAIT, samples.DRIVING)]
    yield Finding(name="samples", state="fine", text=", ".join(map(str, paths)), facts={"files": list(map(str, paths))})


def _plugins() -> Iterator[Finding]:
    counts = {
        "generators": len(plugins.generators()),
        "enhancers": len(plugins.enhancers()),
        "exporters": len(plugins.exporters()),
    }
    others = sorted(
        {f"{p.distribution} {p.version}" for p in plugins.installed_plugins() if p.distribution != "visiongen"}
    )
    text = ", ".join(f"{count} {kind}" for kind, count in counts.items())
    text += f"; plugins: {', '.join(others)}" if others else "; no plugins beside the built-in ones"
    yield Finding(name="plugins", state="fine", text=text, facts=counts | {"distributions": others})
    for failure in plugins.plugin_failures():
        yield Finding(name="plugins", state="broken", text=f"{failure}; update, repair or uninstall it")


class _SteadyRates:
    """To be passed as `progress`: frames per second of every stage after its first report, so without start-up."""

    def __init__(self) -> None:
        self._first: dict[str, tuple[int, float]] = {}
        self.rates: dict[str, float] = {}

    def __call__(self, stage: str, done: int, total: int | None) -> None:
        now = time.monotonic()
        before, begun = self._first.setdefault(stage, (done, now))
        if done > before:
            self.rates[stage] = (done - before) / max(now - begun, 1e-9)


def _self_test() -> Iterator[Finding]:
    from visiongen.pipeline import animate

    progress = _SteadyRates()
    with scratch_folder() as folder:
        result = animate(
            samples.sample(samples.PORTRAIT),
            samples.sample(samples.DRIVING),
            folder / "self-test.mp4",
            end=SELF_TEST_SECONDS,
            progress=progress,
        )
        size = result.path.stat().st_size
    rates = {stage: round(rate, 1) for stage, rate in progress.rates.items()}
    device = result.provenance.settings["device"]
    text = f"{result.num_frames} frames, {result.width}x{result.height}, on {device}: "
    text += ", ".join(f"{stage} {rate:g} frames/s" for stage, rate in rates.items())
    right = result.num_frames > 1 and size > 0 and "render" in rates
    facts = {"device": device, "frames": result.num_frames, "frames_per_second": rates}
    yield Finding(name="self-test", state="fine" if right else "broken", text=text, facts=facts)
