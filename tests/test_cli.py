"""The command line as a user meets it: flags, exit codes, one sentence on the screen, whole files or none."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from visiongen import cli, load_motion
from visiongen.exporters import Mp4Options
from visiongen.samples import sample

PORTRAIT, CARTOON, DRIVING = (str(sample(name)) for name in ("astronaut.jpg", "cartoon.png", "driving.mp4"))
HEAVY = ("torch", "mediapipe", "av", "cv2", "scipy", "moviepy", "streamlit")


@pytest.fixture(scope="module")
def template(tmp_path_factory) -> str:
    """A short motion template, written by ``--save-motion``; being driven by it costs no landmarks."""
    folder = tmp_path_factory.mktemp("template")
    motion = folder / "motion.npz"
    arguments = ["animate", PORTRAIT, DRIVING, "-o", str(folder / "first.gif"), "--generator", "warp", "--crop"]
    assert cli.main([*arguments, "--start", "0.4", "--end", "0.68", "--save-motion", str(motion)]) == 0
    return str(motion)


def animate(template: str, out: Path, *flags: str) -> int:
    """A quick job: the smallest sample face, the geometry alone."""
    return cli.main(["animate", PORTRAIT, template, "-o", str(out), "--generator", "warp", "--crop", *flags])


def provenance(path: Path) -> dict:
    import av

    with av.open(str(path)) as container:
        return json.loads(container.metadata["comment"])


# --- start ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("arguments", [["--help"], ["plugins"], ["plugins", "--json"], ["animate", "--help"]])
def test_start_up_is_light(arguments):
    allowed = {"cv2", "scipy"} if arguments[0] == "animate" else set()
    code = (
        "import sys; from visiongen.cli import main; code = main(sys.argv[2:]); "
        "print(code, [m for m in sys.argv[1].split(',') if m in sys.modules], file=sys.stderr)"
    )
    command = [sys.executable, "-c", code, ",".join(set(HEAVY) - allowed), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "0 []"
    assert len(done.stdout) > 500


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_every_command_explains_itself(name, capsys):
    assert cli.main([name, "--help"]) == 0
    text = capsys.readouterr().out
    assert f"usage: visiongen {name}" in text
    assert "(missing" not in text


def test_without_a_command_the_commands_are_listed(capsys):
    assert cli.main([]) == 0
    text = capsys.readouterr().out
    assert all(f"\n  {name} " in text for name in cli.COMMANDS)


def test_version(capsys):
    assert cli.main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("VisionGen 3D 0.")


def test_a_misspelt_command_is_answered_with_the_nearest(capsys):
    assert cli.main(["animte"]) == 2
    assert "did you mean 'animate'?" in capsys.readouterr().err


def test_a_misspelt_flag_is_a_usage_error(template, tmp_path, capsys):
    assert animate(template, tmp_path / "a.gif", "--crf", "20") == 2
    assert "--mp4.crf" in capsys.readouterr().err


# --- animate ----------------------------------------------------------------------------------------------------------


def test_one_line_on_the_result_and_nothing_else_on_the_screen(tmp_path, capfd):
    out = tmp_path / "a.mp4"
    assert (
        cli.main(["animate", CARTOON, DRIVING, "-o", str(out), "--generator", "warp", "--end", "0.2", "--size", "160"])
        == 0
    )
    screen = capfd.readouterr()
    assert screen.err == ""  # no warnings of libraries
    (line,) = screen.out.splitlines()
    assert line.startswith(f"{out}: 5 frames, 160x160, 25 fps; made in ")
    assert line.endswith(" frames/s on cpu")


def test_the_sample_media_stand_in_for_what_is_left_out(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert cli.main(["animate", "--demo", "--generator", "warp", "--end", "0.12", "--crop"]) == 0
    assert [path.name for path in tmp_path.iterdir()] == ["visiongen-demo.mp4"]
    assert provenance(tmp_path / "visiongen-demo.mp4")["settings"]["portrait"]["name"] == "astronaut.jpg"


def test_a_saved_motion_drives_other_portraits(template, tmp_path):
    motion = load_motion(Path(template))
    assert len(motion) == 7 and motion.times[0] == 0
    assert animate(template, tmp_path / "b.gif") == 0
    with Image.open(tmp_path / "b.gif") as result:
        assert result.n_frames == 7


def test_flags_reach_the_components_in_order(template, tmp_path):
    out = tmp_path / "a.mp4"
    flags = ["--enhancers", "sharpen", "deflicker", "--sharpen.amount", "0.4", "--mp4.crf", "40", "--seed", "7"]
    assert (
        animate(template, out, *flags, "--pose", "0.5", "--reference-frame", "2", "--scale-lock", "--size", "96") == 0
    )
    settings = provenance(out)["settings"]
    assert [one["name"] for one in settings["enhancer"]] == ["sharpen", "deflicker"]
    assert settings["enhancer"][0]["options"]["amount"] == 0.4
    assert settings["exporter"]["options"]["crf"] == 40
    assert settings["seed"] == 7
    motion = settings["motion"]
    assert (motion["pose"], motion["reference_frame"], motion["scale"], motion["mode"]) == (0.5, 2, "lock", "relative")


def test_absolute_motion_is_another_one(template, tmp_path):
    for name, flags in (("r.gif", ["--relative"]), ("a.gif", ["--absolute"])):
        assert animate(template, tmp_path / name, *flags, "--size", "96") == 0
    assert (tmp_path / "r.gif").read_bytes() != (tmp_path / "a.gif").read_bytes()


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--sharpen.amount", "0.4"], ["--sharpen.*", "--enhancers sharpen"]),
        (["--mp4.crf", "17"], ["--mp4.*", "not used"]),  # also when the value is the default
        (["--gif.colours", "999"], ["colours", "2 to 256"]),
        (["--mouth", "3"], ["mouth"]),
        (["--size", "5"], ["--size"]),
        (["--full"], ["--full and --crop exclude each other"]),
        (["--relative", "--absolute"], ["--relative and --absolute exclude each other"]),
        (["--generator", "wrap"], ["did you mean 'warp'?"]),
        (["--enhancers", "sharpn"], ["did you mean 'sharpen'?"]),
        (["--exporter", "mpeg"], ["no exporter named 'mpeg'"]),
        (["--reference-frame", "99"], ["reference frame 99"]),
        (["--face", "3"], ["face number 3"]),
        (["--start", "60"], ["60"]),
    ],
    ids=" ".join,
)
def test_a_wrong_value_is_one_sentence(template, tmp_path, capsys, flags, words):
    assert animate(template, tmp_path / "a.gif", *flags) == 1
    error = capsys.readouterr().err
    assert error.startswith("visiongen: ") and error.count("\n") == 1
    assert all(word in error for word in words), error
    assert list(tmp_path.iterdir()) == []


def test_what_is_missing_is_named(capsys):
    assert cli.main(["animate", PORTRAIT]) == 1
    assert "DRIVING and -o OUT missing" in capsys.readouterr().err


def test_nothing_is_overwritten_unasked(template, tmp_path, capsys):
    out = tmp_path / "a.gif"
    out.write_bytes(b"dear to me")
    assert animate(template, out) == 1
    assert "--overwrite" in capsys.readouterr().err and out.read_bytes() == b"dear to me"
    motion = tmp_path / "m.npz"
    motion.write_bytes(b"dear too")
    assert animate(template, tmp_path / "b.gif", "--save-motion", str(motion)) == 1
    assert motion.read_bytes() == b"dear too" and not (tmp_path / "b.gif").exists()
    assert animate(template, out, "--overwrite") == 0
    assert out.read_bytes()[:4] == b"GIF8"


# --- stopping and failing ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sent", "code"), [(signal.SIGINT, 130), pytest.param(signal.SIGTERM, 143, marks=pytest.mark.slow)]
)
def test_stopping_leaves_nothing_behind(tmp_path, sent, code):
    arguments = [
        "animate",
        CARTOON,
        DRIVING,
        "-o",
        "a.mp4",
        "--generator",
        "warp",
        "--end",
        "2",
        "--size",
        "900",  # long enough to be stopped, however busy the machine is
    ]
    command = [sys.executable, "-m", "visiongen.cli", *arguments]
    # A test runner's helper processes ignore Ctrl-C, and what they start would inherit that.
    anew = {"preexec_fn": lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)}
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True, **anew) as process:
        deadline = time.monotonic() + 60
        while not any(tmp_path.iterdir()) and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.05)
        assert any(tmp_path.iterdir()), "it should have begun to write"
        process.send_signal(sent)
        error = process.communicate(timeout=30)[1]
    assert process.returncode == code
    assert "Traceback" not in error
    assert list(tmp_path.iterdir()) == []


def test_an_unexpected_error_says_how_to_report_it(monkeypatch, capsys):
    def broken(arguments):
        raise ZeroDivisionError("division by zero")

    monkeypatch.setitem(cli.COMMANDS, "plugins", ("", broken))
    assert cli.main(["plugins"]) == 1
    error = capsys.readouterr().err
    assert "ZeroDivisionError" in error and "visiongen doctor" in error and "Traceback" not in error
    assert cli.main(["--debug", "plugins"]) == 1
    assert "Traceback" in capsys.readouterr().err
    monkeypatch.setenv("VISIONGEN_DEBUG", "1")
    assert cli.main(["plugins"]) == 1
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [["verify", "x" * 300], ["inspect", "{picture}", "-o", "x" * 300], ["evaluate", "x" * 300, "--out", "report"],
     ["animate", "{picture}", "{clip}", "-o", "x" * 300 + ".mp4"], ["train", "--data", "x" * 300, "--out", "run"],
     ["animate", "{picture}", "{clip}", "-o", "a\0.mp4"], ["serve", "--data", "\0"], ["verify", "\ud800"]],
    ids=lambda words: f"{words[0]}-{ascii(words[-1])[:8]}",
)  # fmt: skip
def test_a_name_no_file_can_have_is_one_sentence(arguments, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    media = {"picture": sample("cartoon.png"), "clip": sample("driving.mp4")}
    assert cli.main([word.format(**media) for word in arguments]) in (1, 2)
    error = capsys.readouterr().err.strip()
    assert "unexpected" not in error and "\n" not in error and len(error) < 600, error
    assert not list(tmp_path.rglob("*.mp4"))


def test_a_path_of_ours_is_still_reported_as_a_fault(monkeypatch, capsys):
    def broken(arguments):
        Path("/nowhere/of/ours").read_bytes()

    monkeypatch.setitem(cli.COMMANDS, "plugins", ("", broken))
    assert cli.main(["plugins"]) == 1
    assert "visiongen doctor" in capsys.readouterr().err
    assert cli.main(["plugins", "/nowhere/of"]) == 1
    error = capsys.readouterr().err
    assert "/nowhere/of/ours cannot be used: no such file" in error and "doctor" not in error


def test_a_reader_that_has_seen_enough_is_no_error():
    command = f"{sys.executable} -m visiongen.cli plugins | head -n 1"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "generators" and done.stderr == ""


# --- other commands ---------------------------------------------------------------------------------------------------


def test_plugins_lists_components_options_and_failures(monkeypatch, capsys):
    monkeypatch.setenv("VISIONGEN_PLUGINS", "not-there")
    assert cli.main(["plugins"]) == 0
    text = capsys.readouterr().out
    for word in (
        "vae-gan",
        "sharpen",
        f"--mp4.crf (default {Mp4Options().crf})",
        "1 to 51",
        "visiongen 0.",
        "cannot be used",
        "not-there",
    ):
        assert word in text
    assert cli.main(["plugins", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert {one["name"] for one in found["components"]["exporter"]} >= {"mp4", "gif", "webm", "webp", "png"}
    (failure,) = found["failures"]
    assert failure["plugin"] == "not-there"


def test_prepare_and_train(tmp_path, capsys):
    """A still prepared by the command; training says what it lacks."""
    (tmp_path / "source").mkdir()
    Image.fromarray(np.asarray(Image.open(CARTOON))).save(tmp_path / "source" / "still.png")
    assert cli.main(["prepare", str(tmp_path / "source"), str(tmp_path / "target")]) == 0
    assert "1 clips and stills prepared" in capsys.readouterr().out
    assert np.load(tmp_path / "target" / "still" / "frames.npy").shape == (1, 256, 256, 3)
    assert cli.main(["prepare", str(tmp_path / "nowhere"), str(tmp_path / "target")]) == 1
    assert cli.main(["train", "--data", str(tmp_path / "target"), "--out", str(tmp_path / "run")]) == 1
    assert "no prepared clips" in capsys.readouterr().err


def test_the_module_is_the_command():
    done = subprocess.run(
        [sys.executable, "-m", "visiongen.cli", "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("VisionGen 3D")
    assert os.linesep in done.stdout
