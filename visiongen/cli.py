"""The command line: ``visiongen COMMAND ...``. What a command needs is imported when it is chosen."""

from __future__ import annotations

import atexit
import contextlib
import difflib
import gc
import json
import os
import signal
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from visiongen import blas
from visiongen.console import quiet_libraries, show_log
from visiongen.errors import MediaError, VisionGenError
from visiongen.names import can_name_a_file, unusable_path
from visiongen.shortages import shortage

STOPPED, TERMINATED = 130, 143  # what shells expect after Ctrl-C and after a polite kill
DEBUG_VARIABLE = "VISIONGEN_DEBUG"

Flags = TypeVar("Flags")


class _Terminated(KeyboardInterrupt):
    """SIGTERM; no SystemExit, which would be taken for that of a plugin that ends the program."""


@dataclass(frozen=True, kw_only=True)
class PrepareFlags:
    """Prepare clips and stills for training; what is prepared already is left alone."""

    source: Path
    """Folder of clips and pictures, searched recursively; one face each, about half as wide as the picture."""
    target: Path
    """Folder for what training reads; made if missing."""
    every: int = 2
    """Take every n-th frame of a clip."""


@dataclass(frozen=True, kw_only=True)
class DoctorFlags:
    """Check the installation: versions, device, weights, encoders, plugins, and a self-test of about a second."""

    json: bool = False
    """Write JSON."""


@dataclass(frozen=True, kw_only=True)
class VerifyFlags:
    """Tell whether a film or picture was made by VisionGen 3D; exit code 0 if at least one sign says so."""

    file: Path
    """Film, picture, or folder of PNG frames."""
    json: bool = False
    """Write JSON."""


@dataclass(frozen=True, kw_only=True)
class ReproduceFlags:
    """Make a result again from the settings it carries, and tell whether every frame is the same (exit code 0)."""

    file: Path
    """The result."""
    portrait: Path
    """The picture it was made from."""
    driving: Path
    """The video or motion template it was made from."""
    out: Path | None = None
    """Keep the new result under this name; by default it is only compared."""
    overwrite: bool = False
    """Replace an existing file."""


def _parsed(flags: type[Flags], command: str, arguments: list[str], *, positional: bool = False) -> Flags:
    """`arguments` as an instance of a dataclass; with `positional`, fields without default need no flag."""
    import tyro

    config = (tyro.conf.FlagCreatePairsOff, *([tyro.conf.PositionalRequiredArgs] if positional else []))
    return tyro.cli(flags, prog=f"visiongen {command}", args=arguments, config=config)


def _animate(arguments: list[str]) -> int:
    if {"-h", "--help"} & set(arguments):
        from visiongen import animate_command

        return animate_command.run(arguments)
    from visiongen.ahead import reading_ahead
    from visiongen.memory import loading

    with reading_ahead() as reader, loading():
        from visiongen import animate_command

        return animate_command.run(arguments, reader=reader)


def _batch(arguments: list[str]) -> int:
    from visiongen.batch import command

    return command.run(arguments)


def _serve(arguments: list[str]) -> int:
    from visiongen.service import command

    return command.run(arguments)


def _inspect(arguments: list[str]) -> int:
    from visiongen.inspection import PROBLEMS, InspectConfig, inspect
    from visiongen.progress import ProgressBar

    config = _parsed(InspectConfig, "inspect", arguments)
    with ProgressBar() as progress:
        written = inspect(config, progress=progress)
    print(*written, sep="\n")
    if config.diagnose:
        from visiongen.diagnostics import read_problems
        from visiongen.diagnostics.sheet import table

        print(table(read_problems(config.out / PROBLEMS)))
    return 0


def _plugins(arguments: list[str]) -> int:
    from visiongen import plugins_command

    return plugins_command.run(arguments)


def _doctor(arguments: list[str]) -> int:
    from visiongen.doctor import as_text, examine

    flags = _parsed(DoctorFlags, "doctor", arguments)
    findings = examine()
    print(json.dumps([vars(f) for f in findings], indent=1) if flags.json else as_text(findings))
    return 1 if any(finding.state == "broken" for finding in findings) else 0


def _evaluate(arguments: list[str]) -> int:
    from visiongen.evaluation import COPY, EvaluationConfig, evaluate
    from visiongen.evaluation.flags import parsed

    def chosen(config: EvaluationConfig) -> dict[str, list[str]]:
        return {"generator": [name for name in config.methods if name != COPY], "metric": list(config.all_metrics)}

    config, options = parsed(EvaluationConfig, arguments, command="evaluate", chosen=chosen)
    show_log("INFO")
    print(evaluate(config, options=options))
    return 0


def _bench(arguments: list[str]) -> int:
    from visiongen.benchmark import BenchmarkConfig, benchmark, compared_generators
    from visiongen.evaluation.flags import parsed

    def chosen(config: BenchmarkConfig) -> dict[str, list[str]]:
        return {"generator": list(compared_generators(config))}

    config, options = parsed(BenchmarkConfig, arguments, command="bench", chosen=chosen)
    show_log("INFO")
    print(benchmark(config, options=options))
    return 0


def _verify(arguments: list[str]) -> int:
    from visiongen import verify_command

    return verify_command.run(_parsed(VerifyFlags, "verify", arguments, positional=True))


def _reproduce(arguments: list[str]) -> int:
    from visiongen import reproduce_command

    return reproduce_command.run(_parsed(ReproduceFlags, "reproduce", arguments, positional=True))


def _prepare(arguments: list[str]) -> int:
    flags = _parsed(PrepareFlags, "prepare", arguments, positional=True)
    from visiongen.training.data import prepare

    show_log("INFO")
    if not flags.source.is_dir():
        raise MediaError(f"{flags.source} is no folder; give the folder that holds the clips and stills")
    if flags.every < 1:
        raise VisionGenError(f"--every is {flags.every}, but must be at least 1")
    count = prepare(flags.source, flags.target, every=flags.every)
    if not count:
        raise MediaError(f"{flags.source} holds no clip and no picture that can be used; put some into it")
    print(f"{flags.target}: {count} clips and stills prepared")
    return 0


def _train(arguments: list[str]) -> int:
    from visiongen.training.vae_gan import TrainConfig, train

    config = _parsed(TrainConfig, "train", arguments)
    show_log("INFO")
    print(train(config))
    return 0


def _personalise(arguments: list[str]) -> int:
    from visiongen.personal import PersonalConfig, personalise

    config = _parsed(PersonalConfig, "personalise", arguments)
    show_log("INFO")
    print(personalise(config))
    return 0


COMMANDS: dict[str, tuple[str, Callable[[list[str]], int]]] = {
    "animate": ("move the face of a picture like the face of a video", _animate),
    "batch": ("make many animations from one list, in several processes; go on after a stop", _batch),
    "serve": ("run a small HTTP service that makes animations", _serve),
    "inspect": ("write landmarks, motion and flow of a picture or clip, and a film that shows them", _inspect),
    "plugins": ("list all components with their options; switch plugins on and off; begin a new one", _plugins),
    "doctor": ("check the installation and measure its speed", _doctor),
    "evaluate": ("judge generators on clips that drive themselves, or other portraits", _evaluate),
    "bench": ("measure speed and memory of whole jobs", _bench),
    "verify": ("tell whether a film was made by VisionGen 3D, and how", _verify),
    "reproduce": ("make a result again from the settings it carries, and compare", _reproduce),
    "prepare": ("prepare clips and stills for training", _prepare),
    "train": ("train the network of the default generator", _train),
    "personalise": ("make weights for one person, from a few pictures or a short clip", _personalise),
}
"""Name -> summary and what it runs: takes the arguments after the name, gives the exit code."""


def usage() -> str:
    """The text of ``visiongen --help``."""
    width = max(map(len, COMMANDS))
    lines = [f"  {name:<{width}}  {summary}" for name, (summary, _) in COMMANDS.items()]
    return "\n".join(
        (
            "usage: visiongen COMMAND [ARGUMENTS]",
            "",
            "Bring one picture of a face to life with a short driving video.",
            "",
            "commands:",
            *lines,
            "",
            "  visiongen animate --demo             try it with the sample media",
            "  visiongen COMMAND --help             all flags of a command",
            "  visiongen --version                  the version",
            f"  --debug (or {DEBUG_VARIABLE}=1)       anywhere: show where errors come from and what libraries log",
        )
    )


def main(arguments: list[str] | None = None) -> int:
    """Runs one command and returns its exit code: 0, 1 after an error, 2 for wrong arguments, 130 after Ctrl-C."""
    blas.one_thread()
    atexit.register(gc.freeze)  # else Python looks through all of PyTorch for garbage before it ends: 0.8 s
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in arguments or os.environ.get(DEBUG_VARIABLE, "") not in ("", "0")
    arguments = [argument for argument in arguments if argument != "--debug"]
    with contextlib.ExitStack() as stack:
        if not debug:
            stack.enter_context(quiet_libraries())
        show_log("DEBUG" if debug else "WARNING")
        stack.enter_context(_terminable())
        try:
            if wrong := next((one for one in arguments if not can_name_a_file(one)), None):
                _complain(f"{wrong!a} holds a character that no name of a file can have", debug)
                return 2
            return _run(arguments)
        except VisionGenError as error:
            _complain(f"{error}", debug)
            return 1
        except _Terminated:
            return TERMINATED
        except KeyboardInterrupt:
            print("visiongen: stopped", file=sys.stderr)
            return STOPPED
        except BrokenPipeError:  # the reader of our output has seen enough, as in `visiongen plugins | head`
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 1
        except Exception as error:
            if known := shortage(error) or unusable_path(error, arguments):
                _complain(known, debug)
                return 1
            _complain(
                f"unexpected {type(error).__name__}: {error}\nThis is a fault of VisionGen 3D or of a plugin. Please "
                "report it with the output of `visiongen doctor` and of the same command with --debug added.",
                debug,
            )
            return 1


def _run(arguments: list[str]) -> int:
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(usage())
        return 0
    if arguments[0] in ("-V", "--version"):
        from importlib import metadata

        print(f"VisionGen 3D {metadata.version('visiongen')}")
        return 0
    name, rest = arguments[0], arguments[1:]
    if name not in COMMANDS:
        near = difflib.get_close_matches(name, COMMANDS, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(COMMANDS)}"
        print(f"visiongen: no command {name!r}; {hint}", file=sys.stderr)
        return 2
    try:
        return COMMANDS[name][1](rest)
    except SystemExit as exit:  # of the parser, after --help or wrong arguments
        return exit.code if isinstance(exit.code, int) else 1


def _complain(message: str, debug: bool) -> None:
    if debug:
        traceback.print_exc()
    print(f"visiongen: {message}", file=sys.stderr)


@contextlib.contextmanager
def _terminable() -> Any:
    """SIGTERM inside ends the block like Ctrl-C, so that what was begun is cleaned up."""

    def stop(*_: object) -> None:
        raise _Terminated

    try:
        before = signal.signal(signal.SIGTERM, stop)
    except ValueError:  # not in the main thread: the host of this thread decides
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


if __name__ == "__main__":
    sys.exit(main())
