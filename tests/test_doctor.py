"""The doctor finds a sound installation sound, and says what is broken and what to do."""

from __future__ import annotations

import importlib.metadata
import json
import shutil

import pytest

from visiongen import cli, doctor
from visiongen.models import weights


@pytest.fixture(scope="module")
def findings() -> list[doctor.Finding]:
    return doctor.examine()


def named(findings: list[doctor.Finding], name: str) -> doctor.Finding:
    return next(finding for finding in findings if finding.name == name)


def test_everything_works_here(findings):
    assert [finding for finding in findings if finding.state == "broken"] == []
    names = [finding.name for finding in findings]
    assert names == ["python", "packages", "device", "weights", "ffmpeg", "samples", "plugins", "self-test"]
    assert doctor.as_text(findings).endswith("everything works")


def test_it_names_what_matters(findings):
    assert named(findings, "packages").facts["mediapipe"] == "0.10.21"
    assert named(findings, "weights").facts["card"]["architecture"] == weights.ARCHITECTURE
    assert named(findings, "device").facts["device"] in ("cpu", "cuda")
    rates = named(findings, "self-test").facts["frames_per_second"]
    assert rates["landmarks"] > 1 and rates["render"] > 0.1


def test_the_command_gives_json_and_its_exit_code(monkeypatch, capsys):
    monkeypatch.setattr(doctor, "_self_test", lambda: iter(()))  # seen above; costs seconds
    assert cli.main(["doctor", "--json"]) == 0
    assert {one["name"] for one in json.loads(capsys.readouterr().out)} >= {"python", "weights"}
    monkeypatch.setenv("VISIONGEN_PLUGINS", "not-there")
    assert cli.main(["doctor"]) == 1
    text = capsys.readouterr().out
    assert "FAIL  plugins" in text and "not-there" in text and "broken: plugins" in text


def test_damaged_weights(monkeypatch, tmp_path):
    for path in (weights.shipped(), weights.shipped().with_suffix(".json")):
        shutil.copy(path, tmp_path)
    copy = tmp_path / weights.shipped().name
    content = bytearray(copy.read_bytes())
    content[-1] ^= 1
    copy.write_bytes(content)
    monkeypatch.setattr(weights, "shipped", lambda: copy)
    (finding,) = doctor._guarded(doctor._weights)
    assert (finding.name, finding.state) == ("weights", "broken") and "checksum" in finding.text


@pytest.mark.parametrize(
    ("version", "words"), [("5.29.1", "protobuf is 5.29.1, but must be"), (None, "protobuf is missing")]
)
def test_a_package_that_does_not_fit(monkeypatch, version, words):
    real = importlib.metadata.version

    def installed(name):
        if name != "protobuf":
            return real(name)
        if version is None:
            raise importlib.metadata.PackageNotFoundError(name)
        return version

    monkeypatch.setattr(importlib.metadata, "version", installed)
    (finding,) = doctor._packages()
    assert finding.state == "broken" and words in finding.text and "constraints" in finding.text


def test_a_missing_encoder(monkeypatch):
    monkeypatch.setitem(doctor._ENCODERS, "no-such-codec", ".xyz")
    (finding,) = doctor._ffmpeg()
    assert finding.state == "broken" and "no-such-codec (.xyz)" in finding.text


def test_a_check_that_raises_is_a_finding():
    def _odd_check():
        raise RuntimeError("boom")

    (finding,) = doctor._guarded(_odd_check)
    assert (finding.name, finding.state, finding.text) == ("odd-check", "broken", "RuntimeError: boom")
