"""What a result says of itself: visibly, invisibly, signed, in plain metadata; and how it is read and made again."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest
from builders import astronaut, moving_head, write_clip
from PIL import Image

from visiongen import cli
from visiongen.datatypes import FrameBatch, Provenance
from visiongen.errors import MediaError, VisionGenError
from visiongen.exporters.provenance import FORMAT, as_json
from visiongen.marking.badge import Badge, badge_place
from visiongen.marking.certificates import CREDENTIALS_VARIABLE, credentials_folder, load_credentials
from visiongen.marking.credentials import read_credentials
from visiongen.marking.detector import LIMIT, SCALES, Evidence, search
from visiongen.marking.marks import FrameMarks, export_signed, run_number
from visiongen.marking.metadata import read_metadata
from visiongen.marking.patterns import BITS, SYMBOLS, Payload, payload_of, symbols_of
from visiongen.marking.settings import CORNERS, MarkSettings, marks_from
from visiongen.marking.verification import examine
from visiongen.marking.watermark import MOST_COST, Watermark, likeness_cost
from visiongen.pipeline import animate
from visiongen.reproduce_command import reproduce

NUM_FRAMES = 6
PAYLOAD = Payload(number=0xC0FFEE)
NEAR_WHOLE = tuple(one for one in SCALES if one > 0.98)


@pytest.fixture(scope="module")
def inputs(tmp_path_factory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("inputs")
    write_clip(folder / "driving.mp4", moving_head(NUM_FRAMES))
    Image.fromarray(astronaut()[:180, 20:200]).save(folder / "portrait.png")
    return {"portrait": folder / "portrait.png", "driving": folder / "driving.mp4"}


@pytest.fixture(scope="module")
def result(inputs, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("result") / "result.mp4"
    animate(inputs["portrait"], inputs["driving"], out, generator="warp", device="cpu",
            marks=MarkSettings(consent="a test picture"))  # fmt: skip
    return out


def portrait_of(side: int) -> np.ndarray:
    """The astronaut in the public domain, (side, side, 3)."""
    from visiongen.media import read_picture
    from visiongen.samples import sample

    return cv2.resize(read_picture(sample("astronaut.jpg")), (side, side), interpolation=cv2.INTER_AREA)


def found_in(*frames: np.ndarray, scales=NEAR_WHOLE, key: str = ""):
    evidence = Evidence()
    for frame in frames:
        evidence.add(frame)
    return search(evidence.mean, scales=scales, key=key)


# --- the invisible mark -----------------------------------------------------------------------------------------------


def test_payloads_are_read_back_and_damage_is_noticed():
    for number in (0, 1, 0xABCDEF, (1 << 24) - 1):
        payload = Payload(number=number)
        symbols = symbols_of(payload)
        assert payload_of(symbols) == payload and all(0 <= one < 1 << BITS for one in symbols)
        for bit in range(BITS * SYMBOLS):
            damaged = list(symbols)
            damaged[bit // BITS] ^= 1 << bit % BITS
            assert payload_of(tuple(damaged)) is None
    with pytest.raises(ValueError, match="do not fit"):
        Payload(number=1 << 24)


def test_the_mark_is_found_and_does_not_show():
    frame = portrait_of(256)
    before = frame.copy()
    mark = Watermark(PAYLOAD)
    marked = mark(frame)
    assert np.array_equal(frame, before) and np.array_equal(marked, mark(frame))
    error = float(((marked.astype(float) - frame) ** 2).mean())
    assert 10 * np.log10(255**2 / error) >= 42
    finding = found_in(marked)
    assert finding.found and finding.payload == PAYLOAD and finding.chance < LIMIT
    assert not found_in(frame).found and not found_in(marked, key="wrong ").found


def test_a_mark_made_for_the_portrait_serves_its_frames():
    portrait = portrait_of(256)
    frame = np.roll(portrait, 5, 1)
    provenance = Provenance(software="x", settings={"seed": 1})
    marks = FrameMarks(MarkSettings(mark="none"), provenance, like=portrait)
    by_hand = Watermark(Payload(number=run_number({"seed": 1})))
    by_hand.fit(portrait)
    marked = marks.marked(frame)
    assert np.array_equal(marked, by_hand(frame)) and not np.array_equal(marked, Watermark(by_hand.payload)(frame))
    assert found_in(marked).payload == by_hand.payload
    # Frames of another size than what was promised have one of their own.
    other = portrait_of(300)
    assert np.array_equal(marks.marked(other), Watermark(by_hand.payload)(other))


@pytest.mark.parametrize("shape", [(512, 384), (300, 533)])
def test_the_mark_survives_jpeg_and_another_size(shape):
    frame = cv2.resize(portrait_of(512), shape[::-1], interpolation=cv2.INTER_AREA)
    small = cv2.resize(Watermark(PAYLOAD)(frame), None, fx=0.75, fy=0.75, interpolation=cv2.INTER_AREA)
    copy = cv2.imdecode(cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, 85])[1], cv2.IMREAD_COLOR)
    assert found_in(copy).payload == PAYLOAD


def test_the_mark_survives_a_crop():
    marked = Watermark(PAYLOAD)(portrait_of(512))
    scales = tuple(one for one in SCALES if 0.78 < one < 0.82)
    finding = found_in(marked[40:450, 60:470], scales=scales)
    assert finding.payload == PAYLOAD and finding.scale == pytest.approx(410 / 512, abs=0.004)


@pytest.mark.slow
def test_the_mark_is_found_without_being_told_where(tmp_path):
    marked = Watermark(PAYLOAD)(portrait_of(512))
    assert found_in(marked[40:450, 60:470][:, ::-1], scales=SCALES).payload == PAYLOAD


def test_pictures_without_detail_carry_nothing_and_break_nothing():
    for value in (0, 128):
        plain = np.full((64, 90, 3), value, np.uint8)
        assert not found_in(plain).found
        assert Watermark(PAYLOAD)(plain).shape == plain.shape
    assert Watermark(PAYLOAD)(np.zeros((17, 33, 3), np.uint8)).shape == (17, 33, 3)


def test_the_cost_is_the_loss_of_ssim():
    structural_similarity = pytest.importorskip("skimage.metrics").structural_similarity
    frame = portrait_of(256)
    marked = Watermark(PAYLOAD)(frame)
    luma = [cv2.cvtColor(one, cv2.COLOR_RGB2GRAY) for one in (frame, marked)]
    how = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "data_range": 255}
    loss = 1 - structural_similarity(*luma, **how)
    assert likeness_cost(frame, marked) == pytest.approx(loss, rel=0.03) and loss < 1.1 * MOST_COST


# --- the visible mark -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("corner", CORNERS)
@pytest.mark.parametrize("shape", [(256, 256), (1080, 608), (33, 47), (16, 16)])
def test_the_badge_stays_in_its_corner(corner, shape):
    frame = np.random.default_rng(0).integers(0, 256, (*shape, 3), np.uint8)
    marked = Badge(corner)(frame)
    if corner == "none":
        assert marked is frame
        return
    changed = (marked != frame).any(2)
    rows, columns = badge_place(shape, corner)
    outside = changed.copy()
    outside[rows, columns] = False
    assert changed.any() and not outside.any()
    assert (rows.start + rows.stop < shape[0]) == corner.startswith("top")
    assert (columns.start + columns.stop < shape[1]) == corner.endswith("left")
    assert changed.sum() <= 0.5 * changed.size


@pytest.mark.parametrize("value", [0, 128, 255])
def test_the_badge_is_legible_on_any_ground(value):
    marked = Badge("top-left")(np.full((256, 256, 3), value, np.uint8))
    rows, columns = badge_place(marked.shape, "top-left")
    assert int(marked[rows, columns].max()) - int(marked[rows, columns].min()) > 90


# --- settings ---------------------------------------------------------------------------------------------------------


def test_mark_settings_are_checked_and_recorded():
    marks = MarkSettings(mark="top-left", consent="own face")
    assert marks_from(json.loads(json.dumps(marks.to_settings()))) == marks
    assert marks_from({}) == MarkSettings() and MarkSettings().to_settings()["consent"] == "not stated"
    for wrong in ({"mark": "middle"}, {"credentials": "maybe"}, {"consent": "x" * 501}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            MarkSettings(**wrong)


def test_the_run_number_depends_on_the_job_alone():
    settings = {"seed": 1, "python": "3.11", "generator": {"name": "warp"}}
    same = {"generator": {"name": "warp"}, "seed": 1, "python": "3.12", "frames_sha256": "x", "watermark": "y"}
    assert run_number(settings) == run_number(same) != run_number(settings | {"seed": 2})


# --- certificates and Content Credentials -----------------------------------------------------------------------------


def test_a_certificate_is_made_once_and_is_private(tmp_path, monkeypatch):
    monkeypatch.delenv(CREDENTIALS_VARIABLE, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    first = load_credentials()
    assert load_credentials() == first and first.algorithm == "es256" and "PRIVATE" not in repr(first)
    assert credentials_folder().is_relative_to(tmp_path)
    if os.name != "nt":
        modes = {stat.S_IMODE(path.stat().st_mode) for path in credentials_folder().iterdir()}
        assert modes == {0o600} and stat.S_IMODE(credentials_folder().stat().st_mode) == 0o700
    assert [one.name for one in credentials_folder().parent.iterdir()] == ["credentials"]  # nothing left over


def test_a_result_says_how_it_was_made(result, inputs):
    found = read_credentials(result)
    assert found.state == "own" and found.proves_generation and not found.problems
    assert found.source_type.endswith("compositeWithTrainedAlgorithmicMedia")
    settings = found.settings["settings"]
    assert settings["consent"] == "a test picture" and len(settings["frames_sha256"]) == 64
    for role, path in inputs.items():
        assert any(path.name in one and settings[role]["sha256"] in one for one in found.ingredients)
    assert found.settings["format"] == FORMAT == read_metadata(result)["format"]
    assert not list(result.parent.glob(".*"))  # no half file


def test_a_changed_file_is_found_out(result, tmp_path):
    data = bytearray(result.read_bytes())
    place = data.rindex(b"mdat") + 2000
    data[place] ^= 0x55
    changed = tmp_path / "changed.mp4"
    changed.write_bytes(data)
    found = read_credentials(changed)
    assert found.state == "invalid" and found.problems and not found.proves_generation


def test_by_another_users_eyes_it_is_valid_but_unknown(result, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    found = read_credentials(result)
    assert found.state == "valid" and found.proves_generation


def written(frames: list[np.ndarray], out: Path, marks: MarkSettings, name: str | None = None) -> int:
    """By the exporter of the ending, signed."""
    from visiongen import choose, load

    provenance = Provenance(software="VisionGen 3D 0", settings={"seed": 1})
    batches = FrameMarks(marks, provenance).passing(
        FrameBatch(pixels=f[None], times=[i / 25]) for i, f in enumerate(frames)
    )
    exporter = load(choose("exporter", name or out.suffix[1:]))
    how = {"fps": Fraction(25), "sound": None, "provenance": provenance}
    return export_signed(
        lambda part: exporter.export(batches, part, **how),
        out,
        marks=marks,
        provenance=provenance,
        folder=not out.suffix,
    )


@pytest.mark.parametrize("name", ["film.mp4", "film.gif", "film.webp", "frames", "film.webm"])
def test_every_format_carries_what_it_can(name, tmp_path):
    out = tmp_path / name
    frame = portrait_of(256)
    for _ in range(2):  # the second time in place of the first
        assert written([frame, frame[:, ::-1], frame], out, MarkSettings(), "png" if not out.suffix else None) == 3
    signed = out / "frame_000000.png" if out.is_dir() else out
    found = read_credentials(signed)
    assert found.state == "own" and found.settings["settings"]["frames_sha256"]
    assert read_metadata(out)["settings"]["watermark"] == f"{run_number({'seed': 1}):06x}"
    beside = ["film.c2pa"] if out.suffix == ".webm" else []
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([name, *beside])


def test_a_manifest_beside_a_file_holds_for_that_file_alone(tmp_path, caplog):
    frame, out = portrait_of(128), tmp_path / "film.webm"
    assert written([frame] * 3, out, MarkSettings()) == 3
    assert examine(out).credentials.state == "own"
    out.write_bytes(out.read_bytes()[:-1] + b"x")
    assert read_credentials(out).state == "invalid"
    out.unlink()
    assert written([frame] * 2, out, MarkSettings()) == 2  # what an earlier film of that name left is replaced
    assert read_credentials(out).state == "own" and not caplog.text
    out.unlink()
    for theirs in (b"no manifest", (tmp_path / "film.c2pa").read_bytes().replace(b"film.webm", b"f1lm.mp4_")):
        (tmp_path / "film.c2pa").write_bytes(theirs)
        assert written([frame] * 2, out, MarkSettings()) == 2
        assert (tmp_path / "film.c2pa").read_bytes() == theirs and "belongs to another file" in caplog.text
        assert read_credentials(out).state == "invalid"
        out.unlink()
        caplog.clear()
    (tmp_path / "film.c2pa").unlink()
    assert written([frame] * 2, out, MarkSettings()) == 2 and read_credentials(out).state == "own"
    assert written([frame] * 3, out, MarkSettings(credentials="none")) == 3 and read_credentials(out) is None


def test_where_signing_fails_the_film_is_kept(tmp_path, monkeypatch, caplog):
    (tmp_path / "mine").mkdir()
    monkeypatch.setenv(CREDENTIALS_VARIABLE, str(tmp_path / "mine"))
    out = tmp_path / "film.mp4"
    assert written([portrait_of(64)] * 2, out, MarkSettings()) == 2
    assert out.stat().st_size and read_credentials(out) is None
    assert len(caplog.records) == 1 and "chain.pem" in caplog.text
    with pytest.raises(MediaError, match=r"chain\.pem"):
        written([portrait_of(64)] * 2, tmp_path / "other.mp4", MarkSettings(credentials="require"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["film.mp4", "mine"]


def test_messages_name_the_file_that_was_asked_for(tmp_path):
    wide = np.zeros((16, 16384, 3), np.uint8)
    with pytest.raises(MediaError) as error:
        written([wide], tmp_path / "film.webp", MarkSettings(watermark=False, mark="none"))
    assert str(tmp_path / "film.webp") in str(error.value) and "part" not in str(error.value)
    assert not list(tmp_path.iterdir())


# --- verify -----------------------------------------------------------------------------------------------------------


def test_verify_after_another_tool_only_the_watermark_is_left(tmp_path, capsys):
    from imageio_ffmpeg import get_ffmpeg_exe

    made, copy = tmp_path / "film.mp4", tmp_path / "copy.mp4"
    frame = portrait_of(512)
    written([np.roll(frame, i, 1) for i in range(24)], made, MarkSettings())
    flags = ["-map_metadata", "-1", "-fflags", "+bitexact", "-vf", "scale=384:384", "-c:v", "libx264", "-crf", "23"]
    subprocess.run([get_ffmpeg_exe(), "-loglevel", "error", "-i", made, *flags, copy], check=True)
    assert cli.main(["verify", str(copy), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["generated"] and found["credentials"] is None and found["metadata"] is None
    assert found["watermark"]["payload"] == f"{run_number({'seed': 1}):06x}"


def test_verify_finds_nothing_where_nothing_is(inputs, capsys):
    assert cli.main(["verify", str(inputs["portrait"])]) == 1
    out = capsys.readouterr().out
    assert "carries no sign" in out and "not found" in out and "none" in out
    assert cli.main(["verify", str(inputs["portrait"].with_name("missing.mp4"))]) == 1
    assert "does not exist" in capsys.readouterr().err


def test_a_statement_that_says_synthetic_false_proves_nothing(tmp_path):
    out = tmp_path / "provenance.json"
    out.write_text(as_json(Provenance(software="VisionGen 3D 0", synthetic=False)))
    Image.fromarray(portrait_of(64)).save(tmp_path / "frame_000000.png")
    found = examine(tmp_path)
    assert not found.proven and found.metadata["synthetic"] is False
    out.write_text(as_json(Provenance(software="VisionGen 3D 0")))
    assert replace(found, metadata=read_metadata(tmp_path)).proven


# --- reproduce --------------------------------------------------------------------------------------------------------


def test_the_same_job_gives_the_same_frames(result, inputs, tmp_path, capsys):
    command = [
        "reproduce",
        str(result),
        str(inputs["portrait"]),
        str(inputs["driving"]),
        "--out",
        str(tmp_path / "b.mp4"),
    ]
    assert cli.main(command) == 0
    assert "identical" in capsys.readouterr().out
    one, other = (read_credentials(path).settings["settings"] for path in (result, tmp_path / "b.mp4"))
    assert one["frames_sha256"] == other["frames_sha256"] and one["watermark"] == other["watermark"]


@pytest.mark.slow
def test_a_job_with_remedies_is_made_again_with_them(inputs, tmp_path):
    """The face is gone for 14 frames, which are filled in."""
    from visiongen import media
    from visiongen.samples import sample

    batches = media.read_frames(media.probe(sample("driving.mp4"), end=1.0))
    frames = np.concatenate([batch.pixels for batch in batches])
    frames[6:20, frames.shape[1] // 4 :] = 40
    write_clip(tmp_path / "driving.mp4", frames)
    given = {"portrait": inputs["portrait"], "driving": tmp_path / "driving.mp4"}
    how = {"generator": "warp", "device": "cpu"}
    made = animate(*given.values(), tmp_path / "a.mp4", remedy=True, **how).provenance.settings
    assert any("Fill in" in one for one in made["remedies"])
    assert reproduce(tmp_path / "a.mp4", **given).identical
    plain = animate(*given.values(), tmp_path / "b.mp4", **how).provenance.settings
    assert plain["frames_sha256"] != made["frames_sha256"], "the remedies change frames"


def test_other_inputs_are_refused(result, inputs, tmp_path):
    other = tmp_path / "other.png"
    Image.fromarray(portrait_of(200)).save(other)
    with pytest.raises(MediaError, match=r"other\.png is not the portrait .* was made from"):
        reproduce(result, portrait=other, driving=inputs["driving"])
    with pytest.raises(MediaError, match="carries no settings"):
        reproduce(inputs["driving"], portrait=other, driving=inputs["driving"])


def test_files_of_other_versions(result, inputs, tmp_path):
    """Before formats had a version, and after this one."""
    statement = read_metadata(result)
    Image.fromarray(portrait_of(64)).save(tmp_path / "frame_000000.png")
    old = {name: value for name, value in statement.items() if name != "format"}
    for name in ("consent", "marks", "frames_sha256", "watermark"):
        old["settings"].pop(name, None)
    (tmp_path / "provenance.json").write_text(json.dumps(old))
    assert reproduce(tmp_path, **inputs).identical is None  # made, but there is nothing to compare with
    (tmp_path / "provenance.json").write_text(json.dumps({**old, "format": FORMAT + 1}))
    with pytest.raises(MediaError, match="later version"):
        reproduce(tmp_path, **inputs)


def test_settings_that_cannot_be_used_are_one_sentence(result, inputs, tmp_path):
    statement = read_metadata(result)
    Image.fromarray(portrait_of(64)).save(tmp_path / "frame_000000.png")
    statement["settings"]["generator"]["options"] = {"no_such_option": 1}
    (tmp_path / "provenance.json").write_text(json.dumps(statement))
    with pytest.raises(VisionGenError, match="cannot be used here"):
        reproduce(tmp_path, **inputs)


def test_listing_and_settings_load_nothing_heavy():
    code = (
        "import sys, visiongen.marking.settings; print(*({'cv2', 'c2pa', 'scipy', 'cryptography'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split() == []


def test_payload_texts():
    assert str(replace(PAYLOAD, number=0x1A)) == "00001a"
